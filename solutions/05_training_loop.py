# %% [markdown]
# # 05 · The training loop: five lines, and what keeps them honest
#
# Everything in this course that learns, from ten digits to a detector, learns by the same five lines, repeated a few thousand times. They are short,
# and each of them can go wrong without an error message. In this notebook you build a network from one neuron up, write the loop that trains it, and
# put around it what people who train for a living never leave out: a test before the training, a measurement beside it, a log, a way to stop, and a
# file that survives a power cut.
#
# | you will learn | you will build |
# |---|---|
# | from one neuron to a multi-layer perceptron, and why the bend between two layers is everything | |
# | sigmoid, tanh, ReLU, Leaky ReLU: what they pass on, and what comes back through them | `leaky_relu`, with its derivative |
# | forward, loss, zero_grad, backward, step | `train_epoch` |
# | the cheapest test of a network that there is | `overfit_one_batch` |
# | validation: eval mode, no gradients, honest means; reading curves aloud | `evaluate` |
# | logging, a schedule, stopping early, keeping the best | `EarlyStopping` |
# | saving in three ways, why a stranger's file can be dangerous, resuming to the last bit | |
# | a baseline, for this network and for your project | |
# | a loss that cannot fall | `train_step`, repaired |
#
# **Time** about 40 seconds of computing on two CPU cores; about three and a half hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you know tensors (01), cross-entropy and gradients (02), optimisers (03), and why data is split (04).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("05_training_loop")

# %%
import contextlib
import copy
import io
import math
import pickle
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from coursekit.data.labelled import Labelled, labelled_images
from coursekit.models.layers import Pixels
from coursekit.models.mlp import MLP
from coursekit.plots.images import show_images
from coursekit.plots.seeds import show_seeds
from coursekit.plots.training import show_activations, show_history, show_regions, show_small_network, values_and_slopes
from coursekit.plots.yolo import show_curves
from coursekit.project.steps import save_step
from coursekit.training.baseline import MajorityClass, NearestCentroid
from coursekit.training.callbacks import BestCheckpoint, CsvLog, load_training, save_training
from coursekit.training.checkpoint import load_checkpoint, save_checkpoint
from coursekit.training.classifier import batches, predict_all
from coursekit.training.device import choose_device

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>02: A network of ten classes knows nothing yet and gives each the probability 1/10. What is its cross-entropy?</summary>
#
# -ln(1/10) = ln 10 = 2.303. Keep this number in mind: it is where every training of ten classes begins.
# </details>
#
# <details><summary>03: 1,257 images, batches of 64. How many steps does one epoch take, and how many do 30 epochs?</summary>
#
# 1,257 / 64 = 19.6, so 20 steps, the last with the 41 images that are left. 30 epochs are 600 steps.
# </details>
#
# <details><summary>04: Why is the test set looked at once, at the very end?</summary>
#
# Whatever you choose by looking at it (a learning rate, a network, an epoch) fits it a little. After that it is no test any more. We choose on
# validation.
# </details>
#
# ## 1. One neuron
#
# A **neuron** (뉴런) is less than its name promises. It multiplies each input by a **weight** (가중치), adds everything up, and adds a **bias** (편향):
#
# z = w₁·x₁ + w₂·x₂ + b
#
# By hand: x = (1, 0), w = (1, 1), b = -0.5 gives z = 1·1 + 1·0 - 0.5 = **0.5**. Let "above 0" mean yes. The points with z = 0 lie on a straight line,
# so a neuron cuts the plane in two with one straight cut. Here it answers the question *is x₁ or x₂ on?* for all four cases:

# %%
points = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
neuron = nn.Linear(2, 1)  # two inputs, one output: a single neuron
with torch.no_grad():
    neuron.weight.copy_(torch.tensor([[1.0, 1.0]]))
    neuron.bias.fill_(-0.5)
print("weight", tuple(neuron.weight.shape), " bias", tuple(neuron.bias.shape))
print("z of the four points:", neuron(points)[:, 0].tolist())

# %% [markdown]
# Now a harder question: *is x₁ or x₂ on, but not both?* It is called XOR (배타적 논리합). Yes for (0, 1) and (1, 0), no for (0, 0) and (1, 1).

# %%
predict(
    "05.q1",
    "With the best weights in the world, how many of the four XOR points can one neuron get right?",
    ["2", "3", "all 4"],
)

# %%
xor = torch.tensor([0, 1, 1, 0])
generator = torch.Generator().manual_seed(0)
weights = torch.randn(at(smoke=2000, quick=20_000, full=20_000), 2, generator=generator)
biases = torch.randn(len(weights), generator=generator)
said = (points @ weights.T + biases > 0).long()  # (4, 20000): what each of many random neurons says
right = (said == xor[:, None]).sum(dim=0)  # (20000,)
print("neurons with 0, 1, 2, 3, 4 points right:", torch.bincount(right, minlength=5).tolist())

# %%
reveal("05.q1", answer=int(right.max()) - 2, because=f"of {len(weights):,} random neurons the best get {int(right.max())} of 4.")
assert right.max() == 3

# %% [markdown]
# No luck will ever give 4: no straight line has (0, 1) and (1, 0) on one side and the other two on the other. But *two* neurons, and a third that reads
# their answers, can do it, if something bends in between. `relu(z)` is z where z is above 0, and 0 elsewhere:
#
# - h₁ = relu(x₁ + x₂)
# - h₂ = relu(x₁ + x₂ - 1)
# - z = h₁ - 2·h₂ - 0.5
#
# | x | h₁ | h₂ | z | says |
# |---|---|---|---|---|
# | (0, 0) | 0 | 0 | -0.5 | no |
# | (0, 1) | 1 | 0 | 0.5 | yes |
# | (1, 0) | 1 | 0 | 0.5 | yes |
# | (1, 1) | 2 | 1 | 2 - 2 - 0.5 = -0.5 | no |

# %%
W1, b1 = torch.tensor([[1.0, 1.0], [1.0, 1.0]]), torch.tensor([0.0, -1.0])
W2, b2 = torch.tensor([[1.0, -2.0]]), torch.tensor([-0.5])


def three_neurons(x):
    hidden = torch.relu(x @ W1.T + b1)  # (N, 2) -> (N, 2)
    return hidden @ W2.T + b2  # (N, 2) -> (N, 1)


print("z of the four points:", three_neurons(points)[:, 0].tolist())
assert ((three_neurons(points)[:, 0] > 0).long() == xor).all()

# %%
show_small_network([W1, W2], [b1, b2], "Three neurons solve XOR (weights on the lines, biases in the circles)")

# %%
show_regions({"one neuron": neuron, "three neurons": three_neurons}, points, xor, "One cut, and two")

# %% [markdown]
# That is a **multi-layer perceptron** (MLP, 다층 퍼셉트론): neurons in **layers** (층), each reading all outputs of the layer before (**fully connected**, 완전
# 연결). The layers between input and output are **hidden** (은닉층), and what bends between them is the **activation function** (활성화 함수). A forward pass is
# two matrix products and a bend; nothing else happens in there.
#
# ### Without the bend, ten layers are one layer
#
# Take `relu` out of the three neurons and calculate: (x₁ + x₂) - 2·(x₁ + x₂ - 1) - 0.5 = **-x₁ - x₂ + 1.5**. One neuron with weights (-1, -1) and bias
# 1.5. Two layers, and nothing gained. It is so for any number: W₂(W₁x) = (W₂W₁)x, and W₂W₁ is just another matrix. Measured with ten layers of 64
# neurons:

# %%
torch.manual_seed(0)
ten = nn.Sequential(*[nn.Linear(64, 64) for _ in range(10)])
weight, bias = torch.eye(64), torch.zeros(64)
with torch.no_grad():
    for layer in ten:
        weight, bias = layer.weight @ weight, layer.weight @ bias + layer.bias
    x = torch.randn(100, 64)
    difference = (ten(x) - (x @ weight.T + bias)).abs().max().item()
print(f"ten layers: {sum(p.numel() for p in ten.parameters()):,} numbers; one layer: {weight.numel() + bias.numel():,}")
print(f"largest difference between their answers: {difference:.1e}")
band("ten linear layers against one", difference, at_most=1e-5)

