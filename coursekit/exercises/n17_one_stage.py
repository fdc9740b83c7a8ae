"""Exercises of notebook 17_one_stage: anchors and deltas. The others are in n17_one_stage_matching.py, _maps.py and _loss.py."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.one_stage import anchors as anchor_blocks
from coursekit.one_stage.deltas import encode_deltas

# --- anchors


def make_anchors_cases(generator):
    """(label, arguments) for make_anchors: images wider than high, sizes that are no stride, more ratios than sizes."""
    yield "one cell, one anchor", ((8, 8), (8,), [[4]], [1.0])
    yield "two cells in a row: x first", ((8, 16), (8,), [[4]], [1.0])
    yield "two rows and three columns", ((16, 24), (8,), [[6]], [1.0])
    yield "a ratio of 4 is tall", ((8, 8), (8,), [[8]], [4.0])
    yield "a ratio of a quarter is wide", ((8, 8), (8,), [[8]], [0.25])
    yield "three sizes and two ratios", ((8, 16), (8,), [[4, 6, 12]], [0.25, 1.0])
    yield "two maps, fine to coarse", ((16, 32), (8, 16), [[10], [20]], [1.0])
    yield "two maps, two sizes, three ratios", ((16, 32), (8, 16), [[8, 12], [16, 24]], [0.5, 1.0, 2.0])
    yield "anchors larger than the image", ((8, 8), (4,), [[32]], [1.0])
    for _ in range(3):
        sizes = (torch.rand(2, 2, generator=generator) * 40 + 4).tolist()
        ratios = (torch.rand(2, generator=generator) * 3 + 0.2).tolist()
        yield "random sizes and ratios", ((32, 48), (8, 16), sizes, ratios)


def _anchors(
    size_hw,
    strides,
    sizes,
    ratios,
    offset=0.5,
    after=0.0,
    swap=False,
    area=True,
    half=0.5,
    columns=False,
    apart=False,
    sizes_first=False,
    power=0.5,
):
    """The right anchors with one thing at a time to get wrong."""
    found = []
    for stride, group in zip(strides, sizes, strict=True):
        y, x = torch.meshgrid(torch.arange(size_hw[0] // stride), torch.arange(size_hw[1] // stride), indexing="ij")
        cells = torch.stack([x, y], dim=2)
        cells = (cells.transpose(0, 1) if columns else cells).reshape(-1, 1, 2)
        centres = (cells + offset) * stride + after
        pairs = [(s, r) for s in group for r in ratios] if sizes_first else [(s, r) for r in ratios for s in group]
        stretch = [(s / r**power, s * r**power) if area else (s, s * r) for s, r in pairs]
        shapes = torch.tensor(stretch, dtype=torch.float32)
        shapes = shapes.flip(1) if swap else shapes
        boxes = torch.cat([centres - shapes * half, centres + shapes * half], dim=2)  # (cells, K, 4)
        found.append((boxes.transpose(0, 1) if apart else boxes).reshape(-1, 4))
    return torch.cat(found)


def anchors_at_the_corner(size_hw, strides, sizes, ratios):
    return _anchors(size_hw, strides, sizes, ratios, offset=0.0)


def anchors_half_a_pixel_off(size_hw, strides, sizes, ratios):
    return _anchors(size_hw, strides, sizes, ratios, offset=0.0, after=0.5)


def anchors_by_width_over_height(size_hw, strides, sizes, ratios):
    return _anchors(size_hw, strides, sizes, ratios, swap=True)


def anchors_of_another_area(size_hw, strides, sizes, ratios):
    return _anchors(size_hw, strides, sizes, ratios, area=False)


def anchors_without_a_root(size_hw, strides, sizes, ratios):
    return _anchors(size_hw, strides, sizes, ratios, power=1.0)


def anchors_twice_as_large(size_hw, strides, sizes, ratios):
    return _anchors(size_hw, strides, sizes, ratios, half=1.0)


def anchors_column_by_column(size_hw, strides, sizes, ratios):
    return _anchors(size_hw, strides, sizes, ratios, columns=True)


def anchors_of_a_cell_apart(size_hw, strides, sizes, ratios):
    return _anchors(size_hw, strides, sizes, ratios, apart=True)


def anchors_sizes_first(size_hw, strides, sizes, ratios):
    return _anchors(size_hw, strides, sizes, ratios, sizes_first=True)


make_anchors_exercise = Exercise(
    name="17.make_anchors",
    reference=anchor_blocks.make_anchors,
    cases=make_anchors_cases,
    compare=Close(rtol=1e-5, atol=1e-4),
    twins=(
        anchor_blocks.base_anchors,
        "torchvision.models.detection.anchor_utils.AnchorGenerator",
        "torchvision.models.detection.anchor_utils.DefaultBoxGenerator",
    ),
    misconceptions=[
        Misconception(
            "at-the-corner",
            anchors_at_the_corner,
            "Your anchors stand at the upper left corner of each cell. Where is the centre of a cell that goes from 0 to 8?",
        ),
        Misconception(
            "half-a-pixel",
            anchors_half_a_pixel_off,
            "You added 0.5 pixels. Half a *cell* is meant: add 0.5 before you multiply by the stride.",
        ),
        Misconception(
            "ratio-upside-down",
            anchors_by_width_over_height,
            "Tall and wide changed places. The ratio is height / width: a ratio of 4 is a tall box.",
        ),
        Misconception(
            "another-area",
            anchors_of_another_area,
            "A ratio of 4 made your anchor four times as large. All ratios of one size share its area: which factor goes to the height, "
            "and which to the width?",
        ),
        Misconception(
            "no-root",
            anchors_without_a_root,
            "Your anchor of ratio 4 is sixteen times as high as wide: the width was divided by the ratio *and* the height multiplied "
            "by it. Each side gets only the square root.",
        ),
        Misconception(
            "twice-as-large",
            anchors_twice_as_large,
            "Your anchors are twice as wide as they should be: from the centre to an edge is only half of the width.",
        ),
        Misconception(
            "column-by-column",
            anchors_column_by_column,
            "You went through the cells column by column. A map is read row by row: x runs fastest.",
        ),
        Misconception(
            "cells-apart",
            anchors_of_a_cell_apart,
            "All cells of the first anchor came before the second anchor. The anchors of one cell stand together.",
        ),
        Misconception(
            "sizes-outside",
            anchors_sizes_first,
            "Right boxes, another order within the cell: all sizes of the first ratio come first, then all sizes of the second.",
        ),
    ],
    hints=[
        "Start with one map: its centres are (column + 0.5) * stride and (row + 0.5) * stride. `torch.meshgrid(rows, columns, "
        'indexing="ij")` gives y and x of every cell.',
        "Area stays size * size if the width is size / ratio ** 0.5 and the height is size * ratio ** 0.5.",
        "Centres as (cells, 1, 2), shapes as (K, 2): `centres - shapes / 2` is (cells, K, 2), in the right order.",
    ],
    points=3,
)

# --- deltas


def encode_cases(generator):
    """(label, arguments) for encode_deltas: anchors and boxes of different size, away from 0, so that no two divisors agree."""

    def boxes(*rows):
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)

    yield "the anchor is the box", (boxes([2, 3, 6, 11]), boxes([2, 3, 6, 11]))
    yield "half a width to the right", (boxes([10, 20, 14, 28]), boxes([12, 20, 16, 28]))
    yield "a quarter of a height up", (boxes([10, 20, 14, 28]), boxes([10, 18, 14, 26]))
    yield "the same centre, twice as wide, half as high", (boxes([10, 20, 14, 28]), boxes([8, 22, 16, 26]))
    yield "the same corner, twice as large", (boxes([10, 20, 14, 28]), boxes([10, 20, 18, 36]))
    yield "two at once", (boxes([0, 0, 8, 4], [5, 5, 7, 9]), boxes([1, 1, 4, 4], [0, 5, 10, 20]))
    yield "no boxes at all", (boxes(), boxes())
    for _ in range(3):
        corners, sizes = torch.rand(2, 3, 2, generator=generator) * 40, torch.rand(2, 3, 2, generator=generator) * 30 + 2
        yield "random", tuple(torch.cat([corner, corner + size], dim=1) for corner, size in zip(corners, sizes, strict=True))


def _encode(anchors, boxes, corner=False, divisor="anchor", log=True, sign=1, turn=False):
    """The right deltas with one thing at a time to get wrong."""
    sizes, box_sizes = (b[:, 2:] - b[:, :2] for b in (anchors, boxes))
    share = 0.0 if corner else 0.5
    move = sign * (boxes[:, :2] + share * box_sizes - anchors[:, :2] - share * sizes)
    move = move / {"anchor": sizes, "box": box_sizes, "none": torch.ones_like(sizes)}[divisor]
    ratio = sizes / box_sizes if turn else box_sizes / sizes
    return torch.cat([move, ratio.log() if log else ratio], dim=1)


def encode_in_pixels(anchors, boxes):
    return _encode(anchors, boxes, divisor="none")


def encode_in_sizes_of_the_box(anchors, boxes):
    return _encode(anchors, boxes, divisor="box")


def encode_from_corner_to_corner(anchors, boxes):
    return _encode(anchors, boxes, corner=True)


def encode_without_logarithm(anchors, boxes):
    return _encode(anchors, boxes, log=False)


def encode_the_other_way_round(anchors, boxes):
    return _encode(boxes, anchors)


def encode_moved_backwards(anchors, boxes):
    return _encode(anchors, boxes, sign=-1)


def encode_stretched_backwards(anchors, boxes):
    return _encode(anchors, boxes, turn=True)


def encode_moves_and_stretches_mixed(anchors, boxes):
    return _encode(anchors, boxes)[:, [0, 2, 1, 3]]


encode_exercise = Exercise(
    name="17.encode_deltas",
    reference=encode_deltas,
    cases=encode_cases,
    compare=Close(rtol=1e-4, atol=1e-5),
    twins=("torchvision.models.detection._utils.BoxCoder", "torchvision.models.detection._utils.encode_boxes"),
    misconceptions=[
        Misconception(
            "in-pixels",
            encode_in_pixels,
            "Your dx and dy are pixels. They are said in widths and heights of the anchor, so that every map learns numbers of one size.",
        ),
        Misconception(
            "divided-by-the-box",
            encode_in_sizes_of_the_box,
            "You divided by the size of the box. When decoding, only the anchor is known: whose width must it be?",
        ),
        Misconception(
            "corner-to-corner",
            encode_from_corner_to_corner,
            "You measured from corner to corner. dx and dy go from the *centre* of the anchor to the centre of the box.",
        ),
        Misconception(
            "no-logarithm",
            encode_without_logarithm,
            "dw and dh of a box that equals its anchor are 1 with you, and should be 0. What makes 0 of 1, and -x of 1 / ratio?",
        ),
        Misconception(
            "roles-swapped",
            encode_the_other_way_round,
            "Anchor and box changed places everywhere. The deltas lead from the anchor to the box.",
        ),
        Misconception(
            "moved-backwards",
            encode_moved_backwards,
            "The signs of dx and dy are turned round. A box to the right of its anchor has a positive dx.",
        ),
        Misconception(
            "stretched-backwards",
            encode_stretched_backwards,
            "The signs of dw and dh are turned round. A box wider than its anchor has a positive dw.",
        ),
        Misconception("order", encode_moves_and_stretches_mixed, "The order is dx, dy, dw, dh: both moves first, then both stretches."),
    ],
    hints=[
        "Four small tables first: centre and size of the anchors, centre and size of the boxes, (A, 2) each.",
        "size = anchors[:, 2:] - anchors[:, :2]; the centre lies half a size from the upper left corner.",
        "`torch.cat([(box_centre - centre) / size, torch.log(box_size / size)], dim=1)`.",
    ],
    points=2,
)
