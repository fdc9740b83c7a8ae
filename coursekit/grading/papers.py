"""What a student hands in beside the notebook, for a person to look at: the project's report, its tables, run files and pictures.

Texts are shown as texts. Of pictures, PNG and JPEG, only the pixels go on: each is decoded and packed anew, smaller, so that none of the
bytes that a student sent reaches a browser. Nothing here counts for a grade that a machine gives.
"""

import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .cells import clean
from .handed_in import MEGABYTE, Node, Unreadable
from .names import shown

TEXTS = (".md", ".txt", ".csv", ".json", ".yaml", ".yml")
PICTURES = (".png", ".jpg", ".jpeg")
LARGEST_TEXT, LARGEST_PICTURE, LARGEST_SUBMISSION = MEGABYTE, 8 * MEGABYTE, 64 * MEGABYTE
LARGEST = 80 * MEGABYTE  # of one student
MOST_TEXTS, MOST_PICTURES = 20, 12
MOST_PIXELS, SIDE = 30_000_000, 1000  # of a picture as it came; its longer side as it is shown
LONGEST = 20_000  # characters that are kept of a text that is no report
LONGEST_REPORT = 400_000

_PLATFORM = re.compile(r"[^_/]+_(?:LATE_)?\d+_\d+_(.+)|.+_\d+_assignsubmission_(?:file|onlinetext)_(.+)|.+?--(.+)")
_REPORT = re.compile(r"(?i)report|보고서")
_MAGIC = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}

Scorer = Callable[[bytes, str], str]  # (bytes of a submission, its name) -> what to tell the marker


@dataclass(frozen=True)
class Paper:
    """One file.

    Args:
        name: as it may be shown, without the student's own name in front.
        kind: ``"report"``, ``"submission"``, ``"text"`` or ``"picture"``.
        text: of a text, cut where it is long.
        picture: PNG of our own making.
        note: why it is not shown, or what a machine says about it.
    """

    name: str
    kind: str
    text: str = ""
    picture: bytes = b""
    note: str = ""


def is_paper(name: str) -> bool:
    """A text or a picture, by its name."""
    return name.lower().endswith((*TEXTS, *PICTURES)) and not name.lower().endswith((".ipynb.json", ".ipynb.txt"))


def papers_of(files: Iterable[tuple[str, Node]], scorer: Scorer | None = None) -> tuple[Paper, ...]:
    """The papers among a student's files: the report first, then the submission, the other texts, the pictures.

    Args:
        files: (path, file) as `handed_in.files_below` gives them.
        scorer: what says something about the submission.
    """
    found = [(own_name(path), node) for path, node in files]
    reports = sorted((name.count("/"), -(node.time or 0), name) for name, node in found if _may_be_report(name))
    report = reports[0][2] if reports else next((name for name, _ in found if _only_markdown(name, found)), None)
    papers, left, room = [], LARGEST, {"picture": MOST_PICTURES, "text": MOST_TEXTS}
    for name, node in found:
        kind = "report" if name == report else _kind(name)
        slot = "picture" if kind == "picture" else "text"
        if kind in room and room[slot] <= 0:
            continue
        room[slot] -= kind in room
        try:
            raw = _read(node, kind, left)
            left -= len(raw)
            papers.append(_paper(name, kind, raw, scorer))
        except Unreadable as problem:
            papers.append(Paper(name, kind, note=f"{problem}"))
    order = ("report", "submission", "text", "picture")
    return tuple(sorted(papers, key=lambda paper: order.index(paper.kind)))


def own_name(path: str) -> str:
    """The name as the student had it: what a learning platform or the teacher put in front says whose it is."""
    inside = path.partition("/")[2] or path
    match = _PLATFORM.fullmatch(inside[:400]) if "/" not in inside else None
    inside = next((group for group in match.groups() if group), inside) if match else inside
    return shown(inside)


def _may_be_report(name: str) -> bool:
    return name.lower().endswith((".md", ".txt")) and bool(_REPORT.search(name.rpartition("/")[2]))


def _only_markdown(name: str, found: list[tuple[str, Node]]) -> bool:
    """Whatever it is called: where there is one text in markdown that is no README, it is the report."""
    texts = [other for other, _ in found if other.lower().endswith(".md") and not other.rpartition("/")[2].lower().startswith("readme")]
    return texts == [name]


def _kind(name: str) -> str:
    last = name.rpartition("/")[2].lower()
    if last.endswith(PICTURES):
        return "picture"
    return "submission" if last.endswith(".csv") and last.startswith("submission") else "text"


def _read(node: Node, kind: str, left: int) -> bytes:
    if node.problem or node.read is None:
        raise Unreadable(node.problem or "lies too deep")
    if left <= 0:
        raise Unreadable(f"is not read: there are more than {LARGEST // MEGABYTE} MB of files")
    most = {"picture": LARGEST_PICTURE, "submission": LARGEST_SUBMISSION}.get(kind, LARGEST_TEXT)
    if node.size > most:
        raise Unreadable(f"is larger than the {most // MEGABYTE} MB that are looked at")
    return node.read(min(most, max(left, MEGABYTE)))


def _paper(name: str, kind: str, raw: bytes, scorer: Scorer | None) -> Paper:
    if kind == "picture":
        return Paper(name, kind, picture=shrunk(raw))
    most = LONGEST_REPORT if kind == "report" else LONGEST
    note = scorer(raw, name.rpartition("/")[2]) if kind == "submission" and scorer else ""
    return Paper(name, kind, _text(raw[: 4 * most])[:most], note=note)


def _text(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return clean(raw.decode("utf-16", "replace"))
    if b"\0" in raw:
        raise Unreadable("is no text")
    return clean(raw.decode("utf-8-sig", "replace"))


def shrunk(raw: bytes) -> bytes:
    """A picture as a PNG of at most 1000 pixels a side: its pixels and nothing else of the file.

    Raises:
        Unreadable: it is neither PNG nor JPEG, is damaged, or has more pixels than are unpacked.
    """
    from PIL import Image

    from coursekit.data.images import PictureError, decode_image

    kind = next((kind for magic, kind in _MAGIC.items() if raw.startswith(magic)), None)
    if kind is None:
        raise Unreadable("is neither a PNG nor a JPEG inside")
    try:
        with Image.open(io.BytesIO(raw), formats=[kind]) as header:
            pixels = header.width * header.height
        if pixels > MOST_PIXELS:
            raise Unreadable(f"has {pixels // 1_000_000} million pixels; at most {MOST_PIXELS // 1_000_000} are unpacked")
        picture = Image.fromarray(decode_image(raw).transpose(1, 2, 0))
    except (PictureError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("is damaged") from None
    picture.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
