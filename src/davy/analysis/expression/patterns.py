"""Regular expressions that people write, matched by RE2 alone: linear in the text, whatever the pattern."""

from functools import lru_cache
from typing import Final

import re2

from davy.analysis.expression.faults import Fault
from davy.analysis.expression.kinds import type_name
from davy.analysis.expression.meter import Meter

# To compile a pattern costs far more than to read it: up to a few milliseconds, worth some hundred steps.
_COMPILATION_STEPS: Final = 500
_MAX_PATTERN: Final = 1_000
_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> "re2._Regexp[str]":
    """Compile a pattern in Go's syntax; raise `Fault` for one that RE2 does not know."""
    if len(pattern) > _MAX_PATTERN:
        raise Fault(f"the pattern is longer than {_MAX_PATTERN} characters")
    # RE2 in C++ knows \C (one byte), which Go refuses since it can cut a character in two.
    if r"\C" in pattern.replace(r"\\", ""):
        raise Fault(r"error parsing regexp: invalid escape sequence: `\C`")
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        text = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        raise Fault(f"error parsing regexp: {text}") from None


def matches(text: object, pattern: object, meter: Meter, *, constant: bool) -> bool:
    """`text matches pattern`: anywhere in the text, unless the pattern has anchors; nil matches nothing."""
    if text is None or pattern is None:
        return False
    if not isinstance(text, (str, bytes)):
        raise Fault(f"cannot match {type_name(text)}: it is no string")
    if not isinstance(pattern, str):
        raise Fault(f"cannot match against {type_name(pattern)}: a pattern is a string")
    read = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    meter.spend_text(len(read))
    if not constant:
        meter.spend(_COMPILATION_STEPS)
    return compile_pattern(pattern).search(read) is not None
