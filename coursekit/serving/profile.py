"""Where the time of a detector goes, operator by operator: ONNX Runtime's own notes, and PyTorch's. Taught in notebook 23_deployment.

    print(profile_onnx("detector.onnx", pixels))

Multiply-adds are counted as in `coursekit.models.cost`: those of convolutions and matrix products. All else counts 0 and takes time all
the same: reshaping, joining, sorting, enlarging. `Profile.free` is the sum of these.
"""

import json
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from .session import open_session

PARTS = ("letterbox", "network", "suppress", "undo")  # of `export_onnx`, by the beginning of their operators' names


@dataclass(frozen=True)
class OperatorTime:
    """What all operators of one kind took together, in one run.

    Args:
        kind: the operator's name, as whoever ran it calls it: ``"Conv"``, ``"QLinearConv"``, ``"cat"``.
        calls: how many of them there are.
        seconds: of a typical run (the median); share: of all operators, 0 to 1.
        multiply_adds: 0 for what neither convolves nor multiplies matrices.
    """

    kind: str
    calls: int
    seconds: float
    share: float
    multiply_adds: int


@dataclass(frozen=True)
class Profile:
    """What `profile_onnx` or `profile_eager` found.

    Args:
        rows: what takes most time first.
        seconds: of all operators in a typical run. What is between them, and the profiling itself, is not in it.
        parts: seconds of each part of the file: letterbox, network, suppress, undo; ``other`` where a name does not tell. {} for PyTorch.
    """

    rows: list[OperatorTime]
    seconds: float
    parts: dict[str, float]

    @property
    def free(self) -> list[OperatorTime]:
        """Those without a single multiply-add, dearest first."""
        return [row for row in self.rows if row.multiply_adds == 0]

    @property
    def free_share(self) -> float:
        """Share of the time that goes to operators without a multiply-add."""
        return sum(row.share for row in self.free)

    def table(self, most: int = 12) -> str:
        """The first rows as text with even columns, the others in one row."""
        shown, others = self.rows[:most], self.rows[most:]
        if others:
            sums = [sum(getattr(row, name) for row in others) for name in ("calls", "seconds", "share", "multiply_adds")]
            shown = [*shown, OperatorTime(f"{len(others)} other kinds", *sums)]
        lines = [f"{'operator':26}{'calls':>6}{'ms':>9}{'share':>8}{'M multiply-adds':>17}"]
        lines += [
            f"{row.kind[:25]:26}{row.calls:>6}{1e3 * row.seconds:>9.3f}{row.share:>8.1%}{row.multiply_adds / 1e6:>17.1f}" for row in shown
        ]
        lines.append(f"{self.free_share:.0%} of {1e3 * self.seconds:.2f} ms goes to operators without a multiply-add.")
        return "\n".join(lines)

    __str__ = table


def profile_onnx(path: Path | str, pixels: np.ndarray, runs: int = 10, warmup: int = 3, threads: int = 1, optimise: bool = True) -> Profile:
    """Run an ONNX file with ONNX Runtime's profiler on.

    With ``optimise`` the rows show what really runs, under ONNX Runtime's names: ``QuickGelu`` is a Sigmoid and its multiplication in one,
    ``ReorderInput`` lays memory out for convolutions, ``QLinearConv`` convolves 8-bit integers.

    Args:
        path: an ONNX file with one input.
        pixels: what goes into it, as `OnnxDetector.run` takes it.
        runs: that count; warmup: runs before, that do not.
        threads: that work on one operator.
        optimise: whether ONNX Runtime may join operators, as it does by itself.

    Raises:
        ValueError, FileNotFoundError: for numbers below their least; a file that cannot be opened.
    """
    _check(runs, warmup)
    with tempfile.TemporaryDirectory() as folder:
        named = _with_names(path, Path(folder) / "named.onnx")
        plain = _events(named, pixels, 1, 1, optimise=False)  # here each operator stands by itself, and its shapes are all told
        work = {_name(node): multiply_adds(node["args"]) for node in _nodes(plain)}
        return summarise(_events(named, pixels, warmup + runs, threads, optimise), warmup, work)


def summarise(events: list[dict], warmup: int = 0, work: dict[str, int] | None = None) -> Profile:
    """What ONNX Runtime's profile says (https://onnxruntime.ai/docs/performance/tune-performance/profiling-tools.html), summed up.

    Args:
        events: the entries of the file. Those that count: category ``Session`` and name ``model_run``, one for each run; category ``Node``
            and an ``op_name``, one for each operator of a run. ``ts`` and ``dur`` are microseconds.
        warmup: runs at the beginning to leave out.
        work: multiply-adds of each operator, by its name.

    Raises:
        ValueError: where no run is left.
    """
    spans = sorted((event["ts"], event["ts"] + event["dur"]) for event in events if event["name"] == "model_run")[warmup:]
    if not spans:
        raise ValueError(f"events must hold more runs than the {warmup} that do not count")
    runs = [[node for node in _nodes(events) if begin <= node["ts"] <= end] for begin, end in spans]
    by_kind, by_part = ([_sums(run, key) for run in runs] for key in (_kind, _part))
    calls, total = Counter(_kind(node) for node in runs[0]), Counter()
    for node in runs[0]:
        total[_kind(node)] += (work or {}).get(_name(node), 0)
    parts = {part: _median(by_part, part) for part in (*PARTS, "other") if any(part in run for run in by_part)}
    return _profile({kind: _median(by_kind, kind) for kind in calls}, calls, total, parts)


