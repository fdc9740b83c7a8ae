"""The sandboxed end, spoken to directly: what it makes of a learner's cells and of one call, on the best tier that works here."""

import platform
import time

import numpy as np
import pytest
import torch

if platform.system() != "Linux":
    pytest.skip("grading runs on Linux", allow_module_level=True)

from coursekit.grading.inside import wire
from coursekit.grading.inside.flags import flags_of
from coursekit.grading.inside.running import Runner, parse

JOB = {
    "exercise": "13.double",
    "setup": [],
    "modules": [],
    "driver": None,
    "driver_name": None,
    "answer": "double",
    "parameters": ["x"],
    "count": 1,
    "in_place": False,
    "watched": [],
    "allowed": [],
    "cells": [],
    "fallbacks": [],
    "own_cells": [],
}


class Talk:
    """A conversation with one worker."""

    def __init__(self, workers, *cells: str, packages=("numpy",), files=None, released=(), **more):
        numbered = [[n, source, n in released] for n, source in enumerate(cells, 1)]
        self.worker = workers.start(packages, files or {})
        self.send(b"J", {**JOB, "cells": numbered, **more})
        self.prepared, self.flags, self.ready = (self.read(kind) for kind in (b"P", b"F", b"R"))

    def send(self, kind: bytes, value) -> None:
        wire.send(self.worker.sock, kind, wire.pack(value), time.monotonic() + 20)

    def read(self, wanted: bytes):
        kind, payload = wire.receive(self.worker.sock, time.monotonic() + 60)
        assert kind == wanted
        return wire.unpack(payload)

    def ask(self, *arguments, index: int = 0, seconds: float = 5.0):
        self.send(b"C", {"index": index, "arguments": arguments, "seconds": seconds})
        return self.read(b"V")

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_) -> None:
        self.worker.kill()


@pytest.fixture
def talk(workers):
    opened = []

    def start(*cells: str, **more) -> Talk:
        opened.append(Talk(workers, *cells, **more))
        return opened[-1]

    yield start
    for one in opened:
        one.worker.kill()


RIGHT = "def double(x):\n    return 2 * x"

# --- cells


@pytest.mark.parametrize(
    "cells",
    [
        [RIGHT],
        ["import numpy as np", "import matplotlib.pyplot as plt\nplt.plot([1])", RIGHT],
        ["1 / 0", RIGHT],
        ["exit()", "raise KeyboardInterrupt", "import sys; sys.exit(3)", RIGHT],
        ["def broken(:", RIGHT],
        ["%matplotlib inline\n!pip install x\nfiles = !ls\nlen?\n" + RIGHT],
        ["%%time\n" + RIGHT],
        ["%%bash\nrm -rf /", RIGHT, "%%writefile x.py\nthis is (no python"],
        ["if True:\n    %timeit 1\n    !ls\n" + RIGHT],
        [
            "from coursekit.notebook import at, check, hint, predict, start\nstart('13_boxes')\nn = at(smoke=2, full=9)",
            RIGHT,
        ],
        [RIGHT + '\ndouble = check("13.double", double)\nhint("13.double")\npredict("q", "?", ["a", "b"]); reveal("q", 0)'],
        ["get_ipython().run_line_magic('matplotlib', 'inline')\ndisplay(1)", RIGHT],
        ["from __future__ import annotations\ndef f(x: nowhere): ...", RIGHT],
        ["from dataclasses import dataclass\n@dataclass\nclass Box:\n    x: float = 2\n", "def double(x):\n    return Box().x * x"],
        ["if __name__ == '__main__':\n    def double(x):\n        return 2 * x"],
        ["await something()", RIGHT],
        ["import warnings, sys\nwarnings.warn('careful')\nprint('x' * 10**6)\nprint('y', file=sys.stderr)", RIGHT],
        [RIGHT + '\ncheck("13.double", double)', "double = double(3)"],
        ["while True:\n    pass", RIGHT],
        ["def f():\n    try:\n        while True: pass\n    except BaseException:\n        pass\nf()", RIGHT],
    ],
    ids=lambda cells: cells[0].split("\n")[0][:40],
)
def test_the_answer_is_found_whatever_stands_around_it(talk, cells):
    it = talk(*cells)
    assert [it.ready[key] for key in ("found", "callable", "stub")] == [True, True, False]
    assert it.ask(4)["value"] == 8


