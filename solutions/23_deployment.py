# %% [markdown]
# # 23 · Deployment: a model leaves the notebook
#
# For twenty-two notebooks a picture was a tensor, the model an object in the next cell, and you the only user. Somebody who uses your detector has none
# of that: no PyTorch, no notebook, perhaps no Python. They have a photograph, they send it from a telephone together with a hundred others, and they do
# not wait. **Training is not deployment**, and most of what goes wrong between the two raises no error. This notebook takes the detector that the course
# ships all the way: into a file, through integers, onto a server that you will kill while somebody is asking it.
#
# | you will learn | you will build |
# |---|---|
# | eager and graph: what is in an ONNX file, and what is frozen in it | |
# | training-serving skew: the same picture, prepared otherwise, and AP is gone | `preprocess_in_graph` |
# | percentiles, warm-up, and why the mean is nobody's latency | `latency_percentiles` |
# | throughput against batch size; Little's law | |
# | dynamic batching, by hand, as a rule, and with eight clients | `plan_batches`; `answer_all`, repaired |
# | operators of zero FLOPs, in a profile | |
# | int8: a tensor by hand, a layer, a detector; what it costs in AP | `quantise_tensor`, `int8_dot` |
# | a model repository, versions, health, metrics; a request byte by byte | |
# | a server that dies, and a client that goes on | `backoff_schedule` |
# | how to roll out a new version, and what to watch without labels | |
#
# **Time** three quarters of a minute of computing at the quick level, two minutes in full; about four hours of thinking, with marks (✂) for lessons of
# 50 minutes.
# **Before you start** you know the detector (19), AP (20), and what batch, latency and FLOPs are (10). Everything here runs on your own machine and
# talks to nobody else.

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("23_deployment")

# %%
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter, defaultdict
from math import ceil
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.boxes import box_iou
from coursekit.data.geometric import letterbox
from coursekit.data.signs import SignScenes
from coursekit.data.targets import empty_target
from coursekit.detections import Detections
from coursekit.machine import cpu_flags, cpu_name
from coursekit.metrics.detection import evaluate_samples
from coursekit.plots.efficient import show_bars, show_throughput
from coursekit.plots.images import show_images
from coursekit.plots.serving import (
    show_eight_bits,
    show_latencies,
    show_operators,
    show_outage,
    show_page,
    show_returns,
    show_shift,
    show_timeline,
)
from coursekit.plots.serving_load import arrive, drag_batching, serve
from coursekit.resources import resource
from coursekit.serving.client import Client, batching
from coursekit.serving.latency import load_test
from coursekit.serving.local import LocalServer
from coursekit.serving.page import Page
from coursekit.serving.profile import profile_onnx
from coursekit.serving.protocol import LENGTH_HEADER, read_request
from coursekit.serving.quantise import dequantise_tensor, quantise_onnx
from coursekit.serving.repository import versions, write_repository
from coursekit.serving.session import OnnxDetector, open_session
from coursekit.serving.triton import Triton, find_triton, read_metrics, why_no_triton
from coursekit.yolo.decode import detections
from coursekit.yolo.export import export_onnx
from coursekit.yolo.fuse import fuse
from coursekit.yolo.predict import load_shipped
from coursekit.yolo.predict import predict as find_objects

desk = Path(tempfile.mkdtemp())  # everything that this notebook writes lies here
threads = torch.get_num_threads()  # everybody gets as many: PyTorch, ONNX Runtime, the servers

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>10: A batch of 16 does twice as many pictures a second as a batch of 1. How much longer does the first picture of the batch wait?</summary>
#
# Eight times as long: 16 pictures at twice the speed take 16 / 2 = 8 times the time of one, and the first waits for the last.
# </details>
#
# <details><summary>19: A picture of 640 x 480 goes onto a canvas of 256 x 256. Where is it, and what lies beside it?</summary>
#
# The longer side becomes 256, so it is 256 x 192, in the middle, with 32 rows of grey (114) above and below: a letterbox.
# </details>
#
# <details><summary>08: Why does batch normalisation disappear from a network before it is served?</summary>
#
# In evaluation it multiplies and adds fixed numbers, channel by channel. So does the convolution before it, and the two are folded into one.
# </details>
#
# ## 1. What changes when a model leaves the notebook
#
# | in the notebook | out there |
# |---|---|
# | PyTorch, gigabytes of it | a telephone, a camera, a container that should start in a second |
# | pictures that your own code loaded | pictures of strangers: sideways, grey, huge, no picture at all |
# | one user, who waits | many at once, who do not |
# | the newest weights are in the variable `model` | version 7 answers, version 8 is being tried, version 6 must be able to come back |
# | labels tell you how good it is | nobody labels; it can become worse without a sound |
# | a crash is a traceback | a crash is a night's sleep |
#
# We go through these rows one by one. First the detector that notebooks 00 and 19 used, some scenes that it has never seen (400 x 400 pixels, so that
# they must be resized, as strangers' pictures must), and its AP on them.

# %%
model = load_shipped()
world = SignScenes(at(smoke=6, quick=60, full=150), seed=1900, size=400)
samples = [world[i] for i in range(len(world))]
pictures, targets = [picture for picture, _ in samples], [target for _, target in samples]


def ap_of(found):
    """AP of one `Detections` for each picture, against the truth."""
    return evaluate_samples(targets, found, model.classes).summary["AP"]


eager = find_objects(model, pictures)
ap = {"eager": ap_of(eager)}
print(f"{len(pictures)} pictures {tuple(pictures[0].shape)}, {sum(map(len, eager))} boxes, AP {ap['eager']:.3f}")
band("AP of the shipped detector, in PyTorch", ap["eager"], at_least=0.75)

# %% [markdown]
# This AP counts the boxes with a score above 0.25 only, since that is what a user will be shown. Notebook 19 went down to 0.001 and got a little more.
# All numbers of today are made the same way, so they can be compared with each other.
#
# ## 2. Eager and graph
#
# PyTorch runs **eagerly** (즉시 실행): Python walks through your `forward` line by line, and each line computes at once. That is why you can print a
# shape in the middle. It also means that Python, the course's package and all of PyTorch must be wherever the model runs.
#
# A **graph** (계산 그래프) is the same computation as *data*: a list of operators (연산자), which values go in, which come out. Nobody needs your source
# to run it. **ONNX** is a file format for such graphs, and **ONNX Runtime** a program of some 20 MB that executes them.
# **Exporting** (내보내기) means: watch one run, and write down the operators. `coursekit.yolo.export` uses PyTorch's exporter for the network, and puts
# preprocessing and suppression around it, in ONNX too. Why these two belong *in*, we shall see. Pictures go in, boxes come out.

# %%
file = desk / "float.onnx"
began = time.perf_counter()
differences = export_onnx(model, file, preprocess=True, nms=True)
print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB, made and compared with PyTorch in {time.perf_counter() - began:.0f} s")
graph = onnx.load(file).graph
print(len(graph.node), "operators; the commonest:", Counter(node.op_type for node in graph.node).most_common(6))
for node in [node for node in graph.node if node.op_type in ("Conv", "Resize", "NonMaxSuppression")][:2]:
    print(f"  {node.op_type}: {', '.join(name.split('/')[-1][:28] for name in node.input if name)} -> {node.output[0].split('/')[-1][:28]}")

# %% [markdown]
# An operator names its inputs and outputs; that is all that connects them. Now ONNX Runtime reads the file, and PyTorch is out of it. Batch, height and
# width were left open at export, so they bear names instead of numbers:

# %%
detector = OnnxDetector(file, threads)
for kind, values in (("in ", detector.session.get_inputs()), ("out", detector.session.get_outputs())):
    for value in values:
        print(f"{kind} {value.name:7} {value.type:15} {value.shape}")
answer = detector.run(pictures[0].permute(1, 2, 0)[None].numpy())  # no tensor, no torch: NumPy in, NumPy out
print("found in the first picture:", [detector.classes[k] for k in answer["labels"][0, : answer["count"][0]]])

# %%
predict(
    "23.q1",
    "The same pictures, once through PyTorch and once through ONNX Runtime. How do the scores differ?",
    ["not at all, to the last bit", "by less than 0.0001", "by about 0.01", "by more: it is another program"],
)

# %%
small_world = SignScenes(at(smoke=3, quick=24, full=60), seed=1901, size=256)  # as large as the canvas: nothing is resized
small = [small_world[i][0] for i in range(len(small_world))]


def largest_difference(ours, theirs):
    """Of boxes (pixels) and of scores, over all pictures; the labels must be the same."""
    assert all(torch.equal(a.labels, b.labels) for a, b in zip(ours, theirs)), "other boxes were found"
    pairs = [(a, b) for a, b in zip(ours, theirs) if len(a)]
    return max((a.boxes - b.boxes).abs().max().item() for a, b in pairs), max((a.scores - b.scores).abs().max().item() for a, b in pairs)


in_boxes, in_scores = largest_difference(find_objects(model, small), detector(small))
print(f"largest difference: boxes {in_boxes:.1e} pixels, scores {in_scores:.1e}")
reveal("23.q1", answer=1, because=f"{in_scores:.0e}. The same sums, added up in another order: floats round differently each time (01).")
assert in_boxes <= 1e-3
assert in_scores <= 1e-4

