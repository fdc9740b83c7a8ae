# %% [markdown]
# # 08 · Fitting: too little, too much, and not at all
#
# A network can fail in three ways. It learns too little, and is bad everywhere. It learns its training images by heart, and is bad on all others. Or it does
# not learn at all, because the gradient dies, or explodes, on its way through the layers. The curves of these three look different, their cures are different,
# and mixing them up costs weeks. In this notebook you cause each of them on purpose, measure it, and cure it.
#
# | you will learn | you will build |
# |---|---|
# | underfitting and overfitting, a little and a lot, and how to tell them apart from two numbers | |
# | how much data a class needs, and what a rare class does to recall | |
# | why gradients vanish in depth, with 0.25 to the power of twelve | `gradient_norms`, a probe for any network |
# | where first weights come from: Xavier and He | `he_init` |
# | what an exploding run looks like, and four cures | `clip_by_norm`; `clipped_step`, repaired |
# | batch, layer and group norm: which numbers share a mean; train against eval | `BatchNorm` |
# | dropout, weight decay, early stopping: each measured alone | `dropout` |
#
# **Time** half a minute to two minutes of computing on two CPU cores; about four hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you have met losses and gradients (02), optimisers (03), the training loop (05) and convolution (07).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("08_fitting")

# %%
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from coursekit.data.labelled import Labelled, labelled_images
from coursekit.models.layers import Pixels
from coursekit.models.normalisation import group_norm, layer_norm
from coursekit.models.regularisation import decay_weights
from coursekit.plots.fitting import show_activations, show_curves, show_fits, show_map, show_norm_axes
from coursekit.plots.gradient_depth import drag_depth
from coursekit.plots.seeds import show_seeds
from coursekit.training.classifier import EarlyStopping, batches, evaluate, fit_classifier
from coursekit.training.device import choose_device
from coursekit.training.fitting import deep_network, xavier_scaled

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>02: y = f(g(x)). How does the gradient of y get to x?</summary>
#
# By the chain rule: slope of f times slope of g. Every layer on the way multiplies one more factor.
# </details>
#
# <details><summary>05: Why does evaluate call model.eval() before, and put the mode back after?</summary>
#
# Some layers behave differently in training. You did not write one yet; today you write two of them.
# </details>
#
# <details><summary>07: A 3x3 convolution from 16 to 32 channels. How many products are added up for one output number?</summary>
#
# 16 · 3 · 3 = 144: every input channel, every place of the kernel. The 32 plays no part. You will need this number today.
# </details>
#
# ## 1. Two ways to fail, on twelve points
#
# Before images, something that can be seen whole. The truth is a wave. We know twelve points of it, each a little off, as measurements are. We fit a polynomial
# (다항식), and its **degree** says how much it can bend: degree 1 is a straight line, degree 11 has twelve coefficients.
#
# By hand, with three points (0, 1), (1, 3), (2, 2). Degree 0 is one number, the mean, 2. Its errors are -1, 1 and 0, and their root mean square is √(2/3) =
# 0.82. Degree 2 has three coefficients for three points: it passes through all of them, error **0**. Has it understood more? We cannot know. It would pass
# through any three points.


# %%
def wave(x):
    return np.sin(2 * np.pi * x)


def measured(count, rng, evenly=False):
    """(x, y) of noisy points of the wave; the noise has a spread of 0.2."""
    x = (np.arange(count) + 0.5) / count if evenly else rng.uniform(0, 1, count)
    return x, wave(x) + rng.normal(0, 0.2, count)


def error(fit, points):
    """Root of the mean squared error."""
    x, y = points
    return float(np.sqrt(np.mean((fit(x) - y) ** 2)))


# %%
rng = np.random.default_rng(6)
twelve = measured(12, rng, evenly=True)  # to train on
validation, later = measured(500, rng), measured(500, rng)  # two sets that training never sees
fits = {degree: np.polynomial.Polynomial.fit(*twelve, degree) for degree in range(12)}

# %%
grid = np.linspace(0, 1, 300)
panels = {f"degree {d}\ntraining error {error(fits[d], twelve):.2f}": (grid, fits[d](grid)) for d in (1, 3, 11)}
show_fits(twelve, panels, (grid, wave(grid)), "Too stiff, right, too free")

# %% [markdown]
# Degree 1 cannot bend, so it misses even the points it has seen: **underfitting** (과소적합). Degree 11 goes through every point, noise and all, and swings wildly
# between them: **overfitting** (과적합). To *measure* that we need points which played no part in the fit: a **validation set** (검증 세트).

# %%
predict(
    "08.q1",
    "Twelve noisy points of a wave. Which degree has the smallest error on new points?",
    ["0 or 1", "between 3 and 5", "8 or 9", "11: it has the smallest error on the points we have"],
)

# %%
degrees = list(range(12))
on_training = [error(fits[d], twelve) for d in degrees]
on_validation = [error(fits[d], validation) for d in degrees]
show_curves(
    degrees,
    {"training": np.maximum(on_training, 1e-2), "validation": on_validation},
    "Training error only falls, validation error turns",
    xlabel="degree",
    ylabel="error (at least 0.01 drawn)",
    log_y=True,
)

# %%
best = int(np.argmin(on_validation))
reveal("08.q1", answer=1, because=f"measured: degree {best}, validation error {on_validation[best]:.2f}. The noise alone is 0.20.")
assert 3 <= best <= 5

# %% [markdown]
# Two numbers tell everything. The **training error** says whether the model *can*. The **gap** (일반화 격차) from training to validation says whether what it
# learned is worth anything elsewhere.

# %%
words = {0: "underfitting, a lot", 2: "underfitting, a little", 3: "about right", 7: "overfitting, a little", 11: "overfitting, a lot"}
for degree, word in words.items():
    t, v = on_training[degree], on_validation[degree]
    print(f"degree {degree:>2}: training {t:.2f}, validation {v:.2f}, gap {v - t:.2f}   {word}")

# %% [markdown]
# | | training | gap | what to do |
# |---|---|---|---|
# | underfitting | bad | small | a larger model, longer training, a better rate; more data does *not* help |
# | right | good | small | stop |
# | overfitting | very good | large | more data, a smaller model, regularisation (규제, section 8), stopping earlier |
#
# > **Myth**: *"Overfitting shows as good validation and bad test."*
#
# You will read this in study notes. Decide before you measure: degree 11 is perfect on its training points. `validation` and `later` are two sets of 500 new
# points each.

# %%
predict(
    "08.q2",
    "Degree 11, fitted to twelve points. How do its errors on the two new sets compare?",
    ["validation small, the later one large", "both large, and about the same", "both small"],
)

# %%
v, t = error(fits[11], validation), error(fits[11], later)
print(f"degree 11: training {on_training[11]:.2f}, validation {v:.2f}, another new set {t:.2f}")
reveal("08.q2", answer=1, because="neither was seen in training, and nothing tells them apart. The gap opens between seen and not seen.")
band("degree 11: validation error over training error, at least 0.01", v / max(on_training[11], 0.01), at_least=20)
band("degree 11: error on another new set over validation error", t / v, at_least=0.6, at_most=1.6)

# %% [markdown]
# Overfitting shows as **good training and bad validation**; the test set (시험 세트) agrees with validation. Good validation and bad test means something else: you
# *chose* by the validation set, so often that you began to fit it, or data leaked (04), or the test data come from elsewhere. Choosing alone does it. Here are
# the 200 coin flippers of 04 once more, on 50 validation images and 50 test images of two classes:

# %%
coin = np.random.default_rng(0)
truth = coin.integers(0, 2, 100)
right = coin.integers(0, 2, (200, 100)) == truth  # (models, images)
by_validation = right[:, :50].mean(axis=1)
winner = by_validation.argmax()
print(f"the best of 200 on validation: {by_validation[winner]:.0%}; the same one on test: {right[winner, 50:].mean():.0%}")
band("best of 200 coins on validation", by_validation[winner], at_least=0.62)

# %% [markdown]
# It knows nothing, and validation praises it. That is why a test set is looked at *once*, at the end.
#
# ### Too free for how much data?
#
# Is degree 11 too much, then? Too much for twelve points.

