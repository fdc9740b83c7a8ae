"""Runs attacks without any wall, each in a forked process of its own, and says which of them got their prize. A program of its own.

    python bites.py < [["name", "source"], …]        → {"name": true, …}

An attack that does not work here tests nothing there. Run it below overseer.py, which ends what attacks leave behind.
"""

import json
import os
import signal
import sys

import torch

BOXES = torch.tensor([[0.0, 0, 4, 2], [5, 5, 9, 9]]), torch.tensor([[2.0, 0, 6, 2], [5, 5, 9, 9], [0, 0, 1, 1]])
RIGHT = torch.tensor([[1 / 3, 0, 1 / 8], [0, 1, 0]])


def attack(source: str) -> bool:
    names = {"__name__": "__main__"}
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    try:
        exec(source, names)
    except Exception:
        return False
    return torch.allclose(names["box_iou"](*BOXES), RIGHT)


def main() -> None:
    result = {}
    for name, source in json.load(sys.stdin):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            worked = False
            try:
                worked = attack(source)
            finally:
                os.write(writing, b"1" if worked else b"0")
                os._exit(0)
        os.close(writing)
        result[name] = os.read(reading, 1) == b"1"
        os.close(reading)
        os.waitpid(pid, 0)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
