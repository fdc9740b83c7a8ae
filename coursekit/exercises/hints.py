"""hint, a step at a time, and solution, read from the notebook's own source."""

import re
from pathlib import Path

from coursekit.exercises import display, progress
from coursekit.exercises.core import UnknownExercise, find
from coursekit.exercises.display import Card
from coursekit.resources import solutions_folder

_steps: dict[str, int] = {}
_edition = "self-study"


def set_edition(edition: str) -> None:
    """Called by `start`: ``"self-study"``, or ``"class"``, which leaves solutions and the last of several hints out."""
    global _edition
    if edition not in ("self-study", "class"):
        raise ValueError(f'edition must be "self-study" or "class", got {edition!r}')
    _edition = edition


def hint(name: str) -> None:
    """Show the next hint of an exercise, mild first. Call again for more."""
    try:
        exercise = find(name)
    except UnknownExercise as error:
        display.show(Card("bad", str(error)))
        return
    step = _steps.get(exercise.name, 0)
    hints = exercise.hints[: max(1, len(exercise.hints) - 1)] if _edition == "class" else exercise.hints
    last = len(hints)  # a class has points to earn: the strongest of several hints, often a line of the answer, is left out
    if not last:
        card = Card("info", f"{exercise.name} has no hints. What does the message of the check say?")
    elif step >= last:
        _steps[exercise.name] = 0
        rows = [f"{i}. {text}" for i, text in enumerate(hints, 1)]
        more = "" if _edition == "class" else f' `solution("{exercise.name}")` shows ours.'
        card = Card("info", f"{exercise.name}: these were all the hints.{more}", rows)
    else:
        _steps[exercise.name] = step + 1
        rows = [hints[step], *([f'`hint("{exercise.name}")` again for more'] if step + 1 < last else [])]
        card = Card("info", f"{exercise.name}: hint {step + 1} of {last}", rows)
        progress.note_help(exercise.name, hints=step + 1)
    display.show(card)


def solution(name: str) -> None:
    """Show our solution of an exercise. A class edition has none, and says so."""
    try:
        exercise = find(name)
    except UnknownExercise as error:
        display.show(Card("bad", str(error)))
        return
    if _edition == "class":
        display.show(
            Card("info", "This is a class edition: solutions come from your teacher.", [f'`hint("{exercise.name}")` still helps.'])
        )
        return
    source = solution_source(exercise.name)
    if source is None:
        display.show(Card("info", f"The solution of {exercise.name} is not part of this installation."))
        return
    progress.note_help(exercise.name, solution=True)
    display.show(Card("info", f"{exercise.name}: one way to write it", [("solution", source)]))


def solution_source(name: str, folder: Path | None = None) -> str | None:
    """The solved cell of an exercise, without its markers and its check; None where there is no source."""
    for path in sorted((folder or solutions_folder()).glob(f"{name[:2]}_*.py")):
        cells = re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for cell in cells:
            head, _, body = cell.partition("\n")
            if re.search(rf"""exercise=["']{re.escape(name)}["']""", head):
                body = re.sub(r"^ *### STUDENT.*?(?=^ *### END)", "", body, flags=re.MULTILINE | re.DOTALL)
                kept = re.sub(r"^ *### (BEGIN|END) SOLUTION *\n", "", body, flags=re.MULTILINE)
                return re.split(rf"""^.*\bcheck\(\s*["']{re.escape(name)}""", kept, flags=re.MULTILINE)[0].strip()
    return None
