"""How many machine-made wrong answers does each check reject? ``python -m coursekit.authoring.mutants [13 20 ...]`` prints the table.

Mutants of a notebook's solution run in a process of their own, which is killed where one hangs it. Results are kept in ``build/mutants/``
under the hash of all they depend on, so that a second run only does what changed.
"""

import argparse
import hashlib
import inspect
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from coursekit.authoring.mutate import Mutant, mutants
from coursekit.authoring.solved import Solution, solutions_in
from coursekit.exercises.core import Exercise, find
from coursekit.files import write_json
from coursekit.machine import cpu_quota

CACHE = Path("build/mutants")
PATIENCE, STARTING = 30.0, 180.0  # seconds without a verdict before the process is killed; the first one waits for imports too
NEEDED = 0.95


@dataclass
class Score:
    """How one exercise did.

    Args:
        name: the exercise's.
        rejected: mutants that the check rejected.
        equivalent: that give the same answers, with a reason.
        survived: that passed, as (line, what, after).
    """

    name: str
    rejected: int = 0
    equivalent: int = 0
    survived: list[tuple[int, str, str]] = field(default_factory=list)
    key: str = ""

    @property
    def total(self) -> int:
        return self.rejected + len(self.survived)

    @property
    def rate(self) -> float:
        return self.rejected / self.total if self.total else 1.0


def score_notebook(path: Path, cache: Path = CACHE) -> list[Score]:
    """The scores of every exercise of a source, from the cache where nothing changed."""
    solutions = solutions_in(path)
    keys = {name: _key(find(name), solution) for name, solution in solutions.items()}
    scores = {name: _cached(cache / f"{name}.json", key) for name, key in keys.items()}
    missing = {name: mutants(solutions[name].solved, solutions[name].lines) for name, score in scores.items() if score is None}
    verdicts = _run(path, {name: len(found) for name, found in missing.items()})
    for name, found in missing.items():
        scores[name] = _score(find(name), found, verdicts[name])
        scores[name].key = keys[name]
        write_json(cache / f"{name}.json", asdict(scores[name]))
    return list(scores.values())


