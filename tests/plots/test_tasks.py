import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from coursekit.plots.images import get_alt
from coursekit.plots.tasks import crop, largest, show_tasks

matplotlib.use("Agg")
IMAGE = torch.zeros(3, 30, 40, dtype=torch.uint8)
MASKS = torch.zeros(3, 30, 40, dtype=torch.bool)
for mask, (x1, y1, x2, y2) in zip(MASKS, ((0, 0, 5, 5), (10, 10, 30, 20), (32, 2, 38, 8)), strict=True):
    mask[y1:y2, x1:x2] = True
TARGET = {"boxes": torch.tensor([[0.0, 0, 5, 5], [10, 10, 30, 20], [32, 2, 38, 8]]), "labels": torch.tensor([1, 0, 1]), "masks": MASKS}


@pytest.mark.parametrize(
    ("box", "margin", "size"),
    [([10, 10, 20, 15], 0, (5, 10)), ([10, 10, 20, 15], 4, (13, 18)), ([0, 0, 5, 5], 4, (9, 9)), ([30, 20, 40, 30], 4, (14, 14))],
    ids=["no margin", "room all around", "top left corner", "bottom right corner"],
)
def test_a_crop_stays_in_the_image(box, margin, size):
    assert crop(IMAGE, torch.tensor(box, dtype=torch.float32), margin).shape == (3, *size)


def test_the_largest_object_is_told_by_its_area():
    assert largest(TARGET) == 1


def test_four_tasks_on_one_scene():
    figure = show_tasks(IMAGE, TARGET, ("stop", "yield"))
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[0].endswith("stop")
    assert titles[1].endswith("3 boxes")
    assert titles[2].endswith("2 classes")
    assert titles[3].endswith("3 objects")
    captions = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert sorted(captions[2]) == ["stop", "yield"]
    assert captions[3] == ["#1", "#2", "#3"]
    assert "yield, stop, yield" in get_alt(figure)
    plt.close(figure)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="target must have masks"):
        show_tasks(IMAGE, {"boxes": TARGET["boxes"], "labels": TARGET["labels"]}, ("a", "b"))
    with pytest.raises(ValueError, match="at least one object"):
        show_tasks(IMAGE, {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0), "masks": MASKS[:0]}, ("a", "b"))
