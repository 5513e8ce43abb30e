"""What a world is to be, drawn from its seed: rollouts, releases, people and faults.

Everything that can be drawn is a table: whoever teaches the state machine another strategy adds a row to
`STRATEGIES`, a version that fails in another way is a row of `QUALITIES`, a fault a row of `faults.FAULTS`.
Each part has a stream of random numbers of its own, so that leaving one out changes no other.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from davy.sim.faults import FAULTS, Window

Strategy = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a version is.

    `failing` is the share of its requests that it answers with an error, `measured` what its metrics say (None:
    nothing at all), `ready` whether its replicas ever get ready, `from_s` for how many seconds of traffic it is
    as good as any other first.
    """

    what: str
    failing: float = 0.001
    measured: float | None = 0.001
    ready: bool = True
    from_s: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong with it."""
        return self == GOOD


GOOD = Quality("good")
QUALITIES: dict[str, Quality] = {
    "good": GOOD,
    "failing": Quality("one request in three fails", failing=0.33, measured=0.33),
    "wrong": Quality("its metrics are bad, its answers look well", measured=0.4),
    "late": Quality("fails after a minute of traffic", failing=0.5, measured=0.5, from_s=60.0),
    "silent": Quality("its metrics say nothing", measured=None),
    "stuck": Quality("its replicas never get ready", ready=False),
    "worn": Quality("fails after five minutes of traffic", failing=0.3, measured=0.3, from_s=300.0),
}
"""The sorts of versions; good ones are drawn as often as all the others together.

One that wears out is for those who watch longest, so only what has a judge is drawn with it.
"""


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody does so long after a release, whatever has become of it by then."""

    verb: str
    after_s: float


DEEDS: dict[str, float] = {"abort": 0.15, "pause": 0.1, "restart": 0.1, "undo": 0.06, "scale": 0.06}
"""What people do by the clock, and how likely it is after a release."""


