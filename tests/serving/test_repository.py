"""A model repository as Triton reads it: configuration, versions that only grow, nothing half done."""

import ast
import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.serving import repository
from coursekit.serving.repository import BACKEND, config_text, model_file, models, onnx_facts, quote, versions, write_repository

onnx = pytest.importorskip("onnx")
CLASSES = ["stop", 'the "thing"', "표지판", "back\\slash", "two\nlines", "tab\t\x7f\x01"]


def onnx_file(path: Path, classes=tuple(CLASSES), preprocess=True, nms=True, imgsz=64) -> Path:
    """What an export looks like from outside; the network is a plain copy."""
    model = onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 18]> g (float[N] x) => (float[N] y) { y = Identity(x) }')
    numbers = {"confidence": 0.25, "iou": 0.6, "limit": 100} if nms else False
    facts = {"classes": list(classes), "imgsz": imgsz, "strides": [8], "preprocess": preprocess, "nms": numbers}
    onnx.helper.set_model_props(model, {key: json.dumps(value, ensure_ascii=False) for key, value in facts.items()})
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def exported(tmp_path):
    return onnx_file(tmp_path / "last.onnx")


def parsed(text: str):
    """The configuration as protobuf reads it."""
    config = pytest.importorskip("tritonclient.grpc.model_config_pb2").ModelConfig()
    from google.protobuf import text_format

    return text_format.Parse(text, config)


def test_the_configuration_says_what_goes_in_and_out_and_how_requests_wait():
    config = parsed(config_text("detector", ["stop"], 256, max_batch=4, max_delay_ms=1.5, instances=2, threads=3))
    assert (config.name, config.backend, config.max_batch_size) == ("detector", "python", 4)
    assert [(put.name, put.data_type, list(put.dims), put.allow_ragged_batch) for put in config.input] == [("pixels", 2, [-1, -1, 3], True)]
    kinds = {put.name: (put.data_type, len(put.dims)) for put in config.output}
    assert kinds == {"boxes": (11, 2), "scores": (11, 1), "labels": (9, 1), "count": (9, 1)}  # 2 uint8, 9 int64, 11 float32
    assert config.dynamic_batching.max_queue_delay_microseconds == 1500
    assert [(group.kind, group.count) for group in config.instance_group] == [(2, 2)]  # 2: on the CPU
    assert config.version_policy.latest.num_versions == 2
    told = {key: value.string_value for key, value in config.parameters.items()}
    assert told == {"classes": '["stop"]', "imgsz": "256", "threads": "3"}


@pytest.mark.parametrize("text", ["", "plain", *CLASSES], ids=repr)
def test_a_string_survives_protobufs_text_format(text):
    assert parsed(f"name: {quote(text)}").name == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=4))
def test_names_of_classes_survive(names):
    config = parsed(config_text("detector", names, 64))
    assert json.loads(config.parameters["classes"].string_value) == names


def test_the_first_version_and_the_next(exported, tmp_path):
    folder = write_repository(exported, tmp_path / "deep" / "models")
    first = (folder / "detector" / "1" / "model.onnx").read_bytes()
    assert folder == tmp_path / "deep" / "models"
    assert first == exported.read_bytes()
    assert (folder / "detector" / "1" / "model.py").read_bytes() == BACKEND.read_bytes()
    assert (
        json.loads(parsed((folder / "detector" / "config.pbtxt").read_text(encoding="utf-8")).parameters["classes"].string_value) == CLASSES
    )
    other = onnx_file(tmp_path / "other.onnx", imgsz=96)
    write_repository(other, folder)
    assert versions(folder) == [1, 2]
    assert (folder / "detector" / "1" / "model.onnx").read_bytes() == first, "a version is never overwritten"
    assert (folder / "detector" / "2" / "model.onnx").read_bytes() == other.read_bytes()
    assert write_repository(other, folder, version=7) == folder
    write_repository(other, folder)
    assert versions(folder) == [1, 2, 7, 8]
    assert model_file(folder) == folder / "detector" / "8" / "model.onnx"
    assert model_file(folder, version=2) == folder / "detector" / "2" / "model.onnx"
    assert sorted(entry.name for entry in (folder / "detector").iterdir()) == ["1", "2", "7", "8", "config.pbtxt"], "nothing is left behind"


def test_what_is_no_version_and_what_is_no_model(exported, tmp_path):
    assert versions(tmp_path / "nowhere") == []
    assert models(tmp_path / "nowhere") == []
    folder = write_repository(exported, tmp_path / "models", name="signs-2.0")
    for odd in ("0", "01", "-1", "1.5", "new", ".new-x", "²"):
        (folder / "signs-2.0" / odd).mkdir()
    (folder / "signs-2.0" / "3").write_text("a file")
    for empty in ("without", ".hidden"):
        (folder / empty).mkdir()
    (folder / "half").mkdir()
    (folder / "half" / "config.pbtxt").touch()
    assert versions(folder, "signs-2.0") == [1]
    assert models(folder) == ["signs-2.0"]


def test_the_configuration_follows_the_last_call_and_is_left_alone_where_it_says_the_same(exported, tmp_path):
    config = write_repository(exported, tmp_path / "models") / "detector" / "config.pbtxt"
    before = config.stat().st_ino  # a file that is written gets a new one
    write_repository(exported, tmp_path / "models")
    assert config.stat().st_ino == before
    write_repository(exported, tmp_path / "models", max_batch=3)
    assert parsed(config.read_text(encoding="utf-8")).max_batch_size == 3


