"""`davy undo`: go back to an earlier revision."""

import click

from davy.cli.actions import act
from davy.cli.options import common, named, output, reason
from davy.cli.setting import Setting
from davy.control.requests import Undo


@click.command("undo")
@named
@click.option(
    "--to-revision",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Which one; 0, the default, is the newest but the current one.",
)
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, name: str, to_revision: int, reason: str, form: str) -> None:
    """Go back to the pod template of an earlier revision, and to exactly what that ran.

    It takes the steps of any other update, unless the revision was stable before and lies within
    `spec.rollbackWindow`, or still has its replicas with blue/green. The stable revision takes everything back
    at once.
    """
    act(setting, Undo(setting.namespace, name, to_revision or None, reason), form)
