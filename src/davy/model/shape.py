"""What the types ask of a text, in a form that can be walked beside it and told to a person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import inspect

from davy.model.part import Part

ScalarKind = Literal["text", "whole number", "number", "true or false"]


_WORDS: dict[ScalarKind, str] = {
    "whole number": "a whole number",
    "number": "a number",
    "true or false": "true or false",
    "text": "a text",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a mapping, and whether it has to be there."""

    shape: "Shape"
    required: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand at one place; several things may, e.g. a whole number or a text.

    `fields` is set for a mapping with known keys, `values` for one whose keys are free, `items` for a list, and
    `words` for a text that has to be one of these.
    """

    scalars: frozenset[ScalarKind] = frozenset()
    least: int | None = None
    most: int | None = None
    fields: Mapping[str, Field] | None = None
    values: "Shape | None" = None
    items: "Shape | None" = None
    anything: bool = False
    words: tuple[str, ...] = ()
    expected: str = field(init=False, default="")

    def __post_init__(self) -> None:
        names = [words for kind, words in _WORDS.items() if kind in self.scalars]
        if {"number", "whole number"} <= self.scalars:
            names.remove(_WORDS["whole number"])
        if self.fields is not None or self.values is not None:
            names.append("a mapping")
        if self.items is not None:
            names.append("a list")
        object.__setattr__(self, "expected", " or ".join(names))


ANYTHING = Shape(anything=True)
_OPAQUE = Shape(values=ANYTHING)


@cache
def shape_of(struct: type[Part] | type[msgspec.Struct]) -> Shape:
    """Return the shape that a struct stands for; its keys are the names used in manifests."""
    return _shape(inspect.type_info(struct))


def _shape(info: Any) -> Shape:
    match info:
        case inspect.StructType():
            fields = {one.encode_name: Field(_shape(one.type), one.required) for one in info.fields}
            return Shape(fields=fields)
        case inspect.UnionType():
            return _merge([_shape(one) for one in info.types])
        case inspect.DictType():
            values = _shape(info.value_type)
            return _OPAQUE if values.anything else Shape(values=values)
        case inspect.VarTupleType():
            return Shape(items=_shape(info.item_type))
        case inspect.StrType():
            return Shape(frozenset({"text"}))
        case inspect.LiteralType():
            return Shape(frozenset({"text"}), words=tuple(map(str, info.values)))
        case inspect.IntType():
            return Shape(frozenset({"whole number"}), info.ge, info.le)
        case inspect.FloatType():
            return Shape(frozenset({"number"}))
        case inspect.BoolType():
            return Shape(frozenset({"true or false"}))
        case inspect.NoneType():
            return Shape()
        case _:
            assert isinstance(info, inspect.AnyType), info
            return ANYTHING


def _merge(shapes: list[Shape]) -> Shape:
    """Allow what any of the shapes allows; no type of ours unites two mappings or two lists."""
    scalars = frozenset[ScalarKind]().union(*(shape.scalars for shape in shapes))
    return Shape(
        scalars,
        next((shape.least for shape in shapes if shape.least is not None), None),
        next((shape.most for shape in shapes if shape.most is not None), None),
        next((shape.fields for shape in shapes if shape.fields is not None), None),
        next((shape.values for shape in shapes if shape.values is not None), None),
        next((shape.items for shape in shapes if shape.items is not None), None),
        words=next((shape.words for shape in shapes if shape.words), ()),
    )
