"""What expressions may use: the types and the functions of an environment."""

from collections.abc import Mapping
from dataclasses import dataclass

from davy.policy.cel.library.authorization import AUTHORIZATION
from davy.policy.cel.library.encoders import ENCODERS, MATHS
from davy.policy.cel.library.formats import FORMATS
from davy.policy.cel.library.lists import LISTS, SETS
from davy.policy.cel.library.moments import MOMENTS
from davy.policy.cel.library.named import NAMED
from davy.policy.cel.library.networks import NETWORKS
from davy.policy.cel.library.optionals import LENIENT, OPTIONALS
from davy.policy.cel.library.quantities import QUANTITIES
from davy.policy.cel.library.standard import STANDARD
from davy.policy.cel.library.strings import REVERSED, STRINGS
from davy.policy.cel.library.urls import URLS
from davy.policy.cel.library.versions import VERSIONS
from davy.policy.cel.signature import Function, functions
from davy.policy.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    list_of,
    map_of,
)

TYPES: Mapping[str, Type] = {
    "int": INT,
    "uint": UINT,
    "double": DOUBLE,
    "bool": BOOL,
    "string": STRING,
    "bytes": BYTES,
    "null_type": NULL,
    "list": list_of(DYN),
    "map": map_of(DYN, DYN),
    "type": Type("type"),
    "optional_type": Type("optional_type", (DYN,)),
    **{found.name: found for found in (TIMESTAMP, DURATION)},
    **{name: Type(name) for name in ("net.IP", "net.CIDR")},
}
"""The types that an expression may name."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A dialect: what an API server evaluates, or what Kyverno does."""

    name: str
    functions: Mapping[str, Function]
    bindings: bool


SERVER = (
    STANDARD, MOMENTS, OPTIONALS, STRINGS, FORMATS, LISTS, SETS, QUANTITIES, VERSIONS, NETWORKS, URLS, NAMED,
    AUTHORIZATION,
)  # fmt: skip

KUBERNETES = Environment(
    "kubernetes",
    functions(*SERVER),
    bindings=False,
)
"""As `kube-apiserver` 1.37 evaluates admission policies."""

KYVERNO = Environment("kyverno", functions(*SERVER, LENIENT, REVERSED, ENCODERS, MATHS), bindings=True)
"""As Kyverno evaluates its policies: with more libraries, and `orValue` of what is no optional."""

ENVIRONMENTS = {found.name: found for found in (KUBERNETES, KYVERNO)}
