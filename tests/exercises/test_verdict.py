"""Every outcome of a check, and answers that misbehave."""

import functools
import random
import signal
import sys
import threading
import time

import numpy as np
import pytest
import torch
import torchvision

from coursekit import boxes
from coursekit.exercises.core import Close, Exercise
from coursekit.exercises.verdict import judge


def right(first, second):
    start, end = torch.maximum(first[:, 0], second[:, 0]), torch.minimum(first[:, 1], second[:, 1])
    return torch.relu(end - start)


def test_a_right_answer_passes(overlap_exercise):
    verdict = judge(overlap_exercise, right)
    assert (verdict.status, verdict.message) == ("passed", "All 7 cases agree.")


def stub_raises(first, second):
    """Docstring."""
    raise NotImplementedError


def stub_raises_with_words(first, second):
    raise NotImplementedError("your code here")


def stub_dots(first, second):
    """Docstring."""
    ...  # noqa: PIE790


def stub_pass(first, second):
    pass


def gives_dots(first, second):
    area = ...
    return area  # noqa: RET504


@pytest.mark.parametrize("stub", [stub_raises, stub_raises_with_words, stub_dots, stub_pass, gives_dots])
def test_a_stub_is_not_attempted(overlap_exercise, stub):
    assert judge(overlap_exercise, stub).status == "not attempted"


def forgot_the_raise(first, second):
    """Docstring."""
    length = first[:, 1] - second[:, 0]
    raise NotImplementedError
    return length


def test_a_raise_that_was_left_standing_is_pointed_out(overlap_exercise):
    verdict = judge(overlap_exercise, forgot_the_raise)
    assert verdict.status == "not attempted"
    assert "`raise NotImplementedError` is still there" in verdict.message
    assert judge(overlap_exercise, stub_raises_with_words).message == ""


def test_torchs_own_not_implemented_is_an_error_of_the_answer(overlap_exercise):
    verdict = judge(overlap_exercise, lambda first, second: torch.ops.aten.mm(torch.ones(2, 2).bool(), torch.ones(2, 2).bool()))
    assert verdict.status == "error"


def test_a_known_mistake_is_named(overlap_exercise):
    def answer(first, second):
        return torch.minimum(first[:, 1], second[:, 1]) - torch.maximum(first[:, 0], second[:, 0])

    verdict = judge(overlap_exercise, answer)
    assert (verdict.status, verdict.misconception, verdict.case) == ("wrong", "no-clamp", "apart")
    assert verdict.hint == "How long is an empty overlap?"
    assert verdict.message == "At [0] got -2.0, expected 0.0."
    assert list(verdict.inputs) == ["first", "second"]


def test_another_mistake_is_not_given_a_name(overlap_exercise):
    verdict = judge(overlap_exercise, lambda first, second: first[:, 1] - first[:, 0])
    assert (verdict.status, verdict.misconception) == ("wrong", None)


def test_a_mistake_that_only_agrees_sometimes_is_not_named(overlap_exercise):
    def answer(first, second):
        length = torch.minimum(first[:, 1], second[:, 1]) - torch.maximum(first[:, 0], second[:, 0])
        return length if len(first) != 3 else length - 9

    assert judge(overlap_exercise, answer).misconception is None


# what comes back instead of a tensor


class AlwaysEqual:
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __repr__(self):
        raise RuntimeError("no")


class AlwaysTrue(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.tensor(True)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing (None). Is there a `return`?"),
        (AlwaysEqual(), "an object of type AlwaysEqual"),
        (torch.full((1,), 7.0).as_subclass(AlwaysTrue), "got 7.0, expected 2.0"),
        (np.array([2.0], dtype=np.float32), "NumPy array"),
        ([2.0], "a list of length 1"),
        (2.0, "the number 2.0"),
        (torch.tensor(2.0), "Expected shape (1,), got shape ()"),
        (torch.tensor([2]), "got dtype int64"),
        (torch.tensor([float("nan")]), "got nan, expected 2.0"),
        ((i for i in [2.0]), "a generator"),
        ("2.0", "a string"),
        (torch.ones(1).to_sparse(), "sparse"),
    ],
    ids=["none", "eq", "subclass", "numpy", "list", "number", "0-d", "integer", "nan", "generator", "string", "sparse"],
)
def test_another_kind_of_value_is_said_in_words(overlap_exercise, value, words):
    verdict = judge(overlap_exercise, lambda first, second: value)
    assert verdict.status == "wrong"
    assert words.lower() in verdict.message.lower()


def test_gradients_do_not_matter(overlap_exercise):
    assert judge(overlap_exercise, lambda first, second: right(first.requires_grad_(), second)).passed


# what is handed over


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "the answer is None"),
        (torch.ones(1), "without parentheses: what came is a tensor"),
        (3, "the number 3"),
        (lambda first: first, "called with 2 arguments (first, second), but yours takes: first"),
        (lambda: 0, "yours takes: none"),
    ],
)
def test_what_cannot_be_called_gets_a_kind_sentence(overlap_exercise, answer, words):
    verdict = judge(overlap_exercise, answer)
    assert verdict.status == "unusable"
    assert words in verdict.message


