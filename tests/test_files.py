import json
import stat

import pytest

from coursekit.files import write_atomically, write_bytes, write_json, write_text


@pytest.mark.parametrize(
    ("write", "value", "content"), [(write_bytes, b"", b""), (write_text, "글\n", "글\n".encode()), (write_json, {"글": 1}, None)]
)
def test_what_is_written_is_what_is_read(tmp_path, write, value, content):
    path = tmp_path / "new folder" / "file"
    write(path, value)
    assert path.read_bytes() == content if content is not None else json.loads(path.read_text(encoding="utf-8")) == value
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")

    def fail(temporary):
        temporary.write_text("half of the n")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