# %%
predict(
    "08.q3",
    "We fit degree 11 to 200 points instead of 12. Its error on new points?",
    ["as large as before: degree 11 overfits", "nearly as small as that of degree 3", "larger: more noise to swing through"],
)

# %%
counts, repeats = [8, 12, 20, 50, 200], at(smoke=2, quick=20, full=50)
table = np.full((len(counts), 15), np.nan)
for row, count in enumerate(counts):
    for degree in range(min(15, count)):
        found = []
        for seed in range(repeats):
            points = measured(count, np.random.default_rng(seed), evenly=True)
            found.append(error(np.polynomial.Polynomial.fit(*points, degree), validation))
        table[row, degree] = np.mean(found)
show_map(table, counts, range(15), f"Validation error, mean of {repeats} draws (framed: best of its row)", xlabel="degree", ylabel="points")

# %%
few, many = table[1, 11], table[4, 11]
reveal("08.q3", answer=1, because=f"{few:.1f} with 12 points, {many:.2f} with 200; degree 3 has {table[4, 3]:.2f} there.")
band("degree 11: validation error with 12 points over that with 200", few / many, at_least=8)

# %% [markdown]
# Read the picture along a row: too stiff at the left, too free at the right. Read it down a column: **data move the border**. So "this model overfits" is half
# a sentence. It overfits *this much data*. The word for how much a model can bend is **capacity** (모델 용량); for a network, think of its number of weights.
#
# ## 2. The same with images
#
# The digits of 05: 8x8 pixels, ten classes. We give a network ten images of each, and let it train.

# %%
device = choose_device()
train, val, test = (labelled_images("digits", split) for split in ("train", "val", "test"))
ten_each = train.per_class(10)
print("training", tuple(train.images.shape), "of which we use", len(ten_each), "| validation", len(val), "| test", len(test))


# %%
def network(hidden=128, after=nn.Identity):
    """Two hidden layers. `after` makes a layer to put behind each of them; nothing by default."""
    layers = [Pixels(0.3, 0.38), nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), after()]
    layers += [nn.Linear(hidden, hidden), nn.ReLU(), after(), nn.Linear(hidden, 10)]
    return nn.Sequential(*layers).to(device)


torch.manual_seed(0)
model = network()


def measure_seen(row):
    """After each epoch, once more through the training images; what is told *during* an epoch is a mean over weights that move."""
    now = evaluate(model, batches(ten_each, 256, device=device))
    row["seen/accuracy"], row["seen/loss"] = now["accuracy"], now["loss"]


epochs = at(smoke=2, quick=60, full=100)
history = fit_classifier(model, ten_each, val, epochs=epochs, lr=0.0005, batch=32, told=measure_seen)

# %%
x = [row["epoch"] + 1 for row in history]
accuracy = {name: [row[f"{key}/accuracy"] for row in history] for name, key in (("training", "seen"), ("validation", "val"))}
show_curves(x, accuracy, "A hundred digits: these are known by heart, others are not", xlabel="epoch", ylabel="accuracy")

# %%
losses = {name: [row[f"{key}/loss"] for row in history] for name, key in (("training", "seen"), ("validation", "val"))}
show_curves(x, losses, "The losses of the same run", xlabel="epoch", ylabel="cross-entropy")

# %%
gap = history[-1]["seen/accuracy"] - history[-1]["val/accuracy"]
band("gap after training on ten images a class", gap, at_least=0.05)

# %% [markdown]
# Look at the left end of both pictures. The training has hardly begun, and both curves are bad *together*.
#
# > **Myth**: *"Training too little is a little overfitting, training too long is a lot of it."*

# %%
predict(
    "08.q4",
    "After one epoch, training accuracy and validation accuracy are about the same, and both are low. What is this?",
    ["a little overfitting", "a little underfitting, or a lot: both are bad, and there is no gap", "a good fit: there is no gap"],
)

# %%
for epoch in sorted({1, 3, 10, 30, epochs} & set(x)):
    row = history[epoch - 1]
    t, v = row["seen/accuracy"], row["val/accuracy"]
    print(f"epoch {epoch:>2}: training {t:.2f}, validation {v:.2f}, gap {t - v:+.2f}")
first = history[0]
because = f"training {first['seen/accuracy']:.2f}, validation {first['val/accuracy']:.2f}: not even what it has seen is learned yet."
reveal("08.q4", answer=1, because=because)
band("gap after one epoch", first["seen/accuracy"] - first["val/accuracy"], at_most=0.05)

# %% [markdown]
# Training too little is **under**fitting. (On the way there is a little of both: poor, and a gap already. Read both numbers, never one alone.) Overfitting
# needs a model that is already good on what it has seen. A gap of 0 alone is no praise either: a network that guesses has none.
#
# ✂ *50 minutes*
#
# ## 3. How much data a class?
#
# The most asked question in every project. Do not guess: draw the **learning curve** (학습 곡선), accuracy against the number of images, *before* you pay for more
# of them. Every point is drawn three times, with other images, other first weights and another order. All runs take the same number of steps.


# %%
def both_accuracies(make, data, held_out, steps, seed):
    """Train a new network for so many steps -> (accuracy on what it saw, accuracy on what it did not)."""
    torch.manual_seed(seed)
    model = make()
    fit_classifier(model, data, epochs=max(1, round(steps / math.ceil(len(data) / 32))), lr=0.003, batch=32, seed=seed)
    return [evaluate(model, batches(part, 256, device=device))["accuracy"] for part in (data, held_out)]


def shuffled(data, seed):
    return data[torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))]


# %%
predict(
    "08.q5",
    "From 1 to 10 images a class, validation accuracy rises by some points. And from 10 to 100, ten times as many again?",
    ["by about as much", "by clearly less", "by more: there are more images to learn from"],
)

# %%
sizes, seeds = at(smoke=[1, 2, 5], full=[1, 2, 5, 10, 20, 50, 100]), at(smoke=1, full=3)
steps = at(smoke=2, quick=150, full=400)
seen, unseen = np.zeros((seeds, len(sizes))), np.zeros((seeds, len(sizes)))
for seed in range(seeds):
    for k, size in enumerate(sizes):
        data = shuffled(train, seed).per_class(size)
        seen[seed, k], unseen[seed, k] = both_accuracies(network, data, val, steps, seed)
gap_curves = {"training": seen, "validation": unseen}
show_curves(sizes, gap_curves, "The gap closes as data grow (digits, 3 seeds)", xlabel="images a class", ylabel="accuracy", log_x=True)

# %%
mean = unseen.mean(axis=0)
for size, value, low, high in zip(sizes, mean, unseen.min(axis=0), unseen.max(axis=0), strict=True):
    print(f"{size:>3} a class: validation {value:.3f} (three seeds: {low:.3f} to {high:.3f})")

# %%
ten = sizes.index(10) if 10 in sizes else 1
early, late = mean[ten] - mean[0], mean[-1] - mean[ten]
reveal("08.q5", answer=1, because=f"from 1 to 10: {100 * early:+.1f} points; from 10 to 100: {100 * late:+.1f}.")
band("what ten times as many bring the second time, over the first time", late / early, at_most=0.8)
gaps = (seen - unseen).mean(axis=0)
band("gap with one image a class", gaps[0], at_least=0.2)
band("gap with the most images", gaps[-1], at_most=0.08)

# %% [markdown]
# Each doubling buys less. The *error* tends to fall along a straight line when both axes count powers: error = a · n⁻ᵇ. So a curve of small sizes can say what
# a larger set would bring. Let us hide the last point, lay a line through the others, and ask it:

# %%
slope, start_at = np.polyfit(np.log(sizes[:-1]), np.log(1 - mean[:-1]), 1)
guess = math.exp(start_at + slope * math.log(sizes[-1]))
print(f"error = {math.exp(start_at):.2f} * n ^ {slope:.2f}")
print(f"with {sizes[-1]} a class the line says error {guess:.3f}, measured {1 - mean[-1]:.3f}")

