"""What one student gets back: a single page without scripts, readable on a phone, that shows public cases only."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coursekit.grading.html import Html, bar, block, element, name_of, of, page, visible, words
from coursekit.grading.names import safe_name
from coursekit.grading.records import GRADED, UNGRADABLE, Grade, Mark

MOST = 200  # exercises, groups and marks that a page shows; no assignment has more, and a page has an end


@dataclass(frozen=True)
class Kind:
    """How a status is shown: never by colour alone."""

    mood: str
    symbol: str
    name: str
    advice: str = ""
    said: str = ""  # where the mark says nothing itself


KINDS = {
    "passed": Kind("good", "✓", "passed"),
    "wrong": Kind(
        "bad", "✗", "not right yet", "Work the first failing case through by hand, print what your code has in the middle, and compare."
    ),
    "error": Kind(
        "bad",
        "✗",
        "stopped with an error",
        "The error says what went wrong, and mostly where. Restart your kernel, run all cells, and see it there.",
    ),
    "not attempted": Kind(
        "open",
        "○",
        "not attempted",
        "Even a first step is worth writing: parts of an answer can earn points.",
        "The cell is as it was handed out.",
    ),
    "missing": Kind(
        "open",
        "○",
        "missing",
        "The notebook that you handed in has no cell for this exercise. If you wrote one, check that you handed in the right file and "
        "that the function still has its name.",
    ),
    "refused": Kind(
        "info", "→", "borrowed", "Knowing that a library has it is worth something; here the point is to write the steps yourself."
    ),
    "unusable": Kind(
        "bad", "✗", "could not be called", "Keep the first line of the stub as it was: the name, and the arguments in their order."
    ),
    "too slow": Kind(
        "bad", "✗", "too slow", "Look for a loop that never ends, or for one over every element that a single array operation could do."
    ),
    "broke off": Kind(
        "bad",
        "✗",
        "broke off",
        "The process that ran this answer ended before it had answered. Common reasons: an array far too large for the memory, exit(), or "
        "calls that go ever deeper. Restart your kernel, run all cells, and see whether it happens there too. Each exercise is run by "
        "itself: where several broke off, look for one cell that does this to all of them.",
    ),
    "stopped": Kind("open", "○", "interrupted", "It was stopped before it was done. Ask your teacher to grade it again."),
}


def kind_of(status: str) -> Kind:
    """How to show a status, also one that is not known here."""
    return KINDS.get(status) or Kind("open", "○", visible(status, 40))


def feedback_file(student: str) -> str:
    """The name of a student's page."""
    return f"{safe_name(student)}.html"


def latest(manual: Sequence[Any]) -> list[Any]:
    """The last mark of each part, in the order in which the parts were first marked."""
    return list({mark.part: mark for mark in manual}.values())


def feedback_page(grade: Grade, manual: Sequence[Any] = (), title: str = "") -> str:
    """One self-contained HTML page for the student.

    Args:
        grade: what was judged.
        manual: the marks given by hand (`ManualMark`), oldest first; of each part the last one counts. One for an exercise replaces
            what the machine gave.
        title: of the assignment; its name without.
    """
    title, by_hand = title or grade.assignment, latest(manual)
    replaced = {mark.part: mark for mark in by_hand}
    marks = [_replaced(mark, replaced[mark.exercise]) if mark.exercise in replaced else mark for mark in grade.marks]
    by_hand = [mark for mark in by_hand if mark.part not in {each.exercise for each in marks}]
    grade = dataclasses.replace(grade, marks=tuple(marks))
    body = [
        element("p", visible(title, 120), class_="soft"),
        element("h1", visible(grade.student, 120)),
        *(_graded(grade, by_hand) if grade.outcome == GRADED else _not_graded(grade)),
    ]
    if by_hand:
        total = None if grade.outcome == GRADED else _total(sum(m.points for m in by_hand), sum(m.out_of for m in by_hand))
        body.append(element("section", element("h2", "Marked by your teacher"), total, [_by_hand(mark) for mark in by_hand[:MOST]]))
    return page(f"{title}: {grade.student}", element("main", *body), _foot(grade), style=STYLE)


