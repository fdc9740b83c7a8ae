"""The world of faces as datasets: scenes for detection, crops for classification."""

from coursekit.data.masks.draw import draw
from coursekit.data.masks.plan import DIFFICULTIES, MASK_CLASSES, Plan, plan_crop, plan_scene
from coursekit.data.signs.datasets import Scene
from coursekit.data.signs.geometry import Dice
from coursekit.data.signs.shared import Drawn, check_numbers, chosen_knobs, even_label, sample_of

_SCENE, _CROP = 20, 21  # other numbers than those of the signs


class MaskScenes(Drawn):
    """Scenes with people, made on demand: scene `i` of a seed is always the same.

    Args:
        length: number of scenes.
        seed: 0 or more; other seeds give other scenes. Draw training and validation from different seeds.
        size: side of the square scenes in pixels, 64 .. 1024; people grow with it.
        difficulty: "easy", "medium", "hard", or a `Difficulty`.
        knobs: single knobs of `Difficulty` to change, such as ``most=3`` or ``mix=(1, 1, 1)``.

    Item ``i`` is ``(image, target)``: (3, size, size) uint8 RGB, and ``boxes`` (N, 4) float32 ``xyxy`` pixels, ``labels`` (N,) int64
    (places in MASK_CLASSES), ``image_id`` int, ``area`` (N,) float32 (pixels of the face that nobody hides), ``iscrowd`` (N,) int64
    zeros. A box holds the face from hairline to chin and from side to side, as far as it is inside the image, whatever hides it; a
    person of whose face less than ``visible`` percent is seen is taken out of the picture, so nothing is left unlabelled.

    Raises:
        ValueError: naming the argument and what was expected.
    """

    classes = MASK_CLASSES

    def __init__(self, length: int, seed: int = 0, size: int = 256, difficulty="medium", **knobs):
        check_numbers(length, seed, size, 64)
        self.difficulty = chosen_knobs(difficulty, knobs, DIFFICULTIES)
        self.length, self.seed, self.size = length, seed, size

    def plan(self, index: int) -> Plan:
        """Who is where in one scene, without drawing it: quick."""
        return plan_scene(Dice(_SCENE, self.seed, self._index(index)), self.size, self.difficulty)

    def scene(self, index: int) -> Scene:
        """One scene in NumPy, with its instance map."""
        plan = self.plan(index)
        image = draw(plan, Dice(_SCENE, self.seed, self._index(index), 1), self.difficulty)
        return Scene(image, plan.boxes, plan.labels, plan.instances, plan.seen, plan.shares)

    def __getitem__(self, index: int):
        return sample_of(self.scene(index), self._index(index))


class FaceCrops(Drawn):
    """Single faces that fill the picture, for classification: the same drawing code, the same faults.

    Args:
        length: number of crops.
        seed: 0 or more.
        size: side of the square crops in pixels, 16 .. 1024.
        difficulty: "easy", "medium", "hard", or a `Difficulty`.
        even: whether every class comes as often as the others (each block of three crops holds all of them); otherwise they come by the
            weights of the knob ``mix``, as in the world.
        knobs: single knobs of `Difficulty` to change.

    Item ``i`` is ``(image, label)``: (3, size, size) uint8 RGB and an int, a place in MASK_CLASSES.

    Raises:
        ValueError: naming the argument and what was expected.
    """

    classes = MASK_CLASSES

    def __init__(self, length: int, seed: int = 0, size: int = 48, difficulty="medium", even: bool = True, **knobs):
        check_numbers(length, seed, size, 16)
        self.difficulty = chosen_knobs(difficulty, knobs, DIFFICULTIES)
        self.length, self.seed, self.size, self.even = length, seed, size, even

    def label(self, index: int) -> int:
        """The label of one crop, without drawing it."""
        index = self._index(index)
        if self.even:
            return even_label((_CROP, self.seed), index, len(MASK_CLASSES))
        return Dice(_CROP, self.seed, index, 2).weighted(self.difficulty.mix)

    def plan(self, index: int) -> Plan:
        """Who is where in one crop, without drawing it: the face that counts is the last one."""
        return plan_crop(Dice(_CROP, self.seed, self._index(index)), self.size, self.difficulty, self.label(index))

    def __getitem__(self, index: int):
        import torch

        image = draw(self.plan(index), Dice(_CROP, self.seed, self._index(index), 1), self.difficulty)
        return torch.from_numpy(image.transpose(2, 0, 1).copy()), self.label(index)
