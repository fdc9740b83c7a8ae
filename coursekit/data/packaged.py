"""Photographs inside the packages that the course depends on: real pictures without a download. Used by `signs` and `classic`."""

from importlib.util import find_spec
from pathlib import Path

from PIL import Image

FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}


def packaged_picture(package: str, name: str) -> Image.Image:
    """A picture inside an installed package, found without importing the package.

    Args:
        package: one of `FOLDERS`.
        name: of the file.

    Raises:
        FileNotFoundError: naming the package that does not hold it.
    """
    spec = find_spec(package)
    folder = Path(spec.submodule_search_locations[0]) / FOLDERS[package] if spec else Path()
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(f"{name} should be inside the installed package {package}; reinstall scikit-image and scikit-learn")
    return Image.open(path)
