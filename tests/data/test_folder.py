import pytest
import torch
from PIL import Image

from coursekit.data.folder import FolderDataset
from coursekit.data.records import Annotations, ImageRecord


@pytest.fixture
def dataset(tmp_path):
    for name in ("a", "b"):
        Image.new("L", (6, 4), 200).save(tmp_path / f"{name}.png")
    images = [
        ImageRecord(tmp_path / "a.png", 11, 6, 4, [[0, 0, 2, 3]], [1], area=[5], iscrowd=[1], difficult=[1]),
        ImageRecord(tmp_path / "b.png", 12, 6, 4, [], []),
    ]
    return FolderDataset(Annotations(("x", "y"), images))


def test_a_sample_is_torchvisions(dataset):
    image, target = dataset[0]
    assert (image.shape, image.dtype, image.unique().tolist()) == ((3, 4, 6), torch.uint8, [200])
    assert target["boxes"].tolist() == [[0, 0, 2, 3]]
    assert {name: (value.tolist(), value.dtype) for name, value in target.items() if name not in ("boxes", "image_id")} == {
        "labels": ([1], torch.int64), "area": ([5], torch.float32), "iscrowd": ([1], torch.int64),
    }  # fmt: skip
    assert (target["image_id"], type(target["image_id"])) == (11, int)
    assert (len(dataset), dataset.classes) == (2, ("x", "y"))


def test_no_objects(dataset):
    _, target = dataset[1]
    assert {name: tuple(target[name].shape) for name in ("boxes", "labels", "area", "iscrowd")} == {
        "boxes": (0, 4), "labels": (0,), "area": (0,), "iscrowd": (0,),
    }  # fmt: skip
    assert target["boxes"].dtype == torch.float32


def test_iterating_ends_and_leaves_the_annotations_alone(dataset):
    for _, target in dataset:
        target["boxes"] += 100
    assert dataset.annotations.images[0].boxes.tolist() == [[0, 0, 2, 3]]


def test_a_picture_that_changed_or_broke_is_named(dataset):
    path = dataset.annotations.images[0].path
    Image.new("L", (8, 8)).save(path)
    with pytest.raises(ValueError, match=r"a\.png: the picture is 8 x 8 now, it was 6 x 4"):
        dataset[0]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"a\.png: "):
        dataset[0]
