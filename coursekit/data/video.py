"""Video as a series of pictures: read one frame at a time, written the same way. By OpenCV, which is loaded only when a video is.

>>> with VideoReader("street.mp4") as video:
...     for frame in video.frames(every=5):
...         frame.number, frame.seconds, frame.image  # 0, 0.0, uint8 (3, H, W) RGB; then 5, 0.2 ...
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

VIDEO_SUFFIXES = frozenset((".mp4", ".m4v", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"))


class Frame(NamedTuple):
    """One picture of a video.

    Args:
        number: from 0, of all frames in the file.
        seconds: when it is shown, from the beginning.
        image: (3, H, W) uint8, RGB.
    """

    number: int
    seconds: float
    image: Tensor


def import_cv2():
    """OpenCV, told to leave it to us to say what is wrong.

    Raises:
        ValueError: saying how to install it.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # of FFmpeg within it: quiet
    try:
        import cv2
    except ImportError:
        raise ValueError("videos are read by OpenCV, which is not installed: pip install opencv-python-headless") from None
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


class VideoReader:
    """A video file that is open. Only one frame is in memory at a time, however long it is.

    Args:
        path: mp4, avi, mov, mkv, webm, an animated gif: whatever OpenCV's FFmpeg decodes.

    Attributes:
        size_hw: height and width of a frame in pixels, as shown (a phone's rotation is applied).
        fps: frames per second; 25 where the file does not say.
        announced: how many frames the file says it has, 0 where it does not say. Containers are wrong about it by a few.
        read: how many frames `frames` has passed so far.

    Raises:
        ValueError: naming the file: missing, empty, no video, or without a frame that can be decoded.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        if not self.path.is_file():
            raise ValueError(f"{path}: there is no such video")
        self._cv2 = import_cv2()
        self._capture = self._cv2.VideoCapture(str(path))
        opened, first = self._capture.read() if self._capture.isOpened() else (False, None)
        if not opened:
            self.close()
            size = self.path.stat().st_size
            raise ValueError(f"{path}: not a video that can be read ({f'{size} bytes' if size else 'the file is empty'})")
        self._first, self.size_hw, self.read = first, first.shape[:2], 0
        fps = self._capture.get(self._cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps < 1000 else 25.0  # NaN and nonsense from broken headers
        announced = self._capture.get(self._cv2.CAP_PROP_FRAME_COUNT)
        self.announced = int(announced) if 0 < announced < 1e9 else 0

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()

    @property
    def cut_short(self) -> bool:
        """Whether, once all frames are read, they are fewer than the file announced by more than a container's usual mistake."""
        return self.announced - self.read > max(2, self.announced // 50)

    def frames(self, every: int = 1) -> Iterator[Frame]:
        """Frames 0, `every`, 2 * `every` ... to the last one that can be decoded. Once only: a reader does not go back."""
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        picture = self._first
        while True:
            if self.read % every == 0:
                if picture is None:
                    decoded, picture = self._capture.retrieve()
                    if not decoded:
                        return
                yield Frame(self.read, self._seconds(), _to_tensor(picture))
            self.read += 1
            picture = None
            if not self._capture.grab():  # takes the next one without turning it into RGB: quick where it is skipped
                return

    def _seconds(self) -> float:
        """The file's own time stamp, which knows of frames that are shown for longer; by the frame rate where it has none."""
        stamp = self._capture.get(self._cv2.CAP_PROP_POS_MSEC) / 1000
        return stamp if stamp > 0 else self.read / self.fps


def _to_tensor(picture: np.ndarray) -> Tensor:
    """OpenCV's (H, W, 3) BGR as (3, H, W) RGB."""
    return torch.from_numpy(np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1)))


class VideoWriter:
    """Writes an mp4 frame by frame. A context manager: the file has its name once all is written, and is gone if something went wrong.

    Args:
        path: ends in .mp4. size_hw: of the frames; an odd side gets one more row or column, since the codec wants even ones.
        fps: frames per second.

    Raises:
        ValueError: naming the file, if the codec or the folder is not there.
    """

    def __init__(self, path: Path | str, size_hw: tuple[int, int], fps: float):
        self.path, cv2 = Path(path), import_cv2()
        self._temporary = self.path.with_name(f".{self.path.stem}.{os.getpid()}.tmp.mp4")  # OpenCV looks at how the name ends
        self._pad = [(0, side % 2) for side in size_hw]
        height, width = (side + side % 2 for side in size_hw)
        self._writer = cv2.VideoWriter(str(self._temporary), cv2.VideoWriter_fourcc(*"mp4v"), fps, (width, height))
        if not self._writer.isOpened():
            raise ValueError(f"{path}: this video cannot be written; the folder or OpenCV's mp4v codec is missing")

    def write(self, image: Tensor) -> None:
        """The next frame: (3, H, W) uint8 RGB."""
        picture = image.permute(1, 2, 0).numpy()[:, :, ::-1]
        self._writer.write(np.ascontiguousarray(np.pad(picture, (*self._pad, (0, 0)), mode="edge")))

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind, *_) -> None:
        self._writer.release()
        if kind is None:
            os.replace(self._temporary, self.path)
        else:
            self._temporary.unlink(missing_ok=True)
