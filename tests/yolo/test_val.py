import pytest
import torch

from coursekit.boxes import box_iou
from coursekit.detections import Detections
from coursekit.metrics.detection import evaluate_samples
from coursekit.yolo import YOLO, load_shipped, predict
from coursekit.yolo.predict import input_size
from coursekit.yolo.val import curves


def truth(*rows):
    """Rows of x1, y1, x2, y2, label."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)
    return {"boxes": table[:, :4], "labels": table[:, 4].long()}


def found(*rows):
    """Rows of x1, y1, x2, y2, label, score."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 5], table[:, 4].long())


def test_curves_are_plain_and_agree_with_the_metric():
    targets = [truth([0, 0, 10, 10, 0], [20, 20, 40, 40, 0])]
    result = evaluate_samples(targets, [found([0, 0, 10, 10, 0, 0.9], [60, 60, 70, 70, 0, 0.5])], ["a", "b"])
    content = curves(result, ["a", "b"])
    assert len(content["recall"]) == 101
    assert content["classes"]["a"]["AP50"] == pytest.approx(result.summary["AP50"])
    assert content["classes"]["a"]["precision"][0] == pytest.approx(1)
    assert content["classes"]["a"]["precision"][100] == 0
    assert content["classes"]["a"]["confidence"][10] == pytest.approx(0.9)
    assert content["classes"]["b"]["AP50"] == -1  # there is no b: undefined, not 0


@pytest.mark.parametrize(
    ("size", "imgsz", "expected"),
    [
        ((480, 640), 320, (256, 320)),
        ((640, 480), 320, (320, 256)),
        ((100, 100), 320, (320, 320)),
        ((10, 1000), 320, (32, 320)),
        ((7, 7), 33, (64, 64)),
    ],
)
def test_the_canvas_by_hand(size, imgsz, expected):
    assert input_size(size, imgsz) == expected


def test_images_of_other_kinds_are_named():
    model = YOLO(1)
    with pytest.raises(ValueError, match=r"images\[1\] must be uint8 of shape \(3, H, W\), got torch.float32 \(3, 8, 8\)"):
        predict(model, [torch.zeros(3, 8, 8, dtype=torch.uint8), torch.zeros(3, 8, 8)])


def test_no_images_no_answers():
    assert predict(YOLO(1), []) == []


def test_predict_leaves_the_mode_alone():
    model = YOLO(1).train()
    predict(model, [torch.zeros(3, 32, 32, dtype=torch.uint8)])
    assert model.training


@pytest.fixture(scope="module")
def shipped():
    return load_shipped()


def test_the_shipped_detector_finds_signs_of_any_image_size_in_their_own_pixels(shipped):
    from coursekit.data.signs import SIGN_CLASSES, SignScenes

    assert shipped.classes == SIGN_CLASSES
    image, target = SignScenes(1, seed=12)[0]
    double = torch.nn.functional.interpolate(image[None], scale_factor=2)[0]
    wide = torch.nn.functional.pad(image, (0, 100), value=114)
    one, two, three = predict(shipped, [image, double, wide], confidence=0.4)
    assert len(one) >= 1
    torch.testing.assert_close(one.boxes[:1] * 2, two.boxes[:1], atol=6, rtol=0)
    assert (three.boxes[:, 2] <= 356).all()
    assert box_iou(one.boxes[:1], target["boxes"]).max() > 0.7


def test_the_shipped_detector_is_small():
    from coursekit.resources import resource

    assert resource("signs_n.safetensors").stat().st_size < 4e6
    assert "held-out scenes" in resource("signs_n.md").read_text(encoding="utf-8")


@pytest.mark.full
def test_the_shipped_detector_is_as_good_as_its_card_says(shipped):
    """If the drawing of signs has changed, measure again: python -m coursekit.yolo.pretrained --measure."""
    import re

    from coursekit.data.signs import SignScenes
    from coursekit.resources import resource
    from coursekit.yolo import validate

    promised = float(re.search(r"\*\*AP ([\d.]+)", resource("signs_n.md").read_text(encoding="utf-8")).group(1))
    measured = validate(shipped, SignScenes(150, seed=101)).summary["AP"]  # the first 150 of the 500
    assert measured == pytest.approx(promised, abs=0.05)


def test_a_model_of_tiles_is_measured_through_windows_and_two_may_be_compared(shipped):
    """Four scenes on one sheet: through windows of a scene's size as good as one by one, without them worse."""
    from coursekit.data.signs import SignScenes
    from coursekit.yolo import validate

    class Sheets:
        classes = shipped.classes

        def __init__(self, scenes):
            self.scenes, self.read = scenes, []

        def __len__(self):
            return len(self.scenes) // 4

        def __getitem__(self, index):
            self.read.append(index)
            four = [self.scenes[4 * index + k] for k in range(4)]
            rows = [torch.cat([image for image, _ in row], dim=2) for row in (four[:2], four[2:])]
            corners = torch.tensor([[0, 0, 0, 0], [256, 0, 256, 0], [0, 256, 0, 256], [256, 256, 256, 256]])
            boxes = torch.cat([target["boxes"] + corner for (_, target), corner in zip(four, corners, strict=True)])
            whole = {name: torch.cat([target[name] for _, target in four]) for name in ("labels", "area", "iscrowd")}
            return torch.cat(rows, dim=1), {"boxes": boxes, "image_id": index, **whole}

    scenes = SignScenes(8, seed=101)
    sheets, ticks = Sheets(scenes), []
    alone = validate(shipped, scenes).summary
    windows = validate(shipped, sheets, tile=256, overlap=0, tick=lambda: ticks.append(1))
    assert sheets.read == [0, 1]
    assert ticks == [1]
    assert windows.summary["AP50"] == pytest.approx(alone["AP50"], abs=0.02)
    whole = validate(shipped, sheets, tile=0).summary
    assert whole["AP50"] < windows.summary["AP50"] - 0.1
    assert validate(shipped, sheets).summary == whole
    shipped.tile = 256
    try:
        assert validate(shipped, sheets, overlap=0).summary == windows.summary
    finally:
        shipped.tile = 0
