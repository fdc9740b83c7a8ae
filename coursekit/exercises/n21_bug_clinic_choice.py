"""Exercises of notebook 21_bug_clinic, the second ward: the learner chooses the probe."""

import torch
from torch import nn

from coursekit.clinic import patients
from coursekit.exercises.core import Close
from coursekit.exercises.n21_bug_clinic import bed

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


look_exercise = bed(
    5,
    cases=look_cases,
    run=run_look,
    right=_look_well,
    wrong=[
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
            "One picture at a time hides the influence of the others; it still is train mode, with dropout and statistics of one picture.",
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
    compare=Close(rtol=1e-4, atol=1e-5),
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


name_classes_exercise = bed(
    6,
    cases=name_classes_cases,
    run=lambda answer, scores: tuple(answer(scores)),
    right=_named,
    wrong=[
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
    compare=Close(rtol=1e-6, atol=1e-7),
    hints=[
        "Forget the names and measure the boxes alone. Then print true and said label of a few boxes that lie on each other.",
        "In which column is the first real class, and which label should it have?",
    ],
    points=3,
)
