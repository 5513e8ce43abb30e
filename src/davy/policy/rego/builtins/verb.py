"""One verb of Go's `fmt` applied to one operand: flags, width, precision, and what Go says of a misfit."""

import math
from dataclasses import dataclass
from decimal import Decimal

from davy.policy.rego.floats import with_exponent
from davy.policy.rego.values import quote

_BASES = {"d": "d", "v": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_REPLACEMENT = "\ufffd"


@dataclass(slots=True)
class Spec:
    """What stands between `%` and the verb, and the verb."""

    verb: str
    sharp: bool = False
    zero: bool = False
    plus: bool = False
    minus: bool = False
    space: bool = False
    width: int | None = None
    precision: int | None = None


def printed(spec: Spec, value: int | float | str) -> str:
    """Print an operand; `%!verb(type=value)` where the verb is not for its type."""
    if spec.verb == "T":
        return _padded(spec, _cut(spec, go_type(value)))
    if type(value) is str:
        found = _string(spec, value)
    elif type(value) is float:
        found = _float(spec, value)
    else:
        assert type(value) is int
        if not -(2**63) <= value < 2**63:
            return _big(spec, value)
        found = _int(spec, value)
    if found is not None:
        return found
    verb, spec.verb = spec.verb, "v"
    sharp, plus = spec.sharp, spec.plus
    return f"%!{verb}({go_type(value)}={_bad(spec, value, sharp, plus)})"


def _bad(spec: Spec, value: int | float | str, sharp: bool, plus: bool) -> str:
    """Print what a verb was not for, with its flags as they are: there `+` keeps its meaning."""
    if type(value) is str:
        return _padded(spec, _cut(spec, value))
    if type(value) is float:
        return _decimal(spec, value, "g", None, plus=plus, sharp=sharp)
    assert type(value) is int
    return _digits(spec, value, "d", plus=plus)


def go_type(value: int | float | str) -> str:
    """Name the Go type of what OPA gives to `fmt`."""
    if type(value) is str:
        return "string"
    if type(value) is float:
        return "float64"
    assert type(value) is int
    return "int64" if -(2**63) <= value < 2**63 else "*big.Int"


def _padded(spec: Spec, found: str, *, zero: bool | None = None) -> str:
    missing = (spec.width or 0) - len(found)
    if missing <= 0:
        return found
    if spec.minus:
        return found + " " * missing
    return ("0" if (spec.zero if zero is None else zero) else " ") * missing + found


def _cut(spec: Spec, value: str) -> str:
    return value if spec.precision is None else value[: spec.precision]


def _string(spec: Spec, value: str) -> str | None:
    match spec.verb:
        case "v" if spec.sharp:
            return _padded(spec, quote(_cut(spec, value)))
        case "v" | "s":
            return _padded(spec, _cut(spec, value))
        case "q":
            return _padded(spec, _quoted(spec, _cut(spec, value)))
        case "x" | "X":
            return _padded(spec, _hex(spec, value.encode("utf-8", "surrogatepass")))
        case _:
            return None


def _quoted(spec: Spec, value: str) -> str:
    if spec.sharp and not any((letter < " " and letter != "\t") or letter in "`\x7f\ufeff" for letter in value):
        return f"`{value}`"
    return _ascii(quote(value)) if spec.plus else quote(value)


def _ascii(value: str) -> str:
    return "".join(
        letter
        if letter < "\x7f"
        else f"\\u{ord(letter):04x}"
        if letter <= "\uffff"
        else f"\\U{ord(letter):08x}"
        for letter in value
    )


def _hex(spec: Spec, value: bytes) -> str:
    found = value if spec.precision is None else value[: spec.precision]
    if not found:
        return ""
    prefix = "0x" if spec.sharp else ""
    digits = (prefix + found.hex(" ").replace(" ", f" {prefix}")) if spec.space else prefix + found.hex()
    return digits.upper() if spec.verb == "X" else digits


def _int(spec: Spec, value: int) -> str | None:
    match spec.verb:
        case "c":
            return _padded(spec, _letter(value))
        case "q":
            found = _rune(_letter(value))
            return _padded(spec, _ascii(found) if spec.plus else found)
        case "U":
            return _unicode(spec, value)
        case "v":
            return _digits(spec, value, "d", plus=False)
        case verb if verb in _BASES:
            return _digits(spec, value, verb, plus=spec.plus)
        case _:
            return None


def _letter(value: int) -> str:
    return chr(value) if 0 <= value < 0xD800 or 0xE000 <= value <= 0x10FFFF else _REPLACEMENT


def _rune(letter: str) -> str:
    if letter == "'":
        return r"'\''"
    return f"'{quote(letter)[1:-1]}'" if letter != '"' else "'\"'"


def _unicode(spec: Spec, value: int) -> str:
    found = f"U+{value % 2**64:0{max(4, spec.precision or 0)}X}"
    if spec.sharp and 0 <= value <= 0x10FFFF and chr(value).isprintable():
        found += f" '{chr(value)}'"
    return _padded(spec, found, zero=False)


def _digits(spec: Spec, value: int, verb: str, *, plus: bool) -> str:
    """Print an int64 as `fmtInteger` of Go's fmt/format.go does."""
    sign = "-" if value < 0 else "+" if plus else " " if spec.space else ""
    least = spec.precision
    if least == 0 and value == 0:
        return " " * (spec.width or 0)
    if least is None and spec.zero and not spec.minus and spec.width is not None:
        least = spec.width - len(sign)
    found = format(abs(value), _BASES[verb]).rjust(least or 0, "0")
    return _padded(spec, sign + _prefix(spec, verb, found) + found, zero=False)


def _prefix(spec: Spec, verb: str, digits: str) -> str:
    if verb == "O":
        return "0o"
    if not spec.sharp:
        return ""
    return {"b": "0b", "x": "0x", "X": "0X"}.get(verb, "0" if verb == "o" and digits[0] != "0" else "")


def _big(spec: Spec, value: int) -> str:
    """Print a *big.Int, which has a way of its own (`Format` in Go's math/big/intconv.go)."""
    verb = "d" if spec.verb in ("s", "v") else spec.verb
    if verb not in _BASES:
        return f"%!{verb}(big.Int={value})"
    digits = format(abs(value), _BASES[verb])
    sign = "-" if value < 0 else "+" if spec.plus else " " if spec.space else ""
    prefix = (
        "0o" if verb == "O" else {"b": "0b", "o": "0", "x": "0x", "X": "0X"}.get(verb, "") if spec.sharp else ""
    )
    digits = digits.rjust(spec.precision or 0, "0")
    missing = max(0, (spec.width or 0) - len(sign + prefix + digits))
    if spec.minus:
        return f"{sign}{prefix}{digits}{' ' * missing}"
    if spec.zero and spec.precision is None:
        return f"{sign}{prefix}{'0' * missing}{digits}"
    return f"{' ' * missing}{sign}{prefix}{digits}"


def _float(spec: Spec, value: float) -> str | None:
    verb = spec.verb
    if verb == "v":
        return _decimal(spec, value, "g", spec.precision, plus=False, sharp=False)
    if verb not in "eEfFgGbxX":
        return None
    precision = spec.precision
    if precision is None and verb in "eEfF":
        precision = 6
    return _decimal(spec, value, verb, precision, plus=spec.plus, sharp=spec.sharp)


def _decimal(spec: Spec, value: float, verb: str, precision: int | None, *, plus: bool, sharp: bool) -> str:
    """Print a float64 as `fmtFloat` of Go's fmt/format.go does."""
    if spec.precision is not None:
        precision = spec.precision
    found = unsigned(abs(value), verb, precision)
    if sharp and verb != "b":
        found = _pointed(found, verb, precision)
    sign = "-" if math.copysign(1.0, value) < 0 else "+" if plus else " " if spec.space else ""
    if sign and spec.zero and not spec.minus:
        return sign + found.rjust((spec.width or 0) - 1, "0")
    return _padded(spec, sign + found)


def unsigned(value: float, verb: str, precision: int | None) -> str:
    """Print a number that is not negative as `strconv.FormatFloat` does; no precision is the shortest."""
    match verb:
        case "b":
            mantissa, exponent = math.frexp(value)
            return f"{int(mantissa * 2**53)}p{exponent - 53:+d}"
        case "x" | "X":
            found = _hexadecimal(value, precision)
            return found.upper() if verb == "X" else found
        case "g" | "G" if precision is None:
            found = with_exponent(value) or format(Decimal(repr(value)).normalize(), "f")
            return found.upper() if verb == "G" else found
        case _:
            return format(value, f".{precision}{verb}")


def _hexadecimal(value: float, precision: int | None) -> str:
    if not value:
        return f"0x0{'.' + '0' * precision if precision else ''}p+00"
    mantissa, exponent = math.frexp(value)
    bits, exponent = int(mantissa * 2**53), exponent - 1
    if precision is None:
        digits = f"{bits & (2**52 - 1):013x}".rstrip("0")
    else:
        spare = max(0, 52 - 4 * precision)
        bits = round(Decimal(bits) / 2**spare) << spare
        if bits >= 2**53:
            bits, exponent = bits // 2, exponent + 1
        digits = f"{bits & (2**52 - 1):013x}".ljust(precision, "0")[:precision]
    return f"0x1{'.' if digits else ''}{digits}p{exponent:+03d}"


def _pointed(found: str, verb: str, precision: int | None) -> str:
    """Apply `#`: a decimal point always, and for `%g` the zeros that it usually drops."""
    digits = (6 if precision is None else precision) if verb in "gGx" else 0
    stop = next(
        (at for at, letter in enumerate(found) if letter in ("pP" if verb in "xX" else "eEpP")), len(found)
    )
    number, tail = found[:stop], found[stop:]
    digits -= len(number.replace(".", "").lstrip("0"))
    if "." not in number:
        digits -= number == "0"
        number += "."
    return number + "0" * digits + tail
