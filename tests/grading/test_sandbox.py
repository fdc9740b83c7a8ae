"""What a worker can see and do, and what it cannot, on every tier that holds on this machine."""

import importlib.util
import os
import platform
import sysconfig
from pathlib import Path

import pytest

if platform.system() != "Linux":
    pytest.skip("grading runs on Linux", allow_module_level=True)
spec = importlib.util.spec_from_file_location("grading_boxed", Path(__file__).with_name("boxed.py"))
boxed = importlib.util.module_from_spec(spec)
spec.loader.exec_module(boxed)
ask, obedient, run = boxed.ask, boxed.obedient, boxed.run
HERE = Path(__file__).parent


@pytest.fixture(scope="module", params=["namespaces", "landlock"])
def sandbox(request):
    with obedient(request.param) as opened:
        yield opened


@pytest.fixture(scope="module", params=["namespaces", "landlock"])
def with_torch(request):
    with obedient(request.param, memory_bytes=1024 * 2**20) as opened:
        yield opened


HELPERS = """
import ctypes, os, signal, socket, struct, threading
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *values):
    if libc.syscall(ctypes.c_long(number), *[ctypes.c_long(v) if isinstance(v, int) else v for v in values]) == -1:
        raise OSError(ctypes.get_errno(), "refused")
"""
X86 = {"ptrace": 101, "clone": 56, "unshare": 272, "mount": 165, "bpf": 321, "vm_readv": 310, "tkill": 200, "keyctl": 250}
ARM = {"ptrace": 117, "clone": 220, "unshare": 97, "mount": 40, "bpf": 280, "vm_readv": 270, "tkill": 130, "keyctl": 219}
NUMBERS = ARM if platform.machine() == "aarch64" else X86


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd')",
        "open('/proc/1/environ')",
        "open('/proc/self/environ')",
        "open('/proc/%d/mem' % os.getppid())",
        "os.listdir('/home')",
        "os.listdir('/tmp')",
        f"open({str(HERE / 'test_sandbox.py')!r})",
        f"open({str(HERE.parents[1] / 'coursekit' / 'boxes.py')!r})",
        "open('/tmp/coursekit-was-here', 'w')",
        "open('/var/tmp/coursekit-was-here', 'w')",
        "open(os.path.join(os.path.dirname(os.__file__), 'coursekit_was_here.py'), 'w')",
        "open(os.path.join(os.path.dirname(os.path.abspath(coursekit.detections.__file__)), 'more.py'), 'w')",
        "open(coursekit.detections.__file__, 'a')",
        "os.symlink('/etc/passwd', 'here') or open('here')",
        "os.chmod(os.__file__, 0o777)",
        "os.utime(os.__file__)",
        "os.truncate(os.__file__, 0)",
        "os.mkfifo('pipe') or os.mknod('device', 0o60666, os.makedev(8, 0))",
        "os.chroot('.')",
    ],
)
def test_no_file_outside_can_be_read_or_changed(sandbox, code):
    answer = run(
        sandbox, HELPERS + "import coursekit.detections\nresult = 'did it: ' + repr(" + code + ")", files={"coursekit/detections.py": ""}
    )
    assert answer.startswith(("PermissionError", "FileNotFoundError", "OSError")), answer
    assert not Path("/tmp/coursekit-was-here").exists()


@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.create_connection(('127.0.0.1', 22), 1)",
        "socket.getaddrinfo('localhost.example', 80)",
        "os.fork()",
        "os.forkpty()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "__import__('subprocess').run(['/bin/true'])",
        "__import__('multiprocessing').Process(target=print).start()",
        "os.execv('/bin/true', ['true'])",
        "os.setsid()",
        "os.kill(-1, 9)",
        "os.kill(0, 9)",
        "os.kill(os.getppid(), 9)",
        "os.kill(os.getpid() + 1, 0)",
        "os.killpg(1, 9)",
        "os.setuid(0)",
        "os.nice(-1)",
        "os.memfd_create('x')",
        "call({ptrace}, 16, 1, 0, 0)",
        "call({vm_readv}, 1, None, 0, None, 0, 0)",
        "call({tkill}, 1, 9)",
        "call({clone}, 17, 0, 0, 0, 0)",
        "call({clone}, 0x10000011, 0, 0, 0, 0)",
        "call({unshare}, 0x10000000)",
        "call({mount}, b'none', b'/', b'tmpfs', 0, None)",
        "call({bpf}, 0, None, 0)",
        "call({keyctl}, 0, -1, 1)",
        "call(425, 8, None)",  # io_uring_setup
        "call(435, None, 0)",  # clone3
        "call(434, 1, 0)",  # pidfd_open
        "__import__('resource').setrlimit(8, (1 << 40, 1 << 40))",
        "__import__('resource').prlimit(os.getppid() or 2, 7)",
        "__import__('fcntl').fcntl(0, 8, 1)",  # F_SETOWN: signals for others
        "libc.prctl(4, 1) and call(0xFFFF)",  # dumpable again
    ],
)
def test_no_network_no_process_and_no_power_over_others(sandbox, code):
    for name, number in NUMBERS.items():
        code = code.replace("{" + name + "}", str(number))
    answer = run(sandbox, HELPERS + f"result = 'did it: ' + repr({code})")
    assert answer.startswith(("PermissionError", "OSError", "gaierror", "ValueError", "FileNotFoundError", "BlockingIOError")), answer


