"""Who stands where in a generated scene, what they wear over their face, and what of it can be seen: whole numbers only."""

from dataclasses import dataclass

import numpy as np

from coursekit.data.masks.head import Head, body_outline, face_outline, head_outline
from coursekit.data.signs.geometry import SUBPIXEL, Dice
from coursekit.data.signs.plan import measure

MASK_CLASSES = ("with_mask", "without_mask", "mask_weared_incorrect")  # the real set's own spelling and order
SETTINGS = ("street", "hall", "room", "wall", "photo")  # what a scene is set in
WRONG = ("nose", "chin", "ear")  # below the nose, under the chin, hanging from one ear
DECOYS = ("scarf", "hand", "collar")  # what is before a bare face, or near it, and is no mask
FEWEST = 40  # pixels of a face that must be seen in a scene


@dataclass(frozen=True)
class Difficulty:
    """Knobs of the world of faces; whole numbers, so that a plan never depends on float maths.

    Args:
        empty: percent of scenes without anybody.
        most: people in a scene at the most.
        smallest, largest: width of a face in pixels of a 256-pixel scene, seen from ahead.
        octaves: weights of the sizes, from `smallest` in doublings.
        turn: most degrees of yaw, up to 60; pitch and roll are a quarter and a third of it.
        mix: weights of `MASK_CLASSES`. The real set has 3,232, 717 and 123 faces.
        wrong: weights of the ways to wear a mask wrong: below the nose, under the chin, on one ear.
        decoys: percent of bare faces with a scarf, a hand before the mouth or a collar of a mask's colour.
        dressed: percent of faces with glasses, and of heads with a hat or a scarf on them; beards come half as often.
        visible: percent of a face that must be seen, or else its owner is taken out of the scene (so is one of less than FEWEST pixels).
        blur, noise, light: 0 (none) to 100 (as bad as it gets).
    """

    empty: int = 2
    most: int = 8
    smallest: int = 15
    largest: int = 100
    octaves: tuple[int, ...] = (46, 38, 16)
    turn: int = 34
    mix: tuple[int, ...] = (79, 18, 3)
    wrong: tuple[int, ...] = (55, 30, 15)
    decoys: int = 25
    dressed: int = 24
    visible: int = 55
    blur: int = 30
    noise: int = 30
    light: int = 45

    def __post_init__(self):
        for name in ("empty", "turn", "decoys", "dressed", "visible", "blur", "noise", "light"):
            top = 60 if name == "turn" else 100
            if not 0 <= getattr(self, name) <= top:
                raise ValueError(f"{name} must be between 0 and {top}, got {getattr(self, name)}")
        if self.most < 0:
            raise ValueError(f"most must be 0 or more, got {self.most}")
        if not 8 <= self.smallest <= self.largest:
            raise ValueError(f"smallest must be 8 or more and largest no less than it, got {self.smallest} and {self.largest}")
        for name, count in (("octaves", None), ("mix", 3), ("wrong", 3)):
            weights = getattr(self, name)
            if not weights or min(weights) < 0 or sum(weights) == 0 or (count and len(weights) != count):
                raise ValueError(f"{name} must be {count or 'whole'} weights of which one is positive, got {weights}")


DIFFICULTIES = {
    "easy": Difficulty(
        most=4, smallest=28, octaves=(60, 40), turn=15, wrong=(60, 40, 0), decoys=0, dressed=10, visible=80, blur=8, noise=10, light=20
    ),
    "medium": Difficulty(),
    "hard": Difficulty(most=12, smallest=11, octaves=(48, 34, 18), turn=55, decoys=50, dressed=45, visible=40, blur=75, noise=75, light=85),
}


@dataclass(frozen=True)
class Person:
    """Somebody in a scene.

    Args:
        head: where the head is, and how it is turned.
        label: a place in MASK_CLASSES.
        wear: "mask", one of WRONG, one of DECOYS, or "" for a bare face.
        looks: a whole number that everything else about them is drawn from.
        dressed: percent, as in `Difficulty`.
    """

    head: Head
    label: int
    wear: str
    looks: int
    dressed: int


@dataclass(frozen=True, eq=False)
class Part:
    """What of a person hides others: "body", "head" (with its hair) and "face", which is labelled."""

    kind: str
    polygon: np.ndarray
    person: int


@dataclass(frozen=True)
class Plan:
    """A scene before it is drawn.

    Args:
        size: side of the scene in pixels.
        setting: one of SETTINGS.
        horizon: row of the horizon in pixels: the height of a grown-up's eyes.
        people: from back to front, one for each box.
        boxes: (N, 4) int64 ``xyxy`` pixels, half-open: tight around the part of each face, from hairline to chin, that is inside the
            scene. What stands in front of a face does not shrink its box.
        labels: (N,) int64, places in MASK_CLASSES.
        seen: (N,) int64, pixels of each face that nobody else hides.
        shares: (N,) int64, percent of each whole face that is seen.
        instances: (size, size) int16: 0 where no face is seen, i + 1 where face i is.
    """

    size: int
    setting: str
    horizon: int
    people: tuple[Person, ...]
    boxes: np.ndarray
    labels: np.ndarray
    seen: np.ndarray
    shares: np.ndarray
    instances: np.ndarray


