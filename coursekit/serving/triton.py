"""A real Triton inference server on this machine: started, asked, killed, started again. Goes with notebook 23_deployment.

    write_repository(load("signs_n"), "models")
    with Triton("models") as server:              # ready when the block begins
        found = Client(server.url)(pictures)

It listens on 127.0.0.1 alone. Nothing is sent anywhere: the server has no telemetry, tracing stays off, and it is given an environment
with nothing of ours in it. How to get the binary: `install_triton`, or ``python -m coursekit.serving.triton install [FOLDER]``.
"""

import http.client
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import uuid
import weakref
from pathlib import Path

from .repository import models
from .triton_environment import find_triton, inspect, install_triton, why_no_triton
from .triton_process import end, lay_out, start_guard, stop, surroundings

__all__ = ["Triton", "find_triton", "free_ports", "install_triton", "why_no_triton"]

HOST = "127.0.0.1"
COUNTS = {
    "nv_inference_request_success": ("requests", 1),
    "nv_inference_request_failure": ("failures", 1),
    "nv_inference_count": ("pictures", 1),
    "nv_inference_exec_count": ("batches", 1),
    "nv_inference_request_duration_us": ("request_seconds", 1e-6),
    "nv_inference_queue_duration_us": ("queue_seconds", 1e-6),
    "nv_inference_compute_input_duration_us": ("compute_seconds", 1e-6),
    "nv_inference_compute_infer_duration_us": ("compute_seconds", 1e-6),
    "nv_inference_compute_output_duration_us": ("compute_seconds", 1e-6),
}


