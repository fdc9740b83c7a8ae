# %% [markdown]
# # 07 · Convolution: one small window, everywhere
#
# A cat stays a cat when it walks to the left. The network of 05 does not know that: it has a weight for every pixel, and a digit that moves by two
# pixels meets weights that never saw it. This notebook builds the layer that knows. It looks through one small window, with the same few numbers, at
# every place of the image. Everything in the course that sees is made of it.
#
# | you will learn | you will build |
# |---|---|
# | convolution in one dimension and in two, worked by hand | `conv2d_loops` |
# | stride, padding, dilation, and what happens at the border | `output_size` |
# | that a kernel is a filter, and that nobody designs it: it is learned | |
# | channels in, channels out, and where the parameters are | `conv2d`, for whole batches, without a loop |
# | pooling: what it keeps when the image moves, and what it loses | `max_pool2d` |
# | how much of the image one number sees, computed and measured | `receptive_field` |
# | LeNet, trained on digits and on traffic signs | a network from another library, repaired |
#
# **Time** about 20 seconds of computing on two CPU cores; about three hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you know tensors and their axes (01), the training loop (05), and how to read a confusion matrix (06).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("07_convolution")

# %%
import time

import numpy as np
import torch
import torch.nn.functional as F
from skimage import data
from torch import Tensor, nn
from torch.nn.functional import pad

from coursekit.data.labelled import Labelled, labelled_images
from coursekit.metrics.classification import confusion_matrix
from coursekit.models.convolution import avg_pool2d, conv1d, conv2d_by_planes, input_gradient, named_kernel
from coursekit.models.layers import Pixels
from coursekit.models.lenet import LeNet, channels_last_weights, paper_parameters, shapes_of
from coursekit.plots.classification import show_confusion_matrix
from coursekit.plots.convolution import show_field, show_maps, show_network
from coursekit.plots.convolution import show_signals, show_steps, show_taps
from coursekit.plots.images import show_images
from coursekit.plots.kernels import kernel_editor, show_kernels
from coursekit.plots.seeds import show_seeds
from coursekit.training.classifier import batches, evaluate, fit_classifier
from coursekit.training.device import choose_device

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>01: A row has 7 pixels. How many windows of 3 does <code>row.unfold(0, 3, 1)</code> find, and how many does <code>row.unfold(0, 3, 2)</code>?</summary>
#
# (7 - 3) // 1 + 1 = 5, and (7 - 3) // 2 + 1 = 3. You will meet this formula again in a minute.
# </details>
#
# <details><summary>05: Before the real training you let a network learn one batch by heart, and its loss stays high. More data, or a bug?</summary>
#
# A bug. Ten images can be learned by heart by any network that works. More data would only hide it.
# </details>
#
# <details><summary>06: In a confusion matrix with rows for the truth and columns for the answer, the row "3" reads 25 right and 5 under "8". What is that?</summary>
#
# Of 30 threes 25 were found: a recall (재현율) of 25 / 30 = 0.83. Five were taken for an eight. It says nothing about the eights taken for a three; those stand in
# another row.
# </details>
#
# ## 1. A window slides along a signal
#
# Begin with one row of numbers: the temperature of five days. To smooth it, replace each number by the mean of itself and its two neighbours. That is a
# **moving average** (이동 평균), and it is a convolution already. The three weights, each 1/3, are the **kernel** (커널), also called a **filter** (필터).
#
# | window of 2, 4, 6, 2, 0 | times the kernel | sum |
# |---|---|---|
# | **2, 4, 6**, 2, 0 | 2/3 + 4/3 + 6/3 | **4** |
# | 2, **4, 6, 2**, 0 | 4/3 + 6/3 + 2/3 | **4** |
# | 2, 4, **6, 2, 0** | 6/3 + 2/3 + 0/3 | **2.67** |
#
# Multiply, add, take a step, repeat. Five numbers went in and three came out, because the window has only three places.

# %%
temperature = torch.tensor([2.0, 4.0, 6.0, 2.0, 0.0])
average = torch.tensor([1.0, 1.0, 1.0]) / 3
for i in range(3):
    window = temperature[i : i + 3]
    print(f"place {i}: {window.tolist()} -> {(window * average).sum():.2f}")

# %% [markdown]
# Other numbers in the kernel, another question asked. The kernel -1, 0, 1 takes the right neighbour minus the left one: it asks *does it rise here?*

# %%
predict(
    "07.q1",
    "The kernel -1, 0, 1 slides over 1, 1, 1, 5, 5, 5. What comes out?",
    ["1, 1, 5, 5", "0, 0, 4, 0", "0, 4, 4, 0", "0, 4, 0, 0"],
)

# %%
rise = torch.tensor([-1.0, 0.0, 1.0])
found = conv1d(torch.tensor([1.0, 1, 1, 5, 5, 5]), rise)  # the same loop as above, as a function
reveal("07.q1", answer=2, because=f"{found.tolist()}: silent where it is flat, and two windows straddle the step.")
assert found.tolist() == [0, 4, 4, 0]

# %% [markdown]
# So this kernel finds an **edge** (에지): a place where the signal jumps. What comes out is called a **feature map** (특징 맵): a map of where the feature is. On a
# noisy signal the edge finder alone fires everywhere. Smooth first, then look for edges: two kernels, one after the other.

# %%
generator = torch.Generator().manual_seed(7)
steps_up = torch.cat([torch.full((40,), 1.0), torch.full((40,), 3.0), torch.full((40,), 2.0)])
noisy = steps_up + torch.randn(120, generator=generator) * 0.35
smooth = conv1d(noisy, torch.ones(9) / 9)  # 112 numbers
edges = conv1d(smooth, torch.tensor([-1.0, -1, -1, 0, 1, 1, 1]) / 3)  # 106 numbers
signals = {"noisy": noisy, "rise, right away": conv1d(noisy, rise), "moving average of 9": smooth, "rise of the average": edges}
starts = {"rise, right away": 1, "moving average of 9": 4, "rise of the average": 7}
show_signals(signals, "A moving average, then an edge finder", starts)

# %%
highest = edges.argmax().item() + 7  # window number 0 has its middle at place 4 + 3
print(f"the signal rises at place 40; the map is highest at place {highest}")  # the average smears a step over 9 places
band("distance of the highest place from the step", abs(highest - 40), at_most=4)

# %% [markdown]
# ## 2. The same in two dimensions
#
# An image has two axes, so the kernel has two as well: here 3 rows and 3 columns. It lies on the image, every number meets the pixel below it, nine products are added, and one
# number comes out. Work it out before you run the cell: 4x4 pixels, and a kernel that asks *is it brighter on the right than on the left?*
#
# | image | | | | | kernel | | |
# |---|---|---|---|---|---|---|---|
# | 1 | 1 | 5 | 5 | | -1 | 0 | 1 |
# | 1 | 1 | 5 | 5 | | -1 | 0 | 1 |
# | 1 | 1 | 5 | 5 | | -1 | 0 | 1 |
# | 1 | 1 | 1 | 1 | | | | |
#
# Top left window: the right column holds 5 + 5 + 5 = 15, the left one 1 + 1 + 1 = 3. So 15 - 3 = **12**. One row lower the right column is 5 + 5 + 1 = 11, so 11 - 3 = **8**:
# the edge ends there.

