"""The sandboxed end: runs the author's set-up and a learner's cells, then calls their answer with what it is asked, and sends back data.

It knows no test, no expected value and no secret, and nothing here is believed by the other side. What it looks at and measures (prints,
changed arguments, borrowed functions) is for messages to honest learners.

    ← J  the job: kit, cells, solutions of earlier exercises that did not pass
    → P  prepared: set-up and driver are loaded
    → F  flags: what catches the eye in the learner's code; none of it has run yet, so this much can be believed
    → R  ready: what the answer is
    ← C  a case: index, arguments, seconds
    → V  what came of it
"""

import contextlib
import dataclasses
import importlib
import inspect
import os
import socket
import sys
import types
import warnings
from typing import Any

from . import watch, wire
from .flags import flags_of
from .running import Runner, new_main, stand_ins

guard, limits, theirs = watch.load().guard, watch.load().limits, watch.load().theirs

CELLS = 8.0  # seconds for all cells together
MISSING = object()


def serve(sock: socket.socket) -> None:
    """Answer until the other side hangs up. Ends the process: never returns."""
    try:
        _, payload = wire.receive(sock)
        place = Workplace(wire.unpack(payload))
        wire.send(sock, b"P", wire.pack(place.prepare()))
        wire.send(sock, b"F", wire.pack(place.flags()))
        wire.send(sock, b"R", _packed(place.open()))
        while True:
            kind, payload = wire.receive(sock)
            if kind != b"C":
                break
            wire.send(sock, b"V", place.answer_to(payload))
    except wire.WireError:
        pass
    finally:
        os._exit(0)


def _packed(reply: dict[str, Any]) -> bytes:
    """A reply, or, where it is more than a frame may hold, only that."""
    try:
        return wire.pack(reply)
    except wire.TooLarge as error:
        return wire.pack({"large": str(error), "printed": reply.get("printed", "")})


