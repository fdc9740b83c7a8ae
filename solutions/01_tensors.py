# %% [markdown]
# # 01 · Tensors: an image is numbers with a shape
#
# A network never sees a picture. It sees a block of numbers, and it trusts you completely about what they mean: which axis is the height,
# whether 255 or 1.0 is white, whether red or blue comes first. When you get one of these wrong, **nothing crashes**. The detector trains, and is
# quietly bad. This notebook is about never having that day.
#
# | you will learn | you will build |
# |---|---|
# | shape, dtype, device, memory, views and copies | `brighten`: add light without wrapping around |
# | how an image is laid out: HWC and CHW, uint8 and float, RGB and BGR | `to_chw`: turn axes without scrambling pixels |
# | batches of images that differ in size | `make_batch` |
# | broadcasting (브로드캐스팅), worked by hand | `pairwise_distance`: every pair at once |
# | what pretrained networks expect | `normalise` |
# | how to cut an image into windows without copying it | `patches` |
# | what PNG keeps and JPEG throws away | |
#
# **Time** 15 seconds of computing on two CPU cores; about two hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you know Python functions, lists and slices, and have seen a NumPy array. Nothing else.

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("01_tensors")

# %%
import time

import torch
from skimage import data
from torch import Tensor

from coursekit import images
from coursekit.data.signs import SignCrops, SignScenes
from coursekit.plots.images import show_images
from coursekit.plots.tensors import show_broadcast, show_channels, show_jpeg, show_memory
from coursekit.plots.tensors import show_patches, show_pixels, show_values

# %% [markdown]
# ### Before we begin: two questions about notebook 00
#
# Answer them in your head, then open the folds. Calling something back to mind is what makes it stay.
#
# <details><summary>What does a detector give that a classifier does not?</summary>
#
# *Where*: a box for each object, with a class and a score. A classifier gives one class for the whole image.
# </details>
#
# <details><summary>You raise the confidence threshold. What do you gain, and what do you pay?</summary>
#
# Fewer false alarms, and more objects missed.
# </details>

# %% [markdown]
# ## 1. A photograph is a tensor
#
# A **tensor** (텐서) is a block of numbers, all of one kind, with a **shape** (형상). One number has shape `()`, a list of five has `(5,)`, a
# table of 2 rows and 3 columns has `(2, 3)`. A colour photograph needs three axes (축): height, width and colour.
#
# This is Chelsea the cat, a photograph that comes inside scikit-image. Nothing is downloaded.

# %%
photo = torch.from_numpy(data.chelsea())
print("shape ", tuple(photo.shape))
print("dtype ", photo.dtype)
print("device", photo.device)

# %% [markdown]
# 300 rows, 451 columns, 3 numbers for each pixel (화소): how much red, green and blue. The **dtype** (자료형) `uint8` says what each number is: an
# unsigned integer of 8 bits, so a whole number from 0 to 255. The **device** (장치) says whose memory it lies in: here the CPU's.
#
# How many numbers is that, and how much memory? By hand: 300 · 451 · 3 = 405,900 numbers of one byte (바이트) each.

# %%
print(photo.numel(), "numbers of", photo.element_size(), "byte each:", photo.nbytes, "bytes")
print("the pixel in row 100, column 145:", photo[100, 145].tolist())

# %% [markdown]
# **Row first, then column.** `photo[100, 145]` is 100 pixels *down* and 145 to the *right*. Boxes are written the other way round, x before y, and
# mixing the two up is the most common silent mistake in detection. We will say which is which every time.
#
# Look at a corner of the eye, with the numbers written into the pixels (R, G, B from top to bottom):

# %%
eye = photo[100:106, 138:150]
show_pixels(images.to_chw(eye), title="Six rows of the left eye")

# %% [markdown]
# 0 is **black**: no light. 255 is **white**: as much as the file can say. A grey pixel has three equal numbers, and a grey image
# (흑백 영상) stores only one. Here is a black square with a white middle, made by hand:

# %%
square = torch.zeros(1, 5, 5, dtype=torch.uint8)
square[:, 1:4, 1:4] = 128
square[:, 2, 2] = 255
show_pixels(square, title="0 is black, 255 is white")

# %% [markdown]
# ## 2. Eight bits: 200 + 100 is not 300
#
# We want the cat brighter, so we add 100 to every pixel. A pixel of 200 becomes 300. But a `uint8` ends at 255.

