"""Getting the lease on a state directory: at once or not at all, or by waiting for it.

It runs on the monotonic clock of this machine: wall clocks are set, and the engine's clock has a speed. Where
the store is on a server that several machines share, it runs on the server's clock.
"""

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from davy.adapters.holder import Mark, writer
from davy.adapters.sqlite import Busy, SqliteStore
from davy.cli.stores import clock
from davy.control.tenure import Tenure
from davy.errors import DavyError
from davy.ledger.lease import Held, Lease
from davy.ledger.store import StoreUnavailable

if TYPE_CHECKING:
    from davy.cli.stores import AnyStore

LEASE_S = 8.0
"""Real seconds for which an engine may not turn its loop before another may take over.

A turn waits six at the worst, for an Envoy that hangs.
"""

START_S = 30.0
"""Real seconds that an engine has to come up."""

POLL_S = 0.25
"""Real seconds between two looks at whether a lease can be had."""

UP, DOWN = "up", "down"


class NotWanted(Exception):
    """Nobody wants a waiting engine any more; it says why."""


def take(store: "AnyStore", role: str = UP) -> Tenure:
    """Take the lease, if it is nobody's: let go of, run out, or of a process that has ended.

    A process that is stopped in the middle of a write keeps everyone else from writing. When its lease has run
    out, it is killed: whatever it would still do is refused, and nothing else gives its lock back.

    Raises:
        Held: another engine has it.
        StoreUnavailable: the store cannot be written.
    """
    time = clock(store)
    last, now = store.lease(), time()
    gone = last is not None and _gone(last, store)
    if last is not None and last.expires_at > now and not gone:
        raise Held(last)
    over = last.epoch if last is not None and gone else 0
    name, mark = f"davy {role}, pid {os.getpid()}", str(Mark.ours(role))
    try:
        lease = store.take(name, now, START_S, mark=mark, over=over)
    except Busy:
        if last is None or not isinstance(store, SqliteStore) or not _freed(last, store):
            raise
        lease = store.take(name, now, START_S, mark=mark, over=last.epoch)
    return Tenure(store, lease, time, LEASE_S)


def stand_by(store: "AnyStore", not_wanted: threading.Event, say: Callable[[str], None]) -> Tenure:
    """Wait until the lease can be had, and take it.

    Raises:
        NotWanted: somebody wants the waiting to end.
    """
    waited_for = ""
    while True:
        try:
            return take(store)
        except Held as error:
            holder, mark = error.lease.holder, Mark.read(error.lease.mark)
            if mark is not None and mark.role == DOWN:
                raise NotWanted("davy down was called") from error
            trouble = f"standing by: {holder} runs the rollouts; Ctrl-C ends the waiting"
        except StoreUnavailable as error:
            trouble = f"standing by: {error.message}"
        if trouble != waited_for:
            say(trouble)
        waited_for = trouble
        if not_wanted.wait(POLL_S):
            raise NotWanted("asked to stop")
        if stopped(store):
            raise NotWanted("davy down was called")


def stopped(store: "AnyStore") -> bool:
    """Say whether `davy down` was the last to have the lease."""
    try:
        last = store.lease()
    except DavyError:
        return False
    mark = None if last is None else Mark.read(last.mark)
    return mark is not None and mark.role == DOWN


def _gone(lease: Lease, store: "AnyStore") -> bool:
    """Say whether the process that holds a lease has ended; nothing is known of those on other machines."""
    mark = Mark.read(lease.mark)
    return mark is not None and mark.gone and (mark.known or isinstance(store, SqliteStore))


def _freed(lease: Lease, store: SqliteStore) -> bool:
    """Kill the holder of a lease that has run out, if it is the one that keeps the store from being written."""
    mark = Mark.read(lease.mark)
    in_the_way = mark is not None and mark.known and writer(store.path) == mark.process.pid
    return mark is not None and in_the_way and lease.expires_at <= clock(store)() and mark.kill()
