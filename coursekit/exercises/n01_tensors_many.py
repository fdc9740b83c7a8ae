"""Exercises of notebook 01_tensors, continued: batches, every pair at once, every patch at once."""

import torch

from coursekit import images
from coursekit.exercises.core import Close, Exact, Exercise, Misconception

# --- make_batch


def make_batch_cases(generator):
    """(label, arguments) for make_batch: no pixel of an image is 0, so that what is filled in can be told from what was there."""

    def image(height, width, channels=3):
        return torch.randint(1, 200, (channels, height, width), generator=generator, dtype=torch.uint8)

    yield "one image alone", ([image(1, 3)],)
    wide = torch.tensor([[[11, 12, 13]]], dtype=torch.uint8)
    tall = torch.tensor([[[21], [22]]], dtype=torch.uint8)
    yield "a wide one and a tall one, grey", ([wide, tall],)  # neither is the largest both ways
    yield "the larger one first", ([image(4, 4), image(2, 2)],)
    yield "all of one size", ([image(3, 2) for _ in range(3)],)
    yield "one channel", ([image(2, 2, 1), image(3, 1, 1)],)
    for _ in range(3):
        sizes = torch.randint(1, 7, (3, 2), generator=generator).tolist()
        yield "random sizes", ([image(*size) for size in sizes],)


def _batch(pictures, place, size=max, fill=0):
    height, width = (size(p.shape[axis] for p in pictures) for axis in (1, 2))
    batch = pictures[0].new_full((len(pictures), pictures[0].shape[0], height, width), fill)
    for row, picture in zip(batch, pictures, strict=True):
        place(row, picture)
    return batch


def _top_left(row, picture):
    row[:, : picture.shape[1], : picture.shape[2]] = picture[:, : row.shape[1], : row.shape[2]]


def _bottom_right(row, picture):
    row[:, row.shape[1] - picture.shape[1] :, row.shape[2] - picture.shape[2] :] = picture


def _centre(row, picture):
    top, left = (row.shape[1] - picture.shape[1]) // 2, (row.shape[2] - picture.shape[2]) // 2
    row[:, top : top + picture.shape[1], left : left + picture.shape[2]] = picture


def batch_bottom_right(pictures):
    return _batch(pictures, _bottom_right)


def batch_centred(pictures):
    return _batch(pictures, _centre)


def batch_cropped(pictures):
    return _batch(pictures, _top_left, size=min)


def batch_filled_white(pictures):
    return _batch(pictures, _top_left, fill=255)


def batch_stretched(pictures):
    size = [max(p.shape[axis] for p in pictures) for axis in (1, 2)]
    return torch.cat([torch.nn.functional.interpolate(p[None].float(), size).to(p.dtype) for p in pictures])


def batch_square(pictures):
    side = max(max(p.shape[1:]) for p in pictures)
    return _batch([*pictures, pictures[0].new_zeros(pictures[0].shape[0], side, side)], _top_left)[:-1]


def batch_channels_first(pictures):
    return _batch(pictures, _top_left).transpose(0, 1)


def make_batch_picture(arguments, expected, got):
    """The batch that should come out above the one that did."""
    from coursekit.plots.tensors import show_expected

    return show_expected(list(expected), list(got))


make_batch_exercise = Exercise(
    name="01.make_batch",
    reference=images.make_batch,
    cases=make_batch_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "bottom-right",
            wrong=batch_bottom_right,
            hint="You filled at the top and at the left, so every pixel moved, and with it every box. "
            "Leave the images in the top left corner.",
        ),
        Misconception(
            "centred",
            wrong=batch_centred,
            hint="Centred looks nice, but every pixel moved, and so would every box that was drawn for it. Top left moves nothing.",
        ),
        Misconception(
            "cropped-to-the-smallest",
            wrong=batch_cropped,
            hint="Pixels went missing: you cut all images to the smallest. Take the largest height and the largest width.",
        ),
        Misconception("filled-with-white", wrong=batch_filled_white, hint="You filled with 255, which is white. Black is 0."),
        Misconception(
            "stretched",
            wrong=batch_stretched,
            hint="You stretched small images to the common size: a circle becomes an ellipse. Fill the rest instead.",
        ),
        Misconception(
            "square",
            wrong=batch_square,
            hint="You made everything square. Height and width are maximised each on its own: a wide batch need not be tall.",
        ),
        Misconception(
            "channels-first",
            wrong=batch_channels_first,
            hint="Your result is (C, N, H, W). The images are counted by the first axis: (N, C, H, W).",
        ),
    ],
    hints=[
        "First the common size: the largest height of all, and the largest width of all. Then an empty batch of that size.",
        "`batch = torch.zeros(N, C, H, W, dtype=torch.uint8)`, then for each image `batch[i, :, :h, :w] = image`.",
    ],
    points=3,
    picture=make_batch_picture,
)


