"""A small modern YOLO, in files that can be read one by one. Taught in notebook 19_yolo."""

from .assign import Assignment, assign, assign_by_centre
from .decode import detections, soft_nms
from .export import export_onnx
from .fuse import fuse
from .loss import complete_iou, detection_loss
from .model import SIZES, STRIDES, YOLO, Raw
from .predict import load, load_shipped, predict
from .settings import TrainSettings
from .tiles import predict_tiled
from .train import new_run, prepare, resume, train
from .val import validate

__all__ = [
    "SIZES",
    "STRIDES",
    "YOLO",
    "Assignment",
    "Raw",
    "TrainSettings",
    "assign",
    "assign_by_centre",
    "complete_iou",
    "detection_loss",
    "detections",
    "export_onnx",
    "fuse",
    "load",
    "load_shipped",
    "new_run",
    "predict",
    "predict_tiled",
    "prepare",
    "resume",
    "soft_nms",
    "train",
    "validate",
]
