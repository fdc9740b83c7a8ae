"""Going on from a trained network: what is frozen stays, what is new is new, and the linear probe is scikit-learn's ridge regression."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from torch import nn

from coursekit.models.resnet import ResNet
from coursekit.training.transfer import features, freeze, linear_probe, parameter_groups, replace_head


def network(classes=5):
    torch.manual_seed(0)
    return ResNet(classes, width=0.125, small_images=True)


def images(count=4):
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def steps(model, count=2):
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(count):
        model.train()
        optimizer.zero_grad()
        model(images()).square().sum().backward()
        optimizer.step()


def test_a_frozen_backbone_is_the_same_after_training_and_the_rest_is_not():
    model = network()
    assert freeze(model.backbone) is model.backbone
    before = copy.deepcopy(model.state_dict())
    steps(model)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("backbone."), name
    assert model.training
    assert not any(part.training for part in model.backbone.modules())


def test_without_the_second_half_of_freezing_the_averages_move():
    """The trap that `freeze` is for."""
    model = network()
    model.backbone.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    steps(model)
    moved = {name.rpartition(".")[2] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert {"running_mean", "running_var"} <= moved


def test_a_frozen_part_of_a_backbone_and_a_copy_of_it():
    model = network()
    freeze(model.backbone.stage1)
    again = copy.deepcopy(model)
    again.train()
    assert not again.backbone.stage1.training
    assert again.backbone.stage2.training


@pytest.mark.parametrize("classes", [1, 3, 5, 9])
def test_a_new_head_is_new_and_the_rest_is_as_before(classes):
    model = network()
    before, old = copy.deepcopy(model.backbone.state_dict()), model.head
    assert replace_head(model, classes) is model
    assert model.head.weight.shape == (classes, old.in_features)
    assert model.head is not old
    assert not torch.equal(model.head.weight[:1], old.weight[:1])
    assert all(torch.equal(value, before[name]) for name, value in model.backbone.state_dict().items())
    assert model.eval()(images()).shape == (4, classes)


@pytest.mark.parametrize(
    ("model", "classes", "message"),
    [(network(), 0, "num_classes must be at least 1, got 0"), (nn.ReLU(), 3, "model must have a linear layer called head, got NoneType")],
)
def test_a_head_that_cannot_be(model, classes, message):
    with pytest.raises(ValueError, match=message):
        replace_head(model, classes)


def test_groups_hold_every_parameter_that_learns_once():
    model = network()
    groups = parameter_groups(model, 0.5, 0.1)
    assert [group["lr"] for group in groups] == [0.05, 0.5]
    assert {id(p) for p in groups[1]["params"]} == {id(p) for p in model.head.parameters()}
    assert sorted(id(p) for group in groups for p in group["params"]) == sorted(id(p) for p in model.parameters())
    torch.optim.AdamW(groups)  # refuses a parameter in two groups


def test_frozen_parameters_are_in_no_group():
    model = network()
    freeze(model.backbone)
    assert [group["lr"] for group in parameter_groups(model, 0.5)] == [0.5]
    model.head.requires_grad_(False)
    with pytest.raises(ValueError, match="every parameter is frozen"):
        parameter_groups(model, 0.5)


@pytest.mark.parametrize(("lr", "factor"), [(0, 0.1), (-1, 0.1), (0.1, -0.1), (float("nan"), 0.1)])
def test_rates_that_are_none(lr, factor):
    with pytest.raises(ValueError, match="lr must be above 0 and backbone_factor at least 0"):
        parameter_groups(network(), lr, factor)


def test_features_are_those_of_one_batch_and_leave_the_mode_alone():
    model = network().train()
    found = features(model, images(5), batch=2)
    assert model.training
    torch.testing.assert_close(found, model.eval().features(images(5)).detach(), rtol=1e-4, atol=1e-5)
    assert not found.requires_grad


def ridge_twin(train, labels, test, classes, ridge):
    targets = nn.functional.one_hot(labels, classes).numpy()
    return Ridge(alpha=ridge).fit(train.double().numpy(), targets).predict(test.double().numpy())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 6), st.floats(1e-2, 100), st.floats(-50, 50))
def test_linear_probe_equals_scikit_learns_ridge(seed, count, length, ridge, offset):
    generator = torch.Generator().manual_seed(seed)
    train, test = torch.randn(count, length, generator=generator) + offset, torch.randn(3, length, generator=generator) + offset
    labels = torch.randint(0, 4, (count,), generator=generator)
    expected = torch.from_numpy(ridge_twin(train, labels, test, 4, ridge).reshape(3, 4)).float()
    torch.testing.assert_close(linear_probe(train, labels, test, 4, ridge), expected, rtol=1e-3, atol=1e-4)


def test_linear_probe_on_one_image_says_its_class():
    scores = linear_probe(torch.ones(1, 3), torch.tensor([2]), torch.zeros(2, 3), 4)
    torch.testing.assert_close(scores, torch.tensor([[0.0, 0, 1, 0]] * 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_features": torch.zeros(0, 3), "train_labels": torch.zeros(0, dtype=torch.int64)}, r"train_features must be \(N, D\)"),
        ({"train_labels": torch.zeros(3, dtype=torch.int64)}, r"train_features must be \(N, D\) with N labels"),
        ({"test_features": torch.zeros(2, 4)}, r"test_features must be \(M, 3\), got \(2, 4\)"),
        ({"ridge": 0.0}, "ridge must be above 0, got 0.0"),
        ({"train_labels": torch.tensor([0, 5])}, r"train_labels must lie in 0..1, got 0..5"),
    ],
)
def test_linear_probe_refuses(change, message):
    arguments = {
        "train_features": torch.zeros(2, 3),
        "train_labels": torch.tensor([0, 1]),
        "test_features": torch.zeros(1, 3),
        "num_classes": 2,
    }
    with pytest.raises(ValueError, match=message):
        linear_probe(**{**arguments, **change})
