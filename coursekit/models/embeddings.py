"""Losses that arrange vectors: alike near, unlike far. Taught in notebook 12_transfer.

An *embedding* is a vector that stands for an image. A network that gives good ones can tell classes apart that it never learnt: faces,
products, tomorrow's signs. Compare two images by the distance of their vectors.
"""

import torch
from torch import Tensor


def triplet_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0) -> Tensor:
    """Mean of max(0, |a - p| - |a - n| + margin): the positive must be nearer than the negative, by the margin.

    Args:
        anchor, positive, negative: (N, D); row i of each is one triplet, the positive of the anchor's class, the negative of another.
        margin: above 0, in the unit of the distances.

    Returns:
        One number, 0 where every negative is farther by the margin. Straight-line distances, not squared. Torch's
        ``triplet_margin_loss`` adds 1e-6 to each difference before it squares; at distance 0 its gradient is finite, as ours is.

    Raises:
        ValueError: if the shapes differ or margin is not above 0.

    Source: Schroff, Kalenichenko and Philbin 2015, arXiv 1503.03832 (with squared distances); the unsquared form is the usual one since
    Hermans, Beyer and Leibe 2017, arXiv 1703.07737.
    """
    if anchor.ndim != 2 or anchor.shape != positive.shape or anchor.shape != negative.shape:
        shapes = [tuple(t.shape) for t in (anchor, positive, negative)]
        raise ValueError(f"anchor, positive and negative must all be (N, D), got {shapes[0]}, {shapes[1]} and {shapes[2]}")
    if not margin > 0:
        raise ValueError(f"margin must be above 0, got {margin}")
    near, far = torch.linalg.vector_norm(anchor - positive, dim=1), torch.linalg.vector_norm(anchor - negative, dim=1)
    return (near - far + margin).clamp(min=0).mean()


def centre_loss(embeddings: Tensor, labels: Tensor, centres: Tensor) -> Tensor:
    """Half the mean squared distance of each vector to its class's centre: pulls a class together, beside a loss that keeps classes apart.

    Args:
        embeddings: (N, D). labels: (N,) int64, 0-based. centres: (K, D), learnt along with the network.

    Returns:
        One number, 0 or more.

    Raises:
        ValueError: if the shapes do not fit.

    Source: Wen, Zhang, Li and Qiao 2016, A Discriminative Feature Learning Approach for Deep Face Recognition, equation 2 (there a sum).
    """
    if embeddings.ndim != 2 or centres.ndim != 2 or embeddings.shape[1] != centres.shape[1] or labels.shape != embeddings.shape[:1]:
        shapes = [tuple(t.shape) for t in (embeddings, labels, centres)]
        raise ValueError(f"embeddings, labels and centres must be (N, D), (N,) and (K, D), got {shapes[0]}, {shapes[1]} and {shapes[2]}")
    return ((embeddings - centres[labels]) ** 2).sum(dim=1).mean() / 2


def draw_triplets(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """(count, 3) int64: places of an anchor, another one of its class, and one of another class, drawn evenly.

    Raises:
        ValueError: if no class has two, or there is only one class.
    """
    sizes = labels.bincount()
    able = (sizes[labels] >= 2).nonzero()[:, 0]
    if len(able) == 0 or (sizes > 0).sum() < 2:
        raise ValueError(f"labels must hold two of one class, and two classes, got counts {sizes.tolist()}")
    anchors = able[torch.randint(len(able), (count,), generator=generator)]
    same = labels[anchors][:, None] == labels[None]  # (count, N)
    itself = torch.zeros_like(same)
    itself[torch.arange(count), anchors] = True
    positives = torch.multinomial((same & ~itself).float(), 1, generator=generator)[:, 0]
    negatives = torch.multinomial((~same).float(), 1, generator=generator)[:, 0]
    return torch.stack([anchors, positives, negatives], dim=1)
