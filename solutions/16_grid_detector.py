# %% [markdown]
# # 16 · The grid detector: what and where in one pass
#
# Notebook 14 asked one question at very many places: *is a sign in this window?* It never asked where the sign ends. The size of the box was the
# size of the window, and a pyramid had to guess it. Here every cell of a coarse grid answers **two** questions at once: *is something here?*, and *where does
# it end?* Two maps, two losses, added. That is the third way to detect, after windows and proposals, and the step from which all later detectors
# were made. You write it whole. The room of this notebook, `coursekit/grid/`, has fewer than 150 lines of code (a test counts them).
#
# | you will learn | you will build |
# |---|---|
# | which cell answers for an object: YOLOv1's rule and DetectNet's | `cell_of`, `encode_targets` |
# | what happens when two objects want one cell | `collisions` |
# | how two maps become a list of boxes | `decode` |
# | two losses, apart and together, and the weight between them | `coverage_loss`, `box_loss` |
# | to train a detector, and to measure what one grid cannot do: small and crowded objects | |
# | what a finer grid gains, and what it costs | |
# | how an error of half a cell hides | `all_boxes`, repaired |
#
# **Time** about a minute of computing on two CPU cores; about three hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you know boxes, IoU, NMS and AP (13), heat maps (14), binary cross-entropy (02) and residual blocks (09).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("16_grid_detector")

# %%
import json

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F
from torch.utils.data import ConcatDataset

from coursekit.boxes import box_iou, fast_batched_nms
from coursekit.data.loader import CachedDataset
from coursekit.detections import Detections
from coursekit.grid import GridDetector
from coursekit.plots.detectors import show_detectors
from coursekit.plots.grid import show_cells, show_losses, show_maps, show_recall, show_targets
from coursekit.plots.grid_move import move_object
from coursekit.plots.images import show_boxes
from coursekit.plots.yolo import show_curves
from coursekit.resources import resource
from coursekit.training.detector import NAMES, SIZE, fit_detector, measure_detector, small_world
from coursekit.training.device import choose_device

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>14: A classifier of 32 x 32 pixels slides over an image with stride 16. How large is the smallest sign that fills its window, and the largest?</summary>
#
# Both are 32 pixels: a window has one size. Other sizes need other windows, or the image made larger and smaller (a pyramid, 피라미드).
# </details>
#
# <details><summary>02: Which loss belongs to one yes-or-no answer, given as a logit?</summary>
#
# Binary cross-entropy with logits (이진 교차 엔트로피): the sigmoid and the logarithm are done together, so that nothing overflows.
# </details>
#
# <details><summary>07: Four convolutions of stride 2 meet an image of 128 x 128. How large is the map, and how many pixels of the image lie under one of its cells?</summary>
#
# 128 / 2⁴ = 8, so 8 x 8 cells, of 16 x 16 pixels each. 16 is the **stride** (스트라이드) of the map.
# </details>
#
# ## 1. From "is something here?" to "where does it end?"
#
# The signs of this notebook are four classes in scenes of 128 pixels. All detectors of part 2 learn from these scenes, so that their numbers may stand in one table.

# %%
validation = small_world("validation", at(smoke=6, quick=100, full=150))
image, target = validation[at(smoke=0, full=9)]
boxes, labels = target["boxes"], target["labels"]
print("image ", tuple(image.shape), image.dtype)
print("boxes ", boxes.tolist())
print("labels", labels.tolist(), "->", [NAMES[k] for k in labels])

# %% [markdown]
# A fully convolutional network of stride 16 makes of this image a map of 8 x 8. In 14, each place of such a map held *scores*. The network does not mind what its
# outputs mean: the loss decides that. So we ask for more numbers at each place:
#
# | map | shape | question |
# |---|---|---|
# | **coverage** (커버리지) | (4 classes, 8, 8) | is a sign of this class here? |
# | **corners** (모서리) | (4, 8, 8) | if so: where are its left, upper, right and lower sides, seen from here? |
#
# Eight numbers a cell, 64 cells, one pass. No windows, no pyramid. NVIDIA's DetectNet (2016) did it so, and, with a coarser grid, YOLOv1 (2015).
#
# ## 2. A cell and its numbers
#
# A **cell** (셀) is a square of stride x stride pixels. Rows count downwards, columns to the right, both from 0. By hand, for stride 16 and the box (24, 8, 64, 56):
#
# | | x | y |
# |---|---|---|
# | centre of the box | (24 + 64) / 2 = 44 | (8 + 56) / 2 = 32 |
# | in cells | 44 / 16 = 2.75 | 32 / 16 = 2.0 |
# | rounded down | **column 2** | **row 2** |
#
# A centre on a line belongs to the cell that begins there: row 2, not row 1. The map is indexed `[row, column]`, and that is `[y, x]`: the first trap of this notebook.
#
# ### Exercise: cell_of
# *difficulty 1 of 5 · importance 4 of 5 · about 8 minutes*
#
# | boxes | stride | answer |
# |---|---|---|
# | (24, 8, 64, 56) | 16 | (2, 2) |
# | (40, 2, 60, 22): centre (50, 12) | 16 | (0, 3) |
# | the same | 8 | (1, 6) |


# %% exercise="16.cell_of"
def cell_of(boxes, stride):
    """(N, 4) xyxy pixels -> (N, 2) int64: row and column of the cell that holds the centre of each box."""
    ### BEGIN SOLUTION
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2  # (N, 2): x, y
    return (centre / stride).floor().long().flip(1)
    ### END SOLUTION


cell_of = check("16.cell_of", cell_of)  # yours once it passes, ours until then

# %%
print(cell_of(boxes, 16).tolist())
show_cells(image, boxes, stride=16)

