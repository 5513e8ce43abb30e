"""Where a command runs: the state directory, the namespace, colours, the pace of waiting.

This is the only file that makes sense of the environment. It imports nothing that costs start-up time.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

from davy.errors import UsageError

if TYPE_CHECKING:
    from davy.control.requests import AnyRequest
    from davy.control.views import View

    Expected = TypeVar("Expected", bound=View)

BUILD_S = 600.0
"""How long a request may take that waits for what is behind an image."""


class Pace(NamedTuple):
    """How waiting is done: a clock that never goes back, and a way to let time pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Setting(NamedTuple):
    """What all commands have in common; `wall` gives seconds since 1970 UTC."""

    home: Path
    namespace: str = "default"
    color: str = "auto"
    environment: Mapping[str, str] = {}
    pace: Pace = Pace()
    wall: Callable[[], float] = time.time
    namespace_given: bool = False

    @property
    def chosen_namespace(self) -> str:
        """The namespace that somebody asked for, empty where nobody did."""
        return self.namespace if self.namespace_given else ""

    @property
    def socket(self) -> Path:
        """Where the engine of this state directory listens."""
        return self.home / "davy.sock"

    @property
    def reports(self) -> Path:
        """Where reports of our own faults go."""
        return self.home / "reports"

    @property
    def debugging(self) -> bool:
        """Whether faults of ours show their traceback."""
        return self.environment.get("DAVY_DEBUG", "") not in ("", "0")

    @property
    def colored(self) -> bool | None:
        """Whether to colour: yes, no, or (None) where the stream is a terminal."""
        if self.color != "auto":
            return self.color == "always"
        if self.environment.get("NO_COLOR"):
            return False
        if self.environment.get("CLICOLOR_FORCE", "") not in ("", "0"):
            return True
        return False if self.environment.get("TERM") == "dumb" else None

    def ask(
        self, request: "AnyRequest", expected: "type[Expected]", *, timeout_s: float | None = None
    ) -> "Expected":
        """Ask the engine, and return an answer that is what such a request is answered with.

        Raises:
            DavyError: there is no engine, or what it says instead.
        """
        from davy.serve.client import Client

        view = Client(self.socket).ask(request, timeout_s=timeout_s)
        assert isinstance(view, expected), f"{type(request).__name__} was answered with {type(view).__name__}"
        return view


def default_home(environment: Mapping[str, str]) -> Path:
    """Return the state directory that is used when none is named.

    Raises:
        UsageError: the user has no home directory.
    """
    if state := environment.get("XDG_STATE_HOME"):
        return Path(state) / "davy"
    try:
        return Path.home() / ".local" / "state" / "davy"
    except RuntimeError as error:
        raise UsageError("there is no home directory to keep state in", hint="name one with --home") from error


def talk(text: str) -> None:
    """Say something to the person: standard error, since standard output is data."""
    if sys.stderr:
        click.echo(text, err=True)


def both_terminals() -> bool:
    """Say whether a person can be asked a question: both ends of the conversation are a terminal."""
    return bool(sys.stdin and sys.stderr and sys.stdin.isatty() and sys.stderr.isatty())


def shows_symbols() -> bool:
    """Say whether standard output can spell the tree's symbols."""
    encoding = (sys.stdout and sys.stdout.encoding) or "ascii"
    try:
        "⟳✔├│".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def from_process() -> Setting:
    """Return the setting that this process was started with, before any option."""
    return Setting(home=Path(), environment=dict(os.environ))
