"""Losses in notebook 17_one_stage: the focal loss, and the planted bug in what it is divided by."""

import torch
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.one_stage.focal import focal_loss
from coursekit.one_stage.retina import classification_loss as full_classification_loss

# --- focal loss


def focal_cases(generator):
    """(label, arguments) for focal_loss: objects and background, easy and hard, and numbers beyond what a probability can hold."""

    def entries(*rows):
        return torch.tensor([row[0] for row in rows]), torch.tensor([float(row[1]) for row in rows])

    yield "an object, half sure", entries((0.0, 1))
    yield "background, half sure", entries((0.0, 0))
    yield "an easy object and a hard one", entries((3.0, 1), (-3.0, 1))
    yield "easy background and hard background", entries((-3.0, 0), (3.0, 0))
    yield "gamma 0 and alpha a half", (*entries((1.0, 1), (1.0, 0)), 0.5, 0.0)
    yield "another alpha", (*entries((1.0, 1), (1.0, 0), (-2.0, 0)), 0.9, 2.0)
    yield "another gamma", (*entries((1.0, 1), (1.0, 0), (-2.0, 0)), 0.25, 5.0)
    yield "sure beyond rounding, and wrong", entries((120.0, 0), (-120.0, 1))
    yield "sure beyond rounding, and right", entries((120.0, 1), (-120.0, 0))
    yield (
        "a table of anchors and classes",
        (torch.tensor([[0.5, -1.0], [2.0, -4.0], [-0.5, 1.5]]), torch.tensor([[1.0, 0], [0, 0], [0, 1]])),
    )
    for _ in range(2):
        logits = torch.randn(5, 3, generator=generator) * 3
        yield "random", (logits, (torch.rand(5, 3, generator=generator) < 0.3).float())


def _focal(logits, targets, alpha=0.25, gamma=2.0, easy=True, weights="right", power="own", naive=False, ends="none"):
    """The right loss with one thing at a time to get wrong."""
    p = logits.sigmoid()
    p_true = p * targets + (1 - p) * (1 - targets)
    loss = -p_true.log() if naive else binary_cross_entropy_with_logits(logits, targets, reduction="none")
    base = {"own": 1 - p_true, "turned": p_true, "object": 1 - p}[power]
    if easy:
        loss = loss * base**gamma
    weight = {"right": alpha * targets + (1 - alpha) * (1 - targets), "all": alpha, "turned": alpha * (1 - targets) + (1 - alpha) * targets}
    loss = loss * weight.get(weights, 1.0)
    return {"none": loss, "sum": loss.sum(), "mean": loss.mean()}[ends]


def focal_on_what_is_sure(logits, targets, alpha=0.25, gamma=2.0):
    return _focal(logits, targets, alpha, gamma, power="turned")


def focal_for_objects_only(logits, targets, alpha=0.25, gamma=2.0):
    return _focal(logits, targets, alpha, gamma, power="object")


def focal_alpha_for_all(logits, targets, alpha=0.25, gamma=2.0):
    return _focal(logits, targets, alpha, gamma, weights="all")


def focal_alpha_turned(logits, targets, alpha=0.25, gamma=2.0):
    return _focal(logits, targets, alpha, gamma, weights="turned")


def focal_without_alpha(logits, targets, alpha=0.25, gamma=2.0):
    return _focal(logits, targets, alpha, gamma, weights="none")


def focal_without_gamma(logits, targets, alpha=0.25, gamma=2.0):
    return _focal(logits, targets, alpha, gamma, easy=False)


def focal_by_logarithm(logits, targets, alpha=0.25, gamma=2.0):
    return _focal(logits, targets, alpha, gamma, naive=True)


def focal_from_probabilities(logits, targets, alpha=0.25, gamma=2.0):
    p = logits.sigmoid()
    p_true = p * targets + (1 - p) * (1 - targets)
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return weight * (1 - p_true) ** gamma * binary_cross_entropy(p, targets, reduction="none")


