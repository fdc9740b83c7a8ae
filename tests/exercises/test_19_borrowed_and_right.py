"""Notebook 19: a piece of a detector that is somebody else's is refused however it is reached; right answers written otherwise pass."""

import copy
import itertools
import math
from importlib import import_module

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import swa_utils
from torchvision import ops
from torchvision.models.detection._utils import BoxLinearCoder

from coursekit import boxes as blocks
from coursekit.data.geometric import letterbox, resize_image
from coursekit.data.targets import empty_target
from coursekit.exercises.core import find
from coursekit.exercises.n19_yolo import decode_sides
from coursekit.exercises.n19_yolo_assign import assign_owners
from coursekit.exercises.n19_yolo_centre import centre_owners
from coursekit.exercises.n19_yolo_photo import find_in_photo
from coursekit.exercises.verdict import judge
from coursekit.training import ema
from coursekit.yolo import layers, loss
from coursekit.yolo.layers import Bottleneck, Conv

assigning, decoding = (import_module(f"coursekit.yolo.{name}") for name in ("assign", "decode"))  # the package has functions of these names

# --- borrowed


class InheritedCSP(layers.CSP):
    pass


class WrappedCSP(nn.Module):
    def __init__(self, in_channels, out_channels, depth=1):
        super().__init__()
        self.inner = layers.CSP(in_channels, out_channels, depth)

    def forward(self, x):
        return self.inner(x)


class HalfCopiedCSP(layers.CSP):
    def forward(self, x):
        return super().forward(x)


def decode_by_pieces(sides, size_hw, strides):
    return decoding.sides_to_boxes(sides, *decoding.cell_centres(size_hw, strides))


