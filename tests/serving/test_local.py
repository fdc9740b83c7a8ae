"""Our own small inference server, asked by NVIDIA's client and by hand."""

import http.client
import json
import socket
import threading

import numpy as np
import pytest
import torch

from coursekit.detections import Detections
from coursekit.serving.client import Client, batching
from coursekit.serving.local import LocalServer

LONG = 20.0  # seconds: what takes so long is broken, however busy the machine


class Corners:
    """A detector that reads its answer off the picture: the first pixel's red says how many boxes, its green the class."""

    classes, imgsz = ("apple", "pear", "plum"), 64

    def __init__(self):
        self.batches = []

    def run(self, pixels):
        assert pixels.dtype == np.uint8
        self.batches.append(pixels.shape)
        batch, height, width, _ = pixels.shape
        count = pixels[:, 0, 0, 0].astype(np.int64)
        most = int(count.max())
        real = np.arange(most) < count[:, None]
        boxes = np.zeros((batch, most, 4), np.float32)
        boxes[real] = (0, 0, width, height)
        scores = np.where(real, np.linspace(0.9, 0.5, most), 0).astype(np.float32)
        labels = np.where(real, pixels[:, 0, 0, 1:2].astype(np.int64), -1)
        return {"boxes": boxes, "scores": scores, "labels": labels, "count": count}


def picture(count, label=0, size_hw=(5, 7)):
    pixels = torch.zeros(3, *size_hw, dtype=torch.uint8)
    pixels[0, 0, 0], pixels[1, 0, 0] = count, label
    return pixels


def expected(count, label=0, size_hw=(5, 7)):
    boxes = torch.tensor([[0.0, 0.0, size_hw[1], size_hw[0]]]).repeat(count, 1)
    return boxes, torch.full((count,), label, dtype=torch.int64)


def same(found: Detections, wanted):
    return torch.equal(found.boxes, wanted[0]) and torch.equal(found.labels, wanted[1])


@pytest.fixture
def server():
    with LocalServer(Corners(), max_batch=4, max_wait=0) as server:
        yield server


def ask(server, method, path, body=None, headers=None):
    """Status, headers and content of one request by hand."""
    connection = http.client.HTTPConnection(server.url, timeout=LONG)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_pictures_of_several_sizes_in_one_call(server):
    asked = [(2, 1, (5, 7)), (0, 0, (3, 3)), (1, 2, (5, 7)), (3, 0, (3, 3)), (0, 0, (5, 7))]
    with Client(server.url) as client:
        found = client([picture(*one) for one in asked])
        assert client([]) == []
    assert all(same(one, expected(*wanted)) for one, wanted in zip(found, asked, strict=True))


def test_more_pictures_than_the_server_takes_at_once(server):
    with Client(server.url) as client:
        found = client([picture(n % 3) for n in range(11)])
    assert [len(one) for one in found] == [n % 3 for n in range(11)]
    assert max(shape[0] for shape in server.detector.batches) <= 4


def test_one_tensor_of_a_batch(server):
    with Client(server.url) as client:
        found = client(torch.stack([picture(1), picture(2)]))
    assert [len(one) for one in found] == [1, 2]


