"""`davy waiver …`: ask for, approve, revoke and list waivers."""

from typing import Any

import click

from davy.cli.options import Command, common, output, reason, required_reason
from davy.cli.output import as_yaml, show_data, show_view
from davy.cli.setting import Setting, talk
from davy.control.requests import (
    ApproveWaiver,
    AskWaiver,
    ReviewWaiver,
    RevokeWaiver,
    Waivers,
    WaiverStep,
)
from davy.control.views import WaiverList, WaiverStepView, WaiverView
from davy.errors import NotFound, UsageError
from davy.model.duration import BadDuration, parse_duration
from davy.model.instant import BadInstant, lasting, parse_instant

_DAY_S = 86400.0


@click.group("waiver")
def command() -> None:
    """Ask for, approve, revoke and list waivers: the one way past a rule, and it ends."""


def _asking(command: Command) -> Command:
    """Let a command name a rule, an object and why."""
    for option in (
        click.option("--ticket", default="", metavar="TEXT", help="Where it is followed up."),
        reason,
        click.option(
            "-f",
            "--filename",
            "source",
            metavar="FILE",
            help="The manifest that it is for, as it will be applied.",
        ),
        click.option("--kind", default="Rollout", show_default=True, help="The kind of the object."),
        click.option("--scope", "name", required=True, metavar="NAME", help="The one object that it is for."),
        click.argument("rule"),
    ):
        command = option(command)
    return command


@command.command("request")
@_asking
@click.option("--for", "lasts", metavar="DURATION", help="For how long, e.g. 48h.")
@click.option("--until", metavar="INSTANT", help="Until when, e.g. 2026-03-01T12:00:00Z.")
@click.option("--uses", type=click.IntRange(0), default=0, help="How often; any number of times without it.")
@output("text", "json", "yaml")
@common
@click.pass_obj
def request(
    setting: Setting,
    rule: str,
    name: str,
    kind: str,
    source: str | None,
    reason: str,
    ticket: str,
    lasts: str | None,
    until: str | None,
    uses: int,
    form: str,
) -> None:
    """Ask to pass RULE with one object as it stands. It counts once somebody else approves it.

    The object is the one that the engine holds; with -f it is the one in the file, which stays as it is.
    """
    if (lasts is None) == (until is None):
        raise UsageError("a waiver ends at one time", hint="--for 48h, or --until 2026-03-01T12:00:00Z")
    asked = AskWaiver(
        rule=rule,
        kind=kind,
        namespace=setting.namespace,
        name=name,
        reason=required_reason(reason, "pass a rule"),
        ticket=_required_ticket(ticket),
        for_s=None if lasts is None else _seconds(lasts),
        until=None if until is None else _instant(until),
        uses=uses,
        object=_manifest(source, kind, setting.namespace, name),
    )
    _step(setting, asked, form)


@command.command("break-glass")
@_asking
@output("text", "json", "yaml")
@common
@click.pass_obj
def break_glass(
    setting: Setting,
    rule: str,
    name: str,
    kind: str,
    source: str | None,
    reason: str,
    ticket: str,
    form: str,
) -> None:
    """Pass RULE alone and at once, for one hour. It is loud, and somebody else reviews it within a day."""
    asked = AskWaiver(
        rule=rule,
        kind=kind,
        namespace=setting.namespace,
        name=name,
        reason=required_reason(reason, "break glass"),
        ticket=_required_ticket(ticket),
        for_s=3600.0,
        object=_manifest(source, kind, setting.namespace, name),
        break_glass=True,
    )
    _step(setting, asked, form)


@command.command("approve")
@click.argument("id")
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def approve(setting: Setting, id: str, reason: str, form: str) -> None:
    """Agree to what somebody else asks for, word for word. Nobody approves their own."""
    _step(setting, ApproveWaiver(id, reason), form)


@command.command("revoke")
@click.argument("id")
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def revoke(setting: Setting, id: str, reason: str, form: str) -> None:
    """End a waiver early; its rule counts again at once."""
    _step(setting, RevokeWaiver(id, required_reason(reason, "revoke a waiver")), form)


@command.command("review")
@click.argument("id")
@click.option("--reason", default="", metavar="TEXT", help="What came of it; goes into the record.")
@output("text", "json", "yaml")
@common
@click.pass_obj
def review(setting: Setting, id: str, reason: str, form: str) -> None:
    """Say that you have looked at why somebody else broke glass."""
    _step(setting, ReviewWaiver(id, reason), form)


@command.command("list")
@output("text", "json", "yaml")
@common
@click.pass_obj
def list_(setting: Setting, form: str) -> None:
    """List all waivers, the first to end first."""
    _show(setting.ask(Waivers(), WaiverList), form, "there are no waivers")


