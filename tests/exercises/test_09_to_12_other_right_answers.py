"""People write the answers of notebooks 09 to 12 in other ways, by loops, in NumPy, in float64, in another order: all must pass."""

import itertools
import math
import statistics

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from coursekit.exercises.core import find
from coursekit.exercises.verdict import judge

RIGHT = []


def right(name):
    """Keep an answer to that exercise."""

    def note(answer):
        RIGHT.append((name, answer))
        return answer

    return note


# --- 09_architectures


@right("09.count_parameters")
def count_by_walking(model):
    seen = {}
    for layer in model.modules():
        seen |= {id(p): math.prod(p.shape) * p.requires_grad for p in layer._parameters.values() if p is not None}
    return sum(seen.values())


@right("09.vgg_block")
class VggModule(nn.Module):
    def __init__(self, in_channels, out_channels, count):
        super().__init__()
        widths = [in_channels] + [out_channels] * count
        self.layers = nn.ModuleList(nn.Conv2d(a, b, (3, 3), padding="same") for a, b in itertools.pairwise(widths))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).clamp(min=0)
        return F.max_pool2d(x, 2)


@right("09.residual_block")
def residual_in_float64(x, weight1, weight2, shortcut, stride):
    x, weight1, weight2 = x.double(), weight1.double(), weight2.double()
    inside = F.conv2d(F.pad(x, (1, 1, 1, 1)), weight1, stride=stride).relu()
    out = F.conv2d(F.pad(inside, (1, 1, 1, 1)), weight2)
    if shortcut is not None:
        x = torch.einsum("nchw,oc->nohw", x[:, :, ::stride, ::stride], shortcut[:, :, 0, 0].double())
    out += x
    return out.clamp_(min=0)


@right("09.residual_chain")
def chain_from_the_inside(x, pairs):
    if not pairs:
        return x
    first, second = pairs[0]
    return chain_from_the_inside(F.relu(F.conv2d(F.conv2d(x, first, padding=1).relu(), second, padding=1) + x), pairs[1:])


@right("09.squeeze_excite")
def squeeze_by_linear(x, weight1, bias1, weight2, bias2):
    mean = F.adaptive_avg_pool2d(x, 1).flatten(1)
    return torch.einsum("nchw,nc->nchw", x, F.linear(F.linear(mean, weight1, bias1).relu(), weight2, bias2).sigmoid())


@right("09.squeeze_excite")
def squeeze_image_by_image(x, weight1, bias1, weight2, bias2):
    result = x.double()
    for image in result:
        hidden = (weight1.double() @ image.flatten(1).mean(1) + bias1).clamp(min=0)
        image *= (1 / (1 + (-(weight2.double() @ hidden + bias2)).exp()))[:, None, None]
    return result


@right("09.dense_block")
def dense_into_a_canvas(x, weights):
    widths = [x.shape[1], *(len(w) for w in weights)]
    result = x.new_zeros(len(x), sum(widths), *x.shape[2:])
    result[:, : widths[0]] = x
    for place, weight in zip(itertools.accumulate(widths), weights, strict=False):
        result[:, place : place + len(weight)] = F.conv2d(result[:, :place], weight, padding="same").relu()
    return result


@right("09.training_hours")
def hours_step_by_step(multiply_adds, images, epochs, machines, per_second):
    forward = multiply_adds / per_second / 60
    return np.float64((forward + 2 * forward) * images / 60 * epochs / machines)


# --- 10_efficient


@right("10.conv_cost")
def cost_by_counting(in_channels, out_channels, kernel, height, width, stride, groups, bias):
    weights = out_channels * in_channels * kernel**2 // groups
    return [weights + (out_channels if bias else 0), weights * len(range(0, height, stride)) * len(range(0, width, stride))]


@right("10.separable_conv")
def separable_channel_by_channel(x, depthwise, pointwise, stride):
    side = depthwise.shape[-1] // 2
    maps = [F.conv2d(x[:, c : c + 1].double(), depthwise[c : c + 1].double(), stride=stride, padding=side) for c in range(x.shape[1])]
    return torch.tensordot(torch.cat(maps, 1), pointwise.flatten(1).double(), dims=([1], [1])).movedim(-1, 1)


