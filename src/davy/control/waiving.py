"""The waivers of an engine: asked for, agreed to, used and ended, each step one entry in one transaction.

Whoever calls holds the gate. The store is where they are; what is in memory was written first.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from davy.control.ports import Clock
from davy.errors import Conflict, DavyError, NotFound, NotPermitted, Refused
from davy.ledger.entry import Draft
from davy.ledger.store import Record, Store, StoreUnavailable
from davy.model.instant import written
from davy.policy import granting
from davy.policy.granting import Refusal, Wish
from davy.policy.waivers import Terms, Waiver, overdue, text_digest

BUCKET = "waiver"


class Kept(msgspec.Struct, frozen=True):
    """A waiver and the generation in which it became what it is."""

    generation: int
    waiver: Waiver


@dataclass(frozen=True, slots=True)
class Change:
    """What a step makes of waivers: to be written in one transaction, then to be taken in."""

    kept: tuple[Kept, ...] = ()
    drafts: tuple[Draft, ...] = ()

    @property
    def records(self) -> dict[Record, bytes | None]:
        """What to write to the store."""
        return {(BUCKET, each.waiver.id): msgspec.json.encode(each) for each in self.kept}

    def __add__(self, other: "Change") -> "Change":
        return Change((*self.kept, *other.kept), (*self.drafts, *other.drafts))


class Waiving:
    """Keeps waivers; their generation grows with every step, and is told with every decision."""

    def __init__(self, store: Store, clock: Clock, terms: Terms) -> None:
        self._store, self._clock, self.terms = store, clock, terms
        found = store.load(BUCKET)
        self._kept = {id_: msgspec.json.decode(body, type=Kept) for id_, body in found.items()}

    @property
    def generation(self) -> int:
        """How many steps there have been."""
        return max((each.generation for each in self._kept.values()), default=0)

    @property
    def waivers(self) -> tuple[Waiver, ...]:
        """All there ever were, in the order of their ids."""
        return tuple(each.waiver for _, each in sorted(self._kept.items()))

    def find(self, id_: str) -> Waiver:
        """Find a waiver by its id.

        Raises:
            NotFound: there is none.
        """
        found = self._kept.get(id_)
        if found is None:
            known = ", ".join(sorted(self._kept)) or "none yet"
            raise NotFound(f"there is no waiver {id_}", hint=f"davy waiver list shows them: {known}")
        return found.waiver

    def request(self, wish: Wish, *, break_glass: bool) -> Waiver:
        """Ask for a waiver, or break glass.

        Raises:
            Refused: it cannot be asked for.
        """
        now = self._clock.now()
        ask = granting.break_glass if break_glass else granting.request
        number = self.generation + 1
        while (waiver := _agreed(ask(wish, now, number, self.terms))).id in self._kept:
            number += 1  # an id is short, and nobody takes the place of another by chance or design
        if break_glass:
            by = written(waiver.requested_at + self.terms.review_s)
            loud: dict[str, object] = {"severity": "critical", "reviewBy": by}
            return self._step(waiver, "glass_broken", wish.requester, waiver.reason, loud)
        return self._step(waiver, "waiver_requested", wish.requester, waiver.reason)

    def approve(self, id_: str, actor: str, reason: str) -> Waiver:
        """Agree to what somebody else asks for.

        Raises:
            DavyError: there is none of that id, it is over, or this person may not.
        """
        before = self.find(id_)
        answer = granting.approve(before, actor, self._clock.now(), self.terms)
        waiver = self._permitted(answer, before, "approve a waiver", actor, reason)
        return self._step(waiver, "waiver_approved", actor, reason, {"approval": waiver.approval})

    def revoke(self, id_: str, actor: str, reason: str) -> Waiver:
        """End a waiver early.

        Raises:
            DavyError: there is none of that id, or it is over.
        """
        waiver = _agreed(granting.revoke(self.find(id_), actor, self._clock.now(), self.terms))
        return self._step(waiver, "waiver_revoked", actor, reason)

    def review(self, id_: str, actor: str, reason: str) -> Waiver:
        """Note that somebody else looked at why glass was broken.

        Raises:
            DavyError: there is none of that id, it broke no glass, or this person may not.
        """
        before, now = self.find(id_), self._clock.now()
        answer = granting.review(before, actor, now, self.terms)
        waiver = self._permitted(answer, before, "review a waiver", actor, reason)
        late = overdue(before, now, self.terms)
        return self._step(waiver, "waiver_reviewed", actor, reason, {"late": late})

    def asked_by_file(self, waivers: Iterable[Waiver], actor: str) -> Change:
        """Take waivers of files as requests of the person who applies them: a file proves nobody's approval.

        What goes by an id never changes: somebody may be about to agree to it, or has, or has still to look at
        the glass that was broken.

        Raises:
            Refused: one of them cannot be asked for, or asks for something else than the one of its id.
        """
        now, change, asked_for = self._clock.now(), Change(), {each.id: each for each in self.waivers}
        for found in waivers:
            if found.break_glass:
                raise Refused(
                    f"waiver {found.id} breaks glass, which is not done by a file",
                    hint="davy waiver break-glass …",
                )
            known = asked_for.get(found.id)
            if known is not None and _asks_the_same(known, found):
                continue
            if known is not None:
                raise Refused(
                    f"waiver {found.id} is there already, and what it asks for never changes",
                    hint="give the new one another name",
                )
            asked = asked_for[found.id] = _fresh(found, actor, now)
            if wrong := granting.refusal_of(asked, now, self.terms):
                raise _error(wrong)
            change += self._change(asked, "waiver_requested", actor, asked.reason, now, ahead=len(change.kept))
        return change

    def outcome(self, found: Waiver) -> str:
        """Say what applying a file makes of a waiver, in kubectl's words."""
        known = self._kept.get(found.id)
        if known is None:
            return "created"
        return "unchanged" if _asks_the_same(known.waiver, found) else "configured"

    def using(
        self, waivers: Sequence[Waiver], action: str, actor: str, now: float, *, ahead: int = 0
    ) -> Change:
        """Count that a change is let through on the strength of some waivers; `ahead` other steps come before.

        Raises:
            Conflict: one of them has come to its end in the meantime.
        """
        change = Change()
        for waiver in {each.id: each for each in waivers}.values():
            used = granting.use(self.find(waiver.id), waiver.digest, now, self.terms)
            if isinstance(used, Refusal):
                raise Conflict(used.sentence, hint=used.hint)
            detail: dict[str, object] = {"action": action, "used": used.used}
            change += self._change(used, "waiver_used", actor, "", now, detail, ahead=ahead + len(change.kept))
        return change

    def sweep(self) -> float | None:
        """Note which waivers have run out, and return when the next one will."""
        now, change = self._clock.now(), Change()
        for waiver in self.waivers:
            over = granting.expire(waiver, now)
            if over is not None:
                change += self._change(over, "waiver_expired", "davy", "", now, ahead=len(change.kept))
        if change.kept:
            self._store.commit(change.records, change.drafts)
            self.take(change)
        open_ = [each.expires_at for each in self.waivers if not each.expired_at and not each.revoked_by]
        return min(open_, default=None)

    def take(self, change: Change) -> None:
        """Take in what was written."""
        self._kept |= {each.waiver.id: each for each in change.kept}

    def _permitted(
        self, answer: Waiver | Refusal, before: Waiver, action: str, actor: str, reason: str
    ) -> Waiver:
        """Return what was agreed to; that somebody tried who may not is on record, if anything can be."""
        if isinstance(answer, Refusal) and not answer.permitted:
            detail: dict[str, object] = {
                "action": action,
                "waiver": before.id,
                "rules": [before.rule],
                "sentences": [_nameless(answer.sentence, before)],
                "generation": self.generation,
            }
            with suppress(StoreUnavailable):
                draft = Draft(self._clock.now(), "policy_denied", before.whom, detail, actor, reason)
                self._store.commit({}, [draft])
        return _agreed(answer)

    def _step(
        self, waiver: Waiver, kind: str, actor: str, reason: str, detail: dict[str, object] | None = None
    ) -> Waiver:
        change = self._change(waiver, kind, actor, reason, self._clock.now(), detail)
        self._store.commit(change.records, change.drafts)
        self.take(change)
        return waiver

    def _change(
        self,
        waiver: Waiver,
        kind: str,
        actor: str,
        reason: str,
        now: float,
        detail: dict[str, object] | None = None,
        *,
        ahead: int = 0,
    ) -> Change:
        generation = self.generation + 1 + ahead
        named: dict[str, object] = {
            "waiver": waiver.id,
            "rule": waiver.rule,
            "object": waiver.whom,
            "digest": waiver.digest,
            "expiresAt": written(waiver.expires_at),
            "ticket": waiver.ticket,
            "uses": waiver.uses,
            "generation": generation,
        }
        draft = Draft(now, kind, waiver.whom, {**named, **(detail or {})}, actor, reason)
        return Change((Kept(generation, waiver),), (draft,))


