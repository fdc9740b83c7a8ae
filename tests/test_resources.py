import subprocess
import sys
import zipfile

import pytest

from coursekit.resources import resource


def test_a_missing_resource_names_what_there_is():
    with pytest.raises(FileNotFoundError, match=r"no file 'nothing.bin'; it ships"):
        resource("nothing.bin")


@pytest.mark.full
def test_the_wheel_holds_what_the_package_reads(tmp_path):
    """Built as a user's pip would, the wheel has the notebooks, their solutions and the shipped data."""
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), "."]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "coursekit/_notebooks/00_welcome.ipynb" in names
    assert "coursekit/_solutions/00_welcome.py" in names
    assert "coursekit/_data/signs_n.safetensors" in names
    assert not [name for name in names if name.startswith(("tests/", "build/"))]
