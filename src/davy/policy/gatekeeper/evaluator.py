"""The code of a template as a function: from a review and parameters to what it finds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from davy.policy.gatekeeper.case import Case
from davy.policy.gatekeeper.malformed import Malformed
from davy.policy.review import Json, Object


class Broken(Exception):
    """The code could not be evaluated; the message says why. Whoever asks refuses."""


@dataclass(frozen=True, slots=True)
class Result:
    """One violation as the code tells it."""

    message: str
    details: Mapping[str, Json] = field(default_factory=dict)


Evaluator = Callable[[Case, Json], Sequence[Result]]
"""Asks the code about a review, with the parameters of a constraint. Raises `Broken`."""


def rego_evaluator(code: str, libs: tuple[str, ...], version: str, path: str) -> Evaluator:
    """Compile a template's Rego.

    Raises:
        Malformed: it cannot be compiled.
    """
    raise Malformed(path, "there is no compiler for Rego here yet")


def native_evaluator(source: Object, path: str) -> Evaluator:
    """Compile a template's CEL.

    Raises:
        Malformed: it cannot be compiled.
    """
    raise Malformed(path, "there is no compiler for CEL here yet")
