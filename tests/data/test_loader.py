import dataclasses
import time

import pytest
import torch

from coursekit.data import loader
from coursekit.data.loader import Batches, CachedDataset, ahead, collate, derive_seed
from coursekit.data.transforms import Augment


class Counting:
    """Ten images of different sizes with one box each; counts how often each is decoded."""

    classes = ("thing",)

    def __init__(self, length=10):
        self.reads = [0] * length

    def __len__(self):
        return len(self.reads)

    def __getitem__(self, index):
        self.reads[index] += 1
        image = torch.randint(0, 255, (3, 20 + index, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(index))
        boxes = torch.tensor([[4.0, 4.0, 24.0, 16.0]])
        area = torch.tensor([240.0])
        return image, {"boxes": boxes, "labels": torch.tensor([0]), "image_id": index, "area": area, "iscrowd": torch.tensor([0])}


@pytest.fixture
def cached():
    return CachedDataset(Counting(), (32, 48))


def same(batches1, batches2):
    pairs = list(zip(batches1, batches2, strict=True))
    return bool(pairs) and all(
        torch.equal(a, b) and all(torch.equal(s["boxes"], t["boxes"]) for s, t in zip(ta, tb, strict=True)) for (a, ta), (b, tb) in pairs
    )


def test_an_image_is_decoded_once_and_has_the_size_asked_for(cached):
    for _ in range(3):
        image, target = cached[4]
        assert image.shape == (3, 32, 48)
    assert cached.dataset.reads == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert cached.classes == ("thing",)
    assert target["original_hw"] == (24, 40)
    torch.testing.assert_close(target["placement"].undo(target["boxes"]), torch.tensor([[4.0, 4.0, 24.0, 16.0]]))
    counts = []
    cached.fill(counts.append)
    assert counts == list(range(1, 11))
    assert cached.dataset.reads == [1] * 10


def test_filling_stops_at_the_deadline_and_leaves_what_is_not_kept(cached, monkeypatch):
    cached.fill(deadline=time.perf_counter() - 1)
    assert cached.dataset.reads == [0] * 10
    monkeypatch.setattr(loader, "memory_limit", lambda: 10_000)
    kept_nowhere = CachedDataset(Counting(), (32, 48))
    kept_nowhere.fill()
    assert kept_nowhere.dataset.reads == [0] * 10


def test_what_does_not_fit_into_memory_is_decoded_each_time(monkeypatch):
    monkeypatch.setattr(loader, "memory_limit", lambda: 10_000)
    cached = CachedDataset(Counting(), (32, 48))
    first, second = cached[2][0], cached[2][0]
    assert not cached.cached
    assert torch.equal(first, second)
    assert cached.dataset.reads[2] == 2


def test_grey_images_become_three_channels():
    class Grey(Counting):
        def __getitem__(self, index):
            image, target = super().__getitem__(index)
            return image[:1], target

    image, _ = CachedDataset(Grey(), (32, 48))[0]
    assert image.shape == (3, 32, 48)
    assert torch.equal(image[0], image[2])


@pytest.mark.parametrize(
    ("last", "count", "shapes", "lengths"),
    [("drop", 2, [4, 4], [4, 4]), ("pad", 3, [4, 4, 4], [4, 4, 2]), ("keep", 3, [4, 4, 2], [4, 4, 2])],
)
def test_the_last_batch(cached, last, count, shapes, lengths):
    batches = Batches(cached, batch=4, last=last)
    made = list(batches.epoch(0))
    assert len(batches) == count
    assert [len(images) for images, _ in made] == shapes
    assert [len(targets) for _, targets in made] == lengths
    assert all(images.dtype == torch.uint8 and images.is_contiguous(memory_format=torch.channels_last) for images, _ in made)
    if last == "pad":
        assert (made[-1][0][2:] == 114).all()


def test_every_sample_comes_once_an_epoch_in_an_order_of_its_own(cached):
    batches = Batches(cached, batch=5, seed=3)
    orders = [[t["image_id"] for _, targets in batches.epoch(e) for t in targets] for e in (0, 0, 1)]
    assert sorted(orders[0]) == sorted(orders[2]) == list(range(10))
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert Batches(cached, batch=5, seed=4).order(0) != batches.order(0)
    assert Batches(cached, batch=5, shuffle=False).order(7) == list(range(10))


def test_a_resumed_run_sees_the_batches_of_one_that_never_stopped(cached):
    torch.manual_seed(0)
    whole = [list(Batches(cached, batch=3, seed=5, augment=Augment()).epoch(e)) for e in range(3)]
    torch.manual_seed(99)  # nothing global may matter
    fresh = Batches(CachedDataset(Counting(), (32, 48)), batch=3, seed=5, augment=Augment())
    assert same(whole[2], fresh.epoch(2))
    assert same(whole[1][1:], fresh.epoch(1, start=1))
    assert not same(whole[1], fresh.epoch(2))


def test_mosaic_can_be_closed_between_epochs(cached):
    batches = Batches(cached, batch=5, augment=Augment(mosaic=1.0, mosaic_scale=(0.2, 0.2)))
    with_mosaic = next(batches.epoch(0))[0]
    batches.augment = dataclasses.replace(batches.augment, mosaic=0)
    assert not torch.equal(next(batches.epoch(0))[0], with_mosaic)


@pytest.mark.parametrize("how", [{"prefetch": 2}, {"workers": 3}, {"prefetch": 1, "workers": 2}])
def test_batches_made_by_threads_are_the_same(cached, how):
    threads = torch.get_num_threads()
    plain, threaded = Batches(cached, batch=3, augment=Augment()), Batches(cached, batch=3, augment=Augment(), **how)
    assert same(plain.epoch(1), threaded.epoch(1))
    assert torch.get_num_threads() == threads


def test_augmentation_sees_no_grey_bars(cached):
    """A wide white image on a square canvas: zoomed in, it fills the canvas; its own bars are not part of it."""

    class White(Counting):
        def __getitem__(self, index):
            return torch.full((3, 20, 80), 255, dtype=torch.uint8), super().__getitem__(index)[1]

    white = CachedDataset(White(), (80, 80))
    assert (white[0][0] == 114).any()
    plain = Augment(mosaic=0, translate=0, brightness=0, contrast=0, saturation=0, hue=0, scale=(4, 4))
    image, target = next(Batches(white, 1, augment=plain).epoch(0))[0][0], Batches(white, 1, augment=plain).sample(0, 0)[1]
    assert image.shape == (3, 80, 80)
    assert (image == 255).all()
    assert "placement" not in target  # it would be wrong now
    tiles = Augment(mosaic=1, mosaic_scale=(8, 8), brightness=0, contrast=0, saturation=0, hue=0)
    assert (Batches(white, 1, augment=tiles).sample(0, 0)[0] == 255).all()


def test_a_reader_that_stops_early_stops_the_thread(cached):
    made = []

    def count():
        for number in range(1000):
            made.append(number)
            yield number

    iterator = ahead(count(), depth=2)
    assert next(iterator) == 0
    iterator.close()
    assert len(made) <= 5


def test_an_error_in_the_thread_reaches_the_reader():
    def broken():
        yield 1
        raise ValueError("image 7 cannot be read")

    iterator = ahead(broken(), depth=2)
    assert next(iterator) == 1
    with pytest.raises(ValueError, match="image 7 cannot be read"):
        next(iterator)


def test_seeds_do_not_meet():
    seeds = {derive_seed(s, e, i) for s in range(5) for e in range(20) for i in range(50)}
    assert len({seed % 2**32 for seed in seeds}) == len(seeds) == 5000  # torch's CPU generator uses the lower half only
    assert derive_seed(0, 1, 2) != derive_seed(0, 2, 1)
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: CachedDataset(d, (0, 5)), "size_hw must be"),
        (lambda d: Batches(d, batch=0), "batch must be at least 1, got 0"),
        (lambda d: Batches(d, batch=11), "batch must be at most the data set's 10 samples, got 11"),
        (lambda d: Batches(d, batch=2, last="loop"), "last must be 'drop', 'pad' or 'keep', got 'loop'"),
        (lambda d: collate([d[0], d[1]]), r"number 1 is \(3, 21, 40\)"),
    ],
)
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call(Counting())
