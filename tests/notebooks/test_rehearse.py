"""Running a notebook from top to bottom says whether it ran, and what went wrong. The real ones are run by `make test` and `make full`."""

import shutil
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from coursekit.authoring import rehearse as module
from coursekit.authoring.rehearse import BUDGETS, Rehearsal, rehearse

DIALS_OUT = """
import socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=0.2)
except OSError as error:
    assert error.errno == 101, error  # the network is unreachable, not merely slow
else:
    raise AssertionError("there is a network")
"""


def notebook(folder, *cells):
    path = folder / "99_tiny.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(c) for c in cells]), path)
    return path


def test_a_notebook_runs_at_its_level_in_a_copy(tmp_path):
    look = "import os\nassert os.environ['COURSEKIT_LEVEL'] == 'quick'\nassert '99_tiny' in os.environ['COURSEKIT_PROGRESS']"
    path = notebook(tmp_path, look, "open('left-behind', 'w').close()")
    before = path.read_bytes()
    found = rehearse(path, "quick", tmp_path / "place")
    assert found.good, found.said
    assert found.seconds > 0
    assert path.read_bytes() == before
    assert not (tmp_path / "left-behind").exists()


def test_what_went_wrong_is_said(tmp_path):
    found = rehearse(notebook(tmp_path, "x = 1", "assert x == 2, 'a band was missed'"), "smoke", tmp_path / "place")
    assert not found.good
    assert "a band was missed" in found.said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps its ports")
def test_a_kernel_takes_no_port_that_another_program_can_take_from_it(tmp_path):
    look = "import json, ipykernel\nassert json.loads(ipykernel.get_connection_info())['transport'] == 'ipc'"
    found = rehearse(notebook(tmp_path, look), "smoke", tmp_path / "place")
    assert found.good, found.said


def test_what_hangs_is_killed(tmp_path):
    found = rehearse(notebook(tmp_path, "while True: pass"), "smoke", tmp_path / "place", patience=8)
    assert not found.good
    assert "stopped after 8 s" in found.said
    assert found.seconds < 60


def test_the_network_can_be_cut_off(tmp_path):
    works = shutil.which("unshare") and subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0
    if not works:
        pytest.skip("this system has no network namespaces for users")
    found = rehearse(notebook(tmp_path, DIALS_OUT), "smoke", tmp_path / "place", offline=True)
    assert found.good, found.said


def test_cutting_it_off_elsewhere_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="needs Linux and the command `unshare`"):
        rehearse(notebook(tmp_path, "1"), "smoke", tmp_path / "place", offline=True)


@pytest.mark.parametrize(
    ("seconds", "budget", "line"),
    [
        (3.0, 15, "✓ 99_tiny                      3.0 s"),
        (30.0, 15, "✓ 99_tiny                     30.0 s   over its budget of 15 s"),
        (30.0, 0, "✓ 99_tiny                     30.0 s"),
    ],
)
def test_a_row_of_the_table(seconds, budget, line):
    assert Rehearsal("99_tiny", True, seconds, budget).line() == line


def test_budgets_leave_quick_within_full():
    assert all(quick <= full for quick, full in BUDGETS.values())


def test_without_notebooks_it_says_what_to_do(tmp_path):
    done = subprocess.run([sys.executable, "-m", "coursekit.authoring.rehearse"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "run `coursekit build` first" in done.stderr
