"""Exercises of notebook 09_architectures: squeeze_excite and dense_block."""

import torch
from torch.nn.functional import conv2d

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n09_architectures import whole
from coursekit.models import blocks

# --- squeeze_excite


def se_cases(generator):
    """(label, arguments) for squeeze_excite: x, weight1, bias1, weight2, bias2."""

    def layers(channels, squeezed):
        return (
            whole(generator, squeezed, channels),
            whole(generator, squeezed),
            whole(generator, channels, squeezed),
            whole(generator, channels),
        )

    zeros = torch.zeros
    x = whole(generator, 1, 3, 2, 4)
    yield "all weights 0: every channel halved", (x, zeros(2, 3), zeros(2), zeros(3, 2), zeros(3))
    yield "a channel that is switched off", (x, zeros(1, 3), zeros(1), zeros(3, 1), torch.tensor([9.0, -30.0, 9.0]))
    yield "one place", (whole(generator, 1, 4, 1, 1), *layers(4, 2))
    yield "two images that differ", (torch.cat([x, 3 * x + 1]), *layers(3, 2))
    yield "a wide map", (whole(generator, 1, 2, 3, 5), *layers(2, 3))
    for _ in range(2):
        drawn = [torch.randn(s, generator=generator) for s in ((2, 4, 3, 3), (2, 4), (2,), (4, 2), (4,))]
        yield "random", tuple(drawn)


def _se(x, weight1, bias1, weight2, bias2, squeeze=lambda x: x.mean(dim=(2, 3)), act=torch.relu, gate=torch.sigmoid, use=torch.mul):
    mean = squeeze(x)
    return use(x, gate(act(mean @ weight1.T + bias1) @ weight2.T + bias2)[:, :, None, None])


def se_softmax(*arguments):
    return _se(*arguments, gate=lambda t: t.softmax(dim=1))


def se_added(*arguments):
    return _se(*arguments, use=torch.add)


def se_largest(*arguments):
    return _se(*arguments, squeeze=lambda x: x.amax(dim=(2, 3)))


def se_sum(*arguments):
    return _se(*arguments, squeeze=lambda x: x.sum(dim=(2, 3)))


def se_no_relu(*arguments):
    return _se(*arguments, act=lambda t: t)


def se_no_gate(*arguments):
    return _se(*arguments, gate=lambda t: t)


def se_over_the_batch(*arguments):
    return _se(*arguments, squeeze=lambda x: x.mean(dim=(0, 2, 3)).expand(len(x), -1))


def se_only_the_gate(*arguments):
    return _se(*arguments, use=lambda x, gate: gate.expand_as(x))


def se_no_biases(x, weight1, bias1, weight2, bias2):
    return _se(x, weight1, 0 * bias1, weight2, 0 * bias2)


def se_added_to_itself(*arguments):
    return _se(*arguments, use=lambda x, gate: x + x * gate)


def se_sigmoid_twice(*arguments):
    return _se(*arguments, act=torch.sigmoid)


def se_swapped(*arguments):
    return _se(*arguments, act=torch.sigmoid, gate=torch.relu)


def se_relu_twice(*arguments):
    return _se(*arguments, gate=torch.relu)


def se_without_axes(x, weight1, bias1, weight2, bias2):
    gate = torch.sigmoid(torch.relu(x.mean(dim=(2, 3)) @ weight1.T + bias1) @ weight2.T + bias2)
    return x * gate


squeeze_excite_exercise = Exercise(
    name="09.squeeze_excite",
    reference=blocks.squeeze_excite,
    cases=se_cases,
    compare=Close(rtol=1e-4, atol=1e-5),
    misconceptions=[
        Misconception(
            "softmax",
            wrong=se_softmax,
            hint="With softmax the channels compete for a sum of 1. Here each decides for itself between 0 and 1: a sigmoid.",
        ),
        Misconception("added", wrong=se_added, hint="You added the gate. It should turn a channel up or down: multiply."),
        Misconception("largest-not-mean", wrong=se_largest, hint="The squeeze is the mean over all places, not the largest."),
        Misconception(
            "sum-not-mean", wrong=se_sum, hint="You summed over the places, so a larger image would say something else. Take the mean."
        ),
        Misconception("no-activation", wrong=se_no_relu, hint="Between the two layers there is a ReLU."),
        Misconception("no-gate", wrong=se_no_gate, hint="The numbers are not between 0 and 1: the sigmoid is missing."),
        Misconception(
            "over-the-batch",
            wrong=se_over_the_batch,
            hint="One image's gate depends on its neighbour in the batch: take the mean of each image alone.",
        ),
        Misconception("biases-forgotten", wrong=se_no_biases, hint="Each of the two layers has a bias, added after the product."),
        Misconception(
            "added-to-itself",
            wrong=se_added_to_itself,
            hint="With all weights 0 each channel should be halved, and yours grew by half: x is times its gate, not x plus that.",
        ),
        Misconception(
            "sigmoid-twice", wrong=se_sigmoid_twice, hint="The sigmoid belongs to the end alone. After the first layer there is a ReLU."
        ),
        Misconception(
            "swapped",
            wrong=se_swapped,
            hint="ReLU and sigmoid have changed places: only a sigmoid keeps the *last* numbers between 0 and 1.",
        ),
        Misconception(
            "relu-twice", wrong=se_relu_twice, hint="With all weights 0 your gate is 0, and the map is gone. What maps 0 to one half?"
        ),
        Misconception(
            "gate-without-axes",
            wrong=se_without_axes,
            hint="The gate is (N, C), the map (N, C, H, W), and broadcasting lines up the *last* axes. Give the gate two more at its end.",
        ),
        Misconception("only-the-gate", wrong=se_only_the_gate, hint="The map itself is gone: what comes out is x times the gate."),
    ],
    hints=[
        "Mean over axes 2 and 3: (N, C). Two linear layers: `mean @ weight1.T + bias1`.",
        "gate = sigmoid(relu(...) @ weight2.T + bias2); give it two axes, `[:, :, None, None]`, and multiply.",
    ],
    points=2,
    twins=["coursekit.models.layers.SqueezeExcite", "torchvision.ops.SqueezeExcitation"],
)


