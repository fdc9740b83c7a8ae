"""check: the key that learners press again and again. Finds the exercise, shows the verdict, gives back what to use next."""

from typing import Any

from coursekit.exercises import display, progress
from coursekit.exercises.core import Exercise, UnknownExercise, find
from coursekit.exercises.display import Card, brief, cut
from coursekit.exercises.verdict import Verdict, judge


class CheckFailed(AssertionError):
    """What a strict check raises: the plain message."""


def check(name: str | Exercise, answer: Any, strict: bool = False) -> Any:
    """Check an answer to an exercise, and say what to do next.

    Args:
        name: ``"13.box_iou"``.
        answer: the learner's function (or class, where the exercise asks for one).
        strict: raise instead of showing, for the locked cell of a class edition.

    Returns:
        The answer once it passes, our own until then: later cells run either way.

    Raises:
        CheckFailed: only if strict, with what is wrong.
    """
    try:
        exercise = find(name)
        verdict = judge(exercise, answer)
        card = card_of(exercise, verdict, own=answer.__name__ if isinstance(answer, type) else "")
    except UnknownExercise as error:
        return _cannot_check(str(error), answer, strict)
    except Exception as error:  # whatever is wrong with an exercise, the learner's notebook goes on
        message = f"The check of {name} itself failed: our fault, not yours ({type(error).__name__}: {error}). Your answer is used."
        return _cannot_check(message, answer, strict)
    if strict:
        if not verdict.passed:
            raise CheckFailed(card.text())
        return answer
    progress.note_attempt(exercise.name, verdict.status, verdict.misconception)
    display.show(card)
    return answer if verdict.passed else exercise.reference


def _cannot_check(message: str, answer: Any, strict: bool) -> Any:
    if strict:
        raise CheckFailed(message)
    display.show(Card("bad", message))
    return answer


def card_of(exercise: Exercise, verdict: Verdict, own: str = "") -> Card:
    """What the learner sees; `own` is what they call their answer, where that is not the exercise's name."""
    more = f'`hint("{exercise.name}")` for more' if exercise.hints else ""
    if verdict.passed:
        return Card("good", f"{exercise.name} passed. {verdict.message} Your own `{own or exercise.short_name}` is used from here on.")
    if verdict.status == "not attempted":
        rows = [verdict.message, f"Later cells use ours until yours passes. {more}".strip()]
        return Card("open", f"{exercise.name}: not attempted yet", [row for row in rows if row])
    if verdict.status in ("refused", "unusable", "too slow", "stopped"):
        return Card("bad", f"{exercise.name}: {TITLES[verdict.status]}", [verdict.message, *_printed(verdict)])
    title = f"{exercise.name}: {verdict.case}" if verdict.case else exercise.name
    rows: list[str | tuple[str, str]] = [verdict.message]
    if verdict.line:
        rows.append((f"in your line {verdict.line[0]}", verdict.line[1] or "(the source is not at hand)"))
    if verdict.hint:
        rows.append(verdict.hint)
    rows += [(name, brief(value)) for name, value in verdict.inputs.items()]
    rows.append(("expected", brief(verdict.expected)))
    if verdict.status == "wrong":
        rows.append(("got", brief(verdict.got)))
    rows += _printed(verdict)
    if more:
        rows.append(more)
    card = Card("bad", title, rows)
    _add_picture(card, exercise, verdict)
    return card


TITLES = {
    "refused": "please write it yourself",
    "unusable": "this cannot be checked yet",
    "too slow": "it takes too long",
    "stopped": "stopped",
}


def _printed(verdict: Verdict) -> list[tuple[str, str]]:
    """The beginning of what the answer printed, which is how people debug."""
    lines = verdict.printed.rstrip("\n").split("\n")
    if lines == [""]:
        return []
    more = f"\n... and more ({len(lines) - 6} lines or longer)" if len(lines) > 6 else ""
    return [("it printed", cut("\n".join(lines[:6]), 600) + more)]


def _add_picture(card: Card, exercise: Exercise, verdict: Verdict) -> None:
    """Draw the failing case where the exercise can; a picture that cannot be drawn of a strange answer is left out."""
    if exercise.picture is None or verdict.case is None or not display.in_notebook():
        return
    try:
        figure = exercise.picture(tuple(verdict.inputs.values()), verdict.expected, verdict.got)
        if figure is not None:
            card.picture, card.alternative = display.png(figure), f"{verdict.case}: {verdict.message}"
    except Exception:
        card.picture = None
