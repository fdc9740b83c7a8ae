"""Exercises of notebook 22_segmentation about masks: their IoU, and how they are stored."""

import numpy as np
import torch

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.metrics.segmentation import mask_iou
from coursekit.segmentation.masks import rle_encode


def grid(*rows):
    return np.array([[c == "1" for c in row] for row in rows])


# --- mask IoU


def mask_iou_cases(generator):
    """(label, arguments) for mask_iou: masks of a few pixels, other counts on both sides, empty ones."""
    left, right, ring = grid("1100", "1100"), grid("0110", "0110"), grid("1111", "1001")
    yield "half of each is shared", (left[None], right[None])
    yield "the same mask", (left[None], left[None])
    yield "apart", (grid("1000", "0000")[None], grid("0001", "0001")[None])
    yield "one inside the other", (grid("1111", "1111")[None], right[None])
    yield "one box, other pixels", (ring[None], grid("0000", "1111")[None])
    yield "three against two", (np.stack([left, right, ring]), np.stack([right, ring]))
    yield "one of them empty", (np.stack([left, np.zeros_like(left)]), right[None])
    yield "both empty", (np.zeros((1, 2, 4), dtype=bool), np.zeros((1, 2, 4), dtype=bool))
    yield "masks of one pixel", (np.stack([grid("1000", "0000"), grid("0000", "0001")]), grid("1000", "0000")[None])
    yield "no masks at all", (np.zeros((0, 2, 4), dtype=bool), right[None])
    for share in (0.3, 0.6):
        yield "random", tuple(torch.rand(n, 5, 6, generator=generator).numpy() < share for n in (3, 2))


def _table(masks1, masks2, ratio):
    return np.array([[ratio(a, b) for b in masks2] for a in masks1], dtype=np.float64).reshape(len(masks1), len(masks2))


def _share(above, below, empty=0.0):
    return above / below if below else empty


def iou_of_their_boxes(masks1, masks2):
    def box(mask):
        filled = np.zeros_like(mask)
        if mask.any():
            y, x = np.nonzero(mask)
            filled[y.min() : y.max() + 1, x.min() : x.max() + 1] = True
        return filled

    return _table(masks1, masks2, lambda a, b: _share((box(a) & box(b)).sum(), (box(a) | box(b)).sum()))


def iou_sum_below(masks1, masks2):
    return _table(masks1, masks2, lambda a, b: _share((a & b).sum(), a.sum() + b.sum()))


def iou_dice(masks1, masks2):
    return _table(masks1, masks2, lambda a, b: _share(2 * (a & b).sum(), a.sum() + b.sum()))


def iou_agreement(masks1, masks2):
    return _table(masks1, masks2, lambda a, b: float((a == b).mean()))


def iou_nan_for_empty(masks1, masks2):
    return _table(masks1, masks2, lambda a, b: _share((a & b).sum(), (a | b).sum(), np.nan))


def iou_one_for_empty(masks1, masks2):
    return _table(masks1, masks2, lambda a, b: _share((a & b).sum(), (a | b).sum(), 1.0))


def iou_transposed(masks1, masks2):
    return mask_iou(masks2, masks1)


mask_iou_exercise = Exercise(
    name="22.mask_iou",
    reference=mask_iou,
    cases=mask_iou_cases,
    compare=Close(rtol=1e-6, atol=1e-9),
    misconceptions=[
        Misconception(
            "iou-of-boxes",
            iou_of_their_boxes,
            "You compared the boxes around the masks. A ring and the bar across it have nearly one box, and few pixels in common.",
        ),
        Misconception(
            "shared-counts-twice",
            iou_sum_below,
            "A mask against itself gives you one half. In the sum of both areas the shared pixels are counted twice.",
        ),
        Misconception("dice", iou_dice, "That is Dice, 2 * shared / (a + b). IoU divides by the union, where every pixel counts once."),
        Misconception(
            "background-agrees",
            iou_agreement,
            "Pixels that are in neither mask made your score better. In a large picture any two small masks would be nearly equal.",
        ),
        Misconception("nan-for-empty", iou_nan_for_empty, "Two empty masks gave NaN: 0 / 0. They share nothing: 0, as pycocotools has it."),
        Misconception("empty-is-perfect", iou_one_for_empty, "Two empty masks gave 1. They share no pixel: 0, as pycocotools has it."),
        Misconception("rows-and-columns", iou_transposed, "Row i is for mask i of the *first* argument: (N, M). Yours is (M, N)."),
    ],
    hints=[
        "One pair first: `(a & b).sum()` over `(a | b).sum()`. Then think how all pairs go at once, as in `box_iou`.",
        "`masks1[:, None] & masks2[None]` is (N, M, H, W). Sum over its last two axes.",
        "Flattened to (N, H * W) and (M, H * W) as floats, a matrix product counts the shared pixels of every pair.",
    ],
    points=2,
    twins=("pycocotools.mask.iou", "sklearn.metrics.jaccard_score"),
    equivalent={
        "return np.where(union >= 0, shared / np.maximum(union, 1), 0.0)": "nothing shared over 1 is 0 as well",
        "return np.where(union > 0, shared / np.maximum(union, 0), 0.0)": "the NaN of an empty union is not chosen",
    },
)

