"""The matching of notebook 17_one_stage: which anchor answers for which object."""

import torch

from coursekit.boxes import box_iou
from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.one_stage.matching import match_anchors


def match_cases(generator):
    """(label, arguments) for match_anchors: IoU exactly on both thresholds, ties, objects that only a poor anchor reaches."""

    def boxes(*rows):
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)

    strips = boxes([0, 0, 10, 7], [0, 0, 10, 5], [0, 0, 10, 4.5], [0, 0, 10, 4], [0, 0, 10, 3.5], [20, 20, 30, 30])
    yield "IoU 0.7, 0.5, 0.45, 0.4, 0.35 and 0", (strips, boxes([0, 0, 10, 10]))
    yield "three are good, not only the best", (boxes([0, 0, 10, 9], [0, 0, 10, 8], [0, 1, 10, 10], [0, 0, 10, 7]), boxes([0, 0, 10, 10]))
    yield "other thresholds", (strips, boxes([0, 0, 10, 10]), 0.25, 0.7)
    yield "no objects", (boxes([0, 0, 10, 10], [4, 4, 8, 8]), boxes())
    yield "no IoU above 0.3: the best anchor is kept", (boxes([0, 0, 10, 3], [0, 0, 10, 2]), boxes([0, 0, 10, 10]))
    yield "two anchors are equally good: both are kept", (boxes([0, 0, 10, 3], [0, 0, 10, 2], [0, 7, 10, 10]), boxes([0, 0, 10, 10]))
    yield "the best one is between the thresholds", (boxes([0, 0, 10, 4.5], [0, 0, 10, 4.2]), boxes([0, 0, 10, 10]))
    yield (
        "two objects: each anchor takes the one that it overlaps more",
        (
            boxes([0, 0, 10, 10], [12, 0, 22, 10], [7, 0, 17, 10]),
            boxes([0, 0, 10, 10], [11, 0, 21, 10]),
        ),
    )
    yield (
        "an object whose best anchor overlaps another one more",
        (
            boxes([0, 0, 10, 10], [40, 40, 50, 50]),
            boxes([0, 0, 10, 10], [0, 8, 10, 18]),
        ),
    )
    yield "the same object twice: the first one", (boxes([0, 0, 10, 10]), boxes([0, 0, 10, 10], [0, 0, 10, 10]))
    yield "an object that no anchor touches", (boxes([0, 0, 10, 10], [0, 0, 10, 3]), boxes([60, 60, 70, 70], [0, 0, 10, 10]))
    for _ in range(4):
        corners = torch.randint(0, 20, (14, 2), generator=generator)
        some = torch.cat([corners, corners + torch.randint(4, 14, (14, 2), generator=generator)], dim=1).float()
        yield "random", (some[:11], some[11:])


def _match(anchors, truth, low=0.4, high=0.5, best="ties", ignore=True, owner_of_best="own", reach=True, above=False, below=False):
    """The right matching with one thing at a time to get wrong."""
    answer = torch.full((len(anchors),), -1)
    if len(truth) == 0:
        return answer
    overlap = box_iou(truth, anchors)
    quality, owner = overlap.max(dim=0)
    sure = quality > high if above else quality >= high
    if ignore:
        answer[quality > low if below else quality >= low] = -2
    answer[sure] = owner[sure]
    top = overlap.max(dim=1).values
    for number in range(len(truth)):
        if best == "none" or (reach and top[number] == 0):
            continue
        mine = overlap[number] == top[number]
        if best == "one":
            mine = torch.arange(len(anchors)) == overlap[number].argmax()
        answer[mine] = owner[mine] if owner_of_best == "own" else number
    return answer


def match_without_the_best(anchors, truth, low=0.4, high=0.5):
    return _match(anchors, truth, low, high, best="none")


def match_only_one_of_equals(anchors, truth, low=0.4, high=0.5):
    return _match(anchors, truth, low, high, best="one")


def match_nobody_ignored(anchors, truth, low=0.4, high=0.5):
    return _match(anchors, truth, low, high, ignore=False)


