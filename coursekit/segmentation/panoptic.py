"""Things and stuff on one map: every pixel gets one segment. Taught in notebook 22_segmentation; measured by `coursekit.metrics.panoptic`.

The generated scenes know one kind of stuff: the backdrop, class 0, everything that is no sign. Classes of signs are 1, 2, 3 ...
"""

import numpy as np


def panoptic_truth(instances, labels) -> tuple[np.ndarray, np.ndarray]:
    """A scene's truth as a panoptic map.

    Args:
        instances: (H, W) whole numbers: i + 1 where object i is seen, else 0.
        labels: (N,) 0-based labels of the objects.

    Returns:
        (H, W) int64 segments: 1 is the backdrop, i + 2 is object i, and there is no void; and the (N + 2,) classes of the segments.
    """
    classes = np.concatenate([[-1, 0], np.asarray(labels, dtype=np.int64) + 1])
    return np.asarray(instances).astype(np.int64) + 1, classes


def merge_panoptic(semantic, masks, scores, labels, keep: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Lay masks of things over a map of classes: the surest first, and nobody takes a pixel that is taken.

    Args:
        semantic: (H, W) classes, 0 is the backdrop.
        masks: (N, H, W) bool. scores: (N,). labels: (N,) 0-based.
        keep: a thing of which less than this share is still free is dropped: it is most likely a second mask of the same object.

    Returns:
        (H, W) int64 segments and their classes, as `panoptic_truth`. A pixel that the map calls a thing and no mask claims is void, 0:
        it says "some sign", and not which.

    Source: Kirillov et al., arXiv 1801.00868, section 7 (their heuristic).
    """
    semantic, masks, labels = np.asarray(semantic), np.asarray(masks, dtype=bool), np.asarray(labels)
    segments = np.zeros(semantic.shape, dtype=np.int64)
    classes = [-1, 0]
    for index in np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable"):
        free = masks[index] & (segments == 0)
        if not free.any() or free.sum() < keep * masks[index].sum():
            continue
        segments[free] = len(classes)
        classes.append(int(labels[index]) + 1)
    segments[(segments == 0) & (semantic == 0)] = 1
    return segments, np.array(classes, dtype=np.int64)
