"""Answers of notebook 22 written in other ways pass; borrowed ones are refused; what people really type is rejected, mostly by its name."""

import itertools
import math

import numpy as np
import pytest
import sklearn.metrics
import torch
from pycocotools import mask as coco_masks
from torch.nn import functional as F

from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge
from coursekit.metrics import panoptic, segmentation
from coursekit.segmentation import fcn, losses, masks

# --- right, otherwise


def iou_by_bincount(truth, predicted, num_classes, ignore_index=255):
    known = truth != ignore_index
    table = np.zeros((num_classes, num_classes))
    np.add.at(table, (truth[known], predicted[known]), 1)
    inter = np.diag(table)
    with np.errstate(invalid="ignore"):
        return inter / (table.sum(0) + table.sum(1) - inter)  # 0 / 0 is NaN by itself


def iou_pixel_by_pixel(truth, predicted, num_classes, ignore_index=255):
    shared, union = [0] * num_classes, [0] * num_classes
    for t, p in zip(truth.ravel().tolist(), predicted.ravel().tolist(), strict=True):
        if t == ignore_index:
            continue
        shared[t] += t == p
        union[t] += 1
        union[p] += t != p
    return np.array([s / u if u else math.nan for s, u in zip(shared, union, strict=True)])


def upsample_with_a_module(coarse, fine):
    height, width = fine.shape[-2:]
    return torch.nn.Upsample((height, width), mode="bilinear")(coarse).add(fine)


def upsample_in_float64(coarse, fine):
    return F.interpolate(coarse.double(), fine.shape[-2:], mode="bilinear") + fine.double()


def upsample_by_matrices(coarse, fine):
    def matrix(small, large):
        rows = torch.zeros(large, small)
        for i in range(large):
            place = min(max((i + 0.5) * small / large - 0.5, 0), small - 1)
            low = int(place)
            rows[i, low] += 1 - (place - low)
            rows[i, min(low + 1, small - 1)] += place - low
        return rows

    return matrix(coarse.shape[2], fine.shape[2]) @ coarse @ matrix(coarse.shape[3], fine.shape[3]).T + fine


def dice_class_by_class(logits, target, smooth=1.0):
    p = torch.exp(logits - logits.logsumexp(dim=1, keepdim=True))
    total = 0
    for k in range(1, logits.shape[1]):
        true = (target == k).float()
        total += (2 * (p[:, k] * true).sum() + smooth) / (p[:, k].sum() + true.sum() + smooth)
    return 1 - total / (logits.shape[1] - 1)


def dice_flattened(logits, target, smooth=1.0):
    classes = logits.shape[1]
    p = F.softmax(logits, 1).transpose(0, 1).reshape(classes, -1)[1:]
    t = torch.stack([(target == k).reshape(-1) for k in range(1, classes)]).to(p.dtype)
    return torch.mean(1 - (2 * (p * t).sum(1) + smooth) / ((p + t).sum(1) + smooth))


def masks_by_matrix(masks1, masks2):
    a, b = (m.reshape(len(m), m.shape[1] * m.shape[2]).astype(np.float32) for m in (masks1, masks2))
    shared = a @ b.T
    union = a.sum(1, keepdims=True) + b.sum(1) - shared
    return np.where(union == 0, 0, shared / np.where(union == 0, 1, union))


def masks_by_loops(masks1, masks2):
    table = np.zeros((len(masks1), len(masks2)))
    for i, j in itertools.product(range(len(masks1)), range(len(masks2))):
        union = np.logical_or(masks1[i], masks2[j]).sum()
        if union:
            table[i, j] = np.logical_and(masks1[i], masks2[j]).sum() / union
    return table


def rle_by_differences(mask):
    pixels = np.concatenate([[0], mask.flatten(order="F").astype(int)])
    changes = np.flatnonzero(np.diff(pixels))
    return np.diff(np.concatenate([[0], changes, [mask.size]])).tolist()


