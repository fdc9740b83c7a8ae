"""Exercise of notebook 23_deployment about eight bits: int8_dot, a layer that multiplies integers."""

import torch
from torch import Tensor

from coursekit.exercises.core import Close, Exercise, Misconception


def _row(*values):
    return torch.tensor(values, dtype=torch.float32)


def int8_dot(x: Tensor, weights: Tensor, x_scale: float, x_zero: int, w_scales: Tensor) -> Tensor:
    """x (B, K) int8, weights (N, K) int8, w_scales (N,) -> (B, N) float32: what ((x - x_zero) · x_scale) times the weights' floats gives.

    Weights have zero point 0, and a scale for each of the N outputs. Products are added up as 32-bit integers; only the sums are scaled.
    """
    sums = (x.int() - x_zero) @ weights.int().T
    return sums * (x_scale * w_scales)


def dot_cases(generator):
    """(label, arguments) for int8_dot: x, weights, x_scale, x_zero, w_scales. Scales are powers of two."""

    def int8(*rows):
        return torch.tensor(rows, dtype=torch.int8)

    def random(*shape):
        return torch.randint(-128, 128, shape, generator=generator, dtype=torch.int8)

    yield "the example by hand", (int8([1, 2, -2]), int8([3, -1, 4]), 0.5, -2, _row(0.25))
    yield "a product past 127", (int8([100, 2]), int8([2, 1]), 1.0, 0, _row(1.0))
    yield "a sum past 32,767", (int8([127] * 4), int8([127] * 4), 1.0, 0, _row(1.0))
    yield "a difference past 127", (int8([127, 1]), int8([1, 1]), 1.0, -128, _row(1.0))
    yield (
        "a sum past sixteen million",
        (torch.full((1, 1200), 127, dtype=torch.int8), torch.full((1, 1200), 127, dtype=torch.int8), 1.0, 0, _row(1.0)),
    )
    yield "two outputs, two scales", (int8([1, 2], [3, 4]), int8([1, 0], [0, 1]), 1.0, 0, _row(0.5, 4.0))
    yield "two pictures, three outputs", (random(2, 5), random(3, 5), 0.125, 3, _row(1.0, 0.5, 0.25))
    yield "as many outputs as inputs", (random(3, 3), random(3, 3), 0.25, -7, _row(1.0, 2.0, 8.0))
    yield "no picture", (int8([0, 0])[:0], int8([1, 2]), 0.5, 1, _row(1.0))
    for _ in range(2):
        zero = int(torch.randint(-128, 128, (), generator=generator))
        yield "random", (random(3, 7), random(3, 7), 0.0625, zero, 2.0 ** torch.randint(-3, 3, (3,), generator=generator).float())


def dot_in_int8(x, weights, x_scale, x_zero, w_scales):
    products = (x - x_zero)[:, None, :] * weights[None]
    return products.sum(dim=2, dtype=torch.int8) * (x_scale * w_scales)


def dot_widened_late(x, weights, x_scale, x_zero, w_scales):
    products = (x - x_zero)[:, None, :] * weights[None]
    return products.int().sum(dim=2) * (x_scale * w_scales)


def dot_in_int16(x, weights, x_scale, x_zero, w_scales):
    products = (x.short() - x_zero)[:, None, :] * weights.short()[None]
    return products.sum(dim=2, dtype=torch.int16) * (x_scale * w_scales)


def dot_without_zero(x, weights, x_scale, x_zero, w_scales):
    return (x.int() @ weights.int().T) * (x_scale * w_scales)


def dot_zero_added(x, weights, x_scale, x_zero, w_scales):
    return ((x.int() + x_zero) @ weights.int().T) * (x_scale * w_scales)


def dot_zero_taken_once(x, weights, x_scale, x_zero, w_scales):
    return (x.int() @ weights.int().T - x_zero) * (x_scale * w_scales)


def dot_zero_from_both(x, weights, x_scale, x_zero, w_scales):
    return ((x.int() - x_zero) @ (weights.int() - x_zero).T) * (x_scale * w_scales)


def dot_not_scaled(x, weights, x_scale, x_zero, w_scales):
    return ((x.int() - x_zero) @ weights.int().T).float()


def dot_scales_added(x, weights, x_scale, x_zero, w_scales):
    return ((x.int() - x_zero) @ weights.int().T) * (x_scale + w_scales)


def dot_one_scale(x, weights, x_scale, x_zero, w_scales):
    return ((x.int() - x_zero) @ weights.int().T) * (x_scale * w_scales[0])


def dot_only_weights_scaled(x, weights, x_scale, x_zero, w_scales):
    return ((x.int() - x_zero) @ weights.int().T) * w_scales


dot_exercise = Exercise(
    name="23.int8_dot",
    reference=int8_dot,
    cases=dot_cases,
    compare=Close(rtol=1e-6, atol=1e-6),
    misconceptions=[
        Misconception(
            "all-in-int8",
            dot_in_int8,
            "127 is the largest number that 8 bits hold; past it they begin again at -128. Where do the sums belong?",
        ),
        Misconception("widened-late", dot_widened_late, "The products overflowed before you made them wider. Wider first, then multiply."),
        Misconception(
            "sixteen-bits", dot_in_int16, "Three products of 127 · 127 do not fit into 16 bits. Layers add up thousands: take 32."
        ),
        Misconception("no-zero-point", dot_without_zero, "What does the integer x_zero stand for? For 0: take it off x first."),
        Misconception("zero-point-added", dot_zero_added, "You added x_zero. The float is (q - zero) · scale."),
        Misconception(
            "zero-point-once",
            dot_zero_taken_once,
            "You took x_zero off the sum once. It is in every x, and each is multiplied by its own weight.",
        ),
        Misconception("zero-point-of-both", dot_zero_from_both, "x_zero is x's. The weights' own zero point is 0."),
        Misconception("not-scaled", dot_not_scaled, "Those are counts of steps. How large is a step times a step?"),
        Misconception("scales-added", dot_scales_added, "(q · s) times (p · t) is q · p times s · t: scales multiply."),
        Misconception("one-scale", dot_one_scale, "Each output has its own scale; you gave the first one's to all."),
        Misconception("x-not-scaled", dot_only_weights_scaled, "The weights are back in their units, x is not."),
    ],
    hints=[
        "Write the floats out: (x - x_zero) · x_scale · w · w_scale. The scales do not depend on K: they can be pulled out of the sum.",
        "`x.int()` and `weights.int()` are wide enough; `@` works on 32-bit integers.",
    ],
    points=2,
)
