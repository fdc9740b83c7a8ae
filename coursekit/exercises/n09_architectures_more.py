"""Exercises of notebook 09_architectures: squeeze_excite, dense_block, and the planted bug in a chain of residual blocks."""

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
    return _se(*arguments, squeeze=lambda x: x.mean(dim=(0, 2, 3), keepdim=True)[0].T.expand(len(x), -1) if x.ndim == 4 else x)


def se_only_the_gate(*arguments):
    return _se(*arguments, use=lambda x, gate: gate.expand_as(x))


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
        Misconception("only-the-gate", wrong=se_only_the_gate, hint="The map itself is gone: what comes out is x times the gate."),
    ],
    hints=[
        "Mean over axes 2 and 3: (N, C). Two linear layers: `mean @ weight1.T + bias1`.",
        "gate = sigmoid(relu(...) @ weight2.T + bias2); give it two axes, `[:, :, None, None]`, and multiply.",
    ],
    points=2,
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


# --- the planted bug: a chain of residual blocks


def chain_cases(generator):
    """(label, arguments) for residual_chain: none, one, several pairs of kernels."""

    def pairs(channels, count, draw):
        return [(draw(channels, channels, 3, 3), draw(channels, channels, 3, 3)) for _ in range(count)]

    def fractions(*shape):
        return torch.randn(shape, generator=generator) * 0.3

    yield "no block", (whole(generator, 1, 2, 3, 3), [])
    yield "one block", (whole(generator, 1, 2, 3, 4), pairs(2, 1, lambda *s: whole(generator, *s)))
    yield "kernels of zero", (whole(generator, 1, 2, 3, 3), [(torch.zeros(2, 2, 3, 3), torch.zeros(2, 2, 3, 3))] * 2)
    yield "three blocks", (torch.randn(1, 2, 4, 4, generator=generator), pairs(2, 3, fractions))
    yield "random, two images", (torch.randn(2, 3, 4, 3, generator=generator), pairs(3, 4, fractions))


def _chain(x, pairs, block):
    start = x
    for weight1, weight2 in pairs:
        x = block(x, conv2d(torch.relu(conv2d(x, weight1, padding=1)), weight2, padding=1), start)
    return x


def chain_grows(x, pairs):
    return _chain(x, pairs, lambda x, body, start: x + torch.relu(body))


def chain_without_activation(x, pairs):
    return _chain(x, pairs, lambda x, body, start: x + body)


def chain_without_shortcut(x, pairs):
    return _chain(x, pairs, lambda x, body, start: torch.relu(body))


def chain_from_the_start(x, pairs):
    return _chain(x, pairs, lambda x, body, start: torch.relu(start + body))


def chain_both(x, pairs):
    return _chain(x, pairs, lambda x, body, start: torch.relu(x + torch.relu(body)))


residual_chain_exercise = Exercise(
    name="09.residual_chain",
    reference=blocks.residual_chain,
    cases=chain_cases,
    compare=Close(rtol=1e-4, atol=1e-4),
    misconceptions=[
        Misconception(
            "only-ever-grows",
            wrong=chain_grows,
            hint="That is the planted bug. What is added went through a ReLU, so it is never negative: block by block the "
            "numbers can only grow.",
        ),
        Misconception(
            "no-activation", wrong=chain_without_activation, hint="Now the body may take away, but the sum goes through no ReLU any more."
        ),
        Misconception(
            "no-shortcut", wrong=chain_without_shortcut, hint="The growth is gone, and so is the way around: x itself must be in the sum."
        ),
        Misconception(
            "from-the-start",
            wrong=chain_from_the_start,
            hint="Every block adds the chain's first input. It should add what it was itself given.",
        ),
        Misconception(
            "both",
            wrong=chain_both,
            hint="You added a ReLU after the sum and kept the one before it. What is added is still never negative.",
        ),
    ],
    hints=["Can the numbers ever become smaller from one block to the next?", "relu(x + body), not x + relu(body)."],
    points=2,
    allowed=[blocks.residual_block],
)
