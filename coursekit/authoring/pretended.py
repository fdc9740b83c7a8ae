"""A GPU that is not there: on any machine, code fails where it would fail on a real one because two tensors lie in different memories.

    with pretended_gpu() as gpu:
        model.to("cuda")(images)          # RuntimeError: Expected all tensors to be on the same device ... `images` is on the CPU
        gpu.waits                         # what had to wait for the GPU meanwhile: item, nonzero, cpu ...

    python -m coursekit.authoring.pretended 13 19      solved notebooks at smoke, each with such a GPU

Every tensor stays in the CPU's memory and every sum is the CPU's; only the labels differ, and what is asked about them. So it proves where
tensors lie, and nothing about speed, memory or rounding.
"""

import contextlib
import copy
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, _pop_mode_temporarily

GPU = torch.device("cuda", 0)
# tensors of both memories may meet in these
ACROSS = {"copy_", "__deepcopy__", "_has_compatible_shallow_copy_type", "set_", "is_set_to", "__reduce_ex__", "__hash__", "backward"}
# a single number of the CPU may take part in a sum on a GPU, but not in these
TOGETHER = {"cat", "stack", "concat", "concatenate", "hstack", "vstack", "index_put_", "index_put", "index_select", "gather", "scatter_"}
# answers that the CPU needs before it can go on
WAITS = {"item", "tolist", "__float__", "__int__", "__bool__", "__index__", "__repr__", "__format__", "__contains__", "equal", "allclose"}
WAITS |= {"nonzero", "argwhere", "masked_select", "unique", "unique_consecutive", "bincount", "cpu", "is_nonzero"}


