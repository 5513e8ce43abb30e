"""The functions that take a predicate: they go through the elements and evaluate it for each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from davy.analysis.expression.builtins.arrays import sort_by
from davy.analysis.expression.faults import Fault
from davy.analysis.expression.frame import Frame, Run
from davy.analysis.expression.kinds import type_name
from davy.analysis.expression.meter import Meter
from davy.analysis.expression.moments import Duration
from davy.analysis.expression.values import Groups, add, elements

# The elements: the place of each, itself, and what the predicate gives for it.
Given = Iterator[tuple[int, object, object]]


def loop(name: str, arguments: list[Run], cost: int, position: int) -> Run:
    """Return the function that goes through the array; `cost` is what evaluating its predicate once costs."""
    array, *rest = arguments
    predicate = rest[0] if rest else None
    last = rest[1] if len(rest) > 1 else None

    def run(frame: Frame) -> object:
        items = array(frame)
        extra = None if last is None else last(frame)
        around = frame.element, frame.index, frame.gathered
        try:
            there = elements(items, frame.meter)
            if name == "reduce":
                assert predicate is not None, "the parser demands it"
                return _reduce(frame, there, predicate, cost, _NONE if last is None else extra)
            given = _walk(frame, there, predicate, cost, backwards=name.startswith("findLast"))
            if name == "sortBy":
                return _sorted(given, "asc" if last is None else extra, frame.meter)
            return _FINISHERS[name](given, frame.meter)
        except Fault as fault:
            raise fault.at(position) from None
        finally:
            frame.element, frame.index, frame.gathered = around

    return run


def _walk(frame: Frame, items: Sequence[object], predicate: Run | None, cost: int, *, backwards: bool) -> Given:
    indices = range(len(items))
    for index in reversed(indices) if backwards else indices:
        frame.meter.spend(cost)
        item = items[index]
        if predicate is None:
            yield index, item, item
        else:
            frame.element, frame.index = item, index
            yield index, item, predicate(frame)


# Stands for the first value that nobody gave; nil is one that somebody can give.
_NONE: Final = object()


def _reduce(frame: Frame, items: Sequence[object], predicate: Run, cost: int, first: object) -> object:
    start = 0
    if first is _NONE:
        if not items:
            raise Fault("reduce of empty array with no initial value")
        first, start = items[0], 1
    gathered = first
    for index in range(start, len(items)):
        frame.meter.spend(cost)
        frame.element, frame.index, frame.gathered = items[index], index, gathered
        gathered = predicate(frame)
    return gathered


def _sorted(given: Given, order: object, meter: Meter) -> list[object]:
    items, keys = [], []
    for _, item, key in given:
        items.append(item)
        keys.append(key)
    return sort_by(items, keys, order, meter)


def _where(wanted: bool, given: Given) -> Iterator[tuple[int, object]]:
    """Yield the place and the element wherever the predicate gives this."""
    for index, item, value in given:
        if value is wanted:
            yield index, item
        elif not isinstance(value, bool):
            raise Fault(f"expected bool, but got {type_name(value)}")


def _exists(wanted: bool, given: Given) -> bool:
    return next((True for _ in _where(wanted, given)), False)


def _count(given: Given, meter: Meter) -> int:
    return sum(1 for _ in _where(True, given))


def _find(given: Given, meter: Meter) -> object:
    return next((item for _, item in _where(True, given)), None)


def _find_index(given: Given, meter: Meter) -> object:
    return next((index for index, _ in _where(True, given)), None)


def _sum(given: Given, meter: Meter) -> object:
    total: object = 0
    for _, _, value in given:
        # Durations have no zero that an int could stand for.
        total = value if total == 0 and isinstance(value, Duration) else add(value, total, meter)
    return total


def _group(given: Given, meter: Meter) -> Groups:
    groups = Groups()
    for _, item, key in given:
        group = groups.setdefault(Groups.key(key), [])
        assert isinstance(group, list)
        group.append(item)
    return groups


_FINISHERS: Final[Mapping[str, Callable[[Given, Meter], object]]] = {
    "all": lambda given, meter: not _exists(False, given),
    "none": lambda given, meter: not _exists(True, given),
    "any": lambda given, meter: _exists(True, given),
    "one": lambda given, meter: _count(given, meter) == 1,
    "filter": lambda given, meter: [item for _, item in _where(True, given)],
    "map": lambda given, meter: [value for _, _, value in given],
    "count": _count,
    "find": _find,
    "findIndex": _find_index,
    "findLast": _find,
    "findLastIndex": _find_index,
    "sum": _sum,
    "groupBy": _group,
}
