"""Suites of tests for policies (`test.gatekeeper.sh`): examples beside what is expected of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from davy.policy.gatekeeper.malformed import Malformed, listed, mapping, named, text, texts
from davy.policy.gatekeeper.regexp import regexp
from davy.policy.review import Json, Object

if TYPE_CHECKING:
    import re2

GROUP = "test.gatekeeper.sh"
TEST = ("name", "template", "constraint", "expansion", "invalid", "skip", "cases")
CASE = ("name", "object", "inventory", "assertions", "skip")


@dataclass(frozen=True, slots=True)
class Assertion:
    """How many violations there have to be. `least` and `most` bound it; only messages that fit are counted."""

    least: int = 1
    most: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """An object and what is expected of it; `object` and `inventory` are names of files."""

    name: str
    object: str
    inventory: tuple[str, ...] = ()
    assertions: tuple[Assertion, ...] = ()
    skip: bool = False


@dataclass(frozen=True, slots=True)
class Test:
    """A template and a constraint with examples; one that is `invalid` must not fit the template's schema."""

    __test__ = False

    name: str
    template: str
    constraint: str
    expansion: str = ""
    invalid: bool = False
    skip: bool = False
    cases: tuple[Example, ...] = ()


def suite(found: Object) -> tuple[Test, ...]:
    """Read a suite.

    Raises:
        Malformed: it is none; a field that nobody knows would be an expectation that is never looked at.
    """
    known = mapping(found, "", ("apiVersion", "kind", "metadata", "tests"))
    return tuple(_test(each, f"tests[{at}]") for at, each in enumerate(listed(known.get("tests"), "tests")))


def is_suite(found: Object) -> bool:
    """Say whether a document is a suite."""
    api_version = found.get("apiVersion")
    return found.get("kind") == "Suite" and isinstance(api_version, str) and api_version.startswith(f"{GROUP}/")


def _test(written: Json, path: str) -> Test:
    known = mapping(written, path, TEST)
    return Test(
        name=_text(known, "name", path),
        template=_text(known, "template", path),
        constraint=_text(known, "constraint", path),
        expansion=_text(known, "expansion", path),
        invalid=_truth(known, "invalid", path),
        skip=_truth(known, "skip", path),
        cases=tuple(
            _example(each, f"{path}.cases[{at}]") for at, each in enumerate(listed(known.get("cases"), path))
        ),
    )


def _example(written: Json, path: str) -> Example:
    known = mapping(written, path, CASE)
    assertions = listed(known.get("assertions"), f"{path}.assertions")
    return Example(
        name=_text(known, "name", path),
        object=_text(known, "object", path),
        inventory=tuple(texts(known.get("inventory"), f"{path}.inventory")),
        assertions=tuple(_assertion(each, f"{path}.assertions[{at}]") for at, each in enumerate(assertions)),
        skip=_truth(known, "skip", path),
    )


def _assertion(written: Json, path: str) -> Assertion:
    known = mapping(written, path, ("violations", "message"))
    message = _text(known, "message", path)
    match known.get("violations", "yes"):
        case "yes" | True | None:  # YAML 1.1 reads a bare yes as true
            return Assertion(1, None, message)
        case "no" | False:
            return Assertion(0, 0, message)
        case int(count) if count >= 0:
            return Assertion(count, count, message)
        case other:
            raise Malformed(f"{path}.violations", f"this has to be yes, no or a number and is {other!r}")


def _text(known: Mapping[str, Json], name: str, path: str) -> str:
    value = known.get(name)
    return "" if value is None else text(value, f"{path}.{name}")


def _truth(known: Mapping[str, Json], name: str, path: str) -> bool:
    value = known.get(name, False)
    if not isinstance(value, bool):
        raise Malformed(f"{path}.{name}", f"this has to be true or false and is {named(value)}")
    return value


def only(written: str) -> "Chosen":
    """Read `--run`: `test//case`, either part a regular expression; one without `//` may fit either name.

    Raises:
        Malformed: it is neither.
    """
    parts = written.split("//")
    if len(parts) > 2:
        raise Malformed("", f"{written!r} has more than one //", "write it as TEST//CASE")
    patterns = [regexp(part) if part else None for part in parts]
    return Chosen(tuple(patterns))


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which tests and cases are run."""

    patterns: tuple["re2._Regexp[str] | None", ...] = (None, None)

    def test(self, test: Test) -> bool:
        """Say whether a test is opened, if only for some of its cases."""
        if _fits(self.patterns[0], test.name):
            return True
        return len(self.patterns) == 1 and any(_fits(self.patterns[0], case.name) for case in test.cases)

    def case(self, test: str, name: str) -> bool:
        """Say whether a case is run."""
        first, last = self.patterns[0], self.patterns[-1]
        if len(self.patterns) == 1:
            return _fits(first, test) or _fits(last, name)
        return _fits(first, test) and _fits(last, name)


EVERYTHING = Chosen()


def _fits(pattern: "re2._Regexp[str] | None", name: str) -> bool:
    return pattern is None or pattern.search(name) is not None