def tensors_in(value) -> Iterator[Tensor]:
    """All tensors of nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)


def on_gpu(tensor: Tensor) -> bool:
    """Does it lie on the pretended GPU? The label is on its memory, so views, parameters and detached twins share it."""
    with torch._C.DisableTorchFunction():
        return tensor.layout == torch.strided and getattr(tensor.untyped_storage(), "pretended", False)


def label(value) -> None:
    """Put every tensor of ``value`` on the pretended GPU, where it lies."""
    with torch._C.DisableTorchFunction():
        for tensor in tensors_in(value):
            if tensor.layout == torch.strided and tensor.device.type == "cpu":
                tensor.untyped_storage().pretended = True


def device_named(value) -> torch.device | None:
    """The device that an argument names, if it names one."""
    if isinstance(value, torch.device):
        return value
    if isinstance(value, str):
        with contextlib.suppress(RuntimeError):
            return torch.device(value)
    return None


class PretendedGPU(TorchFunctionMode):
    """Watches every call of torch; `waits` counts what would make a real GPU's caller wait."""

    def __init__(self):
        super().__init__()
        self.waits: Counter[str] = Counter()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), _name(function)
        if function is torch.device or isinstance(function, type):
            return function(*args, **kwargs)
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if name in ("device.__get__", "is_cuda.__get__", "is_cpu.__get__", "get_device") and first is not None and on_gpu(first):
            return {"device.__get__": GPU, "is_cuda.__get__": True, "is_cpu.__get__": False, "get_device": 0}[name]
        if name == "data.__set__":
            return function(*args)  # the memory of the value, with its label
        if name == "_parse_to":  # what `Module.to` was asked
            device, *more = function(*args, **kwargs)
            return (GPU if any(map(on_gpu, tensors_in((args, kwargs)))) else device, *more)
        if name in ("to", "cpu", "cuda") and first is not None:
            return self._move(function, name, args, kwargs)
        if name == "record_stream":
            return None
        return self._compute(function, name, args, kwargs)

    def _compute(self, function, name: str, args: tuple, kwargs: dict):
        """Anything else: refuse what a GPU refuses, and label what comes out."""
        asked = device_named(kwargs.get("device"))
        if asked is not None and asked.type == "cuda":
            kwargs["device"] = torch.device("cpu")
        here = list(tensors_in(args[:1] if name in ACROSS else (args, kwargs)))
        labelled = [on_gpu(tensor) for tensor in here]
        if asked is not None:
            result_on_gpu = asked.type == "cuda"
        elif name in ("tensor", "copy_"):  # a list of numbers begins on the CPU
            result_on_gpu = bool(args) and isinstance(args[0], Tensor) and on_gpu(args[0])
        else:
            result_on_gpu = any(labelled)
        if name in ("numpy", "__array__") and any(labelled) and not kwargs.get("force"):
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.")
        if any(labelled) and asked is None and name != "tensor":
            self._refuse_mixture(name, args, here, labelled)
        generator = kwargs.get("generator")
        if result_on_gpu and generator is not None and generator.device.type == "cpu":
            raise RuntimeError(f"Expected a 'cuda' device type for generator but found 'cpu' (in {name})")
        self._count(name, args, kwargs, labelled, asked)
        result = function(*args, **kwargs)
        if result_on_gpu and name != "numpy":
            label(result)
        return result

    def _refuse_mixture(self, name: str, args: tuple, here: list[Tensor], labelled: list[bool]) -> None:
        """Raise as torch does where tensors of two memories meet; a lone number and an index may be the CPU's."""
        if name in ("__getitem__", "__setitem__") and on_gpu(args[0]):
            indexed = any(isinstance(part, Tensor) for part in (args[1] if isinstance(args[1], tuple) else (args[1],)))
            here = list(tensors_in(args[2])) if name == "__setitem__" and indexed else []
            labelled = [on_gpu(tensor) for tensor in here]
        for tensor, there in zip(here, labelled, strict=True):
            if not there and (tensor.ndim > 0 or name in TOGETHER):
                said = "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"
                raise RuntimeError(f"{said} (in {name}: that of shape {tuple(tensor.shape)} is on the CPU)")

    def _count(self, name: str, args: tuple, kwargs: dict, labelled: list[bool], asked: torch.device | None) -> None:
        """Note what waits: answers that the CPU needs, sizes that depend on values, copies out of ordinary memory."""
        if asked is not None and asked.type == "cuda" and name in ("tensor", "as_tensor"):
            self.waits["tensor"] += 1
        if not any(labelled):
            return
        if name in WAITS or (name == "where" and len(args) == 1):
            self.waits[name] += 1
        if name == "repeat_interleave" and len(args) > 1 and isinstance(args[1], Tensor) and "output_size" not in kwargs:
            self.waits[name] += 1
        if name in ("__getitem__", "__setitem__"):
            for part in args[1] if isinstance(args[1], tuple) else (args[1],):
                chosen = isinstance(part, Tensor) and part.ndim > 0
                if chosen and (part.dtype in (torch.bool, torch.uint8) or not on_gpu(part)):
                    self.waits[f"{name} by a {'mask' if part.dtype == torch.bool else 'CPU index'}"] += 1

    def _move(self, function, name: str, args: tuple, kwargs: dict):
        """``to``, ``cpu``, ``cuda``: do without the device what else is asked for, and label the copy."""
        tensor, rest = args[0], list(args[1:])
        target = {"cpu": torch.device("cpu"), "cuda": GPU}.get(name)
        for place, value in enumerate(rest if name == "to" else []):
            if isinstance(value, Tensor):
                target, rest[place] = (GPU if on_gpu(value) else value.device), value.dtype
            elif (named := device_named(value)) is not None:
                target, rest[place] = named, torch.device("cpu") if named.type == "cuda" else value
        target = device_named(kwargs.get("device")) or target
        if target is not None and target.type not in ("cpu", "cuda"):
            return function(*args, **kwargs)
        if kwargs.get("device") is not None:
            kwargs["device"] = torch.device("cpu")
        before = on_gpu(tensor)
        after = before if target is None else target.type == "cuda"
        if before != after and not (kwargs.get("non_blocking") or (name == "to" and any(value is True for value in rest))):
            self.waits["to the GPU" if after else "cpu"] += 1
        result = Tensor.to(tensor, *rest, **kwargs) if name == "to" else tensor
        if before != after and result.untyped_storage() is tensor.untyped_storage():
            result = result.clone(memory_format=torch.preserve_format)
        if after:
            label(result)
        return result


