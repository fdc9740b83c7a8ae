import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.grading.rubric import checked, read_rubric

GOOD = """\
title: Report of the project
notebook: 20
parts:
  - id: question
    title: A question worth asking
    points: 4
    levels:
      - {points: 4, text: says what would change your mind}
      - points: 1.5
        text: "no: question"
  - id: 20.pr_curve
    points: 2
    exercise: 20.pr_curve
"""


def test_a_rubric_is_read_with_every_field_in_its_place(tmp_path):
    path = tmp_path / "rubric.yaml"
    path.write_text(GOOD, encoding="utf-8")
    made = read_rubric(path)
    assert made["title"] == "Report of the project"
    assert made["notebook"] == "20"
    first, second = made["parts"]
    levels = [{"points": 4.0, "text": "says what would change your mind"}, {"points": 1.5, "text": "no: question"}]
    assert first == {"id": "question", "title": "A question worth asking", "points": 4.0, "levels": levels}
    assert second == {"id": "20.pr_curve", "title": "20.pr_curve", "points": 2.0, "levels": [], "exercise": "20.pr_curve"}


def test_json_says_the_same_and_goes_through_json_again(tmp_path):
    yaml, other = tmp_path / "rubric.yml", tmp_path / "rubric.json"
    yaml.write_text("\ufeff" + GOOD, encoding="utf-8")
    made = read_rubric(yaml)
    other.write_text(json.dumps({**made, "notebook": "20"}, indent="\t"), encoding="utf-8")
    assert read_rubric(other) == made


@pytest.mark.parametrize(
    ("find", "put", "message"),
    [
        ("points: 4\n", "points: four\n", r"rubric.yaml:6: part 1, points must be a number from 0, got 'four'"),
        ("points: 4\n", "points: .nan\n", r":6: part 1, points must be a number from 0, got nan"),
        ("points: 4\n", "points: 0\n", r":6: part 1, points must be more than 0"),
        ("    points: 2\n", "", r":\d+: part 2, points must be a number from 0, got nothing"),
        ("points: 4, text", "points: 5, text", r":8: part 1, level 1, points must be at most the part's 4, got 5"),
        ("points: 4, text", "worth: 4, text", r":8: part 1, level 1, worth is not known here; the fields are points, text"),
        ("id: question", "id: a b", r":4: part 1, id must be a short word"),
        ("id: 20.pr_curve", "id: question", r":11: part 2, id must differ from every other, but 'question' is part 1 too"),
        ("title: A question worth asking", "title: [a]", r":5: part 1, title must be a text, got \['a'\]"),
        ("title: Report of the project", "titel: x", r":1: titel is not known here"),
        ("notebook: 20", "notebook: last", r":2: notebook must begin with a notebook's number"),
        ("points: 1.5", "points: -1", r":9: part 1, level 2, points must be a number from 0, got -1"),
        ("parts:\n", "parts: x\nthem:\n", r":3: parts must be a list|them is not known"),
        ("levels:", "levels: {a: [", r":\d+: is no YAML"),
        ("notebook: 20", "notebook: !!python/object:os.system x", r":2: is no YAML: could not determine a constructor"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_the_line(tmp_path, find, put, message):
    assert find in GOOD
    path = tmp_path / "rubric.yaml"
    path.write_text(GOOD.replace(find, put, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        read_rubric(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value).removeprefix(str(tmp_path))) < 250


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.yaml", b"", "a rubric must have the fields title, notebook, parts, got None"),
        ("r.yaml", b"title: x\nparts: []\n", ":2: parts must hold at least one part"),
        ("r.yaml", b"- 1\n", "a rubric must have the fields"),
        ("r.yaml", b"\xff\xfe\x00", "must be a text in UTF-8"),
        ("r.yaml", b"x" * 300_000, "at most 200 kB, got 300"),
        ("r.yaml", b"points: " + b"9" * 5000, "."),
        ("r.yaml", b"[" * 5000, "nested deeper|no YAML"),
        ("r.json", b"[" * 100_000, "nested deeper|no JSON"),
        ("r.json", b'{"title": "x",\n "parts": [}', ":2: is no JSON"),
        ("r.json", b'{"parts": [{"id": "a", "points": 1e999}]}', "part 1, points must be a number from 0, got inf"),
    ],
)
def test_any_other_file_is_refused_in_a_sentence(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_rubric(path)


def test_aliases_that_multiply_do_not_grow(tmp_path):
    path = tmp_path / "bomb.yaml"
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match="a0 is not known here"):
        read_rubric(path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "title", "points", "levels", "parts", "text"]), inner)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_whatever_the_data_is_it_is_right_or_a_sentence(data):
    with contextlib.suppress(ValueError):
        made = checked(data)
        assert checked(made) == made
