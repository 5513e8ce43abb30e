"""What governs a flag: who answers for it, until when, what it may do, and what is safe.

It is kept flat in a flag's metadata, where every evaluator carries it along and none trips over it; the names
there are these fields' in camelCase.
"""

from enum import StrEnum
from typing import Any

import msgspec

from davy.flags.details import Metadata


class FlagKind(StrEnum):
    """What a flag is for, which decides how long it may live and how it is changed."""

    RELEASE = "release"
    KILL_SWITCH = "kill-switch"
    EXPERIMENT = "experiment"
    PERMISSION = "permission"


class Exposure(StrEnum):
    """Where a flag may be evaluated. `client` flags reach browsers and phones, and all that is said of them."""

    SERVER = "server"
    CLIENT = "client"


class Criticality(StrEnum):
    """How much depends on a flag; a toggle of a `high` one needs a second person."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class OnError(StrEnum):
    """What is answered while nothing can be known: the safe value, the last one known, the caller's default."""

    SAFE = "safe"
    LAST_KNOWN = "last-known"
    CODE = "code"


class Bucketing(StrEnum):
    """How `fractional` draws its buckets: flagd's integer over UTF-8 (v2), or over CBOR (v3)."""

    V2 = "v2"
    V3 = "v3"


class Governance(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The governance of one flag.

    Args:
        owner: the team that answers for it.
        jira: the ticket, as in `PAY-123`.
        expiry: when it has to be gone, an instant as in `2027-03-01T12:00:00Z`; a day is its end in UTC.
        kind: what it is for.
        exposure: where it may be evaluated.
        criticality: how much depends on it.
        safe: the variant that is safe: what a closed gate, a kill and `onError: safe` answer with.
        on_error: what is answered while nothing can be known.
        bucketing: how `fractional` draws; pinned, so that everybody draws the same population.
        rollout: `namespace/name` of the rollout whose canary has to pass before the flag may be on.
        rollout_weight: the weight, in percent, at which its analysis has to have passed.
        drill_every: how often the flag is killed for practice, a duration as in `720h`.
        description: what it does, for people.
    """

    owner: str = ""
    jira: str = ""
    expiry: str = ""
    kind: FlagKind = FlagKind.RELEASE
    exposure: Exposure = Exposure.SERVER
    criticality: Criticality = Criticality.MEDIUM
    safe: str = ""
    on_error: OnError = OnError.SAFE
    bucketing: Bucketing = Bucketing.V3
    rollout: str = ""
    rollout_weight: int = 100
    drill_every: str = ""
    description: str = ""

    @property
    def metadata(self) -> dict[str, bool | int | float | str]:
        """All of it as flat metadata: what has no value is left out, what is chosen by default is not."""
        every: dict[str, Any] = dict(zip(NAMES, msgspec.structs.astuple(self), strict=True))
        if not self.rollout:
            del every["rolloutWeight"]
        return {
            name: str(value) if isinstance(value, str) else value
            for name, value in every.items()
            if value != ""
        }


NAMES = Governance.__struct_encode_fields__
"""What governance is called in metadata."""


def governance_in(metadata: Metadata) -> Governance:
    """Read what governs a flag out of its metadata; other names are left alone.

    Raises:
        msgspec.ValidationError: something in it has no such value; it says which.
    """
    return msgspec.convert({name: metadata[name] for name in NAMES if name in metadata}, Governance)
