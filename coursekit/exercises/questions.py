"""predict, then run: the learner commits a guess before an experiment, and the notebook answers it after."""

import os
from collections.abc import Sequence

from coursekit.exercises import display, progress
from coursekit.exercises.display import Card

_asked: dict[str, list[str]] = {}
_chosen: dict[str, int] = {}


def live() -> bool:
    """Is somebody there to press a button: a notebook kernel, ipywidgets, and no COURSEKIT_WIDGETS=0?"""
    if os.environ.get("COURSEKIT_WIDGETS") == "0" or not display.in_notebook():
        return False
    try:
        import ipywidgets  # noqa: F401
    except ImportError:
        return False
    return True


def predict(name: str, question: str, choices: Sequence[str], choice: int | None = None) -> None:
    """Ask for a guess. Radio buttons where there is a notebook, else the question as text; never waits.

    Args:
        name: ``"13.q1"``, the same as in `reveal`.
        question: one sentence.
        choices: two to six answers, in order.
        choice: commit this one (0 is the first), for those without buttons.

    Raises:
        ValueError: if there are fewer than two choices, or the choice is none of them.
    """
    choices = [str(c) for c in choices]
    if len(choices) < 2:
        raise ValueError(f"choices of {name} must be at least two, got {len(choices)}")
    if choice is not None and not 0 <= choice < len(choices):
        raise ValueError(f"choice must be 0 to {len(choices) - 1}, got {choice}")
    _asked[name] = choices
    if choice is not None:
        _commit(name, choice)
    if live() and choice is None:
        _buttons(name, question, choices)
        return
    rows = _numbered(choices, choice)
    if choice is None:
        rows.append(f'Decide before you run on; `predict("{name}", ..., choice=0)` writes the first one down.')
    display.show(Card("info", f"Your prediction: {question}", rows))


def _commit(name: str, choice: int) -> None:
    _chosen[name] = choice
    progress.note_prediction(name, _asked[name][choice])


def _numbered(choices: list[str], chosen: int | None = None) -> list[str]:
    return [f"{i}. {text}{'   ← your guess' if i == chosen else ''}" for i, text in enumerate(choices)]


class _Asked:
    """The buttons, with the question in words beneath them for whoever cannot show widgets: GitHub, print, a notebook opened again."""

    def __init__(self, box, words: str):
        self.box, self.words = box, words

    def _repr_mimebundle_(self, **_):
        return {**self.box._repr_mimebundle_(), "text/plain": self.words}


def _buttons(name: str, question: str, choices: list[str]) -> None:
    import ipywidgets
    from IPython.display import display as show_widget

    before = progress.prediction(name)
    index = choices.index(before) if before in choices else None
    if index is not None:
        _chosen[name] = index
    options = [(text, i) for i, text in enumerate(choices)]
    buttons = ipywidgets.RadioButtons(options=options, value=index, layout={"width": "auto"})
    buttons.observe(lambda change: change["new"] is not None and _commit(name, change["new"]), names="value")
    title = ipywidgets.HTML(f"<b>→ Your prediction: {display.code(question)}</b>")
    show_widget(_Asked(ipywidgets.VBox([title, buttons]), Card("info", f"Your prediction: {question}", _numbered(choices)).text()))


def reveal(name: str, answer: int, because: str = "") -> None:
    """Answer a prediction, with what was just measured.

    Args:
        name: as in `predict`.
        answer: which choice was right, 0 is the first.
        because: one sentence, best with the measured number in it.
    """
    choices = _asked.get(name)
    if choices is None:
        display.show(Card("open", "The prediction's cell was not run.", [because] * bool(because)))
        return
    if not 0 <= answer < len(choices):
        raise ValueError(f"answer of {name} must be 0 to {len(choices) - 1}, got {answer}")
    chosen, right = _chosen.get(name), choices[answer]
    rows = [because] if because else []
    if chosen is None:
        display.show(Card("open", f"You made no guess. It is: {right}", rows))
        return
    progress.note_outcome(name, chosen == answer)
    if chosen == answer:
        display.show(Card("good", f"As you predicted: {right}", rows))
    else:
        display.show(Card("bad", f"You predicted: {choices[chosen]}. It is: {right}", rows))
