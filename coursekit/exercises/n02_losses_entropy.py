"""Exercises of notebook 02_losses: cross-entropy from logits, for one class of many and for yes or no."""

import torch

from coursekit import losses
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n02_losses import LOG_SOFTMAX

# --- cross_entropy


def cross_entropy_cases(generator):
    """(label, arguments) for cross_entropy: no idea, sure and right, sure and wrong, and logits at which a probability is rounded to 0."""

    def case(rows, labels):
        return torch.tensor(rows, dtype=torch.float32), torch.tensor(labels)

    yield "ten equal logits", (torch.zeros(1, 10), torch.tensor([3]))  # ln 10
    yield "three logits, the first is right", case([[2, 1, 0]], [0])
    yield "the label is not the largest logit", case([[2, 1, 0]], [2])
    yield "two samples, four classes", case([[0, 1, 2, 3], [3, 0, 0, 1]], [3, 1])
    yield "as many samples as classes", case([[1, 2, 3], [3, 3, 0], [-1, 0, 4]], [2, 0, 1])
    yield "a thousand on the right class", case([[1000, 0, 0]], [0])
    yield "a thousand on a wrong class", case([[1000, 0, 0]], [1])
    yield "all around minus a thousand", case([[-1000, -1001, -1002]], [1])
    yield "one row at a thousand, one at minus a thousand", case([[1000, 999], [-1000, -1001]], [1, 0])
    yield "float64 stays float64", (torch.tensor([[0.5, -1.0, 2.0]], dtype=torch.float64), torch.tensor([1]))
    for samples, classes in ((4, 3), (6, 5), (2, 8)):
        logits = torch.randn(samples, classes, generator=generator) * 3
        yield "random", (logits, torch.randint(0, classes, (samples,), generator=generator))


def _picked(table, labels):
    return table[torch.arange(len(labels)), labels]


def entropy_log_of_softmax(logits, labels):
    return -_picked(losses.softmax(logits).log(), labels).mean()


def entropy_not_shifted(logits, labels):
    return (logits.exp().sum(dim=1).log() - _picked(logits, labels)).mean()


def entropy_sum(logits, labels):
    return -_picked(losses.log_softmax(logits), labels).sum()


def entropy_softmax_twice(logits, labels):
    return losses.cross_entropy(losses.softmax(logits), labels)


def entropy_minus_forgotten(logits, labels):
    return _picked(losses.log_softmax(logits), labels).mean()


def entropy_of_the_largest(logits, labels):
    return losses.cross_entropy(logits, logits.argmax(dim=1))


def entropy_every_label_for_every_row(logits, labels):
    log_p = losses.log_softmax(logits)
    return -log_p[:, labels].mean()


def entropy_mean_over_classes(logits, labels):
    return losses.cross_entropy(logits, labels) / logits.shape[1]


def entropy_one_shift_for_all(logits, labels):
    shifted = logits - logits.max()
    return (shifted.exp().sum(dim=1).log() - _picked(shifted, labels)).mean()


def entropy_log_ten(logits, labels):
    return losses.cross_entropy(logits, labels) / torch.log(torch.tensor(10.0))


def entropy_right_logit_not_shifted(logits, labels):
    shifted = logits - logits.max(dim=1, keepdim=True).values
    return (shifted.exp().sum(dim=1).log() - _picked(logits, labels)).mean()


cross_entropy_exercise = Exercise(
    name="02.cross_entropy",
    reference=losses.cross_entropy,
    cases=cross_entropy_cases,
    compare=Close(rtol=1e-5, atol=1e-6, dtype="same"),
    misconceptions=[
        Misconception(
            "log-of-softmax",
            entropy_log_of_softmax,
            "Right until a class is very unlikely: softmax rounds its probability to 0, and log(0) is -inf. "
            "Do not leave the logarithm: log p = z - log Σ exp(z).",
        ),
        Misconception(
            "not-shifted",
            entropy_not_shifted,
            "log Σ exp(z) overflows for logits of a thousand, and is log(0) for logits of minus a thousand. "
            "Subtract the largest logit of the row first.",
        ),
        Misconception(
            "sum-not-mean",
            entropy_sum,
            "You added the samples up. The loss is their mean, so that a batch of 64 is not 64 times as wrong as one sample.",
        ),
        Misconception(
            "softmax-twice",
            entropy_softmax_twice,
            "Softmax ran twice: probabilities went in where logits belong. The loss of a sure and right answer is no longer near 0.",
        ),
        Misconception(
            "minus-forgotten",
            entropy_minus_forgotten,
            "Your loss is negative. A logarithm of a probability is 0 or less; the loss is *minus* that.",
        ),
        Misconception(
            "the-largest-not-the-right-one",
            entropy_of_the_largest,
            "You took the class that the network believes in. The loss asks what the *right* class got: `labels` says which one that is.",
        ),
        Misconception(
            "every-label-for-every-row",
            entropy_every_label_for_every_row,
            "`[:, labels]` takes the columns of *all* labels from every row: (N, N). You want one number a row: give rows an index too.",
        ),
        Misconception(
            "mean-over-classes",
            entropy_mean_over_classes,
            "Your loss is too small by a factor of K. Only the right class counts, one number a sample: the mean goes over N of them.",
        ),
        Misconception(
            "one-shift-for-all",
            entropy_one_shift_for_all,
            "You subtracted the largest logit of the whole batch. A row far below it is exp(-2000) = 0, and log(0) is -inf. "
            "Each row has a largest logit of its own.",
        ),
        Misconception(
            "logarithm-of-base-ten",
            entropy_log_ten,
            "Everything is too small by 2.303: you took the logarithm of base 10. Here it is the natural one, `torch.log`.",
        ),
        Misconception(
            "right-logit-not-shifted",
            entropy_right_logit_not_shifted,
            "The sum is of shifted logits, the right class's logit is not shifted. What was taken from one must be taken from the other.",
        ),
    ],
    hints=[
        "One number a sample: log Σ exp(shifted) minus the shifted logit of the right class. Then the mean.",
        "`shifted[torch.arange(len(labels)), labels]` picks one number from each row: row 0 at labels[0], row 1 at labels[1] ...",
    ],
    points=4,
    twins=(
        "torch.nn.functional.cross_entropy",
        "torch.nn.functional.nll_loss",
        "torch.ops.aten.cross_entropy_loss",
        *LOG_SOFTMAX,
        "coursekit.metrics.calibration.log_loss",
    ),
)


