"""Everything that is scraped, and the one place that writes it into the store. `scrape` has the threads."""

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter

from davy.adapters.targets import Fetched, Gauges, Observed, Target, TargetHealth
from davy.analysis.alias import Witness
from davy.analysis.promql.exposition import ExpositionError
from davy.analysis.promql.series import SeriesStore
from davy.analysis.proxy import ProxyIntake, Version
from davy.analysis.tally import Tally
from davy.analysis.vantage import Destination, proxy_filter
from davy.model.key import Key
from davy.traffic.names import read_cluster_name, route_name

PROXY_LABELS = {"job": "envoy", "instance": "envoy"}


class Collector:
    """The proxy and the targets as they were last seen; belongs to the thread that writes to the store.

    `counters` and `health` may be called from any thread.
    """

    def __init__(self, store: SeriesStore, fetch_stats: Callable[[str], str]) -> None:
        self._store = store
        self._fetch_stats = fetch_stats
        self._proxy = ProxyIntake(store, read_cluster_name)
        self._gauges = Gauges(store, PROXY_LABELS)
        self._proxy_health = TargetHealth()
        self._observed: dict[tuple[Key, str], Observed] = {}

    def meet(self, targets: Iterable[Target], at_s: float) -> None:
        """Take in which targets there are now. One that changed is another one."""
        now = {target.name: target for target in targets}
        for name, observed in list(self._observed.items()):
            target = now.get(name)
            if target is not None and target.is_read_like(observed.target):
                observed.target = target
            else:
                observed.end(at_s)
                del self._observed[name]
        for name, target in now.items():
            if name not in self._observed:
                self._observed[name] = Observed(target, self._store)

    def read_proxy(self, now: Callable[[], float], judged: frozenset[Key] = frozenset()) -> bool:
        """Read the proxy and say whether that went well; answers are timed of the `judged` rollouts."""
        self._proxy.describe(self._destinations(), self._witnesses())
        asked_at, started = now(), perf_counter()
        problem = ""
        try:
            text = self._fetch_stats(proxy_filter([route_name(key) for key in judged]))
            self._proxy.take(text, asked_at, now(), judged)
        except ExpositionError as error:
            problem = f"what the proxy shows is not in Prometheus' text format: {error.message}"
        except Exception as error:  # noqa: BLE001  # whatever the proxy's adapter raises, the next look is due
            problem = f"the proxy cannot be read: {type(error).__name__}: {error}"
        if problem:
            self._proxy.fail(asked_at)
        self._gauges.write(round(asked_at * 1000), up=not problem, took_s=perf_counter() - started)
        self._proxy_health = self._proxy_health.after(asked_at, problem)
        return not problem

    def due(self) -> list[Observed]:
        """Name the targets that can be asked now: those that are not being asked already."""
        return [observed for observed in self._observed.values() if observed.target.path and not observed.busy]

    def note(self, fetched: Fetched) -> None:
        """Take in what came of asking a target, unless it is gone by now."""
        observed = self._observed.get(fetched.target.name)
        if observed is not None and observed.target.is_read_like(fetched.target):
            observed.busy = False
            observed.note(fetched)

    def counters(self, key: Key) -> tuple[float, Mapping[str, Tally]]:
        """Say when the proxy was last read, and what users had got of each version by then."""
        return self._proxy.counters(key)

    def health(self) -> tuple[TargetHealth, dict[str, TargetHealth]]:
        """Say how it goes with the proxy, and with each target by its rollout and pod."""
        observed = dict(self._observed)
        return self._proxy_health, {f"{key}/{pod}": one.health for (key, pod), one in observed.items()}

    def _destinations(self) -> dict[Version, Destination]:
        targets = [observed.target for observed in self._observed.values()]
        return {
            (target.key, target.hash, side): target.destination(side=side)
            for target in targets
            for side in (False, True)
        }

    def _witnesses(self) -> dict[Key, list[Witness]]:
        heard: dict[Key, list[Witness]] = {}
        for (key, _), observed in self._observed.items():
            heard.setdefault(key, []).append(observed.witness)
        return heard
