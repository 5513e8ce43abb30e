"""The Rollout of Argo Rollouts, field by field (`pkg/apis/rollouts/v1alpha1/types.go`, v1.10)."""

from davy.model.meta import LabelSelector, Manifest
from davy.model.part import Int32, IntOrString, Part
from davy.model.pod import PodTemplateSpec
from davy.model.routing import (
    ALBTrafficRouting,
    AmbassadorTrafficRouting,
    ApisixTrafficRouting,
    AppMeshTrafficRouting,
    IstioTrafficRouting,
    ManagedRoute,
    NginxTrafficRouting,
    RolloutTrafficRouting,
    SMITrafficRouting,
    TraefikTrafficRouting,
)
from davy.model.steps import (
    AnalysisRunArgument,
    AnalysisTemplateRef,
    ArgumentValueFrom,
    CanaryStep,
    DryRun,
    MeasurementRetention,
    PluginStep,
    PodTemplateMetadata,
    RolloutAnalysis,
    RolloutAnalysisBackground,
    RolloutExperimentStep,
    RolloutPause,
    SetCanaryScale,
    SetHeaderRoute,
    SetMirrorRoute,
)

__all__ = [
    "ALBTrafficRouting",
    "AmbassadorTrafficRouting",
    "AnalysisRunArgument",
    "AnalysisRunStrategy",
    "AnalysisTemplateRef",
    "AntiAffinity",
    "ApisixTrafficRouting",
    "AppMeshTrafficRouting",
    "ArgumentValueFrom",
    "BlueGreenStrategy",
    "CanaryStep",
    "CanaryStrategy",
    "DryRun",
    "IstioTrafficRouting",
    "ManagedRoute",
    "MeasurementRetention",
    "NginxTrafficRouting",
    "ObjectRef",
    "PingPongSpec",
    "PluginStep",
    "PodTemplateMetadata",
    "PodTemplateSpec",
    "ReplicaProgressThreshold",
    "RollbackWindow",
    "Rollout",
    "RolloutAnalysis",
    "RolloutAnalysisBackground",
    "RolloutExperimentStep",
    "RolloutPause",
    "RolloutSpec",
    "RolloutStrategy",
    "RolloutTrafficRouting",
    "SMITrafficRouting",
    "SetCanaryScale",
    "SetHeaderRoute",
    "SetMirrorRoute",
    "TraefikTrafficRouting",
]

API_VERSION = "argoproj.io/v1alpha1"

#: How long a delayed scale-down waits where a rollout does not say.
SCALE_DOWN_DELAY_S = 30


class Preferred(Part, frozen=True):
    """How much it weighs to keep versions on different nodes."""

    weight: Int32


class Required(Part, frozen=True):
    """Versions must be on different nodes."""


class AntiAffinity(Part, frozen=True):
    """Keep the pods of the two versions on different nodes; exactly one of the fields is set."""

    preferred_during_scheduling_ignored_during_execution: Preferred | None = None
    required_during_scheduling_ignored_during_execution: Required | None = None


class PingPongSpec(Part, frozen=True):
    """Two services that swap their parts with each promotion."""

    ping_service: str
    pong_service: str


class ReplicaProgressThreshold(Part, frozen=True):
    """How much of the canary has to be available; `type` is Percent or Pods."""

    type: str
    value: Int32


class CanaryStrategy(Part, frozen=True):
    """Traffic moves to the new version in steps."""

    canary_service: str = ""
    stable_service: str = ""
    steps: tuple[CanaryStep, ...] = ()
    traffic_routing: RolloutTrafficRouting | None = None
    max_unavailable: IntOrString | None = None
    max_surge: IntOrString | None = None
    analysis: RolloutAnalysisBackground | None = None
    anti_affinity: AntiAffinity | None = None
    canary_metadata: PodTemplateMetadata | None = None
    stable_metadata: PodTemplateMetadata | None = None
    scale_down_delay_seconds: Int32 | None = None
    scale_down_delay_revision_limit: Int32 | None = None
    abort_scale_down_delay_seconds: Int32 | None = None
    dynamic_stable_scale: bool = False
    ping_pong: PingPongSpec | None = None
    min_pods_per_replica_set: Int32 | None = None
    replica_progress_threshold: ReplicaProgressThreshold | None = None

    @property
    def full_weight(self) -> int:
        """The weight that means all of the traffic: 100 unless `maxTrafficWeight` says otherwise."""
        routing = self.traffic_routing
        return 100 if routing is None or routing.max_traffic_weight is None else routing.max_traffic_weight

    @property
    def scale_down_delay_s(self) -> int:
        """Seconds that the old version stays up after promotion.

        Without a router it goes at once, and so it does where it was scaled down as the new one grew.
        """
        if self.traffic_routing is None or self.dynamic_stable_scale:
            return 0
        return SCALE_DOWN_DELAY_S if self.scale_down_delay_seconds is None else self.scale_down_delay_seconds

    @property
    def abort_scale_down_delay_s(self) -> int | None:
        """Seconds that an aborted canary stays up; None is for ever, which is written as 0."""
        if self.traffic_routing is None:
            return 0
        if self.abort_scale_down_delay_seconds is None:
            return SCALE_DOWN_DELAY_S
        return self.abort_scale_down_delay_seconds or None


