"""The client against servers that misbehave, die and come back; over HTTP and gRPC."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from coursekit.detections import Detections
from coursekit.serving import protocol, wire
from coursekit.serving.client import Client, batching, read_outputs
from coursekit.serving.local import LocalServer

LONG = 20.0  # seconds: what takes so long is broken, however busy the machine
PICTURE = torch.zeros(3, 4, 6, dtype=torch.uint8)


def outputs(count=1, batch=1, most=2, **other):
    """What a detector gives for pictures with one box each."""
    real = np.arange(most) < count
    given = {
        "boxes": np.where(real[:, None], np.array([0, 0, 6, 4]), 0).astype(np.float32)[None].repeat(batch, 0),
        "scores": np.where(real, 0.5, 0).astype(np.float32)[None].repeat(batch, 0),
        "labels": np.where(real, 1, -1).astype(np.int64)[None].repeat(batch, 0),
        "count": np.full(batch, count, np.int64),
    }
    return given | other


class One:
    """A detector that finds one box in every picture."""

    classes, imgsz = ("a", "b"), 32

    def run(self, pixels):
        return outputs(batch=len(pixels))


class Scripted:
    """A server that does as it is told with each connection: ``behave(connection, number of the connection)``."""

    def __init__(self, behave):
        self.behave, self.came, self._open = behave, 0, []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                self.came += 1
                threading.Thread(target=self._serve, args=(connection, self.came), daemon=True).start()

    def _serve(self, connection, number):
        with contextlib.suppress(OSError), connection:
            self.behave(connection, number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
        for connection in self._open:
            connection.close()


def request(connection):
    """Read one request; its path, or None where the client hung up."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        if not more:
            return None
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while lengths and len(body) < lengths[0]:
        body += connection.recv(65536)
    return head.split(b" ")[1].decode()


def reply(content=b"{}", status="200 OK", headers=(), length=None):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content


CONFIG = reply(json.dumps(protocol.model_config(("a", "b"), 32, 8, 0)).encode())


def inferred(given=None, **more):
    """The bytes of a right answer, but for what is given."""
    asked = protocol.InferRequest(np.zeros((1, 4, 6, 3), np.uint8), "", dict.fromkeys(protocol.OUTPUTS, True))
    body, length = protocol.write_response(asked, outputs() if given is None else given)
    return reply(body, headers=[f"{protocol.LENGTH_HEADER}: {length}"], **more)


def scripted(*answers):
    """A server that gives the config to whoever asks, and to inferences one answer after the other, the last one again and again.

    An answer is bytes, after which it hangs up if they hold "bye"; None hangs up at once.
    """
    left = list(answers)

    def behave(connection, number):
        while path := request(connection):
            if path.endswith("/config"):
                connection.sendall(CONFIG)
                continue
            answer = left.pop(0) if len(left) > 1 else left[0]
            if answer is None:
                return
            connection.sendall(answer)
            if b"bye" in answer:
                return

    return Scripted(behave)


def ask(url, **more):
    with Client(url, **{"patience": LONG, "timeout": LONG, **more}) as client:
        return client([PICTURE])


def test_a_right_answer():
    with scripted(inferred()) as server:
        (found,) = ask(server.url)
    assert found.boxes.tolist() == [[0, 0, 6, 4]]
    assert found.labels.tolist() == [1]
    assert found.scores.tolist() == [0.5]


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([None], id="hangs up"),
        pytest.param([inferred(length=100_000) + b"bye"], id="half an answer"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX: bye"], id="half a header"),
        pytest.param([reply(b'{"error": "still loading"}', "503 Service Unavailable")], id="not ready"),
        pytest.param([reply(b"", "503 Service Unavailable")], id="not ready, and says nothing"),
        pytest.param([reply(b'{"error": "model \'detector\' version 1 is not at ready state"}', "400 Bad Request")], id="loading"),
        pytest.param([None, reply(b"", "503 Busy"), None, inferred(length=9999) + b"bye"], id="one after the other"),
    ],
)
def test_what_may_pass_is_tried_again(answers):
    with scripted(*answers, inferred()) as server:
        (found,) = ask(server.url)
        assert len(found) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, r"no answer from 127\.0\.0\.1:\d+: .+"),
        (reply(b'{"error": "still loading"}', "503 Busy"), r"no answer from 127\.0\.0\.1:\d+: still loading"),
        (inferred(length=9999) + b"bye", r"no answer from .*: IncompleteRead"),
    ],
    ids=["hangs up", "busy", "half"],
)
def test_without_patience_there_is_one_try_and_one_sentence(answer, said):
    with scripted(answer) as server, pytest.raises(ConnectionError, match=said) as caught:
        ask(server.url, patience=0)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_patience_has_an_end():
    with scripted(None) as server:
        with pytest.raises(ConnectionError, match=r"no answer from 127\.0\.0\.1:\d+ \(tried for 0\.2 s\)"):
            ask(server.url, patience=0.2)
        assert server.came > 2


