"""13.variant_match: predictions and truths paired, the best pairs first, with room for several."""

import torch

from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, table
from coursekit.metrics import steps

SORTED = "for d, g in sorted(pairs, key=lambda p: (-values[p[0]][p[1]], {row}, {column})):"


def match(overlap, threshold, enough, room, low_row, low_column, by_row=False, free=True):
    """The right pairs, with the rules to get wrong. free False: nobody is ever taken."""
    table_ = overlap.tolist()
    rows, columns = overlap.shape
    pairs = [(d, g) for d in range(rows) for g in range(columns)]
    pairs = [(d, g) for d, g in pairs if table_[d][g] > threshold or (enough and table_[d][g] == threshold)]
    side, other = (1 if low_row else -1), (1 if low_column else -1)
    if by_row:
        pairs.sort(key=lambda p: (p[0], -table_[p[0]][p[1]], other * p[1]))
    else:
        pairs.sort(key=lambda p: (-table_[p[0]][p[1]], side * p[0], other * p[1]))
    choice, left = [-1] * rows, [room] * columns
    for d, g in pairs:
        if choice[d] == -1 and (left[g] > 0 or not free):
            choice[d], left[g] = g, left[g] - 1
    return torch.tensor(choice, dtype=torch.int64)


def cases_of(parameters):
    """Overlaps are whole sixteenths wherever a rule could hang on rounding."""
    threshold, room = parameters["threshold"], parameters["room"]

    def cases(generator):
        one = [[0.9375, 0.75], [0.875, 0.0], [0.8125, threshold - 0.0625], [0.78125, 0.6875], [0.765625, 0.0]]
        yield "the example above", (torch.tensor(one[: room + 2]),)
        yield "three want one, the best last", (torch.tensor([[0.6875], [0.75], [0.8125], [0.875], [0.9375]]),)
        yield "equal overlaps in one column", (torch.full((room + 1, 1), 0.75),)
        yield "equal overlaps in one row", (torch.full((1, 3), 0.75),)
        yield "equal overlaps everywhere", (torch.full((2 * room + 1, 2), 0.75),)
        yield (
            "exactly the threshold, and a little off",
            (torch.tensor([[threshold, 0.0], [threshold - 0.0625, 0.0], [0.0, threshold + 0.0625]]),),
        )
        yield "nobody to match", (torch.zeros(2, 0),)
        yield "no predictions", (torch.zeros(0, 2),)
        for index in range(9):
            size = (room * 2 + 2 + index % 2, 2 + index % 3)
            if index % 3 == 0:
                yield "random, in steps of a sixteenth", (torch.randint(4, 17, size, generator=generator) / 16,)
            elif index % 3 == 1:
                yield "random, many ties", (threshold + torch.randint(-1, 3, size, generator=generator) / 16,)
            else:
                yield "random", (torch.rand(size, generator=generator),)

    return cases


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_match(overlap):
        return match(overlap, **parameters)

    def with_slip(**slip):
        return lambda overlap: match(overlap, **{**parameters, **slip})

    def public(overlap):
        return torch.from_numpy(steps.match_detections(overlap.double().numpy(), parameters["threshold"]))

    threshold, enough, room, low_row, low_column = (parameters[n] for n in ("threshold", "enough", "room", "low_row", "low_column"))
    which = f"the {'lower' if low_row else 'higher'} row first, then the {'lower' if low_column else 'higher'} column"
    return Exercise(
        name="13.variant_match",
        reference=variant_match,
        cases=cases_of(parameters),
        compare=Exact(),
        misconceptions=[
            Misconception(
                "public-match",
                public,
                f"This is the matching of notebook 20: row by row, each truth once. Here the best pair is first, and a truth has "
                f"room for {room}.",
            ),
            Misconception(
                "row-by-row",
                with_slip(by_row=True),
                "Your rows choose in their order. The best pair of all comes first, in whatever row it stands.",
            ),
            Misconception("room-for-one", with_slip(room=1), f"A truth was full after one prediction. It has room for {room}."),
            Misconception("room-without-end", with_slip(free=False), f"A truth took more than {room} predictions. After that it is full."),
            Misconception(
                "equal-the-other-way",
                with_slip(enough=not enough),
                f"Look at an overlap that *equals* the threshold {threshold}: such a pair {'counts' if enough else 'does not count'}.",
            ),
            Misconception(
                "other-row-of-a-tie", with_slip(low_row=not low_row), f"Of equal overlaps another row went first. The order is: {which}."
            ),
            Misconception(
                "other-column-of-a-tie",
                with_slip(low_column=not low_column),
                f"Of equal overlaps another column was taken. The order is: {which}.",
            ),
        ],
        hints=[
            "List all pairs that overlap enough, and sort the list. `sorted` with a key of three entries takes the rules for ties as well.",
            "Go through the list: a pair counts if its row has nothing yet and its column has room left.",
        ],
        points=3,
        equivalent={
            SORTED.format(row="p[1]" if low_row else "", column="p[1]" if low_column else "-p[1]"): "the pairs stand row by row already",
            SORTED.format(row="p[0]" if low_row else "-p[0]", column="p[0]" if low_column else ""): "the pairs stand row by row already",
        },
        twins=(steps.match_detections, "coursekit.metrics.coco.match_image", "scipy.optimize.linear_sum_assignment"),
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    threshold, enough, room, low_row, low_column = (parameters[n] for n in ("threshold", "enough", "room", "low_row", "low_column"))
    rows = [[d, *row, got] for d, (row, got) in enumerate(zip(arguments[0].tolist(), result.tolist(), strict=True))]
    return f"""### Exercise: variant_match
*difficulty 3 of 5 · importance 4 of 5 · about 20 minutes*

A crowd is annotated with one box for several people, so a truth may take more than one prediction. Match (매칭) them greedily (탐욕적),
the best pair first:

1. A pair counts if its overlap is **{"at least" if enough else "greater than"} {threshold}**.
2. Pairs are taken in the order of their overlap, highest first. Of equal overlaps the pair in the
   **{"lower" if low_row else "higher"} row** goes first, and
   within a row the **{"lower" if low_column else "higher"} column**.
3. A prediction (a row) is matched once. A truth (a column) has room for **{room}** predictions.

The result holds for each prediction the column of its truth, or -1.

By hand:

{table(["prediction", "truth 0", "truth 1", "result"], *rows)}

The pairs of column 0 come first, and it is full after {room} of them. The later ones take what else
overlaps them enough, or nothing. So the result is
**{show(result)}**."""


def stub(parameters) -> str:
    """The cell."""
    threshold, enough, room, low_row, low_column = (parameters[n] for n in ("threshold", "enough", "room", "low_row", "low_column"))
    sign = ">=" if enough else ">"
    return f'''import torch
from torch import Tensor


def variant_match(overlap: Tensor) -> Tensor:
    """(D, G) float, the overlap of each prediction with each truth -> (D,) int64: its truth, -1 for none.

    Pairs with overlap {sign} {threshold}, highest first; of equal ones the {"lower" if low_row else "higher"} row, then the
    {"lower" if low_column else "higher"} column. Each row is matched once, each column up to {room} times.
    """
    ### BEGIN SOLUTION
    values = overlap.tolist()
    rows, columns = overlap.shape
    pairs = [(d, g) for d in range(rows) for g in range(columns) if values[d][g] {sign} {threshold}]
    choice, taken = [-1] * rows, [0] * columns
    for d, g in sorted(pairs, key=lambda p: (-values[p[0]][p[1]], {"" if low_row else "-"}p[0], {"" if low_column else "-"}p[1])):
        if choice[d] == -1 and taken[g] < {room}:
            choice[d] = g
            taken[g] += 1
    return torch.tensor(choice, dtype=torch.int64)
    ### END SOLUTION'''


variant_match = Family(
    name="13.variant_match",
    space={
        "threshold": [0.25, 0.3125, 0.375, 0.4375, 0.5625, 0.625],
        "enough": [True, False],
        "room": [2, 3],
        "low_row": [True, False],
        "low_column": [True, False],
    },
    make=make,
    tell=tell,
    stub=stub,
)
