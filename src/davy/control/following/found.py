"""What was found in a repository or at a vendor of flags, on its way to the record: there and back."""

from collections.abc import Iterable

from davy.control.flags import vendor_toggles
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
        Finding(
            each.at,
            each.kind,
            each.subject,
            each.detail,
            each.reason,
            each.source,
            each.id,
            each.actor if _is_toggle(each.id) else "",
        )
        for each in drafts
    )


def drafts_of(findings: tuple[Finding, ...], *, authenticated: str, now: float) -> tuple[Draft, ...]:
    """Return the entries that findings become.

    Raises:
        UsageError: they are too many, or one of them is nothing that is found so.
    """
    if len(findings) > AT_ONCE:
        raise UsageError(f"these are {len(findings)} findings, and at most {AT_ONCE} are told at once")
    for each in findings:
        if not _can_be_found(each):
            raise UsageError(f"{each.kind} {each.id!r} is found in no repository and at no vendor of flags")
    drafts = tuple(
        Draft(
            each.at,
            each.kind,
            each.subject,
            each.detail,
            each.actor or each.source,
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


def _can_be_found(finding: Finding) -> bool:
    """Say whether it is what a repository or a vendor of flags tells; what an engine does it tells itself."""
    if not finding.source or is_ours(finding.source) or is_ours(finding.actor):
        return False
    if _is_toggle(finding.id):
        return finding.kind == "flag_changed" and bool(finding.actor)
    return finding.kind in TOLD and finding.id.startswith("git:") and not finding.actor


def _is_toggle(id_: str) -> bool:
    return id_.startswith(vendor_toggles.PREFIX)
