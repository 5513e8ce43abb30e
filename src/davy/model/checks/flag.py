"""What has to hold of a flag: somebody answers for it, it ends, and what is safe is one of its variants."""

import re
from collections.abc import Mapping
from typing import Any

from davy.model.check import nearest
from davy.model.checks.complaints import Complaints
from davy.model.checks.rollout_analysis import validate_rollout_analysis
from davy.model.duration import BadDuration, parse_duration
from davy.model.flag import (
    GATE_NAMES,
    KEY,
    TICKET,
    FeatureFlag,
    FeatureFlagSpec,
    FlagOverlay,
    FlagRamp,
    type_of,
    variant_of,
)
from davy.model.instant import BadInstant, parse_end
from davy.model.source import join
from davy.model.steps import CanaryStep
from davy.model.targeting import outcomes

_BOOLEANS = frozenset(("on", "off", "yes", "no", "y", "n"))
_WORD = re.compile(r"[a-z][a-z0-9-]*", re.ASCII)
_FULL = 100
_STEPS = {"set_weight": "setWeight", "pause": "pause", "analysis": "analysis"}


def validate_flag(flag: FeatureFlag, complaints: Complaints) -> None:
    """Refuse a flag that bites later."""
    spec = flag.spec
    if not KEY.fullmatch(flag.metadata.name):
        title = f"`metadata.name` is {flag.metadata.name!r}: a flag's key has a namespace"
        fix = "write it like checkout.discount-enabled: small letters, digits and `-` between dots"
        complaints.add("metadata.name", title, part="value", fix=fix)
    _validate_governance(spec, complaints)
    _validate_variants(spec.variants, complaints)
    _validate_safe(spec, complaints)
    _validate_answers("spec", spec.variants, spec.default_variant, spec.targeting, complaints)
    if spec.ramp is not None:
        _validate_ramp(spec.ramp, spec.variants, complaints)
        _validate_start(spec.ramp, spec, complaints)
    for name, overlay in spec.environments.items():
        _validate_overlay(join("spec.environments", name), name, overlay, spec, complaints)


def _validate_governance(spec: FeatureFlagSpec, complaints: Complaints) -> None:
    if not spec.owner.strip():
        complaints.add("spec.owner", "`spec.owner` is empty: it says which team answers for the flag")
    if not TICKET.fullmatch(spec.jira):
        title = f"`spec.jira` is {spec.jira!r}, which is no ticket"
        complaints.add("spec.jira", title, part="value", fix="write a project and a number: PAY-123")
    try:
        parse_end(spec.expiry)
    except BadInstant as error:
        fix = "write a day, which ends in UTC, or an instant: 2027-03-01T12:00:00Z"
        complaints.add("spec.expiry", f"`spec.expiry` is {spec.expiry!r}: {error}", part="value", fix=fix)
    if spec.rollout is not None:
        if not spec.rollout.name.strip():
            complaints.add("spec.rollout.name", "`spec.rollout.name` is empty: whose canary has to pass?")
        if not 1 <= spec.rollout.weight <= _FULL:
            title = f"`spec.rollout.weight` is {spec.rollout.weight}: a share of users is between 1 and 100"
            complaints.add("spec.rollout.weight", title, part="value")
    if spec.drill_every and _seconds(spec.drill_every) <= 0:
        title = f"`spec.drillEvery` is {spec.drill_every!r}, which is no duration"
        complaints.add(
            "spec.drillEvery", title, part="value", fix="write it like 720h: hours, minutes, seconds"
        )
    taken = {*FeatureFlagSpec.__struct_encode_fields__, "safe", "rolloutWeight", *GATE_NAMES}
    for name in spec.metadata:
        if name in taken:
            own = name in FeatureFlagSpec.__struct_encode_fields__
            fix = f"write `spec.{name}`" if own else "choose another name"
            title = f"`{name}` in `spec.metadata` would say what Davy says there"
            complaints.add(join("spec.metadata", name), title, part="key", fix=fix)


def _seconds(duration: str) -> float:
    try:
        return parse_duration(duration)
    except BadDuration:
        return 0.0


def _validate_variants(variants: Mapping[str, Any], complaints: Complaints) -> None:
    if not variants:
        complaints.add("spec.variants", "`spec.variants` is empty: a flag has at least one", part="key")
    types = {name: type_of(value) for name, value in variants.items()}
    wanted = next(filter(None, types.values()), "")
    for name, found in types.items():
        path = join("spec.variants", name)
        if not name:
            complaints.add(path, "a variant needs a name", part="key")
        if not found:
            complaints.add(path, "a variant is a boolean, a text, a number or a mapping", part="value")
        elif found != wanted:
            title = f"the variant {name!r} is of type {found}, and others are of type {wanted}"
            complaints.add(path, title, part="value", fix="a flag has one type")