def _replaced(mark: Mark, given: Any) -> Mark:
    """A mark that a person looked at again."""
    said = f"Your teacher looked at this and gave {of(given.points, given.out_of)}."
    message = "\n".join(text for text in (said, given.comment, mark.message) if text)
    return dataclasses.replace(mark, points=given.points, out_of=given.out_of, message=message)


def _graded(grade: Grade, by_hand: list[Any]) -> list[Html]:
    points = grade.points + sum(mark.points for mark in by_hand)
    out_of = grade.out_of + sum(mark.out_of for mark in by_hand)
    parts = _total(points, out_of)
    if grade.marks:
        parts += [_overview(grade.marks[:MOST]), _what_was_asked()]
        parts += [_exercise(mark, place) for place, mark in enumerate(grade.marks[:MOST])]
    return parts


def _total(points: float, out_of: float) -> list[Html]:
    share = points / out_of if out_of else 0.0
    said = element("p", element("span", of(points, out_of), " points", class_="points"))
    return [said, bar(share, f"{100 * share:.0f} percent of the points", 320)]


def _not_graded(grade: Grade) -> list[Html]:
    if grade.outcome == UNGRADABLE:
        heading, mood = "We could not read what you handed in", "bad"
        rest = (
            "This is not a judgement of your work. Open your notebook in Jupyter, run all cells, save it, and hand that file in again; "
            "if it opens there without trouble, show this page to your teacher."
        )
    else:
        heading, mood = "Something failed on our side", "info"
        rest = "You lose nothing by it and need do nothing: it will be graded again, and no zero was written down."
    return [element("section", element("h2", heading), element("p", words(grade.reason)), element("p", rest), class_=f"card {mood}")]


def _overview(marks: Sequence[Mark]) -> Html:
    rows = []
    for place, mark in enumerate(marks):
        kind = kind_of(mark.status)
        symbol = element("span", kind.symbol, class_=f"mark {kind.mood}", aria_hidden="true")
        link = element("a", *name_of(mark.exercise), href=f"#e{place}")
        cells = element("td", link), element("td", symbol, " ", kind.name), element("td", of(mark.points, mark.out_of), class_="n")
        rows.append(element("tr", *cells))
    head = element("tr", *(element("th", name, scope="col", class_=css) for name, css in (("Exercise", None), ("", None), ("Points", "n"))))
    return element("div", element("table", element("thead", head), element("tbody", *rows)), class_="wide overview")


def _what_was_asked() -> Html:
    return element(
        "details",
        element("summary", "How the points came about"),
        element(
            "p",
            "The check in your notebook asks its public cases, the same ones every time. The grade asks these and more cases of the same "
            "kind, drawn for you and this attempt. So an answer that passes the check will usually pass here; one that is fitted to the "
            "numbers of the public cases will not.",
        ),
        element(
            "p",
            "Cases that test the same thing form a group. All groups right: full points. Otherwise a share of them, by groups: cases that "
            "are the same for everybody count only as far as you can do those that were drawn for you as well, and a group that an answer "
            "without any work would get right counts for nobody. What your code prints and warnings never cost a point. Inputs that are "
            "not public stay closed, because others still work on this.",
        ),
    )


def _exercise(mark: Mark, place: int) -> Html:
    kind = kind_of(mark.status)
    heading = element(
        "h2",
        element("span", kind.symbol, class_=f"mark {kind.mood}", aria_hidden="true"),
        " ",
        *name_of(mark.exercise),
        " ",
        element("small", f"{kind.name}, {of(mark.points, mark.out_of)}"),
    )
    parts: list[Any] = [heading]
    if mark.message or kind.said:
        parts.append(element("p", words(mark.message or kind.said)))
    if mark.hint:
        parts.append(element("p", element("strong", "A likely reason: "), words(mark.hint)))
    parts += _case(mark)
    if kind.advice:
        parts.append(element("p", element("strong", "What to do: "), kind.advice))
    if any(passed for _, passed in mark.groups) and mark.status != "passed":
        parts += _groups(mark)
    if mark.printed.strip():
        parts += [element("h3", "Your code printed"), block(mark.printed, 4000, "what your code printed")]
    return element("section", *parts, class_=f"card {kind.mood}", id=f"e{place}")