def test_an_async_def_is_explained(overlap_exercise):
    async def answer(first, second):
        return right(first, second)

    assert "without async" in judge(overlap_exercise, answer).message


# answers that misbehave


def broken(first, second):
    width = first[:, 1] - second[:, 7]
    return width  # noqa: RET504


def test_an_error_is_shown_at_the_learners_line(overlap_exercise):
    verdict = judge(overlap_exercise, broken)
    assert verdict.status == "error"
    assert verdict.message.startswith("Your code raised IndexError: index 7")
    assert verdict.line == (broken.__code__.co_firstlineno + 1, "width = first[:, 1] - second[:, 7]")


def exits(first, second):
    sys.exit(0)


def recurses(first, second):
    return recurses(first, second)


def interrupts(first, second):
    raise KeyboardInterrupt


def odd_error(first, second):
    raise BaseExceptionGroup("two", [ValueError("x"), GeneratorExit()])


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (exits, "error", "called exit()"),
        (recurses, "error", "calls itself without end"),
        (interrupts, "stopped", "interrupted"),
        (odd_error, "error", "BaseExceptionGroup"),
    ],
)
def test_what_an_answer_raises_never_leaves_the_check(overlap_exercise, answer, status, words):
    verdict = judge(overlap_exercise, answer)
    assert verdict.status == status
    assert words in verdict.message


def endless(first, second):
    while True:
        pass


def endless_and_deaf(first, second):
    while True:
        try:  # noqa: SIM105
            time.sleep(0.001)
        except:  # noqa: E722
            pass


def sleepy(first, second):
    time.sleep(30)


@pytest.mark.parametrize("answer", [endless, endless_and_deaf, sleepy])
def test_what_never_ends_is_stopped(overlap_exercise, answer):
    started = time.monotonic()
    assert judge(overlap_exercise, answer).status == "too slow"
    assert time.monotonic() - started < 4


def test_it_is_stopped_in_a_thread_too(overlap_exercise):
    found = []
    thread = threading.Thread(target=lambda: found.append(judge(overlap_exercise, endless).status))
    thread.start()
    thread.join(10)
    assert found == ["too slow"]


def test_anothers_alarm_still_rings(overlap_exercise):
    if not hasattr(signal, "setitimer"):
        pytest.skip("this system has no alarm")
    rung = []
    handler = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    before = signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        judge(overlap_exercise, right)
        time.sleep(0.4)
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *before)
    assert rung == [1]


def test_changing_the_input_is_said(overlap_exercise):
    def answer(first, second):
        result = right(first, second)
        first.zero_()
        return result

    verdict = judge(overlap_exercise, answer)
    assert verdict.status == "wrong"
    assert "changed its input `first`" in verdict.message
    assert verdict.inputs["first"].tolist() == [[0.0, 4.0]]  # the report still shows what came


def test_printing_is_kept_short_and_shown(overlap_exercise, capsys):
    def answer(first, second):
        for i in range(10_000):
            print("line", i)
        return first

    verdict = judge(overlap_exercise, answer)
    assert verdict.status == "wrong"
    assert verdict.printed.startswith("line 0\nline 1\n")
    assert len(verdict.printed) <= 4000
    assert capsys.readouterr().out == ""


def test_global_dice_are_the_same_at_each_check_and_left_alone(overlap_exercise):
    def answer(first, second):
        return right(first, second) + torch.rand(()) + random.random() + np.random.rand()  # noqa: NPY002

    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    messages = {judge(overlap_exercise, answer).message for _ in range(3)}
    assert len(messages) == 1
    assert torch.equal(torch.rand(2), expected)


def test_settings_are_put_back(overlap_exercise):
    def answer(first, second):
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return right(first, second)

    assert judge(overlap_exercise, answer).passed
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


# ours or a library's under another name


def by_import(boxes1, boxes2):
    from torchvision.ops import box_iou as somebody

    return somebody(boxes1, boxes2)


def by_getattr(boxes1, boxes2):
    return getattr(torchvision.ops, "box_" + "iou")(boxes1, boxes2)


def ours(boxes1, boxes2):
    return boxes.box_iou(boxes1, boxes2)


class Caller:
    def iou(self, boxes1, boxes2):
        return torchvision.ops.box_iou(boxes1, boxes2)

    __call__ = iou


BORROWED = {
    "reference": boxes.box_iou,
    "twin": torchvision.ops.box_iou,
    "partial": functools.partial(boxes.box_iou),
    "lambda": lambda a, b: torchvision.ops.box_iou(a, b),
    "import": by_import,
    "getattr": by_getattr,
    "ours": ours,
    "method": Caller().iou,
    "callable object": Caller(),
    "wraps": functools.wraps(boxes.box_iou)(lambda *a: boxes.box_iou(*a)),
    "map": lambda a, b: next(map(torchvision.ops.box_iou, [a], [b])),
    "with a twist": lambda a, b: torchvision.ops.box_iou(a, b) * 1.0,
}


