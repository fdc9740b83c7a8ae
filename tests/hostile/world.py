"""The world of a hostile class: a small assignment, three honest students, all attackers, and things outside that nobody may touch."""

import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hostile_attacks_in_cells import Attack
from hostile_files import Place

CHECKOUT = Path(__file__).parents[2]
CHOSEN = {
    "13_boxes": ("13.box_convert", "13.box_iou"),
    "20_map": ("20.match_detections", "20.ap_at_points"),
    "22_segmentation": ("22.dice_loss",),
}
COMPANION = {
    "13.box_iou": "13.box_convert", "13.box_convert": "13.box_iou",
    "20.match_detections": "20.ap_at_points", "20.ap_at_points": "20.match_detections",
}  # fmt: skip
HONEST = ("mina", "noor", "zoe")  # everything right, half of it, nothing
ODD_NAMES = (
    "=HYPERLINK(1)", "+1+1", "-rf", "@SUM(A1)", "<img src=x onerror=alert(1)>", "&lt;b&gt;'\"", "a,b;c\td", "line\nbreak",
    "%2e%2e%2fx", "..x", "~root",
    "\u202egnp.exe", "Zo\u00eb", "Zoe\u0308", "mina ", "MINA", "mina.", "m\u0456na", "x" * 200, "con", "NUL.txt",
    b"\xff\xfe\x80".decode("utf-8", "surrogateescape"),
)  # fmt: skip


@dataclass
class World:
    """Args: `home` holds submissions/, hw/release, hw/grader, out/ and canary/; `words` fill in attacks; `heard`: what listeners heard."""

    home: Path
    words: dict[str, str]
    heard: list[str] = field(default_factory=list)

    @property
    def submissions(self) -> Path:
        return self.home / "submissions"

    def out(self, name: str) -> Path:
        return self.home / name


def small_sources(folder: Path) -> None:
    """The course's own sources, cut down to what the attacks need."""
    folder.mkdir()
    for stem, names in CHOSEN.items():
        cells = re.split(r"(?m)^(?=# %%)", (CHECKOUT / "solutions" / f"{stem}.py").read_text(encoding="utf-8"))
        code = [cell for cell in cells if cell.startswith("# %%") and "[markdown]" not in cell.split("\n")[0]]
        kept = [code[0], next(cell for cell in code[1:] if "\nimport " in cell)]
        kept += [cell for cell in code if any(f'exercise="{name}"' in cell.split("\n")[0] for name in names)]
        assert len(kept) == 2 + len(names), f"{stem} has changed"
        (folder / f"{stem}.py").write_text("".join(kept), encoding="utf-8")


def make_world(out: str = "out") -> World:
    """An assignment, and a canary folder that everybody may write to. Readable by all: file modes are not what holds."""
    from coursekit.grading.assignment import make, read_bundle

    home = Path(tempfile.mkdtemp(prefix="coursekit-hostile-"))
    home.chmod(0o755)
    small_sources(home / "sources")
    make([name[:2] for name in CHOSEN], home / "hw", name="hw", sources=home / "sources")
    for name in ("submissions", "canary"):
        (home / name).mkdir()
    (home / "canary").chmod(0o777)
    secret = secrets.token_hex(8)
    (home / "canary" / "secret.txt").write_text(secret[::-1])
    (home / "canary" / "target.txt").write_text("as it was")
    (home / "canary" / "target.txt").chmod(0o666)
    token = "hostile" + secrets.token_hex(6)
    hint = b"Boxes that do not touch"
    flip = lambda text: bytes(b ^ 255 for b in text).hex()  # noqa: E731
    words = {
        "CANARY": str(home / "canary"), "SECRET": secret, "TOKEN": token, "BUNDLE": str(home / "hw" / "grader"), "OUT": str(home / out),
        "SUBMISSIONS": str(home / "submissions"), "CHECKOUT": str(CHECKOUT), "UNIX": str(home / "canary" / "service"), "ABSTRACT": token,
        "SITE": str(Path(__import__("torch").__file__).parents[1]), "DECOY": f"decoy-{token}", "HINT_FLIPPED": flip(hint),
        "SECRET_FLIPPED": flip(read_bundle(home / "hw" / "grader").secret), "PORT": "0", "UDP": "0",
    }  # fmt: skip
    return World(home, words)


# --- submissions


def notebook_with(world: World, stem: str, answers: dict[str, str]) -> dict:
    """The released notebook with these answers; exercises that are not named are deleted, checks and all."""
    notebook = json.loads((world.home / "hw" / "release" / f"{stem}.ipynb").read_text(encoding="utf-8"))
    cells = []
    for cell in notebook["cells"]:
        exercise = cell["metadata"].get("coursekit", {}).get("exercise")
        if exercise is not None and exercise not in answers:
            continue
        if exercise is not None and not cell["metadata"].get("nbgrader", {}).get("grade"):
            cell["source"] = answers[exercise]
        cells.append(cell)
    notebook["cells"] = cells
    return notebook


def hand_in(world: World, student: str, stem: str, answers: dict[str, str], folder: Path | None = None) -> Path:
    path = (folder or world.submissions) / student / f"{stem}.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notebook_with(world, stem, answers)), encoding="utf-8")
    return path


