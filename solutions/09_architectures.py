# %% [markdown]
# # 09 · Architectures: what each great network added
#
# In 2012 a convolutional network won the ImageNet competition by a margin that nobody had thought possible: it was wrong (by top-5, see the third
# question below) on 15.3 % of the images, and the second best on 26.2 %. In the five years after that, each winner had one new idea about the
# **architecture** (구조): which layers there are, and how they are joined. There are surprisingly few ideas, and every one of them fits into a few
# lines. You will write them. By the end you can read the table in a paper, count its parameters yourself, and say what a network is made of and
# *why*.
#
# | you will learn | you will build |
# |---|---|
# | the line from LeNet to AlexNet, VGG, Inception, ResNet, DenseNet and SE | |
# | how to count, and check a paper's number | `count_parameters` |
# | 3x3 all the way | `vgg_block` |
# | why deeper was worse, and what cured it | `residual_block` |
# | a network that listens to some channels more than to others | `squeeze_excite` |
# | everything sees everything | `dense_block` |
# | wide and grouped: two more ways to spend the same work | |
# | top-1, top-5, a paper's tables, model zoos | |
# | what training cost, then and now, and what it would cost on your machine | `training_hours` |
# | a chain of blocks in which the numbers explode, silently | `residual_chain`, repaired |
#
# **Time** 45 seconds of computing on two CPU cores at the quick level, four minutes in full; about three hours of thinking, with marks (✂) for lessons of
# 50 minutes.
# **Before you start** you can count a convolution and compute a receptive field (07), and know vanishing gradients and batch normalisation (08).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("09_architectures")

# %%
import time

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from coursekit.data.labelled import labelled_images
from coursekit.models import cost
from coursekit.models.alexnet import AlexNet
from coursekit.models.densenet import DenseNet
from coursekit.models.inception import BLOCKS, GoogLeNet, InceptionBlock
from coursekit.models.layers import Pixels, SqueezeExcite
from coursekit.models.lenet import LeNet
from coursekit.models.resnet import ResNet
from coursekit.models.resnext import resnext50
from coursekit.models.vgg import VGG
from coursekit.plots.architectures import show_blocks, show_two_rankings
from coursekit.plots.fitting import show_curves
from coursekit.training.classifier import batches, evaluate, train_epoch
from coursekit.training.device import choose_device

device = choose_device()

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>07: Two 3x3 convolutions on top of each other. How far does one result see?</summary>
#
# 5 pixels: 3, and 2 more with the second one. Three of them see 7.
# </details>
#
# <details><summary>08: Why does the gradient of the first layer become tiny in a deep network with sigmoids?</summary>
#
# It is a product of one factor for each layer, and each is at most 0.25.
# </details>
#
# <details><summary>06: What is top-5 accuracy?</summary>
#
# An answer counts as right if the true class is among the five with the highest scores. ImageNet has 1,000 classes, 120 of them dogs.
# </details>
#
# ## 1. AlexNet: the same idea, larger
#
# LeNet (07) of 1998 had all the pieces: convolution, pooling, a few fully connected layers (*full* layers, for short) at the end. AlexNet
# (Krizhevsky, Sutskever and Hinton, 2012) is LeNet with fourteen years of hardware: eight layers instead of five, colour, 1.2 million training
# images, and two graphics cards. What was new was that it *worked* at that size: **ReLU**, which lets gradients through (08); **dropout** in the full
# layers; augmentation (11).
#
# > **Myth**: *"AlexNet invented ReLU."* Nair and Hinton used it in 2010, Jarrett and others in 2009, and Fukushima in 1969. AlexNet made it popular,
# > with one figure: the same network reached the same training error six times sooner than with tanh. Nothing about it needs AlexNet: in 07 you put
# > it into the LeNet of 1998, and with max pooling beside it that read 0.989 of the digits and more, where tanh had read 0.981 at best.
#
# How large is "larger"? Let us count.
#
# ### Exercise: count_parameters
# *difficulty 1 of 5 · importance 4 of 5 · about 5 minutes*
#
# How many *numbers* does a model learn? Biases count. What is frozen does not. A weight that is used in two places exists once.


# %% exercise="09.count_parameters"
def count_parameters(model: nn.Module) -> int:
    """How many numbers the model learns: all parameters with requires_grad, each once."""
    ### BEGIN SOLUTION
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
    ### END SOLUTION


count_parameters = check("09.count_parameters", count_parameters)  # yours once it passes, ours until then

# %%
lenet = LeNet()
with torch.device("meta"):  # shapes without numbers: even the largest network takes no memory
    alexnet = AlexNet()
print(f"LeNet   {count_parameters(lenet):>12,}")
print(f"AlexNet {count_parameters(alexnet):>12,}")
parts = {"convolutions": count_parameters(alexnet.backbone), "full layers": count_parameters(alexnet) - count_parameters(alexnet.backbone)}
print({name: f"{count / count_parameters(alexnet):.0%}" for name, count in parts.items()})

