"""Training a classifier: the loop that a learner writes in notebook 05_training_loop, and that notebooks 07 to 12 use.

    >>> model = nn.Sequential(Pixels(0.5, 0.25), nn.Flatten(), nn.Linear(64, 10))
    >>> history = fit_classifier(model, train, val, epochs=5, lr=0.01)
    >>> history[-1]["val/accuracy"]

`loop.py` beside it is the same loop grown up: averages of the weights, resuming, several processes.
"""

import copy
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..data.labelled import Labelled
from .schedule import warmup_cosine

WARMUP = 20  # steps, or the first epoch where that is shorter


def batches(data: Labelled, batch: int, generator: torch.Generator | None = None, device="cpu") -> Iterator[tuple[Tensor, Tensor]]:
    """Once through the data: (images (B, C, H, W) uint8, labels (B,)), in random order where a generator is given; the last may be smaller.

    Raises:
        ValueError: if batch is below 1; at once, not at the first batch.
    """
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    order = torch.arange(len(data)) if generator is None else torch.randperm(len(data), generator=generator)
    return ((data.images[places].to(device), data.labels[places].to(device)) for places in order.split(batch) if len(places))


def train_epoch(model: nn.Module, batches: Iterable, optimizer: torch.optim.Optimizer, loss_of: Callable = cross_entropy) -> dict:
    """Once through the batches, a step of the optimiser for each.

    Args:
        batches: of (inputs, labels), on the model's device.
        loss_of: of (logits (B, K), labels (B,)), gives the mean over the batch.

    Returns:
        ``loss`` and ``accuracy``, means over all samples, of each batch as it was before its own step.

    Raises:
        ValueError: if there is no batch.
    """
    model.train()
    loss_sum, right, count = 0.0, 0, 0
    for inputs, labels in batches:
        logits = model(inputs)  # forward
        loss = loss_of(logits, labels)
        optimizer.zero_grad()  # gradients add up where nobody clears them
        loss.backward()
        optimizer.step()
        loss_sum += float(loss.detach()) * len(labels)
        right += int((logits.argmax(dim=1) == labels).sum())
        count += len(labels)
    return _means(loss_sum, right, count)


@torch.no_grad()
def evaluate(model: nn.Module, batches: Iterable, loss_of: Callable = cross_entropy) -> dict:
    """``loss`` and ``accuracy`` over all samples, in eval mode and without gradients; the model's mode is as before afterwards.

    Args:
        batches, loss_of: as for `train_epoch`.

    Raises:
        ValueError: if there is no batch.
    """
    was_training = model.training
    model.eval()
    loss_sum, right, count = 0.0, 0, 0
    for inputs, labels in batches:
        logits = model(inputs)
        loss_sum += float(loss_of(logits, labels)) * len(labels)
        right += int((logits.argmax(dim=1) == labels).sum())
        count += len(labels)
    model.train(was_training)
    return _means(loss_sum, right, count)


def _means(loss_sum: float, right: int, count: int) -> dict:
    if count == 0:
        raise ValueError("batches must hold at least one sample, got none (an iterator that was used up already?)")
    return {"loss": loss_sum / count, "accuracy": right / count}


@torch.no_grad()
def predict_all(model: nn.Module, images: Tensor, batch: int = 256) -> Tensor:
    """(N, K) logits of many images on the CPU, a batch at a time, in eval mode; the model's mode is as before afterwards.

    Args:
        images: (N, C, H, W), wherever they lie; each batch is taken to the model's device.

    Raises:
        ValueError: if batch is below 1, or there is no image.
    """
    if batch < 1 or not len(images):
        raise ValueError(f"batch must be at least 1 and images must hold at least one, got {batch} and {len(images)}")
    where = next(iter(model.state_dict().values()), images)  # a parameter or a buffer
    was_training = model.training
    model.eval()
    logits = torch.cat([model(part.to(where.device)).cpu() for part in images.split(batch)])
    model.train(was_training)
    return logits


