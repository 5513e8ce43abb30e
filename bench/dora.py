"""Delivery metrics of a million and of ten million change events, and of a stream as it comes."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from time import perf_counter, process_time

import msgspec

from bench.changes import SECOND, stream
from bench.figure import Figure, percentile
from davy.reports import columns, recompute
from davy.reports.cells import WEEK, digest, week_of
from davy.reports.cloudevents import encode
from davy.reports.event import ChangeEvent
from davy.reports.incremental import Incremental
from davy.reports.intake import distinct
from davy.reports.rules import facts
from davy.reports.weekly import DAY, cells

MILLION = 1_000_000
BATCH = 5000
QUESTIONS = 500
BUDGETS = {MILLION: 1.0, 10 * MILLION: 10.0}
"""Seconds from the columns on the disk to all the cells."""

MEMORY_MB = 1024.0


def measure() -> list[Figure]:
    """Take the figures; what they rest on is made first, which takes minutes."""
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="davy-bench-") as name:
        for size in BUDGETS:
            found += _recomputed(Path(name) / str(size), size)
        events = stream(MILLION)
        found += _read(Path(name) / "events.jsonl", events)
        wanted = json.loads(_child(Path(name) / str(MILLION)))["digest"]
    found += _kept(events, wanted)
    return found


def _recomputed(directory: Path, size: int) -> list[Figure]:
    """Compute everything in another process, so that its memory is its own."""
    _write(directory, size)
    runs = [json.loads(_child(directory)) for _ in range(3 if size == MILLION else 1)]
    taken, memory = min(run["seconds"] for run in runs), max(run["mb"] for run in runs)
    millions = f"{size // MILLION} M events to all cells"
    return [
        Figure(f"{millions}, wall", taken, "s", len(runs), BUDGETS[size]),
        Figure("the most memory that takes", memory, "MB", len(runs), MEMORY_MB),
        Figure("the columns on the disk", runs[0]["disk_mb"], "MB", 1),
    ]


def _write(directory: Path, size: int) -> None:
    """Write columns of so many events: a million, and others of the same services like them."""
    connection = columns.connect()
    columns.load(connection, distinct(stream(MILLION))[0])
    if size > MILLION:
        for statement in _MORE.format(times=size // MILLION).split(";"):
            connection.execute(statement)
    columns.save(connection, directory)
    connection.close()


_MORE = """
CREATE TEMP TABLE copies AS SELECT range AS copy FROM range({times});
CREATE OR REPLACE TEMP TABLE changes AS
    SELECT id * {times} + copy AS id, repo, commit || copy AS commit FROM changes, copies;
CREATE OR REPLACE TEMP TABLE rollouts AS
    SELECT id * {times} + copy AS id, name || '-' || copy AS name FROM rollouts, copies;
CREATE OR REPLACE TEMP TABLE coded AS
    SELECT coded.* REPLACE (
        change * {times} + copy AS change, rollout * {times} + copy AS rollout,
        remediates * {times} + copy AS remediates, incident || '-' || copy AS incident,
        time + copy * 2500000000 AS time, received + copy * 2500000000 AS received,
        committed + copy * 2500000000 AS committed)
    FROM coded, copies
"""
"""Every event again, some forty minutes later each time, as one of another change and rollout, or incident."""


def _child(directory: Path) -> str:
    command = [sys.executable, "-m", "bench.dora", str(directory)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _read(file: Path, events: list[ChangeEvent]) -> list[Figure]:
    """Have the command read a file of events."""
    with file.open("wb") as out:
        for event in events:
            out.write(encode(event) + b"\n")
    began = perf_counter()
    subprocess.run(
        [sys.executable, "-m", "davy", "dora", "--events", str(file)], check=True, capture_output=True
    )
    return [Figure("`davy dora --events` of a million lines, wall", perf_counter() - began, "s", 1)]


def _kept(events: list[ChangeEvent], wanted: str) -> list[Figure]:
    """Keep facts up to date, and ask as dashboards do."""
    kept = Incremental()
    began = process_time()
    for begin in range(0, len(events), BATCH):
        kept.apply(events[begin : begin + BATCH])
    applied = (process_time() - began) / len(events) * 1e6
    began = process_time()
    mine = digest(kept.cells())
    counted = (process_time() - began) / len(events) * 1e6
    few = events[: MILLION // 20]
    theirs = digest(recompute.cells(few))
    differ = (mine != wanted) + (digest(cells(facts(few))) != theirs)
    late, asked = _asked(kept, events)
    return [
        Figure("one event applied to facts that are kept, processor time", applied, "µs", len(events), 5.0),
        Figure("the same until every day is counted, at first", counted, "µs", len(events)),
        Figure("one week of a service after one event, median", percentile(late, 50), "ms", len(late)),
        Figure("the same, p99", percentile(late, 99), "ms", len(late)),
        Figure(
            "a dashboard's question: a service, 7, 30 or 90 days, p99",
            percentile(asked, 99),
            "ms",
            len(asked),
            50.0,
        ),
        Figure("digests that are not DuckDB's: kept, and literal", float(differ), "", 2, 0.0),
    ]


def _asked(kept: Incremental, events: list[ChangeEvent]) -> tuple[list[float], list[float]]:
    """Let an event of a service arrive, then ask for its week, and for its windows; in milliseconds."""
    random, late, asked = Random(1), [], []
    exposed = [event for event in random.sample(events, 20 * QUESTIONS) if event.type == "exposed"]
    for number, event in enumerate(exposed[:QUESTIONS]):
        kept.apply([msgspec.structs.replace(event, id=f"again {number}", time=event.time - SECOND)])
        began = perf_counter()
        kept.count(event.service, week_of(event.time), week_of(event.time) + WEEK)
        late.append((perf_counter() - began) * 1000)
        until = (event.time // DAY + 1) * DAY
        for days in (7, 30, 90):
            began = perf_counter()
            kept.count(event.service, until - days * DAY, until)
            asked.append((perf_counter() - began) * 1000)
    return late, asked


def _most_mb() -> float:
    """Return the most memory that this program had; what `getrusage` says begins with that of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _main(directory: Path) -> None:
    """Compute the cells of columns, and say how long it took and how much memory there was at most."""
    began = perf_counter()
    found = recompute.cells(directory)
    seconds = perf_counter() - began
    mb = _most_mb()
    disk = sum(file.stat().st_size for file in directory.iterdir()) / 1e6
    print(json.dumps({"seconds": seconds, "mb": mb, "disk_mb": disk, "digest": digest(found)}))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
