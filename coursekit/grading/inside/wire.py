"""How judge and worker talk: frames of one byte kind and four bytes length, and values as JSON and safetensors. Nothing that can run.

What a worker sends is hostile until it is unpacked. `receive` checks a length before it believes it and a deadline over the whole frame;
`unpack` gives plain values of allow-listed kinds or raises `WireError`, and nothing else.

    None, true, 3, "a"            themselves (integers of up to 64 bits)
    ["i", "1f…"]                  a larger integer, in hex
    ["f", "0x1.8p+1"]             a float; also inf and nan
    ["l", …] ["t", …]             list, tuple
    ["d", [key, value], …]        dict, in its order
    ["D", "Detections", …]        dataclass by name, with [field, value] pairs
    ["T", index, dtype, order, grad]   tensor; ["A", index, dtype] array; ["N", index, dtype] NumPy scalar
    ["S", shape, width, …]        array of strings; ["s", text] NumPy string
    ["X", name]                   something that is no plain data: only the name of its type crosses
"""

import socket
import struct
import time

from .bounds import FRAME, Closed, Silence, TooLarge, WireError
from .packing import pack
from .unpacking import unpack

__all__ = ["Closed", "Silence", "TooLarge", "WireError", "pack", "receive", "send", "unpack"]


def send(sock: socket.socket, kind: bytes, payload: bytes, deadline: float | None = None) -> None:
    """Send one frame.

    Args:
        kind: one byte.
        deadline: of `time.monotonic`, for the whole frame.

    Raises:
        WireError: if the other side is gone or does not read.
    """
    try:
        sock.settimeout(_left(deadline))
        sock.sendall(struct.pack(">cI", kind, len(payload)) + payload)
    except TimeoutError:
        raise Silence("the other side did not read in time") from None
    except OSError as error:
        raise Closed(f"the other side is gone ({error})") from None


def receive(sock: socket.socket, deadline: float | None = None, limit: int = FRAME) -> tuple[bytes, bytes]:
    """The next frame, as (kind, payload).

    Args:
        deadline: of `time.monotonic`, for the whole frame: bytes that dribble in do not extend it.
        limit: bytes of payload. A longer announcement is refused before anything is allocated.

    Raises:
        Silence: if it did not come whole in time.
        Closed: if the other side is gone.
        WireError: for a length over the limit.
    """
    kind, length = struct.unpack(">cI", _exactly(sock, 5, deadline))
    if length > limit:
        raise WireError(f"a frame of {length} bytes was announced, at most {limit} are allowed")
    return kind, _exactly(sock, length, deadline)


def _exactly(sock: socket.socket, count: int, deadline: float | None) -> bytes:
    held = bytearray()  # grows with what has come, not with what was announced
    while len(held) < count:
        try:
            sock.settimeout(_left(deadline))
            piece = sock.recv(min(count - len(held), 1 << 16))
        except TimeoutError:
            raise Silence(f"{len(held)} of {count} bytes came in time") from None
        except OSError as error:
            raise Closed(f"the other side is gone ({error})") from None
        if not piece:
            raise Closed(f"the other side ended after {len(held)} of {count} bytes")
        held += piece
    return bytes(held)


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
