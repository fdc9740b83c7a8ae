"""Choose a surface, an optimiser, a rate and a momentum, and see the path. Taught in notebook 03_optimisers."""

from dataclasses import dataclass
from functools import partial

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.plots.descent import draw_paths, show_lines
from coursekit.plots.images import set_alt
from coursekit.plots.live import Live, png
from coursekit.training import optimisers
from coursekit.training.surfaces import SURFACES, Surface, descend

EXPLODED = 1e12
ADAM_START = (0.0, 0.0, 0)
WALKERS = {  # name -> (of the momentum, gives the step; what it remembers at first)
    "SGD": (lambda momentum: optimisers.sgd, 0.0),
    "momentum": (lambda momentum: partial(optimisers.sgd_momentum, momentum=momentum), 0.0),
    "Nesterov": (lambda momentum: partial(optimisers.nesterov, momentum=momentum), 0.0),
    "AdaGrad": (lambda momentum: optimisers.adagrad, 0.0),
    "RMSprop": (lambda momentum: partial(optimisers.rmsprop, decay=0.9), 0.0),
    "Adam": (lambda momentum: partial(optimisers.adam, betas=(momentum, 0.999)), ADAM_START),
}


@dataclass(frozen=True)
class Walk:
    """One walk over a surface.

    Args:
        surface: what it walks on.
        name: the optimiser's, with its settings.
        path: (steps + 1, 2).
        heights: of every place.
    """

    surface: Surface
    name: str
    path: Tensor
    heights: Tensor

    def __str__(self):
        last, steps = self.path[-1].tolist(), len(self.path) - 1
        if not (self.heights.isfinite().all() and self.heights[-1] < 1e3 * (1 + self.heights[0].abs())):
            return f"{self.name} on {self.surface.name}: exploded"
        where = f"({last[0]:.2f}, {last[1]:.2f}), height {self.heights[-1]:.3g}"
        return f"{self.name} on {self.surface.name}: after {steps} steps at {where}; the lowest place has {self.surface.lowest():.3g}"


def walk(surface: str, optimiser: str, lr: float, momentum: float = 0.9, steps: int = 60) -> Walk:
    """Walk with named things, as the sliders do.

    Args:
        surface: one of the names of `coursekit.training.surfaces.SURFACES`.
        optimiser: one of `WALKERS`.
        lr: above 0. momentum: in [0, 1); of momentum and Nesterov, and Adam's first beta; the others do without.

    Raises:
        ValueError: naming what cannot be, and what can.
    """
    places = {s.name: s for s in SURFACES}
    if surface not in places:
        raise ValueError(f"surface must be one of {', '.join(places)}, got {surface!r}")
    if optimiser not in WALKERS:
        raise ValueError(f"optimiser must be one of {', '.join(WALKERS)}, got {optimiser!r}")
    if not lr > 0 or not 0 <= momentum < 1:
        raise ValueError(f"lr must be above 0 and momentum in [0, 1), got {lr} and {momentum}")
    make, state = WALKERS[optimiser]
    path = descend(make(momentum), places[surface], lr, steps, state=state)
    uses = f", momentum {momentum:.2f}" if optimiser in ("momentum", "Nesterov", "Adam") else ""
    return Walk(places[surface], f"{optimiser}, rate {lr:.3g}{uses}", path, places[surface](path))


def walk_picture(done: Walk) -> Figure:
    """The walk from above, and its height after each step."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", gridspec_kw={"width_ratios": [3, 2]})
    draw_paths(left, done.surface, {done.name: done.path})
    left.set_title(done.surface.name)
    above = (done.heights - done.surface.lowest()).clamp(min=1e-6)
    above = above.where(above < EXPLODED, torch.nan)  # what has exploded ends its line: 10 ** 200 would leave no axis for the rest
    show_lines({done.name: (range(len(above)), above)}, "height above the lowest place", "step", "height", "y", right, legend=False)
    figure.suptitle(done.name)
    return set_alt(figure, f"{done}.")


def explore_descent(
    surface: str = "a narrow valley", optimiser: str = "momentum", lr: float = 0.03, momentum: float = 0.9, steps: int = 60
) -> Live:
    """Choose surface, optimiser, rate and momentum, and see the path; one picture where nothing can be dragged.

    Args: as for `walk`; where the controls stand first.
    """

    def make_widget():
        import ipywidgets

        wide = {"layout": {"width": "520px"}, "style": {"description_width": "90px"}}
        where = ipywidgets.Dropdown(options=[s.name for s in SURFACES], value=surface, description="surface", **wide)
        who = ipywidgets.Dropdown(options=list(WALKERS), value=optimiser, description="optimiser", **wide)
        rate = ipywidgets.FloatLogSlider(value=lr, base=10, min=-4, max=0.5, step=0.05, description="rate", **wide)
        kept = ipywidgets.FloatSlider(value=momentum, min=0, max=0.99, step=0.01, description="momentum", **wide)
        first = walk(surface, optimiser, lr, momentum, steps)
        shown = ipywidgets.Image(value=png(walk_picture(first)), format="png", layout={"width": "900px"})
        words = ipywidgets.HTML(str(first))

        def moved(_):
            now = walk(where.value, who.value, rate.value, kept.value, steps)
            shown.value, words.value = png(walk_picture(now)), str(now)

        for control in (where, who, rate, kept):
            control.observe(moved, names="value")
        return ipywidgets.VBox([where, who, rate, kept, words, shown], layout={"align_items": "flex-start"})

    first = walk(surface, optimiser, lr, momentum, steps)
    return Live(make_widget, walk_picture(first), str(first))
