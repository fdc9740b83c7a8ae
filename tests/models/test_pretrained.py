"""Weights come from a server on this machine; nothing here leaves the loopback interface."""

import functools
import hashlib
import http.server
import threading

import pytest
import torch
import torchvision

from coursekit.data.download import DownloadError
from coursekit.models import pretrained as module
from coursekit.models.pretrained import NETWORKS, pretrained, weights_url
from coursekit.training.transfer import features, freeze, parameter_groups, replace_head


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """A function that puts a state_dict on the server, under a name with the beginning of its hash, for any network asked for."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def put(state, digits=None):
        path = folder / "some.pth"
        torch.save(state, path)
        digits = digits or hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        path = path.rename(folder / f"network-{digits}.pth")
        monkeypatch.setattr(module, "weights_url", lambda name: f"http://127.0.0.1:{server.server_port}/{path.name}")
        return path

    yield put
    server.shutdown()
    server.server_close()


@torch.no_grad()
def test_weights_are_fetched_once_checked_and_give_torchvision_s_logits(serve, tmp_path):
    torch.manual_seed(0)
    theirs = torchvision.models.shufflenet_v2_x0_5().eval()
    served = serve(theirs.state_dict())
    model = pretrained("shufflenet_v2_x0_5", tmp_path / "weights", progress=False)
    served.unlink()
    model = pretrained("shufflenet_v2_x0_5", tmp_path / "weights", progress=False)  # from the folder
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = theirs((images / 255 - mean[:, None, None]) / std[:, None, None])
    assert not model.training
    torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)
    assert all(p.requires_grad and p.device.type == "cpu" for p in model.parameters())


def test_the_mean_and_deviation_belong_to_the_weights(serve, tmp_path):
    with torch.device("meta"):
        shapes = torchvision.models.googlenet(aux_logits=False, init_weights=False).state_dict()
    serve({name: torch.zeros(value.shape, dtype=value.dtype) for name, value in shapes.items()})
    model = pretrained("googlenet", tmp_path / "weights", progress=False)
    assert model.pixels(torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1)).flatten().tolist() == [-1.0, 1.0]


def test_a_file_that_is_not_what_its_name_promises_is_not_kept(serve, tmp_path):
    serve({"a": torch.zeros(2)}, digits="01234567")
    with pytest.raises(DownloadError, match=r"network-01234567.pth is not the file that its name promises: its SHA-256 begins"):
        pretrained("resnet18", tmp_path / "weights", progress=False)
    assert [p.name for p in (tmp_path / "weights").iterdir() if not p.name.startswith(".")] == []


def test_a_file_of_something_else_is_named(serve, tmp_path):
    serve({"a": torch.zeros(2)})
    with pytest.raises(ValueError, match=r"state must hold the weights of this ResNet: Missing key\(s\)"):
        pretrained("resnet18", tmp_path / "weights", progress=False)


def test_the_shipped_backbone_comes_by_the_same_call_and_can_be_used_alike():
    model, images = pretrained("signs"), torch.zeros(2, 3, 48, 48, dtype=torch.uint8)
    assert not model.training
    assert model(images).shape == (2, 10)
    assert replace_head(model, 6)(images).shape == (2, 6)


def test_fetched_weights_learn_other_classes_as_the_shipped_ones_do(serve, tmp_path):
    serve(torchvision.models.shufflenet_v2_x0_5().state_dict())
    model, images = pretrained("shufflenet_v2_x0_5", tmp_path / "weights", progress=False), torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    freeze(model.backbone)
    assert replace_head(model, 6)(images).shape == (2, 6)
    assert features(model, images).shape == (2, 1024)
    assert [group["lr"] for group in parameter_groups(model, 0.1)] == [0.1]


def test_a_name_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"name must be one of signs, alexnet, .*got 'resnet19'"):
        pretrained("resnet19")


@pytest.mark.parametrize("name", NETWORKS)
def test_torchvision_has_first_weights_of_each_with_a_hash_in_the_name(name):
    digits = weights_url(name).rpartition("-")[2].removesuffix(".pth")
    assert len(digits) in (8, 10)
    assert int(digits, 16) >= 0
