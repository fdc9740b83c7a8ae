"""The catalog on real archives, put by hand where a download would put them."""

import pytest

from coursekit.data.catalog import card, content_hash, get, load


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
