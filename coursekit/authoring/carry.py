"""What `make gpu` needs where there is torch but nothing can be installed: wheels, solved notebooks, and how to use them, in one folder.

    python -m coursekit.authoring.carry build/carry --python 3.12                       beyond torch, torchvision, NumPy and Pillow
    python -m coursekit.authoring.carry build/carry --python 3.12 --have there.txt      beyond what `python3 -m pip freeze` says there
    python -m coursekit.authoring.carry build/carry --peer build/bench-envs/ultralytics  with ultralytics, from that environment
    python -m coursekit.authoring.carry build/carry --list                              only say what it would be

Over there ``python3 build/carry/install.py /tmp/gpu-env`` makes an environment of it that sees what is installed beside it.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from coursekit.files import write_json

ROOT = Path(__file__).parents[2]
# what runs notebooks and their tests; nothing of JupyterLab, which only people need
NEEDED = ("coursekit", "nbval", "ipykernel", "pytest", "pytest-timeout", "pycocotools")
WIDGETS = ("ipywidgets", "albumentations", "opencv-python-headless")
SERVING = ("onnx", "onnxscript", "onnxruntime", "tritonclient[http]")
HAVE = ("torch", "torchvision", "numpy", "pillow")  # and what these need
PEER = "ultralytics"
# its OpenCV has windows and is twice as large as ours, which serves it too; polars, 60 MiB packed, only reads its own tables
PEER_WITHOUT = ("opencv-python", "polars")
LIMIT = 48.0  # MiB; with the working tree and some data it stays below 64
# the glibc that a platform tag promises; pip takes only those that are named
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (17, 24, 26, 27, 28, 31, 34)] + ["manylinux2014_x86_64", "manylinux1_x86_64"]
IMPORTS = {
    "opencv-python-headless": "cv2",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "pytest-timeout": "pytest_timeout",
}

Needs = Callable[[str], list[str] | None]


def installed_needs(name: str) -> list[str] | None:
    """What a package that is installed here asks for, as in its metadata; None where it is not installed."""
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return None


def target_environment(python: str) -> dict[str, str]:
    """Markers as they read on Linux on x86-64 with that Python, whatever runs here."""
    there = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux", "platform_system": "Linux"}
    return default_environment() | there | {"os_name": "posix", "platform_machine": "x86_64", "implementation_name": "cpython", "extra": ""}


def closure(roots: Iterable[str], python: str, have: dict[str, str | None] | None = None, needs: Needs = installed_needs) -> list[str]:
    """Names of all packages that ``roots`` need on the target, in alphabetical order.

    Args:
        roots: requirements, such as ``"tritonclient[http]"``.
        python: of the target, ``"3.12"``.
        have: what is there already, by canonical name, with its version where that is known: it is left out with what only it needs, unless
            the version is one that is not accepted.
        needs: what a package asks for.

    Raises:
        ValueError: naming a package whose needs are not known, since it is not installed here.
    """
    have, environment = have or {}, target_environment(python)
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    queue = [Requirement(root) for root in roots]
    while queue:
        wanted = queue.pop()
        name = canonicalize_name(wanted.name)
        there = name in have and (have[name] is None or wanted.specifier.contains(Version(have[name]), prereleases=True))
        extras = {"", *wanted.extras}
        if there or all((name, extra) in seen for extra in extras):
            continue
        seen |= {(name, extra) for extra in extras}
        found.add(name)
        asked = needs(name)
        if asked is None:
            raise ValueError(
                f"{name} must be installed here too, or nobody knows what it needs; install coursekit's extra dev, or --have it"
            )
        lines = [Requirement(line) for line in asked]
        queue += [one for one in lines if one.marker is None or any(one.marker.evaluate(environment | {"extra": e}) for e in extras)]
    return sorted(found)


def read_have(words: Iterable[str], python: str) -> dict[str, str | None]:
    """What the target has: of each word either a file in the manner of `pip freeze`, or a package's name with all that it needs.

    Raises:
        ValueError: naming the file and line that is no package.
    """
    have: dict[str, str | None] = {}
    for word in words:
        if not Path(word).is_file():
            have |= dict.fromkeys(closure([word], python), None)
            continue
        for number, line in enumerate(Path(word).read_text(encoding="utf-8").splitlines(), 1):
            text = line.partition("#")[0].strip()
            match = re.fullmatch(r"([A-Za-z0-9][\w.-]*)\s*(?:==\s*([\w.!+-]+)|@.*)?", text)
            if text and not match:
                raise ValueError(f"{word}, line {number}: {text!r} is no package as `pip freeze` writes it, such as numpy==2.4.6")
            if match:
                have[canonicalize_name(match[1])] = match[2]
    return have


def pins(names: Iterable[str], constraints: Path) -> list[str]:
    """``name==version`` of each, as constraints.txt has it.

    Raises:
        ValueError: naming one that it lacks.
    """
    lines = [line.partition("#")[0].strip() for line in constraints.read_text(encoding="utf-8").splitlines()]
    versions = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines if line)}
    missing = [name for name in names if name not in versions]
    if missing:
        raise ValueError(f"{constraints} names no version of {', '.join(missing)}")
    return [f"{name}=={versions[name]}" for name in names]


def peer_pins(place: Path, python: str, there: Iterable[str]) -> list[str]:
    """``name==version`` of the peer and what it needs beyond what is ``there``, as the environment in ``place`` has them.

    Raises:
        ValueError: where it holds no peer.
    """
    found = {
        canonicalize_name(one.name): one for folder in place.rglob("site-packages") for one in metadata.distributions(path=[str(folder)])
    }
    if PEER not in found:
        raise ValueError(f"peer must be an environment with {PEER}, got {place}; `make bench` makes one")
    have = dict.fromkeys([*map(canonicalize_name, there), *PEER_WITHOUT], None)
    names = closure([PEER], python, have, lambda name: (found[name].requires or []) if name in found else None)
    return [f"{name}=={found[name].version}" for name in names]


def fetch(pinned: list[str], python: str, wheels: Path) -> None:
    """Download wheels for Linux on x86-64 and that Python, and make ours.

    Raises:
        ValueError: with the end of what pip said.
    """
    kinds = [word for platform in PLATFORMS for word in ("--platform", platform)]
    quiet = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    target = ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, *kinds]
    commands = [[*quiet, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)]]
    commands += [[*quiet, "download", "--no-deps", *target, "--dest", str(wheels), *pinned]] if pinned else []
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ValueError(f"pip {command[5]} failed: {' '.join(done.stderr.split())[-300:]}")


def sizes(wheels: Path) -> dict[str, float]:
    """MiB of each wheel, the largest first."""
    found = {path.name: path.stat().st_size / 2**20 for path in wheels.glob("*.whl")}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def carry(
    folder: Path,
    python: str,
    have: dict[str, str | None],
    leave_out: Iterable[str] = (),
    limit: float = LIMIT,
    peer: Path | None = None,
) -> dict:
    """Make the folder; it is emptied first.

    Args:
        have: see `closure`. peer: see `peer_pins`.
        leave_out: packages that are needed but too large to carry; what needs them does not run there, and the report says so.

    Returns:
        What stands in carried.json: python, the wheels and their MiB, what was left out, which modules must be importable.

    Raises:
        ValueError: where pip fails, or the folder is larger than ``limit`` MiB, naming the largest wheels.
    """
    names, left = wanted_names(python, have, leave_out)
    _empty(folder)
    wheels = folder / "wheels"
    more = peer_pins(peer, python, {*names, *have}) if peer else []
    fetch([*pins([name for name in names if name != "coursekit"], ROOT / "constraints.txt"), *more], python, wheels)
    shutil.copy(Path(__file__).with_name("carried.py"), folder / "install.py")
    solved = ROOT / "build/solved"
    if solved.is_dir():
        shutil.copytree(solved, folder / "solved", ignore=shutil.ignore_patterns(".*", "*.json"))
    mib = sizes(wheels)
    roots = [Requirement(root).name for root in (*NEEDED, *WIDGETS, *SERVING)]
    modules = [IMPORTS.get(name, name.replace("-", "_")) for name in roots if canonicalize_name(name) not in left] + [PEER] * bool(peer)
    facts = {"python": python, "left_out": sorted(left), "imports": modules, "wheels": {name: round(size, 3) for name, size in mib.items()}}
    write_json(folder / "carried.json", facts)
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
    if total > limit:
        largest = ", ".join(f"{name.partition('-')[0]} {size:.1f}" for name, size in list(mib.items())[:5])
        raise ValueError(
            f"{folder} holds {total:.1f} MiB, more than {limit:g}: --have what is there, --leave-out or --limit; MiB: {largest}"
        )
    return facts | {"total": total}


def wanted_names(python: str, have: dict[str, str | None], leave_out: Iterable[str]) -> tuple[list[str], set[str]]:
    """Names to carry, and those that are left out; what only they need stays behind too."""
    left = {canonicalize_name(name) for name in leave_out}
    roots = [root for root in (*NEEDED, *WIDGETS, *SERVING) if canonicalize_name(Requirement(root).name) not in left]
    return closure(roots, python, have | dict.fromkeys(left, None)), left


def _empty(folder: Path) -> None:
    """Only what was made here may be thrown away."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "carried.json").is_file():
        raise ValueError(f"{folder} is not empty and was not made by this command; give another folder")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "wheels").mkdir(parents=True)


def main(arguments: list[str] | None = None) -> int:
    """The command line; a ValueError is one sentence and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m coursekit.authoring.carry", description="Pack what `make gpu` needs elsewhere.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12", help="version over there")
    parser.add_argument("--have", nargs="+", default=[], help="what is there: a file of `pip freeze`, or names; torch's needs always are")
    parser.add_argument("--leave-out", nargs="+", default=[], help="packages that are too large to carry")
    parser.add_argument("--peer", type=Path, help=f"an environment with {PEER}, which then goes along to be measured on the same card")
    parser.add_argument("--limit", type=float, default=LIMIT, help="MiB")
    parser.add_argument("--list", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    try:
        if not re.fullmatch(r"3\.\d+", options.python):
            raise ValueError(f"python must be a version such as 3.12, got {options.python!r}")
        have = read_have(HAVE, options.python) | read_have(options.have, options.python)
        if options.list:
            print("\n".join(wanted_names(options.python, have, options.leave_out)[0]))
            return 0
        facts = carry(options.folder, options.python, have, options.leave_out, options.limit, options.peer)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(facts["wheels"], indent=1))
    print(f"{options.folder}: {len(facts['wheels'])} wheels, {facts['total']:.1f} MiB in all, for Python {options.python}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
