"""Exercises of notebook 05_training_loop: measuring a network, and overfitting one batch."""

import torch
from torch.nn.functional import cross_entropy

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n05_training_loop import (
    MEAN_OF_MEANS,
    WEIGHT,
    Tiny,
    holds_a_graph,
    means,
    of_sizes,
    plain_numbers,
    random_batches,
    twice,
)
from coursekit.training.classifier import evaluate, overfit_one_batch, predict_all

# --- evaluate


def evaluate_cases(generator):
    """(label, arguments) for evaluate: both modes in which a model may come, equal and unequal batches, another loss."""
    yield "one batch, a model in eval mode", (WEIGHT, of_sizes(3), False, cross_entropy)
    yield "one batch, a model in train mode", (WEIGHT, of_sizes(3), True, cross_entropy)
    yield "batches of 3, 3 and 1", (WEIGHT, of_sizes(3, 3, 1), False, cross_entropy)
    yield "a loss of twice cross-entropy", (WEIGHT, of_sizes(2, 2), True, twice)
    yield "logits that are all equal", (torch.zeros(2, 3), of_sizes(2, 2), False, cross_entropy)
    for sizes in ((4, 4, 2), (1, 5)):
        weight = torch.randn(3, 3, generator=generator)
        yield "random, three classes", (weight, random_batches(generator, 3, *sizes), sizes[0] == 4, cross_entropy)


def drive_evaluate(answer, weight, batches, training, loss_of):
    """Measure Tiny, and look at what became of it."""
    model = Tiny(weight).train(training)
    said = answer(model, (pair for pair in batches), loss_of)
    return {
        "returned": said,
        "in train mode afterwards": model.training,
        "gradients were switched on": any(model.with_gradients),
        "weights afterwards": model.weight.detach(),
        "plain numbers came back": plain_numbers(said),
    }


def _evaluate(model, batches, loss_of, *, sleep=True, gradients=False, afterwards="as before", by_size=("loss", "accuracy"), last=False):
    """The right measurement with one thing at a time to get wrong."""
    mode = model.training
    if sleep:
        model.eval()
    losses, right, sizes = [], [], []
    with torch.set_grad_enabled(gradients):
        for inputs, labels in batches:
            logits = model(inputs)
            losses.append(loss_of(logits, labels).item())
            right.append((logits.argmax(dim=1) == labels).sum().item())
            sizes.append(len(labels))
    if sleep and afterwards != "asleep":
        model.train(mode if afterwards == "as before" else True)
    if last:
        return {"loss": losses[-1], "accuracy": right[-1] / sizes[-1]}
    return means(losses, right, sizes, by_size)


def evaluate_in_train_mode(model, batches, loss_of=cross_entropy):
    return _evaluate(model, batches, loss_of, sleep=False)


def evaluate_with_gradients(model, batches, loss_of=cross_entropy):
    return _evaluate(model, batches, loss_of, gradients=True)


def evaluate_left_asleep(model, batches, loss_of=cross_entropy):
    return _evaluate(model, batches, loss_of, afterwards="asleep")


def evaluate_always_awake_after(model, batches, loss_of=cross_entropy):
    return _evaluate(model, batches, loss_of, afterwards="awake")


def evaluate_loss_by_batches(model, batches, loss_of=cross_entropy):
    return _evaluate(model, batches, loss_of, by_size=("accuracy",))


def evaluate_mean_of_means(model, batches, loss_of=cross_entropy):
    return _evaluate(model, batches, loss_of, by_size=())


def evaluate_last_batch(model, batches, loss_of=cross_entropy):
    return _evaluate(model, batches, loss_of, last=True)


def evaluate_with_cross_entropy_always(model, batches, loss_of=cross_entropy):
    return _evaluate(model, batches, cross_entropy)


evaluate_exercise = Exercise(
    name="05.evaluate",
    reference=evaluate,
    cases=evaluate_cases,
    drive=drive_evaluate,
    compare=Close(rtol=1e-4, atol=1e-6),
    misconceptions=[
        Misconception(
            "in-train-mode",
            wrong=evaluate_in_train_mode,
            hint="A model in train mode was measured in train mode, with its dropout at work. Which line puts it to sleep first?",
        ),
        Misconception(
            "gradients-on",
            wrong=evaluate_with_gradients,
            hint="The numbers are right, but torch kept a graph for gradients that nobody will ask for: time and memory for nothing. "
            "What goes around the loop, or above the function?",
        ),
        Misconception(
            "left-in-eval-mode",
            wrong=evaluate_left_asleep,
            hint="The model came in train mode and went away in eval mode. Note `model.training` first, and put it back at the end.",
        ),
        Misconception(
            "always-train-afterwards",
            wrong=evaluate_always_awake_after,
            hint="The model came in eval mode and went away in train mode: whoever uses it next gets dropout. "
            "Put back the mode in which it came: `model.train(...)` takes True or False.",
        ),
        Misconception("loss-divided-by-batches", wrong=evaluate_loss_by_batches, hint=MEAN_OF_MEANS),
        Misconception("mean-of-means", wrong=evaluate_mean_of_means, hint=MEAN_OF_MEANS),
        Misconception(
            "last-batch-only",
            wrong=evaluate_last_batch,
            hint="What came back describes the last batch alone. Are you adding up, or overwriting?",
        ),
        Misconception(
            "own-loss",
            wrong=evaluate_with_cross_entropy_always,
            hint="You computed cross-entropy, whatever loss was given. The caller's is in `loss_of`.",
        ),
    ],
    hints=[
        "train_epoch without zero_grad, backward and step, and with three things more: eval mode, no gradients, the old mode put back.",
        "`was_training = model.training`, `model.eval()`, then the loop inside `with torch.no_grad():`, then `model.train(was_training)`.",
    ],
    points=3,
    twins=(predict_all,),
)

