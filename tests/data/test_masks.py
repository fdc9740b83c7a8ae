"""The generated world of faces: scenes, crops, their labels and pixels."""

import dataclasses
import hashlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.data.masks import DIFFICULTIES, MASK_CLASSES, Difficulty, FaceCrops, MaskScenes
from coursekit.data.masks.draw import draw
from coursekit.data.masks.head import Head, face_outline, head_outline
from coursekit.data.masks.plan import DECOYS, WRONG, plan_crop
from coursekit.data.signs.geometry import SUBPIXEL, Dice, paint

# Labels and whole-number geometry are part of the course: bands and figures are stated for them. They may change with a new version only.
LABEL_HASHES = {
    ("easy", 0, 256): "7f5103ee3a1d6994",
    ("medium", 0, 256): "4c8ab466b2e36c1d",
    ("hard", 7, 256): "d942430003e8b543",
    ("medium", 3, 160): "d5a13af48aea6441",
}
MEAN_COLOURS = """
    82.6 90.6 96.1 98.1 91.5 85.8 70.1 68.8 70.0 45.0 45.9 48.6
    127.8 138.4 136.4 112.7 126.7 122.1 119.9 115.5 73.4 96.1 98.0 89.9
    138.1 140.3 120.7 128.9 136.5 119.1 101.5 100.4 99.5 115.1 122.0 103.8
"""
CROP_LABELS = [0, 1, 2, 0, 2, 1, 1, 2, 0, 1, 0, 2]
CLEAN = {"blur": 0, "noise": 0, "light": 0, "decoys": 0, "empty": 0}


def label_hash(scenes):
    digest = hashlib.sha256()
    for index in range(len(scenes)):
        plan = scenes.plan(index)
        for array in (plan.boxes, plan.labels, plan.seen, plan.shares, plan.instances):
            digest.update(array.astype("<i4").tobytes())
        digest.update("".join(f"{person.wear}{person.looks} " for person in plan.people).encode())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("key", LABEL_HASHES, ids=str)
def test_labels_and_geometry_are_the_same_everywhere(key):
    difficulty, seed, size = key
    assert label_hash(MaskScenes(60, seed, size, difficulty)) == LABEL_HASHES[key]


def test_pixels_are_the_same_to_one():
    """Means over quarters of three scenes; single pixels may differ by 1 between machines, a mean by less."""
    scenes = MaskScenes(3, seed=0)
    means = [scenes.scene(i).image.reshape(2, 128, 2, 128, 3).mean(axis=(1, 3)).ravel() for i in range(3)]
    np.testing.assert_allclose(np.concatenate(means), np.array(MEAN_COLOURS.split(), dtype=float), atol=1.0)


def test_crop_labels_are_the_same_everywhere():
    assert [FaceCrops(12, seed=2).label(i) for i in range(12)] == CROP_LABELS


