"""A detector on one grid, in under 150 lines: coverage and corners from every cell. Taught in notebook 16_grid_detector."""

from .decode import cell_centres, decode, detections
from .loss import box_loss, coverage_loss, grid_loss
from .model import GridDetector
from .targets import cell_of, collisions, covered_cells, encode_targets

__all__ = [
    "GridDetector",
    "box_loss",
    "cell_centres",
    "cell_of",
    "collisions",
    "coverage_loss",
    "covered_cells",
    "decode",
    "detections",
    "encode_targets",
    "grid_loss",
]
