"""Exercises of notebook 11_augmentation on one image: mirror, crop, hide a part. Those on several stand in n11_augmentation_mix.py."""

import torch

from coursekit.data.geometric import GREY, crop, horizontal_flip
from coursekit.data.photometric import paint_hole
from coursekit.exercises.core import Exact, Exercise, Misconception


def random_image(generator, height, width, channels=3):
    """uint8 (C, H, W), every pixel drawn."""
    return torch.randint(0, 256, (channels, height, width), generator=generator, dtype=torch.uint8)


def random_boxes(generator, count, height, width):
    """(count, 4) float32 whole-numbered boxes with area, inside the image."""
    corners = [torch.randint(0, side, (count, 2), generator=generator).sort(dim=1).values for side in (width, height)]
    (x1, x2), (y1, y2) = (pair.unbind(dim=1) for pair in corners)
    return torch.stack([x1, y1, x2 + 1, y2 + 1], dim=1).to(torch.float32)


def numbered(height, width):
    """An image in which every pixel has a number of its own: (3, H, W)."""
    return (torch.arange(3 * height * width) % 251).to(torch.uint8).reshape(3, height, width)


def boxes_of(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


# --- hflip


def hflip(image, boxes):
    """uint8 (3, H, W) and (N, 4) xyxy -> both mirrored left to right."""
    image, target = horizontal_flip(image, {"boxes": boxes})
    return image, target["boxes"]


def hflip_cases(generator):
    """(label, arguments) for hflip: images that are not square, boxes that are not in the middle."""
    yield "a box at the left edge", (numbered(4, 10), boxes_of([0, 1, 3, 3]))
    yield "a box in the middle", (numbered(4, 10), boxes_of([4, 0, 6, 4]))
    yield "two boxes, half pixels", (numbered(6, 9), boxes_of([1.5, 2, 4, 5.5], [0, 0, 9, 6]))
    yield "a square image", (numbered(5, 5), boxes_of([0, 0, 2, 1]))
    yield "no boxes", (numbered(3, 7), boxes_of())
    yield "one column", (numbered(3, 1), boxes_of([0, 0, 1, 2]))
    for _ in range(3):
        yield "random", (random_image(generator, 8, 12), random_boxes(generator, 3, 8, 12))


def hflip_boxes_forgotten(image, boxes):
    return image.flip(2), boxes


def hflip_edges_not_swapped(image, boxes):
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    width = image.shape[2]
    return image.flip(2), torch.stack([width - x1, y1, width - x2, y2], dim=1)


def hflip_last_pixel(image, boxes):
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    last = image.shape[2] - 1
    return image.flip(2), torch.stack([last - x2, y1, last - x1, y2], dim=1)


def hflip_by_height(image, boxes):
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    height = image.shape[1]
    return image.flip(2), torch.stack([height - x2, y1, height - x1, y2], dim=1)


def hflip_upside_down(image, boxes):
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    height = image.shape[1]
    return image.flip(1), torch.stack([x1, height - y2, x2, height - y1], dim=1)


def hflip_image_forgotten(image, boxes):
    return image, hflip(image, boxes)[1]


def hflip_picture(arguments, expected, got):
    """The mirrored image with the right boxes and with those that came."""
    from coursekit.plots.augmentation import show_answer_boxes

    return show_answer_boxes(expected, got)


hflip_exercise = Exercise(
    name="11.hflip",
    reference=hflip,
    cases=hflip_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "boxes-forgotten",
            wrong=hflip_boxes_forgotten,
            hint="The image is mirrored and the boxes are where they were. Where is a sign that stood 2 pixels from the left edge now?",
        ),
        Misconception(
            "edges-not-swapped",
            wrong=hflip_edges_not_swapped,
            hint="x1 came out larger than x2: the box is inside out. Which edge of the old box is the left edge of the new one?",
        ),
        Misconception(
            "minus-one",
            wrong=hflip_last_pixel,
            hint="Every box is one pixel too far left. Pixels are mirrored to W - 1 - x, but edges lie between pixels: a box from 0 to W "
            "must become itself.",
        ),
        Misconception("height-for-width", wrong=hflip_by_height, hint="You took the height for the width: an image is (C, H, W)."),
        Misconception(
            "upside-down",
            wrong=hflip_upside_down,
            hint="That is the vertical flip: axis 1 is the rows. Cars do not drive on the sky; turn axis 2.",
        ),
        Misconception("image-forgotten", wrong=hflip_image_forgotten, hint="The boxes moved, the image did not."),
    ],
    hints=[
        "`image.flip(2)` turns the columns round. A point at x goes to W - x.",
        "The old right edge x2 becomes the new left edge W - x2; y stays.",
    ],
    points=2,
    twins=[horizontal_flip, "torchvision.transforms.v2.functional.horizontal_flip", "torchvision.transforms.functional.hflip"],
    picture=hflip_picture,
)


