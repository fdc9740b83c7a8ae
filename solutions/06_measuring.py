# %% [markdown]
# # 06 · Measuring: which number answers your question?
#
# "It has 97 %." Of what? A smoke alarm that never rings is right on 364 days of 365, and nobody wants it. A network's grade is one number, and every such
# number is blind to something: to direction, to rare cases, to how sure the network was. In this notebook you compute them all by hand on a few samples, then
# as code, then on real classifiers. And for each you will see the case in which it misleads.
#
# | you will learn | you will build |
# |---|---|
# | numbers that are off: MAE, MSE, RMSE, MAPE, R², and where each misleads | `mape`, with an honest rule for zeros |
# | who is taken for whom | `confusion_matrix` |
# | accuracy and its trap; precision, recall, F1; macro, micro, weighted | `precision_recall_f1` |
# | top-5, the number that ImageNet made famous | `top_k_accuracy` |
# | thresholds: PR and ROC curves, what lies under them, and what a mistake costs | `pr_curve` |
# | calibration: when is a score a probability? | |
# | how to find an average that is wrong and raises no error | `evaluate_batches`, repaired |
#
# **Time** 15 seconds of computing on two CPU cores; about three hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you have met broadcasting (01), logits and softmax (02), training, validation and test (04), and trained a classifier (05).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("06_measuring")

# %%
import numpy as np
import sklearn.metrics
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression

from coursekit.data.labelled import SIGN_SEEDS, from_samples, labelled_images
from coursekit.data.signs import SIGN_CLASSES, SignCrops
from coursekit.metrics import calibration, ranking
from coursekit.metrics.classification import accuracy, averaged, balanced_accuracy, specificity
from coursekit.metrics.regression import mae, mean_error, mse, r2, rmse
from coursekit.plots import classification as pictures
from coursekit.plots.balance import balance_explorer
from coursekit.plots.boxes import show_slide
from coursekit.plots.images import show_images
from coursekit.plots.regression import show_constant_guesses, show_predictions

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>04: Of 1,000 images 20 show the rare class, and you split them at random, 70 : 15 : 15. What can happen to the test split, and what mends it?</summary>
#
# By bad luck it gets none or one of the 20, and then no number about that class means anything. A stratified split (층화 분할) gives each part its share: 3.
# </details>
#
# <details><summary>04: Two photographs of one sign were taken a second apart. One is in the training set, the other in the test set. Is the test number too good or too bad?</summary>
#
# Too good. The network has practically seen the answer: leakage (데이터 누출). No formula in this notebook can notice that.
# </details>
#
# <details><summary>05: Training loss still falls, validation loss has risen for five epochs. Which weights does early stopping keep?</summary>
#
# Those of the epoch with the best validation value, five epochs ago. A copy was made then.
# </details>
#
# ## 1. How far off? Numbers for numbers
#
# Not every network picks a class. Some answer with a *number*: how far away is this sign, how old is this face, where is the left edge of the box. That is
# **regression** (회귀). Five signs, their true distances in metres, and what a network said:
#
# | sign | A | B | C | D | E | mean of the row | its name |
# |---|---|---|---|---|---|---|---|
# | true | 2 | 4 | 10 | 20 | 50 | | |
# | predicted | 3 | 4 | 8 | 22 | 40 | | |
# | error (오차) = predicted - true | +1 | 0 | -2 | +2 | -10 | **-1.8** | mean error, the bias (편향) |
# | its size | 1 | 0 | 2 | 2 | 10 | **3** | **MAE**, mean absolute error (평균 절대 오차) |
# | squared | 1 | 0 | 4 | 4 | 100 | **21.8** | **MSE**, mean squared error (평균 제곱 오차) |
# | its size / true | 1/2 | 0 | 1/5 | 1/10 | 1/5 | **0.2** | **MAPE**, mean absolute percentage error (평균 절대 백분율 오차) |
#
# MSE is in *square* metres, which nobody can picture, so one takes its root: **RMSE** = √21.8 = 4.67 metres. Check the table:

# %%
true_metres = np.array([2.0, 4, 10, 20, 50])
said_metres = np.array([3.0, 4, 8, 22, 40])
error = said_metres - true_metres
print("error           ", error, "-> mean", error.mean())
print("size of error   ", np.abs(error), "-> MAE", np.abs(error).mean())
print("squared error   ", error**2, "-> MSE", (error**2).mean(), "-> RMSE", np.sqrt((error**2).mean()).round(2))
print("share of the truth", np.abs(error) / true_metres, "-> MAPE", (np.abs(error) / true_metres).mean())

# %% [markdown]
# There is one more, for people who ask "is that good?". The **coefficient of determination** R² (결정 계수) compares with the laziest answer there is, always
# saying the mean of the truth, 17.2: 1 is perfect, 0 is as good as lazy, below 0 is worse than lazy. Here R² = 1 - 109 / 1540.8 = 0.93: 109 is our sum of
# squared errors, 1540.8 that of the lazy answer.
#
# Now we make each of them fail.
#
# **Direction.** MAE, RMSE and MAPE forget the sign. One network sees everything 1 metre too near, another is off by 1 metre either way. A braking car cares
# which:

# %%
always_near, either_way = true_metres - 1, true_metres + np.array([1, -1, 1, -1, 1])
for name, said in (("always 1 m too near", always_near), ("1 m off, either way", either_way)):
    print(f"{name}: MAE {mae(true_metres, said):.2f}  RMSE {rmse(true_metres, said):.2f}  mean error {mean_error(true_metres, said):+.2f}")

# %% [markdown]
# Only the mean error tells them apart. And the mean error alone is blind to everything else: +100 and -100 average to a perfect 0.
#
# **One large error.** Squaring makes large errors huge.

# %%
predict(
    "06.q1",
    "A hundred errors of 1 metre, and a single one of 100 metres. MAE is 2. What is RMSE?",
    ["about 2", "about 3", "about 10", "about 50"],
)

# %%
off = np.array([1.0] * 100 + [100.0])
zeros = np.zeros(101)
print(f"MAE {mae(zeros, off):.2f}   RMSE {rmse(zeros, off):.2f}   without the large one: RMSE {rmse(zeros[:100], off[:100]):.2f}")
reveal(
    "06.q1", answer=2, because=f"(100 * 1 + 10,000) / 101 = 100, and its root is {rmse(zeros, off):.1f}. One sample in a hundred decides."
)

# %% [markdown]
# That is right if one error of 100 metres is as bad as ten thousand errors of 1 metre. It is wrong if the large one is a typing mistake in a label. When RMSE
# is much larger than MAE, look at the few worst samples before you do anything else.
#
# **Scale.** The same predictions, in metres and in centimetres:

# %%
for unit, factor in (("metres", 1), ("centimetres", 100)):
    t, p = true_metres * factor, said_metres * factor
    print(f"{unit:>11}: MAE {mae(t, p):>6.1f}  MSE {mse(t, p):>9.1f}  RMSE {rmse(t, p):>6.1f}  R2 {r2(t, p):.4f}")

