"""Pictures of notebook 10_efficient: what convolutions cost on paper, and what they cost on this machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from coursekit.models.efficient import conv_cost
from coursekit.plots.images import set_alt
from coursekit.plots.live import Live, png

MARKS = "os^Dv*P<>Xph8"  # more than there are colours in a cycle, so that no two networks look alike


@dataclass(frozen=True)
class Comparison:
    """A convolution beside its separable twin, both on the same map.

    Args:
        parameters, multiply_adds: (regular, depthwise, pointwise).
    """

    parameters: tuple[int, int, int]
    multiply_adds: tuple[int, int, int]

    @property
    def ratio(self) -> float:
        """How many times fewer multiply-adds the two steps need; below 1 they need more."""
        return self.multiply_adds[0] / (self.multiply_adds[1] + self.multiply_adds[2])

    @property
    def gain(self) -> str:
        """The ratio in words."""
        return f"{self.ratio:.1f} times fewer" if self.ratio >= 1 else f"{1 / self.ratio:.2f} times as many"

    def __str__(self):
        regular, around, mixing = self.parameters
        separable = f"{around:,} + {mixing:,} = {around + mixing:,}"
        return f"regular {regular:,} weights; separable {separable}; {self.gain} multiply-adds"


def compare(in_channels: int, out_channels: int, kernel: int, size: int) -> Comparison:
    """The cost of both on a map of size x size, stride 1."""
    costs = [
        conv_cost(in_channels, out_channels, kernel, size, size),
        conv_cost(in_channels, in_channels, kernel, size, size, groups=in_channels),
        conv_cost(in_channels, out_channels, 1, size, size),
    ]
    parameters, work = zip(*costs, strict=True)
    return Comparison(parameters, work)


def _draw(ax, found: Comparison, title: str) -> None:
    regular, around, mixing = (value / 1e6 for value in found.multiply_adds)
    ax.barh(["separable", "regular"], [around, regular], color="#0072B2", edgecolor="black", label="looks around")
    ax.barh(["separable"], [mixing], left=[around], color="#E69F00", edgecolor="black", hatch="//", label="mixes channels (1x1)")
    ax.set_xlabel("million multiply-adds")
    ax.set_title(title, fontsize=10)
    ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.28), ncols=2)  # below: the bars may fill the whole panel


def separable_picture(settings: Sequence[tuple[int, int, int]], size: int = 32) -> Figure:
    """Regular against separable for several (in_channels, out_channels, kernel)."""
    figure, axes = plt.subplots(1, len(settings), figsize=(3.7 * len(settings), 2.4), layout="constrained", squeeze=False)
    words = []
    for ax, (a, b, kernel) in zip(axes[0], settings, strict=True):
        found = compare(a, b, kernel, size)
        _draw(ax, found, f"{a} to {b}, {kernel}x{kernel}: {found.gain}")
        words.append(f"{a} to {b} channels, {kernel}x{kernel}: {found}")
    return set_alt(figure, f"A regular and a separable convolution on a map of {size}x{size}. {'. '.join(words)}.")


def drag_separable(in_channels: int = 64, out_channels: int = 64, kernel: int = 3, size: int = 32) -> Live:
    """Sliders for the channels and the kernel; three settings side by side where nothing can be dragged."""

    def render(a: int, b: int, k: int) -> tuple[bytes, str]:
        figure, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
        found = compare(a, b, k, size)
        _draw(ax, found, f"{a} to {b} channels, {k}x{k}")
        return png(figure), str(found)

    def make_widget():
        import ipywidgets

        sliders = [
            ipywidgets.IntSlider(in_channels, min=1, max=256, description="in"),
            ipywidgets.IntSlider(out_channels, min=1, max=256, description="out"),
            ipywidgets.IntSlider(kernel, min=1, max=11, step=2, description="kernel"),
        ]
        picture, words = render(in_channels, out_channels, kernel)
        shown, line = ipywidgets.Image(value=picture, format="png", layout={"width": "580px"}), ipywidgets.HTML(words)

        def moved(_change) -> None:
            shown.value, line.value = render(*(slider.value for slider in sliders))

        for slider in sliders:
            slider.observe(moved, names="value")
        return ipywidgets.VBox([ipywidgets.HBox(sliders), line, shown], layout={"align_items": "flex-start"})

    settings = [(3, 64, 3), (in_channels, out_channels, kernel), (256, 256, 5)]
    words = f"{in_channels} to {out_channels} channels, {kernel}x{kernel}: {compare(in_channels, out_channels, kernel, size)}"
    return Live(make_widget, separable_picture(settings, size), words)


def show_work_against_time(work: Mapping[str, float], milliseconds: Mapping[str, float], title: str) -> Figure:
    """Each network as a mark: what it computes against how long it takes, and a line for the speed of the one that computes most a second.

    Args:
        work: name -> million multiply-adds. milliseconds: name -> of one image.

    Raises:
        ValueError: if the names differ.
    """
    if set(work) != set(milliseconds) or not work:
        raise ValueError(f"work and milliseconds must have the same names, and some, got {sorted(work)} and {sorted(milliseconds)}")
    figure, ax = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
    for number, name in enumerate(work):
        ax.plot(work[name], milliseconds[name], MARKS[number % len(MARKS)], markersize=8, label=name, markeredgecolor="black")
    best = max(work, key=lambda name: work[name] / milliseconds[name])
    low, high = min(work.values()) * 0.8, max(work.values()) * 1.25
    speed = work[best] / milliseconds[best]
    ax.plot([low, high], [low / speed, high / speed], ":", color="gray", label=f"as quick as {best}")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("million multiply-adds")
    ax.set_ylabel("milliseconds for one image")
    ax.set_title(title)
    ax.grid(alpha=0.3, which="both")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    words = ", ".join(f"{name} {work[name]:.0f} M in {milliseconds[name]:.1f} ms" for name in work)
    return set_alt(figure, f"{title}: {words}.")


def show_bars(values: Mapping[str, float], title: str, xlabel: str) -> Figure:
    """One bar for each name, with its number."""
    figure, ax = plt.subplots(figsize=(6.5, 0.9 + 0.34 * len(values)), layout="constrained")
    bars = ax.barh(list(values), list(values.values()), color="#56B4E9", edgecolor="black")
    ax.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set_xlabel(xlabel)
    ax.set_title(title)
    return set_alt(figure, f"{title}. {xlabel}: {', '.join(f'{name} {value:.3g}' for name, value in values.items())}.")


def show_throughput(
    batches: Sequence[int], images_per_second: Mapping[str, Sequence[float]], milliseconds: Mapping[str, Sequence[float]]
) -> Figure:
    """Left: images a second against the batch. Right: how long the first image of a batch waits for its answer."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for ax, found, ylabel in ((axes[0], images_per_second, "images a second"), (axes[1], milliseconds, "milliseconds until the answer")):
        for number, (name, values) in enumerate(found.items()):
            ax.plot(batches, values, marker=MARKS[number % len(MARKS)], linestyle=("-", "--", ":")[number % 3], label=name)
        ax.set_xscale("log", base=2)
        ax.set_xticks(batches, [str(b) for b in batches])
        ax.set_xlabel("images in a batch")
        ax.set_ylabel(ylabel)
        ax.grid(alpha=0.3)
        ax.legend(fontsize=8)
    axes[0].set_title("Throughput")
    axes[1].set_title("Latency")
    words = "; ".join(
        f"{name}: " + ", ".join(f"{b}: {v:.0f}" for b, v in zip(batches, values, strict=True)) for name, values in images_per_second.items()
    )
    return set_alt(figure, f"Images a second and waiting time by batch size. Images a second: {words}.")
