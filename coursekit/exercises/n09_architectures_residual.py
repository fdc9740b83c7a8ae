"""Exercises of notebook 09_architectures: residual_block, and the planted bug in a chain of them."""

import torch
from torch.nn.functional import conv2d

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n09_architectures import whole
from coursekit.models import blocks

# --- residual_block


def residual_cases(generator):
    """(label, arguments) for residual_block: x, weight1, weight2, shortcut, stride."""

    def case(a, m, o, height, width, stride=1, short=True):
        project = whole(generator, o, a, 1, 1) if short else None
        return whole(generator, 1, a, height, width), whole(generator, m, a, 3, 3), whole(generator, o, m, 3, 3), project, stride

    x, *_ = case(2, 3, 2, 4, 5, short=False)
    yield "kernels of zero: the block does nothing but its last ReLU", (x, torch.zeros(3, 2, 3, 3), torch.zeros(2, 3, 3, 3), None, 1)
    yield "the shape stays", case(2, 3, 2, 4, 5, short=False)
    yield "other channels: a shortcut of 1x1", case(2, 3, 4, 4, 5)
    yield "stride 2", case(2, 3, 4, 6, 8, stride=2)
    yield "stride 2 on odd sides", case(2, 2, 3, 5, 7, stride=2)
    yield "a shortcut although the shape stays", case(3, 2, 3, 4, 4)
    yield "random", (*(torch.randn(s, generator=generator) for s in ((2, 3, 5, 5), (4, 3, 3, 3), (3, 4, 3, 3))), None, 1)


def _residual(
    x, weight1, weight2, shortcut, stride, middle=torch.relu, inner=lambda t: t, outer=torch.relu, add=True, strides=None, short=True
):
    first, second = strides or (stride, 1)
    body = inner(conv2d(middle(conv2d(x, weight1, stride=first, padding=1)), weight2, stride=second, padding=1))
    around = x if shortcut is None or not short else conv2d(x, shortcut, stride=stride)
    return outer(around + body if add and around.shape == body.shape else body)


def residual_without_shortcut(*arguments):
    return _residual(*arguments, add=False)


def residual_relu_before_the_sum(*arguments):
    return _residual(*arguments, inner=torch.relu, outer=lambda t: t)


def residual_relu_twice(*arguments):
    return _residual(*arguments, inner=torch.relu)


def residual_no_last_relu(*arguments):
    return _residual(*arguments, outer=lambda t: t)


def residual_no_middle_relu(*arguments):
    return _residual(*arguments, middle=lambda t: t)


def residual_projection_ignored(*arguments):
    return _residual(*arguments, short=False)


def residual_stride_in_the_second(*arguments):
    return _residual(*arguments, strides=(1, arguments[-1]))


def residual_shortcut_without_stride(x, weight1, weight2, shortcut, stride):
    body = conv2d(torch.relu(conv2d(x, weight1, stride=stride, padding=1)), weight2, padding=1)
    return torch.relu(body + (x if shortcut is None else conv2d(x, shortcut)))


def residual_shortcut_activated(x, weight1, weight2, shortcut, stride):
    body = conv2d(torch.relu(conv2d(x, weight1, stride=stride, padding=1)), weight2, padding=1)
    return torch.relu(body + (x if shortcut is None else torch.relu(conv2d(x, shortcut, stride=stride))))


def residual_concatenated(x, weight1, weight2, shortcut, stride):
    body = conv2d(torch.relu(conv2d(x, weight1, stride=stride, padding=1)), weight2, padding=1)
    around = x if shortcut is None else conv2d(x, shortcut, stride=stride)
    return torch.relu(torch.cat([around, body], dim=1))


residual_block_exercise = Exercise(
    name="09.residual_block",
    reference=blocks.residual_block,
    cases=residual_cases,
    compare=Close(rtol=1e-4, atol=1e-4),
    misconceptions=[
        Misconception(
            "no-shortcut",
            wrong=residual_without_shortcut,
            hint="With kernels of zero your block gives zero: the input has no way around it.",
        ),
        Misconception(
            "activation-before-the-sum",
            wrong=residual_relu_before_the_sum,
            hint="The last ReLU stands before the sum, so the body can only ever add, never take away. It belongs after.",
        ),
        Misconception(
            "activation-twice",
            wrong=residual_relu_twice,
            hint="One ReLU too many: the body is added as it comes out of its second convolution.",
        ),
        Misconception("no-last-activation", wrong=residual_no_last_relu, hint="The sum goes through a ReLU."),
        Misconception(
            "no-middle-activation", wrong=residual_no_middle_relu, hint="Without a ReLU between them the two convolutions are one."
        ),
        Misconception(
            "projection-ignored",
            wrong=residual_projection_ignored,
            hint="Where a shortcut kernel is given, x goes through it (1x1, with the stride) before it is added.",
        ),
        Misconception(
            "stride-in-the-second",
            wrong=residual_stride_in_the_second,
            hint="The shape is right and the numbers are not: the stride sits in the second convolution. It belongs to the first.",
        ),
        Misconception(
            "shortcut-without-stride",
            wrong=residual_shortcut_without_stride,
            hint="The body has halved the map and the shortcut has not, so they cannot be added. Which of its arguments is missing?",
        ),
        Misconception(
            "shortcut-activated",
            wrong=residual_shortcut_activated,
            hint="The shortcut went through a ReLU of its own. It only brings x into shape: the one ReLU comes after the sum.",
        ),
        Misconception(
            "concatenated",
            wrong=residual_concatenated,
            hint="That is DenseNet's way: behind each other. A residual block adds, number to number.",
        ),
    ],
    hints=[
        "body = conv2(relu(conv1(x))), both padded by 1, the stride in the first.",
        "around = x, or conv2d(x, shortcut, stride=stride). Then relu(around + body).",
    ],
    points=3,
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


def chain_no_middle_activation(x, pairs):
    for weight1, weight2 in pairs:
        x = torch.relu(x + conv2d(conv2d(x, weight1, padding=1), weight2, padding=1))
    return x


def chain_activates_x_only(x, pairs):
    return _chain(x, pairs, lambda x, body, start: torch.relu(x) + body)


def chain_activates_no_block(x, pairs):
    return torch.relu(blocks.residual_chain(x, pairs))


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
            "no-middle-activation",
            wrong=chain_no_middle_activation,
            hint="The planted bug is gone, and so is the ReLU between the two convolutions: without it they are one.",
        ),
        Misconception(
            "activation-on-x-only",
            wrong=chain_activates_x_only,
            hint="The ReLU is around x alone. It goes around the whole sum: relu of (x and what is added).",
        ),
        Misconception(
            "activation-without-a-block",
            wrong=chain_activates_no_block,
            hint="Without any pair the answer is x itself, negative numbers and all. The ReLU belongs to each block, not to the chain.",
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
