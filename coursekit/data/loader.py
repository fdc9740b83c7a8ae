"""From a data set to batches of one shape, without waiting. Taught in notebook 04_data; training uses it in 19_yolo.

Decoding a photograph costs ten times what augmenting it costs. So images are decoded and resized once and kept in memory, as
uint8, and each batch is augmented from there.

    >>> cached = CachedDataset(dataset, size_hw=(256, 320))
    >>> batches = Batches(cached, batch=16, seed=0, augment=Augment())
    >>> for images, targets in batches.epoch(3):   # uint8 (16, 3, 256, 320), list of 16 dicts
    ...     ...
"""

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor

from ..machine import memory_limit
from .geometric import GREY, letterbox, new_canvas
from .on_device import Plan, render
from .targets import Target

Batch = tuple[Tensor, list[Target]]


class CachedDataset:
    """A data set whose samples are letterboxed to one size and, where they fit, kept in memory after the first look.

    Args:
        dataset: map-style, of (uint8 (3, H, W), target).
        size_hw: height and width of every sample in pixels.
        share: of the memory this process may use; a larger cache is not built, and samples are decoded each time (`cached` is False).
        device: a CUDA device that should keep the images; where `share` of its free memory does not hold them, `device` becomes ``"cpu"``.

    A target gains ``placement`` (see `geometric.Placement`) and ``original_hw``: ``target["placement"].undo(boxes)`` brings
    boxes back to the file's own pixels. Its tensors are shared between calls: do not change them in place.
    """

    def __init__(self, dataset, size_hw: tuple[int, int], share: float = 0.4, device: str = "cpu"):
        if len(size_hw) != 2 or min(size_hw) < 1:
            raise ValueError(f"size_hw must be (height, width), both at least 1, got {size_hw}")
        self.dataset, self.size_hw = dataset, (int(size_hw[0]), int(size_hw[1]))
        self.classes = getattr(dataset, "classes", None)
        self._targets: list[Target | None] = [None] * len(dataset)
        fits = device.startswith("cuda") and self.nbytes <= share * torch.cuda.mem_get_info(device)[0]
        self.device = device if fits else "cpu"
        limit = memory_limit()
        self.cached = fits or limit is None or self.nbytes <= share * limit
        # on the CPU, pages of it are given by the system only when they are written to: a partly used cache costs what it holds
        shape = (len(dataset), *self.size_hw, 3)
        self.images = torch.empty(shape, dtype=torch.uint8, device=self.device).permute(0, 3, 1, 2) if self.cached else None

    @property
    def nbytes(self) -> int:
        """Bytes that the images take in memory once all are cached."""
        return len(self._targets) * self.size_hw[0] * self.size_hw[1] * 3

    def __len__(self) -> int:
        return len(self._targets)

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        if self._targets[index] is not None:
            return self.images[index], self._targets[index]
        image, target = self.dataset[index]
        original_hw = tuple(image.shape[1:])
        image, target, placement = letterbox(image.expand(3, -1, -1), target, self.size_hw)
        target = {**target, "placement": placement, "original_hw": original_hw}
        if self.cached:
            self.images[index] = image
            image = self.images[index]
            self._targets[index] = target  # last: another thread takes a target that is there as the sign that its image is
        return image, target

    def fill(self, progress: Callable[[int], None] | None = None, deadline: float = math.inf) -> None:
        """Decode everything that will be kept now rather than in the first epoch; `progress(count)` is called after each image.

        Args:
            deadline: in seconds of `time.perf_counter`; what is not decoded by then is left to the first epoch.
        """
        for index in range(len(self) if self.cached else 0):
            if time.perf_counter() > deadline:
                return
            self[index]
            if progress is not None:
                progress(index + 1)


def derive_seed(*numbers: int) -> int:
    """One 63-bit seed from several whole numbers, well mixed: (0, 1, 2) and (0, 2, 1) have nothing in common.

    Source: the finaliser of splitmix64 (Steele, Lea and Flood 2014), once for each number.
    """
    state = 0
    for number in numbers:
        state = (state + (number & (2**64 - 1)) + 0x9E3779B97F4A7C15) % 2**64
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) % 2**64
        state ^= state >> 31
    return state >> 1


