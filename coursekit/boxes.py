"""Boxes: formats, overlap, non-maximum suppression. Taught in notebook 13_boxes.

A box is a row ``x1, y1, x2, y2`` in absolute pixels, half-open: a box from 0 to 2 is 2 wide, not 3.
Names and argument order are those of `torchvision.ops`; where we differ, the docstring says so and a test holds it.

    >>> box_iou(torch.tensor([[0., 0., 2., 2.]]), torch.tensor([[1., 1., 3., 3.]]))
    tensor([[0.1429]])
"""

import math

import torch
from torch import Tensor

FORMATS = ("xyxy", "xywh", "cxcywh")


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """The same boxes, written in another format.

    Args:
        boxes: (N, 4) or (..., 4) in ``in_fmt``.
        in_fmt, out_fmt: ``"xyxy"`` two corners; ``"xywh"`` left, top, width, height (COCO); ``"cxcywh"`` centre, width, height (YOLO).

    Returns:
        A new tensor of the same shape and dtype.

    Raises:
        ValueError: for a format that is none of the three, or boxes whose last dimension is not 4.
    """
    for name, fmt in (("in_fmt", in_fmt), ("out_fmt", out_fmt)):
        if fmt not in FORMATS:
            raise ValueError(f"{name} must be one of {', '.join(FORMATS)}, got {fmt!r}")
    if boxes.shape[-1:] != (4,):
        raise ValueError(f"boxes must have shape (..., 4), got {tuple(boxes.shape)}")
    if in_fmt == out_fmt:
        return boxes.clone()  # so that the answer never shares memory with the question
    first, second = boxes[..., :2], boxes[..., 2:]
    if in_fmt == "xywh":
        first, second = first, first + second
    elif in_fmt == "cxcywh":
        first, second = first - 0.5 * second, first + 0.5 * second
    if out_fmt == "xywh":
        second = second - first
    elif out_fmt == "cxcywh":
        first, second = (first + second) / 2, second - first
    return torch.cat((first, second), dim=-1).to(boxes.dtype)


