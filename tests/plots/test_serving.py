"""Pictures of notebook 23: what they say in words, and that the sliders' logic needs no browser."""

from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.detections import Detections
from coursekit.plots.images import get_alt
from coursekit.plots.serving import (
    show_eight_bits,
    show_latencies,
    show_operators,
    show_outage,
    show_page,
    show_returns,
    show_shift,
    show_timeline,
)
from coursekit.plots.serving_load import Served, arrive, batching_picture, drag_batching, serve
from coursekit.serving.batcher import plan_batches

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def operator(kind, calls, share, multiply_adds):
    return SimpleNamespace(kind=kind, calls=calls, share=share, multiply_adds=multiply_adds)


def test_latencies_bear_their_lines_and_their_numbers():
    figure = show_latencies([0.01, 0.02, 0.5], {"mean": 0.177, "p50": 0.02}, "Three")
    assert get_alt(figure) == "Three. 3 requests between 10.0 and 500.0 ms: mean 177.0 ms, p50 20.0 ms."
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["mean 177.0 ms", "p50 20.0 ms"]


def test_equal_latencies_can_be_shown_and_none_cannot():
    assert "2 requests between 5.0 and 5.0 ms" in get_alt(show_latencies([0.005, 0.005], {}, "Equal"))
    with pytest.raises(ValueError, match="seconds must hold at least one request, got none"):
        show_latencies([], {}, "None")


def test_a_timeline_shows_when_each_batch_starts_and_what_each_request_took():
    figure = show_timeline([0.0, 1.0, 4.0], [(2.0, [0, 1]), (5.0, [2])], 3.0, "Plan")
    texts = [text.get_text().strip() for text in figure.axes[0].texts]
    assert texts == ["batch 1", "answer after 5", "batch 1", "answer after 4", "batch 2", "answer after 4"]
    assert get_alt(figure) == "Plan. 3 requests in 2 batches: batch 1 starts at 2 with 0, 1; batch 2 starts at 5 with 2."
    assert "0 requests in 0 batches" in get_alt(show_timeline([], [], 1.0, "Nobody"))


def test_operators_have_two_bars_each_and_the_rest_is_summed_up():
    rows = [operator("Conv", 3, 0.5, 100), operator("Resize", 1, 0.3, 0), operator("Concat", 2, 0.15, 0), operator("Add", 4, 0.05, 0)]
    figure = show_operators(rows, "Kinds", most=2)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Conv (3)", "Resize (1)", "2 other kinds (6)"]
    words = get_alt(figure)
    assert "Conv (3): 50.0 % of the time, 100.0 % of the multiply-adds" in words
    assert "2 other kinds (6): 20.0 % of the time, 0.0 %" in words
    assert "Resize (1): 100.0 % of the time, 0.0 %" in get_alt(show_operators([operator("Resize", 1, 1.0, 0)], "No work at all"))


def test_errors_of_eight_bits_say_their_typical_size():
    figure = show_eight_bits({"coarse": torch.tensor([[0.003, -0.004]]), "none": torch.zeros(4)}, "Errors", unit=0.001)
    assert [ax.get_title() for ax in figure.axes] == ["coarse: typical error 3.5", "none: typical error 0"]
    assert "coarse: typical 3.5, largest 4" in get_alt(figure)


def test_an_outage_counts_who_waited():
    figure = show_outage([0.0, 0.4, 2.0], [0.01, 1.5, 0.01], gone=0.5, back=1.5, title="Killed")
    assert get_alt(figure) == "Killed. 3 requests; no server from 0.5 to 1.5 s; 1 waited for more than half of that."


def test_returns_count_the_tries_at_one_time():
    figure = show_returns({"together": [0.15, 0.15, 0.15, 1.0], "apart": [0.05, 0.15, 0.25]}, "Herd", width=0.1)
    assert get_alt(figure) == "Herd. Tries within 100 ms: together: at most 3; apart: at most 1."


