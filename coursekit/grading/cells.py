"""What a notebook file holds. Takes whatever bytes come, of any version and editor, and believes only the text of its cells.

An exercise is known by what a cell says: it defines the answer, or hands it to ``check("13.box_iou", ...)``. What metadata and ids say
counts only where no text does, as after a syntax error. Outputs are never looked at. Nothing here runs or compiles what was handed in.
"""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .assignment import source_hash
from .handed_in import Unreadable

LONGEST_CELL = 500_000  # characters
LONGEST_TEXT = 4_000_000
MOST_CELLS = 5_000
MOST_PARTS = 3_000_000  # of a JSON file: each costs memory, however short it is


@dataclass(frozen=True)
class Cell:
    """One cell of a submission.

    Args:
        kind: ``code``, ``markdown`` or ``raw``.
        source: its text, line ends made ``\\n``.
        exercise: the exercise that it answers, ``13.box_iou``, or None. A cell that answers two is followed by an empty one for the second.
        id: as the file has it; empty where it has none.
    """

    kind: str
    source: str
    exercise: str | None = None
    id: str = ""


@dataclass(frozen=True)
class Found:
    """A cell as a file has it: not yet known what it is for.

    Args:
        claims: exercises that its metadata and id name.
    """

    kind: str
    source: str
    id: str = ""
    claims: tuple[str, ...] = ()


# files


def read_notebook(raw: bytes) -> list[Found]:
    """The cells of an .ipynb of any version.

    Raises:
        Unreadable: saying why there are none.
    """
    if not raw.strip():
        raise Unreadable("is empty")
    if raw.lstrip()[:1] == b"<":
        raise Unreadable("is a web page and no notebook: download the notebook itself")
    if sum(raw.count(mark) for mark in (b",", b"[", b"{")) > MOST_PARTS:
        raise Unreadable("has more parts than any notebook has")
    try:
        encoding = json.detect_encoding(raw)
        content = json.loads(raw.decode(encoding, "replace"))
    except RecursionError:
        raise Unreadable("is nested deeper than any notebook is") from None
    except ValueError as error:
        where = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise Unreadable(f"is damaged{where}: it is no JSON, which a notebook is") from None
    if not isinstance(content, dict):
        raise Unreadable("is JSON, but no notebook")
    listed = _listed(content)
    if len(listed) > MOST_CELLS:
        raise Unreadable(f"has {len(listed)} cells; at most {MOST_CELLS} are read")
    found = [cell for entry in listed if isinstance(entry, dict) and (cell := _found(entry))]
    if not found:
        raise Unreadable("holds no cells")
    if sum(len(cell.source) for cell in found) > LONGEST_TEXT:
        raise Unreadable(f"holds more than {LONGEST_TEXT // 1_000_000} million characters of text")
    return found


def _listed(content: dict) -> list:
    cells = content.get("cells")
    if isinstance(cells, list):
        return cells
    sheets = content.get("worksheets")  # nbformat 3
    if isinstance(sheets, list):
        inside = [sheet["cells"] for sheet in sheets if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)]
        return [cell for cells in inside for cell in cells]
    raise Unreadable("is JSON, but holds no list of cells")


def _found(entry: dict) -> Found | None:
    kind = entry.get("cell_type")
    kind = kind if kind in ("code", "markdown") else "raw" if kind == "raw" else "markdown"
    source = entry.get("source", entry.get("input") if kind == "code" else None)
    if isinstance(source, list):
        source = "".join(piece for piece in source if isinstance(piece, str))
    if not isinstance(source, str):
        return None
    if len(source) > LONGEST_CELL:
        source = "# a cell of this length is not read" if kind == "code" else source[:LONGEST_CELL]
    name = entry.get("id")
    name = clean(name)[:100] if isinstance(name, str) else ""
    return Found(kind, clean(source), name, _claims(entry.get("metadata"), name))


