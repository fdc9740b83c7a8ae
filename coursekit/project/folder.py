"""The folder of a project: laid out once, never written over, and looked through before it is handed in. Used by notebook 24_project.

my-project/
    README.md        what lies where
    report.md        the report; written by you
    steps/           data_card.json, baseline.json, ablation.json, ap_report.json
    submission.csv   for the competition, if there is one
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from ..files import write_text
from .reading import BOXES, LABELS, parse, read_bytes
from .report import report_gaps, report_template
from .steps import FROM, STEPS, missing_steps, read_steps

LARGEST_REPORT = 1_000_000  # bytes


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        about: ``"step"``, ``"report"`` or ``"submission"``.
        done: nothing is left to do.
        text: what it is, or what is missing.
    """

    about: str
    done: bool
    text: str


def start_project(folder: Path | str, kind: str = "detection") -> dict[str, str]:
    """Lay out a project.

    Args:
        folder: made if need be. The steps that are there already are filled into the report.
        kind: ``"detection"`` or ``"classification"``.

    Returns:
        File -> ``"written"``, or ``"kept"`` for one that was there: nothing is ever written over.

    Raises:
        ValueError: for another kind, or a folder that is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"folder must be a folder, got the file {folder}")
    contents = {"report.md": report_template(kind, read_steps(folder)), "README.md": README.format(kind=kind)}
    (folder / "steps").mkdir(parents=True, exist_ok=True)
    done = {}
    for name, text in contents.items():
        there = (folder / name).exists() or (folder / name).is_symlink()
        done[name] = "kept" if there else "written"
        if not there:
            write_text(folder / name, text)
    return done


def check_project(folder: Path | str, sample: Path | str | None = None, kind: str | None = None) -> list[Finding]:
    """Everything that is done and everything that is missing.

    Args:
        folder: of the project.
        sample: the competition's ``sample_submission.csv``, or its folder; without, a submission is not looked at.
        kind: of the report; without, its own measures decide.

    Raises:
        ValueError: if the folder is none, or the sample cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"folder must be the folder of a project, got {folder}; `coursekit project start` lays one out")
    missing = missing_steps(folder)
    found = [Finding("step", name not in missing, f"{name} (begun in {FROM[name]})") for name in STEPS]
    found += _report(folder / "report.md", kind)
    if sample is not None:
        found.append(_submission(folder / "submission.csv", Path(sample)))
    return found


def _report(path: Path, kind: str | None) -> list[Finding]:
    if not path.is_file():
        return [Finding("report", False, f"{path} is missing; `coursekit project start` lays it out")]
    if path.stat().st_size > LARGEST_REPORT:
        return [Finding("report", False, f"{path} has more than {LARGEST_REPORT // 1_000_000} MB; pictures belong beside it")]
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return [Finding("report", False, f"{path} must be text in UTF-8")]
    gaps = report_gaps(text, kind)
    return [Finding("report", False, gap) for gap in gaps] or [
        Finding("report", True, "every question is answered, as far as a machine can see")
    ]


def _submission(path: Path, sample: Path) -> Finding:
    if not path.is_file():
        return Finding("submission", False, f"{path} is missing")
    kind, sizes, classes = read_sample(sample)
    try:
        parse(read_bytes(path), str(path), sizes, classes, kind)
    except ValueError as error:
        return Finding("submission", False, str(error))
    return Finding("submission", True, f"{path} can be scored")


def read_sample(path: Path) -> tuple[str, dict, tuple[str, ...]]:
    """What the organiser handed out: (kind, id -> size or None, classes).

    Raises:
        ValueError: it is no sample, or lies without its classes.txt.
    """
    from ..data.images import PictureError, read_header

    path = path / "sample_submission.csv" if path.is_dir() else path
    names = path.with_name("classes.txt")
    if not path.is_file() or not names.is_file():
        raise ValueError(f"sample must be a competition's sample_submission.csv with its classes.txt beside it, got {path}")
    rows = list(csv.reader(io.StringIO(read_bytes(path).decode("utf-8-sig", "replace"), newline="")))
    kind = {BOXES: "detection", LABELS: "classification"}.get(tuple(rows[0]) if rows else ())
    if kind is None:
        raise ValueError(f"{path}:1: the first line must be {','.join(BOXES)} or {','.join(LABELS)}")
    sizes = {}
    for row in rows[1:]:
        try:
            header = read_header(path.parent / "images" / f"{Path(row[0]).name}.png")
            sizes[row[0]] = (header.width, header.height)
        except (PictureError, IndexError):
            sizes.update({row[0]: None} if row else {})
    return kind, sizes, tuple(names.read_text(encoding="utf-8").split("\n")[:-1])


README = """# A project of {kind}

- `steps/`: what you measured on the way. `coursekit.project.steps.save_step` writes each of them: `data_card` in notebook 04, `baseline`
  in 05, `ablation` in 12, `ap_report` in 20.
- `report.md`: the report, with five questions. `coursekit project start` fills in the tables of the steps that are there by then.
- `submission.csv`: what you hand in where there is a competition.

`coursekit project check` on this folder says what is still missing. Hand in the folder: the report with its pictures (PNG or JPEG), the
steps, `args.yaml` and `results.csv` of the run that you report, and your notebook. No weights, no data.
"""
