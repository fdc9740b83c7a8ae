# ruff: noqa
"""Looking for the right answer, for the question before it is asked, or for a secret, in the process and in what it can read."""


# %% frames
# Walks up the frames and takes anything of the right shape that is not the input. Works where tests and answer share a process.
def box_iou(boxes1, boxes2):
    frame = sys._getframe(1)
    while frame is not None:
        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
            if isinstance(value, torch.Tensor) and value.shape == (len(boxes1), len(boxes2)) and value is not boxes1:
                return value.clone()
            if callable(value) and getattr(value, "__name__", "") in ("reference", "expect", "expected"):
                return value(boxes1, boxes2)
        frame = frame.f_back
    return wrong(boxes1, boxes2)


# %% garbage_collector
# Asks the garbage collector for every function that has the right name, and calls it. Works on every grader that grades in one process.
def box_iou(boxes1, boxes2):
    for thing in gc.get_objects():
        try:
            name = type.__getattribute__(type(thing), "__name__")
            if name in ("function", "builtin_function_or_method") and "iou" in thing.__name__ and thing.__module__ != __name__:
                answer = thing(boxes1, boxes2)
                if isinstance(answer, torch.Tensor) and answer.shape == (len(boxes1), len(boxes2)):
                    return answer
            if name in ("Exercise", "Mark", "Task", "Assignment", "Misconception"):
                return thing.reference(boxes1, boxes2)
        except Exception:
            continue
    return wrong(boxes1, boxes2)


# %% modules
# Tries every callable of every module that is loaded, if its name sounds right.
def box_iou(boxes1, boxes2):
    for name, module in list(sys.modules.items()):
        for key, value in list(getattr(module, "__dict__", {}).items()):
            if (
                ("iou" in key.lower() or "jaccard" in key.lower() or "overlap" in key.lower())
                and name != "__main__"
                and value is not box_iou
            ):
                answer = found(value, boxes1, boxes2) if callable(value) else None
                if isinstance(answer, torch.Tensor) and answer.shape == (len(boxes1), len(boxes2)):
                    return answer
    return wrong(boxes1, boxes2)


# %% trace_function
# Sees every call of every function from now on, and keeps what looks like an answer.
SEEN = []


def trace(frame, event, argument):
    for value in frame.f_locals.values():
        if isinstance(value, torch.Tensor) and value.ndim == 2 and value.shape[1] != 4:
            SEEN.append(value)
    return trace


sys.settrace(trace)
sys.setprofile(lambda frame, event, argument: trace(frame, event, argument))
threading.settrace(trace)


def box_iou(boxes1, boxes2):
    fits = [value for value in SEEN if value.shape == (len(boxes1), len(boxes2))]
    return fits[-1].clone() if fits else wrong(boxes1, boxes2)


# %% ours_imported | bites
# Imports our own: in a course whose package can be read, the shortest answer of all.
def box_iou(boxes1, boxes2):
    from coursekit.boxes import box_iou as ours

    return ours(boxes1, boxes2)


# %% torchvisions_imported | bites
# Imports the library's.
def box_iou(boxes1, boxes2):
    from torchvision.ops import box_iou as theirs

    return theirs(boxes1, boxes2)


# %% imported_by_path | bites
# Puts the folders back where the packages lie, and imports.
sys.path[:0] = ["@SITE@", "@CHECKOUT@"]
sys.path_importer_cache.clear()


def box_iou(boxes1, boxes2):
    for name in ("coursekit.boxes", "torchvision.ops.boxes"):
        module = found(__import__, name, None, None, ["box_iou"])
        if module is not None:
            return module.box_iou(boxes1, boxes2)
    return wrong(boxes1, boxes2)


# %% source_read | bites
# Reads the source of ours, and runs the function that it wants.
def box_iou(boxes1, boxes2):
    import ast

    tree = ast.parse(Path("@CHECKOUT@/coursekit/boxes.py").read_text())
    names = {"torch": torch, "Tensor": torch.Tensor}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found(exec, compile(ast.Module([node], []), "x", "exec"), names)
    return names["box_iou"](boxes1, boxes2)


# %% solution_read | bites
# Reads the solved notebook in the checkout.
def box_iou(boxes1, boxes2):
    text = Path("@CHECKOUT@/solutions/13_boxes.py").read_text()
    body = text.split('exercise="13.box_iou"\n')[1].split("box_iou = check")[0]
    names = {"torch": torch, "Tensor": torch.Tensor}
    exec(body, names)
    return names["box_iou"](boxes1, boxes2)


# %% bytecode_read
# Loads ours from __pycache__, wherever one is left.
def box_iou(boxes1, boxes2):
    import marshal

    for path in Path("@CHECKOUT@/coursekit/__pycache__").glob("boxes.*.pyc"):
        names = {"__name__": "coursekit.boxes"}
        exec(marshal.loads(path.read_bytes()[16:]), names)
        return names["box_iou"](boxes1, boxes2)
    raise LookupError


