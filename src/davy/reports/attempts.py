"""Which attempt an event is of that does not say it (rule 5 of docs/reference/delivery-metrics.md, R5).

A change that meets users again after it was rolled back is tried again. The number of an attempt is therefore
told by what happened on the same target before: a function of all the events of a change, whatever order they
come in, and however often they are told.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import Enum, auto

import msgspec

from davy.reports.event import Change, ChangeEvent, counts

_ORDER = {"exposed": 0, "promoted": 1, "rolled_back": 2, "aborted_unexposed": 3}
"""What happens at one instant happens in this order."""
_ENDS = ("rolled_back", "aborted_unexposed")
_SKEW = 5_000_000


class _State(Enum):
    FRESH = auto()
    MET = auto()
    BACK = auto()
    CAUGHT = auto()


def tried_again(event: ChangeEvent) -> bool:
    """Say whether an event makes it worth while to number those of its change that say no attempt."""
    return event.attempt > 1 or event.type in _ENDS or event.kind == "rollback"


def numbered(events: Iterable[ChangeEvent]) -> list[ChangeEvent]:
    """Return events of several changes, with the attempt of each that says none and is not of the first."""
    told = list(events)
    if all(event.attempt for event in told):
        return told
    again = {(event.repo, event.commit) for event in told if tried_again(event)}
    stories: dict[tuple[Change, str], list[ChangeEvent]] = defaultdict(list)
    found: list[ChangeEvent] = []
    for event in told:
        change = event.repo, event.commit
        if event.type in _ORDER and change in again:
            stories[change, event.service].append(event)
        else:
            found.append(event)
    for story in stories.values():
        found += _numbered(story)
    return found


def _numbered(events: Sequence[ChangeEvent]) -> list[ChangeEvent]:
    """Number the events of a change on a service: by target, and those of rollbacks by themselves."""
    if all(event.attempt for event in events):
        return list(events)
    places: dict[tuple[str, str], list[ChangeEvent]] = defaultdict(list)
    unseen: list[ChangeEvent] = []
    back: dict[str, dict[str, list[ChangeEvent]]] = defaultdict(lambda: defaultdict(list))
    for event in sorted(events, key=_in_order):
        if event.kind == "rollback":
            if event.type == "exposed" and not _meets_users(event):
                unseen.append(event)  # counts for nothing, and so for no number either
            else:
                back["" if counts(event.environment) else event.environment][event.rollout].append(event)
        else:
            places[event.environment, event.target].append(event)
    begun = {event.rollout for several in places.values() for event in several if _meets_users(event)}
    found = [event for place in places.values() for event in _walked(place, begun - {""})]
    for rolled in back.values():
        in_order = sorted(rolled.items(), key=lambda one: (_when(one[1][0]), one[0]))
        for attempt, (_, several) in enumerate(in_order, 1):
            found += [_at(event, attempt) for event in several]
    return [*found, *(_at(event, 1) for event in unseen)]


def _walked(events: Iterable[ChangeEvent], begun: set[str]) -> Iterable[ChangeEvent]:
    """Number what happened on a target, in its order.

    Args:
        events: in the order in which they happened.
        begun: the rollouts that users met; what is aborted within one was not caught before.
    """
    attempt, state = 1, _State.FRESH
    for event in events:
        if _meets_users(event):
            attempt = event.attempt or attempt + (state in (_State.BACK, _State.CAUGHT))
            state = _State.MET
        elif event.type == "rolled_back" and state is _State.MET:
            state = _State.BACK
        elif event.type == "aborted_unexposed" and state is not _State.MET and event.rollout not in begun:
            attempt += state is _State.BACK
            state = _State.CAUGHT
        yield _at(event, attempt)


def _at(event: ChangeEvent, attempt: int) -> ChangeEvent:
    return event if event.attempt else msgspec.structs.replace(event, attempt=attempt)


def _meets_users(event: ChangeEvent) -> bool:
    return event.type == "exposed" and event.audience == "users" and event.weight != 0


def _when(event: ChangeEvent) -> int:
    """Return when an event happened, where its source's clock is not ahead (2)."""
    ahead = event.received is not None and event.time > event.received + _SKEW
    return event.received if ahead and event.received is not None else event.time


def _in_order(event: ChangeEvent) -> tuple[int, int, bool, int]:
    return _when(event), _ORDER[event.type], not event.attempt, event.attempt