def _parts(people: list[Person]) -> list[Part]:
    parts = []
    for number, person in enumerate(people):
        shapes = (("body", body_outline), ("head", lambda head: head_outline(head, 8)), ("face", face_outline))
        parts += [Part(kind, outline(person.head), number) for kind, outline in shapes]
    return parts


def _finished(size: int, setting: str, horizon: int, people: list[Person], share: int, fewest: int) -> Plan:
    """Take out those of whose face too little is seen, then measure the others."""
    while True:
        _, boxes, seen, shares, instances = measure(_parts(people), size, "face")
        stay = [person for person, part, count in zip(people, shares, seen, strict=True) if part >= share and count >= fewest]
        if len(stay) == len(people):  # taking one out only uncovers others, so this ends
            labels = np.array([person.label for person in people], dtype=np.int64)
            return Plan(size, setting, horizon, tuple(people), boxes, labels, seen, shares, instances)
        people = stay


def _person(dice: Dice, difficulty: Difficulty, center: tuple[int, int], half: int, label: int) -> Person:
    turn = difficulty.turn
    yaw = dice.between(-turn, turn) if dice.chance(60) else dice.between(-turn // 3, turn // 3)
    head = Head(
        center, half, yaw, dice.between(-turn // 4, turn // 4), dice.between(-turn // 3, turn // 3), dice.between(88, 106),
        dice.between(94, 106),
    )  # fmt: skip
    way, decoy = WRONG[dice.weighted(difficulty.wrong)], dice.chance(difficulty.decoys)
    wear = ("mask", dice.pick(DECOYS) if decoy else "", way)[label]
    return Person(head, label, wear, dice.below(1 << 30), difficulty.dressed)


def _half(dice: Dice, difficulty: Difficulty) -> int:
    """Half a face's width in 64ths of a pixel of a 256-pixel scene: an octave by weight, then anywhere in it."""
    low = min(difficulty.smallest << dice.weighted(difficulty.octaves), difficulty.largest)
    return dice.between(low * SUBPIXEL, min(2 * low, difficulty.largest) * SUBPIXEL) // 2


def _place(dice: Dice, others: list[tuple[int, int]], half: int, edge: int, visible: int) -> int:
    """A column for a head, the freest of a few: people keep apart, in some scenes less than in others."""
    inside = half * (2 * visible - 110) // 100  # nearly as far over the picture's edge as may be
    tries = [dice.between(inside, max(edge - inside, inside)) for _ in range(dice.pick((1, 3, 8, 8)))]
    return max(tries, key=lambda x: min((abs(x - at) * 16 // (half + width) for at, width in others), default=0))


def plan_scene(dice: Dice, size: int, difficulty: Difficulty) -> Plan:
    """Place people.

    Args:
        dice: where chance comes from.
        size: side of the scene in pixels.
        difficulty: the knobs.
    """
    setting = SETTINGS[dice.weighted((34, 20, 20, 10, 16))]
    horizon = size * dice.between(30, 48) // 100
    count = 0
    if not dice.chance(difficulty.empty) and difficulty.most:
        count = 1 + (dice.below(difficulty.most) if dice.chance(50) else min(dice.below(difficulty.most), dice.below(difficulty.most)))
    free = setting in ("wall", "photo") or dice.chance(15)  # nothing says how far away the ground is
    edge, people, places = size * SUBPIXEL, [], []
    for half in sorted(_half(dice, difficulty) * size // 256 for _ in range(count)):  # what looks small is far
        x = _place(dice, places, half, edge, difficulty.visible)
        far, high = horizon * SUBPIXEL + half * dice.between(-60, 110) // 100, max(half, edge - 16 * half)  # no feet hang in the air
        y = dice.between(high, max(edge * 7 // 10, high)) if free else far
        places.append((x, half))
        people.append(_person(dice, difficulty, (x, y), half, dice.weighted(difficulty.mix)))
    return _finished(size, setting, horizon, people, difficulty.visible, FEWEST)


def plan_crop(dice: Dice, size: int, difficulty: Difficulty, label: int) -> Plan:
    """One face with some air around it, as a detector or a careful hand would cut it out, now and then with a neighbour.

    Args:
        dice: where chance comes from.
        size: side of the crop in pixels.
        difficulty: the knobs (sizes do not matter here).
        label: a place in MASK_CLASSES.
    """
    setting = SETTINGS[dice.weighted((25, 20, 25, 15, 15))]
    middle, horizon = size * SUBPIXEL // 2, size * dice.between(30, 60) // 100
    half, shift = middle * dice.between(54, 70) // 100, middle // 12
    center = (middle + dice.between(-shift, shift), middle - half * 22 // 100 + dice.between(-shift, shift))
    face = _person(dice, difficulty, center, half, label)
    people = [face]
    if dice.chance(25):  # behind the one that counts
        away = dice.pick((-1, 1)) * half * dice.between(200, 260) // 100
        small = half * dice.between(50, 90) // 100
        behind = _person(dice, difficulty, (middle + away, middle + dice.between(-shift, 2 * shift)), small, dice.weighted(difficulty.mix))
        people.insert(0, behind)
    return _finished(size, setting, horizon, people, 0, 0)
