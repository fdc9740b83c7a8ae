"""The detector inside Triton: ``model.py`` beside ``model.onnx`` in a model repository. Goes with notebook 23_deployment.

Triton's python backend runs it in a process of its own, with the Python of Triton's environment: it may import NumPy and ONNX Runtime
and nothing of coursekit. `write_repository` copies it. Triton hands over the requests that waited together; those whose pictures have
one size go through the network in one call, and each request gets back the rows of its own pictures.
https://github.com/triton-inference-server/python_backend
"""

import json
from pathlib import Path

import numpy as np

OUTPUTS = ("boxes", "scores", "labels", "count")
MOST_PIXELS = 2**25  # of the pictures of one call; as floats inside the network's first steps that is 400 MB


def check_pixels(pixels: np.ndarray) -> np.ndarray:
    """Pictures (B, H, W, 3) uint8 as they may be run.

    Raises:
        ValueError: for another dtype or shape, for pictures without a pixel, and for more than `MOST_PIXELS`.
    """
    shape = tuple(pixels.shape)
    if pixels.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3:
        raise ValueError(f"pixels must be uint8 (B, H, W, 3), got {pixels.dtype} {shape}")
    if not pixels.size:
        raise ValueError(f"pixels must hold at least one picture of at least one pixel, got shape {shape}")
    if (count := pixels.size // 3) > MOST_PIXELS:
        raise ValueError(f"pixels must be at most {MOST_PIXELS} in one request, got {count}; send smaller pictures, or fewer")
    return pixels


def plan_calls(shapes: list[tuple[int, ...]]) -> list[list[int]]:
    """Which requests go through the network together: those of one picture size, as long as they hold `MOST_PIXELS` together.

    Args:
        shapes: (B, H, W, 3) of each request.

    Returns:
        Lists of places in ``shapes``; each place stands in one list, in the order they came.
    """
    calls: list[list[int]] = []
    open_call: dict[tuple[int, ...], int] = {}  # by picture size: the call that more may join
    held: list[int] = []
    for place, shape in enumerate(shapes):
        size, pixels = shape[1:], shape[0] * shape[1] * shape[2]
        call = open_call.get(size)
        if call is None or held[call] + pixels > MOST_PIXELS:
            call = open_call[size] = len(calls)
            calls.append([])
            held.append(0)
        calls[call].append(place)
        held[call] += pixels
    return calls


def answer_together(run, pictures: list[np.ndarray]) -> list[dict[str, np.ndarray] | Exception]:
    """Run several requests, as few calls as `plan_calls` needs.

    Args:
        run: (B, H, W, 3) uint8 -> the outputs by name, each with B rows.
        pictures: of each request, (B, H, W, 3) uint8.

    Returns:
        For each request its outputs; or the error, where it fails by itself. A call of several that fails is repeated one by one.
    """
    answers: list[dict[str, np.ndarray] | Exception] = [{}] * len(pictures)
    for places in plan_calls([picture.shape for picture in pictures]):
        try:
            together = run(np.concatenate([pictures[place] for place in places]) if len(places) > 1 else pictures[places[0]])
        except Exception as error:  # whatever the runtime raises must become an answer: the server goes on
            alone = [pictures[place] for place in places]
            again = [error] if len(places) == 1 else [answer_together(run, [picture])[0] for picture in alone]
            for place, answer in zip(places, again, strict=True):
                answers[place] = answer
            continue
        first = 0
        for place in places:
            last = first + len(pictures[place])
            answers[place] = {name: values[first:last] for name, values in together.items()}
            first = last
    return answers


class TritonPythonModel:
    """What Triton calls: `initialize` once, `execute` for the requests that waited together, `finalize` at the end."""

    def initialize(self, args: dict[str, str]) -> None:
        import onnxruntime
        import triton_python_backend_utils as triton  # Triton's own, there only inside of it

        self.triton = triton
        parameters = json.loads(args["model_config"])["parameters"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(parameters["threads"]["string_value"])
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # it remembers a plan for each size, and pictures come in any
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads leave the cores to others
        file = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        side = int(parameters["imgsz"]["string_value"])
        self.run(np.zeros((1, side, side, 3), np.uint8))  # the first call is slow: before the server says that it is ready

    def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(OUTPUTS, self.session.run(list(OUTPUTS), {"pixels": pixels}), strict=True))

    def execute(self, requests: list) -> list:
        answers: list = [None] * len(requests)
        good: list[tuple[int, np.ndarray]] = []
        for place, request in enumerate(requests):
            try:
                good.append((place, check_pixels(self.triton.get_input_tensor_by_name(request, "pixels").as_numpy())))
            except Exception as error:
                answers[place] = error
        for (place, _), answer in zip(good, answer_together(self.run, [pixels for _, pixels in good]), strict=True):
            answers[place] = answer
        return [self.respond(answer) for answer in answers]

    def respond(self, answer: dict[str, np.ndarray] | Exception):
        if isinstance(answer, ValueError):
            return self.triton.InferenceResponse([], self.triton.TritonError(str(answer), self.triton.TritonError.INVALID_ARG))
        if isinstance(answer, Exception):
            return self.triton.InferenceResponse([], self.triton.TritonError(f"{type(answer).__name__}: {answer}"[:500]))
        return self.triton.InferenceResponse([self.triton.Tensor(name, np.ascontiguousarray(answer[name])) for name in OUTPUTS])

    def finalize(self) -> None:
        del self.session