# %% [markdown]
# "Our MSE is 0.002" says nothing without a unit. MAPE and R² have none, so they look comparable between tasks. That is why people love MAPE. It has two traps
# of its own, and the first one is **zero**: what is the percentage error of 1 when the truth is 0?
#
# ### Exercise: mape
# *difficulty 2 of 5 · importance 3 of 5 · about 15 minutes*
#
# Return a share: 0.2 stands for 20 %. A truth of 0 needs a rule, and ours is the plain one: predicted as 0 it costs **0**, predicted as anything else it
# costs **infinity** (`np.inf`). Leaving zeros out would make nonsense free there; adding a tiny number under the line would only hide the infinity.
#
# | true | predicted | MAPE |
# |---|---|---|
# | 2, 4 | 3, 4 | (1/2 + 0) / 2 = 0.25 |
# | -4 | -2 | 2 / 4 = 0.5 |
# | 0, 2 | 0, 1 | (0 + 1/2) / 2 = 0.25 |
# | 0, 2 | 1, 2 | infinite |


# %% exercise="06.mape"
def mape(truth: np.ndarray, predicted: np.ndarray) -> float:
    """(N,) true and (N,) predicted numbers -> mean of |predicted - truth| / |truth|; at a truth of 0: 0 if predicted 0, else infinite."""
    ### BEGIN SOLUTION
    error = np.abs(predicted - truth)
    share = np.where(error == 0, 0.0, np.inf)  # the answer where the truth is 0
    there = truth != 0
    share[there] = error[there] / np.abs(truth[there])
    return float(share.mean())
    ### END SOLUTION


mape = check("06.mape", mape)  # yours once it passes, ours until then

# %% [markdown]
# Stuck? `hint("06.mape")` helps a little, and a little more each time. `solution("06.mape")` shows ours.
#
# Not only zero is a trap; *near* zero is enough. A sign at 1 centimetre, seen at 50 centimetres, beside ninety-nine perfect ones:

# %%
near_zero = np.array([0.01] + [10.0] * 99)
said_near = np.array([0.50] + [10.0] * 99)
print(f"ours         MAPE {mape(near_zero, said_near):.0%}  MAE {mae(near_zero, said_near):.4f} m")
one_zero = np.array([0.0, 10.0]), np.array([0.5, 10.0])
print("a truth of 0: ours", mape(*one_zero), "  scikit-learn", sklearn.metrics.mean_absolute_percentage_error(*one_zero))

# %% [markdown]
# One sample that is half a metre off makes 49 % out of 99 perfect answers. scikit-learn puts 2.2e-16 in place of the 0, the smallest step above 1.0 that a
# float can make. The result has sixteen digits: infinity in disguise.
#
# The second trap is quieter. Saying double costs 100 %. Saying half costs 50 %. Saying 0 costs 100 %, and no guess that is too low can ever cost more, while
# one that is too high has no limit. So if a model is *chosen* by MAPE, which way will it lean? The clearest way to ask: if you had to guess one number for
# all five signs, which one does each measure like best?

# %%
predict(
    "06.q2",
    "True distances 2, 4, 10, 20 and 50 m. Which single guess for all five has the lowest MAPE?",
    ["2, the smallest", "10, the median", "17.2, the mean", "50, the largest"],
)

# %%
guesses = np.arange(5, 251) / 5  # 1.0, 1.2, ..., 50.0
show_constant_guesses(true_metres, {"MAE": mae, "MSE": mse, "MAPE": mape}, guesses, unit="m")

# %%
best = guesses[np.argmin([mape(true_metres, np.full(5, guess)) for guess in guesses])]
reveal(
    "06.q2", answer=0, because=f"measured: {best:g} m. Being far too low everywhere costs at most 100 %; being too high at 2 m costs a lot."
)
assert best == 2

# %% [markdown]
# Keep this picture. **A measure is a wish.** MSE asks for the mean (평균), MAE for the median (중앙값), MAPE for something low. Whoever picks a measure has picked
# what the model will do. (A fair relative number is the sum of the sizes of errors divided by the sum of the truths: here 15 / 86 = 17 %. No single sample
# can blow it up.)
#
# ### Real numbers
#
# 442 patients with diabetes, ten values each (age, blood pressure ...), and how far the disease went in a year, from 25 to 346. The data come with
# scikit-learn. Is ours equal to theirs on real outputs?

# %%
features, progress = load_diabetes(return_X_y=True)
line = LinearRegression().fit(features[:300], progress[:300])
truth, predicted = progress[300:], line.predict(features[300:])
ours = {"MAE": mae(truth, predicted), "RMSE": rmse(truth, predicted), "MAPE": mape(truth, predicted), "R2": r2(truth, predicted)}
names = ["mean_absolute_error", "root_mean_squared_error", "mean_absolute_percentage_error", "r2_score"]
theirs = [getattr(sklearn.metrics, name)(truth, predicted) for name in names]
for (name, value), other in zip(ours.items(), theirs):
    print(f"{name:>4} {value:8.3f}   scikit-learn {other:8.3f}")
print(f"mean error {mean_error(truth, predicted):+.2f}")
largest = max(abs(a - b) / abs(b) for a, b in zip(ours.values(), theirs))
band("regression: largest relative difference to scikit-learn", largest, at_most=1e-12)

# %%
show_predictions(truth, predicted, "142 patients that the line has not seen", unit="points")

# %% [markdown]
# Read all of it together. Off by about 41 points on average (MAE); hardly any bias; about half of the squared error of always saying the mean is gone (R²);
# and the cloud is flatter than the dashed line: high values are predicted too low. No single number says that. **Draw predicted against true, always.**
#
# ✂ *50 minutes*
#
# ## 2. Who is taken for whom
#
# Now classes. Ten signs: five stop (S), three yield (Y), two parking (P).
#
# | truth | S | S | S | S | S | Y | Y | Y | P | P |
# |---|---|---|---|---|---|---|---|---|---|---|
# | predicted | S | S | S | Y | P | Y | Y | S | P | Y |
#
# Six are right. But *which* mistakes? The **confusion matrix** (혼동 행렬) counts each pair once. One row for each true class, one column for each predicted
# class:
#
# | | called S | called Y | called P | there are |
# |---|---|---|---|---|
# | **is S** | **3** | 1 | 1 | 5 |
# | **is Y** | 1 | **2** | 0 | 3 |
# | **is P** | 0 | 1 | **1** | 2 |
# | **called** | 4 | 4 | 2 | 10 |
#
# Right answers lie on the diagonal (대각선). A row adds up to how many *there are*, a column to how many were *called* so.
#
# **Mind the axes.** Rows are the truth here and in scikit-learn. Ultralytics and some books have the truth in the columns, and so has this course's picture
# of *detections* in notebook 20. Read the names of the axes before the numbers.
#
# ### Exercise: confusion_matrix
# *difficulty 2 of 5 · importance 5 of 5 · about 15 minutes*
#
# Every class gets its row and column, also one that does not occur today: matrices of one size can be added. Counts are whole numbers.


