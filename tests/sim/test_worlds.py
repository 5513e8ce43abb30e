"""Three hundred worlds in which every invariant holds, and the same outcome wherever an engine dies."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from random import Random

import pytest
from tests.sim.mutations import PARTS, a_restart_breaks_what_was_measured

from davy.ledger.entry import FROM_OUTSIDE, KINDS
from davy.sim.drill import a_restart_gives_the_same_outcome, drill, play
from davy.sim.faults import FAULTS
from davy.sim.plan import QUALITIES, STRATEGIES, draw, steady
from davy.sim.world import World

WORLDS = 300
BLOCK = 25
DURING_AN_ANALYSIS = 270
"""A place in the steady world 0 at which an engine dies that waits for an answer."""
POLICIES = {kind for kind in KINDS if kind.startswith(("waiver_", "policy_", "glass_"))}
"""What is written down of policies and waivers: the engines of worlds are started without a pack."""
FLAGS = {kind for kind in KINDS if kind.startswith("flag_")}
"""What is written down of flags: worlds have none."""
NEVER_IN_A_WORLD = {"object_deleted", *POLICIES, *FLAGS, *FROM_OUTSIDE}


@pytest.fixture(scope="module")
def told() -> Iterator[Counter[str]]:
    """Counts what happened in the worlds that were played."""
    counted: Counter[str] = Counter()
    yield counted
    if counted["worlds"] == WORLDS:
        missing = [what for what in sorted(KINDS.keys() - NEVER_IN_A_WORLD) if not counted[what]]
        assert not missing, f"no world has {missing}"


@pytest.fixture(scope="module")
def ended() -> Iterator[Counter[tuple[bool, str]]]:
    """Counts how good and bad versions ended in worlds without faults."""
    counted: Counter[tuple[bool, str]] = Counter()
    yield counted
    if sum(counted.values()) > 20:
        assert not counted[False, "promoted"]
        assert counted[False, "taken back"] > 3
        assert counted[True, "promoted"] > 3 * counted[True, "taken back"], "people take some back"


@pytest.mark.parametrize("first", range(0, WORLDS, BLOCK))
def test_every_invariant_holds(first: int, told: Counter[str]) -> None:
    for seed in range(first, first + BLOCK):
        report = drill(seed, PARTS)
        assert report.broken is None, f"davy drill --seed {seed}: {report.broken}"
        told["worlds"] += 1
        told.update({line.entry.kind for line in report.story if line.entry is not None})


def test_the_worlds_have_everything_that_can_be_drawn() -> None:
    plans = [draw(seed) for seed in range(WORLDS)]
    services = [service for plan in plans for service in plan.services]
    routed = [service for service in services if "trafficRouting" in str(service.spec)]
    assert {service.judge is not None for service in routed} == {True, False}
    assert {service.strategy for service in services} == STRATEGIES.keys()
    assert {release.quality for service in services for release in service.releases} == QUALITIES.keys()
    assert {window.kind for plan in plans for window in plan.windows} == FAULTS.keys() - {"crash"}
    assert {bool(plan.crash_risk) for plan in plans} == {plan.standby for plan in plans} == {True, False}


def test_leaving_a_fault_out_leaves_the_rest_of_a_world_as_it_is() -> None:
    for seed in range(30):
        whole, part = draw(seed), draw(seed, frozenset({"store"}))
        assert part.services == whole.services
        assert part.windows == tuple(window for window in whole.windows if window.kind == "store")
        assert part.crash_risk == 0.0


@pytest.mark.parametrize("seed", range(12))
def test_a_restart_anywhere_gives_the_same_outcome(seed: int, ended: Counter[tuple[bool, str]]) -> None:
    plan = steady(draw(seed))
    calm = play(plan, PARTS)
    assert calm.broken is None
    quality = {image: found for service in plan.services for image, found in service.qualities.items()}
    ended.update((quality[ending.images[0]].is_good, ending.ended) for ending in calm.endings)
    for place in islice(places(seed), 2):
        disturbed = play(plan, PARTS, die_at=place)
        assert disturbed.broken is None, f"steady world {seed}, died at {place}: {disturbed.broken}"
        differs = a_restart_gives_the_same_outcome(calm, disturbed)
        assert not differs, f"steady world {seed}, died at {place}: {differs}"


def places(seed: int) -> Iterator[int]:
    """Draw places between two calls of a steady world, at which its engine may die."""
    world = World(steady(draw(seed)), PARTS)
    world.run()
    rng = Random(seed)
    while True:
        yield rng.randint(1, 2 * world.processes[0].boundary.calls)


def test_a_restart_that_changes_the_outcome_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    a_restart_breaks_what_was_measured(monkeypatch)
    plan = steady(draw(0))
    disturbed = play(plan, PARTS, die_at=DURING_AN_ANALYSIS)
    assert disturbed.broken is None
    assert a_restart_gives_the_same_outcome(play(plan, PARTS), disturbed)


def test_the_same_seed_is_the_same_world_to_the_byte() -> None:
    for seed in (3, 7, 24, 53):
        assert drill(seed, PARTS) == drill(seed, PARTS)
