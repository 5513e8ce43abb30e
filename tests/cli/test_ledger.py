"""`davy ledger …` on a real store, without an engine and beside one."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import Result
from tests.adapters.test_witnesses import WITNESS_VKEY, git, repository
from tests.cli.conftest import Run, Waiting

from davy.adapters.ledger_key import KEY, PUBLIC, ledger_key
from davy.adapters.sqlite import SqliteStore
from davy.adapters.witness_file import read_witnesses
from davy.adapters.witness_git import file_name
from davy.cli.lease import take
from davy.cli.sealing import sealing
from davy.control.checkpoints import BUCKET, latest
from davy.ledger import note
from davy.ledger.checkpoint import read
from davy.ledger.entry import Draft, decode
from davy.ledger.note import PublicKey
from davy.ledger.tiles import parse_bundle
from davy.ledger.tree import leaf_hash, root


def drafts(count: int, first: int = 0) -> list[Draft]:
    return [
        Draft(
            1000.0 + at, "human_action", "Rollout default/pay", {"action": "pause", "at": at}, "eve", "why not"
        )
        for at in range(first, first + count)
    ]


@pytest.fixture
def store(home: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(home / "davy.db")
    made.append(drafts(5))
    yield made
    made.close()


def fails(result: Result, exit_code: int, told: str) -> None:
    assert result.exit_code == exit_code, result.output
    assert re.search(told, result.stderr), result.stderr


def test_the_last_entries_are_read_newest_last(run: Run, store: SqliteStore) -> None:
    lines = run("ledger", "tail", "-n", "2").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["#4", "#5"]
    assert lines[1].endswith("human_action  Rollout default/pay  pause at=4  by eve: why not")
    assert len(run("ledger", "tail").stdout.splitlines()) == 5
    assert run("ledger", "tail", "-n", "0").stdout == ""


def test_as_data_an_entry_has_the_very_bytes_that_are_hashed(run: Run, store: SqliteStore) -> None:
    bodies = store.bodies(0, 5)
    lines = run("ledger", "tail", "-o", "json").stdout.splitlines()
    assert len(lines) == 5
    for seq, (line, body) in enumerate(zip(lines, bodies, strict=True), 1):
        told = json.loads(line)
        assert (told["seq"], told["leaf"]) == (seq, leaf_hash(body).hex())
        assert body.decode() in line


def test_what_is_added_is_followed(run: Run, store: SqliteStore, waiting: Waiting) -> None:
    def then(waits: int) -> None:
        if waits == 3:
            raise KeyboardInterrupt
        store.append(drafts(1, first=10 + waits))

    waiting.then = then
    result = run("ledger", "tail", "-n", "1", "-f")
    assert result.exit_code == 130
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["#5", "#6", "#7"]


def test_reading_changes_nothing_and_needs_no_key(run: Run, store: SqliteStore, home: Path) -> None:
    before = sorted(path.name for path in home.iterdir())
    run("ledger", "tail")
    run("ledger", "show", "1")
    assert sorted(path.name for path in home.iterdir()) == before


def test_a_directory_without_a_ledger_is_told(run: Run, home: Path) -> None:
    for words in (["tail"], ["show", "1"], ["export", "x"]):
        fails(run("ledger", *words), 2, "there is no ledger in")
    assert not list(home.iterdir())


def test_a_file_that_is_none_of_ours_is_told(run: Run, home: Path) -> None:
    sqlite3.connect(home / "davy.db").execute("CREATE TABLE x (y)").connection.close()
    fails(run("ledger", "tail"), 3, "has layout 0")
    (home / "davy.db").write_text("no database at all" * 999)
    fails(run("ledger", "tail"), 3, "cannot be read")


def test_an_entry_is_shown_whole(run: Run, store: SqliteStore, tmp_path: Path) -> None:
    event = Draft(
        1.5,
        "change_merged",
        "Change acme/pay@1",
        {"commit": "1"},
        "bot",
        "",
        "github.com/acme/pay",
        "d-1",
        "hmac",
        2.5,
    )
    store.append([event])
    text = run("ledger", "show", "6").stdout
    assert text.splitlines()[0].startswith("#6  1970-01-01T00:00:01.500Z  change_merged  Change acme/pay@1")
    for label, told in (
        ("source", "github.com/acme/pay  d-1"),
        ("known by", "hmac"),
        ("received", "1970-01-01T00:00:02.500Z"),
        ("leaf", leaf_hash(store.bodies(5, 6)[0]).hex()),
        ("place", "entry 6 of 6, index 5"),
        ("checkpoint", "none covers it yet"),
    ):
        assert re.search(rf"^  {label} +{re.escape(told)}", text, re.MULTILINE), (label, text)
    run("ledger", "export", str(tmp_path / "out"))
    text = run("ledger", "show", "3").stdout
    assert re.search(
        r"^  checkpoint +davy\.invalid/\w{8}  6 entries; 3 hashes prove that it is one", text, re.M
    )
    data = json.loads(run("ledger", "show", "3", "-o", "json").stdout)
    assert data["entry"]["detail"] == {"action": "pause", "at": 2}
    assert data["checkpoint"]["root"] == store.head().root.hex()


def test_a_detail_that_is_kept_apart_is_shown_with_its_entry(run: Run, store: SqliteStore, home: Path) -> None:
    store.append([Draft(1.0, "object_applied", "Rollout default/pay", {"manifest": "x" * 70000})])
    assert "xxxx" in run("ledger", "show", "6").stdout
    assert json.loads(run("ledger", "show", "6", "-o", "json").stdout)["payload"] == {"manifest": "x" * 70000}
    name = decode(store.bodies(5, 6)[0], 6).detail["sha256"]
    store.commit({("payload", name): b"{}"}, [])
    fails(run("ledger", "show", "6"), 7, "is another one")
    store.commit({("payload", name): None}, [])
    fails(run("ledger", "show", "6"), 7, "is gone")


def test_an_entry_that_is_not_there_or_was_edited_is_told(run: Run, store: SqliteStore, home: Path) -> None:
    fails(run("ledger", "show", "6"), 2, "there is no entry 6: the ledger has 5")
    fails(run("ledger", "show", "0"), 2, "0 is not in the range")
    with sqlite3.connect(home / "davy.db") as db:
        db.execute("DROP TRIGGER ledger_is_never_edited")
        db.execute("UPDATE ledger SET body = replace(body, 'eve', 'bob') WHERE seq = 2")
    fails(run("ledger", "show", "2"), 7, "are not those that its hash in the tree is of")
    assert run("ledger", "show", "3").exit_code == 0
    with sqlite3.connect(home / "davy.db") as db:
        db.execute("UPDATE ledger SET body = x'ff' WHERE seq = 4")
    for form in ("text", "json"):
        fails(run("ledger", "tail", "-o", form), 7, "entry 4 cannot be read")


def test_an_export_is_the_ledger_and_a_second_one_only_adds(
    run: Run, store: SqliteStore, home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    store.append(drafts(300, first=5))
    assert run("ledger", "export", str(out), "--ledger-origin", "ledger.example/pay").exit_code == 0
    first = {path: (path.stat().st_ino, path.read_bytes()) for path in out.rglob("*") if path.is_file()}
    names = {str(path.relative_to(out)) for path in first}
    assert names == {
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/49",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/49",
    }
    key = PublicKey.read((home / PUBLIC).read_text())
    signed = note.parse((out / "checkpoint").read_bytes())
    assert note.verify(signed, [key])
    checkpoint = read(signed.text)
    assert (checkpoint.origin, checkpoint.size) == ("ledger.example/pay", 305)
    entries = parse_bundle((out / "tile/entries/000").read_bytes(), 256)
    entries += parse_bundle((out / "tile/entries/001.p/49").read_bytes(), 49)
    assert root(entries) == checkpoint.root == store.head().root
    store.append(drafts(300, first=305))
    result = run("ledger", "export", str(out))
    assert "has 605 entries, 300 of them new" in result.stderr
    assert str(key) in result.stderr
    for path, (inode, content) in first.items():
        if path.name != "checkpoint":
            assert (path.stat().st_ino, path.read_bytes()) == (inode, content)
    assert not list(out.rglob(".*"))


def test_an_export_of_another_ledger_or_an_older_copy_is_refused(
    run: Run, store: SqliteStore, home: Path, tmp_path: Path
) -> None:
    out, copy = tmp_path / "out", tmp_path / "copy"
    run("ledger", "export", str(out))
    shutil.copytree(home, copy)
    store.append(drafts(3, first=9))
    run("ledger", "export", str(out))
    kept = (out / "checkpoint").read_bytes()
    fails(run("--home", str(copy), "ledger", "export", str(out)), 7, "has 5 entries, and 8 were signed for")
    older = SqliteStore(copy / "davy.db")
    older.append(drafts(5, first=50))
    older.close()
    fails(run("--home", str(copy), "ledger", "export", str(out)), 7, "are not those that were signed for")
    for name in (KEY, PUBLIC):
        (copy / name).unlink()
    with sqlite3.connect(copy / "davy.db") as db:
        db.execute("DELETE FROM records WHERE bucket = 'checkpoint'")
    fails(run("--home", str(copy), "ledger", "export", str(out)), 6, "is the ledger davy.invalid/")
    assert (out / "checkpoint").read_bytes() == kept


def test_an_export_writes_through_no_link(run: Run, store: SqliteStore, tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    out.mkdir()
    (out / "tile").symlink_to(elsewhere)
    fails(run("ledger", "export", str(out)), 6, "is a link")
    (out / "tile").unlink()
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (out / "tile" / "0" / "000.p").mkdir(parents=True)
    (out / "tile" / "0" / "000.p" / "5").symlink_to(victim)
    assert run("ledger", "export", str(out)).exit_code == 0
    assert victim.read_text() == "untouched"
    assert not list(elsewhere.iterdir())
    (out / "checkpoint").unlink()
    (out / "checkpoint").symlink_to(victim)
    fails(run("ledger", "export", str(out)), 3, "cannot be written")


def test_an_export_that_was_broken_off_is_taken_up(run: Run, store: SqliteStore, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("ledger", "export", str(out))
    (out / "checkpoint").unlink()
    (out / "tile/0/000.p/5").write_bytes(b"half")
    assert run("ledger", "export", str(out)).exit_code == 0
    assert (out / "tile/0/000.p/5").read_bytes() == b"".join(store.hashes(0, 0, 5))


def test_a_checkpoint_is_signed_once_and_kept(run: Run, store: SqliteStore, home: Path, tmp_path: Path) -> None:
    run("ledger", "export", str(tmp_path / "a"))
    run("ledger", "export", str(tmp_path / "b"))
    assert (tmp_path / "a/checkpoint").read_bytes() == (tmp_path / "b/checkpoint").read_bytes()
    kept = latest(store)
    assert kept is not None
    assert str(kept).encode() == (tmp_path / "a/checkpoint").read_bytes()


def test_a_ledger_that_was_edited_is_not_signed_for(
    run: Run, store: SqliteStore, home: Path, tmp_path: Path
) -> None:
    run("ledger", "export", str(tmp_path / "a"))
    signed = latest(store)
    store.close()
    (home / "davy.db").unlink()
    forged = SqliteStore(home / "davy.db")
    forged.append(drafts(7, first=90))
    forged.commit({(BUCKET, "latest"): str(signed).encode()}, [])
    forged.close()
    fails(run("ledger", "export", str(tmp_path / "b")), 7, "the first 5 of the 7 entries")
    assert not (tmp_path / "b").exists()


def test_a_key_that_is_gone_is_told_and_nothing_is_signed(run: Run, store: SqliteStore, home: Path) -> None:
    run("ledger", "export", str(home / "out"))
    (home / KEY).unlink()
    fails(run("ledger", "export", str(home / "out")), 7, r"ledger\.key is gone, and there was one")
    (home / PUBLIC).unlink()
    fails(run("ledger", "export", str(home / "out")), 6, "is the ledger davy.invalid/")


def test_the_key_is_shown_by_nothing(run: Run, store: SqliteStore, home: Path, tmp_path: Path) -> None:
    secret = ledger_key(home).spell().split("+", 4)[4]
    said = []
    for words in (
        ["export", str(tmp_path / "out")],
        ["tail", "-o", "json"],
        ["show", "1", "-o", "json"],
        ["witness", "add", "ci", str(repository(tmp_path))],
        ["witness", "list", "-o", "json"],
        ["witness", "push"],
        ["export", "/proc/none"],
    ):
        said.append(run("ledger", *words, env={"DAVY_DEBUG": "1", "PATH": os.environ["PATH"]}).output)
    (home / KEY).write_text((home / KEY).read_text()[:-3])
    said.append(run("ledger", "witness", "push", env={"DAVY_DEBUG": "1"}).output)
    (home / KEY).unlink()
    store.close()
    assert secret[:20] not in "".join(said)
    for path in [*home.rglob("*"), *tmp_path.rglob("*")]:
        if path.is_file():
            assert secret[:20].encode() not in path.read_bytes(), path


class TestWitnesses:
    """A Git repository, as a person meets it; what witnesses promise is in tests/adapters/test_witnesses.py."""

    @pytest.fixture
    def bare(self, tmp_path: Path) -> Path:
        return repository(tmp_path)

    @pytest.fixture(autouse=True)
    def added(self, run: Run, store: SqliteStore, bare: Path) -> None:
        assert run("ledger", "witness", "add", "ci", str(bare), "--every", "5s").exit_code == 0

    def push(self, run: Run, *words: str) -> Result:
        return run(*words, "ledger", "witness", "push", env={"PATH": os.environ["PATH"]})

    def test_it_is_given_what_is_new(self, run: Run, store: SqliteStore, bare: Path) -> None:
        assert self.push(run).stdout == "ci has seen 5 entries\n"
        store.append(drafts(2, first=7))
        assert self.push(run).stdout == "ci has seen 7 entries\n"
        assert git(bare, "rev-list", "--count", "davy-ledger") == "2"
        assert run("ledger", "witness", "list").stdout == f"ci  git  {bare}  every 5 s  7 entries\n"

    def test_an_older_copy_is_found_out(self, run: Run, store: SqliteStore, home: Path, tmp_path: Path) -> None:
        self.push(run)
        shutil.copytree(home, tmp_path / "copy")
        store.append(drafts(2, first=7))
        self.push(run)
        fails(self.push(run, "--home", str(tmp_path / "copy")), 7, "put back from an older copy")

    def test_a_second_history_is_found_out(
        self, run: Run, store: SqliteStore, home: Path, tmp_path: Path
    ) -> None:
        self.push(run)
        copy = tmp_path / "copy"
        shutil.copytree(home, copy)
        store.append(drafts(2, first=7))
        self.push(run)
        other = SqliteStore(copy / "davy.db")
        other.append(drafts(4, first=70))
        other.close()
        fails(self.push(run, "--home", str(copy)), 7, "has seen other entries among the first 7")
        assert self.push(run).exit_code == 0

    def test_history_that_is_written_anew_and_signed_with_the_stolen_key(
        self, run: Run, store: SqliteStore, home: Path, tmp_path: Path, bare: Path
    ) -> None:
        """Everything on the machine fits together then; what was given away does not."""
        assert self.push(run).exit_code == 0
        store.close()
        told = SqliteStore(home / "davy.db")
        kept = told.bodies(0, 5)
        told.close()
        for file in home.glob("davy.db*"):
            file.unlink()
        forged = SqliteStore(home / "davy.db")
        forged.append([*drafts(2), *drafts(1, first=70), *drafts(2, first=3)])
        forged.append(drafts(3, first=80))
        assert (forged.bodies(0, 2), forged.bodies(2, 3) == kept[2:3]) == (kept[:2], False)
        forged.close()
        public = (home / PUBLIC).read_text()
        result = run("ledger", "export", str(tmp_path / "signed"))
        assert (result.exit_code, (home / PUBLIC).read_text()) == (0, public), "the thief has signed it"
        assert run("ledger", "verify").exit_code == 0, "alone it is sound"
        fails(self.push(run), 7, "the witness ci has seen other entries among the first 5")
        given = tmp_path / "given"
        given.write_bytes(
            subprocess.run(
                ["git", "-C", str(bare), "show", f"davy-ledger:{file_name(public.partition('+')[0])}"],
                capture_output=True,
                check=True,
            ).stdout
        )
        verified = run("ledger", "verify", "--checkpoint", str(given))
        assert (verified.exit_code, "history was changed between entry" in verified.stdout) == (7, True)

    def test_one_that_cannot_be_reached_keeps_no_other_from_it(
        self, run: Run, bare: Path, tmp_path: Path
    ) -> None:
        run("ledger", "witness", "add", "away", str(tmp_path / "none.git"))
        result = self.push(run)
        fails(result, 3, "the witness away cannot be reached")
        assert result.stdout == "ci has seen 5 entries\n"

    def test_names_are_known_or_told(self, run: Run, home: Path) -> None:
        fails(run("ledger", "witness", "add", "ci", "x"), 6, "there is a witness ci already")
        fails(run("ledger", "witness", "push", "other"), 2, "there is no witness other")
        fails(run("ledger", "witness", "remove", "other"), 2, "there is no witness other")
        assert run("ledger", "witness", "remove", "ci").exit_code == 0
        fails(run("ledger", "witness", "push"), 2, "the ledger has no witnesses")
        assert run("ledger", "witness", "list").stdout == ""
        assert read_witnesses(home) == {}

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["A", "x"], "no witness can have"),
            (["a", "x", "--every", "5"], "missing unit"),
            (["a", "x", "--every", "1ms"], ">= 1"),
            (["a", "ext::sh -c id"], "is no place of a witness"),
            (["a", "https://me:canary@x/y"], "has a password in it"),
            (["a", "https://x", "--key", "nonsense"], "cannot be read"),
            (["a", "git@x:y", "--key", WITNESS_VKEY], "is no URL of http"),
            (["a", "https://x", "--key", WITNESS_VKEY, "--branch", "b"], "--branch is for Git"),
            (["a", "x", "--branch=-b"], "is no branch"),
        ],
    )
    def test_what_cannot_be_one_is_refused(self, words: list[str], told: str, run: Run, home: Path) -> None:
        result = run("ledger", "witness", "add", *words)
        fails(result, 2, told)
        assert "canary" not in result.output
        assert list(read_witnesses(home)) == ["ci"]

    def test_beside_an_engine_it_is_what_the_engine_has_signed(
        self, run: Run, store: SqliteStore, home: Path, bare: Path
    ) -> None:
        tenure = take(store)
        fails(self.push(run), 3, "an engine runs and has not signed")
        seals = sealing(home, store, store.under(tenure.lease), {"PATH": os.environ["PATH"]})
        seals.sign()
        assert self.push(run).stdout == "ci has seen 5 entries\n"
        assert "witness:ci" not in store.load(BUCKET)
        seals.witness()
        assert seals.troubles == ()
        assert "witness:ci" in store.load(BUCKET)
        store.append(drafts(2, first=7))
        seals.sign()
        assert self.push(run).stdout == "ci has seen 7 entries\n"
        tenure.end()


def test_hashes_shown_are_those_of_other_programs(run: Run, store: SqliteStore) -> None:
    line = json.loads(run("ledger", "tail", "-n", "1", "-o", "json").stdout)
    assert line["leaf"] == sha256(b"\0" + store.bodies(4, 5)[0]).hexdigest()


def test_the_state_directory_is_handed_out_to_nobody(run: Run, store: SqliteStore, home: Path) -> None:
    fails(run("ledger", "export", str(home / "x" / "..")), 2, "hands out its keys")
    assert not (home / "tile").exists()


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("show", "1"), "LedgerEntryView"),
        (("verify",), "LedgerVerificationView"),
        (("witness", "list"), "WitnessListView"),
    ],
)
def test_every_document_says_what_it_is(
    run: Run, store: SqliteStore, words: tuple[str, ...], kind: str
) -> None:
    found = json.loads(run("ledger", *words, "-o", "json").stdout)
    assert list(found)[:2] == ["apiVersion", "kind"]
    assert (found["apiVersion"], found["kind"]) == ("davy.dev/v1alpha1", kind)


def test_witnesses_are_listed_in_columns(run: Run, store: SqliteStore, tmp_path: Path) -> None:
    for name in ("a", "audit"):
        run("ledger", "witness", "add", name, str(tmp_path / name))
    first, second = run("ledger", "witness", "list").stdout.splitlines()
    assert first.index("git") == second.index("git")
    assert first.endswith("nothing yet")
