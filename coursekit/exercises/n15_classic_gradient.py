"""Exercises of notebook 15_classic: the gradient, the first step of HOG."""

import numpy as np
import torch

from coursekit.classic import hog
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n15_classic import bytes_of


def gradient_cases(generator):
    """(label, arguments): rows and columns that rise and fall; borders, and bytes that go below 0."""
    yield "a row that rises", (np.array([[1, 2, 4, 8, 16]] * 3, dtype=np.uint8),)
    yield "a row that falls", (np.array([[9, 6, 1]] * 3, dtype=np.uint8),)
    yield "a column that rises", (np.array([[1] * 3, [5] * 3, [10] * 3, [11] * 3], dtype=np.uint8),)
    yield "a column that falls", (np.array([[200, 0], [100, 0], [50, 0]], dtype=np.uint8),)
    yield "one bright pixel", (np.pad(np.array([[255]], dtype=np.uint8), 2),)
    yield "two by two: nobody has both neighbours", (np.array([[3, 9], [4, 8]], dtype=np.uint8),)
    yield "floats", (torch.rand(4, 6, generator=generator, dtype=torch.float64).numpy(),)
    yield "random", (bytes_of(generator, 5, 7),)
    yield "random", (bytes_of(generator, 7, 4),)


def _gradient(image, ahead=1, behind=1, halve=1.0, border=0.0):
    image = np.asarray(image, dtype=np.float64)
    gx, gy = np.full_like(image, border), np.full_like(image, border)
    for result, axis in ((gx, 1), (gy, 0)):
        n = image.shape[axis]
        if n > ahead + behind:
            inside = slice(behind, n - ahead)
            after = np.take(image, range(behind + ahead, n), axis)
            before = np.take(image, range(n - ahead - behind), axis)
            result[(slice(None), inside) if axis else inside] = (after - before) * halve
    return gx, gy


def gradient_halved(image):
    return _gradient(image, halve=0.5)


def gradient_of_numpy(image):
    gy, gx = np.gradient(image.astype(np.float64))
    return gx, gy


def gradient_with_one_sided_borders(image):
    whole, inside = gradient_of_numpy(image), _gradient(image)
    for axis, (result, border) in enumerate(zip(inside, whole, strict=True)):
        edge = np.zeros(result.shape, dtype=bool)
        if axis == 0:
            edge[:, [0, -1]] = True
        else:
            edge[[0, -1]] = True
        result[edge] = border[edge]
    return inside


def gradient_to_the_next(image):
    return _gradient(image, ahead=1, behind=0)


def gradient_axes_swapped(image):
    return _gradient(image)[::-1]


def gradient_turned(image):
    gx, gy = _gradient(image)
    return -gx, -gy


def gradient_y_upwards(image):
    gx, gy = _gradient(image)
    return gx, -gy


def gradient_in_bytes(image):
    gx, gy = _gradient(image)
    return (gx % 256, gy % 256) if image.dtype == np.uint8 else (gx, gy)


def gradient_around_the_edge(image):
    image = np.asarray(image, dtype=np.float64)
    return np.roll(image, -1, 1) - np.roll(image, 1, 1), np.roll(image, -1, 0) - np.roll(image, 1, 0)


gradient = Exercise(
    name="15.gradient",
    reference=hog.gradient,
    cases=gradient_cases,
    compare=Close(rtol=0, atol=1e-9, dtype="any"),
    misconceptions=[
        Misconception(
            "halved", gradient_halved, "Everything is half as large. HOG takes the plain difference of the two neighbours, not halved."
        ),
        Misconception(
            "numpy's",
            gradient_of_numpy,
            "That is `np.gradient`: halved inside, and at the border a difference with the pixel itself. HOG takes the plain "
            "difference, and 0 "
            "at the border.",
        ),
        Misconception(
            "borders-one-sided",
            gradient_with_one_sided_borders,
            "Inside it is right. At the border one neighbour is missing, and the rule is 0 there.",
        ),
        Misconception(
            "to-the-next",
            gradient_to_the_next,
            "You took the pixel after minus the pixel itself. The central difference leaves the pixel itself out: after minus before.",
        ),
        Misconception(
            "axes-swapped",
            gradient_axes_swapped,
            "gx and gy changed places. gx compares columns (left and right), which is the *second* axis of an image.",
        ),
        Misconception(
            "turned", gradient_turned, "The signs are turned: it is the pixel *after* minus the pixel before, so rising is positive."
        ),
        Misconception("y-upwards", gradient_y_upwards, "gy has the wrong sign. y grows downwards: the pixel below minus the pixel above."),
        Misconception("in-bytes", gradient_in_bytes, "A fall came out as a large rise: in uint8, 1 - 9 is 248. Make floats first."),
        Misconception(
            "around-the-edge",
            gradient_around_the_edge,
            "`np.roll` brings the far edge back in: the last column became the left neighbour of the first. At the border the rule is 0.",
        ),
    ],
    hints=[
        "Make floats first, then two arrays of zeros. Which slice has the right neighbours of columns 1 to W - 2? Which the left ones?",
        "`image[:, 2:]` and `image[:, :-2]` are these neighbours; their difference belongs into `gx[:, 1:-1]`.",
        "The same with rows: `gy[1:-1] = image[2:] - image[:-2]`. Return gx, gy.",
    ],
    points=2,
    twins=("skimage.feature._hog._hog_channel_gradient",),
)
