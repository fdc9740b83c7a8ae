"""Exercises of notebook 15_classic: the three steps of HOG."""

import numpy as np
import torch

from coursekit.classic import hog
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n15_classic import bytes_of

WHOLE = ("skimage.feature.hog", hog.hog, hog.hog_cells, hog.hog_of_windows)

# --- gradient


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


# --- hog_cell


def hog_cell_cases(generator):
    """(label, arguments): one gradient at a time, then edges of bins, opposite directions, and random cells."""

    def cell(gx, gy, orientations=9):
        return np.array(gx, dtype=np.float64), np.array(gy, dtype=np.float64), orientations

    yield "four gradients: 5 at 53 degrees, 2 at 180, 6 at -90, and none", cell([[3, 0], [-2, 0]], [[4, 0], [0, -6]])
    yield "nothing: a flat cell", cell([[0, 0], [0, 0]], [[0, 0], [0, 0]])
    yield "one pixel, to the right", cell([[2]], [[0]])
    yield "one pixel, to the left: the same edge", cell([[-2]], [[0]])
    yield "one pixel, upwards: the same edge as downwards", cell([[0]], [[-3]])
    yield "150 degrees", cell([[-0.866025]], [[0.5]])
    yield "-30 degrees, the same edge as 150", cell([[0.866025]], [[-0.5]])
    yield "179.4 degrees: still the last bin", cell([[-1]], [[0.01]])
    yield "19.9 degrees: still the first bin", cell([[0.940288]], [[0.340380]])
    yield "an angle on the edge of two bins", cell([[1, -1]], [[1, 1]], 4)
    yield "90 degrees on the edge of two bins", cell([[0, 0]], [[4, -2]], 2)
    yield "one bin for all", cell([[3, -1], [0, 2]], [[4, 0], [1, -2]], 1)
    yield "wider than high", cell([[1, 2, 3, 4]], [[4, -3, 2, -1]], 6)
    for orientations in (9, 8, 12):
        gx, gy = torch.randn(2, 4, 5, generator=generator, dtype=torch.float64).numpy()
        yield f"random, {orientations} bins", (gx, gy, orientations)


def _cell(gx, gy, orientations=9, length=np.hypot, angle_of=None, share=True, around=180.0):
    angle = np.degrees(np.arctan2(gy, gx)) if angle_of is None else angle_of(gx, gy)
    bins = np.floor(angle % around / (around / orientations)).astype(np.int64) % orientations
    magnitude = length(gx, gy)
    return np.bincount(bins.ravel(), magnitude.ravel(), minlength=orientations) / (gx.size if share else 1)


def cell_summed(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, share=False)


def cell_counted(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, length=lambda a, b: ((a != 0) | (b != 0)).astype(np.float64))


def cell_by_squares(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, length=lambda a, b: a**2 + b**2)


def cell_by_sides(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, length=lambda a, b: np.abs(a) + np.abs(b))


def cell_with_signs(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, around=360.0)


def cell_angle_from_y(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, angle_of=lambda a, b: np.degrees(np.arctan2(a, b)))


def cell_mirrored(gx, gy, orientations=9):
    """|angle|: -30 becomes 30 where it should become 150."""
    return _cell(gx, gy, orientations, angle_of=lambda a, b: np.abs(np.degrees(np.arctan2(b, a))))


def cell_in_radians(gx, gy, orientations=9):
    return _cell(gx, gy, orientations, angle_of=lambda a, b: np.arctan2(b, a))


def cell_rounded(gx, gy, orientations=9):
    width = 180 / orientations
    return _cell(gx, gy, orientations, angle_of=lambda a, b: np.degrees(np.arctan2(b, a)) % 180 + width / 2)


def cell_as_shares(gx, gy, orientations=9):
    histogram = _cell(gx, gy, orientations)
    return histogram / max(histogram.sum(), 1e-12)


def cell_without_modulo(gx, gy, orientations=9):
    """What points upwards is in no bin."""
    bins = np.floor(np.degrees(np.arctan2(gy, gx)) / (180 / orientations))
    return np.array([np.hypot(gx, gy)[bins == k].sum() for k in range(orientations)]) / gx.size


def cell_with_bins_of_the_data(gx, gy, orientations=9):
    """np.histogram without a range: the bins go from the smallest angle that occurs to the largest."""
    return np.histogram(np.degrees(np.arctan2(gy, gx)) % 180, orientations, weights=np.hypot(gx, gy))[0] / gx.size


