"""Variants: exercises whose rules are drawn from an assignment's secret, so that no function that one can import answers them.

    family = find_family("13.variant_iou")
    parameters = family.draw(generator_of(secret, "13.variant_iou"))   # JSON: it stands in the grader's bundle
    exercise = build("13.variant_iou", parameters)                     # judged like any exercise
    family.prose(parameters), family.cells(parameters).student, family.examples(parameters)   # the three cells that learners get

The families of notebook 13 are the module-level variables of ``v13_*.py``; nothing has to be registered. What a variant cannot do: keep
somebody from reading its reference here and copying it by hand. It takes away what can be called, not what can be understood.
"""

import difflib
import hashlib
import hmac
import importlib
import pkgutil
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from coursekit.grading.variants.family import Family

if TYPE_CHECKING:
    from coursekit.exercises.core import Exercise

__all__ = ["Family", "build", "draw_all", "families", "find_family", "generator_of", "pick"]


def families(notebooks: Sequence[str] = ()) -> list[Family]:
    """Every family, in order of notebook and file; only those of some notebooks (``"13"``) where any are named."""
    found = []
    for entry in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        if re.fullmatch(r"v\d\d_\w+", entry.name) and (not notebooks or entry.name[1:3] in notebooks):
            module = importlib.import_module(f"{__name__}.{entry.name}")
            found += [value for value in vars(module).values() if isinstance(value, Family)]
    return found


def find_family(name: str) -> Family:
    """The family of that name.

    Raises:
        ValueError: with the names that there are.
    """
    there = {family.name: family for family in families([str(name)[:2]])}
    if name in there:
        return there[name]
    names = [family.name for family in families()]
    close = difflib.get_close_matches(str(name), names, n=1)
    raise ValueError(
        f"there is no family of variants {name!r}. " + (f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(names)}.")
    )


def build(name: str, parameters: dict[str, Any]) -> "Exercise":
    """The exercise of a family and its parameters.

    Raises:
        ValueError: for a name or parameters that there are not.
    """
    return find_family(name).build(parameters)


def generator_of(secret: bytes, *words: str) -> np.random.Generator:
    """Draws that nobody can foretell without the secret, and anybody can repeat with it."""
    digest = hmac.new(secret, "\x00".join(("variants", *words)).encode(), hashlib.sha256).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def pick(notebooks: Sequence[str], count: int, secret: bytes, *words: str) -> list[Family]:
    """`count` families of each notebook (all that it has, if those are fewer), chosen by the secret, in their usual order.

    Raises:
        ValueError: for a count below 0.
    """
    if count < 0:
        raise ValueError(f"count must be 0 or more, got {count}")
    chosen = []
    for notebook in dict.fromkeys(notebooks):
        there = families([notebook])
        places = generator_of(secret, notebook, *words).permutation(len(there))[:count]
        chosen += [there[i] for i in sorted(places)]
    return chosen


def draw_all(chosen: Sequence[Family], secret: bytes, *words: str) -> dict[str, dict[str, Any]]:
    """Parameters by name of each of these families; what one gets does not depend on which others there are."""
    return {family.name: family.draw(generator_of(secret, family.name, *words)) for family in chosen}
