"""The exercise of notebook 04_data that begins with a bug: statistics that must not look at the test set."""

import torch

from coursekit.data.splits import channel_statistics, standardise
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.images import normalise


def standardise_cases(generator):
    """(label, arguments) for standardise: the two sets differ in brightness, sizes of all axes differ, and one channel never changes."""

    def images(*shape, low=0, high=256):
        return torch.randint(low, high, shape, generator=generator, dtype=torch.uint8)

    black_and_white = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1)
    yield "black and white; the other is grey", (black_and_white, torch.full((1, 1, 1, 1), 51, dtype=torch.uint8))
    yield "a dark set and a bright one", (images(4, 3, 2, 5, high=100), images(3, 3, 2, 5, low=150))
    yield "square images, as many as channels", (images(3, 3, 3, 3), images(3, 3, 3, 3, high=50))
    flat = images(5, 2, 3, 4)
    flat[:, 1] = 255  # exactly 1: its spread is 0 in float32 and in float64
    yield "a channel that never changes", (flat, images(2, 2, 3, 4))
    yield "nothing to judge by yet", (images(2, 3, 2, 2), images(0, 3, 2, 2))
    for _ in range(2):
        yield "random", (images(6, 3, 4, 5, high=200), images(2, 3, 4, 5))


def _standardise(train, other, fit=None, fit_other=None, dims=(0, 2, 3), correction=0, power=1):
    """The right standardising with one thing at a time to get wrong."""

    def statistics(images):
        std, mean = torch.std_mean(images / 255, dim=dims, correction=correction, keepdim=True)
        return mean, torch.where(std > 0, std, torch.ones_like(std)) ** power

    mean, std = statistics(train if fit is None else fit)
    other_mean, other_std = (mean, std) if fit_other is None else statistics(fit_other)
    return (train / 255 - mean) / std, (other / 255 - other_mean) / other_std


def standardise_both_together(train, other):
    return _standardise(train, other, fit=torch.cat([train, other]))


def standardise_each_by_its_own(train, other):
    return _standardise(train, other, fit_other=other)


def standardise_one_number(train, other):
    return _standardise(train, other, dims=(0, 1, 2, 3))


def standardise_each_pixel(train, other):
    return _standardise(train, other, dims=(0,))


def standardise_variance(train, other):
    return _standardise(train, other, power=2)


def standardise_flat_channel(train, other):
    scaled = train / 255
    std, mean = torch.std_mean(scaled, dim=(0, 2, 3), correction=0, keepdim=True)
    return (scaled - mean) / std, (other / 255 - mean) / std


def standardise_train_only(train, other):
    mean, std = (torch.tensor([0.0] * train.shape[1]), torch.tensor([1.0] * train.shape[1]))
    return standardise(train, other)[0], normalise(other, mean, std)


standardise_exercise = Exercise(
    name="04.standardise",
    reference=standardise,
    cases=standardise_cases,
    compare=Close(rtol=1e-3, atol=1e-4),
    misconceptions=[
        Misconception(
            "fitted-on-both",
            standardise_both_together,
            "That is the planted bug: mean and spread were taken over both sets. What does your training know now that it should not?",
        ),
        Misconception(
            "each-by-its-own",
            standardise_each_by_its_own,
            "Each set was standardised by its own numbers, so that night and noon look alike, and a single image could not be judged. "
            "The other set gets the numbers of the training set.",
        ),
        Misconception(
            "one-number-for-all",
            standardise_one_number,
            "One mean for all channels. Each channel has its own: keep axis 1, and take the mean over the axes 0, 2 and 3.",
        ),
        Misconception(
            "each-pixel-its-own",
            standardise_each_pixel,
            "You took the mean over the images alone, so every pixel has its own. Over height and width too: the axes 0, 2 and 3.",
        ),
        Misconception(
            "variance",
            standardise_variance,
            "You divided by the square of the spread: that is the variance.",
        ),
        Misconception(
            "divided-by-zero",
            standardise_flat_channel,
            "A channel that never changes has a spread of 0, and 0 / 0 is NaN. Let its spread be 1.",
        ),
        Misconception(
            "other-set-left-out",
            standardise_train_only,
            "The training set is right and the other one was only scaled to 0..1: "
            "the model would be asked in another language than it learnt in.",
        ),
    ],
    hints=[
        "Which images go into `fitted`?",
        "Only the training set: `fitted = train / 255`. Everything below stays as it is.",
    ],
    points=2,
    twins=(channel_statistics, "sklearn.preprocessing.StandardScaler"),
)
