# %% [markdown]
# # 03 · Optimisers: how a network walks downhill
#
# Notebook 02 ended with a gradient: for every weight a number that says how the loss changes when the weight grows. Training is nothing but walking
# the other way, a few thousand times. How far to step, what to remember from the steps before, and when to slow down is the work of the
# **optimiser** (최적화기). It is a few lines of code, and it decides whether a network learns in a minute, in a week, or never.
#
# | you will learn | you will build |
# |---|---|
# | why minus the gradient, and how large a step may be: the exact limit | |
# | epoch, step, batch; what small and large batches cost | `training_steps` |
# | momentum (모멘텀): remembering where you were going | `sgd_momentum` |
# | a rate of its own for every weight: AdaGrad, RMSprop, Adam | `rmsprop`, `adam` |
# | weight decay, and the bug in it that had a name for years | `adamw`, repaired |
# | why 0.01 is a good first guess, and for what it is not | |
# | strong first, then gentle: schedules and warm-up | `warmup_cosine` |
# | which optimiser is best, compared fairly | |
#
# **Time** 30 seconds of computing on two CPU cores; about four hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you have met broadcasting (01), and the gradient, softmax and cross-entropy (02).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("03_optimisers")

# %%
import math
import time
from functools import partial

import torch
from torch import Tensor

from coursekit.data.labelled import labelled_images
from coursekit.plots.descent import show_landscapes, show_line_panels, show_lines, show_paths, show_slopes
from coursekit.plots.explore_descent import explore_descent
from coursekit.training.device import choose_device
from coursekit.training.optimisers import adagrad, adam_l2, nesterov, sgd
from coursekit.training.schedule import step_decay
from coursekit.training.side_by_side import evaluate_networks, flat, train_networks
from coursekit.training.surfaces import CURVED, SADDLE, TWO_MINIMA, VALLEY, Surface, best_walk, descend

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>01: A function runs <code>w -= 0.1 * g</code>, another one <code>w = w - 0.1 * g</code>. You handed the same tensor to both. Which of them changed yours?</summary>
#
# The first: `-=` writes into the memory that you share. The second makes a new tensor. All steps in this notebook are of the second kind.
# </details>
#
# <details><summary>02: The gradient of the loss by some weight is +3. You make this weight a little larger. What does the loss do?</summary>
#
# It rises, about three times as much as the weight did.
# </details>
#
# <details><summary>02: A network for ten classes has not learned anything yet. What is its cross-entropy, about?</summary>
#
# It gives each class 1/10, so about ln 10 = 2.30. Remember the number: a loss well above it means worse than guessing.
# </details>
#
# ## 1. Downhill
#
# One weight, one loss: L = (w - 3)². It is lowest at w = 3, and we stand at w = 5. The gradient (기울기) is 2 (w - 3) = +4: *uphill is to the right*. So we go
# left, by a small share of the gradient. The share is the **learning rate** (학습률), here 0.1:
#
# w ← w - learning rate · gradient
#
# | step | w | gradient | 0.1 · gradient | new w |
# |---|---|---|---|---|
# | 1 | 5 | 4 | 0.4 | 4.6 |
# | 2 | 4.6 | 3.2 | 0.32 | 4.28 |
# | 3 | 4.28 | 2.56 | 0.256 | 4.024 |
#
# That is **gradient descent** (경사 하강법). Steps become shorter by themselves, since the slope becomes gentler.

# %%
w = 5.0
for step in range(1, 4):
    gradient = 2 * (w - 3)
    w = w - 0.1 * gradient
    print(f"step {step}: gradient {gradient:.2f}, new w {w:.3f}, loss {(w - 3) ** 2:.3f}")

# %% [markdown]
# The minus sign is the whole idea. With a plus you climb, and the loss grows at every step.
#
# With two weights there are not two directions but all around. Which one goes down most steeply? Do not believe it, try them: from one point
# of a valley, a tiny step in each of 360 directions.

# %%
here = torch.tensor([2.0, 1.0], dtype=torch.float64)
angles = torch.arange(360) * torch.pi / 180
directions = torch.stack([angles.cos(), angles.sin()], dim=1)  # (360, 2)
heights = VALLEY(here + 0.001 * directions)  # (360,)
steepest = heights.argmin().item()
minus_gradient = -VALLEY.gradient(here)
angle = math.degrees(math.atan2(minus_gradient[1], minus_gradient[0])) % 360
to_the_goal = math.degrees(math.atan2(-here[1], -here[0])) % 360
print(f"steepest of all 360: {steepest} degrees")
print(f"minus the gradient:  {angle:.1f} degrees")
print(f"straight to the minimum: {to_the_goal:.1f} degrees")
band("degrees between the steepest direction and minus the gradient", abs(steepest - angle), at_most=1)

# %% [markdown]
# Minus the gradient is the steepest way down *from here*. It is not the way to the minimum: they are nearly 60 degrees apart. In a valley the walls are
# steep and the floor is gentle, so the gradient points across. Half of this notebook is about what to do about that.
#
# In code, an optimiser is a function: weights, gradient and what it remembers go in; new weights and what to remember next come out. The plainest of all,
# **SGD** (stochastic gradient descent, 확률적 경사 하강법; section 3 says what is stochastic about it), remembers nothing:
#
# ```python
# def sgd(weights, gradient, state, lr):
#     return weights - lr * gradient, state
# ```
#
# ## 2. How large a step?
#
# Take L = 2 w². Its slope is 4 w, and the slope of the slope, the **curvature** (곡률), is 4. One step:
#
# w - lr · 4 w = (1 - 4 lr) · w
#
# So each step multiplies w by the same number, and everything follows from that number:
#
# | learning rate | factor 1 - 4 lr | what happens |
# |---|---|---|
# | 0.02 | 0.92 | right direction, very slow |
# | 0.2 | 0.2 | a fifth is left after each step |
# | 0.25 | 0 | there in a single step |
# | 0.45 | -0.8 | over the minimum and back, closer each time |

# %%
predict(
    "03.q1",
    "Curvature 4. From which learning rate on does the loss grow at every step?",
    ["above 0.25: it overshoots the minimum", "above 0.5", "above 1", "never: the gradient always points uphill"],
)


# %%
def curve(w):
    return 2 * w**2


walks = {}
for lr, word in ((0.02, "too small"), (0.2, "right"), (0.45, "still fine"), (0.53, "too large")):
    places = [1.0]
    for _ in range(9):
        places.append(places[-1] - lr * 4 * places[-1])
    walks[f"rate {lr}: {word}"] = places
show_slopes(curve, walks, (-1.8, 1.8), "Nine steps on a loss of curvature 4, starting at 1")

# %%
rates = torch.arange(1, 100) / 100
after = ((1 - 4 * rates) ** 200).abs()  # how far from 0 after 200 steps from 1
largest = rates[after < 1].max().item()
print("largest of 0.01, 0.02 ... 0.99 that comes closer:", round(largest, 2))
band("the largest rate that still converges", largest, at_least=0.485, at_most=0.495)
reveal(
    "03.q1",
    answer=1,
    because="at 0.5 the factor is -1: to and fro for ever. Overshooting alone does no harm, as long as each step lands closer.",
)

# %% [markdown]
# **The exact limit.** The factor is 1 - lr · curvature. It must lie between -1 and 1, so
#
# $$\text{learning rate} < \frac{2}{\text{curvature}}$$
#
# Beyond it the loss explodes, however good the network is. A loss that becomes NaN after a few steps is this, nearly always.
#
# Now two weights with different curvatures: 1 along a valley, 25 across it. There is one rate for both. The steepest direction sets the limit, 2 / 25 =
# 0.08. And the gentle direction must live with it: at 0.08 its factor is 1 - 0.08 · 1 = 0.92. Slow, for no fault of its own.

