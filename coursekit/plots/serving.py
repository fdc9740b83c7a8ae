"""Pictures of notebook 23_deployment: latencies, batches over time, operators, eight bits, an outage, what a web page shows."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from coursekit.plots.images import COLOURS, _array, set_alt, show_boxes

HATCHES = ("", "//", "..", "xx", "\\\\", "oo")
LINES = ("-", "--", ":", "-.")


def show_latencies(seconds: Sequence[float], marks: Mapping[str, float], title: str) -> Figure:
    """Left: each request as a dot, in the order in which they came. Right: how many took how long. Lines for what is quoted of them.

    Args:
        seconds: of each request.
        marks: name -> seconds: mean, p50, p99 ...
        title: of the whole.

    Raises:
        ValueError: where there is no request.
    """
    milliseconds = 1e3 * np.asarray(seconds, dtype=float)
    if milliseconds.size == 0:
        raise ValueError("seconds must hold at least one request, got none")
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharey=True, width_ratios=(2, 1))
    left.plot(np.arange(len(milliseconds)), milliseconds, ".", color=COLOURS[0], alpha=0.7)
    low, high = milliseconds.min(), milliseconds.max()
    right.hist(milliseconds, bins=np.linspace(low, high if high > low else low + 1, 40), orientation="horizontal", color=COLOURS[0])
    for number, (name, value) in enumerate(marks.items()):
        for ax in (left, right):
            ax.axhline(
                1e3 * value, color="black", linewidth=1.3, linestyle=LINES[number % len(LINES)], label=f"{name} {1e3 * value:.1f} ms"
            )
    left.set(xlabel="request", ylabel="milliseconds", title="each request")
    right.set(xlabel="requests", title="how many took how long")
    if marks:
        right.legend(fontsize=8, loc="upper right")
    figure.suptitle(title)
    words = ", ".join(f"{name} {1e3 * value:.1f} ms" for name, value in marks.items())
    return set_alt(figure, f"{title}. {len(milliseconds)} requests between {low:.1f} and {high:.1f} ms: {words}.")


def show_timeline(arrivals: Sequence[float], batches: Sequence[tuple[float, Sequence[int]]], seconds: float, title: str) -> Figure:
    """Requests as rows: from arriving to the start of its batch a request waits (hatched), then the server works on it.

    Args:
        arrivals: when each came.
        batches: (start, members) of each batch, as `coursekit.serving.batcher.plan_batches` gives them.
        seconds: how long a batch takes.
        title: of the picture.
    """
    figure, ax = plt.subplots(figsize=(8.5, 1.4 + 0.42 * len(arrivals)), layout="constrained")
    words = []
    for number, (start, members) in enumerate(batches):
        colour = COLOURS[number % len(COLOURS)]
        for row in members:
            ax.barh(
                row, start - arrivals[row], left=arrivals[row], height=0.55, color="white", edgecolor="gray", hatch="///", linewidth=0.8
            )
            ax.barh(row, seconds, left=start, height=0.55, color=colour, edgecolor="black")
            ax.text(start + seconds / 2, row, f"batch {number + 1}", ha="center", va="center", fontsize=8)
            ax.text(start + seconds, row, f"  answer after {start + seconds - arrivals[row]:g}", ha="left", va="center", fontsize=8)
        words.append(f"batch {number + 1} starts at {start:g} with {', '.join(str(m) for m in members)}")
    ax.plot(list(arrivals), range(len(arrivals)), "k>", markersize=6, label="arrives")
    ax.margins(x=0.16)
    ax.set_yticks(range(len(arrivals)), [f"request {i}" for i in range(len(arrivals))])
    ax.invert_yaxis()
    ax.set_xlabel("seconds")
    ax.set_title(f"{title}\nhatched: waits; solid: the server works on it", fontsize=10)
    return set_alt(figure, f"{title}. {len(arrivals)} requests in {len(batches)} batches: {'; '.join(words)}.")


def show_operators(rows: Sequence, title: str, most: int = 8) -> Figure:
    """For each kind of operator its share of the time beside its share of the multiply-adds.

    Args:
        rows: of a `coursekit.serving.profile.Profile`: with ``kind``, ``calls``, ``share`` of the time and ``multiply_adds``.
        title: of the picture.
        most: kinds that are shown; the rest is summed up.
    """
    work = sum(row.multiply_adds for row in rows) or 1
    shown = [(f"{row.kind} ({row.calls})", 100 * row.share, 100 * row.multiply_adds / work) for row in rows[:most]]
    if rest := rows[most:]:
        sums = (100 * sum(row.share for row in rest), 100 * sum(row.multiply_adds for row in rest) / work)
        shown.append((f"{len(rest)} other kinds ({sum(row.calls for row in rest)})", *sums))
    names, times, works = (list(column) for column in zip(*shown, strict=True))
    figure, ax = plt.subplots(figsize=(7.5, 1.2 + 0.5 * len(names)), layout="constrained")
    places = np.arange(len(names))
    for shift, values, label, colour, hatch in (
        (-0.2, times, "% of the time", COLOURS[0], ""),
        (0.2, works, "% of the multiply-adds", COLOURS[1], "//"),
    ):
        bars = ax.barh(places + shift, values, 0.38, color=colour, hatch=hatch, edgecolor="black", linewidth=0.6, label=label)
        ax.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    ax.set_yticks(places, names)
    ax.invert_yaxis()
    ax.margins(x=0.1)
    ax.set_xlabel("per cent")
    ax.set_title(title)
    ax.legend(fontsize=9, loc="lower right")
    words = "; ".join(f"{name}: {took:.1f} % of the time, {part:.1f} % of the multiply-adds" for name, took, part in shown)
    return set_alt(figure, f"{title}. {words}.")


def show_eight_bits(errors: Mapping[str, object], title: str, unit: float = 1.0) -> Figure:
    """What rounding to integers did to each value, as histograms one above the other on one scale.

    Args:
        errors: name -> differences, any shape.
        title: of the picture.
        unit: differences are shown in this many.
    """
    found = {name: _array(values).reshape(-1).astype(float) / unit for name, values in errors.items()}
    widest = max(float(np.abs(values).max(initial=0)) for values in found.values()) or 1.0
    figure, axes = plt.subplots(len(found), 1, figsize=(8, 1.7 * len(found) + 0.8), layout="constrained", sharex=True, squeeze=False)
    words = []
    for number, (ax, (name, values)) in enumerate(zip(axes[:, 0], found.items(), strict=True)):
        typical = float(np.sqrt(np.mean(values**2)))
        ax.hist(values, bins=np.linspace(-widest, widest, 81), color=COLOURS[number], edgecolor="black", linewidth=0.3)
        ax.set(ylabel="values")
        ax.set_title(f"{name}: typical error {typical:.2g}", fontsize=10)
        words.append(f"{name}: typical {typical:.2g}, largest {np.abs(values).max(initial=0):.2g}")
    axes[-1, 0].set_xlabel("error" if unit == 1 else f"error, in units of {unit:g}")
    figure.suptitle(title)
    return set_alt(figure, f"{title}. {'; '.join(words)}.")


def show_outage(sent: Sequence[float], latencies: Sequence[float], gone: float, back: float, title: str) -> Figure:
    """Each request at the moment at which it was sent, and how long it took, while the server was away for a time.

    Args:
        sent, latencies: seconds of each request.
        gone, back: from when to when nobody answered.
        title: of the picture.
    """
    figure, ax = plt.subplots(figsize=(8.5, 3.4), layout="constrained")
    ax.axvspan(gone, back, facecolor="lightgray", hatch="//", edgecolor="gray", linewidth=0, label="no server")
    ax.plot(sent, 1e3 * np.asarray(latencies, dtype=float), "o", color=COLOURS[0], markeredgecolor="black", markersize=5, label="a request")
    ax.set_yscale("log")
    ax.set(xlabel="sent after so many seconds", ylabel="milliseconds until the answer", title=title)
    ax.legend(fontsize=9)
    slow = sum(took > 0.5 * (back - gone) for took in latencies)
    words = f"{len(sent)} requests; no server from {gone:.1f} to {back:.1f} s; {slow} waited for more than half of that"
    return set_alt(figure, f"{title}. {words}.")


def show_returns(moments: Mapping[str, Sequence[float]], title: str, width: float = 0.1) -> Figure:
    """How many clients knock at the same time: histograms of the moments of their tries.

    Args:
        moments: name -> seconds of all tries of all clients.
        title: of the whole.
        width: of a bin, in seconds.
    """
    last = max(max(values, default=0.0) for values in moments.values())
    bins = np.arange(0, last + 2 * width, width)
    figure, axes = plt.subplots(len(moments), 1, figsize=(8.5, 1.8 * len(moments) + 0.7), layout="constrained", sharex=True, squeeze=False)
    words = []
    for number, (ax, (name, values)) in enumerate(zip(axes[:, 0], moments.items(), strict=True)):
        counts, _, _ = ax.hist(values, bins=bins, color=COLOURS[number], edgecolor="black", linewidth=0.4, hatch=HATCHES[number])
        ax.set_ylabel("tries")
        ax.set_title(f"{name}: at most {counts.max():.0f} tries within {1000 * width:.0f} ms", fontsize=10)
        words.append(f"{name}: at most {counts.max():.0f}")
    axes[-1, 0].set_xlabel("seconds after the server went away")
    figure.suptitle(title)
    return set_alt(figure, f"{title}. Tries within {1000 * width:.0f} ms: {'; '.join(words)}.")


def show_shift(values: Mapping[str, Sequence[float]], xlabel: str, title: str, bins: int = 20) -> Figure:
    """One quantity before and after, as shares over the same bins: how a monitor looks at drift.

    Args:
        values: name -> numbers.
        xlabel, title: of the axes.
        bins: how many.
    """
    every = np.concatenate([np.asarray(v, dtype=float) for v in values.values()])
    edges = np.histogram_bin_edges(every, bins=bins) if len(every) else np.linspace(0, 1, bins + 1)
    figure, ax = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
    words = []
    for number, (name, found) in enumerate(values.items()):
        found = np.asarray(found, dtype=float)
        weights = np.full(len(found), 1 / max(len(found), 1))
        ax.hist(
            found,
            bins=edges,
            weights=weights,
            histtype="stepfilled",
            alpha=0.45,
            facecolor=COLOURS[number],
            edgecolor="black",
            hatch=HATCHES[number],
            linestyle=LINES[number],
            label=f"{name} ({len(found)})",
        )
        words.append(f"{name}: {len(found)} values" + (f", median {np.median(found):.3g}" if len(found) else ""))
    ax.set(xlabel=xlabel, ylabel="share", title=title)
    ax.legend()
    return set_alt(figure, f"{title}. {xlabel}. {'; '.join(words)}.")


def show_page(image, found, classes: Sequence[str], address: str, threshold: float = 0.5) -> Figure:
    """What the page of `coursekit.serving.page` shows for a picture, drawn without a browser.

    Args:
        image: see `coursekit.plots.images.to_picture`.
        found: a `Detections`.
        classes: names, by label.
        address: that stands above the page.
        threshold: where its slider stands: what is less sure is not shown.
    """
    keep = [i for i, score in enumerate(found.scores.tolist()) if score >= threshold]
    names = [f"{classes[int(found.labels[i])]} {float(found.scores[i]):.2f}" for i in keep]
    figure = plt.figure(figsize=(9, 5.2))
    window = figure.add_axes((0, 0, 1, 1))
    window.set_axis_off()
    window.add_patch(Rectangle((0.02, 0.03), 0.96, 0.86, facecolor="#fafafa", edgecolor="black"))
    window.add_patch(Rectangle((0.02, 0.82), 0.96, 0.07, facecolor="#e4e4e4", edgecolor="black"))
    window.text(0.05, 0.855, f"http://{address}", va="center", fontsize=10, family="monospace")
    window.text(0.62, 0.74, f"threshold {threshold:.2f}", fontsize=10)
    window.plot([0.62, 0.94], [0.70, 0.70], color="gray", linewidth=3, solid_capstyle="round")
    window.plot([0.62 + 0.32 * threshold], [0.70], "o", color=COLOURS[0], markersize=12, markeredgecolor="black")
    window.text(0.62, 0.61, f"{len(keep)} found", fontsize=11, weight="bold")
    for row, name in enumerate(names[:8]):
        window.text(0.63, 0.55 - 0.055 * row, f"• {name}", fontsize=10)
    window.set(xlim=(0, 1), ylim=(0, 1))
    ax = figure.add_axes((0.05, 0.07, 0.53, 0.72))
    show_boxes(image, found.boxes[keep], found.labels[keep], found.scores[keep], classes, ax=ax, title="", alt="a page")
    figure.suptitle("A picture goes in, boxes come out", y=0.96)
    listed = "; ".join(names) or "nothing"
    return set_alt(figure, f"A web page at {address} with a picture, a slider for the threshold at {threshold:.2f}, and a list: {listed}.")
