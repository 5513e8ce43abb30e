"""Davy's own FeatureFlag: one definition for all environments, with what governs it and an overlay for each."""

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from davy.model.meta import Manifest
from davy.model.part import Int32, Part
from davy.model.steps import CanaryStep

State = Literal["ENABLED", "DISABLED"]

KEY = re.compile(r"[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)+", re.ASCII)
"""How the key of a flag is written: in a namespace of its own, which somebody owns."""

TICKET = re.compile(r"[A-Z][A-Z0-9]+-[1-9][0-9]*", re.ASCII)
"""How a ticket is written, e.g. `PAY-123`."""

GATE_NAMES = ("gate", "gateReason", "gateEvidence", "killed")
"""Names in a flag's metadata that say what became of it; only Davy writes them."""


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
    """What is different in one environment; what is not written is as in the definition.

    `variants` names only those that have another value there, or that are there only; `targeting` is all of it.
    """

    state: State | None = None
    default_variant: str | None = None
    targeting: Mapping[str, Any] | None = None
    variants: Mapping[str, Any] | None = None


class FeatureFlagSpec(Part, frozen=True, kw_only=True):
    """A flag as flagd has it, and beside it what governs it (`davy.flags.governance`).

    `safe_value` is the value of one of the variants: what users get while a gate is closed, after a kill, and
    while nothing can be known. Without a `default_variant` it is what they get where targeting says nothing.
    A flag that is `retired` is served to nobody, and its key stays taken.
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
    retired: bool = False
    state: State = "ENABLED"
    default_variant: str | None = None
    targeting: Mapping[str, Any] = {}
    metadata: Mapping[str, bool | int | float | str] = {}
    environments: Mapping[str, FlagOverlay] = {}

    @property
    def safe(self) -> str:
        """The name of the variant that is safe, empty where none has the safe value."""
        return variant_of(self.variants, self.safe_value) or ""


class FeatureFlag(Manifest, frozen=True, kw_only=True):
    """A flag in Git; its name is its key, as in `checkout.discount-enabled`."""

    spec: FeatureFlagSpec
    api_version: str = "davy.dev/v1alpha1"
    kind: str = "FeatureFlag"


def variant_of(variants: Mapping[str, Any], value: Any) -> str | None:
    """Return the name of the first variant that has a value; `true` is no 1, whatever Python says."""
    wanted = _canonical(value)
    return next((name for name, each in variants.items() if _canonical(each) == wanted), None)


def type_of(value: Any) -> str:
    """Say of which of flagd's types a value is: `boolean`, `string`, `number`, `object`, or empty for none."""
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case Mapping():
            return "object"
        case _:
            return ""


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
