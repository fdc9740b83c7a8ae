"""What a network has to beat: two models that need no training loop. Taught in notebook 05_training_loop, used in 24_project.

Both are called like any classifier and give logits, so that `classifier.evaluate` measures them as it measures a network.
"""

import torch
from torch import Tensor, nn

from ..data.labelled import Labelled


class MajorityClass(nn.Module):
    """Says the most frequent class of the training set, whatever it is shown; of equally frequent ones the first.

    Its logits are the logarithms of the classes' shares, with one added to each count so that a class never seen is unlikely, not
    impossible: the best that can be said without looking.

    Raises:
        ValueError: if there is no label.
    """

    def __init__(self, train: Labelled):
        super().__init__()
        if not len(train):
            raise ValueError("train must hold at least one image, got none")
        counts = torch.bincount(train.labels.cpu(), minlength=len(train.classes)).float() + 1
        self.register_buffer("logits", (counts / counts.sum()).log())  # (K,)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, K), every row the same."""
        return self.logits.expand(len(images), -1)


class NearestCentroid(nn.Module):
    """Says the class whose mean training image is nearest, pixel by pixel.

    Raises:
        ValueError: if a class has no image.

    Equal to scikit-learn's ``NearestCentroid`` with Euclidean distance.
    """

    def __init__(self, train: Labelled):
        super().__init__()
        flat = train.images.flatten(1).float() / 255  # (N, D)
        counts = torch.bincount(train.labels, minlength=len(train.classes))
        if (counts == 0).any():
            empty = [name for name, count in zip(train.classes, counts.tolist(), strict=True) if not count]
            raise ValueError(f"train must hold an image of every class, got none of {', '.join(empty)}")
        sums = torch.zeros(len(train.classes), flat.shape[1], device=flat.device).index_add_(0, train.labels, flat)
        self.register_buffer("centroids", sums / counts[:, None])  # (K, D)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) uint8 -> (N, K): minus the squared distance to each mean image."""
        flat = images.flatten(1).float() / 255  # (N, D)
        return -torch.cdist(flat, self.centroids, compute_mode="donot_use_mm_for_euclid_dist").square()  # the quick mode rounds
