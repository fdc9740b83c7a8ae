"""Sandboxes for tests whose workers do as they are told, and what runs below a process, read from /proc. Linux only."""

import json
import os
import time
from pathlib import Path

import pytest

from coursekit.grading.inside.limits import Limits, user_among  # noqa: F401
from coursekit.grading.probe import probe
from coursekit.grading.sandbox import Sandbox, SandboxError, Worker  # noqa: F401

OBEDIENT = Path(__file__).with_name("obedient.py")
LIMITS = {"memory_bytes": 256 * 2**20, "cpu_seconds": 20, "work_bytes": 2 * 2**20, "file_bytes": 2**20, "work_files": 40}


def obedient(tier: str, **limits) -> Sandbox:
    """A sandbox whose workers run the code that they are sent."""
    why = {found.name: found.why for found in probe() if not found.works}
    if tier in why:
        pytest.skip(f"{tier} does not work here: {why[tier]}")
    return Sandbox(tier, Limits(**(LIMITS | limits)), worker="obedient", extra={"obedient.py": OBEDIENT})


def ask(worker: Worker, code: str, seconds: float = 20):
    """What the code put into `result`; its error in words where it raised one; "gone" where the worker ended."""
    worker.sock.settimeout(seconds)
    try:
        worker.sock.sendall(code.encode())
        answer = worker.sock.recv(2**20)
    except ConnectionError:
        return "gone"
    answer = json.loads(answer) if answer else {"result": "gone"}
    return answer.get("error", answer.get("result"))


def run(sandbox: Sandbox, code: str, packages: tuple[str, ...] = (), files=None):
    with sandbox.start(packages, files) as worker:
        return ask(worker, code)


def _stat(pid: int) -> tuple[int, str, str] | None:
    """(parent, started, state)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(fields[1]), fields[19].decode(), fields[0].decode()


def below(pid: int) -> set[tuple[int, str]]:
    """All descendants."""
    known = {int(name): stat for name in os.listdir("/proc") if name.isdigit() and (stat := _stat(int(name)))}
    found, waiting = set(), [pid]
    while waiting:
        parent = waiting.pop()
        for child, (of, started, _) in known.items():
            if of == parent:
                found.add((child, started))
                waiting.append(child)
    return found


def alive(processes: set[tuple[int, str]]) -> set[tuple[int, str]]:
    return {(pid, started) for pid, started in processes if (stat := _stat(pid)) and stat[1] == started and stat[2] != "Z"}


def survivors(processes: set[tuple[int, str]], patience: float = 3.0) -> set[tuple[int, str]]:
    """Those that still live after some time."""
    until = time.monotonic() + patience
    while (left := alive(processes)) and time.monotonic() < until:
        time.sleep(0.01)
    return left


def parent_of(pid: int) -> int:
    return _stat(pid)[0]
