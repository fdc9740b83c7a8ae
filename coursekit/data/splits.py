"""Who trains and who judges: splits that keep classes or groups together, weights for rare classes, statistics of the training set alone.
Taught in notebook 04_data.

>>> train, val = stratified_split(torch.tensor([0, 0, 0, 0, 1, 1]), 0.5, torch.arange(6))
>>> train, val
(tensor([2, 3, 5]), tensor([0, 1, 4]))
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..images import normalise
from .labelled import Labelled, resized


def _check_whole(values: Tensor, name: str) -> None:
    if not isinstance(values, Tensor) or values.ndim != 1 or values.is_floating_point() or values.dtype == torch.bool:
        got = f"{values.dtype} {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"{name} must be a tensor of whole numbers of shape (N,), got {got}")


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}")


def _count(share: float, there: int) -> int:
    """How many of ``there`` a share is: at least one is held out, and at least one stays; of one alone none is held out."""
    return max(min(max(1, round(share * there)), there - 1), 0)


def _both_sides(held_out: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) true/false -> the places that are false and the places that are true, each in order."""
    return (~held_out).nonzero().flatten(), held_out.nonzero().flatten()


def stratified_split(labels: Tensor, share: float, order: Tensor) -> tuple[Tensor, Tensor]:
    """Hold out a share of every class, so that both sides show the classes in the same proportions.

    Args:
        labels: (N,) int64.
        share: of each class that is held out, between 0 and 1.
        order: (N,) int64, the places 0 to N - 1 in random order, such as ``torch.randperm(N, generator=g)``. Of each class the first
            ``round(share * count)`` in this order are held out, but at least one, and at least one stays. (sklearn refuses a class of one.)

    Returns:
        (training places, held-out places), int64, each from small to large. Every place is in exactly one of them.

    Raises:
        ValueError: naming the argument and what was expected.
    """
    _check_whole(labels, "labels")
    _check_share(share)
    if not isinstance(order, Tensor) or not torch.equal(order.sort().values, torch.arange(len(labels))):
        raise ValueError(f"order must hold each of the places 0 to {len(labels) - 1} once, as torch.randperm({len(labels)}) does")
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        places = order[labels[order] == label]  # of this class, in the random order
        held_out[places[: _count(share, len(places))]] = True
    return _both_sides(held_out)


def group_split(groups: Tensor, share: float, order: Tensor) -> tuple[Tensor, Tensor]:
    """Hold out a share of the groups, each with all that belongs to it: frames of one sign, slices of one patient, photographs of one day.

    Args:
        groups: (N,) int64, which group each sample belongs to.
        share: of the *groups* that is held out, between 0 and 1; rounded, but at least one is and at least one stays.
            (sklearn's GroupShuffleSplit rounds up.)
        order: (G,) int64, the different groups in random order; the first of them are held out.

    Returns:
        (training places, held-out places), int64, each from small to large. No group is on both sides.

    Raises:
        ValueError: naming the argument and what was expected.
    """
    _check_whole(groups, "groups")
    _check_share(share)
    if not isinstance(order, Tensor) or not torch.equal(order.sort().values, groups.unique()):
        raise ValueError("order must hold each of the different groups once, such as groups.unique() shuffled")
    return _both_sides(torch.isin(groups, order[: _count(share, len(order))]))


