# %% [markdown]
# # 17 · One stage: a guess at every anchor
#
# The grid detector of notebook 16 looks once, and every cell of its one map names one object. Small neighbours share a cell, and large objects do not
# fit the only map there is. The detectors of this notebook mend both: **many boxes in every cell**, and **many maps**. Then a new trouble begins, since
# nearly all of these thousands of boxes hold nothing at all. The answer to that is the loss which made RetinaNet, a detector of 2017, famous.
#
# | you will learn | you will build |
# |---|---|
# | anchors: boxes to start from (and why an anchor is no filter) | `make_anchors` |
# | which anchor answers for which object, and which is not asked | `match_anchors` |
# | how a box is said in terms of an anchor | `encode_deltas` |
# | coarse maps see large objects; SSD's maps, and the feature pyramid | `top_down` |
# | a head that speaks in the order of the anchors | `to_rows` |
# | the flood of background, counted; hard negatives; the focal loss | `focal_loss` |
# | a loss that is divided by the wrong number | `classification_loss`, repaired |
# | RetinaNet from our blocks, torchvision's RetinaNet and SSD on the same backbone, in one table | |
# | the same model as an MMDetection and a Detectron2 config, line by line | |
#
# **Time** about 4 minutes of computing on two CPU cores; about four hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you know IoU and NMS (13), a detector on one map (16), residual networks (09), and binary cross-entropy (02).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("17_one_stage")

# %%
import math
from functools import partial

import matplotlib.pyplot as plt
import torch
import torchvision
from torch.nn import functional as F

from coursekit.boxes import box_iou
from coursekit.data.loader import CachedDataset, collate
from coursekit.models.signs_backbone import load_backbone
from coursekit.one_stage import retina
from coursekit.one_stage.anchors import base_anchors, sizes_for
from coursekit.one_stage.deltas import decode_deltas
from coursekit.one_stage.focal import prior_bias, shares_of_loss
from coursekit.one_stage.pyramid import PyramidBackbone, Stages
from coursekit.one_stage.with_torchvision import torchvision_retina, torchvision_ssd
from coursekit.plots import one_stage as pictures
from coursekit.plots.images import show_boxes
from coursekit.plots.one_stage_explore import explore_matching
from coursekit.plots.yolo import show_curves, show_table
from coursekit.training.detector import NAMES, SIZE, fit_detector, measure_detector, small_world
from coursekit.training.device import choose_device

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>13: A box of 10 x 10 and one of 10 x 5 that lies inside it. What is their IoU?</summary>
#
# 50 shared pixels, 100 together: 0.5.
# </details>
#
# <details><summary>07: An image of 128 pixels goes through five halvings. How large is the map, and how many pixels of the image are one step on it?</summary>
#
# 4 x 4, and a step is 32 pixels: the map's *stride* (보폭).
# </details>
#
# <details><summary>02: What is the binary cross-entropy of background to which the network gives a probability of 0.01? And of an object with 0.01?</summary>
#
# -log(0.99) = 0.01, and -log(0.01) = 4.6. One such object weighs as much as 460 such pieces of background. Remember this number.
# </details>
#
# ## 1. Anchors
#
# Asking a network "where is the box?" from nothing is hard. Asking "how must *this* box be moved so that it fits?" is easier. So we lay boxes over the whole image, in
# advance, in several sizes and shapes. Such a box is an **anchor** (앵커); SSD, which section 4 comes to, says *default box*. Here is a scene, and what we shall lay over it:

# %%
scenes = small_world("train", 60)
scene, target = scenes[7]
STRIDES, RATIOS = (8, 16, 32), (0.5, 1.0, 2.0)
SIZES = sizes_for(STRIDES, base=2, per_octave=2)  # 2 strides, and half way to the next map's
for stride, group in zip(STRIDES, SIZES):
    print(f"stride {stride:2}: {SIZE // stride:2} x {SIZE // stride:2} cells, anchor sizes {', '.join(f'{size:.1f}' for size in group)}")

# %%
pictures.show_anchors(scene, STRIDES, SIZES, RATIOS)

# %% [markdown]
# A **size** is the side of the square that has the anchor's area. A **ratio** is height / width. All ratios of one size have the *same area*, so one side
# grows by the square root and the other shrinks by it. By hand, size 8 and ratio 4:
#
# | | | |
# |---|---|---|
# | width | 8 / √4 | **4** |
# | height | 8 · √4 | **16** |
# | area | 4 · 16 | 64 = 8 · 8 |

# %%
print("size 8, ratio 4, around (0, 0):", base_anchors([8], [4.0]).tolist())
print("size 8, ratio 1/4:             ", base_anchors([8], [0.25]).tolist())

# %% [markdown]
# Each stands around the **centre** of its cell. The first cell of stride 8 goes from 0 to 8, so its centre is (4, 4). Libraries disagree here: torchvision and MMDetection stand
# it at the corner (0, 0), half a stride away; Detectron2 lets you choose (`OFFSET`). A network learns either. What must never happen is that training uses one and finding the other.
#
# Now count. A map of 16 x 16, one of 8 x 8 and one of 4 x 4, two sizes, three ratios:

# %%
predict("17.q1", "How many anchors does an image of 128 x 128 have?", ["336", "672", "2,016", "about 100,000"])

