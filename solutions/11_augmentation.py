# %% [markdown]
# # 11 · Augmentation: the same sign, seen again
#
# A network that has seen eight photographs of a stop sign knows eight photographs. It does not know that a stop sign in the rain, a little to the
# left, half behind a leaf is still one. You know it, and you can tell the network, without taking a single new photograph: change the pictures
# in every way that *does not change the answer*. That is **augmentation** (데이터 증강). It is the cheapest accuracy there is, and the easiest
# to get wrong in silence, because a box that stays behind when its image moves raises no error.
#
# | you will learn | you will build |
# |---|---|
# | which changes keep the answer, and which destroy it | |
# | geometric changes, and boxes that follow | `hflip`, `crop_with_boxes` |
# | hiding a part, mixing two images, laying four together | `cutout`, `mixup`, `mosaic` |
# | photometric changes: light and colour | |
# | torchvision's and albumentations' forms of the same | |
# | what augmentation is worth on few images, and when it hurts | |
# | a bug that moves boxes away from their objects | `crop_and_flip`, repaired |
#
# **Time** 40 seconds of computing on two CPU cores at the quick level, three minutes in full; about two and a half hours of thinking, with marks (✂)
# for lessons of 50 minutes.
# **Before you start** you can train a classifier (05), read a gap between training and validation (08), and know what a convolution sees (07).

# %%
from coursekit.notebook import at, band, check, hint, predict, reveal, solution, start

start("11_augmentation")

# %%
import time

import torch
from skimage import data
from torch import Tensor, nn

from coursekit.data.albumentations import albumentations_transform, load_albumentations
from coursekit.data.batch_augment import AugmentBatch
from coursekit.data.labelled import labelled_images
from coursekit.data.photometric import adjust_colours
from coursekit.data.signs import SIGN_CLASSES, SignScenes
from coursekit.data.transforms import Augment
from coursekit.images import to_chw
from coursekit.models.layers import Pixels
from coursekit.plots.augmentation import drag_strength, show_boxed, show_by_strength, show_turned, turned_box
from coursekit.plots.images import show_boxes, show_images
from coursekit.plots.seeds import show_seeds
from coursekit.training.classifier import batches, evaluate, fit_classifier
from coursekit.training.device import choose_device

device = choose_device()

# %% [markdown]
# ### Before we begin: three questions about earlier notebooks
#
# <details><summary>08: Training accuracy 1.00, validation accuracy 0.70. What is it called, and what would more data do?</summary>
#
# Overfitting (과적합): the network knows the training images by heart. More data makes learning by heart harder, and the gap closes from both sides.
# </details>
#
# <details><summary>07: A sign moves three pixels to the right. What happens to the feature map of a convolution? And to an MLP's hidden layer?</summary>
#
# The feature map moves with it; the same kernel fires three pixels further. For the MLP it is an entirely new input.
# </details>
#
# <details><summary>04: On which of the three sets may you compute the mean and the standard deviation of the pixels?</summary>
#
# On the training set alone. The same goes for today: only training images are changed at random. Validation and test stay as they are.
# </details>
#
# ## 1. Eight photographs of each sign
#
# The generated traffic signs again: 16 classes, and only 8 images of each. That is what a first week of collecting often gives.

# %%
train = labelled_images("signs", "train", size=24, length=16 * 8)
test = labelled_images("signs", "test", size=24, length=at(smoke=32, quick=480, full=960))
print("train", tuple(train.images.shape), "  test", tuple(test.images.shape))
stops = train[train.labels == SIGN_CLASSES.index("stop")]
show_images(stops.images, [""] * len(stops), suptitle="All that the network will ever see of a stop sign", columns=8, size=1.2)


# %% [markdown]
# A small convolutional network, and the loop of notebook 05. Nothing is new here, so that nothing else can explain what we are about to see.


# %%
def make_network(channels: int = 3, classes: int = 16, seed: int = 0) -> nn.Sequential:
    """Three convolutions, each halving the map, then the mean over places and one linear layer."""
    torch.manual_seed(seed)
    layers, width = [Pixels(0.5, 0.25)], channels
    for after in (16, 32, 64):
        layers += [nn.Conv2d(width, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        width = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)).to(device)


def accuracy(network: nn.Module, data) -> float:
    return evaluate(network, batches(data, 256, device=device))["accuracy"]


# %%
epochs = at(smoke=1, quick=120, full=200)
plain = make_network()
rows = fit_classifier(plain, train, epochs=epochs, lr=3e-3, batch=32, seed=0)
plain_test = accuracy(plain, test)
print(f"training {rows[-1]['train/accuracy']:.2f}, test {plain_test:.2f}")

