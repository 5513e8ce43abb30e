"""Entries of the record as lines: when, what, of what, in a sentence, by whom and why."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from davy.cli.paint import Line, span
from davy.errors import IntegrityError
from davy.ledger.entry import Entry, decode

NAMED = 4
"""How many of the figures that changed a line names."""

_SENTENCES: dict[str, str] = {
    "update_started": "revision {revision} ({images}) begins{again}{quick}",
    "change_exposed": "a user met revision {revision} for the first time, at weight {weight}",
    "change_promoted": "revision {revision} is the stable one: {reason}",
    "change_rolled_back": "revision {revision} is taken back from weight {weight}: {cause}",
    "change_aborted_unexposed": "revision {revision} ends before a user met it: {cause}",
    "change_superseded": "a newer manifest takes the place of revision {revision}",
    "stable_restored": "revision {revision} is the stable version, and what is wanted again",
    "weight_set": "revision {revision} gets {weight} of {of}",
    "step_completed": "revision {revision} is done with step {step}/{of} ({what})",
    "judge_awaited": "more traffic for revision {revision} waits for its judge: {reason}",
    "bake_started": "revision {revision} has all the traffic and is watched: {reason}",
    "bake_doubted": "half of the traffic of revision {revision} goes back to be compared: {reason}",
    "bake_cleared": "revision {revision} has all the traffic again: {reason}",
    "analysis_started": "{run} measures {names}",
    "analysis_finished": "{run} is {phase}: {sentence}",
    "analysis_repeated": "what was inconclusive{where} is measured again, attempt {attempt}",
    "experiment_started": "{experiment} runs {sides} side by side",
    "experiment_finished": "{experiment} is over",
    "waiver_requested": "{waiver} asks to pass {rule} until {expiresAt} ({ticket})",
    "waiver_approved": "{waiver} may pass {rule} until {expiresAt} ({ticket})",
    "waiver_revoked": "{waiver} is ended: {rule} counts again",
    "waiver_used": "{waiver} lets {action} pass {rule}",
    "waiver_expired": "{waiver} ran out at {expiresAt}: {rule} counts again",
    "waiver_reviewed": "somebody else looked at why {waiver} broke glass for {rule}",
    "glass_broken": "GLASS BROKEN: {waiver} passes {rule} until {expiresAt}; a review is due by {reviewBy}",
    "policy_denied": "{action} is refused by {rules}",
    "flag_change_proposed": "{proposal} wants {flag} changed, and waits for somebody else",
    "flag_gate_opened": "{flag} may be on: {rollout} passed at weight {weight}",
    "flag_gate_closed": "{flag} is off: {cause}",
    "flag_confirmed": "{instances} instances have version {version} of {flag}, after {seconds} s",
    "flag_unconfirmed": "not all that use {flag} have version {version} of it after {seconds} s{lacking}",
    "change_created": "{commit} of {repo} is proposed",
    "change_merged": "{commit} of {repo} is merged",
    "change_contained": "{rollout} brings {changes}{takes}",
    "change_blamed": "{commit} of {repo} was at fault",
    "incident_opened": "{incident} of {service} is open{because}",
    "incident_restored": "{incident} of {service} is over",
    "flag_changed": "{commit} of {repo} {reaches}",
    "config_changed": "{commit} of {repo} {reaches}",
    "migration_changed": "{commit} of {repo} {reaches}",
    "drill_started": "drill {drill} begins: nothing of it counts",
    "drill_finished": "drill {drill} is over: {outcome}",
    "service_renamed": "{what} {from} is {to} from now on",
    "event_refused": "{kind} {id} of {source} is refused: {why}",
    "metrics_restated": "final figures of the week of {window} changed: {figures}",
    "person_forgotten": "{person} is nobody's pseudonym any more",
    "engine_started": "davy {version} is up with {rollouts} rollouts",
    "ledger_gap": "{entries} entries that could not be written when they happened follow",
}

_OF_OTHERS: dict[str, str] = {
    "change_exposed": "{commit} of {repo} reaches {share} of the users of {service}",
    "change_promoted": "{commit} of {repo} reaches all users of {service}",
    "change_rolled_back": "{commit} of {repo} is taken back from {service}{because}",
    "change_aborted_unexposed": "{commit} of {repo} ends before a user of {service} met it{because}",
}
"""Kinds that an engine writes of its revisions, as they are told by others, who have none."""

_LOOKS = {
    "change_promoted": "good",
    "change_rolled_back": "bad",
    "change_aborted_unexposed": "bad",
    "ledger_gap": "bad",
    "event_refused": "bad",
    "incident_opened": "bad",
    "incident_restored": "good",
    "glass_broken": "bad",
    "policy_denied": "bad",
    "flag_change_proposed": "wait",
    "flag_gate_opened": "good",
    "flag_gate_closed": "bad",
    "flag_unconfirmed": "bad",
    "waiver_requested": "wait",
    "waiver_approved": "strong",
    "waiver_used": "strong",
    "waiver_expired": "wait",
    "judge_awaited": "wait",
    "bake_started": "wait",
    "bake_doubted": "bad",
    "bake_cleared": "good",
    "paused": "wait",
    "human_action": "strong",
}


def entry_line(entry: Entry) -> Line:
    """Write an entry as a line."""
    told = sentence(entry.kind, entry.detail)
    who = "" if entry.actor == "davy" and not entry.reason else f"  by {entry.actor}"
    who += f": {entry.reason}" if entry.reason else ""
    return (
        span(f"#{entry.seq}", "faint"),
        span(f"  {instant(entry.at)}  "),
        span(entry.kind, _LOOKS.get(entry.kind, "")),
        span(f"  {entry.subject}" + (f"  {told}" if told else "")),
        span(who, "strong"),
    )


def entries(count: int) -> str:
    """Say how many entries there are."""
    return "1 entry" if count == 1 else f"{count} entries"


def instant(at: float) -> str:
    """Write seconds since the epoch as an instant of RFC 3339, in UTC."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return f"@{at:g}"


