"""The catalog, with small archives laid where a download would put them: no test here needs a network."""

import dataclasses
import gzip
import hashlib
import io
import re
import struct
import zipfile

import numpy as np
import pytest
import torchvision
from PIL import Image

from coursekit.data import catalog, others
from coursekit.data.cards import CARDS
from coursekit.data.catalog import NAMES, card, describe, get, load
from coursekit.data.download import DownloadError, RemoteFile, file_hash
from coursekit.data.records import Annotations

XML = """<annotation><filename>{name}.jpg</filename><size><width>40</width><height>30</height><depth>3</depth></size>
<object><name>cell</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>20</ymax></bndbox></object></annotation>"""


def picture(format="JPEG", size=(40, 30)):
    out = io.BytesIO()
    Image.new("RGB", size, "gray").save(out, format)
    return out.getvalue()


def zipped(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def voc_members(count, prefix="cells/"):
    members = {f"{prefix}Annotations/{i}.xml": XML.format(name=i) for i in range(count)}
    return members | {f"{prefix}JPEGImages/{i}.jpg": picture() for i in range(count)}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def cells(home, monkeypatch):
    """A dataset of three pictures whose archive somebody put where a download would."""
    archive = zipped(home / "cells" / "archives" / "cells.zip", voc_members(3))
    hash = "sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest()
    file = RemoteFile("cells.zip", ("http://127.0.0.1:9/cells.zip",), hash)
    one = dataclasses.replace(card("bccd"), name="cells", title="Cells", files=(file,), root="cells", splits=(), expected=3, content="")
    monkeypatch.setattr(catalog, "CARDS", (*CARDS, one))
    return one


def test_names_are_unique_and_cards_are_whole():
    assert len(set(NAMES)) == len(NAMES) >= 12
    for one in CARDS:
        assert one.task in ("classification", "detection", "segmentation")
        assert bool(one.files) != bool(one.manual)  # fetched, or told how
        assert one.licence
        assert one.citation
        assert one.home.startswith("http")
        assert not one.files or one.reader  # what can be fetched can be read
        for file in one.files:
            assert file.urls
            assert all(url.startswith(("http://", "https://")) for url in file.urls)
            lengths = {"md5": 32, "sha1": 40, "sha256": 64}
            assert file.hash is None or re.fullmatch(f"[0-9a-f]{{{lengths[file.hash.partition(':')[0]]}}}", file.hash.partition(":")[2])
            assert file.hash is not None or "http:" not in file.urls[0]  # what cannot be checked comes over TLS
            assert file.name == file.name.strip("/")
        if one.reader.startswith("torchvision."):
            assert hasattr(torchvision.datasets, one.reader.partition(".")[2])
        elif one.reader not in ("", "boxes"):
            assert callable(getattr(others, one.reader))


@pytest.mark.parametrize("name", NAMES)
def test_a_card_says_all_that_matters(name):
    text = describe(card(name))
    assert card(name).licence in text
    assert card(name).home in text
    assert ("by hand" in text) == bool(card(name).manual)
    assert ("no hash of" in text) == (any(file.hash is None for file in card(name).files) and not card(name).content)


def test_the_published_hashes_are_those_of_torchvision():
    ours = {file.name: file.hash for one in CARDS for file in one.files}
    for name, md5 in torchvision.datasets.FashionMNIST.resources:
        assert ours[name] == f"md5:{md5}"
    assert ours[torchvision.datasets.CIFAR10.filename] == f"md5:{torchvision.datasets.CIFAR10.tgz_md5}"
    for url, md5 in torchvision.datasets.OxfordIIITPet._RESOURCES:
        assert ours[url.rpartition("/")[2]] == f"md5:{md5}"
    for year in ("2007", "2007-test"):
        row = torchvision.datasets.voc.DATASET_YEAR_DICT[year]
        assert ours[row["filename"]] == f"md5:{row['md5']}"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"name must be one of fashion-mnist, .*, got 'mnits'"):
        get("mnits")


def test_get_unpacks_once_and_load_reads(home, cells):
    folder = get("cells", progress=False)
    assert folder == home / "cells" / "files" / "cells"
    annotations = load("cells")
    assert isinstance(annotations, Annotations)
    assert len(annotations) == 3
    assert annotations.images[0].boxes.tolist() == [[0, 0, 10, 20]]
    stamp = (folder / "Annotations" / "0.xml").stat().st_mtime_ns
    get("cells", progress=False)
    assert (folder / "Annotations" / "0.xml").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("damage", ["removed", "cut", "half unpacked", "manifest"])
