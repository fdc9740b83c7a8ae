"""COCO JSON files into `EvalInputs`, without ever holding all of a large file as Python objects.

300,000 detections are 40 MB of text, 20 MB of arrays, and 200 MB of dicts between the two. A list of detections is therefore read
some thousand at a time. It is cut at `},`: where that is not the end of a detection, but inside a nested dict or a string, the text
before it is no valid JSON, and the file is read in one piece instead. So every file means what it means to `json.load`.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from .coco_json import from_coco, from_pieces
from .inputs import EvalInputs

PIECE = 1 << 18  # bytes: little enough to stay in the processor's cache


def read_coco(truth: Path, detections: Path, detection_areas: bool = False) -> EvalInputs:
    """Read a ground truth and a results file.

    Args:
        detection_areas: see `coco_json.from_coco`.

    Raises:
        ValueError: naming the file that is no JSON, or the two files and what is missing or malformed in them.
    """
    ground_truth = read_json(truth, skip="segmentation")
    try:
        try:
            return from_pieces(ground_truth, pieces(detections), detection_areas)
        except _InOnePiece:
            whole = read_json(detections)
        return from_coco(ground_truth, whole, detection_areas)
    except ValueError as error:
        raise error if isinstance(error, NotJSON) else ValueError(f"{truth} with {detections}: {error}") from None


class NotJSON(ValueError):
    """A file that is not what its name says."""


def read_json(path: Path, skip: str | None = None):
    """A whole file. The key `skip` is left out of every dict as soon as it is read: outlines take most of a COCO file and decide nothing.

    Raises:
        NotJSON: a ValueError that says where.
    """

    def without(found: dict) -> dict:
        found.pop(skip, None)
        return found

    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"), object_hook=without if skip else None)
    except UnicodeDecodeError as error:
        raise NotJSON(f"{path} is not text in UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise NotJSON(f"{path} is not COCO JSON: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise NotJSON(f"{path} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None


class _InOnePiece(Exception):
    """This file cannot be cut."""


def pieces(path: Path, size: int = PIECE) -> Iterator[list]:
    """The entries of a JSON list, as many at a time as begin in `size` bytes."""
    with open(path, "rb") as file:
        rest = file.read(size).removeprefix(b"\xef\xbb\xbf").lstrip()
        if not rest.startswith(b"["):
            raise _InOnePiece
        rest, after_comma = rest[1:], False
        while more := file.read(size):
            rest += more
            cut = rest.rfind(b"},")
            if cut >= 0:
                yield _parse(b"[" + rest[: cut + 1] + b"]")
                rest, after_comma = rest[cut + 2 :], True
        last = _parse(b"[" + rest)
        if after_comma and not last:
            raise _InOnePiece  # a comma before the end: no JSON, and reading it as a whole says so
        yield last


def _parse(text: bytes) -> list:
    try:
        return json.loads(text.decode("utf-8"))
    except (UnicodeDecodeError, RecursionError, json.JSONDecodeError):
        raise _InOnePiece from None