# %% [markdown]
# Not exact (real curves bend), but far better than a feeling, and it is enough to decide between "label two hundred more" and "data are not our problem". Signs
# are harder than digits: colour, blur, perspective, more classes. The same curve for a small convolutional network:


# %%
def sign_network():
    layers, channels = [Pixels()], 3
    for wider in (16, 32, 64):
        layers += [nn.Conv2d(channels, wider, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]  # 32 -> 16 -> 8 -> 4 pixels
        channels = wider
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 4 * 4, len(signs.classes))).to(device)


sign_sizes = at(smoke=[1, 2], quick=[2, 10], full=[1, 2, 5, 10, 20, 50])
sign_seeds, sign_steps = at(smoke=1, quick=1, full=3), at(smoke=1, quick=60, full=300)
classes = len(labelled_images("signs", length=1).classes)
signs = labelled_images("signs", "train", length=sign_sizes[-1] * classes)
sign_val = labelled_images("signs", "val", length=at(smoke=20, quick=150, full=500))
print(classes, "classes,", tuple(signs.images.shape), "for training,", len(sign_val), "for validation")

# %%
sign_seen, sign_unseen = np.zeros((sign_seeds, len(sign_sizes))), np.zeros((sign_seeds, len(sign_sizes)))
for seed in range(sign_seeds):
    for k, size in enumerate(sign_sizes):
        data = shuffled(signs, seed).per_class(size)
        sign_seen[seed, k], sign_unseen[seed, k] = both_accuracies(sign_network, data, sign_val, sign_steps, seed)
gap_curves = {"training": sign_seen, "validation": sign_unseen}
show_curves(sign_sizes, gap_curves, "The same for traffic signs", xlabel="images a class", ylabel="accuracy", log_x=True)

# %%
sign_gaps = (sign_seen - sign_unseen).mean(axis=0)
band("signs: gap with the fewest images", sign_gaps[0], at_least=0.3)
band("signs: accuracy that more images add", sign_unseen.mean(axis=0)[-1] - sign_unseen.mean(axis=0)[0], at_least=0.2)

# %% [markdown]
# There is no magic number of images a class. There is a curve, it is different for every task, and it costs you an afternoon. Two ways to need fewer: make the
# images you have go further (augmentation, 11), or begin with a network that has seen others (transfer, 12).
#
# ### A rare class
#
# Now an uneven set. All digits are there in full, but of the 8 we keep **five** images: **class imbalance** (클래스 불균형). The validation and test sets keep all
# their 8s.


# %%
def with_few(data, label, count):
    """The same data with only the first `count` images of one class."""
    keep = data.labels != label
    keep[(data.labels == label).nonzero()[:count, 0]] = True
    return data[keep]


held_out = Labelled(torch.cat([val.images, test.images]), torch.cat([val.labels, test.labels]), val.classes)
uneven = with_few(train, 8, 5)
print("8s to train on:", int((uneven.labels == 8).sum()), "of", len(uneven), "| held out:", int((held_out.labels == 8).sum()))

# %%
predict(
    "08.q6",
    "A classifier has seen five 8s and about 125 of each other digit. What will you see on even data?",
    ["accuracy near 50 %", "accuracy above 80 %, and most 8s missed", "accuracy above 80 %, and 8s found as well as the others"],
)


# %%
def rare_run(data, weights, seed):
    """A linear classifier -> accuracy, recall of 8, precision of 8, on held-out data."""
    torch.manual_seed(seed)
    model = nn.Sequential(Pixels(0.3, 0.38), nn.Flatten(), nn.Linear(64, 10)).to(device)
    weighted = lambda logits, labels: cross_entropy(logits, labels, weight=weights)
    fit_classifier(model, data, epochs=at(smoke=1, full=10), lr=0.01, seed=seed, loss_of=weighted)
    with torch.no_grad():
        said, truth = model(held_out.images.to(device)).argmax(dim=1).cpu(), held_out.labels
    hits = int(((said == 8) & (truth == 8)).sum())
    return [float((said == truth).float().mean()), hits / int((truth == 8).sum()), hits / max(int((said == 8).sum()), 1)]


# %%
runs = {"all images": [], "five 8s": [], "five 8s, weights": []}
for seed in range(seeds):
    full = shuffled(train, seed)
    uneven = with_few(full, 8, 5)
    per_class = torch.bincount(uneven.labels, minlength=10)
    weights = (len(uneven) / (10 * per_class)).to(device)  # class_weights of 04
    for name, data, weight in (("all images", full, None), ("five 8s", uneven, None), ("five 8s, weights", uneven, weights)):
        runs[name].append(rare_run(data, weight, seed))
print("                   accuracy   recall of 8   precision of 8")
for name, rows in runs.items():
    print(f"{name:<18}" + "".join(f"{value:>12.2f}" for value in np.mean(rows, axis=0)))

# %%
rare_accuracy, rare_recall, _ = np.mean(runs["five 8s"], axis=0)
weighted_recall = np.mean(runs["five 8s, weights"], axis=0)[1]
because = f"accuracy {rare_accuracy:.2f}, recall of 8 {rare_recall:.2f}. One class of ten can cost only ten points, so accuracy hides it."
reveal("08.q6", answer=1, because=because)
band("recall of 8 with five 8s", rare_recall, at_most=0.2)
band("what weights add to the recall of 8", weighted_recall - rare_recall, at_least=0.25)

# %% [markdown]
# For the loss, five images of 1,140 are a rounding error: never saying "8" is nearly free, and so it (almost) never does. (Its precision means little, then: it
# is a mean over runs that hardly said "8" at all.) **Class weights** (클래스 가중치) make each of the five count as much as twenty-five others, and recall (재현율)
# comes back from nothing to more than half.
#
# It does not come back to where it was with all images. Weights bring no new 8s: five images show five ways to write one. Elsewhere they also cost precision,
# because the rare class is now said too readily; here they did not. Measure both.
#
# ✂ *50 minutes*
#
# ## 4. Not at all: the vanishing gradient
#
# So far every network learned its training images. Deeper ones may refuse even that. The reason is a product. On its way back from the loss to the first layer,
# the gradient (기울기) is multiplied by the slope of every activation that it passes (02). The sigmoid σ(z) = 1 / (1 + e⁻ᶻ) has slope σ(1 - σ). Where is that
# largest? At z = 0, where σ = 1/2: slope **0.25**. At z = 2 it is 0.88 · 0.12 = 0.10.
#
# | sigmoid layers | at most this is left |
# |---|---|
# | 1 | 0.25 |
# | 2 | 0.0625 |
# | 5 | 0.00098 |
# | 12 | 0.00000006 |
#
# The weights multiply as well, but with sensible first weights they neither help nor harm. This is the **vanishing gradient** (기울기 소실): the last layer learns,
# the first one gets nothing.

# %%
print("slope of the sigmoid at 0, 2 and 5:", [round(s * (1 - s), 4) for s in (1 / (1 + math.exp(-z)) for z in (0, 2, 5))])
print("0.25 ** 12 =", 0.25**12)

# %% [markdown]
# ### Exercise: gradient_norms
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*
#
# A thermometer for networks. One batch goes through, the loss comes back, no step is taken; then you read how strongly each layer is pulled: the **norm** (노름),
# root of the sum of squares, of the gradient of each weight. For a gradient (3, 4) it is 5.
#
# - Take the parameters with two or more axes, in the order of `model.parameters()`. Biases and the scales of a normalisation have one axis.
# - A frozen layer (`requires_grad` is False) has no gradient: `.grad` is None. Its norm is 0.
# - Somebody may have used the model before you. Leave none of their gradient in your sums.


