"""An engine that runs: the one place where all the adapters are put together."""

import os
import threading
from collections import ChainMap
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from davy import plugins
from davy.adapters import addresses, secret_files
from davy.adapters.addresses import Addresses
from davy.adapters.clock import Anchor, Clock
from davy.adapters.embedded import EmbeddedPlatform
from davy.adapters.fence import Fence
from davy.adapters.job import end_jobs
from davy.adapters.ledger_key import ledger_key
from davy.adapters.scrape import Scraper
from davy.adapters.secret_files import SecretFiles
from davy.adapters.spool import FileSpool
from davy.adapters.targets import Target
from davy.adapters.tools import Tools
from davy.analysis.promql.evaluate import Engine as QueryEngine
from davy.analysis.promql.series import SeriesStore
from davy.analysis.provider import Answer, Asking, Provider, ProviderError
from davy.cli.lease import DOWN, take
from davy.cli.sealing import sealing
from davy.cli.stores import open_store
from davy.control import requests
from davy.control.catalog import Catalog
from davy.control.engine import Engine, Setting
from davy.control.rulebook import Rules
from davy.control.runs import Runs
from davy.control.sealing import Sealing
from davy.control.tenure import Tenure
from davy.control.turn import World
from davy.errors import Bug, Undecided, UsageError
from davy.flags.gate import PRODUCTION
from davy.ledger.store import Store
from davy.model.providers import MetricProvider
from davy.model.rollout import Rollout
from davy.rollout.platform import Platform

if TYPE_CHECKING:
    from davy.cli.stores import AnyStore

JOBS = "jobs"
"""The directory of what metrics run, below the state directory."""

WATCH_FIRST_S = 60.0
"""Seconds of the clock for which an engine watches before it asks anything: the window of most queries."""

HUNG_S = 2.0
"""Real seconds for which the loop of an engine that was taken over from is waited for."""


@dataclass(frozen=True, slots=True)
class Running:
    """An engine whose loop turns, and what it needs."""

    engine: Engine
    platform: EmbeddedPlatform
    scraper: Scraper
    runs: Runs
    store: "AnyStore"
    loop: threading.Thread
    tenure: Tenure
    fence: Fence
    jobs: Path
    sealing: Sealing

    def check(self) -> None:
        """Make sure that this engine is the one that decides.

        Raises:
            Fenced: another has taken over.
            Bug: the loop ended by itself, and nothing is decided any more.
        """
        if self.engine.fenced is not None:
            raise self.engine.fenced
        self.fence.check()
        if not self.loop.is_alive():
            raise Bug("the engine's loop ended by itself", hint="davy up starts it again where it was")

    def close(self) -> None:
        """Stop deciding. Envoy and the workloads go on, and are taken up again by the next start."""
        self._stop_deciding()
        self.platform.close()
        self._let_go()

    def shutdown(self) -> None:
        """Stop everything."""
        self._stop_deciding()
        end_jobs(self.jobs)
        self.platform.shutdown()
        self._let_go()

    def _stop_deciding(self) -> None:
        self.engine.stop()
        # A loop that hangs is why another took over; it decides nothing any more, and dies with the process.
        self.loop.join(None if self.fence.directory.exists() else HUNG_S)
        self.scraper.stop()
        self.runs.close()

    def _let_go(self) -> None:
        self.sealing.stop(HUNG_S)
        self.tenure.end()
        self.store.close()


def start(
    home: Path,
    *,
    at: str = "",
    speed: float = 1.0,
    in_process: bool = False,
    attain: Callable[["AnyStore"], Tenure] = take,
    rules: Rules | None = None,
    origin: str = "",
    environment: str = PRODUCTION,
    variables: MutableMapping[str, str] | None = None,
) -> Running:
    """Start an engine on a state directory and let its loop turn.

    Args:
        home: where everything is kept; made if it is not there.
        at: the address of the store, where that is not in the directory; the directory keeps it from then on.
        speed: of the clock. A state directory keeps its clock, so that a restart goes on in the same time.
        in_process: never ask a Prometheus, even where a template's address answers.
        attain: gets the lease on the store, be it by waiting.
        rules: what it is told about policies; None is no pack of policies.
        origin: what its ledger is to be called, where it has no name yet.
        environment: whose flags it holds.
        variables: what replicas find in their environment before that of this process; looked at whenever one
            is started.

    Raises:
        Conflict: the ledger has another name.
        Held: another engine runs on this directory.
        Undecided: the store, Envoy or the disk cannot be used.
    """
    with usable(home):
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if origin:
            ledger_key(home, origin)
        store = open_store(home, at, keep=True)
    with ExitStack() as undone:
        undone.callback(store.close)
        tenure = attain(store)
        undone.callback(tenure.end)
        with usable(home):
            fence = Fence.take(home / "terms", tenure.lease.epoch)
            told = Rules() if rules is None else rules
            running = _start(
                home,
                store,
                tenure,
                fence,
                told,
                speed=speed,
                in_process=in_process,
                environment=environment,
                variables={} if variables is None else variables,
            )
        undone.pop_all()
    return running


