"""The loss of notebook 22_segmentation: dice."""

import torch
from torch.nn import functional as F

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.segmentation.losses import dice_loss


def dice_cases(generator):
    """(label, arguments) for dice_loss: certain predictions whose dice can be counted, then doubt, then random ones."""

    def grid(rows):
        return torch.tensor(rows, dtype=torch.int64).reshape(1, 1, -1)

    def certain(rows, classes, height=8.0):
        return F.one_hot(grid(rows), classes).permute(0, 3, 1, 2).float() * 2 * height - height

    yield "half of it found", (certain([0, 0, 0, 1], 2), grid([0, 0, 1, 1]), 1.0)
    yield "all right", (certain([0, 0, 1, 1], 2), grid([0, 0, 1, 1]), 1.0)
    yield "background everywhere", (certain([0, 0, 0, 0, 0, 0], 2), grid([0, 0, 0, 0, 0, 1]), 1.0)
    yield "no doubt in one pixel, all doubt in the others", (torch.tensor([[[[0.0, 0, 5]], [[0.0, 0, -5]]]]), grid([0, 1, 0]), 1.0)
    yield "a class of one pixel and one of five", (certain([0, 2, 2, 2, 2, 2, 0], 3), grid([1, 2, 2, 2, 2, 2, 0]), 0.5)
    yield "a class that is nowhere", (certain([0, 1, 1], 3), grid([0, 1, 1]), 1.0)
    yield "a class that is nowhere, and said once", (certain([0, 2, 1], 3), grid([0, 1, 1]), 1.0)
    yield "nearly no smoothing", (certain([0, 1, 1, 0], 2, 1.0), grid([0, 0, 1, 1]), 0.01)
    two = torch.cat([certain([0, 0, 0, 1], 2), certain([1, 1, 1, 1], 2)]), torch.cat([grid([0, 0, 1, 1]), grid([1, 1, 1, 1])])
    yield "two pictures: one sum", (*two, 1.0)
    for classes in (2, 4):
        logits = torch.randn(2, classes, 3, 4, generator=generator)
        yield "random", (logits, torch.randint(0, classes, (2, 3, 4), generator=generator), 1.0)


def drive_dice(answer, logits, target, smooth):
    """The loss, and the slope that a training would follow (all zeros where it has none)."""
    logits = logits.clone().requires_grad_()
    loss = answer(logits, target, smooth)
    if not isinstance(loss, torch.Tensor):
        return {"loss": loss, "slope": None}
    (slope,) = torch.autograd.grad(loss, logits) if loss.requires_grad and loss.ndim == 0 else (torch.zeros_like(logits),)
    return {"loss": loss.detach(), "slope": slope}


def _dice(logits, target, smooth, squash=None, classes=1, ratio=None, dims=(0, 2, 3), flip=True):
    """The right loss with one thing to get wrong."""
    probabilities = logits.softmax(dim=1) if squash is None else squash(logits)
    truth = F.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2)
    shared, sizes = (probabilities * truth).sum(dim=dims), probabilities.sum(dim=dims) + truth.sum(dim=dims)
    dice = (2 * shared + smooth) / (sizes + smooth) if ratio is None else ratio(shared, sizes, smooth)
    mean = dice[..., classes:].mean()
    return 1 - mean if flip else mean


def dice_with_background(logits, target, smooth):
    return _dice(logits, target, smooth, classes=0)


def dice_without_the_two(logits, target, smooth):
    return _dice(logits, target, smooth, ratio=lambda shared, sizes, s: (shared + s) / (sizes + s))


def dice_as_iou(logits, target, smooth):
    return _dice(logits, target, smooth, ratio=lambda shared, sizes, s: (shared + s) / (sizes - shared + s))


def dice_by_sigmoid(logits, target, smooth):
    return _dice(logits, target, smooth, squash=torch.sigmoid)


def dice_of_hard_answers(logits, target, smooth):
    return _dice(logits, target, smooth, squash=lambda x: F.one_hot(x.argmax(dim=1), x.shape[1]).permute(0, 3, 1, 2).float())


def dice_picture_by_picture(logits, target, smooth):
    return _dice(logits, target, smooth, dims=(2, 3))


def dice_that_is_to_be_raised(logits, target, smooth):
    return _dice(logits, target, smooth, flip=False)


def dice_smoothed_below_only(logits, target, smooth):
    return _dice(logits, target, smooth, ratio=lambda shared, sizes, s: 2 * shared / (sizes + s))


def dice_of_logits(logits, target, smooth):
    return _dice(logits, target, smooth, squash=lambda x: x)


def dice_over_the_wrong_axis(logits, target, smooth):
    return _dice(logits, target, smooth, squash=lambda x: x.softmax(dim=-1))


