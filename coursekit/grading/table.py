"""CSV that a spreadsheet opens as text, never as a formula, and that reads back as it was written."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from coursekit.files import write_bytes

_FORMULA = tuple("=+-@＝＋－＠")  # the wide ones are formulas in a Japanese or Chinese spreadsheet


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may run this as a formula: it begins with = + - @ (after white space too), a tab or a line end."""
    return text.startswith(("\t", "\r", "\n")) or text.lstrip().startswith(_FORMULA)


def safe(text: str) -> str:
    """Text for a cell: what may be a formula gets an apostrophe in front. `plain` takes it away again, whatever the text is."""
    return "'" + text if is_formula(text.lstrip("'")) else text


def plain(cell: str) -> str:
    """What `safe` was given."""
    return cell[1:] if cell.startswith("'") and is_formula(cell.lstrip("'")) else cell


def number(value: float | None) -> float | int | str:
    """Points for people, to the hundredth and without an empty fraction; an empty cell where there are none."""
    if value is None:
        return ""
    rounded = round(float(value), 2)
    return int(rounded) if rounded.is_integer() else rounded


def csv_text(rows: Iterable[Sequence], separator: str = ",") -> str:
    """Rows as CSV. Every text is quoted and safe; numbers stand as they are."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, delimiter=separator)
    writer.writerows([safe(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return out.getvalue()


def write_csv(path: Path | str, text: str) -> None:
    """A CSV in UTF-8, all or nothing. The mark at its beginning tells Excel which alphabet it is; Canvas and Moodle know it too."""
    write_bytes(path, ("\ufeff" + text).encode("utf-8", "backslashreplace"))


def read_csv(path: Path | str) -> tuple[list[str], list[list[str]], str]:
    """The first line, the others, and the separator, which is a semicolon where spreadsheets use the comma for decimals.

    Rows that are too short are filled up; empty lines are left out.

    Raises:
        ValueError: not UTF-8, not CSV, or nothing in it.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        first = text.partition("\n")[0]
        separator = ";" if first.count(";") > first.count(",") else ","
        rows = [
            row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True) if any(cell.strip() for cell in row)
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as a CSV in UTF-8: {error}") from None
    if not rows:
        raise ValueError(f"{path} is empty")
    header = [cell.strip() for cell in rows[0]]
    return header, [row + [""] * (len(header) - len(row)) for row in rows[1:]], separator
