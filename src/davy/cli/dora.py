"""`davy dora`: the delivery metrics of a prefix of the ledger, or of a file of events."""

import csv
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from davy.cli.options import common, output
from davy.cli.output import show_data, show_lines
from davy.cli.setting import Setting, talk
from davy.errors import NotFound, UsageError

if TYPE_CHECKING:
    from davy.reports.event import ChangeEvent
    from davy.reports.recompute import Recomputation
    from davy.reports.report import Query

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_LAST = re.compile(r"([0-9]{1,5})(w|d|h|m)", re.ASCII)
_UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60}
_MICROS = 1_000_000
PAGE = 10_000
"""Entries that are read at once."""


@click.command("dora")
@click.option(
    "--events",
    "path",
    metavar="FILE",
    help="Events as CloudEvents, one a line, in the place of the ledger; - is standard input.",
)
@click.option(
    "--size",
    type=click.IntRange(0),
    metavar="N",
    help="Only the first N entries of the ledger.  [default: all]",
)
@click.option(
    "--since", metavar="TIME", help="From when: 2026-09-01, an instant, or 30d before the newest event."
)
@click.option("--until", metavar="TIME", help="Until when, not included.")
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only this one; may be given again.")
@click.option(
    "--by", type=click.Choice(["service", "kind", "team", "week"]), help="Tell the figures apart by this, too."
)
@click.option("--environment", default="", metavar="NAME", help="What counts, in the place of production.")
@click.option("--teams", metavar="FILE", help="Whose a service is: a YAML map of services to teams.")
@click.option(
    "--explain",
    is_flag=False,
    flag_value="cfr_seed",
    metavar="[FIGURE]",
    help="List the events behind a figure.  [cfr_seed where none is named]",
)
@output("table", "json", "csv")
@common
@click.pass_obj
def command(
    setting: Setting,
    path: str | None,
    size: int | None,
    since: str | None,
    until: str | None,
    services: tuple[str, ...],
    by: Any,
    environment: str,
    teams: str | None,
    explain: str | None,
    form: str,
) -> None:
    """Compute the delivery metrics: CFR, lead time, deployment frequency, recovery, and what they rest on.

    They are a function of the ledger's first entries alone, which size and root name: the clock of this machine
    is not asked, and the same entries give the same bytes with -o json. Of a file of events the order does not
    matter, either.
    """
    from davy.reports.recompute import Recomputation
    from davy.reports.report import Query

    begin, last = _since(since)
    query = Query(
        since=begin,
        last=last,
        until=None if until is None else _instant(until, "--until"),
        services=tuple(sorted(set(services))),
        by=by or "",
        environment=environment,
        teams=None if teams is None else _teams(teams),
    )
    prefix = None
    if path is None:
        prefix, events = _ledger(setting, size)
        source = f"the ledger's first {prefix['size']} entries, root {prefix['root']}"
    elif size is not None:
        raise UsageError("--size is of the ledger, and --events reads a file", hint="leave one of them out")
    else:
        source = path if path != "-" else "standard input"
        events = _events(path, source)
    computation = Recomputation(events)
    if explain is not None:
        _explain(computation, query, explain, form)
    else:
        _show(computation, query, source, prefix, form)


def _show(
    computation: "Recomputation", query: "Query", source: str, prefix: dict[str, object] | None, form: str
) -> None:
    """Print a report; `prefix` names the entries that it is computed from, where they are a ledger's."""
    from davy.reports.document import COLUMNS, document, rows

    report = computation.report(query)
    if form == "json":
        show_data({**document(report), "ledger": prefix}, form)
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(report))
    else:
        from davy.cli.dora_table import lines

        show_lines(lines(report, source))


def _explain(computation: "Recomputation", query: "Query", figure: str, form: str) -> None:
    """Print the cases that a figure counts, with the events of each."""
    from davy.cli.dora_table import explained
    from davy.reports.explain import as_data, explain

    if query.by:
        raise UsageError(
            "--explain is of the figure of everything", hint="leave --by out; --service narrows it"
        )
    cases = explain(computation, query, figure)
    if form == "json":
        show_data(as_data(figure, cases), form)
    elif form == "csv":
        raise UsageError("what is behind a figure is no table", hint="-o json, or -o table")
    else:
        show_lines(explained(figure, cases))


def _ledger(setting: Setting, size: int | None) -> tuple[dict[str, object], Iterable["ChangeEvent"]]:
    """Read the events of the first entries of the ledger, and what names these.

    Raises:
        NotFound: there is no ledger, or it has not so many entries.
        IntegrityError: an entry cannot be read.
    """
    from davy.cli.reading import reading
    from davy.ledger.tree import frontier
    from davy.reports.projection import project

    with reading(setting) as reader:
        head = reader.head()
        if size is None:
            size = head.size
        if size > head.size:
            raise NotFound(f"there are no {size} entries: the ledger has {head.size}", hint="davy ledger tail")
        root = frontier(size, reader.hashes).root
        bodies = [
            body for start in range(0, size, PAGE) for body in reader.bodies(start, min(size, start + PAGE))
        ]
    return {"size": size, "root": root.hex()}, project(bodies)


def _events(path: str, name: str) -> Iterable["ChangeEvent"]:
    """Read the events of a file.

    Raises:
        DavyError: it cannot be read, or lines of it are no events: all of them are told.
    """
    from davy.reports.cloudevents import BadEvents, read

    try:
        if path == "-":
            return read(sys.stdin.buffer, name)
        with Path(path).open("rb") as file:
            return read(_binary(file), name)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    except BadEvents as error:
        for line in error.told:
            talk(line)
        count = len(error.problems) + error.more
        lines = "a line is no event" if count == 1 else f"{count} lines are no events"
        raise UsageError(f"{name}: {lines}, so nothing was computed", hint=error.hint) from error


def _binary(file: Any) -> BinaryIO:
    found: BinaryIO = file
    return found


def _since(text: str | None) -> tuple[int | None, int | None]:
    """Read when a window begins: an instant, or so long before the newest event."""
    if text is None:
        return None, None
    if found := _LAST.fullmatch(text):
        return None, int(found[1]) * _UNITS[found[2]] * _MICROS
    return _instant(text, "--since"), None


def _instant(text: str, option: str) -> int:
    """Read an instant; a day is its beginning, in UTC.

    Raises:
        UsageError: it is none.
    """
    from davy.model.instant import BadInstant, parse_instant

    try:
        return round(parse_instant(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text) * _MICROS)
    except BadInstant as error:
        hint = f"{option} 2026-09-01, {option} 2026-09-01T12:00:00Z" + (", --since 30d" * (option == "--since"))
        raise UsageError(f"{option} {text}: {error}", hint=hint) from error


def _teams(path: str) -> dict[str, str]:
    """Read which team has a service.

    Raises:
        UsageError: the file cannot be read, or says something else.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe", pure=True).load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise UsageError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(found, dict) or not all(
        isinstance(word, str) and word for pair in found.items() for word in pair
    ):
        raise UsageError(f"{path} is no map of services to teams", hint="write: payments: checkout-team")
    return dict(found)