class EarlyStopping:
    """Stop when a number has not become better for ``patience`` epochs, and keep the weights of the best one.

    Args:
        patience: epochs without a new best after which `step` says stop; at least 1.
        min_delta: by how much a number must be larger than the best so far to count as better; NaN never does.

    ``step(value, model)`` after each epoch, larger values being better, gives True when it is time to stop. ``best`` is the best value,
    ``best_epoch`` its 0-based epoch, ``weights`` a copy of the model's state at that epoch.
    """

    def __init__(self, patience: int, min_delta: float = 0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.best_epoch, self.epoch, self.weights = -float("inf"), -1, -1, None

    def step(self, value: float, model: nn.Module | None = None) -> bool:
        """After an epoch: its value, and the model whose weights are to be kept if it is the best. True: stop."""
        self.epoch += 1
        if value > self.best + self.min_delta:
            self.best, self.best_epoch = value, self.epoch
            self.weights = copy.deepcopy(model.state_dict()) if model is not None else None
        return self.epoch - self.best_epoch >= self.patience


def overfit_one_batch(model: nn.Module, inputs: Tensor, labels: Tensor, steps: int = 100, lr: float = 0.01) -> list[float]:
    """The losses of training on one batch over and over; a network and a loop that work bring them near 0.

    The model is trained in place, by Adam. Do it before the real training: what cannot learn ten images by heart has a bug.

    Returns:
        ``steps`` numbers, each the loss before its step.
    """
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def fit_classifier(
    model: nn.Module,
    train: Labelled,
    val: Labelled | None = None,
    epochs: int = 10,
    lr: float = 0.01,
    batch: int = 64,
    optimizer: torch.optim.Optimizer | None = None,
    augment: Callable[[Tensor], Tensor] | None = None,
    loss_of: Callable = cross_entropy,
    stopping: EarlyStopping | None = None,
    seed: int = 0,
    told: Callable[[dict], None] = lambda row: None,
) -> list[dict]:
    """Train a classifier with warm-up and a cosine, and measure it after each epoch. It trains where its parameters lie.

    Args:
        lr: the highest rate, for AdamW; ignored where an ``optimizer`` is given, whose groups' own rates are the highest
            (they are put back at the end).
        augment: of a batch of uint8 images, gives such a batch; for training alone.
        stopping: asked after each epoch with ``val/accuracy``; the best weights are put back at the end.
        seed: of the order of the batches. Weights and augmentation have generators of their own.
        told: called with each row.

    Returns:
        A row an epoch: epoch (0-based), lr (of its last step, of the first group), train/loss, train/accuracy, and val/loss,
        val/accuracy where there is a val.

    Raises:
        ValueError: for stopping without val, epochs below 0, batch below 1, or an empty train.
    """
    if stopping is not None and val is None:
        raise ValueError("stopping needs val, whose accuracy it is asked with; got val=None")
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    if epochs < 0 or not len(train):
        raise ValueError(f"epochs must be at least 0 and train must hold an image, got {epochs} and {len(train)}")
    device = next(model.parameters()).device
    optimizer = optimizer or torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-4)
    highest = [group["lr"] for group in optimizer.param_groups]
    per_epoch = -(-len(train) // batch)
    generator, rows, step = torch.Generator().manual_seed(seed), [], 0

    def set_rates(factor: float) -> None:
        for group, rate in zip(optimizer.param_groups, highest, strict=True):
            group["lr"] = rate * factor

    def prepared() -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of one epoch, each with the learning rate of its step set and its images augmented."""
        nonlocal step
        for images, labels in batches(train, batch, generator, device):
            set_rates(warmup_cosine(step, epochs * per_epoch, min(per_epoch, WARMUP)))
            step += 1
            yield (augment(images) if augment else images), labels

    for epoch in range(epochs):
        trained = train_epoch(model, prepared(), optimizer, loss_of)
        row = {"epoch": epoch, "lr": optimizer.param_groups[0]["lr"]} | {f"train/{name}": value for name, value in trained.items()}
        if val is not None:
            row |= {f"val/{name}": value for name, value in evaluate(model, batches(val, 256, device=device), loss_of).items()}
        rows.append(row)
        told(row)
        if stopping is not None and stopping.step(row["val/accuracy"], model):
            break
    set_rates(1.0)
    if stopping is not None and stopping.weights is not None:
        model.load_state_dict(stopping.weights)
    return rows
