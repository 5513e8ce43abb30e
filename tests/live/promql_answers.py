"""Answers of the evaluator and of a real Prometheus, brought into one form and compared."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.live.prometheus import Refused

from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.parse import parse
from davy.analysis.promql.result import Matrix, Result, Scalar, String, Vector


def ours(result: Result) -> Any:
    """Say a result in the words of Prometheus' HTTP API."""
    match result:
        case Scalar(value):
            return "scalar", value
        case String(text):
            return "string", text
        case Vector(elements):
            return "vector", [(dict(e.labels), e.value) for e in elements]
        case Matrix(series):
            return "matrix", [
                (dict(s.labels), list(zip(s.timestamps_ms, s.values, strict=True))) for s in series
            ]


def theirs(data: Mapping[str, Any]) -> Any:
    found = data["result"]
    match data["resultType"]:
        case "scalar":
            return "scalar", float(found[1])
        case "string":
            return "string", found[1]
        case "vector":
            return "vector", [(e["metric"], float(e["value"][1])) for e in found]
        case kind:
            return kind, [
                (s["metric"], [(round(at * 1000), float(value)) for at, value in s["values"]]) for s in found
            ]


def close(a: float, b: float) -> bool:
    return (a != a and b != b) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def same(a: Any, b: Any) -> bool:
    """Tell whether two results are equal, but for the order of what has none and the last digits."""
    match a, b:
        case ("string", _), _:
            return bool(a == b)
        case ("scalar", x), ("scalar", y):
            return close(x, y)
        case (str(kind), list(left)), (str(other), list(right)) if kind == other and len(left) == len(right):
            by_labels = {tuple(sorted(labels.items())): value for labels, value in right}
            return all(
                (key := tuple(sorted(labels.items()))) in by_labels and alike(value, by_labels[key])
                for labels, value in left
            )
        case _:
            return False


def alike(a: Any, b: Any) -> bool:
    if isinstance(a, float):
        return close(a, b)
    return len(a) == len(b) and all(x[0] == y[0] and close(x[1], y[1]) for x, y in zip(a, b, strict=True))


def asked(ask: Callable[..., Any], query: str, *when: float) -> Any:
    """Give the answer, or the refusal and whether it was for how the query is written."""
    try:
        return ask(query, *when)
    except Refused as refusal:
        return "refused", str(refusal)
    except QueryError as refusal:
        return "refused", refusal.message if is_readable(query) else f"parse error: {refusal.message}"


def is_readable(query: str) -> bool:
    """Say whether a query can be read, whatever comes of it."""
    try:
        parse(query)
    except QueryError:
        return False
    return True


REASONS: Final = {
    "many to many": "many-to-many matching not allowed|duplicate series for the match group",
    "more than one match": "multiple matches for labels",
    "elements that cannot be told apart": "same labelset|duplicated? label ?set",
    "no label name": "invalid label name|invalid (source|destination) label name",
    "no pattern": "^invalid regular expression",
    "no count": "overflows int64|is a count",
    "no expression for a range": "invalid expression type .* for range query|a range query needs an expression",
    "unreadable": "parse error",
}
"""What a refusal is about, whoever words it."""


def reason(message: str) -> str:
    """Say what a refusal is about."""
    known = (name for name, pattern in REASONS.items() if re.search(pattern, message))
    return next(known, message)


def compare(mine: Any, other: Any) -> None:
    """Fail unless two answers are the same, or two refusals have the same reason."""
    told = f"ours: {mine}\ntheirs: {other}"
    if "refused" in (mine[0], other[0]):
        assert (mine[0], other[0]) == ("refused", "refused"), told
        assert reason(mine[1]) == reason(other[1]), told
    else:
        assert same(mine, other), told
