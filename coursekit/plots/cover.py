"""The picture of the README, made by what it shows: ``python -m coursekit.plots.cover data/readme.png``."""

import io
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from PIL import Image

from ..data.signs import SignScenes
from ..yolo import load_shipped
from ..yolo.decode import decode, detections
from .images import set_alt, show_boxes, to_picture


def cover(index: int = 28, seed: int = 19) -> Figure:
    """A scene the shipped detector has never seen: the pixels, what every cell says, the boxes."""
    detector = load_shipped()
    image, _ = SignScenes(index + 1, seed=seed)[index]
    with torch.no_grad():
        raw = detector(image[None])
    found = detections(raw, confidence=0.4)[0]
    sure = decode(raw)[1][0].max(dim=1).values[: (image.shape[1] // 8) * (image.shape[2] // 8)]
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.9), layout="constrained")
    axes[0].imshow(to_picture(image))
    axes[0].set_title("pixels", fontsize=10)
    axes[1].imshow(to_picture(image), extent=(0, 256, 256, 0))
    axes[1].imshow(sure.reshape(image.shape[1] // 8, -1), cmap="magma", vmin=0, vmax=1, alpha=0.7, extent=(0, 256, 256, 0))
    axes[1].set_title("how sure each cell is", fontsize=10)
    show_boxes(image, found.boxes, found.labels, found.scores, detector.classes, ax=axes[2], title="boxes")
    for ax in axes[:2]:
        ax.set_axis_off()
    return set_alt(
        figure, f"A generated street scene, a heat map of the detector's confidence over it, and the {len(found)} signs it found."
    )


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "cover.png")
    file = io.BytesIO()
    cover().savefig(file, dpi=80)
    Image.open(file).convert("RGB").quantize(128).save(target, optimize=True)  # a quarter of the bytes, and nobody sees it
    print(f"wrote {target}")
