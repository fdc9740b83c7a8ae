"""Exercises of notebook 08_fitting: first weights, gradient norms, clipping. The layers stand in n08_fitting_layers.py."""

import itertools
import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.training import fitting

# --- he_init


def he_cases(generator):
    """(label, arguments) for he_init: shapes whose axes all differ, so that each wrong count of inputs gives another number."""

    def draws(*shape):
        return torch.randn(shape, generator=generator)

    yield "linear, 8 inputs: draws of 1 become 0.5", (torch.ones(2, 8),)
    yield "linear, more outputs than inputs", (draws(7, 3),)
    yield "a 3x3 convolution from 2 channels: 18 inputs", (torch.ones(4, 2, 3, 3),)
    yield "a kernel of 1 x 5", (draws(2, 3, 1, 5),)
    yield "one dimension, kernel 4", (draws(3, 2, 4),)
    yield "one input", (draws(5, 1),)
    yield "one output", (draws(1, 4),)
    yield "random linear", (draws(6, 11),)
    yield "random convolution", (draws(3, 5, 2, 2),)


def _scaled(draws, variance):
    return draws * math.sqrt(variance)


def he_without_the_kernel(draws):
    return _scaled(draws, 2 / draws.shape[1])


def he_by_outputs(draws):
    return _scaled(draws, 2 / fitting.fans(draws.shape)[1])


def he_without_the_two(draws):
    return _scaled(draws, 1 / fitting.fans(draws.shape)[0])


def he_variance_for_std(draws):
    return draws * (2 / fitting.fans(draws.shape)[0])


def he_like_xavier(draws):
    return _scaled(draws, 2 / sum(fitting.fans(draws.shape)))


def he_over_all_weights(draws):
    return _scaled(draws, 2 / draws.numel())


he_init_exercise = Exercise(
    name="08.he_init",
    reference=fitting.he_scaled,
    cases=he_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    twins=("torch.nn.init.kaiming_normal_", "torch.nn.init.kaiming_uniform_", fitting.he_std, fitting.fans),
    misconceptions=[
        Misconception(
            "kernel-not-counted",
            he_without_the_kernel,
            "Right for a linear layer. One output of a convolution sums over every channel *and* every place of its kernel: "
            "how many products is that for (4, 2, 3, 3)?",
        ),
        Misconception(
            "outputs-counted",
            he_by_outputs,
            "You counted the outputs. The sum runs over inputs; in (out, in, ...) which axes are summed over?",
        ),
        Misconception(
            "no-two",
            he_without_the_two,
            "That keeps the spread where nothing is cut away. A ReLU throws half of the squares away at every layer: what makes up for it?",
        ),
        Misconception(
            "variance-for-std",
            he_variance_for_std,
            "2 / fan_in is the variance. Standard normal draws are multiplied by the standard deviation: what is missing?",
        ),
        Misconception(
            "xavier",
            he_like_xavier,
            "That is Xavier's formula, which goes between inputs and outputs. He counts the inputs alone.",
        ),
        Misconception(
            "all-weights",
            he_over_all_weights,
            "You divided by all weights of the layer. Each output has weights of its own: how many of them meet in *one* output?",
        ),
    ],
    hints=[
        "How many numbers are added up for one output? Everything of `draws.shape` but the first axis.",
        "`draws[0].numel()` is that number, for a linear layer and for a convolution.",
        "std = sqrt(2 / fan_in); the draws have a spread of 1, so multiply them by it.",
    ],
    points=2,
)

# --- gradient_norms


def norms_cases(generator):
    """(label, arguments) for gradient_norms: small networks with biases and a normalisation, used once before."""

    def case(sizes, samples, frozen=()):
        weights = [torch.randn(b, a, generator=generator) for a, b in itertools.pairwise(sizes)]
        inputs = torch.randn(samples, sizes[0], generator=generator)
        return weights, list(frozen), inputs, torch.randint(0, sizes[-1], (samples,), generator=generator)

    yield "one layer, one sample", case((3, 2), 1)
    yield "two layers, four samples", case((3, 4, 2), 4)
    yield "three layers, the first frozen", case((3, 4, 5, 2), 4, frozen=[0])
    yield "four layers, one in the middle frozen", case((2, 3, 3, 4, 2), 3, frozen=[1])
    kernel, weight, inputs = (torch.randn(shape, generator=generator) for shape in ((2, 1, 3), (2, 8), (3, 6)))
    yield "a convolution first: 6 numbers become 2 x 4", ([kernel, weight], [], inputs, torch.tensor([1, 0, 1]))
    for _ in range(3):
        yield "random", case((4, 6, 5, 3), 5)