# %%
image = torch.tensor([[1.0, 1, 5, 5], [1, 1, 5, 5], [1, 1, 5, 5], [1, 1, 1, 1]])
kernel = torch.tensor([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])
show_steps(image, kernel, "Lay the kernel on, multiply, add")

# %% [markdown]
# The map is 2x2: the window has two places in each direction. It is large where the image *looks like the kernel*, dark left and bright right. Remember this sentence. It is the
# whole idea of a filter.
#
# ### Convolution or cross-correlation?
#
# What is the answer to a single bright point? Slide the kernel 1, 2, 3 over 0, 0, 1, 0, 0.

# %%
predict("07.q2", "The kernel 1, 2, 3 slides over 0, 0, 1, 0, 0. What comes out?", ["1, 2, 3", "3, 2, 1", "0, 2, 0", "6, 6, 6"])

# %%
point = torch.tensor([0.0, 0, 1, 0, 0])
counting = torch.tensor([1.0, 2, 3])
print("ours            ", conv1d(point, counting).tolist())
print("torch           ", F.conv1d(point[None, None], counting[None, None]).flatten().tolist())
print("numpy correlate ", np.correlate(point, counting, mode="valid").tolist())
print("numpy convolve  ", np.convolve(point, counting, mode="valid").tolist())

# %%
reveal("07.q2", answer=1, because="the point meets the last tap first: 3, then 2, then 1. The kernel comes out reversed.")
assert torch.equal(conv1d(point, counting), F.conv1d(point[None, None], counting[None, None]).flatten())

# %% [markdown]
# In mathematics, **convolution** (합성곱) turns the kernel around first, so that a point answers with the kernel as it is. What we do, and what every deep-learning library
# does under the name "convolution", is **cross-correlation** (교차 상관): no turning.
#
# Nobody cares, for one reason: the numbers in the kernel are *learned*. With the flip, a network would simply learn the kernel turned around. You have to care in one case: when you
# copy kernels by hand from a book on signal processing.
#
# ## 3. Stride, padding, dilation
#
# Three knobs decide where the window stands.
#
# - **Stride** (보폭, 스트라이드): how many pixels from one place to the next. Stride 2 gives half as many numbers.
# - **Padding** (패딩): pixels added around the image, so that the window may hang over the edge. Usually zeros.
# - **Dilation** (팽창): the step from tap to tap. A kernel of 3 with dilation 2 looks at pixels 0, 2 and 4: three weights, and they reach over five pixels.
#
# In each panel a row of squares is one number of the output, and the squares stand on the pixels it looks at. The hatched part is padding.

# %%
knobs = {"stride 1": {}, "stride 2": {"stride": 2}, "padding 1": {"padding": 1}, "dilation 2": {"dilation": 2}}
show_taps(knobs, size=8, kernel=3, title="8 pixels, a kernel of 3: which pixels each number sees")

# %% [markdown]
# How many numbers come out? It is the formula of `unfold` in 01, with two additions. Padding p makes the line 2p longer. Dilation d stretches a kernel of k taps over
# d · (k - 1) + 1 pixels.
#
# By hand, the panel with stride 2: the first window starts at pixel 0, the last may start at pixel 8 - 3 = 5. Steps of 2 from 0 to 5: two of them (2, 4), and one pixel is left over. So 5 // 2 + 1 = **3**.
#
# ### Exercise: output_size
# *difficulty 2 of 5 · importance 5 of 5 · about 10 minutes*
#
# | size | kernel | stride | padding | dilation | numbers |
# |---|---|---|---|---|---|
# | 8 | 3 | 2 | 0 | 1 | 3 |
# | 8 | 3 | 1 | 1 | 1 | 8: "same" padding |
# | 8 | 3 | 1 | 0 | 2 | 4 |
# | 4 | 5 | 1 | 0 | 1 | 0: it fits nowhere |


