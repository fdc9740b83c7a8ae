"""Exercises of notebook 11_augmentation on pixels alone: hide a part (cutout), mix two images (mixup)."""

import torch

from coursekit.data.geometric import GREY, paste
from coursekit.data.mosaic import mix_labels
from coursekit.data.photometric import paint_hole
from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.exercises.n11_augmentation import numbered, random_image

# --- cutout


def cutout(image, centre, side, fill):
    """A copy of the image with a square of side pixels painted over; centre is (y, x), its first row is y - side // 2."""
    top, left = centre[0] - side // 2, centre[1] - side // 2
    return paint_hole(image, (left, top, left + side, top + side), fill)


def cutout_cases(generator):
    """(label, arguments) for cutout: in the middle, over each edge, odd and even sides."""
    image = numbered(6, 9)
    yield "in the middle", (image, (3, 4), 2, 114)
    yield "an odd side", (image, (3, 4), 3, 114)
    yield "over the left and the upper edge", (image, (0, 1), 4, 114)
    yield "over the right and the lower edge", (image, (5, 8), 4, 114)
    yield "larger than the image", (image, (3, 4), 40, 0)
    yield "a side of 0", (image, (3, 4), 0, 114)
    yield "a centre far above", (image, (-4, 4), 3, 114)
    yield "a centre far to the left", (image, (3, -4), 3, 114)
    yield "white", (image, (2, 6), 2, 255)
    yield "a grey image", (numbered(6, 9)[:1], (2, 2), 3, 7)
    for side in (1, 5):
        yield "random", (random_image(generator, 7, 10), (int(torch.randint(7, (), generator=generator)), 2), side, GREY)


def cutout_wraps(image, centre, side, fill):
    top, left = centre[0] - side // 2, centre[1] - side // 2
    image = image.clone()
    image[:, top : top + side, left : left + side] = fill
    return image


