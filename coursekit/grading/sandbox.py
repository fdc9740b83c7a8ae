"""Where answers run: a locked-down process for each exercise, forked in milliseconds from one that has imported its packages already."""

import contextlib
import dataclasses
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from . import closure
from .inside import zygote as protocol
from .inside.limits import Limits

TIERS = (protocol.NAMESPACES, protocol.LANDLOCK, protocol.RLIMITS)  # best first
TRUSTWORTHY = TIERS[:2]
INSIDE = Path(protocol.__file__).parent
DEFAULT = Limits()
PATIENCE = 120  # seconds that importing torch may take on a busy machine
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONHASHSEED": "0",  # the order of sets is the same when a submission is graded again
    "LC_ALL": "C.UTF-8",
    "USER": "learner",  # some libraries insist on a name, and inside there is no list of users
}


class SandboxError(RuntimeError):
    """The sandbox itself failed, not what runs in it: to be tried again, never a zero."""


@dataclass(frozen=True)
class Ended:
    """How a worker ended: ``how`` is "killed by us", "exit 0", or the signal's name ("SIGKILL" where the kernel enforced a limit)."""

    how: str
    cpu_seconds: float
    peak_bytes: int


class Worker:
    """A locked-down process that runs ``inside.worker.serve``; `sock` is the other end of its socket. Leaving the context ends it."""

    def __init__(self, zygote: "Zygote", pid: int, sock: socket.socket):
        self.pid, self.sock = pid, sock
        self._zygote, self._ended = zygote, None

    @classmethod
    def of(cls, zygote: "Zygote", files: dict[str, str]) -> "Worker":
        """A fresh one that may import `files`. Raises SandboxError where it cannot be locked down."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                return cls(zygote, zygote.ask({"do": "start", "files": files}, theirs.fileno())["pid"], ours)
        except BaseException:
            ours.close()
            raise

    def kill(self) -> Ended:
        """End it and everything of it, if it still runs, and say how it ended. May be called again."""
        if self._ended is None:
            hung_up = self._hung_up()
            self.sock.close()
            try:
                self._ended = Ended(**self._zygote.ask({"do": "end", "pid": self.pid, "hung_up": hung_up}))
            except SandboxError:  # the zygote died, and its workers with it
                self._ended = Ended("lost with its zygote", 0.0, 0)
        return self._ended

    def _hung_up(self) -> bool:
        try:
            self.sock.setblocking(False)
            return self.sock.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:  # reset, or closed by our user
            return True

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_) -> None:
        self.kill()


class Zygote:
    """One zygote process and the conversation with it."""

    def __init__(self, tier: str, packages: tuple[str, ...], limits: Limits, worker: str, extra: dict[str, Path]):
        self._lock = threading.Lock()
        self.stage = tempfile.mkdtemp(prefix="coursekit-")
        self._control, theirs = socket.socketpair()
        self._control.settimeout(PATIENCE)
        try:
            settings = settings_for(tier, packages, self.stage, extra)
            settings |= {"preload": packages, "worker": worker, "limits": dataclasses.asdict(limits)}
            with theirs:
                self.process = subprocess.Popen(
                    [sys.executable, "-P", "-s", "-S", "-B", "-X", "utf8", str(INSIDE / "zygote.py"), str(theirs.fileno())],
                    env=ENVIRONMENT, pass_fds=[theirs.fileno()], cwd="/", start_new_session=True,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
            self.ask(settings)
        except BaseException:
            self.close()
            raise

    def ask(self, message: dict, file: int | None = None) -> dict:
        """Send a message, give back the answer. SandboxError where it says "error", nothing, or is gone."""
        with self._lock:
            try:
                protocol.send(self._control, message, file)
                answer, _ = protocol.receive(self._control)
            except (OSError, EOFError) as error:
                self.close()
                raise SandboxError(f"the process that starts workers is gone ({type(error).__name__})") from None
        if "error" in answer:
            raise SandboxError(answer["error"])
        return answer

    @property
    def alive(self) -> bool:
        return self._control.fileno() >= 0

    def close(self) -> None:
        """End it and all its workers."""
        self._control.close()  # it ends when nobody listens
        if process := getattr(self, "process", None):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.stage, ignore_errors=True)


def settings_for(tier: str, packages: tuple[str, ...], stage: str, extra: dict[str, Path]) -> dict:
    """What a zygote is told: what its workers may see and where. In the first tier it is mounted, in the others linked from a folder."""
    site = [*closure.site_of(packages), ("inside", str(INSIDE)), *((name, str(path)) for name, path in extra.items())]
    common = {"tier": tier, "stage": stage, "folders": closure.folders()}
    if tier == protocol.NAMESPACES:
        outside = [*closure.folders()[:1], *closure.libraries(), *closure.MACHINE, *closure.DEVICES]
        shown = [*((path, path) for path in outside), *((path, f"/site/{name}") for name, path in site)]
        return common | {"site": "/site", "shown": shown, "hidden": closure.hidden()}
    folder = os.path.join(stage, "site")
    for name, path in site:
        link = Path(folder, name)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    readable = [*closure.standard_pieces(), *closure.libraries(), *closure.MACHINE, *closure.DEVICES, folder, *(path for _, path in site)]
    return common | {"site": folder, "readable": readable, "listed": closure.folders()[:1]}


class Sandbox:
    """Starts workers. A context manager; leaving it ends everything that it started.

    Args:
        tier: ``"namespaces"``, ``"landlock"`` or ``"rlimits"``; None for the best that works here.
        limits: of each worker.
        worker: module with ``serve(sock)``, as its zygote imports it.
        extra: more files that workers see beside their packages, name there → path.

    Raises:
        ValueError: for another tier.
    """

    def __init__(
        self,
        tier: str | None = None,
        limits: Limits = DEFAULT,
        worker: str = "inside.worker",
        extra: dict[str, Path] | None = None,
    ):
        if tier is None:
            from .probe import best

            tier = best()
        if tier not in TIERS:
            raise ValueError(f"tier must be one of {', '.join(TIERS)}, got {tier!r}")
        self.tier, self.limits = tier, limits
        self._worker, self._extra = worker, extra or {}
        self._zygotes: dict[tuple[str, ...], Zygote] = {}
        self._lock = threading.Lock()

    def start(self, packages: tuple[str, ...] = (), files: dict[str, str] | None = None) -> Worker:
        """A fresh worker.

        Args:
            packages: third-party packages that it may import; they are loaded already when it starts.
            files: modules that it may import besides, ``{"coursekit/detections.py": source}``.

        Raises:
            SandboxError: if it cannot be started, also not by a new zygote.
            ValueError: for a package that is not installed.
        """
        zygote = self._zygote(packages)
        try:
            return Worker.of(zygote, files or {})
        except SandboxError:
            if zygote.alive:
                raise
        return Worker.of(self._zygote(packages), files or {})

    def _zygote(self, packages: tuple[str, ...]) -> Zygote:
        with self._lock:
            zygote = self._zygotes.get(packages)
            if zygote is None or not zygote.alive:
                names = tuple(dict.fromkeys((*closure.ALWAYS, *packages)))
                zygote = Zygote(self.tier, names, self.limits, self._worker, self._extra)
                self._zygotes[packages] = zygote
            return zygote

    def close(self) -> None:
        for zygote in self._zygotes.values():
            with contextlib.suppress(OSError):
                zygote.close()
        self._zygotes.clear()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_) -> None:
        self.close()
