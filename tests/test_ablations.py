"""The program that leaves one part out at a time: its own rule, and that it goes on where it was stopped."""

import json
import sys

import pytest
import torch

from coursekit.yolo import STRIDES, YOLO, assign
from coursekit.yolo.decode import cell_centres


@pytest.fixture
def ablations(benchmark_program, monkeypatch, tmp_path):
    module = benchmark_program("ablations")
    monkeypatch.setattr(module, "KEPT", tmp_path / "build" / "kept.jsonl")
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results.json")
    return module


def test_task_on_one_map_is_task_alignment_among_the_cells_of_that_map(ablations):
    generator = torch.Generator().manual_seed(0)
    centres, strides = cell_centres((128, 128), STRIDES)
    truth, labels = torch.tensor([[4.0, 4, 28, 30], [20, 30, 80, 90], [0, 0, 128, 120]]), torch.tensor([0, 1, 1])
    scores = torch.rand(len(centres), 2, generator=generator)
    boxes = torch.cat([centres - 20, centres + 20], dim=1) + torch.rand(len(centres), 4, generator=generator)
    plan = ablations.task_on_one_map(scores, boxes, centres, truth, labels, strides)
    for number, stride in enumerate((8, 16, 32)):  # 26, 60 and 128 pixels, at 4 strides
        assert set(strides[plan.owner == number].tolist()) == {float(stride)}
        cell = strides == stride
        alone = assign(scores[cell], boxes[cell], centres[cell], truth[number : number + 1], labels[number : number + 1])
        assert torch.equal(plan.targets[cell], alone.targets)


def test_a_start_for_each_map(ablations):
    model = YOLO(2)
    ablations.change_start([model], (-2.0, 1.0, 0.0))
    assert [float(branch[-1].bias[0].detach()) for branch in model.head.boxes] == [-2.0, 1.0, 0.0]


def test_what_was_finished_is_not_done_again(ablations, monkeypatch):
    done = []

    def pretend(variant, seed, arguments):
        done.append((variant, seed))
        if len(done) == 3:
            raise KeyboardInterrupt
        numbers = dict.fromkeys(("AP", "AP50", "APs", "APm", "APl"), 0.5)
        key = {"on": arguments.on, "epochs": arguments.epochs, "decay": arguments.decay, "seed": seed, "variant": variant}
        return [key | {"answers": {}} | numbers]

    monkeypatch.setattr(ablations, "one_run", pretend)
    monkeypatch.setattr(sys, "argv", ["ablations.py", "--seeds", "0", "1", "--variants", "all of it", "by centre"])
    with pytest.raises(KeyboardInterrupt):
        ablations.main()
    ablations.main()
    assert done == [("all of it", 0), ("by centre", 0), ("all of it", 1), ("all of it", 1), ("by centre", 1)]  # only what was cut off twice
    assert len(json.loads(ablations.RESULTS.read_text())["rows"]) == 4