def _name(function) -> str:
    """``"add"``; ``"device.__get__"`` for an attribute."""
    name = getattr(function, "__name__", str(function))
    owner = getattr(function, "__self__", None)
    return f"{owner.__name__}.{name}" if name in ("__get__", "__set__") and hasattr(owner, "__name__") else name


def _load(real):
    """`torch.load` onto the pretended GPU."""

    def load(*args, map_location=None, **more):
        named = device_named(map_location)
        if named is None or named.type != "cuda":
            return real(*args, map_location=map_location, **more)
        value = copy.copy(real(*args, map_location="cpu", **more))
        label(value)
        return value

    return load


def _group(real):
    """How clipping and optimisers sort their tensors, below the calls that are watched."""

    def group(tensors, *more):
        found = real(tensors, *more)
        device = GPU if any(map(on_gpu, tensors_in(list(tensors)))) else None
        return {(device or key[0], *key[1:]): value for key, value in found.items()}

    return group


def _on_the_cpu(real):
    """`torch.onnx.export` of a model on the CPU, which asks the driver about every GPU that it is told of."""

    def export(*args, **more):
        with _pop_mode_temporarily(), mock.patch.object(torch.cuda, "is_available", return_value=False):
            return real(*args, **more)

    return export


@contextlib.contextmanager
def pretended_gpu() -> Iterator[PretendedGPU]:
    """A machine with one GPU, in this thread, as far as labels go; without bfloat16, so that sums are those of the CPU."""
    answers = {
        "is_available": True,
        "device_count": 1,
        "current_device": 0,
        "get_device_name": "a pretended GPU",
        "get_device_properties": SimpleNamespace(name="a pretended GPU", total_memory=2**30, major=0, minor=0),
        "is_bf16_supported": False,
        "synchronize": None,
        "mem_get_info": (2**30, 2**30),
        "max_memory_allocated": 0,
        "max_memory_reserved": 0,
        "reset_peak_memory_stats": None,
        "empty_cache": None,
        "is_current_stream_capturing": False,
        "manual_seed_all": None,
        "manual_seed": None,
    }
    with contextlib.ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, lambda *args, answer=answer, **more: answer))
        # optimisers ask whether a graph is being captured, by one name or the other
        for name in ("_cuda_graph_capture_health_check", "_accelerator_graph_capture_health_check"):
            stack.enter_context(mock.patch.object(torch.optim.Optimizer, name, return_value=None, create=True))
        stack.enter_context(mock.patch.object(torch, "load", _load(torch.load)))
        stack.enter_context(mock.patch.object(torch.onnx, "export", _on_the_cpu(torch.onnx.export)))
        grouping = "_group_tensors_by_device_and_dtype"
        stack.enter_context(mock.patch.object(torch._C, grouping, _group(getattr(torch._C, grouping))))
        stack.enter_context(mock.patch.object(Tensor, "pin_memory", lambda self, *device: self))  # a thread beside this one calls it
        yield stack.enter_context(PretendedGPU())


_kept = contextlib.ExitStack()  # what nobody holds is collected, and ends


def in_a_notebook() -> None:
    """From this cell on, to the end of the kernel."""
    _kept.enter_context(pretended_gpu())


def main() -> int:
    """Solved notebooks at smoke, one after another; 1 where one failed."""
    import nbformat

    from coursekit.authoring.rehearse import rehearse

    wanted = sys.argv[1:]
    paths = [path for path in sorted(Path("build/solved").glob("[0-9][0-9]_*.ipynb")) if not wanted or path.name[:2] in wanted]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            notebook = nbformat.read(path, as_version=4)
            first = nbformat.v4.new_code_cell("from coursekit.authoring.pretended import in_a_notebook\n\nin_a_notebook()", id="pretended")
            notebook.cells.insert(0, first)
            nbformat.write(notebook, Path(folder) / path.name)
            found = rehearse(Path(folder) / path.name, "smoke", Path(folder) / "place")
            print(f"{found.line()}\n{found.said}".rstrip(), flush=True)
            failed += not found.good
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
