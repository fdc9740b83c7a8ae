"""What each process of `test_distributed` runs: ``torchrun ... together.py FOLDER``. The test runs `small_training` alone and compares."""

import hashlib
import os
import sys
from pathlib import Path

import torch

from coursekit.files import write_json
from coursekit.training.distributed import gather, mean_over_ranks, on_rank_0, rank, several_processes, sum_over_ranks, world_size
from coursekit.yolo import TrainSettings, new_run, prepare, train, validate
from coursekit.yolo import train as train_function
from coursekit.yolo.val import validate_together

module = sys.modules[train_function.__module__]


class Crowded:
    """Red and blue squares on grey; picture i holds i of them, so that no two shares of a batch hold the same number."""

    classes = ("red", "blue")

    def __init__(self, length=8, seed=0):
        self.length, self.seed = length, seed

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(self.seed * 1000 + index)
        image = torch.full((3, 64, 64), 114, dtype=torch.uint8)
        labels = torch.randint(0, 2, (index,), generator=generator)
        corner, side = (torch.randint(low, high, (index, 2), generator=generator) for low, high in ((0, 40), (12, 24)))
        for (x, y), (w, h), label in zip(corner.tolist(), side.tolist(), labels.tolist(), strict=True):
            image[:, y : y + h, x : x + w] = torch.tensor([[220, 30, 30], [30, 30, 220]])[label].to(torch.uint8)[:, None, None]
        boxes = torch.cat([corner, corner + side], dim=1).float()
        area, crowd = side.prod(dim=1).float(), torch.zeros(index, dtype=torch.int64)
        return image, {"boxes": boxes, "labels": labels, "image_id": index, "area": area, "iscrowd": crowd}


def freeze_norms(model):
    """Batch normalisations that use their running averages, also while the model trains: only then can shares equal the whole."""
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eval()
            layer.train = lambda mode=True: None


def small_training(project, name="train", frozen=True, **changes):
    """A training of six steps; the state after it, and its run."""
    given = {"model": "n", "imgsz": 64, "epochs": 3, "batch": 4, "precision": "float32", "threads": 1, "device": "cpu", "val_every": 3}
    prepared = prepare(TrainSettings("crowded", project=str(project), name=name, **{**given, **changes}), Crowded(), Crowded(37, seed=1))
    if frozen:
        freeze_norms(prepared.state.model)
    run = new_run(prepared)
    train(prepared, run)
    return prepared, run


def digest(tensors):
    """Of all bits of some tensors."""
    whole = hashlib.sha256()
    for tensor in tensors:
        whole.update(tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()


def writes_under(folder):
    """From now on: the list of all that this process writes, makes or renames under ``folder``."""
    found = []

    def hook(event, arguments):
        writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (writing or event in ("os.mkdir", "os.rename", "os.remove")) and str(arguments[0]).startswith(str(folder)):
            found.append(f"{event} {arguments[0]}")

    sys.addaudithook(hook)
    return found


def refuse():
    raise ValueError("process 0 says no")


def threads_of_gloo():
    """Names of this process's threads that talk to the other processes (Linux tells them)."""
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    return [name for name in names if "gloo" in name]


def main(folder):
    written = writes_under(folder)
    try:
        on_rank_0(refuse)
        said = "nothing"
    except ValueError as error:
        said = str(error)
    prepared, _ = small_training(folder)
    mine = {
        "said": said,
        "only rank 0's": on_rank_0(lambda: f"from {rank()}"),
        "sum": sum_over_ranks(torch.tensor([1.0, 10.0 * rank()])).tolist(),
        "mean": mean_over_ranks(torch.tensor([1.0, 10.0 * rank()])).tolist(),
        "objects": [sum(len(t["labels"]) for t in targets) for _, targets in prepared.batches.epoch(0)],
        "weights": digest(prepared.state.model.state_dict().values()),
        "average": digest(prepared.state.ema.model.state_dict().values()),
        "summary": validate_together(prepared.state.ema.model, prepared.validation, 64),
        "written": list(written),
    }
    normal, _ = small_training(folder, "normal", frozen=False, epochs=1)  # batch normalisation as it is: the averages must still be one
    mine["normal average"] = digest(normal.state.ema.model.state_dict().values())
    module.shared_total = lambda total: total.clamp(min=1)  # each divides by its own objects
    small_training(folder, "naive", epochs=1)
    everyone = gather(mine)
    if rank() == 0:
        write_json(folder / "everyone.json", everyone)
        write_json(folder / "alone.json", validate(prepared.state.ema.model, prepared.validation, 64).summary)


if __name__ == "__main__":
    with several_processes():
        assert world_size() > 1
        main(Path(sys.argv[1]))
        met, number = threads_of_gloo(), rank()
    write_json(Path(sys.argv[1]) / f"left-{number}.json", [met, threads_of_gloo()])
