"""`davy flag kill`: everybody gets what is safe."""

import click

from davy.cli.flag_steps import do, heard, wait_for_all
from davy.cli.options import common, output, reason, required_reason
from davy.cli.setting import Setting, talk
from davy.control.requests import KillFlag


@click.command("kill")
@click.argument("key")
@click.option("--ticket", default="", metavar="TEXT", help="Where it is followed up.")
@click.option("--wait", default="", metavar="DURATION", help="Until every instance has said that it has it.")
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, key: str, ticket: str, wait: str, reason: str, form: str) -> None:
    """Give everybody what is safe, at once and without asking anybody; davy flag restore ends it.

    It is served even when nothing can be written down. With --wait it is done when every instance that is
    connected has said so itself.
    """
    do(setting, KillFlag(key, required_reason(reason, "kill a flag"), ticket), form)
    if wait:
        talk(f"  confirmed {heard(wait_for_all(setting, key, wait))}")
