"""The planted bug of notebook 05_training_loop: probabilities where the loss expects logits."""

import torch
from torch.nn.functional import cross_entropy, nll_loss

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n05_training_loop import WEIGHT, Tiny, of_sizes, random_batches


def train_step(model, inputs, labels, optimizer):
    """One step on one batch -> its loss before the step, and (B,) how sure the model was of each right label, from 0 to 1."""
    model.train()
    logits = model(inputs)
    loss = cross_entropy(logits, labels)
    scores = logits.softmax(dim=1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), scores.detach()[torch.arange(len(labels)), labels]


def train_step_cases(generator):
    """(label, arguments) for train_step: sure and right, sure and wrong, knowing nothing, more samples than classes and fewer."""
    inputs, labels = of_sizes(3)[0]
    yield "three samples, two classes", (WEIGHT, inputs, labels, 0.5)
    yield "logits that are all equal", (torch.zeros(2, 3), inputs, labels, 1.0)
    yield "very sure and right", (torch.tensor([[6.0, 0, 0], [0, 6.0, 0]]), torch.eye(3)[:2], torch.tensor([0, 1]), 0.5)
    yield "very sure and wrong", (torch.tensor([[6.0, 0, 0], [0, 6.0, 0]]), torch.eye(3)[:2], torch.tensor([1, 0]), 0.5)
    yield "one sample", (WEIGHT, inputs[:1], labels[:1], 0.5)
    for count in (6, 2):
        inputs, labels = random_batches(generator, 4, count)[0]
        yield "random, four classes", (torch.randn(4, 3, generator=generator), inputs, labels, 0.3)


def drive_train_step(answer, weight, inputs, labels, lr):
    """One step of Tiny, which comes in eval mode."""
    model = Tiny(weight).eval()
    said = answer(model, inputs, labels, torch.optim.SGD(model.parameters(), lr=lr))
    return {"returned": said, "weights afterwards": model.weight.detach()}


def _step(model, inputs, labels, optimizer, loss_from=None, scores_from=None):
    """The right step with another loss or other scores."""
    model.train()
    logits = model(inputs)
    loss = loss_from(logits) if loss_from else cross_entropy(logits, labels)
    scores = scores_from(logits) if scores_from else logits.softmax(dim=1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), scores.detach()[torch.arange(len(labels)), labels]


def step_softmax_twice(model, inputs, labels, optimizer):
    return _step(model, inputs, labels, optimizer, loss_from=lambda z: cross_entropy(z.softmax(dim=1), labels))


def step_no_softmax_at_all(model, inputs, labels, optimizer):
    return _step(model, inputs, labels, optimizer, scores_from=lambda z: z)


def step_without_logarithm(model, inputs, labels, optimizer):
    return _step(model, inputs, labels, optimizer, loss_from=lambda z: nll_loss(z.softmax(dim=1), labels))


def step_softmax_over_the_batch(model, inputs, labels, optimizer):
    return _step(model, inputs, labels, optimizer, scores_from=lambda z: z.softmax(dim=0))


def step_sure_of_its_own_answer(model, inputs, labels, optimizer):
    best = []
    loss, _ = _step(model, inputs, labels, optimizer, scores_from=lambda z: best.append(z.softmax(dim=1).max(dim=1).values) or z)
    return loss, best[0].detach()


def step_log_probabilities(model, inputs, labels, optimizer):
    return _step(model, inputs, labels, optimizer, scores_from=lambda z: z.log_softmax(dim=1))


train_step_exercise = Exercise(
    name="05.train_step",
    reference=train_step,
    cases=train_step_cases,
    drive=drive_train_step,
    compare=Close(rtol=1e-4, atol=1e-6),
    misconceptions=[
        Misconception(
            "softmax-twice",
            wrong=step_softmax_twice,
            hint="That is the planted bug. `cross_entropy` takes the softmax itself. What does it get here, and what does it want?",
        ),
        Misconception(
            "no-softmax-at-all",
            wrong=step_no_softmax_at_all,
            hint="The loss and the step are right now. What comes back as sureness are logits: below 0, above 1. "
            "The softmax is still needed, only not in the loss.",
        ),
        Misconception(
            "no-logarithm",
            wrong=step_without_logarithm,
            hint="Your loss is negative. `nll_loss` wants logarithms of probabilities; `cross_entropy` wants logits and does it all.",
        ),
        Misconception(
            "softmax-over-the-batch",
            wrong=step_softmax_over_the_batch,
            hint="Your scores add up to 1 over the images. They should add up to 1 over the classes of each image: which axis is that?",
        ),
        Misconception(
            "sure-of-its-own-answer",
            wrong=step_sure_of_its_own_answer,
            hint="You return how sure the model is of the class that it likes best. Asked is the score of the right label.",
        ),
        Misconception(
            "logarithms-returned",
            wrong=step_log_probabilities,
            hint="What comes back as sureness is below 0: it is a logarithm. Return the probability itself.",
        ),
    ],
    hints=[
        "Work the floor of her loss out: a network that is perfectly sure and right has the probabilities (1, 0, ..., 0). "
        "Treat these as logits and compute their cross-entropy.",
        "Two names for two things: logits go into the loss, probabilities go to the caller.",
    ],
    points=2,
)
