"""The measure of notebook 22_segmentation for things and stuff: panoptic quality."""

import numpy as np
import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.metrics import panoptic


def row(digits):
    return np.array([[int(c) for c in digits]], dtype=np.int64)


def panoptic_cases(generator):
    """(label, arguments) for panoptic_quality: maps of one row, classes by segment number (0 is void), one rule at a time."""
    classes = np.array([-1, 0, 1, 1, 1])
    yield "all right", (row("1111223"), classes, row("1111223"), classes, 2)
    yield "two matches with something off", (row("111122"), classes, row("111222"), classes, 2)
    yield "an IoU of exactly one half", (row("11112222"), classes, row("11112233"), classes, 2)
    yield "a little more than one half", (row("1112222"), classes, row("1113222"), classes, 2)
    yield "the numbers of segments are only names", (row("112223333"), classes, row("113332222"), classes, 2)
    yield "right pixels, wrong class", (row("111222"), np.array([-1, 0, 0]), row("111222"), np.array([-1, 0, 1]), 2)
    yield "one sign missed, one made up", (row("1122211111"), classes, row("1111111222"), classes, 2)
    yield "two signs found as one", (row("112233"), classes, row("112222"), classes, 2)
    yield "void under a match", (row("1222000"), classes, row("1222222"), classes, 2)
    yield "a false alarm mostly on void", (row("1110001"), classes, row("1112221"), classes, 2)
    yield "a false alarm half on void", (row("11100111"), classes, row("11222211"), classes, 2)
    yield "a number that is not used", (row("1133"), classes, row("1144"), classes, 2)
    yield "a false alarm has number 1", (row("2222"), classes, row("1222"), classes, 2)
    named = np.array([0, 0, 1, 1])  # what stands at 0 means nothing
    yield "found void over a true segment", (row("111122"), named, row("000122"), named, 2)
    yield "found void over nothing", (row("112233"), named, row("110033"), named, 2)
    yield "a class that is nowhere", (row("11"), classes, row("11"), classes, 3)
    yield "void only", (row("000"), classes, row("122"), classes, 2)
    for _ in range(3):
        truth = torch.randint(0, 5, (3, 4), generator=generator).repeat_interleave(2, dim=0).repeat_interleave(3, dim=1).numpy()
        found = np.where(torch.rand(6, 12, generator=generator).numpy() < 0.2, np.roll(truth, 1, axis=1), truth)
        kinds = torch.randint(0, 3, (5,), generator=generator).numpy()
        yield "random", (truth, kinds, found, kinds, 3)


def _counts(truth, truth_classes, found, found_classes, num_classes, **wrong):
    """The right counts with one thing at a time to get wrong."""
    overlaps = panoptic.segment_overlaps(truth, found)
    true_area, found_area = overlaps.sum(axis=1), overlaps.sum(axis=0)
    counts, matched = np.zeros((num_classes, 4)), set()
    first = 0 if wrong.get("from_zero") else 1
    for t in range(1, len(true_area)):
        if true_area[t] == 0 and not wrong.get("unused_counts"):
            continue
        hit = False
        for f in range(first, len(found_area)):
            if found_area[f] == 0 or (wrong.get("by_number") and f != t):
                continue
            union = true_area[t] + found_area[f] - overlaps[t, f] - (0 if wrong.get("void_in_union") else overlaps[0, f])
            iou = overlaps[t, f] / (min(true_area[t], found_area[f]) if wrong.get("of_the_smaller") else max(union, 1))
            same = wrong.get("any_class") or truth_classes[t] == found_classes[f]
            enough = iou >= 0.5 if wrong.get("at_least") else iou > wrong.get("threshold", 0.5)
            if same and enough:
                counts[truth_classes[t], :2] += iou, 1
                matched.add(f)
                hit = True
        counts[truth_classes[t], 3] += wrong.get("found_are_missed") or not hit
    for f in range(first, len(found_area)):
        if found_area[f] and f not in matched:
            counts[found_classes[f], 2] += wrong.get("void_no_excuse") or overlaps[0, f] / found_area[f] <= 0.5
    return counts