def box_area(boxes: Tensor) -> Tensor:
    """Area of each box in square pixels.

    Args:
        boxes: (N, 4) in ``xyxy`` pixels.

    Returns:
        (N,), float32 for float16 and integer boxes: in float16 a box of 256 x 256 would already be infinite.

    Raises:
        ValueError: if boxes is not (N, 4).
    """
    boxes = _as_boxes("boxes", boxes)
    width_height = boxes[:, 2:] - boxes[:, :2]  # (N, 2)
    return width_height.prod(dim=1)


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes cut at the edges of their image. A box that lies outside it altogether ends with no area.

    Args:
        boxes: (N, 4) in ``xyxy`` pixels.
        size: (height, width) of the image.
    """
    boxes = _as_boxes("boxes", boxes)
    height, width = size
    return torch.stack((boxes[:, 0::2].clamp(0, width), boxes[:, 1::2].clamp(0, height)), dim=2).flatten(1)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Indices of the boxes that are at least ``min_size`` pixels wide and high. (N, 4) -> (K,) int64."""
    boxes = _as_boxes("boxes", boxes)
    width_height = boxes[:, 2:] - boxes[:, :2]
    return torch.where((width_height >= min_size).all(dim=1))[0]


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Intersection over union of every pair.

    Args:
        boxes1: (N, 4) in ``xyxy`` pixels, ``x1 <= x2`` and ``y1 <= y2``.
        boxes2: (M, 4) likewise.

    Returns:
        (N, M) in [0, 1]. Two boxes of zero area have IoU 0, also with themselves (torchvision gives NaN).

    Raises:
        ValueError: if either argument is not (N, 4).

    Source: Jaccard 1912; the convention without +1 is COCO's, see notebook 20 for VOC's.
    """
    return _ratio(*_intersection_and_union(boxes1, boxes2))


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """GIoU of every pair: IoU minus the share of the hull (the smallest box around both) that neither of the two covers.

    Args:
        boxes1: (N, 4) in ``xyxy`` pixels.
        boxes2: (M, 4) likewise.

    Returns:
        (N, M) in [-1, 1]. Where IoU is 0 for all boxes that are apart, GIoU falls further the further apart they are.
        A hull without area takes nothing off (torchvision gives NaN for any two boxes without area).

    Source: Rezatofighi et al., "Generalized Intersection over Union", CVPR 2019.
    """
    intersection, union = _intersection_and_union(boxes1, boxes2)
    hull = _hull(boxes1, boxes2).prod(dim=2)
    return _ratio(intersection, union) - _ratio(hull - union, hull)


def distance_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """DIoU of every pair: IoU minus (distance of the centres / diagonal of the hull) squared. (N, 4), (M, 4) -> (N, M) in [-1, 1].

    torchvision adds 1e-7 to the denominators here and in `complete_box_iou`; ours are exact, and 0 / 0 counts as 0.

    Source: Zheng et al., "Distance-IoU Loss", AAAI 2020.
    """
    iou = box_iou(boxes1, boxes2)
    boxes1, boxes2 = _as_boxes("boxes1", boxes1), _as_boxes("boxes2", boxes2)
    centres1, centres2 = (boxes1[:, :2] + boxes1[:, 2:]) / 2, (boxes2[:, :2] + boxes2[:, 2:]) / 2
    distance = (centres1[:, None] - centres2[None, :]).square().sum(dim=2)  # (N, M), squared
    diagonal = _hull(boxes1, boxes2).square().sum(dim=2)
    return iou - _ratio(distance, diagonal)


def complete_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """CIoU of every pair: DIoU minus a term for different shapes (width : height). (N, 4), (M, 4) -> (N, M).

    Source: Zheng et al., "Distance-IoU Loss", AAAI 2020, equations 8 to 11.
    """
    iou = box_iou(boxes1, boxes2)
    angle1, angle2 = _shape_angle(boxes1), _shape_angle(boxes2)
    shape = (4 / math.pi**2) * (angle1[:, None] - angle2[None, :]).square()  # v in the paper
    with torch.no_grad():  # alpha weighs the shape term; it is not something to learn
        alpha = _ratio(shape, 1 - iou + shape)
    return distance_box_iou(boxes1, boxes2) - alpha * shape


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy non-maximum suppression: keep the best box, drop what overlaps it too much, repeat with what is left.

    Args:
        boxes: (N, 4) in ``xyxy`` pixels.
        scores: (N,); of equal scores the earlier box goes first.
        iou_threshold: in [0, 1]. A box is dropped if its IoU with a kept one is *greater*; equal stays.

    Returns:
        (K,) int64, indices of the boxes that stay, best first.

    Raises:
        ValueError: for shapes that do not fit, or a threshold outside [0, 1].

    Equal to `torchvision.ops.nms` but for one rounding: its CPU kernel compares a float32 IoU with a float64 threshold, so an IoU of 3/10
    (0.300000012 in float32) is "greater" than 0.3 and goes. Ours compares in float32, as its CUDA kernel does, and 3/10 stays.
    """
    _check_scored(boxes, scores, iou_threshold)
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        overlap = box_iou(boxes[best][None], boxes[rest])[0]
        order = rest[overlap <= iou_threshold]
    return torch.stack(kept) if kept else order


