"""No public function answers a variant: what learners could call instead, put into the variant's arguments, fails for every drawn set."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from coursekit import boxes, images
from coursekit.data.tiles import tile_windows
from coursekit.exercises.verdict import judge
from coursekit.grading.variants import families, find_family
from coursekit.metrics import coco, ranking, steps
from coursekit.models import convolution
from coursekit.sliding import heatmap, windows
from coursekit.yolo import decode
from coursekit.yolo.assign import assign

torchvision_ops = pytest.importorskip("torchvision.ops")
LEVELS = np.linspace(0, 1, 101)


def _sklearn_ap(recall, precision):
    """As scikit-learn sums it: steps of recall times precision."""
    return float(np.sum(np.diff(recall, prepend=0.0) * precision)) if len(recall) else 0.0


def _best_f1(right, scores, num_truths):
    if not len(scores):
        return -1.0, 0.0
    return max((2 * right[scores >= t].sum() / ((scores >= t).sum() + num_truths), float(t)) for t in scores)[::-1]


def _assign(top, boxes_like):
    """coursekit's own rule; the overlaps become boxes that overlap their object so."""

    def owner(scores, overlaps, centres, truth):
        labels = torch.arange(len(truth)).clamp(max=max(len(truth) - 1, 0))
        return assign(scores.T, boxes_like(centres, truth), centres, truth, labels, top).owner

    return owner


def _nearest(centres, truth):
    return truth[torch.cdist(centres, (truth[:, :2] + truth[:, 2:]) / 2).argmin(dim=1)] if len(truth) else torch.zeros(len(centres), 4)


def _own_centres(raw, size):
    centres, strides = decode.cell_centres(size, (4, 8))
    return decode.sides_to_boxes(raw.exp(), centres, strides)


def _conv(image, kernel, **settings):
    return functional.conv2d(image[None, None], kernel[None, None], **settings)[0, 0]


def _wrapped(image, kernel, mode):
    return _conv(functional.pad(image[None, None], (1, 1, 1, 1), mode=mode)[0, 0], kernel)


