"""Documents of flagd: JSON, or YAML of the same shape, to `Definitions`.

What cannot be read at all is an error with its place. What is wrong with one flag is kept beside the others,
and is its answer: a typing error in one must not switch the others off.
"""

import re
from collections.abc import Callable, Mapping
from json import JSONDecodeError, loads
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from davy.flags.clock import wall
from davy.flags.definition import Definition, Definitions
from davy.flags.flagset import FlagSet
from davy.flags.governance import Bucketing
from davy.model.finding import BadManifest
from davy.model.source import Source, Span, join

if TYPE_CHECKING:
    from davy.model.raw import RawDocument

_DEEPEST = 64

MOST_BYTES = 64 * 2**20
"""The largest document that is read."""


def load(
    text: str | bytes,
    *,
    bucketing: Bucketing | str = Bucketing.V3,
    clock: Callable[[], float] = wall,
    file: str = "flags.json",
) -> FlagSet:
    """Read a document into a set that can be asked.

    Args:
        text: JSON, or YAML.
        bucketing: how flags draw that do not say so in their metadata.
        clock: what `$flagd.timestamp` looks at, in seconds since the epoch.
        file: what errors call it; YAML is what ends in `.yaml` or `.yml`, or does not begin with a brace.

    Raises:
        BadManifest: it is no JSON or YAML, or has no flags in it; with its place.
        UsageError: there is no such bucketing.
    """
    return FlagSet(read(text, file), bucketing=bucketing, clock=clock)


def read(text: str | bytes, file: str = "flags.json") -> Definitions:
    """Read a document.

    Raises:
        BadManifest: it is no JSON or YAML, or has no flags in it; with its place.
    """
    return Reader().read(text, file)


