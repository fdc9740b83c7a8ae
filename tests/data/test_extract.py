import gzip
import io
import stat
import tarfile
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coursekit.data.extract import extract


def make_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members:
            zipped.writestr(name, content)
    return path


def make_tar(path, members, mode="w"):
    with tarfile.open(path, mode) as tarred:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            if info.isreg():
                info.size = len(content)
            tarred.addfile(info, io.BytesIO(content))
    return path


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


GOOD = [("a.txt", b"A"), ("images/one two.png", b"\x00" * 5000), ("images/눈.png", b"K")]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("x.zip", make_zip),
        ("x.tar", make_tar),
        ("x.tar.gz", lambda p, m: make_tar(p, m, "w:gz")),
        ("x.tar.xz", lambda p, m: make_tar(p, m, "w:xz")),
        ("x.tar.bz2", lambda p, m: make_tar(p, m, "w:bz2")),
    ],
)
def test_good_archives_come_out_whole(tmp_path, name, make):
    for number, members in enumerate([[], GOOD]):
        out = tmp_path / f"out{number}"
        files = extract(make(tmp_path / f"{number}{name}", members), out)
        assert tree(out) == dict(members)
        assert [f.as_posix() for f in files] == [member for member, _ in members]


def test_a_single_gz_file(tmp_path):
    (tmp_path / "labels.ubyte.gz").write_bytes(gzip.compress(b"123"))
    extract(tmp_path / "labels.ubyte.gz", tmp_path / "out")
    assert tree(tmp_path / "out") == {"labels.ubyte": b"123"}


BAD_NAMES = ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "C:evil", "..\\evil", "\\\\host\\evil", "", ".."]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_no_name_leads_outside(tmp_path, name):
    if name:  # zipfile cannot write an empty name
        archive = make_zip(tmp_path / "x.zip", [("first.txt", b"1"), (name, b"evil")])
        with pytest.raises(ValueError, match=r"x\.zip holds .*outside its folder"):
            extract(archive, tmp_path / "out")
    archive = make_tar(tmp_path / "x.tar", [("first.txt", b"1"), (name, b"evil")])
    with pytest.raises(ValueError, match=r"x\.tar holds .*outside its folder"):
        extract(archive, tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} <= {"x.zip", "x.tar"}  # all or nothing


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.lists(st.sampled_from(["..", ".", "a", "b", "/", "\\", "C:", "", "~"]), min_size=1, max_size=6).map("/".join))
def test_whatever_the_name_nothing_lands_outside(tmp_path, name):
    archive = make_tar(tmp_path / "x.tar", [(name, b"evil")])
    out = tmp_path / "deep" / "out"
    try:
        extract(archive, out)
    except ValueError:
        assert not out.exists()
    else:
        assert list(tree(out).values()) == [b"evil"]
    assert [p.name for p in tmp_path.iterdir() if p.name not in ("x.tar", "deep")] == []
    for path in sorted(tmp_path.glob("deep/**/*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    "member",
    [
        link("out", "/etc"),
        link("out", "../.."),
        link("hard", "/etc/passwd", tarfile.LNKTYPE),
        link("pipe", "", tarfile.FIFOTYPE),
        link("device", "", tarfile.CHRTYPE),
    ],
    ids=["absolute link", "link up", "hard link", "pipe", "device"],
)
def test_links_and_devices_are_refused(tmp_path, member):
    archive = make_tar(tmp_path / "x.tar", [(member, b""), ("out/evil", b"evil")])
    with pytest.raises(ValueError, match=f"holds '{member.name}', which is a link or device"):
        extract(archive, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["x.tar"]


def test_links_in_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(ValueError, match="which is a link"):
        extract(make_zip(tmp_path / "x.zip", [(info, "/etc/passwd")]), tmp_path / "out")


def test_bombs_do_not_go_off(tmp_path):
    archive = make_zip(tmp_path / "bomb.zip", [(f"{i}.txt", b"\x00" * 10_000_000) for i in range(8)])
    assert archive.stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"bomb\.zip unpacks to far more"):
        extract(archive, tmp_path / "out")
    with pytest.raises(ValueError, match="unpacks to far more"):
        extract(make_zip(tmp_path / "big.zip", [("a", b"12345")]), tmp_path / "out", max_bytes=4)
    with pytest.raises(ValueError, match="more than 2 files"):
        extract(make_zip(tmp_path / "many.zip", GOOD), tmp_path / "out", max_files=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a", b"1"), ("a", b"2")], "holds 'a' twice"),
        ([("Image.png", b"1"), ("image.PNG", b"2")], r"holds 'image\.PNG' twice"),
        ([("a", b"1"), ("a/b", b"2")], "both as a file and as a folder"),
        ([("a/b", b"1"), ("a", b"2")], "both as a file and as a folder"),
    ],
)
def test_members_that_would_overwrite_each_other(tmp_path, members, message):
    with pytest.raises(ValueError, match=message):
        extract(make_zip(tmp_path / "x.zip", members), tmp_path / "out")


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tar.xz", "x.gz"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_damaged_archive_is_an_error_that_names_it(tmp_path, name, keep):
    import random

    noise = [("a.bin", random.Random(0).randbytes(50_000)), ("b.bin", random.Random(1).randbytes(50_000))]
    archive = tmp_path / name
    if name == "x.gz":
        archive.write_bytes(gzip.compress(noise[0][1]))
    else:
        make_zip(archive, noise) if name == "x.zip" else make_tar(archive, noise, {"gz": "w:gz", "xz": "w:xz"}.get(name[-2:], "w"))
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ValueError, match=name):
        extract(archive, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_changed_byte_in_a_zip_is_found(tmp_path):
    archive = make_zip(tmp_path / "x.zip", [("a.bin", bytes(range(256)) * 50)])
    content = bytearray(archive.read_bytes())
    content[60] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.zip cannot be unpacked"):
        extract(archive, tmp_path / "out")


def test_several_archives_in_one_folder(tmp_path):
    archives = [make_zip(tmp_path / "1.zip", [("VOC/a.xml", b"1")]), make_tar(tmp_path / "2.tar", [("VOC/b.xml", b"2")])]
    extract(archives, tmp_path / "out")
    assert tree(tmp_path / "out") == {"VOC/a.xml": b"1", "VOC/b.xml": b"2"}
    archives.append(make_zip(tmp_path / "3.zip", [("VOC/b.xml", b"3")]))
    with pytest.raises(ValueError, match=r"3\.zip holds 'VOC/b\.xml' twice"):
        extract(archives, tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="folder must be new or empty"):
        extract(make_zip(tmp_path / "x.zip", GOOD), tmp_path / "out")
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
