import pytest
import torch

from coursekit.data import catalog
from coursekit.data.signs import write_signs
from coursekit.yolo.samples import common_size, open_data, without_crowds


def test_an_unknown_split_of_the_generated_world():
    with pytest.raises(ValueError, match="split of signs must be one of train, val, test, got 'dev'"):
        open_data("signs", "dev")


def test_crowds_are_no_examples():
    target = {"boxes": torch.arange(8.0).reshape(2, 4), "labels": torch.tensor([0, 1]), "iscrowd": torch.tensor([1, 0]), "image_id": 3}
    assert without_crowds([target])[0]["labels"].tolist() == [1]


def test_the_canvas_follows_the_pictures():
    wide = [(torch.zeros(3, 48, 64, dtype=torch.uint8), {})]
    assert common_size(wide, 64) == (64, 64)  # 48 of 64, rounded up to a multiple of 32
    assert common_size(wide, 128) == (96, 128)


def test_a_dataset_of_the_catalog_is_opened_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(catalog, "get", lambda name: write_signs(tmp_path / f"files of {name}", 2, size=64))
    assert len(open_data("bccd", "train")) == 2
    with pytest.raises(ValueError, match="nothing"):
        open_data("nothing", "train")
