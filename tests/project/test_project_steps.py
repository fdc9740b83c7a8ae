import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from coursekit.data.data_card import DataCard
from coursekit.project.steps import FROM, STEPS, missing_steps, read_steps, save_step


def test_a_folder_without_steps_lacks_all_of_them(tmp_path):
    assert read_steps(tmp_path / "none") == {}
    assert missing_steps(tmp_path / "none") == list(STEPS)
    assert set(FROM) == set(STEPS)


def test_steps_are_written_and_read_in_their_order(tmp_path):
    assert save_step("ap_report", {"AP": 0.5}, tmp_path) == tmp_path / "steps" / "ap_report.json"
    save_step("data_card", DataCard("signs", "detection", ("stop",), {"all": 3}, {"all": {"stop": 3}}).to_dict(), tmp_path)
    assert list(read_steps(tmp_path)) == ["data_card", "ap_report"]
    assert read_steps(tmp_path)["data_card"]["classes"] == ["stop"]
    assert missing_steps(tmp_path) == ["baseline", "ablation"]
    save_step("ap_report", {"AP": 0.6}, tmp_path)
    assert read_steps(tmp_path)["ap_report"] == {"AP": 0.6}
    assert [path.name for path in (tmp_path / "steps").iterdir() if path.name.startswith(".")] == []


def test_an_empty_step_is_still_to_do(tmp_path):
    save_step("baseline", {}, tmp_path)
    assert "baseline" in missing_steps(tmp_path)


def test_numbers_of_every_kind_become_plain(tmp_path):
    told = {
        "a": np.float32(0.5),
        "b": np.arange(3),
        "c": torch.ones(2),
        "d": (1, {2}),
        "e": Path("x/y"),
        3: True,
        "f": torch.tensor(4),
        "g": None,
    }
    save_step("baseline", told, tmp_path)
    plain = {"a": 0.5, "b": [0, 1, 2], "c": [1.0, 1.0], "d": [1, [2]], "e": "x/y", "3": True, "f": 4, "g": None}
    assert read_steps(tmp_path)["baseline"] == plain


loop: list = []
loop.append(loop)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"AP": math.nan}, r"ap_report\.AP is nan, which JSON does not have"),
        ({"per": [{"AP": math.inf}]}, r"ap_report\.per\[0\]\.AP is inf"),
        ({"a": torch.tensor([1.0, math.nan])}, r"ap_report\.a\[1\] is nan"),
        ({"a": object()}, r"ap_report\.a must be text, a number, a list or a dict, got object"),
        ({"a": loop}, "is nested deeper than 50 levels, or holds itself"),
        ([1], "data of ap_report must be a dict of what you want to keep, got list"),
    ],
    ids=["nan", "deep inf", "tensor", "object", "loop", "list"],
)
def test_what_json_cannot_hold_is_named(tmp_path, data, message):
    with pytest.raises(ValueError, match=message):
        save_step("ap_report", data, tmp_path)
    assert not (tmp_path / "steps").exists()


def test_another_name_is_refused(tmp_path):
    for name in ("report", "../data_card", ""):
        with pytest.raises(ValueError, match="name must be one of data_card, baseline, ablation, ap_report"):
            save_step(name, {}, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"baseline\.json:1: is no JSON"),
        (b"[1]", r"baseline\.json: must hold a JSON object, got list"),
        (b"\xff\xfe", r"baseline\.json: must be text in UTF-8"),
        (b'{"a": 1,\n}', r"baseline\.json:2: is no JSON; write it with save_step"),
        (b"[" * 200_000, r"baseline\.json: is no JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", r"baseline\.json: is no JSON"),
        (b" " * 5_000_001, "at most 5 MB"),
    ],
    ids=["empty", "list", "bytes", "comma", "deep", "digits", "large"],
)
def test_a_file_that_is_no_step_is_named(tmp_path, content, message):
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "baseline.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_steps(tmp_path)


def test_a_mark_at_the_beginning_does_no_harm(tmp_path):
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "baseline.json").write_text("\ufeff" + json.dumps({"a": 1}), encoding="utf-8")
    assert read_steps(tmp_path)["baseline"] == {"a": 1}
