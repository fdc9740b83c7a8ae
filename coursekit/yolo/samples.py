"""What the detector is trained and measured on: opened, brought to one size, kept in memory, handed over as the loss takes it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from ..data.folder import FolderDataset
from ..data.loader import CachedDataset
from ..data.on_device import send
from ..data.tiles import TrainingTiles
from ..training.device import Compute
from ..training.distributed import local_world_size, on_rank_0
from .predict import input_size
from .settings import TrainSettings


def open_data(data: str, split: str):
    """The samples of a split: of the generated world for ``"signs"``, else of a folder in VOC, COCO or YOLO format."""
    if data == "signs":
        from ..data.signs import SignScenes

        lengths = {"train": 2000, "val": 200, "test": 500}
        if split not in lengths:
            raise ValueError(f"split of signs must be one of {', '.join(lengths)}, got {split!r}")
        scenes = SignScenes(lengths[split], seed=list(lengths).index(split))
        return scenes if split == "train" else CachedDataset(scenes, (scenes.size, scenes.size))  # measured again and again: draw it once
    from ..data.formats import read_dataset

    return FolderDataset(read_dataset(_folder_of(data), split))


def _folder_of(data: str) -> str:
    """The folder itself, or that of a dataset which the catalog knows by this name (it is fetched once)."""
    from ..data.catalog import NAMES, get

    return str(get(data)) if not Path(data).exists() and data in NAMES else data


def open_both(settings: TrainSettings, dataset, validation, notes: list[str]) -> tuple:
    """What to train on and what to measure on (None: nothing), opened unless given; ``notes`` gains what a user should know of them."""
    if dataset is None:
        on_rank_0(lambda: _folder_of(settings.data))  # a download happens once, before the others look for it
        dataset = open_data(settings.data, settings.split)
    if validation is None and settings.val_split == "auto" and settings.split == "train":
        try:
            validation = open_data(settings.data, "val")
        except ValueError as error:
            notes.append(f"no validation: {error}")
    elif validation is None and settings.val_split not in ("auto", "none"):
        validation = open_data(settings.data, settings.val_split)
    if isinstance(dataset, FolderDataset) and dataset.annotations.summary():
        notes.append(dataset.annotations.summary())  # what was fixed or left out is said before hours are spent on it
    if isinstance(dataset, FolderDataset) and not any(len(record) for record in dataset.annotations.images):
        where, why = f"split {settings.split!r} of {settings.data}", dataset.annotations.summary()
        raise ValueError(f"{where} shows no object in its {len(dataset)} pictures, so there is nothing to learn{f' ({why})' * bool(why)}")
    if isinstance(validation, FolderDataset) and not any(len(record) for record in validation.annotations.images):
        notes.append(f"no object in the {len(validation)} validation pictures: AP is -1, and best.pt will not be written")
    if validation is None:
        notes.append("no validation split: best.pt will not be written, last.pt is the result")
    if settings.data == "signs" and settings.fliplr > 0:
        notes.append("signs are mirrored (fliplr): a bend to the left then looks like one to the right; --fliplr 0 is better here")
    return dataset, validation


def common_size(dataset, imgsz: int) -> tuple[int, int]:
    """Height and width of the network's input: what the most common picture shape asks for (`input_size`). Other shapes get grey bars."""
    if isinstance(dataset, FolderDataset):
        shapes = [(record.height, record.width) for record in dataset.annotations.images]
    else:
        shapes = [tuple(dataset[0][0].shape[1:])]
    return Counter(input_size(shape, imgsz) for shape in shapes).most_common(1)[0][0]


def make_samples(dataset, settings: TrainSettings, share: float = 0.4, device: str = "cpu"):
    """What batches are made of: every image at the network's size, or with ``tile`` other crops of it each epoch.

    Args:
        share: of the memory that images may be kept in.
        device: a GPU that should keep them, if it has room.

    Raises:
        ValueError: where ``settings.cache`` asks for a GPU that is not there or has no room.
    """
    if not settings.tile:
        samples = CachedDataset(dataset, common_size(dataset, settings.imgsz), share, device)
        if settings.cache == "gpu" and samples.device == "cpu":
            why = "there is none" if device == "cpu" else f"they take {samples.nbytes / 2**20:.0f} MiB, more than {share:g} of what is free"
            raise ValueError(f"cache gpu: the pictures cannot be kept on a GPU, {why}; use cache ram")
        return samples
    size_hw = input_size((settings.tile, settings.tile), settings.imgsz)
    return TrainingTiles(dataset, settings.tile, size_hw, settings.seed, settings.tile_background, settings.min_visible, share)


def keep_samples(dataset, settings: TrainSettings, device: str, before: Compute | None, notes: list[str]) -> tuple:
    """`make_samples`, on a GPU where that has room and nothing speaks against it, and ``"gpu"`` or ``"ram"``: which it came to be.

    Args:
        before: of a run that is resumed, which stays where it was.
    """
    wanted = settings.cache != "ram" and not settings.tile if before is None else before.pictures == "gpu"
    wanted = wanted and device.startswith("cuda")
    samples = make_samples(dataset, settings, 0.4 / local_world_size(), device if wanted else "cpu")
    on_gpu = getattr(samples, "device", "cpu") != "cpu"
    if on_gpu:
        notes.append(f"pictures are kept on the GPU ({samples.nbytes / 2**20:.0f} MiB) and augmented there")
    elif wanted:
        more = ", where some will differ by a grey level from what the run saw before" if before else ""
        notes.append(f"the GPU has no room for the pictures ({samples.nbytes / 2**20:.0f} MiB): they stay in the computer's memory{more}")
    return samples, "gpu" if on_gpu else "ram"


def without_crowds(targets: list[dict]) -> list[dict]:
    """Only what a detector should learn: a box around a crowd is no example of one object."""
    return [{name: t[name][t["iscrowd"] == 0] for name in ("boxes", "labels")} for t in targets]


def ready(batches: Iterable, device: str) -> Iterator:
    """Batches as the loss takes them: on the device, without crowds."""
    for images, targets in batches:
        truth = without_crowds(targets)
        yield images.to(device, non_blocking=True), truth if device == "cpu" else on_the_device(truth, device)


def on_the_device(truth: list[dict], device: str) -> list[dict]:
    """Boxes and labels of a batch in one copy: a GPU begins anew for each tensor, and they are small."""
    counts = [len(t["labels"]) for t in truth]
    rows = torch.cat([torch.cat([t["boxes"], t["labels"][:, None]], dim=1) for t in truth])  # (sum of M, 5)
    rows = send(rows, torch.float32, device)
    pairs = zip(rows[:, :4].split(counts), rows[:, 4].long().split(counts), strict=True)
    return [{"boxes": boxes, "labels": labels} for boxes, labels in pairs]
