"""Panoptic quality: one number for things and stuff. Taught in notebook 22_segmentation. No torch.

A panoptic map gives each pixel one segment: 0 is void (nobody knows), 1, 2, 3 ... are segments. ``classes[i]`` is the class of segment
i; ``classes[0]`` is not looked at. A thing (a sign) has a segment for each object, stuff (the backdrop) has at most one.

    >>> truth, said = np.array([[1, 1, 1, 1, 2, 2]]), np.array([[1, 1, 1, 2, 2, 2]])
    >>> panoptic_quality(truth, [-1, 0, 1], said, [-1, 0, 1], num_classes=2)  # IoU 3/4 and 2/3
    array([[0.75      , 0.66666667],
           [0.75      , 0.66666667],
           [1.        , 1.        ]])
"""

from collections.abc import Collection

import numpy as np


def segment_overlaps(truth, found) -> np.ndarray:
    """(H, W) and (H, W) segment numbers -> (T + 1, F + 1) int64: pixels that each pair has in common; row and column 0 are void.

    Raises:
        ValueError: if the shapes differ, or a number is negative.
    """
    truth, found = np.asarray(truth), np.asarray(found)
    if truth.shape != found.shape:
        raise ValueError(f"found must have the shape of truth, {truth.shape}, got {found.shape}")
    for name, values in (("truth", truth), ("found", found)):
        if values.size and values.min() < 0:
            raise ValueError(f"{name} must hold segment numbers from 0 on, got {values.min()}")
    rows, columns = (int(values.max(initial=0)) + 1 for values in (truth, found))
    pairs = truth.astype(np.int64).ravel() * columns + found.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=rows * columns).reshape(rows, columns)


def panoptic_counts(truth, truth_classes, found, found_classes, num_classes: int, crowd: Collection[int] = ()) -> np.ndarray:
    """Match the segments of one picture, and count.

    A found and a true segment of one class match if their IoU is above 0.5. Segments of one map never overlap, so no segment can have
    two such partners, and no choice has to be made. Void pixels of the truth are taken off a found segment before its IoU is measured;
    a found segment that matches nothing and lies by more than half on void, or on a crowd of its class, is no mistake.

    Args:
        truth, found: (H, W) segment numbers, 0 is void.
        truth_classes, found_classes: the class of each segment by its number; entry 0 is not looked at.
        num_classes: classes are 0 .. num_classes - 1.
        crowd: numbers of true segments that stand for many objects; they can neither be matched nor missed.

    Returns:
        (num_classes, 4) float64: sum of the IoUs of matches, matches (TP), found segments without partner (FP), true ones (FN).
        Counts of several pictures add up; `quality_of` turns them into PQ.

    Raises:
        ValueError: as `segment_overlaps` does, or if a segment has no class in 0 .. num_classes - 1.

    Source: Kirillov et al., arXiv 1801.00868, section 4; crowds and void as in the paper's section 4.2.
    """
    overlaps = segment_overlaps(truth, found)
    truth_classes, found_classes = np.asarray(truth_classes), np.asarray(found_classes)
    true_area, found_area = overlaps.sum(axis=1), overlaps.sum(axis=0)
    true_ids = [int(t) for t in np.flatnonzero(true_area) if t > 0]
    found_ids = [int(f) for f in np.flatnonzero(found_area) if f > 0]
    _check_classes("truth_classes", truth_classes, true_ids, num_classes)
    _check_classes("found_classes", found_classes, found_ids, num_classes)
    crowd = [t for t in true_ids if t in crowd]
    counts, matched = np.zeros((num_classes, 4)), set()
    for t in true_ids:
        if t in crowd:
            continue
        partner = None
        for f in np.flatnonzero(overlaps[t, 1:]) + 1:
            union = true_area[t] + found_area[f] - overlaps[t, f] - overlaps[0, f]  # what lies on void counts nowhere
            iou = overlaps[t, f] / union
            if found_classes[f] == truth_classes[t] and iou > 0.5:
                partner = int(f)
                counts[truth_classes[t], :2] += iou, 1
        if partner is None:
            counts[truth_classes[t], 3] += 1
        else:
            matched.add(partner)
    for f in found_ids:
        if f not in matched:
            excused = overlaps[0, f] + sum(overlaps[t, f] for t in crowd if truth_classes[t] == found_classes[f])
            counts[found_classes[f], 2] += excused / found_area[f] <= 0.5
    return counts


def _check_classes(name: str, classes: np.ndarray, ids: list[int], num_classes: int) -> None:
    for number in ids:
        if number >= len(classes) or not 0 <= classes[number] < num_classes:
            got = classes[number] if number < len(classes) else "nothing"
            raise ValueError(f"{name} must give segment {number} a class in 0 .. {num_classes - 1}, got {got}")


def quality_of(counts: np.ndarray) -> np.ndarray:
    """(K, 4) counts -> (3, K): PQ, SQ and RQ of each class; NaN where a class has nothing to find and nothing was found.

    SQ (segmentation quality) is the mean IoU of the matches, 0 without any; RQ (recognition quality) is TP / (TP + FP/2 + FN/2), the
    F1 of recognition; PQ is their product. The number that people quote is the mean of PQ over classes: ``np.nanmean(result[0])``.
    """
    iou_sum, tp, fp, fn = np.asarray(counts, dtype=np.float64).T
    weight = tp + fp / 2 + fn / 2
    there = weight > 0
    sq = np.divide(iou_sum, tp, out=np.where(there, 0.0, np.nan), where=tp > 0)
    rq = np.divide(tp, weight, out=np.full(len(tp), np.nan), where=there)
    return np.stack([sq * rq, sq, rq])


def panoptic_quality(truth, truth_classes, found, found_classes, num_classes: int) -> np.ndarray:
    """One picture's (3, num_classes) float64 PQ, SQ and RQ by class; see `panoptic_counts` for the rules and `quality_of` for NaN."""
    return quality_of(panoptic_counts(truth, truth_classes, found, found_classes, num_classes))
