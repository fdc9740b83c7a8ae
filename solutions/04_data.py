# %% [markdown]
# # 04 · Data: look first, split honestly
#
# A network learns what its data says: its mistakes, its gaps and its accidents too. Most of what goes wrong in a project goes wrong here, before the first
# weight is made, and none of it raises an error. This notebook is about the week that you spend with your data first, and about
# the one number that people believe most and check least: the accuracy on a test set.
#
# | you will learn | you will build |
# |---|---|
# | to look first: sheets, sizes, brightness, duplicates, wrong labels | |
# | what a Dataset and a DataLoader are, and what workers and caching bring | `FolderDataset` |
# | what training, validation and test sets are each for | `stratified_split` |
# | how data leaks, and how much the number lies then | `group_split`, `standardise` (repaired) |
# | what to do about rare classes | `class_weights` |
# | where labels live: names, folders, XML, JSON, txt | `voc_to_yolo` |
# | to label pictures yourself, and what public sets there are | ten labelled pictures |
# | to write a data card (데이터 카드), the first page of your project in 24 | a data card |
#
# **Time** 20 seconds of computing on two CPU cores; about three hours of thinking, with marks (✂) for lessons of 50 minutes.
# **Before you start** you know tensors and batches (01), cross-entropy (02), steps and epochs (03).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("04_data")

# %%
import copy
import csv
import hashlib
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from IPython.display import Markdown, display
from PIL import Image
from skimage import data as photographs
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import pil_to_tensor

from coursekit.boxes import box_iou
from coursekit.data.cards import CARDS
from coursekit.data.data_card import data_card
from coursekit.data.formats import read_dataset
from coursekit.data.image_folder import ImageFolder, is_picture, save_picture, write_colleagues_folder
from coursekit.data.labelled import labelled_images
from coursekit.data.labelling import Session
from coursekit.data.signs import SignCrops, SignScenes, write_signs
from coursekit.data.splits import channel_statistics, nearest, sign_tracks
from coursekit.images import make_batch, normalise
from coursekit.plots.data import by_class, contact_sheet, show_balance, show_neighbours, show_scores, show_split, show_survey
from coursekit.plots.labelling import label_pictures, session_sheet
from coursekit.project.steps import save_step

desk = Path(tempfile.mkdtemp())  # everything that this notebook writes for itself lies here

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>01: make_batch gets two images of shape (3, 40, 60) and (3, 50, 20). What is the shape of the batch?</summary>
#
# (2, 3, 50, 60): the largest height of all and the largest width of all.
# </details>
#
# <details><summary>02: A network that has learnt nothing gives each of 16 classes the same probability. What is its cross-entropy (교차 엔트로피)?</summary>
#
# -ln(1/16) = 2.77. A training that starts far above it has a bug.
# </details>
#
# <details><summary>03: 100 images, batches of 5, 10 epochs. How many steps?</summary>
#
# 100 / 5 = 20 steps an epoch, so 200.
# </details>
#
# ## 1. Look first
#
# Before any statistics, put many pictures beside each other and *look*. A **contact sheet** (밀착 인화지: the name is from the days of film) is one row
# for each class. Here are the handwritten digits that come with scikit-learn, 8 x 8 pixels each:

# %%
digits = labelled_images("digits", "train")
print("images", tuple(digits.images.shape), digits.images.dtype, " labels", tuple(digits.labels.shape), digits.labels.dtype)
contact_sheet(by_class(digits.images, digits.labels, digits.classes, most=16), "Handwritten digits, 16 of each class")

# %% [markdown]
# Half a minute of looking tells what no table does: ones that are a stroke, ones with a flag and ones with a foot; sevens with a bar; and so few
# pixels that a 3 can become a 9. You know now what "hard" will mean here.
#
# ### A folder from a colleague
#
# "The sign pictures are in the folder, one folder for each class. Should be fine." It never is. First see what lies there, hidden files included:

# %%
folder = write_colleagues_folder(desk / "signs")
for path in sorted(folder.iterdir()):
    if path.is_dir():
        inside = sorted(path.iterdir())
        odd = [file.name for file in inside if file.suffix != ".png" or file.name.startswith(".")]
        print(f"{path.name + '/':<22}{len(inside):>3} files{', among them ' + ', '.join(odd) if odd else ''}")
    else:
        print(path.name)

# %% [markdown]
# Some of these files are no pictures: `.DS_Store` and `._...` come from macOS, `Thumbs.db` from Windows, `.ipynb_checkpoints` from Jupyter. Now the pictures: how large, how bright, how many?

# %%
files = sorted(path for path in folder.rglob("*") if is_picture(path))
pictures = [Image.open(path).convert("RGB") for path in files]
sizes = [picture.size for picture in pictures]  # (width, height)
brightness = [float(np.asarray(picture).mean()) for picture in pictures]
show_survey(sizes, brightness, f"{len(files)} pictures")

# %% [markdown]
# All square, from 24 to 80 pixels, and one picture far to the left, nearly black. Sort by any number and look at both ends of the list. It is the cheapest detective work there is.

# %%
darkest = sorted(range(len(files)), key=lambda i: brightness[i])[:3]
for i in darkest:
    print(f"{files[i].relative_to(folder).as_posix():<22} {sizes[i]}  brightness {brightness[i]:5.1f}")

# %% [markdown]
# **Duplicates** (중복): files with the same bytes have the same **hash** (해시), a short fingerprint of their content.

# %%
by_content = defaultdict(list)
for path in files:
    by_content[hashlib.sha256(path.read_bytes()).hexdigest()].append(path.relative_to(folder).as_posix())
print([names for names in by_content.values() if len(names) > 1])

# %% [markdown]
# Numbers found a black picture and a twin. Now look at the 40 pictures in the folder `stop`, ten in a row.

# %%
stops = [torch.from_numpy(np.array(picture)).permute(2, 0, 1) for path, picture in zip(files, pictures) if path.parent.name == "stop"]
contact_sheet(
    {f"{first} to {first + 9}": stops[first : first + 10] for first in range(0, 40, 10)},
    "Everything in the folder stop",
    ylabel="number",
    xlabel="last digit",
)

# %%
predict("04.q1", "Which of these pictures is not what its folder says?", ["number 7", "number 17", "number 27", "none of them"])

# %%
reveal("04.q1", answer=1, because="a no-entry sign: red, round enough, and invisible to every count, size and mean above.")

# %% [markdown]
# **Wrong labels** (레이블 오류) are everywhere. Northcutt and others (2021, arXiv 2103.14749) had people look again at the test sets of ten famous data sets:
# on average at least 3.3 % of the labels are wrong, in ImageNet's validation set at least 6 %.
#
# In 50,000 pictures you cannot look at each. A machine can propose where to look: *find the most similar other picture, and ask whether it has the same label.*
# That is `pairwise_distance` of 01 once more, with the distance of a picture to itself taken out.

# %%
flat = digits.images.flatten(1).float()  # (N, 64)
distance = torch.cdist(flat, flat)  # (N, N)
distance.fill_diagonal_(float("inf"))  # no picture is its own neighbour
neighbour = distance.argmin(dim=1)
doubtful = (digits.labels[neighbour] != digits.labels).nonzero().flatten()
print(f"{len(doubtful)} of {len(digits)} digits have a nearest neighbour of another class: look at these first")

# %%
some = doubtful[:9]
words = [f"labelled {digits.labels[i]}\nlike a {digits.labels[neighbour[i]]}" for i in some.tolist()]
show_neighbours(
    digits.images[some], digits.images[neighbour[some]], [False] * len(some), "Doubtful digits above their nearest neighbours", words
)

