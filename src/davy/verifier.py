"""Verify a ledger offline, with nothing of the rest of Davy: `python -m davy.verifier PATH`.

Whoever doubts a program does not ask the same program whether it is right. This file can be read in one sitting
and needs Python alone (`cryptography` where a signature has to be checked). With its own code it recomputes
everything from the bytes that are there: of a store (`davy.db`), a directory of tiles (C2SP tlog-tiles) or a
proof (C2SP tlog-proof). It reads, and never writes.

Of every entry: that its bytes have the hash they were entered with, that they are spelt by RFC 8785, that no
place is left out, and that what is kept beside them is what they say. Of the tree (RFC 6962): every hash and
root that was ever written down. Of checkpoints: that the tree had their root at their size. Exits 0 when all is
well, 7 when something was changed (and says what and where), 2 when there is nothing that can be read.
"""

import argparse
import json
import os
import re
import sqlite3
import sys
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

EMPTY = sha256(b"").digest()
SPAN = 16
"""Chunks of 2^16 entries are verified on their own, on all cores, and put together by their roots."""

LAYOUT = 1
"""The layout of a store that is known here (`PRAGMA user_version`)."""

INDEXED = 1024
"""The table `by_subject` has whole blocks of so many entries."""

OTHERWISE = "where the entries of a subject are is not what is kept of it"
"""What is told of that table."""

LARGEST, AT_ONCE = 1 << 17, 1 << 20
"""Bytes that no row of Davy's has, and that entries have at most which are read all at once."""

MOST = 10
"""How many problems of one sort are told; the others are counted."""

LOG, WITNESS = 1, 4
"""The algorithms of keys: Ed25519 over the text, and over a time and the text."""

LONGEST, LONGEST_BUNDLE = 4 << 20, 256 * (2 + (1 << 16))
"""Bytes of the longest checkpoint, proof or entry, and of the longest bundle of entries, that is read."""

STEPS_BYTE, STEPS = 16, 20_000_000
"""Steps of SQLite for each byte of a file, and beside that: a file whose pages go in circles has no end."""

SHAPES = {
    "table records": "978cfcf3a6cb5803",
    "table ledger": "64078a48b7dce919",
    "table by_subject": "2273d7692fb06d18",
    "table nodes": "4fb10b27b195a9fb",
    "table heads": "9683c416c972281e",
    "trigger ledger_is_never_edited": "8eec4da2cd420b3f",
    "trigger ledger_is_never_cut": "2472084fe5a5783c",
    "trigger nodes_is_never_edited": "4c535709efcda71b",
    "trigger nodes_is_never_cut": "ab21d31dff5db4f1",
    "trigger heads_is_never_edited": "d35cf1df8d33a9b6",
    "trigger heads_is_never_cut": "d71d3a2e953900f7",
    "trigger by_subject_is_never_edited": "b05237f6769a3556",
    "trigger by_subject_is_never_cut": "1906f804f7d74cfe",
    "trigger ledger_only_grows": "ee29a1205864cc40",
    "trigger nodes_only_grows": "fd50d246bf3b1a0a",
    "trigger heads_only_grows": "8de7d03d20b1b4c8",
}
"""What a store is made of, by the first digits of the hash of how it is made: nothing else is read or run."""

HEADER = b"c2sp.org/tlog-proof@v1"
APART = {"sha256", "bytes"}
"""What the detail of an entry has that is kept apart."""

GUARDS = {
    f"{t}_{w}" for t in ("ledger", "nodes", "heads") for w in ("is_never_edited", "is_never_cut", "only_grows")
}


_DAMAGE = (sqlite3.Error, ValueError, TypeError, AttributeError, LookupError, OverflowError)
"""What comes of a file in which numbers are texts, columns have other names, or pages are others."""


class Unreadable(Exception):
    """There is nothing here that could be verified."""


