"""Notebook 13: a box function that is somebody else's is refused however it is reached; right answers written otherwise pass."""

import itertools
import math
from importlib import import_module

import cv2
import numpy as np
import pytest
import torch
import torchvision
from torchvision import ops, tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as VF

from coursekit import boxes as blocks
from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge
from coursekit.metrics import coco, detection, match_table, pairs, simple, steps, voc
from coursekit.metrics.inputs import from_samples
from coursekit.plots import suppression, two_boxes

decode = import_module("coursekit.yolo.decode")  # the package has a function of this name

# --- borrowed: formats and overlap


def wrapped(boxes, in_fmt):
    return tv_tensors.BoundingBoxes(boxes, format=in_fmt.upper(), canvas_size=(99, 99))


def converted_piece_by_piece(boxes, in_fmt, out_fmt):
    from torchvision.ops import _box_convert as pieces

    into = {"xywh": pieces._box_xywh_to_xyxy, "cxcywh": pieces._box_cxcywh_to_xyxy}.get(in_fmt, torch.clone)
    out_of = {"xywh": pieces._box_xyxy_to_xywh, "cxcywh": pieces._box_xyxy_to_cxcywh}.get(out_fmt, torch.clone)
    return out_of(into(boxes))


def iou_of_torchvisions_areas(boxes1, boxes2):
    shared, union = ops.boxes._box_inter_union(boxes1, boxes2)
    return (shared / union).nan_to_num()


def iou_of_our_areas(boxes1, boxes2):
    shared, union = blocks._intersection_and_union(boxes1, boxes2)
    return (shared / union).nan_to_num()


def every_pair(boxes1, boxes2):
    first = boxes1[:, None].expand(-1, len(boxes2), -1).reshape(-1, 4)
    return first, boxes2.repeat(len(boxes1), 1)


def iou_of_losses(boxes1, boxes2):
    shared, union = torchvision.ops._utils._loss_inter_union(*every_pair(boxes1, boxes2))
    return (shared / union).nan_to_num().reshape(len(boxes1), len(boxes2))


def iou_of_paired(boxes1, boxes2):
    first, second = (blocks.box_convert(b, "xyxy", "xywh").double().numpy() for b in every_pair(boxes1, boxes2))
    return torch.from_numpy(pairs.paired_iou(first, second, np.zeros(len(first), bool))).reshape(len(boxes1), len(boxes2)).float()


def iou_of_coco(boxes1, boxes2):
    first, second = (blocks.box_convert(b, "xyxy", "xywh").double().numpy() for b in (boxes1, boxes2))
    return torch.from_numpy(coco.iou_matrix(first, second, np.zeros(len(second), bool))).float()


def iou_row_by_row(boxes1, boxes2):
    rows = [simple._iou(row.double().numpy(), boxes2.double().numpy()) for row in boxes1]
    return torch.tensor(np.array(rows).reshape(len(boxes1), len(boxes2))).float()


def overlap_of_the_widget(name):
    def answer(boxes1, boxes2):
        values = [[getattr(two_boxes.overlap(a, b), name) for b in boxes2] for a in boxes1]
        return torch.tensor(values, dtype=torch.float32).reshape(len(boxes1), len(boxes2))

    return answer


def giou_of_losses(boxes1, boxes2):
    return (1 - ops.generalized_box_iou_loss(*every_pair(boxes1, boxes2))).reshape(len(boxes1), len(boxes2))


# --- borrowed: suppression and matching


def nms_of_opencv(boxes, scores, iou_threshold):
    xywh = blocks.box_convert(boxes, "xyxy", "xywh").double().numpy()
    return torch.tensor(cv2.dnn.NMSBoxes(xywh.tolist(), scores.tolist(), 0.0, iou_threshold), dtype=torch.int64)


