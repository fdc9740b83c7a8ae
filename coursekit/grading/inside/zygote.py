"""A process that has imported what workers need, and forks a locked-down one whenever it is asked.

A program of its own, started with an empty environment and one socket; it knows no secret and imports no coursekit.

    <- {"tier", "stage", "shown", "hidden", "site", "folders", "readable", "listed", "preload", "worker", "limits"}
    -> {"ready": true} or {"error": ...}
    <- {"do": "start", "files": {...}} with a socket       -> {"pid": 7} or {"error": ...}
    <- {"do": "end", "pid": 7}                             -> {"how": ..., "cpu_seconds": ..., "peak_bytes": ...}
    nothing more to read: everything ends
"""

import contextlib
import gc
import importlib
import json
import os
import shutil
import signal
import socket
import sys

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
        from inside import landlock, limits, namespaces, seccomp  # noqa: F401  (loaded before the paths change)

        settings, site = self.settings, self.settings["site"]
        for name in EARLY.get(settings["worker"], ()):
            importlib.import_module(name)
        if self.tier == NAMESPACES:
            namespaces.build(self.stage, settings["shown"], settings["hidden"])
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

    def run(self) -> None:
        """Answer until the parent is gone."""
        while True:
            try:
                message, file = receive(self.control)
            except (EOFError, ConnectionError):
                return
            try:
                answer = self.start(message["files"], file) if message["do"] == "start" else self.end(message["pid"])
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
            self.serve(socket.socket(fileno=sock))
            status = 0
        finally:
            os._exit(status)

    def _lock_down(self, kit: str, files: dict[str, str], keep: tuple[int, ...], address_space: int, zygote: int) -> None:
        from inside import landlock, limits, namespaces, seccomp

        ruleset, bounds = None, self.limits
        if self.tier == NAMESPACES:
            namespaces.private_folders(self.user, bounds.work_bytes, bounds.work_files)
        write_kit(kit, files)
        if self.tier == NAMESPACES:
            namespaces.seal_kit()
        elif self.tier == LANDLOCK:
            ruleset = landlock.new_ruleset()
            for path in (*self.settings["readable"], kit):
                landlock.allow(ruleset, path, landlock.READ_FILE | landlock.READ_DIR)
            for path in self.settings["listed"]:
                landlock.allow(ruleset, path, landlock.READ_DIR)
            landlock.allow(ruleset, "/dev/null", landlock.READ_FILE | landlock.WRITE_FILE)
        work = "/work" if self.tier == NAMESPACES else kit  # Landlock has no quota, so its folder is not writable
        os.chdir(work)
        os.umask(0o077)
        os.environ.update(HOME=work, TMPDIR=work)
        sys.path.insert(0, kit)
        close_all_but({*keep, *([] if ruleset is None else [ruleset])})
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

    def end(self, pid: int) -> dict:
        """Kill a worker if it still lives, and say how it ended. Asked by its parent, so nobody else can have its number yet."""
        kit = dict(self.children)[pid]
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
        seconds, code = usage.ru_utime + usage.ru_stime, os.waitstatus_to_exitcode(status)
        how = f"exit {code}" if code >= 0 else signal.Signals(-code).name
        if killed and how == "SIGKILL" and seconds < self.limits.cpu_seconds - 0.1:  # or else the kernel was first
            how = "killed by us"
        return {"how": how, "cpu_seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024}


def write_kit(folder: str, files: dict[str, str]) -> None:
    """Write the modules of one exercise, with an empty ``__init__.py`` in each package that brings none."""
    os.umask(0o022)
    os.makedirs(folder, 0o755, exist_ok=True)
    for name, text in files.items():
        parts = name.split("/")
        if name.startswith("/") or not all(parts) or ".." in parts:
            raise ValueError(f"a file of the kit must lie in the kit, got {name!r}")
        path = folder
        for part in parts[:-1]:
            path = os.path.join(path, part)
            os.makedirs(path, 0o755, exist_ok=True)
            with open(os.path.join(path, "__init__.py"), "a"):
                pass
        with open(os.path.join(path, parts[-1]), "w", encoding="utf-8") as file:
            file.write(text)


def close_all_but(keep: set[int]) -> None:
    """Close every file descriptor from 3 on but these."""
    first = 3
    for number in [*sorted(keep), 2**20]:
        os.closerange(first, number)
        first = number + 1


def warm_torch() -> None:
    """What torch decides at its first sums (vector instructions, oneDNN's kernels) is decided here, once, and on one thread."""
    import torch

    torch.set_num_threads(1)
    with torch.no_grad():
        torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8) @ torch.ones(8, 8), torch.ones(4, 3, 3, 3))


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.dirname(here))  # for `inside`; prepare() sets the paths that stay
    from inside import limits, namespaces, watch  # noqa: F401  (watch reads files that lie outside of the workers' world)

    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        settings, _ = receive(control)
    except EOFError:
        return
    child = 0
    try:
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("800")  # where memory runs out, workers go first
        if settings["tier"] == NAMESPACES:
            child = namespaces.enter()
            if child == 0:
                limits.prctl(limits.PR_SET_PDEATHSIG, signal.SIGKILL)
        if child == 0:
            zygote = Zygote(control, settings)
            zygote.prepare()
    except BaseException as error:
        send(control, {"error": words_of(error)})
        os._exit(1)
    if child:
        control.close()
        os.waitpid(child, 0)
    else:
        send(control, {"ready": True})
        zygote.run()
        for pid, _ in zygote.children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    if child or settings["tier"] != NAMESPACES:
        shutil.rmtree(settings["stage"], ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
