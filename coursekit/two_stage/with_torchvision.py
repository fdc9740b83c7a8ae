"""torchvision's Faster R-CNN on our backbone, from random weights. Taught in notebook 18_two_stage.

Nothing is downloaded. `coursekit.one_stage.with_torchvision.Adapted` speaks to it: torchvision keeps label 0 for background, so classes are
shifted by one, and takes a list of float pictures. Its transform would enlarge them to 800 pixels if it were not told to leave them alone.
"""

from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign

from ..one_stage.anchors import sizes_for
from ..one_stage.with_torchvision import FINDING, UNTOUCHED, Adapted


def faster_rcnn(backbone: nn.Module, num_classes: int, side: int = 128, hidden: int = 128, crop_size: int = 5) -> Adapted:
    """The library's detector, as small as ours. Which boxes it asks is drawn from torch's own generator: seed that before training.

    Args:
        backbone: (N, 3, H, W) float in 0..1 -> a dict of maps; with ``strides`` and ``out_channels``, as
            ``PyramidBackbone(..., named=True)``.
        num_classes: without background; the library gets one more.
        side: height and width of the pictures: its transform resizes the shorter side to ``min_size``, so that must be the same.
        hidden, crop_size: of the head.
    """
    sizes = sizes_for(backbone.strides)  # two in each cell: (16, 22.6), (32, 45.3), (64, 90.5) for strides 8, 16, 32
    names = [str(stride) for stride in backbone.strides]
    detector = FasterRCNN(
        backbone,
        min_size=side,
        max_size=side,
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
        **UNTOUCHED,
        **{f"box_{name}": value for name, value in FINDING.items()},
    )
    return Adapted(detector, first_label=1)
