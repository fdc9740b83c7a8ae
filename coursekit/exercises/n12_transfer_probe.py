"""Exercise of notebook 12_transfer on features: linear_probe."""

import torch
from torch import nn

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.training import transfer

# --- linear_probe


def linear_probe_cases(generator):
    """(label, arguments) for linear_probe: features off zero, few and many images, a class that is missing."""

    def table(*rows):
        return torch.tensor(rows, dtype=torch.float32)

    yield "one feature, two classes", (table([1.0], [2.0], [5.0], [6.0]), torch.tensor([0, 0, 1, 1]), table([1.5], [5.5], [3.5]), 2, 0.1)
    yield (
        "all features far from 0",
        (
            table([101.0, 7], [102, 8], [105, 7], [106, 8]),
            torch.tensor([0, 0, 1, 1]),
            table([100.0, 7], [107, 9]),
            2,
            1.0,
        ),
    )
    yield "a class without an image", (table([0.0, 1], [1, 0], [2, 2]), torch.tensor([0, 2, 2]), table([0.5, 0.5]), 3, 1.0)
    yield "more of one class than of the other", (table([0.0], [1], [2], [9]), torch.tensor([0, 0, 0, 1]), table([4.0], [8.0]), 2, 10.0)
    yield (
        "more features than images",
        (torch.randn(3, 6, generator=generator), torch.tensor([0, 1, 2]), torch.randn(4, 6, generator=generator), 3, 0.5),
    )
    for ridge in (0.01, 5.0):
        labels = torch.randint(0, 3, (12,), generator=generator)
        centres = torch.randn(3, 4, generator=generator) * 2 + 1
        train = centres[labels] + torch.randn(12, 4, generator=generator)
        yield "random", (train, labels, torch.randn(5, 4, generator=generator) + 1, 3, ridge)


def _solve(train, labels, test, num_classes, ridge, mean_x=None, mean_y=None, penalty=None):
    x, y = train.double(), nn.functional.one_hot(labels, num_classes).double()
    mean_x = x.mean(dim=0) if mean_x is None else mean_x
    mean_y = y.mean(dim=0) if mean_y is None else mean_y
    penalty = ridge * torch.eye(x.shape[1], dtype=torch.float64) if penalty is None else penalty
    weights = torch.linalg.solve((x - mean_x).T @ (x - mean_x) + penalty, (x - mean_x).T @ (y - mean_y))
    return ((test.double() - mean_x) @ weights + mean_y).float()


def probe_no_offset(train, labels, test, num_classes, ridge):
    zeros = torch.zeros(train.shape[1], dtype=torch.float64)
    return _solve(train, labels, test, num_classes, ridge, mean_x=zeros, mean_y=torch.zeros(num_classes, dtype=torch.float64))


def probe_test_mean(train, labels, test, num_classes, ridge):
    x, y = train.double(), nn.functional.one_hot(labels, num_classes).double()
    centred = x - x.mean(dim=0)
    gram = centred.T @ centred + ridge * torch.eye(x.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, centred.T @ (y - y.mean(dim=0)))
    return ((test.double() - test.double().mean(dim=0)) @ weights + y.mean(dim=0)).float()


def probe_test_not_centred(train, labels, test, num_classes, ridge):
    mean = train.double().mean(dim=0)
    return _solve(train, labels, (test.double() + mean).double(), num_classes, ridge)


def probe_mean_after_centring(train, labels, test, num_classes, ridge):
    return probe_mean_of_labels_forgotten(train, labels, test.double() + train.double().mean(dim=0), num_classes, ridge)


def probe_one_mean_for_all(train, labels, test, num_classes, ridge):
    y = nn.functional.one_hot(labels, num_classes).double()
    return _solve(train, labels, test, num_classes, ridge, mean_x=train.double().mean(), mean_y=y.mean())


def probe_mean_of_labels_forgotten(train, labels, test, num_classes, ridge):
    return _solve(train, labels, test, num_classes, ridge) - nn.functional.one_hot(labels, num_classes).float().mean(dim=0)


