# %% [markdown]
# # 10 · Efficient networks: less work, and why less work is not less time
#
# The networks of notebook 09 were made to be right. They run in data centres. A telephone, a camera on a lamp post or a car has a hundredth of that,
# and must answer thirty times a second. This notebook takes a convolution apart into two cheap steps, builds the blocks of the networks that were
# made for telephones, and then does what their papers seldom do: it takes a stopwatch. You will see half of the multiplications saved, and hardly any
# of the time.
#
# | you will learn | you will build |
# |---|---|
# | parameters and multiply-adds of any convolution, by hand | `conv_cost` |
# | a convolution in two steps, and the weights counted right | `separable_conv` |
# | MobileNet v1, v2, v3: what each added | `inverted_residual` |
# | grouped convolutions, and how ShuffleNet lets groups meet | `channel_shuffle` |
# | EfficientNet and architecture search, in outline | |
# | how to time code honestly | `typical_seconds`, repaired |
# | multiply-adds, milliseconds, memory of every family, on your machine | |
# | what batch size, number format and model size mean when serving | `choose_batch` |
#
# **Time** half a minute of computing on two CPU cores at the quick level, two minutes in full; about three hours of thinking, with marks (✂) for
# lessons of 50 minutes.
# **Before you start** you can count a convolution's output (07) and know residual blocks and squeeze-and-excitation (09).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("10_efficient")

# %%
import time
from itertools import pairwise
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, relu6

from coursekit.models.alexnet import AlexNet
from coursekit.models.cost import count_parameters, layer_costs, operator_costs
from coursekit.models.csp_resnet import CSPResNet
from coursekit.models.densenet import DenseNet
from coursekit.models.efficient import latency, layer_seconds
from coursekit.models.inception import GoogLeNet
from coursekit.models.mobilenet_v1 import MobileNetV1
from coursekit.models.mobilenet_v2 import MobileNetV2
from coursekit.models.mobilenet_v3 import MobileNetV3
from coursekit.models.resnet import ResNet
from coursekit.models.resnext import resnext50
from coursekit.models.shufflenet import ShuffleNetV2
from coursekit.models.vgg import VGG
from coursekit.models.xception import Xception
from coursekit.plots.efficient import drag_separable, show_bars, show_throughput, show_work_against_time
from coursekit.training.device import choose_device

device = choose_device()

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>07: A convolution of 3x3 goes from 3 to 64 channels, without bias. How many weights?</summary>
#
# 64 kernels, each 3 · 3 · 3: 64 · 27 = 1,728.
# </details>
#
# <details><summary>09: What does a bottleneck block do with its 1x1 convolutions?</summary>
#
# One reduces the channels, the 3x3 works on the few, another one widens them again. The 3x3 is what costs, and it gets less to do.
# </details>
#
# <details><summary>01: Why was a loop over a list quicker than a loop over a tensor, with the same additions?</summary>
#
# Because the additions were not what took the time; making a tensor for each element was. Today's lesson, on a larger scale.
# </details>
#
# ## 1. What a convolution costs
#
# Two numbers are quoted for every network. **Parameters** (매개변수): how many weights are stored. **Multiply-adds** (곱셈-덧셈, MAC): how many products are
# computed and added up for one image. Papers often write **FLOPs** (부동소수점 연산 수, floating-point operations) for them, and some count a multiply-add as
# two. Always look which.
#
# 3 to 64 channels, 3x3, on a map of 32 x 32, padded so that the size stays:
#
# | | by hand | |
# |---|---|---|
# | weights | 64 · 3 · 3 · 3 | 1,728 |
# | places in the output | 32 · 32 | 1,024 |
# | multiply-adds | 1,728 · 1,024 | 1,769,472 |
#
# Each weight is used once at each place of the **output**. With stride 2 there are 16 · 16 places, so a quarter of the work, with the same weights. A
# side of 9 with stride 2 has places 0, 2, 4, 6, 8: five, so sides are rounded *up*.
#
# **Groups** (그룹): cut the channels into g groups that do not see each other. Each result then looks at 1/g of the channels, so weights and work are
# divided by g. With as many groups as channels every channel is alone: a **depthwise** convolution (깊이별 합성곱).
#
# ### Exercise: conv_cost
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*
#
# | | parameters | multiply-adds |
# |---|---|---|
# | 3 to 64, 3x3, 32 x 32 | 1,728 | 1,769,472 |
# | the same with a bias | 1,792 | 1,769,472 |
# | 16 to 16, 3x3, 16 groups, 10 x 14 | 144 | 20,160 |


