"""What tests of several folders share."""

import importlib.util
import signal
import sys
from pathlib import Path

import pytest

# a shell without job control starts what stands in its background deaf to Ctrl-C, with all children; some tests press it
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def benchmark_program(monkeypatch):
    """``benchmark_program("pack")``: a program of benchmarks/ as a module, freshly loaded; it is no package that could be imported."""

    def load(name: str):
        monkeypatch.syspath_prepend(str(BENCHMARKS))  # for what the programs share
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load
