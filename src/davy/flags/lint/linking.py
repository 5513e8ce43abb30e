"""Look up the keys of what was found, across files: constants, enums, functions that hand a key on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol, TypeAlias

import re2
from msgspec.structs import replace

from davy.flags.details import Json
from davy.flags.lint.calls import SPEAKING
from davy.flags.lint.extract import extract
from davy.flags.lint.languages.syntax import TAILS
from davy.flags.lint.modules import Files, snake
from davy.flags.lint.prefilter import language_of, may_hold
from davy.flags.lint.terms import (
    Argument,
    Binding,
    Choice,
    Evaluation,
    Facts,
    Joined,
    Known,
    Name,
    Parameter,
    Site,
    Term,
    Wrapper,
)
from davy.flags.lint.usage import Default, How, Language, Scan, Span, Usage

HOPS = 4
"""Through how many files a name is followed."""

_SCRIPTS = (Language.JAVASCRIPT, Language.TYPESCRIPT, Language.TSX)

_STEPS = 2000
"""How many names are looked up for one usage; constants that double each other would go on for good."""

_MOST = 32
"""How many keys one usage may have before it counts as unknown."""


Family: TypeAlias = str
"""Languages whose modules import each other."""


def family(language: Language) -> Family:
    """Return what a language is a dialect of."""
    return "script" if language in _SCRIPTS else language.value


class Sources(Protocol):
    """The other files, as far as they are asked for."""

    @property
    def files(self) -> Files:
        """The names of all files."""
        ...

    def facts(self, file: str) -> Facts | None:
        """Return what a file says; None where it cannot be read."""
        ...


class MemorySources:
    """Files that are at hand."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self.files = Files(texts)
        self._texts = texts
        self._facts: dict[str, Facts | None] = {}

    def facts(self, file: str) -> Facts | None:
        """Return what a file says."""
        if file not in self._facts:
            self._facts[file] = extract(self._texts[file], file) if file in self._texts else None
        return self._facts[file]


class Found(NamedTuple):
    """The values that a term may have, and how they are known."""

    values: tuple[Json, ...]
    how: How


NOTHING = Found((), How.DYNAMIC)


def wrappers_of(facts: Iterable[Facts]) -> list[Facts]:
    """Return the files that have functions which hand a key on."""
    return [each for each in facts if each.wrappers]


class Calls:
    """What calls of wrappers look like, to find the files that may have some without parsing the rest.

    Args:
        facts: the files with wrappers; a file without a word of where one is from is not looked at for it.
    """

    def __init__(self, facts: Iterable[Facts]) -> None:
        places: dict[tuple[Family, str], set[str]] = {}
        directories: dict[tuple[Family, str], set[str]] = {}
        for some in facts:
            for each in some.wrappers:
                place = family(some.language), each.name
                stem = some.file.rpartition("/")[2].partition(".")[0]
                package = some.file.rpartition("/")[0]
                near = package.rpartition("/")[2]
                # `__init__` and `index` are imported by the name of their directory
                words = {each.owner, near if stem in ("__init__", "index") or some.package else stem}
                places.setdefault(place, set()).update(word.lower() for word in words if word)
                directories.setdefault(place, set()).add(package)
        self.names = frozenset(name for _, name in places)
        self.digest = _digest(places)
        self._each = {place: (_called([place[1]]), _whole(words)) for place, words in places.items()}
        self._directories = directories
        self._patterns = {kind: _called(name for each, name in places if each == kind) for kind, _ in places}

    def may_be_in(self, file: str, text: bytes) -> bool:
        """Say whether a file may call one of them."""
        language = language_of(file)
        kind = None if language is None else family(language)
        pattern = self._patterns.get(kind) if kind is not None else None
        if kind is None or pattern is None or pattern.search(text) is None:
            return False
        if may_hold(text):
            return True
        directory = file.rpartition("/")[0]
        lowered = text.lower().replace(b"_", b"")
        return any(
            (directory in self._directories[place] or words.search(lowered) is not None)
            and called.search(text) is not None
            for place, (called, words) in self._each.items()
            if place[0] == kind
        )


def link(facts: Iterable[Facts], sources: Sources) -> list[Scan]:
    """Return what was found in each file, with every key that can be known.

    Args:
        facts: of the files that are told of, each read with the names of all wrappers (`Calls.names`).
        sources: all files, for constants and wrappers that come from others.
    """
    linker = _Linker(list(facts), sources)
    return linker.scans()


