"""Exercises of notebook 14: what is borrowed is refused however it is reached, and right answers written otherwise pass."""

import numpy as np
import pytest
import scipy.signal
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from coursekit.boxes import box_iou
from coursekit.data.tiles import tile_windows
from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge
from coursekit.sliding import dense, heatmap
from coursekit.sliding import windows as blocks

# --- borrowed


def windows_by_places(size_hw, window, stride):
    y, x = (blocks.places(side, window, stride) for side in size_hw)
    return torch.tensor([(a, b, a + window, b + window) for b in y for a in x], dtype=torch.int64).reshape(-1, 4)


def windows_by_tiles(size_hw, window, stride):
    found = [w for w in tile_windows(size_hw, window, max(0, window - stride)) if w[2] <= size_hw[1] and w[3] <= size_hw[0]]
    return torch.tensor(found, dtype=torch.int64).reshape(-1, 4)


def boxes_by_cells(heat, window, stride, threshold, iou_threshold):
    labels, rows, columns = torch.where(heat >= threshold)
    boxes, scores = heatmap.cells_to_boxes(torch.stack((rows, columns), dim=1), window, stride), heat[labels, rows, columns]
    kept = torchvision.ops.batched_nms(boxes, scores, labels, iou_threshold)
    return boxes[kept], scores[kept], labels[kept]


def stamps_by_module(values, kernel, stride, padding):
    layer = nn.ConvTranspose2d(1, 1, tuple(kernel.shape), stride, padding, bias=False)
    layer.weight.data = kernel[None, None]
    return layer(values[None, None])[0, 0].detach()


def stamps_by_gradient(values, kernel, stride, padding):
    (rows, columns), (height, width) = values.shape, kernel.shape
    size = (1, 1, (rows - 1) * stride + height - 2 * padding, (columns - 1) * stride + width - 2 * padding)
    return torch.nn.grad.conv2d_input(size, kernel[None, None], values[None, None], stride, padding)[0, 0]


def stamps_by_aten(values, kernel, stride, padding):
    given = values[None, None], kernel[None, None], None, [stride, stride], [padding, padding], [1, 1], True, [0, 0], 1
    return torch.convolution(*given)[0, 0]


BORROWED = {
    "14.windows": [windows_by_places, windows_by_tiles],
    "14.heat_map": [lambda *given: heatmap.heat_map(*given)],
    "14.boxes_from_heat_map": [boxes_by_cells],
    "14.fc_to_conv": [lambda linear, maps_chw: dense.fc_to_conv(linear, maps_chw)],
    "14.transposed_conv": [
        stamps_by_module,
        stamps_by_gradient,
        stamps_by_aten,
        lambda v, k, s, p: F.conv_transpose2d(v[None, None], k[None, None], stride=s, padding=p)[0, 0],
    ],
}