def focal_times_gamma(logits, targets, alpha=0.25, gamma=2.0):
    p = logits.sigmoid()
    p_true = p * targets + (1 - p) * (1 - targets)
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return weight * (1 - p_true) * gamma * binary_cross_entropy_with_logits(logits, targets, reduction="none")


def focal_summed(logits, targets, alpha=0.25, gamma=2.0):
    return _focal(logits, targets, alpha, gamma, ends="sum")


def focal_averaged(logits, targets, alpha=0.25, gamma=2.0):
    return _focal(logits, targets, alpha, gamma, ends="mean")


focal_exercise = Exercise(
    name="17.focal_loss",
    reference=focal_loss,
    cases=focal_cases,
    compare=Close(rtol=1e-4, atol=1e-7),
    twins=("torchvision.ops.sigmoid_focal_loss",),
    misconceptions=[
        Misconception(
            "weighs-what-is-sure",
            focal_on_what_is_sure,
            "What the network knows already weighs most with you. The factor is (1 - p_t) ** gamma: small where p_t is near 1.",
        ),
        Misconception(
            "same-factor-for-background",
            focal_for_objects_only,
            "You took (1 - p) ** gamma for background too. p_t is the probability of what is *true*: 1 - p over background.",
        ),
        Misconception("alpha-for-all", focal_alpha_for_all, "alpha multiplies everything. Objects get alpha, background 1 - alpha."),
        Misconception("alpha-turned", focal_alpha_turned, "alpha and 1 - alpha changed places: alpha belongs to the objects."),
        Misconception("no-alpha", focal_without_alpha, "alpha is nowhere. Objects get alpha, background 1 - alpha."),
        Misconception("no-gamma", focal_without_gamma, "That is cross-entropy with weights. Where is (1 - p_t) ** gamma?"),
        Misconception(
            "log-of-zero",
            focal_by_logarithm,
            "For a logit of 120 the probability rounds to 1, and log(1 - p) to minus infinity. "
            "`binary_cross_entropy_with_logits` computes from the logit (notebook 02).",
        ),
        Misconception(
            "from-probabilities",
            focal_from_probabilities,
            "`binary_cross_entropy` gets a rounded probability, and cuts its logarithm at -100; a logit of 120 that is wrong costs 120. "
            "`binary_cross_entropy_with_logits` takes the logit itself.",
        ),
        Misconception("times-gamma", focal_times_gamma, "You multiplied by gamma. It is a power: (1 - p_t) ** gamma."),
        Misconception("summed", focal_summed, "One loss for each entry is wanted; who calls it decides what is summed."),
        Misconception("averaged", focal_averaged, 'One loss for each entry is wanted: `reduction="none"`, and no mean at the end.'),
    ],
    hints=[
        "p_t first: p where the target is 1, and 1 - p where it is 0. `torch.where` chooses.",
        '`torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")` is -log(p_t), without the trouble at 0.',
        "Three factors: that, (1 - p_t) ** gamma, and alpha where the target is 1 or 1 - alpha where it is 0.",
    ],
    points=3,
)

# --- the planted bug


def classification_loss(logits, match, labels):
    """(A, C), (A,) from match_anchors, (M,) -> focal loss of the anchors that are asked, over the number that answer for an object."""
    return full_classification_loss(logits, match, labels)


def classification_cases(generator):
    """(label, arguments) for classification_loss: positive, background and ignored anchors in other numbers, and none of each."""

    def case(match, labels, classes=3):
        logits = torch.randn(len(match), classes, generator=generator) * 2
        return logits, torch.tensor(match), torch.tensor(labels, dtype=torch.int64)

    yield "one answers, three are background", case([0, -1, -1, -1], [1])
    yield "two answer for one object", case([0, 0, -1, -1, -1], [2])
    yield "two objects, three anchors", case([1, 0, 1, -1, -1], [2, 0])
    yield "some are ignored", case([0, -2, -1, -2, -1], [1])
    yield (
        "an ignored one that is very sure",
        (torch.tensor([[-3.0, 2.0], [6.0, -6.0], [-4.0, -4.0]]), torch.tensor([0, -2, -1]), torch.tensor([1])),
    )
    yield "no objects: all background", case([-1, -1, -1], [])
    yield "nobody answers, and one is ignored", case([-1, -2, -1], [0])
    yield "all answer", case([0, 1, 0], [1, 1])
    yield "random", case(torch.randint(-2, 3, (20,), generator=generator).tolist(), [0, 2, 1])


