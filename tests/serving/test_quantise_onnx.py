"""The shipped detector in 8-bit integers: what it still finds, what stays float, what is refused."""

import json
import re

import numpy as np
import pytest
import torch

from coursekit.metrics.detection import evaluate_samples
from coursekit.serving.quantise import quantise_onnx
from coursekit.serving.session import OnnxDetector

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def calibration():
    from coursekit.data.signs import SignScenes

    world = SignScenes(8, seed=77)
    return [world[index][0] for index in range(8)]


@pytest.fixture(scope="module")
def made(shipped_onnx, calibration, tmp_path_factory):
    """``made(method="entropy")`` -> such a file, from the one that keeps everything above 0.001; made once."""
    folder, files = tmp_path_factory.mktemp("int8"), {}

    def make(**settings):
        key = json.dumps(settings)
        if key not in files:
            files[key] = quantise_onnx(shipped_onnx(confidence=0.001), folder / f"{len(files)}.onnx", calibration, **settings)
        return files[key]

    return make


def ap(path, samples):
    found = OnnxDetector(path, threads=1)([picture for picture, _ in samples])
    summary = evaluate_samples([target for _, target in samples], found, OnnxDetector(path).classes).summary
    return summary["AP"], summary["AP50"]


@pytest.fixture(scope="module")
def float_ap(shipped_onnx, sign_scenes):
    return ap(shipped_onnx(confidence=0.001), sign_scenes)


@pytest.mark.parametrize("settings", [{}, {"per_channel": False}, {"method": "entropy"}, {"reduce_range": True}])
def test_it_finds_nearly_what_it_found(made, sign_scenes, float_ap, settings):
    found, found50 = ap(made(**settings), sign_scenes)
    assert float_ap[0] > 0.75
    assert found > float_ap[0] - 0.04
    assert found50 > float_ap[1] - 0.03


def test_cutting_off_the_strongest_answers_costs_and_so_does_decoding_in_integers(made, sign_scenes, float_ap):
    careful = ap(made(), sign_scenes)
    assert ap(made(method="percentile", percentile=99.9), sign_scenes)[0] < careful[0] - 0.02
    coarse = ap(made(decoding=True), sign_scenes)
    assert coarse[0] < careful[0] - 0.04
    assert coarse[1] > careful[1] - 0.03  # the objects are found all the same; their edges are not


def test_weights_take_a_quarter_and_all_but_the_network_stays_float(made, shipped_onnx):
    before, after = shipped_onnx(confidence=0.001), made()
    assert after.stat().st_size < 0.5 * before.stat().st_size
    graph = onnx.load(after).graph
    integers = sum(np.prod(one.dims) for one in graph.initializer if one.data_type == onnx.TensorProto.INT8 and len(one.dims) == 4)
    floats = [one.dims for one in graph.initializer if one.data_type == onnx.TensorProto.FLOAT and len(one.dims) == 4]
    assert integers > 880_000
    assert floats == []
    makers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        if not node.output[0].startswith("network/"):
            inputs = [makers[value].op_type for value in node.input if value in makers]
            assert node.op_type in ("QuantizeLinear", "DequantizeLinear") or "DequantizeLinear" not in inputs
    assert makers["network/scores"].op_type == "Sigmoid"


def test_the_file_still_tells_what_it_is(made, shipped_onnx):
    before, after = OnnxDetector(shipped_onnx(confidence=0.001)), OnnxDetector(made(method="percentile", percentile=99.9))
    said = after.facts.pop("quantised")
    assert after.facts == before.facts
    assert said == {
        "method": "percentile",
        "percentile": 99.9,
        "per_channel": True,
        "reduce_range": False,
        "decoding": False,
        "pictures": 8,
    }


def test_batch_and_size_stay_open(made, shipped_onnx, sign_scenes):
    pictures = [sign_scenes[0][0], sign_scenes[1][0][:, :150], sign_scenes[2][0], sign_scenes[3][0][:, :, 30:]]
    exact, integer = OnnxDetector(shipped_onnx(confidence=0.001))(pictures), OnnxDetector(made())(pictures)
    for a, b in zip(exact, integer, strict=True):
        best_a, best_b = a[a.scores > 0.7], b[b.scores > 0.5]
        assert len(best_a) <= len(best_b)
        for box in best_a.boxes:
            assert (best_b.boxes - box).abs().amax(dim=1).min() < 8  # pixels


def scales(path):
    """By the tensor's name: how wide a step of a map is."""
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}
    nodes = onnx.load(path).graph.node
    return {node.input[0]: float(constants[node.input[1]]) for node in nodes if node.op_type == "QuantizeLinear"}


def test_percentile_and_entropy_cut_ranges_that_minmax_keeps(made):
    whole = scales(made())
    assert len(whole) > 100
    for settings in ({"method": "percentile", "percentile": 99.9}, {"method": "entropy"}):
        cut = scales(made(**settings))
        assert whole.keys() == cut.keys()
        assert sum(cut[name] < 0.95 * whole[name] for name in whole) > len(whole) / 4


def test_a_picture_alone_will_do_and_nothing_is_printed(shipped_onnx, calibration, tmp_path, capfd):
    out = quantise_onnx(shipped_onnx(nms=False), tmp_path / "new" / "one.onnx", calibration[:1])
    assert out == tmp_path / "new" / "one.onnx"
    assert [path.name for path in out.parent.iterdir()] == ["one.onnx"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"pictures": []}, "pictures must hold at least one picture to learn the ranges from, got none"),
        ({"pictures": [torch.zeros(3, 8, 8)]}, r"images\[0\] must be uint8 of shape \(3, H, W\), got torch.float32"),
        ({"method": "mean"}, "method must be one of minmax, entropy, percentile, got 'mean'"),
        ({"percentile": 50}, "percentile must lie above 50 and be at most 100, got 50"),
        ({"percentile": 101}, "percentile must lie above 50 and be at most 100, got 101"),
    ],
)
def test_it_refuses(shipped_onnx, calibration, tmp_path, changed, says):
    arguments = {"path": shipped_onnx(), "out": tmp_path / "out.onnx", "pictures": calibration[:1], **changed}
    with pytest.raises(ValueError, match=says):
        quantise_onnx(**arguments)
    assert list(tmp_path.iterdir()) == []


def test_it_refuses_files_that_cannot_be_quantised(shipped_onnx, made, calibration, tmp_path):
    out = tmp_path / "out.onnx"
    with pytest.raises(FileNotFoundError, match="there is no file"):
        quantise_onnx(tmp_path / "none.onnx", out, calibration)
    with pytest.raises(ValueError, match="must be a file of export_onnx with preprocess=True"):
        quantise_onnx(shipped_onnx(preprocess=False), out, calibration)
    with pytest.raises(ValueError, match=re.escape("is quantised already; quantise the float32 file that it was made from")):
        quantise_onnx(made(), out, calibration)
    assert not out.exists()
