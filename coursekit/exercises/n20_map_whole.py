"""Exercises of notebook 20_map: COCO's mean over thresholds and classes, and why AP was lost."""

import numpy as np
import torch

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.exercises.n20_map import floats
from coursekit.metrics import steps
from coursekit.metrics.errors import error_type as error_type_block

A, B, FAR = [0, 0, 10, 10], [30, 0, 40, 10], [80, 80, 90, 90]


def image(truth, said):
    """One image: truth as (box, label), said as (box, label, score)."""
    return {
        "truth": floats(*[t[0] for t in truth], columns=4),
        "truth_labels": np.array([t[1] for t in truth], dtype=np.int64),
        "boxes": floats(*[s[0] for s in said], columns=4),
        "labels": np.array([s[1] for s in said], dtype=np.int64),
        "scores": floats(*[s[2] for s in said]),
    }


# coco_map


def map_cases(generator):
    """(label, arguments) for coco_map: one rule a case."""
    yield "a perfect box", ([image([(A, 0)], [(A, 0, 0.9)])], 1)
    yield "IoU 0.8: right at seven of ten thresholds", ([image([(A, 0)], [([0, 0, 10, 8], 0, 0.9)])], 1)
    yield "IoU 0.5: right at one", ([image([(A, 0)], [([0, 0, 10, 5], 0, 0.9)])], 1)
    yield (
        "two classes, one found well and one badly",
        (
            [image([(A, 0), (B, 1)], [(A, 0, 0.9), ([30, 0, 40, 6], 1, 0.8)])],
            2,
        ),
    )
    yield "the right place, the wrong class", ([image([(A, 0), (B, 1)], [(A, 0, 0.9), (B, 0, 0.8)])], 2)
    yield "a class that no image has", ([image([(A, 0)], [(A, 0, 0.9), (FAR, 1, 0.9)])], 2)
    yield "a sure mistake in another image", ([image([(A, 0)], [(A, 0, 0.6)]), image([(B, 0)], [(FAR, 0, 0.9), (B, 0, 0.5)])], 1)
    yield "equal boxes in two images", ([image([(A, 0)], [(FAR, 0, 0.9)]), image([(B, 0)], [(A, 0, 0.8)])], 1)
    yield "an image without truth", ([image([], [(FAR, 0, 0.7)]), image([(A, 0)], [(A, 0, 0.6)])], 1)
    yield "an image without detections", ([image([(A, 0)], []), image([(A, 0)], [(A, 0, 0.6)])], 1)
    yield (
        "a class with many objects and one with few",
        (
            [image([(A, 0), (B, 0), (FAR, 0), (A, 1)], [(A, 0, 0.9), (B, 0, 0.8), (FAR, 0, 0.7)])],
            2,
        ),
    )
    yield "a duplicate", ([image([(A, 0), (B, 0)], [(A, 0, 0.9), ([0, 0, 10, 9], 0, 0.8), (B, 0, 0.7)])], 1)
    yield "equal scores: the first image comes first", ([image([(A, 0)], [(A, 0, 0.5)]), image([], [(FAR, 0, 0.5)])], 1)
    yield "not sorted", ([image([(A, 0), (B, 0)], [(FAR, 0, 0.3), (A, 0, 0.9), (B, 0, 0.6)])], 1)
    yield "random", (_random_images(generator), 2)


def _random_images(generator):
    images = []
    for _ in range(3):
        corner = torch.rand(4, 2, generator=generator, dtype=torch.float64).numpy() * 60
        truth = np.hstack([corner, corner + 12])
        labels = torch.randint(0, 2, (4,), generator=generator).numpy()
        moved = np.vstack([truth, truth]) + torch.randn(8, 4, generator=generator, dtype=torch.float64).numpy()
        scores = torch.rand(8, generator=generator, dtype=torch.float64).numpy()
        images.append({"truth": truth, "truth_labels": labels, "boxes": moved, "labels": np.tile(labels, 2), "scores": scores})
    return images


def _table(images, num_classes, thresholds=steps.IOU_THRESHOLDS):
    return np.array([[steps.class_ap(images, label, t) for label in range(num_classes)] for t in thresholds])


def map_only_at_half(images, num_classes):
    return float(np.nanmean(_table(images, num_classes, [0.5])))


def map_absent_classes_as_zero(images, num_classes):
    return float(np.nan_to_num(_table(images, num_classes)).mean())


def map_nan_kept(images, num_classes):
    return float(_table(images, num_classes).mean())


def map_nine_thresholds(images, num_classes):
    return float(np.nanmean(_table(images, num_classes, np.arange(0.5, 0.95, 0.05))))


