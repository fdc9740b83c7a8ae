"""HTTP for this machine only: what every page and server of coursekit has in common. Needs nothing but Python.

Bound to 127.0.0.1; a page of elsewhere that makes a browser ask here (under another name, or from its own origin) is refused by the
Host and Origin that the browser sends. Nobody holds a connection for ever, sends without bound, or gets to see a traceback.
"""

import io
import json
import socket
import socketserver
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class LoopbackServer(ThreadingHTTPServer):
    """On 127.0.0.1, at a free port unless one is given: its own ``hosts`` and ``origins`` are the only ones to accept."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0):
        super().__init__(("127.0.0.1", port), handler)
        self.hosts = tuple(f"{name}:{self.server_address[1]}" for name in ("127.0.0.1", "localhost"))
        self.origins = tuple(f"http://{host}" for host in self.hosts)

    def server_bind(self) -> None:
        """Without asking the name service who we are, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address) -> None:
        """A client that hangs up is no news; a fault of ours is."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class TimedReader(io.RawIOBase):
    """What comes in on a socket, until ``deadline`` (of `time.monotonic`): whoever sends a byte now and then still comes to an end."""

    def __init__(self, connection: socket.socket, deadline: float):
        self.deadline = deadline
        self._socket, self._stream = connection, connection.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int | None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


@dataclass(frozen=True)
class Ask:
    """One request: its method, its path without the query, its headers, and all of its body."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    content: bytes
    kind: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """Raised by what answers: the status, and one sentence for whoever asked."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status


def as_json(value, status: int = 200) -> Answer:
    """In ASCII: what a client sent may hold halves of letters, which are in no encoding."""
    return Answer(json.dumps(value, allow_nan=False).encode(), status=status)


class Service(LoopbackServer):
    """Answers each request by ``answer``: an `Ask` -> an `Answer`. ValueError becomes 400, `Refused` its status, both with their sentence
    as ``{"error": ...}``; anything else 500, with its traceback on our own error stream only.

        with Service(lambda ask: as_json({"you asked for": ask.path})) as service:
            print(service.address)

    Args:
        answer: called in a thread of the connection.
        port: 0 takes a free one.
        largest: bytes of a body; more is refused before it is read.
        seconds: in which a request must have come in, from its first byte.
        idle: seconds that a connection is kept open between two requests.
        most: connections at a time.
    """

    def __init__(
        self,
        answer: Callable[[Ask], Answer],
        port: int = 0,
        largest: int = 1_000_000,
        seconds: float = 30.0,
        idle: float = 60.0,
        most: int = 64,
    ):
        super().__init__(_Handler, port)
        self.answer, self.largest, self.seconds, self.idle = answer, largest, seconds, idle
        self.address = f"http://{self.hosts[0]}/"
        self._places, self._lock = threading.BoundedSemaphore(most), threading.Lock()
        self._connections: set[socket.socket] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> "Service":
        """Answer from now on, in threads of its own."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="service", daemon=True)
            self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
            self._thread = None
        self.server_close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Service":
        return self.start()

    def __exit__(self, *_) -> None:
        self.close()

    def process_request(self, request, client_address) -> None:
        if not self._places.acquire(blocking=False):
            with suppress(OSError):
                request.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.shutdown_request(request)
            return
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._connections.discard(request)
            self._places.release()


class _Handler(BaseHTTPRequestHandler):
    """One connection. `server` is a `Service`."""

    protocol_version = "HTTP/1.1"  # connections stay open for the next request
    server_version, sys_version = "coursekit", ""
    disable_nagle_algorithm, wbufsize = True, 1 << 16  # an answer leaves at once and whole

    def setup(self) -> None:
        super().setup()
        self._timed = TimedReader(self.connection, time.monotonic() + self.server.idle)
        self.rfile.close()
        self.rfile = io.BufferedReader(self._timed, 1 << 16)

    def handle_one_request(self) -> None:
        self.close_connection = True
        self._timed.deadline = time.monotonic() + self.server.idle
        try:
            if not self.rfile.peek(1):
                return
            self._timed.deadline = time.monotonic() + self.server.seconds
            super().handle_one_request()
        except OSError:  # hung up, or too slow
            self.close_connection = True

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_HEAD = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = do_GET

    def _serve(self) -> None:
        try:
            self._check_origin()
            length = self._length()
        except Refused as error:
            self._send(_refusal(error, error.status))
            return
        body = self.rfile.read(length)
        if len(body) < length:  # hung up in the middle: nobody is there to be answered
            self.close_connection = True
            return
        self._send(self._answer(Ask(self.command, urlsplit(self.path).path, self.headers, body)))

    def _answer(self, ask: Ask) -> Answer:
        try:
            return self.server.answer(ask)
        except (Refused, ValueError) as error:
            return _refusal(error, getattr(error, "status", 400))
        except Exception as error:  # ours to mend: the client is told no more than that
            traceback.print_exc()
            return as_json({"error": f"the server failed on this request ({type(error).__name__})"}, 500)

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()  # the client waits for it
        return True

    def _check_origin(self) -> None:
        if self.headers.get_all("Host") not in ([host] for host in self.server.hosts):
            self.close_connection = True
            raise Refused(403, f"this server answers only under its own name, {self.server.hosts[0]}")
        if self.headers.get("Origin", self.server.origins[0]) not in self.server.origins:
            self.close_connection = True
            raise Refused(403, "this server does not answer the pages of others")

    def _length(self) -> int:
        """Bytes of the body. What cannot be told or is too long leaves the connection unusable: it is closed after the answer."""
        lengths, last = self.headers.get_all("Content-Length", []), self.close_connection
        self.close_connection = True
        if "Transfer-Encoding" in self.headers or (not lengths and self.command in ("POST", "PUT", "PATCH")):
            raise Refused(411, "a body must come with its Content-Length")
        text = lengths[0] if lengths else "0"
        if len(set(lengths)) > 1 or not (text.isascii() and text.isdigit() and len(text) < 19):
            raise Refused(400, "Content-Length must be one whole number")
        if int(text) > self.server.largest:
            raise Refused(413, f"a request may have at most {self.server.largest / 1e6:g} MB, got {int(text) / 1e6:.3g} MB")
        self.close_connection = last
        return int(text)

    def _send(self, answer: Answer) -> None:
        self.connection.settimeout(self.server.seconds)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.content)))
        for name, value in {**HEADERS, **answer.headers}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)
        self.wfile.flush()
        if self.close_connection:
            self._drain()

    def _drain(self) -> None:
        """Let whoever still sends finish and read our answer; closing on unread bytes would throw it away."""
        self._timed.deadline = min(self._timed.deadline, time.monotonic() + 2)
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while self.rfile.read1(1 << 16):
                pass

    def send_error(self, code, message=None, explain=None) -> None:
        """What http.server itself finds wrong, such as a request line that is none."""
        self.close_connection = True
        self.command, self.request_version = self.command or "GET", self.protocol_version  # it takes nonsense for HTTP/0.9, without headers
        self._send(_refusal(f"this is no request that can be answered: {message or code}", code))

    def log_message(self, *arguments) -> None:
        """Quiet: the errors that matter are told to whoever asked."""


def _refusal(sentence, status: int) -> Answer:
    return as_json({"error": " ".join(str(sentence).split())[:500]}, status)


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser would send no Origin with a form
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
