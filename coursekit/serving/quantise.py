"""From 32-bit floats to 8-bit integers: a tensor by hand, and a whole detector by ONNX Runtime. Taught in notebook 23_deployment."""

import contextlib
import io
import json
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from ..files import write_atomically
from .session import facts_of, open_session

METHODS = ("minmax", "entropy", "percentile")
FEATURES = ("Conv", "Sigmoid", "Mul", "Add", "Concat", "MaxPool", "Resize")  # what the network is made of, up to its last convolutions
DECODING = ("Sub", "Slice", "Transpose", "Reshape", "Where", "Unsqueeze", "Expand")  # what makes boxes and scores of it


def quantise_tensor(x: Tensor, bits: int = 8, axis: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Write floats as small integers: ``x`` is nearly ``(q - zero_point) * scale``.

    The rule (affine quantisation), with ``least = -2**(bits - 1)`` and ``most = 2**(bits - 1) - 1``, so -128 and 127 for 8 bits:

    1. ``low`` is the smallest value of x and ``high`` the largest, but ``low`` at most 0 and ``high`` at least 0: the range must
       contain 0, so that 0 (padding, and what a ReLU cuts off) is written without error.
    2. ``scale = (high - low) / (most - least)``: the width of a step; 1 where all values are 0 (or of size 1e-36, too small to be divided).
    3. ``zero_point = least - round(low / scale)``: the integer that stands for 0.
    4. ``q = round(x / scale) + zero_point``, cut to ``least..most``.

    Rounding takes a half to the even neighbour, as torch.round does. The same as ONNX's ``QuantizeLinear``, and as torch's observers and
    ``torch.quantize_per_tensor``; these multiply by 1 / scale instead, so that in the last bit a half may fall to the other side.

    Args:
        x: float, any shape, finite.
        bits: 2 to 8.
        axis: None for one scale for all of x; else each slice along this axis has its own, such as 0 for a convolution's weights
            (out, in, height, width): one for each output channel. Negative counts from the end.

    Returns:
        ``q`` int8, shape of x; ``scale`` float32 and ``zero_point`` int64, both of shape () or (x.shape[axis],).

    Raises:
        ValueError: for integers, NaN, infinity, bits out of range, an axis that x does not have.
    """
    _check_tensor(x, bits, axis)
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    x = x.detach().float()
    slices = 1 if axis is None else x.shape[axis]
    rows = x.movedim(axis or 0, 0).reshape(slices, x.numel() // max(1, slices)) if x.ndim else x.reshape(1, 1)
    with_zero = torch.cat([rows, rows.new_zeros(len(rows), 1)], dim=1)
    low, high = with_zero.aminmax(dim=1)
    scale = (high - low) / (most - least)
    scale = torch.where(scale >= torch.finfo(torch.float32).tiny, scale, torch.ones_like(scale))
    zero_point = least - (low / scale).round().long()
    shape = [1] * x.ndim
    if axis is None:
        scale, zero_point = scale.squeeze(0), zero_point.squeeze(0)
    else:
        shape[axis] = -1
    q = (x / scale.reshape(shape)).round() + zero_point.reshape(shape)
    return q.clamp(least, most).to(torch.int8), scale, zero_point


def dequantise_tensor(q: Tensor, scale: Tensor, zero_point: Tensor, axis: int | None = None) -> Tensor:
    """The floats that integers of `quantise_tensor` stand for: ``(q - zero_point) * scale``, float32, shape of q.

    A value comes back at most half a step from what it was, or a whole step at the ends of the range, where it may have been cut.
    """
    shape = [1] * q.ndim
    if axis is not None:
        shape[axis] = -1
    return (q.float() - zero_point.reshape(shape)) * scale.reshape(shape)


def _check_tensor(x: Tensor, bits: int, axis: int | None) -> None:
    if not x.is_floating_point():
        raise ValueError(f"x must be floats, got {x.dtype}")
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must lie in 2..8, got {bits}")
    if axis is not None and not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis must be one of the {x.ndim} of x, got {axis}")
    if x.numel() and not x.abs().max() < torch.finfo(torch.float32).max / 2:
        raise ValueError("x must be finite, and of size below 1e38, got NaN, infinity or more")


def quantise_onnx(
    path: Path | str,
    out: Path | str,
    pictures: list[Tensor],
    method: str = "minmax",
    percentile: float = 99.99,
    per_channel: bool = True,
    reduce_range: bool = False,
    decoding: bool = False,
) -> Path:
    """Write a detector whose network computes in 8-bit integers; it takes and gives what the one in ``path`` does.

    Post-training static quantisation of ONNX Runtime: weights become int8, symmetric; maps become uint8, affine, by ranges that are the
    same for every picture. These are learned from ``pictures``, on which the float network runs: choose such as will come later, 16 to 100
    of them, none of the test set. Quantised are the convolutions and what lies between them; preprocessing, decoding, suppression and the
    way back stay float32. https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html

    Measured with the detector that the course ships on 200 generated scenes (``benchmarks/results/serving.json``): AP 0.8185 in float32;
    minmax 0.817, entropy 0.809, percentile 99.999 0.816, 99.99 0.806, 99.9 0.753, for what is cut off are the strongest answers of the
    network. With ``decoding`` in integers too, 0.721, while AP50 stays as it is: the objects are found, but an edge has only 256 places to
    lie at. The file is 0.40 of the other. Convolutions take less time, the activations between them more than before; in all it was 1.2
    times as fast in batches of 16, and hardly for a single picture.

    Args:
        path: a file of ``export_onnx(..., preprocess=True)``. out: the new file.
        pictures: uint8 (3, H, W) RGB of any sizes, at least one.
        method: how a range is learned. ``minmax``: from the smallest to the largest value. ``entropy``: cut so that the histogram changes
            least (Migacz 2017, "8-bit inference with TensorRT"). ``percentile``: what lies beyond ``percentile`` per cent is cut.
        percentile: above 50, up to 100.
        per_channel: a scale for each filter of a convolution, not one for all.
        reduce_range: 7 bits for weights. For processors without VNNI (before about 2019), which add up pairs of products in 16 bits: with
            8 bits these may overflow, and be cut.
        decoding: also what makes boxes and scores of the last convolutions' numbers. To see what it costs; of no use otherwise.

    Returns:
        ``out``. In its metadata stands besides, under ``quantised``, how it was made.

    Raises:
        FileNotFoundError, ValueError: if the file is not there, or is not such a one; for pictures or numbers of another kind.
    """
    pictures = _check_quantise(path, pictures, method, percentile)
    import onnx

    model = onnx.load(str(path))
    del model.opset_import[1:]  # the parts were merged, each with the same entry; the quantiser wants one
    facts = {"method": method, "per_channel": per_channel, "reduce_range": reduce_range, "decoding": decoding}
    facts |= {"pictures": len(pictures)}
    facts |= {"percentile": percentile} if method == "percentile" else {}
    nodes, kinds = _nodes_to_quantise(model.graph, decoding)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"nodes_to_quantize": nodes, "op_types_to_quantize": kinds, "per_channel": per_channel, "reduce_range": reduce_range}
        quantised = _run_quantiser(model, Path(folder), _Pictures(pictures), method, percentile, settings)
    onnx.helper.set_model_props(quantised, {entry.key: entry.value for entry in model.metadata_props} | {"quantised": json.dumps(facts)})
    quantised.producer_name, quantised.producer_version = model.producer_name, model.producer_version
    quantised.doc_string, quantised.graph.name = model.doc_string, model.graph.name
    onnx.checker.check_model(quantised)

    def write(temporary: Path) -> None:
        onnx.save(quantised, str(temporary))
        open_session(temporary, 1)

    write_atomically(out, write)
    return Path(out)


class _Pictures:
    """What ONNX Runtime's calibration asks for: one picture after the other, or those from a place to a place."""

    def __init__(self, pictures: list[Tensor]):
        self.pictures, self.next, self.end = pictures, 0, len(pictures)

    def __len__(self) -> int:
        return len(self.pictures)

    def set_range(self, start_index: int, end_index: int) -> None:
        self.next, self.end = start_index, end_index

    def get_next(self) -> dict | None:
        if self.next >= self.end:
            return None
        self.next += 1
        return {"pixels": self.pictures[self.next - 1].permute(1, 2, 0)[None].cpu().contiguous().numpy()}


def _nodes_to_quantise(graph, decoding: bool) -> tuple[list[str], list[str]]:
    """Names and kinds. Without the decoding: the convolutions, and all of the network from which one can be reached."""
    network = [node for node in graph.node if node.name.startswith("network/")]
    kinds = [*FEATURES, *DECODING] if decoding else [*FEATURES]
    makers = {output: node for node in network for output in node.output}
    reached, open_nodes = set(), [node for node in network if decoding or node.op_type == "Conv"]
    while open_nodes:
        node = open_nodes.pop()
        if node.name not in reached:
            reached.add(node.name)
            open_nodes.extend(makers[value] for value in node.input if value in makers)
    return [node.name for node in network if node.name in reached and node.op_type in kinds], kinds


def _run_quantiser(model, folder: Path, reader: _Pictures, method: str, percentile: float, settings: dict):
    """The quantised ``onnx.ModelProto``. The quantiser writes beside its input, so it gets a folder of its own."""
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    methods = dict(zip(METHODS, (CalibrationMethod.MinMax, CalibrationMethod.Entropy, CalibrationMethod.Percentile), strict=True))
    prepared = onnx.ModelProto()
    prepared.CopyFrom(model)
    prepared.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")  # shapes are in the file; no advice is needed
    onnx.save(prepared, str(folder / "float.onnx"))
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a line for each picture
        quantize_static(
            str(folder / "float.onnx"),
            str(folder / "int8.onnx"),
            reader,
            quant_format=QuantFormat.QDQ,
            **settings,
            activation_type=QuantType.QUInt8,  # with int8 weights: what the processors' dot products take
            weight_type=QuantType.QInt8,
            calibrate_method=methods[method],
            extra_options={"CalibStridedMinMax": 1, "CalibPercentile": percentile},  # a picture at a time, or memory runs full
        )
    return onnx.load(str(folder / "int8.onnx"))


def _check_quantise(path: Path | str, pictures, method: str, percentile: float) -> list[Tensor]:
    from ..yolo.export import need
    from ..yolo.predict import check_images

    need("onnx", "onnxruntime")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if not 50 < percentile <= 100:
        raise ValueError(f"percentile must lie above 50 and be at most 100, got {percentile}")
    pictures = list(pictures)
    if not pictures:
        raise ValueError("pictures must hold at least one picture to learn the ranges from, got none")
    check_images(pictures)
    session = open_session(path, 1)
    facts = facts_of(session)
    if [value.name for value in session.get_inputs()] != ["pixels"] or "classes" not in facts:
        raise ValueError(f"{path} must be a file of export_onnx with preprocess=True, so that pictures can go in")
    if "quantised" in facts:
        raise ValueError(f"{path} is quantised already; quantise the float32 file that it was made from")
    return pictures
