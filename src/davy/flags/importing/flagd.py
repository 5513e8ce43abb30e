"""Documents of flagd as FeatureFlags: nothing is lost but shared rules, which are written out."""

from collections.abc import Mapping
from typing import Any

from davy.flags.definition import Definition
from davy.flags.details import Json
from davy.flags.governance import NAMES, governance_in
from davy.flags.importing.imported import Imported, Overlay, Told
from davy.flags.registry import Registry


def from_flagd(registry: Registry) -> tuple[list[Imported], list[Told]]:
    """Translate the flags that a document of flagd declares."""
    told: list[Told] = []
    flags = [_flag(each.definition, registry.evaluators, told) for _, each in sorted(registry.flags.items())]
    return flags, told


def _flag(flag: Definition, evaluators: Mapping[str, Json], told: list[Told]) -> Imported:
    governance = governance_in(flag.metadata)
    nothing = next((name for name, value in flag.variants.items() if not value), None)
    safe = governance.safe or nothing or flag.default_variant or next(iter(flag.variants))
    default = flag.default_variant or safe
    if flag.default_variant is None:
        told.append(
            Told(flag.key, "warning", f"code decided where targeting says nothing; it answers {safe!r} here")
        )
    if not governance.safe and nothing is None:
        told.append(Told(flag.key, "warning", f"nothing says what is safe; {safe!r} is taken"))
    if not flag.enabled:
        told.append(Told(flag.key, "warning", f"it is disabled, and code decides; it answers {safe!r} here"))
    targeting = _written_out(flag.targeting, evaluators) if flag.enabled else None
    return Imported(
        key=flag.key,
        variants=flag.variants,
        safe=safe,
        answers={"": Overlay(default if flag.enabled else safe, targeting)},
        description=governance.description,
        kind=str(governance.kind),
        owner=governance.owner,
        exposure=str(governance.exposure),
        metadata={name: value for name, value in flag.metadata.items() if name not in NAMES},
    )


def _written_out(rule: Any, evaluators: Mapping[str, Json]) -> Any:
    match rule:
        case {"$ref": str(name)} if name in evaluators:
            return evaluators[name]
        case dict():
            return {name: _written_out(each, evaluators) for name, each in rule.items()}
        case list():
            return [_written_out(each, evaluators) for each in rule]
        case _:
            return rule
