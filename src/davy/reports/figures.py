"""From facts to cells, in SQL: whole numbers per group and week, as delivery-metrics.md defines them."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import duckdb
import msgspec

from davy.reports.cells import Cell, Spread

ALL = -1
"""The key of the group that has everything."""

_MACROS = """
CREATE OR REPLACE TEMP MACRO week_of(instant) AS
    CASE WHEN getvariable('weekly')
    THEN instant - ((instant - 345600000000) % 604800000000 + 604800000000) % 604800000000 ELSE 0 END;
CREATE OR REPLACE TEMP MACRO key_of(service, kind, team, owner) AS
    CASE getvariable('scope') WHEN 'service' THEN service WHEN 'kind' THEN kind
    WHEN 'team' THEN coalesce(CASE WHEN getvariable('owned') THEN owner ELSE team END, 0) ELSE -1 END;
CREATE OR REPLACE TEMP MACRO within(instant) AS
    instant >= getvariable('since') AND instant < getvariable('until');
CREATE OR REPLACE TEMP MACRO lead_of(ending, beginning) AS
    CASE WHEN ending - beginning >= -5000000 THEN greatest(ending - beginning, 0) END;
CREATE OR REPLACE TEMP MACRO spread_of(span) AS
    concat('[', concat_ws(',', count(span), sum(span),
        quantile_disc(span, [0.5, 0.75, 0.9, 0.95])[1], quantile_disc(span, [0.5, 0.75, 0.9, 0.95])[2],
        quantile_disc(span, [0.5, 0.75, 0.9, 0.95])[3], quantile_disc(span, [0.5, 0.75, 0.9, 0.95])[4]), ']');
CREATE OR REPLACE TEMP VIEW asked AS
    SELECT id AS service, owner FROM services LEFT JOIN owners ON owners.service = id
    WHERE len(getvariable('services')) = 0 OR list_contains(getvariable('services'), name);