def drive_norms(answer, weights, frozen, inputs, labels):
    """A network with these weights, used once before, so that gradients of another batch lie in it."""
    layers = []
    for number, weight in enumerate(weights):
        convolves = weight.ndim == 3
        layer = nn.Conv1d(1, len(weight), weight.shape[2]) if convolves else nn.Linear(weight.shape[1], len(weight))
        layer.weight.data, layer.bias.data = weight.clone(), torch.linspace(-1, 1, len(weight))
        layer.weight.requires_grad_(number not in frozen)
        if convolves:
            layers += [layer, nn.Flatten(), nn.Tanh()]
        else:
            layers += [layer, nn.LayerNorm(len(weight)), nn.Tanh()] if number < len(weights) - 1 else [layer]
    model = nn.Sequential(*([nn.Unflatten(1, (1, -1))] if weights[0].ndim == 3 else []), *layers)
    cross_entropy(model(inputs * 2 + 1), labels.flip(0)).backward()
    norms = answer(model, inputs, labels)
    moved = any(not torch.equal(layer.weight, weight) for layer, weight in zip(layers[::3], weights, strict=True))
    return {"norms": norms, "the weights were changed": moved}


def _gradients(model, inputs, labels, reduction="mean"):
    model.zero_grad()
    cross_entropy(model(inputs), labels, reduction=reduction).backward()
    return [w.grad if w.grad is not None else torch.zeros(1) for w in model.parameters() if w.ndim > 1]


def norms_not_cleared(model, inputs, labels):
    cross_entropy(model(inputs), labels).backward()
    return torch.tensor([0.0 if w.grad is None else w.grad.norm().item() for w in model.parameters() if w.ndim > 1])


def norms_of_the_weights(model, inputs, labels):
    return torch.tensor([w.detach().norm().item() for w in model.parameters() if w.ndim > 1])


def norms_largest(model, inputs, labels):
    return torch.tensor([g.abs().max().item() for g in _gradients(model, inputs, labels)])


def norms_without_root(model, inputs, labels):
    return torch.tensor([(g**2).sum().item() for g in _gradients(model, inputs, labels)])


def norms_mean(model, inputs, labels):
    return torch.tensor([g.abs().mean().item() for g in _gradients(model, inputs, labels)])


def norms_of_a_sum(model, inputs, labels):
    return torch.tensor([g.norm().item() for g in _gradients(model, inputs, labels, "sum")])


def norms_with_biases(model, inputs, labels):
    _gradients(model, inputs, labels)
    return torch.tensor([0.0 if w.grad is None else w.grad.norm().item() for w in model.parameters()])


def norms_by_name(model, inputs, labels):
    _gradients(model, inputs, labels)
    found = [w for name, w in model.named_parameters() if "weight" in name]
    return torch.tensor([0.0 if w.grad is None else w.grad.norm().item() for w in found])


def norms_without_frozen(model, inputs, labels):
    _gradients(model, inputs, labels)
    return torch.tensor([w.grad.norm().item() for w in model.parameters() if w.ndim > 1 and w.grad is not None])


def norms_none_has_no_norm(model, inputs, labels):
    _gradients(model, inputs, labels)
    return torch.tensor([w.grad.norm().item() for w in model.parameters() if w.ndim > 1])


gradient_norms_exercise = Exercise(
    name="08.gradient_norms",
    reference=fitting.gradient_norms,
    cases=norms_cases,
    drive=drive_norms,
    compare=Close(rtol=1e-4, atol=1e-6),
    misconceptions=[
        Misconception(
            "not-cleared",
            norms_not_cleared,
            "Gradients of an earlier batch are in your sums: `backward` adds to what is there. What must come before it?",
        ),
        Misconception(
            "weights-not-gradients",
            norms_of_the_weights,
            "Those are the norms of the weights themselves. Where does `backward` leave the gradient of a weight?",
        ),
        Misconception("largest", norms_largest, "You took the largest entry. The norm is the root of the sum of all squares."),
        Misconception("no-root", norms_without_root, "That is the sum of the squares. Which step is missing from it to a length?"),
        Misconception(
            "mean", norms_mean, "You averaged the entries, so a large layer looks weak. The norm is a length: root of the sum of squares."
        ),
        Misconception(
            "sum-of-losses",
            norms_of_a_sum,
            "Your loss is the sum over the batch; training uses the mean, which is cross_entropy's default.",
        ),
        Misconception(
            "biases-too",
            norms_with_biases,
            "There are more numbers than layers: biases and the scales of a normalisation have gradients too. How many axes has a weight?",
        ),
        Misconception(
            "by-name",
            norms_by_name,
            "Some of your numbers belong to a normalisation: its scale is called `weight` too. Ask for the number of axes instead.",
        ),
        Misconception(
            "frozen-left-out",
            norms_without_frozen,
            "A frozen layer fell out, so the layers after it moved up by one place. It has a norm: 0.",
        ),
        Misconception(
            "none-has-no-norm",
            norms_none_has_no_norm,
            "A frozen layer has no gradient at all: its `.grad` is None. Ask before you take the norm, and write 0.0.",
        ),
    ],
    hints=[
        "Clear, forward, loss, backward, as in a training step, but without the step. Then look at `.grad`.",
        "Go through `model.parameters()` and take those with `weight.ndim > 1`.",
        "`0.0 if weight.grad is None else weight.grad.norm().item()`, collected in a list, then `torch.tensor(norms)`.",
    ],
    points=2,
)

