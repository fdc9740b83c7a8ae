"""What is packed for a machine without a registry, and that an environment of it works; downloading itself is tried by hand."""

import json
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from coursekit.authoring import carried, carry

METADATA = {
    "app": ["core>=2", "Fast_IO ; extra == 'fast'", "wins; sys_platform == 'win32'", "old; python_version < '3.12'"],
    "core": ["base<9", "app"],  # round and round
    "fast-io": ["base", "core[more]"],
    "base": [],
    "old": [],
    "gone": ["nowhere"],
}


@pytest.mark.parametrize(
    ("roots", "python", "have", "expected"),
    [
        ([], "3.12", {}, []),
        (["base"], "3.12", {}, ["base"]),
        (["app"], "3.12", {}, ["app", "base", "core"]),
        (["app"], "3.11", {}, ["app", "base", "core", "old"]),  # markers read as over there, not as here
        (["app[fast]"], "3.12", {}, ["app", "base", "core", "fast-io"]),
        (["app", "app[fast]"], "3.12", {}, ["app", "base", "core", "fast-io"]),
        (["app"], "3.12", {"core": None}, ["app"]),  # what only core needs is there with it
        (["app"], "3.12", {"core": "2.1"}, ["app"]),
        (["app"], "3.12", {"core": "1.9"}, ["app", "base", "core"]),  # there, but too old
        (["app", "base"], "3.12", {"core": "2.1"}, ["app", "base"]),
    ],
)
def test_all_that_is_needed_and_nothing_that_is_there(roots, python, have, expected):
    assert carry.closure(roots, python, have, METADATA.get) == expected


def test_a_package_that_nobody_knows_is_named():
    with pytest.raises(ValueError, match="nowhere must be installed here too"):
        carry.closure(["gone"], "3.12", {}, METADATA.get)


def test_the_real_list_leaves_torch_behind_and_takes_what_runs_a_notebook():
    have = carry.read_have(carry.HAVE, "3.12")
    names, left = carry.wanted_names("3.12", have, [])
    assert {"nbval", "ipykernel", "pyzmq", "tornado", "coursekit", "opencv-python-headless"} <= set(names)
    assert not {"torch", "torchvision", "numpy", "pillow", "sympy", "triton"} & set(names)
    assert not any(name.startswith("nvidia") or name in ("jupyterlab", "ruff") for name in names)
    assert left == set()
    pinned = carry.pins([name for name in names if name != "coursekit"], carry.ROOT / "constraints.txt")
    assert all(Requirement(line).specifier for line in pinned)


def test_what_is_left_out_leaves_behind_what_only_it_needs():
    have = carry.read_have(carry.HAVE, "3.12")
    less, left = carry.wanted_names("3.12", have, ["onnxruntime", "tritonclient"])
    assert left == {"onnxruntime", "tritonclient"}
    assert not {"onnxruntime", "tritonclient", "geventhttpclient", "gevent"} & set(less)
    assert "onnx" in less


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# what is there\nnumpy==2.5.2\n\nPyYAML==6.0\n", {"numpy": "2.5.2", "pyyaml": "6.0"}),
        ("torch==2.11.0+cu130\nours @ file:///somewhere\nscikit-image", {"torch": "2.11.0+cu130", "ours": None, "scikit-image": None}),
    ],
)
def test_what_is_there_is_read_from_a_freeze(tmp_path, text, expected):
    (tmp_path / "there.txt").write_text(text)
    assert carry.read_have([str(tmp_path / "there.txt")], "3.12") == expected


def test_a_line_that_is_no_package_is_named(tmp_path):
    (tmp_path / "there.txt").write_text("numpy==2.5.2\nPackage    Version\n")
    with pytest.raises(ValueError, match=r"there\.txt, line 2: 'Package    Version' is no package"):
        carry.read_have([str(tmp_path / "there.txt")], "3.12")


def test_a_name_that_has_no_version_is_said(tmp_path):
    (tmp_path / "constraints.txt").write_text("# versions\nnumpy==2.4.6  # of ours\n")
    assert carry.pins(["numpy"], tmp_path / "constraints.txt") == ["numpy==2.4.6"]
    with pytest.raises(ValueError, match="names no version of scipy"):
        carry.pins(["numpy", "scipy"], tmp_path / "constraints.txt")