def test_a_file_beside_the_grader_stays_unread_and_unchanged(sandbox, tmp_path):
    (tmp_path / "gradebook").write_text("marks")
    (tmp_path / "gradebook").chmod(0o666)
    tmp_path.chmod(0o777)
    for attempt in (
        "open({!r}).read()",
        "open({!r}, 'a').write('more')",
        "__import__('os').unlink({!r})",
        "__import__('os').chmod({!r}, 0)",
    ):
        answer = run(sandbox, "result = 'did it: ' + repr(" + attempt.format(str(tmp_path / "gradebook")) + ")")
        assert answer.startswith(("PermissionError", "FileNotFoundError")), answer
    assert (tmp_path / "gradebook").read_text() == "marks"


def test_it_is_nobody_and_knows_nothing(sandbox):
    code = (
        HELPERS + "import sys; result = [dict(os.environ), sys.argv, os.getuid(), os.geteuid(), os.getgroups(), threading.active_count()]"
    )
    environment, arguments, user, effective, groups, threads = run(sandbox, code)
    assert set(environment) <= {
        *["HOME", "TMPDIR", "USER", "LC_ALL", "PYTHONHASHSEED", "CUDA_VISIBLE_DEVICES"],
        *(f"{n}_NUM_THREADS" for n in ("OMP", "MKL", "OPENBLAS")),
    }
    assert len(arguments) == 2
    assert threads == 1
    assert user == effective
    if os.getuid() == 0:
        assert user != 0
        assert groups == []


def test_only_its_socket_is_open(sandbox):
    code = """import os
result = []
for number in range(64):
    try: result.append([number, os.fstat(number).st_mode >> 12])
    except OSError: pass"""
    result = run(sandbox, code)
    assert [number for number, _ in result[:3]] == [0, 1, 2]
    assert all(kind == 2 for _, kind in result[:3])  # character devices: /dev/null
    assert result[3:] == [[3, 12]]  # one socket


def test_in_the_first_tier_nothing_else_is_there():
    with obedient("namespaces") as sandbox:
        seen = run(
            sandbox,
            "import os; result = [sorted(os.listdir('/')), os.listdir('/work'), os.listdir('/kit'), os.listdir('/dev'), os.getpid()]",
        )
    assert {"site", "kit", "work", "dev"} <= set(seen[0])
    assert not {"home", "tmp", "var", "run", "boot", "opt"} & set(seen[0])
    assert seen[1:3] == [[], []]
    assert set(seen[3]) == {"null", "urandom"}
    assert seen[4] == 1


def test_threads_work_and_are_limited(sandbox):
    code = """import threading
found = []
threads = [threading.Thread(target=found.append, args=(i,)) for i in range(8)]
for t in threads: t.start()
for t in threads: t.join()
gate = threading.Event()
threading.stack_size(65536)
many = 0
try:
    for _ in range(5000):
        threading.Thread(target=gate.wait, daemon=True).start()
        many += 1
except RuntimeError:
    pass
result = [sorted(found), many]
gate.set()"""
    found, many = run(sandbox, code)
    assert found == list(range(8))
    assert 4 <= many < (100 if os.getuid() == 0 else 2000)


def test_the_declared_modules_are_there_and_no_others(sandbox):
    files = {"coursekit/detections.py": "from coursekit.data.records import x\n", "coursekit/data/records.py": "x = 7\n"}
    with sandbox.start((), files) as worker:
        assert ask(worker, "import coursekit.detections as d; result = d.x") == 7
        assert "ModuleNotFoundError" in ask(worker, "import coursekit.boxes")
        assert "ModuleNotFoundError" in ask(worker, "import torchvision")
        assert "ModuleNotFoundError" in ask(worker, "import pip")
    assert "ModuleNotFoundError" in run(sandbox, "import coursekit")
    with pytest.raises(boxed.SandboxError, match="must lie in the kit"):
        sandbox.start((), {"../outside.py": ""})
    with pytest.raises(ValueError, match="'no_such_package'"):
        sandbox.start(("no_such_package",))
    assert run(sandbox, "result = 1") == 1


def test_undeclared_packages_cannot_be_reached_by_path_either(sandbox):
    places = [sysconfig.get_path("purelib"), os.path.join(sysconfig.get_path("stdlib"), "site-packages"), str(HERE.parents[1])]
    answer = run(sandbox, f"import sys; sys.path += {places!r}; sys.path_importer_cache.clear()\nimport pytest")
    assert answer.startswith(("ModuleNotFoundError", "PermissionError")), answer
    answer = run(sandbox, f"import sys; sys.path += {places!r}; sys.path_importer_cache.clear()\nimport coursekit.boxes")
    assert answer.startswith(("ModuleNotFoundError", "PermissionError")), answer


def test_a_library_decides_as_it_does_outside(with_torch):
    code = """import numpy, torch
torch.manual_seed(0)
x = torch.randn(2, 3, 16, 16, requires_grad=True)
torch.nn.Conv2d(3, 4, 3)(x).square().sum().backward()
a = numpy.linalg.svd(numpy.arange(12.0).reshape(3, 4))[1]
result = [round(x.grad.abs().sum().item(), 2), torch.backends.cpu.get_cpu_capability(), torch.__version__, round(a[0], 8),
          torch.linalg.inv(2 * torch.eye(3)).sum().item(), torch.get_num_threads(), torch.cuda.is_available()]"""
    inside = run(with_torch, code, ("numpy", "torch"))
    names = {}
    exec(code, names)
    assert inside[:5] == names["result"][:5]
    assert inside[5:] == [1, False]
    assert "MemoryError" in (error := run(with_torch, "import torch; torch.ones(2**30)", ("numpy", "torch"))) or "memory" in error


def test_a_package_is_there_only_where_it_is_declared(with_torch):
    assert "ModuleNotFoundError" in run(with_torch, "import torchvision", ("numpy", "torch"))
    assert run(with_torch, "from torchvision.ops import nms; result = nms.__name__", ("numpy", "torch", "torchvision")) == "nms"
