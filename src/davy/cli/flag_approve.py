"""`davy flag approve`: the second person."""

import click

from davy.cli.flag_steps import do
from davy.cli.options import common, output, reason
from davy.cli.setting import Setting
from davy.control.requests import ApproveFlag


@click.command("approve")
@click.argument("id")
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, id: str, reason: str, form: str) -> None:
    """Agree to a change of a flag that somebody else asks for, and do it. Nobody approves their own."""
    do(setting, ApproveFlag(id, reason), form)
