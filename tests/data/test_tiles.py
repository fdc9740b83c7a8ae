"""Windows that cover an image, and training crops out of large ones."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.data import tiles
from coursekit.data.loader import Batches
from coursekit.data.tiles import TrainingTiles, background_window, occupied_cells, tile_windows, window_around
from coursekit.data.transforms import Augment


@st.composite
def layouts(draw):
    tile = draw(st.integers(1, 40))
    return (draw(st.integers(1, 120)), draw(st.integers(1, 120))), tile, draw(st.integers(0, tile - 1))


@settings(deadline=None)
@given(layouts())
def test_windows_cover_every_pixel_stay_inside_and_have_one_size(layout):
    (height, width), tile, overlap = layout
    windows = tile_windows((height, width), tile, overlap)
    covered = torch.zeros(height, width, dtype=torch.bool)
    for x1, y1, x2, y2 in windows:
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        assert (x2 - x1, y2 - y1) == (min(tile, width), min(tile, height))
        covered[y1:y2, x1:x2] = True
    assert covered.all()
    assert len(set(windows)) == len(windows)


@settings(deadline=None)
@given(layouts())
def test_neighbours_share_the_overlap_and_one_window_less_could_not(layout):
    (height, width), tile, overlap = layout
    windows = tile_windows((height, width), tile, overlap)
    columns, rows = sorted({w[0] for w in windows}), sorted({w[1] for w in windows})
    assert len(windows) == len(columns) * len(rows)
    for starts, length in ((columns, width), (rows, height)):
        assert all(first + tile - second >= overlap for first, second in pairwise(starts))
        count = len(starts) - 1
        assert count == 0 or count * tile - (count - 1) * overlap < length  # so many windows in a row reach less far than the side


@settings(deadline=None)
@given(layouts(), st.data())
def test_what_is_no_larger_than_the_overlap_is_whole_in_some_window(layout, data):
    (height, width), tile, overlap = layout
    side = min(overlap, height, width)
    x, y = data.draw(st.integers(0, width - side)), data.draw(st.integers(0, height - side))
    windows = tile_windows((height, width), tile, overlap)
    assert any(x1 <= x and y1 <= y and x + side <= x2 and y + side <= y2 for x1, y1, x2, y2 in windows)


def test_windows_by_hand():
    assert tile_windows((4, 10), 4, 1) == [(0, 0, 4, 4), (3, 0, 7, 4), (6, 0, 10, 4)]
    assert tile_windows((4, 9), 4, 1) == [(0, 0, 4, 4), (3, 0, 7, 4), (5, 0, 9, 4)]
    assert tile_windows((3, 2), 4, 1) == [(0, 0, 2, 3)]
    assert tile_windows((4, 4), 4, 3) == [(0, 0, 4, 4)]
    assert len(tile_windows((3000, 4000), 320, 80)) == 13 * 17


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((10, 10), 0, 0), "tile must be at least 1 pixel, got 0"),
        (((10, 10), 4, 4), r"overlap must be at least 0 and below tile \(4 pixels\), got 4"),
        (((10, 10), 4, -1), r"overlap must be at least 0 and below tile \(4 pixels\), got -1"),
        (((0, 10), 4, 1), r"size_hw must be \(height, width\), both at least 1, got \(0, 10\)"),
    ],
)
def test_bad_layouts_are_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        tile_windows(*arguments)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.data())
def test_a_window_around_an_object_holds_it_whole_or_lies_within_it(height, width, tile, data):
    x1, y1 = data.draw(st.floats(0, width - 0.5, width=32)), data.draw(st.floats(0, height - 0.5, width=32))
    x2, y2 = data.draw(st.floats(x1, width, width=32)), data.draw(st.floats(y1, height, width=32))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 1000)))
    window = window_around(torch.tensor([x1, y1, x2, y2]), (height, width), tile, generator)
    for low, high, start, end, length in ((x1, x2, window[0], window[2], width), (y1, y2, window[1], window[3], height)):
        assert 0 <= start < end <= length
        assert end - start == min(tile, length)
        if math.ceil(high) - math.floor(low) <= end - start:
            assert start <= low
            assert high <= end
        else:
            assert math.floor(low) <= start
            assert end <= math.ceil(high)


def test_every_place_of_a_window_around_an_object_comes_up():
    generator = torch.Generator().manual_seed(0)
    starts = {window_around(torch.tensor([20.0, 8, 24, 12]), (20, 40), 10, generator)[0] for _ in range(300)}
    assert starts == set(range(14, 21))


def test_background_is_background_where_there_is_any():
    generator = torch.Generator().manual_seed(0)
    boxes = torch.tensor([[0.0, 0, 50, 60]])
    for _ in range(50):
        x1, _, _, _ = background_window(boxes, (60, 100), 20, generator, tries=200)
        assert x1 >= 50
    assert background_window(torch.tensor([[0.0, 0, 60, 60]]), (60, 60), 20, generator) is not None  # all covered: any window will do
    assert background_window(torch.zeros(0, 4), (60, 60), 20, generator) is not None


def test_objects_by_the_square_that_holds_their_centre():
    boxes = torch.tensor([[1.0, 1, 3, 3], [12, 1, 14, 3], [2, 2, 6, 6], [1, 25, 3, 27], [8, 0, 12.5, 4]])
    assert [cell.tolist() for cell in occupied_cells(boxes, 10)] == [[0, 2], [1, 4], [3]]
    assert occupied_cells(torch.zeros(0, 4), 10) == []


class Photographs:
    """Large noise with bright squares: sample 0 holds a pair and one alone, sample 1 nothing, sample 2 a crowd and one."""

    classes = ("square",)
    boxes = (([30, 30, 40, 40], [44, 30, 54, 40], [200, 150, 210, 160]), (), ([0, 0, 240, 10], [100, 100, 110, 110]))

    def __init__(self):
        self.reads = [0] * 3

    def __len__(self):
        return 3

    def __getitem__(self, index):
        self.reads[index] += 1
        image = torch.randint(0, 60, (3, 180, 240), dtype=torch.uint8, generator=torch.Generator().manual_seed(index))
        boxes = torch.tensor(self.boxes[index], dtype=torch.float32).reshape(-1, 4)
        crowd = torch.tensor([int(index == 2 and row == 0) for row in range(len(boxes))])
        for x1, y1, x2, y2 in boxes[crowd == 0].int().tolist():
            image[:, y1:y2, x1:x2] = 255
        area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
        return image, {
            "boxes": boxes,
            "labels": torch.zeros(len(boxes), dtype=torch.int64),
            "image_id": index,
            "area": area,
            "iscrowd": crowd,
        }


def test_samples_are_crops_with_objects_and_a_share_without():
    crops = TrainingTiles(Photographs(), 64, (64, 64), background=0.4)
    assert (crops.with_objects, len(crops)) == (3, 5)
    for crops.epoch in range(40):
        for index in range(len(crops)):
            image, target = crops[index]
            assert image.shape == (3, 64, 64)
            real = target["boxes"][target["iscrowd"] == 0]
            assert len(real) if index < 3 else not len(real)
            for x1, y1, x2, y2 in real.int().tolist():
                assert (image[:, y1:y2, x1:x2] == 255).all()  # the box is where the square is
                assert (x2 - x1) * (y2 - y1) >= 50  # half of 10 x 10
    assert "5 crops of 64 pixels each epoch out of 3 pictures (kept in memory): 3 with objects, 2 of background" in crops.describe()


def test_an_object_that_a_window_cuts_too_much_is_no_example():
    lenient = TrainingTiles(Photographs(), 20, (20, 20), background=0, min_visible=0.01)
    strict = TrainingTiles(Photographs(), 20, (20, 20), background=0, min_visible=1.0)
    counts = [0, 0]
    for lenient.epoch in range(60):
        strict.epoch = lenient.epoch
        for index in range(len(lenient)):
            counts[0] += len(lenient[index][1]["boxes"])
            kept = strict[index][1]
            counts[1] += len(kept["boxes"])
            side = kept["boxes"][:, 2:] - kept["boxes"][:, :2]
            assert (side[kept["iscrowd"] == 0] == 10).all()
    assert counts[0] > counts[1] > 0


def test_other_crops_each_epoch_the_same_for_the_same_seed():
    first, again, other = (TrainingTiles(Photographs(), 64, (64, 64), seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first[0][0], again[0][0])
    assert not torch.equal(first[0][0], other[0][0])
    before = first[0][0]
    first.epoch = 1
    assert not torch.equal(first[0][0], before)
    batches = Batches(first, 2, seed=3, augment=Augment())
    again.epoch = 1
    resumed = Batches(again, 2, seed=3, augment=Augment(), prefetch=2)
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(batches.epoch(1), resumed.epoch(1), strict=True))


def test_images_are_decoded_once_where_they_fit_and_each_time_where_they_do_not(monkeypatch):
    fits = TrainingTiles(Photographs(), 64, (64, 64))
    for index in range(len(fits)):
        assert fits[index] is not None
    assert fits.dataset.reads == [1, 1, 1]
    monkeypatch.setattr(tiles, "memory_limit", lambda: 500_000)  # the three take 388,800 bytes
    tight = TrainingTiles(Photographs(), 64, (64, 64))
    for index in (0, 1, 0):
        assert torch.equal(tight[index][0], fits[index][0])
    assert not tight.cached
    assert tight.dataset.reads[0] == 4  # once for its boxes, then for each crop
    assert "decoded for every crop" in tight.describe()


def test_pictures_from_files_are_not_decoded_to_find_their_boxes(tmp_path):
    from coursekit.data.folder import FolderDataset
    from coursekit.data.formats import read_dataset
    from coursekit.data.signs import write_signs

    dataset = FolderDataset(read_dataset(write_signs(tmp_path / "signs", 3, seed=5, size=128, empty=0), "train"))
    crops = TrainingTiles(dataset, 64, (32, 32))
    assert crops._images == [None] * 3
    image, target = crops[0]
    assert image.shape == (3, 32, 32)
    assert len(target["boxes"])
    assert target["original_hw"] == (64, 64)
    assert crops._images.count(None) == 2


def test_images_smaller_than_a_crop_get_grey_bars():
    image, target = TrainingTiles(Photographs(), 400, (100, 100), background=0)[0]
    assert (image[:, 0] == 114).all()
    torch.testing.assert_close(target["placement"].undo(target["boxes"])[0], torch.tensor([30.0, 30, 40, 40]), atol=0.01, rtol=0)


def test_images_without_any_object_give_background():
    class Empty(Photographs):
        boxes = ((), (), ())

    crops = TrainingTiles(Empty(), 64, (64, 64))
    assert (crops.with_objects, len(crops)) == (0, 3)
    assert crops[0][1]["boxes"].shape == (0, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 0}, "tile must be at least 1 pixel, got 0"),
        ({"background": 1.0}, r"background must be at least 0 and below 1, got 1\.0"),
        ({"dataset": []}, "dataset must hold at least one image, got none"),
    ],
)
def test_bad_arguments_are_one_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        TrainingTiles(**{"dataset": Photographs(), "tile": 64, "size_hw": (64, 64)} | options)