# %% exercise="07.output_size"
def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many places a window has along one axis: a whole number, and 0 where it fits nowhere."""
    ### BEGIN SOLUTION
    reach = dilation * (kernel - 1) + 1  # pixels from the first tap to the last
    steps = (size + 2 * padding - reach) // stride
    return max(0, steps + 1)
    ### END SOLUTION


output_size = check("07.output_size", output_size)  # yours once it passes, ours until then

# %%
print("32 pixels, kernel 5           :", output_size(32, 5))
print("32 pixels, kernel 5, padding 2:", output_size(32, 5, padding=2))
assert output_size(32, 5) == 28, "the first layer of LeNet: 32x32 becomes 28x28"

# %% [markdown]
# ### What happens at the border?
#
# Padding with zeros means: *beyond the edge everything is black.* Take a white wall, all nines, and blur it (each number becomes the mean of the nine around it).

# %%
predict("07.q3", "A wall of nines is blurred with padding 1, zeros. What stands in its corner?", ["9", "6", "4", "0"])

# %%
wall = torch.full((1, 1, 4, 5), 9.0)
blur = named_kernel("blur")[None, None]
for mode in ("constant", "reflect"):
    print(f"padding {mode}:")
    print(F.conv2d(pad(wall, (1, 1, 1, 1), mode=mode), blur)[0, 0].round(decimals=2))

# %%
reveal("07.q3", answer=2, because="in the corner only 4 of the 9 pixels are wall: 4 · 9 / 9 = 4. On an edge it is 6.")

# %% [markdown]
# The wall seems to have a dark frame. **Reflecting** padding copies the image as in a mirror instead, and the wall stays white. On a photograph, an edge finder sees the
# black beyond the edge as an edge of its own:

# %%
photo = torch.from_numpy(data.camera()[::2, ::2].copy())  # (256, 256) uint8
scene = photo[None, None] / 255
sobel = named_kernel("sobel_x")[None, None]
zeros, mirror = (F.conv2d(pad(scene, (1, 1, 1, 1), mode=mode), sobel)[0, 0] for mode in ("constant", "reflect"))
corners = {"zeros around": zeros[:40, :40], "mirrored": mirror[:40, :40]}
show_maps(corners, "Top left corner of the sky: the border fires", size=2.4, limits=(0, 2))

# %%
left, left_mirror = zeros[:, 0].mean(), mirror[:, 0].mean()
print(f"mean of the left column: zeros {left:.2f}, mirrored {left_mirror:.2f}")
band("left column, zeros minus mirrored", left - left_mirror, at_least=0.5)

# %% [markdown]
# Networks use zeros nearly always: it is cheap, and they learn to live with it, even to use it as a sign of where the border is. You will meet the price in 14, where a padded network gives other answers to
# a crop than to the whole image.
#
# ### Exercise: conv2d_loops
# *difficulty 2 of 5 · importance 5 of 5 · about 15 minutes*
#
# One channel, one kernel, two loops. Sizes are computed and the image is padded; the windows are yours. Image and kernel need not be square.
#
# | with the image and the kernel of section 2 | gives |
# |---|---|
# | stride 1, padding 0 | 12, 12 / 8, 8 |
# | stride 2, padding 0 | 12 |
# | stride 2, padding 1 | 2, 8 / 3, 8 |


# %% exercise="07.conv2d_loops"
def conv2d_loops(image: Tensor, kernel: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """(H, W) image, (h, w) kernel -> (rows, columns): lay the kernel on as it is, multiply, add; zeros around the image."""
    height, width = kernel.shape
    rows = output_size(image.shape[0], height, stride, padding)
    columns = output_size(image.shape[1], width, stride, padding)
    padded = pad(image, (padding, padding, padding, padding))  # left, right, top, bottom
    result = torch.zeros(rows, columns)
    ### BEGIN SOLUTION
    for y in range(rows):
        for x in range(columns):
            top, left = y * stride, x * stride
            window = padded[top : top + height, left : left + width]
            result[y, x] = (window * kernel).sum()
    ### END SOLUTION
    return result


conv2d_loops = check("07.conv2d_loops", conv2d_loops)

# %%
print(conv2d_loops(image, kernel))
print(conv2d_loops(image, kernel, stride=2, padding=1))

# %% [markdown]
# Stuck? `hint("07.conv2d_loops")` helps a little, and a little more each time. `solution("07.conv2d_loops")` shows ours.
#
# ✂ *50 minutes*
#
# ## 4. A kernel is a filter, white where it fires
#
# Now a photograph. Long before networks, people drew kernels by hand: **blur** (mean of nine), **sharpen** (the pixel, minus what its neighbours say), and the two of **Sobel**
# (1968), which answer to edges that stand and to edges that lie. Your own loops do the work, on the cameraman's head:

# %%
head = photo[20:100, 70:150] / 255  # (80, 80), 0 is black and 1 is white
names = ["blur", "sharpen", "sobel_x", "sobel_y"]
maps = {name: conv2d_loops(head, named_kernel(name)) for name in names}
show_maps({"the photograph": head, **maps}, "Your conv2d_loops, four kernels", columns=5, size=2.2, limits=(0, 1))

# %% [markdown]
# All panels have the same scale: black is 0 or less, white is 1 or more. A map is **white where the kernel fires**: where the image looks like it. `sobel_x` is dark left and bright right,
# so it fires where the picture turns from dark to bright, and is black (negative) where it turns from bright to dark.
#
# Change the nine numbers. Three things to try:
#
# 1. Turn the signs of `sobel_x`. Which edges are white now?
# 2. Begin with `blur` and make the numbers add up to 2, then to 0.
# 3. Find a kernel that fires on bright lines, one pixel wide, that run down to the right.

# %%
kernel_editor(photo)

# %% [markdown]
# <details><summary>What we found</summary>
#
# 1. The others: from bright to dark. One kernel sees one direction only; a network keeps both.
# 2. The sum is what an even surface is multiplied by. At 2 it is twice as bright; at 0 an even surface turns black, and only changes are left.
# 3. It must look like what it seeks: 2 on the falling diagonal, -1 elsewhere. The sum is 0, so an even surface stays black.
# </details>
#
# ### Nobody designs them: a kernel is learned
#
# > **Myth**: *"the kernels of a network are designed by hand: edges in the first layer, corners in the second."*
#
# Here is an experiment. We show a layer of nine random numbers a picture, and beside it what Sobel's kernel makes of it. Nobody tells it the nine numbers, or what an edge is. It has a loss, a gradient, and
# the optimiser of 03.

# %%
predict(
    "07.q4",
    "Gradient descent fits 9 random numbers to pairs of (picture, Sobel's answer). Where do they end?",
    ["at some other kernel that happens to do", "at Sobel's numbers", "at Sobel's numbers, turned around", "at zero"],
)

# %%
texture = torch.from_numpy(data.grass()[:128, :128].copy())[None, None] / 255
texture = (texture - texture.mean()) / texture.std()
wanted = F.conv2d(texture, sobel)
torch.manual_seed(0)
layer = nn.Conv2d(1, 1, 3, bias=False)
random_start = layer.weight.detach()[0, 0].clone()
optimiser = torch.optim.Adam(layer.parameters(), lr=0.05)
for _ in range(at(smoke=2, quick=300, full=300)):
    loss = F.mse_loss(layer(texture), wanted)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()

# %%
learned = layer.weight.detach()[0, 0]
three = {"at the start": random_start, "learned": learned, "Sobel's, never shown": named_kernel("sobel_x")}
show_kernels(three, "Nine numbers, found by gradient descent", size=2.0)

# %%
off = (learned - named_kernel("sobel_x")).abs().max()
reveal("07.q4", answer=1, because=f"off by {off:.4f} at most. 9 unknowns, {wanted.numel():,} equations: only one kernel fits them all.")
band("learned kernel against Sobel's: largest difference", off, at_most=0.05)

# %% [markdown]
# In a network nobody gives the answer of each kernel either. Only the loss at the very end pulls, and the kernels become whatever lowers it. In section 8 you will see which ones LeNet found.
#
# ## 5. Channels: every kernel is as deep as its input
#
# A colour image has three **channels** (채널), so a kernel for it has three layers of numbers, one for each. All products of all channels are added into *one* number. Two channels, a kernel of 1x1 for
# each, the smallest example there is:
#
# | | channel 0 | channel 1 | |
# |---|---|---|---|
# | a pixel | 1 | 10 | |
# | the kernel there | 1 | 2 | |
# | product | 1 | 20 | sum **21** |
#
# To get several maps, take several kernels. Each makes one **output channel**, with one more number added everywhere: its **bias** (편향). So the weight of a layer has four axes:
#
# **(channels out, channels in, height, width)**
#
# Count the **parameters** (매개변수) of a layer that turns 3 channels into 64 with kernels of 3x3:

# %%
predict("07.q5", "3 channels in, 64 channels out, kernels of 3x3. How many weights, without the biases?", ["9", "192", "576", "1,728"])

# %%
layer = nn.Conv2d(3, 64, 3)
weights, biases = layer.weight.numel(), layer.bias.numel()
print("weight", tuple(layer.weight.shape), "=", weights, "numbers; bias", tuple(layer.bias.shape), "=", biases)

# %%
reveal("07.q5", answer=3, because="64 kernels, each 3 deep and 3x3: 64 · 3 · 3 · 3 = 1,728. 576 forgets that a kernel is 3 deep.")
assert (weights, biases) == (1728, 64)

# %% [markdown]
# Look at what is *not* in this product: the size of the image. The same 1,792 numbers work on 32x32 and on 4000x3000. That is **weight sharing** (가중치 공유). How much does it save? LeNet's first layer on a colour
# image turns 32x32x3 into 28x28x6:

# %%
numbers_in, numbers_out = 3 * 32 * 32, 6 * 28 * 28
print(f"convolution     : 6 · 3 · 5 · 5 + 6 = {6 * 3 * 5 * 5 + 6:,} parameters")
print(f"fully connected : {numbers_in:,} · {numbers_out:,} + {numbers_out:,} = {numbers_in * numbers_out + numbers_out:,} parameters")

# %% [markdown]
# The fully connected layer could learn everything that the convolution can. It would have to learn it 784 times, once for each place, from examples of each place.
#
# ### Without loops: a table of windows
#
# Loops in Python are slow, as 01 measured. The trick that made convolution fast is called **im2col** (image to columns): write every window as one *row* of a table, every kernel as one
# *column*, and let one matrix product do everything. For 3x32x32 and six kernels of 5x5, in shapes:
#
# | step | shape |
# |---|---|
# | image | (1, 3, 32, 32) |
# | `unfold(2, 5, 1)`, `unfold(3, 5, 1)`: a view, as in 01 | (1, 3, **28, 28**, 5, 5) |
# | places together, then what one window holds | (1, **28 · 28**, 3 · 5 · 5) = (1, 784, 75) |
# | six kernels as columns | (75, 6) |
# | product: every window with every kernel | (1, 784, 6) |
# | channels forward, places back into a grid | (1, 6, 28, 28) |
#
# On nine numbers you can check it by eye. A 3x3 image has four windows of 2x2:

# %%
nine = torch.arange(9.0).reshape(1, 1, 3, 3)
seen = nine.unfold(2, 2, 1).unfold(3, 2, 1)
print(nine[0, 0])
print("shape", tuple(seen.shape), "-> a table of 4 windows, 4 numbers each:")
print(seen.permute(0, 2, 3, 1, 4, 5).reshape(4, 4))

# %% [markdown]
# ### Exercise: conv2d
# *difficulty 4 of 5 · importance 4 of 5 · about 25 minutes*
#
# The layer as the whole field uses it: a batch, channels in and out, a bias, stride and padding. No loop. The table above is your plan. Two axes need care: the order inside a row of the table (channel, row, column, as
# in `weight.flatten(1)`), and the way back from (N, places, O).


# %% exercise="07.conv2d"
def conv2d(images: Tensor, weight: Tensor, bias: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """(N, C, H, W) images, (O, C, h, w) weight, (O,) bias -> (N, O, rows, columns)."""
    kernels, _, height, width = weight.shape
    ### BEGIN SOLUTION
    padded = pad(images, (padding, padding, padding, padding))
    seen = padded.unfold(2, height, stride).unfold(3, width, stride)  # (N, C, rows, columns, h, w)
    count, _, rows, columns = seen.shape[:4]
    table = seen.permute(0, 2, 3, 1, 4, 5).reshape(count, rows * columns, -1)  # a window a row
    product = table @ weight.flatten(1).T  # (N, rows * columns, O)
    maps = product.transpose(1, 2).reshape(count, kernels, rows, columns)
    return maps + bias[:, None, None]
    ### END SOLUTION


conv2d = check("07.conv2d", conv2d)

# %%
generator = torch.Generator().manual_seed(1)
colour = torch.rand(1, 3, 32, 32, generator=generator)
weight, bias = torch.randn(6, 3, 5, 5, generator=generator) / 9, torch.randn(6, generator=generator)
maps = conv2d(colour, weight, bias)
print(tuple(colour.shape), "->", tuple(maps.shape))
assert maps.shape == (1, 6, 28, 28), "32x32x3 becomes 28x28x6"

# %% [markdown]
# ### Is it right, and is it fast?
#
# Equal to torch on forty random settings, and then the three ways beside each other on one small image. `conv2d_by_planes` of our package is the readable definition: `conv2d_loops` for every pair of an
# input and an output channel, added up.

# %%
worst = 0.0
for _ in range(at(smoke=3, quick=40, full=40)):
    n, into, out, h, w, stride = torch.randint(1, 4, (6,), generator=generator).tolist()
    how = (stride, int(torch.randint(0, 3, (), generator=generator)))  # stride and padding
    batch = torch.randn(n, into, 9, 11, generator=generator)
    some_weight, some_bias = torch.randn(out, into, h, w, generator=generator), torch.randn(out, generator=generator)
    ours, theirs = conv2d(batch, some_weight, some_bias, *how), F.conv2d(batch, some_weight, some_bias, *how)
    worst = max(worst, (ours - theirs).abs().max().item())
band("our conv2d against torch's: largest difference", worst, at_most=1e-5)

# %%
predict(
    "07.q6",
    "One image of 3x32x32, six kernels of 5x5. How many times faster than the loops is the table of windows?",
    ["2 times", "10 times", "more than 100 times"],
)


# %%
def milliseconds(function, *arguments, repeats=20):
    """The best of several runs: other programs can only make it slower, never faster."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        function(*arguments)
        times.append((time.perf_counter() - began) * 1000)
    return min(times)


