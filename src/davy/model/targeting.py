"""What targeting can answer with, as far as it says so: the names of variants in flagd's JsonLogic."""

from collections.abc import Iterator
from typing import Any

from davy.model.source import join

_BRANCHES = ("if", "?:")


def outcomes(rule: Any, path: str) -> Iterator[tuple[str, str]]:
    """Go through the variants that a rule names as its answer, each with the path where it stands.

    What is computed (`var`, `cat` …) is not known before somebody evaluates it, and left out. A boolean
    is the variant `true` or `false`, as flagd has it.
    """
    match rule:
        case bool():
            yield path, "true" if rule else "false"
        case str():
            yield path, rule
        case dict() if len(rule) == 1:
            ((operator, operands),) = rule.items()
            if isinstance(operands, list | tuple):
                yield from _answers(operator, operands, join(path, operator))


def _answers(operator: str, operands: "list[Any] | tuple[Any, ...]", path: str) -> Iterator[tuple[str, str]]:
    last = len(operands) - 1
    for index, each in enumerate(operands):
        below = join(path, index)
        if operator in _BRANCHES and (index % 2 == 1 or index == last):
            yield from outcomes(each, below)
        elif operator == "fractional" and isinstance(each, list | tuple) and each:
            yield from outcomes(each[0], join(below, 0))
