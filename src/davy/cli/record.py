"""`davy record`: what happened, who did it and why."""

from collections.abc import Iterator
from typing import Any

import click
import msgspec

from davy.cli.entries import entry_line
from davy.cli.options import ROLLOUT, common, output
from davy.cli.output import show_lines, show_view
from davy.cli.setting import Setting, talk
from davy.cli.watch import leaving, looks
from davy.control.requests import Record
from davy.control.views import RecordView
from davy.ledger.entry import Entry

PAGE = 1000


@click.command("record")
@click.argument("name", type=ROLLOUT, required=False)
@output("text", "json", "yaml")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option("--after", type=click.IntRange(0), default=0, metavar="N", help="Begin after entry N.")
@common
@click.pass_obj
def command(setting: Setting, name: str | None, form: str, follow: bool, after: int) -> None:
    """Read the record, oldest entry first: all of it, or of one rollout.

    A line has the entry's number, the time (UTC), what happened, to what, in a sentence, and for what people
    did who and why. With -f and -o json every entry is one line.
    """
    if follow:
        with leaving("the record goes on"):
            for entries in looks(_Reader(setting, name or "", after).fresh, setting):
                _show(entries, form)
        return
    found = tuple(_Reader(setting, name or "", after).fresh())
    if form != "text":
        show_view(RecordView(entries=found), form)
    elif found:
        _show(iter(found), form)
    else:
        talk(f"there are no entries{_where(setting, name, after)}")


def _where(setting: Setting, name: str | None, after: int) -> str:
    """Say where nothing was found; a name may be mistyped, and one that was deleted has entries."""
    about = f' about rollout "{name}" in namespace "{setting.namespace}"' if name else ""
    return about + (f" after #{after}" if after else "")


class _Reader:
    """Reads entries page by page and remembers how far it has come."""

    def __init__(self, setting: Setting, name: str, after: int) -> None:
        self._setting, self._name, self._after = setting, name, after

    def fresh(self) -> Iterator[Entry]:
        """Yield every entry that was not read before."""
        namespace = self._setting.namespace if self._name else ""
        while True:
            request = Record(namespace, self._name, self._after, PAGE)
            entries = self._setting.ask(request, RecordView).entries
            for entry in entries:
                self._after = entry.seq
                yield entry
            if len(entries) < PAGE:
                return


def _show(entries: Iterator[Entry], form: str) -> None:
    """Print entries, each of them one line."""
    for entry in entries:
        if form == "text":
            show_lines([entry_line(entry)])
        else:
            body: Any = msgspec.json.encode(entry, order="sorted").decode()
            click.echo(body)
