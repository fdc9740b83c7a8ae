"""Exercises of notebook 13_boxes on too many boxes: NMS, and NMS per class."""

import torch

from coursekit import boxes as blocks
from coursekit.exercises.core import Exact, Exercise, Misconception

# --- nms


def _boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def _random_boxes(generator, count, whole):
    start = torch.rand(count, 2, generator=generator) * 8
    boxes = torch.cat((start, start + 1 + torch.rand(count, 2, generator=generator) * 6), dim=1)
    return boxes.round() if whole else boxes


def _random_scores(generator, count, tied):
    scores = torch.rand(count, generator=generator)
    return (scores * 4).round() / 4 if tied else scores


def nms_cases(generator):
    """(label, arguments) for nms. Thresholds are exact in binary wherever an IoU may equal them."""
    yield "no boxes at all", (_boxes(), torch.zeros(0), 0.5)
    yield "one box twice, the better one second", (_boxes([0, 0, 4, 4], [0, 0, 4, 4]), torch.tensor([0.6, 0.9]), 0.5)
    yield "one box twice, equal scores", (_boxes([0, 0, 4, 4], [0, 0, 4, 4]), torch.tensor([0.7, 0.7]), 0.5)
    yield "far apart, the best one last", (_boxes([0, 0, 2, 2], [9, 9, 12, 12], [20, 0, 24, 2]), torch.tensor([0.2, 0.5, 0.9]), 0.5)
    yield "IoU equal to the threshold", (_boxes([0, 0, 4, 4], [0, 0, 4, 2]), torch.tensor([0.9, 0.8]), 0.5)
    stairs = _boxes([0, 0, 4, 4], [0, 1, 4, 5], [0, 2, 4, 6])  # neighbours overlap by 12/20, the ends by 8/24
    yield "a staircase of three", (stairs, torch.tensor([0.9, 0.8, 0.7]), 0.5)
    two_groups = _boxes([0, 0, 4, 4], [20, 0, 24, 4], [0, 0, 4, 3], [20, 0, 24, 3])
    yield "two objects, two boxes on each", (two_groups, torch.tensor([0.6, 0.9, 0.8, 0.7]), 0.5)
    yield "a low threshold", (_boxes([0, 0, 4, 4], [0, 2, 4, 6]), torch.tensor([0.9, 0.8]), 0.25)
    yield "a high threshold", (_boxes([0, 0, 4, 4], [0, 1, 4, 4]), torch.tensor([0.9, 0.8]), 0.8)
    yield "a box without area", (_boxes([3, 3, 3, 3], [0, 0, 4, 4]), torch.tensor([0.9, 0.8]), 0.5)  # its IoU with itself is 0, not 1
    for index in range(8):
        boxes, scores = _random_boxes(generator, 12, whole=index % 2 == 0), _random_scores(generator, 12, tied=index % 2 == 0)
        yield ("random, whole numbers and ties" if index % 2 == 0 else "random"), (boxes, scores, (0.25, 0.4, 0.5, 0.1)[index // 2])


def _greedy(boxes, scores, order, overlaps):
    """Greedy suppression in a given order with a given test, to get one of them wrong."""
    kept = []
    for index in order.tolist():
        if not any(overlaps(blocks.box_iou(boxes[[k]], boxes[[index]]).item()) for k in kept):
            kept.append(index)
    return torch.tensor(kept, dtype=torch.int64)


def nms_dropped_boxes_drop_others(boxes, scores, iou_threshold):
    order = scores.argsort(descending=True, stable=True)
    overlap = blocks.box_iou(boxes[order], boxes[order]).triu(diagonal=1)  # each box against all better ones, kept or not
    return order[(overlap <= iou_threshold).all(dim=0)]


def nms_drops_equal(boxes, scores, iou_threshold):
    return _greedy(boxes, scores, scores.argsort(descending=True, stable=True), lambda iou: iou >= iou_threshold)


def nms_without_sorting(boxes, scores, iou_threshold):
    return _greedy(boxes, scores, torch.arange(len(boxes)), lambda iou: iou > iou_threshold)


def nms_worst_first(boxes, scores, iou_threshold):
    return _greedy(boxes, scores, scores.argsort(stable=True), lambda iou: iou > iou_threshold)


def nms_later_of_a_tie(boxes, scores, iou_threshold):
    order = len(scores) - 1 - scores.flip(0).argsort(descending=True, stable=True)
    return _greedy(boxes, scores, order, lambda iou: iou > iou_threshold)


def nms_places_in_the_sorted_list(boxes, scores, iou_threshold):
    order = scores.argsort(descending=True, stable=True)
    return blocks.nms(boxes[order], scores[order], iou_threshold)


def nms_in_order_of_index(boxes, scores, iou_threshold):
    return blocks.nms(boxes, scores, iou_threshold).sort().values


def nms_one_round(boxes, scores, iou_threshold):
    order = scores.argsort(descending=True, stable=True)
    if len(order) == 0:
        return order
    stays = blocks.box_iou(boxes[order[:1]], boxes[order])[0] <= iou_threshold
    stays[0] = True
    return order[stays]


def nms_gives_a_mask(boxes, scores, iou_threshold):
    mask = torch.zeros(len(boxes), dtype=torch.bool)
    mask[blocks.nms(boxes, scores, iou_threshold)] = True
    return mask


def nms_gives_boxes(boxes, scores, iou_threshold):
    return boxes[blocks.nms(boxes, scores, iou_threshold)]


def nms_picture(arguments, expected, got):
    """What should stay beside what did."""
    from coursekit.plots.boxes import kept_of_a_case

    return kept_of_a_case(arguments[0], arguments[1], expected, got)


nms = Exercise(
    name="13.nms",
    reference=blocks.nms,
    cases=nms_cases,
    compare=Exact(dtype="same"),  # int64, as the docstring says: torch.equal and others mind
    misconceptions=[
        Misconception(
            "dropped-boxes-drop-others",
            wrong=nms_dropped_boxes_drop_others,
            hint="A box that was dropped is gone: it may not drop anybody else. Look at the staircase: the last box overlaps only the "
            "dropped one.",
        ),
        Misconception(
            "equal-is-dropped",
            wrong=nms_drops_equal,
            hint="A box whose IoU *equals* the threshold was dropped. Only a greater one is: `<=` stays.",
        ),
        Misconception(
            "not-sorted",
            wrong=nms_without_sorting,
            hint="You went through the boxes in the order in which they came, so a weak box dropped a strong one. Which must be first?",
        ),
        Misconception(
            "worst-first",
            wrong=nms_worst_first,
            hint="You began with the worst box. argsort goes upwards unless you say `descending=True`.",
        ),
        Misconception(
            "later-of-a-tie",
            wrong=nms_later_of_a_tie,
            hint="Of two boxes with the same score the earlier one goes first. `argsort(descending=True, stable=True)` keeps them in "
            "order; flipping does not.",
        ),
        Misconception(
            "places-in-the-sorted-list",
            wrong=nms_places_in_the_sorted_list,
            hint="Right boxes, wrong numbers: you returned places in the sorted list. The caller knows only its own order: which "
            "index had that box before sorting?",
        ),
        Misconception(
            "in-order-of-index",
            wrong=nms_in_order_of_index,
            hint="The right boxes, but by index. The best one comes first.",
        ),
        Misconception(
            "one-round",
            wrong=nms_one_round,
            hint="You cleared up around the best box and stopped. What of the best box among those that are left?",
        ),
        Misconception(
            "mask-not-indices",
            wrong=nms_gives_a_mask,
            hint="You returned a mask of True and False. The answer is the indices of the boxes that stay, int64, best first.",
        ),
        Misconception(
            "boxes-not-indices",
            wrong=nms_gives_boxes,
            hint="You returned the boxes. With the indices the caller can pick scores and labels as well.",
        ),
    ],
    hints=[
        "Sort once, best first. Then: the first stays; of the others, those that overlap it too much go; repeat with what is left.",
        "`order = scores.argsort(descending=True, stable=True)`, and a `while len(order):` loop that makes `order` shorter each time.",
        (
            "`best, rest = order[0], order[1:]`; `overlap = box_iou(boxes[best][None], boxes[rest])[0]`; `order = rest[overlap <= "
            "iou_threshold]`. Collect every `best`."
        ),
    ],
    points=4,
    twins=(
        "torchvision.ops.nms",
        "torchvision.ops.batched_nms",
        "torchvision.ops.boxes._batched_nms_vanilla",
        "torchvision.ops.boxes._batched_nms_coordinate_trick",
        "cv2.dnn.NMSBoxes",
        blocks.fast_nms,
        blocks.batched_nms,
        blocks.fast_batched_nms,
        blocks._class_by_class,
        "coursekit.plots.suppression.rounds_of_nms",
    ),
    picture=nms_picture,
)


# --- batched_nms


def batched_nms_cases(generator):
    """(label, arguments) for batched_nms: labels with gaps, unsorted, and boxes past the upper left edge of the image."""

    def case(boxes, scores, labels, threshold=0.5):
        return _boxes(*boxes), torch.tensor(scores, dtype=torch.float32), torch.tensor(labels, dtype=torch.int64), threshold

    same = [0, 0, 4, 4]
    yield "no boxes at all", case([], [], [])
    large = [0, 0, 40, 40]  # a shift by a pixel or two leaves it where it is
    yield "one place, two classes", case([large, large], [0.9, 0.8], [0, 1])
    yield "one place, one class", case([same, same], [0.8, 0.9], [2, 2])
    yield "classes take turns by score", case([same, [9, 9, 12, 12], same, [20, 0, 23, 3]], [0.8, 0.9, 0.5, 0.6], [1, 0, 0, 1])
    yield "labels 7 and 3, nothing between", case([same, same, same], [0.5, 0.7, 0.9], [7, 3, 7])
    yield "two objects of one class", case([same, [9, 9, 12, 12], [0, 0, 4, 3]], [0.6, 0.9, 0.5], [1, 1, 1])
    yield "equal scores in two classes", case([same, same, same], [0.5, 0.5, 0.5], [4, 1, 4])
    yield "past the upper left edge of the image", case([[0, 0, 9, 9], [-10, -10, -1, -1]], [0.9, 0.8], [0, 1])
    yield "a staircase in one class", case([[0, 0, 4, 4], [0, 1, 4, 5], [0, 2, 4, 6]], [0.9, 0.8, 0.7], [1, 1, 1])
    yield "a low threshold", case([same, [0, 2, 4, 6]], [0.9, 0.8], [1, 1], 0.25)
    for index in range(6):
        whole = index % 2 == 0
        boxes, scores = _random_boxes(generator, 14, whole), _random_scores(generator, 14, tied=whole)
        labels = torch.randint(0, 4, (14,), generator=generator) * 2
        yield ("random, whole numbers and ties" if whole else "random"), (boxes, scores, labels, (0.25, 0.5, 0.1)[index // 2])


def _members(labels):
    return [torch.where(labels == label)[0] for label in labels.unique()]


def _joined(parts):
    return torch.cat([torch.zeros(0, dtype=torch.int64), *parts])


def _best_first(kept, scores):
    kept = kept.sort().values
    return kept[scores[kept].argsort(descending=True, stable=True)]


def batched_ignores_labels(boxes, scores, labels, iou_threshold):
    return blocks.nms(boxes, scores, iou_threshold)


def batched_class_after_class(boxes, scores, labels, iou_threshold):
    return _joined(m[blocks.nms(boxes[m], scores[m], iou_threshold)] for m in _members(labels))


def batched_in_order_of_index(boxes, scores, labels, iou_threshold):
    return blocks.batched_nms(boxes, scores, labels, iou_threshold).sort().values


def batched_indices_within_the_class(boxes, scores, labels, iou_threshold):
    kept = _joined(blocks.nms(boxes[m], scores[m], iou_threshold) for m in _members(labels))
    return kept[scores[kept].argsort(descending=True, stable=True)]


def batched_best_of_each_class(boxes, scores, labels, iou_threshold):
    return _best_first(_joined(m[scores[m].argmax()][None] for m in _members(labels)), scores)


def batched_counts_labels_from_0(boxes, scores, labels, iou_threshold):
    members = [torch.where(labels == label)[0] for label in range(len(labels.unique()))]
    return _best_first(_joined(m[blocks.nms(boxes[m], scores[m], iou_threshold)] for m in members), scores)


def batched_shifts_by_the_label(boxes, scores, labels, iou_threshold):
    return blocks.nms(boxes + labels[:, None], scores, iou_threshold)


def batched_shifts_by_the_largest(boxes, scores, labels, iou_threshold):
    largest = boxes.max() if len(boxes) else 0
    return blocks.nms(boxes + labels[:, None] * (largest + 1), scores, iou_threshold)


def batched_picture(arguments, expected, got):
    """What should stay beside what did, with the class of each box."""
    from coursekit.plots.boxes import kept_of_a_case

    return kept_of_a_case(arguments[0], arguments[1], expected, got, labels=arguments[2])


batched_nms = Exercise(
    name="13.batched_nms",
    reference=blocks.batched_nms,
    cases=batched_nms_cases,
    compare=Exact(dtype="same"),  # int64, as the docstring says: torch.equal and others mind
    misconceptions=[
        Misconception(
            "labels-ignored",
            wrong=batched_ignores_labels,
            hint="A box dropped a box of another class: a rider on a horse would lose one of the two. Only boxes with the same label "
            "may meet.",
        ),
        Misconception(
            "class-after-class",
            wrong=batched_class_after_class,
            hint="You returned one class after the other. The caller wants the best box first, whatever its class: sort once more at "
            "the end.",
        ),
        Misconception(
            "in-order-of-index",
            wrong=batched_in_order_of_index,
            hint="The right boxes, but by index. The best one comes first: sort what is kept by its score.",
        ),
        Misconception(
            "indices-within-the-class",
            wrong=batched_indices_within_the_class,
            hint="nms of one class counts within that class: its 0 is the first *member*, not the first box. Keep the list of members "
            "and look it up there.",
        ),
        Misconception(
            "best-of-each-class",
            wrong=batched_best_of_each_class,
            hint="One box a class is left. Two signs of one class may stand in one picture: run NMS in each class, do not take the "
            "maximum.",
        ),
        Misconception(
            "labels-counted-from-0",
            wrong=batched_counts_labels_from_0,
            hint="You counted labels 0, 1, 2 ... and lost the boxes whose label is larger. Go through the labels that there are: "
            "`labels.unique()`.",
        ),
        Misconception(
            "shift-too-small",
            wrong=batched_shifts_by_the_label,
            hint="Moving each class by its label moves it by a pixel or two: boxes still meet. To tell classes apart the shift must "
            "be larger than any box reaches.",
        ),
        Misconception(
            "shift-by-the-largest-coordinate",
            wrong=batched_shifts_by_the_largest,
            hint="The famous shortcut, with its famous gap: shifting by the largest coordinate forgets boxes that begin left of 0. "
            "Measure the shift from smallest to largest, or go class by class.",
        ),
    ],
    hints=[
        "You have `nms`. Let it work on one class at a time, then put together what stays.",
        (
            "`for label in labels.unique():` the members are `torch.where(labels == label)[0]`; `members[nms(boxes[members], "
            "scores[members], t)]` are indices of all boxes."
        ),
        "Collect what stays, put it in order of index, then sort by score: `kept[scores[kept].argsort(descending=True, stable=True)]`.",
    ],
    points=3,
    twins=(
        "torchvision.ops.batched_nms",
        "torchvision.ops.boxes._batched_nms_vanilla",
        "torchvision.ops.boxes._batched_nms_coordinate_trick",
        "cv2.dnn.NMSBoxesBatched",
        blocks.fast_batched_nms,
        blocks._class_by_class,
        "coursekit.yolo.decode.choose",
    ),
    picture=batched_picture,
    equivalent={
        "return kept[scores[kept].argsort(descending=True, stable=False)]": "on a CPU torch sorts stably whether it is asked to or not",
    },
)
