"""The functions of the language: their signatures, and what they do.

A table for each kind of value, and one of those that take a predicate, which the evaluator runs itself.
"""

from collections.abc import Mapping
from typing import Final

from davy.analysis.expression.builtins.arrays import ARRAYS
from davy.analysis.expression.builtins.numbers import NUMBERS
from davy.analysis.expression.builtins.predicates import PREDICATES, PredicateBuiltin
from davy.analysis.expression.builtins.signature import Builtin
from davy.analysis.expression.builtins.strings import STRINGS
from davy.analysis.expression.builtins.times import METHODS, TIMES, MethodKey

BUILTINS: Final[Mapping[str, Builtin]] = {
    builtin.name: builtin for builtin in (*ARRAYS, *NUMBERS, *STRINGS, *TIMES)
}

__all__ = ["BUILTINS", "METHODS", "PREDICATES", "Builtin", "MethodKey", "PredicateBuiltin"]
