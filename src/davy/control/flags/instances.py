"""Who evaluates by which document: what instances themselves have said, not what was sent to them."""

import threading
from collections.abc import Callable

import msgspec

from davy.flags.remote import Acknowledgement, Instance

MOST = 20_000
"""How many instances are known at once; of more it is only known that there are some."""


class Heard(msgspec.Struct, frozen=True):
    """An instance and the version that it evaluates by; `since` is when it first said so of this version."""

    instance: Instance
    version: int
    digest: str
    since: float
    seen: float


class Instances:
    """The instances that are connected; usable from any thread.

    Args:
        now: tells the time.
        news: called when one has told something new.
    """

    def __init__(self, now: Callable[[], float], news: Callable[[], None]) -> None:
        self._now, self._news = now, news
        self._guard = threading.Lock()
        self._heard: dict[str, Heard] = {}
        self._beyond: set[str] = set()

    @property
    def is_incomplete(self) -> bool:
        """Whether there are instances of which nothing is known, so that nobody can say that all have heard."""
        return bool(self._beyond)

    @property
    def connected(self) -> tuple[Heard, ...]:
        """All of them, by their id."""
        with self._guard:
            return tuple(heard for _, heard in sorted(self._heard.items()))

    def find(self, id_: str) -> Heard | None:
        """Return what one has said."""
        return self._heard.get(id_)

    def acknowledge(self, told: Acknowledgement) -> None:
        """Take in which version one evaluates by.

        What comes late of an earlier version is left alone, and so is what another one says by the same id.
        """
        now, id_ = self._now(), told.instance.id
        with self._guard:
            known = self._heard.get(id_)
            if known is None and len(self._heard) >= MOST:
                if len(self._beyond) < MOST:
                    self._beyond.add(id_)
                return
            if known is not None and not _succeeds(told, known):
                return
            self._beyond.discard(id_)
            fresh = known is None or told.version > known.version
            since = now if fresh or known is None else known.since
            self._heard[id_] = Heard(told.instance, told.version, told.digest, since, now)
        if fresh:
            self._news()

    def left(self, id_: str) -> None:
        """Forget one."""
        with self._guard:
            gone = self._heard.pop(id_, None)
            self._beyond.discard(id_)
        if gone is not None:
            self._news()

    def lacking(self, version: int) -> tuple[Heard, ...]:
        """Return those that have not said that they evaluate by a version or a later one."""
        return tuple(heard for heard in self.connected if heard.version < version)


def _succeeds(told: Acknowledgement, known: Heard) -> bool:
    return told.instance.service == known.instance.service and told.version >= known.version
