"""A widget where there is a live front end, a picture where there is none: on GitHub, in print, in a test. Used from 00_welcome on.

Both travel in one output, and whoever shows the notebook takes the richest kind that it can show.
"""

import base64
import io
import os
from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure


def png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file; the figure is closed, so that nobody shows it a second time."""
    import matplotlib.pyplot as plt

    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=96)
    plt.close(figure)
    return file.getvalue()


def has_kernel() -> bool:
    """Whether we run in a Jupyter kernel that has ipywidgets, only there can a widget answer, and COURSEKIT_WIDGETS is not 0."""
    if os.environ.get("COURSEKIT_WIDGETS") == "0":
        return False
    try:
        import ipywidgets  # noqa: F401
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


class Live:
    """What a cell shows: a widget with a picture beneath it for those who cannot show widgets.

    Args:
        make_widget: makes the widget; called only where there is a kernel.
        figure: the picture that stands in for it.
        text: the same in words, for terminals and screen readers.
    """

    def __init__(self, make_widget: Callable[[], Any], figure: Figure, text: str):
        self.make_widget = make_widget
        self.picture = png(figure)
        self.text = text

    def _repr_mimebundle_(self, **_):
        bundle = {"image/png": base64.b64encode(self.picture).decode(), "text/plain": self.text}
        if has_kernel():
            widget = self.make_widget()._repr_mimebundle_()
            bundle["application/vnd.jupyter.widget-view+json"] = widget["application/vnd.jupyter.widget-view+json"]
        return bundle, {"image/png": {"alt": self.text}}

    def __repr__(self):
        return self.text
