"""Whatever is changed in a ledger, the verifier sees it, and says what and where."""

import json
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from davy import verifier
from davy.adapters.sqlite import SqliteStore
from davy.ledger import proof as proofs
from davy.ledger import tiles as files
from davy.ledger import tree
from davy.ledger.checkpoint import Checkpoint
from davy.ledger.cosignature import cosign, witness_key
from davy.ledger.entry import Draft
from davy.ledger.note import Note, PrivateKey, sign
from davy.ledger.proof import Proof
from davy.verifier import Unreadable, verify

KEY, OTHER = PrivateKey("davy.example/ledger", b"k" * 32), PrivateKey("other.example/ledger", b"o" * 32)
WITNESS = PrivateKey("witness.example/ci", b"w" * 32)
SIZE = 300
STRIDE = int(os.environ.get("DAVY_FLIP_STRIDE", "29"))
"""Of how many bytes one is flipped; 1 takes ten minutes, and figures.md says what came of it."""

EDIT = "UPDATE ledger SET body = ?, leaf = ? WHERE seq = ?"


def drafts(first: int, count: int) -> list[Draft]:
    """Events as they come from outside, some of them with what makes spelling difficult."""
    details: list[dict[str, object]] = [
        {},
        {"weight": 0.05, "limit": 1e-7, "rate": 1e21},
        {"é": "ü", "\U0001f600": 1, "\ufffd": [None, True, -0.0]},
        {"text": 'a "quoted" \\ \n line', "at": 2**53},
    ]
    return [
        Draft(
            1_700_000_000.0 + number,
            "change_merged",
            f"Service default/s{number % 3}",
            details[number % len(details)],
            source="github.com/acme/payments",
            id=f"delivery-{number}",
            received=1_700_000_001.5 + number,
        )
        for number in range(first, first + count)
    ]


def made(path: Path, size: int = SIZE) -> SqliteStore:
    """A store with some entries, written in several commits."""
    store = SqliteStore(path)
    store.commit({}, [Draft(1.0, "engine_started", "Engine davy")])
    store.append(drafts(1, 9))
    store.commit({}, drafts(3, 1))  # an event that is known, written again by who may
    if size > 11:
        store.append([Draft(2.0, "config_changed", "Service s", {"text": "x" * 70_000}, source="git", id="1")])
        store.append(drafts(100, size - 12))
    return store


def signed(store: SqliteStore, key: PrivateKey = KEY) -> Note:
    head = store.head()
    return sign(str(Checkpoint(key.name, head.size, head.root)), key)


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a ledger of 300 entries, and what others have kept of it."""
    home = tmp_path_factory.mktemp("sound")
    early = made(home / "early.db", 11)
    (home / "early.checkpoint").write_text(str(signed(early)))
    early.close()
    store = made(home / "davy.db")
    note = signed(store)
    witnessed = Note(note.text, (*note.signatures, cosign(note.text, WITNESS, 1_700_000_000)))
    records = {("checkpoint", "latest"): str(note), ("checkpoint", "witness:ci"): str(witnessed)}
    store.commit({record: text.encode() for record, text in records.items()}, [])
    (home / "kept.checkpoint").write_text(str(witnessed))
    exported = home / "exported"
    for tile in files.tiles(SIZE):
        (exported / tile.path).parent.mkdir(parents=True, exist_ok=True)
        (exported / tile.path).write_bytes(files.contents(tile, store.hashes, store.bodies))
    (exported / "checkpoint").write_text(str(note))
    path = tuple(tree.inclusion(16, SIZE, store.hashes))
    [body] = store.bodies(16, 17)
    (home / "17.tlog-proof").write_text(str(Proof(16, path, witnessed, body)))
    (home / "17.bare").write_text(str(Proof(16, path, note)))
    (home / "17.json").write_bytes(body)
    store.close()
    return home


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "copy")
    return tmp_path / "copy"


def edited(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Change a store as somebody would who may write the file, and puts the triggers back."""
    db = sqlite3.connect(path)
    triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        db.execute(f"DROP TRIGGER {name}")
    for statement, values in statements:
        db.execute(statement, values)
    for _, sql in triggers:
        db.execute(sql)
    db.commit()
    db.close()


