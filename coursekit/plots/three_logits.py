"""Drag three logits and see their probabilities and the loss. Taught in notebook 02_losses."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from coursekit.losses import cross_entropy, softmax
from coursekit.plots.images import set_alt
from coursekit.plots.live import Live, png

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"
FURTHEST = 6  # where the sliders end


def _short(p: float) -> str:
    """Three digits after the point, or three that count where those would all be 0: the log of 0.000 is no 9.5."""
    return f"{p:.3f}" if p >= 0.001 or p == 0 else f"{p:.3g}"


@dataclass(frozen=True)
class Shares:
    """What softmax makes of some logits, and what the answer costs if class `label` is right."""

    logits: tuple[float, ...]
    label: int
    probabilities: tuple[float, ...]
    loss: float

    def __str__(self):
        p = ", ".join(map(_short, self.probabilities))
        return f"probabilities {p}; loss -log({_short(self.probabilities[self.label])}) = {self.loss:.3f}"


def shares(logits: Sequence[float], label: int) -> Shares:
    """Softmax and cross-entropy of one sample.

    Args:
        logits: one for each class.
        label: the right class, 0-based.

    Raises:
        ValueError: if the label is none of the classes.
    """
    if not 0 <= label < len(logits):
        raise ValueError(f"label must lie in 0..{len(logits) - 1}, got {label}")
    row = torch.tensor([list(logits)], dtype=torch.float64)
    loss = cross_entropy(row, torch.tensor([label])).item()
    return Shares(tuple(float(z) for z in logits), label, tuple(softmax(row)[0].tolist()), abs(loss))  # no -0.000


def logits_picture(logits: Sequence[float], label: int, classes: Sequence[str]) -> Figure:
    """Three panels from left to right: the logits, their exponentials, the probabilities. The right class is hatched and starred.

    Raises:
        ValueError: if there is not one name for each logit.
    """
    if len(classes) != len(logits):
        raise ValueError(f"classes must be one for each of the {len(logits)} logits, got {len(classes)}")
    state = shares(logits, label)
    panels = {"logits z": state.logits, "exp(z)": [math.exp(z) for z in state.logits], "probabilities": state.probabilities}
    names = [f"{name} *" if k == label else name for k, name in enumerate(classes)]
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.2), layout="constrained")
    for ax, (title, values) in zip(axes, panels.items(), strict=True):
        bars = ax.bar(names, values, color=[BLUE if k == label else "#BBBBBB" for k in range(len(names))], edgecolor="black")
        bars[label].set_hatch("//")
        ax.bar_label(bars, [f"{v:.3g}" for v in values], fontsize=9, padding=2)
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.set(title=title, xlabel="class (* is right)", ylabel=title)
        ax.margins(y=0.15)
    reach = 1.2 * max(FURTHEST, *map(abs, logits))  # an axis that stands still: only then is a bar seen to move
    axes[0].set_ylim(-reach if min(logits) < 0 else 0, reach)
    axes[2].set_ylim(0, 1.15)
    figure.suptitle(f"loss = -log({_short(state.probabilities[label])}) = {state.loss:.3f}")
    return set_alt(
        figure, f"Logits {', '.join(f'{z:g}' for z in state.logits)} of {', '.join(classes)}, {classes[label]} is right: {state}."
    )


def render(logits: Sequence[float], label: int, classes: Sequence[str]) -> tuple[bytes, str]:
    """The picture for one position of the sliders, as PNG, and the same in words."""
    return png(logits_picture(logits, label, classes)), str(shares(logits, label))


def three_logits(logits: Sequence[float] = (2, 1, 0), label: int = 0, classes: Sequence[str] = ("stop", "yield", "parking")) -> Live:
    """A slider for each logit above the picture; the picture alone where nothing can be dragged.

    Args:
        logits: where the sliders stand first, from -6 to 6.
        label: the right class, 0-based.
        classes: a name for each.
    """

    def make_widget():
        import ipywidgets

        sliders = [
            ipywidgets.FloatSlider(z, min=-FURTHEST, max=FURTHEST, step=0.5, description=name, layout={"width": "420px"})
            for z, name in zip(logits, classes, strict=True)
        ]
        picture, words = render(logits, label, classes)
        shown, line = ipywidgets.Image(value=picture, format="png", layout={"width": "820px"}), ipywidgets.HTML(words)

        def moved(_):
            shown.value, line.value = render([s.value for s in sliders], label, classes)

        for each in sliders:
            each.observe(moved, names="value")
        return ipywidgets.VBox([*sliders, line, shown], layout={"align_items": "flex-start"})

    return Live(make_widget, logits_picture(logits, label, classes), f"Logits {tuple(logits)}: {shares(logits, label)}")
