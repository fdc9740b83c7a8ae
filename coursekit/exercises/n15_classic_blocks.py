"""Exercises of notebook 15_classic: blocks, the last step of HOG."""

import numpy as np
import torch

from coursekit.classic import hog
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n15_classic_hog import WHOLE


def block_cases(generator):
    """(label, arguments): entries above and below the clip, a flat block, a faint one."""
    yield "3 and 4: both are clipped", (np.array([3.0, 4.0]),)
    yield "one strong, many weak: only it is clipped", (np.array([10.0, 1, 1, 1, 1, 1]),)
    yield "a hundred equal ones: nothing to clip", (np.ones(100),)
    yield "the same in half the light", (np.array([5.0, 0.5, 0.5, 0.5, 0.5, 0.5]),)
    yield "nothing: a flat block", (np.zeros((2, 2, 9)),)
    yield "so faint that eps counts", (np.full((2, 2, 9), 2e-6),)
    yield "faint, and not all the same", (np.array([1e-6, 3e-6, 9e-6]),)
    yield "so faint that eps counts twice", (np.array([1e-10, 3e-10]),)
    for scale in (1.0, 30.0):
        yield "random", (torch.rand(2, 2, 9, generator=generator, dtype=torch.float64).numpy() ** 4 * scale,)


def _block(block, eps=1e-5, clip=0.2, norm=lambda b, eps: np.sqrt((b**2).sum() + eps**2), again=True):
    block = block / norm(block, eps)
    block = np.minimum(block, clip)
    return block / norm(block, eps) if again else block


def block_without_clip(block):
    return _block(block, clip=np.inf)


def block_divided_once(block):
    return block / np.sqrt((block**2).sum() + 1e-5**2)


def block_clipped_and_left(block):
    return _block(block, again=False)


def block_clipped_first(block):
    block = np.minimum(block, 0.2)
    return block / np.sqrt((block**2).sum() + 1e-5**2)


def block_to_sum_one(block):
    return _block(block, norm=lambda b, eps: b.sum() + eps)


def block_each_cell(block):
    return _block(block, norm=lambda b, eps: np.sqrt((b**2).sum(axis=-1, keepdims=True) + eps**2))


def block_by_the_largest(block):
    return _block(block, norm=lambda b, eps: b.max() + eps)


def block_without_eps(block):
    with np.errstate(invalid="ignore"):
        return _block(block, eps=0.0)


def block_eps_outside(block):
    return _block(block, norm=lambda b, eps: np.sqrt((b**2).sum()) + eps)


def block_eps_not_squared(block):
    return _block(block, norm=lambda b, eps: np.sqrt((b**2).sum() + eps))


def block_root_forgotten(block):
    return _block(block, norm=lambda b, eps: (b**2).sum() + eps**2)


block_normalise = Exercise(
    name="15.block_normalise",
    reference=hog.normalise_block,
    cases=block_cases,
    compare=Close(rtol=1e-5, atol=1e-7, dtype="any"),
    misconceptions=[
        Misconception(
            "no-clip", block_without_clip, "One strong edge still rules the block. After the first division nothing may be above 0.2."
        ),
        Misconception(
            "divided-once",
            block_divided_once,
            "That is the first of three steps. The clip at 0.2 and the second division are missing.",
        ),
        Misconception(
            "not-again",
            block_clipped_and_left,
            "The clipped block is shorter than 1. After the clip it is brought to length 1 a second time.",
        ),
        Misconception(
            "clipped-first",
            block_clipped_first,
            "You clipped before dividing, so in bright light nearly everything is cut. First to length 1, then the clip, then to "
            "length 1 again.",
        ),
        Misconception("sum-one", block_to_sum_one, "You divided by the sum. The length of a vector is the root of the sum of squares."),
        Misconception(
            "each-cell-alone",
            block_each_cell,
            "Each cell was normalised by itself, so a strong cell looks like a weak one. One length for the whole block.",
        ),
        Misconception(
            "by-the-largest",
            block_by_the_largest,
            "You divided by the largest entry. Divide by the length: the root of the sum of squares.",
        ),
        Misconception("no-eps", block_without_eps, "A flat block became 0 / 0. Add eps squared under the root, and it stays 0."),
        Misconception(
            "eps-outside", block_eps_outside, "In a faint block eps counts: its square belongs under the root, with the squares."
        ),
        Misconception(
            "eps-not-squared", block_eps_not_squared, "In a faint block eps counts: under the root stand squares, so eps is squared too."
        ),
        Misconception("root-forgotten", block_root_forgotten, "You divided by the *squared* length. Take the root of the sum of squares."),
    ],
    hints=[
        "Length = root of (sum of squares + eps²). Three steps: divide, clip, divide.",
        "`block = block / np.sqrt((block**2).sum() + eps**2)`, then `np.minimum(block, 0.2)`, then the first line again.",
    ],
    points=2,
    twins=(*WHOLE, "skimage.feature._hog._hog_normalize_block"),
)
