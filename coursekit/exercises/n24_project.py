"""Exercises of notebook 24_project: the rows of a submission, and which pictures are public. Others: n24_project_*.py."""

import hashlib
import random

import torch

from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.project import parts, submission

# --- submission_rows


def found(*rows):
    """Rows of (score, label, x1, y1, x2, y2) as dict(boxes, scores, labels)."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return {"boxes": table[:, 2:].clone(), "scores": table[:, 0].clone(), "labels": table[:, 1].long()}


def rows_cases(generator):
    """(label, arguments) for submission_rows: one rule a case."""
    classes = ["stop", "yield", "bend"]
    yield "one box", ({"p1": found((0.5, 0, 1, 2, 3, 4))}, classes)
    yield "another class", ({"p1": found((0.5, 2, 1, 2, 3, 4))}, classes)
    yield "the worse came first", ({"p1": found((0.25, 0, 1, 2, 3, 4), (0.75, 1, 5, 6, 7, 8))}, classes)
    yield "equal scores stay as they came", ({"p1": found((0.5, 1, 5, 5, 9, 9), (0.5, 0, 1, 1, 4, 4), (0.5, 2, 0, 0, 2, 2))}, classes)
    yield "a picture without a box", ({"p1": found(), "p2": found((0.5, 0, 1, 2, 3, 4))}, classes)
    yield "only pictures without a box", ({"p2": found(), "p1": found()}, classes)
    yield "pictures out of order", ({"b": found((0.9, 0, 1, 2, 3, 4)), "a": found((0.1, 1, 1, 2, 3, 4))}, classes)
    yield "ids are text: p10 before p9", ({"p9": found((0.5, 0, 1, 2, 3, 4)), "p10": found((0.5, 1, 1, 2, 3, 4))}, classes)
    yield "scores that rounding makes equal", ({"p1": found((0.81252, 0, 1, 2, 3, 4), (0.81254, 1, 5, 6, 7, 8))}, classes)
    yield "corners between pixels", ({"p1": found((0.5, 0, 1.25, 2.5, 3.75, 4.125))}, classes)
    yield "nothing at all", ({}, classes)
    for count in (3, 5):
        answers = {}
        for name in torch.randperm(20, generator=generator)[:count].tolist():
            n = int(torch.randint(0, 4, (), generator=generator))
            corner, size = torch.rand(n, 2, generator=generator) * 50, torch.rand(n, 2, generator=generator) * 50
            boxes, scores = torch.cat([corner, corner + size], dim=1), torch.rand(n, generator=generator)
            answers[f"p{name}"] = {"boxes": boxes, "scores": scores, "labels": torch.randint(0, 3, (n,), generator=generator)}
        yield "random", (answers, classes)


def _rows(answers, classes, **wrong):
    """The right loop with one thing to get wrong."""
    rows = []
    for name in list(answers) if wrong.get("as_given") else sorted(answers):
        boxes, scores, labels = answers[name]["boxes"], answers[name]["scores"], answers[name]["labels"]
        if len(scores) == 0 and not wrong.get("no_empty"):
            rows.append([name, *[""] * 6])
        order = scores.argsort(descending=not wrong.get("ascending"), stable=True).tolist()
        if wrong.get("flipped"):
            order = scores.argsort(stable=True).flip(0).tolist()
        order = list(range(len(scores))) if wrong.get("unsorted") else order
        for i in order[:1] if wrong.get("best_only") else order:
            box, score, label = boxes[i].tolist(), float(scores[i]), int(labels[i])
            if wrong.get("xywh"):
                box = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            if wrong.get("whole"):
                box = [int(value) for value in box]
            score = round(score, 2) if wrong.get("rounded") else score
            rows.append([name, label if wrong.get("number") else classes[label], score, *box])
    if wrong.get("over_all"):
        rows.sort(key=lambda row: -(row[2] or 0.0))
    return rows


def _wrong_rows(**wrong):
    def answer(answers, classes):
        return _rows(answers, classes, **wrong)

    return answer


submission_rows = Exercise(
    name="24.submission_rows",
    reference=submission.submission_rows,
    cases=rows_cases,
    compare=Exact(),
    points=3,
    misconceptions=[
        Misconception(
            "empty-forgotten",
            _wrong_rows(no_empty=True),
            "A picture in which nothing was found has no row. To the scorer it looks like one that you forgot: which row says *empty*?",
        ),
        Misconception(
            "rounded",
            _wrong_rows(rounded=True),
            "Your scores are rounded, and some are equal now that were not. AP is made of their order: what does a tie do to it?",
        ),
        Misconception(
            "whole-pixels", _wrong_rows(whole=True), "Your corners are whole numbers. Cut off pixels cost IoU, most of all for small boxes."
        ),
        Misconception(
            "label-number",
            _wrong_rows(number=True),
            "Your rows hold the label's number. The scorer wants the name: `classes[...]`. A number means something else in every project.",
        ),
        Misconception("as-they-came", _wrong_rows(unsorted=True), "Within a picture the best score comes first. Yours are as they came."),
        Misconception(
            "worst-first",
            _wrong_rows(ascending=True),
            "Within a picture the *best* score comes first. `argsort` sorts upwards unless told.",
        ),
        Misconception(
            "ties-turned",
            _wrong_rows(flipped=True),
            "Boxes with equal scores have changed places. Sorted upwards and turned round, ties are turned round too: "
            "`argsort(descending=True, stable=True)`.",
        ),
        Misconception(
            "over-all-pictures", _wrong_rows(over_all=True), "You sorted all rows by score. Pictures come in the order of their ids first."
        ),
        Misconception(
            "pictures-as-given",
            _wrong_rows(as_given=True),
            "Pictures come in the order of their ids, whatever order they have in the dict.",
        ),
        Misconception("xywh", _wrong_rows(xywh=True), "Your last two numbers are width and height. The columns are called x2 and y2."),
        Misconception("best-only", _wrong_rows(best_only=True), "You kept one box in each picture. Every box has a row."),
    ],
    hints=[
        "Two loops: pictures in `sorted(answers)`, and in each the boxes in the order of their scores.",
        'If there is no box: `rows.append([name, "", "", "", "", "", ""])`.',
        "`scores.argsort(descending=True, stable=True).tolist()` gives the order; `float(...)` and `.tolist()` make plain numbers.",
    ],
    equivalent={"order = found['scores'].argsort(descending=True, stable=False).tolist()": "a CPU sorts stably either way"},
)

# --- public_part


def number_of(name, salt):
    """Where a picture lies between 0 and 1."""
    return int(hashlib.sha256(f"{salt}/{name}".encode()).hexdigest()[:8], 16) / 2**32


def part_cases(generator):
    """(label, arguments) for public_part."""
    ten = [f"p{i}" for i in range(10)]
    yield "about a third of ten", (ten, 0.3, "sesame")
    yield "another secret", (ten, 0.3, "open")
    yield "four more pictures came", ([*ten, "q1", "q2", "q3", "q4"], 0.3, "sesame")
    yield "in another order", (ten[::-1], 0.3, "sesame")
    yield "one picture left", (ten[:1], 0.9, "sesame")
    yield "nobody", ([], 0.5, "sesame")
    yield "none is public", (ten, 0.0, "sesame")
    yield "all are public", (ten, 1.0, "sesame")
    yield "exactly at the share is private", (ten, number_of("p4", "sesame"), "sesame")
    yield "names in Korean", (["표지판", "버스", "길", "신호등"], 0.5, "열려라")
    for count in (12, 20):
        names = [f"p{i:03d}" for i in torch.randperm(1000, generator=generator)[:count].tolist()]
        share = float(torch.rand((), generator=generator)) * 0.6 + 0.2
        yield "random", (names, share, f"salt{int(torch.randint(0, 10**6, (), generator=generator))}")


def drive_part(answer, ids, share, salt):
    part = answer(list(ids), share, salt)
    return sorted(part) if isinstance(part, (set, frozenset, list, tuple)) else part


def part_by_python_hash(ids, share, salt):
    return {name for name in ids if hash(f"{salt}/{name}") % 2**32 / 2**32 < share}


def part_first(ids, share, salt):
    return set(sorted(ids)[: round(share * len(ids))])


def part_shuffled(ids, share, salt):
    ids = sorted(ids)
    random.Random(salt).shuffle(ids)
    return set(ids[: round(share * len(ids))])


def part_by_rank(ids, share, salt):
    return set(sorted(ids, key=lambda name: number_of(name, salt))[: round(share * len(ids))])


def part_without_salt(ids, share, salt):
    return {name for name in ids if int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32 < share}


def part_salt_behind(ids, share, salt):
    return {name for name in ids if number_of(salt, name) < share}


def part_private(ids, share, salt):
    return {name for name in ids if number_of(name, salt) >= share}


def part_at_most(ids, share, salt):
    return {name for name in ids if number_of(name, salt) <= share}


def part_all_digits(ids, share, salt):
    return {name for name in ids if int(hashlib.sha256(f"{salt}/{name}".encode()).hexdigest(), 16) / 2**32 < share}


public_part = Exercise(
    name="24.public_part",
    reference=parts.public_part,
    cases=part_cases,
    drive=drive_part,
    compare=Exact(),
    points=3,
    misconceptions=[
        Misconception(
            "python-hash",
            part_by_python_hash,
            "Python's own `hash` of a text is another one each time that Python starts. A picture's part must be the same tomorrow.",
        ),
        Misconception(
            "the-first", part_first, "You took the first of the sorted names: whoever sees the names knows the part. What is the salt for?"
        ),
        Misconception(
            "shuffled",
            part_shuffled,
            "You shuffled all names. When one picture comes, all are dealt anew, and private labels become public. Ask each picture alone.",
        ),
        Misconception(
            "by-rank",
            part_by_rank,
            "You took the smallest so many. Then a picture's part hangs on who else is there; compare each number with the share instead.",
        ),
        Misconception(
            "no-salt",
            part_without_salt,
            "The secret plays no part, so everybody can work out which pictures are public. Hash `{salt}/{id}`.",
        ),
        Misconception("salt-behind", part_salt_behind, "The salt stands behind the id. The rule says salt, a slash, then the id."),
        Misconception("private-part", part_private, "You gave back the private part. Which side of the share is public?"),
        Misconception("at-most", part_at_most, "A picture exactly at the share is private: *less than*, not at most."),
        Misconception(
            "all-digits",
            part_all_digits,
            "Your number is far above 1 for nearly every picture. How many digits of the hash are there to take?",
        ),
    ],
    hints=[
        "Decide for each picture alone: hash the text, make a number between 0 and 1 of it, compare it with the share.",
        '`hashlib.sha256(f"{salt}/{name}".encode()).hexdigest()` has 64 digits in base 16; `int(digits[:8], 16)` reads eight of them.',
    ],
)
