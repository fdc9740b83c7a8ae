"""A page in the browser: a picture goes in, boxes are drawn. Goes with notebook 23_deployment.

The server decodes the picture, so the browser draws exactly what the detector saw, turned as its EXIF says, whatever kind of file it was.
"""

import base64
import hashlib
import io
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.images import PictureError, decode_image
from ..detections import Detections
from ..loopback import Answer, Ask, Refused, Service, as_json

LARGEST = 25_000_000  # bytes of a picture; stands in page.html too, so that the browser need not send what is refused
LONGEST = 1280  # pixels of the longer side that the detector gets: more costs seconds, and networks look at fewer anyway


def fit(image: np.ndarray, longest: int = LONGEST) -> np.ndarray:
    """(3, H, W) uint8, made smaller with its shape kept, so that the longer side has at most ``longest`` pixels."""
    height, width = image.shape[1:]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = Image.fromarray(image.transpose(1, 2, 0)).resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(small).transpose(2, 0, 1).copy()


def look(content: bytes, detect: Callable[[list[Tensor]], list[Detections]], classes: tuple[str, ...]) -> dict:
    """What the page gets for the bytes of a picture.

    Returns:
        ``width``, ``height`` of the picture as it is displayed; ``boxes`` in its pixels, ``scores``, ``labels``, ``names``, best first;
        ``milliseconds`` that ``detect`` took; ``picture``: a data address of what it saw.

    Raises:
        Refused: with one sentence, where the bytes are no picture (400), or the detector has no answer (502).
    """
    try:
        image = decode_image(content, "picture")
    except PictureError as error:
        raise Refused(400, str(error).removeprefix("picture: ")) from None  # the page knows its name
    small = fit(image)
    began = time.perf_counter()
    try:
        (found,) = detect([torch.from_numpy(small)])
    except (ValueError, ConnectionError) as error:
        raise Refused(502, f"the detector has no answer: {error}") from None
    milliseconds = 1000 * (time.perf_counter() - began)
    height, width = image.shape[1:]
    scale = torch.tensor([width, height] * 2) / torch.tensor([*small.shape[:0:-1]] * 2)
    best = found[found.scores.argsort(descending=True, stable=True)]
    labels = best.labels.tolist()
    return {
        "width": width,
        "height": height,
        "milliseconds": milliseconds,
        "boxes": (best.boxes.cpu() * scale).double().round(decimals=2).tolist(),
        "scores": best.scores.double().tolist(),
        "labels": labels,
        "names": [classes[label] if 0 <= label < len(classes) else f"class {label}" for label in labels],
        "picture": _as_address(small),
    }


def _as_address(image: np.ndarray) -> str:
    """A data address that a browser shows: JPEG, or PNG where it is so small that single pixels are seen."""
    kind, content = ("PNG" if max(image.shape) <= 256 else "JPEG"), io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(content, kind, quality=90)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content.getvalue()).decode()}"


def _policy(html: str) -> str:
    """Only the script and the style of this page, only pictures that it was given, only our own server, in nobody's frame."""
    hashes = {}
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        hashes[tag] = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    sources = " ".join(f"{tag}-src 'sha256-{value}';" for tag, value in hashes.items())
    return f"default-src 'none'; {sources} img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class Page:
    """Serves the page, to this machine's own browser only.

        with Page(detector, detector.classes) as page:
            print(page.url)

    Args:
        detect: uint8 (3, H, W) pictures -> a `Detections` for each: a `Client`, an `OnnxDetector`, or a function around `predict`. It is
            called by one thread at a time.
        classes: names of its labels.
        port: 0 takes a free one.

    Attributes:
        url: what to open.

    Raises:
        OSError: where the port is taken.
    """

    def __init__(self, detect: Callable[[list[Tensor]], list[Detections]], classes: tuple[str, ...], port: int = 0):
        self.detect, self.classes = detect, tuple(classes)
        self._html = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
        self._headers = {"Content-Security-Policy": _policy(self._html)}
        self._one = threading.Lock()  # decoding takes memory, and not every detector may be shared
        self._service = Service(self._answer, port, largest=LARGEST)
        self.url = self._service.address

    def start(self) -> "Page":
        """Answer from now on, in threads of its own."""
        self._service.start()
        return self

    def close(self) -> None:
        """Hang up; the port is free again."""
        self._service.close()

    def __enter__(self) -> "Page":
        return self.start()

    def __exit__(self, *_) -> None:
        self.close()

    def _answer(self, ask: Ask) -> Answer:
        if ask.path == "/" and ask.method in ("GET", "HEAD"):
            return Answer(self._html.encode(), "text/html; charset=utf-8", headers=self._headers)
        if ask.path == "/detect" and ask.method == "POST":
            with self._one:
                return as_json(look(ask.body, self.detect, self.classes))
        raise Refused(404, "there is only the page at / and POST /detect")