class BlueGreenStrategy(Part, frozen=True, kw_only=True):
    """All traffic moves at once, from the active service's version to the preview service's."""

    active_service: str
    preview_service: str = ""
    preview_replica_count: Int32 | None = None
    auto_promotion_enabled: bool | None = None
    auto_promotion_seconds: Int32 = 0
    max_unavailable: IntOrString | None = None
    scale_down_delay_seconds: Int32 | None = None
    scale_down_delay_revision_limit: Int32 | None = None
    pre_promotion_analysis: RolloutAnalysis | None = None
    post_promotion_analysis: RolloutAnalysis | None = None
    anti_affinity: AntiAffinity | None = None
    preview_metadata: PodTemplateMetadata | None = None
    active_metadata: PodTemplateMetadata | None = None
    abort_scale_down_delay_seconds: Int32 | None = None

    @property
    def promotes_itself(self) -> bool:
        """Whether the switch needs nobody: true unless written otherwise."""
        return self.auto_promotion_enabled is not False

    @property
    def scale_down_delay_s(self) -> int:
        """Seconds that the old version stays up after promotion."""
        return SCALE_DOWN_DELAY_S if self.scale_down_delay_seconds is None else self.scale_down_delay_seconds

    @property
    def abort_scale_down_delay_s(self) -> int | None:
        """Seconds that an aborted preview stays up; None is for ever, which is written as 0."""
        if self.abort_scale_down_delay_seconds is None:
            return SCALE_DOWN_DELAY_S
        return self.abort_scale_down_delay_seconds or None


class RolloutStrategy(Part, frozen=True):
    """How the new version replaces the old one; exactly one of the fields is set."""

    canary: CanaryStrategy | None = None
    blue_green: BlueGreenStrategy | None = None


class ObjectRef(Part, frozen=True):
    """The workload that owns the template; `scale_down` is never, onsuccess or progressively."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    scale_down: str = ""


class RollbackWindow(Part, frozen=True):
    """How many revisions back one may go without taking the steps."""

    revisions: Int32 = 0


class AnalysisRunStrategy(Part, frozen=True):
    """How many finished analysis runs are kept."""

    successful_run_history_limit: Int32 | None = None
    unsuccessful_run_history_limit: Int32 | None = None


class RolloutSpec(Part, frozen=True, kw_only=True):
    """What a rollout wants.

    `selector` and `template` are required unless `workload_ref` names where they come from; that is checked
    by `davy.model.validate`, in Argo's words.
    """

    strategy: RolloutStrategy
    replicas: Int32 | None = None
    selector: LabelSelector | None = None
    template: PodTemplateSpec = PodTemplateSpec()
    workload_ref: ObjectRef | None = None
    min_ready_seconds: Int32 = 0
    rollback_window: RollbackWindow | None = None
    revision_history_limit: Int32 | None = None
    paused: bool = False
    progress_deadline_seconds: Int32 | None = None
    progress_deadline_abort: bool = False
    restart_at: str | None = None
    analysis: AnalysisRunStrategy | None = None

    @property
    def desired_replicas(self) -> int:
        """How many pods there should be: 1 unless written otherwise."""
        return 1 if self.replicas is None else self.replicas

    @property
    def kept_revisions(self) -> int:
        """How many old revisions are kept: 10 unless written otherwise."""
        return 10 if self.revision_history_limit is None else self.revision_history_limit

    @property
    def progress_deadline_s(self) -> int:
        """Seconds without progress after which a rollout is degraded: 600 unless written otherwise."""
        return 600 if self.progress_deadline_seconds is None else self.progress_deadline_seconds


class Rollout(Manifest, frozen=True, kw_only=True):
    """A workload that changes its version under supervision."""

    spec: RolloutSpec
    api_version: str = API_VERSION
    kind: str = "Rollout"
