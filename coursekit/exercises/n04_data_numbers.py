"""Exercises of notebook 04_data: the numbers of a format, and the weights of classes."""

import torch

from coursekit.data.labelling import voc_to_yolo
from coursekit.data.splits import class_weights
from coursekit.exercises.core import Close, Exercise, Misconception

# --- voc_to_yolo


def voc_cases(generator):
    """(label, arguments) for voc_to_yolo: the image is not square, and edges lie where one pixel more or less shows."""

    def boxes(*rows):
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)

    yield "the whole picture", (boxes([1, 1, 20, 10]), 20, 10)
    yield "one pixel, the first", (boxes([1, 1, 1, 1]), 8, 4)
    yield "the left half", (boxes([1, 1, 10, 10]), 20, 10)
    yield "the lower right quarter", (boxes([11, 6, 20, 10]), 20, 10)
    yield "two boxes", (boxes([3, 2, 6, 9], [5, 5, 16, 8]), 32, 16)
    yield "no box", (boxes(), 20, 10)
    for _ in range(4):
        width, height = torch.randint(20, 60, (2,), generator=generator).tolist()
        x = torch.randint(1, width + 1, (5, 2), generator=generator).sort(dim=1).values
        y = torch.randint(1, height + 1, (5, 2), generator=generator).sort(dim=1).values
        yield "random", (torch.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], dim=1), width, height)


def _to_yolo(boxes, width, height, low=1, high=0, anchor=0.5, corners=False, whole=False):
    """The right conversion with one thing at a time to get wrong."""
    a, b = boxes[:, :2] - low, boxes[:, 2:] - high
    size = torch.ones(2) if whole else torch.tensor([width, height], dtype=torch.float32)
    if corners:
        return torch.cat([a / size, b / size], dim=1)
    return torch.cat([(a + anchor * (b - a)) / size, (b - a) / size], dim=1)


def yolo_counted_from_zero(boxes, width, height):
    return _to_yolo(boxes, width, height, low=0)


def yolo_one_off_everywhere(boxes, width, height):
    return _to_yolo(boxes, width, height, high=1)


def yolo_from_the_corner(boxes, width, height):
    return _to_yolo(boxes, width, height, anchor=0.0)


def yolo_two_corners(boxes, width, height):
    return _to_yolo(boxes, width, height, corners=True)


def yolo_sides_swapped(boxes, width, height):
    return _to_yolo(boxes, height, width)


def yolo_in_pixels(boxes, width, height):
    return _to_yolo(boxes, width, height, whole=True)


def yolo_half_sizes(boxes, width, height):
    right = voc_to_yolo(boxes, width, height)
    return torch.cat([right[:, :2], right[:, 2:] / 2], dim=1)


voc_to_yolo_exercise = Exercise(
    name="04.voc_to_yolo",
    reference=voc_to_yolo,
    cases=voc_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    misconceptions=[
        Misconception(
            "counted-from-zero",
            yolo_counted_from_zero,
            "A box around the whole picture should be (0.5, 0.5, 1, 1), and yours is one pixel short. VOC calls the first pixel 1; "
            "where does it begin?",
        ),
        Misconception(
            "one-off-everywhere",
            yolo_one_off_everywhere,
            "You subtracted 1 from all four, so boxes are a pixel too small. xmax is the last pixel that still belongs to the object: "
            "counted from 1, it ends exactly at xmax.",
        ),
        Misconception(
            "corner-not-centre",
            yolo_from_the_corner,
            "The sizes are right. The first two numbers must be the centre, and yours are the upper left corner: that is COCO's habit.",
        ),
        Misconception(
            "two-corners",
            yolo_two_corners,
            "You divided the corners. YOLO wants centre and size.",
        ),
        Misconception(
            "width-and-height-swapped",
            yolo_sides_swapped,
            "x goes with the width, y with the height; in a square picture nobody would have noticed.",
        ),
        Misconception(
            "in-pixels",
            yolo_in_pixels,
            "Centre and size are right, in pixels. YOLO's numbers are shares of the picture, between 0 and 1.",
        ),
        Misconception(
            "half-sizes",
            yolo_half_sizes,
            "The centre is right, and the size is from the centre to an edge. It must go from edge to edge.",
        ),
    ],
    hints=[
        "First to half-open pixels, as all of this course: x1 = xmin - 1, y1 = ymin - 1, x2 = xmax, y2 = ymax.",
        "Then the centre (x1 + x2) / 2 and the width x2 - x1, divided by the width of the picture; the same in y.",
        "Columns: `xmin, ymin, xmax, ymax = boxes.unbind(dim=1)`, and `torch.stack(..., dim=1)` at the end.",
    ],
    points=3,
)


# --- class_weights


