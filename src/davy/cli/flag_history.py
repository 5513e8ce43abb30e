"""`davy flag history`: the record of one flag."""

from collections.abc import Iterator

import click

from davy.cli.entries import entry_line
from davy.cli.options import common, output
from davy.cli.output import show_lines, show_view
from davy.cli.setting import Setting, talk
from davy.control.requests import FlagHistory
from davy.control.views import RecordView
from davy.ledger.entry import Entry

PAGE = 1000


@click.command("history")
@click.argument("key")
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, key: str, form: str) -> None:
    """Read what was done to a flag, by whom and why, oldest first."""
    found = tuple(_entries(setting, key))
    if form != "text":
        show_view(RecordView(entries=found), form)
        return
    show_lines(entry_line(entry) for entry in found)
    if not found:
        talk(f"there are no entries about {key}")


def _entries(setting: Setting, key: str) -> Iterator[Entry]:
    """Read the entries page by page."""
    after = 0
    while True:
        entries = setting.ask(FlagHistory(key, after, PAGE), RecordView).entries
        yield from entries
        if len(entries) < PAGE:
            return
        after = entries[-1].seq
