"""Events that are told more than once are one event (R20 in docs/reference/delivery-metrics.md)."""

from collections.abc import Iterable

import msgspec

from davy.reports.attempts import numbered
from davy.reports.cloudevents import encode
from davy.reports.event import ChangeEvent

_NEVER = 2**63 - 1


def distinct(events: Iterable[ChangeEvent]) -> tuple[list[ChangeEvent], int]:
    """Return each event once, and how many were refused since they contradict the one that was received first.

    An event of a later attempt that does not say so is given its number.
    In what order they come, and how often, makes no difference but to the order of what is returned.
    """
    kept: dict[tuple[str, str], ChangeEvent] = {}
    again: dict[tuple[str, str], list[ChangeEvent]] = {}
    for event in events:
        name = event.source, event.id
        if kept.setdefault(name, event) is not event:
            again.setdefault(name, [kept[name]]).append(event)
    conflicts = 0
    for name, told in again.items():
        kept[name] = min(told, key=_rank)
        conflicts += len({_said(event) for event in told}) - 1
    return numbered(kept.values()), conflicts


def _rank(event: ChangeEvent) -> tuple[int, bytes, int]:
    return _NEVER if event.received is None else event.received, _said(event), event.seq


def _said(event: ChangeEvent) -> bytes:
    """Return what an event says: all but when it was received, and where it is told."""
    return encode(msgspec.structs.replace(event, received=None))
