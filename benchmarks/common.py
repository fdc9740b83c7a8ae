"""What the benchmarks share: a peer's environment, the machine in words, results on the disk."""

import json
import os
import platform
import subprocess
import venv
from importlib.metadata import version
from pathlib import Path

from coursekit.files import write_text
from coursekit.machine import cpu_flags, cpu_name, cpu_quota

HERE = Path(__file__).parent
ULTRALYTICS = ["ultralytics==8.4.190", "opencv-python-headless<5"]


def environment(home: Path, packages: list[str]) -> Path:
    """The Python of an environment that holds exactly these packages and what they need; made where it is missing."""
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (home / "complete").is_file():
        print(f"making {home} with {', '.join(packages)}", flush=True)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
        (home / "complete").write_text("\n".join(packages))
    return python


def ultralytics(envs: Path) -> Path:
    """The Python of an environment with ultralytics and the torch that we have."""
    torches = [f"{package}=={version(package).split('+')[0]}" for package in ("torch", "torchvision")]
    return environment(envs / "ultralytics", [*ULTRALYTICS, *torches])


def machine() -> dict:
    """Processor, the instructions that decide the speed, cores that are ours, versions."""
    import torch

    flags = sorted(cpu_flags() & {"avx2", "avx512f", "avx512_bf16", "amx_bf16"})
    return {"cpu": cpu_name(), "flags": flags, "cores": cpu_quota(), "torch": torch.__version__, "os": platform.system()}


def write_results(name: str, content: dict) -> Path:
    """``benchmarks/results/NAME.json``."""
    path = HERE / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps(content, indent=1) + "\n")
    return path
