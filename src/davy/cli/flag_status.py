"""`davy flag status`: what users get, why, and who has heard of it."""

from collections.abc import Iterator

import click

from davy.cli.ages import age
from davy.cli.flag_steps import heard
from davy.cli.options import common, output
from davy.cli.output import show_lines, show_view
from davy.cli.paint import Line, span
from davy.cli.setting import Setting, talk
from davy.control.requests import FlagList, FlagStatus
from davy.control.views import FlagListView, FlagView

MOST_ROWS = 20


@click.command("status")
@click.argument("key", required=False)
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, key: str | None, form: str) -> None:
    """Show a flag as the engine serves it; without KEY all of them, a line each."""
    if key is None:
        found = setting.ask(FlagList(), FlagListView)
        if form != "text":
            show_view(found, form)
            return
        show_lines(line(flag) for flag in found.items)
        if not found.items:
            talk("there are no flags: davy apply -f FILE")
        return
    flag = setting.ask(FlagStatus(key), FlagView)
    if form == "text":
        show_lines(_lines(flag))
    else:
        show_view(flag, form)


def line(flag: FlagView) -> Line:
    """Write a flag as a line."""
    look = "bad" if flag.killed else "wait" if flag.gate.state == "closed" else "good"
    overdue = "  drill overdue" if flag.drill.overdue else ""
    return (
        span(flag.key, "strong"),
        span(f"  v{flag.version}  "),
        span("killed" if flag.killed else f"gate {flag.gate.state}", look),
        span(f"  {flag.why.removeprefix(flag.key).strip()}  heard by {heard(flag)}{overdue}"),
    )


def _lines(flag: FlagView) -> Iterator[Line]:
    """Write all that there is to say of a flag."""
    yield (span(flag.why, "bad" if flag.killed else "strong"),)
    yield _row("version", f"{flag.version}, in version {flag.document} of the document for {flag.environment}")
    yield _row("owner", f"{flag.owner}  {flag.flag_kind}, criticality {flag.criticality}")
    yield _row("gate", f"{flag.gate.state}: {flag.gate.why}")
    if flag.gate.evidence:
        yield _row("evidence", flag.gate.evidence)
    if flag.killed:
        told = {"": "not on record yet who has heard"}.get(flag.confirmation, flag.confirmation)
        yield _row("killed", f"{flag.killed_at} by {flag.killed_by}: {flag.killed_reason} ({told})")
    if flag.ramp:
        yield _row("ramp", flag.ramp)
    yield _row("heard by", heard(flag))
    for each in flag.instances[:MOST_ROWS]:
        has = "has it" if each.current else f"LACKS IT, is at {each.version}"
        yield _row(
            "", f"{each.id}  {each.service}  {each.artifact or 'artifact not said'}  {has}, {age(each.age_s)}"
        )
    if flag.drill.every or flag.drill.last:
        last = (
            f"{flag.drill.outcome} {flag.drill.last}, {flag.drill.seconds:g} s" if flag.drill.last else "never"
        )
        due = "  OVERDUE" if flag.drill.overdue else ""
        yield _row("drills", f"every {flag.drill.every or 'never'}, the last: {last}{due}")
    for proposal in flag.proposals:
        yield _row("waiting", f"{proposal.id}  {proposal.action} by {proposal.by}: {proposal.reason}")
    for row in flag.exposures[-MOST_ROWS:]:
        failed = f", {row.failed} of {row.requests} requests failed" if row.requests else ""
        yield _row("counted", f"{row.variant or 'default'} v{row.version} {row.service}: {row.count}{failed}")


def _row(name: str, text: str) -> Line:
    return (span(f"  {name:<10}", "faint"), span(text))
