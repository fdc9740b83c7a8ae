# %% [markdown]
# # 20 · mAP: one number for a detector, to the last bit
#
# "Ours reaches 0.72." Papers are accepted, models are bought and afternoons are lost over this number, and few who quote it could compute it. Two tools
# give you 0.72 and 0.74 for the *same boxes*: who is right? In this notebook you compute AP yourself, first on seven images that fit on one screen, then on
# a real detector, until the number equals that of the field's reference program in its last bit. Then you take it apart: *why is it not higher?*
#
# | you will learn | you will build |
# |---|---|
# | the match table: prediction → truth → right or wrong, and why | `match_detections` |
# | the curve, grown one prediction at a time | `pr_curve` |
# | three ways from a curve to a number: 11 points, all points, 101 points | `ap_at_points`, `ap_area` |
# | how to find a bug that costs two points of AP and raises no error | `rank`, repaired |
# | mAP and AP@[.50:.95]; areas, crowds, ties | `coco_map` |
# | why five famous tools disagree about the same detections, rule by rule | |
# | why AP was lost, and what would help | `error_type` |
# | a report on your own detector, for your project | |
#
# **Time** 20 seconds of computing on two CPU cores; about four hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you have met precision and recall (06), IoU, NMS and a first AP (13).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("20_map")

# %%
import json
import tempfile
from pathlib import Path

import numpy as np

from coursekit.data.signs import SIGN_CLASSES, SignScenes
from coursekit.metrics.bootstrap import bootstrap
from coursekit.metrics.curves import confidence_curves, confusion_matrix, pr_curves, reliability
from coursekit.metrics.detection import evaluate_samples
from coursekit.metrics.errors import analyse_errors
from coursekit.metrics.match_table import match_table
from coursekit.metrics.protocols import FAMOUS, READINGS, Rules, ladder, mean_ap
from coursekit.metrics.steps import envelope, iou_of_boxes
from coursekit.plots import metrics as pictures
from coursekit.plots.images import show_boxes
from coursekit.plots.match_explorer import match_explorer
from coursekit.plots.pr_explorer import pr_explorer
from coursekit.project.steps import save_step
from coursekit.resources import resource
from coursekit.yolo.predict import load_shipped
from coursekit.yolo.predict import predict as run_detector

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>06: Of 10 alarms 4 are right, and 16 objects were there. Precision? Recall?</summary>
#
# Precision (정밀도) 4 / 10 = 0.4: what share of the alarms is right. Recall (재현율) 4 / 16 = 0.25: what share of the objects was found.
# </details>
#
# <details><summary>13: Two boxes of width 4 and height 2 overlap by half. Their IoU?</summary>
#
# 4 / (8 + 8 - 4) = 1/3. IoU is stricter than it looks.
# </details>
#
# <details><summary>13: Two predictions lie on the same object. What do they count as?</summary>
#
# The better-scored one is right. The other is a duplicate, and wrong: it is a false alarm as much as a box on the sky.
# </details>

# %% [markdown]
# ## 1. Seven images
#
# This is the best-known worked example of AP: 7 images, 15 objects of one class, 24 predictions. (Boxes only, no pixels; by Rafael Padilla, MIT licence, see
# `data/padilla_sample2.md`.) Its author published the result, so we will know whether we are right.

# %%
stored = json.loads(resource("padilla_sample2.json").read_text())["images"]


def corners(boxes):
    """(left, top, width, height) -> (left, top, right, bottom)."""
    boxes = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


seven = {}
for name, image in stored.items():
    found = np.array(image["found"])
    truth, boxes, scores = corners(image["truth"]), corners(found[:, 1:]), found[:, 0]
    seven[name[-1]] = {"truth": truth, "boxes": boxes, "scores": scores}
num_truths = sum(len(image["truth"]) for image in seven.values())
print(num_truths, "objects,", sum(len(image["boxes"]) for image in seven.values()), "predictions")

# %%
pictures.show_truth_and_found(seven, title="Seven images")

# %% [markdown]
# A detector is not simply right or wrong. It says *how sure* it is, and each object may be found once, twice or never. We need a rule that turns
# every prediction into **right** (true positive, TP, 참양성) or **wrong** (false positive, FP, 거짓양성). An object that nobody found is
# **missed** (false negative, FN, 거짓음성). "Right where nothing is" has no number: there are endlessly many places where nothing is.
#
# The rule is **matching** (매칭), and you know it from notebook 13. Here it is exactly, as COCO has it. For one image:
#
# 1. Predictions choose, the best score first.
# 2. Each takes, of the truths that are still free, the one with the highest IoU, if that is *at least* the threshold. Of two equals it takes the later one.
# 3. What it takes is gone. Whoever takes nothing is wrong.
#
# Image 5 by hand, with a threshold of 0.3:

# %%
order = np.argsort(-seven["5"]["scores"])
print("scores:", seven["5"]["scores"][order])
overlaps = iou_of_boxes(seven["5"]["boxes"][order], seven["5"]["truth"], plus_one=True)  # the author counts pixels, as section 7 explains
print(overlaps.round(2))

# %% [markdown]
# Rows are predictions, best first; columns are truths. The first row takes the second truth (0.35). The second row, score 0.62, takes the first (0.32). The third
# touches nothing worth mentioning. The last has 0.18 with a truth that is taken anyway. Two right, two wrong.
#
# Often there is a conflict. Decide before you run on:

# %%
predict(
    "20.q1",
    "The surer prediction has IoU 0.60 and 0.55 with two truths, the other 0.95 and 0.10. Which are right?",
    ["both: the second fits truth 1 best and gets it", "only the first", "only the second"],
)

# %%
conflict = np.array([[0.60, 0.55], [0.95, 0.10]])
print("the first takes column", conflict[0].argmax(), "- for the second are left:", conflict[1, 1:])
reveal(
    "20.q1",
    answer=1,
    because="the surer one chooses first and takes truth 1. For the second only 0.10 remains.",
)

# %% [markdown]
# Greedy (탐욕적) matching is not the best possible matching. It is a convention, and AP means nothing without it.
#
# ### Exercise: match_detections
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# | IoU | threshold | answer | |
# |---|---|---|---|
# | `[[0.9, 0.0], [0.8, 0.6]]` | 0.5 | `[0, 1]` | the best is taken, the next best will do |
# | `[[0.6], [0.9]]` | 0.5 | `[0, -1]` | the score decides, not the fit |
# | `[[0.7, 0.7]]` | 0.5 | `[1]` | of two equals the later one |