# %% [markdown]
# ## 3. The target: the truth, written onto the grid
#
# A network learns from *targets* (목표값) of the shape of its output. So the list of boxes must be written onto the grid. Which cells shall say "yes"? There are two
# classic rules, and they differ in one number:
#
# - **YOLOv1**: the one cell that holds the object's centre.
# - **DetectNet**: all cells in the middle of the object, its *coverage region*. The box is shrunk about its centre, here to half, and a cell is covered if its own centre lies inside.
#
# With a region, several cells learn from one object, and all of them must say the same box. With a single cell there is no doubt who speaks, and few who learn.
# The outer part of the box is left out, since a cell there sees mostly background.

# %%
predict(
    "16.q1",
    "Stride 16, a sign from (24, 8) to (84, 56), shrunk to half about its centre. How many cells have their centre inside?",
    ["1", "4", "9", "12"],
)

# %% [markdown]
# By hand. The centre is (54, 32), half of the width is 30, half of the height 24. Shrunk by 0.5, the region goes from 54 - 15 = 39 to 69 in x, from 32 - 12 = 20 to 44 in y. Cells have their
# centres at 8, 24, 40, 56, 72, … How many lie inside, on each axis? In code, in two steps:


# %%
def cell_centres(rows, columns, stride):
    """(rows, columns, 2): x and y in pixels of the middle of each cell."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return (torch.stack([x, y], dim=2) + 0.5) * stride


centres = cell_centres(8, 8, 16)
print(tuple(centres.shape), "- row 2, column 3 has its centre at", centres[2, 3].tolist())


# %%
def covered_cells(box, size_hw, stride, shrink):
    """(4,) -> (rows, columns) bool: cells whose centre lies in the shrunken box, and always the cell of the box's own centre."""
    centres = cell_centres(size_hw[0] // stride, size_hw[1] // stride, stride)
    middle, half = (box[:2] + box[2:]) / 2, shrink * (box[2:] - box[:2]) / 2
    inside = ((centres - middle).abs() < half).all(dim=2)
    own = ((centres / stride).floor() == (middle / stride).floor()).all(dim=2)
    return inside | own


covered = covered_cells(torch.tensor([24.0, 8, 84, 56]), (SIZE, SIZE), 16, 0.5)
print(covered.int()[:5, :6])

# %%
reveal("16.q1", answer=1, because=f"40 and 56 in x, 24 and 40 in y: 2 x 2 = {int(covered.sum())}. The whole box touches 5 x 4 = 20.")
assert covered.sum() == 4

# %% [markdown]
# Why "and always its own cell"? A sign of 6 pixels may hold no cell's centre at all. Without that clause it would be told to nobody, and never learned.
# With `shrink=0` the clause is all that is left, and that is YOLOv1's rule.
#
# ### What a covered cell is told
#
# Each covered cell gets a 1 in the coverage map of the object's class, and four numbers: both corners of the box, **seen from the cell's centre, in strides**. For the cell in row 2, column 3,
# with its centre at (56, 40), and the box (24, 8, 84, 56):
#
# | | x1 | y1 | x2 | y2 |
# |---|---|---|---|---|
# | box | 24 | 8 | 84 | 56 |
# | minus the centre | -32 | -32 | 28 | 16 |
# | in strides | **-2** | **-2** | **1.75** | **1** |
#
# Seen from the cell, because a convolution does the same sums everywhere and does not know where it is. In strides, so that the numbers stay small, on any grid. (YOLOv1
# wrote centre and size instead, the size as a square root, so that 5 pixels matter more on a small box.)
#
# ### And a cell that two objects want
#
# It has room for one box. We give it to the **smaller** object: the larger one often has other cells left. So write the largest first, and let smaller ones overwrite it.
#
# ### Exercise: encode_targets
# *difficulty 4 of 5 · importance 5 of 5 · about 30 minutes*
#
# | given | coverage | corners |
# |---|---|---|
# | no boxes | all 0 | all 0 |
# | one object | 1 in the covered cells, in the map of its class | its corners there, 0 elsewhere |
# | a cell that two want | 1 for the class of the smaller **only** | those of the smaller; of two of one size, the last in the list |
#
# `cell_centres` and `covered_cells` are there. `centres[covered]` picks the centres of M covered cells, (M, 2).


# %% exercise="16.encode_targets"
def encode_targets(boxes, labels, num_classes, size_hw, stride, shrink):
    """(N, 4), (N,) -> coverage (num_classes, rows, columns) of 0 and 1, corners (4, rows, columns) in strides."""
    rows, columns = size_hw[0] // stride, size_hw[1] // stride
    centres = cell_centres(rows, columns, stride)  # (rows, columns, 2)
    ### BEGIN SOLUTION
    coverage, corners = torch.zeros(num_classes, rows, columns), torch.zeros(4, rows, columns)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    for i in area.argsort(descending=True, stable=True):  # the smallest last: it overwrites the larger ones
        covered = covered_cells(boxes[i], size_hw, stride, shrink)
        coverage[:, covered] = 0
        coverage[labels[i], covered] = 1
        corners[:, covered] = ((boxes[i] - centres[covered].repeat(1, 2)) / stride).T
    return coverage, corners
    ### END SOLUTION


encode_targets = check("16.encode_targets", encode_targets)

# %%
panels = {}
for name, stride, shrink in (("YOLOv1's rule", 16, 0.0), ("DetectNet's", 16, 0.5), ("DetectNet's, finer grid", 8, 0.5)):
    coverage, corners = encode_targets(boxes, labels, len(NAMES), (SIZE, SIZE), stride, shrink)
    print(f"{name:24} coverage {tuple(coverage.shape)}, {int(coverage.sum())} covered cells of {coverage[0].numel()}")
    panels[name] = (coverage, corners, stride)
show_targets(image, boxes, panels, "The same truth on three grids")

# %% [markdown]
# Move an object over the grid and see the target change. Let A be larger than B and cross it; then make it smaller than B, and put it into the cell that B needs.

# %%
move_object(stride=16)

# %% [markdown]
# ✂ *50 minutes*
#
# ## 4. Two objects, one cell
#
# Where two centres lie in one cell, one of the two objects is **not in the target**. No training can bring it back. Is that a rare accident of drawing? How often is it so?
#
# ### Exercise: collisions
# *difficulty 2 of 5 · importance 3 of 5 · about 12 minutes*
#
# For each object of one image: does the centre of another one lie in its cell (충돌)? Boxes may overlap without colliding, and collide without touching.
#
# | boxes, stride 16 | answer |
# |---|---|
# | (0, 0, 8, 8) and (6, 6, 14, 14): centres (4, 4) and (10, 10) | True, True |
# | (0, 0, 8, 8) and (0, 0, 128, 128): centres (4, 4) and (64, 64) | False, False |
# | one alone | False |


# %% exercise="16.collisions"
def collisions(boxes, stride):
    """(N, 4) boxes of one image -> (N,) bool: whether the centre of another one lies in the same cell."""
    ### BEGIN SOLUTION
    cells = cell_of(boxes, stride)  # (N, 2)
    same = (cells[:, None] == cells[None]).all(dim=2)  # (N, N); each is in one cell with itself
    return same.sum(dim=1) > 1
    ### END SOLUTION


collisions = check("16.collisions", collisions)

# %% [markdown]
# The generated world has knobs. The *crowd* below has up to twelve small signs in a scene, of 7 to 28 pixels. Where they stand is planned without drawing them, so many scenes cost nothing.

# %%
KNOBS = {"most": 12, "smallest": 14, "octaves": (1, 1)}
crowd = small_world("validation", at(smoke=4, quick=120, full=200), **KNOBS)
fullest = max(range(min(30, len(crowd))), key=lambda i: len(crowd.plan(i).labels))
picture, truth = crowd[fullest]
show_boxes(picture, truth["boxes"], truth["labels"], classes=NAMES, title="A crowd")

# %%
predict(
    "16.q2",
    "In the crowd, what share of the signs has another sign's centre in its own cell of 16 pixels?",
    ["less than 2 %", "2 to 10 %", "10 to 30 %", "more than 30 %"],
)


# %%
def planned(scenes):
    """Boxes and labels of every scene, without drawing any."""
    plans = [scenes.plan(i) for i in range(len(scenes))]
    return [(torch.from_numpy(plan.boxes).float(), torch.from_numpy(plan.labels)) for plan in plans]


worlds = {
    "the scenes of this course": planned(small_world("validation", at(smoke=10, quick=300, full=300))),
    "the crowd": planned(small_world("validation", at(smoke=10, quick=300, full=300), **KNOBS)),
}
shares = {}
for name, scenes in worlds.items():
    for stride in (32, 16, 8):
        hit = torch.cat([collisions(boxes, stride) for boxes, _ in scenes])
        shares[name, stride] = hit.float().mean().item()
        print(f"{name:26} cells of {stride:2} pixels: {int(hit.sum()):4} of {len(hit)} signs share theirs, {shares[name, stride]:.1%}")

# %%
share = shares["the crowd", 16]
reveal("16.q2", answer=0 if share < 0.02 else 1 if share < 0.1 else 2 if share < 0.3 else 3, because=f"{share:.1%} of them.")
band("share of signs that collide in the crowd, stride 16", share, at_least=0.02)
band("the same on a grid of 8 pixels, over that of 16", shares["the crowd", 8] / share, at_most=0.5)

# %% [markdown]
# Half the stride is a quarter of the room for two centres to meet in: from 32 to 16 pixels the share falls to a quarter. At 8 pixels none is left, for signs that wide do not cover each other so far.
# In the ordinary scenes signs are larger than a cell of 16, and their centres never come so near.
#
# YOLOv1 had a grid of 7 x 7 on 448 pixels: cells of 64. Its authors wrote in the paper that it struggles with small objects that appear in groups, such as flocks of birds. Now you know why.
#
# ## 5. From maps to boxes
#
# The way back. Every cell and class whose coverage reaches a threshold (임계값) gives a box: the cell's centre plus the four numbers times the stride.
#
# | by hand: stride 16, row 1, column 2, corners (-1, -0.5, 0.5, 1) | |
# |---|---|
# | centre | x = (2 + 0.5) · 16 = 40, y = (1 + 0.5) · 16 = 24 |
# | x1, y1 | 40 - 1 · 16 = **24**, 24 - 0.5 · 16 = **16** |
# | x2, y2 | 40 + 0.5 · 16 = **48**, 24 + 1 · 16 = **40** |
#
# ### Exercise: decode
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# Coverage comes as probabilities (after the sigmoid). A cell may speak for more than one class. The order of the boxes does not matter.


# %% exercise="16.decode"
def decode(coverage, corners, stride, threshold):
    """(K, rows, columns), (4, rows, columns) -> boxes (M, 4) xyxy pixels, scores (M,), labels (M,) of all at or above the threshold."""
    ### BEGIN SOLUTION
    label, row, column = (coverage >= threshold).nonzero(as_tuple=True)
    centre = (torch.stack([column, row], dim=1) + 0.5) * stride  # (M, 2)
    boxes = centre.repeat(1, 2) + corners[:, row, column].T * stride
    return boxes, coverage[label, row, column], label
    ### END SOLUTION


decode = check("16.decode", decode)

# %% [markdown]
# ### What would a perfect network find?
#
# Here is a test that needs no network. Write the truth onto the grid, and read it back. Whatever does not come back, *no* network with this grid can ever find. It is an **upper bound**
# (상한), and every new target should be tested so before anything is trained.


# %%
def comes_back(boxes, labels, stride, shrink):
    """(N,) bool: which objects a perfect network would find."""
    coverage, corners = encode_targets(boxes, labels, len(NAMES), (SIZE, SIZE), stride, shrink)
    read, _, said = decode(coverage, corners, stride, threshold=0.5)
    return ((box_iou(boxes, read) > 0.99) & (labels[:, None] == said[None])).any(dim=1)


def upper_bound(scenes, stride, shrink=0.5):
    return torch.cat([comes_back(boxes, labels, stride, shrink) for boxes, labels in scenes]).float().mean().item()


bound = {name: [upper_bound(scenes, stride) for stride in (32, 16, 8)] for name, scenes in worlds.items()}
for name, values in bound.items():
    print(f"{name:26} a perfect network finds {values[0]:.3f}, {values[1]:.3f}, {values[2]:.3f} at cells of 32, 16, 8 pixels")
print("with YOLOv1's rule, in the crowd, cells of 16:", round(upper_bound(worlds["the crowd"], 16, shrink=0.0), 3))

# %%
lines = {name: ((32, 16, 8), values) for name, values in bound.items()}
show_curves(lines, "What a perfect network could find", "pixels a cell", "recall")

# %%
band("upper bound in the course's scenes, stride 16", bound["the scenes of this course"][1], at_least=0.99)
band("upper bound in the crowd, stride 32", bound["the crowd"][0], at_most=0.9)
band("what a grid of 8 gains on one of 16 there", bound["the crowd"][2] - bound["the crowd"][1], at_least=0.02)

# %% [markdown]
# So the targets are sound: on ordinary scenes everything comes back from cells of 16. In the crowd, a coarse grid loses signs before any training begins: one of each pair that shares a cell,
# as the shares of section 4 foretold. A larger region does not help them, for small signs have no second cell.
#
# ## 6. The network
#
# Nothing new: halve, look, halve, look, until a cell is one place of the map. The bricks are `Conv` (convolution, batch normalisation, SiLU) and `CSP`, a residual block of which half of the channels work (notebook
# 19 takes it apart). The head is one convolution of 1x1 with 4 + 4 outputs.

# %%
device = choose_device()
torch.manual_seed(0)
model = GridDetector(num_classes=len(NAMES), stride=16)
x = image[None].float() / 255
for layer in model.backbone:
    x = layer(x)
    print(f"{type(layer).__name__:5} -> {tuple(x.shape)}")
logits, corners = model(image[None])
print("coverage logits", tuple(logits.shape), " corners", tuple(corners.shape))

# %% [markdown]
# Its last bias is set by hand before training: every cell begins with the opinion "1 % that something is here" and "a box of one cell". True nearly everywhere, so the first steps are not spent on unlearning.
#
# > **Myth**: *"a cell sees only its own square of pixels, so it cannot know where a large sign ends."*
#
# Measure it. Take the answer of one cell, and ask by backpropagation (역전파) which pixels could change it.

# %%
predict(
    "16.q3",
    "How wide is the square of pixels that one cell can see?",
    ["16 pixels: its own cell", "48: its neighbours too", "more than 100"],
)

# %%
pixels = image[None].float().requires_grad_()
logits, _ = model.eval()(pixels)
logits[0, :, 4, 4].sum().backward()
seen = pixels.grad[0].abs().sum(dim=0) > 0  # (128, 128)
rows, columns = seen.any(dim=1).nonzero(), seen.any(dim=0).nonzero()
wide = int(columns.max() - columns.min()) + 1
print(f"cell (4, 4) is {model.stride} pixels wide and sees from x = {int(columns.min())} to {int(columns.max())}")
band("pixels that a cell sees across", wide, at_least=100)
reveal("16.q3", answer=2, because=f"{wide} of the {SIZE} pixels. Each 3x3 convolution at stride 16 alone adds 32.")

# %% [markdown]
# That is its **receptive field** (수용 영역, notebook 07). The grid says *who answers*, not who may look. What limits this detector is the number of answers, not the view.
#
# ✂ *50 minutes*
#
# ## 7. Two losses
#
# ### Is something here?
#
# Each cell and class is a yes or no, so binary cross-entropy. We *sum* it over all cells, and divide by the number of **covered** cells. Why not the mean over all? Of 64 cells and four
# classes, 256 answers, perhaps four should be "yes". In a mean each of them counts 1/256, and on a finer grid 1/1024: the more background, the quieter the objects. Divided by what is covered, the loss says
# "how wrong, per answer that mattered".
#
# By hand: four cells, all logits 0, one covered. Each costs log 2 = 0.693; the sum is 2.77, divided by 1.
#
# (DetectNet and YOLOv1 used squared differences. Notebook 02 showed what that does behind a sigmoid: the surest mistakes have the smallest slope.)
#
# ### Exercise: coverage_loss
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# `F.binary_cross_entropy_with_logits` is there. A batch without any object is divided by 1.


# %% exercise="16.coverage_loss"
def coverage_loss(logits, coverage):
    """(B, K, rows, columns) twice -> binary cross-entropy summed over everything, divided by the number of covered cells (at least 1)."""
    ### BEGIN SOLUTION
    total = F.binary_cross_entropy_with_logits(logits, coverage, reduction="sum")
    return total / coverage.sum().clamp(min=1)
    ### END SOLUTION


coverage_loss = check("16.coverage_loss", coverage_loss)

# %%
print(coverage_loss(torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 0], [0, 0]]]])))

