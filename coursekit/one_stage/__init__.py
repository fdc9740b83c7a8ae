"""Detectors that answer at every anchor of every map in one look: SSD's and RetinaNet's way. Taught in notebook 17_one_stage.

Anchors, deltas, matching and the pyramid are used by the two-stage detector of notebook 18 as well.
"""

from .anchors import base_anchors, make_anchors, sizes_for
from .deltas import decode_deltas, encode_deltas
from .focal import focal_loss, prior_bias, shares_of_loss
from .matching import BACKGROUND, IGNORED, match_anchors
from .pyramid import FeaturePyramid, PyramidBackbone, Stages, top_down, upsample_add
from .retina import Head, Raw, RetinaNet, box_loss, classification_loss, detections, retina_loss, to_rows

__all__ = [
    "BACKGROUND",
    "IGNORED",
    "FeaturePyramid",
    "Head",
    "PyramidBackbone",
    "Raw",
    "RetinaNet",
    "Stages",
    "base_anchors",
    "box_loss",
    "classification_loss",
    "decode_deltas",
    "detections",
    "encode_deltas",
    "focal_loss",
    "make_anchors",
    "match_anchors",
    "prior_bias",
    "retina_loss",
    "shares_of_loss",
    "sizes_for",
    "to_rows",
    "top_down",
    "upsample_add",
]
