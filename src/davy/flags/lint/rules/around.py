"""Rules about what surrounds reads: providers, contexts, imports, and what could not be read."""

import re
from collections.abc import Iterator

from davy.flags.lint.rules.view import Found, View
from davy.flags.lint.usage import Attribute
from davy.model.finding import Place

_DEAD = {"@openfeature/js-sdk": "@openfeature/server-sdk, or @openfeature/web-sdk in a browser"}
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_QUOTES = ('"', "'", "`")
_LAST = re.compile(r"[A-Za-z_]\w*(?=\W*\Z)")

PERSONAL = frozenset(
    (
        "email",
        "mail",
        "e mail",
        "name",
        "first name",
        "last name",
        "full name",
        "given name",
        "family name",
        "surname",
        "user name",
        "username",
        "phone",
        "phone number",
        "mobile",
        "telephone",
        "ip",
        "ip address",
        "remote addr",
        "address",
        "street",
        "postcode",
        "zip",
        "zip code",
        "birthday",
        "birth date",
        "date of birth",
        "dob",
        "ssn",
        "passport",
        "tax id",
        "iban",
        "card number",
        "credit card",
        "latitude",
        "longitude",
    )
)
"""Names of attributes that are personal data, in words."""


def hasty(view: View) -> Iterator[Found]:
    """F014: a provider is waited for."""
    for scan in view.scans:
        for each in scan.providers:
            if not each.waits:
                label = f"`{each.function}` returns before the provider is ready"
                instead = "set_provider_and_wait" if "_" in each.function else "setProviderAndWait"
                length = each.span.end - each.span.start
                yield from view.at("F014", each.place, label, f"call `{instead}`", length=length)


def personal(view: View) -> Iterator[Found]:
    """F015: contexts carry no personal data; each attribute is told of once."""
    met: set[Place] = set()
    for scan in view.scans:
        for each in (*scan.attributes, *(each for usage in scan.usages for each in usage.attributes)):
            if each.place in met:
                continue
            met.add(each.place)
            if word := _personal(each, view):
                label = f"`{each.name}` is personal data"
                if word != each.name:
                    label = f"`{each.name}` is `{each.value}`, which is personal data"
                fix = "send a keyed hash of the subject, and what follows from the rest (a country, a plan)"
                yield from view.at("F015", each.place, label, fix, path=each.name, length=len(each.name))


def _personal(attribute: Attribute, view: View) -> str:
    """Return the name that says that an attribute is personal: its own, or that of its value; else nothing."""
    allowed = {_words(name) for name in view.settings.personal.allow}
    known = PERSONAL | {_words(name) for name in view.settings.personal.attributes}
    names = [attribute.name]
    if (last := _LAST.search(attribute.value)) and not attribute.value.startswith(_QUOTES):
        names.append(last[0])
    if _words(attribute.name) in allowed:
        return ""
    return next((name for name in names if _words(name) in known), "")


def _words(name: str) -> str:
    """Write `userEmail`, `user_email` and `user.email` alike, without what only says whose it is."""
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and words[0] in ("user", "customer", "client", "account", "person", "contact"):
        words = words[1:]
    return " ".join(words)


def dead(view: View) -> Iterator[Found]:
    """F018: imports name modules that live."""
    for scan in view.scans:
        for each in scan.imports:
            if each.module in _DEAD:
                label = f"`{each.module}` is not made any more"
                fix = f"import {_DEAD[each.module]}"
                yield from view.at("F018", each.place, label, fix, path=each.module, length=len(each.module))


def broken(view: View) -> Iterator[Found]:
    """F020: all of the code is read."""
    for scan in view.scans:
        if scan.broken:
            label = f"not all of it is {scan.language}"
            yield from view.at("F020", Place(scan.file, 1, 1), label, "see whether a compiler reads it")
        if scan.deep:
            label = "it nests so deep that not all is looked at that is around its reads"
            yield from view.at("F020", Place(scan.file, 1, 1), label, "take what is inside out into functions")