# %%
paths = {f"rate {lr}": descend(sgd, VALLEY, lr, steps=40) for lr in (0.005, 0.04, 0.077, 0.083)}
for name, path in paths.items():
    print(f"{name}: height {VALLEY(path[0]):.1f} before, {VALLEY(path[-1]):.4g} after 40 steps")
show_paths(VALLEY, paths, "One rate for a steep and a gentle direction (limit: 0.08)")

# %% [markdown]
# The largest curvature divided by the smallest is the **condition number** (조건수): 25 here, far more in a network. It says how hard a loss is for
# gradient descent.
#
# Where does curvature come from? Take the smallest network there is: prediction w · x, loss ½ (w x - y)². Its curvature is **x²**: the square of the input.
#
# | input x | curvature | limit for the rate |
# |---|---|---|
# | a normalised pixel, about 1 | 1 | 2 |
# | a raw white pixel, 255 | 65,025 | 0.00003 |
#
# That is why 01 normalised images, and it is the first half of the answer to "which learning rate": it depends on your data's units.
#
# ✂ *50 minutes*
#
# ## 3. Epoch, step, batch
#
# The loss of a training set is the mean over all its samples, and so is its gradient. To take *one* step by the book, you would look at all images first.
# That is **full batch** (전체 배치). Instead everybody takes a few at random, calls their mean gradient good enough, and steps. Words for it:
#
# | word | what it is |
# |---|---|
# | **batch** (배치), or mini-batch | the samples of one step |
# | **step** (스텝), or **iteration** (반복) | one change of the weights, from one batch |
# | **epoch** (에포크) | once through all samples |
# | **stochastic** (확률적) | with a gradient from samples drawn at random; in the strict sense, one sample a step |
#
# By hand: 100 samples in batches of 5 are 100 / 5 = 20 steps an epoch. Ten epochs are **200 steps**. With 103 samples there are 3 left over: they make a
# 21st, smaller batch, in *every* epoch, so 210 steps. Or they are dropped (`drop_last=True`), and it is 200 again.
#
# ### Exercise: training_steps
# *difficulty 1 of 5 · importance 4 of 5 · about 10 minutes*
#
# Every schedule needs this number before training begins.
#
# | samples | batch | epochs | drop_last | steps |
# |---|---|---|---|---|
# | 100 | 5 | 10 | False | 200 |
# | 103 | 5 | 10 | False | 210 |
# | 103 | 5 | 10 | True | 200 |
# | 10 | 4 | 2 | False | 6: (4 + 4 + 2) twice |


# %% exercise="03.training_steps"
def training_steps(samples: int, batch: int, epochs: int, drop_last: bool = False) -> int:
    """How many steps a training makes. A last batch that is not full counts, unless drop_last; batches never reach across epochs."""
    ### BEGIN SOLUTION
    full, rest = divmod(samples, batch)
    small = 1 if rest > 0 and not drop_last else 0
    return (full + small) * epochs
    ### END SOLUTION


training_steps = check("03.training_steps", training_steps)  # yours once it passes, ours until then

# %% [markdown]
# Stuck? `hint("03.training_steps")` helps a little, and a little more each time. `solution("03.training_steps")` shows ours.
#
# Our data from here on: the handwritten digits of scikit-learn, 8 x 8 pixels, ten classes. They are small enough that real training takes less than a
# second. We normalise them (01), lay each out as a row of 64 numbers, and keep some aside to measure on (validation, 검증, and test, 시험).

# %%
digits = {split: labelled_images("digits", split) for split in ("train", "val", "test")}
pixels = digits["train"].images / 255
mean, std = pixels.mean().item(), pixels.std().item()
x, y = flat(digits["train"], mean, std)
print("images", tuple(x.shape), "labels", tuple(y.shape))
for batch in (1, 16, 64, len(y)):
    print(f"batch {batch:>4}: {training_steps(len(y), batch, epochs=10):>6} steps in 10 epochs")

# %% [markdown]
# ### How noisy is the gradient of a few?
#
# From 02 you know the gradient of cross-entropy for a linear classifier: inputs times (softmax - truth). Broadcasting gives it for every image at once,
# so we can compare the mean over a few with the mean over all 1,257.

# %%
truth = torch.eye(10)[y]  # (1257, 10): a 1 at the right class
difference = torch.full((len(y), 10), 0.1) - truth  # before training every class gets 1/10
per_image = x[:, :, None] * difference[:, None, :]  # (1257, 64, 10): the gradient of each image
full = per_image.mean(dim=0)  # (64, 10): the gradient of them all
print(tuple(per_image.shape), "->", tuple(full.shape))

# %%
predict(
    "03.q2",
    "We take batches of 64 instead of 16: four times as many. How much noise is left in the gradient?",
    ["as much as before", "half", "a quarter", "a sixteenth"],
)


# %%
def gradient_noise(batch, draws, generator):
    """Root mean square distance of a batch's gradient from the full one, and the mean cosine of the angle between them."""
    off, cosine = 0.0, 0.0
    for _ in range(draws):
        chosen = torch.randperm(len(y), generator=generator)[:batch]
        guess = per_image[chosen].mean(dim=0)
        off += (guess - full).square().sum().item() / draws
        cosine += torch.cosine_similarity(guess.flatten(), full.flatten(), dim=0).item() / draws
    return off**0.5, cosine


generator, noise = torch.Generator().manual_seed(3), {}
for batch in (1, 4, 16, 64, 256):
    noise[batch], cosine = gradient_noise(batch, at(smoke=5, quick=150, full=400), generator)
    angle = math.degrees(math.acos(cosine))
    print(f"batch {batch:>3}: noise {noise[batch]:.3f}, {noise[batch] / full.norm():.2f} of the gradient's length; {angle:.0f} degrees off")

# %%
sizes = list(noise)
lines = {"measured": (sizes, list(noise.values())), "noise of one / root of the batch": (sizes, [noise[1] / b**0.5 for b in sizes])}
show_lines(lines, "Four times the batch, half of the noise", "batch", "distance from the full gradient", log="xy")

# %%
shrinks = noise[16] / noise[64]
band("noise at batch 16, divided by noise at batch 64", shrinks, at_least=1.75, at_most=2.35)
reveal("03.q2", answer=1, because=f"Measured: {shrinks:.2f} times less. A mean of n independent numbers is off by 1 / √n.")

# %% [markdown]
# So a batch of 256 costs sixteen times as much as one of 16 and is four times as exact. One image alone points almost anywhere, and still, on average,
# downhill. This is why small batches work: many cheap steps in roughly the right direction beat a few exact ones. (At 256 the measured noise lies below
# the line. We draw without putting back, and a fifth of all images leaves less to chance.)
#
# ### The largest batch that fits, and what it costs
#
# Yet a batch of 1 is a bad idea too. Computers work on 64 images in hardly more time than on one. Measure an epoch:

# %%
device = choose_device()
train, val, test = (tuple(t.to(device) for t in flat(digits[split], mean, std)) for split in ("train", "val", "test"))


def seconds_per_epoch(batch):
    began = time.perf_counter()
    train_networks(sgd, [0.1], train, val, training_steps(len(y), batch, epochs=1), batch, seeds=(0,))
    return time.perf_counter() - began


seconds_per_epoch(512)  # the first run of anything is slower
took = {batch: seconds_per_epoch(batch) for batch in at(smoke=(512, 1257), full=(1, 8, 64, 512, 1257))}
for batch, seconds in took.items():
    steps = training_steps(len(y), batch, epochs=1)
    print(f"batch {batch:>4}: {steps:>4} steps, {seconds * 1000:>7.1f} ms an epoch, {seconds / steps * 1000:>6.2f} ms a step")

# %%
fastest, slowest = min(took.values()), max(took.values())
band("the slowest epoch, divided by the fastest", slowest / fastest, at_least=8)

