"""Exercise of notebook 15_classic: where one part fits best, and what it costs to go there."""

import numpy as np
import torch

from coursekit.classic import parts
from coursekit.exercises.core import Close, Exercise, Misconception


def part_score_cases(generator):
    """(label, arguments): moves that pay and moves that do not; anchors at every border; dx and dy of different size."""
    fits = np.array([[1.0, 0, 0, 0], [0, 2, 0, 9], [0, 0, 0, 0]])
    yield "far, and worth it", (fits, 1, 1, 1.0, 2)
    yield "far, and too dear", (fits, 1, 1, 2.0, 2)
    yield "too far to reach", (fits, 1, 1, 1.0, 1)
    yield "reach 0: a rigid template", (fits, 1, 1, 1.0, 0)
    below = np.pad(np.array([[20.0]]), ((3, 0), (1, 1)))
    yield "too far below", (below, 1, 1, 1.0, 1)
    yield "too far above", (below[::-1].copy(), 1, 2, 1.0, 1)
    yield "across: dx and dy both cost", (fits, 2, 0, 1.5, 1)
    yield "moving is free", (fits, 0, 2, 0.0, 3)
    yield "all fits below 0", (fits - 20, 1, 1, 1.0, 2)
    yield "the best on the other side of the border", (np.array([[0.0, 0, 0, 0, 8]]), 0, 0, 0.1, 2)
    yield "at the last place, the best before it", (np.array([[0.0, 5, 0], [7, 0, 0], [0, 0, 1]]), 2, 2, 0.25, 2)
    yield "up and to the left", (np.array([[30.0, 0, 0, 0], [0] * 4, [0] * 4]), 3, 2, 1.0, 3)
    yield "down and to the right", (np.array([[0.0] * 4, [0] * 4, [0, 0, 0, 30]]), 1, 0, 1.0, 2)
    for reach in (1, 2, 3):
        map_ = torch.randn(5, 7, generator=generator, dtype=torch.float64).numpy() * 4
        x, y = torch.randint(0, 5, (2,), generator=generator).tolist()
        yield "random", (map_, x + 1, y, 0.3, reach)


def _part(fits, x, y, cost, reach, pay=lambda dx, dy: dx**2 + dy**2, sign=-1, floor=None, wrap=False, ahead=1, axes="xy"):
    best = (-np.inf, 0, 0) if floor is None else (floor, 0, 0)
    moves = sorted(np.ndindex(2 * reach + ahead, 2 * reach + ahead), key=lambda m: (m[0] - reach) ** 2 + (m[1] - reach) ** 2)
    for row, column in moves:
        dy, dx = row - reach, column - reach
        v, u = (y + dy, x + dx) if axes == "xy" else (x + dx, y + dy)
        if wrap and -fits.shape[0] <= v < fits.shape[0] and -fits.shape[1] <= u < fits.shape[1]:
            v, u = v % fits.shape[0], u % fits.shape[1]
        if 0 <= v < fits.shape[0] and 0 <= u < fits.shape[1]:
            score = float(fits[v, u] + sign * cost * pay(dx, dy))
            if score > best[0]:
                best = (score, dx, dy)
    return best


def part_never_moves(fits, x, y, cost, reach):
    return _part(fits, x, y, cost, 0)


def part_moves_for_nothing(fits, x, y, cost, reach):
    return _part(fits, x, y, 0.0, reach)


def part_pays_afterwards(fits, x, y, cost, reach):
    """The best fit is chosen first, the cost is taken off it later."""
    score, dx, dy = _part(fits, x, y, 0.0, reach)
    return score - cost * (dx**2 + dy**2), dx, dy


def part_is_paid(fits, x, y, cost, reach):
    return _part(fits, x, y, cost, reach, sign=1)


def part_costs_distance(fits, x, y, cost, reach):
    return _part(fits, x, y, cost, reach, pay=lambda dx, dy: (dx**2 + dy**2) ** 0.5)


def part_costs_steps(fits, x, y, cost, reach):
    return _part(fits, x, y, cost, reach, pay=lambda dx, dy: abs(dx) + abs(dy))


def part_cost_for_dx_alone(fits, x, y, cost, reach):
    """cost * dx**2 + dy**2, the brackets forgotten."""
    return _part(fits, x, y, 1.0, reach, pay=lambda dx, dy: cost * dx**2 + dy**2)


