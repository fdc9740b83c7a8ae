"""Exercises of notebook 21_bug_clinic: what its twelve beds share. An answer is a repair *and* its diagnosis, handed over by `treatment`.

Every exercise ends with a case of its own for the diagnosis. So each wrong repair is known twice, under a right and under a wrong
diagnosis, and the learner is told which half is right.
"""

import functools
from collections.abc import Callable, Sequence

from coursekit.clinic import patients, steps
from coursekit.clinic.diagnoses import names_the_fault, treatment
from coursekit.exercises.core import Exercise, Misconception

LAST = ("the diagnosis", ())
FLAG = "your diagnosis names the fault"


def examined(run: Callable, fault: str) -> Callable:
    """A driver: ``run(answer, *arguments)`` for every case but the last, which asks for the diagnosis alone."""

    @functools.wraps(run)  # so that the inputs are shown by the names that they have there
    def drive(answer, *arguments):
        if not arguments:
            return {FLAG: names_the_fault(answer, fault)}
        return run(answer, *arguments)

    return drive


def both_halves(right: Callable, broken: Callable, fault: str, wrong: Sequence[tuple[str, Callable, str]]) -> list[Misconception]:
    """Every wrong repair under both diagnoses, the untouched bug under both, and the right repair under the wrong one.

    Args:
        right: a repair that works, another function than the reference. broken: the step as the patient has it.
        wrong: (name, repair, hint) of each repair that does not work.
    """

    def handed_in(function, diagnosis):
        return treatment(lambda *arguments: function(*arguments), diagnosis)

    found = [
        Misconception(
            "wrong-diagnosis",
            handed_in(right, "not yet"),
            "The repair is right in every case. The diagnosis is not, or is still missing: what exactly did your measurement show?",
        ),
        Misconception(
            "named-but-not-mended",
            handed_in(broken, fault),
            "The diagnosis is right. The code still does what it did: every case comes out as the patient has it.",
        ),
        Misconception(
            "untouched",
            handed_in(broken, "not yet"),
            "The code does what it did, and the diagnosis is not right yet. Measure first: the panel says which probes there are.",
        ),
    ]
    for name, function, hint in wrong:
        found.append(Misconception(name, handed_in(function, fault), f"{hint} The diagnosis is right; the repair is not."))
        more = f"{hint} And the diagnosis is not right either, or is still missing."
        found.append(Misconception(f"{name}-and-misdiagnosed", handed_in(function, "not yet"), more))
    return found


def bed(number: int, cases: Callable, run: Callable, right: Callable, wrong: Sequence[tuple[str, Callable, str]], **options) -> Exercise:
    """The exercise of one patient; the step and the fault are those of `coursekit.clinic.patients`.

    Args:
        cases: as an exercise has them; the diagnosis is asked for at the end.
        run: ``run(answer, *arguments)`` gives what can be compared. The inputs are shown by the names that they have there.
        right, wrong: see `both_halves`.
        options: of `Exercise`.
    """
    who = patients.patient(number)
    return Exercise(
        name=f"21.{who.step}",
        reference=treatment(getattr(steps, who.step), who.fault),
        cases=lambda generator: [*cases(generator), LAST],
        drive=examined(run, who.fault),
        misconceptions=both_halves(right, who.broken, who.fault, wrong),
        **options,
    )