# %% exercise="08.gradient_norms"
def gradient_norms(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """(L,): the norm of the cross-entropy's gradient, for each weight with two or more axes; 0 for a frozen one."""
    ### BEGIN SOLUTION
    model.zero_grad()
    cross_entropy(model(inputs), labels).backward()
    weights = [weight for weight in model.parameters() if weight.ndim > 1]
    return torch.tensor([0.0 if weight.grad is None else weight.grad.norm().item() for weight in weights])
    ### END SOLUTION


gradient_norms = check("08.gradient_norms", gradient_norms)  # yours once it passes, ours until then

# %% [markdown]
# `deep_network` builds equal layers in a row: linear, activation, linear, activation ... It takes our choice of first weights as a function; `xavier_scaled`
# comes in section 5. Twelve layers of 64, first with sigmoids:


# %%
def deep(activation, init, norm=None, depth=12, seed=0):
    """A deep network for digits, its weights drawn from this seed."""
    torch.manual_seed(seed)
    draws = torch.Generator().manual_seed(seed)
    return nn.Sequential(Pixels(0.3, 0.38), deep_network(depth, activation, init, norm, generator=draws)).to(device)


images, labels = next(batches(train, 256, torch.Generator().manual_seed(0), device))
print(
    "hidden layers:",
    sum(isinstance(layer, nn.Sigmoid) for layer in deep(nn.Sigmoid, xavier_scaled)[1]),
    "| one batch:",
    tuple(images.shape),
)

# %%
predict(
    "08.q7",
    "Twelve sigmoid layers. How large is the gradient norm of the first layer, compared with the last?",
    ["about a tenth", "about a thousandth", "less than a hundred-thousandth"],
)

# %%
sigmoid_norms = [gradient_norms(deep(nn.Sigmoid, xavier_scaled, seed=s), images, labels).numpy() for s in range(3)]
by_layer = {"xlabel": "layer (1: nearest to the image)", "ylabel": "norm of the gradient", "log_y": True}
show_curves(range(1, 14), {"12 sigmoid layers": sigmoid_norms}, "The gradient dies on its way to the first layer", **by_layer)

# %%
ratios = [norms[0] / norms[-1] for norms in sigmoid_norms]
print("first over last layer, three seeds:", [f"{r:.1e}" for r in ratios])
because = f"measured {max(ratios):.0e} or less: a factor of about {np.mean(ratios) ** (1 / 12):.2f} a layer."
reveal("08.q7", answer=2 if max(ratios) < 1e-5 else 1, because=because)
band("twelve sigmoid layers: gradient of the first over the last layer", max(ratios), at_most=1e-3)

# %% [markdown]
# Now let it train, three times. A network that knows nothing has a loss of ln 10 = 2.30 and an accuracy of 10 %. (Plain SGD with momentum; Adam (03) divides by
# the gradient's own size and hides some of the trouble.)


# %%
def sgd_accuracy(model, lr=0.02, seed=0):
    """Validation accuracy after a short training with SGD and momentum."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    rows = fit_classifier(model, train, val, epochs=at(smoke=1, quick=4, full=8), optimizer=optimizer, seed=seed)
    return rows[-1]["val/accuracy"]


with_sigmoid = [sgd_accuracy(deep(nn.Sigmoid, xavier_scaled, seed=s), seed=s) for s in range(seeds)]
print("12 sigmoid layers, validation accuracy:", [round(a, 3) for a in with_sigmoid])
band("12 sigmoid layers: best accuracy of three seeds", max(with_sigmoid), at_most=0.2)

# %% [markdown]
# This is neither underfitting from stiffness nor overfitting: the network is large enough, and its first layers are simply not told what to do.
#
# Look for yourself: how many sigmoid layers can you stack before the ratio falls below a thousandth? What does ReLU change? And what do the first weights?
# (Xavier's and He's are the subject of the next section.)

# %%
drag_depth()

# %% [markdown]
# A **ReLU** has slope 1 where it is open, so nothing shrinks there. Yet with small first weights (standard deviation 0.05) its gradient is as good as gone, and
# in *all* layers: the line lies flat, far below. With weights twice He's it lies flat too, a million times too high. Activation *and* first weights decide.
#
# ## 5. Where first weights come from: Xavier and He
#
# One output of a linear layer is a sum of n products: y = w₁x₁ + … + wₙxₙ. Draw the weights around 0, independently. Then variances (분산) add up:
#
# $$\text{var}(y) = n \cdot \text{var}(w) \cdot \overline{x^2}$$
#
# where the last factor is the mean square of the inputs. The size of a layer's outputs is therefore √(n · var(w)) times the size of its inputs. With n = 64:
#
# | standard deviation of w | n · var(w) | size after 1 layer | after 12 layers |
# |---|---|---|---|
# | 1 | 64 | 8 times | 8¹² = 7 · 10¹⁰ times |
# | 0.02 | 0.0256 | 0.16 times | 3 · 10⁻¹⁰ times |
# | 1/8 | **1** | 1 | 1 |
#
# So the rule is **n · var(w) = 1**. Xavier Glorot (2010) asked the same of the gradient, which runs backwards over the *outputs*, and took the middle: var(w) =
# 2 / (inputs + outputs).
#
# A ReLU sets half of the numbers to 0, so half of the mean square is gone. Kaiming He (2015) gave it back: **var(w) = 2 / n**. The number n is called
# **fan-in** (입력 수, 팬인): how many products meet in one output.
#
# By hand: a linear layer from 8 inputs: std = √(2/8) = **0.5**. The 3x3 convolution from 16 to 32 channels of the opening question: n = 144, std = √(2/144) =
# **0.118**.
#
# ### Exercise: he_init
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# The draws come in, standard normal, in the shape of the weight: (out, in) for a linear layer, (out, in, height, width) for a convolution. Give them the right
# spread.


# %% exercise="08.he_init"
def he_init(draws: Tensor) -> Tensor:
    """Standard normal draws in the shape of a weight, (out, in) or (out, in, kh, kw) -> weights after He, of the same shape."""
    ### BEGIN SOLUTION
    fan_in = draws[0].numel()  # everything that one output sums over
    return draws * math.sqrt(2 / fan_in)
    ### END SOLUTION


he_init = check("08.he_init", he_init)


# %%
def fixed(std):
    return lambda draws: draws * std


def outputs_by_depth(init, layers=(1, 4, 8, 12)):
    """What comes out of some ReLUs of a new 12-layer network, for one batch."""
    model, kept, number = deep(nn.ReLU, init), {}, 0
    x = model[0](images)
    with torch.no_grad():
        for layer in model[1]:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                number += 1
                if number in layers:
                    kept[f"layer {number}"] = x.cpu().numpy()
    return kept


# %%
first_weights = {"std 0.02": fixed(0.02), "Xavier": xavier_scaled, "He": he_init, "std 0.5": fixed(0.5)}
shown = {name: outputs_by_depth(init) for name, init in first_weights.items()}
show_activations(shown, "Outputs of four ReLU layers of twelve, before training (size: root mean square)")

# %%
sizes_12 = {name: float(np.sqrt((panels["layer 12"] ** 2).mean())) for name, panels in shown.items()}
start_size = float(np.sqrt((shown["He"]["layer 1"] ** 2).mean()))
print({name: f"{size:.1e}" for name, size in sizes_12.items()}, f"| layer 1 with He: {start_size:.2f}")
band("He: size of layer 12 over layer 1", sizes_12["He"] / start_size, at_least=0.2, at_most=5)
band("std 0.02: size of layer 12 over layer 1 with He", sizes_12["std 0.02"] / start_size, at_most=1e-6)
band("std 0.5: size of layer 12 over layer 1 with He", sizes_12["std 0.5"] / start_size, at_least=1e3)

# %% [markdown]
# With Xavier the ReLU network loses a factor of about √2 a layer, 2⁶ = 64 in twelve: what the missing 2 is for.
#
# And zeros? Or any one number for all weights? Then all neurons of a layer compute the same, get the same gradient, and stay the same for ever. The draws are
# there to make them *different*:

# %%
same = deep(nn.ReLU, lambda draws: torch.full_like(draws, 0.02), depth=2)
fit_classifier(same, train, epochs=1, lr=0.01)
rows = same[1][1].weight.detach()  # (64 neurons, 64 inputs)
band("after an epoch, largest difference between the first neuron's weights and another's", (rows - rows[0]).abs().max(), at_most=1e-4)

# %%
relu_norms = {
    "12 sigmoid layers, Xavier": sigmoid_norms,
    "12 ReLU layers, std 0.02": [gradient_norms(deep(nn.ReLU, fixed(0.02), seed=s), images, labels).numpy() for s in range(3)],
    "12 ReLU layers, He": [gradient_norms(deep(nn.ReLU, he_init, seed=s), images, labels).numpy() for s in range(3)],
}
show_curves(range(1, 14), relu_norms, "ReLU and He together keep the gradient alive", **by_layer)

# %%
he_ratios = [norms[0] / norms[-1] for norms in relu_norms["12 ReLU layers, He"]]
with_he = [sgd_accuracy(deep(nn.ReLU, he_init, seed=s), seed=s) for s in range(seeds)]
print("12 ReLU layers, He: ratios", [round(float(r), 2) for r in he_ratios], "accuracy", [round(a, 3) for a in with_he])
band("12 ReLU layers, std 0.02: the largest gradient of any layer", np.max(relu_norms["12 ReLU layers, std 0.02"]), at_most=1e-6)
band("12 ReLU layers, He: gradient of the first over the last layer", min(he_ratios), at_least=0.1)
band("12 ReLU layers, He: lowest accuracy of three seeds", min(with_he), at_least=0.6)

# %% [markdown]
# Why is the line of the small weights flat? The gradient of a weight is a product: what comes in from below, times what comes back from above. Near the image
# the first is healthy and the second has shrunk; near the loss it is the other way round. Everywhere the product is as small.
#
# Same depth, same data, same optimiser, same number of steps. Two lines of thought about variances, and it learns.
#
# ✂ *50 minutes*
#
# ## 6. Exploding gradients, and cures
#
# The other direction. Weights twice as large as He's double the signal in every layer, and the gradient on its way back: 2⁸ = 256 times after eight layers. A
# step with a gradient that large throws the weights far away, where the gradient is larger still. That is the **exploding gradient** (기울기 폭발).


# %%
def plain_step(model, optimizer, inputs, labels, max_norm=None):
    """One training step without clipping -> the loss before it."""
    optimizer.zero_grad()
    loss = cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def descend(model, lr=0.1, steps=10, step=plain_step, max_norm=None, seed=0):
    """The losses of so many steps of plain SGD."""
    optimizer, generator, told = torch.optim.SGD(model.parameters(), lr=lr), torch.Generator().manual_seed(seed), []
    while len(told) < steps:
        for inputs, labels in batches(train, 64, generator, device):
            told.append(step(model, optimizer, inputs, labels, max_norm))
    return told[:steps]


def too_large(draws):
    return 2 * he_init(draws)


# %%
predict(
    "08.q8",
    "Eight ReLU layers, weights twice He's, plain SGD with a learning rate of 0.1. What is the loss after ten steps?",
    ["about 2.3: it has learned nothing", "a few hundred", "infinite, or not a number (NaN)"],
)

# %%
exploded = descend(deep(nn.ReLU, too_large, depth=8))
print("loss:", [float(f"{loss:.3g}") for loss in exploded])
gone = [sum(math.isfinite(loss) for loss in descend(deep(nn.ReLU, too_large, depth=8, seed=s), seed=s)) for s in range(3)]
print("finite losses before it was over, three seeds:", gone)
reveal("08.q8", answer=2, because="once a weight is infinite, inf - inf gives NaN, and NaN spreads to everything it touches.")
band("finite losses of ten, in the run that lasted longest", max(gone), at_most=6)

# %% [markdown]
# Large weights are one way there. A rate that is too large is the other: He's own weights, and 3 instead of 0.1.

# %%
too_fast = descend(deep(nn.ReLU, he_init, depth=8), lr=3.0)
print("loss:", [float(f"{loss:.3g}") for loss in too_fast])
band("finite losses of ten with a rate of 3", sum(math.isfinite(loss) for loss in too_fast), at_most=7)

# %% [markdown]
# A NaN never comes back: every later step computes with it. So the first cure is to *notice*: look at the first losses. With ten classes they should begin near
# ln 10 = 2.3. A first loss of some hundreds is an alarm.
#
# **Clipping** (기울기 클리핑) is a seat belt. All gradients of all layers are one long arrow. If it is longer than `max_norm`, shorten it to that length. Its
# *direction* stays.
#
# By hand: one layer has the gradient (3), another (4). Together the length is √(9 + 16) = 5. With `max_norm` = 1 both are multiplied by 1/5: (0.6) and (0.8),
# length 1. Had we clipped each tensor alone, both would be 1: another direction.
#
# ### Exercise: clip_by_norm
# *difficulty 2 of 5 · importance 3 of 5 · about 15 minutes*
#
# One norm over all tensors, one factor for all. The factor is max_norm / (norm + 0.000001), but never above 1: the small number is torch's, for a norm of 0.
# Return new tensors in a list, and the norm *before*: it is what one watches.


# %% exercise="08.clip_by_norm"
def clip_by_norm(gradients: list[Tensor], max_norm: float) -> tuple[list[Tensor], float]:
    """Tensors of any shapes -> the same shortened together to length max_norm where they are longer, and the length before."""
    ### BEGIN SOLUTION
    norm = math.sqrt(sum((gradient**2).sum().item() for gradient in gradients))
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [gradient * factor for gradient in gradients], norm
    ### END SOLUTION


clip_by_norm = check("08.clip_by_norm", clip_by_norm)

# %%
model = deep(nn.ReLU, too_large, depth=8)
cross_entropy(model(images), labels).backward()
ours, norm = clip_by_norm([p.grad for p in model.parameters()], max_norm=1.0)
theirs = clip_grad_norm_(model.parameters(), max_norm=1.0)  # torch's: changes .grad in place, gives the norm before
print(f"norm before: ours {norm:.1f}, torch's {theirs.item():.1f}")
for mine, parameter in zip(ours, model.parameters(), strict=True):
    torch.testing.assert_close(mine, parameter.grad, rtol=1e-3, atol=1e-7)

# %% [markdown]
# ### Exercise: find the bug in clipped_step
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# A colleague put torch's clipping into her training step. She asked for `max_norm=1`, and this is what she sees:
#
# | symptom | |
# |---|---|
# | the run explodes exactly as before | so the clipping has no effect at all |
# | she prints what `clip_grad_norm_` returns | 0.0 at every step |
# | without the line nothing changes | and no error is raised |
# | `clip_grad_norm_` alone, tried by hand as above | works |
#
# Every line is right. Move one.


# %% exercise="08.clipped_step"
def clipped_step(model, optimizer, inputs, labels, max_norm):
    """One training step with the gradients of all layers together clipped to max_norm -> the loss before the step."""
    optimizer.zero_grad()
    ### BEGIN SOLUTION
    loss = cross_entropy(model(inputs), labels)
    loss.backward()
    clip_grad_norm_(model.parameters(), max_norm)  # after the gradients exist, before they are used
    ### STUDENT
    # loss = cross_entropy(model(inputs), labels)
    # clip_grad_norm_(model.parameters(), max_norm)
    # loss.backward()
    ### END SOLUTION
    optimizer.step()
    return loss.item()


clipped_step = check("08.clipped_step", clipped_step)

# %% [markdown]
# Now the cures, each alone, on the run that explodes: eight layers, weights twice too large, 0.1. (Batch norm has its own section next; here it is torch's.)

# %%
steps = at(smoke=2, quick=100, full=200)
cures = {
    "nothing": lambda s: descend(deep(nn.ReLU, too_large, depth=8, seed=s), steps=steps, seed=s),
    "lower rate: 0.1 / 100": lambda s: descend(deep(nn.ReLU, too_large, depth=8, seed=s), lr=1e-3, steps=steps, seed=s),
    "clipping to 1": lambda s: descend(deep(nn.ReLU, too_large, depth=8, seed=s), steps=steps, step=clipped_step, max_norm=1.0, seed=s),
    "batch norm": lambda s: descend(deep(nn.ReLU, too_large, nn.BatchNorm1d, depth=8, seed=s), steps=steps, seed=s),
    "He's weights": lambda s: descend(deep(nn.ReLU, he_init, depth=8, seed=s), steps=steps, seed=s),
}
curves = {name: np.array([run(s) for s in range(seeds)]) for name, run in cures.items()}
title = "One explosion, which leaves the picture at step 2, and four cures"
show_curves(range(1, steps + 1), curves, title, xlabel="step", ylabel="loss", log_y=True, limits=(0.05, 1e6))

# %%
ends = {name: np.median(curve[:, -10:], axis=1) for name, curve in curves.items()}  # each seed's last ten losses
for name, values in ends.items():
    print(f"{name:>22}: last losses {[float(f'{v:.2g}') for v in values]}")
band("nothing: seeds that ended with a finite loss", sum(math.isfinite(v) for v in ends["nothing"]), at_most=0)
band("He's weights: highest last loss", max(ends["He's weights"]), at_most=1.0)
band("batch norm: highest last loss", max(ends["batch norm"]), at_most=1.0)
band("clipping: highest last loss", max(ends["clipping to 1"]), at_most=50)
band("lower rate: highest last loss", max(ends["lower rate: 0.1 / 100"]), at_most=20)

# %% [markdown]
# All four stop the explosion. Two of them cure it. Clipping and a lower rate treat the symptom: the network still begins with a loss of hundreds, has to walk
# all the way back, and is far behind after the same number of steps. He's weights and batch norm begin near ln 10 and learn at once.
#
# Clipping is for explosions that come *now and then*, from a strange batch or in recurrent networks. It costs one line, so large trainings keep it on as a seat
# belt.
#
# ✂ *50 minutes*
#
# ## 7. Batch norm
#
# He chose first weights so that every layer's outputs have a good size *at the start*. After a thousand steps the weights are others. **Batch normalisation**
# (배치 정규화; Ioffe and Szegedy, 2015) enforces it at *every* step: it takes each channel, subtracts its mean over the batch, and divides by its standard
# deviation.
#
# By hand: one channel, a batch of four values 1, 2, 3, 6.
#
# | | |
# |---|---|
# | mean | 12 / 4 = 3 |
# | variance | (4 + 1 + 0 + 9) / 4 = 3.5, so the standard deviation is 1.87 |
# | normalised | -1.07, -0.53, 0, 1.60 |
#
# Then times a **weight** and plus a **bias**, one of each for a channel, both learned. So a layer that wants another size may have it.

# %%
x = torch.tensor([1.0, 2.0, 3.0, 6.0])
print("normalised:", ((x - x.mean()) / x.var(correction=0).sqrt()).tolist())

# %% [markdown]
# For images the batch is (N, C, H, W). Which numbers share a mean? That is all that tells the three famous normalisations apart:

# %%
show_norm_axes()

# %% [markdown]
# | | a mean over | how many means for (32, 64, 8, 8) | needs others in the batch |
# |---|---|---|---|
# | **batch norm** | N, H, W | 64 | yes |
# | **layer norm** (층 정규화) | C, H, W | 32 | no |
# | **group norm** (그룹 정규화), 8 groups | H, W and the 8 channels of a group | 32 · 8 = 256 | no |
#
# In words: batch norm compares an image with the *other images*, the other two compare it with *itself*.
#
# By hand, two images of four channels, one pixel each: A = (1, 3, 5, 7) and B = (2, 2, 10, 10). What becomes of A?
#
# | | together with | mean, standard deviation | A becomes |
# |---|---|---|---|
# | batch norm, channel 0 | B's channel 0: 1, 2 | 1.5, 0.5 | **-1**, ... |
# | layer norm | all of A: 1, 3, 5, 7 | 4, √5 = 2.24 | -1.34, -0.45, 0.45, 1.34 |
# | group norm, 2 groups | 1, 3 and 5, 7 | 2, 1 and 6, 1 | -1, 1, -1, 1 |

# %%
pair = torch.tensor([[1.0, 3, 5, 7], [2, 2, 10, 10]])
print("layer norm:", [round(v, 2) for v in layer_norm(pair)[0].tolist()])
print("group norm:", [round(v, 2) for v in group_norm(pair, 2)[0].tolist()])
block = torch.randn(32, 64, 8, 8, generator=torch.Generator().manual_seed(0))
for name, means in (
    ("batch", block.mean(dim=(0, 2, 3))),
    ("layer", block.mean(dim=(1, 2, 3))),
    ("group", block.reshape(32, 8, -1).mean(dim=2)),
):
    print(f"{name}: means of shape {tuple(means.shape)}")

# %% [markdown]
# ### Two faces
#
# When the network is used, there may be one image alone. What is its mean "over the batch"? So batch norm keeps notes while it trains, **running statistics**
# (이동 평균):
#
# running = (1 - momentum) · running + momentum · this batch's, with momentum 0.1
#
# - **Train mode**: normalise by *this batch's* mean and variance, and take notes.
# - **Eval mode**: normalise by *the notes*, and change nothing.
#
# By hand: the running mean begins with 0; a batch has mean 3: then it is 0.9 · 0 + 0.1 · 3 = 0.3. After a second such batch 0.57.
#
# One detail of torch's: to *normalise*, the variance divides by n (`correction=0`). The one that is *noted* stands for data not seen yet and divides by n - 1
# (`correction=1`). For 1, 2, 3, 6: 3.5 and 4.67.
#
# ### Exercise: batch_norm
# *difficulty 3 of 5 · importance 5 of 5 · about 25 minutes*
#
# `weight` and `bias` are parameters: trained. `running_mean` and `running_var` are *buffers*: saved with the weights, not trained. `self.training` is True in
# train mode. The notes must not hang on the graph: take them under `torch.no_grad()`. Mean and variance that normalise *stay* in the graph. eps is added to the
# variance, under the root. `axes` and `shape` are there already, so that vectors and images both work. Two calls that help: `x.var(dim=axes, correction=0)`,
# and `a.lerp_(b, share)`, which moves `a` towards `b` by that share, in place.


# %% exercise="08.batch_norm"
class BatchNorm(nn.Module):
    """(N, C) or (N, C, H, W) -> the same shape: each channel by the batch's statistics (train) or by the notes (eval)."""

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5):
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        axes = [axis for axis in range(x.ndim) if axis != 1]  # (0,) for vectors, (0, 2, 3) for images: all but the channels
        shape = [1, -1] + [1] * (x.ndim - 2)  # turns (C,) into (1, C) or (1, C, 1, 1)
        ### BEGIN SOLUTION
        if self.training:
            mean, variance = x.mean(dim=axes), x.var(dim=axes, correction=0)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)  # moves it by that share
                self.running_var.lerp_(x.var(dim=axes, correction=1), self.momentum)
        else:
            mean, variance = self.running_mean, self.running_var
        normal = (x - mean.reshape(shape)) / (variance + self.eps).sqrt().reshape(shape)
        return normal * self.weight.reshape(shape) + self.bias.reshape(shape)
        ### END SOLUTION


