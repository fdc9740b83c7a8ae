# %% [markdown]
# # 13 · Boxes: where is it, and says who?
#
# A classifier answers *what*. A detector must also answer *where*, and its answer is four numbers. From here to notebook 20 everything
# is made of them: training compares boxes, a detector's output is thinned out by comparing boxes, and its grade comes from comparing boxes.
# This notebook builds that toolbox. It is small, every line of it is yours, and every later notebook runs on it: the sliding window (14), the
# methods before networks (15), the grid (16), one stage and two (17, 18), YOLO (19), and the exact score of all of them (20).
#
# | you will learn | you will build |
# |---|---|
# | three ways to write a box, five ways files do it, and the silent bugs in between | `box_convert` |
# | how much two boxes agree: IoU, and what "0.5" really means | `box_iou` |
# | why IoU cannot teach a box to move, and what can | `giou` |
# | how a hundred boxes become a few: confidence threshold and NMS | `nms`, `batched_nms` |
# | which box found which object, and a first average precision | `simple_ap` |
# | how to find a bug that raises no error | `tidy_up`, repaired |
#
# **Time** 15 seconds of computing on two CPU cores; about three hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you have met broadcasting (01), gradient descent (02, 03), precision and recall (06).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("13_boxes")

# %%
import time

import torch
import torchvision
from torch import Tensor

from coursekit import boxes as ours
from coursekit.boxes import box_area, fast_nms
from coursekit.data.signs import SignScenes
from coursekit.metrics.simple import simple_ap_by_class
from coursekit.plots import boxes as pictures
from coursekit.plots.images import show_boxes
from coursekit.plots.suppression import drag_suppression, show_before_after, show_matches, show_precision, show_rounds
from coursekit.plots.two_boxes import two_boxes
from coursekit.pretend import pretend_detections

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>01: a has shape (N, 4), b has shape (M, 4). How do you get every row of one against every row of the other?</summary>
#
# `a[:, None, :]` is (N, 1, 4), `b[None, :, :]` is (1, M, 4), and any operation on the two broadcasts to (N, M, 4).
# </details>
#
# <details><summary>02: A loss is the same number everywhere around the point where you stand. What does gradient descent do?</summary>
#
# Nothing. The gradient is 0, and a step of 0 leads nowhere.
# </details>
#
# <details><summary>06: Of 10 alarms 8 are right, and there were 16 real cases. Precision? Recall?</summary>
#
# Precision (정밀도) 8 / 10 = 0.8: how many alarms are right. Recall (재현율) 8 / 16 = 0.5: how many cases were found.
# </details>
#
# ## 1. Four numbers
#
# A **bounding box** (경계 상자) is the smallest upright rectangle around an object. In this course it is written `xyxy`: the left
# upper corner, then the right lower one, in pixels. Remember that y grows *downwards*, and that x comes first, although an image's shape puts its height first.

# %%
scenes = SignScenes(200, seed=13)
scene, target = scenes[35]
print("image ", tuple(scene.shape), scene.dtype)
print("boxes ", tuple(target["boxes"].shape), target["boxes"].dtype)
print("labels", target["labels"].tolist(), "->", [scenes.classes[k] for k in target["labels"]])

# %%
show_boxes(scene, target["boxes"], target["labels"], classes=scenes.classes, title="A generated scene and its ground truth")

# %% [markdown]
# The true boxes and labels of an image are called **ground truth** (정답). An image without objects has boxes of shape `(0, 4)`, not a missing entry:
# everything you write today must survive that.
#
# Take one box, from (27, 18) to (87, 62), in an image 120 wide and 80 high. How wide is it? 87 - 27 = 60. **No +1**: the box ends *where*
# pixel 87 begins (half-open, 반열린 구간), just as `range(27, 87)` holds 60 numbers. Others write the same box in other ways:

# %%
pictures.show_formats((27, 18, 87, 62), size=(80, 120))

# %% [markdown]
# - `xywh`: left, top, **width, height**. COCO's JSON files.
# - `cxcywh`: the **centre**, then width and height. YOLO's text files, each number divided by the image's width or height (normalised, 정규화).
# - Pascal VOC's XML files name the first and the last pixel that belong to the object, counted from 1. So (27, 18) becomes 28, 19, but the far corner stays.
#
# By hand, to `cxcywh`: the centre is ((27 + 87) / 2, (18 + 62) / 2) = (57, 40). For YOLO: 57 / 120 = 0.475, 40 / 80 = 0.5, 60 / 120 = 0.5, 44 / 80 = 0.55.
#
# All of them are four numbers. Nothing in a tensor says which four. So what happens when somebody reads COCO's `xywh` as `xyxy`?

# %%
predict(
    "13.q1",
    "COCO boxes (x, y, width, height) are read as two corners. What will you see?",
    ["an error", "boxes that are a bit too small", "boxes in wrong places, many of them inside out", "the right boxes"],
)

# %%
truth = target["boxes"]
as_xywh = torch.cat([truth[:, :2], truth[:, 2:] - truth[:, :2]], dim=1)
as_centres = torch.cat([(truth[:, :2] + truth[:, 2:]) / 2, truth[:, 2:] - truth[:, :2]], dim=1)
readings = {"xyxy, as written": truth, "xywh read as xyxy": as_xywh, "cxcywh read as xyxy": as_centres}
pictures.show_readings(scene, readings, "The same four numbers, three opinions")

# %%
plans = [scenes.plan(i) for i in range(at(smoke=10, quick=60, full=60))]  # where everything is, without drawing it
all_boxes = torch.cat([torch.from_numpy(plan.boxes).float() for plan in plans])
misread = torch.cat([all_boxes[:, :2], all_boxes[:, 2:] - all_boxes[:, :2]], dim=1)
inside_out = (misread[:, 2:] <= misread[:, :2]).any(dim=1).float().mean()
reveal("13.q1", answer=2, because=f"of {len(all_boxes)} boxes, {inside_out:.0%} end before they begin. Nothing raised an error.")

# %% [markdown]
# **Look at three pictures with boxes before you train anything.** It takes a minute, and it is the only test that finds this family of bugs at once.
#
# ### Exercise: box_convert
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*
#
# Three formats give nine directions. Do not write nine branches: go through one format in the middle.
#
# | in | out | numbers |
# |---|---|---|
# | `xywh` (2, 3, 4, 8) | `xyxy` | (2, 3, 6, 11) |
# | `xyxy` (2, 3, 6, 11) | `cxcywh` | (4, 7, 4, 8) |