def _start(
    home: Path,
    store: "AnyStore",
    tenure: Tenure,
    fence: Fence,
    rules: Rules,
    *,
    speed: float,
    in_process: bool,
    environment: str,
    variables: MutableMapping[str, str],
) -> Running:
    """Put an engine together that holds the lease, and let its loop turn."""
    ours = store.under(tenure.lease)
    spool = FileSpool(fence.directory / "spool", [left / "spool" for left in fence.earlier()])
    clock = _clock(ours, speed)
    platform = EmbeddedPlatform(
        home / "platform",
        clock,
        fence=fence,
        environment=ChainMap(variables, dict(os.environ)),
        changed=lambda key: engine.kick(key),
    )
    series = SeriesStore()
    queries = QueryEngine(series)
    catalog = Catalog.load(ours)
    tools = Tools(
        clock=clock,
        addresses=Addresses(home / addresses.FILE),
        queries=queries,
        in_process=in_process,
        jobs=home / JOBS,
        launch=platform.launch,
        built=platform.built,
        environment=dict(os.environ),
        check=fence.check,
        verdict=lambda namespace, name: _verdict(engine, namespace, name),
    )
    made = providers(tools)
    scraper = Scraper(
        series,
        clock,
        platform.stats,
        lambda: targets(catalog, platform),
        judged=lambda: engine.judged,
        looked=lambda: engine.looked(),
    )
    runs = Runs(
        made,
        catalog.templates,
        clock,
        lambda: engine.wake(),
        watch_first_s=WATCH_FIRST_S,
        secrets=SecretFiles(home / secret_files.DIRECTORY),
    )
    world = World(ours, platform, scraper, runs, spool, queries)
    seals = sealing(home, store, ours, dict(os.environ))
    setting = Setting(
        os.getpid(),
        clock.speed,
        rules=rules,
        troubles=lambda: seals.troubles,
        environment=environment,
        scrape_s=scraper.proxy_every_s,
    )
    engine = Engine(world, catalog, clock, setting, tenure, store)
    fence.sweep()
    platform.start()
    scraper.start()
    loop = threading.Thread(target=engine.run, name="davy-loop", daemon=True)
    loop.start()
    seals.start()
    return Running(engine, platform, scraper, runs, store, loop, tenure, fence, home / JOBS, seals)


def _verdict(engine: Engine, namespace: str, name: str) -> dict[str, object]:
    """Return what the judge of a rollout says, as plain values."""
    found: dict[str, object] = msgspec.to_builtins(engine.handle(requests.Verdict(namespace, name), "davy"))
    return found


def end_all(home: Path) -> None:
    """Stop whatever an engine of this state directory left running; none runs now.

    Raises:
        Held: one does.
    """
    with usable(home):
        store = open_store(home)
        try:
            tenure = take(store, DOWN)
            fence = Fence.take(home / "terms", tenure.lease.epoch)
            platform = EmbeddedPlatform(
                home / "platform", Clock.at_speed(1.0), fence=fence, environment=dict(os.environ)
            )
            platform.start()
            end_jobs(home / JOBS)
            platform.shutdown()
            tenure.end()
        finally:
            store.close()


@contextmanager
def usable(home: Path) -> Iterator[None]:
    """Say which directory it is that cannot be used.

    Raises:
        UsageError: it is no directory.
        Undecided: the disk is full, or it is not ours to write to.
    """
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{home} is not a directory", hint="name another with --home") from error
    except OSError as error:
        hint = "make room, or name another directory with --home"
        raise Undecided(f"cannot keep state in {home}: {error.strerror}", hint=hint) from error


def _clock(store: Store, speed: float) -> Clock:
    """Take up the clock of a store where it was, at the speed that is wanted now."""
    kept = store.load("meta").get("clock")
    if kept:
        anchor = msgspec.json.decode(kept, type=Anchor)
        if anchor.speed == speed:
            return Clock(anchor)
        now = Clock(anchor).now()
        anchor = Anchor(wall_s=Clock.pin(speed).wall_s, clock_s=now, speed=speed)
    else:
        anchor = Clock.pin(speed)
    store.commit({("meta", "clock"): msgspec.json.encode(anchor)}, [])
    return Clock(anchor)


def providers(tools: Tools) -> dict[str, Provider]:
    """Make every provider that is installed; one that cannot be made hurts only its users."""
    return {name: _provider(name, tools) for name in plugins.names("providers")}


def _provider(name: str, tools: Tools) -> Provider:
    try:
        made: Provider = plugins.load("providers", name)(tools)
    except Exception as error:  # noqa: BLE001  a plug-in may raise anything, and the engine has to start
        return _Broken(name, f"{type(error).__name__}: {error}")
    return made


@dataclass(frozen=True, slots=True)
class _Broken:
    """Stands for a provider that cannot be made, and says so to whoever asks it."""

    name: str
    why: str

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
        """Refuse."""
        raise ProviderError(f"the provider {self.name} is installed and cannot be made: {self.why}")


def targets(catalog: Catalog, platform: Platform) -> Iterator[Target]:
    """List the replicas whose metrics are read, by the labels of their template and of the part they play."""
    for key, rollout in catalog.rollouts.items():
        users, alone = _services(rollout)
        seen = platform.look(key)
        named = {point.hash: name for name, point in sorted(seen.services.items(), reverse=True)}
        for pod in seen.pods:
            if pod.port and pod.phase != "Terminating":
                yield Target(
                    key=key,
                    hash=pod.hash,
                    pod=pod.name,
                    port=pod.port,
                    labels={**rollout.spec.template.metadata.labels, **pod.metadata.labels},
                    service=users,
                    side_service=named.get(pod.hash, alone),
                    started_at=pod.started_at,
                )


def _services(rollout: Rollout) -> tuple[str, str]:
    """Return the names by which a manifest calls what users get, and a new version alone."""
    canary, blue_green = rollout.spec.strategy.canary, rollout.spec.strategy.blue_green
    if canary is not None:
        return canary.stable_service, canary.canary_service
    return (blue_green.active_service, blue_green.preview_service) if blue_green is not None else ("", "")
