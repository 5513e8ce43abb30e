"""Files that somebody made up to harm whoever verifies them: it ends, and nothing of them runs."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.test_verifier import KEY, edited, made

from davy.verifier import Report, Unreadable, verify

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    made(tmp_path / "davy.db").close()
    return tmp_path / "davy.db"


def forged(path: Path, *statements: str) -> Report:
    """Change what a file is made of, and verify it."""
    edited(path, *((statement, ()) for statement in statements))
    return verify(str(path))


def test_a_view_in_the_place_of_a_table_that_never_ends(store: Path) -> None:
    blank = "x'00'"
    view = f"CREATE VIEW heads AS {ENDLESS} SELECT i AS size, {blank} AS root FROM n"
    db = sqlite3.connect(store)
    found = db.execute("SELECT name FROM sqlite_schema WHERE tbl_name = 'heads' AND type = 'trigger'")
    for (name,) in found.fetchall():
        db.execute(f"DROP TRIGGER {name}")
    db.execute("DROP TABLE heads")
    db.execute(view)
    db.commit()
    db.close()
    assert verify(str(store)).problems == ["it is damaged: the view heads in it is none that Davy makes"]


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("CREATE TABLE more (a, b AS (zeroblob(1000000000)))", "table more"),
        ("CREATE TABLE more (a CHECK (length(randomblob(1000000000)) > a))", "table more"),
        ("CREATE VIRTUAL TABLE more USING fts5(a)", "table more"),
        ("CREATE INDEX more ON ledger (length(body))", "index more"),
        ("CREATE TRIGGER more AFTER INSERT ON records BEGIN SELECT load_extension('x'); END", "trigger more"),
    ],
)
def test_a_schema_with_a_program_in_it(sql: str, what: str, store: Path) -> None:
    assert forged(store, sql).problems == [f"it is damaged: the {what} in it is none that Davy makes"]


def test_a_guard_that_guards_nothing(store: Path) -> None:
    db = sqlite3.connect(store)
    db.execute("DROP TRIGGER ledger_is_never_cut")
    db.execute("CREATE TRIGGER ledger_is_never_cut BEFORE DELETE ON ledger BEGIN SELECT 1; END")
    db.commit()
    db.close()
    assert verify(str(store)).problems == [
        "it is damaged: the trigger ledger_is_never_cut in it is none that Davy makes"
    ]


def test_pages_that_go_in_circles(store: Path) -> None:
    """The root of the table names one page many times, as that does the next: more rows than atoms."""
    db = sqlite3.connect(store)
    db.execute("PRAGMA journal_mode = DELETE")
    [(root,)] = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'ledger'").fetchall()
    db.close()
    pages = bytearray(store.read_bytes())
    size = int.from_bytes(pages[16:18], "big")
    count = len(pages) // size
    at = (root - 1) * size
    leaf = int.from_bytes(pages[at + 8 : at + 12], "big")

    def circle(page: int, child: int) -> None:
        cells = 200
        body = bytearray(size)
        body[0:1], body[3:5], body[8:12] = b"\x05", cells.to_bytes(2, "big"), child.to_bytes(4, "big")
        body[5:7] = (size - 5 * cells).to_bytes(2, "big")
        for cell in range(cells):
            place = size - 5 * (cell + 1)
            body[12 + 2 * cell : 14 + 2 * cell] = place.to_bytes(2, "big")
            body[place : place + 5] = child.to_bytes(4, "big") + b"\x01"
        pages[(page - 1) * size : page * size] = body

    for number in range(count + 1, count + 9):
        pages += bytes(size)
        circle(number, number + 1 if number < count + 8 else leaf)
    circle(root, count + 1)
    pages[28:32] = (count + 8).to_bytes(4, "big")
    store.write_bytes(bytes(pages))
    [problem] = verify(str(store)).problems
    assert problem.endswith("its pages go in circles")


def test_a_proof_of_gigabytes(tmp_path: Path) -> None:
    proof = tmp_path / "17.tlog-proof"
    with proof.open("wb") as file:
        file.write(b"c2sp.org/tlog-proof@v1\n")
        file.truncate(3 << 30)
    with pytest.raises(Unreadable, match="is longer than 4194304 bytes"):
        verify(str(proof), keys=[str(KEY.public)])


def test_a_checkpoint_that_never_ends(store: Path) -> None:
    report = verify(str(store), checkpoints=["/dev/zero"])
    assert report.problems == ["it is damaged: /dev/zero is longer than 4194304 bytes"]


def test_tiles_of_more_entries_than_there_can_be(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text(f"log.example\n{1 << 60}\n{'A' * 43}=\n\n— x AAAAAAAA\n")
    report = verify(str(tmp_path))
    assert report.problems == [f"it is damaged: {1 << 60} entries are signed for, and there are 0 at most"]


def test_a_tile_that_is_a_link_to_what_never_ends(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text(f"log.example\n1\n{'A' * 43}=\n\n— x AAAAAAAA\n")
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(3 << 30)
    bundle = tmp_path / "tile" / "entries" / "000.p"
    bundle.mkdir(parents=True)
    (bundle / "1").symlink_to(large)
    [problem] = verify(str(tmp_path)).problems
    assert problem.endswith("is longer than 16777728 bytes")


def test_escape_codes_in_what_is_told(store: Path) -> None:
    report = forged(store, "INSERT INTO records VALUES ('payload', '\x1b[2J\u202e', x'00')")
    assert "the detail �[2J�, which is kept apart, was changed" in report.problems


def test_what_is_verified_is_not_written_to(store: Path, tmp_path: Path) -> None:
    shutil.copy(store, tmp_path / "before.db")
    assert not verify(str(store)).problems
    assert store.read_bytes() == (tmp_path / "before.db").read_bytes()