# %% exercise="20.match_detections"
def match_detections(iou, threshold):
    """(D, G) IoU, predictions best first -> (D,) integers: which truth each one takes, -1 for none."""
    ### BEGIN SOLUTION
    free = np.ones(iou.shape[1], dtype=bool)
    choice = np.full(len(iou), -1)
    for d in range(len(iou)):
        best = threshold
        for g in range(iou.shape[1]):
            if free[g] and iou[d, g] >= best:  # `>=`: the later of two equals wins
                best, choice[d] = iou[d, g], g
        if choice[d] >= 0:
            free[choice[d]] = False
    return choice
    ### END SOLUTION


match_detections = check("20.match_detections", match_detections)

# %% [markdown]
# Stuck? `hint("20.match_detections")` helps a little, and a little more each time. `solution("20.match_detections")` shows ours.
#
# Now all 24, the surest first, over *all* images:

# %%
rows = match_table(seven, threshold=0.3, plus_one=True)
pictures.show_match_table(rows, "24 predictions, IoU threshold 0.3")

# %% [markdown]
# Read it from the top. Number 1: score 0.95, right. Number 2 is as sure, and wrong. After it one of two is right: precision 0.50; one of fifteen objects is
# found: recall 0.07. The last two columns are *running* values: what you would have if you stopped here.
#
# ✂ *50 minutes*
#
# ## 2. The curve, one prediction at a time
#
# A table of 24 rows is hard to see through. So draw it: recall to the right, precision upwards, one point after each prediction. Press *one more* and say, before each press,
# where the next point will be: it is decided by one word in the table, right or wrong.

# %%
match_explorer(rows, num_truths, count=3)

# %% [markdown]
# Every wrong prediction is a step straight down: recall stays, precision falls. Every right one goes to the right, and up (where precision was 1 already, just to the right). The saw teeth
# (톱니) are not noise; they are the list.

# %%
predict(
    "20.q2",
    "Some predictions were right so far. The threshold is lowered by one more, which is wrong. What happens?",
    ["recall falls", "precision falls, recall stays", "both stay", "precision may rise"],
)

# %% [markdown]
# ### Exercise: pr_curve
# *difficulty 2 of 5 · importance 5 of 5 · about 10 minutes*
#
# From the verdicts, best first, to the two running values.
#
# | verdict | recall, if there are 4 objects | precision |
# |---|---|---|
# | ✓ | 1/4 | 1/1 |
# | ✗ | 1/4 | 1/2 |
# | ✓ | 2/4 | 2/3 |


# %% exercise="20.pr_curve"
def pr_curve(right, num_truths):
    """right: (D,) booleans, best first -> recall (D,), precision (D,)."""
    ### BEGIN SOLUTION
    hits = np.cumsum(right)
    return hits / num_truths, hits / np.arange(1, len(hits) + 1)
    ### END SOLUTION


pr_curve = check("20.pr_curve", pr_curve)

# %%
right = np.array([row.right for row in rows])
recall, precision = pr_curve(right, num_truths)
falls = np.diff(precision)[~right[1:]]
print("after a wrong prediction precision changes by at most", falls.max().round(3))
reveal("20.q2", answer=1, because="one more was said, and none more was right.")

# %% [markdown]
# The published table of this example has 24 rows of precision and recall. Ours, rounded as theirs:

# %%
published = "1 .5 .67 .5 .4 .33 .29 .25 .22 .3 .27 .33 .38 .43 .4 .38 .35 .33 .32 .3 .29 .27 .3 .29"
published = [float(value) for value in published.split()]
assert precision.round(2).tolist() == published
print("24 of 24 rows agree")

# %% [markdown]
# Where should you stop? That is the **confidence threshold** (신뢰도 임계값), and it is not the detector's business but its user's: a car brakes rather too often, a phone
# camera rather too seldom. AP wants to judge the detector for every user at once. So it looks at *all* thresholds. Drag one:

# %%
pr_explorer(rows, num_truths, confidence=0.6)

# %% [markdown]
# ## 3. Three ways from a curve to a number
#
# Look at the curve once more. At recall 0.13 precision falls to 0.22, yet at recall 0.40 it is 0.43. Nobody would choose the point at 0.13: with *more* recall you
# can have *more* precision. So each point is raised to the best precision from there on, the **envelope** (포락선):

# %%
pictures.show_curve(recall, precision, "Seven images: the curve and its envelope")

# %%
print("precision", precision[8:14].round(2))
print("envelope ", envelope(precision)[8:14].round(2))

# %% [markdown]
# **AP** (average precision, 평균 정밀도) is the height of the envelope, averaged over recall from 0 to 1. Where recall is never reached the height is **0**: missing objects costs.
# There are three ways to average, and people fight over them:
#
# | | how | who |
# |---|---|---|
# | 11 points | mean of the heights at recall 0, 0.1, ..., 1 | Pascal VOC until 2009 |
# | all points | the exact area under the envelope | Pascal VOC from 2010 |
# | 101 points | mean of the heights at recall 0, 0.01, ..., 1 | COCO |
#
# By hand, with 11 points: heights 1 at recall 0; 0.67 at 0.1; 0.43 at 0.2, 0.3 and 0.4; 0 at the other six. Sum 1 + 0.667 + 3 · 0.429 = 2.952, divided by 11: **0.268**.

# %%
pictures.show_curve(recall, precision, "Read at 11 points", points=np.linspace(0, 1, 11))

# %% [markdown]
# ### Exercise: ap_at_points
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*
#
# One function for 11 and for 101 points: `points` says where to read. At a point counts the best precision among all predictions whose recall is **at least** the point; 0 where
# there is none.


# %% exercise="20.ap_at_points"
def ap_at_points(recall, precision, points):
    """recall, precision: (D,) after each prediction; points: (P,) recalls to read at -> AP."""
    ### BEGIN SOLUTION
    heights = [precision[recall >= point].max(initial=0.0) for point in points]
    return float(np.mean(heights))
    ### END SOLUTION


ap_at_points = check("20.ap_at_points", ap_at_points)

