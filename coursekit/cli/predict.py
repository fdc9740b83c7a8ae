"""`coursekit predict`: the detector on pictures and videos. Writes them with their boxes drawn, and what was found as JSON."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from typer import Option


def register(app: typer.Typer) -> None:
    """Add this module's command to the app."""
    app.command("predict")(predict)


def predict(
    source: Annotated[str, typer.Argument(help="An image, a video, a folder of them, or a pattern such as 'photos/*.jpg'.")],
    weights: Annotated[Path | None, Option(help="Weights file, or signs_n; by default last.pt of the latest run.")] = None,
    project: Annotated[str, Option(help="Folder of the runs to take weights from.")] = "runs/detect",
    name: Annotated[str | None, Option(help="Run to take weights from; by default the latest.")] = None,
    conf: Annotated[float, Option(help="Lowest confidence shown.")] = 0.25,
    iou: Annotated[float, Option(help="Boxes of one class that overlap more are one.")] = 0.6,
    limit: Annotated[int, Option(help="Most boxes in a picture.")] = 300,
    imgsz: Annotated[int, Option(help="0: as it was trained.")] = 0,
    tile: Annotated[
        int | None, Option(help="Look through windows of this side; 0: at whole pictures. By default as it was trained.")
    ] = None,
    overlap: Annotated[int | None, Option(help="Pixels that windows share; by default a quarter of the tile.")] = None,
    whole: Annotated[
        bool, Option("--whole", help="With windows: look at the whole picture, too, for what is larger than a window.")
    ] = False,
    every: Annotated[int, Option(help="In a video, only every so many-th frame.")] = 1,
    device: Annotated[str, Option(help="auto, cpu, cuda, mps.")] = "auto",
    out: Annotated[Path | None, Option(help="Folder for pictures and predictions.json; by default runs/detect/predict.")] = None,
) -> None:
    """Find objects in pictures and videos; writes each with its boxes drawn, and predictions.json.

    A file that cannot be read is named and left out (errors.json lists them), the others are done, and the exit code is 1.
    """
    from functools import partial

    from ..training.device import choose_device, choose_threads
    from ..training.run import Run
    from ..yolo.tiles import predict_tiled
    from .engine import _find_weights, _load, _say_windows

    _check(conf, iou, limit, every)
    if imgsz < 0:
        raise ValueError(f"imgsz must be at least 1 pixel, or 0 for what the weights were trained at, got {imgsz}")
    files = find_files(source)
    _, weights = _find_weights(weights, project, name)
    model = _load(weights, choose_device(device), choose_threads())
    tile = _say_windows(model, tile, overlap, whole)
    options = {"tile": tile, "overlap": overlap, "whole": whole, "confidence": conf, "iou": iou, "limit": limit, "imgsz": imgsz or None}
    find = partial(predict_tiled, model, **options)
    find([])  # windows that do not fit are said before anything is written
    folder = out or Run.create(project, "predict").folder
    folder.mkdir(parents=True, exist_ok=True)
    _finish(_work_through(files, folder, find, model.classes, every), folder, files)


@dataclass
class Outcome:
    """What became of the files.

    Args:
        rows: of predictions.json. errors: of errors.json. done: files that were predicted. stopped: by Ctrl-C.
    """

    rows: list[dict] = field(default_factory=list)
    errors: list[dict] = field(default_factory=list)
    done: int = 0
    stopped: bool = False


def _work_through(files: list[Path], folder: Path, find: Callable, classes, every: int) -> Outcome:
    """Each file in turn; a broken one is said and the next one begun. Ctrl-C ends it, and what was done until then counts."""
    outcome = Outcome()
    for file in files:
        try:
            if is_video(file):
                _predict_video(file, _free(folder, file, ".mp4"), find, classes, every, outcome)
            else:
                _predict_picture(file, _free(folder, file, ".jpg"), find, classes, outcome)
            outcome.done += 1
        except (ValueError, OSError) as error:
            outcome.errors.append({"file": str(file), "error": str(error)})
            if len(files) > 1:
                typer.secho(f"left out: {error}", fg="red", err=True)
        except KeyboardInterrupt:
            outcome.stopped = True
            break
    return outcome


def _finish(outcome: Outcome, folder: Path, files: list[Path]) -> None:
    """Write down what was found and what went wrong; exit code 0 only if all files were done.

    Raises:
        ValueError: where nothing was done at all.
    """
    from ..files import write_json

    errors = outcome.errors
    if errors and not outcome.done and not outcome.stopped:
        raise ValueError(errors[0]["error"] if len(files) == 1 else f"none of the {len(files)} files of {files[0].parent} could be read")
    write_json(folder / "predictions.json", outcome.rows)
    if errors:
        write_json(folder / "errors.json", errors)
        typer.secho(f"{len(errors)} of {len(files)} files were left out or end early, see {folder / 'errors.json'}", fg="red", err=True)
    typer.echo(f"{'stopped; ' if outcome.stopped else ''}{outcome.done} of {len(files)} files: {folder}")
    if outcome.stopped or errors:
        raise typer.Exit(130 if outcome.stopped else 1)


