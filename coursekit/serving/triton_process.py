"""Processes of a server: what they are given, how they end, and that nothing of them stays. Goes with notebook 23_deployment."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from .triton_environment import Environment

SHARED = Path("/dev/shm")  # where the server and its stubs hand pictures over
# Outlives a program that dies without a word, and takes the server with it. It waits for the end of a pipe that only the program holds.
GUARD = """
read nothing
kill -s TERM -- "-$1" 2>/dev/null
for tenth in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    kill -s 0 -- "-$1" 2>/dev/null || break
    sleep 0.1
done
kill -s KILL -- "-$1" 2>/dev/null
rm -rf "$3" /dev/shm/"$2"*
"""


def start_guard(group: int, prefix: str, folder: Path) -> subprocess.Popen:
    """The process that ends the server's group, and clears away what it leaves, should this program end before it can."""
    return subprocess.Popen(
        ["/bin/sh", "-c", GUARD, "coursekit-guard", str(group), prefix, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def lay_out(environment: Environment, folder: Path) -> None:
    """The folder of backends as the server wants it: the library, its Python part and the stub of our Python in one place."""
    place = folder / "backends" / "python"
    place.mkdir(parents=True)
    for file in (environment.backend / "libtriton_python.so", environment.backend / "triton_python_backend_utils.py", environment.stub):
        (place / file.name).symlink_to(file)
    (folder / "lib").mkdir()
    if environment.library:
        (folder / "lib" / environment.library.name).symlink_to(environment.library)


def surroundings(environment: Environment, folder: Path) -> dict[str, str]:
    """Environment variables for the server. The stub takes the Python that comes first on the PATH for its own."""
    return {
        "PATH": f"{environment.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "LD_LIBRARY_PATH": f"{environment.libraries}:{folder / 'lib'}",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def stop(processes: dict[str, subprocess.Popen], prefix: str, patience: float) -> None:
    """End the server's process group, by SIGTERM if it has ``patience`` seconds for that, and what it leaves behind."""
    server, guard = processes.get("server"), processes.get("guard")
    if server:
        if patience and server.poll() is None:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(patience)
        deadline = time.monotonic() + 10
        while alive(server.pid) and time.monotonic() < deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.poll()
            time.sleep(0.01)
        server.wait()
    for left in SHARED.glob(f"{prefix}*"):
        left.unlink(missing_ok=True)
    if guard:  # last: who is interrupted before this leaves the rest to it
        guard.kill()
        guard.wait()
        guard.stdin.close()
        del processes["guard"]


def alive(group: int) -> list[int]:
    """Processes of a group that still run. Those that have ended and wait to be asked how (zombies) are not among them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, member_of = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(member_of) == group and state != "Z":
                found.append(int(entry.name))
    return found


def end(processes: dict[str, subprocess.Popen], prefix: str, folder: Path) -> None:
    stop(processes, prefix, patience=10)
    shutil.rmtree(folder, ignore_errors=True)
