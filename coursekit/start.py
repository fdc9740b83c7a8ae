"""`coursekit start`: the notebooks in the learner's own folder, and JupyterLab opened on the first one."""

import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path

from . import __version__
from .files import write_bytes, write_json
from .resources import notebooks_folder

MANIFEST = ".coursekit.json"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_manifest(folder: Path) -> dict[str, str]:
    """Name -> hash of what we delivered last. A lost or damaged manifest only means that every file counts as the learner's."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def copy_notebooks(folder: Path, source: Path | None = None) -> dict[str, str]:
    """Lay the notebooks into the learner's folder, and never over what they changed.

    Args:
        folder: the learner's own folder; made where it is missing.
        source: folder of the built notebooks; the package's own by default.

    Returns:
        name -> ``"new"``, ``"updated"`` (they had not touched the old edition), ``"kept"`` (nothing to do) or ``"beside"``
        (they changed theirs, so the newer edition lies next to it as ``NN_topic.edition-VERSION.ipynb``).

    Raises:
        FileNotFoundError: if there are no built notebooks.
    """
    source = source or notebooks_folder()
    built = sorted(source.glob("*.ipynb"))
    if not built:
        raise FileNotFoundError(f"no notebooks in {source}; in a checkout, `coursekit build` makes them")
    folder.mkdir(parents=True, exist_ok=True)
    delivered, done = _read_manifest(folder), {}
    for notebook in built:
        name, content = notebook.name, notebook.read_bytes()
        mine = folder / name
        ours, theirs = _digest(content), _digest(mine.read_bytes()) if mine.exists() else None
        if theirs is None:
            write_bytes(mine, content)
            done[name] = "new"
        elif theirs == ours or delivered.get(name) == ours:
            done[name] = "kept"
        elif theirs == delivered.get(name):
            write_bytes(mine, content)
            done[name] = "updated"
        else:
            write_bytes(mine.with_name(f"{mine.stem}.edition-{__version__}.ipynb"), content)
            done[name] = "beside"
        delivered[name] = ours
    write_json(folder / MANIFEST, delivered)
    return done


def _free_port(first: int) -> int:
    """The first port from ``first`` on that nobody listens on."""
    for port in range(first, first + 50):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port between {first} and {first + 49}; name another with --port")


def _wait_until_served(url: str, server: subprocess.Popen, seconds: float = 60) -> bool:
    """Ask until the page answers 200, the server dies or the time is up."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy must not be asked for localhost
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with direct.open(url, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def _quiet(settings: Path) -> dict[str, str]:
    """The environment in which JupyterLab neither looks for updates nor asks whether it may fetch news: nothing here calls home."""
    write_json(settings / "labconfig" / "page_config.json", {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}})
    paths = [str(settings), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, paths))}


def open_lab(folder: Path, first: str = "00_welcome.ipynb", port: int = 8888, browser: bool = True) -> int:
    """Start JupyterLab in the folder, print its URL once the page answers, and stay until it ends (Ctrl-C).

    Returns:
        JupyterLab's exit code.

    Raises:
        OSError: if it did not come up, or JupyterLab is not installed.
    """
    port, token = _free_port(port), secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={folder.resolve()}", "--ServerApp.port_retries=0", "--ServerApp.log_level=WARN"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # containers run as root; the server listens on localhost only
    url = f"http://127.0.0.1:{port}/lab/tree/{first}?token={token}"
    for name in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # a shell that starts us in the background has us ignore Ctrl-C; and nothing must outlive us
        signal.signal(name, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as settings, subprocess.Popen(command, env=_quiet(Path(settings))) as server:
        try:
            if not _wait_until_served(url, server):
                server.terminate()
                raise OSError('JupyterLab did not start; is it installed? `pip install "coursekit[course]"`, and see what it printed above')
            print(f"\n  Pixels to Boxes is open at\n  {url}\n  Ctrl-C ends it. Your notebooks are in {folder}.\n", flush=True)
            if browser:
                webbrowser.open(url)
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            return 0
