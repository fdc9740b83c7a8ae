"""Exercises of notebook 02_losses: gradients by trying, and by the chain rule through two layers."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from coursekit import losses
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n02_losses import BY_AUTOGRAD

# --- numerical_gradient


@dataclass(frozen=True)
class Formula:
    """A function that says what it computes, so that somebody who reads a failing case knows it."""

    text: str
    function: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)

    def __repr__(self) -> str:
        return self.text


SQUARES = Formula("x -> (x ** 2).sum()", lambda x: (x**2).sum())
CUBES = Formula("x -> (x ** 3).sum()", lambda x: (x**3).sum())
TWO_SLOPES = Formula("x -> 2 * x[0] + 5 * x[1]", lambda x: 2 * x[0] + 5 * x[1])
PRODUCT = Formula("x -> x[0] * x[1]", lambda x: x[0] * x[1])
TABLE = Formula("x -> x[0, 0] * x[1, 2] - 3 * x[0, 1] ** 2", lambda x: x[0, 0] * x[1, 2] - 3 * x[0, 1] ** 2)
RELU = Formula("x -> x.clamp(min=0).sum()", lambda x: x.clamp(min=0).sum())
MIXED = Formula("x -> (x ** 3).sum() + x.prod()", lambda x: (x**3).sum() + x.prod())


def numerical_cases(generator):
    """(label, arguments) for numerical_gradient: steps so large that one-sided and central differences are far apart."""

    def case(formula, x, h):
        return formula, torch.tensor(x, dtype=torch.float64), h

    yield "x squared at 3", case(SQUARES, [3.0], 0.5)  # central: exactly 6; forward: 6.5
    yield "x cubed at 1", case(CUBES, [1.0], 0.5)  # 3.25: even central differences are h² too high here
    yield "two numbers with two slopes", case(TWO_SLOPES, [1.0, 1.0], 0.25)
    yield "each slope depends on the other number", case(PRODUCT, [3.0, -2.0], 0.5)
    yield "a table of 2 rows and 3 columns", case(TABLE, [[1.0, 2.0, 0.0], [0.0, 0.0, 4.0]], 0.5)
    yield "at the kink of ReLU", case(RELU, [0.0, 2.0], 0.25)
    yield "one number of shape ()", case(SQUARES, 3.0, 0.25)
    yield "no numbers", case(SQUARES, [], 0.5)
    for h in (0.1, 0.001):
        yield "random", (MIXED, torch.randn(4, generator=generator, dtype=torch.float64), h)


def _slopes(f, x, one_slope):
    """A gradient of the shape of x, from the slope that ``one_slope(step_direction)`` gives along each number."""
    rows = torch.eye(x.numel(), dtype=x.dtype)
    gradient = torch.zeros(x.shape, dtype=x.dtype)
    for i, one in enumerate(rows):
        gradient.view(-1)[i] = one_slope(one.reshape(x.shape))
    return gradient


def numerical_forward(f, x, h):
    return _slopes(f, x, lambda one: (f(x + h * one) - f(x)) / h)


def numerical_not_halved(f, x, h):
    return _slopes(f, x, lambda one: (f(x + h * one) - f(x - h * one)) / h)


def numerical_all_at_once(f, x, h):
    return torch.full(x.shape, float((f(x + h) - f(x - h)) / (2 * h)), dtype=x.dtype)


def numerical_backwards(f, x, h):
    return -losses.numerical_gradient(f, x, h)


def numerical_not_put_back(f, x, h):
    moved, gradient = x.clone().reshape(-1), torch.zeros(x.shape, dtype=x.dtype)
    for i in range(x.numel()):
        moved[i] += h
        above = f(moved.reshape(x.shape))
        moved[i] -= 2 * h
        gradient.view(-1)[i] = (above - f(moved.reshape(x.shape))) / (2 * h)
    return gradient


def numerical_flat(f, x, h):
    return losses.numerical_gradient(f, x, h).reshape(-1)


def numerical_step_not_divided(f, x, h):
    return _slopes(f, x, lambda one: f(x + h * one) - f(x - h * one))


numerical_exercise = Exercise(
    name="02.numerical_gradient",
    reference=losses.numerical_gradient,
    cases=numerical_cases,
    compare=Close(rtol=1e-6, atol=1e-8),
    misconceptions=[
        Misconception(
            "forward-only",
            numerical_forward,
            "You went one step up and compared with where you stood. For x² at 3 that gives 6 + h. Go up *and* down: the error cancels.",
        ),
        Misconception(
            "not-halved",
            numerical_not_halved,
            "Every slope is twice too large. From x - h to x + h, how far is that?",
        ),
        Misconception(
            "all-at-once",
            numerical_all_at_once,
            "You moved all numbers together, so all got the same slope, the sum of theirs. Move one of them and hold the others still.",
        ),
        Misconception(
            "backwards",
            numerical_backwards,
            "All signs are turned. Slope: the value further to the right, minus the value further to the left.",
        ),
        Misconception(
            "not-put-back",
            numerical_not_put_back,
            "The first slope is right, later ones are not: the number that you moved did not go back before the next one moved.",
        ),
        Misconception(
            "shape-lost",
            numerical_flat,
            "The slopes are right and stand in one row. The gradient has the shape of `x`, so that it can be subtracted from it.",
        ),
        Misconception(
            "rise-without-run",
            numerical_step_not_divided,
            "That is how much f changes, and it depends on h. A slope is the change divided by the way.",
        ),
    ],
    hints=[
        "For number i: a tensor `step` of zeros with h at place i. Then (f(x + step) - f(x - step)) / (2 h).",
        "`gradient.view(-1)[i]` is the i-th number of a tensor of any shape. `x` itself stays as it is, since `x + step` is a new tensor.",
    ],
    points=3,
    twins=BY_AUTOGRAD,
)


# --- two_layer_backward


def two_layer_cases(generator):
    """(label, arguments) for two_layer_backward: whole numbers first, with units that are on, off and exactly at 0."""

    def case(x, labels, w1, b1, w2, b2, dtype=torch.float32):
        floats = [torch.tensor(values, dtype=dtype) for values in (x, w1, b1, w2, b2)]
        return floats[0], torch.tensor(labels), *floats[1:]

    yield "by hand: one sample, the second unit is off", case([[1, 2]], [0], [[1, 1], [1, -1]], [0, 0], [[1, 2], [2, -1]], [3, 0])
    yield "the same with the other label", case([[1, 2]], [1], [[1, 1], [1, -1]], [0, 0], [[1, 2], [2, -1]], [3, 0])
    yield "two samples", case([[1, 2], [3, -1]], [0, 1], [[1, 1], [1, -1]], [0, 0], [[1, 2], [2, -1]], [3, 0])
    yield "a unit that stands at exactly 0", case([[1, 1]], [1], [[1, 1], [1, -1]], [0, 0], [[0, 1], [1, 3]], [1, 0])
    yield "all units off", case([[1, 2]], [0], [[-1, 0], [0, -1]], [0, 0], [[1, 2], [2, -1]], [1, 0])
    yield (
        "three inputs, two units, four classes",
        case(
            [[1, 0, 2], [0, 1, -1], [2, 1, 0]], [3, 0, 2], [[1, 1, 0], [0, -1, 1]], [1, 0], [[1, 0], [0, 1], [1, 1], [-1, 0]], [0, 0, 1, 0]
        ),
    )
    for dtype in (torch.float64, torch.float32, torch.float32):
        shapes = ((5, 3), (4, 3), (4,), (3, 4), (3,))
        x, w1, b1, w2, b2 = (torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes)
        yield f"random, {str(dtype).removeprefix('torch.')}", (x, torch.randint(0, 3, (5,), generator=generator), w1, b1, w2, b2)


def _backward(x, labels, w1, b1, w2, b2, start=None, mask=None, fed=None, bias=None):
    """The right gradients with one thing at a time to get wrong."""
    before, hidden, logits = losses.two_layer_forward(x, w1, b1, w2, b2)
    grad_logits = start(logits, labels) if start else losses.cross_entropy_gradient(logits, labels)
    grad_hidden = grad_logits @ w2
    grad_before = mask(grad_hidden, before) if mask else grad_hidden * (before > 0)
    bias = bias or (lambda gradient: gradient.sum(dim=0))
    return {
        "w1": grad_before.T @ x,
        "b1": bias(grad_before),
        "w2": grad_logits.T @ (before if fed == "before" else hidden),
        "b2": bias(grad_logits),
    }


def backward_without_relu(*given):
    return _backward(*given, mask=lambda gradient, before: gradient)


def backward_relu_of_the_gradient(*given):
    return _backward(*given, mask=lambda gradient, before: gradient.clamp(min=0))


def backward_one_at_zero(*given):
    return _backward(*given, mask=lambda gradient, before: gradient * (before >= 0))


def backward_times_hidden(*given):
    return _backward(*given, mask=lambda gradient, before: gradient * before.clamp(min=0))


def backward_sum(*given):
    return _backward(*given, start=lambda logits, labels: losses.cross_entropy_gradient(logits, labels) * len(labels))


def backward_p_alone(*given):
    return _backward(*given, start=lambda logits, labels: losses.softmax(logits) / len(labels))


def backward_y_minus_p(*given):
    return _backward(*given, start=lambda logits, labels: -losses.cross_entropy_gradient(logits, labels))


def backward_fed_before(*given):
    return _backward(*given, fed="before")


def backward_bias_mean(*given):
    return _backward(*given, bias=lambda gradient: gradient.mean(dim=0))


two_layer_exercise = Exercise(
    name="02.two_layer_backward",
    reference=losses.two_layer_backward,
    cases=two_layer_cases,
    compare=Close(rtol=1e-4, atol=1e-6),
    misconceptions=[
        Misconception(
            "relu-forgotten",
            backward_without_relu,
            "Blame passed through units that were off. ReLU said 0 whatever came in, so the loss cannot depend on it: slope 0 there.",
        ),
        Misconception(
            "relu-of-the-gradient",
            backward_relu_of_the_gradient,
            "You cut off negative *gradients*. A gradient may be negative. What decides is whether the unit was on: look at `before`.",
        ),
        Misconception(
            "one-at-zero",
            backward_one_at_zero,
            "Nearly: a unit at exactly 0 got the slope 1. Both would do in theory; torch takes 0, so `before > 0`.",
        ),
        Misconception(
            "times-hidden",
            backward_times_hidden,
            "You multiplied by what the unit said. The slope of ReLU is 1 where it is on, however large its value: a mask of 0 and 1.",
        ),
        Misconception(
            "sum-not-mean",
            backward_sum,
            "With one sample right, with two twice too large: the loss is the mean over the samples. Who divides by N?",
        ),
        Misconception(
            "p-without-y",
            backward_p_alone,
            "All logits are pushed down, the right one too. The gradient is p - y: subtract 1 at the label.",
        ),
        Misconception(
            "y-minus-p",
            backward_y_minus_p,
            "Every sign is turned: that is the way downhill. The gradient points uphill, p - y; the optimiser puts the minus.",
        ),
        Misconception(
            "before-instead-of-hidden",
            backward_fed_before,
            "w2 never saw the numbers before ReLU. What was multiplied by w2 in the forward pass?",
        ),
        Misconception(
            "bias-mean",
            backward_bias_mean,
            "The biases' gradients are N times too small: the division by N happened at the logits. From there on, add the samples up.",
        ),
    ],
    hints=[
        "From the back: p - y, divided by N, is the gradient of the logits. Then ask at each step: what was multiplied by what?",
        "Shapes lead the way. w2 is (K, H): only (N, K).T @ (N, H) fits. Hidden units: (N, K) @ (K, H). Biases: the sum over samples.",
        "grad_before = grad_hidden * (before > 0), and then w1 and b1 exactly as w2 and b2, one layer further down.",
    ],
    points=5,
    twins=BY_AUTOGRAD,
)
