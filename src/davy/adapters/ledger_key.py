"""The key that checkpoints are signed with: one for each state directory, made when it is first needed.

`ledger.key` holds it as signed notes spell it (`PRIVATE+KEY+NAME+ID+KEY`), for its owner alone; `ledger.vkey`
is what verifiers are given. The name of the key is the origin of the ledger: what a checkpoint begins with, and
what witnesses know a ledger by.

The key is shown nowhere: no error, no record, no `repr` has it.
"""

import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from davy.adapters.private_file import NotPrivate, create_once, read_private
from davy.errors import Conflict, IntegrityError, Undecided, UsageError
from davy.ledger.cosignature import witness_key as of_witness
from davy.ledger.lines import Malformed
from davy.ledger.note import PrivateKey

KEY, PUBLIC = "ledger.key", "ledger.vkey"
WITNESS_KEY, WITNESS_PUBLIC = "witness.key", "witness.vkey"

_LARGEST_BYTES = 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:/-]{0,127}", re.ASCII)

Spelt = Callable[[PrivateKey], str]


def ledger_key(home: Path, origin: str = "") -> PrivateKey:
    """Return the key of the ledger of a state directory; it is made where there never was one.

    Args:
        home: the state directory; it is there.
        origin: what the ledger is to be called, `davy.invalid/` and eight random digits unless it is given.

    Raises:
        UsageError: the origin cannot be one, or the key cannot be used.
        Undecided: the key cannot be read or written.
        Conflict: the ledger has another origin already.
        IntegrityError: there was a key, and it is gone or another one.
    """
    return _kept(home / KEY, home / PUBLIC, origin, lambda key: str(key.public))


def witness_key(home: Path, name: str = "") -> PrivateKey:
    """Return the key that a witness in this state directory cosigns with, as `ledger_key` does."""
    return _kept(home / WITNESS_KEY, home / WITNESS_PUBLIC, name, lambda key: str(of_witness(key)))


def public_key(home: Path) -> str:
    """Return what verifiers of a ledger are given, empty where there is no key yet."""
    try:
        return (home / PUBLIC).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _kept(private: Path, public: Path, name: str, spelt: Spelt) -> PrivateKey:
    """Return the key in a file, and make it where neither it nor its public half is there."""
    if name and not _NAME.fullmatch(name):
        hint = "letters, digits and . _ ~ : / - , at most 128 of them, as in ledger.example.com/payments"
        raise UsageError(f"{name!r} cannot be the name of a key", hint=hint)
    try:
        key = _read(private) or _made(private, public, name)
        if not os.path.lexists(public):
            create_once(public, f"{spelt(key)}\n".encode(), mode=0o644)
        known = public.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise Undecided(f"{private} cannot be kept or read: {error.strerror or error}") from error
    if known != spelt(key):
        raise IntegrityError(
            f"{private} is not the key that {public.name} is of: one of them was replaced",
            hint=_another(private, public),
        )
    if name not in ("", key.name):
        raise Conflict(
            f"the key in {private.parent} is called {key.name}, and not {name}",
            hint="a name is given once: whoever verifies knows a ledger by it",
        )
    return key


def _read(path: Path) -> PrivateKey | None:
    """Read a key; None where there is no such file."""
    try:
        content = read_private(path, str(path), largest=_LARGEST_BYTES)
        return PrivateKey.read(content.decode("ascii", "replace"))
    except FileNotFoundError:
        return None
    except NotPrivate as error:
        raise UsageError(f"{path} {error.why}", hint=error.mend) from None
    except Malformed as error:
        # Not even as a cause: what was read may be a key with one wrong character.
        raise UsageError(f"{path} holds no key: {error.message}", hint="put it back from a copy") from None


def _made(private: Path, public: Path, name: str) -> PrivateKey:
    """Make a key, unless there was one."""
    if os.path.lexists(public):
        if (found := _read(private)) is not None:
            return found  # somebody has made it meanwhile
        raise IntegrityError(
            f"{private} is gone, and there was one: {public.name} verifies what was signed with it",
            hint=f"put it back from a copy; {_another(private, public)}",
        )
    made = PrivateKey(name or f"davy.invalid/{secrets.token_hex(4)}", secrets.token_bytes(32))
    create_once(private, f"{made.spell()}\n".encode())
    found = _read(private)  # of two who make one at once, both have the first one's
    assert found is not None, "it was made"
    return found


def _another(private: Path, public: Path) -> str:
    """Say how to go on with another key."""
    return (
        f"to go on with another key, move {private.name} and {public.name} away: "
        "whoever verifies or witnesses has to be given the new one"
    )
