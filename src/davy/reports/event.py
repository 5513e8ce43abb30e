"""A change event as the figures need it; `docs/reference/delivery-metrics.md` says what each field means."""

from typing import Literal

import msgspec

EventType = Literal[
    "created", "merged", "exposed", "promoted", "rolled_back", "aborted_unexposed", "opened", "restored"
]
Kind = Literal["code", "config", "flag", "migration", "infra", "rollback"]
Audience = Literal["users", "internal", "shadow", "synthetic"]

BACK = 2**30
"""What is added to the number of an attempt that goes back to a change, so that it is another one."""

Change = tuple[str, str]
"""A repository and a commit in it."""


class ChangeEvent(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One event; instants are microseconds since 1970 UTC, empty is what the event does not say.

    `time` is what the source says; whether `received` is taken instead is for whoever reduces events to facts.
    `weight` is in millionths of all users, None where it is not given. `seq` is its place in the ledger, or its
    line in a file, and is for explaining a figure; it changes none. An `attempt` of 0 is one that is not told.
    """

    source: str
    id: str
    type: EventType
    time: int
    repo: str = ""
    commit: str = ""
    service: str = ""
    environment: str = ""
    target: str = ""
    rollout: str = ""
    attempt: int = 1
    kind: Kind = "code"
    weight: int | None = None
    audience: Audience = "users"
    remediates: Change | None = None
    cause: str = ""
    incident: str = ""
    received: int | None = None
    committed: int | None = None
    requests: int | None = None
    bad: int | None = None
    waiver: str = ""
    team: str = ""
    seq: int = 0


def counts(environment: str, wanted: str = "") -> bool:
    """Say whether events of an environment count: those of production, or of the one that is wanted."""
    if wanted:
        return environment == wanted
    return environment in ("", "production", "prod") or environment.startswith("prod-")
