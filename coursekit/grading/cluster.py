"""Grading on a Dask cluster: judges on many machines, one gradebook here.

A Dask worker's own process runs no learner's code and holds none of it but as text: it starts judge processes on its machine, which work as
they do here. The bundle travels to each worker as bytes, into a folder that only its user can read and that goes when the batch is done; a
submission goes and a grade comes back as JSON text. A lost worker's submissions are graded again elsewhere.

Who can reach a Dask scheduler can run code on its workers, and the bundle holds the secret: use a network of your own, or Dask's TLS.
"""

import asyncio
import contextlib
import io
import json
import os
import queue
import shutil
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from distributed import Client, Future, WorkerPlugin, get_worker

from .assignment import Assignment, read_bundle
from .judges import TRIES, CannotStart, Desk, Judge, Lost, Work, command, environment
from .records import Grade
from .submission import Submission

LOST = (Exception, asyncio.CancelledError)
ALONE = 120.0  # seconds without any worker after which the cluster counts as gone


class Room(WorkerPlugin):
    """What a Dask worker has for one batch: the bundle's folder and the judges. A plugin of the worker.

    Args:
        name: of this batch.
        bundle: `packed` bytes.
        tier, trusted: as in `grade_all`; the sandbox is chosen on the worker's own machine.
        judge: command line of a judge, followed by the bundle's folder; the real one by default. For tests.
    """

    def __init__(self, name: str, bundle: bytes, tier: str | None, trusted: bool, judge: Sequence[str] = ()):
        self.name, self.bundle, self.tier, self.trusted, self.judge = name, bundle, tier, trusted, tuple(judge)

    def setup(self, worker: Any) -> None:
        """Called by Dask on the worker."""
        self.folder = Path(tempfile.mkdtemp(prefix="coursekit-", dir=worker.local_directory))  # 0700
        unpack(self.bundle, self.folder)
        self.desks: list[Desk] = []
        self.idle: queue.LifoQueue = queue.LifoQueue()
        self.lock, self.ready = threading.Lock(), False

    def teardown(self, worker: Any) -> None:
        """Called by Dask when the batch is over or the worker ends."""
        for desk in self.desks:
            desk.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def grade(self, text: str) -> str:
        """Grade one submission: JSON text in and out."""
        record = json.loads(text)
        work = Work(Submission.from_json(record["submission"]), record["attempt"])
        try:
            desk = self._desk()
        except (ValueError, OSError) as problem:  # no sandbox that holds, or another coursekit
            return json.dumps({"refused": str(problem)})
        try:
            return json.dumps({"grade": desk.grade(work).to_json()})
        except Lost as problem:
            return json.dumps({"lost": f"a judge {'does not start: it ' if isinstance(problem, CannotStart) else ''}{problem}"})
        finally:
            self.idle.put(desk)

    def _desk(self) -> Desk:
        with contextlib.suppress(queue.Empty):
            return self.idle.get_nowait()
        with self.lock:
            if not self.ready:
                self._prepare()
            desk = Desk(lambda: Judge(self.arguments, self.env), self.assignment)
            self.desks.append(desk)
        return desk

    def _prepare(self) -> None:
        from .batch import trustworthy

        self.assignment = read_bundle(self.folder)
        self.env = environment(self.folder, self.assignment)
        if self.judge:
            self.arguments = [*self.judge, str(self.folder)]
        else:
            self.arguments = command(self.folder, trustworthy(self.tier, self.trusted))
        self.ready = True


def grade_there(name: str, text: str) -> str:
    """The task: runs in a thread of a Dask worker, and waits for a judge."""
    return get_worker().plugins[name].grade(text)


def packed(bundle: Path) -> bytes:
    """A bundle's folder as bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(bundle.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(bundle).as_posix())
    return out.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Bytes that `packed` made, into a folder; readable by its owner alone."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            path = folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(archive.read(name))


def graded_on_cluster(
    scheduler: str, work: Iterator[Work], bundle: Path, assignment: Assignment, tier: str | None, trusted: bool, judge: Sequence[str] = ()
) -> Iterator[tuple[Work, Grade]]:
    """Grades as they come, in any order, one for each submission.

    Args:
        scheduler: ``tcp://host:8786``, or ``tls://…`` with Dask's own settings for it.
        judge: see `Room`.

    Raises:
        ValueError: a machine has no sandbox that holds.
        OSError: no scheduler answers, it has no workers, or all are gone.
    """
    try:
        client = Client(scheduler, timeout=20, set_as_default=False, name="coursekit-grade")
    except (OSError, TimeoutError, ValueError) as error:
        raise OSError(f"no Dask scheduler answers at {scheduler} ({type(error).__name__})") from None
    with client:
        room = Room(f"coursekit-{uuid.uuid4().hex}", packed(bundle), tier, trusted, judge)
        client.register_plugin(room)  # workers that join later get it too
        try:
            yield from Crew(client, room.name, assignment, work).grades()
        finally:
            with contextlib.suppress(Exception):  # the bundle goes from the workers
                client.unregister_worker_plugin(room.name)


class Crew:
    """The batch as its client sees it: a few submissions for each thread of the cluster are under way at a time."""

    def __init__(self, client: Client, name: str, assignment: Assignment, work: Iterator[Work]):
        self.client, self.name, self.work = client, name, work
        self.clerk = Desk(lambda: None, assignment)  # writes down what failed; has no judge of its own
        self.running: dict[Future, tuple[Work, int]] = {}
        self.done: queue.SimpleQueue = queue.SimpleQueue()
        self.seen = time.monotonic()

    def grades(self) -> Iterator[tuple[Work, Grade]]:
        """Each submission's grade, once."""
        while self._fill():
            try:
                future = self.done.get(timeout=1)
            except queue.Empty:
                continue
            item, tries = self.running.pop(future)
            answer = self._answer(future)
            if "grade" in answer:
                yield item, Grade.from_json(answer["grade"])
            elif "refused" in answer:
                raise ValueError(f"a machine of the cluster cannot grade: {answer['refused']}")
            elif tries + 1 < TRIES:
                self._submit(item, tries + 1)
            else:
                yield item, self.clerk.failed(item, answer["lost"])

    def _fill(self) -> bool:
        """Keep every thread busy, and say whether anything is under way."""
        try:
            threads = sum(self.client.nthreads().values())
        except LOST as error:
            raise _gone(error) from None
        if threads:
            self.seen = time.monotonic()
        elif time.monotonic() - self.seen > ALONE:
            raise OSError(f"the Dask cluster has had no worker for {ALONE:.0f} seconds; start again, it goes on from here")
        while len(self.running) < 2 * max(threads, 1):
            item = next(self.work, None)
            if item is None:
                break
            self._submit(item, 0)
        return bool(self.running)

    def _submit(self, item: Work, tries: int) -> None:
        try:
            future = self.client.submit(grade_there, self.name, item.line.decode(), pure=False)
        except LOST as error:
            raise _gone(error) from None
        self.running[future] = (item, tries)
        future.add_done_callback(self.done.put)

    def _answer(self, future: Future) -> dict[str, Any]:
        try:
            return json.loads(future.result())
        except LOST as error:  # it died with its worker more often than Dask tries again, or was cancelled
            return {"lost": f"the cluster lost it ({type(error).__name__})"}


def _gone(error: BaseException) -> OSError:
    return OSError(f"the Dask scheduler is gone ({type(error).__name__}); start again, it goes on from here")
