"""When are two answers the same? The judge of every check and every grade. Says what differs in words, never with a traceback.

Learners' objects are never trusted: no ``==`` of theirs is called, and only plain kinds of value are looked into.
"""

import dataclasses
import numbers
import types
from typing import Any

import numpy as np
import torch
from torch import Tensor

KINDS = {"f": "floating-point", "i": "integer", "u": "unsigned integer", "b": "true/false", "c": "complex"}


def kind_of(dtype: torch.dtype | np.dtype) -> str:
    """One letter as NumPy has it: f, i, u, b, c. bfloat16 is f."""
    if isinstance(dtype, torch.dtype):
        if dtype == torch.bool:
            return "b"
        if dtype.is_floating_point:
            return "f"
        return "c" if dtype.is_complex else ("i" if dtype.is_signed else "u")
    return dtype.kind


def describe(value: Any) -> str:
    """What kind of thing this is, in a learner's words."""
    if value is None:
        return "nothing (None)"
    if is_a(value, Tensor):
        value = plain(value)
        return f"a tensor of shape {tuple(value.shape)} and dtype {str(value.dtype).removeprefix('torch.')}"
    if is_a(value, np.ndarray):
        return f"a NumPy array of shape {value.shape} and dtype {value.dtype}"
    if type(value) is bool:
        return f"the truth value {value}"
    if type(value) in (int, float):
        return f"the number {value}"
    if type(value) in (list, tuple, dict, str):
        name = {list: "list", tuple: "tuple", dict: "dict", str: "string"}[type(value)]
        return f"a {name} of length {len(value)}"
    if isinstance(value, types.GeneratorType):
        return "a generator (its values are not computed yet; collect them in a list)"
    if isinstance(value, types.CoroutineType):
        return "a coroutine (write a plain def, without async)"
    return f"an object of type {type(value).__name__}"


def is_a(value: Any, kind: type | tuple[type, ...]) -> bool:
    """isinstance by the object's real type: a `__class__` that lies is not believed."""
    return issubclass(type(value), kind)


def plain(tensor: Tensor) -> Tensor:
    """The tensor under a subclass, whose own operators and properties get no say."""
    if type(tensor) is Tensor:
        return tensor
    with torch._C.DisableTorchFunctionSubclass():
        return torch.Tensor.as_subclass(tensor, torch.Tensor)


def show(number: Any) -> str:
    """A number as a learner wants to read it: 6 digits, whole floats with .0."""
    if isinstance(number, (bool, np.bool_, complex, str)):
        return str(number)
    if isinstance(number, (int, np.integer)):
        return str(int(number))
    text = f"{float(number):.6g}"
    return text if any(c in text for c in ".en") else text + ".0"