def _wrong(**what):
    def answer(truth, truth_classes, found, found_classes, num_classes):
        return panoptic.quality_of(_counts(truth, truth_classes, found, found_classes, num_classes, **what))

    return answer


def pq_without_misses(truth, truth_classes, found, found_classes, num_classes):
    return panoptic.quality_of(_counts(truth, truth_classes, found, found_classes, num_classes) * [1, 1, 1, 0])


def pq_without_false_alarms(truth, truth_classes, found, found_classes, num_classes):
    return panoptic.quality_of(_counts(truth, truth_classes, found, found_classes, num_classes) * [1, 1, 0, 1])


panoptic_quality = Exercise(
    name="22.panoptic_quality",
    reference=panoptic.panoptic_quality,
    cases=panoptic_cases,
    compare=Close(rtol=1e-6, atol=1e-9),
    misconceptions=[
        Misconception(
            "at-least-half",
            _wrong(at_least=True),
            "An IoU of exactly 0.5 matched. It must be *more*: at exactly one half a segment could have two partners.",
        ),
        Misconception(
            "found-are-missed",
            _wrong(found_are_missed=True),
            "A true segment that has found its partner is counted as missed as well. It is a TP, and no FN.",
        ),
        Misconception(
            "of-the-smaller",
            _wrong(of_the_smaller=True),
            "You divided the shared pixels by the smaller of the two segments. IoU divides by the union.",
        ),
        Misconception(
            "any-class",
            _wrong(any_class=True),
            "A segment matched one of another class. The right pixels with the wrong name are a miss and a false alarm.",
        ),
        Misconception(
            "void-in-the-union",
            _wrong(void_in_union=True),
            "Void pixels under a found segment made its IoU worse. Nobody knows what is there: take `overlaps[0, f]` off the union.",
        ),
        Misconception(
            "no-excuse-for-void",
            _wrong(void_no_excuse=True),
            "A found segment that lies mostly on void counted as a false alarm. Nobody can say that it is wrong: leave it out.",
        ),
        Misconception(
            "by-number",
            _wrong(by_number=True),
            "You matched segment 2 with segment 2. The numbers are only names, and the two maps chose them apart: try every pair.",
        ),
        Misconception(
            "unused-numbers-missed",
            _wrong(unused_counts=True),
            "You counted a segment number that has no pixel as a miss. Skip those of area 0.",
        ),
        Misconception(
            "void-is-a-segment",
            _wrong(from_zero=True),
            "Number 0 of the found map took part. It is void: pixels to which nothing was said. Both loops begin at 1.",
        ),
        Misconception(
            "any-overlap",
            _wrong(threshold=0.0),
            "Every overlap counted as a match. Only more than half does, and only then is the partner the only one.",
        ),
        Misconception(
            "misses-forgotten", pq_without_misses, "True segments without a partner count nowhere. Column 3 is for what was missed."
        ),
        Misconception(
            "false-alarms-forgotten",
            pq_without_false_alarms,
            "Found segments without a partner count nowhere. Column 2 is for what was made up.",
        ),
    ],
    hints=[
        "Two loops over `range(1, ...)`: true segments outside, found ones inside. Skip numbers whose area is 0; 0 itself is void.",
        "union = true_area[t] + found_area[f] - overlaps[t, f] - overlaps[0, f]; a match needs the same class and an IoU above 0.5.",
        "Remember which f have matched. A true segment without a match adds to column 3, a found one to column 2, unless "
        "overlaps[0, f] is more than half of its area.",
    ],
    points=5,
    twins=(panoptic.panoptic_counts,),
    equivalent={
        "counts[k, 2] += 1": "misses and false alarms of a class weigh the same in RQ",
        "counts[found_classes[f], 3] += 1": "misses and false alarms of a class weigh the same in RQ",
    },
)
