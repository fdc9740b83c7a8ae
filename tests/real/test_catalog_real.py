"""The catalog on real archives, put by hand where a download would put them."""

import pytest

from coursekit.data.catalog import card, content_hash, get, load
from coursekit.data.labelled import labelled_images


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path))
    return tmp_path


def test_fashion_mnist_has_the_published_hashes(real_data, home):
    archives = home / "fashion-mnist" / "archives"
    archives.mkdir(parents=True)
    for file in (real_data / "fashion_mnist").glob("*.gz"):
        (archives / file.name).write_bytes(file.read_bytes())
    train, test = load("fashion-mnist", "train"), load("fashion-mnist", "test")
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.targets.bincount().tolist() == [6000] * 10


def test_a_bccd_that_is_here_already(real_data, home):
    folder = get("bccd", folder=real_data / "bccd" / "BCCD")
    assert content_hash(folder) == card("bccd").content
    assert len(load("bccd", "test", folder=folder)) == 72


def test_four_archives_in_one_folder_are_fashion_mnist(real_data, home):
    """What somebody has who fetched them in the browser; nothing is written beside them."""
    train, val, test = (labelled_images("fashion-mnist", split, folder=real_data / "fashion_mnist") for split in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (50_010, 9_990, 10_000)
    assert train.images.shape[1:] == (1, 28, 28)
    assert train.classes[9] == "Ankle boot"
    assert test.labels.bincount().tolist() == [1000] * 10
    assert abs(float(test.images.float().mean()) - 73.15) < 0.01  # as its card says
