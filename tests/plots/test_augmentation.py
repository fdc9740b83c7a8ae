"""Pictures of notebook 11: their words, their numbers, and that a slider's logic needs no browser."""

import math

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from coursekit.boxes import box_iou
from coursekit.plots import live
from coursekit.plots.augmentation import (
    at_strength,
    drag_strength,
    show_answer_boxes,
    show_boxed,
    show_by_strength,
    show_turned,
    strength_picture,
    turned_box,
)
from coursekit.plots.images import get_alt

matplotlib.use("Agg")
IMAGES = torch.randint(0, 256, (6, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
BOXES = torch.tensor([[1.0, 1, 8, 8]])


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_boxes_of_several_images():
    figure = show_boxed(list(IMAGES[:2]), [BOXES, torch.zeros(0, 4)], ["one", "none"], "Two pictures")
    assert get_alt(figure) == "Two pictures. one: 1 boxes, none: 0 boxes."
    with pytest.raises(ValueError, match="must be as many, and some, got 0, 0 and 0"):
        show_boxed([], [], [], "nothing")


@pytest.mark.parametrize("got", [(IMAGES[1], BOXES), None, 3, (IMAGES[1],), (1, 2)])
def test_an_answer_of_any_kind_can_be_shown(got):
    assert "1 boxes" in get_alt(show_answer_boxes((IMAGES[0], BOXES), got))


@pytest.mark.parametrize("degrees", [0, 7, 30, 45, 90])
def test_the_box_of_turned_corners_holds_what_is_white(degrees):
    image, hull, tight = turned_box(degrees)
    ys, xs = torch.nonzero(image[0] > 145, as_tuple=True)
    seen = torch.tensor([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], dtype=torch.float32)
    assert (seen - hull[0]).abs().max() <= 1.5
    assert (tight[0, :2] >= hull[0, :2] - 1e-4).all()
    assert (tight[0, 2:] <= hull[0, 2:] + 1e-4).all()


def test_a_square_turned_by_45_degrees_is_half_wrong():
    _, hull, tight = turned_box(45, width=40, height=40)
    assert abs(box_iou(hull, tight).item() - 0.5) < 1e-5
    assert "45°: IoU" in get_alt(show_turned((0, 45)))


def test_the_same_seed_at_another_strength_goes_the_same_way():
    half, whole = (at_strength(IMAGES, strength, seed=1, brightness=0.6).float().mean(dim=(1, 2, 3)) for strength in (0.5, 1))
    before = IMAGES.float().mean(dim=(1, 2, 3))
    assert torch.equal(torch.sign(half - before), torch.sign(whole - before))
    assert torch.equal(at_strength(IMAGES, 0, brightness=0.6), IMAGES)


def test_strength_picture_has_a_row_for_each():
    figure = strength_picture(IMAGES, (0, 1, 2), degrees=10)
    assert len(figure.axes) == 18
    assert "strengths 0, 1, 2" in get_alt(figure)


def test_the_slider_draws_again(monkeypatch):
    ipywidgets = pytest.importorskip("ipywidgets")
    shown = drag_strength(IMAGES, degrees=20)
    assert "from 0 (not at all) to 4" in repr(shown)
    widget = shown.make_widget()
    row, picture = widget.children
    slider, again = row.children
    first = picture.value
    slider.value = 3.0
    second = picture.value
    again.click()
    assert len({first, second, picture.value}) == 3
    assert isinstance(slider, ipywidgets.FloatSlider)
    monkeypatch.setattr(live, "has_kernel", lambda: False)
    assert "image/png" in shown._repr_mimebundle_()[0]


def test_by_strength_takes_means_of_as_many_seeds_as_there_are():
    figure = show_by_strength([0, 1, 4], [[0.5, 0.7], [0.8, 0.9], [0.3]], "A curve")
    assert "0: 0.600, 1: 0.850, 4: 0.300" in get_alt(figure)
    assert not math.isnan(figure.axes[0].get_ylim()[0])