# --- run lengths


def rle_cases(generator):
    """(label, arguments) for rle_encode: what begins with 1, what ends with 0, and masks that differ from their transpose."""
    yield "a square", (grid("0000", "0110", "0110", "0000"),)
    yield "columns before rows", (grid("0100", "0100", "0000"),)
    yield "begins with a one", (grid("100", "000"),)
    yield "ends with a one", (grid("000", "001"),)
    yield "empty", (grid("000", "000"),)
    yield "full", (grid("111", "111"),)
    yield "a run that goes over into the next column", (grid("000", "010", "110"),)
    yield "two objects", (grid("10001", "10001"),)
    yield "one pixel that is not", (grid("0"),)
    yield "one pixel that is", (grid("1"),)
    for share in (0.3, 0.7):
        yield "random", (torch.rand(4, 5, generator=generator).numpy() < share,)


def _runs(pixels):
    values, counts = [], []
    for pixel in pixels:
        if values and values[-1] == pixel:
            counts[-1] += 1
        else:
            values.append(bool(pixel))
            counts.append(1)
    return values, counts


def rle_along_rows(mask):
    return rle_encode(mask.T)


def rle_without_leading_zero(mask):
    return _runs(mask.T.ravel())[1]


def rle_last_run_lost(mask):
    return rle_encode(mask)[:-1]


def rle_begins_with_ones(mask):
    values, counts = _runs(mask.T.ravel())
    return counts if values[0] else [0, *counts]


def rle_starts_and_lengths(mask):
    values, counts = _runs(mask.T.ravel())
    starts = [1 + sum(counts[:i]) for i in range(len(counts))]
    return [number for value, start, count in zip(values, starts, counts, strict=True) if value for number in (start, count)]


def rle_only_the_ones(mask):
    values, counts = _runs(mask.T.ravel())
    return [count for value, count in zip(values, counts, strict=True) if value]


def rle_places_of_change(mask):
    counts = rle_encode(mask)
    return [sum(counts[: i + 1]) for i in range(len(counts))]


rle_encode_exercise = Exercise(
    name="22.rle_encode",
    reference=rle_encode,
    cases=rle_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "along-the-rows",
            rle_along_rows,
            "You walked along the rows. COCO walks down the columns, because its C code came from MATLAB: `mask.T` before you flatten.",
        ),
        Misconception(
            "no-leading-zero",
            rle_without_leading_zero,
            "The first number is always a count of *zeros*. A mask that begins with a one begins with none of them: 0.",
        ),
        Misconception(
            "last-run-lost",
            rle_last_run_lost,
            "Your numbers do not sum to H * W: the last run is still in your hand when the pixels are over.",
        ),
        Misconception(
            "ones-first",
            rle_begins_with_ones,
            "Your first number counts ones. In COCO it counts zeros, even where there are none.",
        ),
        Misconception(
            "starts-and-lengths",
            rle_starts_and_lengths,
            "You wrote where each run of ones begins and how long it is: the format of many Kaggle contests, and another one. COCO writes "
            "only lengths, of zeros and ones in turn.",
        ),
        Misconception("only-ones", rle_only_the_ones, "You kept the runs of ones. Without those of zeros nobody knows where they are."),
        Misconception("places", rle_places_of_change, "You wrote where runs end. What is stored is how long each one is."),
    ],
    hints=[
        "Down the columns: `mask.T.ravel()`. Check with a mask of 2 x 3 on paper.",
        "Walk with three things in hand: the value of the run you are in (at first False), its length so far, the finished lengths.",
        "When a pixel differs from the value of the run: append the length, take the new value, begin at 1. At the end append once more.",
    ],
    points=3,
    twins=("pycocotools.mask.encode",),
)
