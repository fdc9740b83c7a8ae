"""Pictures inside installed packages: found without importing them, and a clear sentence where one is missing."""

import subprocess
import sys

import pytest

from coursekit.data.packaged import packaged_picture


@pytest.mark.parametrize(("package", "name"), [("skimage", "chelsea.png"), ("sklearn", "china.jpg")])
def test_a_picture_is_opened(package, name):
    picture = packaged_picture(package, name)
    assert min(picture.size) > 100
    assert len(picture.convert("RGB").getcolors(2**24)) > 1000


def test_the_package_is_not_imported():
    code = (
        "import sys; from coursekit.data.packaged import packaged_picture as p; p('sklearn', 'china.jpg'); print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_missing_picture_names_its_package():
    with pytest.raises(FileNotFoundError, match=r"nothing\.png should be inside the installed package skimage"):
        packaged_picture("skimage", "nothing.png")