# %%
cost = {
    "loops": milliseconds(conv2d_by_planes, colour, weight, bias, repeats=1),
    "table of windows": milliseconds(conv2d, colour, weight, bias),
    "torch": milliseconds(F.conv2d, colour, weight, bias),
}
for name, ms in cost.items():
    print(f"{name:>16}: {ms:8.3f} ms")
torch.testing.assert_close(conv2d_by_planes(colour, weight, bias), maps, rtol=1e-4, atol=1e-4)

# %%
ratio = cost["loops"] / cost["table of windows"]
reveal("07.q6", answer=2 if ratio >= 100 else 1 if ratio >= 5 else 0, because=f"measured here: {ratio:.0f} times.")
band("the table against the loops, times faster", ratio, at_least=20)

# %% [markdown]
# The table has a price: each pixel is copied into up to 25 windows. Torch's own code mostly gets by without it, and is faster still.
#
# ✂ *50 minutes*
#
# ## 6. Pooling: let go of the exact place
#
# After a convolution we know *where* a feature is, to the pixel. To tell a 3 from an 8 that is more than we need. **Pooling** (풀링) makes the map smaller by keeping one number of each window: the largest
# (**max pooling**) or the mean (**average pooling**). By hand, windows of 2x2, side by side:
#
# | map | | | | | max | | | mean | |
# |---|---|---|---|---|---|---|---|---|---|
# | 1 | 3 | 2 | 0 | | 5 | 2 | | 2.75 | 1 |
# | 5 | 2 | 1 | 1 | | 1 | 8 | | 0.25 | 5.5 |
# | 0 | 0 | 7 | 4 | | | | | | |
# | 0 | 1 | 3 | 8 | | | | | | |
#
# Nothing is learned here, and each channel is pooled for itself. The size follows `output_size` again; a rest that fills no window is left out.
#
# ### Exercise: max_pool2d
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# Windows may overlap (3x3 every 2 pixels is what AlexNet does in 09), and all numbers may be below zero. `unfold` once more, then the largest over two axes at once.