# %% [markdown]
# ### Where does it end?
#
# The mean absolute difference of the four numbers, as in DetectNet. And only where somebody *is*: an empty cell has no corners. The target holds zeros there, but they mean "nothing was written", not "a box of no size".

# %%
predict(
    "16.q4",
    "4 of 64 cells are covered. You forget that, and take the mean of the masked differences over all 64 cells. How does the loss change?",
    ["not at all", "it is 4 times smaller", "it is 16 times smaller", "it is 64 times smaller"],
)

# %% [markdown]
# ### Exercise: box_loss
# *difficulty 3 of 5 · importance 4 of 5 · about 15 minutes*
#
# | covered cell | differences of its corners | their mean |
# |---|---|---|
# | (0, 1) | 1, -1, 2, 0 | 1 |
# | (1, 1) | 3, 3, 3, 3 | 3 |
# | all others | anything | not asked |
# | **loss** | | (1 + 3) / 2 = **2** |


# %% exercise="16.box_loss"
def box_loss(corners, target, covered):
    """(B, 4, rows, columns) twice, (B, rows, columns) bool -> mean absolute difference over the covered cells alone, in strides."""
    ### BEGIN SOLUTION
    difference = (corners - target).abs().mean(dim=1)  # (B, rows, columns)
    return (difference * covered).sum() / covered.sum().clamp(min=1)
    ### END SOLUTION


