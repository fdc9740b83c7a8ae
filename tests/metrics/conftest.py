"""Problems that hide nothing: small whole numbers and few scores, so that edges meet, boxes repeat and scores tie."""

import contextlib
import copy
import io

import numpy as np
import pytest


def _box(rng, scale, whole):
    left, top = rng.integers(0, scale, 2)
    width, height = rng.integers(0, scale, 2) + (rng.random() < 0.9)  # now and then a box without area
    box = np.array([left, top, width, height])
    return box.tolist() if whole else (box * rng.uniform(0.5, 2, 4)).tolist()


def _truths(rng, images, categories, scale, whole):
    repeated = [_box(rng, scale, whole) for _ in range(6)]
    rows = []
    for image in images:
        for _ in range(rng.integers(0, 7)):
            box = repeated[rng.integers(6)] if rng.random() < 0.5 else _box(rng, scale, whole)
            area = box[2] * box[3] * float(rng.choice([1, 0.5]))
            if rng.random() < 0.2:
                area = float(rng.choice([1024, 9216, 1024.5]))  # on the border of the area ranges
            row = {"image_id": image, "category_id": int(rng.choice(categories)), "bbox": box, "area": area}
            rows.append({"id": len(rows) + 1, **row, "iscrowd": int(rng.random() < 0.15)})
    return rows


def _detections(rng, images, categories, truths, scale, whole, most):
    rows = []
    for image in images:
        mine = [t for t in truths if t["image_id"] == image]
        for _ in range(rng.integers(0, most)):
            box, category = _box(rng, scale, whole), int(rng.choice(categories))
            if mine and rng.random() < 0.5:
                near = mine[rng.integers(len(mine))]
                move = rng.integers(-1, 2, 4) * (rng.random() < 0.6)
                box, category = [max(v + int(m), 0) for v, m in zip(near["bbox"], move, strict=True)], near["category_id"]
            score = float(rng.choice([0, 0.2, 0.4, 0.6, 0.8, 1]) if rng.random() < 0.8 else rng.random())
            rows.append({"image_id": image, "category_id": category, "bbox": box, "score": score})
    return rows


@pytest.fixture(scope="session")
def make_problem():
    """seed -> (ground truth, detections) in COCO JSON; annotation ids from 1, at least one detection."""

    def make(seed):
        rng = np.random.default_rng(seed)
        scale, whole = int(rng.choice([8, 40, 150])), rng.random() < 0.75
        images = [int(i) for i in rng.permutation(50)[: rng.integers(1, 7)]]  # unsorted
        if rng.random() < 0.2:
            images = [str(i) for i in images]
        categories = [int(c) for c in rng.permutation(9)[: rng.integers(1, 4)]]
        truths = _truths(rng, images, categories, scale, whole)
        most = 150 if rng.random() < 0.1 else 9  # now and then more than the 100 that count
        found = _detections(rng, images, categories, truths, scale, whole, most)
        found = found or [{"image_id": images[0], "category_id": categories[0], "bbox": [0, 0, 2, 2], "score": 0.5}]
        rng.shuffle(truths)
        rng.shuffle(found)
        named = [{"id": c, "name": f"class {c}"} for c in categories]
        return {"info": {}, "images": [{"id": i} for i in images], "categories": named, "annotations": truths}, found

    return make


@pytest.fixture(scope="session")
def pycocotools():
    """(ground truth, detections) -> pycocotools' COCOeval after summarize, without its prints."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def evaluate(ground_truth, detections):
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO()
            truth.dataset = copy.deepcopy(ground_truth)
            truth.createIndex()
            evaluator = COCOeval(truth, truth.loadRes(copy.deepcopy(detections)), "bbox")
            evaluator.evaluate()
            evaluator.accumulate()
            evaluator.summarize()
        return evaluator

    return evaluate