def test_a_copied_stub_does_not_hide_what_was_written(talk):
    stubs = "def double(x):\n    raise NotImplementedError", "def double(x):\n    ..."
    assert talk(stubs[0], RIGHT, stubs[1], own_cells=[1, 2, 3]).ask(4)["value"] == 8
    assert talk(RIGHT + '\ncheck("13.double", double)', stubs[0] + '\ncheck("13.double", double)').ask(4)["value"] == 8
    assert talk(RIGHT, RIGHT.replace("2", "3"), stubs[0], own_cells=[1, 2, 3]).ask(4)["value"] == 12


def test_percent_signs_that_are_python_stay(talk):
    assert talk("!ls\ndef double(x):\n    return (2 * x\n        % 100)").ask(4)["value"] == 8
    assert len(parse("x = (7\n% 3)\ny = '''\n%time\n'''")) == 2


def test_a_cell_that_was_handed_out_gives_only_its_definitions(talk):
    it = talk(
        "import math\nN = 3\nM = math.sqrt(4)\nprint(1 / 0)\ndef half(x): return x / 2",
        "def double(x): return [N, 'M' in globals(), half(x)]",
        released=[1],
    )
    assert it.ask(8)["value"] == [3, False, 4.0]
    assert it.ready["notes"] == []


def test_what_failed_is_noted_with_its_line(talk):
    it = talk(RIGHT + "\n\nboxes[0]", "def f(:", "raise SystemExit")
    assert it.ready["notes"] == [
        [1, 4, "NameError", "name 'boxes' is not defined"],
        [2, 1, "SyntaxError", "invalid syntax"],
        [3, 1, "SystemExit", ""],
    ]


def test_cells_have_their_time_and_definitions_run_even_so(talk):
    began = time.monotonic()
    it = talk(*["while True: pass"] * 5, RIGHT, seconds=1.0)
    assert time.monotonic() - began < 8
    assert it.ask(1)["value"] == 2
    assert it.ready["notes"][0][2] == "time"


def test_no_answer_and_what_is_no_function(talk):
    assert talk("x = 1").ready == {"found": False, "notes": []}
    ready = talk("double = 3").ready
    assert (ready["found"], ready["callable"], ready["answer"]) == (True, False, 3)
    assert talk("double = ...").ready["ellipsis"] is True
    assert talk("def double(x):\n    '''To do.'''").ready["stub"] is True
    assert talk("def double(x, y): ...").ready["unfit"] == "It is called with 1 argument (x), but yours takes: x, y."


def test_the_authors_setup_and_earlier_answers_are_lent(talk):
    setup = ["import numpy as np", "raise ValueError", "def helper(x):\n    return np.asarray(x) + 1"]
    lent = [["13.triple", "def triple(x):\n    return helper(3 * x)\ntriple = check('13.triple', triple)\n1/0", "triple", True]]
    mine = "def triple(x):\n    return -1\ntriple = check('13.triple', triple)"
    answer = "def double(x):\n    return int(triple(x))"
    assert talk(mine, answer, setup=setup, fallbacks=lent).ask(2)["value"] == 7
    assert talk(answer, setup=setup, fallbacks=lent).ask(2)["value"] == 7  # they deleted that exercise
    assert talk(mine, answer, setup=setup).ask(2)["value"] == -1  # it passed


def test_what_is_lent_rests_on_the_authors_own_earlier_answers(talk):
    passed = ["13.one", "def one(x):\n    return x + 1", "one", False]
    lent = [passed, ["13.two", "def two(x):\n    return one(one(x))", "two", True]]
    theirs = "def one(x):\n    return x + 1\none = check('13.one', one)\ndef two(x): ...\ntwo = check('13.two', two)"
    assert talk(theirs, "def double(x):\n    return two(x)", fallbacks=lent).ask(2)["value"] == 4


def test_a_driver_uses_the_answer(talk):
    driver = "import numpy as np\ndef drive(answer, x):\n    made = answer()\n    return np.array([made.step(x), made.step(x)])"
    it = talk(
        "class double:\n    n = 0\n    def step(self, x):\n        self.n += x\n        return self.n", driver=driver, driver_name="drive"
    )
    assert it.ask(4)["value"].tolist() == [4, 8]
    assert it.prepared == {"fault": ""}
    assert "the driver does not load (SyntaxError" in talk(RIGHT, driver="def (", driver_name="drive").prepared["fault"]


