"""`coursekit predict` on pictures, folders, patterns and videos, with the detector that the course ships."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from coursekit.cli import app


def coursekit(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    from coursekit.training.checkpoint import save_checkpoint
    from coursekit.yolo import load_shipped
    from coursekit.yolo.predict import describe

    path = tmp_path_factory.mktemp("weights") / "signs.pt"
    save_checkpoint(path, describe(load_shipped()))
    return path


@pytest.fixture(scope="module")
def scenes():
    """Two scenes (H, W, 3), each with a sign that is found."""
    from coursekit.data.signs import SignScenes

    return [SignScenes(16, seed=12).scene(index).image for index in (12, 14)]


def rows_of(folder, name="predictions.json"):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_a_folder_with_bad_files_does_the_good_ones_and_says_which_are_bad(weights, scenes, tmp_path):
    photos = tmp_path / "my photos"
    photos.mkdir()
    Image.fromarray(scenes[0]).save(photos / "a.png")
    (photos / "b.jpg").write_bytes(b"")
    (photos / "c.jpg").write_bytes(b"no picture")
    Image.fromarray(scenes[1]).save(photos / "d.jpg", quality=95)
    (photos / "e.jpg").write_bytes((photos / "d.jpg").read_bytes()[:3000])
    (photos / "f.mp4").write_bytes(b"no video")
    (photos / "notes.txt").write_text("neither")
    result = coursekit("predict", photos, "--weights", weights, "--out", tmp_path / "out")
    assert result.exit_code == 1, result.output
    assert [row["file"].rsplit("/", 1)[-1] for row in rows_of(tmp_path / "out")] == ["a.png", "d.jpg"]
    assert all(row["detections"] for row in rows_of(tmp_path / "out"))
    errors = rows_of(tmp_path / "out", "errors.json")
    assert [row["file"].rsplit("/", 1)[-1] for row in errors] == ["b.jpg", "c.jpg", "e.jpg", "f.mp4"]
    for row in errors:
        assert row["file"] in row["error"]
        assert row["error"] in result.stderr
    assert "the file is empty" in errors[0]["error"]
    assert "4 of 6 files were left out" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jpg", "d.jpg", "errors.json", "predictions.json"]


@pytest.mark.parametrize(("names", "message"), [(["a.jpg"], "a.jpg: not a picture"), (["a.jpg", "b.jpg"], "none of the 2 files of")])
def test_where_nothing_can_be_read_it_is_one_sentence(weights, tmp_path, names, message):
    for name in names:
        (tmp_path / name).write_bytes(b"no picture")
    result = coursekit("predict", tmp_path / names[0] if len(names) == 1 else tmp_path, "--weights", weights, "--out", tmp_path / "out")
    assert isinstance(result.exception, ValueError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (tmp_path / "out" / "predictions.json").exists()


def test_a_pattern_and_nothing_that_is_there_is_overwritten(weights, scenes, tmp_path):
    for name in ("one.png", "one.jpg", "two.png"):
        Image.fromarray(scenes[0]).save(tmp_path / name)
    before = (tmp_path / "one.jpg").read_bytes()
    result = coursekit("predict", tmp_path / "one.*", "--weights", weights, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "one.jpg").read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == ["one.jpg", "one_2.jpg", "one_3.jpg"]
    assert len(rows_of(tmp_path)) == 2


def test_windows_of_the_size_asked_for_or_that_the_weights_remember(weights, scenes, tmp_path):
    from coursekit.training.checkpoint import load_checkpoint, save_checkpoint

    Image.fromarray(np.concatenate([scenes[0], scenes[1]], axis=1)).save(tmp_path / "wide.png")
    save_checkpoint(tmp_path / "tiled.pt", load_checkpoint(weights) | {"tile": 256})
    found = {}
    for name, file, options in [
        ("whole", weights, []),
        ("asked", weights, ["--tile", 256, "--overlap", 0]),
        ("remembered", tmp_path / "tiled.pt", ["--overlap", 0]),
        ("turned off", tmp_path / "tiled.pt", ["--tile", 0]),
    ]:
        result = coursekit("predict", tmp_path / "wide.png", "--weights", file, "--out", tmp_path / name, *options)
        assert result.exit_code == 0, result.output
        assert ("windows of 256 pixels that share 0" in result.output) == (name in ("asked", "remembered"))
        [row] = rows_of(tmp_path / name)
        assert (row["width"], row["height"]) == (512, 256)
        found[name] = row["detections"]
    assert found["asked"] == found["remembered"] != found["whole"] == found["turned off"]
    assert any(box["box"][0] > 256 for box in found["asked"])


@pytest.fixture(scope="module")
def video(scenes, tmp_path_factory):
    """Seven frames at 10 a second: the first scene, from the fourth frame on the second one."""
    cv2 = pytest.importorskip("cv2", reason="the extra `course` brings OpenCV")
    path = tmp_path_factory.mktemp("video") / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (256, 256))
    for number in range(7):
        writer.write(np.ascontiguousarray(scenes[number >= 3][:, :, ::-1]))
    writer.release()
    return path


def test_a_video_gives_a_video_and_rows_with_frame_and_second(video, weights, scenes, tmp_path):
    import torch

    from coursekit.data.video import VideoReader
    from coursekit.yolo import load_shipped, predict

    result = coursekit("predict", video, "--weights", weights, "--every", 2, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path)
    assert [(row["frame"], row["seconds"], row["width"], row["height"]) for row in rows] == [
        (0, 0.0, 256, 256),
        (2, 0.2, 256, 256),
        (4, 0.4, 256, 256),
        (6, 0.6, 256, 256),
    ]
    expected = predict(load_shipped(), [torch.from_numpy(scene.transpose(2, 0, 1).copy()) for scene in scenes], confidence=0.5)
    for row, truth in zip(rows, (expected[0], expected[0], expected[1], expected[1]), strict=True):
        assert len(truth)
        sure = max(row["detections"], key=lambda box: box["score"])
        assert np.abs(np.array(sure["box"]) - truth.boxes[0].numpy()).max() < 4  # JPEG has changed the frames a little
    with VideoReader(tmp_path / "drive.mp4") as drawn, VideoReader(video) as original:
        frames = [(a.image.int() - b.image.int()).abs().amax(dim=0) for a, b in zip(drawn.frames(), original.frames(2), strict=True)]
    assert (drawn.fps, drawn.size_hw, len(frames)) == (5, (256, 256), 4)
    for changed, row in zip(frames, rows, strict=True):
        x1, y1, _, y2 = (round(side) for side in row["detections"][0]["box"])
        assert changed[(y1 + y2) // 2, max(0, x1 - 2) : x1 + 3].max() > 40  # the left line of the box
    assert "drive.avi: 4 frames, in all " in result.output


def test_ctrl_c_keeps_what_was_done(video, weights, tmp_path, monkeypatch):
    from coursekit.plots import frames

    draw, drawn = frames.draw_detections, []

    def interrupted(*arguments):
        if len(drawn) == 3:
            raise KeyboardInterrupt
        drawn.append(1)
        return draw(*arguments)

    monkeypatch.setattr(frames, "draw_detections", interrupted)
    result = coursekit("predict", video, "--weights", weights, "--out", tmp_path)
    assert result.exit_code == 130, result.output
    assert "stopped; 0 of 1 files" in result.output
    assert [row["frame"] for row in rows_of(tmp_path)] == [0, 1, 2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drive.mp4", "predictions.json"]


def test_a_video_that_ends_too_early_is_said(video, weights, tmp_path, monkeypatch):
    from coursekit.data.video import VideoReader

    frames = VideoReader.frames

    def announces_more(self, every=1):
        self.announced = 40
        return frames(self, every)

    monkeypatch.setattr(VideoReader, "frames", announces_more)
    result = coursekit("predict", video, "--weights", weights, "--out", tmp_path)
    assert result.exit_code == 1, result.output
    assert "ends after 7 of 40 frames; the file may be cut short" in result.stderr
    assert len(rows_of(tmp_path)) == 7


def test_a_gif_is_a_video_if_it_moves(weights, scenes, tmp_path):
    pytest.importorskip("cv2", reason="the extra `course` brings OpenCV")
    pictures = [Image.fromarray(scene) for scene in scenes]
    pictures[0].save(tmp_path / "moves.gif", save_all=True, append_images=pictures[1:], duration=200)
    pictures[0].save(tmp_path / "stands.gif")
    result = coursekit("predict", tmp_path / "*.gif", "--weights", weights, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path / "out")
    assert [row.get("frame") for row in rows if row["file"].endswith("moves.gif")] == [0, 1]
    assert ["frame" in row for row in rows if row["file"].endswith("stands.gif")] == [False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--every", 0], "every must be at least 1, got 0"),
        (["--limit", 0], "limit must be at least 1, got 0"),
        (["--tile", -5], "tile must be at least 1 pixel, got -5"),
        (["--tile", 64, "--overlap", 64], "overlap must be at least 0 and below tile (64 pixels), got 64"),
        (["--whole"], "--overlap and --whole are for windows; say with --tile how large they are"),
    ],
)
def test_bad_options_are_one_sentence_and_leave_no_folder(options, message, weights, scenes, tmp_path):
    Image.fromarray(scenes[0]).save(tmp_path / "a.png")
    result = coursekit("predict", tmp_path / "a.png", "--weights", weights, "--out", tmp_path / "out", *options)
    assert message in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_training_measuring_and_finding_by_tiles_need_no_more_than_one_option(tmp_path):
    from coursekit.data.signs import write_signs

    for seed, split in enumerate(("train", "val")):
        write_signs(tmp_path / "data", 3, seed=seed, split=split, size=128, empty=0)
    options = ["--imgsz", 64, "--tile", 64, "--epochs", 1, "--batch", 2, "--device", "cpu", "--precision", "float32", "--threads", 1]
    result = coursekit("train", "--data", tmp_path / "data", *options, "--project", tmp_path / "runs")
    assert result.exit_code == 0, result.output
    assert "tile=64" in result.output
    assert "crops of 64 pixels each epoch out of 3 pictures (kept in memory)" in result.output
    result = coursekit("val", "--project", tmp_path / "runs", "--json", tmp_path / "val.json")
    assert result.exit_code == 0, result.output
    assert "windows of 64 pixels that share 16" in result.output
    assert rows_of(tmp_path, "val.json")["tile"] == 64
    result = coursekit("val", "--project", tmp_path / "runs", "--tile", 0, "--whole")
    assert "are for windows" in str(result.exception)
    result = coursekit("predict", tmp_path / "data" / "JPEGImages", "--project", tmp_path / "runs", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "windows of 64 pixels that share 16" in result.output
