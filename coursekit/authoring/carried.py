"""Use a folder that `coursekit.authoring.carry` made: an environment of its wheels, which also sees what this Python has.

    python3 carry/install.py /tmp/gpu-env
    /tmp/gpu-env/bin/python -m coursekit.authoring.gpu --solved carry/solved --limit-seconds 540 --resume --out ...

Standard library only: this runs before anything is installed. No network is used.
"""

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent


def make_environment(place: Path) -> Path:
    """An environment in ``place`` that sees the packages of the Python that runs this; its Python.

    ``--system-site-packages`` alone would look past an environment like this one, to the Python that it was made from.
    """
    venv.EnvBuilder(system_site_packages=True, with_pip=False, clear=True, symlinks=os.name != "nt").create(place)
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    ask = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    own = Path(subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip())
    beside = dict.fromkeys(sysconfig.get_paths()[name] for name in ("purelib", "platlib"))
    (own / "beside.pth").write_text("\n".join(beside) + "\n")  # after what is installed here, so a carried version wins
    return python


def install(python: Path, wheels: Path) -> None:
    """Every wheel of the folder, and nothing else: what they need was settled where they were packed."""
    files = sorted(map(str, wheels.glob("*.whl")))
    if not files:
        raise ValueError(f"there is no wheel in {wheels}")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    quiet = ["--quiet", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--ignore-installed"]
    done = subprocess.run([*pip, "install", *quiet, *files], capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"pip could not install the wheels: {' '.join(done.stderr.split())[-400:]}")


def missing(python: Path, modules: list[str]) -> list[str]:
    """Those that cannot be imported there, with the reason."""
    program = "import importlib, json, sys\nbad = []\nfor name in sys.argv[1:]:\n try: importlib.import_module(name)\n"
    program += " except Exception as error: bad.append(f'{name} ({type(error).__name__}: {error})')\nprint(json.dumps(bad))"
    done = subprocess.run([str(python), "-c", program, *modules], capture_output=True, text=True)
    if done.returncode:
        return [done.stderr.strip()[-300:]]
    return json.loads(done.stdout.splitlines()[-1])


def main(arguments=None, folder: Path = HERE) -> int:
    """0 where all that was carried can be imported."""
    parser = argparse.ArgumentParser(description="Make an environment of the wheels beside this file.")
    parser.add_argument("place", type=Path, help="folder to make")
    options = parser.parse_args(arguments)
    facts = json.loads((folder / "carried.json").read_text(encoding="utf-8"))
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    try:
        if here != facts["python"]:
            raise ValueError(f"these wheels are for Python {facts['python']}, and this is {here}: pack them with --python {here}")
        if (options.place / "pyvenv.cfg").is_file() is False and options.place.is_dir() and any(options.place.iterdir()):
            raise ValueError(f"{options.place} is there and is no environment; give another folder")
        python = make_environment(options.place)
        install(python, folder / "wheels")
        bad = missing(python, ["torch", "torchvision", *facts["imports"]])
        if bad:
            raise ValueError(f"cannot be imported there: {'; '.join(bad)}")
    except (ValueError, OSError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 2
    left = f" Left behind: {', '.join(facts['left_out'])}." if facts["left_out"] else ""
    print(f"{python} has {len(facts['wheels'])} carried packages.{left} Go on with:")
    print(f"{python} -m coursekit.authoring.gpu --solved {folder}/solved")
    return 0


if __name__ == "__main__":
    sys.exit(main())