# --- dense_block


def dense_cases(generator):
    """(label, arguments) for dense_block: x, and kernels that expect more channels each time."""

    def kernels(channels, growth, count):
        return [whole(generator, growth, channels + i * growth, 3, 3) for i in range(count)]

    yield "no layer at all", (whole(generator, 1, 2, 3, 3), [])
    yield "one layer", (whole(generator, 1, 2, 3, 4), kernels(2, 1, 1))
    yield "three layers", (whole(generator, 1, 2, 4, 3), kernels(2, 2, 3))
    yield "two images", (whole(generator, 2, 3, 4, 4), kernels(3, 2, 2))
    yield "random", (torch.randn(1, 2, 4, 5, generator=generator), [torch.randn(3, 2 + 3 * i, 3, 3, generator=generator) for i in range(2)])


def dense_new_first(x, weights):
    for weight in weights:
        x = torch.cat([torch.relu(conv2d(x, weight, padding=1)), x], dim=1)
    return x


def dense_without_relu(x, weights):
    for weight in weights:
        x = torch.cat([x, conv2d(x, weight, padding=1)], dim=1)
    return x


def dense_relu_on_everything(x, weights):
    for weight in weights:
        x = torch.relu(torch.cat([x, conv2d(x, weight, padding=1)], dim=1))
    return x


def dense_only_the_new(x, weights):
    before = x.shape[1]
    return blocks.dense_block(x, weights)[:, before:] if len(weights) else x


def dense_only_the_last(x, weights):
    found = blocks.dense_block(x, weights)
    return torch.cat([x, found[:, found.shape[1] - len(weights[-1]) :]], dim=1) if len(weights) else found


def dense_all_from_the_start(x, weights):
    start = x
    for weight in weights:
        x = torch.cat([x, torch.relu(conv2d(start, weight[:, : start.shape[1]], padding=1))], dim=1)
    return x


def dense_relu_first(x, weights):
    for weight in weights:
        x = torch.cat([x, conv2d(torch.relu(x), weight, padding=1)], dim=1)
    return x


def dense_replaced(x, weights):
    for weight in weights:
        x = torch.relu(conv2d(x, weight, padding=1))
    return x


dense_block_exercise = Exercise(
    name="09.dense_block",
    reference=blocks.dense_block,
    cases=dense_cases,
    compare=Close(rtol=1e-4, atol=1e-4),
    misconceptions=[
        Misconception(
            "new-ones-first",
            wrong=dense_new_first,
            hint="The new channels stand before the old ones, so the next kernel meets them in the wrong order.",
        ),
        Misconception("no-activation", wrong=dense_without_relu, hint="Negative numbers came through: each new map goes through a ReLU."),
        Misconception(
            "activation-on-everything",
            wrong=dense_relu_on_everything,
            hint="What came before went through a ReLU again. Only the new channels do.",
        ),
        Misconception("only-the-new", wrong=dense_only_the_new, hint="The input itself is missing at the front of the result."),
        Misconception(
            "only-the-last", wrong=dense_only_the_last, hint="The result holds the channels of every layer, not of the last alone."
        ),
        Misconception(
            "activation-first",
            wrong=dense_relu_first,
            hint="Your ReLU comes before the convolution. The paper's networks do it so; here each *new* map goes through it, after.",
        ),
        Misconception(
            "replaced",
            wrong=dense_replaced,
            hint="Each convolution took the place of what came before. Nothing is thrown away here: put the new map behind the old ones.",
        ),
        Misconception(
            "all-from-the-start",
            wrong=dense_all_from_the_start,
            hint="Your later layers do not see the earlier ones: each looks at everything so far.",
        ),
    ],
    hints=[
        "A loop; in it `x = torch.cat([x, new], dim=1)`.",
        "new = relu(conv2d(x, weight, padding=1)), from the x that has grown already.",
    ],
    points=2,
)