# %% [markdown]
# Nearly all of AlexNet's weights sit in the *full* layers at its end: 9,216 numbers to 4,096 is 38 million weights in one layer. Two years later
# a network did without them (section 3).
#
# ## 2. VGG: 3x3 all the way
#
# AlexNet began with 11x11 and 5x5 kernels. VGG (Simonyan and Zisserman, 2014) asked: why not 3x3 everywhere, and more of them? By hand, for C
# channels in and out:
#
# | | sees | weights | ReLUs |
# |---|---|---|---|
# | one 5x5 | 5 x 5 | 25 C² | 1 |
# | two 3x3 | 5 x 5 | 2 · 9 C² = 18 C² | 2 |
# | one 7x7 | 7 x 7 | 49 C² | 1 |
# | three 3x3 | 7 x 7 | 27 C² | 3 |
#
# The same view, fewer weights, more bends. So VGG is one block, five times: some 3x3 convolutions, each with ReLU, then a pooling that halves the
# map; and the channels double.
#
# Here is the **block** (블록) of every family in this notebook, data flowing downwards. For now look at the first; come back to the picture in each section.

# %%
show_blocks()

# %% [markdown]
# ### Exercise: vgg_block
# *difficulty 2 of 5 · importance 3 of 5 · about 10 minutes*
#
# Build it with `nn.Conv2d`, `nn.ReLU`, `nn.MaxPool2d` in an `nn.Sequential`. Only the first convolution changes the number of channels.


# %% exercise="09.vgg_block"
def vgg_block(in_channels: int, out_channels: int, count: int) -> nn.Sequential:
    """`count` convolutions 3x3 that keep the map's size, each followed by ReLU, then a max pooling that halves it."""
    ### BEGIN SOLUTION
    layers = []
    for number in range(count):
        layers += [nn.Conv2d(in_channels if number == 0 else out_channels, out_channels, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))
    ### END SOLUTION


vgg_block = check("09.vgg_block", vgg_block)

# %%
x = torch.zeros(1, 3, 224, 224, device="meta")
channels = 3
with torch.device("meta"):
    for out, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):  # VGG-16
        block = vgg_block(channels, out, count)
        x, channels = block(x), out
        print(f"{count} convolutions to {out:>3} channels: map {tuple(x.shape)}, {count_parameters(block):>9,} parameters")

# %% [markdown]
# 13 convolutions and three full layers: 16 layers with weights, hence VGG-16. It is simple, and enormous: 138 million parameters, of which the first
# full layer alone has 103 million.
#
# ## 3. Inception: several views at once
#
# In the same year GoogLeNet won with far fewer parameters than AlexNet (Szegedy and others, 2014). Its block looks at the same map in four ways side
# by side: 1x1, 3x3, 5x5 and a pooling, and lays the results behind each other. The trick that makes it affordable is the **1x1 convolution** in front
# of the large ones, which mixes many channels down to a few. Work is counted in **multiply-adds** (곱셈-덧셈): one product, added to a sum; a convolution
# makes one for each weight at each place of its output. By hand, for the 5x5 of its block 3a, 192 channels to 32 on a map of 28 x 28:
#
# | | multiply-adds |
# |---|---|
# | 5x5 directly | 28² · 25 · 192 · 32 = 120 million |
# | 1x1 to 16, then 5x5 | 28² · (192 · 16 + 25 · 16 · 32) = 12.4 million |

# %%
direct, reduced = 28**2 * 25 * 192 * 32, 28**2 * (192 * 16 + 25 * 16 * 32)
print(f"{direct / 1e6:.1f} against {reduced / 1e6:.1f} million: {direct / reduced:.1f} times less")

# %% [markdown]
# The four **branches** (가지) of block 3a, with the widths of the paper's Table 1:
#
# | branch | channels out | weights by hand |
# |---|---|---|
# | 1x1 | 64 | 192 · 64 = 12,288 |
# | 1x1 to 96, then 3x3 | 128 | 192 · 96 + 9 · 96 · 128 = 129,024 |
# | 1x1 to 16, then 5x5 | 32 | 192 · 16 + 25 · 16 · 32 = 15,872 |
# | max pooling 3x3 with stride 1, then 1x1 | 32 | 192 · 32 = 6,144 |
# | behind each other | **256** | **163,328** |
#
# Every branch keeps the map's size, or the results could not be laid behind each other. The network need not choose a kernel size: it learns how much to
# take from each. Look:

# %%
block, feature_map = InceptionBlock(192, BLOCKS["3a"]).eval(), torch.rand(1, 192, 28, 28)
with torch.no_grad():
    for name in ("branch1", "branch2", "branch3", "branch4"):
        branch = getattr(block, name)
        kernels_only = sum(p.numel() for p in branch.parameters() if p.ndim == 4)
        print(f"{name}: {tuple(branch(feature_map).shape)}, {kernels_only:>7,} weights in its convolutions")
    print("together:", tuple(block(feature_map).shape))
