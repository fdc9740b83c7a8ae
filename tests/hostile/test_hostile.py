"""Hostile submissions, all in one batch beside honest ones: none earns a point, none harms anybody, none gets out."""

import csv
import html.parser
import io
import json
import os

import hostile_running as running
import pytest
from hostile_attacks_in_cells import attacks
from hostile_files import all_attacks
from hostile_world import COMPANION, HONEST, ODD_NAMES

MIB = 1 << 20
ATTACKS = {attack.student: attack for attack in attacks()}
FILES = {f"files-{name}": about for name, (_, about) in all_attacks().items()}
EXERCISE_SECONDS = 5.0 + 3 * 1.0 + 0.7 + 2.0  # in_a_hurry.py: cells, three times what a check may take, the grace after it; and two


def as_students(those) -> list:
    """One parameter for each attack; those that take long only in a full run."""
    return [pytest.param(attack.student, marks=[pytest.mark.full] * ("full" in attack.flags)) for attack in those]


def mark_of(grade: dict, exercise: str) -> dict:
    return next(mark for mark in grade["marks"] if mark["exercise"] == exercise)


def without_times(grade: dict) -> dict:
    marks = [{name: value for name, value in mark.items() if name != "seconds"} for mark in grade["marks"]]
    return {name: value for name, value in grade.items() if name not in ("started", "seconds", "cpu_seconds")} | {"marks": marks}


# --- no point, and no harm to what is honest


@pytest.mark.parametrize("student", as_students(ATTACKS.values()))
def test_no_attack_earns_a_point(batch, student):
    attack, grade = ATTACKS[student], batch["grades"][student]
    assert grade["outcome"] == "graded", grade["reason"]
    mark = mark_of(grade, attack.exercise)
    assert mark["points"] <= (0.25 * mark["out_of"] if "share" in attack.flags else 0), (attack.about, mark)
    assert mark["seconds"] <= EXERCISE_SECONDS


@pytest.mark.parametrize("student", as_students(attack for attack in ATTACKS.values() if "top" not in attack.flags))
def test_the_honest_exercise_beside_an_attack_keeps_its_points(batch, student):
    exercise = COMPANION.get(ATTACKS[student].exercise)
    if exercise is not None:
        mark = mark_of(batch["grades"][student], exercise)
        assert mark["points"] == mark["out_of"], mark


@pytest.mark.parametrize("student", FILES)
def test_no_hostile_file_earns_a_point(batch, student):
    grade = batch["grades"][student]
    assert grade["outcome"] in ("graded", "ungradable"), grade["reason"]
    assert mark_of(grade, "13.box_iou")["points"] == 0, FILES[student]
    assert grade["outcome"] == "graded" or grade["reason"].endswith(".")


@pytest.mark.parametrize("student", HONEST)
def test_the_honest_are_graded_as_if_they_were_alone(batch, student):
    assert without_times(batch["grades"][student]) == without_times(batch["alone"][student])


def test_the_honest_get_what_they_earned(batch):
    points = {student: sum(mark["points"] for mark in batch["grades"][student]["marks"]) for student in HONEST}
    everything = sum(mark["out_of"] for mark in batch["grades"]["mina"]["marks"])
    assert points["mina"] == everything
    assert 0 < points["noor"] < everything
    assert points["zoe"] == 0


def test_everybody_has_a_row_and_nobody_has_two(batch):
    assert len(batch["grades"]) == batch["handed_in"]
    assert set(batch["grades"]) >= {*HONEST, *FILES}
    odd = [grade for student, grade in batch["grades"].items() if student not in {*HONEST, *ATTACKS, *FILES}]
    assert len(odd) == len(ODD_NAMES)
    for grade in odd:
        assert (grade["outcome"], mark_of(grade, "13.box_iou")["points"]) == ("graded", 0)


# --- nothing outside, nobody left, no more than one's share


def test_the_batch_ends_well_and_in_time(batch):
    report = batch["report"]
    assert report["in_time"], report["output"]
    assert report["rc"] == 0, report["output"]


def test_nothing_is_written_outside(batch):
    assert batch["changed"] == []
    assert batch["traces"] == []


def test_no_process_is_left(batch):
    assert batch["report"]["left"] == {}


def test_there_were_never_many_processes(batch):
    assert batch["report"]["most"] <= 30


def test_nobody_outside_heard_anything(batch):
    assert batch["heard"] == []


def test_memory_of_what_we_trust_is_bounded(batch):
    peaks = {role: peak / MIB for role, peak in batch["report"]["peaks"].items()}
    print({role: round(peak) for role, peak in peaks.items()}, f"{batch['report']['seconds']:.0f} s")
    assert peaks["main"] <= 700
    assert peaks["judge"] <= 1000


# --- what people read afterwards


class Tags(html.parser.HTMLParser):
    """Everything in a page that is not plain text."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.inside, self.code = [], "", ""

    def handle_starttag(self, tag, attributes):
        self.inside = tag if tag in ("script", "style") else ""
        self.tags.append((tag, attributes))

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, text):
        self.code += text if self.inside else ""


def test_no_page_runs_what_a_learner_wrote(batch):
    assert len(batch["pages"]) > len(ATTACKS)
    for name, page in batch["pages"].items():
        read = Tags()
        read.feed(page)
        token = batch["token"]
        assert token not in read.code, name
        for tag, attributes in read.tags:
            assert tag not in ("iframe", "object", "embed", "img", "link", "base", "form"), (name, tag)
            for attribute, value in attributes:
                assert not attribute.startswith("on"), (name, attribute)
                assert not [bad for bad in ("javascript:", token) if bad in (value or "")], (name, value)


def test_some_page_shows_the_markup_as_text(batch):
    assert "&lt;script&gt;" in batch["pages"]["lying-markup_printed.html"]


def test_pages_hold_no_control_characters(batch):
    for name, page in batch["pages"].items():
        assert not [c for c in page if (ord(c) < 32 and c not in "\n\t\r") or 0xD800 <= ord(c) < 0xE000 or c == "\u202e"], name


def test_hidden_cases_stay_hidden(batch):
    grade = batch["grades"]["values-hidden_cases_told"]
    text = json.dumps(grade) + batch["pages"]["values-hidden_cases_told.html"]
    assert text.count("HEARD") <= 20  # the public ones
    assert mark_of(grade, "13.box_iou")["printed"] == ""


def test_no_cell_of_the_table_is_a_formula(batch):
    rows = list(csv.reader(io.StringIO(batch["csv"])))
    assert len(rows) > len(ATTACKS)
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


# --- the attacks are attacks


@pytest.fixture(scope="session")
def bitten(tmp_path_factory):
    """Which attacks get their prize where there is no wall."""
    return running.once(tmp_path_factory, "hostile-bites", running.without_a_wall)


@pytest.mark.parametrize("student", [student for student, attack in ATTACKS.items() if "bites" in attack.flags])
def test_without_a_wall_the_attack_works(bitten, student):
    if student == "processes-clock_set" and os.geteuid() != 0:
        pytest.skip("only root may set the clock")
    assert bitten["bitten"][student], ATTACKS[student].about


def test_without_a_wall_the_listeners_hear_and_somebody_is_left(bitten):
    assert {"PORT", "UDP", "UNIX", "ABSTRACT", "DATAGRAM", "the decoy was killed"} <= set(bitten["heard"])
    assert bitten["left"]


def test_there_are_enough_of_them():
    assert len(ATTACKS) + len(FILES) >= 100
    assert len({attack.about for attack in ATTACKS.values()}) == len(ATTACKS)
