"""Waivers: who may pass a rule, with what, until when, and who agreed to it. There is no other way round.

What a waiver excuses is decided by one pure function, so that CI, admission and the engine never differ. It
excuses one rule of one object as it stands, until an instant; each waiver is held to that alone, so two of them
never add up to more.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from unicodedata import category, normalize

import msgspec

from davy.model.instant import LAST, lasting, written
from davy.policy.digest import digest_of, sha256
from davy.policy.engine import Violation
from davy.policy.review import Kind, Object

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S

AHEAD_S = 7 * DAY_S
"""How long ahead everybody is told that a waiver ends."""

SKEW_S = 60.0
"""By how much two clocks may differ: a waiver that was granted later than that from now is none yet."""

_MOMENT_S = 0.002
"""What rounding two instants to milliseconds may add to the time between them."""

OF_A_CHANGE = frozenset(f"PD{number:03d}" for number in (3, 5, 10, 12, 13, 41, 42, 43, 44, 60, 61))
"""Rules that are about a change, never about an object as such: a waiver for one may lie in wait."""


class Waiver(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Permission to break one rule with one object, until an instant.

    Instants are in seconds since 1970 UTC. Nothing is excused before `approver` is set.

    Args:
        id: its name, e.g. `w-7f3a21`.
        rule: the rule it excuses, as `Violation.rule` names it.
        kind, namespace, name: the one object it is for.
        digest: of what it was granted for (`digest_of`); any change of the object ends it.
        reason, ticket: why, and where that is followed up.
        requester, requested_at: who asked.
        approver, approved_at: who else agreed; the same person only for `break_glass`.
        approval: the digest of the text that was agreed to (`text_digest`); any change of it voids it.
        expires_at: the first instant at which it counts no more.
        uses: how often it may be used, 0 for any number of times; `used` is how often it was.
        revoked_by, revoked_at: who ended it early.
        expired_at: when it was first seen to have run out: a clock that goes back does not bring it back.
        break_glass: one person on their own, for an hour at most; `reviewed_by` is who looked at it afterwards.
    """

    id: str
    rule: str
    kind: str
    namespace: str
    name: str
    digest: str
    reason: str
    ticket: str
    requester: str
    requested_at: float
    expires_at: float
    approver: str = ""
    approved_at: float = 0.0
    approval: str = ""
    uses: int = 0
    used: int = 0
    revoked_by: str = ""
    revoked_at: float = 0.0
    expired_at: float = 0.0
    break_glass: bool = False
    reviewed_by: str = ""
    reviewed_at: float = 0.0

    @property
    def whom(self) -> str:
        """The object that it is for: `Rollout default/payments`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def about(self) -> str:
        """What it is for, in words: `PD022 on Rollout default/payments`."""
        return f"{self.rule} on {self.whom}"


@dataclass(frozen=True, slots=True)
class Terms:
    """What waivers have to keep to, wherever they come from.

    Args:
        longest_s: for how long one may be granted.
        glass_s: for how long glass may be broken.
        review_s: within what time somebody else looks at that.
        aliases: accounts to the person behind them: one person with two accounts is one person.
        approvers: who may agree; where nobody is named, anybody but the one who asked.
    """

    longest_s: float = 30 * DAY_S
    glass_s: float = HOUR_S
    review_s: float = DAY_S
    aliases: Mapping[str, str] = field(default_factory=dict)
    approvers: frozenset[str] = frozenset()

    def person(self, account: str) -> str:
        """Return the one name of whoever is behind an account, whatever the case it is written in."""
        aliases = {_plain(alias): _plain(person) for alias, person in self.aliases.items()}
        name = _plain(account)
        for _ in range(len(aliases)):
            name = aliases.get(name, aliases.get(name.partition(" (uid ")[0], name))
        return name.partition(" (uid ")[0]

    def may_approve(self, account: str) -> bool:
        """Say whether an account is among those who may agree to what another asks for."""
        return not self.approvers or self.person(account) in {self.person(each) for each in self.approvers}


TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Excused:
    """A violation that a waiver covers, and how long still; it stays visible."""

    violation: Violation
    waiver: Waiver
    seconds_left: float

    @property
    def sentence(self) -> str:
        """What a person reads beside the violation."""
        left = lasting(self.seconds_left)
        return f"{self.violation.sentence} - waived by {self.waiver.id} for {left} more ({self.waiver.ticket})"


@dataclass(frozen=True, slots=True)
class Excusing:
    """What waivers make of violations: what counts, what does not for now, and what to tell of the waivers."""

    active: tuple[Violation, ...] = ()
    excused: tuple[Excused, ...] = ()
    warnings: tuple[str, ...] = ()


def apply(
    violations: Sequence[Violation],
    waivers: Sequence[Waiver],
    *,
    subject: Object,
    now: float,
    terms: Terms = TERMS,
) -> Excusing:
    """Take out what waivers excuse; nothing is used up by that, and the same arguments give the same answer.

    A violation is excused by one waiver that covers it alone, or not at all. A policy that could not be
    evaluated is never excused: a waiver is for a rule that is broken, and here nobody knows whether it is.
    """
    near = [waiver for waiver in waivers if is_about(waiver, subject)]
    if not near:
        return Excusing(tuple(violations))
    digest = digest_of(subject)
    standings = {waiver: standing(waiver, digest, now, terms) for waiver in near}
    active: list[Violation] = []
    excused: list[Excused] = []
    warnings: dict[str, None] = {}
    for violation in violations:
        own = [each for each in near if each.rule == violation.rule]
        sound = [each for each in own if not standings[each]]
        if sound and not violation.broken:
            used = min(sound, key=_first_to_end)
            excused.append(Excused(violation, used, used.expires_at - now))
            continue
        failed = [
            standings[each] or f"waiver {each.id} is for no policy that cannot be evaluated" for each in own
        ]
        warnings |= dict.fromkeys(failed)
        active.append(replace(violation, note="; ".join(failed)) if failed else violation)
    needed = {each.waiver for each in excused}
    fired = {violation.rule for violation in violations}
    for waiver in near:
        if waiver in needed:
            warnings |= dict.fromkeys(_told_of(waiver, now, terms))
        elif waiver.rule not in fired:
            warnings |= dict.fromkeys(_told_of_idle(waiver, standings[waiver], terms))
    return Excusing(tuple(active), tuple(excused), tuple(warnings))


def is_about(waiver: Waiver, subject: Object) -> bool:
    """Say whether a waiver names an object: the very kind, namespace and name."""
    metadata = subject.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    named = (Kind.of(subject).kind, metadata.get("namespace") or "default", metadata.get("name") or "")
    return named == (waiver.kind, waiver.namespace or "default", waiver.name)


def standing(waiver: Waiver, digest: str, now: float, terms: Terms = TERMS) -> str:
    """Say why a waiver excuses nothing of an object with this digest now; an empty text means that it does."""
    name = f"waiver {waiver.id}"
    if not math.isfinite(now):
        return f"{name} does not count: nobody knows what time it is"
    if wrong := problem(waiver, terms):
        return f"{name} does not count: {wrong}"
    if waiver.revoked_by:
        return f"{name} was revoked by {waiver.revoked_by}"
    if wrong := _not_agreed(waiver, now, terms):
        return f"{name} {wrong}"
    if waiver.expired_at or not now < waiver.expires_at:
        return f"{name} expired {lasting(max(now, waiver.expired_at) - waiver.expires_at)} ago"
    if waiver.uses and waiver.used >= waiver.uses:
        return f"{name} is used up: it was for {_times(waiver.uses)}"
    if waiver.digest != digest:
        return f"{name} was granted for other content ({short(waiver.digest)}, and this is {short(digest)})"
    return ""


def problem(waiver: Waiver, terms: Terms = TERMS) -> str:
    """Say what is wrong with a waiver as it is written, whoever agreed to it."""
    for what in ("id", "rule", "kind", "name", "digest", "reason", "ticket", "requester"):
        if not getattr(waiver, what).strip():
            return f"it has no {what}"
    if any("*" in text for text in (waiver.rule, waiver.kind, waiver.namespace, waiver.name)):
        return "it has a `*`: a waiver is for one rule and one object"
    times = (waiver.requested_at, waiver.expires_at, waiver.approved_at, waiver.revoked_at, waiver.expired_at)
    if not all(math.isfinite(time) and 0 <= time <= LAST for time in times):
        return "one of its times is none"
    if waiver.uses < 0 or waiver.used < 0:
        return "it may be used a negative number of times"
    lasts_s = waiver.expires_at - waiver.requested_at
    if lasts_s <= 0:
        return "it ends before it was asked for"
    most_s = min(terms.glass_s, terms.longest_s) if waiver.break_glass else terms.longest_s
    if lasts_s > most_s + _MOMENT_S:
        return f"it is for longer than {lasting(most_s)}"
    return ""


def _not_agreed(waiver: Waiver, now: float, terms: Terms) -> str:
    """Say what is wrong with the approval of a waiver."""
    if not waiver.approver:
        return "waits for somebody else to approve it"
    if waiver.approval != text_digest(waiver):
        return f"was changed since it was approved (it is {short(text_digest(waiver))} now)"
    own = terms.person(waiver.approver) == terms.person(waiver.requester)
    if own and not waiver.break_glass:
        return f"was approved by {waiver.approver}, who asked for it"
    if waiver.break_glass and not own:
        return "breaks glass, which nobody does for another"
    if not waiver.break_glass and not terms.may_approve(waiver.approver):
        return f"was approved by {waiver.approver}, who may not"
    if not max(waiver.requested_at, waiver.approved_at) <= now + SKEW_S:
        return f"was granted at {written(waiver.approved_at)}, which is yet to come: which clock is wrong?"
    return ""


def text_digest(waiver: Waiver) -> str:
    """Hash what an approval is about: everything that was asked for."""
    fields = ("id", "rule", "kind", "namespace", "name", "digest", "reason", "ticket", "requester", "uses")
    asked = {name: getattr(waiver, name) for name in (*fields, "break_glass")}
    return sha256({**asked, "requested_at": float(waiver.requested_at), "expires_at": float(waiver.expires_at)})


def overdue(waiver: Waiver, now: float, terms: Terms = TERMS) -> bool:
    """Say whether glass was broken and nobody else has looked at it in time."""
    return waiver.break_glass and not waiver.reviewed_by and now >= waiver.requested_at + terms.review_s


def short(digest: str) -> str:
    """Cut a digest to what a person compares."""
    return digest[:19] + "…" if len(digest) > 20 else digest


def _told_of(waiver: Waiver, now: float, terms: Terms) -> list[str]:
    """Say of a waiver that is needed what everybody should know."""
    told = []
    if waiver.break_glass:
        review = (
            ""
            if waiver.reviewed_by
            else f"; somebody else reviews it by {written(waiver.requested_at + terms.review_s)}"
        )
        told.append(
            f"GLASS BROKEN by {waiver.requester} ({waiver.id}, {waiver.about}): {waiver.reason}{review}"
        )
    left_s = waiver.expires_at - now
    if left_s <= AHEAD_S:
        told.append(
            f"waiver {waiver.id} ({waiver.about}) ends in {lasting(left_s)}, at {written(waiver.expires_at)}"
        )
    return told


def _told_of_idle(waiver: Waiver, wrong: str, terms: Terms) -> list[str]:
    """Say of a waiver whose rule has nothing against the object that it is bad, or that nobody needs it."""
    if problem(waiver, terms):
        return [wrong]
    if wrong or waiver.rule in OF_A_CHANGE:
        return []
    return [f"waiver {waiver.id} is no longer needed: {waiver.rule} has nothing against {waiver.whom}"]


def _first_to_end(waiver: Waiver) -> tuple[float, str]:
    return waiver.expires_at, waiver.id


def _times(count: int) -> str:
    return "one time" if count == 1 else f"{count} times"


def _plain(account: str) -> str:
    """Spell an account as it looks: what has no width or another form of the same letter makes nobody else."""
    seen = (each for each in normalize("NFKC", account) if category(each) not in ("Cf", "Cc"))
    return "".join(seen).strip().casefold()
