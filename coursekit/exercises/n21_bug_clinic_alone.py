"""Exercises of notebook 21_bug_clinic, the third ward: nobody says where to look."""

import torch
from torch import nn
from torch.nn import functional as F

from coursekit.clinic import patients, steps
from coursekit.clinic.diagnoses import treatment
from coursekit.exercises.core import Close, Exercise
from coursekit.exercises.n21_bug_clinic import LAST, both_halves, examined

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


class_loss_exercise = Exercise(
    name="21.class_loss",
    reference=treatment(steps.class_loss, "double-sigmoid"),
    cases=lambda generator: [*class_loss_cases(generator), LAST],
    compare=Close(rtol=1e-4, atol=1e-5),
    drive=examined(run_class_loss, "double-sigmoid"),
    misconceptions=both_halves(
        _by_hand,
        patients.class_loss,
        "double-sigmoid",
        [
            (
                "saturates",
                lambda logits, targets: F.binary_cross_entropy(logits.sigmoid(), targets, reduction="sum") / _total(targets),
                "One sigmoid, and right for moderate logits. For very sure and wrong ones the sigmoid rounds "
                "to 0 or 1 and the slope is lost.",
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
                lambda logits, targets: (
                    F.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / targets.sum().clamp(min=1e-6)
                ),
                "The double sigmoid is gone. Where there is no object at all the loss explodes: its divisor counts at least 1.",
            ),
        ],
    ),
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


training_step_exercise = Exercise(
    name="21.training_step",
    reference=treatment(steps.training_step, "stale-gradients"),
    cases=lambda generator: [*training_step_cases(generator), LAST],
    compare=Close(rtol=1e-4, atol=1e-5),
    drive=examined(run_training_step, "stale-gradients"),
    misconceptions=both_halves(
        _step_at_the_end,
        patients.training_step,
        "stale-gradients",
        [
            (
                "emptied-too-early",
                _step("between"),
                "The gradients are emptied after they were computed and before they are used: nothing is "
                "learned, and the loss stands still.",
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
    ),
    hints=[
        "Print the length of the gradient before each step. On the same batch, with weights that hardly move, should it grow?",
        "`backward` *adds* to `.grad`. Who empties it?",
    ],
    points=2,
)

# --- bed 11


def nudge_cases(generator):
    """(label, arguments) for nudge: what is stored, and how often it is asked for."""
    picture = torch.arange(30, dtype=torch.uint8).reshape(1, 5, 6).expand(3, 5, 6).contiguous()
    box = torch.tensor([[1.0, 1.0, 3.0, 4.0]])
    yield "moved by nothing", (picture, box, [(0, 0)])
    yield "once to the right and down", (picture, box, [(2, 1)])
    yield "asked for twice: the second time from the stored place", (picture, box, [(1, 1), (1, 1)])
    yield "over the left edge", (picture, box, [(-2, 0), (0, 0)])
    yield "over the right and lower edge", (picture, torch.tensor([[3.0, 2.0, 6.0, 5.0]]), [(2, 3), (-1, -1)])
    yield "no boxes", (picture, torch.zeros(0, 4), [(1, 0)])
    moves = (torch.randint(5, (3, 2), generator=generator) - 2).tolist()
    yield "random", (picture, torch.rand(2, 4, generator=generator).cumsum(dim=1), [tuple(move) for move in moves])


def run_nudge(answer, picture, boxes, moves):
    """Ask for the stored sample several times, as the epochs of a training do."""
    given = [answer(picture, boxes, dx, dy) for dx, dy in moves]
    given = [(image.clone(), found.clone()) for image, found in given]
    return {
        "the pictures": torch.stack([image for image, _ in given]),
        "their boxes": torch.stack([found for _, found in given]),
        "the stored boxes afterwards": boxes,
        "the stored picture afterwards": picture,
    }


def _moved(picture, boxes, dx, dy):
    height, width = picture.shape[1:]
    boxes = boxes + boxes.new_tensor([dx, dy, dx, dy])
    return picture.roll((dy, dx), (1, 2)), boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))


def _copied_afterwards(picture, boxes, dx, dy):
    picture, boxes = patients.nudge(picture, boxes, dx, dy)
    return picture, boxes.clone()


def _copied_between(picture, boxes, dx, dy):
    boxes += boxes.new_tensor([dx, dy, dx, dy])
    return picture.roll((dy, dx), (1, 2)), _moved(picture, boxes, 0, 0)[1]


def _moved_back(picture, boxes, dx, dy):
    picture, moved = patients.nudge(picture, boxes, dx, dy)
    kept = moved.clone()
    boxes -= torch.tensor([dx, dy, dx, dy], dtype=boxes.dtype)
    return picture, kept


def _not_moved(picture, boxes, dx, dy):
    return picture.roll((dy, dx), (1, 2)), boxes.clone()


def _not_cut(picture, boxes, dx, dy):
    return picture.roll((dy, dx), (1, 2)), boxes + boxes.new_tensor([dx, dy, dx, dy])


nudge_exercise = Exercise(
    name="21.nudge",
    reference=treatment(steps.nudge, "cache-changed"),
    cases=lambda generator: [*nudge_cases(generator), LAST],
    compare=Close(rtol=1e-5, atol=1e-5),
    drive=examined(run_nudge, "cache-changed"),
    misconceptions=both_halves(
        _moved,
        patients.nudge,
        "cache-changed",
        [
            (
                "copied-afterwards",
                _copied_afterwards,
                "The copy is made when the damage is done: the stored boxes have moved already. Copy before you write.",
            ),
            (
                "copied-between",
                _copied_between,
                "The copy comes one line late: the stored boxes have been moved when it is made, and only the cutting spares them.",
            ),
            (
                "moved-back",
                _moved_back,
                "Moving them back afterwards works until a box was cut at an edge: what was cut does not come back.",
            ),
            (
                "boxes-stand-still",
                _not_moved,
                "The stored boxes are safe now, and those that you hand out did not move with the picture.",
            ),
            (
                "not-cut",
                _not_cut,
                "The stored boxes are safe. Those that you hand out may reach past the picture, which the patient had right.",
            ),
        ],
    ),
    hints=[
        "Ask the store for sample 0 sixty times, and draw it or print its boxes. How far may they wander, if a move is 4 pixels at most?",
        "`a += b` changes the very tensor that the caller holds; so does `a[:, 0] = ...`.",
        "`boxes = boxes + shift` makes a new tensor, and what you write into that is nobody else's.",
    ],
    points=3,
)

# --- bed 12


def deliver_cases(generator):
    """(label, arguments) for deliver: sure and unsure boxes, few and many, both purposes."""

    def case(scores, purpose):
        scores = torch.tensor(scores, dtype=torch.float32)
        return torch.arange(4.0 * len(scores)).reshape(-1, 4), scores, torch.arange(len(scores)) % 3, purpose

    some = [0.9, 0.4, 0.25, 0.24, 0.01]
    yield "nothing found", case([], "measure")
    yield "to be shown: a score of exactly 0.25 is enough", case(some, "show")
    yield "to be measured: unsure ones too", case(some, "measure")
    many = [0.9 - 0.005 * i for i in range(120)]
    yield "120 boxes to be measured: the first 100", case(many, "measure")
    yield "120 boxes to be shown: all that are sure", case(many, "show")
    scores = torch.rand(9, generator=generator).sort(descending=True).values.tolist()
    for purpose in ("show", "measure"):
        yield "random", case(scores, purpose)


def _deliver(show: float, measure: float, most: int | None = 100, most_shown: int | None = None):
    """`deliver` with other thresholds and limits."""

    def wrong(boxes, scores, labels, purpose):
        kept = scores >= (show if purpose == "show" else measure)
        limit = most_shown if purpose == "show" else most
        return boxes[kept][:limit], scores[kept][:limit], labels[kept][:limit]

    return wrong


deliver_exercise = Exercise(
    name="21.deliver",
    reference=treatment(steps.deliver, "early-threshold"),
    cases=lambda generator: [*deliver_cases(generator), LAST],
    compare=Close(rtol=1e-6, atol=1e-7),
    drive=examined(lambda answer, boxes, scores, labels, purpose: tuple(answer(boxes, scores, labels, purpose)), "early-threshold"),
    misconceptions=both_halves(
        _deliver(0.25, 0.0),
        patients.deliver,
        "early-threshold",
        [
            (
                "no-threshold-at-all",
                _deliver(0.0, 0.0),
                "AP is right now, and people are shown every unsure box. The two purposes need different rules.",
            ),
            (
                "a-lower-threshold",
                _deliver(0.25, 0.05),
                "A lower threshold costs less AP, not none. The curve goes on to the last box.",
            ),
            (
                "lower-for-both",
                _deliver(0.05, 0.05),
                "A threshold of 0.05 for both: too low to show, and still too high to measure.",
            ),
            (
                "no-limit",
                _deliver(0.25, 0.0, most=None),
                "Unsure boxes are measured now, and all of them: only the first 100 of a picture count.",
            ),
            (
                "purposes-swapped",
                lambda boxes, scores, labels, purpose: _deliver(0.25, 0.0)(
                    boxes, scores, labels, "measure" if purpose == "show" else "show"
                ),
                "It is the other way round: people see the sure ones, AP wants all.",
            ),
        ],
    ),
    hints=[
        "What is the lowest score in the file of results, and where does the precision-recall curve end?",
        "Which line is run for both purposes, and should be for one?",
    ],
    points=2,
)
