# ruff: noqa
"""Writing outside, speaking to somebody outside, and leaving something for the next answer or for the next student."""

# %% canary_overwritten | bites
# Overwrites, renames, truncates, links and removes files of the teacher's.
for action in (
    lambda: Path("@CANARY@/target.txt").write_text("overwritten"),
    lambda: os.truncate("@CANARY@/target.txt", 0),
    lambda: os.rename("@CANARY@/target.txt", "@CANARY@/renamed.txt"),
    lambda: os.chmod("@CANARY@/target.txt", 0o777),
    lambda: os.utime("@CANARY@/target.txt", (0, 0)),
    lambda: os.link("@CANARY@/target.txt", "@CANARY@/linked.txt"),
    lambda: os.symlink("/etc/passwd", "@CANARY@/symlink.txt"),
    lambda: os.mkfifo("@CANARY@/fifo"),
    lambda: os.mkdir("@CANARY@/folder"),
    lambda: os.unlink("@CANARY@/target.txt"),
    lambda: os.setxattr("@CANARY@/target.txt", "user.points", b"100"),
):
    LOOT = worked(action) or LOOT

# %% grades_rewritten | bites
# Writes into the gradebook, as one submission did on nbgrader to every classmate: 2997 of 6.
import sqlite3


def rewrite():
    with sqlite3.connect("file:@OUT@/gradebook.sqlite?mode=rw", uri=True) as book:
        for (name,) in book.execute("select name from sqlite_master where type = 'table'").fetchall():
            found(book.execute, f"delete from {name}")
    return True


LOOT = found(rewrite) or found(lambda: open("@OUT@/gradebook.sqlite", "r+b"))

# %% neighbour_spoilt | bites
# Writes into the submission of somebody else, whose turn is still to come.
LOOT = found(lambda: open("@SUBMISSIONS@/zoe/13_boxes.ipynb", "r+b"))

# %% bundle_spoilt | bites
# Opens bundle, checkout and packages for writing.
for place in ("@BUNDLE@/assignment.json", "@CHECKOUT@/coursekit/boxes.py", "@SITE@/torch/__init__.py", np.__file__, os.__file__):
    LOOT = LOOT or found(lambda: open(place, "r+b"))

# %% feedback_forged | bites
# Puts a page of feedback where the teacher looks for it.
LOOT = found(lambda: Path("@OUT@/feedback/reaching-feedback_forged-@TOKEN@.html").write_text("full marks"))

# %% packages_poisoned
# Leaves a package, a start-up file and bytecode where the next Python would find them.
for folder in {*sys.path, "@SITE@", str(Path(torch.__file__).parent), str(Path(os.__file__).parent / "__pycache__")}:
    place = Path(folder or "/") / "@TOKEN@.pth"
    LOOT = worked(place.write_text, "import os") or LOOT

# %% files_everywhere
# Leaves a file in every place where a process usually may.
for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/dev/mqueue", "/root", "/", "/home", "/etc", os.getcwd(), "/proc/sys/kernel"):
    found(lambda: Path(folder, "@TOKEN@").write_text("left"))

# %% left_for_the_next_exercise
# One exercise stores what it is asked, where the worker of the next could find it. This is the other half of 13.box_convert's own cell.
for folder in ("/tmp", "/dev/shm", os.getcwd(), "/var/tmp"):
    LOOT = LOOT or found(lambda: Path(folder, "heard-@TOKEN@").read_text())
    found(lambda: Path(folder, "heard-@TOKEN@").write_text("from the worker before"))

# %% left_for_the_next_student
# Two students who talk through whatever the machine has in common: files, abstract sockets, shared memory, message queues.
libc = ctypes.CDLL(None, use_errno=True)
for folder in ("/tmp", "/dev/shm", "/var/tmp", os.getcwd()):
    LOOT = LOOT or found(lambda: Path(folder, "talk-@TOKEN@").read_text())
    found(lambda: Path(folder, "talk-@TOKEN@").write_text("answers"))
LOOT = LOOT or libc.shmget(0x0C0FFEE, 4096, 0) >= 0
libc.shmget(0x0C0FFEE, 4096, 0o1666)
libc.semget(0x0C0FFEE, 1, 0o1666)
libc.msgget(0x0C0FFEE, 0o1666)
talk = found(socket.socket, socket.AF_UNIX)
LOOT = LOOT or (talk is not None and worked(talk.connect, "\0talk-@TOKEN@"))
with contextlib.suppress(OSError, AttributeError):
    talk.bind("\0talk-@TOKEN@")

# %% left_for_the_next_student_again
# The second of the two.
libc = ctypes.CDLL(None, use_errno=True)
for folder in ("/tmp", "/dev/shm", "/var/tmp", os.getcwd()):
    LOOT = LOOT or found(lambda: Path(folder, "talk-@TOKEN@").read_text())
LOOT = LOOT or libc.shmget(0x0C0FFEE, 4096, 0) >= 0 or libc.semget(0x0C0FFEE, 1, 0) >= 0 or libc.msgget(0x0C0FFEE, 0) >= 0
talk = found(socket.socket, socket.AF_UNIX)
LOOT = LOOT or (talk is not None and worked(talk.connect, "\0talk-@TOKEN@"))

# %% keyring
# The kernel's key ring is shared by all processes of a user: a letter box without a file.
libc = ctypes.CDLL(None, use_errno=True)
LOOT = libc.syscall(248, b"user", b"@TOKEN@", b"answers", ctypes.c_size_t(7), ctypes.c_int(-4)) > 0

# %% tcp | bites
# Fetches the answer from the internet; here from a listener of the test.
LOOT = worked(socket.create_connection, ("127.0.0.1", int("@PORT@")), 1)

# %% tcp_by_name
# The same with a name to look up, and over IPv6.
LOOT = worked(socket.create_connection, ("localhost", int("@PORT@")), 1) or worked(socket.create_connection, ("::1", int("@PORT@")), 1)


# %% udp | bites
# Sends what it was asked to a listener of the test.
def send():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"what I was asked", ("127.0.0.1", int("@UDP@")))


LOOT = worked(send)

# %% names_looked_up | bites
# Asks for an address: a name server hears the question whatever the answer.
import _socket

LOOT = worked(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 53)))


# %% unix_socket | bites
# Speaks to a service of the machine through a socket that lies in a folder, as Docker's does.
def connect():
    with socket.socket(socket.AF_UNIX) as out:
        out.connect("@UNIX@")


LOOT = worked(connect)


# %% abstract_socket | bites
# Speaks to a service that listens on a name without a file, as desktops do.
def connect():
    with socket.socket(socket.AF_UNIX) as out:
        out.connect("\0@ABSTRACT@")


LOOT = worked(connect)


# %% datagram_sockets | bites
# The same without a connection.
def send():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(b"x", "\0@ABSTRACT@-datagram")


LOOT = worked(send)

# %% odd_sockets
# Families that nobody thinks of: netlink, packet, vsock, Bluetooth, kernel crypto, raw.
for family, kind, protocol in ((16, 3, 0), (17, 3, 3), (40, 1, 0), (31, 3, 1), (38, 5, 0), (2, 3, 1), (29, 3, 1), (15, 3, 2), (44, 3, 0)):
    opened = found(socket.socket, family, kind, protocol)
    LOOT = LOOT or (opened is not None and family not in (16,))


# %% port_taken
# Listens, so that the next submission connects to it.
def listen():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        return worked(socket.create_connection, ("127.0.0.1", int("@PORT@")), 1)


LOOT = found(listen)