# %% [markdown]
# So take the largest batch that fits into memory? What has to fit: the weights, their gradients and what the optimiser remembers, which do not depend
# on the batch; and the values inside the network that the backward pass needs again, *once for each image*. For our network of 64 inputs, 32 hidden and
# 10 outputs, by hand:
#
# | | numbers |
# |---|---|
# | weights: 64 · 32 + 32 + 32 · 10 + 10 | 2,410 |
# | gradients | 2,410 |
# | values kept for the backward pass: (64 + 32 + 10) · batch | 106 · batch |
#
# For a network on large images the last row is nearly everything. That is why "out of memory" is answered with a smaller batch. And the price of a
# large batch is paid in **steps**: for the same number of epochs there are fewer of them.

# %%
epochs = at(smoke=1, full=4)
results = {}
for batch, lr in ((16, 0.02), (128, 0.02), (128, 0.16), (1257, 0.02), (1257, 1.57)):
    steps = training_steps(len(y), batch, epochs)
    results[batch, lr] = train_networks(sgd, [lr], train, val, steps, batch)
    runs = results[batch, lr]
    print(f"batch {batch:>4}, rate {lr:<4}: {steps:>3} steps, validation loss {runs.loss.mean():.3f}, accuracy {runs.accuracy.mean():.1%}")

# %% [markdown]
# Read it in pairs. Eight times the batch at the same rate: an eighth of the steps, and it is far behind. Eight times the batch with **eight
# times the rate** catches up: its gradient is less noisy, so it may be trusted more. That is the *linear scaling rule* (Goyal and others, 2017, who
# trained ImageNet with batches of 8,192 that way). It cannot go on for ever. The full batch would need a rate of 1.57, and is far behind all the same:
# four steps are four steps, and so near the limit 2 / curvature they may even explode. No batch size moves that limit.
#
# In practice: a batch of 16 to 128 for small networks, the largest that fits for large ones on a GPU, and *when you change the batch, change the rate with it*.

# %%
small, large, scaled = (results[key].loss.mean().item() for key in ((16, 0.02), (128, 0.02), (128, 0.16)))
band("what eight times the batch costs at the same rate, in loss", large - small, at_least=0.3)
band("and at eight times the rate", abs(scaled - small), at_most=0.15)

# %% [markdown]
# ## 4. Momentum: remember where you were going
#
# In the valley, plain steps go to and fro across and creep along. A heavy ball would not: to and fro cancels out, and along the floor it gathers speed.
# So we remember a **velocity** (속도): a share of the old one, plus the new gradient.
#
# v ← momentum · v + gradient, then w ← w - lr · v
#
# Three steps by hand on L = w², whose gradient is 2 w. Start at 1, rate 0.1, momentum 0.9, and v = 0:
#
# | step | gradient | v | w | plain SGD |
# |---|---|---|---|---|
# | 1 | 2 · 1 = 2 | 0.9 · 0 + 2 = 2 | 1 - 0.2 = 0.8 | 0.8 |
# | 2 | 2 · 0.8 = 1.6 | 0.9 · 2 + 1.6 = 3.4 | 0.8 - 0.34 = 0.46 | 0.64 |
# | 3 | 2 · 0.46 = 0.92 | 0.9 · 3.4 + 0.92 = 3.98 | 0.46 - 0.398 = 0.062 | 0.512 |
#
# Three steps, and it has nearly arrived. It will also roll past.

# %%
predict(
    "03.q3",
    "A long even slope: the gradient is 1 at every step. Momentum is 0.9. How long are the steps after a while?",
    ["as long as without momentum", "1.9 times as long", "10 times as long", "longer and longer without end"],
)

# %% [markdown]
# ### Exercise: sgd_momentum
# *difficulty 1 of 5 · importance 5 of 5 · about 10 minutes*
#
# Return the new weights and the new velocity. Change nothing that came in. Before the first step the velocity is the plain number `0.0`; arithmetic
# with it just works. `lr` may be a tensor that broadcasts, and then many walks are made at once.


# %% exercise="03.sgd_momentum"
def sgd_momentum(weights: Tensor, gradient: Tensor, velocity: Tensor | float, lr: float, momentum: float = 0.9) -> tuple[Tensor, Tensor]:
    """One step: (new weights, new velocity), shaped as the weights. v = momentum * v + gradient, then w = w - lr * v."""
    ### BEGIN SOLUTION
    velocity = momentum * velocity + gradient
    return weights - lr * velocity, velocity
    ### END SOLUTION


sgd_momentum = check("03.sgd_momentum", sgd_momentum)

# %%
w, velocity = torch.tensor([1.0]), 0.0
for _ in range(3):
    w, velocity = sgd_momentum(w, 2 * w, velocity, lr=0.1, momentum=0.9)
    print(f"v {velocity.item():.3f}, w {w.item():.3f}")
assert abs(w.item() - 0.062) < 1e-6

# %%
velocity = 0.0
for _ in range(200):
    _, velocity = sgd_momentum(torch.zeros(1), torch.ones(1), velocity, lr=0.1, momentum=0.9)
reveal("03.q3", answer=2, because=f"1 + 0.9 + 0.81 + ... = 1 / (1 - 0.9) = 10. Measured after 200 steps: {velocity.item():.3f}.")
band("velocity on an even slope", velocity.item(), at_least=9.99, at_most=10.01)

# %% [markdown]
# So momentum 0.9 turns a rate into one ten times as large, along every direction that keeps its sign. Where the gradient flips at every step, +1, -1,
# +1, the velocity ends at 1 / (1 + 0.9) = 0.53: to and fro is damped by half. Remember the factor 10 when somebody tells you "the rate was 0.01", and
# ask for the momentum.
#
# > **A trap in books.** Many write `v = momentum * v + lr * gradient; w = w - v`, with the rate inside. As long as the rate stays the same, so do the
# > weights. When a schedule lowers the rate, torch's form (ours) obeys at once, and the book's goes on with its old velocity for a while. A third form
# > weights the gradient by `1 - momentum`, and then its steps are ten times shorter.
#
# How much does it help, and how much momentum should it be? Two valleys: ours, with curvatures 1 and 25, and a much narrower one, 1 and 400. Each
# momentum gets the best of 81 rates.

# %%
narrower = Surface("a very narrow valley", lambda x, y: (x**2 + 400 * y**2) / 2, (-9.0, 1.5), ((0.0, 0.0),), (-10, 4, -2.5, 2.5))


def steps_needed(step, surface, steps):
    """How many steps the best of 81 rates spends above a height of 0.01."""
    many = torch.logspace(-4, 0, 81, dtype=torch.float64)[:, None]  # (81, 1): all of them walk at once
    heights = surface(descend(step, surface, many, steps))  # (steps + 1, 81)
    return (~(heights < 0.01)).sum(dim=0).min().item()  # NaN counts as above


needed = {}
for name, step in (
    ("plain SGD", sgd),
    ("momentum 0.5", partial(sgd_momentum, momentum=0.5)),
    ("momentum 0.9", partial(sgd_momentum, momentum=0.9)),
    ("Nesterov 0.9", partial(nesterov, momentum=0.9)),
):
    needed[name] = [steps_needed(step, VALLEY, at(smoke=20, full=150)), steps_needed(step, narrower, at(smoke=20, full=1000))]
    print(f"{name:>13}: {needed[name][0]:>5} steps in our valley, {needed[name][1]:>5} in the narrow one")

# %%
ratio = needed["plain SGD"][1] / needed["momentum 0.9"][1]
band("the narrow valley: steps of plain SGD over those with momentum 0.9", ratio, at_least=4)

# %% [markdown]
# In the narrow valley momentum 0.9 is far ahead. In the mild one 0.5 is enough, and 0.9 swings about for too long. Networks are like very narrow
# valleys, so 0.9 is everybody's default.
#
# **Nesterov** momentum (네스테로프) is the same but for one detail: it steps with `gradient + momentum * v`, as if the next velocity had been known a step
# earlier. It swings less. In torch it is `SGD(nesterov=True)`.