# %% exercise="06.confusion_matrix"
def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(N,) true and (N,) predicted classes, 0-based -> (classes, classes) whole numbers: [t, p] counts the t that were called p."""
    ### BEGIN SOLUTION
    matrix = np.zeros((classes, classes), dtype=np.int64)
    for t, p in zip(truth, predicted):
        matrix[t, p] += 1
    return matrix
    ### END SOLUTION


confusion_matrix = check("06.confusion_matrix", confusion_matrix)

# %%
ten = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2]), np.array([0, 0, 0, 1, 2, 1, 1, 0, 2, 1])
pictures.show_confusion_matrix(confusion_matrix(*ten, 3), ["stop", "yield", "parking"], "Ten signs")

# %% [markdown]
# ### On real outputs
#
# The digits of notebook 05, and the simplest trained classifier: logistic regression (로지스틱 회귀), which is one linear layer and a softmax. It needs less than a
# second.


# %%
def pixels(data):
    """(N, H * W * C) floats in 0..1 and (N,) labels, as scikit-learn wants them."""
    return data.images.flatten(1).numpy() / 255, data.labels.numpy()


digits = {split: labelled_images("digits", split) for split in ("train", "val", "test")}
classifier = LogisticRegression(C=0.1, max_iter=1000).fit(*pixels(digits["train"]))
images, digit_truth = pixels(digits["test"])
digit_called = classifier.predict(images)
digit_matrix = confusion_matrix(digit_truth, digit_called, 10)
print("truth", digit_truth.shape, " predicted", digit_called.shape, " matrix", digit_matrix.shape)
band("accuracy on digits", accuracy(digit_matrix), at_least=0.92)
assert np.array_equal(digit_matrix, sklearn.metrics.confusion_matrix(digit_truth, digit_called))

# %%
pictures.show_confusion_matrix(digit_matrix, list("0123456789"), "270 digits")

# %%
wrong = np.flatnonzero(digit_truth != digit_called)[:8]
titles = [f"a {digit_truth[i]}, called {digit_called[i]}" for i in wrong]
show_images(digits["test"].images[wrong], titles, columns=8, suptitle="The mistakes themselves", size=1.3)

# %% [markdown]
# One look at the matrix tells which classes need more data, and one look at the mistakes tells whether you would have known better. Do both before you change
# the network.
#
# ## 3. Accuracy, and its trap
#
# **Accuracy** (정확도) is the diagonal over everything: 6 of 10 above. It is the number everybody quotes. Now a task that looks like most real ones: rare
# things. Is this digit an *eight*? One in ten is. We build two classifiers:
#
# - The **lazy** one says "no" to every image. It has never seen one.
# - The **cheap** one is logistic regression on a squeezed digit of 8 rows and 4 columns. In training it was told that a missed eight is as bad as nine
#   false alarms (`class_weight="balanced"`).


# %%
def squeezed(data):
    """(N, 32): each pair of neighbours in a row averaged; and (N,) true/false: is it an eight?"""
    pairs = data.images.numpy().reshape(-1, 8, 4, 2) / 255  # (N, rows, columns, 2)
    return pairs.mean(axis=3).reshape(-1, 32), data.labels.numpy() == 8


eights = {split: squeezed(data) for split, data in digits.items()}
cheap = LogisticRegression(C=100, class_weight="balanced", max_iter=1000).fit(*eights["train"])
seen = np.concatenate([eights["val"][0], eights["test"][0]])  # 540 images that it was not trained on
is_eight = np.concatenate([eights["val"][1], eights["test"][1]])
said = {"lazy": np.zeros(len(is_eight), dtype=int), "cheap": cheap.predict(seen).astype(int)}
print(len(is_eight), "images,", is_eight.sum(), "eights; the cheap one finds", said["cheap"][is_eight].sum(), "of them")

# %%
predict(
    "06.q3",
    "The cheap classifier finds five of six eights. The lazy one finds none. Which has the higher accuracy?",
    ["the cheap one", "the lazy one", "they are equal"],
)

# %%
matrices = {name: confusion_matrix(is_eight.astype(int), called, 2) for name, called in said.items()}
for name, matrix in matrices.items():
    print(f"{name:>5}: accuracy {accuracy(matrix):.3f}   balanced accuracy {balanced_accuracy(matrix):.3f}   {matrix.tolist()}")
gap = accuracy(matrices["lazy"]) - accuracy(matrices["cheap"])
reveal(
    "06.q3",
    answer=1 if gap > 0 else 0,
    because=f"{accuracy(matrices['lazy']):.1%} against {accuracy(matrices['cheap']):.1%}, and it has never found anything.",
)
band("accuracy of the lazy classifier", accuracy(matrices["lazy"]), at_least=0.89)
band("what the lazy one is ahead", gap, at_least=0.01)

# %% [markdown]
# > **Myth**: *"90 % accuracy is good."* With one positive in ten, 90 % is what you get for doing nothing. With one in a thousand, 99.9 %.
#
# Before you are glad about an accuracy, compute that of the laziest answer. (**Balanced accuracy** (균형 정확도), the mean share found of each class, does it for
# you: the lazy one gets 1/2, whatever the mix.)
#
# ### Two questions instead of one
#
# A hundred images, ten of them eights. Some classifier answers like this:
#
# | | called "no" | called "eight" |
# |---|---|---|
# | **is no eight** | 86 true negatives, TN (참음성) | 4 false positives, FP (거짓양성): false alarms |
# | **is an eight** | 2 false negatives, FN (거짓음성): misses | 8 true positives, TP (참양성): hits |
#
# | question | name, and what others call it | by hand |
# |---|---|---|
# | of all it *called* eight, how many are? | **precision** (정밀도), positive predictive value PPV (양성 예측도) | 8 / (8 + 4) = 0.667 |
# | of all that *are* eights, how many did it find? | **recall** (재현율), sensitivity (민감도), true positive rate TPR | 8 / (8 + 2) = 0.8 |
# | of all that are *not*, how many did it leave alone? | **specificity** (특이도), true negative rate | 86 / (86 + 4) = 0.956 |
# | and how many not? | **false positive rate** FPR (위양성률) = 1 - specificity | 4 / 90 = 0.044 |
#
# Precision looks along a *column*, recall along a *row*. Each alone is easy to cheat: say "eight" once, where you are surest, and precision is 1; say "eight"
# always, and recall is 1. So one wants a single number that is high only if *both* are: **F1**, their harmonic mean (조화 평균),
#
# $$F_1 = \frac{2}{1/P + 1/R} = \frac{2PR}{P + R} = \frac{2\,TP}{2\,TP + FP + FN}$$
#
# Here 16 / (16 + 4 + 2) = 0.727. Why not simply the mean of the two? Let somebody say "eight" to all hundred images.

# %%
predict(
    "06.q4",
    "Ten of a hundred are eights, and somebody says 'eight' to all: precision 0.1, recall 1. The plain mean is 0.55. What is F1?",
    ["0.55", "0.50", "0.32", "0.18"],
)

# %%
p, r = 10 / 100, 10 / 10
print(f"plain mean {(p + r) / 2:.2f}   harmonic mean {2 * p * r / (p + r):.3f}")
reveal(
    "06.q4",
    answer=3,
    because="2 * 0.1 * 1 / 1.1 = 0.18. The harmonic mean stays near the smaller one: nobody can buy precision with recall.",
)

# %% [markdown]
# ### Exercise: precision_recall_f1
# *difficulty 2 of 5 · importance 5 of 5 · about 20 minutes*
#
# With more than two classes, each class in turn plays the "positive" one against all others. All you need is in the matrix: the diagonal, the sums of the
# columns, the sums of the rows. The rule for 0 / 0 (a class that was never called, or never occurs): **0**, as scikit-learn's `zero_division=0`.
#
# | class | precision | recall | F1 |
# |---|---|---|---|
# | S | 3 / 4 | 3 / 5 | 6 / 9 |
# | Y | 2 / 4 | 2 / 3 | 4 / 7 |
# | P | 1 / 2 | 1 / 2 | 2 / 4 |


# %% exercise="06.precision_recall_f1"
def precision_recall_f1(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(K, K) counts, rows the truth -> precision (K,), recall (K,), F1 (K,); 0 where the divisor is 0."""
    ### BEGIN SOLUTION
    right = np.diag(matrix)  # (K,)
    said, there = matrix.sum(axis=0), matrix.sum(axis=1)  # down the columns: how often called; along the rows: how often there
    precision = right / np.maximum(said, 1)  # counts are whole: at least 1, or 0 / 1
    recall = right / np.maximum(there, 1)
    f1 = 2 * right / np.maximum(said + there, 1)  # said + there = 2 TP + FP + FN
    return precision, recall, f1
    ### END SOLUTION


