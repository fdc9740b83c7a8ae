"""Nothing that can be imported where an answer runs is an answer: every public function, class and method there is tried as one.

The trying happens in the sandbox itself, by a cell that finds out what there is and compares roughly; whatever comes near is then handed in
for real, and must earn nothing. A library's twin that the worker notices ("refused") counts as nothing.
"""

import contextlib
import dataclasses
import platform
import time

import pytest

if platform.system() != "Linux":
    pytest.skip("grading runs on Linux", allow_module_level=True)

from coursekit.exercises.core import modules
from coursekit.grading.assignment import make
from coursekit.grading.cells import Cell
from coursekit.grading.inside import wire
from coursekit.grading.judge import judge_submission
from coursekit.grading.known import known
from coursekit.grading.submission import Submission

IN_SHORT = ("13", "20")
NUMBERS = sorted({m.__name__.split(".n")[1][:2] for m in modules()} - {"00", "21"})  # no machine grades those of 21
CHUNK = 1500

FINDER = '''
import builtins, importlib, inspect, itertools, math, operator, statistics, sys, types
import numpy as np

SKIPPED = ("set_", "use_", "enable", "disable", "seed", "init", "manual_seed", "save", "load", "breakpoint", "input", "exit", "quit")
TOOLS = (  # of torch: no sums, and slow
    "export", "fx", "jit", "library", "profiler", "hub", "monitor", "onnx", "distributed", "compiler", "package", "testing", "nested",
    "parallel", "checkpoint", "ao", "backends",
)

def public(name):
    return not any(part.startswith("_") for part in name.split("."))

def candidates():
    found, seen = {}, set()
    roots = ("numpy", "torch", "coursekit")
    names = [n for n in sorted(sys.modules) if n.split(".")[0] in roots and public(n) and n != "coursekit.notebook"]
    names = [n for n in names if not (n.startswith("torch.") and set(n.split(".")) & set(TOOLS))]
    for kit in MODULES:
        importlib.import_module(kit)
        names.append(kit)
    holders = [(n, sys.modules[n]) for n in names if isinstance(sys.modules[n], types.ModuleType)]
    holders += [(m.__name__, m) for m in (builtins, itertools, math, operator, statistics)]
    holders += [("numpy.ndarray", np.ndarray)]
    if "torch" in sys.modules:
        holders += [("torch.Tensor", sys.modules["torch"].Tensor)]
    for path, holder in holders:
        for name in sorted(set(dir(holder))):
            if name.startswith("_") or name.startswith(SKIPPED):
                continue
            try:
                value = getattr(holder, name)
            except Exception:
                continue
            if callable(value) and id(value) not in seen:
                seen.add(id(value))
                found[path + "." + name] = value
    return found

def flat(value, depth=0):
    """Its numbers and words, in a row."""
    if depth > 6:
        raise TypeError
    if type(value).__name__ in ("Tensor", "Parameter"):
        value = value.detach().double().numpy() if not value.is_complex() else value.detach().numpy()
    if isinstance(value, np.ndarray):
        return [len(value.shape), *value.ravel()[:5000].tolist()]
    if isinstance(value, (list, tuple)):
        return [part for item in value[:2000] for part in flat(item, depth + 1)]
    if isinstance(value, dict):
        return [part for key in value for part in flat(value[key], depth + 1)]
    if hasattr(value, "__dataclass_fields__"):
        return [part for name in value.__dataclass_fields__ for part in flat(getattr(value, name), depth + 1)]
    if isinstance(value, np.generic):
        return [value.item()]
    if value is None or isinstance(value, (bool, int, float, str)):
        return [value]
    raise TypeError

def near(a, b):
    if len(a) != len(b):
        return False
    for x, y in zip(a, b):
        if isinstance(x, (int, float)) and isinstance(y, (int, float)):
            if not (x == y or abs(x - y) <= 1e-3 + 1e-3 * abs(x) or (x != x and y != y)):
                return False
        elif x != y:
            return False
    return True

def copied(value):
    if hasattr(value, "detach"):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (list, tuple):
        return type(value)(copied(v) for v in value)
    if type(value) is dict:
        return {k: copied(v) for k, v in value.items()}
    return value

EVERY = None

def finder(cases, start, stop, ending):
    """Those of the candidates that come near the right answer to one of the cases."""
    global EVERY
    if EVERY is None:
        EVERY = list(candidates().items())
    limits = sys.modules["inside.exercises_limits"]
    hits = []
    for name, value in EVERY[start:stop]:
        if name in ending:
            continue
        for arguments, right in cases:
            given = copied(arguments)
            try:
                got = limits.call_within(1.0, lambda: DRIVER(value, *given) if DRIVER else value(*given))
                if near(flat(right), flat(got)):
                    hits.append(name)
                    break
            except BaseException:
                continue
    return [len(EVERY), hits, EVERY[start][0]]
'''
ENDING: set[str] = set()  # candidates that end their process, by a crash or so: no answer to anything