# --- overfit_one_batch


def overfit_cases(generator):
    """(label, arguments) for overfit_one_batch: no step, one, two (where a forgotten gradient shows), many, another rate."""
    inputs, labels = of_sizes(3)[0]
    yield "no step at all", (WEIGHT, inputs, labels, 0, 0.1)
    yield "one step", (WEIGHT, inputs, labels, 1, 0.1)
    yield "two steps", (WEIGHT, inputs, labels, 2, 0.1)
    yield "twenty steps", (WEIGHT, inputs, labels, 20, 0.1)
    yield "a small rate", (WEIGHT, inputs, labels, 3, 0.001)
    for _ in range(2):
        inputs, labels = random_batches(generator, 3, 5)[0]
        yield "random, three classes", (torch.randn(3, 3, generator=generator), inputs, labels, 8, 0.05)


def drive_overfit(answer, weight, inputs, labels, steps, lr):
    """Let Tiny, which comes in eval mode, learn one batch by heart."""
    model = Tiny(weight).eval()
    losses = answer(model, inputs, labels, steps, lr)
    return {
        "losses": losses,
        "weights afterwards": model.weight.detach(),
        "losses hold on to their graphs": holds_a_graph(losses),
        "plain numbers came back": plain_numbers(losses),
    }


def _overfit(model, inputs, labels, steps, lr, *, awake=True, kind=torch.optim.Adam, fresh=False, zero=True, after=False, graph=False):
    """Learning one batch by heart, with one thing at a time to get wrong."""
    if awake:
        model.train()
    optimizer, losses = kind(model.parameters(), lr=lr), []
    for _ in range(steps):
        if fresh:
            optimizer = kind(model.parameters(), lr=lr)
        loss = cross_entropy(model(inputs), labels)
        if zero:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if after:
            loss = cross_entropy(model(inputs), labels)
        losses.append(loss if graph else loss.item())
    return losses


def overfit_with_sgd(model, inputs, labels, steps=100, lr=0.01):
    return _overfit(model, inputs, labels, steps, lr, kind=torch.optim.SGD)


def overfit_with_a_new_optimiser_each_step(model, inputs, labels, steps=100, lr=0.01):
    return _overfit(model, inputs, labels, steps, lr, fresh=True)


def overfit_without_zero_grad(model, inputs, labels, steps=100, lr=0.01):
    return _overfit(model, inputs, labels, steps, lr, zero=False)


def overfit_asleep(model, inputs, labels, steps=100, lr=0.01):
    return _overfit(model, inputs, labels, steps, lr, awake=False)


def overfit_measured_after(model, inputs, labels, steps=100, lr=0.01):
    return _overfit(model, inputs, labels, steps, lr, after=True)


def overfit_keeps_the_graph(model, inputs, labels, steps=100, lr=0.01):
    return _overfit(model, inputs, labels, steps, lr, graph=True)


def overfit_gives_the_last_loss(model, inputs, labels, steps=100, lr=0.01):
    losses = _overfit(model, inputs, labels, steps, lr)
    return losses[-1] if losses else 0.0


overfit_exercise = Exercise(
    name="05.overfit_one_batch",
    reference=overfit_one_batch,
    cases=overfit_cases,
    drive=drive_overfit,
    compare=Close(rtol=1e-4, atol=1e-6),
    misconceptions=[
        Misconception(
            "sgd",
            wrong=overfit_with_sgd,
            hint="The first loss is right, and then the steps are of another length: this is plain SGD. The task says `torch.optim.Adam`.",
        ),
        Misconception(
            "new-optimiser-each-step",
            wrong=overfit_with_a_new_optimiser_each_step,
            hint="Adam's first step is right and every later one is a first step again: its running means are lost. "
            "How often may an optimiser be made?",
        ),
        Misconception(
            "no-zero-grad",
            wrong=overfit_without_zero_grad,
            hint="The first step is right. The second one goes by the sum of two gradients: who cleared the first?",
        ),
        Misconception(
            "not-in-train-mode",
            wrong=overfit_asleep,
            hint="The model came in eval mode and was trained in it. Training begins with `model.train()`.",
        ),
        Misconception(
            "measured-after-the-step",
            wrong=overfit_measured_after,
            hint="Each number is the loss after its step; wanted is the one before, which the step was made from. It costs nothing more.",
        ),
        Misconception(
            "graph-kept",
            wrong=overfit_keeps_the_graph,
            hint="The numbers are right, but each is a tensor that holds on to its graph. `loss.item()` is a plain number.",
        ),
        Misconception(
            "last-loss-only",
            wrong=overfit_gives_the_last_loss,
            hint="One number came back. Wanted is a list with the loss of every step: its shape over time is what one looks at.",
        ),
    ],
    hints=[
        "It is the inside of train_epoch, `steps` times, with the same batch each time and the losses in a list.",
        "`model.train()` and `torch.optim.Adam(model.parameters(), lr=lr)` once, before the loop.",
    ],
    points=2,
)