def rebuilt(path: Path, change: Callable[[sqlite3.Connection], None]) -> None:
    """Change a store and recompute every hash, as somebody would who knows Davy."""
    edited(path, ("DELETE FROM nodes", ()))
    db = sqlite3.connect(path)
    triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        db.execute(f"DROP TRIGGER {name}")
    change(db)
    sizes = {size for (size,) in db.execute("SELECT size FROM heads")}
    grown = tree.Frontier()
    for seq, body in db.execute("SELECT seq, body FROM ledger ORDER BY seq").fetchall():
        db.execute("UPDATE ledger SET leaf = ? WHERE seq = ?", (tree.leaf_hash(body), seq))
        for level, index, hash_ in grown.append(tree.leaf_hash(body)):
            if level % 8 == 0:
                db.execute("INSERT INTO nodes VALUES (?, ?, ?)", (level, index, hash_))
        if grown.size in sizes:
            db.execute("UPDATE heads SET root = ? WHERE size = ?", (grown.root, grown.size))
    db.execute("DELETE FROM heads WHERE size > ?", (grown.size,))
    for _, sql in triggers:
        db.execute(sql)
    db.commit()
    db.close()


def problems(path: Path, **held_to: list[str] | str) -> list[str]:
    return verify(str(path), **held_to).problems  # type: ignore[arg-type]


def test_a_ledger_that_nobody_touched_verifies(sound: Path) -> None:
    keys = [str(KEY.public), str(witness_key(WITNESS))]
    checkpoints = [str(sound / "early.checkpoint"), str(sound / "kept.checkpoint")]
    for path in ("davy.db", "exported"):
        report = verify(str(sound / path), keys=keys, checkpoints=checkpoints)
        assert (report.problems, report.size) == ([], SIZE)
        assert f"CHECKPOINT {SIZE}" not in report.lines()[0]
        held = 4 if path == "davy.db" else 3
        assert report.checked == [f"held to {held} checkpoints, signed by a key that was given"]
    assert verify(str(sound / "early.db")).checked == ["held to no checkpoint"]


def test_the_root_is_that_of_the_store(sound: Path) -> None:
    store = SqliteStore(sound / "early.db")
    assert verify(str(sound / "early.db")).root == store.head().root
    store.close()
    assert not list(sound.glob("davy.db-*")), "reading leaves nothing behind"


def test_an_empty_ledger_verifies(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "davy.db").close()
    report = verify(str(tmp_path / "davy.db"))
    assert (report.problems, report.size, report.root) == ([], 0, tree.EMPTY)


