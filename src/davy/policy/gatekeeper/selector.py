"""Label selectors, as Kubernetes reads them."""

from collections.abc import Callable, Mapping

from davy.policy.gatekeeper.candidate import Labels
from davy.policy.gatekeeper.malformed import Malformed, listed, mapping, text, texts
from davy.policy.review import Json

Selects = Callable[[Labels], bool]

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def selector(written: Json, path: str) -> Selects:
    """Compile a label selector; an empty one selects everything.

    Raises:
        Malformed: it is none.
    """
    known = mapping(written, path, ("matchLabels", "matchExpressions"))
    wanted = mapping(known.get("matchLabels"), f"{path}.matchLabels")
    equal = [(key, text(value, f"{path}.matchLabels.{key}")) for key, value in wanted.items()]
    expressions = listed(known.get("matchExpressions"), f"{path}.matchExpressions")
    tests = [_expression(each, f"{path}.matchExpressions[{at}]") for at, each in enumerate(expressions)]

    def selects(labels: Labels) -> bool:
        return all(labels.get(key) == value for key, value in equal) and all(test(labels) for test in tests)

    return selects


def _expression(written: Json, path: str) -> Selects:
    known = mapping(written, path, ("key", "operator", "values"))
    key, operator = text(known.get("key"), f"{path}.key"), text(known.get("operator"), f"{path}.operator")
    values = frozenset(texts(known.get("values"), f"{path}.values"))
    if operator not in OPERATORS:
        raise Malformed(f"{path}.operator", f"{operator!r} is no operator", f"use {', '.join(OPERATORS)}")
    if bool(values) != (operator in ("In", "NotIn")):
        needs = "needs at least one of" if not values else "takes no"
        raise Malformed(f"{path}.values", f"operator {operator} {needs} values")
    return _OPERATIONS[operator](key, values)


_OPERATIONS: Mapping[str, Callable[[str, frozenset[str]], Selects]] = {
    "In": lambda key, values: lambda labels: key in labels and labels[key] in values,
    "NotIn": lambda key, values: lambda labels: labels.get(key) not in values,
    "Exists": lambda key, _: lambda labels: key in labels,
    "DoesNotExist": lambda key, _: lambda labels: key not in labels,
}