def cell_with_180_left_over(gx, gy, orientations=9):
    """180 is added to negative angles, and the angle 180 itself is in no bin."""
    angle = np.degrees(np.arctan2(gy, gx))
    bins = np.floor(np.where(angle < 0, angle + 180, angle) / (180 / orientations))
    return np.array([np.hypot(gx, gy)[bins == k].sum() for k in range(orientations)]) / gx.size


def cell_always_of_20_degrees(gx, gy, orientations=9):
    """The width of nine bins, whatever orientations says."""
    bins = np.floor(np.degrees(np.arctan2(gy, gx)) % 180 / 20)
    return np.array([np.hypot(gx, gy)[bins == k].sum() for k in range(orientations)]) / gx.size


def cell_mean_of_each_bin(gx, gy, orientations=9):
    counts = _cell(gx, gy, orientations, length=lambda a, b: np.ones_like(a), share=False)
    return _cell(gx, gy, orientations, share=False) / np.maximum(counts, 1)


hog_cell = Exercise(
    name="15.hog_cell",
    reference=hog.hog_cell,
    cases=hog_cell_cases,
    compare=Close(rtol=1e-5, atol=1e-6, dtype="any"),
    misconceptions=[
        Misconception(
            "summed", cell_summed, "Your histogram is h * w times too large: the sum is divided by the number of pixels of the cell."
        ),
        Misconception(
            "counted",
            cell_counted,
            "Every pixel has one vote in your histogram. A strong edge must count for more: each pixel votes with the length of its "
            "gradient.",
        ),
        Misconception("squares", cell_by_squares, "gx² + gy² is the squared length. Pixels vote with the length itself: take the root."),
        Misconception("sides-added", cell_by_sides, "|gx| + |gy| is not the length of the gradient: (3, 4) is 5 long, not 7."),
        Misconception(
            "signed",
            cell_with_signs,
            "Your bins go once around, 0 to 360 degrees. Light to dark and dark to light are the same edge here: the angle modulo 180.",
        ),
        Misconception(
            "bins-of-the-data",
            cell_with_bins_of_the_data,
            "Your bins begin at the smallest angle that occurs and end at the largest. They must be the same for every cell: "
            "`range=(0, 180)`.",
        ),
        Misconception(
            "mean-of-each-bin",
            cell_mean_of_each_bin,
            "You divided each bin by the pixels *in it*. All are divided by the pixels of the cell: how often a direction occurs must "
            "count.",
        ),
        Misconception(
            "no-modulo",
            cell_without_modulo,
            "Gradients that point upwards (gy below 0) or straight to the left are missing from your histogram: their angles are "
            "negative, or 180. "
            "Take the angle modulo 180 first.",
        ),
        Misconception(
            "180-left-over",
            cell_with_180_left_over,
            "You added 180 to the negative angles. What points to the left has 180 itself, which is in no bin: `% 180` makes it 0.",
        ),
        Misconception(
            "always-20-degrees",
            cell_always_of_20_degrees,
            "Your bins are 20 degrees wide whatever `orientations` is. Nine of them are; eight are 22.5 wide: 180 / orientations.",
        ),
        Misconception("angle-from-y", cell_angle_from_y, "The angle is measured from the wrong axis. `np.arctan2` takes y first, then x."),
        Misconception(
            "mirrored",
            cell_mirrored,
            "-30 degrees became 30. The opposite direction is 180 further on, at 150: use `% 180`, not `abs`.",
        ),
        Misconception("radians", cell_in_radians, "Nearly everything is in the first bin: `np.arctan2` gives radians, from -3.14 to 3.14."),
        Misconception(
            "nearest-bin",
            cell_rounded,
            "You rounded to the nearest bin. Bin 0 goes from 0 to 20 degrees, not from -10 to 10: round down.",
        ),
        Misconception(
            "shares",
            cell_as_shares,
            "Your histogram sums to 1. A cell keeps the strength of its edges; what light does to it is the business of the block.",
        ),
    ],
    hints=[
        "Three steps: how long is each gradient, which way does it point (0 to 180 degrees), and which bin is that?",
        "`np.hypot(gx, gy)`, `np.degrees(np.arctan2(gy, gx)) % 180`, and the angle divided by the width of a bin, rounded down.",
        "For each bin: the sum of `magnitude[bins == k]`, divided by the number of pixels, `gx.size`.",
    ],
    points=3,
    twins=(*WHOLE, hog.directions),
    equivalent={
        "length = np.hypot(gy, gx)": "the length of (gx, gy) is that of (gy, gx)",
        "bins = (angle / (180 / orientations)).astype(int) % orientations": "`astype(int)` rounds down what is not below 0",
    },
)


# --- block_normalise


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
