# %% [markdown]
# # 14 · Sliding window: a classifier looks everywhere
#
# You can train a classifier that says *stop sign* or *nothing*. It answers one question about one small picture. Ask it about **every** place of a large one, and you
# have a detector: the oldest recipe there is, and still the best way to understand the newer ones. Then comes the turn of this notebook. The same network, with the
# same weights, is written down a little differently, and answers for all places **at once**, with the same numbers, more than thirty times faster. That step led from
# classifiers to every detector of the rest of this course.
#
# | you will learn | you will build |
# |---|---|
# | window size and stride: what dense and coarse steps cost and miss | `windows` |
# | a classifier with a class for *nothing*, slid over a picture: the heat map | `heat_map` |
# | from a map to boxes: threshold and suppression | `boxes_from_heat_map` |
# | signs of all sizes: the image pyramid, and a bug that sizes hide | `pyramid_sizes`, `cells_to_boxes` repaired |
# | a fully connected layer is a convolution: one pass does it all | `fc_to_conv` |
# | when the two are equal, and what padding, stride and train mode do to that | |
# | enlarging a map: nearest, bilinear, transposed convolution | `transposed_conv` |
#
# **Time** about a minute of computing on two CPU cores; about four hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you know convolution and LeNet (07), batch normalisation (08), boxes, IoU and NMS (13).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("14_sliding_window")

# %%
import copy
import math
import time

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.boxes import batched_nms, box_iou, fast_batched_nms
from coursekit.data.geometric import resize_image
from coursekit.data.labelled import Labelled
from coursekit.data.loader import CachedDataset
from coursekit.detections import Detections
from coursekit.plots.boxes import show_slide
from coursekit.plots.images import show_boxes, show_images
from coursekit.plots.sliding import show_differences, show_heat, show_pyramid, show_times, show_windows
from coursekit.plots.sliding_stride import slide_stride
from coursekit.plots.suppression import show_before_after
from coursekit.plots.tensors import show_grids
from coursekit.sliding.dense import STRIDE, WINDOW, WindowNet, convolutional
from coursekit.sliding.heatmap import bilinear_kernel
from coursekit.sliding.pyramid import scales_for
from coursekit.sliding.recipe import MARGIN, cut_windows
from coursekit.sliding.windows import crops
from coursekit.training.classifier import batches, evaluate, fit_classifier
from coursekit.training.detector import measure_detector, small_world
from coursekit.training.device import choose_device

device = choose_device()  # for training; what is measured is measured on the CPU

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>07: A kernel of 5 meets a map of 40 x 40, without padding. What comes out? And after a pooling of 2?</summary>
#
# 36 x 36, since (40 - 5) / 1 + 1 = 36; then 18 x 18.
# </details>
#
# <details><summary>13: Ten boxes lie on one object. Which function leaves one, and which one?</summary>
#
# Non-maximum suppression (비최댓값 억제) leaves the box with the highest score, and drops what overlaps it too much.
# </details>
#
# <details><summary>06: Of 1,000 windows 10 show a sign. A classifier says "nothing" to all. Its accuracy?</summary>
#
# 99 %, and it is useless. Where nearly everything is background (배경), accuracy says little.
# </details>

# %% [markdown]
# ## 1. Windows
#
# The scenes of this and the next notebooks are small: 128 x 128 pixels, up to three signs of four classes. Every detector up to notebook 19 will meet the same ones.

# %%
scenes = small_world("validation", 100)
image, target = scenes[33]
print("image ", tuple(image.shape), image.dtype)
print("boxes ", target["boxes"].tolist())
show_boxes(image, target["boxes"], target["labels"], classes=scenes.classes, title="Two signs, both 35 pixels high")

# %% [markdown]
# A **window** (창) is a square part of the picture. A **sliding window** (슬라이딩 윈도) begins in the left upper corner, is moved to the right by the **stride** (보폭), and at the end of the row goes
# down by the stride and begins again at the left. By hand, a picture 4 high and 6 wide, window 2, stride 2:
#
# | | x begins at | windows |
# |---|---|---|
# | row 0: y = 0 | 0, 2, 4 | (0, 0, 2, 2) (2, 0, 4, 2) (4, 0, 6, 2) |
# | row 1: y = 2 | 0, 2, 4 | (0, 2, 2, 4) (2, 2, 4, 4) (4, 2, 6, 4) |
#
# The last x is 6 - 2 = 4, so there are (6 - 2) / 2 + 1 = 3 windows in a row: **the output size of a convolution** (07), with the window as kernel. That is no accident; section 6 lives on it.
# Where the steps do not end with the side, the few pixels that are left over are not looked at.

# %%
predict(
    "14.q1",
    "A picture of 128 x 128, a window of 40, stride 4. How many windows?",
    ["9", "529", "1,024", "16,384"],
)

# %% [markdown]
# ### Exercise: windows
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*
#
# Row by row, x fastest. Only whole windows inside the picture; a picture that is too small has none, and the answer still has four columns.


# %% exercise="14.windows"
def windows(size_hw, window: int, stride: int) -> Tensor:
    """(height, width) of a picture -> (N, 4) int64, the xyxy boxes of all whole windows, row by row."""
    height, width = size_hw
    ### BEGIN SOLUTION
    begins_y, begins_x = range(0, height - window + 1, stride), range(0, width - window + 1, stride)
    rows = [(x, y, x + window, y + window) for y in begins_y for x in begins_x]
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)  # four columns even where there is no row
    ### END SOLUTION


windows = check("14.windows", windows)

# %%
count = len(windows((128, 128), WINDOW, STRIDE))
reveal("14.q1", answer=1, because=f"(128 - 40) / 4 + 1 = 23 in a row, 23 * 23 = {count}.")
assert count == 23**2

# %%
show_windows(image, windows((128, 128), 40, 16), "Window 40, stride 16")

# %% [markdown]
# ### Dense or coarse?
#
# Twice the stride is a quarter of the windows, and a quarter of the work. What is the price? A sign may lie between two windows. Move the sliders: solid is the sign, dashed the window that fits it best.

# %%
slide_stride(image, target["boxes"][0].tolist(), window=32, stride=16)

# %%
predict(
    "14.q2",
    "A sign is exactly as large as the window, 32 pixels, and lies in the worst place. The stride is 32 too. IoU of the best window?",
    ["0.50", "0.33", "0.25", "0.14"],
)

