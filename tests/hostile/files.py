"""Hostile files: each function lays one student's submission into `place.folder` (which it makes) or beside it, and says in its first line
what it tries. What stands in the released notebook is given; everything written lies in the folder of submissions that the test made."""

import copy
import inspect
import io
import json
import os
import random
import socket
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Place:
    """Where a submission is laid.

    Args:
        folder: of the student; not there yet.
        released: the notebook as it was handed out, with a wrong answer to 13.box_iou in it.
        neighbour: the folder of a student who got everything right.
        world: paths by name, such as ``CANARY`` and ``BUNDLE``.
    """

    folder: Path
    released: dict
    neighbour: Path
    world: dict[str, str]

    def write(self, content: bytes | str | dict, name: str = "13_boxes.ipynb") -> Path:
        self.folder.mkdir(exist_ok=True)
        if isinstance(content, dict):
            content = json.dumps(content)
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def notebook(self) -> dict:
        return copy.deepcopy(self.released)

    def answer(self, notebook: dict) -> dict:
        """The cell of 13.box_iou."""
        return next(c for c in notebook["cells"] if c["metadata"].get("coursekit", {}).get("exercise") == "13.box_iou" and c["source"])

    def packed(self, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return held.getvalue()

    def right(self) -> bytes:
        return (self.neighbour / "13_boxes.ipynb").read_bytes()


# --- what metadata and ids say


def points_in_the_metadata(place: Place) -> None:
    """Gives itself 100 points in every field that a grader might read. nbgrader restores them; others read them."""
    notebook = place.notebook()
    for cell in notebook["cells"]:
        marks = {"points": 100, "grade": True, "score": 100, "max_score": 100, "auto_score": 100, "manual_score": 100, "passed": True}
        cell["metadata"].update(nbgrader={**cell["metadata"].get("nbgrader", {}), **marks}, coursekit={"exercise": "13.box_iou", **marks})
    notebook["metadata"].update(grade=marks, points=100, coursekit={"points": 100, "status": "passed"})
    place.write(notebook)


def outputs_that_say_passed(place: Place) -> None:
    """Outputs of a notebook that was never run: all cases agree, 3 of 3."""
    notebook = place.notebook()
    for cell in (c for c in notebook["cells"] if c["cell_type"] == "code"):
        data = {"text/plain": "1.0", "text/html": f"<b>passed</b> 3 / 3<script>alert('{place.world['TOKEN']}')</script>"}
        cell["execution_count"] = 1
        cell["outputs"] = [{"output_type": "execute_result", "execution_count": 1, "metadata": {"passed": True}, "data": data}]
    place.write(notebook)


def graded_as_a_solution(place: Place) -> None:
    """Turns grade and solution flags round: nbgrader then grades the student's own cell, or none."""
    notebook = place.notebook()
    for cell in notebook["cells"]:
        if "nbgrader" in cell["metadata"]:
            flags = cell["metadata"]["nbgrader"]
            flags.update(grade=not flags["grade"], solution=not flags["solution"], locked=False, task=True, schema_version=99)
    place.write(notebook)


def another_students_name(place: Place) -> None:
    """Says in every field that it is somebody else's: the one who got it right, or the teacher."""
    notebook = place.notebook()
    for name in ("student", "name", "user", "author", "owner", "submission"):
        notebook["metadata"][name] = "mina"
        notebook[name] = "mina"
    notebook["metadata"]["authors"] = [{"name": "mina"}]
    place.write(notebook)


def another_exercises_id(place: Place) -> None:
    """Calls the right answer to 13.box_convert the answer to 13.box_iou, by id and metadata."""
    notebook = place.notebook()
    for cell in notebook["cells"]:
        if cell["metadata"].get("coursekit", {}).get("exercise") == "13.box_convert":
            cell["metadata"]["coursekit"]["exercise"] = "13.box_iou"
            cell["id"] = "13-box_iou"
            cell["metadata"]["nbgrader"]["grade_id"] = "13-box_iou"
    place.write(notebook)


def ids_twice(place: Place) -> None:
    """Every cell twice, with one id: on nbgrader the run of the whole class ends there (#1083)."""
    notebook = place.notebook()
    notebook["cells"] = [cell for cell in notebook["cells"] for _ in range(2)]
    place.write(notebook)


def odd_ids(place: Place) -> None:
    """Ids that are long, empty, markup, half characters, right-to-left, other look-alike letters, or no text at all."""
    notebook = place.notebook()
    names = [
        "",
        "x" * 100_000,
        "<script>",
        "\ud800",
        "\u202e13-box_iou",
        "13-bоx_iou",
        "../../x",
        None,
        7,
        ["a"],
        {"a": 1},
        "13-box_iou\x00",
    ]
    for cell, name in zip(notebook["cells"], names * 50, strict=False):
        cell["id"] = name
    place.write(notebook)


def checks_edited(place: Place) -> None:
    """Unlocks the locked check and writes another test into it; takes all checks out; marks everything as handed out."""
    notebook = place.notebook()
    for cell in notebook["cells"]:
        if "".join(cell["source"]).startswith("check("):
            cell["source"] = "print('passed')\nassert True"
            cell["metadata"]["nbgrader"]["checksum"] = "0" * 32
    place.write(notebook)


def check_twice(place: Place) -> None:
    """Hands the wrong answer to check once and ours for the rest: an own `check` that lends what does not pass."""
    notebook = place.notebook()
    cell = place.answer(notebook)
    cell["source"] = 'from coursekit.notebook import check\nbox_iou = check("13.box_iou", lambda a, b: a)\nsolution("13.box_iou")'
    place.write(notebook)


# --- notebooks that are none


def no_notebook_at_all(place: Place) -> None:
    """A picture, an archive, an empty file and a text, called notebooks."""
    for name, content in {"13_boxes.ipynb": b"\x89PNG\r\n\x1a\n" + bytes(100), "20_map.ipynb": b"", "a.ipynb": b"\xff\xfe\x00"}.items():
        place.write(content, name)


def json_of_another_kind(place: Place) -> None:
    """JSON that is no notebook: a number, null, lists, cells that are a dict, sources that are numbers."""
    odd = [
        "7",
        "null",
        "[]",
        '"x"',
        '{"cells": {}}',
        '{"cells": [1, null, [], {"cell_type": 3}]}',
        '{"cells": [{"cell_type": "code", "source": 7}]}',
    ]
    for number, text in enumerate(odd):
        place.write(text, f"13_boxes-{number}.ipynb")


def numbers_that_overflow(place: Place) -> None:
    """Integers of 10,000 digits, 1e999, NaN, and the same key a hundred times."""
    text = json.dumps(place.notebook())
    more = f'"nbformat": {"9" * 10_000}, "a": 1e999, "b": NaN, "c": -Infinity, ' + '"cells": [], ' * 100
    place.write("{" + more + text[1:])


def deep_json(place: Place) -> None:
    """Nested a million deep."""
    place.write('{"cells": ' + "[" * 1_000_000)


def deep_json_in_the_metadata(place: Place) -> None:
    """A right-looking notebook whose metadata is nested as deep as the reader just allows."""
    text = json.dumps(place.notebook())
    place.write('{"x": ' + "[" * 900 + "]" * 900 + "," + text[1:])


def hundred_megabytes(place: Place) -> None:
    """A notebook of 100 MB, and a file of 40 GB that has no blocks on the disk."""
    place.write(b"")
    with open(place.folder / "13_boxes.ipynb", "wb") as file:
        file.write(b'{"cells": [], "x": "')
        file.truncate(100 << 20)
    with open(place.folder / "20_map.ipynb", "wb") as file:
        file.truncate(40 << 30)


def millions_of_parts(place: Place) -> None:
    """40 MB of the smallest things that JSON can say: in memory each is twenty times as large."""
    place.write(b'{"cells": [' + b"{}," * 13_000_000 + b"{}]}")


def parts_just_allowed(place: Place) -> None:
    """As many small things as a reader that counts them may still take."""
    place.write(b'{"cells": [' + b'{"a":1},' * 1_400_000 + b"{}]}")


def wide_characters(place: Place) -> None:
    """45 MB of ASCII and one emoji: as a str each character takes four bytes."""
    notebook = place.notebook()
    notebook["cells"].append({"cell_type": "markdown", "metadata": {}, "source": "\U0001f600"})
    place.write(json.dumps(notebook, ensure_ascii=False).replace("\U0001f600", "\U0001f600" + "x" * (45 << 20)))


def half_characters(place: Place) -> None:
    """Lone surrogates, NUL, escapes of terminals and overlong UTF-8, in code, prose and metadata."""
    notebook = place.notebook()
    bad = "\ud800 \x00 \x1b[2J \u202e \ufeff \u2028"
    place.answer(notebook)["source"] += f"\n# {bad}\nprint('{bad}')"
    notebook["cells"].insert(0, {"cell_type": "markdown", "metadata": {bad: bad}, "source": [bad, bad]})
    place.write(json.dumps(notebook).encode().replace(b"\\u2028", b"\xc0\xaf\xff"))


def other_encodings(place: Place) -> None:
    """UTF-16, UTF-32 and UTF-7, with and without marks."""
    text = json.dumps(place.notebook())
    for name in ("utf-16", "utf-32", "utf-7", "utf-16-be", "cp500"):
        place.write(text.encode(name), f"13_boxes-{name}.ipynb")


# --- source that harms who reads it


def nested_source(place: Place) -> None:
    """Code that parsers go down into: brackets, signs, lambdas, ifs, attributes, sums, strings, comprehensions, thousands deep."""
    notebook = place.notebook()
    deep = [
        "(" * 3000 + ")" * 3000, "-" * 100_000 + "1", "+".join(["1"] * 60_000), "x" + ".a" * 60_000, "x" + "(0)" * 60_000,
        "lambda: " * 5000 + "0", "not " * 60_000 + "x", "1 if x else " * 20_000 + "0", "[" * 199 + "]" * 199, "x = " * 30_000 + "1",
        "if x:\n pass\n" + "elif x:\n pass\n" * 5000, "".join(" " * n + "if x:\n" for n in range(99)) + " " * 99 + "pass",
        "f'{" * 100 + "1" + "}'" * 100,
        "try:\n pass\n" + "except E:\n pass\n" * 5000, "@a\n" * 20_000 + "def f(): pass", "x[" * 190 + "]" * 190, 
        "await " * 3000 + "x", "**".join(["2"] * 5000),
    ]  # fmt: skip
    for text in deep:
        notebook["cells"].insert(2, {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": text})
    place.write(notebook)


def deep_answer(place: Place) -> None:
    """The same inside the answer's own cell, so that no cell can be left out."""
    notebook = place.notebook()
    place.answer(notebook)["source"] += "\nx = " + "-" * 100_000 + "1\n"
    place.write(notebook)


def three_megabytes_of_code(place: Place) -> None:
    """As much code as is read, and more than goes through the pipe to the process that runs it."""
    notebook = place.notebook()
    for _ in range(7):
        text = "# " + "x" * 480_000 + "\n"
        notebook["cells"].append({"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": text})
    place.write(notebook)


def code_that_grows_when_written_down(place: Place) -> None:
    """Control characters and letters that take six bytes each as JSON."""
    notebook = place.notebook()
    place.answer(notebook)["source"] += "\n# " + "\x01" * 240_000 + "가" * 240_000
    place.write(notebook)


def constants_that_grow(place: Place) -> None:
    """Constants that a compiler works out beforehand, if nobody stops it."""
    notebook = place.notebook()
    place.answer(notebook)["source"] += (
        "\nx = 2 ** 127 ** 4\ny = 'a' * 4000 * 4000 * 4000\nz = (1, 2) * 250 * 250 * 250\nw = 1 << 10 ** 9\n"
    )
    place.write(notebook)


def magics_of_the_shell(place: Place) -> None:
    """Commands for the shell, in the four ways in which IPython has them."""
    notebook = place.notebook()
    touch = f"touch {place.world['CANARY']}/magic"
    place.answer(notebook)["source"] += f"\n!{touch}1\n%sx {touch}2\nlines = !{touch}3\nget_ipython().system('{touch}4')\n"
    notebook["cells"].append({"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": f"%%bash\n{touch}5"})
    place.write(notebook)


def magics_without_end(place: Place) -> None:
    """Ten thousand magics: a translator that begins again after each takes hours."""
    notebook = place.notebook()
    lines = "\n".join(["%time x = 1", "!ls {x}", "x = !ls", "?x", "x?", "%%bash"] * 2000)
    place.answer(notebook)["source"] += "\n" + lines
    place.write(notebook)


def expressions_that_backtrack(place: Place) -> None:
    """Text made for regular expressions that look twice: long runs of blanks, names, quotes and brackets, and no end."""
    notebook = place.notebook()
    runs = [  # together under what is read of one notebook
        " " * 60_000,
        "a" * 60_000,
        "a " * 30_000,
        "\t\n" * 30_000,
        "'" * 59_999,
        "a,b " * 15_000 + "=",
        "check(" * 10_000,
        "from " * 12_000,
        "?" * 60_000,
    ]
    for run in runs:
        for head in ("box_iou:", "import ", "%", "x = ", ""):
            cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": head + run + "\n\\"}
            notebook["cells"].append(cell)
    place.write(notebook)


def many_cells(place: Place) -> None:
    """Four thousand small cells that each define the answer, differently."""
    notebook = place.notebook()
    cell = place.answer(notebook)
    for number in range(4000):
        again = copy.deepcopy(cell)
        again["source"] = f"def box_iou(boxes1, boxes2):\n    return boxes1 * {number}\n"
        notebook["cells"].append(again)
    place.write(notebook)


def alike_but_long(place: Place) -> None:
    """A function of 400,000 characters in which every two lines are alike, for whoever compares texts."""
    notebook = place.notebook()
    lines = "\n".join(f"    x{n % 7} = x{n % 5} + {n % 3}" for n in range(20_000))
    place.answer(notebook)["source"] += f"\ndef never_called():\n{lines}\n"
    place.write(notebook)


# --- files that are none


def link_to_the_neighbour(place: Place) -> None:
    """A symbolic link to the notebook of the one who got it right: full marks on nbgrader."""
    place.folder.mkdir()
    (place.folder / "13_boxes.ipynb").symlink_to(place.neighbour / "13_boxes.ipynb")


def folder_linked_to_the_neighbour(place: Place) -> None:
    """The whole folder is a link."""
    place.folder.symlink_to(place.neighbour, target_is_directory=True)


def folder_inside_linked(place: Place) -> None:
    """A folder in the folder is a link, upwards: a walk without end."""
    place.folder.mkdir()
    (place.folder / "up").symlink_to("..", target_is_directory=True)
    (place.folder / "work").symlink_to(place.neighbour, target_is_directory=True)


def link_to_the_bundle(place: Place) -> None:
    """Links to the answers, to the secret, to the list of users, and to nothing."""
    place.folder.mkdir()
    targets = {"13_boxes.ipynb": place.world["BUNDLE"] + "/assignment.json", "20_map.ipynb": "/etc/passwd", "a.ipynb": "/proc/self/environ"}
    for name, target in {**targets, "b.ipynb": "b.ipynb", "c.ipynb": "/dev/zero", "d.zip": place.world["BUNDLE"]}.items():
        (place.folder / name).symlink_to(target)


def hard_link_to_the_bundle(place: Place) -> None:
    """A second name for a file of the teacher's: no link that could be seen."""
    place.folder.mkdir()
    (place.folder / "13_boxes.ipynb").hardlink_to(place.world["BUNDLE"] + "/assignment.json")


def pipe(place: Place) -> None:
    """A pipe that nobody ever writes to: opening it waits for ever."""
    place.folder.mkdir()
    os.mkfifo(place.folder / "13_boxes.ipynb")


def device(place: Place) -> None:
    """A device that never ends, where the test may make one; a socket."""
    place.folder.mkdir()
    if os.geteuid() == 0:
        os.mknod(place.folder / "13_boxes.ipynb", 0o20666, os.makedev(1, 5))
    here = os.open(place.folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:  # by a short way: such a name has at most 107 bytes
        server.bind(f"/proc/self/fd/{here}/20_map.ipynb")
    os.close(here)


def folder_called_notebook(place: Place) -> None:
    """A folder with the notebook's name, a thousand deep, and 5,000 files."""
    place.folder.mkdir()
    here = place.folder / "13_boxes.ipynb"
    here.mkdir()
    for _ in range(150):
        here = here / "13_boxes.ipynb"
        here.mkdir()
    for number in range(5000):
        (place.folder / f"{number}.ipynb").write_bytes(b"{}")


# --- zips


def zip_bomb(place: Place) -> None:
    """256 MB in 256 KB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(1 << 24)
    held = [packer.compress(block) for _ in range(16)] + [packer.flush()]
    place.write(_one_member(b"13_boxes.ipynb", b"".join(held), 16 << 24), "work.zip")


def zip_that_lies_about_its_size(place: Place) -> None:
    """256 MB that say that they are 1,000 bytes, in both headers."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    held = b"".join([packer.compress(bytes(1 << 24)) for _ in range(16)] + [packer.flush()])
    place.write(_one_member(b"13_boxes.ipynb", held, 1000), "work.zip")


def _one_member(name: bytes, held: bytes, size: int, crc: int = 0) -> bytes:
    """A zip of one deflated member whose size is whatever is said."""
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(held), min(size, 2**32 - 1), len(name), 0)
    local = b"PK\x03\x04" + fields + name
    central = b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(held), 0)
    return local + held + central + end


def zip_of_overlapping_members(place: Place) -> None:
    """Thousands of names for the same packed bytes: each alone is small."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    held = packer.compress(b'{"cells": [' + b" " * (20 << 20)) + packer.flush()
    name = b"13_boxes.ipynb"
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(held), 3 << 20, len(name), 0)
    local = b"PK\x03\x04" + fields + name + held
    central = b"".join(
        b"PK\x01\x02"
        + struct.pack("<H", 20)
        + fields[:-4]
        + struct.pack("<HH", 20, 0)
        + struct.pack("<HHHII", 0, 0, 0, 0, 0)
        + b"%06d_boxes.ipynb.." % n
        for n in range(3000)
    )
    place.write(local + central + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 3000, 3000, len(central), len(local), 0), "work.zip")


def zip_of_many(place: Place) -> None:
    """20,000 members."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}.ipynb", b"")
    place.write(held.getvalue(), "work.zip")


def zip_in_zip(place: Place) -> None:
    """A zip in a zip in a zip, and one that holds itself in spirit: 42.zip's way."""
    inner = place.packed({f"{n}.zip": place.packed({"13_boxes.ipynb": bytes(1 << 20)}) for n in range(16)})
    for _ in range(5):
        inner = place.packed({f"{n}.zip": inner for n in range(4)})
    place.write(inner, "work.zip")


def zip_that_climbs(place: Place) -> None:
    """Names that climb out of the folder, into the neighbour's, into the root, onto another drive."""
    names = [
        "../mina/13_boxes.ipynb",
        "../../canary/climbed",
        "/tmp/" + place.world["TOKEN"],
        "..\\mina\\x.ipynb",
        "C:\\x.ipynb",
        "a/../../../b.ipynb",
        "//x/y.ipynb",
    ]
    place.write(place.packed({name: json.dumps(place.notebook()).encode() for name in names}), "work.zip")


def zip_of_links(place: Place) -> None:
    """Members that are symbolic links: to the neighbour, and a folder that is one, with a file below it."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, target in (("13_boxes.ipynb", str(place.neighbour / "13_boxes.ipynb")), ("d", place.world["CANARY"])):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o120777 << 16
            archive.writestr(info, target)
        archive.writestr("d/climbed.ipynb", b"{}")
    place.write(held.getvalue(), "work.zip")


def zip_of_many_students(place: Place) -> None:
    """A zip that looks like a whole class, with better notebooks for some and worse ones for others."""
    members = {f"{name}/13_boxes.ipynb": json.dumps(place.notebook()).encode() for name in ("mina", "noor", "zoe")}
    place.write(place.packed(members), "mina.zip")


def zip_with_a_password_and_odd_methods(place: Place) -> None:
    """Members that need a password, are packed as no reader here unpacks them, or are cut off."""
    place.write(place.packed({"13_boxes.ipynb": bytes(30 << 20)}, zipfile.ZIP_LZMA), "a.zip")
    place.write(place.packed({"13_boxes.ipynb": bytes(30 << 20)}, zipfile.ZIP_BZIP2), "b.zip")
    place.write(place.packed({"13_boxes.ipynb": b"{}"}).replace(b"\x14\x00\x00\x00", b"\x14\x00\x01\x00"), "c.zip")
    place.write(place.packed({"13_boxes.ipynb": b"{}" * 1000})[:-30], "d.zip")
    place.write(b"PK\x05\x06" + b"\xff" * 18, "e.zip")


def noise(place: Place) -> None:
    """Zips and notebooks with random bytes changed: whatever a reader trips over."""
    dice = random.Random(13)
    whole, packed = json.dumps(place.notebook()).encode(), place.packed({"13_boxes.ipynb": json.dumps(place.notebook()).encode()})
    for number in range(60):
        spoilt = bytearray(whole if number % 2 else packed)
        for _ in range(dice.randrange(1, 30)):
            spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
        place.write(bytes(spoilt), f"{number}.{'ipynb' if number % 2 else 'zip'}")


def all_attacks() -> dict[str, tuple]:
    """Every attack of this file by name, with what it says of itself."""
    return {
        name: (function, inspect.getdoc(function))
        for name, function in globals().items()
        if inspect.isfunction(function) and not name.startswith("_") and list(inspect.signature(function).parameters) == ["place"]
    }
