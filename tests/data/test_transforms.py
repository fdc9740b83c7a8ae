"""Boxes follow their objects: each test draws a coloured rectangle as the object, transforms, and looks where the colour went."""

from math import ceil, floor

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coursekit.data import transforms as T
from coursekit.data.targets import concatenate

SIZE = (48, 64)  # height, width
RED = torch.tensor([255, 0, 0], dtype=torch.uint8)


def target_of(*rows, **fields):
    boxes = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
    count = len(boxes)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    base = {"boxes": boxes, "labels": torch.arange(count), "image_id": 7, "area": area, "iscrowd": torch.arange(count) % 2}
    return {**base, **fields}


def drawn(*rows, size=SIZE):
    """A black image with a red rectangle for each box, and its target."""
    image = torch.zeros(3, *size, dtype=torch.uint8)
    for x1, y1, x2, y2 in rows:
        image[:, y1:y2, x1:x2] = RED[:, None, None]
    return image, target_of(*rows)


def red_box(image):
    """The box around the pixels that are more red than black or grey; None where there are none."""
    redness = image[0].int() - image[1].int()
    seen = redness > max(20, int(redness.max()) // 2)
    if not seen.any():
        return None
    ys, xs = seen.nonzero(as_tuple=True)
    return torch.tensor([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).float()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def four(image, target):
    return [(image, target)] * 4


# Every random transform, called as (image, target, generator). What a box must stay true to after it differs, see below.
RANDOM = {
    "scale_translate": lambda i, t, g: T.random_scale_translate(i, t, g),
    "affine": lambda i, t, g: T.random_affine(i, t, g),
    "crop": lambda i, t, g: T.random_crop(i, t, g, (24, 40)),
    "photometric": lambda i, t, g: T.photometric(i, t, g),
    "cutout": lambda i, t, g: T.cutout(i, t, g),
    "mosaic": lambda i, t, g: T.mosaic(four(i, t), g, SIZE),
    "mixup": lambda i, t, g: T.mixup((i, t), (i.flip(2), target_of()), g),
    "augment": lambda i, t, g: T.Augment(mixup=0.3, cutout=0.3, vertical=0.3)([(i, t)], 0, g),
    "augment with a turn": lambda i, t, g: T.Augment(degrees=10, mosaic=0)([(i, t)], 0, g),
}
FIXED = {
    "horizontal_flip": T.horizontal_flip,
    "vertical_flip": T.vertical_flip,
    "resize": lambda i, t: T.resize(i, t, (70, 50)),
    "letterbox": lambda i, t: T.letterbox(i, t, (60, 60))[:2],
}
EVERY = {**RANDOM, **{name: (lambda i, t, g, f=f: f(i, t)) for name, f in FIXED.items()}}

sides = st.tuples(st.integers(0, 50), st.integers(0, 34), st.integers(3, 40), st.integers(3, 40))
box = sides.map(lambda s: (s[0], s[1], min(s[0] + s[2], SIZE[1]), min(s[1] + s[3], SIZE[0])))
seeds = st.integers(0, 2**31)


@pytest.mark.parametrize("name", EVERY)
def test_no_boxes_in_no_boxes_out(name):
    image, target = drawn()
    new_image, new = EVERY[name](image, target, generator())
    assert new_image.dtype == torch.uint8
    assert new["boxes"].shape == (0, 4)
    assert new["boxes"].dtype == torch.float32
    assert new["labels"].shape == new["area"].shape == new["iscrowd"].shape == (0,)


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=25, deadline=None)
@given(rows=st.lists(box, min_size=1, max_size=4), seed=seeds)
def test_boxes_stay_inside_with_all_their_fields_and_none_is_invented(name, rows, seed):
    image, target = drawn(*rows)
    before = {k: v.clone() if torch.is_tensor(v) else v for k, v in target.items()}
    new_image, new = EVERY[name](image, target, generator(seed))
    count, (height, width) = len(new["boxes"]), new_image.shape[1:]
    assert new_image.dtype == torch.uint8
    assert new["boxes"].dtype == torch.float32
    assert all(len(new[k]) == count for k in ("labels", "area", "iscrowd"))
    assert (new["boxes"][:, :2] >= 0).all()
    assert (new["boxes"][:, 2:] <= torch.tensor([width, height])).all()
    assert (new["boxes"][:, 2:] > new["boxes"][:, :2]).all()
    copies = {"mosaic": 4, "augment": 5}.get(name, 1)  # augment may lay a plain copy over a mosaic
    labels = new["labels"].tolist()
    assert all(labels.count(label) <= copies for label in labels)  # labels are 0..N-1, one for each box: none invented
    assert (new["iscrowd"] == new["labels"] % 2).all()  # the flags went with their boxes
    assert new["image_id"] == 7
    assert all(torch.equal(target[k], before[k]) for k in T.PER_BOX if k in before)  # the caller's target is as it was


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=8, deadline=None)
@given(rows=st.lists(box, max_size=3), seed=seeds)
def test_same_generator_same_result(name, rows, seed):
    image, target = drawn(*rows)
    (image1, target1), (image2, target2) = (EVERY[name](image.clone(), target, generator(seed)) for _ in range(2))
    assert torch.equal(image1, image2)
    assert all(torch.equal(target1[k], target2[k]) for k in target1 if torch.is_tensor(target1[k]))