@dataclass(frozen=True, slots=True)
class Release:
    """Another version that somebody asks for, `after_s` seconds after the one before is done (or was begun)."""

    image: str
    quality: str
    after_s: float
    retried: bool = False
    deeds: tuple[Deed, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """A rollout, and what is released with it; a hasty team does not wait for one release to be over.

    `judge` is the `spec` of its Judge, None where it has none.
    """

    name: str
    replicas: int
    strategy: str
    spec: Strategy
    deadline_s: int
    deadline_aborts: bool
    releases: tuple[Release, ...]
    hasty: bool
    judge: dict[str, Any] | None = None

    @property
    def qualities(self) -> dict[str, Quality]:
        """The quality of each image."""
        first = {f"{self.name}:1": GOOD}
        return first | {release.image: QUALITIES[release.quality] for release in self.releases}


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast things go, in seconds.

    That is how often people look, how often an engine looks unasked (seldom, so that news is what moves it),
    how long its lease lasts, and how long all must be well before everything has to rest.
    """

    people_look_s: float = 25.0
    engine_look_s: float = 30.0
    lease_s: float = 40.0
    overdue_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is drawn before a world begins.

    `standby` is whether a second engine waits for the lease, `applied` whether the manifests were applied
    before the world begins (which saves reading them) or are applied in it.
    """

    seed: int
    services: tuple[Service, ...]
    windows: tuple[Window, ...]
    crash_risk: float
    scrape_s: float
    standby: bool
    pace: Pace = Pace()
    applied: bool = False


def draw(seed: int, faults: frozenset[str] = frozenset(FAULTS)) -> Plan:
    """Draw a world.

    Args:
        seed: which one.
        faults: the kinds that may happen; the others are left out of the same world.
    """
    rng = Random(f"{seed}/plan")  # noqa: S311  a world is to be repeated, not to be unforeseeable
    count = rng.choice((1, 1, 1, 2))
    names = rng.sample(("payments", "catalog", "search"), count)
    services = tuple(_service(Random(f"{seed}/{name}"), name) for name in names)  # noqa: S311
    benches = {name: Random(f"{seed}/{name}/judge") for name in names}  # noqa: S311
    services = tuple(_judged(benches[service.name], service) for service in services)
    weather = Random(f"{seed}/weather")  # noqa: S311
    windows = _again_and_again(weather, names) if weather.random() < 0.25 else _now_and_then(weather, names)
    windows += tuple(_upstream(benches[each.name], each.name) for each in services if each.judge is not None)
    risk = weather.choice((0.0, 0.0, 0.004, 0.02))
    return Plan(
        seed=seed,
        services=services,
        windows=tuple(window for window in windows if window.kind in faults),
        crash_risk=risk if "crash" in faults else 0.0,
        scrape_s=rng.choice((10.0, 15.0, 20.0)),
        standby=rng.random() < 0.3,
        applied=rng.random() < 0.85,
    )


def steady(plan: Plan) -> Plan:
    """Take out of a world what makes its outcome a matter of timing: then a restart must not change it.

    No fault lasts, nobody hurries or acts by the clock, and no version is such that it depends on when it is
    looked at whether it is found out.
    """
    services = []
    for service in plan.services:
        measured = "templateName" in str(service.spec)
        releases = tuple(
            replace(
                release,
                quality=release.quality if measured and not QUALITIES[release.quality].from_s else "good",
                deeds=(),
            )
            for release in service.releases
        )
        services.append(replace(service, releases=releases, hasty=False))
    return replace(plan, services=tuple(services), windows=(), crash_risk=0.0, standby=False)


def _service(rng: Random, name: str) -> Service:
    """Draw a rollout and its releases."""
    replicas = rng.choice((1, 2, 3, 4, 6))
    strategy = rng.choice(tuple(STRATEGIES))
    hasty = rng.random() < 0.3
    return Service(
        name=name,
        replicas=replicas,
        strategy=strategy,
        spec=STRATEGIES[strategy](rng, name, replicas),
        deadline_s=rng.choice((120, 300)),
        deadline_aborts=rng.random() < 0.5,
        releases=tuple(_release(rng, name, number) for number in range(2, 2 + rng.choice((1, 2, 2)))),
        hasty=hasty,
    )


def _judged(rng: Random, service: Service) -> Service:
    """Draw whether a service whose traffic a router splits has a judge, which is in less of a hurry than most.

    Without a router there is no bake, and what is in force is as many pods as are ready just then.
    """
    if STRATEGIES[service.strategy] is not _routed or rng.random() < 0.3:
        return service
    ladder = [
        {"weight": 1, "least": "10s", "most": "60s"},
        {"weight": 50, "least": "20s", "most": rng.choice(("60s", "90s"))},
    ]
    judge = {"service": service.name, "bake": rng.choice(("2m", "5m")), "steps": ladder}
    releases = tuple(
        replace(each, quality="worn") if _may_wear(each, service) and rng.random() < 0.3 else each
        for each in service.releases
    )
    return replace(service, judge=judge, releases=releases)


def _may_wear(release: Release, service: Service) -> bool:
    """Say whether a version is good so far, and not the one that everything began with."""
    return release.quality == "good" and release.image != f"{service.name}:1"


def _upstream(rng: Random, name: str) -> Window:
    """Draw when what all versions of a service need fails for a while."""
    return Window("upstream", rng.uniform(200.0, 900.0), rng.choice((60.0, 120.0)), name)


def _release(rng: Random, name: str, number: int) -> Release:
    """Draw a release; now and then it goes back to the first version."""
    bad = [each for each in QUALITIES if each not in ("good", "worn")]
    quality = "good" if rng.random() < 0.5 else rng.choice(bad)
    back = number > 2 and rng.random() < 0.15
    return Release(
        image=f"{name}:1" if back else f"{name}:{number}",
        quality="good" if back else quality,
        after_s=rng.uniform(5.0, 120.0),
        retried=rng.random() < 0.3,
        deeds=tuple(Deed(verb, rng.uniform(1.0, 240.0)) for verb in DEEDS if rng.random() < DEEDS[verb]),
    )


def _again_and_again(rng: Random, names: list[str]) -> tuple[Window, ...]:
    """Draw one fault that comes back all the time, so that it meets whatever happens."""
    kind, well_s, begins_at, windows = rng.choice(("store", "store", "router", "stall")), 60.0, 60.0, []
    where = "the engine" if kind == "stall" else ""
    for _ in range(5):
        windows.append(Window(kind, begins_at, rng.choice((45.0, 90.0)), where))
        begins_at += windows[-1].lasts_s + well_s
    return (*windows, *_now_and_then(rng, names)[:1])


def _now_and_then(rng: Random, names: list[str]) -> tuple[Window, ...]:
    """Draw some faults that have nothing to do with each other."""
    return tuple(_window(rng, names) for _ in range(rng.choice((0, 1, 2, 2, 3, 4))))


_EVERYWHERE = {"store", "twice", "slow", "repeat"}
"""Faults that know no place."""


def _window(rng: Random, names: list[str]) -> Window:
    """Draw a fault that lasts for a while."""
    kind = rng.choice([each for each in FAULTS if each not in ("crash", "upstream")])
    where = rng.choice(names) if rng.random() < 0.5 or kind in ("stable", "pods") else ""
    if kind == "stall":
        where = "the engine"
    elif kind in _EVERYWHERE:
        where = ""
    return Window(kind, rng.uniform(0.0, 700.0), rng.choice((10.0, 45.0, 120.0, 300.0)), where)


# Strategies:


_ARGUMENTS = [{"name": "version", "valueFrom": {"podTemplateHashValue": "Latest"}}]


def _gate(rng: Random, name: str) -> Strategy:
    """Draw the analysis of a step."""
    template = f"{name}-{rng.choice(('strict', 'lenient'))}"
    return {"analysis": {"templates": [{"templateName": template}], "args": _ARGUMENTS}}


def _pause(rng: Random) -> Strategy:
    """Draw a pause, for a time or until somebody promotes."""
    return {"pause": {} if rng.random() < 0.25 else {"duration": rng.choice((15, 30, 60))}}


def _steps(rng: Random, name: str, weights: list[int]) -> list[Strategy]:
    """Draw what stands between weights: pauses and analyses; the first weight always has an analysis."""
    steps: list[Strategy] = []
    for number, weight in enumerate(weights):
        steps.append({"setWeight": weight})
        if number == 0 or rng.random() < 0.4:
            steps.append(_gate(rng, name))
        if rng.random() < 0.6:
            steps.append(_pause(rng))
        if rng.random() < ASIDE:
            steps.append(rng.choice(ASIDES)(rng, name))
    return steps


def _scale(rng: Random, _name: str) -> Strategy:
    """Draw a scale of the canary apart from its weight, or the end of one."""
    return {"setCanaryScale": rng.choice(({"replicas": 2}, {"weight": 50}, {"matchTrafficWeight": True}))}


def _header(_rng: Random, name: str) -> Strategy:
    """Let some requests be sent by a header; the users of a world never have it."""
    match = [{"headerName": "x-tester", "headerValue": {"exact": "yes"}}]
    return {"setHeaderRoute": {"name": f"{name}-testers", "match": match}}


def _mirror(rng: Random, name: str) -> Strategy:
    """Let some requests be copied; a copy meets nobody."""
    match = [{"path": {"prefix": "/"}}]
    return {"setMirrorRoute": {"name": f"{name}-copies", "percentage": rng.choice((10, 100)), "match": match}}


def _experiment(rng: Random, name: str) -> Strategy:
    """Draw an experiment with both versions, judged or only for a time."""
    sides = [{"name": side, "specRef": side} for side in ("stable", "canary")]
    judged = {"name": "strict", "templateName": f"{name}-strict", "requiredForCompletion": True}
    analyses = [{**judged, "args": _ARGUMENTS}] if rng.random() < 0.6 else []
    return {"experiment": {"templates": sides, "duration": "40s", "analyses": analyses}}


ASIDES = (_scale, _header, _mirror, _experiment)
"""Steps that move no weight of their own, for canaries with a router."""
ASIDE = 0.25
"""How often one follows a weight."""


def _background(rng: Random, name: str) -> Strategy:
    """Draw an analysis that runs beside the steps, or none."""
    templates = [{"templateName": f"{name}-watching"}]
    analysis = {"templates": templates, "args": _ARGUMENTS, "startingStep": rng.choice((0, 1, 2))}
    return {"analysis": analysis} if rng.random() < 0.3 else {}


def _routed(rng: Random, name: str, _replicas: int) -> Strategy:
    """Draw a canary whose traffic a router splits."""
    weights = sorted(rng.sample((5, 10, 20, 40, 50, 80), rng.choice((1, 2, 2, 3))))
    routes = [{"name": f"{name}-testers"}, {"name": f"{name}-copies"}]
    return {
        "canary": {
            "canaryService": f"{name}-canary",
            "stableService": f"{name}-stable",
            "trafficRouting": {"istio": {"virtualService": {"name": name}}, "managedRoutes": routes},
            "scaleDownDelaySeconds": rng.choice((0, 30)),
            "abortScaleDownDelaySeconds": rng.choice((0, 10, 30)),
            "steps": _steps(rng, name, weights),
            **_background(rng, name),
        }
    }


def _by_pods(rng: Random, name: str, replicas: int) -> Strategy:
    """Draw a canary whose traffic follows the ratio of its pods."""
    weights = sorted(rng.sample((25, 50, 75), rng.choice((1, 2))))
    surge = {"maxSurge": 1, "maxUnavailable": rng.choice((0, 1)) if replicas > 1 else 0}
    steps = [step for step in _steps(rng, name, weights) if not step.keys() & _NEEDS_A_ROUTER]
    return {"canary": {"steps": steps, **surge, **_background(rng, name)}}


_NEEDS_A_ROUTER = {"setCanaryScale", "setHeaderRoute", "setMirrorRoute", "experiment"}


def _rolling(rng: Random, _name: str, _replicas: int) -> Strategy:
    """Draw a rolling update, which asks for no evidence."""
    return {"canary": {"maxSurge": rng.choice((1, "50%")), "maxUnavailable": 0}}


def _blue_green(rng: Random, name: str, replicas: int) -> Strategy:
    """Draw an update in which all users move at once."""
    by = rng.choice(({"autoPromotionEnabled": False}, {"autoPromotionSeconds": 30}, {}))
    before = {"prePromotionAnalysis": _gate(rng, name)["analysis"]} if rng.random() < 0.8 else {}
    after = {"postPromotionAnalysis": _gate(rng, name)["analysis"]} if rng.random() < 0.5 else {}
    return {
        "blueGreen": {
            "activeService": f"{name}-active",
            "previewService": f"{name}-preview",
            "previewReplicaCount": rng.randint(1, replicas),
            "scaleDownDelaySeconds": rng.choice((10, 30)),
            "abortScaleDownDelaySeconds": rng.choice((0, 30)),
            **by,
            **before,
            **after,
        }
    }


STRATEGIES: dict[str, Callable[[Random, str, int], Strategy]] = {
    "canary by router": _routed,
    "canary with gates": _routed,
    "canary by pods": _by_pods,
    "rolling update": _rolling,
    "blue/green": _blue_green,
}
"""How a rollout may be updated, as `spec.strategy`; a row twice is drawn twice as often."""
