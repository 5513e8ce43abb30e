"""`davy serve --witness`, and a ledger that has it for a witness: two programs, over loopback."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.cli.test_ledger import drafts, fails

from davy.adapters.ledger_key import ledger_key
from davy.adapters.sqlite import SqliteStore
from davy.cli.known_ledgers import KnownLedgers
from davy.errors import UsageError
from davy.ledger import note
from davy.ledger.cosignature import read_verifier
from davy.ledger.note import PrivateKey


@contextmanager
def witness(directory: Path, known: Path, *more: str) -> Iterator[tuple[str, str]]:
    """Run a witness; yield where it is and its key."""
    command = [
        sys.executable,
        "-m",
        "davy",
        "--home",
        str(directory),
        "serve",
        "--witness",
        "--known",
        str(known),
    ]
    command += ["--listen", "127.0.0.1:0", *more]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"}
    ) as ran:
        assert ran.stderr is not None
        try:
            said = ""
            while "  key " not in said and (line := ran.stderr.readline()):
                said += line
            found = re.search(r"  at    (\S+)\n  key   (\S+)\n", said)
            assert found is not None, said
            yield found[1], found[2]
        finally:
            ran.send_signal(signal.SIGTERM)
            rest = ran.stderr.read()
            assert ran.wait(60) == 0, rest


@pytest.fixture
def store(home: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(home / "davy.db")
    made.append(drafts(5))
    yield made
    made.close()


def test_a_second_davy_cosigns_finds_out_and_remembers(
    run: Run, home: Path, store: SqliteStore, tmp_path: Path
) -> None:
    known, theirs, copy = tmp_path / "known", tmp_path / "theirs", tmp_path / "copy"
    known.write_text(f"# ours\n{ledger_key(home).public}  # the ledger\n\n")
    with witness(theirs, known, "--witness-name", "witness.invalid/ci") as (url, key):
        assert run("ledger", "witness", "add", "second", url, "--key", key).exit_code == 0
        result = run("ledger", "witness", "push")
        assert result.stdout == "second has seen 5 entries, and signed as witness.invalid/ci\n", result.stderr
        shutil.copytree(home, copy)
        store.append(drafts(3, first=9))
        assert run("ledger", "witness", "push", "second").exit_code == 0
    assert (theirs / "witness.vkey").read_text().strip() == key
    run("ledger", "export", str(tmp_path / "out"))
    signed = note.parse((tmp_path / "out" / "checkpoint").read_bytes())
    assert len(note.verify(signed, [read_verifier(key), ledger_key(home).public])) == 2
    assert re.search(r"8 entries, cosigned 20\d\d-", run("ledger", "witness", "list").stdout)
    with witness(theirs, known) as (url, _):
        for directory in (home, copy):
            words = ["--home", str(directory), "ledger", "witness"]
            run(*words, "remove", "second")
            run(*words, "add", "second", url, "--key", key)
        fails(run("--home", str(copy), "ledger", "witness", "push"), 7, "put back from an older copy")
        other = SqliteStore(copy / "davy.db")
        other.append(drafts(9, first=90))
        other.close()
        fails(run("--home", str(copy), "ledger", "witness", "push"), 7, "has seen other entries")
        assert run("ledger", "witness", "push").exit_code == 0


def test_over_tls_it_is_known_by_an_authority_of_its_own(
    run: Run, home: Path, store: SqliteStore, tmp_path: Path
) -> None:
    known = tmp_path / "known"
    known.write_text(str(ledger_key(home).public))
    tls = tmp_path / "tls"
    with witness(tmp_path / "theirs", known, "--cert-dir", str(tls)) as (url, key):
        assert url.startswith("https://127.0.0.1:")
        run("ledger", "witness", "add", "trusting", url, "--key", key, "--ca", str(tls / "ca.crt"))
        run("ledger", "witness", "add", "doubting", url, "--key", key)
        assert run("ledger", "witness", "push", "trusting").exit_code == 0
        fails(run("ledger", "witness", "push", "doubting"), 3, "cannot be reached")


def test_one_that_is_not_known_yet_is_told_its_key(
    run: Run, home: Path, store: SqliteStore, tmp_path: Path
) -> None:
    known = tmp_path / "known"
    known.write_text("")
    with witness(tmp_path / "theirs", known) as (url, key):
        run("ledger", "witness", "add", "second", url, "--key", key)
        fails(run("ledger", "witness", "push"), 5, re.escape(str(ledger_key(home).public)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense", ":1: 'nonsense' is no public key"),
        (f"\n{PrivateKey('a', b'1' * 32).spell()}", ":2: this is a private key"),
        ("a{0}\na{1}", r":2: a has another key above"),
        ("x" * (1 << 20) + "x", "is larger than"),
    ],
)
def test_a_file_of_ledgers_that_cannot_be_read_is_told(text: str, told: str, tmp_path: Path) -> None:
    keys = [str(PrivateKey("a", bytes([n]) * 32).public).removeprefix("a") for n in (1, 2)]
    known = tmp_path / "known"
    known.write_text(text.format(*keys))
    with pytest.raises(UsageError, match=told) as refused:
        KnownLedgers(known)
    assert PrivateKey("a", b"1" * 32).spell()[-20:] not in refused.value.message
    with pytest.raises(UsageError, match="cannot be read"):
        KnownLedgers(tmp_path / "none")


def test_a_file_that_cannot_be_read_any_more_leaves_in_use_what_was(tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text(str(PrivateKey("a", b"1" * 32).public))
    ledgers = KnownLedgers(known)
    known.write_text("nonsense")
    ledgers.look()
    assert list(ledgers.keys) == ["a"]
    assert "is no public key" in ledgers.problem
    known.write_text(str(PrivateKey("b", b"1" * 32).public))
    ledgers.look()
    assert (list(ledgers.keys), ledgers.problem) == (["b"], "")


def test_what_to_serve_is_to_be_said(run: Run, tmp_path: Path) -> None:
    fails(run("serve", "--witness"), 2, "--witness needs to know whom it signs for")
    fails(run("serve"), 2, "say what to serve")
    fails(run("serve", "--witness", "--admission"), 2, "say what to serve")
