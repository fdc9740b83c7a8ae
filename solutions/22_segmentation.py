# %% [markdown]
# # 22 · Segmentation: an answer for every pixel
#
# A box says where an object ends to the left, right, above and below. Between the corners it says nothing. Who must paint over a number
# plate, measure a wound or let a gripper close around a cup wants to know *which pixels*. Segmentation (분할) answers that, and you have met all
# of its ideas already: a classifier at every place (14), maps of several sizes that talk to each other (17), IoU (13), and boxes that are
# cropped to one size (18). Here they meet on the scenes that you know.
#
# | you will learn | you will build |
# |---|---|
# | three tasks on one picture: semantic, instance, panoptic; what each is for, and what its labels cost | |
# | why 90 % of the pixels right can be worth nothing | `iou_by_class` |
# | a fully convolutional network, and three ways to enlarge a map | `upsample_add` |
# | U-Net in miniature, and what its bridges are for, measured at the edges | |
# | a loss that is fair to small classes, and what that costs | `dice_loss` |
# | from boxes to masks; islands, and when they fail | `mask_iou` |
# | how masks are stored: polygons, run lengths, palettes, and the bugs in between | `rle_encode`, `resize_sample` repaired |
# | one number for things and stuff | `panoptic_quality` |
#
# **Time** about 3 minutes of computing on two CPU cores; about three hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you know convolution and its sizes (07), boxes and IoU (13), the classifier that became convolution (14), cross-entropy (02).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("22_segmentation")

# %%
import io
import json
import time
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from skimage.draw import polygon2mask
from skimage.measure import approximate_polygon, find_contours
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.data.signs import SignScenes
from coursekit.metrics.panoptic import panoptic_counts, quality_of, segment_overlaps
from coursekit.metrics.segmentation import boundary_band, iou_of_confusion, pixel_accuracy, pixel_confusion
from coursekit.plots.images import show_images, show_masks
from coursekit.plots.mask_threshold import drag_mask_threshold
from coursekit.plots.segmentation import show_bars, show_edges, show_maps, show_runs, show_segments
from coursekit.plots.tensors import show_grids
from coursekit.segmentation.fcn import Encoder
from coursekit.segmentation.instances import MaskHead, crop_boxes, mask_targets, paste_masks
from coursekit.segmentation.masks import connected_components, instances_from_map, rle_decode
from coursekit.segmentation.panoptic import merge_panoptic, panoptic_truth
from coursekit.sliding.heatmap import bilinear_kernel
from coursekit.training.device import choose_device
from coursekit.yolo.decode import detections
from coursekit.yolo.predict import load_shipped

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>14: A classifier for 48 x 48 crops is made fully convolutional. It gets a larger picture. What comes out?</summary>
#
# A map: one row of class scores for every place where a crop could have stood, all from one pass.
# </details>
#
# <details><summary>07: A picture of 96 x 96 goes through four convolutions with stride 2. How large is the map? And what is lost?</summary>
#
# 6 x 6. With kernels of 3 x 3 each of its values has seen 31 x 31 pixels, and nobody knows any more where in them something was.
# </details>
#
# <details><summary>06: 9 of 10 samples are of class A. What accuracy has a model that always says A?</summary>
#
# 90 %, without having looked.
# </details>
#
# ## 1. Three questions about one picture
#
# Our scenes are drawn, so the drawing code knows which pixel belongs to which sign. Nobody had to paint it.

# %%
NAMES = ("stop", "priority_road", "yield", "keep_right")
ALL = ("backdrop", *NAMES)  # class 0 is everything that is no sign
WORLD = {"size": 96, "difficulty": "easy", "classes": NAMES, "smallest": 40}
gallery = SignScenes(300, seed=22, **WORLD)
scene = gallery.scene(241)
print("image    ", scene.image.shape, scene.image.dtype)
print("instances", scene.instances.shape, scene.instances.dtype, "values", np.unique(scene.instances))
print("labels   ", [NAMES[k] for k in scene.labels])

# %%
predict("22.q1", "Three stop signs. How many different values has the *semantic* map of this picture?", ["1", "2", "3", "4"])

# %%
semantic = scene.semantic()
print("semantic ", semantic.shape, semantic.dtype, "values", np.unique(semantic), "=", [ALL[k] for k in np.unique(semantic)])
reveal("22.q1", answer=1, because="backdrop and stop. A semantic map knows classes; how many signs there are, it does not know.")


# %%
def masks_of(scene):
    """(N, 96, 96) bool: the true mask of each sign."""
    return scene.instances[None] == np.arange(1, len(scene.labels) + 1)[:, None, None]


masks = masks_of(scene)
figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
show_masks(scene.image, semantic, classes=NAMES, ax=axes[0], title="semantic: which CLASS is each pixel?")
numbered = [f"stop #{i}" for i in (1, 2, 3)]
show_masks(scene.image, masks, list(range(3)), numbered, ax=axes[1], title="instance: which OBJECT is it?")
show_masks(
    scene.image,
    np.concatenate([masks, semantic[None] == 0]),
    list(range(4)),
    [*numbered, "backdrop"],
    ax=axes[2],
    title="panoptic: both, for every pixel",
)
# %% [markdown]
# - **Semantic segmentation** (의미 분할): each pixel gets a class. The two signs that touch are one patch.
# - **Instance segmentation** (인스턴스 분할): each *object* gets a mask (마스크). What is no object stays empty, and masks may overlap.
# - **Panoptic segmentation** (파놉틱 분할): each pixel gets exactly one segment. A **thing** (셀 수 있는 물체: sign, person, car) has one segment for
#   each object; **stuff** (셀 수 없는 배경: sky, road, grass) has one in all.
#
# Our stuff is a poor one. The drawing code knows signs and nothing else, so there is a single kind of stuff: *backdrop*, everything that is
# no sign. Real data sets tell sky from road; COCO's panoptic task has 80 kinds of things and 53 of stuff.
#
# **Which do you need?** The area of rust on a bridge: semantic. Counting cells, grasping parts, cutting a person out: instance. A car that must
# know both where the road is and how many people stand on it: panoptic. And if a box is enough, take boxes, because of this:
#
# | what was labelled | time | source |
# |---|---|---|
# | one box, by dragging corners (ImageNet) | 35 s | quoted by Papadopoulos and others, 2017 |
# | one box, by clicking its four extreme points | 7 s | Papadopoulos and others, 2017 |
# | one mask, as a polygon (COCO: 22 hours for 1,000 masks) | 79 s | Lin and others, 2014 |
# | one mask, where a machine proposes and a person corrects | about a third of a polygon | Benenson and others, 2019 |
# | every pixel of one street scene (Cityscapes) | more than 1.5 hours | Cordts and others, 2016 |
#
# A mask costs between two and eleven boxes.
#
# ## 2. Measuring: the trap of pixel accuracy


# %%
def draw(seed: int, count: int, **knobs):
    """Scenes of one seed: images uint8 (N, 3, 96, 96), maps int64 (N, 96, 96), and the scenes themselves."""
    world = SignScenes(count, seed=seed, **(WORLD | knobs))
    drawn = [world.scene(i) for i in range(count)]
    images = torch.stack([torch.from_numpy(s.image.transpose(2, 0, 1).copy()) for s in drawn])
    return images, torch.stack([torch.from_numpy(s.semantic()) for s in drawn]), drawn


images, maps, drawn = draw(seed=0, count=at(smoke=16, quick=224, full=384))
held_images, held_maps, held = draw(seed=1, count=at(smoke=8, quick=80, full=80))  # other seed: never trained on
print("training", tuple(images.shape), tuple(maps.shape), " held out", tuple(held_images.shape))

# %%
predict(
    "22.q2",
    "A model has not learnt anything and says 'backdrop' for every pixel. How many pixels of the held-out scenes has it right?",
    ["about a fifth: there are five classes", "about a half", "about nine in ten"],
)

# %%
truth = held_maps.numpy()
nothing = np.zeros_like(truth)
accuracy = pixel_accuracy(truth, nothing)
each = [pixel_accuracy(t, n) for t, n in zip(truth, nothing) if t.any()]
print(f"pixel accuracy of saying nothing: {accuracy:.1%} in all; on the picture with the smallest signs {max(each):.1%}")
reveal("22.q2", answer=2 if accuracy > 0.75 else 1, because=f"{accuracy:.0%}. Most pixels of most pictures are background.")
band("pixel accuracy of 'backdrop everywhere'", accuracy, at_least=0.85, at_most=0.93)