def test_what_was_damaged_is_unpacked_again(home, cells, damage):
    file = get("cells") / "Annotations" / "1.xml"
    if damage == "removed":
        file.unlink()
    elif damage == "cut":
        file.write_text(file.read_text()[:50])
    elif damage == "half unpacked":
        (home / "cells" / "manifest.json").unlink()
        file.unlink()
    else:
        (home / "cells" / "manifest.json").write_text("{")
    get("cells")
    assert file.read_text() == XML.format(name=1)
    assert len(load("cells")) == 3


def test_content_is_known_whatever_it_was_packed_in(home, cells, monkeypatch):
    known = catalog.content_hash(get("cells"))
    monkeypatch.setattr(catalog, "CARDS", (dataclasses.replace(cells, content=known),))
    (home / "cells" / "manifest.json").unlink()
    assert catalog.content_hash(get("cells")) == known
    monkeypatch.setattr(catalog, "CARDS", (dataclasses.replace(cells, content="sha256:" + "0" * 64),))
    (home / "cells" / "manifest.json").unlink()
    with pytest.raises(ValueError, match=r"cells\.zip does not hold the Cells that we know"):
        get("cells")
    assert not (home / "cells" / "files").exists()


def test_content_hash_sees_names_and_bytes(tmp_path):
    hashes = set()
    for number, files in enumerate([{}, {"a.xml": "1"}, {"b.xml": "1"}, {"a.xml": "2"}, {"a.xml": "1", "b.jpg": ""}]):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        hashes.add(catalog.content_hash(folder))
        (folder / ".DS_Store").write_text("whatever")
        assert catalog.content_hash(folder) in hashes
    assert len(hashes) == 5


def test_a_damaged_archive_is_never_unpacked(home, cells):
    archive = home / "cells" / "archives" / "cells.zip"
    archive.write_bytes(archive.read_bytes()[:-10])
    with pytest.raises(DownloadError, match=r"no connection to 127\.0\.0\.1"):  # it is fetched again, and there is nobody to ask
        catalog.fetch(cells.files[0], archive.parent, attempts=1, progress=False)
    assert not (home / "cells" / "files").exists()


def test_a_dataset_behind_a_login_says_what_to_do(home):
    with pytest.raises(
        DownloadError, match=r"(?s)cannot be fetched by a program.*Log in at kaggle.*coursekit data get face-mask --folder PATH"
    ):
        get("face-mask")
    with pytest.raises(DownloadError, match="the course has no reader"):
        get("imagenet-1k")


def masks(path, count):
    return zipped(
        path, {k.replace("JPEGImages", "images").replace("Annotations", "annotations"): v for k, v in voc_members(count, "").items()}
    )


def test_an_archive_from_the_browser_is_unpacked_and_remembered(home, tmp_path, monkeypatch):
    one = dataclasses.replace(card("face-mask"), expected=4)
    monkeypatch.setattr(catalog, "CARDS", (one,))
    archive = masks(tmp_path / "archive.zip", 4)
    folder = get("face-mask", folder=archive)
    assert len(load("face-mask", folder=folder)) == 4
    assert get("face-mask") == folder
    with pytest.raises(ValueError, match="holds 2 pictures, and Face Mask Detection has 4"):
        get("face-mask", folder=masks(tmp_path / "other.zip", 2))
    with pytest.raises(DownloadError):  # what failed its check is not kept
        get("face-mask")


@pytest.mark.parametrize("prefix", ["", "cells/"])
def test_a_folder_that_the_user_has_is_used_where_it_lies(home, cells, tmp_path, prefix):
    mine = tmp_path / "mine"
    zipfile.ZipFile(zipped(tmp_path / "x.zip", voc_members(3, prefix))).extractall(mine)
    assert get("cells", folder=mine) == (mine / prefix if prefix else mine)
    assert len(load("cells", folder=mine)) == 3