@pytest.mark.parametrize("name", RANDOM)
def test_another_seed_another_result(name):
    image, target = drawn((10, 10, 40, 30))
    results = [RANDOM[name](image, target, generator(seed))[0] for seed in range(6)]
    assert any(results[0].shape != other.shape or not torch.equal(results[0], other) for other in results[1:])


# Whether a box is still on its object, seen in the pixels. Interpolation smears an edge over the zoom's width, hence the tolerance.
@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("horizontal_flip", 0),
        ("vertical_flip", 0),
        ("crop", 0),
        ("photometric", 0),
        ("resize", 1),
        ("letterbox", 1),
        ("scale_translate", 1.5),
    ],
)
@settings(max_examples=40, deadline=None)
@given(row=box, seed=seeds)
def test_box_lies_on_its_object(name, tolerance, row, seed):
    image, target = drawn(row)
    new_image, new = EVERY[name](image, target, generator(seed))
    seen = red_box(new_image)
    if not len(new["boxes"]):
        share = (
            0 if seen is None else float((seen[2:] - seen[:2]).prod()) / 0.36 / float(target["area"][0])
        )  # 0.36: the smallest zoom, squared
        assert share < 0.4  # little was left
        return
    torch.testing.assert_close(new["boxes"][0], seen, atol=tolerance, rtol=0)


@settings(max_examples=40, deadline=None)
@given(row=box, seed=seeds)
def test_a_turned_box_holds_its_object_and_touches_it(row, seed):
    image, target = drawn(row)
    new_image, new = T.random_affine(image, target, generator(seed), degrees=30, shear=10)
    seen = red_box(new_image)
    if not len(new["boxes"]) or seen is None:
        return
    found = new["boxes"][0]
    assert (found[:2] <= seen[:2] + 1.5).all()
    assert (found[2:] >= seen[2:] - 1.5).all()
    inside = found[0] > 1 and found[1] > 1 and found[2] < SIZE[1] - 1 and found[3] < SIZE[0] - 1
    if inside and min(row[2] - row[0], row[3] - row[1]) > 8:  # whole, and thick enough that its corners can be seen
        torch.testing.assert_close(found, seen, atol=3.0, rtol=0)


@settings(max_examples=40, deadline=None)
@example(row=(34, 25, 37, 28), seed=208)  # a sliver at the right edge, less than half a pixel wide
@example(row=(24, 26, 34, 29), seed=17540)  # one and a half pixels wide
@given(row=box, seed=seeds)
def test_mosaic_shows_each_box_its_own_object(row, seed):
    """Four images with one object each, in four colours' strengths: the box with label k lies on strength k."""
    strengths = [80, 130, 180, 230]
    samples = []
    for number, strength in enumerate(strengths):
        image, target = drawn(row)
        samples.append((image.clamp(max=strength), {**target, "labels": torch.tensor([number])}))
    image, target = T.mosaic(samples, generator(seed), SIZE, scale=(0.99, 1.01), min_visible=0.1)
    for (x1, y1, x2, y2), label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True):
        patch = image[:, floor(y1) : ceil(y2), floor(x1) : ceil(x2)].float()  # every pixel that it touches, if only in part
        strongest, whole = float(patch[0].max()), min(x2 - x1, y2 - y1) >= 2  # then some pixel is its alone
        assert abs(strongest - strengths[label]) < 20 if whole else 0 < strongest < strengths[label] + 20
        assert float(patch[1].median()) < 20


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(box, max_size=3))
def test_identity_parameters_change_nothing(rows):
    image, target = drawn(*rows)
    same = [
        T.scale_translate(image, target, 1.0, (0, 0)),
        T.affine(image, target, T.affine_matrix(SIZE)),
        T.crop(image, target, (0, 0, SIZE[1], SIZE[0])),
        T.resize(image, target, SIZE),
        T.letterbox(image, target, SIZE)[:2],
        (T.adjust_colours(image), target),
        T.horizontal_flip(*T.horizontal_flip(image, target)),
        T.vertical_flip(*T.vertical_flip(image, target)),
    ]
    for new_image, new in same:
        assert torch.equal(new_image, image)
        assert all(torch.equal(new[k], target[k]) for k in T.PER_BOX if k in target)


