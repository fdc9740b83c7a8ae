"""`coursekit serve`: a trained detector as a service on this machine, with a page to try it on."""

import signal
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Option

LOOK = 2.0  # seconds between looks at the server and into the repository


def register(app: typer.Typer) -> None:
    """Add this module's command to the app."""
    app.command("serve")(serve)


def serve(
    weights: Annotated[
        str, Option(help="Weights file, signs_n, or an ONNX file of `coursekit export --preprocess --nms`; by default the latest run's.")
    ] = "",
    project: Annotated[str, Option(help="Folder of the runs to take weights from.")] = "runs/detect",
    name: Annotated[str | None, Option(help="Run to take weights from; by default the latest.")] = None,
    backend: Annotated[
        Literal["auto", "triton", "onnxruntime"], Option(help="NVIDIA's server, our small one, or the first of them that is there.")
    ] = "auto",
    repository: Annotated[
        Path | None,
        Option(help="Folder of the model repository; what is in it is served where no weights are named. By default a passing one."),
    ] = None,
    only_repository: Annotated[bool, Option("--only-repository", help="Write the repository and end.")] = False,
    http: Annotated[int, Option(help="Port; 0: any that is free. So with the others.", min=0, max=65535)] = 8000,
    grpc: Annotated[int, Option(help="Port of gRPC (Triton).", min=0, max=65535)] = 8001,
    metrics: Annotated[int, Option(help="Port of the counters (Triton).", min=0, max=65535)] = 8002,
    page: Annotated[int, Option(help="Port of the page.", min=0, max=65535)] = 8080,
    no_page: Annotated[bool, Option("--no-page", help="Leave the page out.")] = False,
    conf: Annotated[float, Option(help="Lowest confidence of a box.")] = 0.25,
    max_batch: Annotated[int, Option(help="Most pictures at a time.", min=1)] = 8,
    max_delay: Annotated[float, Option(help="Milliseconds that a request waits for others.", min=0)] = 2.0,
    threads: Annotated[int, Option(help="0: one for each core.", min=0)] = 0,
    get_triton: Annotated[bool, Option("--get-triton", help="Fetch NVIDIA's Triton first (Linux, about 100 MB).")] = False,
) -> None:
    """Serve a detector over HTTP and gRPC, to this machine only; Ctrl-C ends it.

    A model repository is written, and NVIDIA's Triton serves from it; where that is not to be had, ONNX Runtime behind the same protocol.
    With --repository, a second call with --only-repository adds a version, which the running server takes up.
    """
    from ..machine import cpu_quota
    from ..yolo.export import need

    if only_repository and repository is None:
        raise ValueError("--only-repository needs --repository, the folder to write")
    need("onnx", "onnxscript", "onnxruntime")
    if get_triton:
        from ..serving.triton import install_triton

        typer.echo(f"Triton: {install_triton(say=typer.echo)}")
    threads = threads or cpu_quota()
    settings = {"max_batch": max_batch, "max_delay_ms": max_delay, "threads": threads, "confidence": conf}
    if only_repository:
        _say_repository(_write(repository, weights, project, name, settings))
        typer.echo(f"any Triton serves it whose Python has numpy and onnxruntime: tritonserver --model-repository={repository}")
        return
    environment = _environment(backend)
    wished = {"--http": http} | ({"--grpc": grpc, "--metrics": metrics} if environment else {}) | ({} if no_page else {"--page": page})
    ports = _ports(wished)
    with _ended_kindly(), ExitStack() as stack:
        folder = repository or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coursekit-models-")))
        if weights or not _has_model(folder):
            _write(folder, weights, project, name, settings)
        if repository:
            _say_repository(folder)
        start = _start_triton if environment else _start_own
        server = stack.enter_context(start(folder, ports, environment, settings))
        _say_server(server, ports)
        if not no_page:
            _say_page(stack, server, ports["--page"])
        typer.echo("Ctrl-C ends it")
        _watch(server, folder)