class Workplace:
    """One exercise, one learner.

    Args:
        job: ``exercise``, ``setup``, ``modules`` (of the kit's files), ``driver``, ``driver_name``, ``answer``, ``parameters``,
            ``count`` (of arguments), ``in_place``, ``watched``, ``allowed``, ``cells`` ([number, source, released]), ``own_cells`` (numbers
            of those that answer it), ``fallbacks`` ([name, source, answer, whether theirs is replaced]: the author's answers to the earlier
            exercises that it uses, which use each other) and ``seconds`` for the cells.
    """

    def __init__(self, job: dict[str, Any]):
        self.job, self.checked, self.ours, self.driver, self.classes = job, [], {}, None, {}
        self.names = new_main(stand_ins(self.check))
        self.runner = Runner(self.names, job.get("seconds", CELLS))

    # --- before any line of the learner's

    def prepare(self) -> dict[str, Any]:
        """Load what the exercise brings along. ``fault`` says what of it failed: ours, not the learner's."""
        job, fault = self.job, ""
        for name in job["modules"]:
            try:
                members = vars(importlib.import_module(name))
            except Exception as error:
                fault = f"{name} cannot be imported ({type(error).__name__}: {error})"
                continue
            self.classes.update({n: v for n, v in members.items() if isinstance(v, type) and dataclasses.is_dataclass(v)})
        setup = Runner(self.names, 5.0)
        for statement in job["setup"]:
            setup.run(statement, "<setup>")
        if job["driver"]:
            space = {"__name__": "coursekit_driver"}
            try:
                exec(compile(job["driver"], "<driver>", "exec", dont_inherit=True), space)
                self.driver = space[job["driver_name"]]
            except Exception as error:
                fault = f"the driver does not load ({type(error).__name__}: {error})"
        self._lend()
        return {"fault": fault}

    def flags(self) -> list[str]:
        """Read the learner's own cells."""
        return flags_of(source for _, source, released in self.job["cells"] if not released)

    def _lend(self) -> None:
        """The author's answers to earlier exercises; what stands in for theirs, where that did not pass, also rests on ours."""
        space = dict(self.names)
        runner = Runner(space, 5.0)
        for name, source, expression, lend in self.job["fallbacks"]:
            runner.run(source, f"<our {name}>", only_definitions=True)
            if not lend:
                continue
            with contextlib.suppress(Exception):
                self.ours[name] = eval(expression, space)

    # --- the learner's cells

    def check(self, name: Any = None, answer: Any = None, *_: Any, **__: Any) -> Any:
        """Stands where `check` does: gives the answer back, or ours to an earlier exercise that did not pass."""
        if type(name) is str and name == self.job["exercise"]:
            self.checked.append(answer)
        return self.ours.get(name, answer) if type(name) is str else answer

    def open(self) -> dict[str, Any]:
        """Run the cells and look at the answer that they leave."""
        printed = limits.Printed()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, source, released in self.job["cells"]:
                self.runner.run(source, f"<ipython-input-{number}>", only_definitions=released)
                if number in self.job["own_cells"]:
                    self.checked.append(self._evaluated())
            for name, _, expression, _ in self.job["fallbacks"]:  # where they deleted the check, or their cell does not run
                if expression.isidentifier() and name in self.ours:
                    self.names[expression] = self.ours[name]
            reply = self._look()
        notes = [[int(file.strip("<>").rpartition("-")[2]), line, kind, text] for file, line, kind, text in self.runner.notes]
        torch = sys.modules.get("torch")
        if torch is not None:  # what a cell may have switched
            torch.set_default_dtype(torch.float32)
            torch.set_grad_enabled(True)
        return {**reply, "notes": notes}

    def _look(self) -> dict[str, Any]:
        self.answer = self._choose()
        if self.answer is MISSING:
            return {"found": False}
        answer, reply = self.answer, {"found": True, "callable": callable(self.answer)}
        if not reply["callable"]:
            return {**reply, "answer": answer, "ellipsis": answer is Ellipsis}
        torch = sys.modules.get("torch")
        objects = (torch.nn.Module, torch.optim.Optimizer) if torch is not None else ()
        reply |= {"class": isinstance(answer, type), "object": type(answer).__name__ if isinstance(answer, objects) else None}
        self.watch = guard.Watch(self.job["watched"], self.job["allowed"], self.driver) if self.job["watched"] else None
        self.modules = len(sys.modules)
        with contextlib.suppress(Exception):
            reply["stub"] = theirs.is_stub(answer)
            reply["twin"] = guard.is_one_of(answer, self.job["watched"])
        if self.driver is None:
            with contextlib.suppress(Exception):
                reply["unfit"] = theirs.argument_problem(answer, (None,) * self.job["count"], self.job["parameters"])
        return reply

    def _evaluated(self) -> Any:
        try:
            return limits.call_within(2.0, lambda: eval(self.job["answer"], self.names))
        except BaseException:
            return MISSING

    def _choose(self) -> Any:
        """What the answer's name holds at the end; what it held after its cell, or was handed to `check`, where that is only the stub."""
        last = self._evaluated()
        candidates = [last, *reversed(self.checked)]
        written = [a for a in candidates if a is not MISSING and callable(a) and not _unwritten(a)]
        usable = [a for a in candidates if a is not MISSING and callable(a)]
        return (written or usable or [a for a in candidates if a is not MISSING] or [MISSING])[0]

    # --- cases

    def answer_to(self, payload: bytes) -> bytes:
        """What comes of one case, packed."""
        request = wire.unpack(payload, self.classes)
        given, printed = request["arguments"], limits.Printed()
        look = self.driver is None and not self.job["in_place"]
        before = [wire.pack(a, grads=False) for a in given] if look else []
        limits.same_dice(request["index"])
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                reply = limits.call_within(request["seconds"], lambda: self._outcome(given))
            except limits.OutOfTime:
                reply = {"slow": True}
            except BaseException as error:  # exit() too: nothing that a learner's code raises ends the exercise
                reply = {"raised": _words(error)}
            if "value" in reply and look:
                reply["changed"] = self._changed(before, given)
        reply |= {"printed": printed.kept[: limits.Printed.KEEP], "borrowed": self._borrowed()}
        return _packed(reply)

    def _outcome(self, given: tuple) -> dict[str, Any]:
        call = (lambda: self.driver(self.answer, *given)) if self.driver else (lambda: self.answer(*given))
        value = self.watch.run(call) if self.watch is not None else call()
        if isinstance(value, types.CoroutineType):
            value.close()
        try:
            wire.pack(value)  # within its time: a list may be endless, or an attribute slow
        except wire.TooLarge as error:
            return {"large": str(error)}
        return {"value": value, "ellipsis": value is Ellipsis}

    def _changed(self, before: list[bytes], given: tuple) -> str | None:
        for name, packed, argument in zip(self.job["parameters"], before, given, strict=False):
            try:
                same = wire.pack(argument, grads=False) == packed
            except wire.TooLarge:
                same = False
            if not same:
                return name
        return None

    def _borrowed(self) -> str | None:
        if self.watch is None:
            return None
        if len(sys.modules) != self.modules:  # it imported something, perhaps a twin
            self.modules = len(sys.modules)
            self.watch.look_up()
        return str(self.watch.seen[0]) if self.watch.seen else None


def _unwritten(answer: Any) -> bool:
    try:
        return theirs.is_stub(answer) or theirs.only_raises(inspect.unwrap(answer))
    except Exception:
        return False


def _words(error: BaseException) -> list:
    """An exception as plain data."""
    try:
        found = theirs.raised(error)
        line = [int(found.line[0]), str(found.line[1])[:300]] if found.line else None
        return [found.kind[:80], found.text[:500], line, found.stub, found.left_over]
    except Exception:
        return ["Exception", "", None, False, False]
