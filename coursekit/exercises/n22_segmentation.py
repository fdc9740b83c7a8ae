"""Exercises of notebook 22_segmentation: counting pixels, and adding a fine map to a coarse one. Others: n22_segmentation_*.py."""

import numpy as np
import torch
from torch.nn import functional as F

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.metrics import segmentation as measure
from coursekit.segmentation.fcn import upsample_add

# --- IoU by class


def iou_cases(generator):
    """(label, arguments) for iou_by_class: one thing at a time, then random maps with void."""

    def maps(truth, predicted):
        return np.array(truth, dtype=np.int64), np.array(predicted, dtype=np.int64)

    yield "one pixel too many", (*maps([[0, 0, 1, 1]], [[0, 1, 1, 1]]), 2, 255)
    yield "one pixel too few", (*maps([[0, 0, 1, 1]], [[0, 0, 0, 1]]), 2, 255)
    yield "all right", (*maps([[0, 1], [2, 2]], [[0, 1], [2, 2]]), 3, 255)
    yield "a class that is there and never said", (*maps([[0, 1, 1, 2]], [[0, 1, 1, 0]]), 3, 255)
    yield "a class that is said and never there", (*maps([[0, 1, 1, 1]], [[0, 1, 1, 2]]), 3, 255)
    yield "a class that is nowhere", (*maps([[0, 1, 1, 1]], [[0, 0, 1, 1]]), 4, 255)
    yield "void, and a class said on it", (*maps([[0, 0, 255, 255, 1, 1]], [[0, 1, 1, 1, 1, 1]]), 2, 255)
    yield "void has another number", (*maps([[0, 2, 2, 1]], [[0, 1, 0, 1]]), 2, 2)
    yield "two pictures: all pixels together", (*maps([[[0, 0, 0, 1]], [[1, 1, 1, 1]]], [[[0, 0, 0, 0]], [[1, 1, 1, 0]]]), 2, 255)
    for classes in (3, 4):
        truth = torch.randint(0, classes, (2, 5, 6), generator=generator).numpy()
        predicted = torch.randint(0, classes, (2, 5, 6), generator=generator).numpy()
        truth[torch.rand(2, 5, 6, generator=generator).numpy() < 0.2] = 255
        yield "random", (truth, predicted, classes, 255)


def _ious(truth, predicted, num_classes, ignore_index, ratio, void=False, absent=np.nan):
    """The right loop with one thing to get wrong: what is divided by what, void counted, what stands for a class that is nowhere."""
    known = np.full(truth.shape, True) if void else truth != ignore_index
    truth, predicted, ious = truth[known], predicted[known], np.full(num_classes, absent)
    for k in range(num_classes):
        true, said = truth == k, predicted == k
        above, below = ratio((true & said).sum(), true.sum(), said.sum())
        if below > 0:
            ious[k] = above / below
        elif (true | said).any():
            ious[k] = 0.0
    return ious


def _right(shared, true, said):
    return shared, true + said - shared


def iou_void_counted(truth, predicted, num_classes, ignore_index):
    return _ious(truth, predicted, num_classes, ignore_index, _right, void=True)


def iou_absent_is_zero(truth, predicted, num_classes, ignore_index):
    return _ious(truth, predicted, num_classes, ignore_index, _right, absent=0.0)


def iou_as_dice(truth, predicted, num_classes, ignore_index):
    return _ious(truth, predicted, num_classes, ignore_index, lambda shared, true, said: (2 * shared, true + said))


def iou_as_recall(truth, predicted, num_classes, ignore_index):
    return _ious(truth, predicted, num_classes, ignore_index, lambda shared, true, said: (shared, true))


def iou_as_precision(truth, predicted, num_classes, ignore_index):
    return _ious(truth, predicted, num_classes, ignore_index, lambda shared, true, said: (shared, said))


def iou_shared_counts_twice(truth, predicted, num_classes, ignore_index):
    return _ious(truth, predicted, num_classes, ignore_index, lambda shared, true, said: (shared, true + said))


def iou_mean_of_rows(truth, predicted, num_classes, ignore_index):
    if truth.ndim < 3:
        return _ious(truth, predicted, num_classes, ignore_index, _right)
    each = np.stack([_ious(t, p, num_classes, ignore_index, _right) for t, p in zip(truth, predicted, strict=True)])
    there = ~np.isnan(each)
    return np.divide(np.nan_to_num(each).sum(axis=0), there.sum(axis=0), out=np.full(num_classes, np.nan), where=there.any(axis=0))