def probe_no_ridge(train, labels, test, num_classes, ridge):
    tiny = 1e-6 * torch.eye(train.shape[1], dtype=torch.float64)
    return _solve(train, labels, test, num_classes, ridge, penalty=tiny)


def probe_ridge_everywhere(train, labels, test, num_classes, ridge):
    return _solve(
        train,
        labels,
        test,
        num_classes,
        ridge,
        penalty=ridge * torch.ones(train.shape[1], train.shape[1], dtype=torch.float64)
        + 1e-9 * torch.eye(train.shape[1], dtype=torch.float64),
    )


def probe_ridge_times_n(train, labels, test, num_classes, ridge):
    return _solve(train, labels, test, num_classes, ridge * len(train))


def probe_offset_punished(train, labels, test, num_classes, ridge):
    ones = [torch.ones(len(part), 1) for part in (train, test)]
    zeros = torch.zeros(train.shape[1] + 1, dtype=torch.float64)
    wide = [torch.cat([part, one], dim=1) for part, one in zip((train, test), ones, strict=True)]
    return _solve(wide[0], labels, wide[1], num_classes, ridge, mean_x=zeros, mean_y=torch.zeros(num_classes, dtype=torch.float64))


linear_probe_exercise = Exercise(
    name="12.linear_probe",
    reference=transfer.linear_probe,
    cases=linear_probe_cases,
    compare=Close(rtol=1e-3, atol=1e-4, dtype="same"),
    misconceptions=[
        Misconception(
            "no-offset",
            wrong=probe_no_offset,
            hint="Your line is forced through zero. Take the mean off the features and off the one-hot labels first, and put "
            "the latter back at the end.",
        ),
        Misconception(
            "mean-of-the-test",
            wrong=probe_test_mean,
            hint="You took the test set's own mean off. One image alone would then always be 0. Which set may teach you a mean?",
        ),
        Misconception(
            "test-as-it-is",
            wrong=probe_test_not_centred,
            hint="The weights were found for features with their mean taken off. The test features came in as they are: "
            "take the same mean off.",
        ),
        Misconception(
            "mean-of-what-is-centred",
            wrong=probe_mean_after_centring,
            hint="At the end both means were 0: you asked for them after they had been taken off. "
            "Keep them under names of their own first.",
        ),
        Misconception(
            "one-mean-for-all",
            wrong=probe_one_mean_for_all,
            hint="You took off one number, the mean of everything. Each feature has a mean of its own, and each class: `mean(dim=0)`.",
        ),
        Misconception(
            "labels-mean-forgotten",
            wrong=probe_mean_of_labels_forgotten,
            hint="All scores of a class are off by the same number: the labels' mean was taken off and never put back.",
        ),
        Misconception(
            "no-ridge",
            wrong=probe_no_ridge,
            hint="Without the ridge the weights grow as they like, and with more features than images there is no single answer.",
        ),
        Misconception(
            "ridge-on-every-place",
            wrong=probe_ridge_everywhere,
            hint="The ridge belongs on the diagonal alone: `ridge * torch.eye(D)`. `+ ridge` adds it to every place.",
        ),
        Misconception(
            "ridge-times-n",
            wrong=probe_ridge_times_n,
            hint="The ridge was multiplied by the number of images: that is the rule for means, and these are sums.",
        ),
        Misconception(
            "offset-punished",
            wrong=probe_offset_punished,
            hint="With a column of ones the ridge shrinks the offset as well. Take the means off instead: then there is no "
            "offset to shrink.",
        ),
    ],
    hints=[
        "X = features - their mean, Y = one-hot labels - their mean.",
        "W solves (XᵀX + ridge · I) W = XᵀY: `torch.linalg.solve(A, B)`.",
        "Scores of the test: (test - mean of the *training* features) @ W + mean of the labels.",
    ],
    points=3,
    twins=["sklearn.linear_model.Ridge", "sklearn.linear_model.RidgeClassifier", "sklearn.linear_model.ridge_regression"],
    equivalent={"x, y = (x - mean_x, y + mean_y)": "the columns of x add up to 0, so a constant on y drops out of the product"},
)
