"""How far an AP can be trusted: intervals by resampling the images. Taught in notebook 20_map.

A test set of 72 images is one draw among many. Draw 72 of them again with replacement, a thousand times, and look how AP spreads
(Efron 1979): between the 2.5th and the 97.5th percentile lies what another test set of the kind may well have said. What another
training would have said is another question: for that, train with other seeds. And AP on few images is a little too high on average,
since it takes the best precision at a recall or beyond, and luck counts as best; no resampling of the few takes that away.

The AP of each draw is exact. Detections of different images never meet, so matching is done once; what is made again for each draw is the
ranking, in which an image drawn twice takes part twice: the same number, to the last bit, as from files in which its boxes are copied
under a new image id. For two detectors on the same images the draws are the same, and the interval is that of the difference: far
narrower than the two intervals, since hard images are hard for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .coco import IOU_THRESHOLDS, MAX_DETECTIONS, RECALL_POINTS, defined_mean
from .coco_fast import counted_truths
from .coco_sums import Verdicts, needed, precision_at_recall
from .detection import CocoResult
from .pairs import starts

# number -> thresholds, area range, detections an image and class: the cells that it is the mean of
CELLS = {"AP": (slice(None), 0, 100), "AP50": (slice(0, 1), 0, 100), "AP75": (IOU_THRESHOLDS == 0.75, 0, 100)}
CELLS |= {f"AP{size}": (slice(None), area, 100) for area, size in enumerate("sml", start=1)}
CELLS |= {f"AR{most}": (slice(None), 0, most) for most in MAX_DETECTIONS}
CELLS |= {f"AR{size}": (slice(None), area, 100) for area, size in enumerate("sml", start=1)}


@dataclass(frozen=True)
class Interval:
    """A number and how it spreads.

    Args:
        value: on the images as they are; NaN where it is undefined (no truth of that kind).
        low, high: percentiles of the draws that define it.
        draws: (N,) float64, the number in each draw; NaN where the draw leaves it undefined.
    """

    value: float
    low: float
    high: float
    draws: np.ndarray

    def __str__(self) -> str:
        """Such as ".625 [.601, .648]"; a dash for what is undefined."""
        return f"{_shown(self.value)} [{_shown(self.low)}, {_shown(self.high)}]"


def bootstrap(
    result: CocoResult, names: Sequence[str] = ("AP", "AP50"), draws: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Percentile intervals of any of the twelve numbers, over images.

    Args:
        result: an evaluation of at least 2 images.
        names: such as "AP50"; the keys of `CELLS`.
        draws: how often the images are drawn. The percentiles of 1,000 wander by about a tenth of the interval.
        level: share of the draws between `low` and `high`, in (0, 1).
        seed: of the draws. Same seed and number of images, same draws.

    Raises:
        ValueError: for an unknown name, fewer than 2 images, draws < 2, or a level that is no share.
    """
    counts = _draw(len(result.inputs.images), draws, level, seed)
    table = Resampler(result, names).table(counts)
    return {name: _interval(_defined(result.summary[name]), table[:, n], level) for n, name in enumerate(names)}


