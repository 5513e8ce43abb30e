"""Patterns that policies bring along: RE2 only, which never takes longer than the text is long."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from davy.policy.rego.builtin import BuiltinError

if TYPE_CHECKING:
    from re2 import _Regexp


@lru_cache(maxsize=512)
def compiled(pattern: str) -> "_Regexp[str]":
    """Compile a pattern as Go's regexp does.

    Raises:
        BuiltinError: it is none.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    if r"\C" in pattern and r"\\C" not in pattern:
        raise BuiltinError(r"error parsing regexp: invalid escape sequence: `\C`")
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise BuiltinError(f"error parsing regexp: {error}") from error


SHORT = 200
"""Characters of a text for which an answer is remembered: constraints ask of the same names and images."""


def matched(pattern: str, searched: str) -> bool:
    """Whether a text has a match anywhere."""
    return (_matched if len(searched) < SHORT else _matched.__wrapped__)(pattern, searched)


@lru_cache(maxsize=4096)
def _matched(pattern: str, searched: str) -> bool:
    return compiled(pattern).search(searched) is not None


_SPECIAL = re.compile("[^A-Za-z0-9_\x80-\U0010ffff]")


def escape(value: str) -> str:
    """Write a text so that a pattern takes every letter of it for itself."""
    return _SPECIAL.sub(lambda found: f"\\x{{{ord(found[0]):x}}}", value)
