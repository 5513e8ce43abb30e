"""Flags out of files: what a change becomes, and what a mistake does not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.adapters.test_memory_flags import document

from davy.adapters.flag_files import FlagFiles
from davy.errors import UsageError
from davy.flags.serving import Flags
from davy.testing.flags import FlagsContract


def served(path: Path, now: list[float]) -> FlagFiles:
    return FlagFiles([path.parent], path.read_bytes, lambda: now[0])


class TestFlagFiles(FlagsContract):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "flags.json"

    def made(self) -> tuple[Flags, Callable[[bool], None]]:
        self.path.write_bytes(document(False))
        flags = served(self.path, [1795669200.0])

        def toggle(on: bool) -> None:
            beside = self.path.with_suffix(".new")
            beside.write_bytes(document(on))
            beside.rename(self.path)
            flags.look()

        return flags, toggle


def test_versions_grow_over_restarts_without_anything_being_kept(tmp_path: Path) -> None:
    path, now = tmp_path / "flags.json", [1795669200.0]
    path.write_bytes(document(False))
    first = served(path, now)
    assert first.document().version == 1795669200000
    path.write_bytes(document(True))
    first.look()
    assert first.document().version == 1795669200001
    now[0] += 60
    assert served(path, now).document().version == 1795669260000


def test_a_mistake_changes_nothing_and_is_told_of_until_it_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    path.write_bytes(document(True))
    flags = served(path, [1.0])
    before = flags.document()
    for wrong in (b"{", b"[]", b'{"flags": 7}'):
        path.write_bytes(wrong)
        flags.look()
        assert (flags.document(), flags.doubt != "") == (before, True)
    path.write_bytes(document(False))
    flags.look()
    assert flags.doubt == ""
    assert flags.document().version > before.version


def test_a_mistake_at_first_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    path.write_bytes(b"{")
    with pytest.raises(UsageError):
        served(path, [1.0])


def test_a_source_that_goes_and_comes_back_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    path.write_bytes(document(True))

    def read() -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise UsageError("it is gone") from error

    flags = FlagFiles([path], read, lambda: 1.0)
    path.unlink()
    flags.look()
    assert flags.doubt == "it is gone"
    path.write_bytes(document(False))
    flags.look()
    assert flags.doubt == ""