# %%
predict(
    "01.q1",
    "A uint8 pixel holds 200, and we add 100 to it. What does it hold then?",
    ["300: the dtype grows", "255: it stops at white", "44: it starts again at 0", "an error is raised"],
)

# %%
pixel = torch.tensor([200], dtype=torch.uint8)
print("200 + 100 =", (pixel + 100).item())
print("  3 -   5 =", (torch.tensor([3], dtype=torch.uint8) - 5).item())

# %%
reveal(
    "01.q1",
    answer=2,
    because="uint8 counts 254, 255, 0, 1, so 300 - 256 = 44. NumPy and C do the same. Nobody warns you.",
)

# %% [markdown]
# It **wraps around** (오버플로), like the kilometre counter of an old car. In a photograph it looks like this. Where only red
# passes 255 the colour flips to blue-green; where all three do, white turns black.

# %%
cat = images.to_chw(photo)
titles = ["the photograph", "cat + 100 in uint8"]
show_images([cat, cat + 100], titles, suptitle="The brightest parts wrap around", size=3)

# %% [markdown]
# ### Exercise: brighten
# *difficulty 1 of 5 · importance 4 of 5 · about 10 minutes*
#
# Add `amount` to every pixel. What would pass white stays white, what would pass black stays black, and the result is an image again: `uint8`.
#
# | pixel | + 60 | what you want |
# |---|---|---|
# | 100 | 160 | 160 |
# | 200 | 260 | 255 |
#
# `tensor.clamp(low, high)` cuts off at both ends. Think about *where* in the calculation the number 260 can exist at all.


# %% exercise="01.brighten"
def brighten(image: Tensor, amount: int) -> Tensor:
    """uint8 image of any shape, amount from -255 to 255 -> uint8 that stops at 0 and at 255."""
    ### BEGIN SOLUTION
    wide = image.to(torch.int32) + amount  # room above 255 and below 0
    return wide.clamp(0, 255).to(torch.uint8)
    ### END SOLUTION


brighten = check("01.brighten", brighten)  # yours once it passes, ours until then

# %%
levels = [-80, 0, 80]
bright = [brighten(cat, level) for level in levels]
show_images(bright, titles=levels, suptitle="brighten, held at both ends", size=3)

# %% [markdown]
# Stuck? `hint("01.brighten")` helps a little, and a little more each time. `solution("01.brighten")` shows ours.
#
# ### uint8 or float?
#
# Files and datasets keep `uint8`: one byte a number. Networks compute in `float32`: four bytes, from 0 to 1. The course converts at the very last
# moment, inside the model, so that memory holds four times as many images.

# %%
as_float = cat / 255  # dividing gives float32
print(f"uint8  {cat.nbytes:>9,} bytes, from {cat.min()} to {cat.max()}")
print(f"float  {as_float.nbytes:>9,} bytes, from {as_float.min():.2f} to {as_float.max():.2f}")

# %% [markdown]
# > **Myth**: *"float images are more precise."* The camera gave 256 steps, and dividing by 255 invents no new ones. Count them:

# %%
counts = [image.unique().numel() for image in (cat, as_float)]
print("different values in uint8 and in float:", counts)
assert counts[0] == counts[1]

# %% [markdown]
# ✂ *50 minutes*
#
# ## 3. Which axis is which? HWC and CHW
#
# Cameras, Pillow, OpenCV and matplotlib keep the three numbers of a pixel side by side: **HWC** (height, width, channels). PyTorch wants whole
# planes of one colour, one after another: **CHW**. A **channel** (채널) is one such plane. So every image turns its axes once on its way in.
#
# Here are the planes of our photograph, each shown as a grey image: white where there is much of that colour.

# %%
show_channels(cat, title="Orange fur is bright in red and dark in blue")

# %% [markdown]
# There are two tempting ways from (H, W, C) to (C, H, W): `reshape` and `permute`. Both give the right *shape*.

# %%
predict(
    "01.q2",
    "photo.reshape(3, 300, 451) has the right shape. What will it look like?",
    ["the cat, unchanged", "the cat, lying on its side", "coloured stripes, no cat", "an error is raised"],
)

