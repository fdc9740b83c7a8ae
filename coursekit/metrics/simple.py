"""A first average precision, enough to compare detectors. Taught in notebook 13_boxes; notebook 20_map does it exactly, as COCO and VOC do.

>>> truth, found, scores = [[[0, 0, 4, 4]]], [[[0, 0, 4, 4], [9, 9, 12, 12]]], [[0.6, 0.9]]
>>> simple_ap(truth, found, scores)  # the surest prediction is a miss, the second finds the object: 1 right of 2
0.5
"""

from collections.abc import Sequence

import numpy as np


def simple_ap(truth: Sequence, boxes: Sequence, scores: Sequence, iou_threshold: float = 0.5) -> float:
    """Average precision of one class: the precision at the moment each object was found, averaged over all objects.

    The predictions of all images are read together, best score first (of equal scores the earlier image, then the earlier box). Each one
    takes the object of its own image that it overlaps most, among those not taken yet; with an IoU of at least ``iou_threshold`` it is
    right, else it is wrong. An object never found counts 0.

    Args:
        truth: for each image (N, 4) ``xyxy``; arrays, tensors or lists.
        boxes: for each image (M, 4) ``xyxy``, the predictions.
        scores: for each image (M,).
        iou_threshold: in [0, 1].

    Returns:
        A number in [0, 1]; NaN where no image holds an object, since there is nothing to find.

    Raises:
        ValueError: if the three are not of one length, or an image's scores and boxes are not.

    Not yet here, and in notebook 20: the envelope of the precision-recall curve, many thresholds, crowds, sizes.
    """
    truth, boxes = ([np.asarray(b, dtype=np.float64).reshape(-1, 4) for b in images] for images in (truth, boxes))
    scores = [np.asarray(s, dtype=np.float64).reshape(-1) for s in scores]
    _check_lengths(truth, boxes, scores)
    ranked = [(-score, image, j) for image, of_image in enumerate(scores) for j, score in enumerate(of_image)]
    free = [np.ones(len(t), dtype=bool) for t in truth]
    hits, precisions = 0, []
    for rank, (_, image, j) in enumerate(sorted(ranked), start=1):
        overlap = np.where(free[image], _iou(boxes[image][j], truth[image]), -1)
        if len(overlap) and overlap.max() >= iou_threshold:
            free[image][overlap.argmax()] = False
            hits += 1
            precisions.append(hits / rank)
    objects = sum(len(t) for t in truth)
    return sum(precisions) / objects if objects else float("nan")


def simple_ap_by_class(targets: Sequence[dict], detections: Sequence, iou_threshold: float = 0.5) -> dict[int, float]:
    """`simple_ap` of each class that has at least one object.

    Args:
        targets: for each image a dict with ``boxes`` (N, 4) and ``labels`` (N,).
        detections: for each image a `Detections`, or anything with ``boxes``, ``scores`` and ``labels``.

    Returns:
        label -> AP, by rising label. Their mean is the mAP: ``np.mean(list(result.values()))``.
    """
    if len(targets) != len(detections):
        raise ValueError(f"detections must have one entry for each target, got {len(detections)} for {len(targets)}")
    truth_labels = [np.asarray(t["labels"]).reshape(-1) for t in targets]
    found_labels = [np.asarray(d.labels).reshape(-1) for d in detections]
    result = {}
    for label in np.unique(np.concatenate([*truth_labels, np.zeros(0, dtype=np.int64)])):
        result[int(label)] = simple_ap(
            [np.asarray(t["boxes"])[ours == label] for t, ours in zip(targets, truth_labels, strict=True)],
            [np.asarray(d.boxes)[ours == label] for d, ours in zip(detections, found_labels, strict=True)],
            [np.asarray(d.scores)[ours == label] for d, ours in zip(detections, found_labels, strict=True)],
            iou_threshold,
        )
    return result


def _iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """IoU of one box with (N, 4) boxes, (N,); 0 where neither has area. `coursekit.boxes.box_iou` in NumPy."""
    width_height = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    intersection = width_height.clip(min=0).prod(axis=1)
    union = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)


def _check_lengths(truth: list, boxes: list, scores: list) -> None:
    if not len(truth) == len(boxes) == len(scores):
        raise ValueError(f"truth, boxes and scores must hold one entry an image, got {len(truth)}, {len(boxes)} and {len(scores)}")
    for image, (b, s) in enumerate(zip(boxes, scores, strict=True)):
        if len(b) != len(s):
            raise ValueError(f"scores of image {image} must be one for each box, got {len(s)} for {len(b)} boxes")
