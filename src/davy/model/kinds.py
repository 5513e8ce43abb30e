"""Which kinds Davy reads, and which it knows to be others' business."""

from davy.model.analysis import AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate
from davy.model.gateway import HTTPRoute
from davy.model.images import ImageMap
from davy.model.istio import VirtualService
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


def is_elsewhere(api_version: str, kind: str) -> bool:
    """Say whether a kind is known, and somebody else's to run."""
    group = api_version.rpartition("/")[0]
    return group in _OPEN_GROUPS or kind in _ELSEWHERE.get(group, ())


def known_kinds() -> list[str]:
    """Return every kind that has a name here, for whoever looks for the one that was meant."""
    return sorted({*KINDS, *(kind for kinds in _ELSEWHERE.values() for kind in kinds)})
