"""Exercises of notebook 01_tensors: layout, range, normalisation. Those on many images at once stand in n01_tensors_many.py."""

import torch

from coursekit import images
from coursekit.exercises.core import Close, Exact, Exercise, Misconception


def _random_image(generator, *shape):
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


# --- to_chw


def to_chw_cases(generator):
    """(label, arguments) for to_chw: every pixel another number, height and width different, so that no two mistakes look alike."""
    yield "two rows, three columns, RGB", (torch.arange(18, dtype=torch.uint8).reshape(2, 3, 3),)
    yield "a square image", (torch.arange(12, dtype=torch.uint8).reshape(2, 2, 3),)  # swapped axes keep the shape here
    yield "grey: (H, W) without channels", (torch.arange(6, dtype=torch.uint8).reshape(2, 3),)
    yield "four channels", (torch.arange(24, dtype=torch.uint8).reshape(3, 2, 4),)
    yield "no rows at all", (torch.zeros(0, 3, 3, dtype=torch.uint8),)
    for _ in range(4):
        height, width = torch.randint(2, 7, (2,), generator=generator).tolist()
        yield "random", (_random_image(generator, height, width, 3),)


def _with_channels(image):
    return image if image.ndim == 3 else image[:, :, None]


def chw_by_reshape(image):
    height, width, channels = _with_channels(image).shape
    return image.reshape(channels, height, width)


def chw_rows_and_columns_swapped(image):
    return _with_channels(image).permute(2, 1, 0)


def chw_permute_read_backwards(image):
    return _with_channels(image).permute(1, 2, 0)


def chw_as_float(image):
    return images.to_chw(image) / 255


def chw_reversed_channels(image):
    return images.to_chw(image).flip(0)


def to_chw_picture(arguments, expected, got):
    """The image that should come out beside the one that did."""
    from coursekit.plots.tensors import show_expected

    return show_expected([expected], [got])


to_chw_exercise = Exercise(
    name="01.to_chw",
    reference=images.to_chw,
    cases=to_chw_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "reshape-not-permute",
            wrong=chw_by_reshape,
            hint="The shape is right and the pixels are not: reshape keeps the order in memory and cuts it at other places. "
            "You want to turn the axes, and each pixel must come along.",
        ),
        Misconception(
            "rows-and-columns-swapped",
            wrong=chw_rows_and_columns_swapped,
            hint="The channels are first, but the image lies on its side: (C, W, H). Which axis of the input is the height?",
        ),
        Misconception(
            "permute-read-backwards",
            wrong=chw_permute_read_backwards,
            hint="permute asks which old axis comes first, which second; you wrote where each axis goes. "
            "The channels are the old axis 2: where must the 2 stand?",
        ),
        Misconception(
            "float-too-soon",
            wrong=chw_as_float,
            hint="The values changed as well: the task is to move pixels, not to scale them. uint8 goes in, uint8 comes out.",
        ),
        Misconception(
            "channels-reversed",
            wrong=chw_reversed_channels,
            hint="Red and blue changed places: that is BGR. Channel 0 of the input is channel 0 of the result.",
        ),
    ],
    hints=[
        "`permute` lists the old axes in their new order. In (H, W, C) the channels are axis 2.",
        "The channels, old axis 2, come first; then the height, old axis 0; then the width. So: permute(2, 0, 1).",
    ],
    points=2,
    picture=to_chw_picture,
)


# --- brighten


def brighten_cases(generator):
    """(label, arguments) for brighten: both ends of the range, and both directions."""

    def row(*pixels):
        return torch.tensor(pixels, dtype=torch.uint8)

    yield "in the middle of the range", (row(10, 100, 150), 20)
    yield "past white", (row(100, 200, 250, 255), 60)
    yield "past black", (row(0, 10, 100, 255), -60)
    yield "nothing to add", (row(0, 1, 254, 255), 0)
    yield "to white exactly", (row(0, 155, 154, 156), 100)
    yield "no pixel", (row(), 10)
    for amount in (-200, -3, 77, 300):
        yield f"random, {amount:+}", (_random_image(generator, 3, 4, 5), amount)


def brighten_wraps(image, amount):
    return ((image.to(torch.int32) + amount) % 256).to(torch.uint8)


def brighten_open_at_the_bottom(image, amount):
    return (image.to(torch.int32) + amount).clamp(max=255).to(torch.uint8)


def brighten_open_at_the_top(image, amount):
    return ((image.to(torch.int32) + amount).clamp(min=0) % 256).to(torch.uint8)


def brighten_stays_wide(image, amount):
    return (image.float() + amount).clamp(0, 255)


def brighten_by_a_factor(image, amount):
    return (image.float() * (1 + amount / 255)).clamp(0, 255).to(torch.uint8)


def brighten_to_254(image, amount):
    return (image.to(torch.int32) + amount).clamp(0, 254).to(torch.uint8)


