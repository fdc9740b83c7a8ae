"""Exercises of notebook 19_yolo: which cell answers for which object, and the averaged weights."""

import copy
import math

import torch
from torch import Tensor, nn

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.training.ema import EMA
from coursekit.yolo.assign import assign, centres_inside
from coursekit.yolo.decode import cell_centres
from coursekit.yolo.loss import complete_iou

# --- task-aligned assignment


def assign_owners(scores: Tensor, boxes: Tensor, centres: Tensor, truth_boxes: Tensor, truth_labels: Tensor, top: int = 10) -> Tensor:
    """(A,) int64: the object that each cell answers for, -1 for background."""
    return assign(scores, boxes, centres, truth_boxes, truth_labels, top).owner


def assign_cases(generator):
    """(label, arguments) for assign: predictions near the truth, all of different quality, so that nothing hangs on a tie."""
    centres, _ = cell_centres((64, 64), (8,))
    count = len(centres)

    def predictions(truth, classes=3):
        """Every cell frames the object nearest to it, each a little differently wrong, and is differently sure of every class."""
        middle = (truth[:, :2] + truth[:, 2:]) / 2
        mine = truth[torch.cdist(centres, middle).argmin(dim=1)]
        jitter = torch.rand(count, 4, generator=generator) * 6 - 3
        return torch.rand(count, classes, generator=generator) * 0.8 + 0.1, mine + jitter

    def case(rows, labels, top):
        truth = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
        scores, boxes = predictions(truth if len(truth) else torch.tensor([[8.0, 8, 40, 40]]))
        return scores, boxes, centres, truth, torch.tensor(labels, dtype=torch.int64), top

    yield "no objects: all background", case([], [], 10)
    yield "one object", case([[8, 8, 48, 40]], [1], 3)
    yield "an object smaller than a cell, between the centres", case([[37, 37, 43, 43]], [0], 4)
    yield "its edges run through centres", case([[12, 12, 36, 44]], [2], 20)
    yield "two of different class, apart", case([[2, 2, 26, 30], [34, 30, 62, 62]], [0, 2], 5)
    yield "two that overlap want the same cells", case([[4, 4, 44, 44], [20, 16, 60, 56]], [1, 2], 12)
    yield "one inside the other", case([[2, 2, 62, 62], [22, 22, 42, 42]], [0, 1], 9)
    lost = case([[12, 12, 36, 44]], [2], count)  # room for all, so that no tie decides
    lost[1][27] = torch.tensor([50.0, 2, 60, 9])  # its centre is inside, its box is nowhere near: alignment 0, and still chosen
    yield "a candidate that frames nothing, and room for it", lost
    for _ in range(3):
        corners = torch.rand(3, 2, generator=generator) * 30
        sizes = torch.rand(3, 2, generator=generator) * 24 + 10
        truth = torch.cat([corners, corners + sizes], dim=1)
        yield "random", (*predictions(truth), centres, truth, torch.randint(0, 3, (3,), generator=generator), 6)


def _assign(
    scores,
    boxes,
    centres,
    truth_boxes,
    truth_labels,
    top=10,
    smallest=16.0,
    alpha=0.5,
    beta=6.0,
    own_class=True,
    everywhere=False,
    last=False,
):
    """The right assignment with one thing at a time to get wrong."""
    objects, cells = len(truth_boxes), len(scores)
    if objects == 0:
        return torch.full((cells,), -1)
    inside = centres_inside(centres, truth_boxes, smallest)
    if everywhere:
        inside = torch.ones_like(inside)
    overlap = torch.stack([complete_iou(boxes, row.expand_as(boxes)) for row in truth_boxes]).clamp(min=0)
    sure = scores[:, truth_labels].T if own_class else scores.max(dim=1).values.expand(objects, cells)
    aligned = sure**alpha * overlap**beta * inside
    chosen = torch.zeros_like(inside).scatter_(1, aligned.topk(min(top, cells), dim=1).indices, True) & inside
    if last:  # the later object overwrites the earlier one
        owner = torch.full((cells,), -1)
        for number in range(objects):
            owner[chosen[number]] = number
        return owner
    best, owner = torch.where(chosen, overlap, torch.tensor(-1.0)).max(dim=0)
    return torch.where(best >= 0, owner, -1)


def assign_every_cell_inside(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top=len(scores))


def assign_by_overlap_alone(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, alpha=0.0)


def assign_by_score_alone(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, beta=0.0)


def assign_by_the_best_class(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, own_class=False)


def assign_not_widened(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, smallest=0.0)


def assign_last_object_wins(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, last=True)


def assign_from_anywhere(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, everywhere=True)


