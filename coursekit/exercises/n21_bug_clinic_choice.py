"""Exercises of notebook 21_bug_clinic, the second ward: here the learner chooses the probe."""

import torch
from torch import nn

from coursekit.clinic import patients, steps
from coursekit.clinic.diagnoses import treatment
from coursekit.exercises.core import Close, Exercise
from coursekit.exercises.n21_bug_clinic import LAST, both_halves, examined

# --- bed 5


class Toy(nn.Module):
    """Two features normalised over the batch, then dropout: it answers differently in each mode."""

    def __init__(self, mean, variance):
        super().__init__()
        self.normalise, self.drop = nn.BatchNorm1d(2), nn.Dropout(0.5)
        self.normalise.running_mean.copy_(mean)
        self.normalise.running_var.copy_(variance)

    def forward(self, x):
        return self.drop(self.normalise(x))


def look_cases(generator):
    """(label, arguments) for look: averages of the network, a batch, and the mode that the model is in before."""
    mean, variance = torch.tensor([1.0, -1.0]), torch.tensor([4.0, 0.25])
    batch = torch.tensor([[1.0, 0.0], [5.0, 2.0], [3.0, -4.0], [0.0, 1.0]])
    yield "four rows, found in train mode", (mean, variance, batch, True)
    yield "the first row, with another one beside it", (mean, variance, batch[[0, 3]], True)
    yield "found in eval mode", (mean, variance, batch, False)
    random = torch.randn(5, 2, generator=generator)
    yield "random", (torch.randn(2, generator=generator), torch.rand(2, generator=generator) + 0.5, random, True)


def run_look(answer, mean, variance, batch, in_train_mode):
    model = Toy(mean, variance)
    model.train(in_train_mode)
    said = answer(model, batch)
    return {
        "what the model says": said.detach(),
        "its averages afterwards": model.normalise.running_mean.clone(),
        "is it in train mode afterwards": model.training,
        "are its parts": model.normalise.training,
    }


def _look_in_eval(model, batch):
    model.eval()
    return model(batch)


def _look_and_train(model, batch):
    model.eval()
    said = model(batch)
    model.train()
    return said


def _look_one_by_one(model, batch):
    pairs = [model(torch.stack([row, row])) for row in batch]  # one row alone is no batch
    return torch.stack([pair[0] for pair in pairs])


def _look_without_remembering(model, batch):
    model.normalise.momentum = 0.0
    return model(batch)


def _look_norms_only(model, batch):
    before = model.training
    model.normalise.eval()
    said = model(batch)
    model.normalise.train(before)
    return said


def _look_well(model, batch):
    before = model.training
    model.train(False)
    try:
        return model(batch)
    finally:
        model.train(before)


look_exercise = Exercise(
    name="21.look",
    reference=treatment(steps.look, "train-mode"),
    cases=lambda generator: [*look_cases(generator), LAST],
    compare=Close(rtol=1e-4, atol=1e-5),
    drive=examined(run_look, "train-mode"),
    misconceptions=both_halves(
        _look_well,
        patients.look,
        "train-mode",
        [
            (
                "left-in-eval",
                _look_in_eval,
                "What it says is right now. But the model was in train mode when you got it, and you left it "
                "in eval: training goes on that way.",
            ),
            (
                "always-train-afterwards",
                _look_and_train,
                "A model that was in eval mode comes back in train mode. Remember the mode in which you found it.",
            ),
            (
                "one-by-one",
                _look_one_by_one,
                "One picture at a time hides the influence of the others; it still is train mode, with "
                "dropout and statistics of one picture.",
            ),
            (
                "without-remembering",
                _look_without_remembering,
                "The averages no longer move, but they are not used either: what the model says still depends on the batch.",
            ),
            (
                "normalisation-only",
                _look_norms_only,
                "Batch normalisation is in eval mode, dropout is not. Both ask the same flag: set it for the whole model.",
            ),
        ],
    ),
    hints=[
        "Ask for the same picture twice, with other pictures beside it.",
        "Which two kinds of layer behave differently in training, and how does one tell them?",
        "`model.training` says how you found it, `model.eval()` is for measuring, `model.train(before)` puts it back.",
    ],
    points=3,
)

# --- bed 6


def name_classes_cases(generator):
    """(label, arguments) for name_classes: background strong and weak, the first class and the last."""

    def case(*rows):
        return (torch.tensor(rows, dtype=torch.float32).reshape(-1, 4),)

    yield "no boxes", case()
    yield "the first class", case([0.1, 0.8, 0.1, 0.0])
    yield "the last class", case([0.1, 0.0, 0.2, 0.7])
    yield "background is surest, and still no answer", case([0.9, 0.02, 0.05, 0.03])
    yield "several", case([0.3, 0.1, 0.6, 0.2], [0.5, 0.4, 0.1, 0.3], [0.0, 0.2, 0.3, 0.9])
    yield "random", (torch.rand(6, 5, generator=generator),)


