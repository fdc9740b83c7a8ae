"""Starting from weights: other classes, frozen or not."""

from dataclasses import replace

import pytest
import torch

from coursekit.yolo import YOLO, TrainSettings, load, new_run, prepare, resume, train
from coursekit.yolo.finetune import choose_start, start_from
from coursekit.yolo.predict import describe


class Grey:
    """Four grey pictures of one thing each."""

    def __init__(self, classes=("thing",)):
        self.classes = tuple(classes)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        box = torch.tensor([[8.0 + index, 8, 24 + index, 24]])
        image = torch.full((3, 32, 64), 114, dtype=torch.uint8)
        image[:, 8:24, 8 + index : 24 + index] = 200
        target = {"boxes": box, "labels": torch.zeros(1, dtype=torch.int64), "image_id": index}
        return image, {**target, "area": torch.full((1,), 256.0), "iscrowd": torch.zeros(1)}


@pytest.fixture
def weights(tmp_path):
    """A file of a model that knows cats, dogs and hens."""
    torch.manual_seed(7)
    model = YOLO(3, "n")
    model.classes = ("cat", "dog", "hen")
    for value in model.state_dict().values():  # nothing is as in a new network, biases and averages neither
        if value.is_floating_point():
            value.add_(0.01 * torch.rand_like(value))
    path = tmp_path / "old.pt"
    torch.save(describe(model), path)
    return path


def settings_of(weights, tmp_path, **changes):
    given = {"imgsz": 64, "epochs": 2, "batch": 2, "precision": "float32", "threads": 1, "device": "cpu", "val_split": "none"}
    return TrainSettings("grey", weights=str(weights), project=str(tmp_path / "runs"), **{**given, **changes})


@pytest.mark.parametrize(
    ("start", "weights", "expected"),
    [
        ("auto", "", "scratch"),
        ("auto", "x.pt", "finetune"),
        ("scratch", "", "scratch"),
        ("finetune", "x", "finetune"),
        ("frozen", "x", "frozen"),
    ],
)
def test_what_auto_means(start, weights, expected):
    assert choose_start(start, weights) == expected


@pytest.mark.parametrize(
    ("start", "weights", "message"),
    [
        ("frozen", "", "start frozen needs weights"),
        ("finetune", "", "start finetune needs weights"),
        ("scratch", "x.pt", "start scratch contradicts weights x.pt"),
        ("ice", "", "start must be auto, scratch, finetune, frozen, got 'ice'"),
    ],
)
def test_contradictions_are_refused(start, weights, message):
    with pytest.raises(ValueError, match=message):
        choose_start(start, weights)


@pytest.mark.parametrize(
    "classes", [("hen",), ("hen", "cat"), ("cow", "dog", "cat", "hen"), ("cow",), ("dog", "hen", "cat"), ("cat", "dog", "hen")]
)
def test_what_both_know_is_kept_row_by_row(weights, classes):
    old, (model, notes) = load(weights), start_from(str(weights), classes)
    fresh = YOLO(len(classes), "n")
    for level in range(3):
        new_last, old_last = model.head.classes[level][-1], old.head.classes[level][-1]
        for row, name in enumerate(classes):
            if name in old.classes:
                there = old.classes.index(name)
                assert torch.equal(new_last.weight[row], old_last.weight[there])
                assert new_last.bias[row] == old_last.bias[there]
            else:
                assert new_last.bias[row] == fresh.head.classes[level][-1].bias[0]  # the prior of a new network
    last = {f"head.classes.{level}.2.{kind}" for level in range(3) for kind in ("weight", "bias")}
    theirs = old.state_dict()
    assert last <= set(theirs)
    for name, value in model.state_dict().items():
        assert name in last or torch.equal(value, theirs[name]), name
    assert all(parameter.requires_grad for parameter in model.parameters())
    if "cow" in classes:
        assert "new: cow" in notes[-1]


def test_the_size_is_that_of_the_weights_and_said(weights, tmp_path):
    prepared = prepare(settings_of(weights, tmp_path, model="s"), Grey())
    assert prepared.settings.model == prepared.state.model.size == "n"
    assert prepared.settings.start == "finetune"
    assert any("size n" in note for note in prepared.notes)
    assert any("kept: none; new: thing" in note for note in prepared.notes)


def test_a_frozen_backbone_does_not_move_by_a_bit_and_the_rest_does(weights, tmp_path):
    prepared = prepare(settings_of(weights, tmp_path, start="frozen"), Grey())
    before = {name: value.clone() for name, value in prepared.state.model.state_dict().items()}
    train(prepared, new_run(prepared))
    for name, value in prepared.state.model.state_dict().items():
        if name.startswith("backbone"):
            assert torch.equal(value, before[name]), name
    moved = [name for name, value in prepared.state.model.state_dict().items() if not torch.equal(value, before[name])]
    assert any(name.startswith("neck") for name in moved)
    assert any(name.startswith("head") for name in moved)
    assert any("running_mean" in name for name in moved)


def test_a_frozen_run_goes_on_without_the_file_it_started_from(weights, tmp_path):
    settings = settings_of(weights, tmp_path, start="frozen", epochs=3)
    whole = prepare(settings, Grey())
    train(whole, new_run(whole))

    def stop(row):
        if row["epoch"] == 1:
            raise KeyboardInterrupt

    half = prepare(settings, Grey())
    run = new_run(half)
    with pytest.raises(KeyboardInterrupt):
        train(half, run, told=stop)
    weights.unlink()
    again, run = resume(run.folder, Grey())
    train(again, run)
    for name, value in whole.state.ema.model.state_dict().items():
        assert torch.equal(value, again.state.ema.model.state_dict()[name]), name


def test_finetuning_moves_the_backbone(weights, tmp_path):
    prepared = prepare(replace(settings_of(weights, tmp_path), epochs=1), Grey(("cat",)))
    before = prepared.state.model.backbone.stem.conv.weight.clone()
    train(prepared, new_run(prepared))
    assert not torch.equal(before, prepared.state.model.backbone.stem.conv.weight)


@pytest.mark.full
def test_few_scenes_and_what_was_learnt_on_others(tmp_path):
    """24 scenes of the shipped detector's own world, with one class renamed: starting from it beats starting from nothing."""
    from coursekit.data.signs import SignScenes
    from coursekit.yolo import validate

    class Renamed:
        """As a data set of somebody who calls one sign by another name."""

        def __init__(self, length, seed):
            self.scenes = SignScenes(length, seed)
            self.classes = ("renamed", *self.scenes.classes[1:])

        def __len__(self):
            return len(self.scenes)

        def __getitem__(self, index):
            return self.scenes[index]

    few, test = Renamed(24, seed=900), Renamed(60, seed=901)
    found = {}
    for start, weights in (("scratch", ""), ("frozen", "signs_n"), ("finetune", "signs_n")):
        settings = settings_of(weights, tmp_path, imgsz=256, epochs=10, batch=8, start=start, fliplr=0.0, seed=1, name=start)
        prepared = prepare(settings, few)
        train(prepared, new_run(prepared))
        found[start] = validate(prepared.state.ema.model, test).summary["AP"]
    print(found)
    assert found["scratch"] < 0.1, found
    assert min(found["frozen"], found["finetune"]) > 0.4, found
