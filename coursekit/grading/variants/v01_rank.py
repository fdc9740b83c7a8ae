"""01.variant_rank: rows of a table in an order of their own."""

import itertools

import torch

from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, table

TIES = {  # in words; what sorts before the row's number; whether the later row goes first
    "later": ("the later row goes first", "", "-i"),
    "first-high": ("the row with the larger first column goes first; if those are equal too, the earlier row", "-rows[i][0], ", "i"),
    "first-low": ("the row with the smaller first column goes first; if those are equal too, the earlier row", "rows[i][0], ", "i"),
}


def rank(values, weights, largest_first, tie, places=False):
    """The right order, with its rules to get wrong. places: for each row its place, not for each place its row."""
    rows = values.tolist()
    totals = [sum(w * v for w, v in zip(weights, row, strict=True)) for row in rows]
    sign = -1 if largest_first else 1
    key = {
        "later": lambda i: (-i,),
        "earlier": lambda i: (i,),
        "first-high": lambda i: (-rows[i][0], i),
        "first-low": lambda i: (rows[i][0], i),
    }[tie]
    order = torch.tensor(sorted(range(len(rows)), key=lambda i: (sign * totals[i], *key(i))), dtype=torch.int64)
    return order.argsort() if places else order


def cases_of(parameters):
    """Whole numbers; `_level` gives rows of equal score that differ in every column."""
    weights = parameters["weights"]

    def level(row, steps, one=0, two=1):
        """The row with two columns moved so that its score stays as it is."""
        row = list(row)
        row[one], row[two] = row[one] + steps * weights[two], row[two] - steps * weights[one]
        return row

    def cases(generator):
        def draw(count, high=6):
            return torch.randint(-high, high + 1, (count, 3), generator=generator)

        a, b = [1, 2, 3], [4, 0, 1]
        yield "the example above", (torch.tensor([a, b, level(a, 1), [0, 5, 2]]),)
        yield "three rows of equal score", (torch.tensor([level(b, 1), level(b, -1), b]),)
        yield "the same row twice", (torch.tensor([a, [2, 2, 2], a]),)
        yield "one row", (torch.tensor([[5, 6, 7]]),)
        yield "no rows", (torch.zeros(0, 3, dtype=torch.int64),)
        for _ in range(4):
            yield "random", (draw(6),)
            row = draw(1)[0].tolist()
            steps = torch.randint(-3, 4, (5,), generator=generator).tolist()
            equal = [level(row, s, *((0, 1), (0, 2), (1, 2))[i % 3]) for i, s in enumerate(steps)]
            yield "random, many of equal score", (torch.cat((torch.tensor(equal), draw(2))),)

    return cases


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_rank(values):
        return rank(values, **parameters)

    def with_slip(**slip):
        return lambda values: rank(values, **{**parameters, **slip})

    def public(values):
        return values.sum(dim=1).argsort(descending=True, stable=True)

    weights, largest, tie = parameters["weights"], parameters["largest_first"], parameters["tie"]
    end = "highest" if largest else "lowest"
    return Exercise(
        name="01.variant_rank",
        reference=variant_rank,
        cases=cases_of(parameters),
        compare=Exact(),
        misconceptions=[
            Misconception("public-argsort", public, f"You sorted by the plain sum of a row. The columns have weights: {show(weights)}."),
            Misconception(
                "from-the-other-end", with_slip(largest_first=not largest), f"Your order runs the other way: the {end} score comes first."
            ),
            Misconception(
                "ties-by-place", with_slip(tie="earlier"), f"Of rows with equal score the earlier one came first. Here {TIES[tie][0]}."
            ),
            Misconception(
                "places-not-rows", with_slip(places=True), "You gave each row its place. Asked is which row stands at each place."
            ),
            Misconception(
                "weights-reversed", with_slip(weights=weights[::-1]), "Your weights are the wrong way round: the first belongs to column 0."
            ),
        ],
        hints=[
            "First the scores: one number a row. `values @ weights` wants both as one dtype; a plain loop does as well.",
            "`sorted(range(len(rows)), key=lambda i: (..., ...))` sorts by the first entry, and where those are equal by the next.",
        ],
        points=2,
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    weights, end = parameters["weights"], "highest" if parameters["largest_first"] else "lowest"
    rows = arguments[0].tolist()
    totals = [sum(w * v for w, v in zip(weights, row, strict=True)) for row in rows]
    lines = [[i, *row, total] for i, (row, total) in enumerate(zip(rows, totals, strict=True))]
    return f"""### Exercise: variant_rank
*difficulty 2 of 5 · importance 3 of 5 · about 15 minutes*

Every row of a table is a candidate, and its score is a weighted sum (가중합) of its three columns, with the weights
**{show(weights)}**. Put the
rows in order, **{end} score first**, and return their indices (인덱스). If two rows have the same score, {TIES[parameters["tie"]][0]}.

By hand:

{table(["row", "column 0", "column 1", "column 2", "score"], *lines)}

Row 0 scores {" + ".join(f"({w}) x {v}" if w < 0 else f"{w} x {v}" for w, v in zip(weights, rows[0], strict=True))} = {totals[0]}, and row 2
scores the same, so
the rule for ties decides between them. The answer is **{show(result)}**."""


def stub(parameters) -> str:
    """The cell."""
    weights, end = parameters["weights"], "highest" if parameters["largest_first"] else "lowest"
    words, first, last = TIES[parameters["tie"]]
    terms = " + ".join(f"{w} * row[{i}]" for i, w in enumerate(weights)).replace("+ -", "- ")
    return f'''import torch
from torch import Tensor


def variant_rank(values: Tensor) -> Tensor:
    """(N, 3) int64 -> (N,) int64: indices of the rows, {end} score first.

    The score of a row is the sum of its columns times {weights}. Of equal scores
    {words}.
    """
    ### BEGIN SOLUTION
    rows = values.tolist()
    score = [{terms} for row in rows]
    order = sorted(range(len(rows)), key=lambda i: ({"-" if parameters["largest_first"] else ""}score[i], {first}{last}))
    return torch.tensor(order, dtype=torch.int64)
    ### END SOLUTION'''


variant_rank = Family(
    name="01.variant_rank",
    space={
        "weights": [list(w) for w in itertools.permutations((-3, -2, 2, 3, 4), 3)],
        "largest_first": [True, False],
        "tie": list(TIES),
    },
    make=make,
    tell=tell,
    stub=stub,
)
