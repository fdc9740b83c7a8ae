"""Values to bytes. Looks at real types only, and what is no plain data becomes the name of its type."""

import dataclasses
import json
import struct
import sys
import types
from typing import Any

import numpy as np
import safetensors.numpy

from .bounds import DEPTH, DIMENSIONS, FRAME, HEADER, INT_DIGITS, KEYS, NODES, PLAIN, STORED_AS, TENSORS, TEXT, TooLarge, is_key


class Packer:
    """One value on its way out. Looks at real types only and calls no method that a subclass could have overridden."""

    def __init__(self, grads: bool = True):
        self.grads, self.arrays = grads, {}
        self.nodes = self.bytes = self.keys = 0
        self.torch = sys.modules.get("torch")

    def node(self, value: Any, depth: int = 0) -> Any:
        self.nodes += 1
        if depth > DEPTH or self.nodes > NODES:
            raise TooLarge("more things in things than can be handed over")
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**64 else self._big(value)
        if kind is float:
            return ["f", float.hex(value)]
        if kind is str:
            return self._text(value)
        if issubclass(kind, np.generic):
            return self._scalar(value)
        if issubclass(kind, np.ndarray):
            return self._array(np.ndarray.view(value, np.ndarray))
        if self.torch is not None and issubclass(kind, self.torch.Tensor):
            return self._tensor(value)
        if issubclass(kind, (list, tuple)):
            letter, base = ("l", list) if issubclass(kind, list) else ("t", tuple)
            return [letter, *(self.node(item, depth + 1) for item in base.__iter__(value))]
        if issubclass(kind, dict):
            self.keys += dict.__len__(value)
            if self.keys > KEYS:
                raise TooLarge("more keys than can be handed over")
            return ["d", *([self._key(k, depth + 1), self.node(v, depth + 1)] for k, v in dict.items(value))]
        if dataclasses.is_dataclass(kind):
            fields = [f.name for f in dataclasses.fields(kind)]
            return ["D", kind.__name__, *([name, self.node(object.__getattribute__(value, name), depth + 1)] for name in fields)]
        return self._strange(kind)

    def _key(self, key: Any, depth: int) -> Any:
        if issubclass(type(key), (np.number, np.bool_)):  # equal to the plain number, and so it finds the same place in a dict
            key = np.generic.item(key)
        return self.node(key if is_key(key) else f"a key of type {type(key).__name__}", depth)

    def _big(self, value: int) -> list:
        text = format(value, "x")
        if len(text) > INT_DIGITS:
            raise TooLarge("an integer of more digits than can be handed over")
        return ["i", text]

    def _text(self, value: str) -> str:
        self._count(len(value))
        if len(value) > TEXT:
            raise TooLarge("more text than can be handed over")
        return str.encode(value, "utf-8", "replace").decode("utf-8")  # lone surrogates

    def _count(self, size: int) -> None:
        self.bytes += size
        if self.bytes > FRAME // 2:
            raise TooLarge("more numbers than can be handed over")

    def _store(self, array: np.ndarray) -> int:
        if len(self.arrays) >= TENSORS or array.ndim > DIMENSIONS:
            raise TooLarge("more arrays, or axes, than can be handed over")
        index = len(self.arrays)
        self.arrays[str(index)] = array
        return index

    def _scalar(self, value: np.generic) -> list:
        if isinstance(value, np.str_):
            return ["s", self._text(str.__str__(value))]
        found = self._array(np.asarray(value))
        return ["N", *found[1:]] if found[0] == "A" else found

    def _array(self, array: np.ndarray) -> list:
        self._count(array.nbytes)
        if array.dtype.kind == "U":
            if array.size > NODES:
                raise TooLarge("more strings than can be handed over")
            return ["S", list(array.shape), array.dtype.itemsize // 4, *(self._text(str(item)) for item in array.flat)]
        name = array.dtype.name
        if name in STORED_AS:  # complex
            array = np.ascontiguousarray(array).astype(name).reshape(array.shape)
            pairs = np.stack((array.real, array.imag), axis=-1)
            return ["A", self._store(np.ascontiguousarray(pairs)), name]
        if name not in PLAIN:
            return ["X", f"{array.dtype.kind}_array"]
        native = array.astype(array.dtype.newbyteorder("="), order="C", copy=True)
        return ["A", self._store(native.reshape(array.shape)), name]

    def _tensor(self, value: Any) -> list:
        torch = self.torch
        with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
            grad = self.grads and bool(torch._C.TensorBase.requires_grad.__get__(value))
            try:
                tensor = torch.Tensor.as_subclass(value, torch.Tensor).detach()
            except (NotImplementedError, RuntimeError):  # sparse
                return ["X", "tensor_without_plain_values"]
            if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
                return ["X", "tensor_without_plain_values"]
            self._count(tensor.numel() * tensor.element_size())
            tensor = tensor.cpu().resolve_conj().resolve_neg()
            name = str(tensor.dtype).removeprefix("torch.")
            order = _order(tensor)
            tensor = tensor.permute(order).contiguous() if order else tensor.contiguous()
            if name == "bfloat16":
                array = tensor.view(torch.int16).numpy()
            elif name in STORED_AS:
                array = torch.view_as_real(tensor).contiguous().numpy()
            elif name in PLAIN:
                array = tensor.numpy()
            else:
                return ["X", f"{name}_tensor"]
            return ["T", self._store(array), name, order, grad]

    def _strange(self, kind: type) -> list:
        known = {types.GeneratorType: "generator", types.CoroutineType: "coroutine", types.AsyncGeneratorType: "async_generator"}
        name = known.get(kind) or str(getattr(kind, "__name__", "object"))[:60]
        return ["X", name if name.isidentifier() and name.isprintable() else "object"]


def _order(tensor: Any) -> list[int]:
    """How the axes lie in memory where that is not row by row but dense: `view` and `contiguous` tell such a tensor from another."""
    if tensor.is_contiguous() or tensor.numel() == 0:
        return []
    order = sorted(range(tensor.dim()), key=lambda axis: (-tensor.stride(axis), axis))
    return order if tensor.permute(order).is_contiguous() else []


def pack(value: Any, grads: bool = True) -> bytes:
    """A value as bytes: 4 bytes length of the JSON part, JSON, safetensors. The same value gives the same bytes.

    Args:
        grads: say which tensors require a gradient.

    Raises:
        TooLarge: for what no frame may hold. (Things that are no plain data become the name of their type.)
    """
    packer = Packer(grads)
    tree = json.dumps(packer.node(value), allow_nan=False, separators=(",", ":")).encode()
    if len(tree) > HEADER:
        raise TooLarge("more values than can be handed over")
    return struct.pack(">I", len(tree)) + tree + (safetensors.numpy.save(packer.arrays) if packer.arrays else b"")