@pytest.mark.parametrize(
    ("rows", "window", "min_visible", "expected"),
    [
        ([], (0, 0, 10, 10), 0.1, []),
        ([(0, 0, 10, 10)], (5, 0, 20, 20), 0.5, [[0, 0, 5, 10]]),  # exactly half is left: stays
        ([(0, 0, 10, 10)], (5, 0, 20, 20), 0.51, []),
        ([(0, 0, 10, 10)], (10, 0, 20, 20), 0.0, []),  # only the edge touches
        ([(2, 3, 6, 9)], (1, 1, 20, 20), 0.1, [[1, 2, 5, 8]]),
    ],
    ids=["no boxes", "half is left", "half is too little", "edges touch", "whole"],
)
def test_crop_by_hand(rows, window, min_visible, expected):
    image, target = drawn(*rows)
    new_image, new = T.crop(image, target, window, min_visible)
    assert new_image.shape == (3, window[3] - window[1], window[2] - window[0])
    assert new["boxes"].tolist() == expected


def test_area_shrinks_with_what_is_seen_and_grows_with_the_zoom():
    image, target = drawn((0, 0, 10, 10))
    target = {**target, "area": torch.tensor([60.0])}  # a mask's area, less than the box's 100
    assert T.crop(image, target, (5, 0, 20, 20))[1]["area"].tolist() == [30.0]
    assert T.resize(image, target, (96, 192))[1]["area"].tolist() == [360.0]


def test_flip_by_hand():
    image, target = drawn((0, 0, 10, 20))
    assert T.horizontal_flip(image, target)[1]["boxes"].tolist() == [[54, 0, 64, 20]]
    assert T.vertical_flip(image, target)[1]["boxes"].tolist() == [[0, 28, 10, 48]]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.lists(box, max_size=3))
def test_letterbox_is_undone(h, w, new_h, new_w, rows):
    image, target = torch.zeros(3, h, w, dtype=torch.uint8), target_of(*rows)
    new_image, new, placement = T.letterbox(image, target, (new_h, new_w))
    assert new_image.shape == (3, new_h, new_w)
    assert (new_image == T.GREY).any(0).sum() <= new_h * new_w - 1  # at least one pixel of the image is there
    torch.testing.assert_close(placement.undo(new["boxes"]), target["boxes"], atol=1e-3, rtol=1e-4)
    inside = placement.undo(new["boxes"], (h, w))
    assert (inside <= torch.tensor([w, h, w, h])).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.integers(1, 90))
def test_bars_come_off_again(h, w, new_h, new_w):
    image, target = torch.zeros(3, h, w, dtype=torch.uint8), target_of([0, 0, w, h])
    boxed, new, placement = T.letterbox(image, target, (new_h, new_w))
    inner, inner_target = T.without_bars(boxed, {**new, "placement": placement, "original_hw": (h, w)})
    assert (inner == 0).all()
    assert not (boxed == 0).all(0).sum() > inner[0].numel()  # nothing of the picture was cut off
    torch.testing.assert_close(inner_target["boxes"], torch.tensor([[0.0, 0.0, inner.shape[2], inner.shape[1]]]))
    assert set(inner_target) == set(target)


def test_letterbox_fills_with_grey_on_both_sides():
    image, target = drawn(size=(40, 80))
    new_image, _, placement = T.letterbox(image, target, (80, 80))
    assert placement == (1.0, 1.0, 0, 20)
    assert (new_image[:, :20] == 114).all()
    assert (new_image[:, 60:] == 114).all()
    assert (new_image[:, 20:60] == 0).all()


