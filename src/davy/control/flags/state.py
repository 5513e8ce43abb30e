"""What an engine keeps of a flag beside its manifest: settings, kill, drill, proposals, its version."""

from hashlib import sha256
from typing import Literal

import msgspec

from davy.flags.definition import Definition
from davy.ledger.canonical import canonical

BUCKET = "flag"
"""Where flags are kept in a store, by namespace and name."""

Action = Literal["applied", "toggled", "killed", "restored", "ramped", "retired", "opened"]
"""What was done to a flag, as an entry `flag_changed` names it."""

NOBODY = 0
EVERYBODY = 100


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody set in this environment, on top of the manifest.

    Args:
        enabled: False is the safe variant for everybody, True is what the flag is for; None is as declared.
        variant: what everybody gets whom targeting gives nothing else; empty is as declared.
        share: of these users, in percent, those who get `variant`; the others get what is safe. None is all.
        bucket_by: the attribute of the context by which they are drawn; empty is `targetingKey`.
    """

    enabled: bool | None = None
    variant: str = ""
    share: int | None = None
    bucket_by: str = ""


class Kill(msgspec.Struct, frozen=True):
    """A flag that was killed: everybody gets what is safe, whatever else is said.

    Args:
        by: who or what killed it: a person, or `davy` where a rollout was aborted.
        at: when.
        reason: why, in a sentence.
        generation: of the document that says so first.
        rollout: the update whose abort did it, empty for a person.
        told: whether it is on record who heard of it: `confirmed`, `unconfirmed`, or empty while nobody knows.
    """

    by: str
    at: float
    reason: str
    generation: int
    rollout: str = ""
    told: Literal["", "confirmed", "unconfirmed"] = ""


class Drill(msgspec.Struct, frozen=True):
    """A kill that is rehearsed: it is served like one until `until` at most."""

    id: str
    by: str
    at: float
    until: float
    reason: str
    generation: int


class Drilled(msgspec.Struct, frozen=True):
    """The last drill of a flag, and how it ended: `confirmed`, `unconfirmed` or `interrupted`."""

    id: str
    at: float
    outcome: str
    seconds: float


class Proposal(msgspec.Struct, frozen=True):
    """A change that waits for a second person.

    Args:
        id: by which it is agreed to.
        action: what it is.
        settings: what the flag would be set to.
        version: of the flag when it was asked for; of another one nothing was agreed to.
        by: who asks.
        at: when.
        until: when it is over by itself.
        reason: why.
        ticket: where it is followed up.
    """

    id: str
    action: Action
    settings: Settings
    version: int
    by: str
    at: float
    until: float
    reason: str
    ticket: str = ""


class Ramp(msgspec.Struct, frozen=True):
    """The last ramp of a flag: how much of the flag's way to everybody is decided as a rollout.

    Args:
        update: which one, its number and attempt: `3.1`.
        variant: what more and more users get.
        new: the hash that stands for them.
        old: the hash that stands for the others.
        generation: of the document with which it began.
        change: whose failures are its own.
        over: whether it has ended, or somebody took the flag out of its hands.
    """

    update: str
    variant: str
    new: str
    old: str
    generation: int
    change: "Change"
    over: bool = False


class Change(msgspec.Struct, frozen=True):
    """A change as the figures know it: where it is from, and which one."""

    repo: str
    commit: str


class FlagState(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is kept of a flag.

    Args:
        version: grows with each change of the flag.
        generation: of the document in which it became what it is.
        settings: what somebody set here.
        killed: whether and why it is dead.
        drill: whether that is rehearsed.
        drilled: the last drill.
        proposals: what waits for a second person.
        evidence: the digest of what opened its gate for this version; empty where nothing did.
        live: the change that gave users what they have now; None where that is what is safe.
        ramp: the ramp that is under way, or the last one.
        since: when the flag came to be known here; drills are due from then on.
        retired_at: when it was taken away; its key and its versions stay taken.
    """

    version: int
    generation: int
    settings: Settings = Settings()
    killed: Kill | None = None
    drill: Drill | None = None
    drilled: Drilled | None = None
    proposals: tuple[Proposal, ...] = ()
    evidence: str = ""
    live: Change | None = None
    ramp: Ramp | None = None
    since: float = 0.0
    retired_at: float | None = None

    @property
    def ramping(self) -> bool:
        """Whether a ramp decides who gets what."""
        return self.ramp is not None and not self.ramp.over

    @property
    def dead(self) -> bool:
        """Whether it is served as killed, be it only rehearsed."""
        return self.killed is not None or self.drill is not None


def digest(definition: Definition, settings: Settings, *, killed: bool) -> str:
    """Return what a version of a flag is known by: `sha256:…` over its definition, settings and kill."""
    told = {"definition": definition, "settings": settings, "killed": killed}
    return f"sha256:{sha256(canonical(msgspec.to_builtins(told))).hexdigest()}"
