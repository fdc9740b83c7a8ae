"""The first exercises of notebook 14_sliding_window: where windows lie, and the sizes of a pyramid."""

import math

import torch

from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.sliding import pyramid as sizes
from coursekit.sliding import windows as blocks

# --- windows


def windows_cases(generator):
    """(label, arguments) for windows: pictures that are no squares, steps that end with the side and steps that do not."""
    yield "a picture 4 high and 6 wide", ((4, 6), 2, 2)
    yield "higher than wide", ((6, 4), 2, 2)
    yield "windows that overlap", ((5, 7), 3, 1)
    yield "exactly one window", ((5, 5), 5, 3)
    yield "a stride longer than the window", ((9, 12), 2, 5)
    yield "1 pixel is left over on the right, 2 below", ((8, 7), 3, 3)
    yield "one pixel short of another window", ((9, 13), 4, 5)
    yield "lower than the window", ((3, 9), 4, 2)
    yield "narrower than the window", ((9, 3), 4, 2)
    yield "no pixels at all", ((0, 0), 1, 1)
    for _ in range(6):
        height, width = torch.randint(4, 16, (2,), generator=generator).tolist()
        window, stride = torch.randint(1, 7, (2,), generator=generator).tolist()
        yield "random", ((height, width), window, stride)


def _windows(size_hw, window, stride, until=lambda side, window: side - window + 1, by_column=False, row=None, edge=False):
    """The right windows with one thing at a time to get wrong."""
    height, width = size_hw
    row = row or (lambda x, y, w: (x, y, x + w, y + w))

    def starts(side):
        found = list(range(0, until(side, window), stride))
        return [*found, side - window] if edge and found and found[-1] + window < side else found

    pairs = [(x, y) for y in starts(height) for x in starts(width)]
    if by_column:
        pairs = [(x, y) for x in starts(width) for y in starts(height)]
    return torch.tensor([row(x, y, window) for x, y in pairs], dtype=torch.int64).reshape(-1, 4)


def windows_by_column(size_hw, window, stride):
    return _windows(size_hw, window, stride, by_column=True)


def windows_of_the_turned_picture(size_hw, window, stride):
    return _windows(size_hw[::-1], window, stride)


def windows_without_the_last(size_hw, window, stride):
    return _windows(size_hw, window, stride, until=lambda side, window: side - window)


def windows_that_stick_out(size_hw, window, stride):
    return _windows(size_hw, window, stride, until=lambda side, window: side)


def windows_cut_at_the_edge(size_hw, window, stride):
    height, width = size_hw
    cut = lambda x, y, w: (x, y, min(x + w, width), min(y + w, height))  # noqa: E731
    return _windows(size_hw, window, stride, until=lambda side, window: side, row=cut)


def windows_up_to_the_edge(size_hw, window, stride):
    return _windows(size_hw, window, stride, edge=True)


def windows_as_corner_and_size(size_hw, window, stride):
    return _windows(size_hw, window, stride, row=lambda x, y, w: (x, y, w, w))


def windows_y_first(size_hw, window, stride):
    return _windows(size_hw, window, stride, row=lambda x, y, w: (y, x, y + w, x + w))


def windows_to_the_last_pixel(size_hw, window, stride):
    return _windows(size_hw, window, stride, row=lambda x, y, w: (x, y, x + w - 1, y + w - 1))


def windows_side_by_side(size_hw, window, stride):
    return _windows(size_hw, window, window)


def windows_without_a_shape(size_hw, window, stride):
    found = _windows(size_hw, window, stride)
    return found if len(found) else torch.tensor([])


windows = Exercise(
    name="14.windows",
    reference=blocks.windows,
    cases=windows_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "column-by-column",
            windows_by_column,
            "The right windows in another order: yours go down first. A map is laid out row by row, so x must run fastest.",
        ),
        Misconception(
            "height-and-width-swapped",
            windows_of_the_turned_picture,
            "You slid over a picture that lies on its side. `size_hw` is (height, width); which of the two bounds x?",
        ),
        Misconception(
            "last-one-missing",
            windows_without_the_last,
            "The window that ends exactly at the edge is missing. `range` stops before its end: what is the last x that it must hold?",
        ),
        Misconception(
            "sticking-out",
            windows_that_stick_out,
            "Some windows reach beyond the picture. The last window may begin `window` pixels before the edge, not later.",
        ),
        Misconception(
            "cut-at-the-edge",
            windows_cut_at_the_edge,
            "Some of your windows are smaller than the others: cut at the edge. A classifier wants all of one size; leave those out.",
        ),
        Misconception(
            "moved-to-the-edge",
            windows_up_to_the_edge,
            "You added a last window that ends at the edge. It is a good habit for covering a picture, but it breaks the even steps, and "
            "the windows no longer form a map. Here what is left over is not looked at.",
        ),
        Misconception(
            "corner-and-size",
            windows_as_corner_and_size,
            "Your rows are x, y, width, height. Boxes here are two corners (notebook 13).",
        ),
        Misconception("y-first", windows_y_first, "Your rows begin with y. A box is x1, y1, x2, y2."),
        Misconception(
            "last-pixel",
            windows_to_the_last_pixel,
            "Your windows are one pixel too small: a window of 2 pixels that begins at 0 ends at 2 (half-open).",
        ),
        Misconception(
            "side-by-side",
            windows_side_by_side,
            "Your steps are as long as the window. That is what `stride` is for.",
        ),
        Misconception(
            "no-shape",
            windows_without_a_shape,
            "Where no window fits, the answer still has four columns and whole numbers: (0, 4), int64.",
        ),
    ],
    hints=[
        "Two loops: y outside, x inside. How far may each run, so that a whole window still fits?",
        "`range(0, width - window + 1, stride)` for x, likewise for y; collect (x, y, x + window, y + window).",
        "`torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)` has four columns even when `rows` is empty.",
    ],
    points=2,
    twins=(blocks.places, "coursekit.data.tiles.tile_windows"),
)

