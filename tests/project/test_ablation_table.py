import json
import math

import pytest

from coursekit.project.ablation import AblationTable, ablation_rows, ablation_table


def runs(name, scores, settings=None, **more):
    return [{"name": name, "seed": s, "score": score, "settings": settings or {"mosaic": True}, **more} for s, score in enumerate(scores)]


BASE = runs("all of it", [0.50, 0.52, 0.54])
LESS = runs("no mosaic", [0.40, 0.42, 0.41], {"mosaic": False})


def test_mean_spread_and_difference():
    first, second = ablation_table([*BASE, *LESS], "all of it", "AP50").rows
    assert (first["mean"], first["std"], first["difference"], first["changed"]) == (pytest.approx(0.52), pytest.approx(0.02), 0.0, [])
    assert (second["seeds"], second["difference"], second["changed"]) == (3, pytest.approx(-0.11), ["mosaic"])


def test_the_table_in_markdown():
    lines = ablation_table([*BASE, *LESS], "all of it", "AP50 | COCO").to_markdown().splitlines()
    assert lines[0] == "| | seeds | AP50 \\| COCO, mean ± std | difference | changed |"
    assert lines[2:] == ["| all of it | 3 | 0.520 ± 0.020 |  | baseline |", "| no mosaic | 3 | 0.410 ± 0.010 | -0.110 | mosaic |"]


@pytest.mark.parametrize(
    ("more", "note"),
    [
        (runs("both", [0.3, 0.3, 0.31], {"mosaic": False, "ema": 0.9}), r"both: 2 settings changed \(ema, mosaic\): no ablation"),
        (runs("again", [0.3, 0.3, 0.31]), "again: no setting differs from all of it"),
        (runs("one", [0.3], {"mosaic": False}), "one: one seed is an anecdote"),
        (runs("two", [0.3, 0.31], {"mosaic": False}), "two: seeds 0, 1, but all of it has 0, 1, 2"),
        (runs("near", [0.54, 0.50, 0.51], {"mosaic": False}), r"near: the difference -0\.003 is within its spread over the seeds, 0\.038"),
        (runs("long", [0.7, 0.7, 0.71], {"mosaic": False}, steps=900), "long: 900 steps, but all of it has unknown: more than the setting"),
        (runs("many", [0.7, 0.7, 0.71], {"mosaic": False}, images=40), "many: 40 images, but all of it has unknown"),
    ],
    ids=lambda value: value[0]["name"] if isinstance(value, list) else "",
)
def test_what_is_not_comparable_is_said(more, note):
    import re

    table = ablation_table([*BASE, *more], "all of it")
    assert [said for said in table.notes if re.search(note, said)], table.notes
    assert f"- {table.notes[0]}" in table.to_markdown()


def test_a_clean_row_has_no_note():
    assert ablation_table([*BASE, *LESS], "all of it").notes == ()
    same_budget = [{**run, "steps": 300, "images": 80} for run in (*BASE, *LESS)]
    assert ablation_table(same_budget, "all of it").notes == ()


def test_a_row_of_two_changes_says_so_in_its_own_line():
    text = ablation_table([*BASE, *runs("both", [0.3, 0.3, 0.31], {"mosaic": False, "ema": 1})], "all of it").to_markdown()
    assert "| ema, mosaic (no ablation: 2 settings) |" in text


def test_one_seed_has_no_spread_and_none_is_made_up():
    (row,) = ablation_rows(runs("a", [0.5]), "a")
    assert math.isnan(row["std"])
    assert "| a | 1 | 0.500 |  | baseline |" in ablation_table(runs("a", [0.5]), "a").to_markdown()


def test_json_and_back():
    table = ablation_table([*BASE, *LESS, *runs("one", [0.3], {"mosaic": None})], "all of it", "AP")
    told = json.dumps(table.to_dict(), allow_nan=False)
    assert AblationTable.from_dict(json.loads(told)).to_markdown() == table.to_markdown()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1.0}, r"run 1 \('all of it', seed 1\.0\): seed must be a whole number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"seed": 1}, r"run 2 \('all of it', seed 1\): the row has this seed already"),
        ({"score": math.nan}, "score must be finite, got nan; what did the run that failed score"),
        ({"settings": ["mosaic"]}, "settings must be a dict, got list"),
        ({"settings": {"mosaic": False}}, "run 2 .*: settings differ within the row"),
    ],
    ids=str,
)
def test_runs_that_do_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        ablation_table([{**BASE[0], **change}, *BASE[1:]], "all of it")


def test_a_missing_field_and_a_missing_baseline():
    with pytest.raises(ValueError, match="run 1 must have name, seed, score and settings, settings is missing"):
        ablation_table([{"name": "a", "seed": 0, "score": 1.0}], "a")
    with pytest.raises(ValueError, match="baseline must be one of 'all of it', got 'none'"):
        ablation_table(BASE, "none")
    with pytest.raises(ValueError, match="of which there are none"):
        ablation_table([], "a")