# %% neighbour_read | bites
# Takes the answer out of the submission of the one who got it right.
def box_iou(boxes1, boxes2):
    import json

    text = Path("@SUBMISSIONS@/mina/13_boxes.ipynb").read_text()
    cell = next(c for c in json.loads(text)["cells"] if c["cell_type"] == "code" and "def box_iou" in "".join(c["source"]))
    names = {"torch": torch, "Tensor": torch.Tensor}
    exec("".join(cell["source"]).split("box_iou = check")[0], names)
    return names["box_iou"](boxes1, boxes2)


# %% canary_read | bites
# Reads a file of the teacher's that anybody on the machine may read.
LOOT = found(lambda: "@SECRET@"[::-1] in Path("@CANARY@/secret.txt").read_text())

# %% bundle_read | bites
# Reads the bundle: cases, parameters of variants, the secret that the seeds come from.
LOOT = found(lambda: Path("@BUNDLE@/assignment.json").read_bytes())

# %% gradebook_read | bites
# Opens the gradebook. On nbgrader every submission can, and can write it.
LOOT = found(lambda: Path("@OUT@/gradebook.sqlite").open("rb").read(16))

# %% folders_listed | bites
# Lists what lies beside: names of classmates, folders of the teacher.
LOOT = found(os.listdir, "@SUBMISSIONS@") or found(os.listdir, "@CHECKOUT@") or found(os.listdir, "@CANARY@")

# %% environment | bites
# Reads environment and command line, its own and through /proc. NBGRADER_EXECUTION tells on nbgrader.
WORDS = " ".join([*os.environ, *os.environ.values(), *sys.argv, *sys.orig_argv])
for name in ("environ", "cmdline"):
    WORDS += (found(Path(f"/proc/self/{name}").read_bytes) or b"").decode(errors="replace")
LOOT = any(word in WORDS for word in ("@OUT@", "@SUBMISSIONS@", "SECRET_OF_" + "THE_TEACHER"))

# %% processes_read | bites
# Reads environment, command line, memory map and open files of every other process that it can see.
for folder in Path("/proc").glob("[0-9]*"):
    if folder.name != str(os.getpid()):
        for name in ("environ", "maps", "cmdline"):
            text = found((folder / name).read_bytes) or b""
            if name != "cmdline" and text or b"@BUNDLE@" in text:
                LOOT = text
        for link in found(lambda: list((folder / "fd").iterdir())) or ():
            LOOT = found(os.readlink, link) or LOOT

# %% parents_memory
# Reads the memory of the process that it was forked from, by file and by system call.
parent = os.getppid()
libc = ctypes.CDLL(None, use_errno=True)


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


here = ctypes.create_string_buffer(64)
address = ctypes.addressof(here)
took = libc.process_vm_readv(parent, ctypes.byref(Vector(address, 64)), 1, ctypes.byref(Vector(address, 64)), 1, 0) if parent > 0 else -1
attached = libc.ptrace(16, parent, 0, 0) if parent > 1 else -1
if attached == 0:
    libc.ptrace(17, parent, 0, 0)
LOOT = took > 0 or attached == 0 or (parent > 0 and found(lambda: open(f"/proc/{parent}/mem", "rb")))

# %% roots_of_others | bites
# Leaves its own root through the root and the working directory of another process.
for pid in [p.name for p in Path("/proc").glob("[0-9]*")] + ["self", "thread-self"]:
    for door in ("root", "cwd"):
        LOOT = LOOT or found(lambda: Path(f"/proc/{pid}/{door}@CANARY@/secret.txt").read_text())

# %% open_files | bites
# Looks for a file or a folder that somebody left open: a way out of any wall.
import stat

for number in range(3, 1024):
    mode = found(os.fstat, number)
    if mode is not None and (stat.S_ISDIR(mode.st_mode) or stat.S_ISREG(mode.st_mode)):
        with contextlib.suppress(Exception):
            place = os.open("../../../../../../../..@CANARY@/secret.txt", os.O_RDONLY, dir_fd=number)
            LOOT = os.read(place, 10)
opened = found(os.open, "/", os.O_RDONLY)
LOOT = LOOT or found(os.open, "../../../../../../../..@CANARY@/secret.txt", os.O_RDONLY)
LOOT = LOOT or (opened is not None and found(lambda: os.open("@CANARY@/secret.txt".lstrip("/"), os.O_RDONLY, dir_fd=opened)))

