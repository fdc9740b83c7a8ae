"""A family of exercises that differ in their parameters: what an assignment hands out where everybody can read the course's own answers."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursekit.authoring.source import Cell, Regions, split_solution
from coursekit.grading.variants.text import reflow, write_examples

if TYPE_CHECKING:
    import numpy as np

    from coursekit.exercises.core import Exercise

Parameters = dict[str, Any]


def tells_apart(exercise: "Exercise") -> bool:
    """Does each mistake, and the right answer, say something of its own to the public cases? Some rules happen to make two alike."""
    from coursekit.exercises.attempt import attempt
    from coursekit.exercises.verdict import agree

    functions = [exercise.reference, *(mistake.wrong for mistake in exercise.misconceptions)]
    said = [[attempt(exercise.outcome, f, given, [], False) for _, given in exercise.draw_cases()] for f in functions]
    return not any(all(agree(exercise.compare, a, b) for a, b in zip(*two, strict=True)) for two in itertools.combinations(said, 2))


def _anything(parameters: Parameters) -> bool:
    return True


@dataclass(frozen=True)
class Family:
    """One family.

    Args:
        name: ``"13.variant_iou"``; the function that learners write has the second part as its name.
        space: each parameter and the values that it may have, all of them JSON.
        make: parameters -> the Exercise. The first of its cases is the one that the prose works out by hand.
        tell: (parameters, arguments of that case, right answer to it) -> the exercise's text, Markdown.
        stub: parameters -> the code cell, with ``### BEGIN SOLUTION`` and ``### END SOLUTION`` as in solutions/.
        allowed: leaves combinations out that say nothing, or that a public function would answer.
    """

    name: str
    space: Mapping[str, Sequence]
    make: Callable[[Parameters], "Exercise"]
    tell: Callable[[Parameters, tuple, Any], str]
    stub: Callable[[Parameters], str]
    allowed: Callable[[Parameters], bool] = _anything

    @property
    def notebook(self) -> str:
        """``"13"``."""
        return self.name[:2]

    @property
    def answer(self) -> str:
        """The name that learners give their function: ``"variant_iou"``."""
        return self.name.partition(".")[2]

    @property
    def module(self) -> str:
        """Where its reference lives."""
        return self.make.__module__

    def sets(self) -> Iterator[Parameters]:
        """Every set of parameters that is allowed; `draw` leaves out those few in which two mistakes look alike."""
        for values in itertools.product(*self.space.values()):
            parameters = dict(zip(self.space, values, strict=True))
            if self.allowed(parameters):
                yield parameters

    def draw(self, generator: "np.random.Generator") -> Parameters:
        """One set of parameters, JSON-able; the same generator state draws the same."""
        while True:
            drawn = {name: values[int(generator.integers(len(values)))] for name, values in self.space.items()}
            if self.allowed(drawn) and tells_apart(self.make(drawn)):
                return drawn

    def build(self, parameters: Parameters) -> "Exercise":
        """The exercise of these parameters.

        Raises:
            ValueError: naming the parameter that this family cannot have.
        """
        if set(parameters) != set(self.space):
            raise ValueError(f"parameters of {self.name} must be {', '.join(self.space)}, got {', '.join(map(str, parameters)) or 'none'}")
        for name, values in self.space.items():
            if parameters[name] not in values:
                raise ValueError(f"{name} of {self.name} must be one of {list(values)}, got {parameters[name]!r}")
        if not self.allowed(parameters):
            raise ValueError(f"parameters of {self.name} do not go together: {parameters}")
        return self.make(dict(parameters))

    def prose(self, parameters: Parameters) -> str:
        """The exercise's text, with an example worked out by hand."""
        exercise = self.build(parameters)
        _, arguments = exercise.draw_cases()[0]
        return reflow(self.tell(parameters, arguments, exercise.reference(*arguments)))

    def examples(self, parameters: Parameters, count: int = 3) -> str:
        """Asserts on the first public cases, with their numbers written out; a cell that needs nothing of coursekit."""
        return write_examples(self.build(parameters), count)

    def cells(self, parameters: Parameters) -> Regions:
        """The code cell as students get it (``.student``) and solved (``.solved``)."""
        return split_solution(Path(self.name), Cell("code", self.stub(parameters), 0, self.name))
