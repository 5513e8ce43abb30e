"""What a waiver in a file has to say, and how: nobody should have to guess when it ends."""

from davy.model.checks.complaints import Complaints
from davy.model.instant import BadInstant, parse_instant
from davy.model.waiver import INSTANTS, Waiver, WaiverSpec

_SAID = {
    "rule": "which rule it excuses, e.g. `PD022`",
    "reason": "why",
    "ticket": "where it is followed up",
    "requester": "who asked for it",
}


def validate_waiver(waiver: Waiver, complaints: Complaints) -> None:
    """Refuse a waiver that is for nothing in particular, or whose instants are none."""
    for field, what in _SAID.items():
        if not getattr(waiver.spec, field).strip():
            complaints.add(f"spec.{field}", f"`spec.{field}` is empty: it says {what}")
    for field in ("kind", "name", "digest"):
        value = getattr(waiver.spec.object, field)
        if not value.strip() or "*" in value:
            title = f"`spec.object.{field}` is {value!r}: a waiver is for one object as it stands"
            complaints.add(f"spec.object.{field}", title, part="value")
    _validate_instants(waiver.spec, complaints)


def _validate_instants(spec: WaiverSpec, complaints: Complaints) -> None:
    for field in INSTANTS:
        text, path = getattr(spec, field), f"spec.{_spelt(field)}"
        if not text and field not in ("requested_at", "expires_at"):
            continue
        try:
            parse_instant(text)
        except BadInstant as error:
            fix = "write a day, a time and a zone: 2026-03-01T12:00:00Z"
            complaints.add(path, f"`{path}` is {text!r}: {error}", part="value", fix=fix)


def _spelt(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)
