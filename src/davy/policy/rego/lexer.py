"""Rego's words: a text becomes tokens, each with its place and with what stood before it."""

import json
import re
from typing import Literal, NamedTuple

from davy.policy.rego.errors import BadRego, Place

Kind = Literal["name", "number", "string", "template", "operator", "end"]

MAX_SOURCE = 1_000_000
MAX_DIGITS = 400

TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+(?:\#[^\n]*)?|\#[^\n]*)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<operator>:=|==|!=|<=|>=|[-+*/%&|<>=(){}\[\],.:;])
      | (?P<newline>\n)
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<number>(?:0(?![0-9])|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<raw>`[^`]*`)
      | (?P<template>\$(?=["`]))""",
    re.VERBOSE | re.ASCII,
)
"""What is frequent comes first; nothing begins like anything else."""


class Token(NamedTuple):
    """One word.

    `glued` says that nothing stood before it, `fresh` that a new line began; `start` and `stop` are where it is
    in the text. The value of a template is its parts: texts, and where the text of an expression is.
    """

    kind: Kind
    text: str
    value: object
    place: Place
    glued: bool
    fresh: bool
    start: int
    stop: int


class Lexer:
    """Reads one text, or a stretch of it."""

    def __init__(self, text: str, file: str = "", *, start: int = 0, stop: int | None = None) -> None:
        self.text = text
        self.file = file
        self.stop = len(text) if stop is None else stop
        self.at = start
        self.row = text.count("\n", 0, start) + 1
        self.line = text.rfind("\n", 0, start) + 1

    def place(self, at: int) -> Place:
        """Say where an offset in the current row is."""
        return Place(self.row, at - self.line + 1, self.file)

    def refuse(self, sentence: str, at: int) -> BadRego:
        """Make the error of a text that is no Rego."""
        return BadRego("rego_parse_error", sentence, self.place(at))

    def tokens(self) -> list[Token]:
        """Read all of it."""
        if len(self.text) > MAX_SOURCE:
            raise self.refuse(f"the text is longer than {MAX_SOURCE} characters", self.at)
        found: list[Token] = []
        glued, fresh = False, True
        while self.at < self.stop:
            at = self.at
            match = TOKEN.match(self.text, at, self.stop)
            kind = match.lastgroup if match else None
            if match is None or kind is None:
                raise self.unreadable(at)
            self.at = match.end()
            if kind == "space":
                glued = False
                continue
            if kind == "newline":
                self.row, self.line = self.row + 1, self.at
                glued, fresh = False, True
                continue
            text = match.group()
            if kind == "name" or kind == "operator":
                place = Place(self.row, at - self.line + 1, self.file)
                found.append(Token(kind, text, text, place, glued, fresh, at, self.at))  # type: ignore[arg-type]
            else:
                found.append(self.token(kind, text, at, glued, fresh))
            glued, fresh = True, False
        found.append(Token("end", "", None, self.place(self.at), False, True, self.at, self.at))
        return found

    def token(self, kind: str, text: str, at: int, glued: bool, fresh: bool) -> Token:
        """Make a token that has a value of its own."""
        place = self.place(at)
        match kind:
            case "raw":
                self.pass_lines(at, self.at)
                return Token("string", text, text[1:-1].replace("\r", ""), place, glued, fresh, at, self.at)
            case "string":
                return Token("string", text, self.unescaped(text, at), place, glued, fresh, at, self.at)
            case "number":
                return Token("number", text, self.number(text, at), place, glued, fresh, at, self.at)
            case _:
                parts = self.template(at)
                return Token("template", self.text[at : self.at], parts, place, glued, fresh, at, self.at)

    def pass_lines(self, start: int, stop: int) -> None:
        """Count the rows that a token spans."""
        count = self.text.count("\n", start, stop)
        if count:
            self.row += count
            self.line = self.text.rfind("\n", start, stop) + 1

    def unescaped(self, text: str, at: int) -> str:
        """Read a text in quotes as JSON does."""
        if "\\" not in text and text.isascii():
            return text[1:-1]
        try:
            value = json.loads(text, strict=False)
        except ValueError:
            raise self.refuse("illegal string escape sequence", at) from None
        assert isinstance(value, str)
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def number(self, text: str, at: int) -> int | float:
        """Read a number; an integer is exact."""
        if len(text) > MAX_DIGITS:
            raise self.refuse("the number has too many digits", at)
        if self.at < self.stop and (self.text[self.at].isalnum() or self.text[self.at] == "_"):
            raise self.refuse("illegal number format", at)
        if text.isdigit():
            return int(text)
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise self.refuse("the number is too large", at)
        return value

    def template(self, at: int) -> tuple[str | tuple[int, int], ...]:
        """Read `$"…"`, with what is in braces left for the parser."""
        quote = self.text[self.at]
        self.at += 1
        parts: list[str | tuple[int, int]] = []
        start = self.at
        while self.at < self.stop:
            char = self.text[self.at]
            if char == quote:
                parts.append(self.template_text(start, quote, at))
                self.at += 1
                return tuple(part for part in parts if part != "")
            if char == "\\":
                self.at += 2
            elif char == "{":
                parts.append(self.template_text(start, quote, at))
                parts.append(self.braced(at))
                start = self.at
            elif char == "\n" and quote == '"':
                break
            else:
                self.at += 1
                if char == "\n":
                    self.row, self.line = self.row + 1, self.at
        raise self.refuse("non-terminated template string", at)

    def template_text(self, start: int, quote: str, at: int) -> str:
        """Read a stretch of text in a template; a brace may stand behind a backslash."""
        raw = self.text[start : self.at].replace("\\{", "{")
        return raw if quote == "`" else self.unescaped(f'"{raw}"', at)

    def braced(self, at: int) -> tuple[int, int]:
        """Step over `{expression}`."""
        start, depth = self.at + 1, 0
        while self.at < self.stop:
            match = TOKEN.match(self.text, self.at, self.stop)
            if match is None:
                break
            text, kind = match.group(), match.lastgroup
            self.at = match.end()
            if kind == "newline":
                self.row, self.line = self.row + 1, self.at
            elif kind == "template":
                self.template(at)
            elif text == "{" and kind == "operator":
                depth += 1
            elif text == "}" and kind == "operator":
                depth -= 1
                if not depth:
                    return start, self.at - 1
        raise self.refuse("non-terminated template string", at)

    def unreadable(self, at: int) -> BadRego:
        """Say what is wrong with what is no token."""
        char = self.text[at]
        if char == '"':
            return self.refuse("non-terminated string", at)
        if char == "`":
            return self.refuse("non-terminated raw string", at)
        if char.isdigit():
            return self.refuse("illegal number format", at)
        return self.refuse(f"illegal token {char!r}", at)
