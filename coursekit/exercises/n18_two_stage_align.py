"""The third exercise of notebook 18_two_stage: RoI align."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n18_two_stage import boxes_of, numbered
from coursekit.two_stage import roi as blocks


def roi_align_cases(generator):
    """(label, arguments) for roi_align: a ramp, where a mean is a place, and numbered cells."""
    ramp = torch.arange(8.0).expand(1, 6, 8).clone()
    plain = numbered(6, 8)
    yield "a ramp along x: bins read their middles", (ramp, boxes_of([1, 1, 5, 5]), 2, 1.0, 2)
    yield "corners between cells", (plain, boxes_of([1.25, 0.5, 4.75, 3.5]), 2, 1.0, 2)
    yield "in pixels of the picture: stride 8", (plain, boxes_of([8, 16, 40, 32]), 2, 1 / 8, 2)
    yield "one point in each bin", (plain, boxes_of([1, 1, 5, 4]), 2, 1.0, 1)
    yield "three points in each bin", (plain, boxes_of([0.5, 1, 6.5, 5]), 2, 1.0, 3)
    yield "wide and low: x comes first", (plain, boxes_of([0, 2, 8, 3]), 2, 1.0, 2)
    yield "smaller than a cell", (plain, boxes_of([3.2, 2.2, 3.6, 2.4]), 2, 1.0, 2)
    yield "past the edges", (plain, boxes_of([-3, -2, 3, 2], [5, 3, 12, 10]), 3, 1.0, 2)
    yield "one bin", (plain, boxes_of([1, 1, 6, 5]), 1, 1.0, 2)
    yield "two channels, two boxes", (numbered(6, 8, 2), boxes_of([0, 0, 3, 3], [2, 1, 7, 5]), 3, 1.0, 1)
    yield "no boxes at all", (numbered(6, 8, 2), boxes_of(), 2, 1.0, 2)
    for _ in range(3):
        corners = torch.rand(2, 2, generator=generator) * 30
        boxes = torch.cat([corners, corners + 4 + torch.rand(2, 2, generator=generator) * 30], dim=1)
        yield "random", (torch.randn(2, 6, 8, generator=generator), boxes, 2, 1 / 8, 2)


def _align(features, boxes, output_size, spatial_scale, sampling_ratio, shift=0.5, whole=False, ends=False, read="mean", turn=False):
    """The right alignment with one thing at a time to get wrong."""
    crops = features.new_zeros((len(boxes), len(features), output_size, output_size))
    count = output_size * sampling_ratio
    middles = torch.linspace(0, 1, count) if ends and count > 1 else (torch.arange(count) + 0.5) / count
    for number, box in enumerate(boxes * spatial_scale):
        x1, y1, x2, y2 = (box.round() if whole else box) - shift
        y, x = y1 + middles * (y2 - y1), x1 + middles * (x2 - x1)
        values = blocks.bilinear(features, y.repeat_interleave(count), x.repeat(count))
        values = values.reshape(len(features), output_size, sampling_ratio, output_size, sampling_ratio)
        grid = values.amax(dim=(2, 4)) if read == "max" else values.mean(dim=(2, 4))
        crops[number] = grid.transpose(1, 2) if turn else grid
    return crops


def align_without_scale(features, boxes, output_size, spatial_scale, sampling_ratio):
    return _align(features, boxes, output_size, 1.0, sampling_ratio)


def align_half_a_cell_off(features, boxes, output_size, spatial_scale, sampling_ratio):
    return _align(features, boxes, output_size, spatial_scale, sampling_ratio, shift=0.0)


def align_after_rounding(features, boxes, output_size, spatial_scale, sampling_ratio):
    return _align(features, boxes, output_size, spatial_scale, sampling_ratio, whole=True)


def align_from_end_to_end(features, boxes, output_size, spatial_scale, sampling_ratio):
    return _align(features, boxes, output_size, spatial_scale, sampling_ratio, ends=True)


def align_by_max(features, boxes, output_size, spatial_scale, sampling_ratio):
    return _align(features, boxes, output_size, spatial_scale, sampling_ratio, read="max")


def align_rows_for_columns(features, boxes, output_size, spatial_scale, sampling_ratio):
    return _align(features, boxes, output_size, spatial_scale, sampling_ratio, turn=True)


def align_by_one_point(features, boxes, output_size, spatial_scale, sampling_ratio):
    return _align(features, boxes, output_size, spatial_scale, 1)


def align_half_a_pixel_off(features, boxes, output_size, spatial_scale, sampling_ratio):
    return _align(features, boxes - 0.5, output_size, spatial_scale, sampling_ratio, shift=0.0)


def align_by_points_of_other_bins(features, boxes, output_size, spatial_scale, sampling_ratio):
    """Every output_size-th point of the box lands in one bin: the two halves of each pair of dimensions are exchanged."""
    points = _align(features, boxes, output_size * sampling_ratio, spatial_scale, 1)
    shape = (len(boxes), len(features), sampling_ratio, output_size, sampling_ratio, output_size)
    return points.reshape(shape).mean(dim=(2, 4))


roi_align = Exercise(
    name="18.roi_align",
    reference=blocks.roi_align,
    cases=roi_align_cases,
    compare=Close(rtol=1e-5, atol=1e-4),
    misconceptions=[
        Misconception(
            "scale-forgotten",
            align_without_scale,
            "The boxes are in pixels of the picture, `bilinear` reads in cells. What must the corners be multiplied by?",
        ),
        Misconception(
            "half-a-cell-off",
            align_half_a_cell_off,
            "Everything is read half a cell too far right and down. Cell 0 reaches from 0 to 1, and its middle, 0.5, is `bilinear`'s 0.",
        ),
        Misconception(
            "half-a-pixel-off",
            align_half_a_pixel_off,
            "The 0.5 is half a *cell*: subtract it after the box has been scaled, not from its pixels.",
        ),
        Misconception(
            "points-of-other-bins",
            align_by_points_of_other_bins,
            "Each bin took points from all over the box. A bin's own points are neighbours: (S, sampling_ratio, S, sampling_ratio).",
        ),
        Misconception(
            "rounded-first",
            align_after_rounding,
            "The corners were rounded before anything was read. That is RoI pool's habit: keep the fractions.",
        ),
        Misconception(
            "points-at-the-ends",
            align_from_end_to_end,
            "Your points reach from edge to edge of the box. Cut it into equal parts and read the *middle* of each: (k + 0.5) / count.",
        ),
        Misconception("max-not-mean", align_by_max, "You kept the largest point of each bin. RoI *align* takes their mean."),
        Misconception(
            "rows-for-columns",
            align_rows_for_columns,
            "Your grid is turned over: rows of bins belong to y, columns to x.",
        ),
        Misconception(
            "one-point-only",
            align_by_one_point,
            "Each bin read one point. `sampling_ratio` says how many there are in a row and in a column of each bin.",
        ),
    ],
    hints=[
        "For each box: scale it, subtract 0.5, and find the y of all output_size * sampling_ratio rows of points; the x likewise.",
        "`middles = (torch.arange(count) + 0.5) / count`, then `y = y1 + middles * (y2 - y1)`.",
        "`y.repeat_interleave(count)` and `x.repeat(count)` pair every y with every x, row by row, for `bilinear`.",
        "`values.reshape(C, output_size, sampling_ratio, output_size, sampling_ratio).mean(dim=(2, 4))` averages the points of each bin.",
    ],
    points=4,
    twins=(blocks.fast_roi_align, "torchvision.ops.roi_align", "torchvision.ops.RoIAlign", "torch.ops.torchvision.roi_align"),
)