def test_eight_threads_share_a_client(server):
    wrong = []

    def work(client, number):
        for n in range(20):
            one = (n % 4, number % 3, (4 + number % 2, 5))
            if not same(client([picture(*one)])[0], expected(*one)):
                wrong.append(one)

    with Client(server.url) as client:
        threads = [threading.Thread(target=work, args=(client, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
    assert wrong == []
    assert not any(thread.is_alive() for thread in threads)


def test_what_the_server_says_of_its_model(server):
    with Client(server.url) as client:
        assert client.ready()
        assert client.classes == ("apple", "pear", "plum")
        assert client.config()["max_batch_size"] == 4
        assert client.metadata()["inputs"] == [{"name": "pixels", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}]
    server.close()
    assert not client.ready()


def test_many_threads_submit_and_few_requests_go_out(server):
    with Client(server.url) as client, batching(client, max_batch=4, max_wait=LONG) as batcher:
        futures = [batcher.submit(picture(n % 3)) for n in range(8)]
        assert [len(future.result(LONG)) for future in futures] == [n % 3 for n in range(8)]
        assert batcher.sizes == {4: 2}
        with pytest.raises(ValueError, match=r"must be uint8 of shape \(3, H, W\), got torch.float32"):
            batcher.submit(torch.zeros(3, 4, 4))
    _, _, text = ask(server, "GET", "/metrics")
    assert 'nv_inference_request_success{model="detector",version="1"} 2' in text.decode()


def test_nvidias_own_client_is_content(server):
    """All of it: health, metadata, config, and an inference with outputs as raw bytes and as JSON."""
    triton = pytest.importorskip("tritonclient.http")
    with triton.InferenceServerClient(server.url) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("detector")
        assert client.is_model_ready("detector", "1")
        assert client.get_model_metadata("detector")["outputs"][3] == {"name": "count", "datatype": "INT64", "shape": [-1]}
        assert client.get_server_metadata()["extensions"]
        pixels = np.stack([picture(2, 1).permute(1, 2, 0).numpy(), picture(0).permute(1, 2, 0).numpy()])
        for raw_in in (True, False):
            tensor = triton.InferInput("pixels", list(pixels.shape), "UINT8")
            tensor.set_data_from_numpy(pixels, binary_data=raw_in)
            outputs = [triton.InferRequestedOutput(name, binary_data=name == "boxes") for name in ("boxes", "labels", "count")]
            result = client.infer("detector", [tensor], outputs=outputs, request_id="seven")
            assert result.get_response()["id"] == "seven"
            assert result.as_numpy("count").tolist() == [2, 0]
            assert result.as_numpy("labels").tolist() == [[1, 1], [-1, -1]]
            assert result.as_numpy("boxes").tolist() == [[[0, 0, 7, 5]] * 2, [[0, 0, 0, 0]] * 2]
            assert result.as_numpy("scores") is None
        with pytest.raises(Exception, match="there is no model 'other' here, only 'detector'"):
            client.infer("other", [tensor])


GOOD = {"inputs": [{"name": "pixels", "shape": [1, 1, 1, 3], "datatype": "UINT8", "data": [1, 2, 3]}]}


GOOD_BYTES = json.dumps(GOOD).encode()


def changed(**more):
    return {"inputs": [{**GOOD["inputs"][0], **more}]}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "the request must be an object with 'inputs', a list"),
        ({}, "the request must be an object with 'inputs', a list"),
        ({"inputs": []}, "must have one input, named 'pixels'"),
        ({"inputs": [7]}, "must have one input, named 'pixels'"),
        (changed(name="image"), "must have one input, named 'pixels'"),
        ({**GOOD, "id": 7}, "id must be a text"),
        ({**GOOD, "parameters": []}, "parameters must be an object"),
        ({**GOOD, "outputs": [{"name": "masks"}]}, "outputs must be some of boxes, scores, labels, count, each once, got 'masks'"),
        ({**GOOD, "outputs": [{"name": "boxes"}] * 2}, "each once, got 'boxes'"),
        ({**GOOD, "outputs": ["boxes"]}, "an output must be an object with 'name', a str"),
        (changed(datatype="FP32"), "must have datatype UINT8, got FP32"),
        (changed(datatype="\ud800"), "must have datatype UINT8, got \ud800"),
        (changed(shape=[1, 1, 3]), r"must have shape [batch, height, width, 3], none of them 0, got [1, 1, 3]"),
        (changed(shape=[1, 0, 1, 3]), "none of them 0"),
        (changed(shape=[1, 1, 1, 4]), "must have shape"),
        (changed(shape=[1, -1, -1, 3]), "must have shape"),
        (changed(shape=[1, 1.0, 1, 3]), "must have shape"),
        (changed(shape=[True, 1, 1, 3]), "must have shape"),
        (changed(shape=[1, 1 << 60, 1 << 60, 3]), "must have shape"),
        (changed(shape=[1, 1 << 19, 1 << 19, 3]), "whole numbers in 0..255, flat or of shape"),
        (changed(data=[1, 2]), "data of input 'pixels' must be 3 whole numbers in 0..255"),
        (changed(data=[1, 2, 256]), "3 whole numbers in 0..255"),
        (changed(data=[1, 2, -1]), "3 whole numbers in 0..255"),
        (changed(data=[1, 2, 0.5]), "3 whole numbers in 0..255"),
        (changed(data=[True, False, True]), "3 whole numbers in 0..255"),
        (changed(data=["a", "b", "c"]), "3 whole numbers in 0..255"),
        (changed(data=[[1], [2, 3]]), "must be numbers"),
        (changed(data=[1, 2, 1 << 70]), "3 whole numbers in 0..255"),
        (changed(data="abc"), "must be an object with 'data', a list"),
        (changed(parameters={"binary_data_size": 3}), "needs 3 bytes; binary_data_size says 3, 0 came"),
        (changed(shape=[5, 1, 1, 3], data=[0] * 15), "a request may have at most 4 pictures, got 5"),
    ],
    ids=lambda value: None if isinstance(value, str) else "asked",
)
def test_a_wrong_request_gets_one_sentence(server, asked, said):
    status, _, content = ask(server, "POST", "/v2/models/detector/infer", json.dumps(asked).encode())
    assert status == 400
    assert list(json.loads(content)) == ["error"]
    assert said in json.loads(content)["error"]
    status, _, content = ask(server, "POST", "/v2/models/detector/infer", GOOD_BYTES)
    assert status == 200  # and the server goes on
    assert json.loads(content)["outputs"][3] == {"name": "count", "datatype": "INT64", "shape": [1], "data": [1]}


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (b"", {}, "no JSON that can be read"),
        (b"\xff\xfe\x00", {}, "no JSON that can be read"),
        (b"[" * 200_000, {}, "no JSON that can be read"),
        (b'{"inputs": ' + b"9" * 5000 + b"}", {}, "no JSON that can be read"),
        (b"{}xyz", {"Inference-Header-Content-Length": "9"}, "must be a number of bytes within the body of 5, got '9'"),
        (b"{}xyz", {"Inference-Header-Content-Length": "-1"}, "must be a number of bytes within the body"),
        (
            json.dumps(GOOD).encode() + b"more",
            {"Inference-Header-Content-Length": str(len(json.dumps(GOOD)))},
            "4 bytes follow the request",
        ),
    ],
    ids=["nothing", "no text", "deep", "long number", "past the end", "negative", "left over"],
)
def test_a_body_that_is_no_request(server, body, headers, said):
    status, _, content = ask(server, "POST", "/v2/models/detector/infer", body, headers)
    assert status == 400
    assert said in json.loads(content)["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/", 404, "there is nothing at /"),
        ("GET", "/v2/models", 404, "there is nothing at /v2/models"),
        ("GET", "/v2/models/other", 404, "there is no model 'other' here, only 'detector'"),
        ("GET", "/v2/models/detector/versions/2", 404, "no such version of model 'detector', only 1"),
        ("GET", "/v2/models/detector/nothing", 404, "there is nothing at"),
        ("GET", "/v2/models/detector/infer", 405, "must be sent by POST"),
        ("POST", "/v2/models/detector/config", 405, "can only be read"),
        ("DELETE", "/metrics", 405, "can only be read"),
        ("BREW", "/metrics", 501, "this is no request that can be answered"),
    ],
)
def test_wrong_addresses(server, method, path, status, said):
    got, _, content = ask(server, method, path, b"" if method == "POST" else None)
    assert got == status
    assert said in json.loads(content)["error"]


