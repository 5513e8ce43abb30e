"""Waivers: who may pass a rule, with what, until when, and who agreed to it. There is no other way round."""

import msgspec


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
        expires_at: the first instant at which it counts no more.
        uses: how often it may be used, 0 for any number of times; `used` is how often it was.
        revoked_by, revoked_at: who ended it early.
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
    uses: int = 0
    used: int = 0
    revoked_by: str = ""
    revoked_at: float = 0.0
    break_glass: bool = False
    reviewed_by: str = ""
