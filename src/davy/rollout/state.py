"""What is remembered of a rollout between two turns of the loop.

The states of an update, and what leads from one to another:

    Initial ──────────────────────────────► Settled ◄────────────────┐
                                               │ new template         │ all of it available
                                               ▼                      │
                      ┌──────────────────► Stepping ──────────────► Promoting
                      │ retry, new template    │    all steps done    │
                      │                        │ abort                │ abort
                   Aborted ◄───────────────────┴──────────────────────┘

Aborted is left only by a person (retry, a new template, back to the stable one).
"""

from enum import StrEnum

import msgspec

from davy.model.rollout import PodTemplateSpec
from davy.rollout.platform import Launch


class PauseReason(StrEnum):
    """Why an update waits, in Argo's words."""

    CANARY_STEP = "CanaryPauseStep"
    INCONCLUSIVE = "InconclusiveAnalysisRun"


class Pause(msgspec.Struct, frozen=True):
    """An update that waits, since when, and for how long (None: until a person says so)."""

    reason: PauseReason
    since: float
    duration_s: float | None = None


class Initial(msgspec.Struct, frozen=True, tag=True):
    """The first version ever: there is nothing to compare it with, so steps and analyses are skipped."""

    since: float


class Stepping(msgspec.Struct, frozen=True, tag=True):
    """On step `index` since `since`; `run` is the analysis run of this step, once it has one."""

    index: int
    since: float
    pause: Pause | None = None
    run: str = ""


class Promoting(msgspec.Struct, frozen=True, tag=True):
    """All steps are done; the new version takes all the traffic once all of it is available."""

    reason: str
    since: float


class Aborted(msgspec.Struct, frozen=True, tag=True):
    """Traffic went back to stable. `cause` is empty when a person asked for it."""

    at: float
    cause: str
    weight: int
    step: int


class Settled(msgspec.Struct, frozen=True, tag=True):
    """One version has all the traffic."""

    reason: str
    at: float


Progress = Initial | Stepping | Promoting | Aborted | Settled


class Revision(msgspec.Struct, frozen=True):
    """One pod template, numbered in the order of arrival; Argo's ReplicaSet.

    `replicas` is how many there should be, `scale_down_at` when those that still run are to go, `exposed_at`
    when the first request of a user was seen on it; `requests_before` is how many it had answered until this
    update began to send it traffic.
    """

    number: int
    hash: str
    template: PodTemplateSpec
    launch: Launch
    created_at: float
    replicas: int = 0
    scale_down_at: float | None = None
    exposed_at: float | None = None
    requests_before: int = 0


class Condition(msgspec.Struct, frozen=True):
    """One of Argo's conditions: Available, Progressing, Paused, Completed, Healthy, InvalidSpec."""

    type: str
    status: bool
    reason: str
    message: str
    since: float


class RolloutState(msgspec.Struct, frozen=True):
    """All that is remembered.

    `attempt` counts the updates and retries, so that the evidence of one attempt is never taken for
    another's. `weights` is the split that was last decided, by hash. `progressed_at` is when the number of
    updated or available replicas last changed, `counts` what it was then: the progress deadline runs from it.
    """

    revisions: tuple[Revision, ...]
    current: str
    stable: str
    progress: Progress
    steps_hash: str
    attempt: int = 1
    weights: dict[str, int] = {}
    background: str = ""
    progressed_at: float = 0.0
    counts: tuple[int, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def revision(self, hash_: str) -> Revision:
        """Find a revision by its hash; it has to be there."""
        return next(revision for revision in self.revisions if revision.hash == hash_)

    @property
    def newest(self) -> Revision:
        """The revision that was asked for last."""
        return self.revision(self.current)

    def changing(self, hash_: str, **changes: object) -> "RolloutState":
        """Give one revision other values."""
        revisions = tuple(
            msgspec.structs.replace(revision, **changes) if revision.hash == hash_ else revision
            for revision in self.revisions
        )
        return msgspec.structs.replace(self, revisions=revisions)
