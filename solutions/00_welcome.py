# %% [markdown]
# # 00 · Welcome: from pixels to boxes
#
# At the end of this course stands a detector (탐지기): you give it a photograph, and it answers with boxes, *here is a stop sign, here are two
# pedestrians*. You will have written every part of it, trained it, and measured it honestly. Today you only drive it around the block.
#
# | you will see | you will do |
# |---|---|
# | an image going in and boxes coming out | drag a threshold, and see what it costs |
# | the four questions of the field, on one picture | beat a rule made by hand |
# | what your machine can do | read a report |
# | how this course answers you | give a wrong answer on purpose, then a right one |
#
# **Time** 15 seconds of computing; about 45 minutes of looking around. **Before you start** you know some Python. That is all.
#
# Run a cell with **Shift + Enter**, from top to bottom. The first one sets everything up; it takes some seconds, because it loads PyTorch.

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("00_welcome")

# %%
import time

import matplotlib.pyplot as plt
import torch
from skimage import measure

from coursekit import doctor, yolo
from coursekit.boxes import box_iou, nms
from coursekit.data.signs import SIGN_CLASSES, SignScenes
from coursekit.plots.images import show_boxes, show_images
from coursekit.plots.tasks import show_tasks
from coursekit.plots.threshold import drag_threshold, keep, tally

# %% [markdown]
# ## 1. The whole arc in five minutes
#
# Throughout the course you work with **signs**: a generated world of traffic signs, drawn in perspective, at night, out of focus, half hidden, among
# things that look like signs and are none. It is unlimited, it needs no download, and every scene comes with its **ground truth** (정답):
# what is really there, and where.

# %%
scenes = SignScenes(300, seed=7, masks=True)
some = [scenes[i][0] for i in (0, 1, 3, 8, 9, 12, 13, 14)]
show_images(some, suptitle="Eight scenes out of endlessly many")

# %% [markdown]
# One scene is a pair: the **image**, and the **target** (what a perfect detector would say).

# %%
image, target = scenes[9]
print("image:", tuple(image.shape), image.dtype)
print("boxes:", target["boxes"].int().tolist())
print("names:", [SIGN_CLASSES[label] for label in target["labels"]])

# %% [markdown]
# A **bounding box** (경계 상자) is four numbers: left, top, right, bottom, in pixels. Now load a detector. It is small, it has been trained
# already, and it came with the course. One call, and out come boxes.

# %%
detector = yolo.load_shipped()
found = yolo.predict(detector, [image], confidence=0.01)[0]
print(len(found), "boxes. The best three:")
for box, score, label in list(zip(found.boxes, found.scores, found.labels))[:3]:
    print(f"  {SIGN_CLASSES[label]:<15} {score:.2f}  {[round(v) for v in box.tolist()]}")

# %% [markdown]
# Each box has a **class** (클래스: what), a **score** (점수: how sure, from 0 to 1) and its four numbers (where). The detector always says much
# more than it means; the **confidence threshold** (신뢰도 임계값) decides what we listen to. A low threshold finds everything and
# imagines more. A high one is rarely wrong and often silent.

# %%
predict(
    "00.q1",
    "You raise the threshold from 0.05 to 0.9. What happens?",
    ["more signs are found", "fewer false alarms, and more signs missed", "the boxes become more exact"],
)

# %% [markdown]
# Drag it. Where would *you* leave it, if a missed stop sign costs a life? And where, if each false alarm makes the car brake?

# %%
drag_threshold(image, found, target, SIGN_CLASSES)

# %%
for threshold in (0.05, 0.5, 0.9):
    print(f"{threshold:.2f}  {tally(found, target['boxes'], target['labels'], threshold)}")

# %%
reveal(
    "00.q1",
    answer=1,
    because="Boxes stay what they are; the threshold only drops some. None is right for every use.",
)

# %% [markdown]
# That was the arc of this course: pixels in, boxes out, and a number that says how much to trust them. Everything from here on is *how*, and *how well*.
#
# ## 2. The field on one page
#
# There are four questions that one can ask of a picture. Each has its own kind of answer, its own truth, and its own notebooks.

# %%
picture, truth = scenes[287]
show_tasks(picture, truth, SIGN_CLASSES)