class Reader:
    """Reads one document after another; a flag that is written as it was before is not read again.

    A document of ten thousand flags is read anew for each of them that is toggled. JSON is read flag by flag,
    so that other threads are not stopped for as long as the whole takes.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[bytes, _Read]] = {}

    def read(self, text: str | bytes, file: str = "flags.json") -> Definitions:
        """Read a document.

        Raises:
            BadManifest: it is no JSON or YAML, or has no flags in it; with its place.
        """
        document = _decoded(text, file)
        if "flags" not in document:
            raise _misshapen(text, file, "", "DV007", "`flags` is missing")
        flags: Any = document["flags"]
        evaluators, metadata = document.get("$evaluators") or {}, document.get("metadata") or {}
        for name, value in (("flags", flags), ("$evaluators", evaluators), ("metadata", metadata)):
            if not isinstance(value, dict):
                raise _misshapen(text, file, name, "DV006", f"`{name}` has to be an object")
        if wrong := _wrong_metadata(metadata):
            raise _misshapen(text, file, "metadata", "DV006", wrong)
        known, self._known = self._known, {}
        try:
            found = {key: self._read(key, value, known) for key, value in flags.items()}
        except (ValueError, RecursionError) as error:
            raise _broken(text, file, _in_whole(text, error)) from None
        return Definitions(
            {key: each for key, (each, why) in found.items() if each is not None and not why},
            evaluators,
            metadata,
            {key: why for key, (_, why) in found.items() if why},
            {key: each for key, (each, why) in found.items() if each is not None and why},
        )

    def _read(self, key: str, value: Any, known: "Mapping[str, tuple[bytes, _Read]]") -> "_Read":
        if not isinstance(value, msgspec.Raw):
            return _read(key, value)
        written = bytes(value)
        found = known.get(key)
        if found is None or found[0] != written:
            found = written, _read(key, msgspec.json.decode(value))
        self._known[key] = found
        return found[1]


_Read: TypeAlias = tuple[Definition | None, str]
"""A flag; or why it cannot be read, with what remains of it."""


def _read(key: str, value: Any) -> _Read:
    try:
        return _definition(key, value), ""
    except ValueError as error:
        return _remains(key, value), f"flag `{key}`: {error}"


def _definition(key: str, value: Any) -> Definition:
    """Read one flag.

    Raises:
        ValueError: it is none; the message says why.
    """
    if not isinstance(value, dict):
        raise ValueError("it has to be an object")
    state, variants, targeting = value.get("state"), value.get("variants"), value.get("targeting")
    metadata = value.get("metadata") or {}
    if state not in ("ENABLED", "DISABLED"):
        raise ValueError("its `state` has to be ENABLED or DISABLED")
    if not isinstance(variants, dict) or not variants:
        raise ValueError("its `variants` have to be an object with at least one variant")
    if not _is_within(variants, _DEEPEST):
        raise ValueError(
            f"its `variants` are too deep: more than {_DEEPEST} lists and objects within each other"
        )
    if targeting and not isinstance(targeting, dict):
        raise ValueError("its `targeting` has to be an object")
    if wrong := _wrong_metadata(metadata):
        raise ValueError(wrong)
    return Definition(
        key=key,
        variants=variants,
        enabled=state == "ENABLED",
        default_variant=_default_variant(value.get("defaultVariant")),
        targeting=targeting or None,
        metadata=metadata,
    )


def _remains(key: str, value: Any) -> Definition | None:
    """Read the values and the metadata of a flag that cannot be read whole, as far as they make sense."""
    variants, metadata = (
        (value.get("variants"), value.get("metadata")) if isinstance(value, dict) else (None, None)
    )
    if not isinstance(variants, dict) or not variants or not _is_within(variants, _DEEPEST):
        return None
    said = metadata if isinstance(metadata, dict) else {}
    told = {name: each for name, each in said.items() if not _wrong_metadata({name: each})}
    return Definition(key, variants, metadata=told)


def _is_within(value: Any, depth: int) -> bool:
    """Say whether a value has no more than so many lists and objects within each other."""
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_within(item, depth - 1) for item in items)
    return True


def _default_variant(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is not None and not isinstance(value, str):
        raise ValueError("its `defaultVariant` has to be the name of a variant")
    return value or None


def _wrong_metadata(metadata: Any) -> str:
    """Say what is wrong with metadata, nothing where it is as it has to be."""
    if not isinstance(metadata, dict):
        return "its `metadata` has to be an object"
    for name, value in metadata.items():
        if not name or not isinstance(value, bool | int | float | str):
            return f"its metadata `{name}` has to be a string, a number or a boolean, with a name"
    return ""


def _decoded(text: str | bytes, file: str) -> Mapping[str, Any]:
    """Return what a document says.

    Raises:
        BadManifest: it says nothing that JSON can hold.
    """
    if len(text) > MOST_BYTES:
        raise _refused("", file, 0, "DV002", f"this is too much to read: more than {MOST_BYTES:,} bytes")
    if text.lstrip()[:1] not in ("{", b"{") or file.endswith((".yaml", ".yml")):
        return _decoded_yaml(text, file)
    try:
        document: dict[str, Any] = _in_pieces(text)
    except (ValueError, RecursionError) as error:  # ValueError: of msgspec, of UTF-8, of an endless integer
        raise _broken(text, file, error) from None
    return document


def _in_pieces(text: str | bytes) -> Any:
    """Read JSON down to the flags, each of which is left as it is written."""
    try:
        pieces = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        flags = {"flags": msgspec.json.decode(pieces.pop("flags"), type=dict[str, msgspec.Raw])}
    except (KeyError, msgspec.ValidationError):
        return msgspec.json.decode(text)  # it has another shape, which is told of elsewhere
    return {name: msgspec.json.decode(piece) for name, piece in pieces.items()} | flags


def _decoded_yaml(text: str | bytes, file: str) -> Mapping[str, Any]:
    documents = _documents(text, file)
    if len(documents) != 1:
        raise _refused(
            "", file, 0, "DV006", f"there has to be one document of flags in it, not {len(documents)}"
        )
    return documents[0].value


def _documents(text: str | bytes, file: str) -> "tuple[RawDocument, ...]":
    """Read YAML, or JSON with its places."""
    from davy.model.loader import Limits, load_raw  # an application that has JSON needs none of it

    limits = Limits(size=16 * 2**20, lines=1_000_000, depth=160, nodes=1_000_000)
    return load_raw(text, file, limits=limits)


def _broken(text: str | bytes, file: str, error: Exception) -> BadManifest:
    """Say where JSON ends to be JSON; what knows no place is the standard library's to find again."""
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if isinstance(error, RecursionError):
        return _refused(whole, file, 0, "DV002", "this is nested too deeply to be read")
    try:
        loads(whole)
    except JSONDecodeError as found:
        return _refused(whole, file, found.pos, "DV001", f"this is not JSON: {found.msg}")
    except ValueError:
        return _refused(whole, file, 0, "DV002", "an integer in it has too many digits to be read")
    at = _BYTE.search(str(error))
    offset = len(whole.encode("utf-8", "replace")[: int(at[1])].decode("utf-8", "ignore")) if at else 0
    return _refused(whole, file, offset, "DV001", f"this is not JSON: {error}")


def _in_whole(text: str | bytes, error: Exception) -> Exception:
    """Return what is wrong with a part of JSON, with its place in the whole."""
    try:
        msgspec.json.decode(text)
    except (ValueError, RecursionError) as whole:
        error = whole
    return error


def _misshapen(text: str | bytes, file: str, name: str, code: str, title: str) -> BadManifest:
    """Refuse a document for one of its fields, or for one that is not there."""
    document = _documents(text, file)[0]
    return BadManifest((document.finding(code, join("", name) if name else "", title, fix=_SHAPE),))


def _refused(text: str, file: str, offset: int, code: str, title: str) -> BadManifest:
    return BadManifest((Source(file, text).finding(code, Span(offset, offset + 1), title, fix=_SHAPE),))


_BYTE = re.compile(r"\(byte ([0-9]+)\)")
_SHAPE = 'write `{"flags": {KEY: {"state": …, "variants": …}}}` (flagd.dev/schema/v0/flags.json)'
