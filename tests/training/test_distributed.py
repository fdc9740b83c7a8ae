"""Two real processes on the CPU that train one model together, against one process alone."""

import csv
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from coursekit.data.loader import Batches
from coursekit.training.distributed import gather, mean_over_ranks, on_rank_0, rank, replicate, shared_total, sum_over_ranks, world_size

TOGETHER = Path(__file__).parent / "together.py"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
spec = importlib.util.spec_from_file_location("together", TOGETHER)
together = importlib.util.module_from_spec(spec)
spec.loader.exec_module(together)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder in which two processes trained, and what each of them saw."""
    folder = tmp_path_factory.mktemp("both")
    done = subprocess.run([*TORCHRUN, TOGETHER, folder], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads((folder / "everyone.json").read_text())


def losses(folder):
    with open(folder / "results.csv", newline="") as file:
        return [[float(row[f"train/{name}"]) for name in ("loss", "class", "box")] for row in csv.DictReader(file)]


def test_two_processes_make_the_steps_of_one(both, tmp_path):
    folder, (first, second) = both
    assert first["objects"] != second["objects"]  # otherwise a wrong normaliser would not show
    alone, run = together.small_training(tmp_path)
    torch.testing.assert_close(torch.tensor(losses(folder / "train")), torch.tensor(losses(run.folder)), rtol=1e-5, atol=0)
    saved = torch.load(folder / "train" / "checkpoint.pt", weights_only=True)["state"]
    for name, value in alone.state.model.state_dict().items():
        torch.testing.assert_close(saved["model"][name], value, rtol=0, atol=1e-5, msg=name)  # they moved by 5e-3


def test_dividing_by_ones_own_objects_would_be_another_loss(both):
    folder, _ = both
    naive, shared = losses(folder / "naive")[0][0], losses(folder / "train")[0][0]
    assert abs(naive - shared) > 1e-3 * shared


def test_weights_and_averages_stay_the_same_in_both(both):
    _, (first, second) = both
    for name in ("weights", "average", "normal average"):
        assert first[name] == second[name], name


def test_metrics_are_of_all_pictures(both):
    folder, (first, second) = both
    assert first["summary"] == second["summary"] == json.loads((folder / "alone.json").read_text())


def test_only_process_0_writes(both):
    _, (first, second) = both
    assert first["written"]
    assert second["written"] == []


def test_what_process_0_decides_or_raises_reaches_both(both):
    _, everyone = both
    for one in everyone:
        assert one["said"] == "process 0 says no"
        assert one["only rank 0's"] == "from 0"
        assert one["sum"] == [2.0, 10.0]
        assert one["mean"] == [1.0, 5.0]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the names of threads")
@pytest.mark.parametrize("number", [0, 1])
def test_no_thread_of_the_group_is_left(both, number):
    """One that still frees a tensor while Python takes leave kills the process, rarely: "terminate called without an active exception"."""
    folder, _ = both
    met, left = json.loads((folder / f"left-{number}.json").read_text())
    assert met
    assert left == []


def test_alone_everything_is_given_back():
    value, model = torch.tensor([2.0]), torch.nn.Linear(1, 1)
    assert (rank(), world_size(), gather(3), on_rank_0(lambda: 4)) == (0, 1, [3], 4)
    assert sum_over_ranks(value) is value
    assert mean_over_ranks(value) is value
    assert replicate(model, "cpu") is model
    assert shared_total(torch.tensor(0.25)) == 1  # at least 1, as in one process
    assert shared_total(torch.tensor(7.5)) == 7.5


def test_shares_of_a_batch_put_together_are_the_batch():
    dataset = together.Crowded(8)
    whole = list(Batches(dataset, 4, seed=3).epoch(2))
    shares = [list(Batches(dataset, 4, seed=3, rank=r, ranks=2).epoch(2)) for r in range(2)]
    for (images, targets), (images0, targets0), (images1, targets1) in zip(whole, *shares, strict=True):
        assert torch.equal(images, torch.cat([images0, images1]))
        assert [t["image_id"] for t in targets] == [t["image_id"] for t in targets0 + targets1]


def test_a_batch_that_cannot_be_shared_evenly():
    with pytest.raises(ValueError, match="batch"):
        Batches(together.Crowded(8), 3, rank=0, ranks=2)


def under_torchrun(*options):
    """The command `coursekit train` in two processes."""
    command = [*TORCHRUN, "-m", "coursekit.cli", "train", *map(str, options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended_well(process):
    """What it printed."""
    out, said = process.communicate(timeout=250)
    assert process.returncode == 0, said[-3000:]
    return out


@pytest.fixture(scope="module")
def by_command(tmp_path_factory):
    """The project folder of a whole training by the command line under torchrun, its options, and what was printed."""
    from coursekit.data.signs import write_signs

    folder = tmp_path_factory.mktemp("by_command")
    data = write_signs(folder / "signs", 8, seed=1, format="yolo", split="train", size=64)
    small = ("--imgsz", 64, "--batch", 4, "--epochs", 40, "--device", "cpu", "--precision", "float32")
    options = ("--data", data, "--val-split", "none", "--project", folder, *small)
    return folder, options, ended_well(under_torchrun(*options))


@pytest.mark.full
def test_the_command_line_under_torchrun(by_command):
    folder, _, printed = by_command
    assert printed.count("done in") == 1  # one of the two speaks
    assert len(losses(folder / "train")) == 40
    assert not (folder / "train2").exists()


@pytest.mark.full
def test_two_processes_killed_and_resumed_end_with_the_same_weights(by_command):
    folder, options, _ = by_command
    killed = under_torchrun(*options, "--name", "killed")
    rows, begin = folder / "killed" / "results.csv", time.monotonic()
    while not (rows.exists() and len(losses(rows.parent)) >= 3):
        assert killed.poll() is None, killed.communicate()[1][-3000:]
        assert time.monotonic() - begin < 200
        time.sleep(0.02)
    for process in [*psutil.Process(killed.pid).children(recursive=True), killed]:
        process.kill()
    killed.communicate()
    done = len(losses(rows.parent))
    assert done < 40, "it ended before it was killed"
    assert "done in" in ended_well(under_torchrun("--resume", "--project", folder, "--name", "killed"))
    assert losses(folder / "killed") == losses(folder / "train")
    weights = [torch.load(folder / name / "weights" / "last.pt", weights_only=True)["weights"] for name in ("train", "killed")]
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name
