"""Numbers in words and in source: what the text of a variant and its asserts are made of."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from coursekit.exercises.core import Exercise


def show(value: Any) -> str:
    """For readers: ``0.3333``, ``[0, 2]``, ``(0.5, 0.8)``; four digits are enough to check by hand."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        left, right = "[]" if isinstance(value, list) else "()"
        return left + ", ".join(map(show, value)) + right
    if isinstance(value, (bool, str)) or value is None:
        return str(value)
    if isinstance(value, int):
        return str(value)
    exact = f"{value:.6g}"  # 0.78125 as it is, one third as 0.3333
    return exact if float(exact) == value and len(exact) <= 7 else f"{value:.4g}"


def some(count: int, what: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count} {what}{'s' * (count != 1)}"


def reflow(text: str) -> str:
    """One line a paragraph or list entry: a line that a number made end early cannot begin with what Markdown takes for a bullet."""
    lines: list[str] = []
    for line in text.split("\n"):
        begins = not line or re.match(r"#|\*difficulty|\||    |- |\d+\. ", line)
        if begins or not lines or not lines[-1] or lines[-1].startswith(("#", "|", "*difficulty", "    ")):
            lines.append(line)
        else:
            lines[-1] += " " + line.strip()
    return "\n".join(lines)


def table(heads: list[str], *rows: list) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *([show(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def source(value: Any) -> str:
    """For Python: the expression that gives this value again, to the bit."""
    if type(value).__module__ == "torch":
        value = value.detach()
        kind = str(value.dtype)
        if value.numel() == 0:
            return f"torch.zeros({tuple(value.shape)}, dtype={kind})"
        rest = "" if kind in ("torch.float32", "torch.int64", "torch.bool") else f", dtype={kind}"
        return f"torch.tensor({_nested(value.numpy())}{rest})"
    if isinstance(value, np.ndarray):
        if value.size == 0:
            return f"np.zeros({value.shape}, dtype={value.dtype.name!r})"
        return f"np.array({_nested(value)})"
    if isinstance(value, (list, tuple)):
        inside = ", ".join(map(source, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    return repr(value)


def _nested(array: np.ndarray) -> str:
    """Lists of the shortest digits that mean the same number in the array's own precision."""
    if array.ndim:
        return "[" + ", ".join(map(_nested, array)) + "]"
    return str(array[()]) if array.dtype.kind == "f" else repr(array.item())


def write_examples(exercise: "Exercise", count: int) -> str:
    """An assert for each of the first cases."""
    parts = []
    for label, arguments in exercise.draw_cases()[:count]:
        call = f"got = {exercise.short_name}({', '.join(map(source, arguments))})"
        parts.append(f"# {label}\n{call}\n{_assertion(exercise.reference(*arguments), label)}")
    return "\n\n".join(parts)


def _assertion(right: Any, label: str) -> str:
    said = f'f"{label}: got {{got}}"'
    kind = type(right).__module__
    if kind in ("torch", "numpy") and not (right.is_floating_point() if kind == "torch" else right.dtype.kind == "f"):
        return f"assert got.tolist() == {right.tolist()}, {said}"
    if kind == "torch":
        return f"assert got.shape == {tuple(right.shape)} and torch.allclose(got, {source(right)}, atol=1e-4), {said}"
    if kind == "numpy":
        return f"assert got.shape == {right.shape} and np.allclose(got, {source(right)}, atol=1e-4), {said}"
    if isinstance(right, float):
        return f"assert abs(got - {right:.6g}) < 1e-4, {said}"
    if isinstance(right, tuple):
        return f"assert np.allclose(got, {source(tuple(round(float(r), 6) for r in right))}, atol=1e-4), {said}"
    return f"assert got == {right!r}, {said}"