class _Linker:
    """Files that are linked together."""

    def __init__(self, facts: list[Facts], sources: Sources) -> None:
        self.all = facts
        self._steps = 0
        self._calls: dict[str, frozenset[Span]] = {}
        self.sources = sources
        self.by_name: dict[str, list[tuple[Facts, Wrapper]]] = {}
        for some in facts:
            for each in some.wrappers:
                self.by_name.setdefault(each.name, []).append((some, each))

    def scans(self) -> list[Scan]:
        called: set[tuple[str, str]] = set()
        through = [self._sites(some, called) for some in self.all]
        return [self._scan(some, sites, called) for some, sites in zip(self.all, through, strict=True)]

    def _scan(self, some: Facts, sites: list[Usage | None], called: set[tuple[str, str]]) -> Scan:
        usages = [*(self._usage(some, each, called) for each in some.evaluations), *sites]
        nested = [*(each.nested for each in some.evaluations), *(each.evaluation.nested for each in some.sites)]
        told = [
            replace(usage, inside=_guards(usage, [usages[index] for index in indices]))
            for usage, indices in zip(usages, nested, strict=True)
            if usage is not None
        ]
        told.sort(key=lambda usage: (usage.call.start, usage.call.end))
        return Scan(
            some.file,
            some.language,
            tuple(told),
            some.providers,
            some.imports,
            some.attributes,
            some.broken,
            some.deep,
        )

    def _usage(self, some: Facts, evaluation: Evaluation, called: set[tuple[str, str]]) -> Usage:
        usage = evaluation.usage
        found = self._keys(some, evaluation.key)
        if not found.values:
            found = Found(evaluation.allowed, How.ALLOWED) if evaluation.allowed else found
        handed_on = evaluation.passed_on or (
            isinstance(evaluation.key, Parameter) and (some.file, evaluation.key.function) in called
        )
        if not found.values and handed_on:
            found = Found((), How.PARAMETER)
        return self._told(some, usage, found, evaluation.default)

    def _told(self, some: Facts, usage: Usage, found: Found, default: Term) -> Usage:
        known = usage.default
        self._steps = 0
        if known is not None:
            values = self.resolve(some, default)
            if len(values.values) == 1:
                known = Default(True, values.values[0], known.span)
        keys = tuple(dict.fromkeys(str(each) for each in found.values))
        return replace(usage, keys=keys, how=found.how, default=known)

    def _keys(self, some: Facts, term: Term) -> Found:
        self._steps = 0
        found = self.resolve(some, term)
        if not all(isinstance(each, str) and each for each in found.values):
            return NOTHING
        return found

    # -- calls of functions that hand a key on -------------------------------------------------------------

    def _sites(self, some: Facts, called: set[tuple[str, str]]) -> list[Usage | None]:
        """Return the calls of wrappers as usages, None where a call is of something else with that name."""
        return [self._site(some, site, called) for site in some.sites]

    def _site(self, some: Facts, site: Site, called: set[tuple[str, str]]) -> Usage | None:
        if self._evaluates(some, site):
            return None
        for owner, wrapper in self._wrappers(some, site):
            called.add((owner.file, wrapper.name))
            return self._through(some, site, owner, wrapper)
        return None

    def _evaluates(self, some: Facts, site: Site) -> bool:
        """Say whether a call is one of OpenFeature's anyway."""
        if some.file not in self._calls:
            self._calls[some.file] = frozenset(each.usage.call for each in some.evaluations)
        return site.evaluation.usage.call in self._calls[some.file]

    def _wrappers(self, some: Facts, site: Site) -> Iterator[tuple[Facts, Wrapper]]:
        """Yield the wrappers that a call may mean: of its own file, of what it imports or is called on."""
        *receiver, name = site.parts
        inner = {each.evaluation for each in some.wrappers if each.name == name}
        own = [(some, each) for each in some.wrappers if each.name == name]
        for owner, wrapper in own:
            if site.evaluation.usage.enclosing.rpartition(".")[2] != name or not inner:
                yield owner, wrapper
        for owner, wrapper in self.by_name.get(name, ()):
            if owner is not some and self._means(some, site, receiver, owner, wrapper):
                yield owner, wrapper
        yield from self._imported(some, site)

    def _means(self, some: Facts, site: Site, receiver: list[str], owner: Facts, wrapper: Wrapper) -> bool:
        if family(owner.language) != family(some.language):
            return False
        last = receiver[-1] if receiver else ""
        if wrapper.owner and last and _alike(last, wrapper.owner):
            return True
        if owner.file in self._modules(some):
            return True
        near = some.language in (Language.GO, Language.JAVA, Language.CSHARP, Language.RUBY)
        if near and not receiver and some.file.rpartition("/")[0] == owner.file.rpartition("/")[0]:
            return True
        return bool(last) and SPEAKING.search(last) is not None

    def _modules(self, some: Facts) -> frozenset[str]:
        """Return the files that a file imports."""
        return frozenset(
            file
            for each in some.bindings
            for module, name in ((each.module, each.name), (f"{each.module.rstrip('.')}.{each.name}", ""))
            if module
            for file in self.sources.files.module(module, some.file, some.language, name)[:8]
        )

    def _imported(self, some: Facts, site: Site) -> Iterator[tuple[Facts, Wrapper]]:
        """Yield wrappers of files that were not told of, but are imported by name."""
        for binding in some.bindings:
            if binding.local != site.parts[0]:
                continue
            wanted = binding.name or site.parts[-1]
            for file in self.sources.files.module(binding.module, some.file, some.language, wanted):
                other = self.sources.facts(file)
                for each in () if other is None else other.wrappers:
                    if other is not None and each.name == (wanted if len(site.parts) == 1 else site.parts[-1]):
                        yield other, each

    def _through(self, some: Facts, site: Site, owner: Facts, wrapper: Wrapper) -> Usage:
        """Return the call of a wrapper as a usage of its own."""
        inner = owner.evaluations[wrapper.evaluation].usage
        usage = replace(
            site.evaluation.usage,
            types=inner.types,
            vendor=inner.vendor,
            details=inner.details,
            default=inner.default,
        )
        if isinstance(wrapper.key, Parameter):
            given = _given(site, wrapper.key)
            found = NOTHING if given is None else self._keys(some, given.term)
            how = How.WRAPPER
            if given is not None:
                usage = replace(usage, key_span=given.span)
        else:
            found, how = self._keys(owner, wrapper.key), How.ACCESSOR
        if found.values:
            found = Found(found.values, how)
        elif site.evaluation.allowed:
            found = Found(site.evaluation.allowed, How.ALLOWED)
        if isinstance(wrapper.default, Parameter) and (handed := _given(site, wrapper.default)) is not None:
            return self._told(
                some, replace(usage, default=Default(False, None, handed.span)), found, handed.term
            )
        return replace(self._told(owner, usage, found, wrapper.default), default=None)

    # -- names ---------------------------------------------------------------------------------------------

    def resolve(self, some: Facts, term: Term, hops: int = 0, seen: frozenset[object] = frozenset()) -> Found:
        """Return the values that a term may have; none where one of them is unknown."""
        self._steps += 1
        if self._steps > _STEPS:
            return NOTHING
        match term:
            case Known(value):
                return Found((value,), How.LITERAL)
            case Name():
                return self._named(some, term, hops, seen)
            case Choice(options):
                found = [self.resolve(some, each, hops, seen) for each in options]
                values = tuple(value for each in found for value in each.values)
                known = values and all(each.values for each in found)
                return Found(values[:_MOST], How.TEMPLATE) if known else NOTHING
            case Joined(parts):
                return self._together([self.resolve(some, each, hops, seen) for each in parts])
            case _:
                return NOTHING

    def _together(self, found: list[Found]) -> Found:
        texts = [""]
        for each in found:
            if not each.values or len(texts) * len(each.values) > _MOST:
                return NOTHING
            texts = [before + _written(value) for before in texts for value in each.values]
        return Found(tuple(texts), How.TEMPLATE)

    def _named(self, some: Facts, name: Name, hops: int, seen: frozenset[object]) -> Found:
        if (some.file, name) in seen or len(seen) > 64:
            return NOTHING
        seen = seen | {(some.file, name)}
        for parts in _spellings(name.parts):
            for end in range(len(name.scope), -1, -1):
                term = some.constants.get(".".join((*name.scope[:end], *parts)))
                if term is not None:
                    found = self.resolve(some, term, hops, seen)
                    if found.how is How.LITERAL:
                        return Found(found.values, How.CONSTANT)
                    if found.values or end == 0:
                        return found
            if hops < HOPS and (found := self._elsewhere(some, parts, hops + 1, seen)).values:
                return found
        return NOTHING

    def _elsewhere(self, some: Facts, parts: tuple[str, ...], hops: int, seen: frozenset[object]) -> Found:
        """Look a name up in the files that it may come from; those that disagree say nothing."""
        for candidates in self._candidates(some, parts):
            answers: set[tuple[Json, ...]] = set()
            for file, inner in candidates:
                other = self.sources.facts(file)
                if other is None:
                    continue
                found = self.resolve(other, Name(inner), hops, seen)
                if found.values:
                    answers.add(tuple(map(str, found.values)))
            if len(answers) == 1:
                return Found(answers.pop(), How.IMPORT)
        return NOTHING

    def _candidates(self, some: Facts, parts: tuple[str, ...]) -> Iterator[list[tuple[str, tuple[str, ...]]]]:
        """Yield files that a name may be of, the likeliest first, each with what it is called there."""
        for binding in some.bindings:
            if (inner := _within(binding, parts)) is not None:
                yield self._of_binding(some, binding, inner)
        files = self.sources.files
        language = some.language
        if language is Language.GO:
            if len(parts) == 1:
                yield [(file, parts) for file in files.beside(some.file)]
        elif language in (Language.JAVA, Language.CSHARP):
            end = ".java" if language is Language.JAVA else ".cs"
            for index, part in enumerate(parts[:-1]):
                yield [(file, parts[index:]) for file in files.called(part, some.file, end)]
            if language is Language.CSHARP:
                yield [(file, parts) for file in files.beside(some.file)]
        elif language is Language.RUBY:
            for part in parts:
                for stem in snake(part):
                    yield [(file, parts) for file in files.called(stem, some.file, ".rb")]

    def _of_binding(
        self, some: Facts, binding: Binding, inner: tuple[str, ...]
    ) -> list[tuple[str, tuple[str, ...]]]:
        files = self.sources.files
        wanted = inner[0] if inner else binding.name
        found = [(file, inner) for file in files.module(binding.module, some.file, some.language, wanted)]
        if some.language is Language.PYTHON and binding.name and len(inner) > 1:  # `from package import module`
            module = f"{binding.module}{'' if binding.module.endswith('.') else '.'}{binding.name}"
            found += [(file, inner[1:]) for file in files.module(module, some.file, some.language)]
        if some.language in _SCRIPTS and inner[0] != "default":  # what `module.exports` is put to
            found += [(file, ("default", *inner)) for file, _ in found]
        if some.language in (Language.JAVA, Language.CSHARP) and len(inner) > 1:
            cls = binding.module.rpartition(".")[2]
            found += [(file, (cls, *inner)) for file, _ in found]
        elif some.language in (Language.JAVA, Language.CSHARP):
            cls = binding.module.rpartition(".")[2]
            found = [(file, (cls, *inner)) for file, _ in found]
        return found


