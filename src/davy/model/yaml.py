"""From a text to nodes with their places: YAML within bounds, and JSON as a part of it.

The grammar is ruamel's; what its scalars mean is ours (`davy.model.scalar`), since the cluster's reading is
what counts. Every way in which a text can be unreadable ends in a finding.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import msgspec
import yaml.events as libyaml_events
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from davy.model import libyaml
from davy.model.finding import Finding
from davy.model.report import Unreadable
from davy.model.scanner import QuickParser, QuickReader, QuickScanner
from davy.model.source import Source, Span


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a text is read. The defaults hold some hundred rollouts, and are read in a few seconds.

    Args:
        size: bytes, or characters of a text that is decoded already; an API server takes no more than 3 MiB.
        lines: lines of the text.
        depth: lists and mappings within each other.
        nodes: scalars, lists and mappings, with what aliases stand for counted each time.
        documents: documents in one text, items of a `kind: List` included.
        findings: errors that are told of one text before it is enough.
    """

    size: int = 3 * 2**20
    lines: int = 100_000
    depth: int = 64
    nodes: int = 50_000
    documents: int = 1_000
    findings: int = 20


class Scalar(msgspec.Struct, frozen=True):
    """A scalar as written; `plain` means without quotes, `tag` is its explicit tag or empty."""

    span: Span
    text: str
    plain: bool
    tag: str


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    span: Span
    items: "tuple[Node, ...]"


class Mapping(msgspec.Struct, frozen=True):
    """Keys and values in the order of the text; keys may be anything, and may be there twice."""

    span: Span
    entries: "tuple[tuple[Node, Node], ...]"


Node = Scalar | Sequence | Mapping


def decode(text: str | bytes, file: str, limits: Limits) -> Source:
    """Make sure that a text is one: not too long, UTF-8, and without characters that nobody can see.

    Raises:
        Unreadable: it is not.
    """
    if len(text) > limits.size:
        raise Unreadable(_too_much(file, f"more than {limits.size:,} bytes"))
    if isinstance(text, bytes):
        text = _decode(text, file)
    source = Source(file, text)
    if source.lines > limits.lines:
        raise Unreadable(_too_much(file, f"more than {limits.lines:,} lines"))
    if found := _UNSEEN.search(text, 1 if text.startswith("\ufeff") else 0):
        character = f"U+{ord(found[0]):04X}"
        title = f"the character {character} has no place in a manifest"
        fix = "write it as an escape in double quotes, or take it out"
        raise Unreadable(source.finding("DV001", Span(*found.span()), title, label="here", fix=fix))
    return source


def compose(source: Source, limits: Limits) -> Iterator[Node]:
    """Read one document after the other.

    Raises:
        Unreadable: the text is not YAML from some place on, or too much; the documents before it have been
            given already.
    """
    try:
        yield from _Composer(source, limits).documents()
    except MarkedYAMLError as error:
        raise Unreadable(_not_yaml(source, error)) from error
    except (YAMLError, ValueError, OverflowError, IndexError) as error:
        # ruamel lets `"\UFFFFFFFF"` and its like out as whatever chr() and friends raise.
        title = "this is neither YAML nor JSON"
        raise Unreadable(source.finding("DV001", Span(0, 1), title, label=str(error)[:200])) from error


#: Invisible or read in different ways: controls, line ends other than \n and \r\n, half characters, marks.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]|\r(?!\n)",
)
_PREFIX = "tag:yaml.org,2002:"


def _decode(text: bytes, file: str) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        source = Source(file, text[: error.start].decode("utf-8") + "\ufffd")
        end = len(source.text)
        title = f"byte 0x{text[error.start]:02x} is not UTF-8"
        fix = "save the file as UTF-8"
        raise Unreadable(source.finding("DV001", Span(end - 1, end), title, fix=fix)) from error


def _too_much(file: str, label: str) -> Finding:
    title = f"this is too much to read: {label}"
    return Source(file, "").finding("DV002", Span(0, 0), title, fix="split it into several files")


def _not_yaml(source: Source, error: MarkedYAMLError) -> Finding:
    mark = error.problem_mark or error.context_mark
    offset = mark.index if mark else 0
    context = f"{error.context}, " if error.context else ""
    label = f"{context}{error.problem}"
    fix = ""
    if "'\\t'" in label:
        fix = "indent with spaces: YAML has no tabs there"
    elif "could not find expected ':'" in label and error.context_mark:
        offset = error.context_mark.index
        fix = "write `key: value`; if this line goes on with a text from above, indent it deeper than its key"
    elif "mapping values are not allowed" in label:
        fix = "quote a text with `: ` in it, and begin a mapping on a line of its own"
    elif "expected ',' or '}', but got '{'" in label:
        fix = "quote a text with braces in it"
    return source.finding(
        "DV001", Span(offset, offset + 1), "this is neither YAML nor JSON", label=label, fix=fix
    )


@dataclass(slots=True)
class _Open:
    """A list or mapping that has begun."""

    start: int
    anchor: str | None
    mapping: bool
    flow: bool
    children: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 1

    def close(self, end: int) -> Node:
        if not self.flow:  # a block ends with its last child, and not where the next token happens to be
            end = self.children[-1].span.end if self.children else self.start
        if not self.mapping:
            return Sequence(Span(self.start, end), tuple(self.children))
        pairs = zip(self.children[::2], self.children[1::2], strict=True)
        return Mapping(Span(self.start, end), tuple(pairs))