# %% exercise="07.max_pool2d"
def max_pool2d(images: Tensor, kernel: int, stride: int) -> Tensor:
    """(N, C, H, W) -> (N, C, rows, columns): the largest number of each kernel x kernel window."""
    ### BEGIN SOLUTION
    seen = images.unfold(2, kernel, stride).unfold(3, kernel, stride)  # (N, C, rows, columns, kernel, kernel)
    return seen.amax(dim=(4, 5))
    ### END SOLUTION


max_pool2d = check("07.max_pool2d", max_pool2d)

# %%
by_hand = torch.tensor([[1.0, 3, 2, 0], [5, 2, 1, 1], [0, 0, 7, 4], [0, 1, 3, 8]])[None, None]
print("max ", max_pool2d(by_hand, 2, 2)[0, 0].tolist())
print("mean", avg_pool2d(by_hand, 2)[0, 0].tolist())

# %% [markdown]
# ### What one pixel does
#
# Two hundred handwritten digits, enlarged to 32x32. We look for standing edges, then move every digit by **one pixel** to the right and look again. How much of the map changes, and how much of what pooling
# left over?

# %%
predict(
    "07.q7",
    "All digits move by one pixel. Which changes least, compared with its own size?",
    ["the edge map itself", "the map, max pooled by 2", "the map, max pooled by 4"],
)

# %%
digits = labelled_images("digits", "train", size=32)
some = digits.images[: at(smoke=20, quick=200, full=200)] / 255  # (200, 1, 32, 32)
standing, moved = (torch.relu(F.conv2d(x, sobel)) for x in (some, some.roll(1, dims=3)))


def change(before, after):
    """How far apart two maps are, measured by the length of the first."""
    return ((after - before).norm() / before.norm()).item()


# %%
changes = {"the map itself": change(standing, moved)}
for side in (2, 4):
    changes[f"max pooled by {side}"] = change(max_pool2d(standing, side, side), max_pool2d(moved, side, side))
for name, value in changes.items():
    print(f"{name:>16}: changed by {value:.0%}")

# %%
least = min(changes, key=changes.get)
raw = changes["the map itself"]
reveal("07.q7", answer=list(changes).index(least), because=f"{least}: {changes[least]:.0%}, against {raw:.0%} without pooling.")
band("change of the map, minus change after pooling by 4", raw - changes["max pooled by 4"], at_least=0.1)

# %%
one, other = standing[3, 0], moved[3, 0]
pooled = [max_pool2d(x[None, None], 4, 4)[0, 0] for x in (one, other)]
panels = {"edges": one, "moved by one": other, "edges, pooled by 4": pooled[0], "moved, pooled by 4": pooled[1]}
show_maps(panels, "One pixel to the right, before pooling and after it", columns=4, size=2.3)

# %% [markdown]
# Less, not nothing: a stroke that crosses from one window into the next is noticed by pooling too. Each further pooling takes a little more of it away.
#
# And the map itself? It did change by as much as it says, and yet nothing new is in it: it has *moved*, by one pixel.

# %%
apart = (moved[..., 1:] - standing[..., :-1]).abs().max().item()
print("the map of the moved digits against the moved map: largest difference", apart)
assert apart < 1e-5

# %% [markdown]
# There are two words for this, and they are often mixed up.
#
# - A convolution is **equivariant** (등변): move the image, and the map moves *with it*. Nothing is lost.
# - Pooling makes it a little **invariant** (불변): move the image a little, and the answer *nearly stays*. What is lost is where exactly it was.
#
# A classifier likes that. A detector has to say where, so it must not pool too much: remember it in 16, where each object has to find its cell.
#
# ## 7. How far does one number see?
#
# A number in the first map sees 3x3 pixels. A number in the second map, behind another 3x3, sees 3x3 numbers, each of which sees 3x3 pixels, overlapping. Together that is its **receptive field** (수용 영역).

# %%
predict(
    "07.q8",
    "Three convolutions of 3x3, stride 1, one after another. How many pixels wide is the field of one number?",
    ["3", "5", "7", "9", "27"],
)

# %% [markdown]
# Count along one axis. One pixel sees itself: 1. Each layer of 3 adds one pixel on each side: 3, 5, 7.
#
# With a stride it grows faster. Behind a stride of 2, neighbours in the map lie **2 pixels** apart, so a step there is worth two. Behind two of them it is worth four. So carry two numbers along, the *field* and the
# *jump*. Here is LeNet, which you will build in a minute:
#
# | layer | kernel | stride | adds (kernel - 1) · jump | field | jump after it |
# |---|---|---|---|---|---|
# | a pixel | | | | 1 | 1 |
# | convolution | 5 | 1 | 4 · 1 | 5 | 1 |
# | pooling | 2 | 2 | 1 · 1 | 6 | **2** |
# | convolution | 5 | 1 | 4 · 2 | 14 | 2 |
# | pooling | 2 | 2 | 1 · 2 | **16** | **4** |
#
# ### Exercise: receptive_field
# *difficulty 3 of 5 · importance 4 of 5 · about 15 minutes*
#
# The table, as a function: a list of (kernel, stride) from the image on.


# %% exercise="07.receptive_field"
def receptive_field(layers: list[tuple[int, int]]) -> int:
    """[(kernel, stride), ...] from the image on -> pixels along one axis that one number behind them sees; no layer: 1."""
    ### BEGIN SOLUTION
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field
    ### END SOLUTION


receptive_field = check("07.receptive_field", receptive_field)

# %%
three_small = receptive_field([(3, 1)] * 3)
reveal("07.q8", answer=[3, 5, 7, 9, 27].index(three_small), because="1 + 2 + 2 + 2 = 7: the field of one 7x7.")
print(f"weights for each pair of channels: three of 3x3 have {3 * 9}, one of 7x7 has {7 * 7}")

# %% [markdown]
# The same field for about half the weights, and three ReLUs instead of one: that is the argument of VGG (09).
#
# ### Measured, not only computed
#
# Is it true? Ask the gradient. If a pixel can move a number, the derivative of the number with respect to the pixel is not 0. So: random images through LeNet's convolutions, take the number in the middle of the last
# map, go backward *to the image*, and look where the gradient is not 0.

# %%
torch.manual_seed(0)
convolutions = LeNet().features
noise = torch.randn(at(smoke=8, quick=64, full=256), 1, 32, 32, generator=torch.Generator().manual_seed(0))
gradient = input_gradient(convolutions, noise, row=2, column=2)  # (32, 32), added up over the images
touched = (gradient > 0).nonzero()
top_left, bottom_right = touched.amin(dim=0), touched.amax(dim=0) + 1
height, width = (bottom_right - top_left).tolist()
print(f"the gradient reaches from {top_left.tolist()} to {bottom_right.tolist()}: {height} x {width} pixels")