def sentence(kind: str, detail: Mapping[str, object]) -> str:
    """Say what an entry says; one whose details are not the expected ones is shown as they are."""
    match kind, detail:
        case "paused", {"reason": str(reason)}:
            return f"waits for a person: {reason}"
        case "paused", {"seconds": None}:
            return "waits for a person"
        case "paused", {"seconds": float() | int() as seconds}:
            return f"waits for {seconds:g} s"
        case "human_action", {"action": str(action), **more}:
            return action + (f" {_pairs(more)}" if more else "")
        case "flag_changed", {"action": str(action), "flag": str(flag), "after": {"serves": str(serves)}}:
            return f"{flag} is {action}: {serves.removeprefix('killed: ')}"
    words = {name: _words(name, value) for name, value in detail.items()} | _changes(detail)
    words["where"] = f" on step {words['step']}" if "step" in words else ""
    words["again"] = f", attempt {detail['attempt']}" if detail.get("attempt", 1) != 1 else ""
    words["quick"] = f", without steps: {detail['quick']}" if "quick" in detail else ""
    words["names"] = _names(detail.get("metrics"))
    words["lacking"] = f": {words['missing']}" if detail.get("missing") else ": nobody is connected"
    of_others = "revision" not in detail and "change" in detail
    try:
        told = _OF_OTHERS.get(kind, "") if of_others else ""
        return (told or _SENTENCES[kind]).format_map(words)
    except KeyError:
        return _pairs(detail)


def _changes(detail: Mapping[str, object]) -> dict[str, str]:
    """Write what a sentence may say of changes; commits are as short as people know them."""
    found: dict[str, str] = {}
    if isinstance(change := detail.get("change"), dict):
        found = {"repo": str(change.get("repo")), "commit": _short(change.get("commit"))}
    brought = detail.get("changes")
    if isinstance(brought, list):
        found["changes"] = ", ".join(map(_short, brought)) or "no change"
    gone = detail.get("reverted")
    found["takes"] = (
        f" and takes back {', '.join(map(_short, gone))}" if isinstance(gone, list) and gone else ""
    )
    found["because"] = f": {detail['cause']}" if detail.get("cause") else ""
    found["share"] = f"{detail['weight']} %" if "weight" in detail else "some"
    found["reaches"] = "is taken back" if detail.get("undone") else f"reaches {detail.get('weight', 100)} %"
    return found


def _short(commit: object) -> str:
    """Shorten the whole name of a commit."""
    text = str(commit)
    return text[:12] if len(text) in (40, 64) else text


def _words(name: str, value: object) -> str:
    """Write one detail for a sentence; steps are counted from one, as people do."""
    match name, value:
        case "step", int():
            return str(value + 1)
        case "cause", "":
            return "a person asked for it"
        case "figures", dict():
            first, more = list(value)[:NAMED], len(value) - NAMED
            return ", ".join(first) + (f" and {more} more" if more > 0 else "")
        case _, list() | tuple() | dict():
            return ", ".join(str(item) for item in value)
        case _:
            return str(value)


def _names(metrics: object) -> str:
    """Name the metrics of an analysis."""
    found = metrics if isinstance(metrics, list) else []
    named = [str(metric["name"]) for metric in found if isinstance(metric, dict) and "name" in metric]
    return ", ".join(named) or "nothing"


def _pairs(detail: Mapping[str, object]) -> str:
    """Write details as they are."""
    return " ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)}"
        for name, value in detail.items()
    )


def entry_of(body: bytes, seq: int) -> Entry:
    """Read the entry in a place of a store.

    Raises:
        IntegrityError: its bytes are none.
    """
    try:
        return decode(body, seq)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise IntegrityError(f"entry {seq} cannot be read: {error}", hint="davy ledger verify") from error