# %% [markdown]
# Are they labelled wrong? Judge for yourself. Most are only badly written. The machine proposes, a person decides: whoever deletes all
# doubtful pictures deletes the hard ones, and gets a test set that is easier than the world.
#
# ## 2. A Dataset: two methods
#
# PyTorch asks a **Dataset** (데이터셋) only two things: how many samples have you (`__len__`), and what is sample number i (`__getitem__`). Any class that answers is one:


# %%
class Squares(Dataset):
    """Sample i is a picture of 2x2 pixels that all hold i, and its label i * i."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return torch.full((1, 2, 2), index), index**2


# %%
squares = Squares()
image, label = squares[3]
print(len(squares), "samples; number 3 has shape", tuple(image.shape), "and label", label)

# %% [markdown]
# Nothing is loaded before it is asked for. So a data set of a million files is a list of a million *paths*, and `__getitem__` opens one of them.
#
# ### Exercise: FolderDataset
# *difficulty 3 of 5 · importance 5 of 5 · about 30 minutes*
#
# A folder for each class, pictures inside. What your class must promise, and why:
#
# | promise | or else |
# |---|---|
# | `classes`: the names of the folders, **sorted** | `iterdir()` gives them in any order, and a label means another class on another computer |
# | a label is the place of the name in `classes`, counted from 0 | a loss cannot use names |
# | `samples`: a list of (path, label), class by class, within a class sorted by name | a seed does not give the same batches twice |
# | hidden names (they begin with a dot) are skipped, folders and files | `.ipynb_checkpoints` becomes a class |
# | a picture ends in `.png`, `.jpg` or `.jpeg`, in small or capital letters | `Thumbs.db` is opened as a picture, `IMG_7.JPG` is lost |
# | an empty folder is still a class | all labels shift on the day its first picture comes |
# | sample i: uint8 (3, H, W), **RGB whatever the file holds**, after the `transform` if there is one; and its label | one grey picture among thousands stops the training at night |
#
# `Path.iterdir()`, `path.is_dir()`, `path.name` and `path.suffix` are all you need for the first part; `Image.open(path).convert("RGB")` and `pil_to_tensor` for the second.


# %% exercise="04.folder_dataset"
class FolderDataset(Dataset):
    """root/stop/1.png: sample i is (uint8 (3, H, W), label). Has `classes`, a list of names, and `samples`, a list of (path, label)."""

    def __init__(self, root, transform=None):
        ### BEGIN SOLUTION
        root = Path(root)
        self.transform = transform
        self.classes = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        self.samples = []
        for label, name in enumerate(self.classes):
            for path in sorted((root / name).iterdir()):
                if path.suffix.lower() in (".png", ".jpg", ".jpeg") and not path.name.startswith("."):
                    self.samples.append((path, label))
        ### END SOLUTION

    def __len__(self):
        ### BEGIN SOLUTION
        return len(self.samples)
        ### END SOLUTION

    def __getitem__(self, index):
        ### BEGIN SOLUTION
        path, label = self.samples[index]
        image = pil_to_tensor(Image.open(path).convert("RGB"))
        if self.transform is not None:
            image = self.transform(image)
        return image, label
        ### END SOLUTION


FolderDataset = check("04.folder_dataset", FolderDataset)  # yours once it passes, ours until then

# %%
signs = FolderDataset(folder)
image, label = signs[0]
print(len(signs), "samples of", list(signs.classes))
print("sample 0:", tuple(image.shape), image.dtype, "label", label, "=", signs.classes[label])
labels = torch.tensor([label for _, label in signs.samples])  # no picture is opened for this
assert len(signs) == 115

# %% [markdown]
# Stuck? `hint("04.folder_dataset")` helps a little, and a little more each time. `solution("04.folder_dataset")` shows ours.
#
# torchvision has this class too: `torchvision.datasets.ImageFolder`. On this folder it stops with an error: `.ipynb_checkpoints` is an empty class to it. The
# course's own is `coursekit.data.image_folder.ImageFolder`.
#
# ✂ *50 minutes*
#
# ## 3. A DataLoader: from samples to batches
#
# A **DataLoader** (데이터로더) takes a Dataset and gives batches (배치): it chooses which samples, fetches them, and puts them together. 115 samples in batches of
# 16 are 115 / 16 = 7.19, so 8 batches, the last of 3 pictures. `drop_last=True` would leave it out.
#
# Putting together is called **collate** (묶기). Without being told otherwise it stacks, and pictures of different sizes cannot be stacked:

# %%
try:
    next(iter(DataLoader(signs, batch_size=16)))
except RuntimeError as error:
    print("RuntimeError:", str(error).split("\n")[0][:120])

# %% [markdown]
# Two cures. One: give a `collate_fn` that knows how, such as `make_batch` of 01, which pads.


# %%
def padded(samples):
    images, labels = zip(*samples)
    return make_batch(list(images)), torch.tensor(labels)


images, found = next(iter(DataLoader(signs, batch_size=16, collate_fn=padded)))
print("padded: ", tuple(images.shape), tuple(found.shape))

# %% [markdown]
# Two: make all pictures the same size while they are loaded. That is the work of a **transform** (변환): any function of an image. torchvision has many, and your
# own is a function, or an object with `__call__` if it needs settings. GTSRB's pictures have a margin of about 10 % around each sign; this one cuts it off:


# %%
class WithoutMargin:
    """An own transform: cut a share of the picture off at each side."""

    def __init__(self, share):
        self.share = share

    def __call__(self, image):
        height, width = image.shape[1:]
        y, x = round(height * self.share), round(width * self.share)
        return image[:, y : height - y, x : width - x]


# %%
to_32 = v2.Compose([WithoutMargin(0.1), v2.Resize([32, 32], antialias=True)])  # one after the other
signs = FolderDataset(folder, to_32)
loader = DataLoader(signs, batch_size=16)
images, found = next(iter(loader))
print("resized:", tuple(images.shape), images.dtype, tuple(found.shape), " batches in an epoch:", len(loader))

# %% [markdown]
# ### Shuffle
#
# The samples lie class by class.

# %%
predict("04.q2", "Batches of 16, not shuffled. How many of the six classes are in the first batch?", ["one", "two", "four", "all six"])

# %%
print("first batch as it lies:   ", found.tolist())
generator = torch.Generator().manual_seed(0)
shuffled = DataLoader(signs, batch_size=16, shuffle=True, generator=generator)
print("first batch, shuffled:    ", next(iter(shuffled))[1].tolist())

# %%
here = len(found.unique())
reveal("04.q2", answer={1: 0, 2: 1, 4: 2, 6: 3}[here], because=f"{here}: the {int((found == 0).sum())} bends, then no-entry signs.")
assert here == 2

# %% [markdown]
# A step with such a batch pulls the network towards two classes, the next step towards two others (03: the gradient of a batch stands for the whole set only if the batch is a
# *random* sample of it). So training shuffles, in every epoch anew. Evaluation need not.
#
# The **generator** makes it repeatable: the same seed, the same order. Without one it is drawn from torch's global dice.

# %%
orders = [next(iter(DataLoader(signs, 8, shuffle=True, generator=torch.Generator().manual_seed(seed))))[1].tolist() for seed in (1, 1, 2)]
print("seed 1:", orders[0], "\nseed 1:", orders[1], "\nseed 2:", orders[2])
assert orders[0] == orders[1] != orders[2]

# %% [markdown]
# ### Workers, and their dice
#
# Opening and decoding files takes time, and meanwhile the network waits. `num_workers=2` starts two processes that prepare batches ahead. Each of them works on a **copy** of the
# data set. Now think of a data set that changes its pictures at random, with dice of its own:


# %%
class Flickering(Dataset):
    """Sample i is i plus random light, drawn from a generator that belongs to the data set."""

    def __init__(self):
        self.dice = np.random.default_rng(0)

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return index, int(self.dice.integers(0, 100))


# %%
predict(
    "04.q3",
    "Two workers take turns with the batches. What about the light in worker 0's first batch and in worker 1's first batch?",
    ["different, it is random", "the same numbers in both", "the second worker gets no light"],
)

# %%
original = Flickering()
workers = [copy.deepcopy(original) for _ in range(2)]  # what a DataLoader does, without starting processes
print("worker 0, samples 0 to 3:", [workers[0][i] for i in range(4)])
print("worker 1, samples 4 to 7:", [workers[1][i] for i in range(4, 8)])

# %%
fresh = [copy.deepcopy(original) for _ in range(2)]
assert [fresh[0][i][1] for i in range(4)] == [fresh[1][i][1] for i in range(4)]
reveal(
    "04.q3",
    answer=1,
    because="a copy of the dice falls like the original. In the next epoch the workers are new copies: the same light again.",
)

# %% [markdown]
# Nobody notices: the pictures *look* random, there is only half as much variety. Three cures:
#
# - **Draw from torch's global generator** (`torch.rand` without `generator=`). A DataLoader gives each worker a seed of its own, base seed + number of the worker, and a new base seed
#   in each epoch. NumPy's old global dice (`np.random.rand`) are seeded along with it since torch 1.9; before, many projects had this bug and did not know.
# - `worker_init_fn=f`: `f(number)` runs in each worker at its start. There, `torch.initial_seed()` tells the worker's seed; make your own dice from it.
# - Make the dice **from (seed, epoch, index)**, whoever the worker is. Then a sample looks the same with 0, 2 or 8 workers and after a resumed training.
#   The course's own loader does this (`coursekit.data.loader`):

# %%
from coursekit.data.loader import derive_seed

for epoch in (0, 1):
    print(f"epoch {epoch}: seeds of samples 0, 1, 2:", [derive_seed(0, epoch, index) % 1000 for index in range(3)], "(last three digits)")

# %% [markdown]
# ### What do workers bring, and what does caching?
#
# The same small JPEG photographs, four ways: loaded in this process, by one worker, by two, and **cached** (캐시): decoded and resized once, kept in memory as uint8 tensors.
#
# How much memory is that? By hand, for 50,000 pictures of 3 x 64 x 64: 50,000 · 12,288 bytes = 614 MB. It often fits.

# %%
predict("04.q4", "One epoch. What is fastest?", ["no workers", "one worker", "two workers", "cached tensors"])

# %%
photo = torch.from_numpy(photographs.astronaut().copy()).permute(2, 0, 1)  # (3, 512, 512)
generator = torch.Generator().manual_seed(0)
for i in range(at(smoke=16, quick=128, full=256)):
    y, x = torch.randint(0, 193, (2,), generator=generator).tolist()
    save_picture(photo[:, y : y + 320, x : x + 320], desk / "photographs" / "all" / f"{i:05d}.jpg", quality=90)


def seconds(loader):
    """One epoch: every batch is fetched, and nothing is done with it."""
    began = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - began


# %%
# ImageFolder and not your class: on Windows and macOS a worker starts as a new program, and can only find classes that it can import
jpegs = ImageFolder(desk / "photographs", transform=v2.Resize([64, 64], antialias=True))
took = {
    f"{n} worker{'s' if n != 1 else ''}": seconds(DataLoader(jpegs, batch_size=16, num_workers=n))
    for n in at(smoke=(0,), quick=(0, 1, 2), full=(0, 1, 2))
}
cached = TensorDataset(torch.stack([image for image, _ in jpegs]), jpegs.labels)
took["cached"] = min(seconds(DataLoader(cached, batch_size=16)) for _ in range(3))
for name, value in took.items():
    print(f"{name:>10}: {value * 1000:7.1f} ms an epoch, {len(jpegs) / value:8.0f} pictures a second")

# %%
speedup = took["0 workers"] / took["cached"]
band("cached tensors against decoding each time, times faster", speedup, at_least=3)
quickest = min(took, key=took.get)
reveal(
    "04.q4",
    answer={"0 workers": 0, "1 worker": 1, "2 workers": 2, "cached": 3}[quickest],
    because=f"{quickest}: {speedup:.0f} times as fast as decoding.",
)

# %% [markdown]
# > **Myth**: *"more workers are faster."* Starting a process costs time as well, in every epoch (`persistent_workers=True` keeps them), and their pictures must come back through shared
# > memory. With so few pictures that may cost more than it brings; look at your own numbers above. Workers pay off where an epoch takes minutes and cores are idle.
#
# What fits in memory is decoded once. What does not fit gets workers. Measure first: if an epoch with an empty loop takes a tenth of your training, the loader is not your problem.
#
# ✂ *50 minutes*
#
# ## 4. Three sets: who learns, who chooses, who judges
#
# | set | who uses it | how often |
# |---|---|---|
# | **training** (학습 세트) | the optimiser, for the weights | every step |
# | **validation** (검증 세트) | *you*: learning rate, architecture, when to stop | every epoch, every idea |
# | **test** (시험 세트) | whoever wants to know how good the final model is | once, at the end |
#
# Everybody understands why there must be a set that was not trained on. But why two? Because **choosing is learning too**. Suppose 200 models that know nothing at all: each
# flips a coin for each picture of two classes. You validate them on 50 pictures and keep the best.

# %%
predict(
    "04.q5",
    "200 coin flippers, 50 validation pictures. What is the validation accuracy of the best?",
    ["about 50 %", "about 60 %", "about 70 %", "about 90 %"],
)

# %%
generator = torch.Generator().manual_seed(0)
right = torch.randint(0, 2, (200, 2050), generator=generator).float()  # (models, pictures): 1 where the coin happens to be right
on_val, on_test = right[:, :50].mean(dim=1), right[:, 50:].mean(dim=1)
best = int(on_val.argmax())
print(f"the best of 200 on validation: {on_val[best]:.2f}; the same model on 2,000 test pictures: {on_test[best]:.2f}")

# %%
edges = torch.tensor([0.55, 0.65, 0.80])
reveal(
    "04.q5",
    answer=int((on_val[best] > edges).sum()),
    because=f"{on_val[best]:.0%} on the pictures that chose it, {on_test[best]:.0%} on others.",
)
band("best coin flipper, on the validation set that chose it", on_val[best], at_least=0.62)
band("the same on the test set", on_test[best], at_least=0.45, at_most=0.55)

# %% [markdown]
# Nothing was trained, and 50 pictures were used up all the same. So: choose on validation, report on test, and look at the test set *once*. Whoever goes back after looking and changes
# something has a second validation set and no test set.
#
# ### Stratified
#
# Our colleague's folder has 40 stop signs and 4 parking signs. Hold out a fifth of the 115 pictures at random: is there a parking sign among the 23?

# %%
predict(
    "04.q6",
    "In how many of 1,000 random splits does the validation set have no parking sign at all?",
    ["about 1 %", "about 10 %", "about 40 %", "never"],
)

# %%
generator = torch.Generator().manual_seed(0)
parking = list(signs.classes).index("parking")
without = sum(parking not in labels[torch.randperm(len(labels), generator=generator)[:23]] for _ in range(1000)) / 1000
reveal("04.q6", answer=2 if without > 0.2 else 1, because=f"{without:.0%}. A class that is not there is not judged, and nobody tells you.")
band("share of random splits without a parking sign", without, at_least=0.35, at_most=0.46)

# %% [markdown]
# A **stratified split** (층화 분할) takes the share *of each class by itself*. By hand: ten labels, six A and four B, half of them held out. Half of six is three, half of four is two. So in a random
# order of the places, the first three A and the first two B that come are held out:

# %%
ten = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
order = torch.tensor([9, 2, 7, 6, 0, 4, 1, 8, 5, 3])
print("order of places:", order.tolist(), "\nlabels in it:   ", ["AB"[k] for k in ten[order]])
show_split(
    {
        "at random, the first 5 of the order: 2 A, 3 B": (ten, order[:5]),
        "stratified, the first 3 A and the first 2 B": (ten, [2, 0, 4, 9, 7]),
    },
    "AB",
    "Half is held out",
)

# %% [markdown]
# At random, three of the four B are held out, and one is left to learn from. With another order none may be held out.
#
# ### Exercise: stratified_split
# *difficulty 3 of 5 · importance 5 of 5 · about 25 minutes*
#
# Randomness comes in from outside, as `order`: so the same order gives the same split, for you and for us. Three rules:
#
# 1. Of each class the first `round(share * count)` *in the order of `order`* are held out.
# 2. Of a class of two or more at least one is held out, and at least one stays. Of a class of one nothing is held out.
# 3. Both results are places from small to large.
#
# | class | count | share 0.1 | held out |
# |---|---|---|---|
# | A | 3 | 0.3, rounded 0 | 1 (rule 2) |
# | B | 20 | 2 | 2 |
# | C | 1 | 0.1 | 0 (rule 2) |


# %% exercise="04.stratified_split"
def stratified_split(labels: Tensor, share: float, order: Tensor) -> tuple[Tensor, Tensor]:
    """labels (N,), order (N,): the places 0 to N - 1 in random order -> (training places, held-out places), each sorted."""
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    ### BEGIN SOLUTION
    for label in labels.unique():
        places = order[labels[order] == label]  # of this class, in the random order
        count = max(1, round(share * len(places)))
        held_out[places[: min(count, len(places) - 1)]] = True
    return (~held_out).nonzero().flatten(), held_out.nonzero().flatten()
    ### END SOLUTION


stratified_split = check("04.stratified_split", stratified_split)

# %% [markdown]
# Three sets are two splits. **Careful**: the second one answers with places *within the rest*. `rest[train]` turns them back into places of the whole set. Forgetting that
# raises no error, and puts test pictures into the training set.

# %%
generator = torch.Generator().manual_seed(0)
rest, test = stratified_split(labels, 0.2, torch.randperm(len(labels), generator=generator))
train, val = stratified_split(labels[rest], 0.25, torch.randperm(len(rest), generator=generator))
train, val = rest[train], rest[val]
assert torch.equal(torch.cat([train, val, test]).sort().values, torch.arange(len(labels))), "every picture is in exactly one set"
parts = {"train": train, "val": val, "test": test}
show_balance(
    {name: torch.bincount(labels[places], minlength=6).tolist() for name, places in parts.items()}, signs.classes, "Each class in each set"
)

# %% [markdown]
# Every class is everywhere. And you see at once what this test set can *not* tell: of `parking` it has one picture. Its accuracy on parking signs will be 0 % or 100 %.
#
# ## 5. Leakage: the accuracy that lies
#
# **Leakage** (데이터 누출) is when the test set knows something of the training set that the world will not. The GTSRB, the best known data set of traffic signs, was filmed from a car: of
# each sign there are **30 frames**, one after the other. Here is a set made in the same way: signs of the 16 classes of the course, and several frames of each.

# %%
frames = at(smoke=4, quick=10, full=30)
many = at(smoke=32, quick=64, full=64)
generator = torch.Generator().manual_seed(0)
street, sign_of = sign_tracks(SignCrops(many, seed=40, size=40, difficulty="hard"), frames, 32, generator)
print("images", tuple(street.images.shape), "labels", tuple(street.labels.shape), "which sign", sign_of[: frames + 2].tolist(), "...")
rows = {f"sign {k}: {street.classes[street.labels[sign_of == k][0]]}": list(street.images[sign_of == k][:12]) for k in range(5)}
contact_sheet(rows, "Five signs, frame by frame", tile=64, ylabel="", xlabel="frame")

# %% [markdown]
# The simplest classifier that there is remembers everything: the **nearest neighbour** (최근접 이웃). It answers with the label of the training picture that is most alike. It has no idea what a
# sign is.


# %%
def accuracy(train, test):
    """Of the nearest-neighbour classifier: how many test pictures get their own label."""
    found = nearest(street.images[train], street.images[test])
    return float((street.labels[train][found] == street.labels[test]).float().mean())


# %% [markdown]
# We hold out a fifth of the *pictures* and measure; then a fifth of the *signs*, each with all its frames.

# %%
predict(
    "04.q7",
    "Split by picture, the accuracy is high. Split by sign it is ...",
    ["about the same", "a little lower, by less than 0.1", "lower by 0.1 to 0.3", "lower by more than 0.3"],
)

# %% [markdown]
# ### Exercise: group_split
# *difficulty 2 of 5 · importance 5 of 5 · about 15 minutes*
#
# `groups[i]` says which sign picture i shows; `order` holds the different signs in random order. The first `round(share * number of groups)` of them are held out, at least one, and
# at least one stays. All pictures of a sign go to the same side.
#
# | groups | order | share | held-out groups | held-out places |
# |---|---|---|---|---|
# | 0 0 0 1 1 1 2 2 2 | 2 0 1 | 1/3 | 2 | 6 7 8 |
#
# `torch.isin(values, some)` asks of each value whether it is among some.


# %% exercise="04.group_split"
def group_split(groups: Tensor, share: float, order: Tensor) -> tuple[Tensor, Tensor]:
    """groups (N,), order (G,): the different groups in random order -> (training places, held-out places), each sorted."""
    ### BEGIN SOLUTION
    count = max(1, round(share * len(order)))
    held_out = torch.isin(groups, order[: min(count, len(order) - 1)])
    return (~held_out).nonzero().flatten(), held_out.nonzero().flatten()
    ### END SOLUTION


group_split = check("04.group_split", group_split)

# %%
by_picture, by_sign = [], []
for seed in range(3):
    generator = torch.Generator().manual_seed(seed)
    train, test = stratified_split(street.labels, 0.2, torch.randperm(len(street), generator=generator))
    by_picture.append(accuracy(train, test))
    train_signs, test_signs = group_split(sign_of, 0.2, torch.randperm(many, generator=generator))
    by_sign.append(accuracy(train_signs, test_signs))
print("split by picture:", [f"{value:.2f}" for value in by_picture], " split by sign:", [f"{value:.2f}" for value in by_sign])
show_scores(
    {"split by picture": by_picture, "split by sign": by_sign}, "One classifier, one set, two ways to split", chance=1 / len(street.classes)
)

# %%
gap = np.mean(by_picture) - np.mean(by_sign)
reveal(
    "04.q7",
    answer=sum(gap > edge for edge in (0.03, 0.1, 0.3)),
    because=f"{np.mean(by_picture):.2f} against {np.mean(by_sign):.2f}, mean of 3 seeds.",
)
band("split by picture", np.mean(by_picture), at_least=0.85)
band("split by sign", np.mean(by_sign), at_most=0.5)

# %% [markdown]
# Which of the two will a driver experience? The second: no car will meet *our* signs. The first number is no property of the classifier. It says how well we remember what we have seen.
# And see how far apart the dots on the right lie: 13 signs are few, so the honest number is an uncertain one. Many frames of them only *look* like many pictures.
#
# Where do the answers on the left come from?

# %%
asked = test[torch.linspace(0, len(test) - 1, 8).long()]
found = train[nearest(street.images[train], street.images[asked])]
same = [bool(sign_of[a] == sign_of[b]) for a, b in zip(asked, found)]
words = ["the same sign" if s else "another sign" for s in same]
show_neighbours(
    street.images[asked],
    street.images[found],
    (street.labels[asked] == street.labels[found]).tolist(),
    "Split by picture: every answer is a twin",
    words,
)

# %% [markdown]
# ### Where does the group stand?
#
# In GTSRB it stands in the file's name: `00003_00012.ppm` is frame 12 of track 3. One trap: its readme says that files *of one class* with the same track number show one sign. The numbers begin
# again in each class, so a group is (class, track), not the track alone.

# %%
names = ["stop/00003_00012.ppm", "stop/00003_00013.ppm", "yield/00003_00000.ppm"]
tracks = [(path.split("/")[0], path.split("/")[1].split("_")[0]) for path in names]
print(tracks, "->", len(set(tracks)), "groups; by the number alone there would be", len({track for _, track in tracks}))

# %% [markdown]
# | leak | how it happens | what keeps it out |
# |---|---|---|
# | frames of one film, slices of one patient, photographs of one afternoon, writing of one person | split by picture | split by group |
# | near-duplicates (근접 중복) | collected twice, cropped, resaved. Barz and Denzler (2020) found twins in training of 3.3 % of CIFAR-10's test pictures, and of 10 % of CIFAR-100's | search for nearest pairs across the splits, and look |
# | augmented copies | augment first, split after | split first |
# | statistics of all pictures | normalise first, split after | fit on training only (next) |
# | the test set chooses | the tenth look at the test set | a validation set |
# | time | train on May, test on April | test on what came later |
#
# The digits leak too: scikit-learn's 1,797 were written by 13 people (they are the *test* part of a set whose training part 30 other people wrote). Every split by picture, ours in
# `labelled_images` too, has each hand on both sides. It is stated in their data card below.
#
# ### Statistics leak as well
#
# A **preprocessor** (전처리기) that learns something from data, such as the mean and the standard deviation of 01, has a `fit`, as a model has. And it may fit on the training set only.
#
# ### Exercise: standardise, repaired
# *difficulty 1 of 5 · importance 4 of 5 · about 5 minutes*
#
# A colleague "saved a line" and fitted on everything that was there. It runs, and its pictures look right. Find the line and mend it. What stays as it is: one mean and one spread for each channel, and a
# channel that never changes has a spread of 1.


# %% exercise="04.standardise"
def standardise(train: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """(N, C, H, W) and (M, C, H, W) uint8 -> both as float, by mean and spread of the training set."""
    ### BEGIN SOLUTION
    fitted = train / 255
    ### STUDENT
    # fitted = torch.cat([train, other]) / 255
    ### END SOLUTION
    std, mean = torch.std_mean(fitted, dim=(0, 2, 3), correction=0)  # (C,) each
    std = torch.where(std > 0, std, 1.0)
    return normalise(train, mean, std), normalise(other, mean, std)


standardise = check("04.standardise", standardise)

# %%
inputs, others = standardise(street.images[train_signs], street.images[test_signs])
print(
    "training set: mean",
    [round(v, 3) for v in inputs.mean(dim=(0, 2, 3)).tolist()],
    " spread",
    [round(v, 3) for v in inputs.std(dim=(0, 2, 3)).tolist()],
)
print(
    "test set:     mean",
    [round(v, 3) for v in others.mean(dim=(0, 2, 3)).tolist()],
    " spread",
    [round(v, 3) for v in others.std(dim=(0, 2, 3)).tolist()],
)
assert inputs.mean().abs() < 0.01

# %% [markdown]
# The test set does *not* come out with mean 0, and that is right: it is somewhat darker or brighter than what was trained on, and the model must cope with that, as it will have to outside.
#
# In a project a preprocessor is an object: `fit` once, on the training set, keep what it learnt with the model, and from then on it is a transform like any other.


# %%
class Standardiser:
    """An own preprocessor. `fit` learns a mean and a spread for each channel; calling it uses them."""

    def fit(self, images):
        self.mean, self.std = channel_statistics(images)
        return self

    def __call__(self, image):
        return normalise(image, self.mean, self.std)


standardiser = Standardiser().fit(torch.stack([signs[i][0] for i in parts["train"].tolist()]))
ready = FolderDataset(folder, v2.Compose([to_32, standardiser]))
image, label = ready[int(parts["test"][0])]
print("a test picture, ready for a network:", tuple(image.shape), image.dtype, "mean", round(image.mean().item(), 2))

# %% [markdown]
# Does this leak matter? Compare the numbers that were fitted:

# %%
for name, fitted in (
    ("the training set", street.images[train_signs]),
    ("both sets", torch.cat([street.images[train_signs], street.images[test_signs]])),
):
    print(f"fitted on {name}: mean", [round(v, 3) for v in (fitted / 255).mean(dim=(0, 2, 3)).tolist()])

# %% [markdown]
# A change in the second or third decimal. One mean over a million pixels tells next to nothing about any one picture. It matters where a preprocessor learns *much* from *few* pictures. An extreme case:
# 80 pictures of pure noise, labels by coin, so that nobody can do better than 50 %. The preprocessor keeps the 20 pixels (of 1,000) in which the two classes differ most.

# %%
predict(
    "04.q8",
    "Pixels chosen on all 80 pictures, then split in two halves, trained and tested. What accuracy?",
    ["50 %", "about 60 %", "about 80 % or more"],
)


# %%
def noise_experiment(seed, leak):
    """Accuracy on 40 pictures of noise, by the nearest of two class means; the pixels are chosen with or without looking at those 40."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(80, 1000, generator=generator)
    coin = torch.arange(80) % 2  # every second one is heads, and has nothing to do with the noise
    known = slice(0, 80) if leak else slice(0, 40)
    difference = noise[known][coin[known] == 1].mean(dim=0) - noise[known][coin[known] == 0].mean(dim=0)
    chosen = noise[:, difference.abs().topk(20).indices]
    means = torch.stack([chosen[:40][coin[:40] == k].mean(dim=0) for k in (0, 1)])
    return float((torch.cdist(chosen[40:], means).argmin(dim=1) == coin[40:]).float().mean())


