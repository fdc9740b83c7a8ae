import json

import numpy as np
import pytest

from coursekit.metrics.match_table import match_table
from coursekit.metrics.steps import ap_area, ap_at_points
from coursekit.resources import resource

A, B, FAR = [0, 0, 10, 10], [30, 0, 40, 10], [80, 80, 90, 90]


def image(truth, *said):
    return {"truth": truth, "boxes": [box for box, _ in said], "scores": [score for _, score in said]}


def test_no_predictions():
    assert match_table({"a": image([A])}) == []


def test_every_reason_is_given():
    rows = match_table({"a": image([A], (A, 0.9), (A, 0.8), ([0, 0, 10, 4], 0.7), (FAR, 0.6)), "b": image([], (A, 0.5))})
    assert [row.why for row in rows] == ["found it", "taken by number 1", "IoU below 0.5", "touches no truth", "nothing is there to find"]
    assert [row.right for row in rows] == [True, False, False, False, False]
    assert [row.truth for row in rows] == [0, 0, 0, 0, None]
    assert [row.precision for row in rows] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert {row.recall for row in rows} == {1.0}


def test_the_two_rules_differ_where_the_best_truth_is_taken():
    images = {"a": image([A, [0, 0, 10, 14]], ([0, 0, 10, 11], 0.9), (A, 0.8))}
    assert [row.right for row in match_table(images, only_best=True)] == [True, False]
    assert [(row.right, row.truth) for row in match_table(images)] == [(True, 0), (True, 1)]


def test_the_shipped_example_gives_the_published_figures():
    boxes = json.loads(resource("padilla_sample2.json").read_text())["images"]

    def corners(rows):
        return [[x, y, x + w, y + h] for x, y, w, h in rows]

    images = {
        name: {"truth": corners(i["truth"]), "boxes": corners(r[1:] for r in i["found"]), "scores": [r[0] for r in i["found"]]}
        for name, i in boxes.items()
    }
    rows = match_table(images, 0.3, plus_one=True, only_best=True)
    recall, precision = np.array([row.recall for row in rows]), np.array([row.precision for row in rows])
    assert (len(rows), sum(row.right for row in rows)) == (24, 7)
    assert ap_area(recall, precision) == pytest.approx(0.2456866804, abs=1e-10)
    assert ap_at_points(recall, precision, np.linspace(0, 1, 11)) == pytest.approx(0.2684, abs=5e-5)
