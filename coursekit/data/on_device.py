"""Augmentation of a whole batch where its images lie: `transforms.Augment` on a GPU, as a few large products. Used by `coursekit train`.

Resizing, moving, cutting and mirroring have one form: every row of the result is a weighted sum of the image's rows, and every column one
of its columns. So an image on its piece of a canvas is ``rows @ image @ columns.T``, where the matrices hold the weights of the
antialiased bilinear filter, and zeros where the piece does not reach. All pieces of a batch are one product each way, which is what a GPU
does best; one after another, image by image, its kernels would be too small to keep it busy.

The draws and the boxes are those of `transforms.Augment` itself; its pixels are met to within one grey level, since it rounds once more
on its way.

>>> plans = [augment.plan(cached, index, generator) for index in (3, 1, 4)]
>>> images, targets = render(cached.images, plans), [plan.target for plan in plans]
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .geometric import GREY, Piece
from .photometric import colour_matrix
from .targets import Target


class Plan(NamedTuple):
    """A sample that has no pixels yet.

    Args:
        numbers: of the images in it. windows: x1, y1, x2, y2 of what is used of each, in its own pixels. pieces: where that comes to lie.
        mirrored: the canvas, left and right, and top and bottom.
        colours: brightness, contrast, saturation and hue, as `photometric.adjust_colours` takes them.
        target: its boxes, ready.
    """

    numbers: list[int]
    windows: list[tuple[int, int, int, int]]
    pieces: list[Piece]
    mirrored: tuple[bool, bool]
    colours: tuple[float, float, float, float]
    target: Target


def resize_weights(
    size: int, begin: Tensor, length: Tensor, new_length: Tensor, shift: Tensor, window: Tensor, mirrored: Tensor
) -> tuple[Tensor, Tensor]:
    """How much of each pixel of an image's side goes into each pixel of the canvas's side, for P pieces.

    Args:
        size: pixels of the side, which is as long for images as for canvases.
        begin, length: (P,) which pixels of the image's side are used: ``length`` of them from ``begin`` on.
        new_length: (P,) pixels that they become.
        shift: (P,) where on the canvas the first of these lies. window: (P, 2) first pixel of the canvas that may be covered, and the one
            after the last.
        mirrored: (P,) 1 where the canvas is turned round at the end.

    Returns:
        (P, size, size) float32, for each pixel of the canvas a row that adds up to 1, or is 0 where the piece does not reach; and (P, size)
        bool: where it does.

    Source: the filter of Pillow's and torch's antialiased bilinear resizing: a triangle whose half width is one pixel of the image, or as
    many as go into one of the canvas.
    """
    side = torch.arange(size, device=begin.device)
    place = torch.where(mirrored[:, None] > 0, size - 1 - side, side)  # (P, size): the pixel's before it is mirrored
    number = place - shift[:, None]  # of the pixel in the resized image
    covered = (place >= window[:, :1]) & (place < window[:, 1:]) & (number >= 0) & (number < new_length[:, None])
    stretch = length / new_length  # pixels of the image in one of the canvas
    centre = stretch[:, None] * (number + 0.5)
    source = side - begin[:, None]  # (P, size)
    used = (source >= 0) & (source < length[:, None])
    distance = (source[:, None, :] + 0.5 - centre[:, :, None]).abs() / stretch.clamp(min=1)[:, None, None]
    weights = (1 - distance).clamp(min=0) * (used[:, None, :] & covered[:, :, None])
    return weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-6), covered


def render(images: Tensor, plans: list[Plan]) -> Tensor:
    """The pixels of some plans.

    Args:
        images: (D, 3, H, W) uint8, all that the plans' ``numbers`` may name, on any device; also the size of every canvas.

    Returns:
        (N, 3, H, W) uint8 on that device, channels last in memory.
    """
    rows, columns, numbers, owners = _pieces(images, plans)
    (row_weights, high), (column_weights, wide) = rows, columns
    pixels = images.index_select(0, numbers).to(torch.float32)  # (P, 3, H, W)
    moved = row_weights[:, None] @ pixels @ column_weights[:, None].mT
    blank = torch.zeros(len(plans), *images.shape[1:], device=images.device)
    # pieces of one canvas do not overlap: each pixel gets one value and zeros, in whatever order they are added
    canvas = blank.index_add(0, owners, moved).round_()
    covered = blank[:, :1].index_add(0, owners, (high[:, None, :, None] & wide[:, None, None, :]).to(torch.float32))
    return _lit(canvas + GREY * (1 - covered), [plan.colours for plan in plans])


def _pieces(images: Tensor, plans: list[Plan]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], Tensor, Tensor]:
    """Weights and reach of all pieces along y and along x, and of each the number of its image and of its plan."""
    table = []
    for owner, plan in enumerate(plans):
        for number, (x1, y1, x2, y2), piece in zip(plan.numbers, plan.windows, plan.pieces, strict=True):
            (new_h, new_w), (left, top, right, bottom) = piece.size_hw, piece.window
            along_y = [y1, y2 - y1, new_h, top + piece.top, top, bottom, plan.mirrored[1]]
            along_x = [x1, x2 - x1, new_w, left + piece.left, left, right, plan.mirrored[0]]
            table.append([number, owner, *along_y, *along_x])
    table = send(table, torch.int64, images.device).T
    sides = []
    for first, length in ((2, images.shape[2]), (9, images.shape[3])):
        begin, used, new, shift, *window, mirrored = table[first : first + 7]
        sides.append(resize_weights(length, begin, used, new, shift, torch.stack(window, dim=1), mirrored))
    return *sides, table[0], table[1]


def _lit(canvas: Tensor, colours: list[tuple[float, float, float, float]]) -> Tensor:
    """`photometric.adjust_colours` of (N, 3, H, W) float32, each image by its own."""
    matrices = send(torch.stack([colour_matrix(*colour) for colour in colours]), torch.float32, canvas.device)
    lifts = send([brightness * (1 - contrast) for brightness, contrast, *_ in colours], torch.float32, canvas.device)
    mixed = (matrices @ canvas.flatten(2)).view(canvas.shape)
    mixed += (canvas[:, :, ::4, ::4].mean(dim=(1, 2, 3)) * lifts)[:, None, None, None]
    return mixed.round_().clamp_(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)


def send(values, dtype: torch.dtype, device: torch.device | str) -> Tensor:
    """Numbers of the CPU (a tensor, or nested lists) on the device; a GPU is not waited for."""
    tensor, device = torch.as_tensor(values, dtype=dtype), torch.device(device)
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)
