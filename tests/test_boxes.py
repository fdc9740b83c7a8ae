import math

import pytest
import torch
import torchvision.ops as tv
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from coursekit.boxes import (
    FORMATS,
    batched_nms,
    box_area,
    box_convert,
    box_iou,
    clip_boxes_to_image,
    complete_box_iou,
    distance_box_iou,
    fast_batched_nms,
    fast_nms,
    generalized_box_iou,
    nms,
    remove_small_boxes,
)


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def scored(rows):
    """Rows of (box, score, label) as three tensors."""
    return boxes(*(r[0] for r in rows)), torch.tensor([float(r[1]) for r in rows]), torch.tensor([r[2] for r in rows], dtype=torch.int64)


def random_boxes(generator, count, size=200.0):
    start = torch.rand(count, 2, generator=generator) * size
    return torch.cat((start, start + 1 + torch.rand(count, 2, generator=generator) * 60), dim=1)


corner = st.integers(0, 12)  # small integers: edges meet and boxes repeat, which random floats never do
box = st.tuples(corner, corner, corner, corner).map(lambda c: [min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]) + 1, max(c[1], c[3]) + 1])
box_or_line = st.tuples(corner, corner, corner, corner).map(lambda c: [min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3])])
detections = st.lists(st.tuples(box, st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]), st.integers(0, 3)), max_size=24)
exact_threshold = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])  # exact in binary: float32 and float64 agree on them

# ---- formats


@pytest.mark.parametrize("fmt", FORMATS)
def test_box_convert_by_hand(fmt):
    same = {"xyxy": boxes([2, 3, 6, 11]), "xywh": boxes([2, 3, 4, 8]), "cxcywh": boxes([4, 7, 4, 8])}
    for other in FORMATS:
        assert_close(box_convert(same[fmt], fmt, other), same[other])
        assert box_convert(torch.zeros(0, 4), fmt, other).shape == (0, 4)


@given(st.lists(box, max_size=5), st.sampled_from(FORMATS), st.sampled_from(FORMATS))
def test_box_convert_equals_torchvision_and_comes_back(rows, in_fmt, out_fmt):
    given_boxes = boxes(*rows)
    there = box_convert(given_boxes, in_fmt, out_fmt)
    assert_close(there, tv.box_convert(given_boxes, in_fmt, out_fmt))
    assert_close(box_convert(there, out_fmt, in_fmt), given_boxes)


def test_box_convert_returns_a_copy_and_takes_batches():
    batch = torch.rand(2, 3, 4)
    copy = box_convert(batch, "xyxy", "xyxy")
    copy += 1
    assert (copy != batch).all()
    assert_close(box_convert(batch, "xywh", "xyxy")[1], box_convert(batch[1], "xywh", "xyxy"))


def test_box_convert_names_what_is_wrong():
    with pytest.raises(ValueError, match="in_fmt must be one of xyxy, xywh, cxcywh, got 'yolo'"):
        box_convert(torch.zeros(1, 4), "yolo", "xyxy")
    with pytest.raises(ValueError, match=r"boxes must have shape \(..., 4\), got \(4, 3\)"):
        box_convert(torch.zeros(4, 3), "xyxy", "xywh")


# ---- area, clip, small


def test_area_of_half_precision_and_integers_does_not_overflow():
    big = boxes([0, 0, 300, 300])
    assert box_area(big.half()).tolist() == [90000.0]  # float16 ends at 65504
    assert box_area(big.int()).dtype == torch.float32
    assert box_area(big.double()).dtype == torch.float64
    assert box_area(boxes()).shape == (0,)


@given(st.lists(box, max_size=6), st.integers(1, 12), st.integers(1, 12), st.integers(0, 5))
def test_clip_and_small_equal_torchvision(rows, height, width, min_size):
    given_boxes = boxes(*rows) - 3
    clipped = clip_boxes_to_image(given_boxes, (height, width))
    assert_close(clipped, tv.clip_boxes_to_image(given_boxes, (height, width)))
    assert (clipped[:, 2] <= width).all()
    assert (clipped[:, 3] <= height).all()
    assert torch.equal(remove_small_boxes(clipped, min_size), tv.remove_small_boxes(clipped, min_size))


