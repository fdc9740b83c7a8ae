"""People write the same thing in other ways: what is right must pass, however it is written."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge


def leaky_by_two_halves(x, slope=0.01):
    return x.clamp(min=0) + slope * x.clamp(max=0), (x > 0) * (1.0 - slope) + slope


def leaky_by_autograd(x, slope=0.01):
    x = x.clone().requires_grad_()
    y = torch.maximum(x, slope * x) if slope < 1 else x * 1.0
    y = torch.where(x == 0, slope * x, y)  # at a tie maximum shares its slope between the two
    (slopes,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), slopes


def train_with_zero_grad_last(model, batches, optimizer, loss_of=cross_entropy):
    model.train()
    total, right, count = 0.0, 0.0, 0
    for x, y in batches:
        logits = model(x)
        loss = loss_of(logits, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        total += float(loss.detach()) * x.size(0)
        right += (logits.max(1).indices == y).float().sum().item()
        count += x.shape[0]
    return {"accuracy": right / count, "loss": total / count}


def train_with_lists(model, batches, optimizer, loss_of=cross_entropy):
    model.train(True)
    losses, hits = [], []
    for x, y in batches:
        model.zero_grad()
        logits = model(x)
        loss = loss_of(logits, y)
        loss.backward()
        optimizer.step()
        losses += [loss.item()] * len(y)
        hits += (logits.argmax(-1) == y).tolist()
    return {"loss": sum(losses) / len(losses), "accuracy": sum(hits) / len(hits)}


@torch.no_grad()
def evaluate_decorated(model, batches, loss_of=cross_entropy):
    mode = model.training
    model.eval()
    said = [(model(x), y) for x, y in batches]
    model.train(mode)
    logits, labels = (torch.cat(parts) for parts in zip(*said, strict=True))
    return {"loss": loss_of(logits, labels).item(), "accuracy": (logits.argmax(1) == labels).double().mean().item()}


def evaluate_in_inference_mode(model, batches, loss_of=cross_entropy):
    was = model.training
    model.train(False)
    total = right = count = 0
    with torch.inference_mode():
        for x, y in batches:
            logits = model(x)
            total += loss_of(logits, y) * len(y)
            right += (logits.argmax(1) == y).sum()
            count += len(y)
    if was:
        model.train()
    return {"loss": float(total / count), "accuracy": float(right / count)}


def overfit_zero_grad_first(model, inputs, labels, steps=100, lr=0.01):
    optimizer = torch.optim.Adam(model.parameters(), lr)
    model.train()
    found = []
    while len(found) < steps:
        optimizer.zero_grad(set_to_none=False)
        loss = nn.CrossEntropyLoss()(model(inputs), labels)
        found.append(loss.detach().tolist())
        loss.backward()
        optimizer.step()
    return found


class StoppingByCounting:
    def __init__(self, patience, min_delta=0.0):
        self.patience, self.min_delta, self.bad, self.epoch = patience, min_delta, 0, 0
        self.best, self.best_epoch, self.weights = float("-inf"), None, None

    def step(self, value, model):
        if value - self.min_delta > self.best:
            self.best, self.best_epoch, self.bad = value, self.epoch, 0
            self.weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            self.bad += 1
        self.epoch += 1
        return self.bad >= self.patience


class StoppingByHistory:
    def __init__(self, patience, min_delta=0.0):
        self.patience, self.min_delta, self.best, self.history = patience, min_delta, -float("inf"), []

    def step(self, value, model):
        self.history.append(value)
        if value > self.best + self.min_delta:
            self.best, self.best_epoch, self.weights = value, len(self.history) - 1, copy.deepcopy(model).state_dict()
        return len(self.history) - 1 - self.best_epoch >= self.patience


def step_by_log_softmax(model, inputs, labels, optimizer):
    model.train()
    logarithms = torch.log_softmax(model(inputs), dim=1)
    loss = -logarithms.gather(1, labels[:, None]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), logarithms.detach().exp().gather(1, labels[:, None])[:, 0]


RIGHT = {
    "05.leaky_relu": [leaky_by_two_halves, leaky_by_autograd],
    "05.train_epoch": [train_with_zero_grad_last, train_with_lists],
    "05.evaluate": [evaluate_decorated, evaluate_in_inference_mode],
    "05.overfit_one_batch": [overfit_zero_grad_first],
    "05.early_stopping": [StoppingByCounting, StoppingByHistory],
    "05.train_step": [step_by_log_softmax],
}


@pytest.mark.parametrize(("name", "answer"), [(name, answer) for name, answers in RIGHT.items() for answer in answers])
def test_it_passes(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.passed, verdict


def test_a_tensor_where_a_number_was_asked_for_is_said():
    def as_tensors(model, batches, loss_of=cross_entropy):
        return {name: torch.tensor(value) for name, value in evaluate_decorated(model, batches, loss_of).items()}

    assert "plain numbers came back" in judge(find("05.evaluate"), as_tensors).message


def test_borrowing_inside_an_answer_of_ones_own_is_seen():
    from coursekit.training import classifier

    def borrowed(model, batches, optimizer, loss_of=cross_entropy):
        return classifier.train_epoch(model, batches, optimizer, loss_of)

    def by_the_library(x, slope=0.01):
        return nn.functional.leaky_relu(x, slope), torch.where(x > 0, 1.0, slope)

    assert judge(find("05.train_epoch"), borrowed).status == "refused"
    assert judge(find("05.leaky_relu"), by_the_library).status == "refused"
