"""When a range query starts and ends: the few expressions about time that Argo Rollouts evaluates for it.

Argo hands `start` and `end` to the whole expression language and wants a time back (`EvalTime`,
utils/evaluate/evaluate.go). People write `now()` or a `date("…")` there, with durations added or taken off;
that is what is read here, and the rest is refused with its text.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from davy.errors import UsageError
from davy.model.duration import BadDuration, parse_duration

_TOKEN = re.compile(
    r"""\s*(?:(?P<call>now|duration|date)\s*\(\s*(?P<text>"[^"\\]*"|'[^'\\]*'|`[^`]*`)?\s*\)|(?P<sign>[-+]))\s*"""
)


class BadMoment(UsageError):
    """An expression that does not give a time."""

    code = "moment"


class _Term(NamedTuple):
    seconds: float
    is_time: bool


def read_moment(expression: str, *, now: float) -> float:
    """Evaluate `now() - duration("1h")` and its like; seconds since the epoch in and out.

    Raises:
        BadMoment: it cannot be read, or what it gives is no time.
    """
    tokens = _tokens(expression)
    total = _term(next(tokens, None), expression, now)
    for sign in tokens:
        if not sign["sign"]:
            raise _unreadable(expression)
        total = _combined(total, sign["sign"], _term(next(tokens, None), expression, now), expression)
    if not total.is_time:
        raise BadMoment(f"expected a time, and {_shown(expression)} gives a duration", hint="start with now()")
    return total.seconds


def _tokens(expression: str) -> Iterator[re.Match[str]]:
    position = 0
    while position < len(expression):
        token = _TOKEN.match(expression, position)
        if token is None:
            raise _unreadable(expression)
        position = token.end()
        yield token


def _term(token: re.Match[str] | None, expression: str, now: float) -> _Term:
    if token is None or token["sign"]:
        raise _unreadable(expression)
    text = token["text"]
    if (token["call"] == "now") != (text is None):
        raise _unreadable(expression)
    if text is None:
        return _Term(now, is_time=True)
    try:
        if token["call"] == "duration":
            return _Term(parse_duration(text[1:-1]), is_time=False)
        moment = datetime.fromisoformat(text[1:-1])
    except (BadDuration, ValueError) as error:
        raise BadMoment(f"{text} in {_shown(expression)} is no {token['call']}: {error}") from error
    return _Term((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), is_time=True)


def _combined(left: _Term, sign: str, right: _Term, expression: str) -> _Term:
    """Add or take off; two times cannot be added, and a time cannot be taken off a duration."""
    if right.is_time and (left.is_time if sign == "+" else not left.is_time):
        raise BadMoment(f"{_shown(expression)} adds up what cannot be added")
    seconds = left.seconds + (right.seconds if sign == "+" else -right.seconds)
    return _Term(seconds, is_time=left.is_time != right.is_time)


def _unreadable(expression: str) -> BadMoment:
    return BadMoment(
        f"{_shown(expression)} cannot be read as a time",
        hint='write now(), now() - duration("1h") or date("2026-01-31T12:00:00Z")',
    )


def _shown(expression: str) -> str:
    return repr(expression[:80])
