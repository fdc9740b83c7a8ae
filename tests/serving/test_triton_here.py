"""Starting, killing and finding Triton, with a program of ours in the place of the binary: quick, and without the download."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coursekit.serving import triton_environment, triton_process
from coursekit.serving.triton import Triton, find_triton, free_ports, install_triton, main, read_metrics, why_no_triton
from coursekit.serving.triton_environment import holds_triton, inspect

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Triton is for Linux")

# Answers as Triton does where we ask, writes down how it was started, and has a child as Triton has stubs. repository/behave tells it
# what to do wrong.
SERVER = """#!{python}
import http.server, json, os, pathlib, signal, subprocess, sys, time

told = [argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:]]
options = dict(told)
place = pathlib.Path(options["model-repository"])
behave = (place / "behave").read_text() if (place / "behave").exists() else ""
tries = place / "tries"
tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
if behave == "die":
    sys.exit("I1126 something\\nE1126 cannot load detector: out of luck")
if behave == "port" and tries.read_text() == "x":
    sys.exit("error: failed to start HTTP service: Unavailable - Socket '127.0.0.1:80' already in use")
stub = subprocess.Popen(["sleep", "600"])
prefix = options["backend-config"].rpartition("=")[2]
pathlib.Path("/dev/shm", prefix + "memory").write_text("pictures")
(place / "started.json").write_text(json.dumps([told, dict(os.environ), stub.pid, os.listdir("backends/python")]))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/v2/health/ready":
            return self.say(503 if behave == "never" else 200, "")
        self.say(200, '# HELP x\\nnv_inference_count{{model="detector",version="1"}} 3\\n')
    def do_POST(self):
        self.say(400 if "bad" in self.path else 200, json.dumps({{"error": "no such model"}}))
    def say(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

def stop(*_):
    if behave != "stubborn":
        os._exit(0)  # and leaves its child and its memory behind: whoever started it must clean up

signal.signal(signal.SIGTERM, stop)
import threading
for port in ("http-port", "metrics-port"):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(options[port])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
while True:
    time.sleep(1)
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """A virtual environment that holds what is looked for."""
    folder = tmp_path / "env"
    version = "{}.{}".format(*sys.version_info)
    packages = folder / "lib" / f"python{version}" / "site-packages"
    for place in ("pytriton/tritonserver/bin", "pytriton/tritonserver/backends/python", "onnxruntime", "nvidia_pytriton.libs"):
        (packages / place).mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(getattr(sys, "_base_executable", sys.executable))
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys._base_executable).parent}\n")
    server = packages / "pytriton/tritonserver/bin/tritonserver"
    server.write_text(SERVER.format(python=sys._base_executable))
    server.chmod(0o755)
    for name in ("libtriton_python.so", "triton_python_backend_utils.py"):
        (packages / "pytriton/tritonserver/backends/python" / name).touch()
    stub = packages / "pytriton/tritonserver/python_backend_stubs" / version / "triton_python_backend_stub"
    stub.parent.mkdir(parents=True)
    stub.touch()
    monkeypatch.setattr(triton_environment, "why_not_here", lambda: "")  # so that this runs on other processors, too
    monkeypatch.setenv("COURSEKIT_TRITON", str(folder))
    return folder


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "models"
    (folder / "detector" / "1").mkdir(parents=True)
    (folder / "detector" / "config.pbtxt").touch()
    (folder / ".checkpoints").mkdir()
    return folder


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def started(repository) -> tuple[dict, dict, int, list]:
    return json.loads((repository / "started.json").read_text())


def memory(server) -> list[Path]:
    return list(Path("/dev/shm").glob(f"{server._prefix}*"))


