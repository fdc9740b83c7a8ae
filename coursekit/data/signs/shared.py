"""What the generated worlds have in common: datasets with a length and a seed, knobs by name, samples as torchvision has them."""

from dataclasses import replace

import numpy as np

from coursekit.data.signs.geometry import Dice


class Drawn:
    """What scenes and crops share: a length, and an index that may be negative."""

    length: int

    def __len__(self) -> int:
        return self.length

    def _index(self, index: int) -> int:
        if not -self.length <= index < self.length:
            raise IndexError(f"index must be in {-self.length} .. {self.length - 1}, got {index}")
        return int(index) % self.length


def chosen_knobs(difficulty, knobs: dict, presets: dict):
    """A difficulty by name, or one that is given, with single knobs changed.

    Args:
        difficulty: a name in `presets`, or an object of their type (a frozen dataclass).
        knobs: fields to change.
        presets: difficulties by name, all of one type.

    Raises:
        ValueError: naming what there is.
    """
    kind = type(next(iter(presets.values())))
    if isinstance(difficulty, str) and difficulty in presets:
        difficulty = presets[difficulty]
    elif not isinstance(difficulty, kind):
        raise ValueError(f"difficulty must be one of {', '.join(presets)} or a Difficulty, got {difficulty!r}")
    unknown = sorted(set(knobs) - set(kind.__dataclass_fields__))
    if unknown:
        raise ValueError(f"a knob must be one of {', '.join(kind.__dataclass_fields__)}, got {', '.join(unknown)}")
    return replace(difficulty, **knobs)


def check_numbers(length: int, seed: int, size: int, smallest: int) -> None:
    """Refuse lengths, seeds and sizes that are no whole numbers, or too small or large.

    Raises:
        ValueError: naming the argument.
    """
    for name, value, low in (("length", length, 0), ("seed", seed, 0), ("size", size, smallest)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
            raise ValueError(f"{name} must be a whole number of at least {low}, got {value!r}")
    if size > 1024:
        raise ValueError(f"size must be at most 1024, got {size}")


def even_label(key: tuple[int, ...], index: int, count: int) -> int:
    """A label such that each block of `count` indices holds every label once, in an order of its own.

    Args:
        key: whole numbers that the orders come from.
        index: of the sample.
        count: how many labels there are.
    """
    block, place = divmod(index, count)
    order, dice = list(range(count)), Dice(*key, block, 3)
    for last in range(count - 1, 0, -1):  # Fisher and Yates's shuffle
        other = dice.below(last + 1)
        order[last], order[other] = order[other], order[last]
    return order[place]


def sample_of(scene, image_id: int):
    """A scene as (image, target) in torchvision's form; `scene` has image, boxes, labels and seen in NumPy."""
    import torch

    target = {
        "boxes": torch.from_numpy(scene.boxes.astype(np.float32)),
        "labels": torch.from_numpy(scene.labels),
        "image_id": image_id,
        "area": torch.from_numpy(scene.seen.astype(np.float32)),
        "iscrowd": torch.zeros(len(scene.labels), dtype=torch.int64),
    }
    return torch.from_numpy(scene.image.transpose(2, 0, 1).copy()), target
