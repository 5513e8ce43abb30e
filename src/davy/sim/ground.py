"""What a world stands on: a platform and a store in memory, handed in by whoever makes the world."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from davy.ledger.lease import Leases
from davy.ledger.store import Store
from davy.model.key import Key
from davy.rollout.platform import Platform


class Ground(Platform, Protocol):
    """A platform in memory whose replicas are as well as they are said to be."""

    pods_get_ready: bool
    refusal: str
    epoch: int

    def under(self, epoch: int) -> Platform:
        """Return the platform for the engine of an epoch; those of earlier ones are refused from now on."""
        ...

    def make_ready(self, key: Key, hash_: str, *, count: int | None = None) -> None:
        """Let replicas of a revision become ready."""
        ...

    def make_unready(self, key: Key, hash_: str, message: str = ..., *, count: int | None = None) -> None:
        """Let replicas of a revision fail their readiness probe."""
        ...

    def crash(self, key: Key, hash_: str, message: str = ..., *, count: int | None = None) -> None:
        """Let replicas of a revision crash."""
        ...


class SharedStore(Store, Leases, Protocol):
    """A store of which several engines would like to be the one that writes."""


@dataclass(frozen=True, slots=True)
class Parts:
    """How the parts are made that a world takes from elsewhere."""

    store: Callable[[], SharedStore]
    platform: Callable[[Callable[[], float]], Ground]
