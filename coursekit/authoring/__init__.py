"""Notebooks are built from ``solutions/NN_topic.py``, never edited by hand: `coursekit build`, or ``python -m coursekit.authoring 13``."""

from coursekit.authoring.build import build
from coursekit.authoring.source import SourceError

__all__ = ["SourceError", "build"]
