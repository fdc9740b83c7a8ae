"""The planted bug of notebook 03_optimisers: weight decay that goes through Adam, where it should go around it."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.training import optimisers


def adamw_cases(generator):
    """(label, arguments) for adamw: with no slope only the decay is left, and with large rates before and after differ."""

    def numbers(*values):
        return torch.tensor(values, dtype=torch.float32)

    zero = (0.0, 0.0, 0)
    yield "no slope: only the decay is left", (numbers(2, -4), numbers(0, 0), zero, 0.5, 0.25)
    yield "the same weight twice, a steep and a flat slope", (numbers(2, 2), numbers(100, 0.01), zero, 0.5, 0.25)
    yield "decay 0: plain Adam", (numbers(1, 2), numbers(3, -1), zero, 0.1, 0.0)
    yield "on its way", (numbers(4, 1), numbers(1, -2), (numbers(1, 1), numbers(4, 1), 5), 0.5, 0.5)
    yield "a weight that is 0", (numbers(0), numbers(1), zero, 0.5, 0.5)
    rows = torch.tensor([[0.1], [0.5]])
    yield "a rate for each row: lr is a tensor", (torch.ones(2, 3), torch.ones(2, 3), zero, rows, 0.5)
    for count in (0, 50):
        weights, gradient, first = torch.randn(3, 4, generator=generator)
        yield f"random, after {count} steps", (weights, gradient, (first * 0.1, torch.rand(4, generator=generator), count), 0.1, 0.3)


def adamw_in_the_gradient(weights, gradient, state, lr, decay):
    return optimisers.adam(weights, gradient + decay * weights, state, lr)


def adamw_without_the_rate(weights, gradient, state, lr, decay):
    return optimisers.adam(weights * (1 - decay), gradient, state, lr)


def adamw_afterwards(weights, gradient, state, lr, decay):
    weights, state = optimisers.adam(weights, gradient, state, lr)
    return weights * (1 - lr * decay), state


def adamw_both(weights, gradient, state, lr, decay):
    return optimisers.adam(weights * (1 - lr * decay), gradient + decay * weights, state, lr)


def adamw_never(weights, gradient, state, lr, decay):
    return optimisers.adam(weights, gradient, state, lr)


def adamw_the_same_amount(weights, gradient, state, lr, decay):
    return optimisers.adam(weights - lr * decay, gradient, state, lr)


def adamw_grows(weights, gradient, state, lr, decay):
    return optimisers.adam(weights * (1 + lr * decay), gradient, state, lr)


adamw = Exercise(
    name="03.adamw",
    reference=optimisers.adamw,
    cases=adamw_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    misconceptions=[
        Misconception(
            "decay-in-the-gradient",
            adamw_in_the_gradient,
            "That is the planted bug. What goes into the gradient is divided by the gradient's size, the decay too. "
            "How can a weight shrink without passing through Adam?",
        ),
        Misconception(
            "rate-forgotten",
            adamw_without_the_rate,
            "The weights shrink far too fast: by `decay` at every step. The share is lr * decay, so that a schedule lowers both.",
        ),
        Misconception(
            "decay-afterwards",
            adamw_afterwards,
            "Nearly right: you shrank the weights after Adam's step, and with them the step itself. Shrink first, then step.",
        ),
        Misconception(
            "decay-in-both",
            adamw_both,
            "Now the weights shrink, and the gradient still carries the decay as well. Take it out there.",
        ),
        Misconception(
            "no-decay",
            adamw_never,
            "The decay is gone from the gradient, and from everywhere else. Where no slope is, the weights must still shrink.",
        ),
        Misconception(
            "same-amount-for-all",
            adamw_the_same_amount,
            "You took the same amount off every weight, so one at 0 is pushed away from it. Decay takes a share: it multiplies.",
        ),
        Misconception(
            "grows",
            adamw_grows,
            "The weights grow: 1 + lr * decay is above 1.",
        ),
    ],
    hints=[
        "Adam divides whatever comes in as gradient by its size. Keep the decay out of it: hand adam the gradient alone.",
        "Hand adam weights that are already a little smaller: multiplied by 1 minus something.",
    ],
    points=2,
    twins=("torch.optim.AdamW", "torch.optim.adamw.adamw", "torch.optim.adam.adam"),
)
