"""Exercise of notebook 12_transfer: the planted bug, a fine-tuning that forgets what was learnt."""

import torch
from torch import nn

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n12_transfer import Small, drawn

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


def drive_fine_tune_step(answer, weight, head, batches, training):
    """Three steps with a backbone whose weights get no gradient; what came out, and what the network is afterwards."""
    model = Small(weight, head).train(training)  # in eval mode as an evaluation just before leaves it, or as it was made
    model.backbone.requires_grad_(False)
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    losses = [torch.as_tensor(answer(model, optimizer, inputs, labels)).detach() for inputs, labels in batches]
    return {"losses": torch.stack(losses), "head in train mode": model.head.training, "after": dict(model.state_dict())}


def fine_tune_step_cases(generator):
    """(label, arguments) for fine_tune_step: batches that differ from each other, one of a single image."""
    for label, sizes, training in (
        ("three batches", (6, 6, 6), False),
        ("a last batch of one", (5, 5, 1), False),
        ("batches that differ in brightness", (4, 4, 4), False),
        ("a network that comes in train mode", (6, 6), True),
    ):
        weight, head, _ = drawn(generator)
        parts = []
        for number, size in enumerate(sizes):
            x = torch.randn(size, 3, generator=generator) + (2.0 * number if "differ in" in label else 1.0)
            parts.append((x, torch.randint(0, 2, (size,), generator=generator)))
        yield label, (weight, head, parts, training)


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


def step_head_alone_sent(model, optimizer, inputs, labels):
    model.head.train()
    return _step(model, optimizer, inputs, labels)


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
            "What does a batch normalisation keep besides its weights? And if you do send the backbone to eval mode: what comes after it?",
        ),
        Misconception(
            "backbone-as-it-came",
            wrong=step_head_alone_sent,
            hint="The head is in train mode, and the backbone in whatever mode it came. A new network comes in train mode: "
            "say it for both.",
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