def own_centres(size_hw, strides):
    """(A, 2) and (A,), by a list of all cells."""
    cells = [((c + 0.5) * s, (r + 0.5) * s, s) for s in strides for r in range(size_hw[0] // s) for c in range(size_hw[1] // s)]
    table = torch.tensor(cells, dtype=torch.float32).reshape(-1, 3)
    return table[:, :2], table[:, 2]


def decode_by_torchvision(sides, size_hw, strides):
    centres, stride = own_centres(size_hw, strides)
    cells = torch.cat([centres - stride[:, None] / 2, centres + stride[:, None] / 2], dim=1)
    return BoxLinearCoder(normalize_by_size=True).decode(sides, cells)


def raw_of(sides, centres, strides):
    return type("Raw", (), {"sides": sides[None], "centres": centres, "strides": strides, "logits": torch.zeros(1, len(sides), 1)})


def giou_loss_turned(boxes1, boxes2):
    return 1 - ops.complete_box_iou_loss(boxes1, boxes2, reduction="none")


def ciou_upon_diou(diou):
    def answer(a, b):
        value = diou(a, b)
        iou = blocks.box_iou(a, b).diagonal()
        angle = [torch.atan2(x[:, 2] - x[:, 0], x[:, 3] - x[:, 1]) for x in (a, b)]
        v = 4 / math.pi**2 * (angle[0] - angle[1]) ** 2
        return value - v / (1 - iou + v + 1e-7) * v

    return answer


def soft_by_opencv(boxes, scores, labels, sigma, floor):
    xywh = blocks.box_convert(boxes, "xyxy", "xywh").tolist()
    new, kept = cv2.dnn.softNMSBoxes(xywh, scores.tolist(), float(floor), 0.5, sigma=float(sigma))
    scores = scores.clone()
    scores[torch.tensor(kept, dtype=torch.int64)] = torch.tensor(new)
    return scores, torch.tensor(kept, dtype=torch.int64)


def soft_by_the_detector(boxes, scores, labels, sigma, floor):
    table = torch.zeros(len(boxes), 2).scatter(1, labels[:, None], scores[:, None])
    found = decoding.choose(boxes, table, floor, 0.6, 100, soft=True)
    return found.scores, torch.arange(len(found))


class Swa:
    """torch's own averaged model, in the clothes of the exercise."""

    def __init__(self, model, decay=0.999, tau=200.0):
        self.decay, self.tau, self.step = decay, tau, 0
        self.average = swa_utils.AveragedModel(model, avg_fn=lambda old, new, _: old + (1 - self.keep()) * (new - old), use_buffers=True)
        self.average.n_averaged += 1
        self.model = self.average.module.eval().requires_grad_(False)

    def keep(self):
        return self.decay * (1 - math.exp(-self.step / self.tau))

    def update(self, model, step):
        self.step = step
        self.average.update_parameters(model)


class SubclassedSwa(swa_utils.AveragedModel):
    pass


class WrappedEMA:
    def __init__(self, model, decay=0.999, tau=200.0):
        self.inner = ema.EMA(model, decay, tau)
        self.model = self.inner.model

    def update(self, model, step):
        self.inner.update(model, step)


class InheritedEMA(ema.EMA):
    pass


def photo_by_ours(look, photo, side):
    return find_in_photo(look, photo, side)


BORROWED = {
    "19.csp": [layers.CSP, InheritedCSP, WrappedCSP, HalfCopiedCSP, lambda i, o, d=1: layers.CSP(i, o, d)],
    "19.decode": [
        decode_sides,
        decode_by_pieces,
        lambda sides, hw, strides: decoding.sides_to_boxes(sides, *own_centres(hw, strides)),
        lambda sides, hw, strides: decoding.decode(raw_of(sides, *own_centres(hw, strides)))[0][0],
        lambda sides, hw, strides: decoding.decode(raw_of(sides, *decoding.cell_centres(hw, strides)))[0][0],
        decode_by_torchvision,
        lambda sides, hw, strides: decode_sides(sides.double(), hw, strides).float(),
    ],
    "19.complete_iou": [
        lambda a, b: ops.complete_box_iou(a, b).diagonal(),
        giou_loss_turned,
        lambda a, b: loss.complete_iou(a, b),
        lambda a, b: loss.complete_iou(b, a),
        lambda a, b: blocks.complete_box_iou(a, b).diagonal(),
        ciou_upon_diou(lambda a, b: ops.distance_box_iou(a, b).diagonal()),
        ciou_upon_diou(lambda a, b: 1 - ops.distance_box_iou_loss(a, b)),
        ciou_upon_diou(lambda a, b: blocks.distance_box_iou(a, b).diagonal()),
        ciou_upon_diou(lambda a, b: 1 - ops.diou_loss._diou_iou_loss(a, b)[0]),
        ciou_upon_diou(lambda a, b: ops.boxes._box_diou_iou(a, b)[0].diagonal()),
    ],
    "19.by_centre": [
        centre_owners,
        lambda c, s, t, radius=1.5: centre_owners(c, s, t, radius),
        lambda c, s, t, radius=1.5: (
            assigning.assign_by_centre(torch.zeros(len(c), 1), None, c, t, torch.zeros(len(t), dtype=torch.int64), s, radius=radius).owner
        ),
    ],
    "19.assign": [
        assign_owners,
        lambda *given: assign_owners(*given),
        lambda *given: assigning.assign(*given).owner,
        lambda *given: assigning.assign(*given).owner.clone(),
    ],
    "19.soft_nms": [
        lambda *given: decoding.soft_nms(*given),
        lambda b, s, c, sigma, floor: decoding.soft_nms(b.double(), s, c, sigma, floor),
        soft_by_opencv,
        soft_by_the_detector,
    ],
    "19.ema": [ema.EMA, Swa, SubclassedSwa, WrappedEMA, InheritedEMA],
    "19.find_in_photo": [find_in_photo, photo_by_ours, lambda look, photo, side: find_in_photo(look, photo, side).clone()],
}


@pytest.mark.parametrize(("name", "answer"), [(n, a) for n, answers in BORROWED.items() for a in answers])
def test_it_is_refused(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.status == "refused", verdict


# --- right, and written otherwise


class CSPByModuleList(nn.Module):
    def __init__(self, in_channels, out_channels, depth=1):
        super().__init__()
        self.cv1 = Conv(in_channels, out_channels // 2, 1)
        self.cv2 = Conv(in_channels, out_channels // 2, 1)
        self.cv3 = Conv(out_channels // 2 * 2, out_channels, 1)
        self.m = nn.ModuleList([Bottleneck(out_channels // 2) for _ in range(depth)])

    def forward(self, x):
        passed, worked = self.cv2(x), self.cv1(x)
        for block in self.m:
            worked = block(worked)
        return self.cv3(torch.hstack((worked, passed)))


class CSPByCanvas(CSPByModuleList):
    def forward(self, x):
        half = self.cv1(x).shape[1]
        canvas = x.new_empty(len(x), 2 * half, *x.shape[2:])
        canvas[:, half:] = self.cv2(x)
        worked = self.cv1(x)
        for block in self.m:
            worked = block(worked)
        canvas[:, :half] = worked
        return self.cv3(canvas)


class CSPOneBranchASequence(nn.Module):
    def __init__(self, in_channels, out_channels, depth=1):
        super().__init__()
        half = int(out_channels / 2)
        self.left = nn.Sequential(Conv(in_channels, half, kernel=1), *[Bottleneck(half) for _ in range(depth)])
        self.right = nn.Sequential(Conv(in_channels, half, kernel=1))
        self.out = nn.Sequential(Conv(half + half, out_channels, kernel=1))

    def forward(self, x):
        return self.out(torch.concat((self.left(x), self.right(x)), 1))


class CSPRecursive(CSPByModuleList):
    def work(self, x, depth=0):
        return x if depth == len(self.m) else self.work(self.m[depth](x), depth + 1)

    def forward(self, x):
        return self.cv3(torch.cat([self.work(self.cv1(x)), self.cv2(x)], dim=-3))


class CSPByDict(nn.Module):
    def __init__(self, in_channels, out_channels, depth=1):
        super().__init__()
        half = out_channels >> 1
        self.parts = nn.ModuleDict({"a": Conv(in_channels, half, kernel=1), "b": Conv(in_channels, half, kernel=1)})
        self.parts["deep"] = nn.Sequential(*map(Bottleneck, [half] * depth))
        self.parts["mix"] = Conv(half * 2, out_channels, kernel=1)

    def forward(self, x):
        return self.parts["mix"](torch.cat((self.parts["deep"](self.parts["a"](x)), self.parts["b"](x)), 1))


def decode_cell_by_cell(sides, size_hw, strides):
    boxes, rows = [], iter(sides.tolist())
    for stride in strides:
        for y, x in itertools.product(range(size_hw[0] // stride), range(size_hw[1] // stride)):
            left, top, right, bottom = (stride * v for v in next(rows))
            cx, cy = stride * x + stride / 2, stride * y + stride / 2
            boxes.append([cx - left, cy - top, cx + right, cy + bottom])
    return torch.tensor(boxes)


def decode_by_arange(sides, size_hw, strides):
    result, first = torch.empty_like(sides), 0
    for s in strides:
        h, w = size_hw[0] // s, size_hw[1] // s
        index = torch.arange(h * w)
        centre = torch.stack([index % w, index // w], 1) * s + s / 2
        part = sides[first : first + h * w] * s
        result[first : first + h * w] = torch.cat([centre, centre], 1) + part * torch.tensor([-1, -1, 1, 1])
        first += h * w
    return result


def decode_in_numpy(sides, size_hw, strides):
    grids = [np.mgrid[s / 2 : size_hw[0] : s, s / 2 : size_hw[1] : s][::-1].reshape(2, -1).T for s in strides]
    scale = np.repeat(strides, [len(g) for g in grids])[:, None]
    centres, reach = np.concatenate(grids), sides.numpy() * scale
    return torch.from_numpy(np.hstack([centres - reach[:, :2], centres + reach[:, 2:]]).astype(np.float32))


def decode_by_cartesian(sides, size_hw, strides):
    parts = []
    for s, mine in zip(strides, sides.split([(size_hw[0] // s) * (size_hw[1] // s) for s in strides]), strict=True):
        yx = torch.cartesian_prod(torch.arange(size_hw[0] // s) + 0.5, torch.arange(size_hw[1] // s) + 0.5).reshape(-1, 2)
        low, high = yx.flip(1) - mine[:, :2], yx.flip(1) + mine[:, 2:]
        parts.append(torch.cat([low, high], 1) * s)
    return torch.cat(parts)


def decode_in_float64(sides, size_hw, strides):
    centres, stride = own_centres(size_hw, strides)
    l, t, r, b = (sides.double() * stride[:, None]).unbind(1)  # noqa: E741
    x, y = centres.double().unbind(1)
    return torch.stack([x - l, y - t, x + r, y + b], 1)


def ciou_by_columns(a, b):
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = a.double().unbind(1), b.double().unbind(1)
    aw, ah, bw, bh = ax2 - ax1, ay2 - ay1, bx2 - bx1, by2 - by1
    shared = (torch.min(ax2, bx2) - torch.max(ax1, bx1)).clamp(0) * (torch.min(ay2, by2) - torch.max(ay1, by1)).clamp(0)
    iou = shared / (aw * ah + bw * bh - shared + 1e-9)
    far = (torch.max(ax2, bx2) - torch.min(ax1, bx1)) ** 2 + (torch.max(ay2, by2) - torch.min(ay1, by1)) ** 2 + 1e-9
    near = ((ax1 + ax2 - bx1 - bx2) ** 2 + (ay1 + ay2 - by1 - by2) ** 2) / 4
    v = (torch.atan2(aw, ah) - torch.atan2(bw, bh)) ** 2 * 4 / torch.pi**2
    return (iou - near / far - v * v / (1 - iou + v + 1e-9)).float()


def ciou_row_by_row(a, b):
    values = []
    for p, q in zip(a.tolist(), b.tolist(), strict=True):
        wide, high = (max(0.0, min(p[k + 2], q[k + 2]) - max(p[k], q[k])) for k in (0, 1))
        size = [(x[2] - x[0], x[3] - x[1]) for x in (p, q)]
        union = sum(w * h for w, h in size) - wide * high
        iou = wide * high / union if union else 0.0
        hull = sum((max(p[k + 2], q[k + 2]) - min(p[k], q[k])) ** 2 for k in (0, 1))
        apart = sum(((p[k] + p[k + 2]) / 2 - (q[k] + q[k + 2]) / 2) ** 2 for k in (0, 1))
        angles = [math.atan2(w, h) for w, h in size]
        v = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
        values.append(iou - (apart / hull if hull else 0) - (v * v / (1 - iou + v) if v else 0))
    return torch.tensor(values)


def ciou_upon_box_iou(a, b):
    iou = blocks.box_iou(a, b).diagonal()
    hull = torch.cat([torch.minimum(a[:, :2], b[:, :2]), torch.maximum(a[:, 2:], b[:, 2:])], 1)
    ca, cb, ch = (blocks.box_convert(x, "xyxy", "cxcywh") for x in (a, b, hull))
    distance = (ca[:, :2] - cb[:, :2]).pow(2).sum(1) / ch[:, 2:].pow(2).sum(1).clamp(min=1e-7)
    v = 4 / math.pi**2 * (torch.atan2(ca[:, 2], ca[:, 3]) - torch.atan2(cb[:, 2], cb[:, 3])).pow(2)
    with torch.no_grad():
        alpha = v / (1 - iou + v).clamp(min=1e-7)
    return iou - (distance + alpha * v)


def ciou_in_numpy(a, b):
    return ciou_row_by_row(torch.from_numpy(a.numpy().astype(np.float64)), b.double()).double()


def ciou_by_loss(a, b):
    return 1 - (1 - ciou_by_columns(a, b))


def centre_by_loops(centres, strides, truth_boxes, radius=1.5):
    owner, best = [-1] * len(centres), [math.inf] * len(centres)
    suits = assigning.suiting_stride(truth_boxes, strides).tolist() if len(truth_boxes) else []
    for m, (x1, y1, x2, y2) in enumerate(truth_boxes.tolist()):
        reach = [min(max((high - low) / 2, suits[m]), radius * suits[m]) for low, high in ((x1, x2), (y1, y2))]
        for a, ((x, y), stride) in enumerate(zip(centres.tolist(), strides.tolist(), strict=True)):
            inside = abs(x - (x1 + x2) / 2) < reach[0] and abs(y - (y1 + y2) / 2) < reach[1]
            if stride == suits[m] and inside and (x2 - x1) * (y2 - y1) < best[a]:
                owner[a], best[a] = m, (x2 - x1) * (y2 - y1)
    return torch.tensor(owner)


def centre_largest_first(centres, strides, truth_boxes, radius=1.5):
    owner = torch.full((len(centres),), -1)
    for m in (-blocks.box_area(truth_boxes)).argsort(stable=True).tolist() if len(truth_boxes) else []:
        box = truth_boxes[m]
        stride = assigning.suiting_stride(box[None], strides)
        half = torch.stack([(box[2:] - box[:2]) / 2, stride.expand(2)]).amax(0).clamp(max=float(radius * stride))
        apart = (centres - (box[:2] + box[2:]) / 2).abs()
        owner[(apart < half).all(1) & (strides == stride)] = m
    return owner


def centre_by_edges(centres, strides, truth_boxes, radius=1.5):
    if not len(truth_boxes):
        return torch.full((len(centres),), -1, dtype=torch.int64)
    stride = assigning.suiting_stride(truth_boxes, strides)[:, None]
    cxcywh = blocks.box_convert(truth_boxes, "xyxy", "cxcywh")
    near = torch.ones(len(truth_boxes), len(centres), dtype=torch.bool)
    for axis in (0, 1):
        half = torch.min(torch.max(cxcywh[:, 2 + axis, None] / 2, stride), radius * stride)
        near &= (centres[:, axis] - cxcywh[:, axis, None]).abs() < half
    near &= strides[None] == stride
    cost = torch.where(near, blocks.box_area(truth_boxes)[:, None], 1e12)
    return torch.where(near.any(0), cost.argmin(0), -1)


def centre_in_float64(centres, strides, truth_boxes, radius=1.5):
    return centre_by_loops(centres.double(), strides, truth_boxes, radius)


def centre_in_numpy(centres, strides, truth_boxes, radius=1.5):
    if truth_boxes.numel() == 0:
        return -torch.ones(len(centres), dtype=torch.int64)
    stride = assigning.suiting_stride(truth_boxes, strides).numpy()[:, None]
    box, at = truth_boxes.numpy(), centres.numpy()
    half = np.minimum(np.maximum((box[:, 2:] - box[:, :2]) / 2, stride), radius * stride)
    near = (np.abs(at[None] - ((box[:, :2] + box[:, 2:]) / 2)[:, None]) < half[:, None]).all(-1) & (strides.numpy() == stride)
    area = np.where(near, (box[:, 2:] - box[:, :2]).prod(1)[:, None], np.inf)
    return torch.from_numpy(np.where(near.any(0), area.argmin(0), -1))


def assign_with(inside_of, ciou):
    """Object by object, cell by cell."""

    def answer(scores, boxes, centres, truth_boxes, truth_labels, top=10):
        owner, quality = torch.full((len(scores),), -1), torch.full((len(scores),), -1.0)
        for m, (box, label) in enumerate(zip(truth_boxes, truth_labels.tolist(), strict=True)):
            inside = inside_of(centres, box[None])[0]
            overlap = ciou(boxes, box.expand(len(boxes), 4)).float().clamp(min=0)
            places = inside.nonzero().flatten()
            skill = scores[places, label].sqrt() * overlap[places].pow(6)
            for a in places[skill.argsort(descending=True)[:top]].tolist():
                if overlap[a] > quality[a]:
                    owner[a], quality[a] = m, overlap[a]
        return owner

    return answer


def inside_by_hand(centres, boxes):
    cxcywh = blocks.box_convert(boxes, "xyxy", "cxcywh")
    half = cxcywh[:, 2:].clamp(min=16) / 2
    return ((centres[None] - cxcywh[:, None, :2]).abs() < half[:, None]).all(-1)


def assign_in_tables(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    if truth_boxes.shape[0] == 0:
        return torch.full((scores.shape[0],), -1, dtype=torch.int64)
    inside = assigning.centres_inside(centres, truth_boxes).T  # (A, M)
    overlap = torch.stack([ciou_by_columns(boxes, t.expand_as(boxes)) for t in truth_boxes], 1).clamp_min(0)
    skill = torch.where(inside, scores[:, truth_labels] ** 0.5 * overlap**6, -1.0)
    place = skill.argsort(dim=0, descending=True).argsort(dim=0)
    wanted = torch.where((place < top) & inside, overlap, -1.0)
    return torch.where(wanted.amax(1) >= 0, wanted.argmax(1), -1)


def soft_in_floats(boxes, scores, labels, sigma, floor):
    now, left, kept = scores.tolist(), [i for i, s in enumerate(scores) if s > floor], []
    now = [torch.tensor(s) for s in now]
    while left:
        best = max(left, key=lambda i: now[i].item())
        kept.append(best)
        left.remove(best)
        for i in left:
            if labels[i] == labels[best]:
                iou = blocks.box_iou(boxes[[i]], boxes[[best]])[0, 0]
                now[i] = now[i] * torch.exp(-(iou**2) / sigma)
        left = [i for i in left if now[i] > floor]
    return torch.stack(now) if now else scores, torch.tensor(kept, dtype=torch.int64)


def soft_by_sorting(boxes, scores, labels, sigma=0.5, floor=0.001):
    scores, order, kept = scores.clone(), torch.arange(len(scores)), []
    order = order[scores > floor]
    while order.numel():
        order = order[scores[order].argsort(descending=True)]
        best, order = order[0], order[1:]
        kept += [best.item()]
        factor = (-(blocks.box_iou(boxes[best][None], boxes[order])[0] ** 2) / sigma).exp()
        scores[order] = torch.where(labels[order] == labels[best], scores[order] * factor, scores[order])
        order = order[scores[order] > floor]
    return scores, torch.LongTensor(kept)


def soft_with_a_table(boxes, scores, labels, sigma, floor):
    table = torch.exp(-(blocks.box_iou(boxes, boxes).pow(2)) / sigma)
    table[labels[:, None] != labels] = 1
    new, alive, kept = scores.clone(), scores > floor, []
    for _ in range(len(scores)):
        if not alive.any():
            break
        best = new.masked_fill(~alive, -1).argmax().item()
        kept.append(best)
        alive[best] = False
        new[alive] = new[alive] * table[best, alive]
        alive = alive & (new > floor)
    return [new, torch.tensor(kept, dtype=torch.int32)]


def soft_class_by_class(boxes, scores, labels, sigma, floor):
    new, kept = scores.clone(), []
    for label in labels.unique():
        members = torch.where(labels == label)[0]
        mine, places = soft_with_a_table(boxes[members], scores[members], labels[members], sigma, floor)
        new[members] = mine
        kept += members[places.long()].tolist()
    return new, torch.tensor(sorted(kept, key=lambda i: -new[i].item()), dtype=torch.int64)


def soft_by_calling_itself(boxes, scores, labels, sigma, floor):
    scores = scores.clone()

    def rest(left):
        left = [i for i in left if scores[i] > floor]
        if not left:
            return []
        best = max(left, key=lambda i: scores[i])
        left.remove(best)
        for i in left:
            same = labels[i] == labels[best]
            scores[i] *= torch.exp(-(blocks.box_iou(boxes[[best]], boxes[[i]]).squeeze() ** 2) / sigma) if same else 1
        return [best, *rest(left)]

    return scores, torch.tensor(rest(list(range(len(scores)))), dtype=torch.int64)


class EmaByNames:
    def __init__(self, model, decay=0.999, tau=200.0):
        self.model, self.decay, self.tau = copy.deepcopy(model), decay, tau
        self.model.eval()
        for parameter in self.model.parameters():
            parameter.requires_grad = False

    def update(self, model, step):
        d, new = self.decay * (1 - math.exp(-step / self.tau)), model.state_dict()
        with torch.no_grad():
            for name, old in self.model.state_dict().items():
                old.copy_(d * old + (1 - d) * new[name] if old.dtype.is_floating_point else new[name])


class EmaByLoading(EmaByNames):
    def update(self, model, step):
        d = self.decay * -math.expm1(-step / self.tau)
        mixed = {k: torch.lerp(new, old, d) if old.is_floating_point() else new for (k, old), new in self.pairs(model)}
        self.model.load_state_dict({k: v.detach().clone() for k, v in mixed.items()})

    def pairs(self, model):
        return zip(self.model.state_dict().items(), model.state_dict().values(), strict=True)


class EmaParametersThenBuffers(EmaByNames):
    @torch.no_grad()
    def update(self, model, step):
        d = self.decay * (1 - np.exp(-step / self.tau))
        for mine, theirs in zip(self.model.parameters(), model.parameters(), strict=True):
            mine.mul_(d).add_(theirs.detach(), alpha=1 - d)
        for mine, theirs in zip(self.model.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs) if mine.dtype == torch.int64 else mine.mul_(d).add_(theirs, alpha=1 - d)


class EmaByForeach(EmaByNames):
    @torch.no_grad()
    def update(self, model, step):
        d = self.decay * (1 - math.e ** (-step / self.tau))
        mine, new = (list(m.state_dict().values()) for m in (self.model, model))
        real = [i for i, t in enumerate(mine) if t.is_floating_point()]
        torch._foreach_lerp_([mine[i] for i in real], [new[i] for i in real], 1 - d)
        for i in set(range(len(mine))) - set(real):
            mine[i].fill_(new[i])


class EmaInFloat64(EmaByNames):
    @torch.no_grad()
    def update(self, model, step):
        d = self.decay * (1 - math.exp(-step / self.tau))
        for (_, mine), (_, new) in zip(self.model.state_dict().items(), model.state_dict().items(), strict=True):
            mine.copy_((mine.double() * d + new.double() * (1 - d)).to(mine.dtype) if torch.is_floating_point(mine) else new)


def photo_by_hand(look, photo, side):
    canvas, _, (scale_x, scale_y, left, top) = letterbox(photo, empty_target(), (side, side))
    x1, y1, x2, y2 = look(canvas).unbind(1)
    height, width = photo.shape[1:]
    xs, ys = [((x - left) / scale_x).clamp(0, width) for x in (x1, x2)], [((y - top) / scale_y).clamp(0, height) for y in (y1, y2)]
    return torch.stack([xs[0], ys[0], xs[1], ys[1]], 1)


def photo_with_clip(look, photo, side):
    canvas, _, placement = letterbox(photo, empty_target(), (side, side))
    return blocks.clip_boxes_to_image(placement.undo(look(canvas)), tuple(photo.shape[1:]))


def photo_with_torchvisions_clip(look, photo, side):
    laid = letterbox(photo, empty_target(), (side, side))
    return ops.clip_boxes_to_image(laid[2].undo(look(laid[0])), photo.shape[-2:])


def photo_in_float64(look, photo, side):
    canvas, _, placement = letterbox(photo, empty_target(), (side, side))
    return placement.undo(look(canvas).double(), (photo.shape[1], photo.shape[2])).float()


def photo_without_letterbox(look, photo, side):
    _, height, width = photo.shape
    scale = min(side / height, side / width)
    new_h, new_w = max(1, round(height * scale)), max(1, round(width * scale))
    canvas, left, top = torch.full((3, side, side), 114, dtype=torch.uint8), (side - new_w) // 2, (side - new_h) // 2
    canvas[:, top : top + new_h, left : left + new_w] = resize_image(photo, (new_h, new_w))
    back = (look(canvas) - torch.tensor([left, top] * 2)) * torch.tensor([width / new_w, height / new_h] * 2)
    return torch.minimum(back.clamp(min=0), torch.tensor([width, height] * 2))


RIGHT = {
    "19.csp": [CSPByModuleList, CSPByCanvas, CSPOneBranchASequence, CSPRecursive, CSPByDict],
    "19.decode": [decode_cell_by_cell, decode_by_arange, decode_in_numpy, decode_by_cartesian, decode_in_float64],
    "19.complete_iou": [ciou_by_columns, ciou_row_by_row, ciou_upon_box_iou, ciou_in_numpy, ciou_by_loss],
    "19.by_centre": [centre_by_loops, centre_largest_first, centre_by_edges, centre_in_float64, centre_in_numpy],
    "19.assign": [
        assign_with(assigning.centres_inside, loss.complete_iou),
        assign_with(inside_by_hand, loss.complete_iou),
        assign_with(inside_by_hand, ciou_by_columns),
        assign_with(assigning.centres_inside, ciou_upon_box_iou),
        assign_in_tables,
    ],
    "19.soft_nms": [soft_in_floats, soft_by_sorting, soft_with_a_table, soft_class_by_class, soft_by_calling_itself],
    "19.ema": [EmaByNames, EmaByLoading, EmaParametersThenBuffers, EmaByForeach, EmaInFloat64],
    "19.find_in_photo": [photo_by_hand, photo_with_clip, photo_with_torchvisions_clip, photo_in_float64, photo_without_letterbox],
}


@pytest.mark.parametrize(("name", "answer"), [(n, a) for n, answers in RIGHT.items() for a in answers])
def test_it_passes(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.passed, verdict
