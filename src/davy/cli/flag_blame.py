"""`davy flag blame`: which flag's change is at fault, by who met it."""

from collections.abc import Iterator

import click

from davy.cli.options import common, output
from davy.cli.output import show_lines, show_view
from davy.cli.paint import Line, span
from davy.cli.setting import Setting, talk
from davy.control.requests import FlagBlame
from davy.control.views import FlagBlameView, FlagSuspectView
from davy.errors import UsageError
from davy.model.duration import BadDuration, parse_duration

LOOKS = {"at-fault": "bad", "not-at-fault": "good", "cannot-tell": "wait"}
AT_FAULT = 1


@click.command("blame")
@click.option("--service", default="", metavar="NAME", help="Of which service; of all where it is not said.")
@click.option(
    "--since", default="10m", metavar="DURATION", show_default=True, help="For how long back; 1h at most."
)
@output("text", "json", "yaml")
@common
@click.pass_context
def command(context: click.Context, service: str, since: str, form: str) -> None:
    """Hold those who met a flag's variant against those who met another one at the same time.

    Exits 1 when a change is at fault, 0 when none is or nobody can tell.
    """
    setting: Setting = context.obj
    try:
        since_s = parse_duration(since)
    except BadDuration as error:
        raise UsageError(f"{since!r} is no duration", hint="--since 10m") from error
    if since_s <= 0:
        raise UsageError(f"{since!r} is no duration to look back", hint="--since 10m")
    found = setting.ask(FlagBlame(service, since_s), FlagBlameView)
    if form != "text":
        show_view(found, form)
    else:
        show_lines(line for each in found.items for line in _lines(each))
        if not found.items:
            talk("users have no change of a flag now" + (f" of {service}" if service else ""))
    if any(each.verdict == "at-fault" for each in found.items):
        context.exit(AT_FAULT)


def _lines(found: FlagSuspectView) -> Iterator[Line]:
    yield (
        span(found.flag, "strong"),
        span("  "),
        span(found.verdict.replace("-", " "), LOOKS[found.verdict]),
        span("" if found.ratio is None else f"  {found.ratio:g} times as often"),
    )
    for arm in found.arms:
        rate = f"{100 * arm.failed / arm.requests:.2f} %" if arm.requests else "none counted"
        mark = "*" if arm.variant == found.variant else " "
        yield (
            span(f"  {mark} {arm.variant or 'default':<12}"),
            span(f"{arm.requests:>9} requests  {arm.failed:>7} failed  {rate}"),
        )
    yield (span(f"    {found.sentence}", "faint"),)