def _named(scores):
    return tuple(scores[:, 1:].max(dim=1))


def _at_most_the_last(scores):
    score, label = patients.name_classes(scores)
    return score, label.clamp(max=scores.shape[1] - 2)


def _background_may_win(scores):
    score, label = scores.max(dim=1)
    return score, label - 1


def _last_column_cut(scores):
    return tuple(scores[:, :-1].max(dim=1))


def _round_the_corner(scores):
    score, label = patients.name_classes(scores)
    return score, label % (scores.shape[1] - 1)


def _taken_off_twice(scores):
    score, label = _named(scores)
    return score, (label - 1).clamp(min=0)


name_classes_exercise = Exercise(
    name="21.name_classes",
    reference=treatment(steps.name_classes, "label-offset"),
    cases=lambda generator: [*name_classes_cases(generator), LAST],
    compare=Close(rtol=1e-6, atol=1e-7),
    drive=examined(lambda answer, scores: tuple(answer(scores)), "label-offset"),
    misconceptions=both_halves(
        _named,
        patients.name_classes,
        "label-offset",
        [
            (
                "clamped",
                _at_most_the_last,
                "The label that has no name is gone: it was pressed into the last class. All the others are still one too high.",
            ),
            (
                "round-the-corner",
                _round_the_corner,
                "Modulo sends the label that is too high to class 0. No error any more, and every name is still wrong.",
            ),
            (
                "background-may-win",
                _background_may_win,
                "Where background is surest, the label is -1 now. Background is no answer: the best of the *real* classes is asked for.",
            ),
            (
                "last-column-cut",
                _last_column_cut,
                "You cut off a column at the wrong end. Which column is background, the first or the last?",
            ),
            (
                "taken-off-twice",
                _taken_off_twice,
                "Without the background column the labels begin at 0 by themselves; now one too many is taken off.",
            ),
        ],
    ),
    hints=[
        "Forget the names and measure the boxes alone. Then print true and said label of a few boxes that lie on each other.",
        "In which column is the first real class, and which label should it have?",
    ],
    points=3,
)

# --- bed 7


def pick_cases(generator):
    """(label, arguments) for pick: out of order, in order already, ties, a limit that cuts."""

    def case(scores, limit):
        count = len(scores)
        boxes = torch.arange(4.0 * count).reshape(count, 4)
        return boxes, torch.tensor(scores, dtype=torch.float32), torch.arange(count) * 10, limit

    yield "no boxes", case([], 5)
    yield "one box", case([0.7], 5)
    yield "in order already", case([0.9, 0.8, 0.3], 5)
    yield "three in a circle", case([0.5, 0.2, 0.9], 5)
    yield "more than the limit", case([0.1, 0.6, 0.4, 0.9, 0.2], 3)
    yield "equal scores: the earlier box first", case([0.5, 0.9, 0.5, 0.9, 0.5], 4)
    yield (
        "random",
        (
            torch.rand(8, 4, generator=generator),
            torch.rand(8, generator=generator),
            torch.randint(0, 4, (8,), generator=generator),
            6,
        ),
    )


def _by_index(boxes, scores, labels, limit):
    order = sorted(range(len(scores)), key=lambda i: -float(scores[i]))[:limit]
    order = torch.tensor(order, dtype=torch.int64)
    return boxes[order], scores[order], labels[order]


def _pick_unsorted(boxes, scores, labels, limit):
    return boxes[:limit], scores[:limit], labels[:limit]


def _pick_inverse(boxes, scores, labels, limit):
    order = scores.argsort(descending=True, stable=True)
    return boxes[order.argsort()][:limit], scores[order][:limit], labels[order][:limit]


def _pick_by_column(boxes, scores, labels, limit):
    order = scores.argsort(descending=True, stable=True)[:limit]
    return boxes.sort(dim=0, descending=True).values[: len(order)], scores[order], labels[order]


def _pick_cut_first(boxes, scores, labels, limit):
    boxes, scores, labels = boxes[:limit], scores[:limit], labels[:limit]
    order = scores.argsort(descending=True, stable=True)
    return boxes[order], scores[order], labels[order]


def _pick_worst_first(boxes, scores, labels, limit):
    order = scores.argsort(stable=True)[:limit]
    return boxes[order], scores[order], labels[order]