def _predict_picture(file: Path, to: Path, find: Callable, classes, outcome: Outcome) -> None:
    import torch
    from PIL import Image

    from ..data.images import load_image
    from ..plots.frames import draw_detections

    image = torch.from_numpy(load_image(file))
    [found] = find([image])
    boxes = as_rows(found, classes)
    outcome.rows.append({"file": str(file), "width": image.shape[2], "height": image.shape[1], "detections": boxes})
    Image.fromarray(draw_detections(image, found, classes).permute(1, 2, 0).numpy()).save(to, quality=92)
    typer.echo(f"{file}: {_counted(boxes)}")


def _predict_video(file: Path, to: Path, find: Callable, classes, every: int, outcome: Outcome) -> None:
    """Frame by frame; of the video only one is in memory. Its rows have the frame's number and its second."""
    from ..data.video import VideoReader, VideoWriter
    from ..plots.frames import draw_detections

    first, total = len(outcome.rows), []
    with VideoReader(file) as video, _Bar(file, video.announced, every) as bar:
        height, width = video.size_hw
        with VideoWriter(to, video.size_hw, video.fps / every) as writer:
            try:
                for frame in video.frames(every):
                    [found] = find([frame.image])
                    boxes = as_rows(found, classes)
                    place = {"file": str(file), "frame": frame.number, "seconds": round(frame.seconds, 3)}
                    outcome.rows.append({**place, "width": width, "height": height, "detections": boxes})
                    writer.write(draw_detections(frame.image, found, classes))
                    total += boxes
                    bar.step()
            except KeyboardInterrupt:
                outcome.stopped = True  # the video so far is a video
    typer.echo(f"{file}: {len(outcome.rows) - first} frames, in all {_counted(total)}")
    if outcome.stopped:
        raise KeyboardInterrupt
    if video.cut_short:
        sentence = f"{file}: ends after {video.read} of {video.announced} frames; the file may be cut short"
        outcome.errors.append({"file": str(file), "error": sentence})
        typer.secho(sentence, fg="red", err=True)


class _Bar:
    """How far a video is: a bar in a terminal, a line each hundred frames elsewhere."""

    def __init__(self, file: Path, frames: int, every: int):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn())
        self.bar, self.file, self.done = Progress(*columns, transient=True), file, 0
        self.total = -(-frames // every) or None  # None: the file does not say
        self.bar.disable = not self.bar.console.is_terminal
        self.task = self.bar.add_task(file.name, total=self.total)

    def __enter__(self) -> "_Bar":
        self.bar.start()
        return self

    def __exit__(self, *_) -> None:
        self.bar.stop()

    def step(self) -> None:
        """One frame more is done."""
        self.done += 1
        self.bar.advance(self.task)
        if self.bar.disable and self.done % 100 == 0:
            typer.echo(f"{self.file}: {self.done} of {self.total or 'an unknown number of'} frames")


def find_files(source: str) -> list[Path]:
    """The images and videos that ``source`` means: a file, those in a folder, or those that a pattern matches.

    Raises:
        ValueError: if there is none.
    """
    from glob import glob

    from ..data.images import PICTURE_SUFFIXES
    from ..data.video import VIDEO_SUFFIXES

    path = Path(source)
    if path.is_file():
        return [path]
    candidates = path.iterdir() if path.is_dir() else map(Path, glob(source, recursive=True))
    files = sorted(file for file in candidates if file.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES and file.is_file())
    if not files:
        raise ValueError(f"there is no image at {source}, and no video; expected an image, a video, a folder, or a pattern in quotes")
    return files


def is_video(file: Path) -> bool:
    """By the name; a gif is one if it moves."""
    from ..data.video import VIDEO_SUFFIXES

    if file.suffix.lower() != ".gif":
        return file.suffix.lower() in VIDEO_SUFFIXES
    from PIL import Image

    try:
        with Image.open(file) as picture:
            return getattr(picture, "n_frames", 1) > 1
    except (OSError, ValueError):
        return False  # broken: reading it as a picture will say how


def as_rows(found, classes) -> list[dict]:
    """Detections as they stand in predictions.json."""
    return [
        {"label": classes[label], "score": round(score, 4), "box": [round(side, 1) for side in box]}
        for box, score, label in zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True)
    ]


def _check(conf: float, iou: float, limit: int, every: int) -> None:
    for key, value in (("conf", conf), ("iou", iou)):
        if not 0 <= value <= 1:
            raise ValueError(f"{key} must lie in 0..1, got {value}")
    for key, value in (("limit", limit), ("every", every)):
        if value < 1:
            raise ValueError(f"{key} must be at least 1, got {value}")


def _free(folder: Path, file: Path, suffix: str) -> Path:
    """Where to write what becomes of this file. Nothing that is there is overwritten: a.png beside a.jpg, or the pictures themselves."""
    to, number = folder / f"{file.stem}{suffix}", 1
    while to.exists():
        number += 1
        to = folder / f"{file.stem}_{number}{suffix}"
    return to


def _counted(boxes: list[dict]) -> str:
    from collections import Counter

    return ", ".join(f"{count} {label}" for label, count in Counter(box["label"] for box in boxes).most_common()) or "nothing found"