# --- pyramid_sizes


def sizes_cases(generator):
    """(label, arguments) for pyramid_sizes: halves, sizes at the limit, scales in any order."""
    yield "no scales", ((100, 60), [], 8)
    yield "the picture itself", ((100, 60), [1.0], 8)
    yield "twice, once, half", ((100, 60), [2.0, 1.0, 0.5], 8)
    yield "halves go up", ((25, 35), [0.5, 0.1], 1)
    yield "less than a half goes down", ((101, 33), [0.3], 1)
    yield "more than a half goes up", ((99, 44), [0.4], 1)
    yield "just large enough", ((64, 96), [0.5], 32)
    yield "large enough only after rounding", ((63, 96), [0.5], 32)
    yield "high enough, not wide enough", ((96, 60), [1.0, 0.5], 32)
    yield "wide enough, not high enough", ((60, 96), [1.0, 0.5], 32)
    yield "a small scale before a large one", ((64, 64), [0.25, 1.0, 0.4, 0.75], 32)
    for _ in range(4):
        size = tuple(torch.randint(20, 90, (2,), generator=generator).tolist())
        yield "random", (size, [round(s, 2) for s in (0.2 + 1.5 * torch.rand(4, generator=generator)).tolist()], 24)


def _sizes(
    size_hw, scales, window, whole=lambda value: math.floor(value + 0.5), fits=lambda height, width, window: min(height, width) >= window
):
    found = [tuple(whole(side * scale) for side in size_hw) for scale in scales]
    return [size for size in found if fits(*size, window)]


def sizes_cut_off(size_hw, scales, window):
    return _sizes(size_hw, scales, window, int)


def sizes_rounded_by_python(size_hw, scales, window):
    return _sizes(size_hw, scales, window, round)


def sizes_rounded_up(size_hw, scales, window):
    return _sizes(size_hw, scales, window, lambda value: math.ceil(value - 1e-9))


def sizes_one_side_is_enough(size_hw, scales, window):
    return _sizes(size_hw, scales, window, fits=lambda height, width, window: max(height, width) >= window)


def sizes_only_larger(size_hw, scales, window):
    return _sizes(size_hw, scales, window, fits=lambda height, width, window: min(height, width) > window)


def sizes_all_kept(size_hw, scales, window):
    return _sizes(size_hw, scales, window, fits=lambda height, width, window: True)


def sizes_until_too_small(size_hw, scales, window):
    found = []
    for scale in scales:
        one = _sizes(size_hw, [scale], window)
        if not one:
            break
        found += one
    return found


def sizes_divided(size_hw, scales, window):
    return _sizes(size_hw, [1 / scale for scale in scales], window)


def sizes_step_by_step(size_hw, scales, window):
    found = []
    for scale in scales:
        size_hw = tuple(math.floor(side * scale + 0.5) for side in size_hw)
        if min(size_hw) >= window:
            found.append(size_hw)
    return found


pyramid_sizes = Exercise(
    name="14.pyramid_sizes",
    reference=sizes.pyramid_sizes,
    cases=sizes_cases,
    compare=Exact(),
    misconceptions=[
        Misconception("cut-off", sizes_cut_off, "You cut the fraction off: 19.8 pixels become 19. Round to the nearest whole pixel."),
        Misconception(
            "rounded-to-even",
            sizes_rounded_by_python,
            "12.5 became 12, and 17.5 became 18: Python's `round` takes halves to the even neighbour. Here halves go up: "
            "`math.floor(x + 0.5)`.",
        ),
        Misconception("rounded-up", sizes_rounded_up, "You round up always: 30.3 pixels become 31. Round to the nearest whole pixel."),
        Misconception(
            "one-side-is-enough",
            sizes_one_side_is_enough,
            "You kept a size in which no window fits: it is wide enough but not high enough, or the other way round. Both sides must be.",
        ),
        Misconception(
            "only-larger",
            sizes_only_larger,
            "A picture exactly as large as the window holds one window. You left it out.",
        ),
        Misconception("all-kept", sizes_all_kept, "You kept sizes in which no window fits. What is the smallest side that is of use?"),
        Misconception(
            "stopped-early",
            sizes_until_too_small,
            "You stopped at the first size that is too small. Scales may come in any order: skip it and go on.",
        ),
        Misconception("divided", sizes_divided, "You divided by the scale. A scale of 0.5 halves the picture."),
        Misconception(
            "step-by-step",
            sizes_step_by_step,
            "Each size was made from the one before. Every scale belongs to the picture itself.",
        ),
    ],
    hints=[
        "For each scale: both sides times the scale, rounded. Then ask whether a whole window fits.",
        "`math.floor(side * scale + 0.5)` rounds halves up; `min(height, width) >= window` says whether a window fits.",
    ],
    points=1,
)
