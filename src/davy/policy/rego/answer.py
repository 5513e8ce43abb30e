"""What a query answers."""

from dataclasses import dataclass

from davy.policy.rego.values import Value


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which a query holds: the values of its expressions, and of its variables by name."""

    expressions: tuple[Value, ...]
    bindings: dict[str, Value]
