"""What a notebook measured, for whoever runs it: lines of JSON in the file that COURSEKIT_RECORD names. Without that variable, nothing.

A notebook runs in a kernel, which ends without a farewell; so each fact is on the disk as soon as it is known.
"""

import json
import math
import os
import sys
from pathlib import Path

VARIABLE = "COURSEKIT_RECORD"


def record(kind: str, **facts) -> None:
    """Append one line: ``{"kind": kind, ...facts}``. A float that is not finite becomes null, and a library's number a float."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    plain = {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in facts.items()}
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps({"kind": kind, **plain}, ensure_ascii=False, default=float) + "\n")


def read_records(path: Path | str) -> list[dict]:
    """All lines of such a file, none where there is no file. A last line that was cut off in the middle is left out."""
    path = Path(path)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows = []
    for number, line in enumerate(lines):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            if number + 1 < len(lines):
                raise ValueError(f"{path} holds no JSON in line {number + 1}: {line[:60]!r}") from None
    return rows


def watch_cells() -> None:
    """In a notebook that is recorded: after each cell, the most GPU memory so far and the packages that were imported meanwhile."""
    shell = sys.modules["IPython"].get_ipython() if os.environ.get(VARIABLE) and "IPython" in sys.modules else None
    if shell is None:
        return
    told = {"memory": 0, "packages": set()}

    def after_cell(result=None) -> None:
        packages = {name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names - told["packages"]
        if named := sorted(name for name in packages if not name.startswith("_")):
            record("imported", names=named)
        told["packages"] |= packages
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available() and (now := torch.cuda.max_memory_allocated()) > told["memory"]:
            told["memory"] = now
            record("memory", allocated=now, reserved=torch.cuda.max_memory_reserved())

    shell.events.register("post_run_cell", after_cell)
