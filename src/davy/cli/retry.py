"""`davy retry`: start an aborted update again."""

import click

from davy.cli.actions import act
from davy.cli.options import common, is_rollout_kind, output, reason, rollout_name
from davy.cli.setting import Setting
from davy.control.requests import Retry
from davy.errors import UsageError


@click.command("retry")
@click.argument("words", nargs=-1, required=True, metavar="[rollout] NAME")
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, words: tuple[str, ...], reason: str, form: str) -> None:
    """Start an aborted update again at its first step, with evidence of its own."""
    names = words[1:] if len(words) > 1 and is_rollout_kind(words[0]) else words
    if len(names) != 1:
        raise UsageError("one name at a time, please", hint="davy retry NAME")
    act(setting, Retry(setting.namespace, rollout_name(names[0]), reason), form)