def clean(text: str) -> str:
    """Line ends made ``\\n``; lone halves of characters, which no file may hold, replaced."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-8", "replace").decode("utf-8")


def _claims(metadata, name: str) -> tuple[str, ...]:
    """The exercises that metadata and id name: ``13.box_iou``, ``13-box_iou``. A locked check is no answer."""
    metadata = metadata if isinstance(metadata, dict) else {}
    ours, theirs = metadata.get("coursekit"), metadata.get("nbgrader")
    grade_id = theirs.get("grade_id") if isinstance(theirs, dict) else None
    if str(grade_id).endswith("-check") or name.endswith("-check"):
        return ()
    named = [ours.get("exercise") if isinstance(ours, dict) else None, grade_id, name]
    return tuple(re.sub(r"^(\d\d)-", r"\1.", claim) for claim in named if isinstance(claim, str) and claim)


def read_script(raw: bytes) -> list[Found]:
    """The cells of a notebook saved as a Python file: ``# %%`` and ``# In[3]:`` begin one; without, it is one cell.

    Raises:
        Unreadable: if it is too long or empty.
    """
    text = clean(raw.decode("utf-8-sig", "replace"))
    if len(text) > LONGEST_CELL:
        raise Unreadable("is longer than a notebook's program is")
    cells, kind, lines = [], "code", []
    for line in [*text.split("\n"), "# %%"]:
        if head := re.match(r"# (?:%%(.*)|In ?\[[ \d]{0,9}\]:)", line):
            body = "\n".join(lines).strip("\n")
            if body:
                cells.append(Found(kind, body if kind == "code" else re.sub(r"(?m)^# ?", "", body)))
            kind, lines = ("markdown" if "[markdown]" in (head[1] or "") else "code"), []
        else:
            lines.append(line)
    if not cells:
        raise Unreadable("is empty")
    return cells


# which exercise a cell answers


@dataclass(frozen=True)
class Wanted:
    """An exercise of the assignment, as far as it is looked for: its name and the expression that is handed to check."""

    name: str
    answer: str

    @functools.cached_property
    def defines(self) -> re.Pattern:
        """A line that gives the answer's name a value other than what check lends."""
        first = re.match(r"[^\W\d]\w*", self.answer)
        names = "|".join(re.escape(name) for name in {self.name.partition(".")[2], first[0] if first else ""} if name)
        return re.compile(
            rf"^(?:async[ \t]+)?(?:def|class)[ \t]+(?:{names})\b"
            rf"|^(?:{names})[ \t]*(?::[^=\n]{{0,200}})?=(?!=)(?![ \t]*check\()"
            rf"|^(?:from|import)[ \t][^\n]{{0,300}}[ \t](?:{names})[ \t]*(?:[,;#]|$)",
            re.MULTILINE,
        )

    @functools.cached_property
    def checks(self) -> re.Pattern:
        return re.compile(rf"""\bcheck\(\s{{0,20}}["']{re.escape(self.name)}["']\s{{0,20}},""")


def answered(cells: Sequence[Found], wanted: Sequence[Wanted]) -> set[str]:
    """Names of the exercises that these cells have something to say about."""
    texts = [cell for cell in cells if cell.kind == "code"]
    claims = {claim for cell in texts for claim in cell.claims}
    return {w.name for w in wanted if w.name in claims or any(w.defines.search(c.source) or w.checks.search(c.source) for c in texts)}


def assign(cells: Sequence[Found], wanted: Sequence[Wanted], released: frozenset[str]) -> tuple[tuple[Cell, ...], list[str]]:
    """Cells with the exercise that each answers, and notes on what was odd.

    Where several cells answer one exercise the last that was changed counts: a stub left below a solved copy must not undo it, so stubs
    that were not touched are left out there.

    Args:
        released: `source_hash` of the code cells that were handed out.
    """
    chosen: dict[int, list[str]] = {}
    dropped: set[int] = set()
    notes = []
    touched = {i for i, cell in enumerate(cells) if cell.kind == "code" and source_hash(cell.source) not in released}
    for want in wanted:
        index, several, stubs = _choose(cells, want, touched)
        if index is None:
            continue
        chosen.setdefault(index, []).append(want.name)
        if several:
            notes.append(f"{want.name} is answered in {several} cells; the last one counts")
        dropped |= {i for i in stubs if sum(bool(w.defines.search(cells[i].source)) for w in wanted) == 1}
    result = []
    for index, cell in enumerate(cells):
        names = chosen.get(index, [])
        if index in dropped and not names:
            continue
        result.append(Cell(cell.kind, cell.source, names[0] if names else None, cell.id))
        result += [Cell("code", "", name) for name in names[1:]]
    return tuple(result), notes


def _choose(cells: Sequence[Found], want: Wanted, touched: set[int]) -> tuple[int | None, int, set[int]]:
    """Index of the cell that answers, how many do if more than one, and the untouched stubs beside it."""
    code = [i for i, cell in enumerate(cells) if cell.kind == "code"]
    defining = [i for i in code if want.defines.search(cells[i].source)]
    changed = [i for i in defining if i in touched]
    claimed = [i for i in code if want.name in cells[i].claims]
    handed = [i for i in code if i in touched and want.checks.search(cells[i].source)]
    ranked: Mapping[str, list[int]] = {
        "defines": changed,
        "claims": [i for i in claimed if i in touched],
        "checks": handed,
        "stub": defining,
        "claimed stub": claimed,
    }
    for indices in ranked.values():
        if indices:
            stubs = {i for i in defining if i not in touched} if changed else set()
            return indices[-1], len(changed) if len(changed) > 1 else 0, stubs
    return None, 0, set()
