"""Label matchers, with the regular expressions of the engine that Prometheus itself uses (RE2)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeAlias, assert_never

import re2

from davy.errors import UsageError

Predicate: TypeAlias = Callable[[str], bool]


class QueryError(UsageError):
    """A query that cannot be read, or one that cannot be answered.

    Args:
        message: what is wrong, in the parser's words where it was the parser that refused.
        position: where in the query's text, counted in characters from 0, or None where nobody knows.
    """

    code = "query"

    def __init__(self, message: str, *, position: int | None = None, hint: str = "") -> None:
        where = "" if position is None else f" (at character {position})"
        super().__init__(f"{message}{where}", hint=hint)
        self.position = position


class MatchOperator(StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    MATCHES_NOT = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label; a label that a series lacks has the empty value."""

    name: str
    operator: MatchOperator
    value: str

    def predicate(self) -> Predicate:
        """Give the test of a label's value.

        Raises:
            QueryError: the pattern is none.
        """
        match self.operator:
            case MatchOperator.EQUAL:
                return self.value.__eq__
            case MatchOperator.NOT_EQUAL:
                return self.value.__ne__
            case MatchOperator.MATCHES:
                pattern = compile_pattern(self.value)
                return lambda text: pattern.fullmatch(text) is not None
            case MatchOperator.MATCHES_NOT:
                pattern = compile_pattern(self.value)
                return lambda text: pattern.fullmatch(text) is None
            case _:
                assert_never(self.operator)

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.operator}"{escaped}"'


@lru_cache(maxsize=512)
def compile_pattern(text: str) -> Any:
    """Compile a pattern as Prometheus does: RE2, linear in time, and the dot matches a newline.

    Use `fullmatch` on the result: PromQL's patterns are anchored at both ends.

    Raises:
        QueryError: the pattern is none.
    """
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise QueryError(f"invalid regular expression {text!r}: {reason}") from error
