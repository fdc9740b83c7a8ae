"""Our own small inference server: Triton's protocol over HTTP, for one detector on ONNX Runtime. Goes with notebook 23_deployment.

What a learner without Triton uses instead; the same `Client` talks to both.
"""

import threading
from collections import Counter
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

import numpy as np

from .. import __version__
from ..loopback import Answer, Ask, Refused, Service, as_json
from . import protocol
from .batcher import Batcher

LARGEST = 64_000_000  # bytes of a request: eight pictures of 1600 x 1600
PATIENCE = 60.0  # seconds for the detector


class Runs(Protocol):
    """What `session.OnnxDetector` is."""

    classes: tuple[str, ...]
    imgsz: int

    def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]: ...


class LocalServer:
    """Serves one file of `export_onnx(..., preprocess=True, nms=True)` as the model ``detector``, to this machine only.

        with LocalServer("detector.onnx") as server, Client(server.url) as detect:
            found = detect(pictures)

    Args:
        onnx_path: the file; or a detector that is loaded already, such as an `OnnxDetector`.
        port: 0 takes a free one.
        max_batch, max_wait: how requests are put together, see `batcher.plan_batches`. A request of more pictures is refused.
        threads: of ONNX Runtime; None as many as there are cores.

    Attributes:
        url: "127.0.0.1:PORT".

    Raises:
        ValueError, OSError: for a file that is not there, or no such detector; for a port that is taken.
    """

    def __init__(
        self,
        onnx_path: str | Path | Runs,
        port: int = 0,
        max_batch: int = 8,
        max_wait: float = 0.005,
        threads: int | None = None,
    ):
        if isinstance(onnx_path, str | Path):
            from .session import OnnxDetector

            self.detector = OnnxDetector(onnx_path, threads)
        else:
            self.detector = onnx_path
        self.max_batch, self.max_wait = max_batch, max_wait
        self._batcher = Batcher(self._run, max_batch, max_wait, key=lambda picture: picture.shape)
        self._counts, self._lock = Counter(success=0, failure=0, pictures=0), threading.Lock()
        try:
            self._service = Service(self._answer, port, largest=LARGEST)
        except OSError:
            self._batcher.close()
            raise
        self.url = self._service.hosts[0]

    def start(self) -> "LocalServer":
        """Answer from now on, in threads of its own."""
        self._service.start()
        return self

    def close(self) -> None:
        """Hang up on everybody; the port is free again."""
        self._service.close()
        self._batcher.close()

    def __enter__(self) -> "LocalServer":
        return self.start()

    def __exit__(self, *_) -> None:
        self.close()

    def _answer(self, ask: Ask) -> Answer:
        place = ask.path.strip("/").split("/")
        if place[:2] == ["v2", "models"] and len(place) > 2:
            return self._model(ask, place[2], place[3:])
        if ask.method not in ("GET", "HEAD"):
            raise Refused(405, f"{ask.path[:80]} can only be read")
        if ask.path in ("/v2/health/live", "/v2/health/ready"):
            return Answer(b"")
        if ask.path == "/v2":
            return as_json({"name": "coursekit", "version": __version__, "extensions": ["binary_tensor_data", "model_configuration"]})
        if ask.path == "/metrics":
            return Answer(self._metrics().encode(), "text/plain; charset=utf-8")
        raise Refused(404, f"there is nothing at {ask.path[:80]}")

    def _model(self, ask: Ask, name: str, rest: list[str]) -> Answer:
        if rest[:1] == ["versions"]:
            if rest[1:2] != ["1"]:
                raise Refused(404, f"there is no such version of model {name[:80]!r}, only 1")
            rest = rest[2:]
        if name != "detector":
            raise Refused(404, f"there is no model {name[:80]!r} here, only 'detector'")
        if rest == ["infer"]:
            if ask.method != "POST":
                raise Refused(405, "an inference must be sent by POST")
            return self._infer(ask)
        if ask.method not in ("GET", "HEAD"):
            raise Refused(405, f"{ask.path[:80]} can only be read")
        if rest == ["ready"]:
            return Answer(b"")
        if rest == []:
            return as_json(protocol.model_metadata())
        if rest == ["config"]:
            detector = self.detector
            return as_json(protocol.model_config(detector.classes, detector.imgsz, self.max_batch, self.max_wait))
        raise Refused(404, f"there is nothing at {ask.path[:80]}")

    def _infer(self, ask: Ask) -> Answer:
        try:
            request = protocol.read_request(ask.body, ask.headers.get(protocol.LENGTH_HEADER))
            if len(request.pixels) > self.max_batch:
                raise ValueError(f"a request may have at most {self.max_batch} pictures, got {len(request.pixels)}")
            futures = [self._submit(picture) for picture in request.pixels]
            body, length = protocol.write_response(request, _together([_result(future) for future in futures]))
        except BaseException:
            self._count(failure=1)
            raise
        self._count(success=1, pictures=len(request.pixels))
        if length is None:
            return Answer(body)
        return Answer(body, "application/octet-stream", headers={protocol.LENGTH_HEADER: str(length)})

    def _submit(self, picture: np.ndarray) -> Future:
        try:
            return self._batcher.submit(picture)
        except RuntimeError:
            raise Refused(503, "the server is closing") from None

    def _run(self, pictures: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
        outputs = self.detector.run(np.stack(pictures))
        return [{name: outputs[name][number] for name in protocol.OUTPUTS} for number in range(len(pictures))]

    def _count(self, **more: int) -> None:
        with self._lock:
            self._counts.update(more)

    def _metrics(self) -> str:
        """Counters under Triton's names, in the text that Prometheus reads."""
        with self._lock:
            counts = dict(self._counts)
        said = {
            "nv_inference_request_success": ("requests answered", counts["success"]),
            "nv_inference_request_failure": ("requests refused or failed", counts["failure"]),
            "nv_inference_count": ("pictures in the requests answered", counts["pictures"]),
            "nv_inference_exec_count": ("batches run", sum(self._batcher.sizes.copy().values())),
        }
        return "".join(
            f'# HELP {name} Number of {text}\n# TYPE {name} counter\n{name}{{model="detector",version="1"}} {count}\n'
            for name, (text, count) in said.items()
        )


def _result(future: Future) -> dict[str, np.ndarray]:
    try:
        return future.result(PATIENCE)
    except TimeoutError:
        future.cancel()
        raise Refused(503, f"the detector took longer than {PATIENCE:g} s") from None


def _together(found: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Pictures that were run in several batches, as one: shorter lists are filled up with zeros, and with label -1."""
    most = max(len(one["scores"]) for one in found)
    padded = {"boxes": (0, (most, 4)), "scores": (0, (most,)), "labels": (-1, (most,))}
    whole = {"count": np.array([one["count"] for one in found], np.int64)}
    for name, (empty, shape) in padded.items():
        whole[name] = np.full((len(found), *shape), empty, dtype=protocol.OUTPUTS[name][1])
        for row, one in zip(whole[name], found, strict=True):
            row[: len(one[name])] = one[name]
    return whole
