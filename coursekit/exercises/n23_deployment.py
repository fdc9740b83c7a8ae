"""Exercise of notebook 23_deployment: preprocess_in_graph, from a decoder's bytes to what the network takes."""

import torch
from torch.nn import functional as F

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.serving.preprocess import preprocess_in_graph

GREY = 114
SHAPES = ((2, 7, 12, 5), (1, 13, 9, 8), (1, 6, 4, 11))  # batch, height, width, size; no side comes to a half


def preprocess_cases(generator):
    """(label, arguments) for preprocess_in_graph: one case for each rule, then random pictures."""

    def picture(height, width, batch=1):
        return torch.randint(0, 256, (batch, height, width, 3), generator=generator, dtype=torch.uint8)

    yield "a white square", (torch.full((1, 4, 4, 3), 255, dtype=torch.uint8), 4)
    yield "red on the left, blue on the right", (torch.tensor([[[[255, 0, 0], [0, 0, 255]]] * 2], dtype=torch.uint8), 2)
    yield "wide: bars above and below", (picture(4, 8), 8)
    yield "tall: bars on both sides", (picture(8, 4), 8)
    yield "three rows are left over", (picture(5, 8), 8)
    yield "three columns are left over", (picture(8, 5), 8)
    yield "0.75 of 9 rows", (picture(9, 16), 12)  # 6.75 rows: rounded, not cut off
    yield (
        "stripes of one pixel, four times smaller",
        (torch.tensor([0, 255], dtype=torch.uint8).repeat(8)[None, None, :, None].expand(1, 16, 16, 3), 4),
    )
    yield "made larger", (picture(3, 2), 6)
    yield "as wide as a line", (picture(1, 24), 8)  # a third of a row
    yield "as tall as a line", (torch.full((1, 24, 1, 3), 200, dtype=torch.uint8), 8)  # of one colour, see resize_image about such results
    yield "two pictures", (picture(4, 6, batch=2), 6)
    for batch, height, width, size in SHAPES:
        yield "random", (picture(height, width, batch), size)