@pytest.mark.parametrize(("name", "answer"), [(name, answer) for name, answers in BORROWED.items() for answer in answers])
def test_it_is_refused(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.status == "refused", verdict


# --- other right answers

RIGHT = []


def right(name):
    """Keep an answer to that exercise."""

    def note(answer):
        RIGHT.append((name, answer))
        return answer

    return note


@right("14.windows")
def windows_by_loops(size_hw, window, stride):
    found, y = [], 0
    while y + window <= size_hw[0]:
        x = 0
        while x + window <= size_hw[1]:
            found.append([x, y, x + window, y + window])
            x += stride
        y += stride
    return torch.tensor(found).long().view(len(found), 4)


@right("14.windows")
def windows_by_meshgrid(size_hw, window, stride):
    y, x = (torch.arange(0, max(0, side - window + 1), stride) for side in size_hw)
    y, x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([x, y, x + window, y + window], dim=-1).reshape(-1, 4)


@right("14.windows")
def windows_in_numpy(size_hw, window, stride):
    rows, columns = (max(0, (side - window) // stride + 1) for side in size_hw)
    place = np.indices((rows, columns)).reshape(2, -1).T[:, ::-1] * stride
    return torch.from_numpy(np.concatenate([place, place + window], axis=1).astype(np.int32))


@right("14.pyramid_sizes")
def sizes_as_lists(size_hw, scales, window=1):
    found = [[int(size_hw[0] * s + 0.5), int(size_hw[1] * s + 0.5)] for s in scales]
    return [[h, w] for h, w in found if h >= window and w >= window]


@right("14.heat_map")
def heat_map_by_unfold(classify, image, window, stride, batch=64):
    every = image.unfold(1, window, stride).unfold(2, window, stride).permute(1, 2, 0, 3, 4)
    rows, columns = every.shape[:2]
    every = every.reshape(rows * columns, *every.shape[2:])
    said = torch.cat([classify(every[i : i + batch]) for i in range(0, len(every), batch)])
    return torch.stack([column.reshape(rows, columns) for column in said.T])


@right("14.heat_map")
def heat_map_one_by_one(classify, image, window, stride, batch=64):
    height, width = image.shape[1:]
    rows = [
        torch.stack([classify(image[None, :, y : y + window, x : x + window])[0] for x in range(0, width - window + 1, stride)])
        for y in range(0, height - window + 1, stride)
    ]
    return torch.stack(rows).permute(2, 0, 1)


@right("14.boxes_from_heat_map")
def boxes_by_torchvision(heat, window, stride, threshold, iou_threshold=0.3):
    places = (heat >= threshold).nonzero()
    scores = heat[heat >= threshold]
    boxes = torch.cat([places[:, [2, 1]] * stride, places[:, [2, 1]] * stride + window], dim=1).double()
    kept = torchvision.ops.batched_nms(boxes, scores.double(), places[:, 0], iou_threshold)
    return boxes[kept], scores[kept], places[kept, 0]


@right("14.boxes_from_heat_map")
def boxes_greedily(heat, window, stride, threshold, iou_threshold=0.3):
    waiting, kept = [], []
    for label, row, column in np.ndindex(*heat.shape):
        if heat[label, row, column] >= threshold:
            x, y = column * stride, row * stride
            waiting.append((float(heat[label, row, column]), label, [x, y, x + window, y + window]))
    for score, label, box in sorted(waiting, key=lambda entry: -entry[0]):
        rivals = [other for _, same, other in kept if same == label]
        one, others = torch.tensor([box]).float(), torch.tensor(rivals).float().reshape(-1, 4)
        if not (box_iou(one, others) > iou_threshold).any():
            kept.append((score, label, box))
    boxes = torch.tensor([box for *_, box in kept]).float().reshape(-1, 4)
    return boxes, torch.tensor([score for score, *_ in kept]), torch.tensor([label for _, label, _ in kept], dtype=torch.int64)


@right("14.cells_to_boxes")
def cells_number_by_number(cells, window, stride, margin, scale):
    rows = []
    for row, column in cells.tolist():
        x, y = column * stride, row * stride
        rows.append([(x + margin) / scale, (y + margin) / scale, (x + window - margin) / scale, (y + window - margin) / scale])
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, 4)


@right("14.cells_to_boxes")
def cells_in_the_pictures_pixels(cells, window, stride, margin, scale):
    corner = cells[:, [1, 0]] * (stride / scale)
    return torch.cat((corner + margin / scale, corner + (window - margin) / scale), dim=1)


@right("14.fc_to_conv")
def fc_as_a_parameter(linear, maps_chw):
    conv = nn.Conv2d(maps_chw[0], len(linear.weight), maps_chw[1:])
    conv.weight = nn.Parameter(linear.weight.data.view(-1, *maps_chw))
    conv.bias = linear.bias
    return conv


@right("14.fc_to_conv")
def fc_by_a_state_dict(linear, maps_chw):
    conv = nn.Conv2d(maps_chw[0], linear.out_features, kernel_size=tuple(maps_chw[1:]))
    conv.load_state_dict({"weight": linear.weight.detach().unflatten(1, maps_chw), "bias": linear.bias.detach()})
    return conv


@right("14.transposed_conv")
def stamps_by_zeros_between(values, kernel, stride, padding=0):
    (rows, columns), (height, width) = values.shape, kernel.shape
    spread = torch.zeros((rows - 1) * stride + 1, (columns - 1) * stride + 1)
    spread[::stride, ::stride] = values
    spread = F.pad(spread, (width - 1, width - 1, height - 1, height - 1))
    full = F.conv2d(spread[None, None], kernel.flip(0, 1)[None, None])[0, 0]
    return full[padding : full.shape[0] - padding, padding : full.shape[1] - padding]


@right("14.transposed_conv")
def stamps_by_scipy(values, kernel, stride, padding=0):
    spread = np.zeros([(side - 1) * stride + 1 for side in values.shape])
    spread[::stride, ::stride] = values.numpy()
    full = torch.from_numpy(scipy.signal.convolve2d(spread, kernel.double().numpy()))
    return full[padding : full.shape[0] - padding, padding : full.shape[1] - padding]


@right("14.transposed_conv")
def stamps_by_fold(values, kernel, stride, padding=0):
    (rows, columns), (height, width) = values.shape, kernel.shape
    size = (rows - 1) * stride + height - 2 * padding, (columns - 1) * stride + width - 2 * padding
    stamps = kernel.reshape(-1, 1) * values.reshape(1, -1)
    return F.fold(stamps[None], size, (height, width), stride=stride, padding=padding)[0, 0]


@right("14.transposed_conv")
def stamps_pixel_by_pixel(values, kernel, stride, padding=0):
    (rows, columns), (height, width) = values.shape, kernel.shape
    out = [[0.0] * ((columns - 1) * stride + width) for _ in range((rows - 1) * stride + height)]
    for r, c, i, j in np.ndindex(rows, columns, height, width):
        out[r * stride + i][c * stride + j] += float(values[r, c] * kernel[i, j])
    whole = torch.tensor(out)
    return whole[padding:-padding, padding:-padding] if padding else whole


@pytest.mark.parametrize(("name", "answer"), [pytest.param(n, a, id=f"{n}-{a.__name__}") for n, a in RIGHT])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_it_passes(name, answer, seed):
    verdict = judge(find(name), answer, seed)
    assert verdict.passed, verdict
