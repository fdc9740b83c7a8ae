"""The generated world as datasets: scenes for detection and segmentation, crops for classification. Taught in 04_data."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from coursekit.data.signs.draw import draw
from coursekit.data.signs.faces import SIGN_CLASSES
from coursekit.data.signs.geometry import Dice
from coursekit.data.signs.plan import DIFFICULTIES, Plan, plan_crop, plan_scene
from coursekit.data.signs.shared import Drawn, check_numbers, chosen_knobs, even_label, sample_of

_SCENE, _CROP = 10, 11  # so that scene 3 and crop 3 of one seed have nothing in common


@dataclass(frozen=True)
class Scene:
    """A drawn scene, in NumPy.

    Args:
        image: (size, size, 3) uint8, RGB.
        boxes: (N, 4) int64 ``xyxy`` pixels, half-open, inside the image.
        labels: (N,) int64, 0-based.
        instances: (size, size) int16: i + 1 where sign i is seen, else 0.
        seen: (N,) int64: pixels of each sign that are seen.
        shares: (N,) int64: percent of each sign that is seen.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    instances: np.ndarray
    seen: np.ndarray
    shares: np.ndarray

    def semantic(self) -> np.ndarray:
        """(size, size) int64: the class of each pixel plus 1, and 0 where there is no sign."""
        return np.concatenate([[0], self.labels + 1])[self.instances]


def _checked(length: int, seed: int, size: int, smallest: int, classes) -> tuple[str, ...]:
    check_numbers(length, seed, size, smallest)
    classes = SIGN_CLASSES if classes is None else tuple(classes)
    unknown = [name for name in classes if name not in SIGN_CLASSES]
    if unknown or not classes or len(set(classes)) < len(classes):
        raise ValueError(f"classes must be different names of SIGN_CLASSES ({', '.join(SIGN_CLASSES)}), got {classes}")
    return classes


class SignScenes(Drawn):
    """Scenes with signs, made on demand: scene `i` of a seed is always the same.

    Args:
        length: number of scenes.
        seed: 0 or more; other seeds give other scenes. Draw training and validation from different seeds.
        size: side of the square scenes in pixels, 64 .. 1024; signs grow with it.
        difficulty: "easy", "medium", "hard", or a `Difficulty`.
        classes: names from SIGN_CLASSES that may appear (all by default); labels are places in it.
        masks: whether targets hold ``masks`` too, (N, size, size) bool, of what is seen of each sign.
        knobs: single knobs of `Difficulty` to change, such as ``most=1`` or ``night=100``.

    Item ``i`` is ``(image, target)``: (3, size, size) uint8 RGB, and ``boxes`` (N, 4) float32 ``xyxy`` pixels, ``labels`` (N,) int64,
    ``image_id`` int, ``area`` (N,) float32 (pixels of the sign that are seen, as COCO counts), ``iscrowd`` (N,) int64 zeros.
    A box is tight around all of a sign's outline that is inside the image, whatever stands in front of it; a sign of which less than
    ``visible`` percent is seen is taken out of the picture, so nothing is left unlabelled.

    Raises:
        ValueError: naming the argument and what was expected.
    """

    def __init__(self, length: int, seed: int = 0, size: int = 256, difficulty="medium", classes=None, masks: bool = False, **knobs):
        self.classes = _checked(length, seed, size, 64, classes)
        self.difficulty = chosen_knobs(difficulty, knobs, DIFFICULTIES)
        self.length, self.seed, self.size, self.masks = length, seed, size, masks

    def plan(self, index: int) -> Plan:
        """Where everything is in one scene, without drawing it: quick."""
        return plan_scene(Dice(_SCENE, self.seed, self._index(index)), self.size, self.difficulty, self.classes)

    def scene(self, index: int) -> Scene:
        """One scene in NumPy, with its instance map."""
        plan = self.plan(index)
        image = draw(plan, Dice(_SCENE, self.seed, self._index(index), 1), self.difficulty)
        return Scene(image, plan.boxes, plan.labels, plan.instances, plan.seen, plan.shares)

    def __getitem__(self, index: int):
        import torch

        scene = self.scene(index)
        image, target = sample_of(scene, self._index(index))
        if self.masks:
            target["masks"] = torch.from_numpy(scene.instances[None] == np.arange(1, len(scene.labels) + 1, dtype=np.int16)[:, None, None])
        return image, target


