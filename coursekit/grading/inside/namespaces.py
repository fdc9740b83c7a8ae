"""The first tier: an own world of processes, mounts and network, with nothing in it but what is listed.

Mount tree (read-only but for /work), built once for each zygote:
    /site     the declared packages and what they need, one by one; the grader's `inside` package
    stdlib, system libraries, /dev/null, /dev/urandom, what tells the processor's features     where they lie outside
    /kit      the coursekit modules of one exercise; /work  some MB to write in: fresh for each worker
"""

import ctypes
import os
from pathlib import Path

from .limits import LIBC, checked

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, NOATIME, NODIRATIME, BIND, REC, PRIVATE, RELATIME = (
    1, 2, 4, 8, 32, 1024, 2048, 4096, 16384, 1 << 18, 1 << 21,
)  # fmt: skip
# what statfs says of a mount, as mount's flags: in a user namespace a remount may not clear any of them
KEPT = ((1, RDONLY), (2, NOSUID), (4, NODEV), (8, NOEXEC), (1024, NOATIME), (2048, NODIRATIME), (4096, RELATIME))
MNT_DETACH = 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}


def unshare(flags: int) -> None:
    checked("unshare", LIBC.unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    checked(f"mount on {target}", LIBC.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]))


def enter() -> int:
    """Leave the outside's users, processes, network, ipc and host name. Gives back the child's pid, 0 in the child: the new world's init.

    As root there is no user namespace: in one that maps only root nobody can change user. For an ordinary user it allows the rest.
    """
    user, group = os.geteuid(), os.getegid()
    unshare((NEWUSER if user else 0) | NEWPID | NEWNET | NEWIPC | NEWUTS)
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", name).write_text(text)
    return os.fork()


def bind(source: str, target: str, device: bool = False) -> None:
    """Show `source` read-only at `target`, which is made if needed. Missing sources are left out."""
    if os.path.isdir(source):
        os.makedirs(target, 0o755, exist_ok=True)
    elif os.path.exists(source):
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        with open(target, "a"):
            pass
    else:
        return
    mount(source, target, flags=BIND | REC)
    state = os.statvfs(target).f_flag
    flags = sum(flag for bit, flag in KEPT if state & bit)
    mount("none", target, flags=flags | BIND | REMOUNT | RDONLY | NOSUID | (NOEXEC if device else NODEV))


def build(stage: str, shown: list[tuple[str, str]], hidden: list[str]) -> None:
    """Mount the tree on the empty folder `stage` and make it the root; nothing of the old one stays reachable.

    Args:
        stage: an empty folder.
        shown: (source, path in the new world).
        hidden: folders below these that must look empty (the interpreter's own site-packages).
    """
    os.umask(0o022)  # folders that only root may enter would hide packages from the worker, and others would be found in their place
    unshare(NEWNS)
    mount("none", "/", flags=REC | PRIVATE)
    mount("tmpfs", stage, "tmpfs", NOSUID | NODEV, "size=4m,mode=0755")
    for source, target in shown:
        bind(source, stage + target, device=target.startswith("/dev/"))
    for path in hidden:
        mount("tmpfs", stage + path, "tmpfs", NOSUID | NODEV | NOEXEC | RDONLY, "size=4k,mode=0755")
    for name in ("lib", "lib64"):  # where programs look for the loader and system libraries, on systems that merged /usr
        if os.path.islink(f"/{name}") and not os.path.lexists(f"{stage}/{name}"):
            os.symlink(os.readlink(f"/{name}"), f"{stage}/{name}")
    for name in ("kit", "work"):
        os.mkdir(f"{stage}/{name}", 0o755)
    os.chdir(stage)
    checked("pivot_root", LIBC.syscall(ctypes.c_long(PIVOT_ROOT[os.uname().machine]), b".", b"."))
    checked("umount of the old root", LIBC.umount2(b".", MNT_DETACH))
    os.chdir("/")
    mount("none", "/", flags=REMOUNT | BIND | RDONLY | NOSUID | NODEV)
    mount("tmpfs", "/work", "tmpfs", NOSUID | NODEV, "size=4m,mode=0700")  # for packages while they are imported; workers get their own


def next_child_is_an_init(processes: int) -> None:
    """The next fork gives the init of a fresh pid namespace. `processes` is our own, opened: unsharing again needs the way back first."""
    checked("setns", LIBC.setns(ctypes.c_int(processes), ctypes.c_int(NEWPID)))
    unshare(NEWPID)


def private_folders(user: int | None, work_bytes: int, work_files: int) -> None:
    """An own /kit and /work, on a mount tree of our own."""
    unshare(NEWNS | NEWIPC)
    mount("tmpfs", "/kit", "tmpfs", NOSUID | NODEV, "size=16m,mode=0755")
    owner = "" if user is None else f",uid={user},gid={user}"
    mount("tmpfs", "/work", "tmpfs", NOSUID | NODEV, f"size={work_bytes},nr_inodes={work_files},mode=0700{owner}")


def seal_kit() -> None:
    mount("none", "/kit", flags=REMOUNT | BIND | RDONLY | NOSUID | NODEV)
