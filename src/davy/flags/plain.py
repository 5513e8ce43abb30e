"""Documents as flagd has them, read as declarations: what governs a flag is flat in its metadata."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from davy.flags.declaration import Declaration
from davy.flags.definition import Definition
from davy.flags.details import Json, Metadata
from davy.flags.governance import NAMES, Governance, governance_in
from davy.flags.overlays import type_among
from davy.model.check import nearest
from davy.model.checks.flag import variant_meant
from davy.model.finding import Finding, Severity
from davy.model.flag import GATE_NAMES, KEY, TICKET, type_of
from davy.model.instant import BadInstant, parse_end
from davy.model.raw import RawDocument
from davy.model.source import join
from davy.model.targeting import outcomes

FIELDS = ("state", "variants", "defaultVariant", "targeting", "metadata")
_OF_THE_SET = ("flagSetId", "version")
_STATES = ("ENABLED", "DISABLED")


def is_flagd(value: Mapping[str, Any]) -> bool:
    """Say whether a document without a kind is one of flagd's."""
    return "kind" not in value and isinstance(value.get("flags"), dict)


class PlainDocument:
    """Reads one document of flagd: `flags` has those without an error, `findings` all that is to be said."""

    def __init__(self, document: RawDocument) -> None:
        self.document = document
        self.findings: list[Finding] = []
        self.evaluators = self._mapping("$evaluators")
        self._common = {
            name: value
            for name, value in self._metadata(self._mapping("metadata"), "metadata").items()
            if name not in _OF_THE_SET
        }
        self.flags = [found for key, flag in self._mapping("flags").items() if (found := self._read(key, flag))]

    def _mapping(self, path: str) -> dict[str, Any]:
        value = self.document.value.get(path, {})
        if isinstance(value, dict):
            return value
        self._tell("DV006", path, f"`{path}` has to be a mapping")
        return {}

    def _read(self, key: str, flag: Any) -> Declaration | None:
        path = join("flags", key)
        before = self._errors()
        if not KEY.fullmatch(key):
            title = f"the key {key!r} has no namespace: nobody owns it"
            fix = "write it like checkout.discount-enabled: small letters, digits and `-` between dots"
            self._tell("DV008", path, title, severity="warning", fix=fix)
        if not isinstance(flag, dict):
            self._tell("DV006", path, f"`{path}` has to be a mapping")
            return None
        for problem in _shape(flag, path):
            self._tell(*problem)
        if self._errors() > before:
            return None
        metadata = {**self._common, **self._metadata(flag.get("metadata") or {}, f"{path}.metadata")}
        if self._errors() > before:
            return None
        variants: Mapping[str, Json] = flag["variants"]
        governance = self._governance(metadata, variants, f"{path}.metadata")
        if governance is None or self._errors() > before:
            return None
        enabled, targeting = flag["state"] == "ENABLED", flag.get("targeting") or None
        definition = Definition(key, variants, enabled, flag.get("defaultVariant"), targeting, metadata)
        return Declaration(definition, type_among(variants), governance, self.document.place_of(path))

    def _metadata(self, metadata: Mapping[str, Any], path: str) -> Metadata:
        """Refuse what is not flat, what only Davy says, and what is nearly a name of governance."""
        for name, value in metadata.items():
            below = join(path, name)
            if not isinstance(value, bool | int | float | str):
                self._tell(
                    "DV006", below, f"`{name}` has to be a text, a number or a boolean: metadata is flat"
                )
            elif name in GATE_NAMES:
                self._tell("DV008", below, f"`{name}` says what became of a flag, and only Davy writes that")
            elif name not in NAMES and (meant := nearest(name, NAMES)):
                self._tell("DV005", below, f"`{name}` governs nothing", fix=f"write `{meant}`")
        return metadata

    def _governance(self, metadata: Metadata, variants: Mapping[str, Json], path: str) -> Governance | None:
        try:
            found = governance_in(metadata)
        except msgspec.ValidationError as error:
            why, _, at = str(error).partition(" - at `$.")
            self._tell("DV008", join(path, at.rstrip("`")), f"`{at.rstrip('`')}` cannot be: {why}")
            return None
        for name, title in _wrong(found, variants):
            self._tell("DV008", join(path, name), title)
        return found

    def _tell(self, code: str, path: str, title: str, fix: str = "", severity: Severity = "error") -> None:
        self.findings.append(self.document.finding(code, path, title, severity=severity, fix=fix))

    def _errors(self) -> int:
        return sum(finding.severity == "error" for finding in self.findings)


def _shape(flag: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, str, str]]:
    """Hold a flag against flagd's schema, and against what the schema forgets."""
    for name in flag:
        if name not in FIELDS:
            meant = nearest(name, FIELDS)
            fix = f"write `{meant}`" if meant else f"write it in `metadata`; known here: {', '.join(FIELDS)}"
            yield "DV005", join(path, name), f"a flag has no field `{name}`", fix
    if flag.get("state") not in _STATES:
        code = "DV008" if "state" in flag else "DV007"
        yield code, f"{path}.state", "`state` has to be ENABLED or DISABLED", ""
    if not isinstance(flag.get("metadata", {}), dict | None):
        yield "DV006", f"{path}.metadata", "`metadata` has to be a mapping", ""
    variants = flag.get("variants")
    if not isinstance(variants, dict) or not variants:
        code = "DV006" if "variants" in flag else "DV007"
        yield code, f"{path}.variants", "`variants` has to be a mapping with at least one variant", ""
        return
    if "" in (types := {type_of(value) for value in variants.values()}) or len(types) > 1:
        yield (
            "DV006",
            f"{path}.variants",
            "variants have to be of one type: boolean, text, number or mapping",
            "",
        )
    yield from _answers(flag, variants, path)


def _answers(
    flag: Mapping[str, Any], variants: Mapping[str, Any], path: str
) -> Iterator[tuple[str, str, str, str]]:
    default, targeting = flag.get("defaultVariant"), flag.get("targeting")
    named = [(f"{path}.defaultVariant", default)] if isinstance(default, str) else []
    if default is not None and not isinstance(default, str):
        fix = 'quote it, and the variants: "on", "off"' if isinstance(default, bool) else ""
        yield "DV006", f"{path}.defaultVariant", "`defaultVariant` has to be the name of a variant", fix
    if targeting is not None and not isinstance(targeting, dict):
        yield "DV006", f"{path}.targeting", "`targeting` has to be a mapping", ""
    for at, name in (*named, *outcomes(targeting, f"{path}.targeting")):
        if name not in variants:
            yield "DV008", at, f"there is no variant {name!r}", variant_meant(name, variants)


def _wrong(governance: Governance, variants: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Say what is wrong with values of governance, each with its name."""
    if governance.jira and not TICKET.fullmatch(governance.jira):
        yield "jira", f"`jira` is {governance.jira!r}, which is no ticket such as PAY-123"
    if governance.safe and governance.safe not in variants:
        yield "safe", f"`safe` is {governance.safe!r}, and no variant has this name"
    if governance.rollout and governance.rollout.strip("/").count("/") != 1:
        yield "rollout", f"`rollout` is {governance.rollout!r}: write namespace/name"
    if not 1 <= governance.rollout_weight <= 100:
        yield (
            "rolloutWeight",
            f"`rolloutWeight` is {governance.rollout_weight}: it is between 1 and 100 percent",
        )
    if governance.expiry:
        try:
            parse_end(governance.expiry)
        except BadInstant as error:
            yield "expiry", f"`expiry` is {governance.expiry!r}: {error}"
