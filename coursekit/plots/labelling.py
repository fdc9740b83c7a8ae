"""Draw boxes with sliders and buttons, in any JupyterLab. Taught in notebook 04_data.

What is known and saved is `coursekit.data.labelling.Session`; here it is only shown and moved.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from coursekit.data.images import load_image
from coursekit.data.labelling import Session
from coursekit.plots.boxes import draw_box
from coursekit.plots.images import set_alt, show_boxes
from coursekit.plots.live import Live, png


def draw_picture(session: Session, proposed: tuple[int, int, int, int] | None = None) -> Figure:
    """The picture that the session shows, with the boxes drawn so far, a ruler at its edges, and the box that is about to be added, dashed.

    Args:
        proposed: four numbers, ``xyxy`` pixels; None shows no such box.
    """
    here = session.boxes[session.place]
    image = torch.from_numpy(load_image(session.pictures[session.place]))
    figure, ax = plt.subplots(figsize=(5.4, 5.4), layout="constrained")
    boxes = torch.tensor([drawn[:4] for drawn in here], dtype=torch.float32).reshape(-1, 4)
    show_boxes(image, boxes, [drawn[4] for drawn in here], classes=session.classes, ax=ax, title=str(session))
    ax.set_axis_on()
    ax.set(xlabel="x", ylabel="y, downwards", xlim=(0, image.shape[2]), ylim=(image.shape[1], 0))
    if proposed is not None:
        draw_box(ax, proposed, color="black", style="-", width=3)
        draw_box(ax, proposed, "new", color="white", style="--", width=1.6)
        ax.texts[-1].set_color("black")
    names = ", ".join(session.classes[drawn[4]] for drawn in here) or "no box yet"
    return set_alt(figure, f"{session}. On it: {names}.")


def session_sheet(session: Session, title: str = "The pictures and what was drawn on them", columns: int = 5) -> Figure:
    """All pictures of a session with their boxes; one that nobody has decided about says so."""
    columns = min(columns, len(session))
    rows = -(-len(session) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.4 * columns, 2.7 * rows), layout="constrained", squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for index, (ax, path) in enumerate(zip(axes.flat, session.pictures, strict=False)):
        boxes = torch.tensor([drawn[:4] for drawn in session.boxes[index]], dtype=torch.float32).reshape(-1, 4)
        labels = [drawn[4] for drawn in session.boxes[index]]
        state = f"{len(boxes)} box{'' if len(boxes) == 1 else 'es'}" if session.done[index] else "not labelled yet"
        show_boxes(load_image(path), boxes, labels, classes=session.classes, ax=ax, title=f"{index}: {state}")
    figure.suptitle(title)
    count = sum(map(len, session.boxes))
    return set_alt(figure, f"{title}: {len(session)} pictures, {session.done.count(True)} of them labelled, {count} boxes in all.")


def label_pictures(session: Session, folder: str | Path) -> Live:
    """Two sliders for the box, a menu for its class, and buttons; a sheet of all pictures where nothing can be pressed.

    Args:
        session: what is labelled; it is changed as you press.
        folder: where *save* writes VOC and YOLO.
    """
    words = f"{session}. Classes: {', '.join(session.classes)}."
    return Live(lambda: _desk(session, folder), session_sheet(session), words)


def _button_row(actions: Mapping[str, Callable]):
    """Buttons side by side: name -> what is called when it is pressed."""
    import ipywidgets

    row = []
    for name, pressed in actions.items():
        row.append(ipywidgets.Button(description=name, layout={"width": "auto"}))
        row[-1].on_click(pressed)
    return ipywidgets.HBox(row)


def _desk(session: Session, folder: str | Path):
    """The widget. Every button calls one method of the session, says what came of it, and draws again."""
    import ipywidgets

    def slider(name):
        return ipywidgets.IntRangeSlider(value=(0, 1), min=0, max=1, description=name, continuous_update=False, layout={"width": "460px"})

    across, down = slider("x from, to"), slider("y from, to")
    menu = ipywidgets.Dropdown(options=list(session.classes), description="class")
    line, shown = ipywidgets.HTML(), ipywidgets.Image(format="png", layout={"width": "500px"})

    def proposed():
        return across.value[0], down.value[0], across.value[1], down.value[1]

    def draw(said=""):
        shown.value = png(draw_picture(session, proposed()))
        line.value = f"{session}{f': {said}' if said else ''}"

    def fit():
        """The sliders to the size of the picture that is shown, standing around its middle."""
        for one, side in zip((across, down), session.sizes[session.place], strict=True):
            one.min, one.max = 0, max(side, one.max)  # in this order no value falls outside of the range
            one.value = (side // 3, 2 * side // 3)
            one.max = side

    def press(action, said="", moves=False):
        def pressed(_):
            place = session.place
            try:
                answer = action()
            except ValueError as error:  # such as an empty box: one sentence that says what is wrong
                draw(str(error))
                return
            if session.place != place:
                fit()
            at_end = moves and session.place == place
            draw("there is no other picture that way" if at_end else said if answer is not False else "nothing to take back")

        return pressed

    def save():
        session.save(folder)

    buttons = {
        "add box": press(lambda: session.add(proposed(), menu.value), "added"),
        "no object here": press(session.confirm_empty, "noted: nothing here"),
        "remove last": press(lambda: session.remove() if session.boxes[session.place] else False, "removed"),
        "undo": press(session.undo, "taken back"),
        "◀ previous": press(lambda: session.go(-1), moves=True),
        "next ▶": press(lambda: session.go(1), moves=True),
        "save": press(save, f"saved in {Path(folder) / 'voc'} and {Path(folder) / 'yolo'}"),
    }
    fit()
    for one in (across, down):
        one.observe(lambda _: draw(), names="value")
    draw()
    return ipywidgets.VBox([across, down, menu, _button_row(buttons), line, shown], layout={"align_items": "flex-start"})
