"""What of a violation a machine can mend: fields that have one right value, whoever asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from davy.policy.review import Json, Object


@dataclass(frozen=True, slots=True)
class Edit:
    """Set the field at a path to a value; it is added where it is not there."""

    path: str
    value: Json


def mend(rule: str, found: Object, parameters: Mapping[str, Json] | None = None) -> tuple[Edit, ...]:
    """Say which fields to set so that a rule of the pack has nothing more against an object.

    Only for an object that the rule fires on. Nothing where a person has to choose.

    Args:
        rule: its id, e.g. `PD038`.
        found: the object.
        parameters: those of the constraint, since a limit of its own is the value to set.
    """
    mending = _MENDING.get(rule)
    return mending(found, parameters or {}) if mending else ()


def _aborts(found: Object, parameters: Mapping[str, Json]) -> tuple[Edit, ...]:
    return (Edit("spec.progressDeadlineAbort", True),)


def _window(found: Object, parameters: Mapping[str, Json]) -> tuple[Edit, ...]:
    return (Edit("spec.rollbackWindow.revisions", parameters.get("maxRollbackWindow", 3)),)


def _history(found: Object, parameters: Mapping[str, Json]) -> tuple[Edit, ...]:
    return (Edit("spec.revisionHistoryLimit", parameters.get("minRevisionHistory", 2)),)


def _promotes(found: Object, parameters: Mapping[str, Json]) -> tuple[Edit, ...]:
    return (Edit("spec.strategy.blueGreen.autoPromotionEnabled", False),)


def _stays(found: Object, parameters: Mapping[str, Json]) -> tuple[Edit, ...]:
    limit = parameters.get("minScaleDownDelaySeconds", 30)
    strategy = found["spec"]["strategy"]
    return tuple(
        Edit(f"spec.strategy.{name}.scaleDownDelaySeconds", limit)
        for name in ("blueGreen", "canary")
        if _is_less((strategy.get(name) or {}).get("scaleDownDelaySeconds"), limit)
    )


def _is_less(value: Json, limit: int) -> bool:
    return isinstance(value, int) and value < limit


_MENDING: Mapping[str, Callable[[Object, Mapping[str, Json]], tuple[Edit, ...]]] = {
    "PD034": _promotes,
    "PD035": _stays,
    "PD038": _aborts,
    "PD039": _window,
    "PD040": _history,
}
