"""What is written down: entries, their vocabulary, and the bytes they are kept as."""

import msgspec

KINDS: dict[str, str] = {
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
    "engine_started": "the engine came up, fresh or after a stop or a crash",
    "ledger_gap": "an abort was acted on while nothing could be written down; these are its entries",
}


class Draft(msgspec.Struct, frozen=True):
    """An entry that has no place in the record yet.

    `at` is in seconds of the clock, `subject` the kind and key of what it is about, as in
    `Rollout default/payments`, `actor` who did it (`davy` for the engine itself), `reason` why in a person's
    words.
    """

    at: float
    kind: str
    subject: str
    detail: dict[str, object] = {}
    actor: str = "davy"
    reason: str = ""

    def __post_init__(self) -> None:
        assert self.kind in KINDS, f"{self.kind} is not in the vocabulary"


class Entry(msgspec.Struct, frozen=True):
    """An entry in its place; `seq` counts from 1 without a gap."""

    seq: int
    at: float
    kind: str
    subject: str
    actor: str
    reason: str
    detail: dict[str, object]


def place(draft: Draft, seq: int) -> Entry:
    """Give a draft its place in the record."""
    return Entry(seq, draft.at, draft.kind, draft.subject, draft.actor, draft.reason, draft.detail)


def encode(entry: Entry) -> bytes:
    """Return the one spelling of an entry: JSON, keys sorted, no white space."""
    return msgspec.json.encode(entry, order="sorted")


def decode(data: bytes) -> Entry:
    """Read an entry back."""
    return msgspec.json.decode(data, type=Entry)