box_loss = check("16.box_loss", box_loss)

# %%
covered = torch.zeros(1, 8, 8, dtype=torch.bool)
covered[0, 2:4, 2:4] = True
right = box_loss(torch.ones(1, 4, 8, 8), torch.zeros(1, 4, 8, 8), covered).item()
over_all = (torch.ones(1, 8, 8) * covered).mean().item()
reveal(
    "16.q4", answer=2, because=f"{right:.3f} and {over_all:.4f}: 64 / 4 = 16. Nothing breaks; the boxes just learn 16 times more quietly."
)
assert right == 16 * over_all

# %% [markdown]
# ### Together
#
# One number must be minimised, so the two are added, with a **weight** (가중치) between them:
#
# loss = coverage_loss + weight · box_loss


# %%
def parts_of(model, images, targets, weight=2.0, shrink=0.5):
    """The two losses of a batch and their sum, as `fit_detector` wants them."""
    logits, corners = model(images)
    size_hw = tuple(images.shape[2:])
    each = [encode_targets(t["boxes"].cpu(), t["labels"].cpu(), len(NAMES), size_hw, model.stride, shrink) for t in targets]
    coverage, where = (torch.stack(maps).to(images.device) for maps in zip(*each))
    parts = {"coverage": coverage_loss(logits, coverage), "box": box_loss(corners, where, coverage.amax(dim=1) > 0)}
    return {"loss": parts["coverage"] + weight * parts["box"], **parts}


