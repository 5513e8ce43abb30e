"""`davy promote`: end a pause; or pass over gates, by a waiver that is named."""

import click

from davy.cli.actions import act
from davy.cli.options import common, named, output, reason, required_reason
from davy.cli.setting import Setting
from davy.control.requests import Promote
from davy.errors import Refused, UsageError


@click.command("promote")
@named
@reason
@click.option("--full", is_flag=True, help="Pass over all steps that are left; needs --waiver.")
@click.option("--skip-step", is_flag=True, help="Pass over the step that it is on; needs --waiver.")
@click.option("--waiver", default="", metavar="ID", help="The waiver of PD043 that allows that.")
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(
    setting: Setting, name: str, reason: str, full: bool, skip_step: bool, waiver: str, form: str
) -> None:
    """End the pause that an update is in; an inconclusive analysis is run again.

    It skips no step and no analysis: what follows the pause is still to be passed. With a waiver of PD043 for
    this very update, --skip-step and --full pass over steps and what they measure; the guard and the background
    analysis go on.
    """
    option = "--full" if full else "--skip-step"
    if (full or skip_step) and not waiver:
        where = "" if setting.namespace == "default" else f" -n {setting.namespace}"
        raise Refused(
            f"{option} would let through exactly the release that analyses are there to stop: "
            "nothing passes over a gate without a waiver",
            hint=f"davy promote {name} ends its pause; to pass over more: davy waiver request PD043 "
            f'--scope {name}{where} --for 1h --uses 1 --ticket ID --reason "…"',
        )
    if waiver and not (full or skip_step):
        raise UsageError("--waiver is for --full or --skip-step", hint=f"davy promote {name} needs none")
    why = required_reason(reason, "promote")
    act(setting, Promote(setting.namespace, name, why, full, skip_step, waiver), form)
