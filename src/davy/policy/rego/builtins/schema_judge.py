"""What a schema says of a document, in the words of the library that OPA uses."""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from davy.policy.rego.arithmetic import exact
from davy.policy.rego.budget import Budget
from davy.policy.rego.builtin import BuiltinError
from davy.policy.rego.builtins.patterns import compiled
from davy.policy.rego.builtins.schema_formats import FORMATS
from davy.policy.rego.values import Key, Value, equal, json_text, key_of, number_text


class Word(NamedTuple):
    """One way in which a document does not fit, as `json.match_schema` gives it."""

    desc: str
    error: str
    field: str
    type: str


def kind(value: Value) -> str:
    """Name the type of a value as schemas do; 5.0 is an integer."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


_ESCAPED = re.compile("(?:%[0-9a-fA-F]{2})+")


def _unescaped(found: re.Match[str]) -> str:
    """Read letters that a URL writes as the numbers of their bytes."""
    return bytes.fromhex(found[0].replace("%", "")).decode(errors="replace")


def followed(root: dict[str, Any], reference: Value) -> Value:
    """Find what a `$ref` means within the schema.

    Raises:
        BuiltinError: it is not there, or somewhere else: nothing is fetched.
    """
    if type(reference) is not str or not re.fullmatch("#(?:/.*)?", reference, re.DOTALL):
        raise BuiltinError(f"{json_text(reference)} is not within the schema, and nothing is fetched")
    found: Value = root
    for part in reference.split("/")[1:]:
        name = _ESCAPED.sub(_unescaped, part).replace("~1", "/").replace("~0", "~")
        if type(found) is list and re.fullmatch("0|[1-9][0-9]{0,8}", name) and int(name) < len(found):
            found = found[int(name)]
        elif type(found) is dict and name in found:
            found = found[name]
        else:
            raise BuiltinError(f"Object has no key '{name}'")
    return found


class Judge:
    """Judges by one schema. Each keyword costs a step; what is said counts as text that was made."""

    def __init__(self, root: dict[str, Any], budget: Budget) -> None:
        self.root = root
        self.budget = budget

    def word(self, field: str, type: str, desc: str) -> Word:
        """Say one thing."""
        self.budget.grow(len(desc) + len(field))
        return Word(desc, f"{field}: {desc}", field, type)

    def fits(self, schema: Value, value: Value) -> bool:
        """Whether a value fits."""
        return next(self.words(schema, value, "(Root)"), None) is None

    def words(self, schema: Value, value: Value, field: str) -> Iterator[Word]:
        """Say in which ways a value does not fit."""
        self.budget.spend(1 + (0 if type(schema) is bool else len(schema)))
        if type(schema) is bool:
            if not schema:
                yield self.word(field, "false", "False always fails validation")
            return
        if "$ref" in schema:
            yield from self.words(followed(self.root, schema["$ref"]), value, field)
            return
        wanted = schema.get("type", [])
        types = wanted if type(wanted) is list else [wanted]
        found = kind(value)
        if types and found not in types and not (found == "integer" and "number" in types):
            names = wanted if type(wanted) is str else f"[{','.join(types)}]"
            yield self.word(field, "invalid_type", f"Invalid type. Expected: {names}, given: {found}")
            return
        yield from self.combined(schema, value, field)
        match value:
            case list():
                yield from self.array(schema, value, field)
            case dict():
                yield from self.object(schema, value, field)
            case str():
                yield from self.string(schema, value, field)
            case int() | float() if type(value) is not bool:
                yield from self.number(schema, value, field)
        yield from self.listed(schema, value, field)

    # Schemas of schemas

    def combined(self, schema: dict[str, Any], value: Value, field: str) -> Iterator[Word]:
        """Say what `anyOf`, `oneOf`, `allOf`, `not`, `dependencies` and `if` say."""
        if "anyOf" in schema and not any(self.fits(inner, value) for inner in schema["anyOf"]):
            yield self.word(field, "number_any_of", "Must validate at least one schema (anyOf)")
            yield from self.closest(schema["anyOf"], value, field)
        if "oneOf" in schema:
            count = sum(self.fits(inner, value) for inner in schema["oneOf"])
            if count != 1:
                yield self.word(field, "number_one_of", "Must validate one and only one schema (oneOf)")
                if not count:
                    yield from self.closest(schema["oneOf"], value, field)
        if "allOf" in schema:
            said = [word for inner in schema["allOf"] for word in self.words(inner, value, field)]
            yield from said
            if said:
                yield self.word(field, "number_all_of", "Must validate all the schemas (allOf)")
        if "not" in schema and self.fits(schema["not"], value):
            yield self.word(field, "number_not", "Must not validate the schema (not)")
        for name, wanted in schema.get("dependencies", {}).items() if type(value) is dict else ():
            if name not in value:
                continue
            if type(wanted) is not list:
                yield from self.words(wanted, value, field)
                continue
            for other in wanted:
                if other not in value:
                    yield self.word(field, "missing_dependency", f"Has a dependency on {other}")
        if "if" in schema:
            branch = "then" if self.fits(schema["if"], value) else "else"
            said = list(self.words(schema.get(branch, True), value, field))
            if said:
                was = "valid" if branch == "then" else "not valid"
                yield self.word(field, f"condition_{branch}", f'Must validate "{branch}" as "if" was {was}')
            yield from said

    def closest(self, schemas: list[Value], value: Value, field: str) -> Iterator[Word]:
        """Say what the schema says that is missed by least."""
        yield from min((list(self.words(inner, value, field)) for inner in schemas), key=len)

    def listed(self, schema: dict[str, Any], value: Value, field: str) -> Iterator[Word]:
        """Say what `const` and `enum` say."""
        if "const" in schema and not equal(schema["const"], value):
            yield self.word(field, "const", f"{field} does not match: {_json(schema['const'])}")
        if "enum" in schema:
            self.budget.spend(len(schema["enum"]))
            if not any(equal(one, value) for one in schema["enum"]):
                found = ", ".join(map(_json, schema["enum"]))
                yield self.word(field, "enum", f"{field} must be one of the following: {found}")

    # Types

    def array(self, schema: dict[str, Any], value: list[Value], field: str) -> Iterator[Word]:
        """Say what keywords of arrays say."""
        items = schema.get("items", True)
        if type(items) is not list:
            for at, item in enumerate(value):
                yield from self.words(items, item, _under(field, str(at)))
        else:
            for at, (inner, item) in enumerate(zip(items, value, strict=False)):
                yield from self.words(inner, item, _under(field, str(at)))
            more = schema.get("additionalItems", True)
            if more is False and len(value) > len(items):
                yield self.word(field, "array_no_additional_items", "No additional items allowed on array")
            for at, item in enumerate(value[len(items) :] if type(more) is dict else (), start=len(items)):
                yield from self.words(more, item, _under(field, str(at)))
        if len(value) < schema.get("minItems", 0):
            least = _said(schema["minItems"])
            yield self.word(field, "array_min_items", f"Array must have at least {least} items")
        if len(value) > schema.get("maxItems", len(value)):
            most = _said(schema["maxItems"])
            yield self.word(field, "array_max_items", f"Array must have at most {most} items")
        if schema.get("uniqueItems", False):
            yield from self.unique(value, field)
        if "contains" in schema and not any(self.fits(schema["contains"], item) for item in value):
            yield self.word(field, "contains", "At least one of the items must match")
            each = (
                list(self.words(schema["contains"], item, _under(field, str(at))))
                for at, item in enumerate(value)
            )
            yield from min(each, key=len, default=[])

    def unique(self, value: list[Value], field: str) -> Iterator[Word]:
        """Say which items are there twice."""
        seen: dict[Key, int] = {}
        for at, item in enumerate(value):
            self.budget.spend()
            first = seen.setdefault(key_of(item), at)
            if first != at:
                yield self.word(field, "unique", f"array items[{first},{at}] must be unique")

    def object(self, schema: dict[str, Any], value: dict[str, Value], field: str) -> Iterator[Word]:
        """Say what keywords of objects say."""
        if len(value) < schema.get("minProperties", 0):
            least = _said(schema["minProperties"])
            yield self.word(field, "array_min_properties", f"Must have at least {least} properties")
        if len(value) > schema.get("maxProperties", len(value)):
            most = _said(schema["maxProperties"])
            yield self.word(field, "array_max_properties", f"Must have at most {most} properties")
        for name in schema.get("required", ()):
            if name not in value:
                yield self.word(field, "required", f"{name} is required")
        properties = schema.get("properties", {})
        patterns = [(compiled(one), inner) for one, inner in schema.get("patternProperties", {}).items()]
        more = schema.get("additionalProperties", True)
        for name in sorted(value):
            inside = _under(field, name)
            self.budget.spend(1 + len(patterns))
            fitting = [inner for pattern, inner in patterns if pattern.search(name)]
            if name not in properties and not fitting:
                if more is False:
                    sentence = f"Additional property {name} is not allowed"
                    yield self.word(field, "additional_property_not_allowed", sentence)
                else:
                    yield from self.words(more, value[name], inside)
            for inner in fitting:
                yield from self.words(inner, value[name], inside)
        if "propertyNames" in schema:
            for name in sorted(value):
                said = list(self.words(schema["propertyNames"], name, field))
                if said:
                    sentence = f'Property name of "{name}" does not match'
                    yield self.word(field, "invalid_property_name", sentence)
                yield from said
        for name in sorted(properties.keys() & value.keys()):
            yield from self.words(properties[name], value[name], _under(field, name))

    def string(self, schema: dict[str, Any], value: str, field: str) -> Iterator[Word]:
        """Say what keywords of texts say."""
        if len(value) < schema.get("minLength", 0):
            sentence = f"String length must be greater than or equal to {_said(schema['minLength'])}"
            yield self.word(field, "string_gte", sentence)
        if len(value) > schema.get("maxLength", len(value)):
            sentence = f"String length must be less than or equal to {_said(schema['maxLength'])}"
            yield self.word(field, "string_lte", sentence)
        if "pattern" in schema and not compiled(schema["pattern"]).search(value):
            yield self.word(field, "pattern", f"Does not match pattern '{schema['pattern']}'")
        if schema.get("format") in FORMATS and not FORMATS[schema["format"]](value):
            yield self.word(field, "format", f"Does not match format '{schema['format']}'")

    def number(self, schema: dict[str, Any], value: int | float, field: str) -> Iterator[Word]:
        """Say what keywords of numbers say."""
        found = exact(value)
        if "multipleOf" in schema and (found / exact(schema["multipleOf"])).denominator > 1:
            yield self.word(field, "multiple_of", f"Must be a multiple of {_said(schema['multipleOf'])}")
        for least in (True, False):
            yield from self.bound(schema, found, field, least=least)

    def bound(self, schema: dict[str, Any], found: Fraction, field: str, *, least: bool) -> Iterator[Word]:
        """Say what a bound says; in draft 4 `exclusiveMinimum` is a boolean beside `minimum`."""
        name, other = ("minimum", "exclusiveMinimum") if least else ("maximum", "exclusiveMaximum")
        limit: Any = schema.get(name)
        strict: Any = schema.get(other)
        if strict is True:
            limit, strict = None, limit
        over, letters = ("greater", "g") if least else ("less", "l")
        if limit is not None and (found < exact(limit) if least else found > exact(limit)):
            sentence = f"Must be {over} than or equal to {_said(limit)}"
            yield self.word(field, f"number_{letters}te", sentence)
        if type(strict) in (int, float) and (found <= exact(strict) if least else found >= exact(strict)):
            yield self.word(field, f"number_{letters}t", f"Must be {over} than {_said(strict)}")


def _under(field: str, name: str) -> str:
    return name if field == "(Root)" else f"{field}.{name}"


def _said(number: int | float) -> str:
    return number_text(int(number) if number == int(number) else number)


def _json(value: Value) -> str:
    """Write what a schema wants; whole numbers without a fraction."""
    match value:
        case list():
            return f"[{','.join(map(_json, value))}]"
        case dict():
            return f"{{{','.join(f'{json_text(key)}:{_json(value[key])}' for key in sorted(value))}}}"
        case float():
            return _said(value)
        case _:
            return json_text(value)