# %% [markdown]
# Labels equal, scores within 1e-4. That was on pictures of the canvas' own size. Where pictures are resized first, two libraries may round a pixel to
# neighbouring levels of 255, and scores differ in the third decimal. So compare twice: bit by bit where you can, and AP where users are.

# %%
ap["ONNX"] = ap_of(detector(pictures))
print(f"AP in PyTorch {ap['eager']:.4f}, in ONNX Runtime {ap['ONNX']:.4f}")
band("AP lost by the export", ap["eager"] - ap["ONNX"], at_most=0.005)

# %% [markdown]
# ### What a graph freezes
#
# An exporter watches a run. What was a *Python number* in that run becomes a constant of the file: an `if`, a loop's length, `x.shape[2]` used as an int.


# %%
class Halved(nn.Module):
    """Cuts off the lower half of a picture, whatever its height."""

    def forward(self, x):
        return x[:, :, : x.shape[2] // 2]


example = torch.zeros(2, 3, 8, 8)
torch.onnx.export(Halved().eval(), (example,), dynamo=True, input_names=["x"], verbose=False).save(desk / "halved.onnx")
halved = open_session(desk / "halved.onnx")
print("8 rows:", halved.run(None, {"x": example.numpy()})[0].shape)
try:
    halved.run(None, {"x": np.zeros((2, 3, 12, 8), np.float32)})
except Exception as error:
    print("12 rows:", str(error).splitlines()[0][:150])

# %% [markdown]
# This one complains, because the file says "8" where the picture's height stands. With `dynamic_shapes` you say what stays open; a graph that is *wrong*
# for other sizes and does not complain is the worse case. Hence the rule: **after exporting, compare on batches and sizes that were not the example.**
# `export_onnx` does, and refuses to leave a file that differs.
#
# ✂ *50 minutes*
#
# ## 3. Preprocessing belongs in the graph
#
# A colleague writes an app around your network. They read "takes 256 x 256 pictures", and prepare them as they are used to. Nothing raises an error: a
# tensor of the right shape is a tensor of the right shape. Five colleagues, five habits:


# %%
def right(picture):
    """(3, H, W) uint8 -> (3, 256, 256) as in training, and what takes boxes back to the picture."""
    laid, _, placement = letterbox(picture, empty_target(), (256, 256))
    return laid.float() / 255, placement


MEAN, STD = torch.tensor([0.485, 0.456, 0.406])[:, None, None], torch.tensor([0.229, 0.224, 0.225])[:, None, None]
habits = {  # x as in training, and the picture itself -> what the network gets
    "as in training": lambda x, picture: x,
    "resized to the nearest pixel": lambda x, picture: F.interpolate(picture[None].float(), size=(256, 256), mode="nearest")[0] / 255,
    "ImageNet's mean and deviation": lambda x, picture: (x - MEAN) / STD,
    "-1 to 1 instead of 0 to 1": lambda x, picture: 2 * x - 1,
    "BGR, as OpenCV reads": lambda x, picture: x.flip(0),
    "forgot to divide by 255": lambda x, picture: 255 * x,
}


@torch.no_grad()
def ap_with(habit):
    found = []
    for picture in pictures:
        x, placement = right(picture)
        one = detections(model(habit(x, picture)[None]))[0]
        found.append(Detections(placement.undo(one.boxes, tuple(picture.shape[1:])), one.scores, one.labels))
    return ap_of(found)


# %%
predict(
    "23.q2",
    "Which habit costs *least* AP?",
    ["another way to resize", "ImageNet's mean and deviation", "-1 to 1", "BGR instead of RGB", "no division by 255"],
)

# %%
skewed = {name: ap_with(habit) for name, habit in habits.items()}
show_bars(skewed, "Six ways to prepare the same pictures", "AP")
# %%
names = list(habits)[1:]
least = max(names, key=skewed.get)
reveal(
    "23.q2",
    answer=names.index(least),
    because=f"{least}: AP {skewed[least]:.3f}, where training's way has {skewed['as in training']:.3f}.",
)
band("AP prepared as in training", skewed["as in training"], at_least=0.75)
band("AP of BGR", skewed["BGR, as OpenCV reads"], at_most=0.35)
band("AP without the division", skewed["forgot to divide by 255"], at_most=0.2)

# %% [markdown]
# This is **training-serving skew** (학습-서빙 불일치): what serving computes is not what training computed. Mind the two ends. "Forgot to divide" finds
# nothing, so somebody notices on the first day. The nearest pixel costs a few hundredths, for ever, and nobody will ever look for it.
#
# The cure is not a better document. It is to leave nothing to prepare: **the file takes bytes as a decoder gives them**, (B, H, W, 3) in 0 to 255, and
# does the rest itself.
#
# By hand, a picture of 640 x 480 on a canvas of 256:
#
# | | |
# |---|---|
# | axes | (B, 480, 640, 3) becomes (B, 3, 480, 640) |
# | range | uint8 0 .. 255 becomes 0 .. 1 |
# | scale | 256 / 640 = 0.4, for both sides |
# | new size | 640 · 0.4 = 256, 480 · 0.4 = 192 |
# | left over | 256 - 192 = 64 rows: 32 above, 32 below; of 3 rows 1 above and 2 below |
# | filled with | grey, 114 of 255 |
#
# ### Exercise: preprocess_in_graph
# *difficulty 3 of 5 · importance 5 of 5 · about 25 minutes*
#
# Tensor operations only, so that it can be exported. `permute` moves axes. `F.interpolate(x, size=(h, w), mode="bilinear", antialias=True)` resizes, and
# averages where it shrinks. `F.pad(x, (left, right, top, bottom), value=...)` lays bars around. `round` gives whole pixels; a side is at least 1.


# %% exercise="23.preprocess_in_graph"
def preprocess_in_graph(pixels: Tensor, size: int) -> Tensor:
    """(B, H, W, 3) uint8 RGB -> (B, 3, size, size) float in 0..1: the longer side becomes size, in the middle, the rest is grey (114 of 255)."""
    ### BEGIN SOLUTION
    images = pixels.permute(0, 3, 1, 2).float() / 255
    height, width = images.shape[2:]
    scale = size / max(height, width)
    new_h, new_w = max(1, round(height * scale)), max(1, round(width * scale))
    resized = F.interpolate(images, size=(new_h, new_w), mode="bilinear", antialias=True)
    top, left = (size - new_h) // 2, (size - new_w) // 2
    return F.pad(resized, (left, size - new_w - left, top, size - new_h - top), value=114 / 255)
    ### END SOLUTION


preprocess_in_graph = check("23.preprocess_in_graph", preprocess_in_graph)  # yours once it passes, ours until then


# %%
class Prepare(nn.Module):
    def forward(self, pixels):
        return preprocess_in_graph(pixels, 256)


wide = torch.stack(pictures[:2])[:, :, 60:360].permute(0, 2, 3, 1).contiguous()  # (2, 300, 400, 3): no square, so that bars show
batch_open = {"pixels": {0: torch.export.Dim("batch", min=1)}}
torch.onnx.export(
    Prepare().eval(), (wide,), dynamo=True, dynamic_shapes=batch_open, input_names=["pixels"], opset_version=18, verbose=False
).save(desk / "prepare.onnx")
print(" -> ".join(node.op_type for node in onnx.load(desk / "prepare.onnx").graph.node))
prepared = open_session(desk / "prepare.onnx").run(None, {"pixels": wide[:1].numpy()})[0]
difference = np.abs(prepared - preprocess_in_graph(wide[:1], 256).numpy()).max()
print("your Python, and the file made of it, differ by", difference)
assert difference <= 1e-4
show_images(
    [wide[0].permute(2, 0, 1), torch.from_numpy(prepared[0])], ["what is sent", "what the network gets"], suptitle="Prepared by the file"
)

# %% [markdown]
# Your Python became seven operators of a file. Its size stayed frozen at 300 x 400, because `round` made Python numbers of it; `export_onnx` writes these
# few operators down in ONNX's own language, where sizes are values too, and so takes pictures of every size. Suppression is inside for the same reason:
# a threshold is a number of the model, not of each app.
#
# One thing stays outside: decoding JPEG or PNG. That is done by whoever has the file, and EXIF rotation, grey and palettes are settled there (04).
#
# ✂ *50 minutes*
#
# ## 4. Latency: what one user waits
#
# **Latency** (지연 시간) is the time from asking to the answer. It is never one number. Ten requests, in milliseconds:
#
# | | | | | | | | | | |
# |---|---|---|---|---|---|---|---|---|---|
# | 12 | 9 | 11 | 10 | 95 | 9.5 | 10.5 | 13 | 11.5 | 240 |
#
# The mean is 42.15. *Nobody* waited 42: eight waited about 11, two waited very long. So servers are judged by **percentiles** (백분위수). p90 is the time
# that 90 % of the requests did not exceed. By the **nearest rank** (최근접 순위): sort; of n values take number ceil(p · n / 100), counted from 1.
#
# | sorted | 9 | 9.5 | 10 | 10.5 | 11 | 11.5 | 12 | 13 | 95 | 240 |
# |---|---|---|---|---|---|---|---|---|---|---|
# | number | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 |
#
# p50 is number ceil(50 · 10 / 100) = 5: **11**. p90 is number 9: **95**. p99 is number ceil(9.9) = 10: **240**. It is always a time that somebody really
# waited. And for 99 % to mean something there must be more than a hundred requests: of ten, p99 is simply the worst.
#
# ### Exercise: latency_percentiles
# *difficulty 2 of 5 · importance 5 of 5 · about 15 minutes*
#
# The rank is at least 1, also for 0 %. Mind one trap of floats: `55 / 100 * 100` is 55.00000000000001.


# %% exercise="23.latency_percentiles"
def latency_percentiles(seconds: list[float], percents: list[float]) -> list[float]:
    """For each percent the smallest of the measured seconds that at least so many % of all do not exceed (nearest rank)."""
    ### BEGIN SOLUTION
    ordered = sorted(seconds)
    ranks = [max(1, ceil(percent * len(ordered) / 100)) for percent in percents]
    return [ordered[rank - 1] for rank in ranks]
    ### END SOLUTION


latency_percentiles = check("23.latency_percentiles", latency_percentiles)

# %%
predict(
    "23.q3",
    "95 of 100 requests take 10 ms, five take 500 ms. A page shows 20 pictures, each from a request of its own. How many visitors wait half a second?",
    ["5 %", "about a quarter", "about two thirds"],
)

# %%
dice = np.random.default_rng(0)
pages = np.where(dice.random((100_000, 20)) < 0.05, 500, 10).max(axis=1)  # a page is ready when its last picture is
share = (pages == 500).mean()
reveal(
    "23.q3", answer=2, because=f"1 - 0.95^20 = {1 - 0.95**20:.0%}; thrown 100,000 times: {share:.0%}. The mean of all requests is 34.5 ms."
)
band("share of pages that wait", share, at_least=0.62, at_most=0.66)

# %% [markdown]
# > **Myth**: *"the mean latency is what users feel."* No request took 34.5 ms, and two of three visitors waited half a second. The more requests a page
# > needs, the more its visitors live in the tail (꼬리).
#
# ### Measuring it
#
# Notebook 10's rules hold: warm up (예열), take the time of each call by itself, say on which machine. Here is why one warms up: the first calls of
# three ways to run the same detector.

# %%
fused = fuse(model)
fresh = {
    "eager": lambda: find_objects(model, pictures[:1]),
    "eager, fused": lambda: find_objects(fused, pictures[:1]),
    "ONNX Runtime": (lambda cold: lambda: cold(pictures[:1]))(OnnxDetector(file, threads)),
}
for name, run in fresh.items():
    took = []
    for _ in range(at(smoke=3, quick=12, full=12)):
        began = time.perf_counter()
        run()
        took.append(1000 * (time.perf_counter() - began))
    print(f"{name:13} first {took[0]:6.1f} ms, then " + ", ".join(f"{t:.1f}" for t in took[1:6]))

# %% [markdown]
# **Fused** is notebook 19's network with its normalisation folded into the convolutions: fewer operators, the same numbers. ONNX Runtime does the same
# and more when it opens the file.
#
# A server's users do not wait for each other. `load_test` measures both kinds of crowd. In a **closed loop** each client sends its next request when it has
# its answer; in an **open loop** requests come at their own times, whether or not the server keeps up. See what the two say of a server that stands still
# once, for half a second:

# %%
hiccup = 0.5


def stumbling():
    """A pretended server: 2 ms for each request, but it stands still once, at the thirtieth."""
    served, lock = [0], threading.Lock()

    def detect(_):
        with lock:
            served[0] += 1
            time.sleep(hiccup if served[0] == 30 else 0.002)

    return detect


count = at(smoke=40, quick=100, full=200)
closed = load_test(stumbling(), pictures[:1], clients=4, requests=count, warmup=0)
opened = load_test(stumbling(), pictures[:1], clients=4, requests=count, warmup=0, rate=100)
for name, load in (("closed loop", closed), ("open loop, 100 a second", opened)):
    slow = sum(seconds > hiccup / 5 for seconds in load.latencies)
    p50, p90 = (1e3 * value for value in latency_percentiles(load.latencies, [50, 90]))
    print(f"{name:24} {slow:>3} of {count} requests took longer than {1000 * hiccup / 5:.0f} ms; p50 {p50:.0f} ms, p90 {p90:.0f} ms")

# %%
show_latencies(
    opened.latencies,
    {
        "mean": float(np.mean(opened.latencies)),
        "p50": latency_percentiles(opened.latencies, [50])[0],
        "p90": latency_percentiles(opened.latencies, [90])[0],
    },
    "One hiccup of half a second, requests at 100 a second",
)
# %%
band("requests that felt the hiccup, open loop", sum(s > hiccup / 5 for s in opened.latencies), at_least=20)

# %% [markdown]
# In the closed loop the four clients stood still together with the server: nobody asked, so nobody was late but they. With users who do not know of each
# other everybody who came in that half second is late, and so are those behind them. Measuring the first and promising the second is called **coordinated
# omission** (조율된 누락). Ask of every latency that you read: which loop?
#
# ## 5. Throughput: what the machine does
#
# **Throughput** (처리량) is pictures a second. More pictures in a batch, more throughput: you know the curve from 10.

# %%
predict(
    "23.q4",
    "ONNX Runtime on this CPU, a batch of 16 instead of 1. Pictures a second?",
    ["about the same: less than 1.5 times", "between 1.5 and 4 times", "more than 4 times"],
)

# %%
sizes = at(smoke=[1, 2], quick=[1, 2, 4, 8, 16], full=[1, 2, 4, 8, 16, 32])


def milliseconds_of(run):
    """Milliseconds of run(): the p50 of some calls after two that do not count."""
    took = []
    for _ in range(2 + at(smoke=1, quick=5, full=9)):
        began = time.perf_counter()
        run()
        took.append(1000 * (time.perf_counter() - began))
    return latency_percentiles(took[2:], [50])[0]


def pixels_of(pictures):
    """(3, H, W) tensors of one size -> (B, H, W, 3) array, as a file takes them."""
    return np.stack([picture.permute(1, 2, 0).numpy() for picture in pictures])


def by_batch(detector):
    """Milliseconds of a batch of each size."""
    batches = [pixels_of((pictures * 6)[:size]) for size in sizes]
    return [milliseconds_of(lambda batch=batch: detector.run(batch)) for batch in batches]


def from_zero(figure):
    """A curve that bends by a tenth should look like it."""
    for ax in figure.axes:
        ax.set_ylim(bottom=0)
    return figure


waits = {"ONNX, float32": by_batch(detector)}
rates = {name: [1000 * size / ms for size, ms in zip(sizes, values)] for name, values in waits.items()}
from_zero(show_throughput(sizes, rates, waits))
# %%
gain = rates["ONNX, float32"][-1] / rates["ONNX, float32"][0]
wait = waits["ONNX, float32"][-1] / waits["ONNX, float32"][0]
reveal(
    "23.q4",
    answer=0 if gain < 1.5 else 1 if gain <= 4 else 2,
    because=f"{gain:.2f} times the pictures, and each waits {wait:.1f} times as long.",
)
band(f"time of a batch of {sizes[-1]}, times that of one", wait, at_least=2)

# %% [markdown]
# > **Myth**: *"a larger batch is faster."* For the machine, perhaps; for the user, never. On a CPU one picture already keeps the cores busy, and the curve
# > bends at once. A GPU has thousands of cores, which one small picture cannot feed: there a batch of 16 may take hardly longer than one. **Where the curve
# > bends is a property of the machine and the model together. Measure it where you serve.**
#
# ### Little's law
#
# In a shop with 20 visitors an hour who stay a quarter of an hour there are 5 at a time. **Little's law** (리틀의 법칙): *how many are inside = how many come
# a second · how long each stays*. It holds for every system that does not overflow, whatever its inside looks like. Eight clients, each with one
# request under way:

# %%
load = load_test(detector, pictures, clients=8, requests=at(smoke=16, quick=160, full=400))
stay = float(np.mean(load.latencies))
print(load)
print(f"{load.throughput:.0f} a second · {1000 * stay:.0f} ms = {load.throughput * stay:.2f} requests inside")
band("requests inside by Little's law, of 8 clients", load.throughput * stay, at_least=6, at_most=8.01)

# %% [markdown]
# So latency can be read off: 8 clients at 160 pictures a second wait 8 / 160 = 50 ms, however quick one picture alone may be. And it says what a queue
# (대기열) costs. A server that needs 6 ms a picture, one at a time, and strangers who knock at random:

# %%
busy = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
for share_busy in busy:
    waited = serve(arrive(share_busy / 0.006, 20_000), max_batch=1, max_wait=0.0, fixed=0.006, each=0.0).latencies
    p50, p99 = (1e3 * value for value in latency_percentiles(waited, [50, 99]))
    print(f"busy {share_busy:4.0%} of the time: p50 {p50:5.1f} ms, p99 {p99:6.1f} ms  " + "·" * round(p99 / 4))

# %% [markdown]
# At half load hardly anybody waits. Near full load everybody does: the line of dots bends up like a wall. That is why a service is planned for 50 to 70 % of what
# it could do, and why throughput and latency must be quoted *together*.
#
# ### Memory
#
# What must be in memory: the program, the weights once, the maps for each picture of the batch. We ask a fresh process for its peak, without PyTorch and
# with it (Linux tells; elsewhere the cell says so).

# %%
LOOK = """
import sys
from pathlib import Path
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
import numpy as np
how, file, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
if how == "onnx":
    from coursekit.serving.session import OnnxDetector
    OnnxDetector(file, 1).run(np.zeros((batch, 400, 400, 3), np.uint8))
else:
    import torch
    from coursekit.yolo.predict import load_shipped, predict
    torch.set_num_threads(1)
    predict(load_shipped(), [torch.zeros(3, 400, 400, dtype=torch.uint8)] * batch, batch=batch)
print(peak())
"""


def peak_megabytes(how, batch, file=file):
    """The most memory a fresh process held that answered one batch, in MB; None where the system does not tell."""
    if not Path("/proc/self/status").exists():
        return None
    said = subprocess.run([sys.executable, "-c", LOOK, how, str(file), str(batch)], capture_output=True, text=True, check=True)
    return int(said.stdout.split()[-1])


runs = {"ONNX Runtime, batch 1": ("onnx", 1), "ONNX Runtime, batch 32": ("onnx", 32), "PyTorch, batch 1": ("eager", 1)}
memory = {name: peak_megabytes(*runs[name]) for name in list(runs)[: at(smoke=1, full=3)]}
if None in memory.values():
    print("this system does not tell a process' peak; on Linux a server without PyTorch takes a fraction of one with it")
else:
    show_bars(memory, "Peak memory of a process that answers one batch", "MB")

# %% [markdown]
# The detector's weights are 4 MB. Nearly all of the rest is the program: that is what "no PyTorch" buys. And the batch, again: maps are there for each
# picture. A server that is allowed a batch of 32 needs the memory for 32, even if it comes once a day.
#
# ✂ *50 minutes*
#
# ## 6. Dynamic batching
#
# On a machine where batches pay, somebody has to make them: users send one picture each. **Dynamic batching** (동적 배칭) lets the first request wait a
# moment for company. Two numbers: `max_batch`, the most that go together, and `max_wait`, how long the oldest waits at most.
#
# By hand: five requests arrive at 0, 1, 2, 2.5 and 9 seconds; `max_batch` 3, `max_wait` 4, and a batch takes 5 seconds, whatever its size.
#
# | | when | who |
# |---|---|---|
# | batch 1 | request 0 would wait until 0 + 4; but at 2 three are there: full, starts at **2** | 0, 1, 2 |
# | busy | until 2 + 5 = 7 | |
# | batch 2 | request 3 came at 2.5, has waited enough at 6.5; the server is free at **7**. Who is there at 7? | 3 |
# | busy | until 12 | |
# | batch 3 | request 4 came at 9, has waited enough at 13: nobody knows that no one else comes, so **13** | 4 |
#
# Two rules hide in there. A batch starts when it is *due* (full, or its oldest has waited `max_wait`) *and* the server is free. And who goes along is decided
# at the *start*, so a busy server fills its next batch by itself.
#
# ### Exercise: plan_batches
# *difficulty 4 of 5 · importance 4 of 5 · about 30 minutes*
#
# Equal counts as reached: who arrives at the very moment of the start goes along, if there is room.


# %% exercise="23.plan_batches"
def plan_batches(arrivals: list[float], max_batch: int, max_wait: float, seconds: float) -> list[tuple[float, list[int]]]:
    """Arrival times, in order -> for each batch when it starts and the numbers of its requests. One server; a batch takes `seconds`.

    A batch starts when the server is free and max_batch requests wait, or the oldest has waited max_wait.
    """
    ### BEGIN SOLUTION
    batches, free, first = [], 0.0, 0
    while first < len(arrivals):
        start = arrivals[first] + max_wait
        if first + max_batch <= len(arrivals):
            start = min(start, arrivals[first + max_batch - 1])  # the moment at which it is full
        start = max(start, free)
        members = [i for i in range(first, min(first + max_batch, len(arrivals))) if arrivals[i] <= start]
        batches.append((start, members))
        free, first = start + seconds, first + len(members)
    return batches
    ### END SOLUTION


plan_batches = check("23.plan_batches", plan_batches)

# %%
knocks = [0.0, 1.0, 2.0, 2.5, 9.0]
show_timeline(knocks, plan_batches(knocks, max_batch=3, max_wait=4.0, seconds=5.0), 5.0, "max_batch 3, max_wait 4, a batch takes 5")

# %% [markdown]
# The last request waited four seconds for nobody. `max_wait` is a bet that somebody else will come. Try it on a pretended server that needs 8 ms for a batch and 4 ms for
# each picture in it. Find a setting with the lowest p99 at 120 requests a second; then at 20, then at 240.

# %%
drag_batching(fixed=0.008, each=0.004, rate=120.0)

# %% [markdown]
# At 120 a second, one at a time (12 ms each) cannot keep up: the queue grows for as long as people come, and p99 with it. With batches it can. But a long `max_wait` is paid by
# everybody. At 20 a second batches are hardly ever worth waiting for. At 240 the queue makes them by itself, `max_wait` does not matter.
#
# ### With real threads
#
# `coursekit.serving.batcher.Batcher` is your rule with a clock and a thread. Each of eight clients hands in one picture and waits for its answer.

# %%
predict(
    "23.q5",
    "Eight clients, each sends its next picture when it has its answer. `max_wait` is raised from 0 to 30 ms, `max_batch` is 8. What happens?",
    [
        "every batch waits 30 ms",
        "batches become full, and a full one does not wait",
        "nothing: 8 clients always make batches of 8",
    ],
)

# %%
requests = at(smoke=16, quick=96, full=400)
executions = {}
for most, wait in ((1, 0.0), (8, 0.0), (8, 0.03), (32, 0.03)):
    with batching(detector, max_batch=most, max_wait=wait) as batcher:
        load = load_test(lambda some, batcher=batcher: batcher.submit(some[0]).result(), pictures, clients=8, requests=requests, warmup=0)
        executions[most, wait] = sum(batcher.sizes.values())
        counted = ", ".join(f"{n} of {size}" for size, n in sorted(batcher.sizes.items()))
        print(f"at most {most:2}, {1000 * wait:2.0f} ms: {executions[most, wait]:3} executions ({counted}); {load}")

# %%
reveal(
    "23.q5",
    answer=1,
    because=f"{requests} requests in {executions[8, 0.03]} executions. Allow 32 where only 8 can come, and each batch does wait: the last line.",
)
assert executions[1, 0.0] == requests
band("executions for each request, at most 8 and 30 ms", executions[8, 0.03] / requests, at_most=0.6)

# %% [markdown]
# Which line has the most pictures a second on *your* machine? On a CPU, where batches hardly pay, it may well be the first. A setting that helps on a GPU is not a truth.
#
# ### A bug to find: whose answer is it?
# *difficulty 2 of 5 · importance 5 of 5 · about 15 minutes*
#
# Only pictures of one size can be stacked. A colleague's server therefore sorts what waits by size, runs each group, and hands the answers back. All tests pass; they
# use pictures from one camera. In the first week with two cameras a customer sees somebody else's boxes. No error, no crash, every answer is a perfectly good answer, to somebody else's question.
# `run` takes a stack (B, H, W) and gives a list of B answers.


# %% exercise="23.answer_all"
def answer_all(requests: list[Tensor], run) -> list:
    """Pictures (H, W) of any sizes -> an answer for each, in their order; those of one size go through `run` together."""
    groups = defaultdict(list)
    ### BEGIN SOLUTION
    for number, request in enumerate(requests):
        groups[request.shape].append(number)
    answers = [None] * len(requests)
    for members in groups.values():
        for number, answer in zip(members, run(torch.stack([requests[i] for i in members]))):
            answers[number] = answer
    return answers
    ### STUDENT
    # for request in requests:
    #     groups[request.shape].append(request)
    # answers = []
    # for group in groups.values():
    #     answers += run(torch.stack(group))
    # return answers
    ### END SOLUTION


answer_all = check("23.answer_all", answer_all)

# %%
asked = [torch.full((side, side), float(number)) for number, side in enumerate((8, 4, 8, 4, 4))]  # request 3 is a picture full of 3s
print("asked ", list(range(len(asked))))
print("got   ", answer_all(asked, lambda stack: [int(value) for value in stack.mean(dim=(1, 2))]))
assert answer_all(asked, lambda stack: [int(value) for value in stack.mean(dim=(1, 2))]) == [0, 1, 2, 3, 4]

# %% [markdown]
# Whatever sorts, groups or runs in parallel must carry *whose* along with *what*. And a test of it needs answers that can be told apart: pictures that are all
# alike, or an order in which the bug does nothing, prove nothing.
#
# ✂ *50 minutes*
#
# ## 7. Where does the time go?
#
# Before making anything faster, look. ONNX Runtime can note what each operator takes.

# %%
predict(
    "23.q6",
    "Convolutions make practically all multiply-adds of this detector. Which share of the *time* goes to operators without a single one?",
    ["under 5 %", "5 to 20 %", "more than 20 %"],
)

# %%
profile = profile_onnx(file, pixels_of(pictures[:1]), runs=at(smoke=2, quick=12, full=30), threads=threads)
show_operators(profile.rows, "Time and work by kind of operator (and how many)")
# %%
free = profile.free_share
reveal("23.q6", answer=0 if free < 0.05 else 1 if free <= 0.2 else 2, because=f"{free:.0%} of {1000 * profile.seconds:.1f} ms.")
print("milliseconds by part of the file:", {part: round(1000 * seconds, 2) for part, seconds in profile.parts.items()})
band("share of the time without multiply-adds", free, at_least=0.1)

# %% [markdown]
# > **Myth**, once more: *"fewer FLOPs are faster."* `Resize` multiplies nothing by the counting of papers, and is among the dearest: it brings the large picture down to the canvas. `Concat`, `Transpose`,
# > `Reshape` move numbers; `TopK` and suppression sort. Halve the convolutions' work, and at best half of the first bar of time is gone; the others stay. (This law has a name, Amdahl's: what you do not speed up sets the limit.)
#
# What a graph compiler does about it: it joins neighbours. `QuickGelu` in the picture is a sigmoid and a multiplication that ONNX Runtime found side by side (SiLU, our activation) and runs as one,
# so the map is fetched once instead of twice. Switch that off and look:

# %%
plain = profile_onnx(file, pixels_of(pictures[:1]), runs=at(smoke=2, quick=12, full=30), threads=threads, optimise=False)
for name, found in (("as the file says", plain), ("as ONNX Runtime runs it", profile)):
    print(f"{name:24} {sum(row.calls for row in found.rows):>4} operators, {1000 * found.seconds:.1f} ms")
band("operators that are left, of those in the file", sum(r.calls for r in profile.rows) / sum(r.calls for r in plain.rows), at_most=0.95)

# %% [markdown]
# ## 8. Eight bits
#
# A weight is a float of 32 bits. **Quantisation** (양자화) writes it as an integer of 8: a quarter of the memory, and processors multiply four times as many at a time. A picture has 8 bits a colour and looks fine; do the
# weights bear it?
#
# Each float x becomes q, with a **scale** (스케일, how wide a step is) and a **zero point** (영점, which integer stands for 0): x is nearly (q - zero point) · scale. By hand, with 4 bits, so integers -8 to 7, and the numbers
# -1, 0, 0.3, 1, 2.75:
#
# | | |
# |---|---|
# | range | -1 to 2.75 (it must contain 0: padding is 0, and should stay exactly 0) |
# | scale | 3.75 wide, 15 steps between 16 integers: **0.25** |
# | zero point | -8 - round(-1 / 0.25) = -8 + 4 = **-4** |
# | q | round(x / 0.25) - 4: **-8, -4, -3, 0, 7** |
# | and back | (q + 4) · 0.25: -1, 0, **0.25**, 1, 2.75 |
#
# 0.3 came back as 0.25. No value inside the range can be further off than half a step.
#
# ### Exercise: quantise_tensor
# *difficulty 4 of 5 · importance 4 of 5 · about 30 minutes*
#
# With `axis=0` each slice along that axis (each filter of a convolution) gets a scale and zero point of its own. Where all values are 0, the scale is 1. Types: q `torch.int8`, scale float32, zero point `torch.int64`; the last two of shape () or (slices,).


# %% exercise="23.quantise_tensor"
def quantise_tensor(x: Tensor, bits: int, axis: int | None) -> tuple[Tensor, Tensor, Tensor]:
    """Floats -> (q int8, scale, zero_point): x is nearly (q - zero_point) · scale; integers from -2^(bits-1) to 2^(bits-1) - 1.

    low = the smallest value, at most 0; high = the largest, at least 0; scale = (high - low) / (number of steps);
    zero_point = least integer - round(low / scale); q = round(x / scale) + zero_point, cut to the integers there are.
    """
    ### BEGIN SOLUTION
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    rows = x.reshape(1, -1) if axis is None else x.movedim(axis, 0).flatten(1)  # a row for each slice
    low, high = rows.amin(dim=1).clamp(max=0), rows.amax(dim=1).clamp(min=0)
    scale = (high - low) / (most - least)
    scale = torch.where(scale > 0, scale, 1.0)
    zero_point = least - (low / scale).round().long()
    if axis is None:
        scale, zero_point = scale[0], zero_point[0]
        q = (x / scale).round() + zero_point
    else:
        shape = [1] * x.ndim
        shape[axis] = -1
        q = (x / scale.reshape(shape)).round() + zero_point.reshape(shape)
    return q.clamp(least, most).to(torch.int8), scale, zero_point
    ### END SOLUTION


quantise_tensor = check("23.quantise_tensor", quantise_tensor)

# %%
q, scale, zero_point = quantise_tensor(torch.tensor([-1.0, 0.0, 0.3, 1.0, 2.75]), 4, None)
print(q.tolist(), "scale", scale.item(), "zero point", zero_point.item(), "and back", dequantise_tensor(q, scale, zero_point).tolist())

# %% [markdown]
# Now real weights: a convolution of the detector whose filters differ much in size. One scale for all, or one for each output channel?

# %%
layer = fused.head.classes[2][0].conv
weights = layer.weight.detach().contiguous()
ranges = weights.flatten(1).abs().amax(dim=1)
print(tuple(weights.shape), f"largest weight of each filter: from {ranges.min():.3f} to {ranges.max():.3f}")
errors = {
    name: dequantise_tensor(*quantise_tensor(weights, 8, axis), axis=axis) - weights
    for name, axis in (("one scale for the layer", None), ("one scale a filter", 0))
}
show_eight_bits(errors, "The same weights in 8 bits: error of each", unit=0.001)
# %%
typical = {name: values.square().mean().sqrt().item() for name, values in errors.items()}
band(
    "typical error, one scale, times that of one a filter", typical["one scale for the layer"] / typical["one scale a filter"], at_least=1.5
)
for bits in (8, 6, 4, 2):
    back = dequantise_tensor(*quantise_tensor(weights, bits, 0), axis=0)
    print(f"{bits} bits, {2**bits:3} integers: typical error {(back - weights).square().mean().sqrt():.5f}")

# %% [markdown]
# Each bit less doubles the step, and with it the error. The filter with the largest weights dictates a common scale, and small filters get the crumbs; a scale for each filter costs a few bytes.
#
# ### A layer of integers
#
# A layer is sums of products. With x = (q - z) · s and weights w = p · t (weights have zero point 0 in practice, and a scale t for each output):
#
# $$\sum_k x_k\, w_k = \sum_k (q_k - z)\, s \cdot p_k\, t = s\,t \sum_k (q_k - z)\, p_k$$
#
# The scales come out of the sum: all the work in it is integers. By hand, q = 1, 2, -2 with z = -2 and s = 0.5; p = 3, -1, 4 with t = 0.25:
#
# | | | | | sum |
# |---|---|---|---|---|
# | q - z | 3 | 4 | 0 | |
# | · p | 9 | -4 | 0 | **5** |
#
# 5 · 0.5 · 0.25 = **0.625**. The sum must be kept in more bits: 127 · 127 alone is 16,129, and 8 bits end at 127.
#
# ### Exercise: int8_dot
# *difficulty 2 of 5 · importance 3 of 5 · about 15 minutes*


# %% exercise="23.int8_dot"
def int8_dot(x: Tensor, weights: Tensor, x_scale: float, x_zero: int, w_scales: Tensor) -> Tensor:
    """x (B, K) int8, weights (N, K) int8, w_scales (N,) -> (B, N) float32. Products are added up as 32-bit integers, then scaled."""
    ### BEGIN SOLUTION
    sums = (x.int() - x_zero) @ weights.int().T
    return sums * (x_scale * w_scales)
    ### END SOLUTION


int8_dot = check("23.int8_dot", int8_dot)

# %%
generator = torch.Generator().manual_seed(0)
x, w = torch.rand(4, 256, generator=generator), torch.randn(8, 256, generator=generator)
x_q, x_scale, x_zero = quantise_tensor(x, 8, None)
largest = w.abs().amax(dim=1) / 127  # symmetric: 0 is 0
w_q = (w / largest[:, None]).round().to(torch.int8)
integers, floats = int8_dot(x_q, w_q, x_scale.item(), int(x_zero), largest), x @ w.T
off = ((integers - floats).square().mean() / floats.square().mean()).sqrt().item()
print(f"one layer in integers: typical error {off:.2%} of the results")
band("relative error of one layer in int8", off, at_most=0.02)

# %% [markdown]
# ### The whole detector
#
# Weights are known beforehand; the *maps* between the layers are not. Their ranges are measured on some pictures: **calibration** (보정). `quantise_onnx` lets ONNX Runtime do that, and leaves preprocessing, the decoding of boxes and
# suppression in floats. (Why? A box's edge in 8 bits has 256 places to lie. Its docstring says what that costs.)

# %%
calibration = SignScenes(at(smoke=2, quick=16, full=32), seed=77, size=400)
began = time.perf_counter()
quantise_onnx(file, desk / "int8.onnx", [calibration[i][0] for i in range(len(calibration))])
int8 = OnnxDetector(desk / "int8.onnx", threads)
print(
    f"calibrated and written in {time.perf_counter() - began:.0f} s: {(desk / 'int8.onnx').stat().st_size / 1e6:.2f} MB, was {file.stat().st_size / 1e6:.2f} MB"
)

# %%
predict(
    "23.q7",
    "The int8 detector against the float one, on this machine. How much faster is one picture?",
    ["four times: 8 bits instead of 32", "twice", "a little, under 1.5 times", "it is slower"],
)

# %%
ap["int8"] = ap_of(int8(pictures))
waits["ONNX, int8"] = by_batch(int8)
speed_up = waits["ONNX, float32"][0] / waits["ONNX, int8"][0]
print(
    f"AP {ap['ONNX']:.3f} in float, {ap['int8']:.3f} in int8; {waits['ONNX, float32'][0]:.1f} ms and {waits['ONNX, int8'][0]:.1f} ms a picture"
)
answer = 3 if speed_up < 1 else 2 if speed_up < 1.5 else 1 if speed_up < 3 else 0
reveal("23.q7", answer=answer, because=f"{speed_up:.2f} times as fast on {cpu_name()}.")
dot = sorted(flag for flag in cpu_flags() if "vnni" in flag or "amx_int8" in flag)
print("instructions of this processor for products of 8 bits:", ", ".join(dot) or "none are told")
band("AP lost by int8", ap["ONNX"] - ap["int8"], at_most=0.03)
band("size of the int8 file, of the float one", (desk / "int8.onnx").stat().st_size / file.stat().st_size, at_most=0.55)

# %%
rates = {name: [1000 * size / ms for size, ms in zip(sizes, values)] for name, values in waits.items()}
from_zero(show_throughput(sizes, rates, waits))
# %%
integer_profile = profile_onnx(desk / "int8.onnx", pixels_of(pictures[:1]), runs=at(smoke=2, quick=12, full=30), threads=threads)
print(integer_profile.table(6))

# %% [markdown]
# > **Myth**: *"int8 is always faster."* The convolutions are (`QLinearConv`, where the processor has the instructions; without them int8 can be slower than float). Everything else is not, and there are new operators that turn floats into
# > integers and back. SiLU was one operator and is two now. What is certain is the size of the file. Time you must measure, and AP too.
#
# ### Calibrate on what will come
#
# The ranges were measured on a few scenes. What if somebody takes what lies at hand?

# %%
predict(
    "23.q8",
    "Calibrated on four black pictures instead. AP?",
    ["the same: weights do not change", "a few hundredths less", "nothing is left"],
)

# %%
at_hand = {
    "these scenes": None,
    "one scene": [calibration[0][0]],
    "black": [torch.zeros(3, 400, 400, dtype=torch.uint8)] * 4,
    "noise": [torch.randint(0, 256, (3, 400, 400), dtype=torch.uint8, generator=generator) for _ in range(4)],
}
calibrated = {}
for name, some in list(at_hand.items())[: at(smoke=1, quick=3, full=4)]:
    if some is not None:
        quantise_onnx(file, desk / "other.onnx", some)
    calibrated[name] = ap["int8"] if some is None else ap_of(OnnxDetector(desk / "other.onnx", threads)(pictures))
show_bars(calibrated, "AP of the int8 detector by what it was calibrated on", "AP")
# %%
reveal(
    "23.q8",
    answer=2,
    because=f"AP {calibrated.get('black', 0):.2f}. Black maps have small ranges, and whatever is larger later is cut off there.",
)
band("AP calibrated on black pictures", calibrated.get("black", 0), at_most=0.3)

# %% [markdown]
# Few pictures are enough, if they are the *right kind*. (And float16 or bfloat16, half the size? On GPUs and new CPUs that is the first thing to try: ranges stay, no calibration, hardly any AP. See `fuse(model, "bfloat16")`.)
#
# ✂ *50 minutes*
#
# ## 9. A server
#
# A file answers to a program. A **server** (서버) answers to everybody who can open a connection. What belongs on it is the same everywhere: several models, several versions of each, batching, health, metrics. NVIDIA's **Triton Inference Server** is one that does all that. It serves from a folder with a fixed
# layout, the **model repository** (모델 저장소). `write_repository` makes one: version 1 is the float file, version 2 the integers.

# %%
repository = write_repository(file, desk / "models", max_batch=8, max_delay_ms=5, threads=threads)
write_repository(desk / "int8.onnx", repository, max_batch=8, max_delay_ms=5, threads=threads)
for path in sorted(repository.rglob("*")):
    print("  " * len(path.relative_to(repository).parts) + path.name + ("/" if path.is_dir() else f"  ({path.stat().st_size:,} bytes)"))
print("versions:", versions(repository))
print("\nconfig.pbtxt:\n")
print((repository / "detector" / "config.pbtxt").read_text())

# %% [markdown]
# Line by line:
#
# | line | says |
# |---|---|
# | `backend: "python"` | who runs it: here a Python file beside the model, `model.py`, which holds an ONNX Runtime session. Other backends: `onnxruntime`, `tensorrt`, `pytorch` |
# | `max_batch_size: 8` | your `max_batch`; every input gets a batch axis in front, which is not written down |
# | `input`, `dims: [ -1, -1, 3 ]` | uint8 pictures of any height and width. `allow_ragged_batch`: those in one batch may differ in size. `model.py` sorts them; it does not have your colleague's bug |
# | `output` | boxes, scores, labels, and how many are real |
# | `dynamic_batching { max_queue_delay_microseconds: 5000 }` | your `max_wait`: 5 ms |
# | `instance_group` | how many copies run side by side, on which processors |
# | `version_policy { latest { num_versions: 2 } }` | the two newest versions answer; who does not ask for one gets the newest |
# | `parameters` | for our own code: names of the classes, so that a client does not have to know them |
#
# A version is a folder with a number, written under another name and renamed when it is whole: a server may look into the folder at any moment.
#
# ### A request, byte by byte
#
# What travels is described by a public protocol, **KServe v2**, which Triton, KServe, OpenVINO's and others' servers speak. Over HTTP it is JSON, and then the numbers as they lie in memory. The smallest picture that there is, 1 x 2, red and blue:

# %%
tiny = np.array([[[[255, 0, 0], [0, 0, 255]]]], dtype=np.uint8)  # (1, 1, 2, 3)
described = {
    "inputs": [{"name": "pixels", "shape": list(tiny.shape), "datatype": "UINT8", "parameters": {"binary_data_size": tiny.nbytes}}],
    "parameters": {"binary_data_output": True},
}
head = json.dumps(described).encode()
body = head + tiny.tobytes()
print(f"POST /v2/models/detector/infer\n{LENGTH_HEADER}: {len(head)}\nContent-Length: {len(body)}\n\n{head.decode()}")
print("and then", len(tiny.tobytes()), "bytes:", tiny.tobytes().hex(" "))
understood = read_request(body, str(len(head)))
assert np.array_equal(understood.pixels, tiny)

# %% [markdown]
# A header says where the JSON ends. Six bytes of pixels cost 160 bytes of description here; with 400 x 400 pixels it is 480,000 for hardly more. (Written as JSON numbers they would be about four times as many. And **gRPC**, the second protocol, sends the same fields in a binary form, for clients in other languages
# that want to be checked by a schema.)
#
# ### The real one, if it is here
#
# Triton is a program of some hundred megabytes for Linux. `coursekit serve --get-triton` fetches it once. Where it is not, this notebook goes on with a small server of our own, which speaks the same protocol, so that *the same client* talks to both.

# %%
triton = find_triton()
if triton:
    server = Triton(repository, triton)
    server.wait_ready()
    metrics_at = f"127.0.0.1:{server.ports[2]}"
else:
    print(why_no_triton(), "\nso our own server answers here, with version 1 only.")
    server = LocalServer(repository / "detector" / "1" / "model.onnx", max_batch=8, max_wait=0.005, threads=threads).start()
    metrics_at = server.url


def fetch(address, path, body=None, headers=None):
    """Status and bytes of one HTTP request to this machine."""
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request("GET" if body is None else "POST", path, body, headers or {})
        said = connection.getresponse()
        return said.status, said.read()
    finally:
        connection.close()


print("alive:", fetch(server.url, "/v2/health/live")[0], " ready:", fetch(server.url, "/v2/health/ready")[0], "(200 means yes)")
status, said = fetch(server.url, "/v2/models/detector/infer", body, {LENGTH_HEADER: str(len(head))})
print(f"our request by hand: {status}, {len(said)} bytes, beginning {said[:100]!r}...")
assert status == 200

# %% [markdown]
# **Health** (상태 확인) is asked every few seconds by whatever watches over servers. *Alive* but not *ready*: it runs and has no model yet, do not send it users. Neither: start it again.
#
# Nobody builds requests by hand every day. A `Client` does; it looks like the detector itself.

# %%
client = Client(server.url, patience=30)
print("versions:", client.metadata()["versions"], " classes:", ", ".join(client.classes[:4]), "...")
over_the_wire = client(pictures)
ap["server"] = ap_of(over_the_wire)
answering = int8 if triton else detector  # the newest version answers
print(f"AP over HTTP {ap['server']:.3f}")
band("AP lost on the way, against the same file in this process", abs(ap["server"] - ap_of(answering(pictures))), at_most=0.005)


# %%
def counters():
    """What the server has counted, once it stands still: a request is counted a moment *after* its answer."""
    now, last = read_metrics(fetch(metrics_at, "/metrics")[1].decode()), None
    while now != last:
        time.sleep(0.2)
        now, last = read_metrics(fetch(metrics_at, "/metrics")[1].decode()), now
    return now


before = counters()
load = load_test(client, pictures, clients=8, requests=at(smoke=16, quick=160, full=400), warmup=0)
after = counters()
done = {name: int(after[name] - before[name]) for name in ("requests", "failures", "pictures", "batches")}
print(load)
print("the server's own counters:", done)
assert done["requests"] == len(load.latencies)
assert load.errors == 0
band("batches for each picture, eight clients", done["batches"] / done["pictures"], at_most=0.8)

# %% [markdown]
# **Metrics** (지표) are counters that only grow; a program such as Prometheus reads them every few seconds and draws what happened in between. Fewer batches than pictures: the server put requests together, though every client sent just one.
#
# ## 10. Killing it
#
# Servers die: out of memory, a new version, somebody's foot and a cable. A client should bear that. It *may* try again, since asking for boxes changes nothing on the server, so asking twice does no harm; a client that orders pizza must not.
#
# But how? At once and without end, a thousand clients bury the server that is just getting up. **Back-off** (백오프): wait a little, then twice as long each time, up to a longest wait, and give up when patience is over. By hand, first 0.125 s, longest 1 s, patience 4 s:
#
# | wait | 0.125 | 0.25 | 0.5 | 1 | 1 | 1 |
# |---|---|---|---|---|---|---|
# | sum | 0.125 | 0.375 | 0.875 | 1.875 | 2.875 | 3.875 |
#
# A seventh wait would make 4.875, more than 4: six tries, then one clear error.
#
# ### Exercise: backoff_schedule
# *difficulty 2 of 5 · importance 3 of 5 · about 10 minutes*


# %% exercise="23.backoff_schedule"
def backoff_schedule(first: float, longest: float, patience: float) -> list[float]:
    """Seconds to wait before each new try: first, then twice as long each time, none longer than longest; together at most patience."""
    ### BEGIN SOLUTION
    waits, wait = [], min(first, longest)
    while sum(waits) + wait <= patience:
        waits.append(wait)
        wait = min(2 * wait, longest)
    return waits
    ### END SOLUTION


backoff_schedule = check("23.backoff_schedule", backoff_schedule)

# %% [markdown]
# Now a client that asks without a break, and in the middle of it the server is killed: Triton by SIGKILL, with no chance to say goodbye; ours hangs up on everybody. A moment later it comes back on the same port.

# %%
sent, took, failed, enough = [], [], [], threading.Event()
clock_zero = time.perf_counter()


def keep_asking():
    while not enough.is_set():
        began = time.perf_counter()
        try:
            client(pictures[:1])
        except (ConnectionError, ValueError) as error:
            failed.append(str(error))
        sent.append(began - clock_zero)
        took.append(time.perf_counter() - began)


asking = threading.Thread(target=keep_asking)
asking.start()
time.sleep(0.4)
gone = time.perf_counter() - clock_zero
if triton:
    server.kill()
else:
    server.close()
time.sleep(0.8)
if triton:
    server.restart()
    server.wait_ready()
else:
    server = LocalServer(
        repository / "detector" / "1" / "model.onnx", port=int(server.url.split(":")[1]), max_batch=8, max_wait=0.005, threads=threads
    ).start()
back = time.perf_counter() - clock_zero
answered = len(took)
deadline = time.perf_counter() + 60
while len(took) < answered + 5 and time.perf_counter() < deadline:  # until it has had some answers again
    time.sleep(0.05)
enough.set()
asking.join()
show_outage(sent, took, gone, back, "One client, and a server that was killed")
# %%
print(f"{len(took)} requests, {len(failed)} without an answer; the slowest took {max(took):.2f} s")
band("requests without an answer", len(failed), at_most=0)
assert max(took) > 0.5, "somebody waited for the server to come back"

# %% [markdown]
# One request took as long as the outage, all others a few milliseconds. The user saw a slow answer instead of an error. (Mostly even longer: the client was just
# waiting when the server came back. That is what back-off costs, and why there is a longest wait.)
#
# One thing is still wrong with a schedule that everybody shares. A hundred clients lost the server at the same moment; when do they come back?

# %%
waits_of_all = backoff_schedule(0.2, 2.0, 6.0)
together = np.tile(np.cumsum(waits_of_all), (100, 1))
jittered = np.cumsum(np.array(waits_of_all) * dice.random(size=(100, len(waits_of_all))), axis=1)
show_returns(
    {"all by one schedule": together.ravel(), "each wait times a random number between 0 and 1": jittered.ravel()},
    "A hundred clients whose server went away at second 0",
    width=0.05,
)

# %% [markdown]
# All hundred at once, again and again: a **thundering herd** (동시 쇄도). A little chance, **jitter** (지터), spreads them out.
#
# ### A page
#
# What does a user see? `Page` serves one that sends a picture and draws the boxes; behind it stands any detector: this process, or the client. It answers on this machine only. While the notebook runs, open the link in a browser; here we draw what it shows.

# %%
page = Page(client, client.classes).start()
print("open", page.url)
status, html = fetch(page.url.removeprefix("http://").rstrip("/"), "/")
print(status, "and", len(html), "bytes of a page, with the title:", html.decode().split("<title>")[1].split("</title>")[0])
most = max(range(len(pictures)), key=lambda i: len(over_the_wire[i]))
show_page(pictures[most], over_the_wire[most], client.classes, page.url.removeprefix("http://"), threshold=0.5)

# %% [markdown]
# In a terminal the whole of this section is one line: `coursekit serve` writes the repository, starts the server and the page.
#
# ✂ *50 minutes*
#
# ## 11. A new version
#
# The int8 detector is smaller. Is it *the same*? AP says: nearly, on labelled pictures. But users have none. Before they meet it, let both answer the same requests and show users only the old answers: a **shadow test** (섀도 테스트).

# %%
old, new = detector(pictures), int8(pictures)


def agree(a, b):
    """Have both found the same: as many boxes, each with a partner of its class at IoU 0.8 or more?"""
    if len(a) != len(b):
        return False
    same = (box_iou(a.boxes, b.boxes) >= 0.8) & (a.labels[:, None] == b.labels)
    return bool(same.any(dim=1).all() and same.any(dim=0).all())


agreement = sum(agree(a, b) for a, b in zip(old, new)) / len(old)
print(f"both versions say the same of {agreement:.0%} of the pictures")
band("agreement of the two versions", agreement, at_least=0.5)

# %% [markdown]
# Look at the pictures on which they differ before going on; that is a better use of an hour than another decimal of AP.
#
# Then a few users: a **canary** (카나리 배포; miners took such a bird along). Which? Not by a throw of dice at each request, or the same user sees boxes come and go. By a hash of who they are: always the same answer, nothing to remember.


# %%
def version_for(user: str, share: float) -> int:
    """2 for that share of all users, 1 for the others; the same user always gets the same."""
    return 2 if zlib.crc32(user.encode()) % 1000 < 1000 * share else 1


users = [f"user-{number}" for number in range(2000)]
for share in (0.01, 0.1, 0.5):
    chosen = {user for user in users if version_for(user, share) == 2}
    print(f"asked for {share:4.0%}: {len(chosen) / len(users):5.1%} of the users get version 2; user-7 gets {version_for('user-7', share)}")
assert {u for u in users if version_for(u, 0.1) == 2} <= {u for u in users if version_for(u, 0.5) == 2}, "who has the new one keeps it"

# %% [markdown]
# | step | look at | go back if |
# |---|---|---|
# | 1 compare files | equal outputs, AP with its band, AP *by class* | anything is out of its band |
# | 2 shadow | agreement, p99, memory | they disagree where you cannot say why |
# | 3 canary, 1 %, 10 %, 50 % | errors, p99, boxes a picture, complaints | a curve bends that did not bend before |
# | 4 all | the same, for a week | |
# | 5 | keep the version before | it is the way back: **roll-back** (되돌리기) is one line, `version_policy` |
#
# And the numbers of a version live with it: which data, which commit, which AP. A folder called `final_new2` is not a version.
#
# ## 12. What to watch when nobody labels
#
# The world changes; weights do not. **Drift** (데이터 드리프트) is when what comes in is no longer what was trained on. Without labels there is no AP. So one watches what can be counted: something of the *input* (brightness, size, share of broken files) and something of the *output* (boxes a picture, scores, share of each class). Two mornings after
# the release: in one town it has become **night**. In another a new app sends **BGR**.

# %%
predict(
    "23.q9",
    "A monitor watches the mean brightness of the pictures. Which of the two does it see?",
    ["both", "the night only", "BGR only", "neither"],
)

# %%
night_world = SignScenes(at(smoke=6, quick=40, full=150), seed=1900, size=400, night=100)
night = [night_world[i] for i in range(len(night_world))]
days = {
    "as in training": (pictures, targets),
    "night": ([p for p, _ in night], [t for _, t in night]),
    "BGR": ([p.flip(0) for p in pictures], targets),
}
seen = {}
for name, (some, truth) in days.items():
    found = detector(some)
    seen[name] = {
        "brightness": [picture.float().mean().item() for picture in some],
        "boxes": [len(one) for one in found],
        "AP": evaluate_samples(truth, found, model.classes).summary["AP"],
    }
    print(
        f"{name:15} brightness {np.mean(seen[name]['brightness']):5.1f}, boxes a picture {np.mean(seen[name]['boxes']):.2f}   (AP, which nobody would know: {seen[name]['AP']:.3f})"
    )

# %%
show_shift(
    {name: row["brightness"] for name, row in seen.items() if name != "BGR"},
    "mean brightness of a picture, 0 to 255",
    "What came in: day and night",
)
# %%
reveal("23.q9", answer=1, because="Red and blue changed places, and the mean over all three stays what it was.")
boxes = {name: float(np.mean(row["boxes"])) for name, row in seen.items()}
show_bars(boxes, "What went out", "boxes a picture")
# %%
band("boxes a picture: BGR, of what they were", boxes["BGR"] / boxes["as in training"], at_most=0.6)
band("AP lost at night", seen["as in training"]["AP"] - seen["night"]["AP"], at_most=0.15)

# %% [markdown]
# The first monitor cries at night, when this detector is well (it has seen nights in training), and is silent about the real damage. The second is the other way round. **An alarm is a question, not a verdict**: look at pictures, label fifty of them, measure. And watch inputs *and* outputs, since each is
# blind where the other sees. (Watch who may look, too: stored requests are strangers' photographs. Keep numbers rather than pictures, and pictures only with a reason and an end.)
#
# ## 13. The table
#
# Everything that we ran, measured once more, one after the other, in this minute, on this machine: one client, one picture of 400 x 400 at a time.

# %%
ways = {
    "eager": lambda some: find_objects(model, some),
    "eager, fused": lambda some: find_objects(fused, some),
    "ONNX": detector,
    "int8": int8,
    "server": client,
}
rows = {}
for name, detect in ways.items():
    load = load_test(detect, pictures, clients=1, requests=at(smoke=4, quick=30, full=150), warmup=3)
    p50, p90 = (1e3 * value for value in latency_percentiles(load.latencies, [50, 90]))
    ap[name] = ap.get(name) or ap_of(detect(pictures))
    rows[name] = (p50, p90, load.throughput, ap[name])
print(f"{'':14}{'p50 ms':>8}{'p90 ms':>8}{'pictures/s':>12}{'AP':>8}")
for name, (p50, p90, rate, quality) in rows.items():
    print(f"{name:14}{p50:>8.1f}{p90:>8.1f}{rate:>12.1f}{quality:>8.3f}")
print(f"{threads} thread{'s' * (threads > 1)}, {cpu_name()}; the server is {'Triton' if triton else 'our own'}")
band("spread of AP over all ways", max(r[3] for r in rows.values()) - min(r[3] for r in rows.values()), at_most=0.03)

# %% [markdown]
# How to read it. AP first: all rows are the same detector, else the milliseconds are worth nothing. Then p50 beside p90 (so few requests have no p99 worth the name). The server with *one* client is slower than the file behind it: it copies half a megabyte, and waits its 5 ms for company that does not come.
#
# `benchmarks/serving.py` measured the same on two cores that had nothing else to do, with pictures of 256 x 256, each way in a process of its own, with the real Triton, and with `torch.compile`, which makes kernels for a model while it runs:

# %%
beforehand = json.loads(resource("measured.json").read_text())["serving"]
print(f"{'':38}{'one client':>17}{'eight clients':>18}{'pictures/s':>12}{'peak MB':>9}{'AP':>8}")
print(f"{'':38}{'p50 / p99 ms':>17}{'p50 / p99 ms':>18}{'of eight':>12}")
for row in beforehand["rows"]:
    one, eight = f"{row['p50']:.1f} / {row['p99']:.1f}", f"{row['p50 of 8']:.1f} / {row['p99 of 8']:.1f}"
    print(f"{row['way']:38}{one:>17}{eight:>18}{row['pictures/s']:>12.0f}{row['MB'] or '?':>9}{row['AP']:>8.4f}")

# %% [markdown]
# Compare the first three rows: folding gains what compiling gains, on a CPU and for a network of this size; on a GPU compiling has more to join. Compare ONNX Runtime in float and in int8, and then with your own table above: the same two files, another number of threads, another answer to "is int8 faster?".
# And look at what a server takes off the throughput: here server and clients share two cores, as they never would in earnest.
#
# ## 14. Other tools, and what they are for
#
# | tool | what it is | when |
# |---|---|---|
# | `torch.compile` | PyTorch makes kernels for your model while it runs | you stay in Python; the first call may take a minute |
# | ONNX Runtime | runs graphs everywhere: CPUs, GPUs, browsers, telephones | the same file in many places |
# | TensorRT | NVIDIA's compiler: one GPU model, one plan, float16 and int8 | NVIDIA GPUs, where every millisecond counts |
# | OpenVINO | the same for Intel's processors | Intel CPUs and small graphics units |
# | Core ML, LiteRT (TensorFlow Lite) | runtimes of telephones, which use their neural units | an app without a server |
# | Triton | the server of this notebook: many frameworks, batching, versions, metrics | GPUs that several models share |
# | TorchServe | PyTorch's own server; no longer maintained | systems that have it |
# | KServe | runs servers such as Triton on Kubernetes: scaling, canaries, one protocol | many models, a team that has a cluster |
# | BentoML | Python functions into a service and a container | a first service, quickly |
#
# They share today's ideas under other names. Whoever can read `config.pbtxt` can read the others' settings.

# %%
page.close()
client.close()
server.close()

# %% [markdown]
# ## Summary
#
# - A **graph** is the computation as data. An export freezes what was a Python number; compare on sizes that were not the example.
# - **Preprocessing and suppression belong in the file.** Skew raises no error: BGR costs nearly everything, another resize a little, for ever.
# - Latency is a distribution: **p50, p99, nearest rank**, closed or open loop said. The mean is nobody's.
# - **Throughput and latency pull against each other**: inside = rate · stay. Plan for 50 to 70 % load.
# - **Dynamic batching**: due when full or when the oldest has waited; who goes along is decided at the start. Carry *whose* with *what*.
# - **int8**: scale, zero point, one scale a filter, sums in 32 bits; calibrate on what will come; measure AP and time.
# - **A server**: repository, versions, health, metrics. **A client**: back-off with jitter, for requests that may be repeated.
# - Shadow, canary, roll-back. Watch inputs and outputs; an alarm is a question.
#
# ### Check yourself
#
# <details><summary>A service promises "20 ms on average". What do you ask?</summary>
#
# p99, at which load, closed or open loop, warm or cold, on which machine; and how many requests a page of theirs needs.
# </details>
#
# <details><summary>A server does 200 pictures a second, and 40 clients wait for their answers all the time. How long does each wait?</summary>
#
# 40 / 200 = 0.2 s, by Little's law. A second server halves it.
# </details>
#
# <details><summary>AP was 0.85 in the notebook and is 0.80 in production, where somebody labelled a hundred pictures. Where do you look first?</summary>
#
# At the tensor that the network gets, for one picture, in both places. If they are equal to a level or two of 255, it is drift (or a hundred pictures are too few); if not, it is skew.
# </details>
#
# <details><summary>Weights of one layer lie in -0.1 .. 0.1, one single weight is 12.7. What does 8 bits with one scale make of it?</summary>
#
# The range is 12.8, a step 0.05: nearly all weights become -2, -1, 0, 1 or 2 steps. A scale for each filter saves all filters but one.
# </details>
#
# <details><summary><code>max_wait</code> is 20 ms, a picture takes 5 ms, two requests come each second. What do users wait, and what would you set?</summary>
#
# 25 ms: nearly every request waits 20 ms for nobody. 0: a busy server makes batches by itself.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | you see | it is |
# |---|---|
# | `Got invalid dimensions for input ... Got: 12 Expected: 8` | a size was frozen at export: `dynamic_shapes` |
# | `Unsupported ONNX opset` or an unknown operator | the runtime is older than the exporter: export with a lower opset, or update it |
# | no error, scores about 0, or far fewer boxes | skew: print the tensor's minimum, maximum and one pixel in both places |
# | `unexpected shape for input 'pixels'` from Triton | the batch axis is missing, or stands twice: `dims` are without it |
# | `Connection refused` | nobody listens on that port: not started, dead, or another port |
# | status 503 | it lives and is not ready, or is full: try again later, with back-off |
# | latency fine alone, terrible with ten clients | too many threads: each of ten sessions takes all cores. instances · threads must not exceed the cores |
# | the first answer takes seconds | cold: warm up *before* saying ready |
# | int8 finds nothing | calibrated on other pictures, or on floats where bytes go in |
#
# ### Where to read more
#
# - The ONNX specification (onnx.ai) and `coursekit/yolo/onnx_parts.py`: the letterbox and suppression as text, a page each.
# - Dean and Barroso, *The Tail at Scale*, Communications of the ACM, 2013: why p99 is what counts.
# - Jacob and others, *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, arXiv 1712.05877; Nagel and others, *A White Paper on Neural Network Quantization*, arXiv 2106.08295.
# - Sculley and others, *Hidden Technical Debt in Machine Learning Systems*, NeurIPS 2015: eleven pages on everything around the model.
# - Little, *A Proof for the Queuing Formula L = λW*, Operations Research, 1961.
# - Triton's user guide on model configuration; the KServe *Open Inference Protocol*.
# - `coursekit/serving/`: `batcher.py`, `client.py`, `local.py`, a few hundred lines in all.
#
# **Next**: 24 is yours: a project from a folder of pictures to a report, and then, if you like, onto a server.