def match_strictly_above(anchors, truth, low=0.4, high=0.5):
    return _match(anchors, truth, low, high, above=True)


def match_low_is_background(anchors, truth, low=0.4, high=0.5):
    return _match(anchors, truth, low, high, below=True)


def match_from_low_on(anchors, truth, low=0.4, high=0.5):
    return _match(anchors, truth, low, low)


def match_the_object_decides(anchors, truth, low=0.4, high=0.5):
    return _match(anchors, truth, low, high, owner_of_best="object")


def match_ignored_last(anchors, truth, low=0.4, high=0.5):
    answer = _match(anchors, truth, low, high, best="none")
    if len(truth) == 0:
        return answer
    overlap = box_iou(truth, anchors)
    answer[overlap.max(dim=0).values >= low] = -2
    best = ((overlap == overlap.max(dim=1, keepdim=True).values) & (overlap > 0)).any(dim=0)
    return torch.where(best, overlap.max(dim=0).indices, answer)


def match_by_argmax_of_each_object(anchors, truth, low=0.4, high=0.5):
    answer = _match(anchors, truth, low, high, best="none")
    if len(truth):
        answer[box_iou(truth, anchors).argmax(dim=1)] = torch.arange(len(truth))
    return answer


def match_objects_out_of_reach(anchors, truth, low=0.4, high=0.5):
    return _match(anchors, truth, low, high, reach=False)


match_exercise = Exercise(
    name="17.match_anchors",
    reference=match_anchors,
    cases=match_cases,
    compare=Exact(),
    twins=("torchvision.models.detection._utils.Matcher",),
    misconceptions=[
        Misconception(
            "best-not-kept",
            match_without_the_best,
            "An object whose anchors all stay below `high` has nobody, so it is never learnt. Its best anchor must answer all the same.",
        ),
        Misconception(
            "one-of-equals",
            match_only_one_of_equals,
            "Two anchors overlap an object equally well, and only the first answers. `argmax` names one place; compare with the maximum.",
        ),
        Misconception(
            "nobody-ignored",
            match_nobody_ignored,
            "Between `low` and `high` an anchor is neither: -2. You called it background.",
        ),
        Misconception(
            "strictly-above",
            match_strictly_above,
            "An IoU that equals `high` is enough: at least, not above.",
        ),
        Misconception(
            "low-is-background",
            match_low_is_background,
            "An IoU that equals `low` is not below it: such an anchor is ignored, not background.",
        ),
        Misconception(
            "answers-from-low-on",
            match_from_low_on,
            "Anchors with an IoU between `low` and `high` answer for an object. They are not good enough to be examples: -2.",
        ),
        Misconception(
            "the-object-decides",
            match_the_object_decides,
            "The best anchor of an object overlaps another object more, and you gave it to the first. Each anchor answers for the object "
            "that *it* overlaps most.",
        ),
        Misconception(
            "ignored-last",
            match_ignored_last,
            "You wrote -2 after the objects, and so over most of them: at least `low` is true of all that reach `high`. Write -2 first.",
        ),
        Misconception(
            "argmax-of-each-object",
            match_by_argmax_of_each_object,
            "`answer[overlap.argmax(dim=1)] = torch.arange(len(truth))` is short, and wrong three times: only one of equals answers, an "
            "object that nobody touches gets anchor 0, and an anchor that overlaps another object more changes its owner. Ask each anchor "
            "whether it is *a* best one.",
        ),
        Misconception(
            "out-of-reach",
            match_objects_out_of_reach,
            "An object that no anchor touches has a best IoU of 0, and then every anchor with IoU 0 is 'best'. Ask for an IoU above 0 too.",
        ),
    ],
    hints=[
        "`overlap = box_iou(truth, anchors)` is (M, A). `overlap.max(dim=0)` says for each anchor how well, and for which object.",
        "Begin with all -1; write -2 where the best IoU is at least `low`; then the object where it is at least `high`.",
        "The best of each object: `overlap == overlap.max(dim=1, keepdim=True).values`, and above 0; `.any(dim=0)` asks each anchor.",
    ],
    points=4,
)
