"""`davy restart`: replace every replica."""

import click

from davy.cli.actions import act
from davy.cli.options import common, named, output, reason
from davy.cli.setting import Setting
from davy.control.requests import Restart


@click.command("restart")
@named
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, name: str, reason: str, form: str) -> None:
    """Replace every replica by a new one of the same version, `maxUnavailable` of them at a time.

    It sets `spec.restartAt`; `davy status NAME --watch` waits until it is done.
    """
    act(setting, Restart(setting.namespace, name, reason), form)