def test_hidden_boxes_are_dropped_by_cutout():
    image, target = drawn((30, 20, 32, 22), (0, 0, 64, 48))
    new_image, new = T.cutout(image, target, generator(), size=(0.99, 0.99))
    assert (new_image == 114).all(0).float().mean() > 0.9
    assert len(new["boxes"]) == 0
    assert len(T.cutout(image, target, generator(), size=(0.99, 0.99), min_visible=0)[1]["boxes"]) == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"brightness": 0.5}, [100, 50, 25]),
        ({"saturation": 0}, [92, 92, 92]),  # 0.299 * 200 + 0.587 * 50 + 0.114 * 25 = 92.0
        ({"hue": 1.0}, [200, 100, 50]),
    ],
    ids=["half the light", "grey", "a whole turn"],
)
def test_colours_by_hand(arguments, expected):
    pixel = [200, 50, 25] if "saturation" in arguments else [200, 100, 50]
    image = torch.tensor(pixel, dtype=torch.uint8)[:, None, None].expand(3, 4, 4)
    new = T.adjust_colours(image, **arguments)
    assert (new[:, 0, 0].int() - torch.tensor(expected)).abs().max() <= 1


def test_contrast_keeps_the_mean_and_spreads_the_rest():
    image = torch.full((3, 8, 8), 100, dtype=torch.uint8)
    assert torch.equal(T.adjust_colours(image, contrast=1.5), image)
    image[:, :, 4:] = 140
    new = T.adjust_colours(image, contrast=1.5).float()
    assert new.mean() == 120
    assert new.max() - new.min() == 60


def test_mixup_shows_both():
    (image1, target1), (image2, target2) = drawn((0, 0, 10, 10)), drawn((40, 20, 50, 30))
    image, target = T.mixup((image1, target1), (image2, target2), generator(), weight=(0.5, 0.5))
    assert image[0, 5, 5] == image[0, 25, 45] == 128
    assert target["boxes"].tolist() == [[0, 0, 10, 10], [40, 20, 50, 30]]


def test_a_box_without_area_is_dropped_where_boxes_are_cut():
    image, target = drawn((5, 5, 20, 20))
    target = concatenate([target, target_of([3, 3, 3, 9])])
    assert T.crop(image, target, (0, 0, 30, 30), min_visible=0)[1]["boxes"].tolist() == [[5, 5, 20, 20]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda i, t: T.horizontal_flip(i.float(), t), "image must be a uint8 tensor, got torch.float32"),
        (lambda i, t: T.horizontal_flip(i.permute(1, 2, 0), t), r"image must have shape \(3, H, W\)"),
        (lambda i, t: T.crop(i, t, (5, 5, 99, 20)), "window must lie inside the image of 64 x 48"),
        (lambda i, t: T.random_crop(i, t, generator(), (99, 9)), "size_hw must fit into the image of 48 x 64"),
        (lambda i, t: T.mosaic([(i, t)] * 3, generator(), SIZE), "samples must be four"),
        (lambda i, t: T.mixup((i, t), (i[:, :9], t), generator()), "second must have the first image's shape"),
        (lambda i, t: T.crop(i, {**t, "masks": torch.zeros(1, 48, 64)}, (0, 0, 9, 9)), "target has 'masks'"),
    ],
    ids=["float image", "HWC", "window outside", "crop too large", "three tiles", "two sizes", "masks"],
)
def test_errors_name_what_is_wrong(call, message):
    image, target = drawn((5, 5, 20, 20))
    with pytest.raises(ValueError, match=message):
        call(image, target)


@pytest.mark.parametrize("size", [(1, 1), (5, 1), (1, 5), (9, 2), (40, 30)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("source", [(2, 1), (7, 3), (20, 20)])
def test_resizing_uint8_equals_resizing_floats(size, channels, source):
    image = torch.randint(0, 256, (channels, *source), dtype=torch.uint8, generator=generator())
    expected = torch.nn.functional.interpolate(image[None].float(), size=size, mode="bilinear", antialias=True)[0]
    new_image, _ = T.resize(image, target_of(), size)
    assert (new_image.float() - expected).abs().max() <= 1.01
