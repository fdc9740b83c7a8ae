"""How figures appear in a notebook: each once, with its text alternative, whether or not it is the last thing in a cell."""

import base64
import html

from coursekit.plots.images import get_alt
from coursekit.plots.live import png

UNSEEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"


def show_figure(figure) -> None:
    """Show a figure as a picture with its text alternative, and close it, so that the end of the cell does not show it again.

    JupyterLab drops the ``alt`` of an image output, so the words stand beside the picture too, for screen readers alone.
    """
    from IPython.display import display

    words = get_alt(figure) or (figure.get_suptitle() or "; ".join(ax.get_title() for ax in figure.axes))
    picture = base64.b64encode(png(figure)).decode()
    display({"image/png": picture, "text/plain": words}, raw=True, metadata={"image/png": {"alt": words}})
    display({"text/html": f'<span style="{UNSEEN}">{html.escape(words)}</span>', "text/plain": ""}, raw=True, metadata={})


def install() -> bool:
    """Teach the running IPython to show figures like this. Outside of IPython nothing happens.

    A function may then return its figure or its axes as the last value of a cell without being shown twice.

    Returns:
        Whether there was an IPython to teach.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    if shell is None:
        return False
    showing = shell.display_formatter.ipython_display_formatter
    showing.for_type_by_name("matplotlib.figure", "Figure", show_figure)
    showing.for_type_by_name("matplotlib.axes._axes", "Axes", lambda axes: None)  # its figure is shown at the end of the cell
    return True
