"""Definitions as the document that flagd, and everything that reads its format, evaluates by."""

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from davy.flags.definition import Definition, Definitions
from davy.flags.details import Metadata
from davy.flags.gate import SAID
from davy.flags.governance import NAMES, Exposure
from davy.flags.targeting import references

SCHEMA = "https://flagd.dev/schema/v0/flags.json"

EVALUATED_BY = frozenset({"safe", "onError", "bucketing", "gate", "killed"})
"""The names of governance that an evaluator in a browser needs, to answer as one on a server does."""


def body_of(definitions: Definitions) -> dict[str, Any]:
    """Return a document as plain values, as flagd's schema has it; what could not be read is left out."""
    body: dict[str, Any] = {
        "$schema": SCHEMA,
        "flags": {key: _flag(definitions.flags[key]) for key in sorted(definitions.flags)},
        "metadata": dict(definitions.metadata),
    }
    return body | ({"$evaluators": dict(definitions.evaluators)} if definitions.evaluators else {})


def digest_of(definitions: Definitions) -> str:
    """Return `sha256:…` over what a document says, whatever version it is called."""
    metadata = {name: value for name, value in definitions.metadata.items() if name != "version"}
    return f"sha256:{sha256(_encoded(body_of(replace(definitions, metadata=metadata)))).hexdigest()}"


def rendered(definitions: Definitions, version: str | int | None = None) -> bytes:
    """Return a document as JSON: the same bytes for the same flags, in whatever order they were declared.

    `version` is what the set is called in its metadata; where it is not given, the beginning of its digest.
    """
    called = digest_of(definitions)[7:23] if version is None else version
    return _encoded(body_of(replace(definitions, metadata={**definitions.metadata, "version": called})))


def for_clients(definitions: Definitions, allowed: Collection[str] | None = None) -> Definitions:
    """Return what browsers and phones may have: flags that are declared for them, without what governs them.

    A flag that does not say is for servers. Shared rules that no flag uses any more are left out, too.

    Args:
        definitions: the flags of an environment, gates and kills baked in.
        allowed: the keys that these clients may have, any where it is not given.
    """
    flags = {
        key: replace(flag, metadata=_without(flag.metadata, EVALUATED_BY))
        for key, flag in definitions.flags.items()
        if flag.metadata.get("exposure", definitions.metadata.get("exposure")) == Exposure.CLIENT
        and (allowed is None or key in allowed)
    }
    used = {name for flag in flags.values() for name in references(flag.targeting)}
    return Definitions(
        flags,
        {name: rule for name, rule in definitions.evaluators.items() if name in used},
        _without(definitions.metadata, EVALUATED_BY),
    )


def public(metadata: Metadata) -> Metadata:
    """Return what an answer may tell beside a value: nothing of governance, gates and kills."""
    return _without(metadata, frozenset())


def _without(metadata: Metadata, kept: Collection[str]) -> dict[str, bool | int | float | str]:
    hidden = {*NAMES, *SAID}.difference(kept)
    return {name: value for name, value in metadata.items() if name not in hidden}


def _flag(flag: Definition) -> Mapping[str, Any]:
    body: dict[str, Any] = {
        "state": "ENABLED" if flag.enabled else "DISABLED",
        "variants": dict(flag.variants),
        "defaultVariant": flag.default_variant,
    }
    if flag.targeting:
        body["targeting"] = flag.targeting
    if flag.metadata:
        body["metadata"] = dict(flag.metadata)
    return body


def _encoded(body: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(body, order="deterministic")