def weight_cases(generator):
    """(label, arguments) for class_weights: counts that divide well, one class alone, classes that do not occur at either end."""

    def labels(*values):
        return torch.tensor(values, dtype=torch.int64)

    yield "six of one, four of the other", (labels(0, 0, 0, 1, 0, 1, 0, 1, 1, 0), 2)
    yield "three classes, 6 : 3 : 1", (labels(0, 0, 0, 0, 0, 0, 1, 1, 1, 2), 3)
    yield "all alike", (labels(2, 0, 1, 1, 0, 2), 3)
    yield "one class only", (labels(0, 0, 0), 1)
    yield "a class that does not occur", (labels(0, 2, 2, 2), 3)
    yield "the last classes do not occur", (labels(0, 1, 1), 4)
    for _ in range(3):
        classes = int(torch.randint(2, 7, (), generator=generator))
        yield "random", (torch.randint(0, classes, (30,), generator=generator), classes)


def _weights(labels, num_classes, numerator=None, classes=None):
    """The right weights with one thing at a time to get wrong."""
    count = torch.bincount(labels, minlength=num_classes).float()
    k = (count > 0).sum() if classes is None else classes
    n = len(labels) if numerator is None else numerator(count)
    return torch.where(count > 0, n / (k * count), 0.0)


def weights_one_over_count(labels, num_classes):
    return _weights(labels, num_classes, numerator=lambda count: 1, classes=1)


def weights_without_k(labels, num_classes):
    return _weights(labels, num_classes, classes=1)


def weights_of_the_largest(labels, num_classes):
    return _weights(labels, num_classes, numerator=lambda count: count.max(), classes=1)


def weights_upside_down(labels, num_classes):
    return torch.bincount(labels, minlength=num_classes) / len(labels)


def weights_infinite(labels, num_classes):
    return len(labels) / (num_classes * torch.bincount(labels, minlength=num_classes))


def weights_count_absent_classes(labels, num_classes):
    return _weights(labels, num_classes, classes=num_classes)


def weights_sum_to_one(labels, num_classes):
    right = class_weights(labels, num_classes)
    return right / right.sum()


def weights_only_of_what_occurs(labels, num_classes):
    right = class_weights(labels, num_classes)
    return right[right > 0]


def weights_for_each_sample(labels, num_classes):
    return class_weights(labels, num_classes)[labels]


class_weights_exercise = Exercise(
    name="04.class_weights",
    reference=class_weights,
    cases=weight_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    twins=("sklearn.utils.class_weight.compute_class_weight",),
    misconceptions=[
        Misconception(
            "one-over-count",
            weights_one_over_count,
            "The proportions are right, the size is not: weights of 1 / count make the loss tiny, and with it every step. "
            "Use n / (k * count).",
        ),
        Misconception(
            "k-forgotten",
            weights_without_k,
            "The proportions are right, and all are k times too large: six of ten should weigh 10 / (2 * 6), not 10 / 6.",
        ),
        Misconception(
            "largest-class-is-one",
            weights_of_the_largest,
            "You gave the largest class weight 1. That is one convention; here the mean over all samples is to be 1: n / (k * count).",
        ),
        Misconception(
            "upside-down",
            weights_upside_down,
            "Large classes got large weights, so that the rare one disappears altogether. Which of the two should count more?",
        ),
        Misconception(
            "infinite",
            weights_infinite,
            "A class without a sample got an infinite weight, and the first loss that touches it is infinite or NaN. It should get 0, "
            "and k should count only the classes that occur.",
        ),
        Misconception(
            "absent-classes-counted",
            weights_count_absent_classes,
            "k should be the number of classes that occur. With those that do not, the mean weight of a sample falls below 1.",
        ),
        Misconception(
            "sum-is-one",
            weights_sum_to_one,
            "You made the weights add up to 1. What should be 1 is their mean over all samples: `weights[labels].mean()`.",
        ),
        Misconception(
            "absent-classes-dropped",
            weights_only_of_what_occurs,
            "There must be a weight for each class, 0 where it does not occur: else `weights[label]` belongs to another class.",
        ),
        Misconception(
            "one-for-each-sample",
            weights_for_each_sample,
            "That is a weight for each sample. Wanted is one for each class; `weights[labels]` makes the others of it.",
        ),
    ],
    hints=[
        "`torch.bincount(labels, minlength=num_classes)` counts all classes, those that do not occur too.",
        "k is `(count > 0).sum()`. Divide by `count.clamp(min=1)`, and put 0 where the count was 0 with `torch.where`.",
    ],
    points=2,
    equivalent={"weights = len(labels) / (occurs.sum() * count.clamp(min=0))": "an infinite weight is replaced by 0 in the next line"},
)
