"""`coursekit serve`: what is chosen, said and refused; and a whole run of our own server, ended by a signal."""

import http.client
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coursekit.cli import app, serve

onnx = pytest.importorskip("onnx")

# Everything that a detector with suppression gives, without a network: one box over the whole picture, as sure as the picture is bright.
NETWORK = """<ir_version: 10, opset_import: ["": 18]> g (uint8[B, H, W, 3] pixels)
=> (float[B, K, 4] boxes, float[B, K] scores, int64[B, K] labels, int64[B] count)
<int64[3] inner = {1, 2, 3}, int64[1] second = {1}, int64[2] more = {1, 2}, float white = {255}, float four = {4}, int64 zero = {0},
 int64 one = {1}, float[1, 1, 4] whole = {0, 0, 1, 1}> {
    floats = Cast<to = 1>(pixels)
    mean = ReduceMean<keepdims = 0>(floats, inner)
    bright = Div(mean, white)
    scores = Unsqueeze(bright, second)
    high = Unsqueeze(bright, more)
    nothing = Sub(high, high)
    boxes = Add(nothing, whole)
    floats_labels = Sub(scores, scores)
    labels = Cast<to = 7>(floats_labels)
    none = Sub(mean, mean)
    none_whole = Cast<to = 7>(none)
    count = Add(none_whole, one)
}"""


def coursekit(*arguments):
    return CliRunner().invoke(app, ["serve", *(str(argument) for argument in arguments)])


@pytest.fixture
def exported(tmp_path) -> Path:
    model = onnx.parser.parse_model(NETWORK)
    numbers = {"confidence": 0.25, "iou": 0.6, "limit": 1}
    facts = {"classes": ["light", "빛"], "imgsz": 32, "strides": [8], "preprocess": True, "nms": numbers}
    onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in facts.items()})
    onnx.save(model, tmp_path / "light.onnx")
    return tmp_path / "light.onnx"


@pytest.fixture
def no_triton(monkeypatch):
    monkeypatch.setenv("COURSEKIT_TRITON", "/nowhere")


def refused(result, message: str) -> bool:
    """One sentence for the user, which `main` prints."""
    assert isinstance(result.exception, (ValueError, OSError)), result.output
    assert re.search(message, str(result.exception)), result.exception
    return True


