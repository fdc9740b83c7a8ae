"""RoI pool and RoI align are torchvision's, on random, small, large, empty boxes and boxes past the edge."""

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.two_stage.roi import (
    bilinear,
    bins,
    fast_roi_align,
    of_each_picture,
    pyramid_level,
    roi_align,
    roi_pool,
    round_half_up,
)

ALIGNS = pytest.mark.parametrize("align", [roi_align, fast_roi_align], ids=["readable", "fast"])
EDGES = {
    "none": [],
    "the whole picture": [[0, 0, 64, 48]],
    "past every edge": [[-20, -30, 90, 80]],
    "outside altogether": [[100, 100, 140, 120], [-60, -40, -20, -10]],
    "smaller than a cell": [[9, 9, 12, 11], [3.5, 3.5, 4.5, 4.5]],
    "without area": [[16, 16, 16, 16], [8, 4, 8, 40]],
    "halves that round": [[4, 4, 12, 20], [-4, -12, 28, 36], [20, 12, 44, 28]],
    "several": [[0, 0, 8, 8], [5, 7, 33, 41], [16, 8, 64, 48], [40, 2, 47, 46]],
}


def boxes(rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def feature_map(channels=3, height=6, width=8, seed=0):
    return torch.randn(channels, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("value", "expected"), [(0.5, 1), (1.5, 2), (2.5, 3), (-0.5, -1), (-1.5, -2), (0.49, 0), (-0.4, 0), (3, 3)])
def test_a_half_goes_away_from_0(value, expected):
    assert round_half_up(torch.tensor([float(value)])).tolist() == [expected]


def test_bins_by_hand():
    assert bins(0, 3, 2, 8) == [(0, 2), (2, 4)]
    assert bins(1, 3, 2, 8) == [(1, 3), (2, 4)]  # three cells in two bins share the middle one
    assert bins(2, 2, 2, 8) == [(2, 3), (2, 3)]  # one cell is in both
    assert bins(6, 9, 2, 8) == [(6, 8), (8, 8)]  # past the edge: empty
    assert bins(5, 2, 2, 8) == [(5, 6), (5, 6)]  # inside out: one cell


@pytest.mark.parametrize("length", range(1, 41))
def test_bins_equal_torchvisions_float_arithmetic(length):
    for count in (1, 2, 3, 5, 7, 14):
        size = torch.tensor(float(length)) / count  # float32, as the compiled code has it
        cuts = [(int((k * size).floor()), int(((k + 1) * size).ceil())) for k in range(count)]
        ours = bins(0, length - 1, count, length)
        assert ours == [(a, min(b, length)) for a, b in cuts]


@pytest.mark.parametrize("rows", EDGES.values(), ids=EDGES)
@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("scale", [1.0, 0.125])
def test_roi_pool_equals_torchvision(rows, size, scale):
    features, rois = feature_map(), boxes(rows)
    expected = torchvision.ops.roi_pool(features[None], [rois], size, scale)
    torch.testing.assert_close(roi_pool(features, rois, size, scale), expected)


SETTINGS = [  # all but one, which is a deviation and has a test of its own below
    (name, aligned, ratio)
    for name in EDGES
    for aligned in (True, False)
    for ratio in (0, 1, 2, 3)
    if (name, aligned, ratio) != ("without area", True, 0)
]


@ALIGNS
@pytest.mark.parametrize(("name", "aligned", "sampling_ratio"), SETTINGS)
@pytest.mark.parametrize("scale", [1.0, 0.125])
def test_roi_align_equals_torchvision(align, name, scale, aligned, sampling_ratio):
    features, rois = feature_map(), boxes(EDGES[name])
    expected = torchvision.ops.roi_align(features[None], [rois], 3, scale, sampling_ratio, aligned)
    torch.testing.assert_close(align(features, rois, 3, scale, sampling_ratio, aligned), expected)


corner = st.integers(-8, 72)
side = st.integers(1, 60)
row = st.tuples(corner, corner, side, side).map(lambda c: [c[0], c[1], c[0] + c[2], c[1] + c[3]])


@given(st.lists(row, max_size=4), st.integers(1, 4), st.sampled_from([1.0, 0.5, 0.125]), st.integers(0, 2), st.booleans())
@settings(max_examples=60, deadline=None)
def test_whole_numbers_and_their_ties_equal_torchvision(rows, size, scale, sampling_ratio, aligned):
    features, rois = feature_map(2, 7, 9), boxes(rows)
    pooled = torchvision.ops.roi_pool(features[None], [rois], size, scale)
    torch.testing.assert_close(roi_pool(features, rois, size, scale), pooled)
    expected = torchvision.ops.roi_align(features[None], [rois], size, scale, sampling_ratio, aligned)
    torch.testing.assert_close(fast_roi_align(features, rois, size, scale, sampling_ratio, aligned), expected)
    torch.testing.assert_close(roi_align(features, rois, size, scale, sampling_ratio, aligned), expected)


@ALIGNS
def test_deviation_a_box_without_area_reads_one_point_where_torchvision_gives_0(align):
    ones, point = torch.ones(1, 6, 8), boxes([[16, 16, 16, 16]])
    assert torchvision.ops.roi_align(ones[None], [point], 2, 0.125, 0, True).eq(0).all()
    assert align(ones, point, 2, 0.125, 0, True).eq(1).all()


def test_the_fast_twin_has_the_gradient_of_torchvisions():
    rois = boxes(EDGES["several"])
    gradients = []
    for align in (fast_roi_align, lambda f, *rest: torchvision.ops.roi_align(f[None], [rest[0]], *rest[1:])):
        features = feature_map().requires_grad_()
        (align(features, rois, 4, 0.125, 2, True) ** 2).sum().backward()
        gradients.append(features.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ("y", "x", "expected"),
    [
        (0, 0, 0),
        (0, 1, 1),
        (1, 0, 10),
        (0.5, 0.5, 5.5),
        (0.25, 0.75, 3.25),
        (-0.5, 0, 0),  # before the first middle: the edge
        (1.9, 2.5, 12),  # past the last: the edge
        (-1.1, 0, 0),  # far off the map: 0
        (0, 3.1, 0),
        (2.0, 2.0, 12),  # on the last line still counts
    ],
)
def test_bilinear_by_hand(y, x, expected):
    features = torch.tensor([[[0.0, 1, 2], [10, 11, 12]]])
    assert bilinear(features, torch.tensor([float(y)]), torch.tensor([float(x)])).tolist() == [[pytest.approx(expected)]]


def test_a_ramp_is_read_exactly_by_align_and_not_by_pool():
    """On a map whose value is the place itself, the mean over a box is its centre."""
    ramp = (torch.arange(16.0) + 0.5).mul(8).expand(1, 16, 16)  # pixels of each cell's middle, stride 8
    box = boxes([[21, 32, 67, 96]])
    assert roi_align(ramp, box, 2, 1 / 8).mean().item() == pytest.approx(44)
    assert abs(roi_pool(ramp, box, 2, 1 / 8).mean().item() - 44) > 2


def test_a_batch_is_cut_picture_by_picture():
    features = torch.stack([feature_map(seed=0), feature_map(seed=1)])
    rois = [boxes(EDGES["several"]), boxes([])]
    both = of_each_picture(roi_align, features, rois, 3, spatial_scale=0.125)
    torch.testing.assert_close(both, torchvision.ops.roi_align(features, rois, 3, 0.125, 2, True))
    with pytest.raises(ValueError, match="boxes must hold one tensor for each of the 2 maps, got 1"):
        of_each_picture(roi_align, features, rois[:1], 3)


def test_pyramid_level_by_hand_and_as_torchvision():
    sides = torch.tensor([10.0, 112, 223, 224, 447, 448, 2000])
    squares = torch.stack((torch.zeros(7), torch.zeros(7), sides, sides), dim=1)
    assert pyramid_level(squares, 2, 5).tolist() == [2, 3, 3, 4, 4, 5, 5]
    theirs = torchvision.ops.poolers.LevelMapper(2, 5)
    assert pyramid_level(squares, 2, 5).tolist() == (theirs([squares]) + 2).tolist()
    assert pyramid_level(boxes([]), 2, 5).shape == (0,)


@pytest.mark.parametrize("cut", [roi_pool, roi_align, fast_roi_align])
def test_what_does_not_fit_is_named(cut):
    with pytest.raises(ValueError, match=r"features must have shape \(C, H, W\), got \(1, 3, 6, 8\)"):
        cut(feature_map()[None], boxes([]), 2)
    with pytest.raises(ValueError, match=r"boxes must have shape \(K, 4\), got \(1, 5\)"):
        cut(feature_map(), torch.zeros(1, 5), 2)
    with pytest.raises(ValueError, match="output_size must be at least 1 and spatial_scale above 0, got 0"):
        cut(feature_map(), boxes([]), 0)
    with pytest.raises(ValueError, match=r"y and x must have one shape \(P,\), got \(1,\) and \(2,\)"):
        bilinear(feature_map(), torch.zeros(1), torch.zeros(2))
    with pytest.raises(ValueError, match=r"features must have shape \(C, H, W\), got \(6, 8\)"):
        bilinear(feature_map()[0], torch.zeros(1), torch.zeros(1))
