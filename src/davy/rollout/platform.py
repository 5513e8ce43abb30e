"""The platform seam: what a rollout wants of the world, and what it sees there.

Wanting is declarative. A `Desired` says how many replicas of each revision there should be and how
traffic is split between them; the platform converges on it, make before break, and may be told the same
thing any number of times. So the loop can crash between any two calls and simply say it again.
"""

from typing import Protocol

import msgspec

from davy.model.images import ImageMap
from davy.model.key import Key
from davy.model.rollout import PodTemplateMetadata, PodTemplateSpec
from davy.model.side_route import SideRoute


class Launch(msgspec.Struct, frozen=True):
    """How one replica of a revision is started on this platform.

    `digest` identifies what will run (a commit, a build), so that a moved tag makes a new revision;
    it is empty where the platform cannot tell.
    """

    argv: tuple[str, ...]
    directory: str
    digest: str = ""


class ReplicaSet(msgspec.Struct, frozen=True):
    """One revision of a rollout and how many replicas of it there should be.

    `hash` is the `rollouts-pod-template-hash`; `template` and `launch` never change under one hash. `metadata`
    is what its replicas carry for as long as they play their part, beside what the template says; it changes
    without a restart.
    """

    hash: str
    revision: int
    template: PodTemplateSpec
    launch: Launch
    replicas: int
    metadata: PodTemplateMetadata = PodTemplateMetadata()


class ServicePoint(msgspec.Struct, frozen=True):
    """A service that leads to one revision alone, on a loopback port of its own (None: any that is free)."""

    hash: str
    port: int | None = None


class Desired(msgspec.Struct, frozen=True):
    """What a rollout wants: its replica sets, and the share of traffic of each hash.

    `weights` maps hash to weight. They are relative (their sum is the whole), zero means no traffic, and a
    hash that is missing has no traffic either. `min_ready_s` is how long a replica has to be ready before
    it counts as available. `port` is the loopback port that users call, None to let the platform choose one.

    `routes` are tried before the split, the first that fits counts; one whose revision has no ready replica is
    left out until it has. As with weight, a header route in force stays when its last replica dies.
    `services` maps names to revisions that can be called by themselves (a preview, one side of an experiment):
    such requests are not users', and neither are mirrored ones; they are counted apart.
    `evict` names replicas that are to go and to be replaced; one that is gone already is no mistake.
    """

    replica_sets: tuple[ReplicaSet, ...]
    weights: dict[str, int]
    min_ready_s: float = 0.0
    port: int | None = None
    routes: tuple[SideRoute, ...] = ()
    services: dict[str, ServicePoint] = {}
    evict: tuple[str, ...] = ()

    def called(self) -> set[str]:
        """Name the revisions that are to get requests of any kind.

        A route or a service to a revision that is to have no replica waits for nothing.
        """
        staffed = {each.hash for each in self.replica_sets if each.replicas}
        beside = {*(each.hash for each in self.routes), *(each.hash for each in self.services.values())}
        return {hash_ for hash_, weight in self.weights.items() if weight} | (beside & staffed)


class Pod(msgspec.Struct, frozen=True):
    """One replica as it is now.

    `phase` is Pending, Running, CrashLoopBackOff or Terminating; `started_at` is in seconds of the clock (when
    it was made, until it starts), and `metadata` what it carries for the part it plays.
    """

    name: str
    hash: str
    phase: str
    ready: bool
    available: bool
    restarts: int
    started_at: float
    port: int
    message: str = ""
    metadata: PodTemplateMetadata = PodTemplateMetadata()


class Seen(msgspec.Struct, frozen=True):
    """What the platform shows of a rollout.

    `weights` is the split that the data plane has acknowledged, None while it has acknowledged none. `port`
    is where users reach the rollout, `trouble` says why the world is not as desired, or is empty. `routes` and
    `services` are those that the data plane has acknowledged, the ports of the services with them. `alarm` says
    why the traffic of an update has to go back at once, whatever is measured, or is empty.
    """

    pods: tuple[Pod, ...] = ()
    weights: dict[str, int] | None = None
    port: int | None = None
    trouble: str = ""
    routes: tuple[SideRoute, ...] = ()
    services: dict[str, ServicePoint] = {}
    alarm: str = ""

    def count(self, hash_: str) -> "Count":
        """Count the replicas of one revision, those on their way out not among them."""
        pods = [pod for pod in self.pods if pod.hash == hash_ and pod.phase != "Terminating"]
        return Count(
            created=len(pods),
            ready=sum(pod.ready for pod in pods),
            available=sum(pod.available for pod in pods),
        )


class Count(msgspec.Struct, frozen=True):
    """Replicas of one revision: existing, ready, and ready for long enough."""

    created: int = 0
    ready: int = 0
    available: int = 0


class Platform(Protocol):
    """Runs replicas and splits traffic."""

    def use_images(self, images: ImageMap) -> None:
        """Take in what stands behind images; the paths in it are absolute, and it replaces one of its name."""
        ...

    def resolve(self, key: Key, template: PodTemplateSpec) -> Launch:
        """Say how the image of a pod template is started here.

        Raises:
            Refused: nothing says what the image runs; the hint is the line to add.
        """
        ...

    def look(self, key: Key) -> Seen:
        """Say what there is, without changing or waiting for anything."""
        ...

    def steer(self, key: Key, desired: Desired) -> None:
        """Make it so.

        Traffic first: returns once the data plane has acknowledged the split and the routes, or raises. A
        weight is only published for a hash that has a ready replica. Replicas and services then follow in the
        background; a service leads to another revision as soon as that has a ready replica.

        Raises:
            Undecided: the data plane did not acknowledge; the split that it had is still the one in force.
        """
        ...

    def forget(self, key: Key) -> None:
        """Stop everything that belongs to a rollout and take its listener away."""
        ...
