"""A process that has imported what workers need, and forks a locked-down one whenever it is asked.

A program of its own, started with an empty environment and one socket; it knows no secret and imports no coursekit.

    <- {"tier", "stage", "shown", "hidden", "site", "folders", "readable", "listed", "preload", "worker", "limits"}
    -> {"ready": true} or {"error": ...}
    <- {"do": "start", "files": {...}} with a socket       -> {"pid": 7} or {"error": ...}
    <- {"do": "end", "pid": 7, "hung_up": false}           -> {"how": ..., "cpu_seconds": ..., "peak_bytes": ...}
    nothing more to read: everything ends
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator

NAMESPACES, LANDLOCK, RLIMITS = "namespaces", "landlock", "rlimits"
LONGEST = 64 * 2**20
EARLY = {"inside.worker": ("inside.watch",)}  # what reads files that workers do not see, and must be imported before they are out of sight


def send(control: socket.socket, message: dict, file: int | None = None) -> None:
    body = json.dumps(message).encode()
    header = len(body).to_bytes(4, "big")
    if file is None:
        control.sendall(header + body)
    else:
        socket.send_fds(control, [header], [file])
        control.sendall(body)


def receive(control: socket.socket) -> tuple[dict, int | None]:
    """One message and the file descriptor that came with it. Raises EOFError where the other end is gone."""
    header, files, _, _ = socket.recv_fds(control, 4, 1)
    length = int.from_bytes(header, "big")
    if len(header) < 4 or length > LONGEST:
        raise EOFError
    body = bytearray()
    while len(body) < length:
        part = control.recv(min(length - len(body), 2**20))
        if not part:
            raise EOFError
        body += part
    return json.loads(body), files[0] if files else None


def words_of(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]


class Zygote:
    """Args: `control` to the parent; `settings` as sent by it (see above)."""

    def __init__(self, control: socket.socket, settings: dict):
        from inside import limits

        self.control, self.tier, self.stage = control, settings["tier"], settings["stage"]
        self.limits = limits.Limits(**settings["limits"])
        self.user = limits.own_user() if self.tier != RLIMITS else None
        self.running = limits.threads_of(os.geteuid()) if self.user is None else 0
        self.settings, self.children, self.count = settings, set(), 0
        # of the outside's /proc, kept open: there is none inside
        self.status = os.open("/proc/self/stat", os.O_RDONLY | os.O_CLOEXEC)
        self.processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def prepare(self) -> None:
        """Build the tree that workers will see, go into it, and import there what they need."""
        from inside import kit, landlock, limits, namespaces, seccomp  # noqa: F401  (loaded before the paths change)

        settings, site = self.settings, self.settings["site"]
        for name in EARLY.get(settings["worker"], ()):
            importlib.import_module(name)
        if self.tier == NAMESPACES:
            namespaces.build(self.stage, settings["shown"], settings["hidden"])
        elif self.tier == LANDLOCK:
            self.rules = list(self._rules())  # made once: there are some hundred
        work = "/work" if self.tier == NAMESPACES else self.stage
        os.environ.update(HOME=work, TMPDIR=work)  # some packages look for a temporary folder when they are imported
        sys.path[:] = [site, *settings["folders"]]
        sys.modules["inside"].__path__[:] = [os.path.join(site, "inside")]
        sys.path_importer_cache.clear()
        importlib.invalidate_caches()
        for name in settings["preload"]:
            module = importlib.import_module(name)
            place = getattr(module, "__file__", None) or ""
            if not place.startswith(site + os.sep):
                raise ImportError(f"{name} came from {place!r}, not from the packages that the exercise declares")
        if "torch" in sys.modules:
            warm_torch()
        self.serve = importlib.import_module(settings["worker"]).serve
        gc.collect()
        gc.freeze()  # what is there now is never looked at again, and stays shared with the workers

    def _rules(self) -> Iterator[bytes]:
        """What every worker may open under Landlock, but for its kit."""
        from inside import landlock

        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))  # each rule holds a file open
        rights = dict.fromkeys(self.settings["readable"], landlock.READ_FILE | landlock.READ_DIR)
        rights |= dict.fromkeys(self.settings["listed"], landlock.READ_DIR)
        rights["/dev/null"] = landlock.READ_FILE | landlock.WRITE_FILE
        for path, allowed in rights.items():
            if (rule := landlock.rule(path, allowed)) is not None:
                yield rule

    def run(self) -> None:
        """Answer until the parent is gone, then end every worker."""
        with contextlib.suppress(EOFError, ConnectionError):
            self._answer()
        for pid, _ in self.children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _answer(self) -> None:
        while True:
            message, file = receive(self.control)
            try:
                answer = self.start(message["files"], file) if message["do"] == "start" else self.end(message["pid"], message["hung_up"])
            except Exception as error:
                answer = {"error": words_of(error)}
            finally:
                if file is not None:
                    os.close(file)
            send(self.control, answer)

    def start(self, files: dict[str, str], sock: int) -> dict:
        from inside import namespaces

        fields = os.pread(self.status, 2000, 0).rpartition(b")")[2].split()
        threads, address_space = int(fields[17]), int(fields[20])
        if threads != 1:
            raise RuntimeError(f"{threads} threads run here, and a fork would leave their locks behind")
        self.count += 1
        kit = "/kit" if self.tier == NAMESPACES else os.path.join(self.stage, "kits", str(self.count))
        reading, writing = os.pipe()
        if self.tier == NAMESPACES:
            namespaces.next_child_is_an_init(self.processes)
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(kit, files, sock, writing, address_space, zygote)
        os.close(writing)
        with open(reading, "rb") as pipe:
            problem = pipe.read().decode(errors="replace")
        if problem:
            os.waitpid(pid, 0)
            raise RuntimeError(f"the worker could not be locked down: {problem}")
        self.children.add((pid, kit))
        return {"pid": pid}

    def _become_worker(self, kit: str, files: dict[str, str], sock: int, writing: int, address_space: int, zygote: int) -> None:
        """In the child: lock down, say so by closing `writing`, serve. Never returns."""
        status = 1
        try:
            try:
                os.setsid()
                self._lock_down(kit, files, (sock, writing), address_space, zygote)
            except BaseException as error:
                os.write(writing, words_of(error).encode())
                os._exit(70)
            os.close(writing)
            low = os.dup(sock)  # the rules of the second tier hold hundreds of numbers: take one below the worker's limit
            os.close(sock)
            self.serve(socket.socket(fileno=low))
            status = 0
        finally:
            os._exit(status)

    def _lock_down(self, kit: str, files: dict[str, str], keep: tuple[int, ...], address_space: int, zygote: int) -> None:
        from inside import landlock, limits, namespaces, seccomp
        from inside.kit import write_kit

        ruleset, bounds = None, self.limits
        if self.tier == NAMESPACES:
            namespaces.private_folders(self.user, bounds.work_bytes, bounds.work_files)
        write_kit(kit, files)
        if self.tier == NAMESPACES:
            namespaces.seal_kit()
        elif self.tier == LANDLOCK:
            ruleset = landlock.new_ruleset()
            for rule in (*self.rules, landlock.rule(kit, landlock.READ_FILE | landlock.READ_DIR)):
                landlock.allow(ruleset, rule)
        work = "/work" if self.tier == NAMESPACES else kit  # Landlock has no quota, so its folder is not writable
        os.chdir(work)
        os.umask(0o077)
        os.environ.update(HOME=work, TMPDIR=work)
        sys.path.insert(0, kit)
        limits.close_all_but({*keep, *([] if ruleset is None else [ruleset])})
        limits.apply(bounds, address_space, self.running)
        if self.tier == RLIMITS:
            limits.prctl(limits.PR_SET_NO_NEW_PRIVS, 1)
        else:
            # the interpreter may lie where only root may enter; Landlock still says what may be opened
            limits.give_up_powers(self.user, keep=(limits.CAP_DAC_READ_SEARCH,) if self.user is not None and self.tier == LANDLOCK else ())
        limits.prctl(limits.PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of user, which clears it
        if self.tier != NAMESPACES and os.getppid() != zygote:
            raise RuntimeError("the zygote is gone")
        if ruleset is not None:
            landlock.restrict(ruleset)
        if self.tier != RLIMITS:
            seccomp.restrict(os.getpid())

    def end(self, pid: int, hung_up: bool) -> dict:
        """Kill a worker if it still lives, and say how it ended. Asked by its parent, so nobody else can have its number yet."""
        kit = dict(self.children)[pid]
        done, status, usage = os.wait4(pid, os.WNOHANG)
        for _ in range(40 if hung_up else 0):  # its socket is closed: it ends by itself, or pretends to
            if done:
                break
            time.sleep(0.005)
            done, status, usage = os.wait4(pid, os.WNOHANG)
        killed = done == 0
        if killed or self.tier == RLIMITS:
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if self.tier == RLIMITS else os.kill)(pid, signal.SIGKILL)
        if killed:
            _, status, usage = os.wait4(pid, 0)
        self.children.discard((pid, kit))
        if self.tier != NAMESPACES:
            shutil.rmtree(kit, ignore_errors=True)
        code = os.waitstatus_to_exitcode(status)
        how = "killed by us" if killed else f"exit {code}" if code >= 0 else signal.Signals(-code).name
        return {"how": how, "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_bytes": usage.ru_maxrss * 1024}


def warm_torch() -> None:
    """What torch decides at its first sums (vector instructions, oneDNN's kernels) is decided here, once, and on one thread."""
    import torch

    torch.set_num_threads(1)
    with torch.no_grad():
        torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8) @ torch.ones(8, 8), torch.ones(4, 3, 3, 3))