@pytest.fixture(scope="session")
def of_notebook(tmp_path_factory):
    """The assignment of one notebook, made once."""
    made = {}

    def of(number: str):
        if number not in made:
            made[number] = make([number], tmp_path_factory.mktemp("all") / f"hw{number}")
        return made[number]

    return of


class Finder:
    """A worker that tries everything that it can import."""

    def __init__(self, workers, task):
        kit = task.kit
        loads = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in kit.files]
        self.source = f"MODULES = {loads!r}\n{kit.driver or ''}\nDRIVER = {kit.driver_name}\n{FINDER}"
        self.workers, self.kit, self.worker = workers, kit, None

    def open(self) -> None:
        self.close()
        self.worker = self.workers.start(self.kit.packages, self.kit.files)
        job = {
            "exercise": "x", "setup": [], "driver": None, "driver_name": None, "answer": "finder", "parameters": [], "count": 4,
            "in_place": True, "watched": [], "allowed": [], "cells": [[1, self.source, False]], "own_cells": [], "fallbacks": [],
            "modules": [n.removesuffix(".py").replace("/", ".") for n, text in self.kit.files.items() if "dataclass" in text],
        }  # fmt: skip
        wire.send(self.worker.sock, b"J", wire.pack(job))
        replies = [wire.unpack(wire.receive(self.worker.sock, time.monotonic() + 60)[1]) for _ in "PFR"]
        assert replies[2]["notes"] == []

    def close(self) -> None:
        if self.worker is not None:
            self.worker.kill()

    def ask(self, cases, start: int, stop: int):
        """(how many there are, names that come near); where a candidate ends the process, it is left out."""
        for _ in range(2):
            try:
                if self.worker is None:
                    self.open()
                request = {"index": 0, "arguments": (cases, start, stop, sorted(ENDING)), "seconds": 120.0}
                wire.send(self.worker.sock, b"C", wire.pack(request))
                return wire.unpack(wire.receive(self.worker.sock, time.monotonic() + 130)[1])["value"]
            except wire.WireError:
                self.close()
                self.worker = None
        if stop - start == 1:
            self.open()
            ENDING.add(self.ask([], start, stop)[2])
            return [stop + 1, []]
        middle = (start + stop) // 2
        first, second = self.ask(cases, start, middle), self.ask(cases, middle, stop)
        return [max(first[0], second[0]), first[1] + second[1]]


def near_answers(workers, task) -> tuple[int, list[str]]:
    it = known(task)
    drawn = it.secret(5) or it.public
    one_of_each = {case.label: case for case in drawn}.values()
    cases = [(case.arguments, it.expect(case).value) for case in one_of_each][:4]
    finder, start, hits, count = Finder(workers, task), 0, [], 1
    with contextlib.closing(finder):
        while start < count:
            count, found = finder.ask(cases, start, start + CHUNK)[:2]
            hits += found
            start += CHUNK
    return count, hits


def points_for(assignment, task, workers, dotted: str) -> float:
    """What it earns as an answer, handed in for real."""
    module, _, name = dotted.rpartition(".")
    holder = module.removesuffix(".Tensor").removesuffix(".ndarray")
    source = f"import {holder}\n{task.kit.answer} = {dotted}" if holder != "builtins" else f"{task.kit.answer} = {name}"
    submission = Submission("dana", "0" * 64, {task.notebook: (Cell("code", source, task.name),)})
    one = dataclasses.replace(assignment, tasks=(task,))
    (mark,) = judge_submission(one, submission, 1, workers).marks
    assert mark.status not in ("missing", "broke off") or mark.points == 0
    return mark.points


@pytest.mark.parametrize("number", [n if n in IN_SHORT else pytest.param(n, marks=pytest.mark.full) for n in NUMBERS])
def test_nothing_importable_is_an_answer(number, of_notebook, workers):
    assignment = of_notebook(number)
    passing, tried = {}, []
    for task in assignment.tasks:
        count, hits = near_answers(workers, task)
        tried.append(count)
        for dotted in hits:
            if points := points_for(assignment, task, workers, dotted):
                passing[f"{task.name} {dotted}"] = points
        print(task.name, count, hits)
    assert passing == {}
    assert min(tried) > 300


def test_what_does_leak_is_found(of_notebook, workers):
    """The trying itself is tried: with the right answer among the kit's files."""
    assignment = of_notebook("20")
    task = assignment.task("20.ap_area")
    source = f"import numpy as np\ncheck = lambda name, answer: answer\n{task.solution}"
    leaky = dataclasses.replace(task, kit=dataclasses.replace(task.kit, files={"coursekit/leak.py": source}))
    _, hits = near_answers(workers, leaky)
    assert "coursekit.leak.ap_area" in hits
    assert points_for(assignment, leaky, workers, "coursekit.leak.ap_area") == task.points