# %%
walks = {
    "plain SGD, 0.077": descend(sgd, VALLEY, 0.077, 25),
    "momentum 0.5, 0.06": descend(partial(sgd_momentum, momentum=0.5), VALLEY, 0.06, 25),
    "momentum 0.9, 0.02": descend(partial(sgd_momentum, momentum=0.9), VALLEY, 0.02, 25),
}
show_paths(VALLEY, walks, "25 steps: plain, with some momentum, with much")

# %% [markdown]
# And the limit? Momentum m moves it to 2 · (1 + m) / curvature, *higher*, not lower: to and fro is what explodes, and that is what it damps. For our
# valley and 0.9, by hand: 2 · 1.9 / 25 = 0.152.

# %%
for lr in (0.15, 0.154):
    path = descend(partial(sgd_momentum, momentum=0.9), VALLEY, lr, steps=600)
    print(f"momentum 0.9, rate {lr}: height {VALLEY(path[0]):.1f} before, {VALLEY(path[-1]):.3g} after 600 steps")

# %% [markdown]
# ✂ *50 minutes*
#
# ## 5. A rate of its own for every weight
#
# Momentum still has one rate for all weights. But weights differ. Look at the gradients of our digits: how long is a typical gradient for each of the
# 64 pixels?

# %%
typical = per_image.square().mean(dim=(0, 2)).sqrt().reshape(8, 8)  # root mean square, for each pixel
print(f"largest {typical.max():.2f}, middle {typical.median():.2f}, smallest {typical.min():.3f}")
print("row 3 of the image:", [round(value, 2) for value in typical[3].tolist()])

# %% [markdown]
# A factor of two between the pixels, and that is a gentle case: all of them were normalised alike. Between the layers of a deep network (notebook 08
# measures them), or the columns of a table, it can be hundreds. So: **divide each weight's gradient by its own typical size.** Three optimisers do this,
# and they differ in what they call typical.
#
# **AdaGrad** (2011) adds up all squared gradients so far, and divides by the root of the sum. By hand, with a gradient of 1 at every step and rate 1:
#
# | step | sum of squares | step length 1 / √sum |
# |---|---|---|
# | 1 | 1 | 1 |
# | 2 | 2 | 0.71 |
# | 4 | 4 | 0.5 |

# %%
predict(
    "03.q4",
    "The slope goes on evenly, gradient 1 at every step. How long is AdaGrad's step number 100?",
    ["1: the slope has not changed", "0.5", "0.1", "0.01"],
)


# %%
def step_lengths(step, state, gradients, lr=1.0):
    """How far one weight moves at each step, for a given row of gradients."""
    w, lengths = torch.zeros(1), []
    for gradient in gradients:
        new, state = step(w, torch.tensor([gradient]), state, lr)
        lengths.append((w - new).item())
        w = new
    return lengths


dying = step_lengths(adagrad, 0.0, [1.0] * 100)
reveal(
    "03.q4", answer=2, because=f"Its rate falls as 1 / √step: {dying[-1]:.3f} at step 100. A sum never shrinks, so the rate never recovers."
)
band("AdaGrad's step 100 on an even slope", dying[-1], at_least=0.099, at_most=0.101)

# %% [markdown]
# In a short training on a simple problem that is what you want. In a long training its rate dies on the way. **RMSprop** (2012) forgets: instead of a
# sum it keeps a running average (이동 평균) of the squares.
#
# average ← decay · average + (1 - decay) · gradient², then w ← w - lr · gradient / (√average + eps)
#
# By hand, first step, gradient 3, decay 0.75, rate 0.5: average = 0.75 · 0 + 0.25 · 9 = 2.25. Its root is 1.5. The step is 0.5 · 3 / 1.5 = 1.
#
# `eps` is tiny, and only there for 0 / 0. Note where it stands: beside the root, not under it.
#
# ### Exercise: rmsprop
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*


# %% exercise="03.rmsprop"
def rmsprop(
    weights: Tensor, gradient: Tensor, average: Tensor | float, lr: float, decay: float = 0.99, eps: float = 1e-8
) -> tuple[Tensor, Tensor]:
    """One step: (new weights, new average of the squared gradients), shaped as the weights. The average begins as 0.0."""
    ### BEGIN SOLUTION
    average = decay * average + (1 - decay) * gradient**2
    return weights - lr * gradient / (average.sqrt() + eps), average
    ### END SOLUTION


rmsprop = check("03.rmsprop", rmsprop)

# %% [markdown]
# ### Adam: both ideas, and a corrected start
#
# There is something odd about RMSprop's very first step. The average begins at 0, so after one gradient g it is only (1 - decay) · g², far too small.
# With decay 0.99 its root is g / 10, and the first step is **ten times** the rate.
#
# **Adam** (2014) keeps two averages: `first`, of the gradients (that is momentum), and `second`, of their squares (that is RMSprop). And it corrects
# both for their start at zero, dividing by 1 - beta^count. By hand: the first step, gradient 4, betas 0.9 and 0.999.
#
# | | average | divided by | corrected |
# |---|---|---|---|
# | first | 0.1 · 4 = 0.4 | 1 - 0.9¹ = 0.1 | 4 |
# | second | 0.001 · 16 = 0.016 | 1 - 0.999¹ = 0.001 | 16 |
#
# The step is lr · 4 / √16 = lr · 1.

# %%
predict(
    "03.q5",
    "Two weights make their first step with Adam, rate 0.01. One has gradient 1000, the other 0.001. How far do they go?",
    ["10 and 0.00001", "0.01 and 0.00000001", "both 0.01", "0.01, and the other hardly at all"],
)

# %% [markdown]
# ### Exercise: adam
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# The state is a tuple of three: the two averages, and how many steps were made. It begins as `(0.0, 0.0, 0)`. The corrected numbers serve for this one
# step; what you return are the plain averages.


