"""Builtins that write values as JSON, Base64, hexadecimal or a query, and read them back."""

import base64
import binascii
import re
from collections.abc import Callable
from json import JSONDecodeError, loads

from davy.policy.rego.budget import BudgetExceeded, check_text
from davy.policy.rego.builtin import Builtin, BuiltinError, refuse, text
from davy.policy.rego.builtins.objects import mapping
from davy.policy.rego.values import Value, json_text, number_of, value_of


def octets(value: Value, position: int) -> bytes:
    """Take an argument that has to be a string, as UTF-8."""
    return text(value, position).encode("utf-8", "surrogatepass")


def readable(found: bytes) -> str:
    """Make a text of bytes; each that is no UTF-8 becomes U+FFFD."""
    return _SURROGATES.sub("\ufffd", found.decode("utf-8", "surrogateescape"))


def _number(written: str) -> int | float:
    found = number_of(written)
    if found is None:
        raise BudgetExceeded(f"a number that nobody could compute with: {written[:40]}")
    return found


def _no_constant(name: str) -> Value:
    raise BuiltinError(f"invalid character {name[0]!r} looking for beginning of value")


_SURROGATES = re.compile("[\ud800-\udfff]")


def parsed_json(value: str) -> Value:
    """Read JSON as Go does.

    Raises:
        BuiltinError: it is none.
    """
    try:
        found = loads(value, parse_int=_number, parse_float=_number, parse_constant=_no_constant)
    except JSONDecodeError as error:
        raise BuiltinError(f"invalid JSON: {error}") from error
    except RecursionError:
        raise BudgetExceeded("JSON is nested deeper than an evaluation may follow") from None
    return _without_surrogates(found) if r"\u" in value else found


def _without_surrogates(value: Value) -> Value:
    match value:
        case str():
            return _SURROGATES.sub("\ufffd", value)
        case list():
            return [_without_surrogates(found) for found in value]
        case dict():
            return {_without_surrogates(key): _without_surrogates(found) for key, found in value.items()}
        case _:
            return value


def _valid(read: Callable[[Value], Value]) -> Callable[[Value], bool]:
    """Make a builtin that says whether another could answer."""

    def call(value: Value) -> bool:
        try:
            read(value)
        except BuiltinError:
            return False
        return True

    return call


def unmarshal(value: Value) -> Value:
    """Read JSON."""
    return parsed_json(text(value, 1))


def marshal(value: Value) -> str:
    """Write JSON."""
    return json_text(value)


def marshal_with_options(value: Value, options: Value) -> str:
    """Write JSON for people: `pretty`, `indent` (a tab), `prefix` of each line."""
    chosen = mapping(options, 2)
    unknown = [value_of(key) for key in chosen if key not in ("pretty", "indent", "prefix")]
    if unknown:
        raise BuiltinError(f"object contained unknown key {unknown[0]!r}")
    pretty = chosen.get("pretty", bool(chosen))
    if type(pretty) is not bool:
        refuse(2, pretty, "boolean")
    indent, prefix = text(chosen.get("indent", "\t"), 2), text(chosen.get("prefix", ""), 2)
    if not pretty:
        return json_text(value)
    lines = json_text(value, separators=(",", ": "), indent="\t").split("\n")
    depths = [len(line) - len(line.lstrip("\t")) for line in lines]
    check_text(sum(map(len, lines)) + len(prefix) * len(lines) + len(indent) * sum(depths))
    return "\n".join(
        f"{prefix}{indent * depth}{line[depth:]}" for line, depth in zip(lines, depths, strict=True)
    )


def base64_encode(value: Value) -> str:
    """Write Base64."""
    return base64.b64encode(octets(value, 1)).decode()


def base64_decode(value: Value) -> str:
    """Read Base64; line ends do not matter, padding does."""
    return readable(from_base64(text(value, 1)))


def from_base64(value: str) -> bytes:
    """Read Base64 as Go's `StdEncoding` does.

    Raises:
        BuiltinError: it is none.
    """
    try:
        return base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BuiltinError(f"illegal base64 data: {error}") from error


def base64url_encode(value: Value) -> str:
    """Write Base64 for addresses."""
    return base64.urlsafe_b64encode(octets(value, 1)).decode()


def base64url_decode(value: Value) -> str:
    """Read Base64 for addresses, with padding or without."""
    return readable(from_base64url(text(value, 1)))


def from_base64url(value: str) -> bytes:
    """Read Base64 for addresses, with padding or without.

    Raises:
        BuiltinError: it is none.
    """
    if "+" in value or "/" in value:
        raise BuiltinError("illegal base64 data")
    plain = value.replace("-", "+").replace("_", "/")
    if not plain.endswith("="):
        plain += "=" * (-len(plain) % 4)
    return from_base64(plain)


def hex_decode(value: Value) -> str:
    """Read hexadecimal."""
    found = text(value, 1)
    if not re.fullmatch("(?:[0-9a-fA-F]{2})*", found):
        raise BuiltinError("encoding/hex: invalid byte or odd length")
    return readable(bytes.fromhex(found))


FAMILY = (
    Builtin("json.marshal", 1, marshal),
    Builtin("json.marshal_with_options", 2, marshal_with_options),
    Builtin("json.unmarshal", 1, unmarshal),
    Builtin("json.is_valid", 1, _valid(unmarshal)),
    Builtin("base64.encode", 1, base64_encode),
    Builtin("base64.decode", 1, base64_decode),
    Builtin("base64.is_valid", 1, _valid(base64_decode)),
    Builtin("base64url.encode", 1, base64url_encode),
    Builtin("base64url.encode_no_pad", 1, lambda value: base64url_encode(value).rstrip("=")),
    Builtin("base64url.decode", 1, base64url_decode),
    Builtin("hex.encode", 1, lambda value: octets(value, 1).hex()),
    Builtin("hex.decode", 1, hex_decode),
)