def test_a_box_outside_the_image_ends_with_no_area():
    clipped = clip_boxes_to_image(boxes([50, 50, 70, 70], [-9, 2, -1, 8]), (20, 30))
    assert box_area(clipped).tolist() == [0, 0]


# ---- the IoU family


@pytest.mark.parametrize(
    ("a", "b", "iou", "giou"),
    [
        (boxes(), boxes([0, 0, 1, 1]), torch.zeros(0, 1), torch.zeros(0, 1)),
        (boxes([0, 0, 1, 1]), boxes(), torch.zeros(1, 0), torch.zeros(1, 0)),
        (boxes([0, 0, 2, 2]), boxes([0, 0, 2, 2]), torch.tensor([[1.0]]), torch.tensor([[1.0]])),
        (boxes([0, 0, 2, 2]), boxes([2, 0, 4, 2]), torch.tensor([[0.0]]), torch.tensor([[0.0]])),
        (boxes([0, 0, 1, 1]), boxes([3, 3, 5, 5]), torch.tensor([[0.0]]), torch.tensor([[-20 / 25]])),
        (boxes([0, 0, 4, 2]), boxes([2, 0, 6, 2]), torch.tensor([[1 / 3]]), torch.tensor([[1 / 3]])),
        (boxes([0, 0, 2, 2]), boxes([1, 1, 3, 3]), torch.tensor([[1 / 7]]), torch.tensor([[1 / 7 - 2 / 9]])),
    ],
    ids=[
        "no boxes",
        "nothing to compare with",
        "same box",
        "edges touch",
        "apart on both axes",
        "half over each other",
        "corner over corner",
    ],
)
def test_iou_and_giou_by_hand(a, b, iou, giou):
    assert_close(box_iou(a, b), iou)
    assert_close(generalized_box_iou(a, b), giou)


PAIRS = [
    (box_iou, tv.box_iou, 1e-6),
    (generalized_box_iou, tv.generalized_box_iou, 1e-6),
    (distance_box_iou, tv.distance_box_iou, 1e-5),
    (complete_box_iou, tv.complete_box_iou, 1e-5),
]


@pytest.mark.parametrize(("ours", "theirs", "atol"), PAIRS, ids=[p[0].__name__ for p in PAIRS])
@given(st.lists(box, max_size=5), st.lists(box, max_size=5))
@settings(max_examples=60)
def test_the_family_equals_torchvision_on_integers(ours, theirs, atol, rows1, rows2):
    a, b = boxes(*rows1), boxes(*rows2)
    assert_close(ours(a, b), theirs(a, b), atol=atol, rtol=1e-5)


@pytest.mark.parametrize(("ours", "theirs", "atol"), PAIRS, ids=[p[0].__name__ for p in PAIRS])
def test_the_family_equals_torchvision_on_random_floats(ours, theirs, atol):
    generator = torch.Generator().manual_seed(3)
    a, b = random_boxes(generator, 40), random_boxes(generator, 60)
    assert_close(ours(a, b), theirs(a, b), atol=atol, rtol=1e-5)


def test_iou_is_torchvisions_to_the_last_bit():
    generator = torch.Generator().manual_seed(4)
    a, b = random_boxes(generator, 80), random_boxes(generator, 80)
    assert torch.equal(box_iou(a, b), tv.box_iou(a, b))


@given(st.lists(box_or_line, min_size=1, max_size=5), st.lists(box_or_line, min_size=1, max_size=5))
def test_the_family_is_never_nan_and_stays_in_its_range(rows1, rows2):
    a, b = boxes(*rows1), boxes(*rows2)
    for function, low in ((box_iou, 0), (generalized_box_iou, -1), (distance_box_iou, -1), (complete_box_iou, -2)):
        value = function(a, b)
        assert ((value >= low - 1e-6) & (value <= 1 + 1e-6)).all()
        assert_close(value, function(b, a).T)
        assert (value <= box_iou(a, b) + 1e-6).all()