brighten_exercise = Exercise(
    name="01.brighten",
    reference=images.brighten,
    cases=brighten_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "wraps-around",
            wrong=brighten_wraps,
            hint="Bright pixels turned dark: uint8 counts 254, 255, 0, 1. "
            "A clamp afterwards comes too late: the number is in range again by then. In which dtype must the sum be taken?",
        ),
        Misconception(
            "no-floor",
            wrong=brighten_open_at_the_bottom,
            hint="Above white you stop, below black you do not: -50 became 206 on its way back to uint8.",
        ),
        Misconception(
            "no-ceiling",
            wrong=brighten_open_at_the_top,
            hint="Below black you stop, above white you do not: 260 became 4 on its way back to uint8.",
        ),
        Misconception(
            "not-an-image-any-more",
            wrong=brighten_stays_wide,
            hint="The values are right and the dtype is not: whoever shows or saves it next expects uint8.",
        ),
        Misconception(
            "factor-not-sum",
            wrong=brighten_by_a_factor,
            hint="You multiplied, so black stays black. The amount is to be added to every pixel alike.",
        ),
        Misconception(
            "white-is-254",
            wrong=brighten_to_254,
            hint="Your white stops one step short. uint8 holds 256 values: what is the largest of them?",
        ),
    ],
    hints=[
        "Take the sum where there is room for 300 and for -40, then bring it back.",
        "`image.to(torch.int32)` has room. Then `.clamp(0, 255)`, then `.to(torch.uint8)`: in this order.",
    ],
    points=2,
    twins=("torchvision.transforms.functional.adjust_brightness",),
)


# --- normalise


def normalise_cases(generator):
    """(label, arguments) for normalise. The images are three wide: there mean and std broadcast over columns without a complaint."""
    mean, std = torch.tensor([0.5, 0.4, 0.2]), torch.tensor([0.5, 0.25, 0.1])
    row = torch.tensor([0, 51, 255], dtype=torch.uint8)  # black, 20 % of white, white
    yield "one row of three pixels: black, dark grey, white", (row.expand(3, 1, 3).clone(), mean, std)
    yield "three rows, three columns", (_random_image(generator, 3, 3, 3), mean, std)
    yield "one row, three columns", (_random_image(generator, 3, 1, 3), mean, std)
    yield "float in 0..1 already", (torch.rand(3, 3, 3, generator=generator), mean, std)
    yield "a batch of two", (_random_image(generator, 2, 3, 3, 3), mean, std)
    for _ in range(3):
        mean, std = torch.rand(2, 3, generator=generator) * 0.5 + 0.25
        yield "a random batch", (_random_image(generator, 3, 3, 3, 3), mean, std)


def _scaled(batch):
    return batch if batch.is_floating_point() else batch / 255


def normalise_without_scaling(batch, mean, std):
    return (batch.float() - mean[:, None, None]) / std[:, None, None]


def normalise_scales_floats_too(batch, mean, std):
    return (batch / 255 - mean[:, None, None]) / std[:, None, None]


def normalise_divides_first(batch, mean, std):
    return _scaled(batch) / std[:, None, None] - mean[:, None, None]


def normalise_over_columns(batch, mean, std):
    return (_scaled(batch) - mean) / std


def normalise_over_columns_always_scaled(batch, mean, std):
    return (batch / 255 - mean) / std


def normalise_by_its_own_statistics(batch, mean, std):
    scaled = _scaled(batch)
    return (scaled - scaled.mean(dim=(-2, -1), keepdim=True)) / scaled.std(dim=(-2, -1), keepdim=True)


def normalise_one_number_for_all(batch, mean, std):
    return (_scaled(batch) - mean.mean()) / std.mean()


def normalise_by_variance(batch, mean, std):
    return (_scaled(batch) - mean[:, None, None]) / std[:, None, None] ** 2


WHICH_AXIS = (
    "Broadcasting lines up the last axes, so your three numbers went to three columns instead of three channels. "
    "What shape must `mean` have to stand beside (C, H, W)?"
)

normalise_exercise = Exercise(
    name="01.normalise",
    reference=images.normalise,
    cases=normalise_cases,
    compare=Close(rtol=1e-5, atol=1e-5),
    misconceptions=[
        Misconception(
            "not-scaled",
            wrong=normalise_without_scaling,
            hint="Your numbers are hundreds of times too large: mean and std are for values in 0..1, and these pixels still go to 255.",
        ),
        Misconception(
            "scaled-twice",
            wrong=normalise_scales_floats_too,
            hint="Right for uint8. A float image is in 0..1 already; "
            "divided by 255 once more it is nearly black. Ask `is_floating_point()`.",
        ),
        Misconception(
            "std-before-mean",
            wrong=normalise_divides_first,
            hint="The order matters: first take the mean away, then divide. x / std - mean is not (x - mean) / std.",
        ),
        Misconception("over-columns", wrong=normalise_over_columns, hint=WHICH_AXIS),
        Misconception("over-columns-and-scaled-twice", wrong=normalise_over_columns_always_scaled, hint=WHICH_AXIS),
        Misconception(
            "own-statistics",
            wrong=normalise_by_its_own_statistics,
            hint="You computed mean and std from this image, so a dark photograph and a bright one come out alike. "
            "The ones passed in come from the whole training set and are the same for every image.",
        ),
        Misconception(
            "one-number-for-all",
            wrong=normalise_one_number_for_all,
            hint="You used one mean for all channels. Each channel has its own: red is not as bright as blue on average.",
        ),
        Misconception(
            "variance",
            wrong=normalise_by_variance,
            hint="You divided by the square of std: that is the variance. std is divided by as it is.",
        ),
    ],
    hints=[
        "Three steps: to 0..1 (only if it is not there yet), minus the mean, divided by std.",
        "`mean[:, None, None]` has shape (C, 1, 1): one number a channel, stretched over rows and columns, "
        "for one image and for a batch alike.",
    ],
    points=3,
    twins=("torchvision.transforms.functional.normalize", "torchvision.transforms.v2.functional.normalize"),
)