# %% [markdown]
# | task | question | answer | famous data |
# |---|---|---|---|
# | **classification** (분류) | *what* is in this image? | one class and its probability | ImageNet, FashionMNIST, GTSRB |
# | **detection** (객체 탐지) | what is *where*? | boxes, each with class and score | COCO, Pascal VOC, GTSDB |
# | **semantic segmentation** (의미 분할) | which *class* is each pixel? | a class for every pixel; neighbours of one class melt together | Cityscapes |
# | **instance segmentation** (인스턴스 분할) | which *object* is each pixel? | a mask for every object | COCO |
#
# Panoptic segmentation (파놉틱 분할) asks for both at once: every pixel a class, and countable things one by one. Notebook 22 is about it.
#
# From left to right the answers say more, and the truth is dearer: a person labels a class in a second, a box in ten, and an outline in a minute.
# Detection is the middle that pays for most uses: count, find, follow, avoid.
#
# ### Nobody writes down what a sign looks like
#
# Before networks, people wrote features by hand (수작업 특징): "a sign is a patch of strong red or blue". Let us be that engineer, for six lines.


# %%
def boxes_by_rule(image, strength=40):
    """Boxes around patches that are much redder, or much bluer, than anything else in the pixel."""
    red, green, blue = image.float()
    redder = red - torch.maximum(green, blue) > strength
    bluer = blue - torch.maximum(red, green) > strength
    regions = measure.regionprops(measure.label((redder | bluer).numpy()))
    patches = [region.bbox for region in regions]  # top, left, bottom, right
    boxes = [[x1, y1, x2, y2] for y1, x1, y2, x2 in patches if min(x2 - x1, y2 - y1) > 11]
    return torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)


# %% [markdown]
# Look at one scene where the rule shines, and at one where it does not.

# %%
_, axes = plt.subplots(1, 2, figsize=(8, 4.3), layout="constrained")
for ax, number in zip(axes, (10, 11)):
    picture = scenes[number][0]
    show_boxes(picture, boxes_by_rule(picture), ax=ax, title=f"The rule on scene {number}")

# %% [markdown]
# One could go on: add "round or triangular", "not too large", "not brick". Each new rule mends one scene and breaks another, and a new kind of sign
# starts the work again. A **network** (신경망) gets no rules. It gets scenes with their truth, and finds out by itself what separates signs from
# bricks. Let both work on 50 scenes that neither has seen. (`validate` lets the detector work, and keeps its answers and the truth.)

# %%
fifty = SignScenes(at(smoke=4, quick=50, full=50), seed=7)
validation = yolo.validate(detector, fifty)

# %% [markdown]
# To be fair to the rule, which cannot name a sign, only the *place* counts: box and truth must overlap by half.

# %%
predict(
    "00.q2",
    "50 scenes hold about 80 signs. How many false alarms will the hand-made rule give?",
    ["fewer than 10", "10 to 40", "more than 40"],
)


# %%
def places(boxes, truth):
    """(signs whose place is found, boxes that are on no sign)"""
    if len(boxes) == 0 or len(truth) == 0:
        return 0, len(boxes)
    hits = int((box_iou(truth, boxes).amax(dim=1) >= 0.5).sum())
    return hits, len(boxes) - hits


def one_box_a_place(found):
    """Where two classes claim the same place, the surer one stays: the rule knows no classes either."""
    return found.boxes[nms(found.boxes, found.scores, 0.5)]


# %%
by_rule = [places(boxes_by_rule(image), truth["boxes"]) for image, truth in fifty]
answers = [one_box_a_place(keep(found, 0.25)) for found in validation.found]
by_network = [places(boxes, truth["boxes"]) for boxes, truth in zip(answers, validation.targets)]
signs = sum(len(truth["boxes"]) for truth in validation.targets)
for name, counts in (("rule", by_rule), ("network", by_network)):
    hits, alarms = (sum(column) for column in zip(*counts))
    print(f"{name:>8}: {hits} of {signs} signs found, {alarms} false alarms")

# %%
alarms = sum(alarm for _, alarm in by_rule)
right = sum(alarms > edge for edge in (9, 40))
reveal("00.q2", answer=right, because=f"{alarms} of them: bricks and evening skies are colourful too.")

# %% [markdown]
# > **Myth**: *"networks replaced hand-made features because they are faster."* The rule is faster. Networks won because they are *right* more often, and
# > because a new class costs new examples and no new code.
#
# ### Training is not deployment
#
# | | **training** (학습) | **deployment** (배포) |
# |---|---|---|
# | goes in | images *with* truth, thousands of times | images |
# | comes out | **weights** (가중치): the numbers in the network | boxes |
# | the weights | change with every step | never change |
# | takes | minutes to weeks, once | milliseconds, for every image |
# | cares about | accuracy on images never seen | latency, memory, cost, not failing at night |
#
# You have just seen the right column only. Here is how long it took on your machine:

# %%
began = time.perf_counter()
for _ in range(5):
    yolo.predict(detector, [image])
milliseconds = 1000 * (time.perf_counter() - began) / 5
weights = sum(parameter.numel() for parameter in detector.parameters())
print(f"{weights:,} weights, {milliseconds:.0f} ms an image")

# %% [markdown]
# ## 3. What can this machine do?
#
# Each line of the report is one fact, a verdict (✓ fine, △ works but slower, ✗ will fail) and what to do about it. `coursekit doctor` prints the same in a terminal.

# %%
for row in doctor.report():
    print(f"{doctor.MARKS[row.verdict]} {row.name:<20} {row.value}")
    if row.advice:
        print(f"{'':>23}{row.advice}")

# %% [markdown]
# No GPU (그래픽 처리 장치)? Then △ stands in that line and nothing else changes: every notebook states its time on two CPU cores. What will be slow
# without one is training in the notebooks 08 to 12 and 17 to 22: minutes instead of seconds.
#
# ## 4. How this course answers you
#
# Every notebook has exercises. You write a function, and `check` looks at it. It never just says *wrong*. Here is a box area, written in a hurry:


# %%
def hasty_area(box):
    return box[2] * box[3]


_ = check("00.box_area", hasty_area)

# %% [markdown]
# Read what it says, from top to bottom:
#
# 1. **The case that fails**, in words, and what came out instead of what was expected. It is small: check it by hand.
# 2. **The mistake.** Many people have made it before you, so the check knows what they were thinking.
# 3. **A question** that leads to the mend. The mending is yours.
# 4. The input, the expected and your answer in full.

# %%
predict(
    "00.q3",
    "hasty_area is right for the box (0, 0, 4, 2). Why does the check find it wrong all the same?",
    ["it compares the code", "it tries several boxes, also away from the corner", "it wants an integer"],
)

# %%
print("(0, 0, 4, 2):    ", hasty_area((0, 0, 4, 2)), "and 4 x 2 is 8")
print("(10, 20, 14, 22):", hasty_area((10, 20, 14, 22)), "and 4 x 2 is still 8")

# %%
reveal(
    "00.q3",
    answer=1,
    because="In the corner, x2 is the width. Cases are chosen so that each mistake gives another answer.",
)

# %% [markdown]
# ### Exercise: box_area
# *difficulty 1 of 5 · importance 2 of 5 · about 3 minutes*
#
# Your first one. A box is four numbers: `x1, y1` is its left top corner, `x2, y2` its right bottom corner. The corner on the right is where the next pixel
# begins, so a box from 0 to 4 is exactly 4 wide. What is its area, in square pixels?
#
# Replace the line that raises `NotImplementedError`, and run the cell. Get it wrong first, if you like: nothing is counted against you.


# %% exercise="00.box_area"
def box_area(box):
    """Four numbers x1, y1, x2, y2 in pixels -> width times height, in square pixels."""
    x1, y1, x2, y2 = box
    ### BEGIN SOLUTION
    return (x2 - x1) * (y2 - y1)
    ### END SOLUTION


box_area = check("00.box_area", box_area)  # yours once it passes, ours until then

# %% [markdown]
# `check` gives a function back: **yours**, once it passes, and ours until then. So your own code runs on in the cells below, and if an exercise
# beats you today, the notebook still works.

# %%
areas = [int(box_area(box)) for box in target["boxes"]]
print("areas of the signs in scene 9, in square pixels:", areas)

# %% [markdown]
# And when you are stuck:
#
# | you type | you get |
# |---|---|
# | `hint("00.box_area")` | a small push; again for a larger one |
# | `solution("00.box_area")` | ours, to compare (left out in a class edition) |
# | `predict(...)` | nothing yet: you commit a guess *before* an experiment. A wrong guess teaches most |
# | `coursekit progress`, in a terminal | what you have passed. It is a small file on your disk: no account, no server |

# %%
hint("00.box_area")

# %% [markdown]
# ## 5. One number for a detector
#
# "It found most of them" is no measurement. The field's number is **AP** (average precision, 평균 정밀도): from 0 to 1, over *all* thresholds at once, and
# strict about how well the boxes fit. You will compute it by hand in notebook 20, and find out why five tools give five values. Here is the
# shipped detector on our 50 scenes.

# %%
for name in ("AP", "AP50", "AP75"):
    print(f"{name:>5}: {validation.summary[name]:.3f}")