# %% [markdown]
# In the worst place the sign is half a stride off in x *and* in y. Then a part of 32 - stride / 2 is shared in each direction:

# %%
for stride in (4, 8, 16, 32):
    shared = (32 - stride / 2) ** 2
    worst = shared / (2 * 32**2 - shared)
    print(f"stride {stride:>2}: {len(windows((128, 128), 32, stride)):>4} windows, worst IoU {worst:.2f}")
reveal("14.q2", answer=3, because="16 * 16 / (2 * 32 * 32 - 16 * 16) = 256 / 1792.")

# %% [markdown]
# Up to stride 8, a quarter of the window, every place that the windows reach has one with an IoU above 0.6. At stride 16 some signs cannot be found at IoU 0.5, however good the classifier is. And the
# window's **size** counts as much as its place: a window of 32 cannot frame a sign of 64. Section 5 takes care of that.
#
# ## 2. A classifier for windows
#
# It needs five classes: four signs, and **background**. Which window shows a sign? A rule with two borders: an IoU of at least 0.65 with a sign is that sign, below 0.45 is background, and what
# lies between is left out of training, for nobody could say. Windows are cut from the training scenes, from the very grid that we will slide over, at many sizes. From each scene we take windows
# with a sign, *near misses* (half a sign, a sign much too large), and plain background.
#
# A sign fills the window but for a margin (여백) of 4 pixels on each side, which shows where it ends. So a window of 40 pixels means a box of 32.

# %%
training = CachedDataset(small_world("train", at(smoke=8, quick=160, full=320)), (128, 128))
validation = CachedDataset(small_world("validation", at(smoke=4, quick=50, full=100)), (128, 128))
cut = cut_windows(training)
print(tuple(cut.images.shape), cut.images.dtype)
print({name: int((cut.labels == k).sum()) for k, name in enumerate(cut.classes)})

# %%
shown = [int(i) for k in range(5) for i in (cut.labels == k).nonzero()[:40:13, 0][: 3 if k < 4 else 4]]
show_images(cut.images[shown], [cut.classes[cut.labels[i]] for i in shown], columns=8, size=1.25, suptitle="What the classifier is taught")

# %% [markdown]
# The network is a small LeNet in colour. **No convolution is padded**: remember that for section 7.

# %%
torch.manual_seed(14)
model = WindowNet(classes=5)
print(model.features)
print(model.classifier)
with torch.no_grad():
    print(
        "maps of one window:", tuple(model.eval().features(model.pixels(cut.images[:1])).shape), "-> flattened:", math.prod(model.maps_chw)
    )

# %%
model.to(device)
history = fit_classifier(model, cut, epochs=at(smoke=1, quick=3, full=4), lr=3e-3)
model.cpu().eval()
unseen = cut_windows(validation, seed=1)
accuracy = evaluate(model, batches(unseen, 256))["accuracy"]
print(
    f"training loss {history[0]['train/loss']:.3f} -> {history[-1]['train/loss']:.3f}; accuracy on windows of validation scenes {accuracy:.3f}"
)
band("accuracy on unseen windows", accuracy, at_least=0.95)

# %% [markdown]
# Is that good?

# %%
predict(
    "14.q3",
    "A classifier is right on 99 of 100 windows, and its mistakes are spread evenly. A picture has about 8,000 windows of all sizes. False alarms in each picture?",
    ["fewer than 1", "about 8", "about 80", "about 800"],
)

# %%
reveal("14.q3", answer=2, because="1 % of 8,000. A detector asks thousands of questions for each one whose answer is yes.")

# %% [markdown]
# > **Myth**: *"99 % is nearly perfect."*
#
# It depends on how many questions are asked. A detector's classifier must be silent on *thousands* of windows for each sign. Section 8 makes it more so.
#
# ✂ *End of the first 50 minutes.*
#
# ## 3. The heat map
#
# What the classifier says of every window, laid out as the windows lie, is a **heat map** (히트맵): one number for each class and place. For our picture: 5 classes, 23 rows, 23 columns.
#
# Two things to get right. First, windows come as a list (N, K): number 24 is row 1, column 1. Second, **never cut all of them at once**. In this picture that would not matter:

# %%
each = 3 * WINDOW * WINDOW * 4  # bytes of one crop as floats
for name, size in {"our scene": (128, 128), "a photograph": (3000, 4000)}.items():
    number = ((size[0] - WINDOW) // STRIDE + 1) * ((size[1] - WINDOW) // STRIDE + 1)
    print(
        f"{name:>12}: {number:>7,} windows at stride {STRIDE} -> {number * each / 1e9:6.2f} GB at once, {64 * each / 1e6:.1f} MB in batches of 64"
    )

# %% [markdown]
# On a photograph from a telephone it would be 14 GB, and the picture itself has 36 MB. Cut a batch, classify it, forget it: this is called *lazy* (지연 평가).
#
# ### Exercise: heat_map
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# A worked example of the last step: scores of six windows (a to f) and two classes, as (6, 2), become two maps of 2 x 3.
#
# ```
# a1 a2
# b1 b2                                           a1 b1 c1        a2 b2 c2
# c1 c2    .T ->  a1 b1 c1 d1 e1 f1  reshape ->   d1 e1 f1        d2 e2 f2
# d1 d2           a2 b2 c2 d2 e2 f2
# e1 e2
# f1 f2
# ```


# %% exercise="14.heat_map"
def heat_map(classify, image: Tensor, window: int, stride: int, batch: int = 64) -> Tensor:
    """classify: (B, C, window, window) -> (B, K); image (C, H, W) -> (K, rows, columns), never more than `batch` crops at once."""
    boxes = windows(image.shape[1:], window, stride)
    scores = []
    for part in boxes.split(batch):
        ### BEGIN SOLUTION
        pixels = torch.stack([image[:, y1:y2, x1:x2] for x1, y1, x2, y2 in part.tolist()])  # (B, C, window, window)
        scores.append(classify(pixels))
        ### END SOLUTION
    rows, columns = ((side - window) // stride + 1 for side in image.shape[1:])
    ### BEGIN SOLUTION
    return torch.cat(scores).T.reshape(-1, rows, columns)  # (N, K) -> (K, N) -> (K, rows, columns)
    ### END SOLUTION


heat_map = check("14.heat_map", heat_map)


# %%
@torch.no_grad()
def probabilities(pixels):
    """(B, 3, 40, 40) uint8 -> (B, 4): how sure the network is of each sign; what is left over is background."""
    return model(pixels).softmax(dim=1)[:, :-1]


heat = heat_map(probabilities, image, WINDOW, STRIDE)
print(tuple(image.shape), "->", tuple(heat.shape))

# %%
show_heat(image, {scenes.classes[k]: heat[k] for k in range(4)}, WINDOW, STRIDE, "One map for each class")

# %% [markdown]
# Each cell is drawn where the *middle* of its window lies. So the map is smaller than the picture: half a window is missing all around. And a sign lights up several cells, for the windows beside the best one see it as well.
#
# ## 4. From the map to boxes
#
# You know both steps. A **threshold** (임곗값) picks the cells that are sure enough; each becomes its window. Then NMS leaves one for each sign. By hand: stride 4, window 40, the cell in row 5, column 3:
#
# | | |
# |---|---|
# | the window begins | x = 3 · 4 = 12, y = 5 · 4 = 20 |
# | and ends | x = 12 + 40 = 52, y = 20 + 40 = 60 |
#
# ### Exercise: boxes_from_heat_map
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# For now the box is the whole window. `batched_nms` of notebook 13 gives the indices that stay, best first.


# %% exercise="14.boxes_from_heat_map"
def boxes_from_heat_map(heat: Tensor, window: int, stride: int, threshold: float, iou_threshold: float = 0.3):
    """(K, rows, columns) scores -> boxes (M, 4) float xyxy, scores (M,), labels (M,): every score >= threshold, after NMS by class."""
    labels, rows, columns = torch.where(heat >= threshold)  # class, row and column of each cell that is sure enough
    ### BEGIN SOLUTION
    scores = heat[labels, rows, columns]
    x, y = columns * stride, rows * stride
    boxes = torch.stack((x, y, x + window, y + window), dim=1).float()
    kept = batched_nms(boxes, scores, labels, iou_threshold)
    return boxes[kept], scores[kept], labels[kept]
    ### END SOLUTION


boxes_from_heat_map = check("14.boxes_from_heat_map", boxes_from_heat_map)

# %%
sure = boxes_from_heat_map(heat, WINDOW, STRIDE, 0.5, iou_threshold=1.0)[0]  # an IoU above 1 does not occur: NMS drops nothing
panels = {
    "above 0.5": (sure, None, None),  # too many for a name on each
    "after NMS": boxes_from_heat_map(heat, WINDOW, STRIDE, 0.5),
}
show_before_after(image, panels, scenes.classes, "Windows that are sure of a sign")

# %% [markdown]
# A first detector. Now the same on a scene whose signs have other sizes:

# %%
crowd, crowd_target = scenes[57]
crowd_heat = heat_map(probabilities, crowd, WINDOW, STRIDE)
panels = {
    "truth": (crowd_target["boxes"], None, crowd_target["labels"]),
    "window 40": boxes_from_heat_map(crowd_heat, WINDOW, STRIDE, 0.5),
}
show_before_after(crowd, panels, scenes.classes, "Signs of 20 and of 60 pixels")

# %% [markdown]
# The classifier was taught that a sign fills 32 pixels of its window. Where it answers at all here, its window is much too large or much too small: no box fits, and none can.
#
# ✂ *End of the second 50 minutes.*
#
# ## 5. The pyramid
#
# Do not change the window: **change the picture**. Halve it, and a sign of 64 pixels has 32. A series of sizes of one picture is an **image pyramid** (이미지 피라미드); each size is a **level** (단계). Which scales do we
# need, for signs from 14 to 70 pixels? If each level makes the next one smaller by the same factor, no sign is further than half a step from the size that was trained.

# %%
SCALES = scales_for(14, 70, window=WINDOW - 2 * MARGIN, step=1.25)
print("scales   ", [f"{scale:.2f}" for scale in SCALES])
print("look for ", [f"{32 / scale:.0f}" for scale in SCALES], "pixels")

# %% [markdown]
# A step of 1.25 means: a sign is at most √1.25 = 1.12 times too large or too small. Its IoU with a perfectly placed window is then at least 1 / 1.25 = 0.80 by size alone.
#
# ### Exercise: pyramid_sizes
# *difficulty 1 of 5 · importance 3 of 5 · about 10 minutes*
#
# Whole pixels: round to the nearest, halves go up. A size in which no whole window fits is of no use and is left out; the scales may come in any order.
#
# | picture | scales | window | sizes |
# |---|---|---|---|
# | 100 x 60 | 2, 1, 0.5 | 32 | (200, 120), (100, 60); 50 x 30 holds no window of 32 |
# | 25 x 35 | 0.5 | 8 | (13, 18): 12.5 and 17.5 go up |


# %% exercise="14.pyramid_sizes"
def pyramid_sizes(size_hw, scales, window: int = 1):
    """(height, width) and scales -> a list of (height, width), one for each scale at which a whole window fits."""
    ### BEGIN SOLUTION
    sizes = []
    for scale in scales:
        height, width = (math.floor(side * scale + 0.5) for side in size_hw)
        if min(height, width) >= window:
            sizes.append((height, width))
    return sizes
    ### END SOLUTION


pyramid_sizes = check("14.pyramid_sizes", pyramid_sizes)

# %%
sizes = pyramid_sizes((128, 128), SCALES, WINDOW)
show_pyramid([resize_image(crowd, size) for size in sizes], WINDOW, "One picture, one window, many sizes")

# %%
per_level = [len(windows(size, WINDOW, STRIDE)) for size in sizes]
print("windows on each level:", per_level, "together", sum(per_level))

# %% [markdown]
# ### Find the bug
#
# A colleague wrote the way back, from the cells of a level to boxes in the picture. Her report:
#
# | symptom | what she sees |
# |---|---|
# | at scale 1 all boxes are perfect | so cells, stride and window are right |
# | on the other levels boxes begin about where the sign begins | so the corner is right |
# | on the small levels boxes are much too small, on the large ones too large | all of them have the same size in the picture |
#
# ### Exercise: cells_to_boxes
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# By hand: on a level of scale 0.5, the window of cell (2, 5) goes from (20, 8) to (60, 48). In the picture that is (40, 16) to (120, 96): 80 pixels wide. With a margin of 4: (24, 12, 56, 44) on the level, (48, 24, 112, 88) in the picture.


# %% exercise="14.cells_to_boxes"
def cells_to_boxes(cells: Tensor, window: int, stride: int, margin: int, scale: float) -> Tensor:
    """(N, 2) rows and columns of a level -> (N, 4) boxes in the pixels of the picture, which was multiplied by `scale` to make it."""
    ### BEGIN SOLUTION
    corner = cells.flip(1) * stride  # (N, 2): x, y on the level
    return torch.cat((corner + margin, corner + window - margin), dim=1) / scale
    ### STUDENT
    # corner = cells.flip(1) * stride / scale  # (N, 2): x, y, back in the pixels of the picture
    # return torch.cat((corner + margin, corner + window - margin), dim=1)
    ### END SOLUTION


cells_to_boxes = check("14.cells_to_boxes", cells_to_boxes)

# %% [markdown]
# <details><summary>What it was</summary>
#
# The corner was taken back to the picture, and the window's 40 pixels were added to it, which are pixels of the *level*. Two units in one sum. At scale 1 they are the same, so every test on a
# picture as it is passes. **Do all sums in one unit, and convert once, at the end.**
# </details>
#
# All together: a detector. `map_of` makes the heat map of one level; it is an argument, because soon there will be another way to make it.


# %%
def find_with(map_of, image, threshold=0.3, stride=STRIDE, scales=SCALES):
    """A picture (3, H, W) -> Detections: every window of every level, then NMS over all of them."""
    found = []
    for size in pyramid_sizes(image.shape[1:], scales, WINDOW):
        heat = map_of(resize_image(image, size))
        labels, rows, columns = torch.where(heat >= threshold)
        boxes = cells_to_boxes(torch.stack((rows, columns), dim=1), WINDOW, stride, MARGIN, size[0] / image.shape[1])
        found.append((boxes, heat[labels, rows, columns], labels))
    boxes, scores, labels = (torch.cat(parts) for parts in zip(*found))
    kept = fast_batched_nms(boxes, scores, labels, 0.3)  # the batched_nms of 13 by a compiled kernel
    return Detections(boxes[kept], scores[kept], labels[kept])


# %%
begin = time.perf_counter()
by_crops = find_with(lambda level: heat_map(probabilities, level, WINDOW, STRIDE), crowd)
seconds_crops = time.perf_counter() - begin
show_boxes(crowd, by_crops.boxes, by_crops.labels, by_crops.scores, scenes.classes, title=f"all sizes, {seconds_crops:.2f} seconds")

# %% [markdown]
# Small signs have a box that fits now, and the large one has a larger box. There are false alarms around them too, which section 8 goes after. And it is slow: a video has 25 pictures a second. Where does the time go?
#
# ## 6. The same network, all windows at once
#
# Two neighbouring windows of 40 share 36 of their 40 columns. The first convolution computes the same sums for both, again and again.

# %%
predict(
    "14.q4",
    "Window 40, stride 4. How many windows hold one pixel in the middle of a large picture?",
    ["1", "10", "40", "100"],
)

# %%
holding = windows((200, 200), WINDOW, STRIDE)
inside = (holding[:, :2] <= 100).all(dim=1) & (holding[:, 2:] > 100).all(dim=1)
reveal("14.q4", answer=3, because=f"{int(inside.sum())} = (40 / 4)²: each pixel is looked at {int(inside.sum())} times.")
assert int(inside.sum()) == 100

# %% [markdown]
# A convolution does not mind how large its picture is. Give the two convolutions the **whole** picture, and every sum is computed once. What stands in the way? The fully connected layers (완전 연결층): they want
# exactly 16 · 7 · 7 = 784 numbers.
#
# But what does one of their neurons do? It multiplies each number of a map of 16 x 7 x 7 by a weight, and adds up. **That is a convolution** with a kernel as large as the map. On a map of 7 x 7 it has one place; on a
# larger map it slides. By hand, one neuron with weights 1, 2, 3, 4 and bias 0.5 on maps of 2 x 2:
#
# | | |
# |---|---|
# | flattened: 1, 0, 0, 10 | 1·1 + 2·0 + 3·0 + 4·10 + 0.5 = **41.5** |
# | the kernel (1 2 / 3 4) on the map (1 0 / 0 10) | the same sum: **41.5** |
# | the kernel on (1 0 2 / 0 10 0) | two places: 41.5, and 1·0 + 2·2 + 3·10 + 4·0 + 0.5 = **34.5** |
#
# ### Exercise: fc_to_conv
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# `linear.weight` is (neurons, inputs), and `Flatten` lays a map out by channel, then row, then column.


# %% exercise="14.fc_to_conv"
def fc_to_conv(linear: nn.Linear, maps_chw) -> nn.Conv2d:
    """A fully connected layer on flattened maps of (channels, height, width) -> the convolution with the same weights."""
    channels, height, width = maps_chw
    ### BEGIN SOLUTION
    conv = nn.Conv2d(channels, linear.out_features, (height, width))
    with torch.no_grad():
        conv.weight.copy_(linear.weight.reshape(conv.weight.shape))
        conv.bias.copy_(linear.bias)
    return conv
    ### END SOLUTION


fc_to_conv = check("14.fc_to_conv", fc_to_conv)

# %%
layers, maps = [model.pixels, *model.features], model.maps_chw
for layer in model.classifier:
    if isinstance(layer, nn.Linear):
        layers.append(fc_to_conv(layer, maps))
        maps = (layer.out_features, 1, 1)  # after the first one a map is a single pixel
    elif not isinstance(layer, nn.Flatten):
        layers.append(layer)
dense = nn.Sequential(*layers).eval()
print(dense[-3:])

# %% [markdown]
# Such a network is called **fully convolutional** (완전 합성곱): pictures of any size in, maps out. Nothing was trained again, no weight was added.

# %%
predict(
    "14.q5",
    "One crop at a time, crops in batches, the whole picture at once: how far apart will the logits of these three be?",
    ["0: every bit is the same", "a rounding error", "about 1 %", "as far as those of two different networks"],
)

# %%
with torch.no_grad():
    places = windows(image.shape[1:], WINDOW, STRIDE)
    one_by_one = torch.cat([model(crop) for crop in crops(image, places, batch=1)]).T.reshape(5, 23, 23)
    in_batches = heat_map(model, image, WINDOW, STRIDE)
    at_once = dense(image[None])[0]
print("shapes", tuple(one_by_one.shape), tuple(in_batches.shape), tuple(at_once.shape))
print(f"logits from {at_once.min():.1f} to {at_once.max():.1f}")
worst = max((a - b).abs().max().item() for a, b in ((one_by_one, in_batches), (in_batches, at_once)))
band("largest difference between the three", worst, at_most=1e-4)
reveal("14.q5", answer=1 if worst else 0, because=f"at the most {worst:.1e}: the same sums, added in another order.")


# %%
@torch.no_grad()
def dense_map(level):
    """(3, h, w) -> (4, rows, columns): the heat map of a level in one pass."""
    return dense(level[None])[0].softmax(dim=0)[:-1]


begin = time.perf_counter()
by_dense = find_with(dense_map, crowd)
seconds_dense = time.perf_counter() - begin
print(f"by crops {seconds_crops:.3f} s, dense {seconds_dense:.3f} s; boxes {len(by_crops)} and {len(by_dense)}")
assert len(by_crops) == len(by_dense)
torch.testing.assert_close(by_crops.boxes, by_dense.boxes)

# %% [markdown]
# > **Myth**: *"a fully convolutional network is another network, which has to be trained."*
#
# It is the classifier, laid over the whole picture. The idea is from the early nineties (Matan and others read rows of digits with it); OverFeat (2013) made a detector of it, and FCN (2015) a segmenter, which you meet in 22.
#
# ✂ *End of the third 50 minutes.*
#
# ### How much faster?
#
# By counting: a window costs its area, a place of the dense map costs stride² pixels. The bound is 40² / 4² = **100**. It is not reached, because the kernels of the fully connected layer do not overlap in their work: they
# cost the same in both ways. So measure, against crops in batches, on an enlarged picture. The crops are cut by an indexed view, which is faster than our loop of slices: an honest race has an honest opponent.


# %%
def crops_in_batches(picture, stride):
    """What `heat_map` does, with the crops cut as fast as we know how."""
    return torch.cat([model(part) for part in crops(picture, windows(picture.shape[1:], WINDOW, stride), batch=64)])


@torch.no_grad()
def milliseconds(work, repeat):
    """The best of several runs, after one that does not count."""
    work()
    took = []
    for _ in range(repeat):
        begin = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - begin))
    return min(took)


