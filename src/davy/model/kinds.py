"""Which kinds Davy reads, and which it knows to be others' business."""

from difflib import get_close_matches

from davy.model.analysis import AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate
from davy.model.check import nearest
from davy.model.flag import FeatureFlag
from davy.model.gateway import HTTPRoute
from davy.model.images import ImageMap
from davy.model.istio import VirtualService
from davy.model.judge import Judge
from davy.model.meta import Manifest
from davy.model.rollout import Rollout
from davy.model.service import Service
from davy.model.waiver import Waiver
from davy.model.workload import WORKLOADS

_ARGO = ("argoproj.io/v1alpha1",)

#: Each kind that is read, the API versions it is read in, and its type.
KINDS: dict[str, tuple[tuple[str, ...], type[Manifest]]] = {
    "Rollout": (_ARGO, Rollout),
    "AnalysisTemplate": (_ARGO, AnalysisTemplate),
    "ClusterAnalysisTemplate": (_ARGO, ClusterAnalysisTemplate),
    "AnalysisRun": (_ARGO, AnalysisRun),
    "Service": (("v1",), Service),
    "VirtualService": (
        ("networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"),
        VirtualService,
    ),
    "HTTPRoute": (("gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"), HTTPRoute),
    "ImageMap": (("davy.dev/v1alpha1",), ImageMap),
    "FeatureFlag": (("davy.dev/v1alpha1",), FeatureFlag),
    "Judge": (("davy.dev/v1alpha1",), Judge),
    "Waiver": (("davy.dev/v1alpha1",), Waiver),
    **{name: ((version,), kind) for name, (version, kind) in WORKLOADS.items()},
}

#: Kinds that stand beside rollouts in the same files, by API group; they are told of and left alone. So are
#: workloads, unless a rollout takes its template from them.
_ELSEWHERE: dict[str, frozenset[str]] = {
    group: frozenset(kinds.split())
    for group, kinds in {
        "": "ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod"
        " PodTemplate ReplicationController ResourceQuota Secret ServiceAccount",
        "admissionregistration.k8s.io": "MutatingWebhookConfiguration ValidatingAdmissionPolicy"
        " ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration",
        "apiextensions.k8s.io": "CustomResourceDefinition",
        "apps": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
        "argoproj.io": "AppProject Application ApplicationSet ClusterWorkflowTemplate CronWorkflow EventBus"
        " EventSource Experiment Sensor Workflow WorkflowTemplate",
        "autoscaling": "HorizontalPodAutoscaler",
        "batch": "CronJob Job",
        "cert-manager.io": "Certificate ClusterIssuer Issuer",
        "discovery.k8s.io": "EndpointSlice",
        "gateway.networking.k8s.io": "BackendTLSPolicy GRPCRoute Gateway GatewayClass ReferenceGrant TCPRoute"
        " TLSRoute UDPRoute",
        "keda.sh": "ScaledObject TriggerAuthentication",
        "kustomize.config.k8s.io": "Kustomization",
        "kustomize.toolkit.fluxcd.io": "Kustomization",
        "monitoring.coreos.com": "AlertmanagerConfig PodMonitor Probe Prometheus PrometheusRule ServiceMonitor",
        "networking.istio.io": "DestinationRule EnvoyFilter Gateway ServiceEntry Sidecar WorkloadEntry",
        "networking.k8s.io": "Ingress IngressClass NetworkPolicy",
        "policy": "PodDisruptionBudget",
        "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding Role RoleBinding",
        "scheduling.k8s.io": "PriorityClass",
        "security.istio.io": "AuthorizationPolicy PeerAuthentication RequestAuthentication",
        "split.smi-spec.io": "TrafficSplit",
        "storage.k8s.io": "StorageClass",
        "templates.gatekeeper.sh": "ConstraintTemplate",
        "traefik.io": "IngressRoute Middleware TraefikService",
    }.items()
}

#: API groups whose kinds are made by their users.
_OPEN_GROUPS = frozenset({"constraints.gatekeeper.sh"})


#: API groups that have a name here; a kind of theirs that has none is misspelt.
_GROUPS = frozenset(
    {*_ELSEWHERE, *(version.rpartition("/")[0] for versions, _ in KINDS.values() for version in versions)}
)


def is_elsewhere(api_version: str, kind: str) -> bool:
    """Say whether a kind is somebody else's to run: a known one, or one of a group that nobody here speaks for.

    A group that is nearly one of ours, with a kind that is nearly one of ours, is a slip of the pen.
    """
    group = api_version.rpartition("/")[0]
    if group in _OPEN_GROUPS or kind in _ELSEWHERE.get(group, ()):
        return True
    if group in _GROUPS or "." not in group:
        return False
    return not (get_close_matches(group, _GROUPS, n=1, cutoff=0.9) and nearest(kind, known_kinds()))


def known_kinds() -> list[str]:
    """Return every kind that has a name here, for whoever looks for the one that was meant."""
    return sorted({*KINDS, *(kind for kinds in _ELSEWHERE.values() for kind in kinds)})


#: Kinds that belong to a whole cluster, by API group; of an open group all of them do.
_CLUSTER_SCOPED: dict[str, frozenset[str]] = {
    group: frozenset(kinds.split())
    for group, kinds in {
        "": "ComponentStatus Namespace Node PersistentVolume",
        "admissionregistration.k8s.io": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding"
        " MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding"
        " ValidatingWebhookConfiguration",
        "apiextensions.k8s.io": "CustomResourceDefinition",
        "apiregistration.k8s.io": "APIService",
        "argoproj.io": "ClusterAnalysisTemplate ClusterWorkflowTemplate",
        "cert-manager.io": "ClusterIssuer",
        "expansion.gatekeeper.sh": "ExpansionTemplate",
        "flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
        "gateway.networking.k8s.io": "GatewayClass",
        "keda.sh": "ClusterTriggerAuthentication",
        "kyverno.io": "ClusterPolicy",
        "networking.k8s.io": "IngressClass",
        "node.k8s.io": "RuntimeClass",
        "policies.kyverno.io": "ValidatingPolicy",
        "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding",
        "scheduling.k8s.io": "PriorityClass",
        "storage.k8s.io": "CSIDriver CSINode StorageClass VolumeAttachment",
        "templates.gatekeeper.sh": "ConstraintTemplate",
    }.items()
}


def is_cluster_scoped(api_version: str, kind: str) -> bool:
    """Say whether objects of a kind have no namespace; of a kind that is not known here that they have one."""
    group = api_version.rpartition("/")[0]
    return group in _OPEN_GROUPS or kind in _CLUSTER_SCOPED.get(group, ())