BatchNorm = check("08.batch_norm", BatchNorm)

# %%
ours, theirs = BatchNorm(3), nn.BatchNorm2d(3)
for seed in range(3):
    x = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(seed)) * 3 + 1
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
torch.testing.assert_close(ours.eval()(x[:1]), theirs.eval()(x[:1]), rtol=1e-4, atol=1e-5)
print("running mean", [round(m, 3) for m in ours.running_mean.tolist()], "the same in torch's")

# %% [markdown]
# Does it keep gradients alive where the first weights are bad? The ReLU network that died with weights of 0.02, now with your layer after each linear one:

# %%
norms_with = {"ReLU, std 0.02": relu_norms["12 ReLU layers, std 0.02"], "sigmoid, Xavier": sigmoid_norms}
for name, activation, init in (("ReLU, std 0.02", nn.ReLU, fixed(0.02)), ("sigmoid, Xavier", nn.Sigmoid, xavier_scaled)):
    models = [deep(activation, init, BatchNorm, seed=s) for s in range(3)]
    norms_with[f"{name}, batch norm"] = [gradient_norms(model, images, labels).numpy() for model in models]
show_curves(range(1, 14), norms_with, "Batch norm makes the size of the first weights nearly unimportant", **by_layer)

# %%
bn_ratios = [norms[0] / norms[-1] for norms in norms_with["ReLU, std 0.02, batch norm"]]
with_bn = [sgd_accuracy(deep(nn.ReLU, fixed(0.02), BatchNorm, seed=s), seed=s) for s in range(seeds)]
print("ratios", [round(float(r), 2) for r in bn_ratios], "| validation accuracy", [round(a, 3) for a in with_bn])
band("ReLU + batch norm: lowest ratio of the first to the last layer", min(bn_ratios), at_least=0.5)
band("ReLU + batch norm: highest ratio", max(bn_ratios), at_most=60)
band("ReLU + batch norm: lowest accuracy of three seeds", min(with_bn), at_least=0.6)

