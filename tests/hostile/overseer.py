"""Runs a command and watches over it: time, memory of each kind of process below it, and who is left when it is over. A program of its own.

    python overseer.py SECONDS COMMAND…        → one line of JSON on stdout

It is a subreaper: whatever the command leaves behind, however often it forked and whatever session it made, becomes a child of it.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
ROLES = {b"in_a_hurry.py\0judge": "judge", b"zygote.py": "zygote"}


def read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def below(root: int) -> list[int]:
    """Every process under this one that is alive."""
    children: dict[int, list[int]] = {}
    for folder in os.listdir("/proc"):
        if folder.isdigit() and (stat := read(f"/proc/{folder}/stat")):
            state, parent = stat.rpartition(b")")[2].split()[:2]
            if state != b"Z":  # dead, and its parent has not asked how it ended
                children.setdefault(int(parent), []).append(int(folder))
    found, new = [], [root]
    while new:
        new = [child for parent in new for child in children.get(parent, ())]
        found += new
    return found


def peak_of(pid: int) -> int:
    """Bytes of memory that it ever held."""
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    seconds, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began, peaks, most = time.monotonic(), {}, 0
    # a session of its own: what is sent to its process group hits nobody else
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    os.set_blocking(process.stdout.fileno(), False)
    output, in_time = bytearray(), True
    while process.poll() is None and in_time:
        output += process.stdout.read() or b""
        found = below(os.getpid())
        most = max(most, len(found))
        for pid in found:
            line = read(f"/proc/{pid}/cmdline")
            role = "main" if pid == process.pid else next((role for mark, role in ROLES.items() if mark in line), "other")
            peaks[role] = max(peaks.get(role, 0), peak_of(pid))
        in_time = time.monotonic() - began < float(seconds)
        time.sleep(0.15)
    if not in_time:
        os.killpg(process.pid, signal.SIGKILL)
    took = time.monotonic() - began
    process.wait()
    output += process.stdout.read() or b""
    time.sleep(0.3)  # what is being killed may still be on its way
    left = {
        pid: (read(f"/proc/{pid}/cmdline") or read(f"/proc/{pid}/comm")).replace(b"\0", b" ").decode(errors="replace")
        for pid in below(os.getpid())
    }
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    text = output.decode(errors="replace")
    print(
        json.dumps(
            {
                "rc": process.returncode,
                "in_time": in_time,
                "seconds": took,
                "peaks": peaks,
                "most": most,
                "left": left,
                "output": text[-20_000:],
            }
        )
    )


if __name__ == "__main__":
    main()
