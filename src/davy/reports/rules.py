"""From change events to facts: the ten rules of `docs/reference/delivery-metrics.md`, one after the other.

Each function is one rule, or a part of one, over as little as the rule looks at: the events of one attempt,
the attempts of one service. Whoever has all events calls `facts`; whoever keeps facts up to date calls rules
over what an event touched. Instants are whole microseconds; nothing depends on the order of what comes in.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from davy.reports.cloudevents import encode
from davy.reports.event import Change, ChangeEvent, Kind, counts

SECOND = 1_000_000
HOUR = 3600 * SECOND
SKEW = 5 * SECOND
"""How far a source's clock may be ahead of whoever received the event (R22)."""

BAKE = HOUR
"""For how long after its promotion a rollout is held responsible for incidents (R19)."""

UNFINISHED = REOPENED = 24 * HOUR
"""How long a rollout is under way that says nothing more; within what an incident is the same again (R16)."""

ON_A_TARGET = ("exposed", "promoted", "rolled_back", "aborted_unexposed")


class AttemptKey(NamedTuple):
    """By what an attempt is known: a change on a service, for the n-th time."""

    repo: str
    commit: str
    service: str
    attempt: int

    @property
    def change(self) -> Change:
        """The change that was tried."""
        return (self.repo, self.commit)


class Part(msgspec.Struct, frozen=True, array_like=True):
    """What the events of an attempt say of one of the rollouts that it was in."""

    rollout: str
    kind: Kind
    exposed: int | None
    promoted: int | None
    rolled_back: int | None
    back: bool
    """Whether the attempt as a whole is a rollback: it counts in nothing else then."""


class Attempt(msgspec.Struct, frozen=True, array_like=True):
    """An attempt (rule 5)."""

    key: AttemptKey
    kind: Kind
    exposed: int | None
    promoted: int | None
    rolled_back: int | None
    aborted: int | None
    weight: int | None
    weight_back: int | None
    requests: int | None
    bad: int | None
    waiver: str
    team: str
    parts: tuple[Part, ...]

    @property
    def counted(self) -> bool:
        """Whether it is an exposed attempt, as all figures but two mean it."""
        return self.exposed is not None and self.kind != "rollback"

    @property
    def orphan(self) -> bool:
        """Whether it ended without having begun (R21)."""
        return self.exposed is None and (self.rolled_back is not None or self.promoted is not None)

    @property
    def unexposed(self) -> bool:
        """Whether it was caught before a user met it (R1)."""
        return self.exposed is None and not self.orphan and self.aborted is not None


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """A change before it reaches a service (rule 4)."""

    created: int | None = None
    merged: int | None = None
    committed: int | None = None
    remediates: Change | None = None


class Rollout(msgspec.Struct, frozen=True, array_like=True):
    """A rollout of a service that users met (rule 8); `attempts` are the exposed attempts exposed in it."""

    service: str
    name: str
    kind: Kind
    exposed: int
    promoted: int | None
    rolled_back: int | None
    attempts: tuple[AttemptKey, ...]
    failed: bool
    rework: bool

    @property
    def ends(self) -> int:
        """The last instant at which it is held responsible for what goes wrong (R19)."""
        if self.rolled_back is not None:
            return self.rolled_back
        if self.promoted is not None:
            return self.promoted + BAKE - 1
        return self.exposed + UNFINISHED - 1

    def active(self, at: int) -> bool:
        """Say whether it is held responsible for what goes wrong at an instant (R19)."""
        return self.exposed <= at <= self.ends


class Incident(msgspec.Struct, frozen=True, array_like=True):
    """An incident of a service (rule 9); one without `restored` is open."""

    service: str
    name: str
    cause: str
    opened: int
    restored: int | None
    change: Change | None
    responsible: tuple[AttemptKey, ...] = ()


class Facts(msgspec.Struct, frozen=True):
    """All that the figures are taken from."""

    origins: dict[Change, Origin]
    attempts: dict[AttemptKey, Attempt]
    remediated: dict[AttemptKey, int]
    rollouts: list[Rollout]
    incidents: list[Incident]
    newest: int | None
    conflicts: int
    skewed: int
    orphans: int


