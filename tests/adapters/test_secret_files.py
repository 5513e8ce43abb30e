"""Secrets as files: read anew each time, and only where nobody else can read them."""

import os
from pathlib import Path

import pytest

from davy.adapters.secret_files import SecretFiles
from davy.analysis.provider import ProviderError


def put(directory: Path, content: bytes, mode: int = 0o600) -> Path:
    place = directory / "default" / "api" / "token"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.write_bytes(content)
    place.chmod(mode)
    return place


def find(directory: Path) -> str:
    found = SecretFiles(directory).find("default", "api", "token")
    assert found is not None
    return found.reveal()


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"hunter2", "hunter2"), (b"hunter2\n", "hunter2"), (b" a\r\n", " a"), (b"a\n\n", "a\n")],
)
def test_a_key_is_a_file(tmp_path: Path, content: bytes, text: str) -> None:
    put(tmp_path, content)
    assert find(tmp_path) == text


def test_a_key_that_was_changed_is_used_at_once(tmp_path: Path) -> None:
    put(tmp_path, b"old", 0o400)
    assert find(tmp_path) == "old"
    put(tmp_path, b"new", 0o400)
    assert find(tmp_path) == "new"


def test_links_lead_where_kubernetes_and_editors_let_them(tmp_path: Path) -> None:
    put(tmp_path, b"hunter2").rename(tmp_path / "elsewhere")
    (tmp_path / "default" / "api" / "token").symlink_to(tmp_path / "elsewhere")
    assert find(tmp_path) == "hunter2"


def test_what_is_not_there_is_none_and_told_where_to_make_it(tmp_path: Path) -> None:
    secrets = SecretFiles(tmp_path)
    assert secrets.find("default", "api", "token") is None
    put(tmp_path, b"x")
    assert secrets.find("default", "api", "other") is None
    assert secrets.find("default", "api", "token") is not None
    (tmp_path / "default" / "flat").write_text("")
    assert secrets.find("default", "flat", "token") is None
    assert secrets.place("a", "b", "c") == "make the file secrets/a/b/c in the state directory, with mode 0600"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620, 0o601])
def test_what_others_may_read_is_no_secret(tmp_path: Path, mode: int) -> None:
    put(tmp_path, b"hunter2", mode)
    with pytest.raises(ProviderError, match=f"mode {mode:04o}.*chmod 600 secrets/default/api/token") as caught:
        find(tmp_path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hunter2\xff", "is not a text"),
        (b"x" * (2 << 20), "is larger than"),
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(tmp_path: Path, content: bytes, message: str) -> None:
    put(tmp_path, content)
    with pytest.raises(
        ProviderError, match=f"secrets/default/api/token in the state directory {message}"
    ) as caught:
        find(tmp_path)
    assert "hunter2" not in str(caught.value)


def test_only_files_are_read(tmp_path: Path) -> None:
    place = put(tmp_path, b"")
    place.unlink()
    os.mkfifo(place, 0o600)
    with pytest.raises(ProviderError, match="is not a file"):
        find(tmp_path)
    place.unlink()
    place.mkdir()
    with pytest.raises(ProviderError, match="Is a directory"):
        find(tmp_path)
    place.rmdir()
    place.symlink_to(place)
    with pytest.raises(ProviderError, match="cannot be read"):
        find(tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\0b", "a b", "ä", "x" * 254])
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    for parts in ((name, "api", "token"), ("default", name, "token"), ("default", "api", name)):
        with pytest.raises(ProviderError, match="cannot be the name"):
            SecretFiles(tmp_path).find(*parts)
