"""How workers and their zygotes live and end: limits, deadlines, kills, and what is left afterwards."""

import importlib.util
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

if platform.system() != "Linux":
    pytest.skip("grading runs on Linux", allow_module_level=True)
spec = importlib.util.spec_from_file_location("grading_boxed_life", Path(__file__).with_name("boxed.py"))
boxed = importlib.util.module_from_spec(spec)
spec.loader.exec_module(boxed)
ask, obedient, run = boxed.ask, boxed.obedient, boxed.run
Sandbox, OBEDIENT = boxed.Sandbox, boxed.OBEDIENT
HERE = Path(__file__).parent


@pytest.fixture(scope="module", params=["namespaces", "landlock"])
def sandbox(request):
    with obedient(request.param) as opened:
        yield opened


@pytest.fixture(params=["namespaces", "landlock"])
def tier_folder(request, tmp_path_factory):
    """A tier that works here, and a folder for files that it shall see."""
    obedient(request.param)
    return request.param, tmp_path_factory.mktemp("seen")


def test_memory_runs_out_softly_and_the_next_worker_knows_nothing_of_it(sandbox):
    assert run(sandbox, "x = bytearray(2**30)").startswith("MemoryError")
    with sandbox.start() as worker:
        ask(worker, "x = [bytearray(2**20) for _ in range(10**5)]")
        assert worker.kill().peak_bytes < 600 * 2**20
    assert run(sandbox, "result = 1") == 1


def test_the_disk_cannot_be_filled(sandbox):
    code = """import os
wrote = 0
try:
    for number in range(1000):
        with open(f"{number}.bin", "wb", buffering=0) as file:
            for _ in range(20):
                wrote += file.write(bytes(100_000))
except OSError as error:
    result = [wrote, type(error).__name__]
"""
    wrote, _ = run(sandbox, code)
    assert wrote <= (2 * 2**20 if sandbox.tier == "namespaces" else 0)
    assert sandbox.tier != "namespaces" or wrote > 0


def test_the_working_folder_is_fresh_for_each(sandbox):
    if sandbox.tier != "namespaces":
        pytest.skip("no quota without a file system of its own, so nothing can be written")
    assert run(sandbox, "open('left', 'w').write('x'); result = open('left').read()") == "x"
    assert run(sandbox, "import os; result = os.listdir('.')") == []


def test_file_descriptors_run_out(sandbox):
    answer = run(sandbox, "import os\nfiles = [open(os.devnull) for _ in range(1000)]")
    assert "Too many open files" in answer


def test_an_endless_loop_ends_at_the_deadline_and_at_the_limit_of_cpu(sandbox):
    with sandbox.start() as worker:
        worker.sock.sendall(b"import signal\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass")
        time.sleep(0.3)
        started = time.monotonic()
        ended = worker.kill()
        assert time.monotonic() - started < 1
    assert ended.how == "killed by us"
    assert ended.cpu_seconds > 0.05
    assert worker.kill() is ended
    with obedient(sandbox.tier, cpu_seconds=1) as short, short.start() as worker:
        assert ask(worker, "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass") == "gone"
        assert worker.kill().how == "SIGKILL"


@pytest.mark.parametrize(("code", "how"), [("import os; os._exit(3)", "exit 3"), ("import ctypes; ctypes.string_at(0)", "SIGSEGV")])
def test_a_worker_that_ends_by_itself_says_how(sandbox, code, how):
    with sandbox.start() as worker:
        assert ask(worker, code) == "gone"
        time.sleep(0.05)
        assert worker.kill().how == how
    assert run(sandbox, "result = 1") == 1


def test_several_workers_live_side_by_side(sandbox):
    with sandbox.start() as one, sandbox.start() as two:
        assert ask(one, "import builtins; builtins.mine = 1; result = 1") == 1
        assert "AttributeError" in ask(two, "import builtins; result = builtins.mine")
        one.kill()
        assert ask(two, "result = 2") == 2


