"""What is written down: entries, their vocabulary, and the bytes they are kept as."""

from hashlib import sha256
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from davy.ledger.canonical import LARGEST, canonical, is_plain, spell_plain

OF_THE_ENGINE: dict[str, str] = {
    "object_applied": "a manifest was accepted, by whom, and what it is from now on",
    "object_deleted": "an object was taken away",
    "update_started": "a new version (or another attempt at it) begins at the first step",
    "change_exposed": "the first request of a user was answered by the new version",
    "change_promoted": "the new version is the stable one",
    "change_rolled_back": "users had met the new version, and the traffic went back to stable",
    "change_aborted_unexposed": "the update ended before a user met the new version",
    "change_superseded": "a newer manifest took the place of an update that was under way",
    "stable_restored": "the manifest names the stable version again: nothing is under way or aborted any more",
    "weight_set": "the share of traffic of each version was decided",
    "step_completed": "a step of the plan is done",
    "judge_awaited": "the canary is done with a step, and gets more traffic only once its judge says so",
    "bake_started": "the canary has all the traffic, and its judge watches it while stable is kept whole",
    "bake_doubted": "errors rose since the canary has it all: halves of the traffic are to tell why",
    "bake_cleared": "the judge found that it is not the new version, and it has all the traffic again",
    "paused": "the update waits: for the time, for a person, or since evidence is missing",
    "analysis_started": "an analysis run began, with the metrics it took from its templates",
    "analysis_finished": "an analysis run ended, with its verdict and what it rests on",
    "analysis_repeated": "an inconclusive analysis is run again",
    "experiment_started": "versions began to run side by side, each under a hash of its own",
    "experiment_finished": "an experiment is over, and what it measured has passed",
    "human_action": "a person did something to a rollout, and why",
    "waiver_requested": "somebody asked to pass a rule with one object until an instant, and why",
    "waiver_approved": "somebody else agreed to that, word for word",
    "waiver_revoked": "a waiver was ended early",
    "waiver_used": "a change was let through on the strength of a waiver",
    "waiver_expired": "a waiver ran out; from now on its rule counts again",
    "waiver_reviewed": "somebody else looked at why glass was broken",
    "glass_broken": "somebody passed a rule alone, for an hour at most, and why",
    "policy_denied": "policies refused a change; nothing of it was done",
    "flag_change_proposed": "somebody wants to change a flag that takes two people; it waits for the other",
    "flag_gate_opened": "a canary passed at the weight that a flag asks for, and it may be on from now on",
    "flag_gate_closed": "what a gate was opened on does not hold any more; users get what is safe",
    "flag_confirmed": "every instance has said that it evaluates by this version of a flag",
    "flag_unconfirmed": "instances have not said so in time; they are named",
    "engine_started": "the engine came up, fresh or after a stop or a crash",
    "ledger_gap": "an abort was acted on while nothing could be written down; these are its entries",
}
"""What an engine writes down of what it does itself."""

FROM_OUTSIDE: dict[str, str] = {
    "change_created": "somebody proposed a change: a pull request was opened",
    "change_merged": "a change reached the branch that is released from",
    "change_contained": "these changes are in a rollout, by ancestry between the commits it moves from and to",
    "change_blamed": "of the changes of one rollout, the one that was at fault",
    "incident_opened": "users began to suffer: the first alert of an incident",
    "incident_restored": "the objectives of the service are met again",
    "flag_changed": "a flag's rules changed, by whom and to what",
    "config_changed": "a configuration changed that is not in a rollout's manifest",
    "migration_changed": "a migration of a database went on: expanded, backfilled, contracted, or undone",
    "drill_started": "a rehearsal began: nothing of it counts as a failure",
    "drill_finished": "a rehearsal ended, and how",
    "service_renamed": "a service or a repository has another name from now on",
    "event_refused": "what came from outside contradicts what is written down, or speaks for another's service",
    "metrics_restated": "figures that were final changed, since something came late",
    "person_forgotten": "the name of a person was erased; entries keep a pseudonym that says nothing",
}
"""What others say, or what follows from what they say."""

KINDS = OF_THE_ENGINE | FROM_OUTSIDE
"""The vocabulary: every kind of entry, and when it is written."""


