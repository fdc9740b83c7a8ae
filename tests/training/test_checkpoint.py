import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from coursekit.files import write_atomically
from coursekit.training.checkpoint import load_checkpoint, save_checkpoint


def test_what_is_saved_comes_back(tmp_path):
    state = {"weights": torch.arange(6.0).reshape(2, 3), "step": 7, "rows": [{"AP": 0.5, "name": "a"}], "none": None}
    save_checkpoint(tmp_path / "a.pt", state)
    loaded = load_checkpoint(tmp_path / "a.pt")
    torch.testing.assert_close(loaded.pop("weights"), state.pop("weights"))
    assert loaded == state


def test_nothing_but_the_file_is_left(tmp_path):
    save_checkpoint(tmp_path / "a.pt", {"step": 1})
    save_checkpoint(tmp_path / "a.pt", {"step": 2})
    assert os.listdir(tmp_path) == ["a.pt"]
    assert load_checkpoint(tmp_path / "a.pt") == {"step": 2}


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    save_checkpoint(tmp_path / "a.pt", {"step": 1})

    def half(path):
        path.write_bytes(b"half a che")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "a.pt", half)
    assert load_checkpoint(tmp_path / "a.pt") == {"step": 1}
    assert os.listdir(tmp_path) == ["a.pt"]


KILLED = """
import sys, time
from pathlib import Path
from coursekit.files import write_atomically
from coursekit.training.checkpoint import save_checkpoint

def slowly(path):
    with open(path, "wb") as file:
        file.write(b"the first half")
        file.flush()
        print("writing", flush=True)
        time.sleep(60)

save_checkpoint(Path(sys.argv[1]), {"step": 1})
write_atomically(Path(sys.argv[1]), slowly)
"""


def test_killed_in_the_middle_of_a_write_the_old_one_can_be_loaded(tmp_path):
    path = tmp_path / "a.pt"
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "writing\n"
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=20)
    assert load_checkpoint(path) == {"step": 1}
    begin = time.perf_counter()
    save_checkpoint(path, {"step": 2})  # what the killed one left behind is in nobody's way
    assert load_checkpoint(path) == {"step": 2}
    assert time.perf_counter() - begin < 5


class Trap:
    """Unpickling this would run a command."""

    def __reduce__(self):
        return (os.system, ("echo trapped",))


def test_a_file_that_would_run_code_is_refused(tmp_path, capfd):
    torch.save({"state": Trap()}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"a\.pt is not a checkpoint that can be read"):
        load_checkpoint(tmp_path / "a.pt")
    assert "trapped" not in capfd.readouterr().out


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"PK\x03\x04 half a zip", b"hello"], ids=["empty", "zeros", "half", "text"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.pt is not a checkpoint that can be read"):
        load_checkpoint(tmp_path / "a.pt")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint .*b\.pt"):
        load_checkpoint(tmp_path / "b.pt")
