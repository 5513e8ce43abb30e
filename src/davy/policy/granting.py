"""The life of a waiver: asked for, agreed to by somebody else, used, ended. Each step is a value or a refusal.

Nothing here knows the time, who is speaking or where waivers are kept; whoever does writes each step down in
the same transaction as what it makes of the waiver.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from davy.model.instant import lasting, written
from davy.policy.digest import digest_of, sha256
from davy.policy.review import Kind, Object
from davy.policy.waivers import TERMS, Terms, Waiver, problem, standing, text_digest


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a step is not taken.

    `permitted` is False where it is the person who may not, rather than the waiver that cannot.
    """

    sentence: str
    hint: str = ""
    permitted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks for: to pass one rule with one object until an instant, and why."""

    rule: str
    subject: Object
    reason: str
    ticket: str
    requester: str
    until: float
    uses: int = 0

    def waiver(self, now: float, number: int, *, break_glass: bool) -> Waiver:
        """Write the waiver that is asked for; `number` tells two of one text apart.

        Its times are in whole milliseconds, as a file has them: what is approved is what a file says.
        """
        metadata = self.subject.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        waiver = Waiver(
            id="",
            rule=self.rule.strip(),
            kind=Kind.of(self.subject).kind,
            namespace=metadata.get("namespace") or "",
            name=metadata.get("name") or "",
            digest=digest_of(self.subject),
            reason=self.reason.strip(),
            ticket=self.ticket.strip(),
            requester=self.requester,
            requested_at=round(now, 3),
            expires_at=round(self.until, 3),
            uses=self.uses,
            break_glass=break_glass,
        )
        mark = sha256([number, text_digest(waiver)]).removeprefix("sha256:")[:6]
        return msgspec.structs.replace(waiver, id=f"w-{mark}")


def request(wish: Wish, now: float, number: int, terms: Terms = TERMS) -> Waiver | Refusal:
    """Ask for a waiver; it excuses nothing until somebody else approves it."""
    waiver = wish.waiver(now, number, break_glass=False)
    return refusal_of(waiver, now, terms) or waiver


def break_glass(wish: Wish, now: float, number: int, terms: Terms = TERMS) -> Waiver | Refusal:
    """Pass a rule alone and at once, for an hour at most; somebody else looks at it afterwards."""
    waiver = wish.waiver(now, number, break_glass=True)
    return refusal_of(waiver, now, terms) or _sealed(waiver, wish.requester, now)


def approve(waiver: Waiver, approver: str, now: float, terms: Terms = TERMS) -> Waiver | Refusal:
    """Agree to what somebody else asks for, word for word: any change of it afterwards voids that."""
    if over := _over(waiver, now, terms):
        return over
    if waiver.approver:
        return Refusal(f"waiver {waiver.id} is approved already, by {waiver.approver}")
    if terms.person(approver) == terms.person(waiver.requester):
        return Refusal(
            f"waiver {waiver.id} was asked for by {waiver.requester}: nobody approves their own",
            "somebody else runs davy waiver approve " + waiver.id,
            permitted=False,
        )
    if not terms.may_approve(approver):
        named = ", ".join(sorted(terms.approvers))
        return Refusal(f"{approver} may not approve waivers", f"these may: {named}", permitted=False)
    return _sealed(waiver, approver, now)


def revoke(waiver: Waiver, actor: str, now: float, terms: Terms = TERMS) -> Waiver | Refusal:
    """End a waiver early. Anybody may: what is lost is an exception."""
    if over := _over(waiver, now, terms):
        return over
    return msgspec.structs.replace(waiver, revoked_by=actor, revoked_at=round(now, 3))


def use(waiver: Waiver, digest: str, now: float, terms: Terms = TERMS) -> Waiver | Refusal:
    """Count that a change was let through on the strength of a waiver."""
    if wrong := standing(waiver, digest, now, terms):
        return Refusal(wrong, "davy waiver list shows what is in force")
    return msgspec.structs.replace(waiver, used=waiver.used + 1)


def review(waiver: Waiver, reviewer: str, now: float, terms: Terms = TERMS) -> Waiver | Refusal:
    """Note that somebody else has looked at why glass was broken, be it late."""
    if not waiver.break_glass:
        return Refusal(f"waiver {waiver.id} broke no glass: {waiver.approver or 'nobody yet'} approved it")
    if waiver.reviewed_by:
        return Refusal(f"waiver {waiver.id} was reviewed already, by {waiver.reviewed_by}")
    if terms.person(reviewer) == terms.person(waiver.requester):
        return Refusal(
            f"glass was broken by {waiver.requester}, who cannot review it",
            f"somebody else runs davy waiver review {waiver.id}",
            permitted=False,
        )
    if not terms.may_approve(reviewer):
        named = ", ".join(sorted(terms.approvers))
        return Refusal(f"{reviewer} may not review waivers", f"these may: {named}", permitted=False)
    return msgspec.structs.replace(waiver, reviewed_by=reviewer, reviewed_at=round(now, 3))


def expire(waiver: Waiver, now: float) -> Waiver | None:
    """Note that a waiver has run out, once and for all; None where there is nothing to note."""
    if waiver.expired_at or waiver.revoked_by or now < waiver.expires_at:
        return None
    return msgspec.structs.replace(waiver, expired_at=now)


def refusal_of(waiver: Waiver, now: float, terms: Terms = TERMS) -> Refusal | None:
    """Say why a waiver cannot be asked for, None where it can."""
    if not waiver.expires_at > now:
        return Refusal(f"a waiver cannot end at {_moment(waiver.expires_at)}: it is past", "--for 48h, say")
    if wrong := problem(waiver, terms):
        longest = lasting(terms.glass_s if waiver.break_glass else terms.longest_s)
        return Refusal(
            f"this cannot be asked for: {wrong}",
            f"a waiver has a rule, one object, a reason, a ticket and an end within {longest}",
        )
    return None


def _sealed(waiver: Waiver, approver: str, now: float) -> Waiver:
    return msgspec.structs.replace(
        waiver, approver=approver, approved_at=round(now, 3), approval=text_digest(waiver)
    )


def _over(waiver: Waiver, now: float, terms: Terms) -> Refusal | None:
    """Refuse to touch a waiver that is over, or whose text is not to be trusted."""
    if wrong := problem(waiver, terms):
        return Refusal(f"waiver {waiver.id} does not count: {wrong}")
    if waiver.revoked_by:
        return Refusal(f"waiver {waiver.id} was revoked by {waiver.revoked_by} already")
    if waiver.expired_at or not now < waiver.expires_at:
        return Refusal(f"waiver {waiver.id} ended at {written(waiver.expires_at)}", "ask for another")
    return None


def _moment(seconds: float) -> str:
    """Write an instant that may be none."""
    try:
        return written(seconds)
    except (ValueError, OverflowError, OSError):
        return "no time at all"
