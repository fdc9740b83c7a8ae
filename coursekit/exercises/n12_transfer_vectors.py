"""Exercises of notebook 12_transfer on vectors: linear_probe, triplet_loss, and the planted bug in the fine-tuning."""

import torch
from torch import nn

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n12_transfer import Small, drawn
from coursekit.models import embeddings
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
    compare=Close(rtol=1e-3, atol=1e-4),
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
    twins=["sklearn.linear_model.Ridge", "sklearn.linear_model.RidgeClassifier"],
    equivalent={"x, y = (x - mean_x, y + mean_y)": "the columns of x add up to 0, so a constant on y drops out of the product"},
)


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


# --- the planted bug: a fine-tuning that forgets what was learnt


def fine_tune_step(model, optimizer, inputs, labels):
    """One step of fine-tuning with a backbone that is frozen: only the head learns. Gives the loss."""
    model.train()
    model.backbone.eval()
    loss = nn.functional.cross_entropy(model(inputs), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def drive_fine_tune_step(answer, weight, head, batches):
    """Three steps with a backbone whose weights get no gradient; what came out, and what the network is afterwards."""
    model = Small(weight, head).eval()  # as an evaluation just before leaves it
    model.backbone.requires_grad_(False)
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    losses = [torch.as_tensor(answer(model, optimizer, inputs, labels)).detach() for inputs, labels in batches]
    return {"losses": torch.stack(losses), "head in train mode": model.head.training, "after": dict(model.state_dict())}


def fine_tune_step_cases(generator):
    """(label, arguments) for fine_tune_step: batches that differ from each other, one of a single image."""
    for label, sizes in (
        ("three batches", (6, 6, 6)),
        ("a last batch of one", (5, 5, 1)),
        ("batches that differ in brightness", (4, 4, 4)),
    ):
        weight, head, _ = drawn(generator)
        parts = []
        for number, size in enumerate(sizes):
            x = torch.randn(size, 3, generator=generator) + (2.0 * number if "differ in" in label else 1.0)
            parts.append((x, torch.randint(0, 2, (size,), generator=generator)))
        yield label, (weight, head, parts)


def step_backbone_in_train_mode(model, optimizer, inputs, labels):
    model.train()
    loss = nn.functional.cross_entropy(model(inputs), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def step_eval_before_train(model, optimizer, inputs, labels):
    model.eval()
    return _step(model, optimizer, inputs, labels)


def _step(model, optimizer, inputs, labels):
    loss = nn.functional.cross_entropy(model(inputs), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def step_averages_put_back(model, optimizer, inputs, labels):
    model.train()
    kept = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    loss = _step(model, optimizer, inputs, labels)
    model.backbone.load_state_dict(kept)
    return loss


def step_without_clearing(model, optimizer, inputs, labels):
    model.train()
    model.backbone.eval()
    loss = nn.functional.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    return loss.detach()


fine_tune_step_exercise = Exercise(
    name="12.fine_tune_step",
    reference=fine_tune_step,
    cases=fine_tune_step_cases,
    compare=Close(rtol=1e-4, atol=1e-5),
    drive=drive_fine_tune_step,
    misconceptions=[
        Misconception(
            "backbone-in-train-mode",
            wrong=step_backbone_in_train_mode,
            hint="That is the planted bug. No weight of the backbone moves, but something else in it does, with every batch. "
            "What does a batch "
            "normalisation keep besides its weights?",
        ),
        Misconception(
            "all-in-eval-mode",
            wrong=step_eval_before_train,
            hint="Now nothing in the backbone moves, but the head is in eval mode as well: a dropout in it would be off. Only "
            "the backbone rests.",
        ),
        Misconception(
            "averages-put-back",
            wrong=step_averages_put_back,
            hint="The averages are as before, but the step itself was computed with the batch's own mean and spread: another "
            "network than the one "
            "that will be used.",
        ),
        Misconception(
            "gradients-add-up", wrong=step_without_clearing, hint="zero_grad went missing: each step adds the gradients of all before."
        ),
    ],
    hints=[
        "Print `model.backbone.norm.running_mean` before and after a step.",
        "`model.train()` reaches every part. Send the backbone back to eval mode right after it.",
    ],
    points=2,
)