# %% [markdown]
# ### Exercise: ap_area
# *difficulty 3 of 5 · importance 4 of 5 · about 15 minutes*
#
# Every prediction is one step: as **wide** as recall grows there (0 if it is wrong), as **high** as the envelope. Sum up. Write the envelope yourself:
# `np.maximum.accumulate` helps, but it runs from the left.


# %% exercise="20.ap_area"
def ap_area(recall, precision):
    """recall, precision: (D,) after each prediction -> area under the envelope."""
    ### BEGIN SOLUTION
    height = np.maximum.accumulate(precision[::-1])[::-1]  # the best from here on
    width = np.diff(recall, prepend=0.0)
    return float(np.sum(width * height))
    ### END SOLUTION


ap_area = check("20.ap_area", ap_area)

# %%
choices = ["all equal", "less than 0.001", "about 0.02"]
predict("20.q3", "The same curve, three sums. How far do they lie apart?", choices)

# %%
ELEVEN, HUNDRED = np.linspace(0, 1, 11), np.linspace(0, 1, 101)
three = {
    "11 points": ap_at_points(recall, precision, ELEVEN),
    "all points": ap_area(recall, precision),
    "101 points": ap_at_points(recall, precision, HUNDRED),
}
for name, value in three.items():
    print(f"{name:>10}: {value:.4f}")
reveal("20.q3", answer=2, because="eleven points are a coarse ruler. Not one box has moved.")

# %% [markdown]
# The author published 26.84 % for 11 points and 24.57 % for all points. We are not "close". We are equal:

# %%
assert round(three["11 points"], 4) == 0.2684
assert abs(three["all points"] - 0.2456866804) < 1e-10
print("both published figures reproduced")

# %% [markdown]
# > **Myth**: *"AP comes from the loss."* It cannot. AP looks at the **order** of the scores and at nothing else. Square every score: any loss changes, and the order stays.

# %%
squared = {name: image | {"scores": image["scores"] ** 2} for name, image in seven.items()}
again = match_table(squared, threshold=0.3, plus_one=True)
ap_squared = ap_area(*pr_curve(np.array([row.right for row in again]), num_truths))
print("AP with scores:", three["all points"], " with squared scores:", ap_squared)
assert ap_squared == three["all points"]

# %% [markdown]
# ✂ *50 minutes*
#
# ## 4. A planted bug: two points of AP
#
# A colleague computes the same AP, with your functions, and gets 22.35 %. The published figure is 24.57 %. No error, no warning, the same 24 predictions. Here is all of it:


# %%
def average_precision(images, threshold, rank, sum_up=ap_area):
    """AP of one class, over all points unless another sum is asked for."""
    scores, verdicts = [], []
    for image in images.values():
        order = rank(image["scores"])
        iou = iou_of_boxes(image["boxes"][order], image["truth"], plus_one=True)
        scores.append(image["scores"][order])
        verdicts.append(match_detections(iou, threshold) >= 0)
    order = rank(np.concatenate(scores))
    objects = sum(len(image["truth"]) for image in images.values())
    return sum_up(*pr_curve(np.concatenate(verdicts)[order], objects))


def colleagues_rank(scores):
    return np.argsort(scores)[::-1]


print(f"{average_precision(seven, 0.3, colleagues_rank):.4f}")

# %% [markdown]
# Make a guess before you read on. Then look at what comes first in each list:

# %%
pooled = np.concatenate([image["scores"] for image in seven.values()])
first = colleagues_rank(pooled)[:4]
print("the best four by the colleague:", first, "with scores", pooled[first])
print("number 1 and 2 of the match table:", [(row.image, row.score, row.right) for row in rows[:2]])

# %% [markdown]
# ### Exercise: rank
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# Repair it. Equal scores must stay in the order in which they came, with three predictions and with three thousand.


# %% exercise="20.rank"
def rank(scores):
    """(D,) scores -> (D,) indices, the best first; equal scores in the order in which they came."""
    ### BEGIN SOLUTION
    return np.argsort(-scores, kind="stable")
    ### STUDENT
    # return np.argsort(scores)[::-1]
    ### END SOLUTION


rank = check("20.rank", rank)

# %%
repaired = average_precision(seven, 0.3, rank)
print(f"{repaired:.4f}")
band("distance to the published AP", abs(repaired - 0.2456866804), at_most=1e-9)

# %% [markdown]
# ### Another published example
#
# You have all the pieces now, so try them on numbers that you have not seen. The same author's second example: ten photographs, twelve cats, twelve predictions (boxes only, MIT
# licence; the picture of 2007_000733 holds no cat). Published at two IoU thresholds: 0.8958 and 0.5097 over all points, 0.8864 and 0.4924 at eleven.

# %%
cats = {  # picture: cats as (left, top, width, height); predictions as (score, left, top, right, bottom)
    "2007_000549": ([(1, 49, 340, 450)], [(0.94, 12, 44, 344, 481)]),
    "2007_000733": ([], [(0.85, 220, 344, 400, 431)]),
    "2007_003525": ([(160, 1, 288, 374)], [(0.95, 166, 0, 477, 365)]),
    "2007_004856": ([(28, 1, 307, 495)], [(0.92, 49, 7, 318, 500)]),
    "2007_005460": ([(40, 4, 444, 366)], [(0.95, 6, 55, 495, 402)]),
    "2007_005688": ([(170, 44, 289, 207), (72, 123, 315, 211)], [(0.81, 65, 74, 370, 331)]),
    "2007_009346": ([(60, 123, 160, 182), (243, 105, 194, 212)], [(0.86, 67, 117, 229, 304), (0.76, 281, 109, 444, 320)]),
    "2008_002045": ([(1, 16, 351, 256), (130, 139, 370, 227)], [(0.89, 7, 9, 349, 265), (0.82, 151, 123, 503, 375)]),
    "2008_006599": ([(34, 1, 247, 282)], [(0.99, 29, 0, 268, 287)]),
    "2010_004175": ([(1, 39, 247, 261)], [(0.98, 47, 43, 226, 298)]),
}
ten_photographs = {}
for name, (truth, found) in cats.items():
    found = np.array(found, dtype=np.float64)
    ten_photographs[name] = {"truth": corners(truth), "boxes": found[:, 1:], "scores": found[:, 0]}