def test_it_starts_listens_here_alone_and_leaves_nothing(environment, repository, monkeypatch):
    monkeypatch.setenv("SECRET_OF_OURS", "1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with Triton(repository) as server:
        told, variables, stub, backends = started(repository)
        options = dict(told)
        assert server.url == f"127.0.0.1:{server.ports[0]}"
        assert server.grpc_url == f"127.0.0.1:{server.ports[1]}"
        assert len(set(server.ports)) == 3
        assert [options[f"{name}-address"] for name in ("http", "grpc", "metrics")] == ["127.0.0.1"] * 3
        assert [value for key, value in told if key == "load-model"] == ["detector"], "folders that are no model are not asked for"
        assert not [key for key, _ in told if "trace" in key]
        assert not variables.keys() & {"SECRET_OF_OURS", "http_proxy"}
        assert variables["PATH"].startswith(str(environment / "bin"))
        assert sorted(backends) == ["libtriton_python.so", "triton_python_backend_stub", "triton_python_backend_utils.py"]
        assert server.metrics()["pictures"] == 3
        server.load("detector")
        with pytest.raises(ValueError, match=r"Triton could not load bad: .*no such model"):
            server.load("bad")
        pid, folder, log = server.pid, server._folder, server.log
        assert lives(pid)
        assert lives(stub)
        assert memory(server)
    assert not lives(pid)
    assert not lives(stub)
    assert not memory(server)
    assert not folder.exists()
    assert not log.exists()
    server.close()
    assert not server.running
    assert not server.ready()


def test_killed_and_started_again_on_the_same_ports(environment, repository, tmp_path):
    with Triton(repository, log=tmp_path / "logs" / "triton.txt") as server:
        ports, pid, stub = server.ports, server.pid, started(repository)[2]
        server.kill()
        assert not server.running
        assert not lives(pid)
        assert not lives(stub)
        assert not memory(server)
        with pytest.raises(ConnectionError, match=r"Triton is not running \(exit code -9\)"):
            server.wait_ready()
        server.restart()
        server.wait_ready()
        assert server.ports == ports
        assert server.pid != pid
        before = server.pid
        server.restart()  # one that runs
        server.wait_ready()
        assert not lives(before)
    assert (tmp_path / "logs" / "triton.txt").exists(), "a log that was asked for stays"


def test_a_server_that_dies_is_noticed_and_its_log_told(environment, repository):
    (repository / "behave").write_text("die")
    with (
        pytest.raises(ConnectionError, match=r"exit code 1\); its log ends:\nE1126 cannot load detector: out of luck$"),
        Triton(repository),
    ):
        pytest.fail("it never became ready")


def test_of_a_log_that_goes_on_only_the_new_part_is_told(environment, repository, tmp_path):
    (repository / "behave").write_text("die")
    (tmp_path / "log.txt").write_text("E1125 trouble of yesterday\n")
    with pytest.raises(ConnectionError) as raised, Triton(repository, log=tmp_path / "log.txt"):
        pytest.fail("it never became ready")
    assert "out of luck" in str(raised.value)
    assert "yesterday" not in str(raised.value)
    assert "yesterday" in (tmp_path / "log.txt").read_text()


def test_a_server_that_never_gets_ready_is_not_waited_for_for_ever(environment, repository):
    (repository / "behave").write_text("never")
    server = Triton(repository)
    try:
        with pytest.raises(TimeoutError, match=r"not ready within 0.5 s; its log ends:"):
            server.wait_ready(0.5)
        assert server.running
    finally:
        server.close()
    assert not server.running


def test_a_port_that_somebody_takes_in_the_last_moment_is_given_up(environment, repository):
    (repository / "behave").write_text("port")
    with Triton(repository) as server:
        assert (repository / "tries").read_text() == "xx"
        assert server.ready()


def test_a_port_that_was_asked_for_is_not(environment, repository):
    (repository / "behave").write_text("port")
    [http] = free_ports((0,))
    with pytest.raises(ConnectionError, match="already in use"), Triton(repository, http=http):
        pytest.fail("another port was not asked for")


def test_a_server_that_does_not_listen_to_sigterm_is_killed(environment, repository, monkeypatch):
    (repository / "behave").write_text("stubborn")
    stop = triton_process.stop
    monkeypatch.setattr(triton_process, "stop", lambda processes, prefix, patience: stop(processes, prefix, min(patience, 0.2)))
    server = Triton(repository)
    server.wait_ready()
    pid, stub = server.pid, started(repository)[2]
    server.close()
    assert not lives(pid)
    assert not lives(stub)


PROGRAM = """
import sys, time
from coursekit.serving import triton, triton_environment
triton_environment.why_not_here = lambda: ""
server = triton.Triton(sys.argv[1])
server.wait_ready()
print(server.pid, server._prefix, server._folder, flush=True)
{end}
"""


@pytest.mark.parametrize(
    "end",
    ["import os; os.kill(os.getpid(), 9)", "sys.exit(3)", "raise MemoryError", "time.sleep(600)"],
    ids=["killed", "exits", "raises", "killed from outside"],
)
def test_a_program_that_ends_without_closing_leaves_no_server(environment, repository, end):
    command = [sys.executable, "-c", PROGRAM.format(end=end), str(repository)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        pid, prefix, folder = program.stdout.readline().split()
        stub = started(repository)[2]
        if "sleep" in end:
            program.kill()
    wait_until(lambda: not lives(int(pid)) and not lives(stub))
    wait_until(lambda: not list(Path("/dev/shm").glob(f"{prefix}*")) and not Path(folder).exists())


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (
            "lib/python3*/site-packages/pytriton/tritonserver/bin/tritonserver",
            "COURSEKIT_TRITON names .*, which holds no Triton; `python -m",
        ),
        ("lib/python3*/site-packages/onnxruntime", "which holds no Triton"),
        ("bin/python", "which holds no Triton"),
    ],
    ids=["server", "onnxruntime", "python"],
)
def test_an_environment_that_lacks_something(environment, repository, missing, message):
    [path] = environment.glob(missing)
    path.rename(environment / "taken away")
    assert find_triton() is None
    with pytest.raises(ValueError, match=message):
        Triton(repository)
    with pytest.raises(ValueError, match=r"holds no Triton; `python -m coursekit.serving.triton install"):
        Triton(repository, environment)


