"""Semantic versions, as the API server reads them."""

import re
from dataclasses import dataclass, field

from davy.policy.cel.errors import CelError
from davy.policy.cel.signature import Library
from davy.policy.cel.values import Opaque

VERSIONS = Library()
PARTS = ("Major", "Minor", "Patch")
WORD = re.compile(r"[0-9A-Za-z-]+")
DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Version(Opaque):
    """A version; what is behind `+` does not count when two are compared."""

    numbers: tuple[int, ...]
    stages: tuple[str, ...]
    build: str = field(compare=False, default="")

    type_name = "kubernetes.Semver"


@VERSIONS.define("semver", "(string) -> semver", "(string, bool) -> semver")
def semver(text: str, normalize: bool = False) -> Version:
    """Read a version; a normalised one may begin with `v`, lack parts, and have zeros in front."""
    text = _normalized(text) if normalize else text
    parts = text.split(".", 2)
    if len(parts) < 3:
        raise CelError("No Major.Minor.Patch elements found")
    rest, plus, build = parts[2].partition("+")
    patch, minus, stages = rest.partition("-")
    numbers = tuple(_number(part, name) for part, name in zip((*parts[:2], patch), PARTS, strict=True))
    return Version(numbers, _words(stages) if minus else (), ".".join(_build(build)) if plus else "")


def _normalized(text: str) -> str:
    text = text.removeprefix("v")
    parts = text.split(".", 2)
    cut = [part.lstrip("0") or "0" if DIGITS.fullmatch(part) else part for part in parts[:2]]
    if len(parts) == 3:
        figures = DIGITS.match(parts[2])
        length = figures.end() if figures else 0
        return ".".join((*cut, (parts[2][:length].lstrip("0") or "0"[:length]) + parts[2][length:]))
    if any(sign in text for sign in "+-"):
        raise CelError("short version cannot contain PreRelease/Build meta data")
    return ".".join((*cut, *("0",) * (3 - len(cut))))


def _number(text: str, name: str) -> int:
    if not DIGITS.fullmatch(text):
        raise CelError(f'Invalid character(s) found in {name.lower()} number "{text}"')
    if len(text) > 1 and text[0] == "0":
        raise CelError(f'{name} number must not contain leading zeroes "{text}"')
    if len(text) > 20 or int(text) >= 1 << 64:
        raise CelError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


def _words(text: str) -> tuple[str, ...]:
    words = tuple(text.split("."))
    for word in words:
        if not WORD.fullmatch(word):
            raise CelError(f'Invalid character(s) found in prerelease "{word}"')
        if DIGITS.fullmatch(word) and len(word) > 1 and word[0] == "0":
            raise CelError(f'Numeric PreRelease version must not contain leading zeroes "{word}"')
    return words


def _build(text: str) -> tuple[str, ...]:
    words = tuple(text.split("."))
    for word in words:
        if not WORD.fullmatch(word):
            raise CelError(f'Invalid character(s) found in build meta data "{word}"')
    return words


@VERSIONS.define("isSemver", "(string) -> bool", "(string, bool) -> bool")
def is_semver(text: str, normalize: bool = False) -> bool:
    """Say whether a text is a version."""
    try:
        semver(text, normalize)
    except CelError:
        return False
    return True


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


@VERSIONS.define("major", "semver.() -> int")
def major(version: Version) -> int:
    """Return the first number."""
    return _signed(version.numbers[0])


@VERSIONS.define("minor", "semver.() -> int")
def minor(version: Version) -> int:
    """Return the second number."""
    return _signed(version.numbers[1])


@VERSIONS.define("patch", "semver.() -> int")
def patch(version: Version) -> int:
    """Return the third number."""
    return _signed(version.numbers[2])


@VERSIONS.define("compareTo", "semver.(semver) -> int")
def compare_to(one: Version, other: Version) -> int:
    """Return -1, 0 or 1 as one comes before, is or comes after the other."""
    return (_rank(one) > _rank(other)) - (_rank(one) < _rank(other))


def _rank(version: Version) -> tuple[tuple[int, ...], bool, tuple[tuple[int, int, str], ...]]:
    # A version without stages comes after all that have some; numbers before words; fewer before more.
    stages = tuple(
        (0, int(stage), "") if DIGITS.fullmatch(stage) else (1, 0, stage) for stage in version.stages
    )
    return (version.numbers, not stages, stages)


@VERSIONS.define("isLessThan", "semver.(semver) -> bool")
def is_less_than(one: Version, other: Version) -> bool:
    """Say whether it comes before another."""
    return compare_to(one, other) < 0


@VERSIONS.define("isGreaterThan", "semver.(semver) -> bool")
def is_greater_than(one: Version, other: Version) -> bool:
    """Say whether it comes after another."""
    return compare_to(one, other) > 0