def test_only_the_repository_each_time_a_version(exported, tmp_path):
    folder = tmp_path / "models"
    result = coursekit(
        "--weights", exported, "--repository", folder, "--only-repository", "--max-batch", 3, "--max-delay", 0.5, "--threads", 2
    )
    assert result.exit_code == 0, result.output
    assert f"{folder}: detector, version 1; finds light, 빛" in result.output
    assert "version" in coursekit("--weights", exported, "--repository", folder, "--only-repository").output
    config = (folder / "detector" / "config.pbtxt").read_text(encoding="utf-8")
    assert "max_batch_size: 8" in config, "the last call's"
    assert sorted(entry.name for entry in (folder / "detector").iterdir()) == ["1", "2", "config.pbtxt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only-repository"], "--only-repository needs --repository, the folder to write"),
        (["--weights", "nowhere.pt", "--repository", "models", "--only-repository"], "there is no checkpoint nowhere.pt"),
        (["--weights", "nowhere.onnx", "--repository", "models", "--only-repository"], "nowhere.onnx"),
        (["--project", "/nowhere", "--http", "0", "--page", "0"], "there is no run in /nowhere"),
        (["--backend", "triton"], r"(COURSEKIT_TRITON names /nowhere, which holds no Triton|Triton's wheel is for Linux)"),
    ],
    ids=["no folder", "no weights", "no file", "no run", "no Triton"],
)
def test_what_the_user_got_wrong_is_one_sentence(no_triton, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("onnxscript")
    assert refused(coursekit(*arguments), message)


@pytest.mark.parametrize("option", ["--http", "--page"])
def test_a_port_that_is_taken_is_said_before_anything_is_done(no_triton, exported, option):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        others = [part for other in {"--http", "--page"} - {option} for part in (other, 0)]
        result = coursekit("--weights", exported, option, port, *others)
        assert refused(result, f"^{option}: port {port} is taken; give another one, or 0 for any that is free$")
        assert "exporting" not in result.output


class Server:
    """Stands for either server."""

    url, grpc_url, running = "127.0.0.1:1", "127.0.0.1:2", True

    def __init__(self):
        self.loaded, self.closed = 0, False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def load(self):
        self.loaded += 1
        if self.loaded == 2:
            raise ValueError("no memory left")

    def wait_ready(self):
        raise ConnectionError("Triton is not running (exit code -9); its log ends: bang")


@pytest.fixture
def pretended(monkeypatch):
    """Triton is there, and each look at the server is an event of the test's: a function, or an error to raise."""
    server, events = Server(), []
    monkeypatch.setattr(serve, "_environment", lambda backend: Path("/env"))
    monkeypatch.setattr(serve, "_start_triton", lambda *arguments: server)

    def look(seconds):
        event = events.pop(0)
        if isinstance(event, BaseException):
            raise event
        event()

    monkeypatch.setattr(serve.time, "sleep", look)
    free = ["--http", 0, "--grpc", 0, "--metrics", 0, "--no-page"]
    return server, events, free


def test_ctrl_c_is_a_good_end(pretended, exported):
    server, events, free = pretended
    events += [lambda: None, KeyboardInterrupt()]
    before = signal.getsignal(signal.SIGTERM)
    result = coursekit("--weights", exported, *free)
    assert result.exit_code == 0, result.output
    assert result.output.endswith("Ctrl-C ends it\nstopped\n")
    assert "HTTP: http://127.0.0.1:1/v2/models/detector\ngRPC: 127.0.0.1:2\n" in result.output
    assert server.closed
    assert server.loaded == 0
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_server_that_dies_is_said_with_its_log(pretended, exported):
    server, events, free = pretended
    events.append(lambda: setattr(server, "running", False))
    assert refused(coursekit("--weights", exported, *free), "Triton is not running .* bang")
    assert server.closed


def test_versions_that_come_are_served_and_one_that_cannot_be_is_said(pretended, exported, tmp_path):
    server, events, free = pretended
    folder = tmp_path / "models"

    def more():
        assert coursekit("--weights", exported, "--repository", folder, "--only-repository").exit_code == 0

    events += [lambda: None, more, lambda: None, more, lambda: None, KeyboardInterrupt()]
    result = coursekit("--weights", exported, "--repository", folder, *free)
    assert result.exit_code == 0, result.output
    assert server.loaded == 2, "once for each, and not again"
    assert "version 2 is served now" in result.output
    assert "version 3 is not served: no memory left" in result.output


def test_what_is_in_the_repository_is_served_where_no_weights_are_named(pretended, exported, tmp_path):
    _, events, free = pretended
    events += [KeyboardInterrupt(), KeyboardInterrupt()]
    folder = tmp_path / "models"
    assert "exporting" in coursekit("--weights", exported, "--repository", folder, *free).output
    again = coursekit("--repository", folder, *free)
    assert again.exit_code == 0, again.output
    assert "exporting" not in again.output
    assert "detector, version 1;" in again.output


def ask(command: str) -> dict:
    """What the printed curl line asks, without curl."""
    curl, silent, url, data, body = shlex.split(command)
    assert (curl, silent, data) == ("curl", "-s", "-d")
    host, path = re.fullmatch(r"http://([^/]+)(/.*)", url).groups()
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    assert answer.status == 200
    return json.loads(answer.read())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_whole_run_without_triton(no_triton, exported, number):
    pytest.importorskip("onnxruntime")
    command = [sys.executable, "-m", "coursekit.cli", "serve", "--weights", str(exported), "--http", "0", "--page", "0", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as program:
        try:
            said = []
            for line in program.stdout:
                said.append(line.strip())
                if line.startswith("Ctrl-C"):
                    break
            told = dict(re.split(": ", line, maxsplit=1) for line in said if ": " in line)
            assert "holds no Triton" in told["going on with ONNX Runtime behind the same protocol"]
            assert ask(told["try it, a picture of one red pixel"])["outputs"][0]["data"] == [1]
            connection = http.client.HTTPConnection(re.match("http://([^/]+)", told["page"])[1], timeout=30)
            connection.request("GET", "/")
            assert connection.getresponse().status in (200, 303)
            program.send_signal(number)
            rest = program.stdout.read()
            assert program.wait(30) == 0, rest
            assert rest == "stopped\n"
        finally:
            program.kill()
