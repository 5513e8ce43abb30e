"""The named formats of Kubernetes: what a text has to look like to be a name, a label, a date."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date as day

from davy.policy.cel.errors import CelError
from davy.policy.cel.library.moments import timestamp
from davy.policy.cel.library.urls import url
from davy.policy.cel.signature import Library
from davy.policy.cel.values import NONE, Opaque, Optional

NAMED = Library()

LABEL_TEXT = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN_TEXT = rf"{LABEL_TEXT}(\.{LABEL_TEXT})*"
LABEL_1035_TEXT = "[a-z]([-a-z0-9]*[a-z0-9])?"
NAME_TEXT = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL = re.compile(LABEL_TEXT)
SUBDOMAIN = re.compile(SUBDOMAIN_TEXT)
LABEL_1035 = re.compile(LABEL_1035_TEXT)
NAME = re.compile(NAME_TEXT)
UUID = re.compile("[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")

EXAMPLES = "(e.g. 'my-name',  or '123-abc', regex used for validation is "
NO_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
    f"end with an alphanumeric character {EXAMPLES}'{LABEL_TEXT}')"
)
NO_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    f"'{SUBDOMAIN_TEXT}')"
)
NO_LABEL_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    f"validation is '{LABEL_1035_TEXT}')"
)
NAME_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    f"'{NAME_TEXT}')"
)
NO_LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
    f"validation is '({NAME_TEXT})?')"
)


@dataclass(frozen=True, slots=True)
class Format(Opaque):
    """A format by its name."""

    name: str

    type_name = "kubernetes.NamedFormat"


def _too_long(text: str, most: int) -> list[str]:
    return [f"must be no more than {most} characters"] if len(text) > most else []


def _shaped(shape: "re.Pattern[str]", most: int, complaint: str) -> Callable[[str], list[str]]:
    def check(text: str) -> list[str]:
        return _too_long(text, most) + ([] if shape.fullmatch(text) else [complaint])

    return check


label = _shaped(LABEL, 63, NO_LABEL)
subdomain = _shaped(SUBDOMAIN, 253, NO_SUBDOMAIN)
label_1035 = _shaped(LABEL_1035, 63, NO_LABEL_1035)


def _prefix(check: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Check what a generated name begins with: a dash at its end becomes something else."""
    return lambda text: check(text[:-1] + "a" if len(text) > 1 and text.endswith("-") else text)


def _qualified_name(text: str) -> list[str]:
    parts = text.split("/")
    if len(parts) > 2:
        optional = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a valid label key {NAME_RULE}{optional}"]
    found = []
    if len(parts) == 2:
        found += [f"prefix part {said}" for said in subdomain(parts[0])] if parts[0] else [_empty("prefix")]
    if not parts[-1]:
        found.append(_empty("name"))
    found += [f"name part {said}" for said in _too_long(parts[-1], 63)]
    return found + ([] if NAME.fullmatch(parts[-1]) else [f"name part {NAME_RULE}"])


def _empty(part: str) -> str:
    return f"{part} part must be non-empty"


def _label_value(text: str) -> list[str]:
    return _too_long(text, 63) + ([] if not text or NAME.fullmatch(text) else [NO_LABEL_VALUE])


def _uri(text: str) -> list[str]:
    try:
        url(text)
    except CelError as error:
        return [error.message.removeprefix("URL parse error during conversion from string: ")]
    return []


def _uuid(text: str) -> list[str]:
    return [] if UUID.fullmatch(text) else ["does not match the UUID format"]


def _byte(text: str) -> list[str]:
    try:
        right = bool(text) and bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        right = False
    return [] if right else ["invalid base64"]


def _date(text: str) -> list[str]:
    try:
        right = DATE.fullmatch(text) is not None and bool(day.fromisoformat(text))
    except ValueError:
        right = False
    return [] if right else ["invalid date"]


def _datetime(text: str) -> list[str]:
    try:
        timestamp(text.upper())
    except CelError:
        return ["invalid datetime"]
    return []


FORMATS: dict[str, Callable[[str], list[str]]] = {
    "dns1123Label": label,
    "dns1123Subdomain": subdomain,
    "dns1035Label": label_1035,
    "qualifiedName": _qualified_name,
    "dns1123LabelPrefix": _prefix(label),
    "dns1123SubdomainPrefix": _prefix(subdomain),
    "dns1035LabelPrefix": _prefix(label_1035),
    "labelValue": _label_value,
    "uri": _uri,
    "uuid": _uuid,
    "byte": _byte,
    "date": _date,
    "datetime": _datetime,
}


def _constant(name: str) -> Callable[[], Format]:
    return lambda: Format(name)


for _name in FORMATS:
    NAMED.add(f"format.{_name}", "() -> format", _constant(_name))


@NAMED.define("format.named", "(string) -> optional(format)")
def named(name: str) -> Optional:
    """Return a format by its name, if there is one."""
    return Optional(Format(name)) if name in FORMATS else NONE


@NAMED.define("validate", "format.(string) -> optional(list(string))")
def validate(found: Format, text: str) -> Optional:
    """Say what is wrong with a text; nothing is there if nothing is."""
    complaints = FORMATS[found.name](text)
    return Optional(complaints) if complaints else NONE