def test_an_environment_of_another_python(environment, repository):
    [stub] = environment.glob("lib/python3*/site-packages/pytriton/tritonserver/python_backend_stubs/*")
    stub.rename(stub.with_name("2.7"))
    with pytest.raises(ValueError, match=r"Triton has no part for Python 3\.\d+, which .* is made with"):
        Triton(repository)


def test_where_it_is_looked_for(environment, monkeypatch, tmp_path):
    assert find_triton() == environment
    monkeypatch.chdir(environment.parent)
    monkeypatch.setenv("COURSEKIT_TRITON", "env")
    assert find_triton() == environment
    monkeypatch.delenv("COURSEKIT_TRITON")
    monkeypatch.setattr(triton_environment, "default_folder", lambda: tmp_path / "cache")
    assert find_triton() is None
    assert "coursekit serve --get-triton" in why_no_triton()
    environment.rename(tmp_path / "cache")
    assert find_triton() == tmp_path / "cache"
    assert inspect(find_triton()).server.is_file()


@pytest.mark.parametrize("repository", ["nowhere", "."], ids=["not there", "no model in it"])
def test_a_folder_that_is_no_repository(environment, tmp_path, monkeypatch, repository):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"repository must be a folder that write_repository made, got"):
        Triton(repository)


def test_free_ports():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(ValueError, match=rf"port {port} is taken; give another one, or 0 for any that is free"):
            free_ports((0, port))
        assert port not in free_ports((0, 0, 0, 0))
    first, any_port, second = free_ports((port, 0, free_ports((0,))[0]))
    assert first == port
    assert len({first, any_port, second}) == 3
    assert free_ports(()) == ()
    with pytest.raises(ValueError, match="port 70000 is no port"):
        free_ports((70000,))


METRICS = """# HELP nv_inference_request_success Number of successful inference requests
# TYPE nv_inference_request_success counter
nv_inference_request_success{model="detector",version="1"} 7
nv_inference_request_success{model="detector",version="2"} 3
nv_inference_request_success{model="other",version="1"} 100
nv_inference_request_failure{model="detector",reason="BACKEND",version="1"} 1
nv_inference_request_failure{model="detector",reason="OTHER",version="1"} 2
nv_inference_count{model="detector",version="1"} 1.4e+01
nv_inference_exec_count{version="1",model="detector"} 4 1700000000000
nv_inference_queue_duration_us{model="detector",version="1"} 1500000
nv_inference_compute_input_duration_us{model="detector",version="1"} 100000
nv_inference_compute_infer_duration_us{model="detector",version="1"} 200000
nv_inference_compute_output_duration_us{model="detector",version="1"} 300000
nv_inference_count{model="the \\"odd\\", one",version="1"} 5
nv_cpu_utilization 0.5
nonsense {
"""


def test_the_counters():
    found = read_metrics(METRICS)
    assert {key: value for key, value in found.items() if "/" not in key} == pytest.approx(
        {
            "requests": 10,
            "failures": 3,
            "pictures": 14,
            "batches": 4,
            "request_seconds": 0,
            "queue_seconds": 1.5,
            "compute_seconds": 0.6,
        }
    )
    assert (found["requests/1"], found["requests/2"], found["failures/1"]) == (7, 3, 3)
    assert read_metrics(METRICS, 'the \\"odd\\", one')["pictures"] == 5
    assert set(read_metrics("").values()) == {0}


@pytest.fixture
def cheap(monkeypatch):
    """Installing, with programs that take no time in the place of venv and pip."""
    calls = []

    def program(command, otherwise):
        calls.append(command)
        folder = Path(command[-1]) if "venv" in command else Path(command[0]).parent.parent
        wheel = {"--no-deps": "pytriton/tritonserver/bin/tritonserver", "numpy<2": "onnxruntime/x"}
        for mark, file in wheel.items():
            if mark in command:
                path = folder / "lib/python3.11/site-packages" / file
                path.parent.mkdir(parents=True)
                path.touch()
        if "venv" in command:
            (folder / "bin").mkdir()
            (folder / "bin" / "python").touch()

    monkeypatch.setattr(triton_environment, "why_not_here", lambda: "")
    monkeypatch.setattr(triton_environment, "_run", program)
    monkeypatch.setattr(triton_environment, "_suitable_python", lambda: "python3")
    monkeypatch.setattr(triton_environment, "inspect", lambda folder: None)
    return calls


