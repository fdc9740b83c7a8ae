"""Exercise of notebook 11_augmentation: the planted bug, in the seam between crop and mirror."""

import torch

from coursekit.data.geometric import crop, horizontal_flip, mirror_boxes
from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.exercises.n11_augmentation import boxes_of, hflip, numbered, random_boxes, random_image
from coursekit.exercises.n11_augmentation_crop import crop_with_boxes

# --- the planted bug: crop, then mirror


def crop_and_flip(image, boxes, labels, window, min_visible):
    """Cut out the window, then mirror what is left; boxes and labels follow."""
    image, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    image, boxes = hflip(image, boxes)
    return image, boxes, labels


def crop_and_flip_cases(generator):
    """(label, arguments): windows that are narrower than the image, and one that is not."""
    yield "the left half", (numbered(6, 12), boxes_of([1, 1, 4, 4]), torch.tensor([2]), (0, 0, 6, 6), 0.5)
    yield "the right half", (numbered(6, 12), boxes_of([7, 1, 12, 4]), torch.tensor([2]), (6, 0, 12, 6), 0.5)
    yield "the whole width", (numbered(6, 12), boxes_of([1, 1, 4, 4]), torch.tensor([2]), (0, 0, 12, 6), 0.5)
    yield "one box is lost", (numbered(6, 12), boxes_of([1, 1, 4, 4], [9, 2, 12, 5]), torch.tensor([2, 4]), (4, 1, 12, 6), 0.5)
    yield "no boxes", (numbered(6, 12), boxes_of(), torch.zeros(0, dtype=torch.int64), (2, 1, 9, 5), 0.5)
    for _ in range(3):
        boxes, labels = random_boxes(generator, 4, 16, 24), torch.randint(0, 9, (4,), generator=generator)
        yield "random", (random_image(generator, 16, 24), boxes, labels, (5, 3, 20, 14), 0.3)


def flips_about_the_old_width(image, boxes, labels, window, min_visible):
    width = image.shape[2]
    image, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    return image.flip(2), torch.stack([width - x2, y1, width - x1, y2], dim=1), labels


def flips_before_it_crops(image, boxes, labels, window, min_visible):
    image, boxes = hflip(image, boxes)
    return crop_with_boxes(image, boxes, labels, window, min_visible)


def flips_about_the_windows_edge(image, boxes, labels, window, min_visible):
    image, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    return image.flip(2), torch.stack([window[2] - x2, y1, window[2] - x1, y2], dim=1), labels


def flips_the_boxes_no_more(image, boxes, labels, window, min_visible):
    image, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    return image.flip(2), boxes, labels


crop_and_flip_exercise = Exercise(
    name="11.crop_and_flip",
    reference=crop_and_flip,
    cases=crop_and_flip_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "the-old-width",
            wrong=flips_about_the_old_width,
            hint="That is the planted bug. Which image's width does `width` hold at the moment when the boxes are mirrored?",
        ),
        Misconception(
            "mirrored-first",
            wrong=flips_before_it_crops,
            hint="Now boxes and pixels agree, but another part of the image was cut out: mirrored first, the window shows the other side. "
            "Keep the order, and mind the width.",
        ),
        Misconception(
            "the-windows-edge",
            wrong=flips_about_the_windows_edge,
            hint="The window's right edge is a place in the old image. How *wide* is what was cut out?",
        ),
        Misconception("boxes-not-mirrored", wrong=flips_the_boxes_no_more, hint="The pixels are mirrored and the boxes are not."),
    ],
    hints=[
        "Print `width` and `image.shape[2]` just before the boxes are mirrored.",
        "Ask for the width after the crop.",
    ],
    points=2,
    twins=[crop, horizontal_flip, mirror_boxes],
    allowed=[crop_with_boxes, hflip],  # the exercises before it, which are lent until a learner's own pass
)
