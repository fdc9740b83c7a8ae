"""Exercise of notebook 11_augmentation: a crop with boxes."""

import torch

from coursekit.data.geometric import crop
from coursekit.data.targets import clip
from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.exercises.n11_augmentation import boxes_of, numbered, random_boxes, random_image

# --- crop


def crop_with_boxes(image, boxes, labels, window, min_visible):
    """Cut out window (x1, y1, x2, y2); boxes follow, and go with their labels where less than min_visible of them is left."""
    image, target = crop(image, {"boxes": boxes, "labels": labels}, window, min_visible)
    return image, target["boxes"], target["labels"]


def crop_cases(generator):
    """(label, arguments) for crop_with_boxes: boxes inside, cut, cut by exactly the share that is allowed, and outside."""
    image, labels = numbered(8, 12), torch.tensor([3, 5])
    window = (2, 1, 10, 7)
    yield "all inside", (image, boxes_of([3, 2, 6, 4], [4, 4, 8, 6]), labels, window, 0.5)
    yield "one sticks out by a quarter", (image, boxes_of([0, 2, 8, 4], [4, 4, 8, 6]), labels, window, 0.5)
    yield "one has exactly half left", (image, boxes_of([0, 2, 4, 4], [4, 4, 8, 6]), labels, window, 0.5)
    yield "one has a quarter left", (image, boxes_of([9, 2, 13 - 1, 4], [4, 4, 8, 6]), labels, window, 0.5)
    yield "the first is outside", (image, boxes_of([10, 0, 12, 8], [4, 4, 8, 6]), labels, window, 0.0)
    yield "one only touches the window", (image, boxes_of([4, 4, 8, 6], [0, 1, 2, 7]), labels, window, 0.0)
    yield "its centre is inside, most of it is not", (image, boxes_of([0, 0, 12, 8], [1, 0, 11, 8]), labels, (4, 3, 7, 6), 0.3)
    yield "its centre is outside, most of it is inside", (numbered(4, 20), boxes_of([0, 0, 16, 4]), torch.tensor([7]), (9, 0, 20, 4), 0.4)
    yield "a box without area", (image, boxes_of([5, 3, 5, 6], [4, 4, 8, 6]), labels, window, 0.0)
    yield "a single pixel is left", (image, boxes_of([1, 0, 3, 2], [4, 4, 8, 6]), labels, window, 0.2)
    yield "one sticks out below", (image, boxes_of([3, 4, 6, 8], [4, 4, 8, 6]), labels, window, 0.5)
    yield "the whole image", (image, boxes_of([0, 0, 12, 8]), torch.tensor([1]), (0, 0, 12, 8), 1.0)
    yield "no boxes", (image, boxes_of(), torch.zeros(0, dtype=torch.int64), window, 0.5)
    for share in (0.0, 0.3, 0.7):
        boxes = random_boxes(generator, 6, 20, 30)
        labels = torch.randint(0, 9, (6,), generator=generator)
        yield "random", (random_image(generator, 20, 30), boxes, labels, (8, 4, 24, 17), share)


def _cut(image, boxes, window):
    x1, y1, x2, y2 = window
    shifted = boxes - boxes.new_tensor([x1, y1, x1, y1])
    inside = shifted.clamp(min=0).minimum(boxes.new_tensor([x2 - x1, y2 - y1, x2 - x1, y2 - y1]))
    return image[:, y1:y2, x1:x2], shifted, inside


def _area(boxes):
    return (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1)


def _stays(before, inside, min_visible):
    return (_area(inside) >= min_visible * _area(before)) & (_area(inside) > 0)


def crop_not_shifted(image, boxes, labels, window, min_visible):
    x1, y1, x2, y2 = window
    stays = _stays(boxes, _cut(image, boxes, window)[2], min_visible)
    low, high = boxes.new_tensor([x1, y1, x1, y1]), boxes.new_tensor([x2, y2, x2, y2])
    return image[:, y1:y2, x1:x2], boxes.maximum(low).minimum(high)[stays], labels[stays]


def crop_not_clipped(image, boxes, labels, window, min_visible):
    image, shifted, inside = _cut(image, boxes, window)
    stays = _stays(boxes, inside, min_visible)
    return image, shifted[stays], labels[stays]


