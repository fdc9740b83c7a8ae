"""Exercises of notebook 21_bug_clinic, the third ward: the learner is alone. Two trainings that go astray."""

import torch
from torch import nn
from torch.nn import functional as F

from coursekit.exercises.core import Close
from coursekit.exercises.n21_bug_clinic import bed

# --- bed 9


def class_loss_cases(generator):
    """(label, arguments) for class_loss: unsure, sure and right, very sure and wrong, no objects."""
    yield "one cell, undecided", (torch.zeros(1, 1), torch.ones(1, 1))
    yield "sure and right", (torch.tensor([[4.0, -4.0]]), torch.tensor([[1.0, 0.0]]))
    yield "nothing there, and it says so", (torch.full((3, 2), -5.0), torch.zeros(3, 2))
    yield "very sure and wrong", (torch.tensor([[-300.0, 200.0]]), torch.tensor([[1.0, 0.0]]))
    yield "soft targets that sum to 2.5", (torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.tensor([[0.5, 0.0], [1.0, 1.0]]))
    yield "random", (torch.randn(2, 5, 3, generator=generator) * 3, torch.rand(2, 5, 3, generator=generator))


def run_class_loss(answer, logits, targets):
    logits = logits.clone().requires_grad_(True)
    loss = answer(logits, targets)
    (slope,) = torch.autograd.grad(loss, logits)
    return {"loss": loss.detach(), "slope": slope}


def _total(targets):
    return targets.sum().clamp(min=1)


def _by_hand(logits, targets):
    return (F.softplus(logits) - logits * targets).sum() / _total(targets)


def _undone(logits, targets):
    sure = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    return F.binary_cross_entropy_with_logits(torch.logit(sure), targets, reduction="sum") / _total(targets)


def _in_logarithms(logits, targets):
    sure = logits.sigmoid()
    return -(targets * sure.log() + (1 - targets) * (1 - sure).log()).sum() / _total(targets)


def _stretched(logits, targets):
    return F.binary_cross_entropy_with_logits(10 * logits.sigmoid() - 5, targets, reduction="sum") / _total(targets)


class_loss_exercise = bed(
    9,
    cases=class_loss_cases,
    run=run_class_loss,
    right=_by_hand,
    wrong=[
        (
            "saturates",
            lambda logits, targets: F.binary_cross_entropy(logits.sigmoid(), targets, reduction="sum") / _total(targets),
            "One sigmoid, and right for moderate logits. For very sure and wrong ones the sigmoid rounds to 0 or 1 and the slope is lost.",
        ),
        (
            "undone-by-clamping",
            _undone,
            "You undo the sigmoid after clamping it. Beyond the clamp nothing is learned any more; better not to apply it at all.",
        ),
        (
            "stretched",
            _stretched,
            "Stretching 0..1 to -5..5 moves the floor of the loss; the sigmoid is still there twice, and its slope with it.",
        ),
        (
            "mean-instead",
            lambda logits, targets: F.binary_cross_entropy_with_logits(logits, targets),
            "The double sigmoid is gone. But it is the mean over all cells now: divide the sum by the sum of the targets, as before.",
        ),
        (
            "not-divided",
            lambda logits, targets: F.binary_cross_entropy_with_logits(logits, targets, reduction="sum"),
            "The double sigmoid is gone, and so is the division by the sum of the targets, which was no part of the fault.",
        ),
        (
            "logarithms-by-hand",
            _in_logarithms,
            "One sigmoid, and the formula as it stands in books. Where a cell is very sure and wrong, the sigmoid is exactly 0 or 1, "
            "and the logarithm of 0 is no number to learn from.",
        ),
        (
            "never-below-one",
            lambda logits, targets: F.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / targets.sum().clamp(min=1e-6),
            "The double sigmoid is gone. Where there is no object at all the loss explodes: its divisor counts at least 1.",
        ),
    ],
    compare=Close(rtol=1e-4, atol=1e-5),
    hints=[
        "What is the least loss that this function can give for a cell without an object, whatever the logit? Try -10, 0 and 10.",
        "The name `..._with_logits` says what it wants to be given.",
    ],
    points=3,
)

# --- bed 10


def training_step_cases(generator):
    """(label, arguments) for training_step: first weights, several batches, and the rate."""
    start = torch.tensor([[0.5, -1.0]])
    same = [torch.tensor([[1.0, 0.0], [0.0, 1.0]])] * 3
    yield "one step", (start, same[:1], 0.1)
    yield "three steps on one batch", (start, same, 0.1)
    other = [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]), torch.tensor([[-1.0, 1.0]])]
    yield "three batches, each about another weight", (start, other, 0.2)
    yield "a batch with a gradient longer than 10", (start, [torch.tensor([[9.0, 4.0]]), torch.tensor([[1.0, 1.0]])], 0.1)
    yield (
        "random",
        (
            torch.randn(1, 2, generator=generator),
            [torch.randn(3, 2, generator=generator) for _ in range(4)],
            0.05,
        ),
    )


def run_training_step(answer, weights, batches, rate):
    """Some steps of a tiny model towards target 1, by plain gradient descent: losses, and the weights after each step."""
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 1))
    with torch.no_grad():
        model[0].weight.copy_(weights)
        model[1].weight.fill_(1.0)
        model[1].bias.fill_(0.0)
    optimiser = torch.optim.SGD(model.parameters(), lr=rate)
    losses, path = [], []
    for batch in batches:
        losses.append(answer(model, optimiser, batch, 1.0, lambda m, x, t: (m(x) - t).square().mean()))
        path.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    return {"loss before each step": losses, "weights after each step": torch.stack(path)}


def _step(when: str, clip=10.0, parts=None, scale=None):
    """A training step with one thing to get wrong."""

    def wrong(model, optimiser, images, targets, loss_of):
        loss = loss_of(model, images, targets)
        if when == "before":
            optimiser.zero_grad()
        if parts is not None:
            for parameter in list(model.parameters())[:parts]:
                parameter.grad = None
        (loss if scale is None else loss * scale).backward()
        if when == "between":
            optimiser.zero_grad()
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimiser.step()
        return float(loss.detach())

    return wrong


def _step_at_the_end(model, optimiser, images, targets, loss_of):
    loss = loss_of(model, images, targets)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 10.0)
    optimiser.step()
    optimiser.zero_grad()
    return float(loss.detach())


def _step_without_clip(model, optimiser, images, targets, loss_of):
    loss = loss_of(model, images, targets)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return float(loss.detach())


training_step_exercise = bed(
    10,
    cases=training_step_cases,
    run=run_training_step,
    right=_step_at_the_end,
    wrong=[
        (
            "emptied-too-early",
            _step("between"),
            "The gradients are emptied after they were computed and before they are used: nothing is learned, and the loss stands still.",
        ),
        (
            "clipped-harder",
            _step("", clip=0.1),
            "A tighter clip hides the growth, and old gradients still decide where the step goes.",
        ),
        (
            "smaller-loss",
            _step("", scale=0.1),
            "A tenth of the gradient is a lower learning rate. The old ones are still added up.",
        ),
        (
            "first-layer-only",
            _step("", parts=1),
            "Only one tensor's gradient is emptied. The optimiser knows all of them.",
        ),
        (
            "clip-lost",
            _step_without_clip,
            "The old gradients are gone, and so is the clipping, which was no part of the fault.",
        ),
    ],
    compare=Close(rtol=1e-4, atol=1e-5),
    hints=[
        "Print the length of the gradient before each step. On the same batch, with weights that hardly move, should it grow?",
        "`backward` *adds* to `.grad`. Who empties it?",
    ],
    points=2,
)
