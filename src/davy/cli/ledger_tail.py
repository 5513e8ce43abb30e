"""`davy ledger tail`: the last entries, straight from the store, whether an engine runs or not."""

from collections.abc import Iterator, Mapping

import click

from davy.cli.entries import entry_line, entry_of
from davy.cli.options import at_home, output
from davy.cli.output import show_lines
from davy.cli.setting import Setting, talk
from davy.cli.watch import leaving, looks

PAGE = 1000


@click.command("tail")
@output("text", "json")
@click.option(
    "-n",
    "--lines",
    "count",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="How many of the last.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@at_home
@click.pass_obj
def command(setting: Setting, form: str, count: int, follow: bool) -> None:
    """Read the last entries of the ledger, the newest last.

    Lines are those of `davy record`. With -o json each is an object with `seq`, `leaf` (the hash of the bytes
    in the tree, hexadecimal) and `entry`, which is written with the very bytes that are hashed: these have
    pseudonyms of people, and lines have the names that are known.
    """
    from davy.cli.reading import reading
    from davy.ledger.people import PERSON, by_pseudonym

    with reading(setting) as reader:
        names = by_pseudonym(reader.load(PERSON))
        after = max(0, reader.head().size - count)

        def fresh() -> Iterator[tuple[int, bytes]]:
            nonlocal after
            while bodies := reader.bodies(after, after + PAGE):
                for body in bodies:
                    after += 1
                    yield after, body

        if not follow:
            if not _show(fresh(), form, names):
                talk("there are no entries")
            return
        with leaving("the ledger goes on"):
            for entries in looks(fresh, setting):
                _show(entries, form, names)


def _show(entries: Iterator[tuple[int, bytes]], form: str, names: Mapping[str, str]) -> int:
    """Print entries, each of them one line; return how many."""
    from davy.ledger.people import shown
    from davy.ledger.tree import leaf_hash

    count = 0
    for seq, body in entries:
        count += 1
        entry = entry_of(body, seq)
        if form == "text":
            show_lines([entry_line(shown(entry, names))])
        else:
            click.echo(f'{{"entry":{body.decode()},"leaf":"{leaf_hash(body).hex()}","seq":{seq}}}')
    return count
