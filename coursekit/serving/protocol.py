"""The server's side of the inference protocol over HTTP: bytes of a request -> pixels, a detector's outputs -> bytes. No server in it.

A request is JSON that describes its tensors; their numbers stand in it, or follow it as raw little-endian bytes (then a header tells
how long the JSON is). Goes with notebook 23_deployment.
Source: the KServe "Open Inference Protocol" version 2, and Triton's "binary tensor data extension".
"""

import json
import math
from dataclasses import dataclass

import numpy as np

LENGTH_HEADER = "Inference-Header-Content-Length"
LONGEST_SIDE = 1 << 20
OUTPUTS = {  # name: datatype, numpy's kind of it (little-endian), shape behind the batch
    "boxes": ("FP32", "<f4", (-1, 4)),
    "scores": ("FP32", "<f4", (-1,)),
    "labels": ("INT64", "<i8", (-1,)),
    "count": ("INT64", "<i8", ()),
}


@dataclass(frozen=True)
class InferRequest:
    """What was asked.

    Args:
        pixels: (B, H, W, 3) uint8.
        id: given back with the answer; "" for none.
        outputs: names of those wanted, and whether each is wanted as raw bytes.
    """

    pixels: np.ndarray
    id: str
    outputs: dict[str, bool]


def read_request(body: bytes, header_length: str | None = None) -> InferRequest:
    """Parse what a client sent to ``/v2/models/detector/infer``.

    Args:
        body: all of it.
        header_length: the text of the header `LENGTH_HEADER`: how many bytes of the body are JSON; None if all are.

    Raises:
        ValueError: one sentence on the first thing that is wrong.
    """
    length = len(body)
    if header_length is not None:
        if not (header_length.isascii() and header_length.isdigit() and len(header_length) < 19 and int(header_length) <= len(body)):
            raise ValueError(f"{LENGTH_HEADER} must be a number of bytes within the body of {len(body)}, got {header_length[:40]!r}")
        length = int(header_length)
    try:
        asked = json.loads(body[:length])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the request is no JSON that can be read ({str(error)[:80]})") from None
    inputs = _member(asked, "inputs", list, "the request")
    if len(inputs) != 1 or not isinstance(inputs[0], dict) or inputs[0].get("name") != "pixels":
        raise ValueError("the request must have one input, named 'pixels'")
    name = asked.get("id", "")
    if not isinstance(name, str):
        raise ValueError("id must be a text")
    return InferRequest(_pixels(inputs[0], memoryview(body)[length:]), name, _wanted(asked))


def _member(value, name: str, kind: type, where: str):
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        raise ValueError(f"{where} must be an object with {name!r}, a {kind.__name__}")
    return found


def _pixels(given: dict, raw: memoryview) -> np.ndarray:
    if given.get("datatype") != "UINT8":
        raise ValueError(f"input 'pixels' must have datatype UINT8, got {str(given.get('datatype'))[:40]}")
    shape = _member(given, "shape", list, "input 'pixels'")
    whole = all(type(side) is int and 1 <= side <= LONGEST_SIDE for side in shape)
    if not whole or len(shape) != 4 or shape[3] != 3:
        raise ValueError(f"input 'pixels' must have shape [batch, height, width, 3], none of them 0, got {str(shape)[:80]}")
    size = _parameters(given).get("binary_data_size")
    if size is None:
        if len(raw):
            raise ValueError(f"{len(raw)} bytes follow the request, but input 'pixels' has no binary_data_size")
        return _listed(given, shape)
    if "data" in given or type(size) is not int or size != len(raw) or size != math.prod(shape):
        raise ValueError(
            f"input 'pixels' of shape {shape} needs {math.prod(shape)} bytes; binary_data_size says {str(size)[:40]}, {len(raw)} came"
        )
    return np.frombuffer(raw, np.uint8).reshape(shape)


def _listed(given: dict, shape: list[int]) -> np.ndarray:
    """Numbers in the JSON itself, nested or flat."""
    try:
        values = np.array(_member(given, "data", list, "input 'pixels'"))
    except ValueError as error:
        raise ValueError(f"data of input 'pixels' must be numbers ({str(error)[:80]})") from None
    fits = values.dtype.kind == "i" and values.size == math.prod(shape) and values.shape in (tuple(shape), (values.size,))
    if not fits or values.min() < 0 or values.max() > 255:
        raise ValueError(f"data of input 'pixels' must be {math.prod(shape)} whole numbers in 0..255, flat or of shape {shape}")
    return values.astype(np.uint8).reshape(shape)


def _parameters(given: dict) -> dict:
    found = given.get("parameters", {})
    if not isinstance(found, dict):
        raise ValueError("parameters must be an object")
    return found


def _wanted(asked: dict) -> dict[str, bool]:
    raw = _parameters(asked).get("binary_data_output") is True
    if "outputs" not in asked:
        return dict.fromkeys(OUTPUTS, raw)
    wanted = {}
    for output in _member(asked, "outputs", list, "the request"):
        name = _member(output, "name", str, "an output")
        if name not in OUTPUTS or name in wanted:
            raise ValueError(f"outputs must be some of {', '.join(OUTPUTS)}, each once, got {name[:40]!r}")
        wanted[name] = _parameters(output).get("binary_data", raw) is True
    return wanted or dict.fromkeys(OUTPUTS, raw)


def write_response(request: InferRequest, outputs: dict[str, np.ndarray], model: str = "detector") -> tuple[bytes, int | None]:
    """The answer to a request.

    Args:
        outputs: the four arrays of `OUTPUTS`.

    Returns:
        The body, and for the header `LENGTH_HEADER` how many bytes of it are JSON; None where all are.
    """
    described, tail = [], []
    for name, raw in request.outputs.items():
        datatype, kind, _ = OUTPUTS[name]
        values = np.ascontiguousarray(outputs[name], kind)
        entry = {"name": name, "datatype": datatype, "shape": list(outputs[name].shape)}
        if raw:
            entry["parameters"] = {"binary_data_size": values.nbytes}
            tail.append(values.tobytes())
        else:
            entry["data"] = values.reshape(-1).tolist()
        described.append(entry)
    said = {"model_name": model, "model_version": "1", "outputs": described} | ({"id": request.id} if request.id else {})
    head = json.dumps(said, allow_nan=False).encode()
    return b"".join([head, *tail]), len(head) if tail else None


def model_metadata(model: str = "detector") -> dict:
    """What ``/v2/models/detector`` answers."""
    outputs = [{"name": name, "datatype": kind, "shape": [-1, *shape]} for name, (kind, _, shape) in OUTPUTS.items()]
    inputs = [{"name": "pixels", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}]
    return {"name": model, "versions": ["1"], "platform": "onnxruntime", "inputs": inputs, "outputs": outputs}


def model_config(classes: tuple[str, ...], imgsz: int, max_batch: int, max_wait: float, model: str = "detector") -> dict:
    """What ``/v2/models/detector/config`` answers, in Triton's words."""
    outputs = [{"name": name, "data_type": f"TYPE_{kind}", "dims": list(shape) or [1]} for name, (kind, _, shape) in OUTPUTS.items()]
    facts = {"classes": list(classes), "imgsz": imgsz}
    return {
        "name": model,
        "platform": "onnxruntime",
        "max_batch_size": max_batch,
        "input": [{"name": "pixels", "data_type": "TYPE_UINT8", "dims": [-1, -1, 3]}],
        "output": outputs,
        "dynamic_batching": {"max_queue_delay_microseconds": round(max_wait * 1e6)},
        "parameters": {name: {"string_value": json.dumps(value, ensure_ascii=False)} for name, value in facts.items()},
    }