# %%
band("AP of the shipped detector on 50 scenes", validation.summary["AP"], at_least=0.8)

# %% [markdown]
# `AP50` asks only that box and truth overlap by half, `AP75` asks for three quarters. `AP` is the plain mean over ten such demands, from 50 to 95 %, so it
# is never above `AP50`. 1.0 would be perfect. Keep your number in mind: in notebook 19 you train your own and compare.
#
# ## 6. The map
#
# Every notebook opens on its own and needs none of the others. Those that are marked are in your folder now; 23 and 24 are being written.
#
# | | notebook | you will be able to |
# |---|---|---|
# | ● 00 | welcome | find your way |
# | ● 01 | tensors | hold an image in your hands: shape, layout, range, batches |
# | ● 02 | losses | say how wrong, as one number, and follow it back through a network |
# | ● 03 | optimisers | walk downhill: SGD to AdamW, learning rates and schedules |
# | ● 04 | data | look first; split, balance and label |
# | ● 05 | training loop | train, validate, stop early, resume |
# | ● 06 | measuring | see where accuracy lies |
# | ● 07 | convolution | write one, and see what it sees |
# | ● 08 | fitting | tell too little from too much, and cure both |
# | ● 09, 10 | architectures, efficient | read the family tree from LeNet to MobileNet, and measure it |
# | ● 11 | augmentation | make more data, and keep the boxes right |
# | ● 12 | transfer | stand on weights that others trained |
# | ● 13 | boxes | IoU, NMS, and the bugs of box formats |
# | ● 14 | sliding window | turn a classifier into a detector, then make it fifty times faster |
# | ● 15 | classic | know what came before networks |
# | ● 16, 17, 18 | grid, one stage, two stages | build three detectors, and know their limits |
# | ● 19 | YOLO | build the one you have just used |
# | ● 20 | mAP | measure to the last bit, and say why AP was lost |
# | ● 21 | bug clinic | heal twelve broken detectors |
# | ● 22 | segmentation | go from boxes to pixels |
# | 23 | deployment | serve it |
# | 24 | project | do it all on data of your own |
#
# **In a hurry?** 00 → 01 → 13 → 20 → 19 is the shortest way to a detector of your own.
#
# **You teach?** Notebooks mark cuts of 50 minutes (✂); 01 to 12 fill three weeks of a class and 13 to 24 four more. `coursekit build` makes the solved editions,
# and `python -m coursekit.authoring --class` an edition without solutions whose checks are strict.
#
# ## Summary
#
# - Classification says what, detection says what and where, segmentation says which pixels.
# - A detector gives boxes with classes and scores. The **threshold** trades misses for false alarms; no value is right for all.
# - Ground truth is what people (or a generator) say is there. Features are learned from it, not written by hand.
# - Training changes weights, deployment uses them.
# - `check` names your mistake; `hint` pushes; your own code runs on.
#
# ### Do you still know?
#
# <details><summary>Two cars stand side by side and touch. Which task can still count them: semantic or instance segmentation?</summary>
#
# Instance segmentation. In the semantic answer they melt into one region of the class "car".
# </details>
#
# <details><summary>A detector has AP50 of 0.9 and AP of 0.5. What is it good at, and what not?</summary>
#
# It finds nearly everything, but its boxes are loose: they overlap the truth by half, and seldom by nine tenths.
# </details>
#
# <details><summary>Which of these happens in deployment: the loss is computed, weights change, boxes are thresholded?</summary>
#
# Only the last. Without truth there is no loss, and without a loss nothing changes.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message | what happened |
# |---|---|
# | `NameError: name 'check' is not defined` | the first cell was not run: Run ▸ Run All Above Selected Cell |
# | `ModuleNotFoundError: No module named 'coursekit'` | the notebook runs in another Python: choose the kernel that `coursekit start` opened |
# | `○ not attempted yet` | not an error: the stub is still there |
# | `Error displaying widget: model not found` | the notebook was opened again, and sliders and buttons live only while it runs: run the cell once more. Your predictions are kept |
# | everything is slow | `coursekit doctor` says why, and how to mend it |
#
# ### Where to read more
#
# - [COCO: what the detection task asks for](https://cocodataset.org/#detection-eval)
# - [Viola and Jones 2001](https://doi.org/10.1109/CVPR.2001.990517): the best of the hand-made age, taught in notebook 15
# - [Redmon and others 2016, *You Only Look Once*](https://arxiv.org/abs/1506.02640): where the name comes from
#
# **Next**: [01 · Tensors](01_tensors.ipynb). An image is numbers with a shape.
