"""`match` and `exclude` of Kyverno's ClusterPolicy: filters of which one, or every one, has to fit."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import translate

from davy.policy.gatekeeper.candidate import metadata_of
from davy.policy.gatekeeper.malformed import Malformed, listed, mapping, texts
from davy.policy.gatekeeper.selector import Selects, selector
from davy.policy.inventory import Inventory
from davy.policy.review import Json, Object, Review
from davy.policy.validating.request import namespace_of, operation_of
from davy.policy.validating.where import Undecided, labels_of, unknown_namespace

RESOURCES = (
    "kinds",
    "name",
    "names",
    "namespaces",
    "annotations",
    "selector",
    "namespaceSelector",
    "operations",
)
USERS = ("subjects", "roles", "clusterRoles")
Test = Callable[[Review, Inventory], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """One resource filter: all of its tests have to hold. `kinds` are those it names."""

    tests: tuple[Test, ...]
    kinds: tuple[str, ...]

    def fits(self, review: Review, inventory: Inventory) -> bool:
        """Say whether an object is meant."""
        return all(test(review, inventory) for test in self.tests)


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of which one has to fit, or every one."""

    filters: tuple[Filter, ...]
    every: bool

    def fit(self, review: Review, inventory: Inventory) -> bool:
        """Say whether an object is meant; no filters mean nothing."""
        fits = [found.fits(review, inventory) for found in self.filters]
        return bool(fits) and (all(fits) if self.every else any(fits))


def filters(written: Json, path: str) -> Filters:
    """Read `match` or `exclude`.

    Raises:
        Malformed: it cannot be read, or asks for what is not known here.
    """
    known = mapping(written, path, ("any", "all", "resources", *USERS))
    if "any" in known and "all" in known:
        raise Malformed(path, "this has any and all at once", "keep one of them")
    name = "all" if "all" in known else "any"
    if name not in known:
        return Filters((_filter(known, path),) if known else (), True)
    each = [
        _filter(found, f"{path}.{name}[{at}]") for at, found in enumerate(listed(known[name], f"{path}.{name}"))
    ]
    return Filters(tuple(each), name == "all")


def _filter(written: Json, path: str) -> Filter:
    known = mapping(written, path, ("resources", *USERS))
    for name in USERS:
        if known.get(name):
            raise Malformed(f"{path}.{name}", f"needs {name}: who asks is not known here")
    here = f"{path}.resources"
    resources = mapping(known.get("resources"), here, RESOURCES)
    kinds = tuple(texts(resources.get("kinds"), f"{here}.kinds"))
    tests: list[Test] = []
    if kinds:
        tests.append(_any([_kind(kind) for kind in kinds]))
    names = texts(resources.get("names"), f"{here}.names") + texts(_one(resources.get("name")), f"{here}.name")
    if names:
        wanted = [glob(name) for name in names]
        tests.append(lambda review, _: any(test(review.name) for test in wanted))
    namespaces = [glob(name) for name in texts(resources.get("namespaces"), f"{here}.namespaces")]
    if namespaces:
        tests.append(lambda review, _: any(test(_namespace(review)) for test in namespaces))
    operations = texts(resources.get("operations"), f"{here}.operations")
    if operations:
        tests.append(lambda review, _: operation_of(review) in operations)
    if resources.get("annotations"):
        tests.append(_annotations(mapping(resources["annotations"], f"{here}.annotations")))
    if resources.get("selector"):
        selects = selector(resources["selector"], f"{here}.selector")
        tests.append(lambda review, _: selects(labels_of(review.subject)))
    if resources.get("namespaceSelector"):
        tests.append(_in_namespace(selector(resources["namespaceSelector"], f"{here}.namespaceSelector")))
    return Filter(tuple(tests), kinds)


def glob(pattern: str) -> Callable[[str], bool]:
    """Compile a wildcard of Kyverno: `*` is any text, `?` is one character, and nothing else is special."""
    compiled = re.compile(translate(pattern.replace("[", "[[]")))
    return lambda text: compiled.match(text) is not None


def _one(written: Json) -> Json:
    return [written] if written else []


def _any(tests: list[Test]) -> Test:
    return lambda review, inventory: any(test(review, inventory) for test in tests)


def _kind(written: str) -> Test:
    """Read `Kind`, `version/Kind` or `group/version/Kind`, with `/subresource` behind it or without."""
    words = written.split("/")
    at = next((place for place, word in enumerate(words) if word[:1].isupper()), 2 if len(words) > 2 else 0)
    group, version = (["*", "*", *words[:at]])[-2:]
    kind, _, dotted = words[at].partition(".")
    sub_resource = glob("/".join(words[at + 1 :]) or dotted)
    tests = glob(group), glob(version), glob(kind)
    return lambda review, _: (
        all(test(part) for test, part in zip(tests, review.kind, strict=True))
        and sub_resource(review.sub_resource)
    )


def _namespace(review: Review) -> str:
    return review.name if review.kind.kind == "Namespace" and not review.kind.group else review.namespace


def _annotations(written: Object) -> Test:
    wanted = [(glob(key), glob(str(value))) for key, value in written.items()]

    def test(review: Review, _: Inventory) -> bool:
        found = metadata_of(review.subject).get("annotations")
        held: Mapping[str, Json] = found if isinstance(found, Mapping) else {}
        return all(any(key(name) and value(str(said)) for name, said in held.items()) for key, value in wanted)

    return test


def _in_namespace(selects: Selects) -> Test:
    def test(review: Review, inventory: Inventory) -> bool:
        if review.kind.kind == "Namespace" and not review.kind.group:
            return selects(labels_of(review.subject))
        if not review.namespace:
            return False
        namespace = namespace_of(review, inventory)
        if namespace is None:
            raise Undecided(unknown_namespace(review))
        return selects(labels_of(namespace))

    return test