# %% [markdown]
# **Pixel accuracy** (픽셀 정확도) praises a model that has seen nothing; on the picture with the smallest signs it gives it
# more than 98 %. The cure is the one of notebook 13: divide by the union, and do it **for each class**. A class that is never said has IoU 0, however small it is.
# The mean over classes is **mIoU** (mean IoU), the number of every table on semantic segmentation.
#
# By hand, on six pixels, with 0 for backdrop and 1 for stop:
#
# | | | | | | | |
# |---|---|---|---|---|---|---|
# | truth | 0 | 0 | 0 | 0 | 1 | 1 |
# | said | 0 | 0 | 0 | 1 | 1 | 1 |
#
# Backdrop: 3 shared, 4 in the union: 0.75. Stop: 2 shared, 3 in the union: 0.67. mIoU = (0.75 + 0.67) / 2 = 0.71, where pixel accuracy says 5 / 6 = 0.83.
#
# Two rules complete it. Some pixels have no known answer: a hand-drawn outline is never exact, so Pascal VOC paints a border of number **255**,
# **void** (무시 영역), around each object, and those pixels count nowhere. And a class that is neither in the truth nor ever said has no IoU at all: NaN.
#
# ### Exercise: IoU by class
# *difficulty 2 of 5 · importance 5 of 5 · about 15 minutes*
#
# | truth | said | classes | IoU |
# |---|---|---|---|
# | 0 0 0 0 1 1 | 0 0 0 1 1 1 | 2 | 0.75, 0.667 |
# | 0 0 255 1 | 0 0 1 1 | 2 | 1, 1 |
# | 0 0 0 0 | 0 0 0 2 | 3 | 0.75, NaN, 0 |


# %% exercise="22.iou_by_class"
def iou_by_class(truth, predicted, num_classes, ignore_index=255):
    """Two arrays of one shape with class numbers -> (num_classes,) IoU over all pixels together; NaN for a class that is nowhere.

    Pixels whose truth is ignore_index count nowhere.
    """
    ious = np.full(num_classes, np.nan)
    ### BEGIN SOLUTION
    known = truth != ignore_index
    truth, predicted = truth[known], predicted[known]
    for k in range(num_classes):
        shared = ((truth == k) & (predicted == k)).sum()
        union = ((truth == k) | (predicted == k)).sum()
        if union > 0:
            ious[k] = shared / union
    ### END SOLUTION
    return ious


iou_by_class = check("22.iou_by_class", iou_by_class)  # yours once it passes, ours until then

# %%
ious = iou_by_class(truth, nothing, num_classes=5)
for name, iou in zip(ALL, ious):
    print(f"{name:>14}: {iou:.3f}")
print(f"mIoU of saying nothing: {np.nanmean(ious):.3f}   (pixel accuracy: {accuracy:.3f})")

# %% [markdown]
# The same answer: nearly nine in ten in one measure, less than a fifth in the other. From here on we look at mIoU.
#
# All held-out pictures were counted *together*, as VOC, COCO and Cityscapes do. Somebody who takes the mIoU of each picture and then the mean gets another
# number, because a picture with one small sign then weighs as much as one with three large ones. A table has to say which it means.
#
# Stuck? `hint("22.iou_by_class")` helps a little, and a little more each time. `solution("22.iou_by_class")` shows ours.
#
# ✂ *50 minutes*
#
# ## 3. A classifier at every place
#
# Notebook 14 turned a classifier into a convolution and got a map of class scores. That *is* a segmentation, only a coarse one. A **fully convolutional
# network** (FCN, 완전 합성곱 신경망; Long, Shelhamer and Darrell, 2015) has no fully connected layer: an encoder that halves the map, then a 1x1 convolution
# that classifies every place of the last map.

# %%
torch.manual_seed(0)
encoder = Encoder(width=8)
classify = nn.Conv2d(64, 5, kernel_size=1)
features = encoder(images[:1])
for stride, level_map in zip((1, 2, 4, 8, 16), features):
    print(f"stride {stride:2}: {tuple(level_map.shape)}")
print("scores:   ", tuple(classify(features[-1]).shape), " a classifier at 6 x 6 places, 5 classes each")

# %% [markdown]
# 6 x 6 answers for 96 x 96 pixels. How much can that be worth *at best*? Suppose that every place knows the truth: each cell of 16 x 16 gets the
# shares of the classes in it, and the map is enlarged by bilinear interpolation (쌍선형 보간). A network with this last map can hope for little more (a little: it enlarges scores, which may be as large as they like).

# %%
predict(
    "22.q3",
    "Perfect knowledge in every cell of 16 x 16, enlarged to pixels. What mIoU?",
    ["0.99: hardly anything is lost", "between 0.8 and 0.95", "between 0.6 and 0.8", "below 0.6"],
)

# %%
shares = F.one_hot(held_maps, 5).permute(0, 3, 1, 2).float()  # (N, 5, 96, 96)
ceiling = {}
for stride in (2, 4, 8, 16):
    coarse = F.avg_pool2d(shares, stride)
    enlarged = F.interpolate(coarse, size=(96, 96), mode="bilinear", align_corners=False).argmax(dim=1).numpy()
    ceiling[stride] = np.nanmean(iou_by_class(truth, enlarged, 5))
    print(f"stride {stride:2}: mIoU at best {ceiling[stride]:.3f}")
reveal(
    "22.q3",
    answer=0 if ceiling[16] >= 0.95 else 1 if ceiling[16] >= 0.8 else 2 if ceiling[16] >= 0.6 else 3,
    because=f"{ceiling[16]:.2f} at stride 16, and {ceiling[8]:.2f} at 8. What is missing is lost along the outlines.",
)

# %% [markdown]
# ### Enlarging a map
#
# Three ways (업샘플링), on one row of two numbers, doubled:
#
# - **nearest**: repeat each. 0, 8 becomes 0, 0, 8, 8.
# - **bilinear**: pixels are little squares. The new centres lie a quarter of an old pixel to each side, so between 0 and 8 stand 2 and 6: 0, 2, 6, 8.
# - **transposed convolution** (전치 합성곱, often "deconvolution"): each value stamps a kernel, times itself, every two places; what overlaps is added.
#   With the kernel 0.25, 0.75, 0.75, 0.25 the 8 stamps 2, 6, 6, 2. That is bilinear again, and the kernel can be *learnt*.

# %%
line = torch.tensor([[[[0.0, 8.0]]]])
nearest = F.interpolate(line, scale_factor=2, mode="nearest")[0, 0, 0]
bilinear = F.interpolate(line, scale_factor=2, mode="bilinear", align_corners=False)[0, 0, 0]
kernel = bilinear_kernel(2)[1:2] / 0.75  # one row of it: 0.25, 0.75, 0.75, 0.25
stamped = F.conv_transpose2d(line, kernel[None, None], stride=(1, 2))[0, 0, 0]
print("kernel", kernel[0].tolist())
show_grids({"small": line[0, 0], "nearest": nearest, "bilinear": bilinear, "stamps, added": stamped}, "One row, doubled in three ways")
# %% [markdown]
# The stamps reach over both ends; a `padding` of 1 cuts the row to 0, 2, 6, **6**. At the edge the two differ: the stamp fades into nothing there,
# bilinear repeats the last pixel.
#
# ### The skip: let the fine maps have a say
#
# Enlarging cannot bring back what halving has lost. But the network *had* it: the map of stride 2 still knew where the edge runs. So classify that map,
# too, and **add** its scores to the enlarged coarse ones. This is a **skip connection** (스킵 연결), and FCN's main idea. The authors measured, on VOC 2011:
# 59.4 mIoU without, 62.4 with one skip, 62.7 with two.
#
# ### Exercise: upsample_add
# *difficulty 1 of 5 · importance 4 of 5 · about 10 minutes*
#
# By hand: coarse 0, 8 enlarged to four is 0, 2, 6, 8. With a fine map 1, 1, 1, 1 the sum is 1, 3, 7, 9. Mind odd sizes: 5 halves to 3, and 3 must become 5 again.
# `F.interpolate(x, size=(height, width), mode=..., align_corners=False)` enlarges (N, C, h, w).


