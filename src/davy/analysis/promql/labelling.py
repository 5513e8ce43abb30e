"""Functions of labels: writing one from others, and sorting by them."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from davy.analysis.promql.matching import QueryError, compile_pattern
from davy.analysis.promql.series import NAME, Pairs
from davy.analysis.promql.syntax import Expression
from davy.analysis.promql.vector import Element, Function, Settings, Value, refuse_duplicates

if TYPE_CHECKING:
    from davy.analysis.promql.evaluation import Evaluation

LABEL_VALUE_LIMIT: Final = 65_536
"""Characters of a label's value: functions within functions could double it at every level."""

_REFERENCE: Final = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<braced>\w+)\}|(?P<bare>\w+))")
_PLAIN_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_CHUNK: Final = re.compile(r"[0-9]{1,300}|[^0-9]+")


def label_name(name: str, function: str, settings: Settings) -> str:
    """Give a label's name back if it is one: any text by now, a plain word in Prometheus 2.x.

    Raises:
        QueryError: it is none.
    """
    if not name or (settings.prometheus_2 and not _PLAIN_NAME.fullmatch(name)):
        raise QueryError(f"invalid label name {name!r} in {function}()")
    return name


def _texts(evaluation: "Evaluation", arguments: Sequence[Expression], time_ms: int) -> list[str]:
    texts = [evaluation.value(argument, time_ms) for argument in arguments]
    return [text for text in texts if isinstance(text, str)]


def _replace(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    operand = evaluation.vector(arguments[0], time_ms)
    target, template, source, text = _texts(evaluation, arguments[1:], time_ms)
    pattern = compile_pattern(text)
    label_name(target, "label_replace", evaluation.settings)
    parts = _template(template)
    elements = []
    for element in operand:
        match = pattern.fullmatch(element.labels.as_dict.get(source, ""))
        if match is None:
            elements.append(element)
        else:
            elements.append(_labelled(element, target, [part(match) for part in parts]))
    refuse_duplicates(elements)
    return elements


def _template(template: str) -> list[Callable[[Any], str]]:
    """Read a replacement as Go's regexp.Expand does: $1, $name, ${name}, $$; any other dollar is itself."""
    parts: list[Callable[[Any], str]] = []
    end = 0
    for found in _REFERENCE.finditer(template):
        parts.append(_literal(template[end : found.start()]))
        parts.append(_literal("$") if found["dollar"] else _group(found["braced"] or found["bare"]))
        end = found.end()
    parts.append(_literal(template[end:]))
    return parts


def _literal(text: str) -> Callable[[Any], str]:
    return lambda match: text


def _group(name: str) -> Callable[[Any], str]:
    """Read a group by number or name; one that the pattern lacks, or that took no part, is empty."""

    def read(match: Any) -> str:
        if name.isascii() and name.isdigit():
            number = int(name) if len(name) < 10 else -1
            return (match.group(number) or "") if 0 <= number <= match.re.groups else ""
        return (match.group(name) or "") if name in match.re.groupindex else ""

    return read


def _join(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    operand = evaluation.vector(arguments[0], time_ms)
    target, separator, *sources = _texts(evaluation, arguments[1:], time_ms)
    for name in (target, *sources):
        label_name(name, "label_join", evaluation.settings)
    elements = []
    for element in operand:
        values = [element.labels.as_dict.get(source, "") for source in sources]
        parts = [part for value in values for part in (separator, value)]
        elements.append(_labelled(element, target, parts[1:]))
    refuse_duplicates(elements)
    return elements


def _labelled(element: Element, target: str, parts: Sequence[str]) -> Element:
    """Give an element another label; a name that is set on purpose stays."""
    if sum(map(len, parts)) > LABEL_VALUE_LIMIT:
        raise QueryError(
            f"a label value may have {LABEL_VALUE_LIMIT} characters, and {target!r} would have more"
        )
    labels = element.labels.with_label(target, "".join(parts))
    return Element(labels, element.value, element.nameless and target != NAME)


def _sorted_by_label(*, descending: bool) -> Function:
    def function(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
        names = _texts(evaluation, arguments[1:], time_ms)

        def key(element: Element) -> tuple[list[list[tuple[bool, int, str]]], Pairs]:
            natural = [_natural(element.labels.as_dict.get(name, "")) for name in names]
            return natural, element.labels.pairs

        return sorted(evaluation.vector(arguments[0], time_ms), key=key, reverse=descending)

    return function


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """Order numbers within texts as numbers: node2 comes before node10."""
    return [(False, int(c), "") if c[0] in "0123456789" else (True, 0, c) for c in _CHUNK.findall(text)]


LABEL_FUNCTIONS: Final[dict[str, Function]] = {
    "label_replace": _replace,
    "label_join": _join,
    "sort_by_label": _sorted_by_label(descending=False),
    "sort_by_label_desc": _sorted_by_label(descending=True),
}
