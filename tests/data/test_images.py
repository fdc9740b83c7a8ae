import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from coursekit.data import images
from coursekit.data.images import PictureError, PictureFinder, PictureFolder, decode_image, load_image, read_header


def picture(folder, mode, values, name="a.png", **save):
    path = folder / name
    Image.fromarray(np.asarray(values), mode if mode in ("P", "CMYK") else None).save(path, **save)
    return path


def colours(path):
    """(3, 1, n) -> list of n colours."""
    return [tuple(int(v) for v in column) for column in load_image(path)[:, 0].T]


RED, GREEN = (255, 0, 0), (0, 255, 0)


class TestKinds:
    def test_rgb_is_channels_height_width(self, tmp_path):
        values = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
        image = load_image(picture(tmp_path, "RGB", values))
        assert (image.shape, image.dtype, image.flags.c_contiguous) == ((3, 2, 4), np.uint8, True)
        np.testing.assert_array_equal(image, values.transpose(2, 0, 1))

    def test_grey(self, tmp_path):
        assert colours(picture(tmp_path, "L", np.array([[0, 100, 255]], np.uint8))) == [(0,) * 3, (100,) * 3, (255,) * 3]

    def test_one_bit(self, tmp_path):
        Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "a.png")
        assert colours(tmp_path / "a.png") == [(0,) * 3, (255,) * 3]

    def test_transparent_lies_on_white(self, tmp_path):
        values = np.array([[[*RED, 255], [*RED, 0], [0, 0, 0, 51]]], np.uint8)  # the last: a fifth of black on white
        assert colours(picture(tmp_path, "RGBA", values)) == [RED, (255, 255, 255), (204, 204, 204)]

    def test_grey_with_alpha(self, tmp_path):
        assert colours(picture(tmp_path, "LA", np.array([[[10, 255], [10, 0]]], np.uint8))) == [(10,) * 3, (255,) * 3]

    @pytest.mark.parametrize(("transparency", "second"), [(None, GREEN), (1, (255, 255, 255))])
    def test_palette(self, tmp_path, transparency, second):
        image = Image.new("P", (2, 1))
        image.putpalette([*RED, *GREEN])
        image.putpixel((1, 0), 1)
        image.save(tmp_path / "a.png", **({} if transparency is None else {"transparency": transparency}))
        assert colours(tmp_path / "a.png") == [RED, second]

    def test_sixteen_bits_are_scaled_not_clipped(self, tmp_path):
        assert colours(picture(tmp_path, "I;16", np.array([[0, 257, 32896, 65535]], np.uint16))) == [(v,) * 3 for v in (0, 1, 128, 255)]

    @pytest.mark.parametrize(("values", "expected"), [([0.0, 0.5, 1.0], [0, 128, 255]), ([0.0, 200.0, 255.0], [0, 200, 255])])
    def test_floats(self, tmp_path, values, expected):
        assert colours(picture(tmp_path, "F", np.array([values], np.float32), "a.tif")) == [(v,) * 3 for v in expected]

    @pytest.mark.parametrize("values", [[-1.0, 0.0], [float("nan"), 0.0], [0.0, 1e6]])
    def test_floats_without_a_known_scale(self, tmp_path, values):
        path = picture(tmp_path, "F", np.array([values], np.float32), "a.tif")
        with pytest.raises(PictureError, match=r"a\.tif: grey values must lie in 0\.\.65535"):
            load_image(path)

    def test_cmyk(self, tmp_path):
        path = tmp_path / "a.jpg"
        Image.new("RGB", (8, 8), RED).convert("CMYK").save(path, quality=100)
        assert read_header(path).mode == "CMYK"
        np.testing.assert_allclose(load_image(path)[:, 4, 4], RED, atol=12)

    def test_first_frame(self, tmp_path):
        frames = [Image.new("RGB", (2, 2), colour) for colour in (RED, GREEN)]
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
        assert colours(tmp_path / "a.gif") == [RED, RED]

    @pytest.mark.parametrize("name", ["a.jpg", "a", "사 진.jpeg", "é (1).JPG"])
    def test_a_png_under_any_name(self, tmp_path, name):
        buffer = io.BytesIO()
        Image.new("RGB", (1, 1), RED).save(buffer, "PNG")
        (tmp_path / name).write_bytes(buffer.getvalue())
        assert colours(tmp_path / name) == [RED]
        assert read_header(tmp_path / name).format == "PNG"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_exif_orientation_shows_what_a_viewer_shows(tmp_path, orientation, suffix):
    """The displayed picture is red at its top left only. Stored as each orientation has it, by NumPy alone."""
    shown = np.zeros((16, 32, 3), np.uint8)
    shown[:8, :8] = RED
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),  # shown by turning it clockwise, so stored turned the other way
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](shown)
    exif = Image.Exif()
    exif[images.ORIENTATION] = orientation
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.ascontiguousarray(stored)).save(
        path, exif=exif, **({"quality": 100, "subsampling": 0} if suffix == ".jpg" else {"lossless": True} if suffix == ".webp" else {})
    )
    header = read_header(path)
    assert (header.width, header.height, header.orientation) == (32, 16, orientation)
    np.testing.assert_allclose(load_image(path).astype(int), shown.transpose(2, 0, 1), atol=30)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "P", "I;16", "CMYK"])
