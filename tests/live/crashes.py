"""Writers of a ledger that are killed, and disks that fail under them: what was acknowledged has to be there.

    python -m tests.live.crashes kills DIRECTORY TIMES
    python -m tests.live.crashes faults DIRECTORY EVERY_NTH

A writer is forked off a process that has imported everything already, so that a thousand of them take seconds.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import msgspec
from tests.live.strace import injected

from davy.adapters import sqlite
from davy.adapters.sqlite import SqliteStore
from davy.control.flags import steps
from davy.control.flags.drafting import Why
from davy.control.flags.following import Step
from davy.control.flags.interlock import Interlock
from davy.control.flags.state import BUCKET, FlagState, Settings
from davy.control.flags.table import Table
from davy.errors import IntegrityError
from davy.ledger import tree
from davy.ledger.entry import Draft, decode, encode
from davy.ledger.log import Head
from davy.ledger.store import Record, StoreUnavailable
from davy.model.flag import FeatureFlag, FeatureFlagSpec
from davy.model.meta import ObjectMeta
from davy.testing.log import event
from davy.testing.store import draft

CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "openat", "unlink")
"""What SQLite asks of a disk when it writes."""

FAULTS = ("error=EIO", "error=ENOSPC", "signal=SIGKILL")

OFTEN = 100_000
"""Bytes in the write-ahead log at which a writer here moves them: there are faults in that, too."""

A_LEDGER = 40
"""Kills of the writers of one ledger, before another is begun."""

TOGGLES = 10_000_000_000
"""From this number on what is acknowledged is not an event but a toggle of a flag."""

FLAG = FeatureFlag(
    metadata=ObjectMeta(name="checkout.discount"),
    spec=FeatureFlagSpec(
        owner="checkout",
        jira="PAY-1",
        expiry="2099-01-01",
        variants={"on": True, "off": False},
        safe_value=False,
    ),
)
"""The flag that is toggled."""

Writer = Callable[[SqliteStore, int, Callable[[int, int], None]], None]
"""Writes events from a number on, and says which are acknowledged, and in which place."""


@dataclass
class Tally:
    """What came of it. `lost`: acknowledged, and not in its place. `damaged`: ledgers that are not whole."""

    runs: int = 0
    struck: int = 0
    acknowledged: int = 0
    lost: int = 0
    damaged: int = 0

    def check(self, path: Path, acknowledged: dict[int, int]) -> None:
        """Open a ledger after a writer of it has ended, and look at all of it."""
        try:
            with closing(SqliteStore(path)) as store:
                spelt = store.bodies(0, 1_000_000)
                whole = store.head() == Head(len(spelt), tree.root(spelt))
                kept, states = store.load("count").get("a", b"0"), store.load(BUCKET)
            counted = [decode(body, 1).detail["number"] for body in spelt if b'"kind":"paused"' in body]
            whole &= kept == str(counted[-1] if counted else 0).encode()
            whole &= max(Counter(spelt).values(), default=1) == 1
            toggled = [decode(body, 1) for body in spelt if b'"kind":"flag_changed"' in body]
            whole &= states.keys() == {str(FLAG.key)} if toggled else True
            for state in states.values():
                versions = [entry.detail["version"] for entry in toggled]
                whole &= versions == list(range(1, len(versions) + 1))
                whole &= msgspec.json.decode(state, type=FlagState).version == len(versions)
            with closing(sqlite3.connect(path)) as db:
                whole &= db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        except (IntegrityError, StoreUnavailable, sqlite3.Error) as error:
            sys.stderr.write(f"{path}: {error}\n")
            spelt, toggled, whole = [], [], False
        self.damaged += not whole
        kept_toggles = {entry.reason for entry in toggled}
        self.lost += sum(n >= TOGGLES and str(n) not in kept_toggles for n in acknowledged)
        events = {number: seq for number, seq in acknowledged.items() if number < TOGGLES}
        self.lost += sum(spelt[seq - 1 : seq] != [encode(event(n))] for n, seq in events.items())


def endless(store: SqliteStore, first: int, acknowledge: Callable[[int, int], None]) -> None:
    """Write from several threads at once, until somebody ends it."""

    def append(number: int, many: int) -> None:
        while True:
            events = [event(number + each) for each in range(many)]
            for one, receipt in zip(range(number, number + many), store.append(events), strict=True):
                acknowledge(one, receipt.seq)
            number += many

    def append_each(number: int) -> None:
        while True:
            told = store.append_each([[event(number)], [event(number + 1)]])
            for one, receipts in enumerate(told, number):
                assert not isinstance(receipts, Exception)
                acknowledge(one, receipts[0].seq)
            number += 2

    for thread in range(3):
        threading.Thread(target=append, args=(first + thread * 100_000, thread * 3 + 1), daemon=True).start()
    threading.Thread(target=append_each, args=(first + 300_000,), daemon=True).start()
    number = first + 400_000
    while True:
        store.commit({("count", "a"): str(number).encode()}, [draft(number=number)])
        number += 1


def some(store: SqliteStore, first: int, acknowledge: Callable[[int, int], None]) -> None:
    """Write so much that all there is to writing happens, and go on after errors as an engine does."""
    flags = Interlock(store, "production", Standing(), Unkept())
    for number in range(first, first + 24, 3):
        try:
            for one, receipt in enumerate(store.append([event(number + each) for each in range(3)]), number):
                acknowledge(one, receipt.seq)
            store.commit({("count", "a"): str(number).encode()}, [draft(number=number, text="x" * 9_000)])
            if toggle(flags, TOGGLES + number):
                acknowledge(TOGGLES + number, 0)
        except StoreUnavailable:
            pass


def toggle(flags: Interlock, number: int) -> bool:
    """Turn the flag on or off, for a reason by which that is known again; say whether it was otherwise."""

    def turned(table: Table) -> Step:
        flag = table.flags[FLAG.key]
        settings = Settings(enabled=True, variant="on" if number % 2 else "off")
        return steps.toggle(table, flag, settings, Why("ada", 1.0, str(number))).step

    return bool(flags.do(turned).drafts)


class Standing:
    """A clock that stands still."""

    def now(self) -> float:
        return 1.0

    def real_seconds(self, seconds: float) -> float:
        return seconds


class Unkept:
    """A spool that keeps nothing: no toggle is ever noted in one."""

    def put(self, subject: str, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> None:
        raise AssertionError("a toggle waits for the store")

    def take(self) -> list[tuple[dict[Record, bytes | None], list[Draft]]]:
        return []

    def clear(self, subject: str) -> None:
        pass


class Child:
    """A process that writes to a ledger, once it is told to."""

    def __init__(self, path: Path, write: Writer, first: int) -> None:
        self._said, saying = os.pipe()
        waiting, self._go = os.pipe()
        self.number = os.fork()
        if not self.number:
            os.read(waiting, 1)
            os._exit(_written(path, write, first, saying))
        for end in (saying, waiting):
            os.close(end)
        self._heard = b""

    def go(self) -> None:
        """Let it write."""
        os.write(self._go, b"!")

    def heard(self, lines: int) -> None:
        """Wait until it has said so much, or has ended."""
        while self._heard.count(b"\n") < lines and (some := os.read(self._said, 65536)):
            self._heard += some

    def ended(self) -> tuple[int, dict[int, int]]:
        """Wait until it has ended; return how, and what it had acknowledged."""
        self.heard(sys.maxsize)
        for end in (self._said, self._go):
            os.close(end)
        _, status = os.waitpid(self.number, 0)
        lines = [line.split() for line in self._heard.split(b"\n")[:-1]]
        return os.waitstatus_to_exitcode(status), {int(number): int(seq) for number, seq in lines}


def _written(path: Path, write: Writer, first: int, saying: int) -> int:
    """Write to a ledger within a child; return how it ends."""
    sqlite.CHECKPOINT_BYTES = OFTEN

    def acknowledge(number: int, seq: int) -> None:
        os.write(saying, b"%d %d\n" % (number, seq))

    try:
        store = SqliteStore(path)
        write(store, first, acknowledge)
        store.close()
    except StoreUnavailable:
        return 3
    except BaseException as error:  # noqa: BLE001  a child must not go on with what its parent does
        sys.stderr.write(f"a writer ended with {error!r}\n")
        return 70
    return 0


def kills(directory: Path, times: int) -> Tally:
    """Kill writers in the middle of what they do: while they open a ledger, write, or move what was written."""
    tally, chance = Tally(), random.Random(7)
    for run in range(times):
        path = directory / f"{run // A_LEDGER}.db"
        child = Child(path, endless, run * 1_000_000)
        child.go()
        child.heard(chance.choice((0, 1, 1, 10, 60)))
        until = perf_counter() + chance.uniform(0, 0.004)
        while perf_counter() < until:
            pass
        os.kill(child.number, signal.SIGKILL)
        status, acknowledged = child.ended()
        tally.runs += 1
        tally.struck += status == -signal.SIGKILL
        tally.acknowledged += len(acknowledged)
        tally.check(path, acknowledged)
        if run % A_LEDGER == A_LEDGER - 1:
            for file in directory.glob(f"{path.name}*"):
                file.unlink()
    return tally


def faults(directory: Path, every: int = 1) -> Tally:
    """Let calls to the disk fail, one in each run and each way; of the writes only every n-th."""
    base, tally = directory / "base.db", Tally()
    with closing(SqliteStore(base)) as store:
        for number in range(0, 30, 3):
            store.append([event(number + each) for each in range(3)])
        flags = Interlock(store, "production", Standing(), Unkept())
        flags.commit({("object", f"FeatureFlag/{FLAG.key}"): msgspec.json.encode(FLAG)}, [])
    for call in CALLS:
        count = _struck(base, call, "delay_enter=1", Tally())
        for number in range(1, count + 1, every if call == "pwrite64" else 1):
            for fault in FAULTS:
                tally.struck += _struck(base, call, f"{fault}:when={number}", tally) > 0
    return tally


def _struck(base: Path, call: str, fault: str, tally: Tally) -> int:
    """Have a writer write to a copy of a ledger on a disk with a fault; return how many calls were struck."""
    path = base.with_name("copy.db")
    paths = [path.with_name(path.name + end) for end in ("", "-wal", "-shm", "-journal")]
    for each in paths:
        each.unlink(missing_ok=True)
    shutil.copy(base, path)
    child = Child(path, some, 1000)
    with injected(child.number, paths, call, fault) as log:
        child.go()
        status, acknowledged = child.ended()
    tally.runs += 1
    tally.acknowledged += len(acknowledged)
    tally.damaged += status not in (0, 3, -signal.SIGKILL)
    tally.check(path, acknowledged | {number: number + 1 for number in range(30)})
    found = sum(mark in line for line in log.read_text().splitlines() for mark in ("(INJECTED)", "(DELAYED)"))
    return found + (status == -signal.SIGKILL)


def apart(what: str, directory: Path, number: int) -> Tally:
    """Do it in a process of its own, that has no threads when it forks."""
    command = [sys.executable, "-m", "tests.live.crashes", what, str(directory), str(number)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, check=True)
    return Tally(**json.loads(done.stdout))


if __name__ == "__main__":
    run = kills if sys.argv[1] == "kills" else faults
    sys.stdout.write(json.dumps(asdict(run(Path(sys.argv[2]), int(sys.argv[3])))))
