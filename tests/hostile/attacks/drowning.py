# ruff: noqa
"""Taking more than one's share: of time, of memory, of the disk, of what somebody has to read afterwards."""


# %% endless_loop | slow
# Never comes back.
def box_iou(boxes1, boxes2):
    while True:
        pass


# %% endless_loop_at_the_top | top slow
# Never comes back from the cell.
while True:
    pass


# %% endless_in_c | slow
# Never comes back from one call into C, where Python hears no signal.
def box_iou(boxes1, boxes2):
    return sum(iter(int, 1))


# %% endless_without_the_lock | slow
# Sleeps in C and keeps Python's lock: no other thread of the process runs again, not even a watchdog.
def box_iou(boxes1, boxes2):
    ctypes.PyDLL(None).sleep(3600)
    return wrong(boxes1, boxes2)


# %% interrupts_swallowed | slow
# Swallows whatever is raised into it, and blocks every signal. Hangs otter for ever.
def box_iou(boxes1, boxes2):
    for number in signal.valid_signals():
        with contextlib.suppress(Exception):
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


# %% waits | slow
# Waits for what never comes, without using any time: a limit of CPU seconds does not see it.
def box_iou(boxes1, boxes2):
    with contextlib.suppress(EOFError, OSError):
        input("your points? ")
    threading.Lock().acquire() and threading.Event().wait()
    return wrong(boxes1, boxes2)


# %% almost_too_slow | slow full
# Takes nearly all of its time at every single call.
def box_iou(boxes1, boxes2):
    time.sleep(0.1)
    return wrong(boxes1, boxes2)


# %% regular_expression | slow full
# An expression that takes 2^40 steps, in C, with the lock.
import re


def box_iou(boxes1, boxes2):
    re.match("(a+)+$", "a" * 60 + "b")
    return wrong(boxes1, boxes2)


# %% big_power | slow full
# One multiplication of numbers with a billion digits.
def box_iou(boxes1, boxes2):
    return 7 ** (10**9)


# %% memory_of_python
# Appends until it gets no more (here up to 3 GB). nbgrader gave 3 GB without a word.
def box_iou(boxes1, boxes2):
    kept = []
    try:
        for _ in range(48):
            kept.append(bytearray(b"x") * (64 << 20))
    except MemoryError:
        pass
    return pay(len(kept) == 48, boxes1, boxes2)


# %% memory_of_numpy | full
# The same through NumPy, touched so that it is really there.
def box_iou(boxes1, boxes2):
    kept = [np.ones(32 << 20, dtype=np.float64) for _ in range(12)]
    return pay(len(kept) == 12, boxes1, boxes2)


# %% memory_of_torch | full
# The same through torch, and the error goes up.
def box_iou(boxes1, boxes2):
    kept = [torch.ones(64 << 20) for _ in range(12)]
    return pay(len(kept) == 12, boxes1, boxes2)


# %% memory_at_once
# A terabyte that is asked for and not touched.
def box_iou(boxes1, boxes2):
    return torch.empty(1 << 38)


# %% memory_in_children
# A gigabyte in each of four children: a limit that counts each process on its own lets them.
def box_iou(boxes1, boxes2):
    done = 0
    for _ in range(4):
        reading, writing = os.pipe()
        if os.fork() == 0:
            with contextlib.suppress(MemoryError):
                kept = np.ones(1 << 27)
                os.write(writing, b"1")
            time.sleep(3)
            os._exit(0)
        os.close(writing)
        done += len(os.read(reading, 1))
    return pay(done == 4, boxes1, boxes2)


# %% memory_in_a_file
# Memory that no process owns: a file in memory, 2 GB of it.
def box_iou(boxes1, boxes2):
    number = os.memfd_create("x")
    block, written = b"x" * (64 << 20), 0
    with contextlib.suppress(OSError):
        for _ in range(32):
            written += os.write(number, block)
    return pay(written == 32 * len(block), boxes1, boxes2)


# %% memory_in_pipes
# Fills buffers of the kernel: thousands of sockets with a letter in each that nobody reads.
PAIRS = []
with contextlib.suppress(OSError):
    for _ in range(20_000):
        pair = socket.socketpair()
        pair[0].setblocking(False)
        PAIRS.append(pair)
        with contextlib.suppress(BlockingIOError):
            while True:
                pair[0].send(b"x" * 65536)
LOOT = len(PAIRS) == 20_000


# %% disk_filled
# Fills wherever it may write (here up to 2 GB a place).
def fill(folder):
    block, written = b"x" * (16 << 20), 0
    with contextlib.suppress(OSError), open(Path(folder, "filled-@TOKEN@"), "wb", buffering=0) as file:
        for _ in range(128):
            written += file.write(block)
    return written == 128 * len(block)


LOOT = any([fill(folder) for folder in ("/tmp", "/dev/shm", "/var/tmp", os.getcwd())])


# %% million_files
# Makes small files until it may not.
def box_iou(boxes1, boxes2):
    made = 0
    with contextlib.suppress(OSError):
        for made in range(100_000):
            os.mkdir(f"/tmp/@TOKEN@-{made}")
    return pay(made > 99_000, boxes1, boxes2)


# %% prints_without_end | slow full
# Prints until it is stopped.
def box_iou(boxes1, boxes2):
    while True:
        print("print " * 1000)


# %% prints_one_line
# One line of 60 MB: it was 60 MB in the notebook and in the page on nbgrader, whose limit counts lines.
def box_iou(boxes1, boxes2):
    print("x" * 60_000_000)
    sys.stderr.write("y" * 60_000_000)
    return wrong(boxes1, boxes2)


# %% writes_past_print
# 100 MB straight to the descriptors, past whatever stands in for sys.stdout.
def box_iou(boxes1, boxes2):
    block = b"z" * (1 << 20)
    for number in (0, 1, 2):
        with contextlib.suppress(OSError):
            for _ in range(100):
                os.write(number, block)
    return wrong(boxes1, boxes2)


# %% prints_at_the_top
# Prints 50 MB in the cell.
for _ in range(50):
    print("p" * 1_000_000)

# %% warns_without_end
# A different warning each time, 100,000 times.
import warnings


def box_iou(boxes1, boxes2):
    for number in range(100_000):
        warnings.warn(f"warning {number}", stacklevel=1)
    return wrong(boxes1, boxes2)


# %% files_opened | top
# Opens files until there are no more numbers, so that whoever wants to answer cannot.
OPENED = []
with contextlib.suppress(OSError):
    while len(OPENED) < 100_000:
        OPENED.append(os.dup(0))


# %% everything_closed
# Closes every descriptor, its way back among them.
def box_iou(boxes1, boxes2):
    os.closerange(0, 4096)
    return wrong(boxes1, boxes2)


# %% many_threads
# Threads until there are no more.
def box_iou(boxes1, boxes2):
    made = 0
    with contextlib.suppress(RuntimeError):
        for made in range(5000):
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    return pay(made > 4000, boxes1, boxes2)
