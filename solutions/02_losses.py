# %% [markdown]
# # 02 · Losses: how wrong, as one number
#
# A network is a machine with many knobs, its **weights** (가중치). Training turns the knobs. To turn them in the right direction you need two things:
# one number that says how wrong the machine is, and for each knob the answer to "if I turn you a little, does it get better or worse?". The number is
# the **loss** (손실). The answers are the **gradient** (기울기). This notebook builds both, by hand, until PyTorch's own agree with yours to six digits.
# Everything that learns in this course learns from these two.
#
# | you will learn | you will build |
# |---|---|
# | squared and absolute error, and what one typing mistake does to each | `mse_with_gradient` |
# | how a network answers "which class?": one output neuron a class, logits, softmax | `softmax` |
# | why exp(1000) breaks a training, and the cure | |
# | cross-entropy, and the 2.303 that you should see at the first step | `cross_entropy` |
# | several yes-or-no questions at once | `bce_with_logits` |
# | how to test a gradient that somebody else wrote | `numerical_gradient` |
# | backpropagation with numbers small enough to check, then autograd | `two_layer_backward` |
# | valleys, saddles and flats: where following the slope ends | |
#
# **Time** under 15 seconds of computing on two CPU cores; about four hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you know shapes and broadcasting (01). Of mathematics: what the slope of a curve is, and that ln is the inverse of exp.

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("02_losses")

# %%
import time

import torch
from torch import Tensor
from torch.nn import functional

from coursekit import losses
from coursekit.data.labelled import labelled_images
from coursekit.data.signs import SignScenes
from coursekit.losses import mae, mse
from coursekit.plots.images import show_boxes
from coursekit.plots.losses import show_minus_log, show_one_answer, show_passes, show_saddle
from coursekit.plots.losses import show_staircase, show_step_sizes, show_walks
from coursekit.plots.three_logits import three_logits
from coursekit.plots.yolo import show_curves

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>00: Which of the four tasks gives one class and its probability for a whole image?</summary>
#
# Classification. Most of this notebook is about how wrong such an answer is.
# </details>
#
# <details><summary>01: x has shape (5, 3). You want to take the largest number of each row away from that row. Why does x - x.max(dim=1).values fail?</summary>
#
# (5, 3) and (5,) are aligned at the right: 3 against 5. With `keepdim=True` the maximum keeps the shape (5, 1), and that fits. You will need it
# today.
# </details>
#
# <details><summary>01: A uint8 of 200, plus 100. What do you get, and who tells you?</summary>
#
# 44, and nobody. Floats have their own silent accidents: today you meet `inf` and `nan`.
# </details>
#
# ## 1. How wrong? Squared and absolute
#
# Five people measure the width of the same traffic sign in a photograph, in pixels: 40, 41, 42, 43 and 44. The last one slips on the keyboard and
# types **134**. We must answer with *one* number for the width. Which one? That depends on how we count errors. The two usual ways:
#
# - **Mean squared error** (MSE, 평균 제곱 오차): take each difference, square it, take the mean.
# - **Mean absolute error** (MAE, 평균 절대 오차): take each difference without its sign, take the mean.
#
# By hand, for two answers that one might give:
#
# | answer | differences | squares, mean | absolutes, mean |
# |---|---|---|---|
# | 42 | 2, 1, 0, -1, -92 | (4 + 1 + 0 + 1 + 8464) / 5 = **1694** | (2 + 1 + 0 + 1 + 92) / 5 = **19.2** |
# | 60 | 20, 19, 18, 17, -74 | (400 + 361 + 324 + 289 + 5476) / 5 = **1370** | (20 + 19 + 18 + 17 + 74) / 5 = **29.6** |
#
# They disagree. MSE likes 60 better, MAE likes 42 better.

# %%
predict(
    "02.q1",
    "We try every answer from 30 to 140. Which has the lowest MSE, and which the lowest MAE?",
    ["both: 42, where most values are", "MSE: 60, MAE: 42", "MSE: 42, MAE: 60", "both: 87, in the middle of 40 and 134"],
)

# %%
widths = torch.tensor([40.0, 41, 42, 43, 134])
answers = torch.arange(30.0, 141)  # (111,)
squared = [mse(answer.expand(5), widths).item() for answer in answers]
absolute = [mae(answer.expand(5), widths).item() for answer in answers]
show_one_answer(widths.tolist(), answers.tolist(), {"MSE": squared, "MAE": absolute}, "One answer for five measurements")

# %%
best_squared = answers[torch.tensor(squared).argmin()].item()
best_absolute = answers[torch.tensor(absolute).argmin()].item()
print("mean  ", widths.mean().item(), "  lowest MSE at", best_squared)
print("median", widths.median().item(), "  lowest MAE at", best_absolute)
assert (best_squared, best_absolute) == (60, 42)
reveal("02.q1", answer=1, because="MSE is lowest at the mean, MAE at the median. The typing mistake pulled the mean up by 18.")

# %% [markdown]
# **The mean (평균) minimises MSE, the median (중앙값) minimises MAE.** An **outlier** (이상값) pulls the mean as far as it likes. The median only asks how
# many values stand on either side: whether the last is 44 or 134 or a million, the median stays 42. Neither loss is better. Choose MSE where large
# errors are really worse than small ones, MAE where the data has mistakes in it that you do not want to learn.
#
# > **Careful**: values of two different losses cannot be compared. An MSE of 1370 is in square pixels, an MAE of 19.2 in pixels. "My loss is 0.3 and yours is 0.5" means
# > nothing, unless it is the same loss on the same data.
#
# ### The slope is the instruction
#
# Nobody tries every answer when there are a million knobs. We stand somewhere and ask for the **slope**: by how much does the loss change if the
# answer grows a little? A positive slope says *less*, a negative one says *more*, a slope of 0 says *stay*.
#
# For one squared difference (p - t)² the slope is 2 (p - t). Check with numbers: p = 5, t = 2 gives 9. At p = 5.01 it is 9.0601, so 0.0601 more for a
# step of 0.01: a slope of about 6 = 2 · 3. In a mean of n, each number carries 1/n of the weight, so its slope is 2 (p - t) / n. And |p - t| has the
# slope +1 above the target and -1 below, whatever the distance.
#
# Stand at 50 and look at how hard each of the five measurements pulls:
#
# | measurement | 40 | 41 | 42 | 43 | 134 | sum |
# |---|---|---|---|---|---|---|
# | slope of MSE, 2 (50 - t) / 5 | 4.0 | 3.6 | 3.2 | 2.8 | **-33.6** | **-20**: go up |
# | slope of MAE, ±1 / 5 | 0.2 | 0.2 | 0.2 | 0.2 | -0.2 | **+0.6**: go down |
#
# With MSE the outlier shouts down the other four. With MAE everybody has one vote.
#
# ### Exercise: mse_with_gradient
# *difficulty 1 of 5 · importance 4 of 5 · about 10 minutes*
#
# The slopes of the loss along all its inputs together are called the **gradient** (기울기). It has the same shape as what we can change, here
# `predicted`. The loss is written already. Yours is the gradient. It should work for any shape: `difference.numel()` counts all numbers.
#
# | predicted | target | loss | gradient |
# |---|---|---|---|
# | (5) | (2) | 9 | (6) |
# | (1, 4) | (3, 3) | (4 + 1) / 2 = 2.5 | (-2, 1) |


