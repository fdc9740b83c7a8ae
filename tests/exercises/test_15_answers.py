"""Notebook 15: right answers written otherwise pass, borrowed ones are refused, stubs that are half done are told what is missing."""

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from coursekit.boxes import box_iou
from coursekit.classic import haar, hog, parts
from coursekit.classic import selective_search as search
from coursekit.classic.selective_search import Region
from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge


def table_by_loops(image):
    table = np.zeros((len(image) + 1, image.shape[1] + 1))
    for y in range(len(image)):
        for x in range(image.shape[1]):
            table[y + 1, x + 1] = int(image[y, x]) + table[y, x + 1] + table[y + 1, x] - table[y, x]
    return table


def table_by_sums(image):
    height, width = image.shape
    return np.array([[image[:y, :x].sum(dtype=np.int64) for x in range(width + 1)] for y in range(height + 1)])


def haar_by_corner_weights(table, x, y, width, height, pattern):
    weights = haar.corner_weights(pattern)
    rows, columns = weights.shape
    return (weights * table[y : y + rows * height : height, x : x + columns * width : width]).sum()


def haar_by_pixels(table, x, y, width, height, pattern):
    image = np.diff(np.diff(table, axis=0), axis=1)
    cells = image[y : y + pattern.shape[0] * height, x : x + pattern.shape[1] * width]
    return float((cells * np.kron(pattern, np.ones((height, width)))).sum())


def gradient_of_numpy_doubled(image):
    image = np.pad(image.astype(float), 1, mode="edge")
    gy, gx = 2 * np.gradient(image, axis=0), 2 * np.gradient(image, axis=1)
    gx, gy = gx[1:-1, 1:-1], gy[1:-1, 1:-1]
    gx[:, [0, -1]] = 0
    gy[[0, -1]] = 0
    return gx, gy


def gradient_by_loops(image):
    gx, gy = np.zeros(image.shape), np.zeros(image.shape)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if 0 < x < image.shape[1] - 1:
                gx[y, x] = float(image[y, x + 1]) - float(image[y, x - 1])
            if 0 < y < image.shape[0] - 1:
                gy[y, x] = float(image[y + 1, x]) - float(image[y - 1, x])
    return gx, gy


def cell_by_numpy(gx, gy, orientations=9):
    angle = np.rad2deg(np.arctan2(gy, gx)) % 180
    return np.histogram(angle, orientations, (0, 180), weights=np.sqrt(gx**2 + gy**2))[0] / gx.size


def cell_in_radians(gx, gy, orientations=9):
    result = np.zeros(orientations)
    for a, b in zip(gx.flat, gy.flat, strict=True):
        angle = np.arctan2(b, a)
        angle = angle + np.pi if angle < 0 else angle
        angle = 0.0 if angle >= np.pi else angle
        result[int(angle / (np.pi / orientations))] += np.hypot(a, b)
    return result / gx.size


def block_by_norm(block, eps=1e-5):
    def to_one(b):
        return b / np.linalg.norm(np.append(b.ravel(), eps))

    return to_one(np.clip(to_one(block), None, 0.2))


def part_by_windows(fits, x, y, cost, reach):
    wide = np.pad(fits, reach, constant_values=-np.inf)
    near = sliding_window_view(wide, (2 * reach + 1, 2 * reach + 1))[y, x]
    step = np.arange(-reach, reach + 1)
    value = near - cost * (step[:, None] ** 2 + step**2)
    dy, dx = np.unravel_index(value.argmax(), value.shape)
    return value[dy, dx], int(dx) - reach, int(dy) - reach


def merge_by_shares(a, b):
    share = a.size / (a.size + b.size)
    box = (*np.minimum(a.box[:2], b.box[:2]).tolist(), *np.maximum(a.box[2:], b.box[2:]).tolist())
    return Region(a.size + b.size, share * a.colour + (1 - share) * b.colour, share * a.texture + (1 - share) * b.texture, box)


