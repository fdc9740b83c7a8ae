"""The whole-number geometry under the generated world."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.data.signs.faces import LOOKALIKES, OUTLINES, SIGN_CLASSES, prints
from coursekit.data.signs.geometry import ONE, SUBPIXEL, UNIT, Dice, paint, pose, project, sine, spans

square = np.array([[0, 0], [640, 0], [640, 320], [0, 320]], dtype=np.int64)  # 10 by 5 pixels


def test_dice_are_the_same_for_the_same_key_and_differ_for_others():
    throws = [[Dice(*key).below(1 << 60) for _ in range(2)] for key in ((3, 1), (3, 1), (3, 2), (1, 3), (3,))]
    assert throws[0] == throws[1]
    assert len({first for first, _ in throws}) == 4


def test_dice_throw_what_they_always_threw():
    dice = Dice(7, 42)
    throws = [dice.below(1000), dice.between(-5, 5), dice.weighted((1, 2, 3)), *dice.bytes(3).tolist()]
    assert throws == DICE_THROWS


def test_dice_stay_inside_and_reach_both_ends():
    dice = Dice(1)
    throws = {dice.between(-2, 2) for _ in range(300)}
    assert throws == {-2, -1, 0, 1, 2}
    assert {dice.weighted((0, 1, 0, 2)) for _ in range(100)} == {1, 3}
    assert not any(dice.chance(0) for _ in range(100))
    assert all(dice.chance(100) for _ in range(100))


@pytest.mark.parametrize("degree", [-400, -90, -1, 0, 1, 89, 90, 91, 180, 270, 359, 360, 721])
def test_sine_is_the_sine(degree):
    assert abs(sine(degree) / ONE - math.sin(math.radians(degree))) < 1 / ONE


def test_a_face_seen_from_straight_ahead_keeps_its_shape():
    corners = np.array([[-UNIT, -UNIT], [UNIT, UNIT], [0, 0]])
    landed = project(pose((6400, 3200), 640), corners)
    assert landed.tolist() == [[5760, 2560], [7040, 3840], [6400, 3200]]


def rotation(yaw, pitch, roll):
    (sy, cy), (sp, cp), (sr, cr) = ((math.sin(math.radians(a)), math.cos(math.radians(a))) for a in (yaw, pitch, roll))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


@given(st.integers(-70, 70), st.integers(-30, 30), st.integers(-30, 30), st.integers(3, 12))
@settings(max_examples=60, deadline=None)
def test_pose_is_a_pinhole_camera(yaw, pitch, roll, distance):
    corners = np.array([[-UNIT, -UNIT], [UNIT, -UNIT], [UNIT, UNIT], [-UNIT, UNIT]])
    x, y, z = rotation(yaw, pitch, roll) @ np.concatenate([corners / UNIT, np.zeros((4, 1))], axis=1).T
    expected = np.stack([x, y], axis=1) * (distance / (distance + z))[:, None] * 2000 + (8000, 9000)
    landed = project(pose((8000, 9000), 2000, yaw, pitch, roll, distance), corners)
    assert np.abs(landed - expected).max() < 3  # 64ths of a pixel


def test_turning_makes_the_nearer_side_longer():
    corners = np.array([[-UNIT, -UNIT], [-UNIT, UNIT], [UNIT, -UNIT], [UNIT, UNIT]])
    left_top, left_bottom, right_top, right_bottom = project(pose((0, 0), 6400, yaw=40), corners)
    assert right_bottom[1] - right_top[1] > left_bottom[1] - left_top[1] + SUBPIXEL


def test_spans_of_a_rectangle():
    first, left, right = spans(square)
    assert (first, left.tolist(), right.tolist()) == (0, [0] * 5, [10] * 5)


def convex(points):
    """Corners of the smallest convex polygon about some points, in order: Andrew's monotone chain."""
    points = sorted(set(points))
    if len(points) < 3:
        return points
    chains = []
    for side in (points, points[::-1]):
        chain = []
        for p in side:
            while len(chain) > 1:
                (ax, ay), (bx, by) = chain[-2], chain[-1]
                if (bx - ax) * (p[1] - ay) - (by - ay) * (p[0] - ax) > 0:
                    break
                chain.pop()
            chain.append(p)
        chains.append(chain[:-1])
    return chains[0] + chains[1]


points = (
    st.lists(st.tuples(st.integers(-200, 1400), st.integers(-200, 1400)), min_size=3, max_size=8).map(convex).filter(lambda p: len(p) > 2)
)


@given(points, st.booleans())
@settings(max_examples=80, deadline=None)
def test_paint_is_point_in_polygon(corners, backwards):
    polygon = np.array(corners[::-1] if backwards else corners, dtype=np.int64)
    canvas = np.zeros((18, 18), dtype=np.int16)
    area, box = paint(canvas, polygon, 7)
    y, x = np.mgrid[0:18, 0:18] * SUBPIXEL + SUBPIXEL // 2
    distance = np.full((18, 18), np.inf)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):  # how far inside each edge, in 64ths of a pixel
        distance = np.minimum(distance, ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / math.hypot(bx - ax, by - ay))
    assert (canvas[distance > 1] == 7).all()
    assert (canvas[distance < -1] == 0).all()
    assert area >= (canvas == 7).sum()
    if box is None:
        assert (canvas == 0).all()
    else:
        rows, columns = np.nonzero(canvas)
        assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@pytest.mark.parametrize("shift", [(-900, 0), (0, -900), (2000, 0), (0, 2000)], ids=["left", "above", "right", "below"])
def test_paint_off_the_canvas_paints_nothing(shift):
    canvas = np.zeros((8, 8), dtype=np.int16)
    assert paint(canvas, square + np.array(shift), 1) == (50, None)
    assert canvas.sum() == 0


def test_paint_counts_what_is_off_the_canvas_too():
    canvas = np.zeros((8, 8), dtype=np.int16)
    assert paint(canvas, square - np.array((320, 128)), 3) == (50, (0, 0, 5, 3))
    assert (canvas == 3).sum() == 15


def test_outlines_are_what_they_were():
    digest = hashlib.sha256()
    for name in (*SIGN_CLASSES, *LOOKALIKES):
        digest.update(OUTLINES[name].astype("<i4").tobytes())
    assert digest.hexdigest()[:16] == OUTLINE_HASH


@pytest.mark.parametrize("name", [*SIGN_CLASSES, *LOOKALIKES])
def test_outlines_are_convex_and_fill_their_face(name):
    outline = OUTLINES[name]
    a, b, c = outline, np.roll(outline, -1, axis=0), np.roll(outline, -2, axis=0)
    turns = (b - a)[:, 0] * (c - b)[:, 1] - (b - a)[:, 1] * (c - b)[:, 0]
    assert (turns >= 0).all() or (turns <= 0).all()
    assert 230 <= np.abs(outline).max() <= 288


def test_every_face_looks_different():
    pictures = {name: np.asarray(prints(name, 0)[2].convert("RGB").resize((24, 24))).astype(int) for name in (*SIGN_CLASSES, *LOOKALIKES)}
    names = list(pictures)
    for i, one in enumerate(names):
        for other in names[:i]:
            assert np.abs(pictures[one] - pictures[other]).mean() > 3, (one, other)


DICE_THROWS = [631, -4, 0, 34, 208, 82]
OUTLINE_HASH = "52098c44a3a99a12"
