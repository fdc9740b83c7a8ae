"""Small sets of labelled images as two tensors, by name. Taught in notebook 04_data; used by notebooks 05 to 12.

>>> train = labelled_images("digits", "train")
>>> train.images.shape, train.labels.shape
(torch.Size([1257, 1, 8, 8]), torch.Size([1257]))
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

SPLITS = ("train", "val", "test")
SIGN_SEEDS = {"train": 101, "val": 102, "test": 103}
ONE_SIZE = ("fashion-mnist", "cifar-10")  # the pictures of the others are of many sizes
TRACK = 30  # GTSRB has 30 pictures of each sign, one after another; they must not come apart


@dataclass(frozen=True)
class Labelled:
    """Images of one size with one label each.

    Args:
        images: (N, C, H, W) uint8.
        labels: (N,) int64, 0-based.
        classes: their names; ``classes[labels[i]]`` is what image i shows.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __post_init__(self):
        if self.images.ndim != 4 or self.images.dtype != torch.uint8:
            raise ValueError(f"images must be uint8 (N, C, H, W), got {self.images.dtype} {tuple(self.images.shape)}")
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != torch.int64:
            raise ValueError(f"labels must be int64 ({len(self.images)},), got {self.labels.dtype} {tuple(self.labels.shape)}")
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise ValueError(f"labels must lie in 0..{len(self.classes) - 1}, got {int(self.labels.min())}..{int(self.labels.max())}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index) -> "Labelled":
        """Some of them: a slice, or a tensor of places or of true/false."""
        if isinstance(index, int):
            index = slice(index, index + 1 or None)
        return Labelled(self.images[index], self.labels[index], self.classes)

    def per_class(self, count: int) -> "Labelled":
        """The first ``count`` images of each class, in their order; all of a class that has fewer."""
        places = [(self.labels == k).nonzero()[:count, 0] for k in range(len(self.classes))]
        return self[torch.cat(places).sort().values]

    def to(self, device) -> "Labelled":
        """The same on another device."""
        return Labelled(self.images.to(device), self.labels.to(device), self.classes)


def labelled_images(
    name: str, split: str = "train", size: int | None = None, folder: str | Path | None = None, length: int | None = None
) -> Labelled:
    """A named data set, whole, in memory.

    Args:
        name: ``"digits"`` (1,797 handwritten ones of 8x8, scikit-learn's), ``"faces"`` (200 patches of 25x25, half of them faces,
            scikit-image's) or ``"signs"`` (`signs.SignCrops`): these are here without a network. Or a classification set of
            `catalog`: ``"fashion-mnist"``, ``"cifar-10"``, ``"gtsrb"``.
        split: ``"train"``, ``"val"`` or ``"test"``. Digits and faces are cut 70 : 15 : 15, stratified, always in the same way. The
            sets of the catalog come with two splits: of each 180 training images the last 30 are ``"val"``, so that the 30 pictures that
            GTSRB has of one sign stay together.
        size: height and width to resize to (bilinear), in pixels; None keeps their own, or 32 where they have none or many.
        folder: where you have a set of the catalog already; None downloads it.
        length: how many signs to draw (2,000 for train and 500 else by default), or the most images to read of the others.

    Raises:
        ValueError: naming the argument and what was expected.
        DownloadError: if a set of the catalog can be neither found nor fetched.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if size is not None and size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    if length is not None and length < 1:
        raise ValueError(f"length must be at least 1, got {length}")
    if name == "signs":
        from .signs import SignCrops

        count = length or (2000 if split == "train" else 500)
        return from_samples(SignCrops(count, seed=SIGN_SEEDS[split], size=size or 32))
    if name in ("digits", "faces"):
        found = _cut(_digits() if name == "digits" else _faces(), split)
    else:
        found = _from_catalog(name, split, size, folder, length)
    found = found[:length] if length else found
    return Labelled(resized(found.images, size), found.labels, found.classes) if size else found


def from_samples(samples: Iterable, classes: tuple[str, ...] | None = None) -> Labelled:
    """A data set of (uint8 (C, H, W), int) as two tensors; all its images must be of one size."""
    images, labels = zip(*(samples[i] for i in range(len(samples))), strict=True)
    return Labelled(torch.stack(images), torch.tensor(labels, dtype=torch.int64), tuple(classes or samples.classes))


def resized(images: Tensor, size: int) -> Tensor:
    """(N, C, H, W) uint8 -> (N, C, size, size) uint8, bilinear, smoothed first where it shrinks."""
    if images.shape[-2:] == (size, size):
        return images
    shrinks = size < max(images.shape[-2:])
    larger = torch.nn.functional.interpolate(images.to(torch.float32), (size, size), mode="bilinear", antialias=shrinks)
    return larger.round().clamp(0, 255).to(torch.uint8)


def _digits() -> Labelled:
    from sklearn.datasets import load_digits

    found = load_digits()
    images = torch.from_numpy(found.images / 16 * 255).round().to(torch.uint8)  # 17 steps of ink, 0 is paper
    return Labelled(images[:, None], torch.from_numpy(found.target).to(torch.int64), tuple("0123456789"))


def _faces() -> Labelled:
    from skimage.data import lfw_subset

    patches = torch.from_numpy(lfw_subset())  # (200, 25, 25) in 0..1: first 100 faces, then 100 other things
    images = (patches * 255).round().to(torch.uint8)
    return Labelled(images[:, None], (torch.arange(200) < 100).to(torch.int64), ("other", "face"))


def _cut(found: Labelled, split: str) -> Labelled:
    """70 : 15 : 15 with every class in each by its share; the same cut at every call and on every machine."""
    from sklearn.model_selection import train_test_split

    train, rest = train_test_split(range(len(found)), test_size=0.3, random_state=0, stratify=found.labels)
    val, test = train_test_split(rest, test_size=0.5, random_state=0, stratify=found.labels[rest])
    return found[torch.tensor({"train": train, "val": val, "test": test}[split])]


def _from_catalog(name: str, split: str, size: int | None, folder, length: int | None) -> Labelled:
    """A classification set of the catalog; torchvision's own class reads it."""
    from torchvision.transforms.v2.functional import pil_to_tensor, resize

    from .catalog import CARDS, load

    known = {card.name: card for card in CARDS if card.reader.startswith("torchvision.")}
    if name not in known:
        raise ValueError(f"name must be one of digits, faces, signs, {', '.join(known)}, got {name!r}")
    dataset = load(name, "test" if split == "test" else known[name].splits[0], folder)
    places = torch.arange(len(dataset))
    if split != "test":
        places = places[(places // TRACK % 6 == 5) == (split == "val")]
    if size is None and name not in ONE_SIZE:
        size = 32
    images, labels = [], []
    for place in places[:length].tolist():
        image, label = dataset[place]
        image = pil_to_tensor(image)
        images.append(resize(image, [size, size], antialias=True) if size else image)
        labels.append(label)
    classes = getattr(dataset, "classes", None) or [str(k) for k in range(known[name].classes)]
    return Labelled(torch.stack(images), torch.tensor(labels, dtype=torch.int64), tuple(classes))
