"""How a verdict, a hint or an answer is shown: HTML in a notebook, plain text in a terminal. Colour, symbol and words say the same.

Everything that comes from a learner is escaped. No script, no style sheet, nothing from the network; readable on light and dark.
"""

import base64
import contextlib
import html
import io
import re
from dataclasses import dataclass, field
from typing import Any

SYMBOLS = {"good": "✓", "bad": "✗", "open": "○", "info": "→"}
COLOURS = {"good": "#1f9d55", "bad": "#d64545", "open": "#8a8f98", "info": "#3b82c4"}  # at least 3:1 on white and on near-black
_EMPHASIS = re.compile(r"(?<![\w*])\*([^\W\d_](?:[^*\n]*[\w.])?)\*(?![\w*])")  # *these words*, but neither 2 * 3 * 4 nor *args


@dataclass
class Card:
    """A message with a title, rows beneath it and perhaps a picture.

    Args:
        mood: ``good``, ``bad``, ``open`` or ``info``.
        title: bold, after the symbol.
        rows: strings, or (label, block of code) pairs.
        picture: PNG bytes.
        alternative: the picture in words.
    """

    mood: str
    title: str
    rows: list[str | tuple[str, str]] = field(default_factory=list)
    picture: bytes | None = None
    alternative: str = ""

    def text(self) -> str:
        """For a terminal."""
        lines = [f"{SYMBOLS[self.mood]} {self.title}"]
        for row in self.rows:
            if isinstance(row, str):
                lines += ["  " + line for line in row.split("\n")]
            else:
                label, block = row
                first, *rest = block.split("\n")
                indent = " " * (len(label) + 4)
                if rest and len(label) > 6:  # a long label would push the block far to the right
                    lines += [f"  {label}:", *("    " + line for line in (first, *rest))]
                else:
                    lines += [f"  {label}: {first}", *(indent + line for line in rest)]
        return "\n".join(lines)

    def html(self) -> str:
        """For a notebook; text keeps the page's own colour, so it reads on dark themes too."""
        colour = COLOURS[self.mood]
        parts = [
            f'<div role="status" style="border-left:4px solid {colour};padding:.3em .8em;margin:.3em 0;max-width:60em">',
            f'<div><span style="color:{colour};font-weight:bold">{SYMBOLS[self.mood]}</span> <b>{code(self.title)}</b></div>',
        ]
        for row in self.rows:
            if isinstance(row, str):
                parts.append(f'<div style="margin-top:.25em">{code(row)}</div>')
            else:
                label, block = (html.escape(part) for part in row)
                name = f'<div style="min-width:5.5em;opacity:.8">{label}</div>'
                block = f'<pre style="margin:0;white-space:pre-wrap;flex:1;font-family:monospace">{block}</pre>'
                parts.append(f'<div style="display:flex;gap:.8em;margin-top:.25em">{name}{block}</div>')
        if self.picture:
            data = base64.b64encode(self.picture).decode()
            style = "display:block;margin-top:.4em;background:white"
            parts.append(f'<img alt="{html.escape(self.alternative)}" style="{style}" src="data:image/png;base64,{data}">')
        return "".join([*parts, "</div>"])

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


def code(text: str) -> str:
    """Escaped, with `backticks` as code, *stars* as emphasis and line breaks kept."""
    pieces = html.escape(text).split("`")
    if len(pieces) % 2 == 0:  # a backtick without its twin
        return html.escape(text).replace("\n", "<br>")
    marked = [f"<code>{p}</code>" if i % 2 else _EMPHASIS.sub(r"<em>\1</em>", p).replace("\n", "<br>") for i, p in enumerate(pieces)]
    return "".join(marked)


def in_notebook() -> bool:
    """Is there a Jupyter kernel to show HTML and widgets?"""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def show(card: Card) -> None:
    """Show it where the learner is."""
    if in_notebook():
        from IPython.display import display

        display(card)
    else:
        print(card.text())


def brief(value: Any, limit: int = 700, depth: int = 3) -> str:
    """A value as text: small ones whole, large ones by shape and beginning. An object of the learner's own class is named by its type."""
    with contextlib.suppress(ImportError):
        import numpy as np
        import torch

        from coursekit.exercises.compare import is_a, plain

        if is_a(value, torch.Tensor):
            return _tensor(plain(value).detach(), torch, limit)
        if type(value) is np.ndarray:
            text = np.array2string(value, precision=4, threshold=64, edgeitems=2, separator=", ")
            return cut(f"array({text}, shape={value.shape}, dtype={value.dtype})", limit)
    known = type(value).__module__.partition(".")[0] in ("builtins", "numpy", "torch", "coursekit", "pathlib")
    try:
        if type(value) in (list, tuple, dict) and depth == 0:
            return "..."
        if type(value) in (list, tuple):
            inner = _joined([brief(v, limit // 4, depth - 1) for v in value[:6]]) + (", ..." if len(value) > 6 else "")
            return f"[{inner}]" if type(value) is list else f"({inner}{',' if len(value) == 1 else ''})"
        if type(value) is dict:
            pairs = [f"{brief(k, 60, 1)}: {brief(v, limit // 4, depth - 1)}" for k, v in list(value.items())[:8]]
            return "{" + _joined(pairs) + "}"
        if known:
            single = type(value).__module__ == "numpy" and type(value).__name__ in ("float64", "int64", "bool")  # not np.float64(20.0)
            return cut(repr(value.item() if single else value), limit)
    except Exception:
        pass
    return f"an object of type {type(value).__name__}"


def _joined(parts: list[str]) -> str:
    """On one line where they fit; else a line each, and what goes over several lines stays indented below its own beginning."""
    together = ", ".join(parts)
    if "\n" not in together and len(together) <= 72:
        return together
    return ",\n ".join(part.replace("\n", "\n ") for part in parts)


def _tensor(value, torch, limit: int) -> str:
    try:
        if value.numel() > 64:
            with torch._tensor_str.printoptions(precision=4, threshold=16, edgeitems=2):
                return cut(_tight(f"shape {tuple(value.shape)}, {value.dtype}: {value!r}"), limit)
        return cut(_tight(repr(value)), limit)
    except Exception:
        return "a tensor that cannot be shown"


def _tight(text: str) -> str:
    """Without the empty lines that torch puts between the blocks of a tensor of three dimensions and more: the brackets say as much."""
    return "\n".join(line for line in text.split("\n") if line.strip())


def cut(text: str, limit: int) -> str:
    """At most that many characters."""
    return text if len(text) <= limit else text[: limit - 4] + " ..."


def png(figure) -> bytes:
    """A matplotlib figure as PNG, closed so that it is not shown a second time."""
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, bbox_inches="tight")
    plt.close(figure)
    return buffer.getvalue()
