"""A report taken apart: its sections, what each is about, its paragraphs and tables. Text of strangers; every pattern takes linear time."""

import re
from dataclasses import dataclass

from .report_words import HEADINGS, TOPICS

LONGEST = 400_000  # characters that are looked at
BOLD = 7  # below the six levels of headings
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*)")
_BOLD = re.compile(r"\*\*([^*\n]{2,80})\*\*[.:]?(?:[ \t]+(.*))?")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_RULE = re.compile(r"[|:\- ]{3,}")
_MARK = re.compile(r"^\s*(?:[-*+]|\d{1,3}[.)])\s+")
_NUMBER = re.compile(r"(?<![a-zA-Z_.\d])[+-]?(?:\d+(?:[.,]\d+)*|\.\d+)")
_SCORE = re.compile(r"(?<![a-zA-Z_.\d])(?:\d*\.\d+|\d+(?:\.\d+)? ?%)")


@dataclass(frozen=True)
class Block:
    """A paragraph or a table.

    Args:
        text: small letters, without emphasis marks.
        table: rows of numbers between bars, the header's first.
    """

    text: str
    table: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """What stands under one heading.

    Args:
        title: as it stands there; empty for what stands before the first.
        topics: of `TOPICS`; those of the heading above where it has none of its own, or where it is only bold words at a line's beginning.
        text: as it was written, with its heading.
        blocks: what it says.
    """

    title: str
    topics: frozenset[str]
    text: str
    blocks: tuple[Block, ...]


def without_comments(text: str) -> str:
    """Without ``<!-- ... -->``: nobody who reads the report sees them."""
    kept, place = [], 0
    while (begin := text.find("<!--", place)) >= 0:
        kept.append(text[place:begin])
        end = text.find("-->", begin + 4)
        if end < 0:
            return "".join(kept)
        place = end + 3
    return "".join([*kept, text[place:]])


def sections(text: str) -> list[Section]:
    """The sections of a report in markdown, in their order."""
    text = without_comments(text[:LONGEST].replace("\r\n", "\n").replace("\r", "\n"))
    made: list[tuple[int, str, list[str]]] = [(0, "", [])]
    fence = ""
    for line in text.split("\n"):
        heading = None if fence else _heading(line, bold=not made[-1][2] or not made[-1][2][-1].strip())
        if match := _FENCE.match(line):
            fence = "" if fence == match[1] else fence or match[1]
        if heading:
            made.append((*heading[:2], [line, *heading[2:]]))
        else:
            made[-1][2].append(line)
    found, above = [], {0: frozenset()}
    for level, title, lines in made:
        own = topics_of(title)
        above = {depth: topics for depth, topics in above.items() if depth < level or level == 0}
        topics = own | above[max(above)] if level == BOLD else own or above[max(above)]
        above[level] = topics
        written = [lines[0], *lines[2:]] if level == BOLD else lines
        found.append(Section(title, topics, "\n".join(written).strip(), tuple(_blocks(lines[1:] if title else lines))))
    return found


def _heading(line: str, bold: bool) -> tuple[int, str] | tuple[int, str, str] | None:
    """(level, title) of ``## title``; (`BOLD`, title, rest of the line) where bold words at the beginning of a paragraph stand for one."""
    if match := _HEADING.fullmatch(line):
        return len(match[1]), match[2].rstrip("# \t")
    match = _BOLD.fullmatch(line.strip()) if bold else None
    return (BOLD, match[1], match[2] or "") if match and topics_of(match[1]) else None


def topics_of(title: str) -> frozenset[str]:
    """What a heading is about; a title of the whole report is about nothing of these."""
    small = title.lower()
    if re.match(r"(?:project |final )?report|.*보고서\)?$", small):
        return frozenset()
    return frozenset(topic for topic in TOPICS if HEADINGS[topic].search(small))


def _blocks(lines: list[str]) -> list[Block]:
    made: list[Block] = []
    here: list[str] = []

    def close() -> None:
        if here:
            made.append(_block(here))
            here.clear()

    for line in lines:
        bars = line.lstrip().startswith("|")
        if here and (bars != here[-1].lstrip().startswith("|") or not line.strip()):
            close()
        if line.strip():
            here.append(line)
    close()
    return made


def _block(lines: list[str]) -> Block:
    if lines[0].lstrip().startswith("|"):
        rows = tuple(line.lower() for line in lines if not _RULE.fullmatch(line.strip()))
        return Block("\n".join(rows), rows if len(rows) < len(lines) else ())  # without a rule under its head it is no table
    plain = "\n".join(_MARK.sub("", line) for line in lines).lower()
    return Block(re.sub(r"[*`>]", "", plain))


def numbers(text: str) -> list[str]:
    """Numbers that stand for themselves: not those of a name such as yolov8."""
    return _NUMBER.findall(text)


def scores(text: str) -> list[str]:
    """Numbers with a point or a per cent sign."""
    return _SCORE.findall(text)


def length(text: str) -> int:
    """Words and numbers, as English counts them; two Korean letters make one."""
    korean = sum("가" <= letter <= "힣" for letter in text)
    return len(re.findall(r"[a-z]{2,}", text)) + len(numbers(text)) + korean // 2
