"""The planted bug of notebook 14_sliding_window: from the cells of a level's map to boxes in the picture."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.sliding import heatmap as blocks


def cells_cases(generator):
    """(label, arguments) for cells_to_boxes: where the planted bug shows, and where it cannot."""

    def cells(*rows):
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, 2)

    yield "the picture as it is", (cells((0, 0), (2, 5)), 32, 4, 0, 1.0)
    yield "the picture as it is, a margin", (cells((2, 5)), 32, 4, 3, 1.0)
    yield "halved: windows see twice as much", (cells((0, 0), (2, 5)), 32, 4, 0, 0.5)
    yield "halved, a margin", (cells((2, 5)), 32, 4, 4, 0.5)
    yield "enlarged: windows see half as much", (cells((2, 5), (7, 1)), 32, 4, 4, 2.0)
    yield "no cells at all", (cells(), 32, 4, 3, 0.5)
    for scale in (0.25, 0.8, 1.6):
        yield "random", (torch.randint(0, 40, (3, 2), generator=generator), 24, 8, 2, scale)


def _cells(cells, window, stride, margin, scale, before=1.0, after=None, left=None, right=None, flip=True):
    corner = (cells.flip(1) if flip else cells).float() * stride * before
    left, right = (margin if side is None else side for side in (left, right))
    return torch.cat((corner + left, corner + window - right), dim=1) / (scale if after is None else after)


def cells_window_not_scaled(cells, window, stride, margin, scale):
    return _cells(cells, window, stride, margin, scale, before=1 / scale, after=1.0)


def cells_not_scaled(cells, window, stride, margin, scale):
    return _cells(cells, window, stride, margin, scale, after=1.0)


def cells_multiplied(cells, window, stride, margin, scale):
    return _cells(cells, window, stride, margin, scale, after=1 / scale)


def cells_scaled_twice(cells, window, stride, margin, scale):
    return _cells(cells, window, stride, margin, scale, before=1 / scale)


def cells_margin_not_scaled(cells, window, stride, margin, scale):
    boxes = _cells(cells, window, stride, 0, scale)
    return boxes + torch.tensor([margin, margin, -margin, -margin])


def cells_margin_forgotten(cells, window, stride, margin, scale):
    return _cells(cells, window, stride, 0, scale)


def cells_margin_on_one_side(cells, window, stride, margin, scale):
    return _cells(cells, window, stride, margin, scale, right=0)


def cells_margin_outwards(cells, window, stride, margin, scale):
    return _cells(cells, window, stride, -margin, scale)


def cells_rows_first(cells, window, stride, margin, scale):
    return _cells(cells, window, stride, margin, scale, flip=False)


cells_to_boxes = Exercise(
    name="14.cells_to_boxes",
    reference=blocks.cells_to_boxes,
    cases=cells_cases,
    compare=Close(rtol=1e-5, atol=1e-4),
    misconceptions=[
        Misconception(
            "window-not-scaled",
            cells_window_not_scaled,
            "That is the planted bug. The corner is in the picture's pixels, the window's side still in the level's. At scale 0.5, "
            "how many pixels of the picture does a window of 32 see?",
        ),
        Misconception(
            "not-scaled", cells_not_scaled, "These are pixels of the level. The caller wants those of the picture: undo the scale."
        ),
        Misconception(
            "multiplied",
            cells_multiplied,
            "You multiplied by the scale. The picture was multiplied to make the level; which way leads back?",
        ),
        Misconception(
            "scaled-twice",
            cells_scaled_twice,
            "The corner was divided by the scale twice. Work in the level's pixels, and divide once, at the end.",
        ),
        Misconception(
            "margin-not-scaled",
            cells_margin_not_scaled,
            "The margin was taken off in the picture's pixels. It was trained in the level's: take it off before the division.",
        ),
        Misconception(
            "margin-forgotten", cells_margin_forgotten, "Your box is the window. The object fills it but for `margin` on each side."
        ),
        Misconception(
            "margin-on-one-side",
            cells_margin_on_one_side,
            "The margin is missing on the right and below. It lies on all four sides.",
        ),
        Misconception(
            "margin-outwards",
            cells_margin_outwards,
            "Your boxes are larger than the window. The object is smaller: the margin goes inwards.",
        ),
        Misconception("rows-first", cells_rows_first, "Rows were taken for x. `cells` holds (row, column), a box begins with x."),
    ],
    hints=[
        "Try it by hand: cell (2, 5), window 32, stride 4, no margin, scale 0.5. The window is 32 pixels of the level. And of the picture?",
        "Build the whole box in the level's pixels first. Then one division takes all four numbers back.",
    ],
    points=2,
)
