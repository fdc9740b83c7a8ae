"""Pictures with boxes and masks: what is drawn, where the names go, what somebody hears who cannot see them."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from coursekit.plots.images import COLOURS, get_alt, set_alt, show_boxes, show_images, show_masks, to_picture

grey = np.full((40, 60, 3), 100, dtype=np.uint8)
classes = ("stop", "yield", "no_overtaking")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("image", "shape"),
    [
        (torch.zeros(3, 4, 5, dtype=torch.uint8), (4, 5, 3)),
        (torch.zeros(3, 4, 3), (4, 3, 3)),
        (torch.zeros(1, 4, 5), (4, 5)),
        (np.zeros((4, 5, 3), dtype=np.uint8), (4, 5, 3)),
        (np.zeros((3, 5, 3), dtype=np.uint8), (3, 5, 3)),
        (np.zeros((3, 4, 5)), (4, 5, 3)),
        (np.zeros((4, 5), dtype=bool), (4, 5)),
    ],
    ids=["tensor", "narrow tensor", "one channel", "array", "low array", "channels first", "mask"],
)
def test_to_picture_finds_the_channels(image, shape):
    picture = to_picture(image)
    assert picture.shape == shape
    assert picture.dtype == np.uint8


def test_to_picture_keeps_values():
    assert to_picture(torch.tensor([[[0.0, 0.5, 1.0, 7.0, -1.0, float("nan")]]])).tolist() == [[0, 128, 255, 255, 0, 0]]
    image = torch.arange(24, dtype=torch.uint8).reshape(3, 2, 4)
    assert to_picture(image)[1, 2].tolist() == image[:, 1, 2].tolist()


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((2, 4, 5)), r"image must have shape .*, got \(2, 4, 5\)"),
        (np.zeros(4), r"image must have shape .*, got \(4,\)"),
        (np.zeros((4, 5), dtype=np.int64), "image must be uint8 in 0..255 or float in 0..1, got int64"),
    ],
)
def test_to_picture_names_what_is_wrong(image, words):
    with pytest.raises(ValueError, match=words):
        to_picture(image)


def test_show_images_in_rows():
    figure = show_images([grey] * 5, titles=list("abcde"), columns=3, suptitle="Five")
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", "d", "e", ""]
    assert [len(ax.images) for ax in figure.axes] == [1, 1, 1, 1, 1, 0]
    assert figure.get_suptitle() == "Five"
    assert get_alt(figure) == "Five: 5 pictures, titled a, b, c, d, e."


def test_show_images_takes_a_batch():
    assert len(show_images(torch.zeros(2, 3, 8, 8)).axes) == 2


@pytest.mark.parametrize(
    ("images", "titles", "words"),
    [([], None, "images must hold at least one image"), ([grey], ["a", "b"], "titles must be one for each of the 1 images, got 2")],
)
def test_show_images_names_what_is_wrong(images, titles, words):
    with pytest.raises(ValueError, match=words):
        show_images(images, titles)


def rectangles(ax):
    return [p for p in ax.patches if isinstance(p, Rectangle) and p.get_edgecolor() != (0, 0, 0, 1)]


def test_show_boxes_draws_each_box_with_its_name():
    boxes = torch.tensor([[5.0, 10, 20, 30], [30, 5, 55, 35]])
    ax = show_boxes(grey, boxes, torch.tensor([0, 2]), torch.tensor([0.9, 0.456]), classes, title="Two signs")
    drawn = rectangles(ax)
    assert [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in drawn] == [(5, 10, 15, 20), (30, 5, 25, 30)]
    assert [t.get_text() for t in ax.texts] == ["stop 0.90", "no_overtaking 0.46"]
    assert ax.get_title() == "Two signs"
    assert get_alt(ax.figure) == "Two signs: stop 0.90 at 5, 10, 20, 30; no_overtaking 0.46 at 30, 5, 55, 35."


def test_the_picture_lies_under_the_pixels_that_boxes_mean():
    ax = show_boxes(grey, np.zeros((0, 4)))
    assert tuple(ax.images[0].get_extent()) == (0, 60, 40, 0)  # a box from 0 to 60 is as wide as the picture
    assert get_alt(ax.figure) == "0 boxes: no boxes."


def test_colour_is_not_the_only_signal():
    boxes = np.array([[1, 1, 9, 9]] * 16)
    ax = show_boxes(grey, boxes, range(16))
    looks = {(p.get_edgecolor(), p.get_linestyle()) for p in rectangles(ax)}
    assert len(looks) == 16
    assert len({p.get_linestyle() for p in rectangles(ax)}) == 4
    assert len(set(COLOURS)) == len(COLOURS)


def extents(ax):
    ax.figure.canvas.draw()
    renderer = ax.figure.canvas.get_renderer()
    return [text.extent for text in ax.texts], ax.get_window_extent(renderer)


@pytest.mark.parametrize(
    "box",
    [[0, 0, 10, 10], [50, 0, 60, 10], [0, 30, 10, 40], [55, 35, 60, 40], [-5, -5, 70, 50]],
    ids=["top left", "top right", "bottom left", "bottom right", "all"],
)
@pytest.mark.parametrize("size", [2, 5])
def test_names_stay_in_the_picture(box, size):
    _, ax = plt.subplots(figsize=(size, size), layout="constrained")
    show_boxes(grey, np.array([box]), [2], [0.5], classes, ax=ax)
    (name,), room = extents(ax)
    assert name.x0 >= room.x0 - 0.5
    assert name.x1 <= room.x1 + 0.5
    assert name.y0 >= room.y0 - 0.5
    assert name.y1 <= room.y1 + 0.5


def test_names_do_not_cover_each_other():
    boxes = np.array([[5, 10, 20, 30], [6, 11, 20, 30], [8, 10, 20, 30], [4, 12, 20, 30]])
    names, _ = extents(show_boxes(grey, boxes, [0, 1, 2, 0], None, classes))
    assert not any(a.overlaps(b) for i, a in enumerate(names) for b in names[:i])
    again, _ = extents(plt.gca())
    np.testing.assert_allclose([a.bounds for a in again], [a.bounds for a in names])  # drawing twice moves nothing


@pytest.mark.parametrize(
    ("boxes", "labels", "scores", "words"),
    [
        (np.zeros((2, 5)), None, None, r"boxes must have shape \(N, 4\), got \(2, 5\)"),
        (np.zeros(4), None, None, r"boxes must have shape \(N, 4\), got \(4,\)"),
        (np.zeros((2, 4)), [0], None, "labels must be one for each of the 2 boxes, got 1"),
        (np.zeros((2, 4)), [0, 1], [0.5], "scores must be one for each of the 2 boxes, got 1"),
        (np.zeros((1, 4)), [3], None, r"labels must lie in 0..2, the places in classes, got \[3\]"),
        (np.zeros((2, 4)), None, [0.5], "scores must be one for each of the 2 boxes, got 1"),
    ],
)
def test_show_boxes_names_what_is_wrong(boxes, labels, scores, words):
    with pytest.raises(ValueError, match=words):
        show_boxes(grey, boxes, labels, scores, classes)


def test_scores_alone_are_shown():
    assert [t.get_text() for t in show_boxes(grey, np.array([[1, 1, 9, 9]]), scores=[0.25]).texts] == ["0.25"]


def test_two_pictures_in_one_figure_have_both_texts():
    figure, axes = plt.subplots(1, 2)
    show_boxes(grey, np.zeros((0, 4)), ax=axes[0], title="left")
    show_boxes(grey, np.zeros((0, 4)), ax=axes[1], title="right")
    assert get_alt(figure) == "left: no boxes. right: no boxes."


masks = np.zeros((2, 40, 60), dtype=bool)
masks[0, 5:20, 5:20] = True
masks[1, 10:30, 30:50] = True


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_show_masks_names_each_mask(kind):
    ax = show_masks(grey, kind(masks), [1, 0], classes, title="Two")
    assert [(t.get_text(), t.get_position()) for t in ax.texts] == [("yield", (12, 12)), ("stop", (39, 19))]
    assert len(ax.images) == 3
    assert get_alt(ax.figure) == "Two: yield, stop."
    overlay = ax.images[1].get_array()
    assert (overlay[..., 3] > 0).sum() == masks[0].sum()


def test_show_masks_takes_a_map_of_classes():
    ax = show_masks(grey, (masks[0] * 3 + masks[1] * 1).astype(np.int64), classes=classes)
    assert [t.get_text() for t in ax.texts] == ["stop", "no_overtaking"]
    assert show_masks(grey, np.zeros((40, 60), dtype=np.int64)).get_title() == "0 masks"


def test_show_masks_takes_empty_and_full_masks():
    ax = show_masks(grey, np.stack([np.zeros((40, 60), bool), np.ones((40, 60), bool)]))
    ax.figure.canvas.draw()
    assert [t.get_text() for t in ax.texts] == ["1"]


def test_show_masks_names_what_is_wrong():
    with pytest.raises(ValueError, match=r"masks must have shape \(N, 40, 60\) as the image, got \(1, 4, 4\)"):
        show_masks(grey, np.zeros((1, 4, 4), dtype=bool))
    with pytest.raises(ValueError, match="labels must be one for each of the 2 masks, got 1"):
        show_masks(grey, masks, [0])


def test_a_text_alternative_says_something():
    with pytest.raises(ValueError, match="text must say what the figure shows"):
        set_alt(plt.figure(), "  ")
    assert get_alt(plt.figure()) == ""
