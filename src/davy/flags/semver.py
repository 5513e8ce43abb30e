"""Versions as flagd's `sem_ver` compares them: semver.org 2.0.0, also with a `v` and with parts left out."""

import re
from functools import lru_cache
from typing import Any, TypeAlias

Version: TypeAlias = tuple[int, int, int, tuple[int, tuple[tuple[int, int, str], ...]]]
"""Major, minor, patch, and the prerelease, whose absence comes after every one."""

_NUMBER = r"(0|[1-9][0-9]{0,17})"
_NAME = r"(?:0|[1-9][0-9]{0,17}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = re.compile(
    rf"[vV]?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?(?:-({_NAME}(?:\.{_NAME})*))?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)
_LONGEST = 256
_RELEASED = (1, ())


def version(value: Any) -> Version | None:
    """Read a version, None where it is none; a number is one, too."""
    return _read(value if isinstance(value, str) else str(value))


def compare(left: Any, operator: Any, right: Any) -> bool | None:
    """Compare two versions; null where one is none, or the operator is not known.

    `^` is of the same major version, `~` of the same minor one; what was built is not compared.
    """
    return compared(left, operator, version(right))


def compared(left: Any, operator: Any, right: Version | None) -> bool | None:
    """Compare a version with one that was read before."""
    this = version(left)
    if this is None or right is None or not isinstance(operator, str):
        return None
    match operator:
        case "=":
            return this == right
        case "!=":
            return this != right
        case "<":
            return this < right
        case "<=":
            return this <= right
        case ">":
            return this > right
        case ">=":
            return this >= right
        case "^":
            return this[0] == right[0]
        case "~":
            return this[:2] == right[:2]
        case _:
            return None


@lru_cache(maxsize=4096)
def _read(text: str) -> Version | None:
    found = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    major, minor, patch, prerelease = found.groups()
    names = () if prerelease is None else tuple(map(_identifier, prerelease.split(".")))
    return int(major), int(minor or 0), int(patch or 0), _RELEASED if prerelease is None else (0, names)


def _identifier(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isdigit() else (1, 0, name)
