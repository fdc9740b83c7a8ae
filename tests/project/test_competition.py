import json
import os
import stat
import threading

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from coursekit.data.image_folder import write_image_folder
from coursekit.data.images import load_image
from coursekit.data.signs import SignCrops, SignScenes
from coursekit.detections import Detections
from coursekit.metrics.detection import evaluate_samples
from coursekit.project.board import add_to_board, final_board, ranking, read_board
from coursekit.project.competition import Competition, macro_f1, make_competition
from coursekit.project.submission import write_labels, write_submission

SCENES = {"size": 64, "difficulty": "easy", "classes": ("stop", "yield")}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """A competition in finding signs, with the folder that it lies in."""
    out = tmp_path_factory.mktemp("scenes") / "c"
    return make_competition(SignScenes(24, seed=0, **SCENES), out, public=0.4, seed=3), out


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    root = tmp_path_factory.mktemp("crops")
    samples = SignCrops(40, seed=0, size=16, classes=["stop", "yield", "bend"])
    write_image_folder([samples[i] for i in range(40)], samples.classes, root / "data")
    return make_competition(root / "data", root / "c", public=0.4, seed=3), root / "c"


def answers_of(competition, names=None, jitter=0.0):
    """What is true, moved a little."""
    found = {}
    for name in competition.ids:
        truth = competition.hidden.truth[name]
        boxes = torch.tensor(truth["boxes"], dtype=torch.float32) + jitter
        some = Detections(boxes, torch.full((len(boxes),), 0.5), torch.tensor(truth["labels"]))
        found[name] = some if names is None or name in names else Detections.empty()
    return found


