"""A file means the same whether it is read in pieces or as a whole."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.metrics import coco_files
from coursekit.metrics.coco_files import pieces, read_coco, read_json
from coursekit.metrics.coco_json import from_coco


def written(path, content, **options):
    path.write_text(content if isinstance(content, str) else json.dumps(content, **options), encoding="utf-8")
    return path


def assert_same(ours, theirs):
    assert (ours.images, ours.categories, ours.names, ours.notes) == (theirs.images, theirs.categories, theirs.names, theirs.notes)
    for part in ("truths", "found"):
        for name, values in vars(getattr(ours, part)).items():
            np.testing.assert_array_equal(values, getattr(getattr(theirs, part), name), err_msg=f"{part}.{name}")


@pytest.mark.parametrize("indent", [None, 2])
def test_pieces_of_any_size_give_the_same_inputs(make_problem, tmp_path, monkeypatch, indent):
    cut = 0
    for seed in range(12):
        truth, found = make_problem(seed)
        found = [row | {"segmentation": {"counts": "ab},{c", "size": [3, 4]}} if seed % 3 == 0 else row for row in found]
        files = written(tmp_path / "gt.json", truth, indent=indent), written(tmp_path / "dt.json", found, indent=indent)
        for size in (7, 100, 10_000):
            monkeypatch.setattr(pieces, "__defaults__", (size,))
            assert_same(read_coco(*files), from_coco(truth, found))
        cut += seed % 3 != 0 and len(list(pieces(files[1], 100))) > 1
    assert cut > 4  # so it was really read in pieces


rows = st.recursive(
    st.one_of(st.integers(), st.text('{}[],:" \\x', max_size=6)),
    lambda child: st.one_of(st.lists(child, max_size=3), st.dictionaries(st.text('}{," ', max_size=2), child, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(value=st.lists(st.dictionaries(st.text("ab}", max_size=2), rows, max_size=3), max_size=8), size=st.integers(1, 60))
def test_pieces_are_the_list_or_refuse(tmp_path_factory, value, size):
    path = written(tmp_path_factory.mktemp("pieces") / "list.json", value)
    try:
        parts = list(pieces(path, size))
    except coco_files._InOnePiece:
        return
    assert [row for part in parts for row in part] == value


@pytest.mark.parametrize(
    "text", ['[{"a": 1},]', '[{"a": 1},{"b": 2},]', '[{"a": 1}] []', '[{"a": 1},,{"b": 2}]', '[{"a": 1}', "", '{"a": [1]}']
)
@pytest.mark.parametrize("size", [1, 4, 11, 1000])
def test_what_is_no_list_is_never_accepted_in_pieces(tmp_path, text, size):
    with pytest.raises(coco_files._InOnePiece):
        list(pieces(written(tmp_path / "no.json", text), size))


def test_a_dict_of_detections_and_a_byte_order_mark(make_problem, tmp_path):
    truth, found = make_problem(3)
    (tmp_path / "gt.json").write_text(json.dumps(truth), encoding="utf-8-sig")
    (tmp_path / "dt.json").write_text(json.dumps({"annotations": found}), encoding="utf-8-sig")
    assert_same(read_coco(tmp_path / "gt.json", tmp_path / "dt.json"), from_coco(truth, found))


def test_numbers_in_messages_count_over_pieces(tmp_path, monkeypatch):
    truth = {"images": [{"id": 1}], "categories": [{"id": 1}], "annotations": []}
    found = [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5} for _ in range(9)]
    monkeypatch.setattr(pieces, "__defaults__", (80,))
    for change, message in (
        ({"score": "high"}, "detection number 8 must have a number as score"),
        ({"bbox": [1]}, "detection number 8 must have bbox"),
        ({"image_id": 5}, "1 of 9 detections are of images that the ground truth does not list, the first of image 5"),
    ):
        files = written(tmp_path / "gt.json", truth), written(tmp_path / "dt.json", [*found[:7], found[7] | change, found[8]])
        with pytest.raises(ValueError, match=message):
            read_coco(*files)
    changed = [*found[:7], {"category_id": 1}, found[8]]
    with pytest.raises(ValueError, match="must have image_id; row 8 has only"):
        read_coco(files[0], written(tmp_path / "dt.json", changed))


def test_outlines_are_not_kept(tmp_path):
    path = written(tmp_path / "gt.json", {"annotations": [{"id": 1, "segmentation": [[1, 2, 3]], "bbox": [0, 0, 1, 1]}]})
    assert read_json(path, skip="segmentation") == {"annotations": [{"id": 1, "bbox": [0, 0, 1, 1]}]}
    assert "segmentation" in read_json(path)["annotations"][0]


def test_memory_stays_that_of_the_arrays(tmp_path):
    """A list of 100,000 detections is about 70 MB of dicts; in pieces the largest moment is under 30."""
    import tracemalloc

    truth = {"images": [{"id": 1}], "categories": [{"id": 1}], "annotations": []}
    found = [{"image_id": 1, "category_id": 1, "bbox": [n * 0.5, 0.25, 10.5, 11.25], "score": n / 1e5} for n in range(100_000)]
    files = written(tmp_path / "gt.json", truth), written(tmp_path / "dt.json", found)
    del found
    tracemalloc.start()
    inputs = read_coco(*files)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(inputs.found) == 100_000
    assert peak < 30e6
