"""Exercise of notebook 15_classic: two regions become one, without looking at a pixel again."""

import numpy as np
import torch

from coursekit.classic import selective_search as search
from coursekit.classic.selective_search import Region
from coursekit.exercises.core import Close, Exercise, Misconception


def merge_regions_cases(generator):
    """(label, arguments): regions of very different size, boxes inside and beside each other."""

    def region(size, colour, box, texture=(0.5, 0.5)):
        return Region(size, np.array(colour), np.array(texture), box)

    large, small = region(6, [1.0, 0.0], (0, 0, 3, 2), (1.0, 0.0)), region(2, [0.0, 1.0], (3, 0, 4, 2), (0.0, 1.0))
    yield "6 pixels and 2", (large, small)
    yield "2 pixels and 6", (small, large)
    yield "equally large", (region(4, [0.5, 0.5], (0, 0, 2, 2)), region(4, [0.25, 0.75], (0, 2, 2, 4)))
    yield "one box inside the other", (region(60, [0.75, 0.25], (0, 0, 10, 10)), region(4, [0.0, 1.0], (4, 5, 6, 7)))
    yield "boxes that overlap", (region(9, [1.0, 0.0], (2, 3, 7, 9), (0.25, 0.75)), region(5, [0.5, 0.5], (5, 1, 9, 6), (1.0, 0.0)))
    yield "below and to the left", (region(3, [0.0, 1.0], (8, 0, 9, 3)), region(7, [0.5, 0.5], (1, 5, 4, 9)))
    for _ in range(3):
        made = []
        for size in torch.randint(1, 200, (2,), generator=generator).tolist():
            colour, texture = (torch.rand(2, 4, generator=generator, dtype=torch.float64) + 0.01).numpy()
            x, y, w, h = torch.randint(1, 30, (4,), generator=generator).tolist()
            made.append(Region(size, colour / colour.sum(), texture / texture.sum(), (x, y, x + w, y + h)))
        yield "random", tuple(made)


def _merge(a, b, average=None, texture=None, box=search.hull, size=None):
    average = average or (lambda u, v: (a.size * u + b.size * v) / (a.size + b.size))
    texture = texture or average
    return Region(
        a.size + b.size if size is None else size(a, b), average(a.colour, b.colour), texture(a.texture, b.texture), box(a.box, b.box)
    )


def merge_plain_mean(a, b):
    return _merge(a, b, lambda u, v: (u + v) / 2)


def merge_sum(a, b):
    return _merge(a, b, lambda u, v: u + v)


def merge_weights_without_dividing(a, b):
    return _merge(a, b, lambda u, v: a.size * u + b.size * v)


def merge_weights_swapped(a, b):
    return _merge(a, b, lambda u, v: (b.size * u + a.size * v) / (a.size + b.size))


def merge_texture_of_the_first(a, b):
    return _merge(a, b, texture=lambda u, v: u)


def merge_shared_box(a, b):
    return _merge(a, b, box=lambda p, q: (max(p[0], q[0]), max(p[1], q[1]), min(p[2], q[2]), min(p[3], q[3])))


def merge_box_from_first_to_second(a, b):
    return _merge(a, b, box=lambda p, q: (p[0], p[1], q[2], q[3]))


def merge_size_of_the_box(a, b):
    def area(a, b):
        x1, y1, x2, y2 = search.hull(a.box, b.box)
        return (x2 - x1) * (y2 - y1)

    return _merge(a, b, size=area)


def merge_by_the_larger(a, b):
    return _merge(a, b, lambda u, v: u if a.size >= b.size else v)


merge_regions = Exercise(
    name="15.merge_regions",
    reference=search.merge_regions,
    cases=merge_regions_cases,
    compare=Close(rtol=1e-6, atol=1e-9, dtype="any"),
    misconceptions=[
        Misconception(
            "plain-mean",
            merge_plain_mean,
            "Two pixels counted as much as six. A histogram is a share of pixels: weigh each by the size of its region.",
        ),
        Misconception("summed", merge_sum, "The merged histogram sums to 2. It must sum to 1, as both did: average, do not add."),
        Misconception(
            "not-divided", merge_weights_without_dividing, "Weighed, but not divided: the histogram sums to the size. Divide by it."
        ),
        Misconception("weights-swapped", merge_weights_swapped, "Each histogram got the weight of the *other* region."),
        Misconception("texture-of-the-first", merge_texture_of_the_first, "Colour is averaged, texture is not: it goes by the same rule."),
        Misconception(
            "shared-box",
            merge_shared_box,
            "Your box is what the two share. The box around both goes from the smaller left edge to the larger right edge.",
        ),
        Misconception(
            "from-first-to-second",
            merge_box_from_first_to_second,
            "Your box begins where the first begins and ends where the second ends. That fails when the second lies above, to the left or "
            "inside: take minimum and maximum.",
        ),
        Misconception(
            "size-of-the-box", merge_size_of_the_box, "Size is how many pixels belong to the region, not the area of its box: add the two."
        ),
        Misconception(
            "larger-wins", merge_by_the_larger, "The larger region's histogram stayed as it was. The smaller one adds its share."
        ),
    ],
    hints=[
        "Sizes add up. How large a share of the new region's pixels comes from a?",
        "`(a.size * a.colour + b.size * b.colour) / size`, and the same for texture.",
        "`hull(a.box, b.box)` is the box around both: minimum of the first two numbers, maximum of the last two. Return a `Region`.",
    ],
    points=2,
    equivalent={"return Region(size, colour, texture, hull(b.box, a.box))": "the box around two boxes does not ask which comes first"},
)
