"""`davy judge`: the judge as a stream, for benchmarks and for looking at what it would have said."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec

from davy.cli.options import at_home
from davy.errors import NotFound, UsageError

if TYPE_CHECKING:
    from davy.analysis.judge import Judge

Read = TypeVar("Read")


@click.command("judge")
@click.option(
    "-f", "--settings", "source", metavar="FILE", help="What differs from the default judge, as a JSON object."
)
@at_home
def command(source: str | None) -> None:
    """Judge a release that is told tick by tick, as JSON lines; needs no engine.

    Reads lines of {"t", "weight", "canary": {"n", "err", "hist"}, "stable": {…}} from standard input, each with
    what happened in its tick, and answers each with a line: the action, why, and the numbers behind it.
    """
    from davy.analysis.judge import verdict
    from davy.analysis.judge.lines import Line, begin, judge_for, tick, told

    judge, state = _settings(source), None
    encoder = msgspec.json.Encoder()
    for number, text in _lines():
        line = _read(text, Line, f"standard input:{number}")
        if state is None:
            state = begin(judge or judge_for(line), line)
        state = tick(state, line)
        click.echo(encoder.encode(told(verdict(state, line.t))))
        sys.stdout.flush()


def _settings(source: str | None) -> "Judge | None":
    from davy.analysis.judge import Judge

    if source is None:
        return None
    try:
        text = Path(source).read_bytes()
    except OSError as error:
        raise NotFound(f"{source}: cannot be read: {error.strerror}") from error
    return _read(text, Judge, source)


def _lines() -> Iterator[tuple[int, bytes]]:
    """Yield what is on standard input as soon as it is there, but for empty lines."""
    for number, text in enumerate(sys.stdin.buffer, 1):
        if text.strip():
            yield number, text


def _read(text: bytes, kind: type[Read], place: str) -> Read:
    """Read a document.

    Raises:
        UsageError: it is none of this kind.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise UsageError(f"{place}: {error}", hint="docs/reference/judge.md has the fields") from error