def rle_by_groups(mask):
    counts = [(value, len(list(group))) for value, group in itertools.groupby(mask.T.reshape(-1).tolist())]
    runs = [count for _, count in counts]
    return [0] * counts[0][0] + runs


def rle_two_loops(mask):
    counts, last = [0], 0
    for x in range(mask.shape[1]):
        for y in range(mask.shape[0]):
            if mask[y, x] != last:
                counts.append(0)
                last = mask[y, x]
            counts[-1] += 1
    return counts


def pq_with_sets(truth, truth_classes, found, found_classes, num_classes):
    flat, said = truth.ravel().tolist(), found.ravel().tolist()
    void = {i for i, t in enumerate(flat) if t == 0}
    true = {n: {i for i, v in enumerate(flat) if v == n} for n in set(flat) - {0}}
    guess = {n: {i for i, v in enumerate(said) if v == n} for n in set(said) - {0}}
    result = np.full((3, num_classes), np.nan)
    for k in range(num_classes):
        mine = {n for n in true if truth_classes[n] == k}
        theirs = {n for n in guess if found_classes[n] == k}
        pairs = {}
        for t, f in itertools.product(mine, theirs):
            iou = len(true[t] & guess[f]) / len(true[t] | (guess[f] - void))
            if iou > 0.5:
                pairs[t, f] = iou
        lonely = theirs - {f for _, f in pairs}
        fp = sum(2 * len(guess[f] & void) <= len(guess[f]) for f in lonely)
        tp, fn = len(pairs), len(mine) - len(pairs)
        if tp + fp + fn:
            sq, rq = sum(pairs.values()) / max(tp, 1), tp / (tp + fp / 2 + fn / 2)
            result[:, k] = sq * rq, sq, rq
    return result


def resize_by_hand(image, target, side):
    height, width = target.shape
    big = F.interpolate(image.unsqueeze(0).double(), (side, side), mode="bilinear").squeeze(0).round().byte()
    rows, columns = torch.arange(side) * height // side, torch.arange(side) * width // side
    return big, target[rows][:, columns]


def resize_nearest_exact(image, target, side):
    big = F.interpolate(image[None].float(), size=(side, side), mode="bilinear", align_corners=False)[0].round().to(torch.uint8)
    return big, F.interpolate(target[None, None].double(), size=(side, side), mode="nearest-exact")[0, 0].to(torch.int64)


RIGHT = [
    ("22.iou_by_class", iou_by_bincount),
    ("22.iou_by_class", iou_pixel_by_pixel),
    ("22.upsample_add", upsample_with_a_module),
    ("22.upsample_add", upsample_in_float64),
    ("22.upsample_add", upsample_by_matrices),
    ("22.dice_loss", dice_class_by_class),
    ("22.dice_loss", dice_flattened),
    ("22.mask_iou", masks_by_matrix),
    ("22.mask_iou", masks_by_loops),
    ("22.rle_encode", rle_by_differences),
    ("22.rle_encode", rle_by_groups),
    ("22.rle_encode", rle_two_loops),
    ("22.panoptic_quality", pq_with_sets),
    ("22.resize_sample", resize_by_hand),
    ("22.resize_sample", resize_nearest_exact),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[f"{n}-{a.__name__}" for n, a in RIGHT])
@pytest.mark.parametrize("seed", [None, 7])
def test_a_right_answer_written_otherwise_passes(name, answer, seed):
    verdict = judge(find(name), answer, seed)
    assert verdict.passed, verdict


# --- borrowed


def rle_of_coco(mask):
    height, width = mask.shape
    code = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    return masks.rle_encode(coco_masks.decode(code).astype(bool)) if height * width else []


