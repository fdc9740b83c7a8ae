from coursekit.plots.cover import cover
from coursekit.plots.images import get_alt


def test_the_cover_shows_what_the_shipped_detector_finds():
    figure = cover()
    assert [ax.get_title() for ax in figure.axes] == ["pixels", "how sure each cell is", "boxes"]
    assert "the 3 signs it found" in get_alt(figure)
