"""Real photographs out of the installed packages, and where the faces in them are. Used by notebook 15_classic; nothing is downloaded."""

import numpy as np
import torch
from torch import Tensor

from ..data.packaged import packaged_picture

PHOTOS = {  # name -> package, file
    "astronaut": ("skimage", "astronaut.png"),
    "camera": ("skimage", "camera.png"),
    "chelsea": ("skimage", "chelsea.png"),
    "coffee": ("skimage", "coffee.png"),
    "motorcycle": ("skimage", "motorcycle_left.png"),
    "rocket": ("skimage", "rocket.jpg"),
    "china": ("sklearn", "china.jpg"),
    "flower": ("sklearn", "flower.jpg"),
    "brick": ("skimage", "brick.png"),
    "grass": ("skimage", "grass.png"),
    "gravel": ("skimage", "gravel.png"),
    "page": ("skimage", "page.png"),
    "clock": ("skimage", "clock_motion.png"),
    "coins": ("skimage", "coins.png"),
}
# drawn by hand: from the forehead to the chin, as the patches of labelled_images("faces") are cut
FACES = {"astronaut": [[167.0, 62.0, 279.0, 174.0]]}


def photograph(name: str) -> Tensor:
    """(3, H, W) uint8 RGB.

    Raises:
        ValueError: for a name that is none of `PHOTOS`.
        FileNotFoundError: where the package does not hold it.
    """
    if name not in PHOTOS:
        raise ValueError(f"name must be one of {', '.join(PHOTOS)}, got {name!r}")
    picture = packaged_picture(*PHOTOS[name]).convert("RGB")
    return torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy())


def grey(image: Tensor) -> Tensor:
    """(3, H, W) uint8 RGB -> (1, H, W) uint8: 0.299 R + 0.587 G + 0.114 B, as JPEG and OpenCV have it."""
    weights = torch.tensor([0.299, 0.587, 0.114])
    return (image.float() * weights[:, None, None]).sum(dim=0, keepdim=True).round().clamp(0, 255).to(torch.uint8)


def faces_in(name: str) -> Tensor:
    """(M, 4) float32 ``xyxy``: the frontal faces of a photograph, (0, 4) where there are none."""
    return torch.tensor(FACES.get(name, []), dtype=torch.float32).reshape(-1, 4)
