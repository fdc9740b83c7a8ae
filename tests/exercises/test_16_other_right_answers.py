"""Notebook 16's answers in other people's words, which must pass, and answers that are merely borrowed, which must not."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge
from coursekit.grid import cell_centres, cell_of, covered_cells, decode
from coursekit.grid.targets import encode_batch
from coursekit.yolo.decode import cell_centres as yolo_centres
from coursekit.yolo.decode import sides_to_boxes


def cells_by_loop(boxes, stride):
    rows = []
    for x1, y1, x2, y2 in boxes.tolist():
        rows.append([math.floor((y1 + y2) / 2 / stride), math.floor((x1 + x2) / 2 / stride)])
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 2)


def cells_by_integer_division(boxes, stride):
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return torch.stack([y // stride, x // stride], dim=1).to(torch.int64)


def collisions_by_unique(boxes, stride):
    _, which, count = cell_of(boxes, stride).unique(dim=0, return_inverse=True, return_counts=True)
    return count[which] > 1


def collisions_by_dictionary(boxes, stride):
    cells = [tuple(cell) for cell in cell_of(boxes, stride).tolist()]
    return torch.tensor([cells.count(cell) > 1 for cell in cells], dtype=torch.bool)


def encoded_cell_by_cell(boxes, labels, num_classes, size_hw, stride, shrink):
    """Asks each cell who wants it, instead of writing one object after another."""
    rows, columns = size_hw[0] // stride, size_hw[1] // stride
    coverage, corners = torch.zeros(num_classes, rows, columns), torch.zeros(4, rows, columns)
    wanted = [covered_cells(box, size_hw, stride, shrink) for box in boxes]
    areas = [float((x2 - x1) * (y2 - y1)) for x1, y1, x2, y2 in boxes]
    for row in range(rows):
        for column in range(columns):
            who = [i for i in range(len(boxes)) if wanted[i][row, column]]
            if not who:
                continue
            best = min(reversed(who), key=lambda i: areas[i])  # of equal ones the last
            coverage[labels[best], row, column] = 1
            x, y = (column + 0.5) * stride, (row + 0.5) * stride
            corners[:, row, column] = torch.tensor([(v - at) / stride for v, at in zip(boxes[best].tolist(), (x, y, x, y), strict=True)])
    return coverage, corners


def encoded_by_an_owner_map(boxes, labels, num_classes, size_hw, stride, shrink):
    rows, columns = size_hw[0] // stride, size_hw[1] // stride
    owner = torch.full((rows, columns), -1)
    for i in sorted(range(len(boxes)), key=lambda i: -float((boxes[i, 2:] - boxes[i, :2]).prod())):
        owner[covered_cells(boxes[i], size_hw, stride, shrink)] = i
    coverage, corners = torch.zeros(num_classes, rows, columns), torch.zeros(4, rows, columns)
    row, column = (owner >= 0).nonzero(as_tuple=True)
    mine = owner[row, column]
    coverage[labels[mine], row, column] = 1
    centre = cell_centres(rows, columns, stride)[row, column]
    corners[:2, row, column] = ((boxes[mine, :2] - centre) / stride).T
    corners[2:, row, column] = ((boxes[mine, 2:] - centre) / stride).T
    return coverage, corners


def decoded_by_loops(coverage, corners, stride, threshold):
    boxes, scores, labels = [], [], []
    for row in range(coverage.shape[1]):
        for column in range(coverage.shape[2]):
            for label in range(len(coverage)):
                if coverage[label, row, column] >= threshold:
                    x, y = (column + 0.5) * stride, (row + 0.5) * stride
                    x1, y1, x2, y2 = (corners[:, row, column] * stride).tolist()
                    boxes.append([x + x1, y + y1, x + x2, y + y2])
                    scores.append(float(coverage[label, row, column]))
                    labels.append(label)
    return torch.tensor(boxes).reshape(-1, 4), torch.tensor(scores), torch.tensor(labels, dtype=torch.int64)


def decoded_best_first(coverage, corners, stride, threshold):
    every = (cell_centres(*coverage.shape[1:], stride).repeat(1, 1, 2).permute(2, 0, 1) + corners * stride).flatten(1).T  # (cells, 4)
    label, cell = (coverage.flatten(1) >= threshold).nonzero(as_tuple=True)
    score = coverage.flatten(1)[label, cell]
    order = score.argsort(descending=True)
    return every[cell[order]], score[order], label[order]


def all_boxes_by_index(corners, stride):
    rows, columns = corners.shape[2:]
    index = torch.arange(rows * columns)
    centre = torch.stack([index % columns, torch.div(index, columns, rounding_mode="floor")], dim=1) * stride + stride / 2
    return centre.repeat(1, 2) + corners.flatten(2).transpose(1, 2) * stride


def all_boxes_by_19(corners, stride):
    """The centres of notebook 19's detector, for one map."""
    centres, _ = yolo_centres((corners.shape[2] * stride, corners.shape[3] * stride), (stride,))
    return centres.repeat(1, 2) + corners.flatten(2).transpose(1, 2) * stride


