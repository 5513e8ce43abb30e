"""What all the commands share that act on one rollout."""

import click

from davy.cli.output import show_view
from davy.cli.setting import Setting
from davy.control.requests import Action, Delete, DeletePolicy
from davy.control.views import ActionView


def act(setting: Setting, request: Action | Delete | DeletePolicy, form: str) -> None:
    """Have the engine do something, and print the sentence that it answers with."""
    view = setting.ask(request, ActionView)
    if form == "text":
        click.echo(view.message)
    else:
        show_view(view, form)
