"""`spec.enforcementAction`: what a violation leads to at each of the points where policies are enforced."""

from collections.abc import Mapping
from typing import get_args

from davy.policy.engine import Action, Point
from davy.policy.gatekeeper.malformed import Malformed, listed, mapping, nearest, text
from davy.policy.review import Json, Object

ACTIONS: tuple[Action, ...] = get_args(Action)
"""From the strongest to the weakest."""

ELSEWHERE = ("audit.gatekeeper.sh", "vap.k8s.io")
"""Points of Gatekeeper's that Davy is not: it has nothing to do there."""

POINTS = (*Point, *ELSEWHERE, "*")

Enforced = Mapping[Point, Action]
"""What a violation leads to; a point that is missing does not ask."""


def enforcement(spec: Object, path: str = "spec") -> Enforced:
    """Read what a constraint does about its violations; when it says nothing, it denies.

    Raises:
        Malformed: there is no such action or point. Gatekeeper logs that and enforces nothing.
    """
    written = spec.get("enforcementAction")
    action = "deny" if written in (None, "") else text(written, f"{path}.enforcementAction")
    if action == "scoped":
        return _scoped(spec.get("scopedEnforcementActions"), f"{path}.scopedEnforcementActions")
    return dict.fromkeys(Point, action_of(action, f"{path}.enforcementAction", (*ACTIONS, "scoped")))


def action_of(written: str, path: str, known: tuple[str, ...] = ACTIONS) -> Action:
    """Read one action.

    Raises:
        Malformed: there is no such action.
    """
    for action in ACTIONS:
        if action == written:
            return action
    message = (
        f"{written!r} is no enforcement action; Gatekeeper would enforce nothing and say so in its log only"
    )
    raise Malformed(path, message, nearest(written, known))


def _scoped(written: Json, path: str) -> Enforced:
    entries = listed(written, path)
    if not entries:
        raise Malformed(
            path, "a scoped constraint without scoped actions is enforced nowhere", "name the points"
        )
    found: dict[Point, Action] = {}
    for at, entry in enumerate(entries):
        here = f"{path}[{at}]"
        known = mapping(entry, here, ("action", "enforcementPoints"))
        action = action_of(text(known.get("action"), f"{here}.action"), f"{here}.action")
        for point in _points(known.get("enforcementPoints"), f"{here}.enforcementPoints"):
            if point not in found or ACTIONS.index(action) < ACTIONS.index(found[point]):
                found[point] = action
    return found


def _points(written: Json, path: str) -> list[Point]:
    """Read enforcement points; those that are not Davy's mean nothing here."""
    names = []
    for at, entry in enumerate(listed(written, path)):
        name = text(mapping(entry, f"{path}[{at}]", ("name",)).get("name"), f"{path}[{at}].name")
        if name not in POINTS:
            raise Malformed(
                f"{path}[{at}].name", f"there is no enforcement point {name!r}", nearest(name, POINTS)
            )
        names.append(name)
    return list(Point) if "*" in names else [point for point in Point if point in names]
