"""A submission: what a model says about pictures whose labels it has never seen, as one CSV. Taught in notebook 24_project.

    image_id,class,score,x1,y1,x2,y2          detection: a row for each box, xyxy in pixels of the picture as it was handed out
    p3f2,with_mask,0.875,12.5,8.0,40.25,61.0
    p9c1,,,,,,                                a picture without a box: one row with only its id

    image_id,class                            classification: one row for each picture
    p3f2,stop

Every picture is named: a forgotten one must not look like an empty one. What strangers hand in is read by `read_submission`.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from ..detections import Detections
from ..files import write_text
from .parts import public_part
from .reading import BOXES, LABELS, MOST_BOXES, Sizes, parse, read_bytes

__all__ = ["public_part", "read_submission", "submission_rows", "write_labels", "write_submission"]


def submission_rows(answers: Mapping[str, Mapping | Detections], classes: Sequence[str]) -> list[list]:
    """What a detector found, as the rows of a submission.

    Args:
        answers: picture id -> ``dict(boxes, scores, labels)`` in torchvision's spelling, or `Detections`.
        classes: names; label i is ``classes[i]``.

    Returns:
        Lists ``[image_id, class name, score, x1, y1, x2, y2]``: pictures in the order of their ids, in each the best score first, equal
        scores as they came. A picture without a box has one row, ``[image_id, "", "", "", "", "", ""]``. Numbers are floats, not rounded:
        rounded scores make ties, and AP hangs on the order.
    """
    rows = []
    for name in sorted(answers):
        found = answers[name].to_dict() if isinstance(answers[name], Detections) else answers[name]
        boxes, scores, labels = found["boxes"], found["scores"], found["labels"]
        if len(scores) == 0:
            rows.append([name, *[""] * 6])
        order = scores.argsort(descending=True, stable=True).tolist()
        rows += [[name, classes[int(labels[i])], float(scores[i]), *boxes[i].tolist()] for i in order]
    return rows


def write_submission(path: str | Path, answers: Mapping[str, Detections], classes: Sequence[str]) -> Path:
    """Write a detector's submission. Float32 numbers are read back to the last bit.

    Args:
        path: of the CSV.
        answers: picture id -> `Detections`; one without boxes for a picture in which nothing was found.
        classes: names; label i is ``classes[i]``.

    Raises:
        ValueError: naming the picture and what could not be scored: a label without a name, a score that is none, a box that ends before
            it begins, more than 1,000 boxes.
    """
    for name, found in answers.items():
        _check_answer(name, found, len(classes))
    _write(path, BOXES, [[row[0], row[1], *map(_number, row[2:])] for row in submission_rows(answers, classes)])
    return Path(path)


def write_labels(path: str | Path, answers: Mapping[str, str]) -> Path:
    """Write a classifier's submission: picture id -> name of the class.

    Raises:
        ValueError: naming the picture whose class is no name.
    """
    for name, label in answers.items():
        _check_id(name)
        if not isinstance(label, str) or not label:
            raise ValueError(f"the class of picture {name!r} must be a name, got {label!r}")
    _write(path, LABELS, [[name, answers[name]] for name in sorted(answers)])
    return Path(path)


def read_submission(
    path: str | Path, ids: Sequence[str] | Sizes, classes: Sequence[str], kind: str | None = None
) -> dict[str, Detections] | dict[str, str]:
    """Read a submission that anybody may have made.

    Args:
        path: of the CSV.
        ids: of all pictures that were handed out; or a dict id -> (width, height), so that boxes are held against their picture.
        classes: names.
        kind: ``"detection"`` or ``"classification"`` where it must be that; without, the first line decides.

    Returns:
        In the order of ``ids``: `Detections` in the file's order, or the name of the class.

    Raises:
        ValueError: one sentence with file, line and column: not UTF-8, no CSV, another first line, a picture that is unknown, missing,
            or there twice, a class that is none, a score outside 0..1, a number that is none, a box that ends before it begins or lies
            outside its picture, more than 1,000 boxes in a picture, more than 64 MB.
        OSError: it cannot be opened.
    """
    found = parse(read_bytes(Path(path)), str(path), ids, tuple(classes), kind)
    return {name: answer if isinstance(answer, str) else _detections(answer, classes) for name, answer in found.items()}


def _detections(rows: list[tuple], classes: Sequence[str]) -> Detections:
    if not rows:
        return Detections.empty()
    labels = torch.tensor([label for label, *_ in rows], dtype=torch.int64)
    numbers = torch.tensor([numbers for _, *numbers in rows], dtype=torch.float64).to(torch.float32)
    return Detections(numbers[:, 1:].contiguous(), numbers[:, 0].contiguous(), labels)


def _write(path: str | Path, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    write_text(path, out.getvalue())


def _number(value) -> str:
    """The shortest text that gives the same float32 again."""
    if value == "":
        return ""
    short = str(np.float32(value))
    return short if np.float32(float(short)) == np.float32(value) else repr(value)


def _check_id(name: str) -> None:
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or name != name.strip():
        raise ValueError(f"the id of a picture must be a printable text without blanks at its ends, got {name!r}")


def _check_answer(name: str, found: Detections, classes: int) -> None:
    _check_id(name)
    if not isinstance(found, Detections):
        raise ValueError(f"the answer to picture {name!r} must be Detections, got {type(found).__name__}")
    boxes, scores, labels = found.boxes.float(), found.scores.float(), found.labels
    wrong = None
    if len(found) > MOST_BOXES:
        wrong = f"must have at most {MOST_BOXES:,} boxes, got {len(found):,}"
    elif not (bool(boxes.isfinite().all()) and bool(scores.isfinite().all())):
        wrong = "must have finite boxes and scores"
    elif len(found) and not 0 <= float(scores.min()) <= float(scores.max()) <= 1:
        wrong = f"must have scores in 0..1, got {float(scores.min()):g} to {float(scores.max()):g}"
    elif len(found) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        wrong = f"must have labels in 0..{classes - 1}, got {int(labels.min())} to {int(labels.max())}"
    elif len(found) and not bool((boxes[:, 2:] >= boxes[:, :2]).all()):
        wrong = "has a box that ends before it begins: xyxy is expected"
    if wrong:
        raise ValueError(f"the answer to picture {name!r} {wrong}")
