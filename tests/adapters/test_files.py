from pathlib import Path

import pytest

from davy.adapters import files


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_as_a_whole(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.json"
    for content in (b"one", b"a longer two", b"3"):
        files.replace(path, content, durable=durable)
        assert path.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_what_cannot_be_replaced_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.replace(path, b"old")
    (tmp_path / ".a.json.new").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        files.replace(path, b"new")
    assert path.read_bytes() == b"old"


def test_the_last_line_that_says_something(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert files.last_line(log) == ""
    log.write_bytes(b"")
    assert files.last_line(log) == ""
    log.write_bytes(b"x" * 10_000 + b"\nfirst\n  second \xff \n\n  \n")
    assert files.last_line(log) == "second \ufffd"
    log.write_bytes(b"y" * 10_000)
    assert files.last_line(log) == "y" * 300


def test_a_log_is_set_aside_only_when_it_is_long(tmp_path: Path) -> None:
    log = tmp_path / "log"
    files.make_room(log, limit_bytes=3)
    log.write_bytes(b"abc")
    files.make_room(log, limit_bytes=3)
    assert log.exists()
    log.write_bytes(b"abcd")
    files.make_room(log, limit_bytes=3)
    assert not log.exists()
    assert (tmp_path / "log.1").read_bytes() == b"abcd"
