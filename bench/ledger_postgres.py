"""The ledger on PostgreSQL: durable events a second, alone and from many; beside SQLite in the same run."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from bench.figure import Figure, Skipped, percentile
from davy.adapters.postgres import PostgresStore
from davy.adapters.sqlite import SqliteStore
from davy.ledger.entry import Draft
from davy.ledger.log import Log

SINGLE = 500
PRODUCERS, OF_EACH = 64, 150
PROCESSES, CONNECTIONS = 4, 8
"""32 connections: a process for each would measure how two cores share 32 interpreters."""
BULK, AT_ONCE = 20_000, 2_000
SYNCS = 500

CONNECTION = """
import sys
from threading import Thread
from bench.ledger_postgres import event
from davy.adapters.postgres import PostgresStore

name, connections, count = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
stores = [PostgresStore(sys.argv[1]) for _ in range(connections)]


def bring(number, store):
    for each in range(count):
        store.append([event(f"{name}-{number}-{each}")])


print("ready", flush=True)
sys.stdin.readline()
threads = [Thread(target=bring, args=each) for each in enumerate(stores)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def event(id_: str) -> Draft:
    """Make an event of about 370 bytes."""
    detail = {"change": {"repo": "github.com/acme/payments", "commit": "a" * 40}, "service": "payments"}
    return Draft(
        1.7e9, "change_merged", "Service payments", detail, "ada", source="github.com", id=id_, received=1.7e9
    )


def measure() -> list[Figure]:
    """Write the same events to both."""
    from tests.live.postgres import binaries, running

    try:
        binaries()
    except BaseException as error:  # noqa: BLE001  pytest's way to say that it is skipped
        raise Skipped(str(error)) from None
    with TemporaryDirectory() as directory, running() as server:
        figures = [Figure("fsync of a 4 KiB append", _syncs(Path(directory) / "file"), "/s", SYNCS)]
        disk, database = SqliteStore(Path(directory) / "davy.db"), PostgresStore(server.database())
        for name, log in (("SQLite", disk), ("PostgreSQL", database)):
            figures += _figures(name, log)
        disk.close()
        database.close()
        count = 60
        seconds = _connections(server.database(), count)
        brought = PROCESSES * CONNECTIONS * count
        name = f"PostgreSQL, {PROCESSES * CONNECTIONS} connections of {PROCESSES} processes"
        figures.append(Figure(name, brought / seconds, "events/s", brought))
    return figures


def _figures(name: str, log: Log) -> list[Figure]:
    """Append one by one, from many threads, and in bulk."""
    alone = _took(lambda: [log.append([event(f"single-{number}")]) for number in range(SINGLE)])
    acks: list[float] = []

    def produce(producer: int) -> None:
        for number in range(OF_EACH):
            began = perf_counter()
            log.append([event(f"{producer}-{number}")])
            acks.append(1000 * (perf_counter() - began))

    with ThreadPoolExecutor(PRODUCERS) as pool:
        together = _took(lambda: list(pool.map(produce, range(PRODUCERS))))
    batches = [
        [event(f"bulk-{number}") for number in range(first, first + AT_ONCE)]
        for first in range(0, BULK, AT_ONCE)
    ]
    bulk = _took(lambda: [log.append(batch) for batch in batches])
    total = PRODUCERS * OF_EACH
    return [
        Figure(f"{name}, one after the other", SINGLE / alone, "events/s", SINGLE),
        Figure(f"{name}, {PRODUCERS} producers", total / together, "events/s", total),
        Figure(f"{name}, {PRODUCERS} producers, ack p99", percentile(acks, 99), "ms", total),
        Figure(f"{name}, {AT_ONCE} at once", BULK / bulk, "events/s", BULK),
    ]


def _connections(url: str, count: int) -> float:
    """Return how long several processes took to append, each over several connections."""
    PostgresStore(url).close()
    command = [sys.executable, "-c", CONNECTION, url]
    some = [
        subprocess.Popen(
            [*command, str(number), str(CONNECTIONS), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for each in some:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"

    def go() -> None:
        for each in some:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        for each in some:
            each.communicate()

    return _took(go)


def _syncs(path: Path) -> float:
    """Return how many appends of 4 KiB a second the disk makes durable."""
    with path.open("wb", buffering=0) as file:

        def sync() -> None:
            for _ in range(SYNCS):
                file.write(bytes(4096))
                os.fsync(file.fileno())

        return SYNCS / _took(sync)


def _took(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
