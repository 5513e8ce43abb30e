"""Patterns, which only RE2 reads: in linear time, as Go does."""

from functools import lru_cache
from typing import Any

import re2

from davy.policy.cel.errors import CelError

OPTIONS = re2.Options()
OPTIONS.log_errors = False


@lru_cache(maxsize=512)
def pattern(wanted: str) -> Any:
    """Compile a pattern; the same one again is there already.

    Raises:
        CelError: it is none.
    """
    try:
        return re2.compile(wanted, OPTIONS)
    except re2.error as error:
        raise CelError(f"error parsing regexp: {_said(error)}") from None


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