# --- crop


def crop_with_boxes(image, boxes, labels, window, min_visible):
    """Cut out window (x1, y1, x2, y2); boxes follow, and go with their labels where less than min_visible of them is left."""
    image, target = crop(image, {"boxes": boxes, "labels": labels}, window, min_visible)
    return image, target["boxes"], target["labels"]


def crop_cases(generator):
    """(label, arguments) for crop_with_boxes: boxes inside, cut, cut by exactly the share that is allowed, and outside."""
    image, labels = numbered(8, 12), torch.tensor([3, 5])
    window = (2, 1, 10, 7)
    yield "all inside", (image, boxes_of([3, 2, 6, 4], [4, 4, 8, 6]), labels, window, 0.5)
    yield "one sticks out by a quarter", (image, boxes_of([0, 2, 8, 4], [4, 4, 8, 6]), labels, window, 0.5)
    yield "one has exactly half left", (image, boxes_of([0, 2, 4, 4], [4, 4, 8, 6]), labels, window, 0.5)
    yield "one has a quarter left", (image, boxes_of([9, 2, 13 - 1, 4], [4, 4, 8, 6]), labels, window, 0.5)
    yield "the first is outside", (image, boxes_of([10, 0, 12, 8], [4, 4, 8, 6]), labels, window, 0.0)
    yield "one only touches the window", (image, boxes_of([4, 4, 8, 6], [0, 1, 2, 7]), labels, window, 0.0)
    yield "its centre is inside, most of it is not", (image, boxes_of([0, 0, 12, 8], [1, 0, 11, 8]), labels, (4, 3, 7, 6), 0.3)
    yield "its centre is outside, most of it is inside", (numbered(4, 20), boxes_of([0, 0, 16, 4]), torch.tensor([7]), (9, 0, 20, 4), 0.4)
    yield "a box without area", (image, boxes_of([5, 3, 5, 6], [4, 4, 8, 6]), labels, window, 0.0)
    yield "a single pixel is left", (image, boxes_of([1, 0, 3, 2], [4, 4, 8, 6]), labels, window, 0.2)
    yield "the whole image", (image, boxes_of([0, 0, 12, 8]), torch.tensor([1]), (0, 0, 12, 8), 1.0)
    yield "no boxes", (image, boxes_of(), torch.zeros(0, dtype=torch.int64), window, 0.5)
    for share in (0.0, 0.3, 0.7):
        boxes = random_boxes(generator, 6, 20, 30)
        labels = torch.randint(0, 9, (6,), generator=generator)
        yield "random", (random_image(generator, 20, 30), boxes, labels, (8, 4, 24, 17), share)


def _cut(image, boxes, window):
    x1, y1, x2, y2 = window
    shifted = boxes - boxes.new_tensor([x1, y1, x1, y1])
    inside = shifted.clamp(min=0).minimum(boxes.new_tensor([x2 - x1, y2 - y1, x2 - x1, y2 - y1]))
    return image[:, y1:y2, x1:x2], shifted, inside


def _area(boxes):
    return (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1)


def _stays(before, inside, min_visible):
    return (_area(inside) >= min_visible * _area(before)) & (_area(inside) > 0)


def crop_not_shifted(image, boxes, labels, window, min_visible):
    x1, y1, x2, y2 = window
    stays = _stays(boxes, _cut(image, boxes, window)[2], min_visible)
    low, high = boxes.new_tensor([x1, y1, x1, y1]), boxes.new_tensor([x2, y2, x2, y2])
    return image[:, y1:y2, x1:x2], boxes.maximum(low).minimum(high)[stays], labels[stays]


def crop_not_clipped(image, boxes, labels, window, min_visible):
    image, shifted, inside = _cut(image, boxes, window)
    stays = _stays(boxes, inside, min_visible)
    return image, shifted[stays], labels[stays]