# %%
computed = receptive_field([(5, 1), (2, 2), (5, 1), (2, 2)])
show_field(gradient, (2 * 4, 2 * 4, computed), "Number [2, 2] of LeNet's last map: where it looks")
band("receptive field, measured by the gradient", max(height, width), at_least=computed, at_most=computed)

# %% [markdown]
# Sixteen pixels, starting at pixel 2 · 4 = 8: to the pixel. And something the sum did not say: the middle of the field counts far more than its rim, because more paths lead through it. The *effective* field is smaller
# than the computed one (Luo and others, 2016).
#
# ✂ *50 minutes*
#
# ## 8. LeNet: the first one that read cheques
#
# In 1998 LeCun, Bottou, Bengio and Haffner published **LeNet-5**, which read the amounts on bank cheques. Its plan is still the plan of nearly every network that sees: convolution, activation, pooling, and again; then
# fully connected layers that decide.

# %%
device = choose_device()
torch.manual_seed(0)
model = LeNet().to(device)
shapes = shapes_of(model, digits.images[:1].to(device))
for name, shape in shapes:
    print(f"{name:>10} {shape!s:>14}  {np.prod(shape):>5,} numbers")
assert shapes[1][1] == (6, output_size(32, 5), output_size(32, 5))

# %%
show_network(shapes, "LeNet: resolution falls, depth rises")

# %% [markdown]
# Read it from left to right. The maps get **smaller** (32, 28, 14, 10, 5), and there are **more of them** (1, 6, 16). The first maps answer a *low-level* question, is there an edge here, at every pixel. The last ones answer a *high-level*
# one, is there something like a loop, at 25 places. The network trades *where* for *what*.
#
# ### Where are the parameters?

# %%
predict(
    "07.q9",
    "Which share of LeNet's parameters lies in its two convolutions?",
    ["about 4 %", "about 25 %", "about 50 %", "about 90 %"],
)

# %%
counts = [(type(layer).__name__, sum(p.numel() for p in layer.parameters())) for layer in (*model.features, *model.classifier)]
for name, count in counts:
    if count:
        print(f"{name:>8} {count:>7,}")
total = sum(count for _, count in counts)
in_convolutions = sum(count for name, count in counts if name == "Conv2d")
print(f"   total {total:>7,}")
assert total == 61706

# %%
share = in_convolutions / total
reveal("07.q9", answer=0, because=f"{in_convolutions:,} of {total:,}: {share:.1%}. They see everything and cost next to nothing.")
print("the paper's own count:", paper_parameters(), "=", f"{sum(paper_parameters().values()):,}")

# %% [markdown]
# Why 60,000 there and 61,706 here? Everybody, we too, builds a simpler variant. In the paper each map of the third layer sees only some of the six before it (1,516 instead of 2,416 parameters); its
# pooling has a factor and a bias for each map (12 and 32); and its output compares with little bitmaps drawn by hand, which are not trained (so the 850 of our last layer are missing).
#
# Two things changed since. **Then**: tanh (05) and average pooling. **Now**: ReLU and max pooling. Train both on digits. To help a little, each batch is moved by up to two
# pixels before it is shown: a digit that moves is the same digit. (Notebook 11 is about such help.)

# %%
train, val, test = (labelled_images("digits", split, size=32) for split in ("train", "val", "test"))
train = train[: at(smoke=64, full=len(train))]
print("train", tuple(train.images.shape), "test", tuple(test.images.shape))


def accuracy(network, images):
    """Share of a labelled set that a network gets right."""
    return evaluate(network, batches(images, 256, device=device))["accuracy"]


def nudge(images):
    """A batch, moved by up to two pixels each way."""
    down, right = torch.randint(-2, 3, (2,), generator=dice).tolist()
    return images.roll((down, right), dims=(2, 3))


# %%
networks = {}
for name, modern in (("1998: tanh, mean", False), ("now: ReLU, maximum", True)):
    torch.manual_seed(0)
    dice = torch.Generator().manual_seed(0)
    networks[name] = LeNet(modern=modern).to(device)
    fit_classifier(networks[name], train, epochs=at(smoke=1, quick=16, full=24), lr=0.008, augment=nudge)
    print(f"{name:>19}: {accuracy(networks[name], val):.3f} on validation, {accuracy(networks[name], test):.3f} on test")

# %%
model = networks["now: ReLU, maximum"]
band("LeNet on digits: accuracy on test", accuracy(model, test), at_least=0.98)

# %% [markdown]
# Both read digits. Over four seeds we measured 0.978 to 0.981 for the network of 1998 and 0.989 to 0.993 for the newer one: three digits of 270. In deep networks the bend decides more than that; 08 shows it on the sigmoid.
#
# ### What did it learn to see?
#
# The six kernels of the first layer. Nobody drew them. Grey is 0, white looks for bright and black looks for dark:

# %%
kernels = model.features[0].weight.detach().cpu()[:, 0]  # (6, 5, 5)
show_kernels(kernels, "The six kernels that LeNet found", columns=6, numbers=False)

# %%
example = test.images[3:4].to(device)
with torch.no_grad():
    first = torch.relu(model.features[0](model.pixels(example)))[0]  # (6, 28, 28)
    last = model.features(model.pixels(example))[0]  # (16, 5, 5)
panels = {"the digit": example[0, 0] / 255, **{f"map {i}": m for i, m in enumerate(first)}}
show_maps(panels, "First layer: 28 x 28, one map a kernel", columns=7, size=1.5)

# %%
show_maps(last, "Last maps: 5 x 5, sixteen of them", columns=8, size=1.2)

# %% [markdown]
# In the first maps you still see the digit, as strokes seen from one side. In the last ones you see nothing any more, and the network sees all it needs. As for the kernels: some are edges (dark above, bright below), others are
# nothing that has a name. The loss never asked them to look good.
#
# ### Signs, and a confusion read
#
# The same network on traffic signs: three channels, sixteen classes, drawn with blur, noise, dirt and night.

# %%
sign_train = labelled_images("signs", "train", length=at(smoke=64, quick=800, full=1000))
sign_test = labelled_images("signs", "test", length=at(smoke=64, quick=400, full=500))
torch.manual_seed(0)
sign_model = LeNet(classes=len(sign_train.classes), channels=3).to(device)
fit_classifier(sign_model, sign_train, epochs=at(smoke=1, full=10), lr=0.006)
band("LeNet on signs: accuracy on test", accuracy(sign_model, sign_test), at_least=0.88)

# %% [markdown]
# One number hides what went wrong. So read the confusion matrix (혼동 행렬) of 06: a row for each truth, a column for each answer.

# %%
with torch.no_grad():
    guesses = torch.cat([sign_model(images).argmax(dim=1).cpu() for images, _ in batches(sign_test, 256, device=device)])
