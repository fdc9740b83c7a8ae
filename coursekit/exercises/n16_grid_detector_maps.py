"""Exercises of notebook 16_grid_detector: from maps to boxes, once right and once half a cell off."""

import torch

from coursekit.exercises.compare import is_a
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.grid import cell_centres, decode

# --- decode


def decode_cases(generator):
    """(label, arguments) for decode: grids that are not square, and corners that do not lie evenly about their cell."""

    def maps(*cells, classes=2, rows=2, columns=3):
        coverage, corners = torch.full((classes, rows, columns), 0.1), torch.zeros(4, rows, columns)
        for label, row, column, score, where in cells:
            coverage[label, row, column] = score
            corners[:, row, column] = torch.tensor(where)
        return coverage, corners

    uneven = [-1.0, -0.5, 0.5, 1.5]
    yield "one cell: row 1, column 2", (*maps((1, 1, 2, 0.9, uneven)), 16, 0.5)
    yield "the first cell", (*maps((0, 0, 0, 0.8, uneven)), 16, 0.5)
    yield "a finer grid", (*maps((0, 1, 1, 0.8, uneven)), 8, 0.5)
    yield "two cells, two classes", (*maps((0, 0, 1, 0.7, uneven), (1, 1, 0, 0.6, [-2.0, -1.0, 1.0, 0.25])), 16, 0.5)
    yield "a score equal to the threshold", (*maps((1, 0, 2, 0.5, uneven)), 16, 0.5)
    yield "one cell speaks for two classes", (*maps((0, 1, 1, 0.7, uneven), (1, 1, 1, 0.6, uneven)), 16, 0.5)
    yield "a box that does not hold its cell's centre", (*maps((0, 0, 2, 0.7, [0.25, 0.5, 1.5, 1.0])), 16, 0.5)
    yield "nobody is sure enough", (*maps((0, 0, 2, 0.4, uneven)), 16, 0.5)
    for stride in (16, 8):
        coverage, corners = torch.rand(3, 4, 2, generator=generator), torch.randn(4, 4, 2, generator=generator)
        yield "random", (coverage, corners, stride, 0.6)


def drive_decode(answer, coverage, corners, stride, threshold):
    """The answer with its boxes in one order, since any is right: by label, then score, then place."""
    said = answer(coverage, corners, stride, threshold)
    whole = type(said) in (tuple, list) and len(said) == 3 and all(is_a(each, torch.Tensor) for each in said)
    if not whole or said[0].shape != (len(said[0]), 4) or not len(said[0]) == len(said[1]) == len(said[2]):
        return said
    boxes, scores, labels = said
    rows = zip(labels.tolist(), scores.tolist(), boxes.tolist(), strict=True)
    keys = [(label, round(score, 4), [round(v, 2) for v in box]) for label, score, box in rows]
    order = torch.tensor(sorted(range(len(keys)), key=keys.__getitem__), dtype=torch.int64)
    return boxes[order], scores[order], labels[order]


def _decode(coverage, corners, stride, threshold, middle=0.5, scale=None, swapped=False, above=torch.ge, best_alone=False):
    """The right decoding with one thing at a time to get wrong."""
    sure = above(coverage, threshold)
    if best_alone:
        sure = sure & (coverage == coverage.amax(dim=0))
    label, row, column = sure.nonzero(as_tuple=True)
    seen_from = (torch.stack([row, column] if swapped else [column, row], dim=1) + middle) * stride
    boxes = seen_from.repeat(1, 2) + corners[:, row, column].T * (scale or stride)
    return boxes, coverage[label, row, column], label


def decode_centre_and_size(coverage, corners, stride, threshold):
    boxes, scores, labels = _decode(coverage, corners, stride, threshold)
    _, row, column = (coverage >= threshold).nonzero(as_tuple=True)
    size = corners[2:, row, column].T * stride
    return torch.cat((boxes[:, :2], boxes[:, :2] + size), dim=1), scores, labels


def decode_without_the_cell(coverage, corners, stride, threshold):
    _, scores, labels = _decode(coverage, corners, stride, threshold)
    _, row, column = (coverage >= threshold).nonzero(as_tuple=True)
    return corners[:, row, column].T * stride, scores, labels


