"""Small wrong versions of a right answer, made by machine: one operator, comparison, constant, statement or pair of arguments at a time."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

SWAPS = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Div],
    ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult],
    ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd],
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.And: [ast.Or],
    ast.Or: [ast.And],
}
COMMUTE = {"maximum", "minimum", "max", "min", "add", "mul", "isclose", "allclose", "equal", "logical_and", "logical_or", "zip", "print"}


@dataclass(frozen=True)
class Mutant:
    """One wrong version.

    Args:
        line: number of the line in the solved cell.
        what: what was done, such as ``"< becomes <="``.
        after: the changed line (``"drop: "`` and the line, where a statement is gone); its key in ``Exercise.equivalent``.
        text: the whole cell.
    """

    line: int
    what: str
    after: str
    text: str


def mutants(text: str, lines: frozenset[int]) -> list[Mutant]:
    """Every mutant of a solved cell that changes something on the given lines. No two have the same text.

    Argument guards (an ``if`` that only raises, and ``assert``), docstrings and annotations are left alone: they are tested elsewhere.
    """
    tree = ast.parse(text)
    original, seen, found = ast.unparse(tree), set(), []
    places = [p for p in _places(tree) if getattr(p[0], "lineno", 0) in lines]
    for node, path, change, what in places:
        twin = copy.deepcopy(tree)
        try:
            _apply(twin, path, change)
            changed = ast.unparse(ast.fix_missing_locations(twin))
            compile(changed, "mutant", "exec")
        except (SyntaxError, ValueError):
            continue
        if changed == original or changed in seen:
            continue
        seen.add(changed)
        after = f"drop: {ast.unparse(node).splitlines()[0]}" if what == "dropped" else _changed_line(original, changed)
        found.append(Mutant(node.lineno, what, after, changed))
    return found


def _changed_line(before: str, after: str) -> str:
    for a, b in zip(before.splitlines(), after.splitlines(), strict=False):
        if a != b:
            return b.strip()
    return after.splitlines()[-1].strip()


def _apply(tree: ast.AST, path: tuple, change) -> None:
    """Replace what stands at the path; change gives the new node, None removes a statement."""
    parent = tree
    for name, index in path[:-1]:
        parent = getattr(parent, name) if index is None else getattr(parent, name)[index]
    name, index = path[-1]
    old = getattr(parent, name) if index is None else getattr(parent, name)[index]
    new = change(old)
    if index is None:
        setattr(parent, name, new)
    elif new is None:
        getattr(parent, name)[index] = ast.Pass()
    else:
        getattr(parent, name)[index] = new


def _is_guard(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    return isinstance(node, ast.If) and not node.orelse and all(isinstance(s, ast.Raise) for s in node.body)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _walk(node: ast.AST, path: tuple = ()) -> Iterator[tuple[ast.AST, tuple]]:
    """Every node with the way to it, but for what is left alone."""
    yield node, path
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "ctx"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _is_guard(child) and not _is_docstring(child):
                yield from _walk(child, (*path, (name, index)))


def _places(tree: ast.AST) -> Iterator[tuple]:
    """(node whose line counts, path to what is replaced, change, what it is)."""
    for node, path in _walk(tree):
        if isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)):
            for kind in SWAPS.get(type(node.op), []):
                yield node, (*path, ("op", None)), lambda _, k=kind: k(), f"{type(node.op).__name__} becomes {kind.__name__}"
        elif isinstance(node, ast.Compare):
            for index, op in enumerate(node.ops):
                for kind in SWAPS.get(type(op), []):
                    yield node, (*path, ("ops", index)), lambda _, k=kind: k(), f"{type(op).__name__} becomes {kind.__name__}"
        elif isinstance(node, ast.UnaryOp) and not isinstance(node.operand, ast.Constant):
            yield node, path, lambda old: old.operand, f"{type(node.op).__name__} removed"
        elif isinstance(node, ast.Constant):
            for value in _other_values(node.value):
                yield node, path, lambda _, v=value: ast.Constant(v), f"{node.value!r} becomes {value!r}"
        elif isinstance(node, ast.Call) and _may_swap(node):
            yield node, path, _swap, "first two arguments swapped"
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr, ast.If, ast.For, ast.While, ast.Continue, ast.Break)) and path:
            yield node, path, lambda _: None, "dropped"


def _other_values(value) -> list:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1] if value else [1]
    if isinstance(value, float):
        return [value * 2, value / 2] if value else [1.0]
    return []


def _may_swap(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name not in COMMUTE and len(call.args) >= 2 and not any(isinstance(a, ast.Starred) for a in call.args[:2])


def _swap(call: ast.Call) -> ast.Call:
    call.args[0], call.args[1] = call.args[1], call.args[0]
    return call