# %% exercise="13.box_convert"
def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """(N, 4) boxes written in in_fmt -> (N, 4), the same boxes in out_fmt. Formats: "xyxy", "xywh", "cxcywh"."""
    a, b, c, d = boxes.unbind(dim=1)  # four columns of N numbers
    ### BEGIN SOLUTION
    if in_fmt == "xywh":
        c, d = a + c, b + d
    elif in_fmt == "cxcywh":
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    # now a, b, c, d are two corners, whatever came in
    if out_fmt == "xywh":
        c, d = c - a, d - b
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    ### END SOLUTION
    return torch.stack((a, b, c, d), dim=1)


box_convert = check("13.box_convert", box_convert)  # yours once it passes, ours until then

# %%
there_and_back = box_convert(box_convert(all_boxes, "xyxy", "cxcywh"), "cxcywh", "xyxy")
print("largest difference after going there and back:", (there_and_back - all_boxes).abs().max().item(), "pixels")

# %% [markdown]
# Stuck? `hint("13.box_convert")` helps a little, and a little more each time. `solution("13.box_convert")` shows ours.
#
# Now that you have written it, know the library's way. torchvision can keep the format *beside the numbers*, in a tensor of a class of its own, so that a transform
# (변환) knows what it holds:

# %%
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as transforms

labelled = tv_tensors.BoundingBoxes(as_xywh, format="XYWH", canvas_size=tuple(scene.shape[1:]))
corners = transforms.convert_bounding_box_format(labelled, new_format="XYXY")
print(labelled.format, labelled[0].tolist(), "->", corners.format, corners[0].tolist())
print(
    "the truth, as we loaded it:",
    torch.allclose(corners.as_subclass(Tensor), truth),
    "· but labelled + 0 is a plain",
    type(labelled + 0).__name__,
)

# %% [markdown]
# The last word is a trap: any arithmetic turns it back into a plain tensor, and the label is gone. A class is a help, not a substitute for looking.
#
# ## 2. How much do two boxes agree?
#
# A detector says *here*, the truth says *there*. We need one number for how well they agree: 1 when they are the
# same box, 0 when they do not share a pixel. The number that the whole field uses is **intersection over union**
# (IoU, 교집합 대 합집합 비율): the shared area, divided by the area that the two cover together.

# %%
predict(
    "13.q2",
    "Two boxes of the same size: B is A, moved to the right by half of its width. What is their IoU?",
    ["1/2", "1/3", "2/3", "1/4"],
)

# %% [markdown]
# Do it by hand. Box A goes from (0, 0) to (4, 2), box B from (2, 0) to (6, 2).
#
# | | width | height | area |
# |---|---|---|---|
# | A | 4 | 2 | 8 |
# | B | 4 | 2 | 8 |
# | shared: from x = 2 to x = 4 | 2 | 2 | 4 |
#
# Together they cover 8 + 8 - 4 = 12, because the shared 4 would count twice.

# %%
a = torch.tensor([0.0, 0.0, 4.0, 2.0])
b = torch.tensor([2.0, 0.0, 6.0, 2.0])
top_left = torch.maximum(a[:2], b[:2])
bottom_right = torch.minimum(a[2:], b[2:])
width, height = (bottom_right - top_left).tolist()
print("shared: from", top_left.tolist(), "to", bottom_right.tolist(), "-> area", width * height)

# %%
iou_by_hand = width * height / (8 + 8 - width * height)
reveal("13.q2", answer=1, because=f"IoU = 4 / 12 = {iou_by_hand:.3f}. Half is shared, and the score is a third: IoU is strict.")
assert abs(iou_by_hand - 1 / 3) < 1e-9

# %% [markdown]
# The shared box starts at the *larger* of the two left edges and ends at the *smaller* of the two right edges. Drag the
# boxes until they no longer touch, and watch what `bottom_right - top_left` does then.

# %%
two_boxes((1, 2, 7, 6), (4, 4, 10, 9))

# %% [markdown]
# Apart, its sides turn **negative**. Apart in x *and* in y, there are two of them, and minus times minus is plus: an area out of nowhere. `clamp(min=0)`
# cuts negative sides off, but it must come *before* they are multiplied.
#
# ### Exercise: every pair at once
# *difficulty 2 of 5 · importance 5 of 5 · about 15 minutes*
#
# A detector returns hundreds of boxes, so we compare all of them with all of the truth in one go: (N, 4) against (M, 4) gives (N, M). It is the pattern
# of `pairwise_distance` in 01. You will use this function in every notebook from here on.


# %% exercise="13.box_iou"
def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """(N, 4) and (M, 4) in xyxy pixels -> (N, M) IoU of every pair; 0 where neither box has area."""
    ### BEGIN SOLUTION
    top_left = torch.maximum(boxes1[:, None, :2], boxes2[None, :, :2])  # (N, M, 2)
    bottom_right = torch.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    shared = (bottom_right - top_left).clamp(min=0).prod(dim=2)
    area1 = (boxes1[:, 2:] - boxes1[:, :2]).prod(dim=1)
    area2 = (boxes2[:, 2:] - boxes2[:, :2]).prod(dim=1)
    union = area1[:, None] + area2[None, :] - shared
    return torch.where(union > 0, shared / union, 0.0)  # no area at all: 0, not NaN
    ### END SOLUTION


box_iou = check("13.box_iou", box_iou)

# %% [markdown]
# ### What does an IoU of one half look like?
#
# > **Myth**: *"IoU 0.5 means that half of the box is covered."*
#
# Let a share s of each of two equal boxes be covered. Then IoU = s / (2 - s), and 0.5 needs s = **2/3**. Count backwards from the pictures:

# %%
ladder = [((0, 0, 12, 12), (shift, 0, 12 + shift, 12)) for shift in (0, 1, 4, 6, 12, 18)]
pictures.show_pairs(ladder, "A box of 12 x 12, moved to the right by 0, 1, 4, 6, 12 and 18 pixels")

