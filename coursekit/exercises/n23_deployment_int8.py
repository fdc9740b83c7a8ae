"""Exercise of notebook 23_deployment about eight bits: quantise_tensor."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.serving.quantise import quantise_tensor


def _row(*values):
    return torch.tensor(values, dtype=torch.float32)


def _on_the_grid(shape, generator, bits):
    """Random floats whose largest and smallest values make the step a power of two, and none lies half way between two integers."""
    steps = 2**bits - 1
    zero = int(torch.randint(1, steps, (), generator=generator))
    places = torch.randint(-zero, steps - zero + 1, shape, generator=generator) + 0.25 * torch.randint(-1, 2, shape, generator=generator)
    values = places.clamp(-zero, steps - zero).flatten()
    values[0], values[-1] = -zero, steps - zero
    return (values / 64).reshape(shape)


def quantise_cases(generator):
    """(label, arguments) for quantise_tensor: x, bits, axis. Steps are powers of two, so that rounding is exact on both sides."""
    yield "the example by hand", (_row(-1.0, 0.0, 0.3, 1.0, 2.75), 4, None)  # step 0.25, 0 is -4
    yield "all of -128 .. 127", (_row(-128, -1, 0, 1, 127), 8, None)  # step 1, 0 is 0
    yield "halves go to the even neighbour", (_row(-128, 0.5, 1.5, 2.5, -0.5, -1.5, 127), 8, None)
    yield "zero itself is half a step off", (_row(-0.5, 0.0, 1.0, 14.5), 4, None)  # 0 lies half way: to the even neighbour
    yield "nothing is negative: the range still begins at 0", (_row(6.0, 7.0, 15.0), 4, None)
    yield "nothing is positive: the range still ends at 0", (_row(-15.0, -3.0, -7.0), 4, None)
    yield "zeros only", (torch.zeros(3), 8, None)
    yield "two bits", (_row(-1.0, -0.25, 0.75, 2.0), 2, None)
    yield "small range", (_row(-0.0625, 0.0, 0.9375) / 16, 4, None)
    kernels = torch.stack([_row(-8.0, 0.0, 7.0), _row(-0.5, 0.25, 0.4375), torch.zeros(3)])
    yield "one scale for three kernels", (kernels, 4, None)
    yield "a scale for each kernel", (kernels, 4, 0)
    yield "a scale for each column", (kernels, 4, 1)
    yield "the last axis", (kernels, 4, -1)
    four = torch.stack([_on_the_grid((2, 2, 3), generator, 8), _on_the_grid((2, 2, 3), generator, 8) / 16])
    yield "a convolution's weights", (four, 8, 0)
    yield "the last axis of three", (torch.stack([_on_the_grid((2, 3), generator, 4) * step for step in (1, 4, 0.25)], dim=2), 4, 2)
    yield "random", (_on_the_grid((3, 5), generator, 8), 8, None)
    yield "random", (_on_the_grid((4, 6), generator, 4), 4, None)


def _quantised(x, bits, axis, widen=True, symmetric=False, finish=torch.round, cut=True, dtype=torch.int8, steps_less=1, from_low=False):
    """The right answer, but for what is given otherwise."""
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    rows = x.reshape(1, -1) if axis is None else x.movedim(axis, 0).flatten(1)
    low, high = rows.amin(dim=1), rows.amax(dim=1)
    if widen:
        low, high = low.clamp(max=0), high.clamp(min=0)
    if symmetric:
        high = torch.maximum(high, -low)
        low = -high
    scale = (high - low) / (2**bits - steps_less)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    zero = torch.zeros_like(low).long() if symmetric else least - (low / scale).round().long()
    shape = [1] * x.ndim
    if axis is None:
        scale, zero, low = scale.squeeze(0), zero.squeeze(0), low.squeeze(0)
    else:
        shape[axis] = -1
    s, z = scale.reshape(shape), zero.reshape(shape)
    q = finish((x - low.reshape(shape)) / s) + least if from_low else finish(x / s) + z
    return (q.clamp(least, most) if cut else q).to(dtype), scale, zero


def quantise_range_without_zero(x, bits, axis):
    return _quantised(x, bits, axis, widen=False)


def quantise_symmetric(x, bits, axis):
    return _quantised(x, bits, axis, symmetric=True)


def quantise_cut_off(x, bits, axis):
    return _quantised(x, bits, axis, finish=torch.trunc)


def quantise_rounded_down(x, bits, axis):
    return _quantised(x, bits, axis, finish=torch.floor)


def quantise_halves_up(x, bits, axis):
    return _quantised(x, bits, axis, finish=lambda v: torch.floor(v + 0.5))


def quantise_one_scale_for_all(x, bits, axis):
    q, scale, zero = _quantised(x, bits, None)
    return (q, scale, zero) if axis is None else (q, scale.expand(x.shape[axis]).clone(), zero.expand(x.shape[axis]).clone())


def quantise_other_axis(x, bits, axis):
    return _quantised(x, bits, axis if axis is None else (axis + 1) % x.ndim)


def quantise_as_many_steps_as_values(x, bits, axis):
    return _quantised(x, bits, axis, steps_less=0)


def quantise_always_eight(x, bits, axis):
    return _quantised(x, 8, axis)


def quantise_wide_integers(x, bits, axis):
    return _quantised(x, bits, axis, dtype=torch.int32)


def quantise_zero_between(x, bits, axis):
    return _quantised(x, bits, axis, from_low=True)


def quantise_nothing_by_nothing(x, bits, axis):
    q, scale, zero = _quantised(x, bits, axis)
    empty = (x == 0).all() if axis is None else (x.movedim(axis, 0).flatten(1) == 0).all(dim=1)
    return q, torch.where(empty, 0.0, scale), zero


def quantise_unsigned(x, bits, axis):
    q, scale, zero = _quantised(x, bits, axis)
    shift = 2 ** (bits - 1)
    return (q.int() + shift).to(torch.uint8), scale, zero + shift


quantise_exercise = Exercise(
    name="23.quantise_tensor",
    reference=quantise_tensor,
    cases=quantise_cases,
    compare=Close(rtol=1e-5, atol=1e-7, dtype="same"),
    misconceptions=[
        Misconception(
            "range-without-zero",
            quantise_range_without_zero,
            "Your range leaves 0 out where all values are on one side of it. Padding is 0, and must have an integer of its own.",
        ),
        Misconception(
            "symmetric",
            quantise_symmetric,
            "You made the range as wide below 0 as above. Where nothing is there, half of the integers are never used.",
        ),
        Misconception(
            "cut-off",
            quantise_cut_off,
            "You cut off what is behind the point. Half a step is the most that rounding costs; you pay a whole one.",
        ),
        Misconception(
            "rounded-down",
            quantise_rounded_down,
            "You always round down, so everything comes back a little too small. To the nearest, please.",
        ),
        Misconception(
            "halves-up",
            quantise_halves_up,
            "Halves went up each time. `torch.round` sends them to the even neighbour, so that they do not add up.",
        ),
        Misconception(
            "one-scale-for-all",
            quantise_one_scale_for_all,
            "With an axis each slice has a range of its own. You took the range of the whole tensor for all.",
        ),
        Misconception(
            "other-axis",
            quantise_other_axis,
            "Your slices run along another axis than the one asked for. What stays, and over what is the minimum taken?",
        ),
        Misconception(
            "a-step-too-many", quantise_as_many_steps_as_values, "16 integers have 15 steps between them. By how much did you divide?"
        ),
        Misconception("always-eight", quantise_always_eight, "You always count to 127. `bits` says how far."),
        Misconception("wide-integers", quantise_wide_integers, "The integers are right, but each takes four bytes. Which dtype takes one?"),
        Misconception("unsigned", quantise_unsigned, "You count from 0 up. Asked for are integers from -2^(bits-1)."),
        Misconception(
            "zero-between-integers",
            quantise_zero_between,
            "You counted steps from the low end, so 0 fell between two integers. Round x / scale, then add zero_point.",
        ),
        Misconception("scale-of-zeros", quantise_nothing_by_nothing, "Where all values are 0 the scale is 1: a scale of 0 divides 0 by 0."),
    ],
    hints=[
        "First one scale for all: low, high, scale, zero_point, q, in five lines. low is at most 0, high at least 0.",
        "With an axis: `x.movedim(axis, 0).flatten(1)` has a row for each slice; take minimum and maximum along dim 1.",
        "To divide x by a scale for each slice, give it the shape [1, ..., -1, ..., 1] with the -1 at `axis`.",
    ],
    points=3,
    twins=["torch.quantize_per_tensor", "torch.quantize_per_channel"],
)
