"""What a running engine answers: plain values, the same for terminal, JSON and web page.

Every view that leaves as JSON names its kind and version; fields are added, never changed or removed.
"""

from typing import Any

import msgspec

from davy.ledger.entry import Entry

API_VERSION = "davy.dev/v1alpha1"


class View(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag=True, tag_field="kind"):
    """Base of every answer."""

    api_version: str = API_VERSION


class Image(msgspec.Struct, frozen=True, rename="camel"):
    """An image that runs, and the parts it plays: those of its revisions, and `experiment:NAME` as a side."""

    image: str
    roles: tuple[str, ...] = ()


class ReplicaNumbers(msgspec.Struct, frozen=True, rename="camel"):
    """The block of numbers under `Replicas:`."""

    desired: int
    current: int
    updated: int
    ready: int
    available: int


class PodView(msgspec.Struct, frozen=True, rename="camel"):
    """A replica; `status` is Running, Pending, CrashLoopBackOff or Terminating, `age_s` by the clock."""

    name: str
    status: str
    ready: bool
    restarts: int
    age_s: float
    port: int
    message: str = ""


class MeasurementView(msgspec.Struct, frozen=True, rename="camel"):
    """The last measurement of a metric, with the condition it was held against and the counts so far."""

    metric: str
    phase: str
    value: str
    limit: str
    successful: int
    failed: int
    inconclusive: int
    errors: int
    count: int | None
    message: str = ""
    source: str = ""


class RunView(msgspec.Struct, frozen=True, rename="camel"):
    """An analysis run; `verdict` is what Davy makes of it and `sentence` why.

    `type` is Step, Background, PrePromotion, PostPromotion or Experiment.
    """

    name: str
    type: str
    phase: str
    verdict: str
    message: str
    sentence: str
    age_s: float
    step: int | None
    metrics: tuple[MeasurementView, ...]


class SideView(msgspec.Struct, frozen=True, rename="camel"):
    """One version that an experiment runs, under a hash of its own; `of` is stable or canary."""

    name: str
    hash: str
    of: str
    status: str
    images: tuple[str, ...]
    weight: int
    requests: int
    errors: int
    pods: tuple[PodView, ...]
    scale_down_in_s: float | None = None


class ExperimentView(msgspec.Struct, frozen=True, rename="camel"):
    """The experiment of a step; `sides` are those that still run, `left_s` is the rest of its duration."""

    name: str
    status: str
    step: int
    age_s: float
    sides: tuple[SideView, ...]
    runs: tuple[RunView, ...]
    left_s: float | None = None


class RevisionView(msgspec.Struct, frozen=True, rename="camel"):
    """One revision; `scale_down_in_s` runs while an old one is kept up.

    Roles are `canary` and `stable`, with blue/green `stable`, `active` and `preview`. The runs of its
    experiments are theirs, and not among `runs`.
    """

    number: int
    hash: str
    status: str
    roles: tuple[str, ...]
    images: tuple[str, ...]
    age_s: float
    weight: int
    requests: int
    errors: int
    pods: tuple[PodView, ...]
    runs: tuple[RunView, ...]
    scale_down_in_s: float | None = None
    experiments: tuple[ExperimentView, ...] = ()

    @property
    def all_runs(self) -> tuple[RunView, ...]:
        """All that was measured of it, in its experiments too."""
        return (*self.runs, *(run for experiment in self.experiments for run in experiment.runs))


class GuardView(msgspec.Struct, frozen=True, rename="camel"):
    """The built-in guard: evidence against the canary in powers of ten, of `needed`."""

    sentence: str
    evidence: float
    needed: float
    canary_requests: int
    canary_errors: int
    stable_requests: int
    stable_errors: int
    alarm: bool


class EvidenceView(msgspec.Struct, frozen=True):
    """What speaks against the canary: a power of ten, the one that aborts, and what most of it is made of."""

    log10: float
    abort_at: float
    driver: str
    ratio: float | None = None


class AssuranceView(msgspec.Struct, frozen=True):
    """How bad the canary may still be, at a chance of `beta`, and what the next step may cost in requests."""

    excess_upper: float
    beta: float
    risk_next: float
    budget: float


class JudgedMetricView(msgspec.Struct, frozen=True, omit_defaults=True):
    """One metric of a judge; the counts are [tried, happened], `phi` is how clumped they are."""

    log10: float
    canary: tuple[int, int] | None = None
    stable: tuple[int, int] | None = None
    phi: float | None = None


class JudgedDataView(msgspec.Struct, frozen=True):
    """How old the counters are, how many windows were judged, and whether that will do: ok, no_data, stale."""

    age_s: float | None
    windows: int
    state: str


class VerdictView(View, frozen=True, kw_only=True, tag="Verdict", rename=None):
    """A judge's answer, in the words of whoever asks over HTTP: `verdict` is continue, advance or abort.

    `action` is what the judge says itself: `hold` is to continue, `rollback` to abort. Weights are in percent.
    """

    verdict: str
    action: str
    weight: float
    next_weight: float
    reason: str
    evidence: EvidenceView
    assurance: AssuranceView
    metrics: dict[str, JudgedMetricView]
    data: JudgedDataView


