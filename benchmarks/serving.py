"""The same detector served in eight ways, on the same cores: latency, throughput, memory, AP. For notebook 23_deployment and the README.

    python benchmarks/serving.py                  # all, and writes results/serving.json
    python benchmarks/serving.py --only int8 onnx # some rows, printed; with --update they replace those of the results

From uint8 pictures of 256 x 256 to boxes in their pixels, suppression and all, by the detector that the course ships. Each row has
processes of its own. What runs in a process (the first five) is called by threads of that process; servers are asked over loopback by
another one, which shares the cores with them, as a caller on the same machine does. Leave the machine alone meanwhile.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import HERE, machine, write_results
from serving_rows import ALL, MAX_BATCH, MAX_WAIT, ROWS, SURE, opened, peak_bytes, tensors

PARTS = ("calibration", "profile")
CLIENTS, BATCHES = (1, 2, 4, 8), (1, 2, 4, 8, 16)
CALIBRATION = (
    {"method": "minmax"},
    {"method": "minmax", "per_channel": False},
    {"method": "minmax", "reduce_range": True},
    {"method": "minmax", "decoding": True},
    {"method": "entropy"},
    {"method": "percentile", "percentile": 99.999},
    {"method": "percentile", "percentile": 99.99},
    {"method": "percentile", "percentile": 99.9},
)


def prepare(folder: Path, scenes: int) -> None:
    """Scenes with their truth, pictures to calibrate on, and the files ``float`` and ``int8`` for both confidences."""
    import torch

    from coursekit.data.signs import SignScenes
    from coursekit.serving.quantise import quantise_onnx
    from coursekit.yolo import load_shipped
    from coursekit.yolo.export import export_onnx

    world, others = SignScenes(scenes, seed=2020), SignScenes(32, seed=77)
    samples = [world[index] for index in range(scenes)]
    np.save(folder / "pictures.npy", torch.stack([picture for picture, _ in samples]).permute(0, 2, 3, 1).contiguous().numpy())
    torch.save([target for _, target in samples], folder / "targets.pt")
    calibration = [others[index][0] for index in range(len(others))]
    torch.save(calibration, folder / "calibration.pt")
    for confidence in (SURE, ALL):
        export_onnx(load_shipped(), folder / f"float-{confidence}.onnx", preprocess=True, nms=True, confidence=confidence)
        quantise_onnx(folder / f"float-{confidence}.onnx", folder / f"int8-{confidence}.onnx", calibration)


def measure(row: str, folder: Path, threads: int, requests: int, repeat: int) -> dict:
    """One row. First answers and memory before anything else is loaded into this process."""
    pixels, begin = np.load(folder / "pictures.npy"), time.perf_counter()
    with opened(row, folder, SURE, threads) as running:
        first = {}
        for batch in BATCHES:
            before = time.perf_counter()
            running.raw(pixels[:batch])
            first[batch] = round(time.perf_counter() - (begin if batch == 1 else before), 3)
            running.raw(pixels[:batch])
        result = {"first_answer_seconds": first, "peak_bytes": peak_bytes(running.processes())}
        result |= under_load(running.detect, tensors(pixels), requests, repeat)
        if running.ap:
            return result | average_precision(running.ap, folder)
    with opened(row, folder, ALL, threads) as running:
        return result | average_precision(running.detect, folder)


def under_load(detect: Callable, pictures: list, requests: int, repeat: int) -> dict:
    """Latency for so many clients, pictures a second for clients and for batches: of each figure the best of ``repeat`` turns, since
    whatever else runs can only make it worse."""
    from coursekit.serving.latency import load_test

    clients, batches = {}, {}
    for turn in range(repeat):
        for many in CLIENTS:
            load = load_test(detect, pictures, clients=many, requests=requests, warmup=2 * many)
            p50, p90, p99 = (1e3 * value for value in load.percentiles())
            new = {"p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "pictures_per_second": load.throughput, "errors": load.errors}
            clients[many] = better(clients.get(many), new) if turn else new
        for batch in BATCHES:
            load = load_test(detect, pictures, requests=max(12, requests // batch), warmup=2, batch=batch)
            new = {"p50_ms": 1e3 * load.percentiles([50])[0], "pictures_per_second": load.throughput, "errors": load.errors}
            batches[batch] = better(batches.get(batch), new) if turn else new
    return {"clients": rounded(clients), "batches": rounded(batches)}


def better(old: dict, new: dict) -> dict:
    """Field by field: the shorter time, the higher rate, all the errors."""
    rules = {"pictures_per_second": max, "errors": lambda a, b: a + b}
    return {key: rules.get(key, min)(old[key], new[key]) for key in old}


def rounded(rows: dict) -> dict:
    return {key: {name: round(value, 2) for name, value in row.items()} for key, row in rows.items()}


def average_precision(detect: Callable, folder: Path) -> dict:
    import torch

    from coursekit.data.signs import SIGN_CLASSES
    from coursekit.metrics.detection import evaluate_samples

    pictures = tensors(np.load(folder / "pictures.npy"))
    found = [one for first in range(0, len(pictures), MAX_BATCH) for one in detect(pictures[first : first + MAX_BATCH])]
    summary = evaluate_samples(torch.load(folder / "targets.pt", weights_only=True), found, SIGN_CLASSES).summary
    return {name: round(summary[name], 4) for name in ("AP", "AP50")}


def calibration(folder: Path, threads: int) -> list[dict]:
    """What each way to quantise costs in AP, and how large the file is; the first line is the one in float."""
    import torch

    from coursekit.serving.quantise import quantise_onnx
    from coursekit.serving.session import OnnxDetector

    source, pictures = folder / f"float-{ALL}.onnx", torch.load(folder / "calibration.pt", weights_only=True)
    rows = [{"method": "float32", **average_precision(OnnxDetector(source, threads), folder), "bytes": source.stat().st_size}]
    for settings in CALIBRATION:
        begin = time.perf_counter()
        file = quantise_onnx(source, folder / "trial.onnx", pictures, **settings)
        seconds = round(time.perf_counter() - begin, 1)
        found = average_precision(OnnxDetector(file, threads), folder)
        rows.append({**settings, **found, "bytes": file.stat().st_size, "seconds": seconds, "pictures": len(pictures)})
    return rows


def profiles(folder: Path, threads: int) -> dict:
    """Where the time of one picture goes: the dearest kinds of operators, and the share of those without a multiply-add."""
    import torch

    from coursekit.serving.profile import profile_eager, profile_onnx
    from coursekit.yolo import load_shipped

    torch.set_num_threads(threads)
    pixels = np.load(folder / "pictures.npy")[:1]
    model, images = load_shipped(), torch.stack(tensors(pixels))
    found = {
        name: profile_onnx(folder / f"{file}-{SURE}.onnx", pixels, 40, 10, threads) for name, file in (("onnx", "float"), ("int8", "int8"))
    }
    found["eager, network alone"] = profile_eager(lambda: model(images), 20, 5)
    return {
        name: {
            "ms": round(1e3 * one.seconds, 3),
            "share_without_multiply_adds": round(one.free_share, 3),
            "parts_ms": {part: round(1e3 * seconds, 3) for part, seconds in one.parts.items()},
            "rows": [{**vars(row), "seconds": round(row.seconds, 7), "share": round(row.share, 4)} for row in one.rows[:12]],
        }
        for name, one in found.items()
    }


def child(what: str, folder: Path, arguments: argparse.Namespace) -> dict | list:
    """``what`` in a process of its own, with its threads and an empty cache for compiled kernels."""
    facts = ["--threads", arguments.threads, "--requests", arguments.requests, "--repeat", arguments.repeat, "--folder", folder]
    environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads), "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor")}
    command = [str(part) for part in (sys.executable, __file__, "--child", what, *facts)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{what} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def in_child(what: str, folder: Path, arguments: argparse.Namespace) -> dict | list:
    if what == "calibration":
        return calibration(folder, arguments.threads)
    if what == "profile":
        return profiles(folder, arguments.threads)
    if what.startswith("triton"):
        from coursekit.serving.triton import find_triton, why_no_triton

        if find_triton() is None:
            return {"skipped": why_no_triton()}
    return measure(what, folder, arguments.threads, arguments.requests, arguments.repeat)


def table(rows: list[dict]) -> str:
    """For the README; memory as MB of 10^6 bytes."""
    lines = [
        "| | p50 / p99 ms, 1 client | p50 / p99 ms, 8 clients | pictures/s, 8 clients | batch 1 | batch 16 | peak MB | AP |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if "skipped" in row:
            lines.append(f"| {row['name']} | {row['skipped']} |")
            continue
        clients, batches = ({int(key): value for key, value in row[what].items()} for what in ("clients", "batches"))
        waits = [f"{clients[many]['p50_ms']:.1f} / {clients[many]['p99_ms']:.1f}" for many in (1, 8)]
        rates = [clients[8], batches[1], batches[16]]
        cells = [row["name"], *waits, *(f"{rate['pictures_per_second']:.0f}" for rate in rates)]
        cells += [f"{row['peak_bytes'] / 1e6:.0f}" if row["peak_bytes"] else "?", f"{row['AP']:.4f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def settings(arguments: argparse.Namespace) -> dict:
    return {
        "model": "signs_n, as the course ships it",
        "pictures": "256 x 256, uint8; boxes in their pixels come out; confidence 0.25 for times, 0.001 for AP",
        "scenes": arguments.scenes,
        "threads": arguments.threads,
        "requests": arguments.requests,
        "turns": arguments.repeat,
        "of the turns": "the best of each figure",
        "servers": {"max_batch": MAX_BATCH, "max_wait_seconds": MAX_WAIT, "instances": 1, "asked": "from another process, same cores"},
        "first_answer_seconds": "of batch 1 from loading or starting on; of the others the first call alone; where it compiles, with that",
        "peak_bytes": "resident, of the processes that infer (Triton: the server and its stub), after batches of 1 to 16",
        "8 clients in PyTorch": "each thread that calls has a team of as many threads as stand under threads",
        "beside": arguments.beside,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[*ROWS, *PARTS], help="only these; printed, not written")
    parser.add_argument("--update", action="store_true", help="with --only: put them into the results that are there")
    parser.add_argument("--threads", type=int, default=0, help="0: the cores that are really ours")
    parser.add_argument("--requests", type=int, default=150, help="for each number of clients")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--beside", default="nothing", help="what else ran on the machine, for the results")
    for inner in ("--child", "--folder"):
        parser.add_argument(inner, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.threads = arguments.threads or machine()["cores"]
    if arguments.child:
        print(json.dumps(in_child(arguments.child, Path(arguments.folder), arguments)))
        return
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), arguments.scenes)
        for what in arguments.only or [*ROWS, *PARTS]:
            begin = time.perf_counter()
            found[what] = child(what, Path(folder), arguments)
            print(f"{what}: {time.perf_counter() - begin:.0f} s", flush=True)
    rows = [{"row": row, "name": ROWS[row], **found[row]} for row in ROWS if row in found]
    content = {
        "rows": rows,
        **{part: found[part] for part in PARTS if part in found},
        "settings": settings(arguments),
        "machine": versions(),
    }
    if arguments.update:
        content = merged(json.loads((HERE / "results" / "serving.json").read_text()), content)
    if arguments.update or not arguments.only:
        write_results("serving", content)
    else:
        print(json.dumps(content, indent=1))
    print(table(content["rows"]))


def merged(old: dict, new: dict) -> dict:
    """``old`` with what ``new`` measured anew, under the same settings on the same machine.

    Raises:
        SystemExit: where one of these differs.
    """
    for name in ("settings", "machine"):
        before, after = ({key: value for key, value in one[name].items() if key != "beside"} for one in (old, new))
        if before != after:
            raise SystemExit(f"the {name} of the results are others; measure all rows, without --only")
    rows = {row["row"]: row for row in (*old["rows"], *new["rows"])}
    return {**old, **new, "rows": [rows[row] for row in ROWS if row in rows]}


def versions() -> dict:
    from importlib.metadata import version

    from coursekit.machine import cpu_flags

    facts = machine()
    facts["flags"] = sorted({*facts["flags"], *(cpu_flags() & {"avx512_vnni", "avx_vnni", "amx_int8"})})
    return facts | {name: version(name) for name in ("onnxruntime", "numpy", "tritonclient")} | {"triton": "nvidia-pytriton 0.7.0"}


if __name__ == "__main__":
    main()
