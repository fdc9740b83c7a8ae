"""Handed in late: what is taken off, worked out when grades are shown or exported, never stored. The marks stay what the work was worth."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from .table import plain, read_csv

DAY = timedelta(days=1)
POLICY = "none, or some of grace=MINUTES, percent=PER_DAY, floor=PERCENT, zero-after=DAYS with commas between"


@dataclass(frozen=True)
class LatePolicy:
    """What lateness costs.

    Args:
        due: with a time zone. A day is 24 hours after it, also where clocks change.
        grace: minutes after `due` that cost nothing. Later than that, days count from `due`.
        percent: of the points that were earned, for each day that has started.
        floor: percent of the points that stay, however late.
        zero_after: days; later than that nothing is left, not even `floor`. None: no such end.
    """

    due: datetime
    grace: float = 0
    percent: float = 0
    floor: float = 0
    zero_after: float | None = None

    def __post_init__(self):
        if self.due.tzinfo is None:
            raise ValueError(f"due must have a time zone, as 2026-11-30T23:59+01:00, got {self.due.isoformat()}")
        for name, most in (("grace", 525_600), ("percent", 100), ("floor", 100), ("zero_after", 36_500)):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= most:
                raise ValueError(f"{name.replace('_', '-')} must be from 0 to {most}, got {value:g}")


@dataclass(frozen=True)
class Lateness:
    """How late something was and what that leaves.

    Args:
        days: that have started since it was due; 0 in time.
        kept: the share of the points that stays, from 0 to 1.
        words: for people: "2 days late: 20 % off".
    """

    days: int = 0
    kept: float = 1.0
    words: str = ""

    def after(self, points: float) -> float:
        """Points that stay, to the hundredth; all of them, unrounded, where nothing is taken off."""
        return points if self.kept == 1 else round(points * self.kept, 2)


def lateness(submitted: str | None, policy: LatePolicy | None) -> Lateness:
    """What a policy says to a time.

    Args:
        submitted: ISO 8601 with a time zone; None where nobody knows, which costs nothing and is said.
        policy: None: lateness costs nothing.

    Raises:
        ValueError: `submitted` has no time zone, or is no time.
    """
    if policy is None:
        return Lateness()
    if not submitted:
        return Lateness(words="time unknown: nothing taken off")
    late = parse_time(submitted, "submitted") - policy.due
    if late <= timedelta(minutes=policy.grace):
        return Lateness()
    days = -(-late // DAY)
    how_late = f"{days} day{'s' if days > 1 else ''} late"
    if policy.zero_after is not None and late > policy.zero_after * DAY:
        return Lateness(days, 0.0, f"{how_late}: more than {policy.zero_after:g} days, nothing is left")
    left = min(100.0, max(policy.floor, 100 - policy.percent * days, 0))
    return Lateness(days, left / 100, f"{how_late}: {100 - left:g} % off")


def parse_time(text: str, name: str = "time") -> datetime:
    """A time with its zone.

    Raises:
        ValueError: no ISO 8601, or without a zone: 23:59 where?
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{name} must be a time as 2026-11-30T23:59+01:00, got {text!r}") from None
    if time.tzinfo is None:
        raise ValueError(f"{name} must have a time zone, as 2026-11-30T23:59+01:00 (or Z for UTC), got {text!r}")
    return time


def parse_policy(text: str, due: datetime | None) -> LatePolicy | None:
    """What ``--late`` says: ``none`` or, for example, ``grace=15,percent=10,floor=50,zero-after=7``.

    Raises:
        ValueError: no such rule, no number, or no due time to count from.
    """
    numbers: dict[str, float] = {}
    for part in [part.strip() for part in text.split(",") if part.strip()]:
        if part == "none" and text.strip() == "none":
            continue
        found = re.fullmatch(r"(grace|percent|floor|zero-after)\s*=\s*(\d+(?:\.\d+)?)", part)
        if not found or found[1].replace("-", "_") in numbers:
            raise ValueError(f"late must be {POLICY}; got {part!r}")
        numbers[found[1].replace("-", "_")] = float(found[2])
    if due is None:
        if numbers:
            raise ValueError("a late policy needs the time when work was due: --due 2026-11-30T23:59+01:00")
        return None
    return LatePolicy(due, **numbers)


def read_times(path: Path | str) -> dict[str, str]:
    """Submission times from a CSV with the columns student and submitted, which go before what the gradebook says.

    Raises:
        ValueError: a column is missing, a student stands there twice, or a time has no zone; with the row.
    """
    header, rows, _ = read_csv(path)
    missing = [name for name in ("student", "submitted") if name not in header]
    if missing:
        raise ValueError(f"{path} lacks the column {' and '.join(missing)}: its first line must have student and submitted")
    times: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        student, time = plain(row[header.index("student")]), row[header.index("submitted")]
        if student in times:
            raise ValueError(f"{path}, row {number}: {student!r} stands there twice")
        parse_time(time, f"{path}, row {number}: submitted")
        times[student] = time.strip()
    return times
