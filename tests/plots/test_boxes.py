import matplotlib
import pytest
import torch

from coursekit.boxes import nms
from coursekit.plots import boxes as pictures
from coursekit.plots import suppression
from coursekit.plots.images import get_alt

matplotlib.use("Agg")
IMAGE = torch.full((3, 30, 40), 128, dtype=torch.uint8)


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


MANY = boxes([0, 0, 8, 8], [1, 1, 9, 9], [0, 2, 8, 10], [14, 3, 22, 11], [14, 4, 22, 12], [7, 7, 15, 15])
SCORES = torch.tensor([0.9, 0.8, 0.75, 0.85, 0.6, 0.5])
LABELS = torch.tensor([0, 0, 1, 1, 2, 2])


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    matplotlib.pyplot.close("all")


FIGURES = {
    "pair": (lambda: pictures.show_pair((0, 0, 4, 2), (2, 0, 6, 2)), "IoU 0.33"),
    "pair without area": (lambda: pictures.show_pair((1, 1, 1, 1), (3, 3, 3, 3)), "GIoU -1.00"),
    "pairs": (
        lambda: pictures.show_pairs([((0, 0, 4, 4), (0, 0, 4, 4)), ((0, 0, 4, 4), (4, 0, 8, 4))], "Two pairs"),
        "IoU 1.00, GIoU 1.00; IoU 0.00",
    ),
    "formats": (lambda: pictures.show_formats((30, 20, 90, 60), (80, 120)), "VOC (31, 21, 90, 60)"),
    "readings": (
        lambda: pictures.show_readings(IMAGE, {"right": MANY, "wrong": MANY * 2}, "Readings"),
        "right: 6 boxes, the first (0, 0, 8, 8)",
    ),
    "slide": (lambda: pictures.show_slide([0, 1, 2], {"IoU": [1, 0.5, 0], "GIoU": [1, 0, -1]}, "Sliding"), "GIoU from 1.00 to -1.00"),
    "rounds": (lambda: suppression.show_rounds(MANY, SCORES, 0.5), "round 1 keeps #0 and drops #1, #2; round 2 keeps #3 and drops #4"),
    "before and after": (
        lambda: suppression.show_before_after(
            IMAGE, {"all": (MANY, SCORES, LABELS), "none": (MANY[:0], SCORES[:0], LABELS[:0])}, "abc", "NMS"
        ),
        "all: 6 boxes; none: 0 boxes",
    ),
    "matches": (
        lambda: suppression.show_matches(MANY[:2], MANY[:3], SCORES[:3], [True, True, False], "Match"),
        "1 right, 2 right, 3 wrong",
    ),
    "precision": (lambda: suppression.show_precision([True, False, True], 3), "1.00, 0.67. Averaged over 3 objects: 0.556"),
    "precision of nothing": (lambda: suppression.show_precision([False], 2), "hits: none. Averaged over 2 objects: 0.000"),
    "a failing pair": (
        lambda: pictures.pair_of_a_case(MANY[:2], MANY[:3], torch.zeros(2, 3), torch.tensor([[0.0, 0, 0], [0, 0, 9]])),
        "Box A (1, 1, 9, 9) and box B (0, 2, 8, 10)",
    ),
    "a failing suppression": (
        lambda: pictures.kept_of_a_case(MANY, SCORES, torch.tensor([0, 3, 5]), torch.tensor([3, 0]), LABELS),
        "Should stay, best first: [0, 3, 5]. Yours keeps: [3, 0].",
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_picture_has_a_title_axis_names_and_words(name):
    make, words = FIGURES[name]
    figure = make()
    assert words in get_alt(figure)
    assert figure.get_suptitle() or any(ax.get_title() for ax in figure.axes)
    for ax in figure.axes:
        assert not ax.axison or ax.get_xlabel(), "axes that are shown are named"
    figure.canvas.draw()


def test_what_a_check_cannot_draw_is_left_out():
    got = torch.zeros(1, 0)
    assert pictures.pair_of_a_case(MANY[:1], MANY[:0], got, got) is None
    expected = torch.tensor([0])
    for got in (torch.tensor([99]), torch.tensor([-1]), torch.ones(6, dtype=torch.bool), MANY, None, [0]):
        assert pictures.kept_of_a_case(MANY, SCORES, expected, got) is None
    assert pictures.kept_of_a_case(MANY[:0], SCORES[:0], expected[:0], expected[:0]) is None


@pytest.mark.parametrize("got", [None, torch.zeros(7), "wrong", torch.zeros(2, 3, dtype=torch.complex64)])
def test_a_pair_is_drawn_also_for_an_answer_of_another_kind(got):
    figure = pictures.pair_of_a_case(MANY[:2], MANY[:3], torch.zeros(2, 3), got)
    assert figure.axes[0].get_title() == "A = boxes1[0], B = boxes2[0]"


def test_the_failing_pair_says_what_was_expected():
    figure = pictures.pair_of_a_case(MANY[:2], MANY[:3], torch.zeros(2, 3), torch.tensor([[0.0, 4, 0], [0, 0, 0]]))
    assert figure.axes[0].get_title() == "A = boxes1[0], B = boxes2[1]\nexpected 0, got 4"


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_the_rounds_are_those_of_nms(threshold):
    rounds = suppression.rounds_of_nms(MANY, SCORES, threshold)
    assert [r.best for r in rounds] == nms(MANY, SCORES, threshold).tolist()
    for now in rounds:  # every box is somewhere, once
        assert sorted([now.best, *now.kept, *now.dropped_now, *now.gone, *now.waiting]) == list(range(6))
    assert suppression.rounds_of_nms(MANY[:0], SCORES[:0], threshold) == []
