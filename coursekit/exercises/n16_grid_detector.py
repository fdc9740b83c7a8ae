"""Exercises of notebook 16_grid_detector: which cell, which target. The others are in n16_grid_detector_maps.py and _losses.py."""

import torch

from coursekit.boxes import box_iou
from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.grid import cell_centres, cell_of, collisions, covered_cells, encode_targets


def _boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def _random_boxes(generator, count, size_hw):
    """Boxes inside an image, at least 4 pixels wide and high."""
    limit = torch.tensor([size_hw[1], size_hw[0]], dtype=torch.float32)
    side = 4 + torch.rand(count, 2, generator=generator) * limit * 0.5
    start = torch.rand(count, 2, generator=generator) * (limit - side)
    return torch.cat((start, start + side), dim=1)


# --- the cell of a centre


def cell_of_cases(generator):
    """(label, arguments) for cell_of: centres whose row is not their column, and centres on a line."""
    yield "one box: its centre is in column 3 of row 0", (_boxes([40, 2, 60, 22]), 16)
    yield "its corner lies in another cell than its centre", (_boxes([24, 8, 64, 56]), 16)
    yield "two boxes, a finer grid", (_boxes([40, 2, 60, 22], [0, 32, 4, 44]), 8)
    yield "a centre on the line between two cells", (_boxes([6, 20, 26, 44]), 16)
    yield "a centre in the right half of its cell", (_boxes([20, 40, 40, 46]), 16)
    yield "no boxes", (_boxes(), 16)
    for stride in (16, 8, 4):
        yield "random", (_random_boxes(generator, 4, (64, 96)), stride)


def _cell(boxes, stride):
    return ((boxes[:, :2] + boxes[:, 2:]) / 2 / stride).floor().long().flip(1)


cell_of_exercise = Exercise(
    name="16.cell_of",
    reference=cell_of,
    cases=cell_of_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "column-first",
            lambda boxes, stride: _cell(boxes, stride).flip(1),
            "Column and row changed places. x counts columns and y counts rows, and the row comes first, as in every map's shape.",
        ),
        Misconception(
            "corner-not-centre",
            lambda boxes, stride: (boxes[:, :2] / stride).floor().long().flip(1),
            "You asked where the box begins. The cell that answers is the one that holds the *centre*: where is the middle of x1 and x2?",
        ),
        Misconception(
            "half-of-the-size",
            lambda boxes, stride: ((boxes[:, 2:] - boxes[:, :2]) / 2 / stride).floor().long().flip(1),
            "(x2 - x1) / 2 is half of the width, not the centre. The centre is (x1 + x2) / 2.",
        ),
        Misconception(
            "rounded",
            lambda boxes, stride: ((boxes[:, :2] + boxes[:, 2:]) / 2 / stride).round().long().flip(1),
            "A centre in the right half of a cell went to the next cell: you rounded. Everything from 16 up to 32 is "
            "cell 1: which way must "
            "the fraction go?",
        ),
        Misconception(
            "still-pixels",
            lambda boxes, stride: ((boxes[:, :2] + boxes[:, 2:]) / 2).floor().long().flip(1),
            "These are pixels. How many pixels wide is a cell?",
        ),
        Misconception(
            "floats",
            lambda boxes, stride: _cell(boxes, stride).float(),
            "The right numbers, as floats. They are places in a map: `.long()`.",
        ),
    ],
    hints=[
        "First the centre of each box, (N, 2), x and y in pixels. Then divide by the width of a cell.",
        "`.floor().long()` makes whole numbers, and `.flip(1)` turns (x, y) into (row, column).",
    ],
    points=1,
)

# --- two centres in one cell


def collisions_cases(generator):
    """(label, arguments) for collisions: boxes that overlap without colliding, and that collide without overlapping."""
    yield "two centres in one cell", (_boxes([0, 0, 8, 8], [6, 6, 14, 14]), 16)
    yield "in one cell, and they do not touch", (_boxes([0, 0, 4, 4], [9, 9, 14, 14], [40, 40, 50, 50]), 16)
    yield "one box over the other, centres apart", (_boxes([0, 0, 8, 8], [0, 0, 128, 128]), 16)
    yield "one row, two columns", (_boxes([0, 0, 8, 8], [40, 0, 48, 8]), 16)
    yield "neighbours: nearer than a cell, and in two cells", (_boxes([10, 4, 18, 12], [14, 4, 22, 12]), 16)
    yield "three in one cell, one elsewhere", (_boxes([0, 0, 8, 8], [20, 20, 28, 28], [4, 4, 14, 14], [1, 1, 4, 4]), 16)
    yield "the same two on a finer grid", (_boxes([0, 0, 4, 4], [9, 9, 14, 14]), 8)
    yield "one object alone", (_boxes([3, 3, 9, 9]), 16)
    yield "no boxes", (_boxes(), 16)
    for stride in (32, 16):
        yield "random", (_random_boxes(generator, 7, (64, 64)), stride)


