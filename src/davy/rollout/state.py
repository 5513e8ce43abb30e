"""What is remembered of a rollout between two turns of the loop.

The states of an update, and what leads from one to another. A canary takes the upper way, blue/green the lower:

    Initial ─────────────────────────────────► Settled ◄──────────────────┐
                                                  │ new template           │ all of it available,
                                                  ▼                        │ the traffic acknowledged
                     ┌───────────────────► Stepping ────────────────► Promoting
                     │ retry, new template        │   all steps done       ▲
                     │                            │                        │ a version that was stable before,
                     │                            │                        │ within the rollback window
                     ├───────────────────► Previewing ──────────────► Verifying ──► Settled
                     │                            │   the switch           │ verified
                     │                            │ abort                  │ abort
                  Aborted ◄───────────────────────┴────────────────────────┘

Aborted is left only by a person (retry, edited steps, a new template, back to the stable one). Promoting goes
back to the end of Stepping, and waits there, when evidence comes to be missing.
"""

from enum import StrEnum

import msgspec

from davy.model.origin import Origin
from davy.model.rollout import PodTemplateMetadata, PodTemplateSpec
from davy.rollout.platform import Launch


class PauseReason(StrEnum):
    """Why an update waits, in Argo's words."""

    CANARY_STEP = "CanaryPauseStep"
    BLUE_GREEN = "BlueGreenPause"
    INCONCLUSIVE = "InconclusiveAnalysisRun"
    INCONCLUSIVE_EXPERIMENT = "InconclusiveExperiment"

    @property
    def lacks_evidence(self) -> bool:
        """Whether it is evidence that is missing, rather than time or a person's word."""
        return self in (PauseReason.INCONCLUSIVE, PauseReason.INCONCLUSIVE_EXPERIMENT)


class Pause(msgspec.Struct, frozen=True):
    """An update that waits, since when, and for how long (None: until a person says so)."""

    reason: PauseReason
    since: float
    duration_s: float | None = None


class Initial(msgspec.Struct, frozen=True, tag=True):
    """The first version ever: there is nothing to compare it with, so steps and analyses are skipped."""

    since: float


class Experiment(msgspec.Struct, frozen=True):
    """The experiment of a step; `available_at` is since when all of its sides were available."""

    name: str
    since: float
    available_at: float | None = None
    runs: tuple[str, ...] = ()


class Wait(msgspec.Struct, frozen=True):
    """All is done but to hear the judge, who is asked before a canary gets more traffic.

    `since` is None until it was asked and did not agree: without a judge nobody waits. `waiver` is the one by
    which the step was passed over, where it was.
    """

    since: float | None = None
    waiver: str = ""


class Bake(msgspec.Struct, frozen=True):
    """The canary is to have all the traffic and is watched, while stable is kept whole.

    `since` is when it had everything first, None before that; `halved` that stable has half of it again, since
    the judge wants to compare the two once more.
    """

    since: float | None = None
    halved: bool = False


class Stepping(msgspec.Struct, frozen=True, tag=True):
    """On step `index` since `since`; `run` is the analysis run of this step, once it has one.

    With `waits` the step is done, and the next one would send more users. `withheld` says that the judge has
    taken its word back while the replicas for a greater weight came up.
    """

    index: int
    since: float
    pause: Pause | None = None
    run: str = ""
    experiment: Experiment | None = None
    waits: Wait | None = None
    withheld: bool = False


class Promoting(msgspec.Struct, frozen=True, tag=True):
    """All steps are done; the new version takes all the traffic once all of it is available.

    `quick` says that steps and analyses were passed over, since the version was stable before. With `waits` the
    steps were passed over by a waiver, which passes over no judge, and the canary has `weight` until then.
    """

    reason: str
    since: float
    quick: bool = False
    waits: Wait | None = None
    weight: int = 0


class Previewing(msgspec.Struct, frozen=True, tag=True):
    """Blue/green: the new version is up beside the active one, and users do not meet it yet.

    `run` is its pre-promotion analysis, once it has one. `approved` holds the words for what allowed the switch
    (the analysis passed and nobody has to be waited for any more), and is empty until then; from then on the
    preview has all of its replicas.
    """

    since: float
    pause: Pause | None = None
    run: str = ""
    approved: str = ""


