"""A person is forgotten: the name goes, and what they did stays, under a pseudonym that says nothing."""

from collections.abc import Iterator

import msgspec

from davy.control import waiving
from davy.errors import Conflict, NotFound
from davy.ledger.entry import Draft, Entry
from davy.ledger.people import PERSON
from davy.ledger.store import Record, Store
from davy.policy.waivers import Waiver

KEPT = ("object", "rollout", "run", waiving.BUCKET, "watch")
"""The buckets whose records may name somebody; all of them are JSON."""


def forget(store: Store, name: str, by: str, reason: str, now: float) -> Entry:
    """Take the name of a person out of everything but their own words and those of others.

    Entries are not touched: they have never had it. That somebody was forgotten is on record, as a pseudonym.

    Args:
        store: held under the lease, so that no engine remembers what is forgotten here.
        name: as `davy record` shows it, as in `anna (uid 1000)`.
        by: who forgets.
        reason: why.
        now: the time, in seconds since the epoch.

    Raises:
        NotFound: nobody of that name is known.
        Conflict: a waiver that is not over depends on who they are.
    """
    known = store.load(PERSON)
    if name not in known:
        alike = [each for each in sorted(known) if name.casefold() in each.casefold()]
        hint = f"known are {', '.join(alike)}" if alike else "davy record shows names as they are known"
        raise NotFound(f"nobody is known as {name}", hint=hint)
    instead = known[name].decode()
    _check_waivers(store, name)
    detail = {"person": instead}
    draft = Draft(now, "person_forgotten", f"Person {instead}", detail, by, reason)
    changes: dict[Record, bytes | None] = dict(_rewritten(store, name, instead))
    [entry] = store.commit({**changes, (PERSON, name): None}, [draft])
    return entry


def _check_waivers(store: Store, name: str) -> None:
    """Make sure that no rule of two persons will be asked of one who is not known any more.

    Raises:
        Conflict: one will.
    """
    for id_, body in sorted(store.load(waiving.BUCKET).items()):
        waiver = msgspec.json.decode(body, type=waiving.Kept).waiver
        if name in (waiver.requester, waiver.approver) and not _is_over(waiver):
            raise Conflict(
                f"waiver {id_} is not over, and depends on who {name} is",
                hint=f"davy waiver revoke {id_}"
                if not waiver.break_glass or not waiver.approver
                else f"davy waiver review {id_} by somebody else first, then revoke it",
            )


def _is_over(waiver: Waiver) -> bool:
    ended = bool(waiver.revoked_by or waiver.expired_at)
    return ended and (not waiver.break_glass or bool(waiver.reviewed_by))


def _rewritten(store: Store, name: str, instead: str) -> Iterator[tuple[Record, bytes]]:
    """Find the records that have the name, and what they are without it."""
    spelt, new = (msgspec.json.encode(text)[1:-1] for text in (name, instead))
    for bucket in KEPT:
        for key, body in store.load(bucket).items():
            if spelt in body:
                yield (bucket, key), body.replace(spelt, new)
