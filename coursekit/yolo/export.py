"""A detector as an ONNX file, for programs without PyTorch. Goes with notebook 19_yolo.

    export_onnx(load("runs/detect/train/weights/last.pt"), "last.onnx", preprocess=True, nms=True)

Batch size and image size stay open. What goes in and what comes out:

===========  ==================================================================================================================
preprocess   input
===========  ==================================================================================================================
no           ``images`` (B, 3, H, W) float32 RGB in [0, 1], H and W multiples of 32. The client does what `data.geometric.letterbox`
             does and divides by 255; boxes come back in pixels of that canvas, and `Placement.undo` takes them to the picture.
yes          ``pixels`` (B, H, W, 3) uint8 RGB of any size, as image files are decoded; the longer side becomes ``imgsz``, the rest
             as `predict` does it. Boxes come back in the picture's own pixels, clipped to it.
===========  ==================================================================================================================

===========  ==================================================================================================================
nms          outputs
===========  ==================================================================================================================
no           ``boxes`` (B, A, 4) ``xyxy`` and ``scores`` (B, A, C) of every cell.
yes          ``boxes`` (B, K, 4), ``scores`` (B, K), ``labels`` (B, K) int64, best first, and ``count`` (B,): how many of the K are
             real; the others are 0, with label -1. The same as `decode.detections`.
===========  ==================================================================================================================
"""

import copy
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import __version__
from ..data.geometric import GREY
from ..files import write_atomically
from . import onnx_parts
from .decode import cell_centres, sides_to_boxes
from .fuse import Fused
from .model import STRIDES, YOLO
from .onnx_check import check_onnx


class _Cells(nn.Module):
    """The network as it is exported: floats in, boxes and scores of every cell out."""

    def __init__(self, model: YOLO):
        super().__init__()
        self.network = Fused(model)  # fewer operators, the same numbers

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        network = self.network
        logits, sides = network.head(network.neck(network.backbone(images)))
        centres, strides = cell_centres(images.shape[2:], STRIDES)
        return sides_to_boxes(sides, centres, strides), logits.sigmoid()


def export_onnx(
    model: YOLO,
    path: Path | str,
    preprocess: bool = False,
    nms: bool = False,
    confidence: float = 0.25,
    iou: float = 0.6,
    limit: int = 100,
) -> dict[str, float]:
    """Write ``model`` to ``path``; what the file takes and gives stands at the head of this module, and in the file.

    Args:
        model: a `YOLO`; left as it is.
        preprocess, nms: whether scaling and laying on the canvas, and non-maximum suppression, are part of the file.
        confidence, iou, limit: for ``nms``, see `decode.detections`.

    Returns:
        What `check_onnx` measured in ONNX Runtime on the finished file: the largest differences from PyTorch.

    The file's metadata, values in JSON: ``classes``, ``imgsz``, ``strides``, ``preprocess``, ``nms`` (its three numbers, or false).

    Raises:
        ValueError: for a number out of its range, where a package is not installed, or where the file does not say what PyTorch says.
            There is no file then, and an older one stays.
    """
    _check_numbers(confidence, iou, limit)
    need("onnx", "onnxscript", "onnxruntime")
    numbers = {"confidence": float(confidence), "iou": float(iou), "limit": limit} if nms else False
    content = assemble(network_onnx(model), model, preprocess, numbers).SerializeToString()
    measured = {}

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)
        measured.update(check_onnx(temporary, model))

    write_atomically(path, write)
    return measured


def network_onnx(model: YOLO):
    """The network alone as an ``onnx.ModelProto``: ``images`` -> ``boxes``, ``scores`` of every cell; by torch's own exporter."""
    size = torch.export.Dim
    sizes = {0: size("batch", min=1), 2: STRIDES[-1] * size("rows", min=1), 3: STRIDES[-1] * size("columns", min=1)}
    example = torch.zeros(
        2, 3, 2 * STRIDES[-1], 3 * STRIDES[-1]
    )  # three different numbers, none of them 1, which would be taken for constant
    program = torch.onnx.export(
        _Cells(model).cpu().eval(),
        (example,),
        dynamo=True,
        dynamic_shapes={"images": sizes},
        input_names=["images"],
        output_names=["boxes", "scores"],
        opset_version=onnx_parts.OPSET,
        verbose=False,
    )
    return program.model_proto