def _same_cell(boxes, stride):
    cells = _cell(boxes, stride)
    return (cells[:, None] == cells[None]).all(dim=2)


def collide_if_near(boxes, stride):
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    return ((centre[:, None] - centre[None]).abs().amax(dim=2) < stride).sum(dim=1) > 1


collisions_exercise = Exercise(
    name="16.collisions",
    reference=collisions,
    cases=collisions_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "with-itself",
            lambda boxes, stride: _same_cell(boxes, stride).any(dim=1),
            "Everybody collides, since each object shares a cell with itself. How many must be in a cell before somebody is in the way?",
        ),
        Misconception(
            "overlap",
            lambda boxes, stride: (box_iou(boxes, boxes) > 0).sum(dim=1) > 1,
            "You asked whether boxes overlap. A large box may cover a small one, and each still has a cell of its own: only centres count.",
        ),
        Misconception(
            "row-or-column",
            lambda boxes, stride: (_cell(boxes, stride)[:, None] == _cell(boxes, stride)[None]).any(dim=2).sum(dim=1) > 1,
            "Two objects in one row but different columns are in two cells. Row *and* column must be equal.",
        ),
        Misconception(
            "near",
            collide_if_near,
            "Two centres can be a pixel apart and lie in two cells, when a line runs between them. Compare cells, not distances.",
        ),
        Misconception(
            "only-the-later",
            lambda boxes, stride: _same_cell(boxes, stride).tril(-1).any(dim=1),
            "Only the later one of each pair is marked. Both are in a shared cell: which of them is lost is decided elsewhere.",
        ),
    ],
    hints=[
        "`cell_of(boxes, stride)` is (N, 2). Compare every row with every row, as in notebook 01: (N, 1, 2) against (1, N, 2).",
        "`.all(dim=2)` gives (N, N): True where row and column agree. Everybody agrees with itself, so count.",
    ],
    points=2,
    equivalent={"return same.sum(dim=0) > 1": "who shares a cell with whom is the same both ways"},
)

# --- the whole target


def encode_cases(generator):
    """(label, arguments) for encode_targets: one rule each; sides that differ, so that rows are no columns."""

    def case(rows, labels, stride=16, shrink=0.5, size_hw=(64, 96), classes=3):
        return _boxes(*rows), torch.tensor(labels, dtype=torch.int64), classes, size_hw, stride, shrink

    yield "one object that covers a single cell", case([[34, 18, 46, 30]], [1])
    yield "one object: only the middle of its box is covered", case([[24, 4, 84, 60]], [2])
    yield "the same, and only the cell of its centre", case([[24, 4, 84, 60]], [2], shrink=0.0)
    yield "the same on a finer grid", case([[24, 4, 84, 60]], [0], stride=8)
    yield "a small one in the middle of a large one", case([[0, 0, 64, 64], [34, 34, 46, 46]], [0, 1])
    yield "the same, the small one first", case([[34, 34, 46, 46], [0, 0, 64, 64]], [1, 0])
    yield "two of one class want one cell", case([[0, 0, 12, 12], [1, 2, 15, 14]], [0, 0], shrink=0.0)
    yield "two of one size: the last", case([[0, 0, 12, 12], [2, 2, 14, 14]], [1, 2])
    yield "wide and low: smaller by area, not by width", case([[0, 6, 60, 10], [20, 0, 44, 16]], [0, 1])
    yield "at the edge", case([[80, 48, 96, 64], [0, 0, 6, 6]], [0, 2])
    yield "no objects", case([], [])
    for shrink in (0.0, 0.5, 1.0):
        yield "random", (_random_boxes(generator, 4, (64, 96)), torch.randint(0, 3, (4,), generator=generator), 3, (64, 96), 16, shrink)


