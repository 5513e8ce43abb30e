"""Several writers on one ledger, some of which are killed, stopped or cut off: what they were told is true."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import given, settings
from tests.adapters.test_logs import BATCHES
from tests.live.postgres import Server, running
from tests.live.postgres_proxy import Cut, network

from davy.adapters.memory_store import MemoryStore
from davy.adapters.postgres import PostgresStore
from davy.adapters.postgres_placing import Group, Item
from davy.adapters.postgres_schema import FENCED, LOCK
from davy.adapters.postgres_turn import Turn
from davy.adapters.sqlite import SqliteStore
from davy.ledger import tree
from davy.ledger.entry import Draft, decode, encode
from davy.ledger.log import Head
from davy.testing.log import event
from davy.testing.patience import until
from davy.testing.store import draft

pytestmark = pytest.mark.live

WRITER = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from davy.adapters.postgres import PostgresStore
from davy.ledger.store import StoreUnavailable
from davy.testing.log import event
from davy.testing.store import draft

url, name, threads, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = PostgresStore(url, patience_s=30.0)


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())


def bring(thread):
    for number in range(thread, count, threads):
        drafts = [event(number, by="all"), draft(writer=name, number=number)]
        try:
            receipts = store.append(drafts)
        except StoreUnavailable as error:
            say("lost", number, error.message)
        else:
            say("acknowledged", number, *(receipt.seq for receipt in receipts))


with ThreadPoolExecutor(threads) as pool:
    list(pool.map(bring, range(threads)))
store.close()
"""
"""Brings events that all writers bring, and beside each of them one of its own."""

