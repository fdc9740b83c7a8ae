"""Drawing boxes on pictures, without the screen: what a labelling session knows, and how it is saved. Taught in notebook 04_data.

    >>> session = Session(["a.png", "b.png"], ("stop", "yield"))
    >>> session.add((10, 12, 50, 60), "stop")
    >>> session.go(1)
    >>> session.confirm_empty()          # looked at, nothing there: an answer too
    >>> session.save("my_labels")        # my_labels/voc and my_labels/yolo

`coursekit.plots.labelling` puts sliders and buttons on it.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..files import write_json
from .formats import write_dataset
from .images import read_header
from .records import Annotations, ImageRecord

STATE = "session.json"  # its presence says that the folder is a session's, whose exports may be written again
Drawn = tuple[int, int, int, int, int]  # x1, y1, x2, y2 and label


def voc_to_yolo(boxes: Tensor, width: int, height: int) -> Tensor:
    """Corners as Pascal VOC's XML has them to what a line of YOLO's txt holds.

    Args:
        boxes: (N, 4) xmin, ymin, xmax, ymax: the first and the last column and row of pixels that belong to the object, counted from 1.
        width, height: of the picture in pixels.

    Returns:
        (N, 4) float32 centre x, centre y, width, height, as shares of the picture: the whole of it is (0.5, 0.5, 1, 1).

    Raises:
        ValueError: naming the argument and what was expected.

    Source: the VOC 2007 development kit, section 8; the format of darknet.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes must have shape (N, 4), got {tuple(boxes.shape)}")
    if width < 1 or height < 1:
        raise ValueError(f"width and height must be at least 1, got {width} and {height}")
    low = boxes[:, :2] - 1  # pixel 1 begins at 0
    high = boxes[:, 2:]  # the last pixel ends at its own number
    size = torch.tensor([width, height], dtype=torch.float32)
    return torch.cat([(low + high) / 2 / size, (high - low) / size], dim=1)