def batched_of_opencv(boxes, scores, labels, iou_threshold):
    xywh = blocks.box_convert(boxes, "xyxy", "xywh").double().numpy()
    kept = cv2.dnn.NMSBoxesBatched(xywh.tolist(), scores.tolist(), labels.tolist(), 0.0, iou_threshold)
    return torch.tensor(kept, dtype=torch.int64)


def nms_of_the_picture(boxes, scores, iou_threshold):
    return torch.tensor([r.best for r in suppression.rounds_of_nms(boxes, scores, iou_threshold)], dtype=torch.int64)


def one_class(scores):
    return torch.zeros(len(scores), dtype=torch.int64)


def batched_by_the_detector(boxes, scores, labels, iou_threshold):
    table = torch.zeros(len(boxes), int(labels.max()) + 1 if len(labels) else 1).scatter(1, labels[:, None], scores[:, None])
    found = decode.choose(boxes, table, -1.0, iou_threshold, 10**6)
    return torch.stack([(boxes == box).all(dim=1).nonzero()[0, 0] for box in found.boxes]) if len(found) else labels


def tidy_by_the_detector(raw, score_threshold, iou_threshold):
    found = decode.choose(blocks.box_convert(raw[:, :4], "cxcywh", "xyxy"), raw[:, 4:], score_threshold - 1e-6, iou_threshold, 1000)
    return found.boxes, found.scores, found.labels


def ap_of_the_table(truth, boxes, scores, iou_threshold):
    images = {
        str(n): {"truth": t.numpy(), "boxes": b.numpy(), "scores": s.numpy()}
        for n, (t, b, s) in enumerate(zip(truth, boxes, scores, strict=True))
    }
    rows = match_table.match_table(images, iou_threshold)
    objects = sum(map(len, truth))
    return sum(row.precision for row in rows if row.right) / objects if objects else math.nan


def ap_by_matching_of(match):
    """Pool what somebody else matched, and average."""

    def answer(truth, boxes, scores, iou_threshold):
        verdicts = []
        for t, b, s in zip(truth, boxes, scores, strict=True):
            order = s.argsort(descending=True, stable=True)
            iou = blocks.box_iou(b[order], t).double().numpy()
            verdicts += [(-float(s[i]), hit >= 0) for i, hit in zip(order, match(iou, iou_threshold), strict=True)]
        verdicts.sort(key=lambda v: v[0])
        hits = list(itertools.accumulate(int(right) for _, right in verdicts))
        objects = sum(map(len, truth))
        return (
            sum(h / n for n, ((_, right), h) in enumerate(zip(verdicts, hits, strict=True), 1) if right) / objects if objects else math.nan
        )

    return answer


def matched_by_coco(iou, threshold):
    none = np.zeros(iou.shape[1], dtype=bool)
    return coco.match_image(iou, none, none, threshold)


def samples(truth, boxes, scores):
    targets = [{"boxes": t, "labels": torch.zeros(len(t), dtype=torch.int64)} for t in truth]
    return targets, [{"boxes": b, "scores": s, "labels": one_class(s)} for b, s in zip(boxes, scores, strict=True)]


def ap_of_voc(truth, boxes, scores, iou_threshold):
    return voc.voc_evaluate(from_samples(*samples(truth, boxes, scores), ["thing"]), iou_threshold=iou_threshold).mAP


def ap_of_coco(truth, boxes, scores, iou_threshold):
    return detection.evaluate_samples(*samples(truth, boxes, scores), ["thing"]).summary["AP50"]


def ap_of_simple_by_class(truth, boxes, scores, iou_threshold):
    found = [type("Found", (), {"boxes": b, "scores": s, "labels": one_class(s)}) for b, s in zip(boxes, scores, strict=True)]
    return simple.simple_ap_by_class(samples(truth, boxes, scores)[0], found, iou_threshold).get(0, math.nan)


