"""A detector as a model repository: the folder that NVIDIA's Triton serves from. Goes with notebook 23_deployment.

    write_repository(load("signs_n"), "models")

    models/detector/config.pbtxt      what goes in and out, how requests are batched, the names of the classes
    models/detector/1/model.py        `backend`, a copy: Triton's python backend runs it
    models/detector/1/model.onnx      the network with preprocessing and suppression inside, see `yolo.export`
    models/detector/2/...             the next version: what a later call writes

A version is never overwritten, and appears whole or not at all, so a running server may look into the folder at any moment.
https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_configuration.md
"""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
BACKEND = Path(__file__).with_name("backend.py")


def write_repository(
    model,
    folder: Path | str,
    name: str = "detector",
    version: int | None = None,
    max_batch: int = 8,
    max_delay_ms: float = 2.0,
    instances: int = 1,
    threads: int = 1,
    confidence: float = 0.25,
    iou: float = 0.6,
    limit: int = 100,
) -> Path:
    """Write ``model`` as the next version into the model repository ``folder``, which is made where it is missing.

    Args:
        model: a `YOLO`; weights as `yolo.load` takes them; or an ``.onnx`` file of `export_onnx` with preprocess and nms, which is
            copied, and brings its own confidence, iou and limit.
        name: of the model in the repository; letters, digits and ``_.-``.
        version: 1, 2, ...; None takes the one after the last.
        max_batch, max_delay_ms: pictures that go through the network together at most, and milliseconds that the first of them waits
            for others while an instance is free.
        instances, threads: processes that run the network side by side, and threads of each. Their product should not exceed the cores.
        confidence, iou, limit: of the suppression inside, see `decode.detections`.

    Returns:
        The repository, ``folder``.

    Raises:
        ValueError: for a number out of its range, a version that is there, a file without preprocessing and suppression, or other
            classes than the versions before have: who asks by name would get other things under the same label.
    """
    numbers = {"max_batch": max_batch, "instances": instances, "threads": threads, "version": 1 if version is None else version}
    for key, value in numbers.items():
        if value < 1:
            raise ValueError(f"{key} must be at least 1, got {value}")
    if not 0 <= max_delay_ms < float("inf"):
        raise ValueError(f"max_delay_ms must be at least 0, got {max_delay_ms}")
    if not NAME.fullmatch(name):
        raise ValueError(f"name must be letters, digits and any of _ . - after the first, got {name!r}")
    folder = Path(folder)
    place = folder / name
    if version in versions(folder, name):
        raise ValueError(f"version {version} of {name} stands in {folder} already, and is not overwritten; leave version out for the next")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="coursekit-") as temporary:
        facts = _onnx_file(model, Path(temporary) / "model.onnx", confidence, iou, limit)
        _check_classes(place, folder, name, facts["classes"])
        config = config_text(name, facts["classes"], facts["imgsz"], max_batch, max_delay_ms, instances, threads)
        _add(Path(temporary) / "model.onnx", place, config, version)
    return folder


def versions(folder: Path | str, name: str = "detector") -> list[int]:
    """Versions of a model in a repository, ascending; none where there is no such model."""
    place = Path(folder) / name
    names = (entry.name for entry in place.iterdir() if entry.is_dir()) if place.is_dir() else ()
    return sorted(int(entry) for entry in names if re.fullmatch(r"[1-9][0-9]*", entry))


def models(folder: Path | str) -> list[str]:
    """Names of the models in a repository: folders with a configuration and a version."""
    names = sorted(entry.parent.name for entry in Path(folder).glob("*/config.pbtxt"))
    return [name for name in names if NAME.fullmatch(name) and versions(folder, name)]


def model_file(folder: Path | str, name: str = "detector", version: int | None = None) -> Path:
    """The ONNX file of a version, by default of the newest.

    Raises:
        ValueError: where there is none.
    """
    there = versions(folder, name)
    if not there or version not in (None, *there):
        raise ValueError(f"{folder} holds no {f'version {version}' if version else 'version'} of {name}; `coursekit serve` writes one")
    return Path(folder) / name / str(version or there[-1]) / "model.onnx"


def onnx_facts(path: Path | str) -> dict:
    """What an exported detector says about itself: ``classes``, ``imgsz``, ``preprocess``, ``nms`` ..., see `export_onnx`.

    Raises:
        ValueError: for a file that is no ONNX, or not one of `export_onnx`.
    """
    from ..yolo.export import need

    need("onnx")
    import onnx

    try:
        facts = {entry.key: json.loads(entry.value) for entry in onnx.load(str(path), load_external_data=False).metadata_props}
    except OSError:
        raise
    except Exception:  # what a damaged file makes of its parser is no business of who asked
        raise ValueError(f"{path} is no ONNX file of coursekit; `coursekit export --preprocess --nms` writes one") from None
    if not {"classes", "imgsz", "preprocess", "nms"} <= facts.keys():
        raise ValueError(f"{path} is no detector of coursekit; `coursekit export --preprocess --nms` writes one")
    return facts


