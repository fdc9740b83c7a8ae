"""Exercises of notebook 05_training_loop: an epoch of training, and what the others of this notebook share.

The network that an answer is tried on has three inputs and a dropout without dice, so that every number can be worked out by hand.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.training.classifier import train_epoch


class Tiny(nn.Module):
    """Three numbers in, K logits out. In train mode the last number is dropped and the others doubled, as dropout might do it.

    ``with_gradients`` notes for each call whether gradients were on.
    """

    def __init__(self, weight: Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())  # (K, 3)
        self.with_gradients = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.with_gradients.append(torch.is_grad_enabled())
        kept = inputs.new_tensor([2.0, 2.0, 0.0]) if self.training else 1.0
        return (inputs * kept) @ self.weight.T  # (N, K)


def twice(logits: Tensor, labels: Tensor) -> Tensor:
    """A loss that is not cross-entropy: twice of it."""
    return 2 * cross_entropy(logits, labels)


def holds_a_graph(said) -> bool:
    """Did a loss come back that still holds on to its graph, or a list or a dict of such?"""
    if isinstance(said, dict):
        said = list(said.values())
    if isinstance(said, (list, tuple)):
        return any(holds_a_graph(value) for value in said)
    return isinstance(said, Tensor) and said.requires_grad


def plain_numbers(said) -> bool:
    """Are all values of a dict or a list Python's own numbers? Tensors cannot go into a CSV file, and `round` does not know them."""
    values = said.values() if isinstance(said, dict) else said if isinstance(said, (list, tuple)) else [said]
    return all(isinstance(value, (int, float)) for value in values)


