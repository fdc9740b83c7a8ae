"""A filter on system calls, written by hand as BPF: what is not in `calls` is refused with EPERM, so that honest code goes on without it.

https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import os
import struct

from . import calls
from .limits import LIBC, checked

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column in the tables, AUDIT_ARCH
LOAD, EQUAL, GREATER, AND, RETURN = 0x20, 0x15, 0x25, 0x54, 0x06  # absolute word; jump if equal, if greater; and with a constant; return
NUMBER, ARCH, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; arguments are 64 bit, low word first on both processors
ALLOW, KILL = 0x7FFF0000, 0x80000000
NEWEST = 500  # a call with a higher number is newer than this list, or an x32 one
THREAD, NAMESPACES = 0x10000, 0x7E020080
SET_MODE_FILTER = 1
SECCOMP = {"x86_64": 317, "aarch64": 277}


def refuse(code: int) -> int:
    return 0x00050000 | code


def filter_program(machine: str, pid: int) -> bytes:
    """The program, as an array of struct sock_filter.

    Args:
        machine: ``"x86_64"`` or ``"aarch64"``.
        pid: the worker's own, in its own pid namespace: the only process that it may send signals to.

    Raises:
        OSError: for another processor, whose calls have other numbers.
    """
    if machine not in ARCHITECTURES:
        raise OSError(f"no list of system calls for the processor {machine}")
    column, architecture = ARCHITECTURES[machine]
    program: list[tuple[int, int, int, int]] = [
        (LOAD, 0, 0, ARCH), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER), (GREATER, 0, 1, NEWEST), (RETURN, 0, 0, refuse(errno.ENOSYS)),
    ]  # fmt: skip
    program += [
        (EQUAL, 0, 1, calls.CLONE3[column]),
        (RETURN, 0, 0, refuse(errno.ENOSYS)),
    ]  # its flags lie in memory: C libraries fall back to clone
    program += _threads_only(calls.CLONE[column])
    for numbers, argument in calls.ONLY_SELF.values():
        program += _chosen(numbers[column], argument, (pid,))
    for numbers, argument, values in calls.CHOSEN.values():
        program += _chosen(numbers[column], argument, values)
    for numbers in calls.ALWAYS.values():
        if numbers[column] is not None:
            program += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, ALLOW)]
    program.append((RETURN, 0, 0, refuse(errno.EPERM)))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _chosen(number: int, argument: int, values: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Allow a call where an argument, of which the kernel reads 32 bits, is one of these; refuse it otherwise."""
    tests = [step for value in values for step in ((EQUAL, 0, 1, value), (RETURN, 0, 0, ALLOW))]
    body = [(LOAD, 0, 0, ARGUMENTS + 8 * argument), *tests, (RETURN, 0, 0, refuse(errno.EPERM))]
    return [(EQUAL, 0, len(body), number), *body]


def _threads_only(number: int) -> list[tuple[int, int, int, int]]:
    """Allow clone where it makes a thread of this process, in no new namespace."""
    body = [
        (LOAD, 0, 0, ARGUMENTS), (AND, 0, 0, THREAD | NAMESPACES), (EQUAL, 0, 1, THREAD), (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, refuse(errno.EPERM)),
    ]  # fmt: skip
    return [(EQUAL, 0, len(body), number), *body]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def restrict(pid: int) -> None:
    """Put the filter on this process for good. Needs no_new_privs."""
    machine = os.uname().machine
    code = filter_program(machine, pid)
    program = _Program(len(code) // 8, code)
    checked("seccomp", LIBC.syscall(ctypes.c_long(SECCOMP[machine]), SET_MODE_FILTER, 0, ctypes.byref(program)))