# %% [markdown]
# Weights of 0.02, which were hopeless, do well now: a layer whose outputs are divided by their own spread does not care how large they were. (The first layer
# even gets more gradient than the last. In very deep networks that grows; the shortcuts of 09 help there too.)
#
# ### The classic bug: validating in train mode
#
# Forget `model.eval()`, and no error comes. What happens then? We train a small network with batch norm, and measure it in four ways.

# %%
normed = deep(nn.ReLU, he_init, BatchNorm, depth=2)
fit_classifier(normed, train, epochs=at(smoke=1, quick=5, full=10), lr=0.003)


def accuracy_as_it_is(model, parts):
    """Accuracy over all parts, each as one batch, in whatever mode the model is."""
    with torch.no_grad():
        hits = sum(int((model(part.images.to(device)).argmax(dim=1).cpu() == part.labels).sum()) for part in parts)
    return hits / sum(len(part) for part in parts)


mixed = [val[i : i + 27] for i in range(0, len(val), 27)]
by_digit = [val[val.labels == k] for k in range(10)]  # as a folder for each class is read

# %%
predict(
    "08.q9",
    "The model is left in train mode, and validation data come class by class: a batch of 0s, a batch of 1s ... What happens to accuracy?",
    ["nothing: the weights are the same", "it falls a little", "it falls apart"],
)

