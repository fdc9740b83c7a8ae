"""Which sandbox holds on this machine: found out by running each, never by looking for a program or a version."""

import functools
import json
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

WHY_NOT = "grading runs on Linux (on Windows: in WSL2)"


@dataclass(frozen=True)
class Tier:
    """A sandbox, whether it holds here, and why not (for "rlimits", which holds next to nothing: what was possible in it)."""

    name: str
    works: bool
    why: str = ""


@functools.cache
def probe() -> tuple[Tier, ...]:
    """Every tier, best first. A worker of each tries what it may not: it works where the worker ran and nothing of it succeeded."""
    if platform.system() != "Linux":
        return tuple(Tier(name, False, WHY_NOT) for name in ("namespaces", "landlock", "rlimits"))
    from .sandbox import TIERS

    return tuple(_try(name) for name in TIERS)


def _try(name: str) -> Tier:
    from .inside.limits import Limits
    from .sandbox import TRUSTWORTHY, SandboxError, Worker, Zygote

    try:
        with tempfile.TemporaryDirectory() as outside:
            Path(outside, "secret").write_text("seen")
            zygote = Zygote(name, (), Limits(), "inside.attempts", {})
            try:
                with Worker.of(zygote, {}) as worker:
                    worker.sock.settimeout(10)
                    worker.sock.sendall(outside.encode())
                    worked = json.loads(worker.sock.recv(4096))
            finally:
                zygote.close()
    except (SandboxError, OSError, ValueError) as error:
        return Tier(name, False, str(error))
    if name in TRUSTWORTHY and worked:
        return Tier(name, False, f"a worker in it could {worked[0]}")
    return Tier(name, True, "" if name in TRUSTWORTHY else "limits only memory and time")


def best() -> str:
    """The best tier that works here.

    Raises:
        OSError: if none does, which is every system but Linux.
    """
    tiers = probe()
    for tier in tiers:
        if tier.works:
            return tier.name
    raise OSError(f"no sandbox for grading works here: {tiers[0].why}")