# %% [markdown]
# Ten times the numbers, ten times the work, and not one function more.
#
# ## 2. Four activations, and their slopes
#
# An activation is looked at twice: going forward it decides what is passed on, and going backward (02: chain rule) the gradient is multiplied by its
# **slope**.
#
# | name | formula | output | slope |
# |---|---|---|---|
# | **sigmoid** (시그모이드) σ | 1 / (1 + e^-z) | 0 to 1 | σ·(1 - σ) |
# | **tanh** (쌍곡탄젠트) | (e^z - e^-z) / (e^z + e^-z) | -1 to 1 | 1 - tanh² |
# | **ReLU** (렐루) | max(0, z) | 0 and up | 1 above 0, else 0 |
# | **Leaky ReLU** (리키 렐루) | z above 0, else a·z | everything | 1 above 0, else a |
#
# By hand, the sigmoid at z = 0: σ = 1/2, slope 1/2 · 1/2 = **0.25**. At z = 4: σ = 0.982, slope 0.982 · 0.018 = **0.018**. It is steepest in the
# middle, and even there it is only a quarter.
#
# ### Exercise: leaky_relu
# *difficulty 1 of 5 · importance 3 of 5 · about 10 minutes*
#
# Give back two tensors: the values, and the slope at each of them. At z = 0 the curve has a corner and no slope; torch takes that of the left side
# there, and so do we.
#
# | z | value (a = 0.1) | slope |
# |---|---|---|
# | 2 | 2 | 1 |
# | 0 | 0 | 0.1 |
# | -2 | -0.2 | 0.1 |


# %% exercise="05.leaky_relu"
def leaky_relu(x: Tensor, slope: float = 0.01) -> tuple[Tensor, Tensor]:
    """Floats of any shape -> (x above 0, slope * x elsewhere), (1 above 0, slope elsewhere); both of x's shape."""
    ### BEGIN SOLUTION
    steepness = torch.where(x > 0, 1.0, slope)
    return steepness * x, steepness
    ### END SOLUTION


leaky_relu = check("05.leaky_relu", leaky_relu)  # yours once it passes, ours until then

# %% [markdown]
# Stuck? `hint("05.leaky_relu")` helps a little, and a little more each time. `solution("05.leaky_relu")` shows ours.
#
# Is it the library's, and is the slope the one that autograd (자동 미분) finds? Compare both at 101 places, 0 among them. Then all four, drawn:

# %%
z = torch.linspace(-5, 5, 101)
values, slopes = values_and_slopes(lambda z: nn.functional.leaky_relu(z, 0.1), z)
torch.testing.assert_close(leaky_relu(z, 0.1), (values, slopes))

four = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "ReLU": torch.relu, "Leaky ReLU 0.1": lambda z: nn.functional.leaky_relu(z, 0.1)}
show_activations(four)

# %% [markdown]
# Now let a gradient travel back through ten layers. At each it is multiplied by the slope there.

# %%
predict(
    "05.q2",
    "Ten sigmoids in a row, each at its steepest. How much of the gradient arrives at the other end?",
    ["a quarter", "about a fortieth", "about a thousandth", "about a millionth"],
)

# %%
arrived = {}
for name, function in four.items():
    begin = torch.tensor(0.5, requires_grad=True)
    out = begin
    for _ in range(10):
        out = function(out)
    out.backward()
    arrived[name] = begin.grad.item()
    print(f"{name:>15}: {arrived[name]:.2e} of the gradient arrives")

# %%
reveal("05.q2", answer=3, because=f"0.25 to the tenth is {0.25**10:.1e} at best; measured here {arrived['sigmoid']:.1e}.")
assert arrived["sigmoid"] <= 0.25**10

# %% [markdown]
# That is why deep networks with sigmoids between their layers hardly learned at all: the **vanishing gradient** (기울기 소실). ReLU passes 1. Weights have a
# say too; 08 looks into that.
#
# ReLU has a weakness of its own. A neuron whose z is below 0 for *every* input gives 0, with slope 0: no gradient, no step, for ever. It is called a
# **dead ReLU** (죽은 렐루). Let one neuron learn y = x for x from 0 to 1, from a bad start, w = 1 and b = -2: all its z lie between -2 and -1. Your
# function gives value and slope, so the chain rule is one line.


# %%
def learn_a_line(a, steps=300):
    """One neuron with a Leaky ReLU of slope a (0: plain ReLU) learns y = x, from w = 1 and b = -2; returns the losses."""
    x, w, b, losses = torch.linspace(0, 1, 21), 1.0, -2.0, []
    for _ in range(steps):
        value, slope = leaky_relu(w * x + b, a)
        losses.append(((value - x) ** 2).mean().item())
        back = 2 * (value - x) * slope / len(x)  # the loss's slope, times the activation's
        w, b = w - 0.5 * (back * x).sum().item(), b - 0.5 * back.sum().item()
    return losses


# %%
dead, alive = learn_a_line(0.0), learn_a_line(0.1)
steps = range(len(dead))
show_curves({"ReLU": (steps, dead), "Leaky ReLU": (steps, alive)}, "One neuron from a bad start", "step", "loss")

# %%
band("dead ReLU: how much its loss fell", dead[0] - dead[-1], at_most=0.0)
band("Leaky ReLU: its last loss", alive[-1], at_most=0.01)

# %% [markdown]
# In a layer of 128 a few dead neurons do no harm. When many die, the learning rate is mostly too high: one huge step throws the biases far below 0.
#
# **What to use.** Between layers: ReLU first, Leaky ReLU if neurons die. Sigmoid and tanh where a number *must* lie in their range: a gate, a
# probability. After the **last** layer: nothing. What comes out are logits (로짓), and the loss takes its softmax itself (02). Keep that sentence; the
# last exercise will come back to it.
#
# ✂ *50 minutes*
#
# ## 3. A network for digits
#
# 1,797 handwritten digits of 8x8 pixels, from scikit-learn, split 70 : 15 : 15 (04). We look first:

# %%
train, val, test = (labelled_images("digits", split) for split in ("train", "val", "test"))
print("training  ", tuple(train.images.shape), train.images.dtype, " labels", tuple(train.labels.shape), train.labels.dtype)
print("validation", tuple(val.images.shape), "  test", tuple(test.images.shape))
show_images(255 - train.images[:8], train.labels[:8].tolist(), columns=8, suptitle="Eight of them", size=1.1)

# %% [markdown]
# A network in PyTorch is a class with two methods: `__init__` makes the layers, `forward` says what happens to a batch. The shapes, step by step:


# %%
class Network(nn.Module):
    """(B, 1, 8, 8) uint8 -> (B, 10) logits."""

    def __init__(self, hidden=128):
        super().__init__()
        self.first = nn.Linear(64, hidden)
        self.second = nn.Linear(hidden, 10)  # one neuron for each class

    def forward(self, images):
        flat = images.flatten(1).float() / 255  # (B, 1, 8, 8) -> (B, 64), in 0..1
        hidden = torch.relu(self.first(flat))  # (B, 64) -> (B, 128)
        return self.second(hidden)  # (B, 128) -> (B, 10)


# %%
torch.manual_seed(0)
small = Network()
logits = small(train.images[:5])
print("five images ->", tuple(logits.shape))
print("numbers to learn:", [(name, tuple(p.shape)) for name, p in small.named_parameters()])

# %% [markdown]
# Count them by hand: 64 · 128 weights and 128 biases are 8,320; 128 · 10 and 10 are 1,290. Together **9,610**. And before anything is learned the loss
# must be near ln 10 = 2.303. If it is 12, or 0.3, something is wrong already:

# %%
print("numbers to learn:", sum(p.numel() for p in small.parameters()))
first_loss = cross_entropy(small(train.images), train.labels).item()
print(f"loss of the untrained network: {first_loss:.3f}, ln 10 = {math.log(10):.3f}")
assert sum(p.numel() for p in small.parameters()) == 9610
band("untrained loss minus ln 10", abs(first_loss - math.log(10)), at_most=0.1)

# %% [markdown]
# The course has this class for any number of layers: `MLP([64, 128, 10])`. In front of it we put `Pixels`, which turns `uint8` into numbers around 0
# (01: to 0..1, minus the mean, divided by the standard deviation). The two numbers come from the *training* images, and are part of the network, so
# nobody can forget them.

# %%
device = choose_device()  # the GPU where there is one
scaled = train.images.float() / 255
mean, std = scaled.mean().item(), scaled.std().item()
print(f"mean {mean:.3f}, std {std:.3f}, computing on {device}")


def network(hidden=128, dropout=0.0, seed=0):
    """A fresh network for digits; the same seed gives the same first weights."""
    torch.manual_seed(seed)
    return nn.Sequential(Pixels(mean, std), MLP([64, hidden, 10], nn.ReLU, dropout)).to(device)


# %% [markdown]
# ## 4. One step, in five lines
#
# Before 9,610 weights, take one. The "network" is w·x, with x = 2 and the target 6, so w = 3 would be right. We start at w = 1, with a learning rate
# (학습률) of 0.1. By hand:
#
# | line | what happens | number |
# |---|---|---|
# | **forward** (순전파) | prediction = w·x | 1 · 2 = 2 |
# | **loss** (손실) | (prediction - target)² | (2 - 6)² = 16 |
# | **zero_grad** | clear the gradients of the step before | there are none yet |
# | **backward** (역전파) | gradient = 2·(prediction - target)·x | 2 · (-4) · 2 = -16 |
# | **step** | w = w - 0.1 · gradient | 1 + 1.6 = **2.6** |