def test_two_boxes_without_area_get_0_where_torchvision_gives_nan():
    point, line = boxes([1, 1, 1, 1]), boxes([0, 1, 5, 1])
    for function, theirs in ((box_iou, tv.box_iou), (generalized_box_iou, tv.generalized_box_iou)):
        assert theirs(point, point).isnan().all()
        assert function(point, point).item() == 0
        assert function(point, line).item() == 0
    assert generalized_box_iou(point, boxes([4, 5, 4, 5])).item() == -1  # the hull has area, and neither box covers any


@pytest.mark.parametrize("function", [box_iou, generalized_box_iou, distance_box_iou, complete_box_iou])
def test_gradients_are_finite_also_without_area(function):
    a = boxes([1, 1, 1, 1], [0, 0, 2, 2]).requires_grad_()
    function(a, boxes([1, 1, 1, 1], [5, 5, 6, 6])).sum().backward()
    assert a.grad.isfinite().all()


def test_giou_pulls_boxes_together_where_iou_does_not():
    apart = boxes([0, 0, 1, 1]).requires_grad_()
    box_iou(apart, boxes([5, 0, 6, 1])).sum().backward()
    assert (apart.grad == 0).all()
    apart.grad = None
    generalized_box_iou(apart, boxes([5, 0, 6, 1])).sum().backward()
    assert apart.grad[0, 2] > 0  # moving the right edge to the right makes it better


def test_diou_and_ciou_by_hand():
    tall, wide = boxes([0, 0, 2, 4]), boxes([0, 0, 4, 2])  # IoU 4 / 12, centres (1, 2) and (2, 1), hull 4 x 4
    diou = 1 / 3 - 2 / 32
    v = 4 / math.pi**2 * (math.atan(1 / 2) - math.atan(2)) ** 2
    assert distance_box_iou(tall, wide).item() == pytest.approx(diou)
    assert complete_box_iou(tall, wide).item() == pytest.approx(diou - v * v / (1 - 1 / 3 + v))


@pytest.mark.parametrize("function", [box_iou, generalized_box_iou, distance_box_iou, complete_box_iou])
@pytest.mark.parametrize("shape", [(4,), (2, 5), (1, 2, 4)])
def test_the_family_names_the_argument_that_is_wrong(function, shape):
    with pytest.raises(ValueError, match=r"boxes2 must have shape \(N, 4\)"):
        function(torch.zeros(1, 4), torch.zeros(shape))
    with pytest.raises(ValueError, match=r"boxes1 must have shape \(N, 4\)"):
        function(torch.zeros(shape), torch.zeros(1, 4))


# ---- suppression


@pytest.mark.parametrize("suppress", [nms, fast_nms])
@pytest.mark.parametrize(
    ("rows", "threshold", "expected"),
    [
        ([], 0.5, []),
        ([([0, 0, 2, 2], 0.1, 0)], 0.5, [0]),
        ([([0, 0, 2, 2], 0.8, 0), ([0, 0, 2, 2], 0.9, 0)], 0.5, [1]),
        ([([0, 0, 2, 2], 0.9, 0), ([0, 0, 2, 2], 0.9, 0)], 0.5, [0]),
        ([([0, 0, 4, 2], 0.9, 0), ([0, 0, 2, 2], 0.8, 0)], 0.5, [0, 1]),
        ([([0, 0, 4, 4], 0.9, 0), ([0, 1, 4, 5], 0.8, 0), ([0, 2, 4, 6], 0.7, 0)], 0.5, [0, 2]),
        ([([1, 1, 1, 1], 0.9, 0), ([1, 1, 1, 1], 0.8, 0)], 0.5, [0, 1]),
    ],
    ids=[
        "no boxes",
        "one",
        "the better stays",
        "a tie: the earlier stays",
        "IoU equal to the threshold stays",
        "a dropped box drops nobody",
        "no area",
    ],
)
def test_nms_by_hand(suppress, rows, threshold, expected):
    b, s, _ = scored(rows)
    kept = suppress(b, s, threshold)
    assert kept.dtype == torch.int64
    assert kept.tolist() == expected


@given(detections, exact_threshold)
def test_nms_equals_torchvision_on_integers_with_ties(rows, threshold):
    b, s, labels = scored(rows)
    assert torch.equal(nms(b, s, threshold), tv.nms(b, s, threshold))
    assert torch.equal(batched_nms(b, s, labels, threshold), tv.batched_nms(b, s, labels, threshold))


