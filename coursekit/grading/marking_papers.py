"""Which of a project's papers answers a part of its rubric, and what a machine can say beside it. Pages: `marking_page`."""

import re
from collections.abc import Iterator, Sequence

from coursekit.grading.papers import Paper
from coursekit.project.report_check import gaps, sections_about

LONGEST = 40_000
_PICTURE = re.compile(r"!\[[^\[\]\n]{0,300}\]\(([^()\s]{1,300})[^()\n]{0,200}\)")


def shown_of(about: str | None, papers: Sequence[Paper]) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """What answers a part: (``markdown`` or ``code``, text, places of the pictures that it shows among the papers).

    Args:
        about: what the rubric asks to be shown: a topic of the report, ``"all"`` of it, or the ``"submission"``; None shows nothing.
        papers: of one student.
    """
    if about == "submission":
        yield from (("code", paper.text[:LONGEST], ()) for paper in papers if paper.kind == "submission" and paper.text)
    elif about:
        report = next((paper.text for paper in papers if paper.kind == "report"), "")
        text = report if about == "all" else sections_about(report).get(about, "")
        if text.strip():
            names = {name.rpartition("/")[2] for name in _PICTURE.findall(text)}
            places = (i for i, paper in enumerate(papers) if paper.picture and paper.name.rpartition("/")[2] in names)
            yield "markdown", text[:LONGEST], tuple(places)


def machine_help(parts: Sequence[tuple[str, str | None]], papers: Sequence[Paper]) -> dict[str, tuple[str, ...]]:
    """What a machine noticed: gaps of the report, what the scorer said of the submission. Never a mark.

    Args:
        parts: (id, what the rubric asks to be shown) of each part.
        papers: of one student; without any, nothing is said.

    Returns:
        Sentences by the id of the part, for parts about which there is something to say.
    """
    if not papers:
        return {}
    report = next((paper.text for paper in papers if paper.kind == "report"), "")
    found = gaps(report) if report else []
    said: dict[str, tuple[str, ...]] = {}
    for part, about in parts:
        if about == "submission":
            handed_in = [paper for paper in papers if paper.kind == "submission"]
            said[part] = tuple(paper.note for paper in handed_in if paper.note) if handed_in else ("No submission.csv was handed in.",)
        elif about:
            none = () if report else ("No report was handed in that can be read.",)
            said[part] = (*none, *(gap.text for gap in found if gap.topic == ("" if about == "all" else about)))
    return {part: sentences for part, sentences in said.items() if sentences}