def assemble(network, model: YOLO, preprocess: bool, nms: dict | bool):
    """Put the asked-for parts before and after `network_onnx`; nms: confidence, iou and limit, or False."""
    import onnx
    from onnx.compose import merge_models

    whole = _prefixed(network, "network")
    images, boxes, scores, more = "network/images", "network/boxes", "network/scores", []
    if preprocess:
        part = _prefixed(onnx.parser.parse_model(onnx_parts.letterbox(model.imgsz, STRIDES[-1], GREY)), "letterbox")
        whole = merge_models(part, whole, [("letterbox/canvas", images)])
    if nms:
        part = _prefixed(onnx.parser.parse_model(onnx_parts.suppress(**nms)), "suppress")
        whole = merge_models(whole, part, [(boxes, "suppress/all_boxes"), (scores, "suppress/all_scores")])
        boxes, scores, more = "suppress/best_boxes", "suppress/scores", ["labels", "count"]
    if preprocess:
        part = _prefixed(onnx.parser.parse_model(onnx_parts.undo()), "undo")
        links = [(boxes, "undo/placed"), *((f"letterbox/{name}", f"undo/{name}") for name in ("size", "scale", "offset"))]
        whole = merge_models(whole, part, links)
        boxes = "undo/boxes"
    public = {images: "images", "letterbox/pixels": "pixels", boxes: "boxes", scores: "scores"}
    _name_ends(whole.graph, public | {f"suppress/{name}": name for name in more}, ["boxes", "scores", *more])
    facts = {"classes": list(model.classes), "imgsz": model.imgsz, "strides": list(STRIDES), "preprocess": preprocess, "nms": nms}
    onnx.helper.set_model_props(whole, {name: json.dumps(value, ensure_ascii=False) for name, value in facts.items()})
    whole.producer_name, whole.producer_version = "coursekit", __version__
    whole.graph.name, whole.doc_string = f"coursekit-yolo {model.size}", __doc__
    versions = {entry.domain: entry.version for entry in whole.opset_import}  # each part brought an entry of its own
    del whole.opset_import[:]
    whole.opset_import.extend(onnx.helper.make_opsetid(*entry) for entry in versions.items())
    onnx.checker.check_model(whole, full_check=True)
    return whole


def _prefixed(model, prefix: str):
    """A copy in which every name begins with ``prefix/``, so that no two parts have a name in common."""
    from onnx.compose import add_prefix

    model = add_prefix(model, f"{prefix}/")
    model.ir_version = onnx_parts.IR_VERSION
    return model


def _name_ends(graph, names: dict[str, str], order: list[str]) -> None:
    """Give inputs and outputs their public names, and the outputs their order."""
    for node in graph.node:
        for values in (node.input, node.output):
            for place, value in enumerate(values):
                values[place] = names.get(value, value)
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = names.get(value.name, value.name)
    outputs = {value.name: value for value in graph.output}
    ordered = [copy.deepcopy(outputs[name]) for name in order]
    for value in ordered[:2]:
        value.type.tensor_type.shape.dim[1].dim_param = "found" if len(order) > 2 else "cells"
    del graph.output[:]
    graph.output.extend(ordered)


def need(*packages: str) -> None:
    """Raise ValueError, one sentence, where a package is not installed."""
    from importlib.util import find_spec

    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ValueError(f"export to ONNX needs {' and '.join(missing)}; install with: pip install 'coursekit[export]'")


def _check_numbers(confidence: float, iou: float, limit: int) -> None:
    for name, value in (("confidence", confidence), ("iou", iou)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in 0..1, got {value}")
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
