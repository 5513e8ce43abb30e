"""The tokens of a server of flags in a file that only its owner may read; of each secret it has a hash."""

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from davy.adapters.files import replace
from davy.adapters.private_file import NotPrivate, create_once, read_private
from davy.errors import Conflict, NotFound, NotPermitted, Undecided, UsageError
from davy.flags.token import Token, Tokens

PREFIX = "davyf_"
"""What every secret begins with, so that whoever scans for secrets that leaked knows one."""

_LARGEST_BYTES = 1 << 20


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tokens: tuple[Token, ...] = ()


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Return the tokens of a file; without a file there are none.

    Raises:
        NotPermitted: others may read or change it.
        UsageError: it cannot be read.
    """
    try:
        content = read_private(path, str(path), largest=_LARGEST_BYTES, follow=True)
    except FileNotFoundError:
        return ()
    except NotPrivate as error:
        raise NotPermitted(f"{path} {error.why}", hint=error.mend) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return msgspec.json.decode(content, type=_File).tokens
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no list of tokens: {error}", hint="davy flag token new") from error


def new_secret() -> str:
    """Draw a secret that nobody guesses."""
    return PREFIX + secrets.token_urlsafe(32)


def add_token(path: Path, token: Token) -> None:
    """Put a token into a file, which is made where it is not there.

    Raises:
        Conflict: there is one of that name.
        UsageError: a name, a key or an origin cannot be one, or the file cannot be read.
        DavyError: the file may be read by others, or cannot be written.
    """
    with _alone(path):
        tokens = read_tokens(path)
        if any(each.name == token.name for each in tokens):
            raise Conflict(
                f"there is a token {token.name} already", hint=f"davy flag token revoke {token.name}"
            )
        _write(path, [*tokens, token])


def revoke_token(path: Path, name: str) -> None:
    """Take a token out of a file.

    Raises:
        NotFound: there is none of that name.
        DavyError: the file cannot be read or written.
    """
    with _alone(path):
        tokens = read_tokens(path)
        left = [each for each in tokens if each.name != name]
        if len(left) == len(tokens):
            known = ", ".join(each.name for each in tokens) or "none"
            raise NotFound(f"there is no token {name}", hint=f"there are: {known}")
        _write(path, left)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others from changing the file meanwhile: of two who write what they read, one would be lost.

    A token that is lost is asked for again; one that was revoked and comes back lets somebody in.

    Raises:
        Undecided: it cannot be locked.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Undecided(f"{path} cannot be locked: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(path: Path, tokens: Sequence[Token]) -> None:
    body = msgspec.json.format(msgspec.json.encode(_File(tuple(tokens))), indent=2) + b"\n"
    try:
        msgspec.json.decode(body, type=_File)
    except msgspec.ValidationError as error:
        raise UsageError(f"that cannot be a token: {error}", hint="davy flag token new --help") from error
    try:
        if create_once(path, body):
            return
        beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        create_once(beside, b"")  # it is nobody else's to read from its first byte
        replace(path, body, beside=beside)
    except OSError as error:
        raise Undecided(f"{path} cannot be written: {error.strerror}") from error


class TokenFile:
    """The tokens of a file as they are now: read again when it changes, kept as they were while it cannot be.

    That a file cannot be read must not cut off those whom a kill has yet to reach; `doubt` says so.

    Raises:
        DavyError: the file cannot be read at first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._state()
        self.tokens = Tokens(read_tokens(path))
        self.doubt = ""

    def look(self) -> None:
        """Read the file again if it is another one than it was."""
        state = self._state()
        if state == self._seen and not self.doubt:
            return
        try:
            self.tokens = Tokens(read_tokens(self._path))
        except (NotPermitted, UsageError) as error:
            self.doubt = f"the tokens are those of before: {error.message}"
            return
        self._seen, self.doubt = state, ""

    def _state(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode, found.st_ctime_ns
