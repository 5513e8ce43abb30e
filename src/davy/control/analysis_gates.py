"""Davy's own gates about analyses, as a policy among policies.

`davy check` and an engine read manifests with their places; an API server sends JSON. Both are held to the
same gates, and hear the same sentence.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from davy.analysis import teeth
from davy.analysis.blind import blind_spots
from davy.model.document import Document
from davy.model.finding import Finding
from davy.model.judge import Judge
from davy.model.loader import Loaded, load_all
from davy.model.rollout import Rollout
from davy.policy.engine import Action, Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Kind, Object, Review

GATE = "AnalysisGate"
"""The `source` of what these gates say."""

NAME = "davy/analysis"
_GROUP, _VERSION = "argoproj.io", "v1alpha1"
_TEMPLATES = ("AnalysisTemplate", "ClusterAnalysisTemplate")
_JUDGED = frozenset({*((_GROUP, kind) for kind in (*_TEMPLATES, "Rollout")), ("davy.dev", "Judge")})
_ACTIONS: dict[str, Action] = {"error": "deny", "warning": "warn", "note": "dryrun"}

Name = tuple[Kind, str, str]
"""Which object: its kind, its namespace and its name."""


@dataclass(frozen=True, slots=True)
class AnalysisGates:
    """Judges analysis templates, the rollouts that use them, and Judges, as JSON."""

    name: str = NAME

    def matches(self, review: Review, inventory: Inventory, point: Point) -> bool:
        """Say whether it is an analysis template, a rollout or a Judge that is to be."""
        return (
            (review.kind.group, review.kind.kind) in _JUDGED
            and review.operation != "DELETE"
            and not review.sub_resource
        )

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        """Say what is wrong with the analysis; what cannot be read cannot be seen to have teeth."""
        if not self.matches(review, inventory, point):
            return ()
        loaded = _read(review.subject)
        if loaded.errors:
            return [_unreadable(loaded.errors[0])]
        found: list[Violation] = []
        for document in loaded.documents:
            match document.value:
                case Rollout() as rollout:
                    found += _of_rollout(rollout, inventory)
                case Judge():
                    found += map(violation, teeth.inspect(document))
                case _:
                    found += _of_template(document, inventory)
        return found


@dataclass(frozen=True, slots=True)
class FoundByGates:
    """What the gates found in texts that were read with their places, by the `id` of each object.

    It need not be found again; and of two objects with one name each is told what is its own.
    """

    violations: Mapping[int, Sequence[Violation]]
    name: str = NAME

    def matches(self, review: Review, inventory: Inventory, point: Point) -> bool:
        """Say whether the gates look at objects of this kind."""
        return AnalysisGates().matches(review, inventory, point)

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        """Say again what was found."""
        return self.violations.get(id(review.object), ())


def violation(finding: Finding) -> Violation:
    """Put a finding of a gate as any policy puts it, in one sentence."""
    return Violation(
        policy=NAME,
        rule=finding.code,
        message=f"{finding.title}: {finding.label}" if finding.label else finding.title,
        action=_ACTIONS[finding.severity],
        path=finding.path,
        source=GATE,
    )


def _of_template(document: Document, inventory: Inventory) -> Iterator[Violation]:
    """Judge a template by itself, and by what the rollouts that are there do with it."""
    yield from map(violation, teeth.inspect(document))
    namespace = None if document.kind == "ClusterAnalysisTemplate" else document.value.metadata.namespace
    others = [found for found in _templates(inventory, namespace) if found.place.file != document.place.file]
    told: set[str] = set()
    for rollout in _documents(_objects(inventory, "Rollout", namespace)):
        assert isinstance(rollout.value, Rollout)
        for finding in blind_spots(rollout.value, [*others, document]):
            if finding.place.file == document.place.file and finding.path not in told:
                told.add(finding.path)
                yield violation(finding)


def _of_rollout(rollout: Rollout, inventory: Inventory) -> Iterator[Violation]:
    """Judge what a rollout does with the templates that are there."""
    for finding in blind_spots(rollout, list(_templates(inventory, rollout.metadata.namespace))):
        said = violation(finding)
        template = finding.place.file
        details = {"template": template, "path": said.path}
        yield replace(said, message=f"{said.message} ({template})", path="", details=details)


def _templates(inventory: Inventory, namespace: str | None) -> Iterator[Document]:
    """Read the templates that a rollout of a namespace may name."""
    for kind, within in zip(_TEMPLATES, (namespace, None), strict=True):
        yield from _documents(_objects(inventory, kind, within))


def _unreadable(error: Finding) -> Violation:
    return Violation(
        policy=NAME,
        rule=error.code,
        message=f"this analysis cannot be read: {error.title}",
        path=error.path,
        broken=True,
        source=GATE,
    )


def _objects(inventory: Inventory, kind: str, namespace: str | None) -> Iterable[Object]:
    """Return the objects of a kind; None is any namespace, and none."""
    api_version = f"{_GROUP}/{_VERSION}"
    scopes = [inventory.document.get("cluster", {})]
    namespaces = inventory.document.get("namespace", {})
    scopes += namespaces.values() if namespace is None else [namespaces.get(namespace, {})]
    for scope in scopes:
        yield from scope.get(api_version, {}).get(kind, {}).values()


def _documents(objects: Iterable[Object]) -> Iterator[Document]:
    """Read objects that are there; what cannot be read was refused, or is somebody else's to mend."""
    for found in objects:
        yield from _read(found).documents


def _read(found: Object) -> Loaded:
    metadata = found.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else ""
    return _load(json.dumps(found), f"{found.get('kind')} {name}")


@lru_cache(maxsize=512)
def _load(text: str, name: str) -> Loaded:
    return load_all([(name, text)])