@pytest.mark.parametrize(
    ("statement", "values", "said"),
    [
        (
            "UPDATE ledger SET body = replace(body, 'merged', 'exposed') WHERE seq = 17",
            (),
            "entry 17: its bytes do not have the hash they were entered with",
        ),
        (
            "UPDATE ledger SET leaf = zeroblob(32) WHERE seq = 17",
            (),
            "entry 17: its bytes do not have the hash",
        ),
        (
            "UPDATE ledger SET kind = 'paused' WHERE seq = 17",
            (),
            "entry 17: the kind kept beside it is 'paused'",
        ),
        ("UPDATE ledger SET subject = 'x' WHERE seq = 17", (), "entry 17: the subject kept beside it is 'x'"),
        ("UPDATE ledger SET uid = 'x' WHERE seq = 17", (), "entry 17: the uid kept beside it is 'x'"),
        ("UPDATE ledger SET uid = NULL WHERE seq = 17", (), "entry 17: the uid kept beside it is not"),
        ("UPDATE ledger SET uid = 'x' WHERE seq = 1", (), "entry 1: the uid kept beside it is 'x'"),
        ("DELETE FROM ledger WHERE seq = 17", (), "entry 17 is missing"),
        ("DELETE FROM ledger WHERE seq BETWEEN 17 AND 19", (), "entries 17 to 19 are missing"),
        (
            "DELETE FROM ledger WHERE seq > 290",
            (),
            "the end was cut off: 300 entries were written, and there are 290",
        ),
        ("UPDATE ledger SET seq = 9000000000 WHERE seq = 300", (), "places that a ledger does not have"),
        ("UPDATE ledger SET seq = -1 WHERE seq = 300", (), "places that a ledger does not have"),
        ("DELETE FROM heads WHERE size = 300", (), "entries 13 to 300 were not written by Davy"),
        (
            "UPDATE heads SET root = zeroblob(32) WHERE size = 10",
            (),
            "entries 2 to 10 are not what was written",
        ),
        ("UPDATE heads SET root = 'x' WHERE size = 1", (), "entry 1 is not what was written: the root was 'x'"),
        (
            "UPDATE nodes SET hash = zeroblob(32)",
            (),
            "entries 1 to 256: the hash kept of all of them is not theirs",
        ),
        ("DELETE FROM nodes", (), "0 hashes of level 8 of the tree are kept, instead of 1"),
        ("INSERT INTO nodes VALUES (8, 1, zeroblob(32))", (), "2 hashes of level 8"),
        ("INSERT INTO nodes VALUES (3, 1, zeroblob(32))", (), "1 hashes are kept that belong to no level"),
        (
            "DELETE FROM records WHERE bucket = 'payload'",
            (),
            "entry 12: its detail, which is kept apart, is missing",
        ),
        (
            "UPDATE records SET body = 'x' WHERE bucket = 'payload'",
            (),
            "entry 12: its detail, which is kept apart",
        ),
        (
            "UPDATE records SET body = cast('davy.example/ledger' AS BLOB) WHERE key = 'latest'",
            (),
            "the checkpoint 'latest' of the store is no checkpoint",
        ),
        (
            "UPDATE records SET key = 'lateqt' WHERE key = 'latest'",
            (),
            "there is a checkpoint 'lateqt', and Davy calls none of them that",
        ),
    ],
)
def test_what_was_changed_is_said_with_its_place(
    copy: Path, statement: str, values: tuple[object, ...], said: str
) -> None:
    edited(copy / "davy.db", (statement, values))
    found = problems(copy / "davy.db")
    assert any(said in problem for problem in found), found


def test_two_entries_that_were_swapped_are_seen(copy: Path) -> None:
    swap = [
        ("UPDATE ledger SET uid = NULL, seq = 9999 WHERE seq = 20", ()),
        ("UPDATE ledger SET seq = 20 WHERE seq = 21", ()),
        ("UPDATE ledger SET uid = 'github.com/acme/payments\ndelivery-107', seq = 21 WHERE seq = 9999", ()),
    ]
    edited(copy / "davy.db", *swap)
    found = problems(copy / "davy.db")
    assert found[0] == "entries 1 to 256: the hash kept of all of them is not theirs"
    assert found[1].startswith("entries 13 to 300 are not what was written: the root was ")


def test_a_spelling_of_somebody_else_is_seen(copy: Path) -> None:
    db = sqlite3.connect(copy / "davy.db")
    [(body,)] = db.execute("SELECT body FROM ledger WHERE seq = 17")
    db.close()
    loose = json.dumps(json.loads(body)).encode()
    edited(copy / "davy.db", (EDIT, (loose, tree.leaf_hash(loose), 17)))
    assert "entry 17: it is not spelt as RFC 8785 spells it" in problems(copy / "davy.db")


def test_triggers_that_were_taken_out_are_missed(copy: Path) -> None:
    db = sqlite3.connect(copy / "davy.db")
    db.execute("DROP TRIGGER ledger_is_never_cut")
    db.close()
    assert problems(copy / "davy.db") == [
        "what keeps programs from editing the ledger was taken out: ledger_is_never_cut"
    ]


