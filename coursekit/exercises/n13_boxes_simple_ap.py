"""The last exercise of notebook 13_boxes: matching, and a first average precision."""

import torch

from coursekit import boxes as blocks
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.metrics.simple import simple_ap as simple_ap_block


def _boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def simple_ap_cases(generator):
    """(label, arguments) for simple_ap: one rule a case. Scores differ, and so do overlaps, so that no order is a matter of luck."""

    def case(truth, boxes, scores, threshold=0.5):
        return [_boxes(*t) for t in truth], [_boxes(*b) for b in boxes], [torch.tensor(s, dtype=torch.float32) for s in scores], threshold

    a, b, far = [0, 0, 4, 4], [10, 10, 14, 14], [50, 50, 54, 54]
    yield "found", case([[a]], [[a]], [[0.4]])
    yield "one of two found", case([[a, b]], [[a]], [[0.9]])
    yield "a miss first, then the hit", case([[a]], [[far, a]], [[0.9, 0.8]])
    yield "the hit first, then a miss", case([[a]], [[far, a]], [[0.8, 0.9]])
    yield "two boxes on one object", case([[a, b]], [[a, [0, 0, 4, 3], b]], [[0.9, 0.8, 0.7]])
    yield "IoU equal to the threshold", case([[a]], [[[0, 0, 4, 2]]], [[0.9]])
    yield "a threshold of 0.75", case([[a, b]], [[[0, 0, 4, 2], b]], [[0.9, 0.8]], 0.75)
    near = [0, 1, 4, 5]
    yield "the best object is taken, the next will do", case([[a, near]], [[a, [0, 0, 4, 4.2]]], [[0.9, 0.8]])
    yield "two images, the sure miss in the second", case([[a], [b]], [[a], [far, b]], [[0.7], [0.9, 0.6]])
    yield (
        "the right place in the wrong image",
        case(
            [[a], [b]],
            [[b], [b]],
            [
                [
                    0.9,
                ],
                [0.8],
            ],
        ),
    )
    yield "an image without objects", case([[], [a]], [[far], [a]], [[0.9], [0.8]])
    yield "nothing found", case([[a]], [[]], [[]])
    yield "nothing to find", case([[]], [[a]], [[0.9]])
    for _ in range(4):
        yield "random", _random_images(generator)


def _random_images(generator, images=3):
    """Objects in a row, each with a few boxes beside it, some good and some not."""
    truth, boxes, scores = [], [], []
    for _ in range(images):
        count = int(torch.randint(0, 4, (1,), generator=generator))
        corner = torch.arange(count)[:, None] * torch.tensor([7.0, 3.0])
        objects = torch.cat((corner, corner + 6), dim=1)
        moved = objects.repeat(2, 1) + torch.randn(2 * count, 4, generator=generator)
        truth.append(objects)
        boxes.append(torch.cat((moved, torch.tensor([[90.0, 90.0, 95.0, 95.0]]))))
        scores.append(torch.rand(2 * count + 1, generator=generator))
    return truth, boxes, scores, 0.5


def _matches(truth, boxes, scores, iou_threshold, reuse=False, strict=False, best_only=False, unsorted=False):
    """(image, right or wrong) for each prediction, best first, with rules to get wrong."""
    ranked = [(image, j) for image in range(len(scores)) for j in range(len(scores[image]))]
    if not unsorted:
        ranked.sort(key=lambda place: -scores[place[0]][place[1]].item())
    free = [torch.ones(len(t), dtype=torch.bool) for t in truth]
    result = []
    for image, j in ranked:
        overlap = blocks.box_iou(boxes[image][j : j + 1], truth[image])[0]
        if not (reuse or best_only):
            overlap = torch.where(free[image], overlap, -1.0)
        enough = len(overlap) and (overlap.max() > iou_threshold if strict else overlap.max() >= iou_threshold)
        hit = bool(enough and (reuse or free[image][overlap.argmax()]))
        if hit:
            free[image][overlap.argmax()] = False
        result.append((image, hit))
    return result


def _area(hits, objects):
    """The right average precision of a list of right and wrong, best first."""
    precisions = [sum(hits[:rank]) / rank for rank in range(1, len(hits) + 1) if hits[rank - 1]]
    return sum(precisions) / objects if objects else float("nan")


def _ap_with(**rules):
    def wrong(truth, boxes, scores, iou_threshold):
        hits = [hit for _, hit in _matches(truth, boxes, scores, iou_threshold, **rules)]
        return _area(hits, sum(map(len, truth)))

    return wrong


