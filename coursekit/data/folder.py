"""A dataset from files as PyTorch wants it: pictures are read when they are asked for."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from .images import load_image
from .records import Annotations


class FolderDataset(Dataset):
    """Samples of annotations that were read from a folder.

    Each is ``(image, target)``: a (3, H, W) uint8 tensor, and a dict of ``boxes`` (N, 4) float32 ``xyxy`` pixels,
    ``labels`` (N,) int64 from 0, ``image_id`` int, ``area`` (N,) float32, ``iscrowd`` (N,) int64.

    Raises:
        ValueError: from indexing, naming a picture that is damaged or has changed its size since it was read.
    """

    def __init__(self, annotations: Annotations):
        self.annotations = annotations
        self.classes = annotations.classes

    def __len__(self) -> int:
        return len(self.annotations.images)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        record = self.annotations.images[index]
        image = torch.from_numpy(load_image(record.path))
        if image.shape[1:] != (record.height, record.width):
            now = f"{image.shape[2]} x {image.shape[1]}"
            raise ValueError(f"{record.path}: the picture is {now} now, it was {record.width} x {record.height} when it was read")
        target = {
            "boxes": torch.from_numpy(record.boxes.copy()),
            "labels": torch.from_numpy(record.labels.copy()),
            "image_id": int(record.image_id),
            "area": torch.from_numpy(record.area.copy()),
            "iscrowd": torch.from_numpy(record.iscrowd.copy()),
        }
        return image, target