def test_kit_modules_can_be_imported_and_their_dataclasses_travel(talk):
    source = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Pair:\n    a: int\n    b: object\n"
    files = {"coursekit/pair.py": source}
    it = talk("from coursekit.pair import Pair\ndef double(p):\n    return Pair(2 * p.a, p.b)", files=files, modules=["coursekit.pair"])
    it.worker.sock.settimeout(20)

    class Pair:
        pass

    payload = wire.pack({"index": 0, "arguments": None, "seconds": 5.0}).replace(b"null", b'["t",["D","Pair",["a",3],["b",["l"]]]]')
    payload = len(payload[4:]).to_bytes(4, "big") + payload[4:]
    wire.send(it.worker.sock, b"C", payload)
    reply = it.read(b"V")
    assert type(reply["value"]).__name__ == "Pair"  # this side was not told to build one


def test_coursekit_itself_is_not_there(talk):
    it = talk(
        "def double(x):\n    try:\n        from coursekit.boxes import box_iou\n    except ImportError as error:\n        return str(error)"
    )
    assert "coursekit.boxes" in it.ask(1)["value"]


# --- one call


def test_each_call_gets_fresh_arguments_and_the_same_dice(talk):
    body = "    held.append(x)\n    return [len(held), held[0] is x, np.random.rand(), random.random()]"
    it = talk(f"import numpy as np, random\nheld = []\ndef double(x):\n{body}")
    first, second, third = it.ask([1], index=3)["value"], it.ask([1], index=3)["value"], it.ask([1], index=4)["value"]
    assert first[2:] == second[2:] != third[2:]
    assert [first[:2], second[:2]] == [[1, True], [2, False]]


def test_torch_throws_the_same_dice_too(talk):
    it = talk("import torch\ntorch.set_default_dtype(torch.float64)\ndef double(x):\n    return torch.rand(2)", packages=("numpy", "torch"))
    first, second = it.ask(1)["value"], it.ask(1)["value"]
    assert torch.equal(first, second)
    assert first.dtype == torch.float32


@pytest.mark.parametrize(
    ("body", "argument", "changed"),
    [
        ("x += 1", np.zeros(2), "x"),
        ("x[0] = float('nan')", np.full(2, np.nan), None),
        ("x.append(1)", [1], "x"),
        ("x['a'][0] += 1", {"a": np.zeros(1)}, "x"),
        ("x = x + 1", np.zeros(2), None),
    ],
)
def test_a_changed_argument_is_named(talk, body, argument, changed):
    it = talk(f"def double(x):\n    {body}\n    return 0")
    assert it.ask(argument).get("changed") == changed
    it = talk(f"def double(x):\n    {body}\n    return 0", in_place=True)
    assert "changed" not in it.ask(argument)


def test_a_gradient_asked_of_an_argument_is_no_change(talk):
    it = talk("def double(x):\n    x.requires_grad_()\n    return 2 * x", packages=("numpy", "torch"))
    assert it.ask(torch.ones(2))["changed"] is None


@pytest.mark.parametrize(
    ("body", "kind", "text", "line"),
    [
        ("return x[9]", "IndexError", "list index out of range", [2, "return x[9]"]),
        ("return double(x)", "RecursionError", "maximum recursion depth exceeded", [2, "return double(x)"]),
        ("raise SystemExit", "SystemExit", "", [2, "raise SystemExit"]),
        ("exit(3)", "SystemExit", "", [2, "exit(3)"]),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "", [2, "raise KeyboardInterrupt"]),
        ("return undefined", "NameError", "name 'undefined' is not defined", [2, "return undefined"]),
        ("raise ValueError('a\\nb' * 9)", "ValueError", "a", [2, "raise ValueError('a\\nb' * 9)"]),
        ("class E(Exception):\n        def __str__(self): 1 / 0\n    raise E", "E", "", [4, "raise E"]),
    ],
)
def test_what_an_answer_raises_comes_as_words(talk, body, kind, text, line):
    it = talk(f"def double(x):\n    {body}")
    got = it.ask([1])["raised"]
    assert got[:1] + got[2:] == [kind, line, False, False]
    assert got[1].startswith(text)
    assert it.ask([1])["raised"] == got  # and it lives on


def test_the_stub_is_told_from_an_error(talk):
    assert talk("def double(x):\n    raise NotImplementedError").ask(1)["raised"][3:] == [True, False]
    assert talk("def double(x):\n    y = x * 2\n    raise NotImplementedError").ask(1)["raised"][3:] == [True, True]


