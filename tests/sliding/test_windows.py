"""Where windows lie, by hand; their crops against plain slicing; nothing is cut before it is asked for, and memory stays flat."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.models.convolution import output_size
from coursekit.sliding.windows import crops, grid, places, windows

sides, small = st.integers(0, 60), st.integers(1, 20)


@pytest.mark.parametrize(
    ("length", "window", "stride", "expected"),
    [(0, 4, 2, []), (3, 4, 2, []), (4, 4, 2, [0]), (5, 4, 2, [0]), (8, 4, 2, [0, 2, 4]), (9, 4, 2, [0, 2, 4]), (20, 4, 7, [0, 7, 14])],
)
def test_places_by_hand(length, window, stride, expected):
    assert places(length, window, stride) == expected


def test_windows_by_hand_row_by_row():
    boxes = windows((6, 8), 4, 2)
    assert boxes.tolist() == [[0, 0, 4, 4], [2, 0, 6, 4], [4, 0, 8, 4], [0, 2, 4, 6], [2, 2, 6, 6], [4, 2, 8, 6]]
    assert boxes.dtype == torch.int64
    assert grid((6, 8), 4, 2) == (2, 3)


@pytest.mark.parametrize("size_hw", [(0, 0), (3, 50), (50, 3)])
def test_a_picture_that_is_smaller_has_no_window_but_the_shape_of_none(size_hw):
    assert windows(size_hw, 4, 2).shape == (0, 4)
    assert grid(size_hw, 4, 2) == (0, 0)


@given(sides, sides, small, small)
def test_windows_lie_inside_and_are_as_many_as_a_convolution_has_outputs(height, width, window, stride):
    boxes = windows((height, width), window, stride)
    rows, columns = grid((height, width), window, stride)
    assert len(boxes) == rows * columns
    if height >= window and width >= window:
        assert (rows, columns) == (output_size(height, window, stride), output_size(width, window, stride))
        assert (boxes[:, 2:] - boxes[:, :2] == window).all()
        assert boxes.amin() == 0
        assert boxes[:, 2].amax() <= width
        assert boxes[:, 3].amax() <= height
        assert (boxes[:, :2] % stride == 0).all()
        assert len(boxes.unique(dim=0)) == len(boxes)


@pytest.mark.parametrize(
    ("window", "stride", "words"),
    [
        (0, 1, "window must be a whole number of at least 1, got 0"),
        (4, 0, "stride must be a whole number of at least 1, got 0"),
        (4, 1.5, "stride must be a whole number of at least 1, got 1.5"),
    ],
)
def test_what_cannot_be_is_named(window, stride, words):
    with pytest.raises(ValueError, match=words):
        windows((8, 8), window, stride)


# --- crops


@pytest.mark.parametrize("batch", [1, 4, 1000])
def test_crops_are_what_slicing_gives_in_batches(batch):
    image = torch.randint(0, 256, (3, 21, 30), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    boxes = windows((21, 30), 8, 5)[torch.randperm(15, generator=torch.Generator().manual_seed(1))]
    parts = list(crops(image, boxes, batch))
    assert [len(part) for part in parts[:-1]] == [batch] * (len(parts) - 1)
    expected = torch.stack([image[:, y1:y2, x1:x2] for x1, y1, x2, y2 in boxes.tolist()])
    assert torch.equal(torch.cat(parts), expected)
    assert parts[0].is_contiguous()


def test_crops_may_be_no_squares_and_boxes_floats():
    image = torch.rand(2, 10, 12)
    (cut,) = crops(image, torch.tensor([[1.0, 2.0, 6.0, 4.0]]))
    assert torch.equal(cut[0], image[:, 2:4, 1:6])


def test_a_crop_is_a_copy():
    image = torch.zeros(1, 4, 4)
    (cut,) = crops(image, windows((4, 4), 4, 1))
    cut += 1
    assert image.sum() == 0


def test_no_boxes_no_crops():
    assert list(crops(torch.zeros(3, 4, 4), torch.zeros(0, 4))) == []


@pytest.mark.parametrize(
    ("image", "boxes", "batch", "words"),
    [
        (torch.zeros(4, 4), [[0, 0, 2, 2]], 1, r"image must have shape \(C, H, W\), got \(4, 4\)"),
        (torch.zeros(1, 4, 4), [[0, 0, 2]], 1, r"boxes must have shape \(N, 4\), got \(1, 3\)"),
        (torch.zeros(1, 4, 4), [[0, 0, 2, 2]], 0, "batch must be at least 1, got 0"),
        (torch.zeros(1, 4, 4), [[0.5, 0, 2, 2]], 1, "boxes must lie on whole pixels"),
        (torch.zeros(1, 4, 4), [[0, 0, 2, 2], [0, 0, 3, 2]], 1, "boxes must be of one size"),
        (torch.zeros(1, 4, 4), [[2, 2, 2, 2]], 1, "at least 1 pixel wide and high"),
        (torch.zeros(1, 4, 4), [[-1, 0, 1, 2]], 1, "boxes must lie inside the image of 4 x 4 pixels"),
        (torch.zeros(1, 4, 6), [[0, 3, 2, 5]], 1, "boxes must lie inside the image of 4 x 6 pixels"),
    ],
)
def test_crops_name_what_is_wrong_at_once(image, boxes, batch, words):
    with pytest.raises(ValueError, match=words):
        crops(image, torch.tensor(boxes), batch)


MEASURE = """
import sys, torch
from coursekit.sliding.windows import crops, windows
image = torch.zeros(3, 3000, 4000, dtype=torch.uint8)
boxes = windows((3000, 4000), 32, 8)
crops_of = list if sys.argv[1] == "all" else iter
def peak():  # of this process alone; getrusage would still remember whoever started it
    return next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
next(crops(image, boxes))
before, count = peak(), 0
for part in crops_of(crops(image, boxes, 64)):
    count += len(part)
print(count, peak() - before)
"""


def used(how: str) -> tuple[int, int]:
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux says how much memory a process took at the most")
    count, grown = subprocess.run([sys.executable, "-c", MEASURE, how], capture_output=True, text=True, check=True).stdout.split()
    return int(count), int(grown)


@pytest.mark.full
def test_memory_stays_flat_on_a_photograph_of_twelve_megapixels_and_would_not_if_all_were_kept():
    rows, columns = grid((3000, 4000), 32, 8)
    count, lazily = used("lazily")
    assert count == rows * columns == 184_884
    assert lazily < 20e6
    kept, at_once = used("all")
    assert kept == count
    assert at_once > 0.9 * count * 3 * 32 * 32  # 568 MB, and 2.3 GB as floats
