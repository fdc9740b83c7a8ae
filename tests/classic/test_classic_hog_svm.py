"""HOG and a linear machine: on patches, slid over pictures, mended by its own mistakes."""

import numpy as np
import pytest
import torch

from coursekit.boxes import box_iou
from coursekit.classic.hog_svm import CELL, WINDOW, Linear, cut_out, describe, detect, hard_negatives, scan, score_map, train_svm
from coursekit.classic.photos import FACES, PHOTOS, faces_in, grey, photograph
from coursekit.data.labelled import labelled_images
from coursekit.sliding.windows import crops, grid, windows


@pytest.fixture(scope="module")
def model():
    faces = labelled_images("faces", "train")
    return train_svm(faces.images[:, 0], faces.labels)


def test_held_out_faces_are_told_apart(model):
    for split in ("val", "test"):
        held = labelled_images("faces", split)
        assert ((model(describe(held.images[:, 0])) > 0) == held.labels.numpy()).mean() >= 0.9
    assert describe(np.zeros((0, WINDOW, WINDOW))).shape == (0, 1296)


def test_the_map_holds_the_score_of_every_crop(model):
    picture = torch.randint(0, 256, (1, 41, 53), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    boxes = windows((41, 53), WINDOW, CELL)
    crops_ = torch.cat(list(crops(picture, boxes)))[:, 0]
    scores = score_map(picture[0].numpy(), model)
    assert scores.shape == grid((41, 53), WINDOW, CELL) == (6, 10)
    np.testing.assert_allclose(scores.ravel(), model(describe(crops_)), atol=1e-10)
    assert score_map(np.zeros((24, 90)), model).shape == (0, 0)


def test_scan_scores_each_window_by_what_is_in_it():
    picture = torch.zeros(1, 60, 80, dtype=torch.uint8)
    picture[:, 21:46, 30:55] = torch.randint(0, 256, (25, 25), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    boxes, scores = scan(picture, Linear(describe(picture[:, 21:46, 30:55])[0], 0.0), [1.0])
    assert boxes[scores.argmax()].tolist() == [30, 21, 55, 46]


def test_scan_gives_boxes_in_pixels_of_the_picture(model):
    boxes, scores = scan(torch.zeros(1, 100, 150, dtype=torch.uint8), model, [1.0, 0.5, 0.2])
    assert len(boxes) == len(scores) == 26 * 42 + 9 * 17  # at the third scale no window fits
    assert boxes[0].tolist() == [0, 0, 25, 25]
    assert boxes[26 * 42].tolist() == [0, 0, 50, 50]
    assert boxes.max() <= 150
    assert scan(torch.zeros(1, 9, 9, dtype=torch.uint8), model, [1.0])[0].shape == (0, 4)


def test_a_colour_image_is_named(model):
    with pytest.raises(ValueError, match=r"image must have shape \(1, H, W\), got \(3, 30, 30\)"):
        scan(torch.zeros(3, 30, 30, dtype=torch.uint8), model, [1.0])


def test_detect_finds_the_face_of_a_patch_on_grey(model):
    face = labelled_images("faces", "test")
    face = face.images[face.labels == 1][0]
    picture = torch.full((1, 100, 100), 128, dtype=torch.uint8)
    picture[:, 40:65, 50:75] = face
    found = detect(picture, model, [1.0])
    assert box_iou(found.boxes[:1], torch.tensor([[50.0, 40, 75, 65]])).item() > 0.6


def test_cut_out_has_the_size_of_the_window():
    picture = torch.arange(100, dtype=torch.uint8).repeat(100, 1)[None]
    patches = cut_out(picture, torch.tensor([[10.0, 0, 35, 25], [-5, 20, 45, 70]]))
    assert patches.shape == (2, 25, 25)
    assert torch.equal(patches[0], picture[0, :25, 10:35])
    assert cut_out(picture, torch.zeros(0, 4)).shape == (0, 25, 25)


BOXES = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [1, 0, 11, 10], [40, 0, 50, 10], [23, 0, 33, 10]])
SCORES = torch.tensor([0.9, 0.8, 0.5, -0.1, 0.8])


@pytest.mark.parametrize(
    ("faces", "count", "expected"),
    [
        ([], 9, [0, 1, 4, 2]),
        ([], 2, [0, 1]),
        ([], 0, []),
        ([[0, 0, 10, 10]], 9, [1, 4]),
        ([[0, 0, 10, 10], [20, 0, 30, 10]], 9, []),
        ([[20, 0, 30, 10], [90, 0, 99, 9]], 9, [0, 2]),
        ([[27, 0, 37, 10]], 9, [0, 1, 2]),
    ],
    ids=["no face", "two of them", "none wanted", "one face", "two faces", "a face far away", "touched a little"],
)
def test_hard_negatives_by_hand(faces, count, expected):
    got = hard_negatives(BOXES, SCORES, torch.tensor(faces).reshape(-1, 4).float(), count)
    assert torch.equal(got, BOXES[expected])


def test_photographs_are_here_without_a_network():
    for name in PHOTOS:
        assert photograph(name).shape[0] == 3
    assert grey(photograph("astronaut")).shape == (1, 512, 512)
    assert set(FACES) <= set(PHOTOS)
    assert faces_in("coffee").shape == (0, 4)
    assert faces_in("astronaut").shape == (1, 4)
    with pytest.raises(ValueError, match=r"name must be one of astronaut, .*, got 'lena'"):
        photograph("lena")


def test_grey_equals_opencvs_to_one_step():
    cv2 = pytest.importorskip("cv2")
    image = photograph("coffee")
    theirs = cv2.cvtColor(image.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2GRAY)
    assert np.abs(grey(image)[0].numpy().astype(int) - theirs).max() <= 1
