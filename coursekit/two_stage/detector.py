"""A tiny two-stage detector of the course's own blocks. Taught in notebook 18_two_stage.

The first stage (`ProposalNetwork`) says at every anchor whether something is there, and proposes boxes. The second (`BoxHead`) is shown
each proposal, cut from the same map, and says what it is and how to move its sides. Both learn at once.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..boxes import clip_boxes_to_image, fast_batched_nms
from ..detections import Detections
from ..one_stage.anchors import make_anchors
from ..one_stage.deltas import decode_deltas, encode_deltas
from ..one_stage.matching import IGNORED
from .proposals import choose_proposals, head_targets, rpn_targets
from .roi import fast_roi_align, of_each_picture

WEIGHTS = (10.0, 10.0, 5.0, 5.0)  # of the second stage's deltas: proposals are near already, so its numbers would be small


class ProposalNetwork(nn.Module):
    """The region proposal network (RPN): one 3x3 convolution, and two 1x1 ones that answer for each anchor of a cell.

    Args:
        channels: of the map. anchors: in a cell.

    Shapes: (N, C, H, W) -> logits (N, A) and deltas (N, A, 4), A = H * W * anchors in the order of `make_anchors`.
    """

    def __init__(self, channels: int, anchors: int):
        super().__init__()
        self.look = nn.Conv2d(channels, channels, 3, padding=1)
        self.objectness = nn.Conv2d(channels, anchors, 1)
        self.deltas = nn.Conv2d(channels, 4 * anchors, 1)
        for layer in (self.look, self.objectness, self.deltas):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        seen = F.relu(self.look(features))
        logits = self.objectness(seen).permute(0, 2, 3, 1).flatten(1)  # (N, K, H, W) -> (N, H * W * K)
        deltas = self.deltas(seen).permute(0, 2, 3, 1)  # (N, H, W, 4 * K)
        return logits, deltas.reshape(len(features), -1, 4)


class BoxHead(nn.Module):
    """Two fully connected layers on a cut-out piece of map, then what it is, and how to move the box: the same for every class.

    Shapes: (R, C, S, S) -> logits (R, num_classes + 1), the last for background, and deltas (R, 4).
    """

    def __init__(self, channels: int, crop_size: int, num_classes: int, hidden: int = 128):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(channels * crop_size**2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.classes = nn.Linear(hidden, num_classes + 1)
        self.deltas = nn.Linear(hidden, 4)
        for layer, std in ((self.classes, 0.01), (self.deltas, 0.001)):
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.body(crops)
        return self.classes(seen), self.deltas(seen)


class TwoStage(nn.Module):
    """Faster R-CNN in small: one map, a proposal network, RoI align, a head.

    Args:
        backbone: uint8 (N, 3, H, W) -> a list of maps, of which the first is used; with ``strides`` and ``out_channels``, as
            `coursekit.one_stage.PyramidBackbone`.
        num_classes: without background.
        sizes, ratios: of the anchors in each cell, see `coursekit.one_stage.make_anchors`.
        crop_size: bins in a row and column of what the head is shown.
        cut: what cuts it out: `fast_roi_align`, or `roi_pool` to see what rounding costs.
        before, after: how many boxes go into the NMS of the proposals, and how many proposals are left.
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int,
        sizes: tuple[float, ...] = (16.0, 26.0, 42.0, 68.0),
        ratios: tuple[float, ...] = (1.0,),
        crop_size: int = 5,
        cut: Callable[..., Tensor] = fast_roi_align,
        before: int = 200,
        after: int = 50,
    ):
        super().__init__()
        self.backbone, self.stride = backbone, backbone.strides[0]
        self.sizes, self.ratios, self.crop_size, self.cut = sizes, ratios, crop_size, cut
        self.before, self.after = before, after
        self.rpn = ProposalNetwork(backbone.out_channels, len(sizes) * len(ratios))
        self.head = BoxHead(backbone.out_channels, crop_size, num_classes)

    def anchors(self, images: Tensor) -> Tensor:
        """(A, 4) for pictures of this size."""
        return make_anchors(tuple(images.shape[-2:]), (self.stride,), (self.sizes,), self.ratios, device=images.device)

    def crops(self, features: Tensor, boxes: list[Tensor]) -> Tensor:
        """What the head is shown: (N, C, H, W) and N times (K, 4) pixels -> (sum of K, C, S, S)."""
        return of_each_picture(self.cut, features, boxes, self.crop_size, spatial_scale=1 / self.stride)

    @torch.no_grad()
    def propose(self, anchors: Tensor, logits: Tensor, deltas: Tensor, size_hw: tuple[int, int]) -> list[tuple[Tensor, Tensor]]:
        """Boxes and scores of the proposals of each picture. Without gradient: a proposal is an input of the second stage, a given."""
        boxes = decode_deltas(anchors, deltas)  # (N, A, 4)
        return [
            choose_proposals(own, scores.sigmoid(), size_hw, self.before, self.after) for own, scores in zip(boxes, logits, strict=True)
        ]

    def forward(self, images: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """uint8 (N, 3, H, W) -> proposals of each picture (K, 4), and for all of them together class logits and deltas."""
        features = self.backbone(images)[0]
        proposals = [boxes for boxes, _ in self.propose(self.anchors(images), *self.rpn(features), tuple(images.shape[-2:]))]
        logits, deltas = self.head(self.crops(features, proposals))
        return proposals, logits, deltas

    @torch.no_grad()
    def find(self, images: Tensor, floor: float = 0.001) -> list[Detections]:
        """uint8 (N, 3, H, W) -> what is there, best first, for each picture; scores above ``floor``."""
        proposals, logits, deltas = self(images)
        counts, size_hw = [len(boxes) for boxes in proposals], tuple(images.shape[-2:])
        parts = zip(proposals, logits.split(counts), deltas.split(counts), strict=True)
        return [read_head(*part, size_hw, floor) for part in parts]


def read_head(
    proposals: Tensor, logits: Tensor, deltas: Tensor, size_hw: tuple[int, int], floor: float = 0.001, iou_threshold: float = 0.5
) -> Detections:
    """What the second stage said about the proposals of one picture, as detections.

    Args:
        proposals: (K, 4) ``xyxy`` pixels.
        logits: (K, C + 1), the last column for background.
        deltas: (K, 4), weighted by `WEIGHTS`.
        size_hw: of the picture; boxes are cut at its edges.
        floor: a class of a proposal is a detection if its probability is above this.

    Returns:
        Best first, after NMS in each class. One proposal may give several classes.
    """
    probabilities = logits.softmax(dim=1)[:, :-1]  # (K, C): background takes part in the softmax, and is no class
    boxes = clip_boxes_to_image(decode_deltas(proposals, deltas, WEIGHTS), size_hw)
    place, labels = (probabilities > floor).nonzero(as_tuple=True)
    boxes, scores = boxes[place], probabilities[place, labels]
    kept = fast_batched_nms(boxes, scores, labels, iou_threshold)
    return Detections(boxes[kept], scores[kept], labels[kept])


def two_stage_loss(model: TwoStage, images: Tensor, targets: list[dict], generator: torch.Generator | None = None) -> dict[str, Tensor]:
    """Four losses and their sum: is something there, and where (first stage); what is it, and where (second stage).

    Args:
        model: in train mode.
        images: uint8 (N, 3, H, W). targets: a dict of boxes (M, 4) and 0-based labels (M,) for each.
        generator: on the CPU, decides which boxes are asked; None takes torch's own.

    Returns:
        ``loss`` and its parts ``objectness``, ``proposal``, ``class``, ``box``.

    Source: arXiv 1506.01497, equation 1; the two stages at once, "approximate joint training", section 3.2.
    """
    features = model.backbone(images)[0]
    anchors, (logits, deltas) = model.anchors(images), model.rpn(features)
    truths = [target["boxes"] for target in targets]
    owners = torch.stack([rpn_targets(anchors, truth, _draws(anchors, generator)) for truth in truths])  # (N, A)
    asked = owners != IGNORED
    objectness = F.binary_cross_entropy_with_logits(logits[asked], (owners[asked] >= 0).to(logits.dtype))
    goals = torch.cat([encode_deltas(anchors[own >= 0], truth[own[own >= 0]]) for own, truth in zip(owners, truths, strict=True)])
    proposal = F.smooth_l1_loss(deltas[owners >= 0], goals, reduction="sum", beta=1 / 9) / asked.sum()

    found = [boxes for boxes, _ in model.propose(anchors, logits, deltas, tuple(images.shape[-2:]))]
    chosen, labels, goals = _second_questions(found, targets, model.head.classes.out_features - 1, generator)
    said, moved = model.head(model.crops(features, chosen))
    has_object = labels < model.head.classes.out_features - 1
    box = F.smooth_l1_loss(moved[has_object], goals, reduction="sum", beta=1.0) / max(len(labels), 1)
    parts = {"objectness": objectness, "proposal": proposal, "class": F.cross_entropy(said, labels), "box": box}
    return {"loss": sum(parts.values()), **{name: value.detach() for name, value in parts.items()}}


def _second_questions(found: list[Tensor], targets: list[dict], background: int, generator: torch.Generator | None):
    """The boxes that the head is asked about in each picture, their labels, and the deltas of those that have an object."""
    chosen, labels, goals = [], [], []
    for boxes, target in zip(found, targets, strict=True):
        boxes = torch.cat([boxes, target["boxes"]])  # the truth too: while proposals are poor, it is the only good example
        owner = head_targets(boxes, target["boxes"], _draws(boxes, generator))
        boxes, owner = boxes[owner != IGNORED], owner[owner != IGNORED]
        label = torch.full_like(owner, background)
        label[owner >= 0] = target["labels"][owner[owner >= 0]]
        chosen.append(boxes)
        labels.append(label)
        goals.append(encode_deltas(boxes[owner >= 0], target["boxes"][owner[owner >= 0]], WEIGHTS))
    return chosen, torch.cat(labels), torch.cat(goals)


def _draws(boxes: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(len(boxes), generator=generator).to(boxes.device)
