"""`davy ledger verify` and `prove`: a verdict, its exit code, and a file that convinces somebody else."""

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.test_verifier import edited, made

from davy.adapters.ledger_key import PUBLIC


@pytest.fixture
def ledger(home: Path) -> Path:
    made(home / "davy.db").close()
    return home


def test_a_ledger_is_verified_as_it_lies_there(run: Run, ledger: Path) -> None:
    ran = run("ledger", "verify")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"{ledger}/davy.db: all is well: 300 entries, root ")
    assert run("ledger", "prove", "1").exit_code == 0, "signs"
    assert "held to 1 checkpoint, signed by a key that was given" in run("ledger", "verify").stdout


def test_what_was_changed_exits_7_as_text_and_as_data(run: Run, ledger: Path) -> None:
    edited(ledger / "davy.db", ("UPDATE ledger SET kind = 'paused' WHERE seq = 17", ()))
    said = "entry 17: the kind kept beside it is 'paused', and it says 'change_merged'"
    ran = run("ledger", "verify")
    assert (ran.exit_code, ran.stdout) == (7, f"{said}\n")
    assert ran.stderr.startswith(f"error[integrity]: {ledger}/davy.db does not verify\n  hint: ")
    ran = run("ledger", "verify", "-o", "json")
    assert ran.exit_code == 7
    data = json.loads(ran.stdout)
    assert (data["verified"], data["problems"], data["size"]) == (False, [said], 300)


def test_an_old_copy_is_told_from_a_checkpoint_that_was_kept(run: Run, ledger: Path, tmp_path: Path) -> None:
    shutil.copy(ledger / "davy.db", tmp_path / "old.db")
    made(tmp_path / "other.db", 11).close()
    assert run("ledger", "export", str(tmp_path / "out")).exit_code == 0
    kept = str(tmp_path / "out" / "checkpoint")
    assert run("ledger", "verify", "--checkpoint", kept).exit_code == 0
    ran = run("ledger", "verify", str(tmp_path / "other.db"), "--checkpoint", kept)
    assert ran.exit_code == 7
    assert ran.stdout.startswith("the end was cut off, or an old copy was put back: the checkpoint ")
    assert run("ledger", "verify", str(tmp_path / "old.db"), "--since", kept).exit_code == 0


def test_a_proof_convinces_who_has_the_key(run: Run, ledger: Path, tmp_path: Path) -> None:
    file, strange = tmp_path / "17.tlog-proof", tmp_path / "strange"
    ran = run("ledger", "prove", "17", "-o", str(file), "--ledger-origin", "ledger.example/pay")
    key = (ledger / PUBLIC).read_text().strip()
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert ran.stderr == (f"{file} proves entry 17 of 300\n  davy ledger verify {file} --key {key}\n")
    assert run("ledger", "verify", str(file)).exit_code == 0, "our own key is known"
    elsewhere = ("--home", str(strange), "ledger", "verify", str(file))
    ran = run(*elsewhere)
    assert (ran.exit_code, "proves nothing to somebody who has no key" in ran.stderr) == (2, True)
    assert run(*elsewhere, "--key", key).exit_code == 0
    assert run("ledger", "prove", "17").stdout == file.read_text()
    file.write_text(file.read_text().replace("index 16", "index 15"))
    ran = run(*elsewhere, "--key", key)
    assert (ran.exit_code, ran.stdout) == (
        7,
        "the entry is not entry 16 of the 300 that were signed for\n",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verify",), "there is no ledger in"),
        (("verify", "nowhere"), "nowhere cannot be verified: "),
        (("verify", "nowhere", "--key", "x"), "'x' is no key of a log or a witness"),
        (("prove", "1"), "there is no ledger in"),
        (("prove", "0"), "0 is not in the range"),
    ],
)
def test_what_is_not_there_is_said_so(run: Run, home: Path, words: tuple[str, ...], said: str) -> None:
    ran = run("ledger", *words)
    assert ran.exit_code == 2
    assert said in ran.stderr


def test_there_is_no_proof_of_what_is_not_there_or_cannot_be_written(run: Run, ledger: Path) -> None:
    ran = run("ledger", "prove", "301")
    assert (ran.exit_code, "there is no entry 301: the ledger has 300" in ran.stderr) == (2, True)
    ran = run("ledger", "prove", "1", "-o", str(ledger))
    assert (ran.exit_code, "cannot be written" in ran.stderr) == (2, True)


def test_a_ledger_in_a_database_server_is_asked_of_that(run: Run, home: Path) -> None:
    (home / "store").write_text("postgresql://davy@127.0.0.1:1/davy\n")
    ran = run("ledger", "verify")
    assert (ran.exit_code, "cannot be reached" in ran.stderr) == (3, True)


def test_one_ledger_is_verified_at_a_time(run: Run, ledger: Path) -> None:
    ran = run("ledger", "verify", str(ledger), "--store", "postgresql://davy@127.0.0.1:1/davy")
    assert (ran.exit_code, "two ledgers" in ran.stderr) == (2, True)
