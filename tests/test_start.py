import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from coursekit import __version__
from coursekit.start import MANIFEST, copy_notebooks


@pytest.fixture
def edition(tmp_path):
    """A folder of two built notebooks, as the package holds them."""
    source = tmp_path / "built"
    source.mkdir()
    for name in ("00_welcome", "01_tensors"):
        (source / f"{name}.ipynb").write_text(f'{{"cells": [], "made": "{name} first"}}')
    return source


def test_nothing_built_is_said(tmp_path):
    (tmp_path / "built").mkdir()
    with pytest.raises(FileNotFoundError, match="coursekit build"):
        copy_notebooks(tmp_path / "mine", tmp_path / "built")


def test_first_and_second_call(edition, tmp_path):
    mine = tmp_path / "a folder with 이름"
    assert copy_notebooks(mine, edition) == {"00_welcome.ipynb": "new", "01_tensors.ipynb": "new"}
    assert copy_notebooks(mine, edition) == {"00_welcome.ipynb": "kept", "01_tensors.ipynb": "kept"}
    assert (mine / "00_welcome.ipynb").read_bytes() == (edition / "00_welcome.ipynb").read_bytes()


def test_a_newer_edition_never_overwrites_the_learners_work(edition, tmp_path):
    mine = tmp_path / "mine"
    copy_notebooks(mine, edition)
    (mine / "01_tensors.ipynb").write_text("my answers")
    for notebook in edition.iterdir():
        notebook.write_text("second edition of " + notebook.name)
    assert copy_notebooks(mine, edition) == {"00_welcome.ipynb": "updated", "01_tensors.ipynb": "beside"}
    assert (mine / "00_welcome.ipynb").read_text() == "second edition of 00_welcome.ipynb"
    assert (mine / "01_tensors.ipynb").read_text() == "my answers"
    assert (mine / f"01_tensors.edition-{__version__}.ipynb").read_text() == "second edition of 01_tensors.ipynb"
    assert copy_notebooks(mine, edition)["01_tensors.ipynb"] == "kept"  # said once, not at every start


def test_a_deleted_notebook_comes_back(edition, tmp_path):
    mine = tmp_path / "mine"
    copy_notebooks(mine, edition)
    (mine / "00_welcome.ipynb").unlink()
    assert copy_notebooks(mine, edition)["00_welcome.ipynb"] == "new"


@pytest.mark.parametrize("damage", ["", "{", "[1, 2]"])
def test_a_damaged_manifest_costs_nobody_their_work(edition, tmp_path, damage):
    mine = tmp_path / "mine"
    copy_notebooks(mine, edition)
    (mine / "00_welcome.ipynb").write_text("my answers")
    (mine / MANIFEST).write_text(damage)
    assert copy_notebooks(mine, edition) == {"00_welcome.ipynb": "beside", "01_tensors.ipynb": "kept"}
    assert (mine / "00_welcome.ipynb").read_text() == "my answers"
    assert set(json.loads((mine / MANIFEST).read_text())) == {"00_welcome.ipynb", "01_tensors.ipynb"}


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminated"])
def test_start_serves_the_first_notebook_until_it_is_stopped(tmp_path, stop):
    """The printed URL answers 200; the server ends with the command, also where a shell had it ignore Ctrl-C."""
    command = [sys.executable, "-m", "coursekit.cli", "start", "mine", "--no-browser", "--port", "8931"]
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    ignoring = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN), "start_new_session": True}
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, **ignoring)
    try:
        text = ""
        while "http://" not in text:
            line = process.stdout.readline()
            assert line, f"ended without a URL, after {text!r}"
            text += line
        url = re.search(r"http://\S+", text)[0]
        with direct.open(url, timeout=30) as answer:
            assert answer.status == 200
            assert b'"disabledExtensions": ["@jupyterlab/apputils-extension:announcements"]' in answer.read(), "it would ask to call home"
        assert (tmp_path / "mine" / "00_welcome.ipynb").exists()
        process.send_signal(stop)
        assert process.wait(timeout=30) == 0
        with pytest.raises(OSError, match="refused"):
            direct.open(url, timeout=5)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
