"""`spec.match`: what a constraint is about, in Gatekeeper's order and with its oddities.

Every matcher is compiled once, into a function; those that are not given cost nothing.
"""

import re
from collections.abc import Callable, Mapping

from davy.policy.gatekeeper.candidate import Candidate
from davy.policy.gatekeeper.malformed import Malformed, listed, mapping, text, texts
from davy.policy.gatekeeper.selector import selector
from davy.policy.review import Json

Matches = Callable[[Candidate], bool]


class Unmatchable(Exception):
    """It cannot be said whether a constraint is about an object; so it is refused, as Gatekeeper does."""


def match(written: Json, path: str = "spec.match") -> Matches:
    """Compile a `spec.match`; an empty one is about everything.

    Raises:
        Malformed: it is none.
    """
    known = mapping(written, path, tuple(_MATCHERS))
    tests = [
        compile_(known[name], f"{path}.{name}") for name, compile_ in _MATCHERS.items() if _given(known, name)
    ]
    if not tests:
        return anything
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda candidate: first(candidate) and second(candidate)

    return lambda candidate: all(test(candidate) for test in tests)


def anything(_: Candidate) -> bool:
    """Match whatever there is."""
    return True


def _given(known: Mapping[str, Json], name: str) -> bool:
    """Say whether a matcher was written: an empty selector is one, an empty list or text is none."""
    value = known.get(name)
    return value is not None if name.endswith("Selector") else value not in (None, [], "", {})


def _kinds(written: Json, path: str) -> Matches:
    wanted = [_group_kinds(each, f"{path}[{at}]") for at, each in enumerate(listed(written, path))]
    if len(wanted) == 1:
        groups, kinds = wanted[0]
        return lambda candidate: candidate.kind in kinds and candidate.group in groups
    return lambda candidate: any(
        candidate.kind in kinds and candidate.group in groups for groups, kinds in wanted
    )


class _Everything:
    """Holds whatever is looked for: an empty or `*` list of kinds or groups."""

    def __contains__(self, _: object) -> bool:
        return True


def _group_kinds(written: Json, path: str) -> tuple[frozenset[str] | _Everything, frozenset[str] | _Everything]:
    known = mapping(written, path, ("apiGroups", "kinds"))
    groups = texts(known.get("apiGroups"), f"{path}.apiGroups")
    kinds = texts(known.get("kinds"), f"{path}.kinds")
    return _names(groups), _names(kinds)


def _names(names: list[str]) -> frozenset[str] | _Everything:
    return _Everything() if not names or "*" in names else frozenset(names)


def _scope(written: Json, path: str) -> Matches:
    match text(written, path):
        case "Cluster":
            return lambda candidate: candidate.is_namespace or not candidate.in_namespace
        case "Namespaced":
            return lambda candidate: not candidate.is_namespace and candidate.in_namespace
        case _:  # Gatekeeper takes any other text for `*`
            return anything


def _namespaces(written: Json, path: str) -> Matches:
    fits = _any_glob(written, path)
    return lambda candidate: candidate.namespace is None or fits(candidate.namespace)


def _excluded_namespaces(written: Json, path: str) -> Matches:
    fits = _any_glob(written, path)
    return lambda candidate: candidate.namespace is None or not fits(candidate.namespace)


def _label_selector(written: Json, path: str) -> Matches:
    selects = selector(written, path)
    return lambda candidate: selects(candidate.labels)


def _namespace_selector(written: Json, path: str) -> Matches:
    selects = selector(written, path)

    def matches(candidate: Candidate) -> bool:
        if candidate.cluster_wide:
            return True
        if candidate.is_namespace:
            return selects(candidate.labels)
        if candidate.namespace_labels is None:
            raise Unmatchable(
                f"error matching the requested object: {candidate.name} :failed to run Match criteria: "
                "namespace selector for namespace-scoped object but missing Namespace"
            )
        return selects(candidate.namespace_labels)

    return matches


def _name(written: Json, path: str) -> Matches:
    glob = _pattern(written, path)
    fits = _glob(glob)
    if not glob.endswith("*"):
        return lambda candidate: fits(candidate.name)
    return lambda candidate: fits(candidate.name) or fits(candidate.generate_name)


def _source(written: Json, path: str) -> Matches:
    match text(written, path):
        case "All":
            return anything
        case "Original":
            return lambda candidate: not candidate.generated
        case "Generated":
            return lambda candidate: candidate.generated
        case other:
            raise Malformed(path, f"{other!r} is no source", "use All, Original or Generated")


_MATCHERS: Mapping[str, Callable[[Json, str], Matches]] = {
    "kinds": _kinds,
    "scope": _scope,
    "namespaces": _namespaces,
    "excludedNamespaces": _excluded_namespaces,
    "labelSelector": _label_selector,
    "namespaceSelector": _namespace_selector,
    "name": _name,
    "source": _source,
}
"""Every matcher, in the order in which they are asked: one that fails does so before a later one can err."""


def _any_glob(written: Json, path: str) -> Callable[[str], bool]:
    """Compile patterns of names; most have no star, and are a set."""
    patterns = [_pattern(each, f"{path}[{at}]") for at, each in enumerate(listed(written, path))]
    names = frozenset(pattern for pattern in patterns if "*" not in pattern)
    globs = [_glob(pattern) for pattern in patterns if "*" in pattern]
    if not globs:
        return names.__contains__
    return lambda name: name in names or any(glob(name) for glob in globs)


_GLOB = re.compile(r"\*?[-:a-z0-9]*\*?")


def _pattern(written: Json, path: str) -> str:
    """Read a name that may begin and end with a star, as Gatekeeper's schema wants it."""
    pattern = text(written, path)
    if not _GLOB.fullmatch(pattern):
        fix = "a star may stand at the beginning and at the end, and names are lower case"
        raise Malformed(path, f"{pattern!r} is no pattern of names", fix)
    return pattern


def _glob(pattern: str) -> Callable[[str], bool]:
    body = pattern.removeprefix("*").removesuffix("*")
    match (pattern.startswith("*"), pattern.endswith("*")):
        case (True, True):
            return lambda name: body in name
        case (True, False):
            return lambda name: name.endswith(body)
        case (False, True):
            return lambda name: name.startswith(body)
        case _:
            return lambda name: name == pattern