# %%
w = torch.tensor(1.0, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
prediction = w * 2.0
loss = (prediction - 6.0) ** 2
optimizer.zero_grad()
loss.backward()
print(f"after backward: w = {w.item():.2f}, gradient {w.grad.item():.1f}")
optimizer.step()
print(f"after step:     w = {w.item():.2f}, gradient {w.grad.item():.1f}")

# %% [markdown]
# Read the two lines again. `backward` **changes no weight**: it writes gradients into `.grad`. `step` **computes no gradient**: it reads `.grad` and
# moves the weights. The two know nothing of each other; `.grad` is the letter box between them. And `backward` does not replace the letter in the box,
# it *adds* to it. That is what `zero_grad` is for.
#
# The second step by hand: prediction 5.2, gradient 2 · (-0.8) · 2 = -3.2, so w = 2.6 + 0.32 = 2.92. And without `zero_grad`? -16 is still there: -16 -
# 3.2 = **-19.2**, and w = 2.6 + 1.92 = 4.52. Far past the goal.

# %%
predict(
    "05.q3",
    "We take 30 steps and never clear the gradient. What does w do?",
    ["it settles at 3 sooner", "it settles at 3 later", "it swings around 3 and does not settle", "it does not move"],
)


# %%
def thirty_steps(clear):
    """Where w stands after each of 30 steps."""
    w = torch.tensor(1.0, requires_grad=True)
    optimizer, path = torch.optim.SGD([w], lr=0.1), [1.0]
    for _ in range(30):
        loss = (w * 2.0 - 6.0) ** 2
        if clear:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        path.append(w.item())
    return path


paths = {"with zero_grad": thirty_steps(True), "without": thirty_steps(False)}
show_curves({name: (range(31), path) for name, path in paths.items()}, "One weight on its way to 3", "step", "w", ylim=(0, 7))

# %%
swing = max(paths["without"][20:]) - min(paths["without"][20:])
print(f"the last ten steps: with zero_grad w stands at {paths['with zero_grad'][-1]:.3f}, without it moves to and fro over {swing:.2f}")
reveal("05.q3", answer=2, because=f"each step goes by the sum of all gradients so far; it still swings by {swing:.1f} after 20 steps.")
band("one weight, with zero_grad: distance from 3", abs(paths["with zero_grad"][-1] - 3), at_most=1e-3)
band("one weight, without: how far it still swings", swing, at_least=1.0)

# %% [markdown]
# ### Exercise: train_epoch
# *difficulty 3 of 5 · importance 5 of 5 · about 25 minutes*
#
# Once through all batches is an **epoch** (에포크). For each batch the five lines, and some counting, so that the epoch can say how it went: the mean loss
# and the share of right answers, over all *samples*, each batch as it was before its own step (so use the logits that you have).
#
# Two things to mind.
#
# - The loss of a batch is a **mean** over its samples, and batches differ in size. Batches of 3, 3 and 1 with the losses 0.2, 0.4 and 1.8: the mean of the means is 0.8, but the
#   mean over samples is (3·0.2 + 3·0.4 + 1·1.8) / 7 = **0.514**. The one sample of the last batch must not weigh as much as three.
# - `model.train()` comes first. Some layers behave differently while training (section 6 shows one), and somebody may have left the model in the other mode.
#
# The check tries your loop on a tiny network: three inputs, and a "dropout" that always drops the last of them, so that every number can be worked out
# by hand. `batches` is anything that you can loop over *once*; it may have no `len`. `loss.item()` is the loss as a plain number: without it you would
# keep the graph of every batch in memory.


# %% exercise="05.train_epoch"
def train_epoch(model: nn.Module, batches, optimizer: torch.optim.Optimizer, loss_of=cross_entropy) -> dict:
    """Once through batches of (inputs, labels), a step for each -> {"loss", "accuracy"}: plain numbers, means over all samples."""
    loss_sum, right, count = 0.0, 0, 0
    ### BEGIN SOLUTION
    model.train()
    for inputs, labels in batches:
        logits = model(inputs)
        loss = loss_of(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(labels)  # a mean times its size is a sum
        right += (logits.argmax(dim=1) == labels).sum().item()
        count += len(labels)
    ### END SOLUTION
    return {"loss": loss_sum / count, "accuracy": right / count}


train_epoch = check("05.train_epoch", train_epoch)

# %% [markdown]
# `batches(data, 64, generator, device)` goes once through a set of images, in an order drawn from the generator. Three epochs:

# %%
model = network()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
generator = torch.Generator().manual_seed(0)
for epoch in range(at(smoke=1, quick=3, full=3)):
    row = train_epoch(model, batches(train, 64, generator, device), optimizer)
    print(f"epoch {epoch}: loss {row['loss']:.3f}, accuracy {row['accuracy']:.3f}")

# %% [markdown]
# And what does the real network do without `zero_grad`? The five lines once more, with the third one on or off. Plain SGD, because there the effect is
# easiest to read; three seeds.


# %%
def losses_of(clear, seed, epochs):
    """Training loss of each epoch, with zero_grad or without."""
    model, generator, losses = network(seed=seed), torch.Generator().manual_seed(seed), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(epochs):
        each = []
        for images, labels in batches(train, 64, generator, device):
            loss = cross_entropy(model(images), labels)
            if clear:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            each.append(loss.item())
        losses.append(sum(each) / len(each))
    return losses


# %%
epochs = at(smoke=1, quick=6, full=10)
curves = {"with zero_grad": [losses_of(True, s, epochs) for s in range(3)], "without": [losses_of(False, s, epochs) for s in range(3)]}
means = {name: torch.tensor(three).mean(dim=0).tolist() for name, three in curves.items()}
show_curves({name: (range(epochs), line) for name, line in means.items()}, "Digits: mean of three seeds", "epoch", "training loss")

# %%
last = {name: [line[-1] for line in three] for name, three in curves.items()}
print("last epoch's loss, three seeds each:", {name: [round(v, 3) for v in three] for name, three in last.items()})
band("lowest loss without zero_grad minus the highest with it", min(last["without"]) - max(last["with zero_grad"]), at_least=0.1)

# %% [markdown]
# No error and no warning. For an epoch it even looks *faster*, and in the end it is worse than knowing nothing (2.30). That is what bugs in a training
# loop are like.
#
# (Adding up gradients is a tool, too. Call `backward` on four small batches, then `step` once: that is one step on a batch four times as large, for
# those whose memory holds only the small one.)
#
# ✂ *50 minutes*
#
# ## 5. First, overfit one batch
#
# Before you train for an hour, spend two seconds: give the network **one** batch, over and over. A network with 9,610 numbers can learn sixteen images
# by heart, so the loss must fall to nearly 0. If it does not, do not train. Look for the bug.
#
# ### Exercise: overfit_one_batch
# *difficulty 2 of 5 · importance 5 of 5 · about 15 minutes*
#
# Train with `torch.optim.Adam(model.parameters(), lr=lr)` for `steps` steps on the same batch, and return the loss before each step.


# %% exercise="05.overfit_one_batch"
def overfit_one_batch(model: nn.Module, inputs: Tensor, labels: Tensor, steps: int = 100, lr: float = 0.01) -> list[float]:
    """Train on one batch again and again, by Adam -> the losses, plain numbers, each from before its step."""
    losses = []
    ### BEGIN SOLUTION
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        loss = cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    ### END SOLUTION
    return losses


overfit_one_batch = check("05.overfit_one_batch", overfit_one_batch)

# %% [markdown]
# Sixteen images, and four set-ups: ours; a learning rate a thousand times too small; a network with a `Sigmoid` behind its last layer; and ours again
# with *random labels*.

# %%
predict(
    "05.q4",
    "The sixteen images get random labels. Does the loss on them still go to 0?",
    ["yes, just the same", "no, it stays near 2.3", "no, it stops about halfway"],
)

# %%
images, labels = train.images[:16].to(device), train.labels[:16].to(device)
random_labels = torch.randint(0, 10, (16,), generator=torch.Generator().manual_seed(1)).to(device)
count = at(smoke=2, quick=100, full=100)
one_batch = {
    "as it should be": overfit_one_batch(network(), images, labels, count),
    "lr 1000 times too small": overfit_one_batch(network(), images, labels, count, lr=0.00001),
    "sigmoid behind the last layer": overfit_one_batch(nn.Sequential(network(), nn.Sigmoid()), images, labels, count),
    "random labels": overfit_one_batch(network(), images, random_labels, count),
}
curves = {name: (range(count), line) for name, line in one_batch.items()}
show_curves(curves, "One batch of 16, again and again", "step", "loss", ylim=(-0.1, 4.5))

# %%
for name, line in one_batch.items():
    print(f"{name:>30}: loss {line[0]:.3f} at first, {line[-1]:.4f} at last")
halfway = one_batch["random labels"][-1]
reveal(
    "05.q4", answer=0 if halfway < 0.1 else 2, because=f"it ends at {halfway:.3f}: with enough weights anything can be learned by heart."
)
band("overfitting one batch: last loss", one_batch["as it should be"][-1], at_most=0.05)
band("random labels: last loss", one_batch["random labels"][-1], at_most=0.05)
band("a sigmoid behind the last layer: last loss", one_batch["sigmoid behind the last layer"][-1], at_least=1.0)

# %% [markdown]
# So know what this test can find. It finds what is wrong with the **network and the loop**: a rate that leads nowhere, a layer that should not be
# there, a gradient that does not arrive. It is blind to what is wrong with the **data**: nonsense is learned by heart just as well. For that you look
# at images and labels (04).
#
# ## 6. Beside the training: validation
#
# After each epoch we ask: how good is it on images that it did *not* train on? That is **validation** (검증), and two switches must be set for it.
#
# **First switch: `model.eval()`.** Some layers behave differently in training. **Dropout** (드롭아웃, see 08) sets a random half of its inputs to 0 in
# train mode, and doubles the rest; in eval mode it does nothing. Ask a network with dropout the same question twice:

# %%
forgetful = network(dropout=0.5)
one_image = val.images[:1].to(device)
for mode in (True, False):
    forgetful.train(mode)
    answers = [forgetful(one_image)[0, :3].tolist() for _ in range(2)]
    print("train mode:" if mode else "eval mode: ", [[round(v, 2) for v in a] for a in answers])
assert answers[0] == answers[1]

# %% [markdown]
# In train mode it gives two answers to one question. Whoever measures like that measures the dice, too.
#
# **Second switch: `torch.no_grad()`.** In the forward pass torch remembers every intermediate result, in case somebody calls `backward`. Nobody will,
# so we say so, and save memory and time:

# %%
with torch.no_grad():
    without = forgetful(one_image)
print("with gradients, the answer remembers how it was made:", forgetful(one_image).grad_fn)
print("without:", without.grad_fn)

# %% [markdown]
# The two are different things, and people mix them up: `eval()` changes what layers *do*, `no_grad()` changes what torch *remembers*. You want both.
#
# ### Exercise: evaluate
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# Measure, and leave no trace: the weights stay, and the model goes back into the mode in which it came (`model.training` tells which). Mean over
# samples, as before. From scratch this time.


# %% exercise="05.evaluate"
def evaluate(model: nn.Module, batches, loss_of=cross_entropy) -> dict:
    """Means over all samples, in eval mode, without gradients -> {"loss", "accuracy"}: plain numbers; the mode is as before."""
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    loss_sum, right, count = 0.0, 0, 0
    with torch.no_grad():
        for inputs, labels in batches:
            logits = model(inputs)
            loss_sum += loss_of(logits, labels).item() * len(labels)
            right += (logits.argmax(dim=1) == labels).sum().item()
            count += len(labels)
    model.train(was_training)
    return {"loss": loss_sum / count, "accuracy": right / count}
    ### END SOLUTION


evaluate = check("05.evaluate", evaluate)

# %% [markdown]
# Now both together, and a row of numbers for each epoch. This is a whole training:


# %%
def fit(model, epochs, lr=0.003, data=None, seed=0):
    """Train, measure after each epoch, and return a row of numbers for each."""
    data = train if data is None else data
    optimizer, generator, rows = torch.optim.AdamW(model.parameters(), lr=lr), torch.Generator().manual_seed(seed), []
    for epoch in range(epochs):
        trained = train_epoch(model, batches(data, 64, generator, device), optimizer)
        measured = evaluate(model, batches(val, 256, device=device))
        row = {"epoch": epoch} | {f"train/{k}": v for k, v in trained.items()} | {f"val/{k}": v for k, v in measured.items()}
        rows.append(row)
    return rows


# %%
predict(
    "05.q5",
    "In the very first epoch, which accuracy will be higher?",
    ["on the training images", "on the validation images", "both the same"],
)

# %%
rows = fit(network(), at(smoke=2, quick=25, full=40))
for row in rows[:3] + rows[-1:]:
    print(f"epoch {row['epoch']:>2}:", "  ".join(f"{name} {value:.3f}" for name, value in row.items() if "/" in name))
show_history({"MLP": rows}, "The first real training")

# %%
gain = rows[0]["val/accuracy"] - rows[0]["train/accuracy"]
reveal(
    "05.q5",
    answer=1 if gain > 0 else 0,
    because="training is counted while the weights still change, from the first batch on; validation comes after the epoch's last step.",
)
band("first epoch: validation minus training accuracy", gain, at_least=0.05)

# %% [markdown]
# ### Read curves aloud
#
# Say what you see, in words, before you conclude: *"The training loss starts at 1.5, because that is already the mean of a whole epoch, falls steeply,
# then slowly, and goes on towards 0. Validation falls with it and comes to rest at 0.06, a little above. After epoch 10 its accuracy moves up and down
# by a few images around 0.98. Nothing more is gained there."* Now four trainings. Which sentence belongs to which?
#
# | it says | what you see | what it is |
# |---|---|---|
# | *"Both losses still fall when we stop."* | both high, close together | **underfitting** (과소적합): train longer, or with a higher rate |
# | *"Training goes to 0, validation does not follow."* | a gap that grows | **overfitting** (과적합): more data, or one of the means of 08 |
# | *"It jumps up and down and gets nowhere."* | a zigzag, maybe a jump to huge numbers | learning rate too high |
# | *"Both fall, then both are flat, close together."* | a small gap | this is how it should be |

# %%
few = train.per_class(8)
epochs = at(smoke=1, quick=25, full=40)
gallery = {
    "A": fit(network(), epochs, lr=0.00001),
    "B": fit(network(), epochs, data=few),
    "C": fit(network(), epochs, lr=0.3),
    "D": fit(network(), epochs),
}
show_history(gallery, "Four trainings", top=3)

# %% [markdown]
# <details><summary>Which is which?</summary>
#
# A underfits: its rate is 300 times lower than ours. B overfits: it saw eight images of each digit, knows these by heart, and is at a loss with others.
# C has a rate a hundred times too high. D is ours.
# </details>
#
# > **Myth**: *"training too little is a little overfitting."*
#
# It is the opposite. Overfitted is a network that is much better on what it has seen than on what it has not. One that has hardly trained is equally
# bad on both. Measure the gap, over three seeds:

# %%
predict(
    "05.q6",
    "The gap is training accuracy minus validation accuracy. How large is it after far too little training?",
    ["about 0: it is equally bad on both", "0.05 or so", "as large as with overfitting"],
)

# %%
gaps = {"too little (A)": [], "overfitted (B)": []}
for seed in range(3):
    for name, rate, data in (("too little (A)", 0.00001, train), ("overfitted (B)", 0.003, few)):
        model = network(seed=seed)
        measured = fit(model, epochs, lr=rate, data=data, seed=seed)[-1]["val/accuracy"]
        seen = evaluate(model, batches(data, 256, device=device))["accuracy"]  # measured as validation is, after the last step
        gaps[name].append(seen - measured)
        print(f"{name}, seed {seed}: seen {seen:.3f}, not seen {measured:.3f}")

# %%
small_gap, large_gap = (sum(three) / 3 for three in gaps.values())
reveal(
    "05.q6",
    answer=0 if abs(small_gap) < 0.03 else 1,
    because=f"{small_gap:+.3f} after too little training, {large_gap:+.3f} when overfitted.",
)
band("gap after too little training, mean of three", small_gap, at_least=-0.05, at_most=0.05)
band("gap when overfitted, mean of three", large_gap, at_least=0.09)

# %% [markdown]
# > **Myth**: *"accuracy is what is minimised"* (or maximised).
#
# The optimiser never sees it. It sees the **loss**, because a loss has a slope. Does accuracy have one? Push all weights of a half-trained network a
# tiny bit in a random direction, two hundred times, and see whether anything changes.

# %%
predict(
    "05.q7",
    "All weights move by a ten-thousandth of their length. In how many of 200 tries does the accuracy on validation change?",
    ["in nearly all", "in about half", "hardly ever"],
)

# %%
model = network()
fit(model, at(smoke=1, quick=2, full=2))
before = evaluate(model, batches(val, 270, device=device))
start_weights, tries, changed = copy.deepcopy(model.state_dict()), at(smoke=5, quick=200, full=200), {"loss": 0, "accuracy": 0}
generator = torch.Generator().manual_seed(0)
for _ in range(tries):
    with torch.no_grad():
        for weight in model.parameters():
            push = torch.randn(weight.shape, generator=generator).to(device)
            weight += 1e-4 * push * weight.norm() / push.norm()
    after = evaluate(model, batches(val, 270, device=device))
    changed = {name: changed[name] + (after[name] != before[name]) for name in changed}
    model.load_state_dict(start_weights)
print(f"of {tries} pushes, this many changed something:", changed)

# %%
share = changed["accuracy"] / tries
reveal(
    "05.q7",
    answer=2 if share < 0.25 else 1 if share < 0.75 else 0,
    because=f"in {changed['accuracy']} of {tries}; the loss in {changed['loss']}.",
)
band("share of pushes that change the accuracy", share, at_most=0.25)
band("share of pushes that change the loss", changed["loss"] / tries, at_least=0.95)

# %% [markdown]
# Accuracy is a staircase: flat, flat, then a step when one image changes sides. On a flat place the gradient is 0, and gradient descent would not move.
# So we **minimise the loss** and **watch the accuracy**. Mostly they move together, and not always: in the first real training the two rings stand at
# different epochs. The lowest loss and the highest accuracy were not had by the same weights.
#
# ✂ *50 minutes*
#
# ## 7. Callbacks: what else happens after an epoch
#
# A training that runs for hours wants more: a log file, the best weights on the disk, a falling learning rate, an end when nothing improves. None of
# that belongs into `train_epoch`. The trick is old and simple: after each epoch the loop calls whatever functions you gave it, with the row. These are
# **callbacks** (콜백). A callback is any function of a row:


# %%
def say(row):
    print(f"epoch {row['epoch']}: val/accuracy {row['val/accuracy']:.3f}")


say({"epoch": 3, "val/accuracy": 0.962})

# %% [markdown]
# The four that everybody uses:
#
# | callback | after each epoch it | ours | known elsewhere as |
# |---|---|---|---|
# | **log** | writes the row into a table | `CsvLog` | CSVLogger, TensorBoard |
# | **best checkpoint** (체크포인트) | saves the weights if they are the best so far | `BestCheckpoint` | ModelCheckpoint |
# | **scheduler** (스케줄러) | lowers the learning rate (03) | torch's own | LearningRateScheduler |
# | **early stopping** (조기 종료) | says stop when nothing improves | yours, now | EarlyStopping |
#
# ### Exercise: EarlyStopping
# *difficulty 3 of 5 · importance 4 of 5 · about 25 minutes*
#
# Accuracy on validation wobbles, so one bad epoch is no reason to stop. We have **patience** (인내): stop when the best is `patience` epochs old. Better
# means *larger* than the best so far by more than `min_delta`; equal is not better, and NaN (02) never is. With patience 2:
#
# | epoch | 0 | 1 | 2 | 3 | 4 | 5 |
# |---|---|---|---|---|---|---|
# | value | 0.90 | 0.93 | 0.92 | **0.95** | 0.94 | 0.95 |
# | best epoch so far | 0 | 1 | 1 | 3 | 3 | 3 |
# | its age | 0 | 0 | 1 | 0 | 1 | 2 |
# | stop? | no | no | no | no | no | **yes** |
#
# And keep the weights of the best epoch, or stopping gives you those of `patience` epochs too late. Mind that `model.state_dict()` is no photograph: it
# holds the very tensors that training goes on changing. `copy.deepcopy` makes it one.


# %% exercise="05.early_stopping"
class EarlyStopping:
    """step(value, model) after each epoch -> True when the best is `patience` epochs old.

    best: the highest value. best_epoch: its epoch, from 0. weights: a copy of model.state_dict() from that epoch.
    """

    def __init__(self, patience: int, min_delta: float = 0.0):
        self.patience, self.min_delta = patience, min_delta
        self.best, self.best_epoch, self.weights = -float("inf"), -1, None
        self.epoch = -1  # no epoch yet

    def step(self, value: float, model: nn.Module) -> bool:
        ### BEGIN SOLUTION
        self.epoch += 1
        if value > self.best + self.min_delta:
            self.best, self.best_epoch = value, self.epoch
            self.weights = copy.deepcopy(model.state_dict())
        return self.epoch - self.best_epoch >= self.patience
        ### END SOLUTION


EarlyStopping = check("05.early_stopping", EarlyStopping)

# %%
table, dummy = EarlyStopping(patience=2), nn.Linear(1, 1)
print([table.step(value, dummy) for value in (0.90, 0.93, 0.92, 0.95, 0.94, 0.95)], "best epoch", table.best_epoch)

# %% [markdown]
# ### The loop, whole
#
# `fit` again, with all of it. Compare it with the one above: a handful of lines are new. The scheduler is the cosine of 03: it starts at `lr` and ends
# near 0, one step down after each epoch.


# %%
def fit(model, epochs, lr=0.003, seed=0, callbacks=(), stopping=None, cosine=True):
    """Train, measure, tell the callbacks, stop in time; the best weights are in the model afterwards."""
    optimizer, generator, rows = torch.optim.AdamW(model.parameters(), lr=lr), torch.Generator().manual_seed(seed), []
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs) if cosine else None
    for epoch in range(epochs):
        row = {"epoch": epoch, "lr": optimizer.param_groups[0]["lr"]}
        row |= {f"train/{k}": v for k, v in train_epoch(model, batches(train, 64, generator, device), optimizer).items()}
        row |= {f"val/{k}": v for k, v in evaluate(model, batches(val, 256, device=device)).items()}
        rows.append(row)
        if scheduler:
            scheduler.step()
        for callback in callbacks:
            callback(row)
        if stopping and stopping.step(row["val/accuracy"], model):
            break
    if stopping:
        model.load_state_dict(stopping.weights)
    return rows


# %%
folder = Path(tempfile.mkdtemp())
settings = {"sizes": [64, 128, 10], "mean": mean, "std": std}
model, stopping = network(), EarlyStopping(patience=at(smoke=1, quick=8, full=10))
log, best = CsvLog(folder), BestCheckpoint(folder / "best.pt", model, settings)
rows = fit(model, at(smoke=2, quick=60, full=100), callbacks=[log, best], stopping=stopping, cosine=False)
print(f"stopped after {len(rows)} epochs; the best was epoch {stopping.best_epoch} with {stopping.best:.4f}")
print((folder / "results.csv").read_text().splitlines()[0])
print((folder / "results.csv").read_text().splitlines()[-1])

# %%
again = evaluate(model, batches(val, 256, device=device))["accuracy"]
assert again == stopping.best == best.best, "the best weights are back in the model, and on the disk"
print("in the folder:", sorted(path.name for path in folder.iterdir()))

# %% [markdown]
# And the scheduler? Two trainings from the same weights, one at a constant rate, one with the cosine:

# %%
epochs = at(smoke=2, quick=25, full=40)
paces = {"constant rate": fit(network(), epochs, cosine=False), "cosine": fit(network(), epochs)}
print("rates of the cosine:", [round(row["lr"], 5) for row in paces["cosine"][:: max(1, epochs // 5)]])
last_five = {name: [row["val/accuracy"] for row in rows[-5:]] for name, rows in paces.items()}
for name, five in last_five.items():
    print(f"{name:>13}: validation accuracy of the last five epochs {[round(v, 4) for v in five]}")

# %%
band("cosine: spread of the last five", max(last_five["cosine"]) - min(last_five["cosine"]), at_most=0.008)

# %% [markdown]
# At a constant rate the last epochs wobble by an image or two, and where you stop is luck. At a rate near 0 the weights come to rest. (Over four seeds
# the last five epochs differed by 0.004 to 0.007 at a constant rate, by 0 to 0.004 with the cosine.)
#
# Two cautions. A validation set of 270 images moves in steps of 1/270 = 0.0037, so "better" by one image is luck: be patient, or set `min_delta`. And
# the best of all epochs *on validation* is chosen by looking at validation: its 0.99 is a little too good to be true. The test set will tell.
#
# With a schedule, early stopping has less to do: the cosine ends the training by itself, at a rate near 0. From notebook 07 on the course uses
# `fit_classifier` (in `coursekit/training/classifier.py`): your two functions, your stopping, and a cosine that moves with each step, after a warm-up.
# Open the file; you can read every line of it now.
#
# ## 8. Saving: three ways
#
# | what is saved | how | to load it you need | for what |
# |---|---|---|---|
# | **architecture and first weights** | the settings, and `state_dict()` before the first step | the class | to repeat a run, or to start two from the very same place |
# | **weights** | settings, and `state_dict()` at the end | the class | to use the network. The usual way |
# | **the whole model** | `torch.save(model)`, which is pickle (피클) | the same class, in the same module, unchanged | nothing that lasts |
#
# A **state_dict** is a plain dictionary: names, and tensors.

# %%
model = network(seed=1)
first = {"settings": settings, "weights": model.state_dict()}
save_checkpoint(folder / "first.pt", first)
for name, tensor in model.state_dict().items():
    print(f"{name:>18} {tuple(tensor.shape)}")

# %% [markdown]
# **First weights.** Two trainings from the same first weights, with the same order of batches, must be the same training. So differences that you see
# between two runs come from what you changed, not from luck:

# %%
twins = []
for _ in range(2):
    saved = load_checkpoint(folder / "first.pt", device)
    twin = nn.Sequential(Pixels(saved["settings"]["mean"], saved["settings"]["std"]), MLP(saved["settings"]["sizes"])).to(device)
    twin.load_state_dict(saved["weights"])
    twins.append(fit(twin, at(smoke=1, quick=3, full=3))[-1]["train/loss"])
print("the same start, the same order:", twins)
band("two trainings from the same first weights: difference of the loss", abs(twins[0] - twins[1]), at_most=1e-6)

# %% [markdown]
# **The whole model** looks like the easiest way, and it is the one that you will regret. A pickle does not hold the class. It holds its *name*. Rename
# the class, move the file, and it cannot be read any more:

# %%
whole = pickle.dumps(Network())
weights = {name: tensor.clone() for name, tensor in Network().state_dict().items()}
kept, Network = Network, None  # next year somebody renames the class
del Network
try:
    pickle.loads(whole)
except AttributeError as error:
    print("AttributeError:", error)
Network = kept
renamed = type("DigitNet", (Network,), {})()
print("the weights fit the renamed class:", renamed.load_state_dict(weights))

# %% [markdown]
# Worse: a pickle is not data, it is a **program** (프로그램). Whoever writes the file decides what is called when you load it. Here is one that prints; it
# could as well delete your files.


# %%
class Surprise:
    def __reduce__(self):
        return print, ("a function ran on your computer, because you loaded a file",)


torch.save({"weights": Surprise()}, folder / "from_a_stranger.pt")

# %%
predict(
    "05.q8",
    "torch.load(..., weights_only=True) meets this file. What happens?",
    ["it prints, then loads", "it loads without printing", "an error is raised and nothing is printed"],
)

# %%
with contextlib.redirect_stdout(io.StringIO()) as heard:
    torch.load(folder / "from_a_stranger.pt", weights_only=False)
print("weights_only=False:", heard.getvalue().strip())
with contextlib.redirect_stdout(io.StringIO()) as heard_now:
    try:
        torch.load(folder / "from_a_stranger.pt", weights_only=True)
    except pickle.UnpicklingError as error:
        message = str(error).splitlines()[0]
print("weights_only=True: ", message[:90])

# %%
assert "a function ran" in heard.getvalue(), "the file ran a function"
assert heard_now.getvalue() == "", "and here it could not"
reveal("05.q8", answer=2, because="weights_only reads tensors and plain values, and calls nothing that a file asks for.")

# %% [markdown]
# So: save **weights**, with the settings beside them, and load with `weights_only=True` (it is torch's default since version 2.6; older code turns it
# off). The course's `load_checkpoint` never does anything else. A format that holds nothing but tensors, and therefore cannot hold a program, is
# [safetensors](https://huggingface.co/docs/safetensors): the course ships its detector in it.
#
# ### Resuming
#
# The power fails in epoch 4 of 6. The weights of epoch 3 are on the disk. Is that enough to go on as if nothing had happened?

# %%
predict(
    "05.q9",
    "We load the weights of epoch 3 and go on with a new AdamW and the same order of batches. Are the final weights those of an uninterrupted run?",
    ["yes, exactly", "no, they are others", "an error is raised"],
)


# %%
def begin(seed=2):
    """Network, optimiser, dice. On the CPU, where the same sums give the same bits."""
    model = network(seed=seed).cpu()
    return model, torch.optim.AdamW(model.parameters(), lr=0.003), torch.Generator().manual_seed(seed)


def go_on(model, optimizer, generator, rows, until):
    while len(rows) < until:
        rows.append(train_epoch(model, batches(train, 64, generator), optimizer))
    return rows


half, end = at(smoke=1, quick=3, full=3), at(smoke=2, quick=6, full=6)
uninterrupted = begin()
whole_rows = go_on(*uninterrupted, [], end)

# %%
interrupted = begin()
rows = go_on(*interrupted, [], half)
save_training(folder / "resume.pt", *interrupted, rows)
print("in the file:", list(load_checkpoint(folder / "resume.pt")))

# %%
resumed = begin(seed=9)  # another day, another process: other weights, other dice
rows = go_on(*resumed, load_training(folder / "resume.pt", *resumed), end)

only_weights = begin(seed=9)
load_training(folder / "resume.pt", *only_weights)
new_optimizer = torch.optim.AdamW(only_weights[0].parameters(), lr=0.003)
forgot = go_on(only_weights[0], new_optimizer, only_weights[2], load_checkpoint(folder / "resume.pt")["rows"], end)


# %%
def apart(model, other):
    """The largest difference between two weights of the same name."""
    return max((a - b).abs().max().item() for a, b in zip(model.parameters(), other.parameters(), strict=True))


print(f"everything restored: {apart(uninterrupted[0], resumed[0])} apart")
print(f"only the weights:    {apart(uninterrupted[0], only_weights[0]):.4f} apart")
reveal("05.q9", answer=1, because="AdamW's running means (03) are part of the training; a new one starts them at 0.")
assert apart(uninterrupted[0], resumed[0]) == 0.0, "the same weights as the uninterrupted run, to the last bit"
assert rows == whole_rows
band("resumed with the weights alone: distance from the uninterrupted run", apart(uninterrupted[0], only_weights[0]), at_least=1e-4)

# %% [markdown]
# A **checkpoint** to resume from holds all that changes: weights, the optimiser's state, the state of the dice, the epoch (and the scheduler's, where
# it has one). And it is written to another name first and then renamed, so that a power cut while *writing* leaves the old one whole
# (`coursekit/files.py`).
#
# ✂ *50 minutes*
#
# ## 9. Batch inference
#
# Training is over; now the network works. We take the best one of section 7 from the disk: settings first, weights into it. **Inference** (추론) on 270
# images, one by one, or as one batch: must the answers be the same?

# %%
saved = load_checkpoint(folder / "best.pt", device)
model = nn.Sequential(Pixels(saved["settings"]["mean"], saved["settings"]["std"]), MLP(saved["settings"]["sizes"])).to(device)
print(model.load_state_dict(saved["weights"]), "of epoch", saved["epoch"])
images = val.images.to(device)
model.eval()


def seconds(work, repeats=3):
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - began)
    return min(times), result


with torch.no_grad():
    slow, one_by_one = seconds(lambda: torch.cat([model(image[None]).cpu() for image in images]))
    quick, at_once = seconds(lambda: model(images).cpu())
difference = (one_by_one - at_once).abs().max().item()
print(f"one by one {slow * 1000:.1f} ms, as a batch {quick * 1000:.2f} ms: {slow / quick:.0f} times faster")
print(f"largest difference between the logits: {difference:.1e}")

# %%
band("one by one against one batch: largest difference", difference, at_most=1e-4)
band("how many times faster a batch is", slow / quick, at_least=3)
assert (one_by_one.argmax(dim=1) == at_once.argmax(dim=1)).all()

# %% [markdown]
# The same answers (up to the last bits: sums are added in another order), in a small part of the time, because one call does the work of 270. Is a
# larger batch always better? Only until memory is full: a batch of a million images of 8x8 needs 256 MB for its floats alone. Use what fits;
# `predict_all(model, images, batch=256)` cuts the rest into pieces.
#
# **Mind `model.eval()` here above all.** A network that is asked one image at a time in train mode gives answers that depend on dice, or with batch
# normalisation (08) on the *other images of the batch*.
#
# ## 10. Choose on validation, test once
#
# How many hidden neurons, how much dropout? We try four settings with two seeds each and choose by **validation**. The test set stays closed.

# %%
candidates = {"32 hidden": (32, 0.0), "128 hidden": (128, 0.0), "128, dropout 0.3": (128, 0.3), "256, dropout 0.3": (256, 0.3)}
epochs = at(smoke=1, quick=40, full=60)
on_val = {}
for name, (hidden, dropout) in candidates.items():
    runs = [fit(network(hidden, dropout, seed=s), epochs, seed=s) for s in range(at(smoke=1, quick=2, full=3))]
    on_val[name] = [run[-1]["val/accuracy"] for run in runs]
show_seeds(on_val, "Which network? After the last epoch, on validation", "accuracy")

# %% [markdown]
# Look at the axis before you look at the dots: the best and the worst are a handful of images apart, and two seeds of one setting may differ by one or
# two. (With five seeds each, the last three had the means 0.982, 0.984 and 0.981: no difference worth a word.) That is the usual result of such a
# search. *First* see how large luck is, *then* believe in a difference. We take the best all the same, train it with three new seeds, and open the test
# set. Once.

# %%
chosen = max(on_val, key=lambda name: sum(on_val[name]) / len(on_val[name]))
models = [network(*candidates[chosen], seed=s) for s in (10, 11, 12)]
for seed, model in zip((10, 11, 12), models):
    fit(model, epochs, seed=seed)
scores = [evaluate(model, batches(test, 270, device=device))["accuracy"] for model in models]
print(f"{chosen}: test accuracy of three seeds", [round(score, 4) for score in scores], f"spread {max(scores) - min(scores):.4f}")
band("digits: mean test accuracy of three seeds", sum(scores) / 3, at_least=0.97)
band("digits: lowest of three", min(scores), at_least=0.965)

# %%
logits = predict_all(models[0], test.images)
wrong = (logits.argmax(dim=1) != test.labels).nonzero()[:, 0]
print(f"{len(wrong)} of {len(test)} wrong")
shown = wrong[:6] if len(wrong) else torch.arange(1)
titles = [f"{test.labels[i]}, said {logits[i].argmax()}" for i in shown]
show_images(255 - test.images[shown], titles, columns=6, suptitle="Look at the mistakes", size=1.5)

# %% [markdown]
# Would you have read them right? Some of these are hard for anybody. Always look at the mistakes: they show in a minute what no number says.
#
# ## 11. A baseline: what must it beat?
#
# 0.98 sounds good. Is it? A number means nothing until it stands beside another. A **baseline** (기준선) is the simplest thing that could work. Two that need no training loop:
#
# - the **majority class** (최다 클래스): say the most frequent class, always;
# - the **nearest centroid** (최근접 중심): take the mean image of each class, and say the class whose mean is nearest, pixel by pixel.
#
# By hand: the mean images of two classes are (0, 10) and (200, 200). A picture (0, 40) is 30 away from the first, √(200² + 160²) = 256 from the second.
# It is of the first class.

# %%
predict(
    "05.q10",
    "Digits: ten mean images, no training. How often is the nearest one right on the test set?",
    ["about 1 in 10", "about half", "about 9 in 10"],
)

# %%
centroid = NearestCentroid(train)
show_images(
    255 - (centroid.centroids * 255).reshape(10, 1, 8, 8).to(torch.uint8), range(10), columns=10, suptitle="Ten mean images", size=1
)

# %%
digits = {"majority class": MajorityClass(train), "nearest centroid": centroid}
on_digits = {name: [evaluate(baseline, batches(test, 270))["accuracy"]] for name, baseline in digits.items()}
on_digits["MLP"] = scores
show_seeds(on_digits, "Digits: the network and its baselines", "test accuracy", limits=(0, 1.02))

# %%
share = on_digits["nearest centroid"][0]
reveal("05.q10", answer=2 if share > 0.7 else 1 if share > 0.3 else 0, because=f"{share:.3f}. Digits are that easy.")
band("digits: what the network adds to the nearest centroid", sum(scores) / 3 - share, at_least=0.03)

# %% [markdown]
# `evaluate` measured all three: a baseline is a model, too. Now sign crops, as your project in 24 may use them: traffic signs of 32x32 pixels in
# colour, turned, blurred, at night.

# %%
lengths = at(smoke=(24, 12), quick=(1000, 300), full=(2000, 500))
signs = {split: labelled_images("signs", split, length=n) for split, n in zip(("train", "test"), lengths)}
print(tuple(signs["train"].images.shape), "of", len(signs["train"].classes), "classes")
show_images(
    signs["train"].images[:12], [signs["train"].classes[k] for k in signs["train"].labels[:12]], columns=6, suptitle="Sign crops", size=1.4
)


# %%
def train_on_signs(order=None, seed=0):
    """An MLP trained on sign crops, and its accuracy in the last epoch; with an order, every image's numbers are put into it first."""
    torch.manual_seed(seed)
    model = nn.Sequential(Pixels(0.45, 0.25), MLP([3 * 32 * 32, 128, len(signs["train"].classes)])).to(device)
    optimizer, generator = torch.optim.AdamW(model.parameters(), lr=0.001), torch.Generator().manual_seed(seed)
    data = signs["train"] if order is None else scrambled(signs["train"], order)
    for _ in range(at(smoke=1, quick=20, full=25)):
        seen = train_epoch(model, batches(data, 64, generator, device), optimizer)["accuracy"]
    return model.cpu(), seen


sign_model, seen = train_on_signs()
on_signs = {"majority class": MajorityClass(signs["train"]), "nearest centroid": NearestCentroid(signs["train"]), "MLP": sign_model}
on_signs = {name: [evaluate(each, batches(signs["test"], 256))["accuracy"]] for name, each in on_signs.items()}
print(f"the MLP on its own training images: {seen:.3f}")
show_seeds(on_signs, "Sign crops: the network and its baselines", "test accuracy", limits=(0, 1.02))

# %%
band("signs: the majority class", on_signs["majority class"][0], at_most=0.15)
band("signs: what the network adds to the nearest centroid", on_signs["MLP"][0] - on_signs["nearest centroid"][0], at_least=0.15)
band("signs: the network", on_signs["MLP"][0], at_least=0.85)

# %% [markdown]
# The same recipe, another story. Only beside the baselines do you see that this task is *hard* for pixel means and not for the network. So are we done
# with signs? Try two things that a driver would not even notice, or could not do at all.
#
# First, **scramble** the 3,072 numbers of every image, in training and in testing, all in one and the same way. To you each sign is now coloured snow.

# %%
predict(
    "05.q11",
    "An MLP is trained and tested on sign crops whose pixels are all scrambled in the same way. Its accuracy, compared with before?",
    ["it falls to chance, 1 in 16", "it falls to about half", "about the same"],
)


# %%
def scrambled(data, order):
    """The same images with their numbers in another order."""
    return Labelled(data.images.flatten(1)[:, order].reshape(data.images.shape), data.labels, data.classes)


order = torch.randperm(3 * 32 * 32, generator=torch.Generator().manual_seed(0))
snow = scrambled(signs["test"], order)
titles = [signs["test"].classes[k] for k in signs["test"].labels[:4]] * 2
show_images(
    [*signs["test"].images[:4], *snow.images[:4]], titles, columns=4, suptitle="What you see, and what the network sees as well", size=1.5
)

# %%
snow_model, _ = train_on_signs(order)
on_snow = evaluate(snow_model, batches(snow, 256))["accuracy"]
plain = on_signs["MLP"][0]
reveal("05.q11", answer=2 if on_snow > 0.75 * plain else 1 if on_snow > 0.2 else 0, because=f"{plain:.3f} before, {on_snow:.3f} with snow.")
band("scrambled against plain", on_snow - plain, at_least=-0.12, at_most=0.08)

# %% [markdown]
# A fully connected network has no idea which pixels are neighbours. To it an image is a list of 3,072 numbers, and any order of a list is as good as
# another.
#
# Second, **move** the test images a few pixels to the right (the network is the one from before, and what leaves at the right comes back at the left):

# %%
moved = {}
for pixels in (0, 1, 2, 4):
    data = Labelled(torch.roll(signs["test"].images, pixels, dims=-1), snow.labels, snow.classes)
    moved[str(pixels)] = [evaluate(sign_model, batches(data, 256))["accuracy"]]
show_seeds(moved, "The same signs, moved to the right", "test accuracy", "pixels moved", limits=(0, 1.02))

# %%
band("signs: what four pixels cost", moved["0"][0] - moved["4"][0], at_least=0.25)

# %% [markdown]
# An eighth of the picture's width, and more than half of the accuracy is gone. What it learned about a sign it learned for *one place*, weight by
# weight. A detector must find signs anywhere. 07 gives the network eyes: weights that move over the image.
#
# > **Your project, step 2 of 4: the baseline.** Do the same on *your* data, on the split of your data card (04): majority class, nearest centroid, this
# > MLP, with three seeds for the MLP. They are the first rows of every table that you will show.
# >
# > *Write down*: the metric and on how many images, each model with one number a seed, and the settings of the MLP.
# >
# > *Keep it*: the last line below does. Give it `"project"` instead of a folder that is thrown away, and it lies beside your notebooks, where 24 looks
# > for it.

# %%
baseline = {
    "metric": "accuracy",
    "on": f"test, {len(signs['test'])} sign crops",
    "models": on_signs,  # name -> one number for each seed
    "seeds": [0],
    "settings": {"hidden": 128, "optimizer": "AdamW", "lr": 0.001, "batch": 64, "epochs": at(smoke=1, quick=20, full=25)},
}
save_step("baseline", baseline, folder=Path(tempfile.mkdtemp()) / "project")  # for keeps: folder="project"

# %% [markdown]
# ## 12. Find the bug
#
# A colleague wants to see, at each step, how sure the network is of the right label. She wrote this:


# %%
def her_step(model, inputs, labels, optimizer):
    model.train()
    scores = model(inputs).softmax(dim=1)
    loss = cross_entropy(scores, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), scores.detach()[torch.arange(len(labels)), labels]


# %% [markdown]
# It runs, and it learns. But her loss will not go down, however long she trains, and she suspects the learning rate.

# %%
predict(
    "05.q12",
    "Suppose her network becomes perfect: sure of the right class for every image. Where does her loss stand then?",
    ["at 0", "at about 0.23", "at about 1.46", "at about 2.30"],
)


# %%
def watch(step, epochs, seed=0):
    """Train with a step function; the mean loss and the mean sureness of each epoch."""
    model, generator, rows = network(seed=seed), torch.Generator().manual_seed(seed), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    for _ in range(epochs):
        said = [step(model, *pair, optimizer) for pair in batches(train, 64, generator, device)]
        rows.append((sum(loss for loss, _ in said) / len(said), torch.cat([sure for _, sure in said]).mean().item()))
    return model, rows


epochs = at(smoke=1, quick=25, full=40)
her_model, hers = watch(her_step, epochs)
print("her loss, some epochs:    ", [round(loss, 3) for loss, _ in hers[:: max(1, epochs // 6)]])
print("her sureness, some epochs:", [round(sure, 3) for _, sure in hers[:: max(1, epochs // 6)]])
print("her training accuracy:    ", round(evaluate(her_model, batches(train, 256, device=device))["accuracy"], 3))

# %% [markdown]
# ### Exercise: train_step
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# | symptom | what she sees |
# |---|---|
# | the loss | starts at 2.3, ends near 1.46, and goes no lower |
# | the accuracy | fine, 0.98 and more |
# | a lower or a higher learning rate | changes nothing about the 1.46 |
# | overfitting one batch | stops at 1.46 as well |
#
# Find out where 1.46 comes from, and mend it. She still wants her sureness, between 0 and 1.


# %% exercise="05.train_step"
def train_step(model: nn.Module, inputs: Tensor, labels: Tensor, optimizer: torch.optim.Optimizer) -> tuple[float, Tensor]:
    """One step on one batch -> its loss before the step, and (B,) how sure the model was of each right label, from 0 to 1."""
    model.train()
    ### BEGIN SOLUTION
    logits = model(inputs)
    loss = cross_entropy(logits, labels)  # it takes the softmax itself
    scores = logits.softmax(dim=1)
    ### STUDENT
    # scores = model(inputs).softmax(dim=1)
    # loss = cross_entropy(scores, labels)
    ### END SOLUTION
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), scores.detach()[torch.arange(len(labels)), labels]


train_step = check("05.train_step", train_step)

# %%
perfect = torch.zeros(1, 10)
perfect[0, 3] = 1.0  # "I am sure that it is a 3"
floor = cross_entropy(perfect, torch.tensor([3])).item()
_, mended = watch(train_step, epochs)
reveal("05.q12", answer=2, because=f"probabilities (1, 0, ..., 0) taken for logits: ln(e + 9) - 1 = {math.log(math.e + 9) - 1:.3f}.")
show_curves(
    {"hers": (range(epochs), [r[0] for r in hers]), "mended": (range(epochs), [r[0] for r in mended])}, "The floor", "epoch", "loss"
)

# %%
print(f"last loss: hers {hers[-1][0]:.3f} (her floor is {floor:.3f}), mended {mended[-1][0]:.4f}")
band("her last loss, above her floor by", hers[-1][0] - floor, at_least=0.0, at_most=0.1)
band("mended: last loss", mended[-1][0], at_most=0.1)

# %% [markdown]
# <details><summary>What it was</summary>
#
# `cross_entropy` takes logits and does the softmax itself (02), so hers was done twice. The second softmax gets numbers between 0 and 1 and cannot tell
# "certain" from "a little more likely": e¹ / (e¹ + 9·e⁰) = 0.23 is the most that it can say, and -ln 0.23 = 1.46 is the least that the loss can be. The
# gradient is small for the same reason, so she learns slowly, and learns. It is the floor of the sigmoid in section 5, too: logits between 0 and 1.
# Nothing crashed. **Know where your loss should start and where it could end**: ln K, and 0.
# </details>
#
# ## Summary
#
# - A **neuron** is a weighted sum and a bias: one straight cut. Layers of them with a **bend** in between can do what no straight cut can; without the bend ten layers are one.
# - The sigmoid's slope is at most 0.25, so gradients **vanish** through many of them. ReLU passes 1, or nothing: it can die. Leaky ReLU cannot.
# - The loop: **forward, loss, zero_grad, backward, step**. `backward` fills `.grad` and adds; `step` reads it.
# - **Overfit one batch first.** It finds bugs of the network and the loop, and none of the data.
# - Measure in **eval mode, without gradients, with means over samples**, and put the mode back. Read curves aloud.
# - Too little training is **underfitting**: bad on both. The **loss** is minimised; the accuracy is watched.
# - After each epoch: log, schedule, best checkpoint, early stopping with a *copy* of the weights.
# - Save **weights and settings**, load with `weights_only`. To resume, keep optimiser, dice and epoch as well.
# - No number without a **baseline**, and no difference without several seeds.
# - A fully connected network does not know which pixels are neighbours: scrambling them all costs hardly anything, moving them a little costs
#   more than half.
#
# ### Do you still know?
#
# <details><summary>A network of 100 → 50 → 5. How many numbers does it learn?</summary>
#
# 100 · 50 + 50 = 5,050 and 50 · 5 + 5 = 255: together 5,305.
# </details>
#
# <details><summary>Your training loss is 0.9 after the first epoch, validation is 0.5. Is something wrong?</summary>
#
# Not yet. The training loss is the mean over the epoch, from the first batch on; validation was measured after its last step. Dropout, which only works
# in training, adds to it.
# </details>
#
# <details><summary>Swap <code>optimizer.zero_grad()</code> and <code>loss.backward()</code>. What happens?</summary>
#
# backward fills `.grad`, zero_grad wipes it, step finds nothing: the weights never change, and the loss stays where it began.
# </details>
#
# <details><summary>Batches of 64, 64 and 2 have the accuracies 0.9, 0.9 and 0.0. The accuracy over all samples?</summary>
#
# (64·0.9 + 64·0.9 + 0) / 130 = 0.886. The mean of the three means would be 0.6.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message, or symptom | what happened |
# |---|---|
# | `mat1 and mat2 shapes cannot be multiplied (64x784 and 64x128)` | images not flattened, or of another size than the first layer was made for |
# | `element 0 of tensors does not require grad` | `backward` under `no_grad`, or on a loss that was detached (`.item()`, `.detach()`, `.argmax()`) |
# | `Trying to backward through the graph a second time` | `backward` twice on one loss: run the forward pass again |
# | `Expected all tensors to be on the same device` | model and batch lie on different devices: `.to(device)` for both |
# | `expected target dtype to be Long or Byte, but got Int` (or `Float`) | labels must be int64, one whole number for each image |
# | `mat1 and mat2 must have the same dtype, but got Byte and Float` | the images are still uint8: `.float() / 255`, or `Pixels` in front |
# | `Missing key(s) in state_dict` | the weights are of another architecture: save the settings beside them |
# | memory grows with every batch | `losses.append(loss)` keeps every graph: `loss.item()` |
# | the loss starts far from ln K | inputs not scaled, or an activation behind the last layer |
# | other answers each time you ask | train mode: `model.eval()` |
#
# ### Where to read more
#
# - [PyTorch: saving and loading models](https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html), the three ways in torch's own words
# - [Python: pickle](https://docs.python.org/3/library/pickle.html), whose first paragraph is a warning
# - Glorot, Bordes and Bengio, *Deep Sparse Rectifier Neural Networks* (2011): why ReLU; Maas, Hannun and Ng (2013): the leaky one
# - `coursekit/training/classifier.py` and `callbacks.py`: what you wrote, as the course uses it; `loop.py`: the same loop grown up, which trains the detector of 19
#
# **Next**: 06 asks what a number such as "accuracy 0.98" hides.