# %%
runs = range(at(smoke=2, quick=40, full=100))
leaking, honest = ([noise_experiment(seed, leak) for seed in runs] for leak in (True, False))
reveal(
    "04.q8",
    answer=2 if np.mean(leaking) > 0.7 else 1,
    because=f"{np.mean(leaking):.0%} of pure noise. Chosen on the training half alone: {np.mean(honest):.0%}.",
)
band("noise, pixels chosen on everything", np.mean(leaking), at_least=0.75)
band("noise, pixels chosen on the training half", np.mean(honest), at_least=0.45, at_most=0.55)

# %% [markdown]
# That is how a laboratory finds a "signal" in nothing (Hastie, Tibshirani and Friedman, *The Elements of Statistical Learning*, section 7.10.2, warn of this very experiment). The rule that covers all
# of it: **split first. Whatever is computed from data, compute it from the training set.**
#
# ✂ *50 minutes*
#
# ## 6. Rare classes
#
# Forty stop signs, four parking signs. A network that never says "parking" is right in 111 of 115 cases. There are two simple remedies, and both need the same numbers.
#
# **Class weights** (클래스 가중치): a mistake with a rare class costs more. With n samples, k classes and `count` samples of a class its weight is **n / (k · count)**. By hand, for six A and four B:
#
# | class | count | n / (k · count) | all of its samples together |
# |---|---|---|---|
# | A | 6 | 10 / (2 · 6) = 0.83 | 6 · 0.83 = 5 |
# | B | 4 | 10 / (2 · 4) = 1.25 | 4 · 1.25 = 5 |
#
# Both classes together weigh the same, and the mean over all ten samples is (5 + 5) / 10 = 1, so the loss stays as large as it was.
#
# ### Exercise: class_weights
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# A class that does not occur gets weight 0, and is not counted in k. `torch.bincount(labels, minlength=num_classes)` counts.