def _validate_safe(spec: FeatureFlagSpec, complaints: Complaints) -> None:
    if spec.variants and not spec.safe:
        title = "`spec.safeValue` is not the value of any variant: nothing could be answered after a kill"
        complaints.add("spec.safeValue", title, part="value", fix=f"variants: {', '.join(spec.variants)}")


def _validate_answers(
    path: str,
    variants: Mapping[str, Any],
    default: str | None,
    targeting: Mapping[str, Any] | None,
    complaints: Complaints,
) -> None:
    """Refuse answers that are no variants, which evaluators find out in front of users."""
    named = list(outcomes(targeting, f"{path}.targeting")) if targeting else []
    if default is not None:
        named.insert(0, (f"{path}.defaultVariant", default))
    for at, name in named:
        if name not in variants:
            complaints.add(at, f"there is no variant {name!r}", part="value", fix=variant_meant(name, variants))


def variant_meant(name: str, variants: Mapping[str, Any]) -> str:
    """Say what to write instead of a variant that is not there, or where it is declared.

    In YAML as a cluster reads it `on` is `true` unless it is in quotes, as a key, too.
    """
    if name in _BOOLEANS and not variants.keys().isdisjoint({"true", "false"}):
        return f'write `"{name}":` under variants, too: without quotes it is a boolean there'
    meant = nearest(name, variants)
    return f"write `{meant}`" if meant else f"variants: {', '.join(variants)}"


def _validate_ramp(ramp: FlagRamp, variants: Mapping[str, Any], complaints: Complaints) -> None:
    if ramp.variant not in variants:
        title = f"there is no variant {ramp.variant!r}"
        complaints.add("spec.ramp.variant", title, part="value", fix=variant_meant(ramp.variant, variants))
    if not ramp.bucket_by.strip():
        title = "`spec.ramp.bucketBy` is empty: by which attribute are users drawn?"
        complaints.add("spec.ramp.bucketBy", title, part="value")
    reached = 0
    for index, step in enumerate(ramp.steps):
        _validate_step(f"spec.ramp.steps[{index}]", step, reached, complaints)
        reached = max(reached, step.set_weight or 0)
    if reached < _FULL:
        title = f"the ramp ends at {reached} percent: nobody would take the rest of the users"
        complaints.add("spec.ramp.steps", title, part="key", fix="end with `- setWeight: 100`")


def _validate_start(ramp: FlagRamp, spec: FeatureFlagSpec, complaints: Complaints) -> None:
    """Refuse a ramp whose end is where it begins: what it would lead to is the default already."""
    named = {"spec.defaultVariant": spec.default_variant}
    if (overlay := spec.environments.get("production")) is not None:
        named["spec.environments.production.defaultVariant"] = overlay.default_variant
    for path, variant in named.items():
        if variant == ramp.variant and variant is not None:
            title = f"everybody gets {variant!r} without the ramp that leads to it"
            fix = f"write the variant that people have before: {spec.safe or 'another one'}"
            complaints.add(path, title, part="value", fix=fix)


def _validate_step(path: str, step: CanaryStep, reached: int, complaints: Complaints) -> None:
    kinds = [name for name in step.__struct_fields__ if getattr(step, name) is not None]
    if len(kinds) != 1 or kinds[0] not in _STEPS:
        complaints.add(path, "a step of a ramp is one of setWeight, pause and analysis")
    weight = step.set_weight
    if weight is not None and not reached < weight <= _FULL:
        title = f"`{path}.setWeight` is {weight}: a ramp only grows, from above {reached} up to 100"
        complaints.add(f"{path}.setWeight", title, part="value")
    if step.pause is not None and step.pause.seconds is not None and step.pause.seconds < 0:
        fix = "write seconds, or a duration such as 90s, 15m or 24h"
        title = f"`{path}.pause.duration` is no duration"
        complaints.add(f"{path}.pause.duration", title, part="value", fix=fix)
    if step.analysis is not None:
        validate_rollout_analysis(f"{path}.analysis", step.analysis, complaints)


def _validate_overlay(
    path: str, name: str, overlay: FlagOverlay, spec: FeatureFlagSpec, complaints: Complaints
) -> None:
    if not _WORD.fullmatch(name):
        fix = "write it like production or eu-staging"
        complaints.add(path, f"{name!r} is not the name of an environment", part="key", fix=fix)
    own = overlay.variants or {}
    wanted = next((type_of(value) for value in spec.variants.values()), "")
    for variant, value in own.items():
        below = join(f"{path}.variants", variant)
        if type_of(value) != wanted:
            complaints.add(below, f"the variant {variant!r} has to be of type {wanted}", part="value")
        elif variant == spec.safe and variant_of({variant: value}, spec.safe_value) is None:
            title = f"the variant {variant!r} is what is safe, and has one value everywhere"
            complaints.add(below, title, part="value", fix="add a variant of another name")
    merged = {**spec.variants, **own}
    _validate_answers(path, merged, overlay.default_variant, overlay.targeting, complaints)