# %% [markdown]
# Every training image is right, and a good part of the test images is not. The network is large enough and the loop works. What it lacks is
# an idea of what may differ between two pictures of the same sign. So that is what we teach it.
#
# ## 2. What may change without changing the answer?
#
# | change | what it says to the network | kind |
# |---|---|---|
# | shift, zoom, small turn | *where it is, and how near, does not matter* | **geometric** (기하) |
# | mirror (좌우 반전) | *left and right do not matter* | geometric |
# | brightness, contrast, colour | *the weather does not matter* | **photometric** (색, 밝기) |
# | a grey patch over a part | *no single part is enough* | hiding |
# | two images over each other | *between two classes lies a bit of both* | mixing |
#
# Each row is a claim about the world, and you are the one who has to know whether it is true.

# %%
predict(
    "11.q1",
    "We mirror every training sign left to right. For which of these does the label become a lie?",
    ["no_entry", "stop", "keep_right", "none of them"],
)

# %%
names = ["no_entry", "stop", "keep_right", "bend"]
signs = [train[train.labels == SIGN_CLASSES.index(name)].images[0] for name in names]
show_images(signs + [sign.flip(2) for sign in signs], names + ["mirrored"] * 4, suptitle="Which of these is still the same sign?")

# %%
reveal(
    "11.q1",
    answer=2,
    because="mirrored, keep_right tells drivers to keep left. STOP becomes POTS in mirror writing: no driver ever meets it, "
    "but it is still no other sign. And the bend now begins to the other side: here both are one class, `bend`; "
    "where they are two, its label would be a lie as well.",
)

# %% [markdown]
# > **The rule.** A change is good if a person who sees only the changed picture would give the same label. Look at twenty of them and label them
# > yourself. If you hesitate, the network is being lied to.
#
# ## 3. Photometric: the weather
#
# Light is a factor on every pixel. **Contrast** (대비) is a factor on the distance from the mean. By hand, for a pixel of 200 in an image whose
# mean is 100: brightness 1.2 gives 240; contrast 0.5 gives 100 + 0.5 · (200 - 100) = 150. Saturation (채도) pulls a colour towards its grey, and
# hue (색상) turns it round the colour circle.

# %%
cat = to_chw(torch.from_numpy(data.chelsea().copy()))[:, 20:260, 100:340].contiguous()
settings = [
    {},
    {"brightness": 1.4},
    {"brightness": 0.6},
    {"contrast": 1.6},
    {"contrast": 0.4},
    {"saturation": 0.2},
    {"hue": 0.05},
    {"hue": 0.4},
]
titles = [", ".join(f"{name} {value}" for name, value in change.items()) or "as it was" for change in settings]
show_images(
    [adjust_colours(cat, **change) for change in settings], titles, suptitle="Photometric changes: no box would have to move", size=2.1
)

# %% [markdown]
# The last one turned the colours by 0.4 of the circle. For a cat it is silly; for traffic signs it is fatal, because blue *means* something else than
# red. So hue gets a small range (0.015 in our detector), light a large one (0.3).
#
# ## 4. Mirror, with boxes
#
# For a classifier a mirrored image is one call: `image.flip(2)`. A detector has boxes, and they must follow.
#
# Take an image 10 pixels wide, and a box from x = 2 to x = 5. In the mirror the point 2 lies at 10 - 2 = 8, and the point 5 at 10 - 5 = 5. So the
# box goes from **5 to 8**: what was its *right* edge has become its *left* one.
#
# | | x1 | x2 |
# |---|---|---|
# | before | 2 | 5 |
# | each point mirrored | 10 - 2 = 8 | 10 - 5 = 5 |
# | in order again | 5 | 8 |
#
# No minus one: pixels have numbers 0 to 9, but *edges* run from 0 to 10. A box over the whole image goes from 0 to 10 and must become itself.
#
# ### Exercise: hflip
# *difficulty 1 of 5 · importance 5 of 5 · about 10 minutes*


