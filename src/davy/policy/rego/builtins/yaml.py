"""YAML as OPA reads it: the first document, `yes` and `on` are texts, keys become texts, the last key wins.

The grammar and its limits are those of manifests (`davy.model.yaml`).
"""

import re
from decimal import Decimal

from davy.policy.rego.builtin import Builtin, BuiltinError, text
from davy.policy.rego.values import Value, json_text

_TEXTS = frozenset(("y", "yes", "on", "n", "no", "off"))
_TAG = "tag:yaml.org,2002:"


def unmarshal(value: Value) -> Value:
    """Read the first document."""
    from davy.model.report import Unreadable
    from davy.model.yaml import Limits, compose, decode

    limits = Limits()
    try:
        nodes = list(compose(decode(_first(text(value, 1)), "", limits), limits))
    except Unreadable as error:
        raise BuiltinError("invalid YAML") from error
    return _value(nodes[0]) if nodes else None


_MARK = re.compile(r"^(?:---|\.\.\.)(?=\s|$)", re.MULTILINE)
_NOTHING = re.compile(r"\A(?:\ufeff|[ \t]*(?:#.*)?$|%.*$|\n|\r)*\Z", re.MULTILINE)


def _first(written: str) -> str:
    """Cut off what comes behind the first document: OPA does not look at it."""
    for mark in _MARK.finditer(written):
        if mark[0] == "..." or not _NOTHING.match(written[: mark.start()]):
            return written[: mark.start()]
    return written


def is_valid(value: Value) -> bool:
    """Whether something is YAML."""
    try:
        unmarshal(value)
    except BuiltinError:
        return False
    return True


def _value(node: Value) -> Value:
    from davy.model.yaml import Scalar, Sequence

    if isinstance(node, Scalar):
        return _scalar(node.text, node.plain, node.tag)
    if isinstance(node, Sequence):
        return [_value(item) for item in node.items]
    merged: dict[str, Value] = {}
    own: dict[str, Value] = {}
    for key, item in node.entries:
        if isinstance(key, Scalar) and key.plain and key.text == "<<":
            merged = {**_merged(_value(item)), **merged}
        else:
            own[_key(_value(key))] = _value(item)
    return {**merged, **own}


def _merged(value: Value) -> dict[str, Value]:
    found = value if type(value) is list else [value]
    made: dict[str, Value] = {}
    for one in reversed(found):
        if type(one) is not dict:
            raise BuiltinError("invalid YAML: map merge requires map or sequence of maps as the value")
        made |= one
    return made


def _key(value: Value) -> str:
    if type(value) is str:
        return value
    if value is None or type(value) in (list, dict):
        raise BuiltinError("invalid YAML: a key that is no text, number or boolean")
    return json_text(value)


def _scalar(written: str, plain: bool, tag: str) -> Value:
    resolved = plain if not tag else tag.removeprefix(_TAG) in ("int", "float", "bool", "null")
    if not resolved or written.lower() in _TEXTS:
        return written
    from davy.model.scalar import BadScalar, read

    try:
        found = read(written)
    except BadScalar as error:
        if "inf" in written.lower() or "nan" in written.lower():
            raise BuiltinError("invalid YAML: JSON has no number for it") from error
        return written
    if type(found) is int and not -(2**63) <= found < 2**64:
        return int(Decimal(repr(float(found))))
    return found


FAMILY = (
    Builtin("yaml.unmarshal", 1, unmarshal),
    Builtin("yaml.is_valid", 1, is_valid),
)