def test_the_peer_goes_along_as_its_environment_has_it(tmp_path):
    place = tmp_path / "env/lib/python3/site-packages"
    needs = {
        "ultralytics": ["numpy>=1.2", "opencv-python>=4", "polars", "Helper_Thing>=1", "win; sys_platform == 'win32'"],
        "helper_thing": [],
    }
    for version, (name, lines) in enumerate(needs.items(), 8):
        about = place / f"{name}-{version}.1.dist-info"
        about.mkdir(parents=True)
        about.joinpath("METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}.1\n" + "".join(f"Requires-Dist: {line}\n" for line in lines)
        )
    assert carry.peer_pins(tmp_path / "env", "3.12", ["NumPy"]) == ["helper-thing==9.1", "ultralytics==8.1"]
    assert carry.peer_pins(tmp_path / "env", "3.12", ["numpy", "helper-thing"]) == ["ultralytics==8.1"]
    with pytest.raises(ValueError, match="peer must be an environment with ultralytics"):
        carry.peer_pins(tmp_path / "elsewhere", "3.12", [])


def wheel(folder: Path, name: str, version: str, code: str) -> None:
    """A wheel by hand: a module and three files about it."""
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """A carried folder without its downloads: one small wheel, and the solved notebooks of a small checkout."""
    checkout = tmp_path / "checkout"
    (checkout / "build/solved").mkdir(parents=True)
    (checkout / "build/solved/00_welcome.ipynb").write_text("{}")
    lines = [f"{name}==1.0\n" for name in carry.wanted_names("3.12", carry.read_have(carry.HAVE, "3.12"), [])[0]]
    (checkout / "constraints.txt").write_text("".join(lines))
    monkeypatch.setattr(carry, "ROOT", checkout)
    monkeypatch.setattr(carry, "fetch", lambda pinned, python, wheels: wheel(wheels, "carried_thing", "1.5", "WHAT = 'carried'"))
    for name in ("NEEDED", "WIDGETS", "SERVING"):
        monkeypatch.setattr(carry, name, ())

    def pack(*words):
        return carry.main([str(tmp_path / "carry"), "--python", f"{sys.version_info[0]}.{sys.version_info[1]}", *words])

    return tmp_path / "carry", pack


def test_the_folder_holds_wheels_notebooks_and_how_to_use_them(packed, capsys):
    folder, pack = packed
    assert pack("--leave-out", "onnxruntime") == 0
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "carried.json",
        "install.py",
        "solved/00_welcome.ipynb",
        "wheels/carried_thing-1.5-py3-none-any.whl",
    ]
    facts = json.loads((folder / "carried.json").read_text())
    assert facts["left_out"] == ["onnxruntime"]
    assert "1 wheels" in capsys.readouterr().out
    assert pack() == 0  # again: what was made here may be replaced


def test_too_much_is_said_with_the_largest(packed, capsys):
    _, pack = packed
    assert pack("--limit", "0.0001") == 2
    assert "MiB, more than 0.0001: --have what is there, --leave-out or --limit; MiB: carried_thing" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "message"), [(["--python", "12"], "python must be a version such as 3.12, got '12'")])
def test_a_call_that_cannot_work_is_one_sentence(packed, capsys, words, message):
    assert packed[1](*words) == 2
    assert message in capsys.readouterr().err


def test_a_folder_of_somebody_else_is_left_alone(packed, capsys):
    folder, pack = packed
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    assert pack() == 2
    assert (folder / "thesis.txt").read_text() == "mine"
    assert "was not made by this command" in capsys.readouterr().err


def test_an_environment_has_what_was_carried_and_sees_what_lies_beside(packed, tmp_path):
    folder, pack = packed
    pack()
    facts = json.loads((folder / "carried.json").read_text())
    (folder / "carried.json").write_text(json.dumps(facts | {"imports": ["carried_thing", "nbval"]}))
    assert carried.main([str(tmp_path / "env")], folder) == 0
    python = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    assert carried.missing(python, ["carried_thing", "yaml", "not_anywhere"]) == [
        "not_anywhere (ModuleNotFoundError: No module named 'not_anywhere')"
    ]


def test_wheels_of_another_python_are_refused(packed, tmp_path, capsys):
    folder, pack = packed
    pack("--python", "3.99")
    assert carried.main([str(tmp_path / "env")], folder) == 2
    assert "these wheels are for Python 3.99" in capsys.readouterr().err
    assert not (tmp_path / "env").exists()


def test_what_cannot_be_imported_is_named(packed, tmp_path, capsys):
    folder, pack = packed
    pack()
    facts = json.loads((folder / "carried.json").read_text())
    (folder / "carried.json").write_text(json.dumps(facts | {"imports": ["not_anywhere"]}))
    assert carried.main([str(tmp_path / "env")], folder) == 2
    assert "cannot be imported there: not_anywhere (ModuleNotFoundError" in capsys.readouterr().err


def test_it_is_installed_without_anything_of_ours():
    source = (Path(carried.__file__)).read_text()
    assert "coursekit." not in source.partition('"""')[2].partition('"""')[2].replace("coursekit.authoring.gpu", "")
