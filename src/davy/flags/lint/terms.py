"""What is written for a key or a default, before anybody looked it up, and what a file says of itself."""

from typing import Any

import msgspec

from davy.flags.lint.usage import Attribute, Import, Language, SetProvider, Span, Usage


class Known(msgspec.Struct, frozen=True, tag="known"):
    """A value that is written out."""

    value: Any  # JSON


class Name(msgspec.Struct, frozen=True, tag="name"):
    """A name, as in `FLAGS.discount`, looked up from a scope outwards."""

    parts: tuple[str, ...]
    scope: tuple[str, ...] = ()


class Joined(msgspec.Struct, frozen=True, tag="joined"):
    """Texts, one behind the other."""

    parts: tuple["Term", ...]


class Choice(msgspec.Struct, frozen=True, tag="choice"):
    """One of several."""

    options: tuple["Term", ...]


class Parameter(msgspec.Struct, frozen=True, tag="parameter"):
    """What a function is called with: its argument at `index`, or by `name`."""

    function: str
    index: int
    name: str


class Unknown(msgspec.Struct, frozen=True, tag="unknown"):
    """Something that is only known when it runs."""


Term = Known | Name | Joined | Choice | Parameter | Unknown


class Binding(msgspec.Struct, frozen=True):
    """A name that comes from another module; without a `name` it is the module, and `*` is all of its names."""

    local: str
    module: str
    name: str = ""


class Evaluation(msgspec.Struct, frozen=True):
    """A usage whose key is still to be looked up. `nested` are the evaluations that guard it.

    They are named by where they are among the evaluations and then the sites of the file. `passed_on` is
    whether a provider evaluates it for whoever asks OpenFeature.
    """

    usage: Usage
    key: Term
    default: Term
    allowed: tuple[str, ...] = ()
    nested: tuple[int, ...] = ()
    passed_on: bool = False


class Wrapper(msgspec.Struct, frozen=True):
    """A function that evaluates a flag by its own argument, or, in generated code, by a key of its own.

    `name` is its own name, `owner` the class or object that it is in, `evaluation` what it hands on to.
    """

    name: str
    owner: str
    evaluation: int
    key: Term
    default: Term


class Argument(msgspec.Struct, frozen=True):
    """An argument of a call, with its keyword where it has one."""

    name: str
    term: Term
    span: Span


class Site(msgspec.Struct, frozen=True):
    """A call of something that is called as a wrapper is; `parts` is how, as in `flags.is_on`."""

    evaluation: Evaluation
    parts: tuple[str, ...]
    arguments: tuple[Argument, ...]


class Facts(msgspec.Struct, frozen=True):
    """All that one file says, without looking at any other."""

    file: str
    language: Language
    package: str = ""
    constants: dict[str, Term] = {}
    bindings: tuple[Binding, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    wrappers: tuple[Wrapper, ...] = ()
    sites: tuple[Site, ...] = ()
    providers: tuple[SetProvider, ...] = ()
    imports: tuple[Import, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    broken: bool = False
    deep: bool = False
