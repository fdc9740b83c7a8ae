import matplotlib
import pytest
import torch

from coursekit.detections import Detections
from coursekit.plots import live
from coursekit.plots.clinic import show_bars, show_losses, show_predictions, show_samples
from coursekit.plots.clinic_panel import Reading, browse_panel, draw_readings, panel_picture, read_probe
from coursekit.plots.images import get_alt

matplotlib.use("Agg")
CLASSES = ("stop", "yield")
PICTURE = torch.full((3, 40, 60), 128, dtype=torch.uint8)
TARGET = {"boxes": torch.tensor([[0.0, 0, 10, 10]]), "labels": torch.tensor([1])}
FOUND = Detections(torch.tensor([[0.0, 0, 10, 10], [5, 5, 9, 9]]), torch.tensor([0.9, 0.1]), torch.tensor([2, 0]))
NAN = float("nan")
PANEL = {
    "webcam": {"sick": {"AP": 0.5, "size": 1.0}, "healthy": {"AP": 0.8, "size": 1.0}},
    "moody": {"sick": {"AP": 0.0, "size": None}, "healthy": {"AP": 0.8, "size": 1.0}},
}
PROBES = {"AP": "average precision", "size": "found over true"}


def test_predictions_show_truth_above_and_a_label_without_a_name_as_a_number():
    figure = show_predictions([PICTURE], [FOUND], [TARGET], CLASSES, "the patient")
    assert [ax.get_title() for ax in figure.axes] == ["truth", "said: 1 box"]
    assert any("label 2 0.90" in text.get_text() for text in figure.axes[1].texts)
    assert "1 said where 1 are" in get_alt(figure)


def test_too_many_predictions_are_counted_and_not_drawn():
    many = FOUND[[0] * 30]
    figure = show_predictions([PICTURE], [many], [TARGET], CLASSES, "the patient", most=5)
    assert figure.axes[1].get_title() == "said: 30 boxes, the first 5 drawn"
    assert len(figure.axes[1].texts) == 5


def test_predictions_one_for_one():
    with pytest.raises(ValueError, match="must be one for one, got 1, 0 and 1"):
        show_predictions([PICTURE], [], [TARGET], CLASSES, "x")


def test_samples_have_their_titles():
    figure = show_samples([(PICTURE, TARGET["boxes"])] * 2, ["one", "two"], "what the network gets")
    assert [ax.get_title() for ax in figure.axes] == ["one", "two"]
    with pytest.raises(ValueError, match="titles must be one for each of the 1 samples"):
        show_samples([(PICTURE, TARGET["boxes"])], [], "x")


@pytest.mark.parametrize("logarithmic", [False, True])
def test_losses_are_named_in_words(logarithmic):
    figure = show_losses({"sick": [4.0, 4.0], "healthy": [4.0, 1.0]}, "by heart", "step", logarithmic)
    assert get_alt(figure) == "by heart: sick from 4 to 4; healthy from 4 to 1."
    assert [line.get_label() for line in figure.axes[0].lines] == ["sick", "healthy"]


@pytest.mark.parametrize("count", [0, 4])
def test_losses_of_too_few_or_too_many(count):
    with pytest.raises(ValueError, match="curves must hold one to 3 names"):
        show_losses({str(index): [1.0] for index in range(count)}, "x", "step")


def test_bars_by_class():
    figure = show_bars({"sick": [0.1, NAN], "healthy": [0.8, 0.9]}, CLASSES, "AP by class", "AP")
    assert len(figure.axes[0].patches) == 4
    assert "healthy: stop 0.80, yield 0.90" in get_alt(figure)
    with pytest.raises(ValueError, match="rows of 2 numbers"):
        show_bars({"sick": [0.1]}, CLASSES, "x", "AP")


# --- the panel


@pytest.mark.parametrize(
    ("sick", "healthy", "striking"),
    [(0.5, 0.8, True), (0.79, 0.8, False), (NAN, NAN, False), (NAN, 1.0, True), (0.0, 0.001, False), (2.0, 1.0, True)],
)
def test_what_is_striking(sick, healthy, striking):
    assert Reading("p", "q", sick, healthy).striking == striking


def test_a_reading_in_words():
    assert str(read_probe(PANEL, "webcam", "AP")) == "webcam, AP: 0.50; healthy 0.80 (!)"
    assert str(read_probe(PANEL, "moody", "size")) == "moody, size: –; healthy 1.00 (!)"


@pytest.mark.parametrize(("patient", "probe", "named"), [("nobody", "AP", "patient"), ("moody", "pulse", "probe")])
def test_a_reading_that_is_not_there(patient, probe, named):
    with pytest.raises(ValueError, match=f"{named} must be one of"):
        read_probe(PANEL, patient, probe)


def test_readings_are_drawn_with_their_numbers():
    figure = draw_readings([read_probe(PANEL, "webcam", probe) for probe in PROBES], "webcam")
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.50  !", "0.80", "1.00", "1.00"]
    with pytest.raises(ValueError, match="readings must hold at least one"):
        draw_readings([], "x")


def test_the_whole_panel_marks_what_is_far_off():
    figure = panel_picture(PANEL, list(PROBES))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["0.50 !", "(0.80)", "1.00", "(1.00)", "0.00 !", "(0.80)", "– !", "(1.00)"]
    assert "webcam, AP" in get_alt(figure)


def test_without_a_kernel_the_panel_is_a_picture(monkeypatch):
    monkeypatch.setattr(live, "has_kernel", lambda: False)
    bundle, metadata = browse_panel(PANEL, PROBES)._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert "webcam, AP: 0.50; healthy 0.80 (!)" in bundle["text/plain"] == metadata["image/png"]["alt"]


def test_all_patients_come_first_and_choosing_changes_the_picture_and_the_words(monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr(live, "has_kernel", lambda: True)
    shown = browse_panel(PANEL, PROBES)
    assert "application/vnd.jupyter.widget-view+json" in shown._repr_mimebundle_()[0]
    choices, picture, words = shown.make_widget().children
    who, what, _ = choices.children
    assert (who.value, what.value) == ("all patients", ("AP", "size"))
    assert who.options == ("all patients", "webcam", "moody")
    seen = {picture.value}
    what.value = ("size",)
    assert words.value == "<b>size</b>: found over true"
    seen.add(picture.value)
    who.value = "moody"
    seen.add(picture.value)
    what.value = ("AP", "size")
    seen.add(picture.value)
    assert len(seen) == 4
    assert "found over true" in words.value
    assert picture.layout.width.endswith("px")
    assert picture.layout.max_width == "100%"  # the whole panel is wider than some windows


def test_the_words_under_a_narrow_panel_are_not_cut_off():
    figure = panel_picture(PANEL, ["AP"])
    figure.canvas.draw()
    words = figure.axes[0].xaxis.label.get_window_extent()
    assert words.x0 >= 0
    assert words.x1 <= figure.bbox.x1


def test_the_panel_begins_with_a_patient_who_is_asked_for():
    pytest.importorskip("ipywidgets")
    assert browse_panel(PANEL, PROBES, start="moody").make_widget().children[0].children[0].value == "moody"
