"""`davy promote`: end a pause."""

import click

from davy.cli.actions import act
from davy.cli.options import common, named, output, reason, required_reason
from davy.cli.setting import Setting
from davy.control.requests import Promote
from davy.errors import Refused


@click.command("promote")
@named
@reason
@click.option("--full", is_flag=True, help="Refused: no flag skips a gate. It says what to do instead.")
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, name: str, reason: str, full: bool, form: str) -> None:
    """End the pause that an update is in; an inconclusive analysis is run again.

    It skips no step and no analysis: what follows the pause is still to be passed.
    """
    if full:
        raise Refused(
            "there is no --full: it would skip every analysis that is still to come, and so let through "
            "exactly the release that they are there to stop",
            hint=f"davy promote {name} ends the pause it is in; an unwanted step is edited out of the manifest",
        )
    act(setting, Promote(setting.namespace, name, required_reason(reason, "promote")), form)
