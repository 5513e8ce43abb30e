"""What is written down of flags, so that figures can be read off it: toggles are changes like any other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from davy.control.flags.passages import Passage
from davy.control.flags.state import EVERYBODY, NOBODY, Action, Change, Settings
from davy.control.flags.table import Flag, Table
from davy.flags.evidence import Evidence
from davy.ledger.entry import Draft
from davy.model.origin import COMMIT, PREFIX, repository_name

MOST_DIFFERENCES, LONGEST_DIFFERENCE = 20, 200


@dataclass(frozen=True, slots=True)
class Why:
    """Who does something to a flag, when and why; `approval` is who else agreed, and when."""

    actor: str
    at: float
    reason: str = ""
    ticket: str = ""
    approval: Mapping[str, object] | None = None


def flag_changed(
    table: Table, before: Flag | None, after: Flag, action: Action, why: Why, **more: object
) -> Draft:
    """Return the entry of a change: from what to what, how many get something else, and whose change it is.

    A kill undoes what users have, and so does whatever else is said to be `undone`.
    """
    detail = {
        "flag": after.key.name,
        "version": after.state.version,
        "action": action,
        "before": _seen(before),
        "after": _seen(after),
        "difference": differences(before, after),
        "change": msgspec.to_builtins(change_of(after)),
        "service": service_of(table, after),
        "environment": table.environment,
        "weight": weight(before, after),
        **more,
    }
    if why.ticket:
        detail["ticket"] = why.ticket
    if why.approval:
        detail["approval"] = dict(why.approval)
    return Draft(why.at, "flag_changed", after.subject, detail, why.actor, why.reason)


def killed(table: Table, before: Flag, after: Flag, why: Why, **more: object) -> Draft:
    """Return the entry of a kill. It takes back what users had, and nothing where they had nothing."""
    live = before.state.live
    if live is None:
        return flag_changed(table, before, after, "killed", why, **{**more, "weight": NOBODY})
    taken = {"change": msgspec.to_builtins(live), "undone": True}
    return flag_changed(table, before, after, "killed", why, **{**more, **taken})


def gate_opened(flag: Flag, evidence: Evidence, at: float) -> Draft:
    """Return the entry of a gate that is open from now on for an artifact."""
    detail: dict[str, object] = {
        "flag": flag.key.name,
        "version": flag.state.version,
        "rollout": str(evidence.rollout),
        "artifact": evidence.artifact,
        "revision": evidence.revision,
        "weight": evidence.weight,
        "runs": list(evidence.runs),
        "evidence": evidence.digest,
    }
    return Draft(at, "flag_gate_opened", flag.subject, detail)


def gate_closed(flag: Flag, rollout: str, artifact: str, cause: str, at: float) -> Draft:
    """Return the entry of a gate that is shut for an artifact, and why."""
    detail: dict[str, object] = {
        "flag": flag.key.name,
        "version": flag.state.version,
        "rollout": rollout,
        "artifact": artifact,
        "cause": cause,
    }
    return Draft(at, "flag_gate_closed", flag.subject, detail)


def change_of(flag: Flag) -> Change:
    """Name the change that a version of a flag is: of the repository that it names, or of the flag."""
    annotations = flag.manifest.metadata.annotations
    repository, commit = (annotations.get(PREFIX + name, "") for name in ("repository", "commit"))
    if repository and flag.state.settings == Settings() and COMMIT.fullmatch(commit):
        return Change(repository_name(repository), commit)
    return Change(repository_name(repository) if repository else f"flag:{flag.key.name}", flag.commit)


def service_of(table: Table, flag: Flag) -> str:
    """Name the service whose users a flag concerns: that of its rollout, or the namespace of its key."""
    if flag.linked is None:
        return flag.key.name.partition(".")[0]
    return table.passages.get(flag.linked, Passage()).service or flag.linked.name


def weight(before: Flag | None, after: Flag) -> int:
    """Say how many percent of the users a change is for: those who had what it takes or have what it gives."""
    had = NOBODY if before is None else before.reach
    if before is not None and (before.served, before.state.dead) == (after.served, after.state.dead):
        return NOBODY
    return after.reach if after.reach >= had else had


def serves(flag: Flag) -> str:
    """Say in a few words what users get of a flag, its gate aside."""
    settings, safe = flag.state.settings, flag.safe or "nothing"
    if flag.state.killed is not None:
        return f"killed: {safe} for everybody"
    if flag.state.drill is not None:
        return f"killed in a drill: {safe} for everybody"
    if settings.enabled is False:
        return f"off: {safe} for everybody"
    beside = ", beside targeting" if flag.definition.targeting else ""
    if settings.share is not None and settings.share < EVERYBODY:
        return f"{settings.variant} for {settings.share} percent, {safe} for the others{beside}"
    if not flag.served.enabled:
        return "disabled: the caller's default"
    default = flag.served.default_variant or "the caller's default"
    return f"what targeting says, else {default}" if beside else f"{default} for everybody"


def differences(before: Flag | None, after: Flag) -> list[str]:
    """Write what is not what it was, a line each: `settings.enabled: none → true`."""
    one = {} if before is None else dict(_flat(_whole(before)))
    other = dict(_flat(_whole(after)))
    lines = [
        f"{name}: {_shown(one.get(name))} → {_shown(other.get(name))}"[:LONGEST_DIFFERENCE]
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]
    more = len(lines) - MOST_DIFFERENCES
    return lines if more <= 0 else [*lines[:MOST_DIFFERENCES], f"and {more} more"]


def _seen(flag: Flag | None) -> dict[str, object]:
    if flag is None:
        return {}
    return {"version": flag.state.version, "digest": flag.digest, "serves": serves(flag)}


def _whole(flag: Flag) -> dict[str, object]:
    return {
        "definition": msgspec.to_builtins(flag.definition),
        "settings": msgspec.to_builtins(flag.state.settings),
        "killed": flag.state.killed is not None,
    }


def _flat(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(each, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _shown(value: Any) -> str:
    return "none" if value is None else msgspec.json.encode(value).decode()
