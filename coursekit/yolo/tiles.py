"""Small objects in large images: the detector looks through windows, and merges what it saw. Taught in notebook 14_sliding_window."""

import torch
from torch import Tensor

from ..boxes import box_area, fast_batched_nms
from ..data.tiles import Window, check_tile, tile_windows
from ..detections import Detections
from .model import YOLO
from .predict import check_images, predict

BORDER = 2.0  # pixels: a box that comes so near to a window's edge may have been cut by it
COVERED = 0.5  # share of a cut piece that lies under a larger box


def predict_tiled(
    model: YOLO,
    images: list[Tensor],
    tile: int | None = None,
    overlap: int | None = None,
    whole: bool = False,
    confidence: float = 0.25,
    iou: float = 0.6,
    limit: int = 100,
    imgsz: int | None = None,
    batch: int = 16,
) -> list[Detections]:
    """Find objects through windows of ``tile`` pixels, as `predict` does in whole images.

    Args:
        tile: side of a window in the images' own pixels; the network sees it at `imgsz`, so windows of `imgsz` pixels are not resized. None
            takes what the model was trained on. 0, or an image no larger than one window, is `predict` and nothing else.
        overlap: pixels that neighbours share at least; what is no larger is whole in some window. None: a quarter of `tile`.
        whole: look at the whole image once, too, for objects larger than a window.
        confidence, iou, limit, imgsz, batch: see `predict`. The limit holds in each window, and again in the image.

    Returns:
        One `Detections` for each image, best first, in the image's own pixels.

    Raises:
        ValueError: naming the image that is not uint8 (3, H, W), or a tile or overlap that does not fit.

    Windows are views of the image and are stacked `batch` at a time, so memory does not grow with the image.

    Boxes are merged by `merge_windows`. Measured on scenes of 1024 x 1024 with windows of 256 and an overlap of 64 (the shipped detector):

    | merging | AP, signs 16 to 64 px | AP, signs 16 to 160 px |
    |---|---|---|
    | NMS of all windows' boxes | .760 | .638 |
    | NMS by intersection over the smaller box | .775 | .643 |
    | cut pieces go where a neighbour window sees the place whole | .811 | .679 |
    | cut pieces go where a larger box of another window covers them (ours) | .811 | .724 |
    """
    check_images(images)
    tile = model.tile if tile is None else tile
    options = {"confidence": confidence, "iou": iou, "limit": limit, "imgsz": imgsz, "batch": batch}
    if tile == 0:
        return predict(model, images, **options)
    overlap = tile // 4 if overlap is None else overlap
    check_tile(tile, overlap)
    large = [number for number, image in enumerate(images) if max(image.shape[1:], default=0) > tile]
    found = dict(zip(large, [None] * len(large), strict=True))
    small = [number for number in range(len(images)) if number not in found]
    found |= zip(small, predict(model, [images[number] for number in small], **options), strict=True)
    for number in large:
        image = images[number]
        size_hw = tuple(image.shape[1:])
        windows = tile_windows(size_hw, tile, overlap) + ([(0, 0, size_hw[1], size_hw[0])] if whole else [])
        seen = predict(model, [image[:, y1:y2, x1:x2] for x1, y1, x2, y2 in windows], **options)
        found[number] = merge_windows(seen, windows, size_hw, iou)[:limit]
    return [found[number] for number in range(len(images))]


def merge_windows(seen: list[Detections], windows: list[Window], size_hw: tuple[int, int], iou: float = 0.6) -> Detections:
    """What was seen in each window, as one answer in the image's pixels.

    An object that a window's edge cuts is seen as a piece there and whole in the neighbour window. The two overlap too little for NMS, and
    the piece may well have the higher score. So pieces go first (`cut_pieces`), then NMS, class by class, makes one of the boxes that two
    windows agree on.

    Args:
        seen: for each window its detections, in the window's pixels.
        windows: ``(x1, y1, x2, y2)`` in the image's pixels.
        size_hw: height and width of the image.
        iou: of two boxes of one class that overlap more, the weaker goes.
    """
    corners = torch.tensor(windows, dtype=torch.float32)
    number = torch.cat([torch.full((len(one),), k) for k, one in enumerate(seen)])  # which window a box comes from
    boxes = torch.cat([one.boxes for one in seen]) + corners[number][:, [0, 1, 0, 1]]
    merged = Detections(boxes, torch.cat([one.scores for one in seen]), torch.cat([one.labels for one in seen]))
    stays = ~cut_pieces(merged.boxes, merged.labels, number, corners, size_hw)
    merged = merged[stays]
    return merged[fast_batched_nms(merged.boxes, merged.scores, merged.labels, iou)]


def cut_pieces(boxes: Tensor, labels: Tensor, number: Tensor, corners: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Which boxes are pieces of something that another window saw more of: they reach an edge of their window that is no edge of the image,
    and a larger box of their class, from another window, covers at least half of them.

    Args:
        boxes: (N, 4) in the image's pixels. labels: (N,). number: (N,) int64, the window of each.
        corners: (W, 4) of the windows.

    Returns:
        (N,) bool. A piece that nobody saw more of is no `True`: half an object is better than none.
    """
    height, width = size_hw
    inner = torch.stack([corners[:, 0] > 0, corners[:, 1] > 0, corners[:, 2] < width, corners[:, 3] < height], dim=1)  # (W, 4)
    near = (boxes - corners[number]).abs() <= BORDER
    pieces = torch.where((near & inner[number]).any(dim=1))[0]
    areas, cut = box_area(boxes), torch.zeros(len(boxes), dtype=torch.bool)
    for some in pieces.split(256):  # all pairs at once could be gigabytes
        top_left = torch.maximum(boxes[some, None, :2], boxes[None, :, :2])  # (256, N, 2)
        bottom_right = torch.minimum(boxes[some, None, 2:], boxes[None, :, 2:])
        shared = (bottom_right - top_left).clamp(min=0).prod(dim=2)
        covered = shared >= COVERED * areas[some, None]
        other = (number[some, None] != number[None]) & (labels[some, None] == labels[None]) & (areas[None] > areas[some, None])
        cut[some] = (covered & other).any(dim=1)
    return cut