def class_weights(labels: Tensor, num_classes: int) -> Tensor:
    """How much a sample of each class should count, so that all classes together count alike: n / (k * count).

    Args:
        labels: (n,) int64, 0-based.
        num_classes: how many weights are wanted.

    Returns:
        (num_classes,) float32; k is the number of classes that occur, and a class that does not gets 0. The mean weight of a sample,
        ``class_weights(labels, K)[labels].mean()``, is 1, so that the size of a weighted loss stays comparable.

    Raises:
        ValueError: naming the argument; also where ``labels`` is empty.

    Source: King and Zeng 2001, as in sklearn's ``class_weight="balanced"`` (which refuses a class that does not occur).
    """
    _check_whole(labels, "labels")
    if len(labels) == 0:
        raise ValueError("labels must hold at least one label, got none")
    if int(labels.min()) < 0 or int(labels.max()) >= num_classes:
        raise ValueError(f"labels must lie in 0..{num_classes - 1}, got {int(labels.min())}..{int(labels.max())}")
    count = torch.bincount(labels, minlength=num_classes)  # (K,)
    occurs = count > 0
    weights = len(labels) / (occurs.sum() * count.clamp(min=1))
    return torch.where(occurs, weights, 0.0)


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, over all pixels of all images. Fit it on the training set, and on nothing else.

    Args:
        images: (N, C, H, W) uint8, at least one pixel.

    Returns:
        (C,) and (C,) float32, in 0..1. A channel that never changes has a spread of 1, so that nothing is divided by 0.

    Raises:
        ValueError: for another shape or dtype, or no pixel at all.
    """
    if images.ndim != 4 or images.dtype != torch.uint8 or images.numel() == 0:
        raise ValueError(f"images must be uint8 (N, C, H, W) with at least one pixel, got {images.dtype} {tuple(images.shape)}")
    scaled = images.to(torch.float64) / 255  # float32 loses digits over millions of pixels
    std, mean = torch.std_mean(scaled, dim=(0, 2, 3), correction=0)
    return mean.to(torch.float32), torch.where(std > 0, std, 1.0).to(torch.float32)


def standardise(train: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets with the mean and spread of the training set, so that the other one stays what it is for: unseen.

    Args:
        train: (N, C, H, W) uint8, which is fitted on.
        other: (M, C, H, W) uint8, of the same C.

    Returns:
        float32, of the same shapes; each channel of the first has mean 0 and spread 1.

    Raises:
        ValueError: as `channel_statistics` and `images.normalise` do.
    """
    mean, std = channel_statistics(train)
    return normalise(train, mean, std), normalise(other, mean, std)


def nearest(known: Tensor, asked: Tensor) -> Tensor:
    """For each image asked for, which of the known ones it is most like: the smallest distance over all pixels.

    Args:
        known: (N, C, H, W), N at least 1.
        asked: (M, C, H, W), the same C, H and W.

    Returns:
        (M,) int64 places among the known ones. ``labels[nearest(known, asked)]`` is the nearest-neighbour classifier.

    Raises:
        ValueError: if the shapes do not fit, or nothing is known.
    """
    if known.ndim != 4 or len(known) == 0 or known.shape[1:] != asked.shape[1:]:
        raise ValueError(
            f"known must be (N, C, H, W) with N at least 1, and asked (M, C, H, W), got {tuple(known.shape)}, {tuple(asked.shape)}"
        )
    return torch.cdist(asked.flatten(1).float(), known.flatten(1).float()).argmin(dim=1)


def frames_of(image: Tensor, count: int, size: int, generator: torch.Generator) -> Tensor:
    """The same sign again and again, as a car drives by: a little moved, nearer or farther, lighter or darker, with noise.

    Args:
        image: (3, S, S) uint8.
        count: how many frames.
        size: their side, less than S: the window that moves has at least this side.
        generator: of the changes.

    Returns:
        (count, 3, size, size) uint8.

    Raises:
        ValueError: if ``size`` leaves no room to move.
    """
    room = image.shape[-1] - size
    if room < 1 or count < 1:
        raise ValueError(f"size must be less than the image's {image.shape[-1]}, and count at least 1, got {size} and {count}")
    frames = []
    for _ in range(count):
        margin = int(torch.randint(0, room + 1, (), generator=generator))  # a smaller window is a nearer sign
        side = size + margin
        x, y = torch.randint(0, room - margin + 1, (2,), generator=generator).tolist()
        frame = resized(image[None, :, y : y + side, x : x + side], size)[0].float()
        light = float(torch.randn((), generator=generator)) * 12
        frames.append(frame + light + torch.randn(frame.shape, generator=generator) * 3)
    return torch.stack(frames).round().clamp(0, 255).to(torch.uint8)


def sign_tracks(samples: Sequence, frames: int, size: int, generator: torch.Generator) -> tuple[Labelled, Tensor]:
    """A set as GTSRB is made: of each sign several frames in a row.

    Args:
        samples: map-style, of ((3, S, S) uint8, label), with ``classes``, such as `signs.SignCrops`.
        frames: of each sign.
        size: side of a frame, less than S.

    Returns:
        The ``len(samples) * frames`` images with their labels, and (N,) int64: which sign each of them shows.
    """
    images, labels = [], []
    for index in range(len(samples)):
        image, label = samples[index]
        images.append(frames_of(image, frames, size, generator))
        labels += [label] * frames
    found = Labelled(torch.cat(images), torch.tensor(labels, dtype=torch.int64), tuple(samples.classes))
    return found, torch.arange(len(samples)).repeat_interleave(frames)
