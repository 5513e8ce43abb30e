"""All the objects that a manifest may name, by kind and name."""

from collections.abc import Iterable

from davy.model.analysis import AnalysisTemplate, ClusterAnalysisTemplate
from davy.model.flag import FeatureFlag
from davy.model.meta import Manifest
from davy.model.steps import AnalysisTemplateRef

Key = tuple[str, str, str]


class Index:
    """Finds objects; one that is added takes the place of another with its name."""

    def __init__(self, objects: Iterable[Manifest] = ()) -> None:
        self._objects: dict[Key, Manifest] = {}
        for each in objects:
            self.add(each)

    @staticmethod
    def key_of(value: Manifest) -> Key:
        """Return kind, namespace and name; what belongs to the whole cluster has none, nor has a flag."""
        namespace = "" if isinstance(value, ClusterAnalysisTemplate | FeatureFlag) else value.metadata.namespace
        return type(value).__name__, namespace, value.metadata.name

    def add(self, value: Manifest) -> None:
        """Take in an object."""
        self._objects[self.key_of(value)] = value

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """Return an object, None if there is none."""
        return self._objects.get((kind, namespace, name))

    def all(self, kind: str) -> list[Manifest]:
        """List the objects of a kind in every namespace."""
        return [found for (of, _, _), found in self._objects.items() if of == kind]

    def names(self, kind: str, namespace: str) -> list[str]:
        """List the objects of a kind."""
        return [name for of, within, name in self._objects if (of, within) == (kind, namespace)]

    def template(
        self, reference: AnalysisTemplateRef, namespace: str
    ) -> AnalysisTemplate | ClusterAnalysisTemplate | None:
        """Return the template that a rollout or a template of a namespace means."""
        if reference.cluster_scope:
            found = self.get("ClusterAnalysisTemplate", "", reference.template_name)
        else:
            found = self.get("AnalysisTemplate", namespace, reference.template_name)
        assert found is None or isinstance(found, AnalysisTemplate | ClusterAnalysisTemplate)
        return found
