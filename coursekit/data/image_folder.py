"""A folder for each class, pictures inside: the simplest way to keep labels. Taught in notebook 04_data.

    signs/stop/00003_00012.png
    signs/yield/00001_00000.png

>>> dataset = ImageFolder("signs")
>>> dataset.classes, dataset[0]
(('stop', 'yield'), (tensor of (3, H, W) uint8, 0))
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from .images import PICTURE_SUFFIXES, load_image


def is_picture(path: Path) -> bool:
    """Whether a file counts as a picture by its name: a known suffix in any letter case, and not hidden (``._1.png`` is macOS's)."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and path.is_file()


class LabelledFiles(Dataset):
    """Pictures in files, with a class each. They are read when they are asked for.

    Args:
        samples: (path, label) of each.
        transform: given the uint8 (3, H, W) image, returns what shall stand in its place.
    """

    def __init__(self, samples: list[tuple[Path, int]], transform: Callable[[Tensor], Tensor] | None = None):
        self.samples, self.transform = samples, transform

    @property
    def labels(self) -> Tensor:
        return torch.tensor([label for _, label in self.samples], dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.samples[index]
        image = torch.from_numpy(load_image(path))
        return (image if self.transform is None else self.transform(image)), label


class ImageFolder(LabelledFiles):
    """Pictures that lie in a folder for each class. They are read when they are asked for.

    Args:
        root: the folder that holds the folders. Their names, sorted, are the classes; hidden ones are skipped, and so is all that is no
            picture. A folder without pictures is still a class, so that labels do not shift while a set is being collected.
        transform: given the uint8 (3, H, W) image, returns what shall stand in its place.

    Sample i is ``(image, label)``: uint8 (3, H, W) RGB whatever the file holds, and an int. ``samples`` lists (path, label), sorted by
    class and name; ``labels`` is (N,) int64, known without opening a file.

    Differs from ``torchvision.datasets.ImageFolder`` in this: pictures in folders inside a class's are not found, a class may be empty,
    EXIF rotation is applied, and transparency is laid over white.

    Raises:
        ValueError: if root is no folder or holds no picture in a class's folder; from indexing, naming a damaged picture.
    """

    def __init__(self, root: str | Path, transform: Callable[[Tensor], Tensor] | None = None):
        root = Path(root)
        if not root.is_dir():
            raise ValueError(f"root must be a folder that holds a folder for each class, got {root}")
        by_name = {path.name: path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")}
        self.root = root
        self.classes = tuple(sorted(by_name))  # by name as text: paths sort in another way on Windows
        super().__init__([(path, label) for label, name in enumerate(self.classes) for path in _pictures(by_name[name])], transform)
        if not self.samples:
            there = f"{len(self.classes)} folder{'' if len(self.classes) == 1 else 's'} and no picture"
            raise ValueError(f"root must hold a folder of pictures for each class, found {there} in {root}")


def _pictures(folder: Path) -> list[Path]:
    return sorted((path for path in folder.iterdir() if is_picture(path)), key=lambda path: path.name)


def save_picture(image: Tensor, path: str | Path, **options) -> Path:
    """Write a uint8 (3, H, W) or (1, H, W) image; the suffix says how (``.png`` keeps every pixel, ``.jpg`` does not).

    Args:
        options: for Pillow, such as ``quality=90``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = image.permute(1, 2, 0).contiguous().numpy()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path, **options)
    return path


def write_image_folder(samples: Iterable[tuple[Tensor, int]], classes, root: str | Path, suffix: str = ".png", **options) -> Path:
    """Write samples into a folder for each class, numbered within it: root/stop/00000.png.

    Args:
        samples: of (uint8 (C, H, W), label).
        classes: names, one folder each, made even where nothing is put into it.
        suffix: ``".png"`` or ``".jpg"``.
        options: see `save_picture`.
    """
    root, numbers = Path(root), [0] * len(classes)
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
    for image, label in samples:
        save_picture(image, root / classes[label] / f"{numbers[label]:05d}{suffix}", **options)
        numbers[label] += 1
    return root


def write_colleagues_folder(root: str | Path, seed: int = 4) -> Path:
    """A folder of signs as people hand them over, for notebook 04: sizes differ, classes are uneven, and there are things to find.

    In it: pictures of 24 to 80 pixels; six classes of 40 down to 4; one picture under the wrong class (``stop/00017.png`` is no stop
    sign), one stored twice, one all but black; a grey one, one with ``.PNG``; and files that are no pictures.

    Args:
        root: made if need be.
        seed: of the signs and of their sizes.
    """
    from .signs import SignCrops

    counts = {"stop": 40, "yield": 30, "no_entry": 20, "speed_30": 12, "bend": 8, "parking": 4}
    root, generator = Path(root), torch.Generator().manual_seed(seed)
    for number, (name, count) in enumerate(counts.items()):
        sizes = torch.randint(24, 81, (count,), generator=generator).tolist()
        for index, size in enumerate(sizes):
            drawn = "no_entry" if (name, index) == ("stop", 17) else name  # red and round enough to be missed by a tired eye
            image = SignCrops(index + 1, seed=seed + number, size=size, classes=[drawn])[index][0]
            save_picture(image // 12 if (name, index) == ("yield", 5) else image, root / name / f"{index:05d}.png")
    bend, first = root / "bend", root / "no_entry" / "00003.png"
    (root / "no_entry" / "00020.png").write_bytes(first.read_bytes())  # the same picture twice
    Image.open(bend / "00001.png").convert("L").save(bend / "00001.png")
    (bend / "00002.png").rename(bend / "00002.PNG")
    for name in ("stop/.DS_Store", "yield/._00000.png", "parking/Thumbs.db", "README.txt"):
        (root / name).write_text("not a picture")
    (root / ".ipynb_checkpoints").mkdir(exist_ok=True)
    return root