# %%
cells = [(SIZE // stride) ** 2 for stride in STRIDES]
per_cell = len(SIZES[0]) * len(RATIOS)
print(f"({' + '.join(map(str, cells))}) cells x {per_cell} = {sum(cells) * per_cell} anchors")
large = sum(math.ceil(800 / s) * math.ceil(1344 / s) for s in (8, 16, 32, 64, 128)) * 9
print(f"RetinaNet on a photograph of 800 x 1344, strides 8 to 128, 3 sizes, 3 ratios: {large:,}")
reveal("17.q1", answer=2, because="336 cells, six anchors in each. On a photograph it is a hundred times more.")

# %% [markdown]
# ### Exercise: make_anchors
# *difficulty 3 of 5 · importance 5 of 5 · about 25 minutes*
#
# The order matters, because the network's answers must come in the same one: **map after map** (fine to coarse), in each map **row by row**, in each cell **all sizes of
# the first ratio, then all sizes of the second**. By hand, an image 8 high and 16 wide, stride 8, size 4, ratio 1: two cells with centres (4, 4) and (12, 4):
#
# | cell | anchor |
# |---|---|
# | row 0, column 0 | 2, 2, 6, 6 |
# | row 0, column 1 | 10, 2, 14, 6 |


# %% exercise="17.make_anchors"
def make_anchors(size_hw, strides, sizes, ratios):
    """(height, width), a stride for each map, a group of sizes for each map, ratios -> (A, 4) xyxy in pixels."""
    ### BEGIN SOLUTION
    anchors = []
    for stride, of_this_map in zip(strides, sizes):
        y, x = torch.meshgrid(torch.arange(size_hw[0] // stride), torch.arange(size_hw[1] // stride), indexing="ij")
        centres = (torch.stack([x, y], dim=2).reshape(-1, 1, 2) + 0.5) * stride  # (cells, 1, 2)
        shapes = torch.tensor([[size / ratio**0.5, size * ratio**0.5] for ratio in ratios for size in of_this_map])  # (K, 2)
        anchors.append(torch.cat([centres - shapes / 2, centres + shapes / 2], dim=2).reshape(-1, 4))  # (cells * K, 4)
    return torch.cat(anchors)
    ### END SOLUTION


make_anchors = check("17.make_anchors", make_anchors)

# %% [markdown]
# torchvision's `AnchorGenerator` makes the same boxes in the same order, half a stride up and to the left (and it rounds their corners to whole pixels):

# %%
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

generator = AnchorGenerator(tuple(SIZES), (RATIOS,) * len(STRIDES))
maps = [torch.zeros(1, 1, SIZE // stride, SIZE // stride) for stride in STRIDES]
theirs = generator(ImageList(torch.zeros(1, 3, SIZE, SIZE), [(SIZE, SIZE)]), maps)[0]
anchors = make_anchors((SIZE, SIZE), STRIDES, SIZES, RATIOS)
per_level = pictures.anchors_per_level((SIZE, SIZE), STRIDES, per_cell)
half = torch.cat([torch.full((count, 1), stride / 2) for count, stride in zip(per_level, STRIDES)])
band("largest difference to torchvision's, in pixels, the shift taken out", (anchors - theirs - half).abs().max(), at_most=0.5)

# %% [markdown]
# > **A myth.** *"An anchor is a filter of the network."*
#
# If it were, other anchors would need other weights. Measure: two detectors with the same weights, one with anchors twice as large.

# %%
torch.manual_seed(0)
small = retina.RetinaNet(4, sizes=SIZES).eval()
twice = retina.RetinaNet(4, sizes=[tuple(2 * size for size in group) for group in SIZES]).eval()
twice.load_state_dict(small.state_dict())  # every weight fits: an anchor is none of them
with torch.no_grad():
    raw_small, raw_twice = small(scene[None]), twice(scene[None])
print("weights:", sum(p.numel() for p in small.parameters()), "and", sum(p.numel() for p in twice.parameters()))
print("largest difference of what the networks say:", (raw_small.logits - raw_twice.logits).abs().max().item())
print(
    "anchor 1000:", [round(v, 1) for v in raw_small.anchors[1000].tolist()], "and", [round(v, 1) for v in raw_twice.anchors[1000].tolist()]
)
assert torch.equal(raw_small.logits, raw_twice.logits)

# %% [markdown]
# Every weight is the same, and so is every number that the networks say. An anchor is four numbers which were chosen before training; it only decides how the network's words are *read*.
#
# ✂ *50 minutes*
#
# ## 2. Who answers for whom?
#
# To train, each anchor needs a target. The rule goes by IoU with the object that the anchor overlaps most:
#
# | IoU | the anchor is | in the code |
# |---|---|---|
# | at least 0.5 | an example of that object (positive, 양성) | its index, 0, 1, 2 … |
# | below 0.4 | **background** (배경) | -1 |
# | in between | **ignored**: too good to be told "nothing here", too bad to be an example | -2 |
#
# By hand, one object (0, 0, 10, 10), anchors that are as wide and 7, 5, 4.5, 4 and 3.5 high: IoU 0.7, 0.5, 0.45, 0.4, 0.35, so they get 0, 0, -2, -2, -1.
#
# And one more rule, since an odd shape may never reach 0.5: **the best anchor of each object answers anyway**, with all that are equally good. Move the object, and change the anchors:

# %%
explore_matching()

# %% [markdown]
# Try an object between the centres of four cells of stride 32, or one that is 40 wide and 10 high: nobody reaches 0.5, and the best must be kept.
#
# ### Exercise: match_anchors
# *difficulty 4 of 5 · importance 5 of 5 · about 30 minutes*
#
# Start from `overlap = box_iou(truth, anchors)`, one row for each object. Two traps: an image may have **no** objects. And an object that no anchor touches has a best IoU of 0; then
# *every* anchor with IoU 0 would be "the best", so ask for an IoU above 0. (Where the best anchor of one object overlaps another one more, it answers for that other one.)


# %% exercise="17.match_anchors"
def match_anchors(anchors, truth, low=0.4, high=0.5):
    """(A, 4), (M, 4) -> (A,) int64: the object that each anchor answers for, -1 for background, -2 for ignored."""
    answer = torch.full((len(anchors),), -1)
    if len(truth) == 0:
        return answer
    ### BEGIN SOLUTION
    overlap = box_iou(truth, anchors)  # (M, A)
    best, owner = overlap.max(dim=0)  # of each anchor
    answer[best >= low] = -2
    answer[best >= high] = owner[best >= high]
    best_of_object = overlap.max(dim=1, keepdim=True).values  # (M, 1)
    chosen = ((overlap == best_of_object) & (overlap > 0)).any(dim=0)
    answer[chosen] = owner[chosen]
    ### STUDENT
    # raise NotImplementedError  # write -2, then the objects, then the best anchors of each object
    ### END SOLUTION
    return answer


match_anchors = check("17.match_anchors", match_anchors)

# %%
strips = torch.tensor([[0.0, 0, 10, height] for height in (7, 5, 4.5, 4, 3.5)])
print("by hand:", match_anchors(strips, torch.tensor([[0.0, 0, 10, 10]])).tolist())
match = match_anchors(anchors, target["boxes"])
pictures.show_matching(scene, target["boxes"], anchors, match, per_level, STRIDES)

# %% [markdown]
# Equal to torchvision's `Matcher`, on real scenes:

# %%
matcher = torchvision.models.detection._utils.Matcher(0.5, 0.4, allow_low_quality_matches=True)
truths = [scenes[i][1]["boxes"] for i in range(at(smoke=4, quick=60, full=60))]
differ = sum(int((match_anchors(anchors, t) != matcher(box_iou(t, anchors))).sum()) for t in truths if len(t))
print(f"{differ} of {len(anchors) * len(truths):,} anchors are matched otherwise than by torchvision")
band("anchors matched otherwise", differ, at_most=0)

# %% [markdown]
# ### Coarse maps see large objects
#
# Nobody told an object which map to go to. Its size did: a cell of stride 32 has only large anchors, and only a large object overlaps them well.

# %%
predict("17.q2", "A sign of 20 pixels. Which map answers for it?", ["stride 8", "stride 16", "stride 32", "all three alike"])

# %%
plans = small_world("train", at(smoke=20, quick=320, full=320))
boxes = [torch.from_numpy(plans.plan(i).boxes).float() for i in range(len(plans))]
sizes, shares = [], []
for truth in boxes:
    side = (truth[:, 2:] - truth[:, :2]).prod(dim=1).sqrt()
    sizes.append(side)
    shares.append(pictures.level_shares(side, anchors, match_anchors(anchors, truth), per_level))
sizes, shares = torch.cat(sizes), torch.cat(shares)
pictures.show_levels_by_size(sizes, shares, STRIDES, (12, 18, 24, 32, 44, 60, 80))

# %%
around = shares[(sizes > 17) & (sizes < 23)].mean(dim=0)
reveal(
    "17.q2",
    answer=int(around.argmax()),
    because="of its anchors " + ", ".join(f"{s:.0%} at stride {k}" for s, k in zip(around, STRIDES)) + ".",
)
band("share of stride 8 for signs below 18 pixels", shares[sizes < 18, 0].mean(), at_least=0.9)
band(
    "share of stride 32 for signs above 56 pixels, minus that for signs below 32",
    shares[sizes > 56, 2].mean() - shares[sizes < 32, 2].mean(),
    at_least=0.3,
)

# %% [markdown]
# So **look at the sizes of your objects before you choose anchors**. The sizes that RetinaNet uses for photographs begin at four strides, 32 pixels. On our small scenes:


# %%
def share_reached(anchors, boxes):
    """The share of objects that have an anchor with an IoU of at least 0.5."""
    best = torch.cat([box_iou(truth, anchors).max(dim=1).values for truth in boxes if len(truth)])
    return (best >= 0.5).float().mean().item()


published = make_anchors((SIZE, SIZE), STRIDES, sizes_for(STRIDES, base=4, per_octave=3), RATIOS)
print(f"sizes of RetinaNet, 32 and up: {share_reached(published, boxes):.0%} of the signs have an anchor of IoU 0.5")
print(f"ours, 16 and up:               {share_reached(anchors, boxes):.0%}")
band("what the right sizes gain", share_reached(anchors, boxes) - share_reached(published, boxes), at_least=0.2)

# %% [markdown]
# The others would be learnt from their one best, poor anchor. Nothing raises an error, and the loss falls. AP of small objects is where it shows.
#
# ✂ *50 minutes*
#
# ## 3. Four numbers that move an anchor
#
# An anchor that answers must say how to become its box. Not in pixels: 10 pixels are much for a small anchor and little for a large one. So the move of the centre is said in **widths and
# heights of the anchor**, and the stretch as a **logarithm**, so that twice as wide and half as wide are +0.69 and -0.69, and "as it is" is 0. These are the **deltas** (델타):
#
# $$ dx = \frac{x_{box} - x_{anchor}}{w_{anchor}} \qquad dy = \frac{y_{box} - y_{anchor}}{h_{anchor}} \qquad dw = \log\frac{w_{box}}{w_{anchor}} \qquad dh = \log\frac{h_{box}}{h_{anchor}} $$
#
# with x and y the centres. By hand: the anchor (10, 20, 14, 28) is 4 wide and 8 high around (12, 24). The box (10, 22, 18, 26) is 8 wide and 4 high around (14, 24):
#
# | dx | dy | dw | dh |
# |---|---|---|---|
# | (14 - 12) / 4 = **0.5** | 0 / 8 = **0** | log(8 / 4) = **0.69** | log(4 / 8) = **-0.69** |
#
# ### Exercise: encode_deltas
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*


# %% exercise="17.encode_deltas"
def encode_deltas(anchors, boxes):
    """(A, 4), (A, 4) xyxy -> (A, 4): dx, dy, dw, dh from each anchor to its box."""
    ### BEGIN SOLUTION
    size, box_size = anchors[:, 2:] - anchors[:, :2], boxes[:, 2:] - boxes[:, :2]  # (A, 2) each: width, height
    centre, box_centre = (anchors[:, :2] + anchors[:, 2:]) / 2, (boxes[:, :2] + boxes[:, 2:]) / 2
    return torch.cat([(box_centre - centre) / size, torch.log(box_size / size)], dim=1)
    ### END SOLUTION


encode_deltas = check("17.encode_deltas", encode_deltas)

# %%
anchor, box = torch.tensor([[10.0, 20, 14, 28]]), torch.tensor([[10.0, 22, 18, 26]])
deltas = encode_deltas(anchor, box)
print("deltas", [round(v, 2) for v in deltas[0].tolist()], " and back:", decode_deltas(anchor, deltas)[0].tolist())
pictures.show_boxes_of_delta(anchor[0].tolist(), deltas[0].tolist(), box[0].tolist())

# %% [markdown]
# `decode_deltas` goes the other way: times the size, plus the centre; e to the power of the stretch. One line in it is there for the first steps of training, when the network says
# anything: a stretch of 50 would be a box of 10²² pixels and a loss of NaN. It is cut at log(1000 / 16) = 4.1, in torchvision too.

# %%
positive = match >= 0
wanted = encode_deltas(anchors[positive], target["boxes"][match[positive]])
print(f"{int(positive.sum())} anchors answer; what they must say lies between {wanted.min():.2f} and {wanted.max():.2f}, on all three maps")
coder = torchvision.models.detection._utils.BoxCoder((1.0, 1.0, 1.0, 1.0))
band(
    "largest difference to torchvision's coder",
    (wanted - coder.encode_single(target["boxes"][match[positive]], anchors[positive])).abs().max(),
    at_most=1e-5,
)

# %% [markdown]
# ## 4. Several maps
#
# Our backbone is the small ResNet of notebook 12, which knows ten kinds of signs. **SSD**'s way (Single Shot MultiBox Detector, 2015) is to take its last maps *as they are* and put a
# head of its own on each:

# %%
torch.manual_seed(0)
stages = Stages(load_backbone(), STRIDES).eval()
with torch.no_grad():
    for stride, x in zip(STRIDES, stages(scene[None])):
        print(f"stride {stride:2}: {tuple(x.shape)}")

# %% [markdown]
# The fine map has the fewest channels and has passed the fewest layers. It is to find the *smallest* objects with the *poorest* features: it knows where, and hardly what. The coarse map knows what,
# and hardly where. The **feature pyramid** (FPN, 특징 피라미드, 2016) carries the knowledge down:
#
# ```
#   stage 4 ── 1x1 ─────────────┬── 3x3 ──→ stride 32        1x1: all maps get the same number of channels
#                               ↓ twice as large
#   stage 3 ── 1x1 ────────── (+) ── 3x3 ──→ stride 16        +: what the coarse map knows, added
#                               ↓ twice as large
#   stage 2 ── 1x1 ────────── (+) ── 3x3 ──→ stride 8         3x3: smooths the steps of the enlarging
# ```
#
# "Twice as large" just repeats each value (nearest neighbour, 최근접). By hand, with maps that are 1, 10 and 100 everywhere: the coarsest stays **100**. The middle becomes 10 + 100 = **110**. The
# finest gets the middle *sum*: 1 + 110 = **111**. All three can be read in it.
#
# ### Exercise: top_down
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*
#
# Each map has half the sides of the one before it. Return as many maps, fine to coarse.


# %% exercise="17.top_down"
def top_down(maps):
    """A list of (N, C, H, W), (N, C, H / 2, W / 2) and so on, fine to coarse -> the sums, of the same shapes."""
    ### BEGIN SOLUTION
    sums = [maps[-1]]
    for fine in reversed(maps[:-1]):
        larger = sums[0].repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        sums.insert(0, fine + larger)
    return sums
    ### END SOLUTION


top_down = check("17.top_down", top_down)

# %%
print(
    "by hand:",
    [x.unique().tolist() for x in top_down([torch.full((1, 1, 8 // s, 8 // s), v) for s, v in ((1, 1.0), (2, 10.0), (4, 100.0))])],
)
torch.manual_seed(0)
backbone = PyramidBackbone(load_backbone(), channels=64, levels=STRIDES).eval()
with torch.no_grad():
    lateral = [layer(x) for layer, x in zip(backbone.pyramid.lateral, backbone.stages(scene[None]))]
    mine = [layer(x) for layer, x in zip(backbone.pyramid.smooth, top_down(lateral))]
    pyramid = backbone(scene[None])
print("largest difference to the pyramid of the package:", max((a - b).abs().max().item() for a, b in zip(mine, pyramid)))
assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(mine, pyramid))

# %% [markdown]
# Who hears of what? Turn one corner of the image into its negative and see which cells of the *fine* map notice:

# %%
touched = scene.clone()
touched[:, :16, :16] = 255 - touched[:, :16, :16]
with torch.no_grad():
    without = [stages(picture[None])[0] for picture in (scene, touched)]
    with_it = [backbone(picture[None])[0] for picture in (scene, touched)]
noticed = [int(((a - b).abs().amax(dim=1) > 1e-3).sum()) for a, b in (without, with_it)]
print(f"cells of stride 8 that notice: {noticed[0]} of 256 in the backbone's own map, {noticed[1]} of 256 after the pyramid")
band("cells that notice after the pyramid, over those before", noticed[1] / noticed[0], at_least=2)

# %% [markdown]
# ## 5. Heads that speak in order
#
# A **head** (헤드) is a few 3x3 convolutions, *the same for every map*: a sign is a sign, large or small, and the coarse map shows a large one at the size at which the fine map shows a small one. One
# head says four class scores for each anchor, the other its four deltas. With six anchors in a cell that makes 6 · 4 = 24 channels, and they come as a map, while anchors come as rows:
#
# | the head says | (N, 24, H, W) | channels 0 to 3: the values of each cell's first anchor; 4 to 7: of its second; … |
# |---|---|---|
# | we need | (N, H · W · 6, 4) | row by row, cell by cell, anchor by anchor: the order of `make_anchors` |
#
# By hand, one row of three cells, two anchors, *one* value each. The map has two channels, `[0 1 2]` and `[3 4 5]`. Cell 0 holds 0 (first anchor) and 3 (second). So the rows are **0, 3, 1, 4, 2, 5**. A plain
# `reshape` gives 0, 1, 2, 3, 4, 5: the right *shape*. Nothing will ever raise an error, and each anchor learns from its neighbour's target. Somebody who worked through a public course reports a
# bug of order of this kind: an mAP of 0.6 %, and 37.8 % when it was mended.
#
# ### Exercise: to_rows
# *difficulty 2 of 5 · importance 5 of 5 · about 10 minutes*


# %% exercise="17.to_rows"
def to_rows(x, values):
    """(N, K * values, H, W) -> (N, H * W * K, values), in the order of make_anchors."""
    ### BEGIN SOLUTION
    return x.permute(0, 2, 3, 1).reshape(len(x), -1, values)
    ### END SOLUTION


to_rows = check("17.to_rows", to_rows)

# %% [markdown]
# The proof that order is right: let a "head" say, in every cell, where that cell's centre is. Beside each anchor must stand the anchor's own centre.

# %%
said = []
for stride in STRIDES:
    y, x = torch.meshgrid(torch.arange(SIZE // stride), torch.arange(SIZE // stride), indexing="ij")
    centre = (torch.stack([x, y]).float() + 0.5) * stride  # (2, H, W)
    said.append(to_rows(centre.repeat(per_cell, 1, 1)[None], 2))
said = torch.cat(said, dim=1)[0]
print(
    "anchors",
    tuple(anchors.shape),
    " rows",
    tuple(said.shape),
    " all in place:",
    torch.allclose(said, (anchors[:, :2] + anchors[:, 2:]) / 2),
)
assert torch.allclose(said, (anchors[:, :2] + anchors[:, 2:]) / 2)

# %% [markdown]
# Now the detector is four parts, and you know each of them:

# %%
torch.manual_seed(0)
classify = retina.Head(channels=64, per_cell=per_cell, values=len(NAMES), bias=prior_bias(0.01)).eval()  # begins with "nothing here": 0.01
regress = retina.Head(channels=64, per_cell=per_cell, values=4).eval()
with torch.no_grad():
    maps = backbone(scene[None])
    logits, deltas = classify(maps)[0], regress(maps)[0]
print("logits", tuple(logits.shape), " deltas", tuple(deltas.shape), f" mean probability {logits.sigmoid().mean():.3f}")

# %% [markdown]
# ✂ *50 minutes*
#
# ## 6. The flood of background
#
# Each anchor, for each class, answers a yes-or-no question. How many of the right answers are "no"?

# %%
predict(
    "17.q3", "For each anchor that answers for an object, how many are background?", ["about 3", "about 30", "about 300", "about 3,000"]
)

# %%
counts = torch.zeros(3, dtype=torch.int64)
for truth in boxes:
    match_of_scene = match_anchors(anchors, truth)
    counts += torch.tensor([(match_of_scene >= 0).sum(), (match_of_scene == -2).sum(), (match_of_scene == -1).sum()])
imbalance = counts[2].item() / counts[0].item()
print(
    f"{counts[0]:,} anchors answer, {counts[1]:,} are ignored, {counts[2]:,} are background, in {len(boxes)} scenes: 1 to {imbalance:.0f}"
)
print(f"yes-or-no questions: {counts[0]:,} yes, {len(NAMES) * counts[2].item() + (len(NAMES) - 1) * counts[0].item():,} no")

# %%
reveal("17.q3", answer=min(range(4), key=lambda i: abs(math.log(imbalance / 3 / 10**i))), because=f"1 to {imbalance:.0f} in these scenes.")
band("background anchors for each one that answers", imbalance, at_least=100)

# %% [markdown]
# On photographs, with a hundred times the anchors, it is 1 to 1,000 and more. Each "no" is easy and its loss is small, but there are so many. By hand, one object of five anchors that the network misses (p = 0.1), and
# 8,000 "no" answers which it has right already (p = 0.01):
#
# | | each | how many | together |
# |---|---|---|---|
# | object, p = 0.1 | -log(0.1) = 2.30 | 5 | **11.5** |
# | background, p = 0.01 | -log(0.99) = 0.010 | 8,000 | **80** |
#
# Seven eighths of the loss say "background, I know" once more. There are three answers:
#
# 1. **Start with "no"**: the bias that makes every probability begin at 0.01 (RetinaNet). Without it the first steps are all about background.
# 2. **Ask only some**: SSD sorts the background anchors by their loss and keeps the worst three for each positive, *hard negative mining* (어려운 음성 채굴). All others are not asked in this step.
# 3. **Ask all, but let the easy ones whisper**: the **focal loss** (초점 손실) of RetinaNet:
#
# $$ FL = -\alpha_t \, (1 - p_t)^\gamma \, \log p_t $$
#
# p_t is the probability that the network gives to *what is true*: p for an object, 1 - p for background. With gamma 2 the factor is the square of "how wrong". alpha_t is 0.25 for an object and 0.75 for background: the
# objects need no help any more. The same table:
#
# | | p_t | (1 - p_t)² | alpha_t | each | together |
# |---|---|---|---|---|---|
# | object, p = 0.1 | 0.1 | 0.81 | 0.25 | 2.30 · 0.81 · 0.25 = 0.466 | **2.33** |
# | background, p = 0.01 | 0.99 | 0.0001 | 0.75 | 0.010 · 0.0001 · 0.75 = 0.00000075 | **0.006** |

# %%
predict(
    "17.q4",
    "p_t = 0.9 (quite sure, and right). With gamma 2, without alpha: by what factor is its loss smaller than cross-entropy?",
    ["2", "10", "100", "1,000"],
)

# %%
pictures.show_focal()

# %%
reveal("17.q4", answer=2, because="(1 - 0.9)² = 0.01. For p_t = 0.5 it is only 4: what is not known yet keeps its voice.")

# %% [markdown]
# ### Exercise: focal_loss
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# One loss for each entry, nothing summed. `F.binary_cross_entropy_with_logits(logits, targets, reduction="none")` is -log(p_t), computed from the logit, so that a probability which rounds to 1 does no harm (notebook 02).


# %% exercise="17.focal_loss"
def focal_loss(logits, targets, alpha=0.25, gamma=2.0):
    """Logits and targets (0 or 1, float) of one shape -> the focal loss of every entry."""
    ### BEGIN SOLUTION
    p = torch.sigmoid(logits)
    p_true = torch.where(targets == 1, p, 1 - p)
    weight = torch.where(targets == 1, alpha, 1 - alpha)
    return weight * (1 - p_true) ** gamma * F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    ### END SOLUTION


focal_loss = check("17.focal_loss", focal_loss)

# %%
hard, easy = torch.logit(torch.tensor([0.1])), torch.logit(torch.tensor([0.01]))
print(f"by hand: {5 * focal_loss(hard, torch.ones(1)).item():.2f} and {8000 * focal_loss(easy, torch.zeros(1)).item():.4f}")
x, y = torch.randn(2000, generator=torch.Generator().manual_seed(0)) * 5, (torch.arange(2000) % 7 == 0).float()
band("largest difference to torchvision's", (focal_loss(x, y) - torchvision.ops.sigmoid_focal_loss(x, y)).abs().max(), at_most=1e-5)

# %% [markdown]
# Where does the loss come from in *our* detector, before its first step? Easy background is what already has a probability below 0.1.

# %%
positive = match >= 0
truth_table = torch.zeros_like(logits)
truth_table[positive, target["labels"][match[positive]]] = 1.0
asked = match != -2
losses = {
    "cross-entropy": F.binary_cross_entropy_with_logits(logits, truth_table, reduction="none"),
    "focal loss": focal_loss(logits, truth_table),
}
at_start = {name: shares_of_loss(loss[asked], logits[asked], truth_table[asked]) for name, loss in losses.items()}
pictures.show_shares(at_start, "From whom the loss comes, before the first step")

# %%
band("share of easy background, cross-entropy", at_start["cross-entropy"]["easy background"], at_least=0.5)
band("share of easy background, focal loss", at_start["focal loss"]["easy background"], at_most=0.02)

# %% [markdown]
# ## 7. Find the bug
#
# A colleague writes the class loss of an image. She knows that ignored anchors are not asked, and yet her detector hardly learns to *name* anything. Its boxes are fine. Her two losses for the first picture:


# %%
def colleagues_loss(logits, match, labels):
    """What she wrote."""
    target = torch.zeros_like(logits)
    positive = match >= 0
    target[positive, labels[match[positive]]] = 1.0
    asked = match != -2
    return focal_loss(logits[asked], target[asked]).mean()


wanted = encode_deltas(anchors[positive], target["boxes"][match[positive]])
box_part = (deltas[positive] - wanted).abs().sum() / positive.sum()
print(f"her class loss {colleagues_loss(logits, match, target['labels']).item():.6f}, her box loss {box_part.item():.3f}")

# %% [markdown]
# | symptom | what she sees |
# |---|---|
# | class loss | hundreds of times smaller than the box loss, from the first step on |
# | the same picture with finer maps, four times the anchors | an even smaller class loss |
# | `focal_loss`, `match_anchors` | pass their checks |
#
# ### Exercise: classification_loss
# *difficulty 2 of 5 · importance 5 of 5 · about 10 minutes*
#
# The sum over all asked anchors is right. What is it divided by, and what *should* it be divided by? The loss is there for the anchors that answer: a picture with twice as many should
# weigh no more, and a thousand more anchors over the sky should change nothing. A picture without objects must still teach what background looks like.


# %% exercise="17.classification_loss"
def classification_loss(logits, match, labels):
    """(A, C), (A,) of match_anchors, (M,) -> focal loss of the asked anchors, over the number that answer for an object (at least 1)."""
    target = torch.zeros_like(logits)
    positive = match >= 0
    target[positive, labels[match[positive]]] = 1.0
    asked = match != -2
    loss = focal_loss(logits[asked], target[asked])
    ### BEGIN SOLUTION
    return loss.sum() / positive.sum().clamp(min=1)
    ### STUDENT
    # return loss.mean()
    ### END SOLUTION


classification_loss = check("17.classification_loss", classification_loss)

# %% [markdown]
# Does a constant factor matter? An optimiser such as Adam divides it out again, *for weights that see only this loss*. The backbone sees the sum of both. So ask there: whose gradient (기울기) is it?

# %%
layer = backbone.pyramid.lateral[0].weight  # a layer that both heads hang on
maps = backbone(scene[None])
logits_now, deltas_now = classify(maps)[0], regress(maps)[0]
from_boxes = torch.autograd.grad((deltas_now[positive] - wanted).abs().sum() / positive.sum(), layer, retain_graph=True)[0].norm()
share_of_classes = {}
for name, loss_of in (("hers", colleagues_loss), ("repaired", classification_loss)):
    from_classes = torch.autograd.grad(loss_of(logits_now, match, target["labels"]), layer, retain_graph=True)[0].norm()
    share_of_classes[name] = (from_classes / (from_classes + from_boxes)).item()
    print(f"{name:>9}: {share_of_classes[name]:.2%} of the gradient in the pyramid is about classes")
band("share of the classes in her gradient", share_of_classes["hers"], at_most=0.01)
band("share of the classes, repaired", share_of_classes["repaired"], at_least=0.05)

# %% [markdown]
# <details><summary>What it was</summary>
#
# `mean` divides by every entry of the table, anchors times classes, and nearly all of them are easy background. Dividing by the number of anchors that answer keeps the two losses of one size. The
# cheap alarm: print both losses before the first step. They should differ by a factor of ten at most.
# </details>
#
# ✂ *50 minutes*
#
# ## 8. RetinaNet, from your parts
#
# The loss of a whole picture is your `classification_loss` and the distance between said and wanted deltas, both over the anchors that answer. `retina_loss` of the package is that, for a batch. Equal?

# %%
images, targets = collate([scenes[i] for i in range(4)])
torch.manual_seed(0)
model = retina.RetinaNet(len(NAMES), load_backbone(), strides=STRIDES, sizes=SIZES, ratios=RATIOS)
raw = model(images)
mine = 0.0
for logits, deltas, one in zip(raw.logits, raw.deltas, targets):
    match = match_anchors(raw.anchors, one["boxes"])
    positive = match >= 0
    wanted = encode_deltas(raw.anchors[positive], one["boxes"][match[positive]])
    mine += classification_loss(logits, match, one["labels"]) + (deltas[positive] - wanted).abs().sum() / positive.sum().clamp(min=1)
ours = retina.retina_loss(raw, targets)
print(
    f"from your parts {mine.item() / 4:.5f}, retina_loss {ours['loss'].item():.5f} = classes {ours['classes'].item():.5f} + boxes {ours['boxes'].item():.5f}"
)
band("difference", abs(mine.item() / 4 - ours["loss"].item()), at_most=1e-4)

# %% [markdown]
# The training is the one that every detector of this part gets: `fit_detector`, with warm-up and cosine, averaged weights, and mosaics. The backbone is the one that knows ten kinds of signs, three of our four it has
# never seen; all of it is fine-tuned (notebook 18 measures what that is worth).

# %%
device = choose_device()
training = CachedDataset(small_world("train", at(smoke=16, quick=250, full=320)), (SIZE, SIZE))
validation = small_world("validation", at(smoke=4, quick=80, full=100))
EPOCHS = at(smoke=1, quick=6, full=12)


def train_retina(alpha=0.25, gamma=2.0, seed=0):
    """Our RetinaNet, trained with this loss; alpha None and gamma 0 is cross-entropy."""
    torch.manual_seed(seed)
    model = retina.RetinaNet(len(NAMES), load_backbone(), strides=STRIDES, sizes=SIZES, ratios=RATIOS)
    return fit_detector(model, training, lambda m, x, t: retina.retina_loss(m(x), t, alpha, gamma), EPOCHS, seed=seed, device=device)


fitted = train_retina()
print(
    f"{EPOCHS} epochs of {len(training)} scenes in {fitted.seconds:.0f} s; last epoch: "
    + ", ".join(f"{k} {v:.3f}" for k, v in fitted.history[-1].items())
)
epochs = range(1, EPOCHS + 1)
show_curves(
    {part: (epochs, [row[part] for row in fitted.history]) for part in ("classes", "boxes")}, "Our RetinaNet learns", "epoch", "mean loss"
)

# %%
table = {"our RetinaNet": measure_detector(fitted.model.find, validation, device=device)}
print({name: round(value, 3) for name, value in table["our RetinaNet"].summary.items() if name in ("AP", "AP50", "AP75")})
band("AP50 of our RetinaNet on scenes it has never seen", table["our RetinaNet"].summary["AP50"], at_least=at(quick=0.45, full=0.6))

# %%
figure, axes = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained")
for ax, i in zip(axes, range(4)):
    one = table["our RetinaNet"].found[i]
    sure = one[one.scores > 0.3]
    show_boxes(validation[i][0], sure.boxes, sure.labels, sure.scores, NAMES, ax=ax, title=f"{len(sure)} found")

# %% [markdown]
# Two names on one sign? Each class answers a question of its own, so both may say yes, and NMS works within a class (13). The longer the training, the rarer it becomes.

# %% [markdown]
# ## 9. Focal loss against cross-entropy
#
# One thing is changed: the loss. Same seed, same first weights, same order of the pictures, same bias of "nothing here".

# %%
predict(
    "17.q5",
    "The same detector is trained with plain cross-entropy. How much of its loss comes from easy background at the end of training?",
    ["less than 5 %", "5 to 30 %", "more than 30 %"],
)

# %%
plain = train_retina(alpha=None, gamma=0.0)
table["the same, cross-entropy"] = measure_detector(plain.model.find, validation, device=device)


# %%
@torch.no_grad()
def shares_of(model, alpha, gamma, count):
    """From whom the class loss of a trained detector comes, over some validation scenes."""
    images, targets = collate([validation[i] for i in range(count)])
    raw = model(images.to(device))
    kept = []
    for logits, one in zip(raw.logits.cpu(), targets):
        match = match_anchors(raw.anchors.cpu(), one["boxes"])
        truth_table = torch.zeros_like(logits)
        truth_table[match >= 0, one["labels"][match[match >= 0]]] = 1.0
        kept.append((logits[match != -2], truth_table[match != -2]))
    logits, truth_table = (torch.cat(parts) for parts in zip(*kept))
    return shares_of_loss(retina.focal_loss(logits, truth_table, alpha, gamma), logits, truth_table)


after = {"trained with cross-entropy": shares_of(plain.model, None, 0.0, at(smoke=4, full=60))}
after["trained with focal loss"] = shares_of(fitted.model, 0.25, 2.0, at(smoke=4, full=60))
pictures.show_shares(after, "From whom the loss comes, after training")

# %%
easy_plain, easy_focal = (after[f"trained with {name}"]["easy background"] for name in ("cross-entropy", "focal loss"))
reveal(
    "17.q5",
    answer=0 if easy_plain < 0.05 else 1 if easy_plain < 0.3 else 2,
    because=f"{easy_plain:.0%}; with the focal loss {easy_focal:.1%}.",
)
band("easy background's share, cross-entropy minus focal", easy_plain - easy_focal, at_least=0.02)

# %%
gains = {"focal loss": [table["our RetinaNet"].summary["AP"]], "cross-entropy": [table["the same, cross-entropy"].summary["AP"]]}
for seed in range(1, at(smoke=1, quick=1, full=2)):
    gains["focal loss"].append(measure_detector(train_retina(seed=seed).model.find, validation, device=device).summary["AP"])
    gains["cross-entropy"].append(measure_detector(train_retina(None, 0.0, seed).model.find, validation, device=device).summary["AP"])
show_table(gains, f"AP after {EPOCHS} epochs, one dot for each seed", "AP")

# %%
gain = sum(gains["focal loss"]) / len(gains["focal loss"]) - sum(gains["cross-entropy"]) / len(gains["cross-entropy"])
band("AP gained by the focal loss", gain, at_least=0.05)

# %% [markdown]
# The same network, and much less AP. Mind what the picture of shares says and what it does not: *after* training objects make most of either loss, since most background has become easy. But on the way there, cross-entropy
# begins with two thirds of its voice for background, and every step that lowers all scores a little is rewarded. The focal loss never pays for that.
#
# How large the gain is depends on the training. In a longer one cross-entropy catches up a part of it. And with heads *without* normalisation, in trials for this notebook, the two were level: one seed for, one against. In the paper
# (Table 1, ResNet-50 on COCO) it is 31.1 AP with weighted cross-entropy and 34.0 with the focal loss, both with the bias that begins at 0.01. A figure like "+3 AP" belongs to the training it was measured in.
#
# ✂ *50 minutes*
#
# ## 10. torchvision's, on the same backbone
#
# Libraries have these detectors ready. Can we put *our* backbone into them, train them with *our* loop on the same scenes? Yes, if three edges are right. Each of them is silent when it is wrong:
#
# | edge | what must be done | what happens otherwise |
# |---|---|---|
# | their transform resizes | `min_size=128, max_size=128` | every scene is enlarged to 800 pixels: correct, and forty times as slow |
# | their transform normalises | `image_mean=[0, 0, 0], image_std=[1, 1, 1]`, since our backbone does it | normalised twice: features of a picture that nobody has ever seen |
# | SSD's class 0 is background | labels + 1 on the way in, - 1 on the way out | the first class is never found |
#
# `coursekit/one_stage/with_torchvision.py` is the whole of it, a hundred lines. Nothing is downloaded.

# %%
torch.manual_seed(0)
library = {
    "torchvision RetinaNet": torchvision_retina(len(NAMES), load_backbone()),
    "torchvision SSD": torchvision_ssd(len(NAMES), load_backbone()),
}
first_loss = {}
for name, theirs in library.items():
    losses = theirs.train()(*collate([scenes[i] for i in range(2)]))
    first_loss[name] = losses["loss"].item()
    print(
        f"{name:22} {sum(p.numel() for p in theirs.parameters()):>9,} weights; "
        + ", ".join(f"{k} {v.item():.2f}" for k, v in losses.items())
    )

# %% [markdown]
# SSD has no pyramid, heads of a single convolution, and mines hard negatives instead of the focal loss. torchvision's RetinaNet differs from ours in small things: four convolutions in each head instead of two, and anchors at
# the corner of the cell.

# %%
epochs_of = {"torchvision RetinaNet": at(smoke=1, quick=1, full=12), "torchvision SSD": at(smoke=1, quick=2, full=12)}
fall = {}
for name, theirs in library.items():
    trained = fit_detector(theirs, training, lambda m, x, t: m(x, t), epochs_of[name], seed=0, device=device)
    table[name] = measure_detector(trained.model.find, validation, device=device)
    fall[name] = trained.history[-1]["loss"] / first_loss[name]

# %%
print(f"{'detector':26} {'epochs':>6}   AP     AP50   AP75   ms per picture")
for name, measured in table.items():
    ap = "  ".join(f"{measured.summary[key]:.3f}" for key in ("AP", "AP50", "AP75"))
    print(f"{name:26} {epochs_of.get(name, EPOCHS):>6}   {ap}   {measured.milliseconds:5.1f}")

# %%
for name in library:
    band(f"{name}: loss of the last epoch, over that before training", fall[name], at_most=0.8)
    if epochs_of[name] > 1:  # one epoch shows that it runs, and says nothing yet
        band(f"AP50 of {name}", table[name].summary["AP50"], at_least=at(quick=0.2, full=0.3))

# %% [markdown]
# One seed, a small world, a short training, and at the quick level not even as many epochs for each: this table does not say which architecture is better. It says that three programs by different people, with the same backbone, the same scenes and the same judge, find the same signs, and
# it puts a price in milliseconds beside each. In our full runs SSD is ahead with the plainest network of all: hard negatives are no bad answer to the flood, and its box loss weighs several times as much.
#
# ## 11. The same model as a config
#
# In many groups nobody writes a detector any more: they write a **config** (설정 파일). Two toolboxes are met most often, MMDetection and Detectron2. You do not need them installed to *read* them: every line below is a block that you have written today.
# Here is a RetinaNet as an MMDetection config, a Python file of nested dicts: `configs/_base_/models/retinanet_r50_fpn.py`, less what it says about normalisation and about where the first weights come from.

# %%
mmdet = {
    "type": "RetinaNet",
    "backbone": {"type": "ResNet", "depth": 50, "num_stages": 4, "out_indices": (0, 1, 2, 3), "frozen_stages": 1},
    "neck": {
        "type": "FPN",
        "in_channels": [256, 512, 1024, 2048],
        "out_channels": 256,
        "start_level": 1,
        "add_extra_convs": "on_input",
        "num_outs": 5,
    },
    "bbox_head": {
        "type": "RetinaHead",
        "num_classes": 80,
        "in_channels": 256,
        "stacked_convs": 4,
        "feat_channels": 256,
        "anchor_generator": {
            "type": "AnchorGenerator",
            "octave_base_scale": 4,
            "scales_per_octave": 3,
            "ratios": [0.5, 1.0, 2.0],
            "strides": [8, 16, 32, 64, 128],
        },
        "bbox_coder": {"type": "DeltaXYWHBBoxCoder", "target_means": [0.0] * 4, "target_stds": [1.0] * 4},
        "loss_cls": {"type": "FocalLoss", "use_sigmoid": True, "gamma": 2.0, "alpha": 0.25, "loss_weight": 1.0},
        "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
    },
    "train_cfg": {"assigner": {"type": "MaxIoUAssigner", "pos_iou_thr": 0.5, "neg_iou_thr": 0.4, "min_pos_iou": 0}},
    "test_cfg": {"nms_pre": 1000, "score_thr": 0.05, "nms": {"type": "nms", "iou_threshold": 0.5}, "max_per_img": 100},
}

# %% [markdown]
# Line by line:
#
# | in the config | means | yours |
# |---|---|---|
# | `backbone … out_indices=(0, 1, 2, 3)` | the maps of all four stages, strides 4, 8, 16, 32 | `Stages` |
# | `frozen_stages=1` | stem and first stage are not trained | `freeze` (12) |
# | `neck … in_channels`, `out_channels=256` | the 1x1 convolutions: from these widths to one | `PyramidBackbone(channels=…)` |
# | `start_level=1` | leave out stride 4 | `levels=(8, …)` |
# | `add_extra_convs="on_input"`, `num_outs=5` | two more maps, by 3x3 convolutions with stride 2: stride 64 from the last stage, stride 128 from that | we have none: our scenes are 128 pixels |
# | `num_classes=80` | without background | `RetinaNet(num_classes)` |
# | `stacked_convs=4`, `feat_channels=256` | depth and width of both heads | `Head(depth=…)` |
# | `octave_base_scale=4`, `scales_per_octave=3` | sizes 4 strides, times 1, 2^(1/3), 2^(2/3) | `sizes_for(strides, 4, 3)` |
# | `ratios`, `strides` | height / width; the maps | `make_anchors` |
# | `bbox_coder … target_stds` | deltas, divided by these | `encode_deltas` |
# | `loss_cls … gamma, alpha` | | `focal_loss` |
# | `loss_bbox=L1Loss` | distance of said and wanted deltas | `retina_loss` |
# | `pos_iou_thr=0.5`, `neg_iou_thr=0.4` | `high` and `low` | `match_anchors` |
# | `min_pos_iou=0` | the best anchor of an object answers, however poor it is: here for *that* object, in the other libraries and with us for the one that it overlaps most | the last rule of `match_anchors` |
# | `nms_pre=1000`, `score_thr=0.05`, `nms`, `max_per_img` | the way from scores to boxes | `detections` |
#
# And Detectron2, whose config is a YAML file over a list of defaults. What the file does not say is in the defaults; both are shown:
#
# ```yaml
# MODEL:
#   META_ARCHITECTURE: "RetinaNet"
#   BACKBONE:
#     NAME: "build_retinanet_resnet_fpn_backbone"     # strides 64 and 128 are made in here
#     FREEZE_AT: 2                                    # default: stem and first stage, as frozen_stages=1
#   RESNETS:
#     OUT_FEATURES: ["res3", "res4", "res5"]          # strides 8, 16, 32
#   FPN:
#     IN_FEATURES: ["res3", "res4", "res5"]
#     OUT_CHANNELS: 256                               # default
#   ANCHOR_GENERATOR:
#     # the file computes them: x, x * 2^(1/3), x * 2^(2/3)
#     SIZES: [[32, 40.3, 50.8], [64, 80.6, 101.6], [128, 161.3, 203.2], [256, 322.5, 406.4], [512, 645.1, 812.7]]
#     ASPECT_RATIOS: [[0.5, 1.0, 2.0]]                # default; height / width
#     OFFSET: 0.0                                     # default: the cell's corner. 0.5 is its centre, as ours
#   RETINANET:
#     NUM_CLASSES: 80                                 # default; without background
#     NUM_CONVS: 4                                    # default
#     IOU_THRESHOLDS: [0.4, 0.5]                      # low, high
#     IOU_LABELS: [0, -1, 1]                          # below: background, between: ignored, above: answers
#     PRIOR_PROB: 0.01                                # default: the bias of section 5
#     FOCAL_LOSS_GAMMA: 2.0                           # default
#     FOCAL_LOSS_ALPHA: 0.25                          # default
#     SMOOTH_L1_LOSS_BETA: 0.0                        # 0 makes it plain L1; the default is 0.1
#     SCORE_THRESH_TEST: 0.05                         # default
#     TOPK_CANDIDATES_TEST: 1000                      # default
#     NMS_THRESH_TEST: 0.5                            # default
# ```
#
# Two traps lie in the words. Detectron2's *ignored* is **-1** and its background 0; ours are -2 and -1, as in torchvision. And in one cell Detectron2 runs through the ratios first, we (and torchvision, and MMDetection) through the sizes: weights
# of a trained head do not travel between them without being re-ordered.
#
# If the reading is right, a config can be *turned into* our constructor's arguments, and the numbers must come out the same:


# %%
def arguments_of(config):
    """An MMDetection RetinaNet config -> what our RetinaNet is built from, for the strides that our backbone has."""
    head = config["bbox_head"]
    generator = head["anchor_generator"]
    strides = [stride for stride in generator["strides"] if stride in (4, 8, 16, 32)]
    return {
        "num_classes": head["num_classes"],
        "channels": config["neck"]["out_channels"],
        "strides": strides,
        "sizes": sizes_for(strides, generator["octave_base_scale"], generator["scales_per_octave"]),
        "ratios": generator["ratios"],
        "depth": head["stacked_convs"],
    }


arguments = arguments_of(mmdet)
print({name: value for name, value in arguments.items() if name != "sizes"})
print("sizes at stride 8:", [round(size, 1) for size in arguments["sizes"][0]], "- the first row of Detectron2's SIZES")

# %%
full_size = retina.RetinaNet(**arguments)
head_weights = sum(p.numel() for head in (full_size.classify, full_size.regress) for p in head.parameters())
second_version = partial(torch.nn.GroupNorm, 8)  # torchvision's retinanet_resnet50_fpn_v2 normalises its heads as well
reference = torchvision.models.detection.retinanet.RetinaNetHead(256, num_anchors=9, num_classes=80, norm_layer=second_version)
print(f"weights of the two heads: ours {head_weights:,}, torchvision's {sum(p.numel() for p in reference.parameters()):,}")
assert head_weights == sum(p.numel() for p in reference.parameters())
assert [round(size, 1) for size in arguments["sizes"][0]] == [32.0, 40.3, 50.8]

# %% [markdown]
# ## 12. On real pictures
#
# BCCD is 364 microscope pictures with three kinds of blood cells (혈구). If it is at hand, the same detector trains on them now; where it is not, this cell says so and goes on. `coursekit data get bccd` fetches it,
# 8 MB. If you have it already, write its folder, the one that holds `Annotations` and `JPEGImages`, into the first line.
# A single epoch, as at the quick level, shows only that it runs: we measured AP50 0.03 after one and 0.30 after three. At full it gets six.

# %%
from pathlib import Path

from coursekit.data import catalog
from coursekit.data.download import data_home
from coursekit.data.folder import FolderDataset

bccd = data_home() / "bccd" / "files"  # or Path("~/Downloads/BCCD").expanduser()
if bccd.is_dir():
    blood = {split: FolderDataset(catalog.load("bccd", split, folder=bccd)) for split in ("trainval", "test")}
    blood = {split: CachedDataset(samples, (192, 256)) for split, samples in blood.items()}  # 640 x 480 without a border
    torch.manual_seed(0)
    finder = retina.RetinaNet(3, load_backbone(), strides=STRIDES, sizes=SIZES, ratios=RATIOS)
    of_cells = fit_detector(
        finder, blood["trainval"], lambda m, x, t: retina.retina_loss(m(x), t), at(smoke=1, quick=1, full=6), device=device
    )
    on_cells = measure_detector(of_cells.model.find, blood["test"], blood["test"].classes, device)
    print(f"blood cells: AP {on_cells.summary['AP']:.3f}, AP50 {on_cells.summary['AP50']:.3f}; epochs: {len(of_cells.history)}")
else:
    print(catalog.describe(catalog.card("bccd")).splitlines()[0])
    print("It is not on this machine: coursekit data get bccd")

# %%
if bccd.is_dir():
    figure, axes = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
    for ax, i in zip(axes, range(2)):
        sure = on_cells.found[i][on_cells.found[i].scores > 0.3]
        show_boxes(blood["test"][i][0], sure.boxes, sure.labels, sure.scores, blood["test"].classes, ax=ax, title=f"{len(sure)} found")

# %% [markdown]
# ## Summary
#
# - An **anchor** is a box chosen before training, no filter: other anchors, same weights. It stands around the centre of its cell (or its corner: say which).
# - **Matching**: IoU at least 0.5 answers, below 0.4 is background, in between is not asked; the best anchor of each object answers anyway.
# - Size chooses the map: coarse maps answer for large objects. Look at the sizes of your objects before you choose those of your anchors.
# - **Deltas**: moves in sizes of the anchor, stretches as logarithms.
# - SSD takes the maps as they are; the **feature pyramid** carries what the coarse maps know down to the fine ones.
# - A head's map becomes rows in *exactly* the order of the anchors. A wrong order has the right shape.
# - Background is a flood. Begin with "no", ask only the hardest (SSD), or let the easy ones whisper (**focal loss**). Divide by the anchors that answer.
# - A config is a list of the blocks that you have written.
#
# ### Do you still know?
#
# <details><summary>Why are anchors between the two thresholds ignored, and not made background?</summary>
#
# They overlap an object by nearly a half. Told "nothing here", they would contradict their neighbours that overlap it by a little more and are told the opposite.
# </details>
#
# <details><summary>With cross-entropy and 100,000 anchors, what does the loss of a nearly trained network consist of?</summary>
#
# Mostly of easy background: each little, together more than the few objects that are still missed.
# </details>
#
# <details><summary>You double the number of anchors. Should the class loss change much?</summary>
#
# No. It is divided by the anchors that answer; the additional ones are nearly all background, and easy background hardly counts.
# </details>
#
# <details><summary>A detector reaches AP50 0.01, its loss falls nicely, all parts pass their tests. What do you check first?</summary>
#
# The order: that row i of logits and deltas belongs to anchor i. Let a "head" say where its cells are, and compare with the anchors' centres.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message, or symptom | what happened |
# |---|---|
# | `The size of tensor a (2016) must match the size of tensor b (336)` | one anchor a cell in one place, six in the other |
# | `No ground-truth boxes available for one of the images` (torchvision's Matcher) | an image without objects: handle it before matching |
# | `index 4 is out of bounds for dimension 1 with size 4` in the loss | labels from 1 in a loss that counts from 0 |
# | the loss is NaN in the first steps | deltas without a limit, or a box without area: log(0) |
# | boxes good, scores all near 0.01 | the class loss is divided by all anchors |
# | the first class is never found (SSD) | labels were not shifted past the background |
# | training forty times slower than expected | the library enlarges every picture to 800 pixels |
#
# ### Where to read more
#
# - Liu et al., SSD, arXiv 1512.02325 · Lin et al., Feature Pyramid Networks, arXiv 1612.03144 · Lin et al., Focal Loss for Dense Object Detection, arXiv 1708.02002: Table 1 is worth an hour.
# - Zhang et al., arXiv 1912.02424: what makes detectors with and without anchors differ is mostly the *matching*.
# - [MMDetection](https://github.com/open-mmlab/mmdetection) and [Detectron2](https://github.com/facebookresearch/detectron2): both Apache-2.0; look for `retinanet_r50_fpn.py` and `Base-RetinaNet.yaml`.
# - `coursekit/one_stage/`: the blocks of this notebook as the course uses them.
#
# **Next**: 18 looks twice. A first stage proposes boxes, with the anchors and the matching that you have just written, and a second one looks at each proposal again.
