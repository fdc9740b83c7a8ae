"""What a worker may use up, and how it gives its powers away: rlimits, uid, capabilities, and the C library underneath."""

import ctypes
import os
import resource
from dataclasses import dataclass

MIB = 2**20
LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 1, 4, 8
PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 23, 24, 38, 47, 4
CAP_DAC_READ_SEARCH = 2
NOBODY = 65534


@dataclass(frozen=True)
class Limits:
    """Of one worker.

    Args:
        memory_bytes: address space on top of what it has when it starts (a preloaded torch reserves gigabytes that it never touches).
        cpu_seconds: CPU time until the kernel kills it.
        file_bytes: largest file that it may write.
        work_bytes: all files together in its working folder, where it has one.
        work_files: how many.
        open_files: file descriptors.
        threads: more than what already runs under its user.
    """

    memory_bytes: int = 1536 * MIB
    cpu_seconds: int = 120
    file_bytes: int = 8 * MIB
    work_bytes: int = 16 * MIB
    work_files: int = 500
    open_files: int = 64
    threads: int = 64


def checked(what: str, result: int) -> int:
    """`result` of a C call, or OSError that says what failed."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def prctl(option: int, *values: int) -> int:
    filled = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return checked(f"prctl {option}", LIBC.prctl(ctypes.c_int(option), *filled))


def apply(limits: Limits, address_space: int, running: int) -> None:
    """Set every limit for good: soft and hard.

    Args:
        limits: of this worker.
        address_space: bytes that this process has mapped already.
        running: threads that its user has already, for that limit counts a user's, not a process's.
    """
    wanted = {
        resource.RLIMIT_AS: address_space + limits.memory_bytes,
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_NPROC: running + limits.threads,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def close_all_but(keep: set[int]) -> None:
    """Close every file descriptor from 3 on but these."""
    first = 3
    for number in [*sorted(keep), 2**20]:
        os.closerange(first, number)
        first = number + 1


def threads_of(user: int) -> int:
    """How many threads run under this user id, as far as /proc tells."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.stat(f"/proc/{name}").st_uid == user:
                    count += len(os.listdir(f"/proc/{name}/task"))
            except OSError:  # it ended meanwhile
                continue
    return count


def own_user() -> int | None:
    """A user id for the workers of this process that nobody else has, where root may hand them out; None where we are not root.

    Limits on threads count by user and signals go by user, so workers of two zygotes should not share one. It is made of the
    outside's number for this process: inside, every zygote is the first.
    """
    if os.geteuid() != 0:
        return None
    with open("/proc/self/uid_map") as file:
        return user_among(file.read(), int(os.readlink("/proc/self")))


def user_among(mapped: str, number: int) -> int | None:
    """Of the user ids that exist here (lines "first, outside, how many"): an own one, or else "nobody".

    None where there is neither: the root of a container of one ordinary user stays who they are, and only loses their powers.
    """
    ranges = [(int(first), int(first) + int(count)) for first, _, count in map(str.split, mapped.splitlines())]
    for user in (1_900_000_000 + number % 2**22, NOBODY):
        if any(first <= user < end for first, end in ranges):
            return user
    return None


def set_capabilities(keep: tuple[int, ...] = ()) -> None:
    """Keep these capabilities and no other."""
    bits = sum(1 << number for number in keep)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    sets = (ctypes.c_uint32 * 6)(bits, bits, 0, 0, 0, 0)  # effective, permitted, inheritable: low words, then high ones
    checked("capset", LIBC.capset(header, sets))


def give_up_powers(user: int | None, keep: tuple[int, ...] = ()) -> None:
    """From here on an ordinary process that can never become more again: groups, bounding set, uid, capabilities, no_new_privs.

    Args:
        user: id to become; None to stay who we are (an ordinary user).
        keep: capabilities that survive the change of user.
    """
    for capability in range(64):
        if LIBC.prctl(PR_CAPBSET_READ, ctypes.c_ulong(capability), 0, 0, 0) < 0:  # past the last that this kernel knows
            break
        if LIBC.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0 and user is not None:
            checked("bounding set", -1)
    if user is not None:
        prctl(PR_SET_KEEPCAPS, 1 if keep else 0)
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    LIBC.prctl(PR_CAP_AMBIENT, ctypes.c_ulong(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
    set_capabilities(keep)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)
