"""Scoring submissions against labels that nobody else sees: the keeper's side of a competition. Taught in notebook 24_project.

A part of the pictures is public: its score is told at once. The rest, the private part, is told once at the end, since whoever hands in
often enough fits the public part (`luck` shows how much). Which part a picture belongs to, nobody can tell without the secret.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from .hidden import Hidden, read_hidden
from .parts import public_part
from .reading import parse, read_bytes

METRICS = {"detection": ("AP", "AP50", "AP75"), "classification": ("macro_f1", "accuracy")}


@dataclass(frozen=True)
class Score:
    """What a submission is worth.

    Args:
        metric: its name.
        public: on the public part, in 0..1.
        private: on the private part; None unless it was asked for.
        pictures: how many the public score rests on.
        low, high: between them lie 95 % of the public scores when its pictures are drawn again with repetition.
        private_pictures: how many the private score rests on.
    """

    metric: str
    public: float
    private: float | None
    pictures: int
    low: float
    high: float
    private_pictures: int

    def __str__(self) -> str:
        """Such as "public AP 0.412 [0.371, 0.455] on 60 pictures": a number alone says more than is known."""
        text = f"public {self.metric} {self.public:.3f} [{self.low:.3f}, {self.high:.3f}] on {self.pictures} pictures"
        return text if self.private is None else f"{text}; private {self.private:.3f} on {self.private_pictures}"


def macro_f1(truth: Mapping[str, str], answers: Mapping[str, str], part: Sequence[str]) -> float:
    """Macro-F1 of a classifier on a part of the pictures.

    Args:
        truth: picture id -> class name.
        answers: likewise; a picture without an answer is a miss of its class.
        part: ids, at least one.

    Returns:
        The mean of F1 = 2 TP / (2 TP + FP + FN) over the classes that occur in the truth *of the part*, in 0..1. A class that does not
        occur there has no F1 of its own, but whoever says it has missed another.
    """
    scores = []
    for name in sorted({truth[picture] for picture in part}):
        tp = sum(truth[picture] == name == answers.get(picture) for picture in part)
        there = sum(truth[picture] == name for picture in part)
        said = sum(answers.get(picture) == name for picture in part)
        scores.append(2 * tp / (there + said))
    return sum(scores) / len(scores)


def accuracy(truth: Mapping[str, str], answers: Mapping[str, str], part: Sequence[str]) -> float:
    """Share of the pictures of a part whose class is right. A picture without an answer is wrong."""
    return sum(truth[picture] == answers.get(picture) for picture in part) / len(part)


class Competition:
    """The keeper's side: hidden labels, and the scorer.

    >>> competition = Competition.read("out/keep")
    >>> print(competition.score("submission.csv"))
    public AP 0.412 [0.371, 0.455] on 60 pictures
    """

    def __init__(self, hidden: Hidden):
        self.hidden = hidden
        self.kind, self.classes, self.metric, self.sizes = hidden.kind, hidden.classes, hidden.metric, hidden.sizes
        self.ids = tuple(hidden.sizes)

    @classmethod
    def read(cls, keep: Path | str) -> "Competition":
        """From the folder ``out/keep``, or its ``hidden.json``.

        Raises:
            ValueError, OSError: it is none, naming what does not fit.
        """
        return cls(read_hidden(keep))

    @cached_property
    def public(self) -> frozenset[str]:
        """Ids of the public part. For the keeper's eyes only."""
        return frozenset(public_part(self.ids, self.hidden.share, self.hidden.salt))

    def part(self, private: bool) -> tuple[str, ...]:
        """Ids of one part, in order."""
        return tuple(name for name in self.ids if (name in self.public) != private)

    def score(self, path: Path | str, private: bool = False, draws: int = 200) -> Score:
        """Score a submission.

        Args:
            path: of its CSV.
            private: tell the private score, too: once, at the end.
            draws: how often the public pictures are drawn again for the interval.

        Raises:
            ValueError: as `submission.read_submission`: one sentence with file, line and column.
        """
        return self.score_bytes(read_bytes(Path(path)), str(path), private, draws)

    def score_bytes(self, raw: bytes, name: str, private: bool = False, draws: int = 200) -> Score:
        """As `score`, of a file's bytes; messages call it ``name``."""
        answers = parse(raw, name, self.sizes, self.classes, self.kind)
        measure = self._detection if self.kind == "detection" else self._classification
        value, low, high = measure(answers, self.part(private=False), draws)
        end = measure(answers, self.part(private=True), 0)[0] if private else None
        return Score(self.metric, value, end, len(self.public), low, high, len(self.ids) - len(self.public))

    def _classification(self, answers: Mapping[str, str], part: tuple[str, ...], draws: int) -> tuple[float, float, float]:
        measure = macro_f1 if self.metric == "macro_f1" else accuracy
        truth = {name: self.hidden.truth[name] for name in part}
        value = measure(truth, answers, part)
        generator = np.random.default_rng(0)
        again = [measure(truth, answers, [part[i] for i in generator.integers(0, len(part), len(part))]) for _ in range(draws)]
        return value, *_between(again, value)

    def _detection(self, answers: Mapping[str, list], part: tuple[str, ...], draws: int) -> tuple[float, float, float]:
        from ..metrics.bootstrap import bootstrap
        from ..metrics.detection import evaluate_samples

        said = [_sample(answers[name]) for name in part]
        result = evaluate_samples([self.hidden.truth[name] for name in part], said, self.classes)
        value = result.summary[self.metric]
        if draws < 2 or len(part) < 2:
            return value, value, value
        found = bootstrap(result, names=(self.metric,), draws=draws)[self.metric]
        return value, *_between(found.draws.tolist(), value)


def _between(draws: list[float], value: float) -> tuple[float, float]:
    known = [draw for draw in draws if not math.isnan(draw)]
    low, high = np.quantile(known, [0.025, 0.975]).tolist() if known else (value, value)
    return low, high


def _sample(rows: list[tuple]) -> dict:
    """Rows of a submission as the evaluator takes them; float32, as `read_submission` gives them."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    numbers = table[:, 1:].astype(np.float32).astype(np.float64)
    return {"labels": table[:, 0].astype(np.int64), "scores": numbers[:, 0], "boxes": numbers[:, 1:]}
