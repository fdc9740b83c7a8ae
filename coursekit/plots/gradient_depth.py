"""Depth, activation and first weights against the gradient of each layer. Taught in notebook 08_fitting."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor, nn

from coursekit.models.normalisation import BatchNorm
from coursekit.plots.fitting import COLOURS, LINES, MARKERS
from coursekit.plots.images import set_alt
from coursekit.plots.live import Live, png
from coursekit.training.fitting import deep_network, gradient_norms, he_scaled, xavier_scaled

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "ReLU": nn.ReLU}
FLOOR, CEILING = 1e-20, 1e12  # where the picture ends; what lies beyond is drawn at its edge


def small(draws: Tensor) -> Tensor:
    """Weights of standard deviation 0.05, as people once took by feel."""
    return draws * 0.05


def twice_he(draws: Tensor) -> Tensor:
    """He's weights, twice as large."""
    return 2 * he_scaled(draws)


INITS = {"std 0.05": small, "Xavier": xavier_scaled, "He": he_scaled, "He x 2": twice_he}


@dataclass(frozen=True)
class Profile:
    """The gradient norm of each layer's weights, the first layer first.

    Args:
        depth: hidden layers; there are depth + 1 norms, the last one of the layer of logits.
        name: what it was, such as ``"sigmoid, Xavier"``.
    """

    depth: int
    name: str
    norms: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Norm of the first layer divided by that of the last. Near 1 is no proof of health: all layers may be equally dead."""
        return self.norms[0] / self.norms[-1] if self.norms[-1] else float("nan")

    @property
    def verdict(self) -> str:
        """In a word, by what reaches the first layer: below 0.0001 is vanished, above 10,000 exploded."""
        first = self.norms[0]
        return "NaN" if first != first else "vanished" if first < 1e-4 else "exploded" if first > 1e4 else "alive"

    def __str__(self):
        return (
            f"{self.name}, {self.depth} hidden layers: first layer {self.norms[0]:.2g}, last {self.norms[-1]:.2g}, "
            f"ratio {self.ratio:.2g} ({self.verdict})"
        )


@functools.lru_cache(maxsize=256)
def profile(depth: int, activation: str = "sigmoid", init: str = "Xavier", batch_norm: bool = False, seed: int = 0) -> Profile:
    """Gradient norms of one new network for one batch of 64 random samples of 10 classes.

    Args:
        depth: 1 or more hidden layers of 64.
        activation: a key of `ACTIVATIONS`. init: a key of `INITS`. batch_norm: before each activation.
        seed: of weights and samples.

    Raises:
        ValueError: naming what is not known.
    """
    for name, value, known in (("activation", activation, ACTIVATIONS), ("init", init, INITS)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    generator = torch.Generator().manual_seed(seed)
    inputs, labels = torch.randn(64, 64, generator=generator), torch.arange(64) % 10
    norm = BatchNorm if batch_norm else None
    model = deep_network(depth, ACTIVATIONS[activation], INITS[init], norm, generator=generator)
    name = f"{activation}, {init}{', batch norm' if batch_norm else ''}"
    return Profile(depth, name, tuple(gradient_norms(model, inputs, labels).tolist()))


def show_profiles(profiles: Sequence[Profile], title: str = "Gradient norm of each layer, before any training") -> Figure:
    """One line a network, the first layer at the left; the y axis counts powers of ten and stays where it is."""
    figure, ax = plt.subplots(figsize=(7, 4.8), layout="constrained")
    for number, found in enumerate(profiles):
        shown = [min(max(norm, FLOOR), CEILING) if norm == norm else CEILING for norm in found.norms]
        style = {"color": COLOURS[number % 7], "linestyle": LINES[number % 4], "marker": MARKERS[number % 7]}
        ax.plot(range(1, len(shown) + 1), shown, markersize=4, label=f"{found.name}: ratio {found.ratio:.1g}", **style)
    ax.set(yscale="log", ylim=(FLOOR, CEILING), xlabel="layer (1: nearest to the image)", ylabel="norm of the gradient", title=title)
    ax.grid(alpha=0.25)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(fontsize=8, loc="outside lower center", ncols=2, title="ratio: first layer to last", title_fontsize=8)
    return set_alt(figure, f"{title}. {'; '.join(map(str, profiles))}.")


STATIC = (
    ("sigmoid", "Xavier", False),
    ("ReLU", "std 0.05", False),
    ("ReLU", "He", False),
    ("ReLU", "He x 2", False),
    ("ReLU", "std 0.05", True),
)


def drag_depth(depth: int = 20, activation: str = "sigmoid", init: str = "Xavier") -> Live:
    """A slider for the depth, choices for the rest, and each layer's gradient; five networks in one picture where nothing can be dragged.

    Args:
        depth: where the slider stands first, 1 to 30.
        activation, init: as for `profile`.
    """

    def render(*settings) -> tuple[bytes, str]:
        found = profile(*settings)
        return png(show_profiles([found])), str(found)

    def make_widget():
        import ipywidgets

        wide = {"width": "420px"}
        controls = [
            ipywidgets.IntSlider(value=depth, min=1, max=30, description="depth", layout=wide),
            ipywidgets.Dropdown(options=list(ACTIVATIONS), value=activation, description="activation", layout=wide),
            ipywidgets.Dropdown(options=list(INITS), value=init, description="weights", layout=wide),
            ipywidgets.Checkbox(value=False, description="batch norm", layout=wide),
        ]
        picture, words = render(depth, activation, init, False)
        shown = ipywidgets.Image(value=picture, format="png", layout={"width": "660px"})
        line = ipywidgets.HTML(words)

        def moved(_):
            shown.value, line.value = render(*(control.value for control in controls))

        for control in controls:
            control.observe(moved, names="value")
        return ipywidgets.VBox([*controls, line, shown], layout={"align_items": "flex-start"})

    still = [profile(depth, *settings) for settings in STATIC]
    return Live(make_widget, show_profiles(still), "; ".join(map(str, still)))
