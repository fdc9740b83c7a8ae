"""Images of any size in, boxes in their own pixels out; and weights from a file. Taught in notebook 19_yolo."""

import math
from pathlib import Path

import torch
from torch import Tensor

from ..boxes import clip_boxes_to_image
from ..data.geometric import letterbox
from ..data.targets import empty_target
from ..detections import Detections
from ..resources import resource
from ..training.checkpoint import load_checkpoint
from .decode import detections
from .model import STRIDES, YOLO


def input_size(size_hw: tuple[int, int], imgsz: int) -> tuple[int, int]:
    """Height and width of the canvas for images of ``size_hw``: the longer side ``imgsz``, the other as the shape asks, both rounded up to
    multiples of 32. 480 x 640 at 320 gives 256 x 320, a fifth less work than a square."""
    if imgsz < 1:
        raise ValueError(f"imgsz must be at least 1 pixel, got {imgsz}")
    scale, stride = imgsz / max(size_hw), STRIDES[-1]
    height, width = (stride * math.ceil(round(side * scale) / stride) for side in size_hw)
    return max(stride, height), max(stride, width)


def check_images(images: list[Tensor]) -> None:
    """Raise ValueError naming the image that is not uint8 (3, H, W)."""
    for number, image in enumerate(images):
        if image.ndim != 3 or image.shape[0] != 3 or image.dtype != torch.uint8:
            raise ValueError(f"images[{number}] must be uint8 of shape (3, H, W), got {image.dtype} {tuple(image.shape)}")


@torch.no_grad()
def predict(
    model: YOLO,
    images: list[Tensor],
    confidence: float = 0.25,
    iou: float = 0.6,
    limit: int = 100,
    imgsz: int | None = None,
    batch: int = 16,
    soft: bool = False,
) -> list[Detections]:
    """Find objects.

    Args:
        model: a `YOLO`; its batch normalisations use their averages, and it is left in the mode it was in.
        images: uint8 (3, H, W) RGB, of any sizes; or one tensor (B, 3, H, W).
        confidence, iou, limit, soft: see `decode.detections`.
        imgsz: longer side that the network sees, in pixels; None takes what the model was trained at.
        batch: images at a time.

    Returns:
        One `Detections` for each image, on the CPU, in the image's own pixels, clipped to it.

    Raises:
        ValueError: naming the image that is not uint8 (3, H, W).
    """
    check_images(images)
    sizes = [input_size(tuple(image.shape[1:]), imgsz or model.imgsz) for image in images]
    found: list[Detections] = [Detections.empty()] * len(images)
    device, training = next(model.parameters()).device, model.training
    model.eval()
    for size in sorted(set(sizes)):  # images of one shape go together
        members = [number for number, other in enumerate(sizes) if other == size]
        for first in range(0, len(members), batch):
            part = members[first : first + batch]
            laid = [letterbox(images[number], empty_target(), size) for number in part]
            raw = model(torch.stack([image for image, _, _ in laid]).to(device))
            for number, one, (_, _, placement) in zip(part, detections(raw, confidence, iou, limit, soft), laid, strict=True):
                boxes = clip_boxes_to_image(placement.undo(one.boxes.cpu()), tuple(images[number].shape[1:]))
                found[number] = Detections(boxes, one.scores.cpu(), one.labels.cpu())
    model.train(training)
    return found


def describe(model: YOLO) -> dict:
    """What a weights file holds: plain values and tensors."""
    facts = {"kind": "coursekit-yolo", "size": model.size, "classes": list(model.classes), "imgsz": model.imgsz, "tile": model.tile}
    return {**facts, "weights": {name: value.detach().cpu() for name, value in model.state_dict().items()}}


def load(path: Path | str, device="cpu") -> YOLO:
    """The model of a weights file, in eval mode: one that training made (``last.pt``, ``best.pt``), or the shipped ``"signs_n"``.

    Raises:
        FileNotFoundError, ValueError: if it is not there, or not one of ours.
    """
    path = find_weights(path)
    saved = _read_safetensors(path) if path.suffix == ".safetensors" and path.is_file() else load_checkpoint(path)
    if not isinstance(saved, dict) or saved.get("kind") != "coursekit-yolo":
        raise ValueError(f"{path} holds no detector of coursekit; weights/last.pt of a run does")
    try:
        model = YOLO(len(saved["classes"]), saved["size"])
        model.classes, model.imgsz, model.tile = tuple(saved["classes"]), saved["imgsz"], saved.get("tile", 0)  # older files know no tiles
        model.load_state_dict(saved["weights"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise ValueError(f"{path} says it is a detector of coursekit, but is damaged ({why})") from None
    return model.eval().to(device, memory_format=torch.channels_last)


def find_weights(weights: Path | str) -> Path:
    """The file that ``weights`` means: itself, or what the course ships under this name where there is no such file."""
    path = Path(weights)
    if path.exists() or path.suffix or path.parent != Path("."):
        return path
    try:
        return resource(f"{path}.safetensors")
    except FileNotFoundError:
        return path


def load_shipped(name: str = "signs_n") -> YOLO:
    """The small detector that the course ships, trained on `coursekit.data.signs`; what it was trained on is in its card beside it.

    Raises:
        FileNotFoundError: if the course ships no weights of that name.
    """
    return load(resource(f"{name}.safetensors"))


def _read_safetensors(path: Path) -> dict:
    """What `describe` said of the model that `coursekit.yolo.pretrained` wrote there, in float32."""
    import json

    from safetensors import SafetensorError
    from safetensors.torch import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("model", "{}"))
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  it is no dict
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a weights file that can be read: {error}") from None
    facts = facts if isinstance(facts, dict) else {}
    return facts | {"weights": {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}}