def test_two_hundred_workers_leave_the_zygote_as_it_was(sandbox):
    def memory() -> int:
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid, _ in boxed.below(os.getpid())) * os.sysconf(
            "SC_PAGE_SIZE"
        )

    for _ in range(20):
        run(sandbox, "result = 1")
    before, count = memory(), len(boxed.below(os.getpid()))
    for _ in range(180):
        assert run(sandbox, "result = 1", files={"coursekit/x.py": "y = 1"}) == 1
    assert memory() - before < 3 * 2**20
    assert len(boxed.below(os.getpid())) == count


def test_a_killed_zygote_takes_its_workers_along_and_another_is_started(sandbox):
    with obedient(sandbox.tier) as own:
        before = boxed.below(os.getpid())
        worker = own.start()
        started = boxed.below(os.getpid()) - before
        deepest = max(started)  # the worker; its parent is the zygote
        zygote = boxed.parent_of(deepest[0])
        worker.sock.sendall(b"while True: pass")
        os.kill(zygote, signal.SIGKILL)
        assert not boxed.survivors(started)
        assert worker.kill().how == "lost with its zygote"
        assert run(own, "result = 1") == 1


def test_nothing_outlives_a_killed_parent(sandbox, tmp_path):
    program = f"""
import sys, time
from pathlib import Path
from coursekit.grading.sandbox import Sandbox
sandbox = Sandbox({sandbox.tier!r}, worker="obedient", extra={{"obedient.py": Path({str(OBEDIENT)!r})}})
busy, idle = sandbox.start(), sandbox.start()
busy.sock.sendall(b"while True:\\n    try:\\n        while True: pass\\n    except BaseException: pass")
print("started", flush=True)
time.sleep(60)
"""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment, cwd=HERE.parents[1]) as judge:
        assert judge.stdout.readline() == b"started\n"
        started = boxed.below(judge.pid)
        assert len(started) >= 3
        judge.kill()
    assert not boxed.survivors(started)
    assert not list(tmp_path.iterdir())  # its folder is swept as well


def test_nor_does_a_zygote_that_is_still_importing(tmp_path, tier_folder):
    tier, folder = tier_folder
    program = f"""
import sys
from pathlib import Path
from coursekit.grading.sandbox import Sandbox
Sandbox({tier!r}, worker="obedient", extra={{"obedient.py": Path({str(folder / "slow.py")!r})}}).start()
"""
    (folder / "slow.py").write_text("import time\ntime.sleep(60)\n")
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", program], env=environment, cwd=HERE.parents[1]) as judge:
        until = time.monotonic() + 10
        while len(started := boxed.below(judge.pid)) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.5)  # well within the import
        started |= boxed.below(judge.pid)
        judge.kill()
    assert not boxed.survivors(started)
    assert not list(tmp_path.iterdir())


def test_leaving_the_sandbox_leaves_nothing(sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = boxed.below(os.getpid())
    with obedient(sandbox.tier) as own:
        own.start()
        started = boxed.below(os.getpid()) - before
        assert started
    assert not boxed.survivors(started)
    assert not list(tmp_path.iterdir())


def test_the_lowest_tier_limits_memory_and_says_no_more():
    with obedient("rlimits") as sandbox:
        assert run(sandbox, "x = bytearray(2**30)").startswith("MemoryError")
        assert run(sandbox, "import coursekit.detections as d; result = d.a", files={"coursekit/detections.py": "a = 3"}) == 3


@pytest.mark.parametrize(
    ("mapped", "user"),
    [
        ("         0          0 4294967295\n", 1_900_000_007),
        ("0 1000 1\n1 100000 65536\n", 65534),
        ("0 1000 1\n", None),
        ("0 100000 1000\n1000 1000 1\n", None),
    ],
)
def test_a_worker_gets_a_user_that_exists(mapped, user):
    assert boxed.user_among(mapped, 7) == user


def test_another_tier_is_refused_by_name():
    with pytest.raises(ValueError, match="tier must be one of namespaces, landlock, rlimits, got 'docker'"):
        Sandbox("docker")
