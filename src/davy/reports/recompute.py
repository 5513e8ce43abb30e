"""Delivery metrics computed from all events at once, in DuckDB."""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from davy.errors import NotFound, UsageError
from davy.reports import columns, facts, figures
from davy.reports.cells import WEEK, Cell, digest, week_of
from davy.reports.cloudevents import written
from davy.reports.event import ChangeEvent
from davy.reports.intake import distinct
from davy.reports.report import DAY, SETTLED, Group, OpenIncident, Quality, Query, Report

FOREVER = 2**62
"""An instant after all others, in microseconds."""

_ALL_WEEKS = 520 * WEEK  # of a longer window only weeks with something in them are told
_MOST_AGAIN = 2_000_000  # so many events times windows are computed again to see what was restated
_ALL_SERVICES: Mapping[str, object] = {"services": [], "owned": False}
_Keyed = tuple[tuple[str, int], Group]

_BOUNDS = """
SELECT (SELECT count(*) FROM coded), (SELECT max(happened) FROM told), (SELECT min(happened) FROM counted),
    (SELECT count(*) FROM told WHERE happened <> time), (SELECT max(coalesce(received, time)) FROM coded)
"""
_ORPHANS = """
SELECT (SELECT count(*) FROM attempts
        WHERE exposed IS NULL AND (promoted IS NOT NULL OR rolled_back IS NOT NULL))
    + (SELECT count(*) FROM incident_events WHERE instance = 0)
"""
_NO_PR = """
SELECT count(*) FROM (
    SELECT change, min(exposed) AS exposed FROM exposures JOIN asked USING (service) GROUP BY change
) JOIN said_of_changes USING (change)
WHERE within(exposed) AND merged IS NOT NULL AND created IS NULL
"""
_OPEN = """
SELECT name, incident, opened, getvariable('newest') - opened, kind >= 0
FROM outages JOIN asked USING (service) JOIN services ON services.id = service
WHERE restored IS NULL AND within(opened) ORDER BY opened, name, incident
"""


