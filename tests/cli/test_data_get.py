import hashlib
import io
import zipfile

import pytest
from typer.testing import CliRunner

from coursekit.cli import app, main
from coursekit.data.catalog import NAMES


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


def run(*words):
    return CliRunner().invoke(app, ["data", *words])


def test_list_names_every_dataset_with_its_licence(home):
    result = run("list")
    assert result.exit_code == 0
    assert all(name in result.output for name in NAMES)
    assert "CC BY-SA 4.0" in result.output


def test_list_of_one_is_its_card(home):
    assert "no hash of PennFudanPed.zip is published" in run("list", "penn-fudan").output


def penn_fudan(path):
    """170 pictures as its archive holds them, the smallest that count as whole."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(170):
            archive.writestr(f"PennFudanPed/PNGImages/{i:03d}.png", out.getvalue())
            archive.writestr(f"PennFudanPed/Annotation/{i:03d}.txt", "Image size (X x Y x C) : 8 x 8 x 3\n")
    return path


def test_get_prints_the_folder_and_what_can_be_done_with_it(home):
    archives = home / "penn-fudan" / "archives"
    archives.mkdir(parents=True)
    archive = penn_fudan(archives / "PennFudanPed.zip")  # as if it had been put there by hand
    result = run("get", "penn-fudan")
    assert result.exit_code == 0
    assert result.stdout.strip() == str(home / "penn-fudan" / "files" / "PennFudanPed")
    assert "load('penn-fudan')" in result.stderr
    recorded = (archives / "PennFudanPed.zip.sha256").read_text()
    assert recorded == "sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest()


def test_get_takes_an_archive_from_anywhere(home, tmp_path):
    result = run("get", "penn-fudan", "--quiet", "--folder", str(penn_fudan(tmp_path / "from browser.zip")))
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.strip().endswith("PennFudanPed")


def test_ctrl_c_says_how_to_go_on(home, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("coursekit.data.catalog.fetch", stop)
    result = run("get", "bccd")
    assert result.exit_code == 130
    assert "`coursekit data get bccd` goes on from there" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["get", "nothing-known"], "name must be one of fashion-mnist"),
        (["get", "face-mask"], "Log in at kaggle.com"),
        (["get", "bccd", "--folder", "/nowhere"], "folder must exist, got /nowhere"),
        (["list", "nothing-known"], "name must be one of"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_exit_code_2(home, monkeypatch, capsys, words, message):
    monkeypatch.setattr("sys.argv", ["coursekit", "data", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
