"""A learner's markdown as elements of ours: headings, lists, code, emphasis. No HTML passes, nothing is linked to, nothing is fetched."""

import re
from collections.abc import Iterator

from coursekit.grading.html import Html, block, element, visible

MOST = 40_000  # characters of one cell
MOST_CELLS = 3000  # of a table
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_HEADING = re.compile(r" {0,3}#{1,6}\s+(.*?)\s*#*$")
_RULE = re.compile(r"[|:\- ]{3,}")
_BAR = re.compile(r"(?<!\\)\|")
_ITEM = re.compile(r"\s*(?:[-*+]|(\d{1,9})[.)])\s+(.*)")
_INLINE = re.compile(
    r"(?P<code>`+)(?P<inside>.+?)(?P=code)"
    r"|(?P<picture>!)?\[(?P<label>[^\[\]\n]{0,300})\]\((?P<target>[^()\s]{0,500})[^()\n]{0,200}\)"
    r"|\*\*(?P<strong>[^*\n]{1,500})\*\*"
    r"|(?<![\w*])\*(?P<em>[^*\s][^*\n]{0,500})\*(?![\w*])"
)


def markdown(text: str, level: int = 4) -> list[Html]:
    """The elements of a text.

    Args:
        text: what a learner wrote.
        level: of its headings, all of which are made equal: they stand inside a page of ours.
    """
    lines = visible(text, MOST).split("\n")
    made: list[Html] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        if fence := _FENCE.match(line):
            end = next((i for i in range(place + 1, len(lines)) if lines[i].strip().startswith(fence[1])), len(lines))
            made.append(block("\n".join(lines[place + 1 : end]), MOST))
            place = end + 1
        elif heading := _HEADING.fullmatch(line):
            made.append(element(f"h{level}", *inline(heading[1])))
            place += 1
        elif line.lstrip().startswith("|"):
            end = next((i for i in range(place, len(lines)) if not lines[i].lstrip().startswith("|")), len(lines))
            made.append(_table(lines[place:end]))
            place = end
        elif _ITEM.fullmatch(line):
            place = _list(lines, place, made)
        elif not line.strip():
            place += 1
        else:
            end = place + 1
            while end < len(lines) and lines[end].strip() and not (_FENCE.match(lines[end]) or _HEADING.fullmatch(lines[end])):
                if _ITEM.fullmatch(lines[end]):
                    break
                end += 1
            made.append(element("p", *inline("\n".join(lines[place:end]))))
            place = end
    return made


def _list(lines: list[str], place: int, made: list[Html]) -> int:
    """A list of one depth; returns the line behind it."""
    numbered = bool(_ITEM.fullmatch(lines[place])[1])
    items: list[list[str]] = []
    while place < len(lines) and lines[place].strip():
        if item := _ITEM.fullmatch(lines[place]):
            items.append([item[2]])
        elif _FENCE.match(lines[place]) or _HEADING.fullmatch(lines[place]):
            break
        else:
            items[-1].append(lines[place].strip())
        place += 1
    made.append(element("ol" if numbered else "ul", [element("li", *inline("\n".join(item))) for item in items]))
    return place


def _table(lines: list[str]) -> Html:
    """A table with a rule under its head; anything else that has bars, as it was typed."""
    rows = [_BAR.split(line.strip().removeprefix("|").removesuffix("|")) for line in lines]
    if len(lines) < 3 or not _RULE.fullmatch(lines[1].strip()) or sum(map(len, rows)) > MOST_CELLS:
        return block("\n".join(lines), MOST)
    head = element("tr", [element("th", *inline(cell.strip()), scope="col") for cell in rows[0]])
    body = [element("tr", [element("td", *inline(cell.strip().replace("\\|", "|"))) for cell in row]) for row in rows[2:]]
    return element("div", element("table", element("thead", head), element("tbody", body)), class_="wide")


def inline(text: str) -> Iterator[Html | str]:
    """Code, emphasis, and links and pictures in words."""
    place = 0
    for found in _INLINE.finditer(text):
        yield from _broken(text[place : found.start()])
        place = found.end()
        if found["code"]:
            yield element("code", found["inside"])
        elif found["label"] is not None:
            yield element("em", f"[picture: {found['label']}]") if found["picture"] else f"{found['label']} ({found['target']})"
        elif found["strong"]:
            yield element("strong", found["strong"])
        else:
            yield element("em", found["em"])
    yield from _broken(text[place:])


def _broken(text: str) -> Iterator[Html | str]:
    """Two blanks at the end of a line break it, as in markdown; a line break alone is a blank."""
    for number, line in enumerate(re.split(r" {2,}\n", text)):
        if number:
            yield element("br")
        yield line