class Recomputation:
    """Figures of one set of events; it may be asked as often as one likes.

    Args:
        source: the events, or a directory that `write_columns` wrote.
        memory_mb: how much memory DuckDB may take; what does not fit goes to a directory for a while.
    """

    def __init__(self, source: Iterable[ChangeEvent] | Path, *, memory_mb: int = 750) -> None:
        self.connection = columns.connect(memory_mb)
        self._conflicts = 0
        self._derived: tuple[str, int] | None = None
        self._newest = 0
        if isinstance(source, Path):
            columns.open_saved(self.connection, source)
        else:
            kept, self._conflicts = distinct(source)
            columns.load(self.connection, kept)
        figures.prepare(self.connection)

    def cells(self, environment: str = "") -> list[Cell]:
        """Return the cells of each service and week, and of all services together."""
        self._derive(environment, FOREVER)
        apart = self._count("service", weekly=True, names=self._names("services"))
        whole = self._count("all", weekly=True)
        return sorted([*apart.values(), *whole.values()], key=itemgetter(0, 1))

    def report(self, query: Query) -> Report:
        """Return the figures that are asked for.

        Raises:
            NotFound: a service is asked for that no event names.
            UsageError: the window ends before it begins.
        """
        self._require(query.services)
        whole = digest(self.cells(query.environment))
        self._own(query.teams or {})
        events, newest, earliest, skewed, heard = self._row(_BOUNDS)
        since, until = window(query, newest, earliest)
        if since > until:
            raise UsageError(f"the window ends before it begins: {written(since)} to {written(until)}")
        asked: dict[str, object] = {"services": list(query.services), "owned": query.teams is not None}
        cell = self._count("all", since=since, until=until, asked=asked).get((figures.ALL, 0), Cell("", 0))
        (no_pr,), (orphans,) = self._row(_NO_PR), self._row(_ORPHANS)
        opened = tuple(OpenIncident(*row) for row in self.connection.execute(_OPEN).fetchall())
        groups = self._groups(query, since, until, asked)
        quality = Quality(self._conflicts, skewed, orphans, cell.negative, cell.no_merge, no_pr)
        total = (("all", figures.ALL), Group("", since, until, cell))
        settled = self._settle([total, *groups], query, newest or 0, heard or 0, asked)
        return Report(events, newest, whole, query.by, settled[0], tuple(settled[1:]), opened, quality, query)

    def _groups(self, query: Query, since: int, until: int, asked: Mapping[str, object]) -> list[_Keyed]:
        """Return the groups that are asked for, by week or by name, each with how it is found again."""
        if query.by == "":
            return []
        if query.by == "week":
            found = self._count("all", weekly=True, since=since, until=until, asked=asked)
            weeks = [week for _, week in found]
            if until - since <= _ALL_WEEKS:
                weeks = list(range(week_of(since), until, WEEK))
            return [
                (
                    ("all", figures.ALL),
                    Group(
                        written(week)[:10],
                        max(week, since),
                        min(week + WEEK, until),
                        found.get((figures.ALL, week), Cell("", week)),
                    ),
                )
                for week in sorted(weeks)
            ]
        found = self._count(query.by, since=since, until=until, asked=asked)
        names = self._labels(query)
        groups: list[_Keyed] = [
            ((query.by, key), Group(names.get(key, ""), since, until, cell)) for (key, _), cell in found.items()
        ]
        return sorted(groups, key=lambda keyed: keyed[1].name)

    def _settle(
        self, groups: list[_Keyed], query: Query, newest: int, heard: int, asked: Mapping[str, object]
    ) -> list[Group]:
        """Say of groups which are provisional, and which are restated (R24)."""
        settled, before = [], dict[tuple[str, int, int], dict[tuple[int, int], Cell]]()
        windows = len({group.until for _, group in groups})
        looked = 1 if self._row(_BOUNDS)[0] * windows > _MOST_AGAIN else len(groups)
        for place_in_line, ((scope, key), group) in enumerate(groups):
            end = group.until + SETTLED
            restated: bool | None = False
            if newest < end or heard <= end:
                pass
            elif not query.restated or place_in_line >= looked:
                restated = None
            else:
                place = scope, group.since, group.until
                if place not in before:
                    self._derive(query.environment, end)
                    before[place] = self._count(scope, since=group.since, until=group.until, asked=asked)
                restated = before[place].get((key, 0), Cell("", 0))[2:] != group.cell[2:]
            settled.append(msgspec.structs.replace(group, provisional=newest < end, restated=restated))
        self._derive(query.environment, FOREVER)
        return settled

    def _count(
        self,
        scope: str,
        *,
        weekly: bool = False,
        since: int = 0,
        until: int = FOREVER,
        asked: Mapping[str, object] = _ALL_SERVICES,
        names: Mapping[int, str] = MappingProxyType({}),
    ) -> dict[tuple[int, int], Cell]:
        variables = {**asked, "since": since, "until": until}
        variables["newest"] = self._newest
        return figures.count(self.connection, scope, weekly=weekly, variables=variables, names=names)

    def _derive(self, environment: str, received_by: int) -> None:
        """Make the facts, unless they are those that are there."""
        if self._derived != (environment, received_by):
            facts.derive(self.connection, environment, received_by)
            self._newest = self._row("SELECT max(happened) FROM told")[0] or 0
            self._derived = environment, received_by

    def _require(self, services: tuple[str, ...]) -> None:
        known = sorted(self._names("services").values())
        if unknown := sorted(set(services) - set(known)):
            there = f"the services are: {', '.join(known[:50])}" if known else "no event names a service"
            raise NotFound(f"no event is of service {unknown[0]!r}", hint=there)

    def _own(self, teams: Mapping[str, str]) -> None:
        """Write down whose a service is; a team's number is its place among the teams."""
        places = {team: place for place, team in enumerate(sorted(set(teams.values())), 1)}
        owned = [(key, places[teams[name]]) for key, name in self._names("services").items() if name in teams]
        self.connection.execute("DELETE FROM owners")
        if owned:
            self.connection.executemany("INSERT INTO owners VALUES (?, ?)", owned)

    def _labels(self, query: Query) -> dict[int, str]:
        """Return what the groups are called, by their number."""
        if query.by == "kind":
            return dict(enumerate(columns.KINDS))
        if query.by == "team" and query.teams is not None:
            return dict(enumerate(sorted(set(query.teams.values())), 1))
        return self._names("services" if query.by == "service" else "teams")

    def _names(self, table: str) -> dict[int, str]:
        return dict(self.connection.table(table).project("id, name").fetchall())

    def _row(self, statement: str) -> tuple[Any, ...]:
        rows: list[tuple[Any, ...]] = self.connection.execute(statement).fetchall()
        assert len(rows) == 1, "an aggregate has one row"
        return rows[0]


def window(query: Query, newest: int | None, earliest: int | None) -> tuple[int, int]:
    """Return the window of a query: whole days around the events where it does not say, never the clock's."""
    newest = newest or 0
    until = query.until if query.until is not None else (newest // DAY + 1) * DAY
    if query.since is not None:
        return query.since, until
    if query.last is not None:
        return newest - query.last, until
    return min(until, (newest if earliest is None else earliest) // DAY * DAY), until


def write_columns(events: Iterable[ChangeEvent], directory: Path) -> None:
    """Write events to a directory that `Recomputation` reads: each once, in columns."""
    connection = columns.connect()
    columns.load(connection, distinct(events)[0])
    columns.save(connection, directory)


def compute(source: Iterable[ChangeEvent] | Path, query: Query) -> Report:
    """Return the figures of events, or of a directory that `write_columns` wrote."""
    return Recomputation(source).report(query)


def cells(source: Iterable[ChangeEvent] | Path, environment: str = "") -> list[Cell]:
    """Return the cells of events, or of a directory that `write_columns` wrote."""
    return Recomputation(source).cells(environment)