def _case(mark: Mark) -> list[Html]:
    """The first failing case: in full where it is public; else it is said that there is one."""
    if mark.shown:
        name = f": {visible(mark.case, 120)}" if mark.case else ""
        rows = []
        for label, text in list(mark.shown.items())[:12]:
            shown = visible(label, 60)
            rows += [element("dt", shown), element("dd", block(text, 3000, f"{shown} of the failing case"))]
        return [element("h3", "The first case that fails", name), element("dl", *rows)]
    if mark.status in ("wrong", "error") and mark.case:
        public = "Every public case is right. " if mark.status == "wrong" else ""
        text = (
            f"{public}A case of the group “{visible(mark.case, 120)}” that was drawn for this grade is not. Its inputs stay closed; try "
            "your answer on your own inputs of that kind: empty ones, a single row, ties, large and negative numbers."
        )
        return [element("p", text)]
    return []


def _groups(mark: Mark) -> list[Html]:
    right = sum(passed for _, passed in mark.groups)
    rows = []
    for label, passed in mark.groups[:MOST]:
        symbol = element("span", "✓" if passed else "✗", class_=f"mark {'good' if passed else 'bad'}", aria_hidden="true")
        rows.append(element("li", symbol, " ", visible(label, 120), element("span", "" if passed else " (not yet)", class_="soft")))
    counted = f"Right in {right} of {len(mark.groups)} groups of cases"
    why = None
    if mark.points == 0:
        text = (
            "They earn points as soon as you can do a good part of the cases that are drawn anew for everybody, such as “random”, as well."
        )
        why = element("p", text, class_="soft")
    shown = element("details", element("summary", counted), why, element("ul", *rows, class_="groups"), open=len(rows) <= 8)
    return [shown]


def _by_hand(mark: Any) -> Html:
    heading = element("h3", visible(mark.part, 80), " ", element("small", of(mark.points, mark.out_of)))
    comment = element("p", words(mark.comment)) if mark.comment else None
    return element("div", heading, comment, class_="card info")


def _foot(grade: Grade) -> Html:
    versions = ", ".join(f"{visible(name, 30)} {visible(version, 40)}" for name, version in list(grade.versions.items())[:12])
    facts = {
        "handed in": grade.submitted,
        "graded": grade.started,
        "attempt": str(grade.attempt),
        "submission": grade.submission[:16],
        "assignment": f"{grade.assignment} ({grade.bundle[:16]})",
        "ran in": grade.tier,
        "with": versions,
    }
    rows = [(element("dt", name), element("dd", visible(text, 600))) for name, text in facts.items() if text]
    seeds = [f"{visible(mark.exercise, 80)} {mark.seed}" for mark in grade.marks[:MOST] if mark.seed]
    if seeds:
        rows.append((element("dt", "seeds of the drawn cases"), element("dd", "; ".join(seeds))))
    ask = "Does something look wrong? Show this page to your teacher: with what stands here, the same cases can be asked again."
    return element("footer", element("p", ask), element("details", element("summary", "What this grade depends on"), element("dl", rows)))


STYLE = """
.overview td.n { white-space: nowrap; padding-right: 0; }
.overview th.n { padding-right: 0; }
.groups { list-style: none; padding-left: 0.2rem; }
footer dl { display: grid; grid-template-columns: minmax(6rem, auto) 1fr; gap: 0.1rem 0.8rem; }
footer dd { margin: 0; }
footer dt { font-weight: 400; }
"""