def ap_image_by_image(truth, boxes, scores, iou_threshold):
    values = [simple_ap_block([t], [b], [s], iou_threshold) for t, b, s in zip(truth, boxes, scores, strict=True) if len(t)]
    return sum(values) / len(values) if values else float("nan")


def ap_all_images_as_one(truth, boxes, scores, iou_threshold):
    return simple_ap_block([torch.cat(truth)], [torch.cat(boxes)], [torch.cat(scores)], iou_threshold)


def ap_over_the_found(truth, boxes, scores, iou_threshold):
    hits = [hit for _, hit in _matches(truth, boxes, scores, iou_threshold)]
    return _area(hits, sum(hits)) if any(hits) else (0.0 if sum(map(len, truth)) else float("nan"))


def ap_precision_at_the_end(truth, boxes, scores, iou_threshold):
    hits = [hit for _, hit in _matches(truth, boxes, scores, iou_threshold)]
    return sum(hits) / max(1, len(hits)) if sum(map(len, truth)) else float("nan")


def ap_recall_at_the_end(truth, boxes, scores, iou_threshold):
    hits, objects = [hit for _, hit in _matches(truth, boxes, scores, iou_threshold)], sum(map(len, truth))
    return sum(hits) / objects if objects else float("nan")


def ap_zero_for_nothing(truth, boxes, scores, iou_threshold):
    return simple_ap_block(truth, boxes, scores, iou_threshold) if sum(map(len, truth)) else 0.0


simple_ap = Exercise(
    name="13.simple_ap",
    reference=simple_ap_block,
    cases=simple_ap_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    misconceptions=[
        Misconception(
            "duplicates-are-right",
            wrong=_ap_with(reuse=True),
            hint="Two boxes on one object were both right. The first takes the object; the second finds nothing left and is wrong.",
        ),
        Misconception(
            "strictly-greater",
            wrong=_ap_with(strict=True),
            hint="A box whose IoU equals the threshold was called wrong. `>=` is enough.",
        ),
        Misconception(
            "only-the-best-object",
            wrong=_ap_with(best_only=True),
            hint="The object that this box overlaps most was taken, and you gave up. Look among those that are still free.",
        ),
        Misconception(
            "not-sorted",
            wrong=_ap_with(unsorted=True),
            hint="You read the predictions in the order in which they came. Rank means: by score, best first, over all images.",
        ),
        Misconception(
            "image-by-image",
            wrong=ap_image_by_image,
            hint="You took an AP for each image and averaged. A sure mistake in one image must count against the hits in the others: "
            "rank all predictions together.",
        ),
        Misconception(
            "images-mixed",
            wrong=ap_all_images_as_one,
            hint="A box found an object of another image. Rank them together, but match each only with its own image.",
        ),
        Misconception(
            "over-the-found",
            wrong=ap_over_the_found,
            hint="You averaged over the objects that were found, so those never found cost nothing. Divide by the number of all objects.",
        ),
        Misconception(
            "precision-at-the-end",
            wrong=ap_precision_at_the_end,
            hint="That is the precision after the last prediction: one number. Take it at each hit, and average over the objects.",
        ),
        Misconception(
            "recall-at-the-end",
            wrong=ap_recall_at_the_end,
            hint="That is the recall: what share was found, at whatever rank. A hit below ten misses must count less than one at the top.",
        ),
        Misconception(
            "zero-for-nothing",
            wrong=ap_zero_for_nothing,
            hint='No image holds an object: there was nothing to find, and 0 would call that a failure. Say "not defined": float("nan").',
        ),
    ],
    hints=[
        (
            "Make one list of all predictions, (score, image, place), and sort it best first. Keep for each image which objects are "
            "still free."
        ),
        (
            "For one prediction: its IoU with the objects of its own image; those that are taken count as -1; the largest must reach "
            "the threshold."
        ),
        (
            "At a hit: mark the object as taken, hits += 1, and remember hits / rank. At the end: the sum of what you remembered, "
            "divided by all objects."
        ),
    ],
    points=4,
    twins=(
        "coursekit.metrics.match_table.match_table",
        "coursekit.metrics.steps.match_detections",
        "coursekit.metrics.coco.match_image",
        "coursekit.metrics.voc.voc_evaluate",
        "coursekit.metrics.detection.evaluate_inputs",
    ),
    equivalent={
        "overlap = torch.where(free[image], overlap, -2.0)": "any number below 0 is out of reach",
        "overlap = torch.where(free[image], overlap, -0.5)": "any number below 0 is out of reach",
    },
)