# %% exercise="22.upsample_add"
def upsample_add(coarse: Tensor, fine: Tensor) -> Tensor:
    """(N, C, h, w) and (N, C, H, W) -> (N, C, H, W): the coarse map, bilinearly enlarged to the fine one's size, plus the fine one."""
    ### BEGIN SOLUTION
    enlarged = F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False)
    return enlarged + fine
    ### END SOLUTION


upsample_add = check("22.upsample_add", upsample_add)


# %%
class FCN(nn.Module):
    """uint8 (N, 3, H, W) -> logits (N, K, H, W). skips: how many finer maps have a say, 0 .. 4."""

    def __init__(self, num_classes, width=8, skips=0):
        super().__init__()
        self.encoder = Encoder(width)
        self.score = nn.ModuleList(nn.Conv2d(c, num_classes, kernel_size=1) for c in self.encoder.channels[::-1][: skips + 1])

    def forward(self, images):
        features = self.encoder(images)[::-1]  # coarsest first
        scores = self.score[0](features[0])
        for score, finer in zip(self.score[1:], features[1:]):
            scores = upsample_add(scores, score(finer))
        return F.interpolate(scores, size=images.shape[2:], mode="bilinear", align_corners=False)


for skips in (0, 4):
    model = FCN(5, skips=skips)
    print(f"{skips} skips: {sum(p.numel() for p in model.parameters()):,} parameters, output {tuple(model(images[:1]).shape)}")

# %% [markdown]
# Four skips add a few hundred weights to 150,000.
#
# ✂ *50 minutes*
#
# ## 4. A loss that is fair to small classes
#
# Cross-entropy is a mean over pixels, and nine in ten are backdrop. Early in training the cheapest way to lower it is to say backdrop everywhere. Who trains on
# smaller objects can watch it stay there for many epochs. **Dice** (다이스 계수) asks for each class how much of *it* was found:
#
# $$\text{dice} = \frac{2 \cdot \text{shared}}{\text{said} + \text{true}}$$
#
# It is F1 (06) over pixels, and goes hand in hand with IoU: dice = 2 IoU / (1 + IoU). As a loss it takes *probabilities* instead of decisions, so that it has a
# slope. By hand, a class that is true on the last two of four pixels, and its probabilities:
#
# | | | | | | sum |
# |---|---|---|---|---|---|
# | true | 0 | 0 | 1 | 1 | 2 |
# | probability | 0 | 0.5 | 0.5 | 1 | 2 |
# | product | 0 | 0 | 0.5 | 1 | **1.5** |
#
# dice = 2 · 1.5 / (2 + 2) = 0.75, the loss is 0.25. A small number `smooth` is added above and below: a class with no pixel that is rightly not said then has dice
# smooth / smooth = 1, instead of 0 / 0. Backdrop is left out of the mean: it would be nearly 1 always.
#
# ### Exercise: dice_loss
# *difficulty 3 of 5 · importance 4 of 5 · about 20 minutes*
#
# The sums go over all pictures and pixels of the batch. `F.one_hot(target, K)` is (N, H, W, K); `.permute(0, 3, 1, 2)` makes it (N, K, H, W).


# %% exercise="22.dice_loss"
def dice_loss(logits: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """Logits (N, K, H, W) and classes (N, H, W) -> 1 - the mean dice of the classes 1 .. K - 1; 0 is background and left out."""
    ### BEGIN SOLUTION
    probabilities = logits.softmax(dim=1)
    true = F.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2)  # (N, K, H, W)
    shared = (probabilities * true).sum(dim=(0, 2, 3))  # (K,)
    sizes = (probabilities + true).sum(dim=(0, 2, 3))
    dice = (2 * shared + smooth) / (sizes + smooth)
    return 1 - dice[1:].mean()
    ### END SOLUTION


dice_loss = check("22.dice_loss", dice_loss)

# %%
sure = torch.tensor([[0.0, 0.5, 0.5, 1.0]]).clamp(1e-6, 1 - 1e-6)
by_hand = torch.stack([(1 - sure).log(), sure.log()])[None]  # (1, 2, 1, 4): logits whose softmax is 1 - p and p
print(f"the example: loss {dice_loss(by_hand, torch.tensor([[[0, 0, 1, 1]]]), smooth=1e-6).item():.3f}")

# %% [markdown]
# Fair in which sense? A picture with two signs, a small one of 40 pixels and a large one of 1,600. What does it cost to miss the one, and what to miss the other?

# %%
target = torch.zeros(1, 96, 96, dtype=torch.int64)
target[0, 0, :40] = 1
target[0, 20:60, 20:60] = 2


def sure_of(classes):
    """Logits that leave hardly a doubt."""
    return 8.0 * F.one_hot(classes, 5).permute(0, 3, 1, 2)


for name, loss_of in (("cross-entropy", F.cross_entropy), ("dice", dice_loss)):
    small, large = (loss_of(sure_of(torch.where(target == k, 0, target)), target).item() for k in (1, 2))
    print(f"{name:>14}: the small one missed {small:.3f}, the large one missed {large:.3f}")

# %% [markdown]
# To cross-entropy the large sign is worth forty small ones: it counts pixels. To dice they are worth the same: it counts classes. (Why 0.6, where one class of four is missed and three are right? Two of
# the three are nowhere in this picture. "Hardly a doubt", 0.0003 on each of 9,216 pixels, adds up to three pixels of a class that has none: 0.19 for each of the two. We come back to that.) Alone, dice is a nervous loss (its slope depends on
# how large a class happens to be in this batch), so people add the two.
#
# ### The loop
#
# Nothing new (05): only that every pixel is a sample. `F.cross_entropy` takes logits (N, K, H, W) and a map (N, H, W) as they are.

# %%
device = choose_device()
both = lambda logits, target: F.cross_entropy(logits, target) + dice_loss(logits, target)