assign_exercise = Exercise(
    name="19.assign",
    reference=assign_owners,
    cases=assign_cases,
    compare=Exact(),
    twins=(assign, "coursekit.yolo.loss.detection_loss"),
    allowed=(complete_iou, centres_inside),
    misconceptions=[
        Misconception(
            "every-cell-inside",
            assign_every_cell_inside,
            "Every cell inside an object answers for it. Only the `top` best aligned ones should: the others are background.",
        ),
        Misconception(
            "overlap-alone",
            assign_by_overlap_alone,
            "You rank the cells by how well they frame. A cell must also name the class: score^0.5 * IoU^6.",
        ),
        Misconception(
            "score-alone",
            assign_by_score_alone,
            "You rank the cells by how sure they are. A cell that is sure of a bad box is no help: score^0.5 * IoU^6.",
        ),
        Misconception(
            "best-class-not-own",
            assign_by_the_best_class,
            "You took each cell's highest score. What counts is its score for the class of this object: `scores[:, truth_labels]`.",
        ),
        Misconception(
            "tiny-objects-lost",
            assign_not_widened,
            "An object smaller than a cell got no cell at all: no centre lies inside "
            "it. Before you ask, widen every side to at least 16 pixels.",
        ),
        Misconception(
            "last-object-wins",
            assign_last_object_wins,
            "A cell wanted by two objects went to the later one. It should go to the one it frames better.",
        ),
        Misconception(
            "from-anywhere",
            assign_from_anywhere,
            "A cell whose centre lies outside the object answers for it. Candidates are the centres strictly inside.",
        ),
    ],
    hints=[
        "Build three (M, A) tables: inside (bool), overlap (complete IoU, not below 0), aligned = score^0.5 * overlap^6, 0 outside.",
        "`aligned.topk(top, dim=1).indices` and `scatter_` mark what each object chooses; keep only candidates.",
        "Then `torch.where(chosen, overlap, -1.0).max(dim=0)` settles the cells that two objects want, and shows which nobody wants.",
    ],
    points=5,
    equivalent={
        "pairs = complete_iou(truth_boxes.repeat_interleave(cells, dim=0), boxes.repeat(objects, 1))": "complete IoU is the same both ways",
        "quality, owner = torch.where(chosen, overlap, -2.0).max(dim=0)": "any negative number stands for not chosen",
        "quality, owner = torch.where(chosen, overlap, -0.5).max(dim=0)": "any negative number stands for not chosen",
    },
)

# --- averaged weights


def ema_cases(generator):
    """(label, arguments) for EMA: the weights after each step, and how slow the copy is."""
    for label, steps, decay, tau in (
        ("no step yet: an exact copy", 0, 0.9, 20.0),
        ("one step at full speed", 1, 0.9, 0.01),
        ("one step while it still follows at once", 1, 0.9, 20.0),
        ("many steps", 12, 0.9, 4.0),
    ):
        yield label, (torch.rand(steps + 1, 3, 2, generator=generator), decay, tau)


def drive_ema(answer, path, decay, tau):
    """Move a small model with batch normalisation along ``path``, update the copy after each step, and look at both."""
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3))
    model[0].weight.data = path[0].clone()
    average = answer(model, decay=decay, tau=tau)
    for step, weight in enumerate(path[1:], start=1):
        model[0].weight.data = weight.clone()
        model[1].running_mean.fill_(float(step))
        model[1].num_batches_tracked.fill_(step)
        average.update(model, step)
    kept = average.model
    return {
        "averaged weight": kept[0].weight.detach(),
        "averaged running mean": kept[1].running_mean,
        "counter": kept[1].num_batches_tracked,
        "weight of the model itself": model[0].weight.detach(),
        "the copy can be trained": any(p.requires_grad for p in kept.parameters()),
        "the copy is in train mode": kept.training,
    }


class _EMA:
    """The right average with one thing at a time to get wrong."""

    share, ramp, swap, buffers, sleep = False, True, False, True, True

    def __init__(self, model, decay=0.999, tau=200.0):
        self.model = model if self.share else copy.deepcopy(model)
        if self.sleep:
            self.model.eval().requires_grad_(False)
        self.decay, self.tau = decay, tau

    @torch.no_grad()
    def update(self, model, step):
        keep = self.decay * (1 - math.exp(-step / self.tau)) if self.ramp else self.decay
        keep = 1 - keep if self.swap else keep
        names = {name for name, _ in model.named_parameters()}
        for (name, mine), new in zip(self.model.state_dict().items(), model.state_dict().values(), strict=True):
            if mine.is_floating_point() and (self.buffers or name in names):
                mine.mul_(keep).add_(new * (1 - keep))
            elif not mine.is_floating_point():
                mine.copy_(new)


class EMAWithoutRamp(_EMA):
    ramp = False


class EMASwapped(_EMA):
    swap = True


class EMAShared(_EMA):
    share = True


class EMAParametersOnly(_EMA):
    buffers = False


class EMAAwake(_EMA):
    sleep = False


ema_exercise = Exercise(
    name="19.ema",
    reference=EMA,
    cases=ema_cases,
    drive=drive_ema,
    compare=Close(rtol=1e-4, atol=1e-6),
    twins=("torch.optim.swa_utils.AveragedModel",),
    misconceptions=[
        Misconception(
            "no-ramp",
            EMAWithoutRamp,
            "The copy is slow from the first step on, so it remembers the random "
            "start. The decay begins near 0: decay * (1 - exp(-step / tau)).",
        ),
        Misconception(
            "decay-swapped", EMASwapped, "Old and new changed places: the copy keeps `d` of itself and takes `1 - d` of the new weights."
        ),
        Misconception(
            "not-a-copy",
            EMAShared,
            "The average and the model share their weights, so training is pulled "
            "about by its own average. `copy.deepcopy` makes two of them.",
        ),
        Misconception(
            "parameters-only",
            EMAParametersOnly,
            "The weights are averaged, the running statistics of batch "
            "normalisation are not. Go through `state_dict()`, not `parameters()`.",
        ),
        Misconception(
            "left-in-train-mode",
            EMAAwake,
            "The copy is only for looking: `.eval()` and `.requires_grad_(False)`, or its own statistics move whenever it is used.",
        ),
    ],
    hints=[
        "`copy.deepcopy(model).eval().requires_grad_(False)` in `__init__`; `@torch.no_grad()` on `update`.",
        "`zip(self.model.state_dict().values(), model.state_dict().values())` pairs every tensor, buffers "
        "too; `state_dict` gives the tensors themselves, so in-place operations on them count.",
        "Floating-point tensors: `mine.lerp_(new, 1 - d)`. The counter of batches is an integer: copy it.",
    ],
    points=3,
    equivalent={
        "for mine, new in zip(self.model.state_dict().values(), model.state_dict().values(), strict=False):": "a copy has as many tensors",
    },
)