# %%
results = {}
normed.eval()
results["eval mode, mixed batches"] = accuracy_as_it_is(normed, mixed)
results["eval mode, class by class"] = accuracy_as_it_is(normed, by_digit)
normed.train()
results["train mode, mixed batches"] = accuracy_as_it_is(normed, mixed)
for _ in range(3):
    results["train mode, class by class"] = accuracy_as_it_is(normed, by_digit)
normed.eval()
results["eval mode again, afterwards"] = accuracy_as_it_is(normed, mixed)
for name, value in results.items():
    print(f"{name:<28} {value:.3f}")

# %%
drop = results["eval mode, class by class"] - results["train mode, class by class"]
reveal(
    "08.q9",
    answer=2 if drop > 0.2 else 1,
    because=f"{drop:.0%} lost. In a batch of 3s, what all 3s share *is* the mean, and it is subtracted.",
)
band("accuracy lost in train mode, class by class", drop, at_least=0.4)
band(
    "difference that company makes in eval mode",
    abs(results["eval mode, mixed batches"] - results["eval mode, class by class"]),
    at_most=0.004,
)

# %% [markdown]
# Two things to take along. In eval mode an image gets the same answer in any company; in train mode it depends on its neighbours. And look at the last line:
# merely *looking* in train mode took notes, of validation data, batch by skewed batch, and the model that you would save now is another one.
#
# ### Tiny batches
#
# Large images fill the memory, and only two fit into a batch. What does batch norm do to two values, a and b? Their mean is the middle, their spread is half of
# their distance. So whatever a and b are, out come **-1 and +1**.

# %%
for a, b in ((1.0, 9.0), (5.0, 5.1)):
    print((a, b), "->", [round(v, 2) for v in BatchNorm(1)(torch.tensor([[a], [b]])).flatten().tolist()])

# %% [markdown]
# All that is left of two numbers is which was larger. Group norm looks at each image alone and does not notice. Same network, same number of steps; only the
# normalisation and the batch size differ:

# %%
few_images = train.per_class(20)


def small_batch_accuracy(norm, batch, seed):
    model = deep(nn.ReLU, he_init, norm, depth=2, seed=seed)
    steps = at(smoke=2, quick=200, full=400)
    rows = fit_classifier(model, few_images, val, epochs=max(1, round(steps * batch / len(few_images))), lr=0.003, batch=batch, seed=seed)
    return rows[-1]["val/accuracy"]


def eight_groups(width):
    return nn.GroupNorm(8, width)  # group norm with a weight and a bias, as a layer


# %%
tiny = {}
for name, norm in (("batch norm", BatchNorm), ("group norm", eight_groups)):
    for batch in (2, 32):
        tiny[name, batch] = [small_batch_accuracy(norm, batch, s) for s in range(seeds)]
        print(f"{name}, batch of {batch:>2}: {np.mean(tiny[name, batch]):.3f}  {[round(v, 3) for v in tiny[name, batch]]}")
difference = np.mean(tiny["group norm", 2]) - np.mean(tiny["batch norm", 2])
band("batches of 2: what group norm gains over batch norm", difference, at_least=0.15)

# %% [markdown]
# With 32 images in a batch, batch norm is at least as good as group norm. With 2 it loses half of its accuracy or more, and group norm a little. In convolutional
# networks a channel has H · W values in each image, so batch norm suffers less there. The trouble begins where few images share a large network: detection,
# segmentation, video. There one takes group norm, or freezes the running statistics.
#
# ✂ *50 minutes*
#
# ## 8. Against overfitting, each cure alone
#
# Back to the second way to fail. What cures it is called **regularisation** (규제). First one more layer with two faces.
#
# **Dropout** (드롭아웃; Srivastava and others, 2014): while training, each number is set to 0 with probability p, by dice, anew for every sample and step. No
# neuron can rely on one other neuron, so knowledge is spread. In eval mode all are there. But then the next layer would suddenly get more: with p = 1/2 twice
# as much. So, while training, those that stay are divided by 1 - p (*inverted* dropout):
#
# | | x | draws | p = 0.5, train | eval |
# |---|---|---|---|---|
# | | 2, 2, 2, 2 | 0.1, 0.9, 0.4, 0.6 | 0, **4**, 0, **4** | 2, 2, 2, 2 |
# | mean | 2 | | 2 | 2 |
#
# ### Exercise: dropout
# *difficulty 1 of 5 · importance 4 of 5 · about 10 minutes*
#
# The dice are thrown by the caller, so that the same dice give the same answer. A number *stays* where its draw is at least p. `torch.where(condition, a, b)`
# takes from `a` where the condition holds, else from `b`.


# %% exercise="08.dropout"
def dropout(x: Tensor, p: float, draws: Tensor, training: bool) -> Tensor:
    """Any shape, p in [0, 1), draws uniform in [0, 1) of x's shape -> x with the share p dropped and the rest divided by 1 - p."""
    ### BEGIN SOLUTION
    if not training:
        return x
    return torch.where(draws >= p, x / (1 - p), 0.0)
    ### END SOLUTION


dropout = check("08.dropout", dropout)


# %%
class Dropout(nn.Module):
    """Your function as a layer, with fresh dice at every step."""

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p

    def forward(self, x):
        return dropout(x, self.p, torch.rand(x.shape, device=x.device), self.training)


torch.manual_seed(0)
ones = torch.ones(10_000)
print("mean in train mode:", round(Dropout(0.3)(ones).mean().item(), 3), "| in eval mode:", Dropout(0.3).eval()(ones).mean().item())

# %% [markdown]
# **Weight decay** (가중치 감쇠): at every step each weight is pulled towards 0 by the share learning rate · decay. By hand: a weight of 2, rate 0.1, decay 0.5: 2 ·
# (1 - 0.05) = 1.9. Only weights that the loss keeps defending stay large. It is built into AdamW (03).

# %%
weights = [torch.tensor([2.0, -4.0])]
decay_weights(weights, lr=0.1, weight_decay=0.5)
print("after one step without a gradient:", weights[0].tolist())

