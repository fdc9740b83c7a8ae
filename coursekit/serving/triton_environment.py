"""Where the binary of NVIDIA's Triton inference server is on this machine, and how to get it. Goes with notebook 23_deployment.

The wheel ``nvidia-pytriton`` of PyPI holds the whole server for Linux: the binary, its python backend, and one stub (the process that
runs a model) for each Python. It needs NumPy 1, so it lives in a virtual environment of its own, together with ONNX Runtime. Nothing
of that package's Python code is used, so the packages that only it needs are left out.
"""

import ctypes.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PACKAGES = (("--no-deps", "nvidia-pytriton==0.7.0"), ("numpy<2", "onnxruntime>=1.19"))
PYTHONS = ("3.12", "3.11", "3.10")  # the wheel has a stub for them, and NumPy 1 and ONNX Runtime have wheels
SERVER = "pytriton/tritonserver"

# Run with an environment's own Python: where things are in it.
ASK = """
import json, sys, sysconfig
ask = sysconfig.get_config_var
print(json.dumps([".".join(map(str, sys.version_info[:2])), sysconfig.get_path("platlib"), ask("LIBDIR"), ask("INSTSONAME")]))
"""


@dataclass(frozen=True)
class Environment:
    """What a server needs to be started.

    Args:
        folder: the virtual environment. version: of its Python, "3.11". packages: its site-packages.
        library: Python as a shared library, which the stub loads; None where it is left to the system's own search.
    """

    folder: Path
    version: str
    packages: Path
    library: Path | None

    @property
    def server(self) -> Path:
        return self.packages / SERVER / "bin" / "tritonserver"

    @property
    def backend(self) -> Path:
        return self.packages / SERVER / "backends" / "python"

    @property
    def stub(self) -> Path:
        return self.packages / SERVER / "python_backend_stubs" / self.version / "triton_python_backend_stub"

    @property
    def libraries(self) -> Path:
        return self.packages / "nvidia_pytriton.libs"


def default_folder() -> Path:
    """Where it stands unless COURSEKIT_TRITON names another place: in the user's cache folder."""
    import pooch

    return Path(pooch.os_cache("coursekit")) / "triton"


def holds_triton(folder: Path) -> bool:
    """Whether a folder is an environment with the server and with ONNX Runtime."""
    packages = "lib/python3*/site-packages"
    return all(any(folder.glob(part)) for part in ("bin/python", f"{packages}/{SERVER}/bin/tritonserver", f"{packages}/onnxruntime"))


def find_triton() -> Path | None:
    """The environment that holds the server: the folder in COURSEKIT_TRITON, else the one in the user's cache; None where it is not."""
    folder = _place()
    return folder if holds_triton(folder) else None


def _place() -> Path:
    named = os.environ.get("COURSEKIT_TRITON")
    return Path(named).absolute() if named else default_folder()


def why_no_triton() -> str:
    """One sentence for whoever got None from `find_triton`."""
    if why := why_not_here():
        return why
    if named := os.environ.get("COURSEKIT_TRITON"):
        return f"COURSEKIT_TRITON names {named}, which holds no Triton; `python -m coursekit.serving.triton install {named}` makes it"
    return "Triton is not installed; `coursekit serve --get-triton` fetches it (about 100 MB)"


def why_not_here() -> str:
    """Why the server cannot run on this kind of machine, in one sentence; empty where it can."""
    (libc, version), processor = platform.libc_ver(), platform.machine()
    new = [int(part) for part in version.split(".")[:2] if part.isdigit()] >= [2, 35]
    if platform.system() == "Linux" and processor in ("x86_64", "AMD64") and libc == "glibc" and new:
        return ""
    this = " ".join(filter(None, (platform.system(), libc, version, "on", processor)))
    return f"Triton's wheel is for Linux with glibc 2.35 or newer on x86_64, and this is {this}"


def inspect(folder: Path | str) -> Environment:
    """What is in the environment, with its stub proved to start.

    Raises:
        ValueError: where something is missing; it says what.
    """
    folder = Path(folder).absolute()
    if why := why_not_here():
        raise ValueError(why)
    if not holds_triton(folder):
        raise ValueError(f"{folder} holds no Triton; `python -m coursekit.serving.triton install {folder}` makes it")
    version, packages, libdir, soname = _ask(folder / "bin" / "python")
    library = Path(libdir or "/") / (soname or "-")
    found = Environment(folder, version, Path(packages), library if library.is_file() and ".so" in library.name else None)
    if not found.stub.is_file():
        raise ValueError(f"Triton has no part for Python {version}, which {folder} is made with; make it with Python {PYTHONS[0]}")
    return found


def install_triton(folder: Path | str | None = None, say=lambda sentence: None) -> Path:
    """Make a virtual environment with the server, by venv and pip. Some 100 MB come through the network; one that stands is kept.

    Args:
        folder: of the environment; by default where `find_triton` looks. It appears whole or not at all.
        say: is given what is being done, sentence by sentence.

    Raises:
        ValueError: where it cannot be had here: one sentence that says why.
    """
    folder = Path(folder).absolute() if folder else _place()
    if why := why_not_here():
        raise ValueError(why)
    if holds_triton(folder):
        return folder
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is there and holds something else than Triton; name another folder, or take that one away")
    python = _suitable_python()
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        say(f"making an environment in {folder}")
        _run([python, "-m", "venv", str(temporary)], "an environment could not be made (on Debian and Ubuntu: apt install python3-venv)")
        for packages in PACKAGES:
            say(f"installing {' and '.join(name for name in packages if name[0] != '-')}")
            command = [str(temporary / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *packages]
            _run(command, "the packages could not be installed")
        folder.exists() and folder.rmdir()
        os.rename(temporary, folder)  # only scripts of pip would still say the old place, and none of them is used
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    inspect(folder)
    return folder


def _suitable_python() -> str:
    """A Python that the wheel has a stub for, and that exists as a shared library, too: this one if it can be, else one on the PATH."""
    candidates = [sys.executable, *filter(None, (shutil.which(f"python{version}") for version in PYTHONS))]
    for candidate in candidates:
        try:
            version, _, libdir, soname = _ask(candidate)
        except ValueError:
            continue
        shared = Path(libdir or "/", soname or "-").is_file() and ".so" in soname
        if version in PYTHONS and (shared or ctypes.util.find_library(f"python{version}")):
            return candidate
    raise ValueError(
        f"Triton needs Python {PYTHONS[-1]} to {PYTHONS[0]} with its shared library, and none was found "
        f"(on Debian and Ubuntu: apt install libpython{platform.python_version().rpartition('.')[0]})"
    )


def _ask(python: Path | str) -> list:
    """Version, site-packages, folder and name of the library of a Python."""
    try:
        told = subprocess.run([str(python), "-I", "-c", ASK], capture_output=True, text=True, timeout=60, check=True)
        return json.loads(told.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ValueError(f"{python} does not run as a Python ({type(error).__name__})") from None


def _run(command: list[str], otherwise: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        _raise_told(otherwise, done.stdout + done.stderr)


def _raise_told(otherwise: str, output: str) -> None:
    """ValueError with what a program said last, its own errors before its hints."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = next((line for line in reversed(lines) if "ERROR" in line), lines[-1] if lines else "it said nothing")
    raise ValueError(f"{otherwise}: {told[:300]}")
