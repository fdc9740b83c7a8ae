"""What a worker may see: an exercise's packages with what they need, and nothing that happens to lie beside them."""

import importlib.metadata
import os
import platform
from pathlib import Path

import pytest

if platform.system() != "Linux":
    pytest.skip("grading runs on Linux", allow_module_level=True)

from coursekit.grading.closure import closure, distribution_of, entries_of, folders, hidden, libraries, site_of, standard_pieces


class Installed:
    """A distribution with these files."""

    def __init__(self, folder: Path, files: str | None):
        self.folder, self.files, self.metadata = folder, files, {"Name": "thing"}
        for name in (files or "").splitlines():
            path = folder / name.split(",")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def read_text(self, name):
        return self.files if name == "RECORD" else None

    def locate_file(self, name):
        return self.folder / name


def test_a_package_comes_with_what_it_requires_and_with_its_libraries():
    names = [name for name, _ in site_of(("numpy", "torch"))]
    assert {"numpy", "torch", "sympy", "typing_extensions.py"} <= set(names)
    assert not {"torchvision", "skimage", "coursekit", "pytest", "_pytest"} & {name.split("/")[0] for name in names}
    assert all(os.path.exists(path) for _, path in site_of(("numpy", "torch")))
    only_numpy = {name.split("/")[0] for name, _ in site_of(("numpy",))}
    assert "numpy" in only_numpy
    assert not {"torch", "sympy"} & only_numpy


def test_an_extra_is_followed_only_where_it_is_asked_for():
    found = closure(("torch",))
    for line in importlib.metadata.requires("torch") or ():
        if "extra ==" in line:
            assert line.split(">")[0].split(";")[0].strip() not in found


@pytest.mark.parametrize(("package", "name"), [("numpy", "numpy"), ("skimage", "scikit-image"), ("PIL", "pillow")])
def test_an_importable_name_finds_its_distribution(package, name):
    assert distribution_of(package) == name


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(ValueError, match="packages must be installed where grading runs, and 'no_such_package' is not"):
        distribution_of("no_such_package")


def test_of_a_folder_that_several_share_only_the_own_part_is_seen(tmp_path):
    Installed(tmp_path / "lib/python3/site-packages", "shared/theirs/x.py")
    mine = Installed(
        tmp_path, "shared/mine/x.so,sha256=a,1\none.py,,\nown/__init__.py,,\n../../../bin/x,,\n__pycache__/one.pyc,,\nown.pth,,"
    )
    assert entries_of(mine) == {
        "shared/mine": str(tmp_path / "shared/mine"),
        "one.py": str(tmp_path / "one.py"),
        "own": str(tmp_path / "own"),
    }


def test_a_distribution_that_does_not_list_its_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match="thing does not say which files are its own"):
        entries_of(Installed(tmp_path, None))


def test_the_interpreter_is_seen_without_its_own_installed_packages():
    pieces = [Path(piece) for piece in standard_pieces()]
    for path in map(Path, hidden()):
        assert not any(path == piece or path.is_relative_to(piece) for piece in pieces)
    module = Path(os.__file__)
    assert any(module == piece or module.is_relative_to(piece) for piece in pieces)
    assert folders()[0] == str(module.parent)
    assert any(name.startswith("libc.so") for folder in libraries() if os.path.isdir(folder) for name in os.listdir(folder))
