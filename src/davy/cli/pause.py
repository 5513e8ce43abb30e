"""`davy pause`: freeze a rollout."""

import click

from davy.cli.actions import act
from davy.cli.options import common, named, output, reason
from davy.cli.setting import Setting
from davy.control.requests import Pause


@click.command("pause")
@named
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, name: str, reason: str, form: str) -> None:
    """Freeze a rollout where it is: no step ends and no traffic grows; an abort still happens."""
    act(setting, Pause(setting.namespace, name, reason), form)
