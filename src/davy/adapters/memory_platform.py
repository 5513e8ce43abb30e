"""A platform in memory: replicas are as well as they are said to be, and a split is in force when it may be.

It keeps every promise of `davy.rollout.platform.Platform` at once instead of in the background. Tests and
simulations steer the world through its attributes and the methods that are not of the protocol.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from davy.adapters.images import ImageNotMapped
from davy.errors import Undecided
from davy.ledger.lease import Fenced
from davy.model.images import ImageMap
from davy.model.key import Key
from davy.model.pod import PodTemplateSpec
from davy.model.side_route import HeaderRoute, SideRoute
from davy.rollout.platform import Desired, Launch, Platform, Pod, ReplicaSet, Seen, ServicePoint
from davy.traffic.reach import publishable

_FIRST_PORT = 20000
_FIRST_SERVICE_PORT = 30000


@dataclass(slots=True)
class _Rollout:
    port: int
    desired: Desired
    pods: dict[str, Pod] = field(default_factory=dict)
    ready_since: dict[str, float] = field(default_factory=dict)
    weights: dict[str, int] | None = None
    routes: tuple[SideRoute, ...] = ()
    services: dict[str, ServicePoint] = field(default_factory=dict)
    reachable: set[str] = field(default_factory=set)
    waiting: str = ""


class MemoryPlatform:
    """Runs nothing, and shows what it was told.

    Args:
        now: tells the time, for starts and for how long a replica has been ready.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.pods_get_ready = True
        """Whether new replicas are ready at once; else they wait for `make_ready`."""
        self.sick: set[str] = set()
        """Hashes of which no new replica is ready by itself."""
        self.pods_leave = True
        """Whether replicas that were told to go have gone at once; else they wait for `let_go`."""
        self.refusal = ""
        """Why the data plane does not acknowledge any split, route or service, or nothing when it does."""
        self.unmapped: set[str] = set()
        """Images that nothing explains."""
        self.digests: dict[str, str] = {}
        """What is behind an image now; moving a tag is changing its digest."""
        self.steered: list[tuple[Key, Desired]] = []
        """Everything that was asked for, in order."""
        self.changed: Callable[[Key], None] = lambda _: None
        """Called when replicas or the split of a rollout changed, as an engine wants to be told."""
        self.epoch = 0
        """The highest epoch that took over; see `under`."""
        self._now = now
        self._rollouts: dict[Key, _Rollout] = {}
        self._maps: dict[Key, ImageMap] = {}
        self._made = 0
        self._services_made = 0

    # The protocol:

    def use_images(self, images: ImageMap) -> None:
        """Take in what stands behind images."""
        self._maps[images.key] = images

    def resolve(self, key: Key, template: PodTemplateSpec) -> Launch:
        """Say that an image is started by its own name."""
        image = template.spec.containers[0].image
        if image in self.unmapped:
            raise ImageNotMapped(
                f"nothing says what image {image} runs on this machine", hint=f'add to an ImageMap: "{image}"'
            )
        return Launch(argv=(image,), directory="/", digest=self.digests.get(image, ""))

    def look(self, key: Key) -> Seen:
        """Say what there is."""
        rollout = self._rollouts.get(key)
        if rollout is None:
            return Seen()
        pods = tuple(self._show(rollout, pod) for pod in rollout.pods.values())
        return Seen(
            pods=pods,
            weights=rollout.weights,
            port=rollout.port,
            trouble=rollout.waiting,
            routes=rollout.routes,
            services=rollout.services,
        )

    def steer(self, key: Key, desired: Desired) -> None:
        """Make it so, at once."""
        self.steered.append((key, desired))
        rollout = self._rollouts.get(key)
        if rollout is None:
            rollout = _Rollout(desired.port or _FIRST_PORT + len(self._rollouts), desired)
            self._rollouts[key] = rollout
        self._publish(rollout, desired)
        rollout.port = desired.port or rollout.port
        rollout.desired = desired
        self._converge(key, rollout)
        self.changed(key)

    def forget(self, key: Key) -> None:
        """Stop everything that belongs to a rollout."""
        self._rollouts.pop(key, None)

    def under(self, epoch: int) -> Platform:
        """Return the platform for the engine of an epoch; those of earlier ones are refused from now on."""
        self.epoch = max(self.epoch, epoch)
        return _Fenced(self, epoch)

    # The world:

    def make_ready(self, key: Key, hash_: str, *, count: int | None = None) -> None:
        """Let replicas of a revision become ready, all of them unless a number is given."""
        rollout = self._rollouts[key]
        waiting = [pod for pod in self._of(rollout, hash_) if not pod.ready]
        for pod in waiting[:count]:
            rollout.pods[pod.name] = msgspec.structs.replace(pod, phase="Running", ready=True, message="")
            rollout.ready_since[pod.name] = self._now()
        self._settle(rollout)
        self.changed(key)

    def make_unready(
        self, key: Key, hash_: str, message: str = "does not answer", *, count: int | None = None
    ) -> None:
        """Let replicas of a revision fail their readiness probe."""
        self._hurt(key, hash_, message, count, phase="Running", restarts=0)

    def crash(
        self, key: Key, hash_: str, message: str = "exited with code 1", *, count: int | None = None
    ) -> None:
        """Let replicas of a revision crash; they come back by `make_ready`."""
        self._hurt(key, hash_, message, count, phase="CrashLoopBackOff", restarts=1)

    def let_go(self, key: Key) -> None:
        """Let the replicas that were told to go be gone."""
        rollout = self._rollouts[key]
        for pod in [pod for pod in rollout.pods.values() if pod.phase == "Terminating"]:
            del rollout.pods[pod.name]
        self.changed(key)

    # Inside:

    def _show(self, rollout: _Rollout, pod: Pod) -> Pod:
        carried = {each.hash: each.metadata for each in rollout.desired.replica_sets}
        pod = msgspec.structs.replace(pod, metadata=carried.get(pod.hash, pod.metadata))
        if not pod.ready:
            return pod
        since = rollout.ready_since[pod.name]
        return msgspec.structs.replace(pod, available=self._now() >= since + rollout.desired.min_ready_s)

    def _publish(self, rollout: _Rollout, desired: Desired) -> None:
        split = publishable(desired.weights, rollout.weights or {}, rollout.reachable)
        weights = rollout.weights if split is None else split
        routes = tuple(route for route in desired.routes if route.hash in rollout.reachable)
        if weights is not None and (weights, routes) != (rollout.weights, rollout.routes):
            if self.refusal:
                raise Undecided(self.refusal)
            rollout.weights, rollout.routes = weights, routes
        late = sorted(desired.called() - rollout.reachable)
        rollout.waiting = f"no replica of {' and '.join(late)} is ready to take traffic" if late else ""

    def _lead(self, rollout: _Rollout) -> None:
        """Lead services to the revisions that can be reached; the others stay where they are."""
        services = {
            name: rollout.services[name] for name in rollout.services if name in rollout.desired.services
        }
        for name, point in rollout.desired.services.items():
            if point.hash in rollout.reachable:
                port = point.port or (services[name].port if name in services else self._service_port())
                services[name] = ServicePoint(point.hash, port)
        rollout.services = services

    def _service_port(self) -> int:
        self._services_made += 1
        return _FIRST_SERVICE_PORT + self._services_made

    def _converge(self, key: Key, rollout: _Rollout) -> None:
        wanted = {each.hash: each for each in rollout.desired.replica_sets}
        for name in rollout.desired.evict:
            if name in rollout.pods and rollout.pods[name].phase != "Terminating":
                self._release(rollout, rollout.pods[name])
        for revision in wanted.values():
            for _ in range(revision.replicas - len(self._of(rollout, revision.hash))):
                self._create(key, rollout, revision)
        for hash_ in {pod.hash for pod in rollout.pods.values()}:
            staying = sorted(self._of(rollout, hash_), key=lambda pod: (pod.ready, -pod.started_at))
            surplus = len(staying) - (wanted[hash_].replicas if hash_ in wanted else 0)
            for pod in staying[: max(0, surplus)]:
                self._release(rollout, pod)
        self._settle(rollout)

    def _create(self, key: Key, rollout: _Rollout, revision: ReplicaSet) -> None:
        self._made += 1
        ready = self.pods_get_ready and revision.hash not in self.sick
        pod = Pod(
            name=f"{key.name}-{revision.hash}-{self._made:05}",
            hash=revision.hash,
            phase="Running" if ready else "Pending",
            ready=ready,
            available=False,
            restarts=0,
            started_at=self._now(),
            port=_FIRST_PORT + 1000 + self._made,
            message="" if ready else "not ready yet",
            metadata=revision.metadata,
        )
        rollout.pods[pod.name] = pod
        rollout.ready_since[pod.name] = self._now()

    def _release(self, rollout: _Rollout, pod: Pod) -> None:
        if self.pods_leave:
            del rollout.pods[pod.name]
        else:
            rollout.pods[pod.name] = msgspec.structs.replace(pod, phase="Terminating", ready=False)

    def _settle(self, rollout: _Rollout) -> None:
        """Find out who can be reached, and publish what waited for that; a refusal is met by the next steer."""
        carrying = {hash_ for hash_, weight in (rollout.weights or {}).items() if weight}
        carrying |= {route.hash for route in rollout.routes if isinstance(route, HeaderRoute)}
        ready = {pod.hash for pod in rollout.pods.values() if pod.ready}
        rollout.reachable = ready | (rollout.reachable & carrying)
        if not self.refusal:
            self._publish(rollout, rollout.desired)
            self._lead(rollout)

    def _hurt(
        self, key: Key, hash_: str, message: str, count: int | None, *, phase: str, restarts: int
    ) -> None:
        rollout = self._rollouts[key]
        well = [pod for pod in self._of(rollout, hash_) if pod.ready]
        for pod in (well or self._of(rollout, hash_))[:count]:
            rollout.pods[pod.name] = msgspec.structs.replace(
                pod,
                phase=phase,
                ready=False,
                available=False,
                message=message,
                restarts=pod.restarts + restarts,
            )
        self._settle(rollout)
        self.changed(key)

    @staticmethod
    def _of(rollout: _Rollout, hash_: str) -> list[Pod]:
        return [pod for pod in rollout.pods.values() if pod.hash == hash_ and pod.phase != "Terminating"]


@dataclass(frozen=True, slots=True)
class _Fenced:
    """A platform in memory as the engine of one epoch uses it."""

    platform: MemoryPlatform
    epoch: int

    def use_images(self, images: ImageMap) -> None:
        """Take in what stands behind images."""
        self._writable().use_images(images)

    def resolve(self, key: Key, template: PodTemplateSpec) -> Launch:
        """Say how an image is started."""
        return self.platform.resolve(key, template)

    def look(self, key: Key) -> Seen:
        """Say what there is."""
        return self.platform.look(key)

    def steer(self, key: Key, desired: Desired) -> None:
        """Make it so, unless a later engine has taken over."""
        self._writable().steer(key, desired)

    def forget(self, key: Key) -> None:
        """Stop everything that belongs to a rollout, unless a later engine has taken over."""
        self._writable().forget(key)

    def _writable(self) -> MemoryPlatform:
        if self.epoch < self.platform.epoch:
            raise Fenced(f"epoch {self.platform.epoch}")
        return self.platform