def crop_labels_forgotten(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    return image, inside[_stays(boxes, inside, min_visible)], labels


def crop_nothing_dropped(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    return image, inside, labels


def crop_keeps_slivers(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    return image, inside[_area(inside) > 0], labels[_area(inside) > 0]


def crop_by_centre(image, boxes, labels, window, min_visible):
    x1, y1, x2, y2 = window
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    stays = ((centre >= centre.new_tensor([x1, y1])) & (centre < centre.new_tensor([x2, y2]))).all(dim=1)
    image, _, inside = _cut(image, boxes, window)
    return image, inside[stays], labels[stays]


def crop_strictly_more(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    stays = _area(inside) > min_visible * _area(boxes)
    return image, inside[stays], labels[stays]


def crop_keeps_empty(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    stays = _area(inside) >= min_visible * _area(boxes)
    return image, inside[stays], labels[stays]


def crop_x_and_y_swapped(image, boxes, labels, window, min_visible):
    x1, y1, x2, y2 = window
    _, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    return image[:, x1:x2, y1:y2], boxes, labels


def crop_share_of_the_window(image, boxes, labels, window, min_visible):
    image, _, inside = _cut(image, boxes, window)
    whole = (window[2] - window[0]) * (window[3] - window[1])
    stays = (_area(inside) >= min_visible * whole) & (_area(inside) > 0)
    return image, inside[stays], labels[stays]


crop_exercise = Exercise(
    name="11.crop_with_boxes",
    reference=crop_with_boxes,
    cases=crop_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "not-shifted",
            wrong=crop_not_shifted,
            hint="The boxes are still written in the old image's pixels. "
            "The window's corner is the new (0, 0): what must be taken off x and y?",
        ),
        Misconception(
            "not-clipped", wrong=crop_not_clipped, hint="A box sticks out of the new image. Cut it at 0 and at the new width and height."
        ),
        Misconception(
            "labels-forgotten",
            wrong=crop_labels_forgotten,
            hint="A box was dropped and its label was not: every label after it belongs to another box now. One mask picks from both.",
        ),
        Misconception(
            "nothing-dropped", wrong=crop_nothing_dropped, hint="Boxes that lie outside the window came back, as boxes without area."
        ),
        Misconception(
            "slivers-kept",
            wrong=crop_keeps_slivers,
            hint="You kept a box of which less than min_visible is left. How large is what is left, as a share of the whole box?",
        ),
        Misconception(
            "by-its-centre",
            wrong=crop_by_centre,
            hint="You asked where the box's centre is. The rule asks how much of its area is left.",
        ),
        Misconception("strictly-more", wrong=crop_strictly_more, hint="Exactly min_visible is enough: `>=`."),
        Misconception(
            "empty-kept",
            wrong=crop_keeps_empty,
            hint="With min_visible 0 a box without any area came back: 0 >= 0 holds. "
            "What has no area teaches nothing: ask for more than 0, too.",
        ),
        Misconception(
            "x-and-y-swapped",
            wrong=crop_x_and_y_swapped,
            hint="The boxes are right and the pixels are not. In (C, H, W) the rows come first: which pair of the window slices them?",
        ),
        Misconception(
            "share-of-the-window",
            wrong=crop_share_of_the_window,
            hint="You compared with the window's area. The share is of the box: what is left of it, over what there was.",
        ),
    ],
    hints=[
        "Three steps: cut the pixels; move and clip the boxes; decide which ones stay.",
        "Moved boxes: minus (x1, y1, x1, y1). Clip: at least 0, at most (width, height, width, height) of the window.",
        "left = area after clipping, before = area of the old box: stays = (left >= min_visible * before) & (left > 0).",
    ],
    points=4,
    twins=[crop, "torchvision.transforms.v2.functional.crop"],
    equivalent={
        "inside = moved.clamp(min=0).minimum(boxes.new_tensor([x2 + x1, y2 - y1, x2 - x1, y2 - y1]))": "a left edge beyond the "
        "window leaves a width below 0 or of "
        "0: dropped either way",
        "inside = moved.clamp(min=0).minimum(boxes.new_tensor([x2 - x1, y2 + y1, x2 - x1, y2 - y1]))": "likewise for an upper "
        "edge below the window",
    },
)


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
    ],
    hints=[
        "First row y - side // 2, last row excluded: first + side. The same for columns.",
        "`max(0, first)` keeps a slice from counting from the end; a slice that ends behind the image is cut by itself.",
    ],
    points=2,
    twins=[paint_hole, "torchvision.transforms.v2.functional.erase", "torchvision.transforms.functional.erase"],
)