# %%
reshaped = photo.reshape(3, 300, 451)
permuted = photo.permute(2, 0, 1)
print(tuple(reshaped.shape), tuple(permuted.shape))
titles = ["reshape(3, 300, 451)", "permute(2, 0, 1)"]
show_images([reshaped, permuted], titles, suptitle="Same shape, other pixels", size=3)

# %%
reveal(
    "01.q2",
    answer=2,
    because="reshape keeps the order in memory and cuts it elsewhere. The top third was taken for red.",
)

# %% [markdown]
# Why? Because memory is one long row of cells, whatever the shape says. A tensor is that row plus a **stride** (보폭) for each axis: how many cells to
# jump for one step along it. Take an image of 2 rows and 3 columns, with the numbers 0 to 17:

# %%
tiny = torch.arange(18).reshape(2, 3, 3)  # (H, W, C)
turned = tiny.permute(2, 0, 1)  # (C, H, W)
copied = turned.contiguous()  # (C, H, W) again
layouts = {"loaded, HWC": tiny, "permuted, CHW": turned, "contiguous, CHW": copied}
show_memory(layouts, channel_axis={"permuted, CHW": 0, "contiguous, CHW": 0})

# %% [markdown]
# Read the picture from above. The letter is the channel, the number is the value, and below stands the index that leads there.
#
# - **permute moves nothing.** It only swaps the strides: same cells, new indices. That is a **view** (뷰).
# - **contiguous() moves everything**: all red first, then green, then blue. That is a **copy** (복사).
# - `reshape(3, 2, 3)` would call the first six cells "red", though they hold R G B R G B. That is the scrambled cat.
#
# Work one out by hand: in the permuted view, where is `[1, 0, 2]` (green, row 0, column 2)? Strides are (1, 9, 3): 1·1 + 0·9 + 2·3 = cell **7**.

# %%
print("strides", turned.stride(), "-> cell 7 holds", turned[1, 0, 2].item())
assert turned[1, 0, 2] == tiny.flatten()[7]

# %% [markdown]
# ### Exercise: to_chw
# *difficulty 1 of 5 · importance 5 of 5 · about 5 minutes*
#
# The line that gives a grey image its missing axis is there already. Yours is the one that turns the axes.


# %% exercise="01.to_chw"
def to_chw(image: Tensor) -> Tensor:
    """(H, W, C), or (H, W) for grey -> (C, H, W), same dtype; [y, x, c] is found at [c, y, x]."""
    if image.ndim == 2:
        image = image[:, :, None]  # (H, W) -> (H, W, 1)
    ### BEGIN SOLUTION
    return image.permute(2, 0, 1)
    ### END SOLUTION


to_chw = check("01.to_chw", to_chw)

# %% [markdown]
# ## 4. Views and copies: the bug that changes your data
#
# Slicing gives a view as well. That is why it costs nothing, and why this function is dangerous. It is meant to *show* the middle
# darkened. What happens to the photograph?


# %%
def darkened_middle(image):
    middle = image[:, 100:200, 150:300]
    middle //= 3  # in place: writes into the cells that `middle` looks at
    return middle


# %%
predict(
    "01.q3",
    "After darkened_middle(cat), what has happened to cat itself?",
    ["nothing", "its middle is dark as well", "all of it is dark"],
)

# %%
before = cat.clone()
dark = darkened_middle(cat)
titles = ["the photograph before", "the same variable after"]
show_images([before, cat], titles, suptitle="Nobody assigned to cat", size=3)

# %%
changed = (cat != before).sum()
reveal(
    "01.q3",
    answer=1,
    because=f"The slice shares memory, and //= writes into it: {changed:,} of your numbers changed.",
)

# %% [markdown]
# It is worse: `cat` is a view of `photo`, and `torch.from_numpy` shares memory with the NumPy array that scikit-image gave us. All of them are dark now.
# In a training loop such a line darkens the image a little more in *every epoch*, and no error is ever raised.
#
# Three ways to be safe: an operation that makes something new (`middle // 3`), `clone()` before writing, or never writing in place at all.

# %%
assert photo.data_ptr() == cat.data_ptr()  # the same first cell
photo = torch.from_numpy(data.chelsea().copy())
cat = to_chw(photo).contiguous()
safe = cat[:, 100:200, 150:300].clone()
safe //= 3
assert torch.equal(cat, before), "the photograph must be untouched"