def facts(events: Iterable[ChangeEvent], environment: str = "") -> Facts:
    """Apply all the rules to all the events.

    Args:
        events: in any order, duplicates and all.
        environment: the one that counts, where it is not production.
    """
    settled, conflicts, skewed = settle(events)
    by_attempt, by_change, by_service = defaultdict(list), defaultdict(list), defaultdict(list)
    for event in settled:
        if not counted(event, environment):
            continue
        if event.incident:
            by_service[event.service].append(event)
        else:
            by_change[event.repo, event.commit].append(event)
        if event.type in ON_A_TARGET:
            by_attempt[attempt_key(event)].append(event)
    attempts = {key: attempt(key, found) for key, found in by_attempt.items()}
    origins = {change: origin(change, found) for change, found in by_change.items()}
    marks = remediations(origins, attempts.values())
    of_service = defaultdict(list)
    for found in attempts.values():
        of_service[found.key.service].append(found)
    rolled = {service: rollouts(service, tried, marks, origins) for service, tried in of_service.items()}
    suffered, orphans = [], sum(found.orphan for found in attempts.values())
    for service, told in by_service.items():
        known, lost = incidents(service, told)
        orphans += lost
        suffered += [held(one, rolled.get(service, ()), of_service[service]) for one in known]
    return Facts(
        origins,
        attempts,
        marks,
        [one for several in rolled.values() for one in several],
        suffered,
        max((event.time for event in settled), default=None),
        conflicts,
        skewed,
        orphans,
    )


def settle(events: Iterable[ChangeEvent]) -> tuple[list[ChangeEvent], int, int]:
    """Return each event once, at the time that counts; how many were refused; how many were ahead (1, 2)."""
    told: dict[tuple[str, str], list[ChangeEvent]] = defaultdict(list)
    for event in events:
        told[event.source, event.id].append(event)
    settled, conflicts, skewed = [], 0, 0
    for versions in told.values():
        event, refused = first(versions)
        at = at_its_time(event)
        settled.append(at)
        conflicts += refused
        skewed += at is not event
    return settled, conflicts, skewed


def first(versions: Sequence[ChangeEvent]) -> tuple[ChangeEvent, int]:
    """Return which of the events of one name counts, and how many others contradict it (1)."""
    if len(versions) == 1:
        return versions[0], 0
    received: dict[bytes, ChangeEvent] = {}
    for event in versions:
        body = encode(msgspec.structs.replace(event, received=None))
        if body not in received or _arrival(event) < _arrival(received[body]):
            received[body] = event
    _, event = min(received.items(), key=lambda told: (_arrival(told[1]), told[0]))
    return event, len(received) - 1


def at_its_time(event: ChangeEvent) -> ChangeEvent:
    """Return an event with the time that counts; the same one, where that is what its source says (2)."""
    if event.received is None or event.time <= event.received + SKEW:
        return event
    return msgspec.structs.replace(event, time=event.received)


def counted(event: ChangeEvent, environment: str = "") -> bool:
    """Say whether an event counts: exposures by their users, what has a place by its environment (3)."""
    if event.type in ("created", "merged"):
        return True
    if event.type == "exposed" and (event.audience != "users" or event.weight == 0):
        return False
    return counts(event.environment, environment)


def attempt_key(event: ChangeEvent) -> AttemptKey:
    """Return the attempt to which an event belongs."""
    return AttemptKey(event.repo, event.commit, event.service, event.attempt)


def origin(change: Change, events: Iterable[ChangeEvent]) -> Origin:
    """Reduce all the events of a change to where it comes from (4); a change does not mend itself."""
    created = merged = committed = remediates = None
    for event in events:
        if event.type == "created":
            created = _least(created, event.time)
        elif event.type == "merged":
            merged = _least(merged, event.time)
        committed = _least(committed, event.committed)
        if event.remediates is not None and event.remediates != change:
            remediates = event.remediates if remediates is None else min(remediates, event.remediates)
    return Origin(created, merged, committed, remediates)