BORROWED = {
    "22.iou_by_class": [
        lambda truth, predicted, num_classes, ignore_index: segmentation.iou_of_confusion(
            segmentation.pixel_confusion(truth, predicted, num_classes, ignore_index)
        ),
        lambda truth, predicted, num_classes, ignore_index: sklearn.metrics.jaccard_score(
            truth[truth != ignore_index].ravel(), predicted[truth != ignore_index].ravel(), labels=range(num_classes), average=None
        ),
    ],
    "22.upsample_add": [lambda coarse, fine: fcn.upsample_add(coarse, fine) * 1.0],
    "22.dice_loss": [
        lambda logits, target, smooth: losses.dice_loss(logits, target, smooth) + 0,
    ],
    "22.mask_iou": [lambda masks1, masks2: segmentation.mask_iou(masks2, masks1).T],
    "22.rle_encode": [rle_of_coco],
    "22.panoptic_quality": [lambda *arguments: panoptic.quality_of(panoptic.panoptic_counts(*arguments))],
}


@pytest.mark.parametrize(("name", "index"), [(name, i) for name, answers in BORROWED.items() for i in range(len(answers))])
def test_a_borrowed_answer_is_refused(name, index):
    assert judge(find(name), BORROWED[name][index]).status == "refused"


# --- wrong, as typed


def iou_with_zero_filled(truth, predicted, num_classes, ignore_index=255):
    known = truth != ignore_index
    t, p = truth[known], predicted[known]
    return np.array([((t == k) & (p == k)).sum() / max(((t == k) | (p == k)).sum(), 1) for k in range(num_classes)])


def iou_void_out_of_truth_only(truth, predicted, num_classes, ignore_index=255):
    ious = np.full(num_classes, np.nan)
    for k in range(num_classes):
        union = ((truth == k) | (predicted == k)).sum()
        if union:
            ious[k] = ((truth == k) & (predicted == k)).sum() / union
    return ious


def dice_mean_then_one_minus_each_pixel(logits, target, smooth=1.0):
    p = logits.softmax(1)
    t = F.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2)
    return (1 - (2 * p * t + smooth) / (p + t + smooth))[:, 1:].mean()


def masks_transposed_broadcast(masks1, masks2):
    shared = (masks1[None] & masks2[:, None]).sum(axis=(2, 3))
    union = (masks1[None] | masks2[:, None]).sum(axis=(2, 3))
    return np.where(union > 0, shared / np.maximum(union, 1), 0.0)


def rle_row_major(mask):
    counts, value, run = [], False, 0
    for pixel in mask.ravel().tolist():
        if pixel != value:
            counts.append(run)
            value, run = pixel, 0
        run += 1
    return [*counts, run]


def resize_nearest_then_byte(image, target, side):
    big = F.interpolate(image[None].float(), size=(side, side), mode="bilinear", align_corners=False)[0].round().to(torch.uint8)
    return big, F.interpolate(target[None, None].float(), size=(side, side), mode="bilinear")[0, 0].round().long()


TYPED = [
    ("22.iou_by_class", iou_with_zero_filled, "absent-is-zero"),
    ("22.iou_by_class", iou_void_out_of_truth_only, "void-counted"),
    ("22.upsample_add", lambda coarse, fine: F.interpolate(coarse, fine.shape[2:]) + fine, "nearest"),
    ("22.upsample_add", lambda coarse, fine: F.interpolate(coarse, scale_factor=2, mode="bilinear") + fine, "always-twice"),
    ("22.dice_loss", dice_mean_then_one_minus_each_pixel, None),
    ("22.mask_iou", masks_transposed_broadcast, "rows-and-columns"),
    ("22.rle_encode", rle_row_major, "along-the-rows"),
    ("22.resize_sample", resize_nearest_then_byte, "classes-averaged"),
]


@pytest.mark.parametrize(("name", "answer", "mistake"), TYPED, ids=[f"{n}-{m}-{i}" for i, (n, _, m) in enumerate(TYPED)])
def test_a_wrong_answer_as_people_type_it_is_rejected_and_named(name, answer, mistake):
    verdict = judge(find(name), answer)
    assert verdict.status in ("wrong", "error")
    assert verdict.misconception == mistake
