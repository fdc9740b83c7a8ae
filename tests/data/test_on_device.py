"""A batch made at once is what `Augment` makes of its samples one by one: the same boxes, and pixels to within a grey level."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.data.geometric import GREY, Piece
from coursekit.data.loader import Batches, CachedDataset
from coursekit.data.on_device import Plan, render, resize_weights
from coursekit.data.targets import empty_target
from coursekit.data.transforms import Augment

PLAIN = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
MOVES = {"mosaic_scale": (0.4, 1.3), "scale": (0.5, 1.6), "translate": 0.2, "vertical": 0.5}


class Noise:
    """Pictures of many shapes, where every pixel differs from its neighbours: what is off by a pixel is seen."""

    classes = ("thing",)

    def __init__(self, length=9):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        height, width = 24 + 5 * (index % 4), 70 - 8 * (index % 3)
        image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)
        corners = torch.rand(3, 2, generator=generator) * torch.tensor([width - 9.0, height - 9.0])
        extra = {"image_id": index, "area": torch.full((3,), 64.0), "iscrowd": torch.tensor([0, 1, 0])}
        return image, {"boxes": torch.cat([corners, corners + 8], dim=1), "labels": torch.arange(3), **extra}


def both(augment, size_hw, count=6, seed=0):
    """Samples one by one, and the same as a batch."""
    cached = CachedDataset(Noise(), size_hw)

    def draws(index):
        return torch.Generator().manual_seed(1000 * seed + index)

    samples = [augment(cached, index % len(cached), draws(index)) for index in range(count)]
    plans = [augment.plan(cached, index % len(cached), draws(index)) for index in range(count)]
    return samples, render(cached.images, plans), plans


def off_by(samples, images):
    """How many grey levels each pixel is away from where it should be."""
    return (torch.stack([image for image, _ in samples]).int() - images.int()).abs()


@pytest.mark.parametrize("size_hw", [(48, 64), (33, 47), (64, 32)])
@pytest.mark.parametrize("mosaic", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("recipe", "levels"), [(PLAIN, 1), ({}, 2)])  # colours make a level more of what was one
def test_a_batch_is_what_its_samples_are(size_hw, mosaic, recipe, levels):
    samples, images, plans = both(Augment(mosaic=mosaic, **MOVES, **recipe), size_hw, count=24)
    assert images.shape == (24, 3, *size_hw)
    assert images.dtype == torch.uint8
    assert images.is_contiguous(memory_format=torch.channels_last)
    off = off_by(samples, images)
    assert off.max() <= levels
    assert off.float().mean() < 0.25
    for (_, expected), plan in zip(samples, plans, strict=True):
        assert expected.keys() == plan.target.keys()
        for name, value in expected.items():
            assert torch.equal(plan.target[name], value) if isinstance(value, torch.Tensor) else plan.target[name] == value


@given(
    st.tuples(st.integers(8, 70), st.integers(8, 70)),
    st.sampled_from([0.0, 1.0]),
    st.floats(0.1, 4.0),
    st.floats(0.0, 1.0),
    st.integers(0, 10**6),
)
def test_no_size_zoom_or_shift_moves_a_pixel_elsewhere(size_hw, mosaic, zoom, translate, seed):
    augment = Augment(mosaic=mosaic, mosaic_scale=(zoom, zoom), scale=(zoom, zoom), translate=translate, vertical=0.5, **PLAIN)
    samples, images, _ = both(augment, size_hw, 3, seed)
    assert off_by(samples, images).max() <= 1


def test_where_nothing_lies_it_is_grey_and_where_nothing_changes_pixels_are_the_same():
    images = torch.randint(0, 256, (2, 3, 20, 30), dtype=torch.uint8)
    still = Plan([1], [(0, 0, 30, 20)], [Piece((20, 30), 0, 0, (0, 0, 30, 20))], (False, False), (1, 1, 1, 0), empty_target())
    aside = still._replace(pieces=[Piece((10, 10), 15, 5, (0, 0, 30, 20))])
    outside = still._replace(pieces=[Piece((20, 30), 30, 0, (0, 0, 30, 20))])
    turned = still._replace(mirrored=(True, True))
    made = render(images, [still, aside, outside, turned])
    assert torch.equal(made[0], images[1])
    assert torch.equal(made[3], images[1].flip(1, 2))
    grey = made[1].clone()
    grey[:, 5:15, 15:25] = GREY
    assert (grey == GREY).all()
    assert (made[1, :, 5:15, 15:25] != GREY).any()
    assert (made[2] == GREY).all()


@pytest.mark.parametrize(("length", "new"), [(1, 7), (7, 1), (5, 5), (9, 4), (4, 9), (10, 3)])
def test_weights_are_those_of_torch(length, new):
    """A row of single bright pixels, resized by torch in floats, shows torch's weights."""
    expected = torch.nn.functional.interpolate(torch.eye(length)[None, None], (length, new), mode="bilinear", antialias=True)[0, 0].T
    one = [torch.tensor([value]) for value in (0, length, new, 0)]
    weights, covered = resize_weights(12, *one, torch.tensor([[0, 12]]), torch.tensor([0]))
    torch.testing.assert_close(weights[0, :new, :length], expected, atol=1e-6, rtol=0)
    assert covered[0].tolist() == [True] * new + [False] * (12 - new)
    assert (weights[0, new:] == 0).all()
    assert (weights[0, :, length:] == 0).all()


@pytest.mark.parametrize("name", ["degrees", "shear", "cutout", "mixup"])
def test_what_cannot_be_planned_is_named(name):
    with pytest.raises(ValueError, match=f"{name} must be 0 to plan a sample"):
        Augment(**{name: 0.5}).plan(CachedDataset(Noise(), (32, 32)), 0, torch.Generator())


def test_a_rendered_batch_is_padded_like_any_other():
    """The data set says that it lies elsewhere, so its batches are rendered; here that is the same memory."""
    cached = CachedDataset(Noise(5), (32, 32))
    one_by_one = list(Batches(cached, 3, augment=Augment(**PLAIN), last="pad").epoch(0))
    cached.device = "elsewhere"
    rendered = list(Batches(cached, 3, augment=Augment(**PLAIN), last="pad", workers=2).epoch(0))
    for (images, targets), (others, same) in zip(one_by_one, rendered, strict=True):
        assert (images.int() - others.int()).abs().max() <= 1
        assert others.is_contiguous(memory_format=torch.channels_last)
        assert [t["boxes"].tolist() for t in targets] == [t["boxes"].tolist() for t in same]
    assert (rendered[-1][0][2:] == GREY).all()