# %%
a, b = torch.tensor([[0.0, 0, 12, 12]]), torch.tensor([[4.0, 0, 16, 12]])
covered = (12 - 4) / 12
print(f"covered: {covered:.3f} of each box, IoU {box_iou(a, b).item():.3f}")
assert abs(covered - 2 / 3) < 1e-6
assert abs(box_iou(a, b).item() - 0.5) < 1e-6

# %% [markdown]
# ### The bug of one pixel
#
# Pascal VOC counts pixels from 1. Somebody forgets to subtract it, and every box is shifted by one pixel to the right and down. Can one pixel matter?

# %%
predict(
    "13.q3",
    "A sign is 20 x 20 pixels. Its box is one pixel too far right and one too far down. What is the IoU with the right box?",
    ["0.99", "0.95", "0.82", "0.50"],
)

# %%
sides = (all_boxes[:, 2:] - all_boxes[:, :2]).amin(dim=1)
overlap = box_iou(all_boxes, all_boxes + 1).diagonal()
for low, high in ((16, 24), (24, 40), (40, 80), (80, 256)):
    group = overlap[(sides >= low) & (sides < high)]
    print(f"signs of {low:>2} to {high:>3} pixels: {len(group):>3} of them, mean IoU {group.mean():.2f}, lowest {group.amin():.2f}")

# %%
twenty = box_iou(torch.tensor([[0.0, 0, 20, 20]]), torch.tensor([[1.0, 1, 21, 21]])).item()
band("IoU of a sign of 20 pixels, one pixel off", twenty, at_least=0.82, at_most=0.83)
reveal("13.q3", answer=2, because=f"19 * 19 / (400 + 400 - 19 * 19) = {twenty:.2f}.")

# %% [markdown]
# With a threshold of 0.5 nobody will ever notice: the small sign still counts as found. With a strict threshold of 0.9 it is lost. That is how a
# conversion bug lives in a project for years, and why 20 measures at ten thresholds.
#
# ### Is ours right? Equal to the library, measured
#
# Random fractions test the formula. They never test the edges: two random boxes never *touch*, and never coincide. Small whole numbers do both.


# %%
def random_boxes(count, generator, whole):
    """(count, 4) boxes in a square of 16 pixels; whole numbers meet and repeat, fractions never do."""
    start = torch.rand(count, 2, generator=generator) * 12
    size = 1 + torch.rand(count, 2, generator=generator) * 6
    boxes = torch.cat([start, start + size], dim=1)
    return boxes.round() if whole else boxes


# %%
generator = torch.Generator().manual_seed(0)
for whole in (False, True):
    b1, b2 = (random_boxes(at(smoke=20, quick=300, full=300), generator, whole) for _ in range(2))
    yours, theirs = box_iou(b1, b2), torchvision.ops.box_iou(b1, b2)
    print("whole numbers:" if whole else "fractions:", yours.numel(), "pairs, largest difference", (yours - theirs).abs().max().item())
    torch.testing.assert_close(yours, theirs, check_dtype=False)

# %% [markdown]
# One thing differs, and we want it to. Two boxes *without area* (a labelling slip, or a box clipped at the edge of its image) are 0 / 0:

# %%
point = torch.tensor([[5.0, 5.0, 5.0, 5.0]])
print("ours:", box_iou(point, point).item(), " torchvision:", torchvision.ops.box_iou(point, point).item())

# %% [markdown]
# One NaN (숫자 아님) in a loss makes the whole batch NaN, then every weight. 0 is the honest answer: they share nothing.
#
# ✂ *50 minutes*
#
# ## 3. GIoU: an overlap that can teach
#
# Training wants a *loss* that says how wrong a box is, so that gradient descent (경사 하강법) can move it. `1 - IoU` looks perfect. Try it: a box starts
# apart from its object, and we follow the gradient (기울기) for a while.

# %%
predict(
    "13.q4",
    "A box starts 10 pixels away from its object and follows the gradient of 1 - IoU for 150 steps. Where does it end?",
    ["on the object", "closer, but not there yet", "exactly where it began", "further away"],
)


# %%
def follow(measure, begin, goal, steps):
    """Move a box by gradient descent on 1 - measure; returns its last place and its IoU with the goal after each step."""
    box, goal = torch.tensor([begin], requires_grad=True), torch.tensor([goal])
    optimiser, curve = torch.optim.Adam([box], lr=0.5), []
    for _ in range(steps):
        optimiser.zero_grad()
        (1 - measure(box, goal)).sum().backward()
        optimiser.step()
        curve.append(box_iou(box.detach(), goal).item())
    return box.detach(), curve


def with_slope(measure, stand_in):
    """`measure` where autograd can follow it, else ours: Python numbers and NumPy give the right values, and no gradient."""
    box = torch.tensor([[0.0, 0.0, 4.0, 4.0]], requires_grad=True)
    try:
        follows = getattr(measure(box, box.detach() + 1), "requires_grad", False)
    except RuntimeError:
        follows = False
    if not follows:
        print(f"your {measure.__name__} is right and left torch on its way, so it has no gradient: ours follows the slope in this section")
    return measure if follows else stand_in


# %%
begin, goal = [4.0, 4.0, 14.0, 14.0], [24.0, 20.0, 44.0, 36.0]
steps = at(smoke=2, quick=150, full=150)
box, curve_iou = follow(with_slope(box_iou, ours.box_iou), begin, goal, steps)
print("began at", begin, "and ended at", box[0].tolist())
reveal(
    "13.q4", answer=2, because=f"apart, IoU is 0 wherever the box goes, and a flat loss has gradient 0. Its IoU now: {curve_iou[-1]:.2f}."
)

# %% [markdown]
# How often does that happen? At the start of training, nearly always. Two random boxes in an image rarely meet:

# %%
start = torch.rand(400, 2, generator=torch.Generator().manual_seed(1)) * 226
strangers = torch.cat([start, start + 30], dim=1)  # boxes of 30 x 30 pixels, anywhere in an image of 256 x 256
apart = (box_iou(strangers, strangers) == 0).float().mean().item()
print(f"{apart:.0%} of all pairs have an IoU of exactly 0")

