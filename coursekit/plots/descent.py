"""Pictures of walking downhill: on a curve, on a surface, over time. Taught in notebook 03_optimisers."""

import math
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.plots.images import set_alt
from coursekit.training.schedule import warmup_cosine
from coursekit.training.surfaces import Surface

# Okabe and Ito's colours, told apart by colour-blind eyes too; line and marker say the same once more
STYLES = (
    ("#0072B2", "-", "o"),
    ("#D55E00", "--", "s"),
    ("#009E73", ":", "^"),
    ("#CC79A7", "-.", "D"),
    ("#000000", (0, (5, 1)), "v"),
    ("#E69F00", (0, (3, 1, 1, 1, 1, 1)), "P"),
    ("#56B4E9", (0, (1, 1)), "X"),
)
GREY = "#777777"


def show_slopes(height: Callable[[Tensor], Tensor], walks: dict[str, Sequence[float]], span: tuple[float, float], title: str) -> Figure:
    """A loss of one weight, with the places of a walk on it and numbers for the first few: a panel for each walk.

    Args:
        height: loss of a tensor of weights.
        walks: panel's title -> the weight before the first step and after each.
        span: lowest and highest weight to draw; what lies outside is left out.
    """
    figure, axes = plt.subplots(1, len(walks), figsize=(3.1 * len(walks) + 0.4, 3.1), layout="constrained", squeeze=False, sharey=True)
    grid = torch.linspace(*span, 200)
    for ax, (name, places) in zip(axes[0], walks.items(), strict=True):
        ax.plot(grid.tolist(), height(grid).tolist(), color=GREY, linewidth=1)
        inside = [float(place) for place in places if span[0] <= place <= span[1]]
        heights = height(torch.tensor(inside)).tolist()
        ax.plot(inside, heights, "o-", color=STYLES[0][0], linewidth=1, markersize=5)
        for number, (place, loss) in enumerate(zip(inside[:4], heights, strict=False)):
            if number == 0 or abs(place - inside[number - 1]) > 0.08 * (span[1] - span[0]):  # else numbers would lie on each other
                ax.annotate(str(number), (place, loss), xytext=(4, 5), textcoords="offset points", fontsize=8)
        ax.set(title=name, xlabel="weight", ylim=(float(height(grid).min()) - 0.05 * float(height(grid).max()), float(height(grid).max())))
    axes[0, 0].set_ylabel("loss")
    figure.suptitle(title)
    ends = "; ".join(f"{name}: from {float(p[0]):g} to {float(p[-1]):.3g} in {len(p) - 1} steps" for name, p in walks.items())
    return set_alt(figure, f"{title}. The weight's way on its loss curve. {ends}.")


def _drawable(path: Tensor, view: tuple[float, float, float, float]) -> Tensor:
    """The path until it leaves the picture by more than its own size, or is no number any more; of that last step the direction stays."""
    left, right, low, high = view
    middle, size = torch.tensor([(left + right) / 2, (low + high) / 2]), torch.tensor([float(right - left), float(high - low)])
    gone = ~((path - middle).abs() <= 1.5 * size).all(dim=1)  # NaN is gone too
    if not gone.any():
        return path
    last = int(gone.int().argmax())
    if last == 0 or not path[last].isfinite().all():
        return path[:last]
    leap = path[last] - path[last - 1]
    leap = leap * min(1.0, float(3 * size.norm() / leap.norm()))  # a line to 10 ** 100 would not be drawn at all
    return torch.cat([path[:last], (path[last - 1] + leap)[None]])


def draw_surface(ax, surface: Surface) -> None:
    """Height lines, closer together near the bottom, and a star on each minimum."""
    left, right, low, high = surface.view
    y, x = torch.meshgrid(torch.linspace(low, high, 120), torch.linspace(left, right, 160), indexing="ij")
    heights = surface(torch.stack((x, y), dim=-1))
    lowest = min(float(heights.min()), surface.lowest())
    levels = [lowest + (float(heights.max()) - lowest) * (k / 16) ** 3 for k in range(17)]
    ax.contourf(x.numpy(), y.numpy(), heights.numpy(), levels, cmap="Greys", alpha=0.35)
    ax.contour(x.numpy(), y.numpy(), heights.numpy(), levels, colors="#999999", linewidths=0.5)
    for place in surface.minima:
        ax.plot(*place, "*", color="black", markersize=11, zorder=5)
    ax.set(xlim=(left, right), ylim=(low, high), xlabel="weight 1", ylabel="weight 2")


