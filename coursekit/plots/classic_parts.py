"""Pictures of parts that move. Taught in notebook 15_classic."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from coursekit.classic.parts import Part, placed
from coursekit.plots.boxes import BLUE, ORANGE
from coursekit.plots.images import set_alt

ROOM = {"x": 4, "y": 4}  # where the face of `drawn_face` begins


def show_placed(images: Mapping[str, np.ndarray], parts: Sequence[Part], cost: float, reach: int, title: str) -> Figure:
    """Each picture with its parts: dashed where they belong, solid where they fit best, and the score of both.

    Args:
        images: title -> (32, 32) from `coursekit.classic.parts.drawn_face`.
        cost, reach: as for `part_score`.
    """
    figure, axes = plt.subplots(1, len(images), figsize=(3.6 * len(images), 4.9), layout="constrained", squeeze=False)
    words = []
    for ax, (name, image) in zip(axes[0], images.items(), strict=True):
        size = image.shape[0]
        ax.imshow(image, cmap="gray", vmin=0, vmax=1, extent=(0, size, size, 0))
        free, rigid = (placed(image, parts, ROOM["x"], ROOM["y"], cost, r) for r in (reach, 0))
        for part, (_, dx, dy) in zip(parts, free, strict=True):
            height, width = part.template.shape
            x, y = ROOM["x"] + part.x, ROOM["y"] + part.y
            ax.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=ORANGE, linestyle="--", linewidth=1.5))
            ax.add_patch(Rectangle((x + dx, y + dy), width, height, fill=False, edgecolor=BLUE, linewidth=2.2))
            if dx or dy:
                middle = (x + width / 2, y + height / 2)
                ax.annotate("", (middle[0] + dx, middle[1] + dy), middle, arrowprops={"arrowstyle": "->", "color": BLUE, "linewidth": 2})
        scores = [sum(p[0] for p in found) for found in (rigid, free)]
        ax.set_title(f"{name}\nrigid {scores[0]:.2f}, with parts {scores[1]:.2f}", fontsize=10)
        ax.set(xlabel="x in pixels")
        words.append(f"{name}: rigid {scores[0]:.2f}, with parts {scores[1]:.2f}")
    axes[0, 0].set_ylabel("y in pixels, downwards")
    figure.suptitle(f"{title} (dashed: where a part belongs, solid: where it fits best)")
    return set_alt(figure, f"{title}. {'; '.join(words)}.")


def show_maps(maps: Mapping[str, np.ndarray], title: str) -> Figure:
    """Score maps side by side in one scale, the highest place of each marked.

    Args:
        maps: title -> (H, W).
    """
    figure, axes = plt.subplots(1, len(maps), figsize=(3.8 * len(maps), 4.4), layout="constrained", squeeze=False)
    low, high = min(m.min() for m in maps.values()), max(m.max() for m in maps.values())
    words, shown = [], None
    for ax, (name, scores) in zip(axes[0], maps.items(), strict=True):
        shown = ax.imshow(scores, cmap="cividis", vmin=low, vmax=high, interpolation="nearest")
        y, x = np.unravel_index(scores.argmax(), scores.shape)
        ax.plot(x, y, marker="x", color="black", markersize=9, markeredgewidth=3)
        ax.plot(x, y, marker="x", color="white", markersize=8, markeredgewidth=1.5)
        ax.set(xlabel="x")
        ax.set_title(f"{name}\nhighest {scores.max():.2f} at ({x}, {y})", fontsize=10)
        words.append(f"{name}: highest {scores.max():.2f} at ({x}, {y})")
    axes[0, 0].set_ylabel("y")
    figure.colorbar(shown, ax=axes[0].tolist(), label="score", shrink=0.8)
    figure.suptitle(title)
    return set_alt(figure, f"{title}. {'; '.join(words)}.")
