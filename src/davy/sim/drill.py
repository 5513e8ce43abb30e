"""A drill: one world played from its seed, and what came of it as a value that can be shown and compared."""

import msgspec

from davy.control.views import API_VERSION
from davy.sim.faults import FAULTS
from davy.sim.ground import Parts
from davy.sim.invariants import Broken
from davy.sim.plan import Plan, draw
from davy.sim.story import Line
from davy.sim.world import World


class Ending(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a version in the end: promoted, taken back, superseded, under way."""

    rollout: str
    revision: int
    images: tuple[str, ...]
    ended: str


class BrokenView(msgspec.Struct, frozen=True, rename="camel"):
    """The invariant that does not hold, what it promises, and how it is broken."""

    invariant: str
    promise: str
    why: str


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="DrillReport", tag_field="kind"):
    """One world: what it was, what happened in it, and whether every invariant held."""

    api_version: str = API_VERSION
    seed: int
    rollouts: tuple[str, ...]
    faults: tuple[str, ...]
    endings: tuple[Ending, ...]
    broken: BrokenView | None
    events: int
    seconds: float
    story: tuple[Line, ...] = ()


def drill(
    seed: int, parts: Parts, faults: frozenset[str] = frozenset(FAULTS), *, detailed: bool = False
) -> Report:
    """Play the world of a seed. The same seed and faults give the same report, to the byte."""
    return play(draw(seed, faults), parts, detailed=detailed)


def play(plan: Plan, parts: Parts, *, die_at: int | None = None, detailed: bool = False) -> Report:
    """Play a world that was drawn."""
    world = World(plan, parts, die_at=die_at, detailed=detailed)
    broken = None
    try:
        world.run()
    except Broken as error:
        broken = BrokenView(error.invariant, error.promise, error.why)
    return Report(
        seed=plan.seed,
        rollouts=tuple(
            f"{service.name} ({service.strategy}, replicas: {service.replicas})" for service in plan.services
        ),
        faults=(
            *(f"{window.kind} {window.where}".strip() for window in plan.windows),
            *(("crash",) if plan.crash_risk else ()),
        ),
        endings=_endings(world),
        broken=broken,
        events=world.events,
        seconds=round(world.clock.time, 3),
        story=tuple(world.story.lines),
    )


def _endings(world: World) -> tuple[Ending, ...]:
    """Say how each version ended; of several attempts at one, the last counts."""
    found = {}
    for key, track in sorted(world.history.tracks.items()):
        for attempt in track.attempts:
            image = world.terrain.images.get(attempt.hash, attempt.hash)
            found[key, attempt.revision] = Ending(str(key), attempt.revision, (image,), attempt.ended)
    return tuple(found.values())


def a_restart_gives_the_same_outcome(undisturbed: Report, disturbed: Report) -> str:
    """A restart anywhere gives the same outcome.

    In a world whose outcome is no matter of timing (`davy.sim.plan.steady`), an engine that is killed between
    any two calls and started again ends every version as one that was left in peace. Returns what differs, or
    an empty string.
    """
    pairs = zip(undisturbed.endings, disturbed.endings, strict=False)
    differing = [f"{calm} in peace, {other} with a crash" for calm, other in pairs if calm != other]
    if len(undisturbed.endings) != len(disturbed.endings):
        differing.append(f"{len(undisturbed.endings)} endings in peace, {len(disturbed.endings)} with a crash")
    return "; ".join(differing)
