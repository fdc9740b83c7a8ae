"""What stands where in a generated scene, and what of it can be seen: whole numbers only, no pixel is coloured here. Taught in 04_data."""

from dataclasses import dataclass

import numpy as np

from coursekit.data.signs.faces import LOOKALIKES, OUTLINES, SIGN_CLASSES, STYLES
from coursekit.data.signs.geometry import SUBPIXEL, Dice, paint, pose, project, sine

FEWEST = 30  # pixels of a sign that must be seen in a scene
SETTINGS = ("street", "wall", "hedge", "photo")  # what a scene is set in


@dataclass(frozen=True)
class Difficulty:
    """Knobs of the generated world; whole numbers, so that a plan never depends on float maths.

    Args:
        empty: percent of scenes without any sign.
        most: signs in a scene at the most.
        smallest, largest: width of a sign in pixels of a 256-pixel scene, before it is turned.
        octaves: weights of the sizes, from `smallest` in doublings: small, medium, large ...
        turn: most degrees of yaw; pitch and roll are a third and a fifth of it.
        clutter: things that only look like signs, at the most.
        hidden: percent of signs that a branch, a pole or another sign may stand in front of.
        visible: percent of a sign that must be seen, or else the sign is taken out of the scene (so is one of less than FEWEST pixels).
        blur, noise, light, wear: 0 (none) to 100 (as bad as it gets).
        night: percent of scenes at night.
    """

    empty: int = 8
    most: int = 5
    smallest: int = 16
    largest: int = 140
    octaves: tuple[int, ...] = (34, 40, 22, 4)
    turn: int = 32
    clutter: int = 2
    hidden: int = 25
    visible: int = 50
    blur: int = 35
    noise: int = 35
    light: int = 50
    wear: int = 40
    night: int = 8

    def __post_init__(self):
        for name in ("empty", "turn", "hidden", "visible", "blur", "noise", "light", "wear", "night"):
            top = 75 if name == "turn" else 100
            if not 0 <= getattr(self, name) <= top:
                raise ValueError(f"{name} must be between 0 and {top}, got {getattr(self, name)}")
        if self.most < 0 or self.clutter < 0:
            raise ValueError(f"most and clutter must be 0 or more, got {self.most} and {self.clutter}")
        if not 8 <= self.smallest <= self.largest:
            raise ValueError(f"smallest must be 8 or more and largest no less than it, got {self.smallest} and {self.largest}")
        if not self.octaves or min(self.octaves) < 0 or sum(self.octaves) == 0:
            raise ValueError(f"octaves must be weights of which one is positive, got {self.octaves}")


DIFFICULTIES = {
    "easy": Difficulty(
        most=3, smallest=28, octaves=(45, 40, 15), turn=15, clutter=0, hidden=0, visible=80, blur=10, noise=12, light=20, wear=10, night=0
    ),
    "medium": Difficulty(),
    "hard": Difficulty(
        most=6,
        smallest=12,
        octaves=(38, 34, 22, 6),
        turn=52,
        clutter=4,
        hidden=50,
        visible=40,
        blur=80,
        noise=80,
        light=90,
        wear=90,
        night=22,
    ),
}


@dataclass(frozen=True)
class Thing:
    """One thing in a scene, in front of those before it.

    Args:
        kind: "sign", "clutter", "pole" or "leaf".
        polygon: (K, 2) int64 outline in 64ths of a pixel, convex.
        face: name of the face on it ("" on poles and leaves).
        homography: from the face to 64ths of a pixel, or None.
        looks: a whole number that wear and shading are drawn from.
    """

    kind: str
    polygon: np.ndarray
    face: str = ""
    homography: np.ndarray | None = None
    looks: int = 0

    @property
    def style(self) -> int:
        """Which print of the face."""
        return self.looks % STYLES


@dataclass(frozen=True)
class Plan:
    """A scene before it is drawn.

    Args:
        size: side of the scene in pixels.
        setting: one of SETTINGS.
        horizon: row of the horizon in pixels.
        night: whether it is night.
        things: from back to front.
        boxes: (N, 4) int64 ``xyxy`` pixels, half-open: tight around the part of each labelled sign's outline that is inside the
            scene. What stands in front of a sign does not shrink its box.
        labels: (N,) int64, places in the classes that were asked for.
        seen: (N,) int64, pixels of each sign that can be seen.
        shares: (N,) int64, percent of each sign's whole outline that can be seen.
        instances: (size, size) int16: 0 where no sign is seen, i + 1 where sign i is.
    """

    size: int
    setting: str
    horizon: int
    night: bool
    things: tuple[Thing, ...]
    boxes: np.ndarray
    labels: np.ndarray
    seen: np.ndarray
    shares: np.ndarray
    instances: np.ndarray


def _width(dice: Dice, difficulty: Difficulty) -> int:
    """A sign's width in 64ths of a pixel of a 256-pixel scene: an octave by weight, then anywhere in it."""
    low = min(difficulty.smallest << dice.weighted(difficulty.octaves), difficulty.largest)
    return dice.between(low * SUBPIXEL, min(2 * low, difficulty.largest) * SUBPIXEL)


