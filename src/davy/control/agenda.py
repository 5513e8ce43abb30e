"""Whose turn it is: rollouts to which something happened, then those whose time has come.

What nobody asks about costs nothing. So that a piece of news which got lost does no lasting harm, everyone is
looked at every few seconds all the same, spread evenly over that time.
"""

import heapq
import threading
import zlib
from itertools import islice

from davy.model.key import Key

LOOK_S = 5.0
"""Seconds of the clock after which a rollout is looked at even when nothing happened to it."""

SLOTS = 20
"""Into how many moments those looks are gathered, so that the loop wakes up for many at a time."""


class Agenda:
    """Keeps who is next. Anyone may kick, from any thread; the loop takes and puts back.

    Args:
        look_s: seconds of the clock after which a rollout is looked at even when nothing happened to it.
    """

    def __init__(self, look_s: float = LOOK_S) -> None:
        self._look_s = look_s
        self._guard = threading.Lock()
        self._kicked: dict[Key, None] = {}
        self._at: dict[Key, float] = {}
        self._times: list[tuple[float, Key]] = []  # a heap; what `_at` does not confirm is out of date

    def kick(self, *keys: Key) -> None:
        """Say that something happened to these, or to all of them where none is named."""
        with self._guard:
            self._kicked |= dict.fromkeys(keys or self._at)

    def put(self, key: Key, at: float | None, now: float) -> None:
        """Have a rollout looked at when it asks for it, and not much later than everyone is."""
        look = _next_look(key, now, self._look_s)
        at = look if at is None else min(at, look)
        with self._guard:
            if self._at.get(key) != at:
                self._at[key] = at
                heapq.heappush(self._times, (at, key))

    def drop(self, key: Key) -> None:
        """Forget a rollout that is no more."""
        with self._guard:
            self._kicked.pop(key, None)
            self._at.pop(key, None)

    def take(self, now: float, most: int) -> list[Key]:
        """Take so many out at most, those first to which something happened."""
        with self._guard:
            taken = dict.fromkeys(islice(self._kicked, most))
            for key in taken:
                del self._kicked[key]
            while len(taken) < most and self._next_time() <= now:
                _, key = heapq.heappop(self._times)
                self._at[key] = float("inf")  # until it is put back
                taken[key] = None
            return list(taken)

    def next_at(self, now: float) -> float | None:
        """Say when there is somebody to take, None for not before something happens."""
        with self._guard:
            at = now if self._kicked else self._next_time()
            return None if at == float("inf") else at

    def _next_time(self) -> float:
        while self._times and self._at.get(self._times[0][1]) != self._times[0][0]:
            heapq.heappop(self._times)
        return self._times[0][0] if self._times else float("inf")


def _next_look(key: Key, now: float, look_s: float) -> float:
    """Find the next of the moments that are a rollout's own, the same after every restart."""
    phase = zlib.crc32(str(key).encode()) % SLOTS * look_s / SLOTS
    at = now - (now - phase) % look_s + look_s
    return at if at > now else at + look_s
