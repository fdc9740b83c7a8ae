"""Exercises of notebook 11_augmentation: a mirror with boxes. The others stand beside it."""

import torch

from coursekit.data.geometric import horizontal_flip, mirror_boxes, vertical_flip
from coursekit.exercises.core import Exact, Exercise, Misconception


def random_image(generator, height, width, channels=3):
    """uint8 (C, H, W), every pixel drawn."""
    return torch.randint(0, 256, (channels, height, width), generator=generator, dtype=torch.uint8)


def random_boxes(generator, count, height, width):
    """(count, 4) float32 whole-numbered boxes with area, inside the image."""
    corners = [torch.randint(0, side, (count, 2), generator=generator).sort(dim=1).values for side in (width, height)]
    (x1, x2), (y1, y2) = (pair.unbind(dim=1) for pair in corners)
    return torch.stack([x1, y1, x2 + 1, y2 + 1], dim=1).to(torch.float32)


def numbered(height, width):
    """An image in which every pixel has a number of its own: (3, H, W)."""
    return (torch.arange(3 * height * width) % 251).to(torch.uint8).reshape(3, height, width)


def boxes_of(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


# --- hflip


def hflip(image, boxes):
    """uint8 (3, H, W) and (N, 4) xyxy -> both mirrored left to right."""
    image, target = horizontal_flip(image, {"boxes": boxes})
    return image, target["boxes"]


def hflip_cases(generator):
    """(label, arguments) for hflip: images that are not square, boxes that are not in the middle."""
    yield "a box at the left edge", (numbered(4, 10), boxes_of([0, 1, 3, 3]))
    yield "a box in the middle", (numbered(4, 10), boxes_of([4, 0, 6, 4]))
    yield "two boxes, half pixels", (numbered(6, 9), boxes_of([1.5, 2, 4, 5.5], [0, 0, 9, 6]))
    yield "a square image", (numbered(5, 5), boxes_of([0, 0, 2, 1]))
    yield "no boxes", (numbered(3, 7), boxes_of())
    yield "one column", (numbered(3, 1), boxes_of([0, 0, 1, 2]))
    for _ in range(3):
        yield "random", (random_image(generator, 8, 12), random_boxes(generator, 3, 8, 12))


def hflip_boxes_forgotten(image, boxes):
    return image.flip(2), boxes


def hflip_edges_not_swapped(image, boxes):
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    width = image.shape[2]
    return image.flip(2), torch.stack([width - x1, y1, width - x2, y2], dim=1)


def hflip_last_pixel(image, boxes):
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    last = image.shape[2] - 1
    return image.flip(2), torch.stack([last - x2, y1, last - x1, y2], dim=1)


def hflip_by_height(image, boxes):
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    height = image.shape[1]
    return image.flip(2), torch.stack([height - x2, y1, height - x1, y2], dim=1)


def hflip_upside_down(image, boxes):
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    height = image.shape[1]
    return image.flip(1), torch.stack([x1, height - y2, x2, height - y1], dim=1)


def hflip_image_forgotten(image, boxes):
    return image, hflip(image, boxes)[1]


def hflip_rows_turned(image, boxes):
    return image.flip(1), hflip(image, boxes)[1]


def hflip_read_after_writing(image, boxes):
    new, width = boxes.clone(), image.shape[2]
    new[:, 0] = width - new[:, 2]
    new[:, 2] = width - new[:, 0]
    return image.flip(2), new


def hflip_picture(arguments, expected, got):
    """The mirrored image with the right boxes and with those that came."""
    from coursekit.plots.augmentation import show_answer_boxes

    return show_answer_boxes(expected, got)


hflip_exercise = Exercise(
    name="11.hflip",
    reference=hflip,
    cases=hflip_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "boxes-forgotten",
            wrong=hflip_boxes_forgotten,
            hint="The image is mirrored and the boxes are where they were. Where is a sign that stood 2 pixels from the left edge now?",
        ),
        Misconception(
            "edges-not-swapped",
            wrong=hflip_edges_not_swapped,
            hint="x1 came out larger than x2: the box is inside out. Which edge of the old box is the left edge of the new one?",
        ),
        Misconception(
            "minus-one",
            wrong=hflip_last_pixel,
            hint="Every box is one pixel too far left. Pixels are mirrored to W - 1 - x, but edges lie between pixels: a box from 0 to W "
            "must become itself.",
        ),
        Misconception("height-for-width", wrong=hflip_by_height, hint="You took the height for the width: an image is (C, H, W)."),
        Misconception(
            "upside-down",
            wrong=hflip_upside_down,
            hint="That is the vertical flip: axis 1 is the rows. Cars do not drive on the sky; turn axis 2.",
        ),
        Misconception("image-forgotten", wrong=hflip_image_forgotten, hint="The boxes moved, the image did not."),
        Misconception(
            "rows-turned",
            wrong=hflip_rows_turned,
            hint="The boxes are right, and the image stands on its head. In (C, H, W), which axis holds the columns?",
        ),
        Misconception(
            "read-after-writing",
            wrong=hflip_read_after_writing,
            hint="The right edge came out where it was. When you computed it, the left edge that you read was the new one already. "
            "Read both before you write either.",
        ),
    ],
    hints=[
        "`image.flip(2)` turns the columns round. A point at x goes to W - x.",
        "The old right edge x2 becomes the new left edge W - x2; y stays.",
    ],
    points=2,
    twins=[
        horizontal_flip,
        vertical_flip,
        mirror_boxes,
        "torchvision.transforms.v2.functional.horizontal_flip",
        "torchvision.transforms.v2.functional.horizontal_flip_bounding_boxes",
        "torchvision.transforms.functional.hflip",
    ],
    picture=hflip_picture,
)
