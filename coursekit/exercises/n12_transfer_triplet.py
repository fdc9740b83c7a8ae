"""Exercise of notebook 12_transfer on embeddings: triplet_loss."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.models import embeddings

# --- triplet_loss


def triplet_cases(generator):
    """(label, arguments) for triplet_loss: met, not met, met by exactly the margin, and several at once."""

    def rows(*values):
        return torch.tensor(values, dtype=torch.float32)

    zero = rows([0.0, 0])
    yield "met: the loss is 0", (zero, rows([1.0, 0]), rows([3.0, 4]), 1.0)
    yield "not met", (zero, rows([3.0, 4]), rows([0.0, 2]), 1.0)
    yield "farther, but not by the margin", (zero, rows([2.0, 0]), rows([0.0, 2.5]), 1.0)
    yield "met by exactly the margin", (zero, rows([2.0, 0]), rows([0.0, 3.0]), 1.0)
    yield "another margin", (zero, rows([2.0, 0]), rows([0.0, 2.5]), 0.2)
    yield "one met, one not", (rows([0.0, 0], [0, 0]), rows([1.0, 0], [6, 8]), rows([9.0, 12], [3, 4]), 1.0)
    yield "the anchor is not at zero", (rows([5.0, 5]), rows([5.0, 8]), rows([6.0, 5]), 0.5)
    for margin in (0.3, 2.0):
        a, p, n = torch.randn(3, 6, 4, generator=generator)
        yield "random", (a, p, n, margin)


def _distances(anchor, positive, negative):
    return (anchor - positive).norm(dim=1), (anchor - negative).norm(dim=1)


def triplet_not_clamped(anchor, positive, negative, margin):
    near, far = _distances(anchor, positive, negative)
    return (near - far + margin).mean()


def triplet_clamped_at_the_end(anchor, positive, negative, margin):
    near, far = _distances(anchor, positive, negative)
    return (near - far + margin).mean().clamp(min=0)


def triplet_squared(anchor, positive, negative, margin):
    near, far = _distances(anchor, positive, negative)
    return (near**2 - far**2 + margin).clamp(min=0).mean()


def triplet_city_block(anchor, positive, negative, margin):
    near, far = (anchor - positive).abs().sum(dim=1), (anchor - negative).abs().sum(dim=1)
    return (near - far + margin).clamp(min=0).mean()


def triplet_python_max(anchor, positive, negative, margin):
    near, far = _distances(anchor, positive, negative)
    return max(0, (near - far + margin).mean())


def triplet_one_norm(anchor, positive, negative, margin):
    return ((anchor - positive).norm() - (anchor - negative).norm() + margin).clamp(min=0).mean()


def triplet_swapped(anchor, positive, negative, margin):
    return embeddings.triplet_loss(anchor, negative, positive, margin)


def triplet_margin_taken_off(anchor, positive, negative, margin):
    near, far = _distances(anchor, positive, negative)
    return (near - far - margin).clamp(min=0).mean()


def triplet_summed(anchor, positive, negative, margin):
    return embeddings.triplet_loss(anchor, positive, negative, margin) * len(anchor)


def triplet_of_those_not_met(anchor, positive, negative, margin):
    near, far = _distances(anchor, positive, negative)
    loss = (near - far + margin).clamp(min=0)
    return loss.sum() / (loss > 0).sum().clamp(min=1)


triplet_loss_exercise = Exercise(
    name="12.triplet_loss",
    reference=embeddings.triplet_loss,
    cases=triplet_cases,
    compare=Close(rtol=1e-4, atol=1e-5),
    misconceptions=[
        Misconception(
            "below-zero",
            wrong=triplet_not_clamped,
            hint="Where the rule is met your loss is negative, so a network could earn more by pushing what is far even "
            "farther. Stop at 0.",
        ),
        Misconception(
            "clamped-after-the-mean",
            wrong=triplet_clamped_at_the_end,
            hint="One triplet that is met by a lot paid for another that is not. Each stops at 0 by itself, before the mean.",
        ),
        Misconception("squared", wrong=triplet_squared, hint="These are squared distances: from (0, 0) to (3, 4) is 5, not 25."),
        Misconception(
            "city-block",
            wrong=triplet_city_block,
            hint="You added up the absolute differences, as if one walked along streets: (0, 0) to (3, 4) gives 7. The straight line is 5.",
        ),
        Misconception(
            "max-of-the-mean",
            wrong=triplet_python_max,
            hint="Python's max compared once, after the mean, and its 0 is no tensor. Each triplet stops at 0 by itself: `clamp(min=0)`.",
        ),
        Misconception(
            "one-distance-for-all",
            wrong=triplet_one_norm,
            hint="All triplets went into one single distance. Each row has its own: over which dimension do you add up?",
        ),
        Misconception("swapped", wrong=triplet_swapped, hint="The loss falls when the positive goes away. Which distance should be small?"),
        Misconception(
            "margin-taken-off",
            wrong=triplet_margin_taken_off,
            hint="The margin makes the rule stricter: the negative must be farther by it. With a minus it allows mistakes.",
        ),
        Misconception("summed", wrong=triplet_summed, hint="The sum grows with the batch. Take the mean over the triplets."),
        Misconception(
            "mean-of-the-unmet",
            wrong=triplet_of_those_not_met,
            hint="You divided by the number of triplets that are not met. It is done in practice, but the rule here is the mean over all.",
        ),
    ],
    hints=[
        "Two distances a row: anchor to positive, anchor to negative.",
        "(near - far + margin), no less than 0, then the mean.",
    ],
    points=2,
    twins=[
        "torch.nn.functional.triplet_margin_loss",
        "torch.nn.TripletMarginLoss",
        "torch.nn.functional.triplet_margin_with_distance_loss",
    ],
)