class Batches:
    """The batches of each epoch, in an order that only `seed` and the epoch's number decide.

    Sample ``i`` of epoch ``e`` is augmented with a generator made from ``(seed, e, i)``. So a run that is resumed at epoch 7, or
    in the middle of it, sees exactly the batches of a run that was never stopped, whatever was drawn before.

    A data set that keeps its images on a GPU (`CachedDataset`) is augmented there, a whole batch at once: see `on_device`.

    Args:
        dataset: map-style, of samples of one size (CachedDataset).
        batch: samples in a batch.
        seed: of order and augmentation.
        augment: ``augment(dataset, index, generator) -> sample`` such as `transforms.Augment`; None takes samples as they are.
            May be set between epochs: ``batches.augment = dataclasses.replace(batches.augment, mosaic=0)``.
        shuffle: a new order each epoch; False keeps the data set's.
        last: what becomes of the last batch where it is not full. ``"drop"`` it (training: shapes stay constant, the samples come in
            another epoch); ``"pad"`` it with grey images that have no target, so that shapes stay constant and
            ``zip(predictions, targets)`` stops where the real ones end (evaluation); ``"keep"`` it short.
        prefetch: batches made ahead by a background thread; 0 makes each when it is asked for.
        workers: threads that share the samples of a batch; 0 makes them one after another. For a machine with a GPU and idle
            cores: where the network runs on the CPU too, they only take its cores. The batches are the same whatever is chosen.
        pin: put images into memory that a GPU copies from while it computes; needs a GPU.
        rank, ranks: of several processes that share each batch, which one this is. Process r gets the r-th slice of every batch, so the
            slices side by side are the batch that one process alone would get.
    """

    def __init__(
        self,
        dataset,
        batch: int,
        seed: int = 0,
        augment=None,
        shuffle: bool = True,
        last: str = "drop",
        prefetch: int = 0,
        workers: int = 0,
        pin: bool = False,
        rank: int = 0,
        ranks: int = 1,
    ):
        if last not in ("drop", "pad", "keep"):
            raise ValueError(f"last must be 'drop', 'pad' or 'keep', got {last!r}")
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        if len(dataset) < batch and last == "drop":
            raise ValueError(f"batch must be at most the data set's {len(dataset)} samples, got {batch} (or set last='pad')")
        if batch % ranks:
            raise ValueError(f"batch must be a multiple of the {ranks} processes that share it, got {batch}")
        if ranks > 1 and last != "drop":
            raise ValueError(f"last must be 'drop' where {ranks} processes share each batch, got {last!r}")
        if not 0 <= rank < ranks:
            raise ValueError(f"rank must lie in 0..{ranks - 1}, got {rank}")
        self.dataset, self.batch, self.seed, self.augment = dataset, batch, seed, augment
        self.shuffle, self.last, self.prefetch, self.workers = shuffle, last, prefetch, workers
        self.pin, self.rank, self.ranks = pin, rank, ranks

    def __len__(self) -> int:
        """Batches in an epoch."""
        full, rest = divmod(len(self.dataset), self.batch)
        return full + (rest > 0 and self.last != "drop")

    def order(self, epoch: int) -> list[int]:
        """Indices of the data set in the order of that epoch."""
        if not self.shuffle:
            return list(range(len(self.dataset)))
        generator = torch.Generator().manual_seed(derive_seed(self.seed, epoch))
        return torch.randperm(len(self.dataset), generator=generator).tolist()

    def sample(self, epoch: int, index: int) -> tuple[Tensor, Target]:
        """Sample `index` of the data set as that epoch shows it."""
        if self.augment is None:
            return self.dataset[index]
        return self.augment(self.dataset, index, self._generator(epoch, index))

    def plan(self, epoch: int, index: int) -> Plan:
        """That sample without its pixels, see `on_device.render`."""
        return self.augment.plan(self.dataset, index, self._generator(epoch, index))

    def _generator(self, epoch: int, index: int) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self.seed, epoch, index))

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Batches `start`, start + 1 ... of that epoch: uint8 (batch / ranks, 3, H, W), channels last in memory, and a list of targets."""
        batches = self._make(number, start)
        return ahead(batches, self.prefetch) if self.prefetch else batches

    def _make(self, number: int, start: int) -> Iterator[Batch]:
        order, share = self.order(number), self.batch // self.ranks
        on_device = self.augment is not None and getattr(self.dataset, "device", "cpu") != "cpu"
        make, finish = (self.plan, self._render) if on_device else (self.sample, self._collate)
        with ThreadPoolExecutor(self.workers, initializer=_one_thread) if self.workers else nullcontext() as pool:
            for step in range(start, len(self)):
                first = step * self.batch + self.rank * share
                yield finish(list((pool.map if pool else map)(partial(make, number), order[first : first + share])))

    def _collate(self, samples: list[tuple[Tensor, Target]]) -> Batch:
        images, targets = collate(samples, self.batch if self.last == "pad" else None)
        return images.pin_memory() if self.pin and images.device.type == "cpu" else images, targets

    def _render(self, plans: list[Plan]) -> Batch:
        images, targets = render(self.dataset.images, plans), [plan.target for plan in plans]
        if self.last == "pad" and len(plans) < self.batch:
            grey = images.new_full((self.batch - len(plans), *images.shape[1:]), GREY)
            images = torch.cat([images, grey]).contiguous(memory_format=torch.channels_last)
        return images, targets


def _one_thread() -> None:
    """For a thread that works beside the network's: without threads of its own below it (the setting holds for this thread only)."""
    torch.set_num_threads(1)


def collate(samples: list[tuple[Tensor, Target]], pad_to: int | None = None) -> Batch:
    """Samples of one size as a batch.

    Args:
        samples: (uint8 (3, H, W), target) each.
        pad_to: grey images are added up to this many; the list of targets stays as long as `samples`.

    Returns:
        uint8 (N, 3, H, W), channels last in memory, and N targets.

    Raises:
        ValueError: naming the sample of another size.
    """
    shape = samples[0][0].shape
    for number, (image, _) in enumerate(samples):
        if image.shape != shape:
            raise ValueError(f"samples must have one size: number 0 is {tuple(shape)}, number {number} is {tuple(image.shape)}")
    grey = [new_canvas(samples[0][0], shape[1:], GREY)] * ((pad_to or 0) - len(samples))
    images = torch.stack([image.permute(1, 2, 0) for image in [*(s[0] for s in samples), *grey]])
    return images.permute(0, 3, 1, 2), [target for _, target in samples]


def ahead(batches: Iterator[Batch], depth: int) -> Iterator[Batch]:
    """The same items in the same order, up to `depth` of them made ahead by a thread. Its exception is raised where the item is taken."""
    items: queue.Queue = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(kind: str, value=None) -> None:
        while not stop.is_set():
            try:
                items.put((kind, value), timeout=0.1)
                return
            except queue.Full:
                continue

    def work() -> None:
        _one_thread()
        try:
            for batch in batches:
                put("item", batch)
                if stop.is_set():
                    return
        except BaseException as error:
            put("error", error)
        put("end")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = items.get()
            if kind == "item":
                yield value
            elif kind == "error":
                raise value
            else:
                return
    finally:  # also where the consumer stops in the middle of an epoch
        stop.set()
        thread.join()