# %% [markdown]
# **Generalized IoU** (GIoU, 일반화 IoU; Rezatofighi and others, 2019) repairs it with one more box: the **hull**, the smallest box around both
# (둘을 감싸는 최소 상자). How much of it is empty, covered by neither?
#
# $$\text{GIoU} = \text{IoU} - \frac{\text{hull} - \text{union}}{\text{hull}}$$
#
# By hand: A from (0, 0) to (1, 1), B from (3, 3) to (5, 5). They share nothing, so IoU = 0. The union is 1 + 4 = 5. The hull goes from (0, 0) to (5, 5) and
# has 25, of which 20 are empty. GIoU = 0 - 20 / 25 = **-0.8**. Push B further away and the hull grows, the empty share grows, GIoU falls towards -1.
#
# ### Exercise: giou
# *difficulty 2 of 5 · importance 3 of 5 · about 10 minutes*
#
# The first part is `box_iou` again; it is given. `box_area` gives the areas of (N, 4) boxes.


# %% exercise="13.giou"
def giou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """(N, 4) and (M, 4) in xyxy pixels -> (N, M) GIoU in [-1, 1]; a hull without area takes nothing off."""
    top_left = torch.maximum(boxes1[:, None, :2], boxes2[None, :, :2])
    bottom_right = torch.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    shared = (bottom_right - top_left).clamp(min=0).prod(dim=2)
    union = box_area(boxes1)[:, None] + box_area(boxes2)[None, :] - shared
    ### BEGIN SOLUTION
    start = torch.minimum(boxes1[:, None, :2], boxes2[None, :, :2])  # (N, M, 2)
    end = torch.maximum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    hull = (end - start).prod(dim=2)
    empty = torch.where(hull > 0, (hull - union) / hull, 0.0)
    return box_iou(boxes1, boxes2) - empty
    ### END SOLUTION


giou = check("13.giou", giou)

# %%
shifts = torch.arange(0, 31)
still = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
moving = still + shifts[:, None] * torch.tensor([1.0, 0.0, 1.0, 0.0])  # (31, 4): one place after another
values = {"IoU": box_iou(still, moving)[0].tolist(), "GIoU": giou(still, moving)[0].tolist()}
pictures.show_slide(shifts.tolist(), values, "One box slides away from another of its size")

# %% [markdown]
# Now the same 150 steps, from the same place and from two others, with each of the two measures:

# %%
curves = {}
for name, measure in (("IoU", with_slope(box_iou, ours.box_iou)), ("GIoU", with_slope(giou, ours.generalized_box_iou))):
    for begin in ([4.0, 4.0, 14.0, 14.0], [50.0, 2.0, 60.0, 12.0], [20.0, 18.0, 30.0, 28.0]):
        curves[f"{name} from {begin[:2]}"] = follow(measure, begin, goal, steps)[1]
for name, curve in curves.items():
    print(f"{name:>22}: IoU with the goal after {steps} steps {curve[-1]:.3f}")

# %%
far = {"1 - IoU": curves["IoU from [4.0, 4.0]"], "1 - GIoU": curves["GIoU from [4.0, 4.0]"]}
pictures.show_slide(range(1, steps + 1), far, "IoU with the goal while following each loss", xlabel="step", ylabel="IoU")
lowest = min(curve[-1] for name, curve in curves.items() if name.startswith("GIoU"))
band("following GIoU: the lowest final IoU of three starts", lowest, at_least=0.9)
band("following IoU from afar: final IoU", curves["IoU from [4.0, 4.0]"][-1], at_most=0.0)

# %% [markdown]
# The third start overlaps the goal a little, and there plain IoU arrives too: a loss needs a slope where you *stand*. DIoU and CIoU (notebook 19)
# go on from here: they measure the distance of the centres, and the shape.
#
# ✂ *50 minutes*
#
# ## 4. Too many boxes
#
# No detector exists yet in this course (the first comes in 14), so we pretend: `pretend_detections` takes the truth and behaves like a middling
# detector. Several boxes around each sign, each with a **confidence score** (신뢰도 점수); better boxes mostly surer; now and then a wrong class; a few false
# alarms. That is what real detectors say before anybody tidies up.

# %%
found = pretend_detections(target, len(scenes.classes), torch.Generator().manual_seed(5))
print(len(target["boxes"]), "signs,", len(found), "detections; the surest:")
for k in range(4):
    print(f"  {found.scores[k]:.2f}  {scenes.classes[found.labels[k]]:<14}", [round(v) for v in found.boxes[k].tolist()])

# %% [markdown]
# The first broom is the **confidence threshold** (신뢰도 임계값): drop everything below it.

# %%
panels = {}
for threshold in (0.0, 0.3, 0.6):
    sure = found[found.scores >= threshold]
    panels[f"score at least {threshold}"] = (sure.boxes, None, None)
show_before_after(scene, panels, scenes.classes, "The confidence threshold removes unsure boxes, not double ones")

# %% [markdown]
# It removes false alarms, and it does not solve the problem: on an easy sign *all* boxes are sure. What is left over is **duplicates** (중복). We need a
# rule that says: these five are the same object; keep the best.
#
# **Non-maximum suppression** (NMS, 비최대 억제) is that rule, and it is greedy (탐욕적):
#
# 1. Sort by score, best first.
# 2. The first box **stays**.
# 3. Every other box whose IoU with it is *greater* than a threshold is **dropped**.
# 4. Repeat with what is left.
#
# Six boxes, threshold 0.5. Follow the rounds from left to right: thick is the box that is kept in this round, dotted with a × are those that it drops.

# %%
six = torch.tensor([[0, 0, 8, 8], [1, 1, 9, 9], [0, 2, 8, 10], [14, 3, 22, 11], [14, 4, 22, 12], [7, 7, 15, 15]]).float()
six_scores = torch.tensor([0.90, 0.80, 0.75, 0.85, 0.60, 0.50])
show_rounds(six, six_scores, iou_threshold=0.5)

# %% [markdown]
# Check one by hand: #0 and #2 share 8 · 6 = 48 and cover 64 + 64 - 48 = 80, so IoU = 0.6 and #2 goes. #5 overlaps two of the kept boxes, but only by
# a corner: it stays.
#
# Two thresholds, two brooms. Drag both: which IoU threshold leaves one box on each object, and from which confidence on does #5 fall?

# %%
drag_suppression(six, six_scores, iou_threshold=0.5)

