"""HTTP for this machine only, against those who send nonsense, too much, too slowly, or from elsewhere."""

import contextlib
import json
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.loopback import Answer, Refused, Service, as_json

LONG = 20.0  # seconds: what takes so long is broken, however busy the machine


def echo(ask):
    """Answers with what was asked; some paths do something else."""
    if ask.path == "/value":
        raise ValueError("size must be\nat least 1")
    if ask.path == "/refused":
        raise Refused(418, "no tea here")
    if ask.path == "/fault":
        raise KeyError("secret")
    if ask.path == "/gone":
        raise FileNotFoundError("secret")
    return as_json({"method": ask.method, "path": ask.path, "body": len(ask.body)})


@pytest.fixture(scope="module")
def service():
    with Service(echo, largest=1000, seconds=LONG, idle=LONG) as service:
        yield service


def connect(service):
    return socket.create_connection(service.server_address, LONG)


def raw(service, sent: bytes, finish=True):
    """What comes back until the server hangs up: a list of (status, JSON)."""
    with connect(service) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(sent)
            if finish:
                connection.shutdown(socket.SHUT_WR)
        stream, found = connection.makefile("rb"), []
        while line := stream.readline():
            assert line.startswith(b"HTTP/1.1 "), line
            length = 0
            while (header := stream.readline()) not in (b"\r\n", b""):
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            found.append((int(line.split()[1]), json.loads(stream.read(length) or b"null")))
        return found


def head(service, first="GET /x HTTP/1.1", *more):
    return "\r\n".join([first, f"Host: {service.hosts[0]}", *more, "", ""]).encode()


def test_a_connection_is_kept_for_the_next_request(service):
    sent = head(service, "GET /a?secret=1 HTTP/1.1") + head(service, "POST /b HTTP/1.1", "Content-Length: 3") + b"abc" + head(service)
    assert raw(service, sent) == [
        (200, {"method": "GET", "path": "/a", "body": 0}),
        (200, {"method": "POST", "path": "/b", "body": 3}),
        (200, {"method": "GET", "path": "/x", "body": 0}),
    ]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/value", 400, "size must be at least 1"),
        ("/refused", 418, "no tea here"),
        ("/fault", 500, "the server failed on this request (KeyError)"),
        ("/gone", 500, "the server failed on this request (FileNotFoundError)"),
    ],
)
def test_errors_are_one_sentence_and_the_connection_lives_on(service, capfd, path, status, said):
    found = raw(service, head(service, f"GET {path} HTTP/1.1") + head(service))
    assert found == [(status, {"error": said}), (200, {"method": "GET", "path": "/x", "body": 0})]
    assert ("secret" in capfd.readouterr().err) == (status == 500)  # a fault of ours is told to whoever runs the server


@pytest.mark.parametrize(
    ("lines", "status", "said"),
    [
        (["POST /x HTTP/1.1"], 411, "a body must come with its Content-Length"),
        (["POST /x HTTP/1.1", "Transfer-Encoding: chunked"], 411, "a body must come with its Content-Length"),
        (["GET /x HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked"], 411, "a body must come with its Content-Length"),
        (["POST /x HTTP/1.1", "Content-Length: -1"], 400, "Content-Length must be one whole number"),
        (["POST /x HTTP/1.1", "Content-Length: ²"], 400, "Content-Length must be one whole number"),
        (["POST /x HTTP/1.1", "Content-Length: " + 30 * "9"], 400, "Content-Length must be one whole number"),
        (["POST /x HTTP/1.1", "Content-Length: 3", "Content-Length: 4"], 400, "Content-Length must be one whole number"),
        (["POST /x HTTP/1.1", "Content-Length: 1001"], 413, "a request may have at most 0.001 MB, got 0.001 MB"),
        (["GET /x HTTP/1.1", "Host: elsewhere.example"], 403, "this server answers only under its own name"),
        (["GET /x HTTP/1.1", "Origin: http://elsewhere.example"], 403, "this server does not answer the pages of others"),
        (["GET /x HTTP/1.1", "Origin: null"], 403, "this server does not answer the pages of others"),
        (["nonsense"], 400, "this is no request that can be answered"),
        (["GET /x HTTP/9.9"], 505, "this is no request that can be answered"),
        (["GET /x HTTP/1.1", "X: " + 70_000 * "x"], 431, "this is no request that can be answered"),
        (["GET /x HTTP/1.1", *(f"X{n}: 1" for n in range(200))], 431, "this is no request that can be answered"),
        (["GET /" + 70_000 * "x" + " HTTP/1.1"], 414, "this is no request that can be answered"),
        (["BREW /x HTTP/1.1"], 501, "this is no request that can be answered"),
    ],
    ids=lambda value: value[-1][:40] if isinstance(value, list) else None,
)
def test_what_cannot_be_answered_gets_one_sentence_and_a_closed_connection(service, lines, status, said):
    (found,) = raw(service, head(service, *lines) + head(service), finish=False)
    assert found[0] == status
    assert list(found[1]) == ["error"]
    assert said in found[1]["error"]


