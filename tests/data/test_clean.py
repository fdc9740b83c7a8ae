import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from coursekit.data.clean import RawBox, RawImage, finish, turn_boxes
from coursekit.data.images import TURNS, Header

anything = st.floats(-30, 60) | st.sampled_from([float("nan"), float("inf"), -float("inf"), 0.0, 20.0, 10.0, 1e30, 1e-30])


@given(st.lists(st.tuples(anything, anything, anything, anything), max_size=6))
def test_whatever_a_file_says_boxes_come_out_usable_and_losses_are_counted(tuples):
    raw = RawImage(
        "f", "a.png", boxes=[RawBox(xyxy, "a", f"box {n}") for n, xyxy in enumerate(tuples)], header=Header(20, 10, 1, "PNG", "RGB")
    )
    problems = []
    record = finish(raw, 1, ("a",), problems)
    assert np.isfinite(record.boxes).all()
    assert (record.boxes >= 0).all()
    assert (record.boxes <= [20, 10, 20, 10]).all()
    assert (record.boxes[:, 2:] > record.boxes[:, :2]).all()
    assert (record.area > 0).all()
    left_out = sum(problem.action.startswith("left out") for problem in problems)
    assert len(record) + left_out == len(tuples)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_as_pixels_do(orientation):
    """A filled box is drawn, the picture turned by Pillow, and the box found again."""
    width, height, box = 12, 7, (2, 1, 9, 3)
    pixels = np.zeros((height, width), np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = 255
    picture = Image.fromarray(pixels)
    if orientation in TURNS:
        picture = picture.transpose(TURNS[orientation])
    ys, xs = np.nonzero(np.asarray(picture))
    turned = turn_boxes(np.array([box], float), Header(*picture.size, orientation, "PNG", "L"))
    assert turned.tolist() == [[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]]