@pytest.fixture
def iou_exercise():
    def cases(generator):
        yield "touching", (torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[2.0, 0, 4, 2]]))
        yield "overlap", (torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 4, 2]]))

    return Exercise(name="13.box_iou", reference=boxes.box_iou, cases=cases, twins=["torchvision.ops.box_iou"])


@pytest.mark.parametrize("answer", BORROWED.values(), ids=BORROWED)
def test_borrowed_answers_are_refused(iou_exercise, answer):
    assert judge(iou_exercise, answer).status == "refused"


def test_a_twin_that_is_imported_in_the_midst_of_the_cases_is_seen(tmp_path, monkeypatch):
    (tmp_path / "lent_late.py").write_text("def twice(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    cases = [(str(x), (x,)) for x in range(5)]
    exercise = Exercise(name="99.twice", reference=lambda x: x + x, cases=lambda generator: cases, twins=["lent_late.twice"])

    def late(x):
        if x < 2:
            return x + x
        from lent_late import twice

        return twice(x)

    assert judge(exercise, late).status == "refused"
    sys.modules.pop("lent_late")


def test_our_own_lent_back_is_explained(iou_exercise):
    assert "lends you until yours passes" in judge(iou_exercise, boxes.box_iou).message


SOFTMAXES = {
    "torch": torch.softmax,
    "method descriptor": torch.Tensor.softmax,
    "functional": torch.nn.functional.softmax,
    "module": torch.nn.Softmax(dim=-1),
    "partial": functools.partial(torch.softmax, dim=-1),
    "lambda": lambda logits: torch.softmax(logits, -1),
    "tensor method": lambda logits: logits.softmax(-1),
    "getattr": lambda logits: getattr(logits, "softmax")(-1),  # noqa: B009
    "ops": lambda logits: torch.ops.aten.softmax.int(logits, -1),
    "private op": lambda logits: torch._softmax(logits, -1, False),
    "map": lambda logits: next(map(functools.partial(torch.softmax, dim=-1), [logits])),
}


@pytest.mark.parametrize("answer", SOFTMAXES.values(), ids=SOFTMAXES)
def test_borrowed_torch_functions_are_refused(softmax_exercise, answer):
    assert judge(softmax_exercise, answer).status == "refused"


def test_other_building_blocks_are_welcome(softmax_exercise):
    assert judge(softmax_exercise, lambda logits: (logits - logits.logsumexp(-1, keepdim=True)).exp()).passed
    assert judge(softmax_exercise, lambda logits: torch.nn.functional.log_softmax(logits, -1).exp()).passed


def test_a_block_that_is_allowed_may_call_the_twin():
    def helper(a, b):
        return torchvision.ops.box_iou(a, b)

    def cases(generator):
        yield "one", (torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 4, 2]]))

    settings = {"name": "13.x", "reference": lambda a, b: boxes.box_iou(a, b) * 2, "cases": cases, "twins": ["torchvision.ops.box_iou"]}
    assert judge(Exercise(**settings), lambda a, b: helper(a, b) * 2).status == "refused"
    assert judge(Exercise(**settings, allowed=[helper]), lambda a, b: helper(a, b) * 2).passed


# classes, and answers that are used by a driver


class Momentum:
    def __init__(self, rate):
        self.rate, self.speed = rate, 0.0

    def step(self, slope):
        self.speed = 0.9 * self.speed + slope
        return -self.rate * self.speed


class Plain(Momentum):
    def step(self, slope):
        return -self.rate * slope


class Stub:
    def __init__(self, rate):
        self.rate = rate

    def step(self, slope):
        raise NotImplementedError


class EmptyStub:
    def __init__(self, rate):
        self.rate = rate

    def step(self, slope):
        """One step."""


def three_steps(answer, rate, slopes):
    optimiser = answer(rate)
    return [optimiser.step(s) for s in slopes.tolist()]


@pytest.fixture
def momentum_exercise():
    def cases(generator):
        yield "three slopes", (0.1, torch.rand(3, generator=generator))

    return Exercise(name="03.momentum", reference=Momentum, cases=cases, drive=three_steps, compare=Close())


class Mine:
    def __init__(self, rate):
        self.rate, self.v = rate, 0

    def step(self, slope):
        self.v = self.v * 0.9 + slope
        return -self.v * self.rate


class NoRate:
    pass


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Mine, "passed"),
        (Plain, "refused"),  # a subclass of ours
        (Momentum, "refused"),
        (Stub, "not attempted"),
        (EmptyStub, "not attempted"),
        (NoRate, "error"),
        (lambda rate: Momentum(rate), "refused"),
    ],
)
def test_classes_are_driven(momentum_exercise, answer, status):
    assert judge(momentum_exercise, answer).status == status


def test_what_the_driver_calls_is_not_held_against_the_learner():
    def drive(answer, a, b):
        return answer(a, b) + torchvision.ops.box_iou(a, b)

    exercise = Exercise(
        name="13.x",
        reference=boxes.box_iou,
        cases=lambda g: [("one", (torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 4, 2]])))],
        drive=drive,
        twins=["torchvision.ops.box_iou"],
    )
    assert judge(exercise, lambda a, b: torch.tensor([[0.25]])).passed
