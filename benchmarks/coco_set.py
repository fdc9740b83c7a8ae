"""The large set that evaluators are timed on: COCO's val2017 in size and shape, drawn from a seed.

    python benchmarks/coco_set.py build/coco-set

5,000 images, 80 categories, 36,000 truths (about 36, 39 and 24 % small, medium and large; 414 crowds) and about 300,000 detections in
about 95,000 image-category pairs. What makes evaluators differ is in it: image ids in no order, one category without truth, one
without detections, pairs with more than the 100 detections that count, scores of three digits (about 1,000 distinct ones, so thousands
of ties), truths whose area is not that of their box, duplicates, confusions of class, detections inside crowds and on nothing.
Numbers are rounded to the two digits that COCO's files have. The same NumPy draws the same set; a hash of it is in the results.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

WIDTH, HEIGHT = 640, 480
IMAGES, CATEGORIES, TRUTHS, CROWDS = 5000, 80, 36_000, 414
WITHOUT_TRUTH, WITHOUT_DETECTIONS = 11, 29  # positions among the categories
CROWDED_PAIRS = 26  # image-category pairs with more than 100 detections


def make(seed: int = 0) -> tuple[dict, list[dict]]:
    """Ground truth and detections as COCO JSON."""
    rng = np.random.default_rng(seed)
    image_ids = rng.permutation(581_929)[:IMAGES] + 1
    category_ids = np.sort(rng.permutation(90)[:CATEGORIES] + 1)
    image, category, boxes = _truths(rng)
    crowd = np.zeros(TRUTHS, dtype=bool)
    crowd[rng.permutation(TRUTHS)[:CROWDS]] = True
    area = np.round(boxes[:, 2] * boxes[:, 3] * rng.uniform(0.45, 0.95, TRUTHS), 2)  # of the mask, not of the box
    truth = {
        "images": [{"id": int(i), "width": WIDTH, "height": HEIGHT, "file_name": f"{i:012d}.jpg"} for i in image_ids],
        "categories": [{"id": int(c), "name": f"class {c}"} for c in category_ids],
        "annotations": [
            {"id": n + 1, "image_id": int(i), "category_id": int(c), "bbox": box, "area": a, "iscrowd": int(of_crowd)}
            for n, (i, c, box, a, of_crowd) in enumerate(
                zip(image_ids[image], category_ids[category], boxes.tolist(), area.tolist(), crowd, strict=True)
            )
        ],
    }
    image, category, boxes, score = _detections(rng, image, category, boxes, crowd)
    rows = zip(image_ids[image], category_ids[category], boxes.tolist(), score.tolist(), strict=True)
    return truth, [{"image_id": int(i), "category_id": int(c), "bbox": box, "score": s} for i, c, box, s in rows]


def _truths(rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (G,), category (G,) and box (G, 4): an image holds a few categories, some of them several times."""
    image = np.sort(rng.integers(0, IMAGES, TRUTHS))
    share = 1 / np.arange(2, CATEGORIES + 1)  # many of the first, few of the last
    likely = np.insert(share / share.sum(), WITHOUT_TRUTH, 0.0)
    of_image = rng.choice(CATEGORIES, (IMAGES, 4), p=likely)
    category = of_image[image, rng.integers(0, 4, TRUTHS)]
    return image, category, _boxes(rng, TRUTHS)


def _boxes(rng, count: int) -> np.ndarray:
    """(count, 4) xywh inside the image: sides from a few pixels to most of it."""
    side = np.exp(rng.normal(4.0, 1.05, count))
    stretch = np.exp(rng.normal(0.0, 0.35, count))
    width, height = np.clip(side * stretch, 3, 0.95 * WIDTH), np.clip(side / stretch, 3, 0.95 * HEIGHT)
    return np.round(np.stack([rng.random(count) * (WIDTH - width), rng.random(count) * (HEIGHT - height), width, height], axis=1), 2)