@dataclass(slots=True)
class Report:
    """What came of it: where there are no problems, `size` and `root` are what was verified."""

    path: str
    kind: str
    size: int = 0
    root: bytes = EMPTY
    checked: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def tell(self, problems: Iterable[str]) -> None:
        """Add problems of one sort, the first ones word for word; what would move a cursor is shown as �."""
        found = [_visible(problem) for problem in problems]
        self.problems += found[:MOST]
        self.problems += [f"… and {len(found) - MOST} more like that"] if len(found) > MOST else []

    def lines(self) -> list[str]:
        """Say it to a person."""
        if self.problems:
            return [f"{self.path} does not verify", *(f"  {problem}" for problem in self.problems)]
        what = "the entry is in a log of" if self.kind == "proof" else "all is well:"
        about = [f"{self.path}: {what} {self.size} entries, root {_b64(self.root)}"]
        return [*about, *(f"  {each}" for each in self.checked)]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a checkpoint says: that a log had a root at a size.

    `ours`: a key that was given has to have signed it. What a witness had before the ledger got another key is
    held against it all the same.
    """

    who: str
    size: int
    root: bytes
    note: bytes
    ours: bool = True


@dataclass(slots=True)
class Chunk:
    """What is known of up to 2^16 entries: its complete subtrees, and its root where somebody asks for it."""

    stack: list[bytes] = field(default_factory=list)
    roots: list[tuple[int, bytes, bytes | None]] = field(default_factory=list)  # size, root, what the head says
    problems: list[str] = field(default_factory=list)
    again: list[tuple[int, str]] = field(default_factory=list)  # events that are found by an earlier entry
    apart: list[tuple[int, Any, Any]] = field(default_factory=list)  # details kept apart: hash, bytes
    subjects: dict[Any, list[int]] = field(default_factory=lambda: defaultdict(list))  # where each has entries
    astray: bool = False  # what is kept of that is something else


class _Store:
    """A store in a SQLite file, as one transaction sees it."""

    kind = "store"

    def __init__(self, path: str, db: sqlite3.Connection, size: int | None = None) -> None:
        self._db = db
        if (layout := self.one("PRAGMA user_version")) != LAYOUT:
            raise Unreadable(f"{path} has the layout {layout}, and this verifier knows {LAYOUT}")
        self._bytes = _confined(path, db)
        self._db.execute("BEGIN")
        self.size: int = self._count() if size is None else size

    def _count(self) -> int:
        """Return the number of the last entry, unless it is made up and would keep us busy for ever."""
        last = self.one("SELECT max(seq) FROM ledger") or 0
        if last * len(EMPTY) <= self._bytes:  # the hashes of so many have room in the file
            return int(last)
        count = self.one("SELECT count(nullif(seq, 0)) FROM ledger")  # count(*) asks no progress handler
        return int(last if last - count < 1 << SPAN else count)

    def one(self, query: str, *values: object) -> Any:
        return (self._db.execute(query, values).fetchone() or [None])[0]

    def rows(self, start: int, end: int) -> Iterator[Sequence[Any]]:
        query = "SELECT seq, body, leaf, kind, subject, uid FROM ledger WHERE seq > ? AND seq <= ? ORDER BY seq"
        return self._db.execute(query, (start, end))

    def small(self, start: int, end: int) -> list[Sequence[Any]]:
        """Return the rows of a tile, or one more than there can be; none, where one is larger than Davy's."""
        query = "SELECT seq, body, leaf, kind, subject, uid FROM ledger WHERE seq > ? AND seq <= ? LIMIT 257"
        longest = self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
        try:
            return self._db.execute(query, (start, end)).fetchall()
        except sqlite3.DataError:
            return []
        finally:
            self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)

    def nodes(self, level: int, start: int, end: int) -> dict[int, bytes]:
        query = "SELECT idx, hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ?"
        return dict(self._db.execute(query, (level, start, end)))

    def heads(self, start: int, end: int) -> dict[int, bytes]:
        return dict(self._db.execute("SELECT size, root FROM heads WHERE size > ? AND size <= ?", (start, end)))

    def kept(self) -> list[tuple[str, bytes]]:
        query = "SELECT key, body FROM records WHERE bucket = 'checkpoint' ORDER BY key"
        return [(f"the checkpoint {key!r} of the store", body) for key, body in self._db.execute(query)]

    def others(self, chunks: Sequence[Chunk]) -> Iterator[str]:
        """Yield what is wrong beside the entries and their tree."""
        first, last = self.one("SELECT min(seq) FROM ledger"), self.one("SELECT max(seq) FROM ledger")
        if first is not None and (first < 1 or last > self.size):  # both at once would read all of it
            yield "there are entries in places that a ledger does not have"
        last = self.one("SELECT max(size) FROM heads") or 0
        if last > self.size:
            yield f"the end was cut off: {last} entries were written, and there are {self.size}"
        if last < self.size:
            yield f"entries {last + 1} to {self.size} were not written by Davy: no root of a tree has them"
        for level in (8, 16, 24):
            if (count := self.one("SELECT count(*) FROM nodes WHERE level = ?", level)) != self.size >> level:
                yield f"{count} hashes of level {level} of the tree are kept, instead of {self.size >> level}"
        if count := self.one("SELECT count(*) FROM nodes WHERE level NOT IN (8, 16, 24)"):
            yield f"{count} hashes are kept that belong to no level of the tree"
        if gone := GUARDS - {name for (name,) in self._db.execute("SELECT name FROM sqlite_schema")}:
            yield f"what keeps programs from editing the ledger was taken out: {', '.join(sorted(gone))}"
        for seq, uid in (each for chunk in chunks for each in chunk.again):
            if not self.one("SELECT 1 FROM ledger WHERE uid = ? AND seq < ?", uid, seq):
                yield f"entry {seq}: the uid kept beside it is not the one that it has"
        for (name,) in self._db.execute("SELECT key FROM records WHERE bucket = 'checkpoint'"):
            if name != "latest" and not str(name).startswith("witness:"):
                yield f"there is a checkpoint {name!r}, and Davy calls none of them that"
        apart = dict[Any, int]()
        for name, body in self._db.execute("SELECT key, body FROM records WHERE bucket = 'payload'"):
            if type(body) is not bytes or sha256(body).hexdigest() != name:
                yield f"the detail {name}, which is kept apart, was changed"
            apart[name] = len(body)
        for seq, name, length in (each for chunk in chunks for each in chunk.apart):
            if apart.get(name) != length:
                yield f"entry {seq}: its detail, which is kept apart, is missing or another one"

    def indexed(self, subjects: dict[Any, list[int]], start: int, end: int) -> bool:
        """Say whether it is kept of every subject where its entries are, as far as that is kept by now."""
        end = min(end, self.size // INDEXED * INDEXED)
        query = "SELECT seq FROM by_subject WHERE subject = ? AND seq > ? AND seq <= ? ORDER BY seq"
        query = f"SELECT group_concat(seq) FROM ({query})"  # noqa: S608  one text is read faster than many numbers
        return all(
            (self.one(query, subject, start, end) or "") == ",".join([str(seq) for seq in places if seq <= end])
            for subject, places in subjects.items()
        )

    def damage(self, skipped: int) -> list[str]:
        """Have SQLite look for pages that do not fit together, and hold indices to the entries.

        Where the entries of a subject are is looked at chunk by chunk but for those that are skipped.
        """
        found = [line for (line,) in self._db.execute(f"PRAGMA integrity_check({MOST})")]
        found = [] if found == ["ok"] else [f"SQLite finds the file damaged: {line}" for line in found]
        last = self.one("SELECT max(seq) FROM ledger") or 0  # it may have grown meanwhile
        until = last // INDEXED * INDEXED
        unread = min(skipped << SPAN, until)
        same = self.one(  # in the order of the entries, in which few pages are read again and again
            "SELECT count(*) FROM ledger WHERE seq <= ? AND EXISTS (SELECT 1 FROM by_subject"
            " WHERE by_subject.subject = ledger.subject AND by_subject.seq = ledger.seq)",
            unread,
        )
        if self.one("SELECT count(*) FROM by_subject") != until or same != unread:
            found.append(OTHERWISE)
        return found


class _Tiles:
    """A directory of tiles, of the size that its checkpoint says."""

    kind = "tiles"

    def __init__(self, path: str, size: int | None = None) -> None:
        self._root = Path(path)
        self._checkpoint = _content(self._root / "checkpoint")
        self.size = claimed(f"{path}/checkpoint", self._checkpoint).size if size is None else size
        if size is None and self.size > 1 << SPAN:  # whoever made it up would keep us busy for ever
            bundles = sum(1 for file in self._root.glob("tile/entries/**/*") if file.is_file())
            if self.size > 256 * bundles:
                raise ValueError(f"{self.size} entries are signed for, and there are {256 * bundles} at most")

    def rows(self, start: int, end: int) -> Iterator[Sequence[Any]]:
        for index in range(start // 256, -(-end // 256)):
            entries, leaves = _entries(self._tile(-1, index)), self._tile(0, index)
            for place, body in enumerate(entries[: end - 256 * index]):
                yield 256 * index + place + 1, body, leaves[32 * place :][:32], None, None, None

    def small(self, start: int, end: int) -> list[Sequence[Any]]:
        return list(self.rows(start, end))  # no bundle is larger than LONGEST_BUNDLE

    def nodes(self, level: int, start: int, end: int) -> dict[int, bytes]:
        tiles = {index: self._tile(level // 8, index) for index in range(start // 256, -(-end // 256))}
        return {index: tiles[index // 256][index % 256 * 32 :][:32] for index in range(start, end)}

    def heads(self, start: int, end: int) -> dict[int, bytes]:
        return {}

    def kept(self) -> list[tuple[str, bytes]]:
        return [("the checkpoint of the tiles", self._checkpoint)]

    def others(self, chunks: Sequence[Chunk]) -> Iterator[str]:
        """Yield what is wrong with files, those of when there were fewer entries included."""
        for file in sorted(file for file in self._root.glob("tile/**/*") if file.is_file()):
            level, index, width = _tile_of(file.relative_to(self._root).as_posix())
            have = min(256, (self.size >> 8 * max(level, 0)) - 256 * index)
            data, latest = _content(file, LONGEST_BUNDLE), self._tile(level, index)
            length = len(_entries(data)) if level < 0 else len(data) / 32
            if width and (width > have or length != width or not latest.startswith(data)):
                yield f"{file.relative_to(self._root)} does not belong to the log of {self.size} entries"

    def indexed(self, subjects: dict[Any, list[int]], start: int, end: int) -> bool:
        return True

    def damage(self, skipped: int) -> list[str]:
        return []

    def _tile(self, level: int, index: int) -> bytes:
        """Read a tile, or of entries (level -1) a bundle, with all it can have; empty where it is missing."""
        width = min(256, (self.size >> 8 * max(level, 0)) - 256 * index)
        files = (self._root / tile_path(level, index, width), self._root / tile_path(level, index))
        return next((_content(file, LONGEST_BUNDLE) for file in files if file.is_file()), b"")


def _content(path: Path, longest: int = LONGEST) -> bytes:
    """Read a file, unless it is longer than any that there can be."""
    with path.open("rb") as file:
        found = file.read(longest + 1)
    if len(found) > longest:
        raise ValueError(f"{path} is longer than {longest} bytes")
    return found


def _confined(path: str, db: sqlite3.Connection) -> int:
    """Keep a file that somebody made up from running anything of its own, and from keeping us busy for ever.

    Views, virtual tables, generated columns and checks are programs. Pages that go in circles have no end.
    Returns how many bytes there are.
    """
    bytes_ = sum(Path(file).stat().st_size for file in (path, f"{path}-wal") if Path(file).exists())
    for setting in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON", "mmap_size = 0"):
        db.execute(f"PRAGMA {setting}")
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(max(bytes_, 1 << 20), 1 << 30))
    left = (STEPS + STEPS_BYTE * bytes_) // 10_000

    def step() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    db.set_progress_handler(step, 10_000)
    for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_schema").fetchall():
        if not (kind == "index" and sql is None) and SHAPES.get(f"{kind} {name}") != _shape(sql):
            raise ValueError(f"the {kind} {name} in it is none that Davy makes")
    return bytes_


def _shape(sql: Any) -> str:
    """Return by what to know how a table or a trigger was made: without comments and blanks."""
    return sha256(re.sub(r"--[^\n]*|\s|\"", "", str(sql)).encode()).hexdigest()[:16]


def _visible(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)


def tile_path(level: int, index: int, width: int = 256) -> str:
    """Return where a tile is: of hashes, or of entries (level -1)."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [f"x{digits[at : at + 3]}" for at in range(0, len(digits) - 3, 3)]
    path = "/".join(["tile", "entries" if level < 0 else str(level), *groups, digits[-3:]])
    return path if width == 256 else f"{path}.p/{width}"


def _tile_of(path: str) -> tuple[int, int, int]:
    """Read the path of a tile; what is none has a width of 0."""
    whole, _, width = path.partition(".p/")
    level, *groups = whole.split("/")[1:]
    try:
        found = (
            -1 if level == "entries" else int(level),
            int("".join(groups).replace("x", "")),
            int(width or 256),
        )
    except ValueError:
        return 0, 0, 0
    return found if tile_path(*found) == path else (0, 0, 0)


def _entries(bundle: bytes) -> list[bytes]:
    """Cut a bundle into its entries, each of which comes after its length; nothing where it ends within one."""
    found, at = [], 0
    while at + 2 <= len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        found.append(bundle[at + 2 : end])
        at = end
    return found if at == len(bundle) else []


def verify(
    path: str,
    *,
    keys: Sequence[str] = (),
    checkpoints: Sequence[str] = (),
    since: str = "",
    entry: str = "",
    jobs: int = 0,
) -> Report:
    """Verify a store, a directory of tiles or a proof.

    Args:
        path: which one.
        keys: one of these has to have signed every checkpoint, each as `name+id+base64`.
        checkpoints: files of checkpoints that somebody else has kept.
        since: a file of a checkpoint; what it vouches for is not read again, as far as whole chunks go.
        entry: a file with the bytes of the entry that a proof is about, where they are not in it.
        jobs: how many processes work; one for each core without it.

    Raises:
        Unreadable: there is nothing that can be verified, or what it is to be held to is no checkpoint or key.
    """
    trusted = dict(map(_key, keys))
    try:
        given = [(f"the checkpoint {file}", _content(Path(file))) for file in (since, *checkpoints) if file]
        claims = [claimed(who, data) for who, data in given]
        with _opened(path) as source:
            if source is None:
                return _proven(path, trusted, entry)
            report, kept = Report(path, source.kind, source.size), source.kept()
            for who, data in kept:
                try:
                    claims.append(replace(claimed(who, data), ours="'witness:" not in who))
                except Unreadable as error:
                    report.tell([str(error)])
            if trusted:
                report.tell(problem for claim in claims for problem in _unsigned(claim, trusted))
            skipped = claims[0].size >> SPAN if since and claims[0].size <= source.size else 0
            _verify_tree(source, claims, skipped, jobs, report)
    except (OSError, sqlite3.OperationalError) as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            return Report(
                path, "store", problems=["it is damaged: there is more in it than has room in its file"]
            )
        raise Unreadable(f"{path} cannot be verified: {error}") from error
    except _DAMAGE as error:
        return Report(path, "store", problems=[_visible(f"it is damaged: {error}")])
    signed = "signed by a key that was given" if trusted else "whose signatures were not looked at"
    some = f"{len(claims)} checkpoint{'s' if claims[1:] else ''}"
    report.checked.append(f"held to {some}, {signed}" if claims else "held to no checkpoint")
    return report


@contextmanager
def _opened(path: str, size: int | None = None) -> Iterator[_Store | _Tiles | None]:
    """Open what is there, its size being known or not; a proof is None."""
    if (Path(path) / "checkpoint").is_file():
        yield _Tiles(path, size)
        return
    with Path(path).open("rb") as file:
        start = file.read(len(HEADER))
    if start.startswith(b"SQLite format 3\0"):
        still = "" if Path(f"{path}-wal").exists() else "&immutable=1"
        address = f"{Path(path).absolute().as_uri()}?mode=ro{still}"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as db:
            yield _Store(path, db, size)
    elif start == HEADER:
        yield None
    else:
        raise Unreadable(f"{path} is no store, no directory of tiles and no proof")


def _verify_tree(source: _Store | _Tiles, claims: list[Claim], skipped: int, jobs: int, report: Report) -> None:
    """Verify all chunks, put them together, and hold the tree to all that was said of it."""
    stack, roots, good, bad = list[bytes](), {0: EMPTY}, skipped << SPAN, list[tuple[int, bytes]]()
    numbers, wanted = range(skipped, -(-source.size >> SPAN)), frozenset(claim.size for claim in claims)
    try:
        for number, hash_ in source.nodes(SPAN, 0, skipped).items():
            _push(stack, number, hash_)
        roots[skipped << SPAN] = _fold(stack)
        tasks = [(report.path, number, source.size, wanted) for number in numbers]
        chunks, damage = _on_all_cores(report.path, source.size, skipped, tasks, jobs)
        for number, chunk in zip(numbers, chunks, strict=True):
            for size, local, said in chunk.roots:
                roots[size] = _fold([*stack, local])
                bad += [(size, said)] if said not in (None, roots[size]) else []
                good = size if said is not None and not bad else good
            if number + 1 << SPAN <= source.size:
                for height, index, hash_ in _push(stack, number, chunk.stack[0]):
                    if not height % 8 and source.nodes(SPAN + height, index, index + 1).get(index) != hash_:
                        chunk.problems.append(_other_hash(SPAN + height, index))
        report.tell(problem for chunk in chunks for problem in chunk.problems)
        if bad:
            size, said = bad[0]
            those = f"entries {good + 1} to {size} are not" if good + 1 < size else f"entry {size} is not"
            more = f", and so with {len(bad) - 1} roots after it" if bad[1:] else ""
            report.tell(
                [f"{those} what was written: the root was {_b64(said)}, and is {_b64(roots[size])}{more}"]
            )
        report.tell(source.others(chunks))
        report.tell(damage)
        report.tell([OTHERWISE] if OTHERWISE not in damage and any(chunk.astray for chunk in chunks) else [])
    except (OSError, *_DAMAGE) as error:
        report.tell([f"it is damaged: {error}"])
        return
    report.root = roots[source.size]
    report.tell(_contradicted(claims, roots, source.size))


def _contradicted(claims: list[Claim], roots: dict[int, bytes], size: int) -> Iterator[str]:
    """Yield what checkpoints say and the tree does not, and what they say of each other."""
    right = [claim.size for claim in claims if roots.get(claim.size) == claim.root]
    first = dict[int, Claim]()
    for claim in claims:
        other = first.setdefault(claim.size, claim)
        if claim.root != other.root:
            yield f"split view: {other.who} and {claim.who} have two histories of {claim.size} entries"
        if claim.size > size:
            yield (
                f"the end was cut off, or an old copy was put back: {claim.who} is of {claim.size} entries, "
                f"and there are {size}"
            )
        elif roots.get(claim.size, claim.root) != claim.root:
            after = max((size for size in right if size < claim.size), default=0)
            yield (
                f"history was changed between entry {after + 1} and entry {claim.size}: {claim.who} says "
                f"that the root was {_b64(claim.root)}, and it is {_b64(roots[claim.size])}"
            )


def _on_all_cores(
    path: str, size: int, skipped: int, tasks: list[tuple[str, int, int, frozenset[int]]], jobs: int
) -> tuple[list[Chunk], list[str]]:
    """Verify chunks, and have SQLite look for damage, in processes of their own where there is much to do."""
    jobs = min(len(tasks), jobs or len(os.sched_getaffinity(0)))
    if jobs < 2:
        return [_chunk(*task) for task in tasks], _damage(path, size, skipped)
    with get_context("fork").Pool(jobs) as pool:
        damage = pool.apply_async(_damage, (path, size, skipped))
        return pool.starmap(_chunk, tasks, chunksize=1), damage.get()


def _damage(path: str, size: int, skipped: int) -> list[str]:
    with _opened(path, size) as source:
        return source.damage(skipped) if source else []


def _chunk(path: str, number: int, size: int, wanted: frozenset[int]) -> Chunk:
    """Verify the entries of a chunk, and the part of the tree that is over them alone."""
    found, start, end = Chunk(), number << SPAN, min(number + 1 << SPAN, size)
    with _opened(path, size) as source:
        assert source
        heads, kept = source.heads(start, end), source.nodes(8, start >> 8, end >> 8)
        stops = sorted({*heads, end, *(each for each in wanted if start < each <= end)}, reverse=True)
        leaves = chain.from_iterable(_leaves(source, start, end, found))
        for at in range(start, end, 256):
            levels = _levels(list(islice(leaves, 256)))
            while stops and stops[-1] <= at + len(levels[0]):
                size = stops.pop()
                found.roots.append((size, _fold([*found.stack, *_stack(levels, size - at)]), heads.get(size)))
            if len(levels[0]) < 256:
                found.stack += _stack(levels, len(levels[0]))
                break
            [hash_], index = levels[-1], at >> 8
            if kept.get(index) != hash_:
                found.problems.append(_other_hash(8, index))
            _push(found.stack, at - start >> 8, hash_)
        found.astray = not source.indexed(found.subjects, start, end)
    found.subjects.clear()
    return found


def _levels(leaves: list[bytes]) -> list[list[bytes]]:
    """Return the hashes of the complete subtrees of a tile, by their height."""
    found = [leaves]
    while len(below := found[-1]) > 1:
        pairs = zip(below[::2], below[1::2], strict=False)  # the last one may have no other
        found.append([sha256(b"\1" + left + right).digest() for left, right in pairs])
    return found


def _stack(levels: list[list[bytes]], size: int) -> list[bytes]:
    """Return the complete subtrees over the first entries of a tile, the largest first."""
    heights = reversed(range(size.bit_length()))
    return [levels[height][(size >> height) - 1] for height in heights if size >> height & 1]


def _leaves(source: _Store | _Tiles, start: int, end: int, found: Chunk) -> Iterator[Sequence[bytes]]:
    """Yield the hash of every entry, as it was entered; from where places are left out, one by one."""
    for at in range(start, end, 256):
        places, rows = range(at + 1, min(at + 256, end) + 1), source.small(at, min(at + 256, end))
        if [row[0] for row in rows] != list(places):
            yield from _closely(source.rows(at, end), at, end, found)
            return
        yield _sound(rows, found) or list(chain.from_iterable(_closely(rows, at, places[-1], found)))


def _sound(rows: list[Sequence[Any]], found: Chunk) -> Sequence[bytes]:
    """Return the hashes of entries; nothing, unless all is well with each of them."""
    places, bodies, leaves, kinds, subjects, uids = zip(*rows, strict=True)
    if not (entries := _plain(bodies)) or [sha256(b"\0" + body).digest() for body in bodies] != list(leaves):
        return ()
    apart = []
    if not kinds == subjects == uids == (None,) * len(rows):  # tiles have nothing beside the entries
        for entry, place, kind, subject, uid in zip(entries, places, kinds, subjects, uids, strict=True):
            own = f"{entry.source}\n{entry.id}" if entry.id else None
            if entry.kind != kind or entry.subject != subject or own != uid:
                return ()
            if len(entry.detail) == 2 and entry.detail.keys() == APART:
                apart.append((place, entry.detail["sha256"], entry.detail["bytes"]))
        for place, subject in zip(places, subjects, strict=True):
            found.subjects[subject].append(place)
    found.apart += apart
    return leaves


def _closely(rows: Iterable[Sequence[Any]], start: int, end: int, found: Chunk) -> Iterator[list[bytes]]:
    """Yield the hash of every entry, as it was entered; say where its bytes have another one now."""
    expected = start + 1
    for seq, body, leaf, kind, subject, uid in rows:
        if seq < expected:
            raise ValueError(f"entry {seq} comes after entry {expected - 1}: its pages go in circles")
        if seq > expected:
            found.problems.append(_missing(expected, seq - 1))
            yield [EMPTY] * (seq - expected)
        expected = seq + 1
        if subject is not None:
            found.subjects[subject].append(seq)
        hash_ = sha256(b"\0" + body).digest() if type(body) is bytes else EMPTY
        if hash_ != leaf:
            found.problems.append(f"entry {seq}: its bytes do not have the hash they were entered with")
        if type(value := _read(body)) is not dict:
            found.problems.append(f"entry {seq}: it is not spelt as RFC 8785 spells it")
        elif kind is not None or subject is not None:
            if value.get("kind") != kind or value.get("subject") != subject or uid or "id" in value:
                _beside(seq, value, {"kind": kind, "subject": subject}, uid, found)
            detail = value.get("detail")
            if type(detail) is dict and detail.keys() == APART:
                found.apart.append((seq, detail["sha256"], detail["bytes"]))
        yield [leaf if type(leaf) is bytes and len(leaf) == 32 else hash_]
    if expected <= end:
        found.problems.append(_missing(expected, end))
        yield [EMPTY] * (end + 1 - expected)


def _beside(seq: int, value: dict[str, Any], beside: dict[str, Any], uid: str | None, found: Chunk) -> None:
    """Hold what is kept beside an entry to what the entry says."""
    own = f"{value.get('source', '')}\n{value['id']}" if value.get("id") else None
    if uid is None and own:
        found.again.append((seq, own))
        uid = own
    for name, kept, said in (*((name, beside[name], value.get(name)) for name in beside), ("uid", uid, own)):
        if kept != said:
            found.problems.append(f"entry {seq}: the {name} kept beside it is {kept!r}, and it says {said!r}")


def _push(stack: list[bytes], place: int, hash_: bytes) -> list[tuple[int, int, bytes]]:
    """Add a complete subtree to a stack; return the (height, index, hash) of all that this completes."""
    completed = [(0, place, hash_)]
    while place & 1:
        hash_ = sha256(b"\1" + stack.pop() + hash_).digest()
        place >>= 1
        completed.append((len(completed), place, hash_))
    stack.append(hash_)
    return completed


def _fold(stack: list[bytes]) -> bytes:
    """Return the root over complete subtrees, the largest first."""
    found = stack[-1] if stack else EMPTY
    for hash_ in reversed(stack[:-1]):
        found = sha256(b"\1" + hash_ + found).digest()
    return found


def _missing(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"


def _other_hash(level: int, index: int) -> str:
    return f"entries {(index << level) + 1} to {index + 1 << level}: the hash kept of all of them is not theirs"


def _refuse(text: object) -> Any:
    raise ValueError(text)


def _fraction(text: str) -> float:
    """Read a number that everybody spells as the RFC does: with a fraction, and no exponent."""
    value = float(text)
    return value if 1e-3 <= abs(value) < 1e15 and not value.is_integer() else _refuse(text)


_decode: Callable[[bytes], Any]
_encode: Callable[[Any], bytes]
_decode_all: Callable[[bytes], Sequence[Any]] = _refuse
_encode_all: Callable[[Sequence[Any]], bytes] = _refuse
_errors: tuple[type[Exception], ...] = (ValueError, TypeError, AttributeError, RecursionError)
try:  # reads and writes JSON faster; nothing else is asked of it
    import msgspec

    _decode = msgspec.json.Decoder(float_hook=_fraction).decode
    _encode = msgspec.json.Encoder(order="sorted").encode
    _errors += (msgspec.MsgspecError,)

    class _Entry(msgspec.Struct, gc=False, kw_only=True, omit_defaults=True):
        """What nearly all entries have; in the order in which they are spelt."""

        actor: str
        at: int
        authenticated: str = ""
        detail: dict[str, Any]
        id: str = ""
        kind: str
        reason: str
        received: int | None = None
        source: str = ""
        subject: str

    _decode_all = msgspec.json.Decoder(_Entry, float_hook=_fraction).decode_lines
    _encode_all = msgspec.json.Encoder(order="deterministic").encode_lines  # sorted but for fields
except ImportError:
    _decoder = json.JSONDecoder(parse_float=_fraction, parse_constant=_refuse)
    _encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    _decode = lambda body: _decoder.decode(body.decode())  # noqa: E731
    _encode = lambda value: _encoder.encode(value).encode()  # noqa: E731


def _plain(bodies: Sequence[Any]) -> Sequence[Any]:
    """Read entries all at once; nothing, unless each has what most have and is spelt by RFC 8785."""
    try:
        lines = b"\n".join((*bodies, b""))
        entries = _decode_all(lines) if len(lines) <= AT_ONCE else ()
        # what is written has one end of line for each, so that no body has one: each is spelt as it was read
        if len(entries) == len(bodies) and lines.isascii() and _encode_all(entries) == lines:
            return entries
    except _errors:
        pass
    return ()


def _read(body: Any) -> Any:
    """Read an entry; None for what is not spelt by RFC 8785."""
    try:
        value = _decode(body)  # ASCII and plain numbers: these are spelt by the RFC as by everybody
        if body.isascii() and _encode(value) == body:
            return value
    except _errors:
        pass
    try:
        value = json.loads(body.decode(), parse_constant=_refuse)
        return value if spelt(value).encode() == body else None
    except (ValueError, AttributeError, RecursionError):
        return None


def spelt(value: Any) -> str:
    """Spell a JSON value by RFC 8785."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{spelt(key)}:{spelt(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spelt, value)) + "]"
    return _number(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """Spell a number as ECMAScript does (Number::toString)."""
    sign, figures, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, figures))
    point = len(digits) + int(exponent)  # where the point is, counted from the first digit
    if value == 0:
        return "0"
    if -6 < point <= 21:
        whole = digits[:point].ljust(point, "0") if point > 0 else "0"
        part = digits[point:] if point > 0 else "0" * -point + digits
        text = f"{whole}.{part}" if part else whole
    else:
        text = f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{point - 1:+d}"
    return "-" + text if sign else text


# Checkpoints, signatures, proofs


def claimed(who: str, data: bytes) -> Claim:
    """Read a checkpoint.

    Raises:
        Unreadable: it is none.
    """
    try:
        _, size, root, *_ = _note(data)[0].split("\n")
        claim = Claim(who, int(size), _unbase64(root), data)
        if str(claim.size) != size or len(claim.root) != 32:
            _refuse(size)
    except ValueError as error:
        raise Unreadable(f"{who} is no checkpoint") from error
    return claim


def _note(data: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """Cut a note into its text and the (name, id and value) of its signatures."""
    text, _, lines = data.decode().rpartition("\n\n")
    signatures = [(line.removeprefix("— ").rpartition(" ")) for line in lines.removesuffix("\n").split("\n")]
    found = [(name, _unbase64(value)) for name, _, value in signatures]
    if f"{text}\n\n" + "".join(f"— {name} {_b64(value)}\n" for name, value in found) != data.decode():
        _refuse("no note")
    return f"{text}\n", found


def _unsigned(claim: Claim, trusted: dict[tuple[str, bytes], bytes]) -> list[str]:
    """Say what is wrong with a checkpoint: a signature by a given key does not fit, or there is none."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    text, signatures = _note(claim.note)
    found = [(trusted[name, raw[:4]], name, raw[4:]) for name, raw in signatures if (name, raw[:4]) in trusted]
    for (algorithm, *key), name, value in found:
        signed, at = text, 0
        if algorithm == WITNESS:
            signed, at = f"cosignature/v1\ntime {int.from_bytes(value[:8], 'big')}\n{text}", 8
        try:
            Ed25519PublicKey.from_public_bytes(bytes(key)).verify(value[at:], signed.encode())
        except InvalidSignature:
            return [f"{claim.who} was changed: the signature of {name} does not fit"]
    names = ", ".join(name for name, _ in signatures)
    return (
        [] if found or not claim.ours else [f"{claim.who} is signed by {names}, and by no key that was given"]
    )


def _key(text: str) -> tuple[tuple[str, bytes], bytes]:
    """Read the key of a log or a witness: (name, id) and algorithm and key."""
    try:
        name, id_, spelling = text.strip().split("+", 2)
        key = _unbase64(spelling)
        if (
            sha256(name.encode() + b"\n" + key).hexdigest()[:8] != id_
            or len(key) != 33
            or key[0] not in (LOG, WITNESS)
        ):
            _refuse(id_)
    except ValueError as error:
        raise Unreadable(f"{text[:80]!r} is no key of a log or a witness: name+id+base64") from error
    return (name, bytes.fromhex(id_)), key


def _proven(path: str, trusted: dict[tuple[str, bytes], bytes], file: str) -> Report:
    """Verify a proof."""
    if not trusted:
        raise Unreadable(f"{path} proves nothing to somebody who has no key of the log")
    who = f"the checkpoint in {path}"
    try:
        head, _, note = _content(Path(path)).partition(b"\n\n")
        _, *lines = head.decode().split("\n")
        inside = _unbase64(lines.pop(0)[6:]) if lines[0].startswith("extra ") else None
        index, *hashes = int(lines[0].removeprefix("index ")), *map(_unbase64, lines[1:])
        if lines[0] != f"index {index}" or {len(hash_) for hash_ in hashes} - {32}:
            _refuse(lines[0])
        body = _content(Path(file)) if file else inside
        claim = claimed(who, note)
    except (ValueError, IndexError, OSError) as error:
        raise Unreadable(f"{path} is no proof that can be read: {error}") from error
    if body is None:
        raise Unreadable(f"the entry is not in {path}: it has to be given")
    report = Report(
        path, "proof", claim.size, claim.root, [f"it is entry {index + 1}, and signed by a key that was given"]
    )
    report.tell(_unsigned(claim, trusted))
    if inside not in (None, body):
        report.tell(["the entry that is in the proof is not the one that was given"])
    if _rooted(sha256(b"\0" + body).digest(), index, claim.size, hashes) != claim.root:
        report.tell([f"the entry is not entry {index + 1} of the {claim.size} that were signed for"])
    return report


def _rooted(hash_: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return the root that a path of the right length leads to from a leaf (RFC 9162 §2.1.3.2)."""
    last = size - 1
    for other in path:
        if index & 1 or index == last:
            hash_ = sha256(b"\1" + other + hash_).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            hash_ = sha256(b"\1" + hash_ + other).digest()
        index, last = index >> 1, last >> 1
    return hash_ if index == last == 0 else b""


def _unbase64(text: str) -> bytes:
    """Read base64 in its one spelling."""
    found = b64decode(text, validate=True)
    return found if _b64(found) == text else _refuse(text)


def _b64(data: Any) -> str:
    return b64encode(data).decode() if type(data) is bytes else repr(data)


def main() -> int:
    """Verify what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m davy.verifier", description="Verify a ledger offline.")
    parser.add_argument("path", help="a store (davy.db), a directory of tiles, or a proof")
    parser.add_argument(
        "--key", action="append", default=[], help="a key that has to have signed: name+id+base64"
    )
    parser.add_argument(
        "--checkpoint", action="append", default=[], help="a checkpoint that somebody else has kept"
    )
    parser.add_argument("--since", default="", help="a checkpoint; what it vouches for is not read again")
    parser.add_argument("--entry", default="", help="the entry that a proof is about, where it is not in it")
    given = parser.parse_args()
    try:
        report = verify(
            given.path, keys=given.key, checkpoints=given.checkpoint, since=given.since, entry=given.entry
        )
    except Unreadable as error:
        print(f"error[unreadable]: {_visible(str(error))}", file=sys.stderr)  # noqa: T201
        return 2
    print("\n".join(report.lines()))  # noqa: T201
    return 7 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
