"""What a teacher sees of a whole class: one page that stays small for a thousand students, and links to the page of each."""

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from coursekit.grading.feedback import feedback_file, kind_of
from coursekit.grading.html import Html, bar, block, element, number, of, page, visible, words
from coursekit.grading.records import GRADED, INFRASTRUCTURE, OUTCOMES, UNGRADABLE, Grade

UNTRIED = ("not attempted", "missing")
STUDENTS, NOTES, PAIRS, PASSAGES, COLUMNS = 2000, 200, 30, 3, 20  # how much of each a page shows; what is left out is counted


def class_report(grades: Sequence[Grade], similar: Sequence[Any] = (), title: str = "") -> str:
    """One self-contained HTML page about a class.

    Args:
        grades: of every student; of several attempts the last one counts.
        similar: pairs of submissions that share passages, the most alike first (`similarity.Pair`).
        title: of the assignment; its name without.
    """
    grades = sorted({g.student: g for g in sorted(grades, key=lambda g: g.attempt)}.values(), key=lambda g: g.student.casefold())
    graded = [g for g in grades if g.outcome == GRADED]
    title = title or (grades[0].assignment if grades else "no submissions")
    body = [
        element("p", "Report of the class", class_="soft"),
        element("h1", visible(title, 120)),
        *_summary(grades, graded),
        *_to_do(grades),
    ]
    if graded:
        body += [*_distribution(graded), *_exercises(graded), *_mistakes(graded)]
    body += [*_by_eye(grades), *_similar(similar)]
    if grades:
        body += [*_students(grades), *_effort(grades)]
    return page(f"{title}: the class", element("main", *body), _foot(grades), style=STYLE)


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[object]], numbers: Sequence[int] = ()) -> Html:
    """A table; the columns in `numbers` are set to the right, the first cell of a row names the row."""
    head = element("tr", [element("th", name, scope="col", class_="n" if i in numbers else None) for i, name in enumerate(columns)])
    lines = []
    for row in rows:
        cells = [element("td", cell, class_="n" if i in numbers else None) for i, cell in enumerate(row)]
        lines.append(element("tr", element("th", row[0], scope="row"), cells[1:]))
    return element("div", element("table", element("caption", caption), element("thead", head), element("tbody", lines)), class_="wide")


def link(student: str) -> Html:
    """To a student's own page."""
    return element("a", visible(student, 80), href=f"feedback/{quote(feedback_file(student), safe='')}")


def many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def left_out(count: int, shown: int) -> Html | None:
    return element("p", f"and {count - shown} more", class_="soft") if count > shown else None


def share_of(grade: Grade) -> float:
    return grade.points / grade.out_of if grade.out_of else 0.0


def _summary(grades: Sequence[Grade], graded: Sequence[Grade]) -> list[Html]:
    if not grades:
        return [element("p", "Nothing was handed in yet.")]
    counts = Counter(g.outcome for g in grades)
    outcomes = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])
    lines = [element("p", element("span", many(len(grades), "submission"), class_="points"), f": {outcomes}.")]
    if graded:
        shares = [100 * share_of(g) for g in graded]
        full = sum(share == 100 for share in shares)
        middle = f"Median {statistics.median(shares):.0f} %, mean {statistics.fmean(shares):.0f} %; {full} of {len(graded)} got everything."
        lines.append(element("p", middle, " Points here are those that the machine gave; marks by hand come on top."))
    return lines


def _to_do(grades: Sequence[Grade]) -> list[Html]:
    """What did not get a grade stands first: somebody has to do something about it."""
    parts = []
    rest = {
        UNGRADABLE: "Nothing in them could be graded. They are written down with 0 points until you have looked.",
        INFRASTRUCTURE: "This is ours, not theirs: no points were written down. Grade again; if it stays, the reason says where to look.",
    }
    for outcome, text in rest.items():
        those = [g for g in grades if g.outcome == outcome]
        if those:
            rows = [element("li", link(g.student), ": ", words(g.reason or "no reason given", 300)) for g in those[:NOTES]]
            heading = element("h2", f"{outcome.capitalize()}: {len(those)}")
            parts.append(
                element("section", heading, element("p", text), element("ul", rows), left_out(len(those), NOTES), class_="card bad")
            )
    return parts


