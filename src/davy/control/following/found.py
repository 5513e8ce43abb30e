"""What was found in a repository, on its way to the record: there and back."""

from collections.abc import Iterable

from davy.control.following.follower import TOLD
from davy.control.hooks.cloudevents import is_ours
from davy.control.hooks.speaking import is_safe
from davy.control.requests import Finding
from davy.errors import UsageError
from davy.ledger.entry import Draft

AT_ONCE = 100
"""How many findings are told at once."""


def findings_of(drafts: Iterable[Draft]) -> tuple[Finding, ...]:
    """Return entries as they are told to an engine."""
    return tuple(
        Finding(each.at, each.kind, each.subject, each.detail, each.reason, each.source, each.id)
        for each in drafts
    )


def drafts_of(findings: tuple[Finding, ...], *, authenticated: str, now: float) -> tuple[Draft, ...]:
    """Return the entries that findings become.

    Raises:
        UsageError: they are too many, or one of them is not what is found in a repository.
    """
    if len(findings) > AT_ONCE:
        raise UsageError(f"these are {len(findings)} findings, and at most {AT_ONCE} are told at once")
    for each in findings:
        if each.kind not in TOLD or not each.id.startswith("git:") or not each.source or is_ours(each.source):
            raise UsageError(f"{each.kind} {each.id!r} is not found in a repository")
    drafts = tuple(
        Draft(
            each.at,
            each.kind,
            each.subject,
            each.detail,
            each.source,
            each.reason,
            each.source,
            each.id,
            authenticated,
            now,
        )
        for each in findings
    )
    if bad := next((each for each in drafts if not is_safe(each)), None):
        raise UsageError(f"{bad.kind} {bad.id!r} has control characters in it")
    return drafts
