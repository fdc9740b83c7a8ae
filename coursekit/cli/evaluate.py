"""`coursekit eval`: the AP of detections against ground truth. Imports no torch."""

from pathlib import Path
from typing import Annotated, Literal

import typer

COCO_MEANINGS = {
    "AP": "mean over IoU 0.50, 0.55, ..., 0.95",
    "AP50": "at IoU 0.50",
    "AP75": "at IoU 0.75",
    "APs": "small objects, to 32 x 32",
    "APm": "medium objects, to 96 x 96",
    "APl": "large objects",
    "AR1": "recall, 1 detection an image and class",
    "AR10": "recall, 10 detections",
    "AR100": "recall, 100 detections",
    "ARs": "recall, small objects",
    "ARm": "recall, medium objects",
    "ARl": "recall, large objects",
}
VOC_MEANINGS = {"mAP": "mean of the classes' AP"}


def evaluate(
    truth: Annotated[Path, typer.Argument(metavar="GT", help="Ground truth: COCO JSON, or a folder of Pascal VOC .xml or of .txt.")],
    detections: Annotated[Path, typer.Argument(metavar="DT", help="Detections: COCO results JSON, or a folder of .txt: class score box.")],
    output: Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write the numbers to this file.")] = None,
    protocol: Annotated[Literal["coco", "voc2007", "voc2010"], typer.Option(help="COCO's 101 points, VOC's 11 or all points.")] = "coco",
    iou: Annotated[float, typer.Option(min=0.0, max=1.0, help="IoU threshold of the VOC protocols.")] = 0.5,
    per_class: Annotated[bool, typer.Option("--per-class", help="A row for each class.")] = False,
    box_format: Annotated[Literal["xyxy", "xywh", "cxcywh"], typer.Option(help="Boxes in .txt files; cxcywh is YOLO's.")] = "xyxy",
    names: Annotated[Path | None, typer.Option(help="File of class names, one a line, where .txt files hold numbers.")] = None,
    inclusive: Annotated[
        bool | None, typer.Option("--plus-one/--no-plus-one", help="Right and bottom pixel belong to the box. Default: in folders.")
    ] = None,
    detection_areas: Annotated[bool, typer.Option("--detection-areas", help="COCO: use the detections' own area.")] = False,
    interval: Annotated[
        bool, typer.Option("--interval", help="COCO: 95 % intervals of AP, AP50, AP75 by drawing the images again.")
    ] = False,
    draws: Annotated[int, typer.Option(min=2, help="How often, for --interval.")] = 1000,
    errors: Annotated[bool, typer.Option("--errors", help="COCO: why AP50 was lost, counted, and what each reason costs.")] = False,
    pictures: Annotated[Path | None, typer.Option(metavar="FOLDER", help="COCO: curves, confusion matrix and errors as pictures.")] = None,
) -> None:
    """AP of detections against ground truth, to the last bit as pycocotools counts it (or as Pascal VOC does)."""
    from ..files import write_json
    from ..metrics.detection import evaluate_inputs
    from ..metrics.report import report
    from ..metrics.voc import voc_evaluate

    if protocol != "coco" and (interval or errors or pictures):
        raise ValueError(f"--interval, --errors and --pictures go with --protocol coco, got {protocol}")
    inputs = _read(truth, detections, box_format, names, inclusive, detection_areas)
    result = evaluate_inputs(inputs) if protocol == "coco" else voc_evaluate(inputs, protocol, iou)
    for note in result.notes:
        typer.secho(f"note: {note}", fg="yellow", err=True)
    numbers = report(result)
    _print_tables(numbers, inputs, per_class)
    if interval:
        numbers["intervals"] = print_intervals(result, draws)
    if errors:
        numbers["errors"] = print_errors(result)
    if pictures is not None:
        from ..plots.metrics import save_pictures

        save_pictures(pictures, result)
        typer.echo(f"pictures: {pictures}")
    if output is not None:
        write_json(output, numbers)
        typer.echo(f"written to {output}")