def _nameless(sentence: str, waiver: Waiver) -> str:
    """Leave out who asked: what is on record of one person does not name another."""
    return sentence.replace(waiver.requester, "somebody") if waiver.requester else sentence


def _fresh(found: Waiver, actor: str, now: float) -> Waiver:
    """Return what a file asks for, as if it had just been asked."""
    return Waiver(
        id=found.id,
        rule=found.rule,
        kind=found.kind,
        namespace=found.namespace,
        name=found.name,
        digest=found.digest,
        reason=found.reason,
        ticket=found.ticket,
        requester=actor,
        requested_at=round(now, 3),
        expires_at=found.expires_at,
        uses=found.uses,
    )


def _asks_the_same(one: Waiver, other: Waiver) -> bool:
    """Say whether two waivers ask for the same thing, whoever asks and when."""
    nobody = [msgspec.structs.replace(each, requester="", requested_at=0.0) for each in (one, other)]
    return text_digest(nobody[0]) == text_digest(nobody[1])


def _agreed(answer: Waiver | Refusal) -> Waiver:
    if isinstance(answer, Refusal):
        raise _error(answer)
    return answer


def _error(refusal: Refusal) -> DavyError:
    if refusal.permitted:
        return Refused(refusal.sentence, hint=refusal.hint)
    return NotPermitted(refusal.sentence, hint=refusal.hint)