def paired_bootstrap(
    first: CocoResult, second: CocoResult, names: Sequence[str] = ("AP", "AP50"), draws: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Intervals of first minus second: two detectors on the same images, drawn together.

    An interval that leaves 0 out: on images of this kind, the one is better.

    Raises:
        ValueError: as `bootstrap`, or if the two were not evaluated on the same images and classes.
    """
    for what, one, other in (("images", first.inputs.images, second.inputs.images), ("classes", first.inputs.names, second.inputs.names)):
        if one != other:
            raise ValueError(f"both must be evaluated on the same {what}, got {len(one)} and {len(other)}, or another order")
    counts = _draw(len(first.inputs.images), draws, level, seed)
    difference = Resampler(first, names).table(counts) - Resampler(second, names).table(counts)
    values = {name: _defined(first.summary[name]) - _defined(second.summary[name]) for name in names}
    return {name: _interval(values[name], difference[:, n], level) for n, name in enumerate(names)}


def _draw(images: int, draws: int, level: float, seed: int) -> np.ndarray:
    """(N, I) int64, how often each image is in each draw; every row sums to I."""
    if images < 2:
        raise ValueError(f"an interval needs at least 2 images, got {images}")
    if draws < 2:
        raise ValueError(f"draws must be at least 2, got {draws}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    drawn = np.random.default_rng(seed).integers(0, images, (draws, images))
    return np.stack([np.bincount(row, minlength=images) for row in drawn])


def _defined(value: float) -> float:
    return np.nan if value == -1 else value


def _interval(value: float, draws: np.ndarray, level: float) -> Interval:
    there = draws[~np.isnan(draws)]
    low, high = np.quantile(there, [(1 - level) / 2, (1 + level) / 2]) if len(there) else (np.nan, np.nan)
    return Interval(value, float(low), float(high), draws)


def _shown(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}".replace("0.", ".", 1)


class Resampler:
    """An evaluation that can be made again for any multiset of its images."""

    def __init__(self, result: CocoResult, names: Sequence[str] = ("AP", "AP50")):
        unknown = [name for name in names if name not in CELLS]
        if unknown:
            raise ValueError(f"names must be among {', '.join(CELLS)}, got {unknown[0]!r}")
        found, matches, truths = result.inputs.found, result.matches, result.inputs.truths
        self.names, self.classes, self.truths = tuple(names), len(result.inputs.categories), truths
        self.parts = sorted({CELLS[name][1:] for name in names})  # (area range, number of detections) that the numbers are made of
        self.counted = counted_truths(truths)
        self.verdicts = {area: Verdicts(matches, slice(area, area + 1)) for area, _ in self.parts}
        # the ranking: by class and score; ties by image, then as within the image
        self.order = np.lexsort((-found.score[matches.row], found.category[matches.row]))
        row = matches.row[self.order]
        self.rank, self.category, image, score = matches.rank[self.order], found.category[row], found.image[row], found.score[row]
        # equal scores of one image and class: they come one after the other in a copy of the image, then again in the next copy
        _, scores = np.unique(score, return_inverse=True)
        images = len(result.inputs.images)
        self.tie = starts((self.category * images + image) * (len(row) + 1) + scores)
        self.image, self.length = image[self.tie], np.diff(self.tie, append=len(row))

    def table(self, counts: np.ndarray) -> np.ndarray:
        """(N, names) for N draws, (N, I) how often each image is in each; NaN where undefined."""
        values = np.array([list(self.summary(count).values()) for count in counts])
        return np.where(values == -1, np.nan, values)

    def summary(self, count: np.ndarray) -> dict[str, float]:
        """The numbers for image i taken `count[i]` times, -1 where undefined: as if its boxes stood in that many images."""
        place = self._ranking(count)
        edges = np.searchsorted(self.category[place], np.arange(self.classes + 1))
        cells = {part: self._curves(place, edges, count, *part) for part in self.parts}
        summary = {}
        for name in self.names:
            thresholds, *part = CELLS[name]
            precision, recall = cells[tuple(part)]
            summary[name] = defined_mean((precision if name.startswith("AP") else recall)[thresholds])
        return summary

    def _ranking(self, count: np.ndarray) -> np.ndarray:
        """Places in the ranking, in the order that they would have with copies."""
        ties = np.repeat(np.arange(len(self.tie)), count[self.image])
        length = self.length[ties]
        return np.repeat(self.tie[ties] - np.cumsum(length) + length, length) + np.arange(length.sum())

    def _curves(self, place: np.ndarray, edges: np.ndarray, count: np.ndarray, area: int, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Precision (T, R, K) and recall (T, K) for one area range and number of detections; -1 where there is no truth."""
        mine = self.counted[:, area]
        num_truths = np.bincount(self.truths.category[mine], count[self.truths.image[mine]], self.classes).astype(np.int64)
        precision = np.full((self.classes, len(RECALL_POINTS), len(IOU_THRESHOLDS)), -1.0)
        recall = np.full((self.classes, len(IOU_THRESHOLDS)), -1.0)
        for k in np.flatnonzero(num_truths):
            rows = place[edges[k] : edges[k + 1]]
            found, wrong, _ = self.verdicts[area].running(self.order[rows[self.rank[rows] < most]])
            precision[k], _ = precision_at_recall(found[:, 0], wrong[:, 0], needed(num_truths[k]))
            recall[k] = found[-1, 0] / num_truths[k] if len(found) else 0.0
        return precision.transpose(2, 1, 0), recall.T