def _cached(file: Path, key: str) -> Score | None:
    try:
        found = Score(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.key == key else None


def _key(exercise: Exercise, solution: Solution) -> str:
    """Hash of the solution, the exercise's module and reference, the machinery, and torch's version."""
    import torch

    import coursekit.authoring.mutate as mutate
    from coursekit.exercises import attempt, compare, core, limits, theirs, verdict

    files = {inspect.getsourcefile(m) for m in (mutate, attempt, compare, core, limits, theirs, verdict)}
    for function in (exercise.reference, exercise.cases, exercise.drive):
        if function is not None:
            files.add(inspect.getsourcefile(inspect.unwrap(function)))
    folder = Path(inspect.getsourcefile(core)).parent
    files |= {str(p) for p in folder.glob(f"n{exercise.name[:2]}_*.py")}
    parts = [torch.__version__, solution.solved, solution.before_text, solution.answer, str(sorted(solution.lines))]
    parts += [Path(f).read_text(encoding="utf-8") for f in sorted(files, key=lambda f: Path(f).name)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _score(exercise: Exercise, found: list[Mutant], passed: list[bool]) -> Score:
    score = Score(exercise.name)
    for mutant, through in zip(found, passed, strict=True):
        if not through:
            score.rejected += 1
        elif mutant.after in exercise.equivalent:
            score.equivalent += 1
        else:
            score.survived.append((mutant.line, mutant.what, mutant.after))
    return score


def _run(path: Path, counts: dict[str, int]) -> dict[str, list[bool]]:
    """For each exercise, whether each mutant passed; in one process, and another one after each that had to be killed."""
    passed: dict[str, list[bool]] = {name: [] for name in counts}
    while todo := {name: len(passed[name]) for name in counts if len(passed[name]) < counts[name]}:
        if not _run_worker(path, todo, passed):
            hung = next(name for name in todo if len(passed[name]) < counts[name])
            passed[hung].append(False)  # what hangs or ends its process is rejected: it never answered
    return passed


def _run_worker(path: Path, todo: dict[str, int], passed: dict[str, list[bool]]) -> bool:
    """Judge mutants, each exercise's from the given number on; False if the process had to be killed, or died."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "coursekit.authoring.mutants", "--worker", str(path), json.dumps(todo)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    lines: queue.Queue[str] = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(line)
        lines.put("")  # it ended

    threading.Thread(target=read, daemon=True).start()
    patience = STARTING
    try:
        while line := lines.get(timeout=patience):
            if line.startswith("done"):
                return True
            if line.startswith("mutant "):
                _, name, word = line.split()
                passed[name].append(word == "passed")
                patience = PATIENCE
        return False
    except queue.Empty:
        return False
    finally:
        process.kill()
        process.wait()


def _work(path: Path, todo: dict[str, int]) -> None:
    """In the process of its own: a line for each mutant."""
    import torch

    from coursekit.exercises.verdict import judge

    torch.set_num_threads(1)
    _limit_memory()
    say, solutions = sys.stdout, solutions_in(path)
    for name, first in todo.items():
        exercise, solution = find(name), solutions[name]
        names = solution.namespace()
        object.__setattr__(exercise, "seconds", min(exercise.seconds, 3.0))
        for mutant in mutants(solution.solved, solution.lines)[first:]:
            word = "passed" if _passes(judge, exercise, solution, mutant, names) else "rejected"
            print("mutant", name, word, file=say, flush=True)
    print("done", file=say, flush=True)


def _passes(judge, exercise: Exercise, solution: Solution, mutant: Mutant, names: dict) -> bool:
    try:
        answer = solution.run(mutant.text, names, label="mutant")
    except Exception:
        return False
    return judge(exercise, answer, watched=False, diagnose=False).passed


def _limit_memory(extra: int = 6 << 30) -> None:
    """A mutant that asks for everything gets a MemoryError, not the machine."""
    try:
        import resource

        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + extra, now + extra))
    except (ImportError, OSError, ValueError):
        pass


def report(paths: Sequence[Path], cache: Path = CACHE) -> bool:
    """Print the table; True if every notebook reaches 95 %."""
    good = True
    print(f"{'exercise':28} {'mutants':>8} {'rejected':>9} {'rate':>7} {'equivalent':>11}")
    pool = ThreadPoolExecutor(min(2, cpu_quota()))
    for path, scores in zip(paths, pool.map(lambda p: score_notebook(p, cache), paths), strict=True):
        for s in scores:
            print(f"{s.name:28} {s.total:8} {s.rejected:9} {s.rate:7.1%} {s.equivalent:11}", flush=True)
        whole = Score(
            path.stem, sum(s.rejected for s in scores), sum(s.equivalent for s in scores), [m for s in scores for m in s.survived]
        )
        good &= whole.rate >= NEEDED
        mark = "✓" if whole.rate >= NEEDED else "✗"
        print(f"{mark + ' ' + path.stem:28} {whole.total:8} {whole.rejected:9} {whole.rate:7.1%} {whole.equivalent:11}")
        for line, what, after in whole.survived:
            print(f"    survived: line {line}, {what}: {after}")
    return good


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m coursekit.authoring.mutants", description="Mutants of the notebooks' solutions.")
    parser.add_argument("only", nargs="*", help="notebook numbers; all by default")
    parser.add_argument("--sources", type=Path, default=Path("solutions"))
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        _work(Path(options.worker[0]), json.loads(options.worker[1]))
        return 0
    paths = [p for p in sorted(options.sources.glob("[0-9][0-9]_*.py")) if not options.only or p.name[:2] in options.only]
    return 0 if report(paths) else 1


if __name__ == "__main__":
    sys.exit(main())
