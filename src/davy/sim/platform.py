"""The platform of a world: replicas take time to start, and the data plane may not answer."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from davy.errors import Undecided
from davy.ledger.lease import Fenced
from davy.model.images import ImageMap
from davy.model.key import Key
from davy.model.pod import PodTemplateSpec
from davy.rollout.platform import Desired, Launch, Platform, Seen
from davy.sim.faults import Boundary, Weather
from davy.sim.ground import Ground
from davy.sim.happenings import Asked, Happening, SplitChanged, Wrote
from davy.sim.timeline import Timeline

LAG_S = 7.0
"""How long after it was given up on a lagging data plane takes a split over."""


@dataclass(slots=True)
class Terrain:
    """Puts time and faults between engines and a platform in memory.

    Args:
        ground: the platform in memory.
        weather: which faults there are.
        timeline: where what takes time is planned.
        changes: is told for whose users something is about to change.
        changed: is told whose replicas or split changed, as an engine wants to be.
        start_s: how long a replica takes until it is ready, by its rollout, image and name; None is never.
        tell: is told what happens.
    """

    ground: Ground
    weather: Weather
    timeline: Timeline
    changes: Callable[[Key], None]
    changed: Callable[[Key], None]
    start_s: Callable[[Key, str, str], float | None]
    tell: Callable[[Happening], None]
    images: dict[str, str] = field(default_factory=dict)
    """The image behind each hash, as the engines told it."""
    _shares: dict[Key, dict[str, float]] = field(default_factory=dict)
    _ready: dict[Key, frozenset[str]] = field(default_factory=dict)
    _looks: dict[Key, object] = field(default_factory=dict)
    _pods: set[str] = field(default_factory=set)
    _asked: dict[Key, Desired] = field(default_factory=dict)
    _late: dict[Key, Desired] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ground.pods_get_ready = False

    # The world:

    def split(self, key: Key) -> Mapping[str, float]:
        """Return the shares in force, those that have nothing left out."""
        return self._shares.get(key, {})

    def answers(self, key: Key, hash_: str) -> bool:
        """Say whether any replica of a version is ready."""
        return hash_ in self._ready.get(key, frozenset())

    def deaf(self, key: Key) -> bool:
        """Say whether the data plane of a rollout does not acknowledge what it is told."""
        return self.weather.has("router", key.name) or self.weather.has("lag", key.name)

    def hurt(self, key: Key, hash_: str, *, crash: bool, count: int | None = None) -> None:
        """Let replicas crash, or fail their probes."""
        harm = self.ground.crash if crash else self.ground.make_unready
        self._acting(key, lambda: harm(key, hash_, count=count))

    def heal(self, key: Key, hash_: str, *, count: int | None = None) -> None:
        """Let replicas be ready."""
        if key in self._shares:
            self._acting(key, lambda: self.ground.make_ready(key, hash_, count=count))

    # Inside:

    def steer(self, key: Key, desired: Desired, through: Platform) -> None:
        """Do what the engine behind a fence asks for, as far as the weather lets it be."""
        self.tell(Asked(key, desired, self._asked.get(key)))
        self._asked[key] = desired
        for each in desired.replica_sets:
            self.images[each.hash] = each.template.spec.containers[0].image
        if self.weather.has("lag", key.name) and shares(desired.weights) != self.split(key):
            if self._late.get(key) != desired:
                self._late[key] = desired
                self.timeline.after(LAG_S, lambda: self._take_over(key, desired, through))
            raise Undecided("the data plane did not acknowledge in time")
        self._late.pop(key, None)
        for _ in range(2 if self.weather.has("twice") else 1):
            self._acting(key, lambda: through.steer(key, desired))

    def _take_over(self, key: Key, desired: Desired, through: Platform) -> None:
        """Let a split be in force that was given up on, unless another was asked for meanwhile."""
        if self._late.get(key) is desired and not self.weather.has("router", key.name):
            del self._late[key]
            with suppress(Fenced):
                self._acting(key, lambda: through.steer(key, desired))

    def _acting(self, key: Key, act: Callable[[], None]) -> None:
        """Do something to the ground, and see what became of it."""
        self.changes(key)
        silent = self.weather.has("router", key.name)
        self.ground.refusal = "the data plane does not answer" if silent else ""
        try:
            act()
        finally:
            self.ground.refusal = ""
            self._see(key)

    def _see(self, key: Key) -> None:
        """Find out what changed: a split, replicas that came."""
        seen = self.ground.look(key)
        self._ready[key] = frozenset(pod.hash for pod in seen.pods if pod.ready)
        for pod in seen.pods:
            if pod.name not in self._pods:
                self._pods.add(pod.name)
                self._start(key, pod.hash, pod.name)
        before, after = self._shares.get(key, {}), shares(seen.weights or {})
        self._shares[key] = after
        if before != after:
            self.tell(SplitChanged(key, before, after))
        looks = (seen.weights, seen.routes, tuple((pod.name, pod.phase, pod.ready) for pod in seen.pods))
        if self._looks.get(key) != looks:
            self._looks[key] = looks
            self.changed(key)

    def _start(self, key: Key, hash_: str, name: str) -> None:
        """Let a replica become ready in its time, if it ever does."""
        seconds = self.start_s(key, self.images.get(hash_, ""), name)
        if seconds is not None:
            self.timeline.after(seconds, lambda: self.heal(key, hash_, count=1))


@dataclass(frozen=True, slots=True)
class SimulatedPlatform:
    """The platform as the engine of one epoch reaches it.

    Args:
        terrain: what all engines share.
        boundary: what this engine crosses.
        epoch: under which lease it acts.
        fenced: the platform in memory for that epoch.
    """

    terrain: Terrain
    boundary: Boundary
    epoch: int
    fenced: Platform

    def use_images(self, images: ImageMap) -> None:
        """Take in what stands behind images."""
        self.boundary.cross("platform.use_images", lambda: self.fenced.use_images(images))

    def resolve(self, key: Key, template: PodTemplateSpec) -> Launch:
        """Say how an image is started."""
        return self.boundary.cross("platform.resolve", lambda: self.fenced.resolve(key, template))

    def look(self, key: Key) -> Seen:
        """Say what there is."""
        return self.boundary.cross("platform.look", lambda: self.fenced.look(key))

    def steer(self, key: Key, desired: Desired) -> None:
        """Make it so."""
        self.boundary.cross("platform.steer", lambda: self._steer(key, desired))

    def forget(self, key: Key) -> None:
        """Stop everything that belongs to a rollout."""
        self.boundary.cross("platform.forget", lambda: self.fenced.forget(key))

    def _steer(self, key: Key, desired: Desired) -> None:
        if self.epoch < self.terrain.ground.epoch:
            self.fenced.steer(key, desired)  # is refused: nothing of it comes to pass
            return
        self.terrain.steer(key, desired, self.fenced)
        self.terrain.tell(Wrote(self.epoch, "the platform"))


def shares(weights: Mapping[str, int]) -> dict[str, float]:
    """Turn weights into shares of the whole, without those that have nothing."""
    whole = sum(weights.values())
    return {hash_: weight / whole for hash_, weight in weights.items() if weight}