# %% [markdown]
# From 0.05 to 0.55 the answer is the same three boxes: nothing here overlaps by more than a sliver and less than 0.6. At 0 even #5 falls, for one shared pixel
# of 127; at 0.9 nobody does. Above a confidence of 0.50 #5 falls. But the confidence threshold cannot do the other's work: #1 is a duplicate, and its score is 0.80.
#
# Now the question that separates those who have understood it. Three boxes stand like stairs, each a little lower than the last. Neighbours overlap by 0.6, the
# first and the third only by 0.33. The threshold is 0.5.

# %%
predict(
    "13.q5",
    "Scores 0.9, 0.8, 0.7 from top to bottom. Which boxes stay?",
    ["only the first", "the first and the second", "the first and the third", "all three"],
)

# %%
stairs = torch.tensor([[0, 0, 4, 4], [0, 1, 4, 5], [0, 2, 4, 6]]).float()
print(box_iou(stairs, stairs))
show_rounds(stairs, torch.tensor([0.9, 0.8, 0.7]), iou_threshold=0.5)

# %%
reveal("13.q5", answer=2, because="the second is dropped in round 1, and a dropped box is gone: it cannot drop the third.")

# %% [markdown]
# ### Exercise: nms
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# Return the **indices** of the boxes that stay, best first, so that the caller can pick boxes, scores and labels with them. Two rules about ties: of equal
# scores the earlier box goes first (`argsort(descending=True, stable=True)`), and an IoU *equal* to the threshold stays.


# %% exercise="13.nms"
def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """(N, 4) boxes in xyxy, (N,) scores -> (K,) int64: indices of the boxes that stay, best first.

    A box is dropped if its IoU with a kept one is > iou_threshold; equal stays. Of equal scores the earlier box goes first.
    """
    order = scores.argsort(descending=True, stable=True)  # indices of the boxes still in the game, best first
    kept = []
    ### BEGIN SOLUTION
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        overlap = box_iou(boxes[best][None], boxes[rest])[0]
        order = rest[overlap <= iou_threshold]
    ### END SOLUTION
    return torch.stack(kept) if kept else order


nms = check("13.nms", nms)

# %% [markdown]
# ### Equal to torchvision, ties and all?
#
# Hundreds of problems with twenty boxes each. Whole-number boxes with scores of 0, 0.2, ... 1 are full of ties (동점): equal scores, equal boxes, and IoUs that *equal* the
# threshold.


# %%
def same_as_torchvision(problems, whole, thresholds, seed=0):
    """Share of random problems on which our nms and torchvision's keep the same boxes in the same order."""
    generator, same = torch.Generator().manual_seed(seed), 0
    for index in range(problems):
        boxes, scores = random_boxes(20, generator, whole), torch.rand(20, generator=generator)
        scores = (scores * 5).round() / 5 if whole else scores
        threshold = thresholds[index % len(thresholds)]
        same += torch.equal(nms(boxes, scores, threshold), torchvision.ops.nms(boxes, scores, threshold))
    return same / problems


# %%
count = at(smoke=5, quick=150, full=150)
band("fractions: problems with the same answer", same_as_torchvision(count, False, (0.1, 0.3, 0.45, 0.6)), at_least=1.0)
band("whole numbers and ties: the same answer", same_as_torchvision(count, True, (0.25, 0.5, 0.75)), at_least=1.0)

# %% [markdown]
# The thresholds of the second line are halves and quarters, and that is no accident. Look at a threshold of 0.3 and two boxes with an IoU of exactly 3/10:

# %%
long, short = [0.0, 0.0, 10.0, 1.0], [0.0, 0.0, 3.0, 1.0]
pair, pair_scores = torch.tensor([long, short]), torch.tensor([0.9, 0.8])
print(f"IoU as float32: {box_iou(pair, pair)[0, 1].item():.10f}")
print(
    "ours keeps",
    nms(pair, pair_scores, 0.3).tolist(),
    "and torchvision on the CPU keeps",
    torchvision.ops.nms(pair, pair_scores, 0.3).tolist(),
)

# %% [markdown]
# 0.3 has no exact binary form. As float32 it is 0.3000000119, and torchvision's CPU code compares that with a 0.3 in double precision: *greater*, dropped.
# Its own GPU code compares in float32, as we do: equal, kept. The same library, two answers. Rules about ties are decided by the last bit, so tests of
# such code use halves and quarters, or say what they mean.
#
# **Where ours differs from torchvision, all of it**: no area gives 0 instead of NaN; an IoU that rounds to the threshold stays; and one difference in
# `batched_nms`, below.
#
# ### What does it cost?
#
# Each kept box is compared with all that are left: at worst N · N / 2 comparisons. Ours is readable; `fast_nms` calls torchvision's compiled code and gives the same indices.

# %%
many = at(smoke=50, quick=1000, full=1000)
generator = torch.Generator().manual_seed(2)
crowd, crowd_scores = random_boxes(many, generator, whole=False) * 8, torch.rand(many, generator=generator)
for name, function in (("ours, readable", nms), ("fast_nms", fast_nms)):
    began = time.perf_counter()
    answer = function(crowd, crowd_scores, 0.5)
    print(f"{name:>15}: {many} boxes, {len(answer)} stay, {(time.perf_counter() - began) * 1000:.1f} ms")
assert torch.equal(nms(crowd, crowd_scores, 0.5), fast_nms(crowd, crowd_scores, 0.5))

# %% [markdown]
# ### NMS in each class
#
# A rider sits on a horse: two objects, nearly the same box. Plain NMS would drop one of them. So boxes suppress each other only **within a class**
# (클래스별 NMS).
#
# ### Exercise: batched_nms
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*
#
# Labels may have gaps (7 and 3, nothing between), and boxes may reach past the edge of the image, below 0. The best box comes first, whatever its class.