def test_a_version_appears_whole_after_its_configuration(exported, tmp_path, monkeypatch):
    seen, rename = [], os.rename

    def watched(source, target):
        if Path(target).name.isdigit():
            seen.append((sorted(entry.name for entry in Path(source).iterdir()), (Path(target).parent / "config.pbtxt").is_file()))
        rename(source, target)

    monkeypatch.setattr(repository.os, "rename", watched)
    write_repository(exported, tmp_path / "models")
    write_repository(exported, tmp_path / "models")
    assert seen == [(["model.onnx", "model.py"], True)] * 2


@pytest.mark.parametrize("there", [0, 1], ids=["the first version", "a later one"])
def test_a_disk_that_is_full_leaves_no_version_and_nothing_else(exported, tmp_path, monkeypatch, there):
    folder = tmp_path / "models"
    for _ in range(there):
        write_repository(exported, folder)
    copyfile = shutil.copyfile

    def full(source, target):
        if Path(target).name == "model.py":
            raise OSError(28, "No space left on device")
        return copyfile(source, target)

    monkeypatch.setattr(repository.shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        write_repository(exported, folder)
    assert versions(folder) == [1][:there]
    assert [entry.name for entry in folder.rglob(".new-*")] == []


def test_who_write_at_the_same_time_get_a_version_each(exported, tmp_path):
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: write_repository(exported, tmp_path / "models"), range(6)))
    assert versions(tmp_path / "models") == [1, 2, 3, 4, 5, 6]


def test_a_number_that_somebody_takes_in_the_last_moment(exported, tmp_path, monkeypatch):
    rename = os.rename

    def late(source, target):
        monkeypatch.setattr(repository.os, "rename", rename)
        write_repository(exported, tmp_path / "models")
        rename(source, target)

    monkeypatch.setattr(repository.os, "rename", late)
    write_repository(exported, tmp_path / "models")
    assert versions(tmp_path / "models") == [1, 2]
    monkeypatch.setattr(repository.os, "rename", late)
    with pytest.raises(OSError, match="models"):
        write_repository(exported, tmp_path / "models", version=3)
    assert versions(tmp_path / "models") == [1, 2, 3]
    assert [entry.name for entry in (tmp_path / "models").rglob(".new-*")] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_batch": 0}, "max_batch must be at least 1, got 0"),
        ({"max_delay_ms": -1}, "max_delay_ms must be at least 0, got -1"),
        ({"max_delay_ms": float("nan")}, "max_delay_ms must be at least 0, got nan"),
        ({"instances": 0}, "instances must be at least 1, got 0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"version": 0}, "version must be at least 1, got 0"),
        ({"name": ""}, "name must be letters, digits"),
        ({"name": "../up"}, "name must be letters, digits"),
        ({"name": ".hidden"}, "name must be letters, digits"),
        ({"name": "a\n"}, "name must be letters, digits"),
    ],
    ids=str,
)
def test_numbers_and_names_that_make_no_sense(exported, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        write_repository(exported, tmp_path / "models", **options)
    assert not (tmp_path / "models").exists()


def test_a_version_that_is_there_is_not_overwritten(exported, tmp_path):
    folder = write_repository(exported, tmp_path / "models", version=3)
    with pytest.raises(ValueError, match=r"version 3 of detector stands in .*models already, and is not overwritten"):
        write_repository(exported, folder, version=3)


def test_other_classes_under_the_same_name_are_refused(exported, tmp_path):
    folder = write_repository(exported, tmp_path / "models")
    other = onnx_file(tmp_path / "other.onnx", ["cat"])
    with pytest.raises(
        ValueError, match=r"this model finds 'cat', but detector in .*models finds 'stop', .*, \.\.\.; give it another name"
    ):
        write_repository(other, folder)
    write_repository(other, folder, name="cats")
    assert models(folder) == ["cats", "detector"]


@pytest.mark.parametrize("parts", [{"preprocess": False}, {"nms": False}], ids=str)
def test_a_file_without_the_parts_that_servers_need(tmp_path, parts):
    with pytest.raises(ValueError, match="exported without preprocessing or suppression"):
        write_repository(onnx_file(tmp_path / "raw.onnx", **parts), tmp_path / "models")


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x08\x0a\x72\x07\x0a\x01a\x12\x02{}"], ids=["empty", "text", "of others"])
def test_a_file_that_is_none_of_ours(tmp_path, content):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(ValueError, match=r"x.onnx is no (ONNX file|detector) of coursekit; `coursekit export"):
        onnx_facts(tmp_path / "x.onnx")


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_repository(tmp_path / "x.onnx", tmp_path / "models")
    with pytest.raises(ValueError, match="holds no version of detector; `coursekit serve` writes one"):
        model_file(tmp_path)
    write_repository(onnx_file(tmp_path / "last.onnx"), tmp_path / "models")
    with pytest.raises(ValueError, match="holds no version 4 of detector"):
        model_file(tmp_path / "models", version=4)


def test_a_model_is_exported_with_its_numbers(tmp_path, monkeypatch):
    import coursekit.yolo.export  # noqa: F401  so that there is something to replace

    asked = []

    def export_onnx(model, path, *numbers):
        asked.append((type(model).__name__, len(model.classes), numbers))
        onnx_file(path)

    monkeypatch.setattr(sys.modules["coursekit.yolo.export"], "export_onnx", export_onnx)
    folder = write_repository("signs_n", tmp_path / "models", confidence=0.1, iou=0.5, limit=7)
    assert asked == [("YOLO", 16, (True, True, 0.1, 0.5, 7))]
    assert versions(folder) == [1]


def test_the_backend_needs_nothing_that_tritons_environment_lacks():
    tree = ast.parse(BACKEND.read_text(encoding="utf-8"))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"json", "pathlib", "numpy", "onnxruntime", "triton_python_backend_utils"}
