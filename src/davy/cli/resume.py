"""`davy resume`: let a frozen rollout go on."""

import click

from davy.cli.actions import act
from davy.cli.options import common, named, output, reason
from davy.cli.setting import Setting
from davy.control.requests import Resume


@click.command("resume")
@named
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, name: str, reason: str, form: str) -> None:
    """Let a frozen rollout go on. A pause of its own steps is ended by promote."""
    act(setting, Resume(setting.namespace, name, reason), form)