COUSINS = {
    "01.variant_rank": {
        "torch.argsort of the sums": lambda values: values.sum(dim=1).argsort(descending=True, stable=True),
        "torch.argsort of the first column": lambda values: values[:, 0].argsort(stable=True),
        "numpy.lexsort": lambda values: torch.from_numpy(np.lexsort(values.T.numpy())),
        "20.rank": lambda values: torch.from_numpy(steps.rank(values.sum(dim=1).numpy())),
    },
    "01.variant_checkerboard": {
        "the image": lambda image: image.clone(),
        "the negative": lambda image: 255 - image,
        "images.brighten": lambda image: images.brighten(image, -45),
    },
    "07.variant_output_size": {
        f"output_size, stride {s}, padding {p}, dilation {d}": lambda size, kernel, s=s, p=p, d=d: max(
            (size + 2 * p - d * (kernel - 1) - 1) // s + 1, 0
        )
        for s in (1, 2, 4, 5, 6, 7)
        for p in (0, 1, 2, 3, 4, 5)
        for d in (1, 2, 3)
    },
    "07.variant_correlate": {
        **{
            f"conv2d, padding {p}, stride {s}": lambda i, k, p=p, s=s: _conv(i, k, padding=p, stride=s)
            for p in (0, 1, 2, 3)
            for s in (1, 2, 3)
        },
        **{f"pad {mode}": lambda i, k, mode=mode: _wrapped(i, k, mode) for mode in ("reflect", "replicate", "circular")},
        "conv2d_loops": lambda image, kernel: convolution.conv2d_loops(image, kernel, 1, 1),
    },
    "13.variant_iou": {
        **{
            f"{module.__name__}.{name}, {form}": lambda a, b, module=module, name=name, form=form: getattr(module, name)(
                *(boxes.box_convert(x, form, "xyxy") for x in (a, b))
            )
            for module in (boxes, torchvision_ops)
            for name in ("box_iou", "generalized_box_iou")
            for form in ("xyxy", "xywh", "cxcywh")
        },
        "coco.iou_matrix": lambda a, b: torch.from_numpy(
            coco.iou_matrix(a.double().numpy(), b.double().numpy(), np.zeros(len(b), bool))
        ).float(),
    },
    "13.variant_nms": {
        "boxes.nms": boxes.nms,
        "boxes.fast_nms": boxes.fast_nms,
        "torchvision.ops.nms": torchvision_ops.nms,
        "boxes.batched_nms": lambda b, s, t: boxes.batched_nms(b, s, torch.zeros(len(b), dtype=torch.int64), t),
        "the best first": lambda b, s, t: s.argsort(descending=True, stable=True)[:3],
    },
    "13.variant_match": {
        **{
            f"match_detections at {t}": lambda overlap, t=t: torch.from_numpy(steps.match_detections(overlap.numpy(), t))
            for t in (0.25, 0.375, 0.5, 0.625)
        },
        "argmax": lambda overlap: overlap.argmax(dim=1) if overlap.numel() else torch.full((len(overlap),), -1),
    },
    "14.variant_windows": {
        f"{name} {w}, {s}": lambda size, f=f, w=w, s=s: f(size, w, s)
        for name, f in (
            ("windows", windows.windows),
            ("tile_windows", lambda size, w, s: torch.as_tensor(tile_windows(size, w, max(w - s, 0)))),
        )
        for w in (4, 5, 6, 7)
        for s in (2, 3, 4, 5)
    },
    "14.variant_dense": {
        **{f"max pool {k}, {s}": lambda i, k=k, s=s: functional.max_pool2d(i[None], k, s)[0] for k in (2, 3, 4) for s in (1, 2, 3)},
        **{f"average pool {k}, {s}": lambda i, k=k, s=s: functional.avg_pool2d(i[None], k, s)[0] for k in (2, 3, 4) for s in (1, 2, 3)},
    },
    "14.variant_cells": {
        f"cells_to_boxes {w}, {s}, {scale}": lambda cells, size, w=w, s=s, scale=scale: boxes.clip_boxes_to_image(
            heatmap.cells_to_boxes(cells, w, s, 2, scale), size
        )
        for w in (16, 20, 24, 28)
        for s in (6, 7, 9, 10)
        for scale in (1.0, 1.5, 2.0)
    },
    "19.variant_assign": {
        "assign": _assign(10, _nearest),
        "assign, three cells": _assign(3, _nearest),
        "the best object of each cell": lambda scores, overlaps, c, t: overlaps.argmax(dim=0) if len(t) else torch.full((len(c),), -1),
    },
    "19.variant_decode": {
        "sides_to_boxes": lambda raw, size: decode.sides_to_boxes(raw, *decode.cell_centres(size, (4, 8))),
        "exp and sides_to_boxes": _own_centres,
    },
    "20.variant_ap": {
        "101 points": lambda recall, precision: steps.ap_at_points(recall, precision, LEVELS),
        **{
            f"{n} points": lambda recall, precision, n=n: steps.ap_at_points(recall, precision, np.linspace(0, 1, n))
            for n in (5, 6, 7, 8, 9, 11, 12, 13, 21)
        },
        "ap_area": steps.ap_area,
        "scikit-learn's sum": _sklearn_ap,
        "trapezium": lambda recall, precision: float(ranking.area(recall, precision)) if len(recall) > 1 else 0.0,
    },
    "20.variant_f_beta": {
        "the best F1": _best_f1,
        "the threshold 0.5": lambda right, scores, n: (0.5, float(2 * right[scores >= 0.5].sum() / max((scores >= 0.5).sum() + n, 1))),
    },
    "20.variant_match": {
        **{
            f"match_detections at {t}": lambda overlap, ignored, t=t: steps.match_detections(overlap, t) for t in (0.4375, 0.5, 0.625, 0.75)
        },
        **{
            f"coco.match_image at {t}": lambda overlap, ignored, t=t: coco.match_image(overlap, ignored, np.zeros(len(ignored), bool), t)
            for t in (0.4375, 0.5, 0.625)
        },
        "coco.match_image, ignored boxes are crowds": lambda overlap, ignored: coco.match_image(overlap, ignored, ignored, 0.5),
    },
}


def test_every_family_has_cousins():
    assert sorted(COUSINS) == sorted(family.name for family in families())


@pytest.mark.parametrize(("name", "cousin"), [(name, cousin) for name in COUSINS for cousin in COUSINS[name]])
def test_a_public_function_fails(name, cousin):
    family = find_family(name)
    for seed in range(4):
        parameters = family.draw(np.random.default_rng(seed))
        verdict = judge(family.build(parameters), COUSINS[name][cousin], seed=seed, watched=False, diagnose=False)
        assert not verdict.passed, parameters