def test_pictures_go_out_and_labels_stay(scenes):
    made, out = scenes
    assert sorted(path.name for path in out.iterdir()) == ["keep", "participants"]
    given = out / "participants"
    assert sorted(path.name for path in given.iterdir()) == ["README.md", "classes.txt", "images", "sample_submission.csv"]
    assert {path.stem for path in (given / "images").iterdir()} == set(made.ids)
    assert len({path.stat().st_mtime for path in (given / "images").iterdir()}) == 1  # times say no order
    told = b"".join(path.read_bytes() for path in given.rglob("*") if path.is_file())
    assert made.hidden.salt.encode() not in told
    boxes = [value for truth in made.hidden.truth.values() for box in truth["boxes"].tolist() for value in (str(box), f"{box[0]},{box[1]}")]
    assert boxes
    assert not [text for text in boxes if text.encode() in told]
    assert f"{len(made.public)} of 24" in (given / "README.md").read_text()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_its_owner_reads_what_is_kept(scenes):
    keep = scenes[1] / "keep"
    assert stat.S_IMODE((keep / "hidden.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(keep.stat().st_mode) == 0o700


def test_every_pixel_is_handed_out_and_the_order_says_nothing(scenes):
    made, out = scenes
    data = SignScenes(24, seed=0, **SCENES)
    for name in made.ids[:3]:
        image, target = data[int(made.hidden.sources[name])]
        assert np.array_equal(load_image(out / "participants" / "images" / f"{name}.png"), image.numpy())
        assert np.array_equal(made.hidden.truth[name]["boxes"], target["boxes"].numpy())
    assert [made.hidden.sources[name] for name in made.ids] != sorted(made.hidden.sources.values())


def test_what_was_kept_is_read_back(scenes):
    made, out = scenes
    for place in (out / "keep", out / "keep" / "hidden.json"):
        again = Competition.read(place)
        assert (again.ids, again.classes, again.metric, again.public, again.kind) == (
            made.ids, made.classes, "AP", made.public, "detection",
        )  # fmt: skip
    assert set(made.part(False)) | set(made.part(True)) == set(made.ids)


def test_a_perfect_submission_and_an_empty_one(scenes, tmp_path):
    made, out = scenes
    perfect = write_submission(tmp_path / "s.csv", answers_of(made), made.classes)
    score = made.score(perfect, private=True)
    assert (score.public, score.private, score.pictures, score.private_pictures) == (1.0, 1.0, len(made.public), 24 - len(made.public))
    nothing = made.score(out / "participants" / "sample_submission.csv")
    assert (nothing.public, nothing.private) == (0.0, None)
    assert str(nothing) == f"public AP 0.000 [0.000, 0.000] on {len(made.public)} pictures"


def test_only_the_asked_part_counts(scenes, tmp_path):
    made, _ = scenes
    only_public = write_submission(tmp_path / "s.csv", answers_of(made, made.public), made.classes)
    score = made.score(only_public, private=True)
    assert (score.public, score.private) == (1.0, 0.0)


def test_the_score_is_that_of_the_evaluator(scenes, tmp_path):
    made, _ = scenes
    answers = answers_of(made, made.ids[::2], jitter=1.0)
    part = made.part(private=False)
    expected = evaluate_samples([made.hidden.truth[n] for n in part], [answers[n] for n in part], made.classes).summary["AP"]
    score = made.score(write_submission(tmp_path / "s.csv", answers, made.classes))
    assert score.public == pytest.approx(expected, abs=1e-12)
    assert 0 < score.low <= score.public <= score.high < 1


def test_a_classifier_is_scored_by_macro_f1(crops, tmp_path):
    made, out = crops
    assert (made.kind, made.metric, made.classes) == ("classification", "macro_f1", ("bend", "stop", "yield"))
    assert made.score(write_labels(tmp_path / "s.csv", made.hidden.truth), private=True).private == 1.0
    always = made.score(out / "participants" / "sample_submission.csv")
    assert 0 < always.public < 0.5


def test_macro_f1_is_scikit_learns():
    generator = np.random.default_rng(0)
    for _ in range(5):
        truth = {f"p{i}": "abc"[k] for i, k in enumerate(generator.integers(0, 3, 30))}
        said = {f"p{i}": "abcd"[k] for i, k in enumerate(generator.integers(0, 4, 30))}
        part = list(truth)[:20]
        present = sorted({truth[name] for name in part})
        expected = f1_score([truth[n] for n in part], [said[n] for n in part], labels=present, average="macro", zero_division=0)
        assert macro_f1(truth, said, part) == pytest.approx(expected)
    assert macro_f1({"a": "x", "b": "y"}, {"a": "x"}, ["a", "b"]) == 0.5


def test_the_secret_is_another_each_time_and_a_seed_repeats_it(tmp_path):
    data = SignCrops(12, seed=0, size=16, classes=["stop", "yield"])
    salts = [make_competition(data, tmp_path / str(n), public=0.5, seed=seed).hidden.salt for n, seed in enumerate((None, None, 1, 1))]
    assert salts[0] != salts[1]
    assert salts[2] == salts[3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"public": 0.0}, "public must be a share between 0 and 1"),
        ({"public": 1.0}, "public must be a share"),
        ({"metric": "AP"}, "metric of classification must be one of macro_f1, accuracy, got 'AP'"),
        ({"public": 0.0001}, "the public part would hold 0 of 6 pictures"),
        ({"public": 0.9999}, "the private part would hold 0 of 6 pictures"),
    ],
)
def test_what_cannot_be_made_is_said_and_leaves_nothing(tmp_path, options, message):
    data = SignCrops(6, seed=0, size=16, classes=["stop", "yield"])
    with pytest.raises(ValueError, match=message):
        make_competition(data, tmp_path / "c", **({"public": 0.5, "seed": 0} | options))
    assert not (tmp_path / "c").exists() or list((tmp_path / "c").iterdir()) == []


def test_a_competition_is_never_written_over(scenes):
    before = (scenes[1] / "keep" / "hidden.json").read_bytes()
    with pytest.raises(ValueError, match="holds a competition already"):
        make_competition(SignScenes(24, seed=1, **SCENES), scenes[1])
    assert (scenes[1] / "keep" / "hidden.json").read_bytes() == before


@pytest.mark.parametrize("data", ["missing", "empty", [], None], ids=str)
def test_data_that_are_none(tmp_path, data):
    (tmp_path / "empty").mkdir()
    with pytest.raises((ValueError, TypeError), match=r"data must be|object of type"):
        make_competition(tmp_path / data if isinstance(data, str) else data, tmp_path / "c")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": 9}',
        '{"format": 1, "kind": "x"}',
        "[" * 100_000,
        '{"format": 1, "kind": "detection", "pictures": {"a": 1}}',
    ],
    ids=range(7),
)
def test_hidden_labels_that_are_none(tmp_path, content):
    (tmp_path / "hidden.json").write_text(content)
    with pytest.raises(ValueError, match=r"hidden\.json: is"):
        Competition.read(tmp_path)
    with pytest.raises(ValueError, match="there are no hidden labels"):
        Competition.read(tmp_path / "elsewhere")