def test_bytes_are_read_like_a_file(tmp_path, mode, orientation):
    exif = Image.Exif()
    exif[images.ORIENTATION] = orientation
    path = tmp_path / "a.tif"
    Image.linear_gradient("L").resize((6, 4)).convert(mode).save(path, exif=exif, **({"format": "PNG"} if mode in ("LA", "P") else {}))
    upright = decode_image(path.read_bytes())
    assert upright.shape == ((3, 4, 6) if orientation == 1 else (3, 6, 4))
    assert (np.diff(upright.astype(int), axis=1 if orientation == 1 else 2) != 0).any()  # a gradient down, or across
    assert (np.diff(upright.astype(int), axis=2 if orientation == 1 else 1) == 0).all()
    np.testing.assert_array_equal(load_image(path), upright)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"^upload: not a picture that can be read \(the file is empty\)$"),
        (b"text", r"^upload: not a picture that can be read \(4 bytes\)$"),
        (b"\x89PNG\r\n\x1a\n\x00", "^upload: "),
    ],
)
def test_bytes_that_are_no_picture_are_called_by_the_given_name(content, said):
    with pytest.raises(PictureError, match=said):
        decode_image(content, "upload")


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_nonsense_orientation_is_upright(tmp_path, value):
    exif = Image.Exif()
    exif[images.ORIENTATION] = value
    Image.new("RGB", (4, 2)).save(tmp_path / "a.jpg", exif=exif)
    assert load_image(tmp_path / "a.jpg").shape == (3, 2, 4)


class TestDamaged:
    def test_missing(self, tmp_path):
        with pytest.raises(PictureError, match=r"gone\.png: there is no such picture"):
            load_image(tmp_path / "gone.png")

    def test_a_folder(self, tmp_path):
        (tmp_path / "a.png").mkdir()
        with pytest.raises(PictureError, match=r"a\.png: "):
            load_image(tmp_path / "a.png")

    @pytest.mark.parametrize(("content", "text"), [(b"", "the file is empty"), (b"<html>404</html>", "16 bytes")])
    def test_no_picture(self, tmp_path, content, text):
        (tmp_path / "a.jpg").write_bytes(content)
        with pytest.raises(PictureError, match=rf"a\.jpg: not a picture that can be read \({text}\)"):
            load_image(tmp_path / "a.jpg")

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".webp", ".tif", ".bmp"])
    @pytest.mark.parametrize("keep", [0.9, 0.5, 0.1])
    def test_cut_short_is_refused_by_name_never_half_black(self, tmp_path, suffix, keep):
        noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        path = tmp_path / f"a{suffix}"
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
        with pytest.raises(PictureError, match=rf"a\{suffix}: "):
            load_image(path)

    @pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
    @pytest.mark.parametrize("side", [9_000, 10_000, 20_000, 2**31 - 1])  # Pillow says nothing, warns, refuses, refuses
    def test_a_bomb_is_refused_before_it_is_unpacked(self, tmp_path, side):
        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
        path = tmp_path / "bomb.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b""))
        for function in (read_header, load_image):
            with pytest.raises(PictureError, match=r"bomb\.png: .*more than 80000000 pixels"):
                function(path)


class TestNames:
    def test_accents_and_case_as_other_systems_store_them(self, tmp_path):
        apart = "é사진.PNG"  # macOS: é as e and an accent
        (tmp_path / apart).touch()
        folder = PictureFolder(tmp_path)
        assert folder.named("é사진.png") == tmp_path / apart
        assert folder.with_stem("É사진") == [tmp_path / apart]
        assert folder.named("") is None
        assert folder.named("other.png") is None

    def test_finder_looks_in_each_folder_with_and_without_the_path(self, tmp_path):
        for place in ("images/train", "pics"):
            (tmp_path / place).mkdir(parents=True)
        (tmp_path / "images/train/a b.JPG").touch()
        (tmp_path / "pics/b.png").touch()
        finder = PictureFinder([tmp_path, tmp_path / "images", tmp_path / "pics", tmp_path / "gone"])
        assert finder.find("images/train/a b.JPG") == tmp_path / "images/train/a b.JPG"
        assert finder.find("train\\a b.jpg") == tmp_path / "images/train/a b.JPG"
        assert finder.find("elsewhere/b.png") == tmp_path / "pics/b.png"
        assert finder.find("c.png") is None
