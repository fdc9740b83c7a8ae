"""How `Client` reaches an inference server: over HTTP with raw tensors, or over gRPC. Goes with notebook 23_deployment.

NVIDIA's ``tritonclient`` packs and unpacks both. Its HTTP connections may be used by one thread only, and do not tell an answer from a
lost line, so those are Python's own here. Either way a try that may succeed the next time raises `Lost`, what a server says against
the request raises ValueError, and nothing else comes out.
"""

import http.client
import importlib
import io
import json
import time
from urllib.parse import quote, urlsplit

import numpy as np

from ..loopback import TimedReader

LARGEST = 64_000_000  # bytes of an answer: a hundred boxes for each of a thousand pictures are 4 MB
BUSY = (502, 503, 504)  # not ready, or a proxy whose server is away
KINDS = {"boxes": np.float32, "scores": np.float32, "labels": np.int64, "count": np.int64}


class Lost(ConnectionError):
    """The line broke, or the server is not ready: asking again may help, and cannot harm, since detecting changes nothing."""


def wire(url: str, protocol: str, timeout: float):
    """The way to a server.

    Raises:
        ValueError: for a protocol other than "http" and "grpc", a url that is no HOST:PORT, or where tritonclient is not installed.
    """
    if protocol not in ("http", "grpc"):
        raise ValueError(f"protocol must be 'http' or 'grpc', got {protocol!r}")
    host, port = _address(url)
    return (Http if protocol == "http" else Grpc)(host, port, timeout)


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url if "//" in url else f"//{url}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or parts.scheme not in ("", "http", "grpc") or parts.path.strip("/") or parts.query or parts.username:
        raise ValueError(f"url must be HOST:PORT such as localhost:8000, got {url!r}")
    return host, port


def _tritonclient(protocol: str):
    try:
        return importlib.import_module(f"tritonclient.{protocol}")
    except (ImportError, RuntimeError):  # the second is its own word for a part that was left out
        raise ValueError("the client needs tritonclient; install with: pip install 'coursekit[serving]'") from None


def _packed(module, pixels: np.ndarray):
    tensor = module.InferInput("pixels", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels)
    return tensor


def _unpacked(result) -> dict[str, np.ndarray]:
    found = {}
    for name, kind in KINDS.items():
        values = result.as_numpy(name)
        if values is None:
            raise ValueError(f"it lacks the output {name!r}")
        if values.size and values.dtype != kind:
            raise ValueError(f"its {name} are {values.dtype}, expected {np.dtype(kind)}")
        found[name] = values.astype(kind)
    return found