class Verifying(msgspec.Struct, frozen=True, tag=True):
    """Blue/green: the new version has all the traffic, and the old one is there to take it back at any moment.

    `run` is the post-promotion analysis, once there is one; `quick` says that there is nothing to verify, since
    the version was stable before.
    """

    since: float
    reason: str
    pause: Pause | None = None
    run: str = ""
    quick: bool = False


class Aborted(msgspec.Struct, frozen=True, tag=True):
    """Traffic went back to stable from `weight` percent. `cause` is empty when a person asked for it."""

    at: float
    cause: str
    weight: int
    step: int


class Settled(msgspec.Struct, frozen=True, tag=True):
    """One version has all the traffic."""

    reason: str
    at: float


Progress = Initial | Stepping | Promoting | Previewing | Verifying | Aborted | Settled

UNDERWAY = (Stepping, Promoting, Previewing, Verifying)
"""The states of an update that may still be aborted."""


def pause_of(progress: Progress) -> Pause | None:
    """Return the pause that an update is in."""
    return progress.pause if isinstance(progress, Stepping | Previewing | Verifying) else None


def lacks_evidence(progress: Progress) -> bool:
    """Say whether an update waits since nobody knows how the new version is; nothing of it grows then."""
    pause = pause_of(progress)
    return pause is not None and pause.reason.lacks_evidence


class Revision(msgspec.Struct, frozen=True):
    """One pod template, numbered in the order of arrival; Argo's ReplicaSet.

    `replicas` is how many there should be, `scale_down_at` when those that still run are to go, `exposed_at`
    when the first request of a user was seen on it; `requests_before` is how many it had answered until this
    update began to send it traffic, and `sends_users` whether it has begun to. `promoted_at` is when it last
    became the stable version, None if it never was, or was aborted since: only a version that was promoted, and
    of which nothing worse is known, can be gone back to quickly.

    `origin` is the change that it is, `attempt` the one that its last update began with, and `goes_back` says
    that this update went to a version older than the stable one, which had been stable itself.
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
    sends_users: bool = False
    promoted_at: float | None = None
    origin: Origin = Origin()
    attempt: int = 1
    goes_back: bool = False


class Side(msgspec.Struct, frozen=True):
    """One version that an experiment runs: its replicas are apart from those of the revision that it copies.

    `of` is stable or canary, `weight` its share of the users, `service` the name under which it alone is called
    (or empty). `scale_down_at` is set once the experiment is over.
    """

    name: str
    hash: str
    of: str
    template: PodTemplateSpec
    launch: Launch
    replicas: int
    weight: int = 0
    service: str = ""
    metadata: PodTemplateMetadata = PodTemplateMetadata()
    scale_down_at: float | None = None


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
    `sides` are the versions that an experiment runs, `restarted_at` is the last restart that was carried out.
    `bake` is how the version that has everything is watched, where there is a judge; `blind_since` is since
    when the judge, while an update waits for it, knows nothing of what users get.
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
    sides: tuple[Side, ...] = ()
    restarted_at: float | None = None
    bake: Bake | None = None
    blind_since: float | None = None

    @property
    def is_baking(self) -> bool:
        """Whether the canary has all the traffic, or had it until it was doubted, and is watched."""
        return self.bake is not None and self.bake.since is not None

    def percent(self, hash_: str) -> int:
        """Say how many percent of the traffic a version has by the split that was last decided."""
        total = sum(self.weights.values())
        return round(100 * self.weights.get(hash_, 0) / total) if total else 0

    def revision(self, hash_: str) -> Revision:
        """Find a revision by its hash; it has to be there."""
        return next(revision for revision in self.revisions if revision.hash == hash_)

    @property
    def newest(self) -> Revision:
        """The revision that was asked for last."""
        return self.revision(self.current)

    def changing(self, hash_: str, **changes: object) -> "RolloutState":
        """Return the state in which one revision has other values."""
        revisions = tuple(
            msgspec.structs.replace(revision, **changes) if revision.hash == hash_ else revision
            for revision in self.revisions
        )
        return msgspec.structs.replace(self, revisions=revisions)


def awaits_judge(state: RolloutState) -> bool:
    """Say whether an update goes on only once its judge says so."""
    waits = state.progress.waits if isinstance(state.progress, Stepping | Promoting) else None
    withheld = isinstance(state.progress, Stepping) and state.progress.withheld
    return state.is_baking or withheld or (waits is not None and waits.since is not None)
