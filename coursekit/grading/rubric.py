"""What is marked by hand, in a small file that a person writes: YAML or JSON.

title: Report of the project
notebook: "20"                    # whose class edition gets the questions; without, the last of the assignment
parts:
  - id: question
    title: A question worth asking
    points: 4
    levels:                       # optional: what earns how much; each becomes a button
      - {points: 4, text: says what would change your mind}
      - {points: 2, text: can be answered with what was measured}
      - {points: 0, text: no question}
  - id: 20.pr_curve               # a part named like an exercise replaces what the machine gave for it
    title: How it is written
    points: 2
    exercise: 20.pr_curve         # optional: show the learner's cell of this exercise
  - id: limits
    title: What your numbers do not say
    points: 3
    cell: answer-limits           # optional: id of the markdown cell with the answer; answer-ID without
  - id: hyper
    title: Hyper-parameters and why
    points: 4
    report: hyper                 # optional: show this section of the project's report.md that was handed in beside the notebook:
                                  # data, optimiser, first, next, overfitting, hyper, results, limits, all; submission: submission.csv
"""

import json
import re
from pathlib import Path
from typing import Any

from coursekit.project.report_words import TOPICS

LARGEST = 200_000  # bytes
MOST = 60  # parts, and levels of one
_FILE = ("title", "notebook", "parts")
_PART = ("id", "title", "points", "levels", "exercise", "cell", "report")
_REPORT = (*TOPICS, "all", "submission")
_LEVEL = ("points", "text")


class _Lines:
    """Where each value stands: paths such as ``("parts", 0, "id")`` to lines, where the file has them."""

    def __init__(self, path: Path, lines: dict[tuple, int]):
        self.path, self.lines = path, lines

    def wrong(self, where: tuple, text: str) -> ValueError:
        """A sentence with file, line and field."""
        known = next((where[:n] for n in range(len(where), -1, -1) if where[:n] in self.lines), None)
        line = f":{self.lines[known]}" if known is not None else ""
        return ValueError(f"{self.path}{line}: {_field(where)} {text}")


def read_rubric(path: Path | str) -> dict[str, Any]:
    """A rubric, as plain data with every field in its place: title, notebook, and parts with id, title, points, levels, exercise, cell.

    Raises:
        ValueError: one sentence that names file, line and field, what stands there and what was expected.
        OSError: it cannot be read.
    """
    path = Path(path)
    raw = path.read_bytes()
    if len(raw) > LARGEST:
        raise ValueError(f"{path}: a rubric has at most {LARGEST // 1000} kB, got {len(raw) // 1000}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: a rubric must be a text in UTF-8") from None
    data, lines = _read_json(path, text) if path.suffix.lower() == ".json" else _read_yaml(path, text)
    return checked(data, _Lines(path, lines))


def checked(data: Any, lines: _Lines | None = None) -> dict[str, Any]:
    """A rubric's data, validated and with every field in its place.

    Args:
        data: as read from a file.
        lines: where it stands, for the messages.

    Raises:
        ValueError: naming the field.
    """
    lines = lines or _Lines(Path("rubric"), {})
    _fields(data, _FILE, (), lines)
    notebook = data.get("notebook")
    if isinstance(notebook, int) and not isinstance(notebook, bool):
        notebook = f"{notebook:02d}"
    if notebook is not None and not (isinstance(notebook, str) and re.match(r"\d\d", notebook)):
        raise lines.wrong(("notebook",), f'must begin with a notebook\'s number, such as "20", got {notebook!r}')
    parts = _list(data, "parts", (), lines)
    if not parts:
        raise lines.wrong(("parts",), "must hold at least one part")
    made = [_part(part, ("parts", i), lines) for i, part in enumerate(parts)]
    ids: dict[str, int] = {}
    for i, part in enumerate(made):
        if part["id"] in ids:
            raise lines.wrong(("parts", i, "id"), f"must differ from every other, but {part['id']!r} is part {ids[part['id']] + 1} too")
        ids[part["id"]] = i
    return {"title": _text(data, "title", (), lines, "Marked by hand"), "notebook": notebook, "parts": made}


