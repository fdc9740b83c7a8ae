"""RetinaNet, assembled from the blocks of this room. Taught in notebook 17_one_stage.

>>> model = RetinaNet(num_classes=4, network=load_backbone())
>>> raw = model(images)                                # what is said at every anchor
>>> retina_loss(raw, targets)["loss"].backward()       # while training
>>> found = model.find(images)                         # afterwards: one Detections for each image
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ..boxes import clip_boxes_to_image, fast_batched_nms
from ..detections import Detections
from ..models.layers import Classifier
from ..models.signs_backbone import signs_network
from .anchors import make_anchors, sizes_for
from .deltas import decode_deltas, encode_deltas
from .focal import focal_loss, prior_bias
from .matching import IGNORED, match_anchors
from .pyramid import PyramidBackbone

GROUPS = 8  # of channels, in the heads
CANDIDATES = 1000  # the surest of an image that suppression looks at


@dataclass(frozen=True)
class Raw:
    """What a network says at the A anchors of N images: class logits (N, A, C), deltas (N, A, 4), and the anchors (A, 4) themselves."""

    logits: Tensor
    deltas: Tensor
    anchors: Tensor


def to_rows(x: Tensor, values: int) -> Tensor:
    """A head's map as one row for each anchor, in the order of `make_anchors`: row by row, then the anchors of a cell.

    Args:
        x: (N, K * values, H, W): for each cell the values of its first anchor, then those of the second, and so on.
        values: numbers for one anchor.

    Returns:
        (N, H * W * K, values).

    Raises:
        ValueError: if the channels are no multiple of ``values``.
    """
    if x.ndim != 4 or x.shape[1] % values:
        raise ValueError(f"x must have shape (N, K * {values}, H, W), got {tuple(x.shape)}")
    cells = x.permute(0, 2, 3, 1)  # (N, H, W, K * values): what belongs to a cell stands together
    return cells.reshape(len(x), -1, values)


class Head(nn.Module):
    """Convolutions that all maps share, and a last one that says ``values`` numbers for each of the ``per_cell`` anchors of a cell.

    Args:
        channels: of every map, a multiple of 8.
        depth: of 3x3 convolutions before the last, each with a normalisation of groups of channels and ReLU; RetinaNet has 4, and none of
            the normalisation, which torchvision's second version has. Here it is worth 0.1 AP in a short training.
        bias: with which the last one starts.

    Shapes: maps (N, channels, H, W), fine to coarse -> (N, A, values).
    """

    def __init__(self, channels: int, per_cell: int, values: int, depth: int = 2, bias: float = 0.0):
        super().__init__()
        self.values, tower = values, []
        for _ in range(depth):  # groups, not the batch: the maps of all strides pass here, and each has statistics of its own
            convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            tower += [convolution, nn.GroupNorm(GROUPS, channels), nn.ReLU(inplace=True)]
        self.tower = nn.Sequential(*tower)
        self.last = nn.Conv2d(channels, per_cell * values, 3, padding=1)
        nn.init.normal_(self.last.weight, std=0.01)
        nn.init.constant_(self.last.bias, bias)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return torch.cat([to_rows(self.last(self.tower(x)), self.values) for x in maps], dim=1)


class RetinaNet(nn.Module):
    """Backbone, pyramid, one head for classes and one for boxes, both for every map.

    Args:
        num_classes: without background: it is "no" to every class.
        network: a ResNet of the course; None makes `signs_network` with random weights.
        channels: of the pyramid and of the heads.
        strides: of the maps, fine to coarse.
        sizes: of the anchors, one group for each stride, all of one length; None takes ``sizes_for(strides)``.
        ratios: height / width of the anchors.
        depth: of the heads.
        prior: probability with which every class starts everywhere: 0.01 in the paper.

    Input: uint8 (N, 3, H, W), sides multiples of the coarsest stride. Output: a `Raw`.
    Source: Lin et al., arXiv 1708.02002, section 4 and Fig. 3.
    """

    def __init__(
        self,
        num_classes: int,
        network: Classifier | None = None,
        channels: int = 64,
        strides: Sequence[int] = (8, 16, 32),
        sizes: Sequence[Sequence[float]] | None = None,
        ratios: Sequence[float] = (0.5, 1.0, 2.0),
        depth: int = 2,
        prior: float = 0.01,
    ):
        super().__init__()
        self.strides, self.ratios = tuple(strides), tuple(ratios)
        self.sizes = [tuple(group) for group in sizes or sizes_for(strides)]
        if num_classes < 1 or len({len(group) for group in self.sizes}) != 1:
            raise ValueError(
                f"num_classes must be at least 1 and sizes as many on each map, got {num_classes} and {[len(g) for g in self.sizes]}"
            )
        per_cell = len(self.ratios) * len(self.sizes[0])
        self.backbone = PyramidBackbone(network or signs_network(), channels, strides)
        self.classify = Head(channels, per_cell, num_classes, depth, prior_bias(prior))
        self.regress = Head(channels, per_cell, 4, depth)

    def forward(self, images: Tensor) -> Raw:
        maps = self.backbone(images)
        anchors = make_anchors(tuple(images.shape[2:]), self.strides, self.sizes, self.ratios, images.device)
        return Raw(self.classify(maps), self.regress(maps), anchors)

    @torch.no_grad()
    def find(self, images: Tensor, confidence: float = 0.001) -> list[Detections]:
        """What is seen in each image, best first: uint8 (N, 3, H, W) -> N `Detections`; see `detections`."""
        return detections(self(images), tuple(images.shape[2:]), confidence)


def classification_loss(logits: Tensor, match: Tensor, labels: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    """Focal loss over all anchors of an image that are asked, divided by the number of those that answer for an object.

    Args:
        logits: (A, C). match: (A,) from `match_anchors`. labels: (M,) class of each object.

    Returns:
        One number. Ignored anchors do not count at all. Without any positive anchor it is divided by 1.
    """
    target = torch.zeros_like(logits)  # background: no to every class
    positive = match >= 0
    target[positive] = one_hot(labels[match[positive]], logits.shape[1]).to(logits)
    asked = match != IGNORED
    return focal_loss(logits[asked], target[asked], alpha, gamma).sum() / positive.sum().clamp(min=1)


def box_loss(deltas: Tensor, anchors: Tensor, match: Tensor, truth: Tensor) -> Tensor:
    """L1 distance of deltas said and deltas wanted, summed, over the anchors that answer for an object, divided by their number.

    Args:
        deltas: (A, 4). anchors: (A, 4). match: (A,). truth: (M, 4).
    """
    positive = match >= 0
    wanted = encode_deltas(anchors[positive], truth[match[positive]])
    return (deltas[positive] - wanted).abs().sum() / positive.sum().clamp(min=1)


def retina_loss(
    raw: Raw, targets: Sequence[dict], alpha: float | None = 0.25, gamma: float = 2.0, low: float = 0.4, high: float = 0.5
) -> dict[str, Tensor]:
    """Both losses of a batch, each the mean over its images, and their sum called ``loss``.

    Args:
        targets: one dict of ``boxes`` (M, 4) and ``labels`` (M,) for each image.
        alpha, gamma: see `focal_loss`; None and 0 is cross-entropy. low, high: see `match_anchors`.

    Equal to the loss of torchvision's RetinaNetHead. (MMDetection divides by the positives of the whole batch, Detectron2 by their running
    mean over batches.)
    """
    said, framed = [], []
    for logits, deltas, target in zip(raw.logits, raw.deltas, targets, strict=True):
        match = match_anchors(raw.anchors, target["boxes"], low, high)
        said.append(classification_loss(logits, match, target["labels"], alpha, gamma))
        framed.append(box_loss(deltas, raw.anchors, match, target["boxes"]))
    classes, boxes = torch.stack(said).mean(), torch.stack(framed).mean()
    return {"loss": classes + boxes, "classes": classes, "boxes": boxes}


@torch.no_grad()
def detections(raw: Raw, size_hw: tuple[int, int], confidence: float = 0.05, iou: float = 0.5, limit: int = 100) -> list[Detections]:
    """What the network found, one `Detections` for each image, best first.

    Args:
        size_hw: of the images; boxes are cut at their edges.
        confidence: scores below are dropped: 0.05 to look at, 0.001 to measure AP.
        iou: of two boxes of one class that overlap more, the weaker goes.
        limit: at most this many for each image.

    An anchor may speak for more than one class. Only the surest 1000 of an image go into suppression (torchvision takes 1000 of each map).
    """
    found = []
    for logits, deltas in zip(raw.logits, raw.deltas, strict=True):
        scores = logits.sigmoid()
        anchor, label = (scores > confidence).nonzero(as_tuple=True)
        score = scores[anchor, label]
        first = score.argsort(descending=True, stable=True)[:CANDIDATES]
        anchor, label, score = anchor[first], label[first], score[first]
        boxes = clip_boxes_to_image(decode_deltas(raw.anchors[anchor], deltas[anchor]), size_hw)
        kept = fast_batched_nms(boxes, score, label, iou)[:limit]
        found.append(Detections(boxes[kept], score[kept], label[kept]))
    return found
