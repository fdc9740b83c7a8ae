"""Exercises of notebook 18_two_stage: RoI pool, and reading between cells. More in n18_two_stage_*.py."""

import torch
from torch import Tensor

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.two_stage import roi as blocks


def boxes_of(*rows) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def numbered(height: int, width: int, channels: int = 1) -> Tensor:
    """A map whose cells hold different whole numbers, not in order, so that the largest is not always the last."""
    order = torch.arange(height * width).mul(7).remainder(height * width + 1).float().reshape(1, height, width)
    return torch.cat([order - 10 * c for c in range(channels)])


# --- RoI pool


def roi_pool_cases(generator):
    """(label, arguments) for roi_pool: whole numbers, so that every cell that is read wrongly shows."""
    plain = numbered(6, 8)
    yield "a box of 4 x 4 cells in 2 x 2 bins", (plain, boxes_of([1, 1, 4, 4]), 2, 1.0)
    yield "in pixels of the picture: stride 8", (plain, boxes_of([8, 16, 40, 32]), 2, 1 / 8)
    yield "corners that round up and down", (plain, boxes_of([10, 14, 37, 21]), 2, 1 / 8)
    yield "halves go away from 0", (plain, boxes_of([4, 12, 20, 28]), 2, 1 / 8)
    yield "three cells in two bins share the middle one", (plain, boxes_of([1, 2, 3, 4]), 2, 1.0)
    yield "one cell fills every bin", (plain, boxes_of([3, 2, 3, 2]), 2, 1.0)
    yield "wide and low: x comes first", (plain, boxes_of([0, 1, 7, 2]), 2, 1.0)
    yield "past the left and the upper edge", (plain, boxes_of([-4, -3, 3, 2]), 3, 1.0)
    yield "past the right and the lower edge: some bins are empty", (plain, boxes_of([5, 3, 12, 10]), 3, 1.0)
    yield "all values below 0", (plain - 100, boxes_of([1, 1, 5, 4]), 2, 1.0)
    yield "two channels, two boxes", (numbered(6, 8, 2), boxes_of([0, 0, 3, 3], [2, 1, 7, 5]), 2, 1.0)
    yield "one bin", (plain, boxes_of([1, 1, 6, 5]), 1, 1.0)
    yield "no boxes at all", (numbered(6, 8, 2), boxes_of(), 2, 1.0)
    for _ in range(3):
        corners = torch.rand(3, 2, generator=generator) * 30
        boxes = torch.cat([corners, corners + 4 + torch.rand(3, 2, generator=generator) * 30], dim=1)
        yield "random", (torch.randn(2, 6, 8, generator=generator), boxes, 3, 1 / 8)