def part_brackets_forgotten_twice(fits, x, y, cost, reach):
    """fits - cost * dx**2 + dy**2: going up or down is even paid for."""
    return _part(fits, x, y, 1.0, reach, pay=lambda dx, dy: cost * dx**2 - dy**2)


def part_goes_around(fits, x, y, cost, reach):
    return _part(fits, x, y, cost, reach, wrap=True)


def part_starts_at_zero(fits, x, y, cost, reach):
    return _part(fits, x, y, cost, reach, floor=0.0)


def part_stops_one_early(fits, x, y, cost, reach):
    return _part(fits, x, y, cost, reach, ahead=0) if reach else _part(fits, x, y, cost, 0)


def part_axes_swapped(fits, x, y, cost, reach):
    return _part(fits, x, y, cost, reach, axes="yx")


def part_move_backwards(fits, x, y, cost, reach):
    score, dx, dy = _part(fits, x, y, cost, reach)
    return score, -dx, -dy


def part_place_instead_of_move(fits, x, y, cost, reach):
    score, dx, dy = _part(fits, x, y, cost, reach)
    return score, x + dx, y + dy


def part_dy_first(fits, x, y, cost, reach):
    score, dx, dy = _part(fits, x, y, cost, reach)
    return score, dy, dx


part_score = Exercise(
    name="15.part_score",
    reference=parts.part_score,
    cases=part_score_cases,
    compare=Close(rtol=1e-6, atol=1e-9, dtype="any"),
    misconceptions=[
        Misconception(
            "never-moves", part_never_moves, "Your part stays at its anchor. Try every move from -reach to +reach, in both directions."
        ),
        Misconception("moves-for-nothing", part_moves_for_nothing, "A move costs nothing in your score: take off cost * (dx² + dy²)."),
        Misconception(
            "pays-afterwards",
            part_pays_afterwards,
            "You picked the best fit and then took the cost off. A nearer place with a lower fit may be worth more: compare fit "
            "*minus* cost.",
        ),
        Misconception("is-paid", part_is_paid, "Moving raises your score: the cost is added. It must be taken off."),
        Misconception(
            "distance-not-squared", part_costs_distance, "The cost grows with the *square* of the distance: dx² + dy², without a root."
        ),
        Misconception("steps", part_costs_steps, "You count |dx| + |dy| steps. The cost is quadratic: dx² + dy²."),
        Misconception(
            "cost-for-dx-alone",
            part_cost_for_dx_alone,
            "Only dx² is multiplied by the cost. Brackets: cost * (dx**2 + dy**2).",
        ),
        Misconception(
            "paid-for-dy",
            part_brackets_forgotten_twice,
            "dy² is added to your score, as if going up or down were paid for. Brackets: fit - cost * (dx**2 + dy**2).",
        ),
        Misconception(
            "around-the-border",
            part_goes_around,
            "The part went out on the left or at the top and came in on the other side: a negative index counts from the end. Skip places "
            "outside the map.",
        ),
        Misconception(
            "starts-at-zero",
            part_starts_at_zero,
            "Where every fit is below 0 you return 0, which no place has. Start the search at minus infinity.",
        ),
        Misconception(
            "stops-one-early", part_stops_one_early, "The farthest move to the right and down is never tried: `range` leaves its end out."
        ),
        Misconception("axes-swapped", part_axes_swapped, "You read fits[x, y]. An array's first axis is the row: fits[y + dy, x + dx]."),
        Misconception(
            "place",
            part_place_instead_of_move,
            "You return the place where the part went. Asked is the move: how far it is from the anchor.",
        ),
        Misconception("dy-first", part_dy_first, "dx and dy came back in the wrong order: the score, then dx, then dy."),
        Misconception(
            "backwards", part_move_backwards, "The score is right, the move has the wrong sign: dx is the place minus the anchor."
        ),
    ],
    hints=[
        "Two loops, over dy and dx, each from -reach to +reach. What is the value of one move?",
        "`fits[y + dy, x + dx] - cost * (dx**2 + dy**2)`, if the place lies inside: 0 <= y + dy < fits.shape[0], and x likewise.",
        "Keep the best (score, dx, dy) so far, starting at minus infinity.",
    ],
    points=3,
    twins=(parts.spread, parts.placed),
    equivalent={
        "best = (-np.inf, 1, 0)": "the anchor lies inside, so some place always replaces it",
        "best = (-np.inf, 0, 1)": "the anchor lies inside, so some place always replaces it",
        "if score >= best[0]:": "no case has two equally good moves, as the exercise says",
    },
)