@pytest.mark.parametrize("values", [{"day": [1.0, 2.0], "night": [0.1]}, {"day": [], "night": []}], ids=["some", "none"])
def test_a_shift_shows_shares(values):
    words = get_alt(show_shift(values, "brightness", "Drift"))
    assert f"day: {len(values['day'])} values" in words
    assert ("median 1.5" in words) == bool(values["day"])


def test_the_page_shows_what_is_sure_enough():
    boxes = torch.tensor([[1.0, 1, 9, 9], [2, 2, 6, 6]])
    found = Detections(boxes, torch.tensor([0.9, 0.4]), torch.tensor([1, 0]))
    picture = torch.zeros(3, 12, 12, dtype=torch.uint8)
    words = get_alt(show_page(picture, found, ("stop", "yield"), "127.0.0.1:80/", threshold=0.5))
    assert words.endswith("at 0.50, and a list: yield 0.90.")
    assert get_alt(show_page(picture, Detections.empty(), ("stop",), "127.0.0.1:80/")).endswith("a list: nothing.")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 40), max_size=25),
    st.integers(1, 6),
    st.integers(0, 20),
    st.integers(0, 20),
)
def test_the_pretended_server_follows_the_rule(gaps, max_batch, max_wait, seconds):
    """Quarters of seconds, so that sums are exact on both sides."""
    arrivals = torch.tensor(gaps, dtype=torch.float64).cumsum(0).div(4).tolist()
    served = serve(arrivals, max_batch, max_wait / 4, seconds / 4, each=0.0)
    planned = plan_batches(arrivals, max_batch, max_wait / 4, seconds / 4)
    assert list(served.sizes) == [len(members) for _, members in planned]
    assert list(served.latencies) == [start + seconds / 4 - arrivals[i] for start, members in planned for i in members]


def test_each_picture_of_a_batch_costs():
    """Two at once: 1 + 2 · 0.5 = 2 seconds; then one: 1.5, after it waited for the first batch."""
    served = serve([0.0, 0.0, 1.0], max_batch=2, max_wait=0.0, fixed=1.0, each=0.5)
    assert served == Served((2.0, 2.0, 2.5), (2, 1), 3.5)
    assert served.throughput == pytest.approx(3 / 3.5)
    assert served.mean_batch == 1.5
    assert str(served) == "1.5 in a batch, p50 2000 ms, p99 2500 ms, 1 answers a second"


def test_nobody_asks():
    served = serve([], 4, 0.1, 1.0, 1.0)
    assert (served.throughput, served.mean_batch, str(served)) == (0.0, 0.0, "nobody asked")


def test_strangers_come_at_their_rate_and_by_their_seed():
    arrivals = arrive(50, 4000, seed=3)
    assert arrivals == sorted(arrivals)
    assert arrivals == arrive(50, 4000, seed=3) != arrive(50, 4000, seed=4)
    assert arrivals[-1] == pytest.approx(80, rel=0.1)
    with pytest.raises(ValueError, match="rate must be above 0 requests a second, got 0"):
        arrive(0, 3)


def test_three_settings_side_by_side():
    figure = batching_picture([(1, 0.0, 20.0), (8, 0.05, 20.0)], fixed=0.01, each=0.0, count=200)
    titles = [ax.get_title().splitlines() for ax in figure.axes]
    assert [title[0] for title in titles] == ["at most 1, 0 ms, 20 requests a second", "at most 8, 50 ms, 20 requests a second"]
    assert titles[0][1].startswith("1.0 in a batch")
    assert "10 ms a batch and 0 ms a picture" in get_alt(figure)


def test_the_sliders_recompute():
    pytest.importorskip("ipywidgets")
    shown = drag_batching(fixed=0.01, each=0.002, rate=100.0, count=120)
    assert repr(shown).startswith("at most 8, 5 ms, 100 requests a second: ")
    row, line, picture = shown.make_widget().children
    before, said = picture.value, line.value
    row.children[0].value = 1
    assert line.value.startswith("1.0 in a batch")
    assert line.value != said
    assert picture.value != before
