"""From the verdict to no more traffic on the canary: decided, written down, told to Envoy, acknowledged."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic, perf_counter

import msgspec

from bench.figure import Figure, percentile
from bench.payments import EXAMPLES, Place, place, rollout
from davy.adapters.load import Load
from davy.adapters.spool import FileSpool
from davy.adapters.sqlite import SqliteStore
from davy.analysis.promql.evaluate import Engine as Queries
from davy.analysis.promql.series import SeriesStore
from davy.analysis.tally import Tally
from davy.control.catalog import Catalog
from davy.control.engine import Engine, Setting
from davy.control.requests import Apply, Get, Retry, SetImage
from davy.control.runs import Runs
from davy.control.turn import World
from davy.control.views import ApplyView, RolloutView
from davy.errors import Undecided
from davy.model.key import Key
from davy.model.rollout import CanaryStep, RolloutPause
from davy.testing.patience import until

ROUNDS = 100
SHARE = 50
RATE_HZ = 200.0
AFTER = 10
"""Answers that are waited for after each abort."""

KEY = Key("default", "payments")


class Told:
    """Counts what it is told to, so that the verdict comes when it is wanted."""

    def __init__(self) -> None:
        self.at = 0.0
        self.tallies: dict[str, Tally] = {}

    def counters(self, key: Key) -> tuple[float, Mapping[str, Tally]]:
        """Return what was told last."""
        return self.at, self.tallies

    def tell(self, at: float, errors: Mapping[str, int]) -> None:
        """Let each version have answered a hundred requests more, so many of them with an error."""
        self.at = at
        for hash_, failed in errors.items():
            before = self.tallies.get(hash_, Tally())
            self.tallies = {**self.tallies, hash_: Tally(before.requests + 100, before.errors + failed)}


def measure() -> list[Figure]:
    """Start the bad update again and again, and let the guard see that it is bad."""
    with place() as here:
        told = Told()
        engine = _engine(here, told)
        try:
            times, strangers, asked = _abort_often(here, engine, told)
        finally:
            engine.stop()
    name = f"verdict → 0 % acknowledged, from {SHARE} %"
    return [
        Figure(f"{name}, p50", percentile(times, 50), "ms", len(times)),
        Figure(f"{name}, p99", percentile(times, 99), "ms", len(times), 50.0),
        Figure("sent after that, answered by the canary", strangers, "requests", asked, 0),
    ]


def _engine(here: Place, told: Told) -> Engine:
    """Make an engine with everything real but the counters."""
    store, spool = SqliteStore(here.directory / "davy.db"), FileSpool(here.directory / "spool")
    catalog = Catalog()
    runs = Runs({}, catalog.templates, here.clock, lambda: None)
    world = World(store, here.platform, told, runs, spool, Queries(SeriesStore()))
    engine = Engine(world, catalog, here.clock, Setting(pid=0, speed=1.0))
    first, *others = (EXAMPLES / "rollout.yaml").read_text().split("---\n")
    assert "kind: Rollout" in first
    texts = (("rollout.json", _manifest()), ("services.yaml", "---\n".join(others)))
    images = (EXAMPLES / "images.yaml").read_text()
    view = engine.handle(Apply((*texts, ("images.yaml", images)), str(here.directory)), "bench")
    assert isinstance(view, ApplyView), view
    assert view.accepted, view.findings
    return engine


def _manifest() -> str:
    """Write the example's rollout with a plan that stops half-way; its canary stays up after an abort."""
    found = rollout()
    assert found.spec.strategy.canary is not None
    canary = msgspec.structs.replace(
        found.spec.strategy.canary,
        steps=(CanaryStep(set_weight=SHARE), CanaryStep(pause=RolloutPause())),
        abort_scale_down_delay_seconds=0,
    )
    strategy = msgspec.structs.replace(found.spec.strategy, canary=canary)
    spec = msgspec.structs.replace(found.spec, strategy=strategy, replicas=2)
    return msgspec.json.encode(msgspec.structs.replace(found, spec=spec)).decode()


def _abort_often(here: Place, engine: Engine, told: Told) -> tuple[list[float], int, int]:
    """Return how long each abort took, and of the requests sent afterwards those that the canary answered."""
    _turn(engine, lambda: _status(engine) == "Healthy")
    [stable] = weights(here)
    port = here.platform.look(KEY).port
    assert port is not None
    load = Load(port, rate_hz=RATE_HZ).start()
    engine.handle(SetImage(*_name(), {"*": "ghcr.io/acme/payments:1.4.2"}), "bench")
    times, quiet = [], []
    for number in range(ROUNDS):
        if number:
            engine.handle(Retry(*_name()), "bench")
        _turn(engine, lambda: len(weights(here)) == 2)
        [canary] = set(weights(here)) - {stable}
        told.tell(here.clock.now(), {stable: 0, canary: 0})
        engine.looked()
        engine.turn()
        told.tell(here.clock.now(), {stable: 0, canary: 50})
        began = perf_counter()
        engine.looked()
        engine.turn()
        times.append(1000 * (perf_counter() - began))
        acknowledged = monotonic()
        assert weights(here) == {stable: 100}, f"not aborted: {weights(here)}"
        _more(load)
        quiet.append((acknowledged, monotonic()))
    sent = [each for each in load.stop() if any(begin < each.sent_s < end for begin, end in quiet)]
    return times, sum(each.version == canary for each in sent), len(sent)


def _status(engine: Engine) -> str:
    view = engine.handle(Get(*_name()), "bench")
    assert isinstance(view, RolloutView)
    return view.status


def weights(here: Place) -> dict[str, int]:
    """Return the split that Envoy has acknowledged, without those that have nothing."""
    return {hash_: weight for hash_, weight in (here.platform.look(KEY).weights or {}).items() if weight}


def _more(load: Load) -> None:
    """Wait for some more answers."""
    before = len(load.exchanges())
    until(lambda: len(load.exchanges()) >= before + AFTER)


def _name() -> tuple[str, str]:
    return KEY.namespace, KEY.name


def _turn(engine: Engine, reached: Callable[[], bool]) -> None:
    """Turn the loop until something is so."""

    def look() -> bool:
        engine.kick()
        with suppress(Undecided):
            engine.turn()
        return reached()

    until(look, seconds=60.0)
