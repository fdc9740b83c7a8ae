"""What a teacher may want to look at by eye: names that have little to do with an exercise. Evidence, never a deduction."""

import ast
from collections.abc import Iterable

from .running import parse

MODULES = ("ctypes", "gc", "importlib", "inspect", "marshal", "multiprocessing", "pickle", "signal", "socket", "subprocess", "threading")
CALLS = ("eval", "exec", "compile", "__import__", "globals", "vars", "breakpoint")
ATTRIBUTES = (
    "setprofile", "settrace", "_getframe", "_current_frames", "f_back", "f_globals", "f_locals", "tb_frame", "gi_frame", "modules",
    "__globals__", "__closure__", "__code__", "__subclasses__", "__builtins__", "__torch_function__", "__array_function__",
    "__reduce__", "__reduce_ex__", "ast_transformers", "fork", "_exit", "kill", "setsid", "environ", "system", "popen",
)  # fmt: skip
DOTTED = ("torch.ops", "torch._C", "np.testing", "os.environ")


def flags_of(sources: Iterable[str]) -> list[str]:
    """The names found, each once, in the order in which they stand there. A source that is no Python has none."""
    found: dict[str, None] = {}
    for source in sources:
        try:
            nodes = parse(source)
        except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError):
            continue
        for top in nodes:
            for node in ast.walk(top):
                for name in _names(node):
                    found.setdefault(name)
    return list(found)[:30]


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [a.name for a in node.names if a.name.split(".")[0] in MODULES]
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        inside = [f"{module}.{a.name}" for a in node.names if a.name in ATTRIBUTES]
        return inside + ([module] if module.split(".")[0] in MODULES else [])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
        return [f"{node.func.id}()"]
    if isinstance(node, ast.Attribute):
        dotted = f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else node.attr
        return [dotted] if dotted in DOTTED else [node.attr] if node.attr in ATTRIBUTES else []
    if isinstance(node, ast.Name) and node.id in ("__builtins__", "__loader__", "__spec__"):
        return [node.id]
    return []
