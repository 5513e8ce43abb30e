"""Whoever was taken over from changes nothing any more, wherever it was stopped."""

import threading
from pathlib import Path

import pytest

from davy.adapters.fence import Fence
from davy.ledger.lease import Fenced


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_as_a_whole(tmp_path: Path, durable: bool) -> None:
    fence, path = Fence.take(tmp_path / "terms"), tmp_path / "a.json"
    for content in (b"one", b"a longer two", b"3"):
        fence.replace(path, content, durable=durable)
        assert path.read_bytes() == content
    fence.remove(path)
    fence.remove(path)
    assert not path.exists()
    assert list(fence.directory.iterdir()) == []


def test_what_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    fence, path = Fence.take(tmp_path / "terms"), tmp_path / "a.json"
    fence.replace(path, b"old")
    (fence.directory / f"{tmp_path.name}-a.json").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        fence.replace(path, b"new")
    assert path.read_bytes() == b"old"
    with pytest.raises(FileNotFoundError):
        fence.replace(tmp_path / "nowhere" / "a.json", b"new")


def test_one_that_was_taken_over_from_changes_nothing(tmp_path: Path) -> None:
    first, path = Fence.take(tmp_path / "terms"), tmp_path / "a.json"
    first.replace(path, b"first")
    first.check()
    second = Fence.take(tmp_path / "terms")
    with pytest.raises(Fenced, match="epoch 2"):
        first.replace(path, b"late")
    with pytest.raises(Fenced):
        first.remove(path)
    with pytest.raises(Fenced):
        first.remove(tmp_path / "b.json")
    with pytest.raises(Fenced):
        first.check()
    assert path.read_bytes() == b"first"
    second.replace(path, b"second")
    assert path.read_bytes() == b"second"


def test_one_that_sleeps_between_writing_and_renaming_has_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it wrote beside was moved away together with its directory."""
    first, path = Fence.take(tmp_path / "terms"), tmp_path / "a.json"
    first.replace(path, b"first")
    rename = Path.rename

    def sleepy(source: Path, target: Path) -> Path:
        if target == path:
            with monkeypatch.context() as awake:
                awake.setattr(Path, "rename", rename)
                Fence.take(tmp_path / "terms")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", sleepy)
    with pytest.raises(Fenced):
        first.replace(path, b"late")
    assert path.read_bytes() == b"first"


def test_one_that_comes_too_late_takes_nothing_away_from_its_successor(tmp_path: Path) -> None:
    second = Fence.take(tmp_path / "terms", 2)
    with pytest.raises(Fenced, match="epoch 2"):
        Fence.take(tmp_path / "terms", 1)
    second.replace(tmp_path / "a.json", b"second")
    assert [path.name for path in (tmp_path / "terms").iterdir()] == ["2"]


def test_of_many_who_take_over_at_once_the_last_epoch_has_it(tmp_path: Path) -> None:
    for round_ in range(5):
        root, begin, fences = tmp_path / str(round_), threading.Barrier(4), list[Fence]()

        def take(epoch: int, root: Path = root, begin: threading.Barrier = begin) -> None:
            begin.wait()
            try:
                fences.append(Fence.take(root, epoch))  # noqa: B023  each round has its own
            except Fenced:
                return

        threads = [threading.Thread(target=take, args=(epoch,)) for epoch in (1, 2, 3, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        able = [fence for fence in fences if fence.directory.exists()]
        assert [fence.directory.name for fence in able] == ["4"]


def test_what_those_before_left_can_be_read_until_it_is_swept_away(tmp_path: Path) -> None:
    first = Fence.take(tmp_path / "terms")
    (first.directory / "spool").write_text("noted")
    second = Fence.take(tmp_path / "terms")
    third = Fence.take(tmp_path / "terms")
    assert [(left / "spool").exists() for left in third.earlier()] == [True, False]
    third.sweep()
    assert third.earlier() == []
    with pytest.raises(Fenced):
        second.check()


def test_a_state_directory_that_was_removed_ends_it_too(tmp_path: Path) -> None:
    fence = Fence.take(tmp_path / "terms")
    fence.directory.rmdir()
    (tmp_path / "terms").rmdir()
    with pytest.raises(Fenced, match="its directory is gone"):
        fence.check()