# %% exercise="03.adam"
def adam(
    weights: Tensor, gradient: Tensor, state: tuple, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> tuple[Tensor, tuple]:
    """One step: (new weights, (first, second, count)). eps is added to the root of the corrected second average."""
    first, second, count = state
    ### BEGIN SOLUTION
    count = count + 1
    first = betas[0] * first + (1 - betas[0]) * gradient
    second = betas[1] * second + (1 - betas[1]) * gradient**2
    mean = first / (1 - betas[0] ** count)
    square = second / (1 - betas[1] ** count)
    return weights - lr * mean / (square.sqrt() + eps), (first, second, count)
    ### END SOLUTION


adam = check("03.adam", adam)
ADAM_START = (0.0, 0.0, 0)

# %%
moved, _ = adam(torch.zeros(2), torch.tensor([1000.0, 0.001]), ADAM_START, lr=0.01)
print("first steps:", moved.tolist())
reveal("03.q5", answer=2, because="lr · g / √g² is lr · sign(g): at the first step only the sign of a gradient counts.")
band("first step of Adam for a tiny gradient, divided by the rate", moved[1].abs().item() / 0.01, at_least=0.999, at_most=1.001)

# %% [markdown]
# Now all of them on one slope: gradient 1 for sixty steps, then 0.1. Plain SGD would make steps of 1, then of 0.1.

# %%
gradients = [1.0] * 60 + [0.1] * 60
lengths = {
    "AdaGrad": step_lengths(adagrad, 0.0, gradients),
    "RMSprop, decay 0.9": step_lengths(partial(rmsprop, decay=0.9), 0.0, gradients),
    "Adam": step_lengths(adam, ADAM_START, gradients),
}
lines = {name: (range(1, 121), values) for name, values in lengths.items()}
show_lines(lines, "The slope becomes ten times gentler after step 60", "step", "step length, in rates", log="y")

# %% [markdown]
# - **AdaGrad** fades from the first step, and a gentler slope finishes it off.
# - **RMSprop** starts too long, settles at 1, stumbles at the change, and comes back to 1 as the old squares are forgotten: it does not care how steep a
#   slope is, only which way it goes.
# - **Adam** starts at exactly 1. After the change it stays careful for long, because its second average remembers about 1 / (1 - 0.999) = 1,000 steps.
#
# What do they cost? Memory. For each weight plain SGD remembers nothing, momentum and RMSprop one number, Adam two: a network of 100 million weights
# needs 800 MB more for that.
#
# ### Weight decay, and a bug with a name
#
# **Weight decay** (가중치 감쇠) pulls every weight a little towards 0 at each step, against overfitting (notebook 08). For plain SGD, adding `decay *
# weights` to the gradient does exactly that: it is the gradient of the **L2** penalty ½ · decay · w². So for years libraries did the same for Adam. But
# Adam *divides* what comes in by its typical size. What becomes of the decay then?
#
# ### Exercise: adamw, a bug to mend
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# Below is that Adam with L2. What is wanted is **AdamW** (2017): first every weight shrinks by the share `lr * decay`, whatever its gradient; then Adam
# makes its step with the gradient alone.
#
# | weight | gradient | lr | decay | with AdamW |
# |---|---|---|---|---|
# | 2 | 0 | 0.5 | 0.25 | 2 · (1 - 0.125) = 1.75, and no step from Adam |
# | 2 | 100 | 0.5 | 0.25 | 1.75 - 0.5 = 1.25 |


# %% exercise="03.adamw"
def adamw(weights: Tensor, gradient: Tensor, state: tuple, lr: float, decay: float = 0.01) -> tuple[Tensor, tuple]:
    """One step of Adam with decoupled weight decay: (new weights, (first, second, count))."""
    ### BEGIN SOLUTION
    return adam(weights * (1 - lr * decay), gradient, state, lr)
    ### STUDENT
    # gradient = gradient + decay * weights
    # return adam(weights, gradient, state, lr)
    ### END SOLUTION


adamw = check("03.adamw", adamw)

# %% [markdown]
# See what the bug did. Two weights stand at 1. Their gradients go up and down and mean nothing, ±100 for one and ±0.01 for the other. All that should
# be left is the decay, and it should be alike.

# %%
lines = {}
for name, step in (("AdamW", adamw), ("L2 inside Adam", adam_l2)):
    weights, state, path = torch.ones(2), ADAM_START, [torch.ones(2)]
    for number in range(200):
        sign = 1 if number % 2 else -1
        weights, state = step(weights, sign * torch.tensor([100.0, 0.01]), state, lr=0.01, decay=0.5)
        path.append(weights)
    for index, size in enumerate(("100", "0.01")):
        lines[f"{name}, gradients ±{size}"] = (range(201), [w[index].item() for w in path])
show_lines(lines, "The same decay for two weights", "step", "weight")

# %%
ends = {name: ys[-1] for name, (_, ys) in lines.items()}
for name, end in ends.items():
    print(f"{name:>32}: {end:.3f}")
print(f"by hand, (1 - 0.01 · 0.5) to the 200th: {(1 - 0.005) ** 200:.3f}")
apart = [abs(ends[f"{name}, gradients ±100"] - ends[f"{name}, gradients ±0.01"]) for name in ("AdamW", "L2 inside Adam")]
band("how far the two weights are apart with AdamW", apart[0], at_most=0.02)
band("and with L2 inside Adam", apart[1], at_least=0.8)

# %% [markdown]
# With L2 inside, the weight with large gradients feels no decay at all, and the other is dragged to 0 at full speed. In torch, `Adam(weight_decay=...)`
# still is the L2 kind; **`AdamW`** is the other. Use `AdamW`.
#
# ### Are ours right? Against torch.optim, step by step
#
# The same noisy gradients to both, in double precision.


# %%
def largest_difference(step, state, twin, steps):
    """Largest difference between our weights and torch's over all steps."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    parameter = torch.nn.Parameter(weights.clone())
    optimiser, largest = twin([parameter], lr=0.01), 0.0
    for _ in range(steps):
        gradient = weights - 1 + torch.randn(5, 4, generator=generator, dtype=torch.float64)
        parameter.grad = gradient.clone()
        weights, state = step(weights, gradient, state, 0.01)
        optimiser.step()
        largest = max(largest, (weights - parameter.detach()).abs().max().item())
    return largest


twins = {
    "momentum 0.9": (sgd_momentum, 0.0, partial(torch.optim.SGD, momentum=0.9)),
    "RMSprop": (rmsprop, 0.0, torch.optim.RMSprop),
    "Adam": (adam, ADAM_START, torch.optim.Adam),
    "AdamW": (adamw, ADAM_START, torch.optim.AdamW),
}
for name, (step, state, twin) in twins.items():
    band(f"{name}: largest difference from torch's", largest_difference(step, state, twin, at(smoke=5, full=300)), at_most=1e-6)

# %% [markdown]
# In a training loop of torch (notebook 05 builds one) all of this is three lines: `optimizer = torch.optim.AdamW(model.parameters(), lr=0.001)` once, then for
# each batch `loss.backward()` and `optimizer.step()`, with `optimizer.zero_grad()` before, because torch adds to old gradients.
#
# ✂ *50 minutes*
#
# ## 6. Which rate first?
#
# "Start with 0.01" is the most common advice there is. Test it. Five problems; three optimisers; eleven rates from 0.0001 to 10; three seeds (시드) each.
# That is 495 networks. A seed stands for other first weights and another order of the batches. The networks are small and independent, so they train
# side by side, in tensors with two axes more, (rates, seeds, ...). Your step functions do not notice: broadcasting.

# %%
predict(
    "03.q6",
    "SGD with momentum 0.9, rate 0.01. The pixels are not normalised but raw, 0 to 255. What accuracy will it reach on the ten digits?",
    ["the same as with normalised pixels", "a bit less", "about 10 %: it has learned nothing"],
)

# %%
raw, raw_val = (tuple(t.to(device) for t in flat(digits[split], 0.0, 1 / 255)) for split in ("train", "val"))  # 0..255
faces, faces_val = (tuple(t.to(device) for t in flat(labelled_images("faces", split), 0.5, 0.25)) for split in ("train", "val"))
problems = {  # training samples, validation samples, hidden layers
    "digits, linear": (train, val, ()),
    "digits, one hidden layer": (train, val, (32,)),
    "digits, three hidden layers": (train, val, (32, 32, 32)),
    "faces or not, one hidden layer": (faces, faces_val, (16,)),
    "digits, raw pixels": (raw, raw_val, (32,)),
}
rates = [10 ** (k / 2) for k in range(-8, 3, at(quick=2, full=1))]
trio = {"plain SGD": (sgd, 0.0), "momentum 0.9": (sgd_momentum, 0.0), "Adam": (adam, ADAM_START)}
steps, scans = at(smoke=2, quick=60, full=200), {}
for name, (step, state) in trio.items():
    for problem, (samples, held_out, hidden) in problems.items():
        scans[name, problem] = train_networks(step, rates, samples, held_out, steps, hidden=hidden, state=state)

# %%
panels = {name: {problem: (rates, scans[name, problem].accuracy.mean(dim=1)) for problem in problems} for name in trio}
show_line_panels(panels, f"Accuracy after {steps} steps, mean of three seeds", "learning rate", "validation accuracy", log="x")

# %%
print(f"{'':<45} {'best rate':>9} {'accuracy':>9} {'last good rate':>15}   at the first guess")
guesses = {"plain SGD": 0.1, "momentum 0.9": 0.01, "Adam": 0.001}
behind = {}
for name, guess in guesses.items():
    for problem in problems:
        accuracy = scans[name, problem].accuracy.mean(dim=1)
        at_guess = accuracy[rates.index(guess)]
        last = max(rate for rate, value in zip(rates, accuracy, strict=True) if value > 0.8 * accuracy.max())
        behind[name, problem] = (accuracy.max() - at_guess).item()
        best = f"{rates[accuracy.argmax()]:>9.4f} {accuracy.max():>9.2f}"
        print(f"{name:>12}, {problem:<31} {best} {last:>15.4f}   {guess}: {at_guess:.2f}")

# %%
exploded = scans["momentum 0.9", "digits, raw pixels"].accuracy.mean(dim=1)[rates.index(0.01)].item()
right = 2 if exploded < 0.3 else 1
reveal(
    "03.q6",
    answer=right,
    because=f"Measured: {exploded:.0%}. Raw pixels make the curvature some ten thousand times larger, and 0.01 is far beyond the limit.",
)
normalised = [problem for problem in problems if "raw" not in problem]
band(
    "momentum 0.9 at 0.01, normalised: worst accuracy lost against the best rate",
    max(behind["momentum 0.9", p] for p in normalised),
    at_most=0.15,
)
band("momentum 0.9 at 0.01 on raw pixels: accuracy", exploded, at_most=0.4)

# %% [markdown]
# What the pictures say:
#
# - Each curve is a plateau with a cliff on its right. Too small costs time, which more steps can buy back; too large costs everything.
# - On normalised digits the cliff of plain SGD stands between 0.3 and 3 for the networks with hidden layers; by 2 / curvature, their curvature is roughly
#   between 1 and 6. Momentum moves the whole picture to the left. The deeper network falls first. (The linear one has no cliff here: its curvature shrinks as it
#   becomes sure. That is special to it.)
# - **0.01 with momentum 0.9** has nearly arrived after these few steps, and keeps a factor of ten from the nearest cliff. That is the "why" of 0.01: with
#   inputs around 1 it is seldom too large, and where it is too small, patience is all it costs.
# - It is *only* a first guess, and only for that setting. Plain SGD wants some ten times more. For Adam the usual first guess is **0.001**, and that is
#   meant for trainings of thousands of steps: its steps are about as long as the rate says, so two hundred of them move a weight by 0.2 or so. In
#   trainings as short as ours ten times more is better.
# - On raw pixels 0.01 is a disaster, and a smaller rate is not the cure: look how low the best accuracy of SGD is there. Normalising is.
#
# So: start at the first guess, then try three times more and three times less, and go on in the direction that helped. Look at factors, never at
# differences: between 0.01 and 0.011 there is nothing to find.
#
# ## 7. Strong first, then gentle
#
# A large rate gets there fast and never settles; a small one settles and never gets there. See it where we can calculate it: L = ½ w², curvature 1, but
# each gradient comes with noise of spread 1, as from a small batch. Two thousand walkers start at 4. How far from the minimum are they, typically?
#
# By hand: with a constant rate their spread s settles where what each step takes away equals the noise it brings in, s² = (1 - lr)² s² + lr², so s =
# √(lr / (2 - lr)). Rate 0.5 gives 0.58, and no number of steps will make it better. Rate 0.02 gives 0.10, some day.


# %%
def typical_distance(rate_of, steps, walkers=2000):
    """Root mean square distance from the minimum at 0, before each step and at the end, over many walkers in a noisy bowl."""
    generator, w, distances = torch.Generator().manual_seed(1), torch.full((walkers,), 4.0), []
    for number in range(steps):
        distances.append(w.square().mean().sqrt().item())
        noisy = w + torch.randn(walkers, generator=generator)  # the true gradient is w
        w, _ = sgd(w, noisy, 0.0, rate_of(number))
    return [*distances, w.square().mean().sqrt().item()]


# %% [markdown]
# The cure is to change the rate on the way: a **schedule** (스케줄). The oldest is **step decay** (계단식 감쇠): a tenth of the rate after some epochs, a tenth
# again later. The most used today is the **cosine** (코사인): from 1 to nearly 0 along half a wave, gently at both ends. It often has a **warm-up** (워밍업)
# in front: a straight line up.
#
# ### Exercise: warmup_cosine
# *difficulty 2 of 5 · importance 5 of 5 · about 20 minutes*
#
# The factor on the rate for step 0, 1, ... total - 1. Warm-up: the first of four steps gets 1/4, the fourth gets 1. After it, `progress` goes from just
# above 0 to exactly 1 at the last step, and the factor is (1 + cos(π · progress)) / 2, squeezed so that `final` is left at the end instead of 0.
#
# | step | total | warmup | final | progress | factor |
# |---|---|---|---|---|---|
# | 0 | 12 | 4 | 0 | | 0.25 |
# | 3 | 12 | 4 | 0 | | 1 |
# | 7 | 12 | 4 | 0 | 4 of 8 steps | 0.5 |
# | 11 | 12 | 4 | 0 | 8 of 8 | 0 |
# | 11 | 12 | 4 | 0.1 | 8 of 8 | 0.1 |


# %% exercise="03.warmup_cosine"
def warmup_cosine(step: int, total: int, warmup: int, final: float = 0.01) -> float:
    """Factor on the learning rate at a 0-based step: up in a straight line for `warmup` steps, then half a cosine down to `final`."""
    ### BEGIN SOLUTION
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup + 1) / (total - warmup)
    return final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2
    ### END SOLUTION


warmup_cosine = check("03.warmup_cosine", warmup_cosine)

# %%
total = 150
schedules = {
    "constant": lambda step: 1.0,
    "step decay, a tenth after 60 and 120": lambda step: step_decay(step, 60),
    "cosine": lambda step: warmup_cosine(step, total, 0),
    "warm-up, then cosine": lambda step: warmup_cosine(step, total, 20),
}
lines = {name: (range(total), [factor(step) for step in range(total)]) for name, factor in schedules.items()}
show_lines(lines, "Four schedules", "step", "factor on the rate")

# %%
walks = {
    "constant 0.5": typical_distance(lambda step: 0.5, total),
    "constant 0.02": typical_distance(lambda step: 0.02, total),
    "0.5, step decay": typical_distance(lambda step: 0.5 * step_decay(step, 60), total),
    "0.5, cosine": typical_distance(lambda step: 0.5 * warmup_cosine(step, total, 0), total),
}
lines = {name: (range(total + 1), distances) for name, distances in walks.items()}
show_lines(lines, "A noisy bowl: typical distance from the minimum", "step", "distance", log="y")

# %%
print(f"settled at 0.5: measured {walks['constant 0.5'][-1]:.3f}, by hand {(0.5 / 1.5) ** 0.5:.3f}")
best_constant = min(walks["constant 0.5"][-1], walks["constant 0.02"][-1])
band("end of the cosine, as a share of the better constant rate", walks["0.5, cosine"][-1] / best_constant, at_most=0.8)
band("measured over calculated spread at 0.5", walks["constant 0.5"][-1] / (0.5 / 1.5) ** 0.5, at_least=0.93, at_most=1.07)

# %% [markdown]
# Strong first, then gentle, has both: the speed of the large rate and the precision of the small one. The first drop of the staircase shows as a bend
# of the curve; after the second, so little rate is left that hardly anything moves.
#
# On real data it is the same story. Digits, a linear classifier, batches of 8 (much noise), momentum 0.9, three seeds; the loss over the *whole* training
# set at the end. To be fair, each schedule gets the best of five rates.

# %%
total = at(smoke=4, quick=300, full=800)
schedules = {
    "constant": lambda step: 1.0,
    "step decay": lambda step: step_decay(step, max(1, total * 2 // 5)),
    "cosine": lambda step: warmup_cosine(step, total, 0),
    "warm-up, cosine": lambda step: warmup_cosine(step, total, total // 10),
}
rates, scheduled = [0.003, 0.01, 0.03, 0.1, 0.3], {}
for name, factor in schedules.items():
    runs = train_networks(sgd_momentum, rates, train, val, total, batch=8, hidden=(), schedule=factor)
    loss, accuracy = evaluate_networks(runs.weights, *train)  # (rates, seeds)
    best = loss.mean(dim=1).argmin()
    scheduled[name] = loss[best].mean().item()
    seeds = " ".join(f"{value:.3f}" for value in loss[best].tolist())
    print(
        f"{name:>15}: best rate {rates[best]:<5}  training loss {scheduled[name]:.3f} ({seeds})  validation {runs.accuracy[best].mean():.1%}"
    )

# %%
band("training loss with the cosine, as a share of the best constant rate's", scheduled["cosine"] / scheduled["constant"], at_most=0.9)

# %% [markdown]
# Look at the rates, too. Whoever slows down in the end may start faster: the cosine's best rate is as large as the best constant one, or larger.
#
# ### Why Adam wants a warm-up
#
# You have seen it: Adam's first step has the length of the rate *whatever the gradient is*, for every weight at once, on the evidence of a single
# batch. Weights whose gradient is next to nothing are pushed as hard as the rest. Later its averages know better. With a warm-up, the first steps are
# short until then. Five layers, so that wrong first steps multiply; four rates, three seeds each:

# %%
total, deep = at(smoke=4, quick=80, full=200), (32, 32, 32, 32)
adam_rates = [0.001, 0.01, 0.03, 0.1]
warm = {}
for name, warmup in (("no warm-up", 0), ("warm-up", total // 3)):
    warm[name] = train_networks(
        adam, adam_rates, train, val, total, hidden=deep, state=ADAM_START, schedule=partial(warmup_cosine, total=total, warmup=warmup)
    )
    peak = warm[name].curve[: total // 3].amax(dim=0)  # (rates, seeds): the worst loss of the first third
    for rate, worst, accuracy in zip(adam_rates, peak, warm[name].accuracy, strict=True):
        print(f"{name:>10}, rate {rate:<5}: highest loss at first {worst.mean():>7.2f}, final accuracy {accuracy.mean():.1%}")

# %%
panels = {
    name: {f"rate {rate}": (range(1, total + 1), runs.curve[:, index].mean(dim=1)) for index, rate in enumerate(adam_rates)}
    for name, runs in warm.items()
}
show_line_panels(panels, "Adam on five layers: the loss of each batch", "step", "loss, mean of three seeds", log="y")

# %%
peaks = {name: runs.curve[: total // 3, 3].amax(dim=0).mean().item() for name, runs in warm.items()}
final = {name: runs.accuracy[3].mean().item() for name, runs in warm.items()}
band("highest loss at first, rate 0.1: without warm-up over with it", peaks["no warm-up"] / peaks["warm-up"], at_least=1.5)
band("accuracy in the end, rate 0.1: with warm-up minus without", final["warm-up"] - final["no warm-up"], at_least=0.08)

# %% [markdown]
# Up to 0.03 it makes little difference here. At 0.1 the first steps break the network: the loss shoots far above 2.30, worse than guessing, and what breaks
# may never heal. With a warm-up the same rate works. Notebook 19 trains its detector with one. (Liu and others, 2019, arXiv 1908.03265, blame the second
# average: from a handful of gradients it is hardly better than a guess.)
#
# ✂ *50 minutes*
#
# ## 8. Side by side
#
# Four landscapes, sixty steps, and each optimiser with the best of 45 rates. A fair comparison gives everybody the choice of its own rate; a common
# rate would compare units.

# %%
walkers = {
    "SGD": (sgd, 0.0),
    "momentum": (sgd_momentum, 0.0),
    "Nesterov": (nesterov, 0.0),
    "AdaGrad": (adagrad, 0.0),
    "RMSprop": (partial(rmsprop, decay=0.9), 0.0),
    "Adam": (adam, ADAM_START),
}
many_rates = torch.logspace(-4, 1.5, 45).tolist()
steps = at(smoke=5, full=60)
landscapes, best_rates = [], {}
for surface in (VALLEY, CURVED, SADDLE, TWO_MINIMA):
    found = {name: best_walk(step, surface, many_rates, steps, state) for name, (step, state) in walkers.items()}
    landscapes.append((surface, {name: path for name, (_, path) in found.items()}))
    best_rates[surface.name] = {name: rate for name, (rate, _) in found.items()}
show_landscapes(landscapes, f"{steps} steps, each optimiser at its own best rate (★: minimum)")

# %%
print(f"{'height above the lowest place':<30}", *(f"{name:>10}" for name in walkers))
for surface, paths in landscapes:
    above = [surface(path[-1]).item() - surface.lowest() for path in paths.values()]
    print(f"{surface.name:<30}", *(f"{max(value, 0):>10.2g}" for value in above))
print()
print(f"{'best rate':<30}", *(f"{name:>10}" for name in walkers))
for name, chosen in best_rates.items():
    print(f"{name:<30}", *(f"{rate:>10.2g}" for rate in chosen.values()))
spread = [max(row[name] for row in best_rates.values()) / min(row[name] for row in best_rates.values()) for name in walkers]
print(f"{'largest / smallest best rate':<30}", *(f"{factor:>10.0f}" for factor in spread))

# %% [markdown]
# A surprise: AdaGrad, whose rate dies, does very well. Sixty steps, no noise: a rate that begins large and dies is just what is wanted here. Section 7
# called it strong first, then gentle. RMSprop is the opposite: its steps stay about as long as the rate, so at the bottom it jumps about the minimum for
# ever.
#
# And look at the best *rates*: for one and the same optimiser they differ by ten to fifty times between landscapes, and least for Adam, which is one
# reason why people like it. Who reports "A beats B" from one rate each has measured the rates.
#
# **The saddle** (안장점) deserves a closer look: flat in its middle, down to both sides. We start a thousandth beside the ridge, so the way down has
# almost no gradient yet. All with rate 0.1:

# %%
leaving = {}
for name, (step, state) in walkers.items():
    heights = SADDLE(descend(step, SADDLE, 0.1, 200, state=state))
    leaving[name] = int((heights > -0.2).sum())
    print(f"{name:>9}: {leaving[name]:>3} steps until it is down")
band("leaving the saddle: steps of SGD over those of RMSprop", leaving["SGD"] / leaving["RMSprop"], at_least=2.5)

# %% [markdown]
# SGD waits for the tiny gradient to grow. RMSprop and Adam divide it by its own size and leave at once. (AdaGrad too leaves at once, and then its
# rate dies on the way down: without the choice of its own rate the winner of the table comes last.) In networks saddles are far more common than bad
# minima (Dauphin and others, 2014, arXiv 1406.2572).
#
# **Two minima** (지역 최솟값, 전역 최솟값; 02): the left one is lower, we start on the right. With little speed you end in the nearer one; with momentum you may roll
# through it into the better one, or, from elsewhere, out of it. No optimiser *knows* which one it is in.

# %%
for name, step in (("SGD", sgd), ("momentum", sgd_momentum)):
    end = descend(step, TWO_MINIMA, 0.02, at(smoke=5, full=200))[-1]
    print(
        f"{name:>8}, rate 0.02: ends at ({end[0]:.2f}, {end[1]:.2f}), height {TWO_MINIMA(end):.2f}; the lowest is {TWO_MINIMA.lowest():.2f}"
    )

# %% [markdown]
# Now you. Choose a surface, an optimiser, a rate, a momentum. Three things worth finding: the rate at which the valley explodes without momentum (you
# know it); a momentum with which the ball rolls past the first of two minima; and a rate at which Adam never settles.

# %%
explore_descent("two minima", "momentum", lr=0.02, momentum=0.9)

# %% [markdown]
# ## 9. "Adam is always better"
#
# > **Myth**: *"Adam is always better than SGD."*
#
# First the way it is usually "shown": all optimisers with the same rate, 0.001, on the digits. Then fairly: nine rates for each, the best one chosen by
# its *validation* loss, and then measured once on the *test* images, which nobody has looked at so far. One hidden layer, batches of 64, the same steps
# for all, three seeds.

# %%
predict(
    "03.q7",
    "Each at its own best rate: how far is Adam ahead of SGD with momentum on the test images?",
    ["more than 5 points", "2 to 5 points", "less than 2 points either way", "it is behind by more than 2"],
)

# %%
contest = {
    "SGD": (sgd, 0.0),
    "momentum": (sgd_momentum, 0.0),
    "AdaGrad": (adagrad, 0.0),
    "RMSprop": (rmsprop, 0.0),
    "Adam": (adam, ADAM_START),
    "AdamW": (adamw, ADAM_START),
}
rates = [10 ** (k / 2) for k in range(-7, 2)]  # 0.0003 to 3


def compare(samples, held_out, finally_on, steps):
    """For each optimiser: all its runs, and its test accuracy, one for each seed, at the rate of the lowest validation loss."""
    found = {}
    for name, (step, state) in contest.items():
        runs = train_networks(step, rates, samples, held_out, steps, state=state)
        _, accuracy = evaluate_networks(runs.weights, *finally_on)
        found[name] = runs, accuracy[runs.best]
    return found


def show_table(found, common=0.001):
    print(f"{'':>9}   at {common}   best rate   test accuracy at it, and its three seeds")
    for name, (runs, accuracy) in found.items():
        same = runs.accuracy[rates.index(common)].mean()
        seeds = " ".join(f"{value:.1%}" for value in accuracy.tolist())
        print(f"{name:>9}   {same:>8.1%}   {rates[runs.best]:>9.4f}   {accuracy.mean():.1%}   {seeds}")


# %%
fair = compare(train, val, test, steps=at(smoke=2, quick=100, full=300))
show_table(fair)

# %%
at_own = {name: accuracy.mean().item() for name, (_, accuracy) in fair.items()}
at_common = {name: runs.accuracy[rates.index(0.001)].mean().item() for name, (runs, _) in fair.items()}
lead = at_own["Adam"] - at_own["momentum"]
right = 0 if lead > 0.05 else 1 if lead > 0.02 else 3 if lead < -0.02 else 2
reveal(
    "03.q7",
    answer=right,
    because=f"Measured: {100 * lead:+.1f} points. At a common rate of 0.001 it is {100 * (at_common['Adam'] - at_common['momentum']):+.0f} points.",
)
band("all at the same rate of 0.001: points between Adam and SGD", at_common["Adam"] - at_common["SGD"], at_least=0.2)
band("each at its own best rate: points between the best and the worst", max(at_own.values()) - min(at_own.values()), at_most=0.05)

# %% [markdown]
# The great victory was one of units: 0.001 is a reasonable step for RMSprop and Adam, and a crawl for SGD. At their own best rates the optimisers lie
# within a few points, and the seeds of a single one differ by as much.
#
# So why does everybody use Adam? Because it *needs less tuning*, and because there are problems where it is truly better: those whose weights need very
# different rates. We can make one. Every pixel gets a random unit of its own, from a tenth to ten times. The information is the same; only the scales
# differ, as they do between the columns of a table, or the layers of a deep network.

# %%
units = 10 ** (2 * torch.rand(64, generator=torch.Generator().manual_seed(2)) - 1).to(device)  # 0.1 to 10 for each pixel
crooked = [(inputs * units, labels) for inputs, labels in (train, val, test)]
uneven = compare(*crooked, steps=at(smoke=2, quick=100, full=300))
show_table(uneven)

# %%
uneven_own = {name: accuracy.mean().item() for name, (_, accuracy) in uneven.items()}
band("uneven units: points between Adam and SGD, each at its best", uneven_own["Adam"] - uneven_own["SGD"], at_least=0.015)

# %% [markdown]
# Here a rate for every weight pays. (The better cure is to normalise each column: then the units are gone. You cannot do that to what happens
# between layers: batch normalisation, notebook 08, can.)
#
# ### Which one, then?
#
# | situation | begin with |
# |---|---|
# | something new, little time | AdamW, 0.001, warm-up and cosine |
# | an image classifier, time to tune | SGD, momentum 0.9, 0.01 to 0.1, cosine: less memory, and in the end often as good or better (Wilson and others, 2017, arXiv 1705.08292) |
# | a detector or a transformer | AdamW with warm-up |
# | sparse data (words, clicks) | AdaGrad or Adam |
#
# And in any case three rates, a factor of three apart, before you change anything else.
#
# ## Summary
#
# - **w ← w - lr · gradient.** Minus the gradient is the steepest way down from here, not the way to the minimum.
# - The rate must stay below **2 / curvature**; the steepest direction decides, the gentlest one waits. Normalising the inputs is half of choosing a rate.
# - Steps = batches in an epoch · epochs. Noise falls with the **root** of the batch. Larger batch, fewer steps: raise the rate with it, up to the limit.
# - **Momentum** m makes steps up to 1 / (1 - m) times longer where the slope keeps its sign, and damps where it flips.
# - **AdaGrad** sums squares and dies, **RMSprop** averages and forgets, **Adam** adds momentum and corrects the start: its first step is lr · sign(g).
#   **AdamW** keeps the decay outside.
# - First guesses on normalised inputs: 0.01 for SGD with momentum 0.9, 0.001 for Adam. Then factors of three.
# - **Strong first, then gentle**: warm-up, then cosine.
# - Compare optimisers only at their own best rates, over several seeds.
#
# ### Do you still know?
#
# <details><summary>1,000 images, batch 32, 5 epochs. How many steps? And with drop_last?</summary>
#
# 1000 / 32 = 31 full batches and a rest of 8: 32 steps an epoch, 160 in all. With drop_last 31 · 5 = 155.
# </details>
#
# <details><summary>The largest curvature of a loss is 50. Which rates explode without momentum?</summary>
#
# Those above 2 / 50 = 0.04.
# </details>
#
# <details><summary>You replace SGD with momentum 0 at rate 0.1 by momentum 0.9. Which rate do you try first?</summary>
#
# 0.01: on an even slope momentum 0.9 steps ten times as far.
# </details>
#
# <details><summary>Why do Adam's weights move although the gradient is a millionth?</summary>
#
# It divides by the gradient's typical size, which is a millionth too. What counts is whether the sign stays.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message, or symptom | what happened |
# |---|---|
# | the loss is `nan` after a few steps | the rate is beyond 2 / curvature, or the inputs are not normalised |
# | the loss stays at 2.30 (ten classes) | it has learned nothing: rate far too small, or it exploded at once and every ReLU is dead |
# | the loss falls, then jumps about more and more | gradients were not cleared: torch *adds* to `.grad`, so `optimizer.zero_grad()` at each step |
# | `a leaf Variable that requires grad is being used in an in-place operation` | `w -= lr * w.grad` outside of `torch.no_grad()` |
# | `element 0 of tensors does not require grad` | the weights are new tensors now: `requires_grad_()` before the next forward pass |
# | `Detected call of lr_scheduler.step() before optimizer.step()` | the optimiser steps first, then the schedule |
# | resumed training is worse for a while | weights were saved, the optimiser's state was not |
#
# ### Where to read more
#
# - [torch.optim](https://docs.pytorch.org/docs/stable/optim.html): the same optimisers, with every formula
# - [Why momentum really works](https://distill.pub/2017/momentum/), with pictures to drag
# - Adam: arXiv 1412.6980 · AdamW: arXiv 1711.05101 · large batches and warm-up: arXiv 1706.02677 · cosine: arXiv 1608.03983
# - `coursekit/training/optimisers.py`, `schedule.py`: the functions of this notebook as the course uses them; `side_by_side.py`: how 495 networks train at once
#
# **Next**: 04 looks at the data, before anything is trained on it.