@contextmanager
def _ended_kindly():
    """SIGTERM and a terminal that is closed end it as Ctrl-C does, which here is no failure."""
    signals = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.signal(number, signal.default_int_handler) for number in signals}
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("stopped")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment(backend: str) -> Path | None:
    """Where Triton is; None where our own server is to be used."""
    if backend == "onnxruntime":
        return None
    from ..serving.triton import find_triton, why_no_triton
    from ..serving.triton_environment import inspect

    try:
        if environment := find_triton():
            inspect(environment)
            return environment
        raise ValueError(why_no_triton())
    except ValueError as error:
        if backend == "triton":
            raise
        typer.echo(f"going on with ONNX Runtime behind the same protocol: {error}")
        return None


def _ports(wished: dict[str, int]) -> dict[str, int]:
    """The ports, free ones for each 0; a taken one is said with its option, before anything slow is done."""
    from ..serving.triton import free_ports

    for option, port in wished.items():
        try:
            free_ports((port,))
        except ValueError as error:
            raise ValueError(f"{option}: {error}") from None
    return dict(zip(wished, free_ports(tuple(wished.values())), strict=True))


def _has_model(folder: Path) -> bool:
    from ..serving.repository import models

    return "detector" in models(folder)


def _write(folder: Path, weights: str, project: str, name: str | None, settings: dict) -> Path:
    from ..serving.repository import write_repository
    from ..training.run import latest_run

    source = weights or latest_run(project, name) / "weights" / "last.pt"
    typer.echo(f"exporting {source}")
    return write_repository(source, folder, **settings)


def _say_repository(folder: Path) -> None:
    from ..serving.repository import model_file, onnx_facts, versions

    newest = model_file(folder)
    classes = onnx_facts(newest)["classes"]
    told = ", ".join(classes[:4]) + ", ..." * (len(classes) > 4)
    typer.echo(f"{folder}: detector, version{'s'[: len(versions(folder)) - 1]} {', '.join(map(str, versions(folder)))}; finds {told}")


def _start_triton(folder: Path, ports: dict[str, int], environment: Path, settings: dict):
    from ..serving.triton import Triton

    typer.echo("starting Triton")
    return Triton(folder, environment, ports["--http"], ports["--grpc"], ports["--metrics"])


def _start_own(folder: Path, ports: dict[str, int], environment: None, settings: dict):
    from ..serving.local import LocalServer
    from ..serving.repository import model_file

    wait = settings["max_delay_ms"] / 1000
    return LocalServer(model_file(folder), ports["--http"], settings["max_batch"], wait, settings["threads"])


def _say_server(server, ports: dict[str, int]) -> None:
    typer.echo(f"HTTP: http://{server.url}/v2/models/detector")
    if "--grpc" in ports:
        typer.echo(f"gRPC: {server.grpc_url}")
    typer.echo(f"counters: http://127.0.0.1:{ports.get('--metrics', ports['--http'])}/metrics")
    body = '{"inputs":[{"name":"pixels","shape":[1,1,1,3],"datatype":"UINT8","data":[200,30,30]}],"outputs":[{"name":"count"}]}'
    typer.echo(f"try it, a picture of one red pixel: curl -s http://{server.url}/v2/models/detector/infer -d '{body}'")


def _say_page(stack: ExitStack, server, port: int) -> None:
    from ..serving.client import Client
    from ..serving.page import Page

    client = stack.enter_context(Client(server.url))
    shown = stack.enter_context(Page(client, client.classes, port))
    typer.echo(f"page: {shown.url if '//' in shown.url else f'http://{shown.url}'}")


def _watch(server, folder: Path) -> None:
    """Until somebody ends it: new versions are taken up, and a server that died is said.

    Raises:
        ConnectionError: with the end of the server's log.
    """
    from ..serving.repository import versions

    served = versions(folder)
    while True:
        time.sleep(LOOK)
        if not hasattr(server, "load"):
            continue  # our own server has one version
        if not server.running:
            server.wait_ready()  # raises, with the log
        if (there := versions(folder)) != served:
            served = there
            try:
                server.load()
                typer.echo(f"version {served[-1]} is served now")
            except (ValueError, OSError) as error:
                typer.secho(f"version {served[-1]} is not served: {error}", fg="red", err=True)