BORROWED = {
    "13.box_convert": [
        lambda b, i, o: ops.box_convert(b, in_fmt=i, out_fmt=o),
        lambda b, i, o: ops.boxes.box_convert(b, i, o),
        lambda b, i, o: blocks.box_convert(b, i, o),
        converted_piece_by_piece,
        lambda b, i, o: VF.convert_bounding_box_format(b, old_format=i, new_format=o),
        lambda b, i, o: VF.convert_bounding_box_format(wrapped(b, i), new_format=o.upper()).as_subclass(torch.Tensor),
        lambda b, i, o: v2.ConvertBoundingBoxFormat(o.upper())(wrapped(b, i)).as_subclass(torch.Tensor),
        lambda b, i, o: VF._meta._convert_bounding_box_format(
            b, old_format=tv_tensors.BoundingBoxFormat[i.upper()], new_format=tv_tensors.BoundingBoxFormat[o.upper()]
        ),
    ],
    "13.box_iou": [
        lambda a, b: ops.box_iou(a, b).nan_to_num(),
        lambda a, b: ops.boxes.box_iou(boxes1=a, boxes2=b).nan_to_num(),
        iou_of_torchvisions_areas,
        iou_of_our_areas,
        iou_of_losses,
        lambda a, b: ops.boxes._box_diou_iou(a, b)[1].nan_to_num(),
        lambda a, b: torch.from_numpy(steps.iou_of_boxes(a.numpy(), b.numpy())).float(),
        iou_of_paired,
        iou_of_coco,
        iou_row_by_row,
        overlap_of_the_widget("iou"),
    ],
    "13.giou": [
        lambda a, b: ops.generalized_box_iou(a, b).nan_to_num(),
        lambda a, b: ops.boxes.generalized_box_iou(boxes1=a, boxes2=b),
        lambda a, b: blocks.generalized_box_iou(a, b),
        lambda a, b: blocks.generalized_box_iou(b, a).T,
        giou_of_losses,
        overlap_of_the_widget("giou"),
        lambda a, b: torch.stack([blocks.generalized_box_iou(row[None], b)[0] for row in a]) if len(a) else torch.zeros(0, len(b)),
        lambda a, b: blocks.generalized_box_iou(a.double(), b.double()).float(),
    ],
    "13.nms": [
        lambda b, s, t: ops.nms(b, s, t),
        lambda b, s, t: torch.ops.torchvision.nms(b, s, t),
        lambda b, s, t: ops.batched_nms(b, s, one_class(s), t),
        lambda b, s, t: ops.boxes._batched_nms_vanilla(b, s, one_class(s), t),
        lambda b, s, t: blocks.fast_nms(b, s, t),
        lambda b, s, t: blocks.batched_nms(b, s, one_class(s), t),
        lambda b, s, t: blocks.fast_batched_nms(b, s, one_class(s), t),
        lambda b, s, t: blocks._class_by_class(blocks.nms, b, s, one_class(s), t),
        nms_of_the_picture,
        nms_of_opencv,
    ],
    "13.batched_nms": [
        lambda b, s, c, t: ops.batched_nms(b, s, c, t),
        lambda b, s, c, t: ops.boxes._batched_nms_coordinate_trick(b, s, c, t),
        lambda b, s, c, t: ops.boxes._batched_nms_vanilla(b, s, c, t),
        lambda b, s, c, t: blocks.batched_nms(b, s, c, t),
        lambda b, s, c, t: blocks.fast_batched_nms(b, s, c, t),
        lambda b, s, c, t: blocks._class_by_class(blocks.nms, b, s, c, t),
        batched_by_the_detector,
        batched_of_opencv,
    ],
    "13.simple_ap": [
        lambda *given: simple.simple_ap(*given),
        lambda truth, boxes, scores, t: simple.simple_ap([x.tolist() for x in truth], [x.tolist() for x in boxes], scores, t),
        ap_of_simple_by_class,
        ap_of_the_table,
        ap_by_matching_of(steps.match_detections),
        ap_by_matching_of(matched_by_coco),
        ap_of_voc,
        ap_of_coco,
    ],
    "13.tidy_up": [tidy_by_the_detector],
}


