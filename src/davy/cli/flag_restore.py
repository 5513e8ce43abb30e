"""`davy flag restore`: the end of a kill."""

import click

from davy.cli.flag_steps import do
from davy.cli.options import common, output, reason, required_reason
from davy.cli.setting import Setting
from davy.control.requests import RestoreFlag


@click.command("restore")
@click.argument("key")
@click.option("--ticket", default="", metavar="TEXT", help="Where it is followed up.")
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, key: str, ticket: str, reason: str, form: str) -> None:
    """End a kill: users get what is set, through an open gate and no other way.

    A flag of high criticality takes a second person.
    """
    do(setting, RestoreFlag(key, required_reason(reason, "restore a flag"), ticket), form)