# %% [markdown]
# | gives a view (shares memory) | gives a copy (own memory) |
# |---|---|
# | slices `x[2:5]`, `x[None]`, `permute`, `transpose`, `view`, `expand`, `unfold` | `clone`, `contiguous` (if it is not already), `x[mask]`, `x[[0, 2]]`, `flip`, `x + 1` |
# | `reshape`, `to` and `from_numpy`: a view *where they can* | `torch.tensor(array)`: always |
#
# ## 5. RGB or BGR: the cat turns blue
#
# Everybody agrees on red, green, blue. Everybody but OpenCV, which reads and writes **BGR**, because cameras of the 1990s did. `cv2.imread` gives a
# perfectly valid tensor, and a network trained on RGB sees a blue cat.

# %%
bgr = images.rgb_to_bgr(cat)
titles = ["RGB", "BGR taken for RGB"]
show_images([cat, bgr], titles, suptitle="The same numbers, another order", size=3)

# %% [markdown]
# For traffic signs this is no detail. Red means *forbidden* and blue means *must*. Which of these signs would a driver still get right?

# %%
four = ["no_entry", "keep_right", "stop", "parking"]
crops = [SignCrops(1, seed=5, size=96, classes=[name], difficulty="easy")[0][0] for name in four]
swapped = [images.rgb_to_bgr(crop) for crop in crops]
show_images(crops + swapped, titles=four + ["as BGR"] * 4, suptitle="Red and blue change places")

# %% [markdown]
# How would you *notice* without looking? Compare the channels' means with what you know of your data: skin, fur, brick and wood
# have more red than blue.

# %%
for name, image in (("RGB", cat), ("BGR", bgr)):
    print(name, "channel means:", [round(m) for m in image.float().mean(dim=(1, 2)).tolist()])

# %% [markdown]
# ✂ *50 minutes*
#
# ## 6. Many images at once: batches
#
# Networks work on a **batch** (배치): N images in one tensor of shape (N, C, H, W). One image keeps a GPU hardly busy; sixteen at once often take it the same time.
# `torch.stack` builds a batch, as long as all sizes agree.

# %%
scenes = [image for image, _ in SignScenes(4, seed=11)]
batch = torch.stack(scenes)
print(tuple(batch.shape), f"{batch.nbytes:,} bytes")
print("image 0, channel 0 (red), row 10, column 20:", batch[0, 0, 10, 20].item())

# %% [markdown]
# Real photographs differ in size, and `torch.stack` refuses them. Three cures: stretch them (a round sign becomes an ellipse), crop them (objects
# get lost), or **pad** (패딩) them. Padding keeps every pixel. Where do the new pixels go? To the right and to the bottom: then every pixel, and every
# box, keeps its coordinates.

# %%
try:
    torch.stack([cat, scenes[0]])
except RuntimeError as error:
    print("RuntimeError:", error)

# %% [markdown]
# ### Exercise: make_batch
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*
#
# Two images, 2x5 and 4x3, give a batch of shape (2, 3, **4**, **5**): the largest height *of all* and the largest width *of all*. No image of the two is that
# large. What no image covers is black: 0.


# %% exercise="01.make_batch"
def make_batch(images: list[Tensor]) -> Tensor:
    """N images (C, H, W) -> (N, C, largest H, largest W): each at the top left, 0 elsewhere, same dtype."""
    ### BEGIN SOLUTION
    channels = images[0].shape[0]
    height = max(image.shape[1] for image in images)
    width = max(image.shape[2] for image in images)
    batch = torch.zeros(len(images), channels, height, width, dtype=images[0].dtype)
    for i, image in enumerate(images):
        batch[i, :, : image.shape[1], : image.shape[2]] = image
    return batch
    ### END SOLUTION


make_batch = check("01.make_batch", make_batch)

# %%
padded = make_batch([cat, scenes[0]])
print(tuple(padded.shape))
titles = ["300 x 451: the largest in both", "256 x 256: padded"]
show_images(padded, titles, suptitle="One batch of two sizes", size=3)

# %% [markdown]
# ## 7. Broadcasting: small meets large
#
# What is a table of shape (3, 1) plus a table of shape (1, 4)? Python lists would refuse. Tensors **broadcast**: an axis of length 1 is stretched to the
# length of the other. By hand:

# %%
tens = torch.tensor([[0], [10], [20]])
ones = torch.tensor([[1, 2, 3, 4]])
show_broadcast(tens, ones)