def quiet_port():
    """A free port that stays so: none of those that the system gives to outgoing connections."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no free port")


def test_nobody_listens():
    with pytest.raises(ConnectionError, match=r"tried for 0\.1 s\): .*refused"):
        ask(f"127.0.0.1:{quiet_port()}", patience=0.1)


def test_a_socket_that_happens_to_call_itself():
    """Where nobody listens, and the system gives an outgoing connection the very port that it calls."""
    port = quiet_port()
    connection = http.client.HTTPConnection("127.0.0.1", port, source_address=("127.0.0.1", port))
    with contextlib.closing(connection), pytest.raises(ConnectionRefusedError, match="nobody listens"):
        wire._exchange(connection, "GET", "/", None, {}, LONG)


@pytest.mark.parametrize("drip", [b"", b"x"], ids=["silent", "a byte now and then"])
def test_an_answer_that_does_not_come_in_time(drip):
    over = threading.Event()

    def behave(connection, number):
        request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not over.wait(0.02):
            connection.sendall(drip)

    with Scripted(behave) as server:
        with pytest.raises(ConnectionError, match=r"no answer within 0\.3 s"):
            ask(server.url, patience=0, timeout=0.3)
        over.set()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(b'{"error": "unexpected shape for input \'pixels\'"}', "400 Bad Request"), "unexpected shape for input 'pixels'"),
        (reply(b'{"error": "Request for unknown model: \'detector\' is not found"}', "404 Not Found"), "unknown model: 'detector'"),
        (reply(b"<html>\n<b>no", "404 Not Found"), "status 404"),
        (reply(b'{"error": 7}', "500 Oh"), "status 500"),
        (reply(b"[]", "500 Oh"), "status 500"),
        (reply(b"", "301 Moved", ["Location: http://elsewhere.example/"]), "status 301"),
        (b"SSH-2.0-OpenSSH_9.2\r\n bye", "what answers is no inference server"),
        (b"HTTP/1.1 abc OK\r\n\r\nbye", "what answers is no inference server"),
        (reply(b"garbage"), "the server's answer cannot be read"),
        (reply(b"{}"), "the server's answer cannot be read: it lacks the output 'boxes'"),
        (reply(b"[" * 100_000), "the server's answer cannot be read"),
        (reply(b"{}", headers=[f"{protocol.LENGTH_HEADER}: many"]), "the server's answer cannot be read"),
        (reply(b'{"outputs": [{}]}', headers=[f"{protocol.LENGTH_HEADER}: 17"]), "the server's answer cannot be read"),
        (inferred(outputs(scores=np.zeros((2, 2)))), r"scores must have shape \(1, 2\), got \(2, 2\)"),
        (inferred(outputs(boxes=np.zeros((1, 8)))), r"boxes must have shape \(1, K, 4\), got \(1, 8\)"),
        (inferred(outputs(boxes=np.zeros((1, 2, 5)))), r"boxes must have shape \(1, 2, 4\), got \(1, 2, 5\)"),
        (inferred(outputs(labels=np.zeros((1, 3)))), r"labels must have shape \(1, 2\), got \(1, 3\)"),
        (inferred(outputs(count=3)), r"count\[0\] must lie in 0\.\.2, got 3"),
        (inferred(outputs(count=-1)), r"count\[0\] must lie in 0\.\.2, got -1"),
        (inferred(outputs() | {"count": np.zeros((1, 2))}), r"count must have shape \(1,\), got \(1, 2\)"),
        (inferred(outputs(boxes=np.full((1, 2, 4), np.nan))), r"boxes\[0\] hold numbers that are not finite"),
        (inferred(outputs(scores=np.full((1, 2), np.nan))), r"scores\[0\] must lie in 0\.\.1"),
        (inferred(outputs(scores=np.full((1, 2), 1.5))), r"scores\[0\] must lie in 0\.\.1"),
        (inferred(outputs(labels=np.full((1, 2), -1))), r"labels\[0\] hold the padding -1 among the first 1"),
    ],
    ids=lambda value: None if isinstance(value, str) else "answer",
)
def test_what_the_server_says_against_it_is_not_tried_again(answer, said):
    with scripted(answer, inferred()) as server, pytest.raises(ValueError, match=said) as caught:
        ask(server.url)
    assert server.url in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_endless_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(wire, "LARGEST", 1000)
    with scripted(reply(bytes(2000))) as server, pytest.raises(ValueError, match="what answers is no inference server"):
        ask(server.url)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"[]", "it is no JSON object"),
        (b"nothing", "it is no JSON object"),
        (b"{}", r"does not say the classes of model 'detector' \(a JSON list in its parameter 'classes'\)"),
        (b'{"parameters": {"classes": {"string_value": "a, b"}}}', "does not say the classes"),
        (b'{"parameters": {"classes": {"string_value": "[1]"}}}', "does not say the classes"),
        (b'{"parameters": {"classes": {"string_value": "7"}}}', "does not say the classes"),
    ],
)
def test_a_config_without_classes(config, said):
    def behave(connection, number):
        while request(connection):
            connection.sendall(reply(config))

    with Scripted(behave) as server, Client(server.url) as client, pytest.raises(ValueError, match=said):
        client.classes  # noqa: B018


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"url": "localhost"}, "url must be HOST:PORT such as localhost:8000, got 'localhost'"),
        ({"url": "localhost:http"}, "url must be HOST:PORT"),
        ({"url": "localhost:99999"}, "url must be HOST:PORT"),
        ({"url": "https://localhost:1"}, "url must be HOST:PORT"),
        ({"url": "localhost:1/path"}, "url must be HOST:PORT"),
        ({"url": "me@localhost:1"}, "url must be HOST:PORT"),
        ({"protocol": "smtp"}, "protocol must be 'http' or 'grpc', got 'smtp'"),
        ({"timeout": 0}, "timeout must be above 0 and patience at least 0 seconds, got 0 and 30"),
        ({"patience": -1}, "timeout must be above 0 and patience at least 0 seconds, got 10.0 and -1"),
    ],
)
def test_arguments_that_make_no_sense(arguments, said):
    with pytest.raises(ValueError, match=said):
        Client(**arguments)


@pytest.mark.parametrize("url", ["localhost:8000", "http://localhost:8000", "http://localhost:8000/", "//localhost:8000"])
def test_the_ways_to_write_an_address(url):
    assert wire._address(url) == ("localhost", 8000)
    assert wire._address("[::1]:80") == ("::1", 80)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (np.zeros((3, 4, 4), np.uint8), r"pictures\[1\] must be a tensor, uint8 of shape \(3, H, W\), got ndarray"),
        (torch.zeros(3, 4, 4), r"pictures\[1\] must be uint8 of shape \(3, H, W\), got torch.float32 \(3, 4, 4\)"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), r"pictures\[1\] must be uint8 of shape \(3, H, W\)"),
        (torch.zeros(3, 0, 4, dtype=torch.uint8), r"pictures\[1\] must be uint8 of shape \(3, H, W\), got torch.uint8 \(3, 0, 4\)"),
    ],
)
def test_what_is_no_picture_is_named_and_nobody_asked(picture, said):
    with Client("localhost:9") as client, pytest.raises(ValueError, match=said):
        client([PICTURE, picture])


def test_a_closed_client_and_one_that_is_closed_while_it_waits():
    with scripted(None) as server:
        client, caught = Client(server.url, patience=3600), []

        def work():
            try:
                client([PICTURE])
            except ConnectionError as error:
                caught.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        while server.came == 0:
            time.sleep(0.001)
        client.close()
        thread.join(LONG)
        assert caught == [f"this client of {server.url} is closed"]
        assert not client.ready()
        with pytest.raises(ConnectionError, match="is closed"):
            client([PICTURE])


def test_reading_outputs_of_a_server_that_keeps_a_dimension_for_the_count():
    (found,) = read_outputs(outputs() | {"count": np.array([[1]])}, 1)
    assert len(found) == 1
    (found,) = read_outputs(outputs(count=0, most=0), 1)
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)
    assert read_outputs(outputs(batch=0), 0) == []


def test_batching_of_any_detector_keeps_sizes_apart():
    calls = []

    def detect(pictures):
        calls.append([tuple(picture.shape) for picture in pictures])
        return [Detections.empty() for _ in pictures]

    with batching(detect, max_batch=2, max_wait=LONG) as batcher:
        futures = [batcher.submit(torch.zeros(3, *size, dtype=torch.uint8)) for size in ((4, 4), (5, 5), (4, 4), (5, 5))]
        assert [len(future.result(LONG)) for future in futures] == [0] * 4
    assert sorted(calls) == [[(3, 4, 4)] * 2, [(3, 5, 5)] * 2]


# --- a server that is killed ----------------------------------------------------------------------------------------------------------

PROGRAM = """
import os, sys, time
import numpy as np
from coursekit.serving.local import LocalServer

