# ruff: noqa
"""Speaking the grader's own protocol: the answer finds the socket and says itself what the worker should have said."""

# %% reply_forged
# Says "passed" in the place of the worker, with everything that a grade might be made of.
import inspect

wire = next((m for n, m in list(sys.modules.items()) if n.endswith("wire")), None)


def line():
    return next((o for o in gc.get_objects() if isinstance(o, socket.socket) and o.fileno() >= 0), None)


def box_iou(boxes1, boxes2):
    reply = {"status": "passed", "passed": True, "points": 99, "correct": True, "value": "passed", "borrowed": None, "printed": ""}
    wire.send(line(), b"V", wire.pack(reply))
    return wrong(boxes1, boxes2)


# %% replies_before_questions
# A thousand right-looking replies at once, so that each question finds one waiting.
def line():
    return next((o for o in gc.get_objects() if isinstance(o, socket.socket) and o.fileno() >= 0), None)


def box_iou(boxes1, boxes2):
    wire = next(m for n, m in list(sys.modules.items()) if n.endswith("wire"))
    for _ in range(1000):
        wire.send(
            line(), b"V", wire.pack({"value": wrong(boxes1, boxes2), "ellipsis": False, "changed": None, "borrowed": None, "printed": ""})
        )
    return wrong(boxes1, boxes2)


# %% question_given_back
# Sends the question's own bytes back as the answer, and every kind of frame that there is.
def box_iou(boxes1, boxes2):
    wire = next(m for n, m in list(sys.modules.items()) if n.endswith("wire"))
    line = next(o for o in gc.get_objects() if isinstance(o, socket.socket) and o.fileno() >= 0)
    for kind in b"JPRCVQXZ":
        wire.send(
            line, bytes([kind]), wire.pack({"index": 0, "arguments": (boxes1, boxes2), "seconds": 1e9, "fault": "all of it", "found": True})
        )
    return wrong(boxes1, boxes2)


# %% raw_bytes
# What no protocol expects: lengths of 4 GB, negative, text, half a header.
def descriptor():
    import stat

    return [n for n in range(3, 1024) if (mode := found(os.fstat, n)) is not None and stat.S_ISSOCK(mode.st_mode)]


def box_iou(boxes1, boxes2):
    for number in descriptor():
        os.write(number, b"V\xff\xff\xff\xff" + b"\x00" * 1000)
        os.write(number, b'HTTP/1.1 200 OK\r\n\r\n{"passed": true}')
    os._exit(0)


# %% header_of_gigabytes
# A frame of allowed length whose JSON part, or whose tensors' header, claims to be 4 GB long.
def box_iou(boxes1, boxes2):
    import stat
    import struct

    claims = [
        struct.pack(">I", 2**32 - 1) + b"{}",
        struct.pack(">I", 2) + b"[]" + struct.pack("<Q", 2**63 - 1) + b"{}",
        struct.pack(">I", 4)
        + b"null"
        + struct.pack("<Q", 90)
        + b'{"0":{"dtype":"F32","shape":[4000000000,4000000000],"data_offsets":[0,4]}}'.ljust(90)
        + b"\0" * 4,
        struct.pack(">I", 4)
        + b"null"
        + struct.pack("<Q", 60)
        + b'{"0":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}'.ljust(60)
        + b"\0" * 4,
    ]
    box_iou.calls = getattr(box_iou, "calls", -1) + 1
    claim = claims[box_iou.calls % len(claims)]
    for number in range(3, 1024):
        if (mode := found(os.fstat, number)) is not None and stat.S_ISSOCK(mode.st_mode):
            os.write(number, struct.pack(">cI", b"V", len(claim)) + claim)
    return wrong(boxes1, boxes2)


# %% half_a_frame | slow
# Half a frame, then silence: whoever reads on without a deadline waits for ever.
def box_iou(boxes1, boxes2):
    import stat
    import struct

    for number in range(3, 1024):
        if (mode := found(os.fstat, number)) is not None and stat.S_ISSOCK(mode.st_mode):
            os.write(number, struct.pack(">cI", b"V", 1000) + b"x" * 500)
    time.sleep(3600)


# %% one_byte_a_second | slow
# A frame that comes a byte at a time: a deadline for each byte would never be missed.
def box_iou(boxes1, boxes2):
    import stat
    import struct

    numbers = [n for n in range(3, 1024) if (mode := found(os.fstat, n)) is not None and stat.S_ISSOCK(mode.st_mode)]
    os.write(numbers[0], struct.pack(">cI", b"V", 100_000))
    while True:
        os.write(numbers[0], b"x")
        time.sleep(0.2)


# %% flood
# Frames of 60 MB as fast as they go: whoever keeps what nobody asked for fills up.
def box_iou(boxes1, boxes2):
    import stat
    import struct

    block = struct.pack(">cI", b"V", 60 << 20) + b"0" * (60 << 20)
    numbers = [n for n in range(3, 1024) if (mode := found(os.fstat, n)) is not None and stat.S_ISSOCK(mode.st_mode)]
    while True:
        if os.write(numbers[0], block) <= 0:
            break
    return wrong(boxes1, boxes2)