def _classification(logits, match, labels, ignored=True, divisor="positives"):
    """The right loss with one thing at a time to get wrong."""
    target = torch.zeros_like(logits)
    positive = match >= 0
    target[positive, labels[match[positive]]] = 1.0
    asked = match != -2 if ignored else torch.ones_like(positive)
    loss = focal_loss(logits[asked], target[asked])
    count = positive.sum()
    by = {
        "positives": count.clamp(min=1),
        "unguarded": count,
        "objects": max(1, len(labels)),
        "asked": asked.sum(),
        "entries": loss.numel(),
        "not background": (match != -1).sum().clamp(min=1),
        "one": 1,
    }
    return loss.sum() / by[divisor]


def loss_over_all_entries(logits, match, labels):
    return _classification(logits, match, labels, divisor="entries")


def loss_over_all_asked(logits, match, labels):
    return _classification(logits, match, labels, divisor="asked")


def loss_with_the_ignored(logits, match, labels):
    return _classification(logits, match, labels, ignored=False)


def loss_over_objects(logits, match, labels):
    return _classification(logits, match, labels, divisor="objects")


def loss_unguarded(logits, match, labels):
    return _classification(logits, match, labels, divisor="unguarded")


def loss_over_all_but_background(logits, match, labels):
    return _classification(logits, match, labels, divisor="not background")


def loss_not_divided(logits, match, labels):
    return _classification(logits, match, labels, divisor="one")


def loss_zero_without_objects(logits, match, labels):
    return _classification(logits, match, labels) * bool((match >= 0).any())


classification_exercise = Exercise(
    name="17.classification_loss",
    reference=classification_loss,
    cases=classification_cases,
    compare=Close(rtol=1e-4, atol=1e-7),
    twins=(full_classification_loss, "torchvision.models.detection.retinanet.RetinaNetClassificationHead"),
    misconceptions=[
        Misconception(
            "divided-by-everything",
            loss_over_all_entries,
            "That is the planted bug. `mean` divides by every entry of the table, and nearly all of them are easy background. By what "
            "should a loss be divided that is there for the objects?",
        ),
        Misconception(
            "divided-by-the-asked",
            loss_over_all_asked,
            "You divide by all anchors that are asked: thousands of background anchors make the loss of the few objects vanish.",
        ),
        Misconception(
            "ignored-are-asked",
            loss_with_the_ignored,
            "Anchors marked -2 are told that they are background. They were to be left alone.",
        ),
        Misconception(
            "divided-by-objects",
            loss_over_objects,
            "You divide by the number of objects. An object has several anchors: divide by the anchors that answer.",
        ),
        Misconception(
            "nothing-to-divide-by",
            loss_unguarded,
            "A picture without objects divides by 0. `clamp(min=1)` lets it teach what background looks like.",
        ),
        Misconception(
            "ignored-are-counted",
            loss_over_all_but_background,
            "The divisor counts ignored anchors as well: `match != -1` is true for -2. Which comparison holds for those that answer alone?",
        ),
        Misconception(
            "not-divided",
            loss_not_divided,
            "The loss is a sum: a picture with many objects counts many times over. Divide by the anchors that answer.",
        ),
        Misconception(
            "empty-pictures-count-nothing",
            loss_zero_without_objects,
            "A picture without objects has a loss too: its background must be told so. Divide by 1 there.",
        ),
    ],
    hints=[
        "Compare the size of the two losses before training, then count: how many entries has the table, and how many anchors answer?",
        "`loss.mean()` is `loss.sum() / loss.numel()`. The sum is right.",
        "The divisor is `positive.sum().clamp(min=1)`.",
    ],
    points=2,
)
