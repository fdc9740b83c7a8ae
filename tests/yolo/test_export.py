"""The shipped detector as ONNX: exported once by torch, then put together in four ways. ONNX Runtime is the judge."""

import importlib.util
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.boxes import fast_batched_nms
from coursekit.data.geometric import GREY, letterbox
from coursekit.data.targets import empty_target
from coursekit.yolo import YOLO, load_shipped, predict
from coursekit.yolo import onnx_parts as parts
from coursekit.yolo.decode import choose, decode
from coursekit.yolo.export import assemble, export_onnx, network_onnx
from coursekit.yolo.onnx_check import check_onnx
from coursekit.yolo.predict import input_size

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

NMS = {"confidence": 0.25, "iou": 0.6, "limit": 100}


def session_of(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def part(text):
    return session_of(onnx.parser.parse_model(text))


@pytest.fixture(scope="module")
def model():
    return load_shipped()


@pytest.fixture(scope="module")
def network(model):
    return network_onnx(model)


@pytest.fixture(scope="module")
def scenes():
    from coursekit.data.signs import SignScenes

    world = SignScenes(8, seed=7)
    return torch.stack([world[index][0] for index in range(8)])


@pytest.fixture(scope="module")
def bare(network, model):
    return session_of(assemble(network, model, False, False))


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 64, 96), (3, 256, 320), (5, 160, 64), (1, 640, 640)])
def test_every_cell_says_the_same_at_sizes_that_the_export_never_saw(bare, model, shape):
    batch, height, width = shape
    images = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0))
    boxes, scores = bare.run(["boxes", "scores"], {"images": images.numpy()})
    with torch.no_grad():
        raw = model(images)
        expected_boxes, expected_scores = decode(raw)
    torch.testing.assert_close(torch.from_numpy(scores), expected_scores, atol=1e-4, rtol=0)
    strides = raw.strides[:, None]
    torch.testing.assert_close(torch.from_numpy(boxes) / strides, expected_boxes / strides, atol=1e-4, rtol=0)


def test_with_suppression_it_gives_the_detections(network, model, scenes):
    whole = session_of(assemble(network, model, False, NMS))
    boxes, scores, labels, count = whole.run(None, {"images": scenes.numpy() / np.float32(255)})
    assert count.sum() > 4
    for row, expected in enumerate(predict(model, scenes)):
        n = count[row]
        assert labels[row].tolist() == expected.labels.tolist() + [-1] * (100 - n)
        torch.testing.assert_close(torch.from_numpy(scores[row, :n]), expected.scores, atol=1e-4, rtol=0)
        inside = np.clip(boxes[row, :n], 0, 256)
        torch.testing.assert_close(torch.from_numpy(inside), expected.boxes, atol=1e-2, rtol=0)  # pixels of 256
        assert (boxes[row, n:] == 0).all()
        assert (scores[row, n:] == 0).all()


@pytest.mark.parametrize("size_hw", [(256, 256), (256, 190), (300, 512)])
def test_with_both_a_picture_of_any_size_goes_in_and_boxes_in_its_pixels_come_out(network, model, scenes, size_hw):
    whole = session_of(assemble(network, model, True, NMS))
    pictures = torch.nn.functional.interpolate(scenes.float(), size=size_hw, mode="bilinear").round().to(torch.uint8)
    boxes, scores, _labels, count = whole.run(None, {"pixels": pictures.permute(0, 2, 3, 1).contiguous().numpy()})
    expected = predict(model, pictures)
    surely = [found[found.scores > 0.3] for found in expected]  # a level's difference in a pixel moves scores by a little
    assert sum(map(len, surely)) > 3
    for row, found in enumerate(surely):
        many = int((scores[row, : count[row]] > 0.3).sum())
        assert many == len(found)
        torch.testing.assert_close(torch.from_numpy(boxes[row, :many]), found.boxes, atol=0.5, rtol=0)
        torch.testing.assert_close(torch.from_numpy(scores[row, :many]), found.scores, atol=0.02, rtol=0)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(2, 400), width=st.integers(2, 400), imgsz=st.sampled_from([32, 64, 100, 256, 333]), batch=st.integers(1, 2))
