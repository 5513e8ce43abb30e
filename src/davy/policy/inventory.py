"""The objects that are there, as policies may look at them: Gatekeeper's `data.inventory`."""

from collections.abc import Iterable, Mapping
from typing import Any

from davy.policy.review import Kind, Object


class Inventory:
    """Objects by namespace, API version, kind and name. Nothing changes once it is made."""

    def __init__(self, objects: Iterable[Object] = ()) -> None:
        self.objects: tuple[Object, ...] = tuple(objects)
        self.document: dict[str, Any] = {}
        self._namespaces: dict[str, Object] = {}
        for found in self.objects:
            self._add(found)

    def with_(self, objects: Iterable[Object]) -> "Inventory":
        """Return one with these objects, too; of two with one name the later one counts."""
        return Inventory((*self.objects, *objects))

    def namespace(self, name: str) -> Object | None:
        """Return the Namespace object of a name, None where it is not known."""
        return self._namespaces.get(name)

    @property
    def knows_namespaces(self) -> bool:
        """Whether Namespace objects are among what is known, so that one that is not there is missing."""
        return bool(self._namespaces)

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return one object, None where there is none."""
        scope = (
            self.document.get("namespace", {}).get(namespace, {})
            if namespace
            else self.document.get("cluster", {})
        )
        found: Object | None = scope.get(kind.api_version, {}).get(kind.kind, {}).get(name)
        return found

    def _add(self, found: Object) -> None:
        kind, metadata = Kind.of(found), found.get("metadata")
        if not isinstance(metadata, Mapping) or not kind.kind:
            return
        namespace, name = metadata.get("namespace") or "", metadata.get("name")
        if not isinstance(name, str) or not isinstance(namespace, str):
            return
        scope = self.document.setdefault("namespace" if namespace else "cluster", {})
        if namespace:
            scope = scope.setdefault(namespace, {})
        scope.setdefault(kind.api_version, {}).setdefault(kind.kind, {})[name] = found
        if kind == Kind("", "v1", "Namespace"):
            self._namespaces[name] = found
