"""A worker that tries what no worker may do, and says what it managed: how a tier shows that it holds on this machine."""

import json
import os
import socket


def try_all(outside: str) -> list[str]:
    """Names of the forbidden things that worked. `outside` is a folder of the grader's, in which ``secret`` lies."""
    attempts = {
        "read a file of the grader": lambda: open(os.path.join(outside, "secret")).close(),
        "read the list of users": lambda: open("/etc/passwd").close(),
        "write a file beside it": lambda: open(os.path.join(outside, "written"), "w").close(),
        "open a network connection": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
        "start a process": _fork,
        "signal other processes": lambda: os.kill(os.getppid() or 2**22, 0),
        "see its grader's environment": lambda: open(f"/proc/{os.getppid() or 1}/environ").close(),
    }
    worked = []
    for name, attempt in attempts.items():
        try:
            attempt()
            worked.append(name)
        except OSError:
            continue
    return worked


def _fork() -> None:
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def serve(sock: socket.socket) -> None:
    """Gets the outside folder, gives back the list as JSON."""
    sock.sendall(json.dumps(try_all(sock.recv(4096).decode())).encode())
