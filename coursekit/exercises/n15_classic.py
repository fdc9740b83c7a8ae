"""Exercises of notebook 15_classic: sums over rectangles. HOG is in n15_classic_hog.py, blocks and parts in n15_classic_parts.py,
regions in n15_classic_regions.py, the planted bug in n15_classic_negatives.py.
"""

import numpy as np
import torch

from coursekit.classic import haar
from coursekit.exercises.core import Close, Exact, Exercise, Misconception


def bytes_of(generator, *shape):
    return torch.randint(0, 256, shape, generator=generator).to(torch.uint8).numpy()


# --- integral_image


def integral_image_cases(generator):
    """(label, arguments) for integral_image: few pixels that can be added by eye, then ones too bright for a byte."""
    yield "four pixels", (np.array([[1, 2], [3, 4]], dtype=np.uint8),)
    yield "one row", (np.array([[3, 1, 2]], dtype=np.uint8),)
    yield "one column", (np.array([[3], [1], [2]], dtype=np.uint8),)
    yield "one pixel", (np.array([[7]], dtype=np.uint8),)
    yield "two bright pixels: more than a byte holds", (np.array([[200, 100]], dtype=np.uint8),)
    yield "wider than high", (np.arange(15, dtype=np.uint8).reshape(3, 5),)
    yield "a single bright pixel in the middle", (np.eye(5, dtype=np.uint8)[2:3].T @ np.eye(5, dtype=np.uint8)[2:3],)
    yield "no columns", (np.zeros((2, 0), dtype=np.uint8),)
    yield "random", (bytes_of(generator, 4, 6),)
    yield "a large bright image: more than 16 bits hold", (np.full((40, 30), 255, dtype=np.uint8),)


def _framed(inner, before=(1, 1), after=(0, 0)):
    return np.pad(inner, ((before[0], after[0]), (before[1], after[1])))


def _summed(image):
    return image.astype(np.int64).cumsum(axis=0).cumsum(axis=1)


def integral_without_zeros(image):
    return _summed(image)


def integral_zeros_at_the_end(image):
    return _framed(_summed(image), (0, 0), (1, 1))


def integral_only_along_rows(image):
    return _framed(image.astype(np.int64).cumsum(axis=1))


def integral_only_down_columns(image):
    return _framed(image.astype(np.int64).cumsum(axis=0))


def integral_axes_added(image):
    """Row sums plus column sums, as if the two ways were independent."""
    return _framed(image.astype(np.int64).cumsum(axis=0) + image.astype(np.int64).cumsum(axis=1))


def integral_in_bytes(image):
    return _framed(image.cumsum(axis=0, dtype=np.uint8).cumsum(axis=1, dtype=np.uint8).astype(np.int64))


def integral_without_the_last_pixel(image):
    """One shift too many: its own row and column are left out twice."""
    return _framed(_framed(_summed(image)))[: image.shape[0] + 1, : image.shape[1] + 1]