# %% exercise="04.class_weights"
def class_weights(labels: Tensor, num_classes: int) -> Tensor:
    """labels (n,), at least one -> (num_classes,) float: n / (k * count), k classes that occur; 0 where there is none."""
    ### BEGIN SOLUTION
    count = torch.bincount(labels, minlength=num_classes)
    occurs = count > 0
    weights = len(labels) / (occurs.sum() * count.clamp(min=1))
    return torch.where(occurs, weights, 0.0)
    ### END SOLUTION


class_weights = check("04.class_weights", class_weights)

# %%
weights = class_weights(labels, len(signs.classes))
for name, count, weight in zip(signs.classes, torch.bincount(labels).tolist(), weights.tolist()):
    print(f"{name:>10}: {count:>3} pictures, each weighs {weight:.2f}, together {count * weight:.1f}")
print("mean over all samples:", round(weights[labels].mean().item(), 4))
loss_function = torch.nn.CrossEntropyLoss(weight=weights)  # this is how the loss of 02 takes them

# %% [markdown]
# **A weighted sampler** (가중 샘플러): show rare classes more often. Each draw picks a sample with a probability in proportion to its weight, *with replacement*: the same picture may come again.

# %%
generator = torch.Generator().manual_seed(0)
sampler = WeightedRandomSampler(weights[labels], num_samples=at(smoke=60, quick=1200, full=1200), replacement=True, generator=generator)
places = torch.tensor(list(sampler))  # which samples are shown, one after another
drawn = labels[places]
shares = {"as they lie": torch.bincount(labels) / len(labels), "weighted sampler": torch.bincount(drawn, minlength=6) / len(drawn)}
show_balance(
    {name: [round(100 * v, 1) for v in share.tolist()] for name, share in shares.items()},
    signs.classes,
    "What training sees",
    "percent of the samples drawn",
)