def attempt(key: AttemptKey, events: Sequence[ChangeEvent]) -> Attempt:
    """Reduce the events of an attempt (5), and those of each rollout that it was in (the first half of 8)."""
    named = min((event.rollout for event in events if event.rollout), default="")
    named = named or f"{key.repo}@{key.commit}#{key.attempt}"
    parts: dict[str, list[ChangeEvent]] = defaultdict(list)
    for event in events:
        parts[event.rollout or named].append(event)
    kind = _kind(event.kind for event in events)
    return Attempt(
        key,
        kind,
        _earliest(events, "exposed"),
        _earliest(events, "promoted"),
        _earliest(events, "rolled_back"),
        _earliest(events, "aborted_unexposed"),
        _largest(event.weight for event in events if event.type == "exposed"),
        _largest(event.weight or None for event in events if event.type == "rolled_back"),
        _largest(event.requests for event in events),
        _largest(event.bad for event in events),
        min((event.waiver for event in events if event.waiver), default=""),
        min((event.team for event in events if event.team), default=""),
        tuple(_part(name, parts[name], back=kind == "rollback") for name in sorted(parts)),
    )


def remediations(origins: Mapping[Change, Origin], attempts: Iterable[Attempt]) -> dict[AttemptKey, int]:
    """Return when each attempt that was mended was mended first (6)."""
    tried: dict[Change, list[Attempt]] = defaultdict(list)
    for one in attempts:
        if one.counted:
            tried[one.key.change].append(one)
    found: dict[AttemptKey, int] = {}
    for change, told in origins.items():
        if told.remediates is not None:
            for key, at in mended(tried.get(change, ()), tried.get(told.remediates, ())):
                found[key] = min(found.get(key, at), at)
    return found


def mended(mending: Sequence[Attempt], broken: Sequence[Attempt]) -> list[tuple[AttemptKey, int]]:
    """Return which attempts of a change another one mends, and when, by the exposed attempts of both (6)."""
    firsts: dict[str, Attempt] = {}
    for one in sorted(mending, key=lambda one: one.key.attempt):
        firsts.setdefault(one.key.service, one)
    when = {service: one.exposed for service, one in firsts.items()}
    services = {one.key.service for one in broken}
    if when and not services & when.keys():
        when = dict.fromkeys(services, min(_begun(one) for one in mending))
    found = []
    for service, at in when.items():
        assert at is not None, "an exposed attempt without an exposure"
        latest = _latest([one for one in broken if one.key.service == service], at)
        if latest is not None:
            found.append((latest.key, at))
    return found


def rollouts(
    service: str,
    attempts: Iterable[Attempt],
    remediated: Mapping[AttemptKey, int],
    origins: Mapping[Change, Origin],
) -> list[Rollout]:
    """Return the rollouts of a service, by all its attempts (8)."""
    named: dict[str, list[tuple[AttemptKey, Part]]] = defaultdict(list)
    for one in attempts:
        for part in one.parts:
            named[part.rollout].append((one.key, part))
    found = (rollout(service, name, parts, remediated, origins) for name, parts in named.items())
    return [one for one in found if one is not None]


def rollout(
    service: str,
    name: str,
    parts: Collection[tuple[AttemptKey, Part]],
    remediated: Mapping[AttemptKey, int],
    origins: Mapping[Change, Origin],
) -> Rollout | None:
    """Return a rollout by the parts that attempts have in it, None where no user met it (8)."""
    exposed = _first(part.exposed for _, part in parts)
    if exposed is None:
        return None
    rolled_back = _first(part.rolled_back for _, part in parts)
    exposures = [key for key, part in parts if part.exposed is not None]
    return Rollout(
        service,
        name,
        _kind(part.kind for _, part in parts),
        exposed,
        _first(part.promoted for _, part in parts),
        rolled_back,
        tuple(sorted(key for key, part in parts if part.exposed is not None and not part.back)),
        rolled_back is not None or any(key in remediated for key in exposures),
        any(origins[key.change].remediates is not None for key in exposures),
    )


def incidents(service: str, events: Iterable[ChangeEvent]) -> tuple[list[Incident], int]:
    """Return the incidents of a service, and how many restorations there are of none (9)."""
    named: dict[str, list[ChangeEvent]] = defaultdict(list)
    for event in events:
        named[event.incident].append(event)
    found: list[Incident] = []
    orphans = 0
    for name, told in named.items():
        several, lost = episodes(service, name, told)
        found += several
        orphans += lost
    return reunited(found), orphans


