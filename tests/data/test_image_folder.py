import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torchvision.transforms.v2.functional import pil_to_tensor

from coursekit.data.image_folder import ImageFolder, is_picture, save_picture, write_colleagues_folder, write_image_folder
from coursekit.data.images import PictureError
from coursekit.exercises.n04_data import folder_cases, make_folder


def pixels(height=3, width=4, seed=0):
    return torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.mark.parametrize(
    "case", [c for c in folder_cases(torch.Generator().manual_seed(2)) if c[0] != "a class without a picture yet"], ids=lambda case: case[0]
)
def test_image_folder_equals_torchvisions(tmp_path, case):
    _, (content, _) = case
    make_folder(tmp_path, content)
    for hidden in tmp_path.glob(".*"):  # theirs makes a class of a hidden folder, and opens hidden files
        for file in hidden.iterdir():
            file.unlink()
        hidden.rmdir()
    for hidden in tmp_path.rglob("._*"):
        hidden.unlink()
    ours = ImageFolder(tmp_path)
    theirs = torchvision.datasets.ImageFolder(tmp_path, transform=pil_to_tensor)
    assert list(ours.classes) == theirs.classes
    assert [(str(path), label) for path, label in ours.samples] == theirs.samples
    assert ours.labels.tolist() == theirs.targets
    for (image, label), (their_image, their_label) in zip(ours, theirs, strict=True):
        assert torch.equal(image, their_image)
        assert (type(label), label) == (int, their_label)


def test_a_class_without_pictures_keeps_its_label_where_torchvision_refuses(tmp_path):
    save_picture(pixels(), tmp_path / "stop" / "1.png")
    (tmp_path / "bend").mkdir()
    found = ImageFolder(tmp_path)
    assert found.classes == ("bend", "stop")
    assert found.labels.tolist() == [1]
    with pytest.raises(FileNotFoundError):
        torchvision.datasets.ImageFolder(tmp_path)


def test_transparency_is_laid_over_white_and_rotation_applied_where_torchvision_ignores_both(tmp_path):
    (tmp_path / "a").mkdir()
    Image.new("RGBA", (2, 2), (0, 0, 0, 0)).save(tmp_path / "a" / "clear.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 2)).save(tmp_path / "a" / "turned.jpg", exif=exif)
    clear, turned = (image for image, _ in ImageFolder(tmp_path))
    assert (clear == 255).all()
    assert turned.shape == (3, 4, 2)


def test_the_transform_stands_between_file_and_sample(tmp_path):
    image = pixels()
    save_picture(image, tmp_path / "a" / "1.png")
    (found, label) = ImageFolder(tmp_path, transform=lambda chw: chw.flip(2))[0]
    assert torch.equal(found, image.flip(2))
    assert label == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "nowhere", "root must be a folder that holds a folder for each class"),
        (lambda root: root, "found 0 folders and no picture"),
        (lambda root: (root / "a").mkdir() or root, "found 1 folder and no picture"),
    ],
)
def test_a_folder_that_holds_nothing_is_named(tmp_path, make, message):
    with pytest.raises(ValueError, match=message):
        ImageFolder(make(tmp_path))


def test_a_damaged_picture_is_named_when_it_is_asked_for(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "broken.png").write_bytes(b"\x89PNG")
    dataset = ImageFolder(tmp_path)
    with pytest.raises(PictureError, match=r"broken\.png"):
        dataset[0]


@pytest.mark.parametrize(
    ("name", "expected"), [("a.png", True), ("a.JPG", True), ("._a.png", False), (".png", False), ("a.txt", False), ("png", False)]
)
def test_what_counts_as_a_picture(tmp_path, name, expected):
    (tmp_path / name).write_text("")
    assert is_picture(tmp_path / name) is expected


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_read_back(tmp_path, channels):
    samples = [(pixels(seed=seed)[:channels], label) for seed, label in enumerate([1, 0, 1])]
    dataset = ImageFolder(write_image_folder(samples, ("a", "b", "c"), tmp_path))
    assert dataset.classes == ("a", "b", "c")
    assert [path.name for path, _ in dataset.samples] == ["00000.png", "00000.png", "00001.png"]
    for (image, label), original in zip(dataset, (1, 0, 2), strict=True):
        assert torch.equal(image, samples[original][0].expand(3, -1, -1))
        assert label == samples[original][1]


def test_the_colleagues_folder_holds_what_it_says(tmp_path):
    root = write_colleagues_folder(tmp_path / "signs")
    dataset = ImageFolder(root)
    assert dataset.classes == ("bend", "no_entry", "parking", "speed_30", "stop", "yield")
    assert torch.bincount(dataset.labels).tolist() == [8, 21, 4, 12, 40, 30]
    images = {f"{path.parent.name}/{path.name}": image for (path, _), (image, _) in zip(dataset.samples, dataset, strict=True)}
    assert torch.equal(images["no_entry/00003.png"], images["no_entry/00020.png"])
    darkest = min(images, key=lambda name: images[name].float().mean())
    assert darkest == "yield/00005.png"
    grey = images["bend/00001.png"]
    assert torch.equal(grey[0], grey[1])
    assert "bend/00002.PNG" in images
    sides = [image.shape[1] for image in images.values()]
    assert (min(sides) >= 24, max(sides) <= 80) == (True, True)
    again = ImageFolder(write_colleagues_folder(tmp_path / "again"))
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(dataset, again, strict=True))
