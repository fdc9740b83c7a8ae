"""The real Triton server: a thousand requests, killed and started again, a version that comes meanwhile. Needs its environment.

`make full` makes the environment (build/triton). Where it cannot be had these tests skip, unless COURSEKIT_TRITON_REQUIRED=1 says that
it must be there.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from coursekit.serving.client import Client
from coursekit.serving.repository import model_file, write_repository
from coursekit.serving.triton import Triton, find_triton, why_no_triton
from coursekit.serving.triton_process import alive
from coursekit.yolo import load_shipped, predict

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.full

SIDE = 128  # the longer side that the network sees; pictures have it already, and other sides of 32n, so that nothing is resized
CLIENTS = 8
CONFIDENCE, IOU = 0.25, 0.6


@pytest.fixture(scope="module")
def environment():
    folder = find_triton()
    if folder is None and os.environ.get("COURSEKIT_TRITON_REQUIRED") == "1":
        pytest.fail(f"COURSEKIT_TRITON_REQUIRED=1, but {why_no_triton()}")
    if folder is None:
        pytest.skip(why_no_triton())
    return folder


@pytest.fixture(scope="module")
def model():
    model = load_shipped()
    model.imgsz = SIDE
    return model


@pytest.fixture(scope="module")
def exported(model, environment, tmp_path_factory) -> Path:
    """Two versions of the detector, the second of which is more careful: it is the first with one number changed."""
    folder = tmp_path_factory.mktemp("exported")
    first = model_file(write_repository(model, folder / "models", confidence=CONFIDENCE, iou=IOU))
    network = onnx.load(first)
    [constant] = [entry for entry in network.graph.initializer if entry.name == "suppress/confidence"]
    constant.CopyFrom(onnx.numpy_helper.from_array(np.array([0.6], dtype=np.float32), constant.name))
    first.rename(folder / "first.onnx")
    onnx.save(network, folder / "second.onnx")
    return folder


@pytest.fixture(scope="module")
def pictures(model):
    """Parts of scenes with signs in two sizes, and what PyTorch finds in them. Where a score lies at the confidence, or an overlap at the
    limit, the last bit decides on a box: such pictures are left out."""
    from coursekit.data.signs import SignScenes

    world, chosen = SignScenes(40, seed=11), []
    for number in range(len(world)):
        height = (SIDE, 96)[number % 2]
        image = world[number][0]
        chosen.append(torch.nn.functional.interpolate(image[None].float(), (height, SIDE)).round().to(torch.uint8)[0])
    edges = [(CONFIDENCE + shift, IOU + other) for shift in (-0.003, 0.003) for other in (-0.003, 0.003)]
    counts = [[len(found) for found in predict(model, chosen, *edge)] for edge in edges]
    steady = [number for number, several in enumerate(zip(*counts, strict=True)) if len(set(several)) == 1]
    kept = [chosen[number] for number in steady]
    found = predict(model, kept, CONFIDENCE, IOU)
    assert len(kept) > 25
    assert sum(len(one) for one in found) > 30, "pictures in which there is something"
    return kept, found


@pytest.fixture
def served(environment, exported, tmp_path):
    """A server of its own for who kills it or gives it more; and the repository."""
    folder = write_repository(exported / "first.onnx", tmp_path / "models")
    with Triton(folder, environment) as server:
        yield server, folder
        server.kill()  # quicker than the kind end, which other tests wait for


@pytest.fixture(scope="module")
def shared(environment, exported, tmp_path_factory):
    """A server for who only asks."""
    with Triton(write_repository(exported / "first.onnx", tmp_path_factory.mktemp("shared") / "models"), environment) as server:
        yield server


def client_of(server, number: int, **options) -> Client:
    """Five of eight over HTTP, three over gRPC."""
    return Client(server.grpc_url, protocol="grpc", **options) if number % 3 == 2 else Client(server.url, **options)


def same(answer, reference) -> bool:
    """Scores to 1e-4, boxes to 1e-4 pixels, labels and order exactly."""
    if len(answer) != len(reference) or answer.labels.tolist() != reference.labels.tolist():
        return False
    scores, boxes = (answer.scores - reference.scores).abs(), (answer.boxes - reference.boxes).abs()
    return not len(answer) or bool(scores.max() <= 1e-4 and boxes.max() <= 1e-4)


def ask_all(server, pictures, requests: int, answered=lambda: None, **options) -> list[str]:
    """``requests`` requests of one to three pictures of one size from `CLIENTS` clients at once; what was wrong with any answer."""
    images, found = pictures
    wrong: list[str] = []
    heights = [[number for number, image in enumerate(images) if image.shape[1] == height] for height in (SIDE, 96)]

    def work(number: int) -> None:
        order = np.random.default_rng(number)
        with client_of(server, number, **options) as detect:
            for turn in range(requests // CLIENTS):
                places = order.choice(heights[turn % 2], size=1 + turn % 3, replace=False)
                try:
                    answers = detect([images[place] for place in places])
                except Exception as error:
                    wrong.append(f"client {number}, request {turn}: {type(error).__name__}: {error}")
                    continue
                finally:
                    answered()
                wrong.extend(
                    f"picture {place}: {answer} instead of {found[place]}"
                    for place, answer in zip(places, answers, strict=True)
                    if not same(answer, found[place])
                )

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, range(CLIENTS)))
    return wrong


def memory(server) -> int:
    """Bytes that the server and its stubs have for themselves, and share among each other."""
    own = sum(int(re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) * 1024 for pid in alive(server.pid))
    return own + sum(file.stat().st_blocks * 512 for file in Path("/dev/shm").glob(f"{server._prefix}*"))


def counted(server, key: str, wanted: float) -> dict[str, float]:
    """The counters, once ``key`` has reached ``wanted``: the server counts a request a moment after it has answered."""
    deadline = time.monotonic() + 30
    while (found := server.metrics()).get(key, 0) < wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_a_thousand_requests_from_eight_clients(shared, pictures):
    server = shared
    first = server.metrics()["requests"]
    assert ask_all(server, pictures, 400) == []
    before, settled = counted(server, "requests", first + 400), memory(server)
    assert ask_all(server, pictures, 1000) == []
    after = counted(server, "requests", first + 1400)
    assert after["requests"] - before["requests"] == 1000
    assert after["failures"] == before["failures"]
    assert after["pictures"] - before["pictures"] > 1900
    assert after["batches"] - before["batches"] < 900, "requests that waited went through the network together"
    assert after["queue_seconds"] > 0
    assert memory(server) - settled < 32 * 2**20, "a thousand requests more, and no more memory"


def test_it_listens_on_this_machine_alone(shared):
    server = shared
    own = {os.readlink(entry) for pid in alive(server.pid) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()}
    heard = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in own:
                address, port = local.split(":")
                heard[int(port, 16)] = address
    assert set(heard) == set(server.ports)
    assert set(heard.values()) <= {"0100007F", "0000000000000000FFFF00000100007F"}, "127.0.0.1, as IPv4 and within IPv6"


def test_killed_in_the_middle_and_started_again_every_answer_comes_and_is_right(served, pictures):
    server, _ = served
    count, enough, lock = [0], threading.Event(), threading.Lock()

    def answered():
        with lock:
            count[0] += 1
            if count[0] == 60:
                enough.set()

    def kill():
        assert enough.wait(60)
        left = alive(server.pid)
        assert len(left) >= 2, "a server and a stub"
        server.kill()
        assert not server.running
        assert alive(server.pid) == []
        at_the_kill.append(count[0])
        server.restart()
        server.wait_ready()

    at_the_kill: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill)
        assert ask_all(server, pictures, 640, answered, patience=60.0) == []
        killed.result()
    assert at_the_kill[0] < 640, "there were requests on their way"
    assert counted(server, "requests", 100)["requests"] >= 100, "of the new process"


def test_a_version_that_comes_is_served_without_a_request_lost(served, exported, pictures, model):
    server, folder = served
    images, found = pictures
    careful = predict(model, images, 0.6, IOU)
    assert sum(map(len, careful)) < sum(map(len, found))
    number = max(range(len(images)), key=lambda place: len(found[place]) - len(careful[place]))
    began, ended, odd, answers = threading.Event(), threading.Event(), [], [0, 0]

    def ask():
        with Client(server.url) as detect:
            while not ended.is_set():
                [answer] = detect([images[number]])
                which = [same(answer, found[number]), same(answer, careful[number])]
                if which == [False, False] or (which[0] and answers[1]):
                    odd.append(answer)
                else:
                    answers[which[1]] += 1
                began.set()

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            assert began.wait(60)
            write_repository(exported / "second.onnx", folder)
            with Client(server.url) as detect:
                assert same(detect([images[number]])[0], found[number]), "written is not served yet"
                server.load()
                assert same(detect([images[number]])[0], careful[number])
                assert detect.metadata()["versions"] == ["1", "2"]
        finally:
            ended.set()
        asking.result(30)
    assert odd == []
    assert answers[0] > 0
    counts = counted(server, "requests/2", 1)
    assert counts["requests/2"] >= 1
    assert counts["failures"] == 0


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_bad_requests_get_their_own_errors(shared, protocol):
    import importlib

    server = shared
    kind = importlib.import_module(f"tritonclient.{protocol}")
    told = {}
    client = kind.InferenceServerClient(server.url if protocol == "http" else server.grpc_url)
    for pixels in (np.zeros((1, 0, 64, 3), np.uint8), np.zeros((1, 64, 64, 4), np.uint8), np.zeros((1, 64, 64, 3), np.float32)):
        put = kind.InferInput("pixels", list(pixels.shape), "UINT8" if pixels.dtype == np.uint8 else "FP32")
        put.set_data_from_numpy(pixels)
        with pytest.raises(Exception, match="pixels") as raised:
            client.infer("detector", [put])
        told[pixels.shape, str(pixels.dtype)] = str(raised.value)
    client.close()
    assert "at least one pixel" in told[(1, 0, 64, 3), "uint8"]
    assert "unexpected shape" in told[(1, 64, 64, 4), "uint8"]
    assert "expects 'UINT8'" in told[(1, 64, 64, 3), "float32"]


def test_names_of_classes_arrive(environment, exported, tmp_path):
    names = ['the "thing"', "표지판", "back\\slash", "two\nlines"]
    network = onnx.load(exported / "first.onnx")
    [entry] = [entry for entry in network.metadata_props if entry.key == "classes"]
    entry.value = json.dumps(names)
    onnx.save(network, tmp_path / "named.onnx")
    folder = write_repository(tmp_path / "named.onnx", tmp_path / "models")
    (folder / ".ipynb_checkpoints").mkdir()  # Jupyter leaves such folders, and they are no models
    with Triton(folder, environment) as server, Client(server.url) as over_http, Client(server.grpc_url, protocol="grpc") as over_grpc:
        assert over_http.classes == over_grpc.classes == tuple(names)


def test_a_model_that_is_broken_is_told_from_the_log(environment, exported, tmp_path):
    folder = write_repository(exported / "first.onnx", tmp_path / "models")
    (folder / "detector" / "1" / "model.onnx").write_bytes(b"no network")
    with pytest.raises(ConnectionError, match=r"(?s)Triton is not running .* its log ends:.*model\.onnx"), Triton(folder, environment):
        pytest.fail("it has nothing to serve")


def children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(entry.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_the_command_from_start_to_end(environment, exported, number):
    ports = [part for option in ("--http", "--grpc", "--metrics", "--page") for part in (option, "0")]
    command = [sys.executable, "-m", "coursekit.cli", "serve", "--backend", "triton", "--weights", str(exported / "first.onnx"), *ports]
    surroundings = {**os.environ, "COURSEKIT_TRITON": str(environment)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=surroundings) as program:
        try:
            said = []
            for line in program.stdout:
                said.append(line)
                if line.startswith("Ctrl-C"):
                    break
            servers = [group for group in children(program.pid) if len(alive(group)) > 1]
            assert len(servers) == 1, said
            with Client(re.search(r"http://([^/]+)/v2", "".join(said))[1]) as detect:
                assert len(detect([torch.zeros(3, 32, 32, dtype=torch.uint8)])) == 1
            program.send_signal(number)
            rest = program.stdout.read()
            assert program.wait(60) == 0, rest
            assert rest == "stopped\n"
            assert alive(servers[0]) == []
        finally:
            program.terminate()
