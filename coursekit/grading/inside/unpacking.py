"""Bytes to values. The bytes are hostile until they are read; whatever they hold, this builds plain data or raises `WireError`."""

import dataclasses
import json
import math
import struct
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy

from .bounds import DEPTH, DIMENSIONS, HEADER, INT_DIGITS, KEYS, NODES, PLAIN, STORED_AS, TENSORS, TEXT, WireError, is_key


class Unpacker:
    """One value on its way in. Whatever it meets, it builds plain data or raises; what it builds is bounded by what came."""

    def __init__(self, arrays: dict[str, np.ndarray], classes: Mapping[str, type]):
        self.arrays, self.classes, self.used, self.nodes, self.keys = arrays, classes, set(), 0, 0
        self.torch = sys.modules.get("torch")

    def value(self, node: Any, depth: int = 0) -> Any:
        self.nodes += 1
        if depth > DEPTH or self.nodes > NODES:
            raise WireError("more things in things than are allowed")
        if node is None or type(node) in (bool, int):
            return node
        if type(node) is str:
            return _clean(node)
        if type(node) is not list or not node or type(node[0]) is not str:
            raise WireError("this is no value")
        read = self.READ.get(node[0])
        if read is None:
            raise WireError("there is no such kind of value")
        return read(self, node[1:], depth + 1)

    def _big(self, parts: list, _: int) -> int:
        (text,) = parts
        if type(text) is not str or not 0 < len(text) <= INT_DIGITS + 1 or not set(text.removeprefix("-")) <= set("0123456789abcdef"):
            raise WireError("this is no integer")
        return int(text, 16)

    def _float(self, parts: list, _: int) -> float:
        (text,) = parts
        if type(text) is not str or len(text) > 40:
            raise WireError("this is no number")
        return float.fromhex(text)

    def _list(self, parts: list, depth: int) -> list:
        return [self.value(part, depth) for part in parts]

    def _tuple(self, parts: list, depth: int) -> tuple:
        return tuple(self._list(parts, depth))

    def _pairs(self, parts: list, depth: int) -> list[tuple[Any, Any]]:
        if any(type(part) is not list or len(part) != 2 for part in parts):
            raise WireError("keys and values do not pair up")
        return [(self.value(key, depth), self.value(value, depth)) for key, value in parts]

    def _dict(self, parts: list, depth: int) -> dict:
        self.keys += len(parts)
        if self.keys > KEYS:
            raise WireError("more keys than are allowed")
        pairs = self._pairs(parts, depth)
        if any(not is_key(key) for key, _ in pairs):
            raise WireError("a key must be a string, number, None or tuple of them")
        found = dict(pairs)
        if len(found) != len(pairs):
            raise WireError("a key stands there twice")
        return found

    def _dataclass(self, parts: list, depth: int) -> Any:
        kind, pairs = self.classes.get(parts[0]) if type(parts[0]) is str else None, self._pairs(parts[1:], depth)
        if kind is None:
            return self._strange(parts[:1], depth)
        if [name for name, _ in pairs] != [f.name for f in dataclasses.fields(kind)]:
            raise WireError("other fields than those of the dataclass")
        made = object.__new__(kind)  # nothing of the class runs; a comparison looks at the fields only
        for name, value in pairs:
            object.__setattr__(made, name, value)
        return made

    def _stored(self, index: Any, name: Any) -> np.ndarray:
        if type(index) is not int or type(name) is not str or str(index) not in self.arrays or index in self.used:
            raise WireError("an array that is not there, or asked for twice")
        self.used.add(index)
        array = self.arrays[str(index)]
        if array.dtype.name != STORED_AS.get(name, name if name in PLAIN else None):
            raise WireError("a type of numbers that is not allowed")
        if name == "bool" and array.size and array.view(np.uint8).max() > 1:
            raise WireError("a truth value that is neither")
        return array

    def _array(self, parts: list, _: int) -> np.ndarray:
        index, name = parts
        if name == "bfloat16":
            raise WireError("NumPy has no bfloat16")
        array = self._stored(index, name)
        if name.startswith("complex"):
            array = _paired(array).view(name)[..., 0]
        return array.copy()

    def _scalar(self, parts: list, depth: int) -> np.generic:
        array = self._array(parts, depth)
        if array.ndim:
            raise WireError("a single number with axes")
        return array[()]

    def _tensor(self, parts: list, _: int) -> Any:
        index, name, order, grad = parts
        if self.torch is None:
            raise WireError("there is no torch here")
        array = self._stored(index, name)
        if type(order) is not list or type(grad) is not bool or (order and sorted(order) != list(range(len(order)))):
            raise WireError("this is no tensor")
        tensor = self.torch.from_numpy(array.copy())
        if name == "bfloat16":
            tensor = tensor.view(self.torch.bfloat16)
        elif name in STORED_AS:
            _paired(array)
            tensor = self.torch.view_as_complex(tensor)
        if order:
            tensor = tensor.permute([order.index(axis) for axis in range(tensor.dim())])
        return tensor.requires_grad_() if grad else tensor

    def _strings(self, parts: list, _: int) -> np.ndarray:
        shape, width, *items = parts
        if type(shape) is not list or any(type(n) is not int or not 0 <= n <= NODES for n in shape) or len(shape) > DIMENSIONS:
            raise WireError("this is no shape")
        if type(width) is not int or any(type(item) is not str or len(item) > width for item in items):
            raise WireError("these are no strings of that width")
        if math.prod(shape) != len(items) or not 0 <= width * max(1, len(items)) <= TEXT:
            raise WireError("these strings are not allowed")
        self.nodes += len(items)
        return np.array([_clean(item) for item in items], dtype=f"U{width}").reshape(shape)

    def _string(self, parts: list, _: int) -> np.str_:
        (text,) = parts
        if type(text) is not str:
            raise WireError("this is no string")
        return np.str_(_clean(text))

    def _strange(self, parts: list, _: int) -> Any:
        """An object of a type of that name, so that a message can say what came; it holds nothing."""
        (name,) = parts
        if type(name) is not str or len(name) > 60 or not name.isidentifier():
            raise WireError("this is no name of a type")
        if name == "generator":
            return (nothing for nothing in ())
        return type(_clean(name), (), {"__slots__": (), "__module__": "theirs"})()

    READ = {  # noqa: RUF012
        "i": _big, "f": _float, "l": _list, "t": _tuple, "d": _dict, "D": _dataclass, "T": _tensor, "A": _array, "N": _scalar,
        "S": _strings, "s": _string, "X": _strange,
    }  # fmt: skip


