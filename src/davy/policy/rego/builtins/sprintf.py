"""`sprintf`: Go's `fmt` over what OPA hands it: numbers as int64, *big.Int or float64, the rest as text."""

from typing import TypeAlias

from davy.policy.rego.budget import check_text
from davy.policy.rego.builtin import Builtin, refuse, text
from davy.policy.rego.builtins.verb import Spec, go_type, printed
from davy.policy.rego.values import Value, to_text

Operand: TypeAlias = "int | float | str"

_WIDEST = 1_000_000
"""Go's own limit on widths and precisions."""


def sprintf(template: Value, values: Value) -> str:
    """Fill in a template as Go does, with its remarks where verbs and values do not fit (`%!d(string=a)`)."""
    pattern = text(template, 1)
    if type(values) is not list:
        refuse(2, values, "array")
    if pattern.count("%") == len(values) == sum(map(pattern.count, ("%s", "%v", "%d"))):
        return _plain(pattern, values)
    return _Printer(pattern, [operand(value) for value in values]).run()


def operand(value: Value) -> Operand:
    """Turn a value into what OPA gives to Go's `fmt`."""
    kind = type(value)
    if kind is str or kind is int or kind is float:
        return value  # type: ignore[no-any-return]
    return to_text(value)


_VALUE = Spec("v")


def _plain(pattern: str, values: list[Value]) -> str:
    """The everyday case: only `%s`, `%v` and `%d`, as many as there are values."""
    first, *pieces = pattern.split("%")
    made = [first]
    for piece, value in zip(pieces, values, strict=True):
        kind, verb = type(value), piece[0]
        if kind is str and verb != "d":
            found = value
        elif kind is int and verb != "s":
            found = str(value)
        else:
            found = printed(Spec(verb), operand(value))
        made += (found, piece[1:])
    check_text(sum(map(len, made)))
    return "".join(made)


class _Printer:
    """One walk over a template, as `doPrintf` of Go's fmt/print.go takes it."""

    def __init__(self, pattern: str, operands: list[Operand]) -> None:
        self.pattern = pattern
        self.operands = operands
        self.place = 0
        self.next = 0
        self.reordered = False
        self.good_index = True
        self.after_index = False
        self.made: list[str] = []
        self.size = 0

    def run(self) -> str:
        pattern, end = self.pattern, len(self.pattern)
        while self.place < end:
            stop = pattern.find("%", self.place)
            self.put(pattern[self.place : stop if stop >= 0 else end])
            if stop < 0:
                break
            self.place = stop + 1
            self.verb()
        if not self.reordered and self.next < len(self.operands):
            rest = (f"{go_type(value)}={printed(_VALUE, value)}" for value in self.operands[self.next :])
            self.put(f"%!(EXTRA {', '.join(rest)})")
        return "".join(self.made)

    def put(self, piece: str) -> None:
        self.size += len(piece)
        check_text(self.size)
        self.made.append(piece)

    def verb(self) -> None:
        self.good_index, self.after_index = True, False
        spec = Spec("")
        self.flags(spec)
        self.index()
        self.width(spec)
        self.precision(spec)
        if not self.after_index:
            self.index()
        if self.place >= len(self.pattern):
            self.put("%!(NOVERB)")
            return
        spec.verb = self.pattern[self.place]
        self.place += 1
        if spec.verb == "%":
            self.put("%")
        elif not self.good_index:
            self.put(f"%!{spec.verb}(BADINDEX)")
        elif self.next >= len(self.operands):
            self.put(f"%!{spec.verb}(MISSING)")
        else:
            value = self.operands[self.next]
            self.next += 1
            check_text(max(spec.width or 0, spec.precision or 0))
            self.put(printed(spec, value))

    def flags(self, spec: Spec) -> None:
        while self.place < len(self.pattern):
            match self.pattern[self.place]:
                case "#":
                    spec.sharp = True
                case "0":
                    spec.zero = True
                case "+":
                    spec.plus = True
                case "-":
                    spec.minus = True
                case " ":
                    spec.space = True
                case _:
                    return
            self.place += 1

    def width(self, spec: Spec) -> None:
        if self.at("*"):
            width = self.star()
            if width is None:
                self.put("%!(BADWIDTH)")
            elif width < 0:
                spec.minus, spec.width = True, -width
            else:
                spec.width = width
            self.after_index = False
            return
        spec.width = self.digits()
        if self.after_index and spec.width is not None:
            self.good_index = False

    def precision(self, spec: Spec) -> None:
        if not self.at("."):
            return
        if self.after_index:
            self.good_index = False
        self.index()
        if self.at("*"):
            precision = self.star()
            spec.precision = precision if precision is not None and precision >= 0 else None
            if spec.precision is None:
                self.put("%!(BADPREC)")
            self.after_index = False
            return
        spec.precision = self.digits() or 0

    def at(self, letter: str) -> bool:
        if self.pattern.startswith(letter, self.place):
            self.place += 1
            return True
        return False

    def star(self) -> int | None:
        if self.next >= len(self.operands):
            return None
        value = self.operands[self.next]
        self.next += 1
        return value if type(value) is int and -_WIDEST <= value <= _WIDEST else None

    def digits(self) -> int | None:
        start = self.place
        while self.place < len(self.pattern) and self.pattern[self.place] in "0123456789":
            self.place += 1
        found = self.pattern[start : self.place]
        if len(found) > 7 or int(found or 0) > _WIDEST:
            self.place = len(self.pattern)
            return None
        return int(found) if found else None

    def index(self) -> None:
        """Read `[n]`, which says which operand comes next."""
        if not self.pattern.startswith("[", self.place):
            return
        self.reordered = True
        stop = self.pattern.find("]", self.place)
        if stop < 0:
            self.place, self.good_index = self.place + 1, False
            return
        found = self.pattern[self.place + 1 : stop]
        self.place = stop + 1
        self.after_index = found.isascii() and found.isdigit() and len(found) <= 7
        if self.after_index and 1 <= int(found) <= len(self.operands):
            self.next = int(found) - 1
        else:
            self.good_index = False


FAMILY = (Builtin("sprintf", 2, sprintf),)