@pytest.mark.parametrize(
    "host", ["", "Host: 127.0.0.1", "Host: 127.0.0.1:1", "Host: evil.example:{port}", "Host: 127.0.0.1:{port}.evil.example"]
)
def test_other_names_of_this_server_are_refused(service, host):
    sent = f"GET /x HTTP/1.1\r\n{host.format(port=service.server_port)}\r\n\r\n".replace("\r\n\r\n\r\n", "\r\n\r\n")
    ((status, _),) = raw(service, sent.encode())
    assert status == 403


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_its_own_names_and_origins(service, name):
    address = f"{name}:{service.server_port}"
    ((status, _),) = raw(service, f"GET /x HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n\r\n".encode())
    assert status == 200


def test_a_body_that_is_too_long_is_refused_while_it_is_still_sent(service):
    (found,) = raw(service, head(service, "POST /x HTTP/1.1", "Content-Length: 3000000") + bytes(3_000_000), finish=False)
    assert found == (413, {"error": "a request may have at most 0.001 MB, got 3 MB"})


def test_expect_continue_is_answered_before_the_body(service):
    with connect(service) as connection:
        connection.sendall(head(service, "POST /x HTTP/1.1", "Content-Length: 2", "Expect: 100-continue"))
        stream = connection.makefile("rb")
        assert stream.readline() == b"HTTP/1.1 100 Continue\r\n"
        connection.sendall(b"ab")
        assert stream.readline() == b"\r\n"
        assert stream.readline() == b"HTTP/1.1 200 OK\r\n"


def test_head_has_the_headers_alone(service):
    with connect(service) as connection:
        connection.sendall(head(service, "HEAD /x HTTP/1.1", "Connection: close"))
        received = connection.makefile("rb").read()
    assert received.endswith(b"\r\n\r\n")
    assert b"Content-Length: 4" in received


@pytest.mark.parametrize("sent", [b"", b"GET /x HT", b"GET /x HTTP/1.1\r\nHost: a\r\n", b"body"], ids=["nothing", "line", "header", "body"])
@pytest.mark.parametrize("drip", [False, True])
def test_who_is_too_slow_is_hung_up_on(sent, drip):
    with Service(echo, seconds=0.3, idle=0.3) as service, connect(service) as connection:
        if sent == b"body":
            sent = head(service, "POST /x HTTP/1.1", "Content-Length: 1000") + b"some"
        connection.sendall(sent)
        connection.settimeout(0.02)
        hung_up = False
        for _ in range(int(LONG / 0.02)):
            try:
                hung_up = connection.recv(1000) == b""
            except TimeoutError:
                if drip and sent:
                    with contextlib.suppress(OSError):
                        connection.sendall(b"x")
            except OSError:
                hung_up = True
            if hung_up:
                break
        assert hung_up, "it still waits"


def test_no_more_connections_than_it_has_places_for():
    with Service(echo, most=2, seconds=LONG, idle=LONG) as service, connect(service) as one, connect(service) as two:
        for connection in (one, two):
            connection.sendall(head(service))
            assert connection.recv(12) == b"HTTP/1.1 200"
        with connect(service) as three:
            assert three.recv(12) == b"HTTP/1.1 503"
        one.close()
        for _ in range(1000):  # a place is free again, soon
            with connect(service) as again, contextlib.suppress(OSError):
                again.sendall(head(service))
                if again.recv(12) == b"HTTP/1.1 200":
                    return
            threading.Event().wait(0.01)
        raise AssertionError("the place was not given back")


def test_closing_hangs_up_on_everybody_and_can_be_done_twice():
    service = Service(echo).start()
    with connect(service) as connection:
        connection.sendall(head(service))
        assert connection.recv(12) == b"HTTP/1.1 200"
        service.close()
        while connection.recv(1000):
            pass
    service.close()
    Service(echo).close()  # one that never started


def test_an_answer_of_another_kind():
    with Service(lambda ask: Answer(b"hello", "text/plain", headers={"X-More": "1"})) as service, connect(service) as connection:
        connection.sendall(head(service, "GET / HTTP/1.1", "Connection: close"))
        received = connection.makefile("rb").read().decode()
    assert received.startswith("HTTP/1.1 200 OK\r\n")
    assert received.endswith("\r\n\r\nhello")
    for header in ("Content-Type: text/plain", "X-More: 1", "X-Content-Type-Options: nosniff", "Content-Length: 5"):
        assert f"\r\n{header}\r\n" in received


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.lists(st.sampled_from([b"GET", b" ", b"/", b"HTTP/1.1", b"\r\n", b":", b"Host", b"0", b"\xff", b"\x00"])).map(b"".join),
    )
)
def test_whatever_is_sent_it_lives_on(service, sent):
    with connect(service) as connection, contextlib.suppress(OSError):
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert raw(service, head(service))[0][0] == 200
