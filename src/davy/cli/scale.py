"""`davy scale`: another number of replicas."""

import click

from davy.cli.actions import act
from davy.cli.options import common, named, output, reason
from davy.cli.setting import Setting
from davy.control.requests import MOST_REPLICAS, Scale


@click.command("scale")
@named
@click.option(
    "--replicas",
    type=click.IntRange(0, MOST_REPLICAS),
    required=True,
    metavar="N",
    help="How many there are to be.",
)
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, name: str, replicas: int, reason: str, form: str) -> None:
    """Give a rollout another number of replicas; an update that is under way goes on with it.

    It is refused where a step would be left without a single replica of the new version, as `davy apply` does.
    """
    act(setting, Scale(setting.namespace, name, replicas, reason), form)
