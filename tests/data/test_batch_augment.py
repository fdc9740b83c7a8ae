"""Batches changed image by image: nothing where nothing is asked for, what was asked for by hand, and the same for the same generator."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.data.batch_augment import AugmentBatch
from coursekit.data.mosaic import mix_labels, mosaic, mosaic_at
from coursekit.data.photometric import paint_hole

EVERYTHING = {"degrees": 20, "translate": 0.2, "scale": 1.5, "horizontal": 0.5, "brightness": 0.4, "contrast": 0.4, "cutout": 0.3}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=4, channels=3, height=12, width=16):
    return torch.randint(0, 256, (count, channels, height, width), generator=generator(9), dtype=torch.uint8)


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (1, 1, 8, 8), (3, 3, 7, 11)])
def test_shape_and_kind_stay(shape):
    before = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator())
    after = AugmentBatch(generator(), **EVERYTHING)(before)
    assert after.shape == shape
    assert after.dtype == torch.uint8


def test_nothing_asked_for_changes_nothing():
    before = images()
    assert torch.equal(AugmentBatch(generator())(before), before)
    assert torch.equal(AugmentBatch(generator(), **{**EVERYTHING, "horizontal": 0.0}, strength=0.0)(before), before)


def test_the_callers_images_stay_as_they_were():
    before = images()
    copy = before.clone()
    AugmentBatch(generator(), **EVERYTHING)(before)
    assert torch.equal(before, copy)


def test_the_generator_alone_decides():
    first, second = (AugmentBatch(generator(3), **EVERYTHING)(images()) for _ in range(2))
    assert torch.equal(first, second)
    one = AugmentBatch(generator(3), **EVERYTHING)
    assert not torch.equal(one(images()), one(images()))  # a second call draws on


def test_each_image_gets_changes_of_its_own():
    same = images(1).expand(6, -1, -1, -1)
    after = AugmentBatch(generator(), **EVERYTHING)(same)
    assert len({bytes(image.flatten().numpy()) for image in after}) == 6


def test_always_mirrored_is_flip():
    before = images()
    assert torch.equal(AugmentBatch(generator(), horizontal=1.0)(before), before.flip(3))


def test_mirrored_as_often_as_asked():
    ramp = torch.arange(8, dtype=torch.uint8).expand(2000, 1, 4, 8) * 10
    after = AugmentBatch(generator(), horizontal=0.3)(ramp)
    mirrored = (after[:, 0, 0, 0] > after[:, 0, 0, -1]).float().mean()
    assert 0.26 < mirrored < 0.34


def blob(x, y, height=33, width=65):
    image = torch.zeros(1, 1, height, width, dtype=torch.uint8)
    image[:, :, y - 1 : y + 2, x - 1 : x + 2] = 255
    return image


def middle(image):
    """Centre of mass, (x, y), in pixel numbers."""
    weight = image[0, 0].float()
    ys, xs = torch.meshgrid(torch.arange(weight.shape[0]), torch.arange(weight.shape[1]), indexing="ij")
    return float((weight * xs).sum() / weight.sum()), float((weight * ys).sum() / weight.sum())


def test_a_turn_keeps_distances_on_an_image_that_is_not_square():
    """20 pixels right of the middle stay 20 pixels from it: the grid's own units would stretch a circle to an ellipse."""
    for seed in range(5):
        after = AugmentBatch(generator(seed), degrees=30)(blob(42, 16))
        x, y = middle(after)
        assert abs(((x - 32) ** 2 + (y - 16) ** 2) ** 0.5 - 10) < 0.3
        assert abs(y - 16) <= 10 * 0.5 + 0.3  # sin 30 degrees


def test_a_shift_stays_below_its_share_of_the_side():
    for seed in range(5):
        x, y = middle(AugmentBatch(generator(seed), translate=0.1)(blob(32, 16)))
        assert abs(x - 32) <= 6.5 + 0.1
        assert abs(y - 16) <= 3.3 + 0.1
    assert {round(middle(AugmentBatch(generator(s), translate=0.1)(blob(32, 16)))[0]) for s in range(5)} != {32}


def test_a_zoom_lies_between_its_bounds():
    sides = []
    for seed in range(8):
        flat = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
        flat[:, :, 22:42, 22:42] = 255  # 20 wide
        sides.append(float((AugmentBatch(generator(seed), scale=1.5)(flat) > 127).sum()) ** 0.5)
    assert all(20 / 1.5 - 1 <= side <= 20 * 1.5 + 1 for side in sides)
    assert max(sides) > 20 > min(sides)


@pytest.mark.parametrize(("amount", "low", "high"), [({"brightness": 0.5}, 50, 150), ({"contrast": 0.9}, 100, 100)])
def test_light_on_a_flat_image(amount, low, high):
    flat = torch.full((200, 3, 4, 4), 100, dtype=torch.uint8)
    after = AugmentBatch(generator(), **amount)(flat).float()
    assert (after.amax(dim=(1, 2, 3)) == after.amin(dim=(1, 2, 3))).all()  # a flat image stays flat
    assert low <= after.min() <= after.max() <= high
    assert (after.min() < after.max()) == (low < high)


def test_contrast_keeps_the_mean():
    before = images().clamp(100, 150)
    after = AugmentBatch(generator(), contrast=0.5)(before)
    assert ((after.float() - before.float()).mean(dim=(1, 2, 3)).abs() < 0.6).all()
    assert not torch.equal(after, before)


