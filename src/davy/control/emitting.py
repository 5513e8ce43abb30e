"""Events that somebody on this machine tells, as entries; who tells them is known from elsewhere."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from davy.control.hooks.cloudevents import of_event
from davy.control.hooks.speaking import is_safe
from davy.control.views import EmitView, EventView
from davy.errors import UsageError
from davy.ledger.canonical import canonical
from davy.ledger.entry import Draft, micros
from davy.ledger.log import Log
from davy.reports.cloudevents import BadEvent, written

MOST = 1000
"""How many events are told at once."""


class BadEmission(UsageError):
    """What is told is no event; the message says which, and where in it."""

    code = "bad-event"


def drafts_of(
    events: Sequence[Mapping[str, Any]],
    actor: str,
    *,
    authenticated: str,
    now: float,
    name: str = "event ",
    first: int = 0,
) -> tuple[Draft, ...]:
    """Return the entries that events become.

    Args:
        events: CloudEvents as in JSON, as `davy.control.requests.Emit` has them.
        actor: who tells them, as the kernel says.
        authenticated: how that is known.
        now: the time, in seconds since the epoch.
        name: what stands before the number of an event in messages.
        first: how many came before these.

    Raises:
        BadEmission: one of them is none; nothing of them is used.
    """
    if len(events) > MOST:
        raise BadEmission(f"these are {len(events)} events, and at most {MOST} are told at once")
    drafts: list[Draft] = []
    for number, event in enumerate(events, first + 1):
        try:
            made, note = of_event(completed(event, actor, now))
            drafts += made
        except BadEvent as error:
            hint = "each field is in docs/reference/delivery-metrics.md"
            raise BadEmission(f"{name}{number}: {error}", hint=hint) from None
        if note or not all(map(is_safe, made)):
            raise BadEmission(f"{name}{number}: {note or 'a name in it has control characters'}")
    return tuple(
        msgspec.structs.replace(each, actor=actor, authenticated=authenticated, received=now) for each in drafts
    )


def tell(log: Log, drafts: Sequence[Draft]) -> EmitView:
    """Write events down, each once, and say what became of each.

    Raises:
        StoreUnavailable: nothing was written.
    """
    receipts = log.append(drafts) if drafts else ()
    told = (
        EventView(draft.kind, draft.subject, draft.source, draft.id, receipt.outcome, receipt.seq)
        for draft, receipt in zip(drafts, receipts, strict=True)
    )
    return EmitView(events=tuple(told))


def number_of(actor: str) -> str:
    """Return what is known of somebody on this machine beside their name: `uid-1000`."""
    return actor.rpartition("(")[2].removesuffix(")").replace(" ", "-")


def completed(event: Mapping[str, Any], actor: str, now: float) -> dict[str, Any]:
    """Fill in what an event leaves out; its name follows from what it says, and is the same when told again."""
    full = {
        "specversion": "1.0",
        "source": f"davy/{number_of(actor)}",
        "time": written(micros(now)),
        **event,
    }
    if "id" not in full:
        try:
            full["id"] = sha256(canonical(full)).hexdigest()[:32]
        except (TypeError, UnicodeEncodeError):
            raise BadEvent("it holds half of a surrogate pair, which is no character") from None
    return full
