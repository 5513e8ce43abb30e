"""`semver.compare` and `semver.is_valid`, by Semantic Versioning 2.0.0; a leading `v` is allowed."""

import re
from typing import TypeAlias

from davy.policy.rego.builtin import Builtin, BuiltinError, text
from davy.policy.rego.values import Value

Part: TypeAlias = tuple[bool, int, str]

_LARGEST = 2**63 - 1
_NUMBER = r"(0|[1-9][0-9]*)"
_EXTRA = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_EXTRA}))?(?:\+({_EXTRA}))?")


def compare(left: Value, right: Value) -> int:
    """Say which version is the older one: -1, 0 or 1."""
    ours, theirs = _key(text(left, 1), 1), _key(text(right, 2), 2)
    return (ours > theirs) - (ours < theirs)


def is_valid(value: Value) -> bool:
    """Whether something is a version."""
    try:
        _key(text(value, 1), 1)
    except BuiltinError:
        return False
    return True


def _key(version: str, position: int) -> tuple[list[int], bool, list[Part]]:
    found = _VERSION.fullmatch(version)
    if found is None:
        raise BuiltinError(f"operand {position}: string {version!r} is not a valid SemVer")
    numbers = [int(part) if len(part) < 20 else _LARGEST + 1 for part in found.groups()[:3]]
    parts = found[4].split(".") if found[4] else []
    if max(numbers) > _LARGEST or any(len(part) > 1 and part[0] == "0" and part.isdigit() for part in parts):
        raise BuiltinError(f"operand {position}: string {version!r} is not a valid SemVer")
    return numbers, not parts, [_part(part) for part in parts]


def _part(part: str) -> Part:
    if part.isdigit():
        return False, int(part) if len(part) < 4000 else 10**4000, ""
    return True, 0, part


FAMILY = (Builtin("semver.compare", 2, compare), Builtin("semver.is_valid", 1, is_valid))