names = sign_test.classes
confusion = confusion_matrix(sign_test.labels.numpy(), guesses.numpy(), len(names))
show_confusion_matrix(confusion, names, "Signs: rows are the truth")

# %%
wrong = confusion - np.diag(confusion.diagonal())
for place in wrong.flatten().argsort()[::-1][:5]:
    truth, answer = divmod(int(place), len(names))
    print(f"{wrong[truth, answer]:>3} of {confusion[truth].sum()}: {names[truth]} taken for {names[answer]}")

# %%
misses = (guesses != sign_test.labels).nonzero()[:8, 0]
titles = [f"{names[sign_test.labels[i]]}\ntaken for {names[guesses[i]]}" for i in misses]
show_images(sign_test.images[misses], titles, suptitle="Signs that LeNet gets wrong", size=1.9)

# %% [markdown]
# Speed limits are taken for each other: same ring, other digits, and the digits are a few pixels wide. That is a question of resolution, which 10 comes back to, and of data, which 11 and 12 make go further.
#
# ## 9. Flatten loses place
#
# Between the maps and the fully connected layers stands **flatten** (평탄화): (16, 5, 5) becomes 400 numbers in a row. From here on nobody knows which of them were neighbours. The MLP of 05 flattens *at once*, 1,024 pixels in
# a row. How little it knows of space can be proved: shuffle all pixels, the same way in every image.