STALLED = """
import os, signal, sys
from davy.adapters.postgres import PostgresStore
from davy.adapters.postgres_turn import Turn
from davy.testing.store import draft

store = PostgresStore(sys.argv[1], stall_s=0.5)
write = Turn.write


def stop_first(self, *arguments):
    Turn.write = write
    print("holding", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    write(self, *arguments)


Turn.write = stop_first
if sys.argv[2] == "append":
    [receipt] = store.append([draft(writer="stalled")])
    print(receipt.seq, flush=True)
else:
    [entry] = store.commit({("rollout", "a"): b"late"}, [draft(writer="stalled")])
    print(entry.seq, flush=True)
"""
"""Is stopped by the kernel when it has the seat and has worked out what to write."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    return server.database()


class Writer:
    """A process that appends; what it was told is in `lines`."""

    def __init__(self, url: str, name: str, threads: int, count: int, kill_after: int = -1) -> None:
        command = [sys.executable, "-c", WRITER, url, name, str(threads), str(count)]
        self.name, self.lines, self._kill_after = name, list[list[str]](), kill_after
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.split())
            if len(self.lines) == self._kill_after:
                self.process.kill()

    def end(self) -> int:
        """Wait until it has ended."""
        self._listener.join(120)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(120)

    @property
    def acknowledged(self) -> dict[int, tuple[int, int]]:
        """The places of what was acknowledged, by number."""
        return {int(line[1]): (int(line[2]), int(line[3])) for line in self.lines if line[0] == "acknowledged"}


@contextmanager
def ending(process: subprocess.Popen[str]) -> Iterator[None]:
    """Kill a process at the end, be it a stopped one."""
    try:
        yield
    finally:
        process.kill()


def hold_to_account(url: str, writers: list[Writer]) -> list[bytes]:
    """Compare what is on record with what was acknowledged; return the bytes of it."""
    store = PostgresStore(url)
    store.append([draft(last=True)])  # sequences what those who died left in the inbox
    spelt = store.bodies(0, 1_000_000)
    assert store.head() == Head(len(spelt), tree.root(spelt))
    times = Counter(spelt)
    assert max(times.values()) == 1, "written twice"
    for writer in writers:
        for number, (shared, own) in writer.acknowledged.items():
            assert spelt[shared - 1] == encode(event(number, by="all"))
            assert spelt[own - 1] == encode(draft(writer=writer.name, number=number))
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM davy.inbox WHERE receipts IS NULL").fetchone() == (0,)
    store.close()
    return spelt


def test_processes_that_append_at_once_each_have_their_places(url: str) -> None:
    writers = [Writer(url, f"w{number}", threads=4, count=120) for number in range(4)]
    assert [writer.end() for writer in writers] == [0] * 4
    spelt = hold_to_account(url, writers)
    assert [len(writer.acknowledged) for writer in writers] == [120] * 4
    assert len(spelt) == 120 + 4 * 120 + 1
    with psycopg.connect(url) as connection:
        [(epoch, heads)] = connection.execute(
            "SELECT (SELECT epoch FROM davy.sequencer), (SELECT count(*) FROM davy.heads)"
        ).fetchall()
    assert epoch > 1, "more than one of them has sequenced"
    assert heads < len(spelt), "some went together"


def test_writers_that_are_killed_lose_nothing_that_was_acknowledged(url: str) -> None:
    writers = list[Writer]()
    for after in (3, 17, 40):
        some = [Writer(url, f"w{after}-{n}", threads=3, count=100_000, kill_after=after + n) for n in range(3)]
        assert [writer.end() for writer in some] == [-signal.SIGKILL] * 3
        writers += some
    hold_to_account(url, writers)
    assert sum(len(writer.acknowledged) for writer in writers) >= 3 * (3 + 17 + 40)


def test_a_server_that_crashes_loses_nothing_that_was_acknowledged() -> None:
    with running() as server:
        url = server.database()
        writers = [Writer(url, f"w{number}", threads=3, count=250) for number in range(3)]
        until(lambda: all(writer.lines for writer in writers), seconds=60)  # each has opened the store
        for crash in range(1, 4):
            until(lambda enough=crash * 120: sum(len(w.lines) for w in writers) >= enough, seconds=60)  # type: ignore[misc]
            server.stop("immediate")
            server.start()
        assert [writer.end() for writer in writers] == [0] * 3
        hold_to_account(url, writers)
        assert all(line[0] == "acknowledged" for writer in writers for line in writer.lines)


@pytest.mark.parametrize("how", ["append", "commit"])
def test_a_sequencer_that_is_stopped_is_replaced_and_writes_nothing_when_it_wakes_up(
    url: str, how: str
) -> None:
    store = PostgresStore(url)
    store.append([draft(writer="first")])
    with subprocess.Popen(
        [sys.executable, "-c", STALLED, url, how], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "holding\n"
        until(lambda: " T " in Path(f"/proc/{other.pid}/stat").read_text())
        [receipt] = store.append([draft(writer="second")])
        [entry] = store.commit({("rollout", "a"): b"in time"}, [draft(writer="third")])
        assert (receipt.seq, entry.seq) == (2, 3)
        os.kill(other.pid, signal.SIGCONT)
        assert other.stdout.readline() == "4\n", "it begins anew on the tree as it is by then"
    spelt = store.bodies(0, 10)
    assert [decode(body, 1).detail["writer"] for body in spelt] == ["first", "second", "third", "stalled"]
    assert store.head() == Head(4, tree.root(spelt))
    store.close()


def test_a_batch_for_a_tree_that_has_grown_meanwhile_is_fenced_off(url: str) -> None:
    store = PostgresStore(url)
    store.append([draft(number=1)])
    with psycopg.connect(url, autocommit=True) as late, psycopg.connect(url, autocommit=True) as other:
        turn = Turn(late, "00000000-0000-0000-0000-000000000001")
        assert turn.take(wait=False)
        placed = turn.place(Group("00000000-0000-0000-0000-000000000002", [Item.of(draft(number=2), {})]))
        other.execute(
            "UPDATE davy.sequencer SET epoch = epoch + 1"
        )  # somebody for whom the lock is no obstacle
        with pytest.raises(psycopg.Error) as caught:
            turn.write(placed, "00000000-0000-0000-0000-000000000002")
        assert caught.value.sqlstate == FENCED
    assert store.head().size == len(store.bodies(0, 10)) == 1
    store.close()


@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize("way", ["append", "commit", "inbox"])
def test_what_was_cut_off_while_it_committed_is_written_once(server: Server, way: str, cut: Cut) -> None:
    name = server.database().rpartition("/")[2]
    with network(server.port) as between, psycopg.connect(server.url(name), autocommit=True) as other:
        store = PostgresStore(f"postgresql://postgres@127.0.0.1:{between.port}/{name}")
        if way == "inbox":
            other.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        between.cut = cut
        if way == "commit":
            [entry] = store.commit({("rollout", "a"): b"1"}, [draft()])
            assert entry.seq == 1
        else:
            receipts = list[Any]()
            bring = threading.Thread(target=lambda: receipts.extend(store.append([draft(), draft()])))
            bring.start()
            if way == "inbox":
                waiting = "SELECT count(*) FROM davy.inbox WHERE receipts IS NULL"
                until(lambda: between.cuts and other.execute(waiting).fetchone() == (1,))
                other.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
            bring.join(30)
            assert [each.seq for each in receipts] == [1, 2]
        assert between.cuts == 1
        spelt = store.bodies(0, 10)
        assert len(spelt) == (1 if way == "commit" else 2)
        assert store.head() == Head(len(spelt), tree.root(spelt))
        store.close()


@settings(max_examples=15, deadline=None)
@given(batches=BATCHES)
def test_all_three_stores_have_the_same_bytes_and_roots(
    server: Server, tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[bool, list[Draft]]]
) -> None:
    memory = MemoryStore()
    disk, database = SqliteStore(tmp_path_factory.mktemp("s") / "davy.db"), PostgresStore(server.database())
    for committed, drafts in batches:
        if committed:
            assert database.commit({}, drafts) == disk.commit({}, drafts) == memory.commit({}, drafts)
        else:
            assert database.append(drafts) == disk.append(drafts) == memory.append(drafts)
        assert database.bodies(0, 1000) == disk.bodies(0, 1000) == memory.bodies(0, 1000)
        assert database.head() == disk.head() == memory.head()
    disk.close()
    database.close()


def test_one_large_batch_has_the_root_of_many_small_ones(url: str) -> None:
    drafts = [msgspec.structs.replace(event(number), id="") for number in range(3000)]
    store, memory = PostgresStore(url), MemoryStore()
    assert store.append(drafts) == memory.append(drafts)
    assert store.head() == memory.head()
    assert store.bodies(0, 3000) == memory.bodies(0, 3000)
    store.close()
