"""Which files a worker may see: an exercise's packages with all that they need, the interpreter, the system's libraries. Nothing else."""

import functools
import importlib.metadata
import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

ALWAYS = ("numpy", "safetensors")  # what `inside` itself needs
DEVICES = ("/dev/null", "/dev/urandom")
MACHINE = ("/proc/cpuinfo", "/sys/devices/system/cpu", "/etc/ld.so.cache")  # which vector instructions there are; where libraries lie


@functools.cache
def distribution_of(package: str) -> str:
    """Name of the distribution that installs the importable `package`.

    Raises:
        ValueError: if none does.
    """
    try:
        return importlib.metadata.distribution(package).metadata["Name"]
    except importlib.metadata.PackageNotFoundError:
        names = importlib.metadata.packages_distributions().get(package)
    if not names:
        raise ValueError(f"packages must be installed where grading runs, and {package!r} is not") from None
    return names[0]


def closure(packages: Iterable[str]) -> dict[str, importlib.metadata.Distribution]:
    """The distributions of `packages` and of everything that they require, by normalised name; what is not installed is left out."""
    found: dict[str, importlib.metadata.Distribution] = {}
    done: set[tuple[str, str]] = set()
    waiting = [(distribution_of(package), "") for package in packages]
    while waiting:
        name, extra = waiting.pop()
        key = name.lower().replace("_", "-")
        if (key, extra) in done:
            continue
        done.add((key, extra))
        try:
            distribution = found[key] if key in found else importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[key] = distribution
        for line in distribution.requires or ():
            try:
                need = Requirement(line)
            except InvalidRequirement:
                continue
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                waiting += [(need.name, ""), *((need.name, wanted) for wanted in need.extras)]
    return found


def entries_of(distribution: importlib.metadata.Distribution) -> dict[str, str]:
    """What a distribution put into site-packages: name there → where it lies. Of a folder that several share, only its own parts."""
    record, entries = distribution.read_text("RECORD") or distribution.read_text("installed-files.txt"), {}
    if record is None:
        raise ValueError(f"{distribution.metadata['Name']} does not say which files are its own: install it with pip to grade with it")
    for line in record.splitlines():
        parts = line.split(",", 1)[0].strip('"').split("/")
        if parts[0] in ("..", "__pycache__", "") or parts[0].endswith(".pth"):
            continue
        name = parts[0]
        if name in entries:
            continue
        folder = Path(distribution.locate_file(name))
        shared = folder.is_dir() and "." not in name and not (folder / "__init__.py").exists()
        if shared and len(parts) > 1:
            name = f"{name}/{parts[1]}"
        path = Path(distribution.locate_file(name))
        if path.exists() and parts[-1] != "":
            entries[name] = str(path)
    return entries


@functools.cache
def site_of(packages: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """(name in site-packages, path) of all that the packages need."""
    entries: dict[str, str] = {}
    for distribution in closure(packages).values():
        entries.update(entries_of(distribution))
    return tuple(sorted(entries.items()))


def folders() -> list[str]:
    """The interpreter's own search path, without any site-packages."""
    standard = sysconfig.get_path("stdlib")
    return [standard, os.path.join(standard, "lib-dynload")]


def hidden() -> list[str]:
    """The base interpreter's installed packages, below its standard library: a virtual environment must not fall back to them."""
    standard = sysconfig.get_path("stdlib")
    return [path for name in ("site-packages", "dist-packages") if os.path.isdir(path := os.path.join(standard, name))]


def standard_pieces() -> list[str]:
    """The standard library in pieces, without what is hidden."""
    standard, without = sysconfig.get_path("stdlib"), set(hidden())
    if not without:
        return [standard]
    return [path for name in sorted(os.listdir(standard)) if (path := os.path.join(standard, name)) not in without]


@functools.cache
def libraries() -> tuple[str, ...]:
    """Folders of the system's libraries, and the interpreter's own library files."""
    with open("/proc/self/maps") as file:
        mapped = {line.split(None, 5)[5].strip() for line in file if "/" in line}
    system = {os.path.dirname(path) for path in mapped if os.path.basename(path).startswith(("libc.so", "libm.so", "libc-2", "libm-2"))}
    own = [str(path) for path in Path(sys.base_prefix, "lib").glob("*.so*") if path.is_file()]
    return (*sorted(system), *(path for path in own if os.path.dirname(path) not in system))
