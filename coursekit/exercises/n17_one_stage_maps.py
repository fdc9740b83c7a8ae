"""Maps in notebook 17_one_stage: the way down the pyramid, and a head's map as rows in the order of the anchors."""

import torch
from torch.nn.functional import interpolate

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.one_stage.pyramid import FeaturePyramid, top_down, upsample_add
from coursekit.one_stage.retina import to_rows

# --- top-down


def top_down_cases(generator):
    """(label, arguments) for top_down: numbers of other sizes on each map, so that a sum shows what is in it."""

    def constant(*values):
        side = 2 ** (len(values) - 1)
        return [torch.full((1, 1, side // 2**level, side // 2**level), float(v)) for level, v in enumerate(values)]

    yield "one map alone", (constant(5),)
    yield "two maps", (constant(1, 10),)
    yield "three maps: the coarsest reaches the finest", (constant(1, 10, 100),)
    yield "four maps", (constant(1, 10, 100, 1000),)
    yield "each value is repeated beside itself", ([torch.zeros(1, 1, 2, 4), torch.tensor([[[[1.0, 2.0]]]])],)
    yield "wider than high, two channels, two images", ([torch.ones(2, 2, 4, 8), torch.arange(32.0).reshape(2, 2, 2, 4)],)
    for _ in range(2):
        yield "random", ([torch.randn(2, 3, 8 // 2**level, 16 // 2**level, generator=generator) for level in range(3)],)


def _down(maps, enlarge=lambda x: interpolate(x, scale_factor=2.0, mode="nearest"), carried=True, mean=False, turn=False, twice=False):
    """The right way down with one thing at a time to get wrong."""
    sums = [maps[-1] * 2 if twice else maps[-1]]
    for level in range(len(maps) - 2, -1, -1):
        above = sums[0] if carried else maps[level + 1]
        total = maps[level] + enlarge(above)
        sums.insert(0, total / 2 if mean else total)
    return sums[::-1] if turn else sums


def down_only_the_neighbour(maps):
    return _down(maps, carried=False)


def down_tiled(maps):
    return _down(maps, enlarge=lambda x: x.repeat(1, 1, 2, 2))


def down_smoothly(maps):
    return _down(maps, enlarge=lambda x: interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))


def down_averaged(maps):
    return _down(maps, mean=True)


def down_coarse_first(maps):
    return _down(maps, turn=True)


def down_coarsest_doubled(maps):
    return _down(maps, twice=True)


def down_not_added(maps):
    return list(maps)


top_down_exercise = Exercise(
    name="17.top_down",
    reference=top_down,
    cases=top_down_cases,
    compare=Close(rtol=1e-5, atol=1e-5),
    twins=(upsample_add, FeaturePyramid, "torchvision.ops.FeaturePyramidNetwork"),
    misconceptions=[
        Misconception(
            "only-the-neighbour",
            down_only_the_neighbour,
            "Each map got the map just above it, as it came. What is carried down is the *sum* that was made there: else the "
            "coarsest never reaches the finest.",
        ),
        Misconception(
            "tiled",
            down_tiled,
            "`repeat` lays whole copies of the map side by side. Each *value* must stand twice in a row: 1, 2 becomes 1, 1, 2, 2.",
        ),
        Misconception(
            "smooth", down_smoothly, "You enlarged with interpolation between values. The nearest value is repeated, nothing is mixed."
        ),
        Misconception("averaged", down_averaged, "You took the mean of the two maps. They are added."),
        Misconception(
            "coarse-first", down_coarse_first, "The maps came back coarse to fine. They go in fine to coarse, and out so as well."
        ),
        Misconception("coarsest-doubled", down_coarsest_doubled, "The coarsest map has nothing above it: it comes back as it went in."),
        Misconception(
            "nothing-added",
            down_not_added,
            "The maps came back as they went in. Walk from the coarsest to the finest and add what is above.",
        ),
    ],
    hints=[
        "Begin with `sums = [maps[-1]]` and walk through the others from coarse to fine.",
        "`x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)` enlarges a map; `torch.nn.functional.interpolate(x, scale_factor=2)` "
        "does the same.",
        "`sums.insert(0, fine + enlarged)`, where enlarged is made of `sums[0]`: the last sum, not the map that came.",
    ],
    points=2,
)

# --- rows


def rows_cases(generator):
    """(label, arguments) for to_rows: numbers that say where they came from."""

    def counted(*shape):
        return torch.arange(int(torch.tensor(shape).prod())).reshape(shape)

    yield "one cell, two anchors of three numbers", (counted(1, 6, 1, 1), 3)
    yield "one anchor, two rows of three cells", (counted(1, 2, 2, 3), 2)
    yield "two anchors, one row of three cells", (counted(1, 4, 1, 3), 2)
    yield "two anchors of four numbers, two rows of three cells", (counted(1, 8, 2, 3), 4)
    yield "three anchors of two numbers, two images", (counted(2, 6, 3, 2), 2)
    yield "one number an anchor", (counted(1, 3, 2, 2), 1)
    yield "random", (torch.randint(0, 99, (2, 8, 3, 5), generator=generator), 4)


def rows_reshaped_at_once(x, values):
    return x.reshape(len(x), -1, values)


def rows_with_values_outside(x, values):
    return x.unflatten(1, (values, -1)).permute(0, 3, 4, 2, 1).reshape(len(x), -1, values)


def rows_anchor_by_anchor(x, values):
    return x.unflatten(1, (-1, values)).permute(0, 1, 3, 4, 2).reshape(len(x), -1, values)


def rows_column_by_column(x, values):
    return x.permute(0, 3, 2, 1).reshape(len(x), -1, values)


def rows_in_one_image(x, values):
    return x.permute(0, 2, 3, 1).reshape(-1, values)


rows_exercise = Exercise(
    name="17.to_rows",
    reference=to_rows,
    cases=rows_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "reshaped-at-once",
            rows_reshaped_at_once,
            "The shape is right, the numbers are not: `reshape` reads memory as it lies, channel by channel. Bring the channels to the end "
            "first.",
        ),
        Misconception(
            "values-outside",
            rows_with_values_outside,
            "You took the channels as (values, anchors). They are (anchors, values): first all the numbers of a cell's first anchor.",
        ),
        Misconception(
            "anchor-by-anchor",
            rows_anchor_by_anchor,
            "All cells of the first anchor came before the second anchor. `make_anchors` keeps the anchors of one cell together.",
        ),
        Misconception(
            "column-by-column",
            rows_column_by_column,
            "You went through the map column by column. `make_anchors` goes row by row: height before width.",
        ),
        Misconception("images-mixed", rows_in_one_image, "The images ran into each other. The first dimension stays: (N, A, values)."),
    ],
    hints=[
        "What belongs to one cell must stand together before you cut it into rows: which dimension has to go to the end?",
        "`x.permute(0, 2, 3, 1)` is (N, H, W, K * values).",
        "Then `.reshape(len(x), -1, values)`.",
    ],
    points=2,
)
