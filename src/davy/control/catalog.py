"""The manifests that were accepted, as they stand."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from davy.analysis.resolve import Templates
from davy.errors import Refused
from davy.ledger.store import Record, Store
from davy.model.analysis import AnalysisTemplate, AnalysisTemplateRef, ClusterAnalysisTemplate
from davy.model.flag import FeatureFlag
from davy.model.gateway import HTTPRoute
from davy.model.images import ImageMap
from davy.model.istio import VirtualService
from davy.model.judge import Judge
from davy.model.key import Key
from davy.model.rollout import Rollout
from davy.model.service import Service
from davy.model.workload import (
    Deployment,
    PodTemplate,
    ReplicaSet,
    Workload,
    WorkloadName,
    filled_in,
    name_of,
    named_by,
    taken_out,
    template_of,
    with_template,
)

Object: TypeAlias = (
    Rollout
    | AnalysisTemplate
    | ClusterAnalysisTemplate
    | Service
    | VirtualService
    | HTTPRoute
    | ImageMap
    | Workload
    | FeatureFlag
    | Judge
)
KINDS: dict[str, type[Object]] = {
    "Rollout": Rollout,
    "AnalysisTemplate": AnalysisTemplate,
    "ClusterAnalysisTemplate": ClusterAnalysisTemplate,
    "Service": Service,
    "VirtualService": VirtualService,
    "HTTPRoute": HTTPRoute,
    "ImageMap": ImageMap,
    "Deployment": Deployment,
    "ReplicaSet": ReplicaSet,
    "PodTemplate": PodTemplate,
    "FeatureFlag": FeatureFlag,
    "Judge": Judge,
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
        self._judges: dict[str, tuple[Judge, ...]] = {}
        self.changes = 0
        """How often something was put in or taken out."""
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
        """The rollouts by key, those with a `workloadRef` with the template of their workload filled in."""
        return self._rollouts

    @property
    def workloads(self) -> set[WorkloadName]:
        """The workloads that rollouts take their template from."""
        return {name for name in map(named_by, self.rollouts.values()) if name is not None}

    def concerned(self, manifests: Iterable[Object]) -> list[Rollout]:
        """List the rollouts that some manifests are, or give their template to, as they are with them."""
        manifests = tuple(manifests)
        merged = Catalog([*self.objects, *manifests])
        return [merged.rollouts[found.key] for found in merged._touched(manifests)]

    def written(self, rollout: Rollout) -> tuple[Object, ...]:
        """Take a changed rollout apart into what somebody wrote: itself, and its workload if that changes, too.

        Raises:
            Refused: the template would change under another rollout, too.
        """
        workload = self._workload(rollout)
        if workload is None:
            return (rollout,)
        written = self._objects["Rollout", rollout.key]
        assert isinstance(written, Rollout)
        own = taken_out(rollout, written)
        if template_of(workload) == rollout.spec.template:
            return (own,)
        name = named_by(rollout)
        others = [key for key, each in self.rollouts.items() if named_by(each) == name and key != rollout.key]
        if others:
            raise Refused(
                f"the template of {rollout.metadata.name} is that of {name}, which is also "
                f"{' and '.join(str(key) for key in others)}'s",
                hint=f"davy apply -f the {workload.kind}, with the change in it",
            )
        return own, with_template(workload, rollout.spec.template)

    def _touched(self, manifests: Iterable[Object]) -> list[Rollout]:
        """List the rollouts, as they were written, that manifests are or give their template to."""
        manifests = tuple(manifests)
        keys = [found.key for found in manifests if isinstance(found, Rollout)]
        names = {name_of(found) for found in manifests if isinstance(found, Workload)}
        if names:
            keys += [key for key, each in self._rollouts.items() if named_by(each) in names]
        found = (self._objects["Rollout", key] for key in dict.fromkeys(keys))
        return [each for each in found if isinstance(each, Rollout)]

    def _filled_in(self, rollout: Rollout) -> Rollout:
        workload = self._workload(rollout)
        return rollout if workload is None else filled_in(rollout, workload)

    def _workload(self, rollout: Rollout) -> Workload | None:
        """Return the workload that a rollout takes its template from."""
        name = named_by(rollout)
        found = name and self._objects.get((name.kind, Key(name.namespace, name.name)))
        assert found is None or isinstance(found, Workload)
        return found

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

    @property
    def has_judges(self) -> bool:
        """Whether there is a Judge in any namespace."""
        return bool(self._judges)

    def judges(self, namespace: str) -> tuple[Judge, ...]:
        """The Judges of a namespace."""
        return self._judges.get(namespace, ())

    def outcome(self, manifest: Object) -> str:
        """Say what applying a manifest makes of it, in kubectl's words."""
        known = self._objects.get((manifest.kind, manifest.key))
        return "created" if known is None else "unchanged" if known == manifest else "configured"

    def put(self, *manifests: Object) -> None:
        """Take manifests in, or others in their place."""
        self._objects = self._objects | {(manifest.kind, manifest.key): manifest for manifest in manifests}
        self._rollouts = self._rollouts | {
            found.key: self._filled_in(found) for found in self._touched(manifests)
        }
        if not all(isinstance(found, Rollout) for found in manifests):
            self._templates = {}
        if any(isinstance(found, Judge) for found in manifests):
            self._count_judges()
        self.changes += 1

    def remove(self, kind: str, key: Key) -> None:
        """Take a manifest out."""
        self._objects = {name: found for name, found in self._objects.items() if name != (kind, key)}
        if kind == "Rollout":
            self._rollouts = {each: found for each, found in self._rollouts.items() if each != key}
        if kind == "Judge":
            self._count_judges()
        self.changes += 1

    def _count_judges(self) -> None:
        """Sort the Judges by namespace: nearly every turn of every rollout asks for them."""
        found: dict[str, tuple[Judge, ...]] = {}
        for each in self._objects.values():
            if isinstance(each, Judge):
                found[each.key.namespace] = (*found.get(each.key.namespace, ()), each)
        self._judges = found


def stored(*manifests: Object) -> dict[Record, bytes | None]:
    """Return what to write to the store for some manifests."""
    return {
        ("object", f"{manifest.kind}/{manifest.key}"): msgspec.json.encode(manifest) for manifest in manifests
    }
