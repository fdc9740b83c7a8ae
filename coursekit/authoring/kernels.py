"""A pytest plugin: nbval's kernels talk through files in a folder of their own, not through TCP ports.

Jupyter picks five free ports, lets go of them, and tells the kernel to take them. A second or so lies between, and where other kernels
start or connect in it, one of the ports can be taken. A kernel that misses its iopub port neither answers nor ends, and the notebook
fails after a minute: "Kernel didn't respond in 60 seconds".
"""

import shutil
import sys
import tempfile
from pathlib import Path

from jupyter_client.manager import KernelManager

_folder = None


def pytest_configure() -> None:
    """Let nbval start such kernels. Windows has no such files, and keeps its ports."""
    global _folder
    if sys.platform == "win32":
        return
    from nbval import kernel

    _folder = tempfile.mkdtemp(prefix="kernel-")  # short: a socket's path holds about 100 bytes

    def with_files(**options) -> KernelManager:
        return KernelManager(transport="ipc", ip=str(Path(_folder) / "s"), **options)

    kernel.KernelManager = with_files


def pytest_unconfigure() -> None:
    """The folder goes with the run."""
    if _folder:
        shutil.rmtree(_folder, ignore_errors=True)
