"""`coursekit grade` with short deadlines, so that attacks on time are over soon. Nothing else is changed. A program of its own.

python in_a_hurry.py grade SUBMISSIONS BUNDLE OUT TIER JOBS
python in_a_hurry.py judge BUNDLE --tier TIER
"""

import sys
from pathlib import Path

SECONDS, CELLS, GRACE = 1.0, 5.0, 0.7  # of an answer to one case; of all cells; on top


def grade(submissions: str, bundle: str, out: str, tier: str, jobs: str) -> None:
    from coursekit.grading.assignment import read_bundle
    from coursekit.grading.batch import grade_all
    from coursekit.grading.judges import Judge, environment

    env, log = environment(bundle, read_bundle(bundle)), Path(out) / "judging.log"
    start = lambda: Judge([sys.executable, "-P", __file__, "judge", bundle, "--tier", tier], env, log)  # noqa: E731
    summary = grade_all(submissions, bundle, out, int(jobs), tier, start=start)
    if summary.failed:
        sys.exit(f"{summary.failed} failed: {summary.reasons}")
    print(summary.graded, "graded", summary.ungradable, "ungradable")


def judge(arguments: list[str]) -> None:
    from coursekit.grading import examination, judging, known

    class Hurried(known.Known):
        def __init__(self, exercise, *more):
            object.__setattr__(exercise, "seconds", SECONDS)
            super().__init__(exercise, *more)

    known.Known, examination.CELLS, examination.GRACE = Hurried, CELLS, GRACE
    judging.main(arguments)


if __name__ == "__main__":
    judge(sys.argv[2:]) if sys.argv[1] == "judge" else grade(*sys.argv[2:])