# %% [markdown]
# ## 8. Training
#
# ### First, overfit one batch
#
# Eight scenes, again and again. A detector that cannot learn eight pictures by heart has a bug, and it takes seconds to see. We do it three times, with three weights.

# %%
scenes = (
    small_world("train", at(smoke=8, quick=120, full=200)),
    small_world("train", at(smoke=8, quick=80, full=120), **KNOBS | {"seed": 16}),
)
training = ConcatDataset(scenes)  # ordinary ones and crowds, so that nobody can say that it never saw small signs
cached = CachedDataset(training, (SIZE, SIZE))
batch = [cached[i] for i in range(8)]
images, targets = torch.stack([sample[0] for sample in batch]), [sample[1] for sample in batch]


def overfit(weight, steps):
    torch.manual_seed(0)
    model = GridDetector(len(NAMES), stride=16).to(device)
    optimiser, history = torch.optim.AdamW(model.parameters(), lr=2e-3), []
    for _ in range(steps):
        parts = parts_of(model, images.to(device), targets, weight)
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        history.append({name: value.item() for name, value in parts.items()})
    return history


WEIGHTS = (0.02, 2.0, 200.0)
learnt = {weight: overfit(weight, steps=at(smoke=2, quick=40, full=80)) for weight in WEIGHTS}
show_losses(learnt[2.0], weight=2.0, title="Eight scenes by heart", xlabel="step")

# %%
first, last = learnt[2.0][0], learnt[2.0][-1]
band("coverage loss, last over first", last["coverage"] / first["coverage"], at_most=0.3)
band("box loss, last over first", last["box"] / first["box"], at_most=0.4)

# %% [markdown]
# Look at the two sides. *Apart*, each says how far its own task is. *Together* is all that the optimiser knows: it pays attention to what is large there. Which is why the weight matters:

# %%
predict(
    "16.q5",
    "The weight of the box loss is 200 instead of 2. What happens to the coverage loss in the same number of steps?",
    ["it falls as before", "it falls more slowly", "it falls faster"],
)

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
for ax, name in zip(axes, ("coverage", "box")):
    curves = {f"weight {weight:g}": (range(len(rows)), [row[name] for row in rows]) for weight, rows in learnt.items()}
    show_curves(curves, f"{name} loss alone, by weight", "step", f"{name} loss", ax=ax)
    ax.set_yscale("log")

# %%
ends = {weight: rows[-1] for weight, rows in learnt.items()}
for weight, row in ends.items():
    print(f"weight {weight:>6g}: coverage loss {row['coverage']:.3f}, box loss {row['box']:.3f}")
ratio = ends[200.0]["coverage"] / ends[2.0]["coverage"]
reveal(
    "16.q5", answer=1 if ratio > 1.1 else 2 if ratio < 0.9 else 0, because=f"after the same steps it is {ratio:.1f} times that of weight 2."
)
band("coverage loss at weight 200, over that at weight 2", ratio, at_least=2)

# %% [markdown]
# A heavy box loss drowns the question whether anything is here. A light one starts more slowly, and does little harm in the end; you may have guessed otherwise. The optimiser explains it: Adam divides every gradient by its own
# usual size (03), so the weights that feed the corner map alone do not notice the factor. Only what both maps share, the backbone, follows the louder one.
#
# Neither loss is wrong, and neither sum is. A weight is a *price*: how much coverage one stride of error at the corners is worth. YOLOv1 took 5 for boxes, and 0.5 for "nothing here". Ours is 2: at the end of the
# recipe's twenty epochs on a grid of 8 the two parts of the sum are of one size, 0.56 and 2 · 0.25. Print the parts before you touch a weight: a sum alone never tells you which of the two is stuck.
#
# ### Then all of it
#
# `fit_detector` trains every detector of part 2 in the same way (AdamW, warm-up, cosine, averaged weights, mosaics; 19 explains them). It asks for a model and your `parts_of`. The last epochs go
# without mosaics, on other pictures than those before, so the loss may jump there.

