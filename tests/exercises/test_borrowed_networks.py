"""As test_borrowed_answers.py, for notebooks 09 to 12: a block, a count or a transform that is somebody else's is refused."""

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as VF

from coursekit.boxes import box_area, clip_boxes_to_image
from coursekit.data.geometric import crop, horizontal_flip, mirror_boxes, paste, vertical_flip
from coursekit.data.mosaic import quarters
from coursekit.data.targets import clip, scale_and_shift
from coursekit.exercises.core import find
from coursekit.exercises.n11_augmentation import hflip
from coursekit.exercises.n11_augmentation_crop import crop_with_boxes
from coursekit.exercises.verdict import judge
from coursekit.models import cost, layers, mobilenet_v2, xception


@torch.no_grad()
def filled(module, weights, x):
    """What a ready module says once these weights are put into it, in its own order."""
    for parameter, weight in zip(module.parameters(), weights, strict=True):
        parameter.copy_(weight.reshape(parameter.shape))
    return module.eval()(x)


def excited_by(kind):
    return lambda x, *weights: filled(kind(x.shape[1], len(weights[0])), weights, x)


def separable_by_xception(x, depthwise, pointwise, stride):
    module = xception.SeparableConv(x.shape[1], len(pointwise))
    module.depthwise = nn.Conv2d(
        x.shape[1], x.shape[1], depthwise.shape[-1], stride, depthwise.shape[-1] // 2, groups=x.shape[1], bias=False
    )
    return filled(module, (depthwise, pointwise), x)


def inverted_by_mobilenet(x, expand, depthwise, project, stride):
    module = mobilenet_v2.InvertedResidual(x.shape[1], len(expand), len(project), depthwise.shape[-1], stride, eps=0.0)
    ones, zeros = torch.ones, torch.zeros
    norms = [(make(len(w)) for make in (ones, zeros)) for w in (expand, depthwise, project)]
    return filled(module, [w for weight, norm in zip((expand, depthwise, project), norms, strict=True) for w in (weight, *norm)], x)


def inverted_by_torchvision(x, expand, depthwise, project, stride):
    kind = torchvision.models.mobilenetv2.InvertedResidual
    return filled(kind(x.shape[1], len(project), stride, len(expand) / x.shape[1], nn.Identity), (expand, depthwise, project), x)


def layer(a, b, kernel, height, width, stride, groups, bias):
    return nn.Conv2d(a, b, kernel, stride, kernel // 2, groups=groups, bias=bias)


def cost_by_rows(*given):
    row = cost.layer_costs(layer(*given), (given[0], *given[3:5]))[0]
    return row.parameters, row.multiply_adds


def cost_by_torch(*given):
    module = layer(*given)
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, given[0], *given[3:5]))
    return sum(p.numel() for p in module.parameters()), counter.get_total_flops() // 2


def flip_of_the_turned(image, boxes):
    image, target = vertical_flip(image.transpose(1, 2), {"boxes": boxes[:, [1, 0, 3, 2]]})
    return image.transpose(1, 2), target["boxes"][:, [1, 0, 3, 2]]


def flip_with_mirror_boxes(image, boxes):
    return image.flip(2), mirror_boxes({"boxes": boxes}, image.shape[2], axis=0)["boxes"]


def flip_by_torchvision(image, boxes):
    wrapped = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=tuple(image.shape[1:]))
    return tuple(each.as_subclass(torch.Tensor) for each in v2.RandomHorizontalFlip(1.0)(tv_tensors.Image(image), wrapped))


def crop_by_clip(image, boxes, labels, window, min_visible):
    x1, y1, x2, y2 = window
    moved = scale_and_shift({"boxes": boxes, "labels": labels}, (1, 1), (-x1, -y1))
    target = clip(moved, (y2 - y1, x2 - x1), min_visible)
    return image[:, y1:y2, x1:x2], target["boxes"], target["labels"]


def crop_by_torchvision(image, boxes, labels, window, min_visible):
    x1, y1, x2, y2 = window
    inside, _ = VF.crop_bounding_boxes(boxes, tv_tensors.BoundingBoxFormat.XYXY, y1, x1, y2 - y1, x2 - x1)
    return image[:, y1:y2, x1:x2], inside, labels


