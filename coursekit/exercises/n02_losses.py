"""Exercises of notebook 02_losses: the squared error with its slope, and softmax. The others stand in n02_losses_*.py."""

import torch

from coursekit import losses
from coursekit.exercises.core import Close, Exercise, Misconception

BY_AUTOGRAD = ("torch.autograd.grad", "torch.autograd.backward", "torch.autograd.forward_ad.make_dual")  # torch.func ends in these

LOG_SOFTMAX = (
    losses.log_softmax,
    "torch.log_softmax",
    "torch.logsumexp",
    "torch.logcumsumexp",
    "scipy.special.log_softmax",
    "scipy.special.logsumexp",
)

# --- mse_with_gradient


def mse_cases(generator):
    """(label, arguments) for mse_with_gradient: above and below the target, one number and many, and a table."""

    def pair(predicted, target):
        return torch.tensor(predicted), torch.tensor(target)

    yield "one number, too high", pair([5.0], [2.0])  # 9 and 6
    yield "one too low, one too high", pair([1.0, 4.0], [3.0, 3.0])  # 2.5, and -2 and 1
    yield "all right", pair([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    yield "one far off", pair([0.0, 0.0, 0.0, 10.0], [0.0, 0.0, 0.0, 0.0])
    yield "a table of 2 rows and 3 columns", pair([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[0.0, 2.0, 4.0], [4.0, 3.0, 9.0]])
    for count in (3, 7):
        predicted, target = torch.randn(2, count, 2, generator=generator)
        yield "random", (predicted, target)


def mse_sum(predicted, target):
    difference = predicted - target
    return (difference**2).sum(), 2 * difference


def mse_gradient_of_the_sum(predicted, target):
    difference = predicted - target
    return (difference**2).mean(), 2 * difference


def mse_without_two(predicted, target):
    difference = predicted - target
    return (difference**2).mean(), difference / difference.numel()


def mse_target_first(predicted, target):
    difference = target - predicted
    return (difference**2).mean(), 2 * difference / difference.numel()


def mse_absolute(predicted, target):
    difference = predicted - target
    return difference.abs().mean(), difference.sign() / difference.numel()


def mse_over_rows(predicted, target):
    difference = predicted - target
    return (difference**2).sum() / len(predicted), 2 * difference / len(predicted)


def mse_gradient_over_rows(predicted, target):
    difference = predicted - target
    return (difference**2).mean(), 2 * difference / len(predicted)


def mse_rooted(predicted, target):
    difference = predicted - target
    return (difference**2).mean().sqrt(), 2 * difference / difference.numel()


def mse_one_slope_for_all(predicted, target):
    difference = predicted - target
    return (difference**2).mean(), 2 * difference.mean()


mse_exercise = Exercise(
    name="02.mse_with_gradient",
    reference=losses.mse_with_gradient,
    cases=mse_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    misconceptions=[
        Misconception(
            "sum-not-mean",
            mse_sum,
            "You added the squares up and did not divide. Twice as many samples would look twice as wrong. The m in MSE is the mean.",
        ),
        Misconception(
            "gradient-of-the-sum",
            mse_gradient_of_the_sum,
            "The loss is right, and its gradient belongs to the sum. Where does the 1/n of the mean go when you take the slope?",
        ),
        Misconception(
            "two-forgotten",
            mse_without_two,
            "The gradient is half of what it should be. What is the slope of d ** 2?",
        ),
        Misconception(
            "points-downhill",
            mse_target_first,
            "Every slope has the wrong sign. Predicted too high means: more of it makes the loss larger, so the slope is positive.",
        ),
        Misconception(
            "absolute-not-squared",
            mse_absolute,
            "That is the mean absolute error and its slope. Here the difference is squared, so a large error pulls harder.",
        ),
        Misconception(
            "divided-by-rows",
            mse_over_rows,
            "Right for a list, wrong for a table: `len` counts rows. The mean goes over all numbers; how many are there?",
        ),
        Misconception(
            "gradient-divided-by-rows",
            mse_gradient_over_rows,
            "The loss is right. In the gradient `len` counts rows, and a table has more numbers than that: `numel()`.",
        ),
        Misconception(
            "root-taken",
            mse_rooted,
            "You took the root: that is RMSE. The gradient beside it belongs to the loss without the root.",
        ),
        Misconception(
            "one-slope-for-all",
            mse_one_slope_for_all,
            "You gave one slope. Each predicted number has its own: the gradient has the shape of `predicted`.",
        ),
    ],
    hints=[
        "Write the loss of two numbers on paper, ((p1 - t1)² + (p2 - t2)²) / 2, and move only p1. Which part changes?",
        "The slope of d² is 2d, and the mean's 1/n stays in front: 2 · difference / n, with n = difference.numel().",
    ],
    points=2,
    twins=(*BY_AUTOGRAD, "torch.ops.aten.mse_loss_backward", losses.numerical_gradient, losses.two_layer_backward),
)


# --- softmax


def softmax_cases(generator):
    """(label, arguments) for softmax: rows that tell axes apart, and logits that overflow."""

    def table(*rows):
        return (torch.tensor(rows, dtype=torch.float32),)

    yield "three logits", table([2, 1, 0])
    yield "two rows, three classes", table([1, 2, 3], [6, 2, 0])
    yield "as many rows as classes", table([1, 2, 3], [3, 3, 0], [-1, 0, 4])
    yield "all equal", table([5, 5, 5, 5])
    yield "a negative sum of logits", table([-3, 1, -2])
    yield "one class", table([7], [-7])
    yield "around a thousand: exp overflows", table([1000, 1001, 1002])
    yield "around minus a thousand: every exp is 0", table([-1000, -1001, -999])
    yield "one row at a thousand, one at minus a thousand", table([1000, 999], [-1000, -1001])
    yield "logits far apart in one row", table([-500, 500, 0])
    yield "no rows", (torch.zeros(0, 3),)
    yield "float64 stays float64", (torch.tensor([[0.5, -1.0, 2.0]], dtype=torch.float64),)
    for classes in (2, 5):
        yield "random", (torch.randn(3, classes, generator=generator) * 3,)


def softmax_not_shifted(logits):
    return logits.exp() / logits.exp().sum(dim=1, keepdim=True)


def softmax_over_the_batch(logits):
    weights = (logits - logits.max(dim=0, keepdim=True).values).exp()
    return weights / weights.sum(dim=0, keepdim=True)


def softmax_over_everything(logits):
    weights = (logits - logits.max(dim=1, keepdim=True).values).exp()
    return weights / weights.sum()


def softmax_without_keepdim(logits):
    weights = (logits - logits.max(dim=1, keepdim=True).values).exp()
    return weights / weights.sum(dim=1)


def softmax_one_shift_for_all(logits):
    weights = (logits - logits.max()).exp()
    return weights / weights.sum(dim=1, keepdim=True)


def softmax_shifted_by_the_mean(logits):
    weights = (logits - logits.mean(dim=1, keepdim=True)).exp()
    return weights / weights.sum(dim=1, keepdim=True)


def softmax_sigmoid(logits):
    return 1 / (1 + (-logits).exp())


def softmax_without_exp(logits):
    return logits / logits.sum(dim=1, keepdim=True)


def softmax_logarithm(logits):
    return losses.log_softmax(logits)


def softmax_divided_by_largest(logits):
    return (logits - logits.max(dim=1, keepdim=True).values).exp()


softmax_exercise = Exercise(
    name="02.softmax",
    reference=losses.softmax,
    cases=softmax_cases,
    compare=Close(rtol=1e-5, atol=1e-7, dtype="same"),
    misconceptions=[
        Misconception(
            "not-shifted",
            softmax_not_shifted,
            "Right for small logits; at a thousand exp gives inf, and inf / inf is NaN. What may you subtract from a row without changing "
            "its probabilities?",
        ),
        Misconception(
            "over-the-batch",
            softmax_over_the_batch,
            "Your columns add up to 1, and the rows should: one row is one sample, and its classes share the probability. "
            "Which axis are the classes?",
        ),
        Misconception(
            "over-everything",
            softmax_over_everything,
            "The whole table adds up to 1. Each row should: `sum` needs `dim` and `keepdim`.",
        ),
        Misconception(
            "keepdim-forgotten",
            softmax_without_keepdim,
            "The sum has shape (N,), and beside (N, K) that lines up with the classes, not with the rows. `keepdim=True` makes it (N, 1).",
        ),
        Misconception(
            "one-shift-for-all",
            softmax_one_shift_for_all,
            "You subtracted the largest logit of the whole batch. A row far below it becomes exp(-2000) = 0 everywhere, and 0 / 0 is NaN. "
            "Each row has a largest logit of its own.",
        ),
        Misconception(
            "shifted-by-the-mean",
            softmax_shifted_by_the_mean,
            "The mean of the row is not enough: a logit far above it still overflows. Which number makes sure that nothing is above 0?",
        ),
        Misconception(
            "sigmoid",
            softmax_sigmoid,
            "Each number was squeezed by itself: that is sigmoid, and rows do not add up to 1. Here the classes of a row compete.",
        ),
        Misconception(
            "no-exp",
            softmax_without_exp,
            "You divided the logits by their sum. Logits may be negative, and their sum may be 0: exp makes them positive first.",
        ),
        Misconception(
            "logarithm",
            softmax_logarithm,
            "Those are logarithms of the probabilities: none is above 0. Softmax is asked for, without the log.",
        ),
        Misconception(
            "not-divided",
            softmax_divided_by_largest,
            "The largest of every row is 1, and the rows do not add up to 1: the division by the sum is missing.",
        ),
    ],
    hints=[
        "Three steps for each row: subtract its largest logit, take exp, divide by the sum. `keepdim=True` keeps (N, 1) beside (N, K).",
        "`logits.max(dim=1, keepdim=True)` gives a pair; `.values` is the (N, 1) that you subtract.",
    ],
    points=3,
    twins=(
        "torch.softmax",
        "torch.nn.functional.softmax",
        "torch.nn.functional.softmin",
        "torch.ops.aten._safe_softmax",
        *LOG_SOFTMAX,
        "coursekit.metrics.calibration.softmax",
        "scipy.special.softmax",
        "sklearn.utils.extmath.softmax",
    ),
)
