"""Looking again and again: in place on a terminal, one line a change everywhere else."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click

from davy.cli.paint import Line
from davy.cli.setting import Setting, talk
from davy.errors import TimedOut

Seen = TypeVar("Seen")

POLL_S = 0.5
"""Real seconds between two looks."""

INTERRUPTED = 130

_SECONDS = re.compile(r"\b[0-9]+ s\b")


def looks(look: Callable[[], Seen], setting: Setting, *, timeout_s: float | None = None) -> Iterator[Seen]:
    """Yield what `look` sees, now and every half second, until nobody takes it any more.

    Raises:
        TimedOut: `timeout_s` real seconds are over.
    """
    pace = setting.pace
    started = pace.now()
    while True:
        yield look()
        left = POLL_S if timeout_s is None else started + timeout_s - pace.now()
        if left <= 0:
            raise TimedOut(f"not finished within {timeout_s:g} s", hint="it goes on; nothing was changed")
        pace.sleep(min(POLL_S, left))


@contextmanager
def leaving(subject: str) -> Iterator[None]:
    """Let Ctrl-C end a watch, and say that it ended nothing else."""
    try:
        yield
    except KeyboardInterrupt:
        talk(f"\nno longer watching; {subject}")
        click.get_current_context().exit(INTERRUPTED)


def redraw(frames: Iterator[list[Line]], setting: Setting) -> None:
    """Show each frame in the place of the one before, without flicker."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    looks = {"good": "green", "bad": "red", "busy": "cyan", "wait": "yellow", "faint": "dim", "strong": "bold"}
    console = Console(no_color=setting.colored is False, highlight=False)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for frame in frames:
            picture = Text(no_wrap=True, overflow="ellipsis")
            for line in frame:
                for piece in line:
                    picture.append(piece.text, looks.get(piece.look))
                picture.append("\n")
            picture.rstrip()
            live.update(picture, refresh=True)


def print_changes(summaries: Iterator[str]) -> None:
    """Print each line that says something else than the one before."""
    last = None
    for summary in summaries:
        if is_news(last, summary):
            click.echo(summary)
        last = summary


def is_news(before: str | None, after: str) -> bool:
    """Say whether a line tells more than that another second of what is waited for has passed."""
    return before is None or _SECONDS.sub("", before) != _SECONDS.sub("", after)
