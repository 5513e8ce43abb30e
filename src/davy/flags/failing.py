"""What a flag is while it cannot be evaluated: what it declares to be safe comes before a caller's default."""

from davy.flags.definition import Definition, Definitions
from davy.flags.details import Details, ErrorCode, Reason
from davy.flags.gate import is_baked
from davy.flags.governance import OnError

CALLERS_FAULT = (ErrorCode.FLAG_NOT_FOUND, ErrorCode.TYPE_MISMATCH)
"""Errors that say nothing of a flag, and that nothing is safe for."""


def declared(definitions: Definitions, key: str) -> Definition | None:
    """Return a flag, or what remains of one that cannot be read."""
    return definitions.flags.get(key) or definitions.remains.get(key)


def on_error(definition: Definition | None) -> OnError | None:
    """Return what a flag declares for when nothing can be known; None where it declares nothing safe.

    What is closed or killed declares nothing else than what it answers already.
    """
    if definition is None or is_baked(definition) or definition.metadata.get("safe") not in definition.variants:
        return None
    try:
        return OnError(str(definition.metadata.get("onError", OnError.SAFE)))
    except ValueError:
        return OnError.SAFE


def mended(definition: Definition | None, failed: Details) -> Details:
    """Return the safe value of a flag in the place of an error, of whatever type it is; unless code decides."""
    if failed.error_code in (None, *CALLERS_FAULT) or on_error(definition) in (None, OnError.CODE):
        return failed
    assert definition is not None
    variant = str(definition.metadata["safe"])
    told = {**failed.metadata, **definition.metadata, "failMode": "safe", "failure": str(failed.error_code)}
    return Details(definition.variants[variant], variant, Reason.ERROR, None, "", told)
