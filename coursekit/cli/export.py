"""`coursekit export`: a trained detector as a file for other programs."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Option


def register(app: typer.Typer) -> None:
    """Add this module's command to the app."""
    app.command("export")(export)


def export(
    weights: Annotated[str, Option(help="Weights file, or signs_n; by default last.pt of the latest run.")] = "",
    project: Annotated[str, Option(help="Folder of the runs to take weights from.")] = "runs/detect",
    name: Annotated[str | None, Option(help="Run to take weights from; by default the latest.")] = None,
    format: Annotated[Literal["onnx"], Option(help="Of the file.")] = "onnx",
    preprocess: Annotated[bool, Option("--preprocess", help="Take uint8 pictures of any size; boxes in their own pixels.")] = False,
    nms: Annotated[bool, Option("--nms", help="Give detections, not what every cell says.")] = False,
    conf: Annotated[float | None, Option(help="With --nms: lowest confidence.  [default: 0.25]")] = None,
    iou: Annotated[float | None, Option(help="With --nms: boxes of one class that overlap more are one.  [default: 0.6]")] = None,
    limit: Annotated[int | None, Option(help="With --nms: at most this many in a picture.  [default: 100]")] = None,
    out: Annotated[Path | None, Option(help="File to write; by default beside the weights, or here for shipped ones.")] = None,
) -> None:
    """Write a detector as ONNX, run the file in ONNX Runtime, and say how far that is from PyTorch. Batch and image size stay open."""
    given = {key: value for key, value in (("conf", conf), ("iou", iou), ("limit", limit)) if value is not None}
    for key in () if nms else given:
        raise ValueError(f"--{key} belongs to --nms, which was not given; add it, or leave --{key} out")
    from ..training.run import latest_run
    from ..yolo.export import export_onnx, need
    from ..yolo.predict import find_weights, load

    need("onnx", "onnxscript", "onnxruntime")  # said before anything is read
    source = find_weights(weights) if weights else latest_run(project, name) / "weights" / "last.pt"
    model = load(source)
    shipped = source.suffix == ".safetensors"  # the package is no place to write to
    path = out or (Path(source.stem) if shipped else source).with_suffix(f".{format}")
    replaced = " (replaced)" if path.exists() else ""
    measured = export_onnx(model, path, preprocess, nms, **{"confidence" if key == "conf" else key: value for key, value in given.items()})
    sort = "pixels (B, H, W, 3) uint8 RGB" if preprocess else "images (B, 3, H, W) float32 RGB in 0..1, sides multiples of 32"
    typer.echo(f"input: {sort}")
    where = "the picture" if preprocess else "the input"
    kinds = "boxes (B, K, 4), scores, labels (B, K), count (B,)" if nms else "boxes (B, A, 4), scores (B, A, C) of every cell"
    typer.echo(f"output: {kinds}; boxes xyxy in pixels of {where}")
    units = {"boxes": " strides", "canvas": " (1 level of 255 is 0.0039)", "pixels": " pixels"}
    said = ", ".join(f"{stage} {value:.1e}{units.get(stage, '')}" for stage, value in measured.items())
    typer.echo(f"largest differences from PyTorch in ONNX Runtime: {said}")
    typer.echo(f"{path}{replaced}, {path.stat().st_size / 1e6:.1f} MB")
