"""The authorizer of the API server. Here nobody knows what a user may do, so whoever asks it gets an error."""

from dataclasses import dataclass
from typing import NoReturn

from davy.policy.cel.errors import CelError
from davy.policy.cel.signature import Library
from davy.policy.cel.types import Type
from davy.policy.cel.values import Opaque, Value

AUTHORIZATION = Library()
AUTHORIZER = Type("kubernetes.authorization.Authorizer")
UNKNOWN = "the authorizer is not known here: only an API server can say what a user may do"
_NAME = "kubernetes.authorization"


@dataclass(frozen=True, slots=True)
class Authorizer(Opaque):
    """The value of `authorizer`."""

    type_name = f"{_NAME}.Authorizer"


def unknown(*_: Value) -> NoReturn:
    """Refuse to answer."""
    raise CelError(UNKNOWN)


for _function, _signature in (
    ("path", "Authorizer.(string) -> PathCheck"),
    ("group", "Authorizer.(string) -> GroupCheck"),
    ("serviceAccount", "Authorizer.(string, string) -> Authorizer"),
    ("resource", "GroupCheck.(string) -> ResourceCheck"),
    ("subresource", "ResourceCheck.(string) -> ResourceCheck"),
    ("namespace", "ResourceCheck.(string) -> ResourceCheck"),
    ("name", "ResourceCheck.(string) -> ResourceCheck"),
    ("fieldSelector", "ResourceCheck.(string) -> ResourceCheck"),
    ("labelSelector", "ResourceCheck.(string) -> ResourceCheck"),
    ("check", "PathCheck.(string) -> Decision"),
    ("check", "ResourceCheck.(string) -> Decision"),
    ("allowed", "Decision.() -> bool"),
    ("reason", "Decision.() -> string"),
    ("errored", "Decision.() -> bool"),
    ("error", "Decision.() -> string"),
):
    _left, _right = _signature.split(".(")
    _arguments, _result = _right.split(" -> ")
    _result = _result if _result in ("bool", "string") else f"{_NAME}.{_result}"
    AUTHORIZATION.add(_function, f"{_NAME}.{_left}.({_arguments} -> {_result}", unknown)