# %% [markdown]
# The numbers in brackets are stored nowhere. The stride of a stretched axis is simply 0: step along it, and you stay where you are.

# %%
stretched = tens.expand(3, 4)
stored = stretched.untyped_storage().nbytes() // stretched.element_size()
print("shape", tuple(stretched.shape), "stride", stretched.stride(), "numbers stored:", stored)

# %% [markdown]
# **The rule.** Write both shapes under each other, *aligned at the right*. In every column the numbers must be equal, or one of them 1 (or missing).
#
# | | axis -3 | axis -2 | axis -1 | |
# |---|---|---|---|---|
# | an image | 3 | 300 | 451 | |
# | `mean`, shape (3,) | | | 3 | ✗ 451 against 3 |
# | `mean[:, None, None]`, shape (3, 1, 1) | 3 | 1 | 1 | ✓ one number for each channel |
#
# `None` in an index makes a new axis of length 1. Decide these three before you run the cell.

# %%
predict(
    "01.q4",
    "Which of these pairs of shapes does NOT fit?",
    ["(5, 1, 4) and (3, 1)", "(2, 3) and (2,)", "(3, 1, 1) and (8, 3, 32, 32)"],
)

# %%
for a, b in (((5, 1, 4), (3, 1)), ((2, 3), (2,)), ((3, 1, 1), (8, 3, 32, 32))):
    try:
        print(a, "and", b, "->", tuple(torch.broadcast_shapes(a, b)))
    except RuntimeError:
        print(a, "and", b, "do not fit")

# %%
reveal(
    "01.q4",
    answer=1,
    because="Aligned at the right, 3 stands above 2. With [:, None] the second is (2, 1), and it fits.",
)

# %% [markdown]
# > **The trap.** When a size happens to agree, the wrong axis raises no error. An image 3 pixels wide minus a mean of shape (3,) subtracts one number for
# > each *column*. Test with sizes that all differ.
#
# ### Every pair at once
#
# Detection is full of "each of these against each of those": predictions against truths, anchors against objects. The pattern is always the same.
# Points `a` of shape (N, 2) and `b` of shape (M, 2):
#
# 1. `a[:, None, :]` is (N, 1, 2) and `b[None, :, :]` is (1, M, 2).
# 2. Their difference broadcasts to (N, M, 2): every a minus every b.
# 3. Square, add over the last axis, take the root: (N, M) distances. That is Pythagoras, N · M times.
#
# Small enough for your head: from (0, 0) to (3, 4) it is √(9 + 16) = 5.

# %%
a = torch.tensor([[0.0, 0.0], [3.0, 0.0]])
b = torch.tensor([[3.0, 4.0], [0.0, 0.0], [3.0, 1.0]])
difference = a[:, None, :] - b[None, :, :]
print(tuple(a[:, None, :].shape), "-", tuple(b[None, :, :].shape), "->", tuple(difference.shape))
print("from a[0] to b[0]:", difference[0, 0].tolist())

# %% [markdown]
# ### Exercise: pairwise_distance
# *difficulty 2 of 5 · importance 5 of 5 · about 15 minutes*
#
# You will write this pattern again in 13 (IoU of every pair of boxes) and in 19 (every prediction against every truth). No loops.


# %% exercise="01.pairwise_distance"
def pairwise_distance(points1: Tensor, points2: Tensor) -> Tensor:
    """(N, D) and (M, D) -> (N, M): the straight-line distance of every point to every other."""
    ### BEGIN SOLUTION
    difference = points1[:, None, :] - points2[None, :, :]  # (N, M, D)
    return (difference**2).sum(dim=2).sqrt()
    ### END SOLUTION


pairwise_distance = check("01.pairwise_distance", pairwise_distance)

# %% [markdown]
# ### Was it worth it? Loop against vectorised
#
# The same distances three ways: two `for` loops that index a tensor, two loops over plain Python lists, and broadcasting. Guess before you measure.

# %%
predict(
    "01.q5",
    "How many times faster than the loop over tensor elements is broadcasting, for 120 points?",
    ["no difference", "2 to 10 times", "10 to 100 times", "more than 100 times"],
)


# %%
def loop_over_tensor(points):
    result = torch.zeros(len(points), len(points))
    for i in range(len(points)):
        for j in range(len(points)):
            result[i, j] = ((points[i] - points[j]) ** 2).sum().sqrt()
    return result