# %% exercise="10.conv_cost"
def conv_cost(
    in_channels: int, out_channels: int, kernel: int, height: int, width: int, stride: int, groups: int, bias: bool
) -> tuple[int, int]:
    """(parameters, multiply-adds for one image) of a convolution padded by kernel // 2; height and width are of the map that goes in.

    A bias adds parameters, and no multiply-adds. Output sides are ceil(side / stride).
    """
    ### BEGIN SOLUTION
    weights = out_channels * (in_channels // groups) * kernel * kernel
    places = -(-height // stride) * -(-width // stride)
    return weights + out_channels * bias, weights * places
    ### END SOLUTION


conv_cost = check("10.conv_cost", conv_cost)  # yours once it passes, ours until then

# %%
network = ResNet(depth=18)
rows = [row for row in layer_costs(network) if row.multiply_adds]
print(f"ResNet-18 at 224 x 224: {count_parameters(network):,} parameters, {sum(r.multiply_adds for r in rows):,} multiply-adds")
for row in rows[:3] + rows[-2:]:
    print(f"{row.name:>28}  {row.shape!s:<20} {row.parameters:>9,} parameters {row.multiply_adds:>12,} multiply-adds")
stem = conv_cost(3, 64, 7, 224, 224, 2, 1, False)
assert stem == (rows[0].parameters, rows[0].multiply_adds), "your formula and the counter agree on the first layer"

# %% [markdown]
# Early layers have few weights and much work, late ones the reverse. So *small* and *quick* are two different wishes.
#
# ## 2. Two cheap steps instead of a dear one
#
# A regular convolution does two things at once: it looks **around** (3x3) and it **mixes** the channels. A **depthwise separable convolution** (깊이별
# 분리 합성곱) does one after the other:
#
# 1. **depthwise**: in each channel by itself, a 3x3 kernel of its own looks around.
# 2. **pointwise** (점별 합성곱): a 1x1 convolution mixes the channels at each place.
#
# | 3 to 64 channels | weights |
# |---|---|
# | regular | 64 · 3 · 9 = **1,728** |
# | depthwise | 3 · 9 = 27 |
# | pointwise | 64 · 3 = 192 |
# | separable, together | **219** |
#
# Nearly eight times fewer. With many channels the factor comes near to 9, because only the 3 · 3 is saved: 1 / (1/out + 1/9).

# %%
predict(
    "10.q1",
    "A separable convolution of 3x3 from 3 channels to 1. How many weights has it?",
    [
        "10: one 3x3 kernel and one weight",
        "12: one 3x3 kernel and three weights",
        "28: three kernels and one weight",
        "30: three kernels and three weights",
    ],
)

# %%
around, mixing = conv_cost(3, 3, 3, 8, 8, 1, 3, False)[0], conv_cost(3, 1, 1, 8, 8, 1, 1, False)[0]
regular = conv_cost(3, 1, 3, 8, 8, 1, 1, False)[0]
reveal(
    "10.q1",
    answer=3,
    because=f"each of the three channels has a kernel of its own, {around} weights, and the mix takes {mixing}. The regular one has {regular}.",
)
assert around + mixing == 30

# %% [markdown]
# > **Myth**: *"a separable convolution of 3 channels to 1 has 12 weights."* It is in many study notes. The 9 was counted once instead of three times.
# > And look at the last number: here the "cheap" one has *more* weights than the regular one. It pays when there are many channels to mix *into*.

# %%
drag_separable(64, 64, 3)

# %% [markdown]
# ### Exercise: separable_conv
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*
#
# Use `conv2d(x, weight, stride=, padding=, groups=)`, twice. The stride belongs to the first step: why look at places that are thrown away?


# %% exercise="10.separable_conv"
def separable_conv(x: Tensor, depthwise: Tensor, pointwise: Tensor, stride: int) -> Tensor:
    """x (N, C, H, W), depthwise (C, 1, k, k), pointwise (O, C, 1, 1) -> (N, O, H / stride, W / stride); padded by k // 2."""
    ### BEGIN SOLUTION
    around = conv2d(x, depthwise, stride=stride, padding=depthwise.shape[-1] // 2, groups=x.shape[1])
    return conv2d(around, pointwise)
    ### END SOLUTION


separable_conv = check("10.separable_conv", separable_conv)

# %% [markdown]
# With the stride in the second step the numbers would be the same, and the first step would have done four times the work for it.
#
# Is anything lost? Yes. Put the two steps together, and it *is* a regular convolution, with a special kernel: for each pair of channels the depthwise
# kernel times one number. All results share the same three looks around; a regular convolution may look around differently for each.

# %%
x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
depthwise, pointwise = torch.randn(3, 1, 3, 3), torch.randn(5, 3, 1, 1)
full = pointwise * depthwise[None, :, 0]  # (5, 3, 3, 3): every kernel is one of three, scaled
torch.testing.assert_close(separable_conv(x, depthwise, pointwise, 1), conv2d(x, full, padding=1), rtol=1e-4, atol=1e-4)
print("two steps, and one step with the kernel", tuple(full.shape), "agree")

# %% [markdown]
# ✂ *50 minutes*
#
# ## 3. Xception and MobileNet: separable all the way
#
# **Xception** (2016) replaced Inception's branches by separable convolutions, with residual shortcuts around them, and got *better* at the same
# number of parameters. **MobileNet v1** (2017) did it for telephones: one regular convolution, thirteen separable ones, a mean and one layer at the
# end, and one knob, the **width multiplier** (너비 배율) on all channels. Work falls nearly with its square. (In both papers each step has a batch
# normalisation; MobileNet has a ReLU after each, Xception none in between.)

# %%
widths = (1.0, 0.75, 0.5, 0.25)
for width in widths:
    small = MobileNetV1(width=width)
    work = sum(row.multiply_adds for row in layer_costs(small))
    print(f"MobileNet v1, width {width:<4}: {count_parameters(small):>9,} parameters, {work / 1e6:>5.0f} million multiply-adds")
paper = sum(row.multiply_adds for row in layer_costs(MobileNetV1())) / 1e6
band("MobileNet v1, million multiply-adds (the paper says 569)", paper, at_least=560, at_most=580)

# %% [markdown]
# ### v2: inside out
#
# Where is MobileNet v1's work now?

# %%
v1 = MobileNetV1()
kernels = {name: layer.kernel_size for name, layer in v1.named_modules() if isinstance(layer, nn.Conv2d)}
costs = [row for row in layer_costs(v1) if row.name in kernels]
pointwise_share = sum(row.multiply_adds for row in costs if kernels[row.name] == (1, 1)) / sum(row.multiply_adds for row in costs)
print(f"{pointwise_share:.0%} of the multiply-adds of its convolutions are in the 1x1")

# %% [markdown]
# **MobileNet v2** (2018) takes the residual block of notebook 09 and turns it inside out. A ResNet's bottleneck is wide, narrow, wide; the 3x3 works
# in the narrow middle, because there it is cheap. A depthwise 3x3 is cheap *anyway*. So the middle may be **wide** and the ends **narrow**: what is
# kept and added between the blocks is small.
#
# | step | weights | shape | then |
# |---|---|---|---|
# | expand | (E, C, 1, 1) | (N, E, H, W) | ReLU6 |
# | depthwise, with the stride | (E, 1, 3, 3) | (N, E, H/s, W/s) | ReLU6 |
# | project | (O, E, 1, 1) | (N, O, H/s, W/s) | nothing |
# | add x | | | only where s = 1 and O = C |
#
# **ReLU6** is min(max(x, 0), 6): numbers that stay small survive 8 bits better. And why *nothing* after the last one, a **linear bottleneck** (선형
# 병목)? Because a ReLU throws away everything below 0, and with few channels nobody else has kept a copy. The whole block is called an **inverted
# residual** (역잔차). Try the ReLU: 2 numbers, taken up to n channels by a random matrix, through a ReLU, and back by the best matrix there is (least
# squares, 최소제곱법). How far from the points do we land?

# %%
generator = torch.Generator().manual_seed(1)
points = torch.randn(500, 2, generator=generator)
for channels in (2, 3, 5, 15, 30):
    errors = []
    for _ in range(20):
        up = torch.randn(2, channels, generator=generator)
        through = (points @ up).clamp(min=0)  # (500, channels)
        back = through @ torch.linalg.lstsq(through, points).solution
        errors.append(((back - points) ** 2).mean() / (points**2).mean())
    print(f"{channels:>3} channels: squared error {torch.stack(errors).mean():.1%} of the points' own size")

# %% [markdown]
# In few channels a ReLU destroys what no matrix brings back; in many it hardly hurts. So: activations in the wide middle, none at the narrow ends.
#
# ### Exercise: inverted_residual
# *difficulty 3 of 5 · importance 4 of 5 · about 20 minutes*
#
# Without the normalisations, which would come after each convolution. `relu6` is imported.


# %% exercise="10.inverted_residual"
def inverted_residual(x: Tensor, expand: Tensor, depthwise: Tensor, project: Tensor, stride: int) -> Tensor:
    """x (N, C, H, W), expand (E, C, 1, 1), depthwise (E, 1, k, k), project (O, E, 1, 1) -> (N, O, H / stride, W / stride).

    ReLU6 after the first two; x is added where stride is 1 and O is C.
    """
    ### BEGIN SOLUTION
    wide = relu6(conv2d(x, expand))
    wide = relu6(conv2d(wide, depthwise, stride=stride, padding=depthwise.shape[-1] // 2, groups=len(expand)))
    out = conv2d(wide, project)
    return x + out if stride == 1 and out.shape[1] == x.shape[1] else out
    ### END SOLUTION


inverted_residual = check("10.inverted_residual", inverted_residual)

# %% [markdown]
# ### v3, and search
#
# **MobileNet v3** (2019) kept the block and asked a computer how to arrange it. In **neural architecture search** (NAS, 신경망 구조 탐색) a program proposes
# kernels, widths and depths for each block, trains each proposal for a while, measures accuracy *and milliseconds on a real telephone*, and proposes
# better ones. People then added squeeze-and-excitation (09) in some blocks and a cheap activation, **h-swish**: x · relu6(x + 3) / 6. By hand at x =
# 1: 1 · 4 / 6 = 0.667; at x = 5: 5 · 6 / 6 = 5; at x = -4: 0.

# %%
values = torch.tensor([-4.0, -1.0, 0.0, 1.0, 5.0])
print("h-swish:", (values * relu6(values + 3) / 6).tolist())
torch.testing.assert_close(values * relu6(values + 3) / 6, nn.functional.hardswish(values))
for name, network in (
    ("v1", MobileNetV1()),
    ("v2", MobileNetV2()),
    ("v3 small", MobileNetV3(size="small")),
    ("v3 large", MobileNetV3(size="large")),
):
    print(
        f"MobileNet {name:<9}{count_parameters(network):>10,} parameters {sum(r.multiply_adds for r in layer_costs(network)) / 1e6:>6.0f} million multiply-adds"
    )

# %% [markdown]
# How large is such a search? By hand: seven groups of blocks, and for each of them 3x3 or 5x5, widened 3 or 6 times, 1 to 4 blocks: 2 · 2 · 4 = 16
# ways. In all 16⁷ = **268 million** networks. At one hour each that is 30,000 years, so a search tries a few thousand, trains them briefly, and
# learns where to look. NASNet (Zoph and others, 2017) still kept 500 graphics cards busy for four days.
#
# Why do *we* not search? It costs more than all of our trainings together, for one kind of telephone. What it found is published, and you can use it.
# For your own task the data, the image size and the training settings move the result far more than another order of blocks.
#
# **EfficientNet** (2019) searched one small network and then asked how to make it *larger*. More layers, more channels, or larger images? All three
# at once, in fixed proportion: depth · 1.2, width · 1.1, image side · 1.15. Work grows with depth, and with the square of width and of the side: 1.2
# · 1.1² · 1.15² = **1.92**, so each step about doubles it. That is **compound scaling** (복합 확장). We can check the arithmetic on a ResNet:


# %%
def work_of(width: float, side: int, depth: int = 18) -> float:
    return sum(row.multiply_adds for row in layer_costs(ResNet(depth=depth, width=width), (3, side, side))) / 1e6


base = work_of(1.0, 160)
print(
    f"base: {base:.0f} million. Twice the width: {work_of(2.0, 160) / base:.2f} times. Twice the side: {work_of(1.0, 320) / base:.2f} times. "
    f"18 to 34 layers: {work_of(1.0, 160, 34) / base:.2f} times."
)

# %% [markdown]
# Nearly 2² for the width, 2² for the side, and 2 for twice the blocks: the exponents of the formula above.
#
# ✂ *50 minutes*
#
# ## 4. Groups that never meet
#
# In MobileNet the 1x1 convolutions cost nearly everything. **ShuffleNet** (2017) cuts them into groups, too. But then channels of group 1 see only
# group 1, layer after layer, as if two networks ran side by side. Look: we change one channel of the first half, and ask which results notice.

# %%
generator = torch.Generator().manual_seed(0)
weights = [torch.randn(6, 3, 1, 1, generator=generator) for _ in range(3)]  # three layers, 6 channels in 2 groups


def through_groups(x, between=lambda x: x):
    for weight in weights:
        x = between(conv2d(x, weight, groups=2))
    return x


def who_notices(between) -> list[int]:
    plain = torch.ones(1, 6, 1, 1)
    changed = plain.clone()
    changed[0, 0] += 1
    difference = (through_groups(changed, between) - through_groups(plain, between)).abs().flatten()
    return (difference > 1e-6).nonzero().flatten().tolist()


print("results that notice a change in channel 0:", who_notices(lambda x: x))

# %% [markdown]
# Half of the network never hears of it. The cure costs no arithmetic: between two layers, deal the channels out like cards, so that each next group
# gets some of every one: a **channel shuffle** (채널 섞기).
#
# | | | | | | | |
# |---|---|---|---|---|---|---|
# | two groups of three | 0 | 1 | 2 | 3 | 4 | 5 |
# | shuffled | 0 | 3 | 1 | 4 | 2 | 5 |
#
# As a table: write the channels as rows (one for each group), read them out by columns. Reshape, exchange two axes, reshape.
#
# ### Exercise: channel_shuffle
# *difficulty 2 of 5 · importance 2 of 5 · about 10 minutes*


# %% exercise="10.channel_shuffle"
def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """(N, C, H, W) -> the same channels in the order: first of each group, second of each group, and so on."""
    n, c, h, w = x.shape
    ### BEGIN SOLUTION
    return x.reshape(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)
    ### END SOLUTION


channel_shuffle = check("10.channel_shuffle", channel_shuffle)

# %%
noticed = who_notices(lambda x: channel_shuffle(x, 2))
print("with a shuffle between the layers:", noticed)
assert noticed == [0, 1, 2, 3, 4, 5]

# %% [markdown]
# It computes nothing: **zero FLOPs**. Remember that when we take the stopwatch: it still has to *move* every number.
#
# ## 5. A stopwatch with a bug
#
# Before we time anything we need a stopwatch that can be trusted. Here is one that somebody wrote in a minute. The symptom: on the same machine, the
# same network is sometimes 5 ms and sometimes 9 ms. Here is what single calls take, one after the other:

# %%
from coursekit.exercises.n10_efficient_more import Machine

small, image = MobileNetV2(width=0.5).to(device), torch.rand(1, 3, 96, 96, device=device)


def stopwatch_with_a_bug(run, warmup, repeats, clock):
    times = []
    for _ in range(warmup + repeats):
        began = clock()
        run()
        times.append(clock() - began)
    return sum(times) / len(times)


singles = []
with torch.no_grad():
    small.eval()
    for _ in range(12):
        began = time.perf_counter()
        small(image)
        singles.append(1000 * (time.perf_counter() - began))
print("single calls, ms:", " ".join(f"{ms:.1f}" for ms in singles))

pretend = Machine([90.0, 40.0, 5.0, 5.0, 6.0, 48.0, 5.0])  # slow at first, and another program in between
print(f"a machine whose usual call takes 5: {stopwatch_with_a_bug(pretend.run, 2, 5, pretend.clock):.1f} says this stopwatch")

# %% [markdown]
# ### Exercise: typical_seconds
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# Two things are wrong, and both make a network look slower than it is. `median` is imported for you (from `statistics`). `clock()` gives seconds: ask *it*,
# for the check brings a clock of its own.


# %% exercise="10.typical_seconds"
def typical_seconds(run, warmup, repeats, clock):
    """The median time of `repeats` calls of run(), each timed by itself, after `warmup` calls that are not timed."""
    ### BEGIN SOLUTION
    for _ in range(warmup):
        run()
    times = []
    for _ in range(repeats):
        began = clock()
        run()
        times.append(clock() - began)
    return median(times)
    ### STUDENT
    # times = []
    # for _ in range(warmup + repeats):
    #     began = clock()
    #     run()
    #     times.append(clock() - began)
    # return sum(times) / len(times)
    ### END SOLUTION


typical_seconds = check("10.typical_seconds", typical_seconds)

# %%
pretend = Machine([90.0, 40.0, 5.0, 5.0, 6.0, 48.0, 5.0])
print("the same machine:", typical_seconds(pretend.run, 2, 5, pretend.clock))

# %% [markdown]
# On a GPU there is a third trap: a call returns *before* the work is done. Wait (`torch.cuda.synchronize()`) before you look at the clock, or you
# time the giving of orders.
#
# ✂ *50 minutes*
#
# ## 6. Every family, on this machine
#
# One small image (96 x 96 pixels at the quick level, 160 x 160 in full), every network at full width, in eval mode. The time from an image to its answer is
# the **latency** (지연 시간). First guess:

# %%
predict(
    "10.q2",
    "VGG-11 computes about 27 times as much as MobileNet v2. How many times as long does it take here?",
    ["about 27 times", "15 to 25 times", "fewer than 15 times", "they take equally long"],
)

# %%
families = {
    "AlexNet": AlexNet,
    "VGG-11": lambda: VGG(depth=11),
    "GoogLeNet": GoogLeNet,
    "ResNet-18": lambda: ResNet(depth=18),
    "ResNet-50": lambda: ResNet(depth=50),
    "ResNeXt-50": resnext50,
    "DenseNet-121": DenseNet,
    "CSP-ResNet-50": CSPResNet,
    "Xception": Xception,
    "MobileNet v1": MobileNetV1,
    "MobileNet v2": MobileNetV2,
    "MobileNet v3 L": lambda: MobileNetV3(size="large"),
    "ShuffleNet v2": ShuffleNetV2,
}
chosen = at(smoke=["ResNet-18", "MobileNet v2", "ShuffleNet v2"], quick=list(families), full=list(families))
side = at(smoke=64, quick=96, full=160)
image = torch.rand(1, 3, side, side, device=device)
table = {}
for name in chosen:
    network = families[name]()
    costs = layer_costs(network, (3, side, side))
    network = network.to(device)
    seconds = latency(network, image, warmup=at(smoke=0, quick=1, full=3), repeats=at(smoke=1, quick=5, full=11))
    table[name] = {
        "parameters": count_parameters(network),
        "work": sum(row.multiply_adds for row in costs) / 1e6,
        "ms": 1000 * seconds,
        "written": sum(row.written for row in costs) * 4 / 1e6,
    }
    del network

# %% [markdown]
# In the table: *G mult-adds/s* is work divided by time, how much this machine gets done with that network. *MB written* is what all layers together put out
# for one image, four bytes a number; *MB of weights* is what must be stored, and fetched for each batch.

# %%
print(f"{'':16}{'parameters':>12}{'M mult-adds':>13}{'ms':>8}{'G mult-adds/s':>15}{'MB written':>12}{'MB of weights':>15}")
for name, row in sorted(table.items(), key=lambda item: item[1]["work"]):
    speed = row["work"] / row["ms"]
    print(
        f"{name:16}{row['parameters']:>12,}{row['work']:>13.0f}{row['ms']:>8.1f}{speed:>15.1f}{row['written']:>12.1f}{row['parameters'] * 4 / 1e6:>15.1f}"
    )

# %%
show_work_against_time({n: r["work"] for n, r in table.items()}, {n: r["ms"] for n, r in table.items()}, f"One image of {side} x {side}")

# %%
if "VGG-11" in table:
    more_work, more_time = (table["VGG-11"][what] / table["MobileNet v2"][what] for what in ("work", "ms"))
    because = f"measured: {more_work:.0f} times the work, {more_time:.1f} times the time."
    reveal("10.q2", answer=3 if more_time < 1.5 else sum(more_time < edge for edge in (25, 15)), because=because)

# %%
rate = {name: row["work"] / row["ms"] for name, row in table.items()}
quickest, slowest = max(rate, key=rate.get), min(rate, key=rate.get)
print(f"multiply-adds a second: {quickest} {rate[quickest]:.1f} billion, {slowest} {rate[slowest]:.1f} billion")
pairs = [(a, b) for a in table for b in table if table[a]["work"] < 0.7 * table[b]["work"]]
for a, b in sorted(pairs, key=lambda pair: -table[pair[0]]["ms"] / table[pair[1]]["ms"])[:3]:
    print(
        f"{a} has {table[a]['work'] / table[b]['work']:.2f} of the work of {b}, and takes {table[a]['ms'] / table[b]['ms']:.2f} of its time"
    )
band("multiply-adds a second, the quickest over the slowest", rate[quickest] / rate[slowest], at_least=2)

# %% [markdown]
# > **Myth**: *"fewer FLOPs are faster."* Look along the column of multiply-adds a second: the machine is the same, and yet one network gets several
# > times more out of it than another. The three pairs above show what that means: a large part of the work saved, and far less of the time. On a GPU
# > it is usually more extreme, and some of the pairs change places.
#
# AlexNet is a case of its own. It writes almost nothing, and yet it gets little done: for a single image its 244 MB of weights must come out of the memory
# first, nearly all of them for the full layers.
#
# ## 7. Where the time goes
#
# First *where*, layer by layer. We take the time of each layer of two networks, and put it beside its work:


# %%
def kind_of(layer: nn.Module) -> str:
    if isinstance(layer, nn.Conv2d):
        return "depthwise" if layer.groups > 1 else ("1x1" if layer.kernel_size == (1, 1) else "regular convolution")
    return type(layer).__name__


for name in at(smoke=["MobileNet v2"], quick=["ResNet-18", "MobileNet v2"], full=["ResNet-18", "MobileNet v2"]):
    network = families[name]()
    kinds = {n: kind_of(layer) for n, layer in network.named_modules() if not list(layer.children())}
    costs = layer_costs(network, (3, side, side))
    taken = layer_seconds(network.to(device), image, repeats=at(smoke=1, quick=5, full=11))
    work, time_of = sum(row.multiply_adds for row in costs), sum(taken.values())
    print(f"{name}, {1000 * time_of:.1f} ms in its layers")
    for kind in sorted(set(kinds.values())):
        work_share = sum(row.multiply_adds for row in costs if kinds[row.name] == kind) / work
        time_share = sum(seconds for n, seconds in taken.items() if kinds[n] == kind) / time_of
        if max(work_share, time_share) < 0.005:
            continue
        print(
            f"  {kind:>20}: {sum(kinds[n] == kind for n in taken):>3} layers, {work_share:>4.0%} of the work, {time_share:>4.0%} of the time"
        )

# %% [markdown]
# In ResNet-18 the work and the time are in the same place. In MobileNet v2 they are not: the depthwise layers and the normalisations take a far
# larger share of the time than of the work.
#
# Why? Three reasons, and we can measure each of them.
#
# **First: a depthwise convolution has too little to do for each number it fetches.** By hand, a 3x3 on 64 channels: regular, each number of the map
# takes part in 9 · 64 = 576 products, for each time that it is fetched. Depthwise, in 9. The arithmetic waits for the memory. (The ratio is called
# **arithmetic intensity**, 연산 강도.) Let us measure the speed of single layers:

# %%
channels, size = 128, at(smoke=14, quick=56, full=56)
feature_map = torch.rand(1, channels, size, size, device=device)
layers = {
    "regular 3x3": nn.Conv2d(channels, channels, 3, padding=1, bias=False),
    "4 groups, 3x3": nn.Conv2d(channels, channels, 3, padding=1, groups=4, bias=False),
    "depthwise 3x3": nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
    "pointwise 1x1": nn.Conv2d(channels, channels, 1, bias=False),
}
speeds, work_of_regular = {}, conv_cost(channels, channels, 3, size, size, 1, 1, False)[1]
for name, layer in layers.items():
    work = layer_costs(layer, (channels, size, size))[0].multiply_adds
    seconds = latency(layer.to(device), feature_map, repeats=at(smoke=2, quick=15, full=15))
    speeds[name] = work / seconds / 1e9
    print(f"{name:>14}: {work / 1e6:>6.1f} million multiply-adds in {1e3 * seconds:6.3f} ms")
show_bars(speeds, "How fast the same machine multiplies", "billion multiply-adds a second")

# %%
band("regular convolution, times the speed of a depthwise one", speeds["regular 3x3"] / speeds["depthwise 3x3"], at_least=1.5)

# %% [markdown]
# And **on a GPU**? There one can work it out before measuring. NVIDIA's data sheet of the A100 (40 GB) promises 19.5 · 10¹² operations in float32 and
# 1.555 · 10¹² bytes a second: 12.5 operations for each byte. A layer that makes fewer waits for its memory, however well it is programmed. A
# multiply-add is two operations, and each number of the map is read once and written once, 8 bytes:
#
# | 3x3, 128 channels | operations a number | a byte | at most |
# |---|---|---|---|
# | regular | 2 · 9 · 128 = 2,304 | 288 | all of 19.5 · 10¹² |
# | 4 groups | 2 · 9 · 32 = 576 | 72 | all |
# | 32 groups, as in ResNeXt | 2 · 9 · 4 = 72 | 9 | 9 / 12.5 = 72 % |
# | depthwise | 2 · 9 = 18 | 2.25 | 2.25 / 12.5 = **18 %** |
#
# These are ceilings. Run the cell above on your own GPU, with a batch of 64 instead of 1, and see how far below them it stays.
#
# **Second: operators with zero multiply-adds take time.** Activations, normalisation, adding, concatenating, pooling, enlarging, shuffling: they
# compute next to nothing, and each of them reads and writes the whole map.

# %%
predict(
    "10.q3", "Which of these costs (nearly) nothing at all?", ["concatenate", "reshape, a view", "shuffle", "all of them cost the same"]
)

# %%
two = torch.rand(1, channels, size, size, device=device)
free = {
    "ReLU": nn.ReLU(),
    "batch norm": nn.BatchNorm2d(channels).to(device),
    "add": lambda m: m + two,
    "concatenate": lambda m: torch.cat([m, two], dim=1),
    "shuffle": lambda m: channel_shuffle(m, 4),
    "reshape, a view": lambda m: m.reshape(1, channels, -1),
    "max pool 2x2": nn.MaxPool2d(2),
    "upsample 2x": nn.Upsample(scale_factor=2),
}


class Call(nn.Module):
    """A function as a module, so that the same stopwatch takes both."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


taken = {
    name: 1e3 * latency(f if isinstance(f, nn.Module) else Call(f), feature_map, repeats=at(smoke=2, quick=15, full=15))
    for name, f in free.items()
}
show_bars(taken, f"Zero multiply-adds, on a map of {channels} x {size} x {size}", "milliseconds")

# %%
whole = 1e3 * latency(layers["regular 3x3"], feature_map, repeats=at(smoke=2, quick=15, full=15))
for name in ("max pool 2x2", "upsample 2x", "ReLU"):
    print(
        f"{name}: {taken[name] / whole:.1%} of the time of the regular 3x3 on this map, which makes {work_of_regular / 1e6:.0f} million multiply-adds"
    )

# %%
cheapest = min(taken, key=taken.get)
reveal(
    "10.q3",
    answer=1,
    because=f"a view only changes shape and strides (01). Measured here, the cheapest is {cheapest}: {1000 * taken[cheapest]:.0f} microseconds.",
)
band("concatenating, times a view", taken["concatenate"] / taken["reshape, a view"], at_least=2)

# %% [markdown]
# **Third: many small operators.** Each call has a price of its own, before it computes anything. We measure that on a map of a single number, and
# count the calls:

# %%
dot = torch.rand(1, 1, 1, 1, device=device)
calls = {"ReLU": nn.ReLU(), "1x1 convolution": nn.Conv2d(1, 1, 1).to(device), "batch norm": nn.BatchNorm2d(1).to(device)}
price = {name: 1e6 * latency(layer, dot, repeats=at(smoke=2, quick=50, full=50)) for name, layer in calls.items()}
print("on one number, microseconds: " + ", ".join(f"{name} {p:.1f}" for name, p in price.items()))
mean_price = sum(price.values()) / len(price)
counted = {}
for name in at(
    smoke=["ResNet-18"],
    quick=["VGG-11", "ResNet-18", "MobileNet v2", "DenseNet-121"],
    full=["VGG-11", "ResNet-18", "MobileNet v2", "DenseNet-121"],
):
    operators = operator_costs(families[name](), (3, side, side))
    counted[name] = sum(o.calls for o in operators)
    zero = sum(o.written for o in operators if not o.multiply_adds) / sum(o.written for o in operators)
    print(
        f"{name:14} {counted[name]:>4} operators, {counted[name] * mean_price / 1000:.1f} ms for the calls alone; "
        f"{zero:.0%} of the numbers written come from those that multiply nothing"
    )

# %% [markdown]
# So what makes a network quick? Few, large, regular operators; few branches and copies; widths that the hardware likes (multiples of 8 or 16).
# ShuffleNet **v2** (2018) was designed by exactly such rules, from a stopwatch instead of from FLOPs, and CSP (which our detector uses) sends half of
# the channels around its blocks: compare it with ResNet-50 in the table. And everything that can be folded away is folded away before serving: batch normalisation goes into the convolution before it (23).
#
# ## 8. Serving: batch, memory, size
#
# **Serving** (서빙) is answering the images that others send. A server may answer several at once. More images in a **batch** (배치) use the machine better:
# the **throughput** (처리량), images a second, goes up. But the first one has to wait for the last.

# %%
sizes = at(smoke=[1, 2], quick=[1, 4, 16], full=[1, 2, 4, 8, 16, 32])
speed, wait = {}, {}
for name in ("ResNet-18", "MobileNet v2"):
    network = families[name]().to(device)
    seconds = [latency(network, torch.rand(b, 3, side, side, device=device), warmup=1, repeats=at(smoke=1, quick=3, full=5)) for b in sizes]
    speed[name] = [b / s for b, s in zip(sizes, seconds, strict=True)]
    wait[name] = [1000 * s for s in seconds]
show_throughput(sizes, speed, wait)

# %% [markdown]
# Even a CPU gains: the weights are fetched once for the whole batch, and the price of each call is paid once. On a GPU the left curve climbs much
# further before it bends. The right curve is the price: the first image waits for the last. **Measure where the left curve bends, and take the
# smallest batch there.**
#
# ### Exercise: choose_batch
# *difficulty 2 of 5 · importance 3 of 5 · about 15 minutes*
#
# As a rule: leave out the batches whose answer comes later than a limit. Of the others, take the *smallest* that does at least 0.9 of the best number
# of images a second. With a limit of 2.5 seconds:
#
# | batch | seconds | images a second | |
# |---|---|---|---|
# | 1 | 1.0 | 1.0 | |
# | 2 | 1.25 | 1.6 | |
# | 4 | 2.0 | **2.0** | the best in time; 0.9 of it are 1.8, so the answer is **4** |
# | 8 | 3.9 | 2.05 | too late |


# %% exercise="10.choose_batch"
def choose_batch(sizes: list[int], seconds: list[float], limit: float) -> int | None:
    """The smallest batch with 0.9 of the best images a second, among those that take at most `limit` seconds; None if none does."""
    ### BEGIN SOLUTION
    rates = {size: size / taken for size, taken in zip(sizes, seconds) if taken <= limit}
    best = max(rates.values(), default=0)
    return min((size for size, rate in rates.items() if rate >= 0.9 * best), default=None)
    ### END SOLUTION


choose_batch = check("10.choose_batch", choose_batch)

# %%
for name, milliseconds in wait.items():
    for limit in (10, 50, 1000):
        print(f"{name}, an answer within {limit} ms: a batch of {choose_batch(sizes, [ms / 1000 for ms in milliseconds], limit / 1000)}")

# %% [markdown]
# None means that this network is too slow for the limit on this machine. And where the answer is the largest batch that was timed, the curve may not have bent
# yet: time larger ones.
#
# And memory? **Weights** are there once: parameters · bytes. How many bytes is the **number format** (수 형식): 4 in float32, 2 in float16, 1 in int8
# (23 shows what that does to the answers). By hand, ResNet-18: 11.7 million · 4 = 46.8 MB, · 2 = 23.4, · 1 = 11.7. **Maps** are there for each image
# of the batch, while a layer works: at least what it reads and what it writes.

# %%
for name in ("ResNet-18", "MobileNet v2"):
    costs = layer_costs(families[name](), (3, side, side))
    weights_mb = count_parameters(families[name]()) / 1e6
    largest = max(a.written + b.written for a, b in pairwise(costs)) * 4 / 1e6
    print(
        f"{name:14} weights: {4 * weights_mb:5.1f} MB in float32, {2 * weights_mb:5.1f} in float16, {weights_mb:5.1f} in int8; "
        f"largest maps {largest:.1f} MB an image, so {64 * largest:.0f} MB for a batch of 64"
    )

# %% [markdown]
# MobileNet has a third of ResNet-18's weights, but its wide middles make large maps. With a batch of 64 the maps are what fills the memory. (Training keeps
# *all* maps for the backward pass, not two at a time: that is the column "MB written", times the batch.)
#
# ## 9. How to choose
#
# | you have | look at | begin with |
# |---|---|---|
# | a server with a GPU | images a second at the batch where the curve bends | ResNet-50, CSP-ResNet: large regular operators |
# | a CPU, one image at a time | milliseconds at batch 1, measured there | ResNet-18, CSP-ResNet; MobileNet if measured quicker |
# | a telephone or a small board | milliseconds *and* megabytes, in its own runtime | MobileNet v3, ShuffleNet v2 |
# | few images | the quality of the pretrained weights (12) | what has good weights; speed second |
# | no idea yet | nothing | the smallest that is easy to train. Make it work, measure, then trade |
#
# **Heavy or light?** A heavy network on small images and a light one on large images may cost the same: ResNet-50 on 112 x 112 makes 1.08 billion
# multiply-adds, ResNet-18 on 168 x 168 makes 1.11. For small objects take the larger image.
#
# ## Summary
#
# - Weights: out · in / groups · k². Multiply-adds: that, times the places of the *output*.
# - A **separable** convolution looks around first and mixes after: nearly k² times less work, and a little less able.
# - **MobileNet v2** turns the bottleneck inside out: wide depthwise middle, narrow linear ends. **v3** was arranged by a search. **ShuffleNet** lets groups meet for free.
# - **FLOPs are not speed.** Depthwise layers wait for memory, operators without FLOPs move numbers, and every call has a price.
# - **Serving**: the smallest batch that comes near the best throughput, and is in time. Weights are there once, maps for each image of the batch.
# - A stopwatch warms up, takes the median, and on a GPU waits. Quote the machine, the batch and the image size with every millisecond.
#
# ### Do you still know?
#
# <details><summary>32 to 64 channels, 3x3, on 20 x 20, stride 2. Parameters and multiply-adds, without bias?</summary>
#
# 64 · 32 · 9 = 18,432 weights; output 10 x 10, so 1,843,200 multiply-adds.
# </details>
#
# <details><summary>The same as a separable convolution?</summary>
#
# 32 · 9 + 64 · 32 = 288 + 2,048 = 2,336 weights, at 100 places each: 233,600.
# </details>
#
# <details><summary>Why is there no activation after the last 1x1 of an inverted residual?</summary>
#
# It has few channels, and what a ReLU sets to zero there is lost.
# </details>
#
# <details><summary>A paper reports half the FLOPs of ResNet-50 at the same accuracy. What do you ask?</summary>
#
# Milliseconds, on which machine, at which batch and image size, compared with what, timed in the same run.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message | what happened |
# |---|---|
# | `weight of size [16, 1, 3, 3], expected input ... to have 1 channels, but got 16` | a depthwise weight without `groups=16` |
# | `expected input[1, 16, ...] to be divisible by groups` | the channels cannot be cut into so many groups |
# | `images must be at least 32 pixels high and wide` | the network halves the map too often for this image: `small_images=True` |
# | `view size is not compatible with input tensor's size and stride` | after `transpose` the numbers lie in another order: `reshape` copies them, `view` may not (01) |
# | no message, times that jump | no warm-up, a mean, or another program on the machine |
# | no message, a GPU that is a thousand times faster | nobody waited for it |
#
# ### Where to read more
#
# - Howard et al. 2017, *MobileNets*, arXiv 1704.04861; Sandler et al. 2018, *MobileNetV2*, arXiv 1801.04381; Howard et al. 2019, arXiv 1905.02244
# - Chollet 2016, *Xception*, arXiv 1610.02357; Zhang et al. 2017, *ShuffleNet*, arXiv 1707.01083
# - Ma et al. 2018, *ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design*, arXiv 1807.11164: read its four rules
# - Tan and Le 2019, *EfficientNet*, arXiv 1905.11946; Zoph et al. 2017 (NASNet), arXiv 1707.07012
# - `coursekit/models/`: every network of the table, a file each
#
# **Next**: 11 makes few images many.
