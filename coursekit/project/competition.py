"""A competition of one's own: pictures are handed out, labels stay with whoever runs it. Taught in notebook 24_project.

    out/participants/images/*.png             every pixel as it was, no name, no metadata, in no order that says anything
    out/participants/sample_submission.csv    the first thing that can be handed in: nothing found, or always the first class
    out/participants/classes.txt, README.md
    out/keep/hidden.json                      labels and the secret of the split (mode 0600); `board` keeps the submissions beside it

Submissions are scored by `scoring.Competition`.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.folder import FolderDataset
from ..data.formats import find_dataset, read_dataset
from ..data.image_folder import ImageFolder, save_picture
from ..detections import Detections
from ..files import write_text
from .hidden import FILE, Hidden, write_hidden
from .reading import BOXES, LABELS
from .scoring import METRICS, Competition, Score, accuracy, macro_f1
from .submission import write_labels, write_submission

__all__ = ["Competition", "Score", "accuracy", "macro_f1", "make_competition"]


class Picture(NamedTuple):
    """One picture on its way: what it was called, its pixels, its labels."""

    source: str
    image: Tensor
    truth: str | dict


def make_competition(
    data, out: Path | str, public: float = 0.3, seed: int | None = None, metric: str | None = None, classes=None
) -> Competition:
    """Lay out a competition: ``out/participants`` to hand out, ``out/keep`` to keep.

    Args:
        data: a folder of boxes (VOC, COCO, YOLO) or of a folder for each class; or a dataset of (uint8 (3, H, W) image, target), target a
            dict of boxes and labels or a class number, with ``classes``.
        out: a folder. One that holds a competition already is never written over: its secret would be another.
        public: share of the pictures whose score is told at once, between 0 and 1.
        seed: for a competition that can be made again just so; without, the secret is drawn from the system's own source, as it should be
            wherever anybody competes.
        metric: ``"AP"`` (default), ``"AP50"``, ``"AP75"``; for classification ``"macro_f1"`` (default), ``"accuracy"``.
        classes: names, where the dataset has none.

    Returns:
        The `Competition`, as the keeper reads it.

    Raises:
        ValueError: naming the argument; also where a part would be without a picture or without an object.
    """
    out = Path(out)
    if not 0 < public < 1:
        raise ValueError(f"public must be a share between 0 and 1, got {public}")
    if (out / "keep" / FILE).exists() or (out / "participants").exists():
        raise ValueError(f"{out} holds a competition already; give out another folder")
    kind, names, pictures = _opened(data, classes)
    metric = metric or METRICS[kind][0]
    if metric not in METRICS[kind]:
        raise ValueError(f"metric of {kind} must be one of {', '.join(METRICS[kind])}, got {metric!r}")
    salt = secrets.token_hex(16) if seed is None else hashlib.sha256(f"competition {seed}".encode()).hexdigest()[:32]
    hidden, unfinished = Hidden(kind, names, metric, public, salt, {}, {}, {}), out / f".participants.{os.getpid()}.tmp"
    try:
        for picture in pictures:
            _add(hidden, picture, unfinished / "images")
        made = Competition(_in_order(hidden))
        _check_parts(made)
        _hand_out(made, unfinished)
        (out / "keep").mkdir(parents=True, exist_ok=True)
        os.chmod(out / "keep", 0o700)
        write_hidden(out / "keep" / FILE, made.hidden)
        os.replace(unfinished, out / "participants")  # last: who finds pictures finds all of them
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return made


def _opened(data, classes) -> tuple[str, tuple[str, ...], Iterator[Picture]]:
    if isinstance(data, (str, Path)):
        return _from_folder(Path(data))
    names = tuple(classes or getattr(data, "classes", ()) or ())
    if not names or not len(data):
        raise ValueError("data must be a folder, or a dataset with classes and at least one picture")
    detection = isinstance(data[0][1], dict)
    items = ((data[i], i) for i in range(len(data)))
    pictures = (Picture(f"{i:06d}", image, _boxes(target) if detection else names[int(target)]) for (image, target), i in items)
    return ("detection" if detection else "classification"), names, pictures


def _from_folder(root: Path) -> tuple[str, tuple[str, ...], Iterator[Picture]]:
    if not root.exists():
        raise ValueError(f"data must be a folder that exists, got {root}")
    try:
        find_dataset(root)
    except ValueError as no_boxes:
        try:
            folder = ImageFolder(root)
        except ValueError as no_classes:
            raise ValueError(f"data must be a folder of boxes or of a folder for each class. {no_classes}. {no_boxes}") from None
        samples = ((path, folder[i]) for i, (path, _) in enumerate(folder.samples))
        pictures = (Picture(_name(path, root), image, folder.classes[label]) for path, (image, label) in samples)
        return "classification", folder.classes, pictures
    found = read_dataset(root)
    dataset = FolderDataset(found)
    names = [_name(record.path, root) for record in found.images]
    boxes = (Picture(names[i], image, _boxes(target)) for i, (image, target) in ((i, dataset[i]) for i in range(len(dataset))))
    return "detection", found.classes, boxes


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _boxes(target: dict) -> dict:
    boxes = torch.as_tensor(target["boxes"], dtype=torch.float64).reshape(-1, 4)
    labels = torch.as_tensor(target["labels"], dtype=torch.int64)
    crowd = torch.as_tensor(target.get("iscrowd", torch.zeros_like(labels)))
    area = torch.as_tensor(target.get("area", (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)), dtype=torch.float64)
    return {name: np.asarray(value) for name, value in (("boxes", boxes), ("labels", labels), ("iscrowd", crowd), ("area", area))}


def _add(hidden: Hidden, picture: Picture, folder: Path) -> None:
    """Name it anew (a name may be a label, an order may be the classes') and write its pixels without what else the file held."""
    name = "p" + hashlib.sha256(f"{hidden.salt}/name/{picture.source}".encode()).hexdigest()[:12]
    if name in hidden.sizes:
        raise ValueError(f"two pictures are called {picture.source}; their names within data must differ")
    save_picture(picture.image, folder / f"{name}.png", compress_level=3)  # an eighth larger than by default, in a third of the time
    hidden.sizes[name] = (picture.image.shape[2], picture.image.shape[1])
    hidden.truth[name], hidden.sources[name] = picture.truth, picture.source


def _in_order(hidden: Hidden) -> Hidden:
    """By id: the order in which the pictures lay says nothing any more, nor do the times of their files."""
    names = sorted(hidden.sizes)
    sizes, truth, sources = ({name: table[name] for name in names} for table in (hidden.sizes, hidden.truth, hidden.sources))
    return Hidden(hidden.kind, hidden.classes, hidden.metric, hidden.share, hidden.salt, sizes, truth, sources)


def _check_parts(made: Competition) -> None:
    for word, private in (("public", False), ("private", True)):
        part = made.part(private)
        objects = sum(1 if isinstance(made.hidden.truth[name], str) else len(made.hidden.truth[name]["labels"]) for name in part)
        if not objects:
            what = f"{len(part)} of {len(made.ids)} pictures and no object"
            raise ValueError(f"the {word} part would hold {what}: give more pictures, or another share in public")


def _hand_out(made: Competition, folder: Path) -> None:
    for name in made.ids:
        os.utime(folder / "images" / f"{name}.png", (0, 0))  # the order in which they were written was the labels'
    if made.kind == "detection":
        write_submission(folder / "sample_submission.csv", dict.fromkeys(made.ids, Detections.empty()), made.classes)
    else:
        write_labels(folder / "sample_submission.csv", dict.fromkeys(made.ids, made.classes[0]))
    write_text(folder / "classes.txt", "".join(f"{name}\n" for name in made.classes))
    write_text(folder / "README.md", README.format(**_words(made)))


def _words(made: Competition) -> dict[str, str]:
    detection = made.kind == "detection"
    boxes = (
        "corners in pixels of the picture as it is here, score in 0..1. A picture in which you find nothing needs one row with only its id"
    )
    rows = f"a row for each box, `{','.join(BOXES)}`: {boxes}" if detection else f"a row for each picture, `{','.join(LABELS)}`"
    public = f"{len(made.public)} of {len(made.ids)}"
    return {"pictures": f"{len(made.ids)}", "classes": ", ".join(made.classes), "rows": rows, "metric": made.metric, "public": public}


README = """# A competition

{pictures} pictures in `images/`, without labels. Classes: {classes}.

Hand in one CSV like `sample_submission.csv`: {rows}. Every picture must be named.

You are told your {metric} on {public} pictures; nobody knows on which. What counts is told at the end, on all the others. So choose by your
own validation set, and hand in seldom: the best of many on the public part is partly luck.
"""