def make_sign(dice: Dice, face: str, center, half: int, angles, kind: str = "sign") -> Thing:
    """A face in front of the camera; `angles` are yaw, pitch and roll in degrees."""
    homography = pose(center, half, *angles, distance=dice.between(4, 10))
    return Thing(kind, project(homography, OUTLINES[face]), face, homography, dice.below(1 << 20))


def make_pole(dice: Dice, x: int, top: int, bottom: int, width: int) -> Thing:
    """An upright pole, leaning a little."""
    lean = (bottom - top) * dice.between(-2, 2) // 100
    half = max(width // 2, SUBPIXEL // 2)
    polygon = np.array([[x - half, top], [x + half, top], [x + half + lean, bottom], [x - half + lean, bottom]], dtype=np.int64)
    return Thing("pole", polygon, looks=dice.below(1 << 20))


def make_leaves(dice: Dice, center, reach: int, count: int) -> list[Thing]:
    """A branch: leaves about a point."""
    looks, leaves = dice.below(1 << 20), []
    for k in range(count):
        length, turn = reach * dice.between(22, 42) // 100, dice.below(360)
        x, y = center[0] + dice.between(-reach, reach), center[1] + dice.between(-reach, reach)
        along, across = (sine(turn + 90), sine(turn)), (-sine(turn), sine(turn + 90))
        shape = [(-100, 0), (-40, 30), (30, 30), (100, 0), (30, -30), (-40, -30)]
        corners = [[c + (a * along[i] + b * across[i]) * length // (100 * sine(90)) for i, c in enumerate((x, y))] for a, b in shape]
        leaves.append(Thing("leaf", np.array(corners, dtype=np.int64), looks=looks + k))
    return leaves


def _angles(dice: Dice, difficulty: Difficulty):
    turn = difficulty.turn
    return dice.between(-turn, turn), dice.between(-(turn // 3), turn // 3), dice.between(-(turn // 5), turn // 5)


def _post(dice: Dice, difficulty: Difficulty, faces: list[str], size: int, setting: str, horizon: int, kind="sign") -> list[Thing]:
    """A pole with one sign or several, one under another; on a wall sometimes without the pole."""
    half = _width(dice, difficulty) * size // 512
    angles = _angles(dice, difficulty)
    edge = size * SUBPIXEL
    x = dice.between(half * 3 // 5, max(edge - half * 3 // 5, half))
    if setting == "street":  # near the horizon the small ones, higher up the large ones
        middle = horizon * SUBPIXEL - half - dice.between(0, max(horizon * SUBPIXEL * 6 // 10 - half // 2, 1))
    else:
        middle = dice.between(half * 3 // 5, max(edge - half * 3 // 5, half))
    step = half * dice.between(205, 225) // 100
    width = half * dice.between(14, 22) // 100
    things = []
    if setting == "street" or dice.chance(55):
        foot = edge if setting != "street" else min(edge, horizon * SUBPIXEL + half * dice.between(150, 300) // 100)
        top = middle - half * dice.between(60, 110) // 100
        if foot > top + SUBPIXEL:
            things.append(make_pole(dice, x, top, foot, width))
    for k, face in enumerate(faces):
        things.append(make_sign(dice, face, (x, middle + k * step), half, angles, kind))
    return things


def _in_front(dice: Dice, difficulty: Difficulty, signs: list[Thing], size: int) -> list[Thing]:
    """Poles and branches before some of the signs."""
    things: list[Thing] = []
    for sign in signs:
        if not dice.chance(difficulty.hidden):
            continue
        low, high = sign.polygon.min(axis=0).tolist(), sign.polygon.max(axis=0).tolist()
        width = high[0] - low[0]
        if dice.chance(30):
            things.append(make_pole(dice, dice.between(low[0], high[0]), 0, size * SUBPIXEL, width * dice.between(8, 20) // 100))
        else:
            corner = (dice.pick((low[0], high[0])), dice.between(low[1], high[1]))
            things += make_leaves(dice, corner, width * dice.between(25, 50) // 100, dice.between(8, 18))
    return things


def measure(things, size: int, labelled: str):
    """What of the things of one kind can be seen, when all are laid over one another in their order.

    Args:
        things: objects with ``kind`` and ``polygon``, from back to front.
        size: side of the scene in pixels.
        labelled: the kind that is measured; the others only hide.

    Returns:
        (those measured, boxes (N, 4) int64, seen (N,) pixels, shares (N,) percent, instances (size, size) int16): see `Plan`.
    """
    instances = np.zeros((size, size), dtype=np.int16)
    found, areas, boxes = [], [], []
    for thing in things:
        value = len(found) + 1 if thing.kind == labelled else 0
        area, box = paint(instances, thing.polygon, value)
        if value:
            found.append(thing)
            areas.append(area)
            boxes.append(box or (0, 0, 0, 0))
    seen = np.bincount(instances.ravel(), minlength=len(found) + 1)[1:]
    shares = seen * 100 // np.maximum(np.array(areas, dtype=np.int64), 1)
    return found, np.array(boxes, dtype=np.int64).reshape(-1, 4), seen, shares, instances


def _visible(things: list[Thing], names: tuple[str, ...], size: int, share: int, fewest: int):
    """Take out the signs of which too little is seen, then measure the others: (things, boxes, labels, seen, shares, instances)."""
    while True:
        signs, boxes, seen, shares, instances = measure(things, size, "sign")
        gone = {id(sign) for sign, part, count in zip(signs, shares, seen, strict=True) if part < share or count < fewest}
        if not gone:  # taking one out only uncovers others, so this ends
            labels = np.array([names.index(sign.face) for sign in signs], dtype=np.int64)
            return tuple(things), boxes, labels, seen, shares, instances
        things = [thing for thing in things if id(thing) not in gone]


def plan_scene(dice: Dice, size: int, difficulty: Difficulty, classes: tuple[str, ...]) -> Plan:
    """Place signs, clutter and what hides them.

    Args:
        dice: where chance comes from.
        size: side of the scene in pixels.
        difficulty: the knobs.
        classes: names that may appear; labels are places in it.
    """
    setting = SETTINGS[dice.weighted((50, 16, 12, 22))]
    horizon = size * dice.between(48, 68) // 100
    night = dice.chance(difficulty.night)
    wanted = (
        0 if dice.chance(difficulty.empty) or difficulty.most == 0 else 1 + min(dice.below(difficulty.most), dice.below(difficulty.most))
    )
    groups = []
    while wanted > 0:
        stack = min(wanted, 1 + dice.weighted((66, 28, 6)))
        faces = [dice.pick(classes) for _ in range(stack)]
        faces = [face for k, face in enumerate(faces) if face not in faces[:k]]  # nobody hangs the same sign twice on one pole
        groups.append(_post(dice, difficulty, faces, size, setting, horizon))
        wanted -= stack
    for _ in range(min(dice.between(0, difficulty.clutter), dice.between(0, difficulty.clutter))):
        if dice.chance(65):
            groups.append(_post(dice, difficulty, [dice.pick(LOOKALIKES)], size, setting, horizon, "clutter"))
            continue
        half = _width(dice, difficulty) * size // 512
        center = (dice.below(size * SUBPIXEL), dice.below((horizon if setting == "street" else size) * SUBPIXEL))
        groups.append([make_sign(dice, dice.pick(LOOKALIKES), center, half, _angles(dice, difficulty), "clutter")])
    groups.sort(key=lambda group: int(np.ptp(group[-1].polygon[:, 0])))  # what looks small is far: it is painted first
    things = [thing for group in groups for thing in group]
    things += _in_front(dice, difficulty, [thing for thing in things if thing.kind == "sign"], size)
    return Plan(size, setting, horizon, night, *_visible(things, classes, size, difficulty.visible, FEWEST))


def plan_crop(dice: Dice, size: int, difficulty: Difficulty, face: str | None) -> Plan:
    """One sign that fills a crop, as a detector or a careful hand would cut it out; without a face, what a window sees beside the signs.

    Args:
        dice: where chance comes from.
        size: side of the crop in pixels.
        difficulty: the knobs (sizes do not matter here).
        face: name of the sign, or None.
    """
    setting = SETTINGS[dice.weighted((30, 25, 20, 25))]
    middle, horizon = size * SUBPIXEL // 2, size * dice.between(20, 90) // 100
    night = dice.chance(difficulty.night)
    shift = middle // 10
    center = (middle + dice.between(-shift, shift), middle + dice.between(-shift, shift))
    half = middle * dice.between(76, 98) // 100
    things: list[Thing] = []
    if dice.chance(60):
        things.append(make_pole(dice, center[0], center[1] - half // 2, size * SUBPIXEL, half // 5))
    if face is not None:
        sign = make_sign(dice, face, center, half, _angles(dice, difficulty))
        things += [sign, *_in_front(dice, difficulty, [sign], size)]
    elif dice.chance(10 * difficulty.clutter):
        things.append(make_sign(dice, dice.pick(LOOKALIKES), center, half, _angles(dice, difficulty), "clutter"))
    elif dice.chance(30):  # so little of a sign, or so small or large a one, that no window should answer to it
        if dice.chance(60):
            center = (
                center[0] + dice.pick((-1, 1)) * half * dice.between(100, 150) // 100,
                center[1] + half * dice.between(-150, 150) // 100,
            )
        else:
            half = half * dice.pick((30, 35, 40, 250, 300)) // 100
        things.append(make_sign(dice, dice.pick(SIGN_CLASSES), center, half, _angles(dice, difficulty), "clutter"))
    return Plan(size, setting, horizon, night, *_visible(things, (face,) if face else (), size, 0, 0))  # a crop keeps its sign
