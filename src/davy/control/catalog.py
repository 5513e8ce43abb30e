"""The manifests that were accepted, as they stand."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from davy.analysis.resolve import Templates
from davy.ledger.store import Record, Store
from davy.model.analysis import AnalysisTemplate, AnalysisTemplateRef, ClusterAnalysisTemplate
from davy.model.gateway import HTTPRoute
from davy.model.images import ImageMap
from davy.model.istio import VirtualService
from davy.model.key import Key
from davy.model.rollout import Rollout
from davy.model.service import Service

Object: TypeAlias = (
    Rollout | AnalysisTemplate | ClusterAnalysisTemplate | Service | VirtualService | HTTPRoute | ImageMap
)
KINDS: dict[str, type[Object]] = {
    "Rollout": Rollout,
    "AnalysisTemplate": AnalysisTemplate,
    "ClusterAnalysisTemplate": ClusterAnalysisTemplate,
    "Service": Service,
    "VirtualService": VirtualService,
    "HTTPRoute": HTTPRoute,
    "ImageMap": ImageMap,
}
HELD = tuple(KINDS.values())
"""What an engine holds; other kinds are read, checked and left alone."""

Name: TypeAlias = tuple[str, Key]
"""How an object is known: its kind and its key."""


class Catalog:
    """Accepted manifests by kind and key. What is put in was stored by whoever puts it in.

    What was returned never changes: whoever goes through it in a thread of his own is not disturbed.
    """

    def __init__(self, objects: Iterable[Object] = ()) -> None:
        self._objects: dict[Name, Object] = {}
        self._rollouts: dict[Key, Rollout] = {}
        self._templates: dict[str, Templates] = {}
        self.put(*objects)

    @classmethod
    def load(cls, store: Store) -> "Catalog":
        """Read all that a store holds."""
        found = store.load("object")
        return cls(msgspec.json.decode(body, type=KINDS[name.split("/")[0]]) for name, body in found.items())

    @property
    def objects(self) -> tuple[Object, ...]:
        """Everything there is."""
        return tuple(self._objects.values())

    @property
    def rollouts(self) -> Mapping[Key, Rollout]:
        """The rollouts by key."""
        return self._rollouts

    def templates(self, namespace: str) -> Templates:
        """The analysis templates that a rollout of a namespace may name."""
        if namespace not in self._templates:
            self._templates[namespace] = self._usable(namespace)
        return self._templates[namespace]

    def _usable(self, namespace: str) -> Templates:
        templates = {}
        for found in self._objects.values():
            if isinstance(found, AnalysisTemplate) and found.key.namespace == namespace:
                templates[AnalysisTemplateRef(found.key.name)] = found.spec
            elif isinstance(found, ClusterAnalysisTemplate):
                templates[AnalysisTemplateRef(found.key.name, cluster_scope=True)] = found.spec
        return templates

    def outcome(self, manifest: Object) -> str:
        """Say what applying a manifest makes of it, in kubectl's words."""
        known = self._objects.get((manifest.kind, manifest.key))
        return "created" if known is None else "unchanged" if known == manifest else "configured"

    def put(self, *manifests: Object) -> None:
        """Take manifests in, or others in their place."""
        self._objects = self._objects | {(manifest.kind, manifest.key): manifest for manifest in manifests}
        fresh = {found.key: found for found in manifests if isinstance(found, Rollout)}
        self._rollouts = self._rollouts | fresh
        if len(fresh) < len(manifests):
            self._templates = {}

    def remove(self, kind: str, key: Key) -> None:
        """Take a manifest out."""
        self._objects = {name: found for name, found in self._objects.items() if name != (kind, key)}


def stored(*manifests: Object) -> dict[Record, bytes | None]:
    """Return what to write to the store for some manifests."""
    return {
        ("object", f"{manifest.kind}/{manifest.key}"): msgspec.json.encode(manifest) for manifest in manifests
    }