@pytest.mark.parametrize(("name", "answer"), [(n, a) for n, answers in BORROWED.items() for a in answers])
def test_it_is_refused(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.status == "refused", verdict


# --- right, and written otherwise


def convert_by_matrices(boxes, in_fmt, out_fmt):
    into = {"xyxy": np.eye(4), "xywh": [[1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]]}
    into["cxcywh"] = [[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]]
    way = np.array(into[in_fmt]) @ np.linalg.inv(np.array(into[out_fmt], float))
    return torch.from_numpy(boxes.double().numpy() @ way).float()


def convert_row_by_row(boxes, in_fmt, out_fmt):
    rows = []
    for a, b, c, d in boxes.tolist():
        if in_fmt == "xyxy":
            x, y, w, h = a, b, c - a, d - b
        else:
            x, y, w, h = (a, b, c, d) if in_fmt == "xywh" else (a - c / 2, b - d / 2, c, d)
        rows.append({"xyxy": [x, y, x + w, y + h], "xywh": [x, y, w, h], "cxcywh": [x + w / 2, y + h / 2, w, h]}[out_fmt])
    return torch.tensor(rows).reshape(-1, 4)


def convert_in_halves(boxes, in_fmt, out_fmt):
    first, second = boxes.double().chunk(2, dim=1)
    centre, size = {
        "xyxy": lambda: ((first + second) * 0.5, second - first),
        "xywh": lambda: (first + second * 0.5, second),
        "cxcywh": lambda: (first, second),
    }[in_fmt]()
    if out_fmt == "xyxy":
        return torch.hstack([centre - 0.5 * size, centre + 0.5 * size])
    return torch.hstack([centre if out_fmt == "cxcywh" else centre - 0.5 * size, size])


def convert_in_nine_branches(boxes, in_fmt, out_fmt):
    a, b, c, d = boxes.T
    if in_fmt == out_fmt:
        return boxes.clone()
    if (in_fmt, out_fmt) == ("xyxy", "xywh"):
        return torch.column_stack([a, b, c - a, d - b])
    if (in_fmt, out_fmt) == ("xywh", "xyxy"):
        return torch.column_stack([a, b, a + c, b + d])
    if (in_fmt, out_fmt) == ("xyxy", "cxcywh"):
        return torch.column_stack([a + (c - a) / 2, b + (d - b) / 2, c - a, d - b])
    if (in_fmt, out_fmt) == ("cxcywh", "xyxy"):
        return torch.column_stack([a - c / 2, b - d / 2, a + c / 2, b + d / 2])
    sign = 1 if out_fmt == "cxcywh" else -1
    return torch.column_stack([a + sign * c / 2, b + sign * d / 2, c, d])


def convert_in_place_of_a_copy(boxes, in_fmt, out_fmt):
    boxes = boxes.clone()
    if in_fmt == "cxcywh":
        boxes[:, :2] -= boxes[:, 2:] / 2
    if in_fmt != "xyxy":
        boxes[:, 2:] += boxes[:, :2]
    if out_fmt != "xyxy":
        boxes[:, 2:] -= boxes[:, :2]
    if out_fmt == "cxcywh":
        boxes[:, :2] += boxes[:, 2:] / 2
    return boxes


def iou_by_loops(boxes1, boxes2):
    result = torch.zeros(len(boxes1), len(boxes2))
    for (i, a), (j, b) in itertools.product(enumerate(boxes1.tolist()), enumerate(boxes2.tolist())):
        width, height = (max(0.0, min(a[k + 2], b[k + 2]) - max(a[k], b[k])) for k in (0, 1))
        union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
        result[i, j] = width * height / union if union else 0.0
    return result


def iou_by_relu(boxes1, boxes2):
    a, b = boxes1.unsqueeze(1).double(), boxes2.unsqueeze(0).double()
    sides = torch.relu(torch.min(a[..., 2:], b[..., 2:]) - torch.max(a[..., :2], b[..., :2]))
    shared = sides[..., 0] * sides[..., 1]
    area = [(x[..., 2] - x[..., 0]) * (x[..., 3] - x[..., 1]) for x in (a, b)]
    return (shared / (area[0] + area[1] - shared)).nan_to_num(0.0)


def iou_column_by_column(boxes1, boxes2):
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = boxes1[:, :, None].unbind(1), boxes2.T[:, None]
    width = (torch.where(ax2 < bx2, ax2, bx2) - torch.where(ax1 > bx1, ax1, bx1)).clip(0)
    height = (torch.where(ay2 < by2, ay2, by2) - torch.where(ay1 > by1, ay1, by1)).clip(0)
    shared = width * height
    return shared / ((ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - shared + 1e-12)


def iou_in_numpy(boxes1, boxes2):
    a, b = boxes1.numpy()[:, None], boxes2.numpy()[None]
    sides = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    shared = sides.prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    return torch.from_numpy(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def iou_masked(boxes1, boxes2):
    end, start = torch.minimum(boxes1[:, None, 2:], boxes2[:, 2:]), torch.maximum(boxes1[:, None, :2], boxes2[:, :2])
    shared = torch.where((end > start).all(-1), (end - start).prod(-1), 0)
    union = blocks.box_area(boxes1)[:, None] + blocks.box_area(boxes2) - shared
    union[union == 0] = 1
    return shared / union


def giou_by(iou):
    def answer(boxes1, boxes2):
        union_and_shared = [(b[:, 2:] - b[:, :2]).prod(1) for b in (boxes1, boxes2)]
        ratio = iou(boxes1, boxes2).float()
        total = union_and_shared[0][:, None] + union_and_shared[1]
        union = total / (1 + ratio)  # total = union + shared = union (1 + IoU)
        low, high = torch.min(boxes1[:, None, :2], boxes2[:, :2]), torch.max(boxes1[:, None, 2:], boxes2[:, 2:])
        hull = (high - low).prod(-1)
        return ratio - torch.where(hull > 0, 1 - union / hull, 0)

    return answer


def nms_by_alive(boxes, scores, iou_threshold):
    overlap, alive, kept = iou_by_relu(boxes, boxes).float(), torch.ones(len(boxes), dtype=torch.bool), []
    while alive.any():
        best = int(torch.where(alive, scores, -torch.inf).argmax())
        kept.append(best)
        alive &= overlap[best] <= iou_threshold
        alive[best] = False
    return torch.tensor(kept, dtype=torch.int64)


def nms_from_the_kept(boxes, scores, iou_threshold):
    kept = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i].item()):
        if all(iou_masked(boxes[[i]], boxes[[k]]).item() <= iou_threshold for k in kept):
            kept.append(i)
    return torch.LongTensor(kept)


def nms_by_triangle(boxes, scores, iou_threshold):
    order = torch.argsort(-scores, stable=True)
    over = torch.triu(blocks.box_iou(boxes[order], boxes[order]) > iou_threshold, 1)
    stays = torch.ones(len(order), dtype=torch.bool)
    for i in range(len(order)):
        if stays[i]:
            stays = stays & ~over[i]
    return order[stays]


def nms_in_numpy(boxes, scores, iou_threshold):
    order, kept = np.argsort(-scores.numpy(), kind="stable"), []
    overlap = iou_in_numpy(boxes, boxes).numpy()
    while order.size:
        kept.append(order[0])
        order = np.array([i for i in order[1:] if not overlap[order[0], i] > iou_threshold], dtype=int)
    return torch.from_numpy(np.array(kept, dtype=np.int64))


def nms_by_calling_itself(boxes, scores, iou_threshold):
    def rest(order):
        if not order:
            return []
        best, *others = order
        return [best, *rest([i for i in others if blocks.box_iou(boxes[[best]], boxes[[i]]) <= iou_threshold])]

    return torch.tensor(rest(scores.sort(descending=True, stable=True).indices.tolist()), dtype=torch.int64)


def batched_by_masked_overlap(boxes, scores, labels, iou_threshold):
    overlap = blocks.box_iou(boxes, boxes) * (labels[:, None] == labels)
    order, kept = scores.argsort(descending=True, stable=True).tolist(), []
    for i in order:
        if not any(overlap[i, k] > iou_threshold for k in kept):
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


def batched_by_a_safe_shift(boxes, scores, labels, iou_threshold):
    if len(boxes) == 0:
        return torch.zeros(0, dtype=torch.int64)
    reach = boxes.max() - boxes.min() + 1
    return nms_by_triangle(boxes.double() + (labels * reach)[:, None], scores, iou_threshold)


def batched_by_dictionary(boxes, scores, labels, iou_threshold):
    groups = {}
    for i, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(i)
    kept = sorted(members[j] for members in groups.values() for j in nms_by_alive(boxes[members], scores[members], iou_threshold))
    return torch.tensor(sorted(kept, key=lambda i: -scores[i].item()), dtype=torch.int64)


def batched_with_torchvisions_nms_in_each_class(boxes, scores, labels, iou_threshold):
    """One class is one call of a primitive; keeping classes apart is the exercise."""
    kept = [m[nms_from_the_kept(boxes[m], scores[m], iou_threshold)] for m in (torch.where(labels == c)[0] for c in labels.unique())]
    kept = torch.cat([labels.new_zeros(0), *kept]).sort().values
    return kept[torch.sort(scores[kept], descending=True, stable=True).indices]


def batched_by_mask(boxes, scores, labels, iou_threshold):
    mask = torch.zeros_like(labels, dtype=torch.bool)
    for label in set(labels.tolist()):
        index = (labels == label).nonzero().flatten()
        mask[index[nms_by_triangle(boxes[index], scores[index], iou_threshold)]] = True
    return torch.tensor([i for i in (-scores).argsort(stable=True).tolist() if mask[i]], dtype=torch.int64)


def ap_with(iou):
    def answer(truth, boxes, scores, iou_threshold):
        everything = [(-float(s), i, j) for i, of in enumerate(scores) for j, s in enumerate(of)]
        taken, right, total = set(), 0, 0.0
        for rank, (_, i, j) in enumerate(sorted(everything), 1):
            row = iou(boxes[i][j : j + 1], truth[i])[0]
            fits = [(float(v), g) for g, v in enumerate(row) if v >= iou_threshold and (i, g) not in taken]
            if fits:
                taken.add((i, max(fits)[1]))
                right += 1
                total += right / rank
        objects = sum(len(t) for t in truth)
        return total / objects if objects else math.nan

    return answer


def ap_in_numpy(truth, boxes, scores, iou_threshold):
    order = np.argsort(-np.concatenate([s.numpy() for s in scores]), kind="stable")
    image = np.concatenate([np.full(len(s), i) for i, s in enumerate(scores)])[order]
    box, hits, free = torch.cat(boxes)[torch.from_numpy(order)], [], [np.ones(len(t), bool) for t in truth]
    for i, one in zip(image.astype(int), box, strict=True):
        row = np.where(free[i], iou_in_numpy(one[None], truth[i])[0].numpy(), 0)
        hit = row.size > 0 and row.max() >= iou_threshold
        if hit:
            free[i][row.argmax()] = False
        hits.append(bool(hit))
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    total = sum(map(len, truth))
    return np.float64(precision[np.array(hits, bool)].sum() / total) if total else np.nan


def tidy_with_sorting_first(raw, score_threshold, iou_threshold):
    scores, labels = raw[:, 4:].max(1)
    boxes = ops.box_convert(raw[:, :4], "cxcywh", "xyxy")
    kept = [k for k in blocks.batched_nms(boxes, scores, labels, iou_threshold).tolist() if scores[k] >= score_threshold]
    return boxes[kept], scores[kept], labels[kept]


def tidy_by_index(raw, score_threshold, iou_threshold):
    raw = raw[raw[:, 4:].amax(1) >= score_threshold]
    scores, labels = raw[:, 4:].amax(1), raw[:, 4:].argmax(1)
    boxes = torch.cat([raw[:, :2] - raw[:, 2:4] / 2, raw[:, :2] + raw[:, 2:4] / 2], 1)
    kept = batched_by_masked_overlap(boxes, scores, labels, iou_threshold)
    return [each[kept] for each in (boxes, scores, labels)]


def tidy_with_torchvision(raw, score_threshold, iou_threshold):
    boxes, (scores, labels) = ops.box_convert(raw[:, :4], "cxcywh", "xyxy"), raw[:, 4:].max(dim=1)
    sure = torch.where(scores >= score_threshold)[0]
    kept = sure[blocks.fast_batched_nms(boxes[sure], scores[sure], labels[sure], iou_threshold)]
    return boxes[kept], scores[kept], labels[kept]


def tidy_in_columns(raw, score_threshold, iou_threshold):
    cx, cy, w, h = raw[:, :4].unbind(1)
    boxes = torch.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1)
    best = raw[:, 4:].sort(dim=1, descending=True, stable=True)
    scores, labels = best.values[:, 0], best.indices[:, 0]
    sure = ~(scores < score_threshold)
    boxes, scores, labels = boxes[sure], scores[sure], labels[sure]
    kept = batched_by_dictionary(boxes, scores, labels, iou_threshold)
    return boxes[kept], scores[kept], labels[kept]