def crop_labels_forgotten(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    return image, inside[_stays(boxes, inside, min_visible)], labels


def crop_nothing_dropped(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    return image, inside, labels


def crop_keeps_slivers(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    return image, inside[_area(inside) > 0], labels[_area(inside) > 0]


def crop_by_centre(image, boxes, labels, window, min_visible):
    x1, y1, x2, y2 = window
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    stays = ((centre >= centre.new_tensor([x1, y1])) & (centre < centre.new_tensor([x2, y2]))).all(dim=1)
    image, _, inside = _cut(image, boxes, window)
    return image, inside[stays], labels[stays]


def crop_strictly_more(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    stays = _area(inside) > min_visible * _area(boxes)
    return image, inside[stays], labels[stays]


def crop_keeps_empty(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    stays = _area(inside) >= min_visible * _area(boxes)
    return image, inside[stays], labels[stays]


def crop_clipped_to_the_old_image(image, boxes, labels, window, min_visible):
    height, width = image.shape[1:]
    piece, shifted, _ = _cut(image, boxes, window)
    inside = shifted.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))
    stays = _stays(boxes, inside, min_visible)
    return piece, inside[stays], labels[stays]


def crop_width_for_height(image, boxes, labels, window, min_visible):
    x1, y1, x2, y2 = window
    piece, shifted, _ = _cut(image, boxes, window)
    inside = shifted.clamp(min=0).minimum(boxes.new_tensor([y2 - y1, x2 - x1, y2 - y1, x2 - x1]))
    stays = _stays(boxes, inside, min_visible)
    return piece, inside[stays], labels[stays]


def crop_one_limit(image, boxes, labels, window, min_visible):
    piece, shifted, _ = _cut(image, boxes, window)
    inside = shifted.clamp(min=0, max=window[2] - window[0])
    stays = _stays(boxes, inside, min_visible)
    return piece, inside[stays], labels[stays]


def crop_divided(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    stays = _area(inside) / _area(boxes) >= min_visible
    return image, inside[stays], labels[stays]


def crop_x_and_y_swapped(image, boxes, labels, window, min_visible):
    x1, y1, x2, y2 = window
    _, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    return image[:, x1:x2, y1:y2], boxes, labels


def crop_share_of_the_window(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    whole = (window[2] - window[0]) * (window[3] - window[1])
    stays = (_area(inside) >= min_visible * whole) & (_area(inside) > 0)
    return image, inside[stays], labels[stays]


crop_exercise = Exercise(
    name="11.crop_with_boxes",
    reference=crop_with_boxes,
    cases=crop_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "not-shifted",
            wrong=crop_not_shifted,
            hint="The boxes are still written in the old image's pixels. "
            "The window's corner is the new (0, 0): what must be taken off x and y?",
        ),
        Misconception(
            "not-clipped", wrong=crop_not_clipped, hint="A box sticks out of the new image. Cut it at 0 and at the new width and height."
        ),
        Misconception(
            "clipped-to-the-old-image",
            wrong=crop_clipped_to_the_old_image,
            hint="A box sticks out at the right or below: you cut it at the old image's size. How large is the new one?",
        ),
        Misconception(
            "height-for-width",
            wrong=crop_width_for_height,
            hint="You cut x at the window's height and y at its width. In a box (x1, y1, x2, y2) the x come first and third.",
        ),
        Misconception(
            "labels-forgotten",
            wrong=crop_labels_forgotten,
            hint="A box was dropped and its label was not: every label after it belongs to another box now. One mask picks from both.",
        ),
        Misconception(
            "nothing-dropped", wrong=crop_nothing_dropped, hint="Boxes that lie outside the window came back, as boxes without area."
        ),
        Misconception(
            "slivers-kept",
            wrong=crop_keeps_slivers,
            hint="You kept a box of which less than min_visible is left. How large is what is left, as a share of the whole box?",
        ),
        Misconception(
            "by-its-centre",
            wrong=crop_by_centre,
            hint="You asked where the box's centre is. The rule asks how much of its area is left.",
        ),
        Misconception("strictly-more", wrong=crop_strictly_more, hint="Exactly min_visible is enough: `>=`."),
        Misconception(
            "empty-kept",
            wrong=crop_keeps_empty,
            hint="With min_visible 0 a box without any area came back: 0 >= 0 holds. "
            "What has no area teaches nothing: ask for more than 0, too.",
        ),
        Misconception(
            "outside-kept",
            wrong=crop_divided,
            hint="With min_visible 0 a box that lies outside came back: a share of 0 is at least 0. More than none must be left.",
        ),
        Misconception(
            "one-limit-for-both",
            wrong=crop_one_limit,
            hint="You cut x and y at the same number, the window's width. y ends at its height.",
        ),
        Misconception(
            "x-and-y-swapped",
            wrong=crop_x_and_y_swapped,
            hint="The boxes are right and the pixels are not. In (C, H, W) the rows come first: which pair of the window slices them?",
        ),
        Misconception(
            "share-of-the-window",
            wrong=crop_share_of_the_window,
            hint="You compared with the window's area. The share is of the box: what is left of it, over what there was.",
        ),
    ],
    hints=[
        "Three steps: cut the pixels; move and clip the boxes; decide which ones stay.",
        "Moved boxes: minus (x1, y1, x1, y1). Clip: at least 0, at most (width, height, width, height) of the window.",
        "left = area after clipping, before = area of the old box: stays = (left >= min_visible * before) & (left > 0).",
    ],
    points=4,
    twins=[crop, clip, "torchvision.transforms.v2.functional.crop", "torchvision.transforms.v2.functional.crop_bounding_boxes"],
    equivalent={
        "inside = moved.clamp(min=0).minimum(boxes.new_tensor([x2 + x1, y2 - y1, x2 - x1, y2 - y1]))": "a left edge beyond the "
        "window leaves a width below 0 or of "
        "0: dropped either way",
        "inside = moved.clamp(min=0).minimum(boxes.new_tensor([x2 - x1, y2 + y1, x2 - x1, y2 - y1]))": "likewise for an upper "
        "edge below the window",
    },
)
