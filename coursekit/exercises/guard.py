"""Is this answer merely ours, or a library's, under another name? Watched while the answer runs, because a name proves nothing:
an alias, a lambda, a partial, a method and a from-import all end in the same call.

Three pairs of eyes: Python functions are known by their code object (`sys.setprofile`), functions written in C by themselves
(its c_call events), and everything of torch by `TorchFunctionMode`, which also sees `tensor.softmax(0)` and `torch.ops`.

The grader's sandbox loads this file too (`grading/inside/watch.py`), also where there is no torch: it imports nothing of ours.
"""

import contextlib
import functools
import importlib
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterable

try:
    import torch
    from torch.overrides import TorchFunctionMode

    BASES = (torch.nn.Module, torch.nn.Sequential, torch.optim.Optimizer, torch.utils.data.Dataset, object)  # shared by all: no copy
    OPERATORS = (torch._ops.OpOverloadPacket, torch._ops.OpOverload)
except ImportError:
    TorchFunctionMode, BASES, OPERATORS = contextlib.nullcontext, (object,), ()


def resolve(twin: str | Callable, load: bool = False) -> Callable | None:
    """The object of a dotted name; None while its module is not imported (then nobody can have called it) or has no such name.

    Args:
        twin: ``"torchvision.ops.box_iou"``, or the object itself.
        load: import the module if need be.
    """
    if not isinstance(twin, str):
        return twin
    parts = twin.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:cut])
        module = sys.modules.get(name)
        if module is None and load:
            try:
                module = importlib.import_module(name)
            except ImportError:
                continue
        if module is not None:
            try:
                return functools.reduce(getattr, parts[cut:], module)
            except AttributeError:
                return None
    return None


def unwrap(answer):
    """What a partial or a bound method is made of."""
    for _ in range(20):
        if isinstance(answer, (functools.partial, functools.partialmethod)):
            answer = answer.func
        elif isinstance(answer, types.MethodType):
            answer = answer.__func__
        else:
            break
    return answer


def codes_of(function: Callable) -> set[int]:
    """Ids of the code objects that run when this is called: a function's own, or those of a class's methods."""
    if isinstance(function, type):
        own = [c for c in function.__mro__ if c not in BASES and c.__module__ not in ("builtins", "typing", "abc")]
        members = [m for c in own for m in vars(c).values()]
        members = [m.__func__ if isinstance(m, (classmethod, staticmethod)) else m for m in members]
        return {id(m.__code__) for m in members if isinstance(m, types.FunctionType)}
    if isinstance(function, OPERATORS):
        return set()  # they share the code of one class; Watch sees them by name
    call = inspect.getattr_static(type(function), "__call__", None)
    if not isinstance(function, types.FunctionType) and isinstance(call, types.FunctionType):
        function = call  # an instance that can be called
    for attribute in ("_implementation", "__wrapped__"):  # NumPy's dispatchers and decorated functions lead to the code underneath
        function = getattr(function, attribute, function)
    code = getattr(unwrap(function), "__code__", None)
    return {id(code)} if code else set()


def name_of(twin: str | Callable) -> str:
    """How a learner knows it."""
    if isinstance(twin, str):
        return twin
    return f"{getattr(twin, '__module__', None) or 'builtins'}.{getattr(twin, '__qualname__', type(twin).__name__)}"


def torch_leaf(function) -> str:
    """``softmax`` for torch.softmax, Tensor.softmax, F.softmax, torch.special.softmax, torch.ops.aten._softmax.default and softmax_."""
    name = str(getattr(function, "__name__", ""))
    return name.split(".")[0].strip("_").removeprefix("special_").removeprefix("native_")


def is_torchs(function, name: str) -> bool:
    """Is it torch's or torchvision's? Its C functions do not say so in ``__module__``."""
    module, owner = getattr(function, "__module__", None) or "", getattr(function, "__self__", function)
    return name.startswith("torch") or module.startswith("torch") or (module == "" and "torch" in repr(owner)[:60].lower())


class Watch(TorchFunctionMode):
    """Notes in ``seen`` every forbidden function that is called while it is on.

    Args:
        twins: what an answer may not merely call.
        allowed: functions inside which they may be called.
        driver: our own function that uses the answer; what it calls itself is not the learner's doing.
    """

    def __init__(self, twins: Iterable[str | Callable], allowed: Iterable[str | Callable] = (), driver: Callable | None = None):
        super().__init__()
        self.twins, self.allowed, self.seen, self.depth = list(twins), list(allowed), [], 0
        self.driver_code = getattr(driver, "__code__", None)
        self.look_up()

    def look_up(self) -> None:
        """Find the twins whose modules are imported by now; called again after a case that imported something."""
        self.codes, self.in_c, self.leaves = {}, {}, {}
        for twin in self.twins:
            function = resolve(twin)
            if function is None:
                continue
            name = name_of(twin)
            self.codes.update(dict.fromkeys(codes_of(function), name))
            if is_torchs(function, name) and not isinstance(function, type):
                self.leaves[torch_leaf(function)] = name
            if isinstance(function, types.BuiltinFunctionType):
                self.in_c[function] = name
        self.allowed_codes = set().union(*(codes_of(f) for f in map(resolve, self.allowed) if f is not None))

    def note(self, name: str) -> None:
        if self.depth == 0 and name not in self.seen:
            self.seen.append(name)

    def __torch_function__(self, function, kinds, args=(), kwargs=None):
        """Every call of torch passes here."""
        name = self.leaves.get(torch_leaf(function))
        if name and not self._from_driver(sys._getframe(1)):
            self.note(name)
        return function(*args, **(kwargs or {}))

    def _from_driver(self, frame) -> bool:
        """Was the call made by the exercise's own driver? torch's frames in between do not count."""
        while frame is not None and re.search(r"[/\\\\]torch(vision)?[/\\\\]", frame.f_code.co_filename):
            frame = frame.f_back
        return frame is not None and frame.f_code is self.driver_code

    def profile(self, frame, event: str, function) -> None:
        """Every other call passes here."""
        if event == "call":
            code = frame.f_code
            if id(code) in self.codes and not (self.driver_code and frame.f_back is not None and frame.f_back.f_code is self.driver_code):
                self.note(self.codes[id(code)])
            if id(code) in self.allowed_codes:
                self.depth += 1
        elif event == "return":
            if id(frame.f_code) in self.allowed_codes:
                self.depth = max(0, self.depth - 1)
        elif event == "c_call" and self.in_c and function in self.in_c:
            self.note(self.in_c[function])

    def run(self, call: Callable):
        """``call()``, watched."""
        before = sys.getprofile()
        with self:
            sys.setprofile(self.profile)
            try:
                return call()
            finally:
                sys.setprofile(before)


def is_one_of(answer, twins: Iterable[str | Callable]) -> str | None:
    """The name of the twin that this answer is, or is a subclass of; None if it is neither."""
    answer = unwrap(answer)
    for twin in twins:
        function = resolve(twin)
        if function is None:
            continue
        if answer is function or (isinstance(answer, type) and isinstance(function, type) and issubclass(answer, function)):
            return name_of(twin)
        if isinstance(function, types.BuiltinFunctionType | types.MethodDescriptorType) and answer == function:
            return name_of(twin)
        in_c = isinstance(answer, types.BuiltinFunctionType | types.MethodDescriptorType) and is_torchs(answer, "")
        if in_c and is_torchs(function, name_of(twin)) and torch_leaf(answer) == torch_leaf(function):
            return name_of(twin)
    return None
