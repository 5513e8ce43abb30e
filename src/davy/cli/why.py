"""`davy why`: one sentence, and what it rests on."""

import click

from davy.cli.entries import entry_line
from davy.cli.options import common, named, output
from davy.cli.output import show_lines, show_view
from davy.cli.paint import cell, span
from davy.cli.setting import Setting
from davy.control.requests import Why
from davy.control.views import WhyView


@click.command("why")
@named
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, name: str, form: str) -> None:
    """Say in one sentence why a rollout is as it is; then the measurements and the record it rests on."""
    view = setting.ask(Why(setting.namespace, name), WhyView)
    if form != "text":
        show_view(view, form)
        return
    show_lines([cell(view.sentence, "strong")])
    if view.evidence:
        show_lines([(), cell("evidence", "faint"), *((span("  "), span(text)) for text in view.evidence)])
    if view.entries:
        show_lines([(), cell("record", "faint"), *((span("  "), *entry_line(entry)) for entry in view.entries)])
