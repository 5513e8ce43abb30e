"""The policy seam: what judges, where it judges, and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from davy.policy.inventory import Inventory
from davy.policy.review import Json, Review

Action = Literal["deny", "warn", "dryrun"]
"""What a violation leads to: a refusal, a warning to whoever asks, or a note for whoever watches."""


class Point(StrEnum):
    """Where policies are enforced. All three ask the same function; a scoped constraint may tell them apart."""

    CHECK = "gator.gatekeeper.sh"
    ADMISSION = "validation.gatekeeper.sh"
    ENGINE = "engine.davy.dev"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that a policy has against an object.

    Args:
        policy: which one, as people name it: the name of a constraint, of a policy or its binding.
        rule: what a waiver names: the id that the policy gives (`PD022`), else the kind of the constraint or
            the name of the policy.
        message: what the policy says, word for word.
        action: what it leads to at the point that asked.
        details: what the policy says beside it.
        path: the field it is about, e.g. `spec.strategy.canary.steps[0]`; empty is the whole object.
        broken: the policy could not be evaluated, and so refuses (never the other way round).
        source: what sort of thing the policy is: the kind of the constraint, `ValidatingAdmissionPolicy` …
        note: what is to be said beside it, e.g. of a waiver for it that has run out.
        of_kind: the policy has looked at nothing of the object but its kind, its name and its namespace.
    """

    policy: str
    rule: str
    message: str
    action: Action = "deny"
    details: Mapping[str, Json] = field(default_factory=dict)
    path: str = ""
    broken: bool = False
    source: str = ""
    note: str = ""
    of_kind: bool = field(default=False, compare=False)

    @property
    def sentence(self) -> str:
        """What a person reads, the same in CI, at admission and from the engine (Gatekeeper's own form)."""
        return f"[{self.policy}] {self.message}" + (f" ({self.note})" if self.note else "")


class Policy(Protocol):
    """One thing that judges: a constraint with its template, a policy with its binding, a gate of Davy's."""

    @property
    def name(self) -> str:
        """How people call it."""
        ...

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        """Say what is wrong with the object under review, nothing where the policy does not match it.

        It never raises on account of what is under review: a policy that cannot be evaluated is `broken`.
        """
        ...
