"""A company's change events: as many as one likes, the same ones each time.

Five hundred services of which few have most changes (Zipf), over two years; changes go out alone or a few
together, in one or two regions; some fail, are mended, or are caught before a user meets them; incidents come
from them, and from nowhere. One event in a hundred comes twice, a clock is fast now and then, and the order is
the one of arrival.
"""

from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate
from random import Random

from davy.reports.event import Change, ChangeEvent, EventType

SERVICES = 500
WEEKS = 104
BEGIN = 1_704_067_200_000_000
"""Monday, 2024-01-01."""

SECOND = 1_000_000
HOUR = 3600 * SECOND
WEEK = 168 * HOUR


def stream(events: int, seed: int = 42) -> list[ChangeEvent]:
    """Return about so many events, in the order in which they arrive."""
    random = Random(seed)
    told: list[ChangeEvent] = []
    services = list(accumulate(1 / (rank + 1) ** 1.1 for rank in range(SERVICES)))
    last: dict[int, Change] = {}
    while len(told) < events:
        service = bisect(services, random.random() * services[-1])
        told += _story(random, service, len(told), last)
    told += random.sample(told, len(told) // 100)
    told.sort(key=lambda event: (event.received or event.time) + random.randrange(120 * SECOND))
    return told


def _story(random: Random, number: int, serial: int, last: dict[int, Change]) -> Iterator[ChangeEvent]:
    """Tell what becomes of the changes of one rollout."""
    service, repo, rollout = f"svc-{number:03d}", f"acme/repo-{number // 2:03d}", f"r{serial}"
    born = BEGIN + random.randrange(WEEKS * WEEK)
    begun = born + _span(random, 10 * HOUR, 1.0)
    targets = ("eu", "us") if random.random() < 0.2 else ("eu",)
    mends = last.get(number) if random.random() < 0.05 else None
    fate = random.random()
    failed, unexposed = fate < 0.08, fate > 0.97
    kind = random.choices(("code", "config", "flag", "rollback"), (70, 15, 12, 3))[0]
    promoted = None if unexposed or (failed and random.random() < 0.6) else begun + _span(random, HOUR, 0.5)
    back = (promoted or begun) + _span(random, HOUR // 6, 0.8) if failed else None
    for index in range(random.choices((1, 2, 4), (80, 15, 5))[0]):
        commit = f"{serial:08x}{index:x}" + "0" * 31
        base = ChangeEvent(
            "davy://eu", "", "created", 0, repo, commit, remediates=mends, team=f"t{number % 40}"
        )
        sent = _Sender(random, base)
        yield sent("created", born)
        merged = min(begun - 1, born + _span(random, 5 * HOUR, 0.8))
        yield sent("merged", merged, committed=born - HOUR)
        for target in targets:
            place = {"service": service, "rollout": rollout, "target": target, "kind": kind}
            if unexposed:
                yield sent("aborted_unexposed", begun, **place)
                continue
            yield sent("exposed", begun + random.randrange(60 * SECOND), weight=50_000, **place)
            if promoted is not None:
                yield sent("promoted", promoted, **place)
            if back is not None:
                yield sent("rolled_back", back, weight=200_000, requests=9000, bad=40, **place)
        last[number] = (repo, commit)
    if failed and random.random() < 0.5:
        yield from _incident(random, service, serial, begun + random.randrange(300 * SECOND), "bad release")
    if random.random() < 0.03:
        yield from _incident(random, service, serial + 1, born + random.randrange(WEEK), "provider")


def _incident(random: Random, service: str, serial: int, at: int, cause: str) -> Iterator[ChangeEvent]:
    name = f"i{serial}"
    sent = _Sender(random, ChangeEvent("alerts", "", "opened", 0, service=service, cause=cause, incident=name))
    yield sent("opened", at)
    if random.random() < 0.99:
        yield sent("restored", at + _span(random, HOUR // 4, 0.9))


class _Sender:
    """Sends events that have something in common."""

    def __init__(self, random: Random, base: ChangeEvent) -> None:
        self._random, self._common = random, {name: getattr(base, name) for name in base.__struct_fields__}

    def __call__(self, type_: EventType, at: int, **said: object) -> ChangeEvent:
        received = at + (-30 * SECOND if self._random.random() < 0.002 else SECOND)
        told = {"type": type_, "time": at, "id": f"{self._random.getrandbits(64):016x}", "received": received}
        return ChangeEvent(**(self._common | told | said))


def _span(random: Random, median: int, sigma: float) -> int:
    return int(median * random.lognormvariate(0, sigma))