# --- pairwise_distance


def pairwise_distance_cases(generator):
    """(label, arguments) for pairwise_distance: different N and M, and one square case, where a transposed answer has the right shape."""

    def points(*rows):
        return torch.tensor(rows, dtype=torch.float32)

    yield "the 3-4-5 triangle", (points([0, 0]), points([3, 4]))  # 5; squared 25, by city blocks 7, the longest side 4
    yield "two points against two", (points([0, 0], [10, 0]), points([0, 1], [0, 5]))
    yield "one against three", (points([1, 1]), points([1, 1], [4, 5], [-2, 1]))
    yield "in one dimension", (points([1], [4]), points([2], [6], [0]))
    yield "no points at all", (torch.zeros(0, 2), points([1, 2]))
    for n, m, d in ((2, 2, 3), (4, 3, 2), (3, 5, 8)):
        yield "random", (torch.randn(n, d, generator=generator), torch.randn(m, d, generator=generator))


def _differences(points1, points2):
    return points1[:, None, :] - points2[None, :, :]


def distance_squared(points1, points2):
    return (_differences(points1, points2) ** 2).sum(dim=2)


def distance_by_blocks(points1, points2):
    return _differences(points1, points2).abs().sum(dim=2)


def distance_transposed(points1, points2):
    return images.pairwise_distance(points1, points2).T


def distance_mean(points1, points2):
    return (_differences(points1, points2) ** 2).mean(dim=2).sqrt()


def distance_root_first(points1, points2):
    return _differences(points1, points2).sum(dim=2).abs()


def distance_of_equal_rows(points1, points2):
    count = min(len(points1), len(points2))
    return (points1[:count] - points2[:count]).norm(dim=1)


def distance_summed_over_points(points1, points2):
    return (_differences(points1, points2) ** 2).sum(dim=1).sqrt()


pairwise_distance_exercise = Exercise(
    name="01.pairwise_distance",
    reference=images.pairwise_distance,
    cases=pairwise_distance_cases,
    compare=Close(rtol=1e-5, atol=1e-5),
    misconceptions=[
        Misconception(
            "no-root",
            wrong=distance_squared,
            hint="These are squared distances: 25 where Pythagoras says 5.",
        ),
        Misconception(
            "city-blocks",
            wrong=distance_by_blocks,
            hint="You added up the absolute differences: 3 + 4 = 7, the way along city blocks. "
            "The straight line is shorter: square, add, root.",
        ),
        Misconception(
            "transposed",
            wrong=distance_transposed,
            hint="Rows and columns changed places. Row i belongs to point i of `points1`, so `points1` gets its new axis in second place.",
        ),
        Misconception(
            "mean-not-sum",
            wrong=distance_mean,
            hint="You took the mean of the squares. Pythagoras adds them, however many dimensions there are.",
        ),
        Misconception(
            "root-of-the-squared-sum",
            wrong=distance_root_first,
            hint="You added first and squared after, so (3, -3) has length 0. Square each coordinate's difference before you add.",
        ),
        Misconception(
            "only-equal-rows",
            wrong=distance_of_equal_rows,
            hint="You compared the first with the first, the second with the second. Every point meets every point: (N, M), not (N,).",
        ),
        Misconception(
            "summed-over-points",
            wrong=distance_summed_over_points,
            hint="You summed over the points of `points2`. The coordinates are the last axis of (N, M, D): sum over that one.",
        ),
    ],
    hints=[
        "Aim for a tensor of shape (N, M, D) that holds all differences. What must each input look like to stretch to it?",
        "`points1[:, None, :]` is (N, 1, D) and `points2[None, :, :]` is (1, M, D). "
        "Their difference is (N, M, D): square, sum over dim=2, root.",
    ],
    points=3,
    twins=("torch.cdist", "torch.nn.functional.pairwise_distance"),
)