# %%
sums = {"all points": ap_area, "11 points": lambda r, p: ap_at_points(r, p, ELEVEN)}
for threshold, published_two in ((0.5, (0.8958, 0.8864)), (0.75, (0.5097, 0.4924))):
    ours = [round(average_precision(ten_photographs, threshold, rank, ap), 4) for ap in sums.values()]
    print(f"IoU {threshold}: all points {ours[0]:.4f}, 11 points {ours[1]:.4f}")
    assert tuple(ours) == published_two
print(f"by the colleague's rank, at 0.75: {average_precision(ten_photographs, 0.75, colleagues_rank):.4f}")

# %% [markdown]
# Four more figures, to the last published digit. Two predictions share the score 0.95 here as well, and the colleague's bug does not show: at 0.5 both are right, and at 0.75, where one is
# wrong, a later point of the curve is as high, and the envelope covers the place. A test on this example alone would have let the bug pass. Between 0.5 and 0.75 this detector
# loses four tenths of its AP: it sees the cats and is careless with their boxes.
#
# **Ties** (동점) are common: half-precision scores, scores rounded in a file, a detector that says 1.0 all day. The order of equals is part of the definition: COCO goes by image id,
# then by place in the file. Two programs that sort "correctly" but not *stably* (안정 정렬) disagree, and each is sure of itself.
#
# ## 5. A real detector: mAP and AP@[.50:.95]
#
# The detector that came with the course, on scenes it has never seen:

# %%
count = at(smoke=8, quick=40, full=120)
scenes = SignScenes(count, seed=2020)
samples = [scenes[i] for i in range(count)]
targets = [target for _, target in samples]
detections = run_detector(load_shipped(), [image for image, _ in samples], confidence=0.01)
signs = sum(len(target["labels"]) for target in targets)
print(count, "scenes,", signs, "signs,", sum(map(len, detections)), "detections")

# %%
sure = detections[3][detections[3].scores >= 0.3]
title = "What it says about one scene (score at least 0.3)"
show_boxes(samples[3][0], sure.boxes, sure.labels, sure.scores, SIGN_CLASSES, title=title)

# %%
images = [
    {
        "truth": t["boxes"].double().numpy(),
        "truth_labels": t["labels"].numpy(),
        "boxes": d.boxes.double().numpy(),
        "scores": d.scores.double().numpy(),
        "labels": d.labels.numpy(),
    }
    for t, d in zip(targets, detections)
]

# %% [markdown]
# Sixteen classes now. A prediction of class A cannot find an object of class B, so we do one class at a time. **mAP** (mean AP) is the plain mean over classes. Many people, COCO among them, call the mean
# just "AP".
#
# For one class and one IoU threshold, everything you built falls into place:


# %%
def class_curve(images, label, threshold):
    """Recall and precision of one class over all images; None where no image has an object of it."""
    scores, right, num_truths = [], [], 0
    for image in images:
        mine, said = image["truth_labels"] == label, image["labels"] == label
        order = rank(image["scores"][said])[:100]  # COCO counts at most 100 of a class in an image
        iou = iou_of_boxes(image["boxes"][said][order], image["truth"][mine])
        right.append(match_detections(iou, threshold) >= 0)
        scores.append(image["scores"][said][order])
        num_truths += int(mine.sum())
    if num_truths == 0:
        return None
    order = rank(np.concatenate(scores))  # all images together
    return pr_curve(np.concatenate(right)[order], num_truths)


# %%
def class_ap(images, label, threshold):
    """AP at 101 points; NaN where no image has an object of the class."""
    curve = class_curve(images, label, threshold)
    return float("nan") if curve is None else ap_at_points(*curve, np.linspace(0, 1, 101))


print("AP at IoU 0.5, 0.75, 0.95")
for label in (0, 3, 9):
    print(f"{SIGN_CLASSES[label]:>12}", [round(class_ap(images, label, t), 2) for t in (0.5, 0.75, 0.95)])

# %% [markdown]
# A stricter threshold asks for better boxes. Which threshold is the right one? COCO's answer: ten of them, 0.50, 0.55, ..., 0.95, and the mean. That is **AP@[.50:.95]**, for many simply "AP"; "AP50" is the one at 0.5.
#
# ### Exercise: coco_map
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# The plain mean over all thresholds and all classes. A class that no image has is NaN: it says nothing, and stays out of the mean.


# %% exercise="20.coco_map"
def coco_map(images, num_classes):
    """images as above -> AP@[.50:.95]: the mean over 10 thresholds and the classes that have an object."""
    ### BEGIN SOLUTION
    thresholds = np.linspace(0.5, 0.95, 10)
    table = np.array([[class_ap(images, label, t) for label in range(num_classes)] for t in thresholds])
    return float(np.mean(table[~np.isnan(table)]))
    ### END SOLUTION


coco_map = check("20.coco_map", coco_map)

# %%
by_hand = coco_map(images, len(SIGN_CLASSES))
result = evaluate_samples(targets, detections, SIGN_CLASSES)
print("yours    ", by_hand)
print("coursekit", result.summary["AP"])
band("difference", abs(by_hand - result.summary["AP"]), at_most=1e-9)
band("AP of the shipped detector", result.summary["AP"], at_least=0.6)

# %% [markdown]
# > **Myth**: *"AP@[.50:.95] weighs strict thresholds more."* It is a plain mean; every threshold weighs a tenth. Measured:

# %%
thresholds = np.linspace(0.5, 0.95, 10)
table = np.array([[class_ap(images, label, t) for label in range(16)] for t in thresholds])
per_threshold = np.nanmean(table, axis=1)
print(per_threshold.round(3))
print("plain mean           ", per_threshold.mean().round(6))
print("weighted by threshold", np.average(per_threshold, weights=thresholds).round(6))
assert abs(per_threshold.mean() - by_hand) < 1e-9

# %% [markdown]
# ### To the last bit
#
# The field's reference is a program named **pycocotools**. If it is installed here, hand it the same boxes. Not "about the same": subtract every one of its 10 · 101 · 16 · 4 · 3 precisions.

# %%
from coursekit.metrics.coco_json import to_coco