integral_image = Exercise(
    name="15.integral_image",
    reference=haar.integral_image,
    cases=integral_image_cases,
    compare=Exact(dtype="any"),
    misconceptions=[
        Misconception(
            "no-zeros",
            integral_without_zeros,
            "Your table is as large as the image. What is the sum of the pixels above row 0? It needs a place: one row and one column of "
            "zeros come first.",
        ),
        Misconception(
            "zeros-at-the-end",
            integral_zeros_at_the_end,
            "The zeros stand in the last row and column. They are the sums of nothing, above row 0 and left of column 0: where do they "
            "belong?",
        ),
        Misconception(
            "only-along-rows",
            integral_only_along_rows,
            "Each row is summed by itself. Every entry must hold all rows above it too: sum once more, downwards.",
        ),
        Misconception(
            "only-down-columns",
            integral_only_down_columns,
            "Each column is summed by itself. Every entry must hold all columns to its left too: sum once more, along the rows.",
        ),
        Misconception(
            "axes-added",
            integral_axes_added,
            "You added the sums along rows to the sums down columns. That is a cross of pixels, not a rectangle: sum the sums.",
        ),
        Misconception(
            "in-bytes",
            integral_in_bytes,
            "200 + 100 came out as 44. A uint8 holds at most 255: in which dtype do you sum?",
        ),
        Misconception(
            "shifted-twice",
            integral_without_the_last_pixel,
            "At [y, x] belong the pixels *before* y and x, so at [1, 1] stands the first pixel. Yours comes one row and one column later.",
        ),
    ],
    hints=[
        "At [y, x] stands the sum of image[:y, :x]. What must table[0] be, then? What must table[1, 1] be?",
        "`np.cumsum` along one axis, then along the other, gives the sums; `np.pad` or `np.zeros` gives the row and column of zeros.",
        "`table = np.zeros((H + 1, W + 1), dtype=np.int64)`, and `table[1:, 1:]` takes the two cumulative sums.",
    ],
    points=2,
    twins=("skimage.transform.integral_image", "cv2.integral"),
)


# --- haar_feature


def plain_haar_feature(table, x, y, width, height, pattern):
    """As `haar.haar_feature`, a plain whole number."""
    return int(haar.haar_feature(table, x, y, width, height, np.asarray(pattern)))


def haar_feature_cases(generator):
    """(label, arguments): cells that are wider than high, at places where x is not y, patterns that are not square."""

    def table(*shape):
        return haar.integral_image(bytes_of(generator, *shape))

    step = np.zeros((4, 8), dtype=np.uint8)
    step[:, 4:] = 10
    left, bar, checks = np.array([[-1, 1]]), np.array([[-1], [1], [-1]]), np.array([[1, -1], [-1, 1]])
    yield "an edge under a two-rectangle feature", (haar.integral_image(step), 2, 0, 2, 4, left)
    yield "the same edge, and the feature beside it", (haar.integral_image(step), 4, 0, 2, 4, left)
    yield "light and dark the other way round", (haar.integral_image(step), 2, 0, 2, 4, -left)
    yield "one rectangle", (table(6, 7), 1, 2, 3, 2, np.array([[1]]))
    yield "one pixel a cell", (table(3, 3), 0, 1, 1, 1, left)
    yield "three below each other", (table(9, 5), 1, 2, 3, 2, bar)
    yield "four, like a chessboard", (table(8, 9), 2, 1, 3, 2, checks)
    yield "in the last corner", (table(6, 8), 2, 2, 3, 2, checks)
    for _ in range(3):
        pattern = torch.randint(0, 2, (2, 3), generator=generator).numpy() * 2 - 1
        yield "random", (table(10, 14), *torch.randint(0, 3, (2,), generator=generator).tolist(), 4, 3, pattern)


def _haar(table, x, y, width, height, pattern, along=(1, 1), look=haar.box_sum, swap=False):
    total = 0
    for row, column in np.ndindex(pattern.shape):
        left, top = x + column * (height if swap else width), y + row * (width if swap else height)
        wide, high = (height, width) if swap else (width, height)
        total += pattern[row, column] * look(table, left, top, left + along[0] * wide, top + along[1] * high)
    return int(total)


def haar_all_light(table, x, y, width, height, pattern):
    return _haar(table, x, y, width, height, np.abs(pattern))


