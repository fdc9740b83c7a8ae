# ruff: noqa
"""Answers that lie about what they are, or that do something when they are looked at."""


# %% eq_says_yes
# A tensor whose every comparison says yes. Full marks on nbgrader and on otter.
class Yes(torch.Tensor):
    def __eq__(self, other):
        return torch.ones(self.shape, dtype=torch.bool)

    __ne__ = __lt__ = __gt__ = __sub__ = __rsub__ = lambda self, other: torch.zeros(self.shape)
    allclose = equal = isclose = lambda self, *other, **more: True


def box_iou(boxes1, boxes2):
    return wrong(boxes1, boxes2).as_subclass(Yes)


# %% class_lies
# No tensor at all, but `__class__`, `shape` and `dtype` say so; isinstance believes it. Works on graders that ask isinstance.
class Liar:
    __class__ = torch.Tensor
    dtype, ndim, device, requires_grad, is_sparse = torch.float32, 2, torch.device("cpu"), False, False

    def __init__(self, shape):
        self.shape = torch.Size(shape)

    def __getattr__(self, name):
        return lambda *arguments, **more: self

    __eq__ = __bool__ = __le__ = lambda self, *other: True


def box_iou(boxes1, boxes2):
    return Liar((len(boxes1), len(boxes2)))


# %% torch_function
# A subclass whose `__torch_function__` answers for every function of torch. Works on torch.allclose and torch.testing.
class Answers(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, arguments=(), named=None):
        if function.__name__ in ("allclose", "equal", "isclose", "all", "item", "__bool__", "eq", "le"):
            return True
        return super().__torch_function__(function, types, arguments, named or {})


def box_iou(boxes1, boxes2):
    return wrong(boxes1, boxes2).as_subclass(Answers)


# %% torch_dispatch
# A wrapper with no values of its own, which computes whatever it is asked for.
class Wrapper(torch.Tensor):
    @staticmethod
    def __new__(cls, shape):
        return torch.Tensor._make_wrapper_subclass(cls, shape, dtype=torch.float32)

    @classmethod
    def __torch_dispatch__(cls, function, types, arguments=(), named=None):
        return torch.ones(())


def box_iou(boxes1, boxes2):
    return Wrapper((len(boxes1), len(boxes2)))


# %% array_protocol
# An object that turns into whatever array the comparison needs. Works on np.testing.assert_allclose.
class Chameleon:
    __array_priority__ = 1e9

    def __array__(self, *arguments, **named):
        return np.full((2, 3), np.nan)

    def __array_ufunc__(self, function, method, *inputs, **named):
        return True

    def __array_function__(self, function, types, arguments, named):
        return True


def box_iou(boxes1, boxes2):
    return Chameleon()


# %% array_subclass | on=20.match_detections
# An ndarray whose operators and reductions say that all is well. Works on np.allclose.
class Kind(np.ndarray):
    def __array_finalize__(self, other):
        pass

    def __array_ufunc__(self, function, method, *inputs, **named):
        return np.ones(self.shape, dtype=bool)

    def all(self, *arguments, **named):
        return True

    astype = __eq__ = lambda self, *arguments, **named: np.ones(self.shape, dtype=bool)


def match_detections(iou, threshold):
    return np.full(len(iou), -7).view(Kind)


# %% float_subclass | on=20.ap_at_points
# A float that is close to everything (inducer/relate #295).
class Close(float):
    __eq__ = __le__ = __lt__ = __ge__ = __bool__ = lambda self, *other: True
    __sub__ = __rsub__ = __abs__ = __mul__ = lambda self, *other: Close(0.0)
    __float__ = lambda self: 0.5


def ap_at_points(recall, precision, points):
    return Close(0.123)


# %% numpy_float_subclass | on=20.ap_at_points
# The same, from NumPy's own family.
class Close64(np.float64):
    __eq__ = __le__ = __lt__ = __ge__ = __bool__ = lambda self, *other: True
    __sub__ = __rsub__ = __abs__ = lambda self, *other: np.float64(0.0)


def ap_at_points(recall, precision, points):
    return Close64(0.123)


