"""The words of an expression: text to tokens, each with its place."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from davy.analysis.expression.faults import ExpressionError


class TokenKind(StrEnum):
    """What a token is, spelled as error messages spell it."""

    NAME = "name"
    NUMBER = "number"
    STRING = "string"
    BYTES = "bytes"
    OPERATOR = "operator"
    BRACKET = "bracket"
    END = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """A word: `text` as written, `value` as meant where the two differ (numbers, strings)."""

    kind: TokenKind
    text: str
    position: int
    value: object = None

    def __str__(self) -> str:
        return "the end of the expression" if self.kind is TokenKind.END else f"{self.kind} {self.text}"


WORD_OPERATORS: Final = frozenset(
    {"and", "or", "not", "in", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"}
)

# Static patterns over bounded text, each without nested repetition: linear for any input.
_SPACE: Final = re.compile(r"[\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_NAME: Final = re.compile(r"(?:[^\W\d]|\$)[\w$]*")
_WORD: Final = re.compile(r"[\w$]")
_NUMBER: Final = re.compile(
    r"(?:0[xX][0-9a-fA-F_]*|0[bB][01_]*|0[oO][0-7_]*|[0-9][0-9_]*|(?=\.[0-9]))"
    r"(?:\.(?!\.)[0-9_]*)?(?:[eE][+-]?[0-9_]*)?"
)
_OPERATOR: Final = re.compile(r"\?\.|\?\?|\.\.|::|\|\||&&|==|!=|<=|>=|\*\*|[-+*/%^<>=!?.:,;|&#]")
_BRACKET: Final = re.compile(r"[()\[\]{}]")
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})"
    r"|u\{([0-9a-fA-F]{1,6})\}|([0-7]{3}))"
)
_SIMPLE_ESCAPES: Final = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))
_LARGEST_INTEGER: Final = 2**63 - 1


def tokenize(source: str) -> list[Token]:
    """Cut the text into tokens, the last of them the end; raise `ExpressionError` where it cannot be cut."""
    tokens: list[Token] = []
    position = 0
    _refuse_broken_text(source)
    while position < len(source):
        after_space = _after_space(source, position)
        if after_space != position:
            position = after_space
            continue
        token, position = _token(source, position)
        tokens.append(token)
    tokens.append(Token(TokenKind.END, "", len(source)))
    return tokens


def _refuse_broken_text(source: str) -> None:
    """Half of a surrogate pair is no character, and no text that holds one can be written down."""
    try:
        source.encode()
    except UnicodeEncodeError as error:
        raise ExpressionError(
            "the text holds half of a surrogate pair", source=source, position=error.start
        ) from None


def _after_space(source: str, position: int) -> int:
    if space := _SPACE.match(source, position):
        return space.end()
    if source.startswith("//", position):
        end = source.find("\n", position)
        return len(source) if end < 0 else end
    if source.startswith("/*", position):
        end = source.find("*/", position + 2)
        if end < 0:
            raise ExpressionError(
                "the comment is not closed", source=source, position=position, hint="close it with */"
            )
        return end + 2
    return position


def _token(source: str, position: int) -> tuple[Token, int]:
    character = source[position]
    if character in "'\"":
        return _quoted(source, position, position, TokenKind.STRING)
    if character == "b" and source[position + 1 : position + 2] in {"'", '"'}:
        return _quoted(source, position, position + 1, TokenKind.BYTES)
    if character == "`":
        return _raw(source, position)
    if name := _NAME.match(source, position):
        kind = TokenKind.OPERATOR if name[0] in WORD_OPERATORS else TokenKind.NAME
        return Token(kind, name[0], position), name.end()
    if number := _NUMBER.match(source, position):
        return _number(source, position, number[0]), number.end()
    if operator := _OPERATOR.match(source, position):
        return Token(TokenKind.OPERATOR, operator[0], position), operator.end()
    if _BRACKET.match(source, position):
        return Token(TokenKind.BRACKET, character, position), position + 1
    raise ExpressionError(f"the character {character!r} has no meaning here", source=source, position=position)


def _number(source: str, position: int, text: str) -> Token:
    end = position + len(text)
    if _WORD.match(source, end):
        raise ExpressionError(f"the number {text}{source[end]} cannot be read", source=source, position=end)
    digits = text.replace("_", "").lower()
    value: int | float
    try:
        match digits[:2]:
            case "0x":
                value = int(digits[2:], 16)
            case "0b":
                value = int(digits[2:], 2)
            case "0o":
                value = int(digits[2:], 8)
            case _ if "." in digits or "e" in digits:
                value = float(digits)
            case _:
                # More digits than a 64-bit number has; Python would refuse thousands of them in its own words.
                value = int(digits) if len(digits.lstrip("0")) < 20 else _LARGEST_INTEGER + 1
    except ValueError:
        raise ExpressionError(f"the number {text} cannot be read", source=source, position=position) from None
    if value > _LARGEST_INTEGER if isinstance(value, int) else value == float("inf"):
        raise ExpressionError(f"the number {text} is too large", source=source, position=position)
    return Token(TokenKind.NUMBER, text, position, value)


def _quoted(source: str, position: int, quote: int, kind: TokenKind) -> tuple[Token, int]:
    mark = source[quote]
    at = quote + 1
    parts: list[str | bytes] = []
    while True:
        character = source[at : at + 1]
        if character in {"", "\n"}:
            raise ExpressionError(
                "the string is not closed", source=source, position=position, hint=f"close it with {mark}"
            )
        if character == mark:
            break
        if character == "\\":
            part, at = _escape(source, at, mark, kind)
            parts.append(part)
        else:
            parts.append(character)
            at += 1
    text = source[position : at + 1]
    if kind is TokenKind.STRING:
        return Token(kind, text, position, "".join(part for part in parts if isinstance(part, str))), at + 1
    value = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return Token(kind, text, position, value), at + 1


def _escape(source: str, position: int, mark: str, kind: TokenKind) -> tuple[str | bytes, int]:
    found = _ESCAPE.match(source, position)
    if found is None or (found[1] in {"'", '"'} and found[1] != mark):
        raise ExpressionError(
            "the escape is none of the language",
            source=source,
            position=position,
            hint="write \\\\ for a backslash",
        )
    simple, byte, *unicode, octal = found.groups()
    if simple:
        return _SIMPLE_ESCAPES[simple], found.end()
    number = int(octal, 8) if octal else int(byte or next(filter(None, unicode)), 16)
    if kind is TokenKind.BYTES and (byte or octal) and number < 256:
        return bytes((number,)), found.end()
    if number > 0x10FFFF or (octal and number > 255) or kind is TokenKind.BYTES:
        raise ExpressionError("the escape names no character", source=source, position=position)
    return "\ufffd" if 0xD800 <= number <= 0xDFFF else chr(number), found.end()


def _raw(source: str, position: int) -> tuple[Token, int]:
    at = position + 1
    while True:
        at = source.find("`", at)
        if at < 0:
            raise ExpressionError(
                "the string is not closed", source=source, position=position, hint="close it with `"
            )
        if source.startswith("``", at):
            at += 2
            continue
        value = source[position + 1 : at].replace("``", "`")
        return Token(TokenKind.STRING, source[position : at + 1], position, value), at + 1
