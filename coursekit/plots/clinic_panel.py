"""The panel of the clinic: choose a patient and a probe, and read the number beside that of a healthy detector. Taught in 21_bug_clinic."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from coursekit.plots.boxes import BLUE, ORANGE
from coursekit.plots.images import get_alt, set_alt
from coursekit.plots.live import Live, png

STRIKING = 0.1  # a number that is off by more than this share of the healthy one is marked


@dataclass(frozen=True)
class Reading:
    """One number of one patient.

    Args:
        patient, probe: what was asked.
        sick, healthy: as the patient came, and repaired; NaN where there is nothing to measure.
    """

    patient: str
    probe: str
    sick: float
    healthy: float

    @property
    def striking(self) -> bool:
        """Is it far from the healthy number: by more than a tenth of it, or measurable in one of the two only?"""
        if math.isnan(self.sick) or math.isnan(self.healthy):
            return math.isnan(self.sick) != math.isnan(self.healthy)
        return abs(self.sick - self.healthy) > STRIKING * max(abs(self.healthy), 0.05)

    def __str__(self):
        return f"{self.patient}, {self.probe}: {_number(self.sick)}; healthy {_number(self.healthy)}{' (!)' if self.striking else ''}"


def read_probe(panel: dict, patient: str, probe: str) -> Reading:
    """One reading.

    Args:
        panel: patient -> dict(sick, healthy), each a dict of numbers by probe; None where there is nothing to measure.

    Raises:
        ValueError: for a patient or a probe that is not there, with those that are.
    """
    if patient not in panel:
        raise ValueError(f"patient must be one of {', '.join(panel)}, got {patient!r}")
    sick, healthy = panel[patient]["sick"], panel[patient]["healthy"]
    if probe not in sick:
        raise ValueError(f"probe must be one of {', '.join(sick)}, got {probe!r}")
    numbers = (float("nan") if side[probe] is None else float(side[probe]) for side in (sick, healthy))
    return Reading(patient, probe, *numbers)


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def draw_readings(readings: Sequence[Reading], title: str) -> Figure:
    """A pair of bars for each reading, the healthy number beside the patient's; what is striking has a mark.

    Each pair is drawn as a share of the larger of its two numbers, since probes have different units.

    Raises:
        ValueError: where there is nothing to draw.
    """
    if not readings:
        raise ValueError("readings must hold at least one reading, got none")
    figure, ax = plt.subplots(figsize=(7.6, 0.9 + 0.5 * len(readings)), layout="constrained")
    for row, one in enumerate(readings):
        pair = [0.0 if math.isnan(value) else value for value in (one.sick, one.healthy)]
        largest = max(*pair, 1e-9)
        for shift, value, said, colour, hatch in ((-0.2, pair[0], one.sick, ORANGE, "//"), (0.2, pair[1], one.healthy, BLUE, "")):
            ax.barh(row + shift, value / largest, 0.36, color=colour, hatch=hatch, edgecolor="white")
            mark = "  !" if one.striking and shift < 0 else ""
            ax.text(value / largest + 0.01, row + shift, _number(said) + mark, va="center", fontsize=8)
    ax.set_yticks(range(len(readings)), [one.probe for one in readings])
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.2), xticks=[], xlabel="each pair as a share of its larger number", title=title)
    for colour, hatch, name in ((ORANGE, "//", "as it came"), (BLUE, "", "repaired")):
        ax.barh(0, 0, color=colour, hatch=hatch, edgecolor="white", label=name)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    return set_alt(figure, f"{title}. " + ". ".join(str(one) for one in readings) + ".")


def _inches(probes: Sequence[str]) -> float:
    """How wide the panel is: a column for each probe, and room for the words beneath."""
    return max(1.15 * len(probes) + 2.2, 6.5)


def panel_picture(panel: dict, probes: Sequence[str], title: str = "The panel: every patient, every probe") -> Figure:
    """All patients (rows) and probes (columns): the patient's number, the healthy one below it, and a mark where they are far apart."""
    rows = list(panel)
    figure, ax = plt.subplots(figsize=(_inches(probes), 0.62 * len(rows) + 1.5), layout="constrained")
    struck = []
    for y, patient in enumerate(rows):
        for x, probe in enumerate(probes):
            one = read_probe(panel, patient, probe)
            if one.striking:
                ax.add_patch(plt.Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor="#F6D5C3", edgecolor=ORANGE, linewidth=1.5))
                struck.append(str(one))
            weight = "bold" if one.striking else "normal"
            ax.text(x, y - 0.13, _number(one.sick) + (" !" if one.striking else ""), ha="center", va="center", fontsize=9, weight=weight)
            ax.text(x, y + 0.26, f"({_number(one.healthy)})", ha="center", va="center", fontsize=7, color="#555555")
    ax.set(xlim=(-0.5, len(probes) - 0.5), ylim=(len(rows) - 0.5, -0.5), title=title)
    ax.set_xticks(range(len(probes)), [probe.replace(" ", "\n", 1) for probe in probes], fontsize=8)
    ax.set_yticks(range(len(rows)), rows, fontsize=9)
    ax.set_xlabel("probe: as it came, and repaired in brackets; ! is far off")
    ax.set_ylabel("patient")
    ax.tick_params(length=0)
    return set_alt(figure, f"{title}. Far off are: {'; '.join(struck) or 'none'}.")


EVERYBODY = "all patients"


def browse_panel(panel: dict, probes: dict[str, str], start: str = EVERYBODY) -> Live:
    """Choose a patient, or all of them, and what to measure; the whole panel as a picture where nothing can be chosen.

    Args:
        panel: see `read_probe`. probes: name -> what it says, in words.
        start: patient that is shown first.
    """

    def render(patient: str, chosen: Sequence[str]) -> tuple[bytes, str, str]:
        """The picture, how wide it is shown, and what was measured, in words."""
        chosen = list(chosen) or list(probes)[:1]
        words = "<br>".join(f"<b>{probe}</b>: {probes[probe]}" for probe in chosen)
        if patient == EVERYBODY:
            return png(panel_picture(panel, chosen, "All patients")), f"{96 * _inches(chosen):.0f}px", words
        return png(draw_readings([read_probe(panel, patient, probe) for probe in chosen], patient)), "640px", words

    def make_widget():
        import ipywidgets

        who = ipywidgets.Dropdown(options=[EVERYBODY, *panel], value=start, description="patient")
        what = ipywidgets.SelectMultiple(options=list(probes), value=tuple(probes), rows=len(probes), description="probes")
        how = ipywidgets.HTML("several probes: hold Ctrl (⌘ on a Mac) or Shift")
        picture, width, words = render(start, what.value)
        shown = ipywidgets.Image(value=picture, format="png", layout={"width": width, "max_width": "100%"})
        line = ipywidgets.HTML(words)

        def moved(_):
            shown.value, shown.layout.width, line.value = render(who.value, what.value)

        who.observe(moved, names="value")
        what.observe(moved, names="value")
        return ipywidgets.VBox([ipywidgets.HBox([who, what, how]), shown, line], layout={"align_items": "flex-start"})

    figure = panel_picture(panel, list(probes))
    return Live(make_widget, figure, get_alt(figure))