# %% exercise="13.batched_nms"
def batched_nms(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """As nms, but only boxes with the same label drop each other -> (K,) int64.

    Best first over all classes; of equal scores the earlier box first.
    """
    ### BEGIN SOLUTION
    stays = torch.zeros(len(boxes), dtype=torch.bool)
    for label in labels.unique():
        members = torch.where(labels == label)[0]
        stays[members[nms(boxes[members], scores[members], iou_threshold)]] = True
    kept = torch.where(stays)[0]
    return kept[scores[kept].argsort(descending=True, stable=True)]
    ### END SOLUTION


batched_nms = check("13.batched_nms", batched_nms)

# %%
once = found[nms(found.boxes, found.scores, 0.4)]
per_class = found[batched_nms(found.boxes, found.scores, found.labels, 0.4)]
sure = per_class[per_class.scores >= 0.5]
panels = {"plain NMS": once, "NMS in each class": per_class, "and score at least 0.5": sure}
panels = {name: (d.boxes, d.scores, d.labels) for name, d in panels.items()}
show_before_after(scene, panels, scenes.classes, "From raw detections to an answer")

# %% [markdown]
# Compare the first two pictures. In each class, a sign may keep a second box with *another* name: the detector was not sure what it is, and NMS has no opinion
# on that. Plain NMS cleans those up, and would also drop the rider for the horse. Most detectors go class by class and let the scores sort it out.
#
# torchvision's `batched_nms` takes a clever short cut: it moves every class to a far corner of its own, `boxes + label * (largest coordinate + 1)`, and runs NMS
# once. Boxes of different classes can no longer meet. Can they?

# %%
two = torch.tensor([[0.0, 0.0, 9.0, 9.0], [-10.0, -10.0, -1.0, -1.0]])  # the second lies above and left of the image
two_scores, two_labels = torch.tensor([0.9, 0.8]), torch.tensor([0, 1])
print("ours keeps", batched_nms(two, two_scores, two_labels, 0.5).tolist())
print("torchvision keeps", torchvision.ops.batched_nms(two, two_scores, two_labels, 0.5).tolist())

# %% [markdown]
# The shift is 9 + 1 = 10, and the second box began at -10: it lands exactly on the first. The remedy is to clip boxes to the image first, or to go class by class.
# (With more than 1000 boxes torchvision goes class by class itself, and the order of equal scores is then left open.)
#
# ✂ *50 minutes*
#
# ## 5. A grade for a detector
#
# Which of two detectors is better? Accuracy does not fit: there is no fixed list of questions. Boxes can be missing, double, or in the wrong place. So first we decide for
# each prediction whether it is **right** (true positive, 참양성) or **wrong** (false positive, 거짓양성). That is **matching** (매칭):
#
# - Go through the predictions, best score first.
# - Each takes the object that it overlaps most, among those *not taken yet*, if the IoU is at least 0.5. Then it is right, and the object is taken.
# - Otherwise it is wrong. A second box on a taken object is wrong too: duplicates cost.
#
# Five predictions, three objects:

# %%
objects = torch.tensor([[0, 0, 8, 8], [12, 2, 20, 10], [26, 0, 32, 9]]).float()
guesses = torch.tensor([[0, 1, 8, 9], [22, 11, 28, 16], [1, 0, 9, 8], [12, 3, 20, 11], [29, 4, 36, 12]]).float()
guess_scores = torch.tensor([0.95, 0.90, 0.80, 0.70, 0.50])
print(box_iou(guesses, objects))

# %%
hits = [True, False, False, True, False]
show_matches(objects, guesses, guess_scores, hits, "Five predictions by rank, three objects")

# %% [markdown]
# | rank | score | best IoU | verdict | right so far | precision so far |
# |---|---|---|---|---|---|
# | 1 | 0.95 | A: 56 / 72 = 0.78 | ✓ takes A | 1 | **1 / 1** |
# | 2 | 0.90 | none | ✗ nothing there | 1 | 1 / 2 |
# | 3 | 0.80 | A: 0.78, but A is taken | ✗ a duplicate | 1 | 1 / 3 |
# | 4 | 0.70 | B: 0.78 | ✓ takes B | 2 | **2 / 4** |
# | 5 | 0.50 | C: 15 / 95 = 0.16 | ✗ too little | 2 | 2 / 5 |
#
# Now one number. For every object, ask: *how clean was the list at the moment this object was found?* That is the precision at its hit. An object never found
# gets 0. The mean over all objects is the **average precision** (AP, 평균 정밀도):
#
# AP = (1/1 + 2/4 + 0) / 3 = **0.5**

# %%
show_precision(hits, objects=3)

# %% [markdown]
# AP rewards three things at once: finding the objects, placing boxes well enough to match, and *being surer of what is right than of what is wrong*. Which of these
# repairs would help our five predictions most?

# %%
predict(
    "13.q6",
    "Which single change raises this AP most?",
    [
        "delete the false alarm at rank 2",
        "delete the duplicate at rank 3",
        "move the box at rank 5 onto object C",
        "delete the box at rank 5",
    ],
)

# %% [markdown]
# ### Exercise: simple_ap
# *difficulty 4 of 5 · importance 5 of 5 · about 25 minutes*
#
# Now for many images. The predictions of *all* images go into one list, best first: a sure mistake in one image counts against the hits in all others. But each
# prediction is matched only with the objects of its own image.
#
# Three steps, and each of them is one you did by hand: sort; match; average. Where there is nothing to find, AP is not defined: `float("nan")`.


# %% exercise="13.simple_ap"
def simple_ap(truth: list[Tensor], boxes: list[Tensor], scores: list[Tensor], iou_threshold: float = 0.5) -> float:
    """For each image (N, 4) objects, (M, 4) predicted boxes and their (M,) scores -> AP; NaN if no image holds an object."""
    ranked = [(score.item(), image, j) for image in range(len(scores)) for j, score in enumerate(scores[image])]
    ranked.sort(key=lambda entry: -entry[0])  # best first, over all images
    free = [torch.ones(len(t), dtype=torch.bool) for t in truth]  # objects that nobody has taken
    hits, precisions = 0, []
    for rank, (_, image, j) in enumerate(ranked, start=1):
        ### BEGIN SOLUTION
        overlap = box_iou(boxes[image][j][None], truth[image])[0]
        overlap = torch.where(free[image], overlap, -1.0)  # a taken object is out of reach
        if len(overlap) and overlap.max() >= iou_threshold:
            free[image][overlap.argmax()] = False
            hits += 1
            precisions.append(hits / rank)
        ### STUDENT
        # raise NotImplementedError  # match boxes[image][j]; at a hit, take the object and remember the precision
        ### END SOLUTION
    objects = sum(len(t) for t in truth)
    return sum(precisions) / objects if objects else float("nan")


simple_ap = check("13.simple_ap", simple_ap)

# %%
by_hand = simple_ap([objects], [guesses], [guess_scores])
print("our five predictions:", by_hand)
assert abs(by_hand - 0.5) < 1e-9

# %%
moved = guesses.clone()
moved[4] = objects[2]
repairs = {"without rank 2": [0, 2, 3, 4], "without rank 3": [0, 1, 3, 4], "without rank 5": [0, 1, 2, 3]}
after = {name: simple_ap([objects], [guesses[keep]], [guess_scores[keep]]) for name, keep in repairs.items()}
after["rank 5 moved onto C"] = simple_ap([objects], [moved], [guess_scores])
for name, value in after.items():
    print(f"{name:>20}: AP {value:.3f}")
reveal("13.q6", answer=2, because="a third object found adds 3/5. Deleting the last box changes nothing: it stood below every hit.")

# %% [markdown]
# ### What suppression and thresholds do to AP
#
# Here are the pretended detections of sixty scenes. `simple_ap_by_class` runs `simple_ap` for each class; the mean over classes is called **mAP** (평균 AP의 평균).

# %%
targets = [{"boxes": torch.from_numpy(p.boxes).float(), "labels": torch.from_numpy(p.labels)} for p in plans]
generator = torch.Generator().manual_seed(7)
raw = [pretend_detections(t, len(scenes.classes), generator) for t in targets]


def mean_ap(detections, truth=targets):
    """mAP at IoU 0.5, over the classes that have an object."""
    values = list(simple_ap_by_class(truth, detections).values())
    return sum(values) / len(values)


def suppressed(detections, iou_threshold):
    return [d[batched_nms(d.boxes, d.scores, d.labels, iou_threshold)] for d in detections]


# %%
clean = suppressed(raw, 0.4)
for name, detections in (("raw", raw), ("after NMS", clean)):
    print(f"{name:>9}: {sum(map(len, detections)):>4} boxes, mAP {mean_ap(detections):.3f}")
band("what NMS adds to mAP", mean_ap(clean) - mean_ap(raw), at_least=0.1)

# %% [markdown]
# Duplicates are wrong answers with high scores, so NMS adds a lot. And the confidence threshold? Below 0.5 most boxes are false alarms.

# %%
predict(
    "13.q7",
    "We delete all detections with a score below 0.5 before we compute mAP. What happens to it?",
    ["it rises: false alarms are gone", "it stays as it is", "it falls"],
)

# %%
thresholds = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
by_confidence = []
for threshold in thresholds:
    sure = [d[d.scores >= threshold] for d in clean]
    by_confidence.append(mean_ap(sure))
    print(f"score at least {threshold:.1f}: {sum(map(len, sure)):>4} boxes, mAP {by_confidence[-1]:.3f}")

# %%
band("highest mAP with any confidence threshold, minus without one", max(by_confidence) - by_confidence[0], at_most=1e-9)
change = f"from {by_confidence[0]:.3f} to {by_confidence[5]:.3f}"
reveal("13.q7", answer=2, because=f"{change}: objects went missing, and the false alarms stood below the hits anyway.")

# %% [markdown]
# > **Myth**: *"a confidence threshold improves AP, because it removes false alarms."*
#
# It can never raise it. Precision at a hit looks only at boxes with *higher* scores; what is cut off below can only take hits away. Evaluate with a threshold near 0, and
# choose the threshold later, for the user: somebody who stops a car wants another one than somebody who counts signs.
#
# The IoU threshold of NMS is another matter: too high leaves duplicates, too low drops neighbours. To see the second, we need objects that stand close together. Signs
# rarely do, so we add a twin of the same class to each, moved by 40 % of its width: the IoU of the two is 0.6 / 1.4 = 0.43.

# %%
with_twins = []
for t in targets:
    step = (t["boxes"][:, 2] - t["boxes"][:, 0])[:, None] * torch.tensor([0.4, 0.0, 0.4, 0.0])
    with_twins.append({"boxes": torch.cat([t["boxes"], t["boxes"] + step]), "labels": t["labels"].repeat(2)})
generator = torch.Generator().manual_seed(7)
crowded = [pretend_detections(t, len(scenes.classes), generator, shift=0.06) for t in with_twins]

# %%
iou_thresholds = [0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9]
curves = {
    "signs that stand alone": [mean_ap(suppressed(raw, t)) for t in iou_thresholds],
    "signs with a twin": [mean_ap(suppressed(crowded, t), with_twins) for t in iou_thresholds],
}
pictures.show_slide(iou_thresholds, curves, "mAP against the IoU threshold of NMS", xlabel="IoU threshold of NMS", ylabel="mAP")

# %%
best_alone, best_twins = (iou_thresholds[max(range(7), key=curve.__getitem__)] for curve in curves.values())
print(f"best threshold alone: {best_alone}, with twins: {best_twins}")
band("with twins: what 0.5 gains over 0.1", curves["signs with a twin"][3] - curves["signs with a twin"][0], at_least=0.1)
band("alone: what 0.1 gains over 0.7", curves["signs that stand alone"][0] - curves["signs that stand alone"][5], at_least=0.05)

# %% [markdown]
# Could that be luck? With three other seeds of the pretended detector the best threshold was at most 0.3 alone, and 0.5 or 0.6 with twins.
#
# There is no best threshold, only a best one for your objects. That is a weakness of greedy NMS itself: it cannot know whether two boxes are one object or two. Notebook 19
# shows a softer answer (soft-NMS), and a detector that is trained not to need one.
#
# ✂ *50 minutes*
#
# ## 6. Find the bug
#
# A colleague wrote the last step of a detector. It takes a network's raw numbers, one row a box: centre, width, height, then a score for each class. It raises no error,
# boxes land on the signs, and the mAP is poor. Here are her numbers:

# %%
rows = []
for d in raw:
    scores = torch.zeros(len(d), len(scenes.classes)).scatter(1, d.labels[:, None], d.scores[:, None])
    rows.append(torch.cat([box_convert(d.boxes, "xyxy", "cxcywh"), scores], dim=1))
print("one image:", tuple(rows[35 % len(rows)].shape), "= (boxes, 4 + classes)")

# %% [markdown]
# ### Exercise: tidy_up
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# | symptom | what she sees |
# |---|---|
# | after `tidy_up`, nearly as many boxes as before | duplicates everywhere |
# | the boxes themselves lie well on their signs | so the conversion is right |
# | `nms` passes its check | so NMS is right |
#
# Both parts are right. Find what is wrong between them, then mend it: one line stands in the wrong place.


# %% exercise="13.tidy_up"
def tidy_up(raw: Tensor, score_threshold: float, iou_threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 4 + K): cx, cy, w, h in pixels, then K class scores -> boxes (M, 4) xyxy, scores (M,), labels (M,), best first."""
    scores, labels = raw[:, 4:].max(dim=1)
    sure = scores >= score_threshold
    ### BEGIN SOLUTION
    boxes = box_convert(raw[:, :4], "cxcywh", "xyxy")  # NMS reads corners, so convert before it
    boxes, scores, labels = boxes[sure], scores[sure], labels[sure]
    kept = batched_nms(boxes, scores, labels, iou_threshold)
    return boxes[kept], scores[kept], labels[kept]
    ### STUDENT
    # boxes, scores, labels = raw[sure, :4], scores[sure], labels[sure]
    # kept = batched_nms(boxes, scores, labels, iou_threshold)
    # boxes = box_convert(boxes, "cxcywh", "xyxy")
    # return boxes[kept], scores[kept], labels[kept]
    ### END SOLUTION


tidy_up = check("13.tidy_up", tidy_up)

# %%
tidied = [type(raw[0])(*tidy_up(r, 0.01, 0.4)) for r in rows]
print(f"{sum(map(len, raw))} raw boxes, {sum(map(len, tidied))} tidied; mAP {mean_ap(raw):.3f}, then {mean_ap(tidied):.3f}")
band("mAP after tidy_up", mean_ap(tidied), at_least=mean_ap(clean) - 1e-6)

# %% [markdown]
# <details><summary>What it was</summary>
#
# `batched_nms` got centres and sizes, and read them as two corners. Most such "boxes" end before they begin, so they overlap nothing and drop nobody.
# The conversion came one line too late. A cheap alarm would have found it: `assert (boxes[:, 2:] >= boxes[:, :2]).all()`, just before NMS.
# </details>
#
# ## Summary
#
# - A box is four numbers and a **convention**. Ours: `xyxy`, pixels, half-open. Convert at the edges of your program, and draw what you loaded.
# - **IoU** = shared / union, 0 for boxes that are apart, and strict: 0.5 needs two thirds covered. Clamp sides *before* multiplying.
# - Apart, IoU is flat and cannot teach. **GIoU** subtracts the empty share of the hull, and points home from anywhere.
# - **NMS**: keep the best, drop what overlaps it more than the threshold, repeat, in each class. A dropped box drops nobody.
# - **Matching**: best score first; each object is found once. **AP**: the precision at the moment each object was found, averaged over all objects.
# - A confidence threshold never raises AP. An NMS threshold may do either.
#
# ### Do you still know?
#
# <details><summary>A box (10, 20, 30, 40) comes from a COCO file. Where is its right lower corner?</summary>
#
# COCO writes `xywh`: at (10 + 30, 20 + 40) = (40, 60).
# </details>
#
# <details><summary>One box lies inside another and has a quarter of its area. IoU? GIoU?</summary>
#
# Shared = the small one, union = the large one: IoU = 1/4. The hull is the large box, nothing of it is empty: GIoU = 1/4 as well.
# </details>
#
# <details><summary>You raise the IoU threshold of NMS from 0.5 to 0.9. More boxes or fewer?</summary>
#
# More: a box now needs an IoU above 0.9 with a kept one to be dropped, and duplicates survive.
# </details>
#
# <details><summary>A detector finds every object, each exactly once, and also makes 100 false alarms, all with lower scores. What is its AP?</summary>
#
# 1.0. Every hit stands above every mistake. That is why a threshold must still be chosen before anybody uses it.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message, or symptom | what happened |
# |---|---|
# | `The size of tensor a (5) must match the size of tensor b (7)` in an IoU | `boxes1` and `boxes2` without `None`: (N, 1, 2) against (1, M, 2) |
# | IoU above 1, or below 0 | no clamp, or corners in the wrong order |
# | the loss is NaN | 0 / 0: two boxes without area |
# | `expected Tensor as element 0 ... but got int` from `torch.stack(kept)` | you collected Python numbers: `torch.tensor(kept)` |
# | `index 35 is out of bounds` after NMS | indices of the sorted or filtered list were used on the full one |
# | `max(): Expected reduction dim to be specified` | an image without boxes: ask `len(overlap)` first |
# | boxes drift to the right and downwards on small objects | VOC's +1 |
# | all boxes crowd in the left upper corner | YOLO's normalised numbers were not multiplied by the image's size |
#
# ### Where to read more
#
# - Everingham and others: *The Pascal VOC Challenge* (2010), for IoU 0.5 as a rule and where it comes from
# - [torchvision.ops](https://docs.pytorch.org/vision/stable/ops.html): the same functions under the same names
# - [Rezatofighi and others: Generalized Intersection over Union](https://giou.stanford.edu/), with pictures of cases where IoU is blind
# - `coursekit/boxes.py`: the functions of this notebook as the course uses them; `coursekit/metrics/simple.py`: the first AP, which 20 makes exact
#
# ### What follows
#
# | notebook | what finds the boxes | what of today it leans on |
# |---|---|---|
# | 14 sliding_window | a classifier, looked at through every window | threshold and NMS on thousands of windows; `simple_ap` |
# | 15 classic | hand-made features, before networks | IoU of proposals with the truth |
# | 16 grid_detector | one pass, a cell for each place | formats: a box as seen from its cell |
# | 17 one_stage | boxes to start from (anchors), at every place and size | IoU decides which anchor learns which object |
# | 18 two_stage | proposals first, then a second look | NMS between the two stages |
# | 19 yolo | one look, no anchors | GIoU's successors as a loss; soft-NMS |
# | 20 map | nothing: it measures all of them | matching and AP, exactly |
#
# Then 21 bug_clinic hands you twelve detectors that are broken in the ways you met today, and 22 segmentation goes from boxes to pixels.
#
# **Next**: 14 turns a classifier into a detector, and these tools decide what it found.