def all_boxes_by_sides(corners, stride):
    centres, strides = yolo_centres((corners.shape[2] * stride, corners.shape[3] * stride), (stride,))
    sides = corners.flatten(2).transpose(1, 2) * torch.tensor([-1.0, -1, 1, 1])
    return sides_to_boxes(sides, centres, strides)


def coverage_by_hand(logits, coverage):
    each = logits.clamp(min=0) - logits * coverage + torch.log1p(torch.exp(-logits.abs()))
    return each.sum() / max(float(coverage.sum()), 1.0)


def coverage_in_numpy(logits, coverage):
    z, t = logits.double().numpy(), coverage.double().numpy()
    return torch.tensor((np.logaddexp(0, z) - z * t).sum() / max(t.sum(), 1))


def coverage_of_images(logits, coverage):
    total = sum(F.binary_cross_entropy_with_logits(z, t, reduction="sum") for z, t in zip(logits, coverage, strict=True))
    return total / (coverage > 0).sum().clamp(min=1)


def box_by_picking(corners, target, covered):
    if not covered.any():
        return corners.sum() * 0
    picked, wanted = (each.permute(0, 2, 3, 1)[covered] for each in (corners, target))  # (M, 4)
    return F.l1_loss(picked, wanted)


def box_by_loops(corners, target, covered):
    places = covered.nonzero().tolist()
    total = sum(sum(abs(float(corners[b, k, r, c] - target[b, k, r, c])) for k in range(4)) / 4 for b, r, c in places)
    return torch.tensor(total / max(len(places), 1))


RIGHT = {
    "16.cell_of": [cells_by_loop, cells_by_integer_division],
    "16.collisions": [collisions_by_unique, collisions_by_dictionary],
    "16.encode_targets": [encoded_cell_by_cell, encoded_by_an_owner_map],
    "16.decode": [decoded_by_loops, decoded_best_first],
    "16.all_boxes": [all_boxes_by_index, all_boxes_by_19, all_boxes_by_sides],
    "16.coverage_loss": [coverage_by_hand, coverage_in_numpy, coverage_of_images],
    "16.box_loss": [box_by_picking, box_by_loops],
}


@pytest.mark.parametrize(("name", "answer"), [(name, answer) for name, answers in RIGHT.items() for answer in answers])
def test_another_right_answer_passes(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.passed, verdict


def encoded_as_a_batch(boxes, labels, num_classes, size_hw, stride, shrink):
    coverage, corners = encode_batch([{"boxes": boxes, "labels": labels}], num_classes, size_hw, stride, shrink)
    return coverage[0], corners[0]


BORROWED = {"16.encode_targets": [encoded_as_a_batch], "16.decode": [lambda *arguments: decode(*arguments)]}


@pytest.mark.parametrize(("name", "answer"), [(name, answer) for name, answers in BORROWED.items() for answer in answers])
def test_a_borrowed_answer_is_refused(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.status == "refused", verdict


@pytest.mark.parametrize("said", [None, 3, (torch.zeros(2, 4),), (torch.zeros(2, 4), torch.zeros(3), torch.zeros(3))])
def test_an_answer_of_another_kind_is_wrong_and_nothing_worse(said):
    verdict = judge(find("16.decode"), lambda *arguments: said)
    assert verdict.status == "wrong", verdict
