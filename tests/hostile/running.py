"""Grading the hostile class, watched over, and keeping what came of it for all tests."""

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import hostile_attacks_in_cells as cells
import hostile_files as files
import hostile_world as worlds

HERE = Path(__file__).parent
JOBS, SECONDS = "2", "280"


def once(tmp_path_factory, name: str, make) -> dict:
    """What `make()` gives, made by one of the test processes and read by the others."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if base.name.startswith("popen-") else base
    kept = base / f"{name}.json"
    with open(base / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_file():
            kept.write_text(json.dumps(make()))
    return json.loads(kept.read_text())


def graded(tier: str, full: bool) -> dict:
    world = worlds.make_world()
    try:
        with worlds.listening(world):
            (world.home / "alone").mkdir()
            worlds.hand_in_honest(world, world.home / "alone")
            worlds.hand_in_honest(world, world.submissions)
            worlds.hand_in_hostile(world, [attack for attack in cells.attacks() if full or "full" not in attack.flags], files.all_attacks())
            before = worlds.listing(world)
            alone = overseen(grade(world, "alone", "out-alone", tier))
            if alone["rc"]:
                raise RuntimeError(f"not even honest submissions are graded: {alone['output']}")
            report = overseen(grade(world, "submissions", "out", tier))
            after = worlds.listing(world)
        changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
        return {
            "report": report,
            "alone_report": alone,
            "grades": grades_in(world.out("out")),
            "alone": grades_in(world.out("out-alone")),
            "changed": changed,
            "traces": worlds.traces(world),
            "heard": world.heard,
            "handed_in": len(list(world.submissions.iterdir())),
            "token": world.words["TOKEN"],
            "pages": {path.name: path.read_text(encoding="utf-8") for path in sorted(world.out("out").rglob("*.html"))},
            "csv": subprocess.run(
                [sys.executable, "-m", "coursekit.cli", "gradebook", "csv", str(world.out("out") / "gradebook.sqlite")],
                capture_output=True,
                text=True,
            ).stdout,
        }
    finally:
        shutil.rmtree(world.home, ignore_errors=True)


def grade(world: worlds.World, submissions: str, out: str, tier: str) -> list[str]:
    folders = (world.home / submissions, world.home / "hw" / "grader", world.home / out)
    return [sys.executable, str(HERE / "in_a_hurry.py"), "grade", *map(str, folders), tier, JOBS]


def overseen(command: list[str], given: str | None = None) -> dict:
    """What overseer.py says of a command."""
    watched = [sys.executable, str(HERE / "overseer.py"), SECONDS, *command]
    env = {**os.environ, "TEACHERS_TOKEN": "SECRET_OF_THE_TEACHER"}
    done = subprocess.run(watched, input=given, capture_output=True, text=True, check=True, env=env)
    return json.loads(done.stdout)


def grades_in(out: Path) -> dict:
    from coursekit.grading.gradebook import Gradebook

    book = Gradebook(out / "gradebook.sqlite")
    return {grade.student: grade.to_json() for grade in book.grades()}


def without_a_wall() -> dict:
    """Which attacks get their prize where nothing holds them, in a world of their own."""
    world = worlds.make_world()
    worlds.hand_in_honest(world, world.submissions)
    out = Path(world.words["OUT"])
    (out / "feedback").mkdir(parents=True)
    with sqlite3.connect(out / "gradebook.sqlite") as book:
        book.execute("create table grade (points)")
    try:
        with worlds.listening(world):
            those = [(attack.student, attack.cell(world.words)) for attack in cells.attacks() if "bites" in attack.flags]
            report = overseen([sys.executable, str(HERE / "bites.py")], json.dumps(those))
        return {"bitten": json.loads(report["output"].splitlines()[-1]), "heard": world.heard, "left": report["left"]}
    finally:
        shutil.rmtree(world.home, ignore_errors=True)
