"""What is wrong with a policy itself, not with what it judges."""

from dataclasses import dataclass
from typing import Literal

from davy.policy.review import Object


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document that says what is allowed.

    An `error` means that the policy is not enforced as it is written: where it can be told what it is about,
    it refuses; never is it passed over. A `warning` means that it may not do what its author thinks.

    Args:
        subject: the document, the very object that was handed in, so that its place in a file can be found.
        path: the field, e.g. `spec.match.scope`; empty is the whole document.
        message: what is wrong and what follows from it, in one sentence without a full stop.
        severity: `error` or `warning`.
        fix: how to mend it, or empty.
    """

    subject: Object
    path: str
    message: str
    severity: Literal["error", "warning"]
    fix: str = ""
