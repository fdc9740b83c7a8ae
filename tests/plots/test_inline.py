import matplotlib
import matplotlib.pyplot as plt
import pytest

from coursekit.plots import inline
from coursekit.plots.images import set_alt

matplotlib.use("Agg")


@pytest.fixture
def shown(monkeypatch):
    """What the notebook would show."""
    IPython = pytest.importorskip("IPython")
    outputs = []
    monkeypatch.setattr(IPython.display, "display", lambda data, raw, metadata: outputs.append((data, metadata)))
    return outputs


def test_a_figure_is_shown_with_its_words_and_closed(shown):
    figure, _ = plt.subplots()
    inline.show_figure(set_alt(figure, "two boxes that touch"))
    (data, metadata), (unseen, _) = shown
    assert data["text/plain"] == metadata["image/png"]["alt"] == "two boxes that touch"
    assert data["image/png"].startswith("iVBOR")  # a PNG file in base64
    assert ">two boxes that touch</span>" in unseen["text/html"]  # for front ends that drop the alt
    assert not plt.fignum_exists(figure.number)


def test_a_figure_without_words_is_told_by_its_titles(shown):
    figure, (left, right) = plt.subplots(1, 2)
    left.set_title("before")
    right.set_title("after")
    inline.show_figure(figure)
    assert shown[0][0]["text/plain"] == "before; after"


def test_outside_of_ipython_nothing_happens(monkeypatch):
    IPython = pytest.importorskip("IPython")
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    assert inline.install() is False


def test_as_the_last_value_of_a_cell_a_figure_is_shown_once_and_axes_not_at_all(monkeypatch, shown):
    import IPython
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    assert inline.install() is True
    figure, ax = plt.subplots()
    ax.set_title("once")
    assert shell.display_formatter.format(ax) == ({}, {})
    assert shown == []
    assert shell.display_formatter.format(figure) == ({}, {})
    assert [data["text/plain"] for data, _ in shown if "image/png" in data] == ["once"]
