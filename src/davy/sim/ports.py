"""The ports of a simulated engine: store, spool and providers' threads, with their faults."""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from random import Random
from typing import Any, ParamSpec, TypeVar

from davy.analysis.provider import Answer, Asking, ProviderError
from davy.ledger import lease as leases
from davy.ledger.entry import Draft, Entry
from davy.ledger.lease import Lease
from davy.ledger.store import Record, Store, StoreUnavailable
from davy.model.key import Key
from davy.model.providers import MetricProvider
from davy.sim.faults import Boundary, Weather
from davy.sim.ground import SharedStore
from davy.sim.happenings import Committed, Found, Happening, Leased, Measured, Unwritten, Wrote
from davy.sim.timeline import Timeline

T = TypeVar("T")
P = ParamSpec("P")

Notes = dict[str, tuple[dict[Record, bytes | None], list[Draft]]]
Tell = Callable[[Happening], None]
QUERY = 'errors{{service="{name}",version="{{{{args.version}}}}"}}'
"""The query of a template for the rollouts of one name; `args.version` is the hash of the new version."""
_ASKED = re.compile(r'service="([^"]+)",version="([^"]+)"')


class SimulatedStore:
    """A store that cannot be written for a while, as one engine reaches it.

    Args:
        shared: the store that all engines share.
        boundary: what this engine crosses.
        weather: which faults there are.
        tell: is told what happens.
        held: the lease under which this engine writes.
    """

    def __init__(
        self, shared: SharedStore, boundary: Boundary, weather: Weather, tell: Tell, held: Lease | None = None
    ) -> None:
        self._shared, self._boundary, self._weather, self._tell = shared, boundary, weather, tell
        self._held = held
        self._store: Store = shared if held is None else shared.under(held)

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        return self._boundary.cross("store.load", lambda: self._store.load(bucket))

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Write records and append entries, unless nothing can be written."""
        return self._boundary.cross("store.commit", lambda: self._commit(changes, drafts))

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read entries in their order."""
        return self._boundary.cross(
            "store.entries", lambda: self._store.entries(after=after, subject=subject, limit=limit)
        )

    def lease(self) -> Lease | None:
        """Return the lease that was given last."""
        return self._shared.lease()

    def take(self, holder: str, now: float, seconds: float, *, mark: str = "", over: int = 0) -> Lease:
        """Take the lease, unless nothing can be written."""

        def take() -> Lease:
            self._writable()
            last = self._shared.lease()
            lease = self._shared.take(holder, now, seconds, mark=mark, over=over)
            self._tell(Leased(lease.epoch, last.expires_at if last and last.epoch != over else 0.0))
            return lease

        return self._boundary.cross("lease.take", take)

    def renew(self, lease: Lease, now: float, seconds: float) -> Lease:
        """Hold the lease for longer, unless nothing can be written."""

        def renew() -> Lease:
            self._writable(lease)
            return self._shared.renew(lease, now, seconds)

        return self._boundary.cross("lease.renew", renew)

    def release(self, lease: Lease) -> None:
        """Let others have the lease."""
        self._boundary.cross("lease.release", lambda: self._shared.release(lease))

    def under(self, lease: Lease) -> "SimulatedStore":
        """Return the store for the holder of a lease."""
        return SimulatedStore(self._shared, self._boundary, self._weather, self._tell, lease)

    def _commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        try:
            self._writable(self._held)
        except StoreUnavailable:
            self._tell(Unwritten(changes, drafts))
            raise
        entries = self._store.commit(changes, drafts)
        if self._held is not None:
            self._tell(Wrote(self._held.epoch, "the store"))
        self._tell(Committed(changes, entries))
        return entries

    def _writable(self, lease: Lease | None = None) -> None:
        if self._weather.has("store"):
            if lease is not None:
                leases.hold(self._shared.lease(), lease.epoch)  # what cannot be written can be read
            raise StoreUnavailable("the store cannot be written: no space left on device")


class SimulatedSpool:
    """A spool that outlives its engine, as the file does: `notes` are what is in the file."""

    def __init__(self, boundary: Boundary, notes: Notes) -> None:
        self._boundary, self.notes = boundary, notes

    def put(self, subject: str, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> None:
        """Note all there is to say of a subject."""
        assert drafts, "without an entry there is nothing to note"
        note = (dict(changes), list(drafts))
        self._boundary.cross("spool.put", lambda: self.notes.__setitem__(subject, note))

    def take(self) -> list[tuple[dict[Record, bytes | None], list[Draft]]]:
        """Return what was noted of every subject."""
        return self._boundary.cross("spool.take", lambda: list(self.notes.values()))

    def clear(self, subject: str) -> None:
        """Forget what was noted of a subject, of all with an empty one."""
        gone = [noted for noted in self.notes if subject in ("", noted)]
        self._boundary.cross("spool.clear", lambda: [self.notes.pop(noted) for noted in gone])


class SimulatedProvider:
    """Says of a version what is so, unless it is down or blind."""

    def __init__(
        self, measured: Callable[[Key, str], Sequence[float] | None], weather: Weather, tell: Tell
    ) -> None:
        self._measured, self._weather, self._tell = measured, weather, tell

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
        """Answer a query of `QUERY`'s form."""
        assert provider.prometheus is not None
        asked = _ASKED.search(provider.prometheus.query)
        assert asked is not None, provider.prometheus.query
        key, hash_ = Key("default", asked[1]), asked[2]
        if self._weather.has("provider", key.name):
            self._tell(Measured(key, hash_, "unknown"))
            raise ProviderError("the provider is down")
        values = () if self._weather.has("blind", key.name) else tuple(self._measured(key, hash_) or ())
        found: Found = "unknown" if not values else "good" if values[0] <= LIMIT else "bad"
        self._tell(Measured(key, hash_, found))
        return Answer(values, str(list(values)))


LIMIT = 0.02
"""The share of errors up to which a version is good."""


class PatientThreads(Executor):
    """Runs what is submitted later in virtual time, all of it in one thread, until it is shut down."""

    def __init__(self, timeline: Timeline, latency: Random, weather: Weather) -> None:
        self._timeline, self._latency, self._weather = timeline, latency, weather
        self._open = True

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Plan a call; its future is done when its time has come."""
        future: Future[T] = Future()

        def run() -> None:
            if self._open:
                future.set_result(fn(*args, **kwargs))

        slow = 20.0 if self._weather.has("slow") else 1.0
        self._timeline.after(slow * self._latency.uniform(0.1, 2.0), run)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> Any:
        """Run nothing any more, as the threads of a process that died."""
        self._open = False
