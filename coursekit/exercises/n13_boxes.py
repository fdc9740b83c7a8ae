"""The first exercise of notebook 13_boxes: formats. The others are in n13_boxes_iou.py, n13_boxes_nms.py and n13_boxes_simple_ap.py."""

import torch

from coursekit import boxes as blocks
from coursekit.exercises.core import Close, Exercise, Misconception


def box_convert_cases(generator):
    """(label, arguments) for box_convert: every direction on boxes that start away from 0, so that a corner is never a size."""

    def boxes(*rows):
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)

    yield "two corners to corner and size", (boxes([2, 3, 6, 11]), "xyxy", "xywh")
    yield "corner and size to two corners", (boxes([2, 3, 4, 8]), "xywh", "xyxy")
    yield "two corners to centre and size", (boxes([2, 3, 6, 11]), "xyxy", "cxcywh")
    yield "centre and size to two corners", (boxes([4, 7, 4, 8]), "cxcywh", "xyxy")
    yield "corner and size to centre and size", (boxes([2, 3, 4, 8]), "xywh", "cxcywh")
    yield "centre and size to corner and size", (boxes([4, 7, 4, 8]), "cxcywh", "xywh")
    yield "odd sizes: the centre lies between pixels", (boxes([1, 2, 4, 7]), "xyxy", "cxcywh")
    yield "odd sizes, the other way", (boxes([2.5, 4.5, 3, 5]), "cxcywh", "xyxy")
    for fmt in blocks.FORMATS:
        yield f"from {fmt} to {fmt}: nothing to do", (boxes([4, 7, 5, 9]), fmt, fmt)
    yield "past the left and the upper edge", (boxes([-4, -2, 4, 6], [1, 2, 3, 9]), "xyxy", "cxcywh")
    yield "no boxes at all", (boxes(), "xywh", "xyxy")
    for in_fmt, out_fmt in (("xyxy", "cxcywh"), ("cxcywh", "xyxy"), ("xywh", "cxcywh"), ("cxcywh", "xywh")):
        yield f"random, {in_fmt} to {out_fmt}", (torch.rand(3, 4, generator=generator) * 64, in_fmt, out_fmt)


def _convert(boxes, in_fmt, out_fmt, half=0.5, extra=0.0):
    """The right conversion with two things to get wrong: what share of the size lies on each side of the centre, and added pixels."""
    a, b, c, d = boxes.unbind(dim=1)
    if in_fmt == "xywh":
        a, b, c, d = a, b, a + c - extra, b + d - extra
    elif in_fmt == "cxcywh":
        a, b, c, d = a - c * half, b - d * half, a + c * half, b + d * half
    if out_fmt == "xywh":
        c, d = c - a + extra, d - b + extra
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a + extra, d - b + extra
    return torch.stack((a, b, c, d), dim=1)


def convert_leaves_everything(boxes, in_fmt, out_fmt):
    return boxes.clone()


def convert_takes_the_centre_for_a_corner(boxes, in_fmt, out_fmt):
    in_fmt, out_fmt = ("xywh" if fmt == "cxcywh" else fmt for fmt in (in_fmt, out_fmt))
    return _convert(boxes, in_fmt, out_fmt)


def convert_forgets_the_half(boxes, in_fmt, out_fmt):
    return _convert(boxes, in_fmt, out_fmt, half=1.0)


def convert_counts_pixels(boxes, in_fmt, out_fmt):
    return _convert(boxes, in_fmt, out_fmt, extra=1.0)


def convert_puts_the_centre_at_half_the_size(boxes, in_fmt, out_fmt):
    result = _convert(boxes, in_fmt, out_fmt)
    if out_fmt == "cxcywh" and in_fmt != out_fmt:
        result[:, :2] = result[:, 2:] / 2
    return result


def convert_rounds_the_centre_down(boxes, in_fmt, out_fmt):
    result = _convert(boxes, in_fmt, out_fmt)
    if out_fmt == "cxcywh" and in_fmt != out_fmt:
        result[:, :2] = result[:, :2].floor()
    return result


def convert_swaps_width_and_height(boxes, in_fmt, out_fmt):
    result = _convert(boxes, in_fmt, out_fmt)
    return result[:, [0, 1, 3, 2]] if out_fmt != "xyxy" and in_fmt != out_fmt else result


box_convert = Exercise(
    name="13.box_convert",
    reference=blocks.box_convert,
    cases=box_convert_cases,
    compare=Close(rtol=1e-5, atol=1e-5),
    misconceptions=[
        Misconception(
            "unchanged",
            wrong=convert_leaves_everything,
            hint="The numbers came back as they went in. Which branch should have run? Compare `in_fmt` with the three names letter "
            "by letter.",
        ),
        Misconception(
            "centre-is-a-corner",
            wrong=convert_takes_the_centre_for_a_corner,
            hint="You treated cx, cy as the left upper corner. They are the middle: how far is the left edge from the middle of a box "
            "of width w?",
        ),
        Misconception(
            "half-forgotten",
            wrong=convert_forgets_the_half,
            hint="Your boxes are twice as wide as they should be. From the centre to the edge is only half of the width.",
        ),
        Misconception(
            "plus-one",
            wrong=convert_counts_pixels,
            hint="You counted the last pixel as well. Here a box from 2 to 6 is 4 wide, not 5: it ends where the next pixel begins.",
        ),
        Misconception(
            "centre-not-moved",
            wrong=convert_puts_the_centre_at_half_the_size,
            hint="w / 2 is the centre of a box that starts at 0. Yours starts at x1: where is the middle between x1 and x2?",
        ),
        Misconception(
            "whole-pixels",
            wrong=convert_rounds_the_centre_down,
            hint="The centre of a box from 1 to 4 is 2.5. You rounded it: `//` cuts the half off, `/` keeps it.",
        ),
        Misconception(
            "width-and-height-swapped",
            wrong=convert_swaps_width_and_height,
            hint="Width and height changed places. Width belongs to x and comes first.",
        ),
    ],
    hints=[
        (
            "Nine branches are too many. Go through one format in the middle: first turn whatever came in into two corners, then "
            "turn the corners into what is wanted."
        ),
        (
            "`a, b, c, d = boxes.unbind(dim=1)` gives four columns. From xywh the second corner is (a + c, b + d); from cxcywh the "
            "corners are a - c / 2 and a + c / 2."
        ),
        "On the way out: width is c - a, the centre is (a + c) / 2. `torch.stack((a, b, c, d), dim=1)` puts the columns together again.",
    ],
    points=2,
    twins=(
        "torchvision.ops.box_convert",
        *(f"torchvision.ops._box_convert._box_{way}" for way in ("xywh_to_xyxy", "xyxy_to_xywh", "cxcywh_to_xyxy", "xyxy_to_cxcywh")),
        "torchvision.transforms.v2.functional.convert_bounding_box_format",
        "torchvision.transforms.v2.functional._meta._convert_bounding_box_format",
        "torchvision.transforms.v2.ConvertBoundingBoxFormat",
    ),
)