def test_the_canvas_is_the_one_that_predict_makes(height, width, imgsz, batch):
    pictures = torch.randint(0, 256, (batch, height, width, 3), generator=torch.Generator().manual_seed(width), dtype=torch.uint8)
    canvas, size, scale, offset = part(parts.letterbox(imgsz, 32, GREY)).run(None, {"pixels": pictures.numpy()})
    for row, picture in enumerate(pictures.permute(0, 3, 1, 2)):
        expected, _, placement = letterbox(picture, empty_target(), input_size((height, width), imgsz))
        assert canvas[row].shape == tuple(expected.shape)
        if min(height * placement.scale_y, width * placement.scale_x) < 1.5:
            continue  # a line of single pixels: there ONNX Runtime resizes otherwise (no photograph is a hundred times as long as wide)
        assert np.abs(canvas[row] * 255 - expected.numpy()).max() <= 2.01  # levels: columns, then rows, each rounded
    assert (size.tolist(), offset.tolist()) == ([height, width], [placement.top, placement.left])
    assert scale.tolist() == pytest.approx([placement.scale_y, placement.scale_x], rel=1e-6)


def crowd(seed, cells=60, classes=3):
    """Boxes and scores with ties on purpose: whole numbers, five scores."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.randint(0, 12, (2, cells, 2), generator=generator).float()
    boxes = torch.cat([corner, corner + torch.randint(1, 9, (2, cells, 2), generator=generator)], dim=2)
    return boxes, torch.randint(0, 5, (2, cells, classes), generator=generator) / 5


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    confidence=st.sampled_from([0.0, 0.2, 0.5]),
    iou=st.sampled_from([0.0, 0.3, 0.6, 1.0]),
    limit=st.integers(1, 300),
)
def test_suppression_equals_decode_with_ties_and_limits(seed, confidence, iou, limit):
    boxes, scores = crowd(seed)
    said = part(parts.suppress(confidence, iou, limit)).run(None, {"all_boxes": boxes.numpy(), "all_scores": scores.numpy()})
    for row in range(2):
        expected, n = choose(boxes[row], scores[row], confidence, iou, limit), said[3][row]
        assert n == len(expected) <= limit
        assert said[0].shape[1] == min(limit, 180)
        assert said[2][row, :n].tolist() == expected.labels.tolist()
        assert said[1][row, :n].tolist() == expected.scores.tolist()
        assert said[0][row, :n].tolist() == expected.boxes.tolist()


def test_only_the_first_two_thousand_are_looked_at():
    """As in decode: 3,000 boxes that do not touch, and a limit above 2,000."""
    corner = torch.arange(3000.0)[:, None] * torch.tensor([3.0, 0.0])
    boxes, scores = torch.cat([corner, corner + 2], dim=1), torch.linspace(0.9, 0.3, 3000)[:, None]
    said = part(parts.suppress(0.25, 0.6, 2500)).run(None, {"all_boxes": boxes[None].numpy(), "all_scores": scores[None].numpy()})
    assert said[3].tolist() == [2000] == [len(choose(boxes, scores, 0.25, 0.6, 2500))]
    assert len(fast_batched_nms(boxes, scores[:, 0], torch.zeros(3000, dtype=torch.int64), 0.6)) == 3000


def test_the_file_says_what_it_is(network, model):
    whole = assemble(network, model, True, NMS)
    facts = {entry.key: json.loads(entry.value) for entry in whole.metadata_props}
    assert facts == {"classes": list(model.classes), "imgsz": 256, "strides": [8, 16, 32], "preprocess": True, "nms": NMS}
    assert [value.name for value in (*whole.graph.input, *whole.graph.output)] == ["pixels", "boxes", "scores", "labels", "count"]
    assert "uint8 RGB of any size" in whole.doc_string
    assert [(entry.domain, entry.version) for entry in whole.opset_import] == [("", parts.OPSET)]


@pytest.mark.parametrize("preprocess", [False, True])
@pytest.mark.parametrize("nms", [False, NMS])
def test_the_check_passes_what_is_right(network, model, preprocess, nms, tmp_path):
    (tmp_path / "a.onnx").write_bytes(assemble(network, model, preprocess, nms).SerializeToString())
    measured = check_onnx(tmp_path / "a.onnx", model)
    stages = {"scores", "boxes"} | ({"canvas", "placement", "pixels"} if preprocess else set()) | ({"suppression"} if nms else set())
    assert set(measured) == stages


@pytest.mark.parametrize(
    ("text", "wrong", "stage"),
    [
        ("suppress", ("iou = {0.6}", "iou = {0.5}"), "suppression"),
        ("suppress", ("image_cell_class = {0, 2, 1}", "image_cell_class = {0, 1, 2}"), None),
        ("letterbox", ("antialias = 1, exclude_outside = 1", "antialias = 0"), "canvas"),
        ("letterbox", (", exclude_outside = 1", ""), "canvas"),
        ("letterbox", ("grey = {114}", "grey = {0}"), "canvas"),
        ("letterbox", ("one = {1}, double two = {2}", "one = {1}, double two = {3}"), "canvas|placement"),
        ("undo", ("x_y_x_y = {1, 0, 1, 0}", "x_y_x_y = {0, 1, 0, 1}"), "pixels"),
        ("undo", ("Min(inside, edge)", "Identity(inside)"), "pixels"),
    ],
)
def test_the_check_finds_what_is_wrong(network, model, text, wrong, stage, tmp_path, monkeypatch):
    right = getattr(parts, text)
    assert wrong[0] in right(*{"suppress": (0.25, 0.6, 100), "letterbox": (256, 32, 114), "undo": ()}[text])
    monkeypatch.setattr(parts, text, lambda *args, **kwargs: right(*args, **kwargs).replace(*wrong))
    (tmp_path / "a.onnx").write_bytes(assemble(network, model, True, NMS).SerializeToString())
    with pytest.raises(Exception, match=f"({stage}) in ONNX Runtime differ by" if stage else ".") as caught:
        check_onnx(tmp_path / "a.onnx", model)
    assert stage is None or type(caught.value) is ValueError


def test_other_weights_are_found_out_and_no_file_is_left(network, model, tmp_path, monkeypatch):
    import sys

    other = load_shipped()
    other.head.classes[0][-1].bias.data[0] += 1e-2
    monkeypatch.setattr(sys.modules["coursekit.yolo.export"], "network_onnx", lambda model: network)
    (tmp_path / "a.onnx").write_text("an older file")
    with pytest.raises(ValueError, match=r"scores in ONNX Runtime differ by .* from PyTorch; expected at most 0\.0001"):
        export_onnx(other, tmp_path / "a.onnx")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["an older file"]
    assert export_onnx(model, tmp_path / "a.onnx")["scores"] < 1e-5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"confidence": 1.5}, "confidence must lie in 0..1, got 1.5"),
        ({"iou": -1}, "iou must lie in 0..1, got -1"),
        ({"limit": 0}, "limit must be at least 1, got 0"),
    ],
)
def test_a_number_out_of_range_is_named(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=re.escape(message)):
        export_onnx(YOLO(1), tmp_path / "a.onnx", nms=True, **arguments)


def test_what_is_not_installed_is_said_in_one_sentence(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in ("onnx", "onnxruntime") else find(name, *rest))
    with pytest.raises(ValueError, match=r"needs onnx and onnxruntime; install with: pip install 'coursekit\[export\]'"):
        export_onnx(YOLO(1), tmp_path / "a.onnx")


@pytest.mark.full
@pytest.mark.parametrize("size", ["s", "m"])
def test_the_larger_sizes_too(size, tmp_path):
    torch.manual_seed(0)
    model = YOLO(3, size).eval()
    assert export_onnx(model, tmp_path / "a.onnx", preprocess=True, nms=True)["scores"] < 1e-4