def train(model, loss_of, epochs, seed=0, images=images, maps=maps):
    """Train on pictures and their maps; returns the model, in eval mode, and the mean loss of each epoch."""
    fast = {
        "device": device,
        "memory_format": torch.channels_last,
    }  # channels side by side: a third quicker on a CPU, same numbers but for rounding
    model, order, losses = model.to(**fast).train(), torch.Generator().manual_seed(seed), []
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.01)
    steps = len(images) // 4
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.01, total_steps=epochs * steps, pct_start=0.15)
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(images), generator=order)[: 4 * steps].view(steps, 4):
            loss = loss_of(model(images[rows].to(**fast)), maps[rows].to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        losses.append(total / steps)
    return model.eval(), losses


@torch.no_grad()
def segment(model, images):
    """uint8 (N, 3, H, W) -> probabilities (N, K, H, W) on the CPU."""
    return torch.cat([model(part.to(device)).softmax(dim=1).cpu() for part in images.split(20)])


EPOCHS = at(smoke=1, quick=8, full=10)


# %%
def compare(make, epochs, seeds, data, held_data):
    """IoU by class on held-out scenes, one array a seed, with cross-entropy and with the sum; and the last model with the sum of seed 0."""
    found, kept = {"cross-entropy": [], "cross-entropy + dice": []}, None
    for seed in range(seeds):
        for name, loss_of in (("cross-entropy", F.cross_entropy), ("cross-entropy + dice", both)):
            torch.manual_seed(seed)  # the same weights and the same order for both
            model, losses = train(make(), loss_of, epochs, seed, *data)
            ious = iou_by_class(held_data[1].numpy(), segment(model, held_data[0]).argmax(dim=1).numpy(), 5)
            found[name].append(ious)
            print(f"seed {seed}, {name:>20}: loss {losses[0]:.3f} -> {losses[-1]:.3f}, mIoU {np.nanmean(ious):.3f}")
            kept = model if seed == 0 else kept
    return found, kept


compared, fcn = compare(
    lambda: FCN(5), at(smoke=1, quick=8, full=10), at(smoke=1, quick=1, full=2), (images, maps), (held_images, held_maps)
)
by_class = {name: dict(zip(ALL, np.mean(values, axis=0).tolist())) for name, values in compared.items()}
show_bars(by_class, "IoU of each class on held-out scenes, FCN without skips", "IoU")
# %% [markdown]
# Look at the bars class by class. Classes are found one after another: backdrop first, then what is large and easy. A class near 0 has not been found *yet*, and which one comes late hangs on seed and length. On 224 scenes
# we measured, with cross-entropy alone and with the sum: 0.47 and 0.79 after 8 epochs, 0.78 and 0.78 after 10. One run of one length proves nothing.
#
# So make it harder. One sign a picture, and a small one:

# %%
RARE = {"smallest": 24, "largest": 40, "most": 1, "empty": 0}
few = draw(0, at(smoke=8, quick=160, full=160), **RARE)[:2]
few_held = draw(1, at(smoke=8, quick=80, full=80), **RARE)[:2]
print(f"backdrop: {pixel_accuracy(few_held[1].numpy(), np.zeros(few_held[1].shape, int)):.1%} of the pixels")

# %%
predict(
    "22.q5",
    "A new FCN, with skips, on these pictures, for five epochs. Whose mIoU is higher?",
    ["with dice, by more than 0.02", "they are within 0.02", "cross-entropy alone, by more than 0.02"],
)

# %%
rare, _ = compare(lambda: FCN(5, skips=4), at(smoke=1, quick=5, full=5), at(smoke=1, quick=1, full=2), few, few_held)
more = np.nanmean(rare["cross-entropy + dice"]) - np.nanmean(rare["cross-entropy"])
reveal(
    "22.q5",
    answer=0 if more > 0.02 else 1 if more >= -0.02 else 2,
    because=f"{more:+.3f} by dice, on average over {len(rare['cross-entropy'])} run(s).",
)

# %% [markdown]
# > **Myth**: *"Where classes are rare, use dice."*
#
# When this was written, dice *lost* here: 0.55 against 0.64, and in two more runs 0.37 against 0.64 and 0.46 against 0.60. Think about a batch of four pictures with one sign each: most of the four classes are not in it. About an absent class dice can
# say only one thing, "less of it, everywhere", and it says so as loudly as it speaks for a class that is there. So people take larger batches, or leave absent classes out of the mean, or start from a network that has
# learnt already, as we do in the next section. Other cures for imbalance: weights for rare classes in cross-entropy (04), and focal loss (17). Each is a tool with a price. Measure it on *your* data, with
# more than one seed.

# %%
index = max(range(len(held)), key=lambda n: len(set(held[n].labels.tolist())))  # the first scene with the most kinds of signs
show_maps(
    held_images[index],
    {"truth": truth[index], "FCN, no skips": segment(fcn, held_images[index : index + 1]).argmax(dim=1)[0]},
    NAMES,
    "A picture that it has never seen",
)
# %% [markdown]
# It knows where signs are and mostly which; a small one may be missing altogether. Its outlines are as round as a potato: an octagon and a diamond look alike.
#
# ✂ *50 minutes*
#
# ## 5. U-Net: bridges at every size
#
# FCN's skips hand over *class scores*: five numbers a place, made by a 1x1 convolution that must decide at once. **U-Net** (Ronneberger, Fischer and Brox,
# 2015, for cells under a microscope with only 30 labelled pictures) hands over the **features**, lays them beside the enlarged ones, and lets a 3x3 convolution mix them. Down
# to see *what*, up to say *where*, with a bridge at every size:
#
# ```
#   96 x 96    8 ch ───────────── bridge ──────────────▶ ‖ 3x3 →  8 ch ── 1x1 → 5 classes
#                 ╲ halve                          double ╱
#   48 x 48       16 ch ───────── bridge ─────────▶ ‖ 3x3 → 16 ch
#                    ╲                            ╱
#   24 x 24          32 ch ────── bridge ────▶ ‖ 3x3 → 32 ch
#                       ╲                    ╱
#   12 x 12             64 ch ─ bridge ▶ ‖ 3x3 → 64 ch
#                          ╲          ╱
#    6 x  6                 64 ch ──╯
# ```
#
# This shape, narrow in the middle, is called encoder and decoder (인코더-디코더).


# %%
class UNet(nn.Module):
    """uint8 (N, 3, H, W) -> logits (N, K, H, W): the encoder of FCN, and a way up with bridges."""

    def __init__(self, num_classes, width=8):
        super().__init__()
        self.encoder = Encoder(width)
        up = self.encoder.channels[::-1]  # 64, 64, 32, 16, 8
        mix = lambda before, after: nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        self.mix = nn.ModuleList(mix(below + skip, skip) for below, skip in pairwise(up))
        self.score = nn.Conv2d(up[-1], num_classes, kernel_size=1)

    def forward(self, images):
        *skips, x = self.encoder(images)
        for mix, skip in zip(self.mix, reversed(skips)):
            x = F.interpolate(x, size=skip.shape[2:], mode="nearest")
            x = mix(torch.cat([x, skip], dim=1))  # beside each other, not added
        return self.score(x)


print(f"{sum(p.numel() for p in UNet(5).parameters()):,} parameters, against {sum(p.numel() for p in FCN(5).parameters()):,} of the FCN")

# %% [markdown]
# ### Three ways up from one encoder
#
# To see what the way *up* does, everything else must be equal. So we do what the FCN authors did, who made each finer network out of the coarser one before it: all three begin with the
# encoder that has just learnt (12: transfer), get a new way up with random weights, and train on with the same pictures in the same order for the same number of steps.

# %%
predict(
    "22.q4",
    "FCN without skips, FCN with four, U-Net, all from one encoder. Where will bridges help most, against the FCN without skips?",
    ["far from outlines: the classes get better", "within two pixels of an outline", "nowhere: the encoder decides"],
)

# %%
said, models = {}, {}
for name, make in (("FCN", lambda: FCN(5)), ("FCN + 4 skips", lambda: FCN(5, skips=4)), ("U-Net", lambda: UNet(5))):
    torch.manual_seed(0)
    model, begin = make().to(device), time.perf_counter()
    model.encoder.load_state_dict(fcn.encoder.state_dict())
    models[name], losses = train(model, both, at(smoke=1, quick=5, full=8))
    said[name] = segment(model, held_images).argmax(dim=1).numpy()
    print(f"{name:>14}: {time.perf_counter() - begin:.0f} s, loss {losses[0]:.3f} -> {losses[-1]:.3f}")
unet = models["U-Net"]

# %% [markdown]
# To measure *at the edges*, take only the pixels that lie within two pixels of a change of class, a **band** around each outline, and call all the others void. The
# other way round gives the pixels away from every outline. To keep "which sign" apart from "where does it end", count signs against backdrop there.

# %%
near = boundary_band(truth, width=2)
print(f"the band holds {near.mean():.1%} of the pixels")
show_images([held_images[index], near[index]], ["picture", "the band"], suptitle="Within two pixels of an outline")


# %%
def sign_iou(predicted, where):
    """IoU of sign against backdrop, over the pixels marked in where."""
    shown = np.where(where, truth > 0, 255)
    return iou_by_class(shown, (predicted > 0).astype(int), 2)[1]


scores = {
    name: {
        "mIoU, all pixels": np.nanmean(iou_by_class(truth, p, 5)),
        "mIoU in the band": np.nanmean(iou_by_class(np.where(near, truth, 255), p, 5)),
        "sign or not, in the band": sign_iou(p, near),
        "sign or not, elsewhere": sign_iou(p, ~near),
    }
    for name, p in said.items()
}
show_bars(scores, "Three ways up from one encoder, on held-out scenes", "IoU")
# %%
gain_near = scores["U-Net"]["sign or not, in the band"] - scores["FCN"]["sign or not, in the band"]
gain_far = scores["U-Net"]["sign or not, elsewhere"] - scores["FCN"]["sign or not, elsewhere"]
print(f"U-Net minus FCN, sign or not: {gain_near:+.3f} in the band, {gain_far:+.3f} elsewhere")
reveal(
    "22.q4",
    answer=1 if gain_near > gain_far else 0,
    because=f"{gain_near:+.2f} within two pixels of an outline, {gain_far:+.2f} away from it. Both have the same encoder; the bridges carry the edges.",
)
band("U-Net minus FCN, sign or not, in the band", gain_near, at_least=0.08)

# %%
largest = held[index].boxes[np.argmax(held[index].seen)]
close = np.clip(largest + np.array([-6, -6, 6, 6]), 0, 96)
show_edges(held_images[index], truth[index], {name: p[index] for name, p in said.items()}, close, "One sign, close up")
# %% [markdown]
# > **Myth**: *"A deeper encoder makes sharper masks."*
#
# Depth answers *what*. The outline is lost by halving, and comes back over the bridges: all three had the same encoder.
#
# Nor does it have to be a U-Net. Four skips of added scores come within a few hundredths of it at the outlines of our plain signs, with 620 new weights instead of 110,000, and in runs of other lengths and seeds they were ahead
# over all pixels. Where a pixel near the edge needs more than K numbers to be understood, in hair, in cells, in roots, whole features over the bridge pay. And where all three are wrong *inside* a sign, they take one sign for another: that needs a better encoder or more pictures.

# %%
band("mIoU of the U-Net on scenes that it has never seen", scores["U-Net"]["mIoU, all pixels"], at_least=0.65)

# %% [markdown]
# ### Where does the mask end? Drag the threshold
#
# The network gives a probability for each pixel; the mask is a decision. For one class against the rest, a threshold moves the outline in and out:

# %%
probabilities = segment(unet, held_images[index : index + 1])[0]  # (5, 96, 96)
drag_mask_threshold(held_images[index], 1 - probabilities[0], truth[index] > 0)
# %% [markdown]
# A good map is black and white with a thin grey rim: then the threshold hardly matters. Where a doctor must not miss a tumour, it stands low; where a robot must not
# touch anything else, high. Precision and recall (06), per pixel.
#
# ✂ *50 minutes*
#
# ## 6. Instances: which sign is it?
#
# The cheapest way from a semantic map to objects: every island of one class is an object (**connected components**, 연결 요소). Start at a pixel, walk to its neighbours
# of the same class until there are none, give the island a number, go on.

# %%
small = np.array([[1, 1, 0, 0, 2, 2], [1, 1, 0, 0, 2, 2], [0, 0, 0, 1, 0, 0], [2, 2, 0, 1, 0, 0]])
show_grids(
    {"classes": small, "class 1 islands": connected_components(small == 1), "class 2 islands": connected_components(small == 2)},
    "Islands of each class",
)
# %%
found, kinds = instances_from_map(scene.semantic())  # the true map of the scene of section 1: nothing here can be blamed on a network
figure, axes = plt.subplots(1, 2, figsize=(8, 4.4), layout="constrained")
show_masks(scene.image, masks, list(range(3)), numbered, ax=axes[0], title=f"truth: {len(masks)} stop signs")
show_masks(
    scene.image,
    found,
    list(range(len(found))),
    [f"island {i + 1}" for i in range(len(found))],
    ax=axes[1],
    title=f"islands of the TRUE map: {len(found)}",
)
# %%
merged = []
for i in range(at(smoke=40, quick=300, full=300)):
    plan = gallery.plan(i)  # where everything is, without drawing it
    islands, _ = instances_from_map(np.concatenate([[0], plan.labels + 1])[plan.instances])
    if len(islands) < len(plan.labels):
        merged.append(i)
print(f"scenes in which the true map has fewer islands than signs: {merged}")

# %% [markdown]
# Two signs of one class that touch become one, even with a perfect map: the information is not in it. In our roomy scenes that is rare; in a crowd of people or a
# dish of cells it is the normal case. The other failure is as simple: a pole before a sign cuts it into two islands.
#
# **Mask R-CNN** (He and others, 2017) goes the other way round: first boxes, which *are* instances, then a mask inside each. From notebook 18 you have everything:
#
# 1. a detector gives boxes;
# 2. **RoI align** crops each to one size, 28 x 28;
# 3. a tiny FCN, the **mask head**, says for each pixel of the crop: does it belong to *the object that this box is about*?
# 4. the small mask is put back, stretched to its box.
#
# What is a box worth without it? Take the box itself as the mask.

# %%
predict(
    "22.q6",
    "A priority sign is a square standing on its corner. Its tight box is taken for its mask. What is the IoU?",
    ["0.79", "0.64", "0.50", "0.25"],
)

# %% [markdown]
# ### Exercise: mask_iou
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# As `box_iou` in 13, every pair at once, only that shared and union are *counted*. By hand on 2 x 4 pixels:
#
# | mask a | mask b | shared | union | IoU |
# |---|---|---|---|---|
# | 1 1 0 0 / 1 1 0 0 | 0 1 1 0 / 0 1 1 0 | 2 | 6 | 0.333 |
# | 1 1 0 0 / 1 1 0 0 | 0 0 0 0 / 0 0 0 0 | 0 | 4 | 0 |
# | all 0 | all 0 | 0 | 0 | 0, as pycocotools has it |


# %% exercise="22.mask_iou"
def mask_iou(masks1, masks2):
    """(N, H, W) and (M, H, W) bool arrays -> (N, M) float IoU of every pair; 0 where both are empty."""
    ### BEGIN SOLUTION
    shared = (masks1[:, None] & masks2[None]).sum(axis=(2, 3))  # (N, M)
    union = (masks1[:, None] | masks2[None]).sum(axis=(2, 3))
    return np.where(union > 0, shared / np.maximum(union, 1), 0.0)
    ### END SOLUTION


mask_iou = check("22.mask_iou", mask_iou)

# %%
filled = {name: [] for name in NAMES}
for s in held:
    boxes_as_masks = paste_masks(torch.ones(len(s.boxes), 28, 28), torch.from_numpy(s.boxes).float(), (96, 96)).numpy()
    for label, iou in zip(s.labels, np.diagonal(mask_iou(masks_of(s), boxes_as_masks))):
        filled[NAMES[label]].append(iou)
print({name: round(float(np.mean(values)), 2) for name, values in filled.items() if values})
reveal(
    "22.q6",
    answer=2,
    because=f"half of its box. Measured {np.mean(filled['priority_road'] or [0.5]):.2f}: ours have round corners, so smaller boxes, and lean a little.",
)

# %% [markdown]
# Now the mask head. It learns from true boxes, shaken a little, because a detector's boxes will not be exact either.

# %%
boxes = [torch.from_numpy(s.boxes).float() for s in drawn]
own_masks = [torch.from_numpy(masks_of(s)) for s in drawn]
generator = torch.Generator().manual_seed(0)


def shaken(boxes, amount=0.08):
    """Move each side of each box by up to `amount` of the box's size."""
    sizes = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + (2 * torch.rand(boxes.shape, generator=generator) - 1) * amount * sizes


some = [shaken(b) for b in boxes[:8]]
crops, targets = crop_boxes(images[:8], some), mask_targets(own_masks[:8], some)
print("crops", tuple(crops.shape), " targets", tuple(targets.shape))
pairs = [part for pair in zip(crops[:4], targets[:4]) for part in pair]
show_images(pairs, ["crop", "its mask"] * (len(pairs) // 2), suptitle="What the mask head learns from")
# %%
torch.manual_seed(0)
head = MaskHead().to(device)
optimiser = torch.optim.AdamW(head.parameters(), lr=3e-3)
for _ in range(at(smoke=1, quick=8, full=16)):
    moved = [shaken(b) for b in boxes]
    crops, targets, total = crop_boxes(images, moved), mask_targets(own_masks, moved), 0.0
    parts = torch.randperm(len(crops), generator=generator).split(16)
    for rows in parts:
        loss = F.binary_cross_entropy_with_logits(head(crops[rows].to(device)), targets[rows].to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item()
head.eval()
print(f"{len(crops)} crops; binary cross-entropy a pixel in the last epoch: {total / len(parts):.3f}")


# %%
@torch.no_grad()
def masks_in(image, boxes):
    """uint8 (3, H, W) and (R, 4) boxes -> (R, H, W) bool."""
    if len(boxes) == 0:
        return np.zeros((0, *image.shape[1:]), dtype=bool)
    small = head(crop_boxes(image[None], [boxes]).to(device)).sigmoid().cpu()
    return paste_masks(small, boxes, tuple(image.shape[1:])).numpy()


# %% [markdown]
# Whose boxes? Those of the truth show what the head can do. Those of a real detector show what you would get: the one that the course ships, which wants larger
# pictures, so it looks at ours enlarged to 256.

# %%
detector = load_shipped().to(device)
wanted = {detector.classes.index(name): label for label, name in enumerate(NAMES)}


@torch.no_grad()
def find_boxes(image):
    """uint8 (3, 96, 96) -> boxes (R, 4) in its pixels, scores (R,), labels (R,): places in NAMES."""
    large = F.interpolate(image[None].float(), size=256, mode="bilinear", align_corners=False).round().to(torch.uint8)
    one = detections(detector(large.to(device)), confidence=0.3)[0]
    keep = [i for i, label in enumerate(one.labels.tolist()) if label in wanted]
    labels = np.array([wanted[int(one.labels[i])] for i in keep], dtype=np.int64)
    return one.boxes[keep].cpu() * 96 / 256, one.scores[keep].cpu().numpy(), labels


looked = [find_boxes(image) for image in held_images]  # once for all


def objects(way, number):
    """Masks (R, 96, 96), scores and labels of held-out scene `number`, found in one of four ways."""
    image, s = held_images[number], held[number]
    if way == "islands of the U-Net":
        found, kinds = instances_from_map(said["U-Net"][number], smallest=20)
        return found, found.sum(axis=(1, 2)).astype(float), kinds - 1
    if way == "true boxes + mask head":
        return masks_in(image, torch.from_numpy(s.boxes).float()), np.ones(len(s.labels)), s.labels
    boxes, scores, labels = looked[number]
    if way == "detector's boxes, filled":
        return paste_masks(torch.ones(len(boxes), 28, 28), boxes, (96, 96)).numpy(), scores, labels
    return masks_in(image, boxes), scores, labels


WAYS = ("islands of the U-Net", "detector's boxes, filled", "detector's boxes + mask head", "true boxes + mask head")
results = {way: [objects(way, n) for n in range(len(held))] for way in WAYS}

# %% [markdown]
# How good are they? **Mask AP** (마스크 AP) is notebook 20's AP with one function exchanged: `mask_iou` in place of `box_iou`. The ladder of ten thresholds stays, and with masks it bites: a box
# taken for a mask passes 0.5; at 0.75 only round signs and octagons still pass, at 0.9 none. As a first look: which share of the true signs has a mask of its class that reaches IoU t?


# %%
def best_ious(found):
    """For each true sign of the held-out scenes: the IoU of the best mask of its class, 0 without one."""
    best = []
    for s, (masks, _, labels) in zip(held, found):
        table = mask_iou(masks_of(s), masks) * (s.labels[:, None] == labels[None])
        best += table.max(axis=1, initial=0).tolist()
    return np.array(best)


ladder = {way: {f"IoU {t:g}": float((best_ious(results[way]) >= t).mean()) for t in (0.5, 0.75, 0.9)} for way in WAYS}
show_bars(ladder, "Signs with a mask of the right class that reaches ...", "share of the true signs")
# %%
head_gain = ladder["detector's boxes + mask head"]["IoU 0.75"] - ladder["detector's boxes, filled"]["IoU 0.75"]
band("signs at IoU 0.75: mask head minus filled boxes, same detector", head_gain, at_least=0.3)
band("mean mask IoU in true boxes", best_ious(results["true boxes + mask head"]).mean(), at_least=0.88)

# %%
picture = torch.from_numpy(scene.image.transpose(2, 0, 1).copy())
inside = masks_in(picture, torch.from_numpy(scene.boxes).float())
seen = segment(unet, picture[None]).argmax(dim=1).numpy()[0]
drops, kinds = instances_from_map(seen, smallest=20)
figure, axes = plt.subplots(1, 2, figsize=(8, 4.4), layout="constrained")
show_masks(
    scene.image,
    drops,
    list(range(len(drops))),
    [f"{NAMES[k - 1]}?" for k in kinds],
    ax=axes[0],
    title=f"islands of the U-Net: {len(drops)}",
)
show_masks(scene.image, inside, list(range(len(inside))), numbered, ax=axes[1], title=f"a mask in each true box: {len(inside)}")
# %% [markdown]
# In its box, each of the touching signs gets a mask of its own, whatever the map of classes makes of a red motorcycle. Where the small sign's box holds a corner of its neighbour, the head may take that for its own as well: it has
# seen few boxes with two signs in them. Masks may overlap; section 8 has to decide.
#
# Ours crops pixels. Mask R-CNN crops the backbone's map: the picture is looked at once, and boxes, classes and masks share the work. It also predicts one mask for *each class* and reads
# that of the box's class, so that classes need not compete.
#
# ✂ *50 minutes*
#
# ## 7. How masks are stored, and how they break
#
# A mask of 96 x 96 is 9,216 yes-or-no answers, nearly all of them the same as their neighbour's. **Run-length encoding** (RLE, 런 길이 부호화) writes how long each run is. COCO's has three
# rules: **down the columns** (its C code was written for MATLAB's arrays); **zeros first**, even if there are none; lengths only. On 4 x 4:

# %%
tiny = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=bool)
show_runs(tiny, [5, 2, 2, 1, 6])
# %% [markdown]
# Five zeros (all of column 0 and the first pixel of column 1), two ones, two zeros (the last of column 1 and the first of column 2), a single one, six zeros: **5, 2, 2, 1, 6**. They sum to 16, as they must.
#
# ### Exercise: rle_encode
# *difficulty 3 of 5 · importance 2 of 5 · about 15 minutes*
#
# | mask | runs |
# |---|---|
# | the one above | 5, 2, 2, 1, 6 |
# | 2 x 2, all ones | 0, 4 |
# | 2 x 2, all zeros | 4 |


# %% exercise="22.rle_encode"
def rle_encode(mask):
    """(H, W) bool -> list of whole numbers: runs of zeros and ones in turn, zeros first, down the columns."""
    ### BEGIN SOLUTION
    counts, value, run = [], False, 0
    for pixel in mask.T.ravel().tolist():
        if pixel != value:  # another run begins
            counts.append(run)
            value, run = pixel, 0
        run += 1
    counts.append(run)
    return counts
    ### END SOLUTION


rle_encode = check("22.rle_encode", rle_encode)

# %% [markdown]
# Is it COCO's? pycocotools writes the same numbers, squeezed into letters. Where it is installed, hand it the first signs of the held-out scenes:

# %%
try:
    from pycocotools import mask as coco_masks
except ImportError:
    coco_masks = None
    print("pycocotools is not installed here; coursekit's own tests hold RLE and mask IoU to it on hundreds of masks")

every = np.concatenate([masks_of(s) for s in held])[:60]
for mask in every:
    assert np.array_equal(rle_decode(rle_encode(mask), mask.shape), mask)  # there and back
if coco_masks:
    theirs = [coco_masks.encode(np.asfortranarray(m.astype(np.uint8))) for m in every]
    ours = [coco_masks.frPyObjects({"size": list(m.shape), "counts": rle_encode(m)}, *m.shape) for m in every]
    print(f"{len(every)} masks, codes that are equal: {sum(a['counts'] == b['counts'] for a, b in zip(ours, theirs))}")
    others = [coco_masks.encode(np.asfortranarray(np.roll(m, 3, axis=1).astype(np.uint8))) for m in every]
    gap = np.abs(mask_iou(every, np.roll(every, 3, axis=2)) - coco_masks.iou(theirs, others, [0] * len(others))).max()
    band("largest difference between your mask IoU and pycocotools'", gap, at_most=1e-9)
    band("share of run-length codes equal to pycocotools'", np.mean([a["counts"] == b["counts"] for a, b in zip(ours, theirs)]), at_least=1)

# %% [markdown]
# The other form is a **polygon** (다각형), what a person clicks: x, y, x, y ... It is small, and it cannot say everything: one sign behind a pole is two polygons, a ring has a hole. COCO therefore
# stores single objects as lists of polygons and crowds as RLE. The way between them loses a little:

# %%
sample = every[np.argmax(every.sum(axis=(1, 2)))]
outline = max(find_contours(np.pad(sample, 1).astype(float), 0.5), key=len) - 1  # (points, 2): y, x
corners = approximate_polygon(outline, tolerance=0.7)
again = polygon2mask(sample.shape, corners)
buffer = io.BytesIO()
Image.fromarray(sample).save(buffer, format="PNG")
rows = {
    "raw, one byte a pixel": (sample.size, 1.0),
    "run lengths as JSON": (len(json.dumps(rle_encode(sample))), 1.0),
    f"polygon of {len(corners) - 1} corners as JSON": (
        len(json.dumps(np.round(corners[:, ::-1], 1).ravel().tolist())),
        mask_iou(sample[None], again[None])[0, 0],
    ),
    "PNG of one bit a pixel": (len(buffer.getvalue()), 1.0),
}
for name, (size, iou) in rows.items():
    print(f"{name:>34}: {size:>5} bytes, IoU with the mask {iou:.3f}")

# %% [markdown]
# ### The palette bug
#
# VOC and many others store a semantic map as a PNG with a **palette** (팔레트): the pixel holds a class number, and a table gives the number a colour, so that people see something. Read it as a
# picture, and you get the colours:

# %%
palette = np.zeros((256, 3), dtype=np.uint8)
palette[1:5] = [[128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]  # VOC's first four
labels_png = Image.fromarray(truth[index].astype(np.uint8))
labels_png.putpalette(palette.ravel().tolist())
file = io.BytesIO()
labels_png.save(file, format="PNG")

# %%
readings = {
    "as it is": np.array(Image.open(file)),
    'convert("RGB")': np.array(Image.open(file).convert("RGB")),
    'convert("L")': np.array(Image.open(file).convert("L")),
}
for name, values in readings.items():
    print(f"{name:>16}: shape {values.shape}, values {np.unique(values).tolist()}")
assert np.array_equal(readings["as it is"], truth[index])

# %% [markdown]
# RGB has three channels, and the loss raises: lucky. Grey has the right shape and **wrong numbers**: 128 red became 38. With luck 38 is out of range; in a data set of 150 classes it is a class. OpenCV's `imread`
# gives colours too, in BGR. Look at `np.unique` of every map that you load, once.
#
# ### Exercise: the scene that grew a class
# *difficulty 2 of 5 · importance 5 of 5 · about 10 minutes · a planted bug*
#
# A colleague resizes pictures and their maps before training. Nothing raises an error. But the resized scene of a single sign suddenly holds classes that
# nobody drew, in a thin line along its outline. Here is the function. Find what does it, and mend that and nothing else.


# %% exercise="22.resize_sample"
def resize_sample(image: Tensor, target: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """uint8 (3, H, W) and int64 classes (H, W) -> the same scene as (3, side, side) uint8 and (side, side) int64."""
    size = (side, side)
    image = F.interpolate(image[None].float(), size=size, mode="bilinear", align_corners=False)[0].round().to(torch.uint8)
    ### BEGIN SOLUTION
    target = F.interpolate(target[None, None].float(), size=size, mode="nearest")[0, 0].long()
    ### STUDENT
    # target = F.interpolate(target[None, None].float(), size=size, mode="bilinear", align_corners=False)[0, 0].round().long()
    ### END SOLUTION
    return image, target


resize_sample = check("22.resize_sample", resize_sample)

# %%
_, grown = resize_sample(held_images[index], held_maps[index], 192)
print("classes before", held_maps[index].unique().tolist(), " after", grown.unique().tolist())
assert set(grown.unique().tolist()) <= set(held_maps[index].unique().tolist())

# %% [markdown]
# What exactly had come out?

# %%
predict(
    "22.q7",
    "A map with classes 0 (backdrop) and 4 (keep_right) is enlarged bilinearly and rounded. Which classes are in it afterwards?",
    ["0 and 4", "0, 2 and 4", "0, 1, 2, 3 and 4"],
)

# %%
edge = torch.tensor([[[[0.0, 4.0]]]])  # backdrop beside a sign
grown = F.interpolate(edge, size=(1, 16), mode="bilinear", align_corners=False)[0, 0, 0]
print("enlarged:", grown.tolist())
print("rounded: ", grown.round().long().tolist())
reveal("22.q7", answer=2, because="between 0 and 4 lie 1, 2 and 3: signs that nobody drew, along every outline.")

# %% [markdown]
# The same family of bugs: rotating a map bilinearly, JPEG-compressing it, mirroring the picture and not the map (11), letting 255 into the loss. None raises an error.
#
# ✂ *50 minutes*
#
# ## 8. Panoptic: everything on one map
#
# Put both together. Lay the masks of the things down, the surest first; nobody takes a pixel that is taken. What is left goes to the stuff that the semantic map says. A pixel that the map calls a
# sign, and no mask claims, stays empty (void): "some sign, I do not know which".


# %%
def panoptic(way, number):
    """The panoptic map of a held-out scene: (96, 96) segments, and the class of each segment."""
    return merge_panoptic(said["U-Net"][number], *results[way][number])


panels = {"truth": panoptic_truth(held[index].instances, held[index].labels)} | {way: panoptic(way, index) for way in (WAYS[0], WAYS[2])}
show_segments(held_images[index], panels, ALL, "One picture, every pixel in one segment")
# %% [markdown]
# ### One number: panoptic quality
#
# Kirillov and others (2019) measure it in two steps. **Match**: a found and a true segment of one class are a pair if their IoU is *more than* 0.5. **Count**, for each class:
#
# $$\text{PQ} = \underbrace{\frac{\sum_{\text{pairs}} \text{IoU}}{|TP|}}_{\text{SQ: how well}} \cdot \underbrace{\frac{|TP|}{|TP| + \frac12 |FP| + \frac12 |FN|}}_{\text{RQ: how often}}$$
#
# SQ (segmentation quality) is the mean IoU of the pairs, RQ (recognition quality) is F1 (06) of finding. PQ is their product, and the mean over classes is the table's number.
#
# **Why no scores, no sorting, no greedy matching?** Because there is nothing to choose. IoU above one half means that the pair shares more than half of the union, so more than half of the *true* segment. Two found
# segments never overlap, so they cannot both hold more than half of it. At exactly 0.5 they could: hence *more than*.
#
# **Void** counts nowhere: its pixels are taken off a found segment before its IoU is measured, and a found segment without partner that lies by more than half on void is no mistake. (COCO's crowds are treated
# the same way for their class.)
#
# By hand, 4 x 6 pixels. Segment 0 is void, 1 is backdrop, all others are stop signs:

# %%
true_map = np.array([[1, 1, 1, 1, 1, 1], [2, 2, 1, 3, 3, 1], [2, 2, 1, 3, 3, 1], [2, 2, 1, 1, 0, 0]])
found_map = np.array([[1, 1, 1, 1, 1, 1], [2, 2, 1, 1, 1, 1], [2, 2, 1, 1, 4, 1], [1, 1, 1, 1, 4, 4]])
show_grids({"truth": true_map, "found": found_map}, "Segments by number")
# %% [markdown]
# | pair | shared | union | IoU | |
# |---|---|---|---|---|
# | true 1 and found 1, backdrop | 12 | 17 | 0.71 | a pair |
# | true 2 and found 2, stop | 4 | 6 | 0.67 | a pair |
# | true 3 and found 4, stop | 1 | 4 + 3 - 1, less 2 on void = 4 | 0.25 | none |
#
# Found 4 has two of its three pixels on void: no false alarm. True 3 has no partner: missed.
# **Stop**: TP 1, FP 0, FN 1. SQ = 0.67, RQ = 1 / (1 + 1/2) = 0.67, PQ = 0.44. **Backdrop**: SQ = 0.71, RQ = 1, PQ = 0.71. Mean PQ = 0.58.

# %%
predict(
    "22.q8",
    "Found 4 is dropped: its three pixels say backdrop instead. What happens to the PQ of *stop*?",
    ["it falls: a sign is gone", "it stays: segment 4 neither matched nor counted", "it rises"],
)

# %% [markdown]
# ### Exercise: panoptic_quality
# *difficulty 4 of 5 · importance 4 of 5 · about 30 minutes*
#
# `overlaps[t, f]` is how many pixels true segment t and found segment f share; row and column 0 are void. `classes[i]` is the class of segment i. Fill `counts`: for each class the sum of the IoUs, TP, FP, FN. Numbers without a
# pixel are no segments. `quality_of` does the division.


# %% exercise="22.panoptic_quality"
def panoptic_quality(truth, truth_classes, found, found_classes, num_classes):
    """Two (H, W) maps of segment numbers, 0 is void, and the class of each number -> (3, num_classes): PQ, SQ, RQ."""
    overlaps = segment_overlaps(truth, found)  # (T + 1, F + 1)
    true_area, found_area = overlaps.sum(axis=1), overlaps.sum(axis=0)
    counts = np.zeros((num_classes, 4))  # sum of IoUs, TP, FP, FN
    ### BEGIN SOLUTION
    matched = set()
    for t in range(1, len(true_area)):
        if true_area[t] == 0:
            continue
        k = truth_classes[t]
        counts[k, 3] += 1  # missed, until it is found
        for f in range(1, len(found_area)):
            union = true_area[t] + found_area[f] - overlaps[t, f] - overlaps[0, f]
            iou = overlaps[t, f] / union
            if found_classes[f] == k and iou > 0.5:
                counts[k] += [iou, 1, 0, -1]
                matched.add(f)
    for f in range(1, len(found_area)):
        if found_area[f] > 0 and f not in matched and overlaps[0, f] <= 0.5 * found_area[f]:
            counts[found_classes[f], 2] += 1
    ### END SOLUTION
    return quality_of(counts)


panoptic_quality = check("22.panoptic_quality", panoptic_quality)

# %%
classes = np.array([-1, 0, 1, 1, 1])
quality = panoptic_quality(true_map, classes, found_map, classes, num_classes=2)
for name, (pq, sq, rq) in zip(("backdrop", "stop"), quality.T):
    print(f"{name:>8}: PQ {pq:.3f} = SQ {sq:.3f} x RQ {rq:.3f}")
dropped = np.where(found_map == 4, 1, found_map)
after = panoptic_quality(true_map, classes, dropped, classes, num_classes=2)[0]
reveal(
    "22.q8",
    answer=1,
    because=f"PQ of stop before {quality[0, 1]:.3f}, after {after[1]:.3f}. A guess on void costs nothing, and earns nothing.",
)
assert np.isclose(quality[0], [12 / 17, 4 / 9]).all()

# %% [markdown]
# Does it agree with others? MMDetection's tests hold a small picture of 80 x 60 against the authors' own program: two people, a dog and a wall. It found PQ **67.869**, SQ **80.898**, RQ **83.333**.


# %%
def boxes_on_a_wall(*boxes):
    """Segments 1, 2, 3 as rectangles (x, y, width, height) on segment 4."""
    segments = np.full((60, 80), 4)
    for number, (x, y, width, height) in enumerate(boxes, start=1):
        segments[y : y + height, x : x + width] = number
    return segments


theirs = boxes_on_a_wall((10, 10, 10, 40), (30, 10, 10, 40), (50, 10, 10, 5))
guess = boxes_on_a_wall((11, 11, 10, 40), (38, 10, 10, 40), (51, 10, 10, 5))
kinds = np.array([-1, 0, 0, 1, 2])  # person, person, dog, wall
published = 100 * panoptic_quality(theirs, kinds, guess, kinds, num_classes=3).mean(axis=1)
print("PQ, SQ, RQ:", published.round(3).tolist())
band("largest difference from the published figures", np.abs(published - [67.869, 80.898, 83.333]).max(), at_most=6e-4)

# %% [markdown]
# Now the held-out scenes. The counts of all pictures are added before the division, as everywhere in this notebook.

# %%
table = {}
for way in WAYS:
    counts = sum(panoptic_counts(*panoptic_truth(s.instances, s.labels), *panoptic(way, n), num_classes=5) for n, s in enumerate(held))
    pq, sq, rq = np.nanmean(quality_of(counts)[:, 1:], axis=1)  # things
    table[way] = {"PQ things": pq, "SQ things": sq, "RQ things": rq, "PQ backdrop": quality_of(counts)[0, 0]}
show_bars(table, "Panoptic quality on held-out scenes, four ways to find the signs", "quality")
# %%
band("PQ of things, detector's boxes + mask head", table["detector's boxes + mask head"]["PQ things"], at_least=0.8)
split = {way: f"SQ {row['SQ things']:.2f}, RQ {row['RQ things']:.2f}" for way, row in table.items()}
print(split)

# %% [markdown]
# Read SQ and RQ apart: they ask for different repairs. Filled boxes are recognised and badly drawn: low SQ. Islands are drawn better; some are misnamed, torn or grown together, and every crumb of another class is a false alarm: lower RQ. That
# is why one number with two factors is more useful than one number.
#
# ## 9. Prompts: segment anything
#
# **SAM** (Segment Anything; Kirillov and others, 2023) turned the question round: no classes at all. It gets a picture and a **prompt** (프롬프트), a click, a box or a rough mask, and answers with the mask of what you pointed at. It was trained on 1.1 billion masks
# in 11 million pictures, most of them proposed by earlier versions of itself; with its help an annotator needed 14 seconds a mask instead of 34. In practice: your detector gives boxes, SAM turns
# them into masks, a person corrects. Inside stand the parts of this notebook, an encoder once for the picture and a small head for each prompt.
#
# ## Summary
#
# - Semantic: a class for each pixel. Instance: a mask for each object. Panoptic: one segment for each pixel, things counted, stuff not.
# - Pixel accuracy flatters. mIoU divides by the union, class by class; void counts nowhere.
# - A segmentation network is a classifier at every place. Halving loses the outline; skips (added scores) and bridges (concatenated features) bring it back.
# - Dice is F1 on probabilities, class by class: a small class pulls as hard as a large one, and so does an absent one. Measure before you believe.
# - Islands cannot part what touches. Boxes can, and a tiny head fills them.
# - PQ = SQ x RQ; more than one half makes the match unique.
# - Class numbers are names. Never average them.
#
# ### Check yourself
#
# <details><summary>A model reaches 97 % pixel accuracy on wounds that cover 3 % of the picture. Is that good?</summary>
#
# It may have said "skin" everywhere. Ask for the IoU of the wound.
# </details>
#
# <details><summary>Your masks have the right class and soft, round corners. More encoder, or more bridges?</summary>
#
# Bridges: the outline is lost by halving. More encoder helps where the class is wrong.
# </details>
#
# <details><summary>IoU of a class is 0.5. What is its dice?</summary>
#
# 2 · 0.5 / (1 + 0.5) = 0.667. Dice always looks better: compare like with like.
# </details>
#
# <details><summary>PQ 0.40 = SQ 0.80 x RQ 0.50. What would you work on?</summary>
#
# On finding: half of the segments are missed or made up. Those that are found are drawn well.
# </details>
#
# ### Errors you will meet
#
# | what you see | what it is |
# |---|---|
# | `Target 255 is out of bounds` in cross-entropy | void in the map: `F.cross_entropy(..., ignore_index=255)` |
# | `only batches of spatial targets supported (3D tensors) but got targets of dimension: 4` | the map is (N, 1, H, W): take the axis away |
# | `Expected floating point type for target with class probabilities` | the map is one-hot: give class numbers, (N, H, W) int64 |
# | `Sizes of tensors must match except in dimension 1` in `torch.cat` | an odd size was halved and doubled: enlarge to `skip.shape[2:]`, not by 2 |
# | loss falls, mIoU stays at 1 / K | it says background everywhere, or has not found the others yet: look at IoU by class, train longer, weigh classes |
# | a thin line of another class along every outline | the map was resized or rotated bilinearly |
# | values 38, 75, 113 in a map | a palette PNG was read as grey |
# | masks shifted by half a pixel | RoI align without `aligned=True`, or polygons read with other corners |
#
# ### Where to read more
#
# - Long, Shelhamer and Darrell, *Fully Convolutional Networks for Semantic Segmentation*, arXiv 1411.4038.
# - Ronneberger, Fischer and Brox, *U-Net*, arXiv 1505.04597. Eight pages, and the picture that everybody copies.
# - He and others, *Mask R-CNN*, arXiv 1703.06870; Kirillov and others, *Panoptic Segmentation*, arXiv 1801.00868; *Segment Anything*, arXiv 2304.02643.
# - What labels cost: Lin and others, arXiv 1405.0312; Papadopoulos and others, arXiv 1708.02750; Benenson and others, arXiv 1903.10830; Cordts and others, arXiv 1604.01685.
# - `coursekit/segmentation/` and `coursekit/metrics/panoptic.py` hold what you built, with crowds.
#
# **Next**: 23 takes a detector out of the notebook and puts it to work.