@right("10.separable_conv")
def separable_in_one(x, depthwise, pointwise, stride):
    return F.conv2d(x, pointwise * depthwise[:, 0], stride=stride, padding=depthwise.shape[-1] // 2)  # (O, C, k, k): multiplied out


@right("10.inverted_residual")
def inverted_with_clamps(x, expand, depthwise, project, stride):
    wide = torch.einsum("nchw,ec->nehw", x.double(), expand.flatten(1).double()).clamp(0, 6)
    wide = F.conv2d(wide, depthwise.double(), None, stride, depthwise.shape[2] // 2, 1, len(wide[0])).clamp(0, 6)
    narrow = F.conv2d(wide, project.double())
    if stride == 1 and len(project) == x.shape[1]:
        narrow += x
    return narrow


@right("10.channel_shuffle")
def shuffle_by_places(x, groups):
    places = [group * (x.shape[1] // groups) + i for i in range(x.shape[1] // groups) for group in range(groups)]
    return x[:, places]


@right("10.channel_shuffle")
def shuffle_by_stack(x, groups):
    return torch.stack(x.chunk(groups, dim=1), dim=2).flatten(1, 2)


@right("10.typical_seconds")
def seconds_by_hand(run, warmup, repeats, clock):
    [run() for _ in range(warmup)]
    times = []
    while len(times) < repeats:
        times.append(-clock())
        run()
        times[-1] += clock()
    times.sort()
    return (times[(repeats - 1) // 2] + times[repeats // 2]) / 2


@right("10.typical_seconds")
def seconds_by_numpy(run, warmup, repeats, clock):
    marks = []
    for _ in range(warmup):
        run()
    for _ in range(repeats):
        before = clock()
        run()
        marks.append((before, clock()))
    return np.median(np.diff(marks, axis=1))


@right("10.choose_batch")
def batch_by_loop(sizes, seconds, limit):
    fitting = sorted((size, size / taken) for size, taken in zip(sizes, seconds, strict=True) if not taken > limit)
    for size, rate in fitting:
        if all(rate / other >= 0.9 for _, other in fitting):
            return size
    return None


@right("10.choose_batch")
def batch_by_numpy(sizes, seconds, limit):
    sizes, seconds = np.array(sizes), np.array(seconds)
    rates = np.where(seconds <= limit, sizes / seconds, 0)
    good = (rates >= 0.9 * rates.max()) & (rates > 0)
    return sizes[good].min() if good.any() else None


# --- 11_augmentation


@right("11.hflip")
def flip_by_columns(image, boxes):
    mirrored = boxes.double()
    mirrored[:, [0, 2]] = image.shape[-1] - boxes[:, [2, 0]].double()
    return torch.from_numpy(image.numpy()[:, :, ::-1].copy()), mirrored


@right("11.hflip")
def flip_by_places(image, boxes):
    width = image.shape[2]
    rows = [[width - x2, y1, width - x1, y2] for x1, y1, x2, y2 in boxes.tolist()]
    return [image[..., torch.arange(width - 1, -1, -1)], torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)]


@right("11.crop_with_boxes")
def crop_box_by_box(image, boxes, labels, window, min_visible):
    left, top, right_, bottom = window
    kept, names = [], []
    for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels.tolist(), strict=True):
        a, b, c, d = max(x1, left), max(y1, top), min(x2, right_), min(y2, bottom)
        seen = max(0, c - a) * max(0, d - b)
        if seen > 0 and seen >= min_visible * (x2 - x1) * (y2 - y1):
            kept.append([a - left, b - top, c - left, d - top])
            names.append(label)
    return image[:, top:bottom, left:right_].clone(), torch.tensor(kept).reshape(-1, 4).float(), torch.tensor(names, dtype=torch.int64)


@right("11.cutout")
def cutout_by_mask(image, centre, side, fill):
    inside = []
    for place, size in zip(centre, image.shape[1:], strict=True):
        far = torch.arange(size) - (place - side // 2)
        inside.append((far >= 0) & (far < side))
    return torch.where(inside[0][:, None] & inside[1], torch.tensor(fill, dtype=torch.uint8), image)


@right("11.cutout")
def cutout_pixel_by_pixel(image, centre, side, fill):
    result = image.numpy().copy()
    for y, x in itertools.product(*(range(place - side // 2, place - side // 2 + side) for place in centre)):
        if 0 <= y < image.shape[1] and 0 <= x < image.shape[2]:
            result[:, y, x] = fill
    return torch.from_numpy(result)


@right("11.mixup")
def mixup_in_float64(image1, label1, image2, label2, share, num_classes):
    eye = torch.eye(num_classes, dtype=torch.float64)
    second, first = image2.double(), image1.double()
    return second + share * (first - second), eye[label2] + share * (eye[label1] - eye[label2])


@right("11.mixup")
def mixup_by_lists(image1, label1, image2, label2, share, num_classes):
    target = [share * (k == label1) + (1 - share) * (k == label2) for k in range(num_classes)]
    return torch.lerp(image2.float(), image1.float(), share), torch.tensor(target, dtype=torch.float32)


@right("11.mosaic")
def mosaic_on_a_large_canvas(images, boxes, centre, size_hw):
    (cx, cy), (height, width) = centre, size_hw
    canvas, found = torch.full((3, height, width), 114, dtype=torch.uint8), []
    for number, (image, own) in enumerate(zip(images, boxes, strict=True)):
        below, beside = divmod(number, 2)
        quarter = canvas[:, slice(cy, None) if below else slice(0, cy), slice(cx, None) if beside else slice(0, cx)]
        h, w = (min(a, b) for a, b in zip(image.shape[1:], quarter.shape[1:], strict=True))
        rows, columns = (slice(0, h) if below else slice(-h, None)), (slice(0, w) if beside else slice(-w, None))
        quarter[:, rows, columns] = image[:, rows, columns]
        x, y = (cx if beside else cx - image.shape[2]), (cy if below else cy - image.shape[1])
        moved = own + torch.tensor([x, y, x, y])
        moved[:, 0::2] = moved[:, 0::2].clamp(cx if beside else 0, width if beside else cx)
        moved[:, 1::2] = moved[:, 1::2].clamp(cy if below else 0, height if below else cy)
        found += [box for box in moved if box[2] > box[0] and box[3] > box[1]]
    return canvas, torch.stack(found) if found else torch.zeros(0, 4)


@right("11.crop_and_flip")
def crop_and_flip_by_hand(image, boxes, labels, window, min_visible):
    image, boxes, labels = crop_box_by_box(image, boxes, labels, window, min_visible)
    image, boxes = flip_by_columns(image, boxes)
    return image, boxes, labels


# --- 12_transfer


@right("12.freeze")
def freeze_by_a_hook(module):
    for parameter in module.parameters():
        parameter.requires_grad = False
    module.register_forward_pre_hook(lambda part, inputs: part.eval() and None)
    return module.eval()


@right("12.freeze")
def freeze_each_part(module):
    for part in module.modules():
        part.requires_grad_(requires_grad=False)
        part.training = False
        part.train = lambda mode=True, part=part: part
    return module


@right("12.replace_head")
def head_set_by_name(model, num_classes):
    new = nn.Linear(model.head.weight.shape[1], num_classes, bias=True)
    nn.init.normal_(new.weight, std=0.02)
    nn.init.zeros_(new.bias)
    setattr(model, "head", new)  # noqa: B010
    return model


@right("12.parameter_groups")
def groups_by_name(model, lr, backbone_factor):
    parts = {True: [], False: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parts[name.startswith("head.")].append(parameter)
    rates = {True: lr, False: backbone_factor * lr}
    return [{"lr": rates[new], "params": found} for new, found in parts.items() if found]


@right("12.parameter_groups")
def groups_one_for_each(model, lr, backbone_factor):
    head = set(model.head.parameters())
    return [{"params": [p], "lr": lr * (1 if p in head else backbone_factor)} for p in model.parameters() if p.requires_grad]


@right("12.linear_probe")
def probe_by_longer_least_squares(train_features, train_labels, test_features, num_classes, ridge=1.0):
    x, y = train_features.double(), F.one_hot(train_labels, num_classes).double()
    mean, share = x.mean(0, keepdim=True), y.mean(0, keepdim=True)
    rows = torch.cat([x - mean, math.sqrt(ridge) * torch.eye(x.shape[1], dtype=torch.float64)])
    wanted = torch.cat([y - share, torch.zeros(x.shape[1], num_classes, dtype=torch.float64)])
    return ((test_features - mean) @ torch.linalg.lstsq(rows, wanted).solution + share).to(torch.float32)


@right("12.linear_probe")
def probe_by_the_inverse(train_features, train_labels, test_features, num_classes, ridge=1.0):
    x, y = train_features.numpy().astype(float), np.eye(num_classes)[train_labels.numpy()]
    centred = x - x.mean(0)
    inverse = np.linalg.inv(centred.T @ centred + ridge * np.identity(x.shape[1]))
    return torch.tensor((test_features.numpy() - x.mean(0)) @ (inverse @ centred.T @ y) + y.mean(0), dtype=torch.float32)


@right("12.triplet_loss")
def triplet_by_pairwise_distance(anchor, positive, negative, margin):
    return F.relu(F.pairwise_distance(anchor, positive) - F.pairwise_distance(anchor, negative) + margin).mean()


@right("12.triplet_loss")
def triplet_row_by_row(anchor, positive, negative, margin):
    rows = zip(anchor.tolist(), positive.tolist(), negative.tolist(), strict=True)
    return torch.tensor(statistics.fmean(max(0.0, math.dist(a, p) - math.dist(a, n) + margin) for a, p, n in rows))


@right("12.fine_tune_step")
def step_with_features_first(model, optimizer, inputs, labels):
    model.backbone.train(False)
    model.head.train()
    with torch.no_grad():
        features = model.backbone(inputs)
    optimizer.zero_grad()
    loss = nn.CrossEntropyLoss()(model.head(features), labels)
    loss.backward()
    optimizer.step()
    return loss


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=lambda value: getattr(value, "__name__", value))
def test_it_passes(name, answer):
    verdict = judge(find(name), answer)
    assert verdict.passed, verdict
