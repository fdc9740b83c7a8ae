"""The adapter keeps what our own transforms keep: boxes inside, on their object, none invented, every field with its box."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.data import albumentations as adapter
from coursekit.data.targets import empty_target

A = pytest.importorskip("albumentations", reason="albumentations is optional")
pytestmark = pytest.mark.filterwarnings("ignore:Got processor for bboxes, but no transform")
SIZE = (48, 64)


def drawn(*rows, size=SIZE):
    image = torch.zeros(3, *size, dtype=torch.uint8)
    for x1, y1, x2, y2 in rows:
        image[0, int(y1) : int(y2), int(x1) : int(x2)] = 255
    boxes = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) / 2
    labels = torch.arange(len(boxes))
    return image, {"boxes": boxes, "labels": labels, "image_id": 7, "area": area, "iscrowd": labels % 2}


def red_box(image):
    ys, xs = (image[0] > 127).nonzero(as_tuple=True)
    return torch.tensor([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).float() if len(xs) else None


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


PIPELINES = {
    "nothing": list,
    "flips": lambda: [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)],
    "crop and resize": lambda: [A.RandomResizedCrop((40, 40), scale=(0.2, 1.0))],
    "affine": lambda: [A.Affine(rotate=(-20, 20), scale=(0.7, 1.3), translate_percent=(-0.2, 0.2))],
    "colours": lambda: [A.CLAHE(), A.RandomBrightnessContrast(), A.GaussNoise()],
    "all": lambda: [A.RandomResizedCrop((64, 48)), A.Rotate(limit=15), A.HorizontalFlip(), A.ColorJitter()],
}
TRANSFORMS = {name: adapter.albumentations_transform(make()) for name, make in PIPELINES.items()}
ON_OBJECT = {"nothing": 0, "flips": 0, "crop and resize": 2.0}  # tolerance in pixels; what turns a box makes it larger

sides = st.tuples(st.integers(0, 50), st.integers(0, 34), st.integers(3, 40), st.integers(3, 40))
box = sides.map(lambda s: (s[0], s[1], min(s[0] + s[2], SIZE[1]), min(s[1] + s[3], SIZE[0])))
seeds = st.integers(0, 2**31)


@pytest.mark.parametrize("name", PIPELINES)
def test_no_boxes_in_no_boxes_out(name):
    image, target = drawn()
    _, new = TRANSFORMS[name](image, target, generator())
    assert new["boxes"].shape == (0, 4)
    assert new["boxes"].dtype == torch.float32
    assert new["labels"].shape == new["area"].shape == new["iscrowd"].shape == (0,)
    assert TRANSFORMS[name](image, empty_target(3), generator())[1]["image_id"] == 3


@pytest.mark.parametrize("name", PIPELINES)
@settings(max_examples=20, deadline=None)
@given(rows=st.lists(box, min_size=1, max_size=4), seed=seeds)
def test_boxes_stay_inside_with_all_their_fields_and_none_is_invented(name, rows, seed):
    image, target = drawn(*rows)
    new_image, new = TRANSFORMS[name](image, target, generator(seed))
    height, width = new_image.shape[1:]
    assert new_image.dtype == torch.uint8
    assert new["boxes"].dtype == torch.float32
    assert new["labels"].dtype == torch.int64
    assert all(len(new[field]) == len(new["boxes"]) for field in ("labels", "area", "iscrowd"))
    assert (new["boxes"][:, :2] >= 0).all()
    assert (new["boxes"][:, 2:] <= torch.tensor([width, height])).all()
    assert (new["boxes"][:, 2:] > new["boxes"][:, :2]).all()
    labels = new["labels"].tolist()
    assert len(set(labels)) == len(labels)
    assert set(labels) <= set(range(len(rows)))
    assert (new["iscrowd"] == new["labels"] % 2).all()
    torch.testing.assert_close(new["area"], (new["boxes"][:, 2:] - new["boxes"][:, :2]).prod(dim=1) / 2, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(("name", "tolerance"), ON_OBJECT.items())
@settings(max_examples=30, deadline=None)
@given(row=box, seed=seeds)
def test_box_lies_on_its_object(name, tolerance, row, seed):
    new_image, new = TRANSFORMS[name](*drawn(row), generator(seed))
    seen = red_box(new_image)
    if len(new["boxes"]) and seen is not None:
        torch.testing.assert_close(new["boxes"][0], seen, atol=max(tolerance, 1e-4), rtol=0)


@pytest.mark.parametrize("name", PIPELINES)
def test_the_generator_decides_everything(name):
    image, target = drawn((10, 10, 30, 20), (12, 5, 20, 40))
    one, two = (TRANSFORMS[name](image, target, generator(5)) for _ in range(2))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1]["boxes"], two[1]["boxes"])
    results = [TRANSFORMS[name](image, target, generator(seed))[0] for seed in range(8)]
    assert name == "nothing" or any(r.shape != results[0].shape or not torch.equal(r, results[0]) for r in results)


# Shares that rounding puts outside [0, 1], or makes equal: each raised in some release of albumentations.
@pytest.mark.parametrize(
    ("row", "size", "kept"),
    [
        ((0, 0, 1 / 3 * 3, 47.99999), (48, 64), 1),
        ((13.000001, 0.1, 333.0001, 499.99999), (500, 333), 1),
        ((-0.00001, -3, 20, 20), (48, 64), 1),
        ((0, 0, 640.0001, 480.0001), (480, 640), 1),
        ((100, 100, 100.00001, 120), (480, 640), None),  # as a share, no width that float32 can hold: kept or not, no error
        ((5, 5, 5, 9), (48, 64), 0),
        ((70, 50, 80, 60), (48, 64), 0),
    ],
    ids=["thirds", "past the edge by rounding", "below zero", "past both", "thinner than a rounding step", "no width", "outside"],
)
@pytest.mark.parametrize("name", ["nothing", "flips"])
def test_boxes_that_rounding_spoils(row, size, kept, name):
    image, target = drawn(row, size=size)
    _, new = TRANSFORMS[name](image, target, generator())
    assert kept is None or len(new["boxes"]) == kept


def test_a_compose_is_taken_apart():
    composed = adapter.albumentations_transform(A.Compose([A.HorizontalFlip(p=1.0)]))
    assert composed(*drawn((0, 0, 10, 20)), generator())[1]["boxes"].tolist() == [[54, 0, 64, 20]]


def test_what_is_cut_away_is_dropped():
    transform = adapter.albumentations_transform([A.Crop(0, 0, 20, 48)], min_visible=0.5)
    _, new = transform(*drawn((0, 0, 10, 10), (18, 0, 38, 10)), generator())
    assert new["labels"].tolist() == [0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: adapter.albumentations_transform([A.ToFloat()])(*drawn(), generator()),
            "transforms must give back uint8 pixels, got float32",
        ),
        (lambda: adapter.albumentations_transform([], min_visible=1.0), r"min_visible must be in \[0, 1\), got 1\.0"),
        (lambda: adapter.albumentations_transform([])(torch.zeros(3, 4, 4), {}, generator()), "image must be a uint8 tensor"),
    ],
)
def test_errors_name_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_without_it_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "albumentations", None)
    with pytest.raises(ImportError, match=r'Install it with: pip install "albumentations==2\.0\.8"'):
        adapter.albumentations_transform([])


def test_importing_ours_imports_it_not_and_using_it_asks_nobody():
    """In a process of its own, where every attempt to open a connection is an error that cannot be swallowed."""
    program = """
import socket, sys, os
os.environ.pop("NO_ALBUMENTATIONS_UPDATE", None)
def refuse(*args, **kwargs):
    print("CONNECTION TRIED", args)
    os._exit(3)
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from coursekit.data.albumentations import albumentations_transform
assert "albumentations" not in sys.modules
import torch
albumentations_transform([])(torch.zeros(3, 8, 8, dtype=torch.uint8), {"boxes": torch.zeros(0, 4)}, torch.Generator())
assert "albumentations" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
