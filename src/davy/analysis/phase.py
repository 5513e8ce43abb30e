"""The phase of a measurement, a metric and an analysis run: one vocabulary for all three."""

from enum import StrEnum


class Phase(StrEnum):
    """AnalysisPhase of Argo Rollouts (`pkg/apis/rollouts/v1alpha1/analysis_types.go`), spelled alike."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"
