"""Davy's own FeatureFlag: one definition for all environments, with what governs it and an overlay for each."""

from collections.abc import Mapping
from typing import Any, Literal

from davy.model.meta import Manifest
from davy.model.part import Int32, Part
from davy.model.steps import CanaryStep

State = Literal["ENABLED", "DISABLED"]


class FlagRollout(Part, frozen=True, kw_only=True):
    """The rollout whose canary has to pass before a flag may be on in production.

    `weight` is the share of users, in percent, at which its analysis has to have passed.
    """

    name: str
    namespace: str = ""
    weight: Int32 = 100


class FlagRamp(Part, frozen=True, kw_only=True):
    """How a flag goes from nobody to everybody: a canary's steps (`setWeight`, `pause`, `analysis`) of users.

    `variant` is what more and more of them get; they are drawn by `bucket_by`, an attribute of the context.
    """

    variant: str
    steps: tuple[CanaryStep, ...]
    bucket_by: str = "targetingKey"


class FlagOverlay(Part, frozen=True):
    """What is different in one environment; what is not written is as in the definition."""

    state: State | None = None
    default_variant: str | None = None
    targeting: Mapping[str, Any] | None = None
    variants: Mapping[str, Any] | None = None


class FeatureFlagSpec(Part, frozen=True, kw_only=True):
    """A flag as flagd has it, and beside it what governs it (`davy.flags.governance`).

    `safe_value` is the value of one of the variants: what users get while a gate is closed, after a kill, and
    while nothing can be known.
    """

    owner: str
    jira: str
    expiry: str
    variants: Mapping[str, Any]
    safe_value: Any
    description: str = ""
    kind: Literal["release", "kill-switch", "experiment", "permission"] = "release"
    exposure: Literal["server", "client"] = "server"
    criticality: Literal["low", "medium", "high"] = "medium"
    on_error: Literal["safe", "last-known", "code"] = "safe"
    bucketing: Literal["v2", "v3"] = "v3"
    rollout: FlagRollout | None = None
    ramp: FlagRamp | None = None
    drill_every: str = ""
    state: State = "ENABLED"
    default_variant: str | None = None
    targeting: Mapping[str, Any] = {}
    metadata: Mapping[str, bool | int | float | str] = {}
    environments: Mapping[str, FlagOverlay] = {}


class FeatureFlag(Manifest, frozen=True, kw_only=True):
    """A flag in Git; its name is its key, as in `checkout.discount-enabled`."""

    spec: FeatureFlagSpec
    api_version: str = "davy.dev/v1alpha1"
    kind: str = "FeatureFlag"