def loop_over_lists(points):
    rows = points.tolist()
    distances = [[((x1 - x2) ** 2 + (y1 - y2) ** 2) ** 0.5 for x2, y2 in rows] for x1, y1 in rows]
    return torch.tensor(distances)


def seconds(function, *arguments, repeats=5):
    """The best of several runs: other programs can only make it slower, never faster."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - began)
    return min(times)


# %%
points = torch.rand(at(smoke=20, quick=120, full=120), 2)
torch.testing.assert_close(pairwise_distance(points, points), loop_over_tensor(points))

broadcast = seconds(pairwise_distance, points, points, repeats=50)
in_lists = seconds(loop_over_lists, points)
in_tensors = seconds(loop_over_tensor, points, repeats=1)

# %%
for name, value in (("tensor", in_tensors), ("lists", in_lists), ("broadcasting", broadcast)):
    print(f"{name:>12}: {value * 1000:8.2f} ms, {value / broadcast:6.0f} times broadcasting")

# %%
speedup = in_tensors / broadcast
right = sum(speedup >= edge for edge in (2, 10, 100))
reveal("01.q5", answer=right, because=f"Measured here: {speedup:.0f} times.")
band("broadcasting against the loop, times faster", speedup, at_least=10)

# %% [markdown]
# Two surprises in that table. Broadcasting wins by a hundred times or more. And a loop over *lists* beats a loop over a *tensor* by far: each
# `points[i]` builds a new tensor object, which is much more work than the subtraction itself.
#
# > **Myth**: *"vectorised code is fast because of the GPU."* All of this ran on the CPU. It is fast because one call does all the work, in memory order,
# > instead of Python asking for each number.
#
# It has a price: (N, M, D) exists in memory for a moment. For 20,000 points in 2 dimensions that is 20,000² · 2 · 4 bytes = 3.2 GB. `torch.cdist` avoids it.

# %% [markdown]
# ✂ *50 minutes*
#
# ## 8. Normalisation: what a pretrained network expects
#
# Networks learn best when their inputs lie around 0 with a spread near 1 (정규화). Everybody uses the same recipe: scale to 0..1, subtract the **mean**
# (평균) of each channel, divide by its **standard deviation** (표준편차). The numbers come from the *training set*, once. For weights
# trained on ImageNet they are famous:

# %%
print("mean", images.IMAGENET_MEAN)
print("std ", images.IMAGENET_STD)

# %% [markdown]
# By hand, for a red value of 124: 124 / 255 = 0.486. Minus 0.485 is 0.001. Divided by 0.229 is **0.005**: an average red becomes 0. White becomes
# (1 - 0.485) / 0.229 = 2.25, and black -2.12.
#
# ### Exercise: normalise
# *difficulty 2 of 5 · importance 5 of 5 · about 15 minutes*
#
# One image or a batch; `uint8`, or float that is in 0..1 already (`tensor.is_floating_point()` tells). `mean` and `std` have shape (C,).


# %% exercise="01.normalise"
def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(C, H, W) or (N, C, H, W), uint8 or float in 0..1 -> float: in 0..1, minus mean, divided by std."""
    ### BEGIN SOLUTION
    scaled = images if images.is_floating_point() else images / 255
    return (scaled - mean[:, None, None]) / std[:, None, None]
    ### END SOLUTION


normalise = check("01.normalise", normalise)

# %%
mean, std = torch.tensor(images.IMAGENET_MEAN), torch.tensor(images.IMAGENET_STD)
normal = normalise(cat, mean, std)
show_values({"uint8": cat, "normalised": normal})

# %% [markdown]
# The shape of each curve is the same; only the ruler below moved. The cat's means are not 0 and its spreads not 1, and that is right: the numbers describe
# *all* of ImageNet. Were every image normalised by its own, night and noon would look alike.
#
# To show a normalised image, go back first. `denormalise` undoes it to the last pixel:

# %%
back = images.denormalise(normal)
titles = ["normalised, shown as it is", "denormalised"]
show_images([normal.clamp(0, 1), back], titles, suptitle="Go back before you look", size=3)
assert torch.equal(back, cat)