# %%
side = at(smoke=96, quick=256, full=384)
picture = resize_image(image, (side, side))
strides = [4, 8, 16, 32]
batched = [milliseconds(lambda stride=stride: crops_in_batches(picture, stride), repeat=at(smoke=1, full=3)) for stride in strides]
once = milliseconds(lambda: dense(picture[None]), repeat=at(smoke=1, full=10))
alone = lambda stride: [model(crop) for crop in crops(picture, windows(picture.shape[1:], WINDOW, stride), batch=1)]
single = [milliseconds(lambda stride=stride: alone(stride), repeat=1) for stride in strides]
for stride, slow, took in zip(strides, single, batched):
    number = len(windows((side, side), WINDOW, stride))
    print(
        f"stride {stride:>2}: {number:>5} crops one by one {slow:7.1f} ms, in batches {took:6.1f} ms, dense {once:5.1f} ms: {took / once:5.1f} times"
    )

# %%
show_times(
    strides,
    {"crops one by one": single, "crops in batches": batched, "dense (stride 4, always)": [once] * 4},
    f"Time for one picture of {side} x {side} pixels, window 40",
)
band("times faster than crops in batches, at stride 4", batched[0] / once, at_least=30)

# %% [markdown]
# The dense map is always computed at the network's own stride of 4: two poolings of 2. A coarser stride only throws cells away. Crops get cheaper with the square of the stride: a quarter for each doubling. At stride 32 crops in batches
# are about as fast as the dense map, and where windows no longer overlap (stride 40) there is nothing left to share.
#
# ## 7. When are they equal? Three conditions
#
# ### The stride must be a multiple of the network's own
#
# A window that begins at x = 8 is cell 8 / 4 = 2. And one that begins at x = 6?