def map_thresholds_drift(images, num_classes):
    return float(np.nanmean(_table(images, num_classes, np.arange(0.5, 1.0, 0.05))))


def map_weighs_thresholds(images, num_classes):
    per_threshold = np.nanmean(_table(images, num_classes), axis=1)
    return float(np.average(per_threshold, weights=steps.IOU_THRESHOLDS))


def map_image_by_image(images, num_classes):
    tables = [_table([one], num_classes) for one in images if len(one["truth"])]
    return float(np.mean([np.nanmean(table) for table in tables]))


def map_classes_mixed(images, num_classes):
    mixed = [one | {"labels": one["labels"] * 0, "truth_labels": one["truth_labels"] * 0} for one in images]
    return float(np.nanmean(_table(mixed, 1)))


def map_weighs_by_objects(images, num_classes):
    counts = np.array([sum((one["truth_labels"] == k).sum() for one in images) for k in range(num_classes)])
    return float(np.average(np.nan_to_num(_table(images, num_classes)).mean(axis=0), weights=counts))


def map_of_all_images_as_one(images, num_classes):
    return steps.coco_map([{name: np.concatenate([one[name] for one in images]) for name in images[0]}], num_classes)


coco_map = Exercise(
    name="20.coco_map",
    reference=steps.coco_map,
    cases=map_cases,
    compare=Close(rtol=1e-7, atol=1e-9),
    points=4,
    twins=(
        "coursekit.metrics.detection.evaluate_inputs",
        "coursekit.metrics.coco.evaluate",
        "coursekit.metrics.coco_fast.match_all",
        "coursekit.metrics.protocols.mean_ap",
        "pycocotools.cocoeval.COCOeval",
    ),
    allowed=[steps.class_ap],
    equivalent={"thresholds = np.linspace(0.95, 0.5, 10)": "the same ten thresholds; a mean does not care about their order"},
    misconceptions=[
        Misconception(
            "only-at-half",
            wrong=map_only_at_half,
            hint="That is AP50. AP@[.50:.95] asks at ten thresholds, 0.50, 0.55, ..., 0.95.",
        ),
        Misconception(
            "absent-as-zero",
            wrong=map_absent_classes_as_zero,
            hint="A class that no image has counted as 0. There was nothing to find, so it says nothing: leave it out of the mean.",
        ),
        Misconception(
            "nan-kept",
            wrong=map_nan_kept,
            hint="One NaN makes the whole mean NaN. A class that no image has stays out: average the other cells.",
        ),
        Misconception(
            "nine-thresholds",
            wrong=map_nine_thresholds,
            hint="`np.arange` stops before its end, so 0.95 is missing. Ten thresholds: `np.linspace(0.5, 0.95, 10)`.",
        ),
        Misconception(
            "thresholds-drift",
            wrong=map_thresholds_drift,
            hint="`np.arange` adds 0.05 again and again: its 0.8 is 0.8000000000000003, and an IoU of 0.8 fails it. Use `np.linspace`.",
        ),
        Misconception(
            "weighted-thresholds",
            wrong=map_weighs_thresholds,
            hint="Strict thresholds counted more. It is a plain mean: every threshold has the same weight.",
        ),
        Misconception(
            "image-by-image",
            wrong=map_image_by_image,
            hint="You averaged an AP for each image. A sure mistake in one image must stand above a doubtful hit in another: pool first.",
        ),
        Misconception(
            "classes-mixed",
            wrong=map_classes_mixed,
            hint="A detection of one class found an object of another. Do one class after the other, then average.",
        ),
        Misconception(
            "weighted-classes",
            wrong=map_weighs_by_objects,
            hint="Classes with many objects counted more. The mean over classes is plain: a rare class counts as much as a common one.",
        ),
        Misconception(
            "images-mixed",
            wrong=map_of_all_images_as_one,
            hint="A box found an object of another image. Match image by image; pool only the verdicts.",
        ),
    ],
    hints=[
        "Make a table with a row for each threshold and a column for each class. `class_ap` fills one cell.",
        "A cell without any object is NaN. Average the cells that are not.",
        "One `np.mean` over all cells that are not NaN: thresholds and classes alike.",
    ],
)


# error_type