# %%
epochs = at(smoke=1, quick=10, full=14)


def trained(stride, seed=0, weight=2.0):
    torch.manual_seed(seed)
    model = GridDetector(len(NAMES), stride).to(memory_format=torch.channels_last)
    loss_of = lambda model, images, targets: parts_of(model, images, targets, weight)
    return fit_detector(model, cached, loss_of, epochs, seed=seed, device=device)


coarse = trained(stride=16)
show_losses(coarse.history, weight=2.0, title=f"A grid detector learns: {epochs} epochs, {coarse.seconds:.0f} seconds")

# %%
begin, end = coarse.history[0], coarse.history[-1]
band("coverage loss, last epoch over first", end["coverage"] / begin["coverage"], at_most=at(quick=0.65, full=0.5))
band("box loss, last epoch over first", end["box"] / begin["box"], at_most=at(quick=0.65, full=0.5))

# %% [markdown]
# Now look before you count. The coverage of a scene that it has never seen, beside the target:

# %%
with torch.no_grad():
    logits, corners = (maps.cpu() for maps in coarse.model(image[None].to(device)))
wanted, _ = encode_targets(boxes, labels, len(NAMES), (SIZE, SIZE), 16, 0.5)
show_maps(image, {"target": wanted, "what the network says": logits[0].sigmoid()}, "Coverage of a scene it has never seen")

# %% [markdown]
# The network is asked to light a few cells and darken all others, and its edges are soft. Several cells speak for one sign, each with a box. That is what NMS (13) is for: the surest stays, in each class by itself. So
# a cell that is unsure of the class may leave two boxes on one sign.


# %%
def finder(model, threshold=0.001):
    """`find(images)` of a trained detector: your decode, then NMS."""

    @torch.no_grad()
    def find(images):
        logits, corners = (maps.cpu() for maps in model(images))
        found = []
        for coverage, where in zip(logits.sigmoid(), corners):
            boxes, scores, labels = decode(coverage, where, model.stride, threshold)
            real = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)  # nothing forces an unsure cell's right side to lie right of its left one
            boxes, scores, labels = boxes[real], scores[real], labels[real]
            kept = fast_batched_nms(boxes, scores, labels, 0.5)
            found.append(Detections(boxes[kept], scores[kept], labels[kept]))
        return found

    return find


# %%
raw_boxes, raw_scores, raw_labels = decode(logits[0].sigmoid(), corners[0], 16, threshold=0.2)
(found,) = finder(coarse.model, threshold=0.2)(image[None].to(device))
figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
show_boxes(image, boxes, labels, classes=NAMES, ax=axes[0], title="truth")
show_boxes(image, raw_boxes, raw_labels, raw_scores, NAMES, ax=axes[1], title=f"cells above 0.2: {len(raw_boxes)}")
show_boxes(image, found.boxes, found.labels, found.scores, NAMES, ax=axes[2], title=f"after NMS: {len(found)}")

# %% [markdown]
# ✂ *50 minutes*
#
# ## 9. How good is it, and how fast?
#
# AP over all validation scenes, and the milliseconds of one picture from pixels to boxes:

# %%
scored = measure_detector(finder(coarse.model), validation, device=device)
print({name: round(scored.summary[name], 3) for name in ("AP", "AP50", "AP75")}, f"{scored.milliseconds:.1f} ms a picture")
band("AP50 on scenes it has never seen", scored.summary["AP50"], at_least=at(quick=0.35, full=0.55))

# %% [markdown]
# AP50 asks for an IoU of 0.5; AP75 for 0.75, and is lower. An absolute difference of a quarter of a stride costs the same on a sign of 14 pixels and on one of 70, but not the same IoU. Losses
# that speak IoU (13, 19) answer that.
#
# ### Beside the sliding window
#
# Both on the same scenes, trained by their rooms' own recipes (`coursekit/sliding/recipe.py`, `coursekit/grid/recipe.py`) and measured beforehand, over several seeds, by
# `benchmarks/detectors.py` in a checkout. The recipe of this room takes a grid of 8 pixels, for reasons that you will see in a minute.

# %%
known = json.loads(resource("measured.json").read_text()).get("detectors", {})
beside = {name: known[name] for name in ("sliding window", "grid") if name in known}
if beside:
    show_detectors(beside, "Windows and grid on the same scenes")
else:
    print("not measured yet: benchmarks/detectors.py writes this table")

# %% [markdown]
# ## 10. What one grid cannot do
#
# ### By size
#
# One number for all signs hides where it fails. COCO's areas (small is below 32 x 32 pixels) do not fit scenes of 128 pixels, where nearly everything would be "small". So we make bins of our own, by the
# longer side, and ask for **recall**: which share of these signs has a box of its class with a score of at least 0.1 and an IoU of at least 0.5? As in 13, each box finds one object at most.


# %%
def found_objects(target, found, score=0.1, iou=0.5):
    """(N,) bool: which objects of one image are found."""
    sure = found[found.scores >= score]
    overlap = box_iou(target["boxes"], sure.boxes) * (target["labels"][:, None] == sure.labels[None])  # (N, M)
    taken = torch.zeros(len(overlap), dtype=torch.bool)
    for j in sure.scores.argsort(descending=True):
        best = torch.where(taken, -1.0, overlap[:, j])
        if len(best) and best.max() >= iou:
            taken[best.argmax()] = True
    return taken


BINS = {"under 12": (0, 12), "12 to 20": (12, 20), "20 to 44": (20, 44), "44 and more": (44, SIZE + 1)}


def recall_of(targets, found, groups):
    """Recall of each group of objects; a group is a mask over all objects."""
    hits = torch.cat([found_objects(target, each) for target, each in zip(targets, found)])
    return [hits[group].float().mean().item() for group in groups]