# %%
band("rarest class among the samples drawn (even: 0.167)", shares["weighted sampler"].min(), at_least=0.12)
times = Counter(places.tolist())
print("the four parking signs were drawn", sorted(times[i] for i in (labels == parking).nonzero().flatten().tolist()), "times each")

# %% [markdown]
# Even shares, and still four pictures. Neither remedy makes new information: a network that sees a picture fifty times an epoch learns it by heart (08 measures that). Use *one* of the two, not both, or the
# rare class counts twice. And never touch validation and test: they should be as the world is. Whether accuracy is the right number then is the question of 06.
#
# ## 7. Where labels live
#
# | labels in | looks like | good for | beware |
# |---|---|---|---|
# | the file's **name** | `speed_30_0007.png` | a quick start | `split("_")[0]` gives `speed`; renaming a file changes its label |
# | the **folder** | `speed_30/0007.png` | classes | one label a picture; the same picture in two folders |
# | a **table** (CSV) | `0007.png;61;58;3` | classes, boxes, anything | separators, the header, file names that do not match |
# | **XML**, one a picture (VOC) | `<xmin>28</xmin>` | boxes, edited by hand | counts from 1, both ends included |
# | **JSON**, one a split (COCO) | `"bbox": [27, 18, 60, 44]` | boxes, masks, crowds | ids with holes: COCO's 80 classes are numbered up to 90 |
# | **txt**, one a picture (YOLO) | `3 0.475 0.5 0.5 0.55` | training, quickly | names stand in another file; shares of a size that is not stated |
#
# A name and a table, read by hand:

# %%
name = "speed_30_0007.png"
print("from the name:", name.rpartition("_")[0], "  not:", name.split("_")[0])
table = "Filename;Width;Height;ClassId\n0007.png;61;58;3\n0008.png;40;41;0\n".splitlines()  # with semicolons, as GTSRB has it
print("from a table: ", {row["Filename"]: int(row["ClassId"]) for row in csv.DictReader(table, delimiter=";")})

# %% [markdown]
# ### The same ten boxes in three formats
#
# Four scenes with ten signs, written three times by the course's own writers (`coursekit.data.formats`).

# %%
BOXES = {"length": 4, "seed": 54, "size": 160}
for format in ("voc", "coco", "yolo"):
    write_signs(desk / format, format=format, **BOXES)
    print(
        f"{format:>4}:",
        ", ".join(
            sorted(p.relative_to(desk / format).as_posix() for p in (desk / format).rglob("*") if p.is_file() and p.suffix != ".png")
        ),
    )

# %%
first = sorted((desk / "voc" / "Annotations").glob("*.xml"))[0]
print("VOC", first.name)
print("\n".join(first.read_text().splitlines()[:20]), "\n...")
print("\nYOLO", first.stem + ".txt")
print((desk / "yolo" / "labels" / "train" / f"{first.stem}.txt").read_text())
print("COCO instances_train.json, from the first box on")
text = (desk / "coco" / "annotations" / "instances_train.json").read_text()
print(text[text.index('"annotations"') :][:240], "...")

# %% [markdown]
# ### Exercise: voc_to_yolo
# *difficulty 2 of 5 · importance 4 of 5 · about 15 minutes*
#
# VOC says which pixels are the object's first and last, **counted from 1**. The first pixel goes from 0 to 1. So in half-open pixels, as everywhere in this course, x1 = xmin - 1 and x2 = xmax.
# YOLO wants centre and size, as shares of the picture.
#
# By hand, in a picture 20 wide and 10 high:
#
# | xmin ymin xmax ymax | x1 y1 x2 y2 | centre | size | YOLO |
# |---|---|---|---|---|
# | 1 1 20 10 | 0 0 20 10 | (10, 5) | 20 x 10 | 0.5 0.5 1 1 |
# | 11 6 20 10 | 10 5 20 10 | (15, 7.5) | 10 x 5 | 0.75 0.75 0.5 0.5 |


# %% exercise="04.voc_to_yolo"
def voc_to_yolo(boxes: Tensor, width: int, height: int) -> Tensor:
    """(N, 4) whole numbers xmin, ymin, xmax, ymax of VOC -> (N, 4) float cx, cy, w, h as shares of the picture."""
    xmin, ymin, xmax, ymax = boxes.unbind(dim=1)
    ### BEGIN SOLUTION
    x1, y1 = xmin - 1, ymin - 1  # pixel 1 begins at 0
    cx, cy = (x1 + xmax) / 2 / width, (y1 + ymax) / 2 / height
    w, h = (xmax - x1) / width, (ymax - y1) / height
    return torch.stack([cx, cy, w, h], dim=1)
    ### END SOLUTION


voc_to_yolo = check("04.voc_to_yolo", voc_to_yolo)

# %% [markdown]
# Read the XML with six lines of Python, convert with your function, and compare with the txt file that our writer made on its own:

# %%
largest = 0.0
for xml in sorted((desk / "voc" / "Annotations").glob("*.xml")):
    root = ElementTree.parse(xml).getroot()
    width, height = (int(root.findtext(f"size/{side}")) for side in ("width", "height"))
    corners = [[int(box.findtext(side)) for side in ("xmin", "ymin", "xmax", "ymax")] for box in root.iter("bndbox")]
    ours = voc_to_yolo(torch.tensor(corners, dtype=torch.int64).reshape(-1, 4), width, height)
    lines = (desk / "yolo" / "labels" / "train" / f"{xml.stem}.txt").read_text().splitlines()
    theirs = torch.tensor([[float(word) for word in line.split()[1:]] for line in lines]).reshape(-1, 4)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    largest = max(largest, (ours - theirs).abs().max().item() if len(ours) else 0.0)
    print(xml.name, len(ours), "boxes")
print("largest difference of a number:", largest)

# %% [markdown]
# That was a clean file of our own. Files from elsewhere hold boxes without area, corners in the wrong order, sizes that are wrong, pictures turned by EXIF. A reader for daily use must fix or
# report each of them; `read_dataset` finds out the format and does. All three copies come back as the same ten boxes:

# %%
read = {format: read_dataset(desk / format) for format in ("voc", "coco", "yolo")}
boxes = {format: torch.from_numpy(np.concatenate([record.boxes for record in found.images])) for format, found in read.items()}
kinds = {format: np.concatenate([record.labels for record in found.images]).tolist() for format, found in read.items()}
for format in ("voc", "coco", "yolo"):
    print(f"{format:>4}: {tuple(boxes[format].shape)}, farthest from VOC's: {(boxes[format] - boxes['voc']).abs().max():.6f} pixels")
    assert kinds[format] == kinds["voc"]
assert len(boxes["voc"]) == 10
assert torch.equal(boxes["coco"], boxes["voc"])
torch.testing.assert_close(boxes["yolo"], boxes["voc"], rtol=0, atol=1e-3)

# %% [markdown]
# In a terminal: `coursekit data check FOLDER` reads any of them and reports what is wrong, before a training does.
#
# ✂ *50 minutes*
#
# ## 8. Label ten pictures yourself
#
# Somebody has drawn every box that you will ever train on. Do it for ten pictures; it takes ten minutes, and you will never again think of labels as free or exact. First the **rules**
# (레이블링 지침), in writing, because the eleventh question is always "and what about *this* one?":
#
# 1. The box touches the sign's outermost painted pixels on all four sides. No margin, nothing cut off.
# 2. Where something stands in front of a sign, the box goes around the whole sign as you know it to be.
# 3. A sign that the picture's edge cuts: the box ends at the edge.
# 4. Things that only look like signs get no box.
# 5. A picture without a sign is marked *no object here*. That is an answer, too. A picture nobody looked at is none.

# %%
ten_scenes = SignScenes(10, seed=31, size=192, classes=["stop", "yield", "no_entry", "parking"], most=2, smallest=34)
mine = Path("my_labels")  # beside this notebook, so that it is there tomorrow
paths = [save_picture(ten_scenes[i][0], mine / "to_label" / f"scene_{i}.png") for i in range(10)]
session = Session.load(mine) if (mine / "session.json").is_file() else Session(paths, ten_scenes.classes)
label_pictures(session, mine)

# %% [markdown]
# Move the two sliders until the dashed box fits, choose the class, press **add box**; **next** goes on. **save** writes two data sets, `my_labels/voc` and `my_labels/yolo`, with the pictures, and
# the session itself: run the cell again tomorrow, and you go on where you saved. Then run the cells below (again). Where nobody labels, as in a test of this notebook, a machine
# pretends to have a hand: it takes the truth and misses each edge by up to 3 pixels.


# %%
def pretended_hand(session, scenes, generator, miss=3):
    """Label every picture as somebody would who misses each edge by up to `miss` pixels."""
    for i in range(len(session)):
        session.go(i - session.place)
        target = scenes[i][1]
        if not len(target["boxes"]):
            session.confirm_empty()
        for box, label in zip(target["boxes"], target["labels"].tolist()):
            off = torch.randint(-miss, miss + 1, (4,), generator=generator)
            session.add((box + off).clamp(0, scenes.size).tolist(), label)


by_hand = any(session.done)
labelled = session if by_hand else Session(paths, ten_scenes.classes)  # the session of the buttons above stays as you left it
if not by_hand:
    pretended_hand(labelled, ten_scenes, torch.Generator().manual_seed(0))
session_sheet(labelled, "Labelled by you" if by_hand else "Labelled by a pretended hand")

# %%
places = labelled.save(desk / "labels")
for format, place in places.items():
    print(
        format,
        [path.relative_to(place).as_posix() for path in sorted(place.rglob("*")) if path.is_file() and path.suffix != ".png"][:4],
        "...",
    )
back = {format: read_dataset(place) for format, place in places.items()}
for format, found in back.items():
    print(f"{format}: {len(found)} pictures, {sum(map(len, found.images))} boxes, problems: {found.summary() or 'none'}")

# %% [markdown]
# How exact is a hand? Our scenes are drawn by a program that knows the truth to the pixel. The **IoU** (교집합 대 합집합 비율) of two boxes is what they share divided by what they cover together:
# 1 for the same box, 0 for two that do not touch. (13 takes it apart.)

# %%
agreement = []
for record in back["voc"].images:
    target = ten_scenes[record.image_id - 1][1]
    overlap = box_iou(torch.from_numpy(record.boxes), target["boxes"])  # (drawn, true)
    overlap = overlap * (torch.from_numpy(record.labels)[:, None] == target["labels"][None])  # another class is no match
    agreement += overlap.amax(dim=0).tolist() if len(record) else [0.0] * len(target["boxes"])
if agreement:
    print(f"{len(agreement)} signs: mean IoU of hand and truth {np.mean(agreement):.2f}, lowest {min(agreement):.2f}")
if not by_hand:
    band("mean IoU of a hand that misses by up to 3 pixels", np.mean(agreement), at_least=0.75, at_most=0.97)

# %% [markdown]
# Three pixels, and a tenth of the overlap is gone, on small signs more. No detector can be better than the labels it is judged by: remember that when 20 speaks of AP at an IoU of 0.95.
#
# ### What people use
#
# | tool | where it runs | writes |
# |---|---|---|
# | **LabelImg** | a small program on your computer; archived in 2024 and still in use | VOC XML, YOLO txt, CreateML JSON |
# | **CVAT** | a web server, yours or theirs; open source; teams, reviews, video | more than 30 formats: VOC, COCO, YOLO, Cityscapes, Open Images, its own XML |
# | **Label Studio** | a web server; open source; text and sound as well | JSON of its own, COCO, VOC, YOLO |
# | **Roboflow** | a web service; versions of a set, augmentation, sharing | COCO, VOC, YOLO, CreateML, CSV and others |
#
# All of them do what you just did, quicker: keys instead of buttons, boxes drawn with the mouse, a model that proposes. Two things to know: a service may keep or publish what you upload (read its terms
# before you send photographs of people), and Roboflow's documentation says that exported pictures are compressed. Keep your originals.
#
# Two people label the same hundred pictures, and you compare: that is **inter-annotator agreement** (주석자 간 일치도). It is the first number to ask for when somebody sells you labels.
#
# ## 9. Public data sets
#
# The course knows some by name: each has a card that says what it is, how large, and whose. `coursekit data list` prints them in a terminal, `coursekit data get NAME` fetches what may be fetched.