# %% exercise="11.hflip"
def hflip(image: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """uint8 (3, H, W) and boxes (N, 4) in xyxy pixels -> both mirrored left to right."""
    width = image.shape[2]
    ### BEGIN SOLUTION
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    return image.flip(2), torch.stack([width - x2, y1, width - x1, y2], dim=1)
    ### END SOLUTION


hflip = check("11.hflip", hflip)  # yours once it passes, ours until then

# %%
scenes = SignScenes(300, seed=11)
scene, target = scenes[7]
flipped, flipped_boxes = hflip(scene, target["boxes"])
titles = ["the scene", "mirrored", "mirrored, boxes forgotten"]
show_boxed([scene, flipped, flipped], [target["boxes"], flipped_boxes, target["boxes"]], titles, "No error is raised in the third one")

# %% [markdown]
# (The blue disc at the bottom has no box, and that is right: it only looks like a sign, and is of none of our classes.)
#
# The third picture is among the most common bugs in detection. Training runs, the loss falls (half of the images are right), and the detector
# is mediocre for ever. **Look at augmented images with their boxes** before you train. It costs a minute.
#
# The libraries do the same. torchvision's v2 transforms know what a box is when it is wrapped as one; albumentations takes boxes beside the image.
# (It is no longer maintained, and its successor is not free for every use, so our package keeps it behind one function.)

# %%
from torchvision import tv_tensors
from torchvision.transforms import v2

wrapped = tv_tensors.BoundingBoxes(target["boxes"], format="XYXY", canvas_size=scene.shape[1:])
theirs_image, theirs_boxes = v2.RandomHorizontalFlip(p=1.0)(tv_tensors.Image(scene), wrapped)
A = load_albumentations()  # `import albumentations as A`, without the look at the internet that it takes when imported
albu_image, albu_target = albumentations_transform([A.HorizontalFlip(p=1.0)])(scene, target, torch.Generator().manual_seed(0))

for name, other_image, other in (("torchvision v2", theirs_image, theirs_boxes), ("albumentations", albu_image, albu_target["boxes"])):
    print(
        f"{name}: same pixels {torch.equal(flipped, torch.as_tensor(other_image))}, boxes differ by {(flipped_boxes - other).abs().max():.0e}"
    )
    assert torch.equal(flipped, torch.as_tensor(other_image))
    torch.testing.assert_close(flipped_boxes, torch.as_tensor(other), atol=1e-3, rtol=0)

# %% [markdown]
# ✂ *50 minutes*
#
# ## 5. Crop, with boxes
#
# A **crop** (자르기) is a zoom and a shift in one. It asks three things of a box: move it, because the window's corner is the new (0, 0). Cut it, where
# it sticks out. And decide whether what is left is still an example.
#
# By hand: the window goes from (2, 1) to (10, 7), so it is 8 wide and 6 high. A box (0, 2, 8, 4):
#
# | step | box |
# |---|---|
# | as it was | (0, 2, 8, 4), area 16 |
# | minus (2, 1) | (-2, 1, 6, 3) |
# | cut at 0 and at 8 x 6 | (0, 1, 6, 3), area 12 |
# | share left | 12 / 16 = **0.75** |
#
# With `min_visible = 0.5` it stays, and its label with it. With 0.8 it goes. A sliver of a sign teaches the network that grey metal is a sign; but a
# dropped box around something that is plainly there teaches it that signs are background. Between a tenth and a half is usual.
#
# ### Exercise: crop_with_boxes
# *difficulty 3 of 5 · importance 5 of 5 · about 20 minutes*


# %% exercise="11.crop_with_boxes"
def crop_with_boxes(image: Tensor, boxes: Tensor, labels: Tensor, window: tuple, min_visible: float) -> tuple[Tensor, Tensor, Tensor]:
    """Cut out window (x1, y1, x2, y2), whole pixels. A box stays if at least min_visible of its area is left, and more than none.

    uint8 (3, H, W), (N, 4), (N,) -> uint8 (3, y2 - y1, x2 - x1), (M, 4) in its pixels, (M,), in the same order.
    """
    x1, y1, x2, y2 = window
    ### BEGIN SOLUTION
    moved = boxes - boxes.new_tensor([x1, y1, x1, y1])
    inside = moved.clamp(min=0).minimum(boxes.new_tensor([x2 - x1, y2 - y1, x2 - x1, y2 - y1]))
    before = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    left = (inside[:, 2:] - inside[:, :2]).clamp(min=0).prod(dim=1)
    stays = (left >= min_visible * before) & (left > 0)
    return image[:, y1:y2, x1:x2], inside[stays], labels[stays]
    ### END SOLUTION


crop_with_boxes = check("11.crop_with_boxes", crop_with_boxes)

# %%
windows = [(0, 0, 256, 256), (40, 40, 240, 240), (90, 60, 220, 190)]
cut = [crop_with_boxes(scene, target["boxes"], target["labels"], window, 0.5) for window in windows]
titles = [f"{window}: {len(boxes)} boxes" for window, (_, boxes, _) in zip(windows, cut, strict=True)]
show_boxed([c[0] for c in cut], [c[1] for c in cut], titles, "Three windows onto one scene")

# %% [markdown]
# ### A turned box is no box
#
# Turn an image by 20 degrees, and its boxes are turned rectangles. A box must be upright, so one takes the upright box around the four turned
# corners. It is never too small. But a sign does not reach into its box's corners, so the new box is too large.
#
# How much two boxes agree is their **IoU** (intersection over union, 13): the area that they share over the area that they cover together. 1 is the same
# box, 0 is none in common. By hand, for a square of side s turned by 45 degrees: the box around it has side s·√2, twice the area. A disc inside it needs
# only s · s, all of it shared: **IoU 0.5**.

# %%
predict(
    "11.q2",
    "A box of 60 x 40 is turned by 10 degrees. What is the IoU between the box around its corners and the one a round object needs?",
    ["0.98", "0.85", "0.75", "0.50"],
)

# %%
show_turned((0, 10, 20, 45))

# %%
from coursekit.boxes import box_iou

_, hull, tight = turned_box(10)
measured = box_iou(hull, tight).item()
choices = [0.98, 0.85, 0.75, 0.50]
nearest = min(range(4), key=lambda i: abs(choices[i] - measured))
reveal("11.q2", answer=nearest, because=f"measured: {measured:.2f}. At 20 degrees it is worse still, and AP75 (00) asks for 0.75.")

# %% [markdown]
# That is why detectors are trained with shifts and zooms, and with turns of a few degrees at most. A classifier has no such worry.
#
# ## 6. Hide a part: cutout
#
# If every stop sign in your data shows its white border, a network can learn the border and forget the rest. **Cutout** (컷아웃) paints a grey square
# over a random place in every epoch, so no single part is ever enough. (DeVries and Taylor 2017. The square may stick out over the edge, and the
# authors found that this matters: some images then stay nearly whole.)
#
# Where does a square of side 3 about row 0 begin? At 0 - 3 // 2 = **-1**. And here Python has a trap ready: `image[:, -1:2]` does not begin before
# the image. It counts from the other end, and is empty.

# %%
row = torch.arange(6)
print("row[-1:2] =", row[-1:2].tolist(), "   row[max(0, -1):2] =", row[max(0, -1) : 2].tolist())

# %% [markdown]
# ### Exercise: cutout
# *difficulty 2 of 5 · importance 3 of 5 · about 10 minutes*
#
# Work on a copy. An image that keeps its hole gets another one in the next epoch.


# %% exercise="11.cutout"
def cutout(image: Tensor, centre: tuple[int, int], side: int, fill: int) -> Tensor:
    """uint8 (C, H, W) -> a copy with a square painted in fill: side rows from y - side // 2, side columns from x - side // 2.

    centre is (y, x). What of the square lies outside the image is cut off.
    """
    ### BEGIN SOLUTION
    top, left = centre[0] - side // 2, centre[1] - side // 2
    image = image.clone()
    image[:, max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = fill
    return image
    ### END SOLUTION


cutout = check("11.cutout", cutout)

# %%
generator = torch.Generator().manual_seed(3)
places = torch.randint(stops.images.shape[-1], (8, 2), generator=generator).tolist()
holes = [cutout(stops.images[0], tuple(place), 12, 114) for place in places]
show_images(holes, [f"about {tuple(place)}" for place in places], suptitle="A hole of 12 pixels, somewhere else each time", size=1.6)

# %% [markdown]
# ✂ *50 minutes*
#
# ## 7. Mix two: mixup
#
# **Mixup** (믹스업, Zhang et al. 2017) lays two images over each other, and does the same with their labels. With 0.7 of a stop sign and 0.3 of a yield
# sign, the network should answer *0.7 stop, 0.3 yield*. Cross-entropy takes such a soft label (소프트 레이블) as it is: it is the sum over the classes of
# -target · log p.
#
# By hand, three classes, 0.7 of class 0 and 0.3 of class 2: target (0.7, 0, 0.3). And where both are of class 0: 0.7 + 0.3 = 1, so (1, 0, 0).
#
# ### Exercise: mixup
# *difficulty 2 of 5 · importance 3 of 5 · about 10 minutes*


# %% exercise="11.mixup"
def mixup(image1: Tensor, label1: int, image2: Tensor, label2: int, share: float, num_classes: int) -> tuple[Tensor, Tensor]:
    """Two uint8 (C, H, W) and their labels -> float (C, H, W) in 0..255, share of the first, and (num_classes,) probabilities."""
    ### BEGIN SOLUTION
    image = share * image1.float() + (1 - share) * image2.float()
    target = torch.zeros(num_classes)
    target[label1] += share
    target[label2] += 1 - share
    return image, target
    ### END SOLUTION


mixup = check("11.mixup", mixup)

# %%
first, second = signs[1], signs[2]
mixed = [mixup(first, 0, second, 1, share, 2) for share in (1.0, 0.7, 0.5, 0.3, 0.0)]
titles = [f"stop {target[0]:.1f}, keep_right {target[1]:.1f}" for _, target in mixed]
show_images([image / 255 for image, _ in mixed], titles, columns=5, suptitle="Pixels and labels, mixed by the same share", size=1.9)

# %% [markdown]
# Nobody meets such a picture on the road. It helps all the same on many data sets: it keeps the network from being *sure* in the empty space between
# the classes. In training the share is drawn anew for each batch, from a distribution that likes shares near 0 and 1 (Beta(0.2, 0.2) in the paper's
# ImageNet runs), so that most images stay almost what they are.
#
# ## 8. Four at once: mosaic
#
# A **mosaic** (모자이크, YOLOv4 2020) lays four images around a random centre, each with its own boxes. One image then shows four scenes' objects,
# each in a new place, many of them cut at an edge. Our detector uses it in half of its samples, and notebook 19 trains it with and without.
#
# The corner of each image that faces the centre is *at* the centre:
#
# | quarter | reaches from … to | its image begins at |
# |---|---|---|
# | top left | (0, 0) to (cx, cy) | (cx - w, cy - h) |
# | top right | (cx, 0) to (W, cy) | (cx, cy - h) |
# | bottom left | (0, cy) to (cx, H) | (cx - w, cy) |
# | bottom right | (cx, cy) to (W, H) | (cx, cy) |
#
# By hand: centre (8, 6), an image of 12 x 10 at the top left. It begins at (8 - 12, 6 - 10) = (-4, -4), so only its lower right 8 x 6 pixels show. A
# box (6, 5, 11, 9) in it becomes (2, 1, 7, 5).
#
# ### Exercise: mosaic
# *difficulty 4 of 5 · importance 4 of 5 · about 25 minutes*
#
# The loop over the quarters stands there already, and so does the canvas. Yours is what happens in one quarter.


# %% exercise="11.mosaic"
def mosaic(images: list[Tensor], boxes: list[Tensor], centre: tuple[int, int], size_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Four uint8 (3, h, w) and their boxes (n, 4) -> uint8 (3, H, W), grey (114) where no image is, and all boxes (N, 4).

    Order: top left, top right, bottom left, bottom right. centre is (x, y). Boxes are cut at their quarter's edges; those left without
    width or height are dropped.
    """
    (cx, cy), (height, width) = centre, size_hw
    canvas = torch.full((3, height, width), 114, dtype=torch.uint8)
    found = []
    for number in range(4):
        x1, x2 = (cx, width) if number in (1, 3) else (0, cx)
        y1, y2 = (cy, height) if number in (2, 3) else (0, cy)
        h, w = images[number].shape[1:]
        ### BEGIN SOLUTION
        left = x1 if number in (1, 3) else x2 - w  # where the image begins; may be negative
        top = y1 if number in (2, 3) else y2 - h
        a, b = max(left, x1), max(top, y1)  # where it begins to show
        c, d = min(left + w, x2), min(top + h, y2)
        canvas[:, b:d, a:c] = images[number][:, b - top : d - top, a - left : c - left]
        moved = boxes[number] + boxes[number].new_tensor([left, top, left, top])
        cut = moved.maximum(moved.new_tensor([x1, y1, x1, y1])).minimum(moved.new_tensor([x2, y2, x2, y2]))
        found.append(cut[(cut[:, 2:] > cut[:, :2]).all(dim=1)])
        ### END SOLUTION
    return canvas, torch.cat(found)


mosaic = check("11.mosaic", mosaic)

# %%
four = [scenes[i] for i in (7, 20, 33, 41)]
canvas, canvas_boxes = mosaic([image for image, _ in four], [t["boxes"] for _, t in four], (160, 160), (256, 256))
show_boxes(canvas, canvas_boxes, title=f"Four scenes in one: {len(canvas_boxes)} boxes")

# %% [markdown]
# At the edges of the quarters a box may keep only a sliver of its sign. A detector's training drops it by `min_visible`, as in section 5.
#
# ### The same pieces in the libraries
#
# | here | torchvision v2 | albumentations 2.0.8 |
# |---|---|---|
# | `hflip` | `RandomHorizontalFlip` | `HorizontalFlip` |
# | `crop_with_boxes` | `RandomIoUCrop`, then `SanitizeBoundingBoxes` to drop boxes without area | `BBoxSafeRandomCrop`; `min_visibility` of `BboxParams` |
# | `adjust_colours` | `ColorJitter` | `ColorJitter` |
# | `cutout` | `RandomErasing` | `CoarseDropout` |
# | `mixup` | `MixUp`, for batches | none |
# | `mosaic` | none | `Mosaic` |
#
# A list of them is a **pipeline** (파이프라인). torchvision draws from torch's one global generator, so that is the one to seed.

# %%
pipeline = v2.Compose([v2.RandomIoUCrop(), v2.RandomHorizontalFlip(), v2.ColorJitter(0.4, 0.4, 0.4, 0.02), v2.SanitizeBoundingBoxes()])
torch.manual_seed(2)
sample = {"image": tv_tensors.Image(scene), "boxes": wrapped, "labels": target["labels"]}
after = [pipeline(sample) for _ in range(3)]
titles = [f"{tuple(new['image'].shape[1:])}: {len(new['boxes'])} boxes" for new in after]
show_boxed(
    [scene, *(new["image"].as_subclass(Tensor) for new in after)],
    [target["boxes"], *(new["boxes"].as_subclass(Tensor) for new in after)],
    ["before", *titles],
    "One scene, three times through torchvision's pipeline",
    columns=4,
)

# %% [markdown]
# ✂ *50 minutes*
#
# ## 9. A bug to find
#
# This pipeline cuts out a window and then mirrors what is left. Both halves are right: they are the lines you wrote above. On whole images it
# passes every test. Look at what it does to a window.


# %%
def crop_and_flip_with_a_bug(image, boxes, labels, window, min_visible):
    width = image.shape[2]
    image, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    return image.flip(2), torch.stack([width - x2, y1, width - x1, y2], dim=1), labels


whole, part = (0, 0, 256, 256), (60, 40, 230, 210)
results = [crop_and_flip_with_a_bug(scene, target["boxes"], target["labels"], window, 0.5) for window in (whole, part)]
show_boxed([r[0] for r in results], [r[1] for r in results], ["the whole scene", "a window"], "The same code, right and wrong")

# %% [markdown]
# ### Exercise: crop_and_flip
# *difficulty 2 of 5 · importance 4 of 5 · about 10 minutes*
#
# Say first what is wrong, in one sentence: by how many pixels are the boxes off, and where does that number come from? Then mend it. Leave the order
# as it is.


# %% exercise="11.crop_and_flip"
def crop_and_flip(image: Tensor, boxes: Tensor, labels: Tensor, window: tuple, min_visible: float) -> tuple[Tensor, Tensor, Tensor]:
    """Cut out window, then mirror what is left; boxes (N, 4) and labels (N,) follow."""
    ### BEGIN SOLUTION
    image, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    width = image.shape[2]  # of what is left, not of what there was
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    return image.flip(2), torch.stack([width - x2, y1, width - x1, y2], dim=1), labels
    ### STUDENT
    # width = image.shape[2]
    # image, boxes, labels = crop_with_boxes(image, boxes, labels, window, min_visible)
    # x1, y1, x2, y2 = boxes.unbind(dim=1)
    # return image.flip(2), torch.stack([width - x2, y1, width - x1, y2], dim=1), labels
    ### END SOLUTION


crop_and_flip = check("11.crop_and_flip", crop_and_flip)

# %% [markdown]
# The boxes were off by 256 - 170 = 86 pixels: the width of what was cut away. Bugs of this kind live in the seam between two functions that are each
# right. Test the pipeline, not only its parts. Here is a test that finds them all: paint each box's inside in one colour, send the painted image
# through the whole recipe, and ask whether the colour is still in the box.

# %%
recipe = Augment(mosaic=0.5, min_visible=0.3, brightness=0, contrast=0, saturation=0, hue=0)
painted = []
for i in range(at(smoke=8, quick=60, full=200)):
    boxes = torch.from_numpy(scenes.plan(i).boxes).float()
    image = torch.zeros(3, 256, 256, dtype=torch.uint8)
    for x1, y1, x2, y2 in boxes.round().int().tolist():
        image[:, y1:y2, x1:x2] = 255
    painted.append((image, {"boxes": boxes.round(), "labels": torch.zeros(len(boxes), dtype=torch.int64)}))

inside, outside_image, count = [], 0, 0
for i in range(len(painted)):
    image, t = recipe(painted, i, torch.Generator().manual_seed(i))
    for x1, y1, x2, y2 in t["boxes"].tolist():
        outside_image += not (0 <= x1 < x2 <= 256 and 0 <= y1 < y2 <= 256)
        patch = image[0, round(y1) : max(round(y2), round(y1) + 1), round(x1) : max(round(x2), round(x1) + 1)]
        inside.append(float((patch > 127).float().mean()))
        count += 1
print(f"{count} boxes: {outside_image} stick out of their image, and on average {sum(inside) / count:.1%} of a box is painted")
band("share of each box that is still on its object", sum(inside) / count, at_least=0.97)
assert outside_image == 0

# %% [markdown]
# ## 10. What is it worth?
#
# Now the classifier of section 1 again, with the same images, the same network and the same number of steps. Only that no image is ever seen twice in
# the same form. The changes are drawn for a whole batch at once, on the `uint8` images, just before the network.

# %%
amounts = {"degrees": 5, "translate": 0.06, "scale": 1.15, "brightness": 0.2, "contrast": 0.2}
drag_strength(train.images[::9][:12], cutout=0.2, **amounts)

# %%
batch = train.images.repeat(4, 1, 1, 1)
began = time.perf_counter()
AugmentBatch(torch.Generator().manual_seed(0), **amounts)(batch)
print(f"{len(batch)} images changed in {1000 * (time.perf_counter() - began):.0f} ms")

# %%
predict(
    "11.q3",
    "8 images of each class, the same steps. How much does the test accuracy change with augmentation?",
    ["it falls: the training images are harder", "by less than 2 points", "up by 3 to 10 points", "up by more than 10 points"],
)


# %%
def trained(seed: int, strength: float) -> tuple[float, float]:
    """Training loss and test accuracy after `epochs`, with the images changed at that strength (0: not at all)."""
    network = make_network(seed=seed)
    augment = AugmentBatch(torch.Generator().manual_seed(seed), strength=strength, **amounts) if strength else None
    rows = fit_classifier(network, train, epochs=epochs, lr=3e-3, batch=32, augment=augment, seed=seed)
    return rows[-1]["train/loss"], accuracy(network, test)


seeds = range(at(smoke=1, quick=3, full=3))
without = [(rows[-1]["train/loss"], plain_test), *(trained(seed, 0) for seed in seeds[1:])]  # seed 0 is the run of section 1
results = {0: without, 1: [trained(seed, 1) for seed in seeds]}

# %%
on_test = {strength: [test_accuracy for _, test_accuracy in values] for strength, values in results.items()}
show_seeds({"without": on_test[0], "with augmentation": on_test[1]}, "Eight images of each class", "test accuracy", "training")

# %%
mean = {strength: sum(values) / len(values) for strength, values in on_test.items()}
gain = mean[1] - mean[0]
reveal(
    "11.q3", answer=sum(gain >= edge for edge in (0, 0.03, 0.10)), because=f"measured over {len(seeds)} seeds: {100 * gain:+.1f} points."
)
band("gain in test accuracy", gain, at_least=0.03)
for strength, values in results.items():
    print(f"strength {strength}: training loss {sum(loss for loss, _ in values) / len(values):.4f}, test accuracy {mean[strength]:.2f}")

# %% [markdown]
# Look at the training loss, too. It is *higher*, and the test accuracy is better all the same: there is less learning by heart, as notebook 08 said
# of more data. (It is measured on the changed images, which are harder. Stronger changes lower the training accuracy as well.) That is also how you
# see that augmentation is at work.
#
# More is not always more. Here is the whole curve:

# %%
strengths = at(smoke=[0, 1], quick=[0, 1, 4], full=[0, 0.5, 1, 2, 4])
curve = [on_test.get(strength) or [trained(seed, strength)[1] for seed in range(at(smoke=1, quick=1, full=3))] for strength in strengths]
show_by_strength(strengths, curve, "Too little, about right, too much")

# %% [markdown]
# At strength 4 a sign may be turned by 20 degrees, moved by a quarter of the picture, made 1.7 times as large, nearly black or all white. Look at it
# in the widget above: you would hesitate yourself. There is no strength that is right for every data set. Start mild, look, double it, and let the
# validation set decide.
#
# ## 11. When it hurts
#
# Handwritten digits. Turning them by up to 180 degrees gives many more training images. What can go wrong?

# %%
predict(
    "11.q4",
    "A network for digits is trained on images turned by up to 180 degrees, and tested on upright ones. Which digits suffer most?",
    ["0 and 8", "6 and 9", "1 and 7", "all alike"],
)

# %%
digits = labelled_images("digits", "train", size=16)
digits_test = labelled_images("digits", "test", size=16)
turned_accuracy = {}
for degrees in (10, 180):
    network = make_network(channels=1, classes=10)
    augment = AugmentBatch(torch.Generator().manual_seed(0), degrees=degrees, translate=0.05)
    fit_classifier(network, digits, epochs=at(smoke=1, quick=16, full=20), lr=6e-3, batch=64, augment=augment)
    turned_accuracy[degrees] = [accuracy(network, digits_test[digits_test.labels == k]) for k in range(10)]
for degrees, values in turned_accuracy.items():
    print(f"turned by up to {degrees:>3}°: " + "  ".join(f"{k}: {value:.2f}" for k, value in enumerate(values)))

# %%
loss_of = [a - b for a, b in zip(turned_accuracy[10], turned_accuracy[180], strict=True)]
worst = sorted(range(10), key=lambda k: -loss_of[k])[:2]
groups = [{0, 8}, {6, 9}, {1, 7}]
hurt = [sum(loss_of[k] for k in group) / 2 for group in groups]
reveal(
    "11.q4",
    answer=max(range(3), key=lambda i: hurt[i]),
    because=f"an upside-down 6 is a 9. Here 6 and 9 lost {100 * hurt[1]:.0f} points on average; the two that lost most are {worst[0]} and {worst[1]}.",
)
band("what 6 and 9 lose by half turns", hurt[1], at_least=0.05)

# %% [markdown]
# > **Myth**: *"augmentation can only help, it is free data."* Each change is a claim about the world. A wrong claim is a wrong label, on purpose, in
# > every epoch.
#
# ### What else goes wrong, and how you would notice
#
# | mistake | what you see |
# |---|---|
# | validation images are augmented, too | validation jumps from epoch to epoch, and is too low |
# | the same random numbers in every epoch | training accuracy climbs to 1.00 as if nothing were augmented |
# | copies were augmented *before* the split | validation is far too good: copies of one photograph on both sides (04) |
# | boxes left behind | loss falls, AP50 is poor, AP75 poorer still |
# | changed in place | images get darker, or fuller of holes, with every epoch |
#
# ## Summary
#
# - Augmentation says what does not matter. A change is right if you would still give the same label.
# - **Geometric** changes move boxes: mirror (W - x, edges swapped), crop (move, cut, decide), and turn (the box grows). **Photometric** ones leave
#   them alone.
# - **Cutout** hides, **mixup** mixes pixels and labels alike, **mosaic** shows four scenes at once and is made for detectors.
# - On few images it gained points with the same network and the same steps. The training loss stays higher, and that is how it should be.
# - Only training images are changed. One generator, passed in, makes it repeatable.
# - Look at twenty augmented images, with their boxes, before every first training.
#
# ### Do you still know?
#
# <details><summary>An image is 200 wide. Where does a box from x = 150 to x = 200 lie in the mirror?</summary>
#
# From 0 to 50.
# </details>
#
# <details><summary>A box of area 400 has 90 left in the crop, and min_visible is 0.25. Does it stay?</summary>
#
# 90 / 400 = 0.225 is less than 0.25: it goes, and its label with it.
# </details>
#
# <details><summary>Why do detectors turn images less than classifiers?</summary>
#
# The upright box around a turned one is larger than the object, so the truth itself becomes loose.
# </details>
#
# <details><summary>Training accuracy 0.99 before augmentation, 0.93 with it; validation went from 0.80 to 0.86. Better or worse?</summary>
#
# Better. Training images became harder, and what was learnt from them holds elsewhere.
# </details>
#
# ### Errors you will meet, and what they mean
#
# | message | what happened |
# |---|---|
# | `The expanded size of the tensor (8) must match the existing size (6)` | the piece you paste (6) and the place for it (8) differ: print both shapes |
# | the same with `expanded size ... (0)` | the place was an empty slice: did it begin below 0? |
# | `x_max is less than or equal to x_min for bbox` (albumentations) | a box without area, or mirrored without swapping its edges |
# | `Expected x_min for bbox ... to be in the range [0.0, 1.0]` (albumentations) | a box sticks out, if only by rounding: clip it first |
# | no message, boxes beside their objects | the pixels moved and the boxes did not, or by another amount |
#
# ### Where to read more
#
# - DeVries and Taylor 2017, *Improved Regularization of Convolutional Neural Networks with Cutout*, arXiv 1708.04552
# - Zhang et al. 2017, *mixup: Beyond Empirical Risk Minimization*, arXiv 1710.09412
# - Bochkovskiy, Wang and Liao 2020, *YOLOv4*, arXiv 2004.10934, for the mosaic
# - [torchvision: getting started with transforms
#   v2](https://docs.pytorch.org/vision/stable/auto_examples/transforms/plot_transforms_getting_started.html)
# - `coursekit/data/transforms.py` and its neighbours: the same pieces as training uses them
#
# **Next**: 12 starts from a network that has learnt to see already.