def cutout_pushed_inside(image, centre, side, fill):
    (y, x), (height, width) = centre, image.shape[1:]
    top, left = (min(max(0, place - side // 2), max(0, size - side)) for place, size in ((y, height), (x, width)))
    return paint_hole(image, (left, top, left + side, top + side), fill)


def cutout_begins_late(image, centre, side, fill):
    top, left = (max(0, place - side // 2) for place in centre)
    return paint_hole(image, (left, top, left + side, top + side), fill)


def cutout_ends_below_zero(image, centre, side, fill):
    top, left = (place - side // 2 for place in centre)
    image = image.clone()
    image[:, max(0, top) : top + side, max(0, left) : left + side] = fill
    return image


def cutout_in_place(image, centre, side, fill):
    image[:] = cutout(image, centre, side, fill)
    return image


def cutout_x_before_y(image, centre, side, fill):
    return cutout(image, centre[::-1], side, fill)


def cutout_one_channel(image, centre, side, fill):
    first = cutout(image, centre, side, fill)[:1]
    return torch.cat([first, image[1:]])


def cutout_always_grey(image, centre, side, fill):
    return cutout(image, centre, side, GREY)


def cutout_centre_is_the_corner(image, centre, side, fill):
    y, x = centre
    return paint_hole(image, (x, y, x + side, y + side), fill)


def cutout_half_both_ways(image, centre, side, fill):
    (y, x), half = centre, side // 2
    return paint_hole(image, (x - half, y - half, x + half, y + half), fill)


def cutout_half_both_ways_by_slices(image, centre, side, fill):
    (y, x), half, image = centre, side // 2, image.clone()
    image[:, max(0, y - half) : y + half, max(0, x - half) : x + half] = fill
    return image


cutout_exercise = Exercise(
    name="11.cutout",
    reference=cutout,
    cases=cutout_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "counts-from-the-end",
            wrong=cutout_wraps,
            hint="Near the left or the upper edge nothing was painted: "
            "a slice that begins at -2 counts from the other side. Where must it begin?",
        ),
        Misconception(
            "pushed-inside",
            wrong=cutout_pushed_inside,
            hint="You moved the square until it fitted. It may stick out; only what lies inside is painted.",
        ),
        Misconception(
            "begins-late",
            wrong=cutout_begins_late,
            hint="At the left or the upper edge the square has all of its `side` rows, counted from 0. Part of them should lie outside: "
            "where does it end, if it begins at -2?",
        ),
        Misconception(
            "ends-below-zero",
            wrong=cutout_ends_below_zero,
            hint="This square lies outside altogether, and a large part of the image was painted. It ends at a row below 0, "
            "and a slice up to -2 goes nearly to the other side.",
        ),
        Misconception(
            "changes-the-data",
            wrong=cutout_in_place,
            hint="The caller's image was painted as well. In the next epoch it would get a second hole, then a third. Work on a copy.",
        ),
        Misconception("x-before-y", wrong=cutout_x_before_y, hint="The centre is (y, x): row first, as the image's own axes are."),
        Misconception("one-channel", wrong=cutout_one_channel, hint="Only the first channel was painted; a hole is one in all of them."),
        Misconception("always-grey", wrong=cutout_always_grey, hint="The colour is an argument: `fill`."),
        Misconception(
            "centre-as-corner",
            wrong=cutout_centre_is_the_corner,
            hint="The square begins at the centre that was given. Half of it must lie before: y - side // 2.",
        ),
        Misconception(
            "half-both-ways",
            wrong=cutout_half_both_ways,
            hint="An odd side lost a pixel: half to each way is 1 + 1 for a side of 3. Find the first row, then go on for `side` rows.",
        ),
        Misconception(
            "half-both-ways-by-slices",
            wrong=cutout_half_both_ways_by_slices,
            hint="An odd side lost a pixel: half to each way is 1 + 1 for a side of 3. Find the first row, then go on for `side` rows. "
            "And mind where a square ends that lies above the image: no slice may end below 0.",
        ),
    ],
    hints=[
        "First row y - side // 2, last row excluded: first + side. The same for columns.",
        "`max(0, first)` keeps a slice from counting from the end; a slice that ends behind the image is cut by itself.",
    ],
    points=2,
    twins=[
        paint_hole,
        paste,
        "torchvision.transforms.v2.functional.erase",
        "torchvision.transforms.v2.functional.erase_image",
        "torchvision.transforms.functional.erase",
    ],
)


# --- mixup


def mixup_cases(generator):
    """(label, arguments) for mixup: shares that are not one half, labels that differ and that agree."""
    dark, light = (torch.full((3, 2, 3), value, dtype=torch.uint8) for value in (40, 200))
    yield "a quarter of the first", (dark, 0, light, 2, 0.25, 3)
    yield "half and half", (light, 1, dark, 0, 0.5, 3)
    yield "two of one class", (dark, 2, light, 2, 0.3, 3)
    yield "nothing of the first", (dark, 1, light, 0, 0.0, 2)
    yield "all of the first", (dark, 1, light, 0, 1.0, 2)
    for share in (0.1, 0.65, 0.9):
        first, second = random_image(generator, 4, 5), random_image(generator, 4, 5)
        yield "random", (first, 3, second, int(torch.randint(5, (), generator=generator)), share, 5)


def _soft(label1, label2, share, num_classes):
    target = torch.zeros(num_classes)
    target[label1] += share
    target[label2] += 1 - share
    return target


def _mixed(image1, image2, share):
    return share * image1.float() + (1 - share) * image2.float()


def mixup_label_of_the_first(image1, label1, image2, label2, share, num_classes):
    return _mixed(image1, image2, share), _soft(label1, label1, 1.0, num_classes)


def mixup_label_of_the_larger(image1, label1, image2, label2, share, num_classes):
    label = label1 if share >= 0.5 else label2
    return _mixed(image1, image2, share), _soft(label, label, 1.0, num_classes)


def mixup_overwrites(image1, label1, image2, label2, share, num_classes):
    target = torch.zeros(num_classes)
    target[label1] = share
    target[label2] = 1 - share
    return _mixed(image1, image2, share), target


def mixup_shares_swapped(image1, label1, image2, label2, share, num_classes):
    return _mixed(image1, image2, share), _soft(label1, label2, 1 - share, num_classes)


def mixup_other_way_round(image1, label1, image2, label2, share, num_classes):
    return _mixed(image1, image2, 1 - share), _soft(label1, label2, 1 - share, num_classes)


def mixup_always_half(image1, label1, image2, label2, share, num_classes):
    return _mixed(image1, image2, 0.5), _soft(label1, label2, 0.5, num_classes)


def mixup_scaled(image1, label1, image2, label2, share, num_classes):
    return _mixed(image1, image2, share) / 255, _soft(label1, label2, share, num_classes)


def mixup_cut_to_whole_numbers(image1, label1, image2, label2, share, num_classes):
    return _mixed(image1, image2, share).to(torch.uint8).float(), _soft(label1, label2, share, num_classes)


mixup_exercise = Exercise(
    name="11.mixup",
    reference=mix_labels,
    cases=mixup_cases,
    compare=Close(rtol=1e-5, atol=1e-4),
    misconceptions=[
        Misconception(
            "label-of-the-first",
            wrong=mixup_label_of_the_first,
            hint="The pixels are mixed and the label is that of the first alone. "
            "A quarter stop sign is a quarter of a stop sign in the label, too.",
        ),
        Misconception(
            "label-of-the-larger",
            wrong=mixup_label_of_the_larger,
            hint="You took the label of whichever has more. The loss should ask for both, each by its share.",
        ),
        Misconception(
            "overwritten",
            wrong=mixup_overwrites,
            hint="With two images of one class the probabilities no longer add up to 1: the second share replaced the first. Add it.",
        ),
        Misconception(
            "shares-swapped",
            wrong=mixup_shares_swapped,
            hint="The image has `share` of the first, the label has 1 - share of it.",
        ),
        Misconception(
            "the-other-way-round", wrong=mixup_other_way_round, hint="`share` is that of the first image, and 1 - share that of the second."
        ),
        Misconception("always-half", wrong=mixup_always_half, hint="You mixed half and half, whatever `share` says."),
        Misconception(
            "divided-by-255",
            wrong=mixup_scaled,
            hint="You scaled the pixels to 0..1. Here they stay in 0..255: scaling is the network's job.",
        ),
        Misconception(
            "cut-to-whole-numbers",
            wrong=mixup_cut_to_whole_numbers,
            hint="The mix went through uint8 on its way and lost its fractions. Convert to float first and stay there.",
        ),
    ],
    hints=[
        "`share * image1.float() + (1 - share) * image2.float()`, and the same for the two labels as rows of 0 and 1.",
        "target = zeros(num_classes); target[label1] += share; target[label2] += 1 - share.",
    ],
    points=2,
    twins=["torchvision.transforms.v2.MixUp"],
)
