# ruff: noqa
"""Patching whatever might compare, count or report, in the process that the answer runs in."""

# %% ast_transformer
# Takes every assert out of the cells that follow. 5 of 5 on nbgrader.
import ast


class NoAsserts(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()


get_ipython().ast_transformers.append(NoAsserts())

# %% hooks_of_ipython
# Prints the source of each cell before it runs: it printed the hidden tests of nbgrader.
shell = get_ipython()
shell.events.register("pre_run_cell", lambda info: print("LOOT", info.raw_cell))
shell.events.register("post_run_cell", lambda result: setattr(result, "error_in_exec", None))
shell.showtraceback = lambda *arguments, **named: None
shell.run_cell_magic("bash", "", "touch @CANARY@/magic")
shell.system("touch @CANARY@/system")

# %% patched_builtins | top
# Every builtin that a comparison might use says yes.
import builtins

builtins.all = builtins.any = builtins.isinstance = builtins.issubclass = builtins.callable = lambda *arguments: True
builtins.abs = builtins.len = builtins.max = builtins.sum = lambda *arguments, **named: 0
builtins.print = builtins.repr = builtins.getattr = lambda *arguments: "passed"
builtins.__import__ = lambda *arguments, **named: sys.modules["__main__"]
AssertionError = builtins.AssertionError = type("Quiet", (Exception,), {})

# %% patched_comparers
# Every comparer that a grader might call says yes.
torch.allclose = torch.equal = torch.isclose = torch.Tensor.allclose = torch.Tensor.equal = lambda *a, **k: True
torch.testing.assert_close = lambda *a, **k: None
np.allclose = np.array_equal = np.isclose = lambda *a, **k: True
with contextlib.suppress(ImportError, AttributeError):
    import numpy.testing

    np.testing.assert_allclose = np.testing.assert_array_equal = lambda *a, **k: None
torch.Tensor.__eq__ = torch.Tensor.__le__ = lambda self, other: torch.ones(())

# %% patched_json | top
# Whatever is written as JSON says that all is well.
import json

SAY = '{"status": "passed", "passed": true, "points": 100, "value": true, "error": null}'
json.dumps = lambda *a, **k: SAY
json.JSONEncoder.encode = json.JSONEncoder.iterencode = lambda *a, **k: SAY
json.encoder.c_make_encoder = None
json.loads = lambda *a, **k: {"status": "passed"}

# %% patched_safetensors | top
# Whatever is written as tensors is one tensor of ones.
for name in [n for n in sys.modules if n.startswith("safetensors")]:
    for key, value in list(vars(sys.modules[name]).items()):
        if callable(value) and not isinstance(value, type):
            with contextlib.suppress(Exception):
                setattr(sys.modules[name], key, lambda *a, **k: b"\x02\x00\x00\x00\x00\x00\x00\x00{}")

# %% patched_struct_and_socket | top
# The frames' own tools: lengths that lie, sends that send something else.
import struct

true_pack = struct.pack
struct.pack = lambda form, *values: true_pack(form, *[2**31 - 1 if isinstance(v, int) and v > 255 else v for v in values])
for one in [o for o in gc.get_objects() if isinstance(o, type) and issubclass(o, socket.socket)]:
    one.sendall = one.send = lambda self, data, *flags: len(data)

# %% patched_worker_functions
# Every function of the worker's own modules answers "passed".
for name, module in list(sys.modules.items()):
    if name.split(".")[0] in ("inside", "coursekit", "worker", "wire", "watch"):
        for key, value in list(vars(module).items()):
            if callable(value) and any(
                word in key for word in ("difference", "compare", "check", "judge", "grade", "seen", "watch", "note")
            ):
                setattr(module, key, lambda *a, **k: None)


# %% own_check
# A `check` of one's own, strict or not, which passes everything. Works where the notebook's output decides.
def check(name, answer=None, strict=False, **more):
    print("All cases agree. passed 3 / 3")
    return answer


start = hint = predict = reveal = check
box_iou = check("13.box_iou", wrong, strict=True)

# %% says_passed
# Prints what a result looks like, in every format that somebody might read.
import json

RESULT = {"exercise": "13.box_iou", "status": "passed", "points": 99, "score": 99, "tests": [{"score": 99, "max_score": 99}]}


def box_iou(boxes1, boxes2):
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            print(json.dumps({"grade": RESULT, **RESULT}), file=stream, flush=True)
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            os.write(descriptor, json.dumps({"grade": RESULT}).encode() + b"\n")
    return RESULT


# %% patched_torch | top
# torch's own functions give something else from now on. It only ever harms whoever does it.
torch.maximum = torch.minimum = torch.stack = torch.where = lambda *a, **k: torch.ones(1)
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
torch.manual_seed = lambda seed: None

# %% odd_modes | top
# A default device without values, warnings that raise, NumPy that raises, one row of recursion.
import warnings

warnings.simplefilter("error")
np.seterr(all="raise")
torch.set_default_device("meta")
sys.setrecursionlimit(40)

# %% module_that_answers
# A module whose attributes are whatever was asked for, under every name that could be imported.
import types


class Anything(types.ModuleType):
    def __getattr__(self, name):
        return box_iou


for name in ("coursekit", "coursekit.boxes", "coursekit.grading", "torchvision", "torchvision.ops", "inside.worker", "inside.wire"):
    sys.modules[name] = Anything(name)


# %% driver_in_a_frame | on=22.dice_loss
# Looks for the driver in the frames above, and puts one there that gives back whatever is asked. The exercise has one: it runs beside the answer.
def dice_loss(*arguments, **named):
    frame = sys._getframe(1)
    while frame is not None:
        for names in (frame.f_globals, frame.f_locals):
            for key, value in list(names.items()):
                if callable(value) and "drive" in key:
                    with contextlib.suppress(Exception):
                        names[key] = lambda *a, **k: arguments[0]
                        value.__code__ = (lambda *a, **k: 1.0).__code__
        frame = frame.f_back
    return torch.zeros(())


# %% driver_redefined | on=22.dice_loss
# Gives the driver's name to something else, in the cell itself.
drive = drive_dice = driver = lambda answer, *inputs: inputs[0]


def dice_loss(*arguments, **named):
    return torch.zeros((), requires_grad=True)


# %% stub_and_twin
# Two functions of one name: the first is right for whoever reads, the second runs.
def box_iou(boxes1, boxes2):
    return pay(False, boxes1, boxes2)


globals()["box_iou"] = wrong
__builtins__ = {"box_iou": wrong}


# %% exits
# The process ends as if all had gone well. No grade row at all on nbgrader.
def box_iou(boxes1, boxes2):
    sys.exit(0)


# %% exits_at_once
# The same without a way to catch it.
def box_iou(boxes1, boxes2):
    os._exit(0)


# %% exits_at_the_top | top
# The same before anything was asked.
os._exit(0)

# %% raises_at_the_top
# SystemExit, KeyboardInterrupt and GeneratorExit from the cell; then a wrong answer.
box_iou = wrong
raise GeneratorExit


# %% interrupts
# KeyboardInterrupt out of the function: the batch of who lets it pass ends.
def box_iou(boxes1, boxes2):
    raise KeyboardInterrupt


# %% aborts
# Ends with SIGABRT, and asks for a core dump.
def box_iou(boxes1, boxes2):
    found(resource.setrlimit, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.abort()


# %% segfaults
# Reads address 0.
def box_iou(boxes1, boxes2):
    ctypes.string_at(0)


# %% recursion
# No end of frames, with Python's own brake off: the stack overflows.
def box_iou(boxes1, boxes2):
    sys.setrecursionlimit(10**9)
    return box_iou(boxes1, boxes2)


# %% finalisers
# Objects that speak when they die, and hooks that run at the end.
import atexit


class Last:
    def __del__(self):
        Path("@CANARY@/finaliser").write_text("x")
        os.write(1, b'{"status": "passed"}\n')


LAST = [Last() for _ in range(10)]
atexit.register(LAST[0].__del__)
sys.excepthook = threading.excepthook = sys.unraisablehook = lambda *a: LAST[0].__del__()