class JudgeView(msgspec.Struct, frozen=True, rename="camel"):
    """The judge that an update is held to, by name, what it says in one line, and all that it says."""

    name: str
    sentence: str
    alarm: bool
    verdict: VerdictView


class StepView(msgspec.Struct, frozen=True, rename="camel"):
    """One step of the plan."""

    what: str
    state: str


class ServiceView(msgspec.Struct, frozen=True, rename="camel"):
    """A name under which one version alone is reached: `role` is preview, or the side of an experiment."""

    name: str
    role: str
    hash: str
    url: str


class RouteView(msgspec.Struct, frozen=True, rename="camel"):
    """A route beside the split that is in force: which requests it takes, and what it does with them."""

    name: str
    what: str


class RestartView(msgspec.Struct, frozen=True, rename="camel"):
    """A restart that is under way: how many of the replicas are young enough."""

    replaced: int
    of: int


class RolloutView(View, frozen=True, kw_only=True, tag="RolloutView"):
    """A rollout as it is now."""

    namespace: str
    name: str
    status: str
    message: str
    strategy: str
    step: int | None
    steps: tuple[StepView, ...]
    set_weight: int | None
    actual_weight: int | None
    images: tuple[Image, ...]
    replicas: ReplicaNumbers
    revisions: tuple[RevisionView, ...]
    guard: GuardView | None
    url: str
    paused_for_s: float | None
    pause_left_s: float | None
    age_s: float
    trouble: str = ""
    services: tuple[ServiceView, ...] = ()
    routes: tuple[RouteView, ...] = ()
    restart: RestartView | None = None
    judge: JudgeView | None = None


class RolloutList(View, frozen=True, kw_only=True, tag="RolloutList"):
    """Rollouts by namespace and name."""

    items: tuple[RolloutView, ...]


class ManifestView(View, frozen=True, kw_only=True, tag="ManifestView"):
    """A manifest with its status, as the Kubernetes API would return it."""

    manifest: dict[str, object]


class WhyView(View, frozen=True, kw_only=True, tag="WhyView"):
    """One sentence, and the entries and measurements that it rests on."""

    namespace: str
    name: str
    status: str
    sentence: str
    evidence: tuple[str, ...]
    entries: tuple[Entry, ...]


class FindingView(msgspec.Struct, frozen=True, rename="camel"):
    """A finding as data, and as the text a person reads."""

    code: str
    severity: str
    title: str
    file: str
    line: int
    column: int
    text: str
    label: str = ""
    path: str = ""
    why: str = ""
    fix: str = ""
    waive: str = ""
    waived: str = ""


class JudgedView(msgspec.Struct, frozen=True, rename="camel"):
    """What became of one object; `result` is pass, fail, waived, not-applicable or error."""

    object_kind: str
    namespace: str
    name: str
    file: str
    line: int
    result: str


class Applied(msgspec.Struct, frozen=True, rename="camel"):
    """What became of one object: created, configured or unchanged."""

    object_kind: str
    namespace: str
    name: str
    outcome: str
    url: str = ""


class ApplyView(View, frozen=True, kw_only=True, tag="ApplyView"):
    """What applying did. With an error among the findings nothing was done at all (`accepted` is false).

    Where policies were asked, `judged` has every object and `results` how many there are of each result.

    `waiver_generation` says which state of the waivers it was decided by.
    """

    accepted: bool
    applied: tuple[Applied, ...]
    findings: tuple[FindingView, ...]
    results: dict[str, int] = {}
    judged: tuple[JudgedView, ...] = ()
    waiver_generation: int = 0


class ActionView(View, frozen=True, kw_only=True, tag="ActionView"):
    """What an action did, in one sentence."""

    namespace: str
    name: str
    message: str
    waiver_generation: int = 0


class WaiverView(msgspec.Struct, frozen=True, rename="camel"):
    """A waiver, and how it stands: `state` is waiting, in force, expired, revoked, used up or void.

    `standing` says in a sentence why it excuses nothing, and is empty while it does. `manifest` is its file.
    """

    id: str
    state: str
    standing: str
    rule: str
    object_kind: str
    namespace: str
    name: str
    digest: str
    reason: str
    ticket: str
    requester: str
    approver: str
    expires_at: str
    seconds_left: float
    uses: int
    used: int
    break_glass: bool
    reviewed_by: str
    review_overdue: bool
    manifest: dict[str, Any]


class WaiverList(View, frozen=True, kw_only=True, tag="WaiverList"):
    """Waivers by their end, and the generation of all of them."""

    items: tuple[WaiverView, ...]
    generation: int


class WaiverStepView(View, frozen=True, kw_only=True, tag="WaiverStep"):
    """What became of a waiver, in a sentence, and how it is now."""

    message: str
    waiver: WaiverView
    generation: int


