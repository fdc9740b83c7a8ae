"""Videos made here by OpenCV itself, read back frame by frame."""

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch

from coursekit.data.video import VideoReader, VideoWriter

cv2 = pytest.importorskip("cv2", reason="the extra `course` brings OpenCV")


def make_video(path, count=12, size_hw=(48, 64), fps=10, codec="mp4v"):
    """Frame k is grey of value 20 + 15 k, with a red upper left quarter."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, size_hw[::-1])
    assert writer.isOpened()
    for k in range(count):
        picture = np.full((*size_hw, 3), 20 + 15 * (k % 14), np.uint8)
        picture[: size_hw[0] // 2, : size_hw[1] // 2] = (0, 0, 200)  # BGR
        writer.write(picture)
    writer.release()
    return path


@pytest.mark.parametrize(
    ("name", "codec"), [("a b.mp4", "mp4v"), ("비디오.avi", "MJPG"), ("a.mkv", "mp4v"), ("a.mov", "mp4v"), ("a.webm", "VP80")]
)
def test_frames_in_order_with_number_time_and_colour(tmp_path, name, codec):
    with VideoReader(make_video(tmp_path / name, codec=codec)) as video:
        assert (video.size_hw, video.fps, video.announced) == ((48, 64), 10, 12)
        frames = list(video.frames())
    assert [frame.number for frame in frames] == list(range(12))
    assert [round(frame.seconds, 3) for frame in frames] == [k / 10 for k in range(12)]
    for k, frame in enumerate(frames):
        assert frame.image.dtype == torch.uint8
        assert frame.image.shape == (3, 48, 64)
        assert abs(frame.image[:, 32:, 48:].float().mean().item() - (20 + 15 * k)) < 6  # neighbouring frames are 15 apart
        red, green, blue = frame.image[:, 8:16, 8:16].float().mean(dim=(1, 2)).tolist()
        assert red > 150 > 60 > max(green, blue)
    assert not video.cut_short


@pytest.mark.parametrize("every", [2, 5, 100])
def test_only_some_frames(tmp_path, every):
    path = make_video(tmp_path / "a.avi", codec="MJPG")
    whole = list(VideoReader(path).frames())
    with VideoReader(path) as video:
        some = list(video.frames(every))
    assert [(f.number, f.seconds) for f in some] == [(f.number, f.seconds) for f in whole[::every]]
    assert all(torch.equal(a.image, b.image) for a, b in zip(some, whole[::every], strict=True))
    assert not video.cut_short


def test_memory_does_not_grow_with_the_video(tmp_path):
    """No frame outlives the one after it."""
    alive, most = weakref.WeakSet(), 0
    with VideoReader(make_video(tmp_path / "a.mp4", count=30)) as video:
        for frame in video.frames():
            alive.add(frame.image)
            del frame
            gc.collect()
            most = max(most, len(alive))
    assert video.read == 30
    assert most <= 2


def test_what_is_written_is_read_again(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", (31, 45), fps=5) as writer:
        for value in (20, 120, 220):
            writer.write(torch.full((3, 31, 45), value, dtype=torch.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    with VideoReader(tmp_path / "out.mp4") as video:
        frames = list(video.frames())
    assert (video.size_hw, video.fps) == ((32, 46), 5)  # one more row and column, nothing lost
    assert [abs(frame.image.float().mean().item() - value) < 6 for frame, value in zip(frames, (20, 120, 220), strict=True)] == [True] * 3


def test_half_a_video_is_never_left_behind(tmp_path):
    class Stop(Exception):
        pass

    with pytest.raises(Stop), VideoWriter(tmp_path / "out.mp4", (32, 32), fps=5) as writer:  # noqa: PT012
        writer.write(torch.zeros(3, 32, 32, dtype=torch.uint8))
        raise Stop
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_ends_too_early_says_so(tmp_path):
    path = make_video(tmp_path / "a.avi", count=40, codec="MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with VideoReader(path) as video:
        count = len(list(video.frames()))
    assert 0 < count < 40
    assert video.read == count
    assert video.announced != 40 or video.cut_short


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such video"),
        (b"", r"not a video that can be read \(the file is empty\)"),
        (b"no video at all" * 100, r"not a video that can be read \(1500 bytes\)"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(500), r"not a video that can be read \(512 bytes\)"),
    ],
)
def test_what_is_no_video_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        VideoReader(path)


def test_neither_opencv_nor_ffmpeg_speaks_up(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(500))
    code = "import sys; from coursekit.data.video import VideoReader\ntry: VideoReader(sys.argv[1])\nexcept ValueError: pass"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.mp4")], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_without_opencv_it_says_what_to_install(tmp_path, monkeypatch):
    make_video(tmp_path / "a.mp4", count=1)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ValueError, match="not installed: pip install opencv-python-headless"):
        VideoReader(tmp_path / "a.mp4")


def test_bad_arguments_are_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        next(VideoReader(make_video(tmp_path / "a.mp4", count=1)).frames(0))
    with pytest.raises(ValueError, match="this video cannot be written"):
        VideoWriter(tmp_path / "nowhere" / "a.mp4", (32, 32), 5)