# %%
def found_in_crowd(model):
    return measure_detector(finder(model), crowd, device=device, timed=1).found


truths = scored.targets + [crowd[i][1] for i in range(len(crowd))]
sides = torch.cat([(t["boxes"][:, 2:] - t["boxes"][:, :2]).amax(dim=1) for t in truths])
sizes = [(sides >= low) & (sides < high) for low, high in BINS.values()]
counts = [int(group.sum()) for group in sizes]
print(dict(zip(BINS, counts)))

# %%
predict("16.q6", "Which signs does the grid of 16 pixels miss most?", list(BINS))

# %%
found_coarse = scored.found + found_in_crowd(coarse.model)  # ordinary scenes, then crowds
by_size = recall_of(truths, found_coarse, sizes)
worst = min(range(len(BINS)), key=by_size.__getitem__)
reveal("16.q6", answer=worst, because=", ".join(f"{name} pixels: {value:.2f}" for name, value in zip(BINS, by_size)))
band("recall of signs of 44 pixels and more, minus under 12", by_size[3] - by_size[0], at_least=0.2)

# %% [markdown]
# A sign of 12 pixels is smaller than one cell. It has one covered cell, where the large one of section 3 has four, so it teaches less; and an error of a quarter of a stride, 4 pixels, is a third of its width.
# By hand: a box of 12 x 12, moved by 4 to the right and 4 down, shares 8 · 8 = 64 of 2 · 144 - 64 = 224: IoU 0.29, a miss. The same error on a sign of 48: 44² / (2 · 48² - 44²) = 0.72, a hit.
#
# ### A finer grid
#
# What if cells were 8 pixels? The network can stay as it is: its last halving is left out. Guess first:

# %%
predict(
    "16.q7",
    "A grid of 8 pixels instead of 16 has 4 times as many cells. How many weights has its network?",
    ["as many", "twice as many", "4 times as many"],
)

# %%
numbers = [sum(p.numel() for p in GridDetector(len(NAMES), stride).parameters()) for stride in (16, 8)]
because = f"{numbers[0]:,} and {numbers[1]:,}. A convolution has its weights once, for all places. The price is paid in time."
reveal("16.q7", answer=0, because=because)
assert numbers[0] == numbers[1]

# %%
fine = trained(stride=8)
scored_fine = measure_detector(finder(fine.model), validation, device=device)
for name, fitted, scores in (("16 pixels a cell", coarse, scored), ("8 pixels a cell", fine, scored_fine)):
    ap = f"AP {scores.summary['AP']:.3f}, AP50 {scores.summary['AP50']:.3f}"
    print(f"{name:16} {ap}, {scores.milliseconds:.1f} ms a picture, {fitted.seconds:.0f} s of training")

# %%
found_fine = scored_fine.found + found_in_crowd(fine.model)
by_size_fine = recall_of(truths, found_fine, sizes)
lines = {"16 pixels a cell": by_size, "8 pixels a cell": by_size_fine}
show_recall(list(BINS), counts, lines, "Recall by size of the sign", "longer side in pixels")

# %%
band("recall of 12 to 20 pixels: what the finer grid gains", by_size_fine[1] - by_size[1], at_least=at(quick=0.1, full=0.05))

# %% [markdown]
# The finer grid finds more of the small signs, with the same number of weights and epochs. It costs time: the last stage and the head work at four times as many places. The next halving would make it four times as many again.
# The answer of notebooks 17 and 19 is to have several grids at once, each for its own sizes.
#
# ### By crowding
#
# Crowds are scenes of small signs, so compare like with like: signs under 16 pixels that share a cell of 16 with another one, and signs under 16 pixels that have theirs for themselves.

# %%
shared = torch.cat([collisions(t["boxes"], 16) for t in truths])
groups = {"alone in the cell": (sides < 16) & ~shared, "sharing it": (sides < 16) & shared}
by_crowd = {
    name: recall_of(truths, found, groups.values()) for name, found in (("16 pixels a cell", found_coarse), ("8 pixels a cell", found_fine))
}
members = [int(group.sum()) for group in groups.values()]
show_recall(list(groups), members, by_crowd, "Signs under 16 pixels", "its cell of 16 pixels")

# %%
number = max(range(len(validation), len(truths)), key=lambda i: int(collisions(truths[i]["boxes"], 16).sum()))
truth, picture = truths[number], crowd[number - len(validation)][0]
figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
title = f"truth: {int(collisions(truth['boxes'], 16).sum())} of {len(truth['boxes'])} share a cell of 16"
show_boxes(picture, truth["boxes"], truth["labels"], classes=NAMES, ax=axes[0], title=title)
for ax, name, found in zip(axes[1:], by_crowd, (found_coarse[number], found_fine[number])):
    sure = found[found.scores >= 0.3]
    title = f"{name}: {int(found_objects(truth, found, score=0.3).sum())} of {len(truth['boxes'])} found"
    show_boxes(picture, sure.boxes, sure.labels, sure.scores, NAMES, ax=ax, title=title)

# %%
band(
    "grid of 16: recall alone in the cell, minus sharing it",
    by_crowd["16 pixels a cell"][0] - by_crowd["16 pixels a cell"][1],
    at_least=0.1,
)
band("sharing a cell of 16: what the finer grid gains", by_crowd["8 pixels a cell"][1] - by_crowd["16 pixels a cell"][1], at_least=0.08)

