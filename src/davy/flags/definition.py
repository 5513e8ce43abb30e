"""What a flag is: flagd's definition as a value, and the set that a document holds."""

from collections.abc import Mapping

import msgspec

from davy.flags.details import Json, Metadata


class Definition(msgspec.Struct, frozen=True):
    """One flag as flagd's schema has it (flagd.dev/schema/v0/flags.json).

    Args:
        key: the name, as in `checkout.discount-enabled`.
        variants: values of one type by name, at least one.
        enabled: flagd's `state`; a flag that is not answers with the caller's default.
        default_variant: where targeting says nothing; None is the caller's default.
        targeting: JsonLogic with flagd's operators; None or empty is none.
        metadata: flat; governance is in here, too (`davy.flags.governance`).
    """

    key: str
    variants: Mapping[str, Json]
    enabled: bool = True
    default_variant: str | None = None
    targeting: Json = None
    metadata: Metadata = {}


class Definitions(msgspec.Struct, frozen=True):
    """A document: flags by key, shared rules (`$evaluators`) by name, what is said of the set.

    Metadata of the set may hold `flagSetId` and `version`; that of a flag comes before it. `broken` says why
    flags could not be read, by key: they answer with an error, and the others answer all the same. `remains` is
    what of those could be read: values and metadata, by which a provider that governs knows what is safe.
    """

    flags: Mapping[str, Definition] = {}
    evaluators: Mapping[str, Json] = {}
    metadata: Metadata = {}
    broken: Mapping[str, str] = {}
    remains: Mapping[str, Definition] = {}
