"""The filter's program, run by a small interpreter of our own: so both processors' rules are tested on either, and nothing is at risk."""

import errno
import platform
import re
import struct
from pathlib import Path

import pytest

if platform.system() != "Linux":
    pytest.skip("grading runs on Linux", allow_module_level=True)

from coursekit.grading.inside import calls
from coursekit.grading.inside.seccomp import ALLOW, ARCHITECTURES, KILL, filter_program, refuse

PID = 4321
REFUSED, UNKNOWN = refuse(errno.EPERM), refuse(errno.ENOSYS)
MACHINES = tuple(ARCHITECTURES)


def decide(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the program says of one system call."""
    program = [struct.unpack("=HBBI", step) for step in re.findall(rb"[\s\S]{8}", filter_program(machine, PID))]
    arguments = [value % 2**64 for value in (*arguments, 0, 0, 0, 0, 0, 0)[:6]]
    data = struct.pack("=IIQ6Q", number, ARCHITECTURES[machine][1] if architecture is None else architecture, 0, *arguments)
    at = value = 0
    while True:
        code, if_true, if_false, constant = program[at]
        at += 1
        if code == 0x06:
            return constant
        if code == 0x20:
            value = struct.unpack_from("=I", data, constant)[0]
        elif code == 0x54:
            value &= constant
        else:
            holds = {0x15: value == constant, 0x25: value > constant}[code]
            at += if_true if holds else if_false


def number_of(machine: str, name: str) -> int:
    everything = calls.ALWAYS | {"clone": calls.CLONE, "clone3": calls.CLONE3}
    everything |= {name: rule[0] for name, rule in (calls.ONLY_SELF | calls.CHOSEN).items()}
    return everything[name][ARCHITECTURES[machine][0]]


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_listed_is_allowed_and_nothing_else(machine):
    column = ARCHITECTURES[machine][0]
    listed = {numbers[column] for numbers in calls.ALWAYS.values()} - {None}
    special = {number_of(machine, name) for name in ("clone", "clone3", *calls.ONLY_SELF, *calls.CHOSEN)}
    assert not listed & special
    for number in range(500):
        if number not in special:
            assert decide(machine, number) == (ALLOW if number in listed else REFUSED), number
    assert decide(machine, 501) == decide(machine, 2**32 - 1) == UNKNOWN


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_processor_or_of_x32_end_the_process_or_do_not_exist(machine):
    read = number_of(machine, "read")
    assert decide(machine, read) == ALLOW
    for other in {0x40000003, 0xC000003E, 0xC00000B7} - {ARCHITECTURES[machine][1]}:  # i386 among them
        assert decide(machine, read, architecture=other) == KILL
    assert decide(machine, read | 0x40000000) == UNKNOWN


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments", "verdict"),
    [
        ("clone", (0x3D0F00,), ALLOW),  # a thread, as C libraries make it
        ("clone", (17,), REFUSED),  # fork
        ("clone", (0x4111,), REFUSED),  # vfork
        ("clone", (0x3D0F00 | 0x10000000,), REFUSED),  # a thread in a new user namespace
        ("clone", (0x3D0F00 | 0x20000,), REFUSED),
        ("clone3", (), UNKNOWN),
        ("kill", (PID, 9), ALLOW),
        ("kill", (-1, 9), REFUSED),
        ("kill", (0, 9), REFUSED),
        ("kill", (1, 9), REFUSED),
        ("kill", (-PID, 9), REFUSED),
        ("tgkill", (PID, 7, 9), ALLOW),
        ("tgkill", (PID + 1, 7, 9), REFUSED),
        ("prlimit64", (0, 7), ALLOW),
        ("prlimit64", (1, 7), REFUSED),
        ("fcntl", (3, 2, 1), ALLOW),
        ("fcntl", (3, 8, 1), REFUSED),  # F_SETOWN
        ("fcntl", (3, 10, 9), REFUSED),  # F_SETSIG
        ("ioctl", (1, 0x5401), ALLOW),
        ("ioctl", (1, 0x5412), REFUSED),  # TIOCSTI: type into a terminal
        ("ioctl", (1, 0x8901), REFUSED),  # FIOSETOWN
        ("prctl", (15,), ALLOW),  # a thread's name
        ("prctl", (1, 0), REFUSED),  # outlive the parent
        ("prctl", (4, 1), REFUSED),  # be dumpable
        ("prctl", (22, 2), REFUSED),
    ],
)
def test_some_calls_are_allowed_for_some_arguments(machine, name, arguments, verdict):
    assert decide(machine, number_of(machine, name), *arguments) == verdict


def test_another_processor_has_no_list():
    with pytest.raises(OSError, match="no list of system calls for the processor riscv64"):
        filter_program("riscv64", PID)


@pytest.mark.parametrize(("machine", "header"), [("x86_64", "x86_64-linux-gnu/asm/unistd_64.h"), ("aarch64", "asm-generic/unistd.h")])
def test_the_numbers_are_the_kernels_own(machine, header):
    path = Path("/usr/include", header)
    if not path.exists():
        pytest.skip("the kernel's header files are not installed")
    theirs = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text())}
    theirs.setdefault("newfstatat", theirs.get("fstatat"))
    for name in (*calls.ALWAYS, "clone", *calls.ONLY_SELF, *calls.CHOSEN):
        if name in theirs or number_of(machine, name) is not None:
            assert theirs[name] == number_of(machine, name), name
