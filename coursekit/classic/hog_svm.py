"""HOG, a linear classifier and sliding windows: the detector of 2005. Taught in notebook 15_classic; its windows are notebook 14's.

>>> model = train_svm(patches, is_face)          # (N, 25, 25) uint8 and (N,) true/false
>>> found = detect(photograph, model, scales_for(40, 250, WINDOW, 1.2), threshold=0.5)

Source: Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from coursekit.boxes import box_iou, fast_nms
from coursekit.classic.hog import hog
from coursekit.data.geometric import resize_image
from coursekit.detections import Detections
from coursekit.sliding.pyramid import pyramid
from coursekit.sliding.windows import grid, windows

WINDOW = 25  # pixels: scikit-image's face patches are 25 x 25
CELL, BLOCK, MARGIN = 3, 2, 2  # pixels, cells, pixels: 7 x 7 cells, 6 x 6 blocks, and a frame that only lends gradients


@dataclass(frozen=True)
class Linear:
    """score = features @ weight + bias; above 0 it says yes.

    Args:
        weight: (D,). bias: one number.
    """

    weight: np.ndarray
    bias: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(..., D) -> (...)."""
        return features @ self.weight + self.bias


def describe(patches) -> np.ndarray:
    """(N, 25, 25) grey patches, tensor or array -> (N, 1296) float64: 6 x 6 blocks of 2 x 2 cells of 9 directions."""
    patches = np.asarray(patches)
    blocks = hog(patches, CELL, BLOCK, margin=MARGIN)
    return blocks.reshape(len(patches), np.prod(blocks.shape[1:]))


def train_svm(patches, is_face, penalty: float = 0.1) -> Linear:
    """A linear support vector machine on HOG: the widest gap between faces and others.

    Args:
        patches: (N, 25, 25) grey. is_face: (N,) true/false.
        penalty: what an example inside the gap costs (scikit-learn's C).
    """
    from sklearn.svm import LinearSVC

    machine = LinearSVC(C=penalty, dual=True, random_state=0, max_iter=20_000).fit(describe(patches), np.asarray(is_face))
    return Linear(machine.coef_[0], float(machine.intercept_[0]))


def score_map(image: np.ndarray, model: Linear) -> np.ndarray:
    """The score of every window of one picture: HOG once, then a convolution of its blocks with the machine's weights.

    Args:
        image: (H, W) grey.

    Returns:
        (rows, columns), one for each of `coursekit.sliding.windows.windows(image.shape, WINDOW, CELL)`; equal to ``model(describe(crop))``.
    """
    rows, columns = grid(image.shape, WINDOW, CELL)
    scores = np.full((rows, columns), model.bias)
    if not scores.size:
        return scores
    blocks = hog(image, CELL, BLOCK, margin=MARGIN)  # (H', W', 2, 2, 9)
    side = (WINDOW - 2 * MARGIN) // CELL - BLOCK + 1  # blocks on a side of a window
    kernel = model.weight.reshape(side, side, *blocks.shape[2:])
    for i, j in np.ndindex(side, side):
        scores += np.tensordot(blocks[i : i + rows, j : j + columns], kernel[i, j], axes=3)
    return scores


def scan(image: Tensor, model: Linear, scales: Sequence[float]) -> tuple[Tensor, Tensor]:
    """The score of every window at every scale.

    Args:
        image: (1, H, W) uint8 grey.
        scales: of the pyramid, such as `coursekit.sliding.pyramid.scales_for` gives.

    Returns:
        boxes: (N, 4) float32 ``xyxy`` in pixels of the image. scores: (N,) float32, not bounded.

    Raises:
        ValueError: for an image of another shape.
    """
    if image.ndim != 3 or image.shape[0] != 1:
        raise ValueError(f"image must have shape (1, H, W), got {tuple(image.shape)}")
    boxes, scores = [torch.zeros(0, 4)], [torch.zeros(0)]
    for level in pyramid(image, scales, WINDOW):
        boxes.append(level.undo(windows(level.size_hw, WINDOW, CELL)))  # row by row, as the map
        scores.append(torch.from_numpy(score_map(level.image[0].numpy(), model)).flatten().float())
    return torch.cat(boxes), torch.cat(scores)


def detect(image: Tensor, model: Linear, scales: Sequence[float], threshold: float = 0.0, iou_threshold: float = 0.2) -> Detections:
    """`scan`, a threshold, NMS. Scores are those of the machine, label 0 is the face."""
    boxes, scores = scan(image, model, scales)
    sure = scores > threshold
    boxes, scores = boxes[sure], scores[sure]
    kept = fast_nms(boxes, scores, iou_threshold)
    return Detections(boxes[kept], scores[kept], torch.zeros(len(kept), dtype=torch.int64))


def cut_out(image: Tensor, boxes: Tensor) -> Tensor:
    """What is inside each box, at the size of the window: (1, H, W) uint8 and (N, 4) -> (N, 25, 25) uint8."""
    patches = []
    for box in boxes.round().to(torch.int64):
        x1, y1, x2, y2 = box.tolist()
        patches.append(resize_image(image[:, max(y1, 0) : y2, max(x1, 0) : x2], (WINDOW, WINDOW))[0])
    return torch.stack(patches) if patches else torch.zeros(0, WINDOW, WINDOW, dtype=torch.uint8)


def hard_negatives(boxes: Tensor, scores: Tensor, faces: Tensor, count: int, overlap: float = 0.3) -> Tensor:
    """The windows that are most like a face and are none: what a second round of training learns from.

    Args:
        boxes: (N, 4) windows. scores: (N,) theirs. faces: (M, 4) true faces; M may be 0.
        count: the most to return.
        overlap: a window whose IoU with any face is above it is not used: a face a little off is no counter-example.

    Returns:
        (K, 4), K at most count: those with a score above 0, highest first; of equal scores the earlier first.
    """
    touches = box_iou(boxes, faces).amax(dim=1) if len(faces) else torch.zeros(len(boxes))
    wrong = (scores > 0) & (touches <= overlap)
    order = scores[wrong].argsort(descending=True, stable=True)
    return boxes[wrong][order[:count]]
