"""Every setting of a training in one place, under the names people know, and what `0` and `auto` stand for."""

import functools
import math
from dataclasses import dataclass, fields

from ..data.transforms import Augment
from ..training.device import OutOfMemory, is_out_of_memory
from .model import SIZES

PICTURES = 23_000  # what epochs=0 works out to: about eight minutes of the s model at 320x256 on two modern cores


@dataclass
class TrainSettings:
    """Settings of `train`. Written to ``args.yaml`` once they are resolved; nothing else decides how a run goes.

    Args:
        data: a folder in VOC, COCO or YOLO format, or ``"signs"`` for the generated world.
        split: what to train on. val_split: what to measure after some epochs and to choose best.pt by; ``"auto"`` is ``"val"`` when
            training on ``"train"`` and there is one, ``"none"`` otherwise.
        model: ``n``, ``s`` or ``m``. weights: a weights file to start from instead of random numbers, or "".
        start: ``scratch``, ``finetune`` (all weights learn on), ``frozen`` (the backbone stays as it is); ``auto`` is ``finetune`` where
            there are weights. The model's size is then that of the weights. See `coursekit.yolo.finetune`.
        imgsz: longer side of the network's input in pixels; the other side follows the most common shape of the pictures.
        tile: for large images with small objects: train on crops of this side, in the images' own pixels, and look through windows of it
            when measuring and finding (the weights remember it). A crop is seen at imgsz. 0: whole images. See `coursekit.data.tiles`.
        tile_background: share of the crops that show no object.
        epochs: 0 works out to about 23,000 pictures seen, but 20 to 300 epochs. batch: pictures in a step, of all processes together.
        minutes: instead of epochs: as many as fit, by timing a few steps at the start; 0 is no limit. It becomes a number of epochs there
            and then, so a machine that gets busy later takes longer.
        seed: of the first weights, the order and the augmentation. Same seed, same run.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``. precision: ``auto`` (timed at the start), ``float32``, ``bfloat16``.
        threads: of the CPU, in each process; 0 takes the cores that are really ours. compile: translate the network with `torch.compile`:
            on two cores 73 s of compiling made steps 1.2 times as fast, so it is for long trainings; what it does to a GPU is not measured.
        cache: where pictures are kept: ``ram``; ``gpu``, which then augments them too (`coursekit.data.on_device`); ``auto`` is a GPU that
            has room for them, else ``ram``. Pictures that do not fit into memory are decoded each time.
        lr: highest learning rate of AdamW. weight_decay: on convolution weights only. clip: longest gradient.
        warmup: share of all steps with a rising rate, but at least 50 steps (or a tenth, if that is less).
        ema_decay, ema_tau: see `coursekit.training.ema.EMA`. close_mosaic: share of the epochs, at the end, without mosaic.
        min_visible: an object of which a cut leaves less is no example; labellers leave out what the picture's edge cuts off, too.
        mosaic, scale_min ... flipud: see `coursekit.data.transforms.Augment`. flipud=0.5 is right for cells, wrong for cars.
        val_every: epochs between measurements; 0 makes about ten in all.
    """

    data: str
    split: str = "train"
    val_split: str = "auto"
    model: str = "n"
    weights: str = ""
    start: str = "auto"
    imgsz: int = 320
    tile: int = 0
    tile_background: float = 0.2
    epochs: int = 0
    minutes: float = 0.0
    batch: int = 8
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    compile: bool = False
    cache: str = "auto"
    lr: float = 2e-3
    weight_decay: float = 0.05
    clip: float = 10.0
    warmup: float = 0.03
    ema_decay: float = 0.999
    ema_tau: float = 200.0
    mosaic: float = 0.5
    close_mosaic: float = 0.15
    scale_min: float = 0.7
    scale_max: float = 1.4
    translate: float = 0.1
    min_visible: float = 0.5
    fliplr: float = 0.5
    flipud: float = 0.0
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.3
    hue: float = 0.015
    val_every: int = 0
    project: str = "runs/detect"
    name: str = "train"

    def __post_init__(self):
        if self.model not in SIZES:
            raise ValueError(f"model must be one of {', '.join(SIZES)}, got {self.model!r}")
        if self.cache not in ("auto", "ram", "gpu"):
            raise ValueError(f"cache must be auto, ram or gpu, got {self.cache!r}")
        if self.cache == "gpu" and self.tile:
            raise ValueError(f"cache gpu is for whole pictures, got tile {self.tile}: crops lie in pictures of many sizes; use cache ram")
        for name, value in vars(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number, got {value}")
        if self.seed >= 2**63:
            raise ValueError(f"seed must be below 2**63, got {self.seed}")
        if self.name in ("", ".", "..") or "/" in self.name or "\\" in self.name:
            raise ValueError(f"name must be the name of one folder, got {self.name!r}; --project says where it lies")
        for name, least in {"imgsz": 32, "batch": 1, "epochs": 0, "minutes": 0, "threads": 0, "val_every": 0, "seed": 0}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.minutes and self.epochs:
            raise ValueError(f"give epochs or minutes, not both; got epochs {self.epochs} and minutes {self.minutes:g}")
        shares = ("mosaic", "close_mosaic", "fliplr", "flipud", "warmup", "translate", "min_visible")
        for name in (*shares, "brightness", "contrast", "saturation", "hue"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in 0..1, got {getattr(self, name)}")
        if self.tile and self.tile < 32:
            raise ValueError(f"tile must be 0 (whole images) or at least 32 pixels, got {self.tile}")
        if not 0 <= self.tile_background < 1:
            raise ValueError(f"tile_background must be at least 0 and below 1, got {self.tile_background}")
        for name in ("lr", "clip", "scale_min", "ema_tau"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must be at least 0 and below 1, got {self.ema_decay}")
        if self.scale_max < self.scale_min:
            raise ValueError(f"scale_max must be at least scale_min {self.scale_min}, got {self.scale_max}")

    def augment(self, mosaic: bool) -> Augment:
        """The recipe for one sample, with or without mosaic."""
        return Augment(
            mosaic=self.mosaic if mosaic else 0.0,
            mosaic_scale=(0.8 * self.scale_min, 0.8 * self.scale_max),
            scale=(self.scale_min, self.scale_max),
            translate=self.translate,
            horizontal=self.fliplr,
            vertical=self.flipud,
            brightness=self.brightness,
            contrast=self.contrast,
            saturation=self.saturation,
            hue=self.hue,
            min_visible=self.min_visible,
        )

    @classmethod
    def names(cls) -> list[str]:
        """Of all settings."""
        return [field.name for field in fields(cls)]


def choose_epochs(epochs: int, pictures: int) -> int:
    """``epochs``, or for 0 as many as show the network about `PICTURES` pictures, within 20 to 300."""
    return epochs or min(300, max(20, round(PICTURES / pictures)))


def says_what_to_lower(function):
    """Decorator of a function whose first argument is a `TrainSettings` or has one: where memory runs out, it says what was asked for.

    Raises:
        OutOfMemory: in place of the many exceptions that mean it.
    """

    @functools.wraps(function)
    def wrapper(first, *arguments, **more):
        try:
            return function(first, *arguments, **more)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            asked = getattr(first, "settings", first)
            what = f"batch {asked.batch}, imgsz {asked.imgsz} and model {asked.model}"
            raise OutOfMemory(f"memory ran out with {what}; lower --batch first, then --imgsz, then --model") from error

    return wrapper
