"""What was found in files before, by their contents; a cache that is not whole is thrown away."""

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from davy import __version__
from davy.adapters.files import replace
from davy.adapters.source_tree import Stat
from davy.flags.lint.terms import Facts

VERSION = f"3 {__version__}"
"""Changes with what is found; what another version found is not taken over."""

SETTLE_NS = 2_000_000_000
"""A file that changed so shortly before it was looked at may change again and have the same time."""


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was; `digest` is empty where there was nothing to find."""

    size: int
    changed_ns: int
    inode: int
    digest: bytes
    names: bytes


class Kept(msgspec.Struct, array_like=True):
    """All that is kept."""

    version: str = VERSION
    files: dict[str, Seen] = {}
    facts: dict[bytes, msgspec.Raw] = {}


class LintCache:
    """One file, or nothing but memory where there is no `path`.

    Runs at the same time are safe: each reads a whole file and puts a whole one in its place.
    """

    def __init__(self, path: Path | None, settle_ns: int = SETTLE_NS) -> None:
        self._path = path
        self._kept = Kept() if path is None else _load(path)
        self._decoded: dict[bytes, Facts] = {}
        self._fresh: dict[bytes, Facts] = {}
        self._files: dict[str, Seen] = {}
        self._settled = time.time_ns() - settle_ns

    def seen(self, name: str, stat: Stat, names: bytes) -> bytes | None:
        """Return the digest of a file that is as it was, and was read with the same wrappers in mind."""
        found = self._files.get(name) or self._kept.files.get(name)
        if found is None or found.names != names or (found.size, found.changed_ns, found.inode) != stat:
            return None
        self._files[name] = found
        return found.digest

    def keep(self, name: str, stat: Stat, names: bytes, digest: bytes) -> None:
        """Keep what a file held."""
        if stat.changed_ns <= self._settled:
            self._files[name] = Seen(*stat, digest, names)

    def facts(self, digest: bytes) -> Facts | None:
        """Return what was found in a text."""
        if (fresh := self._fresh.get(digest)) is not None:
            return fresh
        if digest not in self._decoded and (raw := self._kept.facts.get(digest)) is not None:
            with suppress(msgspec.DecodeError, msgspec.ValidationError):
                self._decoded[digest] = msgspec.msgpack.decode(raw, type=Facts)
        return self._decoded.get(digest)

    def add(self, digest: bytes, facts: Facts) -> None:
        """Keep what was found in a text."""
        self._fresh[digest] = facts

    def save(self) -> None:
        """Write it, unless nothing is new; a place that cannot be written to is not worth a failure."""
        if self._path is None or (not self._fresh and self._files.items() <= self._kept.files.items()):
            return
        files = {**self._kept.files, **self._files}
        facts = {**self._kept.facts, **{key: msgspec.Raw(_encode(each)) for key, each in self._fresh.items()}}
        used = {each.digest for each in files.values()}
        kept = Kept(
            VERSION, files, {key: raw for key, raw in facts.items() if key in used or key in self._fresh}
        )
        body = _encode(kept)
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            replace(
                self._path, hashlib.blake2b(body, digest_size=16).digest() + body, durable=False, beside=beside
            )


def digest_of(name: str, text: bytes, names: bytes) -> bytes:
    """Return what a text is kept by: its name says how it is read, and places carry it."""
    hashed = hashlib.blake2b(text, digest_size=16, key=names)
    hashed.update(b"\0" + os.fsencode(name))
    return hashed.digest()


def _load(path: Path) -> Kept:
    """Read a cache; one that is not whole, or another version's, is empty."""
    try:
        body = path.read_bytes()
        if hashlib.blake2b(body[16:], digest_size=16).digest() != body[:16]:
            return Kept()
        kept = msgspec.msgpack.decode(memoryview(body)[16:], type=Kept)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return Kept()
    return kept if kept.version == VERSION else Kept()


def _encode(value: object) -> bytes:
    return msgspec.msgpack.encode(value)