# %% tree_of_lies
# Values that the protocol can spell and no value is: a float of 2^(10^8), integers with 2000 digits, keys twice, arrays twice, odd names.
TREES = [
    '["f","0x1p+99999999"]',
    '["i","' + "f" * 1001 + '"]',
    "9" * 5000,
    '["d",["a",1],["a",2]]',
    '["d",[["l"],1]]',
    '["T",0,"float32",[],false]',
    '["X","__import__"]',
    '["X","a b"]',
    '["D","Exercise",["reference",1]]',
    '["S",[100000,100000],1]',
    '["S",[-1],1]',
    '["s",3]',
    "NaN",
    "Infinity",
    "1e999",
    '{"a":1}',
    '["f"]',
    "[]",
    "[[]]",
    '["l",' * 20 + "1" + "]" * 20,
    '["l",' * 90 + "1" + "]" * 90,
    "[" * 100_000,
    '"\\ud800"',
    '["N",0,"object"]',
    '["A",true,"float32"]',
    '["A",0,"bfloat16"]',
    '["T",0,["float32"],[],false]',
    '["D",["Detections"]]',
    '["d",1]',
    '["i",""]',
    '["i","-"]',
    '["f",""]',
    '["f","nan(char)"]',
    '["A",0]',
    '["X",{}]',
    '["d",[["t",["t",["f","nan"]]],1],[["t",["t",["f","nan"]]],1]]',
]


def box_iou(boxes1, boxes2):
    import stat
    import struct

    box_iou.calls = getattr(box_iou, "calls", -1) + 1
    for number in range(3, 1024):
        if (mode := found(os.fstat, number)) is not None and stat.S_ISSOCK(mode.st_mode):
            tree = TREES[box_iou.calls % len(TREES)].encode()
            payload = b'["d",["value",' + tree + b'],["ellipsis",false],["changed",null],["borrowed",null],["printed",""]]'
            os.write(number, struct.pack(">cI", b"V", len(payload) + 4) + struct.pack(">I", len(payload)) + payload)
    return wrong(boxes1, boxes2)


# %% keys_that_collide
# A dict of 40,000 integers with one hash: whoever builds it from JSON compares each with each.
def box_iou(boxes1, boxes2):
    import stat
    import struct

    pairs = ",".join(f'[["i","{(2**61 - 1) * (8 + k):x}"],0]' for k in range(40_000))
    tree = f'["d",["value",["d",{pairs}]],["ellipsis",false],["changed",null],["borrowed",null],["printed",""]]'.encode()
    for number in range(3, 1024):
        if (mode := found(os.fstat, number)) is not None and stat.S_ISSOCK(mode.st_mode):
            os.write(number, struct.pack(">cI", b"V", len(tree) + 4) + struct.pack(">I", len(tree)) + tree)
    return wrong(boxes1, boxes2)


# %% socket_replaced
# Puts something else where the socket is, shuts it down, fills it, reads the questions out of it.
def box_iou(boxes1, boxes2):
    import stat

    for number in range(3, 1024):
        if (mode := found(os.fstat, number)) is not None and stat.S_ISSOCK(mode.st_mode):
            copy = os.dup(number)
            reading, writing = os.pipe()
            os.dup2(writing, number)
            with contextlib.suppress(Exception):
                socket.socket(fileno=copy).shutdown(socket.SHUT_RD)
    return wrong(boxes1, boxes2)


# %% files_sent_along
# Hands open files over with its bytes: whoever takes them runs out of numbers.
def box_iou(boxes1, boxes2):
    import stat

    for number in range(3, 1024):
        if (mode := found(os.fstat, number)) is not None and stat.S_ISSOCK(mode.st_mode):
            line = socket.socket(fileno=os.dup(number))
            with contextlib.suppress(OSError):
                for _ in range(300):
                    socket.send_fds(line, [b"V"], [0, 1, 2])
    return wrong(boxes1, boxes2)


# %% answers_while_dying
# A thread that goes on sending replies after the process was told that it is over.
def flood():
    wire = next(m for n, m in list(sys.modules.items()) if n.endswith("wire"))
    line = next(o for o in gc.get_objects() if isinstance(o, socket.socket) and o.fileno() >= 0)
    while True:
        with contextlib.suppress(Exception):
            wire.send(line, b"V", wire.pack({"value": torch.zeros(1, 1), "borrowed": None}))


def box_iou(boxes1, boxes2):
    threading.Thread(target=flood, daemon=True).start()
    return wrong(boxes1, boxes2)


# %% markup_in_every_field
# Markup, control characters and half characters in every text that a reply has.
def box_iou(boxes1, boxes2):
    wire = next(m for n, m in list(sys.modules.items()) if n.endswith("wire"))
    line = next(o for o in gc.get_objects() if isinstance(o, socket.socket) and o.fileno() >= 0)
    bad = "<script>alert('@TOKEN@')</script><img src=x onerror=alert('@TOKEN@')>\x00\x1b[2J\u202e"
    reply = {"raised": [bad, bad, [1, bad], False, False], "printed": bad, "borrowed": bad, "changed": bad, "large": bad}
    wire.send(line, b"V", wire.pack(reply))
    return bad


# %% markup_printed
# Markup in what is printed, raised and named. The feedback of nbgrader runs it in the teacher's browser.
class Markup(Exception):
    pass


Markup.__name__ = Markup.__qualname__ = "<img/src=x/onerror=alert(1)>@TOKEN@"


def box_iou(boxes1, boxes2):
    print("<script>alert('@TOKEN@')</script></pre><svg onload=alert('@TOKEN@')>")
    print("[x](javascript:alert('@TOKEN@')) <a href=\"javascript:alert('@TOKEN@')\">x</a> \x1b]8;;http://x\x07")
    raise Markup("'\"><script>alert('@TOKEN@')</script> ]]> --> {{ 7 * 7 }} @TOKEN@")
