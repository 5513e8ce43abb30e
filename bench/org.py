"""An organisation: a hundred services, each of them released twice a week, for six weeks of virtual time."""

from collections import Counter
from random import Random
from time import perf_counter

from bench.figure import Figure
from davy.cli.drill import PARTS
from davy.sim.drill import play
from davy.sim.faults import Window
from davy.sim.plan import Pace, Plan, Release, Service

SERVICES = 100
WEEKS = 6
DAY_S = 86_400.0
VERSION = [{"name": "version", "valueFrom": {"podTemplateHashValue": "Latest"}}]
BUDGET_S = 60.0


def measure() -> list[Figure]:
    """Let six weeks pass."""
    plan = organisation(1)
    began = perf_counter()
    report = play(plan, PARTS)
    took_s = perf_counter() - began
    if report.broken is not None:
        raise SystemExit(f"{report.broken.invariant}: {report.broken.why}")
    ended = Counter(ending.ended for ending in report.endings)
    entries = sum(line.entry is not None for line in report.story)
    weeks = report.seconds / DAY_S / 7
    return [
        Figure(f"{SERVICES} rollouts for {weeks:.1f} weeks, wall time", took_s, "s", report.events, BUDGET_S),
        Figure("releases in that time, promoted", ended["promoted"], "releases", len(report.endings)),
        Figure("releases in that time, taken back", ended["taken back"], "releases", len(report.endings)),
        Figure("entries of the record", entries, "entries", entries),
    ]


def organisation(seed: int) -> Plan:
    """Draw the services, their releases, and what goes wrong in six weeks."""
    rng = Random(seed)
    services = tuple(_service(rng, f"service-{number:03}") for number in range(SERVICES))
    kinds = ("store", "router", "provider", "scrape", "slow", "news")
    windows = tuple(
        Window(rng.choice(kinds), rng.uniform(DAY_S, WEEKS * 7 * DAY_S), rng.choice((60.0, 600.0, 1800.0)))
        for _ in range(3 * WEEKS)
    )
    pace = Pace(people_look_s=300.0, engine_look_s=6 * 3600.0, lease_s=4 * 3600.0, overdue_s=10 * DAY_S)
    return Plan(seed, services, windows, crash_risk=2e-5, scrape_s=60.0, standby=False, pace=pace)


def _service(rng: Random, name: str) -> Service:
    replicas = rng.choice((2, 3, 4, 6))
    releases = tuple(_release(rng, name, number) for number in range(2, 2 + 2 * WEEKS))
    return Service(
        name=name,
        replicas=replicas,
        strategy="canary by router",
        spec=_canary(rng, name),
        deadline_s=600,
        deadline_aborts=True,
        releases=releases,
        hasty=False,
    )


def _release(rng: Random, name: str, number: int) -> Release:
    """Draw a release; one in eight is bad."""
    quality = rng.choice(("failing", "wrong", "late", "stuck")) if rng.random() < 1 / 8 else "good"
    return Release(f"{name}:{number}", quality, rng.uniform(2.5, 4.3) * DAY_S, retried=rng.random() < 0.2)


def _canary(rng: Random, name: str) -> dict[str, object]:
    """Draw the steps that teams write most: a small share, a pause, an analysis, then more."""
    analysis: dict[str, object] = {
        "analysis": {"templates": [{"templateName": f"{name}-thorough"}], "args": VERSION}
    }
    steps: list[dict[str, object]] = []
    for weight in rng.choice(([5, 25, 50], [10, 50], [5, 20, 40, 60])):
        steps += [{"setWeight": weight}, {"pause": {"duration": rng.choice((120, 300, 600))}}, analysis]
    return {
        "canary": {
            "canaryService": f"{name}-canary",
            "stableService": f"{name}-stable",
            "trafficRouting": {"istio": {"virtualService": {"name": name}}},
            "steps": steps,
        }
    }