class Draft(msgspec.Struct, frozen=True):
    """An entry that has no place in the record yet.

    Args:
        at: when it happened, in seconds since the epoch by the clock of whoever says so.
        kind: one of `KINDS`.
        subject: the kind and key of what it is about, as in `Rollout default/payments`.
        detail: what belongs to the kind.
        actor: who did it (`davy` for the engine itself).
        reason: why, in a person's words.
        source: who says so, where it is not this engine: as in `github.com/acme/payments`, a URI reference.
        id: what the source calls it. What has the same source and id is the same event.
        authenticated: how it is known that it is the source who says so, as in `hmac-sha256 (github)`.
        received: when we were told, in seconds since the epoch; None for what the engine itself says.
    """

    at: float
    kind: str
    subject: str
    detail: dict[str, Any] = {}
    actor: str = "davy"
    reason: str = ""
    source: str = ""
    id: str = ""
    authenticated: str = ""
    received: float | None = None

    def __post_init__(self) -> None:
        assert self.kind in KINDS, f"{self.kind} is not in the vocabulary"

    @property
    def uid(self) -> str | None:
        """By what an event from outside is known again; None for what the engine itself says."""
        return f"{self.source}\n{self.id}" if self.id else None


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry in its place; `seq` counts from 1 without a gap, and is its index in the tree plus one."""

    seq: int
    at: float
    kind: str
    subject: str
    actor: str
    reason: str
    detail: dict[str, Any]
    source: str = ""
    id: str = ""
    authenticated: str = ""
    received: float | None = None


class _Body(msgspec.Struct, frozen=True):
    """What is hashed of an entry; instants are whole microseconds."""

    at: int
    kind: str
    subject: str
    actor: str
    reason: str
    detail: dict[str, Any]
    source: str = ""
    id: str = ""
    authenticated: str = ""
    received: int | None = None


class _Spelling(msgspec.Struct, frozen=True, gc=False):
    """What is spelt of a draft: what is not told of it is left out."""

    at: int
    kind: str
    subject: str
    actor: str
    reason: str
    detail: dict[str, Any]
    source: str | UnsetType
    id: str | UnsetType
    authenticated: str | UnsetType
    received: int | UnsetType


_DECODER = msgspec.json.Decoder(_Body)


def encode(draft: Draft) -> bytes:
    """Return the bytes of an entry: RFC 8785 JSON with instants in whole microseconds, without its place.

    The place is not among them: it is where the bytes are in the tree.
    """
    told = bool(draft.id or draft.source)
    body = _Spelling(
        micros(draft.at),
        draft.kind,
        draft.subject,
        draft.actor,
        draft.reason,
        draft.detail,
        draft.source if told else UNSET,
        draft.id if told else UNSET,
        draft.authenticated or UNSET,
        UNSET if draft.received is None else micros(draft.received),
    )
    if (
        is_plain(draft.detail)
        and -LARGEST <= body.at <= LARGEST
        and -LARGEST <= (body.received or 0) <= LARGEST
    ):
        return spell_plain(body)
    return canonical(body)


def decode(data: bytes, seq: int) -> Entry:
    """Read the entry in a place."""
    body = _DECODER.decode(data)
    received = None if body.received is None else body.received / 1e6
    return Entry(
        seq,
        body.at / 1e6,
        body.kind,
        body.subject,
        body.actor,
        body.reason,
        body.detail,
        body.source,
        body.id,
        body.authenticated,
        received,
    )


def place(draft: Draft, seq: int) -> Entry:
    """Give a draft its place in the record; instants are whole microseconds from then on."""
    return decode(encode(draft), seq)


def refusal(draft: Draft, seq: int, why: str) -> Draft:
    """Return what goes on record of an event that was refused, instead of it.

    Args:
        draft: the event.
        seq: the place of the entry that it contradicts, 0 where there is none.
        why: in a sentence.
    """
    detail = {"source": draft.source, "id": draft.id, "kind": draft.kind, "contradicts": seq, "why": why}
    detail["sha256"] = sha256(encode(draft)).hexdigest()
    at = draft.at if draft.received is None else draft.received
    return Draft(at, "event_refused", draft.subject, detail, authenticated=draft.authenticated)


def same_event(one: bytes, other: bytes) -> bool:
    """Say whether two spellings are of one event: all but when, by what way and by which person we were told.

    People have pseudonyms, and one who was forgotten has another one the next time (`davy.ledger.people`).
    """
    first, second = (msgspec.structs.replace(_DECODER.decode(data), received=None) for data in (one, other))
    if first.actor.startswith("person:") and second.actor.startswith("person:"):
        first = msgspec.structs.replace(first, actor=second.actor)
    return msgspec.structs.replace(first, authenticated=second.authenticated) == second


def micros(seconds: float) -> int:
    """Return an instant in whole microseconds."""
    return round(seconds * 1e6)