@dataclasses.dataclass(frozen=True)
class Close:
    """The same but for rounding: ``|got - expected| <= atol + rtol * |expected|``.

    Args:
        rtol: relative tolerance.
        atol: absolute tolerance.
        nan: ``"equal"``: NaN is right exactly where NaN is expected; ``"never"``: a NaN is always wrong.
        dtype: ``"kind"``: float against float of any width (likewise integers); ``"same"``: the very dtype; ``"any"``: not looked at.

    A tensor must be answered by a tensor and an array by an array. A plain number may be answered by a 0-d tensor or NumPy number.
    Lists and tuples are interchangeable; dicts must have the same keys; dataclasses such as Detections the same fields.

    Raises:
        ValueError: for a setting that is none of these.
    """

    rtol: float = 1e-5
    atol: float = 1e-8
    nan: str = "equal"
    dtype: str = "kind"

    def __post_init__(self):
        if self.nan not in ("equal", "never"):
            raise ValueError(f'nan must be "equal" or "never", got {self.nan!r}')
        if self.dtype not in ("kind", "same", "any"):
            raise ValueError(f'dtype must be "kind", "same" or "any", got {self.dtype!r}')

    def difference(self, expected: Any, got: Any, where: str = "") -> str | None:
        """None where the two are the same, else what differs: ``"at [0, 1] got 4.0, expected 0.0"``."""
        if isinstance(expected, Tensor):
            return self._tensor(expected, got, where)
        if isinstance(expected, np.ndarray):
            return self._array(expected, got, where)
        if isinstance(expected, (bool, np.bool_)) or expected is None or isinstance(expected, str):
            return self._exactly(expected, got, where)
        if isinstance(expected, numbers.Number):
            return self._number(expected, got, where)
        if isinstance(expected, (list, tuple)):
            return self._sequence(expected, got, where)
        if isinstance(expected, dict):
            return self._dict(expected, got, where)
        if dataclasses.is_dataclass(expected) and not isinstance(expected, type):
            return self._dataclass(expected, got, where)
        raise TypeError(f"an exercise cannot compare {describe(expected)}: return tensors, arrays, numbers, strings or containers of them")

    def _tensor(self, expected: Tensor, got: Any, where: str) -> str | None:
        if not is_a(got, Tensor):
            return f"{where}expected {describe(expected)}, got {describe(got)}{_missing_return(got)}"
        got = plain(got)
        if got.layout != torch.strided or got.is_meta or got.is_quantized:
            return f"{where}expected an ordinary tensor, got one that is sparse, quantised or without values"
        return self._dtype_and_shape(expected, got, where) or self._values(_to_numpy(expected), _to_numpy(got), where)

    def _array(self, expected: np.ndarray, got: Any, where: str) -> str | None:
        if not is_a(got, np.ndarray):
            hint = " (`.numpy()` turns a tensor into an array)" if is_a(got, Tensor) else ""
            return f"{where}expected {describe(expected)}, got {describe(got)}{hint}{_missing_return(got)}"
        got = np.ndarray.view(got, np.ndarray)
        return self._dtype_and_shape(expected, got, where) or self._values(expected, got, where)

    def _dtype_and_shape(self, expected, got, where: str) -> str | None:
        if tuple(expected.shape) != tuple(got.shape):
            return f"{where}expected shape {tuple(expected.shape)}, got shape {tuple(got.shape)}"
        names = [str(x.dtype).removeprefix("torch.") for x in (expected, got)]
        same = {"same": names[0] == names[1], "kind": kind_of(expected.dtype) == kind_of(got.dtype), "any": True}[self.dtype]
        if not same:
            return f"{where}expected dtype {names[0]}{'' if self.dtype == 'same' else ' or one of its kind'}, got dtype {names[1]}"
        return None

    def _values(self, expected: np.ndarray, got: np.ndarray, where: str) -> str | None:
        if expected.dtype.kind in "OSU":
            wrong = np.array([a is not b and repr(a) != repr(b) for a, b in zip(expected.flat, got.flat, strict=True)], dtype=bool)
            wrong = wrong.reshape(expected.shape)
        else:
            wrong = ~self._close(expected, got)
        count = int(wrong.sum())
        if not count:
            return None
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = f"at [{', '.join(map(str, index))}] " if index else ""
        more = f" ({count} of {wrong.size} values differ)" if wrong.size > 1 else ""
        return f"{where}{place}got {show(got[index])}, expected {show(expected[index])}{more}"

    def _close(self, expected: np.ndarray, got: np.ndarray) -> np.ndarray:
        exact = expected.dtype.kind in "iub" and got.dtype.kind in "iub"
        with np.errstate(all="ignore"):
            equal = expected == got  # infinities too
            if exact or (self.rtol == 0 and self.atol == 0):
                close = equal
            else:
                wide = np.complex128 if "c" in (expected.dtype.kind, got.dtype.kind) else np.float64
                a, b = expected.astype(wide), got.astype(wide)
                close = equal | (np.isfinite(a) & (np.abs(a - b) <= self.atol + self.rtol * np.abs(a)))
            if not exact and self.nan == "equal":
                close = close | (np.isnan(expected) & np.isnan(got))
        return close

    def _number(self, expected: Any, got: Any, where: str) -> str | None:
        if is_a(got, Tensor) and plain(got).ndim == 0:
            got = _to_numpy(plain(got))[()]
        elif type(got) is np.ndarray and got.ndim == 0:
            got = got[()]
        scalar = type(got).__module__ == "numpy" and is_a(got, np.generic)  # an array of several numbers is none
        if type(got) not in (bool, int, float, complex) and not scalar:
            return f"{where}expected the number {show(expected)}, got {describe(got)}{_missing_return(got)}"
        a, b = np.asarray(expected), np.asarray(got)
        if self.dtype != "any" and a.dtype.kind in "iu" and b.dtype.kind not in "iu":
            return f"{where}expected the whole number {show(expected)}, got {show(got)} (a {type(got).__name__})"
        if b.dtype.kind not in "fiuc":
            return f"{where}expected the number {show(expected)}, got {show(got)}"
        return None if bool(self._close(a, b)) else f"{where}got {show(got)}, expected {show(expected)}"

    def _exactly(self, expected: Any, got: Any, where: str) -> str | None:
        if isinstance(expected, (bool, np.bool_)):
            if is_a(got, Tensor) and plain(got).ndim == 0 and plain(got).dtype == torch.bool:
                got = bool(_to_numpy(plain(got)))
            same = type(got) in (bool, np.bool_) and bool(got) == bool(expected)
        else:
            same = type(got) is type(expected) and got == expected
        if same:
            return None
        shown = repr(got) if type(got) in (str, bool) else describe(got)
        return f"{where}expected {'nothing (None)' if expected is None else repr(expected)}, got {shown}{_missing_return(got)}"

    def _sequence(self, expected: Any, got: Any, where: str) -> str | None:
        if not is_a(got, (list, tuple)):
            return f"{where}expected {describe(expected)}, got {describe(got)}{_missing_return(got)}"
        got = [*(list if is_a(got, list) else tuple).__iter__(got)]
        if len(expected) != len(got):
            return f"{where}expected {len(expected)} items, got {len(got)}"
        for i, (a, b) in enumerate(zip(expected, got, strict=True)):
            if problem := self.difference(a, b, f"{where}item {i}: "):
                return problem
        return None

    def _dict(self, expected: dict, got: Any, where: str) -> str | None:
        if not is_a(got, dict):
            return f"{where}expected {describe(expected)}, got {describe(got)}{_missing_return(got)}"
        theirs = list(dict.keys(got))
        if missing := [k for k in expected if k not in theirs]:
            return f"{where}the key {missing[0]!r} is missing"
        if extra := [k for k in theirs if k not in expected]:
            return f"{where}there is a key too many: {str(extra[0])[:60]!r}"
        for key, value in expected.items():
            if problem := self.difference(value, dict.__getitem__(got, key), f"{where}[{key!r}]: "):
                return problem
        return None

    def _dataclass(self, expected: Any, got: Any, where: str) -> str | None:
        if type(got) is not type(expected):
            return f"{where}expected {type(expected).__name__}, got {describe(got)}{_missing_return(got)}"
        for f in dataclasses.fields(expected):
            if problem := self.difference(getattr(expected, f.name), getattr(got, f.name), f"{where}{f.name}: "):
                return problem
        return None


@dataclasses.dataclass(frozen=True)
class Exact(Close):
    """The same to the last bit; dtypes by kind unless ``dtype="same"``."""

    rtol: float = 0.0
    atol: float = 0.0


def _missing_return(got: Any) -> str:
    return ". Is there a `return`?" if got is None else ""


def _to_numpy(tensor: Tensor) -> np.ndarray:
    """A plain copy on the CPU. bfloat16, which NumPy lacks, becomes float32."""
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    return tensor.resolve_conj().resolve_neg().numpy()
