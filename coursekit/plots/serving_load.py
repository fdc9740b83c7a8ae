"""Drag the two numbers of dynamic batching, and see who waits how long. Taught in notebook 23_deployment.

The load is made up, and so is the server: a batch of n pictures takes ``fixed + each * n`` seconds. The rule is that of
`coursekit.serving.batcher.plan_batches`, which knows batches of equal time only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from coursekit.plots.images import COLOURS, set_alt
from coursekit.plots.live import Live, png
from coursekit.serving.latency import latency_percentiles


@dataclass(frozen=True)
class Served:
    """What a server made of a load.

    Args:
        latencies: seconds from arriving to the answer, for each request.
        sizes: of each batch.
        seconds: from the first arrival to the last answer.
    """

    latencies: tuple[float, ...]
    sizes: tuple[int, ...]
    seconds: float

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds if self.seconds > 0 else 0.0

    @property
    def mean_batch(self) -> float:
        """Requests in a batch."""
        return len(self.latencies) / len(self.sizes) if self.sizes else 0.0

    def __str__(self):
        if not self.latencies:
            return "nobody asked"
        p50, p99 = (1e3 * value for value in latency_percentiles(self.latencies, (50, 99)))
        return f"{self.mean_batch:.1f} in a batch, p50 {p50:.0f} ms, p99 {p99:.0f} ms, {self.throughput:.0f} answers a second"


def arrive(rate: float, count: int, seed: int = 0) -> list[float]:
    """Moments at which ``count`` strangers knock who do not know of each other: on average ``rate`` a second (a Poisson process)."""
    if not rate > 0:
        raise ValueError(f"rate must be above 0 requests a second, got {rate}")
    return np.random.default_rng(seed).exponential(1 / rate, count).cumsum().tolist()


def serve(arrivals: Sequence[float], max_batch: int, max_wait: float, fixed: float, each: float) -> Served:
    """Answer a load in batches.

    Args:
        arrivals: seconds, never falling.
        max_batch, max_wait: see `plan_batches`.
        fixed, each: seconds of a batch, and of each picture in it.
    """
    latencies, sizes, free, first = [], [], -np.inf, 0
    while first < len(arrivals):
        start = arrivals[first] + max_wait
        if first + max_batch <= len(arrivals):
            start = min(start, arrivals[first + max_batch - 1])
        start = max(start, free)
        last = first
        while last < min(first + max_batch, len(arrivals)) and arrivals[last] <= start:
            last += 1
        free = start + fixed + each * (last - first)
        latencies += [free - arrivals[i] for i in range(first, last)]
        sizes.append(last - first)
        first = last
    return Served(tuple(latencies), tuple(sizes), free - arrivals[0] if latencies else 0.0)


def _draw(ax, served: Served, title: str) -> None:
    milliseconds = 1e3 * np.asarray(served.latencies)
    ax.hist(milliseconds, bins=40, color=COLOURS[0], edgecolor="black", linewidth=0.3)
    for percent, line in ((50, "--"), (99, ":")):
        (value,) = latency_percentiles(milliseconds.tolist(), (percent,))
        ax.axvline(value, color="black", linestyle=line, label=f"p{percent} {value:.0f} ms")
    ax.set_xlim(left=0)
    ax.set(xlabel="milliseconds until the answer", ylabel="requests")
    ax.set_title(f"{title}\n{served.mean_batch:.1f} in a batch, {served.throughput:.0f} answers a second", fontsize=10)
    ax.legend(fontsize=8)


def batching_picture(settings: Sequence[tuple[int, float, float]], fixed: float, each: float, count: int = 600) -> Figure:
    """Histograms of latency for several (max_batch, max_wait in seconds, requests a second)."""
    figure, axes = plt.subplots(1, len(settings), figsize=(4 * len(settings), 3.6), layout="constrained", squeeze=False)
    words = []
    for ax, (most, wait, rate) in zip(axes[0], settings, strict=True):
        served = serve(arrive(rate, count), most, wait, fixed, each)
        title = f"at most {most}, {1e3 * wait:.0f} ms, {rate:.0f} requests a second"
        _draw(ax, served, title)
        words.append(f"{title}: {served}")
    return set_alt(figure, f"A pretended server, {1e3 * fixed:g} ms a batch and {1e3 * each:g} ms a picture. {'. '.join(words)}.")


def drag_batching(fixed: float = 0.008, each: float = 0.004, rate: float = 120.0, count: int = 600) -> Live:
    """Sliders for max_batch, max_wait and the rate; three settings side by side where nothing can be dragged.

    Args:
        fixed, each: seconds of the pretended server, a batch and a picture.
        rate: requests a second, where the slider stands first.
        count: requests.
    """

    def render(most: int, wait: float, rate: float) -> tuple[bytes, str]:
        figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
        served = serve(arrive(rate, count), most, wait / 1e3, fixed, each)
        _draw(ax, served, f"at most {most}, {wait:.0f} ms, {rate:.0f} requests a second")
        return png(figure), str(served)

    def make_widget():
        import ipywidgets

        sliders = [
            ipywidgets.IntSlider(8, min=1, max=32, description="max_batch"),
            ipywidgets.IntSlider(5, min=0, max=100, description="wait, ms"),
            ipywidgets.IntSlider(round(rate), min=10, max=300, step=10, description="requests/s"),
        ]
        picture, words = render(*(slider.value for slider in sliders))
        shown, line = ipywidgets.Image(value=picture, format="png", layout={"width": "580px"}), ipywidgets.HTML(words)

        def moved(_change) -> None:
            shown.value, line.value = render(*(slider.value for slider in sliders))

        for slider in sliders:
            slider.observe(moved, names="value")
        return ipywidgets.VBox([ipywidgets.HBox(sliders), line, shown], layout={"align_items": "flex-start"})

    settings = [(1, 0.0, rate), (8, 0.005, rate), (32, 0.1, rate)]
    words = f"at most 8, 5 ms, {rate:.0f} requests a second: {serve(arrive(rate, count), 8, 0.005, fixed, each)}"
    return Live(make_widget, batching_picture(settings, fixed, each, count), words)
