"""Exercise of notebook 11_augmentation on four images: the mosaic."""

import torch

from coursekit.data.geometric import paste
from coursekit.data.mosaic import mosaic_at, quarters
from coursekit.data.targets import clip
from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.exercises.n11_augmentation import boxes_of, numbered, random_boxes, random_image
from coursekit.exercises.n11_augmentation_crop import crop_with_boxes

# --- mosaic


def mosaic(images, boxes, centre, size_hw):
    """Four images, one in each quarter about centre (x, y), its corner against it, grey where there is none; boxes follow and are cut."""
    samples = [(image, {"boxes": b}) for image, b in zip(images, boxes, strict=True)]
    canvas, target = mosaic_at(samples, centre, [1.0] * 4, size_hw, min_visible=0.0)
    return canvas, target["boxes"]


def mosaic_cases(generator):
    """(label, arguments) for mosaic: quarters of four sizes, images larger and smaller than theirs, boxes that are cut and lost."""
    four = [
        torch.full((3, 10, 12), value, dtype=torch.uint8) + (torch.arange(120) % 40).to(torch.uint8).reshape(10, 12)
        for value in (0, 60, 120, 180)
    ]
    one_each = [boxes_of([2, 1, 5, 4])] * 4
    yield (
        "a box in each",
        (four, [boxes_of([6, 5, 11, 9]), boxes_of([1, 4, 5, 9]), boxes_of([5, 1, 11, 4]), boxes_of([1, 1, 4, 3])], (8, 6), (14, 18)),
    )
    yield "small images: grey remains", ([image[:, :3, :4] for image in four], [boxes_of([1, 0, 3, 2])] * 4, (8, 6), (14, 18))
    yield "some boxes are cut, some are lost", (four, one_each, (4, 8), (12, 12))
    yield "the centre far right and high up", (four, one_each, (15, 3), (14, 18))
    yield "no boxes at all", (four, [boxes_of()] * 4, (8, 6), (14, 18))
    yield "boxes in the third alone", (four, [boxes_of(), boxes_of(), boxes_of([3, 0, 9, 5], [0, 0, 12, 10]), boxes_of()], (7, 5), (12, 16))
    yield (
        "images of four sizes",
        (
            [numbered(5, 9), numbered(9, 5), numbered(12, 7), numbered(7, 12)],
            [boxes_of([1, 1, 8, 4]), boxes_of([0, 2, 5, 9]), boxes_of([2, 3, 7, 6]), boxes_of([0, 0, 12, 7])],
            (6, 8),
            (15, 13),
        ),
    )
    for _ in range(2):
        images = [random_image(generator, 11, 13) for _ in range(4)]
        yield "random", (images, [random_boxes(generator, 2, 11, 13) for _ in range(4)], (9, 7), (16, 20))


def _assemble(images, boxes, centre, size_hw, corner=True, shift=True, clip=True, order=(0, 1, 2, 3), fill=114, drop=True):
    """A mosaic with one rule switched off."""
    (cx, cy), (height, width) = centre, size_hw
    canvas = torch.full((3, height, width), fill, dtype=torch.uint8)
    found = []
    for place, which in enumerate(order):
        image, b = images[which], boxes[which]
        x1, x2 = (cx, width) if place % 2 else (0, cx)
        y1, y2 = (cy, height) if place >= 2 else (0, cy)
        h, w = image.shape[1:]
        left = x2 - w if not place % 2 and corner else x1
        top = y2 - h if place < 2 and corner else y1
        a, t = max(left, x1), max(top, y1)
        c, u = min(left + w, x2), min(top + h, y2)
        if c > a and u > t:
            canvas[:, t:u, a:c] = image[:, t - top : u - top, a - left : c - left]
        moved = b + b.new_tensor([left, top, left, top]) if shift else b
        if clip:
            moved = moved.maximum(b.new_tensor([x1, y1, x1, y1])).minimum(b.new_tensor([x2, y2, x2, y2]))
        sides = moved[:, 2:] - moved[:, :2]
        found.append(moved[(sides > 0).all(dim=1)] if drop else moved)
    return canvas, torch.cat(found)


def mosaic_boxes_not_shifted(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre, size_hw)[0], torch.cat(list(boxes))


def mosaic_corner_at_the_edge(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre, size_hw, corner=False)


def mosaic_not_clipped(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre, size_hw, clip=False)


def mosaic_moved_by_the_quarter(images, boxes, centre, size_hw):
    (cx, cy), (height, width) = centre, size_hw
    found = []
    for place, b in enumerate(boxes):
        x1, x2 = (cx, width) if place % 2 else (0, cx)
        y1, y2 = (cy, height) if place >= 2 else (0, cy)
        moved = (b + b.new_tensor([x1, y1, x1, y1])).minimum(b.new_tensor([x2, y2, x2, y2]))
        found.append(moved[(moved[:, 2:] > moved[:, :2]).all(dim=1)])
    return _assemble(images, boxes, centre, size_hw)[0], torch.cat(found)