def test_a_detector_that_fails_tells_the_client_no_more_than_that(capfd):
    class Broken(Corners):
        def run(self, pixels):
            raise KeyError("secret")

    with LocalServer(Broken(), max_wait=0) as server:
        with Client(server.url, patience=0) as client, pytest.raises(ValueError, match=r"the server failed on this request \(KeyError\)"):
            client([picture(1)])
        status, _, content = ask(server, "POST", "/v2/models/detector/infer", GOOD_BYTES)
        assert status == 500
        assert b"secret" not in content
        assert 'nv_inference_request_failure{model="detector",version="1"} 2' in ask(server, "GET", "/metrics")[2].decode()
    assert "secret" in capfd.readouterr().err  # for whoever runs the server


def test_requests_that_come_together_are_run_together():
    """Two clients with one picture each, while the detector is busy with a third."""
    started, go = threading.Event(), threading.Event()

    class Slow(Corners):
        def run(self, pixels):
            started.set()
            assert go.wait(LONG)
            return super().run(pixels)

    with LocalServer(Slow(), max_batch=4, max_wait=0) as server, Client(server.url) as client:
        found = {}
        threads = [threading.Thread(target=lambda n=n: found.update({n: client([picture(n)])[0]})) for n in range(3)]
        threads[0].start()
        assert started.wait(LONG)
        for thread in threads[1:]:
            thread.start()
        while len(server._batcher._waiting._queues.get((5, 7, 3), ())) < 2:
            threading.Event().wait(0.001)
        go.set()
        for thread in threads:
            thread.join(LONG)
    assert {n: len(one) for n, one in found.items()} == {0: 0, 1: 1, 2: 2}
    assert [shape[0] for shape in server.detector.batches] == [1, 2]


def test_the_port_is_free_again_after_closing():
    with LocalServer(Corners()) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            LocalServer(Corners(), port=port)
    with LocalServer(Corners(), port=port) as again, Client(again.url) as client:
        assert len(client([picture(2)])[0]) == 2
    LocalServer(Corners()).close()  # one that never started


def test_only_this_machine_can_reach_it(server):
    assert server._service.server_address[0] == "127.0.0.1"
    with socket.create_connection(server._service.server_address, LONG) as connection:
        connection.sendall(b"GET /v2 HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n")
        assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 403 ")