def _paired(array: np.ndarray) -> np.ndarray:
    if not array.ndim or array.shape[-1] != 2:
        raise WireError("complex numbers come in pairs")
    return np.ascontiguousarray(array)


def _clean(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise WireError("text that no file can hold") from None
    return text


def _no(*_: Any) -> Any:
    raise WireError("JSON holds only lists, strings, whole numbers, true, false and null here")


def _integer(text: str) -> int:
    if len(text) > 20:
        raise WireError("a whole number that is too long")
    return int(text)


def _split(payload: bytes) -> tuple[bytes, bytes]:
    if len(payload) < 4:
        raise WireError("too short")
    (length,) = struct.unpack(">I", payload[:4])
    if length > min(HEADER, len(payload) - 4):
        raise WireError("the JSON part is longer than it may be")
    return payload[4 : 4 + length], payload[4 + length :]


def _load(block: bytes) -> dict[str, np.ndarray]:
    if not block:
        return {}
    if len(block) < 8 or struct.unpack("<Q", block[:8])[0] > HEADER:
        raise WireError("the tensors' header is longer than it may be")
    found = safetensors.numpy.load(block)
    if len(found) > TENSORS or any(a.ndim > DIMENSIONS for a in found.values()):
        raise WireError("more tensors or axes than are allowed")
    return found


def unpack(payload: bytes, classes: Mapping[str, type] | None = None) -> Any:
    """The value in some bytes, whoever wrote them.

    Args:
        classes: the dataclasses that may be built, by name; of any other only the name is kept.

    Raises:
        WireError: for anything else than what `pack` writes.
    """
    try:
        tree, block = _split(payload)
        hooks = {"object_pairs_hook": _no, "parse_constant": _no, "parse_float": _no, "parse_int": _integer}
        node = json.loads(tree.decode("utf-8"), **hooks)
        unpacker = Unpacker(_load(block), classes or {})
        value = unpacker.value(node)
        if len(unpacker.used) != len(unpacker.arrays):
            raise WireError("tensors that nothing asks for")
    except WireError:
        raise
    except Exception as error:  # RecursionError, SafetensorError, OverflowError, what torch and NumPy raise for shapes they do not like
        raise WireError(f"not readable ({type(error).__name__})") from None
    return value
