"""What is found in a text of code: where it reads flags, sets providers, imports and builds contexts."""

from enum import StrEnum
from typing import Any

import msgspec

from davy.flags.details import FlagType
from davy.model.finding import Place


class Language(StrEnum):
    """The languages that are read; a dialect that has a grammar of its own is one of its own."""

    PYTHON = "python"
    JAVASCRIPT = "javascript"
    TYPESCRIPT = "typescript"
    TSX = "tsx"
    GO = "go"
    JAVA = "java"
    CSHARP = "csharp"
    RUBY = "ruby"


class How(StrEnum):
    """How the key of a usage is known."""

    LITERAL = "literal"
    CONSTANT = "constant"  # of the same file
    IMPORT = "import"  # a constant of another file
    TEMPLATE = "template"  # put together, or chosen, from what is known
    WRAPPER = "wrapper"  # the call of a function that hands its argument on as the key
    ACCESSOR = "accessor"  # the call of a generated function whose key is written in it
    PARAMETER = "parameter"  # inside such a function, or a provider: whoever calls it reads the flag
    ALLOWED = "allowed"  # a comment names the keys: `davy: flags checkout.a, checkout.b`
    DYNAMIC = "dynamic"  # nobody knows


class Vendor(StrEnum):
    """Whose interface is called; OpenFeature's is nobody's."""

    OPENFEATURE = "openfeature"
    LAUNCHDARKLY = "launchdarkly"
    UNLEASH = "unleash"
    SPLIT = "split"


class Span(msgspec.Struct, frozen=True):
    """A piece of the text in bytes: from `start` up to and without `end`."""

    start: int
    end: int


class Default(msgspec.Struct, frozen=True):
    """What the caller falls back on. Where it is not `known` the value, which is JSON, says nothing."""

    known: bool
    value: Any
    span: Span


class Attribute(msgspec.Struct, frozen=True):
    """An attribute of an evaluation context; `value` is how it is written, cut off after 80 characters."""

    name: str
    value: str
    place: Place


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """A call that evaluates a flag.

    Args:
        keys: every key that it may read, in order; none where nobody knows.
        how: how they are known.
        types: what it asks for. Two are for JavaScript's numbers; none where the call does not say.
        default: None where there is none.
        place: of the call; `key_place` is of what is written for the key.
        language: of the text.
        function: what is called, as in `get_boolean_value`.
        receiver: what it is called on, as it is written, cut off after 80 characters.
        vendor: whose interface it is; one that is not OpenFeature's binds the code to a vendor.
        details: whether it answers with more than the value.
        in_loop: whether it is evaluated again and again by a loop of the same function.
        inside: keys of the conditions that have to hold, or not to hold, for it to be reached.
        client_side: why it is taken to run in front of users, empty for servers.
        attributes: of the context, where that is written in the call or in the same file.
        generated: whether the file says that a program wrote it.
        enclosing: the function that it is in, as in `Checkout.pay`; empty outside of all.
        call: the call; `value` is that with what is needed to get the value (`await`).
        key_span: what is written for the key; None where nothing is.
    """

    keys: tuple[str, ...]
    how: How
    types: tuple[FlagType, ...]
    default: Default | None
    place: Place
    key_place: Place
    language: Language
    function: str
    receiver: str = ""
    vendor: Vendor = Vendor.OPENFEATURE
    details: bool = False
    in_loop: bool = False
    inside: tuple[str, ...] = ()
    client_side: str = ""
    attributes: tuple[Attribute, ...] = ()
    generated: bool = False
    enclosing: str = ""
    call: Span
    value: Span
    key_span: Span | None = None

    @property
    def key(self) -> str | None:
        """The key, where there is exactly one."""
        return self.keys[0] if len(self.keys) == 1 else None


class SetProvider(msgspec.Struct, frozen=True):
    """A provider is put in place; unless it `waits`, evaluations right behind it get the caller's defaults."""

    place: Place
    waits: bool
    function: str
    span: Span


class Import(msgspec.Struct, frozen=True):
    """A module is imported, as it is written."""

    place: Place
    module: str


class Scan(msgspec.Struct, frozen=True):
    """All that was found in one file.

    Args:
        file: its name.
        language: what it is written in; None where it is not read.
        usages: in the order of the text.
        providers: in the order of the text.
        imports: in the order of the text.
        attributes: of every evaluation context that the file builds.
        broken: whether part of it could not be parsed: there may be more than what was found.
        deep: whether calls nest so deep that not all is looked at that is around them.
    """

    file: str
    language: Language | None = None
    usages: tuple[Usage, ...] = ()
    providers: tuple[SetProvider, ...] = ()
    imports: tuple[Import, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    broken: bool = False
    deep: bool = False
