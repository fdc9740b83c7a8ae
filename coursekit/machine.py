"""What machine this is, asked without importing torch: cores that are really ours, memory, CPU flags, GPU driver."""

import os
import platform
from pathlib import Path


def cpu_quota() -> int:
    """Whole cores this process may use: the affinity mask, cut by the cgroup quota of a container. At least 1.

    A container that may use 2 of 64 cores sees 64 in `os.cpu_count()`; 64 threads on 2 cores are many times slower than 2.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:  # cgroup v2; v1 keeps the same two numbers in two files
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = (Path(f"/sys/fs/cgroup/cpu/cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        except OSError:
            return cores
    if quota in ("max", "-1"):
        return cores
    return max(1, min(cores, int(quota) // int(period)))


def cpu_flags() -> set[str]:
    """CPU flags such as ``avx2``, ``avx512_bf16``, ``amx_bf16``, which decide how fast we are; empty where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    for line in lines:
        if line.startswith(("flags", "Features")):
            return set(line.partition(":")[2].split())
    return set()


def cpu_name() -> str:
    """The processor's name, or the architecture where the system does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_limit() -> int | None:
    """Bytes of memory this process may use: physical memory, cut by a container's limit; None where the system does not tell."""
    limits = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    try:
        text = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if text != "max":
            limits.append(int(text))
    except (OSError, ValueError):
        pass
    return min(limits, default=None)
