"""Notebooks are built from ``solutions/NN_topic.py``, never edited by hand: `coursekit build`, or ``python -m coursekit.authoring 13``."""

from coursekit.authoring.source import SourceError

__all__ = ["SourceError", "build"]


def build(*arguments, **settings) -> list[str]:
    """See `coursekit.authoring.building.build`; imported when called, because the exercises bring torch with them."""
    from coursekit.authoring.building import build as build_notebooks

    return build_notebooks(*arguments, **settings)
