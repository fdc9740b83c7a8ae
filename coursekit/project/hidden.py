"""What the keeper of a competition keeps: labels, sizes and the secret of the split, in one file that only its owner may read."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..files import write_atomically

FILE = "hidden.json"
FORMAT = 1
LARGEST = 200_000_000


@dataclass(frozen=True)
class Hidden:
    """Everything that is not handed out.

    Args:
        kind: ``"detection"`` or ``"classification"``.
        classes: names in the order of the labels.
        metric: what is measured.
        share: of the pictures whose score is public, about.
        salt: the secret that decides which.
        sizes: id -> (width, height) in pixels, in the order of the ids.
        truth: id -> class name; detection: dict(boxes, labels, iscrowd, area) as NumPy arrays.
        sources: id -> what the picture was called.
    """

    kind: str
    classes: tuple[str, ...]
    metric: str
    share: float
    salt: str
    sizes: dict[str, tuple[int, int]]
    truth: dict[str, str | dict]
    sources: dict[str, str]


def write_hidden(path: Path | str, hidden: Hidden) -> None:
    """Write it, all or nothing, for the owner's eyes only (0600, where the system knows such modes)."""
    pictures = {}
    for name, size in hidden.sizes.items():
        truth = hidden.truth[name]
        told = {"label": truth} if isinstance(truth, str) else {key: np.asarray(value).tolist() for key, value in truth.items()}
        pictures[name] = {"size": list(size), "source": hidden.sources.get(name, ""), **told}
    head = {"format": FORMAT, "kind": hidden.kind, "classes": list(hidden.classes), "metric": hidden.metric}
    content = json.dumps({**head, "share": hidden.share, "salt": hidden.salt, "pictures": pictures}, ensure_ascii=False, allow_nan=False)

    def write(temporary: Path) -> None:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(content)

    write_atomically(path, write)


def read_hidden(path: Path | str) -> Hidden:
    """Read it back.

    Args:
        path: the file, or its folder.

    Raises:
        ValueError: it is no such file, naming the field.
        OSError: it cannot be opened.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise ValueError(f"{path}: there are no hidden labels; `coursekit project compete make` writes them into the folder keep")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path}: hidden labels have at most {LARGEST // 1_000_000} MB")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"{path}: is of format {data['format']!r}, this version reads {FORMAT}")
        detection = {"detection": True, "classification": False}[data["kind"]]
        pictures = data["pictures"]
        truth = {name: _boxes(entry) if detection else str(entry["label"]) for name, entry in pictures.items()}
        sizes = {name: (int(entry["size"][0]), int(entry["size"][1])) for name, entry in pictures.items()}
        sources = {name: str(entry["source"]) for name, entry in pictures.items()}
        classes = tuple(map(str, data["classes"]))
        return Hidden(data["kind"], classes, str(data["metric"]), float(data["share"]), str(data["salt"]), sizes, truth, sources)
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: is no file of hidden labels as `coursekit project compete make` writes it ({error!r:.80})") from None


def _boxes(entry: Mapping) -> dict:
    boxes = np.array(entry["boxes"], dtype=np.float64).reshape(-1, 4)
    labels = np.array(entry["labels"], dtype=np.int64)
    return {"boxes": boxes, "labels": labels, "iscrowd": np.array(entry["iscrowd"]), "area": np.array(entry["area"], dtype=np.float64)}
