r"""ruamel's YAML scanner, with the loops that manifests spend their time in done by regular expressions.

It reads the same tokens as the original (a test compares them), several times faster where somebody sends
megabytes of blanks, comments or words: reading stays bounded in time and not only in memory.

It relies on what `davy.model.yaml` refuses beforehand: the text is one string, it has no line breaks but
`\n` and `\r\n`, and no byte order mark.
"""

import re
from functools import cached_property
from typing import Any

from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner, ScannerError
from ruamel.yaml.tokens import ScalarToken, Token

# Python before 3.11.5 goes wrong at a group that is repeated and gives nothing back, as in `(?:…)*+`. None of
# these has to: nothing after such a group can fail, or what it took is taken as a whole, as `(?=(…))\1` does.
_BLANK = re.compile(r"(?: *+(?:#[^\n\0]*+)?\r?\n)* *+(?:#[^\r\n\0]*+)?")
_BLANK_IN_FLOW = re.compile(r"(?:[ \t]*+(?:#[^\n\0]*+)?\r?\n)*[ \t]*+(?:#[^\r\n\0]*+)?")
_WORD = r"(?:[^\0 \t\r\n:]++|:(?![\0 \t\r\n]))+"
_WORDS = re.compile(rf"(?!#){_WORD}(?: ++(?!#){_WORD})*")
_WORD_IN_FLOW = r"(?:[^\0 \t\r\n:,\[\]{}]++|:(?![\0 \t\r\n]))+"
_WORDS_IN_FLOW = re.compile(rf"(?!#){_WORD_IN_FLOW}(?: ++(?!#){_WORD_IN_FLOW})*")
_SEPARATOR = r"(?:---|\.\.\.)[\0 \t\r\n]"
_GAP = re.compile(rf"(?: *+\r?\n(?!{_SEPARATOR}))*(?: *+(\r?\n)| *+)")
_QUOTED_BREAKS = re.compile(rf"(?=((?:(?!{_SEPARATOR})[ \t]*+\r?\n)*))\1(?!{_SEPARATOR})[ \t]*+")
_LONG_TAG = re.compile(r"[^\0 \t\r\n]{256}")


class QuickReader(Reader):
    """Moves over many characters at once."""

    def forward(self, length: int = 1) -> None:
        """Move on, and keep count of lines and columns."""
        start = self.pointer
        self.pointer = end = start + length
        self.index += length
        last = self.buffer.rfind("\n", start, end)
        if last < 0:
            self.column += length
        else:
            self.line += self.buffer.count("\n", start, end)
            self.column = end - last - 1

    def check_printable(self, data: str) -> None:
        """Do nothing: `davy.model.yaml` has looked for invisible characters, and says where they are."""


class QuickScanner(Scanner):
    """Finds the same tokens in fewer steps."""

    @cached_property
    def reader(self) -> QuickReader:
        """The text; looked up once, and not at every character."""
        reader = self.loader.reader
        assert isinstance(reader, QuickReader)
        return reader

    def check_token(self, *choices: type[Token]) -> bool:
        """Say whether the next token is one of some types; any token will do where none are given."""
        token = self.peek_token()
        return token is not None and (not choices or type(token) in choices)

    def peek_token(self) -> Token | None:
        """Return the next token, and leave it where it is."""
        if self.possible_simple_keys or not self.tokens:
            while self.need_more_tokens():
                self.fetch_more_tokens()
        return self.tokens[0] if self.tokens else None

    def get_token(self) -> Token:
        """Take the next token; callers have seen that there is one."""
        self.peek_token()
        self.tokens_taken += 1
        token: Token = self.tokens.pop(0)
        return token

    def need_more_tokens(self) -> bool:
        """Say whether the next token is certain; nothing can change while no simple key is possible."""
        if not self.possible_simple_keys:
            return not self.tokens and not self.done
        return bool(super().need_more_tokens())

    def scan_to_next_token(self) -> None:
        """Skip blanks, line breaks and comments."""
        reader = self.reader
        pattern = _BLANK_IN_FLOW if self.flow_context else _BLANK
        found = pattern.match(reader.buffer, reader.pointer)
        assert found  # every part of the pattern may be empty
        line = reader.line
        reader.forward(found.end() - reader.pointer)
        if reader.line > line and not self.flow_context:
            self.allow_simple_key = True

    def scan_plain(self) -> ScalarToken:
        """Read a plain scalar, line by line."""
        reader = self.reader
        pattern = _WORDS_IN_FLOW if self.flow_context else _WORDS
        start_mark = end_mark = reader.get_mark()
        chunks: list[str] = []
        spaces: list[str] = []
        while words := pattern.match(reader.buffer, reader.pointer):
            self.allow_simple_key = False
            chunks += spaces
            chunks.append(words[0])
            reader.forward(len(words[0]))
            end_mark = reader.get_mark()
            spaces = self.scan_plain_spaces(self.indent + 1, start_mark)
            if not spaces or (not self.flow_context and reader.column <= self.indent):
                break
        return ScalarToken("".join(chunks), True, start_mark, end_mark)

    def scan_plain_spaces(self, indent: Any, start_mark: Any) -> list[str]:
        """Read what is between two words; nothing there, or the end of the document, ends the scalar."""
        gap = _GAP.match(self.reader.buffer, self.reader.pointer)
        assert gap  # every part of the pattern may be empty
        self.reader.forward(len(gap[0]))
        newlines = gap[0].count("\n")
        if not newlines:
            return [gap[0]] if gap[0] else []
        self.allow_simple_key = True
        if gap[1]:
            return []
        return ["\n" * (newlines - 1) or " "]

    def scan_flow_scalar_breaks(self, double: Any, start_mark: Any) -> list[str]:
        """Read the blank lines within a quoted scalar."""
        breaks = _QUOTED_BREAKS.match(self.reader.buffer, self.reader.pointer)
        if breaks is None:  # a document ends within the quotes, which the original complains of
            return list(super().scan_flow_scalar_breaks(double, start_mark))
        self.reader.forward(len(breaks[0]))
        return ["\n"] * breaks[0].count("\n")

    def scan_tag(self) -> Any:
        """Read a tag; one that takes time to read is not one that means anything."""
        if _LONG_TAG.match(self.reader.buffer, self.reader.pointer):
            raise ScannerError(None, None, "found a tag of more than 255 characters", self.reader.get_mark())
        return super().scan_tag()


class QuickParser(Parser):
    """Knows its scanner."""

    @cached_property
    def scanner(self) -> QuickScanner:
        """The tokens; looked up once, and not at every token."""
        scanner = self.loader.scanner
        assert isinstance(scanner, QuickScanner)
        return scanner
