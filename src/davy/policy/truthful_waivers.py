"""A waiver says who asked and who agreed, truthfully: the cluster's own word for who somebody is.

Waivers are objects of the cluster (`davy.dev/v1alpha1`), so whoever may write them could write anybody's name
into them. This policy holds every name that is new to the name of whoever writes it, and everything else to
what it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from davy.policy.engine import Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Json, Object, Review
from davy.policy.waiver_file import read
from davy.policy.waivers import problem

RULE = "PD070"

WHY = "a waiver is worth what its names are worth: whoever asked and whoever agreed have to be who they say"

_ACTS: Mapping[str, frozenset[str]] = {
    "approver": frozenset({"approver", "approvedAt", "approval"}),
    "revokedBy": frozenset({"revokedBy", "revokedAt"}),
    "reviewedBy": frozenset({"reviewedBy", "reviewedAt"}),
}
"""What people do with a waiver that is there: the field that names them, and all that goes with it."""

_COUNTED = frozenset({"used", "expiredAt"})
"""What Davy writes, which is let through before any policy is asked."""


@dataclass(frozen=True, slots=True)
class TruthfulWaivers:
    """Judges the writing of waivers."""

    name: str = "davy-truthful-waivers"

    def matches(self, review: Review, inventory: Inventory, point: Point) -> bool:
        """Say whether the object is a waiver, on its way into a cluster."""
        return (review.kind.group, review.kind.kind) == ("davy.dev", "Waiver") and review.operation != ""

    def judge(self, review: Review, inventory: Inventory, point: Point) -> tuple[Violation, ...]:
        """Say what is untrue of a waiver."""
        if not self.matches(review, inventory, point):
            return ()
        found = _wrong(review, str(review.user.get("username", "")))
        if found is None:
            return ()
        field, message = found
        path = f"spec.{field}" if field else ""
        return (Violation(self.name, RULE, message, path=path, source="TruthfulWaivers"),)


def _wrong(review: Review, user: str) -> tuple[str, str] | None:
    """Return the field that is wrong and what is wrong with it."""
    old = _spec(review.old_object)
    if review.operation == "CREATE":
        return _wrong_request(_spec(review.object), user) or _unsound(review.subject)
    if review.operation == "DELETE":
        if old.get("approver"):
            return "", "a waiver that was approved stays on record: set revokedBy to end it"
        return None
    if review.operation == "UPDATE":
        return _wrong_change(old, _spec(review.object), user)
    return "", f"nothing is known of a {review.operation} of a waiver"


def _wrong_request(spec: Mapping[str, Json], user: str) -> tuple[str, str] | None:
    if spec.get("requester") != user:
        return "requester", f"the requester is {_named(spec.get('requester'))}, but {_named(user)} writes this"
    glass = spec.get("breakGlass") is True
    if glass and spec.get("approver") not in (None, "", user):
        return "approver", "glass is broken by one person alone, and not for another"
    early = (_ACTS["revokedBy"] | _ACTS["reviewedBy"] | _COUNTED) | (
        frozenset() if glass else _ACTS["approver"]
    )
    for field in sorted(early):
        if spec.get(field) not in (None, "", 0):
            return field, f"a waiver begins as a request: it cannot have {field} yet"
    return None


def _unsound(found: Object) -> tuple[str, str] | None:
    """Say what would keep a waiver from ever counting, while whoever asks for it is there to hear it."""
    try:
        waiver = read(found)
    except ValueError as error:
        return "", str(error)
    wrong = problem(waiver)
    return ("", f"this waiver would never count: {wrong}") if wrong else None


def _wrong_change(old: Mapping[str, Json], new: Mapping[str, Json], user: str) -> tuple[str, str] | None:
    changed = {name for name in {*old, *new} if _differs(old.get(name), new.get(name))}
    if not changed:
        return None
    act = next((name for name in _ACTS if name in changed), "")
    strange = sorted(changed - _ACTS.get(act, frozenset()))
    if strange:
        return strange[0], f"{strange[0]} of a waiver never changes: ask for another one"
    if old.get(act):
        return act, f"{act} was {_named(old[act])} already, and stays that"
    if new.get(act) != user:
        return act, f"{act} is {_named(new.get(act))}, but {_named(user)} writes this"
    if act == "revokedBy":
        return None
    if old.get("requester") == user:
        return act, f"{_named(user)} asked for this waiver, and somebody else has to be {act}"
    if act == "reviewedBy" and old.get("breakGlass") is not True:
        return act, "only a waiver that broke glass is reviewed"
    if act == "approver" and old.get("breakGlass") is True:
        return act, "glass is broken by one person alone: review it, or ask for a waiver"
    return None


def _differs(old: Json, new: Json) -> bool:
    """Compare as JSON does, where true is not 1."""
    return old != new or type(old) is not type(new)


def _spec(found: Mapping[str, Json] | None) -> Mapping[str, Json]:
    spec = None if found is None else found.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _named(value: Json) -> str:
    return repr(value) if isinstance(value, str) and value else "nobody"
