"""Of notebooks, tasks: which exercises of them a machine can grade, with what they need and what they are worth."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coursekit.authoring.solved import solutions_in
from coursekit.grading import kits, release
from coursekit.grading.assignment import Task, nearest, why_left_out
from coursekit.resources import solutions_folder


def sources_of(numbers: Sequence[str], folder: str | Path | None) -> list[Path]:
    """The sources of these notebooks, each once. Raises for one that there is not, with the nearest."""
    folder = Path(folder) if folder else solutions_folder()
    there = {path.name[:2]: path for path in sorted(folder.glob("[0-9][0-9]_*.py"))}
    if not there:
        raise FileNotFoundError(f"there are no sources of notebooks in {folder}")
    if not numbers:
        raise ValueError("an assignment needs at least one notebook, such as 13")
    for number in numbers:
        if str(number) not in there:
            raise ValueError(f"there is no notebook {number!r}{nearest(str(number), there)}")
    return [there[number] for number in dict.fromkeys(map(str, numbers))]


def tasks_of(paths: Sequence[Path], drawn: Sequence[Any]) -> tuple[list[Task], dict[str, str]]:
    """A task for each exercise that a machine can grade, and the reasons why not for the others."""
    tasks, left_out = [], {}
    for path in paths:
        solutions = solutions_in(path)
        for exercise, solution, parameters in [
            *((kits.find(name), found, None) for name, found in solutions.items()),
            *release.variant_solutions(path, drawn),
        ]:
            try:
                kit = kits.kit_of(exercise, solution, by_hand=frozenset(left_out))
            except kits.Ungradable as error:
                left_out[exercise.name] = str(error)
                continue
            tasks.append(
                Task(
                    exercise.name,
                    float(exercise.points),
                    path.stem,
                    exercise.cases.__module__,
                    parameters,
                    kit,
                    solution.solved,
                    kits.varies(exercise),
                    solution.student if solution.own_stub else "",
                )
            )
    return tasks, left_out


def with_points(tasks: list[Task], points: dict[str, float], left_out: dict[str, str]) -> list[Task]:
    """The tasks with the points that a teacher gives some of them. Raises for a name that is none of theirs, or fewer points than none."""
    names = [task.name for task in tasks]
    for name, value in points.items():
        if name in left_out:
            raise ValueError(" ".join(why_left_out({name: left_out[name]})))
        if name not in names:
            raise ValueError(f"points for {name!r}, which is not in this assignment{nearest(name, names)}")
        if not 0 <= float(value) < float("inf"):
            raise ValueError(f"points of {name} must be 0 or more, got {value}")
    return [dataclasses.replace(task, points=float(points.get(task.name, task.points))) for task in tasks]