iou_by_class = Exercise(
    name="22.iou_by_class",
    reference=measure.iou_by_class,
    cases=iou_cases,
    compare=Close(rtol=1e-6, atol=1e-9),
    misconceptions=[
        Misconception(
            "void-counted",
            iou_void_counted,
            "Pixels whose truth is void still count against you. Take them out of truth *and* prediction before you count anything.",
        ),
        Misconception(
            "absent-is-zero",
            iou_absent_is_zero,
            "A class that is neither there nor said got 0. Nothing was asked and nothing was wrong: NaN, which `np.nanmean` leaves out.",
        ),
        Misconception(
            "dice",
            iou_as_dice,
            "That is Dice (F1): 2 * shared / (true + said). IoU divides the shared pixels by those of the union.",
        ),
        Misconception(
            "recall",
            iou_as_recall,
            "You divided by the true pixels only, so saying a class too often costs it nothing. What does the union hold besides them?",
        ),
        Misconception(
            "precision",
            iou_as_precision,
            "You divided by the pixels that were said, so missing most of a class costs it nothing. What does the union hold besides them?",
        ),
        Misconception(
            "shared-counts-twice",
            iou_shared_counts_twice,
            "A perfect class got one half. The shared pixels are among the true and among the said: how often may the union count them?",
        ),
        Misconception(
            "mean-over-pictures",
            iou_mean_of_rows,
            "You measured each picture and took the mean. Here all pixels of all pictures are counted together, and divided once.",
        ),
    ],
    hints=[
        "First throw the void pixels out of both maps: `known = truth != ignore_index`, then `truth[known]` and `predicted[known]`.",
        "For class k: `(truth == k) & (predicted == k)` is what is shared, `(truth == k) | (predicted == k)` is the union. Sum both.",
        "Begin with `np.full(num_classes, np.nan)` and write a number only where the union is not empty.",
    ],
    points=3,
    twins=("sklearn.metrics.jaccard_score", measure.pixel_confusion, measure.iou_of_confusion),
    equivalent={"if union >= 0:": "0 / 0 is NaN, which stands there already"},
)

# --- the skip


def upsample_cases(generator):
    """(label, arguments) for upsample_add: small whole numbers, even and odd sizes, more than one channel."""

    def ones(*shape):
        return torch.ones(*shape)

    yield "a constant stays a constant", (torch.full((1, 1, 2, 2), 3.0), ones(1, 1, 4, 4))
    yield "one step, enlarged twice", (torch.tensor([[[[0.0, 8.0]]]]), torch.zeros(1, 1, 2, 4))
    yield "the fine map counts as it is", (torch.zeros(1, 1, 1, 1), torch.arange(4.0).reshape(1, 1, 2, 2))
    yield "an odd size", (torch.tensor([[[[0.0, 4.0], [8.0, 12.0]]]]), ones(1, 1, 3, 5))
    yield "four times as large", (torch.tensor([[[[0.0, 8.0]]]]), ones(1, 1, 4, 8))
    yield "already of one size", (ones(1, 2, 2, 3), ones(1, 2, 2, 3))
    yield "random", (torch.rand(2, 3, 3, 4, generator=generator), torch.rand(2, 3, 6, 8, generator=generator))
    yield "random, odd", (torch.rand(2, 3, 3, 4, generator=generator), torch.rand(2, 3, 5, 9, generator=generator))


def upsample_by_two(coarse, fine):
    return F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False) + fine


def upsample_nearest(coarse, fine):
    return F.interpolate(coarse, size=fine.shape[2:], mode="nearest") + fine


def upsample_aligned(coarse, fine):
    return F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=True) + fine


def upsample_shrinks_the_fine(coarse, fine):
    return coarse + F.interpolate(fine, size=coarse.shape[2:], mode="bilinear", align_corners=False)


def upsample_concatenates(coarse, fine):
    return torch.cat([F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False), fine], dim=1)


def upsample_only(coarse, fine):
    return F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False)


def upsample_averages(coarse, fine):
    return (F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False) + fine) / 2


upsample_add_exercise = Exercise(
    name="22.upsample_add",
    reference=upsample_add,
    cases=upsample_cases,
    compare=Close(rtol=1e-5, atol=1e-5),
    misconceptions=[
        Misconception(
            "always-twice",
            upsample_by_two,
            "You enlarge by 2, whatever is asked. A halving rounds odd sizes up, so the way back must aim at the *size* of the fine map.",
        ),
        Misconception("nearest", upsample_nearest, "You repeat pixels. Bilinear goes over smoothly from one to the next: which `mode`?"),
        Misconception(
            "corners-aligned",
            upsample_aligned,
            "With `align_corners=True` the centres of the corner pixels are nailed to the corners, and the rest is stretched. Pixels are "
            "little squares here: `align_corners=False`.",
        ),
        Misconception(
            "fine-made-coarse",
            upsample_shrinks_the_fine,
            "You made the fine map small, and with it lost what it is there for. The coarse one must grow.",
        ),
        Misconception(
            "concatenated",
            upsample_concatenates,
            "You laid the maps beside each other: that is U-Net's way, and comes next. Here they are added, channel by channel.",
        ),
        Misconception("fine-forgotten", upsample_only, "The fine map has no say in your answer. Enlarge, then add."),
        Misconception("averaged", upsample_averages, "You halved the sum. Scores are added: a class is what both together vote for."),
    ],
    hints=[
        "`F.interpolate` enlarges. Give it the `size` that is wanted, not a factor.",
        "The size of a map is what follows N and C: `fine.shape[2:]`. And `mode=` must say which way of enlarging.",
    ],
    points=1,
)
