import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from coursekit.data.labelled import Labelled
from coursekit.models.mlp import MLP
from coursekit.training.classifier import (
    EarlyStopping,
    batches,
    evaluate,
    fit_classifier,
    overfit_one_batch,
    predict_all,
    train_epoch,
)
from coursekit.training.schedule import warmup_cosine


def some(count, classes=3, seed=0):
    """Images of 2x2 whose brightest pixel is their label, so that they can be learned."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (count,), generator=generator)
    images = torch.randint(0, 120, (count, 1, 2, 2), generator=generator, dtype=torch.uint8)
    images.flatten(1)[torch.arange(count), labels] = 250
    return Labelled(images, labels, tuple("abc"[:classes]))


class Net(nn.Module):
    """Four pixels, three classes, dropout and batch normalisation: all that behaves differently in train mode."""

    def __init__(self, dropout=0.5):
        super().__init__()
        self.normal, self.drop, self.linear = nn.BatchNorm1d(4), nn.Dropout(dropout), nn.Linear(4, 3)

    def forward(self, images):
        return self.linear(self.drop(self.normal(images.flatten(1).float() / 255)))


# --- batches


@settings(deadline=None)  # the first call sets up much
@given(st.integers(0, 20), st.integers(1, 7), st.booleans())
def test_batches_hold_every_image_once(count, batch, shuffled):
    data = some(count)
    found = list(batches(data, batch, torch.Generator().manual_seed(1) if shuffled else None))
    assert [len(labels) for _, labels in found] == [batch] * (count // batch) + [count % batch] * (count % batch > 0)
    if not count:
        return
    images, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    rows = sorted([*image.flatten().tolist(), label] for image, label in zip(images, labels.tolist(), strict=True))
    assert rows == sorted([*image.flatten().tolist(), label] for image, label in zip(data.images, data.labels.tolist(), strict=True))
    assert shuffled or torch.equal(labels, data.labels)


def test_the_order_is_the_generators():
    data, generator = some(30), torch.Generator().manual_seed(4)
    first, second = (torch.cat([labels for _, labels in batches(data, 8, generator)]) for _ in range(2))
    again = torch.cat([labels for _, labels in batches(data, 8, torch.Generator().manual_seed(4))])
    assert torch.equal(first, again)
    assert not torch.equal(first, second)  # another order in each epoch


def test_a_batch_of_nothing_is_refused_at_once():
    with pytest.raises(ValueError, match="batch must be at least 1, got 0"):
        batches(some(3), 0)


# --- train_epoch and evaluate


def test_an_epoch_by_hand_on_one_weight_a_class():
    """Two batches of one sample; logits (w0, w1) * x; every number worked out on paper."""
    model = nn.Linear(1, 2, bias=False)
    model.weight.data = torch.zeros(2, 1)
    given_batches = [(torch.tensor([[1.0]]), torch.tensor([0])), (torch.tensor([[1.0]]), torch.tensor([0]))]
    found = train_epoch(model, given_batches, torch.optim.SGD(model.parameters(), lr=1.0))
    # probabilities 1/2, 1/2: gradient (-1/2, 1/2), so the weights become (1/2, -1/2); then p0 = 1 / (1 + e^-1)
    p0 = 1 / (1 + math.exp(-1))
    assert found["loss"] == pytest.approx((math.log(2) - math.log(p0)) / 2)
    assert found["accuracy"] == 1.0  # a tie goes to the first class
    torch.testing.assert_close(model.weight.detach(), torch.tensor([[1.5 - p0], [-1.5 + p0]]))


def test_a_small_last_batch_counts_by_its_size():
    data, model = some(5), Net(dropout=0.0).eval()
    whole = evaluate(model, batches(data, 5))
    for batch in (1, 2, 3, 4):
        assert evaluate(model, batches(data, batch))["loss"] == pytest.approx(whole["loss"], rel=1e-5)
        assert evaluate(model, batches(data, batch))["accuracy"] == pytest.approx(whole["accuracy"])
    assert whole["loss"] == pytest.approx(cross_entropy(model(data.images), data.labels).item(), rel=1e-5)


def test_the_mean_over_an_epoch_counts_a_small_last_batch_by_its_size():
    model, data = Net(dropout=0.0), some(7)
    frozen = torch.optim.SGD(model.parameters(), lr=0.0)  # nothing moves, so that the mean can be had at once
    model.normal = nn.Identity()
    found = train_epoch(model, batches(data, 3), frozen)
    assert found == pytest.approx(evaluate(model, batches(data, 7)), rel=1e-5)


def test_a_gradient_is_of_its_own_batch_only():
    model, data = MLP([4, 3]), some(8)
    twin = copy.deepcopy(model)
    as_float = [(images.float() / 255, labels) for images, labels in batches(data, 4)]
    assert len(as_float) == 2
    train_epoch(model, as_float, torch.optim.SGD(model.parameters(), lr=0.1))
    for images, labels in as_float:
        optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
        gradients = torch.autograd.grad(cross_entropy(twin(images), labels), list(twin.parameters()))
        for weight, gradient in zip(twin.parameters(), gradients, strict=True):
            weight.grad = gradient
        optimizer.step()
    for ours, by_hand in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, by_hand)


@pytest.mark.parametrize("training", [True, False])
def test_evaluating_changes_nothing(training):
    model, data = Net().train(training), some(9)
    before = copy.deepcopy(model.state_dict())
    first, again = (evaluate(model, batches(data, 4)) for _ in range(2))
    assert first == again  # dropout sleeps
    assert model.training is training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())


def test_train_mode_is_switched_on_and_no_graph_is_kept():
    model = Net().eval()
    found = train_epoch(model, batches(some(8), 4), torch.optim.SGD(model.parameters(), lr=0.1))
    assert model.training
    assert model.normal.num_batches_tracked == 2
    assert type(found["loss"]) is float


def test_another_loss_can_be_given():
    model, data = MLP([4, 3]), some(6)
    pairs = [(data.images.float() / 255, data.labels)]
    assert evaluate(model, pairs, lambda logits, labels: 2 * cross_entropy(logits, labels))["loss"] == pytest.approx(
        2 * evaluate(model, pairs)["loss"]
    )


@pytest.mark.parametrize("use", [lambda m: evaluate(m, []), lambda m: train_epoch(m, iter([]), torch.optim.SGD(m.parameters(), 0.1))])
def test_no_batch_at_all_is_said(use):
    with pytest.raises(ValueError, match="batches must hold at least one sample, got none"):
        use(Net())


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_predictions_in_batches_equal_those_of_one(batch):
    model, data = Net(), some(9)
    single = torch.cat([model.eval()(image[None]) for image in data.images]).detach()
    model.train()
    torch.testing.assert_close(predict_all(model, data.images, batch), single)
    assert model.training


@pytest.mark.parametrize(("images", "batch"), [(torch.zeros(0, 1, 2, 2), 4), (torch.zeros(2, 1, 2, 2), 0)])
def test_predictions_of_nothing_are_refused(images, batch):
    with pytest.raises(ValueError, match="batch must be at least 1 and images must hold at least one"):
        predict_all(Net(), images, batch)


# --- early stopping


@pytest.mark.parametrize(
    ("patience", "min_delta", "values", "stops_at", "best_epoch"),
    [
        (1, 0.0, [0.5, 0.5], 1, 0),
        (2, 0.0, [0.5, 0.4, 0.6, 0.5, 0.5], 4, 2),
        (2, 0.0, [0.1, 0.2, 0.3, 0.4], None, 3),
        (2, 0.1, [0.5, 0.55, 0.59], 2, 0),
        (2, 0.1, [0.5, 0.55, 0.75], None, 2),
        (1, 0.0, [float("nan")], 0, -1),
        (2, 0.0, [-3.0, -2.0, float("nan"), float("nan")], 3, 1),
    ],
    ids=["equal is not better", "counts again", "always better", "too little", "slow, then enough", "nan at once", "negative and nan"],
)
def test_early_stopping_by_hand(patience, min_delta, values, stops_at, best_epoch):
    stopping, model = EarlyStopping(patience, min_delta), nn.Linear(1, 1)
    said = []
    for epoch, value in enumerate(values):
        model.weight.data.fill_(float(epoch))
        said.append(stopping.step(value, model))
    assert said == [epoch == stops_at for epoch in range(len(values))]
    assert stopping.best_epoch == best_epoch
    if best_epoch >= 0:
        assert stopping.best == values[best_epoch]
        assert stopping.weights["weight"].item() == best_epoch  # a copy: later epochs did not change it


@given(st.lists(st.integers(0, 5), max_size=12), st.integers(1, 4))
def test_early_stopping_never_gives_up_a_best_younger_than_its_patience(values, patience):
    stopping = EarlyStopping(patience)
    for epoch, value in enumerate(values):
        stop = stopping.step(value)
        best = values.index(max(values[: epoch + 1]))
        assert stop is (epoch - best >= patience)
        if stop:
            break


def test_patience_must_be_positive():
    with pytest.raises(ValueError, match="patience must be at least 1, got 0"):
        EarlyStopping(0)


# --- overfitting one batch


def test_one_batch_is_learned_by_heart_and_the_losses_are_those_before_each_step():
    torch.manual_seed(0)
    data, model = some(6), Net(dropout=0.0)
    before = cross_entropy(copy.deepcopy(model).train()(data.images), data.labels).item()
    losses = overfit_one_batch(model, data.images, data.labels, steps=150, lr=0.05)
    assert len(losses) == 150
    assert losses[0] == pytest.approx(before)
    assert losses[-1] < 0.05 < losses[0]
    assert overfit_one_batch(model, data.images, data.labels, steps=0) == []


# --- the whole training


def test_it_learns_and_says_so():
    torch.manual_seed(0)
    model, told = MLP([4, 16, 3]), []
    model = nn.Sequential(Scaled(), model)
    rows = fit_classifier(model, some(200), some(80, seed=1), epochs=8, lr=0.03, batch=32, told=told.append)
    assert rows == told
    assert list(rows[0]) == ["epoch", "lr", "train/loss", "train/accuracy", "val/loss", "val/accuracy"]
    assert [row["epoch"] for row in rows] == list(range(8))
    assert rows[-1]["val/accuracy"] > 0.95 > rows[0]["train/accuracy"]
    assert rows[-1]["lr"] == pytest.approx(0.03 * 0.01)  # the cosine's end


class Scaled(nn.Module):
    def forward(self, images):
        return images.float() / 255


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    def weights(seed):
        torch.manual_seed(0)
        model = nn.Sequential(Scaled(), MLP([4, 3]))
        fit_classifier(model, some(40), epochs=2, batch=8, seed=seed)
        return model[1].layers[0].weight.detach()

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_an_optimiser_of_ones_own_keeps_its_rates_and_is_left_as_it_was():
    model = nn.Sequential(Scaled(), MLP([4, 5, 3]))
    first, last = model[1].layers[0], model[1].layers[-1]
    groups = [{"params": first.parameters(), "lr": 0.001}, {"params": last.parameters(), "lr": 0.1}]
    optimizer, seen = torch.optim.SGD(groups), []
    hook = optimizer.register_step_pre_hook(lambda o, *_: seen.append([group["lr"] for group in o.param_groups]))
    for _ in range(2):  # a second training with the same optimiser begins where the first began
        fit_classifier(model, some(24), epochs=2, batch=8, optimizer=optimizer)
    hook.remove()
    factors = [warmup_cosine(step, 6, 3) for step in range(6)] * 2
    torch.testing.assert_close(torch.tensor(seen), torch.tensor([[0.001 * f, 0.1 * f] for f in factors]))
    assert [group["lr"] for group in optimizer.param_groups] == [0.001, 0.1]


def test_augmentation_is_for_training_alone():
    seen = []

    def black(images):
        seen.append(len(images))
        return torch.zeros_like(images)

    model = nn.Sequential(Scaled(), MLP([4, 3]))
    rows = fit_classifier(model, some(20), some(12, seed=2), epochs=1, batch=8, augment=black)
    assert seen == [8, 8, 4]
    data = some(12, seed=2)
    assert rows[0]["val/loss"] == pytest.approx(evaluate(model, batches(data, 12))["loss"], rel=1e-5)


def test_stopping_puts_the_best_weights_back():
    torch.manual_seed(0)
    model, stopping = nn.Sequential(Scaled(), MLP([4, 3])), EarlyStopping(patience=2)
    states = []
    rows = fit_classifier(
        model,
        some(60),
        some(30, seed=3),
        epochs=60,
        lr=0.02,
        stopping=stopping,
        told=lambda row: states.append(copy.deepcopy(model.state_dict())),
    )
    assert len(rows) == stopping.best_epoch + 3 < 60
    best = max(row["val/accuracy"] for row in rows)
    assert evaluate(model, batches(some(30, seed=3), 30))["accuracy"] == best == stopping.best
    assert all(torch.equal(value, states[stopping.best_epoch][name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stopping": EarlyStopping(1)}, "stopping needs val"),
        ({"epochs": -1}, "epochs must be at least 0 and train must hold an image, got -1 and 4"),
        ({"batch": 0}, "batch must be at least 1"),
    ],
)
def test_what_cannot_be_trained_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_classifier(nn.Sequential(Scaled(), MLP([4, 3])), some(4), **arguments)


def test_no_epoch_is_no_row():
    assert fit_classifier(nn.Sequential(Scaled(), MLP([4, 3])), some(4), epochs=0) == []