def _called(names: Iterable[str]) -> Any:
    """Return what finds calls of these names; Ruby's need no brackets."""
    any_of = "|".join(re2.escape(name) for name in sorted(set(names)))
    return re2.compile(rf"(?:^|[^0-9A-Za-z_])(?:{any_of})\s*(?:\?\.)?\s*[(<\"':]".encode())


def _whole(words: Iterable[str]) -> Any:
    """Return what finds one of these words by itself, in small letters and without underscores."""
    any_of = "|".join(re2.escape(word.replace("_", "")) for word in sorted(words))
    return re2.compile(rf"(?:^|[^0-9a-z])(?:{any_of})(?:[^0-9a-z]|$)".encode())


def _digest(places: Mapping[tuple[Family, str], set[str]]) -> bytes:
    """Return what stands for all that calls are looked for by."""
    told = sorted((kind, name, sorted(words)) for (kind, name), words in places.items())
    return blake2b(repr(told).encode(), digest_size=8).digest()


def _guards(usage: Usage, guards: Iterable[Usage | None]) -> tuple[str, ...]:
    """Return the keys of what has to be evaluated before, without those of the usage itself."""
    keys = (key for each in guards if each is not None for key in each.keys)
    return tuple(dict.fromkeys(key for key in keys if key not in usage.keys))


