"""The generated world of signs as people use it: crops, files, workers, and what happens to wrong arguments."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from coursekit.data.formats import read_dataset
from coursekit.data.signs import SIGN_CLASSES, SignCrops, SignScenes, write_signs

CROP_LABELS = [5, 16, 10, 6, 1, 8, 12, 14, 13, 9, 2, 16, 3, 16, 0, 11, 11, 0, 16, 2, 16, 15, 4, 1]


def test_crop_labels_are_the_same_everywhere():
    crops = SignCrops(24, seed=2, background=20)
    assert [crops.label(i) for i in range(24)] == CROP_LABELS


def test_crops_are_even_and_show_their_sign():
    crops = SignCrops(64, seed=1)
    labels = [crops[i][1] for i in range(64)]
    assert sorted(labels[:16]) == list(range(16))
    assert np.bincount(labels).tolist() == [4] * 16
    assert labels[:16] != labels[16:32]
    image, _ = crops[3]
    assert (image.shape, image.dtype) == ((3, 48, 48), torch.uint8)
    assert (SignCrops(64, seed=1)[3][0] == image).all()
    assert all((crops.plan(i).instances > 0).mean() > 0.15 for i in range(64))


def test_crops_never_lose_their_sign():
    crops = SignCrops(200, seed=1, size=16, difficulty="hard", turn=75, hidden=100)
    assert all(len(crops.plan(i).labels) == 1 for i in range(200))


@pytest.mark.parametrize("size", [64, 90, 640, 1024])
def test_scenes_of_other_sizes(size):
    image, target = SignScenes(3, seed=1, size=size, difficulty="hard", most=3)[1]
    assert image.shape == (3, size, size)
    assert target["boxes"].max() <= size


def test_crops_with_background():
    crops = SignCrops(200, seed=1, background=30, size=24)
    labels = [crops.label(i) for i in range(200)]
    assert crops.classes == (*SIGN_CLASSES, "background")
    assert 40 < labels.count(16) < 80
    assert crops.plan(labels.index(16)).instances.sum() == 0
    assert crops[labels.index(16)][0].shape == (3, 24, 24)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SignScenes(-1), "length must be a whole number of at least 0, got -1"),
        (lambda: SignScenes(2.0), "length must be a whole number"),
        (lambda: SignScenes(2, seed=-1), "seed must be a whole number of at least 0, got -1"),
        (lambda: SignScenes(2, size=32), "size must be a whole number of at least 64, got 32"),
        (lambda: SignScenes(2, size=4096), "size must be at most 1024, got 4096"),
        (lambda: SignScenes(2, difficulty="extreme"), "difficulty must be one of easy, medium, hard or a Difficulty, got 'extreme'"),
        (lambda: SignScenes(2, difficulty=3), "difficulty must be one of"),
        (lambda: SignScenes(2, fog=3), "a knob must be one of .*, got fog"),
        (lambda: SignScenes(2, turn=90), "turn must be between 0 and 75, got 90"),
        (lambda: SignScenes(2, most=-1), "most and clutter must be 0 or more"),
        (lambda: SignScenes(2, smallest=200), "smallest must be 8 or more and largest no less than it, got 200 and 140"),
        (lambda: SignScenes(2, octaves=()), "octaves must be weights"),
        (lambda: SignScenes(2, classes=("stop", "cat")), r"classes must be different names of SIGN_CLASSES .*, got \('stop', 'cat'\)"),
        (lambda: SignScenes(2, classes=()), "classes must be"),
        (lambda: SignScenes(2, classes=("stop", "stop")), "classes must be different"),
        (lambda: SignCrops(2, size=8), "size must be a whole number of at least 16, got 8"),
        (lambda: SignCrops(2, background=101), "background must be a percentage between 0 and 100, got 101"),
    ],
)
def test_bad_arguments_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("index", [3, -4])
def test_an_index_outside_is_an_index_error(index):
    with pytest.raises(IndexError, match=rf"index must be in -3 .. 2, got {index}"):
        SignScenes(3)[index]


def test_plans_and_pictures_need_no_torch_and_no_network():
    code = (
        "import socket, sys\nsocket.socket.connect = None\n"
        "from coursekit.data.signs import SignScenes\n"
        "for i in range(30): SignScenes(30, seed=1, size=64).scene(i)\n"
        "print([name for name in ('torch', 'skimage', 'sklearn', 'pooch', 'cv2') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_datasets_travel_to_workers():
    scenes = SignScenes(4, seed=1, difficulty="easy", masks=True)
    copy = pickle.loads(pickle.dumps(scenes))
    assert (copy[2][0] == scenes[2][0]).all()
    loader = torch.utils.data.DataLoader(SignCrops(8, seed=1), batch_size=4, num_workers=1)
    images, labels = next(iter(loader))
    assert images.shape == (4, 3, 48, 48)
    assert labels.tolist() == [SignCrops(8, seed=1).label(i) for i in range(4)]


def test_iterating_ends():
    assert len(list(SignCrops(3, size=16))) == 3


@pytest.mark.parametrize("format", ["voc", "coco", "yolo"])
def test_written_scenes_are_read_back(tmp_path, format):
    folder = write_signs(tmp_path / "signs", 6, seed=2, format=format, size=96, difficulty="easy", empty=40)
    back = read_dataset(folder, split="train")
    scenes = SignScenes(6, seed=2, size=96, difficulty="easy", empty=40)
    assert len(back.images) == 6
    assert back.problems == []
    for index, record in enumerate(sorted(back.images, key=lambda record: record.path.name)):
        scene = scenes.scene(index)
        np.testing.assert_allclose(record.boxes, scene.boxes, atol=1e-3)
        assert [back.classes[k] for k in record.labels] == [SIGN_CLASSES[k] for k in scene.labels]
        np.testing.assert_array_equal(np.asarray(Image.open(record.path)), scene.image)