# %% [markdown]
# The same signs, of the same size, in the same scenes: on the grid of 16 most of those that share a cell are lost, and not only one of two. Of each pair the network was told one only, and a cell
# in which two signs meet is hard to read. On the grid of 8 each of these pairs has two cells, and many come back. The gap that is left there cannot come from shared cells: signs so near to each other also hide
# parts of each other. The upper bound of section 5 is the part that no training can mend.
#
# ## 11. Find the bug
#
# A colleague wants the boxes of *all* cells of a batch at once, as one tensor, to draw and to filter them later. Her function raises no error. Her symptoms:
#
# | symptom | what she sees |
# |---|---|
# | coverage maps | as they should be |
# | signs of 44 pixels and more | most are found, as before |
# | all smaller ones | hardly any is found |
# | mean of her x1, minus the right one; likewise y1, x2, y2 | -8, -8, -8, -8, on the grid of 16. On the grid of 8: -4, -4, -4, -4 |
#
# All four numbers by the same amount: the *sizes* are right, the places are not. And the amount follows the stride.
#
# ### Exercise: all_boxes
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# Find it and mend it. One line is wrong.


# %% exercise="16.all_boxes"
def all_boxes(corners, stride):
    """(B, 4, rows, columns), in strides from each cell's centre -> (B, rows * columns, 4) xyxy pixels, row by row."""
    rows, columns = corners.shape[2:]
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")  # (rows, columns) each
    ### BEGIN SOLUTION
    seen_from = (torch.stack([x, y, x, y]) + 0.5) * stride  # the middle of the cell, (4, rows, columns)
    ### STUDENT
    # seen_from = torch.stack([x, y, x, y]) * stride  # (4, rows, columns)
    ### END SOLUTION
    return (seen_from + corners * stride).flatten(2).transpose(1, 2)


all_boxes = check("16.all_boxes", all_boxes)

# %% [markdown]
# What did it cost? We move the coarse grid's boxes by half a cell, and ask for recall by size again:

# %%
print("the box of the first cell, corners all 0:", all_boxes(torch.zeros(1, 4, 2, 2), 16)[0, 0].tolist())
moved = [Detections(each.boxes - 16 / 2, each.scores, each.labels) for each in found_coarse]
by_size_moved = recall_of(truths, moved, sizes)
lines = {"right": by_size, "half a cell off": by_size_moved}
show_recall(list(BINS), counts, lines, "An error of half a cell", "longer side in pixels")

# %%
band("recall of 12 to 20 pixels with the bug", by_size_moved[1], at_most=0.05)
band("recall of 44 pixels and more with the bug", by_size_moved[3], at_least=0.2)

# %% [markdown]
# <details><summary>What it was</summary>
#
# The index of a cell times the stride is its upper left *corner*. The targets were written from its *centre*, so every box lands half a cell too far left and up. By hand, a sign of 16 pixels, 8 off in x and in y: 64 / (512 - 64) = 0.14. One of
# 60 pixels: 52² / (2 · 60² - 52²) = 0.60, still a hit at 0.5. A detector with this bug looks like one that "is weak on small objects". Encode, decode, compare: the round trip of section 5 finds it in a second.
# </details>
#
# ## Summary
#
# - A **grid detector** says two things in every cell: coverage (what is here) and corners (where it ends). One pass, no windows, no pyramid.
# - **The target is a rule**: only the cell of the centre (YOLOv1), or all cells in the middle of the object (DetectNet). Corners are seen from the cell's centre, in strides.
# - **A cell has room for one object.** Of two centres in one cell, one is never learned. Write the truth, read it back: that is the upper bound of any training.
# - **Two losses, added.** Sum over all cells, divide by the covered ones; ask for boxes only where an object is. The weight is a price. Look at the parts, not only at the sum.
# - A cell *sees* far more than its own square. What is scarce is answers.
# - One grid is weak on small and crowded objects. A finer one helps, has no more weights, and costs time.
#
# ### Do you still know?
#
# <details><summary>Stride 16. Which cell answers for the box (100, 30, 120, 50)?</summary>
#
# The centre is (110, 40): column 110 // 16 = 6, row 40 // 16 = 2. `[2, 6]`.
# </details>
#
# <details><summary>The cell in row 0, column 0 of a grid of 8 says (-0.5, -0.5, 1.5, 0.5). Which box?</summary>
#
# Its centre is (4, 4): from 4 - 4 = 0 to 4 + 12 = 16 in x, from 0 to 8 in y: (0, 0, 16, 8).
# </details>
#
# <details><summary>The sum of the losses falls, AP stays at 0. What do you look at first?</summary>
#
# The parts. If the box loss stands still, its weight, its divisor or its mask is wrong. If both fall, decode the *target* and draw it: encode and decode disagree.
# </details>
#
# <details><summary>YOLOv1 has 7 x 7 cells with two boxes each. Can it find 98 objects?</summary>
#
# At most 49: both boxes of a cell share one class, and in training one object is written into a cell. Ten birds in one cell are one bird.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message, or symptom | what happened |
# |---|---|
# | `index 8 is out of bounds for dimension 0 with size 8` | a centre outside the image: clip the boxes first; or pixels used as an index |
# | `shape mismatch: value tensor of shape [5, 4] cannot be broadcast to indexing result of shape [4, 5]` | `corners[:, covered]` is (4, M): transpose what you write |
# | boxes mirrored along the diagonal | row and column exchanged; square images hide it, wide ones do not |
# | all boxes off by the same amount | the cell's corner taken for its centre |
# | all boxes tiny, in the right places | strides not turned into pixels |
# | coverage is learned, boxes are not | box loss divided by all cells, or its weight too small |
# | boxes are learned, coverage says 0 everywhere | coverage loss as a mean over the flood of background |
# | the loss is NaN in some batches | a batch without objects, divided by 0 |
#
# ### Where to read more
#
# - Redmon and others: [You Only Look Once](https://arxiv.org/abs/1506.02640), section 2 for the grid and the loss, 2.4 for its limits in the authors' own words
# - NVIDIA's technical blog, 2016: "DetectNet: Deep Neural Network for Object Detection in DIGITS"
# - `coursekit/grid/`: the functions of this notebook as the benchmark uses them
#
# **Next**: 17 puts several grids on top of each other, and gives every cell several boxes to start from: anchors.