def episodes(service: str, name: str, events: Sequence[ChangeEvent]) -> tuple[list[Incident], int]:
    """Return what went by one name as incidents, more than a day apart, and the restorations before any (9)."""
    told: dict[tuple[int, str], list[ChangeEvent]] = defaultdict(list)
    for event in events:
        told[event.time, event.type].append(event)
    found: list[Incident] = []
    orphans = 0
    for at, type_ in sorted(told):  # "opened" sorts before "restored"
        last = found[-1].restored if found else None
        if type_ == "opened" and (not found or (last is not None and at > last + REOPENED)):
            found.append(Incident(service, name, "", at, None, None))
        if found:
            found[-1] = _went_on(found[-1], told[at, type_])
        else:
            orphans += 1
    return found, orphans


def _went_on(one: Incident, events: Sequence[ChangeEvent]) -> Incident:
    """Take into an incident what is told of it at an instant: it is open or restored then, cause, change."""
    restored = events[0].time if events[0].type == "restored" else None
    cause = min((cause for cause in (one.cause, *(event.cause for event in events)) if cause), default="")
    changes = [(event.repo, event.commit) for event in events if event.repo]
    change = min(changes if one.change is None else [one.change, *changes], default=None)
    return msgspec.structs.replace(one, restored=restored, cause=cause, change=change)


def reunited(found: Iterable[Incident]) -> list[Incident]:
    """Make one of incidents of one cause that follow each other within a day (9)."""
    result: list[Incident] = []
    before: dict[str, tuple[int, int | None]] = {}
    for one in sorted(found, key=_in_order):
        place, ended = before.get(one.cause, (0, None)) if one.cause else (0, None)
        if ended is not None and ended <= one.opened <= ended + REOPENED:
            begun = result[place]
            changes = [change for change in (begun.change, one.change) if change is not None]
            result[place] = msgspec.structs.replace(
                begun, restored=one.restored, change=min(changes, default=None)
            )
        else:
            place = len(result)
            result.append(one)
        before[one.cause] = (place, one.restored)
    return result


def held(one: Incident, rolled: Iterable[Rollout], attempts: Sequence[Attempt]) -> Incident:
    """Say which attempts an incident is attributed to, by the rollouts and attempts of its service (10)."""
    if one.change is not None:
        named = [other for other in attempts if other.counted and other.key.change == one.change]
        if named:
            blamed = _latest(named, one.opened) or min(
                named, key=lambda other: (_begun(other), other.key.attempt)
            )
            return msgspec.structs.replace(one, responsible=(blamed.key,))
    active = [other for other in rolled if other.kind != "rollback" and other.active(one.opened)]
    if not active:
        return one
    guilty = max(active, key=lambda other: (other.exposed, other.name))
    return msgspec.structs.replace(one, responsible=guilty.attempts)


def _in_order(one: Incident) -> tuple[int, bool, int, str]:
    return (one.opened, one.restored is None, one.restored or 0, one.name)


def _latest(attempts: Iterable[Attempt], at: int) -> Attempt | None:
    """Return which of some exposed attempts was the latest at an instant (6, 10)."""
    begun = [one for one in attempts if _begun(one) <= at]
    return max(begun, key=lambda one: (_begun(one), one.key.attempt), default=None)


def _begun(one: Attempt) -> int:
    assert one.exposed is not None, "an exposed attempt without an exposure"
    return one.exposed


def _part(name: str, events: Sequence[ChangeEvent], *, back: bool) -> Part:
    return Part(
        name,
        _kind(event.kind for event in events),
        _earliest(events, "exposed"),
        _earliest(events, "promoted"),
        _earliest(events, "rolled_back"),
        back,
    )


def _kind(kinds: Iterable[Kind]) -> Kind:
    return min((kind for kind in kinds if kind != "code"), default="code")


def _earliest(events: Iterable[ChangeEvent], type_: str) -> int | None:
    return min((event.time for event in events if event.type == type_), default=None)


def _first(values: Iterable[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)


def _largest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _least(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _arrival(event: ChangeEvent) -> tuple[bool, int]:
    """Return by what is told which of several was received first; not to know is last."""
    return (event.received is None, event.received or 0)
