"""Exercises of notebook 03_optimisers with a rate of its own for each weight: rmsprop and adam."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.training import optimisers


def _numbers(*values):
    return torch.tensor(values, dtype=torch.float32)


# --- rmsprop


def rmsprop_cases(generator):
    """(label, arguments) for rmsprop: squares with whole roots, gradients of very different size, and no gradient at all."""
    yield "the first step: the average is 0.0", (_numbers(1), _numbers(3), 0.0, 0.5, 0.75, 1e-8)
    yield "on its way", (_numbers(1, 2), _numbers(3, -4), _numbers(7, 9), 0.5, 0.25, 1e-8)
    yield "one steep and one flat direction", (_numbers(0, 0), _numbers(100, -0.01), 0.0, 0.1, 0.75, 1e-8)
    yield "flat after a steep step", (_numbers(1), _numbers(0), _numbers(16), 0.5, 0.75, 1e-8)
    yield "no slope yet: 0 / 0", (_numbers(1, 1), _numbers(0, 2), 0.0, 0.5, 0.75, 1e-8)
    yield "a large eps", (_numbers(1), _numbers(3), 0.0, 0.5, 0.75, 1.0)
    yield (
        "a rate for each row: lr is a tensor",
        (torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 3), _numbers(0.1, 2).reshape(2, 1), 0.9, 1e-8),
    )
    for decay in (0.5, 0.9, 0.99):
        weights, gradient = torch.randn(2, 4, generator=generator)
        yield f"random, decay {decay}", (weights, gradient, torch.rand(4, generator=generator), 0.3, decay, 1e-8)


def rmsprop_never_forgets(weights, gradient, average, lr, decay, eps):
    average = average + gradient**2
    return weights - lr * gradient / (average.sqrt() + eps), average


def rmsprop_shares_swapped(weights, gradient, average, lr, decay, eps):
    average = (1 - decay) * average + decay * gradient**2
    return weights - lr * gradient / (average.sqrt() + eps), average


def rmsprop_not_squared(weights, gradient, average, lr, decay, eps):
    average = decay * average + (1 - decay) * gradient
    return weights - lr * gradient / (average.sqrt() + eps), average


def rmsprop_without_root(weights, gradient, average, lr, decay, eps):
    average = decay * average + (1 - decay) * gradient**2
    return weights - lr * gradient / (average + eps), average


def rmsprop_eps_under_the_root(weights, gradient, average, lr, decay, eps):
    average = decay * average + (1 - decay) * gradient**2
    return weights - lr * gradient / (average + eps).sqrt(), average


def rmsprop_without_eps(weights, gradient, average, lr, decay, eps):
    average = decay * average + (1 - decay) * gradient**2
    return weights - lr * gradient / average.sqrt(), average


def rmsprop_one_rate_for_all(weights, gradient, average, lr, decay, eps):
    average = decay * average + (1 - decay) * (gradient**2).mean() * torch.ones_like(gradient)
    return weights - lr * gradient / (average.sqrt() + eps), average


def rmsprop_forgets_the_new_average(weights, gradient, average, lr, decay, eps):
    new = decay * average + (1 - decay) * gradient**2
    return weights - lr * gradient / (new.sqrt() + eps), average


rmsprop = Exercise(
    name="03.rmsprop",
    reference=optimisers.rmsprop,
    cases=rmsprop_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    misconceptions=[
        Misconception(
            "never-forgets",
            rmsprop_never_forgets,
            "You summed the squares, as AdaGrad does, and a sum only grows. RMSprop forgets: keep the share `decay` of the old average.",
        ),
        Misconception(
            "shares-swapped",
            rmsprop_shares_swapped,
            "Old and new changed places. `decay` is the share of the old average that is kept; the new square gets the rest.",
        ),
        Misconception(
            "not-squared",
            rmsprop_not_squared,
            "You averaged the gradient itself: up and down cancel out, and the root of a negative number is NaN. What is never negative?",
        ),
        Misconception(
            "no-root",
            rmsprop_without_root,
            "The average is of squares. 3 squared is 9, and a gradient of 3 should be divided by 3. What is missing?",
        ),
        Misconception(
            "eps-under-the-root",
            rmsprop_eps_under_the_root,
            "eps went under the root (TensorFlow has it there). In torch and here it is added to the root.",
        ),
        Misconception(
            "no-eps",
            rmsprop_without_eps,
            "A weight that never had a slope became NaN: 0 / 0. That is what eps is for.",
        ),
        Misconception(
            "one-rate-for-all",
            rmsprop_one_rate_for_all,
            "You averaged over the weights as well, so all share one rate. Each weight keeps an average of its own.",
        ),
        Misconception(
            "average-forgotten",
            rmsprop_forgets_the_new_average,
            "The weights are right, but you gave back the old average. The next step needs the new one.",
        ),
    ],
    hints=[
        "First the new average: a share `decay` of the old one, and the rest, 1 - decay, of the gradient squared.",
        "Then divide the gradient by (root of the new average + eps), and step with lr.",
    ],
    points=2,
    twins=("torch.optim.RMSprop", "torch.optim.rmsprop.rmsprop", optimisers.adam),
)


# --- adam


def adam_cases(generator):
    """(label, arguments) for adam: betas of halves and quarters, so that the corrections come out even."""
    yield "the very first step", (_numbers(1, 1), _numbers(4, -0.5), (0.0, 0.0, 0), 0.25, (0.5, 0.75), 1e-8)
    yield "the second step, other way", (_numbers(1), _numbers(-2), (_numbers(2), _numbers(4), 1), 0.25, (0.5, 0.75), 1e-8)
    yield "the tenth step", (_numbers(0, 0), _numbers(1, -3), (_numbers(2, 1), _numbers(5, 9), 9), 0.5, (0.9, 0.99), 1e-8)
    yield "no slope: it rolls on", (_numbers(3), _numbers(0), (_numbers(1), _numbers(4), 2), 0.5, (0.5, 0.75), 1e-8)
    yield "never a slope: 0 / 0", (_numbers(3), _numbers(0), (0.0, 0.0, 0), 0.5, (0.5, 0.75), 1e-8)
    yield "a large eps", (_numbers(1), _numbers(4), (_numbers(1), _numbers(4), 1), 0.25, (0.5, 0.75), 1.0)
    rows = torch.tensor([[0.1], [2.0]])
    yield "a rate for each row: lr is a tensor", (torch.ones(2, 3), torch.ones(2, 3), (0.0, 0.0, 0), rows, (0.9, 0.999), 1e-8)
    for count in (0, 3, 200):
        weights, gradient, first = torch.randn(3, 4, generator=generator)
        second = torch.rand(4, generator=generator)
        yield f"random, after {count} steps", (weights, gradient, (first * 0.1, second, count), 0.01, (0.9, 0.999), 1e-8)


def _adam(
    weights,
    gradient,
    state,
    lr,
    betas,
    eps,
    correct=(True, True),
    late=0,
    root=True,
    under=False,
    of_mean=False,
    inside=False,
    no_eps=False,
    keep=None,
):
    """The right step with one thing at a time to get wrong."""
    (first, second, old), (beta1, beta2) = state, betas
    count = old + 1
    first = beta1 * first + (1 - beta1) * gradient
    second = beta2 * second + (1 - beta2) * (first if of_mean else gradient) ** 2
    mean = first / (1 - beta1 ** (count - late)) if correct[0] else first
    square = second / (1 - beta2 ** (count - late)) if correct[1] else second
    size = square.sqrt() + eps if root else square + eps
    if under:
        size = (square + eps).sqrt()
    if no_eps:
        size = square.sqrt()
    if inside:
        size = (second.sqrt() + eps) / (1 - beta2**count) ** 0.5
    kept = {None: (first, second, count), "corrected": (mean, square, count), "old count": (first, second, old)}[keep]
    return weights - lr * mean / size, kept


def adam_uncorrected(weights, gradient, state, lr, betas, eps):
    return _adam(weights, gradient, state, lr, betas, eps, correct=(False, False))


def adam_second_uncorrected(weights, gradient, state, lr, betas, eps):
    return _adam(weights, gradient, state, lr, betas, eps, correct=(True, False))


def adam_counts_too_late(weights, gradient, state, lr, betas, eps):
    return _adam(weights, gradient, state, lr, betas, eps, late=1)


def adam_count_stands_still(weights, gradient, state, lr, betas, eps):
    return _adam(weights, gradient, state, lr, betas, eps, keep="old count")


def adam_keeps_the_corrected(weights, gradient, state, lr, betas, eps):
    return _adam(weights, gradient, state, lr, betas, eps, keep="corrected")


def adam_betas_swapped(weights, gradient, state, lr, betas, eps):
    return _adam(weights, gradient, state, lr, betas[::-1], eps)


def adam_without_root(weights, gradient, state, lr, betas, eps):
    return _adam(weights, gradient, state, lr, betas, eps, root=False)


def adam_squares_the_average(weights, gradient, state, lr, betas, eps):
    return _adam(weights, gradient, state, lr, betas, eps, of_mean=True)


def adam_eps_under_the_root(weights, gradient, state, lr, betas, eps):
    return _adam(weights, gradient, state, lr, betas, eps, under=True)


def adam_without_eps(weights, gradient, state, lr, betas, eps):
    return _adam(weights, gradient, state, lr, betas, eps, no_eps=True)


def adam_eps_before_the_correction(weights, gradient, state, lr, betas, eps):
    return _adam(weights, gradient, state, lr, betas, eps, inside=True)


adam = Exercise(
    name="03.adam",
    reference=optimisers.adam,
    cases=adam_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    misconceptions=[
        Misconception(
            "no-correction",
            adam_uncorrected,
            "Both averages start at 0, so the first ones are far too small. Divide each by 1 - beta ** count before you use it.",
        ),
        Misconception(
            "second-not-corrected",
            adam_second_uncorrected,
            "The average gradient is corrected, the average square is not: it starts at 0 as well, with a beta of its own.",
        ),
        Misconception(
            "counts-too-late",
            adam_counts_too_late,
            "At the very first step you divided by 1 - beta ** 0, which is 0. This step counts: raise the count first.",
        ),
        Misconception(
            "count-stands-still",
            adam_count_stands_still,
            "The step is right, and the count you gave back is the old one: the next step would be corrected like this one.",
        ),
        Misconception(
            "corrected-ones-kept",
            adam_keeps_the_corrected,
            "The weights are right, but the state holds the corrected averages: the next step would correct them again.",
        ),
        Misconception(
            "betas-swapped",
            adam_betas_swapped,
            "The betas changed places: the first is for the gradients, the second for their squares.",
        ),
        Misconception(
            "no-root",
            adam_without_root,
            "You divided by the average square. The size of a gradient is the root of that.",
        ),
        Misconception(
            "square-of-the-average",
            adam_squares_the_average,
            "The second average is of the gradient's squares, not of the squared first average. A slope that flips its sign has a small "
            "average and large squares.",
        ),
        Misconception(
            "eps-under-the-root",
            adam_eps_under_the_root,
            "eps went under the root. It is added to the root.",
        ),
        Misconception(
            "no-eps",
            adam_without_eps,
            "A weight that never had a slope became NaN: 0 / 0. That is what eps is for.",
        ),
        Misconception(
            "eps-before-the-correction",
            adam_eps_before_the_correction,
            "You added eps to the root before correcting it (the shortcut in the paper's section 2 does). torch, and ours: first correct, "
            "then root, then eps.",
        ),
    ],
    hints=[
        "Count first: count + 1. Then two averages like RMSprop's: of the gradient with betas[0], of its square with betas[1].",
        "For the step alone, divide the first by 1 - betas[0] ** count and the second by 1 - betas[1] ** count.",
        "Weights minus lr * (corrected first) / (root of the corrected second + eps). Return the averages, not the corrected ones.",
    ],
    points=4,
    twins=("torch.optim.Adam", "torch.optim.AdamW", "torch.optim.adam.adam", "torch.optim.adamw.adamw"),
)
