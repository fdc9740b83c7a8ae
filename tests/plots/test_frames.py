import pytest
import torch

from coursekit.detections import Detections
from coursekit.plots.frames import draw_detections


def found(*boxes):
    return Detections(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), torch.full((len(boxes),), 0.9), torch.zeros(len(boxes)).long()
    )


def test_the_frame_lies_on_the_box_and_the_rest_is_as_it_was():
    image = torch.full((3, 200, 300), 114, dtype=torch.uint8)
    drawn = draw_detections(image, found([100, 80, 160, 150]), ["thing"])
    assert drawn.shape == image.shape
    assert drawn.dtype == torch.uint8
    assert (image == 114).all()  # the caller's stays
    changed = (drawn != image).any(dim=0)
    assert changed[80:150, 100].all()
    assert changed[80:150, 159].all()
    assert changed[149, 100:160].all()
    assert not changed[90:140, 105:155].any()  # inside
    assert not changed[152:].any()
    assert changed[60:79, 100:140].any()  # the name above it


@pytest.mark.parametrize("box", [[0, 0, 30, 20], [270, 0, 300, 20], [-5, -5, 3, 3], [10, 10, 10, 10], [0, 0, 300, 200]])
def test_names_stay_in_the_picture(box):
    drawn = draw_detections(torch.zeros(3, 200, 300, dtype=torch.uint8), found(box), ["a long name"])
    lettering = (drawn.amax(dim=0) > 60).any(dim=0).nonzero()
    assert int(lettering.max() - lettering.min()) >= 25  # there is a label, whole


def test_nothing_found_changes_nothing():
    image = torch.randint(0, 255, (3, 21, 35), dtype=torch.uint8)
    assert torch.equal(draw_detections(image, found(), []), image)
