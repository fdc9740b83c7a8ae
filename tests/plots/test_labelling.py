import matplotlib
import matplotlib.pyplot as plt
import pytest
from PIL import Image

from coursekit.data.formats import read_dataset
from coursekit.data.labelling import Session
from coursekit.plots import live
from coursekit.plots.images import get_alt
from coursekit.plots.labelling import draw_picture, label_pictures, session_sheet

matplotlib.use("Agg")


@pytest.fixture
def session(tmp_path):
    sizes = [(40, 30), (20, 60)]
    for index, size in enumerate(sizes):
        Image.new("RGB", size, "grey").save(tmp_path / f"{index}.png")
    yield Session([tmp_path / "0.png", tmp_path / "1.png"], ("stop", "yield"))
    plt.close("all")


@pytest.fixture
def desk(session, tmp_path, monkeypatch):
    """The widget's parts by name, and a way to press its buttons."""
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr(live, "has_kernel", lambda: True)
    shown = label_pictures(session, tmp_path / "labels")
    assert "application/vnd.jupyter.widget-view+json" in shown._repr_mimebundle_()[0]
    across, down, menu, row, line, picture = shown.make_widget().children
    buttons = {button.description: button for button in row.children}
    return across, down, menu, buttons, line, picture


def test_the_picture_has_a_ruler_and_names_what_is_drawn(session):
    session.add((2, 3, 20, 12), "yield")
    figure = draw_picture(session, proposed=(1, 1, 5, 5))
    (ax,) = figure.axes
    assert ax.get_xlim() == (0, 40)
    assert ax.get_ylim() == (30, 0)
    assert "new" in [text.get_text() for text in ax.texts]
    assert get_alt(figure) == "picture 1 of 2: 1 box here, 1 in all, 1 picture left. On it: yield."


def test_the_sheet_says_which_pictures_nobody_has_looked_at(session):
    session.confirm_empty()
    assert [ax.get_title() for ax in session_sheet(session).axes] == ["0: 0 boxes", "1: not labelled yet"]


def test_without_a_kernel_there_is_the_sheet_and_its_words(session, tmp_path, monkeypatch):
    monkeypatch.setattr(live, "has_kernel", lambda: False)
    bundle, metadata = label_pictures(session, tmp_path)._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    words = "picture 1 of 2: 0 boxes here, 0 in all, 2 pictures left. Classes: stop, yield."
    assert bundle["text/plain"] == metadata["image/png"]["alt"] == words


def test_pressing_draws_a_box_and_goes_on(desk, session):
    across, down, menu, buttons, line, picture = desk
    assert (across.min, across.max, down.max) == (0, 40, 30)
    before = bytes(picture.value)
    across.value, down.value, menu.value = (4, 19), (5, 25), "yield"
    assert bytes(picture.value) != before
    buttons["add box"].click()
    assert session.boxes[0] == [(4, 5, 19, 25, 1)]
    assert line.value == "picture 1 of 2: 1 box here, 1 in all, 1 picture left: added"
    buttons["next ▶"].click()
    assert session.place == 1
    assert (across.max, down.max) == (20, 60)
    assert 0 <= across.value[0] < across.value[1] <= 20
    buttons["no object here"].click()
    assert session.done == [True, True]
    buttons["undo"].click()
    buttons["undo"].click()
    assert (session.place, session.boxes[0]) == (0, [])
    assert (across.max, down.max) == (40, 30)  # undo went back to the first picture, and the sliders with it
    buttons["undo"].click()
    assert line.value.endswith(": nothing to take back")


def test_what_cannot_be_done_is_said_in_the_line_below(desk, session):
    across, _, _, buttons, line, _ = desk
    across.value = (7, 7)
    buttons["add box"].click()
    assert session.boxes[0] == []
    assert "box must be at least one pixel wide and high" in line.value
    buttons["remove last"].click()
    assert line.value.endswith(": nothing to take back")
    buttons["◀ previous"].click()
    assert line.value.endswith(": there is no other picture that way")
    assert across.value == (7, 7)  # what was being drawn stays
    buttons["save"].click()
    assert "there is nothing to save" in line.value


def test_save_writes_both_formats(desk, session, tmp_path):
    buttons, line = desk[3], desk[4]
    buttons["add box"].click()
    buttons["save"].click()
    assert "saved in" in line.value
    for format in ("voc", "yolo"):
        (record,) = read_dataset(tmp_path / "labels" / format).images
        assert [tuple(map(round, box)) for box in record.boxes.tolist()] == [session.boxes[0][0][:4]]
