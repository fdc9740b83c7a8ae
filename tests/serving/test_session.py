"""The shipped detector in ONNX Runtime beside `predict`; files that are no such detector."""

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from coursekit.serving.session import OnnxDetector, by_size, open_session, to_detections
from coursekit.yolo import predict

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

NMS = {"confidence": 0.25, "iou": 0.6, "limit": 100}


@pytest.fixture(scope="module")
def detector(shipped_onnx):
    return OnnxDetector(shipped_onnx(), threads=1)


@pytest.fixture(scope="module")
def scenes(sign_scenes):
    return [picture for picture, _ in sign_scenes[:6]]


def same(found, expected):
    """The sure ones: pictures are resized in float there and in levels here, so scores move a little."""
    surely = expected[expected.scores > 0.35]
    assert len(found) >= len(surely)
    found = found[: len(surely)]
    assert found.labels.tolist() == surely.labels.tolist()
    torch.testing.assert_close(found.boxes, surely.boxes, atol=0.5, rtol=0)
    torch.testing.assert_close(found.scores, surely.scores, atol=0.02, rtol=0)
    return len(surely)


def test_it_says_what_predict_says_of_pictures_of_any_sizes_in_their_order(detector, shipped, scenes):
    pictures = [scenes[0], scenes[1][:, :, :200], scenes[2], scenes[3][:, :, :200], scenes[4][:, 40:], scenes[5]]
    found = detector(pictures)
    assert sum(same(one, expected) for one, expected in zip(found, predict(shipped, pictures), strict=True)) > 4
    for one, picture in zip(found, pictures, strict=True):
        assert (one.boxes[:, 2] <= picture.shape[2]).all()
        assert (one.labels >= 0).all()


def test_at_the_networks_own_size_it_is_equal_to_1e_4(detector, shipped, scenes):
    """Nothing is resized there, so that only the network's last bits differ."""
    assert scenes[0].shape == (3, 256, 256)
    assert detector.imgsz == 256
    for one, expected in zip(detector(torch.stack(scenes)), predict(shipped, scenes), strict=True):
        assert one.labels.tolist() == expected.labels.tolist()
        torch.testing.assert_close(one.scores, expected.scores, atol=1e-4, rtol=0)
        torch.testing.assert_close(one.boxes, expected.boxes, atol=1e-2, rtol=0)  # pixels: 1e-4 of the widest stride and its sides


def test_no_picture_nothing_found_in_grey_and_what_it_knows_of_itself(detector, shipped):
    assert detector([]) == []
    (found,) = detector([torch.full((3, 100, 50), 114, dtype=torch.uint8)])
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)
    assert (detector.classes, detector.imgsz) == (shipped.classes, shipped.imgsz)
    assert detector.facts["nms"] == NMS


def test_run_gives_the_four_outputs_with_padding(detector, scenes):
    pixels = torch.stack(scenes[:2]).permute(0, 2, 3, 1).numpy()  # not contiguous
    said = detector.run(pixels)
    assert {name: (value.dtype.name, value.shape[:1]) for name, value in said.items()} == {
        "boxes": ("float32", (2,)),
        "scores": ("float32", (2,)),
        "labels": ("int64", (2,)),
        "count": ("int64", (2,)),
    }
    for row, many in enumerate(said["count"]):
        assert (said["labels"][row, many:] == -1).all()
        assert (said["scores"][row, many:] == 0).all()
        assert (said["labels"][row, :many] >= 0).all()


def test_threads_may_share_it(detector, scenes):
    alone, together = detector(scenes), {}

    def ask(number):
        together[number] = detector([scenes[number]])[0]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, expected in enumerate(alone):
        torch.testing.assert_close(together[number].boxes, expected.boxes, atol=1e-2, rtol=0)


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [([], []), ([1], [[0]]), ([1, 2, 1, 1, 2], [[0, 2], [3], [1, 4]])],
)
def test_which_pictures_go_together(shapes, expected):
    assert by_size([(shape,) for shape in shapes], batch=2) == expected


def test_outputs_of_any_server_become_detections():
    outputs = {
        "boxes": np.arange(16, dtype=np.float32).reshape(2, 2, 4),
        "scores": np.array([[0.5, 0], [0, 0]], dtype=np.float32),
        "labels": np.array([[2, -1], [-1, -1]]),
        "count": np.array([[1], [0]]),  # Triton may give (B, 1)
    }
    for value in outputs.values():
        value.flags.writeable = False  # as what came over the network is
    one, none = to_detections(outputs)
    assert (one.boxes.tolist(), one.scores.tolist(), one.labels.tolist()) == ([[0, 1, 2, 3]], [0.5], [2])
    assert len(none) == 0


@pytest.mark.parametrize("flags", [(False, False), (False, True), (True, False)])
def test_a_file_without_both_parts_is_refused(shipped_onnx, flags):
    with pytest.raises(ValueError, match=r"must be exported with preprocess=True and nms=True.*; it takes (images|pixels) and gives boxes"):
        OnnxDetector(shipped_onnx(*flags))


def test_files_that_are_none(shipped_onnx, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        OnnxDetector(tmp_path / "nothing.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ValueError, match="is not an ONNX file that ONNX Runtime can open"):
        OnnxDetector(tmp_path / "text.onnx")
    stranger = onnx.load(shipped_onnx())
    del stranger.metadata_props[:]
    onnx.save(stranger, tmp_path / "stranger.onnx")
    with pytest.raises(ValueError, match="does not tell its classes and imgsz"):
        OnnxDetector(tmp_path / "stranger.onnx")
    with pytest.raises(ValueError, match="threads must be at least 1, or None, got 0"):
        open_session(shipped_onnx(), threads=0)


@pytest.mark.parametrize(
    ("pixels", "came"),
    [
        (np.zeros((4, 4, 3), np.uint8), r"uint8 \(4, 4, 3\)"),
        (np.zeros((1, 3, 4, 4), np.uint8), r"uint8 \(1, 3, 4, 4\)"),
        (np.zeros((1, 4, 4, 3), np.float32), r"float32 \(1, 4, 4, 3\)"),
        (np.zeros((0, 4, 4, 3), np.uint8), r"uint8 \(0, 4, 4, 3\)"),
        ([[1]], "list"),
    ],
)
def test_pixels_of_another_kind_are_refused(detector, pixels, came):
    with pytest.raises(ValueError, match=rf"pixels must be a uint8 array \(B, H, W, 3\) with at least one pixel, got {came}"):
        detector.run(pixels)


def test_pictures_of_another_kind_are_refused(detector):
    with pytest.raises(ValueError, match=r"images\[1\] must be uint8 of shape \(3, H, W\)"):
        detector([torch.zeros(3, 8, 8, dtype=torch.uint8), torch.zeros(8, 8, 3, dtype=torch.uint8)])


def test_it_runs_without_torch(shipped_onnx):
    program = (
        "import sys, numpy as np; from coursekit.serving.session import OnnxDetector; d = OnnxDetector(sys.argv[1], 1);"
        "print(d.run(np.full((1, 64, 48, 3), 114, np.uint8))['count'].tolist(), 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program, shipped_onnx()], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["[0]", "False"]