def _distribution(graded: Sequence[Grade]) -> list[Html]:
    counts = [0] * 10
    for grade in graded:
        counts[min(int(10 * share_of(grade) + 1e-9), 9)] += 1
    labels = [f"{10 * i}–{10 * i + (10 if i == 9 else 9)} %" for i in range(10)]
    said = "; ".join(f"{label}: {count}" for label, count in zip(labels, counts, strict=True) if count)
    height, width, tallest = 150, 40, max(counts)
    shapes = []
    for i, count in enumerate(counts):
        tall = 110 * count / tallest
        shapes.append(element("rect", x=i * width + 3, y=f"{125 - tall:.1f}", width=width - 6, height=f"{tall:.1f}", rx=2))
        if count:
            shapes.append(element("text", count, x=i * width + width / 2, y=f"{120 - tall:.1f}", text_anchor="middle"))
        shapes.append(element("text", 10 * i, x=i * width, y=142, text_anchor="start" if i == 0 else "middle"))
    shapes.append(element("text", 100, x=10 * width, y=142, text_anchor="end"))
    shapes.append(element("line", x1=0, y1=125.5, x2=10 * width, y2=125.5))
    picture = element(
        "svg",
        *shapes,
        viewBox=f"0 0 {10 * width} {height}",
        class_="histogram",
        role="img",
        aria_label=f"Students by percent of the points. {said}",
    )
    words_for_it = element("details", element("summary", "The same in numbers"), element("p", said))
    return [element("h2", "How the points are spread"), element("p", "Students by percent of the points"), picture, words_for_it]


def _of_exercise(graded: Sequence[Grade]) -> dict[str, list[tuple[Grade, Any]]]:
    found: dict[str, list[tuple[Grade, Any]]] = {}
    for grade in graded:
        for mark in grade.marks:
            found.setdefault(mark.exercise, []).append((grade, mark))
    return found


def _exercises(graded: Sequence[Grade]) -> list[Html]:
    rows = []
    for name, found in _of_exercise(graded).items():
        marks = [mark for _, mark in found]
        mean = statistics.fmean(m.points / m.out_of if m.out_of else 0.0 for m in marks)
        tried = [m for m in marks if m.status not in UNTRIED]
        full = sum(m.points >= m.out_of for m in marks)
        stuck = Counter(m.case for m in tried if m.case and m.status != "passed").most_common(1)
        where = f"{visible(stuck[0][0], 80)} ({stuck[0][1]})" if stuck else ""
        others = Counter(kind_of(m.status).name for m in marks if m.status not in ("passed", "wrong"))
        said = f"{100 * mean:.0f} %"
        cells = visible(name, 80), [bar(mean, said, 80), " ", said], len(tried), full, where
        rows.append((mean, name, (*cells, ", ".join(f"{count} {what}" for what, count in others.most_common(4)))))
    rows.sort(key=lambda row: row[:2])
    columns = "Exercise", "Mean", "Tried", "All right", "Where most fail first", "Else"
    return [
        element("h2", "Exercises, the hardest first"),
        table(f"of {many(len(graded), 'student')}", columns, [r[2] for r in rows], (2, 3)),
    ]


def _mistakes(graded: Sequence[Grade]) -> list[Html]:
    rows = []
    for name, found in _of_exercise(graded).items():
        tried = [mark for _, mark in found if mark.status not in UNTRIED]
        hints = {mark.misconception: mark.hint or "" for mark in tried if mark.misconception}
        for mistake, count in Counter(mark.misconception for mark in tried if mark.misconception).items():
            rows.append((-count, name, mistake, len(tried), hints[mistake]))
    if not rows:
        return []
    items = []
    for count, name, mistake, tried, hint in sorted(rows)[:NOTES]:
        head = (
            element("strong", f"{-count} of {tried}"),
            " in ",
            visible(name, 80),
            ": ",
            element("strong", visible(mistake, 80).replace("-", " ")),
        )
        items.append(element("li", head, element("br"), element("span", words(hint, 400), class_="soft")))
    text = "Of those who tried the exercise: how many answers are explained, in every case, by one known mistake, and what they were told."
    return [element("h2", "Mistakes that many share"), element("p", text), element("ul", items), left_out(len(rows), NOTES)]


