"""The rows of serving.py: the detector in this process or on a server, ready to be asked; and how much memory it takes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np

ROWS = {
    "eager": "PyTorch, eager",
    "fused": "PyTorch, eager, normalisations folded",
    "compiled": "PyTorch, torch.compile, weights frozen",
    "onnx": "ONNX Runtime",
    "int8": "ONNX Runtime, int8",
    "local": "our server, HTTP",
    "triton-http": "Triton, HTTP",
    "triton-grpc": "Triton, gRPC",
}
MAX_BATCH, MAX_WAIT = 16, 0.002  # of both servers
SURE, ALL = 0.25, 0.001  # confidence: as a service answers, and as AP asks


def in_torch(row: str) -> SimpleNamespace:
    """PyTorch in this process; ``ap`` is the same model with every score above 0.001, so that it is compiled once."""
    import torch

    from coursekit.yolo import fuse, load_shipped, predict

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    model = load_shipped()
    if row == "fused":
        model = fuse(model)
    if row == "compiled":
        import torch._inductor.config

        torch._inductor.config.freezing = True  # weights are constants, so normalisations are folded, and it compiles in half the time
        model = torch.compile(model)

    def detect(pictures, confidence=SURE):
        return predict(model, pictures, confidence=confidence, batch=MAX_BATCH)

    ap = partial(detect, confidence=ALL)
    return SimpleNamespace(detect=detect, ap=ap, raw=lambda pixels: detect(tensors(pixels)), processes=lambda: [os.getpid()])


@contextmanager
def opened(row: str, folder: Path, confidence: float, threads: int) -> Iterator[SimpleNamespace]:
    """A row ready to work: ``detect`` takes tensors, ``raw`` an array; ``processes`` are those that infer; for ``ap`` see `in_torch`."""
    if row in ("eager", "fused", "compiled"):
        yield in_torch(row)
        return
    file = folder / f"{'int8' if row == 'int8' else 'float'}-{confidence}.onnx"
    if row in ("onnx", "int8"):
        from coursekit.serving.session import OnnxDetector

        detector = OnnxDetector(file, threads)
        yield SimpleNamespace(detect=detector, ap=None, raw=detector.run, processes=lambda: [os.getpid()])
        return
    from coursekit.serving.client import Client

    protocol, server = "grpc" if row == "triton-grpc" else "http", local(file, threads) if row == "local" else triton(file, threads, row)
    with server as (url, processes), Client(url, protocol=protocol, timeout=60) as client:
        yield SimpleNamespace(detect=client, ap=None, raw=lambda pixels: client(tensors(pixels)), processes=processes)


@contextmanager
def local(file: Path, threads: int) -> Iterator[tuple[str, Callable]]:
    """`LocalServer` in a process of its own, which ends when its input does."""
    command = [sys.executable, __file__, str(file), str(threads)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip(), lambda: [process.pid]
        finally:
            process.stdin.close()


@contextmanager
def triton(file: Path, threads: int, row: str) -> Iterator[tuple[str, Callable]]:
    """A Triton with this file alone: the server, and the stub that runs its Python backend."""
    from coursekit.serving.repository import write_repository
    from coursekit.serving.triton import Triton

    with tempfile.TemporaryDirectory() as folder:
        write_repository(file, Path(folder) / "models", max_batch=MAX_BATCH, max_delay_ms=1e3 * MAX_WAIT, threads=threads)
        with Triton(Path(folder) / "models") as server:
            yield server.grpc_url if row == "triton-grpc" else server.url, lambda: group(server.pid)


def serve(file: str, threads: int) -> None:
    from coursekit.serving.local import LocalServer

    with LocalServer(file, max_batch=MAX_BATCH, max_wait=MAX_WAIT, threads=threads) as server:
        print(server.url, flush=True)
        sys.stdin.read()


def tensors(pixels: np.ndarray) -> list:
    import torch

    return list(torch.from_numpy(pixels).permute(0, 3, 1, 2))


def group(leader: int) -> list[int]:
    """The processes of a group."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found += [int(entry.name)] if os.getpgid(int(entry.name)) == leader else []
        except ProcessLookupError:  # ended meanwhile
            continue
    return found


def peak_bytes(processes: list[int]) -> int | None:
    """The most memory that each had in use at one time (resident), added up; None where the system does not tell."""
    try:
        texts = [Path(f"/proc/{process}/status").read_text() for process in processes]
    except OSError:
        return None
    return sum(1024 * int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