def _encode(boxes, labels, num_classes, size_hw, stride, shrink, order=None, one_class=True, unit=None, middle=0.5, transposed=False):
    """The right target with one thing at a time to get wrong."""
    rows, columns = size_hw[0] // stride, size_hw[1] // stride
    coverage, corners = torch.zeros(num_classes, rows, columns), torch.zeros(4, rows, columns)
    seen_from = cell_centres(rows, columns, stride) + (middle - 0.5) * stride
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    for i in area.argsort(descending=True, stable=True).tolist() if order is None else order(area):
        covered = covered_cells(boxes[i], size_hw, stride, shrink)
        if one_class:
            coverage[:, covered] = 0
        coverage[labels[i], covered] = 1
        corners[:, covered] = ((boxes[i] - seen_from[covered].repeat(1, 2)) / (unit or stride)).T
    return (coverage.transpose(1, 2), corners.transpose(1, 2)) if transposed else (coverage, corners)


def encode_as_centre_and_size(boxes, labels, num_classes, size_hw, stride, shrink):
    coverage, corners = _encode(boxes, labels, num_classes, size_hw, stride, shrink)
    middle, size = (corners[:2] + corners[2:]) / 2, corners[2:] - corners[:2]
    return coverage, torch.cat((middle, size))


def encode_from_the_box(boxes, labels, num_classes, size_hw, stride, shrink):
    coverage, corners = _encode(boxes, labels, num_classes, size_hw, stride, shrink)
    return coverage, -corners


encode_exercise = Exercise(
    name="16.encode_targets",
    reference=encode_targets,
    cases=encode_cases,
    compare=Close(rtol=1e-5, atol=1e-5),
    misconceptions=[
        Misconception(
            "seen-from-the-box",
            encode_from_the_box,
            "Every corner has the wrong sign: you took the centre minus the box. Seen from the cell's centre, it is box minus centre.",
        ),
        Misconception(
            "pixels-not-strides",
            lambda *given: _encode(*given, unit=1),
            "The corners are in pixels. Divide by the stride, so that a grid of any fineness learns numbers of one size.",
        ),
        Misconception(
            "from-the-cells-corner",
            lambda *given: _encode(*given, middle=0.0),
            "Your corners are half a cell too large: you measured from the cell's upper left corner. They are seen from its *centre*.",
        ),
        Misconception(
            "last-in-the-list-wins",
            lambda *given: _encode(*given, order=lambda area: range(len(area))),
            "A cell that two objects want went to the later one in the list. It should go to the smaller: in which order must you write?",
        ),
        Misconception(
            "largest-wins",
            lambda *given: _encode(*given, order=lambda area: area.argsort(stable=True).tolist()),
            "The larger object overwrote the smaller one. Whoever is written last stays: so the smallest must come last.",
        ),
        Misconception(
            "two-classes-in-a-cell",
            lambda *given: _encode(*given, one_class=False),
            "A cell is covered for two classes, and has room for the corners of one object only. Clear all classes before you write one.",
        ),
        Misconception(
            "shrink-ignored",
            lambda boxes, labels, k, size_hw, stride, shrink: _encode(boxes, labels, k, size_hw, stride, 0.5),
            "The rule never changes: `shrink` must reach `covered_cells`.",
        ),
        Misconception(
            "rows-are-columns",
            lambda *given: _encode(*given, transposed=True),
            "The maps have their sides exchanged. An image of 64 x 96 is 64 high: rows come from the height, columns from the width.",
        ),
        Misconception(
            "centre-and-size",
            encode_as_centre_and_size,
            "The last two numbers are width and height. Here both corners are written, each seen from the cell's centre.",
        ),
    ],
    hints=[
        "Begin with zeros: `torch.zeros(num_classes, rows, columns)` and `torch.zeros(4, rows, columns)`, then write "
        "one object after another.",
        "`area.argsort(descending=True, stable=True)` gives the order: the largest first, so that smaller ones overwrite it.",
        "`covered = covered_cells(boxes[i], size_hw, stride, shrink)` is a mask: `coverage[:, covered] = 0`, then "
        "`coverage[labels[i], covered] = 1`.",
        "`centres[covered]` is (M, 2), `centres[covered].repeat(1, 2)` is (M, 4): x, y, x, y. `corners[:, covered]` wants (4, M): `.T`.",
    ],
    points=4,
)
