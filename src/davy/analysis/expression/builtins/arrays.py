"""Arrays and maps: taking, turning, joining, sorting."""

import functools
from collections.abc import Callable, Iterator
from typing import Final

from davy.analysis.expression.builtins.signature import (
    A_MAP,
    A_STRING,
    AN_ARRAY,
    AN_INT,
    ANYTHING,
    Builtin,
    Parameter,
    element_of,
)
from davy.analysis.expression.faults import Fault
from davy.analysis.expression.kinds import (
    ANY_MAP,
    ARRAY,
    INT,
    STRING,
    UNKNOWN,
    Kind,
    array_of,
    is_array,
    is_map,
    type_name,
)
from davy.analysis.expression.meter import Meter
from davy.analysis.expression.values import AnyMap, Array, elements, equal, fetch, ordered

_SIZED: Final = Parameter("array, map or string", lambda kind: is_array(kind) or is_map(kind) or kind is STRING)
_INDEXED: Final = Parameter("array or map", lambda kind: is_array(kind) or is_map(kind))


def _len(meter: Meter, value: object) -> int:
    if not isinstance(value, (str, dict, *Array)):
        raise Fault(f"invalid argument for len (type {type_name(value)})")
    return len(value)


def _array(verb: str, value: object, meter: Meter) -> list[object]:
    """Copy an array; a text is none here, though it can be gone through elsewhere."""
    if not isinstance(value, Array):
        raise Fault(f"cannot {verb} {type_name(value)}")
    meter.spend(len(value))
    return list(elements(value, meter))


def _end(place: int) -> Callable[[Meter, object], object]:
    def call(meter: Meter, value: object) -> object:
        if not isinstance(value, (str, *Array)):
            return None
        items = elements(value, meter)
        return items[place] if items else None

    return call


def _get(meter: Meter, value: object, key: object) -> object:
    """Look up as `value[key]` does, but find nil where there is nothing to find."""
    if not isinstance(value, (str, dict, *Array)):
        return None
    if not isinstance(value, dict) and not -_len(meter, value) <= _as_place(key) < _len(meter, value):
        return None
    return fetch(value, key, meter)


def _as_place(key: object) -> int | float:
    if isinstance(key, (int, float)) and not isinstance(key, bool):
        return key
    raise Fault(f"invalid operation: int({type_name(key)})")


def _take(meter: Meter, value: object, count: object) -> object:
    if not isinstance(value, Array):
        raise Fault(f"cannot take from {type_name(value)}")
    if type(count) is not int:
        raise Fault(f"cannot take {type_name(count)} elements")
    if count < 0:
        raise Fault(f"cannot take {count} elements")
    meter.spend(min(count, len(value)))
    return value[:count]


def _concat(meter: Meter, *values: object) -> list[object]:
    return [item for value in values for item in _array("concat", value, meter)]


def _flatten(meter: Meter, value: object) -> list[object]:
    return list(_flat(_array("flatten", value, meter), meter, 0))


def _flat(items: list[object], meter: Meter, depth: int) -> Iterator[object]:
    depth = meter.descend(depth)
    for item in items:
        if isinstance(item, Array):
            yield from _flat(_array("flatten", item, meter), meter, depth)
        else:
            yield item


def _uniq(meter: Meter, value: object) -> list[object]:
    kept: list[object] = []
    for item in _array("uniq", value, meter):
        meter.spend(len(kept))
        if not any(equal(item, other, meter) for other in kept):
            kept.append(item)
    return kept


def _reverse(meter: Meter, value: object) -> list[object]:
    return _array("reverse", value, meter)[::-1]


def _sort(meter: Meter, value: object, order: object = "asc") -> list[object]:
    items = _array("sort", value, meter)
    return sort_by(items, items, order, meter)


def sort_by(items: list[object], keys: list[object], order: object, meter: Meter) -> list[object]:
    """Return the items in the order of their keys, `asc` or `desc`; equals stay as they were."""
    if not isinstance(order, str):
        raise Fault(f"sort order argument must be a string (got {type_name(order)})")
    if order not in ("asc", "desc"):
        raise Fault(f"invalid order {order[:20]}, expected asc or desc")
    operator = "<" if order == "asc" else ">"

    def compare(left: tuple[object, object], right: tuple[object, object]) -> int:
        meter.spend(1)
        return int(ordered(operator, right[0], left[0])) - int(ordered(operator, left[0], right[0]))

    return [item for _, item in sorted(zip(keys, items, strict=True), key=functools.cmp_to_key(compare))]


def _mapping(verb: str, value: object, meter: Meter) -> list[tuple[object, object]]:
    if not isinstance(value, dict):
        raise Fault(f"cannot {verb} {type_name(value)}")
    meter.spend(len(value))
    keys = value.plain_keys() if isinstance(value, AnyMap) else value.keys()
    return list(zip(keys, value.values(), strict=True))


def _keys(meter: Meter, value: object) -> list[object]:
    return [key for key, _ in _mapping("get keys from", value, meter)]


def _values(meter: Meter, value: object) -> list[object]:
    return [item for _, item in _mapping("get values from", value, meter)]


def _to_pairs(meter: Meter, value: object) -> list[object]:
    return [[key, item] for key, item in _mapping("transform to pairs", value, meter)]


def _from_pairs(meter: Meter, value: object) -> AnyMap:
    result = AnyMap()
    for pair in _array("transform from pairs", value, meter):
        if not isinstance(pair, Array):
            raise Fault(f"invalid pair: {type_name(pair)}")
        if len(pair) != 2:
            raise Fault(f"invalid pair of {len(pair)} elements")
        result[AnyMap.key(pair[0])] = pair[1]
    return result


def _get_kind(kinds: tuple[Kind, ...]) -> Kind:
    container, key = kinds
    wanted = container.key if is_map(container) else INT
    if container is not UNKNOWN and wanted is not UNKNOWN and key not in (UNKNOWN, wanted):
        raise Fault(f"cannot use {key} to get an element from {container}")
    return element_of(kinds)


def _taken_kind(kinds: tuple[Kind, ...]) -> Kind:
    return kinds[0] if is_array(kinds[0]) else UNKNOWN


ARRAYS: Final = (
    Builtin("len", (_SIZED,), INT, _len),
    Builtin("first", (AN_ARRAY,), element_of, _end(0)),
    Builtin("last", (AN_ARRAY,), element_of, _end(-1)),
    Builtin("get", (_INDEXED, ANYTHING), _get_kind, _get),
    Builtin("take", (AN_ARRAY, AN_INT), _taken_kind, _take),
    Builtin("concat", (AN_ARRAY,), ARRAY, _concat, repeats=True),
    Builtin("flatten", (AN_ARRAY,), ARRAY, _flatten),
    Builtin("uniq", (AN_ARRAY,), ARRAY, _uniq),
    Builtin("reverse", (AN_ARRAY,), ARRAY, _reverse),
    Builtin("sort", (AN_ARRAY, A_STRING), ARRAY, _sort, optional=1),
    Builtin("keys", (A_MAP,), ARRAY, _keys),
    Builtin("values", (A_MAP,), ARRAY, _values),
    Builtin("toPairs", (A_MAP,), array_of(ARRAY), _to_pairs),
    Builtin("fromPairs", (AN_ARRAY,), ANY_MAP, _from_pairs),
)