def test_a_scene_does_not_depend_on_order_or_process():
    here = MaskScenes(6, seed=4)
    backwards = {i: here.scene(i).image for i in (5, 3, 0)}
    np.testing.assert_array_equal(MaskScenes(100, seed=4).scene(3).image, backwards[3])
    np.testing.assert_array_equal(here.scene(-1).image, backwards[5])
    code = (
        "from coursekit.data.masks import MaskScenes as S; import hashlib; print(hashlib.sha256(S(9, seed=4).scene(3).image).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there == hashlib.sha256(np.ascontiguousarray(backwards[3])).hexdigest()


def test_seeds_and_indices_give_other_scenes():
    images = [MaskScenes(2, seed=seed).scene(index).image for seed in (0, 1) for index in (0, 1)]
    assert all((a != b).mean() > 0.5 for i, a in enumerate(images) for b in images[:i])


def test_a_scene_is_a_sample():
    scenes = MaskScenes(30, seed=1)
    for index in range(6):
        image, target = scenes[index]
        scene, count = scenes.scene(index), len(target["labels"])
        assert (image.shape, image.dtype) == ((3, 256, 256), torch.uint8)
        assert image.is_contiguous()
        assert (target["boxes"].shape, target["boxes"].dtype) == ((count, 4), torch.float32)
        assert target["labels"].dtype == target["iscrowd"].dtype == torch.int64
        assert target["image_id"] == index
        assert target["area"].tolist() == [(scene.instances == k + 1).sum() for k in range(count)]


def test_scenes_without_people_have_shape_0_4():
    for scenes in (MaskScenes(1, empty=100), MaskScenes(1, most=0)):
        image, target = scenes[0]
        assert target["boxes"].shape == (0, 4)
        assert target["labels"].shape == target["area"].shape == (0,)
        assert image.float().std() > 1
    assert len(MaskScenes(0)) == 0


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_boxes_are_inside_and_tight_and_instances_agree(difficulty):
    scenes = MaskScenes(60, seed=11, difficulty=difficulty)
    faces = 0
    for index in range(60):
        plan = scenes.plan(index)
        assert len(plan.people) == len(plan.boxes) == len(plan.labels)
        assert [person.label for person in plan.people] == plan.labels.tolist()
        assert np.bincount(plan.instances.ravel(), minlength=len(plan.people) + 1)[1:].tolist() == plan.seen.tolist()
        assert ((plan.shares >= scenes.difficulty.visible) & (plan.shares <= 100)).all()
        for k, (person, box) in enumerate(zip(plan.people, plan.boxes.tolist(), strict=True)):
            assert 0 <= box[0] < box[2] <= 256
            assert 0 <= box[1] < box[3] <= 256
            corners = face_outline(person.head)
            corners = np.array([*corners.min(axis=0), *corners.max(axis=0)]) / SUBPIXEL
            if (corners == corners.clip(0, 256)).all():
                assert np.abs(corners - box).max() <= 1  # tight around the outline
            assert (np.array(box)[:2] >= corners[:2] - 1).all()
            assert (np.array(box)[2:] <= corners[2:] + 1).all()
            rows, columns = np.nonzero(plan.instances == k + 1)
            if plan.shares[k] == 100:
                assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            faces += 1
    assert faces > 60


def test_what_somebody_wears_is_what_the_label_says():
    worn = {0: {"mask"}, 1: {"", *DECOYS}, 2: set(WRONG)}
    scenes = MaskScenes(300, seed=2, mix=(1, 1, 1))
    seen = {label: {p.wear for i in range(300) for p in scenes.plan(i).people if p.label == label} for label in worn}
    assert seen == worn


def test_what_is_drawn_differs_only_where_the_mask_is():
    """The same person in the same light with and without: what changed lies about the lower half of the face, and is not little."""
    difficulty = Difficulty(**CLEAN)
    for label, wear in ((0, "mask"), (2, "nose"), (2, "chin"), (2, "ear")):
        for number in range(6):
            plan = plan_crop(Dice(1, number), 96, difficulty, label)
            plan = dataclasses.replace(plan, people=(dataclasses.replace(plan.people[-1], wear=wear),))
            bare = dataclasses.replace(plan, people=(dataclasses.replace(plan.people[-1], wear=""),))
            one, two = (draw(each, Dice(2, number), difficulty).astype(int) for each in (plan, bare))
            rows, columns = np.nonzero(np.abs(one - two).max(axis=2) > 24)
            x, y = (c / SUBPIXEL for c in plan.people[0].head.center)
            half = plan.people[0].head.half / SUBPIXEL
            assert len(rows) > {"mask": 0.5, "nose": 0.25, "chin": 0.04, "ear": 0.04}[wear] * half**2, (wear, number)
            assert (np.abs(columns - x) < 2 * half).all()
            assert np.median(rows) > y, (wear, number)


def test_heads_turn_nod_and_tilt():
    def size_of(outline):
        area, box = paint(np.zeros((400, 400), dtype=np.int16), outline, 1)
        return area, box

    ahead = Head((200 * SUBPIXEL, 200 * SUBPIXEL), 50 * SUBPIXEL)
    area, box = size_of(face_outline(ahead))
    assert box[0] + box[2] == pytest.approx(400, abs=2)  # even on both sides
    assert box[2] - box[0] == pytest.approx(98, abs=3)
    assert box[3] - box[1] == pytest.approx(117, abs=3)
    turned = dataclasses.replace(ahead, yaw=45)
    assert size_of(face_outline(turned))[0] < 0.9 * area  # less of the face is seen
    assert size_of(face_outline(turned))[1][0] > box[0] + 10  # on the side that turned away
    assert size_of(head_outline(turned))[0] > size_of(head_outline(ahead))[0]  # and more of the head
    mirrored = size_of(face_outline(dataclasses.replace(ahead, yaw=-45)))[1]
    assert mirrored[2] == pytest.approx(400 - size_of(face_outline(turned))[1][0], abs=2)
    tilted = size_of(face_outline(dataclasses.replace(ahead, roll=20)))
    assert tilted[0] == pytest.approx(area, rel=0.02)
    assert tilted[1][2] - tilted[1][0] > box[2] - box[0]


@given(
    seed=st.integers(0, 2**40),
    size=st.integers(64, 320),
    smallest=st.integers(8, 60),
    turn=st.integers(0, 60),
    most=st.integers(0, 16),
    visible=st.integers(0, 100),
    decoys=st.integers(0, 100),
)
@settings(max_examples=30, deadline=None)
def test_whatever_the_knobs_boxes_are_boxes(seed, size, **knobs):
    plan = MaskScenes(3, seed, size, **knobs).plan(1)
    assert len(plan.boxes) == len(plan.labels) == len(plan.seen) == len(plan.shares) <= knobs["most"]
    assert (plan.boxes[:, :2] >= 0).all()
    assert (plan.boxes[:, 2:] <= size).all()
    assert (plan.boxes[:, :2] < plan.boxes[:, 2:]).all()
    assert (plan.shares >= knobs["visible"]).all()
    assert (plan.seen >= 40).all()


def test_classes_are_as_uneven_as_in_the_real_set():
    labels = np.concatenate([MaskScenes(400, seed=3).plan(i).labels for i in range(400)])
    shares = np.bincount(labels, minlength=3) / len(labels)
    np.testing.assert_allclose(shares, np.array([3232, 717, 123]) / 4072, atol=0.03)
    even = np.concatenate([MaskScenes(200, seed=3, mix=(1, 1, 1)).plan(i).labels for i in range(200)])
    np.testing.assert_allclose(np.bincount(even, minlength=3) / len(even), 1 / 3, atol=0.06)


def test_scenes_hold_few_and_many_small_and_large():
    scenes = MaskScenes(300, seed=3)
    boxes = [scenes.plan(i).boxes for i in range(300)]
    counts = [len(one) for one in boxes]
    widths = np.concatenate(boxes)[:, 2] - np.concatenate(boxes)[:, 0]
    assert counts.count(0) >= 3
    assert max(counts) >= 6
    assert np.mean(counts) > 2
    assert (widths < 24).mean() > 0.15
    assert (widths > 60).mean() > 0.05


def test_knobs_turn():
    assert MaskScenes(1, difficulty="hard", most=3).difficulty == dataclasses.replace(DIFFICULTIES["hard"], most=3)
    assert all(len(MaskScenes(20, seed=1, most=1).plan(i).labels) <= 1 for i in range(20))
    assert {p.wear for i in range(60) for p in MaskScenes(60, decoys=0).plan(i).people if p.label == 1} == {""}
    assert {p.wear for i in range(60) for p in MaskScenes(60, mix=(0, 0, 1), wrong=(0, 1, 0)).plan(i).people} == {"chin"}


def test_crops_come_evenly_or_as_in_the_world():
    crops = FaceCrops(30, seed=1)
    labels = [crops[i][1] for i in range(30)]
    assert all(sorted(labels[i : i + 3]) == [0, 1, 2] for i in range(0, 30, 3))
    image, _ = crops[3]
    assert (image.shape, image.dtype) == ((3, 48, 48), torch.uint8)
    assert (FaceCrops(30, seed=1)[3][0] == image).all()
    uneven = FaceCrops(400, seed=1, even=False)
    assert np.bincount([uneven.label(i) for i in range(400)], minlength=3) == pytest.approx([316, 72, 12], abs=30)


def test_crops_show_their_face():
    crops = FaceCrops(90, seed=1, size=64, difficulty="hard", turn=60)
    for index in range(90):
        plan = crops.plan(index)
        assert plan.people[-1].label == crops.label(index)
        x1, y1, x2, y2 = plan.boxes[-1].tolist()
        assert plan.shares[-1] > 90
        assert (x2 - x1) * (y2 - y1) > 0.2 * 64 * 64


@pytest.mark.parametrize("size", [64, 90, 640])
def test_scenes_of_other_sizes(size):
    image, target = MaskScenes(3, seed=1, size=size, difficulty="hard", most=3)[1]
    assert image.shape == (3, size, size)
    assert (target["boxes"] <= size).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MaskScenes(-1), "length must be a whole number of at least 0, got -1"),
        (lambda: MaskScenes(2, seed=-1), "seed must be a whole number of at least 0, got -1"),
        (lambda: MaskScenes(2, size=32), "size must be a whole number of at least 64, got 32"),
        (lambda: MaskScenes(2, size=4096), "size must be at most 1024, got 4096"),
        (lambda: MaskScenes(2, difficulty="extreme"), "difficulty must be one of easy, medium, hard or a Difficulty, got 'extreme'"),
        (lambda: MaskScenes(2, fog=3), "a knob must be one of .*, got fog"),
        (lambda: MaskScenes(2, turn=61), "turn must be between 0 and 60, got 61"),
        (lambda: MaskScenes(2, most=-1), "most must be 0 or more, got -1"),
        (lambda: MaskScenes(2, smallest=200), "smallest must be 8 or more and largest no less than it, got 200 and 100"),
        (lambda: MaskScenes(2, octaves=()), r"octaves must be whole weights of which one is positive, got \(\)"),
        (lambda: MaskScenes(2, mix=(1, 1)), r"mix must be 3 weights of which one is positive, got \(1, 1\)"),
        (lambda: MaskScenes(2, wrong=(0, 0, 0)), "wrong must be 3 weights"),
        (lambda: FaceCrops(2, size=8), "size must be a whole number of at least 16, got 8"),
    ],
)
def test_bad_arguments_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("index", [3, -4])
def test_an_index_outside_is_an_index_error(index):
    with pytest.raises(IndexError, match=rf"index must be in -3 .. 2, got {index}"):
        MaskScenes(3)[index]


def test_datasets_travel_to_workers_and_say_their_classes():
    scenes = MaskScenes(4, seed=1, difficulty="easy")
    assert (pickle.loads(pickle.dumps(scenes))[2][0] == scenes[2][0]).all()
    assert scenes.classes == FaceCrops(1).classes == MASK_CLASSES


def test_plans_and_pictures_need_no_torch_and_no_network():
    code = (
        "import socket, sys\nsocket.socket.connect = None\n"
        "from coursekit.data.masks import MaskScenes\n"
        "for i in range(20): MaskScenes(20, seed=1, size=64).scene(i)\n"
        "print([name for name in ('torch', 'skimage', 'sklearn', 'pooch', 'cv2') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