def tidy_box_by_box(raw, score_threshold, iou_threshold):
    found = [(max(row[4:]), row[4:].index(max(row[4:])), row[:4]) for row in raw.tolist() if max(row[4:]) >= score_threshold]
    boxes = convert_row_by_row(torch.tensor([b for _, _, b in found]).reshape(-1, 4), "cxcywh", "xyxy")
    scores = torch.tensor([s for s, _, _ in found])
    labels = torch.tensor([c for _, c, _ in found], dtype=torch.int64)
    kept = batched_by_mask(boxes, scores, labels, iou_threshold)
    return boxes[kept], scores[kept], labels[kept]


RIGHT = {
    "13.box_convert": [convert_by_matrices, convert_row_by_row, convert_in_halves, convert_in_nine_branches, convert_in_place_of_a_copy],
    "13.box_iou": [iou_by_loops, iou_by_relu, iou_column_by_column, iou_in_numpy, iou_masked],
    "13.giou": [giou_by(iou) for iou in (iou_by_loops, iou_by_relu, iou_column_by_column, iou_in_numpy, blocks.box_iou)],
    "13.nms": [nms_by_alive, nms_from_the_kept, nms_by_triangle, nms_in_numpy, nms_by_calling_itself],
    "13.batched_nms": [
        batched_by_masked_overlap,
        batched_by_a_safe_shift,
        batched_by_dictionary,
        batched_with_torchvisions_nms_in_each_class,
        batched_by_mask,
    ],
    "13.simple_ap": [ap_with(iou_by_loops), ap_with(iou_by_relu), ap_with(blocks.box_iou), ap_with(iou_masked), ap_in_numpy],
    "13.tidy_up": [tidy_with_sorting_first, tidy_by_index, tidy_with_torchvision, tidy_in_columns, tidy_box_by_box],
}


@pytest.mark.parametrize(("name", "answer"), [(n, a) for n, answers in RIGHT.items() for a in answers])
def test_it_passes(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.passed, verdict
