"""`davy flag drills`: which kill switches are rehearsed, and which are overdue."""

import click

from davy.cli.options import common, output
from davy.cli.output import show_view
from davy.cli.setting import Setting, talk
from davy.control.requests import FlagList
from davy.control.views import FlagListView, FlagView
from davy.errors import Refused


@click.command("drills")
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, form: str) -> None:
    """List the flags that are to be drilled, and fail where a drill is overdue."""
    found = setting.ask(FlagList(drills=True), FlagListView)
    if form == "text":
        for flag in found.items:
            click.echo(_line(flag))
        if not found.items:
            talk("no flag asks for drills: spec.drillEvery")
    else:
        show_view(found, form)
    overdue = [flag.key for flag in found.items if flag.drill.overdue]
    if overdue:
        raise Refused(
            f"a drill is overdue of {', '.join(overdue)}", hint=f"davy flag drill {overdue[0]} --reason …"
        )


def _line(flag: FlagView) -> str:
    drill = flag.drill
    last = f"{drill.outcome} at {drill.last} after {drill.seconds:g} s" if drill.last else "never"
    return f"{flag.key}  every {drill.every}  last {last}{'  OVERDUE' if drill.overdue else ''}"