# %%
def perceptron():
    """1,024 pixels in a row, then three fully connected layers, the last two as in LeNet."""
    layers = [nn.Linear(1024, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(Pixels(0.5, 0.25), nn.Flatten(), *layers)


# %%
order = torch.randperm(1024, generator=torch.Generator().manual_seed(1))
shuffled = test.images.flatten(2)[:, :, order].reshape(test.images.shape)
show_images([test.images[3], shuffled[3]], ["a digit", "the same, for an MLP"], suptitle="Every image shuffled in the same way", size=2.2)

# %%
torch.manual_seed(0)
mlp = perceptron()
before = mlp(test.images)
mlp[2].weight.data = mlp[2].weight.data[:, order]  # shuffle the weights likewise
after = mlp(shuffled)
print("largest difference of the logits:", (after - before).abs().max().item())
assert torch.allclose(before, after, atol=1e-5)

# %% [markdown]
# Whatever an MLP can do with images it can do, equally well, with noise like that on the right. Neighbourhood is nothing to it. A convolution would be lost there.
#
# So let us ask what place is good for: digits of 20x20 pixels, each put *somewhere* on a black canvas of 32x32. The MLP must learn each digit at each place. LeNet looks with the same kernels everywhere.
# Same data, three seeds each, and the MLP gets five times the epochs, until it knows its training set by heart.


# %%
def placed(digits: Labelled, reach: int, seed: int) -> Labelled:
    """Digits of 20x20 on canvases of 32x32, each moved from the middle by up to `reach` pixels each way."""
    canvas = torch.zeros(len(digits), 1, 32, 32, dtype=torch.uint8)
    moves = 6 + torch.randint(-reach, reach + 1, (len(digits), 2), generator=torch.Generator().manual_seed(seed))
    for image, digit, (top, left) in zip(canvas, digits.images, moves.tolist()):
        image[:, top : top + 20, left : left + 20] = digit
    return Labelled(canvas, digits.labels, digits.classes)


# %%
small = {split: labelled_images("digits", split, size=20) for split in ("train", "test")}
anywhere = placed(small["train"][: at(smoke=64, full=len(train))], reach=6, seed=1)
anywhere_test = placed(small["test"], reach=6, seed=2)
show_images(anywhere.images[:8], [str(k) for k in anywhere.labels[:8].tolist()], columns=8, suptitle="Digits, somewhere", size=1.3)


# %%
parameters = {make.__name__: sum(p.numel() for p in make().parameters()) for make in (perceptron, LeNet)}
print("parameters:", parameters)

# %%
predict(
    "07.q10",
    "Trained and tested on digits that stand anywhere: who wins, and by how much?",
    ["the MLP: it has twice the parameters", "LeNet, by a hair", "LeNet, by at least 10 points of accuracy"],
)

# %%
runs, epochs = {"MLP": [], "LeNet": []}, at(smoke=1, quick=12, full=20)
for seed in at(smoke=(0,), full=(0, 1, 2)):
    for name, make, times in (("MLP", perceptron, 5), ("LeNet", LeNet, 1)):
        torch.manual_seed(seed)
        network = make().to(device)
        history = fit_classifier(network, anywhere, epochs=epochs * times, lr=0.004, seed=seed)
        runs[name].append(accuracy(network, anywhere_test))
        print(f"seed {seed}: {name:>5} {history[-1]['train/accuracy']:.3f} on training, {runs[name][-1]:.3f} on test")

# %%
show_seeds(runs, "Digits anywhere: accuracy on test, a point a seed", "accuracy", "network")

# %%
gap = min(runs["LeNet"]) - max(runs["MLP"])  # the worst LeNet against the best MLP
right = 2 if gap >= 0.1 else 1 if gap > 0 else 0
reveal("07.q10", answer=right, because=f"the worst LeNet is {gap * 100:.0f} points above the best MLP, with half the parameters.")
band("worst LeNet minus best MLP", gap, at_least=0.08)

# %% [markdown]
# Weight sharing is knowledge of the world, built in: *a thing stays the same thing when it moves.* It is worth more than twice the parameters. LeNet still flattens at its end, so even it does not know everything about place.
# Notebook 14 turns that last part into convolutions too.
#
# ## 10. Find the bug
#
# A colleague stores networks with **channels last**: images (N, H, W, C), as TensorFlow does. She sends us her LeNet, trained and right on nearly every digit, and the code to run it with your own `conv2d` and `max_pool2d`. It
# runs, all shapes fit, and the answers are nonsense. (To have such a network here, we store the weights of our own her way.)

# %%
model.cpu()
kernels, linear = channels_last_weights(model)
print("kernels", [tuple(weight.shape) for weight, _ in kernels], "= (height, width, in, out)")
print("linear ", [tuple(weight.shape) for weight, _ in linear], "= (in, out)")


# %%
def her_network(images, kernels, linear):
    x = images
    for kernel, bias in kernels:
        weight = kernel.permute(3, 2, 0, 1)  # (h, w, in, out) -> (out, in, h, w)
        x = max_pool2d(torch.relu(conv2d(x, weight, bias)), 2, 2)
    x = x.flatten(1)
    for weight, bias in linear[:-1]:
        x = torch.relu(x @ weight + bias)
    weight, bias = linear[-1]
    return x @ weight + bias


# %%
with torch.no_grad():
    pixels = model.pixels(test.images)
    truth = model(test.images)
    hers = her_network(pixels, kernels, linear)
    stages = [pixels, model.features[:3](pixels), model.features(pixels)]  # before, behind block 1, behind block 2
hit = (hers.argmax(dim=1) == test.labels).float().mean().item()
print("parameters:", sum(w.numel() + b.numel() for w, b in (*kernels, *linear)), "as many as ours")
print("logits    :", tuple(hers.shape), "as ours")
print(f"accuracy  : {hit:.3f}, ours {(truth.argmax(dim=1) == test.labels).float().mean():.3f}")

# %%
x = pixels
for place, (kernel, bias) in enumerate(kernels, start=1):
    x = max_pool2d(torch.relu(conv2d(x, kernel.permute(3, 2, 0, 1), bias)), 2, 2)
    print(f"maps after block {place}: {tuple(x.shape)}, largest difference from ours {(x - stages[place]).abs().max():.1e}")

# %% [markdown]
# ### Exercise: ported_network
# *difficulty 3 of 5 · importance 4 of 5 · about 15 minutes*
#
# | symptom | what it tells you |
# |---|---|
# | no error, every shape fits | 400 numbers are 400 numbers, in any order |
# | as many parameters as ours | no layer is missing |
# | the maps after both blocks equal ours | kernels, biases, ReLU and pooling are right |
# | no better than guessing | so it happens between the maps and the logits |
#
# Her first linear layer was trained on maps of shape (N, 5, 5, 16). Mend one line.


# %% exercise="07.ported_network"
def ported_network(images: Tensor, kernels: list[tuple[Tensor, Tensor]], linear: list[tuple[Tensor, Tensor]]) -> Tensor:
    """(N, C, H, W) images; kernels (h, w, in, out) and linear layers (in, out), each with its bias, stored with channels last -> (N, K) logits."""
    ### BEGIN SOLUTION
    x = images
    for kernel, bias in kernels:
        weight = kernel.permute(3, 2, 0, 1)  # (h, w, in, out) -> (out, in, h, w)
        x = max_pool2d(torch.relu(conv2d(x, weight, bias)), 2, 2)
    x = x.permute(0, 2, 3, 1).flatten(1)  # row, column, channel: the order that her layer was trained with
    for weight, bias in linear[:-1]:
        x = torch.relu(x @ weight + bias)
    weight, bias = linear[-1]
    return x @ weight + bias
    ### STUDENT
    # x = images
    # for kernel, bias in kernels:
    #     weight = kernel.permute(3, 2, 0, 1)  # (h, w, in, out) -> (out, in, h, w)
    #     x = max_pool2d(torch.relu(conv2d(x, weight, bias)), 2, 2)
    # x = x.flatten(1)
    # for weight, bias in linear[:-1]:
    #     x = torch.relu(x @ weight + bias)
    # weight, bias = linear[-1]
    # return x @ weight + bias
    ### END SOLUTION


ported_network = check("07.ported_network", ported_network)

# %%
with torch.no_grad():
    repaired = ported_network(pixels, kernels, linear)
print("largest difference of the logits from ours:", (repaired - truth).abs().max().item())
band("accuracy with the bug", hit, at_most=0.5)
band("repaired: largest difference of a logit from ours", (repaired - truth).abs().max(), at_most=1e-3)

# %% [markdown]
# <details><summary>What it was</summary>
#
# `flatten` keeps the order in memory. Ours runs through channel, row, column; hers through row, column, channel. Both give 400 numbers, so nothing complains, and every weight of her layer meets the wrong number. Turning the
# axes before flatten mends it. So would turning her weights, once. Doing both is the bug again.
#
# The alarm that finds it: run one image through both networks and compare *stage by stage*. The first stage that differs holds the bug.
# </details>
#
# ## Summary
#
# - A **convolution** lays a small kernel on every place, multiplies and adds. It is large where the image looks like the kernel. (Networks do not flip it: cross-correlation.)
# - **Output size**: (size + 2 · padding - dilation · (kernel - 1) - 1) // stride + 1. Zeros at the border are black, and a kernel sees them.
# - **Weights**: channels out · channels in · height · width, plus a bias for each channel out. The image's size is not in it: weights are **shared**.
# - Kernels are **learned**. Gradient descent finds Sobel's numbers from examples alone.
# - **Pooling** keeps that something is there and lets go of where exactly. **Flatten** forgets who was whose neighbour, and its order is a convention.
# - **Receptive field**: add (kernel - 1) · jump, multiply jump by the stride. Ask the gradient if you do not believe it.
# - Through a network **resolution falls and depth rises**: from *where* to *what*.
#
# ### Do you still know?
#
# <details><summary>An image of 64x64 passes a convolution of 3x3 with stride 2 and padding 1. What size comes out?</summary>
#
# (64 + 2 - 3) // 2 + 1 = 63 // 2 + 1 = 32. Half, as it is meant to be.
# </details>
#
# <details><summary>A layer takes 16 channels to 32 with kernels of 5x5. How many parameters?</summary>
#
# 32 · 16 · 5 · 5 = 12,800 weights and 32 biases: 12,832.
# </details>
#
# <details><summary>Your network gets images of twice the size. Which of LeNet's layers complain?</summary>
#
# Only the first fully connected one: it wants 400 numbers. Convolution and pooling take any size.
# </details>
#
# <details><summary>Why do two 3x3 with stride 2 see more than two with stride 1?</summary>
#
# The second stands on a map whose neighbours lie 2 pixels apart: 1 + 2 · 1 + 2 · 2 = 7, against 5.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message, or symptom | what happened |
# |---|---|
# | `Given groups=1, weight of size [6, 3, 5, 5], expected input[1, 32, 32, 3] to have 3 channels, but got 32 channels instead` | channels last: `to_chw`, or `permute(0, 3, 1, 2)` |
# | `Calculated padded input size per channel: (3 x 3). Kernel size: (5 x 5). Kernel size can't be greater than actual input size` | the maps have shrunk too far: print the shapes |
# | `mat1 and mat2 shapes cannot be multiplied (64x576 and 400x120)` | the image has another size than the one that flatten was counted for |
# | `Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [32, 32]` | a grey image without its channel: `[None, None]` |
# | `Input type (torch.ByteTensor) and weight type (torch.FloatTensor) should be the same` | uint8 straight into a layer: scale first (`Pixels`) |
# | the network runs, and the accuracy is that of guessing | compare stage by stage; look at flatten and at reshape |
#
# ### Where to read more
#
# - LeCun, Bottou, Bengio, Haffner: *Gradient-based learning applied to document recognition*, Proceedings of the IEEE 86(11), 1998. Section II.B is LeNet-5, four pages that are easy to read
# - Dumoulin and Visin: *A guide to convolution arithmetic for deep learning* (arXiv 1603.07285), with a drawing for every combination of stride and padding
# - Luo and others: *Understanding the effective receptive field in deep convolutional neural networks* (arXiv 1701.04128)
# - `coursekit/models/convolution.py` and `lenet.py`: the functions of this notebook as the course uses them
#
# **Next**: 08 asks why a network that learns its training set by heart may still fail, and what to do about it.