def merge_with_an_array_for_its_box(a, b):
    merged = merge_by_shares(a, b)
    return Region(merged.size, merged.colour, merged.texture, list(merged.box))


def negatives_by_loops(boxes, scores, faces, count, overlap=0.3):
    kept = []
    for index in scores.argsort(descending=True, stable=True).tolist():
        far = all(box_iou(boxes[[index]], faces[[k]]).item() <= overlap for k in range(len(faces)))
        if scores[index] > 0 and far:
            kept.append(index)
    return boxes[kept[:count]]


def negatives_by_any(boxes, scores, faces, count, overlap=0.3):
    wrong = ~(box_iou(boxes, faces) > overlap).any(dim=1) & (scores > 0)
    boxes, scores = boxes[wrong], scores[wrong]
    return boxes[torch.sort(scores, descending=True, stable=True).indices][:count]


RIGHT = [
    ("15.integral_image", table_by_loops),
    ("15.integral_image", table_by_sums),
    ("15.haar_feature", haar_by_corner_weights),
    ("15.haar_feature", haar_by_pixels),
    ("15.gradient", gradient_of_numpy_doubled),
    ("15.gradient", gradient_by_loops),
    ("15.hog_cell", cell_by_numpy),
    ("15.hog_cell", cell_in_radians),
    ("15.block_normalise", block_by_norm),
    ("15.part_score", part_by_windows),
    ("15.merge_regions", merge_by_shares),
    ("15.merge_regions", merge_with_an_array_for_its_box),
    ("15.hard_negatives", negatives_by_loops),
    ("15.hard_negatives", negatives_by_any),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[f"{name}-{answer.__name__}" for name, answer in RIGHT])
def test_a_right_answer_written_otherwise_passes(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.passed, verdict


def integral_by_opencv(image):
    import cv2

    return cv2.integral(image) if image.size else np.zeros((image.shape[0] + 1, image.shape[1] + 1))


def integral_by_skimage(image):
    from skimage.transform import integral_image

    return np.pad(integral_image(image), ((1, 0), (1, 0)))


def haar_by_ours_at_once(table, x, y, width, height, pattern):
    return haar.haar_feature(table, x, y, width, height, pattern)


def block_by_skimage(block, eps=1e-5):
    from skimage.feature._hog import _hog_normalize_block

    return _hog_normalize_block(block, "L2-Hys")


def gradient_by_skimage(image):
    from skimage.feature._hog import _hog_channel_gradient

    return _hog_channel_gradient(image.astype(float))[::-1]


def part_by_the_transform(fits, x, y, cost, reach):
    score = parts.spread(fits, cost, reach)[y, x]
    for dy, dx in np.ndindex(2 * reach + 1, 2 * reach + 1):
        v, u = y + dy - reach, x + dx - reach
        if 0 <= v < fits.shape[0] and 0 <= u < fits.shape[1] and fits[v, u] - cost * ((dx - reach) ** 2 + (dy - reach) ** 2) == score:
            return score, dx - reach, dy - reach
    return score, 0, 0


BORROWED = [
    ("15.integral_image", integral_by_opencv),
    ("15.integral_image", integral_by_skimage),
    ("15.integral_image", lambda image: haar.integral_image(image)),
    ("15.haar_feature", haar_by_ours_at_once),
    ("15.gradient", gradient_by_skimage),
    ("15.gradient", lambda image: hog.gradient(image)),
    ("15.hog_cell", lambda gx, gy, orientations=9: hog.hog_cell(gx, gy, orientations)),
    ("15.block_normalise", block_by_skimage),
    ("15.part_score", part_by_the_transform),
    ("15.merge_regions", lambda a, b: search.merge_regions(a, b)),
]


@pytest.mark.parametrize(("name", "answer"), BORROWED, ids=[f"{name}-{k}" for k, (name, _) in enumerate(BORROWED)])
def test_a_borrowed_answer_is_refused(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.status == "refused", verdict