precision_recall_f1 = check("06.precision_recall_f1", precision_recall_f1)

# %%
for name, matrix in matrices.items():
    precision, recall, f1 = (values[1] for values in precision_recall_f1(matrix))  # of class 1, the eights
    print(f"{name:>5}: precision {precision:.3f}  recall {recall:.3f}  F1 {f1:.3f}  specificity {specificity(matrix)[1]:.3f}")
found_by_cheap = precision_recall_f1(matrices["cheap"])[1][1]
band("recall of the lazy classifier", precision_recall_f1(matrices["lazy"])[1][1], at_most=0)
band("recall of the cheap classifier", found_by_cheap, at_least=0.75)

# %% [markdown]
# Now the two look as different as they are.
#
# ### Many classes, one number: macro, micro, weighted
#
# Ninety cats, nine dogs, one fox. The fox is never found:

# %%
animals = np.array([[90, 0, 0], [3, 6, 0], [1, 0, 0]])
precision, recall, f1 = precision_recall_f1(animals)
for k, name in enumerate(("cat", "dog", "fox")):
    print(f"{name}: {animals[k].sum():>2} of them, precision {precision[k]:.3f}  recall {recall[k]:.3f}  F1 {f1[k]:.3f}")

# %% [markdown]
# - **Macro** (매크로 평균): the plain mean over classes, (0.978 + 0.8 + 0) / 3 = 0.593. Each *class* counts alike, so the lost fox hurts.
# - **Weighted** (가중 평균): the mean weighted by how many there are, 0.952. The fox weighs 1 in 100.
# - **Micro** (마이크로 평균): hits, false alarms and misses of all classes are added up first, and divided once. Each *sample* counts alike.

# %%
predict(
    "06.q5",
    "Every image has one true class and gets one predicted class. What is micro F1?",
    ["the same as macro F1", "the accuracy", "always higher than the accuracy"],
)

# %%
for how in ("macro", "weighted", "micro"):
    print(
        f"{how:>8}: precision {averaged(animals, how)[0]:.3f}  recall {averaged(animals, how)[1]:.3f}  F1 {averaged(animals, how)[2]:.3f}"
    )
print("accuracy:", accuracy(animals))
assert abs(averaged(animals, "micro")[2] - accuracy(animals)) < 1e-12
reveal(
    "06.q5",
    answer=1,
    because="each wrong answer is one class's false alarm and another's miss: FP = FN in sum, so precision = recall = accuracy.",
)

# %% [markdown]
# "F1 0.96" and "F1 0.59" are the same model. When somebody tells you an F1 of many classes, ask which. And is all of it equal to scikit-learn's, on the real
# digits?

# %%
options = {"labels": range(10), "zero_division": 0}
theirs = sklearn.metrics.precision_recall_fscore_support(digit_truth, digit_called, **options)[:3]
differences = [np.abs(np.array(precision_recall_f1(digit_matrix)) - np.array(theirs)).max()]
for how in ("macro", "weighted", "micro"):
    theirs = sklearn.metrics.precision_recall_fscore_support(digit_truth, digit_called, average=how, **options)[:3]
    differences.append(np.abs(np.array(averaged(digit_matrix, how)) - np.array(theirs)).max())
differences.append(abs(balanced_accuracy(digit_matrix) - sklearn.metrics.balanced_accuracy_score(digit_truth, digit_called)))
band("classification: largest difference to scikit-learn", max(differences), at_most=1e-12)

# %% [markdown]
# ✂ *50 minutes*
#
# ## 4. Top-5: right enough
#
# ImageNet has 1,000 classes, 120 of them breeds of dogs, and many of its photographs show more than the one thing that they are labelled with. Its judges
# therefore let a network name *five* classes and called it right if the true one was among them: **top-5 accuracy** (상위 5 정확도; Russakovsky and others, 2015).
# AlexNet became famous by it in 2012: 15.3 % top-5 error against 26.2 % of the next best.
#
# By hand, k = 2, with three classes:
#
# | true class | scores of 0, 1, 2 | best first | among the first 2? |
# |---|---|---|---|
# | 1 | 0.1 **0.6** 0.3 | **1**, 2, 0 | yes, and first |
# | 2 | 0.5 0.2 **0.3** | 0, **2**, 1 | yes |
# | 0 | **0.2** 0.3 0.5 | 2, 1, **0** | no |
# | 1 | 0.4 **0.4** 0.2 | 0, **1**, 2 | yes, second by the rule for ties |
#
# Top-1 is 1 of 4, top-2 is 3 of 4. The last row needs a rule for **ties** (동점): of equal scores *the lower class number goes first*. `argmax` does the same,
# so top-1 is the accuracy that you know.
#
# ### Exercise: top_k_accuracy
# *difficulty 2 of 5 · importance 3 of 5 · about 15 minutes*
#
# `np.argsort` sorts upwards, and only `kind="stable"` keeps equal ones in order.


# %% exercise="06.top_k_accuracy"
def top_k_accuracy(truth: np.ndarray, scores: np.ndarray, k: int) -> float:
    """(N,) true classes, (N, K) scores -> share of rows whose class is among the k best; of equal scores the lower class goes first."""
    ### BEGIN SOLUTION
    order = np.argsort(-scores, axis=1, kind="stable")  # (N, K) classes, best first
    hits = (order[:, :k] == truth[:, None]).any(axis=1)  # (N, k) against (N, 1)
    return float(hits.mean())
    ### END SOLUTION


top_k_accuracy = check("06.top_k_accuracy", top_k_accuracy)

# %% [markdown]
# A network that has learnt nothing gives all classes the same score. What is its top-1 accuracy? It hangs on the rule:

