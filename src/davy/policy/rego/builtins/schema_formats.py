"""The `format` keyword of JSON Schema: what a text has to look like. Unknown formats say nothing."""

import ipaddress
import re
from collections.abc import Callable, Mapping

from davy.policy.rego.builtin import BuiltinError
from davy.policy.rego.builtins.addresses import parse
from davy.policy.rego.builtins.layout import read
from davy.policy.rego.builtins.patterns import compiled

_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?"
)
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,256}@[A-Za-z0-9.-]{1,256}|[^\s@]{1,256}@[^\s@]{1,256}")
_UUID = re.compile("(?i)[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}")
_POINTER = re.compile("(?:/(?:[^~/]|~[01])*)*")


def _date(*layouts: str) -> Callable[[str], bool]:
    def fits(value: str) -> bool:
        for layout in layouts:
            try:
                read(layout, value)
            except BuiltinError:
                continue
            return True
        return False

    return fits


def _address(kind: type, mark: str) -> Callable[[str], bool]:
    def fits(value: str) -> bool:
        try:
            return mark in value and kind(value) is not None
        except ValueError:
            return False

    return fits


def _readable(value: str) -> bool:
    try:
        compiled(value)
    except BuiltinError:
        return False
    return True


def _uri(value: str) -> bool:
    return _reference(value) and bool(parse(value).get("scheme"))


def _reference(value: str) -> bool:
    try:
        parse(value)
    except BuiltinError:
        return False
    return "\\" not in value


FORMATS: Mapping[str, Callable[[str], bool]] = {
    "date": _date("2006-01-02"),
    "time": _date("15:04:05", "15:04:05Z07:00"),
    "date-time": _date("15:04:05", "15:04:05Z07:00", "2006-01-02", "2006-01-02T15:04:05Z07:00"),
    "hostname": lambda value: len(value) < 256 and _HOST.fullmatch(value) is not None,
    "email": lambda value: _MAIL.fullmatch(value) is not None,
    "ipv4": _address(ipaddress.IPv4Address, "."),
    "ipv6": _address(ipaddress.IPv6Address, ":"),
    "uri": _uri,
    "uri-reference": _reference,
    "uuid": lambda value: _UUID.fullmatch(value) is not None,
    "regex": _readable,
    "json-pointer": lambda value: _POINTER.fullmatch(value) is not None,
}
"""Formats by name; one that is not here says nothing, as with OPA."""
