"""The pretended GPU refuses what a real one refuses, lets pass what a real one lets pass, and changes no number."""

import copy
import sys

import nbformat
import numpy as np
import pytest
import torch
from torch import nn

from coursekit import doctor
from coursekit.authoring import pretended
from coursekit.authoring.pretended import on_gpu, pretended_gpu
from coursekit.yolo import YOLO
from coursekit.yolo.export import network_onnx


@pytest.fixture
def gpu():
    with pretended_gpu() as watched:
        yield watched


def there(*shape):
    return torch.ones(*shape, device="cuda")


REFUSED = {
    "a sum of two memories": lambda: there(3) + torch.ones(3),
    "the other way round": lambda: torch.ones(3) * there(3),
    "in place": lambda: there(3).add_(torch.ones(3)),
    "in a list": lambda: torch.stack([there(3), torch.ones(3)]),
    "single numbers in a list": lambda: torch.stack([there(3)[0], torch.tensor(1.0)]),
    "a layer's weights": lambda: nn.Linear(3, 2)(there(1, 3)),
    "a layer's input": lambda: nn.Linear(3, 2).to("cuda")(torch.ones(1, 3)),
    "a CPU tensor by an index of the GPU": lambda: torch.ones(3)[there(1).long()],
    "values of the CPU to places by index": lambda: there(3).__setitem__(torch.tensor([0, 1]), torch.ones(2)),
    "a loss": lambda: nn.functional.cross_entropy(there(1, 3), torch.tensor([0])),
    "torchvision's operators": lambda: __import__("torchvision").ops.nms(there(1, 4), torch.ones(1), 0.5),
}


@pytest.mark.parametrize("name", REFUSED)
def test_two_memories_do_not_meet(gpu, name):
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        REFUSED[name]()


@pytest.mark.parametrize(
    "convert", [lambda t: t.numpy(), np.asarray, lambda t: np.array([1.0]) + np.asarray(t)], ids=["numpy", "asarray", "sum"]
)
def test_numpy_does_not_read_a_gpu(gpu, convert):
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
        convert(there(3))
    assert there(3).numpy(force=True).tolist() == [1.0] * 3


@pytest.mark.parametrize(
    "draw", [lambda g: torch.rand(3, generator=g, device="cuda"), lambda g: there(3).normal_(generator=g)], ids=["rand", "normal_"]
)
def test_the_dice_of_a_cpu_do_not_roll_on_a_gpu(gpu, draw):
    with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator but found 'cpu'"):
        draw(torch.Generator())


ALLOWED = {
    "a lone number of the CPU": (lambda: there(3) + torch.tensor(2.0), True),
    "an index of the CPU": (lambda: there(3)[torch.tensor([0])], True),
    "a slice written from the CPU": (lambda: there(3).__setitem__(slice(0, 2), torch.zeros(2)), None),
    "copied across": (lambda: there(3).copy_(torch.zeros(3)), True),
    "copied back": (lambda: torch.zeros(3).copy_(there(3)), False),
    "to the CPU and summed there": (lambda: there(3).cpu() + torch.ones(3), False),
    "to a tensor's own place": (lambda: torch.ones(3).to(there(1)) + there(3), True),
    "like another": (lambda: torch.zeros_like(there(3)) + there(3).new_full((3,), 2.0), True),
    "from a list, which begins on the CPU": (lambda: torch.tensor([there(1)[0], 2.0]), False),
    "from a list, onto the GPU": (lambda: torch.tensor([1.0], device="cuda"), True),
    "under a device": (lambda: _under_a_device(), True),
    "nothing at all": (lambda: there(0, 4)[:0].cpu(), False),
    "asked for where it is": (lambda: there(2).to("cuda", torch.float64), True),
    "another memory layout": (lambda: there(1, 2, 3, 4).to(memory_format=torch.channels_last), True),
    "a device of a third kind": (lambda: torch.ones(3).to("meta"), False),
}


