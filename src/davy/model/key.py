"""The name by which an object is known."""

import msgspec


class Key(msgspec.Struct, frozen=True, order=True):
    """A namespaced name, e.g. `default/payments`; two objects of one kind never share it."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
