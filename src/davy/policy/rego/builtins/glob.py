"""`glob.match`: patterns of gobwas/glob, which is what OPA has, translated for RE2."""

from functools import lru_cache

from davy.policy.rego.builtin import Builtin, BuiltinError, refuse, text
from davy.policy.rego.builtins.patterns import escape, matched
from davy.policy.rego.values import Value


def match(pattern: Value, delimiters: Value, searched: Value) -> bool:
    """Whether a whole string matches; `*` stops at delimiters: at dots if there are none, with null nowhere."""
    glob = text(pattern, 1)
    if delimiters is None:
        stops = ""
    elif type(delimiters) is not list:
        refuse(2, delimiters, "array", "null")
    else:
        stops = "".join(map(_delimiter, delimiters)) or "."
    return matched(_translated(glob, stops), text(searched, 3))


def _delimiter(value: Value) -> str:
    if len(text(value, 2)) != 1:
        raise BuiltinError("a delimiter must be a single character")
    return value  # type: ignore[no-any-return]


@lru_cache(maxsize=512)
def _translated(glob: str, stops: str) -> str:
    inside = f"[^{''.join(map(escape, stops))}]" if stops else "."
    return rf"(?s)\A(?:{_Translation(glob, inside).run()})\z"


class _Translation:
    """One walk over a glob, with the rules of gobwas' lexer."""

    def __init__(self, glob: str, inside: str) -> None:
        self.glob = glob
        self.inside = inside
        self.place = 0

    def run(self) -> str:
        made, depth = [], 0
        while self.place < len(self.glob):
            letter = self.glob[self.place]
            self.place += 1
            match letter:
                case "{":
                    depth += 1
                    made.append("(?:")
                case "," if depth:
                    made.append("|")
                case "}" if depth:
                    depth -= 1
                    made.append(")")
                case "[":
                    made.append(self.range())
                case "?":
                    made.append(self.inside)
                case "*" if self.at("*"):
                    made.append(".*")
                case "*":
                    made.append(f"{self.inside}*")
                case "\\":
                    made.append(escape(self.escaped()))
                case _:
                    made.append(escape(letter))
        if depth:
            raise BuiltinError(f"glob {self.glob!r}: '{{' without '}}'")
        return "".join(made)

    def at(self, letter: str) -> bool:
        if self.glob.startswith(letter, self.place):
            self.place += 1
            return True
        return False

    def escaped(self) -> str:
        if self.place == len(self.glob):
            raise BuiltinError(f"glob {self.glob!r} ends with a backslash")
        self.place += 1
        return self.glob[self.place - 1]

    def range(self) -> str:
        """Read `[a-z]` or `[abc]`, either with `!` in front; one range only, as gobwas has it."""
        negated = "^" if self.at("!") else ""
        if self.glob.startswith("-", self.place + 1):
            low, high = self.glob[self.place], self.glob[self.place + 2 : self.place + 3]
            self.place += 3
            if not self.at("]") or high < low:
                raise BuiltinError(f"glob {self.glob!r}: a range that is none")
            return f"[{negated}{escape(low)}-{escape(high)}]"
        letters = []
        while not self.at("]"):
            if self.place == len(self.glob):
                raise BuiltinError(f"glob {self.glob!r}: '[' without ']'")
            self.place += 1
            letter = self.glob[self.place - 1]
            letters.append(self.escaped() if letter == "\\" else letter)
        if not letters:
            raise BuiltinError(f"glob {self.glob!r}: brackets with nothing in them")
        return f"[{negated}{''.join(map(escape, letters))}]"


def quote_meta(value: Value) -> str:
    """Write a text so that a glob takes every letter of it for itself."""
    return "".join(f"\\{letter}" if letter in r"\*?[]{}" else letter for letter in text(value, 1))


FAMILY = (Builtin("glob.match", 3, match), Builtin("glob.quote_meta", 1, quote_meta))