pick_exercise = Exercise(
    name="21.pick",
    reference=treatment(steps.pick, "sorted-apart"),
    cases=lambda generator: [*pick_cases(generator), LAST],
    compare=Close(rtol=1e-6, atol=1e-7),
    drive=examined(lambda answer, boxes, scores, labels, limit: tuple(answer(boxes, scores, labels, limit)), "sorted-apart"),
    misconceptions=both_halves(
        _by_index,
        patients.pick,
        "sorted-apart",
        [
            (
                "nothing-sorted",
                _pick_unsorted,
                "Boxes, scores and labels belong together again, because none of them is sorted. Whoever "
                "reads them expects the best first.",
            ),
            (
                "inverse-order",
                _pick_inverse,
                "The boxes were put into the inverse of the order. With three boxes in a circle the two "
                "differ: use one order for all three.",
            ),
            (
                "columns-sorted",
                _pick_by_column,
                "`sort` on boxes sorts each column by itself: the four numbers of a box are torn apart. Index with the order instead.",
            ),
            (
                "cut-before-sorting",
                _pick_cut_first,
                "The limit was applied before the order: the first boxes stay, not the best ones.",
            ),
            (
                "worst-first",
                _pick_worst_first,
                "All three lists agree, and the worst box comes first. `argsort` goes upwards unless you ask for `descending=True`.",
            ),
        ],
    ),
    hints=[
        "Split the pictures by how many objects they hold, and measure each part.",
        "Three lists come in, and row i of each speaks of the same box. Is that so of what goes out?",
    ],
    points=3,
)

# --- bed 8


def augment_cases(generator):
    """(label, arguments) for augment: pictures that are not square, so that width and height cannot be mixed up."""
    picture = torch.arange(24, dtype=torch.uint8).reshape(1, 4, 6).expand(3, 4, 6).contiguous()
    box = torch.tensor([[0.0, 1.0, 2.0, 4.0]])
    yield "not mirrored: only the light changes", (picture, box, False, 2.0)
    yield "mirrored, a box at the left edge", (picture, box, True, 1.0)
    yield "mirrored, no boxes", (picture, torch.zeros(0, 4), True, 1.0)
    yield "too bright is white", (picture, box, True, 20.0)
    yield "a box as wide as the picture", (picture, torch.tensor([[0.0, 0, 6, 2]]), True, 0.5)
    start = torch.rand(3, 2, generator=generator) * 2
    boxes = torch.cat([start, start + 1 + torch.rand(3, 2, generator=generator)], dim=1)
    for mirrored in (True, False):
        yield "random", (torch.randint(256, (3, 4, 6), generator=generator, dtype=torch.uint8), boxes, mirrored, 0.9)


def _lit(picture, gain):
    return (picture.float() * gain).clamp(0, 255).to(torch.uint8)


def _mirrored_boxes(make, always=False):
    """`augment` with another way to mirror the boxes."""

    def wrong(picture, boxes, mirrored, gain):
        picture = _lit(picture, gain)
        if mirrored:
            picture = picture.flip(2)
        if mirrored or always:
            boxes = torch.stack(make(*boxes.unbind(dim=1), picture.shape[2], picture.shape[1]), dim=1)
        return picture, boxes

    return wrong


augment_exercise = Exercise(
    name="21.augment",
    reference=treatment(steps.augment, "flip-boxes"),
    cases=lambda generator: [*augment_cases(generator), LAST],
    compare=Close(rtol=1e-5, atol=1e-4),
    drive=examined(lambda answer, picture, boxes, mirrored, gain: tuple(answer(picture, boxes, mirrored, gain)), "flip-boxes"),
    misconceptions=both_halves(
        _mirrored_boxes(lambda x1, y1, x2, y2, w, h: (w - x2, y1, w - x1, y2)),
        patients.augment,
        "flip-boxes",
        [
            (
                "inside-out",
                _mirrored_boxes(lambda x1, y1, x2, y2, w, h: (w - x1, y1, w - x2, y2)),
                "Each x was mirrored where it stood, so the left edge is right of the right one. After "
                "mirroring, which edge is the left one?",
            ),
            (
                "height-for-width",
                _mirrored_boxes(lambda x1, y1, x2, y2, w, h: (h - x2, y1, h - x1, y2)),
                "On a square picture this would be right. x is mirrored in the *width*: which axis of the picture is that?",
            ),
            (
                "one-pixel-off",
                _mirrored_boxes(lambda x1, y1, x2, y2, w, h: (w - 1 - x2, y1, w - 1 - x1, y2)),
                "Every box is one pixel off. Boxes end *where* the next pixel begins: half-open, so no -1.",
            ),
            (
                "always",
                _mirrored_boxes(lambda x1, y1, x2, y2, w, h: (w - x2, y1, w - x1, y2), always=True),
                "The boxes are mirrored even where the picture is not.",
            ),
            (
                "upside-down",
                _mirrored_boxes(lambda x1, y1, x2, y2, w, h: (x1, h - y2, x2, h - y1)),
                "The picture is mirrored left and right, the boxes top and bottom.",
            ),
        ],
    ),
    hints=[
        "Draw three training samples *after* augmentation, with their boxes.",
        "A pixel at x goes to W - x. The right edge of a box becomes its left edge.",
    ],
    points=3,
)
