"""The registry: every flag that is declared in Git, where, and as what."""

from collections.abc import Iterable, Mapping

import msgspec

from davy.flags.declaration import Declaration
from davy.flags.definition import Definitions
from davy.flags.details import Json
from davy.flags.overlays import definition_of, governance_of, overlaid, type_among
from davy.flags.plain import PlainDocument, is_flagd
from davy.model.document import Document
from davy.model.finding import Finding, Place
from davy.model.flag import FeatureFlag
from davy.model.loader import load_all
from davy.model.raw import RawDocument
from davy.model.source import join
from davy.model.validate import validate

__all__ = ["Declaration", "Registry", "read_registry", "registry_of"]

_WORDS = (b"FeatureFlag", b"flags")


class Registry(msgspec.Struct, frozen=True):
    """What is declared, by key.

    Args:
        flags: the flags that are served.
        retired: keys that were used once and must not be used again, and where that is said.
        evaluators: rules that flags share, from documents of flagd.
    """

    flags: Mapping[str, Declaration] = {}
    retired: Mapping[str, Place] = {}
    evaluators: Mapping[str, Json] = {}

    def definitions(self, environment: str) -> Definitions:
        """Return the flags of one environment, in the order of their keys; its name is that of the set."""
        flags = {key: self.flags[key].in_environment(environment) for key in sorted(self.flags)}
        return Definitions(flags, self.evaluators, {"flagSetId": environment})


def read_registry(
    texts: Iterable[tuple[str, bytes]], *, namespace: str = "default"
) -> tuple[Registry, tuple[Finding, ...]]:
    """Read the flags that texts declare, each text given with the name of its file; the rest is left alone.

    Flags with an error are left out, and told of. `namespace` is where FeatureFlags are that do not say.
    """
    texts = [(name, text) for name, text in texts if any(word in text for word in _WORDS)]
    loaded = load_all(texts, raw=True, namespace=namespace, only=("FeatureFlag",))
    told = [(document, validate(document)) for document in loaded.documents]
    registry, findings = registry_of([document for document, broken in told if not broken], loaded.raw)
    return registry, (*loaded.findings, *(finding for _, broken in told for finding in broken), *findings)


def registry_of(
    documents: Iterable[Document], plain: Iterable[RawDocument] = ()
) -> tuple[Registry, tuple[Finding, ...]]:
    """Gather what valid FeatureFlags and documents of flagd declare; other documents are left alone.

    Of two declarations of one key the first is taken, and both are told of: nobody knows which is meant.
    """
    gathered = _Gathered()
    for document in documents:
        if isinstance(document.value, FeatureFlag):
            gathered.take_flag(document, document.value)
    for each in plain:
        if each.sound and is_flagd(each.value):
            gathered.take_plain(each)
    return Registry(gathered.flags, gathered.retired, gathered.evaluators), tuple(gathered.findings)


class _Gathered:
    """What was declared so far."""

    def __init__(self) -> None:
        self.flags: dict[str, Declaration] = {}
        self.retired: dict[str, Place] = {}
        self.evaluators: dict[str, Json] = {}
        self.findings: list[Finding] = []

    def take_flag(self, document: Document, flag: FeatureFlag) -> None:
        key, place = flag.metadata.name, document.place_of("metadata.name")
        if (title := self._taken(key)) is not None:
            self.findings.append(
                document.finding(
                    "DV014", "metadata.name", title, fix="keep one of them, or choose a key that was never used"
                )
            )
        elif flag.spec.retired:
            self.retired[key] = place
        else:
            governance = governance_of(flag)
            definition = definition_of(flag, governance)
            overlays = flag.spec.environments.items()
            environments = {name: overlaid(definition, overlay) for name, overlay in overlays}
            type_ = type_among(definition.variants)
            self.flags[key] = Declaration(definition, type_, governance, place, environments, flag.spec.ramp)

    def take_plain(self, document: RawDocument) -> None:
        read = PlainDocument(document)
        self.findings += read.findings
        for flag in read.flags:
            if (title := self._taken(flag.key)) is None:
                self.flags[flag.key] = flag
            else:
                path = join("flags", flag.key)
                self.findings.append(
                    document.finding(
                        "DV014", path, title, fix="keep one of them, or choose a key that was never used"
                    )
                )
        for name, rule in read.evaluators.items():
            if self.evaluators.setdefault(name, rule) != rule:
                title = f"the rule {name!r} is another one in another file"
                path = join("$evaluators", name)
                self.findings.append(
                    document.finding("DV014", path, title, fix="give one of them another name")
                )

    def _taken(self, key: str) -> str | None:
        """Say where a key is taken already, if it is."""
        if key in self.retired:
            return f"the key {key!r} was retired ({self.retired[key]}): old code that reads it may still run"
        return f"{key!r} is declared already ({self.flags[key].place})" if key in self.flags else None
