"""A flag that was read of another vendor's export, and what is to be said of it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from davy.flags.details import Json
from davy.model.flag import KEY, type_of


class Told(msgspec.Struct, frozen=True):
    """Something that could not be translated as it was; an `error` means that it answers otherwise now."""

    flag: str
    severity: Literal["error", "warning", "note"]
    message: str


class Overlay(msgspec.Struct, frozen=True):
    """What a flag answers in one environment."""

    default: str | None = None
    targeting: Json = None


class Imported(msgspec.Struct, frozen=True):
    """A flag as the vendor has it.

    Args:
        key: its name there.
        variants: values by name, of one type.
        safe: the variant that is answered while the flag is off.
        answers: what it answers by environment; the empty name is for all of them.
        description: what it does, for people.
        kind: one of the kinds of a FeatureFlag.
        owner: who answers for it there.
        exposure: whether browsers may have it.
        metadata: more that is told of it.
    """

    key: str
    variants: Mapping[str, Json]
    safe: str
    answers: Mapping[str, Overlay]
    description: str = ""
    kind: str = "release"
    owner: str = ""
    exposure: str = "server"
    metadata: Mapping[str, Json] = {}


class Given(msgspec.Struct, frozen=True):
    """What the vendor does not know: who answers for flags, until when, and in which namespace keys are."""

    owner: str
    jira: str
    expiry: str
    prefix: str = "imported"


class Untranslatable(Exception):
    """A condition cannot be said in flagd's words; the message says which and why."""


_NOT_IN_KEYS = re.compile(r"[^a-z0-9.-]+")


def key_of(name: str, prefix: str) -> str:
    """Return the key of a flag: the name where it is one, else one made of it in a namespace."""
    if KEY.fullmatch(name):
        return name
    spelt = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
    words = [word.strip("-") for word in _NOT_IN_KEYS.sub("-", spelt).split(".")]
    parts = [word if word[0].isalpha() else f"f-{word}" for word in words if word]
    return ".".join(parts if len(parts) > 1 else [prefix, *parts])


def manifest(flag: Imported, given: Given) -> dict[str, Any]:
    """Write a flag as the JSON of a FeatureFlag."""
    base = (
        "" if "" in flag.answers else "production" if "production" in flag.answers else next(iter(flag.answers))
    )
    own = flag.answers[base]
    spec: dict[str, Any] = {
        "owner": flag.owner or given.owner,
        "jira": given.jira,
        "expiry": given.expiry,
        "description": flag.description,
        "kind": flag.kind,
        "exposure": flag.exposure,
        "variants": dict(flag.variants),
        "safeValue": flag.variants[flag.safe],
        "defaultVariant": own.default,
        "targeting": own.targeting,
        "metadata": {"importedAs": flag.key, **flag.metadata},
        "environments": {
            name: {"defaultVariant": each.default or flag.safe, "targeting": each.targeting or {}}
            for name, each in flag.answers.items()
            if name != base and each != own
        },
    }
    kept = {name: value for name, value in spec.items() if name == "safeValue" or value not in (None, "", {})}
    return {
        "apiVersion": "davy.dev/v1alpha1",
        "kind": "FeatureFlag",
        "metadata": {"name": key_of(flag.key, given.prefix)},
        "spec": kept,
    }


def renamed(flags: Sequence[Imported], given: Given) -> list[Told]:
    """Tell of the flags that have another key from now on, which code has to ask for."""
    told = []
    met: dict[str, str] = {}
    for flag in flags:
        key = key_of(flag.key, given.prefix)
        if key in met:
            told.append(Told(flag.key, "error", f"its key would be {key}, as that of {met[key]!r}: rename one"))
        elif key != flag.key:
            told.append(Told(flag.key, "warning", f"it is called {key} here: code has to ask for that"))
        met[key] = flag.key
    return told


def one_type(variants: Mapping[str, Json]) -> bool:
    """Say whether variants can be those of one flag here."""
    types = {type_of(value) for value in variants.values()}
    return len(types) == 1 and "" not in types


def safe_among(variants: Mapping[str, Json]) -> str:
    """Return the variant that is off: the one whose value is nothing, or the first."""
    return next((name for name, value in variants.items() if not value), next(iter(variants)))


def all_of(conditions: Sequence[Json]) -> Json:
    """Join conditions that all have to hold; none of them always holds."""
    kept = [each for each in conditions if each is not True]
    if any(each is False for each in kept):
        return False
    return kept[0] if len(kept) == 1 else {"and": kept} if kept else True


def any_of(conditions: Sequence[Json]) -> Json:
    """Join conditions of which one has to hold; none of them never holds."""
    kept = [each for each in conditions if each is not False]
    if any(each is True for each in kept):
        return True
    return kept[0] if len(kept) == 1 else {"or": kept} if kept else False


def negated(condition: Json) -> Json:
    """Turn a condition round."""
    return not condition if isinstance(condition, bool) else {"!": [condition]}


def chosen(branches: Sequence[tuple[Json, Json]], last: Json) -> Json:
    """Write what is answered: that of the first branch whose condition holds, else the last."""
    words: list[Json] = []
    for condition, answer in branches:
        if condition is True:
            last = answer
            break
        if condition is not False:
            words += [condition, answer]
    return {"if": [*words, last]} if words else last


def answer(rule: Json, otherwise: str) -> Overlay:
    """Make an overlay of a rule; one that always answers the same needs no targeting."""
    return Overlay(rule) if isinstance(rule, str) else Overlay(otherwise, rule)
