"""What differs between the flags that Git declares and those that a vendor has, and what mends it.

Git says which flags there are and what governs them; the vendor says whom it answers with what. Only towards
what is safe is anything switched: nothing here ever turns a flag on.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from davy.flags.declaration import Declaration
from davy.flags.gate import EvidenceByRollout, judge
from davy.flags.governance import Governance
from davy.flags.registry import Registry
from davy.flags.vendor import Described, VendorFlag
from davy.model.instant import parse_end

Kind = Literal["killed", "closed", "retired", "undeclared", "missing", "expired", "stale", "described"]
Mend = Literal["switch off", "create", "describe", ""]


class Standing(msgspec.Struct, frozen=True):
    """Whether a flag may be on, and why in a sentence; `killed` says that somebody or an abort killed it."""

    open: bool
    why: str
    killed: bool = False


class Difference(msgspec.Struct, frozen=True):
    """One difference.

    Args:
        key: the flag, as Git calls it, or as the vendor does where Git does not know it.
        kind: what it is.
        message: in a sentence.
        mend: what a sync does about it; empty is for people.
        there: what the vendor calls the flag.
    """

    key: str
    kind: Kind
    message: str
    mend: Mend
    there: str


def standing_in_files(declaration: Declaration, environment: str) -> Standing:
    """Say how a flag stands where no engine is asked: what waits for a canary stays off in production."""
    nothing: EvidenceByRollout = {}
    verdict = judge(declaration.in_environment(environment), environment, nothing)
    return Standing(verdict.open, verdict.why)


def name_there(declaration: Declaration) -> str:
    """Return what a vendor calls a flag: what it was imported as, or its key."""
    return str(declaration.definition.metadata.get("importedAs", declaration.key))


def described(declaration: Declaration, now: float) -> Described:
    """Write what a vendor is told of a flag."""
    governance = declaration.governance
    said = {"owner": governance.owner, "jira": governance.jira, "expiry": governance.expiry}
    lines = [f"{name}: {value}" for name, value in said.items() if value]
    text = "\n".join([*filter(None, (governance.description,)), *lines])
    definition = declaration.definition
    return Described(
        name_there(declaration),
        text,
        stale=_is_past(governance, now),
        type=declaration.type,
        variants=definition.variants,
        safe=governance.safe,
    )


def compare(
    registry: Registry, standings: Mapping[str, Standing], flags: Sequence[VendorFlag], now: float
) -> tuple[Difference, ...]:
    """Return what differs, by key; what a flag must not be comes before what is said of it.

    Args:
        registry: what Git declares.
        standings: whether each of these may be on.
        flags: what the vendor has.
        now: the time, in seconds since the epoch.
    """
    there = {flag.key: flag for flag in flags}
    found: list[Difference] = []
    for key in sorted(registry.flags):
        declaration = registry.flags[key]
        flag = there.pop(name_there(declaration), None)
        found += _of_declared(declaration, standings[key], flag, now)
    for name in sorted(there):
        found.append(_of_unknown(registry, there[name]))
    return tuple(found)


def _of_declared(
    declaration: Declaration, standing: Standing, flag: VendorFlag | None, now: float
) -> list[Difference]:
    key, wanted = declaration.key, described(declaration, now)
    if flag is None:
        return [Difference(key, "missing", "it is declared in Git, and not there", "create", wanted.key)]
    found: list[Difference] = []
    if flag.on and not standing.open:
        kind: Kind = "killed" if standing.killed else "closed"
        found.append(Difference(key, kind, f"it is on there: {standing.why}", "switch off", flag.key))
    if wanted.stale:
        message = f"its end is past ({declaration.governance.expiry}): take it out of the code, then out of Git"
        if flag.stale is False:
            found.append(Difference(key, "expired", f"{message}; it is not marked there", "describe", flag.key))
        elif flag.stale is None:
            found.append(Difference(key, "expired", message, "", flag.key))
    elif flag.stale:
        end = declaration.governance.expiry or "none"
        found.append(
            Difference(key, "stale", f"it is marked as stale there, and its end is {end}", "", flag.key)
        )
    if flag.description != wanted.description:
        message = "owner, ticket and end are not said there as in Git"
        found.append(Difference(key, "described", message, "describe", flag.key))
    return found


def _of_unknown(registry: Registry, flag: VendorFlag) -> Difference:
    """Say what a flag is that Git does not declare; one whose key was retired must wake nothing up."""
    if flag.key in registry.retired:
        place = registry.retired[flag.key]
        mend: Mend = "switch off" if flag.on else ""
        return Difference(flag.key, "retired", f"its key was retired ({place})", mend, flag.key)
    is_on = "on" if flag.on else "off"
    return Difference(flag.key, "undeclared", f"it is {is_on} there, and not declared in Git", "", flag.key)


def _is_past(governance: Governance, now: float) -> bool:
    return bool(governance.expiry) and parse_end(governance.expiry) <= now
