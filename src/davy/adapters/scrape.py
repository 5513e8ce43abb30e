"""Reads the proxy and the workloads, over and over, into the store that queries are answered from.

One thread writes, since the store allows no second. It reads the proxy itself; workloads are read by a few
others, so that one which hangs holds up nobody, and those that hung the last time are kept apart from the rest.
Whatever goes wrong is counted, said by `health`, and the next cycle runs.

**How fast.** The intervals are seconds of the clock, so a window of `[1m]` has as many samples at any speed: 60
of the proxy, 12 of a workload. They are not shortened below `PROXY_FLOOR_S` and `WORKLOAD_FLOOR_S` on the wall,
so above speed 20 (25 for workloads) the windows thin out: `[1m]` holds 4 samples of the proxy up to speed 300
and 4 of a workload up to speed 75. `proxy_every_s` and `workloads_every_s` say what the intervals really are.
"""

import math
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from davy.adapters.collector import Collector
from davy.adapters.targets import Fetched, Target, TargetHealth, fetch
from davy.analysis.promql.series import SeriesStore
from davy.analysis.tally import Tally
from davy.model.key import Key

PROXY_FLOOR_S = 0.05
WORKLOAD_FLOOR_S = 0.2
"""The shortest intervals, in seconds on the wall: two cores have other things to do."""

THREADS = 8
SLOW_THREADS = 2
TRIMS_PER_RETENTION = 10