def dice_of_squares(logits, target, smooth):
    probabilities = logits.softmax(dim=1)
    truth = F.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2)
    shared, sizes = (probabilities * truth).sum(dim=(0, 2, 3)), (probabilities**2 + truth).sum(dim=(0, 2, 3))
    return 1 - ((2 * shared + smooth) / (sizes + smooth))[1:].mean()


def dice_without_smooth(logits, target, smooth):
    return _dice(logits, target, smooth, ratio=lambda shared, sizes, s: 2 * shared / sizes)


def dice_with_smooth_doubled(logits, target, smooth):
    return _dice(logits, target, smooth, ratio=lambda shared, sizes, s: 2 * (shared + s) / (sizes + s))


def dice_of_classes_that_are_there(logits, target, smooth):
    probabilities = logits.softmax(dim=1)
    truth = F.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2)
    shared, sizes = (probabilities * truth).sum(dim=(0, 2, 3)), (probabilities + truth).sum(dim=(0, 2, 3))
    there = truth.sum(dim=(0, 2, 3))[1:] > 0
    return 1 - ((2 * shared + smooth) / (sizes + smooth))[1:][there].mean()


def dice_of_all_classes_at_once(logits, target, smooth):
    probabilities = logits.softmax(dim=1)[:, 1:]
    truth = F.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2)[:, 1:]
    return 1 - (2 * (probabilities * truth).sum() + smooth) / (probabilities.sum() + truth.sum() + smooth)


dice = Exercise(
    name="22.dice_loss",
    reference=dice_loss,
    cases=dice_cases,
    drive=drive_dice,
    compare=Close(rtol=1e-4, atol=1e-5),
    misconceptions=[
        Misconception(
            "background-counted",
            dice_with_background,
            "Background is in your mean. It is nearly always right, and pulls the loss towards 0 whatever the signs do: leave class 0 out.",
        ),
        Misconception(
            "two-forgotten",
            dice_without_the_two,
            "Even a perfect answer costs you about one half. The sizes below count the shared pixels twice, so above there must be a 2.",
        ),
        Misconception("iou", dice_as_iou, "That is soft IoU: you took the shared pixels off below. Dice divides by the sum of sizes."),
        Misconception(
            "sigmoid",
            dice_by_sigmoid,
            "You judge each class alone by a sigmoid. A pixel has exactly one class, so the probabilities of one pixel must sum to 1.",
        ),
        Misconception(
            "argmax",
            dice_of_hard_answers,
            "You count hard decisions. They have no slope: move a logit a little, and the loss stays as it is. Use the probabilities.",
        ),
        Misconception(
            "picture-by-picture",
            dice_picture_by_picture,
            "You took a dice for each picture. Here the sums go over the whole batch: a picture without a class then cannot hurt.",
        ),
        Misconception("not-a-loss", dice_that_is_to_be_raised, "Yours is 1 for a perfect answer. A loss is 0 there: 1 minus it."),
        Misconception(
            "smooth-below-only",
            dice_smoothed_below_only,
            "A class that is nowhere, rightly not said, costs you 1. `smooth` stands above and below, so that 0 / 0 becomes 1.",
        ),
        Misconception("no-smooth", dice_without_smooth, "`smooth` is nowhere: it is added above and below."),
        Misconception(
            "smooth-doubled",
            dice_with_smooth_doubled,
            "A class that is not there and not said has dice 2 with you. `smooth` is added after the doubling: 2 * shared + smooth.",
        ),
        Misconception("squares", dice_of_squares, "Your sizes are sums of squares, as some papers have it. Here: plain sums below."),
        Misconception(
            "absent-left-out",
            dice_of_classes_that_are_there,
            "You left classes out that are in no picture of the batch. They count here: who says them although they are nowhere pays.",
        ),
        Misconception("no-softmax", dice_of_logits, "You used the logits themselves. They are no probabilities yet: which function?"),
        Misconception(
            "softmax-along-a-row",
            dice_over_the_wrong_axis,
            "Your softmax lets the pixels of a row compete. It is the classes of one pixel that must: logits are (N, K, H, W).",
        ),
        Misconception(
            "classes-thrown-together",
            dice_of_all_classes_at_once,
            "You summed over the classes too, so that a large class drowns a small one. One dice for each class, then their mean.",
        ),
    ],
    hints=[
        "Probabilities by `softmax(dim=1)`, the truth by `F.one_hot(target, K).permute(0, 3, 1, 2)`: both (N, K, H, W) then.",
        "Sum over pictures and pixels, `dim=(0, 2, 3)`: `shared` of the product, `sizes` of each of the two, added. All are (K,).",
        "(2 * shared + smooth) / (sizes + smooth) is one dice a class. Leave out class 0, take the mean, and subtract it from 1.",
    ],
    points=3,
)
