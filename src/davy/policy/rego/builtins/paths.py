"""`json.patch`, `json.filter`, `json.remove`: values made anew, changed at paths."""

from collections.abc import Callable, Sequence
from typing import Any

from davy.policy.rego.builtin import Builtin, BuiltinError, refuse, text
from davy.policy.rego.builtins.aggregates import array, several
from davy.policy.rego.builtins.objects import at, mapping
from davy.policy.rego.values import UNDEFINED, Key, RegoSet, Value, equal, key_of

_DEEPEST = 200


def steps_of(path: Value, position: int) -> list[Value]:
    """Read a path: a list of keys, or `a/b` with `~1` for `/` and `~0` for `~`; a first slash is no matter."""
    if type(path) is list:
        found = path
    elif text(path, position) == "":
        found = []
    else:
        parts = path.removeprefix("/").split("/")
        found = [part.replace("~1", "/").replace("~0", "~") for part in parts]
    if len(found) > _DEEPEST:
        raise BuiltinError("a path is too long")
    return found


def _place(step: Value, size: int) -> int:
    """Read a step as a place of an array with so many places.

    Raises:
        BuiltinError: it is none.
    """
    if type(step) is str:
        whole = step.removesuffix(".0")
        if not (whole.isascii() and whole.isdigit() and len(whole) < 10) or (
            len(whole) > 1 and whole[0] == "0"
        ):
            raise BuiltinError(f"array index {step!r} is no number")
        step = int(whole)
    if type(step) not in (int, float) or step != int(step) or not 0 <= step < size:
        raise BuiltinError("array index out of bounds")
    return int(step)


def _find(value: Value, steps: Sequence[Value]) -> Value:
    for step in steps:
        value = value[_place(step, len(value))] if type(value) is list else at(value, step)
        if value is UNDEFINED:
            raise BuiltinError("path does not exist")
    return value


Change = Callable[[Value, Value], Value]


def _changed(value: Value, steps: Sequence[Value], change: Change) -> Value:
    """Make the value anew with `change(container, step)` applied where the path ends."""
    if len(steps) == 1:
        return change(value, steps[0])
    step = steps[0]
    inner = _changed(_find(value, [step]), steps[1:], change)
    if type(value) is list:
        here = _place(step, len(value))
        return [*value[:here], inner, *value[here + 1 :]]
    if type(value) is dict:
        return {**value, key_of(step): inner}
    return RegoSet(inner if equal(found, step) else found for found in value)


def _adding(new: Value) -> Change:
    def change(value: Value, step: Value) -> Value:
        if type(value) is list:
            here = len(value) if equal(step, "-") else _place(step, len(value) + 1)
            return [*value[:here], new, *value[here:]]
        if type(value) is dict:
            return {**value, key_of(step): new}
        if type(value) is RegoSet and equal(step, new):
            return RegoSet([*value, new])
        raise BuiltinError("nothing can be added there")

    return change


def _removing(value: Value, step: Value) -> Value:
    if type(value) is list:
        here = _place(step, len(value))
        return [*value[:here], *value[here + 1 :]]
    if at(value, step) is UNDEFINED:
        raise BuiltinError("there is nothing to remove")
    if type(value) is dict:
        return {key: found for key, found in value.items() if key != key_of(step)}
    return value.difference(RegoSet([step]))


def _replacing(new: Value) -> Change:
    def change(value: Value, step: Value) -> Value:
        removed = _removing(value, step)
        if type(value) is list:
            here = _place(step, len(value))
            return [*value[:here], new, *value[here + 1 :]]
        return _adding(new)({**value} if type(value) is dict else removed, step)

    return change


def patch(value: Value, operations: Value) -> Value:
    """Apply operations (RFC 6902) in order; one that cannot be applied leaves no answer at all."""
    for operation in array(operations, 2):
        value = _applied(value, mapping(operation, 2))
    return value


def _applied(value: Value, operation: dict[Key, Value]) -> Value:
    steps = steps_of(_attribute(operation, "path"), 2)
    match _attribute(operation, "op"):
        case "add":
            return _put(value, steps, _attribute(operation, "value"), _adding)
        case "remove" if steps:
            return _changed(value, steps, _removing)
        case "replace":
            return _put(value, steps, _attribute(operation, "value"), _replacing)
        case "copy":
            return _put(value, steps, _find(value, steps_of(_attribute(operation, "from"), 2)), _adding)
        case "move":
            source = steps_of(_attribute(operation, "from"), 2)
            if not source and not steps:
                return value
            if not source:
                raise BuiltinError("the whole cannot be moved into itself")
            return _put(_changed(value, source, _removing), steps, _find(value, source), _adding)
        case "test":
            if not equal(_find(value, steps), _attribute(operation, "value")):
                raise BuiltinError("a test in the patch fails")
            return value
        case other:
            raise BuiltinError(f"unrecognized op {other!r}")


def _attribute(operation: dict[Key, Value], name: str) -> Value:
    found = operation.get(name, UNDEFINED)
    if found is UNDEFINED:
        raise BuiltinError(f"missing '{name}' attribute")
    return found


def _put(value: Value, steps: list[Value], new: Value, change: Callable[[Value], Change]) -> Value:
    return _changed(value, steps, change(new)) if steps else new


Tree = dict[Key, Any]


def _tree(paths: Value) -> Tree:
    """Put paths into a tree; an empty tree at a step takes all that is there."""
    if type(paths) not in (list, RegoSet):
        refuse(2, paths, "array", "set")
    tree: Tree = {}
    for steps in (steps_of(path, 2) for path in several(paths, 2)):
        here, complete = tree, False
        for step in steps[:-1]:
            deeper = here.setdefault(key_of(step), {})
            complete = deeper is None
            if complete:
                break
            here = deeper
        if steps and not complete:
            here[key_of(steps[-1])] = None
    return tree


def keep(value: Value, paths: Value) -> Value:
    """Leave only what stands at the paths."""
    found, tree = mapping(value, 1), _tree(paths)
    return _kept(found, tree)


def _kept(value: Value, tree: Tree | None) -> Value:
    if tree is None or type(value) not in (dict, list, RegoSet):
        return value
    if type(value) is dict:
        return {key: _kept(found, tree[key]) for key, found in value.items() if key in tree}
    if type(value) is RegoSet:
        return RegoSet(_kept(found, tree[key_of(found)]) for found in value if key_of(found) in tree)
    return [_kept(found, tree[str(here)]) for here, found in enumerate(value) if str(here) in tree]


def remove(value: Value, paths: Value) -> Value:
    """Leave out what stands at the paths."""
    found, tree = mapping(value, 1), _tree(paths)
    return _left(found, tree)


def _left(value: Value, tree: Tree) -> Value:
    """Go down only where something is to be left out further down."""

    def stays(key: Key) -> bool:
        return tree.get(key, tree) is not None

    def inner(key: Key, found: Value) -> Value:
        return _left(found, tree[key]) if key in tree else found

    if type(value) is dict:
        return {key: inner(key, found) for key, found in value.items() if stays(key)}
    if type(value) is RegoSet:
        return RegoSet(inner(key_of(found), found) for found in value if stays(key_of(found)))
    if type(value) is list:
        return [inner(str(here), found) for here, found in enumerate(value) if stays(str(here))]
    return value


FAMILY = (
    Builtin("json.patch", 2, patch),
    Builtin("json.filter", 2, keep),
    Builtin("json.remove", 2, remove),
)
