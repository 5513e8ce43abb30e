"""The other end of the Unix socket: asks a running engine, and raises what it refuses as the error it is."""

import socket
from contextlib import suppress
from pathlib import Path

import msgspec

from davy import errors
from davy.control.requests import AnyRequest
from davy.control.views import AnyView, ErrorView
from davy.errors import DavyError, NotPermitted, Undecided, UsageError
from davy.serve.lines import LONGEST, Lines, address, send_line


class NoEngine(Undecided):
    """Nobody listens at the socket, or whoever does gives no answer."""

    code = "no-engine"


class NotRunning(NoEngine):
    """Nobody listens at the socket."""


class Client:
    """Asks the engine that listens at `path`. Every question has a connection of its own."""

    def __init__(self, path: Path, *, timeout_s: float = 30.0) -> None:
        self.path, self._timeout_s = path, timeout_s
        self._decoder: msgspec.json.Decoder[AnyView] = msgspec.json.Decoder(AnyView)

    def ask(self, request: AnyRequest, *, timeout_s: float | None = None) -> AnyView:
        """Send a request and return the answer.

        Raises:
            NoEngine: no engine listens there, or it did not answer within `timeout_s` real seconds.
            DavyError: the engine's own refusal, with its code, exit code and hint.
        """
        line = msgspec.json.encode(request)
        if len(line) > LONGEST:
            raise UsageError(f"this is too much for one request: {len(line)} of at most {LONGEST} bytes")
        seconds = self._timeout_s if timeout_s is None else timeout_s
        reply = self._exchange(line, seconds)
        if reply is None:
            raise NoEngine("the engine ended before it answered", hint="davy up starts it again")
        try:
            view = self._decoder.decode(reply)
        except msgspec.DecodeError as error:
            hint = "is this davy as new as the engine? davy version names both"
            raise NoEngine(f"the engine's answer cannot be read: {error}", hint=hint) from error
        if isinstance(view, ErrorView):
            raise revived(view)
        return view

    def _exchange(self, line: bytes, seconds: float) -> bytes | None:
        """Send a line and return the one that comes back, None when the engine hung up."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                self._connect(connection, seconds)
                # It may refuse before it has read all of it, and what it says is still to be read then.
                with suppress(BrokenPipeError, ConnectionResetError):
                    send_line(connection, line, seconds=seconds)
                return Lines(connection, longest=None, seconds=seconds).read()
            except TimeoutError as error:
                hint = "davy doctor looks for what is wrong with it"
                raise NoEngine(f"the engine did not answer within {seconds:g} s", hint=hint) from error
            except (ConnectionResetError, UsageError):
                return None

    def _connect(self, connection: socket.socket, seconds: float) -> None:
        """Reach the engine, or say what is in the way."""
        connection.settimeout(seconds)
        try:
            with address(self.path) as short:
                connection.connect(short)
        except PermissionError as error:
            hint = "ask as the user who started it"
            raise NotPermitted(f"not allowed to reach the engine at {self.path}", hint=hint) from error
        except TimeoutError:
            raise
        except BlockingIOError as error:
            raise NoEngine("the engine has more callers than it takes", hint="ask again in a moment") from error
        except OSError as error:
            raise NotRunning(f"no engine listens at {self.path}", hint="davy up starts one") from error


def revived(view: ErrorView) -> DavyError:
    """Make the error that an engine met anew, of the class that has its exit code."""
    known = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DavyError)]
    same = [kind for kind in known if (kind.code, kind.exit_code) == (view.code, view.exit_code)]
    if same:
        return same[0](view.message, hint=view.hint)
    near = [kind for kind in known if kind.exit_code == view.exit_code and kind is not DavyError]
    names = {"code": view.code, "exit_code": view.exit_code, "__module__": __name__}
    kind: type[DavyError] = type("Revived", (near[0] if near else DavyError,), names)
    return kind(view.message, hint=view.hint)
