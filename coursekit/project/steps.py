"""The four steps of the project, begun in notebooks 04, 05, 12 and 20 and gathered by 24_project: one small JSON file each.

    my-project/steps/data_card.json    what the data is            DataCard.to_dict()
    my-project/steps/baseline.json     what costs nothing          metric, models {name: scores by seed}, seeds, settings
    my-project/steps/ablation.json     what each change brings     ablation_table(...).to_dict()
    my-project/steps/ap_report.json    how good it is, and for whom    notebook 20's report card; a confusion matrix for classification

What is inside is yours; these fields are what the report's template can fill in.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import write_json

STEPS = ("data_card", "baseline", "ablation", "ap_report")
FROM = {"data_card": "04_data", "baseline": "05_training_loop", "ablation": "12_transfer", "ap_report": "20_map"}
LARGEST = 5_000_000  # bytes of one step
DEPTH = 50


def save_step(name: str, data: Mapping[str, Any], folder: str | Path = "project") -> Path:
    """Write one step down.

    Args:
        name: one of `STEPS`.
        data: by field. NumPy's numbers and arrays, tensors, tuples, sets and paths become plain JSON.
        folder: of the project; made if need be.

    Returns:
        The file, ``folder/steps/NAME.json``. An earlier one is replaced, all or nothing.

    Raises:
        ValueError: for another name, for data that is no dict, and naming a field that JSON cannot hold, such as NaN.
    """
    path = _path(name, folder)
    if not isinstance(data, Mapping):
        raise ValueError(f"data of {name} must be a dict of what you want to keep, got {type(data).__name__}")
    write_json(path, _plain(data, name))
    return path


def read_steps(folder: str | Path = "project") -> dict[str, dict]:
    """The steps that are there, by name, in their order; without a folder none.

    Raises:
        ValueError: naming the file that is no such step.
    """
    return {name: _read(path) for name in STEPS if (path := _path(name, folder)).is_file()}


def missing_steps(folder: str | Path = "project") -> list[str]:
    """Names of the steps that are still to do: no file, or one that holds nothing. `FROM` says which notebook begins each."""
    there = read_steps(folder)
    return [name for name in STEPS if not there.get(name)]


def _path(name: str, folder: str | Path) -> Path:
    if name not in STEPS:
        raise ValueError(f"name must be one of {', '.join(STEPS)}, got {name!r}")
    return Path(folder) / "steps" / f"{name}.json"


def _read(path: Path) -> dict:
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path}: a step has at most {LARGEST // 1_000_000} MB")
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: must be text in UTF-8") from None
    except (ValueError, RecursionError) as error:
        where = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"{path}{where}: is no JSON; write it with save_step") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path}: must hold a JSON object, got {type(data).__name__}")
    return data


def _plain(value: Any, where: str, depth: int = 0) -> Any:
    """Value as JSON has it."""
    if depth > DEPTH:
        raise ValueError(f"{where[:80]} is nested deeper than {DEPTH} levels, or holds itself")
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [_plain(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(items)]
    if hasattr(value, "tolist"):  # arrays, NumPy's numbers, tensors
        return _plain(value.tolist(), where, depth + 1)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}, which JSON does not have: write None, or what the number stands for")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Path):
        return value.as_posix()
    raise ValueError(f"{where} must be text, a number, a list or a dict, got {type(value).__name__}")
