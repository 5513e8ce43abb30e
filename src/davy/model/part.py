"""What every part of a manifest has in common, and the scalars that Kubernetes' own types are made of."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec


class Part(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A mapping of a manifest: the JSON field `maxSurge` is the attribute `max_surge`.

    Fields that were not written keep the zero value or None that Argo Rollouts' Go types give them; what Argo
    fills in later is a property beside the field. Encoding leaves out what was not written, so a new field
    in a later version of Davy changes neither hashes nor stored text.
    """


Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

#: Kubernetes' `intstr.IntOrString`: a count, or a text that is read by whoever uses it ("25%", "5", "2m").
IntOrString = Int32 | str

#: A mapping that is carried along as it was written.
Opaque = Mapping[str, Any]

_DECIMAL = re.compile(r"([+-]?)0*([0-9]{1,19})", re.ASCII)


def int_value(value: IntOrString | None) -> int:
    """Read an IntOrString as Go's `intstr.IntValue` does: nothing and text that is not a number count as 0."""
    match value:
        case int():
            return value
        case str() if found := _DECIMAL.fullmatch(value):
            number = int(found[1] + found[2])
            return number if -(2**63) <= number < 2**63 else 0
        case _:
            return 0