@pytest.mark.parametrize(("what", "message"), [("nothing", "folder must exist"), ("empty", "does not hold Cells")])
def test_a_folder_that_is_not_it(home, cells, tmp_path, what, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        get("cells", folder=tmp_path / what)


def test_a_split_that_there_is_not(home, cells):
    with pytest.raises(ValueError, match="split must be one of none: it is not split, got 'train'"):
        load("cells", "train")


def idx(array):
    return gzip.compress(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


def small_fashion(archives, counts=(5, 5, 2, 2), hashed=False):
    """The card of a Fashion-MNIST in miniature, whose four .gz files are written to `archives`."""
    archives.mkdir(parents=True)
    files = []
    for file, count in zip(card("fashion-mnist").files, counts, strict=True):
        array = np.zeros((count, 28, 28) if "images" in file.name else count, dtype=np.uint8)
        (archives / file.name).write_bytes(idx(array))
        files.append(dataclasses.replace(file, hash=file_hash(archives / file.name, "md5") if hashed else None))
    return dataclasses.replace(card("fashion-mnist"), files=tuple(files), expected=counts[0] + counts[2])


def test_a_folder_with_all_archives_is_unpacked(home, tmp_path, monkeypatch):
    """What somebody has who fetched the four files in the browser."""
    mine = tmp_path / "downloads"
    monkeypatch.setattr(catalog, "CARDS", (small_fashion(mine, hashed=True),))
    assert len(load("fashion-mnist", "train", folder=mine)) == 5
    assert sorted(path.name for path in mine.iterdir()) == sorted(file.name for file in card("fashion-mnist").files)  # nothing was added


def test_one_wrong_archive_among_them_is_named(home, tmp_path, monkeypatch):
    mine = tmp_path / "downloads"
    one = small_fashion(mine, hashed=True)
    monkeypatch.setattr(catalog, "CARDS", (one,))
    (mine / one.files[2].name).write_bytes(b"<html>404</html>")
    with pytest.raises(ValueError, match=rf"{one.files[2].name} is not the file of Fashion-MNIST that we know: its hash is md5:"):
        load("fashion-mnist", "train", folder=mine)


def test_torchvision_finds_the_files_where_it_looks(home, monkeypatch):
    """Fashion-MNIST in miniature: its four .gz files, unpacked into the folder that torchvision's class expects."""
    archives = home / "fashion-mnist" / "archives"
    monkeypatch.setattr(catalog, "CARDS", (small_fashion(archives),))
    train, test = load("fashion-mnist", "train"), load("fashion-mnist", "test")
    assert (len(train), len(test)) == (5, 2)
    assert train[0][0].size == (28, 28)
    assert len(list(archives.glob("*.sha256"))) == 4  # the first use set the hashes
    assert get("fashion-mnist", folder=home / "fashion-mnist" / "files") == home / "fashion-mnist" / "files"


def test_gtsdb(tmp_path):
    for number in (0, 599, 600, 601):
        (tmp_path / f"{number:05d}.ppm").write_bytes(picture("PPM"))
    (tmp_path / "gt.txt").write_text(
        "00000.ppm;3;4;9;14;14\r\n00600.ppm;0;0;39;29;0\n00601.ppm;1;1;5;5;99\nnonsense\n09999.ppm;1;1;5;5;1\n\n"
    )
    whole = others.read_gtsdb(tmp_path)
    assert len(whole) == 4
    assert whole.images[0].boxes.tolist() == [[3, 4, 10, 15]]
    assert whole.classes[whole.images[0].labels[0]] == "stop"
    assert whole.images[2].boxes.tolist() == [[0, 0, 40, 30]]  # the whole picture, to its last column
    assert sorted(problem.kind for problem in whole.problems) == ["bad-line", "bad-picture", "unknown-class"]
    assert len(others.GTSDB_CLASSES) == 43
    with pytest.raises(ValueError, match="is no GTSDB"):
        others.read_gtsdb(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="split must be 'train' or 'test', got 'val'"):
        others.read_gtsdb(tmp_path, "val")


def test_gtsdb_is_split_as_in_the_competition(tmp_path, monkeypatch):
    for number in range(5):
        (tmp_path / f"{number:05d}.ppm").write_bytes(picture("PPM"))
    (tmp_path / "gt.txt").write_text("")
    monkeypatch.setattr(others, "GTSDB_TRAIN", 3)
    train, test = others.read_gtsdb(tmp_path, "train"), others.read_gtsdb(tmp_path, "test")
    assert [record.path.name for record in train.images] == ["00000.ppm", "00001.ppm", "00002.ppm"]
    assert [record.image_id for record in train.images] == [1, 2, 3]
    assert [record.image_id for record in test.images] == [4, 5]  # one numbering for both


def test_penn_fudan(tmp_path):
    (tmp_path / "Annotation").mkdir()
    (tmp_path / "PNGImages").mkdir()
    (tmp_path / "PNGImages" / "FudanPed1.png").write_bytes(picture("PNG"))
    (tmp_path / "Annotation" / "FudanPed1.txt").write_text(
        "Image size (X x Y x C) : 40 x 30 x 3\n# Top left pixel co-ordinates : (1, 1)\n"
        'Bounding box for object 1 "PASpersonWalking" (Xmin, Ymin) - (Xmax, Ymax) : (1, 2) - (10, 30)\n'
        'Bounding box for object 2 "PASpersonStanding" (Xmin, Ymin) - (Xmax, Ymax) : (20, 5) - (40, 25)\n'
    )
    annotations = others.read_penn_fudan(tmp_path)
    assert annotations.classes == ("person",)
    assert annotations.images[0].boxes.tolist() == [[0, 1, 10, 30], [19, 4, 40, 25]]
    assert annotations.problems == []
    with pytest.raises(ValueError, match="is no Penn-Fudan"):
        others.read_penn_fudan(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="split must be left out"):
        others.read_penn_fudan(tmp_path, "train")