# %%
for card in CARDS:
    print(f"{card.title} ({card.name})\n    {card.task}, {card.classes} classes; {card.images}\n    licence: {card.licence}")

# %% [markdown]
# Read them by what they are *for*:
#
# - **ImageNet-1k** (1,281,167 training pictures, 1,000 classes): what networks are pretrained (사전 학습) on before they meet a task like yours (12). It is a part of all of ImageNet, called **22k**: 14,197,122 pictures in 21,841 classes. When a paper says
#   "pretrained on 22k", ten times the pictures went in.
# - **Pascal VOC** (9,963 pictures in 2007, 20 classes): small, clean, the XML that everybody still writes. **COCO** (118,287 training pictures, 80 classes): the ruler of detection since 2014; many small objects, crowds.
# - **Open Images** (1.7 million training pictures with boxes, 600 classes): large, but a class that nobody looked for in a picture is not boxed there. Missing is not absent.
# - **Cityscapes** (2,975 finely labelled training pictures): streets, each pixel labelled (22).
# - **GTSRB** (crops) and **GTSDB** (scenes): traffic signs, 43 classes, the real ones behind our generated signs. Project 24 can use them.
#
# **Licences** (라이선스), in three sentences. The labels and the pictures usually belong to different people: COCO's labels are CC BY 4.0, the pictures stay their Flickr authors'. "None stated" does not
# mean free: it means that nobody gave you a right. "Non-commercial" binds what you do with the data, and people argue about the models trained on it: ask before you build a product.
#
# <details><summary>Which of the sets above say that they are for non-commercial use only?</summary>
#
# ImageNet (research and education) and Cityscapes (research and teaching; not to be passed on).
# </details>
#
# ## 10. A data card
#
# All that you found out today is lost in a month, unless it is written down. A **data card** is one page: what, how much, whose, how split, what is wrong with it. What can be counted, the computer counts;
# what only a person knows, a person must write. First the colleague's folder with nobody's help:

# %%
card = data_card(folder, "signs of a colleague")
display(Markdown(card.to_markdown()))
print("not answered yet:", card.missing)

# %% [markdown]
# It found the twin and the grey picture. It did not find the no-entry sign among the stop signs, and it cannot know the licence. Here is the card of a set that you use in the next notebooks, with
# what we know of it:

# %%
splits = {split: labelled_images("digits", split) for split in ("train", "val", "test")}
digits_card = data_card(
    splits,
    name="digits",
    source="Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, test part; as copied in scikit-learn",
    licence="see archive.ics.uci.edu/dataset/80",
    split_by="at random within each class, 70 : 15 : 15 (labelled_images)",
    problems=[
        "13 writers, each on both sides of the split: scores for new writers will be lower",
        "8 x 8 pixels: a few cannot be told by people either",
    ],
)
display(Markdown(digits_card.to_markdown()))
assert not digits_card.missing

# %% [markdown]
# > **Your project, step 1 of 4: the data card.** Notebook 24 is a project on data of your own, and it is done in steps that begin here. Choose a set: your own folder, `my_labels/voc`, or a small set of the course,
# > `labelled_images("faces", split)`, `labelled_images("signs", split)`. Look at it as in section 1.
# >
# > *Write down*: where it comes from, what you may do with it, what was kept together when it was split, and everything that you saw when you looked.
# >
# > *Keep it*: the last line below does. Give it `"project"` instead of a folder that is thrown away, and it lies beside your notebooks, where 24 looks for it.

# %%
my_data = {split: labelled_images("faces", split) for split in ("train", "val", "test")}  # or a folder: "my_labels/voc"
my_card = data_card(
    my_data,
    name="faces",
    source="",  # who made it, when, how, of whom?
    licence="",  # what may you do with it?
    split_by="",  # what was kept together?
    problems=[],  # what did you see when you looked?
)
print("counted:", my_card.pictures, "· not answered yet:", my_card.missing or "nothing")
save_step("data_card", my_card.to_dict(), folder=desk / "project")  # for keeps: folder="project"

# %% [markdown]
# ## Summary
#
# - **Look first.** Sheets of pictures, both ends of every sorted list, duplicates by hash, doubtful labels by nearest neighbours. Some mistakes only eyes find.
# - A **Dataset** answers `len` and `[i]`; sort the names, skip what is hidden, convert to RGB. A **DataLoader** chooses, fetches and collates. Workers get copies, dice included.
# - What fits in memory is decoded **once**. Measure before you add workers.
# - Training learns, validation **chooses**, test judges once. Choosing is learning too.
# - **Split first**: stratified, so that every class is on both sides; by group, so that no twin is. Then fit everything on the training set alone.
# - Rare classes: weights n / (k · count) or a weighted sampler, one of the two, on training only.
# - Formats differ by one pixel and by what the four numbers are. Draw what you have loaded.
# - A **data card** says what, how much, whose, how split, and what is wrong.
#
# ### Do you still know?
#
# <details><summary>Your data set works for you and gives other labels on a colleague's computer. What is missing?</summary>
#
# `sorted`: a folder is listed in any order, and the order decides which label a class gets.
# </details>
#
# <details><summary>X-rays, several of each patient, split at random: 97 %. What do you ask for?</summary>
#
# A split by patient. Until then the number says how well patients are recognised again.
# </details>
#
# <details><summary>You compute mean and standard deviation, then split. Is the result worthless?</summary>
#
# With two numbers a channel over thousands of pictures: hardly touched. With a preprocessor that learns much from few pictures: worthless. So split first, always, and do not have to think about it.
# </details>
#
# <details><summary>8 A and 2 B. What are the class weights, and what do all B together weigh?</summary>
#
# A: 10 / (2 · 8) = 0.625, B: 10 / (2 · 2) = 2.5. All B: 2 · 2.5 = 5, as all A.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message, or symptom | what happened |
# |---|---|
# | `stack expects each tensor to be equal size` | pictures of different sizes: a transform that resizes, or a `collate_fn` |
# | `stack expects ... [1, 32, 32] ... [3, 32, 32]` | a grey picture among colour ones: `convert("RGB")` |
# | `Couldn't find any class folder`, `Found no valid file for the classes .ipynb_checkpoints` | torchvision's `ImageFolder` and a wrong or a hidden folder |
# | `cannot identify image file '.../._1.png'` | macOS's companion file: skip names with a dot |
# | `Can't get attribute 'FolderDataset' on <module '__main__'` | workers on Windows or macOS cannot find a class of the notebook: put it into a file |
# | `DataLoader worker (pid ...) is killed by signal` | out of memory, often shared memory: fewer workers, smaller batches |
# | `Target 6 is out of bounds` in the loss | labels counted from 1, or a class more than the network has outputs |
# | 99 % at once, 60 % outside | leakage. Find the group |
#
# ### Where to read more
#
# - [PyTorch: Datasets and DataLoaders](https://docs.pytorch.org/tutorials/beginner/basics/data_tutorial.html), and [torch.utils.data](https://docs.pytorch.org/docs/stable/data.html) for every argument, randomness in workers too
# - [scikit-learn: common pitfalls](https://scikit-learn.org/stable/common_pitfalls.html), with leakage in numbers
# - [Gebru and others: Datasheets for Datasets](https://arxiv.org/abs/1803.09010), the questions behind a data card
# - `coursekit/data/`: `image_folder.py`, `splits.py`, `labelling.py`, `data_card.py`, and the readers `voc.py`, `coco.py`, `yolo.py`
#
# **Next**: 05 trains a network on these sets, with a loop that you write yourself.
