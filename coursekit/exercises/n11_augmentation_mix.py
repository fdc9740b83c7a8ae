"""Exercises of notebook 11_augmentation on several images, mixup and mosaic, and its planted bug."""

import torch

from coursekit.data.mosaic import mix_labels, mosaic_at
from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.exercises.n11_augmentation import boxes_of, crop_with_boxes, hflip, numbered, random_boxes, random_image

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


# --- mosaic


def mosaic(images, boxes, centre, size_hw):
    """Four images, one in each quarter about centre (x, y), its corner against it, grey where there is none; boxes follow and are cut."""
    samples = [(image, {"boxes": b}) for image, b in zip(images, boxes, strict=True)]
    canvas, target = mosaic_at(samples, centre, [1.0] * 4, size_hw, min_visible=0.0)
    return canvas, target["boxes"]


def mosaic_cases(generator):
    """(label, arguments) for mosaic: quarters of four sizes, images larger and smaller than theirs, boxes that are cut and lost."""
    four = [
        torch.full((3, 10, 12), value, dtype=torch.uint8) + (torch.arange(120) % 40).to(torch.uint8).reshape(10, 12)
        for value in (0, 60, 120, 180)
    ]
    one_each = [boxes_of([2, 1, 5, 4])] * 4
    yield (
        "a box in each",
        (four, [boxes_of([6, 5, 11, 9]), boxes_of([1, 4, 5, 9]), boxes_of([5, 1, 11, 4]), boxes_of([1, 1, 4, 3])], (8, 6), (14, 18)),
    )
    yield "small images: grey remains", ([image[:, :3, :4] for image in four], [boxes_of([1, 0, 3, 2])] * 4, (8, 6), (14, 18))
    yield "some boxes are cut, some are lost", (four, one_each, (4, 8), (12, 12))
    yield "the centre far right and high up", (four, one_each, (15, 3), (14, 18))
    yield "no boxes at all", (four, [boxes_of()] * 4, (8, 6), (14, 18))
    yield "boxes in the third alone", (four, [boxes_of(), boxes_of(), boxes_of([3, 0, 9, 5], [0, 0, 12, 10]), boxes_of()], (7, 5), (12, 16))
    yield (
        "images of four sizes",
        (
            [numbered(5, 9), numbered(9, 5), numbered(12, 7), numbered(7, 12)],
            [boxes_of([1, 1, 8, 4]), boxes_of([0, 2, 5, 9]), boxes_of([2, 3, 7, 6]), boxes_of([0, 0, 12, 7])],
            (6, 8),
            (15, 13),
        ),
    )
    for _ in range(2):
        images = [random_image(generator, 11, 13) for _ in range(4)]
        yield "random", (images, [random_boxes(generator, 2, 11, 13) for _ in range(4)], (9, 7), (16, 20))


def _assemble(images, boxes, centre, size_hw, corner=True, shift=True, clip=True, order=(0, 1, 2, 3), fill=114, drop=True):
    """A mosaic with one rule switched off."""
    (cx, cy), (height, width) = centre, size_hw
    canvas = torch.full((3, height, width), fill, dtype=torch.uint8)
    found = []
    for place, which in enumerate(order):
        image, b = images[which], boxes[which]
        x1, x2 = (cx, width) if place % 2 else (0, cx)
        y1, y2 = (cy, height) if place >= 2 else (0, cy)
        h, w = image.shape[1:]
        left = x2 - w if not place % 2 and corner else x1
        top = y2 - h if place < 2 and corner else y1
        a, t = max(left, x1), max(top, y1)
        c, u = min(left + w, x2), min(top + h, y2)
        if c > a and u > t:
            canvas[:, t:u, a:c] = image[:, t - top : u - top, a - left : c - left]
        moved = b + b.new_tensor([left, top, left, top]) if shift else b
        if clip:
            moved = moved.maximum(b.new_tensor([x1, y1, x1, y1])).minimum(b.new_tensor([x2, y2, x2, y2]))
        sides = moved[:, 2:] - moved[:, :2]
        found.append(moved[(sides > 0).all(dim=1)] if drop else moved)
    return canvas, torch.cat(found)


def mosaic_boxes_not_shifted(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre, size_hw)[0], torch.cat(list(boxes))


def mosaic_corner_at_the_edge(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre, size_hw, corner=False)


def mosaic_not_clipped(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre, size_hw, clip=False)


def mosaic_lost_kept(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre, size_hw, drop=False)


def mosaic_transposed(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre, size_hw, order=(0, 2, 1, 3))


def mosaic_black(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre, size_hw, fill=0)


def mosaic_centre_swapped(images, boxes, centre, size_hw):
    return _assemble(images, boxes, centre[::-1], size_hw)


def mosaic_picture(arguments, expected, got):
    """The mosaic with the right boxes and with those that came."""
    from coursekit.plots.augmentation import show_answer_boxes

    return show_answer_boxes(expected, got)


