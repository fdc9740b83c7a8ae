import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit import images
from coursekit.images import (
    brighten,
    decode,
    denormalise,
    encode,
    make_batch,
    normalise,
    pairwise_distance,
    patches,
    rgb_to_bgr,
    to_chw,
    to_hwc,
)

side = st.integers(1, 9)


def counting(*shape):
    """Every element another number, so that two places cannot be mistaken for each other."""
    return torch.arange(torch.Size(shape).numel(), dtype=torch.uint8).reshape(shape)


@pytest.mark.parametrize("shape", [(0, 5, 3), (1, 1, 3), (2, 3, 3), (4, 2, 1), (2, 2, 4)])
def test_to_chw_moves_every_pixel_to_its_place(shape):
    image = counting(*shape)
    chw = to_chw(image)
    assert chw.shape == (shape[2], shape[0], shape[1])
    assert chw.dtype == torch.uint8
    assert all(torch.equal(chw[c], image[:, :, c]) for c in range(shape[2]))


def test_to_chw_gives_a_grey_image_one_channel_and_copies_nothing():
    grey = counting(2, 3)
    chw = to_chw(grey)
    assert chw.shape == (1, 2, 3)
    chw[0, 1, 2] = 200
    assert grey[1, 2] == 200


@given(side, side, st.sampled_from([1, 3, 4]))
def test_to_hwc_undoes_to_chw(height, width, channels):
    image = torch.randint(0, 256, (height, width, channels), dtype=torch.uint8)
    assert torch.equal(to_hwc(to_chw(image)), image)


@pytest.mark.parametrize("wrong", [torch.zeros(3), torch.zeros(1, 3, 2, 2), [[1]]], ids=["vector", "batch", "list"])
def test_to_chw_names_what_came(wrong):
    with pytest.raises(ValueError, match="image must be a tensor of shape"):
        to_chw(wrong)


def test_rgb_to_bgr_swaps_red_and_blue_and_itself_undoes_it():
    red = torch.zeros(3, 2, 2, dtype=torch.uint8)
    red[0] = 255
    blue = rgb_to_bgr(red)
    assert blue[:, 0, 0].tolist() == [0, 0, 255]
    assert torch.equal(rgb_to_bgr(blue), red)
    assert torch.equal(rgb_to_bgr(red[None])[0], blue)
    with pytest.raises(ValueError, match="3 channels"):
        rgb_to_bgr(torch.zeros(1, 2, 2))


@pytest.mark.parametrize(
    ("pixels", "amount", "expected"),
    [([], 10, []), ([0, 100, 255], 0, [0, 100, 255]), ([200, 250], 60, [255, 255]), ([10, 100], -60, [0, 40]), ([0, 255], 300, [255, 255])],
    ids=["no pixel", "nothing added", "past white", "past black", "more than the whole range"],
)
def test_brighten_by_hand(pixels, amount, expected):
    result = brighten(torch.tensor(pixels, dtype=torch.uint8), amount)
    assert result.dtype == torch.uint8
    assert result.tolist() == expected


def test_brighten_refuses_floats():
    with pytest.raises(ValueError, match=r"uint8 tensor, got torch\.float32"):
        brighten(torch.zeros(3), 1)


def test_normalise_by_hand():
    image = torch.tensor([0, 255, 51], dtype=torch.uint8).reshape(3, 1, 1)
    result = normalise(image, mean=[0.5, 0.5, 0.2], std=[0.5, 0.25, 0.1])
    torch.testing.assert_close(result.flatten(), torch.tensor([-1.0, 2.0, 0.0]))


def test_normalise_takes_floats_as_scaled_already_and_batches_like_images():
    image = torch.randint(0, 256, (3, 4, 3), dtype=torch.uint8)
    torch.testing.assert_close(normalise(image / 255), normalise(image))
    torch.testing.assert_close(normalise(torch.stack([image, image]))[1], normalise(image))
    assert normalise((image / 255).double()).dtype == torch.float32


@given(side, side, st.integers(0, 2**31))
def test_denormalise_undoes_normalise_to_the_last_pixel(height, width, seed):
    image = torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    assert torch.equal(denormalise(normalise(image)), image)


def test_denormalise_clamps_instead_of_wrapping():
    assert denormalise(torch.full((3, 1, 1), 100.0)).flatten().tolist() == [255, 255, 255]
    assert denormalise(torch.full((3, 1, 1), -100.0)).flatten().tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": torch.zeros(2, 2)}, "images must have shape"),
        ({"images": torch.zeros(3, 2, 2), "mean": [0.5]}, "mean must have one number for each of the 3 channels"),
        ({"images": torch.zeros(3, 2, 2), "std": [1, 0, 1]}, "std must not hold a 0"),
    ],
)
def test_normalise_names_the_argument_that_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        normalise(**arguments)


