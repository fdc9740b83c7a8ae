"""Exercise of notebook 03_optimisers: momentum. The others stand in n03_optimisers_schedule.py, _scaling.py and _decay.py."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.training import optimisers


def momentum_cases(generator):
    """(label, arguments) for sgd_momentum: rate, momentum and velocity all different, so that no two can be exchanged unseen."""

    def numbers(*values):
        return torch.tensor(values, dtype=torch.float32)

    yield "the first step: the velocity is 0.0", (numbers(1, -2), numbers(2, 4), 0.0, 0.25, 0.5)
    yield "on its way", (numbers(1, 0), numbers(2, -4), numbers(10, 20), 0.25, 0.5)
    yield "the slope turns against the velocity", (numbers(3), numbers(-8), numbers(4), 0.5, 0.75)
    yield "no slope: it rolls on", (numbers(5), numbers(0), numbers(8), 0.25, 0.5)
    yield "momentum 0: plain gradient descent", (numbers(1, 2), numbers(4, -4), numbers(6, 6), 0.25, 0.0)
    yield "a matrix of weights", (numbers(1, 2, 3, 4).reshape(2, 2), numbers(1, 0, -1, 2).reshape(2, 2), torch.ones(2, 2), 0.1, 0.9)
    yield "a rate for each row: lr is a tensor", (torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 3), numbers(0.1, 2).reshape(2, 1), 0.9)
    yield "no weights at all", (numbers(), numbers(), numbers(), 0.1, 0.9)
    for momentum in (0.5, 0.9, 0.99):
        weights, gradient, velocity = torch.randn(3, 4, generator=generator)
        yield f"random, momentum {momentum}", (weights, gradient, velocity, 0.3, momentum)


def momentum_averages(weights, gradient, velocity, lr, momentum):
    velocity = momentum * velocity + (1 - momentum) * gradient
    return weights - lr * velocity, velocity


def momentum_with_the_rate_inside(weights, gradient, velocity, lr, momentum):
    velocity = momentum * velocity + lr * gradient
    return weights - velocity, velocity


def momentum_with_the_rate_twice(weights, gradient, velocity, lr, momentum):
    velocity = momentum * velocity + lr * gradient
    return weights - lr * velocity, velocity


def momentum_uphill(weights, gradient, velocity, lr, momentum):
    velocity = momentum * velocity + gradient
    return weights + lr * velocity, velocity


def momentum_steps_with_the_old_velocity(weights, gradient, velocity, lr, momentum):
    return weights - lr * velocity, momentum * velocity + gradient


def momentum_forgets(weights, gradient, velocity, lr, momentum):
    new = momentum * velocity + gradient
    return weights - lr * new, velocity


def momentum_on_the_gradient(weights, gradient, velocity, lr, momentum):
    velocity = velocity + momentum * gradient
    return weights - lr * velocity, velocity


def momentum_never_fades(weights, gradient, velocity, lr, momentum):
    velocity = velocity + gradient
    return weights - lr * velocity, velocity


def momentum_looks_ahead(weights, gradient, velocity, lr, momentum):
    velocity = momentum * velocity + gradient
    return weights - lr * (gradient + momentum * velocity), velocity


sgd_momentum = Exercise(
    name="03.sgd_momentum",
    reference=optimisers.sgd_momentum,
    cases=momentum_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    misconceptions=[
        Misconception(
            "an-average-not-a-sum",
            momentum_averages,
            "You weighted the gradient with 1 - momentum, so your velocity is an average: with 0.9 it is ten times shorter. "
            "In torch's form the whole gradient is added.",
        ),
        Misconception(
            "rate-inside-the-velocity",
            momentum_with_the_rate_inside,
            "The weights are right, the velocity is not: that is the textbook's form, with the rate inside. "
            "Ours keeps the velocity free of the rate. Where does lr belong then?",
        ),
        Misconception(
            "rate-twice",
            momentum_with_the_rate_twice,
            "The learning rate came in twice, once in the velocity and once in the step. It belongs in one place.",
        ),
        Misconception(
            "uphill",
            momentum_uphill,
            "It climbs. The gradient points uphill, and so does a sum of gradients: with which sign does it go into the weights?",
        ),
        Misconception(
            "old-velocity",
            momentum_steps_with_the_old_velocity,
            "The step was made with the velocity of the step before. First the new velocity, then the step with it.",
        ),
        Misconception(
            "velocity-forgotten",
            momentum_forgets,
            "The weights are right, but you gave back the old velocity. The next step needs the new one.",
        ),
        Misconception(
            "momentum-on-the-gradient",
            momentum_on_the_gradient,
            "momentum stands at the gradient, so the old velocity never fades. Which of the two should be multiplied by it?",
        ),
        Misconception(
            "never-fades",
            momentum_never_fades,
            "The old velocity was added whole. Each step keeps only the share `momentum` of it.",
        ),
        Misconception(
            "looks-ahead",
            momentum_looks_ahead,
            "That is Nesterov's form: the step looks one velocity ahead. A good idea, and the notebook's next; here the plain one.",
        ),
    ],
    hints=[
        "Two lines: the new velocity from the old one and the gradient, then the new weights from the new velocity.",
        "velocity = momentum * velocity + gradient. The learning rate comes only when the weights are moved.",
    ],
    points=2,
    twins=("torch.optim.SGD", "torch.optim.sgd.sgd"),
)
