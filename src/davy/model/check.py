"""Hold a document's nodes against the shape of its type, and find everything that is wrong with it."""

import json
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final

from davy.model.report import Report
from davy.model.scalar import BadScalar, Value, disagreement, read
from davy.model.shape import ANYTHING, Field, Shape
from davy.model.source import Position, Span, join
from davy.model.yaml import Mapping, Node, Scalar, Sequence

#: Stands for a value that is wrong, and has been told of.
WRONG: Final = object()


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that somebody who wrote `name` most likely meant, if any is near."""
    lowered = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), lowered, n=1, cutoff=0.7)
    return lowered[found[0]] if found else None


class Checker:
    """Reads one document: collects positions, tells what is wrong, returns a value for `msgspec.convert`."""

    def __init__(self, report: Report) -> None:
        self.tell = report.tell
        self.source = report.source
        self.positions: dict[str, Position] = {}

    def document(self, node: Mapping, shape: Shape) -> Any:
        """Check a whole document; the result is `WRONG`, or holds it somewhere, if there were errors."""
        self.positions[""] = Position(None, node.span)
        return self.value(node, shape, "")

    def value(self, node: Node, shape: Shape, path: str) -> Any:
        """Check one value, and return what the cluster reads there."""
        if isinstance(node, Scalar):
            return self.scalar(node, shape, path)
        if isinstance(node, Sequence):
            if shape.anything or shape.items:
                return self.sequence(node, shape.items or ANYTHING, path)
        elif shape.fields is not None:
            return self.struct(node, shape.fields, path)
        elif shape.anything or shape.values:
            return self.mapping(node, shape.values or ANYTHING, path)
        found = "a list" if isinstance(node, Sequence) else "a mapping"
        fix = "write each entry after `- `" if shape.items else ""
        return self.wrong_type(node, path, shape.expected, found, fix)

    def sequence(self, node: Sequence, shape: Shape, path: str) -> tuple[Any, ...]:
        """Check a list."""
        values = []
        for index, item in enumerate(node.items):
            below = join(path, index)
            self.positions[below] = Position(None, item.span)
            values.append(self.value(item, shape, below))
        return tuple(values)

    def mapping(self, node: Mapping, shape: Shape, path: str) -> dict[str, Any]:
        """Check a mapping whose keys are free."""
        return {key: self.value(value, shape, join(path, key)) for key, value in self.entries(node, path)}

    def struct(self, node: Mapping, fields: "dict[str, Field] | Any", path: str) -> dict[str, Any]:
        """Check a mapping whose keys are known; a field without a value counts as not written."""
        values: dict[str, Any] = {}
        meant: set[str] = set()
        for key, value in self.entries(node, path):
            if key not in fields:
                meant.add(self.unknown_field(path, key, fields) or key)
            elif not (self.is_null(value) and not fields[key].shape.anything):
                values[key] = self.value(value, fields[key].shape, join(path, key))
        for name, wanted in fields.items():
            if wanted.required and name not in values and name not in meant:
                self.missing_field(path, name)
        return values

    def entries(self, node: Mapping, path: str) -> Iterable[tuple[str, Node]]:
        """Go through a mapping's keys and values, each key once, and note where they are."""
        for key, at, value in self.keyed(node):
            self.positions[join(path, key)] = Position(at, value.span)
            yield key, value

    def keyed(self, node: Mapping) -> Iterable[tuple[str, Span, Node]]:
        """Go through a mapping's keys, where they are, and their values, each key once."""
        seen: dict[str, Span] = {}
        for key_node, value in node.entries:
            key = self.key(key_node)
            if key is None:
                continue
            if key in seen:
                first = self.source.place(seen[key].start)
                title = f"the key `{key}` is here twice"
                label = f"it is in line {first.line} already"
                self.tell("DV003", key_node.span, title, label=label, fix="keep one of them")
                continue
            seen[key] = key_node.span
            yield key, key_node.span, value

    def key(self, node: Node) -> str | None:
        """Read a key; those that are no texts in a plain reading are made texts as the cluster does."""
        if not isinstance(node, Scalar):
            self.tell("DV004", node.span, "a key has to be a text", fix="write a text in its place")
            return None
        if node.plain and node.text == "<<":
            title = "merge keys are not read, since the cluster does not show what they stand for"
            self.tell("DV004", node.span, title, fix="write out what it stands for")
            return None
        value = self.read(node)
        if value is WRONG:
            return None
        if value is None:
            self.tell("DV004", node.span, "a key has to be a text, and this is nothing", fix='quote it: "null"')
            return None
        if isinstance(value, str):
            return value
        self.warn_ambiguous(node, value, f"quote it: {json.dumps(node.text)}")
        return json.dumps(value)

    def scalar(self, node: Scalar, shape: Shape, path: str) -> Any:
        """Check a scalar."""
        value = self.read(node)
        if value is WRONG:
            return WRONG
        if not shape.anything and not self.fits(value, shape):
            return self.wrong_scalar(node, value, shape, path)
        if isinstance(value, int) and not isinstance(value, bool) and shape.least is not None:
            assert shape.most is not None
            if not shape.least <= value <= shape.most:
                title = f"`{path}` is beyond {shape.least} to {shape.most}"
                self.tell("DV008", node.span, title, label="this number does not fit")
                return WRONG
        if shape.words and value not in shape.words:
            title = f"`{path}` is {value!r}, which means nothing"
            self.tell("DV008", node.span, title, fix=f"write one of {', '.join(shape.words)}")
            return WRONG
        if node.plain and not node.tag:
            self.warn_ambiguous(node, value)
        return value

    def fits(self, value: Value, shape: Shape) -> bool:
        """Say whether a scalar is of a type that is wanted."""
        match value:
            case None:
                return False
            case bool():
                return "true or false" in shape.scalars
            case int():
                return "whole number" in shape.scalars or "number" in shape.scalars
            case float():
                return "number" in shape.scalars
            case _:
                return "text" in shape.scalars

    def read(self, node: Scalar) -> Any:
        """Read a scalar as the cluster does."""
        if node.tag == "str" or (not node.plain and not node.tag):
            return node.text
        try:
            value = read(node.text)
            if node.tag and not _is_a(value, node.tag):
                raise BadScalar(f"it is no !!{node.tag}")
        except BadScalar as error:
            title = f"`{node.text[:60]}` is not a value: {error}"
            fix = f"quote it if it is meant as a text: {json.dumps(node.text[:60], ensure_ascii=False)}"
            self.tell("DV004", node.span, title, fix=fix)
            return WRONG
        return value

    def is_null(self, node: Node) -> bool:
        """Say whether a value is written as nothing, `~` or `null`."""
        return isinstance(node, Scalar) and node.plain and not node.tag and node.text in _NULLS

    def wrong_scalar(self, node: Scalar, value: Value, shape: Shape, path: str) -> object:
        """Tell of a scalar of the wrong type, and how to write it in the right one."""
        fix = ""
        if isinstance(value, str):
            meant = None if node.plain else _as_written(node.text)
            if meant is not None and self.fits(meant, shape):
                fix = f"take the quotes off: {node.text}"
            elif shape.items and "text" in shape.items.scalars:
                fix = f"make it a list: [{json.dumps(value, ensure_ascii=False)}]"
        elif value is not None and "text" in shape.scalars:
            fix = f"quote it: {json.dumps(node.text, ensure_ascii=False)}"
        return self.wrong_type(node, path, shape.expected, _name(value), fix)

    def wrong_type(self, node: Node, path: str, expected: str, found: str, fix: str) -> object:
        """Tell of a value of the wrong type."""
        title = f"`{path}` has to be {expected}, and this is {found}"
        self.tell("DV006", node.span, title, label=f"expected {expected}", fix=fix)
        return WRONG

    def unknown_field(self, path: str, key: str, fields: Iterable[str]) -> str | None:
        """Tell of a key that nobody knows, and return the one that was meant, if that can be guessed."""
        span = self.positions[join(path, key)].key
        assert span
        meant = nearest(key, fields)
        where = f"`{path}`" if path else "a document of this kind"
        fix = f"write `{meant}`" if meant else f"known here: {', '.join(sorted(fields))}"
        label = f"did you mean `{meant}`?" if meant else "nobody reads this"
        self.tell("DV005", span, f"{where} has no field `{key}`", label=label, fix=fix)
        return meant

    def missing_field(self, path: str, name: str) -> None:
        """Tell of a field that has to be there."""
        position = self.positions[path]
        title = f"`{join(path, name)}` is missing"
        self.tell("DV007", position.key or position.value, title, label=f"here, `{name}` has to be given")

    def warn_ambiguous(self, node: Scalar, value: Value, fix: str = "") -> None:
        """Warn of a plain scalar that another reader of YAML takes for something else."""
        if other := disagreement(node.text, value):
            if isinstance(value, str):
                fix = f"quote it: {json.dumps(value)}"
            elif not fix:
                fix = f"write {json.dumps(value)}, or quote it if it is meant as a text"
            title = f"`{node.text}` means {json.dumps(value)} to the cluster; {other}"
            self.tell("DV004", node.span, title, severity="warning", fix=fix)


_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


def _is_a(value: Value, tag: str) -> bool:
    match tag:
        case "null":
            return value is None
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)


def _as_written(text: str) -> Value:
    try:
        return read(text)
    except BadScalar:
        return None


def _name(value: Value) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number with a fraction"
        case _:
            return "a text"
