"""`coursekit doctor`: what this machine can do, what will be slow on it, and how to mend that. Shown in notebook 00_welcome."""

import importlib.metadata
import importlib.util
import platform
from dataclasses import dataclass

from . import __version__, machine

PACKAGES = ("torch", "torchvision", "numpy", "matplotlib", "scikit-image", "scikit-learn", "jupyterlab", "ipywidgets", "albumentations")
MARKS = {"ok": "✓", "slow": "△", "bad": "✗"}


@dataclass(frozen=True)
class Row:
    """One line of the report. ``verdict`` is ``"ok"``, ``"slow"`` (works, but ...) or ``"bad"`` (something will fail)."""

    name: str
    value: str
    verdict: str = "ok"
    advice: str = ""


def _version(text: str) -> tuple[int, ...]:
    """(2, 11) of "2.11.0+cpu": enough to compare with a minimum."""
    return tuple(int(part) for part in text.split("+")[0].split(".")[:2] if part.isdigit())


def python_row() -> Row:
    return Row("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def package_rows() -> list[Row]:
    """Installed versions, and what is missing."""
    rows = [Row("coursekit", __version__)]
    for name in PACKAGES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            advice = 'Not installed: `pip install "coursekit[course]"`.'
            rows.append(Row(name, "missing", "bad" if name != "albumentations" else "slow", advice))
            continue
        if name == "torch" and _version(version) < (2, 11):
            rows.append(Row(name, version, "bad", "The course needs torch 2.11 or newer; make a fresh environment for it."))
        else:
            rows.append(Row(name, version))
    return rows


def torch_rows() -> list[Row]:
    """What only torch can tell: whether it imports with torchvision, its threads, its GPU."""
    if importlib.util.find_spec("torch") is None:
        return []
    try:
        import torch
        import torchvision  # noqa: F401  (the usual failure: it does not fit the installed torch)
    except (ImportError, OSError, RuntimeError) as error:
        advice = "torch and torchvision do not fit together: install both again in one command."
        return [Row("torch and torchvision", f"{type(error).__name__}: {error}"[:120], "bad", advice)]
    cores, threads = machine.cpu_quota(), torch.get_num_threads()
    rows = [Row("threads of torch", f"{threads} on {cores} cores")]
    if threads > cores:
        rows = [
            Row("threads of torch", f"{threads} on {cores} cores", "slow", f"More threads than cores crawl; set OMP_NUM_THREADS={cores}.")
        ]
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        rows.append(Row("GPU", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"))
    elif getattr(torch.backends, "mps", None) and torch.backends.mps.is_available():
        rows.append(Row("GPU", "Apple (mps)"))
    else:
        advice = "Fine: every notebook has a size for the CPU. With an NVIDIA card, install the CUDA build of torch and torchvision."
        rows.append(Row("GPU", "none that torch can use", "slow", advice))
    return rows


def machine_rows() -> list[Row]:
    """Processor and memory, and what they mean for the course's training."""
    flags, cores, memory = machine.cpu_flags(), machine.cpu_quota(), machine.memory_limit()
    rows = [Row("processor", f"{machine.cpu_name()}, {cores} core{'s' * (cores > 1)} for us")]
    if cores < 2:
        rows[0] = Row("processor", rows[0].value, "slow", "One core: training takes about twice the minutes that a notebook states.")
    fast = sorted(flags & {"avx2", "avx512f", "avx512_bf16", "amx_bf16"})
    if flags and not fast:
        rows.append(Row("vector instructions", "neither avx2 nor avx512", "slow", "Training is several times slower; a GPU runtime helps."))
    elif flags:
        bf16 = "bfloat16 in hardware" if flags & {"avx512_bf16", "amx_bf16"} else "float32 only"
        rows.append(Row("vector instructions", f"{', '.join(fast)}: {bf16}"))
    if memory is not None:
        small = memory < 4 * 2**30
        advice = "Under 4 GiB: close other programs, and lower --batch when training." if small else ""
        rows.append(Row("memory", f"{memory / 2**30:.1f} GiB", "slow" if small else "ok", advice))
    return rows


def sandbox_rows() -> list[Row]:
    """Whether submissions of others can be graded safely here; of interest to teachers only, so it is never bad. Grading runs on Linux."""
    if platform.system() != "Linux":
        return []
    from .grading import probe

    name = "sandbox for grading"
    try:
        tiers = probe.probe()[:2]
    except Exception as error:  # a report on a machine must not end because of that machine
        return [Row(name, f"could not be tried: {error}"[:120], "slow", "Matters only where submissions of others are graded.")]
    value = " ".join(f"{tier.name} {MARKS['ok' if tier.works else 'bad']}" for tier in tiers)
    if not any(tier.works for tier in tiers):
        advice = f"Matters only for grading: submissions of strangers are refused here ({tiers[0].why[:80]})."
        return [Row(name, value, "slow", advice)]
    return [Row(name, value, advice="" if tiers[0].works else f"namespaces: {tiers[0].why[:80]}")]


def triton_row() -> Row:
    """Whether the inference server of notebook 23 is here; the course goes on without it, so it is never bad."""
    from .serving.triton_environment import find_triton, why_no_triton

    if folder := find_triton():
        return Row("Triton", str(folder))
    return Row("Triton", "none", "slow", f"Fine: notebook 23 serves with ONNX Runtime instead. {why_no_triton()}.")


def report() -> list[Row]:
    """Every row of the report, in the order it is shown. Imports torch, which takes some seconds."""
    return [python_row(), *package_rows(), *machine_rows(), *torch_rows(), triton_row(), *sandbox_rows()]


def render(rows: list[Row]) -> None:
    """Print the report as a table; a verdict is a word and a sign, not only a colour."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="coursekit doctor")
    for column in ("", "what", "found", "advice"):
        table.add_column(column, overflow="fold")
    style = {"ok": "green", "slow": "yellow", "bad": "bold red"}
    for row in rows:
        table.add_row(f"[{style[row.verdict]}]{MARKS[row.verdict]} {row.verdict}[/]", *map(escape, (row.name, row.value, row.advice)))
    Console().print(table)
