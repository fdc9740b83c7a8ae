"""What lateness costs: a pure function of two times and a policy, and every time says its zone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.grading.late import Lateness, LatePolicy, lateness, parse_policy, parse_time, read_times

DUE = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)


def at(**delta) -> str:
    return (DUE + timedelta(**delta)).isoformat()


@pytest.mark.parametrize(
    ("policy", "submitted", "kept", "days", "words"),
    [
        ({}, at(days=9), 1.0, 9, "9 days late: 0 % off"),
        ({"percent": 10}, at(days=-1), 1.0, 0, ""),
        ({"percent": 10}, at(), 1.0, 0, ""),
        ({"percent": 10}, at(microseconds=1), 0.9, 1, "1 day late: 10 % off"),
        ({"percent": 10}, at(days=1), 0.9, 1, "1 day late: 10 % off"),
        ({"percent": 10}, at(days=1, seconds=1), 0.8, 2, "2 days late: 20 % off"),
        ({"percent": 10, "floor": 50}, at(days=30), 0.5, 30, "30 days late: 50 % off"),
        ({"percent": 10}, at(days=30), 0.0, 30, "30 days late: 100 % off"),
        ({"percent": 10, "grace": 15}, at(minutes=15), 1.0, 0, ""),
        ({"percent": 10, "grace": 15}, at(minutes=15, seconds=1), 0.9, 1, "1 day late: 10 % off"),
        ({"percent": 10, "floor": 50, "zero_after": 7}, at(days=7), 0.5, 7, "7 days late: 50 % off"),
        ({"percent": 10, "floor": 50, "zero_after": 7}, at(days=7, seconds=1), 0.0, 8, "8 days late: more than 7 days, nothing is left"),
        ({"zero_after": 0}, at(seconds=1), 0.0, 1, "1 day late: more than 0 days, nothing is left"),
        ({"zero_after": 0, "grace": 5}, at(minutes=5), 1.0, 0, ""),
        ({"percent": 10}, None, 1.0, 0, "time unknown: nothing taken off"),
        ({"percent": 10}, "2026-12-01T00:59:00+01:00", 1.0, 0, ""),
        ({"percent": 10}, "2026-12-01T00:59:01+01:00", 0.9, 1, "1 day late: 10 % off"),
        ({"percent": 10}, "2026-11-30T23:59:01Z", 0.9, 1, "1 day late: 10 % off"),
    ],
)
def test_what_a_policy_says(policy, submitted, kept, days, words):
    assert lateness(submitted, LatePolicy(DUE, **policy)) == Lateness(days, kept, words)


def test_without_a_policy_nothing_is_late():
    assert lateness(at(days=5), None) == Lateness()
    assert lateness("yesterday", None) == Lateness()


@given(
    st.floats(0, 100),
    st.integers(-(10**6), 10**7),
    st.floats(0, 100),
    st.floats(0, 100),
    st.none() | st.integers(0, 30),
    st.integers(0, 9999),
)
def test_later_is_never_better(percent, seconds, floor, points, end, more):
    policy = LatePolicy(DUE, percent=percent, floor=floor, zero_after=end)
    early, later = lateness(at(seconds=seconds), policy), lateness(at(seconds=seconds + more), policy)
    assert 0 <= later.kept <= early.kept <= 1
    assert 0 <= later.after(points) <= points + 0.005
    if seconds <= 0:
        assert early.after(points) == points


@pytest.mark.parametrize("text", ["2026-11-30T23:59", "2026-11-30", "2026-11-30 23:59:00"])
def test_a_time_without_a_zone_is_refused_by_name(text):
    with pytest.raises(ValueError, match=rf"--due must have a time zone, as .* \(or Z for UTC\), got '{text}'"):
        parse_time(text, "--due")


@pytest.mark.parametrize("text", ["tomorrow", "", "30.11.2026 23:59", "2026-13-01T00:00Z"])
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match="--due must be a time as 2026-11-30T23:59"):
        parse_time(text, "--due")


def test_a_policy_needs_a_zone_too():
    with pytest.raises(ValueError, match="due must have a time zone"):
        LatePolicy(datetime(2026, 11, 30))


@pytest.mark.parametrize("text", ["grace=15,percent=10,floor=50,zero-after=7", " zero-after = 7 , percent=10.0, floor=50,grace=15 "])
def test_policies_from_the_command_line(text):
    assert parse_policy(text, DUE) == LatePolicy(DUE, 15, 10, 50, 7)


def test_none_and_no_due_time():
    assert parse_policy("none", None) is None
    assert parse_policy("none", DUE) == LatePolicy(DUE)
    with pytest.raises(ValueError, match="a late policy needs the time when work was due: --due"):
        parse_policy("percent=10", None)


@pytest.mark.parametrize(
    "text", ["percent", "percent=ten", "percent=10,percent=20", "mercy=1", "percent=-1", "none,percent=1", "percent=10 grace=1"]
)
def test_what_is_no_policy(text):
    with pytest.raises(ValueError, match=r"late must be none, or some of grace=MINUTES, .*; got '"):
        parse_policy(text, DUE)


@pytest.mark.parametrize(
    ("text", "said"), [("percent=101", "percent must be from 0 to 100, got 101"), ("floor=200", "floor must be from 0 to 100, got 200")]
)
def test_numbers_that_make_no_sense(text, said):
    with pytest.raises(ValueError, match=said):
        parse_policy(text, DUE)


def test_times_from_a_file(tmp_path):
    path = tmp_path / "times.csv"
    path.write_text(
        '\ufeffstudent,section,submitted\n"Lovelace, Ada",1,2026-11-30T23:59+01:00\nعمر,2,2026-12-01T08:00Z\n\'=bob,2,2026-12-01T08:00Z\n'
    )
    assert read_times(path) == {"Lovelace, Ada": "2026-11-30T23:59+01:00", "عمر": "2026-12-01T08:00Z", "=bob": "2026-12-01T08:00Z"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,submitted\nada,2026-12-01T08:00Z\n", "lacks the column student: its first line must have student and submitted"),
        ("", "is empty"),
        ("student,submitted\nada,2026-12-01T08:00Z\nada,2026-12-02T08:00Z\n", "row 3: 'ada' stands there twice"),
        ("student,submitted\nada,2026-12-01 08:00\n", r"row 2: submitted must have a time zone, .* got '2026-12-01 08:00'"),
        ("student,submitted\nada\n", "row 2: submitted must be a time"),
    ],
)
def test_files_of_times_that_are_wrong(tmp_path, text, said):
    path = tmp_path / "times.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"times.csv.*{said}"):
        read_times(path)


def test_a_file_of_times_that_is_no_text(tmp_path):
    (tmp_path / "times.csv").write_bytes(b"student,submitted\n\xff\xfe,x\n")
    with pytest.raises(ValueError, match="cannot be read as a CSV in UTF-8"):
        read_times(tmp_path / "times.csv")
