"""Deformable parts: a score for the whole plus the best place of each part, minus what moving it costs. Taught in notebook 15_classic.

Source: Felzenszwalb, Girshick, McAllester and Ramanan, "Object Detection with Discriminatively Trained Part-Based Models", PAMI 2010.
Its parts lie at twice the resolution of the root, its deformation has linear terms too, and all of it is learnt; here it is set by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def response(image: np.ndarray, template: np.ndarray) -> np.ndarray:
    """How well a filter fits at each place: the sum of products, filter kept inside the image.

    Args:
        image: (H, W). template: (h, w).

    Returns:
        (H - h + 1, W - w + 1) float64; [y, x] is the filter with its left upper corner at (x, y).
    """
    cut = sliding_window_view(np.asarray(image, dtype=np.float64), template.shape)
    return np.einsum("yxij,ij->yx", cut, template)


def part_score(fits: np.ndarray, x: int, y: int, cost: float, reach: int) -> tuple[float, int, int]:
    """The best place for one part near its anchor.

    Args:
        fits: (H, W) how well the part's filter fits at each place.
        x, y: the anchor, where the part belongs; inside fits.
        cost: of a move by (dx, dy): cost * (dx**2 + dy**2).
        reach: farthest move along each axis, in pixels.

    Returns:
        (score, dx, dy): the largest fit minus cost, and the move. Places outside fits do not count. Of equal ones the cheapest move.
    """
    best = (-np.inf, 0, 0, 0)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if 0 <= y + dy < fits.shape[0] and 0 <= x + dx < fits.shape[1]:
                moved = dx**2 + dy**2
                score = float(fits[y + dy, x + dx] - cost * moved)
                if (score, -moved) > (best[0], -best[1]):
                    best = (score, moved, dx, dy)
    return best[0], best[2], best[3]


def spread(fits: np.ndarray, cost: float, reach: int) -> np.ndarray:
    """`part_score` for an anchor at every place: (H, W) -> (H, W). The generalised distance transform, by brute force.

    (2 * reach + 1) squared shifted maps; Felzenszwalb and Huttenlocher (2004) do it in time that grows with the map alone.
    """
    height, width = fits.shape
    wide = np.pad(np.asarray(fits, dtype=np.float64), reach, constant_values=-np.inf)
    best = np.full((height, width), -np.inf)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            shifted = wide[reach + dy : reach + dy + height, reach + dx : reach + dx + width]
            best = np.maximum(best, shifted - cost * (dx**2 + dy**2))
    return best


@dataclass(frozen=True)
class Part:
    """A filter and where it belongs: (x, y) of its left upper corner, counted from the left upper corner of the root."""

    name: str
    template: np.ndarray
    x: int
    y: int


def placed(image: np.ndarray, parts: Sequence[Part], x: int, y: int, cost: float, reach: int) -> list[tuple[float, int, int]]:
    """Score and move of each part for a root at (x, y); a reach of 0 is a rigid template."""
    return [part_score(response(image, part.template), x + part.x, y + part.y, cost, reach) for part in parts]


def drawn_face(moves: dict[str, tuple[int, int]] | None = None, size: int = 32) -> np.ndarray:
    """A toy face, (size, size) in 0..1: two eyes, a nose, a mouth on grey, each moved by (dx, dy) pixels.

    Args:
        moves: name of a part -> (dx, dy).

    Raises:
        ValueError: for a part that it does not have.
    """
    moves = moves or {}
    if unknown := sorted(set(moves) - {part.name for part in FACE}):
        raise ValueError(f"moves must name parts of the face ({', '.join(p.name for p in FACE)}), got {unknown[0]!r}")
    image = np.full((size, size), 0.5)
    left = top = (size - 24) // 2  # the face is 24 wide and high
    for part in FACE:
        dx, dy = moves.get(part.name, (0, 0))
        height, width = part.template.shape
        there = np.s_[top + part.y + dy : top + part.y + dy + height, left + part.x + dx : left + part.x + dx + width]
        image[there] = np.where(part.template < 0, 0.0, image[there])
    return image


def _template(*rows: str) -> np.ndarray:
    """`#` is dark ink (negative weight), `.` paper around it; the weights sum to 0, so that even light scores 0."""
    ink = np.array([[letter == "#" for letter in row] for row in rows])
    return np.where(ink, -2.0 / ink.sum(), 2.0 / (~ink).sum())


_EYE = _template(".......", ".......", "..###..", "..###..", "..###..", ".......", ".......")
FACE = (
    Part("left eye", _EYE, 2, 3),
    Part("right eye", _EYE, 15, 3),
    Part("nose", _template(".....", "..#..", "..#..", "..#..", "..#..", "....."), 9, 9),
    Part("mouth", _template(".............", ".............", "..#########..", "..#########..", ".............", "............."), 5, 16),
)