@command.command("expiring")
@click.option("--within", default="7d", show_default=True, metavar="DURATION", help="How far ahead to look.")
@output("text", "json", "yaml")
@common
@click.pass_obj
def expiring(setting: Setting, within: str, form: str) -> None:
    """List the waivers in force that end soon."""
    found = setting.ask(Waivers(within_s=_seconds(within)), WaiverList)
    _show(found, form, f"no waiver ends within {within}")


@command.command("export")
@output("yaml", "json")
@common
@click.pass_obj
def export(setting: Setting, form: str) -> None:
    """Print the waivers in force as manifests, for `davy check --waivers`."""
    found = [item.manifest for item in setting.ask(Waivers(), WaiverList).items if item.state == "in force"]
    if form == "json":
        show_data({"apiVersion": "v1", "kind": "List", "items": found}, form)
    else:
        click.echo("---\n".join(as_yaml(each) for each in found), nl=False)
    if not found:
        talk("no waiver is in force")


def _step(setting: Setting, asked: WaiverStep, form: str) -> None:
    """Have the engine take a step, and say what came of it."""
    view = setting.ask(asked, WaiverStepView)
    if form != "text":
        show_view(view, form)
        return
    click.echo(view.message)
    item = view.waiver
    talk(f"  reason    {item.reason} ({item.ticket})")
    talk(f"  content   {item.digest}")
    talk(f"  ends      {item.expires_at}, in {lasting(item.seconds_left)}")
    if item.state == "waiting":
        talk(f"somebody other than {item.requester} runs: davy waiver approve {item.id}")
    elif item.break_glass and not item.reviewed_by:
        talk(f"somebody other than {item.requester} runs: davy waiver review {item.id}")


def _show(found: WaiverList, form: str, nothing: str) -> None:
    """Print waivers."""
    if form != "text":
        show_view(found, form)
        return
    for item in found.items:
        click.echo(_line(item))
    if not found.items:
        talk(nothing)


def _line(item: WaiverView) -> str:
    """Write a waiver as a line: which, how it stands, for what, until when, who and why."""
    where = f"{item.namespace}/{item.name}" if item.namespace else item.name
    left = f"{lasting(item.seconds_left)} left" if item.seconds_left else f"ended {item.expires_at}"
    uses = f", used {item.used} of {item.uses}" if item.uses else ""
    who = item.requester + (f", approved by {item.approver}" if item.approver and not item.break_glass else "")
    glass = "  GLASS BROKEN" if item.break_glass else ""
    if item.review_overdue:
        glass += ", its review is overdue"
    elif item.reviewed_by:
        glass += f", reviewed by {item.reviewed_by}"
    return (
        f"{item.id}  {item.state}  {item.rule} on {item.object_kind} {where}  {left}{uses}"
        f"  by {who}: {item.reason} ({item.ticket}){glass}"
    )


def _required_ticket(given: str) -> str:
    """Return the ticket.

    Raises:
        UsageError: there is none.
    """
    if not given.strip():
        raise UsageError(
            "--ticket is missing: an exception is followed up somewhere", hint="--ticket OPS-17, or a link"
        )
    return given.strip()


def _seconds(text: str) -> float:
    """Read how long something lasts; `7d` is seven times 24 hours.

    Raises:
        UsageError: it is no duration.
    """
    try:
        days = text.removesuffix("d")
        return int(days) * _DAY_S if days != text and days.isdecimal() else parse_duration(text)
    except (BadDuration, OverflowError, ValueError) as error:
        raise UsageError(f"{text!r} is no duration", hint="write 30m, 48h or 7d") from error


def _instant(text: str) -> float:
    """Read an instant.

    Raises:
        UsageError: it has no time or no zone.
    """
    try:
        return parse_instant(text)
    except BadInstant as error:
        raise UsageError(f"{text!r}: {error}", hint="--until 2026-03-01T12:00:00Z") from error


def _manifest(source: str | None, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
    """Read the manifest that a waiver is to be for.

    Raises:
        DavyError: there is none in the file, or the file cannot be read.
    """
    if source is None:
        return None
    from davy.cli.manifests import read_manifests
    from davy.control.judging import object_of
    from davy.model.loader import load_all

    loaded = load_all(read_manifests([source]), raw=True)
    loaded.raise_for_errors()
    for document in loaded.raw:
        found = object_of(document, namespace)  # as `check` and `apply` take it with the same -n
        metadata = found.get("metadata") or {}
        where = metadata.get("namespace") or "default"
        if (found.get("kind"), where, metadata.get("name")) == (kind, namespace, name):
            return dict(found)
    raise NotFound(
        f"there is no {kind} {namespace}/{name} in {source}", hint="--kind, --scope and -n say which"
    )
