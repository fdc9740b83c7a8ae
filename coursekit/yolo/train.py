"""Training the detector: this puts the pieces together, the loop itself is `coursekit.training.loop`. Taught in notebook 19_yolo."""

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from ..data.loader import Batches, CachedDataset
from ..training.device import Compute, can_use_bfloat16, choose_device, choose_precision, choose_threads, is_out_of_memory
from ..training.distributed import on_rank_0, rank, replicate, shared_total, world_size
from ..training.ema import EMA
from ..training.loop import State, fit
from ..training.parts import backward_within_memory
from ..training.run import Run
from .finetune import choose_start, start_from
from .loss import detection_loss
from .model import STRIDES, YOLO
from .pace import STEPS, epochs_within, seconds_per_step
from .predict import describe
from .samples import keep_samples, open_both, ready
from .settings import TrainSettings, choose_epochs, says_what_to_lower
from .val import validate_together


def make_optimizer(model: torch.nn.Module, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW; weight decay on the kernels of convolutions only, since a smaller bias or norm is not a simpler network."""
    learns = [p for p in model.parameters() if p.requires_grad]
    kernels = [p for p in learns if p.ndim > 1]
    others = [p for p in learns if p.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.99), fused=True)  # .99: short runs cannot wait for .999


def one_step(model: YOLO, images: Tensor, device: str) -> Callable[[str], None]:
    """``step(precision)``: a training step on a copy of ``model``, for timing."""
    trial = copy.deepcopy(model).train()
    truth = [{"boxes": torch.tensor([[8.0, 8, 40, 40]], device=device), "labels": torch.zeros(1, dtype=torch.int64, device=device)}] * len(
        images
    )

    def step(precision: str) -> None:
        with Compute(device, precision, 1).autocast():
            raw = trial(images)
        detection_loss(raw, truth)["loss"].backward()

    return step


@dataclass
class Prepared:
    """A training that is about to start or go on: what `prepare` made of the settings."""

    settings: TrainSettings
    compute: Compute
    state: State
    batches: Batches
    validation: object | None
    size_hw: tuple[int, int]
    notes: list[str]


@says_what_to_lower
def prepare(settings: TrainSettings, dataset=None, validation=None, compute: Compute | None = None) -> Prepared:
    """Open the data, build the model, decide what was left open.

    Args:
        dataset, validation: samples to use instead of opening ``settings.data``.
        compute: of a run that is resumed; None decides.
    """
    begin, notes = time.perf_counter(), []
    dataset, validation = open_both(settings, dataset, validation, notes)
    asked = settings.device if compute is None else compute.device
    device = choose_device(asked.partition(":")[0] if compute and world_size() > 1 else asked)  # process 0 wrote down its own GPU
    threads = on_rank_0(lambda: choose_threads(settings.threads)) if compute is None else compute.threads
    torch.set_num_threads(threads)
    settings = replace(settings, start=choose_start(settings.start, settings.weights))
    model = first_model(settings, tuple(dataset.classes), compute is not None, notes).to(device, memory_format=torch.channels_last)
    settings = replace(settings, model=model.size)
    dataset, pictures = keep_samples(dataset, settings, device, compute, notes)
    if settings.batch > len(dataset):
        raise ValueError(f"batch must be at most the {len(dataset)} pictures to train on, got {settings.batch}; lower --batch")
    notes += [dataset.describe()] if settings.tile else []
    if settings.imgsz % STRIDES[-1]:
        notes.append(f"imgsz {settings.imgsz} becomes {max(dataset.size_hw)}: the network takes multiples of {STRIDES[-1]}")
    compute = decide_compute(settings, model, dataset.size_hw, Compute(device, "", threads) if compute is None else compute, notes)
    compute = replace(compute, device=device, processes=world_size(), pictures=pictures)
    # a GPU waits for nobody: pictures are made by threads beside it and copied while it computes. On the CPU that would only take cores
    beside = {"prefetch": 2, "workers": min(8, threads), "pin": True} if device.startswith("cuda") else {"prefetch": 2 * (device != "cpu")}
    batches = Batches(dataset, settings.batch, settings.seed, rank=rank(), ranks=world_size(), **beside)
    state = State(model, EMA(model, settings.ema_decay, settings.ema_tau), make_optimizer(model, settings.lr, settings.weight_decay))
    prepared = Prepared(settings, compute, state, batches, validation, dataset.size_hw, notes)
    epochs = time_epochs(prepared, begin) if settings.minutes else choose_epochs(settings.epochs, len(dataset))
    prepared.settings = replace(settings, epochs=epochs, minutes=0.0, val_every=settings.val_every or max(1, epochs // 10))
    return prepared


def first_model(settings: TrainSettings, classes: tuple[str, ...], resumed: bool, notes: list[str]) -> YOLO:
    """What the first step starts from; a run that goes on gets its weights from its checkpoint afterwards."""
    torch.manual_seed(settings.seed)  # the first weights
    if settings.weights and not resumed:
        model, said = start_from(settings.weights, classes)
        notes += said
    else:
        model = YOLO(len(classes), settings.model)
    if settings.start == "frozen":
        model.freeze()
        notes.append("frozen: the backbone stays as it is, neck and head learn")
    model.classes, model.imgsz, model.tile = classes, settings.imgsz, settings.tile
    return model


def decide_compute(settings: TrainSettings, model: YOLO, size_hw: tuple[int, int], compute: Compute, notes: list[str]) -> Compute:
    """``compute`` with its precision, which is timed where it is "" and the settings leave it open."""
    if compute.precision:
        if compute.processes != world_size():
            now = f"goes on with {world_size()}: its weights will be others"
            notes.append(f"the run was started by {compute.processes} processes and {now}")
        return compute
    if settings.precision == "bfloat16" and not can_use_bfloat16(compute.device):
        notes.append(f"{compute.device} has no instructions for bfloat16: slower here than float32, --precision auto would not take it")
    images = torch.zeros(settings.batch // world_size() or 1, 3, *size_hw, dtype=torch.uint8, device=compute.device)
    precision, seconds = on_rank_0(lambda: choose_precision(settings.precision, compute.device, one_step(model, images, compute.device)))
    notes += [f"a step takes {seconds['float32']:.3f} s in float32 and {seconds['bfloat16']:.3f} s in bfloat16"] if seconds else []
    return replace(compute, precision=precision)


def time_epochs(prepared: Prepared, begin: float) -> int:
    """How many epochs end ``settings.minutes`` after ``begin`` (of `time.perf_counter`), as far as a few steps can tell."""
    settings, compute, batches = prepared.settings, prepared.compute, prepared.batches
    batches.augment = settings.augment(mosaic=True)
    if isinstance(batches.dataset, CachedDataset):  # only the first epoch would decode, and it must not be what is timed
        batches.dataset.fill(deadline=begin + settings.minutes * 60 / 2)  # later an epoch would hardly fit: the steps then tell
    make = partial(make_optimizer, lr=settings.lr, weight_decay=settings.weight_decay)
    few = ready(islice(batches.epoch(0), STEPS), compute.device)
    step = seconds_per_step(prepared.state, few, detection_loss, make, compute, prepared.notes.append)
    step, left = on_rank_0(lambda: (step, settings.minutes * 60 - (time.perf_counter() - begin)))  # the clocks of others would differ
    epochs = epochs_within(left, step, len(batches))
    prepared.notes.append(f"{settings.minutes:g} minutes: {epochs} epochs of {len(batches)} steps, {step:.3f} s each")
    return epochs


@says_what_to_lower
def train(
    prepared: Prepared, run: Run, tick: Callable = lambda: None, told: Callable = lambda row: None, say: Callable[[str], None] = print
) -> State:
    """Run what `prepare` made to its last epoch; ``tick()`` after each step, ``told(row)`` after each epoch, ``say(sentence)`` where a
    batch does not fit into memory and goes on in parts (`coursekit.training.parts`)."""
    settings, compute, batches = prepared.settings, prepared.compute, prepared.batches
    total = settings.epochs * len(batches)

    def batches_of(epoch: int, start: int):
        batches.augment = settings.augment(mosaic=epoch < settings.epochs * (1 - settings.close_mosaic))
        if settings.tile:
            batches.dataset.epoch = epoch  # other crops in each
        return ready(batches.epoch(epoch, start), compute.device)

    def evaluate(model: YOLO, epoch: int) -> dict | None:
        if (epoch + 1) % settings.val_every and epoch + 1 < settings.epochs:
            return None
        summary = validate_together(model, prepared.validation, settings.imgsz)
        return {name: summary[name] for name in ("AP", "AP50", "AP75")}

    def write_settings() -> None:
        resolved = asdict(compute) | {"size_hw": list(prepared.size_hw), "parts": prepared.state.parts}
        run.write_settings(asdict(settings) | {"resolved": resolved})

    def divided(sentence: str) -> None:
        write_settings()
        say(sentence)

    if rank() == 0:
        write_settings()
    warmup = int(min(max(50, settings.warmup * total), total / 10))
    watch = evaluate if prepared.validation is not None else None
    forward = replicate(prepared.state.model, compute.device)
    return fit(
        prepared.state,
        batches_of,
        partial(detection_loss, normaliser=shared_total),
        run,
        compute,
        settings.epochs,
        len(batches),
        settings.lr,
        warmup,
        watch,
        settings.clip,
        tick,
        told,
        torch.compile(forward) if settings.compile else forward,
        partial(backward_within_memory, tell=divided),
    )


def new_run(prepared: Prepared) -> Run:
    """A fresh folder under ``project`` for it, which process 0 makes."""
    settings = prepared.settings
    folder = on_rank_0(lambda: Run.create(settings.project, settings.name).folder)
    return Run(folder, describe=describe, extra=_extra(prepared))


def resume(folder: Path, dataset=None, validation=None) -> tuple[Prepared, Run]:
    """An interrupted run as it was when it was last written down, to hand to `train`: same settings, precision and thread count.

    Raises:
        ValueError: if the data has changed since, or the checkpoint is damaged or of another program.
    """
    saved = on_rank_0(lambda: Run(folder).load())
    try:
        settings, compute, data, state = TrainSettings(**saved["settings"]), Compute(**saved["compute"]), saved["data"], saved["state"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / 'checkpoint.pt'} is no checkpoint of a training that can go on here ({error})") from None
    prepared = prepare(settings, dataset, validation, compute)
    if _extra(prepared)["data"] != data:
        raise ValueError(f"the data of {folder} has changed since it was started: it was {data}, it is {_extra(prepared)['data']}")
    try:
        prepared.state.load(state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        why = " ".join(str(error).split())[:120]
        raise ValueError(f"{folder / 'checkpoint.pt'} does not fit the model of its own settings ({why})") from None
    return prepared, Run(folder, describe=describe, extra=_extra(prepared))


def _extra(prepared: Prepared) -> dict:
    dataset = prepared.batches.dataset
    data = {"pictures": len(dataset), "classes": list(dataset.classes)}
    return {"settings": asdict(prepared.settings), "compute": asdict(prepared.compute), "data": data}