# %%
with torch.no_grad():
    at_six = model(image[None, :, 0:40, 6:46])[0]
    for cell in (1, 2):
        print(f"window at x = 6 against cell {cell} (x = {4 * cell}): {(at_six - at_once[:, 0, cell]).abs().max():.2f} apart")
    shifted = dense(image[None, :, :, 2:])[0]  # the picture begins 2 pixels further right
    apart = (at_six - shifted[:, 0, 1]).abs().max().item()
print(f"window at x = 6 against cell 1 of the shifted picture (x = 2 + 4): {apart:.1e} apart")
band("shifted by 2 pixels: largest difference", apart, at_most=1e-4)

# %% [markdown]
# It is no cell of this map: the poolings took their pairs at even places. Shift the *picture* by 2 pixels and it is one. So stride 2 costs four passes (shifted by 0 or 2, in x and in y), interleaved: "shift and stitch".
# A stride of 8 is every second cell, 12 every third.
#
# ### The network must be in eval mode
#
# In train mode batch normalisation (배치 정규화) uses the mean of what it is *given*: of 64 crops, or of one whole picture (08).

# %%
with torch.no_grad():
    awake = copy.deepcopy(model).train()
    awake_dense = convolutional(awake).train()  # the same steps as above, as a function of the package
    train_mode = (heat_map(awake, image, WINDOW, STRIDE) - awake_dense(image[None])[0]).abs().max().item()
print(f"in train mode the logits are up to {train_mode:.1f} apart")
band("difference in train mode", train_mode, at_least=0.1)

# %% [markdown]
# ### No padding
#
# A padded convolution sees zeros beyond the border. Which border? Alone, the window's; in the dense map only the picture's, and around the window lie the neighbours' pixels. Take the trained convolutions, give them padding,
# and compare the maps of one window alone with the same part of the whole picture's:

