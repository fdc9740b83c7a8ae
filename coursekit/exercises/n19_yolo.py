"""Exercises of notebook 19_yolo: a block of the backbone, and from distances to boxes. More in the other n19_yolo_*.py files."""

import torch
from torch import Tensor, nn

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.yolo.decode import cell_centres, sides_to_boxes
from coursekit.yolo.layers import CSP, Bottleneck, Conv

# --- the cross-stage partial block


def csp_cases(generator):
    """(label, arguments) for csp: in and out differ, no block and several, so that every 1x1 convolution has a width of its own."""
    for label, in_channels, out_channels, depth in (
        ("no bottleneck at all", 4, 6, 0),
        ("one bottleneck, wider than it came", 4, 6, 1),
        ("two bottlenecks, as wide as it came", 8, 8, 2),
        ("narrower than it came", 8, 4, 1),
        ("an odd number of channels: half is rounded down", 4, 5, 1),
    ):
        yield label, (in_channels, out_channels, depth, torch.rand(2, in_channels, 4, 6, generator=generator) - 0.5)


def fill_by_shape(module: nn.Module) -> nn.Module:
    """Weights that depend only on their shape, so that two modules of the same structure agree however their parts are named."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            wave = torch.arange(parameter.numel(), dtype=torch.float32).mul(0.7).sin().reshape(parameter.shape)
            parameter.data = wave * (2.0 / parameter[0].numel() ** 0.5)
    return module.eval()


def drive_csp(answer, in_channels, out_channels, depth, x):
    """What the block makes of x, and how many weights it has: both must be right."""
    block = fill_by_shape(answer(in_channels, out_channels, depth))
    with torch.no_grad():
        return block(x), sum(parameter.numel() for parameter in block.parameters())


class CSPWithoutCarry(nn.Module):
    def __init__(self, in_channels, out_channels, depth=1):
        super().__init__()
        self.work = Conv(in_channels, out_channels, kernel=1)
        self.blocks = nn.Sequential(*(Bottleneck(out_channels) for _ in range(depth)))
        self.mix = Conv(out_channels, out_channels, kernel=1)

    def forward(self, x):
        return self.mix(self.blocks(self.work(x)))


class _CSPVariant(nn.Module):
    """The right parts; each subclass puts them together wrongly."""

    def __init__(self, in_channels, out_channels, depth=1):
        super().__init__()
        half = out_channels // 2
        self.work, self.carry = Conv(in_channels, half, kernel=1), Conv(in_channels, half, kernel=1)
        self.blocks = nn.Sequential(*(Bottleneck(half) for _ in range(depth)))
        self.mix = Conv(2 * half, out_channels, kernel=1)


class CSPAdded(_CSPVariant):
    def __init__(self, in_channels, out_channels, depth=1):
        super().__init__(in_channels, out_channels, depth)
        self.mix = Conv(out_channels // 2, out_channels, kernel=1)

    def forward(self, x):
        return self.mix(self.blocks(self.work(x)) + self.carry(x))


class CSPBothWork(_CSPVariant):
    def forward(self, x):
        return self.mix(torch.cat([self.blocks(self.work(x)), self.blocks(self.carry(x))], dim=1))


class CSPOneBlock(_CSPVariant):
    def __init__(self, in_channels, out_channels, depth=1):
        super().__init__(in_channels, out_channels, 1)

    def forward(self, x):
        return self.mix(torch.cat([self.blocks(self.work(x)), self.carry(x)], dim=1))


class CSPCarryFirst(_CSPVariant):
    def forward(self, x):
        return self.mix(torch.cat([self.carry(x), self.blocks(self.work(x))], dim=1))


csp_exercise = Exercise(
    name="19.csp",
    reference=CSP,
    cases=csp_cases,
    drive=drive_csp,
    compare=Close(rtol=1e-4, atol=1e-5),
    allowed=(Conv, Bottleneck),
    misconceptions=[
        Misconception(
            "nothing-carried-past",
            CSPWithoutCarry,
            "All channels go through the bottlenecks. The point of the block is that "
            "half of them do not: what is the second 1x1 convolution for?",
        ),
        Misconception(
            "added-not-concatenated",
            CSPAdded,
            "You added the two halves. That is a residual connection; here they stay apart "
            "until the last 1x1 convolution mixes them. How many channels does it see?",
        ),
        Misconception(
            "both-halves-work",
            CSPBothWork,
            "Both halves went through the bottlenecks. One of them is carried "
            "past untouched; that is where the saved arithmetic comes from.",
        ),
        Misconception(
            "depth-ignored", CSPOneBlock, "There is always one bottleneck. How many does `depth` ask for, also when it is 0 or 2?"
        ),
        Misconception(
            "carried-half-first",
            CSPCarryFirst,
            "Right parts, other order: the worked half comes first, the carried half "
            "second. Weights trained in one order mean nothing in the other.",
        ),
    ],
    hints=[
        "Three 1x1 convolutions: one makes the half that works, one the half that is carried, one mixes both at the end.",
        "`nn.Sequential(*(Bottleneck(half) for _ in range(depth)))` is also right for depth 0: it hands its input on.",
    ],
    points=3,
)

# --- from distances to boxes


def decode_sides(sides: Tensor, size_hw: tuple[int, int], strides: tuple[int, ...]) -> Tensor:
    """(A, 4) distances left, top, right, bottom in strides -> (A, 4) ``xyxy`` in pixels, cells of fine maps first, row by row."""
    return sides_to_boxes(sides, *cell_centres(size_hw, strides))


def decode_cases(generator):
    """(label, arguments) for decode: a map that is wider than high, several strides, four different distances."""
    yield "one cell, all distances 0: its centre", (torch.zeros(1, 4), (8, 8), (8,))
    yield "one cell, four different distances", (torch.tensor([[1.0, 2, 3, 4]]), (8, 8), (8,))
    yield "two rows, three columns", (torch.full((6, 4), 0.5), (16, 24), (8,))
    yield "two maps of different stride", (torch.ones(10, 4), (32, 16), (8, 16))
    sides = torch.rand(3 * 5 * 16 + 3 * 5 * 4 + 15, 4, generator=generator) * 3
    yield "random, strides 8, 16 and 32", (sides, (96, 160), (8, 16, 32))


def _decode(sides, size_hw, strides, offset=0.5, swap=False, scale=True, centre_scale=True, signs=(-1, -1, 1, 1), reverse=False):
    """The right decoding with one thing at a time to get wrong."""
    boxes, first = [], 0
    for stride in reversed(strides) if reverse else strides:
        rows, columns = size_hw[0] // stride, size_hw[1] // stride
        cells = torch.arange(rows * columns)
        x, y = (cells // rows, cells % rows) if swap else (cells % columns, cells // columns)
        centre = (torch.stack([x, y, x, y], dim=1) + offset) * (stride if centre_scale else 1)
        mine = sides[first : first + rows * columns]
        boxes.append(centre + mine * (stride if scale else 1) * torch.tensor(signs))
        first += rows * columns
    return torch.cat(boxes)


def decode_forgets_the_stride(sides, size_hw, strides):
    return _decode(sides, size_hw, strides, scale=False)


def decode_from_the_cells_corner(sides, size_hw, strides):
    return _decode(sides, size_hw, strides, offset=0.0)


def decode_column_by_column(sides, size_hw, strides):
    return _decode(sides, size_hw, strides, swap=True)


def decode_everything_added(sides, size_hw, strides):
    return _decode(sides, size_hw, strides, signs=(1, 1, 1, 1))


def decode_coarse_maps_first(sides, size_hw, strides):
    return _decode(sides, size_hw, strides, reverse=True)


def decode_centres_in_cells(sides, size_hw, strides):
    return _decode(sides, size_hw, strides, centre_scale=False)


decode_exercise = Exercise(
    name="19.decode",
    reference=decode_sides,
    cases=decode_cases,
    compare=Close(rtol=1e-5, atol=1e-4),
    twins=(
        cell_centres,
        sides_to_boxes,
        "coursekit.yolo.decode.decode",
        "torchvision.models.detection._utils.BoxLinearCoder",
    ),
    misconceptions=[
        Misconception(
            "stride-forgotten",
            decode_forgets_the_stride,
            "The centres are right, the boxes are too small on every map, most of "
            "all on the coarse one. In which unit do the distances come?",
        ),
        Misconception(
            "corner-not-centre",
            decode_from_the_cells_corner,
            "Every box is shifted by half a cell to the upper left. Where is the centre of the first cell of stride 8: at 0 or at 4?",
        ),
        Misconception(
            "column-by-column",
            decode_column_by_column,
            "The cells come row by row: the second cell lies to the right of the "
            "first. On a square map the mistake hides; this one is not square.",
        ),
        Misconception(
            "everything-added",
            decode_everything_added,
            "Left and top point the other way: they are subtracted from the centre, right and bottom are added.",
        ),
        Misconception(
            "coarse-maps-first",
            decode_coarse_maps_first,
            "The first rows of `sides` belong to the finest map, that is, to the smallest stride.",
        ),
        Misconception(
            "centres-in-cells",
            decode_centres_in_cells,
            "The distances are in pixels, the centres are still in cells. Everything must be in pixels before you add.",
        ),
    ],
    hints=[
        "For one map first: rows = height // stride, columns = width // stride, and the centre of column i is (i + 0.5) * stride.",
        '`torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")` gives y and x of every cell; flatten both, row by row.',
        "Then x1 = cx - left * stride, y1 = cy - top * stride, x2 = cx + right * stride, y2 = cy + bottom * stride.",
    ],
    points=3,
)