def of_sizes(*sizes: int) -> list[tuple[Tensor, Tensor]]:
    """Batches of these sizes with small whole numbers in them. The first batches fit the labels better than the last."""
    inputs = torch.tensor([[1, 0, 1], [0, 1, -1], [2, -1, 0], [1, 1, 2], [-1, 2, 1], [0, -2, 2], [2, 1, -1]], dtype=torch.float32)
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 1])
    ends = torch.tensor(sizes).cumsum(0).tolist()
    return [(inputs[end - size : end], labels[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def random_batches(generator, classes: int, *sizes: int) -> list[tuple[Tensor, Tensor]]:
    """Batches of random inputs and labels."""
    inputs = [torch.randn(size, 3, generator=generator) for size in sizes]
    return [(each, torch.randint(0, classes, (len(each),), generator=generator)) for each in inputs]


WEIGHT = torch.tensor([[1.0, -1.0, 0.5], [0.0, 1.0, -0.5]])

# --- train_epoch


def train_epoch_cases(generator):
    """(label, arguments) for train_epoch: one batch, equal ones, unequal ones, another loss; then random ones."""
    yield "one batch of two samples", (WEIGHT, of_sizes(2), 0.5, cross_entropy)
    yield "two batches of the same size", (WEIGHT, of_sizes(2, 2), 0.5, cross_entropy)
    yield "batches of 3, 3 and 1", (WEIGHT, of_sizes(3, 3, 1), 0.25, cross_entropy)
    yield "a loss of twice cross-entropy", (WEIGHT, of_sizes(2, 1), 0.5, twice)
    yield "a large step, that turns answers round", (torch.zeros(2, 3), of_sizes(2, 2, 2), 4.0, cross_entropy)
    for sizes in ((4, 4, 2), (5, 1)):
        yield "random, three classes", (torch.randn(3, 3, generator=generator), random_batches(generator, 3, *sizes), 0.3, cross_entropy)


def drive_train_epoch(answer, weight, batches, lr, loss_of):
    """Train Tiny for an epoch. It comes in eval mode, as an evaluation may have left it, and its batches can be had only once."""
    model = Tiny(weight).eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    said = answer(model, (pair for pair in batches), optimizer, loss_of)
    return {
        "returned": said,
        "weights afterwards": model.weight.detach(),
        "the loss holds on to its graph": holds_a_graph(said),
        "plain numbers came back": plain_numbers(said),
    }


def means(losses, right, sizes, by_size=("loss", "accuracy"), scale=1.0) -> dict:
    """Means over samples, or for what is not in ``by_size`` the mean of the batches' means."""
    parts = {"loss": losses, "accuracy": [scale * r / s for r, s in zip(right, sizes, strict=True)]}
    weights = {name: sizes if name in by_size else [1] * len(sizes) for name in parts}
    return {name: sum(v * w for v, w in zip(parts[name], weights[name], strict=True)) / sum(weights[name]) for name in parts}


def _train(
    model, batches, optimizer, loss_of, *, zero="before", awake=True, by_size=("loss", "accuracy"), again=False, graph=False, scale=1.0
):
    """The right epoch with one thing at a time to get wrong."""
    if awake:
        model.train()
    losses, right, sizes = [], [], []
    for inputs, labels in batches:
        logits = model(inputs)
        loss = loss_of(logits, labels)
        if zero == "before":
            optimizer.zero_grad()
        loss.backward()
        if zero == "between":
            optimizer.zero_grad()
        optimizer.step()
        if again:
            logits = model(inputs)
            loss = loss_of(logits, labels)
        losses.append(loss if graph else loss.item())
        right.append((logits.argmax(dim=1) == labels).sum().item())
        sizes.append(len(labels))
    return means(losses, right, sizes, by_size, scale)


def train_without_zero_grad(model, batches, optimizer, loss_of=cross_entropy):
    return _train(model, batches, optimizer, loss_of, zero="never")


def train_zero_grad_before_the_step(model, batches, optimizer, loss_of=cross_entropy):
    return _train(model, batches, optimizer, loss_of, zero="between")


def train_in_the_mode_it_came_in(model, batches, optimizer, loss_of=cross_entropy):
    return _train(model, batches, optimizer, loss_of, awake=False)


def train_loss_by_batches(model, batches, optimizer, loss_of=cross_entropy):
    return _train(model, batches, optimizer, loss_of, by_size=("accuracy",))


def train_mean_of_means(model, batches, optimizer, loss_of=cross_entropy):
    return _train(model, batches, optimizer, loss_of, by_size=())


def train_measured_after_the_step(model, batches, optimizer, loss_of=cross_entropy):
    return _train(model, batches, optimizer, loss_of, again=True)


def train_keeps_the_graph(model, batches, optimizer, loss_of=cross_entropy):
    return _train(model, batches, optimizer, loss_of, graph=True)


def train_with_cross_entropy_always(model, batches, optimizer, loss_of=cross_entropy):
    return _train(model, batches, optimizer, cross_entropy)


def train_accuracy_in_percent(model, batches, optimizer, loss_of=cross_entropy):
    return _train(model, batches, optimizer, loss_of, scale=100.0)


MEAN_OF_MEANS = (
    "You took the mean of the batches' means, so the one sample of a small last batch weighs as much as all of a full one. "
    "By how much must a batch's mean be multiplied before you add, and what do you divide by at the end?"
)

train_epoch_exercise = Exercise(
    name="05.train_epoch",
    reference=train_epoch,
    cases=train_epoch_cases,
    drive=drive_train_epoch,
    compare=Close(rtol=1e-4, atol=1e-6),
    misconceptions=[
        Misconception(
            "no-zero-grad",
            wrong=train_without_zero_grad,
            hint="The first batch is right, and from the second on the weights go astray: `backward` adds to the gradients that are there. "
            "Who clears those of the batch before?",
        ),
        Misconception(
            "weights-never-move",
            wrong=train_zero_grad_before_the_step,
            hint="The weights are the same after the epoch as before. Is there an `optimizer.step()`, and are there gradients left "
            "when it is called? `zero_grad` between `backward` and `step` wipes them.",
        ),
        Misconception(
            "not-in-train-mode",
            wrong=train_in_the_mode_it_came_in,
            hint="The model came in eval mode, as an evaluation leaves it, and was trained in it: its dropout slept. Which line wakes it?",
        ),
        Misconception("loss-divided-by-batches", wrong=train_loss_by_batches, hint=MEAN_OF_MEANS),
        Misconception("mean-of-means", wrong=train_mean_of_means, hint=MEAN_OF_MEANS),
        Misconception(
            "measured-after-the-step",
            wrong=train_measured_after_the_step,
            hint="You asked the model again after the step, so each batch was measured by weights that have just learned it. "
            "Use the logits and the loss of the forward pass; it also saves half of the time.",
        ),
        Misconception(
            "graph-kept",
            wrong=train_keeps_the_graph,
            hint="The numbers are right, but the loss is still a tensor that holds on to its graph: memory grows with every batch. "
            "`loss.item()` is a plain number.",
        ),
        Misconception(
            "own-loss",
            wrong=train_with_cross_entropy_always,
            hint="You computed cross-entropy, whatever loss was given. The caller's is in `loss_of`.",
        ),
        Misconception(
            "accuracy-in-percent",
            wrong=train_accuracy_in_percent,
            hint="Accuracy is a share from 0 to 1 here, not a percentage.",
        ),
    ],
    hints=[
        "For each batch five lines: logits, loss, zero_grad, backward, step. Then three lines of counting, with the logits you have.",
        "The loss of a batch is a mean. `loss.item() * len(labels)` is a sum, and sums of batches may be added.",
        "`right += (logits.argmax(dim=1) == labels).sum().item()` and `count += len(labels)`; at the end divide both by count.",
    ],
    points=4,
)