def config_text(name: str, classes, imgsz: int, max_batch: int = 8, max_delay_ms: float = 2.0, instances: int = 1, threads: int = 1) -> str:
    """The text of ``config.pbtxt``: Triton's ``ModelConfig`` in protobuf's text format.

    Each output begins with the pictures of the request, which Triton adds to the dims here. ``count`` has nothing else; a dimension must
    stand there all the same, and the answers come without it. Ragged: requests whose pictures differ in size may be handed over
    together; `backend` sorts them. Two versions are served, the newest to whoever does not ask for one: a client can compare it with
    the one before, and go back to it.
    """
    parameters = {"classes": json.dumps(list(classes), ensure_ascii=False), "imgsz": str(imgsz), "threads": str(threads)}
    lines = [f"parameters {{ key: {quote(key)} value {{ string_value: {quote(value)} }} }}" for key, value in parameters.items()]
    return f"""name: {quote(name)}
backend: "python"
max_batch_size: {max_batch}
input [
  {{ name: "pixels" data_type: TYPE_UINT8 dims: [ -1, -1, 3 ] allow_ragged_batch: true }}
]
output [
  {{ name: "boxes" data_type: TYPE_FP32 dims: [ -1, 4 ] }},
  {{ name: "scores" data_type: TYPE_FP32 dims: [ -1 ] }},
  {{ name: "labels" data_type: TYPE_INT64 dims: [ -1 ] }},
  {{ name: "count" data_type: TYPE_INT64 dims: [ -1 ] }}
]
dynamic_batching {{ max_queue_delay_microseconds: {round(max_delay_ms * 1000)} }}
instance_group [ {{ kind: KIND_CPU count: {instances} }} ]
version_policy {{ latest {{ num_versions: 2 }} }}
{chr(10).join(lines)}
"""


def quote(text: str) -> str:
    """``text`` as a string of protobuf's text format: quotes, backslashes and control characters escaped, other letters as they are."""
    plain = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(plain.get(sign, f"\\{ord(sign):03o}" if ord(sign) < 32 or ord(sign) == 127 else sign) for sign in text) + '"'


def _onnx_file(model, path: Path, confidence: float, iou: float, limit: int) -> dict:
    """Make the ONNX file at ``path``; what it says about itself."""
    if isinstance(model, str | Path) and Path(model).suffix.lower() == ".onnx":
        facts = onnx_facts(model)
        if not facts["preprocess"] or not facts["nms"]:
            raise ValueError(f"{model} was exported without preprocessing or suppression; export it with --preprocess --nms")
        shutil.copyfile(model, path)
        return facts
    from ..yolo.export import export_onnx
    from ..yolo.predict import load

    export_onnx(load(model) if isinstance(model, str | Path) else model, path, True, True, confidence, iou, limit)
    return onnx_facts(path)


def _check_classes(place: Path, folder: Path, name: str, classes: list[str]) -> None:
    before = versions(folder, name)
    known = onnx_facts(place / str(before[-1]) / "model.onnx")["classes"] if before else classes
    if known != classes:
        told = [", ".join(map(repr, names[:5])) + ", ..." * (len(names) > 5) for names in (classes, known)]
        raise ValueError(f"this model finds {told[0]}, but {name} in {folder} finds {told[1]}; give it another name or repository")


def _add(onnx_file: Path, place: Path, config: str, version: int | None) -> None:
    """Lay the version out beside its place, on the same disk, then rename: a server sees all of it or nothing.

    Triton takes only folders whose name is a number for versions; in the repository itself it would take any folder for a model, and
    refuse to start because of it.
    """
    place.mkdir(exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=place))
    try:
        shutil.copyfile(onnx_file, fresh / "model.onnx")
        shutil.copyfile(BACKEND, fresh / "model.py")
        fresh.chmod(0o755)  # a temporary folder is its maker's alone; the server may be somebody else
        there = place / "config.pbtxt"
        if not there.is_file() or there.read_text(encoding="utf-8") != config:
            (fresh / there.name).write_text(config, encoding="utf-8")
            os.replace(fresh / there.name, there)  # first: a version without its configuration would be served by guesswork
        _rename_version(fresh, place, version)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _rename_version(fresh: Path, place: Path, version: int | None) -> None:
    """To the wished number, or to the next that is free: another process may have taken one meanwhile."""
    while True:
        number = version or max(versions(place.parent, place.name), default=0) + 1
        try:
            return os.rename(fresh, place / str(number))  # fails where a folder with files stands
        except OSError:
            if version or not (place / str(number)).exists():
                raise
