"""`davy flag ramp`: from nobody to everybody, by the steps, the judge and the policies of a canary."""

import click

from davy.cli.flag_steps import show
from davy.cli.options import common, output, reason, required_reason
from davy.cli.setting import Setting, talk
from davy.control.requests import RampFlag
from davy.control.views import FlagStepView
from davy.flags.ramp import PREFIX


@click.command("ramp")
@click.argument("key")
@click.option("--ticket", default="", metavar="TEXT", help="Where it is followed up.")
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, key: str, ticket: str, reason: str, form: str) -> None:
    """Give more and more users the variant of a flag's ramp, as its steps say.

    It begins only through an open gate, and with a second person where the criticality is high. Begun again, it
    draws the same people.
    """
    view = setting.ask(RampFlag(key, required_reason(reason, "ramp a flag"), ticket), FlagStepView)
    show(view, form)
    if form == "text" and not view.proposal:
        talk(f"  watch     davy get rollout {PREFIX}{key} --watch")
        talk(f"  back      davy abort {PREFIX}{key}")