def _pool(features, boxes, output_size, spatial_scale, whole=blocks.round_half_up, last=1, clip_first=False, overlap=True, read=None):
    """The right pooling with one thing at a time to get wrong."""
    read = read or (lambda part: part.amax(dim=(1, 2)))
    height, width = features.shape[1:]
    pooled = features.new_zeros((len(boxes), len(features), output_size, output_size))

    def cut(first, end, size):
        if clip_first:
            first, end = min(max(first, 0), size - 1), min(max(end, 0), size - 1)
        length = max(end - first + last, 1)
        starts = [first + k * length // output_size for k in range(output_size + 1)]
        ends = [first - (-(k + 1) * length // output_size) if overlap else starts[k + 1] for k in range(output_size)]
        return [(min(max(a, 0), size), min(max(b, 0), size)) for a, b in zip(starts, ends, strict=False)]

    for number, (x1, y1, x2, y2) in enumerate(whole(boxes * spatial_scale).long().tolist()):
        for i, (top, bottom) in enumerate(cut(y1, y2, height)):
            for j, (left, right) in enumerate(cut(x1, x2, width)):
                if bottom > top and right > left:
                    pooled[number, :, i, j] = read(features[:, top:bottom, left:right])
    return pooled


def pool_without_scale(features, boxes, output_size, spatial_scale):
    return _pool(features, boxes, output_size, 1.0)


def pool_by_mean(features, boxes, output_size, spatial_scale):
    return _pool(features, boxes, output_size, spatial_scale, read=lambda part: part.mean(dim=(1, 2)))


def pool_without_the_last_cell(features, boxes, output_size, spatial_scale):
    return _pool(features, boxes, output_size, spatial_scale, last=0)


def pool_rounded_down(features, boxes, output_size, spatial_scale):
    return _pool(features, boxes, output_size, spatial_scale, whole=torch.floor)


def pool_rounded_to_even(features, boxes, output_size, spatial_scale):
    return _pool(features, boxes, output_size, spatial_scale, whole=torch.round)


def pool_clipped_first(features, boxes, output_size, spatial_scale):
    return _pool(features, boxes, output_size, spatial_scale, clip_first=True)


def pool_bins_apart(features, boxes, output_size, spatial_scale):
    return _pool(features, boxes, output_size, spatial_scale, overlap=False)


def pool_rows_for_columns(features, boxes, output_size, spatial_scale):
    return _pool(features, boxes, output_size, spatial_scale).transpose(2, 3)


roi_pool = Exercise(
    name="18.roi_pool",
    reference=blocks.roi_pool,
    cases=roi_pool_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    misconceptions=[
        Misconception(
            "scale-forgotten",
            pool_without_scale,
            "The boxes are in pixels of the picture, the map has one cell for many pixels. What must the corners be multiplied by first?",
        ),
        Misconception("mean-not-max", pool_by_mean, "You took the mean of each bin. RoI *pool* keeps the largest value."),
        Misconception(
            "last-cell-left-out",
            pool_without_the_last_cell,
            "The cell that x2 rounds to belongs to the box here: from cell 1 to cell 4 it is 4 cells, 4 - 1 + 1.",
        ),
        Misconception(
            "rounded-down",
            pool_rounded_down,
            "Every corner went to the cell on its left. It goes to the *nearest* whole number: `round_half_up`.",
        ),
        Misconception(
            "halves-to-even",
            pool_rounded_to_even,
            "0.5 became 0 and 2.5 became 2: `torch.round` takes the even neighbour. `round_half_up` rounds as this operation wants it.",
        ),
        Misconception(
            "clipped-first",
            pool_clipped_first,
            "A box past the edge was cut off before it was divided into bins, so its bins moved. Divide first, then cut each bin.",
        ),
        Misconception(
            "bins-do-not-share",
            pool_bins_apart,
            "Three cells in two bins: each bin is 1.5 cells, its start rounded down and its end rounded up, so both hold the middle cell.",
        ),
        Misconception(
            "rows-for-columns",
            pool_rows_for_columns,
            "Your grid is turned over: rows of bins belong to y, columns to x. `pooled[number, :, i, j]` is row i, column j.",
        ),
    ],
    hints=[
        "One box at a time, one bin at a time: four loops are fine. First scale and round the four corners.",
        "`bins(y1, y2, output_size, height)` gives the rows of each bin, `bins(x1, x2, output_size, width)` the columns.",
        "`features[:, top:bottom, left:right].amax(dim=(1, 2))` is a bin's answer. An empty bin has no largest value: leave it 0.",
    ],
    points=3,
    twins=("torchvision.ops.roi_pool", "torchvision.ops.RoIPool", "torch.ops.torchvision.roi_pool"),
)

# --- reading between cells


def bilinear_cases(generator):
    """(label, arguments) for bilinear: middles of cells, between them, and every edge."""

    def points(*rows):
        y, x = torch.tensor(rows, dtype=torch.float32).reshape(-1, 2).unbind(dim=1)
        return y.clone(), x.clone()

    small = torch.tensor([[[1.0, 2, 4], [10, 20, 80]]])
    yield "in the middles of cells", (small, *points((0, 0), (0, 2), (1, 1)))
    yield "half way along a row", (small, *points((0, 0.5), (1, 1.5)))
    yield "half way down a column", (small, *points((0.5, 0), (0.5, 2)))
    yield "between four cells, nearer to one", (small, *points((0.25, 0.75), (0.75, 1.25)))
    yield "just before the first middle: the edge", (small, *points((-0.5, 0), (0, -0.75), (-0.25, 1.5)))
    yield "just past the last middle: the edge", (small, *points((1.5, 1), (0, 2.5), (1.75, 2.25)))
    yield "a cell before the first middle, exactly", (small, *points((-1, 0), (0, -1)))
    yield "on the last line of the map, exactly", (small, *points((2, 0), (0, 3)))
    yield "further off: 0", (small, *points((-1.25, 0), (0, -1.5), (2.25, 1), (1, 3.25)))
    yield "higher than wide", (numbered(5, 2), *points((3.5, 0.5), (4, 1), (2.25, 0)))
    yield "two channels", (numbered(3, 4, 2), *points((1.5, 2.5), (0, 0)))
    yield "no points at all", (small, *points())
    for _ in range(3):
        y, x = torch.rand(6, generator=generator) * 8 - 2, torch.rand(6, generator=generator) * 10 - 2
        yield "random", (torch.randn(2, 4, 6, generator=generator), y, x)


def _read(features, y, x, zero=True, clamp=True, swap=False, nearest=False, turned=False):
    """The right reading with one thing at a time to get wrong."""
    height, width = features.shape[1:]
    if turned:
        y, x = x, y
    on_map = (y >= -1) & (y <= height) & (x >= -1) & (x <= width) if zero else torch.ones_like(y, dtype=torch.bool)
    if clamp:
        y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    if nearest:
        y, x = y.round(), x.round()
    top, left = y.floor().long(), x.floor().long()
    down, across = y - top, x - left
    if swap:
        down, across = 1 - down, 1 - across
    rows = [row.clamp(0, height - 1) for row in (top, top + 1)]
    columns = [column.clamp(0, width - 1) for column in (left, left + 1)]
    upper, lower = (features[:, row, columns[0]] * (1 - across) + features[:, row, columns[1]] * across for row in rows)
    return (upper * (1 - down) + lower * down) * on_map


def read_nearest(features, y, x):
    return _read(features, y, x, nearest=True)


def read_swapped_weights(features, y, x):
    return _read(features, y, x, swap=True)


def read_x_as_y(features, y, x):
    return _read(features, y, x, turned=True)


def read_everywhere(features, y, x):
    return _read(features, y, x, zero=False)


def read_zero_outside_the_middles(features, y, x):
    height, width = features.shape[1:]
    inside = (y >= 0) & (y <= height - 1) & (x >= 0) & (x <= width - 1)
    return _read(features, y, x) * inside


def read_along_rows_only(features, y, x):
    return _read(features, y.floor(), x)


def read_four_alike(features, y, x):
    height, width = features.shape[1:]
    on_map = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    around = [_read(features, row, column) for row in (y.floor(), y.ceil()) for column in (x.floor(), x.ceil())]
    return sum(around) / 4 * on_map


def read_without_the_borders(features, y, x):
    height, width = features.shape[1:]
    return _read(features, y, x) * ((y > -1) & (y < height) & (x > -1) & (x < width))


bilinear = Exercise(
    name="18.bilinear",
    reference=blocks.bilinear,
    cases=bilinear_cases,
    compare=Close(rtol=1e-5, atol=1e-5),
    misconceptions=[
        Misconception(
            "nearest-cell",
            read_nearest,
            "You read the nearest cell. That is rounding again, which is what we wanted to be rid of: mix the four cells around the point.",
        ),
        Misconception(
            "weights-swapped",
            read_swapped_weights,
            "The nearer cell got the smaller weight. A point a quarter of the way down is three quarters the upper row.",
        ),
        Misconception("x-and-y-swapped", read_x_as_y, "Rows are counted by y, columns by x: `features[:, y, x]`."),
        Misconception(
            "never-zero",
            read_everywhere,
            "A point far off the map read the cell at the edge. More than one cell beyond the outermost middles (y < -1, y > H) it is 0.",
        ),
        Misconception(
            "zero-too-soon",
            read_zero_outside_the_middles,
            "Up to one cell beyond the outermost middles a point reads the outermost cell: clamp onto the middles. 0 begins after that.",
        ),
        Misconception(
            "borders-left-out",
            read_without_the_borders,
            "A point exactly one cell beyond the outermost middle still reads the outermost cell: `>= -1` and `<= H`, not `>` and `<`.",
        ),
        Misconception(
            "rows-only", read_along_rows_only, "You mixed left and right, but not up and down. It takes two steps: along x, then along y."
        ),
        Misconception(
            "four-alike", read_four_alike, "All four cells weigh a quarter. They should only in the very middle: the nearer, the heavier."
        ),
    ],
    hints=[
        "First note which points are on the map: `(y >= -1) & (y <= H) & (x >= -1) & (x <= W)`. Then clamp y to 0..H - 1, x to 0..W - 1.",
        "`top = y.floor().long()`, `bottom = (top + 1).clamp(max=H - 1)`, `down = y - top`; the same for x.",
        "`upper = features[:, top, left] * (1 - across) + features[:, top, right] * across`, `lower` likewise, then mix the two by `down`.",
    ],
    points=3,
    twins=(
        "torch.nn.functional.grid_sample",
        "torchvision.ops.roi_align",
        "torch.ops.torchvision.roi_align",
        blocks.roi_align,
        blocks.fast_roi_align,
        "scipy.ndimage.map_coordinates",
    ),
)
