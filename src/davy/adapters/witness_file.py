"""The witnesses of a ledger, by name, in a file of the state directory: `witnesses.json`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from davy.adapters.files import replace
from davy.errors import Undecided, UsageError

FILE = "witnesses.json"

BRANCH = "davy-ledger"

EVERY_S = 60.0
"""Seconds between two checkpoints that a witness is given."""

_LARGEST_BYTES = 1 << 20

Seconds = Annotated[float, msgspec.Meta(ge=1, le=86400)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class GitWitness(msgspec.Struct, frozen=True, tag="git", tag_field="kind", forbid_unknown_fields=True):
    """A Git repository that checkpoints are pushed to, on a branch of their own."""

    url: str
    branch: str = BRANCH
    every_s: Seconds = EVERY_S

    def __post_init__(self) -> None:
        _check_url(self.url)
        if not self.branch or self.branch.startswith("-") or not self.branch.isprintable():
            raise ValueError(f"{self.branch!r} is no branch")


class HttpWitness(msgspec.Struct, frozen=True, tag="http", tag_field="kind", forbid_unknown_fields=True):
    """Somebody who answers add-checkpoint: a second Davy, or any other witness of C2SP.

    Args:
        url: what `/add-checkpoint` is appended to.
        key: what its cosignatures are verified with.
        ca: a file with the authority of its certificate, where that is none that this machine knows.
        every_s: how often it is given a checkpoint.
    """

    url: str
    key: str
    ca: str = ""
    every_s: Seconds = EVERY_S

    def __post_init__(self) -> None:
        _check_url(self.url)
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"{self.url!r} is no URL of http or https")


AnyWitness = GitWitness | HttpWitness


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    witnesses: dict[Name, AnyWitness] = {}


def read_witnesses(home: Path) -> dict[str, AnyWitness]:
    """Return the witnesses of a state directory; without a file there are none.

    Raises:
        UsageError: the file cannot be read.
    """
    path = home / FILE
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > _LARGEST_BYTES:
        raise UsageError(f"{path} is larger than {_LARGEST_BYTES} bytes")
    try:
        return msgspec.json.decode(content, type=_File).witnesses
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no list of witnesses: {error}", hint="davy ledger witness add") from error


def write_witnesses(home: Path, witnesses: Mapping[str, AnyWitness]) -> None:
    """Keep the witnesses of a state directory.

    Raises:
        UsageError: one has a name that cannot be one.
        Undecided: the file cannot be written.
    """
    body = msgspec.json.format(msgspec.json.encode(_File(dict(witnesses)), order="sorted"), indent=2)
    try:
        msgspec.json.decode(body, type=_File)
    except msgspec.ValidationError as error:
        hint = "a name is of small letters, digits and -, at most 63 of them"
        raise UsageError("there is a name that no witness can have", hint=hint) from error
    try:
        replace(home / FILE, body + b"\n")
    except OSError as error:
        raise Undecided(f"{home / FILE} cannot be written: {error.strerror}") from error


def _check_url(url: str) -> None:
    """Make sure that a place holds no password, and is not taken for an option or a command by Git."""
    if not url or url.startswith("-") or not url.isprintable() or "::" in url:
        raise ValueError(f"{url!r} is no place of a witness")
    if "://" in url and urlsplit(url).password is not None:
        raise ValueError(
            "a place that has a password in it: leave that to a credential helper of Git, or to TLS"
        )
