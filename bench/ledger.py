"""What the ledger in SQLite costs, beside what its disk does in the same run; and what crashes cost."""

import asyncio
import gc
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from time import perf_counter

from tests.live.crashes import Tally, apart
from tests.live.strace import need_strace

from bench.figure import Figure, median, percentile
from davy.adapters.sqlite import SqliteStore
from davy.ledger.entry import Draft
from davy.ledger.tree import inclusion
from davy.serve.appending import Appending
from davy.verifier import verify

SYNCS, SINGLES = 1000, 2000
PRODUCERS, SECONDS = 64, 4.0
LARGE, AT_ONCE = 1_000_000, 1000
KILLS = 1000

SINGLE_SYNCS = 2.0
"""What a single durable append may take, in times that the disk takes for one fsync."""

EVENT_US = 1e6 / 30_000
BULK_US = 1e6 / 100_000
VERIFY_US = 1e6 / 350_000
ACK_MS = 10.0


def measure() -> list[Figure]:
    """Append one by one, from many threads and in bulk; kill writers, and let the disk fail."""
    with tempfile.TemporaryDirectory(prefix="davy-ledger-") as name:
        directory = Path(name)
        syncs = [sync_s(directory)]
        figures = [*single(directory, syncs), *producers(directory, syncs), *bulk(directory)]
        syncs.append(sync_s(directory))
        rate = Figure("the disk: 4 KiB and fsync, again and again", 1 / median(syncs), "1/s", 2 * SYNCS)
        return [rate, *figures, *crashes(directory)]


def merged(number: int) -> Draft:
    """Make an event as a webhook does: some 390 bytes. Its id grows with time, as UUIDs of version 7 do."""
    return Draft(
        at=1.7e9 + number,
        kind="change_merged",
        subject=f"Service svc-{number % 200}",
        detail={
            "change": {"repo": "github.com/acme/payments", "commit": f"{number:040x}"},
            "service": f"svc-{number % 200}",
            "environment": "prod",
            "kind": "code",
        },
        actor="ada",
        source="github.com/acme/payments",
        id=f"{number:012x}-4bf9-2f35-77b3",
        authenticated="hmac-sha256 (github)",
        received=1.7e9 + number,
    )


def sync_s(directory: Path) -> float:
    """Return how long the disk takes to make 4 KiB durable."""
    page, took = os.urandom(4096), []
    with (directory / "syncs").open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(page)
            began = perf_counter()
            os.fsync(file.fileno())
            took.append(perf_counter() - began)
    return sum(took) / len(took)


def single(directory: Path, syncs: list[float]) -> list[Figure]:
    """Append one event after the other, each durable before the next."""
    with opened(directory) as store:
        began = perf_counter()
        for number in range(SINGLES):
            store.append([merged(number)])
        took_s = (perf_counter() - began) / SINGLES
    syncs.append(sync_s(directory))
    return [
        Figure("single durable appends", 1 / took_s, "1/s", SINGLES),
        Figure("a single one, in fsyncs of the disk", took_s / median(syncs), "fsyncs", SINGLES, SINGLE_SYNCS),
    ]


def producers(directory: Path, syncs: list[float]) -> list[Figure]:
    """Append from many producers, each waiting for its own to be durable before its next.

    They are tasks of an event loop, as those are that a server serves; then threads, and threads on one core.
    """
    figures: list[Figure] = []
    for what, of_each in (("tasks", by_tasks), ("threads", by_threads)):
        acks, took_s = of_each(directory)
        each, name = took_s / len(acks), f"{PRODUCERS} producers ({what})"
        budget = EVENT_US if what == "tasks" else None
        figures += [
            Figure(f"{name}: durable events", 1 / each, "1/s", len(acks)),
            Figure(f"{name}: for an event", each * 1e6, "µs", len(acks), budget),
            Figure(f"{name}: until it is acknowledged, p50", median(acks), "ms", len(acks)),
            Figure(f"{name}: the same, p99", percentile(acks, 99), "ms", len(acks), ACK_MS),
        ]
        syncs.append(sync_s(directory))
    with one_core():
        acks, took_s = by_threads(directory)
    each = took_s / len(acks)
    return [
        *figures,
        Figure(f"{PRODUCERS} producers (threads) on one core: for an event", each * 1e6, "µs", len(acks)),
    ]


