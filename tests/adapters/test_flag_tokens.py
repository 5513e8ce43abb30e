"""The file of tokens: private, without a secret in it, and read again when it changes."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from davy.adapters.flag_tokens import TokenFile, add_token, new_secret, read_tokens, revoke_token
from davy.errors import Conflict, NotFound, NotPermitted, UsageError
from davy.flags.token import Edge, Token, hashed


def token(name: str, secret: str = "s", **more: object) -> Token:
    return Token(name, hashed(secret), Edge.CLIENT, 1.0, **more)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "flag-tokens.json"


def test_tokens_are_kept_in_a_file_that_is_nobody_elses_without_their_secrets(path: Path) -> None:
    secrets = {name: new_secret() for name in ("web", "phone")}
    assert len(set(secrets.values())) == 2
    for name, secret in secrets.items():
        add_token(path, token(name, secret, keys=("checkout.*",), origins=("https://shop.example",)))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in read_tokens(path)] == ["web", "phone"]
    assert all(secret not in path.read_text() for secret in secrets.values())
    assert list(path.parent.iterdir()) == [path]


def test_without_a_file_there_are_none(path: Path) -> None:
    assert read_tokens(path) == ()
    assert TokenFile(path).tokens.all == ()


def test_a_name_is_one_tokens(path: Path) -> None:
    add_token(path, token("web"))
    with pytest.raises(Conflict, match="web already"):
        add_token(path, token("web", "another"))
    revoke_token(path, "web")
    with pytest.raises(NotFound, match="no token web"):
        revoke_token(path, "web")
    add_token(path, token("web"))


@pytest.mark.parametrize(
    "wrong",
    [
        token("Web"),
        token(""),
        token("web", keys=("Checkout*",)),
        token("web", keys=("",)),
        token("web", origins=("shop.example",)),
        token("web", origins=("https://shop.example/path",)),
        token("web", origins=("*",)),
        token("web", per_minute=0),
    ],
)
def test_what_cannot_be_a_token_is_not_written(path: Path, wrong: Token) -> None:
    with pytest.raises(UsageError, match="cannot be a token"):
        add_token(path, wrong)
    assert not path.exists()


def test_a_file_that_others_read_or_that_makes_no_sense_is_not_used(path: Path) -> None:
    add_token(path, token("web"))
    path.chmod(0o644)
    with pytest.raises(NotPermitted, match="chmod 600"):
        read_tokens(path)
    path.chmod(0o600)
    path.write_text('{"tokens": [{"name": "web"}]}')
    with pytest.raises(UsageError, match="no list of tokens"):
        read_tokens(path)


def test_a_server_knows_what_is_added_and_taken_back(path: Path) -> None:
    known = TokenFile(path)
    add_token(path, token("web"))
    known.look()
    assert known.tokens.holder("s", 2.0) is not None
    revoke_token(path, "web")
    known.look()
    assert known.tokens.holder("s", 2.0) is None


def test_a_file_that_cannot_be_read_leaves_what_was_known_and_is_told_of(path: Path) -> None:
    add_token(path, token("web"))
    known = TokenFile(path)
    path.write_text("{")
    known.look()
    assert known.tokens.holder("s", 2.0) is not None
    assert "those of before" in known.doubt
    os.utime(path)
    path.unlink()
    add_token(path, token("phone", "p"))
    known.look()
    assert (known.doubt, known.tokens.holder("s", 2.0)) == ("", None)
    assert known.tokens.holder("p", 2.0) is not None


def test_of_tokens_that_are_made_and_revoked_at_one_instant_none_is_lost_and_none_comes_back(
    path: Path,
) -> None:
    """Two who each write what they read would lose the other's token, and bring a revoked one back."""
    for number in range(8):
        add_token(path, token(f"old-{number}"))
    start = threading.Barrier(16)

    def change(number: int) -> None:
        start.wait()
        if number % 2:
            add_token(path, token(f"new-{number}"))
        else:
            revoke_token(path, f"old-{number // 2}")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(change, range(16)))
    assert {each.name for each in read_tokens(path)} == {f"new-{number}" for number in range(1, 16, 2)}
    assert {found.stat().st_mode & 0o077 for found in path.parent.iterdir()} == {0}