# --- bce_with_logits


def bce_cases(generator):
    """(label, arguments) for bce_with_logits: yes and no, sure and unsure, one question and many."""

    def pair(logits, targets):
        return torch.tensor(logits), torch.tensor(targets)

    yield "no idea", pair([0.0], [1.0])  # ln 2
    yield "sure and right, a yes and a no", pair([4.0, -4.0], [1.0, 0.0])
    yield "sure and wrong, a no and a yes", pair([4.0, -4.0], [0.0, 1.0])
    yield "only answers that are no", pair([1.0, 2.0, -1.0], [0.0, 0.0, 0.0])
    yield "two images, three questions each", pair([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]], [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    yield "20, where the sigmoid of float32 is 1 already", pair([20.0], [0.0])
    yield "thousands, and right", pair([1000.0, -1000.0], [1.0, 0.0])
    yield "thousands, and wrong", pair([1000.0, -1000.0], [0.0, 1.0])
    yield "a target between no and yes", pair([0.5, -1.0], [0.25, 0.75])
    for rows in (1, 4):
        logits = torch.randn(rows, 3, generator=generator) * 3
        yield "random", (logits, (torch.rand(rows, 3, generator=generator) < 0.5).float())


def bce_log_of_sigmoid(logits, targets):
    p = torch.sigmoid(logits)
    return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()


def bce_clamped(logits, targets):
    p = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)
    return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()


def bce_exp_overflows(logits, targets):
    return (torch.log1p(torch.exp(-logits)) * targets + torch.log1p(torch.exp(logits)) * (1 - targets)).mean()


def bce_only_yes(logits, targets):
    return (targets * (-torch.nn.functional.logsigmoid(logits))).mean()


def bce_sigmoid_twice(logits, targets):
    return losses.binary_cross_entropy_with_logits(torch.sigmoid(logits), targets)


def bce_sum(logits, targets):
    return losses.binary_cross_entropy_with_logits(logits, targets) * logits.numel()


def bce_mean_over_images(logits, targets):
    return losses.binary_cross_entropy_with_logits(logits, targets) * logits.numel() / len(logits)


def bce_softmax(logits, targets):
    log_p = losses.log_softmax(logits)
    return -(targets * log_p).sum(dim=-1).mean()


def bce_swapped(logits, targets):
    return losses.binary_cross_entropy_with_logits(-logits, targets)


bce_exercise = Exercise(
    name="02.bce_with_logits",
    reference=losses.binary_cross_entropy_with_logits,
    cases=bce_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    misconceptions=[
        Misconception(
            "log-of-sigmoid",
            bce_log_of_sigmoid,
            "Right for small logits. From about 17 on float32 rounds sigmoid to 1, and log(1 - 1) is -inf. "
            "Write the loss in z itself: max(z, 0) - z·t + log(1 + exp(-|z|)).",
        ),
        Misconception(
            "clamped",
            bce_clamped,
            "Clamping p hides the NaN and makes every great mistake cost the same, about 16, with gradient 0. "
            "The worst samples stop teaching. Logits of ±1000 on the wrong side cost 1000.",
        ),
        Misconception(
            "exp-overflows",
            bce_exp_overflows,
            "The right formula, and exp(1000) is inf; inf · 0 is NaN. In which direction can exp not overflow? Think of -|z|.",
        ),
        Misconception(
            "only-yes-counts",
            bce_only_yes,
            "Where the target is 0 your loss is 0, so answering yes to everything costs nothing. A no has a probability as well: 1 - p.",
        ),
        Misconception(
            "sigmoid-twice",
            bce_sigmoid_twice,
            "Sigmoid ran twice: the formula with z takes logits, and probabilities went in. Then a sure no is treated as undecided.",
        ),
        Misconception(
            "sum-not-mean",
            bce_sum,
            "You added all questions up. The loss is their mean.",
        ),
        Misconception(
            "mean-over-images",
            bce_mean_over_images,
            "You divided by the number of rows. The mean goes over all questions, rows times columns.",
        ),
        Misconception(
            "softmax-across",
            bce_softmax,
            "The questions of a row compete in yours, as classes do in softmax. Here each is answered by itself: two may be yes, or none.",
        ),
        Misconception(
            "yes-and-no-swapped",
            bce_swapped,
            "Sure and right costs much, sure and wrong little: a sign is turned. A large z means yes, and with target 1 that is cheap.",
        ),
    ],
    hints=[
        "Start from max(z, 0) - z·t + log(1 + exp(-|z|)) and check it by hand for z = 0: log 2, whatever t is.",
        "`logits.clamp(min=0)` is max(z, 0); `torch.log1p(torch.exp(-logits.abs()))` is the last part. The mean of the three together.",
    ],
    points=3,
    twins=(
        "torch.nn.functional.binary_cross_entropy_with_logits",
        "torch.nn.functional.binary_cross_entropy",
        "torch.nn.functional.logsigmoid",
        "torch.nn.functional.softplus",
        "torch.nn.functional.cross_entropy",
        losses.cross_entropy,
        *LOG_SOFTMAX,
    ),
)
