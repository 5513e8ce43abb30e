"""The seam to another vendor of flags: which it has, who toggled them, and how one is switched off there."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from davy.flags.details import FlagType, Json


class VendorFlag(msgspec.Struct, frozen=True):
    """A flag as a vendor has it in one environment.

    Args:
        key: what it is called there.
        on: whether it can answer anybody with something else than what it answers while it is off.
        description: what it says of itself.
        stale: whether it is marked as one that has to go; None where the vendor has no such mark.
    """

    key: str
    on: bool
    description: str = ""
    stale: bool | None = None


class Toggle(msgspec.Struct, frozen=True):
    """A change of a flag in the environment, by the vendor's own log.

    Args:
        id: what the vendor calls the event; the same for ever.
        key: which flag.
        at: when, in seconds since the epoch.
        actor: who did it, as the vendor knows them.
        what: the vendor's word for it, as in `feature-environment-enabled`.
        on: whether the flag was switched on or off; None for a change of its rules.
        comment: why, where somebody said so.
    """

    id: str
    key: str
    at: float
    actor: str
    what: str
    on: bool | None = None
    comment: str = ""


class Described(msgspec.Struct, frozen=True):
    """What a vendor is told of a flag that is declared in Git.

    Args:
        key: what the vendor calls it.
        description: what it does, who answers for it, by which ticket and until when.
        stale: whether its end is past.
        type: what its variants are.
        variants: its values by name.
        safe: the variant that is safe, empty where none is.
    """

    key: str
    description: str
    stale: bool = False
    type: FlagType = FlagType.BOOLEAN
    variants: Mapping[str, Json] = {}
    safe: str = ""


class FlagVendor(Protocol):
    """One environment of a vendor. Whatever is called twice does what calling it once does.

    Every method raises `davy.errors.DavyError` where the vendor cannot be asked or refuses, and no message
    holds a token.
    """

    @property
    def source(self) -> str:
        """Who says so, in the record: as in `unleash/flags.example.com/default`."""
        ...

    def flags(self) -> Sequence[VendorFlag]:
        """Return all flags that are not archived."""
        ...

    def toggles(self, since: float) -> Sequence[Toggle]:
        """Return what was done to flags in the environment since an instant, oldest first."""
        ...

    def describe(self, flag: Described, *, create: bool) -> None:
        """Say of a flag what is declared of it; one that is created is off."""
        ...

    def switch_off(self, key: str, reason: str) -> str:
        """Switch a flag off for everybody, and say how it is known that it is.

        Returns where that was read back: an API's word that it was done is no proof.
        """
        ...