# %% exercise="02.mse_with_gradient"
def mse_with_gradient(predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Two tensors of one shape -> (mean squared error, its slope along every number of predicted)."""
    difference = predicted - target
    loss = (difference**2).mean()
    ### BEGIN SOLUTION
    gradient = 2 * difference / difference.numel()
    ### END SOLUTION
    return loss, gradient


mse_with_gradient = check("02.mse_with_gradient", mse_with_gradient)  # yours once it passes, ours until then

# %% [markdown]
# Stuck? `hint("02.mse_with_gradient")` helps a little, and a little more each time. `solution("02.mse_with_gradient")` shows ours.
#
# Now let the gradient do the search. Start at 0. One knob moves all five predictions, so its slope is the sum of theirs. Take a step *against* the
# slope, a quarter of it, and again:

# %%
answer = torch.tensor(0.0)
for step in range(at(smoke=2, quick=20, full=20)):
    loss, gradient = mse_with_gradient(answer.expand(5), widths)
    slope = gradient.sum()
    if step < 5:
        print(f"step {step}: answer {answer:6.2f}, loss {loss:8.1f}, slope {slope:7.2f}")
    answer = answer - 0.25 * slope
print(f"in the end: {answer:.3f}")
band("distance of the last answer from the mean", (answer - 60).abs(), at_most=0.01)

# %% [markdown]
# It walked to the mean without trying every answer. That is **gradient descent** (경사 하강법), and it is all that training is. Notebook 03 is about the
# 0.25.
#
# ## 2. A class is not a number
#
# Now the network should say which sign it sees: class 0 "stop", 1 "yield" or 2 "parking". One output and MSE? Then "yield" would be *nearly right*
# for "parking", and "stop" twice as wrong. Signs know no such order; the numbers are only names.
#
# So every classifier gives **one output neuron (출력 뉴런) for each class**: three classes, three numbers. They are called **logits** (로짓): raw scores,
# any size, any sign. Large means "I believe in this class". Only their differences count.
#
# To speak of probabilities we need numbers from 0 to 1 that add up to 1. **Softmax** (소프트맥스) makes them in two steps: exp makes everything positive,
# and dividing by the sum does the rest.
#
# | class | logit z | exp(z) | divided by the sum, 11.107 |
# |---|---|---|---|
# | stop | 2 | 7.389 | **0.665** |
# | yield | 1 | 2.718 | **0.245** |
# | parking | 0 | 1 | **0.090** |
#
# One more in the logit means e = 2.718 times the probability: 0.6652 / 0.2447 = 2.718. Drag the three logits. What do you have to do to make
# "parking" as likely as "stop"? What happens if all three move together?

# %%
three_logits((2, 1, 0), label=0, classes=("stop", "yield", "parking"))

# %%
predict(
    "02.q2",
    "We add 100 to all three logits. What should happen to the probabilities?",
    ["the largest gets nearly everything", "all three become equal", "nothing at all", "they no longer add up to 1"],
)


# %%
def naive_softmax(logits):
    """(N, K) -> (N, K), straight from the formula."""
    return logits.exp() / logits.exp().sum(dim=1, keepdim=True)


z = torch.tensor([[2.0, 1.0, 0.0]])  # (1, 3): one sample, three classes
for shift in (0, 50, 100):
    print(f"logits + {shift:>3}:", naive_softmax(z + shift).tolist())

# %%
reveal(
    "02.q2",
    answer=2,
    because="exp(z + 100) = exp(z) · exp(100), and the factor cancels in the division. But look at what float32 made of it: nan.",
)

# %% [markdown]
# ### The first NaN
#
# Mathematics said "nothing", and the computer said `nan`, "not a number" (숫자 아님). exp grows quickly, and every float ends somewhere. Beyond that it
# is `inf`, infinity (무한대), and inf / inf is nan. How far can each dtype go?

# %%
steps_up = torch.arange(0, 1000, dtype=torch.float64)
for dtype in (torch.float16, torch.float32, torch.float64):
    finite = steps_up.to(dtype).exp().isfinite()
    print(f"{dtype!s:<14} exp({int(steps_up[finite].max())}) is finite, exp({int(steps_up[finite].max()) + 1}) is inf")
print("exp(1000) =", torch.tensor(1000.0).exp().item(), "  exp(-1000) =", torch.tensor(-1000.0).exp().item())
print("inf / inf =", (torch.tensor(torch.inf) / torch.inf).item(), "  log(0) =", torch.tensor(0.0).log().item())

# %% [markdown]
# A logit of 89 is no rarity: one training step that was too long is enough. And a single nan in a loss makes every gradient nan, then every weight.
# The network is gone, for good, and no exception was raised.
#
# The cure is the answer to the prediction: a shift changes nothing, so shift the row **so that its largest logit is 0**. Then every exp is between 0
# and 1, one of them is exactly 1, and the sum is at least 1. Nothing can overflow, and nothing is divided by 0. This is **numerical stability** (수치
# 안정성): the same mathematics, in an order that floats survive.
#
# By hand: (1002, 1001, 1000) minus 1002 is (0, -1, -2). exp: 1, 0.368, 0.135, sum 1.503. Divided: 0.665, 0.245, 0.090. The same as before, as it must
# be.
#
# ### Exercise: softmax
# *difficulty 2 of 5 · importance 5 of 5 · about 15 minutes*
#
# Rows are samples, columns are classes: each *row* adds up to 1. Every row has a largest logit of its own.
#
# | logits | probabilities |
# |---|---|
# | (2, 1, 0) | (0.665, 0.245, 0.090) |
# | (1002, 1001, 1000) | (0.665, 0.245, 0.090) |
# | (5, 5, 5, 5) | (0.25, 0.25, 0.25, 0.25) |


# %% exercise="02.softmax"
def softmax(logits: Tensor) -> Tensor:
    """(N, K) logits of any size -> (N, K) probabilities of the same dtype; each row adds up to 1."""
    ### BEGIN SOLUTION
    shifted = logits - logits.max(dim=1, keepdim=True).values  # (N, 1) beside (N, K); the largest is 0 now
    weights = shifted.exp()
    return weights / weights.sum(dim=1, keepdim=True)
    ### END SOLUTION


softmax = check("02.softmax", softmax)

# %%
far = torch.tensor([[1002.0, 1001.0, 1000.0], [-1000.0, -1001.0, 0.0]])
print("naive:\n", naive_softmax(far))
print("yours:\n", softmax(far))

# %% [markdown]
# ✂ *50 minutes*
#
# ## 3. Cross-entropy: what did the right class get?
#
# The network said (0.665, 0.245, 0.090), and the sign is a stop sign. How wrong is that? Look only at the probability p of the **right** class, and
# take **-log p**. That is the **cross-entropy** (교차 엔트로피), the loss of nearly every classifier. (log is the natural logarithm here, 자연로그, as
# everywhere in this field.)
#
# | p of the right class | 1 | 0.9 | 0.665 | 0.5 | 0.1 | 0.01 | 0.000001 |
# |---|---|---|---|---|---|---|---|
# | loss -log p | 0 | 0.105 | 0.408 | 0.693 | 2.303 | 4.605 | 13.816 |
#
# Why the logarithm? Two reasons. Probabilities of independent samples multiply, and logarithms turn that into a sum: the loss of a batch is a plain
# mean. And it has a long arm: being wrong *and sure* costs without end, while the square (1 - p)² never costs more than 1.

# %%
show_minus_log()

# %% [markdown]
# ### Straight from logits
#
# `softmax(logits).log()` looks like the obvious code. Its trap: softmax rounds a very small probability to 0, and log(0) is -inf.

# %%
unlikely = torch.tensor([[0.0, 200.0]])  # the right class is 0, and the network is sure of 1
print("softmax, then log:", softmax(unlikely).log().tolist())

# %% [markdown]
# The right answer for the first one is -200, a perfectly ordinary number. We lost it by leaving the logarithm and coming back. So do not leave it:
#
# $$\log p_k = \log\frac{e^{z_k}}{\sum_j e^{z_j}} = z_k - \log\sum_j e^{z_j}$$
#
# The last part is called **log-sum-exp**. By hand for (2, 1, 0), right class 0: log(7.389 + 2.718 + 1) = log 11.107 = 2.408, and 2.408 - 2 =
# **0.408** = -log 0.665. With shifted logits (0, -1, -2) it is log(1 + 0.368 + 0.135) = 0.408, minus 0. The same.
#
# ### Exercise: cross_entropy
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# `labels` holds the number of the right class for each sample, (N,) int64. The shift is there already. Pick the right logit of each row, and take the
# mean over the samples.
#
# | logits | label | loss |
# |---|---|---|
# | (2, 1, 0) | 0 | 0.408 |
# | (2, 1, 0) | 2 | 2.408 |
# | (1000, 0, 0) | 1 | 1000 |


# %% exercise="02.cross_entropy"
def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """(N, K) logits and (N,) int64 labels -> one number of their dtype: the mean of -log p of the right class."""
    shifted = logits - logits.max(dim=1, keepdim=True).values  # (N, K)
    ### BEGIN SOLUTION
    log_sum = shifted.exp().sum(dim=1).log()  # (N,)
    right = shifted[torch.arange(len(labels)), labels]  # (N,): row 0 at labels[0], row 1 at labels[1] ...
    return (log_sum - right).mean()
    ### END SOLUTION


cross_entropy = check("02.cross_entropy", cross_entropy)

# %% [markdown]
# ### The number you should see first
#
# A network that has learned nothing yet has weights near 0, so its logits are all near 0, whatever image it sees.

# %%
predict(
    "02.q3",
    "Ten classes, a fresh network. What will its first cross-entropy be, about?",
    ["0", "1", "2.3", "10"],
)

# %% [markdown]
# Try it on scikit-learn's handwritten digits: 8x8 pixels, ten classes. The simplest network of all has one row of 64 weights for each class; its
# logits are `pixels @ weights.T`.

# %%
digits, held_out = labelled_images("digits", "train"), labelled_images("digits", "val")
pixels = digits.images.flatten(1) / 255  # (1257, 64), from 0 to 1
print("pixels", tuple(pixels.shape), " labels", tuple(digits.labels.shape), " classes", len(digits.classes))

# %%
first_loss = {}
for scale in (0.0, 0.01, 1.0, 10.0):
    weights = scale * torch.randn(10, 64, generator=torch.Generator().manual_seed(0))
    first_loss[scale] = cross_entropy(pixels @ weights.T, digits.labels).item()
    print(f"weights of size {scale:>5}: loss {first_loss[scale]:.3f}")

# %%
reveal(
    "02.q3", answer=2, because=f"equal logits give every class p = 1/10, and -log(1/10) = log 10 = 2.303. Measured: {first_loss[0.01]:.3f}."
)
band("first loss with small weights", first_loss[0.01], at_least=2.25, at_most=2.35)

# %% [markdown]
# **log K at the first step** is a free test of everything you built so far: ln 2 = 0.693, ln 10 = 2.303, ln 1000 = 6.908. A first loss far above it
# means that the weights begin too large: the network guesses, and is *sure* of its guesses. Notebook 08 shows how to choose their size.
#
# > **Myth**: *"a lower loss means a higher accuracy."*
#
# Accuracy (정확도) counts right answers; the loss also asks how sure they were. Three models, four samples of two classes each; below is the p that the
# right class got. More than 0.5 is a right answer.

# %%
models = {
    "careful": [0.51, 0.51, 0.51, 0.49],
    "boastful": [0.999, 0.999, 0.999, 0.000001],
    "shy and wrong": [0.4, 0.4, 0.4, 0.4],
}
for name, right in models.items():
    p = torch.tensor(right)
    print(f"{name:>14}: accuracy {(p > 0.5).float().mean():.0%}, cross-entropy {-p.log().mean():.2f}")

# %% [markdown]
# "Boastful" is right three times of four, and has by far the worst loss: one sure mistake. "Shy and wrong" is never right, and has a better one.
# Compare models by what you care about, and train them by what has a slope. Section 9 shows why that cannot be the same.
#
# ### Softmax twice
#
# PyTorch's `cross_entropy` wants logits, because softmax is inside, just as in yours. Many people put another softmax at the end of their network,
# since they want probabilities. No error is raised.

# %%
predict(
    "02.q4",
    "A network with ten classes is perfect and completely sure, and has a softmax too many at its end. What does cross_entropy say?",
    ["0.00", "1.46", "2.30", "an error is raised"],
)

# %%
labels = torch.arange(10)
perfect = 100 * torch.eye(10)  # (10, 10) logits: 100 on the right class, 0 on the others
once = cross_entropy(perfect, labels).item()
twice = cross_entropy(softmax(perfect), labels).item()
print(f"logits into cross_entropy: {once:.4f}, probabilities into cross_entropy: {twice:.4f}")

# %%
reveal(
    "02.q4",
    answer=1,
    because=f"it reads the probabilities 1, 0, ..., 0 as logits: -log(e / (e + 9)) = {twice:.3f}. It can never get lower.",
)
band("the lowest loss with softmax twice", twice, at_least=1.461, at_most=1.462)

# %% [markdown]
# A loss that falls, and then refuses to go below 1.46 (ten classes), has softmax twice. **The network's last layer gives logits. Softmax is for
# looking at them.**
#
# ✂ *50 minutes*
#
# ## 4. Yes or no, and several at once
#
# Softmax makes classes compete: one wins what another loses. What if more than one answer is right?

# %%
scenes = SignScenes(300, seed=2, classes=["stop", "yield", "parking", "pedestrians", "priority_road"])
number = next(i for i in range(300) if len(set(scenes.plan(i).labels.tolist())) == 2)  # two kinds of sign in one picture
scene, target = scenes[number]
show_boxes(scene, target["boxes"], target["labels"], classes=scenes.classes, title="Which kinds of sign are in this picture?")

# %%
present = torch.zeros(5)
present[target["labels"]] = 1.0
print(dict(zip(scenes.classes, present.int().tolist())))

# %% [markdown]
# Five questions, each with its own yes or no: a **multi-label** (다중 레이블) problem. The target is not one class number, but a row of zeros and ones.
# With softmax the two right classes could get 0.5 each at best, and a picture without signs could not be answered at all.
#
# So each logit is turned into a probability by itself. The **sigmoid** (시그모이드) does that: σ(z) = 1 / (1 + exp(-z)). Then the loss is -log of the
# probability that the *right answer* got, which is p for yes and 1 - p for no. It is called **binary cross-entropy** (BCE, 이진 교차 엔트로피).
#
# | z | p = σ(z) | loss if yes: -log p | loss if no: -log(1 - p) |
# |---|---|---|---|
# | 0 | 0.5 | 0.693 | 0.693 |
# | 2 | 0.881 | 0.127 | 2.127 |
# | -2 | 0.119 | 2.127 | 0.127 |
# | 1000 | 1, rounded | 0 | should be 1000; -log(1 - 1) is inf |
#
# The last row again. The cure again: stay in the logarithm. With target t (1 for yes, 0 for no) both columns are one formula, in which exp only ever
# sees numbers of 0 or less:
#
# $$\text{loss} = \max(z, 0) - z\,t + \log\left(1 + e^{-|z|}\right)$$
#
# Check two entries of the table: z = 2, yes: 2 - 2 + log(1 + 0.135) = 0.127 ✓. z = 2, no: 2 - 0 + 0.127 = 2.127 ✓.
#
# <details><summary>Where does it come from?</summary>
#
# For yes: -log σ(z) = log(1 + e^(-z)). For no: -log(1 - σ(z)) = log(1 + e^z), which is z more: z + log(1 + e^(-z)) is the same number. So the loss is
# log(1 + e^z) - z t, for both. And log(1 + e^z) is log(1 + e^(-z)) + z: take the first form where z is negative and the second where it is positive.
# That is max(z, 0) + log(1 + e^(-|z|)).
# </details>
#
# ### Exercise: bce_with_logits
# *difficulty 2 of 5 · importance 5 of 5 · about 15 minutes*
#
# Any shape, one question for each number; the mean over all of them. A target may lie between 0 and 1, where the people who answered did not agree: the
# formula holds there too. `torch.log1p(x)` is log(1 + x), exact for small x too.


# %% exercise="02.bce_with_logits"
def bce_with_logits(logits: Tensor, targets: Tensor) -> Tensor:
    """Logits and targets (floats: 1 yes, 0 no, or between) of one shape -> one number: the mean binary cross-entropy."""
    ### BEGIN SOLUTION
    positive = logits.clamp(min=0)
    rest = torch.log1p(torch.exp(-logits.abs()))  # exp of 0 or less: no overflow
    return (positive - logits * targets + rest).mean()
    ### END SOLUTION


bce_with_logits = check("02.bce_with_logits", bce_with_logits)

# %%
unsure, sure = torch.zeros(5), 8 * (2 * present - 1)  # +8 for what is there, -8 for what is not
for name, logits in (("no idea", unsure), ("sure and right", sure), ("sure and wrong", -sure)):
    print(f"{name:>14}: loss {bce_with_logits(logits, present):.4f}")

# %% [markdown]
# "No idea" costs log 2 = 0.693 here, for any number of questions: the second number worth remembering for a first step. Detectors ask "is this class
# in this place?" thousands of times an image, and they ask it like this: notebook 19 uses this loss for every cell.
#
# > Softmax with two classes *is* a sigmoid: only the difference of two logits counts.

# %%
pairs = torch.tensor([[3.0, 1.0], [0.0, 0.0], [-4.0, 1.0]])
print(softmax(pairs)[:, 0].tolist())
print(torch.sigmoid(pairs[:, 0] - pairs[:, 1]).tolist())

# %% [markdown]
# ### Ours against PyTorch's
#
# Four losses and no library so far. Do they agree? Random logits, and some of a thousand; the difference is divided by the value where that is above
# 1.


# %%
def worst(ours, theirs):
    """Largest difference, relative where the values are large."""
    return ((ours - theirs).abs() / theirs.abs().clamp(min=1)).max().item()


generator = torch.Generator().manual_seed(5)
gaps = dict.fromkeys(("softmax", "cross_entropy", "bce_with_logits", "mse"), 0.0)
for scale in (1, 10, 1000):
    logits = scale * torch.randn(64, 10, generator=generator)
    labels = torch.randint(0, 10, (64,), generator=generator)
    yes = (torch.rand(64, 10, generator=generator) < 0.5).float()
    found = {
        "softmax": worst(softmax(logits), torch.softmax(logits, dim=1)),
        "cross_entropy": worst(cross_entropy(logits, labels), functional.cross_entropy(logits, labels)),
        "bce_with_logits": worst(bce_with_logits(logits, yes), functional.binary_cross_entropy_with_logits(logits, yes)),
        "mse": worst(mse_with_gradient(logits, yes)[0], functional.mse_loss(logits, yes)),
    }
    gaps = {name: max(gaps[name], gap) for name, gap in found.items()}
for name, gap in gaps.items():
    band(f"{name} against PyTorch's", gap, at_most=1e-6)

# %% [markdown]
# From here on you may use PyTorch's, and know what is inside.
#
# ## 5. The slope of cross-entropy: p - y
#
# Which way should each logit move? For one sample the answer is as short as it can be. Write the label as a row with a single 1, the **one-hot**
# (원-핫) row y. Then
#
# $$\text{slope along } z_k = p_k - y_k$$
#
# By hand for the stop sign: (0.665, 0.245, 0.090) - (1, 0, 0) = **(-0.335, 0.245, 0.090)**. More of the right logit makes the loss smaller, more of
# the others makes it larger, each as much as it was believed in. The three add up to 0, because moving all logits together changes nothing. With N
# samples and their mean, each row is divided by N.
#
# <details><summary>Why? Three lines</summary>
#
# The loss is log Σ exp(z_j) - z_right. The slope of the first part along z_k is exp(z_k) / Σ exp(z_j), which is p_k. The slope of the second is -1
# for the right class and 0 for the others, which is -y_k. Together: p_k - y_k.
# </details>
#
# PyTorch can find slopes by itself. A tensor with `requires_grad=True` remembers what was done to it, and `torch.autograd.grad` goes back along that
# memory. This is **autograd** (자동 미분). Section 7 does by hand what it does inside.

# %%
z = torch.tensor([[2.0, 1.0, 0.0]], requires_grad=True)
loss = functional.cross_entropy(z, torch.tensor([0]))
(slope,) = torch.autograd.grad(loss, z)
p, y = softmax(z.detach()), torch.tensor([[1.0, 0.0, 0.0]])
print("p - y   ", (p - y).tolist())
print("autograd", slope.tolist())
band("p - y against autograd", worst(p - y, slope), at_most=1e-6)

# %%
predict(
    "02.q5",
    "The network is wrong and terribly sure: logits (50, 0, 0), and class 1 is right. What is the slope along the logit of class 1?",
    ["about 0", "about -1", "about -50", "minus infinity"],
)

# %%
p = softmax(torch.tensor([[50.0, 0.0, 0.0]]))
slope_right = (p[0, 1] - 1).item()
reveal(
    "02.q5",
    answer=1,
    because=f"p of class 1 is nearly 0, so p - 1 = {slope_right:.3f}. The loss is 50, and yet the pull is never stronger than 1.",
)

# %% [markdown]
# That is why cross-entropy and softmax belong together. Wrong and sure pulls with full strength, 1. Right and sure pulls with 0: there is nothing
# left to learn. However bad a sample is, its pull on a logit is never more than 1.
#
# Softmax twice loses exactly this. Here are two classes; class 0 is right, and the network believes more and more in class 1:


# %%
def slope_of_wrong_logit(size, twice):
    """Logits (0, size), class 0 is right: the slope along the logit of class 1."""
    logits = torch.tensor([[0.0, size]], requires_grad=True)
    given = torch.softmax(logits, dim=1) if twice else logits
    (slope,) = torch.autograd.grad(functional.cross_entropy(given, torch.tensor([0])), logits)
    return slope[0, 1].item()


print("wrong logit    softmax once    softmax twice")
for size in (0.0, 2.0, 5.0, 10.0):
    print(f"{size:>11}    {slope_of_wrong_logit(size, False):>12.5f}    {slope_of_wrong_logit(size, True):>13.5f}")
weaker = slope_of_wrong_logit(10.0, False) / slope_of_wrong_logit(10.0, True)
band("softmax twice: how many times weaker the pull is at 10", weaker, at_least=1000)

# %% [markdown]
# The *worst* mistakes pull the least. Such a network still learns from the easy samples, so its curve falls a little, and nobody looks for the bug.
#
# ✂ *50 minutes*
#
# ## 6. Is this gradient right? Try it
#
# Everybody who writes a gradient by hand makes a mistake in it sooner or later. There is a test that needs no theory: move one number a little up and
# a little down, and look at the loss. These are **finite differences** (유한 차분).
#
# $$\text{slope} \approx \frac{f(x + h) - f(x - h)}{2h}$$
#
# By hand for f(x) = x² at 3 (true slope 6) with h = 0.1: (3.1² - 2.9²) / 0.2 = (9.61 - 8.41) / 0.2 = **6.0**. Only going up would give (9.61 - 9) /
# 0.1 = **6.1**. Going both ways cancels most of the error. It costs two calls of f for each number, so it is a test, not a way to train.
#
# ### Exercise: numerical_gradient
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*
#
# `x` may have any shape, and must not change: `x + step` is a new tensor. `tensor.view(-1)[i]` is the i-th number of a fresh tensor of any shape.
#
# | f | x | h | gradient |
# |---|---|---|---|
# | x[0] · x[1] | (3, -2) | 0.5 | (-2, 3): move *one* number, hold the other |
# | the sum of x³ | (1) | 0.5 | (1.5³ - 0.5³) / 1 = (3.25); the true slope is 3 |


# %% exercise="02.numerical_gradient"
def numerical_gradient(f, x: Tensor, h: float) -> Tensor:
    """f: tensor like x -> one number. Gives its slope along each number of x, in the shape of x, by central differences."""
    gradient = torch.zeros(x.shape, dtype=x.dtype)
    for i in range(x.numel()):
        step = torch.zeros(x.numel(), dtype=x.dtype)
        # put h in its place, give step the shape of x, then set gradient.view(-1)[i]
        ### BEGIN SOLUTION
        step[i] = h
        step = step.reshape(x.shape)
        gradient.view(-1)[i] = (f(x + step) - f(x - step)) / (2 * h)
        ### END SOLUTION
    return gradient


numerical_gradient = check("02.numerical_gradient", numerical_gradient)

# %% [markdown]
# ### How small should h be?
#
# The smaller the step, the better the slope: that is how a derivative is defined. So why not h = 0.000000001? Here are four samples of three classes,
# and the slope that we know exactly, (p - y) / N.

# %%
logits = torch.tensor([[2.0, 1, -1], [1, -2, 1], [-1, 2, 1], [1, 1, 2]])  # (4, 3)
labels = torch.tensor([0, 1, 1, 2])
exact = (softmax(logits.double()) - functional.one_hot(labels, 3)) / 4

# %%
predict(
    "02.q6",
    "In float32, with h = 0.000000001: what does the numerical gradient look like?",
    ["nearly exact", "right to three digits", "0 everywhere", "nan everywhere"],
)

# %%
tiny_step = numerical_gradient(lambda z: cross_entropy(z, labels), logits, 1e-9)
print(tiny_step)
assert (tiny_step == 0).all()

# %%
reveal(
    "02.q6",
    answer=2,
    because="float32 keeps 7 digits: 2 + 0.000000001 is 2. The step never happened, f did not change, and 0 / h is 0.",
)

# %%
step_sizes = [10.0**-k for k in range(1, 13)]
errors = {}
for dtype in (torch.float64, torch.float32):
    found = [numerical_gradient(lambda z: cross_entropy(z, labels), logits.to(dtype), h).double() for h in step_sizes]
    errors[str(dtype).removeprefix("torch.")] = [((g - exact).norm() / exact.norm()).item() for g in found]
show_step_sizes(step_sizes, errors, "Too large is inexact, too small is worse")

# %% [markdown]
# Read it from left to right, from h = 0.000000000001 to 0.1. On the right the error falls with h²: ten times smaller a step, a hundred times smaller
# an error. That is the mathematics. On the left it rises as h shrinks: two nearly equal losses are subtracted, only their last digits are left, and
# those are rounding. That is the float. The best h lies where the two meet.
#
# **Check gradients in float64, with h near 0.00001.** Then a relative error below 0.00001 means right, and above 0.001 means a bug.

# %%
band("float64: relative error with h = 1e-5", errors["float64"][4], at_most=1e-8)
band("float32: the best that any h gives", min(errors["float32"]), at_least=1e-6, at_most=1e-2)
band("float32: relative error with h = 1e-9", errors["float32"][8], at_least=0.9)

# %% [markdown]
# ## 7. Backpropagation, by hand
#
# A network is a chain of small steps. **Backpropagation** (역전파) gives the slope of the loss along every number in the chain, in one walk from the end
# to the beginning. There is one rule, the **chain rule** (연쇄 법칙):
#
# > slope of the loss along what goes *into* a step = slope along what comes *out* of it, times the slope of the step itself.
#
# One neuron: z = w·x + b, then **ReLU** (렐루), which is max(z, 0), then the loss (a - 5)². With x = 2, w = 3, b = -4.
#
# | forward | value | backward | slope of the loss |
# |---|---|---|---|
# | z = w·x + b = 3·2 - 4 | 2 | loss along a: 2 (a - 5) = 2 · (2 - 5) | **-6** |
# | a = max(z, 0) | 2 | along z: -6 · 1, because ReLU was on | **-6** |
# | loss = (a - 5)² | 9 | along w: -6 · x = -6 · 2 | **-12** |
# | | | along b: -6 · 1 | **-6** |
# | | | along x: -6 · w = -6 · 3 | **-18** |
#
# Read the left half downwards, then the right half. Note that the slope along w needs the value of x: **the forward pass must remember what went
# through it.** That memory is why training needs several times more memory than predicting.

# %%
inputs = [("x", 2, -18), ("w", 3, -12), ("b", -4, -6)]
chain = [("inputs", inputs), ("w·x + b", [("z", 2, -6)]), ("ReLU", [("a", 2, -6)]), ("(a - 5)²", [("loss", 9, 1)])]
show_passes(chain, ["all", "own", "own"], "Values go to the right, slopes come back")

# %%
x, w, b = (torch.tensor(value, requires_grad=True) for value in (2.0, 3.0, -4.0))
loss = (torch.relu(w * x + b) - 5) ** 2
print("autograd along x, w, b:", [slope.item() for slope in torch.autograd.grad(loss, (x, w, b))])
print("w a little larger: loss", ((torch.relu(3.01 * x + b) - 5) ** 2).item(), "instead of 9: about -12 · 0.01 = -0.12")

# %% [markdown]
# ### A network with two layers
#
# Two inputs, two hidden units (은닉 유닛) with ReLU, two classes. A weight matrix has one *row* for each unit that it feeds, as in PyTorch's `nn.Linear`,
# so a layer is `x @ w.T + b`.


# %%
def forward(x, w1, b1, w2, b2):
    """x (N, D), w1 (H, D), b1 (H,), w2 (K, H), b2 (K,) -> hidden before ReLU (N, H), after it (N, H), logits (N, K)."""
    before = x @ w1.T + b1
    hidden = torch.relu(before)
    return before, hidden, hidden @ w2.T + b2


x = torch.tensor([[1.0, 2.0]])  # (1, 2): one sample
small = {
    "w1": torch.tensor([[1.0, 1.0], [1.0, -1.0]]),
    "b1": torch.tensor([0.0, 0.0]),
    "w2": torch.tensor([[1.0, 2.0], [2.0, -1.0]]),
    "b2": torch.tensor([3.0, 0.0]),
}
before, hidden, logits = forward(x, **small)
print("before", before.tolist(), " hidden", hidden.tolist(), " logits", logits.tolist())

# %% [markdown]
# **Forward.** Before ReLU: (1·1 + 1·2, 1·1 - 1·2) = (3, -1). Hidden: (3, 0), the second unit is off. Logits: (1·3 + 2·0 + 3, 2·3 - 1·0 + 0) = (6, 6).
# So p = (½, ½), and if class 0 is right, the loss is log 2 = 0.693.
#
# **Backward**, one line at a time:
#
# | slope along | how | numbers |
# |---|---|---|
# | logits | p - y | (½ - 1, ½) = (-½, ½) |
# | w2 | slope of each logit · each hidden value | (-½·3, -½·0), (½·3, ½·0) = (-1.5, 0), (1.5, 0) |
# | b2 | slope of each logit | (-½, ½) |
# | hidden | each logit's slope, back along its weight, added up | (-½·1 + ½·2, -½·2 + ½·(-1)) = (½, -1½) |
# | before | the same where the unit was on, 0 where it was off | (½, 0) |
# | w1 | slope of each unit · each input | (½·1, ½·2), (0, 0) = (½, 1), (0, 0) |
# | b1 | slope of each unit | (½, 0) |
#
# A layer is the same three questions each time: *my weights*: slope out times what came in. *My bias*: slope out. *What goes further back*: slope
# out, back along the weights.

# %%
columns = [
    ("inputs", [("x1", 1, 0.5), ("x2", 2, 0.5)]),
    ("before", [("u1", 3, 0.5), ("u2", -1, 0)]),
    ("hidden", [("h1", 3, 0.5), ("h2", 0, -1.5)]),
    ("logits", [("z1", 6, -0.5), ("z2", 6, 0.5)]),
    ("cross-entropy", [("loss", 0.6931, 1)]),
]
weights_on_arrows = {(0, 0, 0): "1", (0, 1, 0): "1", (0, 0, 1): "1", (0, 1, 1): "-1"}
weights_on_arrows |= {(2, 0, 0): "1", (2, 1, 0): "2", (2, 0, 1): "2", (2, 1, 1): "-1"}
show_passes(columns, ["all", "own", "all", "all"], "Two layers, forward and backward (numbers on arrows are weights)", weights_on_arrows)

# %%
predict(
    "02.q7",
    "The second hidden unit was off for this sample. Which of its weights get a slope of 0?",
    ["only those that lead into it", "only those that lead out of it", "both", "none: the slope flows around it"],
)

# %%
small_trained = {name: value.clone().requires_grad_() for name, value in small.items()}
loss = functional.cross_entropy(forward(x, **small_trained)[2], torch.tensor([0]))
slopes = dict(zip(small_trained, torch.autograd.grad(loss, list(small_trained.values()))))
for name, slope in slopes.items():
    print(name, slope.tolist())

# %%
reveal(
    "02.q7",
    answer=2,
    because="into it: ReLU passes no blame back. Out of it: the slope is blame times the unit's value, and that was 0. It learns nothing from this sample.",
)

# %% [markdown]
# Every number of the table is there. A unit that is off for *all* samples does not learn any more: a **dead ReLU** (죽은 렐루). You will watch one in 05.
#
# ✂ *50 minutes*
#
# ### Exercise: two_layer_backward
# *difficulty 4 of 5 · importance 5 of 5 · about 35 minutes*
#
# The same for N samples at once, with matrix products. The forward pass is there. Go from the loss back to the front. The shapes tell you nearly
# everything: the slope along w2 must be (K, H), you have slopes of the logits (N, K) and hidden values (N, H), and only one product of the two has
# that shape. It also adds up the samples, which is what we want.
#
# Two things to remember: the loss is a *mean* over N, and a unit that stands at exactly 0 counts as off.


# %% exercise="02.two_layer_backward"
def two_layer_backward(x: Tensor, labels: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> dict[str, Tensor]:
    """x (N, D), labels (N,), weights as in forward -> the slopes of the mean cross-entropy, by name: w1, b1, w2, b2."""
    before, hidden, logits = forward(x, w1, b1, w2, b2)  # (N, H), (N, H), (N, K)
    ### BEGIN SOLUTION
    grad_logits = softmax(logits)
    grad_logits[torch.arange(len(labels)), labels] -= 1  # p - y
    grad_logits = grad_logits / len(labels)  # the loss is a mean
    grad_hidden = grad_logits @ w2  # (N, K) @ (K, H)
    grad_before = grad_hidden * (before > 0)
    return {
        "w1": grad_before.T @ x,  # (H, N) @ (N, D)
        "b1": grad_before.sum(dim=0),
        "w2": grad_logits.T @ hidden,  # (K, N) @ (N, H)
        "b2": grad_logits.sum(dim=0),
    }
    ### END SOLUTION


two_layer_backward = check("02.two_layer_backward", two_layer_backward)

# %%
for name, slope in two_layer_backward(x, torch.tensor([0]), **small).items():
    print(name, slope.tolist())

# %% [markdown]
# ### The gradient check
#
# By hand, by trying, by autograd: three ways to the same numbers, for a network of random weights.


# %%
def random_network(inputs, units, classes, seed, dtype=torch.float32):
    """Weights by name, drawn from a normal distribution that keeps numbers near 1."""
    generator = torch.Generator().manual_seed(seed)
    w1 = torch.randn(units, inputs, generator=generator, dtype=dtype) / inputs**0.5
    w2 = torch.randn(classes, units, generator=generator, dtype=dtype) / units**0.5
    return {"w1": w1, "b1": torch.zeros(units, dtype=dtype), "w2": w2, "b2": torch.zeros(classes, dtype=dtype)}


# %%
samples, labels = pixels[:20].double(), digits.labels[:20]
wide = random_network(64, 8, 10, seed=1, dtype=torch.float64)
by_hand = two_layer_backward(samples, labels, **wide)


def loss_if(name):
    """The loss as a function of one of the weight tensors, the others being as they are."""
    return lambda value: cross_entropy(forward(samples, **{**wide, name: value})[2], labels)


by_trying = {name: numerical_gradient(loss_if(name), wide[name], 1e-5) for name in wide}
watched = {name: value.clone().requires_grad_() for name, value in wide.items()}
loss = functional.cross_entropy(forward(samples, **watched)[2], labels)
by_autograd = dict(zip(watched, torch.autograd.grad(loss, list(watched.values()))))

# %%
print("       shape     by trying   by autograd   (relative differences from yours)")
largest = {"trying": 0.0, "autograd": 0.0}
for name in wide:
    gap = {}
    for way, theirs in (("trying", by_trying[name]), ("autograd", by_autograd[name])):
        gap[way] = ((by_hand[name] - theirs).norm() / theirs.norm()).item()
        largest[way] = max(largest[way], gap[way])
    print(f"{name:<5}{tuple(wide[name].shape)!s:>10}   {gap['trying']:>9.1e}   {gap['autograd']:>11.1e}")
band("by hand against finite differences", largest["trying"], at_most=1e-5)
band("by hand against autograd", largest["autograd"], at_most=1e-6)

# %% [markdown]
# <details><summary>If one number of thousands disagrees</summary>
#
# Look whether a hidden unit stands within h of 0. There ReLU has a kink: one side has slope 0, the other 1, and central differences give the mean, ½.
# Both are right. Change the seed and check again.
# </details>
#
# And another loss at the end? Only the *first* line changes. With MSE the slope along the outputs is the one you wrote in section 1, 2 · difference /
# count, and everything behind it stays as it is. In `coursekit/losses.py` the same function takes either; here it is with numbers as targets:

# %%
goal = functional.one_hot(labels, 10).double()  # (20, 10) numbers instead of labels
squared_loss = functional.mse_loss(forward(samples, **watched)[2], goal)
theirs = dict(zip(watched, torch.autograd.grad(squared_loss, list(watched.values()))))
ours = losses.two_layer_backward(samples, goal, **wide)
band("MSE through two layers against autograd", max(worst(ours[name], theirs[name]) for name in wide), at_most=1e-6)

# %% [markdown]
# ### Why go backwards at all?
#
# Trying works for any network and needs no thought. What does it cost?


# %%
def best_of(count, call):
    """Seconds of the quickest of several calls: other programs can only make it slower."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


count = sum(value.numel() for value in wide.values())
once_forward = best_of(20, lambda: losses.cross_entropy(losses.two_layer_forward(samples, **wide)[2], labels))
once_backward = best_of(20, lambda: losses.two_layer_backward(samples, labels, **wide))
print(f"{count} weights: trying needs {2 * count} forward passes, {2 * count * once_forward * 1000:.0f} ms")
print(f"backpropagation: one forward and one backward, {once_backward * 1000:.2f} ms")
band("trying against backpropagation, times slower", 2 * count * once_forward / once_backward, at_least=100)

# %% [markdown]
# A detector has millions of weights. Going backwards gives *all* slopes for about the price of a few forward passes, however many weights there are.
# That one fact is why deep learning exists.
#
# ✂ *50 minutes*
#
# ## 8. Where does downhill end?
#
# Following the slope leads to a place where the slope is 0. Which one? Take a loss of one weight with two valleys, w⁴ - 3w² + w.


# %%
def two_valleys(w):
    return w**4 - 3 * w**2 + w


def walk(f, start, lr, steps):
    """Follow the slope of f downhill from start; every place on the way, (steps + 1, ...)."""
    place, path = torch.tensor(start, requires_grad=True), []
    for _ in range(steps):
        path.append(place.detach())
        (slope,) = torch.autograd.grad(f(place), place)
        place = (place - lr * slope).detach().requires_grad_()
    return torch.stack([*path, place.detach()])


# %%
predict(
    "02.q8",
    "The left valley is the deeper one. A walk of small steps starts on the far right, at w = 2. Where does it end?",
    ["in the left valley, the deepest point", "in the right valley, the nearer one", "on the hill between them"],
)

# %%
steps = at(smoke=2, quick=100, full=100)
walks = [walk(two_valleys, start, 0.02, steps) for start in (2.0, 0.25, 0.1, -2.0)]
ends = [path[-1].item() for path in walks]
for path in walks:
    print(f"from {path[0]:5.2f} to {path[-1]:5.2f}, loss {two_valleys(path[-1]):6.3f}")

# %%
show_walks(two_valleys, -2.1, 2.1, [path.tolist() for path in walks], "Which valley you reach depends on where you start")
reveal(
    "02.q8",
    answer=1 if ends[0] > 0.2 else 0,
    because=f"it ends at {ends[0]:.2f}, with a loss of {two_valleys(ends[0]):.2f}. The other valley has -3.51: a slope sees only the ground under its feet.",
)
band("the walk from 2 ends in the right valley", ends[0], at_least=1.12, at_most=1.14)
band("the walk from 0.1 ends in the left one", ends[2], at_least=-1.31, at_most=-1.29)

# %% [markdown]
# The lowest point of all is the **global minimum** (전역 최솟값); the bottom of any other valley is a **local minimum** (지역 최솟값). Two starts side by side,
# 0.1 and 0.25, ended in different ones. So people used to fear that networks would always get stuck in a bad valley. Mostly they do not, and counting
# shows why.
#
# ### In many dimensions: saddles
#
# A place where all slopes are 0 is a minimum only if the ground rises in *every* direction. In one dimension it rises or falls, so about every second
# flat place is a minimum. If each of n directions tossed a coin, it would be one in 2ⁿ: for n = 10, one in 1024. All others rise in some directions
# and fall in others: a **saddle point** (안장점), and from a saddle there is a way down.
#
# Real directions are no independent coins. How a surface bends in all its directions stands in a symmetric matrix, the **Hessian** (헤세 행렬). Take one with normally distributed numbers, again and again, and count how often the surface bends upwards everywhere:

# %%
generator = torch.Generator().manual_seed(8)
tries = at(smoke=100, quick=4000, full=4000)
share = {}
for n in (1, 2, 3, 5, 10):
    bends = torch.randn(tries, n, n, generator=generator, dtype=torch.float64)
    along_axes = torch.linalg.eigvalsh(bends + bends.transpose(1, 2))  # (tries, n): how it bends along its own axes
    share[n] = (along_axes > 0).all(dim=1).double().mean().item()
    print(f"dimensions {n:>2}: minima among flat places {share[n]:6.2%}, with independent coins {0.5**n:6.2%}")
band("3 dimensions: share of minima", share[3], at_most=0.125)

# %% [markdown]
# Even rarer than coins. This is a model of a landscape, not a proof about networks; Dauphin and others (2014, arXiv 1406.2572) argue with it, and
# measure, that saddles are what slows networks down. How does one feel? The surface w1² + (w2² - 1)² has a saddle in its middle and a valley on
# either side:


# %%
def saddle(w1, w2):
    return w1**2 + (w2**2 - 1) ** 2


steps = at(smoke=2, quick=90, full=90)
on_the_ridge = walk(lambda place: saddle(place[0], place[1]), [1.2, 0.0], 0.05, steps)
beside_it = walk(lambda place: saddle(place[0], place[1]), [1.2, 0.0001], 0.05, steps)
show_saddle(
    saddle, {"starts exactly on the ridge": on_the_ridge, "starts 0.0001 beside it": beside_it}, "A saddle holds you up, and lets you go"
)

# %%
stuck, free = (saddle(*path[-1]).item() for path in (on_the_ridge, beside_it))
band("loss of the walk exactly on the ridge", stuck, at_least=0.99, at_most=1.01)
band("loss of the walk beside it", free, at_most=0.01)

# %% [markdown]
# The second walk creeps along for tens of steps with hardly any progress, and then falls. A training curve that lies flat for a while and drops again
# looks like this. In practice nobody starts exactly on a ridge, and the noise of small batches (03) pushes everybody off it.
#
# ## 9. Why not train for accuracy itself?
#
# Accuracy is what we want. Why not use it as the loss, and spare us the logarithms? Take a classifier that already works a little: for each digit the
# mean image of its class, and the nearest one wins. Then move a *single* one of its 640 weights, and watch.

# %%
means = torch.stack([pixels[digits.labels == k].mean(dim=0) for k in range(10)]).double()  # (10, 64)
hundred, their_labels = pixels[:100].double(), digits.labels[:100]


def outputs(weight):
    """(100, 10) logits, with the weight of class 8 at pixel 36 (the middle of the image) replaced."""
    moved = means.clone()
    moved[8, 36] = weight
    return hundred @ moved.T - 0.5 * (means**2).sum(dim=1)  # nearest mean, written as one linear layer


def accuracy_of(weight):
    return (outputs(weight).argmax(dim=1) == their_labels).double().mean()


def loss_of(weight):
    return cross_entropy(outputs(weight), their_labels)


# %%
places = torch.linspace(-4, 4, 161, dtype=torch.float64)
accuracies = [accuracy_of(weight).item() for weight in places]
loss_curve = [loss_of(weight).item() for weight in places]
show_staircase(places.tolist(), accuracies, loss_curve, "One weight of 640, a hundred digits")

# %%
predict(
    "02.q9",
    "Your numerical_gradient, with h = 0.0001, of the accuracy along this weight at -2: what does it give?",
    ["exactly 0", "a small positive number", "a small negative number"],
)

# %%
weight = torch.tensor(-2.0, dtype=torch.float64)
slope_accuracy = numerical_gradient(accuracy_of, weight, 1e-4).item()
slope_loss = numerical_gradient(loss_of, weight, 1e-4).item()
print(f"slope of the accuracy {slope_accuracy}, slope of the loss {slope_loss:.5f}")

# %%
reveal(
    "02.q9",
    answer=0 if slope_accuracy == 0 else 1 if slope_accuracy > 0 else 2,
    because="no answer changes its mind within 0.0001. Accuracy is a staircase: flat, then a jump.",
)
band("size of the loss's slope at the same place", abs(slope_loss), at_least=1e-4)

# %% [markdown]
# On a flat stretch every direction looks the same, and gradient descent stands still. **A flat loss teaches nothing.** You will meet other flats: the
# IoU of two boxes that do not touch (13), a sigmoid far out, a value that was clamped. So we train with a loss that has a slope, and report what we
# care about. Two numbers, two jobs.
#
# ## 10. All together: your slopes move a network
#
# Everything in this cell is yours: the loss, and the slopes of 2,410 weights. It follows them downhill, 150 steps, on 1,257 digits. No optimiser, no
# autograd.

# %%
network = random_network(64, 32, 10, seed=3)
curve = []
for _ in range(at(smoke=2, quick=150, full=150)):
    curve.append(cross_entropy(forward(pixels, **network)[2], digits.labels).item())
    slopes = two_layer_backward(pixels, digits.labels, **network)
    network = {name: network[name] - 0.5 * slopes[name] for name in network}

# %%
said = forward(held_out.images.flatten(1) / 255, **network)[2].argmax(dim=1)
accuracy = (said == held_out.labels).float().mean().item()
show_curves({"cross-entropy": (range(len(curve)), curve)}, f"From {curve[0]:.2f} to {curve[-1]:.2f}", "step", "loss on the training images")
print(f"{accuracy:.1%} of {len(said)} digits it has never seen")

# %%
band("first loss, near log 10 = 2.303", curve[0], at_least=2.2, at_most=2.7)
band("last loss", curve[-1], at_most=0.6)
band("accuracy on digits never seen", accuracy, at_least=0.85)

# %% [markdown]
# ## Summary
#
# - A **loss** is one number for how wrong. Its **gradient** says for each weight whether more of it makes things worse. Training goes against it.
# - **MSE** follows the mean and listens to outliers; **MAE** follows the median and gives everybody one vote.
# - A classifier has **one output neuron a class**. Its outputs are **logits**; softmax turns them into probabilities, and is *inside* the loss. Not twice.
# - **Cross-entropy** is -log p of the right class. It starts at **log K**. Its slope is **p - y**, never stronger than 1.
# - Several answers may be right: sigmoid and **BCE**, each question by itself. It starts at log 2.
# - Never leave the logarithm: shift by the largest logit, log-sum-exp, log1p. exp(89) is inf in float32.
# - **Backpropagation**: slope out times what came in; slope out, back along the weights; 0 where ReLU was off. Check it in float64 with h near 1e-5.
# - Downhill ends in *a* valley. In many dimensions flat places are mostly saddles. A flat loss teaches nothing, and accuracy is flat.
#
# ### Do you still know?
#
# <details><summary>A network for 100 classes shows a loss of 4.6 in its first step. Is that bad?</summary>
#
# It is just right: log 100 = 4.605. It knows nothing yet, and does not pretend to.
# </details>
#
# <details><summary>Your loss for ten classes falls to 1.47 and stays there, whatever you do. What do you look for?</summary>
#
# A softmax at the end of the network, before a cross-entropy that has one inside. The lowest possible value is then 1.461.
# </details>
#
# <details><summary>Probabilities (0.1, 0.7, 0.2), class 2 is right. Which slopes do the three logits get?</summary>
#
# p - y = (0.1, 0.7, -0.8). They add up to 0.
# </details>
#
# <details><summary>A gradient check in float32 with h = 1e-7 gives a relative error of 0.5. Is the gradient wrong?</summary>
#
# Nobody can tell: at that step float32 measures only its own rounding. Repeat it in float64 with h = 1e-5.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message, or symptom | what happened |
# |---|---|
# | the loss is `nan` from some step on | exp overflowed, log of 0, or 0 / 0. Softmax and log written separately? A step too long? |
# | `Expected floating point type for target with class probabilities, got Long` | labels of shape (N, K): `cross_entropy` wants (N,) class numbers, or float probabilities |
# | `expected target dtype to be Long or Byte, but got Float` (older: `expected scalar type Long but found Float`) | class numbers must be int64: `labels.long()` |
# | `Target 10 is out of bounds.` | labels from 1 to 10 instead of 0 to 9, or one output neuron too few |
# | `Target size (torch.Size([8])) must be the same as input size (torch.Size([8, 1]))` | BCE needs equal shapes: `targets[:, None]` |
# | a warning `Using a target size ... that is different to the input size ...` | (N,) against (N, 1) broadcast to (N, N), and the loss is a mean over nonsense |
# | the loss is negative | a sign, or a "probability" above 1; cross-entropy is never below 0 |
# | the first loss is 30 instead of 2.3 | weights too large, or pixels from 0 to 255 |
# | `element 0 of tensors does not require grad and does not have a grad_fn` | the loss does not hang together with the weights: a `.item()`, `.detach()` or `argmax` in between |
#
# ### Where to read more
#
# - [PyTorch: loss functions](https://docs.pytorch.org/docs/stable/nn.html#loss-functions) and [autograd mechanics](https://docs.pytorch.org/docs/stable/notes/autograd.html)
# - Rumelhart, Hinton and Williams, *Learning representations by back-propagating errors*, Nature 323 (1986), 533-536: four pages that started it
# - Dauphin and others, *Identifying and attacking the saddle point problem in high-dimensional non-convex optimization*, arXiv 1406.2572
# - `coursekit/losses.py`: the functions of this notebook as the course uses them
#
# **Next**: 03 moves the weights: how far, and with how much momentum.