class SignCrops(Drawn):
    """Single signs that fill the picture, for classification: the same drawing code, the same faults.

    Args:
        length: number of crops.
        seed: 0 or more.
        size: side of the square crops in pixels, 16 .. 1024.
        difficulty: "easy", "medium", "hard", or a `Difficulty`.
        classes: names from SIGN_CLASSES (all by default).
        background: percent of crops of something else: surfaces, lookalikes, a piece of a sign, a sign much too small or too large.
            Where it is above 0, a last class "background" is added.
        knobs: single knobs of `Difficulty` to change.

    Item ``i`` is ``(image, label)``: (3, size, size) uint8 RGB and an int. Labels are even: each block of crops holds every class once,
    in an order of its own.

    Raises:
        ValueError: naming the argument and what was expected.
    """

    def __init__(self, length: int, seed: int = 0, size: int = 48, difficulty="medium", classes=None, background: int = 0, **knobs):
        self.signs = _checked(length, seed, size, 16, classes)
        if not 0 <= background <= 100:
            raise ValueError(f"background must be a percentage between 0 and 100, got {background}")
        self.classes = (*self.signs, "background") if background else self.signs
        self.difficulty = chosen_knobs(difficulty, knobs, DIFFICULTIES)
        self.length, self.seed, self.size, self.background = length, seed, size, background

    def label(self, index: int) -> int:
        """The label of one crop, without drawing it."""
        index = self._index(index)
        if Dice(_CROP, self.seed, index, 2).chance(self.background):
            return len(self.signs)
        return even_label((_CROP, self.seed), index, len(self.signs))

    def plan(self, index: int) -> Plan:
        """Where everything is in one crop, without drawing it. Its only label is 0."""
        label = self.label(index)
        face = self.signs[label] if label < len(self.signs) else None
        return plan_crop(Dice(_CROP, self.seed, self._index(index)), self.size, self.difficulty, face)

    def __getitem__(self, index: int):
        import torch

        image = draw(self.plan(index), Dice(_CROP, self.seed, self._index(index), 1), self.difficulty)
        return torch.from_numpy(image.transpose(2, 0, 1).copy()), self.label(index)


def write_signs(path, length: int, seed: int = 0, format: str = "voc", split: str = "train", **options) -> Path:
    """Write scenes to disk in the form in which other people's datasets come. Call it again, with another seed and split, to add to them.

    Args:
        path: the dataset's folder, made if need be.
        length, seed, options: as for `SignScenes`.
        format: "voc", "coco" or "yolo".
        split: name of the split.

    Returns:
        The folder, for `coursekit.data.formats.read_dataset`.

    Raises:
        ValueError: as `SignScenes` and `write_dataset` do.
    """
    from coursekit.data.formats import write_dataset
    from coursekit.data.records import Annotations, ImageRecord

    scenes = SignScenes(length, seed, **options)
    with tempfile.TemporaryDirectory() as folder:
        records = []
        for index in range(length):
            scene = scenes.scene(index)
            picture = Path(folder) / f"signs_{seed}_{index:05d}.png"
            Image.fromarray(scene.image).save(picture, compress_level=1)
            boxes = scene.boxes.astype(np.float32)
            records.append(ImageRecord(picture, index + 1, scenes.size, scenes.size, boxes, scene.labels, scene.seen.astype(np.float32)))
        write_dataset(Annotations(scenes.classes, records), path, format=format, split=split)
    return Path(path)
