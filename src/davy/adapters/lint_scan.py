"""Read a tree of code for flags: what may hold some is parsed, and what is as it was is not even read."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from davy.adapters.lint_cache import SETTLE_NS, LintCache, digest_of
from davy.adapters.source_tree import SourceTree, Stat, Unread
from davy.flags.lint.extract import extract
from davy.flags.lint.linking import Calls, link, wrappers_of
from davy.flags.lint.modules import Files
from davy.flags.lint.prefilter import may_hold
from davy.flags.lint.terms import Facts
from davy.flags.lint.usage import Scan

_IN_MEMORY = 256_000_000
"""Bytes of texts that are not read again where calls of wrappers are looked for."""


class Scanned(NamedTuple):
    """What a tree holds: a scan for every file with something in it, and how many files there were."""

    scans: list[Scan]
    files: int
    unread: list[Unread]


def scan_tree(
    tree: SourceTree, *, cache: Path | None = None, since: str = "", settle_ns: int = SETTLE_NS
) -> Scanned:
    """Scan the code of a tree.

    Args:
        tree: which files.
        cache: a file that keeps what was found; None for none.
        since: a commit: only files that differ from it are told of. Constants and wrappers that they use are
            looked up in the others.
        settle_ns: how long ago a file has to have changed last to be known again without being read.
    """
    return _Scanner(tree, LintCache(cache, settle_ns)).scan(tree.changed(since) if since else None)


class _Scanner:
    """One run; it is the `Sources` of the linker, too."""

    def __init__(self, tree: SourceTree, cache: LintCache) -> None:
        self._tree = tree
        self._cache = cache
        self._texts: dict[str, bytes] = {}
        self._room = _IN_MEMORY
        self._stats: dict[str, Stat] = {}
        self._facts: dict[str, Facts | None] = {}
        self._no_names = b""
        self._index: Files | None = None

    @property
    def files(self) -> Files:
        """The names of all files."""
        if self._index is None:
            self._index = Files(self._tree.names)
        return self._index

    def facts(self, file: str) -> Facts | None:
        """Return what a file says, whether or not it evaluates anything."""
        if file not in self._facts:
            self._facts[file] = self._look(file, always=True)
        return self._facts[file]

    def scan(self, changed: list[str] | None) -> Scanned:
        """Look at all files, or at those that changed."""
        names = self._tree.names if changed is None else changed
        self._stats = dict(self._tree.stats(names))
        found = [facts for name in self._stats if (facts := self._look(name, always=False)) is not None]
        calls = Calls(wrappers_of(found) if changed is None else self._wrappers_near(found))
        scans = link(self._again(found, calls) if calls.names else found, self)
        self._cache.save()
        return Scanned([each for each in scans if _says(each)], len(self._stats), self._tree.unread)

    def _look(self, name: str, *, always: bool) -> Facts | None:
        """Return what a file says by itself; None where nothing is to be found, unless wanted anyway."""
        stat = self._stats.get(name) or next((each for _, each in self._tree.stats([name])), None)
        if stat is None:
            return None
        digest = self._cache.seen(name, stat, self._no_names)
        if digest and (known := self._cache.facts(digest)) is not None:
            return known
        if digest == b"" and not always:
            return None
        text = self._text(name)
        if not always and not may_hold(text):
            self._cache.keep(name, stat, self._no_names, b"")
            return None
        return self._read(name, stat, text, frozenset(), self._no_names)

    def _read(self, name: str, stat: Stat, text: bytes, names: frozenset[str], key: bytes) -> Facts | None:
        digest = digest_of(name, text, key)
        facts = self._cache.facts(digest)
        if facts is None and (facts := extract(text, name, names)) is not None:
            self._cache.add(digest, facts)
        self._cache.keep(name if key == self._no_names else f"{name}\0", stat, key, digest)
        return facts

    def _again(self, found: Iterable[Facts], calls: Calls) -> list[Facts]:
        """Look for calls of wrappers in every file, those with nothing else in them included."""
        before = {each.file: each for each in found}
        key = calls.digest
        facts = []
        for name, stat in self._stats.items():
            digest = self._cache.seen(f"{name}\0", stat, key)
            if digest is None:
                text = self._text(name)
                if calls.may_be_in(name, text):
                    again = self._read(name, stat, text, calls.names, key)
                else:
                    again = before.get(name)
                    self._cache.keep(f"{name}\0", stat, key, b"")
            else:
                again = self._cache.facts(digest) if digest else before.get(name)
                if digest and again is None:
                    again = self._read(name, stat, self._text(name), calls.names, key)
            if again is not None:
                facts.append(again)
        return facts

    def _wrappers_near(self, found: list[Facts]) -> list[Facts]:
        """Return files with wrappers that files which changed may call: themselves, and what they import."""
        near = {each.file: each for each in found}
        for name in list(self._stats)[:500]:
            facts = near.get(name) or extract(self._text(name), name)
            for binding in () if facts is None else facts.bindings:
                for file in self.files.module(binding.module, name, facts.language, binding.name)[:4]:  # type: ignore[union-attr]
                    if file not in near and (other := self._look(file, always=False)) is not None:
                        near[file] = other
        return wrappers_of(near.values())

    def _text(self, name: str) -> bytes:
        if (text := self._texts.get(name)) is None:
            text = self._tree.read(name)
            if self._room > len(text):
                self._room -= len(text)
                self._texts[name] = text
        return text


def _says(scan: Scan) -> bool:
    return bool(scan.usages or scan.providers or scan.imports or scan.attributes)