@given(st.lists(st.tuples(side, side), min_size=1, max_size=4), st.sampled_from([0, 114]))
def test_make_batch_keeps_every_image_in_its_corner_and_fills_the_rest(sizes, fill):
    made = [torch.randint(1, 100, (3, *size), dtype=torch.uint8) for size in sizes]
    batch = make_batch(made, fill)
    assert batch.shape == (len(sizes), 3, max(h for h, _ in sizes), max(w for _, w in sizes))
    for place, image in zip(batch, made, strict=True):
        height, width = image.shape[1:]
        assert torch.equal(place[:, :height, :width], image)
        rest = torch.ones(place.shape[1:], dtype=torch.bool)
        rest[:height, :width] = False
        assert (place[:, rest] == fill).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "at least one image, got none"),
        ([torch.zeros(3, 2, 2), torch.zeros(1, 2, 2)], "agree in channels"),
        ([torch.zeros(3, 2, 2), torch.zeros(3, 2, 2, dtype=torch.uint8)], "agree in channels and dtype"),
        ([torch.zeros(2, 2)], "each of images must have shape"),
    ],
)
def test_make_batch_says_what_does_not_fit(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_batch(wrong)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (torch.zeros(0, 2), torch.zeros(3, 2), torch.zeros(0, 3)),
        (torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[5.0, 0.0]])),
        (torch.tensor([[1], [4]]), torch.tensor([[2]]), torch.tensor([[1.0], [2.0]])),
    ],
    ids=["no points", "the 3-4-5 triangle", "one dimension, integers"],
)
def test_pairwise_distance_by_hand(a, b, expected):
    torch.testing.assert_close(pairwise_distance(a, b), expected)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(1, 6), st.integers(0, 2**31))
def test_pairwise_distance_equals_cdist(n, m, d, seed):
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(n, d, generator=generator), torch.randn(m, d, generator=generator)
    torch.testing.assert_close(pairwise_distance(a, b), torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist"))


def test_pairwise_distance_names_the_argument_that_is_wrong():
    with pytest.raises(ValueError, match=r"points1 must have shape \(N, D\)"):
        pairwise_distance(torch.zeros(3), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="points2 must have 2 numbers a point as points1 has, got 3"):
        pairwise_distance(torch.zeros(1, 2), torch.zeros(1, 3))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 5))
def test_patches_equal_slices(height, width, size, stride):
    size = min(size, height, width)
    image = counting(2, height, width)
    cut = patches(image, size, stride)
    assert cut.shape == ((height - size) // stride + 1, (width - size) // stride + 1, 2, size, size)
    for row in range(cut.shape[0]):
        for column in range(cut.shape[1]):
            top, left = row * stride, column * stride
            assert torch.equal(cut[row, column], image[:, top : top + size, left : left + size])


@pytest.mark.parametrize(("size", "stride", "message"), [(0, 1, "size must be"), (4, 1, "from 1 to 3"), (2, 0, "stride must be")])
def test_patches_name_the_argument_that_is_wrong(size, stride, message):
    with pytest.raises(ValueError, match=message):
        patches(torch.zeros(3, 3, 5), size, stride)


@given(side, side, st.integers(0, 2**31))
def test_png_keeps_every_pixel(height, width, seed):
    image = torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    assert torch.equal(decode(encode(image)), image)


def test_jpeg_is_near_but_not_equal_and_lower_quality_is_smaller_and_worse():
    ramp = torch.linspace(0, 255, 64)
    noise = torch.randint(-20, 20, (3, 64, 64), generator=torch.Generator().manual_seed(0))
    image = (ramp + noise).clamp(0, 255).to(torch.uint8)
    good, bad = encode(image, "jpeg", 90), encode(image, "jpeg", 10)
    assert len(bad) < len(good) < len(encode(image))
    errors = [(decode(data).float() - image).abs().mean() for data in (good, bad)]
    assert 0 < errors[0] < errors[1] < 30


def test_grey_images_are_encoded_too():
    grey = counting(1, 4, 5)
    assert torch.equal(decode(encode(grey)), grey.expand(3, 4, 5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": torch.zeros(3, 2, 2)}, "image must be uint8"),
        ({"image": torch.zeros(2, 2, 2, dtype=torch.uint8)}, "1 or 3 channels"),
        ({"image": counting(3, 2, 2), "kind": "gif"}, "kind must be 'png' or 'jpeg', got 'gif'"),
        ({"image": counting(3, 2, 2), "quality": 0}, "quality must be from 1 to 95"),
    ],
)
def test_encode_names_the_argument_that_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        encode(**arguments)


def test_decode_says_that_it_is_no_image():
    with pytest.raises(ValueError, match="5 bytes that Pillow cannot read"):
        decode(b"hello")


def test_the_example_in_the_module_is_true():
    assert "torch.Size([3, 4, 6])" in images.__doc__
    assert to_chw(torch.zeros(4, 6, 3, dtype=torch.uint8)).shape == (3, 4, 6)