def draw_paths(ax, surface: Surface, paths: dict[str, Tensor]) -> None:
    """Walks over a surface, a line each, with markers that thin out towards the end."""
    draw_surface(ax, surface)
    for (name, path), (colour, line, marker) in zip(paths.items(), STYLES, strict=False):
        shown = _drawable(path.detach(), surface.view)
        every = [k for k in range(len(shown)) if k < 8 or k % max(1, len(shown) // 12) == 0]
        ax.plot(
            shown[:, 0].numpy(),
            shown[:, 1].numpy(),
            linestyle=line,
            marker=marker,
            markevery=every,
            color=colour,
            linewidth=1.5,
            markersize=4,
            label=name,
        )


def _ends(surface: Surface, paths: dict[str, Tensor]) -> str:
    return "; ".join(f"{name} ends at height {float(surface(path[-1])):.3g}" for name, path in paths.items())


def show_paths(surface: Surface, paths: dict[str, Tensor], title: str | None = None) -> Figure:
    """Walks over one surface, seen from above.

    Args:
        paths: name -> (steps + 1, 2), at most seven of them.
    """
    figure, ax = plt.subplots(figsize=(7.4, 4.4), layout="constrained")
    draw_paths(ax, surface, paths)
    title = title or f"Ways down {surface.name}"
    ax.set_title(title)
    ax.legend(fontsize=8)
    lengths = {len(path) - 1 for path in paths.values()}
    return set_alt(figure, f"{title}. {surface.name}, lowest {surface.lowest():.3g}, after {max(lengths)} steps: {_ends(surface, paths)}.")


def show_landscapes(walks: Sequence[tuple[Surface, dict[str, Tensor]]], title: str) -> Figure:
    """Several surfaces, two beside each other, with the same walkers on each and one legend for all.

    Args:
        walks: (surface, name -> path) for each panel, the names alike.
    """
    rows = math.ceil(len(walks) / 2)
    figure, axes = plt.subplots(rows, 2, figsize=(11, 3.7 * rows + 0.6), layout="constrained", squeeze=False)
    for ax, (surface, paths) in zip(axes.flat, walks, strict=False):
        draw_paths(ax, surface, paths)
        ax.set_title(surface.name)
    for ax in axes.flat[len(walks) :]:
        ax.set_axis_off()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    figure.suptitle(title)
    return set_alt(figure, f"{title}. " + " ".join(f"{s.name}, lowest {s.lowest():.3g}: {_ends(s, paths)}." for s, paths in walks))


def show_lines(
    lines: dict[str, tuple[Sequence[float], Sequence[float]]],
    title: str,
    xlabel: str,
    ylabel: str,
    log: str = "",
    ax=None,
    legend: bool = True,
) -> Figure:
    """Curves, told apart by colour, line and marker.

    Args:
        lines: name -> (xs, ys), at most seven. What is inf or NaN is left out.
        log: ``"x"``, ``"y"`` or ``"xy"``: which axes are logarithmic.
        ax: draw into this one.
        legend: name the curves in a box.
    """
    alone = ax is None
    figure, ax = plt.subplots(figsize=(9, 3.8), layout="constrained") if alone else (ax.figure, ax)
    words = []
    for (name, (xs, ys)), (colour, line, marker) in zip(lines.items(), STYLES, strict=False):
        shown = [(float(x), float(y)) for x, y in zip(xs, ys, strict=True) if math.isfinite(float(y))]
        across, up = [x for x, _ in shown], [y for _, y in shown]
        ax.plot(
            across,
            up,
            linestyle=line,
            marker=marker,
            color=colour,
            label=name,
            linewidth=1.7,
            markersize=4,
            markevery=max(1, len(shown) // 10),
        )
        words.append(f"{name} from {up[0]:.3g} to {up[-1]:.3g}" if up else f"{name}: no number")
    if "x" in log:
        ax.set_xscale("log")
    if "y" in log:
        ax.set_yscale("log")
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    if legend and alone:
        figure.legend(loc="outside right upper", fontsize=9)  # beside the curves, so that it hides none of them
    elif legend:
        ax.legend(fontsize=8)
    return set_alt(figure, f"{title}. {ylabel} over {xlabel}: {'; '.join(words)}.")


def show_line_panels(panels: dict[str, dict], title: str, xlabel: str, ylabel: str, log: str = "") -> Figure:
    """`show_lines` several times beside each other, on the same height, with one legend below.

    Args:
        panels: panel's title -> name -> (xs, ys); the same names in each.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.1 * len(panels), 4.2), layout="constrained", squeeze=False, sharey=True)
    words = []
    for ax, (name, lines) in zip(axes[0], panels.items(), strict=True):
        show_lines(lines, name, xlabel, ylabel if ax is axes[0, 0] else "", log, ax, legend=False)
        words.append(f"{name}: " + "; ".join(f"{k} ends at {float(ys[-1]):.3g}" for k, (_, ys) in lines.items()))
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(3, len(names)), fontsize=9)
    figure.suptitle(title)
    return set_alt(figure, f"{title}. {ylabel} over {xlabel}. {'. '.join(words)}.")


def show_schedule_case(step: int, total: int, warmup: int, final: float, expected: float, got) -> Figure:
    """For a check: the whole schedule, the point that was asked for, and the answer that came."""
    figure, ax = plt.subplots(figsize=(5.2, 3), layout="constrained")
    ax.plot(range(total), [warmup_cosine(k, total, warmup, final) for k in range(total)], ".-", color=GREY, label="the schedule")
    ax.plot(step, expected, "o", color=STYLES[0][0], markersize=9, label=f"expected {expected:.3f}")
    if got is not None:
        ax.plot(step, float(got), "X", color=STYLES[1][0], markersize=9, label=f"got {float(got):.3f}")
    ax.set(xlabel="step", ylabel="factor on the rate", title=f"step {step} of {total}, warm-up {warmup}")
    ax.legend(fontsize=8)
    return set_alt(figure, f"Step {step} of {total} with a warm-up of {warmup}: expected {expected:.3f}, got {got}.")
