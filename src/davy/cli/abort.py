"""`davy abort`: give the traffic back."""

import click

from davy.cli.actions import act
from davy.cli.options import common, named, output, reason, required_reason
from davy.cli.setting import Setting
from davy.control.requests import Abort


@click.command("abort")
@named
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, name: str, reason: str, form: str) -> None:
    """Give the traffic back to the stable version, at once."""
    act(setting, Abort(setting.namespace, name, required_reason(reason, "abort")), form)
