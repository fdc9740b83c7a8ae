"""`coursekit train` and `val`: the detector at the command line. What it writes is for people to find where they look for it."""

import time
from pathlib import Path
from typing import Annotated

import typer
from typer import Option


def register(app: typer.Typer) -> None:
    """Add this module's commands to the app."""
    app.command("train")(train)
    app.command("val")(val)


def train(
    context: typer.Context,
    data: Annotated[str, Option(help="Folder in VOC, COCO or YOLO format, or 'signs' for the generated world.")] = "signs",
    split: Annotated[str, Option(help="What to train on, such as train or trainval.")] = "train",
    val_split: Annotated[str, Option(help="What to measure on meanwhile: a split, none, or auto.")] = "auto",
    model: Annotated[str, Option(help="n, s or m.")] = "n",
    weights: Annotated[str, Option(help="Weights file to start from, or signs_n; other classes are fine.")] = "",
    start: Annotated[
        str, Option(help="scratch, finetune, frozen (the backbone stays as it is), or auto: finetune with --weights.")
    ] = "auto",
    imgsz: Annotated[int, Option(help="Longer side of the network's input, pixels.")] = 320,
    tile: Annotated[int, Option(help="Small objects in large images: train on crops of this side, in their pixels; 0: whole.")] = 0,
    epochs: Annotated[int, Option(help="0: about 23,000 pictures seen in all.")] = 0,
    minutes: Annotated[float, Option(help="Instead of epochs: as many as fit, by timing a few steps.")] = 0.0,
    batch: Annotated[int, Option(help="Pictures in a step.")] = 8,
    device: Annotated[str, Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    precision: Annotated[str, Option(help="auto (timed at the start), float32 or bfloat16.")] = "auto",
    threads: Annotated[int, Option(help="CPU threads; 0: the cores that are really ours.")] = 0,
    compile: Annotated[bool, Option("--compile", help="Translate the network first (torch.compile): minutes, then faster.")] = False,
    cache: Annotated[str, Option(help="Where pictures are kept: ram, gpu (and augmented there), auto: a GPU with room for them.")] = "auto",
    seed: Annotated[int, Option(help="Same seed, same run.")] = 0,
    lr: Annotated[float, Option(help="Highest learning rate.")] = 2e-3,
    mosaic: Annotated[float, Option(help="Share of mosaics.")] = 0.5,
    fliplr: Annotated[float, Option(help="Share mirrored left to right.")] = 0.5,
    flipud: Annotated[float, Option(help="Share mirrored top to bottom: 0.5 for cells, 0 for cars.")] = 0.0,
    project: Annotated[str, Option(help="Folder of the runs.")] = "runs/detect",
    name: Annotated[str, Option(help="Folder of this run in it; a taken name gets a number.")] = "train",
    resume: Annotated[bool, Option("--resume", help="Go on with the latest run of the project, or with --name.")] = False,
) -> None:
    """Train a detector. Ctrl-C leaves a run that `coursekit train --resume` goes on with.

    On several GPUs: torchrun --nproc-per-node 2 -m coursekit.cli train ...
    """
    from ..training.device import OutOfMemory
    from ..training.distributed import several_processes

    with several_processes():
        try:
            _train(context, project, name, resume)
        except KeyboardInterrupt:
            how = "the run is as it was" if resume else "there is nothing to go on with; start it again"
            typer.echo(f"\nstopped before the first step: {how}")
            raise typer.Exit(130) from None
        except OutOfMemory as error:
            more = "; a run that goes on keeps its settings, so that has to be a new run" if resume else ""
            raise OutOfMemory(f"{error}{more}") from None


def _train(context: typer.Context, project: str, name: str, resume: bool) -> None:
    from .. import yolo as engine
    from ..training.distributed import on_rank_0, rank
    from ..training.progress import Progress
    from ..training.run import latest_run

    main = rank() == 0  # of several processes only one writes, prints and draws
    given = {key: value for key, value in context.params.items() if _was_given(context, key)}
    if resume:
        folder = on_rank_0(lambda: latest_run(project, name if "name" in given else None))
        prepared, run = engine.resume(folder)
        _refuse_contradictions(given, prepared.settings, folder)
    else:
        chosen = {key: value for key, value in context.params.items() if key in engine.TrainSettings.names()}
        prepared = engine.prepare(engine.TrainSettings(**chosen))
        size = prepared.settings.model
        if given.get("model", size) != size:
            raise ValueError(
                f"--model {given['model']} contradicts --weights {prepared.settings.weights}, which is of size {size}; leave it out"
            )
        run = engine.new_run(prepared)
    if main:
        _print_settings(prepared, run.folder)
        _draw_train_batches(run.folder, prepared)
    state, steps = prepared.state, len(prepared.batches)
    begin = time.perf_counter()
    try:
        with Progress(prepared.settings.epochs * steps, done=state.step, quiet=not main) as progress:
            engine.train(prepared, run, progress.step, progress.row, progress.say)
    except KeyboardInterrupt:
        where = f"--project {prepared.settings.project} --name {run.folder.name}"
        if main:
            typer.echo(f"\nstopped in epoch {state.epoch + 1} of {prepared.settings.epochs}; go on with: coursekit train --resume {where}")
        raise typer.Exit(130) from None
    if main:
        try:
            _draw_validation_of(run.folder, prepared)
        except KeyboardInterrupt:
            where = f"--project {prepared.settings.project} --name {run.folder.name}"
            typer.echo(f"\nthe training is done: {run.last}; its last pictures are not, draw them with: coursekit val {where}")
            raise typer.Exit(130) from None
        typer.echo(f"done in {time.perf_counter() - begin:.0f} s: {run.last}")


def val(
    data: Annotated[str | None, Option(help="Folder, or 'signs'; by default the run's own.")] = None,
    split: Annotated[str, Option(help="What to measure on.")] = "val",
    weights: Annotated[Path | None, Option(help="Weights file; by default last.pt of the latest run.")] = None,
    project: Annotated[str, Option(help="Folder of the runs.")] = "runs/detect",
    name: Annotated[str | None, Option(help="Run to measure; by default the latest.")] = None,
    imgsz: Annotated[int, Option(help="0: as it was trained.")] = 0,
    tile: Annotated[int | None, Option(help="Look through windows of this side; 0: whole. By default as trained.")] = None,
    overlap: Annotated[int | None, Option(help="Pixels that windows share; by default a quarter of the tile.")] = None,
    whole: Annotated[bool, Option("--whole", help="With windows: the whole picture, too, for what is larger.")] = False,
    device: Annotated[str, Option(help="auto, cpu, cuda, mps.")] = "auto",
    interval: Annotated[bool, Option("--interval", help="95 % intervals of AP, AP50, AP75 by drawing the images again.")] = False,
    voc: Annotated[bool, Option("--voc", help="Pascal VOC's mAP too, of 2007 and 2010.")] = False,
    json: Annotated[Path | None, Option(help="Write the numbers to this file.")] = None,
) -> None:
    """Measure a detector: the twelve COCO numbers, a table of the classes, why AP50 was lost, and pictures beside the run."""
    from ..files import write_json
    from ..training.device import choose_device, choose_threads
    from ..yolo.val import validate
    from .evaluate import print_errors, print_intervals, print_voc

    folder, weights = _find_weights(weights, project, name)
    model = _load(weights, choose_device(device), choose_threads())
    dataset = _open(data or _data_of(folder), split)
    tile = _say_windows(model, tile, overlap, whole)
    validation = validate(model, dataset, imgsz or None, tile=tile, overlap=overlap, whole=whole)
    for row in validation.result.per_class:
        typer.echo(f"{row['name']:>16}  truths {row['truths']:5d}  AP {row['AP']:.3f}  AP50 {row['AP50']:.3f}")
    typer.echo("  ".join(f"{key} {value:.3f}" for key, value in validation.summary.items()))
    more = {"errors": print_errors(validation.result)}
    more |= {"intervals": print_intervals(validation.result)} if interval else {}
    more |= {"voc": print_voc(validation.targets, validation.found, dataset)} if voc else {}
    if json is not None:
        how = {"weights": str(weights), "split": split, "images": len(dataset)} | ({"tile": tile} if tile else {})
        write_json(json, {**validation.summary, **more, **how})
    if folder is not None:
        _draw_validation(folder, dataset, validation, model)
        typer.echo(f"pictures: {folder}")


def _was_given(context: typer.Context, key: str) -> bool:
    source = context.get_parameter_source(key)
    return source is not None and source.name == "COMMANDLINE"


def _refuse_contradictions(given: dict, settings, folder: Path) -> None:
    if given.get("minutes"):  # they became epochs at its start
        raise ValueError(
            f"--minutes {given['minutes']:g} contradicts {folder}, which was started with {settings.epochs} epochs; leave it out"
        )
    for key, value in given.items():
        if key not in ("resume", "project", "name") and getattr(settings, key) != value:
            option, started = f"--{key.replace('_', '-')} {value}", getattr(settings, key)
            raise ValueError(f"{option} contradicts {folder}, which was started with {started}; leave it out")


def _print_settings(prepared, folder: Path) -> None:
    from dataclasses import asdict

    settings, compute, batches = prepared.settings, prepared.compute, prepared.batches
    typer.echo("  ".join(f"{key}={value}" for key, value in asdict(settings).items() if value != ""))
    parameters = sum(p.numel() for p in prepared.state.model.parameters()) / 1e6
    height, width = prepared.size_hw
    pictures, classes = len(batches.dataset), len(batches.dataset.classes)
    typer.echo(f"{pictures} pictures at {width}x{height}, {classes} classes, {parameters:.2f} M parameters")
    several = f", {compute.processes} processes with {batches.batch // compute.processes} pictures each" if compute.processes > 1 else ""
    typer.echo(f"{compute.device}, {compute.threads} threads, {compute.precision}{several}")
    for note in prepared.notes:
        typer.echo(note)
    typer.echo(f"run: {folder}")


def _find_weights(weights: Path | None, project: str, name: str | None) -> tuple[Path | None, Path]:
    """The run folder (None for a file that lies in no run) and the weights in it."""
    from ..training.run import latest_run

    if weights is None:
        folder = latest_run(project, name)
        return folder, folder / "weights" / "last.pt"
    folder = weights.resolve().parent.parent
    return (folder if (folder / "args.yaml").is_file() else None), weights


def _data_of(folder: Path | None) -> str:
    if folder is None:
        raise ValueError("these weights lie in no run folder, so say with --data what to measure on")
    import yaml

    try:
        return yaml.safe_load((folder / "args.yaml").read_text(encoding="utf-8"))["data"]
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError):
        raise ValueError(f"{folder / 'args.yaml'} is damaged: it does not say data; say with --data what to measure on") from None