with torch.device("meta"):
    googlenet = count_parameters(GoogLeNet())
print(f"all of GoogLeNet: {googlenet:,} parameters; AlexNet has {count_parameters(alexnet) / googlenet:.1f} times as many")

# %% [markdown]
# The paper says *twelve times fewer than AlexNet*. Its own Table 1 adds up to 6.8 million, and AlexNet has 60: nine times. Count before you quote.
#
# And it dropped the full layers: the mean over all places of the last map, then one small layer. Nearly everybody has done so since.
#
# ✂ *50 minutes*
#
# ## 4. Deeper is worse
#
# If VGG-19 is better than VGG-11, why not 50 layers? In 2015 everybody tried, and it failed in a strange way. Try it yourself: plain stacks of 7 and
# of 41 layers, all 3x3 convolutions with batch normalisation, on sign crops. We look at the **training** loss, so overfitting cannot be the reason.

# %%
predict(
    "09.q1",
    "A plain network of 41 layers and one of 7, the same number of steps. Which reaches the lower training loss?",
    ["the one of 41: it can do all that the other can", "the one of 7", "they are equal"],
)


# %%
class Stack(nn.Module):
    """A convolution to `width` channels, then pairs of convolutions with batch normalisation, with or without a way around each pair."""

    def __init__(self, depth: int, shortcut: bool, width: int = 12, classes: int = 16):
        super().__init__()
        self.shortcut = shortcut
        self.pixels, self.stem = Pixels(0.45, 0.25), nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.pairs = nn.ModuleList(nn.Sequential(self.layer(width), nn.ReLU(), self.layer(width)) for _ in range((depth - 1) // 2))
        self.head = nn.Linear(width, classes)

    @staticmethod
    def layer(width: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, images: Tensor) -> Tensor:
        x = torch.relu(self.stem(self.pixels(images)))
        for pair in self.pairs:
            x = torch.relu(x + pair(x) if self.shortcut else pair(x))
        return self.head(x.mean(dim=(2, 3)))


train = labelled_images("signs", "train", size=24, length=at(smoke=32, quick=640, full=1000))
test = labelled_images("signs", "test", size=24, length=at(smoke=32, quick=320, full=500))


def losses_of(depth: int, shortcut: bool, seed: int) -> list[float]:
    """Training loss of each epoch."""
    torch.manual_seed(seed)
    network = Stack(depth, shortcut).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    generator = torch.Generator().manual_seed(seed)
    return [train_epoch(network, batches(train, 32, generator, device), optimizer)["loss"] for _ in range(at(smoke=1, quick=5, full=12))]


seeds = range(at(smoke=1, quick=2, full=3))
deep = at(smoke=11, quick=41, full=41)
plain = {depth: [losses_of(depth, False, seed) for seed in seeds] for depth in (7, deep)}
curves = {f"plain, {depth} layers": values for depth, values in plain.items()}
show_curves(range(1, len(plain[7][0]) + 1), curves, "Deeper, and worse: on the training images", "epoch", "training loss")

# %%
last = {depth: sum(run[-1] for run in runs) / len(runs) for depth, runs in plain.items()}
reveal(
    "09.q1",
    answer=1 if last[deep] > 1.05 * last[7] else (0 if last[deep] < 0.95 * last[7] else 2),
    because=f"{last[7]:.2f} with 7 layers, {last[deep]:.2f} with {deep}.",
)
band("training loss of the deep plain network, times the shallow one's", last[deep] / last[7], at_least=1.1)

# %% [markdown]
# The deep network *could* do everything that the shallow one does: copy its first layers, and let the others pass their input on unchanged. But
# gradient descent does not find that. Passing something on unchanged is hard to learn for a stack of convolutions and ReLUs. The paper of the next
# section calls it **degradation** (성능 저하).
#
# ## 5. ResNet: learn what to add
#
# He, Zhang, Ren and Sun (2015) turned the question round. If passing on is hard to learn, make it what happens when *nothing* is learnt: let the
# block compute what to **add** to its input. This is the **residual block** (잔차 블록) with its **shortcut** (지름길 연결):
#
# out = relu( x + conv2( relu( conv1(x) ) ) )
#
# With kernels of zero the block passes on x (as far as it is positive). And the gradient has a way around: d out / d x contains a 1, whatever the
# convolutions do, so a product over 100 blocks need not vanish.
#
# Where the block halves the map or changes the channels, x does not fit. Then a 1x1 convolution with the same stride brings it into shape.
#
# ### Exercise: residual_block
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# As a function of kernels, without normalisation. The stride belongs to the first convolution and to the shortcut.


# %% exercise="09.residual_block"
def residual_block(x: Tensor, weight1: Tensor, weight2: Tensor, shortcut: Tensor | None, stride: int) -> Tensor:
    """relu(short(x) + conv2(relu(conv1(x)))) for x (N, C, H, W), weight1 (M, C, 3, 3), weight2 (O, M, 3, 3), both padded by 1.

    short(x) is x itself where shortcut is None, else its 1x1 convolution with shortcut (O, C, 1, 1) and the stride.
    """
    ### BEGIN SOLUTION
    body = conv2d(torch.relu(conv2d(x, weight1, stride=stride, padding=1)), weight2, padding=1)
    around = x if shortcut is None else conv2d(x, shortcut, stride=stride)
    return torch.relu(around + body)
    ### END SOLUTION


residual_block = check("09.residual_block", residual_block)

# %% [markdown]
# Now the same two depths, the same everything, with a shortcut around each pair:

# %%
residual = {depth: [losses_of(depth, True, seed) for seed in seeds] for depth in (7, deep)}
curves |= {f"residual, {depth} layers": values for depth, values in residual.items()}
show_curves(range(1, len(plain[7][0]) + 1), curves, "With a way around, depth helps or at least does not hurt", "epoch", "training loss")

# %%
with_shortcut = sum(run[-1] for run in residual[deep]) / len(residual[deep])
print(f"{deep} layers: plain {last[deep]:.2f}, residual {with_shortcut:.2f}, with the same number of weights")
band("training loss, deep: residual over plain", with_shortcut / last[deep], at_most=0.85)

# %% [markdown]
# > **Myth**: *"ResNet is better because it has more parameters."* The two deep networks above have exactly the same parameters: the shortcut has
# > none. And look at the published ones:

# %%
from torchvision.models import get_model_weights

published = {}
for name, network in (("vgg16", lambda: VGG(depth=16)), ("resnet18", ResNet), ("resnet50", lambda: ResNet(depth=50))):
    with torch.device("meta"):
        count = count_parameters(network())
    published[name] = get_model_weights(name)["IMAGENET1K_V1"].meta["_metrics"]["ImageNet-1K"]["acc@1"]
    print(f"{name:>9}: {count:>11,} parameters, ImageNet top-1 {published[name]:.1f} %")
assert published["resnet50"] > published["vgg16"]

# %% [markdown]
# ResNet-50 has less than a fifth of VGG-16's weights and is better by several points. For depths from 50 on the block is a **bottleneck** (병목): 1x1
# to a quarter of the channels, 3x3 there, 1x1 back.
#
# ✂ *50 minutes*
#
# ## 6. A bug to find
#
# Somebody built a chain of residual blocks by hand. It runs. The loss of a deep one is huge at the first step, and becomes nan soon after. Here is
# what happens to the numbers inside:


# %%
def chain_with_a_bug(x, pairs):
    for weight1, weight2 in pairs:
        x = x + torch.relu(conv2d(torch.relu(conv2d(x, weight1, padding=1)), weight2, padding=1))
    return x


generator = torch.Generator().manual_seed(0)
kernels = [(torch.randn(8, 8, 3, 3, generator=generator) * 0.08, torch.randn(8, 8, 3, 3, generator=generator) * 0.08) for _ in range(60)]
signal = torch.randn(4, 8, 12, 12, generator=generator)
for count in (0, 20, 40, 60):
    print(f"after {count:>2} blocks: mean {chain_with_a_bug(signal, kernels[:count]).mean():8.2f}")

# %% [markdown]
# ### Exercise: residual_chain
# *difficulty 2 of 5 · importance 3 of 5 · about 10 minutes*
#
# Can a block ever make a number *smaller*? Compare with the formula in section 5, sign by sign.


# %% exercise="09.residual_chain"
def residual_chain(x: Tensor, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Residual blocks one after another, all of one shape; kernels (C, C, 3, 3), padded by 1. No pair: x itself."""
    ### BEGIN SOLUTION
    for weight1, weight2 in pairs:
        x = torch.relu(x + conv2d(torch.relu(conv2d(x, weight1, padding=1)), weight2, padding=1))
    return x
    ### STUDENT
    # for weight1, weight2 in pairs:
    #     x = x + torch.relu(conv2d(torch.relu(conv2d(x, weight1, padding=1)), weight2, padding=1))
    # return x
    ### END SOLUTION


residual_chain = check("09.residual_chain", residual_chain)

# %%
wrong, right = (chain(signal, kernels).mean().item() for chain in (chain_with_a_bug, residual_chain))
print(f"after 60 blocks: mean {wrong:.2f} with the bug, {right:.2f} repaired")

# %% [markdown]
# Repaired, the numbers still grow a little, for nothing holds them: that is what the batch normalisation in each block is for (08).
#
# ## 7. DenseNet: everything sees everything
#
# If a way around one block is good, how about a way around *all* of them? In a **dense block** (밀집 블록; Huang and others, 2016) each layer sees the
# channels of every layer before it, and puts a few of its own behind them; how many is its **growth** (성장률). It *concatenates* (이어 붙이기) where ResNet
# adds.
#
# By hand: 64 channels in, growth 32. The layers see 64, 96, 128, 160 channels, and after four layers there are 64 + 4 · 32 = 192. Each layer is
# small, because nothing has to be repeated that is there already.
#
# ### Exercise: dense_block
# *difficulty 2 of 5 · importance 3 of 5 · about 10 minutes*


# %% exercise="09.dense_block"
def dense_block(x: Tensor, weights: list[Tensor]) -> Tensor:
    """x (N, C, H, W); kernels (G, C, 3, 3), (G, C + G, 3, 3) ... -> (N, C + G * len(weights), H, W): x first, then the new channels in order.

    Each new map is relu(conv(everything so far)), padded by 1.
    """
    ### BEGIN SOLUTION
    for weight in weights:
        new = torch.relu(conv2d(x, weight, padding=1))
        x = torch.cat([x, new], dim=1)
    return x
    ### END SOLUTION


dense_block = check("09.dense_block", dense_block)

# %%
with torch.device("meta"):
    densenet, resnet = DenseNet(depth=121), ResNet(depth=50)
print(f"DenseNet-121 {count_parameters(densenet):>11,} parameters\nResNet-50    {count_parameters(resnet):>11,} parameters")

# %% [markdown]
# A third of ResNet-50's weights at nearly its accuracy. It has a price that no parameter count shows: all those channels are written, kept and read
# again. Notebook 10 takes the stopwatch to it.
#
# ## 8. Squeeze and excite: which channels matter here?
#
# In a picture of a stop sign the "red" channels matter, in one of a parking sign the "blue" ones. **Squeeze-and-excitation** (스퀴즈·익사이테이션; Hu and
# others, 2017) lets the network turn each channel up or down, for each image anew:
#
# 1. **Squeeze**: the mean of each channel over all places. C numbers that say what is in the picture.
# 2. **Excite**: two tiny layers make C numbers between 0 and 1 of them: ReLU after the first, sigmoid after the second.
# 3. Multiply each channel by its number.
#
# By hand, with all weights 0: the sigmoid of 0 is 0.5, so every channel is halved. With a bias of 9 it is 0.9999, with -9 it is 0.0001: a gate (게이트)
# that is open or shut.
#
# ### Exercise: squeeze_excite
# *difficulty 2 of 5 · importance 3 of 5 · about 15 minutes*


# %% exercise="09.squeeze_excite"
def squeeze_excite(x: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor) -> Tensor:
    """x (N, C, H, W), weight1 (S, C), bias1 (S,), weight2 (C, S), bias2 (C,) -> x, each channel of each image times its gate in 0..1."""
    ### BEGIN SOLUTION
    mean = x.mean(dim=(2, 3))  # (N, C)
    hidden = torch.relu(mean @ weight1.T + bias1)  # (N, S)
    gate = torch.sigmoid(hidden @ weight2.T + bias2)  # (N, C)
    return x * gate[:, :, None, None]
    ### END SOLUTION


squeeze_excite = check("09.squeeze_excite", squeeze_excite)

# %%
module = SqueezeExcite(8, 2)
feature_map = torch.randn(2, 8, 5, 5)
flat = [module.squeeze.weight[:, :, 0, 0], module.squeeze.bias, module.excite.weight[:, :, 0, 0], module.excite.bias]
torch.testing.assert_close(squeeze_excite(feature_map, *flat), module(feature_map))
with torch.device("meta"):
    added = count_parameters(ResNet(depth=50, squeeze_excite=True)) - count_parameters(ResNet(depth=50))
print(f"in every block of a ResNet-50: {added:,} parameters more, {added / count_parameters(resnet):.0%}")

# %% [markdown]
# ### Wide, and grouped
#
# Two more ways to spend work on a residual network. **Wide ResNet** (2016): more channels in each block, and if need be fewer blocks; wide layers
# keep a GPU busier than many thin ones. **ResNeXt** (2016): cut the 3x3 of each bottleneck into 32 **groups** (그룹) that do not see each other, and
# make it wider for the work that is saved.
#
# By hand, the 3x3 of the first blocks. ResNet-50: 64 channels, 64 · 64 · 9 = 36,864 weights. ResNeXt-50: 128 channels in 32 groups of 4, so each
# kernel is 4 deep: 128 · 4 · 9 = **4,608**. Wide ResNet-50-2: 128 channels, no groups: 128 · 128 · 9 = **147,456**. So ResNeXt gets its width for
# about the same work, and the wide one pays for it:

# %%
for name, make in (
    ("ResNet-50", lambda: ResNet(depth=50)),
    ("ResNeXt-50, 32 groups", resnext50),
    ("wide ResNet-50-2", lambda: ResNet(depth=50, group_width=128)),
):
    with torch.device("meta"):
        network = make()
    print(
        f"{name:>22}: {count_parameters(network) / 1e6:5.1f} M parameters, {sum(r.multiply_adds for r in cost.layer_costs(network)) / 1e9:5.2f} billion multiply-adds"
    )

# %% [markdown]
# Published top-1 accuracy, all three with torchvision's first recipe: 76.1, 77.6 and 78.5 %. ResNeXt is better for the same work; the wide one is better
# still, for nearly three times the work.
#
# ✂ *50 minutes*
#
# ## 9. Reading a paper's table
#
# The famous Table 1 of the ResNet paper says for 18 layers: *conv2_x: [3x3, 64; 3x3, 64] x 2*, output 56 x 56, and at the bottom *FLOPs: 1.8 · 10⁹*
# (by which it means multiply-adds). You can check every line of it:

# %%
rows = cost.layer_costs(ResNet(depth=18))
for stage in ("stem", "stage1", "stage2", "stage3", "stage4", "head"):
    mine = [r for r in rows if stage in r.name and r.multiply_adds]
    print(
        f"{stage:>7}: {len(mine)} layers, last map {mine[-1].shape}, {sum(r.multiply_adds for r in mine) / 1e6:>6.0f} million multiply-adds"
    )
total = sum(r.multiply_adds for r in rows) / 1e9
print(f"in all: {total:.2f} billion; the paper says 1.8")
band("ResNet-18, billion multiply-adds", total, at_least=1.75, at_most=1.85)

# %% [markdown]
# Do it for ResNet-50 and you get 4.09, where the paper says 3.8. Neither is wrong. The paper's block had its stride in the first 1x1; everybody's
# code since has it in the 3x3, which costs a little more and is a little better. **A name is not a network.** When two papers compare with
# "ResNet-50", look whether they mean the same one, trained in the same way.
#
# A table of **results** wants the same care. Four rows of the ResNet paper's Table 3, on ImageNet's validation images:
#
# | | top-1 error, % | top-5 error, % |
# |---|---|---|
# | VGG-16 | 28.07 | 9.33 |
# | plain, 34 layers | 28.54 | 10.02 |
# | ResNet-34 (1x1 shortcuts where the shape changes) | 24.52 | 7.46 |
# | ResNet-50 | 22.85 | 6.71 |
#
# Read the caption first. It is the *error* (오류율), so smaller is better: ResNet-50 is right on 100 - 22.85 = 77.15 %. Above you saw 76.1 for it. The
# caption says why: **10-crop testing**, the mean answer over ten cut-outs of each image (four corners and the middle, each mirrored as well), which costs
# ten times as much. The zoo's number is from one crop. And look at plain and residual with 34 layers: section 5, at the size of ImageNet.
#
# And which counts does our package hold itself to? The papers round: 60 million (AlexNet), 138 million (VGG-16), 25.5 and 25.0 million (ResNet-50 and
# ResNeXt-50, in the ResNeXt paper). The code that everybody uses is exact:

# %%
known = {
    "AlexNet": (AlexNet, 61_100_840),
    "VGG-16": (lambda: VGG(depth=16), 138_357_544),
    "ResNet-18": (ResNet, 11_689_512),
    "ResNet-50": (lambda: ResNet(depth=50), 25_557_032),
    "ResNeXt-50": (resnext50, 25_028_904),
    "DenseNet-121": (DenseNet, 7_978_856),
}
for name, (make, expected) in known.items():
    with torch.device("meta"):
        count = count_parameters(make())
    print(f"{name:>13}: {count:>11,}")
    assert count == expected, f"{name} must have {expected:,} parameters"

# %% [markdown]
# **Top-1 and top-5** (06) by hand: scores (0.1, 0.4, 0.2, 0.3) for classes 0 to 3, the truth is 3. Top-1 says class 1: wrong. Top-2 says 1 and 3: right.
#
# **Model zoos** (모델 저장소, collections of trained networks): torchvision, timm, Hugging Face. They give code *and* weights, and each set of weights has
# a card: data, settings, accuracy, licence. torchvision's are listed without a network:

# %%
from torchvision import models

zoo = models.list_models(module=models)
print(len(zoo), "classifiers, among them", ", ".join(zoo[:5]), "...")
weights = get_model_weights("resnet50")
for entry in weights:
    measured = entry.meta["_metrics"]["ImageNet-1K"]
    print(f"{entry.name}: top-1 {measured['acc@1']:.1f} %, top-5 {measured['acc@5']:.1f} %")

# %% [markdown]
# The same network, the same data, two sets of weights, several points apart: the second was trained longer and with more augmentation. Between two
# papers from different years that difference is often larger than the difference between their architectures.
#
# **What training cost**, as the papers tell it:
#
# | | year | hardware | time | card hours, by hand |
# |---|---|---|---|---|
# | AlexNet | 2012 | two GTX 580 with 3 GB each | five to six days | 2 · 5.5 · 24 = 264 |
# | VGG | 2014 | four Titan Black | two to three weeks | 4 · 17.5 · 24 = 1,680 |
# | ResNet-50 (Goyal and others) | 2017 | 256 P100 | one hour | 256 |
# | ResNet-50 (fast.ai, to 93 % top-5) | 2018 | 128 V100, rented for about 40 dollars | 18 minutes | 128 · 0.3 = 38 |
#
# AlexNet and the ResNet of 2017 took about as many card hours: the work was spread, over cards that had become faster. Then still faster cards,
# 16-bit numbers and smaller images at the start of training made it cheaper.
#
# ### Exercise: training_hours
# *difficulty 1 of 5 · importance 3 of 5 · about 10 minutes*
#
# Can we foretell such an hour? A forward pass makes so many multiply-adds for an image. The backward pass makes about *twice* as many, because it computes
# two gradients of each layer: that of its weights, and that of the map that came in. So a training makes 3 times the forward pass, for each image, in each
# epoch, and the machines share it.
#
# | ResNet-50, 4.09 · 10⁹ multiply-adds, 1,281,167 images, 90 epochs | hours |
# |---|---|
# | in all 3 · 4.09 · 10⁹ · 1,281,167 · 90 = 1.41 · 10¹⁸, by 256 cards that each do 1.5 · 10¹² a second | 1.02 |
# | by one such card | 262 |
#
# So each of the 256 cards did 1.5 · 10¹², or 3 · 10¹² operations, a second. The P100's data sheet promises 10.6 · 10¹²: under a third of it arrived, and
# for a training that is not bad.


# %% exercise="09.training_hours"
def training_hours(multiply_adds: float, images: int, epochs: int, machines: int, per_second: float) -> float:
    """Hours for a training: multiply_adds for one image forward, per_second what one machine does; the backward pass costs two forward ones."""
    ### BEGIN SOLUTION
    work = 3 * multiply_adds * images * epochs
    return work / (machines * per_second) / 3600
    ### END SOLUTION


training_hours = check("09.training_hours", training_hours)

# %% [markdown]
# And on *this* machine? We time one step of a ResNet-50 and work out the rest:

# %%
resnet50, side = ResNet(depth=50), at(smoke=64, quick=224, full=224)
work = sum(r.multiply_adds for r in cost.layer_costs(resnet50, (3, side, side)))
resnet50, images = resnet50.to(device), torch.rand(at(smoke=1, quick=1, full=8), 3, side, side, device=device)
for _ in range(2):  # the first one only warms up
    began = time.perf_counter()
    loss = resnet50(images).square().mean()
    loss.backward()
    loss.item(), resnet50.head.weight.grad.sum().item()  # a GPU is waited for (10)
    seconds = time.perf_counter() - began
per_second = 3 * work * len(images) / seconds
days = training_hours(4.09e9, 1_281_167, 90, 1, per_second) / 24
print(f"{per_second / 1e9:.0f} billion multiply-adds a second here: the 90 epochs would take {days:,.0f} days")
del resnet50

# %% [markdown]
# That is why we train small networks on small images here, and why people start from weights that others have paid for (12).
#
# ## 10. Side by side, at equal time
#
# Last, the experiment that one would like to see in papers: every family at a small width on our signs, each for **the same number of seconds** on
# the same machine.

# %%
predict(
    "09.q2",
    "Small versions of six families, trained on signs for the same few seconds each. Will the order be that of their ImageNet accuracy?",
    ["yes, nearly", "no", "they all end up alike"],
)

# %%
small = {
    "alexnet": lambda: AlexNet(16, width=0.25, small_images=True),
    "vgg11": lambda: VGG(16, depth=11, width=0.125, batch_norm=True, small_images=True),
    "googlenet": lambda: GoogLeNet(16, width=0.25),
    "resnet18": lambda: ResNet(16, depth=18, width=0.25),
    "resnext50_32x4d": lambda: resnext50(16, width=0.25, groups=8),
    "densenet121": lambda: DenseNet(16, width=0.25),
}
chosen = at(smoke=["resnet18"], quick=list(small), full=list(small))
signs, signs_test = (
    labelled_images("signs", split, length=n)
    for split, n in (("train", at(smoke=32, quick=800, full=2000)), ("test", at(smoke=32, quick=320, full=500)))
)


def accuracy_within(make, seconds: float, seed: int) -> tuple[float, int]:
    """Test accuracy after so many seconds of training steps, and how many steps these were."""
    torch.manual_seed(seed)
    network = nn.Sequential(Pixels(0.45, 0.25), make()).to(device).train()
    optimizer, generator = torch.optim.Adam(network.parameters(), lr=2e-3), torch.Generator().manual_seed(seed)
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for images, labels in batches(signs, 32, generator, device):
            loss = nn.functional.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps += 1
            if time.perf_counter() - began >= seconds:
                break
    return evaluate(network, batches(signs_test, 128, device=device))["accuracy"], steps


budget = at(smoke=0.1, quick=1.4, full=5.0)
here, steps_of = {}, {}
for name in chosen:
    runs = [accuracy_within(small[name], budget, seed) for seed in range(at(smoke=1, quick=2, full=3))]
    here[name] = [accuracy for accuracy, _ in runs]
    steps_of[name] = sum(steps for _, steps in runs) / len(runs)
    print(f"{name:>16}: {steps_of[name]:>4.0f} steps, test accuracy " + ", ".join(f"{a:.3f}" for a in here[name]))

# %%
top1 = {name: get_model_weights(name)["IMAGENET1K_V1"].meta["_metrics"]["ImageNet-1K"]["acc@1"] for name in chosen}
show_two_rankings(top1, here, f"{budget:g} seconds of training each, against ImageNet")

# %%
means = {name: sum(values) / len(values) for name, values in here.items()}
pairs = [(a, b) for a in chosen for b in chosen if top1[a] < top1[b]]
agree = sum(means[a] < means[b] for a, b in pairs) / max(1, len(pairs))
spread = max(means.values()) - min(means.values())
reveal(
    "09.q2",
    answer=2 if spread < 0.05 else (0 if agree > 0.8 else 1),
    because=f"{agree:.0%} of the pairs stand in the same order in both rankings; 50 % is what a coin would give.",
)
band("the best of them, test accuracy", max(means.values()), at_least=0.4)

# %% [markdown]
# Why do the two rankings differ?
#
# - **Time against convergence.** ImageNet's numbers are those after days. Here a network that makes many cheap steps has a lead: compare the steps printed
#   above. A step of a deep network with many small layers takes long, even where it computes little (10).
# - **Little data, small images, few classes.** Depth pays where there is much to tell apart.
# - **Width.** These have a quarter of the published channels (VGG an eighth): they are not the networks whose accuracy is on the other axis.
# - **Noise.** Look at the bars before you believe an order.
#
# So take published accuracy as what it is: evidence about ImageNet, with *that* recipe. For your own problem, measure.
#
# ## Summary
#
# | network | year | its idea |
# |---|---|---|
# | AlexNet | 2012 | large and deep on GPUs, with ReLU, dropout and augmentation |
# | VGG | 2014 | 3x3 all the way |
# | GoogLeNet | 2014 | several views side by side, 1x1 to pay for it, no full layers |
# | ResNet | 2015 | learn what to add; depth becomes trainable |
# | DenseNet | 2016 | keep everything, add a little |
# | Wide ResNet, ResNeXt | 2016 | wider, grouped |
# | SE | 2017 | turn channels up and down for each image |
#
# ### Do you still know?
#
# <details><summary>How many weights have three 3x3 convolutions of 64 channels, without bias, and how many one 7x7?</summary>
#
# 3 · 9 · 64² = 110,592, and 49 · 64² = 200,704. Both see 7 x 7.
# </details>
#
# <details><summary>A residual block has kernels of zero. What comes out for x = (-1, 2)?</summary>
#
# relu(x + 0) = (0, 2).
# </details>
#
# <details><summary>A dense block with 48 channels in, growth 12 and 5 layers: how many channels come out?</summary>
#
# 48 + 5 · 12 = 108.
# </details>
#
# <details><summary>Two papers both compare with ResNet-50 and report 76.1 % and 80.9 %. Who is lying?</summary>
#
# Nobody. Those are two recipes for the same network.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message | what happened |
# |---|---|
# | `The size of tensor a (28) must match the size of tensor b (56)` in an addition | the shortcut has no stride, or the body has one too many |
# | `Sizes of tensors must match except in dimension 0` | `torch.cat` without `dim=1`: it lays images, not channels, behind each other |
# | `Boolean value of Tensor with more than one value is ambiguous` | `shortcut or x`: ask `shortcut is None` |
# | `Kernel size can't be greater than actual input size` | the map has shrunk away: padding forgotten |
# | `Sizes of tensors must match except in dimension 1` | a concatenation of maps of different size: padding forgotten in one branch |
# | `Given groups=1, weight of size [64, 3, 3, 3], expected input to have 3 channels` | each block takes what the one before gives: print the shapes |
# | `mat1 and mat2 shapes cannot be multiplied` at the first full layer | an image of another size than it was built for; a mean over places avoids it |
# | the same in `squeeze_excite` | torch keeps a layer's weights as (out, in), so `mean @ weight1.T` |
# | no message, numbers that grow from block to block | an activation on the wrong side of the addition, or no normalisation |
#
# ### Where to read more
#
# - Krizhevsky, Sutskever and Hinton 2012, *ImageNet Classification with Deep Convolutional Neural Networks*
# - Simonyan and Zisserman 2014, arXiv 1409.1556; Szegedy et al. 2014, arXiv 1409.4842
# - He, Zhang, Ren and Sun 2015, *Deep Residual Learning for Image Recognition*, arXiv 1512.03385: a model of how to write a paper
# - Huang et al. 2016, arXiv 1608.06993; Hu et al. 2017, arXiv 1709.01507; Xie et al. 2016 (ResNeXt), arXiv 1611.05431;
#   Zagoruyko and Komodakis 2016 (wide), arXiv 1605.07146; Goyal et al. 2017 (one hour), arXiv 1706.02677;
#   [fast.ai: ImageNet in 18 minutes](https://www.fast.ai/posts/2018-08-10-fastai-diu-imagenet.html)
# - `coursekit/models/`: each of them, a file of its own
#
# **Next**: 10 asks what all of this costs.