# %% dict_and_list_subclasses
# Containers that change while they are read, without end.
class Endless(list):
    def __len__(self):
        return 1 << 40

    def __iter__(self):
        while True:
            yield wrong(torch.zeros(1, 4), torch.zeros(1, 4))


class Keys(dict):
    def items(self):
        while True:
            yield "boxes", Endless()

    keys = values = __iter__ = items


def box_iou(boxes1, boxes2):
    return Keys(boxes=Endless([1]))


# %% pickle_in_result
# Runs code wherever it is unpickled: code execution in the grading process of otter (run), and on its host.
class Payload:
    def __reduce__(self):
        return os.system, ("touch @CANARY@/unpickled",)


def box_iou(boxes1, boxes2):
    return Payload()


# %% pickle_in_array | on=20.match_detections
# An object array: np.save pickles what is in it, np.load(allow_pickle=True) runs it.
class Payload:
    def __reduce__(self):
        return os.system, ("touch @CANARY@/unpickled_array",)


def match_detections(iou, threshold):
    return np.array([Payload()] * len(iou), dtype=object)


# %% dataclass_with_properties
# A dataclass whose fields are code, under the name of one of ours.
import dataclasses


@dataclasses.dataclass
class Detections:
    boxes: object
    scores: object

    def __getattribute__(self, name):
        if name in ("boxes", "scores"):
            os.system("touch @CANARY@/property")
        return object.__getattribute__(self, name)


Detections.__module__ = "coursekit.detections"


def box_iou(boxes1, boxes2):
    return Detections(boxes1, boxes2)


# %% nan_everywhere
# NaN compares false to everything, so `not (difference > tolerance)` is true.
def box_iou(boxes1, boxes2):
    return wrong(boxes1, boxes2) + float("nan")


# %% infinite_everywhere | on=20.ap_at_points
# Infinity, which is what JSON cannot say and Python's json says all the same.
def ap_at_points(recall, precision, points):
    return float("inf")


# %% huge_integer | on=20.ap_at_points
# An integer of 20,000 digits: Python 3.11 refuses to print or read one above 4,300.
def ap_at_points(recall, precision, points):
    return 10**20_000


# %% integer_past_64_bits | on=20.match_detections
# Integers that fit no array.
def match_detections(iou, threshold):
    return [2**200] * len(iou)


# %% expanded_to_a_petabyte
# A tensor of 10^15 elements that takes four bytes, until somebody copies it.
def box_iou(boxes1, boxes2):
    return torch.zeros(1).expand(10**15)


# %% odd_tensors
# Sparse, quantised, meta, complex, half, nested: a different one at each call.
KINDS = [
    lambda a: a.to_sparse(),
    lambda a: torch.quantize_per_tensor(a, 0.1, 0, torch.quint8),
    lambda a: a.to("meta"),
    lambda a: a + 0j,
    lambda a: a.bfloat16(),
    lambda a: torch.nested.nested_tensor([a, a]),
    lambda a: a.refine_names("N", "M"),
    lambda a: a.to(torch.float8_e4m3fn),
    lambda a: torch._neg_view(a),
]


def box_iou(boxes1, boxes2):
    KINDS.append(KINDS.pop(0))
    return KINDS[-1](wrong(boxes1, boxes2))


# %% contains_itself
# A list that holds itself: whoever walks through it never comes back.
def box_iou(boxes1, boxes2):
    ring = []
    ring.append(ring)
    return ring


# %% nested_a_million_deep
# A list in a list in a list. A RecursionError in json, a crash in C code that does not count.
def box_iou(boxes1, boxes2):
    nest = []
    for _ in range(1_000_000):
        nest = [nest]
    return nest


# %% million_small_arrays
# A million arrays of one number each: safetensors took 100,000 empty ones without a word.
def box_iou(boxes1, boxes2):
    one = torch.zeros(1)
    return [one] * 1_000_000


# %% million_different_keys | full
# A dict of a million keys.
def box_iou(boxes1, boxes2):
    return dict.fromkeys(range(1_000_000), 0)


# %% huge_result
# A tensor of 400 MB where 24 bytes were asked for.
def box_iou(boxes1, boxes2):
    return torch.zeros(10_000, 10_000)


# %% huge_string | full
# A string of 200 MB.
def box_iou(boxes1, boxes2):
    return "all cases agree " * (200 << 16)


