"""`davy flag set`: what users get of a flag in this environment."""

import click

from davy.cli.flag_steps import do
from davy.cli.options import common, output, reason, required_reason
from davy.cli.setting import Setting
from davy.control.requests import SetFlag


@click.command("set")
@click.argument("key")
@click.option("--on/--off", "on", default=None, help="What the flag is for, or what is safe for everybody.")
@click.option("--variant", default="", metavar="NAME", help="What users get whom targeting gives nothing else.")
@click.option("--share", type=click.IntRange(0, 100), metavar="PERCENT", help="For how many of these users.")
@click.option("--ticket", default="", metavar="TEXT", help="Where it is followed up.")
@click.option("--if-version", type=int, metavar="N", help="Only if that is the version of the flag.")
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(
    setting: Setting,
    key: str,
    variant: str,
    share: int | None,
    ticket: str,
    if_version: int | None,
    reason: str,
    form: str,
    *,
    on: bool | None,
) -> None:
    """Set a flag in the environment of the engine.

    A flag of high criticality takes a second person, except to what is safe. Its gate stays what it is: behind
    a closed one nobody gets anything by this.
    """
    why = required_reason(reason, "change a flag")
    request = SetFlag(key, why, on=on, variant=variant, share=share, ticket=ticket, if_version=if_version)
    do(setting, request, form)
