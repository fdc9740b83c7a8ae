"""The planted bug of notebook 08_fitting: a training step whose clipping never clips, because it comes too early."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from coursekit.exercises.core import Close, Exercise, Misconception


def clipped_step(model, optimizer, inputs, labels, max_norm):
    """One training step with the gradients of all layers together clipped to max_norm -> the loss before the step."""
    optimizer.zero_grad()
    loss = cross_entropy(model(inputs), labels)
    loss.backward()
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss.item()


def step_cases(generator):
    """(label, arguments) for clipped_step: two or three steps with gradients that are long, short, and both."""

    def case(scales, max_norm, lr=0.5):
        weight, bias = torch.randn(3, 4, generator=generator), torch.randn(3, generator=generator)
        batches = [(torch.randn(5, 4, generator=generator) * scale, torch.randint(0, 3, (5,), generator=generator)) for scale in scales]
        return weight, bias, lr, batches, max_norm

    yield "two steps with long gradients", case((20.0, 20.0), 0.5)
    yield "two steps with short gradients", case((0.5, 0.5), 50.0)
    yield "a long one, then a short one", case((30.0, 0.3), 1.0)
    yield "random", case((3.0, 8.0, 1.0), 0.7, lr=0.1)


def drive_step(answer, weight, bias, lr, batches, max_norm):
    """A small classifier, a step for each batch: the losses told, and the weights after each."""
    model = nn.Linear(weight.shape[1], weight.shape[0])
    model.weight.data, model.bias.data = weight.clone(), bias.clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    seen = {}
    for number, (inputs, labels) in enumerate(batches, 1):
        seen[f"loss told by step {number}"] = answer(model, optimizer, inputs, labels, max_norm)
        seen[f"weights after step {number}"] = model.weight.detach().clone()
    return seen | {"biases at the end": model.bias.detach().clone()}


def _step(model, optimizer, inputs, labels, clip, clear=True, when="before the step"):
    """The right step with one thing at a time to get wrong."""
    if clear:
        optimizer.zero_grad()
    loss = cross_entropy(model(inputs), labels)
    loss.backward()
    if when == "before the step":
        clip()
    optimizer.step()
    return loss.item()


def step_clips_too_early(model, optimizer, inputs, labels, max_norm):
    return _step(model, optimizer, inputs, labels, lambda: None)  # nothing is there to clip yet


def step_never_clears(model, optimizer, inputs, labels, max_norm):
    return _step(model, optimizer, inputs, labels, lambda: clip_grad_norm_(model.parameters(), max_norm), clear=False)


def step_clips_each_alone(model, optimizer, inputs, labels, max_norm):
    return _step(model, optimizer, inputs, labels, lambda: [clip_grad_norm_([p], max_norm) for p in model.parameters()])


def step_clips_values(model, optimizer, inputs, labels, max_norm):
    return _step(model, optimizer, inputs, labels, lambda: clip_grad_value_(model.parameters(), max_norm))


def step_clears_what_it_found(model, optimizer, inputs, labels, max_norm):
    return _step(model, optimizer, inputs, labels, optimizer.zero_grad)


def step_clips_the_weights(model, optimizer, inputs, labels, max_norm):
    loss = _step(model, optimizer, inputs, labels, lambda: None)
    with torch.no_grad():
        norm = torch.cat([p.flatten() for p in model.parameters()]).norm()
        for parameter in model.parameters():
            parameter.mul_((max_norm / norm).clamp(max=1.0))
    return loss


def step_tells_the_loss_after(model, optimizer, inputs, labels, max_norm):
    clipped_step(model, optimizer, inputs, labels, max_norm)
    return cross_entropy(model(inputs), labels).item()


clipped_step_exercise = Exercise(
    name="08.clipped_step",
    reference=clipped_step,
    cases=step_cases,
    drive=drive_step,
    compare=Close(rtol=1e-4, atol=1e-5),
    misconceptions=[
        Misconception(
            "nothing-is-clipped",
            step_clips_too_early,
            "Long gradients reach the step at full length: the planted bug. When do this batch's gradients exist, and when are they used?",
        ),
        Misconception(
            "never-cleared",
            step_never_clears,
            "The first step is right, the second is not: gradients of the first are still in it. Keep `zero_grad`.",
        ),
        Misconception(
            "each-alone",
            step_clips_each_alone,
            "You clipped every tensor by itself. One call with `model.parameters()` clips all of them together and keeps the direction.",
        ),
        Misconception(
            "values-not-norm", step_clips_values, "Single entries were cut off, which bends the direction. The norm is to be clipped."
        ),
        Misconception(
            "cleared-after-backward",
            step_clears_what_it_found,
            "The weights do not move at all: the gradients are cleared between `backward` and `step`.",
        ),
        Misconception(
            "weights-clipped", step_clips_the_weights, "The weights themselves were shortened. What is to be clipped is the gradient."
        ),
        Misconception(
            "loss-after-the-step",
            step_tells_the_loss_after,
            "The weights are right. The loss told is that of the step's own batch *before* the step, as it was.",
        ),
    ],
    hints=[
        "Print what `clip_grad_norm_` returns: it is the norm before clipping. Is 0 believable?",
        "`backward` makes the gradients, `step` uses them. Clipping belongs between the two.",
    ],
    points=2,
)
