"""Many small networks trained at once, one for each learning rate and each seed. Taught in notebook 03_optimisers.

    >>> runs = train_networks(sgd, rates=[0.01, 0.1, 1.0], train=(x, y), held_out=(x_val, y_val), steps=200)
    >>> runs.accuracy.mean(dim=1)       # of each rate, over the seeds

Every tensor of weights gets two axes in front, (rates, seeds), and broadcasting does the rest. The networks share no number, so the
gradient of the *sum* of their losses holds each network's own gradient. Thirty-three take five times as long as one, not thirty-three.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..data.labelled import Labelled
from .optimisers import update


@dataclass(frozen=True)
class Runs:
    """What came of R rates times S seeds.

    Args:
        rates: the R learning rates.
        curve: (steps, R, S) loss of each step's batch, before the step; on the CPU, as all that follows.
        loss: (R, S) mean loss on the held-out samples; inf where a network exploded.
        accuracy: (R, S) there, in 0..1.
        weights: of all networks, (R, S, ...) each, on the device where they were trained.
    """

    rates: tuple[float, ...]
    curve: Tensor
    loss: Tensor
    accuracy: Tensor
    weights: list[Tensor]

    @property
    def best(self) -> int:
        """Which rate has the lowest held-out loss, averaged over the seeds."""
        return int(self.loss.mean(dim=1).argmin())


def flat(data: Labelled, mean: float = 0.0, std: float = 1.0) -> tuple[Tensor, Tensor]:
    """Images as rows of numbers: ((N, C * H * W) float32, scaled to 0..1, minus mean, divided by std; (N,) labels)."""
    return (data.images.flatten(1).to(torch.float32) / 255 - mean) / std, data.labels


def start_weights(sizes: Sequence[int], seeds: Sequence[int]) -> list[Tensor]:
    """First weights of one network a seed: [matrix (S, in, out), bias (S, 1, out), matrix, bias, ...].

    Args:
        sizes: inputs, hidden layers, outputs: (64, 32, 10). Two numbers alone make a linear model.
        seeds: one network each; the same seed gives the same network, whatever the others are.

    Source: random numbers of spread ``sqrt(2 / inputs)``, He et al., arXiv 1502.01852; biases are 0.
    """
    networks = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        network = []
        for inputs, outputs in pairwise(sizes):
            network += [torch.randn(inputs, outputs, generator=generator) * (2 / inputs) ** 0.5, torch.zeros(1, outputs)]
        networks.append(network)
    return [torch.stack(same) for same in zip(*networks, strict=True)]


def logits_of(weights: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """Layers of matrix, bias and ReLU, no ReLU after the last.

    Args:
        weights: matrices (R, S, in, out) and biases (R, S, 1, out) in turn.
        inputs: (N, D), or (S, N, D) where every seed sees other samples.

    Returns:
        (R, S, N, K).
    """
    values = inputs
    for layer in range(0, len(weights), 2):
        values = values @ weights[layer] + weights[layer + 1]
        if layer + 2 < len(weights):
            values = values.relu()
    return values


def losses_of(weights: Sequence[Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of every network, (R, S). Labels are (N,), or (S, N)."""
    logged = logits_of(weights, inputs).log_softmax(dim=-1)  # (R, S, N, K)
    places = labels.expand(logged.shape[:-1])[..., None]
    return -logged.gather(-1, places)[..., 0].mean(dim=-1)


@torch.no_grad()
def evaluate_networks(weights: Sequence[Tensor], inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Loss (inf where it is no number) and accuracy of every network, (R, S) each, on the CPU."""
    loss = losses_of(weights, inputs, labels).nan_to_num(nan=torch.inf)
    accuracy = (logits_of(weights, inputs).argmax(dim=-1) == labels).float().mean(dim=-1)
    return loss.cpu(), accuracy.cpu()


def batch_places(samples: int, batch: int, steps: int, seed: int) -> Tensor:
    """(steps, batch) int64: which samples each step sees. Every epoch is shuffled anew, and its last batch left out unless it is full.

    A batch larger than the set is the whole set.
    """
    generator, batch = torch.Generator().manual_seed(seed), min(batch, samples)
    per_epoch = samples // batch
    epochs = -(-steps // per_epoch)
    orders = [torch.randperm(samples, generator=generator)[: per_epoch * batch].reshape(per_epoch, batch) for _ in range(epochs)]
    return torch.cat(orders)[:steps] if orders else torch.zeros(0, batch, dtype=torch.int64)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, and as before afterwards.

    Sums this small gain a quarter from a second thread on an idle machine, and take up to thirty times as long where other programs
    want the cores: threads wait for each other after every operation.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@one_thread()
def train_networks(
    step: Callable,
    rates: Sequence[float],
    train: tuple[Tensor, Tensor],
    held_out: tuple[Tensor, Tensor],
    steps: int,
    batch: int = 64,
    seeds: Sequence[int] = (0, 1, 2),
    hidden: Sequence[int] = (32,),
    state: Any = 0.0,
    schedule: Callable[[int], float] = lambda number: 1.0,
) -> Runs:
    """Train a network for each rate and each seed, all at once, where the samples lie.

    A seed stands for first weights and an order of batches; every rate, and every other call, gets the same ones. Uses one thread.

    Args:
        step: called as ``step(weights, gradient, state, lr)``, see `coursekit.training.optimisers`; lr is a tensor (R, 1, 1, 1).
        rates: learning rates.
        train: inputs (N, D) float32 and labels (N,) int64. held_out: likewise, to measure on afterwards.
        steps: how many; one for each batch.
        batch: samples in each; at most all of them.
        hidden: sizes of the layers between; none makes a linear model.
        state: what the optimiser remembers at first: 0.0, or (0.0, 0.0, 0) for Adam.
        schedule: of the step's number from 0, gives a factor on the rate.

    Raises:
        ValueError: if batch or the number of rates or seeds is below 1.
    """
    if batch < 1 or len(rates) < 1 or len(seeds) < 1:
        raise ValueError(f"batch, rates and seeds must be at least 1, got {batch}, {len(rates)} and {len(seeds)}")
    inputs, labels = train
    classes = int(max(labels.max(), held_out[1].max())) + 1
    lr = torch.tensor([float(rate) for rate in rates], device=inputs.device).reshape(-1, 1, 1, 1)  # (R, 1, 1, 1)
    first = start_weights((inputs.shape[1], *hidden, classes), seeds)
    weights = [w.to(inputs.device).repeat(len(rates), 1, 1, 1) for w in first]  # (R, S, in, out)
    states = [state] * len(weights)
    places = torch.stack([batch_places(len(labels), batch, steps, seed) for seed in seeds]).to(inputs.device)  # (S, steps, B)
    curve = []
    for number in range(steps):
        here = places[:, number]  # (S, B)
        leaves = [w.requires_grad_() for w in weights]
        losses = losses_of(leaves, inputs[here], labels[here])
        gradients = torch.autograd.grad(losses.sum(), leaves)
        weights, states = update(leaves, gradients, states, step, lr * schedule(number))
        curve.append(losses.detach())
    loss, accuracy = evaluate_networks(weights, *held_out)
    curve = torch.stack(curve).cpu() if curve else torch.zeros(0, len(rates), len(seeds))
    return Runs(tuple(float(rate) for rate in rates), curve, loss, accuracy, weights)
