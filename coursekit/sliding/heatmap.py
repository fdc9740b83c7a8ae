"""From the scores of windows to a map, from a map to boxes, and a map enlarged. Taught in notebook 14_sliding_window."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..boxes import fast_batched_nms
from .windows import crops, grid, windows


def heat_map(classify: Callable[[Tensor], Tensor], image: Tensor, window: int, stride: int, batch: int = 64) -> Tensor:
    """What a classifier says of every window, laid out as the windows lie in the picture.

    Args:
        classify: (B, C, window, window) pixels -> (B, K) scores.
        image: (C, H, W).
        window, stride: in pixels, as for `windows`.
        batch: windows that are cut and classified at a time.

    Returns:
        (K, rows, columns): cell (r, c) belongs to the window whose left upper corner is pixel (c * stride, r * stride);
        ``(K, 0, 0)`` for a picture that is smaller than the window.
    """
    rows, columns = grid(image.shape[1:], window, stride)
    boxes = windows(image.shape[1:], window, stride)
    scores = [classify(part) for part in crops(image, boxes, batch)]
    if not scores:  # asked for nothing, it still says how many classes there are
        scores = [classify(image.new_zeros(0, image.shape[0], window, window))]
    return torch.cat(scores).T.reshape(scores[0].shape[1], rows, columns)  # (N, K) -> (K, N) -> (K, rows, columns)


def cells_to_boxes(cells: Tensor, window: int, stride: int, margin: float = 0, scale_hw: tuple[float, float] | float = 1.0) -> Tensor:
    """The boxes of cells of a heat map, in the pixels of the picture.

    Args:
        cells: (N, 2), row and column.
        window, stride: in pixels of the level that was looked at.
        margin: pixels of the window around the object, on each side, as it was trained.
        scale_hw: what the picture's height and width were multiplied by to make the level; one number stands for both.

    Returns:
        (N, 4) float32 ``xyxy``: the window without its margin, divided by the scale.
    """
    down, right = scale_hw if isinstance(scale_hw, tuple) else (scale_hw, scale_hw)
    corner = cells.flip(1).to(torch.float32) * stride  # (N, 2): x, y
    boxes = torch.cat((corner + margin, corner + window - margin), dim=1)
    return boxes / boxes.new_tensor([right, down, right, down])


def boxes_from_heat_map(
    heat: Tensor, window: int, stride: int, threshold: float, iou_threshold: float = 0.3, margin: float = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Every cell that is sure enough of a class becomes a box; non-maximum suppression keeps the best of each heap.

    Args:
        heat: (K, rows, columns) in [0, 1], without the background's map. A cell may be sure of several classes.
        window, stride, margin: as for `cells_to_boxes`.
        threshold: a score that equals it is enough.
        iou_threshold: of the suppression, class by class.

    Returns:
        boxes (M, 4) float32 ``xyxy``, scores (M,), labels (M,) int64, best first.

    Raises:
        ValueError: if heat is not (K, rows, columns).
    """
    if heat.ndim != 3:
        raise ValueError(f"heat must have shape (K, rows, columns), got {tuple(heat.shape)}")
    labels, rows, columns = torch.where(heat >= threshold)
    scores = heat[labels, rows, columns]
    boxes = cells_to_boxes(torch.stack((rows, columns), dim=1), window, stride, margin)
    kept = fast_batched_nms(boxes, scores, labels, iou_threshold)
    return boxes[kept], scores[kept], labels[kept]


# --- a map enlarged


def transposed_conv(values: Tensor, kernel: Tensor, stride: int, padding: int = 0) -> Tensor:
    """Each number stamps the whole kernel, times itself, into a larger map, ``stride`` apart; where stamps overlap they add up.

    Args:
        values: (H, W).
        kernel: (h, w).
        stride: pixels from one stamp to the next, 1 or more.
        padding: pixels that are cut off at each of the four sides at the end, 0 or more: what a convolution would have added there.

    Returns:
        ((H - 1) * stride + h - 2 * padding, (W - 1) * stride + w - 2 * padding).

    Raises:
        ValueError: for other shapes, a stride below 1, or a padding that leaves nothing or is below 0.

    Equal to `torch.nn.functional.conv_transpose2d` with one channel. Also called deconvolution, which it is not: it undoes nothing.
    """
    if values.ndim != 2 or kernel.ndim != 2 or not values.numel():
        raise ValueError(f"values and kernel must have shapes (H, W) and (h, w), got {tuple(values.shape)} and {tuple(kernel.shape)}")
    if stride < 1 or padding < 0:
        raise ValueError(f"stride must be at least 1 and padding at least 0, got {stride} and {padding}")
    (rows, columns), (height, width) = values.shape, kernel.shape
    out = values.new_zeros((rows - 1) * stride + height, (columns - 1) * stride + width)
    if 2 * padding >= min(out.shape):
        raise ValueError(f"padding must leave a pixel of the {out.shape[0]} x {out.shape[1]} that there are, got {padding}")
    for row in range(rows):
        for column in range(columns):
            y, x = row * stride, column * stride
            out[y : y + height, x : x + width] += values[row, column] * kernel
    return out[padding : out.shape[0] - padding, padding : out.shape[1] - padding]


def bilinear_kernel(factor: int) -> Tensor:
    """The kernel with which a transposed convolution of this stride is bilinear enlarging, but for the outermost pixels.

    Args:
        factor: even, 2 or more; also the stride. The padding is ``factor // 2``.

    Returns:
        (2 * factor, 2 * factor) float32: a tent, whose stamps sum to 1 everywhere.

    Raises:
        ValueError: for an odd factor, or one below 2.

    Source: Long, Shelhamer, Darrell, CVPR 2015, section 3.3, whose networks begin to learn enlarging from it.
    """
    if factor < 2 or factor % 2:
        raise ValueError(f"factor must be even and at least 2, got {factor}")
    tent = 1 - (torch.arange(2 * factor) + 0.5 - factor).abs() / factor  # for 2: 1/4, 3/4, 3/4, 1/4
    return tent[:, None] * tent[None, :]