@given(detections, st.floats(0, 1))
def test_fast_nms_is_nms(rows, threshold):
    b, s, labels = scored(rows)
    assert torch.equal(fast_nms(b, s, threshold), nms(b, s, threshold))
    assert torch.equal(fast_batched_nms(b, s, labels, threshold), batched_nms(b, s, labels, threshold))
    assert torch.equal(fast_nms(b.double(), s, threshold), nms(b.double(), s, threshold))


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.45, 0.5, 0.7])
@pytest.mark.parametrize("seed", range(3))
def test_nms_equals_torchvision_on_random_floats(seed, threshold):
    generator = torch.Generator().manual_seed(seed)
    b, s = random_boxes(generator, 400), torch.rand(400, generator=generator)
    labels = torch.randint(0, 5, (400,), generator=generator)
    assert torch.equal(nms(b, s, threshold), tv.nms(b, s, threshold))
    assert torch.equal(fast_nms(b, s, threshold), tv.nms(b, s, threshold))
    assert torch.equal(batched_nms(b, s, labels, threshold), tv.batched_nms(b, s, labels, threshold))


def test_an_iou_that_rounds_to_the_threshold_stays_and_torchvisions_cpu_kernel_drops_it():
    b, s = boxes([0, 0, 10, 1], [0, 0, 3, 1]), torch.tensor([0.9, 0.8])  # IoU 3/10
    assert tv.nms(b, s, 0.3).tolist() == [0]
    assert nms(b, s, 0.3).tolist() == [0, 1]
    assert fast_nms(b, s, 0.3).tolist() == [0, 1]


def test_batched_nms_with_negative_coordinates_where_torchvision_lets_classes_meet():
    b = boxes([0, 0, 9, 9], [-10, -10, -1, -1])  # torchvision moves class 1 by 10: onto the box of class 0
    s, labels = torch.tensor([0.9, 0.8]), torch.tensor([0, 1])
    assert tv.batched_nms(b, s, labels, 0.5).tolist() == [0]
    assert batched_nms(b, s, labels, 0.5).tolist() == [0, 1]
    assert fast_batched_nms(b, s, labels, 0.5).tolist() == [0, 1]


def test_batched_nms_keeps_the_same_box_once_for_each_class_and_the_best_first():
    b, s, labels = scored([([0, 0, 2, 2], 0.5, 3), ([0, 0, 2, 2], 0.9, 7), ([0, 0, 2, 2], 0.4, 3), ([0, 0, 2, 2], 0.5, 0)])
    assert batched_nms(b, s, labels, 0.5).tolist() == [1, 0, 3]
    assert batched_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), 0.5).shape == (0,)


@given(detections, st.floats(0, 1))
def test_what_nms_keeps_does_not_overlap_and_what_it_drops_does(rows, threshold):
    b, s, _ = scored(rows)
    kept = nms(b, s, threshold)
    assert (s[kept].diff() <= 0).all()
    overlap = box_iou(b, b[kept]) > threshold
    assert not (overlap[kept] & ~torch.eye(len(kept), dtype=torch.bool)).any()
    better = s[kept][None, :] >= s[:, None]
    dropped = torch.tensor([i not in kept.tolist() for i in range(len(b))], dtype=torch.bool)
    assert (overlap & better).any(dim=1)[dropped].all()


@pytest.mark.parametrize("suppress", [nms, fast_nms])
def test_nms_names_what_is_wrong(suppress):
    with pytest.raises(ValueError, match=r"scores must have shape \(2,\), one for each box, got \(3,\)"):
        suppress(torch.zeros(2, 4), torch.zeros(3), 0.5)
    with pytest.raises(ValueError, match="iou_threshold must be between 0 and 1, got 50"):
        suppress(torch.zeros(2, 4), torch.zeros(2), 50)
    with pytest.raises(ValueError, match=r"labels must have shape \(2,\)"):
        batched_nms(torch.zeros(2, 4), torch.zeros(2), torch.zeros(1, dtype=torch.int64), 0.5)