class Clock(Protocol):
    """Tells the time; `davy.adapters.clock.Clock` is one."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def real_seconds(self, seconds: float) -> float:
        """How long `seconds` of this clock last on the wall."""
        ...


@dataclass(frozen=True, slots=True)
class Health:
    """How the scraping goes: of the proxy, of each target by `namespace/rollout/pod`, of the scraper itself.

    `troubles` counts what went wrong on our side (the list of targets, say), `last_trouble` says what.
    """

    running: bool
    proxy: TargetHealth
    targets: Mapping[str, TargetHealth]
    troubles: int
    last_trouble: str


class Scraper:
    """Keeps the store up to date between `start` and `stop`.

    Args:
        store: where the samples go; nobody else may write to it.
        clock: what the intervals are measured on.
        fetch_stats: asks the proxy for its statistics that a filter names, the used ones only, in Prometheus'
            text. It has to come back by itself within a second or two.
        targets: says which replicas there are now.
        proxy_every_s: seconds of the clock between two looks at the proxy.
        workloads_every_s: seconds of the clock between two looks at a workload.
        retention_s: seconds of the clock for which samples are kept.
        judged: says of which rollouts the tallies have `latency`. It is called before each look at the proxy,
            on the scraper's thread; what it raises costs the look.
        looked: called after each look at the proxy, so that nobody has to ask for news.
        timeout_s: seconds on the wall that a workload may take for its answer.
        max_bytes: the largest answer of a workload that is read.
    """

    def __init__(
        self,
        store: SeriesStore,
        clock: Clock,
        fetch_stats: Callable[[str], str],
        targets: Callable[[], Iterable[Target]],
        *,
        proxy_every_s: float = 1.0,
        workloads_every_s: float = 5.0,
        retention_s: float = 3600.0,
        judged: Callable[[], Collection[Key]] = tuple,
        looked: Callable[[], None] = lambda: None,
        timeout_s: float = 1.0,
        max_bytes: int = 4 << 20,
    ) -> None:
        assert retention_s > 0
        self.proxy_every_s = max(proxy_every_s, PROXY_FLOOR_S / clock.real_seconds(1.0))
        self.workloads_every_s = max(workloads_every_s, WORKLOAD_FLOOR_S / clock.real_seconds(1.0))
        self._store = store
        self._clock = clock
        self._targets = targets
        self._retention_s = retention_s
        self._judged = judged
        self._looked = looked
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._collector = Collector(store, fetch_stats)
        self._troubles = 0
        self._last_trouble = ""
        self._pools = (
            ThreadPoolExecutor(THREADS, "davy-scrape"),
            ThreadPoolExecutor(SLOW_THREADS, "davy-scrape-slow"),
        )
        self._thread = threading.Thread(target=self._run, name="davy-scraper", daemon=True)
        # What follows is shared between threads, and changed under this condition only.
        self._changed = threading.Condition()
        self._arrived: list[Fetched] = []
        self._kicked = False
        self._stopping = False
        self._looks_begun = 0
        self._last_good_look = 0
        self._looks_ended = 0

    def start(self) -> None:
        """Begin; a scraper begins once."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for what is under way, a few seconds at most."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout=5.0)
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)

    def kick(self, timeout_s: float = 1.0) -> bool:
        """Look at the proxy now, and say whether it was read by a look that began after the call.

        Gives up after `timeout_s` on the wall: whoever wants fresh counts to abort on must not wait for a proxy
        that hangs.
        """
        with self._changed:
            wanted = self._looks_begun + 1
            self._kicked = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._looks_ended >= wanted or self._stopping, timeout_s)
            return self._last_good_look >= wanted

    def counters(self, key: Key) -> tuple[float, Mapping[str, Tally]]:
        """Say when the proxy was last read, in seconds of the clock, and what users had got of each version.

        Every answer that a user had got by then is in it. The counts only grow, whatever the proxy does. Before
        the first reading the time is 0.
        """
        return self._collector.counters(key)

    def health(self) -> Health:
        """Say how it goes."""
        proxy, targets = self._collector.health()
        return Health(self._thread.is_alive(), proxy, targets, self._troubles, self._last_trouble)

    def _run(self) -> None:
        began = self._clock.now()
        proxy, workloads = Schedule(self.proxy_every_s, began), Schedule(self.workloads_every_s, began)
        trims = Schedule(self._retention_s / TRIMS_PER_RETENTION, began + self._retention_s)
        while True:
            next_s = min(proxy.next_at, workloads.next_at, trims.next_at)
            with self._changed:
                wait_s = self._clock.real_seconds(max(next_s - self._clock.now(), 0.0))
                self._changed.wait_for(lambda: self._kicked or self._stopping or self._arrived, wait_s)
                if self._stopping:
                    return
                kicked = self._kicked
                arrived, self._arrived = self._arrived, []
            for fetched in arrived:
                self._attempt(partial(self._collector.note, fetched))
            now = self._clock.now()
            if proxy.is_due(now) or kicked:
                self._look()
            if workloads.is_due(now):
                self._attempt(self._ask_workloads)
            if trims.is_due(now):
                self._attempt(partial(self._store.trim, round((now - self._retention_s) * 1000)))

    def _look(self) -> None:
        """Meet the targets and read the proxy, and tell those who wait for it."""
        with self._changed:
            self._kicked = False
            self._looks_begun += 1
        self._attempt(lambda: self._collector.meet(self._targets(), self._clock.now()))
        good = self._attempt(lambda: self._collector.read_proxy(self._clock.now, frozenset(self._judged())))
        with self._changed:
            self._looks_ended = self._looks_begun
            if good:
                self._last_good_look = self._looks_begun
            self._changed.notify_all()
        self._attempt(self._looked)

    def _ask_workloads(self) -> None:
        for observed in self._collector.due():
            observed.busy = True
            self._pools[observed.late].submit(self._ask, observed.target)

    def _ask(self, target: Target) -> None:
        """Read one workload; runs on a thread of a pool."""
        asked_at = self._clock.now()
        try:
            fetched = fetch(target, asked_at, timeout_s=self._timeout_s, max_bytes=self._max_bytes)
        except Exception as error:  # noqa: BLE001  # a target that is never heard of again would stay busy
            fetched = Fetched(target, asked_at, 0.0, None, f"our own fault: {error!r}", heard=False)
        with self._changed:
            self._arrived.append(fetched)
            self._changed.notify_all()

    def _attempt(self, step: Callable[[], object]) -> bool:
        """Take one step of a cycle and say whether it went well; a thread that died of it would be missed."""
        try:
            return step() is not False
        except Exception as error:  # noqa: BLE001
            self._troubles += 1
            self._last_trouble = f"{type(error).__name__}: {error}"
            return False


class Schedule:
    """Points in time at equal distances; one that was missed is left out, and the grid stays."""

    def __init__(self, every_s: float, first_at: float) -> None:
        self._every_s = every_s
        self.next_at = first_at

    def is_due(self, now: float) -> bool:
        """Say whether a point has come, and go on to the next."""
        if now < self.next_at:
            return False
        self.next_at += self._every_s * (math.floor((now - self.next_at) / self._every_s) + 1)
        return True