# --- the board


@pytest.fixture
def keep(scenes, tmp_path):
    """A folder of its own with the hidden labels."""
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep" / "hidden.json").write_bytes((scenes[1] / "keep" / "hidden.json").read_bytes())
    return tmp_path / "keep"


def test_the_board_keeps_everything_and_tells_the_private_score_at_the_end(scenes, keep, tmp_path):
    made, out = scenes
    assert read_board(keep) == []
    lucky = write_submission(tmp_path / "lucky.csv", answers_of(made, made.public), made.classes)
    honest = write_submission(tmp_path / "honest.csv", answers_of(made, jitter=1.0), made.classes)
    for path, name in (
        (out / "participants" / "sample_submission.csv", "Ana"),
        (lucky, "Ana"),
        (honest, "  Ben   Kim "),
        (lucky, "김다나"),
    ):
        add_to_board(keep, path, name, draws=2)
    lucky.unlink()  # the board has its own copies
    entries = read_board(keep)
    assert [entry.name for entry in entries] == ["Ana", "Ana", "Ben Kim", "김다나"]
    assert all(entry.private is None for entry in entries)
    assert [entry.name for entry in ranking(entries)] == ["Ana", "김다나", "Ben Kim"]  # of equals the earlier
    final = ranking(final_board(keep), final=True)
    assert final[0].name == "Ben Kim"
    assert [entry.private for entry in final][1:] == [0.0, 0.0]
    told = (keep / "board.csv").read_text()
    assert repr(final[0].private) not in told  # before the end it stands nowhere


def test_what_cannot_be_scored_is_not_written_down(scenes, keep, tmp_path):
    (tmp_path / "bad.csv").write_text("nothing\n")
    with pytest.raises(ValueError, match=r"bad\.csv:1: the first line"):
        add_to_board(keep, tmp_path / "bad.csv", "Ana")
    good = scenes[1] / "participants" / "sample_submission.csv"
    for name in ("", "=1+1", "@x", "-a", "a\u202eb", "x" * 61, "a,b\n"):
        with pytest.raises(ValueError, match="name must begin with a letter or digit"):
            add_to_board(keep, good, name)
    assert read_board(keep) == []
    assert not (keep / "submissions").exists()


def test_two_at_once_both_stand_on_the_board(scenes, keep):
    good = scenes[1] / "participants" / "sample_submission.csv"
    threads = [threading.Thread(target=add_to_board, args=(keep, good, f"team {n}", 2)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(entry.name for entry in read_board(keep)) == [f"team {n}" for n in range(8)]


def test_a_board_that_was_changed_says_where(scenes, keep):
    good = scenes[1] / "participants" / "sample_submission.csv"
    add_to_board(keep, good, "Ana", draws=2)
    whole = (keep / "board.csv").read_text()
    for text, message in (
        (whole + "one,two\n", "board.csv:3: is no row"),
        ("name\n", "board.csv:1: the first line"),
        (whole[:-20], "board.csv:2"),
    ):
        (keep / "board.csv").write_text(text)
        with pytest.raises(ValueError, match=message):
            read_board(keep)
    (keep / "board.csv").write_text(whole)
    copy = next((keep / "submissions").iterdir())
    copy.write_text("changed")
    with pytest.raises(ValueError, match=r"of Ana is not in .* as it was handed in"):
        final_board(keep)
    (keep / "board.csv").write_text(whole.replace(copy.stem, "../../../etc/passwd"))
    with pytest.raises(ValueError, match="of Ana is not in"):
        final_board(keep)


def test_hidden_labels_are_plain_data(scenes):
    told = json.loads((scenes[1] / "keep" / "hidden.json").read_text(encoding="utf-8"))
    assert set(told) == {"format", "kind", "classes", "metric", "share", "salt", "pictures"}