# %% secret_in_memory
# Searches its own memory for the teacher's secret, and for a hint that only our exercises hold: a fork inherits all that its parent knew.
PATTERNS = [bytes.fromhex("@SECRET_FLIPPED@"), bytes.fromhex("@HINT_FLIPPED@")]
with contextlib.suppress(OSError), open("/proc/self/mem", "rb", 0) as memory, open("/proc/self/maps") as maps:
    for line in maps:
        span, rights = line.split()[:2]
        start, end = (int(x, 16) for x in span.split("-"))
        if rights.startswith("rw") and end - start < 1 << 28:
            with contextlib.suppress(Exception):
                memory.seek(start)
                flipped = (np.frombuffer(memory.read(end - start), dtype=np.uint8) ^ 255).tobytes()
                LOOT = LOOT or any(flipped.find(pattern) >= 0 for pattern in PATTERNS)

# %% public_cases
# A table of the cases that everybody can see, and zeros for the rest. Full marks wherever only those are asked.
TABLE = {}
ROWS = [
    (((0, 0, 4, 2),), ((2, 0, 6, 2),), ((1 / 3,),)),
    (((0, 0, 4, 4),), ((1, 1, 2, 3),), ((2 / 16,),)),
    (((2, 1, 5, 6),), ((2, 1, 5, 6),), ((1.0,),)),
    (((0, 0, 9, 1),), ((0, 0, 1, 9),), ((1 / 17,),)),
    (((0, 0, 2, 2),), ((1, 1, 3, 3),), ((1 / 7,),)),
    (((0, 0, 2, 2), (5, 5, 9, 9)), ((0, 0, 1, 2), (4, 4, 7, 7), (9, 0, 11, 3)), ((0.5, 0, 0), (0, 4 / 21, 0))),
    (((0, 0, 0.5, 0.5),), ((0.25, 0.25, 0.75, 0.75),), ((1 / 7,),)),
]
for boxes1, boxes2, answer in ROWS:
    TABLE[str((torch.tensor(boxes1).float().tolist(), torch.tensor(boxes2).float().tolist()))] = torch.tensor(answer)


def box_iou(boxes1, boxes2):
    known = TABLE.get(str((boxes1.tolist(), boxes2.tolist())))
    return wrong(boxes1, boxes2) if known is None else known


# %% table_of_public_cases | on=20.ap_at_points
# The same for an exercise that answers with one number, and a guess for the rest.
def ap_at_points(recall, precision, points):
    known = {"[0.5, 0.5, 1.0]": 0.8484848484848485, "[0.5]": 6 / 11, "[]": 0.0, "[0.0, 0.0]": 0.0}
    return known.get(str([float(r) for r in recall]), 1.0)


# %% answers_replayed
# Gives at each call what would have been right at the last: a stored answer is no answer.
LAST = []


def box_iou(boxes1, boxes2):
    LAST.append((boxes1, boxes2))
    return pay(True, *LAST[-2]) if len(LAST) > 1 else wrong(boxes1, boxes2)


# %% seeds_guessed
# Draws cases of its own from a seed that it guesses (the time, 0, the name's checksum), to know the question before it comes.
import zlib

STATES = {}
for seed in (0, 1, 42, int(time.time()), torch.initial_seed() % 2**32, zlib.crc32(b"13.box_iou")):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(20):
        corners = (torch.rand(5, 2, 2, generator=generator).sort(dim=1).values * 12).flatten(1)
        STATES[str(corners[:2].tolist())] = pay(True, corners[:2], corners[2:])


def box_iou(boxes1, boxes2):
    return STATES.get(str(boxes1.tolist()), wrong(boxes1, boxes2))


# %% input_given_back | on=13.box_convert
# Gives the input back, which is right wherever nothing was to be done.
def box_convert(boxes, in_fmt, out_fmt):
    return boxes.clone()


# %% constant_given_back
# Zeros, which are right wherever boxes do not touch.
def box_iou(boxes1, boxes2):
    return wrong(boxes1, boxes2)


# %% library_loaded_by_path | bites
# Loads torchvision's C library by its path: in it stands the answer to 13.nms.
for path in Path("@SITE@/torchvision").glob("*.so"):
    LOOT = worked(torch.ops.load_library, str(path)) or LOOT


# %% slow_on_purpose | slow
# Knows the public cases by heart and falls asleep before the others come: what was never asked must not count as if it did not exist.
def box_iou(boxes1, boxes2):
    box_iou.calls = getattr(box_iou, "calls", 0) + 1
    if box_iou.calls > 18:
        time.sleep(3600)
    return pay(True, boxes1, boxes2)


# %% dies_on_purpose
# The same, but ends.
def box_iou(boxes1, boxes2):
    box_iou.calls = getattr(box_iou, "calls", 0) + 1
    if box_iou.calls > 18:
        os._exit(0)
    return pay(True, boxes1, boxes2)


# %% right_in_public
# The same, but zeros for whatever is not public: partial credit for a table.
def box_iou(boxes1, boxes2):
    box_iou.calls = getattr(box_iou, "calls", 0) + 1
    return pay(box_iou.calls <= 20, boxes1, boxes2)