def multiply_adds(args: dict) -> int:
    """Multiply-adds of one operator, from the shapes that ONNX Runtime notes; 0 for what neither convolves nor multiplies matrices.

    A convolution makes each number of its output out of one filter: input channels of a group times kernel. A matrix product makes each
    out of a row as long as the first matrix is wide.
    """
    shapes = [shape for value in args["input_type_shape"] for shape in value.values()]
    output = [shape for value in args["output_type_shape"] for shape in value.values()]
    if args["op_name"] == "Conv":
        return prod(output[0]) * prod(shapes[1][1:])
    return prod(output[0]) * shapes[0][-1] if args["op_name"] in ("MatMul", "Gemm") else 0


def profile_eager(call: Callable[[], object], runs: int = 5, warmup: int = 2) -> Profile:
    """The same of PyTorch: what each of its operators takes on the CPU. The watching adds some microseconds to each call.

    Args:
        call: runs the network once, such as ``lambda: model(images)``. A network that `fuse` made has kernels whose work is not told.

    Raises:
        ValueError: for numbers below their least.
    """
    import torch

    from ..models.cost import _Operators

    class Timed(_Operators):
        """Counts, as for the tables of notebook 10, and takes the time besides."""

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            begin = time.perf_counter()
            output = super().__torch_dispatch__(func, types, args, kwargs)
            seconds[-1][func.overloadpacket.__name__.rstrip("_")] += time.perf_counter() - begin
            return output

    _check(runs, warmup)
    seconds: list[dict[str, float]] = []
    with torch.no_grad():
        for _ in range(warmup + runs):
            seconds.append(defaultdict(float))
            with Timed() as seen:
                call()
    counts = seen.counts
    return _profile(
        {kind: _median(seconds[warmup:], kind) for kind in counts},
        {kind: row[0] for kind, row in counts.items()},
        {kind: row[2] for kind, row in counts.items()},
        {},
    )


def _check(runs: int, warmup: int) -> None:
    for name, value, least in (("runs", runs, 1), ("warmup", warmup, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")


def _with_names(path: Path | str, named: Path) -> Path:
    """A copy in which every operator has a name, that of its first output; by this the parts are told apart."""
    try:
        import onnx
    except ModuleNotFoundError:
        raise ValueError("onnx is not installed; install with: pip install 'coursekit[export]'") from None
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    open_session(path, 1)  # says in a sentence what is wrong with the file
    model = onnx.load(str(path))
    for node in model.graph.node:
        node.name = next((output for output in node.output if output), "")
    onnx.save(model, str(named))
    return named


def _events(path: Path, pixels: np.ndarray, runs: int, threads: int, optimise: bool) -> list[dict]:
    session = open_session(path, threads, profile=path.with_suffix(f".{runs}"), optimise=optimise)
    name = session.get_inputs()[0].name
    for _ in range(runs):
        session.run(None, {name: pixels})
    return json.loads(Path(session.end_profiling()).read_text())


def _nodes(events: list[dict]) -> list[dict]:
    return [event for event in events if event.get("cat") == "Node" and event.get("args", {}).get("op_name")]


def _kind(node: dict) -> str:
    return node["args"]["op_name"]


def _name(node: dict) -> str:
    """The operator's name in the file, without what ONNX Runtime adds where it puts another in its place."""
    return re.sub(r"(_nchwc|_token_\d+)*(_kernel_time)?$", "", node["name"])


def _profile(seconds: dict, calls: dict, work: dict, parts: dict) -> Profile:
    whole = sum(seconds.values())
    rows = [OperatorTime(kind, calls[kind], took, took / whole if whole else 0.0, work.get(kind, 0)) for kind, took in seconds.items()]
    return Profile(sorted(rows, key=lambda row: (-row.seconds, row.kind)), whole, parts)


def _sums(nodes: list[dict], key: Callable[[dict], str]) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for node in nodes:
        sums[key(node)] += node["dur"] / 1e6
    return dict(sums)


def _part(node: dict) -> str:
    part = node["name"].split("/")[0]
    return part if part in PARTS else "other"


def _median(runs: list[dict[str, float]], key: str) -> float:
    return float(np.median([run.get(key, 0.0) for run in runs]))
