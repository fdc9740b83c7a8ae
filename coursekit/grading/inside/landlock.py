"""The second tier: Landlock, by which a process gives away the right to open files. Needs no namespaces and no privileges (Linux 5.13).

https://docs.kernel.org/userspace-api/landlock.html. It says nothing of stat, chmod, signals and sockets on older kernels: seccomp does.
"""

import ctypes
import os
import struct

from .limits import LIBC, checked

CREATE, ADD_RULE, RESTRICT = 444, 445, 446  # the same numbers on every processor
WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
PATH_BENEATH = 1
FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}  # all rights on files that an ABI knows
FILES_5, NET_4, SCOPE_6 = (1 << 16) - 1, 0b11, 0b11


def abi() -> int:
    """Version of Landlock in this kernel; 0 where there is none."""
    return max(0, LIBC.syscall(ctypes.c_long(CREATE), None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def new_ruleset() -> int:
    """A ruleset (a file descriptor) that forbids all that this kernel can forbid: files, TCP, abstract sockets, signals to the outside."""
    version = abi()
    if version == 0:
        raise OSError("this kernel has no Landlock, or it is switched off")
    attributes = struct.pack("=QQQ", FILES.get(version, FILES_5), NET_4, SCOPE_6)
    attributes = attributes[: 8 if version < 4 else 16 if version < 6 else 24]
    return checked(
        "landlock ruleset", LIBC.syscall(ctypes.c_long(CREATE), attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    )


def rule(path: str, rights: int) -> bytes | None:
    """A rule for a path and all below it, with the path held open for as long as this process lives; None where there is no such path."""
    try:
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    return struct.pack("=Qi", rights if os.path.isdir(path) else rights & ~READ_DIR, file)


def allow(ruleset: int, rule: bytes) -> None:
    """Add a rule to what may be opened."""
    checked("landlock rule", LIBC.syscall(ctypes.c_long(ADD_RULE), ruleset, PATH_BENEATH, rule, ctypes.c_uint32(0)))


def restrict(ruleset: int) -> None:
    """From here on nothing can be opened but what was allowed. Needs no_new_privs."""
    checked("landlock", LIBC.syscall(ctypes.c_long(RESTRICT), ruleset, ctypes.c_uint32(0)))
    os.close(ruleset)