"""

_ATTEMPTS = """
SELECT key_of(service, kind, team, owner) AS key, week_of(exposed) AS week, count(*) AS attempts,
    count(failed_at) AS failed, count(*) FILTER (failed_at >= promoted OR held.change IS NOT NULL) AS escaped,
    sum(share) FILTER (failed_at IS NOT NULL) AS impact,
    sum(share * ((failed_at - exposed) // 1000000) + share * ((failed_at - exposed) % 1000000) // 1000000)
        FILTER (failed_at > exposed) AS bad_time,
    sum(requests) FILTER (bad IS NOT NULL) AS asked, sum(bad) FILTER (requests IS NOT NULL) AS bad,
    count(*) FILTER (waived) AS waived, count(*) FILTER (waived AND failed_at IS NOT NULL) AS waived_failed
FROM exposures JOIN asked USING (service)
LEFT JOIN (SELECT DISTINCT change, service, attempt FROM held) AS held USING (change, service, attempt)
WHERE within(exposed) GROUP BY ALL
"""

_CHANGES = """
SELECT key, week_of(exposed) AS week, count(*) AS changes, count(*) FILTER (failed) AS changes_failed
FROM (
    SELECT change, key_of(service, kind, team, owner) AS key, min(exposed) AS exposed,
        bool_or(failed_at IS NOT NULL) AS failed
    FROM exposures JOIN asked USING (service) GROUP BY ALL
) WHERE within(exposed) GROUP BY ALL
"""

_LEADS = """
WITH led AS (
    SELECT key_of(service, kind, team, owner) AS key, week_of(exposed) AS week, merged, exposed,
        lead_of(exposed, merged) AS lead_time, lead_of(success, merged) AS lead_to_success,
        lead_of(promoted, merged) AS lead_to_full, lead_of(promoted, committed) AS dora_lead
    FROM firsts JOIN asked USING (service)
    WHERE within(exposed)
)
SELECT key, week, count(*) FILTER (merged IS NULL) AS no_merge,
    count(*) FILTER (exposed - merged < -5000000) AS negative,
    spread_of(lead_time) AS lead_time,
    spread_of(lead_to_success) AS lead_to_success,
    spread_of(lead_to_full) AS lead_to_full,
    spread_of(dora_lead) AS dora_lead
FROM led GROUP BY ALL
"""

_ROLLOUTS = """
SELECT key_of(service, kind, team, owner) AS key, week_of(exposed) AS week, count(*) AS rollouts,
    count(*) FILTER (failed) AS rollouts_failed, count(*) FILTER (rework) AS rework
FROM rollouts_made JOIN asked USING (service) WHERE within(exposed) GROUP BY ALL
"""

_PROMOTIONS = """
SELECT key_of(service, kind, team, owner) AS key, week_of(promoted) AS week, count(*) AS promoted,
    count(DISTINCT promoted // 86400000000) AS promoted_days
FROM rollouts_made JOIN asked USING (service) WHERE within(promoted) GROUP BY ALL
"""

_ROLLBACKS = """
SELECT key_of(service, kind, team, owner) AS key, week_of(exposed) AS week, count(*) AS rollbacks,
    count(rolled_back) AS rollbacks_failed
FROM attempts JOIN asked USING (service) WHERE kind = 5 AND within(exposed) GROUP BY ALL
"""

_UNEXPOSED = """
SELECT key_of(service, kind, team, owner) AS key, week_of(aborted) AS week, count(*) AS unexposed
FROM attempts JOIN asked USING (service)
WHERE exposed IS NULL AND promoted IS NULL AND rolled_back IS NULL AND within(aborted) GROUP BY ALL
"""

_INCIDENTS = """
WITH lasted AS (
    SELECT key_of(service, kind, team, owner) AS key, week_of(restored) AS week, restored - opened AS mttr,
        CASE WHEN kind >= 0 THEN restored - opened END AS fdrt,
        CASE WHEN exposed IS NOT NULL THEN greatest(restored - exposed, 0) END AS fdrt_from_exposure
    FROM outages JOIN asked USING (service) WHERE within(restored)
)
SELECT key, week, spread_of(mttr) AS mttr, spread_of(fdrt) AS fdrt,
    spread_of(fdrt_from_exposure) AS fdrt_from_exposure
FROM lasted GROUP BY ALL
"""

_IMPAIRED = """
WITH spans AS (
    SELECT service, key_of(service, kind, team, owner) AS key, greatest(opened, getvariable('since')) AS opened,
        least(coalesce(restored, getvariable('newest')), getvariable('until')) AS restored
    FROM outages JOIN asked USING (service)
), ordered AS (
    SELECT *, max(restored) OVER (PARTITION BY service, key ORDER BY opened, restored
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS until
    FROM spans WHERE restored > opened
), apart AS (
    SELECT key, greatest(opened, coalesce(until, opened)) AS opened, restored
    FROM ordered WHERE until IS NULL OR restored > until
), cut AS (
    SELECT *, unnest(CASE WHEN getvariable('weekly')
        THEN range(week_of(opened), restored, 604800000000) ELSE [0] END) AS week
    FROM apart
)
SELECT key, week, sum(CASE WHEN getvariable('weekly')
    THEN least(restored, week + 604800000000) - greatest(opened, week) ELSE restored - opened END) AS impaired
FROM cut GROUP BY ALL
"""

_OPENED = """
SELECT key_of(service, kind, team, owner) AS key, week_of(opened) AS week, count(*) AS opened
FROM outages JOIN asked USING (service) WHERE restored IS NULL AND within(opened) GROUP BY ALL
"""

_FAMILIES = {
    "attempts": _ATTEMPTS,
    "changes": _CHANGES,
    "rollouts": _ROLLOUTS,
    "promoted": _PROMOTIONS,
    "rollbacks": _ROLLBACKS,
    "unexposed": _UNEXPOSED,
    "no_merge": _LEADS,
    "mttr": _INCIDENTS,
    "impaired": _IMPAIRED,
    "opened": _OPENED,
}
"""By the first of the fields of a cell that each of them fills; the others follow, up to the next one's."""


def _counting() -> str:
    """Return the statement that counts all families at once, with the JSON of each cell from its week on.

    A family puts together its own piece of it, and the whole is read ten times as fast as so many columns.
    """
    fields = list(Cell._field_defaults.items())
    begins = [*(list(Cell._field_defaults).index(first) for first in _FAMILIES), len(fields)]
    families, pieces = [], []
    for number, family in enumerate(_FAMILIES.values()):
        filled = fields[begins[number] : begins[number + 1]]
        nothing = ["[]" if isinstance(default, Spread) else "0" for _, default in filled]
        values = ", ".join(
            f"coalesce({name}, '{none}')" for (name, _), none in zip(filled, nothing, strict=True)
        )
        piece = f"concat_ws(',', {values}) AS piece_{number}"
        families.append(f"(SELECT key, week, {piece} FROM ({family}))")  # noqa: S608 - all of it is ours
        pieces.append(f"coalesce(any_value(piece_{number}), '{','.join(nothing)}')")
    together = " UNION ALL BY NAME ".join(families)
    cell = f"concat_ws(',', week, {', '.join(pieces)})"
    return f"SELECT key, week, {cell} FROM ({together}) GROUP BY key, week"  # noqa: S608 - all of it is ours


_COUNT = _counting()

_UNNAMED = '""'

_decode = msgspec.json.Decoder(Cell).decode
_encode = msgspec.json.Encoder().encode


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a connection with columns what `count` asks with; `owners`, whose a service is, is empty yet."""
    connection.execute("CREATE OR REPLACE TEMP TABLE owners (service BIGINT, owner BIGINT)")
    connection.execute(_MACROS)


def count(
    connection: duckdb.DuckDBPyConnection,
    scope: str,
    *,
    weekly: bool,
    variables: Mapping[str, object],
    names: Mapping[int, str] = MappingProxyType({}),
) -> dict[tuple[int, int], Cell]:
    """Return the cells of the facts in a connection, by the number of their group and by week.

    Args:
        connection: has the facts, and was prepared.
        scope: `service`, `kind`, `team`, or `all` for one group of everything, whose number is `ALL`.
        weekly: whether weeks are told apart; without it the week is 0.
        variables: `since`, `until` and `newest` in microseconds, `services` (names; empty for all of them), and
            `owned`: whether `owners` says whose a service is.
        names: what the cells of a group have as their service, by its number; nothing otherwise.
    """
    for name, value in {**variables, "scope": scope, "weekly": weekly}.items():
        connection.execute(f"SET VARIABLE {name} = ?", [value])
    connection.execute(_COUNT)
    quoted = {key: _encode(name).decode() for key, name in names.items()}
    with _uncollected():
        found = connection.fetchall()
        return {(key, week): _decode(f"[{quoted.get(key, _UNNAMED)},{text}]") for key, week, text in found}


@contextmanager
def _uncollected() -> Iterator[None]:
    """Have nobody look for circles in many thousand tuples, which have none, while they are made.

    Looking takes longer than making them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
