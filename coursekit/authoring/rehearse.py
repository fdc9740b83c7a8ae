"""Run notebooks from top to bottom, as a learner would, and say how long each took.

    python -m coursekit.authoring.rehearse --level smoke                student edition, as built
    python -m coursekit.authoring.rehearse --level quick --solved       solved edition, with its bands
    python -m coursekit.authoring.rehearse --level smoke --offline      with the network cut off, loopback only

Each runs in its own pytest with nbval, in a copy outside the sources, two at a time on one thread each, and is killed when it hangs.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from coursekit.level import LEVELS
from coursekit.machine import cpu_quota

# seconds on two idle cores: quick and full, from the course's plan
QUICK = [15, 15, 15, 15, 20, 25, 15, 30, 30, 45, 30, 40, 60, 15, 50, 40, 45, 60, 60, 75, 20, 60, 50, 60, 75]
FULL = [15, 15, 20, 30, 30, 60, 15, 60, 120, 240, 120, 180, 240, 15, 180, 90, 180, 300, 300, 300, 40, 180, 180, 120, 300]
BUDGETS = {f"{number:02}": both for number, both in enumerate(zip(QUICK, FULL, strict=True))}
OTHERS = (60, 300)
CELL_TIMEOUT = {"smoke": 120, "quick": 400, "full": 1200}


@dataclass(frozen=True)
class Rehearsal:
    """How one notebook did.

    Args:
        name: its file's.
        good: it ran to the end.
        seconds: wall time, starting the kernel included.
        budget: seconds it should take; 0 where it has none (smoke).
        said: the end of what pytest said, if it failed.
    """

    name: str
    good: bool
    seconds: float
    budget: float
    said: str = ""

    def line(self) -> str:
        """One row of the table."""
        late = f"   over its budget of {self.budget:g} s" if self.budget and self.seconds > self.budget else ""
        return f"{'✓' if self.good else '✗'} {self.name:24} {self.seconds:7.1f} s{late}"


def rehearse(path: Path, level: str, place: Path, offline: bool = False, patience: float | None = None) -> Rehearsal:
    """Run one notebook.

    Args:
        path: an .ipynb file.
        level: ``smoke``, ``quick`` or ``full``.
        place: folder to run a copy in.
        offline: cut the network off.
        patience: seconds before it is killed; five times its budget by default, because test machines are slow and busy.
    """
    budget = 0 if level == "smoke" else BUDGETS.get(path.name[:2], OTHERS)[level == "full"]
    folder = place / path.stem
    folder.mkdir(parents=True, exist_ok=True)
    copy = Path(shutil.copy(path, folder)).resolve()
    command = [*(_without_network() if offline else []), *_pytest(copy, level)]
    environment = {**os.environ, "COURSEKIT_LEVEL": level, "COURSEKIT_PROGRESS": str(folder.resolve() / "progress.json")}
    environment |= {name: os.environ.get(name) or "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    started = time.monotonic()
    patience = patience or max(300.0, 5.0 * budget)
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        said, _ = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        _kill_all(process)
        said = f"{process.communicate()[0]}\nstopped after {patience:g} s"
    good = process.returncode == 0
    return Rehearsal(path.stem, good, time.monotonic() - started, budget, "" if good else "\n".join(said.splitlines()[-60:]))


def _pytest(path: Path, level: str) -> list[str]:
    """Its own settings, not the checkout's; nbval with the kernel of this very Python, comparing outputs only where a cell asks."""
    plain = ["-o", "addopts=", "-o", "timeout=0", "-p", "no:cacheprovider", "-p", "no:xdist", "-q", "-x", "--rootdir", str(path.parent)]
    nbval = ["-p", "coursekit.authoring.kernels", "--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT[level]}"]
    return [sys.executable, "-m", "pytest", *plain, *nbval, str(path)]


def _kill_all(process: subprocess.Popen) -> None:
    """The kernel too, which is a child of its own."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, 9)
    process.kill()


def _without_network() -> list[str]:
    """Words to put before a command: a network of its own with nothing in it but loopback, which Jupyter needs. Linux only."""
    if not shutil.which("unshare"):
        raise ValueError("running without the network needs Linux and the command `unshare`")
    loopback = (
        "import fcntl, os, socket, struct, sys; s = socket.socket(); "
        "fcntl.ioctl(s, 0x8914, struct.pack('16sh14x', b'lo', 0x1 | 0x40)); s.close(); os.execvp(sys.argv[1], sys.argv[1:])"
    )  # 0x8914 is SIOCSIFFLAGS; up and running
    return ["unshare", "-rn", sys.executable, "-c", loopback]


def rehearse_all(paths: list[Path], level: str, place: Path, jobs: int = 2, offline: bool = False) -> list[Rehearsal]:
    """Run them, the longest first, and print each as it ends and what went wrong after."""
    order = sorted(paths, key=lambda p: -BUDGETS.get(p.name[:2], OTHERS)[0])
    done = []

    def one(path: Path) -> None:
        found = rehearse(path, level, place, offline)
        print(found.line(), flush=True)
        done.append(found)

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        list(pool.map(one, order))
    for found in done:
        if not found.good:
            print(f"\n--- {found.name}\n{found.said}")
    print(f"{sum(r.good for r in done)} of {len(done)} notebooks ran at {level}, {sum(r.seconds for r in done):.0f} s in all")
    return done


def main() -> int:
    """The command line; exit code 1 where a notebook failed, 2 where there is none."""
    parser = argparse.ArgumentParser(prog="python -m coursekit.authoring.rehearse", description="Run notebooks from top to bottom.")
    parser.add_argument("only", nargs="*", help="notebook numbers; all by default")
    parser.add_argument("--level", choices=LEVELS, default="smoke")
    parser.add_argument("--solved", action="store_true", help="the solved edition of build/solved")
    parser.add_argument("--offline", action="store_true", help="with the network cut off (Linux)")
    parser.add_argument("--jobs", type=int, default=min(2, cpu_quota()), help="how many at a time")
    options = parser.parse_args()
    folder = Path("build/solved" if options.solved else "notebooks")
    paths = [p for p in sorted(folder.glob("[0-9][0-9]_*.ipynb")) if not options.only or p.name[:2] in options.only]
    if not paths:
        print(f"there is no notebook in {folder}: run `coursekit build` first", file=sys.stderr)
        return 2
    place = Path("build/rehearsal") / ("solved" if options.solved else "student")
    done = rehearse_all(paths, options.level, place, options.jobs, options.offline)
    return 0 if all(r.good for r in done) else 1


if __name__ == "__main__":
    sys.exit(main())