# --- patches


def patches_cases(generator):
    """(label, arguments) for patches: wider than tall, overlapping and not, and with a rest that fits no patch."""
    counting = torch.arange(24, dtype=torch.uint8).reshape(1, 4, 6)
    yield "4x6 cut into 2x2", (counting, 2, 2)
    yield "overlapping by one", (counting, 2, 1)
    yield "a rest that fits no patch", (counting[:, :, :5], 2, 2)
    yield "a stride larger than a patch", (counting, 1, 3)
    yield "one patch, the whole image", (counting[:, :, :4], 4, 1)
    yield "three channels", (torch.arange(36, dtype=torch.uint8).reshape(3, 3, 4), 2, 1)
    for size, stride in ((3, 2), (2, 3), (4, 1)):
        yield (
            f"random, {size}x{size} every {stride}",
            (torch.randint(0, 256, (3, 8, 11), generator=generator, dtype=torch.uint8), size, stride),
        )


def patches_never_overlap(image, size, stride):
    return images.patches(image, size, size)


def patches_columns_first(image, size, stride):
    return images.patches(image, size, stride).transpose(0, 1)


def patches_on_their_side(image, size, stride):
    return images.patches(image, size, stride).transpose(3, 4)


def patches_arguments_swapped(image, size, stride):
    return images.patches(image, min(stride, *image.shape[1:]), size)


def patches_channels_in_front(image, size, stride):
    return image.unfold(1, size, stride).unfold(2, size, stride)


def patches_without_the_last(image, size, stride):
    return images.patches(image, size, stride)[:-1, :-1]


def patches_filled_up(image, size, stride):
    rest = [(-(n - size)) % stride for n in image.shape[1:]]
    return images.patches(torch.nn.functional.pad(image, (0, rest[1], 0, rest[0])), size, stride)


def patches_picture(arguments, expected, got):
    """The first row of patches that should come out above the one that did."""
    from coursekit.plots.tensors import show_expected

    return show_expected(list(expected[0, :6]), list(got[0, :6]))


patches_exercise = Exercise(
    name="01.patches",
    reference=images.patches,
    cases=patches_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "never-overlap",
            wrong=patches_never_overlap,
            hint="Your patches stand side by side whatever `stride` says. It is the step from one patch to the next: 1 means they overlap.",
        ),
        Misconception(
            "columns-first",
            wrong=patches_columns_first,
            hint="result[0, 1] must be the patch to the right of result[0, 0]. Yours is the one below: rows come first.",
        ),
        Misconception(
            "on-their-side",
            wrong=patches_on_their_side,
            hint="The patches are the right ones, but each lies on its side. Which of the two new axes came from the height?",
        ),
        Misconception(
            "size-and-stride-swapped",
            wrong=patches_arguments_swapped,
            hint="You swapped size and stride. `tensor.unfold(dimension, size, step)`: the size comes first.",
        ),
        Misconception(
            "channels-in-front",
            wrong=patches_channels_in_front,
            hint="The patches are cut well, but the channels still stand in front: (C, rows, columns, size, size). "
            "permute them to (rows, columns, C, size, size), so that result[row, column] is one small image.",
        ),
        Misconception(
            "last-one-missing",
            wrong=patches_without_the_last,
            hint="The last row and the last column of patches are missing. How many windows of 2 fit into 4 at stride 2? (4 - 2) / 2 + 1.",
        ),
        Misconception(
            "filled-up",
            wrong=patches_filled_up,
            hint="You made up pixels to fill the last patch. What does not fill a whole patch is left out.",
        ),
    ],
    hints=[
        "`image.unfold(1, size, stride)` slides along the height and puts the pixels of each window into a new last axis.",
        "Unfold axis 1, then axis 2: now it is (C, rows, columns, size, size). "
        "Move the channels behind rows and columns with permute(1, 2, 0, 3, 4).",
    ],
    points=3,
    picture=patches_picture,
)
