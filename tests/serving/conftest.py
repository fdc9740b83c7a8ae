"""The shipped detector, exported by torch once for all tests of the room."""

import pytest


@pytest.fixture(scope="session")
def shipped():
    from coursekit.yolo import load_shipped

    return load_shipped()


@pytest.fixture(scope="session")
def shipped_onnx(shipped, tmp_path_factory):
    """``shipped_onnx(preprocess=True, nms=True, confidence=0.25)`` -> the path of such a file."""
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    import onnx

    from coursekit.yolo.export import assemble, network_onnx

    network, folder = network_onnx(shipped), tmp_path_factory.mktemp("shipped")

    def make(preprocess=True, nms=True, confidence=0.25):
        path = folder / f"{preprocess}-{nms}-{confidence}.onnx"
        if not path.exists():
            numbers = {"confidence": confidence, "iou": 0.6, "limit": 100} if nms else False
            onnx.save(assemble(network, shipped, preprocess, numbers), path)
        return path

    return make


@pytest.fixture(scope="session")
def sign_scenes():
    """32 samples of (picture uint8 (3, 256, 256), target), not seen in training."""
    from coursekit.data.signs import SignScenes

    world = SignScenes(32, seed=2020)
    return [world[index] for index in range(32)]
