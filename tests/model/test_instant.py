"""Instants are read or refused with what they lack."""

import pytest

from davy.model.instant import LAST, BadInstant, parse_end, parse_instant, written


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01t01:00+01:00", 0.0),
        ("2026-03-01T12:00:00.250Z", 1772366400.25),
        ("9999-12-31T23:59:59Z", LAST),
    ],
)
def test_an_instant_is_seconds_since_1970(text: str, seconds: float) -> None:
    assert parse_instant(text) == seconds
    assert parse_instant(written(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "lack"),
    [
        ("2026-03-01", "a day has no instant"),
        ("tomorrow", "is written as"),
        ("2026-03-01T12:00:00", "no zone"),
        ("2026-02-30T12:00:00Z", "no calendar"),
        ("1969-12-31T23:59:59Z", "outside of the years 1970 to 9999"),
        ("9999-12-31T23:59:59-01:00", "outside of the years 1970 to 9999"),
    ],
)
def test_what_is_no_instant_says_what_it_lacks(text: str, lack: str) -> None:
    with pytest.raises(BadInstant, match=lack):
        parse_instant(text)


def test_a_day_ends_with_it_in_utc() -> None:
    assert parse_end("2026-03-01") == parse_instant("2026-03-02T00:00:00Z")
    assert parse_end("2026-03-01T12:00+01:00") == parse_instant("2026-03-01T11:00:00Z")
    assert parse_end("9999-12-31") == LAST
    for text in ("2026-02-30", "2026-03-01T12:00", "soon"):
        with pytest.raises(BadInstant):
            parse_end(text)