# %%
nothing_learnt, sixteen = np.zeros((16, 16)), np.arange(16)
print("ours        ", top_k_accuracy(sixteen, nothing_learnt, 1), "(calls everything class 0)")
print("scikit-learn", sklearn.metrics.top_k_accuracy_score(sixteen, nothing_learnt, k=1), "(calls everything class 15)")
first_of_three = np.array([[0.4, 0.4, 0.2]])
theirs = sklearn.metrics.top_k_accuracy_score([0], first_of_three, k=1, labels=range(3))
print("class 0 ties with class 1, and 0 is right: ours", top_k_accuracy(np.array([0]), first_of_three, 1), " scikit-learn", theirs)

# %% [markdown]
# A third rule is seen in home-made code: "right if at most k - 1 scores are *higher*". It gives the network that learnt nothing 100 %. Ties are rare between
# floats, until somebody rounds scores or a network outputs only zeros.
#
# Now a real one: signs of 16 classes, drawn hard to see and 16x16 pixels small, and logistic regression that has learnt from twenty images a class. It is a
# poor classifier, and that is what we want to look at.

# %%
lengths = {"train": at(smoke=64, quick=320, full=320), "val": at(smoke=48, quick=400, full=400), "test": at(smoke=48, quick=600, full=600)}
signs = {split: from_samples(SignCrops(lengths[split], seed, size=16, difficulty="hard")) for split, seed in SIGN_SEEDS.items()}
show_images(signs["test"].images[:8], [SIGN_CLASSES[k] for k in signs["test"].labels[:8]], columns=8, suptitle="Eight of them", size=1.3)

# %%
sign_classifier = LogisticRegression(C=100, max_iter=1000).fit(*pixels(signs["train"]))
logits = {split: sign_classifier.decision_function(pixels(data)[0]) for split, data in signs.items()}
labels = {split: data.labels.numpy() for split, data in signs.items()}
print("logits", logits["test"].shape, " labels", labels["test"].shape)

# %%
ks = list(range(1, 17))
by_k = [top_k_accuracy(labels["test"], logits["test"], k) for k in ks]
lines = {"signs": by_k, "guessing": [k / 16 for k in ks]}
show_slide(ks, lines, "Right, if k of 16 classes may be named", xlabel="k", ylabel="top-k accuracy")

# %%
theirs = [sklearn.metrics.top_k_accuracy_score(labels["test"], logits["test"], k=k) for k in ks[:-1]]
band("top-k: largest difference to scikit-learn", np.abs(np.array(by_k[:-1]) - theirs).max(), at_most=1e-12)
print(f"top-1 {by_k[0]:.3f}   top-5 {by_k[4]:.3f}   guessing five of sixteen {5 / 16:.3f}")
band("what top-5 adds to top-1", by_k[4] - by_k[0], at_least=0.2)

# %% [markdown]
# Top-5 is a kind number. Five of sixteen classes guessed at random are right in 31 %. Use it where a person picks from a short list, or where labels are
# ambiguous; a car cannot brake for five signs.
#
# ## 5. A score, and where to cut it
#
# So far a classifier said *yes* or *no*. Inside, it had a **score** (점수), and somebody cut it at a **threshold** (임계값). Ten images, sorted by their score for
# "eight"; four are eights (●):
#
# | score | 0.9 | 0.8 | 0.7 | 0.7 | 0.5 | 0.4 | 0.3 | 0.3 | 0.2 | 0.1 |
# |---|---|---|---|---|---|---|---|---|---|---|
# | eight? | ● | ● | ○ | ● | ○ | ● | ○ | ○ | ○ | ○ |
#
# Cut at 0.5, keeping what is *at least* 0.5: five are kept, three of them eights. Precision 3/5, recall 3/4. Cut at 0.4: precision 4/6, recall 4/4. The
# threshold trades one for the other, and the **precision-recall curve** (PR 곡선) shows every trade there is: one point for each threshold that changes
# anything, the highest first.
#
# | threshold | kept | eights among them | recall | precision |
# |---|---|---|---|---|
# | 0.9 | 1 | 1 | 1/4 | 1/1 |
# | 0.8 | 2 | 2 | 2/4 | 2/2 |
# | **0.7** | **4** | **3** | **3/4** | **3/4** |
# | 0.5 | 5 | 3 | 3/4 | 3/5 |
# | 0.4 | 6 | 4 | 4/4 | 4/6 |
# | 0.3, 0.2, 0.1 | 8, 9, 10 | 4 | 4/4 | 4/8, 4/9, 4/10 |
#
# Look at 0.7. Two images have that score, one an eight and one not. No threshold lies between them, so they come in **together**. Whoever lets them in one by
# one gets a curve that depends on the order of the file.
#
# ### Exercise: pr_curve
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*
#
# `scores >= thresholds[:, None]` is the broadcasting of 01: (T, 1) against (N,) gives (T, N), one row of kept or not for each threshold.


