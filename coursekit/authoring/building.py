"""solutions/ to notebooks/ and build/solved/. Writes only what changed; `check` writes nothing and says what is stale."""

import json
from collections.abc import Sequence
from pathlib import Path

from coursekit.authoring.convert import convert, write_text
from coursekit.authoring.source import SourceError
from coursekit.files import write_bytes


def build(
    sources: str | Path = "solutions",
    out: str | Path = "notebooks",
    check: bool = False,
    solved: str | Path | None = "build/solved",
    edition: str = "self-study",
    only: Sequence[str] = (),
) -> list[str]:
    """Build every notebook.

    Args:
        sources: folder of ``NN_topic.py``.
        out: folder of the student edition.
        check: write nothing.
        solved: folder of the solved edition, which is not committed; None to leave it out.
        edition: ``"self-study"`` or ``"class"``.
        only: numbers or names of notebooks; all of them by default.

    Returns:
        Paths of student notebooks that changed (with check: that are not what their source builds), also those whose source is gone.

    Raises:
        SourceError: every mistake of every source, a line for each. What could be built is built.
        FileNotFoundError: if there is no such folder.
    """
    sources, out = Path(sources), Path(out)
    if not sources.is_dir():
        raise FileNotFoundError(f"there is no folder {sources}: run this in a checkout of the course")
    paths = [p for p in sorted(sources.glob("[0-9][0-9]_*.py")) if not only or p.name[:2] in only or p.stem in only]
    changed, problems = [], []
    for path in paths:
        try:
            student = out / f"{path.stem}.ipynb"
            if _put(student, write_text(convert(path, edition)), check):
                changed.append(student.as_posix())
            if solved is not None and not check:
                _put(Path(solved) / f"{path.stem}.ipynb", write_text(convert(path, "solved")), check)
        except SourceError as error:
            problems.append(str(error))
    if not only:
        changed += _without_source(out, {p.stem for p in sorted(sources.glob("*.py"))}, check)
    if problems:
        raise SourceError("\n".join(problems))
    return changed


def _put(path: Path, text: str, check: bool) -> bool:
    """Write it unless it is there already; True if it was not."""
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    if not check:
        write_bytes(path, text.encode())
    return True


def _without_source(out: Path, stems: set[str], check: bool) -> list[str]:
    """Notebooks that we once built and whose source is gone: removed, so that none goes stale."""
    gone = []
    for path in sorted(out.glob("*.ipynb")):
        if path.stem in stems:
            continue
        try:
            ours = "coursekit" in json.loads(path.read_text(encoding="utf-8"))["metadata"]
        except (ValueError, KeyError, TypeError):
            ours = False
        if ours or check:
            gone.append(path.as_posix())
        if ours and not check:
            path.unlink()
    return gone