class _Composer:
    """Puts events together to nodes, and counts."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.nodes = 0
        self.bom = 1 if source.text.startswith("\ufeff") else 0
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int, int]] = {}

    def documents(self) -> Iterator[Node]:
        documents = 0
        for event in self.events():
            if isinstance(event, _DOCUMENT):
                documents += 1
                self.anchors.clear()
                if documents > self.limits.documents:
                    self.refuse(
                        event, f"this is too much to read: more than {self.limits.documents:,} documents"
                    )
            elif node := self.node(event):
                yield node

    def events(self) -> Iterator[Event]:
        text = self.source.text[self.bom :]
        quick = libyaml.events(text, 2 * (self.limits.nodes + self.limits.documents) + 2)
        if quick is not None:
            yield from quick
            return
        reader = YAML(typ="safe", pure=True)
        reader.Reader, reader.Scanner, reader.Parser = QuickReader, QuickScanner, QuickParser
        yield from reader.parse(text)

    def node(self, event: Event) -> Node | None:
        """Take in one event; return the root of the document when it is complete."""
        if isinstance(event, _SCALAR):
            return self.add(self.scalar(event), 1, 0, event.anchor)
        elif isinstance(event, _START):
            self.open(event)
        elif isinstance(event, AliasEvent):
            return self.add(*self.alias(event), None)
        elif isinstance(event, _END):
            done = self.stack.pop()
            return self.add(done.close(event.end_mark.index + self.bom), done.size, done.height, done.anchor)
        return None

    def open(self, event: CollectionStartEvent) -> None:
        self.count(1, event, 1)
        is_list = isinstance(event, _LIST)
        if event.tag not in (None, "!", _PREFIX + ("seq" if is_list else "map")):
            self.unknown_tag(event)
        start = event.start_mark.index + self.bom
        self.stack.append(_Open(start, event.anchor, not is_list, bool(event.flow_style)))

    def scalar(self, event: ScalarEvent) -> Scalar:
        self.count(1, event, 0)
        tag = str(getattr(event, "ctag", None) or "")
        if tag not in _TAGS:
            self.unknown_tag(event)
        start, end = event.start_mark.index + self.bom, event.end_mark.index + self.bom
        if start == end:  # nothing was written; that is best seen behind what comes before
            before = self.source.text[max(0, start - _BLANKS) : start]
            start = end = start - len(before) + len(before.rstrip())
        elif event.style in ("|", ">"):
            end = start + len(self.source.text[start:end].rstrip())
        text = self.whole(event)
        return Scalar(Span(start, end), text, not event.style and tag != "!", _TAGS[tag])

    def whole(self, event: ScalarEvent) -> str:
        """Put together characters that JSON writes as two escapes, and refuse what no text may hold."""
        text = event.value
        if _HALF.search(text):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if "\ufffd" in text:
                self.refuse(event, "half a character is none: the escape of a surrogate stands alone", "DV004")
        if "\0" in text:
            self.refuse(event, "a text with a NUL in it cannot be handed to any program", "DV004")
        return str(text)

    def alias(self, event: AliasEvent) -> tuple[Node, int, int]:
        if any(opened.anchor == event.anchor for opened in self.stack):
            self.refuse(event, f"*{event.anchor} is a part of itself")
        if event.anchor not in self.anchors:
            self.refuse(event, f"nothing before this is called &{event.anchor}", "DV001")
        node, size, height = self.anchors[event.anchor]
        self.count(size, event, height)
        span = Span(event.start_mark.index + self.bom, event.end_mark.index + self.bom)
        return msgspec.structs.replace(node, span=span), size, height

    def add(self, node: Node, size: int, height: int, anchor: str | None) -> Node | None:
        if anchor is not None:
            self.anchors[anchor] = node, size, height
        if not self.stack:
            return node
        parent = self.stack[-1]
        parent.children.append(node)
        parent.size += size
        parent.height = max(parent.height, height + 1)
        return None

    def count(self, nodes: int, event: Event, height: int) -> None:
        self.nodes += nodes
        if self.nodes > self.limits.nodes:
            too_much = f"more than {self.limits.nodes:,} values, aliases counted"
            self.refuse(event, f"this is too much to read: {too_much}")
        if len(self.stack) + height > self.limits.depth:
            self.refuse(event, f"this is too much to read: nested more than {self.limits.depth} deep")

    def unknown_tag(self, event: ScalarEvent | CollectionStartEvent) -> NoReturn:
        tag = str(event.tag).replace(_PREFIX, "!!")
        self.refuse(event, f"the tag {tag} means nothing here", "DV004", "take it out: tags make no objects")

    def refuse(self, event: Event, title: str, code: str = "DV002", fix: str = "") -> NoReturn:
        span = Span(event.start_mark.index + self.bom, event.end_mark.index + self.bom)
        raise Unreadable(self.source.finding(code, span, title, fix=fix))


#: Each sort of event, as the scanner and libyaml have it.
_SCALAR = (ScalarEvent, libyaml_events.ScalarEvent)
_START = (CollectionStartEvent, libyaml_events.CollectionStartEvent)
_END = (MappingEndEvent, SequenceEndEvent, libyaml_events.CollectionEndEvent)
_LIST = (SequenceStartEvent, libyaml_events.SequenceStartEvent)
_DOCUMENT = (DocumentStartEvent, libyaml_events.DocumentStartEvent)
#: How far back the last character is looked for that is no blank.
_BLANKS = 1_000
_HALF = re.compile("[\ud800-\udfff]")
_TAGS = {"": "", "!": "str", **{_PREFIX + tag: tag for tag in ("str", "int", "float", "bool", "null")}}