def batched_nms(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """NMS in each class by itself: a box never drops a box of another class.

    Args:
        boxes, scores, iou_threshold: as for `nms`.
        labels: (N,) int64, the class of each box.

    Returns:
        (K,) int64, best first over all classes; of equal scores the earlier box first.

    torchvision moves each class to its own far corner and runs one NMS. The shift is measured by the largest coordinate alone, so boxes
    with negative coordinates can meet a neighbour class there; ours, class by class, cannot. Above 1000 boxes torchvision goes class by
    class too, and leaves the order of equal scores open.
    """
    return _class_by_class(nms, boxes, scores, labels, iou_threshold)


def fast_nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """`nms` by torchvision's compiled kernel, for thousands of boxes.

    On a CPU the same answer to the last index (a test holds them equal); a GPU may round an IoU that lies on the threshold the other way.
    """
    from torchvision.ops import nms as compiled_nms

    _check_scored(boxes, scores, iou_threshold)
    boxes = _as_boxes("boxes", boxes)
    order = scores.argsort(descending=True, stable=True)
    ranks = torch.arange(len(order), 0, -1, device=boxes.device).to(boxes.dtype)  # scores of another dtype could tie after a cast
    threshold = torch.tensor(iou_threshold, dtype=boxes.dtype).item()  # see the last lines of `nms`
    return order[compiled_nms(boxes[order], ranks, threshold)]


def fast_batched_nms(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """`batched_nms` by torchvision's compiled kernel, one call a class; what the detectors of this course use."""
    return _class_by_class(fast_nms, boxes, scores, labels, iou_threshold)


def _class_by_class(suppress, boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    _check_scored(boxes, scores, iou_threshold)
    if labels.shape != scores.shape:
        raise ValueError(f"labels must have shape ({len(boxes)},), one for each box, got {tuple(labels.shape)}")
    stays = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    for label in labels.unique():
        members = torch.where(labels == label)[0]
        stays[members[suppress(boxes[members], scores[members], iou_threshold)]] = True
    kept = torch.where(stays)[0]
    return kept[scores[kept].argsort(descending=True, stable=True)]


def _intersection_and_union(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Both areas for every pair, (N, M) each."""
    boxes1, boxes2 = _as_boxes("boxes1", boxes1), _as_boxes("boxes2", boxes2)
    top_left = torch.maximum(boxes1[:, None, :2], boxes2[None, :, :2])  # (N, M, 2)
    bottom_right = torch.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])  # (N, M, 2)
    intersection = (bottom_right - top_left).clamp(min=0).prod(dim=2)  # the clamp: apart means 0, not negative
    return intersection, box_area(boxes1)[:, None] + box_area(boxes2)[None, :] - intersection


def _hull(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Width and height of the smallest box around each pair, (N, M, 2)."""
    boxes1, boxes2 = _as_boxes("boxes1", boxes1), _as_boxes("boxes2", boxes2)
    return torch.maximum(boxes1[:, None, 2:], boxes2[None, :, 2:]) - torch.minimum(boxes1[:, None, :2], boxes2[None, :, :2])


def _shape_angle(boxes: Tensor) -> Tensor:
    """atan(width / height) of each box, (N,): pi/4 for a square."""
    boxes = _as_boxes("boxes", boxes)
    width, height = (boxes[:, 2:] - boxes[:, :2]).unbind(dim=1)
    return torch.atan2(width, height)  # no division by 0


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole for 0 <= part <= whole, and 0 for 0 / 0 (also in the gradient)."""
    return part / whole.clamp(min=torch.finfo(whole.dtype).tiny)


def _as_boxes(name: str, boxes: Tensor) -> Tensor:
    """The boxes if they are (N, 4), in float32 unless they are float64."""
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{name} must have shape (N, 4), got {tuple(boxes.shape)}")
    return boxes if boxes.dtype in (torch.float32, torch.float64) else boxes.float()


def _check_scored(boxes: Tensor, scores: Tensor, iou_threshold: float) -> None:
    _as_boxes("boxes", boxes)
    if scores.shape != boxes.shape[:1]:
        raise ValueError(f"scores must have shape ({len(boxes)},), one for each box, got {tuple(scores.shape)}")
    if not 0 <= iou_threshold <= 1:
        raise ValueError(f"iou_threshold must be between 0 and 1, got {iou_threshold}")