def test_a_hole_is_square_grey_and_may_stick_out():
    white = torch.full((300, 3, 20, 20), 255, dtype=torch.uint8)
    after = AugmentBatch(generator(), cutout=0.4)(white)
    holes = after == 114
    assert torch.equal(holes[:, 0], holes[:, 2])
    assert ((after == 255) | holes).all()
    rows, columns = holes[:, 0].any(dim=2).sum(dim=1), holes[:, 0].any(dim=1).sum(dim=1)
    assert torch.equal(holes[:, 0].sum(dim=(1, 2)), rows * columns)  # a rectangle
    assert rows.max() == columns.max() == 8
    assert rows.min() < 6  # one over an edge


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 4))
def test_values_stay_pixels_at_any_strength(seed, strength):
    after = AugmentBatch(generator(seed), strength=strength, **EVERYTHING)(images(2))
    assert after.dtype == torch.uint8
    assert after.shape == (2, 3, 12, 16)


@pytest.mark.parametrize(
    ("amounts", "message"),
    [
        ({"degrees": -1}, "degrees must be at least 0, got -1"),
        ({"strength": float("nan")}, "strength must be at least 0, got nan"),
        ({"scale": 0.8}, "scale must be at least 1, got 0.8"),
        ({"horizontal": 1.5}, r"horizontal must be a probability in \[0, 1\], got 1.5"),
    ],
)
def test_amounts_that_cannot_be(amounts, message):
    with pytest.raises(ValueError, match=message):
        AugmentBatch(generator(), **amounts)


@pytest.mark.parametrize("wrong", [torch.zeros(2, 3, 4, 4), torch.zeros(3, 4, 4, dtype=torch.uint8)])
def test_images_that_are_none(wrong):
    with pytest.raises(ValueError, match=r"images must be uint8 \(N, C, H, W\)"):
        AugmentBatch(generator())(wrong)


# --- what the exercises of notebook 11 are made of


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ((0, 0, 0, 0), 0),
        ((1, 1, 3, 2), 2),
        ((-2, -1, 2, 1), 2),
        ((3, 1, 9, 9), 4),
        ((-5, -5, 9, 9), 15),
        ((7, 0, 9, 9), 0),
        ((-4, 0, -1, 3), 0),
    ],
    ids=["empty", "inside", "upper left", "lower right", "over all", "right of it", "left of it"],
)
def test_paint_hole_by_hand(window, expected):
    image = torch.zeros(1, 3, 5, dtype=torch.uint8)
    assert int((paint_hole(image, window, 9) == 9).sum()) == expected
    assert not image.any()


def test_mosaic_is_mosaic_at_of_what_it_draws():
    samples = [(images(1, height=20, width=30)[0], {"boxes": torch.tensor([[2.0, 2, 12, 12]])})] * 4
    drawn, target = mosaic(samples, generator(4), (40, 40), scale=(1.0, 1.0), centre=(0.5, 0.5))
    placed, same = mosaic_at(samples, (20, 20), [1.0] * 4, (40, 40))
    assert torch.equal(drawn, placed)
    assert torch.equal(target["boxes"], same["boxes"])
    with pytest.raises(ValueError, match="samples must be four"):
        mosaic_at(samples[:3], (20, 20), [1.0] * 3, (40, 40))


@pytest.mark.parametrize(
    ("label1", "label2", "share", "expected"),
    [(0, 2, 0.25, [0.25, 0, 0.75]), (1, 1, 0.25, [0, 1, 0]), (0, 1, 1.0, [1, 0, 0]), (0, 1, 0.0, [0, 1, 0])],
)
def test_mix_labels_by_hand(label1, label2, share, expected):
    dark, light = torch.full((3, 2, 2), 40, dtype=torch.uint8), torch.full((3, 2, 2), 240, dtype=torch.uint8)
    image, target = mix_labels(dark, label1, light, label2, share, 3)
    torch.testing.assert_close(image, torch.full((3, 2, 2), 40 * share + 240 * (1 - share)))
    torch.testing.assert_close(target, torch.tensor(expected, dtype=torch.float32))


@given(st.integers(0, 4), st.integers(0, 4), st.floats(0, 1))
def test_mixed_labels_equal_torchs_soft_cross_entropy(label1, label2, share):
    """The loss of a soft label is the mean of the two losses by their shares."""
    image = torch.zeros(1, 1, 1, dtype=torch.uint8)
    _, target = mix_labels(image, label1, image, label2, share, 5)
    logits = torch.tensor([[0.3, -1.0, 2.0, 0.0, 0.7]])
    soft = torch.nn.functional.cross_entropy(logits, target[None])
    hard = [torch.nn.functional.cross_entropy(logits, torch.tensor([label])) for label in (label1, label2)]
    torch.testing.assert_close(soft, share * hard[0] + (1 - share) * hard[1])
    assert abs(float(target.sum()) - 1) < 1e-5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": 1.5}, r"share must lie in \[0, 1\], got 1.5"),
        ({"label2": 3}, r"label2 must lie in 0..2, got 3"),
        ({"label1": -1}, r"label1 must lie in 0..2, got -1"),
        ({"image2": torch.zeros(1, 2, 3, dtype=torch.uint8)}, "image2 must have image1's shape"),
    ],
)
def test_mix_labels_refuses(change, message):
    image = torch.zeros(1, 2, 2, dtype=torch.uint8)
    arguments = {"image1": image, "label1": 0, "image2": image, "label2": 1, "share": 0.5, "num_classes": 3}
    with pytest.raises(ValueError, match=message):
        mix_labels(**{**arguments, **change})