def right_answers(world: World) -> dict[str, str]:
    from coursekit.grading.assignment import read_bundle

    return {task.name: task.solution for task in read_bundle(world.home / "hw" / "grader").tasks}


def hand_in_honest(world: World, folder: Path) -> None:
    right = right_answers(world)
    for stem, names in CHOSEN.items():
        hand_in(world, "mina", stem, {name: right[name] for name in names}, folder)
        released = world.home / "hw" / "release" / f"{stem}.ipynb"
        (folder / "zoe").mkdir(exist_ok=True)
        (folder / "zoe" / released.name).write_bytes(released.read_bytes())
    half = {"13.box_convert": right["13.box_convert"], "13.box_iou": "def box_iou(a, b):\n    return a @ b.T\n"}
    hand_in(world, "noor", "13_boxes", half, folder)
    hand_in(world, "noor", "20_map", {"20.ap_at_points": right["20.ap_at_points"]}, folder)


def hand_in_hostile(world: World, attacks: Iterable[Attack], files: Mapping[str, tuple]) -> None:
    """Every attacker's submission."""
    right = right_answers(world)
    for attack in attacks:
        answers = {attack.exercise: attack.cell(world.words)}
        if attack.exercise in COMPANION:
            answers[COMPANION[attack.exercise]] = right[COMPANION[attack.exercise]]
        hand_in(world, attack.student, next(s for s, names in CHOSEN.items() if attack.exercise in names), answers)
    wrong = "def box_iou(boxes1, boxes2):\n    return boxes1 @ boxes2.T\n"
    plain = notebook_with(world, "13_boxes", {"13.box_convert": right["13.box_convert"], "13.box_iou": wrong})
    for name, (function, _) in files.items():
        function(Place(world.submissions / f"files-{name}", plain, world.submissions / "mina", world.words))
    for name in ODD_NAMES:
        hand_in(world, name, "13_boxes", {"13.box_iou": wrong})


# --- what watches


@contextlib.contextmanager
def listening(world: World) -> Iterator[None]:
    """Services that an attack may find, and a process whose command line it may find."""
    unix, token = world.words["UNIX"], world.words["ABSTRACT"]
    places = [
        (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0), "PORT"), (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0), "UDP"),
        (socket.AF_UNIX, socket.SOCK_STREAM, unix, "UNIX"), (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{token}", "ABSTRACT"),
        (socket.AF_UNIX, socket.SOCK_DGRAM, f"\0{token}-datagram", "DATAGRAM"),
    ]  # fmt: skip
    servers = []
    for family, kind, address, word in places:
        server = socket.socket(family, kind)
        server.bind(address)
        if family == socket.AF_INET:
            world.words[word] = str(server.getsockname()[1])
        if kind == socket.SOCK_STREAM:
            server.listen()
        servers.append(server)
        threading.Thread(target=_listen, args=(server, kind, word, world.heard), daemon=True).start()
    Path(unix).chmod(0o777)
    decoy = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(900)", world.words["DECOY"]])
    try:
        yield
        if decoy.poll() is not None:
            world.heard.append("the decoy was killed")
    finally:
        decoy.kill()
        decoy.wait()
        for server in servers:
            server.close()


def _listen(server: socket.socket, kind: int, word: str, heard: list[str]) -> None:
    while True:
        try:
            if kind == socket.SOCK_STREAM:
                server.accept()[0].close()
            else:
                server.recv(100)
        except OSError:
            return
        heard.append(word)


def listing(world: World) -> dict[str, tuple]:
    """Everything outside that must stay as it is: submissions, bundle, release, canaries."""
    found = {}
    for name in ("submissions", "hw", "canary", "sources"):
        for folder, folders, files in os.walk(world.home / name):
            for entry in (*folders, *files):
                path = os.path.join(folder, entry)
                state = os.lstat(path)
                found[os.path.relpath(path, world.home)] = (state.st_mode, state.st_size, state.st_mtime_ns, state.st_ino, state.st_uid)
    return found


def traces(world: World) -> list[str]:
    """What attacks left behind elsewhere: files named by the token, objects of the kernel."""
    token, found = world.words["TOKEN"], []
    site = world.words["SITE"]
    places = [
        "/",
        "/tmp",
        "/var/tmp",
        "/dev/shm",
        "/run",
        "/root",
        "/home",
        "/etc",
        "/dev/mqueue",
        os.getcwd(),
        os.path.dirname(os.__file__),
    ]
    for folder in (*places, site, f"{site}/torch"):
        with contextlib.suppress(OSError):
            found += [os.path.join(folder, name) for name in os.listdir(folder) if token in name]
    for name in ("shm", "sem", "msg"):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/sysvipc/{name}").read_text()
            found += [f"sysv {name}" for line in text.splitlines()[1:] if line.split()[0] == str(0x0C0FFEE)]
    with contextlib.suppress(OSError):
        found += [line for line in Path("/proc/net/unix").read_text().splitlines() if f"talk-{token}" in line]
    return found
