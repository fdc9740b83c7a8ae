"""Notebook 18: what is somebody else's is refused however it is reached; what people write in other ways passes."""

import math

import numpy as np
import pytest
import torch
import torchvision
from torch.nn import functional as F

from coursekit.boxes import batched_nms, clip_boxes_to_image, fast_nms, nms
from coursekit.detections import Detections
from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge
from coursekit.one_stage.deltas import decode_deltas as decode_block
from coursekit.one_stage.matching import match_anchors
from coursekit.two_stage import proposals as blocks
from coursekit.two_stage import roi
from coursekit.two_stage.detector import read_head


def with_index(boxes):
    return torch.cat([torch.zeros(len(boxes), 1), boxes], dim=1)


def read_by_grid_sample(features, y, x):
    height, width = features.shape[1:]
    on_map = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], dim=1)[None, None]
    return F.grid_sample(features[None], grid, padding_mode="border", align_corners=True)[0, :, 0] * on_map


def read_by_scipy(features, y, x):
    from scipy.ndimage import map_coordinates

    points = np.stack([y.numpy(), x.numpy()])
    return torch.stack([torch.from_numpy(map_coordinates(one.numpy(), points, order=1, mode="nearest")) for one in features])


def targets_by_the_head(anchors, truth, draws, count):
    return blocks.draw_owners(match_anchors(anchors, truth, 0.3, 0.7), draws, count, 0.5)


def decode_by_torchvision(anchors, deltas, weights):
    return torchvision.models.detection._utils.BoxCoder(weights).decode_single(deltas, anchors)


BORROWED = {
    "18.roi_pool": [
        lambda f, b, s, scale: torchvision.ops.roi_pool(f[None], with_index(b), s, scale),
        lambda f, b, s, scale: torchvision.ops.RoIPool(s, scale)(f[None], [b]),
        lambda f, b, s, scale: torch.ops.torchvision.roi_pool(f[None], with_index(b), scale, s, s)[0],
        lambda f, b, s, scale: roi.of_each_picture(roi.roi_pool, f[None], [b], s, scale),
    ],
    "18.bilinear": [read_by_grid_sample, read_by_scipy],
    "18.roi_align": [
        lambda f, b, s, scale, ratio: torchvision.ops.roi_align(f[None], [b], s, scale, ratio, aligned=True),
        lambda f, b, s, scale, ratio: torchvision.ops.RoIAlign(s, scale, ratio, aligned=True)(f[None], [b]),
        lambda f, b, s, scale, ratio: torch.ops.torchvision.roi_align(f[None], with_index(b), scale, s, s, ratio, True),
        lambda f, b, s, scale, ratio: roi.fast_roi_align(f, b, s, scale, ratio),
    ],
    "18.rpn_targets": [targets_by_the_head],
    "18.decode_deltas": [decode_by_torchvision, lambda anchors, deltas, weights: decode_block(anchors, deltas, weights)],
    "18.choose_proposals": [lambda *given: blocks.choose_proposals(*given)],
    "18.read_head": [lambda *given: read_head(*given)],
}


