"""What a patient may suffer from, and how a repair is handed in together with its diagnosis. Taught in notebook 21_bug_clinic."""

import difflib
from collections.abc import Callable

UNDECIDED = "not yet"

DIAGNOSES = {  # in no order that would give anything away
    "box-format": "boxes written as x, y, width, height are read as two corners",
    "cache-changed": "augmentation writes into the stored sample, so the truth wanders from epoch to epoch",
    "canvas-pixels": "boxes are given in the pixels of the padded canvas, not of the photograph",
    "channel-order": "red and blue have changed places in the picture that the network gets",
    "class-imbalance": "some classes have too few examples to be learned",
    "cross-class": "boxes of one class suppress boxes of another",
    "double-sigmoid": "a sigmoid is applied to what was already through one",
    "early-threshold": "unsure boxes are thrown away before average precision is computed",
    "flip-boxes": "the picture is mirrored, its boxes are not",
    "frozen-statistics": "batch normalisation keeps the averages of its random start",
    "half-cell": "boxes are measured from a cell's corner, not from its centre",
    "label-offset": "labels are counted from another number here than there",
    "late-average": "the averaged weights that are measured still remember the random start",
    "learning-rate": "the learning rate is too high",
    "loose-nms": "the overlap that suppression allows is too large, so duplicates stay",
    "overfitting": "the network has learned its training pictures by heart",
    "pixel-range": "pixels come in another range than the network was trained on",
    "sorted-apart": "one of several lists that belong together was put into another order",
    "stale-gradients": "gradients of earlier steps are added to those of this one",
    "stride": "distances that are counted in strides are taken for pixels",
    "train-mode": "the network is measured in training mode",
    "x-y-swapped": "x and y have changed places in the boxes",
}


def treatment(fix: Callable, diagnosis: str) -> Callable:
    """A repair and its diagnosis as one answer: the function itself, which now carries ``diagnosis``.

    Args:
        fix: the repaired function.
        diagnosis: a key of `DIAGNOSES`, or `UNDECIDED`. A word that is neither is said aloud, with the nearest one that is there.
    """
    if diagnosis not in (*DIAGNOSES, UNDECIDED):
        close = difflib.get_close_matches(str(diagnosis), DIAGNOSES, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else " The list of diagnoses has all of them."
        print(f"There is no diagnosis {diagnosis!r}.{guess}")
    try:
        fix.diagnosis = diagnosis
    except AttributeError:  # a function written in C takes no attributes
        inner = fix
        fix = lambda *arguments: inner(*arguments)  # noqa: E731
        fix.diagnosis = diagnosis
    return fix


def names_the_fault(answer: Callable, fault: str) -> bool:
    """Does this answer's diagnosis say what is wrong? False where it carries none."""
    return getattr(answer, "diagnosis", None) == fault