def _detections(rng, image, category, boxes, crowd):
    """Image, category, box and score of the detections, in no order: near truths, on nothing, and many of one class in one image."""
    copies = rng.choice([0, 1, 2, 3, 4], TRUTHS, p=[0.08, 0.42, 0.28, 0.14, 0.08]) + 6 * crowd
    of = np.repeat(np.arange(TRUTHS), copies)
    first = np.r_[True, of[1:] != of[:-1]]
    spread = np.where(first, 0.05, 0.16)[:, None] * np.exp(rng.normal(0, 0.6, (len(of), 1)))
    near = boxes[of] + rng.normal(0, 1, (len(of), 4)) * spread * np.tile(boxes[of, 2:], 2)
    near[crowd[of]] = _inside(rng, boxes[of[crowd[of]]])
    near_category = np.where(rng.random(len(of)) < 0.06, rng.integers(0, CATEGORIES, len(of)), category[of])
    near_score = np.where(first, rng.beta(3.0, 1.6, len(of)), rng.beta(1.2, 3.5, len(of)))

    count = 233_000  # on nothing: half in an image and of a class that a truth has, half anywhere and of any
    like = rng.integers(0, TRUTHS, count)
    anywhere = np.arange(count) % 2 == 0
    nothing_image = np.where(anywhere, rng.integers(0, IMAGES, count), image[like])
    nothing_category = np.where(anywhere, rng.integers(0, CATEGORIES, count), category[like])
    nothing = nothing_image, nothing_category, _boxes(rng, count), rng.beta(1.0, 9.0, count)

    pair = np.repeat(rng.permutation(TRUTHS)[:CROWDED_PAIRS], 130)
    many = image[pair], category[pair], _boxes(rng, len(pair)), rng.beta(1.0, 6.0, len(pair))

    parts = ((image[of], near_category, near, near_score), nothing, many)
    image, category, boxes, score = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], 1.0)
    order = rng.permutation(len(image))
    order = order[category[order] != WITHOUT_DETECTIONS]
    return image[order], category[order], np.round(boxes[order], 2), np.round(score[order], 3)


def _inside(rng, boxes: np.ndarray) -> np.ndarray:
    """A part of each box."""
    share = rng.uniform(0.1, 0.5, (len(boxes), 2))
    return np.hstack([boxes[:, :2] + rng.random((len(boxes), 2)) * (1 - share) * boxes[:, 2:], share * boxes[:, 2:]])


def write(folder: Path, seed: int = 0) -> tuple[Path, Path, str]:
    """The two files, and the hash of what is in them. Files that are there are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"truth-{seed}.json", folder / f"detections-{seed}.json"
    if not all(path.is_file() for path in paths):
        for path, content in zip(paths, make(seed), strict=True):
            path.with_suffix(".part").write_text(json.dumps(content), encoding="utf-8")
            path.with_suffix(".part").replace(path)
    return *paths, hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def describe(truth: dict, found: list[dict]) -> dict[str, int]:
    """What is in the set, counted."""
    area = np.array([a["area"] for a in truth["annotations"]])
    _, counts = np.unique([d["image_id"] * 1000 + d["category_id"] for d in found], return_counts=True)
    return {
        "images": len(truth["images"]),
        "categories": len(truth["categories"]),
        "without truth": len(truth["categories"]) - len({a["category_id"] for a in truth["annotations"]}),
        "without detections": len(truth["categories"]) - len({d["category_id"] for d in found}),
        "truths": len(area),
        "small": int((area < 1024).sum()),
        "medium": int(((area >= 1024) & (area <= 9216)).sum()),
        "large": int((area > 9216).sum()),
        "crowds": sum(a["iscrowd"] for a in truth["annotations"]),
        "detections": len(found),
        "image-category pairs": len(counts),
        "pairs with more than 100": int((counts > 100).sum()),
        "distinct scores": len({d["score"] for d in found}),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/coco-set"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    *files, digest = write(arguments.folder, arguments.seed)
    for name, value in describe(*(json.loads(path.read_text(encoding="utf-8")) for path in files)).items():
        print(f"{name:>24} {value:,}")
    print(f"{digest}  {files[0]}  {files[1]}")