def _within(binding: Binding, parts: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return what a name is called in the module that it comes from; None where it does not come from it."""
    if binding.local == "*":
        return parts
    local = tuple(binding.local.split("."))
    if parts[: len(local)] != local or not binding.module:
        return None
    rest = parts[len(local) :]
    if binding.name == "default" and rest:
        return ("default", *rest)
    return (binding.name, *rest) if binding.name else (rest or None)


def _spellings(parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield a name, and without a last part that only asks for its text: `Flags.DISCOUNT.value`."""
    yield parts
    if len(parts) > 1 and parts[-1] in TAILS:
        yield parts[:-1]


def _given(site: Site, wanted: Parameter) -> Argument | None:
    """Return the argument that a parameter stands for."""
    for each in site.arguments:
        if each.name == wanted.name:
            return each
    plain = [each for each in site.arguments if not each.name]
    return plain[wanted.index] if wanted.index < len(plain) else None


def _alike(receiver: str, owner: str) -> bool:
    """Say whether a variable is named after a class: `flagService` of `FlagService`."""
    here, there = (each.replace("_", "").lower() for each in (receiver, owner))
    return bool(here) and bool(there) and (here.endswith(there) or there.endswith(here))


def _written(value: Json) -> str:
    return value if isinstance(value, str) else str(value)