@pytest.mark.parametrize(
    ("name", "answer"), [pytest.param(n, a, id=f"{n}-{i}") for n, answers in BORROWED.items() for i, a in enumerate(answers)]
)
def test_it_is_refused(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.status == "refused", verdict


# --- other right answers


def pool_by_masks(features, boxes, output_size, spatial_scale):
    """Every cell asks which bins it is in."""
    pooled = torch.zeros(len(boxes), len(features), output_size, output_size)
    rows, columns = torch.arange(features.shape[1]), torch.arange(features.shape[2])
    for number, box in enumerate(boxes.double() * spatial_scale):
        x1, y1, x2, y2 = (math.copysign(math.floor(abs(v) + 0.5), v) for v in box.tolist())
        high, wide = max(y2 - y1 + 1, 1) / output_size, max(x2 - x1 + 1, 1) / output_size
        for i in range(output_size):
            mine = (rows >= y1 + math.floor(i * high)) & (rows < y1 + math.ceil((i + 1) * high))
            for j in range(output_size):
                also = (columns >= x1 + math.floor(j * wide)) & (columns < x1 + math.ceil((j + 1) * wide))
                part = features[:, mine][:, :, also]
                if part.numel():
                    pooled[number, :, i, j] = part.flatten(1).max(dim=1).values
    return pooled


def read_by_tents(features, y, x):
    """Each cell weighs 1 - distance along each axis."""
    height, width = features.shape[1:]
    on_map = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    tents = [(1 - (at.clamp(0, size - 1)[:, None] - torch.arange(size)).abs()).clamp(min=0) for at, size in ((y, height), (x, width))]
    return torch.einsum("chw,ph,pw->cp", features, *tents) * on_map


def align_point_by_point(features, boxes, output_size, spatial_scale, sampling_ratio):
    crops = torch.zeros(len(boxes), len(features), output_size, output_size)
    for k, (x1, y1, x2, y2) in enumerate((boxes * spatial_scale).tolist()):
        high, wide = (y2 - y1) / output_size, (x2 - x1) / output_size
        for i in range(output_size):
            for j in range(output_size):
                for a in range(sampling_ratio):
                    y = y1 + i * high + (a + 0.5) * high / sampling_ratio - 0.5
                    x = x1 + j * wide + (torch.arange(sampling_ratio) + 0.5) * wide / sampling_ratio - 0.5
                    values = roi.bilinear(features, torch.full((sampling_ratio,), y), x)
                    crops[k, :, i, j] += values.sum(dim=1) / sampling_ratio**2
    return crops


def targets_by_a_loop(anchors, truth, draws, count):
    owner = match_anchors(anchors, truth, 0.3, 0.7)
    targets, objects, nothing = torch.full((len(anchors),), -2), 0, []
    for index in sorted(range(len(anchors)), key=lambda k: draws[k].item()):
        if owner[index] >= 0 and objects < count // 2:
            targets[index] = owner[index]
            objects += 1
        elif owner[index] == -1:
            nothing.append(index)
    targets[torch.tensor(nothing[: count - objects], dtype=torch.int64)] = -1
    return targets


def decode_column_by_column(anchors, deltas, weights):
    x1, y1, x2, y2 = anchors.unbind(1)
    dx, dy, dw, dh = (column / w for column, w in zip(deltas.unbind(1), weights, strict=True))
    limit = math.log(1000 / 16)
    wide, high = (x2 - x1) * torch.exp(dw.clamp(max=limit)), (y2 - y1) * torch.exp(dh.clamp(max=limit))
    cx, cy = x1 + (x2 - x1) * (0.5 + dx), y1 + (y2 - y1) * (0.5 + dy)
    return torch.stack([cx - wide / 2, cy - high / 2, cx + wide / 2, cy + high / 2], dim=1)


def choose_by_topk_and_torchvision(boxes, scores, size_hw, before, after, iou_threshold):
    scores, best = scores.topk(min(before, len(scores)))
    boxes = torchvision.ops.clip_boxes_to_image(boxes[best], size_hw)
    sides = boxes[:, 2:] - boxes[:, :2]
    large = (sides[:, 0] >= 1) & (sides[:, 1] >= 1)
    boxes, scores = boxes[large], scores[large]
    kept = fast_nms(boxes, scores, iou_threshold)
    return boxes[kept[:after]], scores[kept[:after]]


def read_class_by_class(proposals, logits, deltas, size_hw, floor):
    shares = F.softmax(logits, dim=1)
    boxes = clip_boxes_to_image(decode_block(proposals, deltas, (10, 10, 5, 5)), size_hw)
    rows, scores, labels = [], [], []
    for label in range(logits.shape[1] - 1):
        sure = shares[:, label] > floor
        kept = nms(boxes[sure], shares[sure, label], 0.5)
        rows.append(boxes[sure][kept])
        scores.append(shares[sure, label][kept])
        labels.append(torch.full((len(kept),), label))
    rows, scores, labels = (torch.cat(parts) for parts in (rows, scores, labels))
    order = scores.argsort(descending=True, stable=True)
    assert len(batched_nms(rows, scores, labels, 0.5)) == len(rows)
    return Detections(rows[order], scores[order], labels[order])


RIGHT = {
    "18.roi_pool": pool_by_masks,
    "18.bilinear": read_by_tents,
    "18.roi_align": align_point_by_point,
    "18.rpn_targets": targets_by_a_loop,
    "18.decode_deltas": decode_column_by_column,
    "18.choose_proposals": choose_by_topk_and_torchvision,
    "18.read_head": read_class_by_class,
}


@pytest.mark.parametrize("name", RIGHT)
def test_another_right_answer_passes(name):
    verdict = judge(find(name), RIGHT[name])
    assert verdict.passed, verdict