class One:
    classes, imgsz, left = ("a", "b"), 32, int(sys.argv[2])
    def run(self, pixels):
        self.left -= 1
        if self.left == 0:
            os._exit(9)   # in the middle of a request
        batch = len(pixels)
        return {"boxes": np.ones((batch, 1, 4), np.float32), "scores": np.ones((batch, 1), np.float32),
                "labels": np.zeros((batch, 1), np.int64), "count": np.ones(batch, np.int64)}

with LocalServer(One(), port=int(sys.argv[1]), max_wait=0) as server:
    print("ready", flush=True)
    time.sleep(600)
"""


def start(port, requests):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(port), str(requests)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_eight_threads_outlive_a_server_that_dies_and_comes_back():
    port = quiet_port()
    processes, answered, wrong = [start(port, 15)], [], []

    def work(client):
        for _ in range(10):
            try:
                answered.append(len(client([PICTURE])[0]))
            except Exception as error:
                wrong.append(error)

    try:
        with Client(f"127.0.0.1:{port}", patience=60, timeout=LONG) as client:
            threads = [threading.Thread(target=work, args=(client,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            assert processes[0].wait(60) == 9  # it died by itself
            processes.append(start(port, 0))
            for thread in threads:
                thread.join(60)
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()
    assert wrong == []
    assert answered == [1] * 80


def test_a_client_that_was_idle_while_the_server_was_restarted():
    port = quiet_port()
    with LocalServer(One(), port=port) as server:
        client = Client(server.url, patience=LONG)
        assert len(client([PICTURE])[0]) == 1
    with LocalServer(One(), port=port), client:
        assert len(client([PICTURE])[0]) == 1


# --- gRPC -----------------------------------------------------------------------------------------------------------------------------


class Servicer:
    """The few calls of Triton's gRPC service that the client makes; ``answers`` as of `scripted`, or an exception's status and words."""

    def __init__(self, answers):
        from tritonclient.grpc import model_config_pb2, service_pb2

        self.pb, self.model, self.left, self.asked = service_pb2, model_config_pb2, list(answers), []

    def ServerReady(self, request, context):
        return self.pb.ServerReadyResponse(ready=True)

    def ModelReady(self, request, context):
        return self.pb.ModelReadyResponse(ready=request.name == "detector")

    def ModelMetadata(self, request, context):
        return self.pb.ModelMetadataResponse(name=request.name, versions=["1"])

    def ModelConfig(self, request, context):
        config = self.model.ModelConfig(name=request.name, max_batch_size=8)
        config.parameters["classes"].string_value = '["a", "b"]'
        return self.pb.ModelConfigResponse(config=config)

    def ModelInfer(self, request, context):
        self.asked.append(list(request.inputs[0].shape))
        answer = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(answer, tuple):
            context.abort(*answer)
        response = self.pb.ModelInferResponse(model_name="detector", model_version="1")
        for name, values in answer.items():
            kind, dtype, _ = protocol.OUTPUTS[name]
            response.outputs.add(name=name, datatype=kind, shape=values.shape)
            response.raw_output_contents.append(values.astype(dtype).tobytes())
        return response


@contextlib.contextmanager
def grpc_server(*answers, port=0):
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    from tritonclient.grpc import service_pb2_grpc

    servicer = Servicer(answers)
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    calls = [name for name in vars(service_pb2_grpc.GRPCInferenceServiceServicer) if name[0].isupper()]
    vars(servicer).update({name: None for name in calls if not hasattr(servicer, name)})
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield f"127.0.0.1:{port}", servicer
    finally:
        server.stop(None).wait(LONG)


@pytest.fixture
def grpc():
    return pytest.importorskip("grpc")


def test_grpc_answers_like_http(grpc):
    with grpc_server(outputs(batch=2)) as (url, servicer), Client(url, protocol="grpc") as client:
        assert client.ready()
        assert client.classes == ("a", "b")
        assert client.metadata()["versions"] == ["1"]
        found = client([PICTURE, PICTURE])
        assert [one.boxes.tolist() for one in found] == [[[0, 0, 6, 4]]] * 2
        assert servicer.asked == [[2, 4, 6, 3]]


def test_grpc_tries_again_what_may_pass(grpc):
    away, late = (grpc.StatusCode.UNAVAILABLE, "server is away"), (grpc.StatusCode.DEADLINE_EXCEEDED, "late")
    with grpc_server(away, late, outputs()) as (url, servicer), Client(url, protocol="grpc", patience=LONG) as client:
        assert len(client([PICTURE])[0]) == 1
        assert len(servicer.asked) == 3
    with (
        grpc_server(away) as (url, _),
        Client(url, protocol="grpc", patience=0) as client,
        pytest.raises(ConnectionError, match=r"no answer from 127\.0\.0\.1:\d+: server is away"),
    ):
        client([PICTURE])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (("INVALID_ARGUMENT", "unexpected shape\nfor input"), "model 'detector': unexpected shape for input"),
        (("NOT_FOUND", "unknown model"), "model 'detector': unknown model"),
        (("INTERNAL", "the model failed"), "model 'detector': the model failed"),
        ({"boxes": np.zeros((1, 2, 4))}, "the server's answer cannot be read: it lacks the output 'scores'"),
        (outputs(count=3), r"count\[0\] must lie in 0\.\.2, got 3"),
    ],
    ids=["shape", "model", "fault", "lacks", "count"],
)
def test_grpc_tells_what_the_server_says(grpc, answer, said):
    if isinstance(answer, tuple):
        answer = getattr(grpc.StatusCode, answer[0]), answer[1]
    with (
        grpc_server(answer) as (url, servicer),
        Client(url, protocol="grpc", patience=LONG) as client,
        pytest.raises(ValueError, match=said),
    ):
        client([PICTURE])
    assert len(servicer.asked) == 1


def test_grpc_outlives_a_restart(grpc):
    port = quiet_port()
    with grpc_server(outputs(), port=port) as (url, _):
        client = Client(url, protocol="grpc", patience=60)
        assert len(client([PICTURE])[0]) == 1
    found, thread = [], None
    with client:
        assert not client.ready()
        thread = threading.Thread(target=lambda: found.extend(client([PICTURE])))
        thread.start()
        with grpc_server(outputs(), port=port):
            thread.join(60)
    assert len(found) == 1


def test_without_tritonclient_there_is_one_sentence(monkeypatch):
    for name in ("tritonclient.http", "tritonclient.grpc"):
        monkeypatch.setitem(sys.modules, name, None)
    for protocol_name in ("http", "grpc"):
        with pytest.raises(ValueError, match=r"the client needs tritonclient; install with: pip install 'coursekit\[serving\]'"):
            Client(protocol=protocol_name)


def test_tritonclient_is_not_imported_before_it_is_needed():
    code = "import sys, coursekit.serving.client, coursekit.serving.local; print([n for n in sys.modules if n[:4] in ('trit', 'grpc')])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.stdout == "[]\n", ran.stderr


# --- the detector that the course ships -----------------------------------------------------------------------------------------------


def test_the_shipped_detector_over_http_says_what_it_says_here(shipped_onnx, sign_scenes):
    from coursekit.serving.session import OnnxDetector

    here, pictures = OnnxDetector(shipped_onnx(), threads=1), [picture for picture, _ in sign_scenes[:5]]
    pictures[3:] = [picture[:, :150, :] for picture in pictures[3:]]
    with LocalServer(shipped_onnx(), threads=1) as server, Client(server.url, timeout=60) as client:
        assert client.classes == here.classes
        found, expected = client(pictures), here(pictures)
    assert sum(len(one) for one in expected) > 3
    for one, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(one.boxes, wanted.boxes, atol=1e-2, rtol=0)  # batches of other sizes differ in the last bits
        torch.testing.assert_close(one.scores, wanted.scores, atol=1e-4, rtol=0)
        assert one.labels.tolist() == wanted.labels.tolist()


def test_a_file_that_is_no_detector_is_not_served(tmp_path):
    (tmp_path / "none.onnx").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is not an ONNX file"):
        LocalServer(tmp_path / "none.onnx")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        LocalServer(tmp_path / "missing.onnx")