def haar_size_is_the_whole(table, x, y, width, height, pattern):
    return _haar(table, x, y, width // pattern.shape[1], height // pattern.shape[0], pattern)


def haar_width_and_height_swapped(table, x, y, width, height, pattern):
    return _haar(table[: table.shape[0]], x, y, width, height, pattern, swap=True)


def haar_x_and_y_swapped(table, x, y, width, height, pattern):
    return _haar(table, y, x, width, height, pattern)


def haar_last_corner_forgotten(table, x, y, width, height, pattern):
    return _haar(table, x, y, width, height, pattern, look=lambda t, a, b, c, d: t[d, c] - t[b, c] - t[d, a])


def haar_last_corner_taken_off(table, x, y, width, height, pattern):
    return _haar(table, x, y, width, height, pattern, look=lambda t, a, b, c, d: t[d, c] - t[b, c] - t[d, a] - t[b, a])


def haar_one_pixel_short(table, x, y, width, height, pattern):
    return _haar(table, x, y, width, height, pattern, look=lambda t, a, b, c, d: haar.box_sum(t, a, b, c - 1, d - 1))


def haar_cells_on_one_spot(table, x, y, width, height, pattern):
    return int(pattern.sum() * haar.box_sum(table, x, y, x + width, y + height))


def haar_sizes_as_corners(table, x, y, width, height, pattern):
    return _haar(table, x, y, width, height, pattern, look=lambda t, a, b, c, d: haar.box_sum(t, a, b, width, height))


def haar_without_a_sign(table, x, y, width, height, pattern):
    return abs(plain_haar_feature(table, x, y, width, height, pattern))


def haar_as_a_mean(table, x, y, width, height, pattern):
    return haar.haar_feature(table, x, y, width, height, pattern) / (width * height)


haar_feature = Exercise(
    name="15.haar_feature",
    reference=plain_haar_feature,
    cases=haar_feature_cases,
    compare=Close(rtol=0, atol=1e-6, dtype="any"),
    misconceptions=[
        Misconception("all-light", haar_all_light, "Every cell was added. The pattern says +1 for light and -1 for dark: multiply by it."),
        Misconception(
            "size-is-the-whole",
            haar_size_is_the_whole,
            "You divided width and height among the cells. They are the size of *one* cell already.",
        ),
        Misconception(
            "width-and-height-swapped",
            haar_width_and_height_swapped,
            "Width and height changed places. A step to the next column is a `width`, a step to the next row a `height`.",
        ),
        Misconception(
            "x-and-y-swapped",
            haar_x_and_y_swapped,
            "The feature lies where x and y change places. Columns move x, rows move y; `box_sum` takes x first.",
        ),
        Misconception(
            "last-corner-forgotten",
            haar_last_corner_forgotten,
            "Of the four look-ups one is missing: what lies above *and* left of a cell was taken off twice.",
        ),
        Misconception(
            "last-corner-taken-off",
            haar_last_corner_taken_off,
            "What lies above and left of a cell was taken off with the rows and with the columns, twice. The last look-up must give it "
            "back: +.",
        ),
        Misconception(
            "one-pixel-short",
            haar_one_pixel_short,
            "Your cells are one pixel too narrow and too low. A box from 2 to 4 is two wide: its look-ups are at 2 and at 4, no -1.",
        ),
        Misconception(
            "all-on-one-spot",
            haar_cells_on_one_spot,
            "All cells lie on the first one. Each column begins one width further right, each row one height further down.",
        ),
        Misconception(
            "sizes-as-corners",
            haar_sizes_as_corners,
            "`box_sum` got width and height where it wants the lower right corner: x2 = left + width, y2 = top + height.",
        ),
        Misconception(
            "no-sign",
            haar_without_a_sign,
            "You took the absolute value. Dark left and light right is another thing than the reverse.",
        ),
        Misconception("mean", haar_as_a_mean, "You divided by the area of a cell. The feature is the plain sum of light minus dark."),
    ],
    hints=[
        "Two loops: over the rows and over the columns of the pattern. Where does the cell in row r, column c begin?",
        "It begins at x + c * width and y + r * height, and ends one width and one height later.",
        "Add `pattern[r, c] * box_sum(table, left, top, left + width, top + height)` for every cell.",
    ],
    points=2,
    twins=(haar.haar_feature, haar.haar_values, "skimage.feature.haar_like_feature", "skimage.feature.haar.haar_like_feature"),
)
