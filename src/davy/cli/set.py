"""`davy set image`: go to another version."""

import click

from davy.cli.options import ROLLOUT, common, output, reason
from davy.cli.output import show_view
from davy.cli.setting import BUILD_S, Setting
from davy.control.requests import SetImage
from davy.control.views import ActionView
from davy.errors import UsageError


@click.group("set")
def command() -> None:
    """Change one thing of a rollout."""


@command.command("image")
@click.argument("name", type=ROLLOUT)
@click.argument("images", nargs=-1, required=True, metavar="CONTAINER=IMAGE…")
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def image(setting: Setting, name: str, images: tuple[str, ...], reason: str, form: str) -> None:
    """Give containers another image and begin the update; `*=IMAGE` means all of them."""
    request = SetImage(setting.namespace, name, _pairs(images), reason)
    view = setting.ask(request, ActionView, timeout_s=BUILD_S)
    if form == "text":
        click.echo(view.message)
    else:
        show_view(view, form)


def _pairs(images: tuple[str, ...]) -> dict[str, str]:
    """Read CONTAINER=IMAGE pairs."""
    pairs: dict[str, str] = {}
    for text in images:
        container, equals, wanted = text.partition("=")
        if not (container and equals and wanted):
            raise UsageError(
                f"{text!r} is not CONTAINER=IMAGE", hint="davy set image payments app=payments:1.4.2"
            )
        if container in pairs:
            raise UsageError(f"container {container!r} is named twice")
        pairs[container] = wanted
    return pairs
