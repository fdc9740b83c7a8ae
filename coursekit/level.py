"""How much a notebook does when it runs.

smoke: two steps, no bands. quick: what the tests run, with bands. full: what a learner runs.
"""

import os

LEVELS = ("smoke", "quick", "full")


def level() -> str:
    """The level of this run, from the environment variable COURSEKIT_LEVEL; ``"full"`` where it is not set.

    Raises:
        ValueError: if the variable holds another word.
    """
    name = os.environ.get("COURSEKIT_LEVEL", "").strip().lower() or "full"
    if name not in LEVELS:
        raise ValueError(f"COURSEKIT_LEVEL must be one of {', '.join(LEVELS)}, got {name!r}")
    return name


def at(**values):
    """The value for this level: ``epochs = at(smoke=1, quick=10, full=60)``.

    A level that is not given takes the next larger one that is: ``at(quick=10, full=60)`` is 10 at smoke.

    Raises:
        ValueError: for a level that does not exist, or none at all.
    """
    if unknown := [name for name in values if name not in LEVELS]:
        raise ValueError(f"at() knows {', '.join(LEVELS)}, got {unknown[0]!r}")
    for name in LEVELS[LEVELS.index(level()) :]:
        if name in values:
            return values[name]
    raise ValueError(f"at() has no value for the level {level()!r} or above, got {', '.join(values) or 'nothing'}")
