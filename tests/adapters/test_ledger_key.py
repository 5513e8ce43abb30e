"""The key of a ledger: made once, kept to its owner, told when it is gone, and shown nowhere."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from davy.adapters.ledger_key import KEY, PUBLIC, ledger_key, public_key, witness_key
from davy.errors import Conflict, DavyError, IntegrityError, UsageError
from davy.ledger import note
from davy.ledger.cosignature import read_verifier
from davy.ledger.note import PrivateKey


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    key = ledger_key(tmp_path)
    assert ledger_key(tmp_path) == key
    assert key.name.startswith("davy.invalid/")
    assert len(key.name) == len("davy.invalid/") + 8
    assert (tmp_path / KEY).stat().st_mode & 0o777 == 0o600
    assert PrivateKey.read((tmp_path / KEY).read_text()) == key
    assert public_key(tmp_path) == str(key.public)
    assert note.verify(note.sign("text\n", key), [read_verifier(public_key(tmp_path))])
    assert sorted(path.name for path in tmp_path.iterdir()) == [KEY, PUBLIC]


def test_another_directory_has_another_key(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    assert ledger_key(tmp_path) != ledger_key(tmp_path / "one")
    assert public_key(tmp_path / "none") == ""


def test_of_many_who_make_one_at_once_all_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: ledger_key(tmp_path).spell(), range(64)))) == 1


def test_an_origin_is_given_once(tmp_path: Path) -> None:
    assert ledger_key(tmp_path, "ledger.example.com/pay").name == "ledger.example.com/pay"
    assert ledger_key(tmp_path).name == "ledger.example.com/pay"
    with pytest.raises(Conflict, match=r"is called ledger\.example\.com/pay, and not another"):
        ledger_key(tmp_path, "another")


@pytest.mark.parametrize("origin", ["a b", "a+b", "-a", "a\nb", "é", "../a", "x" * 129])
def test_an_origin_that_cannot_be_one_is_refused(origin: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a key"):
        ledger_key(tmp_path, origin)
    assert not list(tmp_path.iterdir())


def test_a_witness_has_a_key_of_its_own_kind(tmp_path: Path) -> None:
    key = witness_key(tmp_path, "witness.example/ci")
    told = read_verifier((tmp_path / "witness.vkey").read_text())
    assert (told.name, told.id) != (key.name, key.public.id)
    assert witness_key(tmp_path) == key


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    ledger_key(tmp_path)
    (tmp_path / KEY).chmod(0o640)
    with pytest.raises(UsageError, match="may be read by others") as refused:
        ledger_key(tmp_path)
    assert refused.value.hint == f"chmod 600 {tmp_path / KEY}"


def test_a_key_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    ledger_key(tmp_path)
    (tmp_path / KEY).unlink()
    with pytest.raises(IntegrityError, match=r"ledger\.key is gone, and there was one"):
        ledger_key(tmp_path)
    assert not (tmp_path / KEY).exists()
    (tmp_path / PUBLIC).unlink()
    assert ledger_key(tmp_path).name.startswith("davy.invalid/")


def test_a_key_that_was_replaced_is_told(tmp_path: Path) -> None:
    ledger_key(tmp_path)
    (tmp_path / "other").mkdir()
    other = ledger_key(tmp_path / "other")
    (tmp_path / KEY).write_text(other.spell())
    with pytest.raises(IntegrityError, match=r"is not the key that ledger\.vkey is of"):
        ledger_key(tmp_path)


def test_a_public_half_that_is_gone_is_written_again(tmp_path: Path) -> None:
    key = ledger_key(tmp_path)
    (tmp_path / PUBLIC).unlink()
    assert ledger_key(tmp_path) == key
    assert public_key(tmp_path) == str(key.public)


def test_a_key_is_no_link_and_no_directory(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ledger_key(elsewhere)
    (tmp_path / KEY).symlink_to(elsewhere / KEY)
    with pytest.raises(DavyError, match="cannot be kept or read"):
        ledger_key(tmp_path)
    (tmp_path / KEY).unlink()
    (tmp_path / KEY).mkdir(mode=0o700)
    with pytest.raises(DavyError, match="cannot be kept or read: Is a directory"):
        ledger_key(tmp_path)
    (tmp_path / KEY).rmdir()
    os.mkfifo(tmp_path / KEY, 0o600)
    with pytest.raises(UsageError, match="is not a file"):
        ledger_key(tmp_path)


def test_a_spoilt_key_is_not_quoted_in_the_error(tmp_path: Path) -> None:
    spelt = ledger_key(tmp_path).spell()
    secret = spelt.split("+", 4)[4]
    for spoilt in (
        spelt[:-1],
        spelt.replace("PRIVATE", "PUBLIC"),
        secret,
        spelt + "x",
        spelt.replace("+", " "),
    ):
        (tmp_path / KEY).write_text(spoilt)
        with pytest.raises(UsageError, match="holds no key") as refused:
            ledger_key(tmp_path)
        told: BaseException | None = refused.value
        while told is not None:
            assert secret[:12] not in f"{told!r} {told} {getattr(told, 'hint', '')}"
            told = told.__cause__
    (tmp_path / KEY).write_bytes(b"\xff" * 2000)
    with pytest.raises(UsageError, match="is larger than"):
        ledger_key(tmp_path)


def test_a_key_does_not_show_itself(tmp_path: Path) -> None:
    key = ledger_key(tmp_path)
    secret = key.spell().split("+", 4)[4]
    assert secret not in repr(key) + str(key) + f"{key}"


def test_a_directory_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    with pytest.raises(DavyError, match="cannot be kept or read: No such file"):
        ledger_key(tmp_path / "none")
