"""A detector that runs on a server, used like one in this process. Taught in notebook 23_deployment.

with Client("localhost:8000") as detect:
    found = detect(pictures)          # as `yolo.predict.predict` answers
    with batching(detect) as batcher: # many threads, one picture each, few requests
        batcher.submit(picture).result()
"""

import json
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ..detections import Detections
from .batcher import Batcher
from .session import BATCH, by_size
from .wire import Lost, wire

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between tries: doubled each time


class Client:
    """Asks an inference server (Triton, or `local.LocalServer`) for what is in pictures. May be used by many threads at once.

    A line that breaks and a server that is not ready are tried again, since detecting changes nothing on the server; an error that the
    server tells is not.

    Args:
        url: "HOST:PORT".
        model: its name on the server; takes and gives what `yolo.export` says of a file with preprocessing and suppression.
        protocol: "http" or "grpc" (Triton serves them on different ports).
        timeout: seconds for one try.
        patience: seconds after the first failure within which another try begins; 0 for a single one.

    Raises:
        ValueError: for an argument that makes no sense, or where tritonclient is not installed. The server is not asked yet.
    """

    def __init__(
        self,
        url: str = "localhost:8000",
        model: str = "detector",
        protocol: str = "http",
        timeout: float = 10.0,
        patience: float = 30.0,
    ):
        if not 0 < timeout < float("inf") or not 0 <= patience < float("inf"):
            raise ValueError(f"timeout must be above 0 and patience at least 0 seconds, got {timeout} and {patience}")
        self.url, self.model, self.patience = url, model, patience
        self._wire = wire(url, protocol, timeout)
        self._closed, self._lock = threading.Event(), threading.Lock()
        self._config: dict | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels, as the model's config gives them; asked for once.

        Raises:
            ConnectionError, ValueError: as a call does; ValueError also where the config does not have them.
        """
        try:
            names = json.loads(self.config()["parameters"]["classes"]["string_value"])
        except (KeyError, TypeError, json.JSONDecodeError):
            names = None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{self.url} does not say the classes of model {self.model!r} (a JSON list in its parameter 'classes')")
        return tuple(names)

    def __call__(self, pictures: list[Tensor]) -> list[Detections]:
        """Find objects: one request for the pictures of each size, more where the server takes fewer at a time.

        Args:
            pictures: uint8 (3, H, W) RGB, of any sizes; or one tensor (B, 3, H, W).

        Returns:
            One `Detections` for each picture, in its own pixels, on the CPU.

        Raises:
            ValueError: naming the picture that is none, or with what the server said against the request.
            ConnectionError: where there was no answer within `patience`.
        """
        _check(pictures)
        found: list[Detections] = [Detections.empty()] * len(pictures)
        shapes = [tuple(picture.shape) for picture in pictures]
        for members in by_size(shapes, self._most() if len(pictures) else 1):
            pixels = torch.stack([pictures[number] for number in members]).permute(0, 2, 3, 1).contiguous().cpu().numpy()
            outputs = self._insist(lambda pixels=pixels: self._wire.infer(self.model, pixels))
            for number, one in zip(members, self._checked(outputs, len(members)), strict=True):
                found[number] = one
        return found

    def ready(self) -> bool:
        """Would a request be answered now? One try, no patience, no error."""
        return not self._closed.is_set() and self._wire.ready(self.model)

    def metadata(self) -> dict:
        """What the server says of the model: its versions, inputs and outputs."""
        return self._insist(lambda: self._wire.metadata(self.model))

    def config(self) -> dict:
        """How the server runs the model; asked for once."""
        with self._lock:
            if self._config is None:
                self._config = self._insist(lambda: self._wire.config(self.model))
            return self._config

    def close(self) -> None:
        """Hang up; a call that waits in another thread for the server to come back ends with an error."""
        self._closed.set()
        self._wire.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _most(self) -> int:
        """Pictures of a request."""
        most = self.config().get("max_batch_size", 0)
        return most if isinstance(most, int) and most > 0 else BATCH  # 0: the server has no limit

    def _checked(self, outputs: dict[str, np.ndarray], batch: int) -> list[Detections]:
        try:
            return read_outputs(outputs, batch)
        except ValueError as error:
            raise ValueError(f"{self.url} answered what is no detection: {error}") from None

    def _insist(self, ask: Callable[[], T]) -> T:
        """Ask until there is an answer, or `patience` is over."""
        failed, pause = None, FIRST_PAUSE
        while not self._closed.is_set():
            try:
                return ask()
            except Lost as error:
                now = time.monotonic()
                failed = now if failed is None else failed
                if now + pause - failed > self.patience:
                    tried = f" (tried for {self.patience:g} s)" if self.patience else ""
                    raise ConnectionError(f"no answer from {self.url}{tried}: {error}") from None
            except ValueError as error:
                raise ValueError(f"{self.url}, model {self.model!r}: {error}") from None
            self._closed.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise ConnectionError(f"this client of {self.url} is closed")


def _check(pictures: list[Tensor]) -> None:
    for number, picture in enumerate(pictures):
        _check_picture(picture, f"pictures[{number}]")


def _check_picture(picture: Tensor, name: str = "a picture") -> tuple[int, ...]:
    """Its shape, by which pictures go together."""
    if not isinstance(picture, Tensor):
        raise ValueError(f"{name} must be a tensor, uint8 of shape (3, H, W), got {type(picture).__name__}")
    if picture.ndim != 3 or picture.shape[0] != 3 or picture.dtype != torch.uint8 or not picture.numel():
        raise ValueError(f"{name} must be uint8 of shape (3, H, W), got {picture.dtype} {tuple(picture.shape)}")
    return tuple(picture.shape)


def read_outputs(outputs: dict[str, np.ndarray], batch: int) -> list[Detections]:
    """The four arrays of a detector with suppression -> `Detections`, believing nothing.

    Args:
        outputs: boxes (B, K, 4), scores (B, K), labels (B, K), count (B,) or (B, 1); the first ``count`` of the K are real.
        batch: B, as it was asked.

    Raises:
        ValueError: naming the first that has another shape, or values that no detector gives.
    """
    boxes, scores, labels, count = (outputs[name] for name in ("boxes", "scores", "labels", "count"))
    most = boxes.shape[1] if boxes.ndim == 3 else 0
    shapes = {"boxes": (batch, most, 4), "scores": (batch, most), "labels": (batch, most)}
    for name, shape in shapes.items():
        if outputs[name].shape != shape:
            raise ValueError(f"{name} must have shape {shape if boxes.ndim == 3 else f'({batch}, K, 4)'}, got {outputs[name].shape}")
    if count.shape not in ((batch,), (batch, 1)):
        raise ValueError(f"count must have shape ({batch},), got {count.shape}")
    found = []
    for number, real in enumerate(count.reshape(-1).tolist()):
        if not 0 <= real <= most:
            raise ValueError(f"count[{number}] must lie in 0..{most}, got {real}")
        one = boxes[number, :real], scores[number, :real], labels[number, :real]
        if not np.isfinite(one[0]).all():
            raise ValueError(f"boxes[{number}] hold numbers that are not finite")
        if not ((one[1] >= 0) & (one[1] <= 1)).all():
            raise ValueError(f"scores[{number}] must lie in 0..1")
        if (one[2] < 0).any():
            raise ValueError(f"labels[{number}] hold the padding {one[2].min()} among the first {real}")
        found.append(Detections(*(torch.from_numpy(values.copy()) for values in one)))
    return found


def batching(client: Callable[[list[Tensor]], list[Detections]], max_batch: int = 8, max_wait: float = 0.005) -> Batcher:
    """Many threads submit single pictures, few requests go out: pictures of one size that come together share one.

    Args:
        client: a `Client`, or anything else that detects in a list of pictures.

    Returns:
        A `Batcher` of uint8 (3, H, W) pictures, whose futures give one `Detections` each. What is no picture is refused at once.
    """
    return Batcher(client, max_batch, max_wait, key=_check_picture)