def _part(part: Any, where: tuple, lines: _Lines) -> dict[str, Any]:
    _fields(part, _PART, where, lines)
    name = _text(part, "id", where, lines)
    if not re.fullmatch(r"\w[\w.-]{0,49}", name):
        raise lines.wrong((*where, "id"), f"must be a short word of letters, digits, . - and _, got {name!r}")
    points = _points(part, where, lines)
    if points == 0:
        raise lines.wrong((*where, "points"), "must be more than 0: it says what the part is worth")
    levels = []
    for i, level in enumerate(_list(part, "levels", where, lines)):
        here = (*where, "levels", i)
        _fields(level, _LEVEL, here, lines)
        worth = _points(level, here, lines)
        if worth > points:
            raise lines.wrong((*here, "points"), f"must be at most the part's {points:g}, got {worth:g}")
        levels.append({"points": worth, "text": _text(level, "text", here, lines)})
    made = {"id": name, "title": _text(part, "title", where, lines, name), "points": points, "levels": levels}
    for field in ("exercise", "cell"):
        if part.get(field) is not None:
            made[field] = _text(part, field, where, lines)
    if part.get("report") is not None:
        made["report"] = _text(part, "report", where, lines)
        if made["report"] not in _REPORT:
            raise lines.wrong((*where, "report"), f"must be one of {', '.join(_REPORT)}, got {_shown(made['report'])}")
    return made


def _fields(data: Any, known: tuple[str, ...], where: tuple, lines: _Lines) -> None:
    if not isinstance(data, dict):
        raise lines.wrong(where, f"must have the fields {', '.join(known)}, got {_shown(data)}")
    if unknown := [key for key in data if key not in known]:
        raise lines.wrong((*where, unknown[0]), f"is not known here; the fields are {', '.join(known)}")


def _list(data: dict, field: str, where: tuple, lines: _Lines) -> list:
    value = data.get(field)
    value = [] if value is None else value
    if not isinstance(value, list):
        raise lines.wrong((*where, field), f"must be a list, each entry behind a dash, got {_shown(value)}")
    if len(value) > MOST:
        raise lines.wrong((*where, field), f"must have at most {MOST} entries, got {len(value)}")
    return value


def _text(data: dict, field: str, where: tuple, lines: _Lines, default: str | None = None) -> str:
    value = data.get(field, default)
    if isinstance(value, (int, float)) and not isinstance(value, bool):  # a title such as 2026
        value = f"{value}"
    if not isinstance(value, str) or not value.strip():
        raise lines.wrong((*where, field), f"must be a text, got {_shown(value) if field in data else 'nothing'}")
    return " ".join(value.split())[:1000]


def _points(data: dict, where: tuple, lines: _Lines) -> float:
    value = data.get("points")
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1e6  # neither NaN nor infinity is
    if not good:
        raise lines.wrong((*where, "points"), f"must be a number from 0, got {_shown(value) if 'points' in data else 'nothing'}")
    return float(value)


def _field(where: tuple) -> str:
    """``parts[1].levels[0].points`` as people count: part 2, level 1, points."""
    words = []
    for step in where:
        if isinstance(step, int):
            words[-1] = f"{words[-1].removesuffix('s')} {step + 1}"
        else:
            words.append(str(step)[:60])
    return ", ".join(words) or "a rubric"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _read_json(path: Path, text: str) -> tuple[Any, dict]:
    try:
        return json.loads(text), {}
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: is no JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"{path}: is nested deeper than a rubric can be") from None


def _read_yaml(path: Path, text: str) -> tuple[Any, dict]:
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{path}{line}: is no YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a whole number of thousands of digits
        raise ValueError(f"{path}: is no YAML: {' '.join(str(error).split())[:200]}") from None
    except RecursionError:
        raise ValueError(f"{path}: is nested deeper than a rubric can be") from None
    lines: dict[tuple, int] = {}
    _note(node, (), lines, 0)
    return data, lines


def _note(node: Any, where: tuple, lines: dict[tuple, int], depth: int) -> None:
    """Lines of a YAML node and of what a rubric can have below it."""
    if node is None or depth > 6 or len(lines) > 20_000:
        return
    lines[where] = node.start_mark.line + 1
    if node.id == "mapping":
        for key, value in node.value:
            _note(value, (*where, str(key.value)), lines, depth + 1)
            lines[(*where, str(key.value))] = key.start_mark.line + 1
    elif node.id == "sequence":
        for i, value in enumerate(node.value):
            _note(value, (*where, i), lines, depth + 1)
