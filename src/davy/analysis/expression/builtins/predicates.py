"""The functions that take a predicate: how arguments are read, what a predicate may give, what comes out.

The evaluator goes through the elements itself (`davy.analysis.expression.loops`): it alone can evaluate one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from davy.analysis.expression.kinds import ARRAY, BOOL, GROUPS, INT, UNKNOWN, Kind, array_of


@dataclass(frozen=True, slots=True)
class PredicateBuiltin:
    """A function over an array and a predicate.

    Args:
        parameters: the pattern of its arguments: `e` an expression, `p` a predicate, in capitals what may be
            left out.
        boolean: whether the predicate has to give true or false.
        returns: the kind of the result, from that of the array and that of what the predicate gives; without a
            predicate an element gives itself.
        pointers: what a predicate may name besides the element.
    """

    parameters: str
    boolean: bool
    returns: Callable[[Kind, Kind], Kind]
    pointers: frozenset[str] = frozenset()


def _element(array: Kind, given: Kind) -> Kind:
    return array.element or UNKNOWN


def _bool(array: Kind, given: Kind) -> Kind:
    return BOOL


def _int(array: Kind, given: Kind) -> Kind:
    return INT


def _same_elements(array: Kind, given: Kind) -> Kind:
    return array_of(array.element) if array.element else ARRAY


def _array_of_given(array: Kind, given: Kind) -> Kind:
    return array_of(given)


def _given(array: Kind, given: Kind) -> Kind:
    return given


def _groups(array: Kind, given: Kind) -> Kind:
    return GROUPS


PREDICATES: Final[Mapping[str, PredicateBuiltin]] = {
    "all": PredicateBuiltin("ep", True, _bool),
    "none": PredicateBuiltin("ep", True, _bool),
    "any": PredicateBuiltin("ep", True, _bool),
    "one": PredicateBuiltin("ep", True, _bool),
    "filter": PredicateBuiltin("ep", True, _same_elements),
    "map": PredicateBuiltin("ep", False, _array_of_given, frozenset({"index"})),
    "count": PredicateBuiltin("eP", True, _int),
    "find": PredicateBuiltin("ep", True, _element),
    "findIndex": PredicateBuiltin("ep", True, _int),
    "findLast": PredicateBuiltin("ep", True, _element),
    "findLastIndex": PredicateBuiltin("ep", True, _int),
    "sum": PredicateBuiltin("eP", False, _given),
    "groupBy": PredicateBuiltin("ep", False, _groups),
    "sortBy": PredicateBuiltin("epE", False, _same_elements),
    "reduce": PredicateBuiltin("epE", False, _given, frozenset({"index", "acc"})),
}