class Triton:
    """A server over one model repository. It is started at once; `wait_ready` says when it answers. A context manager does both.

    Args:
        repository: folder that `write_repository` made.
        environment: folder with the server, by default `find_triton`.
        http, grpc, metrics: ports; 0 takes a free one.
        log: file that the server's log is appended to; by default one that goes with the server.

    Attributes:
        url, grpc_url: "127.0.0.1:PORT", for `Client`. ports: all three. log: path of the log. running: whether the process lives.

    Raises:
        ValueError: if there is no server on this machine, no model in the repository, or a port is taken.
    """

    def __init__(self, repository, environment=None, http: int = 0, grpc: int = 0, metrics: int = 0, log=None):
        self._closed = lambda: None
        environment = environment or find_triton()
        if environment is None:
            raise ValueError(why_no_triton())
        self.repository = Path(repository).absolute()
        if not models(self.repository):
            raise ValueError(f"repository must be a folder that write_repository made, got {repository}")
        self.environment = inspect(environment)
        self._wished = (http, grpc, metrics)
        self.ports = free_ports(self._wished)
        self._folder = Path(tempfile.mkdtemp(prefix="coursekit-triton-"))
        self.log = Path(log) if log else self._folder / "log.txt"
        self._prefix = f"coursekit-{os.getpid()}-{uuid.uuid4().hex[:8]}-"
        lay_out(self.environment, self._folder)
        self._processes: dict[str, subprocess.Popen] = {}
        self._closed = weakref.finalize(self, end, self._processes, self._prefix, self._folder)
        self._start()

    @property
    def url(self) -> str:
        return f"{HOST}:{self.ports[0]}"

    @property
    def grpc_url(self) -> str:
        return f"{HOST}:{self.ports[1]}"

    @property
    def running(self) -> bool:
        return "server" in self._processes and self._processes["server"].poll() is None

    @property
    def pid(self) -> int:
        """Of the server's process, which leads a process group of its own with the stubs in it."""
        return self._processes["server"].pid

    def _start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._log_from = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self._processes["server"] = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=surroundings(self.environment, self._folder),
                start_new_session=True,
            )
        self._processes["guard"] = start_guard(self.pid, self._prefix, self._folder)

    def _command(self) -> list[str]:
        http, grpc, metrics = self.ports
        ports = [f"--http-port={http}", f"--grpc-port={grpc}", f"--metrics-port={metrics}"]
        return [
            str(self.environment.server),
            f"--model-repository={self.repository}",
            f"--backend-directory={self._folder / 'backends'}",
            *(f"--{name}-address={HOST}" for name in ("http", "grpc", "metrics")),
            *ports,
            "--model-control-mode=explicit",
            *(f"--load-model={name}" for name in models(self.repository)),  # named: any other folder there would keep it from starting
            f"--backend-config=python,shm-region-prefix-name={self._prefix}",
            "--allow-gpu-metrics=false",
            "--allow-sagemaker=false",
            "--allow-vertex-ai=false",
            "--pinned-memory-pool-byte-size=0",
            "--exit-timeout-secs=5",
        ]

    def __enter__(self) -> "Triton":
        try:
            self.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def wait_ready(self, seconds: float = 60) -> None:
        """Wait until the server and every model of the repository are ready.

        Raises:
            ConnectionError: if the process has ended; the end of its log is in the message.
            TimeoutError: if it is not ready in time; likewise.
        """
        deadline, tries = time.monotonic() + seconds, 0
        while not self.ready():
            if not self.running:
                if tries < 3 and self._wished == (0, 0, 0) and re.search("in use|failed to start", self.tail()):
                    self.ports, tries = free_ports(self._wished), tries + 1  # somebody took a port between our look and the start
                    self.kill()
                    self._start()
                    continue
                code = self._processes["server"].poll()
                raise ConnectionError(f"Triton is not running (exit code {code}); its log ends:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"Triton was not ready within {seconds:g} s; its log ends:\n{self.tail()}")
            time.sleep(0.05)

    def ready(self) -> bool:
        """Whether it answers, with all models."""
        try:
            return self.running and self._ask("GET", "/v2/health/ready", self.ports[0])[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def load(self, name: str = "detector") -> None:
        """Look into the repository again: a version that came meanwhile is served, and requests on their way are still answered.

        Raises:
            ValueError: if the model cannot be loaded; the versions that were served still are.
        """
        status, text = self._ask("POST", f"/v2/repository/models/{name}/load", self.ports[0], b"{}", seconds=60)
        if status != 200:
            raise ValueError(f"Triton could not load {name}: {text.strip()[:500]}")

    def metrics(self, name: str = "detector") -> dict[str, float]:
        """What the server counted for a model since it was started, see `read_metrics`."""
        return read_metrics(self._ask("GET", "/metrics", self.ports[2])[1], name)

    def tail(self, lines: int = 15) -> str:
        """The last lines of the log since the last start: what is no mere information, or where there is no such line, all."""
        if not self.log.exists():
            return ""
        with open(self.log, "rb") as file:
            file.seek(self._log_from)
            told = [line for line in file.read().decode(errors="replace").splitlines() if line.strip() and line[0] not in "|+"]
        grave = [line for line in told if not re.match(r"[IW]\d{4} ", line) and "CudaDriverHelper" not in line]
        return "\n".join((grave or told)[-lines:])

    def kill(self) -> None:
        """SIGKILL to the server and its stubs. They had no chance to clean up, so their shared memory is removed here."""
        stop(self._processes, self._prefix, patience=0)

    def restart(self) -> None:
        """Start again on the same ports, whether it runs or not. `wait_ready` says when it answers."""
        stop(self._processes, self._prefix, patience=10)
        self._start()

    def close(self) -> None:
        """End the server; requests on their way get their answer. The second time nothing happens."""
        self._closed()

    def _ask(self, method: str, path: str, port: int, body: bytes | None = None, seconds: float = 5) -> tuple[int, str]:
        connection = http.client.HTTPConnection(HOST, port, timeout=seconds)  # not urllib, which would ask a proxy
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def read_metrics(text: str, name: str = "detector") -> dict[str, float]:
    """The counters of one model out of Prometheus' text format.

    Returns:
        ``requests`` answered, ``failures``, ``pictures`` (of a request of B pictures B), ``batches`` (calls of the model; fewer than
        requests where some waited together), and the sums over requests of ``request_seconds``, ``queue_seconds`` (waiting) and
        ``compute_seconds`` (input, network and output). Each over all versions, and of one version as ``requests/1``.
    """
    found: dict[str, float] = {key: 0.0 for key, _ in COUNTS.values()}
    for line in text.splitlines():
        row = re.fullmatch(r"(\w+)\{(.*)\} ([-+0-9.eE]+|NaN|[-+]?Inf)(?: -?\d+)?", line)
        if not row or row[1] not in COUNTS:
            continue
        labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', row[2]))
        if labels.get("model") != name:
            continue
        key, unit = COUNTS[row[1]]
        for place in (key, f"{key}/{labels.get('version', '')}"):
            found[place] = found.get(place, 0.0) + float(row[3]) * unit
    return found


def free_ports(wished: tuple[int, ...]) -> tuple[int, ...]:
    """Ports on 127.0.0.1 that nobody listens on: those wished for, and any for each 0; all different.

    Raises:
        ValueError: naming the port that is taken.
    """
    held = []
    try:
        for port in sorted(wished, reverse=True):  # the wished ones first, so that no free choice takes them
            held.append(socket.socket())
            held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: a connection that just ended is no owner
            try:
                held[-1].bind((HOST, port))
                held[-1].listen()
            except (OSError, OverflowError) as error:
                why = "is taken" if isinstance(error, OSError) else "is no port"
                raise ValueError(f"port {port} {why}; give another one, or 0 for any that is free") from None
        numbers = [each.getsockname()[1] for each in held]
        free = iter(numbers[sum(port > 0 for port in wished) :])
        return tuple(port or next(free) for port in wished)
    finally:
        for each in held:
            each.close()


def main(arguments: list[str]) -> None:
    """``install [FOLDER]``."""
    if arguments[:1] != ["install"] or len(arguments) > 2:
        raise SystemExit("usage: python -m coursekit.serving.triton install [FOLDER]")
    try:
        print(install_triton(*arguments[1:], say=print))
    except (ValueError, OSError) as error:
        raise SystemExit(f"coursekit: {error}") from None


if __name__ == "__main__":
    main(sys.argv[1:])
