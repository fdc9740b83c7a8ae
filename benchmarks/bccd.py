"""Blood cells from random weights, with nothing but the defaults: seconds, AP and AP50 of each seed, and their spread.

    python benchmarks/bccd.py --data ../shared/data/bccd --seeds 0 1 2

Runs `coursekit train` and `coursekit val` as a user would, prints a table and writes benchmarks/results/bccd.json. Leave the machine
alone meanwhile: two training threads on busy cores are several times slower, which the CPU seconds show and the AP does not.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, stdev

import torch

from coursekit.machine import cpu_flags, cpu_name, cpu_quota

RESULTS = Path(__file__).parent / "results" / "bccd.json"


def coursekit(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "coursekit.cli", *map(str, arguments)], check=True)


def one_seed(data: str, seed: int, folder: Path, options: list[str]) -> dict:
    """Train on trainval, measure on test; wall and CPU seconds are of the training alone."""
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    coursekit(
        "train", "--data", data, "--split", "trainval", "--model", "s", "--seed", seed, "--project", folder, "--name", f"s{seed}", *options
    )
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    coursekit("val", "--split", "test", "--project", folder, "--name", f"s{seed}", "--json", folder / f"{seed}.json")
    numbers = json.loads((folder / f"{seed}.json").read_text())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seed": seed, "seconds": round(wall, 1), "cpu_seconds": round(cpu, 1), "AP": numbers["AP"], "AP50": numbers["AP50"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="../shared/data/bccd")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("options", nargs="*", help="more options of `coursekit train`, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [one_seed(arguments.data, seed, Path(folder), arguments.options) for seed in arguments.seeds]
    for row in rows:
        print("  ".join(f"{name} {value:.3f}" if name.startswith("AP") else f"{name} {value}" for name, value in row.items()))
    if len(rows) > 1:
        for name in ("AP", "AP50"):
            values = [row[name] for row in rows]
            print(f"{name} {mean(values):.3f} ± {stdev(values):.3f}, lowest {min(values):.3f}")
    flags = sorted(cpu_flags() & {"avx2", "avx512f", "avx512_bf16", "amx_bf16"})
    machine = {
        "cpu": cpu_name(),
        "flags": flags,
        "cores": cpu_quota(),
        "load": os.getloadavg(),
        "torch": torch.__version__,
        "os": platform.system(),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"rows": rows, "options": arguments.options, "machine": machine}, indent=1) + "\n")


if __name__ == "__main__":
    main()