def test_installing_makes_the_environment_once(cheap, tmp_path, capsys, monkeypatch):
    said = []
    folder = install_triton(tmp_path / "deep" / "env", said.append)
    assert folder == tmp_path / "deep" / "env"
    assert holds_triton(folder)
    assert said[1:] == ["installing nvidia-pytriton==0.7.0", "installing numpy<2 and onnxruntime>=1.19"]
    assert len(cheap) == 3
    main(["install", str(folder)])
    assert capsys.readouterr().out.strip() == str(folder)
    assert len(cheap) == 3, "one that stands is kept"
    assert [entry.name for entry in folder.parent.iterdir()] == ["env"]
    monkeypatch.setenv("COURSEKIT_TRITON", str(tmp_path / "named"))
    assert install_triton() == find_triton() == tmp_path / "named", "where it is looked for"
    monkeypatch.delenv("COURSEKIT_TRITON")
    monkeypatch.setattr(triton_environment, "default_folder", lambda: tmp_path / "cache")
    assert install_triton() == find_triton() == tmp_path / "cache"


def test_an_install_that_fails_leaves_nothing(cheap, tmp_path, monkeypatch):
    def fails(command, otherwise):
        triton_environment._raise_told(otherwise, "Looking\nERROR: No matching distribution found for nvidia-pytriton\n\n")

    monkeypatch.setattr(triton_environment, "_run", fails)
    with pytest.raises(ValueError, match=r"could not be made .*: ERROR: No matching distribution found for nvidia-pytriton$"):
        install_triton(tmp_path / "env")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SystemExit, match=r"^coursekit: an environment could not be made"):
        main(["install", str(tmp_path / "env")])


def test_a_folder_of_something_else_is_left_alone(cheap, tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ValueError, match="is there and holds something else than Triton"):
        install_triton(tmp_path)
    assert cheap == []


@pytest.mark.parametrize(
    ("system", "processor", "libc"),
    [
        ("Darwin", "arm64", ("", "")),
        ("Windows", "AMD64", ("", "")),
        ("Linux", "aarch64", ("glibc", "2.36")),
        ("Linux", "x86_64", ("", "")),
        ("Linux", "x86_64", ("glibc", "2.31")),
    ],
    ids=["Apple", "Windows", "ARM", "Alpine", "old"],
)
def test_machines_that_it_is_not_made_for(monkeypatch, tmp_path, system, processor, libc):
    monkeypatch.setattr(triton_environment.platform, "system", lambda: system)
    monkeypatch.setattr(triton_environment.platform, "machine", lambda: processor)
    monkeypatch.setattr(triton_environment.platform, "libc_ver", lambda: libc)
    with pytest.raises(ValueError, match=rf"is for Linux with glibc 2.35 or newer on x86_64, and this is {system}.* on {processor}$"):
        install_triton(tmp_path / "env")
    monkeypatch.delenv("COURSEKIT_TRITON", raising=False)
    assert system in why_no_triton()
    monkeypatch.setattr(triton_environment.platform, "system", lambda: "Linux")
    monkeypatch.setattr(triton_environment.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(triton_environment.platform, "libc_ver", lambda: ("glibc", "2.100"))
    assert triton_environment.why_not_here() == ""


@pytest.mark.parametrize("arguments", [[], ["remove"], ["install", "a", "b"]], ids=str)
def test_how_the_module_is_called(arguments):
    with pytest.raises(SystemExit, match=r"usage: python -m coursekit.serving.triton install"):
        main(arguments)


def test_a_program_that_fails_is_told_by_its_last_words():
    with pytest.raises(ValueError, match=r"it broke: ERROR: no$"):
        triton_environment._run([sys.executable, "-c", "print('ERROR: no'); print('hint'); raise SystemExit(1)"], "it broke")
    with pytest.raises(ValueError, match=r"it broke: it said nothing$"):
        triton_environment._run([sys.executable, "-c", "raise SystemExit(1)"], "it broke")


def test_this_python_is_asked_where_its_things_are():
    version, packages, *_ = triton_environment._ask(sys.executable)
    assert version == "{}.{}".format(*sys.version_info)
    assert Path(packages).is_dir()
    with pytest.raises(ValueError, match="does not run as a Python"):
        triton_environment._ask("/bin/false")