def print_intervals(result, draws: int = 1000, names: tuple[str, ...] = ("AP", "AP50", "AP75")) -> dict:
    """Say how far each number can be trusted; the same for JSON (null where it is undefined)."""
    from ..metrics.bootstrap import bootstrap

    images = len(result.inputs.images)
    if images < 2:
        raise ValueError(f"--interval needs at least 2 images to draw from, got {images}")
    intervals = bootstrap(result, names, draws)
    typer.echo("  ".join(f"{name} {value}" for name, value in intervals.items()) + f"  (95 %, {draws} draws of {images} images)")
    ends = {name: [None if end != end else end for end in (value.low, value.high)] for name, value in intervals.items()}
    return {"level": 0.95, "draws": draws, **{name: {"low": low, "high": high} for name, (low, high) in ends.items()}}


def print_errors(result) -> dict:
    """Say why AP50 was lost, the dearest reason first; the same for JSON."""
    from ..metrics.errors import analyse_errors

    report = analyse_errors(result)
    dearest = sorted(report.cost, key=report.cost.get, reverse=True)
    if report.ap >= 0:
        parts = [f"{name} +{report.cost[name]:.3f} ({report.count[name]})" for name in dearest]
        typer.echo(f"AP50 {report.ap:.3f}; mended alone would add: {', '.join(parts)}")
    return {name: {"count": report.count[name], "cost": report.cost[name]} for name in dearest}


def print_voc(targets: list[dict], found: list, dataset) -> dict:
    """Say Pascal VOC's mAP at IoU 0.5, 2007 and 2010; what a folder's files mark as difficult need not be found."""
    from ..metrics.inputs import from_samples
    from ..metrics.voc import PROTOCOLS, voc_evaluate

    records = getattr(getattr(dataset, "annotations", None), "images", None)
    if records is not None:
        targets = [target | {"difficult": record.difficult} for target, record in zip(targets, records, strict=True)]
    inputs = from_samples(targets, found, dataset.classes)
    values = {protocol: voc_evaluate(inputs, protocol).mAP for protocol in PROTOCOLS}
    typer.echo("  ".join(f"{name} mAP {value:.3f}" for name, value in values.items()) + f"  ({inputs.truths.difficult.sum()} difficult)")
    return {name: None if value != value else value for name, value in values.items()}


def _read(truth: Path, detections: Path, box_format: str, names: Path | None, inclusive: bool | None, detection_areas: bool):
    from ..metrics.coco_files import read_coco
    from ..metrics.inputs import with_inclusive_corners
    from ..metrics.readers import read_folders

    for path in (truth, detections):
        if not path.exists():
            raise ValueError(f"{path} does not exist")
    if truth.is_dir() != detections.is_dir():
        raise ValueError(f"GT and DT must be two JSON files or two folders, got a {'folder' if truth.is_dir() else 'file'} and another")
    if truth.is_dir():
        lines = None if names is None else [line.strip() for line in names.read_text(encoding="utf-8").splitlines() if line.strip()]
        return read_folders(truth, detections, box_format, lines, inclusive is not False)
    inputs = read_coco(truth, detections, detection_areas)
    return with_inclusive_corners(inputs) if inclusive else inputs


def _print_tables(numbers: dict, inputs, per_class: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    coco = numbers["protocol"] == "coco"
    how = "COCO" if coco else f"{numbers['protocol']} at IoU {numbers['iou']:g}"
    typer.echo(f"{how}: {len(inputs.truths)} truths, {len(inputs.found)} detections, {len(inputs.images)} images")
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # a file or a pipe: do not fold the table
    table = Table("number", "value", "what it is")
    for name, meaning in (COCO_MEANINGS if coco else VOC_MEANINGS).items():
        table.add_row(name, _shown(numbers[name]), meaning)
    console.print(table)
    if per_class:
        kinds = ["truths", "detections", "AP", "AP50", "AP75", "APs", "APm", "APl", "AR100"] if coco else ["truths", "right", "wrong", "AP"]
        table = Table("class", *kinds)
        for row in numbers["per_class"]:
            table.add_row(row["name"], *(_shown(row[kind]) for kind in kinds))
        console.print(table)


def _shown(value: float | int | None) -> str:
    """Four digits; a dash where there was nothing to find."""
    if isinstance(value, int):
        return str(value)
    return "-" if value is None or value == -1 else f"{value:.4f}"


def register(app):
    """Add this module's commands to the app."""
    app.command("eval")(evaluate)
