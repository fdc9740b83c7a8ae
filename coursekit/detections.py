"""What a detector says about one image. Used from notebook 13_boxes on."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Detections:
    """Boxes found in one image, best first by convention.

    Args:
        boxes: (N, 4) float, ``xyxy`` in absolute pixels.
        scores: (N,) float in [0, 1].
        labels: (N,) int64, 0-based.

    Raises:
        ValueError: naming the field that has another shape or kind.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor

    def __post_init__(self):
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4:
            raise ValueError(f"boxes must have shape (N, 4), got {tuple(self.boxes.shape)}")
        for name in ("scores", "labels"):
            value = getattr(self, name)
            if value.shape != self.boxes.shape[:1]:
                raise ValueError(f"{name} must have shape ({len(self.boxes)},), one for each box, got {tuple(value.shape)}")
        if not self.boxes.is_floating_point() or not self.scores.is_floating_point():
            raise ValueError(f"boxes and scores must be floats, got {self.boxes.dtype} and {self.scores.dtype}")
        if self.labels.dtype != torch.int64:
            raise ValueError(f"labels must be int64, got {self.labels.dtype}")

    @classmethod
    def empty(cls, device=None) -> "Detections":
        """Nothing found."""
        return cls(torch.zeros(0, 4, device=device), torch.zeros(0, device=device), torch.zeros(0, dtype=torch.int64, device=device))

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index) -> "Detections":
        """Some of them: a slice, a boolean mask, a tensor or list of indices, or one index (which stays a Detections of length 1)."""
        if isinstance(index, int):
            index = [index]
        return Detections(self.boxes[index], self.scores[index], self.labels[index])

    def to_dict(self) -> dict[str, Tensor]:
        """In the spelling of torchvision and torchmetrics."""
        return {"boxes": self.boxes, "scores": self.scores, "labels": self.labels}