def test_an_index_that_hides_an_entry_is_damage(copy: Path) -> None:
    db = sqlite3.connect(copy / "davy.db")
    [(page,)] = db.execute("SELECT rootpage FROM sqlite_schema WHERE name LIKE 'sqlite_autoindex_ledger%'")
    [(size,)] = db.execute("PRAGMA page_size")
    db.close()
    data = bytearray((copy / "davy.db").read_bytes())
    at = data.rindex(b"delivery-", (page - 1) * size, page * size)
    data[at : at + 1] = b"D"
    (copy / "davy.db").write_bytes(data)
    assert any("SQLite finds the file damaged" in problem for problem in problems(copy / "davy.db"))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM by_subject WHERE seq = 17",
        "UPDATE by_subject SET subject = 'x' WHERE seq = 17",
        "INSERT INTO by_subject VALUES ('x', 17)",
        "INSERT INTO by_subject VALUES ('x', 1090)",
        "INSERT INTO by_subject VALUES ('x', 'y')",
    ],
)
def test_entries_that_are_hidden_from_who_asks_for_a_subject_are_seen(tmp_path: Path, statement: str) -> None:
    made(tmp_path / "davy.db", 1100).close()
    assert problems(tmp_path / "davy.db") == []
    edited(tmp_path / "davy.db", (statement, ()))
    assert problems(tmp_path / "davy.db") == ["where the entries of a subject are is not what is kept of it"]


def test_such_entries_are_seen_where_a_checkpoint_vouches_for_them_and_where_none_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier, "SPAN", 8)
    store = made(tmp_path / "davy.db", 1100)
    (tmp_path / "kept").write_text(str(signed(store)))
    store.append(drafts(2000, 1100))
    store.close()
    assert problems(tmp_path / "davy.db", since=str(tmp_path / "kept")) == []
    for seq, other in ((17, 4100), (1500, 4101)):
        edited(tmp_path / "davy.db", ("UPDATE by_subject SET seq = ? WHERE seq = ?", (other, seq)))
        found = problems(tmp_path / "davy.db", since=str(tmp_path / "kept"))
        assert found == ["where the entries of a subject are is not what is kept of it"]
        edited(tmp_path / "davy.db", ("UPDATE by_subject SET seq = ? WHERE seq = ?", (seq, other)))


def test_whoever_recomputes_every_hash_is_caught_by_a_checkpoint_that_was_kept(copy: Path) -> None:
    body = b'{"actor":"davy","at":1,"detail":{},"kind":"paused","reason":"","subject":"s"}'

    def change(db: sqlite3.Connection) -> None:
        new = (body, "s", "paused", None, 17)
        db.execute("UPDATE ledger SET body = ?, subject = ?, kind = ?, uid = ? WHERE seq = ?", new)
        db.execute("DELETE FROM records WHERE bucket = 'checkpoint'")

    rebuilt(copy / "davy.db", change)
    assert problems(copy / "davy.db") == []
    kept = [str(copy / "kept.checkpoint"), str(copy / "early.checkpoint")]
    [problem] = problems(copy / "davy.db", checkpoints=kept)
    assert problem.startswith("history was changed between entry 12 and entry 300: the checkpoint ")


def test_the_checkpoint_in_the_store_convicts_whoever_forgets_it(copy: Path) -> None:
    def change(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM ledger WHERE seq > 290")

    rebuilt(copy / "davy.db", change)
    found = problems(copy / "davy.db")
    assert any(
        problem.startswith(
            "the end was cut off, or an old copy was put back: the checkpoint 'latest' of the store"
        )
        for problem in found
    )


def test_an_old_copy_that_was_put_back_is_caught_by_a_checkpoint_that_was_kept(copy: Path) -> None:
    assert problems(copy / "early.db") == []
    [problem] = problems(copy / "early.db", checkpoints=[str(copy / "kept.checkpoint")])
    assert problem == (
        "the end was cut off, or an old copy was put back: "
        f"the checkpoint {copy}/kept.checkpoint is of 300 entries, and there are 11"
    )


def test_two_checkpoints_of_one_size_with_two_roots_are_a_split_view(copy: Path) -> None:
    other = copy / "other.checkpoint"
    other.write_text(str(sign(str(Checkpoint(KEY.name, SIZE, bytes(32))), KEY)))
    found = problems(copy / "davy.db", checkpoints=[str(other), str(copy / "kept.checkpoint")])
    assert found[0].startswith("history was changed between entry 1 and entry 300")
    assert found[1] == (
        f"split view: the checkpoint {other} and the checkpoint {copy}/kept.checkpoint "
        "have two histories of 300 entries"
    )


def test_a_checkpoint_that_nobody_trusted_has_signed_is_none(copy: Path) -> None:
    found = problems(copy / "davy.db", keys=[str(OTHER.public)])
    assert found[0] == (
        "the checkpoint 'latest' of the store is signed by davy.example/ledger, and by no key that was given"
    )
    forged = (copy / "kept.checkpoint").read_text().replace(f"\n{SIZE}\n", "\n299\n")
    (copy / "forged").write_text(forged)
    for key in (str(KEY.public), str(witness_key(WITNESS))):
        found = problems(copy / "early.db", keys=[key], checkpoints=[str(copy / "forged")])
        assert "was changed: the signature of" in found[0]


def test_what_a_checkpoint_vouches_for_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier, "SPAN", 8)
    monkeypatch.setattr(files, "WIDTH", 256)
    store = made(tmp_path / "davy.db", 700)
    (tmp_path / "kept").write_text(str(signed(store)))
    store.append(drafts(2000, 100))
    store.close()
    whole = verify(str(tmp_path / "davy.db"), jobs=2)
    later = verify(str(tmp_path / "davy.db"), since=str(tmp_path / "kept"))
    assert whole.problems == later.problems == []
    assert whole.root == later.root
    edited(tmp_path / "davy.db", ("UPDATE nodes SET hash = zeroblob(32) WHERE idx = 1", ()))
    assert len(problems(tmp_path / "davy.db", since=str(tmp_path / "kept"))) >= 2


