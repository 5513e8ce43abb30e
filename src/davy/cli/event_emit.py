"""`davy event emit`: write down that a change or an incident happened."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from davy.cli.options import common, output, store
from davy.cli.output import show_view
from davy.cli.setting import Setting
from davy.control.emitting import MOST, BadEmission, drafts_of, number_of, tell
from davy.control.hooks.cloudevents import KINDS
from davy.control.requests import Emit
from davy.control.views import EmitView, EventView
from davy.errors import Conflict, NotFound, UsageError
from davy.model.instant import BadInstant, parse_instant
from davy.reports.cloudevents import LONGEST

PREFIX = "dev.davy."
TYPES = {name.removeprefix(PREFIX): name for name in KINDS}
"""Types of events as they are named here, without what they all begin with."""


@click.command("emit")
@click.argument("what", metavar="TYPE", required=False, default="")
@click.option("--service", default="", help="The service that it is about.")
@click.option("--change", default="", metavar="REPO@COMMIT", help="The change that it is about.")
@click.option("--incident", default="", metavar="NAME", help="The incident that it is about.")
@click.option("--environment", default="", metavar="NAME", help="Where it happened; production without it.")
@click.option("--target", default="", metavar="NAME", help="The cluster or region.")
@click.option("--rollout", default="", metavar="NAME", help="The rollout that it is part of.")
@click.option("--attempt", type=click.IntRange(1), help="How often the change has been tried.")
@click.option("--kind", default="", help="What is changed: code, config, flag, migration, infra, rollback.")
@click.option("--weight", type=click.FloatRange(0, 100), metavar="PERCENT", help="The share of the users.")
@click.option("--audience", default="", help="Who meets it: users, internal, shadow, synthetic.")
@click.option("--remediates", default="", metavar="COMMIT", help="The change that this one mends or reverts.")
@click.option("--cause", default="", metavar="TEXT", help="Why it was rolled back, or what the incident is.")
@click.option("--team", default="", metavar="NAME", help="Whose service it is.")
@click.option(
    "--at", default="", metavar="INSTANT", help="When it happened, as 2026-03-01T12:00:00Z; now without it."
)
@click.option("--id", "name", default="", help="What to know it by when it is told again; needs --at.")
@click.option("--source", default="", metavar="URI", help="Who says so.  [default: davy/USER]")
@click.option("-f", "--filename", "file", metavar="FILE|-", help="CloudEvents in JSON, one a line.")
@output("text", "json", "yaml")
@store
@common
@click.pass_obj
def command(
    setting: Setting,
    /,
    what: str,
    change: str,
    at: str,
    name: str,
    source: str,
    file: str | None,
    form: str,
    store: str,
    **data: Any,
) -> None:
    """Write down that a change or an incident happened, and say what became of it.

    TYPE is change.created, .merged, .exposed, .promoted, .rolled_back or .aborted_unexposed, incident.opened or
    incident.restored. It goes to the engine where one runs, and into the record of the state directory itself
    where none does. Told twice, an event is written once.
    """
    given = [each for each in (what, change, at, name, source, *data.values()) if each not in ("", None)]
    if file is not None:
        if given:
            raise UsageError("a file says everything of its events", hint="leave out everything but -f FILE")
        pages = _pages(file)
    else:
        pages = iter([(0, [_event(what, change, at, name, source, data)])])
    told: list[EventView] = []
    for first, events in pages:
        told += _told(setting, store, events, f"{file}:" if file else "event ", first).events
    view = EmitView(events=tuple(told))
    if form == "text":
        for each in view.events:
            click.echo(f"#{each.seq}  {each.outcome}  {each.kind}  {each.subject}")
    else:
        show_view(view, form)
    if refused := [each for each in view.events if each.outcome == "refused"]:
        raise Conflict(
            f"{len(refused)} of {len(view.events)} events say something else than what has their name",
            hint=f"davy record --after {refused[0].seq - 1} shows why",
        )


def _event(what: str, change: str, at: str, name: str, source: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the event that options describe.

    Raises:
        UsageError: they describe none.
    """
    kind = TYPES.get(what.removeprefix(PREFIX).replace("change_", "change.").replace("incident_", "incident."))
    if kind is None:
        raise NotFound(f"there is no event {what!r}" if what else "TYPE is missing", hint=", ".join(TYPES))
    if name and not at:
        raise UsageError(
            "--id needs --at: told again later it would say another time, and contradict itself",
            hint="--at 2026-03-01T12:00:00Z",
        )
    fields = {each: value for each, value in data.items() if value not in ("", None)}
    if change:
        repo, _, commit = change.rpartition("@")
        if not repo or not commit:
            raise UsageError(f"{change!r} is no change", hint="--change github.com/acme/payments@COMMIT")
        fields = {"change": {"repo": repo, "commit": commit}, **fields}
    event: dict[str, Any] = {"type": kind, "data": fields}
    for field, value in (("id", name), ("source", source), ("time", _instant(at))):
        event |= {field: value} if value else {}
    return event


def _instant(text: str) -> str:
    try:
        parse_instant(text or "1970-01-01T00:00:00Z")
    except BadInstant as error:
        raise UsageError(f"--at is {text!r}: {error}") from error
    return text


def _pages(file: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Read events, some at a time, with how many lines there were before them.

    Raises:
        UsageError: the file cannot be read, or a line of it is no JSON object.
    """
    try:
        if file == "-":
            yield from _read(sys.stdin.buffer, "-")
            return
        with Path(file).open("rb") as stream:
            yield from _read(stream, file)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _read(stream: IO[bytes], file: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    page: list[dict[str, Any]] = []
    first = number = 0
    while line := stream.readline(LONGEST + 2):
        number += 1
        if len(line) > LONGEST + 1:
            raise BadEmission(f"{file}:{number}: an event has at most {LONGEST} bytes")
        try:
            page.append(msgspec.json.decode(line, type=dict[str, Any]))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadEmission(f"{file}:{number}: {error}") from None
        if len(page) == MOST // 10:
            yield first, page
            first, page = number, []
    if page:
        yield first, page


def _told(setting: Setting, url: str, events: list[dict[str, Any]], name: str, first: int) -> EmitView:
    """Tell events to the engine, or write them into the record where none runs."""
    from davy.serve.client import NotRunning
    from davy.serve.socket import Peer

    me = str(Peer(os.getuid()))
    now = setting.wall()
    # What is wrong is told by its line, and before anything of it is told to anybody.
    drafts = drafts_of(
        events, me, authenticated=f"this machine, {number_of(me)}", now=now, name=name, first=first
    )
    if not url:
        try:
            return setting.ask(Emit(tuple(events)), EmitView)
        except NotRunning:
            pass
    from davy.cli.stores import open_store

    if not (url or setting.home.is_dir()):
        raise NotFound(f"there is no record in {setting.home}", hint="davy up makes one, --home names another")
    kept = open_store(setting.home, url)
    try:
        return tell(kept, drafts)
    finally:
        kept.close()
