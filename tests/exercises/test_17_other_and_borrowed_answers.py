"""Answers of notebook 17 written in other ways pass; answers that a library or a neighbouring block gives are refused."""

import itertools

import pytest
import torch
import torchvision
from torch.nn import functional as F
from torchvision.models.detection import _utils
from torchvision.models.detection.anchor_utils import AnchorGenerator

from coursekit.boxes import box_convert, box_iou
from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge
from coursekit.one_stage import anchors as anchor_blocks
from coursekit.one_stage import focal, pyramid, retina


def anchors_by_loops(size_hw, strides, sizes, ratios):
    rows = []
    for stride, group in zip(strides, sizes, strict=True):
        for y, x, ratio, size in itertools.product(range(size_hw[0] // stride), range(size_hw[1] // stride), ratios, group):
            w, h = size / ratio**0.5, size * ratio**0.5
            cx, cy = (x + 0.5) * stride, (y + 0.5) * stride
            rows.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
    return torch.tensor(rows)


def match_by_loops(anchors, truth, low=0.4, high=0.5):
    overlap = box_iou(anchors, truth).tolist()
    answer = []
    for row in overlap:
        best = max(row, default=0.0)
        answer.append(row.index(best) if row and best >= torch.tensor(high).item() else -2 if best >= torch.tensor(low).item() else -1)
    for number in range(len(truth)):
        top = max(row[number] for row in overlap)
        for place, row in enumerate(overlap):
            if top > 0 and row[number] == top:
                answer[place] = row.index(max(row))
    return torch.tensor(answer)


def deltas_by_box_convert(anchors, boxes):
    a, b = box_convert(anchors, "xyxy", "cxcywh"), box_convert(boxes, "xyxy", "cxcywh")
    return torch.hstack([(b[:, :2] - a[:, :2]) / a[:, 2:], b[:, 2:].log() - a[:, 2:].log()])


def down_by_interpolation(maps):
    sums = [maps[-1]]
    for level in range(len(maps) - 2, -1, -1):
        sums.append(maps[level] + F.interpolate(sums[-1], size=maps[level].shape[-2:]))
    return tuple(sums[::-1])


def focal_by_cases(logits, targets, alpha=0.25, gamma=2.0):
    yes = alpha * torch.sigmoid(-logits) ** gamma * F.softplus(-logits)
    no = (1 - alpha) * torch.sigmoid(logits) ** gamma * F.softplus(logits)
    return targets * yes + (1 - targets) * no


def loss_by_loops(logits, match, labels):
    total = 0.0
    for row, owner in zip(logits, match.tolist(), strict=True):
        if owner != -2:
            target = torch.zeros_like(row)
            if owner >= 0:
                target[labels[owner]] = 1
            total = total + focal.focal_loss(row, target).sum()
    return total / max(1, int((match >= 0).sum()))


RIGHT = {
    "17.make_anchors": [anchors_by_loops],
    "17.match_anchors": [match_by_loops],
    "17.encode_deltas": [deltas_by_box_convert],
    "17.top_down": [down_by_interpolation],
    "17.to_rows": [
        lambda x, values: x.flatten(2).transpose(1, 2).reshape(len(x), -1, values),
        lambda x, values: x.unflatten(1, (-1, values)).permute(0, 3, 4, 1, 2).flatten(1, 3),
    ],
    "17.focal_loss": [focal_by_cases],
    "17.classification_loss": [loss_by_loops],
}


def anchors_of_torchvision(size_hw, strides, sizes, ratios):
    generator = AnchorGenerator(tuple(map(tuple, sizes)), (tuple(ratios),) * len(sizes))
    steps = [[torch.tensor(s), torch.tensor(s)] for s in strides]
    boxes = generator.grid_anchors([[size_hw[0] // s, size_hw[1] // s] for s in strides], steps)
    return torch.cat([box + stride / 2 for box, stride in zip(boxes, strides, strict=True)])


def anchors_from_base(size_hw, strides, sizes, ratios):
    found = []
    for stride, group in zip(strides, sizes, strict=True):
        y, x = torch.meshgrid(torch.arange(size_hw[0] // stride), torch.arange(size_hw[1] // stride), indexing="ij")
        centres = (torch.stack([x, y, x, y], dim=2).reshape(-1, 1, 4) + 0.5) * stride
        found.append((centres + anchor_blocks.base_anchors(group, ratios)).reshape(-1, 4))
    return torch.cat(found)


def match_of_torchvision(anchors, truth, low=0.4, high=0.5):
    if len(truth) == 0:
        return torch.full((len(anchors),), -1)
    return _utils.Matcher(high, low, allow_low_quality_matches=True)(box_iou(truth, anchors))


def down_of_ours(maps):
    sums = [maps[-1]]
    for fine in maps[-2::-1]:
        sums.insert(0, pyramid.upsample_add(sums[0], fine))
    return sums


BORROWED = {
    "17.make_anchors": [anchors_of_torchvision, anchors_from_base],
    "17.match_anchors": [match_of_torchvision],
    "17.encode_deltas": [
        lambda anchors, boxes: _utils.BoxCoder((1.0, 1.0, 1.0, 1.0)).encode_single(boxes, anchors),
        lambda anchors, boxes: _utils.encode_boxes(boxes, anchors, torch.ones(4)),
    ],
    "17.top_down": [down_of_ours],
    "17.focal_loss": [lambda x, y, alpha=0.25, gamma=2.0: torchvision.ops.sigmoid_focal_loss(x, y, alpha, gamma)],
    "17.classification_loss": [lambda logits, match, labels: retina.classification_loss(logits, match, labels)],
}


def pairs(table):
    return [pytest.param(name, answer, id=f"{name}-{place}") for name, answers in table.items() for place, answer in enumerate(answers)]


@pytest.mark.parametrize(("name", "answer"), pairs(RIGHT))
def test_another_right_answer_passes(name, answer):
    for seed in (None, 1, 2):
        verdict = judge(find(name), answer, seed)
        assert verdict.passed, verdict


@pytest.mark.parametrize(("name", "answer"), pairs(BORROWED))
def test_a_borrowed_answer_is_refused(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.status == "refused", verdict
