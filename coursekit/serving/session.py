"""An exported detector in ONNX Runtime, behind the interface of `predict`. Taught in notebook 23_deployment.

    export_onnx(model, "detector.onnx", preprocess=True, nms=True)
    detect = OnnxDetector("detector.onnx")
    found = detect(pictures)

No network of PyTorch runs here: `OnnxDetector.run` needs NumPy and ONNX Runtime only, and torch is imported where pictures are tensors.
"""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from ..machine import cpu_quota

OUTPUTS = ("boxes", "scores", "labels", "count")
BATCH = 16  # pictures at a time, as in `predict`: more take memory and no less time each


def open_session(path: Path | str, threads: int | None = None, profile: Path | str | None = None, optimise: bool = True):
    """An ``onnxruntime.InferenceSession`` on the CPU.

    Args:
        path: an ONNX file.
        threads: that work on one operator; None takes the cores that are really ours.
        profile: where ONNX Runtime writes what each operator took, see `coursekit.serving.profile`; the beginning of a file's name.
        optimise: whether it may join operators, as it does by itself.

    Raises:
        FileNotFoundError, ValueError: if the file is not there, or is no ONNX file that ONNX Runtime can open.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise ValueError("ONNX Runtime is not installed; install with: pip install 'coursekit[export]'") from None
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, or None, got {threads}")
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads or cpu_quota(), 1
    options.log_severity_level = 3  # errors; it warns of operators that it runs itself
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a class of its own for each reason, in a module that is not public
        raise ValueError(f"{path} is not an ONNX file that ONNX Runtime can open: {str(error).splitlines()[0][:200]}") from None


def facts_of(session) -> dict:
    """What `export_onnx` wrote into a file besides the network: ``classes``, ``imgsz``, ``preprocess``, ``nms`` …; {} where it did not."""
    facts = {}
    for name, text in session.get_modelmeta().custom_metadata_map.items():
        try:
            facts[name] = json.loads(text)
        except ValueError:  # other programs write plain text
            facts[name] = text
    return facts


class OnnxDetector:
    """A file of ``export_onnx(..., preprocess=True, nms=True)``, ready to find objects; threads may share it.

    Args:
        path: the file; one of `coursekit.serving.quantise.quantise_onnx` too.
        threads: that work on one operator; None takes the cores that are really ours.

    Attributes:
        classes: names, by label. imgsz: longer side that the network sees, in pixels. facts: all that the file says of itself.

    Raises:
        FileNotFoundError, ValueError: if the file is not there, or is not such a one.
    """

    def __init__(self, path: Path | str, threads: int | None = None):
        self.session = open_session(path, threads)
        self.facts = facts_of(self.session)
        inputs, outputs = ([value.name for value in values] for values in (self.session.get_inputs(), self.session.get_outputs()))
        if inputs != ["pixels"] or sorted(outputs) != sorted(OUTPUTS):
            takes = f"it takes {', '.join(inputs)} and gives {', '.join(outputs)}"
            raise ValueError(f"{path} must be exported with preprocess=True and nms=True, so that pixels go in and boxes come out; {takes}")
        if not isinstance(self.facts.get("classes"), list) or not isinstance(self.facts.get("imgsz"), int):
            raise ValueError(f"{path} does not tell its classes and imgsz; files of coursekit's export_onnx do")
        self.classes, self.imgsz = tuple(self.facts["classes"]), self.facts["imgsz"]

    def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Pictures of one size in, numbers as they lie in the file out.

        Args:
            pixels: (B, H, W, 3) uint8 RGB; B, H and W at least 1.

        Returns:
            ``boxes`` (B, K, 4) float32 ``xyxy`` in the pictures' own pixels, clipped; ``scores`` (B, K) float32, best first; ``labels``
            (B, K) int64; ``count`` (B,) int64: how many of the K are real. The others are 0, with label -1.

        Raises:
            ValueError: for another shape or kind.
        """
        if not isinstance(pixels, np.ndarray) or pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8 or not pixels.size:
            came = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise ValueError(f"pixels must be a uint8 array (B, H, W, 3) with at least one pixel, got {came}")
        return dict(zip(OUTPUTS, self.session.run(OUTPUTS, {"pixels": np.ascontiguousarray(pixels)}), strict=True))

    def __call__(self, pictures) -> list:
        """Find objects, as `coursekit.yolo.predict` does.

        Args:
            pictures: uint8 (3, H, W) RGB tensors of any sizes, or one tensor (B, 3, H, W). Those of one size go together, 16 at a time.

        Returns:
            A `Detections` for each picture, in its own pixels.

        Raises:
            ValueError: naming the picture that is not uint8 (3, H, W).
        """
        from ..yolo.predict import check_images

        check_images(pictures)
        found: list = [None] * len(pictures)
        for members in by_size([tuple(picture.shape) for picture in pictures]):
            pixels = np.stack([pictures[number].permute(1, 2, 0).cpu().numpy() for number in members])
            for number, one in zip(members, to_detections(self.run(pixels)), strict=True):
                found[number] = one
        return found


def by_size(shapes: list[tuple], batch: int = BATCH) -> list[list[int]]:
    """Which pictures go together: the places of those of one shape, at most ``batch`` in a list; shapes in the order of their first."""
    groups: dict[tuple, list[int]] = defaultdict(list)
    for number, shape in enumerate(shapes):
        groups[shape].append(number)
    return [members[first : first + batch] for members in groups.values() for first in range(0, len(members), batch)]


def to_detections(outputs: dict[str, np.ndarray]) -> list:
    """The four outputs of a detector -> a `Detections` for each picture, without the rows that are not real."""
    import torch

    from ..detections import Detections

    boxes, scores, labels = (torch.from_numpy(np.array(outputs[name])) for name in OUTPUTS[:3])  # copies, which can be written to
    counts = np.asarray(outputs["count"]).reshape(-1).tolist()
    return [Detections(boxes[row, :many], scores[row, :many], labels[row, :many]) for row, many in enumerate(counts)]