@pytest.mark.parametrize(
    ("body", "name"),
    [("yield x", "generator"), ("return (n for n in x)", "generator"), ("return {1}", "set"), ("return double", "function")],
)
def test_what_is_no_data_comes_as_its_name(talk, body, name):
    assert type(talk(f"def double(x):\n    {body}").ask([1])["value"]).__name__ == name


def test_a_coroutine_is_closed_without_a_warning(talk):
    assert type(talk("async def double(x):\n    return 1").ask(1)["value"]).__name__ == "coroutine"


def test_prints_are_kept_in_part(talk):
    it = talk("import sys\ndef double(x):\n    print('é' * x)\n    print('b', file=sys.stderr)\n    return x")
    assert it.ask(3)["printed"] == "ééé\nb\n"
    assert len(it.ask(10**6)["printed"]) == 4000


def test_too_slow_is_stopped_and_it_lives_on(talk):
    it = talk("def double(x):\n    while x:\n        try:\n            pass\n        except Exception:\n            pass\n    return 1")
    assert it.ask(1, seconds=0.3)["slow"] is True
    assert it.ask(0)["value"] == 1


@pytest.mark.parametrize(
    "body", ["a = []\n    a.append(a)\n    return a", "return [0] * 10**6", "return 'a' * 10**7", "return np.zeros(10**8)"]
)
def test_too_much_comes_as_such(talk, body):
    it = talk(f"import numpy as np\ndef double(x):\n    {body}")
    assert "can be handed over" in it.ask(1)["large"]
    assert "can be handed over" in it.ask(1)["large"]


def test_a_memory_bomb_is_an_error_of_that_call(talk):
    it = talk("def double(x):\n    return len(bytearray(x))")
    assert it.ask(10**12)["raised"][0] == "MemoryError"
    assert it.ask(10)["value"] == 10


def test_a_library_twin_is_noticed(talk):
    sort = talk("import numpy as np\ndouble = lambda x: np.sort(x)", watched=["numpy.sort"])
    assert sort.ask(np.arange(3))["borrowed"] == "numpy.sort"
    assert talk("from numpy import sort as double", watched=["numpy.sort"]).ready["twin"] == "numpy.sort"
    softmax = talk("def double(x):\n    return x.softmax(0)", watched=["torch.softmax"], packages=("numpy", "torch"))
    assert softmax.ask(torch.ones(2))["borrowed"] == "torch.softmax"
    own = talk("def double(x):\n    return x.exp() / x.exp().sum()", watched=["torch.softmax"], packages=("numpy", "torch"))
    assert own.ask(torch.ones(2))["borrowed"] is None


def test_where_torch_is_not_declared_it_is_not_there(talk):
    it = talk("def double(x):\n    import sys, torch\n    return 1", watched=["numpy.sort"])
    assert it.ask(1)["raised"][0] in ("ModuleNotFoundError", "ImportError")


# --- without a sandbox


@pytest.mark.parametrize(
    ("source", "flags"),
    [
        ("import sys\nsys.setprofile(None)\nsys._getframe(1).f_back", ["setprofile", "_getframe", "f_back"]),
        ("import gc, ctypes\nfrom importlib import import_module", ["gc", "ctypes", "importlib"]),
        ("from os import _exit\nx = __builtins__\neval('1')", ["os._exit", "__builtins__", "eval()"]),
        ("torch.ops.aten.add(1, 2)", ["torch.ops"]),
        ("f.__globals__, f.__closure__", ["__globals__", "__closure__"]),
        ("import numpy as np\nmodel.eval()\nx = np.compile", []),
        ("def broken(:", []),
        ("%time\nimport gc", ["gc"]),
        ("(" * 500, []),
        ("-" * 100_000 + "1", []),
        ("x = 1\0", []),
    ],
)
def test_what_catches_the_eye(source, flags):
    assert sorted(flags_of([source, source])) == sorted(flags)


@pytest.mark.parametrize("source", ["-" * 100_000 + "1", "x = \0", "a" + ".b" * 50_000, "[" * 90 + "]" * 90])
def test_source_that_no_parser_likes_is_a_note_at_most(source):
    runner = Runner({}, 5.0)
    runner.run(source, "<ipython-input-1>")
    assert len(runner.notes) <= 1
