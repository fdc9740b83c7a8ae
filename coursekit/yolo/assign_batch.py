"""Task-aligned assignment of a whole batch at once, without asking a GPU for a number: the twin of `assign.assign`, which is to be read.

`assign` computes only the pairs of cell and object that can match, and how many there are it must ask. A GPU answers when it has done all
that it was told before, and idles until it is told more. Here every pair is computed, of all images together, and nothing is asked.
"""

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .assign import SMALLEST
from .loss import complete_iou


@torch.no_grad()
def assign_batch(
    scores: Tensor, boxes: Tensor, centres: Tensor, truth: list[dict[str, Tensor]], top: int = 10, alpha: float = 0.5, beta: float = 6.0
) -> tuple[Tensor, Tensor]:
    """What `assign` decides for each of B images.

    Args:
        scores: (B, A, C). boxes: (B, A, 4). centres: (A, 2). truth: B dicts of ``boxes`` (M, 4) and ``labels`` (M,); M may be 0.
        top, alpha, beta: as for `assign`.

    Returns:
        owner (B, A) int64, -1 for background, and targets (B, A, C).
    """
    counts = [len(t["boxes"]) for t in truth]
    if not any(counts):
        return torch.full(scores.shape[:2], -1, device=scores.device), torch.zeros_like(scores)
    wanted = pad_sequence([t["boxes"] for t in truth], batch_first=True)  # (B, M, 4), rows of zeros where an image has fewer objects
    labels = pad_sequence([t["labels"] for t in truth], batch_first=True)  # (B, M)
    inside = _centres_inside(centres, wanted) & _real(truth, wanted)[:, :, None]  # (B, M, A)
    images, objects, cells = inside.shape
    each = (images, objects, cells, 4)
    overlap = complete_iou(boxes[:, None].expand(each).reshape(-1, 4), wanted[:, :, None].expand(each).reshape(-1, 4))
    overlap = torch.where(inside, overlap.clamp(min=0).view(images, objects, cells), 0.0)
    named = scores.transpose(1, 2).gather(1, labels[:, :, None].expand(-1, -1, cells))  # (B, M, A), the score for the object's class
    aligned = torch.where(inside, named**alpha * overlap**beta, 0.0)
    chosen = torch.zeros_like(inside).scatter_(2, aligned.topk(min(top, cells), dim=2).indices, True) & inside
    best, owner = torch.where(chosen, overlap, -1.0).max(dim=1)  # (B, A)
    positive = best >= 0
    mine = owner[:, None] == torch.arange(objects, device=owner.device)[:, None]  # (B, M, A)
    chosen = mine & positive[:, None]  # what each object is left with
    peak = (aligned * chosen).amax(dim=2).clamp(min=1e-30)  # (B, M)
    reach = (overlap * chosen).amax(dim=2)
    own = aligned.gather(1, owner[:, None])[:, 0]  # (B, A), of the cell with its owner
    value = torch.where(positive, own / peak.gather(1, owner) * reach.gather(1, owner), 0.0)
    targets = torch.zeros_like(scores).scatter_(2, labels.gather(1, owner)[:, :, None], value[:, :, None])
    return torch.where(positive, owner, -1), targets


def _centres_inside(centres: Tensor, boxes: Tensor) -> Tensor:
    """`assign.centres_inside` for (B, M, 4) boxes: (B, M, A) bool."""
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    half = ((boxes[..., 2:] - boxes[..., :2]) / 2).clamp(min=SMALLEST / 2)
    return ((centres - middle[:, :, None]).abs() < half[:, :, None]).all(dim=3)


def _real(truth: list[dict[str, Tensor]], padded: Tensor) -> Tensor:
    """(B, M) bool: which rows are objects, which only fill up. Counted on the CPU, which knows; the copy does not wait."""
    counts = torch.tensor([len(t["boxes"]) for t in truth])
    return (torch.arange(padded.shape[1]) < counts[:, None]).to(padded.device, non_blocking=True)


def owned_boxes(truth: list[dict[str, Tensor]], owner: Tensor) -> Tensor:
    """(B, A, 4): the box that each cell answers for; zeros for background."""
    padded = pad_sequence([t["boxes"] for t in truth], batch_first=True)
    if padded.shape[1] == 0:
        return owner.new_zeros(*owner.shape, 4, dtype=torch.float32)
    found = padded.gather(1, owner.clamp(min=0)[:, :, None].expand(-1, -1, 4))
    return torch.where(owner[:, :, None] >= 0, found, 0.0)