mosaic_exercise = Exercise(
    name="11.mosaic",
    reference=mosaic,
    cases=mosaic_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "boxes-not-moved",
            wrong=mosaic_boxes_not_shifted,
            hint="The pixels are right, the boxes are still written in their own images' pixels. By how much was each image moved?",
        ),
        Misconception(
            "corner-at-the-edge",
            wrong=mosaic_corner_at_the_edge,
            hint="You laid each image into the upper left corner of its quarter. "
            "The image's corner must meet the centre: the one at the top left "
            "ends there, so it begins at cx - w, which may be negative.",
        ),
        Misconception(
            "not-clipped",
            wrong=mosaic_not_clipped,
            hint="A box reaches into the quarter next to it. Its image is cut at the quarter's edge, and the box must be, too.",
        ),
        Misconception(
            "lost-ones-kept",
            wrong=mosaic_lost_kept,
            hint="A box that was cut away altogether came back without area. Keep only those with width and height above 0.",
        ),
        Misconception(
            "quarters-exchanged",
            wrong=mosaic_transposed,
            hint="The order is top left, top right, bottom left, bottom right; yours goes down before it goes right.",
        ),
        Misconception("black-not-grey", wrong=mosaic_black, hint="What no image covers is grey, 114: a black area would be a strong edge."),
        Misconception("centre-read-as-row-column", wrong=mosaic_centre_swapped, hint="centre is (x, y): x is a column."),
    ],
    hints=[
        "For each quarter find (x1, y1, x2, y2), then where its image begins: "
        "left = x2 - w on the left side, x1 on the right; the same for top.",
        "What is seen of it: columns from max(left, x1) to min(left + w, x2). In the image's own pixels, take `left` off.",
        "Boxes: plus (left, top, left, top), clipped to the quarter, kept where both sides are above 0.",
    ],
    points=4,
    twins=[mosaic_at],
)


# --- the planted bug: crop, then mirror


def crop_and_flip(image, boxes, labels, window, min_visible):
    """Cut out the window, then mirror what is left; boxes and labels follow."""
    image, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    image, boxes = hflip(image, boxes)
    return image, boxes, labels


def crop_and_flip_cases(generator):
    """(label, arguments): windows that are narrower than the image, and one that is not."""
    yield "the left half", (numbered(6, 12), boxes_of([1, 1, 4, 4]), torch.tensor([2]), (0, 0, 6, 6), 0.5)
    yield "the right half", (numbered(6, 12), boxes_of([7, 1, 12, 4]), torch.tensor([2]), (6, 0, 12, 6), 0.5)
    yield "the whole width", (numbered(6, 12), boxes_of([1, 1, 4, 4]), torch.tensor([2]), (0, 0, 12, 6), 0.5)
    yield "one box is lost", (numbered(6, 12), boxes_of([1, 1, 4, 4], [9, 2, 12, 5]), torch.tensor([2, 4]), (4, 1, 12, 6), 0.5)
    yield "no boxes", (numbered(6, 12), boxes_of(), torch.zeros(0, dtype=torch.int64), (2, 1, 9, 5), 0.5)
    for _ in range(3):
        boxes, labels = random_boxes(generator, 4, 16, 24), torch.randint(0, 9, (4,), generator=generator)
        yield "random", (random_image(generator, 16, 24), boxes, labels, (5, 3, 20, 14), 0.3)


def flips_about_the_old_width(image, boxes, labels, window, min_visible):
    width = image.shape[2]
    image, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    return image.flip(2), torch.stack([width - x2, y1, width - x1, y2], dim=1), labels


def flips_before_it_crops(image, boxes, labels, window, min_visible):
    image, boxes = hflip(image, boxes)
    return crop_with_boxes(image, boxes, labels, window, min_visible)


def flips_about_the_windows_edge(image, boxes, labels, window, min_visible):
    image, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    return image.flip(2), torch.stack([window[2] - x2, y1, window[2] - x1, y2], dim=1), labels


def flips_the_boxes_no_more(image, boxes, labels, window, min_visible):
    image, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    return image.flip(2), boxes, labels


crop_and_flip_exercise = Exercise(
    name="11.crop_and_flip",
    reference=crop_and_flip,
    cases=crop_and_flip_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "the-old-width",
            wrong=flips_about_the_old_width,
            hint="That is the planted bug. Which image's width does `width` hold at the moment when the boxes are mirrored?",
        ),
        Misconception(
            "mirrored-first",
            wrong=flips_before_it_crops,
            hint="Now boxes and pixels agree, but another part of the image was cut out: mirrored first, the window shows the other side. "
            "Keep the order, and mind the width.",
        ),
        Misconception(
            "the-windows-edge",
            wrong=flips_about_the_windows_edge,
            hint="The window's right edge is a place in the old image. How *wide* is what was cut out?",
        ),
        Misconception("boxes-not-mirrored", wrong=flips_the_boxes_no_more, hint="The pixels are mirrored and the boxes are not."),
    ],
    hints=[
        "Print `width` and `image.shape[2]` just before the boxes are mirrored.",
        "Ask for the width after the crop.",
    ],
    points=2,
)
