"""What a report still lacks: not whether the headings stand there, but whether something stands under them. Used by notebook 24_project,
by `coursekit project check`, and by graders as a help. A machine cannot read: what it does not miss may still be wrong."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from . import report_words as w
from .report_parts import Block, Section, length, numbers, scores, sections

SHORTEST = 6  # words of an answer
_NOTHING = ("has no answer.", "is missing.")
_FIGURE = re.compile(
    r"(?<![a-z])(m?ap(?:50|75)?|accuracy|f1|정확도)(?:\s*(?:=|:|of|is|was|은|는|이|가))?\s+(\d{1,3}(?:\.\d+)?)"
    r"(?![\d.])(?!\s*(?:%|퍼센트|per ?cent|:|pictures|images))"
)
_PICTURE = re.compile(r"!\[\s*\]\(")


@dataclass(frozen=True)
class Gap:
    """Something that is missing.

    Args:
        topic: of `report_words.TOPICS`, or "" for the report as a whole.
        text: a sentence for its author.
    """

    topic: str
    text: str


def report_gaps(text: str, kind: str | None = None) -> list[str]:
    """What is still missing in a report, a sentence each.

    Args:
        text: markdown, in English or Korean; headings may have other words and another order.
        kind: ``"detection"`` or ``"classification"``; without, the report's own measures decide.

    Raises:
        ValueError: for a text that is none, or another kind.
    """
    return [gap.text for gap in gaps(text, kind)]


def gaps(text: str, kind: str | None = None) -> list[Gap]:
    """As `report_gaps`, with what each is about."""
    if not isinstance(text, str):
        raise ValueError(f"text must be the report as text, got {type(text).__name__}")
    if kind not in (None, "detection", "classification"):
        raise ValueError(f'kind must be "detection" or "classification", got {kind!r}')
    parts = sections(text)
    found: list[Gap] = []
    for topic in w.TOPICS:
        found += _topic_gaps(topic, parts, kind)
    open_topics = {gap.topic for gap in found if gap.text.endswith(_NOTHING)}
    found += (gap for gap in _left_over(parts) if not gap.topic or gap.topic not in open_topics)
    found += _table_gaps(parts)
    found += _claim_gaps(parts)
    if _PICTURE.search(text):
        found.append(Gap("", "A picture has no text alternative: say between [ and ] what it shows."))
    return list(dict.fromkeys(found))


def sections_about(text: str) -> dict[str, str]:
    """The text under each topic, as it was written; topics of which no heading speaks are left out."""
    told: dict[str, list[str]] = {}
    for section in sections(text):
        for topic in section.topics:
            told.setdefault(topic, []).append(section.text)
    return {topic: "\n\n".join(told[topic]) for topic in w.TOPICS if topic in told}


EVIDENCE = {  # by which a paragraph is found that answers a question of which no heading speaks
    "data": w.LICENCES,
    "optimiser": w.OPTIMISERS,
    "first": w.HEADINGS["first"],
    "next": w.HEADINGS["next"],
    "overfitting": w.HEADINGS["overfitting"],
    "hyper": w.KNOBS,
    "results": w.EVALUATORS,
    "limits": w.HEADINGS["limits"],
}


def _answer(topic: str, parts: list[Section]) -> str:
    """Everything that the report says about a topic, in small letters, without what the template left."""
    about = [section for section in parts if topic in section.topics]
    blocks = [block.text for section in about for block in section.blocks]
    if not about:
        all_blocks = (block.text for section in parts for block in section.blocks)
        blocks = [text for text in all_blocks if EVIDENCE[topic].search(text)]
    return w.LEFT.sub(" ", "\n\n".join(blocks))


def _topic_gaps(topic: str, parts: list[Section], kind: str | None) -> list[Gap]:
    answer = _answer(topic, parts)
    if length(answer) < SHORTEST:
        return [Gap(topic, f"{w.SHORT[topic]}: {_NOTHING[0] if topic in w.QUESTIONS else _NOTHING[1]}")]
    return [Gap(topic, f"{w.SHORT[topic]}: {lack}.") for lack in _CHECKS[topic](answer, kind)]


def _data(answer: str, kind: str | None) -> Iterable[str]:
    if not numbers(answer):
        yield "how many pictures are there? No number says it"
    if not w.SOURCES.search(answer):
        yield "where do the pictures come from"
    if not w.LICENCES.search(answer):
        yield "under which licence may they be used"
    if not w.SPLITS.search(answer):
        yield "how were they split into training, validation and test"
    if "not stated" in answer:
        yield "what the card calls not stated is still open"


def _optimiser(answer: str, kind: str | None) -> Iterable[str]:
    if not w.OPTIMISERS.search(answer):
        yield "no optimiser is named, such as SGD with momentum or AdamW"
    if not w.LOSSES.search(answer):
        yield "no loss is named, such as cross-entropy or CIoU"
    if not (w.REASONS.search(answer) or numbers(answer)):
        yield "why these? A reason or a number is missing"


def _first(answer: str, kind: str | None) -> Iterable[str]:
    if not w.NETWORKS.search(answer):
        yield "which network was it? No name and no layers"
    if not numbers(answer):
        yield "what did it reach? A number is missing"


def _next(answer: str, kind: str | None) -> Iterable[str]:
    if len(scores(answer)) < 2:
        yield "what did the next networks reach beside the first? Two scores at least are needed to compare"


def _overfitting(answer: str, kind: str | None) -> Iterable[str]:
    both = re.search(r"train|훈련|학습", answer) and w.HELD_OUT.search(answer) and len(numbers(answer)) >= 2
    if not (w.MEASURES.search(answer) or both):
        yield "what was done? Nothing is named, such as augmentation, weight decay or early stopping"
    if not numbers(answer):
        yield "how is it known that it helped? A number is missing, such as training beside validation"


def _hyper(answer: str, kind: str | None) -> Iterable[str]:
    if not (w.KNOBS.search(answer) and numbers(answer)):
        yield "no hyper-parameter stands there with its value"
    if not w.REASONS.search(answer):
        yield "why these values? No reason is given"


def _results(answer: str, kind: str | None) -> Iterable[str]:
    ap, other = w.APS.search(answer), w.CLASS_SCORES.search(answer)
    detection = kind == "detection" or (kind is None and ap)
    if not (ap if detection else other) or not scores(answer):
        yield f"no score: {'AP' if detection or kind is None else 'accuracy or F1'} with its value is missing"
        return
    if detection and not w.EVALUATORS.search(answer):
        yield f"{ap[0].upper()} by whose rules? Name the tool or the protocol that measured it"
    if not detection and not w.CONFUSION.search(answer):
        yield "which classes are taken for which? A confusion matrix, or the score of each class, is missing"
    if not w.HELD_OUT.search(answer) or not w.COUNTED.search(answer):
        yield "on which pictures, and how many? Say whether validation or test, with their number"
    for figure in _FIGURE.finditer(answer):
        name, value = figure[1], float(figure[2])
        if value > 1 and not (name in ("ap", "map") and value in (50, 75)):
            yield f"{name.upper()} {figure[2]} lies neither in 0..1 nor has it a per cent sign"


def _limits(answer: str, kind: str | None) -> Iterable[str]:
    if not (w.CONCRETE.search(answer) or numbers(answer)):
        yield "when will it fail? Name a condition, a class or a number; more data would help everybody"


_CHECKS = {
    "data": _data,
    "optimiser": _optimiser,
    "first": _first,
    "next": _next,
    "overfitting": _overfitting,
    "hyper": _hyper,
    "results": _results,
    "limits": _limits,
}


def _left_over(parts: list[Section]) -> Iterable[Gap]:
    for section in parts:
        left = w.LEFT.search(section.text.lower())
        if left:
            where = f"under {section.title!r}" if section.title else "at the beginning"
            topic = next((t for t in w.TOPICS if t in section.topics), "")
            yield Gap(topic, f"Words of the template are left {where[:100]}: {left[0][:60]}")


def _table_gaps(parts: list[Section]) -> Iterable[Gap]:
    """One table at least compares scores and says over which seeds; in itself, or right before or behind."""
    unseeded = None
    for section in parts:
        for place, block in enumerate(section.blocks):
            if len(block.table) < 3 or sum(bool(scores(row)) for row in block.table[1:]) < 2:
                continue
            near = " ".join(other.text for other in section.blocks[max(place - 1, 0) : place + 2])
            if w.SEEDS.search(near) or "±" in block.text:
                return
            unseeded = unseeded or section
    if unseeded is None:
        yield Gap("next", "There is no table that compares what was tried: a row each, with its score over several seeds.")
    else:
        topic = next((t for t in w.TOPICS if t in unseeded.topics), "next")
        yield Gap(topic, f"The table under {unseeded.title[:80]!r} does not say over which seeds its scores are.")


def _claim_gaps(parts: list[Section]) -> Iterable[Gap]:
    for section in parts:
        for place, block in enumerate(section.blocks):
            claim = None if block.table else w.CLAIMS.search(w.NO_CLAIM.sub(" ", block.text))
            if claim is None or scores(block.text) or w.TABLE.search(block.text):
                continue
            if any(scores(other.text) for other in _tables_beside(section.blocks, place)):
                continue
            topic = next((t for t in w.TOPICS if t in section.topics), "")
            where = section.title or "the beginning"
            yield Gap(topic, f"{claim[0]!r} under {where[:80]!r} is a claim without a comparison: than what, by how much?")


def _tables_beside(blocks: tuple[Block, ...], place: int) -> list[Block]:
    return [block for block in blocks[max(place - 1, 0) : place + 2] if block.table]
