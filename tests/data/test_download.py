"""Downloads against a server on this machine that misbehaves on request. Nothing here leaves the loopback interface."""

import hashlib
import http.server
import socket
import threading

import pytest

from coursekit.data import download
from coursekit.data.download import DownloadError, RemoteFile, data_home, fetch, file_hash

CONTENT = bytes(range(256)) * 4000  # about 1 MB
LOST = 32 * 1024  # at most this much of what arrived is asked for again
SHA = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; `script` holds what to do wrong at the next requests, `log` what was asked for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.ranges, self.etag, self.script, self.log = CONTENT, True, '"one"', [], []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def url(self, path="/data.bin"):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.log.append((self.path, wanted))
        fault = server.script.pop(0) if server.script else None
        if isinstance(fault, int) or "missing" in self.path:
            self.send_response(fault or 404)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        body, start = server.content, 0
        unchanged = self.headers.get("If-Range") in (None, server.etag)
        if wanted and server.ranges and unchanged:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("ETag", server.etag)
        self.end_headers()
        body = body[start:]
        self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        self.close_connection = True
        return None


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


def get(server, folder, hash=SHA, attempts=3, urls=None):
    file = RemoteFile("data.bin", tuple(urls or [server.url()]), hash)
    return fetch(file, folder, attempts=attempts, pause=0, progress=False)


def names(folder):
    """What lies in the folder, but for the lock."""
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".lock"))


def test_a_file_is_fetched_once_and_checked_each_time(server, tmp_path):
    path = get(server, tmp_path)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["data.bin"]
    get(server, tmp_path)
    assert len(server.log) == 1
    path.write_bytes(CONTENT[:-1] + b"x")  # damaged on the disk
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert len(server.log) == 2
    assert names(tmp_path) == ["data.bin"]


def test_a_wrong_file_put_there_by_hand_is_kept_under_another_name(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(b"an HTML page, saved by mistake")
    server.script = [404]
    with pytest.raises(DownloadError, match=r"was not it either, by its hash; it is called data\.bin\.damaged now"):
        get(server, tmp_path)
    assert names(tmp_path) == ["data.bin.damaged"]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert names(tmp_path) == ["data.bin"]


def test_a_folder_in_which_nothing_can_be_locked(server, tmp_path):
    (tmp_path / ".data.bin.lock").mkdir()  # as a read-only folder does, it makes opening the lock fail
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(server, tmp_path):
    server.script = ["cut", "cut"]
    assert get(server, tmp_path).read_bytes() == CONTENT
    starts = [int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0 for _, wanted in server.log]
    half, three_quarters = len(CONTENT) // 2, len(CONTENT) * 3 // 4
    assert starts[0] == 0
    assert half - LOST < starts[1] <= half
    assert three_quarters - 2 * LOST < starts[2] <= three_quarters
    assert names(tmp_path) == ["data.bin"]


def test_what_arrived_is_kept_between_calls(server, tmp_path):
    server.script = ["cut"]
    with pytest.raises(DownloadError, match=r"broke off after 0\.5 of 1\.0 MB(.|\n)*0\.5 MB that arrived are kept"):
        get(server, tmp_path, attempts=1)
    assert "data.bin" not in names(tmp_path)
    assert get(server, tmp_path, attempts=1).read_bytes() == CONTENT
    assert server.log[-1][1] is not None


def test_a_server_that_cannot_resume_sends_it_all_again(server, tmp_path):
    server.script, server.ranges = ["cut"], False
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert len(server.log) == 2


def test_a_file_that_changed_meanwhile_comes_whole(server, tmp_path):
    server.script = ["cut"]
    with pytest.raises(DownloadError):
        get(server, tmp_path, attempts=1)
    server.content, server.etag = CONTENT[::-1], '"two"'
    path = get(server, tmp_path, hash="sha256:" + hashlib.sha256(CONTENT[::-1]).hexdigest())
    assert path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("piece", [b"y" * 100, CONTENT, CONTENT + b"z"], ids=["another file's", "whole already", "too long"])
def test_an_old_piece_never_spoils_the_file(server, tmp_path, piece):
    (tmp_path / "data.bin.part").write_bytes(piece)
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert names(tmp_path) == ["data.bin"]


def test_another_file_than_the_known_one_is_refused(server, tmp_path):
    server.content = b"not it"
    with pytest.raises(DownloadError, match=r"its hash is [0-9a-f]{64}, expected sha256:" + SHA[7:]):
        get(server, tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_hashes_as_people_publish_them(server, tmp_path, algorithm):
    get(server, tmp_path, hash=f"{algorithm}:{hashlib.new(algorithm, CONTENT).hexdigest()}")
    with pytest.raises(DownloadError, match="is not the file we know"):
        get(server, tmp_path, hash=f"{algorithm}:{hashlib.new(algorithm, b'').hexdigest()}")


def test_without_a_published_hash_the_first_download_sets_it(server, tmp_path):
    path = get(server, tmp_path, hash=None)
    assert (tmp_path / "data.bin.sha256").read_text() == SHA == file_hash(path)
    get(server, tmp_path, hash=None)
    assert len(server.log) == 1
    path.write_bytes(b"somebody changed it")
    with pytest.raises(DownloadError, match=r"is not the file that was downloaded here first.*delete data\.bin\.sha256"):
        get(server, tmp_path, hash=None)
    path.unlink()
    server.content = b"the server's file has changed"
    with pytest.raises(DownloadError, match=r"is not the file we know(.|\n)*If the file was renewed, delete data\.bin\.sha256"):
        get(server, tmp_path, hash=None)


def test_a_file_that_was_put_there_by_hand_is_used(tmp_path):
    (tmp_path / "data.bin").write_bytes(CONTENT)
    file = RemoteFile("data.bin", ("http://127.0.0.1:9/never-asked",), SHA)
    assert fetch(file, tmp_path, progress=False).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "message"),
    [(404, "404 .the file is no longer there"), (403, "403 .it does not let us in"), (401, "it wants a login"), (418, "answered 418")],
)
def test_an_answer_that_will_not_change_is_not_asked_for_again(server, tmp_path, status, message):
    server.script = [status] * 5
    with pytest.raises(DownloadError, match=message) as caught:
        get(server, tmp_path)
    assert len(server.log) == 1
    assert str(tmp_path / "data.bin") in str(caught.value)  # where to put it by hand
    assert names(tmp_path) == []


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_asked_again(server, tmp_path, status):
    server.script = [status]
    assert get(server, tmp_path).read_bytes() == CONTENT
    server.script, server.content = [status] * 9, b""
    (tmp_path / "data.bin").unlink()
    with pytest.raises(DownloadError, match=f"answered {status}, 3 tries"):
        get(server, tmp_path)


