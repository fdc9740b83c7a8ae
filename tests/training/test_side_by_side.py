from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from coursekit.data.labelled import Labelled
from coursekit.training.optimisers import adam, sgd, sgd_momentum
from coursekit.training.schedule import warmup_cosine
from coursekit.training.side_by_side import batch_places, evaluate_networks, flat, logits_of, losses_of, start_weights, train_networks

calm = settings(deadline=None)  # a busy machine is no failure


def blobs(count=60, seed=0):
    """Three clouds of points in four dimensions: what any network learns."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    centres = torch.tensor([[2.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]])
    return centres[labels] + torch.randn(count, 4, generator=generator) * 0.5, labels


def as_module(weights, rate, seed):
    """One of the networks as torch has it."""
    layers = []
    for number in range(0, len(weights), 2):
        matrix, bias = weights[number][rate, seed], weights[number + 1][rate, seed, 0]
        layer = nn.Linear(*matrix.shape)
        layer.weight.data, layer.bias.data = matrix.T.clone(), bias.clone()
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_every_network_computes_what_torch_s_layers_compute():
    weights = [w.repeat(2, 1, 1, 1) for w in start_weights((4, 5, 3), seeds=(0, 1))]
    inputs, labels = blobs()
    assert logits_of(weights, inputs).shape == (2, 2, 60, 3)
    losses = losses_of(weights, inputs, labels)
    _, accuracy = evaluate_networks(weights, inputs, labels)
    for rate in range(2):
        for seed in range(2):
            module = as_module(weights, rate, seed)
            torch.testing.assert_close(logits_of(weights, inputs)[rate, seed], module(inputs))
            torch.testing.assert_close(losses[rate, seed], nn.functional.cross_entropy(module(inputs), labels))
            assert accuracy[rate, seed].item() == pytest.approx((module(inputs).argmax(1) == labels).float().mean().item())


@pytest.mark.parametrize("hidden", [(), (6,), (6, 5)], ids=["linear", "one layer", "two layers"])
def test_side_by_side_is_the_same_as_one_after_another_with_torch_optim(hidden):
    train, rates, seeds = blobs(), [0.01, 0.2], (3, 8)
    runs = train_networks(sgd_momentum, rates, train, blobs(30, seed=5), 12, batch=16, seeds=seeds, hidden=hidden)
    assert runs.curve.shape == (12, 2, 2)
    for r, rate in enumerate(rates):
        for s, seed in enumerate(seeds):
            module = as_module([w[None] for w in start_weights((4, *hidden, 3), (seed,))], 0, 0)
            optimizer = torch.optim.SGD(module.parameters(), lr=rate, momentum=0.9)
            for number, places in enumerate(batch_places(60, 16, 12, seed)):
                loss = nn.functional.cross_entropy(module(train[0][places]), train[1][places])
                assert runs.curve[number, r, s].item() == pytest.approx(loss.item(), rel=1e-4)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()


def test_a_seed_gives_the_same_network_whatever_stands_beside_it():
    both = train_networks(adam, [0.01, 0.1], blobs(), blobs(), 8, batch=16, seeds=(0, 1), state=(0.0, 0.0, 0))
    alone = train_networks(adam, [0.1], blobs(), blobs(), 8, batch=16, seeds=(1,), state=(0.0, 0.0, 0))
    torch.testing.assert_close(both.curve[:, 1:, 1:], alone.curve)
    again = train_networks(adam, [0.01, 0.1], blobs(), blobs(), 8, batch=16, seeds=(0, 1), state=(0.0, 0.0, 0))
    assert torch.equal(both.curve, again.curve)


def test_one_that_explodes_harms_nobody_and_is_never_the_best():
    runs = train_networks(sgd, [1e30, 0.3], blobs(), blobs(30, seed=5), 30, batch=16)
    assert (runs.loss[0] > 1e3).all()
    assert runs.loss[1].isfinite().all()
    assert runs.accuracy[1].min() > 0.9
    assert runs.best == 1
    calm = train_networks(sgd, [0.3], blobs(), blobs(30, seed=5), 30, batch=16)
    torch.testing.assert_close(runs.loss[1:], calm.loss)


def test_a_schedule_scales_the_rate():
    stopped = train_networks(sgd, [0.1], blobs(), blobs(), 6, batch=16, schedule=lambda number: 0.0 if number >= 3 else 1.0)
    short = train_networks(sgd, [0.1], blobs(), blobs(), 3, batch=16)
    torch.testing.assert_close(stopped.loss, short.loss)
    falling = train_networks(sgd, [0.1], blobs(), blobs(), 6, batch=16, schedule=partial(warmup_cosine, total=6, warmup=2))
    assert not torch.equal(falling.loss, stopped.loss)


def test_no_steps_leave_the_first_weights():
    runs = train_networks(sgd, [0.1, 0.2], blobs(), blobs(), 0)
    assert runs.curve.shape == (0, 2, 3)
    torch.testing.assert_close(runs.loss[0], runs.loss[1])


@calm
@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 30))
def test_every_epoch_sees_a_sample_at_most_once(samples, batch, steps):
    places = batch_places(samples, batch, steps, seed=4)
    assert places.shape == (steps, min(batch, samples))
    per_epoch = samples // min(batch, samples)
    for epoch in places.split(per_epoch):
        assert len(epoch.flatten().unique()) == epoch.numel()
    if steps:
        assert 0 <= int(places.min()) <= int(places.max()) < samples


def test_flat_scales_as_it_is_told():
    data = Labelled(torch.tensor([0, 51, 255, 102], dtype=torch.uint8).reshape(1, 1, 2, 2), torch.tensor([1]), ("a", "b"))
    rows, labels = flat(data, mean=0.2, std=0.5)
    torch.testing.assert_close(rows, torch.tensor([[-0.4, 0.0, 1.6, 0.4]]))
    assert labels.tolist() == [1]


def test_one_thread_inside_and_as_many_as_before_afterwards_even_after_an_error():
    before, inside = torch.get_num_threads(), []

    def step(weights, gradient, state, lr):
        inside.append(torch.get_num_threads())
        if len(inside) > 8:
            raise KeyError("enough")
        return weights - lr * gradient, state

    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError, match="enough"):
            train_networks(step, [0.1], blobs(), blobs(), 5)
        assert set(inside) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"rates": []}, {"seeds": ()}])
def test_what_cannot_be_trained_is_named(wrong):
    settings = {"rates": [0.1], "batch": 16, "seeds": (0,)} | wrong
    with pytest.raises(ValueError, match="batch, rates and seeds must be at least 1"):
        train_networks(sgd, train=blobs(), held_out=blobs(), steps=1, **settings)