def _prepared(pixels, size, images=None, whole=round, least=1, longest=max, fill=GREY / 255, split=lambda rest: rest // 2, **resize):
    """The right answer, but for what is given otherwise."""
    images = pixels.permute(0, 3, 1, 2).float() / 255 if images is None else images
    height, width = images.shape[2:]
    scale = size / longest(height, width)
    new_h, new_w = max(least, whole(height * scale)), max(least, whole(width * scale))
    options = {"mode": "bilinear", "antialias": True} | resize
    resized = F.interpolate(images, size=(new_h, new_w), **options)
    top, left = split(size - new_h), split(size - new_w)
    return F.pad(resized, (left, size - new_w - left, top, size - new_h - top), value=fill)


def prepare_reinterpreted(pixels, size):
    batch, height, width, channels = pixels.shape
    return _prepared(pixels, size, images=pixels.reshape(batch, channels, height, width).float() / 255)


def prepare_sides_swapped(pixels, size):
    return _prepared(pixels, size, images=pixels.permute(0, 3, 2, 1).float() / 255)


def prepare_bgr(pixels, size):
    return _prepared(pixels.flip(3), size)


def prepare_not_scaled(pixels, size):
    return _prepared(pixels, size, images=pixels.permute(0, 3, 1, 2).float(), fill=float(GREY))


def prepare_scaled_twice(pixels, size):
    return _prepared(pixels, size) / 255


def prepare_around_zero(pixels, size):
    return 2 * _prepared(pixels, size) - 1


def prepare_stretched(pixels, size):
    return F.interpolate(pixels.permute(0, 3, 1, 2).float() / 255, size=(size, size), mode="bilinear", antialias=True)


def prepare_cropped(pixels, size):
    return _prepared(pixels, size, longest=min)


def prepare_aliased(pixels, size):
    return _prepared(pixels, size, antialias=False)


def prepare_nearest(pixels, size):
    return _prepared(pixels, size, mode="nearest", antialias=False)


def prepare_corners_aligned(pixels, size):
    return _prepared(pixels, size, align_corners=True)


def prepare_cut_off(pixels, size):
    return _prepared(pixels, size, whole=int)


def prepare_black_bars(pixels, size):
    return _prepared(pixels, size, fill=0.0)


def prepare_glaring_bars(pixels, size):
    return _prepared(pixels, size, fill=float(GREY))


def prepare_in_the_corner(pixels, size):
    return _prepared(pixels, size, split=lambda rest: 0)


def prepare_larger_bar_first(pixels, size):
    return _prepared(pixels, size, split=lambda rest: (rest + 1) // 2)


def prepare_no_least(pixels, size):
    return _prepared(pixels, size, least=0)


preprocess_exercise = Exercise(
    name="23.preprocess_in_graph",
    reference=preprocess_in_graph,
    cases=preprocess_cases,
    compare=Close(atol=1e-4),
    misconceptions=[
        Misconception(
            "reinterpreted",
            prepare_reinterpreted,
            "You gave the bytes another shape where they lie, so red, green and blue of neighbours became one channel. What moves an axis?",
        ),
        Misconception("sides-swapped", prepare_sides_swapped, "Your pictures lie on their side. Which axis is height, before and after?"),
        Misconception("bgr", prepare_bgr, "Red came out where blue belongs. These pixels are RGB already; who wants BGR?"),
        Misconception("not-scaled", prepare_not_scaled, "White came out as 255. What did the network call white in training?"),
        Misconception(
            "scaled-twice", prepare_scaled_twice, "White came out as 1/255: everything is nearly black. How often did you divide?"
        ),
        Misconception(
            "around-zero",
            prepare_around_zero,
            "Black came out as -1. Some networks are trained like that, ours was not. Where does its range begin?",
        ),
        Misconception(
            "stretched", prepare_stretched, "A wide picture filled the whole square: its signs became tall. One scale for both sides."
        ),
        Misconception("cropped", prepare_cropped, "Parts of the picture are gone. Is it the shorter side that must fit, or the longer?"),
        Misconception(
            "no-antialias",
            prepare_aliased,
            "Made four times smaller, fine stripes came out wrong: each new pixel looked at two old ones only. Who averages over all?",
        ),
        Misconception(
            "nearest", prepare_nearest, "Your pixels are copies of single old ones. Training saw them averaged: which `mode` does that?"
        ),
        Misconception(
            "corners-aligned",
            prepare_corners_aligned,
            "You laid the outermost *centres* on each other. Pixels are little squares here: leave `align_corners` alone.",
        ),
        Misconception("cut-off", prepare_cut_off, "6.75 rows became 6. To the nearest whole pixel, please: `int` cuts off."),
        Misconception("black-bars", prepare_black_bars, "Your bars are black. Training filled them with grey, 114 of 255."),
        Misconception(
            "glaring-bars", prepare_glaring_bars, "Your bars are 114 where white is 1. In which units is the rest of the canvas?"
        ),
        Misconception(
            "in-the-corner", prepare_in_the_corner, "The picture lies in the corner. How much goes before it, and how much after?"
        ),
        Misconception(
            "larger-bar-first", prepare_larger_bar_first, "Three rows are left over. One goes above and two below, not the reverse."
        ),
        Misconception("no-least", prepare_no_least, "A third of a row was rounded to no row at all, and the resize failed. At least 1."),
    ],
    hints=[
        "Four steps: axes and 0..1, the new height and width, the resize, the bars. Print the shape after each.",
        "`scale = size / max(height, width)`; both new sides are `max(1, round(side * scale))`.",
        "`F.interpolate(..., mode='bilinear', antialias=True)`, then `F.pad(x, (left, right, top, bottom), value=114 / 255)`.",
    ],
    points=3,
)
