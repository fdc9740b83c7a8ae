"""torchvision's RetinaNet and SSD on the course's own backbone, spoken to in the course's conventions. Taught in notebook 17_one_stage.

Nothing is downloaded: the detectors are put together by hand. Three edges have to be right, and each is silent when it is not. Their
transform must leave a picture of our size as it is; our backbone scales pixels itself, so theirs must not; and SSD's class 0 is the
background.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.models.detection.ssd import SSD

from ..detections import Detections
from ..models.layers import Classifier
from ..models.signs_backbone import signs_network
from .anchors import sizes_for
from .pyramid import PyramidBackbone, Stages

UNTOUCHED = {"image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0]}  # the backbone's own Pixels does it
FINDING = {"score_thresh": 0.001, "nms_thresh": 0.5, "detections_per_img": 100}


class Adapted(nn.Module):
    """A torchvision detector that takes uint8 batches, counts classes from 0 and answers with `Detections`.

    Args:
        detector: takes a list of floats in 0..1 and a list of dicts; gives a dict of losses in train mode, a list of dicts in eval mode.
        first_label: the detector's number for our class 0: 1 where its 0 is background.

    Call it with uint8 (N, 3, H, W) and targets for a dict of losses, their sum called ``loss``; `find` needs eval mode.
    """

    def __init__(self, detector: nn.Module, first_label: int = 0):
        super().__init__()
        self.detector, self.first_label = detector, first_label

    def forward(self, images: Tensor, targets: Sequence[dict]) -> dict[str, Tensor]:
        theirs = [{"boxes": target["boxes"], "labels": target["labels"] + self.first_label} for target in targets]
        parts = self.detector(list(images / 255), theirs)
        return {"loss": sum(parts.values()), **parts}

    @torch.no_grad()
    def find(self, images: Tensor) -> list[Detections]:
        """uint8 (N, 3, H, W) -> N `Detections`, best first; labels from 0."""
        found = self.detector(list(images / 255))
        return [Detections(one["boxes"], one["scores"], one["labels"] - self.first_label) for one in found]


def torchvision_retina(
    num_classes: int,
    network: Classifier | None = None,
    size: int = 128,
    channels: int = 64,
    strides: Sequence[int] = (8, 16, 32),
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
) -> Adapted:
    """torchvision's RetinaNet for square pictures of ``size`` pixels, with our pyramid and the anchors of `sizes_for`.

    Its heads are four convolutions deep; they get a normalisation of groups, as in torchvision's second version, without which 0.01 as
    the spread of the first weights is too little to start from in a few hundred steps.
    """
    anchors = AnchorGenerator(tuple(sizes_for(strides)), (tuple(ratios),) * len(strides))
    head = RetinaNetHead(channels, anchors.num_anchors_per_location()[0], num_classes, norm_layer=partial(nn.GroupNorm, 8))
    detector = RetinaNet(
        PyramidBackbone(network or signs_network(), channels, strides, named=True),
        num_classes,
        min_size=size,
        max_size=size,
        anchor_generator=anchors,
        head=head,
        **UNTOUCHED,
        **FINDING,
    )
    return Adapted(detector)


def torchvision_ssd(
    num_classes: int, network: Classifier | None = None, size: int = 128, strides: Sequence[int] = (8, 16, 32), base: float = 2.0
) -> Adapted:
    """torchvision's SSD for square pictures of ``size`` pixels: a head of its own on each of the network's last maps, no top-down path.

    Its default boxes are a square of ``base * stride``, one of the size half way to the next map's, and two of ratio 2; the class
    losses are of the positives and three times as many of the hardest negatives.
    """
    scales = [base * stride / size for stride in (*strides, 2 * strides[-1])]
    boxes = DefaultBoxGenerator([[2]] * len(strides), scales=scales, steps=list(strides))
    backbone = Stages(network or signs_network(), strides, named=True)
    detector = SSD(backbone, boxes, (size, size), num_classes + 1, **UNTOUCHED, **FINDING)
    return Adapted(detector, first_label=1)
