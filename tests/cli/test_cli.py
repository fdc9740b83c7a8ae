import subprocess
import sys
import time

import pytest

COMMANDS = ["start", "doctor", "build", "progress", "data", "train", "val", "predict", "eval"]


def coursekit(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "coursekit.cli", *arguments], capture_output=True, text=True, timeout=120, **options)


def test_help_names_every_command():
    out = coursekit("--help").stdout
    assert [name for name in COMMANDS if name not in out] == []


def test_help_is_quick():
    """Under half a second, or under 12 starts of a bare Python where the machine is busy."""

    def best(*command):
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.perf_counter() - begin)
        return min(times)

    bare = best(sys.executable, "-c", "pass")
    assert best(sys.executable, "-m", "coursekit.cli", "--help") < max(0.5, 12 * bare)


@pytest.mark.parametrize(
    "command",
    [
        "import coursekit",
        "import coursekit.cli",
        "import coursekit.metrics.detection",
        "import coursekit.data.check",
        "import coursekit.data.catalog",
        "import coursekit.doctor",
    ],
)
def test_importing_is_cheap(command):
    code = f"{command}; import sys; print([m for m in ('torch', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_an_unknown_command_is_a_sentence():
    result = coursekit("trian")
    assert result.returncode == 2
    assert "No such command 'trian'" in result.stderr
    assert "Traceback" not in result.stderr