def _by_eye(grades: Sequence[Grade]) -> list[Html]:
    lines = []
    for grade in grades:
        lines += [(grade.student, mark.exercise, flag) for mark in grade.marks for flag in mark.flags]
        lines += [(grade.student, "files", note) for note in grade.notes]
    if not lines:
        return []
    rows = [(link(student), visible(where, 80), words(what, 200)) for student, where, what in lines[:NOTES]]
    text = "Nothing here took a point away. Each line is a reason to look, and most have an innocent one."
    shown = table(many(len(lines), "remark"), ("Student", "Where", "What"), rows)
    return [element("h2", "To look at by eye"), element("p", text), shown, left_out(len(lines), NOTES)]


def _similar(pairs: Sequence[Any]) -> list[Html]:
    if not pairs:
        return []
    text = (
        "Evidence, not proof: names, numbers, comments and order do not count, nor what was handed out, nor what many wrote. People who "
        "learn together write alike, and short answers have few forms. Read the passages, then talk with both."
    )
    return [
        element("h2", f"Similar submissions: {len(pairs)}"),
        element("p", text),
        *[_pair(pair) for pair in pairs[:PAIRS]],
        left_out(len(pairs), PAIRS),
    ]


def _pair(pair: Any) -> Html:
    said = f": {100 * pair.share:.0f} % of the shorter one, {many(pair.tokens, 'word')} of code"
    parts = [element("summary", element("strong", visible(pair.first, 80), " and ", visible(pair.second, 80)), said)]
    parts.append(element("p", link(pair.first), " · ", link(pair.second)))
    for passage in pair.passages[:PASSAGES]:
        sides = []
        for student, text, line in ((pair.first, passage.first, passage.first_line), (pair.second, passage.second, passage.second_line)):
            where = f"{visible(student, 60)}, line {line}"
            sides.append(element("div", element("p", where, class_="soft"), block(text, 2500, where)))
        parts += [element("h3", visible(passage.exercise, 80)), element("div", *sides, class_="sides")]
    return element("details", *parts, class_="card")


def _students(grades: Sequence[Grade]) -> list[Html]:
    names = list(dict.fromkeys(mark.exercise for g in grades for mark in g.marks))
    names = names if len(names) <= COLUMNS else []
    rows = []
    for grade in grades[:STUDENTS]:
        if grade.outcome != GRADED:
            rows.append((link(grade.student), grade.attempt, grade.outcome, *[""] * len(names)))
            continue
        marks = {mark.exercise: mark for mark in grade.marks}
        each = [f"{kind_of(marks[n].status).symbol} {number(marks[n].points)}" if n in marks else "" for n in names]
        rows.append((link(grade.student), grade.attempt, of(grade.points, grade.out_of), *each))
    columns = "Student", "Attempt", "Points", *[visible(name, 40) for name in names]
    shown = table(many(len(grades), "student"), columns, rows, (1, 2))
    return [element("h2", "Students"), shown, left_out(len(grades), STUDENTS)]


def _effort(grades: Sequence[Grade]) -> list[Html]:
    cpu, clock = [g.cpu_seconds for g in grades], [g.seconds for g in grades]
    slowest = max(grades, key=lambda g: g.seconds)
    text = (
        f"{sum(cpu):.1f} s of CPU and {sum(clock):.1f} s of judging in all; the median is {statistics.median(cpu):.2f} s of CPU; "
        f"the longest took {slowest.seconds:.1f} s: "
    )
    return [element("h2", "What grading took"), element("p", text, link(slowest.student), ".")]


def _foot(grades: Sequence[Grade]) -> Html:
    tiers = ", ".join(sorted({visible(g.tier, 40) for g in grades if g.tier})) or "none"
    bundles = ", ".join(sorted({visible(g.bundle[:16], 16) for g in grades if g.bundle})[:5]) or "none"
    times = sorted(g.started for g in grades if g.started)
    when = f" · graded {visible(times[0], 40)} to {visible(times[-1], 40)}" if times else ""
    return element("footer", element("p", f"Sandbox: {tiers} · bundle: {bundles}{when}"))


STYLE = """
body { max-width: 64rem; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 0.8rem; }
.sides > div { min-width: 0; }
@media (max-width: 40rem) { .sides { grid-template-columns: 1fr; } }
tbody th { font-weight: 400; white-space: nowrap; padding-right: 1rem; }
.wide table { width: max-content; min-width: 100%; }
.wide td { max-width: 22rem; }
.histogram { max-width: 32rem; display: block; }
td .bar { vertical-align: middle; }
"""