def error_cases(generator):
    """(label, arguments) for error_type: IoU with each truth, is it of the detection's class, has somebody else got it."""

    def case(*truths):
        iou, same, taken = zip(*truths, strict=True) if truths else ((), (), ())
        return floats(*iou), np.array(same, dtype=bool), np.array(taken, dtype=bool)

    yield "no truth at all", case()
    yield "near nothing", case((0.05, True, False), (0.02, False, False))
    yield "on a truth that is taken", case((0.9, True, True))
    yield "on a truth of another class", case((0.8, False, False))
    yield "on a truth of another class that is taken", case((0.8, False, True))
    yield "near its truth", case((0.3, True, False))
    yield "near its truth, which is taken", case((0.3, True, True))
    yield "near a truth of another class", case((0.3, False, False))
    yield "exactly 0.5 on a taken one", case((0.5, True, True))
    yield "exactly 0.5 on another class", case((0.5, False, False))
    yield "exactly 0.1 near its truth", case((0.1, True, False))
    yield "exactly 0.1 near another class", case((0.1, False, False))
    yield "just below 0.1, its class", case((0.09, True, False))
    yield "just below 0.1, another class", case((0.09, False, False))
    yield "duplicate before classification", case((0.6, True, True), (0.9, False, False))
    yield "classification before localisation", case((0.4, True, False), (0.6, False, False))
    yield "localisation before both", case((0.2, True, False), (0.45, False, False))
    yield "the best one decides", case((0.05, True, False), (0.3, True, False), (0.0, False, False))
    yield "one taken and near, one free and near", case((0.3, True, True), (0.2, True, False))
    for _ in range(6):
        count = int(torch.randint(1, 5, (1,), generator=generator))
        iou = torch.rand(count, generator=generator, dtype=torch.float64).numpy() ** 2
        same, taken = (torch.rand(2, count, generator=generator) < 0.5).numpy()
        yield "random", (np.where(same & ~taken, iou * 0.49, iou), same, taken)  # it is wrong: no free truth of its class is on it


def _error(iou, same, taken, on=0.5, near=0.1, order=("duplicate", "classification", "localisation", "both"), strict=False):
    def best(which):
        return iou[which].max(initial=0.0)

    reaches = np.greater if strict else np.greater_equal
    fits = {
        "duplicate": reaches(best(same & taken), on),
        "classification": reaches(best(~same), on),
        "localisation": reaches(best(same), near),
        "both": reaches(best(~same), near),
    }
    return next((name for name in order if fits[name]), "background")


def _error_with(**rules):
    def wrong(iou, same, taken):
        return _error(iou, same, taken, **rules)

    return wrong


def error_class_is_ignored(iou, same, taken):
    return _error(iou, np.ones_like(same), taken)


def error_taken_is_ignored(iou, same, taken):
    return _error(iou, same, np.zeros_like(taken))


def error_of_the_nearest(iou, same, taken):
    nearest = iou == iou.max(initial=0.0)
    return _error(iou[nearest][:1], same[nearest][:1], taken[nearest][:1])


def error_background_below_half(iou, same, taken):
    return _error(iou, same, taken, near=0.5)


error_type = Exercise(
    name="20.error_type",
    reference=error_type_block,
    cases=error_cases,
    compare=Exact(),
    points=2,
    twins=("coursekit.metrics.errors._type_of", "coursekit.metrics.errors.analyse_errors"),
    misconceptions=[
        Misconception(
            "class-ignored",
            wrong=error_class_is_ignored,
            hint="You never looked at the class. On a truth of another class it is a classification error, near one it is both.",
        ),
        Misconception(
            "taken-ignored",
            wrong=error_taken_is_ignored,
            hint="The place and the class were right. What went wrong is that a better detection has that truth already: a duplicate.",
        ),
        Misconception(
            "only-the-nearest",
            wrong=error_of_the_nearest,
            hint="You looked at the nearest truth alone. Each question looks at truths of its own kind: take the best IoU among those.",
        ),
        Misconception(
            "all-background",
            wrong=error_background_below_half,
            hint="An IoU between 0.1 and 0.5 is not nothing: the detector saw the object and drew the box badly.",
        ),
        Misconception(
            "localisation-first",
            wrong=_error_with(order=("duplicate", "localisation", "classification", "both")),
            hint="Both fit here: near its own class, but on another. Read the list from the top: classification comes before localisation.",
        ),
        Misconception(
            "classification-first",
            wrong=_error_with(order=("classification", "duplicate", "localisation", "both")),
            hint="Both fit here: on another class, but also on a taken truth of its own. The list is read from the top: duplicate first.",
        ),
        Misconception("strictly-greater", wrong=_error_with(strict=True), hint="An IoU of exactly 0.5 is on, exactly 0.1 is near: `>=`."),
    ],
    hints=[
        "Three numbers decide: the best IoU with a taken truth of its class, with any of its class, and with one of another class.",
        "`iou[same & taken].max(initial=0.0)` is the first one, and 0 where there is none.",
        "Then five questions from the top of the list; the first yes is the answer.",
    ],
)