def test_the_next_address_is_tried(server, tmp_path):
    assert get(server, tmp_path, urls=[server.url("/missing"), server.url("/mirror")]).read_bytes() == CONTENT
    assert [path for path, _ in server.log] == ["/missing", "/mirror"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_without_a_network_it_says_what_to_do(server, tmp_path):
    with pytest.raises(DownloadError) as caught:
        get(server, tmp_path, urls=[f"http://127.0.0.1:{free_port()}/data.bin"], attempts=2)
    message = str(caught.value)
    assert "no connection to 127.0.0.1 ([Errno 111] Connection refused), 2 tries" in message or "no connection to 127.0.0.1" in message
    assert "HTTPS_PROXY" in message
    assert f"put it at\n  {tmp_path / 'data.bin'}" in message
    assert "Traceback" not in message


def test_the_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url(""))  # a proxy is asked for the whole address
    monkeypatch.setenv("no_proxy", "")
    assert get(server, tmp_path, urls=["http://data.example/data.bin"]).read_bytes() == CONTENT
    assert server.log[0][0] == "http://data.example/data.bin"
    (tmp_path / "data.bin").unlink()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(DownloadError, match="the proxy named in HTTPS_PROXY or HTTP_PROXY did not answer"):
        get(server, tmp_path, urls=["http://data.example/data.bin"], attempts=1)


def test_an_interrupt_leaves_no_half_file_under_the_final_name(server, tmp_path, monkeypatch):
    def stop(self, response, start):
        self.part.write_bytes(CONTENT[:1000])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(download.Resuming, "_receive", stop)
        with pytest.raises(KeyboardInterrupt):
            get(server, tmp_path)
    assert names(tmp_path) == ["data.bin.part"]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.log[-1][1] == "bytes=1000-"


def test_two_at_once_do_not_spoil_each_others_file(server, tmp_path):
    results = []
    threads = [threading.Thread(target=lambda: results.append(get(server, tmp_path).read_bytes())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [CONTENT] * 4
    assert len(server.log) == 1


def test_a_full_disk_is_said_before_it_is_full(server, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})()
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DownloadError, match="it needs 1 MB on the disk, and 0 MB are free"):
        get(server, tmp_path)


def test_progress_is_shown_with_the_file_s_name(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    fetch(RemoteFile("data.bin", (server.url(),), SHA), tmp_path)
    assert "data.bin" in capsys.readouterr().err


def test_the_data_folder_can_be_set(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path / "elsewhere"))
    assert data_home() == tmp_path / "elsewhere"
    monkeypatch.delenv("COURSEKIT_DATA")
    assert "coursekit" in str(data_home())