def test_a_proof_is_verified_with_the_key_alone(sound: Path) -> None:
    for key in (KEY.public, witness_key(WITNESS)):
        report = verify(str(sound / "17.tlog-proof"), keys=[str(key)])
        assert report.problems == []
        assert report.lines()[1] == "  it is entry 17, and signed by a key that was given"
    bare = verify(str(sound / "17.bare"), keys=[str(KEY.public)], entry=str(sound / "17.json"))
    assert (bare.problems, bare.size) == ([], SIZE)


def test_a_proof_proves_nothing_else(copy: Path) -> None:
    key = str(KEY.public)
    (copy / "18.json").write_bytes((copy / "17.json").read_bytes() + b" ")
    assert problems(copy / "17.tlog-proof", keys=[key], entry=str(copy / "18.json")) == [
        "the entry that is in the proof is not the one that was given",
        "the entry is not entry 17 of the 300 that were signed for",
    ]
    with pytest.raises(Unreadable, match="proves nothing to somebody who has no key"):
        problems(copy / "17.tlog-proof")
    with pytest.raises(Unreadable, match="has to be given"):
        problems(copy / "17.bare", keys=[key])
    assert problems(copy / "17.tlog-proof", keys=[str(OTHER.public)]) != []


def test_no_byte_of_a_proof_can_be_changed(copy: Path) -> None:
    good = (copy / "17.tlog-proof").read_bytes()
    keys = [str(KEY.public), str(witness_key(WITNESS))]
    [body] = [(copy / "17.json").read_bytes()]
    for at in range(len(good)):
        data = bytearray(good)
        data[at] ^= 1 << at % 8
        (copy / "17.tlog-proof").write_bytes(data)
        try:
            found = problems(copy / "17.tlog-proof", keys=keys)
        except Unreadable:
            continue
        if not found:  # one of two signatures has another name or id now, and nobody looks at it
            proof = proofs.read(bytes(data))
            assert at > good.index("—".encode())
            assert (proof.entry, proof.index, proof.checkpoint.text) == (
                body,
                16,
                proofs.read(good).checkpoint.text,
            )