decode_exercise = Exercise(
    name="16.decode",
    reference=decode,
    cases=decode_cases,
    drive=drive_decode,
    compare=Close(rtol=1e-5, atol=1e-4),
    misconceptions=[
        Misconception(
            "row-is-not-x",
            lambda *given: _decode(*given, swapped=True),
            "Your boxes are mirrored along the diagonal: the row became x. Columns run along x, rows along y.",
        ),
        Misconception(
            "from-the-cells-corner",
            lambda *given: _decode(*given, middle=0.0),
            "Every box is half a cell too far left and up. The corners are seen from the cell's centre, and that is at "
            "(column + 0.5) * stride.",
        ),
        Misconception(
            "cell-forgotten",
            decode_without_the_cell,
            "All your boxes crowd around the picture's upper left corner. The corners say how far the sides lie from their own cell: "
            "where in the picture is it?",
        ),
        Misconception(
            "strides-forgotten",
            lambda *given: _decode(*given, scale=1),
            "Your boxes are tiny. The corners are in strides, the centre is in pixels: bring them into one unit before you add.",
        ),
        Misconception(
            "strictly-above",
            lambda *given: _decode(*given, above=torch.gt),
            "A score that equals the threshold is enough: `>=`.",
        ),
        Misconception(
            "best-class-alone",
            lambda *given: _decode(*given, best_alone=True),
            "A cell spoke for one class only. Each class is a map of its own: every score from the threshold on is a box.",
        ),
        Misconception(
            "centre-and-size",
            decode_centre_and_size,
            "You added the last two numbers to the upper left corner, as if they were width and height. Both corners "
            "are seen from the cell.",
        ),
        Misconception(
            "threshold-forgotten",
            lambda coverage, corners, stride, threshold: _decode(coverage, corners, stride, 0.0),
            "Every cell of every class came back. Which of them say at least `threshold`?",
        ),
    ],
    hints=[
        "`(coverage >= threshold).nonzero(as_tuple=True)` gives three lists of places: label, row, column.",
        "`corners[:, row, column]` is (4, M): transpose it. The centres are (column + 0.5) and (row + 0.5), times the stride.",
        "`centre.repeat(1, 2)` makes x, y into x, y, x, y, to which the four corner numbers are added.",
    ],
    points=3,
)

# --- the planted bug


def all_boxes(corners, stride):
    """(B, 4, rows, columns), in strides from each cell's centre -> (B, rows * columns, 4) xyxy pixels, row by row."""
    seen_from = cell_centres(*corners.shape[2:], stride).repeat(1, 1, 2).permute(2, 0, 1)  # (4, rows, columns)
    return (seen_from + corners * stride).flatten(2).transpose(1, 2)


def all_boxes_cases(generator):
    """(label, arguments) for all_boxes: corners of 0 show where a cell looks from."""
    yield "every corner at its cell's centre", (torch.zeros(1, 4, 2, 3), 16)
    yield "a box of one cell", (torch.tensor([-0.5, -0.5, 0.5, 0.5])[None, :, None, None].repeat(1, 1, 3, 2), 8)
    yield "one cell alone", (torch.zeros(2, 4, 1, 1), 2)
    yield "no images", (torch.zeros(0, 4, 2, 3), 16)
    for stride in (16, 8):
        yield "random", (torch.randn(2, 4, 3, 5, generator=generator), stride)


def _all_boxes(corners, stride, shift=(0.5, 0.5), pixels=0.0, swapped=False, scale=None):
    rows, columns = corners.shape[2:]
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    x, y = (x + shift[0]) * stride + pixels, (y + shift[1]) * stride + pixels
    seen_from = torch.stack([y, x, y, x] if swapped else [x, y, x, y])
    return (seen_from + corners * (scale or stride)).flatten(2).transpose(1, 2)


all_boxes_exercise = Exercise(
    name="16.all_boxes",
    reference=all_boxes,
    cases=all_boxes_cases,
    compare=Close(rtol=1e-5, atol=1e-4),
    misconceptions=[
        Misconception(
            "from-the-cells-corner",
            lambda *given: _all_boxes(*given, shift=(0.0, 0.0)),
            "That is the planted bug. With corners of 0, where should the box of the first cell lie, and where does it lie?",
        ),
        Misconception(
            "half-a-pixel",
            lambda *given: _all_boxes(*given, shift=(0.0, 0.0), pixels=0.5),
            "You moved by half a pixel. Half a *cell* is missing: before the numbers are multiplied by the stride, or after?",
        ),
        Misconception(
            "half-in-x-alone",
            lambda *given: _all_boxes(*given, shift=(0.5, 0.0)),
            "x is right now; y still starts at the cell's upper edge.",
        ),
        Misconception(
            "a-whole-cell",
            lambda *given: _all_boxes(*given, shift=(1.0, 1.0)),
            "Now every box is half a cell too far right and down. The centre is in the middle of the cell.",
        ),
        Misconception(
            "the-other-way",
            lambda *given: _all_boxes(*given, shift=(-0.5, -0.5)),
            "The boxes lay too far left and up already, and you moved them further.",
        ),
        Misconception(
            "x-is-not-the-row",
            lambda *given: _all_boxes(*given, swapped=True),
            "x and y changed places: x must grow along a row of the map.",
        ),
    ],
    hints=[
        "Give it corners of 0 on a grid of one cell. Where is the one box, and where is that cell's centre?",
        "Index 0 times the stride is the cell's *edge*. How far is it from there to its middle, in cells?",
    ],
    points=2,
)