class FlagGateView(msgspec.Struct, frozen=True, rename="camel"):
    """A gate: open, closed, or `none` where nothing is waited for; `why` rests on `evidence`, by its digest.

    `artifacts` are the versions of the rollout that it is open for.
    """

    state: str
    why: str
    rollout: str = ""
    weight: int = 0
    evidence: str = ""
    artifacts: tuple[str, ...] = ()


class FlagInstanceView(msgspec.Struct, frozen=True, rename="camel"):
    """An instance and the version of the document that it evaluates by, since when, in seconds of the clock."""

    id: str
    service: str
    artifact: str
    version: int
    current: bool
    age_s: float


class FlagExposureView(msgspec.Struct, frozen=True, rename="camel"):
    """How often a variant was answered by a version of the document, and how requests that met it ended."""

    variant: str
    version: int
    service: str
    count: int
    requests: int
    failed: int


class FlagProposalView(msgspec.Struct, frozen=True, rename="camel"):
    """A change that waits for a second person."""

    id: str
    action: str
    by: str
    reason: str
    ticket: str
    seconds_left: float


class FlagDrillView(msgspec.Struct, frozen=True, rename="camel"):
    """Drills of a flag: how often, the last one and how it ended, whether the next is overdue or under way."""

    every: str
    last: str
    outcome: str
    seconds: float
    overdue: bool
    under_way: str


class FlagView(View, frozen=True, kw_only=True, tag="FlagView"):
    """A flag in the environment of an engine.

    `version` is that of the flag, `document` the version of the document in which it became so: instances that
    have not said that they evaluate by it or a later one are `missing`.
    """

    key: str
    namespace: str
    environment: str
    owner: str
    flag_kind: str
    criticality: str
    version: int
    document: int
    digest: str
    serves: str
    why: str
    gate: FlagGateView
    killed: bool
    killed_by: str
    killed_reason: str
    killed_at: str
    confirmation: str
    instances: tuple[FlagInstanceView, ...]
    missing: tuple[str, ...]
    exposures: tuple[FlagExposureView, ...]
    proposals: tuple[FlagProposalView, ...]
    drill: FlagDrillView
    ramp: str = ""
    """How far its ramp has come, and what it is called among rollouts; empty where there was none."""


class FlagArmView(msgspec.Struct, frozen=True, rename="camel"):
    """What was counted of one variant of a flag."""

    variant: str
    requests: int
    failed: int


class FlagSuspectView(msgspec.Struct, frozen=True, rename="camel"):
    """A change of a flag, and whether it is at fault.

    `ratio` is how many times as often those failed who met its variant, None where that cannot be said.
    """

    flag: str
    variant: str
    verdict: str
    ratio: float | None
    evidence: float
    sentence: str
    arms: tuple[FlagArmView, ...]


class FlagBlameView(View, frozen=True, kw_only=True, tag="FlagBlame"):
    """The changes of flags that users have now, those at fault first."""

    service: str
    since_s: float
    items: tuple[FlagSuspectView, ...]


class FlagListView(View, frozen=True, kw_only=True, tag="FlagList"):
    """Flags by their keys."""

    items: tuple[FlagView, ...]
    environment: str


class FlagStepView(View, frozen=True, kw_only=True, tag="FlagStep"):
    """What became of a flag, in a sentence, and how it is now; `proposal` waits for a second person."""

    message: str
    flag: FlagView
    proposal: str = ""


class RecordView(View, frozen=True, kw_only=True, tag="RecordView"):
    """Entries of the record, oldest first."""

    entries: tuple[Entry, ...]


class SampleView(msgspec.Struct, frozen=True, rename="camel"):
    """One sample of a query's result."""

    labels: dict[str, str]
    value: str


class QueryView(View, frozen=True, kw_only=True, tag="QueryView"):
    """What a query evaluates to now; `result_type` is scalar, vector, matrix or string."""

    result_type: str
    samples: tuple[SampleView, ...]


class HealthView(View, frozen=True, kw_only=True, tag="HealthView"):
    """How the engine is: what it holds, what troubles it."""

    version: str
    pid: int
    speed: float
    now: float
    rollouts: int
    troubles: tuple[str, ...]
    profile: str = ""


class ErrorView(View, frozen=True, kw_only=True, tag="Error"):
    """A refusal: the stable code, the exit code, what happened, how to mend it."""

    code: str
    exit_code: int
    message: str
    hint: str = ""


class EventView(msgspec.Struct, frozen=True, rename="camel"):
    """What became of an event: `outcome` is written, known or refused, `seq` the entry that says so."""

    kind: str
    subject: str
    source: str
    id: str
    outcome: str
    seq: int


class EmitView(View, frozen=True, kw_only=True, tag="EmitView"):
    """What became of events, in their order."""

    events: tuple[EventView, ...]


AnyView = (
    RolloutView
    | RolloutList
    | ManifestView
    | WhyView
    | VerdictView
    | ApplyView
    | ActionView
    | WaiverList
    | WaiverStepView
    | FlagView
    | FlagListView
    | FlagBlameView
    | FlagStepView
    | RecordView
    | EmitView
    | QueryView
    | HealthView
    | ErrorView
)