def reference_evaluation(result):
    """pycocotools on the same boxes; None where it is not installed."""
    try:
        from contextlib import redirect_stdout
        from io import StringIO

        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        return None
    truth, found = to_coco(result.inputs)
    with redirect_stdout(StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        reference = COCOeval(coco, coco.loadRes(found), "bbox")
        reference.evaluate(), reference.accumulate(), reference.summarize()
    return reference


# %%
reference = reference_evaluation(result)
if reference is None:
    print("pycocotools is not installed here; coursekit's own tests do this on 300 random problems")
else:
    cells = np.abs(reference.eval["precision"] - result.precision)
    numbers = np.abs(reference.stats - list(result.summary.values()))
    print("largest difference in precision:", cells.max(), " in the twelve numbers:", numbers.max())
    assert max(cells.max(), numbers.max()) == 0

# %% [markdown]
# And *yours*? Perhaps equal as well, perhaps off in the last bit. pycocotools divides by `tp + fp + 2.2e-16`, so that 0 / 0 cannot happen. So a detector without a single mistake gets a hair less than 1:

# %%
one = images[0]
perfect = one | {"boxes": one["truth"], "labels": one["truth_labels"], "scores": np.ones(len(one["truth"]))}
print("yours     ", coco_map([perfect], 16))
print("COCO's way", evaluate_samples(targets[:1], [perfect], SIGN_CLASSES).summary["AP"])

# %% [markdown]
# ✂ *50 minutes*
#
# ## 6. What COCO adds: areas, crowds, ties
#
# `summary` has twelve numbers. **APs, APm, APl** look at small, medium and large objects alone; **AR1, AR10, AR100** are the recall when only the best 1, 10 or 100 detections of each image and class are kept.

# %%
for name, value in result.summary.items():
    print(f"{name:>6} {value:6.3f}", "(-1: there is no object of that kind)" if value == -1 else "")

# %% [markdown]
# **Areas** (면적). Small is up to 32 · 32 = 1024 square pixels, large from 96 · 96. The area is the one in the annotation: in COCO that of the *mask* (마스크), smaller than the box.

# %%
choices = ["small", "medium", "both", "neither"]
predict("20.q4", "An object has an area of exactly 1024. Is it small or medium?", choices)


# %%
def small_case(truth, said, **fields):
    """Evaluate one image of one class: boxes in xyxy, said as (box, score)."""
    target = {"boxes": truth, "labels": [0] * len(truth)} | fields
    boxes, scores = zip(*said)
    prediction = {"boxes": boxes, "scores": scores, "labels": [0] * len(said)}
    return evaluate_samples([target], [prediction], ["thing"]).summary


square = small_case([[0, 0, 32, 32]], [([0, 0, 32, 32], 0.9)])
print({name: round(square[name], 3) for name in ("APs", "APm", "APl")})
reveal("20.q4", answer=2, because="the ranges are closed at both ends: it counts twice.")

# %% [markdown]
# What about a *wrong* detection? If it lies outside the range it is ignored; else a huge false alarm would spoil APs. So APs and APl can both be high while AP is low.
#
# **Crowds** (군중). Where forty people stand so close that nobody drew forty boxes, COCO has one box marked `iscrowd`. It need not be found. Detections inside are neither right nor wrong, any number of them, and
# the IoU with it is *the share of the detection that lies inside*. Here five detections stand in a crowd, and one on the only single object:

# %%
single, crowd = [0, 0, 10, 10], [20, 20, 80, 80]
inside = [([22 + 9 * n, 30, 30 + 9 * n, 60], 0.9) for n in range(5)]
said = [*inside, (single, 0.5)]
for name, flag in (("marked as a crowd", 1), ("marked as an object", 0)):
    print(f"{name:>20}: AP50 {small_case([single, crowd], said, iscrowd=[0, flag])['AP50']:.3f}")
print(f"{'deleted':>20}: AP50 {small_case([single], said)['AP50']:.3f}")

# %% [markdown]
# Deleting crowds from your annotations "because they are no real objects" costs you every detection inside. Pascal VOC has the mark `difficult` for the same purpose.
#
# **Ties** once more, by hand, since they cross images too. Two images, one object in all; the detector says 0.5 about the object and 0.5 about a shadow in the other image. If the right one
# is read first, precision at the hit is 1 / 1 and AP is 1. If the wrong one is read first, it is 1 / 2, and AP is 0.5. Nothing but the order of two file names decides:

# %%
with_object = {"boxes": [[0, 0, 10, 10]], "labels": [0]}, {"boxes": [[0, 0, 10, 10]], "scores": [0.5], "labels": [0]}
with_shadow = {"boxes": np.zeros((0, 4)), "labels": []}, {"boxes": [[40, 40, 50, 50]], "scores": [0.5], "labels": [0]}
for name, order in (("object first", (with_object, with_shadow)), ("shadow first", (with_shadow, with_object))):
    print(f"{name}: AP50 {evaluate_samples(*zip(*order), ['thing']).summary['AP50']:.3f}")

# %% [markdown]
# **At most 100** of each class in an image count, and **classes without objects** stay out. One more trap has cost people days: in pycocotools an annotation with **id 0** can never be found, because it stores the id of the match
# and reads 0 as "none". Start at 1. (`coursekit eval` counts it, and tells you.)
#
# ## 7. Five famous tools, the same detections
#
# > **Myth**: *"mAP 0.9 in one tool is 0.9 in another."*
#
# A tool's AP is its answer to a handful of questions. `Rules` writes them down, and `FAMOUS` holds the answers of five tools, from their papers, kits and documentation:

# %%
for name, rules in FAMOUS.items():
    print(f"{name:>28}: {'+1 pixel, ' * rules.plus_one}{'only the best truth' if rules.only_best else 'next best truth'}, {rules.reading}")

# %% [markdown]
# Begin with the sum at the end, by hand. Two objects; one is found, nothing wrong is said, and the other is never found. So recall 0.5, precision 1. How good is that?
#
# | read | how | AP |
# |---|---|---|
# | area | 0.5 wide, 1 high | **0.500** |
# | 101 points | recall 0, 0.01, ..., 0.50 are reached: 51 of 101 | **0.505** |
# | 11 points | recall 0, 0.1, ..., 0.5 are reached: 6 of 11 | **0.545** |
# | trapezoids | a straight line from (0.5, 1) down to (1, 0) is *added*: 0.5 + 0.25 | **0.750** |
#
# The fourth draws lines where the others draw steps, between the last point that was measured and an invented one at recall 1. Half an object that nobody found counts as found.

# %%
one_of_two = pr_curve(np.array([True]), num_truths=2)
for reading, ap in READINGS.items():
    print(f"{reading:>22}: {ap(*one_of_two):.3f}")

# %% [markdown]
# With few objects, or few found, the four lie far apart. With many, the steps become small and they meet. (The trapezoids can also give *less*: where everything is found without a mistake, the
# last line still falls to the invented point, within the last hundredth, and a perfect class gets 0.995.) Now the real detector, all rules at once.
#
# It is good, and its signs stand alone, so few of the situations arise that matching rules are about. So here is a worse one beside it: every sign gets a twin, 40 % of its width to the right,
# as in notebook 13; `pretend_detections` plays a middling detector; and its results went through a file that keeps scores to two decimals and corners in whole pixels, as many files do.

# %%
import torch

from coursekit.pretend import pretend_detections


def with_twins(target):
    """Each sign with a twin of its class beside it, corners in whole pixels."""
    step = (target["boxes"][:, 2] - target["boxes"][:, 0])[:, None] * torch.tensor([0.4, 0.0, 0.4, 0.0])
    return {"boxes": torch.cat([target["boxes"], target["boxes"] + step]).round(), "labels": target["labels"].repeat(2)}


generator, crowded = torch.Generator().manual_seed(20), []
for target in map(with_twins, targets):
    said = pretend_detections(target, 16, generator, copies=2)
    said_arrays = {"boxes": said.boxes.round().double().numpy(), "labels": said.labels.numpy()}
    truth_arrays = {"truth": target["boxes"].double().numpy(), "truth_labels": target["labels"].numpy()}
    crowded.append(truth_arrays | said_arrays | {"scores": said.scores.double().numpy().round(2)})
print(sum(len(image["truth"]) for image in crowded), "signs and twins,", sum(len(image["boxes"]) for image in crowded), "detections")

# %%
predict(
    "20.q5",
    "Five tools, the same boxes and scores. How much do their AP50 differ at most?",
    ["not at all", "by less than 0.001", "by more than 0.001"],
)

# %%
cases = ((images, 0.5), (crowded, 0.5), (crowded, 0.75))
tools = {name: [mean_ap(some, 16, rules, t) for some, t in cases] for name, rules in FAMOUS.items()}
print("AP50, signs   AP50, twins   AP75, twins")
for name, values in tools.items():
    print("    ".join(f"{value:10.4f}" for value in values), "   ", name)
spread, spread_of_twins = (max(column) - min(column) for column in list(zip(*tools.values()))[:2])
reveal("20.q5", answer=2, because=f"{spread:.4f} for the signs, {spread_of_twins:.4f} for the twins: more than many papers gain.")
band("spread of the five in AP50, signs", spread, at_least=0.002)
band("spread of the five in AP50, twins", spread_of_twins, at_least=0.01)
band("the first is COCO's", abs(tools["COCO: pycocotools"][0] - result.summary["AP50"]), at_most=1e-9)

# %% [markdown]
# ### Each difference is one rule
#
# Which rule moved the number? Change them one at a time, and nothing else. In points of AP · 100:

# %%
one_rule = {
    "pixels counted (+1)": Rules(plus_one=True),
    "only the best truth tried": Rules(only_best=True),
    "IoU above, not at least": Rules(strict=True),
    "equal scores turned round": Rules(stable=False),
    "scores below 0.25 dropped": Rules(confidence=0.25),
    "11 points": Rules(reading="11 points"),
    "area": Rules(reading="area"),
    "trapezoids": Rules(reading="trapezoids"),
    "101 points in float32": Rules(reading="101 points in float32"),
}
print("AP50, signs   AP50, twins   AP75, twins")
for name, rules in one_rule.items():
    moved = [100 * (mean_ap(some, 16, rules, t) - before) for (some, t), before in zip(cases, tools["COCO: pycocotools"])]
    print("    ".join(f"{change:+10.2f}" for change in moved), "   ", name)

# %% [markdown]
# Read it row by row. (With three seeds of the pretended detector, and with three times the scenes, each of these sentences held.)
#
# - **Pixels counted** lifts every IoU a little, that of small boxes most, and some step over the threshold: up to two points.
# - **Only the best truth** costs about two points at 0.5 and nothing at 0.75, since no box can lie on both twins by three quarters. On signs that stand alone it costs nothing at all.
# - **Trapezoids** add about three points where AP is low: most objects are never found there, and the slanted roof over them counts. From the good detector they take some away.
# - **Equal scores turned round** goes up or down, as chance has it. That is the trouble with it.
# - **IoU above, not at least** is 0, or nearly: an IoU hardly ever is exactly 0.5. **Float32** mostly costs a hair.
#
# A 0 is no proof that a rule does not matter. Each has its case, and each of these cases was a bug report once.
#
# From COCO to VOC 2007 it is four rules: pixels counted, only the best truth, no `limit` of 100 detections of a class in an image, 11 points. Walk the ladder, a rule a step; the steps
# add up to the whole difference:

# %%
steps_to_voc = ladder(crowded, 16, FAMOUS["COCO: pycocotools"], FAMOUS["VOC 2007"], threshold=0.5)
pictures.show_ladder(steps_to_voc, "Twins: from COCO's AP50 to VOC 2007's, one rule at a time")

# %%
whole = steps_to_voc[-1][1] - steps_to_voc[0][1]
parts = np.diff([value for _, value in steps_to_voc])
print("steps:", (100 * parts).round(2), " sum:", round(100 * parts.sum(), 2), " whole difference:", round(100 * whole, 2))
assert abs(parts.sum() - whole) < 1e-12

# %% [markdown]
# Now the cases, each by hand. **The float32 points** are a bug, and a beautiful one: 0.1 as float32 is 0.10000000149, so a recall of exactly 1/10 no longer reaches its point. With
# ten objects in a class you see it. (It can also go the other way: of 101 points in float64 the one at 0.7 is 0.7000000000000001, which a recall of 7/10 does not reach, and in float32 it does.)

# %%
ten = pr_curve(np.array([1] + [0] * 9 + [1] * 9, dtype=bool), num_truths=10)
for reading in ("101 points", "101 points in float32"):
    print(f"{READINGS[reading](*ten):.5f}  {reading}")

# %% [markdown]
# **The +1.** Pascal VOC counts pixels: a box from 3 to 3 is 1 wide. Small boxes grow more than large ones, and so does their overlap. On the seven images it makes two points of AP:

# %%
for name, plus_one in (("pixels counted (+1), as published", True), ("widths as right - left", False)):
    table = match_table(seven, threshold=0.3, plus_one=plus_one)
    print(f"{ap_area(*pr_curve(np.array([row.right for row in table]), num_truths)):.4f}  {name}")

# %% [markdown]
# **Only the best truth.** VOC lets a prediction try *only* the truth that it overlaps most. If that is taken, it is wrong, though the next would do. COCO tries the next:

# %%
truth, boxes = [[0, 0, 10, 10], [0, 0, 10, 14]], [[0, 0, 10, 11], [0, 0, 10, 10]]
crossed = {"1": {"truth": truth, "boxes": boxes, "scores": [0.9, 0.8]}}
for name, only_best in (("COCO", False), ("VOC", True)):
    print(f"{name:>5}:", [(row.right, row.why) for row in match_table(crossed, only_best=only_best)])

# %% [markdown]
# One more, and everybody does it once: a confidence threshold *before* the evaluation.

# %%
kept = [d[d.scores >= 0.25] for d in detections]
for name, some in (("all detections", detections), ("scores below 0.25 dropped first", kept)):
    print(f"{evaluate_samples(targets, some, SIGN_CLASSES).summary['AP50']:.4f}  {name}")

# %% [markdown]
# Dropping low scores cuts off the end of the curve, where recall is. Evaluate with a threshold near 0.001 to 0.01; use 0.25 or more when you *show* pictures.
#
# Measured on a larger, made-up problem (5,000 images, 80 classes, AP 0.471), in points of AP · 100:
#
# | mistake | AP | AP50 | | mistake | AP | AP50 |
# |---|---|---|---|---|---|---|
# | +1 pixel | +0.90 | +0.21 | | only the best truth tried | -0.12 | -0.22 |
# | absent class as 0 (1 of 80) | -0.59 | -0.97 | | 11 points | -0.26 | **-1.99** |
# | crowds deleted | -0.49 | -0.82 | | area instead of 101 points | +0.05 | +0.27 |
# | threshold 0.25 first | -0.38 | -0.71 | | float32 recall points | -0.015 | |
#
# **So**: say which tool and which version. Compare two models only with the *same* evaluator.
#
# ✂ *50 minutes*
#
# ## 8. Why was AP lost?
#
# One number says *that* something is wrong. To improve a detector you must know *what*. Every wrong prediction gets one type (after TIDE, Bolya et al. 2020). Read the list from the top; the first that fits is it:
#
# | type | the prediction lies |
# |---|---|
# | `duplicate` (중복) | on a truth of its class (IoU ≥ 0.5) that a better one has |
# | `classification` (분류) | on a truth of another class (≥ 0.5) |
# | `localisation` (위치) | near a truth of its class (≥ 0.1) |
# | `both` (둘 다) | near a truth of another class (≥ 0.1) |
# | `background` (배경) | near nothing |
#
# And a truth that nothing explains is **missed**.
#
# ### Exercise: error_type
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*


# %% exercise="20.error_type"
def error_type(iou, same, taken):
    """One wrong prediction, as (G,) arrays over the truths of its image -> its type.

    iou: with this truth; same: the truth is of its class; taken: a better prediction has the truth.
    """
    ### BEGIN SOLUTION
    if iou[same & taken].max(initial=0.0) >= 0.5:
        return "duplicate"
    if iou[~same].max(initial=0.0) >= 0.5:
        return "classification"
    if iou[same].max(initial=0.0) >= 0.1:
        return "localisation"
    return "both" if iou[~same].max(initial=0.0) >= 0.1 else "background"
    ### END SOLUTION


error_type = check("20.error_type", error_type)

# %% [markdown]
# Counting types is not enough: a hundred false alarms with score 0.02 cost nothing, since they come after everything. So we **mend one type and nothing else**, and see what AP50 gains.

# %%
types = ["localisation", "classification", "background", "missed"]
predict("20.q6", "Which type of error costs our sign detector most?", types)

# %%
report = analyse_errors(result)
pictures.show_errors(report)

# %%
worst = max(report.cost, key=report.cost.get)
print(f"AP50 {report.ap:.3f}; mending {worst} alone would add {report.cost[worst]:.3f}")
reveal("20.q6", answer=types.index(worst), because="look at the bars: the others are hardly there.")

# %% [markdown]
# When we wrote this it was classification: the detector finds the signs and draws good boxes, but cannot tell some of them apart. Which ones? The **confusion matrix** (혼동 행렬) pairs predictions (score at least 0.25) with truths whatever their class. Rows are predicted, columns true; background is what was made up (last column) or overlooked (last row).

# %%
pictures.show_confusion(confusion_matrix(result.inputs), SIGN_CLASSES)

# %% [markdown]
# Look for blocks off the diagonal. Speed limits are taken for one another, and some warning triangles too. Of course: at this size the difference is a few pixels inside the sign. What
# would help is more pixels, more training on just these classes, or a second look by a classifier at the crop; *not* a better box loss. One picture has saved you a week.
#
# The same, class by class, with the curves that you can read by now:

# %%
pictures.show_pr_curves(pr_curves(result))

# %% [markdown]
# ### From AP back to a threshold
#
# AP judges all thresholds; you must choose one to ship. A usual choice: where the mean of F1 over classes is highest. Another: the lowest precision that your users accept, and then all the recall that it leaves.

# %%
by_confidence = confidence_curves(result)
pictures.show_confidence_curves(by_confidence)

# %% [markdown]
# A threshold that was chosen on these scenes is part of the model now: measure it on others before you quote its precision (04, leakage).
#
# And is a score of 0.8 right 8 times in 10? AP does not care (only the order counts), but your users do. This is **calibration** (보정) from notebook 06:

# %%
pictures.show_reliability(*reliability(result))

# %% [markdown]
# A bar above the dashed line: such scores are right more often than they say. Below it: less often. Somebody who reads the score as a probability is wrong by that distance, at any AP.

# %% [markdown]
# ## 9. In one line
#
# ```
# coursekit eval truth.json detections.json --json result.json --per-class        # COCO
# coursekit eval truth/ detections/ --protocol voc2007 --iou 0.3 --box-format xywh # folders, as the older tools have them
# ```
#
# The same evaluator, on 300,000 detections, took a hundredth of the time of pycocotools 2.0.11, or a thirtieth with start and files (`benchmarks/coco_eval.py`). It does what you did, for all images at once: read `coursekit/metrics/coco.py` (written to be read) beside
# `coursekit/metrics/coco_fast.py` (its fast twin); a test holds the two equal in every cell.
#
# ✂ *50 minutes*
#
# ## 10. The report: the fourth step of your project
#
# Not one number but five things, and each answers a question that somebody will ask:
#
# | in the report | the question |
# |---|---|
# | AP, AP50, AP75 with the tool that measured them | how good, and by whose rules? |
# | an interval, over test images | would it be the same on other images of this kind? |
# | AP of each class and size, with how many objects | for whom is it bad? |
# | what each type of error costs | what should be done next? |
# | one confidence, with its precision and recall | what will users see? |
#
# The interval (구간) comes from drawing the images again, with repetition, as if we had photographed other scenes (bootstrap, 부트스트랩): 95 % of the draws lie between its ends.

# %%
intervals = bootstrap(result, names=("AP", "AP50", "AP75"), draws=at(smoke=20, quick=200, full=1000))
confidence, best_f1 = by_confidence.best
seen = [row for row in result.per_class if row["truths"]]  # the others have no AP
report_card = {
    "evaluator": "coursekit, COCO rules, equal to pycocotools",
    "images": count,
    "objects": signs,
    **{name: str(interval) for name, interval in intervals.items()},
    "weakest classes": [f"{row['name']} {row['AP']:.2f} ({row['truths']})" for row in sorted(seen, key=lambda row: row["AP"])[:3]],
    "by size": {name: round(result.summary[name], 3) for name in ("APs", "APm", "APl")},
    "AP50 lost to": {name: round(value, 3) for name, value in report.cost.items()},
    "confidence to ship": f"{confidence:.2f} (mean F1 {best_f1:.2f})",
}
print(json.dumps(report_card, indent=1, ensure_ascii=False))

# %%
band("width of the 95 % interval of AP", intervals["AP"].high - intervals["AP"].low, at_least=0.005, at_most=0.3)

# %% [markdown]
# Read the interval before you compare. Another detector whose AP lies inside it is not proved better or worse on these images; measure both on the *same* images and look at the interval of the
# difference (`paired_bootstrap`), which is far narrower. (The weakest classes carry the number of their objects: with one or two of them, an AP is an anecdote.)
#
# > **Your project, step 4 of 4: the AP report.** A card of your data (04), a baseline (05), an ablation (12), and now the report on *your* detector, on test images that chose nothing.
# >
# > *Write down*: these five things, and which tool measured them.
# >
# > *Keep it*: the line below does. Give it `"project"` instead of a folder that is thrown away, and it lies beside your notebooks, where 24 looks for it.

# %%
save_step("ap_report", report_card, folder=Path(tempfile.mkdtemp()) / "project")  # for keeps: folder="project"

# %% [markdown]
# ## Summary
#
# - **Match**: best score first, each truth once, IoU at least the threshold. Everything else is wrong; the rest of the truths is missed.
# - **Curve**: running precision and recall. A wrong prediction goes down, a right one to the right and up.
# - **AP**: mean height of the envelope; recall never reached counts 0. 11 points, area and 101 points give different numbers.
# - **mAP**: plain mean over classes; **AP@[.50:.95]**: plain mean over ten thresholds too.
# - AP depends only on the order of scores. Ties, crowds, areas and low scores have rules, and each rule moves the number.
# - A tool is a set of rules: +1, which truths may be tried, how ties are read, where the curve is read. Change one rule at a time and you know what moved the number.
# - Quote the tool. Compare with one evaluator. Give an interval. Then ask *why* it is not higher.
#
# ### Check yourself
#
# <details><summary>A detector doubles the number of its detections by adding rubbish with scores below all others. What happens to its AP?</summary>
#
# Nothing: they stand after every hit, and the envelope does not see them. (With more than 100 of a class in an image they could even be cut.)
# </details>
#
# <details><summary>AP50 is 0.95 and AP is 0.45. What is wrong with the detector?</summary>
#
# It finds things and puts the boxes badly: right at 0.5, wrong at 0.75 and above. Look at the box loss, the image size, or at careless annotations.
# </details>
#
# <details><summary>A class has no object in the validation set, and the detector predicts it ten times. What does that cost?</summary>
#
# Nothing in COCO: without truth the class is left out, false alarms and all. So a small validation set can hide them.
# </details>
#
# <details><summary>Your AP is 0.3 points lower than the paper's, with the paper's own weights. Name three suspects that are not the model.</summary>
#
# A confidence threshold before evaluation, +1 pixels or rounded boxes, another sum (area, 11 points), crowds deleted, ties in another order, at most 100 detections.
# </details>
#
# ### Common errors here, and what they mean
#
# | you see | it means |
# |---|---|
# | a perfect prediction has AP below 1, as if one object were missed | annotation ids start at 0, in a tool that cannot have that |
# | `detections are of images that the ground truth does not list` | detections of another split, or ids that were renumbered |
# | APs is -1 | no small object in the truth: undefined, not bad |
# | AP near 0, but the pictures look right | xywh read as xyxy, labels shifted by one, or boxes of the resized image |
# | AP changes from run to run with the same boxes | ties, and a sort that is not stable |
# | `boolean index did not match indexed array` in a matching | a mask of truths was used on detections, or the other way round |
# | AP above 1, or recall above 1 | a truth was taken twice: nothing remembers that it is gone |
# | mAP falls when a class is added that nobody has | the absent class was averaged in as 0 |
#
# ### Where to read more
#
# Everingham et al. 2010, *The Pascal VOC Challenge* (section 4) · Lin et al. 2014, *Microsoft COCO* · Hoiem et al. 2012, *Diagnosing Error in Object Detectors* · Bolya et al. 2020, *TIDE* (arXiv 2008.08115) ·
# Padilla et al. 2020, *A Survey on Performance Metrics for Object-Detection Algorithms* · `coursekit/metrics/`, with `protocols.py` for the rules of section 7
#
# **Next**: 21 hands you twelve detectors, each with one bug that raises no error. The numbers of this notebook are how you will find them, and how you will prove that they are mended. 22 leaves
# boxes behind: the same questions (what is a match, what does a miss cost) for masks of pixels.
