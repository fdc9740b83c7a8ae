"""Does an ONNX file say in ONNX Runtime what the detector says in PyTorch? `export_onnx` asks before a file gets its name.

Each stage is compared on what ONNX Runtime itself gave to it, so that a difference shows where it arises: a pixel that the two round
differently must not be blamed on the network, nor the network's last bit on the suppression.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..data.geometric import Placement, letterbox
from ..data.targets import empty_target
from .decode import choose, decode
from .fuse import fuse
from .model import YOLO
from .predict import input_size

# What may differ: scores by themselves, boxes in strides of their cell; the canvas by two of 255 levels, since columns and rows are
# resized one after the other, and libraries round differently. Size, scale, place, suppression and the way back are the same sums.
TOLERANCE = {"scores": 1e-4, "boxes": 1e-4, "canvas": 2.001 / 255, "placement": 1e-6, "suppression": 0.0, "pixels": 1e-3}
CANVASES = ((1, 64, 64), (2, 96, 160), (3, 32, 128))  # batch, height, width; none is the export's own example


def pictures(imgsz: int) -> tuple[tuple[int, int, int], ...]:
    """Batch, height and width: a square, one that becomes larger, and one that becomes smaller."""
    return (1, imgsz, imgsz), (2, imgsz // 2 + 1, imgsz // 3 + 1), (3, imgsz + 17, 2 * imgsz - 5)


def check_onnx(path: Path | str, model: YOLO) -> dict[str, float]:
    """Run the file of `export_onnx` beside ``model`` at several batch and image sizes.

    Returns:
        The largest difference of each stage: ``scores``; ``boxes``, in strides of their cell; and where the file has the stages
        ``canvas`` (values 0 to 1), ``placement``, ``suppression``, and ``pixels`` of boxes taken back to the picture.

    Raises:
        ValueError: naming the first stage that differs by more than `TOLERANCE`.
    """
    session, facts, confidence = _open(path, model)
    largest: dict[str, float] = {}
    for number, (batch, *size_hw) in enumerate(pictures(facts["imgsz"]) if facts["preprocess"] else CANVASES):
        generator = torch.Generator().manual_seed(number)
        images = torch.randint(0, 256, (batch, 3, *size_hw), generator=generator, dtype=torch.uint8)
        for name, difference in _compare(session, facts, model, images, confidence).items():
            largest[name] = max(largest.get(name, 0.0), difference)
    for name, difference in largest.items():
        if not difference <= TOLERANCE[name]:
            raise ValueError(f"{name} in ONNX Runtime differ by {difference:.2g} from PyTorch; expected at most {TOLERANCE[name]:.2g}")
    return largest


def _open(path: Path | str, model: YOLO):
    """The file with its inner values as outputs too, and with a confidence that even noise brings some detections to."""
    import onnx
    import onnxruntime

    opened = onnx.load(str(path))
    facts = {entry.key: json.loads(entry.value) for entry in opened.metadata_props}
    inner = {"network/boxes", "network/scores", "network/images", "suppress/best_boxes"}
    inner |= {f"letterbox/{name}" for name in ("canvas", "scale", "offset")}
    there = {value for node in opened.graph.node for value in node.output} - {value.name for value in opened.graph.output}
    opened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(inner & there))
    confidence = _quantile(model)
    for constant in opened.graph.initializer:
        if constant.name == "suppress/confidence":
            constant.CopyFrom(onnx.numpy_helper.from_array(np.array([confidence], dtype=np.float32), constant.name))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(opened.SerializeToString(), options, providers=["CPUExecutionProvider"]), facts, confidence


@torch.no_grad()
def _quantile(model: YOLO) -> float:
    """A score that one in twenty reaches on noise."""
    noise = torch.randint(0, 256, (1, 3, 96, 96), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return float(np.float32(decode(fuse(model)(noise.to(next(model.parameters()).device)))[1].flatten().quantile(0.95).item()))


@torch.no_grad()
def _compare(session, facts: dict, model: YOLO, images: Tensor, confidence: float) -> dict[str, float]:
    given = {"pixels": images.permute(0, 2, 3, 1).numpy()} if facts["preprocess"] else {"images": images.numpy() / np.float32(255)}
    names = [output.name for output in session.get_outputs()]
    said = {name: torch.from_numpy(value) for name, value in zip(names, session.run(None, given), strict=True)}
    differences, placement = {}, None
    canvas = torch.from_numpy(given["images"]) if "images" in given else said["letterbox/canvas"]
    if facts["preprocess"]:
        size_hw = input_size(tuple(images.shape[2:]), facts["imgsz"])
        laid = [letterbox(image, empty_target(), size_hw) for image in images]
        placement = laid[0][2]
        differences["canvas"] = _furthest(canvas, torch.stack([image for image, _, _ in laid]) / 255)
        place = torch.cat([said["letterbox/scale"].flip(0), said["letterbox/offset"].flip(0)])
        differences["placement"] = _furthest(place, torch.tensor(placement))
    raw = fuse(model).cpu()(canvas)
    boxes, scores = decode(raw)
    cells = {"boxes": said.get("network/boxes", said["boxes"]), "scores": said.get("network/scores", said["scores"])}
    differences["scores"] = _furthest(cells["scores"], scores)
    differences["boxes"] = _furthest(cells["boxes"] / raw.strides[:, None], boxes / raw.strides[:, None])
    last = cells["boxes"]
    if facts["nms"]:
        last = said.get("suppress/best_boxes", said["boxes"])
        differences["suppression"] = _suppression(cells, last, said, confidence, facts["nms"])
    if placement:
        differences["pixels"] = _undone(said["boxes"], last, placement, tuple(images.shape[2:]), said.get("count"))
    return differences


def _suppression(cells: dict, last: Tensor, said: dict, confidence: float, numbers: dict) -> float:
    """How far suppression goes from `decode.choose`, given the same boxes and scores."""
    furthest = 0.0
    for row, (boxes, scores) in enumerate(zip(cells["boxes"], cells["scores"], strict=True)):
        wanted, count = choose(boxes, scores, confidence, numbers["iou"], numbers["limit"]), int(said["count"][row])
        if count != len(wanted) or said["labels"][row, :count].tolist() != wanted.labels.tolist():
            return float("inf")
        furthest = max(furthest, _furthest(last[row, :count], wanted.boxes), _furthest(said["scores"][row, :count], wanted.scores))
        padding = (said["labels"][row, count:] == -1) & (said["scores"][row, count:] == 0)
        furthest = furthest if padding.all() else float("inf")
    return furthest


def _undone(boxes: Tensor, last: Tensor, placement: Placement, size_hw: tuple[int, int], count: Tensor | None) -> float:
    counts = count.tolist() if count is not None else [boxes.shape[1]] * len(boxes)
    rows = enumerate(counts)
    return max(_furthest(boxes[row, :many], placement.undo(last[row, :many], size_hw)) for row, many in rows)


def _furthest(a: Tensor, b: Tensor) -> float:
    """Largest difference; infinite where the shapes differ, 0 where there is nothing."""
    if a.shape != b.shape:
        return float("inf")
    return float((a.double() - b.double()).abs().max()) if a.numel() else 0.0
