"""`davy version`: this command's version, and the engine's where one listens."""

import click

from davy import __version__
from davy.cli.options import common, output
from davy.cli.output import show_view
from davy.cli.setting import Setting
from davy.control.requests import Health
from davy.control.views import HealthView, View
from davy.errors import DavyError


class VersionView(View, frozen=True, kw_only=True, tag="VersionView"):
    """The version of the command, and how the engine is, if there is one."""

    client: str
    engine: HealthView | None
    engine_error: str = ""


@click.command("version")
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, form: str) -> None:
    """Print the version of this command and of the engine; not having an engine is no failure."""
    engine, trouble = None, ""
    try:
        engine = setting.ask(Health(), HealthView)
    except DavyError as error:
        trouble = error.message
    if form != "text":
        show_view(VersionView(client=__version__, engine=engine, engine_error=trouble), form)
        return
    click.echo(f"davy    {__version__}")
    if engine:
        click.echo(
            f"engine  {engine.version}  pid {engine.pid}  speed {engine.speed:g}  rollouts {engine.rollouts}"
        )
        for text in engine.troubles:
            click.echo(f"        {text}")
    else:
        click.echo(f"engine  none: {trouble}")