def cutout_by_paste(image, centre, side, fill):
    image = image.clone()
    paste(image, image.new_full((len(image), side, side), fill), centre[1] - side // 2, centre[0] - side // 2)
    return image


def cutout_by_erase(image, centre, side, fill):
    (top, left), (height, width) = (place - side // 2 for place in centre), image.shape[1:]
    y, x = max(0, top), max(0, left)
    return VF.erase_image(image, y, x, max(0, min(top + side, height) - y), max(0, min(left + side, width) - x), image.new_tensor(fill))


def mosaic_by_paste(images, boxes, centre, size_hw):
    canvas = torch.full((3, *size_hw), 114, dtype=torch.uint8)
    paste(canvas[:, : centre[1], : centre[0]], images[0], centre[0] - images[0].shape[2], centre[1] - images[0].shape[1])
    return canvas, torch.cat(boxes)


def mosaic_by_quarters(images, boxes, centre, size_hw):
    canvas, found = torch.full((3, *size_hw), 114, dtype=torch.uint8), []
    for image, own, piece in zip(images, boxes, quarters([image.shape[1:] for image in images], centre, [1.0] * 4, size_hw), strict=True):
        (h, w), (x1, y1, x2, y2) = image.shape[1:], piece.window
        x, y = x1 + piece.left, y1 + piece.top
        left, top, right, bottom = max(x, x1), max(y, y1), min(x + w, x2), min(y + h, y2)
        canvas[:, top:bottom, left:right] = image[:, top - y : bottom - y, left - x : right - x]
        inside = clip_boxes_to_image(own + own.new_tensor([x - x1, y - y1] * 2), (y2 - y1, x2 - x1)) + own.new_tensor([x1, y1] * 2)
        found.append(inside[box_area(inside) > 0])
    return canvas, torch.cat(found)


def crop_and_flip_by_ours(image, boxes, labels, window, min_visible):
    image, target = horizontal_flip(*crop(image, {"boxes": boxes, "labels": labels}, window, min_visible))
    return image, target["boxes"], target["labels"]


def probe_by_sklearn(train, labels, test, num_classes, ridge):
    from sklearn.linear_model import ridge_regression

    x, y = train.double(), F.one_hot(labels, num_classes).double()
    weights = ridge_regression((x - x.mean(0)).numpy(), (y - y.mean(0)).numpy(), alpha=ridge)
    return ((test - x.mean(0)) @ torch.from_numpy(weights.T) + y.mean(0)).float()


BORROWED = {
    "09.squeeze_excite": [excited_by(layers.SqueezeExcite), excited_by(torchvision.ops.SqueezeExcitation)],
    "10.conv_cost": [cost_by_rows, cost_by_torch],
    "10.separable_conv": [separable_by_xception],
    "10.inverted_residual": [inverted_by_mobilenet, inverted_by_torchvision],
    "10.channel_shuffle": [torchvision.models.shufflenetv2.channel_shuffle, lambda x, groups: torch.native_channel_shuffle(x, groups)],
    "11.hflip": [flip_of_the_turned, flip_with_mirror_boxes, flip_by_torchvision],
    "11.crop_with_boxes": [crop_by_clip, crop_by_torchvision],
    "11.cutout": [cutout_by_paste, cutout_by_erase],
    "11.mosaic": [mosaic_by_paste, mosaic_by_quarters],
    "11.crop_and_flip": [crop_and_flip_by_ours],
    "12.linear_probe": [probe_by_sklearn],
}


@pytest.mark.parametrize(("name", "answer"), [(name, answer) for name, answers in BORROWED.items() for answer in answers])
def test_it_is_refused(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.status == "refused", verdict


# --- and what only looks borrowed passes


def crop_with_notebook_13s_boxes(image, boxes, labels, window, min_visible):
    x1, y1, x2, y2 = window
    inside = clip_boxes_to_image(boxes - boxes.new_tensor([x1, y1, x1, y1]), (y2 - y1, x2 - x1))
    stays = (box_area(inside) >= min_visible * box_area(boxes)) & (box_area(inside) > 0)
    return image[:, y1:y2, x1:x2], inside[stays], labels[stays]


def crop_and_flip_by_the_exercises_before(image, boxes, labels, window, min_visible):
    image, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)  # lent by check until a learner's own passes
    return *hflip(image, boxes), labels


def mosaic_by_crops(images, boxes, centre, size_hw):
    """Each image is cropped to what its quarter shows, and its boxes with it, by the exercise before."""
    (cx, cy), (height, width) = centre, size_hw
    canvas, found = torch.full((3, height, width), 114, dtype=torch.uint8), []
    for number, (image, own) in enumerate(zip(images, boxes, strict=True)):
        h, w = image.shape[1:]
        wide, high = min(w, width - cx if number % 2 else cx), min(h, height - cy if number >= 2 else cy)
        left, top = (0 if number % 2 else w - wide), (0 if number >= 2 else h - high)
        part, inside, _ = crop_with_boxes(image, own, torch.zeros(len(own)), (left, top, left + wide, top + high), 0.0)
        x, y = (cx if number % 2 else cx - wide), (cy if number >= 2 else cy - high)
        canvas[:, y : y + high, x : x + wide] = part
        found.append(inside + inside.new_tensor([x, y, x, y]))
    return canvas, torch.cat(found)


HONEST = {
    "11.crop_with_boxes": crop_with_notebook_13s_boxes,
    "11.mosaic": mosaic_by_crops,
    "11.crop_and_flip": crop_and_flip_by_the_exercises_before,
}


@pytest.mark.parametrize("name", HONEST)
def test_the_blocks_of_other_notebooks_may_be_used(name):
    verdict = judge(find(name), HONEST[name])
    assert verdict.passed, verdict
