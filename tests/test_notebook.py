"""What every notebook's first cell imports: start, at, band."""

import pytest
import torch

import coursekit
from coursekit.exercises import hints
from coursekit.level import level
from coursekit.notebook import at, band, start


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    hints.set_edition("self-study")


def test_start_says_one_line(capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    start("13_boxes", built_for=coursekit.__version__)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.startswith(f"13_boxes · coursekit {coursekit.__version__} · torch ")
    assert torch.get_num_threads() == 1


def test_another_version_is_warned_of(capsys):
    start("13_boxes", built_for="0.0.1")
    assert "⚠ This notebook was built for coursekit 0.0.1" in capsys.readouterr().out


def test_a_class_edition_is_remembered():
    start("13_boxes", edition="class")
    assert hints._edition == "class"
    with pytest.raises(ValueError, match="edition must be"):
        start("13_boxes", edition="mine")


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("", {"smoke": 1, "quick": 2, "full": 3}, 3),
        ("smoke", {"smoke": 1, "quick": 2, "full": 3}, 1),
        ("quick", {"smoke": 1, "quick": 2, "full": 3}, 2),
        ("smoke", {"quick": 2, "full": 3}, 2),
        ("QUICK ", {"full": 3}, 3),
    ],
)
def test_at_gives_the_value_of_the_level(monkeypatch, name, values, expected):
    monkeypatch.setenv("COURSEKIT_LEVEL", name)
    assert at(**values) == expected


def test_at_and_level_refuse_other_words(monkeypatch):
    with pytest.raises(ValueError, match="at\\(\\) knows smoke, quick, full, got 'fast'"):
        at(fast=1)
    monkeypatch.setenv("COURSEKIT_LEVEL", "full")
    with pytest.raises(ValueError, match="no value for the level 'full'"):
        at(smoke=1)
    monkeypatch.setenv("COURSEKIT_LEVEL", "fast")
    with pytest.raises(ValueError, match="COURSEKIT_LEVEL must be one of"):
        level()


@pytest.mark.parametrize(
    ("value", "bounds", "inside"),
    [
        (0.5, {"at_least": 0.5}, True),
        (0.49, {"at_least": 0.5}, False),
        (0.5, {"at_most": 0.5}, True),
        (0.51, {"at_most": 0.5}, False),
        (0.6, {"at_least": 0.5, "at_most": 0.7}, True),
        (float("nan"), {"at_least": 0.5}, False),
        (torch.tensor(0.7), {"at_least": 0.5}, True),
    ],
)
def test_band_stops_a_notebook_that_learned_nothing(monkeypatch, capsys, value, bounds, inside):
    monkeypatch.setenv("COURSEKIT_LEVEL", "quick")
    if inside:
        band("AP", value, **bounds)
        assert capsys.readouterr().out.startswith("✓ AP: ")
    else:
        with pytest.raises(AssertionError, match=r"AP is .*, but must be at"):
            band("AP", value, **bounds)


def test_a_smoke_run_has_no_bands(monkeypatch, capsys):
    monkeypatch.setenv("COURSEKIT_LEVEL", "smoke")
    band("AP", 0.0, at_least=0.5)
    assert "a smoke run; a real one must reach at least 0.5" in capsys.readouterr().out


def test_a_band_has_a_bound():
    with pytest.raises(ValueError, match="needs at_least or at_most"):
        band("AP", 1.0)
