"""What an evaluation answers, in the words of the OpenFeature specification (sections 1.4 and 2.2)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

import msgspec

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A value of a variant, a context or a rule."""

Metadata: TypeAlias = Mapping[str, bool | int | float | str]
"""What is told beside a value: flat, by OpenFeature 2.2.10 and flagd's schema."""


class FlagType(StrEnum):
    """The type that a caller asks for."""

    BOOLEAN = "boolean"
    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    OBJECT = "object"


class Reason(StrEnum):
    """Why a value is what it is; an open set, these are the ones that Davy gives."""

    STATIC = "STATIC"
    DEFAULT = "DEFAULT"
    TARGETING_MATCH = "TARGETING_MATCH"
    SPLIT = "SPLIT"
    CACHED = "CACHED"
    DISABLED = "DISABLED"
    STALE = "STALE"
    UNKNOWN = "UNKNOWN"
    ERROR = "ERROR"


class ErrorCode(StrEnum):
    """What went wrong where the reason is `ERROR`."""

    PROVIDER_NOT_READY = "PROVIDER_NOT_READY"
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    PARSE_ERROR = "PARSE_ERROR"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    INVALID_CONTEXT = "INVALID_CONTEXT"
    PROVIDER_FATAL = "PROVIDER_FATAL"
    GENERAL = "GENERAL"


class Details(msgspec.Struct, frozen=True, gc=False):
    """One evaluation.

    Args:
        value: of the type that was asked for, or the caller's default.
        variant: the name of the variant; None where the value is the caller's default.
        reason: one of `Reason`.
        error_code: one of `ErrorCode` where the reason is `ERROR`, else None.
        error_message: a sentence for whoever mends it, empty without an error.
        metadata: of the flag over that of its set, flat.
    """

    value: Json
    variant: str | None = None
    reason: str = Reason.STATIC
    error_code: str | None = None
    error_message: str = ""
    metadata: Metadata = {}
