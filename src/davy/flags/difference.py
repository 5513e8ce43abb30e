"""What differs between flags: of two environments, or of a registry then and now."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from davy.flags.declaration import Declaration
from davy.flags.definition import Definition
from davy.flags.details import Json
from davy.flags.registry import Registry


class FieldChange(msgspec.Struct, frozen=True):
    """One field that differs; `before` or `after` is None where there is no such field."""

    field: str
    before: Json
    after: Json


class FlagChange(msgspec.Struct, frozen=True):
    """One flag that differs; of one that was added or removed, no field is told."""

    key: str
    change: Literal["added", "removed", "retired", "changed"]
    fields: tuple[FieldChange, ...] = ()


def between_environments(registry: Registry, before: str, after: str) -> tuple[FlagChange, ...]:
    """Say what differs between two environments, by key."""
    return tuple(
        FlagChange(key, "changed", fields)
        for key, flag in sorted(registry.flags.items())
        if (fields := _fields(_flat(flag.in_environment(before)), _flat(flag.in_environment(after))))
    )


def between_registries(before: Registry, after: Registry) -> tuple[FlagChange, ...]:
    """Say what became of the flags of a registry, by key, all environments and governance included."""
    return tuple(_changes(before, after))


def _changes(before: Registry, after: Registry) -> Iterator[FlagChange]:
    for key in sorted({*before.flags, *after.flags}):
        if key not in after.flags:
            yield FlagChange(key, "retired" if key in after.retired else "removed")
        elif key not in before.flags:
            yield FlagChange(key, "added")
        elif fields := _fields(_declared(before.flags[key]), _declared(after.flags[key])):
            yield FlagChange(key, "changed", fields)


def _declared(flag: Declaration) -> Mapping[str, Json]:
    own = _flat(flag.definition)
    for name, overlaid in flag.environments.items():
        for field, value in _flat(overlaid).items():
            if own.get(field) != value:
                own = {**own, f"environments.{name}.{field}": value}
    return own | {"ramp": None if flag.ramp is None else msgspec.to_builtins(flag.ramp)}


def _flat(flag: Definition) -> dict[str, Any]:
    return {
        "state": "ENABLED" if flag.enabled else "DISABLED",
        "defaultVariant": flag.default_variant,
        "targeting": flag.targeting,
        **{f"variants.{name}": value for name, value in flag.variants.items()},
        **{f"metadata.{name}": value for name, value in flag.metadata.items()},
    }


def _fields(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[FieldChange, ...]:
    names: Iterable[str] = dict.fromkeys([*before, *after])
    return tuple(
        FieldChange(name, before.get(name), after.get(name))
        for name in names
        if _canonical(before.get(name)) != _canonical(after.get(name))
    )


def _canonical(value: Json) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
