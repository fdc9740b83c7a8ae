"""torchvision's Faster R-CNN on our backbone, from random weights. Taught in notebook 18_two_stage.

Nothing is downloaded. Two edges are translated, here and nowhere else: torchvision keeps label 0 for background, so classes are shifted by
one; and it takes a list of float pictures, which its transform would enlarge to 800 pixels if it were not told to leave them alone.
"""

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign

from ..detections import Detections
from ..one_stage.anchors import sizes_for


def faster_rcnn(backbone: nn.Module, num_classes: int, side: int = 128, hidden: int = 128, crop_size: int = 5) -> FasterRCNN:
    """The library's detector, as small as ours.

    Args:
        backbone: (N, 3, H, W) float in 0..1 -> a dict of maps; with ``strides`` and ``out_channels``, as
            ``PyramidBackbone(..., named=True)``.
        num_classes: without background; the library gets one more.
        side: height and width of the pictures: its transform resizes the shorter side to ``min_size``, so that must be the same.
        hidden, crop_size: of the head.
    """
    sizes = sizes_for(backbone.strides)  # two in each cell: (16, 22.6), (32, 45.3), (64, 90.5) for strides 8, 16, 32
    names = [str(stride) for stride in backbone.strides]
    return FasterRCNN(
        backbone,
        min_size=side,
        max_size=side,
        image_mean=[0.0] * 3,  # our backbone scales its pixels itself
        image_std=[1.0] * 3,
        rpn_anchor_generator=AnchorGenerator(tuple(sizes), ((1.0,),) * len(sizes)),
        rpn_pre_nms_top_n_train=200,  # of each map
        rpn_pre_nms_top_n_test=200,
        rpn_post_nms_top_n_train=50,
        rpn_post_nms_top_n_test=50,
        rpn_batch_size_per_image=64,
        box_roi_pool=MultiScaleRoIAlign(names, output_size=crop_size, sampling_ratio=2),
        box_head=TwoMLPHead(backbone.out_channels * crop_size**2, hidden),
        box_predictor=FastRCNNPredictor(hidden, num_classes + 1),
        box_batch_size_per_image=32,
        box_score_thresh=0.001,
    )


def faster_rcnn_loss(model: FasterRCNN, images: Tensor, targets: list[dict]) -> dict[str, Tensor]:
    """``loss_of`` for `coursekit.training.detector.fit_detector`: the library's four losses by its names, and their sum.

    It draws which boxes are asked from torch's own generator: seed that before training.
    """
    shifted = [{"boxes": target["boxes"], "labels": target["labels"] + 1} for target in targets]  # 0 is background there
    parts = model(list(images / 255), shifted)
    return {"loss": sum(parts.values()), **{name.removeprefix("loss_"): value.detach() for name, value in parts.items()}}


@torch.no_grad()
def faster_rcnn_find(model: FasterRCNN, images: Tensor) -> list[Detections]:
    """uint8 (N, 3, H, W) -> what is there, best first, labels 0-based, for each picture."""
    return [Detections(said["boxes"], said["scores"], said["labels"] - 1) for said in model(list(images / 255))]
