"""One definition, and what is different in each environment."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from davy.flags.definition import Definition
from davy.flags.details import FlagType, Json
from davy.flags.governance import Bucketing, Criticality, Exposure, FlagKind, Governance, OnError
from davy.model.flag import FeatureFlag, FlagOverlay, type_of
from davy.model.key import Key


def governance_of(flag: FeatureFlag) -> Governance:
    """Say what governs a flag that was read and found valid; a rollout without a namespace is in the flag's."""
    spec, linked = flag.spec, flag.spec.rollout
    return Governance(
        owner=spec.owner,
        jira=spec.jira,
        expiry=spec.expiry,
        kind=FlagKind(spec.kind),
        exposure=Exposure(spec.exposure),
        criticality=Criticality(spec.criticality),
        safe=spec.safe,
        on_error=OnError(spec.on_error),
        bucketing=Bucketing(spec.bucketing),
        rollout="" if linked is None else str(Key(linked.namespace or flag.metadata.namespace, linked.name)),
        rollout_weight=100 if linked is None else linked.weight,
        drill_every=spec.drill_every,
        description=spec.description,
    )


def definition_of(flag: FeatureFlag, governance: Governance) -> Definition:
    """Return a flag without any environment's overlay; where targeting says nothing it answers what is safe."""
    spec = flag.spec
    return Definition(
        key=flag.metadata.name,
        variants=plain(spec.variants),
        enabled=spec.state == "ENABLED",
        default_variant=spec.safe if spec.default_variant is None else spec.default_variant,
        targeting=plain(spec.targeting) or None,
        metadata={**spec.metadata, **governance.metadata},
    )


def overlaid(definition: Definition, overlay: FlagOverlay) -> Definition:
    """Return a flag as it is with what is different in one environment."""
    changes: dict[str, Any] = {}
    if overlay.state is not None:
        changes["enabled"] = overlay.state == "ENABLED"
    if overlay.default_variant is not None:
        changes["default_variant"] = overlay.default_variant
    if overlay.targeting is not None:
        changes["targeting"] = plain(overlay.targeting) or None
    if overlay.variants is not None:
        changes["variants"] = {**definition.variants, **plain(overlay.variants)}
    return replace(definition, **changes)


def type_among(variants: Mapping[str, Json]) -> FlagType:
    """Say of which type variants are that have one; numbers are integers where all of them are."""
    types = {type_of(value) for value in variants.values()}
    if types == {"number"}:
        whole = all(isinstance(value, int) for value in variants.values())
        return FlagType.INTEGER if whole else FlagType.FLOAT
    return FlagType(types.pop())


def plain(value: Any) -> Any:
    """Return what was read of a manifest as JSON has it: in lists and dictionaries."""
    match value:
        case Mapping():
            return {name: plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case _:
            return value