def watch(control: socket.socket, child: int) -> None:
    """Return when the zygote has ended: by itself, or by us because nobody listens to it any more, whatever it is busy with."""
    ended = os.pidfd_open(child)
    waiting = select.poll()
    waiting.register(ended, select.POLLIN)
    waiting.register(control, select.POLLRDHUP)
    if ended not in dict(waiting.poll()):
        waiting.unregister(control)
        if not waiting.poll(500):  # it sees the end too, and may be sweeping up
            os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.dirname(here))  # for `inside`; prepare() sets the paths that stay
    from inside import limits, namespaces

    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        settings, _ = receive(control)
    except EOFError:
        return
    child = 0
    try:
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("800")  # where memory runs out, workers go first
        child = namespaces.enter() if settings["tier"] == NAMESPACES else os.fork()
        if child == 0:
            limits.prctl(limits.PR_SET_PDEATHSIG, signal.SIGKILL)
            zygote = Zygote(control, settings)
            zygote.prepare()
            send(control, {"ready": True})
    except BaseException as error:
        with contextlib.suppress(OSError):
            send(control, {"error": words_of(error)})
        os._exit(1)
    if child:
        watch(control, child)
        shutil.rmtree(settings["stage"], ignore_errors=True)
    else:
        zygote.run()
    os._exit(0)


if __name__ == "__main__":
    main()
