"""Our evaluator beside those that people use, on the large set of `coco_set.py`: seconds, memory, and whether they agree.

    python benchmarks/coco_eval.py

Each evaluation is a process of its own, each peer in an environment of its own (made under --envs where it is missing, with pip as it is
set up on this machine; torchmetrics brings torch, unless --share-torch lends it ours). The evaluators take turns, --repeat times; one that
takes more than 10 s, three times at most. The table shows medians, benchmarks/results/coco_eval.json holds the smallest as well.
"Whole" is the process from start to end: interpreter, imports, loading, evaluating. Leave the machine alone meanwhile.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from statistics import median

from coco_set import describe, write

from coursekit.machine import cpu_flags, cpu_name, cpu_quota

HERE = Path(__file__).parent
OURS, REFERENCE, COMMAND = "coursekit", "pycocotools", "coursekit eval (the command)"
PEERS = {  # evaluator -> what its environment holds, exactly
    "pycocotools": ["pycocotools==2.0.11", "numpy==2.4.6"],
    "faster-coco-eval": ["faster-coco-eval==1.8.0", "numpy==2.4.6"],
    "hotcoco": ["hotcoco==1.3.0", "numpy==2.4.6"],
    "torchmetrics, pycocotools": ["torchmetrics==1.9.0", "pycocotools==2.0.11", "faster-coco-eval==1.8.0", "numpy==2.4.6"],
    "torchmetrics, faster-coco-eval": ["torchmetrics==1.9.0", "pycocotools==2.0.11", "faster-coco-eval==1.8.0", "numpy==2.4.6"],
}
SLOW, SLOW_REPEAT = 10.0, 3


def environment(folder: Path, packages: list[str], share_torch: bool) -> Path:
    """The Python of an environment that holds these packages; made where it is missing."""
    home = folder / packages[0].replace("==", "-")
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    needs_torch = packages[0].startswith("torchmetrics")
    if (home / "complete").is_file():
        return python
    print(f"making {home} with {', '.join(packages)}", flush=True)
    venv.create(home, with_pip=True, clear=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if needs_torch and share_torch:  # torch is found in our environment, everything else in its own, which comes first
        import torch

        [site] = home.glob("lib/python*/site-packages") if os.name != "nt" else [home / "Lib" / "site-packages"]
        (site / "torch_of_coursekit.pth").write_text(f"{Path(torch.__file__).parent.parent}\n")
    elif needs_torch:
        from importlib.metadata import version

        packages = [*packages, f"torch=={version('torch').split('+')[0]}"]
    subprocess.run([*pip, *packages], check=True)
    (home / "complete").write_text("\n".join(packages))
    return python


def one_run(command: list, out: Path | None) -> dict:
    """Run it, take what it wrote, and the whole process's seconds."""
    begin = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    whole = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    result = {} if out is None else json.loads(out.read_text())
    return {
        **result,
        "whole": whole,
        "whole_cpu": usage.ru_utime + usage.ru_stime,
        "whole_mb": usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10),
    }


def differences(name: str, numbers: list[float], reference: list[float], folder: Path) -> dict:
    """The largest difference to pycocotools among the twelve numbers, and among all cells where the evaluator shows them."""
    import numpy as np

    result = {"numbers": float(np.abs(np.array(numbers) - reference).max())}
    if (folder / f"{name}.npz").is_file():
        ours, theirs = np.load(folder / f"{name}.npz"), np.load(folder / f"{REFERENCE}.npz")
        result |= {kind: float(np.abs(ours[kind] - theirs[kind]).max()) for kind in ("precision", "recall", "scores")}
    return result


def measure(arguments, truth: Path, found: Path, folder: Path) -> dict[str, list[dict]]:
    pythons = {OURS: sys.executable}
    pythons |= {name: environment(arguments.envs, packages, arguments.share_torch) for name, packages in PEERS.items()}
    runs: dict[str, list[dict]] = {name: [] for name in [*pythons, COMMAND]}
    for turn in range(arguments.repeat):
        for name, python in pythons.items():
            if turn >= SLOW_REPEAT and runs[name][0]["seconds"] > SLOW:
                continue
            out = folder / "out.json"
            cells = ["--cells", folder / f"{name}.npz"] if turn == 0 else []
            runs[name].append(one_run([python, HERE / "peers" / "coco_run.py", name, truth, found, "--out", out, *cells], out))
            print(f"turn {turn + 1}: {name:32} {runs[name][-1]['seconds']:7.2f} s", flush=True)
        runs[COMMAND].append(one_run([sys.executable, "-m", "coursekit.cli", "eval", truth, found], None))
    return runs