# %% [markdown]
# ## 9. Patches: many windows, no copies
#
# A sliding-window detector (notebook 14) looks through a small window at every place of the image. Cutting ten thousand windows sounds expensive. It
# is free, if you only change the strides. `unfold(axis, size, step)` slides along one axis and puts each window into a new last axis:

# %%
row = torch.tensor([10, 11, 12, 13, 14])
print("size 2, step 1:", row.unfold(0, 2, 1).tolist())
print("size 2, step 2:", row.unfold(0, 2, 2).tolist(), "(the 14 fills no window)")

# %% [markdown]
# How many windows? The first starts at 0 and the last at `length - size`, so there are (length - size) // step + 1. Here (5 - 2) // 2 + 1 = 2. This formula
# returns in every convolution of the course.
#
# ### Exercise: patches
# *difficulty 3 of 5 · importance 4 of 5 · about 15 minutes*
#
# Unfold along the height, then along the width, then sort the axes: first which patch (row, column), then the little image itself.


# %% exercise="01.patches"
def patches(image: Tensor, size: int, stride: int) -> Tensor:
    """(C, H, W) -> (rows, columns, C, size, size): [r, c] starts in row r * stride, column c * stride."""
    ### BEGIN SOLUTION
    windows = image.unfold(1, size, stride).unfold(2, size, stride)  # (C, rows, columns, size, size)
    return windows.permute(1, 2, 0, 3, 4)
    ### END SOLUTION


patches = check("01.patches", patches)

# %%
small = cat[:, ::2, ::2]  # every second pixel
cut = patches(small, size=32, stride=32)
show_patches(cut, title="150 x 225 pixels in patches of 32 x 32")

# %% [markdown]
# Now densely: a window of 32 at *every* pixel. If each were copied, how much memory would that be?

# %%
dense = patches(small.contiguous(), size=32, stride=1)
copied, stored = dense.numel(), dense.untyped_storage().nbytes()
print(f"{dense.shape[0] * dense.shape[1]:,} windows")
print(f"{copied:,} bytes if copied, {stored:,} stored: {copied / stored:.0f} times less")
assert stored == small.numel()

# %% [markdown]
# ## 10. PNG keeps, JPEG forgets
#
# A **PNG** file is **lossless** (무손실): what you load is what was saved. A **JPEG** is **lossy** (손실): it throws away what eyes hardly see,
# above all fine detail and colour, in blocks of 8x8 pixels. What does that cost, and what does it save?

# %%
predict(
    "01.q6",
    "We save the cat as a JPEG of quality 95. How many of its numbers come back exactly?",
    ["all", "9 of 10", "about half", "fewer than a third"],
)

# %%
print("              bytes   exact   mean error   worst")
print(f"in memory  {cat.numel():>8,}")
for kind, quality in (("png", 90), ("jpeg", 95), ("jpeg", 75), ("jpeg", 20)):
    file = images.encode(cat, kind, quality)
    error = (images.decode(file).int() - cat.int()).abs()
    name = kind if kind == "png" else f"{kind} {quality}"
    exact, mean_error = (error == 0).float().mean(), error.float().mean()
    print(f"{name:<9}  {len(file):>8,}  {exact:>6.0%}  {mean_error:>11.2f}  {error.max():>6}")

# %%
error = (images.decode(images.encode(cat, "jpeg", 95)).int() - cat.int()).abs()
exact = (error == 0).float().mean()
right = 3 if exact < 1 / 3 else 2
reveal("01.q6", answer=right, because=f"Measured: {exact:.0%}. Most are off by 1 or 2 of 255.")
band("JPEG 95: mean error, of 255", error.float().mean(), at_least=0.1, at_most=4)
assert torch.equal(images.decode(images.encode(cat, "png")), cat), "PNG gives back every pixel"

# %%
jpeg20 = images.decode(images.encode(cat, "jpeg", 20))
show_jpeg(cat[:, 85:145, 120:200], jpeg20[:, 85:145, 120:200])

# %% [markdown]
# Quality 20 needs less than a twentieth of PNG's bytes, and you begin to see the blocks. So what does one use?
#
# - **Photographs**: JPEG of 90 to 95. Networks hardly notice.
# - **Masks, labels, screenshots, anything whose numbers *mean* something**: PNG, always. A mask of the classes 0, 10 and 20 saved as JPEG comes back with
#   values that are no class at all. See for yourself:

# %%
mask = torch.zeros(3, 64, 64, dtype=torch.uint8)
mask[:, 20:44, 14:50] = 20  # "class 20"
mask[:, 30:60, 30:60] = 10
for kind in ("png", "jpeg"):
    loaded = images.decode(images.encode(mask, kind, 75))
    print(f"{kind:>4}: classes", loaded.unique().tolist())

# %% [markdown]
# ## 11. Device: where the numbers live
#
# A tensor lies in the memory of the CPU or of a GPU (그래픽 처리 장치), and both operands must lie in the same. `.to(device)` copies it across.
# The line below is all that the notebooks need to run on either:

# %%
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
moved = cat.to(device)
normal = normalise(moved, mean.to(device), std.to(device))
print("on", moved.device, "the mean of the normalised cat is", round(normal.mean().item(), 4))

# %%
many = torch.rand(at(smoke=200, quick=1000, full=1000), 2, device=device)


def distances_and_wait():
    result = pairwise_distance(many, many)
    if device.type == "cuda":
        torch.cuda.synchronize()  # a GPU answers before it has finished: wait, or you time nothing
    return result


here = seconds(distances_and_wait)
on_cpu = seconds(pairwise_distance, many.cpu(), many.cpu())
print(f"{len(many) ** 2:,} distances on {device.type}: {here * 1000:.2f} ms")
print(f"on the CPU: {on_cpu * 1000:.2f} ms, {on_cpu / here:.1f} times as long")

# %% [markdown]
# Without a GPU both numbers are the CPU's, and the ratio is near 1. With one, compare 1000 points with 10:
# for a handful of numbers the GPU loses, because giving it the order takes longer than doing the work.
#
# ## Summary
#
# - A tensor is one long row of memory, a shape and strides. `permute`, slices, `expand` and `unfold` change only the strides: **views**. Writing into a view
#   writes into the original.
# - An image is uint8, 0 black to 255 white, and **wraps around**; compute in a wider dtype, clamp, come back.
# - Know four things of every image before it meets a network: **HWC or CHW, RGB or BGR, 0..255 or 0..1, normalised or not**. None of them raises an error.
# - Broadcasting aligns shapes at the right; `None` makes the axis that is missing. `a[:, None]` against `b[None]` is every pair.
# - Masks and labels are PNG. Photographs may be JPEG.
#
# ### Do you still know?
#
# <details><summary>A tensor of shape (4, 6, 3) is permuted to (3, 4, 6). How many bytes are copied?</summary>
#
# None. Only shape and strides change: (18, 3, 1) becomes (1, 18, 3).
# </details>
#
# <details><summary>Your network was trained on RGB and gets BGR. Which error message do you see?</summary>
#
# None. It runs, and it is worse. That is why it is checked by looking at one image, or at the channels' means.
# </details>
#
# <details><summary>Shapes (8, 1, 5) and (7, 1): what comes out?</summary>
#
# Aligned at the right: 5 against 1 gives 5, 1 against 7 gives 7, 8 against nothing gives 8. So (8, 7, 5).
# </details>
#
# <details><summary>Why does make_batch pad at the right and at the bottom, and not all around?</summary>
#
# The top left corner stays at (0, 0), so all box coordinates stay as they are.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message | what happened |
# |---|---|
# | `The size of tensor a (451) must match the size of tensor b (3) at non-singleton dimension 2` | broadcasting aligned at the right: you wanted `[:, None, None]` |
# | `mean(): could not infer output dtype ... Got: Byte` | no mean of uint8: `image.float().mean()` |
# | `view size is not compatible with input tensor's size and stride` | the tensor is a permuted view: `reshape`, or `contiguous()` first |
# | `stack expects each tensor to be equal size` | images of different sizes: `make_batch` |
# | `Expected all tensors to be on the same device` | one is on the GPU and one is not: `.to(device)` for both |
# | `Invalid shape (3, 300, 451) for image data` | matplotlib wants HWC: `image.permute(1, 2, 0)` |
#
# ### Where to read more
#
# - [NumPy: broadcasting](https://numpy.org/doc/stable/user/basics.broadcasting.html), the rule in its own words
# - [PyTorch: tensor views](https://docs.pytorch.org/docs/stable/tensor_view.html), the list of what shares memory
# - `coursekit/images.py`: the functions of this notebook as the course uses them, with their edge cases
#
# **Next**: 02 asks how wrong a network is, as one number.