# --- clip_by_norm


def clip_cases(generator):
    """(label, arguments) for clip_by_norm: two tensors that only together make a length of 5, short ones, and nothing."""

    def row(*values):
        return torch.tensor(values, dtype=torch.float32)

    yield "3 in one tensor, 4 in another: length 5, to 1", ([row(3), row(4)], 1.0)
    yield "shorter than allowed", ([row(0.3), row(0.0, -0.4)], 1.0)
    yield "as long as allowed", ([row(3, 4)], 5.0)
    yield "one entry above, the length too", ([row(1, 2, 2)], 1.5)
    yield "negative entries", ([row(-6, 2), row(3)], 3.5)
    yield "nothing but zeros", ([row(0, 0), row(0)], 1.0)
    yield "no tensors", ([], 1.0)
    yield "as tiny as torch's 0.000001", ([row(6e-7), row(8e-7)], 5e-7)
    yield "no entries in one of them", ([row(), row(6, 8)], 5.0)
    yield "a matrix and a vector", ([torch.tensor([[1.0, -2.0], [2.0, 4.0]]), row(-4, 20)], 2.0)
    for _ in range(3):
        tensors = [torch.randn(shape, generator=generator) * 3 for shape in ((2, 3), (3,), (2, 1, 2, 2))]
        yield "random", (tensors, 2.5)


def _together(gradients):
    return torch.stack([(g**2).sum() for g in gradients]).sum().sqrt() if gradients else torch.tensor(0.0)


def clip_each_alone(gradients, max_norm):
    clipped = [g * (max_norm / (g.norm() + 1e-6)).clamp(max=1.0) for g in gradients]
    return clipped, _together(gradients).item()


def clip_by_value(gradients, max_norm):
    return [g.clamp(-max_norm, max_norm) for g in gradients], _together(gradients).item()


def clip_always(gradients, max_norm):
    norm = _together(gradients)
    return [g * (max_norm / (norm + 1e-6)) for g in gradients], norm.item()


def clip_by_sum_of_sizes(gradients, max_norm):
    norm = sum((g.abs().sum() for g in gradients), torch.tensor(0.0))
    return [g * (max_norm / (norm + 1e-6)).clamp(max=1.0) for g in gradients], norm.item()


def clip_without_root(gradients, max_norm):
    norm = _together(gradients) ** 2
    return [g * (max_norm / (norm + 1e-6)).clamp(max=1.0) for g in gradients], norm.item()


def clip_by_sum_of_norms(gradients, max_norm):
    norm = sum((g.norm() for g in gradients), torch.tensor(0.0))
    return [g * (max_norm / (norm + 1e-6)).clamp(max=1.0) for g in gradients], norm.item()


def clip_tells_the_norm_after(gradients, max_norm):
    clipped, _ = fitting.clip_by_norm(gradients, max_norm)
    return clipped, _together(clipped).item()


def clip_to_length_one(gradients, max_norm):
    norm = _together(gradients)
    return [g / norm if norm > max_norm else g for g in gradients], norm.item()


clip_exercise = Exercise(
    name="08.clip_by_norm",
    reference=fitting.clip_by_norm,
    cases=clip_cases,
    compare=Close(rtol=1e-4, atol=1e-12),
    twins=("torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grads_with_norm_", "torch.nn.utils.get_total_norm"),
    misconceptions=[
        Misconception(
            "each-alone",
            clip_each_alone,
            "You shortened every tensor by itself, so the arrow they make together points elsewhere now. "
            "One norm for all of them, one factor for all of them.",
        ),
        Misconception(
            "by-value",
            clip_by_value,
            "You cut single entries off. That bends the direction: large ones shrink, small ones stay. Multiply all by one factor.",
        ),
        Misconception(
            "always",
            clip_always,
            "Short gradients were made longer. Clipping only shortens: when must the factor stay 1?",
        ),
        Misconception(
            "sum-of-sizes", clip_by_sum_of_sizes, "You added up the sizes of the entries. A length adds up squares, then takes the root."
        ),
        Misconception("no-root", clip_without_root, "Your norm is the sum of squares. For 3 and 4 that is 25; how long is the arrow?"),
        Misconception(
            "sum-of-norms",
            clip_by_sum_of_norms,
            "You added the norms of the tensors: 3 + 4 = 7. All entries belong to one arrow: the squares are added before the root.",
        ),
        Misconception(
            "norm-after",
            clip_tells_the_norm_after,
            "The gradients are right. The norm asked for is the one *before* clipping: it is what one watches.",
        ),
        Misconception(
            "to-length-one",
            clip_to_length_one,
            "Long gradients came out with length 1, whatever max_norm says. What should they be multiplied by?",
        ),
    ],
    hints=[
        "First one number: the root of the sum of all squares, over all tensors.",
        "Then one factor: max_norm / norm, but never above 1. Mind a norm of 0.",
        "`norm = sum((g**2).sum() for g in gradients) ** 0.5`, `factor = min(1.0, max_norm / (norm + 1e-6))`, then a new list.",
    ],
    points=3,
)