# %%
padded = copy.deepcopy(model.features)
for layer in padded:
    if isinstance(layer, nn.Conv2d):
        layer.padding = (2, 2)
predict("14.q6", "Where will the two maps differ?", ["nowhere", "everywhere", "in a ring along the border", "in the middle"])

# %%
y, x = 40, 48  # a window in the middle of the picture; both are multiples of 4
with torch.no_grad():
    pixels = model.pixels(image[None])
    rings = {}
    for name, depth, step in (
        ("after the first convolution", 1, 1),
        ("after pooling", 4, 2),
        ("after the second", 5, 2),
        ("after pooling again", 8, 4),
    ):
        alone = padded[:depth](pixels[:, :, y : y + 40, x : x + 40])[0]
        among = padded[:depth](pixels)[0, :, y // step : y // step + alone.shape[1], x // step : x // step + alone.shape[2]]
        rings[name] = (alone - among).abs().amax(dim=0)
show_differences(rings, "Padded: one window alone against the same place of the whole picture", "largest difference")

# %%
last = rings["after pooling again"]
border = torch.ones_like(last, dtype=torch.bool)
border[2:-2, 2:-2] = False
reveal("14.q6", answer=2, because=f"{int((last > 1e-4).sum())} of {last.numel()} cells differ; of the middle {int((~border).sum())} none.")
band("largest difference in the middle", last[~border].max(), at_most=1e-4)
band("largest difference in the ring", last[border].max(), at_least=0.1)

# %% [markdown]
# The first convolution reaches two pixels over the border: a ring of 2. Pooling halves it to 1, the second convolution adds 2, pooling rounds up: **a ring of two cells**, up to 64 of 100 (a cell where ReLU made both 0 hides it). Each padded layer makes the ring wider,
# and in a deep network it fills the window. Then no cell is equal. What does it do to the answers? A padded classifier, trained on the same windows:

# %%
torch.manual_seed(14)
padded_model = WindowNet(classes=5, padded=True).to(device)
fit_classifier(padded_model, cut, epochs=at(smoke=1, quick=1, full=2), lr=3e-3)
padded_model.cpu().eval()
with torch.no_grad():
    alone, among = heat_map(padded_model, image, WINDOW, STRIDE), convolutional(padded_model)(image[None])[0]
print(
    f"same shape: {tuple(alone.shape) == tuple(among.shape)}; logits up to {(alone - among).abs().max():.1f} apart, mean {(alone - among).abs().mean():.2f}"
)
print(f"another best class in {(alone.argmax(dim=0) != among.argmax(dim=0)).sum()} of {23 * 23} windows")
band("padded: largest difference of the logits", (alone - among).abs().max(), at_least=0.1)

# %% [markdown]
# Is that bad? The padded dense network is no *wrong* network: most detectors are padded. But it is not the classifier that was trained and measured; it sees neighbours where training showed it zeros. So train a padded network on whole
# pictures, as it will be used. That is what all detectors from 16 on do.
#
# | condition | broken | why | way out |
# |---|---|---|---|
# | stride a multiple of the network's | stride 6 | pooling took other pairs | shift the picture |
# | eval mode | train mode | other batch statistics | `model.eval()` |
# | no padding | padding | zeros or neighbours at the window's border | train on whole pictures |
#
# ✂ *End of the fourth 50 minutes.*
#
# ## 8. What is it worth?
#
# AP over the validation scenes, as 13 began it (AP50: an IoU of 0.5 is enough) and as COCO asks: AP is the mean over ten thresholds from 0.50 to 0.95, AP75 one of them. Notebook 20 takes it apart.


# %%
def worth(stride=STRIDE, scales=SCALES):
    """AP of the dense detector at a stride: every so manyth cell."""
    step = stride // STRIDE
    find = lambda images: [find_with(lambda level: dense_map(level)[:, ::step, ::step], images[0], 0.001, stride, scales)]
    return measure_detector(find, validation)


before = worth()
print({name: round(before.summary[name], 3) for name in ("AP", "AP50", "AP75")}, f"{before.milliseconds:.0f} ms a picture")

# %% [markdown]
# ### Its own false alarms
#
# Which windows of the *training* scenes does it take for signs, wrongly? Nobody could have chosen better examples of background: **hard negatives** (어려운 음성 예). Add them, train on, and look again.

# %%
hard = cut_windows(training, hard_of=dense)
print(len(hard), "false alarms in", len(training), "training scenes")
if len(hard):
    worst_ones = hard.images[torch.linspace(0, len(hard) - 1, min(8, len(hard))).long()]
    show_images(worst_ones, ["background"] * len(worst_ones), columns=8, size=1.25, suptitle="Background that looked like a sign")

# %%
both = Labelled(torch.cat((cut.images, hard.images)), torch.cat((cut.labels, hard.labels)), cut.classes)
model.to(device)
fit_classifier(model, both, epochs=at(smoke=1, quick=2, full=4), lr=3e-3, seed=1)
model.cpu().eval()
dense = convolutional(model)
after = worth()
for name, measured in (("before", before), ("after", after)):
    sure = sum(int((found.scores >= 0.5).sum()) for found in measured.found)
    print(f"{name:>6}: AP {measured.summary['AP']:.3f}, AP50 {measured.summary['AP50']:.3f}, boxes above 0.5: {sure}")
print(f"signs there are: {sum(len(t['boxes']) for t in after.targets)}")
band("AP50 with hard negatives", after.summary["AP50"], at_least=0.8)

# %%
tamed = find_with(dense_map, crowd)  # dense_map asks for `dense`, which is the new one now
panels = {
    "truth": (crowd_target["boxes"], None, crowd_target["labels"]),
    "before": (by_dense.boxes, by_dense.scores, by_dense.labels),
    "after": (tamed.boxes, tamed.scores, tamed.labels),
}
show_before_after(crowd, panels, scenes.classes, "Taught by its own false alarms")

# %% [markdown]
# Fewer false alarms. How much of that is owed to the hard negatives, and how much to a few more epochs on the old windows, these numbers do not tell: for that one would train on *without* the hard ones, as often, and compare. Try it.
#
# The large sign is cut off by the edge of the picture: no window that holds it *and* its margin lies inside, and it is no square any more. It was framed badly before, and may be lost
# now: such windows are hard background. (Padding the *picture* with a few pixels on each side, before anything else, would let windows reach it.)
#
# ### AP against stride

# %%
predict(
    "14.q7",
    "The stride goes from 4 to 16, a sixteenth of the windows. What happens?",
    ["AP and AP50 hardly change", "AP falls by much, AP50 by little", "AP50 falls by much, AP by little", "both fall to nearly 0"],
)

# %%
by_stride = {4: after} | {stride: worth(stride) for stride in (8, 16, 32)}
lines = {name: [measured.summary[name] for measured in by_stride.values()] for name in ("AP50", "AP75", "AP")}
show_slide(list(by_stride), lines, "AP against stride", xlabel="stride in pixels of a level", ylabel="AP")

# %%
for stride, measured in by_stride.items():
    print(f"stride {stride:>2}: " + ", ".join(f"{name} {measured.summary[name]:.3f}" for name in lines))
drops = {name: line[0] - line[2] for name, line in lines.items()}
reveal(
    "14.q7",
    answer=1,
    because=f"from stride 4 to 16 AP loses {drops['AP']:.2f}, AP75 {drops['AP75']:.2f} and AP50 {drops['AP50']:.2f}: signs are found, boxes fit badly.",
)
band("AP lost from stride 4 to 16", drops["AP"], at_least=0.1)
band("AP50 lost from stride 4 to 16", drops["AP50"], at_most=0.25)
band("AP50 lost from stride 4 to 32", lines["AP50"][0] - lines["AP50"][3], at_least=0.1)

# %% [markdown]
# Look at the first row again: nearly every sign is found (AP50), and the stricter the IoU that is asked for, the fewer count (AP75, AP). A box is a square on a grid, in one of eight sizes, whatever the shape of the sign. The classifier
# never learnt where a sign ends; it can only say how well a window fits. More sizes and a finer grid would help, at a price. Notebook 16 has a better idea: let every cell *say* the box.

# %% [markdown]
# ## 9. A map enlarged
#
# The map has 23 x 23 cells. To lay it over the picture pixel by pixel, or to add it to a finer map (17, 19, 22), it must be **enlarged** (업샘플링, upsampling). Three ways:
#
# - **nearest** (최근접): repeat each number.
# - **bilinear** (쌍선형): straight lines between the numbers, in x and in y.
# - **transposed convolution** (전치 합성곱): each number stamps a kernel, times itself, into the large map; stamps lie `stride` pixels apart, and where they overlap they *add up*. It is the convolution read backwards, and its kernel can
#   be learnt. Also called deconvolution (디컨볼루션), which it is not: it undoes nothing.
#
# By hand, the numbers 1 and 10, the kernel 1 2 3, stride 2:
#
# ```
# 1 stamps    1  2  3
# 10 stamps         10 20 30
#             1  2  13 20 30
# ```
#
# ### Exercise: transposed_conv
# *difficulty 3 of 5 · importance 3 of 5 · about 20 minutes*
#
# Padding takes pixels *away* here, from all four sides of the result: as many as a convolution's padding would have added.


# %% exercise="14.transposed_conv"
def transposed_conv(values: Tensor, kernel: Tensor, stride: int, padding: int = 0) -> Tensor:
    """(H, W) numbers and an (h, w) kernel -> ((H - 1) * stride + h - 2 * padding, (W - 1) * stride + w - 2 * padding)."""
    ### BEGIN SOLUTION
    (rows, columns), (height, width) = values.shape, kernel.shape
    out = torch.zeros((rows - 1) * stride + height, (columns - 1) * stride + width)
    for row in range(rows):
        for column in range(columns):
            y, x = row * stride, column * stride
            out[y : y + height, x : x + width] += values[row, column] * kernel
    return out[padding : out.shape[0] - padding, padding : out.shape[1] - padding]
    ### END SOLUTION


transposed_conv = check("14.transposed_conv", transposed_conv)

# %%
generator = torch.Generator().manual_seed(0)
values, kernel = torch.randn(5, 6, generator=generator), torch.randn(4, 4, generator=generator)
theirs = F.conv_transpose2d(values[None, None], kernel[None, None], stride=2, padding=1)[0, 0]
band("largest difference from torch's", (transposed_conv(values, kernel, 2, 1) - theirs).abs().max(), at_most=1e-5)

# %% [markdown]
# Which kernel? A row of 4 ones with stride 2 counts how many stamps reach each pixel; so does one of 3. Guess before you look at the numbers:

# %%
predict(
    "14.q8",
    "A map of ones, stride 2. Which kernel of ones gives an even result (away from the edges)?",
    ["3 x 3", "4 x 4", "both", "neither"],
)

# %%
ones = torch.ones(4, 4)
grids = {f"kernel {k} x {k}, stride 2": transposed_conv(ones, torch.ones(k, k), 2) for k in (3, 4)}
show_grids(grids | {"tent of 4 x 4": transposed_conv(ones, bilinear_kernel(2), 2)}, "How often is each pixel stamped?")

# %%
inner = {name: grid[2:-2, 2:-2] for name, grid in grids.items()}
spread = [float(grid.max() - grid.min()) for grid in inner.values()]
reveal(
    "14.q8",
    answer=1,
    because=f"3 is no multiple of 2: sums go from 1 to 4 like a chessboard. With 4 every inner pixel gets {inner['kernel 4 x 4, stride 2'][0, 0]:.0f}.",
)
assert spread == [3.0, 0.0]

# %% [markdown]
# The **chessboard** (체커보드 무늬) shows in pictures that networks draw, wherever a kernel's size is no multiple of its stride. The *tent* (1/4, 3/4, 3/4, 1/4, times itself) is the kernel of bilinear enlarging: a transposed convolution that
# begins with it begins with bilinear, and may learn something better.

# %%
stop = dense_map(image)[scenes.classes.index("stop")]  # (23, 23)
enlarged = {
    "nearest": F.interpolate(stop[None, None], scale_factor=4, mode="nearest")[0, 0],
    "bilinear": F.interpolate(stop[None, None], scale_factor=4, mode="bilinear", align_corners=False)[0, 0],
    "transposed": transposed_conv(stop, bilinear_kernel(4), stride=4, padding=2),
}
print({name: tuple(big.shape) for name, big in enlarged.items()})
show_heat(image, enlarged, WINDOW, STRIDE, "The stop sign's map, four times as large", pixels=True)

# %%
inside = (enlarged["bilinear"] - enlarged["transposed"])[2:-2, 2:-2].abs().max()
band("bilinear against the tent, away from the edges", inside, at_most=1e-5)

# %% [markdown]
# > **Myth**: *"enlarged to the picture's size, the map is as fine as one made at stride 1."*
#
# It looks so. We can ask: shift and stitch (section 7) gives the true map at stride 2. Does enlarging by 2 give the same?

# %%
fine = torch.zeros(2 * 23 - 1, 2 * 23 - 1)
label = scenes.classes.index("stop")
for dy in (0, 2):
    for dx in (0, 2):
        part = dense_map(image[:, dy:, dx:])[label]
        fine[dy // 2 :: 2, dx // 2 :: 2] = part
guess = F.interpolate(stop[None, None], fine.shape, mode="bilinear", align_corners=True)[0, 0]  # first cell on first, last on last
lit = fine > 0.05
error = (fine - guess).abs()
print(f"at the {int(lit.sum())} cells where the true map is above 0.05: mean difference {error[lit].mean():.3f}, largest {error.max():.2f}")
assert torch.allclose(fine[::2, ::2], stop, atol=1e-4)
band("largest difference of an enlarged map from the true one", error.max(), at_least=0.05)

# %% [markdown]
# Enlarging invents what lies between. Where that matters, it is given help: finer maps from earlier layers (22), or a kernel that learns.
#
# ## 10. Large photographs
#
# Everything here works on a photograph of 4000 x 3000, because nothing is cut before it is needed. Cut by cut, at stride 16:

# %%
photograph = torch.randint(0, 256, (3, 3000, 4000), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
boxes = windows((3000, 4000), WINDOW, at(smoke=64, full=16))
begin, seen, largest, together = time.perf_counter(), 0, 0, 0
for part in crops(photograph, boxes, batch=64):
    seen, largest, together = seen + len(part), max(largest, part.nbytes), together + part.nbytes
print(
    f"{seen:,} crops in {time.perf_counter() - begin:.2f} s; at most {largest / 1e6:.2f} MB of them at a time, {together / 1e6:,.0f} MB in all"
)
assert seen == len(boxes)

# %% [markdown]
# (A test of the package, `tests/sliding/test_windows.py`, measures the whole process at stride 8: less than 20 MB more while they go by, more than 500 MB if a list keeps them.)
#
# Windows are used in a second way: a *detector* is slid over a photograph, in large windows called **tiles** (타일), so that a sign of 30 pixels is not shrunk to 2 or 3. Tiles must overlap by at least the largest object that they are to
# find, or one that lies on a seam is cut in every tile:

# %%
from coursekit.data.tiles import tile_windows

for overlap in (0, 64):
    tiles = tile_windows((3000, 4000), 640, overlap)
    print(f"overlap {overlap:>2}: {len(tiles)} tiles of 640; the first ones in x: {sorted({t[0] for t in tiles})}")

# %% [markdown]
# The last tile is shifted back so that it ends with the picture, where our `windows` leave pixels out: tiles need no even steps, a map does.
#
# ## Summary
#
# - A **sliding window** turns a classifier into a detector: windows → scores → heat map → threshold → NMS → boxes.
# - (side - window) // stride + 1 windows fit along a side. Half a stride is the worst error of place, and it is made in x and in y.
# - One window, many sizes of the picture: the **pyramid**. Compute boxes in one unit; convert once.
# - A detector asks thousands of questions of a picture: 99 % is little. Its own false alarms are the best background.
# - A fully connected layer *is* a convolution with a kernel as large as its map. The dense map equals the crops to rounding if the stride is a multiple of the network's, the mode is eval, and **nothing is padded**.
# - It is faster by up to window² / stride²: more than 30 times here.
# - Enlarging: nearest, bilinear, transposed convolution. None of them knows what lies between.
# - AP50 is high and AP much lower: the place is known, the shape of the box is not.
#
# ### Do you still know?
#
# <details><summary>A picture of 100 x 60, window 40, stride 8. How many windows?</summary>
#
# (100 - 40) // 8 + 1 = 8 rows and (60 - 40) // 8 + 1 = 3 columns: 24.
# </details>
#
# <details><summary>A network has three poolings of 2. Which strides does its dense map give for nothing?</summary>
#
# Multiples of 8. Others need a shifted picture: one pass for each shift.
# </details>
#
# <details><summary>A fully connected layer has 4,096 neurons on maps of 256 x 6 x 6 (AlexNet). What is it as a convolution?</summary>
#
# 4,096 kernels of 256 x 6 x 6, without padding: the same 37.7 million weights.
# </details>
#
# <details><summary>Your dense map and your crops differ by 3 in the logits. Which three things do you check?</summary>
#
# Padding, train mode, and whether each window begins at a multiple of the network's stride.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message, or symptom | what happened |
# |---|---|
# | `mat1 and mat2 shapes cannot be multiplied` | a larger picture met a fully connected layer: turn it into a convolution |
# | `stack expects each tensor to be equal size` | windows that stick out of the picture were cut at its edge |
# | the heat map looks like noise, with the right values in it | (N, K) reshaped to (K, rows, columns) without `.T` |
# | all boxes crowd in the left upper corner | the stride was forgotten: cells taken for pixels |
# | boxes right at scale 1, too small or too large on other levels | the planted bug of section 5 |
# | the process is killed on a large photograph | all crops were kept in a list |
# | dense and crops disagree, a little everywhere | train mode, or padding in a deep network |
# | a sign at the very edge is found badly | its margin would lie outside the picture, and no window goes there: pad the picture |
#
# ### Where to read more
#
# - Sermanet and others: OverFeat, arXiv 1312.6229, section 3.5: the sliding window that costs nothing extra
# - Long, Shelhamer, Darrell: Fully Convolutional Networks, arXiv 1411.4038, sections 3.1 to 3.3
# - Odena, Dumoulin, Olah: Deconvolution and Checkerboard Artifacts, distill.pub/2016/deconv-checkerboard
# - `coursekit/sliding/`: these functions as the course uses them, and `recipe.py`, the whole detector in one call
#
# **Next**: 15 slides the same windows with the features of the time before networks. 16 lets every cell of the map say its box.