def test_no_byte_of_a_tile_can_be_changed(copy: Path) -> None:
    seed = random.Random(7)
    for file in sorted(each for each in (copy / "exported").rglob("*") if each.is_file()):
        good = file.read_bytes()
        step = max(1, len(good) * STRIDE // 1000) if STRIDE > 1 else 1
        for at in range(seed.randrange(step), len(good), step):
            data = bytearray(good)
            data[at] ^= 1 << at % 8
            file.write_bytes(data)
            try:
                assert problems(copy / "exported", keys=[str(KEY.public)]), f"{file} at byte {at}"
            except Unreadable:
                assert file.name == "checkpoint"
        file.write_bytes(good[:-1])
        if file.name != "checkpoint":
            assert problems(copy / "exported")
        file.write_bytes(good)
    assert problems(copy / "exported", keys=[str(KEY.public)]) == []


def test_a_tile_that_is_missing_or_of_more_entries_is_seen(copy: Path) -> None:
    (copy / "exported" / "tile/entries/000").unlink()
    assert "entries 1 to 256 are missing" in problems(copy / "exported")
    extra = copy / "exported" / "tile/0/005.p/3"
    extra.parent.mkdir()
    extra.write_bytes(bytes(96))
    assert "tile/0/005.p/3 does not belong to the log of 300 entries" in problems(copy / "exported")
    (copy / "exported" / "tile" / "README").write_text("no tile")
    assert not any("README" in problem for problem in problems(copy / "exported"))


def stored(path: Path) -> list[object]:
    """All that a ledger has: the rows of its tables, and the records that belong to it."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        tables = [
            db.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in ("ledger", "nodes", "heads")
        ]
        kept = "SELECT * FROM records WHERE bucket IN ('checkpoint', 'payload') ORDER BY key"
        return [*tables, db.execute(kept).fetchall()]
    finally:
        db.close()


def undetected(path: Path, flipped: Path, **held_to: list[str]) -> list[int]:
    """Flip bytes of a file, one at a time; return where the same is said though other things are stored."""
    good, before, found = flipped.read_bytes(), stored(path), []
    said = verify(str(path), **held_to).lines()  # type: ignore[arg-type]
    for at in range(random.Random(len(good)).randrange(STRIDE), len(good), STRIDE):
        data = bytearray(good)
        data[at] ^= 1 << (at * 5 + at // 512) % 8
        flipped.write_bytes(data)
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)  # what was found out about the log before
        try:
            if verify(str(path), **held_to).lines() == said and stored(path) != before:  # type: ignore[arg-type]
                found.append(at)
        except Unreadable:
            pass
    flipped.write_bytes(good)
    return found


def test_no_byte_of_a_store_can_be_changed(tmp_path: Path) -> None:
    store = made(tmp_path / "made.db", 11)
    name = sha256(b"x" * 600).hexdigest()
    store.commit({}, [Draft(2.0, "config_changed", "Service s", {"sha256": name, "bytes": 600})])
    latest = str(signed(store)).encode()
    store.commit({("checkpoint", "latest"): latest, ("payload", name): b"x" * 600}, [])
    store.close()
    db = sqlite3.connect(tmp_path / "made.db")
    db.executescript("PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM;")
    db.close()
    path = tmp_path / "made.db"
    assert problems(path) == []
    assert undetected(path, path, keys=[str(KEY.public)]) == []


def test_no_byte_of_a_write_ahead_log_can_be_changed_where_a_checkpoint_was_kept(tmp_path: Path) -> None:
    store = made(tmp_path / "made.db", 11)
    (tmp_path / "kept").write_text(str(signed(store)))
    for name in ("made.db", "made.db-wal"):  # while it is open, as a crash would leave it
        shutil.copy(tmp_path / name, tmp_path / name.replace("made", "left"))
    store.close()
    path, held_to = tmp_path / "left.db", [str(tmp_path / "kept")]
    assert problems(path, checkpoints=held_to) == []
    assert undetected(path, tmp_path / "left.db-wal", checkpoints=held_to) == []
    data = bytearray((tmp_path / "left.db-wal").read_bytes())
    data[-1] ^= 1
    (tmp_path / "left.db-wal").write_bytes(data)
    (tmp_path / "left.db-shm").unlink(missing_ok=True)
    assert problems(path) == [], "what was written last is gone, and nothing here knows that it was there"
    assert problems(path, checkpoints=held_to) != []


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("davy.db", b"", "is no store, no directory of tiles and no proof"),
        ("a", b"c2sp.org/tlog-proof@v1\n", "is no proof that can be read"),
        ("a", b"c2sp.org/tlog-proof@v1\nindex 1\n\n", "is no checkpoint"),
    ],
)
def test_what_cannot_be_read_is_said_so(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Unreadable, match=why):
        verify(str(tmp_path / name), keys=[str(KEY.public)])


def test_what_it_is_to_be_held_to_has_to_be_there(sound: Path, tmp_path: Path) -> None:
    for held_to in ({"checkpoints": [str(tmp_path / "none")]}, {"checkpoints": [str(sound / "17.json")]}):
        with pytest.raises(Unreadable):
            verify(str(sound / "davy.db"), **held_to)  # type: ignore[arg-type]
    for key in ("", "name+12345678+AAAA", str(KEY.public).replace("davy.", "davi.")):
        with pytest.raises(Unreadable, match="is no key"):
            verify(str(sound / "davy.db"), keys=[key])
    db = sqlite3.connect(tmp_path / "other.db")
    db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(Unreadable, match="has the layout 7"):
        verify(str(tmp_path / "other.db"))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_values_are_spelt_as_the_rfc_spells_them(value: object) -> None:
    assert verifier.spelt(value).encode() == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(st.binary(min_size=8, max_size=8).map(lambda raw: struct.unpack("<d", raw)[0]))
def test_numbers_are_spelt_as_ecmascript_spells_them(value: float) -> None:
    if value == value and abs(value) != float("inf"):
        assert verifier.spelt(value).encode() == rfc8785.dumps(value)


@given(st.dictionaries(st.text(), VALUES, max_size=3))
def test_an_entry_is_read_the_same_with_python_alone(value: dict[str, object]) -> None:
    body = rfc8785.dumps(value)  # type: ignore[arg-type]
    assert verifier._read(body) == json.loads(body)
    for other in (body + b" ", body.replace(b":", b": ", 1), b"[" + body + b"]", json.dumps(value).encode()):
        if other != body:
            read = verifier._read(other)
            assert read is None or verifier.spelt(read).encode() == other


PLAIN: dict[str, Any] = {"actor": "a", "at": 1, "detail": {}, "kind": "k", "reason": "r", "subject": "s"}


@given(st.lists(st.dictionaries(st.text("abé"), VALUES, max_size=3), min_size=1, max_size=4), st.data())
def test_entries_that_are_read_all_at_once_are_spelt_as_each_alone(
    details: list[dict[str, object]], data: st.DataObject
) -> None:
    bodies = [rfc8785.dumps(PLAIN | {"detail": detail}) for detail in details]
    if read := verifier._plain(bodies):
        assert [entry.detail for entry in read] == [json.loads(body)["detail"] for body in bodies]
    cut = (
        bytes(data.draw(st.permutations(b"\n".join(bodies))))
        if data.draw(st.booleans())
        else b"\n".join(bodies)
    )
    ends = sorted(data.draw(st.lists(st.integers(0, len(cut)), min_size=1, max_size=3)))
    for others in ([cut[a:b] for a, b in zip([0, *ends], [*ends, len(cut)], strict=True)], [*bodies, b" "]):
        if verifier._plain(others):
            assert all(verifier._read(other) is not None for other in others)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_an_entry_with_a_number_is_read_whichever_way_it_is_spelt(value: float) -> None:
    body = rfc8785.dumps(PLAIN | {"detail": {"value": value}})
    assert verifier._read(body) == json.loads(body)
    other = json.dumps(json.loads(body), separators=(",", ":")).encode()
    assert other == body or not verifier._plain([other])
    assert all(entry.detail == json.loads(body)["detail"] for entry in verifier._plain([body]))


def test_entries_are_not_read_all_at_once_where_one_is_not_plain() -> None:
    body = rfc8785.dumps(PLAIN)
    assert len(verifier._plain([body, body])) == 2
    apart: list[list[object]] = [
        [body + b"\n" + body],
        [body, b"", body],
        [body[:20], body[20:]],
        [body, body + b"\n"],
        [body, b" " + body],
        [body.replace(b":1,", b":1.0,")],
        [body.replace(b"{}", b'{"b":1,"a":1}')],
        [body.replace(b"{}", b'{"a":1,"a":1}')],
        [body.replace(b'"at"', b'"as":1,"at"')],
        [body.replace(b'"r"', b'"\\u0072"')],
        [body.replace(b'"r"', '"é"'.encode())],
        [body.replace(b',"subject"', b',"source":"","subject"')],
        [body.decode()],
        [None],
        [body] * 20_000,
    ]
    for bodies in apart:
        assert verifier._plain(bodies) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("kind = 'paused'", "entry 17: the kind kept beside it is 'paused'"),
        ("subject = 'x'", "entry 17: the subject kept beside it is 'x'"),
        ("uid = 'x'", "entry 17: the uid kept beside it is 'x'"),
        ("uid = NULL", "entry 17: the uid kept beside it is not"),
        ("leaf = zeroblob(32)", "entry 17: its bytes do not have the hash"),
        ("body = replace(body, 'ada', 'eve')", "entry 17: its bytes do not have the hash"),
    ],
)
def test_what_was_changed_among_plain_entries_is_seen(tmp_path: Path, change: str, said: str) -> None:
    store = SqliteStore(tmp_path / "davy.db")
    apart: dict[str, object] = {"sha256": "0" * 64, "bytes": 1}
    store.append(
        [
            Draft(1.0, "config_changed", "Service s", apart if n == 20 else {}, "ada", source="git", id=str(n))
            for n in range(256)
        ]
    )
    store.close()
    missing = "entry 21: its detail, which is kept apart, is missing or another one"
    assert problems(tmp_path / "davy.db") == [missing]
    edited(tmp_path / "davy.db", (f"UPDATE ledger SET {change} WHERE seq = 17", ()))
    found = problems(tmp_path / "davy.db")
    assert any(problem.startswith(said) for problem in found), found
    assert missing in found


@pytest.mark.parametrize("size", [70_000, 140_000])
def test_entries_that_are_larger_than_any_of_davy_are_verified_one_by_one(tmp_path: Path, size: int) -> None:
    made(tmp_path / "davy.db", 600).close()
    body = rfc8785.dumps(PLAIN | {"reason": "x" * size})

    def change(db: sqlite3.Connection) -> None:
        db.execute("UPDATE ledger SET body = ?, kind = 'k', subject = 's', uid = NULL WHERE seq = 300", (body,))

    rebuilt(tmp_path / "davy.db", change)
    assert problems(tmp_path / "davy.db") == []
    edited(tmp_path / "davy.db", ("UPDATE ledger SET kind = 'x' WHERE seq IN (10, 300, 550)", ()))
    assert [problem[:40] for problem in problems(tmp_path / "davy.db")] == [
        f"entry {seq}: the kind kept beside it is 'x'"[:40] for seq in (10, 300, 550)
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b"\xff",
        None,
        "{}",
        b'{"a":1e2}',
        b'{"a":"\\u0041"}',
        b'{"a":-0}',
        b"[" * 100_000,
    ],
)
def test_other_spellings_are_none(body: object) -> None:
    assert verifier._read(body) is None


def test_it_imports_nothing_of_davy(sound: Path) -> None:
    program = (
        "import sys, runpy; sys.argv = ['verifier', sys.argv[1], '--checkpoint', sys.argv[2]]\n"
        "try: runpy.run_module('davy.verifier', run_name='__main__')\n"
        "except SystemExit as left: print(left.code)\n"
        "print(sorted(name for name in sys.modules if name.startswith(('davy', 'cryptography'))))"
    )
    command = [sys.executable, "-c", program, str(sound / "davy.db"), str(sound / "kept.checkpoint")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    first, *_, code, modules = ran.stdout.splitlines()
    assert first.startswith(f"{sound}/davy.db: all is well: 300 entries, root ")
    assert (code, modules) == ("0", "['davy']")


@pytest.mark.parametrize(("path", "code"), [("davy.db", 0), ("17.tlog-proof", 2), ("none", 2), ("bad.db", 7)])
def test_it_exits_with_a_verdict(
    copy: Path, path: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(copy / "davy.db", copy / "bad.db")
    edited(copy / "bad.db", ("UPDATE ledger SET kind = 'paused' WHERE seq > 17", ()))
    monkeypatch.setattr(sys, "argv", ["verifier", str(copy / path)])
    assert verifier.main() == code
    out, err = capsys.readouterr()
    assert (err == "") == (code != 2)
    if code == 7:
        assert out.splitlines()[0] == f"{copy}/bad.db does not verify"
        assert out.splitlines()[-1] == "  … and 273 more like that"