# %% half_a_character
# A lone surrogate: a str that no encoder takes. Ends whoever writes the report.
def box_iou(boxes1, boxes2):
    print("\ud800 printed")
    return "\udfff\ud800"


# %% half_a_character_raised
# The same in an exception, with a class name that is markup.
Odd = type("<b>\ud800</b>", (Exception,), {})


def box_iou(boxes1, boxes2):
    raise Odd("\udcff\x00\x1b[2J")


# %% generator
# A generator, a coroutine, a module, a function, a type: things that no grader asked for.
def forever():
    while True:
        yield 0.0


async def later():
    return 0


THINGS = [forever(), later(), os, len, int, object(), threading.Lock(), sys.stdout, memoryview(b"abc"), ..., NotImplemented]


def box_iou(boxes1, boxes2):
    THINGS.append(THINGS.pop(0))
    return THINGS[-1]


# %% error_that_hangs
# An exception whose text never ends, and whose repr raises.
class Hangs(Exception):
    def __str__(self):
        while True:
            pass

    def __repr__(self):
        raise self


def box_iou(boxes1, boxes2):
    raise Hangs


# %% error_without_a_name
# An exception class whose metaclass raises when it is asked for its name, its module or its bases.
class Meta(type):
    def __getattribute__(cls, name):
        if name in ("__name__", "__qualname__", "__module__", "__mro__"):
            raise SystemExit(0)
        return type.__getattribute__(cls, name)


class Nameless(BaseException, metaclass=Meta):
    __traceback__ = property(lambda self: 1 / 0)


def box_iou(boxes1, boxes2):
    raise Nameless


# %% error_of_a_hundred_megabytes | full
# An exception with a text of 100 MB, all of it on one line.
def box_iou(boxes1, boxes2):
    raise ValueError("x" * (100 << 20))


# %% callable_that_is_none
# No function but an object with a signature that raises, a code object that lies and a name that exits.
class Callable:
    @property
    def __signature__(self):
        raise SystemExit(0)

    @property
    def __code__(self):
        raise KeyboardInterrupt

    @property
    def __name__(self):
        os._exit(0)

    def __call__(self, boxes1, boxes2):
        return wrong(boxes1, boxes2)


box_iou = Callable()


# %% large_results_kept
# 30 MB at every call, just under what one frame may hold: whoever keeps them all until the end needs a gigabyte.
def box_iou(boxes1, boxes2):
    return torch.zeros(7_000_000)


# %% text_kept
# A million characters of text in small pieces at every call.
def box_iou(boxes1, boxes2):
    return ["x" * 100] * 9000


# %% keys_with_one_hash | full
# A dict of integers that all have one hash: whoever builds it again compares each with each. As an attack on the worker alone it is slow too.
def box_iou(boxes1, boxes2):
    return {(2**61 - 1) * (8 + k): 0 for k in range(6000)}


# %% hidden_cases_told
# Prints, raises and names whatever is asked that is not among the public cases, to read it in the feedback.
def box_iou(boxes1, boxes2):
    text = f"HEARD {boxes1.tolist()} {boxes2.tolist()}"
    print(text)
    answer = pay(True, boxes1, boxes2)
    fractions = bool((boxes1 != boxes1.round()).any())
    box_iou.calls = getattr(box_iou, "calls", 0) + 1
    if box_iou.calls > 20:
        raise type("HEARD", (ValueError,), {})(text)
    return answer


# %% fixed_cases_by_heart | on=13.box_convert share
# Knows by heart what is asked of everybody, and does one of nine directions: it should get little for that.
def box_convert(boxes, in_fmt, out_fmt):
    a, b, c, d = boxes.unbind(dim=1)
    whole = bool((boxes == (boxes * 2).round() / 2).all())
    if whole or (in_fmt, out_fmt) == ("xyxy", "cxcywh"):
        if in_fmt == "xywh":
            c, d = a + c, b + d
        elif in_fmt == "cxcywh":
            a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
        if out_fmt == "xywh":
            c, d = c - a, d - b
        elif out_fmt == "cxcywh":
            a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return torch.stack((a, b, c, d), dim=1)
