"""The planted bug of notebook 22_segmentation: a map of classes that was resized as if it were a picture."""

import torch
from torch import Tensor
from torch.nn import functional as F

from coursekit.exercises.core import Exact, Exercise, Misconception


def resize_sample(image: Tensor, target: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """uint8 (3, H, W) and int64 (H, W) classes -> the same scene, (3, side, side) and (side, side)."""
    size = (side, side)
    image = F.interpolate(image[None].float(), size=size, mode="bilinear", align_corners=False)[0].round().to(torch.uint8)
    target = F.interpolate(target[None, None].float(), size=size, mode="nearest")[0, 0].long()
    return image, target


def resize_cases(generator):
    """(label, arguments) for resize_sample: only whole-number enlargements, where every kind of nearest agrees."""

    def picture(height, width):
        return torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)

    yield "one class beside another", (picture(2, 2), torch.tensor([[0, 4], [0, 4]]), 4)
    yield "one object in the middle", (picture(3, 3), torch.tensor([[0, 0, 0], [0, 3, 0], [0, 0, 0]]), 6)
    yield "void beside a sign", (picture(2, 2), torch.tensor([[1, 255], [1, 1]]), 8)
    yield "nothing to do", (picture(4, 4), torch.arange(16).reshape(4, 4) % 5, 4)
    yield "a black and a white pixel", (torch.tensor([[[0, 255]]] * 3, dtype=torch.uint8), torch.tensor([[2, 1]]), 4)
    yield "wide made square", (picture(2, 4), torch.tensor([[0, 1, 2, 4], [4, 4, 0, 0]]), 8)
    for times in (2, 3):
        yield "random", (picture(3, 3), torch.randint(0, 5, (3, 3), generator=generator), 3 * times)


def _resized(image, target, side, image_mode="bilinear", target_mode="nearest", finish=torch.round, cast=torch.int64):
    options = {"align_corners": False}
    size = (side, side)
    image = F.interpolate(image[None].float(), size=size, mode=image_mode, **(options if image_mode == "bilinear" else {}))[0]
    target = F.interpolate(target[None, None].float(), size=size, mode=target_mode, **(options if target_mode == "bilinear" else {}))
    return image.round().to(torch.uint8), finish(target[0, 0]).to(cast)


def resize_both_bilinear(image, target, side):
    return _resized(image, target, side, target_mode="bilinear")


def resize_bilinear_cut_off(image, target, side):
    return _resized(image, target, side, target_mode="bilinear", finish=torch.floor)


def resize_bilinear_capped(image, target, side):
    return _resized(image, target, side, target_mode="bilinear", finish=lambda t: t.round().clamp(max=4))


def resize_both_nearest(image, target, side):
    return _resized(image, target, side, image_mode="nearest")


def resize_leaves_floats(image, target, side):
    return _resized(image, target, side, cast=torch.float32)


def resize_only_the_picture(image, target, side):
    return _resized(image, target, side)[0], target


def resize_modes_swapped(image, target, side):
    return _resized(image, target, side, image_mode="nearest", target_mode="bilinear")


resize_sample_exercise = Exercise(
    name="22.resize_sample",
    reference=resize_sample,
    cases=resize_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "classes-averaged",
            resize_both_bilinear,
            "That is the planted bug. Half way between classes 0 and 4 stands class 2, which is not there. May class numbers be averaged?",
        ),
        Misconception(
            "averaged-and-cut-off",
            resize_bilinear_cut_off,
            "Other rounding, same bug: the classes are still averaged first. Each new pixel must *copy* one old one.",
        ),
        Misconception(
            "averaged-and-capped",
            resize_bilinear_capped,
            "You cut off classes that are too high, but between 0 and 4 there are still 1, 2 and 3 that nobody drew.",
        ),
        Misconception(
            "picture-nearest-too",
            resize_both_nearest,
            "The map is right now, and the picture has become blocks. Colours may be averaged, only class numbers may not.",
        ),
        Misconception(
            "floats-left",
            resize_leaves_floats,
            "Class numbers went into `interpolate` as floats and stayed so: `.long()` at the end.",
        ),
        Misconception(
            "map-forgotten", resize_only_the_picture, "The picture has a new size, the map its old one. Both, or the loss raises."
        ),
        Misconception(
            "modes-swapped",
            resize_modes_swapped,
            "You mended the wrong line: the picture is in blocks, and the classes are still averaged.",
        ),
    ],
    hints=[
        "Print `target.unique()` before and after. Which numbers are new, and where did they come from?",
        "A new pixel may only have a class that an old one had. Which `mode` of `F.interpolate` copies instead of averaging?",
    ],
    points=2,
)