# %% exercise="06.pr_curve"
def pr_curve(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N,) true/false, some true; (N,) scores -> recall (T,), precision (T,), thresholds (T,): each distinct score once, highest first."""
    ### BEGIN SOLUTION
    thresholds = np.unique(scores)[::-1]
    kept = scores >= thresholds[:, None]  # (T, N)
    hits = (kept & truth).sum(axis=1)  # (T,)
    return hits / truth.sum(), hits / kept.sum(axis=1), thresholds
    ### END SOLUTION


pr_curve = check("06.pr_curve", pr_curve)

# %%
ten_truth = np.array([1, 1, 0, 1, 0, 1, 0, 0, 0, 0], dtype=bool)
ten_scores = np.array([0.9, 0.8, 0.7, 0.7, 0.5, 0.4, 0.3, 0.3, 0.2, 0.1])
recall, precision, thresholds = pr_curve(ten_truth, ten_scores)
for row in zip(thresholds, recall, precision):
    print("threshold {:.1f}   recall {:.2f}   precision {:.3f}".format(*row))

# %% [markdown]
# ### One number for all thresholds
#
# **Average precision** (AP, 평균 정밀도) is the area under the steps: each step is as wide as recall grows there, and as high as precision. By hand: recall grows
# by 1/4 at 0.9, at 0.8, at 0.7 and at 0.4, where precision is 1, 1, 3/4, 4/6. AP = (1 + 1 + 0.75 + 0.667) / 4 = **0.854**. Guessing gives the share of
# eights, here 0.4.
#
# Doctors and engineers of radar draw another curve: recall against the **false positive rate**, the share of the *others* that is kept. It is called **ROC**
# (receiver operating characteristic, ROC 곡선), and the **area under it** (AUC, 곡선 아래 면적) has a meaning that one can say aloud: *the probability that a random
# eight has a higher score than a random other; a tie counts half*. By hand: 0.9 beats all six others, 0.8 as well, 0.7 beats five and ties with one, 0.4
# beats four. (6 + 6 + 5.5 + 4) / 24 = **0.896**. Guessing gives 0.5.

# %%
ap = np.sum(np.diff(recall, prepend=0) * precision)
above = ten_scores[ten_truth][:, None] > ten_scores[~ten_truth]  # (4, 6): every eight against every other
equal = ten_scores[ten_truth][:, None] == ten_scores[~ten_truth]
auc = (above + equal / 2).mean()
theirs = sklearn.metrics.average_precision_score(ten_truth, ten_scores), sklearn.metrics.roc_auc_score(ten_truth, ten_scores)
print(f"AP  {ap:.3f}, scikit-learn {theirs[0]:.3f}")
print(f"AUC {auc:.3f} by pairs, {ranking.roc_auc(ten_truth, ten_scores):.3f} as the area, scikit-learn {theirs[1]:.3f}")

# %%
pictures.show_pr_and_roc({"ten images": (ten_truth, ten_scores)}, "Ten images, four eights")

# %% [markdown]
# Now the cheap classifier on its 540 images. Its score is `predict_proba`, from 0 to 1. Are our curves equal to scikit-learn's on it?

# %%
scores = cheap.predict_proba(seen)[:, 1]  # (540,)
recall, precision, thresholds = pr_curve(is_eight, scores)
p, r, t = sklearn.metrics.precision_recall_curve(is_eight, scores)  # precision first, lowest threshold first, one point more
fpr, tpr, _ = ranking.roc_curve(is_eight, scores)
f, u, _ = sklearn.metrics.roc_curve(is_eight, scores, drop_intermediate=False)
pairs = [(recall, r[:-1][::-1]), (precision, p[:-1][::-1]), (thresholds, t[::-1]), (fpr, f), (tpr, u)]
pairs += [(ranking.average_precision(is_eight, scores), sklearn.metrics.average_precision_score(is_eight, scores))]
pairs += [(ranking.roc_auc(is_eight, scores), sklearn.metrics.roc_auc_score(is_eight, scores))]
band("curves: largest difference to scikit-learn", max(np.abs(a - b).max() for a, b in pairs), at_most=1e-12)

# %% [markdown]
# Drag the threshold, then change how rare eights are; the confusion matrix is that of 1,000 images. Watch what moves with the mix on the PR curve, and what
# does not on the ROC curve.

# %%
balance_explorer(is_eight, scores, threshold=0.5, names=("other", "eight"))

# %% [markdown]
# ### Why ROC flatters when positives are rare
#
# Nine others for one eight is harmless. Windows of a photograph (notebook 14) hold a hundred or a thousand pieces of background for one object. We can make
# such a world from ours without changing the classifier: copy every image that is no eight eleven times.

# %%
predict(
    "06.q6",
    "Every non-eight is copied eleven times; the classifier and all scores stay. What happens to the two areas?",
    ["both fall", "AP falls, AUC stays", "AUC falls, AP stays", "both stay"],
)


# %%
def copied(truth, scores, eights=1, others=1):
    """The same images, each eight and each other so many times."""
    times = np.where(truth, eights, others)
    return np.repeat(truth, times), np.repeat(scores, times)


mixes = {"1 : 1": copied(is_eight, scores, eights=9), "1 : 9": (is_eight, scores), "1 : 99": copied(is_eight, scores, others=11)}
pictures.show_pr_and_roc(mixes, "One classifier, three mixes of eights and others")

# %%
ap = {name: ranking.average_precision(*mix) for name, mix in mixes.items()}
auc = {name: ranking.roc_auc(*mix) for name, mix in mixes.items()}
for name, (truth, _) in mixes.items():
    print(f"eights to others {name:>6} ({truth.mean():.1%} eights): AUC {auc[name]:.4f}   AP {ap[name]:.3f}")
band("AUC: largest change", max(auc.values()) - min(auc.values()), at_most=1e-9)
band("AP lost from 1 : 9 to 1 : 99", ap["1 : 9"] - ap["1 : 99"], at_least=0.1)
reveal(
    "06.q6",
    answer=1,
    because=f"AUC stays at {auc['1 : 9']:.3f}. AP falls from {ap['1 : 9']:.2f} to {ap['1 : 99']:.2f}: eleven times the false alarms for the same hits.",
)

# %% [markdown]
# Both curves are right. ROC divides false alarms by *all others*, and 3 % of a hundred thousand windows still looks like 3 %. Precision divides by what was
# *kept*: there the 3,000 false alarms stand beside ten objects. So:
#
# > **Myth**: *"AUC 0.97, so nearly every alarm is right."* AUC never looked at a share of alarms. It compares one positive with one negative, as if they came
# > in equal numbers.
#
# AUC is the number for "does it rank well, whatever the mix"; AP and the PR curve for "what will the user see". Detectors are therefore judged by AP
# (notebooks 13 and 20). (Saito and Rehmsmeier, 2015, show the same on published studies.)
#
# ✂ *50 minutes*
#
# ## 6. What does a mistake cost?
#
# > **Myth**: *"the threshold is 0.5."* 0.5 is what a library does when nobody has thought about it.
#
# Two users of the very same classifier:
#
# - **Screening** (선별 검사): an eight is an illness. A miss may cost a life; a false alarm costs a second test. Say a miss costs 50, a false alarm 1.
# - **Spam filter** (스팸 차단): an eight is spam. A miss is one annoying mail; a false alarm is a lost letter. Say a miss costs 1, a false alarm 20.

# %%
predict(
    "06.q7",
    "Which of the two wants the higher threshold?",
    ["the screening", "the spam filter", "both the same: it is one classifier"],
)

# %%
costs = {"screening": (1, 50), "spam filter": (20, 1)}  # false alarm, miss
val_scores, test_scores = (cheap.predict_proba(eights[split][0])[:, 1] for split in ("val", "test"))
val_truth, test_truth = eights["val"][1], eights["test"][1]
chosen = {name: ranking.cheapest_threshold(val_truth, val_scores, *cost)[0] for name, cost in costs.items()}  # on validation images
for name, threshold in {"nobody thought": 0.5, **chosen}.items():
    hits, alarms = (test_scores[test_truth] >= threshold).sum(), (test_scores[~test_truth] >= threshold).sum()
    paid = ", ".join(f"{who} {alarms * fa + (test_truth.sum() - hits) * miss:>4}" for who, (fa, miss) in costs.items())
    print(f"{name:>14}: threshold {threshold:.3f}, {hits} of {test_truth.sum()} found, {alarms:>2} false alarms; it costs: {paid}")

# %%
reveal(
    "06.q7",
    answer=1,
    because=f"{chosen['spam filter']:.2f} against {chosen['screening']:.2f}: where alarms are expensive, only sure ones may ring.",
)
band("threshold of the spam filter minus that of the screening", chosen["spam filter"] - chosen["screening"], at_least=0.2)

# %%
pictures.show_scores(test_truth, test_scores, chosen["screening"], ("other", "eight"), "A threshold for screening")

# %% [markdown]
# The threshold was chosen on the *validation* images and paid for on the *test* images. Chosen on the test images it would look better than it is: a
# threshold is a parameter, and choosing is training.
#
# Often costs are unknown and a rule is given instead: "find at least 95 % of them". `threshold_for_recall` takes the highest threshold that does, so with the
# fewest false alarms:

# %%
for wished in (0.8, 0.9, 0.95):
    threshold = ranking.threshold_for_recall(val_truth, val_scores, wished)
    found, alarms = (test_scores[test_truth] >= threshold).mean(), (test_scores[~test_truth] >= threshold).mean()
    print(f"wished {wished:.2f}: threshold {threshold:.3f}; on the test images recall {found:.2f}, false positive rate {alarms:.2f}")

# %% [markdown]
# The test images give less than was wished. Each of the two sets holds 26 eights, so one eight is 4 %, and the threshold was taken where the validation
# images just reached the goal. A promise about recall is as good as the number of positives behind it.
#
# ## 7. When is a score a probability?
#
# Softmax gives numbers between 0 and 1 that add up to 1. That makes them *look* like probabilities (확률). They are if, of all answers given with 0.8, eight in
# ten are right. This property is called **calibration** (보정), and nothing in training promises it. By hand, ten answers:
#
# | said | how many | right | share that is right | gap |
# |---|---|---|---|---|
# | 0.9 | 5 | 3 | 0.6 | 0.3 |
# | 0.6 | 5 | 3 | 0.6 | 0 |
#
# The **expected calibration error** (ECE, 기대 보정 오차) is the gap, averaged over answers: 5/10 · 0.3 + 5/10 · 0 = **0.15**. With real scores one sorts the
# answers into bins (구간) first, mostly ten.

# %%
said_by_hand, right_by_hand = [0.9] * 5 + [0.6] * 5, [1, 1, 1, 0, 0] * 2
print("ECE by hand:", round(calibration.calibration_error(said_by_hand, right_by_hand), 3))

# %%
probabilities = calibration.softmax(logits["test"])  # (600, 16)
confidence = probabilities.max(axis=1)  # how sure it is of its answer
correct = probabilities.argmax(axis=1) == labels["test"]
print(f"the sign classifier is {confidence.mean():.2f} sure on average, and right in {correct.mean():.2f} of the cases")
before = calibration.calibration_error(confidence, correct)
band("ECE of the sign classifier", before, at_least=0.1)

# %% [markdown]
# It promises far more than it keeps. A classifier that has its training images by heart is sure of everything, and large networks that are trained long are
# known for it (Guo and others, 2017).
#
# The repair is surprisingly small. Divide all logits by one number T before the softmax, the **temperature** (온도): above 1 it makes every answer less sure,
# below 1 more. T is found on the validation images, by trying values until the cross-entropy (02) is smallest.

# %%
predict(
    "06.q8",
    "All logits are divided by the same T above 1. What happens to the accuracy on the test images?",
    ["it rises", "it falls", "it stays exactly the same"],
)

# %%
temperature = calibration.fit_temperature(logits["val"], labels["val"])
cooled = calibration.softmax(logits["test"] / temperature)
correct_after = cooled.argmax(axis=1) == labels["test"]
after = calibration.calibration_error(cooled.max(axis=1), correct_after)
print(f"T = {temperature:.2f}   ECE {before:.3f} -> {after:.3f}   accuracy {correct.mean():.4f} -> {correct_after.mean():.4f}")
reveal("06.q8", answer=2, because="dividing by T does not change which logit is the largest. Only how sure the answer sounds changes.")
band("ECE after dividing by T, as a share of before", after / before, at_most=0.5)
assert correct.mean() == correct_after.mean()

# %% [markdown]
# Is every classifier too sure of itself? Here is the same one, held back in training (`C=1`: large weights cost more, notebook 08), so that it never knew its
# images by heart:

# %%
held_back = LogisticRegression(C=1, max_iter=1000).fit(*pixels(signs["train"]))
held_logits = {split: held_back.decision_function(pixels(signs[split])[0]) for split in ("val", "test")}
held = calibration.softmax(held_logits["test"])
held_correct = held.argmax(axis=1) == labels["test"]
held_t = calibration.fit_temperature(held_logits["val"], labels["val"])
print(f"held back: {held.max(axis=1).mean():.2f} sure on average, right in {held_correct.mean():.2f} of the cases; T = {held_t:.2f}")
band("T of the one that was held back", held_t, at_most=0.9)

# %%
panels = {
    "as trained": calibration.reliability(confidence, correct),
    f"divided by T = {temperature:.1f}": calibration.reliability(cooled.max(axis=1), correct_after),
    "held back in training": calibration.reliability(held.max(axis=1), held_correct),
}
pictures.show_reliability_panels(panels, "Signs: how sure it sounds, and how often it is right")

# %% [markdown]
# Bars below the dashed line: too sure of itself (과신). Bars above it: too modest. The two are equally often right, and their scores of 0.7 mean different
# things. T cannot repair everything, for it is one number for all answers, but it costs nothing and leaves the accuracy alone.
#
# The cheap eight-finder is off in another way. `class_weight="balanced"` made eights nine times as heavy in training, so it believes in a world where every
# second image is an eight:

# %%
print(f"eights: {is_eight.mean():.2f} of all images; mean score {scores.mean():.2f}")
sure = scores >= 0.5
print(
    f"{sure.sum()} images have a score of 0.5 or more: mean score {scores[sure].mean():.2f}, eights among them {is_eight[sure].mean():.2f}"
)

# %% [markdown]
# > **Myth**: *"the network is 99 % sure, so it is right in 99 of 100 cases."* A score is a probability when somebody has measured that it is, on data like
# > yours. Whoever multiplies scores with costs, or adds scores of two networks, needs calibrated ones. Whoever only sorts by them (AP, AUC, top-k) does not.
#
# ## 8. Find the bug
#
# A colleague evaluates batch by batch, because the test set does not fit into memory. She wants macro F1. No error is raised, and the network is the digits
# classifier from above:


# %%
def in_batches(truth, predicted, size):
    """The same samples as a list of (truth, predicted), `size` of them each; the last may be smaller."""
    return [(truth[i : i + size], predicted[i : i + size]) for i in range(0, len(truth), size)]


def colleagues_evaluation(batches, classes):
    values = []
    for truth, predicted in batches:
        matrix = confusion_matrix(truth, predicted, classes)
        values.append(precision_recall_f1(matrix)[2].mean())
    return float(np.mean(values))


by_size = {size: colleagues_evaluation(in_batches(digit_truth, digit_called, size), 10) for size in (8, 16, 64, 270)}
for size, value in by_size.items():
    right = [(truth == predicted).mean() for truth, predicted in in_batches(digit_truth, digit_called, size)]
    print(f"batches of {size:>3}: macro F1 {value:.3f}   accuracy, averaged the same way, {np.mean(right):.3f}")
order = np.random.default_rng(0).permutation(len(digit_truth))
print("shuffled, 8:    macro F1", round(colleagues_evaluation(in_batches(digit_truth[order], digit_called[order], 8), 10), 3))

# %% [markdown]
# ### Exercise: evaluate_batches
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# | symptom | what she sees |
# |---|---|
# | smaller batches, lower F1 | same network, same images, same predictions |
# | shuffled images, another F1 | so it is not the network |
# | accuracy averaged the same way hardly moves | that is why nobody had noticed |
# | `confusion_matrix` and `precision_recall_f1` pass their checks | so they are right |
#
# Find what is averaged that must not be, and repair it. A class that occurs nowhere counts 0, as before.


# %% exercise="06.evaluate_batches"
def evaluate_batches(batches: list[tuple[np.ndarray, np.ndarray]], classes: int) -> float:
    """A list of (truth (B,), predicted (B,)) -> macro F1 over all their samples; a class that occurs nowhere counts 0."""
    ### BEGIN SOLUTION
    total = np.zeros((classes, classes), dtype=np.int64)
    for truth, predicted in batches:
        total += confusion_matrix(truth, predicted, classes)  # counts may be added
    return float(precision_recall_f1(total)[2].mean())  # ratios are made once, at the end
    ### STUDENT
    # values = []
    # for truth, predicted in batches:
    #     matrix = confusion_matrix(truth, predicted, classes)
    #     values.append(precision_recall_f1(matrix)[2].mean())
    # return float(np.mean(values))
    ### END SOLUTION


evaluate_batches = check("06.evaluate_batches", evaluate_batches)

# %%
whole = averaged(digit_matrix, "macro")[2]
repaired = [evaluate_batches(in_batches(digit_truth, digit_called, size), 10) for size in by_size]
print("repaired, by batch size:", [round(value, 4) for value in repaired], " all at once:", round(whole, 4))
band("repaired: largest difference to all at once", max(abs(value - whole) for value in repaired), at_most=1e-12)
band("what the bug costs at batches of 8", whole - by_size[8], at_least=0.2)

# %% [markdown]
# <details><summary>What it was</summary>
#
# A batch of 8 holds five or six of the ten classes. The F1 of an absent class is 0 / 0, by the rule 0, and it was averaged in, batch after batch. Weighting
# batches by their size, the first repair that comes to mind, does not help: F1 is a ratio whose divisor differs from batch to batch. **Add up counts; divide
# once.** Keras once shipped batch-wise precision, recall and F1 and took them out in version 2.0, for being "more misleading than helpful" (issue 5794).
#
# Means of *losses* and *accuracies* over batches have a smaller cousin of this bug: a short last batch counts as much as a full one. `evaluate` in 05 weighs
# it by its size.
# </details>
#
# ## Which number for which question?
#
# | your question | number | blind to |
# |---|---|---|
# | how far off, typically? | MAE | direction; rare large errors |
# | are large errors what hurts? | RMSE | whether it was one outlier or many |
# | too high or too low? | mean error | everything that cancels |
# | how far off, as a share? | sum of errors / sum of truths; MAPE only far from 0 | MAPE: likes guesses that are too low, explodes near 0 |
# | better than always saying the mean? | R² | the unit, and how large an error is for a user |
# | which classes are mixed up? | confusion matrix | how sure each answer was; and it is no single number |
# | how often right, classes about equally frequent? | accuracy | rare classes |
# | ... one class is rare | recall and precision of that class, balanced accuracy | |
# | how many alarms are real? | precision | misses |
# | how many were found? | recall | false alarms |
# | one number for both, at one threshold | F1 | true negatives; which of the two is bad |
# | every class matters alike / every image does | macro F1 / micro F1, which is accuracy | the other one's question |
# | a short list is enough | top-k accuracy | the order within the list |
# | how well does it rank, any mix? | ROC AUC | how many alarms are false when positives are rare |
# | how well does it rank, as a user sees it? | AP | the threshold, which must still be chosen |
# | where to cut? | cost of each kind of mistake, or a wished recall | |
# | may I take the score for a probability? | reliability diagram, ECE | whether it is any good at the task |
#
# ## Summary
#
# - **A measure is a wish**, and it is blind to something. Know to what, and report two that are blind to different things.
# - Rows are truth, columns are predictions, until the axes say otherwise. Precision looks down a column, recall along a row.
# - Compare with the lazy answer: the mean for numbers, "always no" for rare things.
# - Macro asks each class, micro each sample. Of F1s over many classes, ask which.
# - Ties come in together. Thresholds are chosen on validation images, by cost.
# - ROC does not see how rare positives are; PR does. A score is a probability only if measured.
# - Add up counts over batches, and divide once.
#
# ### Do you still know?
#
# <details><summary>True 10 and 10, predicted 20 and 5. MAE? MAPE? Which of the two errors does MAPE punish more?</summary>
#
# MAE (10 + 5) / 2 = 7.5. MAPE (1 + 0.5) / 2 = 75 %. Double costs 100 %, half costs 50 %, although both are off by a factor of two.
# </details>
#
# <details><summary>A test for an illness that 1 in 1,000 has is right in 99 % of all cases, ill or healthy. You test positive. How likely are you ill?</summary>
#
# Of 100,000 people 100 are ill, and 99 of them test positive. Of the 99,900 healthy, 999 test positive. Precision 99 / 1,098 = 9 %.
# </details>
#
# <details><summary>Recall 1 and precision 0.02. What is F1, roughly, and why is it no use to raise recall further?</summary>
#
# About 2 · 0.02 = 0.04. The harmonic mean stays below twice the smaller one.
# </details>
#
# <details><summary>You halve all scores of a classifier. What happens to AP, AUC, ECE, and to the hits at threshold 0.5?</summary>
#
# AP and AUC look only at the order: they stay. ECE changes. At threshold 0.5 nearly nothing is found any more.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message, or symptom | what happened |
# |---|---|
# | `UndefinedMetricWarning: Precision is ill-defined and being set to 0.0` | a class was never predicted: say `zero_division=0` if you mean it, and look why |
# | `Target is multiclass but average='binary'` | scikit-learn's F1 of many classes wants to know which average |
# | `Number of classes in 'y_true' (9) not equal to the number of classes in 'y_score' (10)` | one class does not occur in the test images: give `labels=range(10)` |
# | `index 10 is out of bounds for axis 0 with size 10` | labels that count from 1, or one class too few |
# | `RuntimeWarning: invalid value encountered in divide` | 0 / 0: a class without samples |
# | MAPE of 4503599627370496 | a truth of 0 in scikit-learn's formula |
# | an MAE that is much too large, from shapes (N, 1) and (N,) | they broadcast to (N, N): every prediction against every truth. Ours raises an error |
# | accuracy that stays at 0.9 from the first epoch on | nine in ten are one class, and the network says nothing else |
#
# ### Where to read more
#
# - [scikit-learn: metrics and scoring](https://scikit-learn.org/stable/modules/model_evaluation.html), all of these with their options
# - [Saito and Rehmsmeier 2015](https://doi.org/10.1371/journal.pone.0118432): PR and ROC where positives are rare
# - [Guo and others 2017](https://arxiv.org/abs/1706.04599): how far modern networks are off as probabilities, and temperature
# - [Russakovsky and others 2015](https://arxiv.org/abs/1409.0575): how ImageNet was judged
# - `coursekit/metrics/`: `regression`, `classification`, `ranking`, `calibration`, the functions of this notebook with their edge cases
#
# **Next**: 07 builds the layer that looks at images, and this notebook's numbers will say what it is worth.
