"""How good is a segmentation? Confusion over pixels, IoU by class, mask IoU. Taught in notebook 22_segmentation; `panoptic.py` has PQ.

    >>> truth, said = np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]])
    >>> iou_by_class(truth, said, 2)
    array([0.5       , 0.66666667])

Maps hold a class number at each pixel. Pixels of ``ignore_index`` in the truth count nowhere: nobody knows what they are (VOC draws
a border of 255 around every object). No module here imports torch.
"""

import numpy as np

from .classification import confusion_matrix

VOID = 255  # VOC's and Cityscapes' number for "do not ask"


def pixel_confusion(truth, predicted, num_classes: int, ignore_index: int = VOID) -> np.ndarray:
    """How many pixels of each class were given each class.

    Args:
        truth: whole numbers of any shape, 0 .. num_classes - 1, or ``ignore_index``; one map or many.
        predicted: the same shape, 0 .. num_classes - 1 wherever the truth is not ignored.
        num_classes: background counted.

    Returns:
        (num_classes, num_classes) int64: row is the true class, column the predicted one. Confusions of several pictures add up.

    Raises:
        ValueError: if shapes differ, or what is asked is no whole number or lies outside.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape:
        raise ValueError(f"predicted must have the shape of truth, {truth.shape}, got {predicted.shape}")
    known = truth != ignore_index
    return confusion_matrix(truth[known], predicted[known], num_classes)


def iou_of_confusion(confusion: np.ndarray) -> np.ndarray:
    """(K, K) counts -> (K,) float64: shared pixels / (true + predicted - shared); NaN where a class is in neither."""
    shared = np.diagonal(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - shared
    return np.divide(shared, union, out=np.full(len(shared), np.nan), where=union > 0)


def iou_by_class(truth, predicted, num_classes: int, ignore_index: int = VOID) -> np.ndarray:
    """IoU of each class over all pixels together.

    Args: as for `pixel_confusion`.

    Returns:
        (num_classes,) float64 in [0, 1]; NaN for a class that is neither in the truth nor predicted, since there is nothing to say.

    Source: the PASCAL VOC devkit, which calls it accuracy; Everingham et al. 2015, section 4.3.
    """
    return iou_of_confusion(pixel_confusion(truth, predicted, num_classes, ignore_index))


def mean_iou(truth, predicted, num_classes: int, ignore_index: int = VOID) -> float:
    """mIoU: the mean of `iou_by_class` over the classes that are there; NaN where no pixel is known."""
    ious = iou_by_class(truth, predicted, num_classes, ignore_index)
    return float(np.nanmean(ious)) if (~np.isnan(ious)).any() else float("nan")


def pixel_accuracy(truth, predicted, ignore_index: int = VOID) -> float:
    """Share of the known pixels with the right class; NaN where none is known. High for "background everywhere": see `mean_iou`."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    known = truth != ignore_index
    return float((truth == predicted)[known].mean()) if known.any() else float("nan")


def boundary_band(maps, width: int = 2) -> np.ndarray:
    """The pixels near a change of class.

    Args:
        maps: (..., H, W) whole numbers.
        width: a pixel belongs to the band if another class lies within so many rows and columns of it; the picture's edge is no change.

    Returns:
        (..., H, W) bool.

    Raises:
        ValueError: if width is below 1.

    Source: after the trimap of Kohli et al. 2009, "Robust higher order potentials", section 5.
    """
    if width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    maps = np.asarray(maps)
    low = high = maps
    for axis in (-2, -1):
        low, high = _windows(low, width, axis).min(axis=-1), _windows(high, width, axis).max(axis=-1)
    return low != high


def _windows(maps: np.ndarray, width: int, axis: int) -> np.ndarray:
    """(..., H, W) -> (..., H, W, 2 * width + 1): each pixel with its neighbours along one axis."""
    margins = [(0, 0)] * maps.ndim
    margins[axis] = (width, width)
    return np.lib.stride_tricks.sliding_window_view(np.pad(maps, margins, mode="edge"), 2 * width + 1, axis=axis)


def mask_iou(masks1, masks2) -> np.ndarray:
    """Intersection over union of every pair of masks.

    Args:
        masks1: (N, H, W) bool.
        masks2: (M, H, W) bool.

    Returns:
        (N, M) float64 in [0, 1]; 0 where both masks are empty, as pycocotools has it.

    Raises:
        ValueError: if the masks are not bool, not (N, H, W), or of other heights and widths.
    """
    masks1, masks2 = np.asarray(masks1), np.asarray(masks2)
    for name, masks in (("masks1", masks1), ("masks2", masks2)):
        if masks.dtype != bool or masks.ndim != 3:
            raise ValueError(f"{name} must be bool of shape (N, H, W), got {masks.dtype} of shape {masks.shape}")
    if masks1.shape[1:] != masks2.shape[1:]:
        raise ValueError(f"masks must have one height and width, got {masks1.shape[1:]} and {masks2.shape[1:]}")
    size = masks1.shape[1] * masks1.shape[2]  # not -1, which NumPy cannot know for no masks at all
    flat1, flat2 = (masks.reshape(len(masks), size).astype(np.float64) for masks in (masks1, masks2))
    shared = flat1 @ flat2.T  # (N, M): 1 * 1 where both are set
    union = flat1.sum(axis=1)[:, None] + flat2.sum(axis=1)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