class Session:
    """Pictures to label, one after another, and the boxes drawn so far.

    Args:
        pictures: files, at least one.
        classes: names, at least one; a label is a place among them.

    ``place`` is the picture that is shown; ``boxes[i]`` lists what was drawn on picture i as (x1, y1, x2, y2, label) in whole pixels,
    half-open; ``done[i]`` says whether somebody has decided about it. A picture that nobody has looked at is not saved: in a data set it
    would say "here is nothing".

    Raises:
        ValueError: naming the argument; `images.PictureError` for a file that is no picture.
    """

    def __init__(self, pictures: Sequence[str | Path], classes: Sequence[str]):
        self.pictures, self.classes = [Path(path) for path in pictures], tuple(classes)
        if not self.pictures:
            raise ValueError("pictures must hold at least one file, got none")
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes must be different names, at least one, got {list(classes)}")
        headers = [read_header(path) for path in self.pictures]
        self.sizes = [(header.width, header.height) for header in headers]
        self.boxes: list[list[Drawn]] = [[] for _ in self.pictures]
        self.done = [False] * len(self.pictures)
        self.place = 0
        self._before: list[tuple[int, list[Drawn], bool]] = []  # for undo: picture, its boxes and its mark before the last change

    def __len__(self) -> int:
        return len(self.pictures)

    def __str__(self) -> str:
        left = self.done.count(False)
        here = len(self.boxes[self.place])
        count = sum(map(len, self.boxes))
        return (
            f"picture {self.place + 1} of {len(self)}: {here} box{'' if here == 1 else 'es'} here, {count} in all, "
            f"{left} picture{'' if left == 1 else 's'} left"
        )

    def add(self, box: Sequence[float], label: int | str) -> Drawn:
        """Draw a box on the picture that is shown.

        Args:
            box: two corners, x and y of each, in pixels, in whatever order they were clicked; fractions are rounded.
            label: a class's name or place.

        Returns:
            What was stored.

        Raises:
            ValueError: for a box without area or beyond the picture, or a class that there is not.
        """
        width, height = self.sizes[self.place]
        xa, ya, xb, yb = (round(float(value)) for value in box)
        (x1, x2), (y1, y2) = sorted((xa, xb)), sorted((ya, yb))
        if x1 == x2 or y1 == y2:
            raise ValueError(f"box must be at least one pixel wide and high, got {(x1, y1, x2, y2)}")
        if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
            raise ValueError(f"box must lie in the picture of {width} x {height} pixels, got {(x1, y1, x2, y2)}")
        drawn = (x1, y1, x2, y2, self._label(label))
        self._change([*self.boxes[self.place], drawn])
        return drawn

    def _label(self, label: int | str) -> int:
        if isinstance(label, str):
            if label not in self.classes:
                raise ValueError(f"label must be one of {', '.join(self.classes)}, got {label!r}")
            return self.classes.index(label)
        if not 0 <= label < len(self.classes):
            raise ValueError(f"label must lie in 0..{len(self.classes) - 1}, got {label}")
        return int(label)

    def remove(self, index: int = -1) -> Drawn:
        """Take a box off the picture that is shown, the last one by default.

        Raises:
            ValueError: if there is no such box.
        """
        here = list(self.boxes[self.place])
        if not -len(here) <= index < len(here):
            raise ValueError(f"index must be one of the {len(here)} boxes of this picture, got {index}")
        taken = here.pop(index)
        self._change(here, done=bool(here))
        return taken

    def confirm_empty(self) -> None:
        """Say that nothing is to be seen on the picture that is shown. Boxes that were drawn on it go."""
        self._change([])

    def undo(self) -> bool:
        """Take the last change back, and show its picture. False where there is nothing to take back."""
        if not self._before:
            return False
        self.place, boxes, done = self._before.pop()
        self.boxes[self.place], self.done[self.place] = boxes, done
        return True

    def _change(self, boxes: list[Drawn], done: bool = True) -> None:
        self._before.append((self.place, self.boxes[self.place], self.done[self.place]))
        self.boxes[self.place], self.done[self.place] = boxes, done

    def go(self, step: int) -> int:
        """Show the next picture (1) or the one before (-1); at the ends it stays. Returns the place."""
        self.place = min(max(self.place + step, 0), len(self) - 1)
        return self.place

    def annotations(self) -> Annotations:
        """The pictures that somebody has decided about, as any reader of `coursekit.data` gives them. ``image_id`` counts all from 1."""
        records = []
        for index, (path, (width, height)) in enumerate(zip(self.pictures, self.sizes, strict=True)):
            if self.done[index]:
                drawn = np.array(self.boxes[index], dtype=np.float32).reshape(-1, 5)
                records.append(ImageRecord(path, index + 1, width, height, drawn[:, :4], drawn[:, 4].astype(np.int64)))
        return Annotations(self.classes, records)

    def save(self, folder: str | Path, formats: Sequence[str] = ("voc", "yolo"), split: str = "train") -> dict[str, Path]:
        """Write what was drawn, once in each format, with copies of the pictures; and the session itself, for `load`.

        Saving again writes it all anew. In a folder that is not a session's nothing is overwritten.

        Returns:
            The folder of each format.

        Raises:
            ValueError: if nothing is labelled yet, or the folder holds other people's data.
        """
        folder = Path(folder)
        found = self.annotations()
        if not found.images:
            raise ValueError("there is nothing to save: draw a box first, or confirm that a picture is empty")
        places = {format: folder / format for format in formats}
        taken = [str(place) for place in places.values() if place.exists() and not (folder / STATE).is_file()]
        if taken:
            raise ValueError(f"folder must be new, or one that a session was saved in; {taken[0]} is somebody else's")
        state = {"pictures": list(map(str, self.pictures)), "classes": self.classes, "boxes": self.boxes, "done": self.done}
        write_json(folder / STATE, state)  # first: whoever is interrupted below may save again
        for format, place in places.items():
            shutil.rmtree(place, ignore_errors=True)
            write_dataset(found, place, format, split)
        return places

    @classmethod
    def load(cls, folder: str | Path) -> "Session":
        """A session as it was saved, at its first picture that is not done.

        Raises:
            ValueError: if there is none in this folder, or it is damaged.
        """
        file = Path(folder) / STATE
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))
            session = cls(stored["pictures"], stored["classes"])
            session.boxes = [[tuple(map(int, drawn)) for drawn in boxes] for boxes in stored["boxes"]]
            session.done = [bool(done) for done in stored["done"]]
        except FileNotFoundError:
            raise ValueError(f"folder must hold a session that was saved, and there is no {file}") from None
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"{file} is not a session that can be read: {error!r}") from None
        if not len(session.boxes) == len(session.done) == len(session):
            raise ValueError(f"{file} is not a session that can be read: it lists {len(session.boxes)} of {len(session)} pictures")
        session.place = session.done.index(False) if False in session.done else 0
        return session
