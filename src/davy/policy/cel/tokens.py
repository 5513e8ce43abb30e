"""Expressions cut into words. Literals become values here."""

import math
import re
from typing import NamedTuple

from davy.policy.cel.errors import CelError
from davy.policy.cel.numbers import LARGEST_INT, LARGEST_UINT, Uint

WORDS = re.compile(
    r"""(?P<space>(?:[ \t\r\n\f]|//[^\n]*)+)
    |(?P<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
    |(?P<int>(?:0x[0-9a-fA-F]+|[0-9]+)[uU]?)
    |(?P<raw>(?:[rR][bB]?|[bB][rR])(?:\"\"\".*?\"\"\"|'''.*?'''|"[^"\n\r]*"|'[^'\n\r]*'))
    |(?P<text>[bB]?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n\r])*"|'(?:\\.|[^'\\\n\r])*'))
    |(?P<quoted>`[A-Za-z0-9_./\- ]+`)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>\.\?|\[\?|\{\?|&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
"""A pattern of ours over text of anybody's: no text can be read by it in two ways, so it takes linear time."""

ESCAPE = re.compile(
    r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([abfnrtv\\?\"'`])|)"
)
SHORT = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))
KEYWORDS = {"true": True, "false": False, "null": None}
RESERVED = frozenset(
    ("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "namespace",
     "package", "return", "var", "void", "while")
)  # fmt: skip


class Token(NamedTuple):
    """One word. `kind` is literal, name, quoted (a field in backticks), sign or end."""

    kind: str
    text: str
    at: int
    value: object = None


def tokens(expression: str) -> list[Token]:
    """Cut an expression into words.

    Raises:
        CelError: something in it is no word of the language, or a literal is none.
    """
    found, at = [], 0
    while at < len(expression):
        match = WORDS.match(expression, at)
        if match is None:
            raise CelError(_unreadable(expression[at]), at)
        kind, text = match.lastgroup, match.group()
        assert kind is not None
        if kind != "space":
            found.append(_token(kind, text, at))
        at = match.end()
    found.append(Token("end", "<EOF>", at))
    return found


def _unreadable(character: str) -> str:
    if character in "\"'":
        return "Syntax error: the text that begins here does not end"
    return f"Syntax error: token recognition error at: {character!r}"


def _token(kind: str, text: str, at: int) -> Token:
    match kind:
        case "name":
            if text in KEYWORDS:
                return Token("literal", text, at, KEYWORDS[text])
            return Token("name", text, at)
        case "quoted":
            return Token("quoted", text[1:-1], at)
        case "sign":
            return Token("sign", text, at)
        case "int":
            return Token("literal", text, at, _integer(text, at))
        case "float":
            return Token("literal", text, at, _double(text, at))
        case _:
            return Token("literal", text, at, _text(text, kind == "raw", at))


def _double(text: str, at: int) -> float:
    number = float(text)
    if math.isinf(number):
        raise CelError("invalid double literal", at)
    return number


def _integer(text: str, at: int) -> int:
    unsigned = text[-1] in "uU"
    digits = text[:-1] if unsigned else text
    if len(digits) > 20:
        raise CelError("invalid int literal", at)
    number = int(digits[2:], 16) if digits[:2] == "0x" else int(digits)
    # The smallest int is written with a minus before a number that is one too large.
    if number > (LARGEST_UINT if unsigned else LARGEST_INT + 1):
        raise CelError("invalid uint literal" if unsigned else "invalid int literal", at)
    return Uint(number) if unsigned else number


def _text(written: str, raw: bool, at: int) -> str | bytes:
    begin = min(place for place in (written.find('"'), written.find("'")) if place >= 0)
    quote = 3 if written[begin : begin + 3] in ('"""', "'''") else 1
    body, binary = written[begin + quote : -quote], "b" in written[:begin].lower()
    if not raw and "\\" in body:
        return _unescaped_bytes(body, at) if binary else ESCAPE.sub(lambda m: _character(m, at), body)
    return body.encode() if binary else body


def _unescaped_bytes(body: str, at: int) -> bytes:
    made, end = bytearray(), 0
    for match in ESCAPE.finditer(body):
        made += body[end : match.start()].encode()
        end = match.end()
        if match[2] or match[3]:
            raise CelError("Syntax error: no unicode escapes in bytes", at)
        byte = match[1] or match[4]
        made += bytes((int(byte, 16 if match[1] else 8),)) if byte else _character(match, at).encode()
    return bytes(made + body[end:].encode())


def _character(match: "re.Match[str]", at: int) -> str:
    short, octal, code = match[5], match[4], match[1] or match[2] or match[3]
    if short:
        return SHORT[short]
    if octal:
        return chr(int(octal, 8))
    number = int(code, 16) if code else -1
    if not 0 <= number <= 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise CelError(f"Syntax error: invalid escape {match.group() or chr(92)}", at)
    return chr(number)