def _open(data: str, split: str):
    from ..yolo.samples import open_data

    return open_data(data, split)


def _load(weights: Path, device: str, threads: int):
    import torch

    from ..yolo import fuse, load

    torch.set_num_threads(threads)
    return fuse(load(weights, device))  # only used from here on


def _say_windows(model, tile: int | None, overlap: int | None, whole: bool) -> int:
    """The side of the windows, 0 for none; said, so that nobody wonders about times and boxes."""
    tile = model.tile if tile is None else tile
    if tile == 0 and (overlap is not None or whole):
        raise ValueError("--overlap and --whole are for windows; say with --tile how large they are")
    if tile:
        typer.echo(f"windows of {tile} pixels that share {tile // 4 if overlap is None else overlap}{', and the whole picture' * whole}")
    return tile


def _draw_train_batches(folder: Path, prepared) -> None:
    """Before the first step, so that a mistake in the data is seen at once."""
    from itertools import islice

    from ..plots.run import draw_train_batch

    prepared.batches.augment = prepared.settings.augment(mosaic=True)
    for number, (images, targets) in enumerate(islice(prepared.batches.epoch(0), 2)):
        draw_train_batch(folder, number, images.cpu(), targets, prepared.batches.dataset.classes)


def _draw_validation_of(folder: Path, prepared) -> None:
    from ..plots.run import draw_results
    from ..yolo.val import validate

    draw_results(folder)
    if prepared.validation is not None:
        model = prepared.state.ema.model
        _draw_validation(folder, prepared.validation, validate(model, prepared.validation), model)


def _draw_validation(folder: Path, dataset, validation, model) -> None:
    from ..metrics.curves import confusion_matrix
    from ..plots import run as plots
    from ..plots.metrics import save_confidence_and_errors
    from ..training.run import Run
    from ..yolo.val import curves

    counts = confusion_matrix(validation.result.inputs)
    content = {"curves": curves(validation.result, model.classes), "confusion": counts.tolist(), "classes": list(model.classes)}
    Run(folder).write_json("curves.json", content | {"summary": validation.summary})
    plots.draw_curves(folder)
    save_confidence_and_errors(folder, validation.result)
    plots.draw_confusion(folder)
    plots.draw_val_batch(folder, dataset, validation.found, model.classes)