def mosaic_wrong_piece(images, boxes, centre, size_hw):
    (cx, cy), (height, width) = centre, size_hw
    canvas = torch.full((3, height, width), 114, dtype=torch.uint8)
    for place, image in enumerate(images):
        x1, x2 = (cx, width) if place % 2 else (0, cx)
        y1, y2 = (cy, height) if place >= 2 else (0, cy)
        piece = image[:, : y2 - y1, : x2 - x1]
        h, w = piece.shape[1:]
        top, left = (y1 if place >= 2 else y2 - h), (x1 if place % 2 else x2 - w)
        canvas[:, top : top + h, left : left + w] = piece
    return canvas, _assemble(images, boxes, centre, size_hw)[1]


def mosaic_whole_into_the_quarter(images, boxes, centre, size_hw):
    (cx, cy), (height, width) = centre, size_hw
    canvas = torch.full((3, height, width), 114, dtype=torch.uint8)
    canvas[:, :cy, :cx], canvas[:, :cy, cx:] = images[0], images[1]
    canvas[:, cy:, :cx], canvas[:, cy:, cx:] = images[2], images[3]
    return canvas, _assemble(images, boxes, centre, size_hw)[1]


def mosaic_begins_below_zero(images, boxes, centre, size_hw):
    (cx, cy), (height, width) = centre, size_hw
    canvas = torch.full((3, height, width), 114, dtype=torch.uint8)
    for place, image in enumerate(images):
        h, w = image.shape[1:]
        top, left = (cy if place >= 2 else cy - h), (cx if place % 2 else cx - w)
        canvas[:, top : top + h, left : left + w] = image
    return canvas, _assemble(images, boxes, centre, size_hw)[1]


def mosaic_lost_kept(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre, size_hw, drop=False)


def mosaic_transposed(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre, size_hw, order=(0, 2, 1, 3))


def mosaic_black(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre, size_hw, fill=0)


def mosaic_centre_swapped(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre[::-1], size_hw)


def mosaic_picture(arguments, expected, got):
    """The mosaic with the right boxes and with those that came."""
    from coursekit.plots.augmentation import show_answer_boxes

    return show_answer_boxes(expected, got)


mosaic_exercise = Exercise(
    name="11.mosaic",
    reference=mosaic,
    cases=mosaic_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "boxes-not-moved",
            wrong=mosaic_boxes_not_shifted,
            hint="The pixels are right, the boxes are still written in their own images' pixels. By how much was each image moved?",
        ),
        Misconception(
            "corner-at-the-edge",
            wrong=mosaic_corner_at_the_edge,
            hint="You laid each image into the upper left corner of its quarter. "
            "The image's corner must meet the centre: the one at the top left "
            "ends there, so it begins at cx - w, which may be negative.",
        ),
        Misconception(
            "not-clipped",
            wrong=mosaic_not_clipped,
            hint="A box sticks out of the canvas. Of an image that is larger than its quarter only a part is seen: cut its boxes likewise.",
        ),
        Misconception(
            "whole-image-into-the-quarter",
            wrong=mosaic_whole_into_the_quarter,
            hint="Was it the line that pastes? "
            "An image and its quarter differ in size, so one does not fit into the other. How much of the image is seen, "
            "and which part?",
        ),
        Misconception(
            "begins-below-zero",
            wrong=mosaic_begins_below_zero,
            hint="Was it the line that pastes? "
            "An image that is larger than its quarter begins at a place below 0, and a slice from there counts from the other end. "
            "Where does it begin to *show*, and at which of its own pixels is that?",
        ),
        Misconception(
            "moved-by-the-quarter",
            wrong=mosaic_moved_by_the_quarter,
            hint="The pixels are right. The boxes were moved to the quarter's corner, but the image does not begin there: its place (0, 0) "
            "lies at (left, top).",
        ),
        Misconception(
            "the-wrong-piece",
            wrong=mosaic_wrong_piece,
            hint="Each quarter shows the upper left piece of its image. What is cut away from an image that ends at the centre: its end "
            "or its beginning?",
        ),
        Misconception(
            "lost-ones-kept",
            wrong=mosaic_lost_kept,
            hint="A box that was cut away altogether came back without area. Keep only those with width and height above 0.",
        ),
        Misconception(
            "quarters-exchanged",
            wrong=mosaic_transposed,
            hint="The order is top left, top right, bottom left, bottom right; yours goes down before it goes right.",
        ),
        Misconception("black-not-grey", wrong=mosaic_black, hint="What no image covers is grey, 114: a black area would be a strong edge."),
        Misconception("centre-read-as-row-column", wrong=mosaic_centre_swapped, hint="centre is (x, y): x is a column."),
    ],
    hints=[
        "For each quarter find (x1, y1, x2, y2), then where its image begins: "
        "left = x2 - w on the left side, x1 on the right; the same for top.",
        "What is seen of it: columns from max(left, x1) to min(left + w, x2). In the image's own pixels, take `left` off.",
        "Boxes: plus (left, top, left, top), clipped to the quarter, kept where both sides are above 0.",
    ],
    points=4,
    twins=[mosaic_at, quarters, paste, clip],
    allowed=[crop_with_boxes],  # an exercise before it
)