def table(runs: dict[str, list[dict]], folder: Path) -> list[dict]:
    """A row an evaluator: medians and smallest values, differences, versions."""
    rows = []
    for name, mine in runs.items():
        row = {"name": name, "runs": len(mine)}
        for key in ("load", "load_cpu", "seconds", "cpu", "whole", "whole_cpu", "loaded_mb", "peak_mb", "whole_mb"):
            values = [run[key] for run in mine if key in run]
            if values:
                row |= {key: round(median(values), 3), f"{key}_min": round(min(values), 3)}
        if "numbers" in mine[0]:
            row["difference"] = differences(name, mine[0]["numbers"], runs[REFERENCE][0]["numbers"], folder)
            row["versions"] = mine[0]["versions"]
        rows.append(row)
    return rows


def ratios(rows: list[dict]) -> dict[str, float]:
    by = {row["name"]: row for row in rows}
    ours = by[OURS]
    values = {f"evaluation seconds, ours / {name}": ours["seconds"] / by[name]["seconds"] for name in PEERS}
    values |= {f"evaluation CPU seconds, ours / {name}": ours["cpu"] / by[name]["cpu"] for name in PEERS}
    values |= {f"peak memory, ours / {name}": ours["peak_mb"] / by[name]["peak_mb"] for name in PEERS}
    values |= {f"whole process seconds, ours / {name}": ours["whole"] / by[name]["whole"] for name in PEERS}
    return {name: round(value, 4) for name, value in values.items()}


def show(rows: list[dict]) -> None:
    print(f"\n{'':34}{'load s':>8}{'eval s':>8}{'CPU s':>8}{'whole s':>9}{'loaded':>9}{'peak MB':>9}  largest difference: numbers, cells")
    for row in rows:
        cells = [f"{row[key]:.2f}" if key in row else "-" for key in ("load", "seconds", "cpu", "whole")]
        cells += [f"{row[key]:.0f}" if key in row else "-" for key in ("loaded_mb", "peak_mb")]
        far = row.get("difference", {})
        shown = f"{far['numbers']:.1e}" if far else "-"
        shown += f", {max(far[k] for k in ('precision', 'recall', 'scores')):.1e}" if "precision" in far else ", -"
        print(f"{row['name']:34}{cells[0]:>8}{cells[1]:>8}{cells[2]:>8}{cells[3]:>9}{cells[4]:>9}{cells[5]:>9}  {shown}")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envs", type=Path, default=Path("build/bench-envs"), help="where the peers' environments are, or will be")
    parser.add_argument("--set", type=Path, default=Path("build/coco-set"), help="where the generated set is, or will be")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--share-torch", action="store_true", help="torchmetrics uses the torch of this environment")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "coco_eval.json")
    arguments = parser.parse_args()
    truth, found, digest = write(arguments.set)
    before = os.getloadavg()
    with tempfile.TemporaryDirectory() as folder:
        rows = table(measure(arguments, truth, found, Path(folder)), Path(folder))
    show(rows)
    compared = ratios(rows)
    for name, value in compared.items():
        print(f"{name:60} {value:.3f}")
    flags = sorted(cpu_flags() & {"avx2", "avx512f", "avx512_bf16", "amx_bf16"})
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    machine = {"cpu": cpu_name(), "flags": flags, "cores": cpu_quota(), "OMP_NUM_THREADS": threads, "os": platform.system()}
    machine |= {"python": platform.python_version(), "load before": before, "load after": os.getloadavg()}
    counts = describe(*(json.loads(path.read_text(encoding="utf-8")) for path in (truth, found)))
    content = {"rows": rows, "ratios": compared, "set": {"hash": digest, **counts}, "machine": machine}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
