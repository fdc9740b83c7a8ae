"""What the wire may carry: sizes, kinds of numbers, and what is raised for everything else."""

from typing import Any

FRAME = 64 << 20  # bytes
HEADER = 2 << 20  # of the JSON part, and of the safetensors header
TENSORS, DEPTH, NODES, INT_DIGITS, TEXT, DIMENSIONS = 4096, 40, 100_000, 1000, 1 << 20, 16
KEYS = 2000  # of all dicts of a value: integers and tuples can be chosen so that all have one hash, and each is then compared with each
PLAIN = ("bool", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64")
STORED_AS = {"bfloat16": "int16", "complex64": "float32", "complex128": "float64"}  # the last two as pairs


class WireError(ValueError):
    """What came is not what the protocol allows."""


class Silence(WireError):
    """Nothing, or not all of it, came in time."""


class Closed(WireError):
    """The other side is gone."""


class TooLarge(WireError):
    """A value of our own is more than a frame may hold."""


def is_key(key: Any) -> bool:
    """May it be a key of a dict?"""
    if type(key) is tuple:
        return all(map(is_key, key))
    return key is None or type(key) in (str, int, bool, float)