# %% [markdown]
# **Early stopping** (조기 종료, 05): keep the weights of the best validation epoch. It chooses *by* validation, so from here on the verdict comes from the **test**
# set.
#
# The patient: 20 images of each digit, and **three of ten labels are wrong**, as after a hurried labelling. There is a pattern to learn and nonsense to know by
# heart: an invitation to overfit.


# %%
def with_wrong_labels(data, share, seed):
    """A copy with this share of its labels replaced by another digit."""
    dice = torch.Generator().manual_seed(seed)
    wrong = torch.rand(len(data), generator=dice) < share
    other = (data.labels + torch.randint(1, 10, (len(data),), generator=dice)) % 10
    return Labelled(data.images, torch.where(wrong, other, data.labels), data.classes)


def cured(seed, each=20, hidden=128, after=nn.Identity, weight_decay=0.0, patience=None, max_norm=None):
    """Train on few images with wrong labels -> (accuracy on those, accuracy on the test set)."""

    def clip(*_):
        clip_grad_norm_(model.parameters(), max_norm)

    data = with_wrong_labels(shuffled(train, seed).per_class(each), 0.3, seed)
    torch.manual_seed(seed)
    model = network(hidden, after)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003, weight_decay=weight_decay)
    if max_norm is not None:
        optimizer.register_step_pre_hook(clip)  # called before every step
    stopping = EarlyStopping(patience) if patience else None
    epochs = max(1, at(smoke=1, quick=40, full=60) * 20 // each)  # as many steps for each
    fit_classifier(model, data, val if patience else None, epochs, batch=32, optimizer=optimizer, stopping=stopping, seed=seed)
    return [evaluate(model, batches(part, 256, device=device))["accuracy"] for part in (data, test)]


# %%
predict(
    "08.q10",
    "Which of these will help least against overfitting here?",
    ["dropout", "weight decay", "early stopping", "clipping gradients"],
)

# %%
settings = {
    "nothing": {},
    "clipping to 1": {"max_norm": 1.0},
    "smaller: 16 hidden": {"hidden": 16},
    "weight decay 3": {"weight_decay": 3.0},
    "dropout 0.5": {"after": Dropout},
    "early stopping": {"patience": 8},
    "dropout and decay": {"after": Dropout, "weight_decay": 3.0},
    "4 times the images": {"each": 80},
}
on_seen, on_test = {}, {}
for name, setting in settings.items():
    on_seen[name], on_test[name] = zip(*[cured(s, **setting) for s in range(seeds)], strict=True)
show_seeds(on_test, "Each cure alone, three seeds", "test accuracy", "cure", against="nothing")

# %%
base = np.mean(on_test["nothing"])
print("                     own labels    test    lowest, highest    gained")
for name, values in on_test.items():
    spread = f"{min(values):.3f} to {max(values):.3f}"
    print(f"{name:<20} {np.mean(on_seen[name]):>10.2f} {np.mean(values):>8.3f}    {spread}    {np.mean(values) - base:+.3f}")

# %%
gains = {name: np.mean(values) - base for name, values in on_test.items() if name != "nothing"}
asked = ["dropout 0.5", "weight decay 3", "early stopping", "clipping to 1"]
order = [gains[name] for name in asked]
reveal("08.q10", answer=int(np.argmin(order)), because=", ".join(f"{name}: {gains[name]:+.3f}" for name in asked) + ".")
band("nothing: accuracy on its own labels, three of ten wrong", np.mean(on_seen["nothing"]), at_least=0.85)
band("what the best cure without new images adds", max(order), at_least=0.05)
band("what four times the images add", gains["4 times the images"], at_least=0.08)
band("what clipping adds, at most", gains["clipping to 1"], at_most=0.04)

# %% [markdown]
# Read it honestly.
#
# - Without a cure, the network knows most of its nonsense by heart, and pays for it on the test set.
# - **Clipping does nothing here**, and how could it? It is a cure for explosions. With Adam, which divides by the gradient's size anyway, even less.
#   A tool against one illness is no tool against another.
# - Dropout, weight decay and early stopping help, by nine to sixteen points in our runs. Which of them is first hangs on the seed and on the length of the
#   training: they differ by little more than their own spread. Two of them together are hardly better than one: cures do not add up.
# - The smaller network gains about nine points, or more, with these three seeds. With three others it gained two. That is what a spread is for.
# - **More images beat every trick, although three of ten of their labels are wrong too.** If you can get data, get data.
# - With one seed you could "prove" nearly any order of the middle rows.
# - These strengths (0.5, 3, 16 hidden, patience 8) were chosen by validation, from three or four each. On another task they are others.
#
# ## Summary
#
# - **Underfitting**: bad on training. **Overfitting**: good on training, bad on validation, and the test set agrees with validation. Training too little is
#   underfitting.
# - A model overfits *an amount of data*. Draw the learning curve before you buy more; each doubling buys less.
# - A rare class hides behind accuracy: look at its recall. Weights move the balance, data move both ends.
# - Gradients are products over layers. Sigmoid: 0.25 a layer at best, so they **vanish**. Weights too large: they **explode**, and a NaN never comes back.
# - n · var(w) = 1 keeps the spread; a ReLU needs **2 / n** (He), n = in-channels · kernel places.
# - **Batch norm** uses the batch while training and its notes in eval. Batches of two, or a forgotten `eval()`, break it. Layer and group norm look at each
#   sample alone.
# - Dropout, weight decay, early stopping work against overfitting; clipping works against explosions. Measure each alone, over several seeds.
#
# ### Do you still know?
#
# <details><summary>Training accuracy 0.71, validation 0.70, and you need 0.9. Do you collect more data?</summary>
#
# Not yet: there is no gap, so it underfits. A larger network, longer training or a better rate come first.
# </details>
#
# <details><summary>What standard deviation does He give to a 5x5 convolution from 8 to 20 channels?</summary>
#
# fan-in = 8 · 25 = 200, so √(2/200) = 0.1. The 20 plays no part.
# </details>
#
# <details><summary>Your model gives one image another score when you put it in another batch. What do you suspect?</summary>
#
# Train mode: batch norm compares it with its neighbours, or dropout throws dice. `model.eval()`.
# </details>
#
# <details><summary>The first loss of a 100-class classifier is 350. What do you think?</summary>
#
# It should be near ln 100 = 4.6. The outputs are far too large: first weights, or inputs that were not scaled.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message, or symptom | what happened |
# |---|---|
# | loss is `nan` from some step on | an explosion, or 0 / 0: look at the losses before it; lower rate, He, normalisation, clipping |
# | loss stays at ln(classes) | no gradient arrives: sigmoids in depth, weights too small, all weights equal, or everything frozen |
# | `Expected more than 1 value per channel when training` | batch norm in train mode with one sample: the last, smaller batch, or a forgotten `eval()` |
# | validation accuracy changes from run to run with the same weights | dropout or batch norm in train mode |
# | `mat1 and mat2 shapes cannot be multiplied` after adding a norm | BatchNorm1d after Flatten has as many channels as features |
# | `'NoneType' object has no attribute 'norm'` | a frozen layer, or `backward` was not called yet |
# | training accuracy *below* validation accuracy | dropout is on while training and off in validation, and training accuracy is taken during the epoch |
#
# ### Where to read more
#
# - [Ioffe and Szegedy: Batch Normalization](https://arxiv.org/abs/1502.03167), section 3; [Wu and He: Group Normalization](https://arxiv.org/abs/1803.08494),
#   figure 1 for small batches
# - [He and others: Delving Deep into Rectifiers](https://arxiv.org/abs/1502.01852), section 2.2; [Glorot and
#   Bengio](https://proceedings.mlr.press/v9/glorot10a.html), where the activation histograms come from
# - [Srivastava and others: Dropout](https://jmlr.org/papers/v15/srivastava14a.html)
# - `coursekit/models/normalisation.py`, `coursekit/models/regularisation.py` and `coursekit/training/fitting.py`: the functions of this notebook as the course
#   uses them
#
# **Next**: 09 stacks these blocks into the famous architectures, and shows what made depth trainable.