def by_tasks(directory: Path) -> tuple[list[float], float]:
    """Return how long each event took until it was acknowledged, in milliseconds, and all of it, in seconds."""
    acks: list[list[float]] = [[] for _ in range(PRODUCERS)]
    numbers = count()
    with opened(directory) as store, closing(Appending(store.append_each)) as appending, frozen():
        began = perf_counter()

        async def produce(took: list[float]) -> None:
            while (started := perf_counter()) < began + SECONDS:
                await appending.append([merged(next(numbers))])
                took.append(perf_counter() - started)

        async def all_of_them() -> None:
            await asyncio.gather(*map(produce, acks))

        asyncio.run(all_of_them())
        took_s = perf_counter() - began
    return [ack * 1000 for took in acks for ack in took], took_s


def by_threads(directory: Path) -> tuple[list[float], float]:
    """Return the same of threads, each of which waits for its own."""
    acks: list[list[float]] = [[] for _ in range(PRODUCERS)]
    numbers = count()
    with opened(directory) as store, frozen():
        began = perf_counter()

        def produce(took: list[float]) -> None:
            while (started := perf_counter()) < began + SECONDS:
                store.append([merged(next(numbers))])
                took.append(perf_counter() - started)

        threads = [threading.Thread(target=produce, args=(took,)) for took in acks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s = perf_counter() - began
    return [ack * 1000 for took in acks for ack in took], took_s


def bulk(directory: Path) -> list[Figure]:
    """Append a million events, a thousand at once; open them again, prove some, verify all."""
    path = directory / "bulk.db"
    with closing(SqliteStore(path)) as store, frozen():
        took_s = 0.0
        for start in range(0, LARGE, AT_ONCE):
            drafts = [merged(number) for number in range(start, start + AT_ONCE)]
            began = perf_counter()
            store.append(drafts)
            took_s += perf_counter() - began
    began = perf_counter()
    with closing(SqliteStore(path)) as store:
        opened_ms = (perf_counter() - began) * 1000
        proved = [proof_ms(store, number * LARGE // 500) for number in range(500)]
    began = perf_counter()
    report = verify(str(path))
    verified_s = perf_counter() - began
    assert (report.size, report.problems) == (LARGE, [])
    size = path.stat().st_size
    path.unlink()
    return [
        Figure(f"a million events, {AT_ONCE} at once", LARGE / took_s, "1/s", LARGE),
        Figure("the same: for an event", took_s / LARGE * 1e6, "µs", LARGE, BULK_US),
        Figure("the same: on the disk", size / LARGE, "bytes", LARGE),
        Figure("verifying all of it: entries", LARGE / verified_s, "1/s", LARGE),
        Figure("the same: for an entry", verified_s / LARGE * 1e6, "µs", LARGE, VERIFY_US),
        Figure("opening a million, and the root held to the last one", opened_ms, "ms", 1),
        Figure("a proof that an entry is one of a million, p99", percentile(proved, 99), "ms", len(proved)),
    ]


def proof_ms(store: SqliteStore, index: int) -> float:
    """Return how long it takes to prove one."""
    began = perf_counter()
    inclusion(index, LARGE, store.hashes)
    return (perf_counter() - began) * 1000


def crashes(directory: Path) -> list[Figure]:
    """Kill a thousand writers, and let each call to the disk fail in each way."""
    need_strace()
    figures: list[Figure] = []
    every = {"kills": (f"{KILLS} kill -9", KILLS), "faults": ("each call to the disk failing", 1)}
    for what, (said, number) in every.items():
        place = directory / what
        place.mkdir()
        tally: Tally = apart(what, place, number)
        assert tally.acknowledged > tally.runs
        figures += [
            Figure(f"{said}: acknowledged and lost", tally.lost, f"of {tally.acknowledged}", tally.struck, 0),
            Figure(f"{said}: ledgers that are not whole", tally.damaged, "", tally.struck, 0),
        ]
    return figures


@contextmanager
def opened(directory: Path) -> Iterator[SqliteStore]:
    """Open an empty ledger."""
    path = directory / "ledger.db"
    with closing(SqliteStore(path)) as store:
        yield store
    path.unlink()


@contextmanager
def one_core() -> Iterator[None]:
    """Have the threads that are started within run on one core, where waking each other takes least."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    yield
    os.sched_setaffinity(0, cores)


@contextmanager
def frozen() -> Iterator[None]:
    """Keep the collector from what was there before."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