def _under_a_device():
    with torch.device("cuda"):
        return torch.zeros(3)


@pytest.mark.parametrize("name", ALLOWED)
def test_what_a_real_one_lets_pass(gpu, name):
    made, where = ALLOWED[name]
    result = made()
    if where is not None:
        assert (result.device.type == "cuda") is where
        assert result.is_cuda is where
        assert on_gpu(result) is where


def test_a_model_its_twin_its_gradients_and_its_optimiser_are_there(gpu, tmp_path):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to("cuda")
    twin = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    model(torch.rand(2, 3, 8, 8).to("cuda")).sum().backward()
    optimizer.step()
    twin.load_state_dict(model.state_dict())
    states = [value for state in optimizer.state.values() for value in state.values() if value.ndim]
    grads = [p.grad for p in model.parameters()]
    assert {t.device.type for t in (*model.state_dict().values(), *twin.state_dict().values(), *states, *grads)} == {"cuda"}
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    assert {t.device.type for t in torch.load(tmp_path / "weights.pt", map_location="cuda", weights_only=True).values()} == {"cuda"}
    assert {t.device.type for t in torch.load(tmp_path / "weights.pt", map_location="cpu", weights_only=True).values()} == {"cpu"}
    assert {p.device.type for p in model.cpu().parameters()} == {"cpu"}


@pytest.mark.parametrize(
    ("work", "waits"),
    [
        (lambda: there(3) * 2, {}),
        (lambda: there(3).sum().item(), {"item": 1}),
        (lambda: float(there(1)), {"__float__": 1}),
        (lambda: bool((there(3) > 0).all()), {"__bool__": 1}),
        (lambda: there(3).nonzero(), {"nonzero": 1}),
        (lambda: there(3)[there(3) > 0], {"__getitem__ by a mask": 1}),
        (lambda: there(3)[there(1).long()], {}),
        (lambda: there(3)[torch.tensor([0])], {"__getitem__ by a CPU index": 1}),
        (lambda: there(3).cpu(), {"cpu": 1}),
        (lambda: torch.ones(3).to("cuda"), {"to the GPU": 1}),
        (lambda: torch.ones(3).to("cuda", non_blocking=True), {}),
        (lambda: torch.tensor([1.0], device="cuda"), {"tensor": 1}),
        (lambda: torch.where(there(3) > 0, 1.0, 0.0), {}),
        (lambda: torch.ones(3).sum().item(), {}),
    ],
)
def test_what_waits_is_counted(gpu, work, waits):
    work()
    assert dict(gpu.waits) == waits


def test_afterwards_all_is_as_it_was():
    with pretended_gpu():
        left = there(3)
        assert torch.cuda.device_count() == 1
    assert left.device.type == "cpu"
    assert (left + torch.ones(3)).tolist() == [2.0] * 3


BUG = """
from coursekit.training.device import choose_device
import torch
device = choose_device()
assert device == "cuda", device
print(torch.ones(3).to(device) + torch.ones(3))
"""


def test_a_notebook_is_run_on_it_and_its_bug_is_found(tmp_path, monkeypatch, capsys):
    (tmp_path / "build/solved").mkdir(parents=True)
    cells = [nbformat.v4.new_code_cell(text) for text in ("x = 1", BUG)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "build/solved/90_bug.ipynb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pretended", "90"])
    assert pretended.main() == 1
    assert "Expected all tensors to be on the same device" in capsys.readouterr().out


def test_it_has_a_name_and_memory_for_who_asks():
    with pretended_gpu():
        (row,) = [row for row in doctor.torch_rows() if row.name == "GPU"]
    assert row.value == "a pretended GPU, 1 GiB"


@pytest.mark.full
def test_a_model_that_lies_there_is_exported_from_the_cpu():
    with pretended_gpu():
        network = network_onnx(YOLO(2).to("cuda"))
        assert torch.ones(1, device="cuda").is_cuda
    assert [value.name for value in network.graph.output] == ["boxes", "scores"]