class Http:
    """Connections that are kept open, each used by one thread at a time."""

    def __init__(self, host: str, port: int, timeout: float):
        self._triton = _tritonclient("http")
        self.host, self.port, self.timeout = host, port, timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._closed = False

    def infer(self, model: str, pixels: np.ndarray) -> dict[str, np.ndarray]:
        client = self._triton.InferenceServerClient
        body, length = client.generate_request_body([_packed(self._triton, pixels)])
        headers = {"Inference-Header-Content-Length": str(length), "Content-Type": "application/octet-stream"}
        found, content = self._ask("POST", f"/v2/models/{quote(model, safe='')}/infer", body, headers)
        length = found.get("Inference-Header-Content-Length")
        try:
            return _unpacked(client.parse_response_body(content, header_length=length and int(length)))
        except Exception as error:  # its parser raises all kinds of things on what is no answer
            raise ValueError(f"the server's answer cannot be read: {error}") from None

    def metadata(self, model: str) -> dict:
        return self._json(f"/v2/models/{quote(model, safe='')}")

    def config(self, model: str) -> dict:
        return self._json(f"/v2/models/{quote(model, safe='')}/config")

    def ready(self, model: str) -> bool:
        for path in ("/v2/health/ready", f"/v2/models/{quote(model, safe='')}/ready"):
            try:
                self._ask("GET", path)
            except (Lost, ValueError):
                return False
        return True

    def close(self) -> None:
        self._closed = True
        self._hang_up()

    def _json(self, path: str) -> dict:
        _, content = self._ask("GET", path)
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise ValueError("the server's answer cannot be read: it is no JSON object")
        return value

    def _ask(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None):
        """One request -> the headers and the content of an answer that is none of the server's errors."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = http.client.HTTPConnection(self.host, self.port)
        try:
            status, found, content = _exchange(connection, method, path, body, headers or {}, self.timeout)
        except BaseException as error:
            connection.close()
            raise self._meaning(error) from None
        if self._closed or connection.sock is None:
            connection.close()
        else:
            self._idle.append(connection)
        if status in BUSY:
            raise Lost(_told(content, status))
        if status != 200:
            said = _told(content, status)
            raise (Lost if "not at ready state" in said else ValueError)(said)  # a model that is being loaded
        return found, content

    def _meaning(self, error: BaseException) -> BaseException:
        if isinstance(error, TimeoutError):
            return Lost(f"no answer within {self.timeout:g} s")
        if isinstance(error, OSError | http.client.IncompleteRead | http.client.RemoteDisconnected):
            self._hang_up()  # a server that is gone has left the others too
            return Lost(str(error) or "the connection broke off")
        if isinstance(error, http.client.HTTPException):
            return ValueError(f"what answers is no inference server ({type(error).__name__})")
        return error

    def _hang_up(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread took the last one
                return


def _exchange(connection: http.client.HTTPConnection, method: str, path: str, body, headers: dict, timeout: float):
    """Send and receive, all of it within ``timeout`` seconds: status, headers, content."""
    deadline = time.monotonic() + timeout
    connection.timeout = timeout
    if connection.sock is None:
        connection.connect()
        if connection.sock.getsockname() == connection.sock.getpeername():  # where nobody listens, a socket may happen to call itself
            raise ConnectionRefusedError("nobody listens")
    connection.sock.settimeout(timeout)
    connection.response_class = lambda sock, **more: http.client.HTTPResponse(_Timed(sock, deadline), **more)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    with response:
        content = response.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise http.client.HTTPException(f"an answer of more than {LARGEST} bytes")
        if response.length:  # read(n) does not tell that fewer came than were promised
            raise http.client.IncompleteRead(content, response.length)
    return response.status, response.headers, content


class _Timed:
    """A socket as HTTPResponse wants it: only to be read, and until the deadline."""

    def __init__(self, sock, deadline: float):
        self._sock, self._deadline = sock, deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(TimedReader(self._sock, self._deadline))


def _told(content: bytes, status: int) -> str:
    """The server's own sentence."""
    try:
        said = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = None
    return " ".join(said.split())[:300] if isinstance(said, str) and said.strip() else f"status {status}"


class Grpc:
    """One channel for all threads."""

    OPTIONS = (
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", LARGEST),
        ("grpc.enable_http_proxy", 0),  # a proxy of the environment is not meant for the server beside us
        ("grpc.initial_reconnect_backoff_ms", 100),  # its own second, doubled up to two minutes, outlasts the server's absence
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
    )
    LOST = ("StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED", "StatusCode.CANCELLED")

    def __init__(self, host: str, port: int, timeout: float):
        self._triton, self.timeout = _tritonclient("grpc"), timeout
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._client = self._triton.InferenceServerClient(target, channel_args=list(self.OPTIONS))

    def infer(self, model: str, pixels: np.ndarray) -> dict[str, np.ndarray]:
        result = self._call(self._client.infer, model, [_packed(self._triton, pixels)])
        try:
            return _unpacked(result)
        except Exception as error:
            raise ValueError(f"the server's answer cannot be read: {error}") from None

    def metadata(self, model: str) -> dict:
        return self._call(self._client.get_model_metadata, model, as_json=True)

    def config(self, model: str) -> dict:
        return self._call(self._client.get_model_config, model, as_json=True).get("config", {})

    def ready(self, model: str) -> bool:
        try:
            return bool(self._call(self._client.is_server_ready) and self._call(self._client.is_model_ready, model))
        except (Lost, ValueError):
            return False

    def close(self) -> None:
        self._client.close()

    def _call(self, method, *arguments, **more):
        from tritonclient.utils import InferenceServerException

        try:
            return method(*arguments, client_timeout=self.timeout, **more)
        except InferenceServerException as error:
            said = " ".join(str(error.message() or error.status() or "no reason given").split())[:300]
            lost = error.status() in self.LOST or "RST_STREAM" in said or "not at ready state" in said
            raise (Lost if lost else ValueError)(said) from None
