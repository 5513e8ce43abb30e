"""The syntax tree of a query: frozen, typed, and free of everything the evaluator does not answer."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TypeAlias

from davy.analysis.promql.matching import Matcher


class Edge(Enum):
    """An instant that is known only when the query is asked: the first or the last of its range."""

    START = "start()"
    END = "end()"


At: TypeAlias = int | Edge | None
"""What `@` pins a selector to: milliseconds since the epoch, an edge of the range, or nothing."""


class Cardinality(Enum):
    """How many elements of either side of a binary operator may belong together."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "group_left"
    ONE_TO_MANY = "group_right"
    MANY_TO_MANY = "set operation"


class Operator(StrEnum):
    """A binary operator, as it is written."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    MODULO = "%"
    POWER = "^"
    ATAN2 = "atan2"
    EQUAL = "=="
    NOT_EQUAL = "!="
    GREATER = ">"
    LESS = "<"
    GREATER_EQUAL = ">="
    LESS_EQUAL = "<="
    AND = "and"
    OR = "or"
    UNLESS = "unless"

    @property
    def compares(self) -> bool:
        """Whether the answer is yes or no: such an operator filters, or gives 0 and 1 with `bool`."""
        return self in _COMPARISONS

    @property
    def joins_sets(self) -> bool:
        """Whether it looks at labels only."""
        return self in _SET_OPERATORS


_COMPARISONS = frozenset(
    {
        Operator.EQUAL,
        Operator.NOT_EQUAL,
        Operator.GREATER,
        Operator.LESS,
        Operator.GREATER_EQUAL,
        Operator.LESS_EQUAL,
    }
)
_SET_OPERATORS = frozenset({Operator.AND, Operator.OR, Operator.UNLESS})


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written; a duration where a number may stand is its seconds."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal."""

    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """An instant vector selector: the series that satisfy every matcher of at least one alternative.

    `metric` is the name as written before the braces, or the value of an equality matcher on `__name__` that
    all alternatives share, or empty. The alternatives hold the name as a matcher, too; there is one but for
    `or` in braces.
    """

    metric: str
    alternatives: tuple[tuple[Matcher, ...], ...]
    offset_ms: int = 0
    at: At = None

    def requires(self, label: str, value: str) -> bool:
        """Tell whether only series with this label value can be selected, as a gate on a query's scope asks."""
        return all(
            any(m.name == label and m.operator == "=" and m.value == value for m in matchers)
            for matchers in self.alternatives
        )


@dataclass(frozen=True, slots=True)
class Window:
    """A range vector selector: the raw samples of a selector over a time."""

    selector: Selector
    range_ms: int


@dataclass(frozen=True, slots=True)
class Subquery:
    """An expression asked again and again over a time; without a step of its own it takes the engine's."""

    expression: "Expression"
    range_ms: int
    step_ms: int | None
    offset_ms: int
    at: At


@dataclass(frozen=True, slots=True)
class Negation:
    """A minus before an expression."""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments, whose number and types the parser has checked."""

    function: str
    arguments: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Aggregation:
    """An operator over the elements of a vector, by these labels or by all but these."""

    operator: str
    operand: "Expression"
    parameter: "Expression | None"
    labels: tuple[str, ...]
    without: bool


@dataclass(frozen=True, slots=True)
class Matching:
    """Which elements of two vectors belong together, and what the result takes over from the single side."""

    cardinality: Cardinality = Cardinality.ONE_TO_ONE
    on: bool = False
    labels: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions and the operator between them."""

    operator: Operator
    left: "Expression"
    right: "Expression"
    return_bool: bool
    matching: Matching


Expression: TypeAlias = Number | Text | Selector | Window | Subquery | Negation | Call | Aggregation | Binary
