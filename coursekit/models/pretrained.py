"""Networks that have learnt to see: the one that the course ships, and ours with weights trained on ImageNet. Used by 12_transfer.

>>> model = pretrained("signs")     # here without a network; knows ten traffic signs
>>> model = pretrained("resnet18")  # 45 MB, fetched once; knows the 1,000 classes of ImageNet
>>> model(images).argmax(dim=1)     # uint8 (N, 3, H, W) -> places among its classes
"""

from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import torch

from ..data.download import DownloadError, RemoteFile, data_home, fetch, file_hash
from ..training.checkpoint import load_checkpoint
from .alexnet import AlexNet
from .densenet import DenseNet
from .inception import GoogLeNet
from .layers import Classifier, Pixels, check_choice
from .mobilenet_v2 import MobileNetV2
from .mobilenet_v3 import MobileNetV3
from .resnet import ResNet
from .resnext import resnext50
from .shufflenet import ShuffleNetV2
from .signs_backbone import load_backbone
from .torchvision_names import load_torchvision
from .vgg import VGG

NETWORKS = {  # what torchvision calls it: how ours is built
    "alexnet": AlexNet,
    **{f"vgg{depth}": partial(VGG, depth=depth) for depth in (11, 13, 16, 19)},
    **{f"vgg{depth}_bn": partial(VGG, depth=depth, batch_norm=True) for depth in (11, 13, 16, 19)},
    "googlenet": partial(GoogLeNet, third_kernel=3),
    **{f"resnet{depth}": partial(ResNet, depth=depth) for depth in (18, 34, 50, 101, 152)},
    "resnext50_32x4d": resnext50,
    "wide_resnet50_2": partial(ResNet, depth=50, group_width=128),
    **{f"densenet{depth}": partial(DenseNet, depth=depth) for depth in (121, 169, 201)},
    "mobilenet_v2": MobileNetV2,
    "mobilenet_v3_large": partial(MobileNetV3, size="large"),
    "mobilenet_v3_small": partial(MobileNetV3, size="small"),
    **{f"shufflenet_v2_x{width:.1f}".replace(".", "_"): partial(ShuffleNetV2, width=width) for width in (0.5, 1.0, 1.5, 2.0)},
}


def pretrained(name: str, folder: str | Path | None = None, progress: bool = True) -> Classifier:
    """A network of ours that has learnt already, in eval mode: the shipped one, or one with torchvision's first ImageNet weights.

    Args:
        name: ``"signs"`` (see `signs_backbone`), or one of `NETWORKS`.
        folder: where the file is kept, or lies already; None is ``data_home()/weights``.
        progress: show a bar while it downloads.

    Returns:
        A `Classifier` that takes uint8: its ``pixels`` scale as they did when its weights were trained. To learn other classes, replace
        its ``head``.

    Raises:
        ValueError: for a name that is not there, or a file that holds something else.
        DownloadError: if the file can be neither found nor fetched, or is not the one whose hash its name carries.
    """
    check_choice("name", name, ["signs", *NETWORKS])
    if name == "signs":
        return load_backbone()
    path = _weights_file(weights_url(name), Path(folder) if folder else data_home() / "weights", progress)
    with torch.device("meta"):  # no numbers yet: they come from the file
        network = NETWORKS[name]()
    load_torchvision(network, load_checkpoint(path), assign=True)
    network.pixels = Pixels(0.5, 0.5) if name == "googlenet" else Pixels()  # its weights were brought over from another library
    return network.eval()


def weights_url(name: str) -> str:
    """Where torchvision has the first weights of a network; the file's name ends in the beginning of its SHA-256."""
    from torchvision.models import get_model_weights

    return get_model_weights(name)["IMAGENET1K_V1"].url


def _weights_file(url: str, folder: Path, progress: bool) -> Path:
    file_name = Path(urlsplit(url).path).name
    expected = Path(file_name).stem.rpartition("-")[2]  # resnet18-f37072fd.pth: eight or ten hexadecimal digits
    path = fetch(RemoteFile(file_name, (url,)), folder, progress=progress)
    got = file_hash(path).partition(":")[2]
    if not got.startswith(expected):
        path.unlink()
        path.with_name(path.name + ".sha256").unlink(missing_ok=True)  # what fetch held later loads to
        raise DownloadError(
            f"{file_name} is not the file that its name promises: its SHA-256 begins {got[:10]}, not {expected}. Try again."
        )
    return path
